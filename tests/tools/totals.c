// SPDX-License-Identifier: GPL-2.0-only
/*
 * totals: what TCPFSM_IOC_TOTALS reads, with nothing of the library but names: one JSON object for each
 * listener and network namespace (conn 0), with its totals that are not zero.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tcpfsm.h"

int main(void)
{
	const struct tcpfsm_record *r, *last = NULL;
	struct tcpfsm_info info = { .size = sizeof(info), .abi = TCPFSM_ABI_VERSION };
	struct tcpfsm_totals req = { 0 };
	struct tcpfsm_record *records;
	int fd = open(TCPFSM_DEVICE, O_RDONLY);
	char buf[64];

	if (fd < 0 || ioctl(fd, TCPFSM_IOC_INFO, &info))
		err(1, TCPFSM_DEVICE);
	for (req.count = 4096;; req.count *= 2) {
		records = calloc(req.count, sizeof(*records));
		req.records = (uintptr_t)records;
		if (records && !ioctl(fd, TCPFSM_IOC_TOTALS, &req))
			break;
		if (!records || errno != ENOSPC)
			err(1, "TCPFSM_IOC_TOTALS");
		free(records);
	}
	for (r = records; r < records + req.count; r++) {
		if (*tcpfsm_total_name(r->rcv, buf) == '?')
			errx(1, "a total without a name: %u", r->rcv);
		if (!last || last->conn != r->conn || last->netns != r->netns) {
			printf("%s{\"conn\":%" PRIu64 ",\"netns\":%u,\"family\":%u,\"lport\":%u",
			       last ? "}\n" : "", (uint64_t)r->conn, r->netns, r->family, r->lport);
			last = r;
		}
		printf(",\"%s\":%" PRIu64, tcpfsm_total_name(r->rcv, buf), (uint64_t)r->listener);
	}
	printf("%s", last ? "}\n" : "");
	return 0;
}
