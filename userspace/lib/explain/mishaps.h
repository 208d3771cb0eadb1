/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What goes wrong with connections, ports and mini-sockets: how often, from when to when,
 * and whose.  Of the flight recorder's past as well, which the ledger's flows leave out.
 */
#ifndef TCPFSM_LIB_MISHAPS_H
#define TCPFSM_LIB_MISHAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "table.h"
#include "tcpfsm.h"

/* So many are told apart. */
#define MISHAPS_MAX	3072U

enum mishap_kind {
	MISHAP_NONE,
	MISHAP_NO_PORT,			/* connect() found none, by destination */
	MISHAP_DENIED,			/* no mini-socket was made, by network namespace */
	MISHAP_RST,			/* TIME_WAIT ended by an RST, likewise */
	/* These by destination, and all of a network namespace together: */
	MISHAP_REFUSED,			/* connect(): ECONNREFUSED */
	MISHAP_TIMED_OUT,		/* connect(): ETIMEDOUT */
	MISHAP_UNANSWERED,		/* a SYN was sent again SYN_AGAIN times */
	MISHAP_PEER_GONE,		/* data or a FIN was sent again PEER_GONE_AGAIN times */
	MISHAP_SLOW,			/* connect() succeeded after its SYN had been sent again */
	MISHAP_QUICK,			/* ... without that; from the first slow one on */
	/* These by the port of the service, here or there: */
	MISHAP_RESET_SENT,		/* a connection was ended by an RST of this end */
	MISHAP_RESET_RECEIVED,		/* ... of the other end */
	MISHAP_ENDED,			/* a connection was ended in any way */
	MISHAP_KINDS
};

/* Sent again so often without an answer: 2 s or 3 s after the first, as tcp_syn_linear_timeouts has it; a quarter minute. */
#define SYN_AGAIN	2
/* So long, in nanoseconds, until it has been sent again once: TCP_TIMEOUT_INIT. */
#define SYN_AGAIN_ONCE_NS	1000000000LL
#define PEER_GONE_AGAIN	6

/* Compared as a whole: no padding. */
struct mishap_key {
	uint8_t kind, family;		/* by destination: and these; family 0: all together */
	uint16_t rport;
	uint32_t netns;
	uint8_t laddr[16], raddr[16];
	uint32_t dev, unused;		/* by destination: as in struct tcpfsm_timewait */
};

struct mishap {
	struct mishap_key key;
	uint64_t n, first, last;	/* epoch */
	uint64_t some;			/* RESET_*: the service is here; NO_PORT: asked for a port by its number; DENIED: by the limit; SLOW: SYN_AGAIN times */
	uint64_t met;			/* UNANSWERED, TIMED_OUT, SLOW: the SYN had come to a listener of this kernel; or it was answered */
	int64_t longest;		/* SLOW: nanoseconds */
	uint64_t due;			/* PEER_GONE: it will have been sent once more by then; epoch */
	uint32_t mini, open;		/* NO_PORT: towards the destination, the last time: mini-sockets, connections */
	uint32_t tw, tw_known;		/* mini-sockets in the network namespace, the last time; NO_PORT: those seen */
	bool has_owner;			/* the last time */
	uint32_t pid;
	char comm[17];
	uint64_t acted;			/* the process was there then; epoch */
	uint32_t link;			/* the table's */
};

struct mishaps {
	struct table table;		/* not made as long as there are none */
	struct segment *segments;	/* NULL: none; see mishaps.c */
};

/* Half of all events: transitions in which nothing can go wrong. */
static inline bool mishaps_wants(const struct tcpfsm_event *ev)
{
	return ev->type != TCPFSM_EVENT_TRANSITION || ev->new_state == TCPFSM_STATE_CLOSE ||
	       ev->new_state == TCPFSM_STATE_TIME_WAIT || ev->old_state == TCPFSM_STATE_SYN_SENT;
}

/* All there are, by number, MISHAP_NONE for one that was forgotten; NULL: no more. */
static inline const struct mishap *mishaps_at(const struct mishaps *t, uint32_t i)
{
	return i + 1 < t->table.end ? (const struct mishap *)t->table.slab + 1 + i : NULL;
}

static inline uint32_t mishaps_number(const struct mishaps *t, const struct mishap *m)
{
	return (uint32_t)(m - (const struct mishap *)t->table.slab) - 1;
}

/* Those that no listener of this kernel is to answer for.  m: NULL: none */
static inline uint64_t mishap_unmet(const struct mishap *m)
{
	return m ? m->n - m->met : 0;
}

/* Of one that is wanted.  @ledger: has heard of it.  Return: 0 or -ENOMEM. */
int mishaps_event(struct mishaps *t, const struct tcpfsm_event *ev, struct tcpfsm_timewaits *ledger);
/* NULL: it did not happen. */
const struct mishap *mishaps_of_netns(const struct mishaps *t, enum mishap_kind kind,
				      uint32_t netns);
const struct mishap *mishaps_of_destination(const struct mishaps *t,
					    const struct tcpfsm_timewait *dest);
/* n by kind, of all that are summed by network namespace: of that one, or of all: 0. */
void mishaps_sum(const struct mishaps *t, uint32_t netns, uint64_t n[MISHAP_KINDS]);
/* The n most frequent of a kind in a network namespace, by destination or service.  Return: how many. */
size_t mishaps_top(const struct mishaps *t, enum mishap_kind kind, uint32_t netns,
		   const struct mishap **top, size_t n);
/* Of the same destination or service, another kind; NULL: it did not happen. */
const struct mishap *mishaps_also(const struct mishaps *t, const struct mishap *m,
				  enum mishap_kind kind);
/* Processes by the names they have now, those of this machine. */
void mishaps_name(struct mishaps *t, int64_t epoch_offset);
void mishaps_free(struct mishaps *t);

#endif /* TCPFSM_LIB_MISHAPS_H */
