/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was read, to those who consume it, by who takes it in batches: as tcpfsm_follow_consumers() would, in the
 * same order.
 */
#ifndef TCPFSM_SERVE_FEED_H
#define TCPFSM_SERVE_FEED_H

#include "tcpfsm.h"

/* Sockets and totals.  Return: 0 or a negative errno. */
static inline int feed_item(const struct tcpfsm_consumers *to, const struct tcpfsm_item *item)
{
	int err = to->timewaits ? tcpfsm_timewaits_item(to->timewaits, item) : 0;

	if (!err && to->connects)
		err = tcpfsm_connects_item(to->connects, item);
	if (!err && to->explain)
		err = tcpfsm_explain_item(to->explain, item);
	return err;
}

static inline int feed_event(const struct tcpfsm_consumers *to, const struct tcpfsm_event *ev)
{
	int err = to->timewaits ? tcpfsm_timewaits_event(to->timewaits, ev) : 0;

	if (!err && to->connects)
		err = tcpfsm_connects_event(to->connects, ev);
	if (!err && to->explain)
		err = tcpfsm_explain_event(to->explain, ev);
	return err;
}

#endif /* TCPFSM_SERVE_FEED_H */
