/* SPDX-License-Identifier: GPL-2.0-only */
/* One reading of who connects where, as text or JSON. */
#ifndef TCPFSM_SHOW_CONNECT_H
#define TCPFSM_SHOW_CONNECT_H

#include "out.h"
#include "tcpfsm.h"

struct connect_reading {
	struct tcpfsm_connects *connects;
	const struct tcpfsm_filter *filter;	/* of rows, besides its own; NULL: all */
	enum tcpfsm_connect_by by;
	enum tcpfsm_connect_sort sort;
	uint64_t top;			/* rows; 0: as many as are of use */
	uint64_t interval;		/* nanoseconds between readings; 0: one only */
	uint64_t ts;			/* epoch */
	unsigned int width;		/* columns of the screen; 0: as it may be */
	bool redraw;
	uint64_t since;			/* text: what was since the mark, which was then (epoch); 0: all */
};

/* Return: 0 or -ENOMEM. */
int connect_text(struct out *o, const struct connect_reading *r);
int connect_json(struct out *o, const struct connect_reading *r);

#endif /* TCPFSM_SHOW_CONNECT_H */
