/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Groups of mini-sockets: those of a network namespace, of a destination, of an owner.
 * Bounded: the group that has been without sockets for longest gives up its place, and what
 * finds none belongs to the rest.
 */
#ifndef TCPFSM_LIB_TW_GROUPS_H
#define TCPFSM_LIB_TW_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast.h"
#include "table.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* Did the peer send timestamps? */
enum stamps { STAMPS_UNKNOWN, STAMPS_WITHOUT, STAMPS_WITH, STAMPS };

/* Compared as a whole: no padding. */
struct key {
	uint32_t netns;
	union {
		uint32_t pid;		/* of an owner */
		uint32_t dev;		/* of a destination */
	};
	uint16_t lport, rport;
	uint8_t family, inbound;
	uint8_t unused[2];
	uint8_t laddr[16], raddr[16];
};

struct group {
	struct key key;
	struct trend trend;
	uint32_t link;			/* the table's */
	uint32_t older, newer;	/* in the list of groups without sockets */
	bool idle;		/* is in it */
	struct tcpfsm_timewait now;
	/* Of what is recent: as it was then. */
	uint64_t flow[TCPFSM_TW_FLOWS], failed, used;
	/* TIME_WAIT that ended before its time: how many, and how old they had become. */
	uint64_t early, early_ns, recent_early, recent_early_ns;
	uint64_t *listening;	/* network namespace: ports, or NULL */
	uint32_t ports;		/* network namespace: that connect() can choose; 0: not known */
	uint8_t tw_reuse;	/* network namespace: net.ipv4.tcp_tw_reuse */
	uint32_t tw_reuse_delay; /* network namespace: net.ipv4.tcp_tw_reuse_delay, ms; 0: none */
	uint64_t heard;		/* network namespace: when totals or a record told of it last */
	struct births births;
	uint32_t stamps[STAMPS]; /* of those in TIME_WAIT */
	uint32_t young;		/* of these with timestamps, those that began it in */
	uint32_t young_second;	/* this second, the last one */
	uint64_t named;		/* whose name it has was there then; epoch */
	char *cgroup;		/* owner: its path, or NULL; */
	bool cgroup_asked;	/* after this */
	uint32_t maker_votes;	/* for now.maker_pid to be who makes most */
};

/* Number 0 is the rest, and the head of the list of idle ones. */
struct groups {
	struct table table;
	uint32_t last;			/* found last: mostly the next one, too */
};

static inline struct group *group_at(const struct groups *t, uint32_t i)
{
	return (struct group *)t->table.slab + i;
}

/* Numbers go to below this. */
static inline uint32_t groups_end(const struct groups *t)
{
	return t->table.end;
}

int groups_init(struct groups *t, size_t max, uint8_t kind);
void groups_free(struct groups *t);
/* 0: not there. */
uint32_t groups_find(const struct groups *t, const struct key *key);
/* The same, made if need be, which may move others in memory.  0: it is of the rest. */
uint32_t groups_get(struct groups *t, const struct key *key);
void groups_turn(struct groups *t, struct group *g);
/* As if nothing had been heard of it: but for its place among the others. */
void groups_forget(struct groups *t, struct group *g);

/* It has sockets, or has none any more. */
static inline void groups_busy(struct groups *t, struct group *g, bool busy)
{
	if (g->idle == busy)
		groups_turn(t, g);
}

/* What @g saw, to what @to saw. */
void group_add_history(struct group *to, const struct group *g);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_TW_GROUPS_H */
