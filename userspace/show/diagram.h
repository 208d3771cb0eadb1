/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state diagram of RFC 9293, figure 5, counted: which arrow each
 * transition belongs to, how often and how lately it was taken, and how many
 * sockets are in each state.  Where and how it is drawn: figure.h.
 *
 * Every transition counts for exactly one arrow, for the exit of a state (it
 * ended in CLOSE in a way the figure does not show), or as an odd one.
 * Times are nanoseconds since the Unix epoch, as in struct tcpfsm_event.
 */
#ifndef TCPFSM_SHOW_DIAGRAM_H
#define TCPFSM_SHOW_DIAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"
#include "tcpfsm.h"

/*
 * The arrows.  X(symbol, old, new, causes, event, action, brief event)
 * causes: bits of those it stands for, ~0 for all.  Words of the figure; brief
 * ones for when space is short.  The RFC leaves out FIN_WAIT1 to TIME_WAIT in
 * the figure and tells it in note 2.
 */
#define DIAGRAM_ANY		(~0U)
#define DIAGRAM_ONLY(c)		(1U << TCPFSM_CAUSE_##c)
#define DIAGRAM_ARROWS(X) \
	X(PASSIVE_OPEN,	CLOSE, LISTEN, DIAGRAM_ANY, "passive OPEN", "create TCB", "OPEN") \
	X(LISTEN_CLOSE,	LISTEN, CLOSE, DIAGRAM_ANY, "CLOSE", "delete TCB", "CLOSE") \
	X(ACTIVE_OPEN,	CLOSE, SYN_SENT, DIAGRAM_ANY, "active OPEN", "create TCB, snd SYN", \
	  "OPEN") \
	X(SYN_SENT_CLOSE, SYN_SENT, CLOSE, DIAGRAM_ONLY(CLOSE), "CLOSE", "delete TCB", "CLOSE") \
	X(RCV_SYN,	LISTEN, SYN_RECV, DIAGRAM_ANY, "rcv SYN", "snd SYN,ACK", "rcv SYN") \
	X(RCV_RST,	SYN_RECV, LISTEN, DIAGRAM_ANY, "rcv RST", "", "rcv RST") \
	X(SEND,		LISTEN, SYN_SENT, DIAGRAM_ANY, "SEND", "snd SYN", "SEND") \
	X(CROSSED_SYN,	SYN_SENT, SYN_RECV, DIAGRAM_ANY, "rcv SYN", "snd SYN,ACK", "rcv SYN") \
	X(PASSIVE_DONE,	SYN_RECV, ESTABLISHED, DIAGRAM_ANY, "rcv ACK of SYN", "", "rcv ACK") \
	X(ACTIVE_DONE,	SYN_SENT, ESTABLISHED, DIAGRAM_ANY, "rcv SYN,ACK", "snd ACK", \
	  "rcv SYN,ACK") \
	X(SYN_RECV_CLOSE, SYN_RECV, FIN_WAIT1, DIAGRAM_ANY, "CLOSE", "snd FIN", "CLOSE") \
	X(CLOSE,	ESTABLISHED, FIN_WAIT1, DIAGRAM_ANY, "CLOSE", "snd FIN", "CLOSE") \
	X(RCV_FIN,	ESTABLISHED, CLOSE_WAIT, DIAGRAM_ANY, "rcv FIN", "snd ACK", "rcv FIN") \
	X(FIN_ACKED,	FIN_WAIT1, FIN_WAIT2, DIAGRAM_ANY, "rcv ACK of FIN", "", "rcv ACK") \
	X(CROSSED_FIN,	FIN_WAIT1, CLOSING, DIAGRAM_ANY, "rcv FIN", "snd ACK", "rcv FIN") \
	X(FIN_AND_ACK,	FIN_WAIT1, TIME_WAIT, DIAGRAM_ANY, "rcv FIN, ACK of FIN", "snd ACK", \
	  "rcv FIN,ACK") \
	X(LAST_CLOSE,	CLOSE_WAIT, LAST_ACK, DIAGRAM_ANY, "CLOSE", "snd FIN", "CLOSE") \
	X(LAST_FIN,	FIN_WAIT2, TIME_WAIT, DIAGRAM_ANY, "rcv FIN", "snd ACK", "rcv FIN") \
	X(CLOSING_DONE,	CLOSING, TIME_WAIT, DIAGRAM_ANY, "rcv ACK of FIN", "", "rcv ACK") \
	X(LAST_ACKED,	LAST_ACK, CLOSE, DIAGRAM_ONLY(RCV_ACK_OF_FIN), "rcv ACK of FIN", "", \
	  "rcv ACK") \
	X(TIMEOUT_2MSL,	TIME_WAIT, CLOSE, DIAGRAM_ONLY(2MSL), "timeout=2MSL", "delete TCB", "2MSL")

