/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * A reading of totals as what has changed since the one before: most listeners of most machines
 * are idle.  A recorder writes that, and a recording gives whole readings again.
 *
 * Such a reading begins with a record CTF_TOTAL_SINCE: its listener is the time of the reading
 * before, its tw how many records follow.  A CTF_TOTAL_GONE says that a listener, or a network
 * namespace, is not there any more.  The others have all totals of a listener, or of a namespace,
 * of which one has changed; those of the rest are as they were.
 */
#ifndef TCPFSM_LIB_CHANGES_H
#define TCPFSM_LIB_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#include "uapi/tcpfsm.h"

#pragma GCC visibility push(hidden)

/* Behind all totals that there are, or will be. */
#define CTF_TOTAL_SINCE	0xfffffff0U
#define CTF_TOTAL_GONE	0xfffffff1U

/* All records have one time; memory of malloc(). */
struct reading {
	struct tcpfsm_record *records;
	size_t n;
};

void reading_free(struct reading *r);

/*
 * reading_changes() - what is to be written of a reading
 * @was: the one before; n 0: there is none
 * @changes: to be freed; with as many records as @now, or more, it is no gain: write @now
 *
 * Return: 0 or -ENOMEM.
 */
int reading_changes(const struct reading *was, const struct reading *now, struct reading *changes);

/*
 * reading_apply() - the reading that these changes make of the one before
 * @r: in: the one before; out: this one
 * @changes: as they were written
 *
 * Return: 0; -EBADMSG: they are not all there, or of another reading, and @r is empty; -ENOMEM.
 */
int reading_apply(struct reading *r, const struct reading *changes);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_CHANGES_H */
