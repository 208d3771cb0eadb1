/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* How often what costs is done, by whoever reads live: tcpfsm_follow and the recorder. */
#ifndef TCPFSM_LIB_PACE_H
#define TCPFSM_LIB_PACE_H

#include <stdbool.h>

#include "clock.h"

/* Longest sleep: a signal may come just before it. */
#define IDLE_MS		500
/* How long a record may wait for its successor once the source is quiet. */
#define PENDING_MS	10

#define NEVER		(UINT64_MAX / 2)

struct pace {
	uint64_t every;			/* nanoseconds, at least; NEVER: once */
	unsigned int share;		/* and 1/share of all time, at most */
	bool steady;			/* a beat, which one that is late does not move */
	uint64_t begun, next;		/* the last one, and when the next one may be */
};

/* Sockets are read again, after losses. */
#define PACE_RESYNC	((struct pace){ .every = NSEC_PER_SEC, .share = 10 })
/* Totals of a recording, while something happens. */
#define PACE_RECORDED	((struct pace){ .every = 10 * NSEC_PER_SEC, .share = 100 })

static inline void pace_begin(struct pace *p)
{
	p->begun = monotonic_ns();
}

/* Return: how long it took, in nanoseconds. */
static inline uint64_t pace_end(struct pace *p)
{
	uint64_t now = monotonic_ns(), took = now - p->begun;

	/* What was missed is not made up for. */
	p->next = (p->steady && p->begun - p->next < p->every ? p->next : p->begun) + p->every;
	if (p->next < now + p->share * took)
		p->next = now + p->share * took;
	return took;
}

#endif /* TCPFSM_LIB_PACE_H */
