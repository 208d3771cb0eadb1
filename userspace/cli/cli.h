/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands share. */
#ifndef TCPFSM_CLI_H
#define TCPFSM_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/clock.h"
#include "tcpfsm.h"
#include "../show/out.h"
#include "../show/text.h"

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
	struct out *out;		/* standard output */
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

/* Lines as these options want them. */
static inline struct text text_of(const struct options *opts)
{
	return (struct text) {
		.wide = opts->wide, .raw = opts->raw, .time_of_day = opts->time_of_day,
		.colour = opts->out->colour,
	};
}

/* ---- error.c ----------------------------------------------------------------- */

/* One line to stderr, whatever the arguments hold. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for a failure: "tcpfsm: what: why; what to do".  Return: the exit status. */
int fail(int err, const char *what);
/* The device or the recording could not be opened. */
int fail_open(int err, const struct options *opts, const struct tcpfsm_info *info);
int fail_replay(int err, const struct options *opts, const char *why);
/* Everything written to it?  Return: the exit status. */
int close_stdout(struct out *o);

/* ---- stream.c ------------------------------------------------------------------ */

/* What a command does with what it is told; members may be NULL. */
struct view {
	/*
	 * What it wants of the source and the model.  Without notice: tell_notice(), so who asks
	 * for totals needs them.
	 */
	struct tcpfsm_follow_options follow;
	uint64_t shows;			/* FEATURE(): live, a line on stderr tells which are off */
	/*
	 * Before the first event, f to be given consumers; info counts live.  Return: 0, or the
	 * exit status after an error was told.
	 */
	int (*begin)(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info);
	/*
	 * Live, and nothing to read for now.  Return: milliseconds after which
	 * to be called again at the latest; -1: enough seen.
	 */
	int (*idle)(void *arg);
	/*
	 * After the last event, before stdout is closed; rc: 0, or the error that ended it, which
	 * is told afterwards.  Return: as begin.
	 */
	int (*end)(void *arg, int rc);
};

#define FEATURE(s)	(1ULL << TCPFSM_FEATURE_##s)
#define FEATURES_ALL	UINT64_MAX

/* A line on stderr, if any of these is off. */
void tell_features(const struct tcpfsm_info *info, uint64_t shown);

/* Runs a view on the device or the recording to the end.  Return: the exit status. */
int stream(const struct options *opts, const struct view *view, void *arg);
/*
 * Opens the device or the recording, with what else fo asks for.  Return: 0, or the
 * exit status after an error was told.
 */
int open_follow(struct tcpfsm_follow **f, const struct options *opts,
		struct tcpfsm_follow_options *fo, struct tcpfsm_info *info);
/* Lines on stderr.  Return: the error of a reading of totals, or 0. */
int tell_notice(const struct tcpfsm_notice *n, void *arg);
/* One line to stderr if sockets are missing from the snapshot. */
void tell_snapshot(int err);
/* And if records or connections are. */
void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m);

#endif /* TCPFSM_CLI_H */
