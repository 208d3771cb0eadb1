/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tcpfsm top between its model (top.h) and the terminal (term.h): views as tables of
 * operations, and what is around them.  No view reads the source or the keyboard.
 */
#ifndef TCPFSM_TUI_UI_H
#define TCPFSM_TUI_UI_H

#include "source/clock.h"
#include "tcpfsm.h"
#include "../show/listen.h"
#include "../show/recent.h"
#include "../show/screen.h"
#include "../show/grid.h"
#include "../show/text.h"
#include "../show/timewait.h"
#include "page.h"
#include "term.h"
#include "../show/top.h"

/* Views of the menu, and pages that lie over them. */
enum view_id {
	VIEW_OVERVIEW, VIEW_LISTENERS, VIEW_TIMEWAIT, VIEW_CONNS, VIEW_DIAGRAM, VIEW_LOG,
	VIEW_CONNECT, NVIEWS,
	VIEW_LADDER = NVIEWS, VIEW_EXPLAIN, VIEW_HELP,
	VIEWS_ALL
};

/* Rows of the grid that a view may draw into. */
struct area {
	int y, rows;
};

/* Where one is in a list: numbers of rows, which count on while rows come and go. */
struct place {
	uint64_t top, cursor;
	size_t left;			/* columns */
	bool follow;			/* the newest */
};

struct ui;

struct view_ops {
	const char *name;
	const char *keys;		/* "s sort  Enter ladder" */
	unsigned int refresh_ms;
	bool totals;			/* refreshed by whole readings of totals only */
	bool cursor;			/* rows can be chosen */
	bool newest_last;		/* more rows come, and one follows them */
	/* What is shown is made anew: this may take a while. */
	void (*refresh)(struct ui *u);
	void (*draw)(struct ui *u, struct grid *g, struct area a);
	/* Rows from *first to before what is returned; NULL: nothing to move in. */
	uint64_t (*rows)(struct ui *u, uint64_t *first);
	/* Rows of an area that do not scroll. */
	int (*fixed)(struct ui *u);
	/* A row as text, to be searched.  Return: its length. */
	size_t (*text)(struct ui *u, uint64_t row, char *buf, size_t size);
	bool (*key)(struct ui *u, int key);	/* false: not ours */
	void (*enter)(struct ui *u, uint64_t row);
	bool (*click)(struct ui *u, int x, int y);	/* on a headline; false: it is none */
};

extern const struct view_ops view_overview, view_listeners, view_timewait, view_conns;
extern const struct view_ops view_connect, view_diagram, view_log, view_ladder, view_explain, view_help;

/* How time goes in a recording. */
struct play {
	uint64_t now;			/* its CLOCK_MONOTONIC; 0: not begun */
	uint64_t first;
	unsigned int speed;		/* of play_speed[] */
	bool end, step;
	uint64_t seek;			/* go there as fast as can be; 0: no */
};

extern const double play_speed[];	/* 0: as fast as can be */
extern const unsigned int play_speeds, play_normal;

struct ui {
	bool replay;			/* a recording */
	struct tcpfsm_filter filter;	/* of the command line, then of the keyboard */
	char filter_text[256];
	struct tcpfsm_model *model;
	struct tcpfsm_timewaits *ledger, *all;	/* all: without the filter; may be the same one */
	struct tcpfsm_connects *connects;
	struct tcpfsm_explain *explain;
	struct recent recent;
	struct tcpfsm_info info;
	int64_t epoch_offset;
	uint64_t now;			/* epoch; in a recording, its own */
	struct top top;
	struct play play;

	enum view_id view, over;	/* over: NVIEWS: nothing lies over it */
	struct place place[VIEWS_ALL];
	uint64_t refreshed[VIEWS_ALL];	/* CLOCK_MONOTONIC */
	uint64_t took[VIEWS_ALL];	/* nanoseconds */
	struct page page[VIEWS_ALL];	/* of views that are texts */
	struct out out;			/* into the page that is made */
	struct grid grid;
	struct text text;
	int longest;			/* address among the connections shown so far */

