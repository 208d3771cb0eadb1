/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Where the SYNs of a listener come from: a sample, as records of refused ones
 * are limited by the module, bounded in memory.
 */
#ifndef TCPFSM_LIB_SOURCES_H
#define TCPFSM_LIB_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"
#include "tcpfsm.h"

/* Addresses remembered of each listener, and listeners. */
#define SOURCES_MAX	(1U << 16)
#define SOURCES_LISTENERS_MAX	1024

struct source_address {
	uint8_t addr[16];
	uint8_t family;
	uint32_t link;			/* the table's */
	uint32_t syns, refused;		/* refused: SYNs and ACKs, cookies included */
	uint32_t completed;
};

/* Of one listener. */
struct sources {
	uint64_t listener;
	uint32_t link;			/* the table's */
	uint64_t syns, refused, completed;
	/* Addresses that never completed a handshake, and their SYNs. */
	uint64_t strangers, strange_syns;
	uint64_t beyond;		/* SYNs and ACKs of addresses that found no place */
	uint64_t suppressed;		/* records that the module left out */
	/* Epoch; 0: none.  Refused by enum side's SYNQ and ACCEPTQ. */
	uint64_t first[3], last[3];
	uint64_t slot, busiest_ts;	/* of 10 ms: the current one, the start of the busiest */
	uint32_t in_slot, busiest;	/* SYNs in them */
	struct table addrs;
};

struct sources_table {
	struct table listeners;		/* not made as long as there are none */
	uint32_t last;			/* found last: mostly the next one, too */
};

/* Most events tell nothing of clients. */
static inline bool sources_wants(const struct tcpfsm_event *ev)
{
	const unsigned int types = 1U << TCPFSM_EVENT_SYN | 1U << TCPFSM_EVENT_HANDSHAKE_ACK |
		1U << TCPFSM_EVENT_LOST;

	if (ev->type == TCPFSM_EVENT_TRANSITION)
		return ev->new_state == TCPFSM_STATE_ESTABLISHED;
	/* Its transition follows. */
	if (ev->type == TCPFSM_EVENT_HANDSHAKE_ACK && ev->rec.verdict == TCPFSM_VERDICT_ESTABLISHED)
		return false;
	return types >> (ev->type & 31) & 1;
}

/* Of one that is wanted.  Return: 0 or -ENOMEM. */
int sources_event(struct sources_table *t, const struct tcpfsm_event *ev);
const struct sources *sources_of(const struct sources_table *t, uint64_t listener);
void sources_free(struct sources_table *t);

struct source_share {
	uint8_t addr[16];
	uint8_t family, bits;		/* 32 or 128: an address; 24 or 64: a network */
	uint64_t n;
	uint64_t addresses;		/* in it */
};

/*
 * The n largest, by refused SYNs and ACKs or by all SYNs; of addresses or of networks.
 * Return: how many there are in top; *groups: how many in all, when not NULL.
 */
size_t sources_top(const struct sources *s, bool refused, bool networks,
		   struct source_share *top, size_t n, size_t *groups);
/* Of the addresses with refused SYNs and ACKs, or with SYNs, those that completed a handshake. */
uint64_t sources_completed(const struct sources *s, bool refused);

#endif /* TCPFSM_LIB_SOURCES_H */
