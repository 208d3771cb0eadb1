// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Where records are from, by the names that this machine has for it now. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "tcpfsm.h"

_Static_assert(TCPFSM_DEV_NAME_MAX == IF_NAMESIZE, "as of if_indextoname()");

static bool is_plain(const char *s)
{
	return *s != '-' && *s != '.' && strlen(s) < TCPFSM_NETNS_NAME_MAX &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

static bool own(struct stat *st)
{
	return !stat("/proc/thread-self/ns/net", st);
}

const char *tcpfsm_netns_name(uint32_t inode, char name[TCPFSM_NETNS_NAME_MAX])
{
	DIR *dir = opendir("/run/netns");
	struct stat nsfs, st;
	struct dirent *e;
	bool known = own(&nsfs);

	*name = '\0';
	while (dir && known && (e = readdir(dir))) {
		if (!is_plain(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    st.st_dev != nsfs.st_dev || st.st_ino != inode)
			continue;
		strcpy(name, e->d_name);
		break;
	}
	if (dir)
		closedir(dir);
	return name;
}

/* Network namespaces of processes, as they were when they were last looked for. */
#define INHABITED_MAX	4096U
#define LOOK_NS		(5 * NSEC_PER_SEC)	/* /proc is long */

static struct inhabited {
	uint32_t inode, pid;		/* of any process in it */
} *inhabited;
static size_t ninhabited;
static uint64_t looked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t pid_in(uint32_t inode)
{
	size_t i;

	for (i = 0; i < ninhabited; i++)
		if (inhabited[i].inode == inode)
			return inhabited[i].pid;
	return 0;
}

static uint32_t netns_of(const char *pid)
{
	char path[sizeof("/proc//ns/net") + 256];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return !stat(path, &st) ? (uint32_t)st.st_ino : 0;
}

/* That of init is the machine's own: all its units are in there. */
static void look(void)
{
	DIR *dir = opendir("/proc");
	uint32_t init = netns_of("1"), inode;
	struct dirent *e;

	ninhabited = 0;
	if (!inhabited)
		inhabited = calloc(INHABITED_MAX, sizeof(*inhabited));
	while (dir && inhabited && ninhabited < INHABITED_MAX && (e = readdir(dir))) {
		if (!isdigit((unsigned char)*e->d_name))
			continue;
		inode = netns_of(e->d_name);
		if (inode && inode != init && !pid_in(inode))
			inhabited[ninhabited++] = (struct inhabited) { inode, (uint32_t)atoi(e->d_name) };
	}
	if (dir)
		closedir(dir);
}

const char *tcpfsm_netns_label(uint32_t inode, char label[TCPFSM_CONTAINER_NAME_MAX])
{
	uint64_t now = monotonic_ns();
	uint32_t pid;

	if (*tcpfsm_netns_name(inode, label))
		return label;
	pthread_mutex_lock(&lock);
	if (!looked || now > looked + LOOK_NS) {
		look();
		looked = now;
	}
	pid = pid_in(inode);
	pthread_mutex_unlock(&lock);
	if (!pid || *tcpfsm_container_name(pid, label) == '/')
		*label = '\0';
	return label;
}

const char *tcpfsm_dev_name(uint32_t netns, uint32_t index, char name[TCPFSM_DEV_NAME_MAX])
{
	struct stat st;
	char *p;

	if (!own(&st) || st.st_ino != netns || !if_indextoname(index, name))
		snprintf(name, TCPFSM_DEV_NAME_MAX, "%u", index);
	for (p = name; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	return name;
}
