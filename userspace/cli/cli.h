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
#include "../show/screen.h"
#include "../show/text.h"
#include "words.h"

/* Exit status, as the manual page promises. */
enum {
	EXIT_DONE,
	EXIT_ERROR,
	EXIT_USAGE,
	EXIT_NOT_LOADED,
	EXIT_ABI,
	EXIT_PERMISSION,
	EXIT_INCOMPLETE,		/* --strict */
	EXIT_WARNING = 10,		/* explain --exit-code */
	EXIT_CRITICAL = 20,
};

#define WHAT_IF_MAX	32

struct options {
	struct out *out;		/* standard output */
	const char *file;		/* record, report: where to */
	const char *replay;		/* -r, or NULL */
	const char *netns;		/* -N, as it was given */
	const char *second;		/* of another host, or NULL */
	const char *device;
	const char *svg;		/* --svg, or NULL */
	const char *listen;		/* serve: where, or NULL */
	struct tcpfsm_filter filter;
	bool follow;			/* replay: while it is written */
	bool json, raw, follow_new, time_of_day, wide, histogram, verbose, exit_code, strict, ledger, to_stdout, busy;
	uint64_t interval;		/* nanoseconds between readings; 0: one only */
	uint64_t conn;			/* socket cookie, 0: any */
	uint64_t count;			/* 0: no limit */
	uint64_t top;			/* rows of a table; 0: the command's choice */
	unsigned int sort;		/* enum tcpfsm_timewait_sort or tcpfsm_connect_sort */
	enum tcpfsm_connect_by by;
	struct tcpfsm_setting what_if[WHAT_IF_MAX];
	unsigned int nwhat_if;
	uint64_t duration;		/* nanoseconds; UINT64_MAX: no limit */
	uint64_t keep_bytes, keep_ns;	/* record: 0: no limit */
	uint64_t max_bytes;		/* likewise */
	bool on_finding;		/* record only around findings as severe as this, */
	enum tcpfsm_severity severity;
	uint64_t after;			/* and so many nanoseconds after */
	bool compress;			/* record: all of it when it ends */
	bool unpack;			/* record: nothing but the contrary */
	unsigned int given;		/* OPT_* */
};

/* What a command does, and its help, in lines; words.h has the rest. */
struct command {
	const char *columns;		/* what they mean */
	const char *examples;		/* what it is good for, and below what to type */
	int (*run)(const struct options *opts);
};

#define COMMAND_DECLARATION(name, args, text, options) extern const struct command cmd_##name;
COMMANDS(COMMAND_DECLARATION)

/* ---- help.c ------------------------------------------------------------------ */

struct option_text {
	int val;			/* a letter, or LONG_* */
	const char *name, *arg;		/* arg: NULL, or what it takes */
	unsigned int flag;		/* OPT_*; 0: for every command */
	const char *text;
};

struct entry {
	const char *name;
	const char *args;		/* after the name, or "" */
	const char *text;
	unsigned int options;		/* OPT_* that mean something */
	const struct command *command;
};

#define COUNT_ONE(...)	+ 1
#define NOPTIONS	(0 OPTIONS(COUNT_ONE))

extern const struct option_text option_table[NOPTIONS];

/* Of two options that share a letter: that of the command (or NULL), else the first. */
bool in_force(const struct option_text *o, const struct entry *of);
/* Or NULL. */
const struct entry *command_by_name(const char *name);

/* These print, or complain, and return the exit status.  Of all commands, if NULL. */
int help_first(struct out *o);
int help(struct out *o, const struct entry *of);
int unknown_command(const char *word);
int unknown_option(const char *word, const struct entry *of);

/* ---- main.c ------------------------------------------------------------------ */

/* Set by SIGINT, SIGTERM and SIGHUP. */
extern volatile sig_atomic_t interrupted;

void catch_signals(void);

/* Lines as these options want them. */
static inline struct text text_of(const struct options *opts)
{
	return (struct text) {
		.wide = opts->wide, .raw = opts->raw, .time_of_day = opts->time_of_day,
		.colour = opts->out->colour, .width = screen_width(opts->out), .address = TEXT_ADDRESS,
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
	uint64_t shows;			/* FEATURE(): a line on stderr tells which are, or were, off */
	/*
	 * Before the first event: who else is to be told of all, in to; of a recording, info has
	 * the features.  Return: 0, or the exit status after an error was told.
	 */
	int (*begin)(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		     struct tcpfsm_consumers *to);
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

/* Tables that are shown at the end, or again and again: -w and -c.  The arg of the view. */
struct readings {
	struct options opts;
	const char *command;
	/* Of what is known at ts (epoch).  Return: 0 or a negative errno. */
	int (*show)(void *arg, uint64_t ts);
	void *arg;
	bool redraw;			/* in place of the last one, on a terminal */
	uint64_t due;			/* of the next one; epoch */
	uint64_t last_ts;		/* of any event */
	uint64_t n;
	int err;
};

/* --follow of totals, which come when the recorder reads them: the last ones, when all there is has been read. */
struct latest {
	bool fresh;			/* they are not shown yet */
	uint64_t next;			/* not before this; CLOCK_MONOTONIC */
	int err;			/* of showing them */
};

/*
 * Shows what is fresh and due; at the end of the view at once.  Return: as view.idle.
 */
int latest_show(struct latest *l, uint64_t interval, int (*fn)(void *arg), void *arg);

/* What these options come to, and a line on stderr of those that mean nothing here. */
void readings_options(struct readings *r, const char *command, const struct options *given);
/* In view.begin: before the first event. */
void readings_begin(struct readings *r);
/* A view's follow.event, idle and end; arg is the struct readings. */
int readings_event(const struct tcpfsm_event *ev, void *arg);
int readings_idle(void *arg);
int readings_end(void *arg, int rc);

/* Runs a view on the device or the recording to the end.  Return: the exit status. */
int stream(const struct options *opts, const struct view *view, void *arg);
/*
 * Opens the device or the recording, with what else fo asks for.  Return: 0, or the
 * exit status after an error was told.
 */
int open_follow(struct tcpfsm_follow **f, const struct options *opts,
		struct tcpfsm_follow_options *fo, struct tcpfsm_info *info);
struct tcpfsm_join;
/* How two recordings fit together, on stderr. */
void tell_join(const struct options *opts, const struct tcpfsm_join *join);
/* Lines on stderr.  Return: the error of a reading of totals, or 0. */
int tell_notice(const struct tcpfsm_notice *n, void *arg);
/* One line to stderr if sockets are missing from the snapshot. */
void tell_snapshot(int err);
/*
 * And if a recording is not all there; status: that of all else.  Return: the exit status.
 */
int tell_missing(struct tcpfsm_source *src, const struct options *opts, int status);
/* A filter that nothing passed, or a cookie that nobody has, may be mistaken: a line on stderr. */
void tell_none(const struct options *opts, const char *command, uint64_t found);
/* And if records or connections are. */
void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m);

#endif /* TCPFSM_CLI_H */
