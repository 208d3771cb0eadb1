/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * The names of the contract, each padded to a fixed size with its length, so
 * that a formatter copies one with two moves and adds the length.
 */
#ifndef TCPFSM_LIB_NAMES_H
#define TCPFSM_LIB_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

#define NAME_MAX_LEN	16

struct name {
	char s[NAME_MAX_LEN];	/* NUL padded */
	uint32_t len;
};

#define NAME(text)	{ text, sizeof(text) - 1 }

extern const struct name names_state[16];
extern const struct name names_cause[32];
extern const struct name names_verdict[8];
extern const struct name names_reason[16];
extern const struct name names_tw_action[16];
extern const struct name names_segment[8];
extern const struct name names_rst_reason[16];
extern const struct name names_direction[4];
extern const struct name names_errno[256];

/* Numbers without a name have an empty one; every table is a power of two long. */
#define NAME_OF(table, n)	(&(table)[(n) & (sizeof(table) / sizeof((table)[0]) - 1)])

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_NAMES_H */
