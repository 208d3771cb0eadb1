/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * The TCP sockets that are there, of all network namespaces, as SOCKET records:
 * what "ss -tanp" shows, by the same means (inet_diag).
 *
 * Each is as it was at some moment between the first snapshot_next() and its ts.
 * Who reads the rings from a place before that has no hole between the two.
 */
#ifndef TCPFSM_LIB_SNAPSHOT_H
#define TCPFSM_LIB_SNAPSHOT_H

#include <stdint.h>
#include <linux/inet_diag.h>

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

struct snapshot;

/**
 * snapshot_open() - look up who owns which socket, for later
 * @netns: only this network namespace (inode); 0: all that can be found
 *
 * Return: 0 or -ENOMEM.
 */
int snapshot_open(struct snapshot **s, uint32_t netns);

/**
 * snapshot_next() - the next socket
 *
 * Bounded in memory: sockets are read from the kernel as they are asked for, but listeners
 * are kept until their requests have been counted, a family of one namespace at a time.
 * Take them swiftly: the kernel holds its place in its tables by counting.
 *
 * Return: 1 and *rec; 0: that was all, see snapshot_error().
 */
int snapshot_next(struct snapshot *s, struct tcpfsm_record *rec);

/*
 * The mark before or after them in a resync, with what is known by then: the end's why
 * sockets are missing.
 */
void snapshot_mark(const struct snapshot *s, enum tcpfsm_resync mark,
		   struct tcpfsm_record *rec);

/*
 * Why sockets are missing: 0; -ENOENT or -EPROTONOSUPPORT: the kernel has no
 * tcp_diag; -EPERM or -EACCES: other network namespaces are closed to us; ...
 */
int snapshot_error(const struct snapshot *s);
void snapshot_close(struct snapshot *s);

/* One answer of the kernel as a record, without ts, seq, netns and owner. */
void snapshot_record(const struct inet_diag_msg *msg, struct tcpfsm_record *rec);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_SNAPSHOT_H */
