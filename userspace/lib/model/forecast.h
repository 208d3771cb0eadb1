/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What a group of mini-sockets comes to: how many came and went in each second, when those
 * in TIME_WAIT began it, and from both when the ports or mini-sockets run out.
 */
#ifndef TCPFSM_LIB_FORECAST_H
#define TCPFSM_LIB_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "source/clock.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

#define BINS		64U		/* longer than TIME_WAIT lasts */
#define PACE_HISTORY	32U
/* What is shorter is no time for a rate. */
#define RATE_MIN_NS	(NSEC_PER_SEC / 10)

/* Of those in TIME_WAIT, when it began: in seconds of CLOCK_MONOTONIC. */
struct births {
	uint32_t last;			/* second */
	uint32_t bin[BINS];		/* by second modulo BINS, the last ones */
	uint32_t older, unknown;
};

/*
 * What a second brought: how many came (took a port, towards a destination; else became
 * mini-sockets) or went but for the end of TIME_WAIT; and how the number of those held grew
 * that are not in TIME_WAIT.
 */
struct second {
	uint32_t came, went;
	int32_t held;
};

struct trend {
	uint32_t last;			/* second */
	struct second at[PACE_HISTORY];	/* by second modulo PACE_HISTORY, the last ones */
};

struct group;

/* Nanoseconds since the epoch. */
struct forecast_clock {
	int64_t epoch_offset;
	uint64_t now;
	uint64_t known;			/* what came is known from then on; 0: long ago */
};

/* As ktime_get_seconds() was then. */
static inline uint32_t second_at(int64_t epoch_offset, uint64_t ts)
{
	return (uint32_t)((ts - (uint64_t)epoch_offset) / NSEC_PER_SEC);
}

/* To a later second. */
void births_move_on(struct births *b, uint32_t then);
void trend_move_on(struct trend *tr, uint32_t now);

/* @one more of them, or its negative, that began it in that second. */
static inline void births_count(struct births *b, uint32_t then, uint64_t one)
{
	if (then > b->last)
		births_move_on(b, then);
	if (b->last - then < BINS)
		b->bin[then % BINS] += (uint32_t)one;
	else
		b->older += (uint32_t)one;
}

static inline void trend_add(struct trend *tr, uint32_t now, uint32_t came, uint32_t went,
			     int32_t held)
{
	struct second *s = &tr->at[now % PACE_HISTORY];

	if (now > tr->last)
		trend_move_on(tr, now);
	if (tr->last - now >= PACE_HISTORY)
		return;
	s->came += came;
	s->went += went;
	s->held += held;
}

/* How many began it in that second or later. */
uint32_t births_since(const struct births *b, uint32_t first);
void births_ages(const struct births *b, uint64_t mono, uint64_t ages[TCPFSM_TW_AGES]);

/* What is to come of a group, and how full it is, into @o, which has what is. */
void forecast(const struct forecast_clock *c, const struct group *g, const struct group *netns,
	      struct tcpfsm_timewait *o);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_FORECAST_H */
