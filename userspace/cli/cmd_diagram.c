// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm diagram: the state diagram of RFC 9293 with counts on its arrows; on
 * a terminal full screen and live, else as a text or JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../show/diagram.h"
#include "../show/figure.h"
#include "../tui/term.h"
#include "cli.h"
#include "../show/svg.h"

#define STOP		1

#define MS		(NSEC_PER_SEC / 1000)
#define PAINT_MS	100
#define JSON_MS		1000
/* Under load the source never rests: every so many events the clock is read. */
#define EVENTS_PER_TICK	1024

/* Lines around the figure: title; odd ones, legend, keys. */
#define LINES_ABOVE	1
#define LINES_BELOW	3
#define SCREEN_ROWS	(FIGURE_ROWS + LINES_ABOVE + LINES_BELOW)

struct view_diagram {
	const struct options *opts;
	const struct tcpfsm_model *model;
	struct diagram d;
	struct members members;
	struct grid grid;
	struct svg *svg;		/* NULL: none is wanted */
	bool filtered, full_screen;
	bool paused, enough, quit;
	bool deaf;			/* nobody can press a key */
	uint64_t counted;
	unsigned int events;
	uint64_t due;			/* next picture or line, CLOCK_MONOTONIC */
	int64_t epoch_offset;
};

/* The time of the events; in a recording it stands still at the end. */
static uint64_t now_of(const struct view_diagram *v)
{
	if (v->opts->replay)
		return v->d.last + DIAGRAM_SLOT_NS;
	return monotonic_ns() + (uint64_t)v->epoch_offset;
}

static void count_population(struct view_diagram *v)
{
	/* Filters are not the model's business. */
	if (!v->filtered)
		tcpfsm_model_population(v->model, v->d.population);
}

/* ---- JSON ------------------------------------------------------------------------- */

static void print_json(struct view_diagram *v)
{
	const struct diagram *d = &v->d;

	count_population(v);
	diagram_json(v->opts->out, d, v->opts->replay ? d->last : now_of(v));
	out_printf(v->opts->out, "\n");
}

/* ---- pictures ------------------------------------------------------------------------ */

static void draw_title(const struct view_diagram *v, struct grid *g, uint64_t now)
{
	const struct diagram *d = &v->d;
	char text[FIGURE_TEXT_MAX], number[FIGURE_TEXT_MAX], time[32];
	time_t second = (time_t)(now / NSEC_PER_SEC);
	struct tm tm;
	int x;

	grid_fill(g, 0, 0, g->cols, ATTR_TITLE, ' ');
	figure_number(number, d->all.n, diagram_rate(d, &d->all, now), 22);
	x = snprintf(text, sizeof(text), "tcpfsm diagram  transitions %s  sockets %" PRIu64 "%s",
		     number, diagram_sockets(d), v->filtered ? "  filtered" : "");
	/* Who came before that is not among the arrows, and may go by one. */
	if (d->first)
		x += snprintf(text + x, sizeof(text) - (size_t)x, "  since %s", when(d->first, 0, "%T", time));
	grid_text(g, 0, 0, ATTR_TITLE, text);
	if (d->lost) {
		snprintf(text, sizeof(text), "  lost %" PRIu64, d->lost);
		grid_text(g, x, 0, ATTR_TITLE, text);
	}
	if (v->opts->replay && !d->last)
		return;
	localtime_r(&second, &tm);
	strftime(time, sizeof(time), " %H:%M:%S", &tm);
	grid_text(g, g->cols - (int)strlen(time), 0, ATTR_TITLE, time);
}

/* Into rows of the grid from y on.  Return: rows used. */
static int draw_legend(struct grid *g, int y)
{
	grid_text(g, 0, y, ATTR_DIM, "[STATE sockets now]  n +last second/s  "
		  S_CROSS " to " FIGURE_CLOSED " otherwise  ");
	grid_put(g, 62, y, ATTR_DIM, G_DOTTED | G_EAST | G_WEST);
	grid_put(g, 63, y, ATTR_DIM, G_DOTTED | G_EAST | G_WEST);
	grid_text(g, 65, y, ATTR_DIM, "not by Linux");
	return 1;
}

static void draw_odd(const struct view_diagram *v, struct grid *g, int y)
{
	char text[FIGURE_TEXT_MAX];

	if (figure_odd(&v->d, g->cols, text))
		grid_text(g, 0, y, ATTR_BAD_HOT, text);
}

static int draw_too_small(struct grid *g)
{
	char text[FIGURE_TEXT_MAX];

	snprintf(text, sizeof(text), "%dx%d needed, this terminal has %dx%d", FIGURE_COLS,
		 SCREEN_ROWS, g->cols, g->rows);
	grid_text(g, 0, 0, ATTR_BOLD, text);
	return 0;
}

