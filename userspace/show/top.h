/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tcpfsm top knows, apart from any terminal: rates and their history, the
 * latest events, connections in any order, the listener that is worst off.
 *
 * All of it is a function of the events, and so the same from a recording.
 * Memory is bounded: histories, log and lists have their length.  Times are
 * nanoseconds since the Unix epoch.
 */
#ifndef TCPFSM_SHOW_TOP_H
#define TCPFSM_SHOW_TOP_H

#include "diagram.h"

/* ---- history: a number for each second ------------------------------------------- */

#define HISTORY_SECONDS	900

struct history {
	uint64_t last;			/* second of the newest number; 0: there is none */
	bool gauge;			/* stays what it is until it is told anew */
	uint32_t n[HISTORY_SECONDS];
};

/* Adds up within a second; of a gauge, the last one counts. */
void history_put(struct history *h, uint64_t second, uint64_t n);
/* Of one second; those before and after what is kept are 0, a gauge stays. */
uint64_t history_at(const struct history *h, uint64_t second);
/* A second, on average, of so many whole seconds before this one. */
double history_rate(const struct history *h, uint64_t second, unsigned int seconds);

/* ---- what is counted ------------------------------------------------------------- */

/* X(symbol, title, what is bad when it is not 0) */
#define TOP_SERIES(X) \
	X(OPENS, "opens", false) X(CLOSES, "closes", false) X(RESETS, "resets", true) \
	X(RETRANSMITS, "retransmits", true) X(REFUSED, "refused", true) \
	X(FAILED, "connect fails", true)

#define TOP_ENUM_SERIES(s, title, bad) TOP_##s,
enum top_series { TOP_SERIES(TOP_ENUM_SERIES) TOP_NSERIES };

/* A listener as the events tell of it. */
struct top_listener {
	uint64_t conn;			/* 0: free */
	uint64_t refused;		/* SYNs and ACKs */
	uint64_t last;			/* when it was heard of; CLOCK_MONOTONIC */
	uint64_t peak_ts, peak;		/* this second's longest queue */
	uint32_t netns, synq, acceptq, backlog;
	uint8_t family;
	uint16_t lport;
	bool closed;
	uint8_t laddr[16];
	struct history refusals;	/* a second */
	struct history fill;		/* of its fuller queue, in thousandths: peaks */
};

#define TOP_LISTENERS	64
#define TOP_LOG		(1U << 16)	/* events, a power of two */
#define TOP_ENDED	2048U		/* connections */

/* A connection that is over. */
struct top_ended {
	uint64_t ts, conn;
	struct tcpfsm_life life;
	uint32_t pid;
	char comm[16];
	uint8_t cause;			/* as tcpfsm_life_end() */
	uint8_t old_state;
};

/* ---- the list of connections ----------------------------------------------------- */

/*
 * X(symbol, title, which come first, and reversed); in the order that one would ask for, the first row is the
 * most interesting
 */
#define TOP_COLUMNS(X) \
	X(STATE, "STATE", "earliest", "latest") X(FOR, "FOR", "longest", "shortest") \
	X(AGE, "AGE", "oldest", "youngest") X(COMM, "PROCESS", "a", "z") X(PID, "PID", "lowest", "highest") \
	X(LPORT, "LPORT", "lowest", "highest") X(REMOTE, "REMOTE", "lowest", "highest") \
	X(RTX, "RTX", "most", "fewest")

#define TOP_ENUM_COLUMN(s, ...) TOP_BY_##s,
enum top_column { TOP_COLUMNS(TOP_ENUM_COLUMN) TOP_NCOLUMNS };

#define TOP_ROWS	1000U		/* of the list; those behind it are only counted */

struct top_row {
	uint64_t key, conn;
	uint64_t ended;			/* 1 + its number among the ended ones; 0: it is there */
};

/*
 * The first of all connections by some column.  A million of them take longer than a
 * picture may: a pass is made slice by slice, and the list is that of the last one.
 */
struct top_list {
	enum top_column column;
	bool reverse;
	bool unwanted;			/* nobody looks at the rows: only what is counted counts */
	struct top_row rows[TOP_ROWS];
	size_t n;
	uint64_t matched;		/* connections that pass the filter, ended ones too */
	uint64_t population[16];	/* those that are there, by state, listeners too */
	/* The pass under way. */
	bool busy;
	size_t at;
	uint64_t next_matched, next_population[16];
	struct top_row heap[2 * TOP_ROWS];
	size_t nheap;
	uint64_t limit;			/* keys beyond it are of no use */
};

