// SPDX-License-Identifier: GPL-2.0
/*
 * totals: what TCPFSM_IOC_TOTALS reads, without the library: one JSON object for each
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

#include "uapi/tcpfsm.h"

#define NAME(s, n, name, ...)	[n] = name,
static const char *const totals[TCPFSM_TOTAL_NUM] = { TCPFSM_TOTALS(NAME) };
static const char *const reasons[16] = { TCPFSM_REASONS(NAME) };
static const char *const gone[16] = { TCPFSM_GONE(NAME) };
static const char *const kernel[32] = { TCPFSM_KERNEL(NAME) };

static const struct {
	unsigned int first, n;
	const char *name;
	const char *const *names;	/* NULL: numbers */
} tables[] = {
	{ TCPFSM_TOTAL_SYN_DROPPED, 16, "syn_dropped", reasons },
	{ TCPFSM_TOTAL_ACK_DROPPED, 16, "ack_dropped", reasons },
	{ TCPFSM_TOTAL_ACK_RESET, 16, "ack_reset", reasons },
	{ TCPFSM_TOTAL_GONE, 16, "gone", gone },
	{ TCPFSM_TOTAL_SYNQ_LENGTH, 32, "synq_length", NULL },
	{ TCPFSM_TOTAL_ACCEPTQ_LENGTH, 32, "acceptq_length", NULL },
	{ TCPFSM_TOTAL_HANDSHAKE_US, 32, "handshake_us", NULL },
	{ TCPFSM_TOTAL_ACCEPT_US, 32, "accept_us", NULL },
	{ TCPFSM_TOTAL_KERNEL_BASE, 32, "kernel_base", kernel },
	{ TCPFSM_TOTAL_KERNEL, 32, "kernel", kernel },
};

static const char *name_of(unsigned int index, char buf[64])
{
	unsigned int t, i;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		i = index - tables[t].first;
		if (i >= tables[t].n)
			continue;
		if (!tables[t].names)
			snprintf(buf, 64, "%s.%u", tables[t].name, i);
		else if (tables[t].names[i])
			snprintf(buf, 64, "%s.%s", tables[t].name, tables[t].names[i]);
		else
			break;
		return buf;
	}
	if (index >= TCPFSM_TOTAL_NUM || !totals[index])
		errx(1, "a total without a name: %u", index);
	return totals[index];
}

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
		if (!last || last->conn != r->conn || last->netns != r->netns) {
			printf("%s{\"conn\":%" PRIu64 ",\"netns\":%u,\"family\":%u,\"lport\":%u",
			       last ? "}\n" : "", (uint64_t)r->conn, r->netns, r->family, r->lport);
			last = r;
		}
		printf(",\"%s\":%" PRIu64, name_of(r->rcv, buf), (uint64_t)r->listener);
	}
	printf("%s", last ? "}\n" : "");
	return 0;
}
