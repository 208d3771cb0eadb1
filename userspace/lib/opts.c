// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "opts.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool zeros(const void *p, size_t from, size_t to)
{
	for (; from < to; from++)
		if (((const unsigned char *)p)[from])
			return false;
	return true;
}

int copy_opts(void *opts, size_t size, const void *from)
{
	size_t theirs;

	memset(opts, 0, size);
	if (from) {
		memcpy(&theirs, from, sizeof(theirs));
		if (theirs < sizeof(theirs))
			return -EINVAL;
		if (!zeros(from, size, theirs))
			return -E2BIG;
		memcpy(opts, from, least(size, theirs));
	}
	memcpy(opts, &size, sizeof(size));
	return 0;
}

int give_opts(void *to, const void *opts, size_t size)
{
	size_t theirs;

	memcpy(&theirs, to, sizeof(theirs));
	if (!zeros(opts, theirs, size))
		return -E2BIG;
	memcpy((char *)to + sizeof(theirs), (const char *)opts + sizeof(theirs),
	       least(size, theirs) - sizeof(theirs));
	return 0;
}

void copy_info(struct tcpfsm_info *info, const struct tcpfsm_info *from)
{
	memset(info, 0, sizeof(*info));
	memcpy(info, from, least(sizeof(*info), from->size));
}

void give_info(struct tcpfsm_info *to, const struct tcpfsm_info *info)
{
	size_t n = least(to->size, least(info->size, sizeof(*info)));

	memcpy(to, info, n);
	to->size = (__u32)n;
}
