/* SPDX-License-Identifier: GPL-2.0-only */
/* One reading of the ledger of mini-sockets, as text or JSON. */
#ifndef TCPFSM_SHOW_TIMEWAIT_H
#define TCPFSM_SHOW_TIMEWAIT_H

#include "out.h"
#include "screen.h"
#include "tcpfsm.h"

struct timewait_reading {
	uint64_t top;			/* rows of a table; 0: as many as are of use */
	uint64_t interval;		/* nanoseconds between readings; 0: one only */
	struct tcpfsm_timewaits *ledger;
	const struct tcpfsm_filter *filter; /* of rows, besides the ledger's; NULL: all */
	uint64_t ts;			/* epoch */
	unsigned int width;		/* columns of the screen; 0: as it may be */
	bool redraw;
	const struct folds *folds;	/* NULL: none */
};

/* Return: 0 or -ENOMEM. */
int timewait_text(struct out *o, struct timewait_reading *r);
int timewait_json(struct out *o, struct timewait_reading *r);

#endif /* TCPFSM_SHOW_TIMEWAIT_H */
