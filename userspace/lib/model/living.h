/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* The connections that a model remembers, for those who judge them together. */
#ifndef TCPFSM_LIB_LIVING_H
#define TCPFSM_LIB_LIVING_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

struct living {
	uint64_t since;			/* epoch: when it came into its state; 0: not known */
	const char *comm;		/* 16 bytes, NUL padded */
	uint32_t pid;			/* 0: owner not known */
	uint32_t netns;
	uint16_t lport;
	uint8_t state;			/* enum tcpfsm_state; 0: not known */
	bool passive;			/* made by a listener, as far as that was seen */
	bool held;			/* FIN_WAIT1, FIN_WAIT2: shut down, and its process has it open */
};

typedef int (*model_living_fn)(const struct living *l, void *arg);

/* Return: what fn returned if not 0. */
int model_living(const struct tcpfsm_model *m, model_living_fn fn, void *arg);

/* Its clock stays that of the beginning, whatever marks tell: others reckon with that. */
void model_keep_clock(struct tcpfsm_model *m);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_LIVING_H */
