// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"

#define INIT_PID_NS	"pid:[4026531836]"

/* Return: how much was read, or -1. */
static ssize_t read_file(uint32_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	size_t used = 0;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	buf[used] = '\0';
	return n < 0 || !used ? -1 : (ssize_t)used;
}

bool process_numbers_are_ours(void)
{
	char ns[sizeof(INIT_PID_NS) + 16];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns));

	return n == sizeof(INIT_PID_NS) - 1 && !memcmp(ns, INIT_PID_NS, (size_t)n);
}

/* Field 22 of proc(5)'s stat, in ticks of CLOCK_BOOTTIME; the name before may have blanks. */
static bool began(uint32_t pid, uint64_t *ticks)
{
	char buf[1024], *p;
	unsigned int field;

	if (read_file(pid, "stat", buf, sizeof(buf)) < 0)
		return false;
	p = strrchr(buf, ')');
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		*ticks = strtoull(p, NULL, 10);
	return p;
}

bool process_lives(uint32_t pid, uint64_t ts)
{
	uint64_t now = monotonic_ns(), asleep = clock_ns(CLOCK_BOOTTIME) - now, ticks;
	uint64_t tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	if (!process_numbers_are_ours() || !began(pid, &ticks))
		return false;
	return ticks * tick <= ts + (uint64_t)clock_timens_offset() + asleep;
}

bool process_is(uint32_t pid)
{
	return process_lives(pid, INT64_MAX);
}

void process_read_name(uint32_t pid, char comm[16])
{
	char buf[32];
	ssize_t n = read_file(pid, "comm", buf, sizeof(buf));

	memset(comm, 0, 16);
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if (n > 0)
		memcpy(comm, buf, n < 16 ? (size_t)n : 15);
}

bool process_name(uint32_t pid, uint64_t ts, char comm[17])
{
	char now[16];

	if (!process_lives(pid, ts))
		return false;
	process_read_name(pid, now);
	if (*now) {
		memcpy(comm, now, sizeof(now));
		comm[sizeof(now)] = '\0';
	}
	return true;
}

char *process_cgroup(uint32_t pid, uint64_t ts)
{
	/* A line for each hierarchy of cgroup v1 may come first. */
	char buf[2 * PATH_MAX], out[PROCESS_CGROUP_MAX], *path, *end;
	size_t len, i;

	if (!process_lives(pid, ts) || read_file(pid, "cgroup", buf, sizeof(buf)) < 0)
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
