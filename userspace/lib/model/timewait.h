/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What the ledger of mini-sockets and the rules about it both ask of a group. */
#ifndef TCPFSM_LIB_TIMEWAIT_H
#define TCPFSM_LIB_TIMEWAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tcpfsm.h"

/* A timer of 60 s runs out after 60 to 62 s: so far apart is that level of the timer wheel. */
#define TIMEWAIT_LASTS	(TCPFSM_TW_SECONDS + 1U)

static inline uint64_t mini(const struct tcpfsm_timewait *g)
{
	return g->time_wait + g->fin_wait2;
}

/* Ports taken towards a destination, mini-sockets counted against tw_max. */
static inline uint64_t tw_used(const struct tcpfsm_timewait *g)
{
	return mini(g) + (g->kind == TCPFSM_TIMEWAIT_DESTINATION ? g->open : 0);
}

/* Does net.ipv4.tcp_tw_reuse (0 off, 1 on, 2 loopback) apply?  Either end, as tcp_twsk_unique() has it. */
static inline bool reuse_applies(const struct tcpfsm_timewait *g, uint64_t mode)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (mode != 2)
		return mode == 1;
	return g->family == 4 ? g->laddr[0] == 127 || g->raddr[0] == 127 :
	       !memcmp(g->laddr, one, 16) || !memcmp(g->raddr, one, 16);
}

#pragma GCC visibility push(hidden)

/*
 * The destination whose ends @dest tells, at @now (epoch), also if it has open connections only.
 * Return: false: there is none, and @dest is as it was.
 */
bool timewaits_find(struct tcpfsm_timewaits *t, struct tcpfsm_timewait *dest, uint64_t now);

/* The same without any forecast, as of what was fed so far: what there is, and open connections. */
bool timewaits_taken(const struct tcpfsm_timewaits *t, struct tcpfsm_timewait *dest);
/* Does, or did, somebody listen at this port?  Then connections of it were opened by peers. */
bool timewaits_listens(const struct tcpfsm_timewaits *t, uint32_t netns, uint16_t port);
/* All mini-sockets of a network namespace, as of what was fed so far. */
uint64_t timewaits_population(const struct tcpfsm_timewaits *t, uint32_t netns);
/*
 * Each destination that has sockets at @now (epoch), open ones only, too, in no order, without any forecast; not
 * inbound ones and not the rest.  limit: ports that connect() can choose.  Return: what fn returned if
 * not 0.
 */
int timewaits_outbound(struct tcpfsm_timewaits *t, uint64_t now, tcpfsm_timewait_fn fn, void *arg);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_TIMEWAIT_H */
