/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that were opened from here, by network namespace and name of the process, since serve has begun: rows of the
 * library come and go, these do not.
 */
#ifndef TCPFSM_SERVE_OUTGOING_H
#define TCPFSM_SERVE_OUTGOING_H

#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

/* Beyond so many they are one: a name can be anything. */
#define OUTGOING_MAX	256

struct outgoing {
	uint32_t netns;			/* 0, and no comm: those that found no place */
	char comm[17];			/* "": not known */
	uint64_t established, given_up, failed[TCPFSM_CONNECT_ERRORS];
};

struct outgoings {
	struct outgoing of[OUTGOING_MAX + 1];
	size_t n;
};

/* What is recent of that row comes on top. */
void outgoing_add(struct outgoings *all, const struct tcpfsm_connect *c);

#endif /* TCPFSM_SERVE_OUTGOING_H */
