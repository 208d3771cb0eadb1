// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Where records are from, by the names that this machine has for it now. */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

	*name = '\0';
	while (dir && own(&nsfs) && (e = readdir(dir))) {
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
