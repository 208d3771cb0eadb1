/* SPDX-License-Identifier: GPL-2.0-only */
/* Readings of the totals of listeners, made ready to be shown: cmd_listen.c. */
#ifndef TCPFSM_SHOW_LISTEN_H
#define TCPFSM_SHOW_LISTEN_H

#include "out.h"
#include "screen.h"
#include "tcpfsm.h"

/* What refuses clients, or is about to.  X(symbol, in text, in JSON) */
#define LISTEN_LIMITS(X) \
	X(SYNQ,	    "SYNQ",	"synq_full")	X(ACCEPTQ,  "ACCQ",	"acceptq_full") \
	X(QUARTER,  "QUARTER",	"last_quarter")	X(COOKIE,   "COOKIE",	"syn_cookies") \
	X(ABORT,    "ABORT",	"abort_on_overflow") X(MEMORY,	"MEMORY", "no_memory") \
	X(ROUTE,    "ROUTE",	"no_route")	X(SECURITY, "SECURITY",	"security") \
	X(OTHER,    "OTHER",	"other")	X(CLAMP,    "CLAMP",	"clamped")

enum listen_limit {
#define LISTEN_ENUM(sym, text, json) LISTEN_##sym,
	LISTEN_LIMITS(LISTEN_ENUM)
#undef LISTEN_ENUM
	LISTEN_NLIMITS
};

/* Which come first.  X(symbol, name) */
#define LISTEN_SORTS(X) \
	X(WORST, "worst") X(ADDRESS, "address") X(SYN, "SYNs") X(REFUSED, "refused") \
	X(SYNQ, "SYN queue") X(ACCEPTQ, "accept queue")

enum listen_sort {
#define LISTEN_ENUM(sym, name) LISTEN_BY_##sym,
	LISTEN_SORTS(LISTEN_ENUM)
#undef LISTEN_ENUM
	LISTEN_NSORTS
};

/* A listener, a group of SO_REUSEPORT, one of its members, or a network namespace. */
struct listen_row {
	const struct tcpfsm_listener *l;	/* of a group: its first member */
	const uint64_t *total;			/* by enum tcpfsm_total, since load */
	const uint64_t *recent;			/* the same since the last reading, or since load */
	double seconds;				/* recent: of so many; 0: since load */
	size_t members;				/* of a group; else 0 */
	size_t rank;				/* of its group, which it follows; the worst is 0 */
	bool member;
	unsigned int limits;			/* 1 << enum listen_limit: in recent */
	uint64_t refused;			/* SYNs and third ACKs, in recent */
	uint64_t key;				/* the largest come first; equal: the worst */
};

/* All that is shown of one reading. */
struct listen_reading {
	const struct tcpfsm_filter *filter;
	uint64_t interval;			/* nanoseconds between readings; 0: one only */
	uint64_t ts;				/* CLOCK_MONOTONIC */
	int64_t epoch_offset;
	uint64_t since_ts;			/* the counts began */
	double seconds;				/* since the last reading; 0: there was none */
	struct listen_row *row;			/* worst first, by network namespace */
	size_t nrows;
	struct listen_row *netns;		/* in the order of rows */
	size_t nnetns;
	size_t listeners, refusing;		/* members of groups included */
	size_t idle;				/* of these: that have no row */
	unsigned int width;			/* columns of the screen; 0: as it may be */
	size_t top;				/* so many, the worst; groups count as one */
	bool zeroed;				/* recent is since since_ts, in counts */
	const struct folds *folds;		/* NULL: none */
};

/* Makes readings of the totals, one after the other. */
struct listen_reader {
	const struct tcpfsm_filter *filter;
	enum listen_sort sort;
	uint64_t interval;			/* of the reading */
	bool since_first;			/* recent is since the first reading, not the last */
	uint64_t last_ts;			/* of the reading before; 0: recent is since load */
	bool zeroed;				/* recent is in counts, all the same */
	bool busy;				/* idle ones have no row, */
	size_t enough;				/* or have none where there are more than so many; 0: all have */
	struct listen_reading r;
	struct listen_row *sorted;		/* by address, as the library gives them */
	size_t n, room;
	uint64_t (*recent)[TCPFSM_TOTAL_NUM];	/* by row, those of network namespaces last */
	uint64_t (*sum)[2][TCPFSM_TOTAL_NUM];	/* of groups: total, recent */
};

/* Into v->r, to be freed in any case.  Return: 0 or a negative errno. */
int listen_reading_make(struct listen_reader *v, struct tcpfsm_listeners *ls,
			int64_t epoch_offset);
void listen_reading_free(struct listen_reader *v);
/* SYNs and third ACKs that were refused, but for what is the client's fault. */
uint64_t listen_refused(const uint64_t *total);
/* Beyond every listener that is shown: counted for the network namespace alone. */
bool listen_has_rest(const struct listen_row *netns);

void listen_text(struct out *o, const struct listen_reading *r, bool redraw);
void listen_histograms(struct out *o, const struct listen_reading *r, bool redraw);
void listen_json(struct out *o, const struct listen_reading *r);

#endif /* TCPFSM_SHOW_LISTEN_H */