static void draw_screen(struct view_diagram *v, struct grid *g)
{
	uint64_t now = now_of(v);
	struct figure f;

	if (!figure_fit(&f, g->cols, g->rows - LINES_ABOVE - LINES_BELOW)) {
		draw_too_small(g);
		return;
	}
	f.y0 += LINES_ABOVE;
	count_population(v);
	draw_title(v, g, now);
	figure_draw(&f, g, &v->d, now);
	draw_odd(v, g, g->rows - 3);
	draw_legend(g, g->rows - 2);
	grid_text(g, 0, g->rows - 1, ATTR_BOLD, "q");
	grid_text(g, 2, g->rows - 1, ATTR_PLAIN, "quit");
	grid_text(g, 8, g->rows - 1, ATTR_BOLD, "space");
	grid_text(g, 14, g->rows - 1, ATTR_PLAIN, v->paused ? "go on" : "pause");
	grid_text(g, 21, g->rows - 1, ATTR_BOLD, "r");
	grid_text(g, 23, g->rows - 1, ATTR_PLAIN, "reset counts");
	if (v->paused)
		grid_text(g, 38, g->rows - 1, ATTR_TITLE, " paused ");
}

static void paint(struct view_diagram *v)
{
	int cols, rows;

	term_size(&cols, &rows);
	if (grid_init(&v->grid, cols, rows))
		return;
	draw_screen(v, &v->grid);
	term_paint(&v->grid);
}

static void print_grid(struct out *o, const struct grid *g, bool utf8)
{
	char buf[256];
	int x, y;

	for (y = 0; y < g->rows; y++) {
		int used = grid_used(g, y);
		size_t len;

		for (x = 0; x < used; ) {
			int n = grid_run(g, x, y, utf8, buf, sizeof(buf), &len);

			x += n;
			/* One byte each: what is beyond are blanks. */
			if (x > used)
				len -= (size_t)(x - used);
			memcpy(out_room(o, len), buf, len);
			out_add(o, len);
		}
		out_printf(o, "\n");
	}
}

/* What had to be shortened beside the boxes. */
static void print_exits(const struct view_diagram *v, const struct figure *f, uint64_t now)
{
	char text[2][FIGURE_TEXT_MAX];
	struct figure_slot slot;
	bool full;
	int i, y, n;

	for (i = 0; i < DIAGRAM_STATES; i++) {
		const char *name = tcpfsm_state_name((unsigned int)i);

		if (!figure_exit_slot(f, (uint8_t)i, &slot) ||
		    !figure_exits(&v->d, (uint8_t)i, now, slot.end - slot.x, slot.rows, text,
				  &full) || full)
			continue;
		n = figure_exits(&v->d, (uint8_t)i, 0, FIGURE_COLS - 14, 2, text, &full);
		for (y = 0; y < n; y++)
			out_printf(v->opts->out, "%-12s %s\n", y ? "" : name, text[y] + 1);
	}
}

static int print_text(struct view_diagram *v)
{
	uint64_t now = now_of(v);
	struct grid *g = &v->grid;
	struct figure f;
	int err;

	figure_fit(&f, FIGURE_COLS, FIGURE_ROWS);
	f.y0 += LINES_ABOVE;
	err = grid_init(g, FIGURE_COLS, LINES_ABOVE + FIGURE_ROWS + 1 + (v->d.odd.n > 0));
	if (err)
		return fail(err, "diagram");
	count_population(v);
	draw_title(v, g, now);
	figure_draw(&f, g, &v->d, now);
	draw_legend(g, LINES_ABOVE + FIGURE_ROWS);
	draw_odd(v, g, LINES_ABOVE + FIGURE_ROWS + 1);
	print_grid(v->opts->out, g, term_utf8());
	print_exits(v, &f, now);
	return 0;
}

static int write_svg(struct view_diagram *v)
{
	char title[FIGURE_TEXT_MAX], when[32] = "";
	time_t second = (time_t)(now_of(v) / NSEC_PER_SEC);
	struct svg *svg = v->svg;
	struct tm tm;
	int err;

	count_population(v);
	localtime_r(&second, &tm);
	if (!v->opts->replay || v->d.last)
		strftime(when, sizeof(when), ", %F %T", &tm);
	snprintf(title, sizeof(title), "TCP state diagram (RFC 9293): %" PRIu64
		 " transitions%s, %" PRIu64 " sockets%s", v->d.all.n,
		 v->filtered ? " (filtered)" : "", diagram_sockets(&v->d), when);
	figure_svg(svg, &v->d, title);
	v->svg = NULL;
	err = svg_close(svg);
	return err ? fail(err, v->opts->svg) : 0;
}

/* ---- live ------------------------------------------------------------------------------- */

static void take_keys(struct view_diagram *v)
{
	int key;

	while ((key = term_key()) > TERM_NO_KEY) {
		switch (key) {
		case 'q':
		case 'Q':
			v->quit = true;
			break;
		case ' ':
			v->paused = !v->paused;
			paint(v);
			break;
		case 'r':
			diagram_reset(&v->d);
			paint(v);
			break;
		case 'L' - '@':		/* Ctrl-L, as everywhere: from scratch */
			term_redraw();
			paint(v);
			break;
		}
	}
	v->deaf = key == TERM_GONE;
}