struct top {
	struct tcpfsm_filter filter;
	bool filtered;
	struct tcpfsm_filter some;	/* of these, rows of the list and lines of the log; */
	bool only_some;			/* nothing is counted by it */
	struct diagram diagram;
	struct history series[TOP_NSERIES];
	struct history time_wait;	/* population */
	uint64_t in_time_wait;		/* by the last pass of the list and the events since */
	struct top_listener listener[TOP_LISTENERS], *latest;
	uint64_t lost, suppressed;	/* records */
	uint64_t first, last;		/* times of the oldest and the newest event */

	/* The newest records, raw: what is needed of them always is little, and cheap. */
	struct tcpfsm_item *raw;	/* [TOP_LOG], by number */
	uint64_t nraw;			/* numbered from 0 */
	uint64_t slot;			/* CLOCK_MONOTONIC: since when the model counts */
	int64_t epoch_offset;

	/* While somebody reads the log, or a filter needs it: the same as events. */
	struct tcpfsm_model *log_model;	/* NULL: not now */
	struct tcpfsm_model *owners;	/* who knows what is older than the log */
	struct tcpfsm_event *log;	/* [TOP_LOG], by number */
	uint64_t nlog;			/* numbered from 0 */
	uint64_t *index;		/* [TOP_LOG]: numbers of those that have a line and pass */
	uint64_t nindex;
	bool (*tells)(const struct tcpfsm_event *ev);	/* has it a line? */

	struct top_ended *ended;	/* [TOP_ENDED], by number */
	uint64_t nended;
	struct top_list list;
};

/*
 * tells: has an event a line in the log?  epoch_offset: as the model's.
 * Return: 0 or -ENOMEM.
 */
int top_init(struct top *t, const struct tcpfsm_filter *filter,
	     bool (*tells)(const struct tcpfsm_event *ev), int64_t epoch_offset);
void top_free(struct top *t);
/* Records, and their number at least 1; first to the model, in portions of top_portion(). */
size_t top_portion(struct top *t, struct tcpfsm_model *m, const struct tcpfsm_item *items,
		   size_t n);
int top_feed(struct top *t, const struct tcpfsm_item *items, size_t n);
/* An event of that model, which watches. */
void top_event(struct top *t, const struct tcpfsm_event *ev);
/* Queues as a reading of totals has them: a queue that stands makes no records. */
void top_reading(struct top *t, const struct tcpfsm_listener *l);
/* Nothing comes just now: what waits in the log's model is told. */
void top_flush(struct top *t);
/* Before anything that was counted is read. */
void top_settle(struct top *t, struct tcpfsm_model *m);
/* NULL: none.  What was counted is counted anew, as far as the log goes back. */
int top_set_filter(struct top *t, const struct tcpfsm_filter *filter);
/*
 * Of what passes, only this is listed from now on; NULL: all.  Counts go on, so that who has looked at some
 * comes back to the same picture.
 */
void top_list_some(struct top *t, const struct tcpfsm_filter *some);
/* Is the log wanted?  It begins with what is kept, and ends when it is not any more. */
int top_keep_log(struct top *t, struct tcpfsm_model *owners, bool wanted);

/* Lines of the log: the number of the first that is kept, and of the one after the last. */
uint64_t top_log_first(const struct top *t);
const struct tcpfsm_event *top_log_at(const struct top *t, uint64_t line);

/* The listener that refuses most in the last minute, or whose queue was fullest; NULL: no queue had anybody. */
const struct top_listener *top_worst(const struct top *t, uint64_t now);

/**
 * top_list_step() - goes on with the pass under way, or begins one
 * @slots: of the model's table to look at
 *
 * Return: true: the pass is over, and its result in place.
 */
bool top_list_step(struct top *t, struct tcpfsm_model *m, size_t slots);
/* The ended one of a row; NULL: it is there, or was forgotten. */
const struct top_ended *top_ended_of(const struct top *t, const struct top_row *row);

/* The ladder of a connection, as far as the log goes back.  As tcpfsm_ladders_flush(). */
int top_ladder(const struct top *t, uint64_t conn, tcpfsm_ladder_fn fn, void *arg);

#endif /* TCPFSM_SHOW_TOP_H */
