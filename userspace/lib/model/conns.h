/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * The connections a model remembers, by socket cookie.  Bounded: when the
 * table is full, one that has long been quiet is forgotten.  A few closed ones
 * are kept, as a late RST or accept() may still ask for them.
 */
#ifndef TCPFSM_LIB_CONNS_H
#define TCPFSM_LIB_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/**
 * struct conn - what is known of one connection (or listener)
 * @key: socket cookie; 0: a free slot
 * @since: when @state (or @snap) was entered (CLOCK_MONOTONIC); 0: not seen
 * @queued: when it joined the accept queue; 0: not seen or accepted already
 * @asked: listener: backlog that listen(2) asked for plus 1; 0: not known
 * @hint_ts: when @hint was seen
 * @next: the table's
 * @older, @newer: neighbours in the list by age
 * @pid: owner, 0: not known
 * @comm: its name, NUL padded
 * @state: enum tcpfsm_state; 0: not known
 * @hint: what a record just before told about the next change of state
 * @flags: the model's
 * @snap: state in the snapshot (CLOSE: not found there any more), where it is
 *	  not @state and no record has told of another; it is that of a time that
 *	  the records may not have come to yet
 * @clones: children of this request that have not become a connection (yet)
 * @again_seq: of the segment that was sent again last, the low half
 * @again: how many times that one was, 0: none was
 * @dead: closed, kept for a while
 * @used: heard of since it came to the list's end as the oldest
 * @netns: inode of its network namespace
 * @lport: its port at this end
 */
struct conn {
	uint64_t key;
	uint64_t since;
	union {
		uint64_t queued;
		uint64_t asked;
	};
	uint64_t hint_ts;
	uint32_t next;
	uint32_t older, newer;
	uint32_t pid;
	char comm[16];
	uint8_t state;
	uint8_t hint:2;
	bool dead:1;
	bool used:1;
	uint8_t snap:4;
	uint8_t flags;
	uint8_t clones;
	uint8_t again;
	uint16_t again_seq;
	uint32_t netns;
	uint16_t lport;
};

/* Numbers 0 and 1 are the heads of the lists of live and dead ones. */
struct conns {
	struct table table;
	struct tcpfsm_life *lives;	/* NULL, or one for each number */
	uint32_t lives_cap;
	size_t live, dead;
	uint64_t forgotten;
};

static inline uint64_t conns_hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct conn *)entry)->key;
}

static const struct table_type conns_type = {
	.size = sizeof(struct conn), .link = offsetof(struct conn, next), .reserved = 2,
	.hash = conns_hash,
};

/* The state, as far as anything tells it; 0: not known. */
static inline uint8_t conn_state(const struct conn *c)
{
	return c->snap ? c->snap : c->state;
}

/* roomy: memory for many at once, rather than as they come. */
int conns_init(struct conns *t, size_t max, bool lives, bool roomy);
void conns_exit(struct conns *t);

static inline struct conn *conns_find(struct conns *t, uint64_t key)
{
	struct conn *c = table_first(&t->table, &conns_type, key);

	while (c && c->key != key)
		c = table_next(&t->table, &conns_type, c);
	return c;
}

/*
 * A new connection; others may move in memory.  NULL for key 0, which names
 * none, and when there is no memory at all.
 */
struct conn *conns_add(struct conns *t, uint64_t key);

static inline struct tcpfsm_life *conns_life(const struct conns *t, const struct conn *c)
{
	return t->lives && c ? &t->lives[c - (struct conn *)t->table.slab] : NULL;
}

/* The living ones. */
struct conn *conns_first(const struct conns *t);
struct conn *conns_next(const struct conns *t, const struct conn *c);
/* One by one, from *i = 0 until *i is 0 again; key 0: it is free.  NULL: there is none. */
const struct conn *conns_slot(const struct conns *t, size_t *i);
/* A closed one lives again. */
void conns_revive(struct conns *t, struct conn *c);
/* It was heard of just now. */
static inline void conns_touch(struct conn *c)
{
	c->used = true;
}
/* It is closed. */
void conns_bury(struct conns *t, struct conn *c);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_CONNS_H */
