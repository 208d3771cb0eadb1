/* SPDX-License-Identifier: GPL-2.0-only */
/* One run of tcpfsm top, from an open source and an open terminal to its end. */
#ifndef TCPFSM_TUI_LOOP_H
#define TCPFSM_TUI_LOOP_H

#include <signal.h>

#include "source/item.h"
#include "source/pace.h"
#include "ui.h"

#define MS		(NSEC_PER_SEC / 1000)
/* Reading goes on for so long before keys and screen have their turn. */
#define FEED_NS		(8 * MS)

struct loop {
	struct ui u;

	/* What is asked for. */
	const char *replay;			/* a recording; NULL: live */
	bool over;				/* live: nothing more comes */
	struct tcpfsm_filter filter;		/* of all there is to see */
	bool filtered;
	uint64_t end_at;			/* CLOCK_MONOTONIC; UINT64_MAX: never */
	const volatile sig_atomic_t *interrupted;	/* a signal */

	struct tcpfsm_follow_options wants;	/* what it is opened with */
	struct tcpfsm_follow *follow;		/* NULL: it could not be opened again */
	struct tcpfsm_source *src;		/* its own */
	bool damaged;				/* the recording */
	int err;				/* of a callback */
	uint64_t listed_at, list_took, drawn_at;
	uint64_t reset_at;			/* the last connection that an RST ended; epoch */

	/* Live. */
	uint64_t moved_at, moved_opens, delivered;	/* see look_for_stall() */
	bool state;				/* what was read last */

	/* A recording: read, and not yet told. */
	const struct tcpfsm_item *ahead;
	size_t nahead;
	uint64_t played_at;
};

/* ---- loop.c ---------------------------------------------------------------------- */

/* Into wants: what follow is to be opened with, besides where from. */
void loop_wants(struct loop *l);
/* What is asked for and follow are set, the rest is 0.  Return: 0 or a negative errno. */
int loop_begin(struct loop *l);
/* Return: 0; 1: the terminal has gone; or a negative errno. */
int loop_run(struct loop *l);
/* All but follow; also after loop_begin() has failed. */
void loop_end(struct loop *l);

/* ---- story.c --------------------------------------------------------------------- */

/* Return: 0 or a negative errno, as those below. */
int story_begin(struct loop *l);
void story_end(struct loop *l);
int story_feed(struct loop *l, const struct tcpfsm_item *items, size_t n);
/*
 * As struct tcpfsm_follow_options has it; what is opened is to have this model.  A recording has few
 * readings of the totals: when accept() stopped, its events tell.
 */
const struct tcpfsm_model_options *story_model(bool replay);
/* Nothing comes: what waits for a successor waits in vain. */
int story_flush(struct loop *l);
/* Judge recent readings only; of a recording all. */
void story_move_on(struct loop *l);

/* ---- play.c ---------------------------------------------------------------------- */

/* What is due of a recording.  Return: 1: there is more, 0: not now, or a negative errno. */
int play_read(struct loop *l);

#endif /* TCPFSM_TUI_LOOP_H */
