// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Where records are from, by the names that this machine has for it now, or that a recording tells. */
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
#include "grow.h"
#include "named.h"
#include "place.h"
#include "tcpfsm.h"

_Static_assert(TCPFSM_DEV_NAME_MAX == IF_NAMESIZE, "as of if_indextoname()");

bool place_name_is_plain(const char *s)
{
	return *s != '-' && *s != '.' && strlen(s) < TCPFSM_NETNS_NAME_MAX &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

static bool own(struct stat *st)
{
	return !stat("/proc/thread-self/ns/net", st);
}

/* What was found when it was last looked for, by inode. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct place {
	uint32_t inode, pid;		/* of any process in it; 0: it has a name */
	char name[TCPFSM_NETNS_NAME_MAX];
};

struct places {
	struct place *p;
	size_t n, room;
	uint64_t looked;		/* CLOCK_MONOTONIC; 0: never */
	struct timespec changed;	/* the directory */
};

#define PLACES_MAX	65536U
#define NAMED_NS	NSEC_PER_SEC
#define INHABITED_NS	(5 * NSEC_PER_SEC)	/* /proc is long */

/* Names of ip netns, and namespaces of processes. */
static struct places with_name, inhabited;

static int by_inode(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static const struct place *find(const struct places *of, uint32_t inode)
{
	const struct place key = { .inode = inode };

	return of->n ? bsearch(&key, of->p, of->n, sizeof(key), by_inode) : NULL;
}

/* NULL: there is no room. */
static struct place *add(struct places *to, uint32_t inode)
{
	struct place *p = to->n < PLACES_MAX ? grown(to->p, &to->room, to->n, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	to->p = p;
	to->p[to->n] = (struct place) { .inode = inode };
	return &to->p[to->n++];
}

static void sort(struct places *all)
{
	if (all->n)
		qsort(all->p, all->n, sizeof(*all->p), by_inode);
	all->looked = monotonic_ns();
}

static void look_for_names(void)
{
	DIR *dir = opendir("/run/netns");
	struct stat nsfs, st;
	struct dirent *e;
	bool known = own(&nsfs);

	with_name.n = 0;
	with_name.changed = dir && !fstat(dirfd(dir), &st) ? st.st_mtim : (struct timespec) { 0, 0 };
	while (dir && known && (e = readdir(dir))) {
		struct place *p;

		if (!place_name_is_plain(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, 0) || st.st_dev != nsfs.st_dev)
			continue;
		p = add(&with_name, (uint32_t)st.st_ino);
		if (!p)
			break;
		strcpy(p->name, e->d_name);
	}
	if (dir)
		closedir(dir);
	sort(&with_name);
}

/* Has a name come or gone since? */
static bool names_changed(void)
{
	struct stat st;

	return !stat("/run/netns", &st) && (st.st_mtim.tv_sec != with_name.changed.tv_sec ||
					    st.st_mtim.tv_nsec != with_name.changed.tv_nsec);
}

const char *tcpfsm_netns_name(uint32_t inode, char name[TCPFSM_NETNS_NAME_MAX])
{
	const struct place *p;

	*name = '\0';
	if (named_is()) {
		(void)!named_text(NAMED_NETNS, inode, name, TCPFSM_NETNS_NAME_MAX);
		return name;
	}
	pthread_mutex_lock(&lock);
	if (!with_name.looked || monotonic_ns() > with_name.looked + NAMED_NS)
		look_for_names();
	p = find(&with_name, inode);
	if (!p && names_changed()) {
		look_for_names();
		p = find(&with_name, inode);
	}
	strcpy(name, p ? p->name : "");
	pthread_mutex_unlock(&lock);
	return name;
}

static uint32_t netns_of(const char *pid)
{
	char path[sizeof("/proc//ns/net") + 256];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return !stat(path, &st) ? (uint32_t)st.st_ino : 0;
}

static void look_for_processes(uint32_t init)
{
	DIR *dir = opendir("/proc");
	uint32_t inode, last = 0;
	struct dirent *e;

	inhabited.n = 0;
	while (dir && (e = readdir(dir))) {
		struct place *p;

		if (!isdigit((unsigned char)*e->d_name))
			continue;
		inode = netns_of(e->d_name);
		/* Those of one container have followed each other. */
		if (!inode || inode == init || inode == last)
			continue;
		p = add(&inhabited, inode);
		if (!p)
			break;
		p->pid = (uint32_t)atoi(e->d_name);
		last = inode;
	}
	if (dir)
		closedir(dir);
	sort(&inhabited);
}

const char *tcpfsm_netns_label(uint32_t inode, char label[TCPFSM_CONTAINER_NAME_MAX])
{
	const struct place *p;
	uint32_t pid, init;

	if (*tcpfsm_netns_name(inode, label))
		return label;
	if (named_is()) {
		(void)!named_text(NAMED_INHABITED, inode, label, TCPFSM_CONTAINER_NAME_MAX);
		return label;
	}
	/* That of init is the machine's own: all its units are in there. */
	init = netns_of("1");
	if (inode == init)
		return label;
	pthread_mutex_lock(&lock);
	if (!inhabited.looked || monotonic_ns() > inhabited.looked + INHABITED_NS)
		look_for_processes(init);
	p = find(&inhabited, inode);
	pid = p ? p->pid : 0;
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
