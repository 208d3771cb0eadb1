/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* Network namespaces by inode, which the kernel gives to the next one when one is deleted. */
#ifndef TCPFSM_LIB_SPACES_H
#define TCPFSM_LIB_SPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#pragma GCC visibility push(hidden)

struct space {
	uint32_t netns;			/* inode */
	uint32_t link;			/* the table's */
	uint64_t cookie;
	uint64_t made;			/* CLOCK_MONOTONIC; 0: not known, or long ago */
};

struct spaces {
	struct table table;		/* not made as long as there are none */
	uint32_t last;			/* found last: mostly the next one, too */
};

enum spaces_news { SPACES_KNOWN, SPACES_FIRST, SPACES_ANOTHER };

/* Who has that inode now.  FIRST: who had it was not known. */
enum spaces_news spaces_cookie(struct spaces *t, uint32_t netns, uint64_t cookie);
/* And since when. */
void spaces_made(struct spaces *t, uint32_t netns, uint64_t ts);

const struct space *spaces_seek(struct spaces *t, uint32_t netns);

/* Was another one meant with that inode then? */
static inline bool spaces_gone(struct spaces *t, uint32_t netns, uint64_t ts)
{
	const struct space *s;

	if (!t->table.n)
		return false;
	s = (const struct space *)t->table.slab + t->last;
	if (s->netns != netns)
		s = spaces_seek(t, netns);
	return s && ts < s->made;
}

void spaces_free(struct spaces *t);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_SPACES_H */