#define DIAGRAM_ENUM_ARROW(s, ...) ARROW_##s,
enum diagram_arrow { DIAGRAM_ARROWS(DIAGRAM_ENUM_ARROW) NARROWS };

struct arrow_text {
	uint8_t old_state, new_state;
	const char *event, *action, *brief;
};

extern const struct arrow_text diagram_arrow[NARROWS];

#define DIAGRAM_STATES	16		/* 0: a number that is none */
#define DIAGRAM_CAUSES	(TCPFSM_CAUSE_NO_ROUTE + 1)

/* The rate is that of the last second, in steps of a slot. */
#define DIAGRAM_SLOT_NS	50000000ULL
#define DIAGRAM_SECOND	20		/* slots */
#define DIAGRAM_SLOTS	32

struct moves {
	uint64_t n;
	uint64_t last;			/* when, 0: never */
	uint32_t slot[DIAGRAM_SLOTS];
};

struct diagram {
	struct moves all, odd;
	struct moves arrow[NARROWS];
	struct moves exit[DIAGRAM_STATES];
	uint64_t exit_cause[DIAGRAM_STATES][DIAGRAM_CAUSES];
	uint64_t arrow_cause[NARROWS][DIAGRAM_CAUSES];
	uint64_t odd_pair[DIAGRAM_STATES][DIAGRAM_STATES];
	uint64_t count[DIAGRAM_STATES][DIAGRAM_STATES][DIAGRAM_CAUSES];
	uint64_t slot[DIAGRAM_SLOTS];	/* whose time the slots hold now */
	uint64_t moved[DIAGRAM_STATES];	/* last entered or left */
	uint64_t population[DIAGRAM_STATES];
	uint64_t first, last;		/* times of the oldest and the newest transition; 0: none */
	uint64_t lost;			/* records, as the source told */
};

/* So many of a kind at a time. */
void diagram_add(struct diagram *d, const struct tcpfsm_move *m, uint64_t ts);
/* A transition; other events are none of its business. */
void diagram_count(struct diagram *d, const struct tcpfsm_event *ev);
/* Forgets what was counted, but not who is in which state. */
void diagram_reset(struct diagram *d);
/* In all states together. */
uint64_t diagram_sockets(const struct diagram *d);

struct out;
/* All of it at a time, as an object. */
void diagram_json(struct out *o, const struct diagram *d, uint64_t ts);
/* How often in the second before now. */
uint64_t diagram_rate(const struct diagram *d, const struct moves *m, uint64_t now);

/*
 * Who is in which state, of those connections that pass a filter (all of them
 * are the model's business).  Bounded: when it is full, newcomers are missed.
 */
struct members {
	struct table table;		/* not made as long as there are none */
	uint64_t missed;
};

#define MEMBERS_FIRST	1024U		/* there is room for at once */
#define MEMBERS_MAX	(1U << 20)

void members_see(struct members *s, const struct tcpfsm_event *ev, uint64_t *population);
void members_free(struct members *s);

#endif /* TCPFSM_SHOW_DIAGRAM_H */
