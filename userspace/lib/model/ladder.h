/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* From what was recorded of one connection to its ladder; ladders.c collects. */
#ifndef TCPFSM_LIB_LADDER_H
#define TCPFSM_LIB_LADDER_H

#include "source/clock.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* An event, without what is the same for all of a connection. */
struct ladder_fact {
	uint64_t ts;
	int64_t dur_ns;
	uint32_t snd, rcv;
	uint32_t synq, acceptq, backlog, asked;
	uint32_t tw, tw_max;
	uint8_t side;			/* index of struct ladder_story.end */
	uint8_t type;			/* enum tcpfsm_event_type */
	uint8_t old_state, new_state, cause;
	uint8_t verdict, reason, arg;
	uint8_t flags;			/* TCPFSM_F_* */
	bool has_queues;
	bool socket;			/* has a cookie */
	bool arrived;			/* RST sent: it was received by another connection's end */
};

/* A range of time of which records are missing. */
struct ladder_gap {
	uint64_t from, to, lost;
};

/* All of a connection.  The ends are in the order of their addresses. */
struct ladder_story {
	uint8_t family;
	bool exact;			/* nothing is known to be missing */
	bool refreshes;			/* segments for mini-sockets are told */
	struct tcpfsm_ladder_end end[2];
	const struct ladder_fact *facts;
	size_t nfacts;
	size_t cut;			/* more facts were left out before this one */
	uint64_t more;
	const struct ladder_gap *gaps;
	size_t ngaps;
};

struct ladder_half;

/* Memory that is used again and again. */
struct ladder_scratch {
	struct ladder_half *halves;
	struct tcpfsm_ladder_row *rows;
	size_t size;			/* of both */
};

/* Return: 0 and *l, which lives until the next call; -ENOMEM. */
int ladder_build(struct ladder_scratch *s, const struct ladder_story *story,
		 struct tcpfsm_ladder *l);
void ladder_scratch_free(struct ladder_scratch *s);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_LADDER_H */
