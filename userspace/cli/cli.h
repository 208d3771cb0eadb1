/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands share. */
#ifndef TCPFSM_CLI_H
#define TCPFSM_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

#define NSEC_PER_SEC	1000000000ULL

/* Exit status, as the manual page promises. */
enum {
	EXIT_DONE,
	EXIT_ERROR,
	EXIT_USAGE,
	EXIT_NOT_LOADED,
	EXIT_ABI,
	EXIT_PERMISSION,
};

/* Which options were given: to tell of those that do nothing for a command. */
#define OPT_SOCKET	0x001		/* filters of sockets */
#define OPT_TIME	0x002
#define OPT_COUNT	0x004
#define OPT_DURATION	0x008
#define OPT_READ	0x010
#define OPT_JSON	0x020
#define OPT_RAW		0x040
#define OPT_FOLLOW_NEW	0x080
#define OPT_WIDE	0x100
#define OPT_SVG		0x200
#define OPT_CONN	0x400
#define OPT_NETNS	0x800
#define OPT_EVENT	0x1000		/* filters of events */
#define OPT_FILTER	(OPT_SOCKET | OPT_EVENT | OPT_NETNS)
#define OPT_INTERVAL	0x2000
#define OPT_HISTOGRAM	0x4000
#define OPT_TOP		0x8000
#define OPT_SORT	0x10000

struct options {
	const char *dir;		/* record: where to */
	const char *replay;		/* -r, or NULL */
	const char *device;
	const char *svg;		/* --svg, or NULL */
	struct tcpfsm_filter filter;
	bool json, raw, follow_new, time_of_day, wide, histogram;
	uint64_t interval;		/* nanoseconds between readings; 0: one only */
	uint64_t conn;			/* socket cookie, 0: any */
	uint64_t count;			/* 0: no limit */
	uint64_t top;			/* rows of a table; 0: the command's choice */
	enum tcpfsm_timewait_sort sort;
	uint64_t duration;		/* nanoseconds; UINT64_MAX: no limit */
	unsigned int given;		/* OPT_* */
};

struct command {
	const char *name;
	const char *args;		/* after the name, or "" */
	const char *text;
	unsigned int options;		/* OPT_* that mean something */
	int (*run)(const struct options *opts);
};

extern const struct command cmd_trace, cmd_conns, cmd_ladder, cmd_diagram, cmd_record, cmd_info;
extern const struct command cmd_listen, cmd_explain, cmd_check, cmd_timewait, cmd_top;

/* ---- main.c ------------------------------------------------------------------ */

/* Set by SIGINT, SIGTERM and SIGHUP. */
extern volatile sig_atomic_t interrupted;

void catch_signals(void);

/* ---- show/filter_words.c ------------------------------------------------------------- */

/* A decimal number and nothing else. */
bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *value);
/*
 * An option of filters but -N, by its letter; families: of -4 and -6 so far, 0 at first.
 * Return: NULL, or what is wrong with it.
 */
const char *filter_option(struct tcpfsm_filter *f, unsigned int *families, int val,
			  const char *arg);
/* Inode, path of a namespace file, or name of "ip netns".  Return: likewise. */
const char *find_netns(const char *s, uint32_t *netns);
/*
 * "lport 80 state TIME_WAIT": the same as words, all of them; "" filters nothing.
 * Return: likewise; wrong is the word that is.
 */
const char *filter_words(struct tcpfsm_filter *f, const char *text, char wrong[64]);
/* The other way round; what does not fit is left out. */
void filter_to_words(const struct tcpfsm_filter *f, char *buf, size_t size);

/* ---- error.c ----------------------------------------------------------------- */

/* One line to stderr, whatever the arguments hold. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for a failure: "tcpfsm: what: why; what to do".  Return: the exit status. */
int fail(int err, const char *what);
/* The device or the recording could not be opened. */
int fail_open(int err, const struct options *opts, const struct tcpfsm_info *info);
int fail_replay(int err, const struct options *opts, const char *why);

