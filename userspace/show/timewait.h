/* SPDX-License-Identifier: GPL-2.0-only */
/* One reading of the ledger of mini-sockets, as text or JSON. */
#ifndef TCPFSM_SHOW_TIMEWAIT_H
#define TCPFSM_SHOW_TIMEWAIT_H

#include "out.h"
#include "screen.h"
#include "tcpfsm.h"

/* What had been counted by then, of network namespaces and owners: readings may count from there. */
struct timewait_zero {
	uint64_t ts;			/* epoch; 0: they do not */
	struct timewait_base *base;
	size_t n, room;
};

/* Return: 0 or -ENOMEM. */
int timewait_zero(struct timewait_zero *z, struct tcpfsm_timewaits *ledger, uint64_t ts);
void timewait_zero_free(struct timewait_zero *z);

struct timewait_reading {
	uint64_t top;			/* rows of a table; 0: as many as are of use */
	uint64_t interval;		/* nanoseconds between readings; 0: one only */
	struct tcpfsm_timewaits *ledger;
	const struct tcpfsm_filter *filter; /* of rows, besides the ledger's; NULL: all */
	uint64_t ts;			/* epoch */
	unsigned int width;		/* columns of the screen; 0: as it may be */
	bool redraw;
	const struct folds *folds;	/* NULL: none */
	const struct timewait_zero *zero; /* NULL: counts are since attach */
};

/* Return: 0 or -ENOMEM. */
int timewait_text(struct out *o, struct timewait_reading *r);
int timewait_json(struct out *o, struct timewait_reading *r);

#endif /* TCPFSM_SHOW_TIMEWAIT_H */
