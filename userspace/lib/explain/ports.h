/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Ports by local address, over all destinations.  connect() shares a port between destinations;
 * bind() before it takes the port for all of them.
 */
#ifndef TCPFSM_LIB_PORTS_H
#define TCPFSM_LIB_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

/* Local addresses that are told apart. */
#define LOCALS_MAX	1024U

struct local {
	uint32_t netns;
	uint8_t family;
	uint8_t laddr[16];
	uint64_t used, time_wait;	/* by connections and mini-sockets to all destinations */
	uint64_t limit;			/* ports that connect() can choose; 0: not known */
	uint64_t failed;		/* connect() without a port, since attach */
	uint64_t ports;			/* bound: different ones of the range that are taken */
	uint32_t destinations;
	struct tcpfsm_timewait most;	/* the destination that has most */
	bool bound;			/* near the limit, and no port is shared */
	uint32_t pid;			/* bound: whose most of them are; 0: not known */
	char comm[17];
};

struct locals {
	struct local *of;
	size_t n;
};

/* now: epoch.  Return: 0 or -ENOMEM. */
int locals_read(struct locals *t, struct tcpfsm_timewaits *ledger, const struct tcpfsm_model *model,
		const struct tcpfsm_listeners *ls, uint64_t now);
/* NULL: none, or one too many. */
const struct local *locals_find(const struct locals *t, const struct tcpfsm_timewait *dest);
void locals_free(struct locals *t);

#endif /* TCPFSM_LIB_PORTS_H */
