/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a page shows besides what the library's ledgers know: how numbers went over time, who was reset, and
 * the state diagram.  Of bounded size, however long it is fed.
 */
#ifndef TCPFSM_SERVE_WATCH_H
#define TCPFSM_SERVE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "json_writer.h"
#include "table.h"
#include "tcpfsm.h"
#include "../show/diagram.h"

/* Time is in so many bins.  When they do not reach any more, two become one; or the oldest go. */
#define WATCH_BINS	480
#define WATCH_LINES	5
/* Things that have lines, and rows of resets: what comes later is counted only. */
#define WATCH_TRACKS	1024
#define WATCH_RESETS	1024
#define WATCH_NONE	UINT32_MAX

/*
 * What has lines, and which.  X(symbol, name, the names of its lines)
 * Lines of the first are counts of a bin, of the others what was there: queues and TIME_WAIT the most.
 */
#define WATCH_KINDS(X) \
	X(ALL, "all", "established", "failed", "resets_sent", "resets_received", "retransmits") \
	X(LISTENER, "listener", "synq", "acceptq", "backlog", "refused", "completed") \
	X(NETNS, "netns", "tw", "tw_max", NULL, NULL, NULL) \
	X(DESTINATION, "destination", "ports_used", "ports", NULL, NULL, NULL)

enum watch_kind {
#define WATCH_ENUM(s, ...) WATCH_##s,
	WATCH_KINDS(WATCH_ENUM)
#undef WATCH_ENUM
	WATCH_NKINDS
};

struct watch {
	const struct tcpfsm_filter *filter; /* NULL: all */
	int64_t epoch_offset;
	/* Of the caller, who feeds them after this; NULL: there is none. */
	struct tcpfsm_listeners *ls;
	struct tcpfsm_timewaits *ledger;
	bool slides;			/* the oldest bins go */
	bool moves;			/* transitions come by watch_moves() */

	uint64_t begin, width, last;	/* of the bins; epoch, nanoseconds; the newest one in use */
	struct table tracks, resets;
	uint64_t tracks_missed, resets_missed;
	uint64_t totals_ts;		/* of the reading that is coming in */
	uint64_t first_ts, last_ts;	/* of all that came; epoch */
	uint64_t event_ts;		/* of the newest event */
	uint64_t events;
	struct diagram d;
	struct members members;
	uint8_t listens[65536 / 8];	/* local ports that had a listener */
};

/* With filter, epoch_offset, ls, ledger and slides set.  Return: 0 or -ENOMEM. */
int watch_new(struct watch *w);
/* Before anybody else is told of it.  Return: 0 or -ENOMEM. */
int watch_item(struct watch *w, const struct tcpfsm_item *item);
int watch_event(struct watch *w, const struct tcpfsm_event *ev);
/* With moves, some times a second or less: transitions since the last time. */
void watch_moves(struct watch *w, struct tcpfsm_model *m, uint64_t now);
/* The end, or a reading of totals is complete: what it tells counts.  now: epoch. */
int watch_settle(struct watch *w, uint64_t now);
/* An object of all lines worth seeing. */
void watch_series_json(struct watch *w, struct json *j, const char *key);
/* An array, the most first. */
int watch_resets_json(struct watch *w, struct json *j, const char *key, size_t max);
void watch_free(struct watch *w);

#endif /* TCPFSM_SERVE_WATCH_H */
