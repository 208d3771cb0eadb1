/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What the ledger of mini-sockets and the rules about it both ask of a group. */
#ifndef TCPFSM_LIB_TIMEWAIT_H
#define TCPFSM_LIB_TIMEWAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tcpfsm.h"

static inline uint64_t mini(const struct tcpfsm_timewait *g)
{
	return g->time_wait + g->fin_wait2;
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

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_TIMEWAIT_H */
