// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "clock.h"
#include "named.h"
#include "tcpfsm.h"

#define REMEMBERED	1024
#define FRESH_NS	NSEC_PER_SEC
#define NUMBER_LEN	64		/* hexadecimal digits of a container */
#define NUMBER_SHOWN	12		/* as docker ps shows it */
#define NUMBER_MIN	6

static struct {
	uint32_t pid;
	uint64_t asked;
	char *path;			/* NULL: not known */
} remembered[REMEMBERED];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool cgroup_of(uint32_t pid, uint64_t ts, char path[PROCESS_CGROUP_MAX])
{
	unsigned int i = pid % REMEMBERED;
	uint64_t now = monotonic_ns();
	bool known;

	if (named_is())
		return named_text(NAMED_CGROUP, pid, path, PROCESS_CGROUP_MAX);
	pthread_mutex_lock(&lock);
	if (remembered[i].pid != pid || now > remembered[i].asked + FRESH_NS) {
		char *fresh = process_cgroup(pid, ts ? ts : INT64_MAX);

		/* Gone: then it is as it was. */
		if (fresh || remembered[i].pid != pid) {
			free(remembered[i].path);
			remembered[i].path = fresh;
		}
		remembered[i].pid = pid;
		remembered[i].asked = now;
	}
	known = remembered[i].path;
	if (known)
		snprintf(path, PROCESS_CGROUP_MAX, "%s", remembered[i].path);
	pthread_mutex_unlock(&lock);
	return known;
}

bool cgroup_below(const char *path, const char *name, size_t len)
{
	return !strncmp(path, name, len) && (!path[len] || path[len] == '/');
}

/* What runtimes put before and behind the name or the number of a container. */
static const char *const before[] = {
	"docker-", "cri-containerd-", "crio-", "libpod-", "nerdctl-", "lxc.payload.", "machine-",
};

static bool cut_behind(const char *part, size_t *len, const char *end)
{
	size_t n = strlen(end);

	if (*len <= n || strncmp(part + *len - n, end, n))
		return false;
	*len -= n;
	return true;
}

/* Without all that.  Return: a runtime gave it. */
static bool strip(const char **part, size_t *len)
{
	size_t i;

	for (i = 0; i < sizeof(before) / sizeof(*before); i++) {
		size_t n = strlen(before[i]);

		if (*len <= n || strncmp(*part, before[i], n))
			continue;
		*part += n;
		*len -= n;
		cut_behind(*part, len, ".scope");
		return true;
	}
	return false;
}

static bool is_number(const char *part, size_t len)
{
	return len == NUMBER_LEN && strspn(part, "0123456789abcdef") >= len;
}

static bool is_named(const char *part, size_t len, const char *name, size_t n)
{
	if (len < n || strncmp(part, name, n))
		return false;
	return len == n || (n >= NUMBER_MIN && is_number(part, len));
}

bool cgroup_has(const char *path, const char *name, size_t len)
{
	size_t n;

	for (; *path; path += n) {
		const char *part;
		size_t all;

		path += *path == '/';
		n = all = strcspn(path, "/");
		part = path;
		if (is_named(part, all, name, len))
			return true;
		strip(&part, &all);
		if (is_named(part, all, name, len))
			return true;
		/* "nginx" is nginx.service. */
		if ((cut_behind(part, &all, ".service") || cut_behind(part, &all, ".scope")) &&
		    is_named(part, all, name, len))
			return true;
	}
	return false;
}

void cgroup_name(const char *path, char name[PROCESS_CGROUP_MAX])
{
	const char *at, *container = NULL, *unit = NULL;
	size_t n, container_len = 0, unit_len = 0;

	for (at = path; *at; at += n) {
		const char *part;
		size_t len;

		at += *at == '/';
		n = len = strcspn(at, "/");
		part = at;
		if (strip(&part, &len) || is_number(part, len)) {
			container = part;
			container_len = is_number(part, len) ? NUMBER_SHOWN : len;
		} else if (cut_behind(part, &len, ".service") || cut_behind(part, &len, ".scope")) {
			unit = at;
			unit_len = n;
		}
	}
	if (container)
		snprintf(name, PROCESS_CGROUP_MAX, "%.*s", (int)container_len, container);
	else if (unit)
		snprintf(name, PROCESS_CGROUP_MAX, "%.*s", (int)unit_len, unit);
	else
		snprintf(name, PROCESS_CGROUP_MAX, "%s", path);
}

_Static_assert(PROCESS_CGROUP_MAX <= TCPFSM_CONTAINER_NAME_MAX, "");

const char *tcpfsm_container_name(uint32_t pid, char name[TCPFSM_CONTAINER_NAME_MAX])
{
	char path[PROCESS_CGROUP_MAX];

	*name = '\0';
	if (cgroup_of(pid, 0, path))
		cgroup_name(path, name);
	return name;
}
