/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What goes wrong with ports and mini-sockets: how often, from when to when, and whose.
 * Of the flight recorder's past as well, which the ledger's flows leave out.
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
};

/* Compared as a whole: no padding. */
struct mishap_key {
	uint8_t kind, family;		/* NO_PORT: and these: */
	uint16_t rport;
	uint32_t netns;
	uint8_t laddr[16], raddr[16];
};

struct mishap {
	struct mishap_key key;
	uint64_t n, first, last;	/* epoch */
	uint64_t some;			/* NO_PORT: asked for a port by its number; DENIED: by the limit */
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
void mishaps_free(struct mishaps *t);

#endif /* TCPFSM_LIB_MISHAPS_H */
