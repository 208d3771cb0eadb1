/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What goes wrong with connections, ports and mini-sockets: how often, from when to when,
 * and whose.  Of the flight recorder's past as well, which the ledger's flows leave out.
 */
#ifndef TCPFSM_LIB_MISHAPS_H
#define TCPFSM_LIB_MISHAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpfsm.h"

/* Places, a power of two; three quarters of them are used, others are not told apart. */
#define MISHAPS_MAX	4096U

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
	/* These by the port of the service, here or there: */
	MISHAP_RESET_SENT,		/* a connection was ended by an RST of this end */
	MISHAP_RESET_RECEIVED,		/* ... of the other end */
	MISHAP_ENDED,			/* a connection was ended in any way */
	MISHAP_KINDS
};

/* Sent again so often without an answer: with doubled time-outs, 3 s and a minute after the first. */
#define SYN_AGAIN	2
#define PEER_GONE_AGAIN	6

/* Compared as a whole: no padding. */
struct mishap_key {
	uint8_t kind, family;		/* by destination: and these; family 0: all together */
	uint16_t rport;
	uint32_t netns;
	uint8_t laddr[16], raddr[16];
};

struct mishap {
	struct mishap_key key;
	uint64_t n, first, last;	/* epoch */
	uint64_t some;			/* RESET_*: the service is here; NO_PORT: asked for a port by its number; DENIED: by the limit */
	uint32_t tw;			/* mini-sockets in the network namespace, the last time */
	bool has_owner;			/* the last time */
	uint32_t pid;
	char comm[17];
};

struct mishaps {
	uint32_t n;
	struct mishap *slot;		/* NULL: none yet */
};

/* Return: 0 or -ENOMEM. */
int mishaps_event(struct mishaps *t, const struct tcpfsm_event *ev);
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
void mishaps_free(struct mishaps *t);

#endif /* TCPFSM_LIB_MISHAPS_H */