/* ---- show/out.c: stdout ------------------------------------------------------------- */

#define OUT_SIZE	(64 << 10)

extern struct out {
	size_t used;
	char buf[OUT_SIZE];
} out;

void out_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * "{" and the keys that every JSON object has, of what has no peer and is of no
 * CPU.  family: 4, 6 or, without an address, 0.
 */
void out_json_head(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport);
/* The same of what has a peer. */
void out_json_ends(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport,
		   const uint8_t *raddr, uint16_t rport);
/* Text that would have gone to stdout. */
struct out_text {
	char *s;			/* malloc(); with a NUL */
	size_t len, room;
};

/* From now on it goes to @to, in place of what that held; NULL: to stdout again. */
void out_capture(struct out_text *to);
/* Return: 0 or the negative errno of any write so far. */
int out_flush(void);
int out_error(void);
/* Has the reader of our pipe gone? */
bool out_closed(void);
/* The end: everything written?  Return: the exit status. */
int out_close(void);
bool out_is_terminal(void);

/* Room for n bytes (OUT_SIZE at most), to be counted with out_add(). */
static inline char *out_room(size_t n)
{
	if (out.used + n > OUT_SIZE)
		out_flush();
	return out.buf + out.used;
}

static inline void out_add(size_t n)
{
	out.used += n;
}

/* ---- stream.c ------------------------------------------------------------------ */

/* What a command does with the events; members may be NULL but event. */
struct view {
	/* Before the first event.  Return: 0, or the exit status after an error was told. */
	int (*begin)(void *arg, struct tcpfsm_model *m);
	tcpfsm_event_fn event;		/* non-zero: enough seen */
	/*
	 * For views of totals: SOCKET and TOTAL items as they come.  Live, totals are
	 * read before the first event, after the last and every totals_ms
	 * milliseconds between (0: not between).  Return: 0 or a negative errno.
	 */
	int (*item)(void *arg, const struct tcpfsm_item *item);
	int totals_ms;
	uint64_t shows;			/* FEATURE(): live, a line on stderr tells which are off */
	struct tcpfsm_info *info;	/* live: filled in before begin, if not NULL */
	bool totals;			/* without item: the model alone hears of the first totals, */
					/* and so what old listeners asked for */
	/*
	 * It shows what is there now: live, sockets are read again after a loss.  item gets them,
	 * too (see tcpfsm_source_resync()).
	 */
	bool resync;
	/*
	 * Live, and nothing to read for now.  Return: milliseconds after which
	 * to be called again at the latest; -1: enough seen.
	 */
	int (*idle)(void *arg);
	/* After the last event, before stdout is closed.  Return: as begin. */
	int (*end)(void *arg);
};

#define FEATURE(s)	(1ULL << TCPFSM_FEATURE_##s)
#define FEATURES_ALL	UINT64_MAX

/* A line on stderr, if any of these is off. */
void tell_features(const struct tcpfsm_info *info, uint64_t shown);

/* Runs a view on the device or the recording to the end.  Return: the exit status. */
int stream(const struct options *opts, struct tcpfsm_model_options *mopts,
	   const struct view *view, void *arg);
/*
 * Opens the device, without a snapshot, or the recording.  Return: 0, or the
 * exit status after an error was told.
 */
int open_source(struct tcpfsm_source **src, const struct options *opts,
		struct tcpfsm_info *info);
/* The same with a snapshot. */
int open_source_snapshot(struct tcpfsm_source **src, const struct options *opts,
			 struct tcpfsm_info *info);
/* One line to stderr if sockets are missing from the snapshot. */
void tell_snapshot(int err);
/* And if records or connections are. */
void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m);
/* What is there, rather than happens: sockets and totals. */
static inline bool is_state(const struct tcpfsm_item *item)
{
	return !item->lost && (item->rec.type == TCPFSM_TYPE_SOCKET ||
			       item->rec.type == TCPFSM_TYPE_TOTAL);
}

/* ---- resync.c ------------------------------------------------------------------ */

#define RESYNC_TEXT	160