	/* The worst finding, and who has most in TIME_WAIT. */
	char finding[1024], action[2048];
	uint8_t severity;
	bool has_finding;
	uint64_t judged_at;		/* CLOCK_MONOTONIC */
	bool reading;			/* totals of a reading have come, and not all yet */
	char tw_owner[64];
	unsigned int tw_share;		/* of it, percent */
	uint64_t tw_marked;		/* when its rates began; epoch */
	unsigned int tw_sort;		/* enum tcpfsm_timewait_sort */
	unsigned int listen_sort;	/* enum listen_sort */
	bool since_load;		/* listeners: counts instead of rates */
	enum { IDLE_IF_FEW, IDLE_HIDDEN, IDLE_SHOWN } idle;	/* listeners that nobody calls */
	bool hides_idle;		/* there were some */
	bool zeroed;			/* likewise, from a reading on: */
	struct recent zero;
	uint64_t zero_after;		/* this reading; CLOCK_MONOTONIC */
	struct timewait_zero tw_zero;	/* TIME_WAIT: counts from then on */
	struct folds folds;		/* listeners, TIME_WAIT */
	uint64_t connect_since;		/* connects: counts since then, epoch; 0: all */
	unsigned int connect_sort;	/* enum tcpfsm_connect_sort */
	unsigned int connect_by;	/* enum tcpfsm_connect_by */
	/* Of what another view had in a row, until Backspace: rows of Connections and Log. */
	bool drilled;
	enum view_id drilled_from;
	struct tcpfsm_filter some;
	char some_text[256];
	unsigned int spot;		/* diagram: what is chosen in it, of figure_spot() */

	uint64_t ladder_conn;
	char ladder_name[96];
	uint64_t log_end;		/* paused: so far */

	char prompt;			/* '/', 'f' or 'w'; 0: none */
	char typed[256];
	char search[256];
	char message[160];
	uint64_t message_until;		/* CLOCK_MONOTONIC */

	bool paused, quit, dirty;
	bool list_now;			/* the order of connections has changed */
	uint64_t lost;			/* of the source */
	uint64_t behind_ns;		/* reading is so much late */
	bool stalled;			/* the kernel goes on, and no record comes */
	int totals_error, snapshot_error;
};

void ui_key(struct ui *u, int key);
void ui_draw(struct ui *u);
/* What the view has of the screen. */
struct area ui_body(const struct ui *u);
/* The view that has the keys. */
enum view_id ui_current(const struct ui *u);
/* The log costs: it is kept while it is looked at. */
void ui_keep_log(struct ui *u);
/* What is shown is made anew if it is time.  Return: something was. */
bool ui_refresh(struct ui *u);
/* In so many milliseconds it may be time again. */
unsigned int ui_next(const struct ui *u);
void ui_open(struct ui *u, enum view_id over);
/* What passes this filter and the one that there is, in Connections or Log; Backspace leads back. */
void ui_show_some(struct ui *u, enum view_id where, const char *filter);
void ui_show_ladder(struct ui *u, uint64_t conn, const char *name);
void ui_say(struct ui *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Rows of the list in view, as many as the area has: where the first one is. */
uint64_t ui_list_top(struct ui *u, int rows);

/* ---- view_pages.c: texts of the other commands ----------------------------------- */


/* "0.0.0.0:80" of whoever listens there, and its process: by its cookie. */
void listener_name(struct ui *u, const struct top_listener *l, char *buf, size_t size);
/* Of the finding in view, and the process that has most in TIME_WAIT. */
void judge(struct ui *u);
/*
 * Rates of mini-sockets begin anew, if they are as old as every (nanoseconds): explain takes
 * them for what goes on now.
 */
void mark_ledger(struct ui *u, uint64_t every);

#endif /* TCPFSM_TUI_UI_H */
