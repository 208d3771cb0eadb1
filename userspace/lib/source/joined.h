/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_JOINED_H
#define TCPFSM_LIB_JOINED_H

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/**
 * source_open_joined() - the recordings of two hosts as one source
 * @which: set to the one that could not be opened
 *
 * Return: as tcpfsm_source_open_recording().
 */
int source_open_joined(struct tcpfsm_source **src, const char *const dirs[2], struct tcpfsm_join *join,
		       const char **why, unsigned int *which);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_JOINED_H */
