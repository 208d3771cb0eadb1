// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* The cgroup of a process, from /proc. */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"

/* /proc/PID is of the initial pid namespace, whose numbers the records have. */
#define INIT_PID_NS	"pid:[4026531836]"

static bool read_file(uint32_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	size_t used = 0;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	buf[used] = '\0';
	return n >= 0 && used;
}

static bool is_named(uint32_t pid, const char comm[16])
{
	char now[32];

	if (!read_file(pid, "comm", now, sizeof(now)))
		return false;
	now[strcspn(now, "\n")] = '\0';
	return !strncmp(now, comm, 16);
}

static bool numbers_are_ours(void)
{
	char ns[sizeof(INIT_PID_NS) + 16];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns));

	return n == sizeof(INIT_PID_NS) - 1 && !memcmp(ns, INIT_PID_NS, (size_t)n);
}

char *cgroup_of(uint32_t pid, const char comm[16])
{
	/* A line for each hierarchy of cgroup v1 may come first. */
	char buf[2 * PATH_MAX], out[CGROUP_MAX], *path, *end;
	size_t len, i;

	if (!numbers_are_ours() || !is_named(pid, comm) ||
	    !read_file(pid, "cgroup", buf, sizeof(buf)))
		return NULL;
	for (path = buf; path && strncmp(path, "0::", 3); path = end ? end + 1 : NULL)
		end = strchr(path, '\n');
	if (!path)
		return NULL;
	path += 3;
	end = strchr(path, '\n');
	if (!end)
		return NULL;
	len = (size_t)(end - path);
	if (len >= sizeof(out)) {
		path = end - (sizeof(out) - 1);
		memcpy(path, "...", 3);
		len = sizeof(out) - 1;
	}
	for (i = 0; i < len; i++)
		out[i] = path[i] >= ' ' && path[i] < 0x7f ? path[i] : '?';
	out[len] = '\0';
	return strdup(out);
}
