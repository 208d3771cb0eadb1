// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What advice needs to know of this machine. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/process.h"
#include "tcpfsm.h"

static uint32_t read_number(const char *path)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (uint32_t)strtoul(buf, NULL, 10) : 0;
}

/* Bytes of an object of the kernel's, with what its allocator adds; 0: it does not tell. */
static uint32_t slab_bytes(const char *cache)
{
	char path[128], line[256], name[64];
	uint32_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/slab_size", cache);
	bytes = read_number(path);
	if (bytes)
		return bytes;
	file = fopen("/proc/slabinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		unsigned int size;

		if (sscanf(line, "%63s %*u %*u %u", name, &size) == 2 && !strcmp(name, cache))
			bytes = size;
	}
	if (file)
		fclose(file);
	return bytes;
}

void tcpfsm_explain_machine(struct tcpfsm_explain_options *o)
{
	struct stat st;

	if (!stat("/proc/self/ns/net", &st))
		o->own_netns = (uint32_t)st.st_ino;
	if (process_numbers_are_ours())
		o->proc = "/proc";
	o->live = true;
	o->request_bytes = slab_bytes("request_sock_TCP");
	o->socket_bytes = slab_bytes("TCP");
	o->timewait_bytes = slab_bytes("tw_sock_TCP");
}