/*
 * After a loss the sockets are read again.  Best when there is nothing else to read; but
 * where losses go on, there always is.
 */
struct resync {
	bool possible;
	bool wanted;			/* records were lost since the last one began */
	uint64_t since;			/* the first of these */
	uint64_t begun, next;		/* the last one, and when the next one may be; 0: none */
	uint64_t told;			/* until then, once is enough */
};

/* Return: that of tcpfsm_source_resync(). */
int resync_begin(struct resync *r, struct tcpfsm_source *src);
/* The first item of each batch.  True: a resync is over, and text shall be told. */
bool resync_look(struct resync *r, const struct tcpfsm_item *item, char text[RESYNC_TEXT]);
/* When one is due, in milliseconds from now, at most ms.  Quiet: nothing else to read. */
int resync_due(const struct resync *r, bool quiet, int ms);

/* ---- deadline.c ---------------------------------------------------------------- */

/*
 * When to stop: -d, a signal.  In the time of the records, so that what
 * happened before is told to the last record and nothing after it.
 */
struct deadline {
	uint64_t at;			/* CLOCK_MONOTONIC of the records; UINT64_MAX: none */
	uint64_t length;
	int64_t skew;			/* theirs minus ours (time namespaces) */
	bool replay, begun, stopped, last_round;
};

void deadline_init(struct deadline *d, const struct options *opts,
		   const struct tcpfsm_source *src);
/* How many of these items are not beyond the end?  In a recording, time begins with the first. */
size_t deadline_count(struct deadline *d, const struct tcpfsm_item *items, size_t n);
/* Live, and the source has nothing: is everything up to the end here? */
bool deadline_over(struct deadline *d);
/* How long to sleep, at most max_ms. */
int deadline_sleep(const struct deadline *d, int max_ms);
uint64_t monotonic_ns(void);
uint64_t realtime_ns(void);

/* ---- cmd_explain.c --------------------------------------------------------------- */

/* What findings say of this machine, as it is now: a recording may be of another one. */
void explain_look_around(struct tcpfsm_explain_options *o);
/* All findings to stdout.  Return: 0 or -ENOMEM. */
int explain_text(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls, bool colour);

/* ---- show/text.c -------------------------------------------------------------------- */

#define TEXT_MAX	1024		/* longest line */

struct text {
	bool wide, raw, time_of_day, colour;
	uint64_t start;			/* of the column TIME(s); 0: not yet */
	unsigned int width;		/* of the terminal; 0: 80 */
	bool one_line;			/* what has no room in it is left out */
	uint64_t carried, carried_ts;	/* what had lines of its own last, and when */
	int64_t second;			/* whose hms is kept */
	char hms[9];
};

void text_init(struct text *t, const struct options *opts);
size_t text_header(const struct text *t, char buf[TEXT_MAX]);
/* The column of time: p holds blanks. */
char *text_time(struct text *t, char *p, uint64_t ts);
/* False: text_event() has no line for it, as another one tells it. */
bool text_tells(const struct text *t, const struct tcpfsm_event *ev);
/* Return: the length with newline; 0: another line tells it. */
size_t text_event(struct text *t, const struct tcpfsm_event *ev, char buf[TEXT_MAX]);

/* Why a SYN or a third ACK was refused, or answered with a cookie. */
struct refusal {
	uint8_t verdict, reason;	/* as in struct tcpfsm_record */
	bool has_queues;		/* synq, acceptq and backlog count */
	uint32_t synq, acceptq, backlog;
	uint32_t max_syn_backlog;	/* of a SYN dropped; 0: not known */
	uint32_t asked;			/* backlog that listen(2) asked for plus 1; 0: not known */
};

#define REFUSAL_MAX	128
/*
 * "accept queue 129 > 128": the kernel's comparison, as it came out.  Brief: short
 * enough for a column, where there is a choice.  Return: the end, without a NUL.
 */
char *put_refusal(char *p, const struct refusal *f, bool brief);

#endif /* TCPFSM_CLI_H */
