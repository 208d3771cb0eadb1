/* SPDX-License-Identifier: GPL-2.0-only */
/* Listeners as they have been of late, for those who judge them again and again. */
#ifndef TCPFSM_SHOW_RECENT_H
#define TCPFSM_SHOW_RECENT_H

#include "tcpfsm.h"

/*
 * Two that hear the same and began at different times: the first is judged.  When the second has seen
 * enough, it takes that place, and the other begins anew.  So "now" is never longer ago than twice that.
 */
struct recent {
	struct tcpfsm_listeners *ls[2];	/* the second NULL: it is all one time */
	uint64_t first_ts[2], last_ts;	/* of their readings; CLOCK_MONOTONIC, 0: none */
};

/* live: not of a recording; again: not all one time.  Return: 0 or -ENOMEM. */
int recent_new(struct recent *r, bool live, bool again);
/* Return: 0 or -ENOMEM. */
int recent_item(struct recent *r, const struct tcpfsm_item *item);
/* After a whole reading; ns: that is enough. */
void recent_move_on(struct recent *r, uint64_t ns);
void recent_free(struct recent *r);

#endif /* TCPFSM_SHOW_RECENT_H */