static bool resized(const struct view_diagram *v)
{
	int cols, rows;

	term_size(&cols, &rows);
	return cols != v->grid.cols || rows != v->grid.rows;
}

/* What is to be done by the clock.  Return: milliseconds until the next time; -1: enough. */
static int tick(struct view_diagram *v)
{
	uint64_t now = monotonic_ns();

	if (v->full_screen)
		take_keys(v);
	if (v->quit || v->enough)
		return -1;
	if (now >= v->due) {
		v->due = now + (v->full_screen ? PAINT_MS : JSON_MS) * MS;
		if (!v->full_screen)
			print_json(v);
		else if (!v->paused || resized(v))
			paint(v);
	}
	return (int)((v->due - now) / MS) + 1;
}

static bool is_live(const struct view_diagram *v)
{
	return v->full_screen || (v->opts->json && (!v->opts->replay || v->opts->follow));
}

static int on_idle(void *arg)
{
	struct view_diagram *v = arg;

	return is_live(v) ? tick(v) : JSON_MS;
}

/* Who is in a state now is a matter of all that happened to it. */
static bool is_member(const struct view_diagram *v, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_event(&s, ev);
	s.known &= ~(uint32_t)(TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE);
	return tcpfsm_filter_subject(&v->opts->filter, &s);
}

static void count(struct view_diagram *v, const struct tcpfsm_event *ev)
{
	if (v->filtered && is_member(v, ev))
		members_see(&v->members, ev, v->d.population);
	if (v->filtered && !tcpfsm_filter_match(&v->opts->filter, ev))
		return;
	diagram_count(&v->d, ev);
	if (++v->counted == v->opts->count)
		v->enough = true;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct view_diagram *v = arg;

	if (ev->type == TCPFSM_EVENT_TRANSITION)
		count(v, ev);
	else if (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed)
		v->d.lost += ev->lost;
	if (++v->events % EVENTS_PER_TICK == 0 && is_live(v))
		tick(v);
	return v->enough || v->quit || v->opts->out->error ? STOP : 0;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct view_diagram *v = arg;
	const char *term = getenv("TERM");

	(void)info;
	(void)to;
	v->model = tcpfsm_follow_model(f);
	if (v->opts->svg) {
		/* Now, as the end may be hours away. */
		v->svg = svg_open(v->opts->svg, FIGURE_SVG_WIDTH, FIGURE_SVG_HEIGHT);
		if (!v->svg)
			return fail(-errno, v->opts->svg);
	}
	v->epoch_offset = (int64_t)(realtime_ns() - monotonic_ns());
	if (v->opts->json)
		v->due = monotonic_ns() + JSON_MS * MS;
	if (v->opts->json || !out_is_terminal(v->opts->out))
		return 0;
	if (term_open()) {
		complain("diagram: this terminal cannot show it (TERM is %s); set TERM, or "
			 "redirect the output for text", term && *term ? term : "not set");
		return EXIT_ERROR;
	}
	v->full_screen = true;
	return 0;
}

/* A recording is over; its picture stays until somebody has seen enough. */
static void linger(struct view_diagram *v)
{
	v->enough = false;
	while (!v->quit && !interrupted && !v->deaf) {
		v->due = 0;
		tick(v);
		term_wait(JSON_MS);
	}
}

static int end(void *arg, int rc)
{
	struct view_diagram *v = arg;
	int status = 0, svg_status;

	(void)rc;
	if (v->full_screen && v->opts->replay)
		linger(v);
	term_close();
	if (v->opts->json)
		print_json(v);
	/* What came to an end by itself shall not vanish with the screen. */
	else if (!v->full_screen || (!v->quit && !interrupted))
		status = print_text(v);
	svg_status = v->svg ? write_svg(v) : 0;
	return status ? status : svg_status;
}

static int run(const struct options *opts)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	static const struct view view = {
		.follow = { .snapshot = true, .resync = true, .model = &mo, .event = on_event },
		.shows = FEATURES_ALL, .begin = begin, .idle = on_idle, .end = end,
	};
	static struct view_diagram v;
	int status;

	setlocale(LC_CTYPE, "");
	v.opts = opts;
	v.filtered = opts->given & OPT_FILTER;
	status = stream(opts, &view, &v);
	if (v.svg)
		svg_close(v.svg);
	members_free(&v.members);
	grid_free(&v.grid);
	return status;
}

const struct command cmd_diagram = {
	.columns =
		"  [STATE N]   how many sockets are in the state now\n"
		"  N +M/s      at an arrow: how often it was taken, and how often in the last\n"
		"              second\n"
		"  x WHY N     beside a state: how many left it for CLOSE in a way that the RFC\n"
		"              does not draw\n",
	.examples =
		"  The diagram, live, of one port:\n"
		"    tcpfsm diagram -L 443\n"
		"  A minute of it as a picture:\n"
		"    tcpfsm diagram -W -d 60 --svg minute.svg\n",
	.run = run,
};
