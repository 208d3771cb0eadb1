/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_RECORDER_H
#define TCPFSM_LIB_RECORDER_H

#include "named.h"
#include "ring.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* A recorder without a device (tests, benchmarks). */
int recorder_open_rings(struct tcpfsm_recorder **rec, struct ring_reader *rings,
			unsigned int n, const char *dir, const struct tcpfsm_recorder_options *opts,
			const struct tcpfsm_info *info);
/* Likewise a reading of totals: memory of malloc(), which it takes.  Return: 0 or a negative errno. */
int recorder_totals(struct tcpfsm_recorder *rec, struct tcpfsm_record *totals, size_t n);
/* Likewise a name, at a time of the records. */
int recorder_name(struct tcpfsm_recorder *rec, enum named what, uint32_t id, const char *text, uint64_t ts);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_RECORDER_H */
