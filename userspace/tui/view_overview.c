// SPDX-License-Identifier: GPL-2.0-only
/* The first view of tcpfsm top: how it goes, and what is worst. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../show/screen.h"
#include "ui.h"

#define S(s)		TCPFSM_STATE_##s

/* Columns of the rates; what is left of the screen is for a graph. */
#define TITLE_COLS	14
#define RATE_COLS	8
#define GRAPH_X		(TITLE_COLS + 3 * RATE_COLS + 2)
#define STATES_COLS	32
/* A graph shows all that is known, but not less than this. */
#define SPAN_MIN	60U

static const struct { const char *title; bool bad; } series[TOP_NSERIES] = {
#define SERIES(s, t, b) { t, b },
	TOP_SERIES(SERIES)
};

/* The way of a connection. */
static const uint8_t states[] = {
	S(LISTEN), S(SYN_SENT), S(SYN_RECV), S(ESTABLISHED), S(FIN_WAIT1), S(FIN_WAIT2),
	S(CLOSE_WAIT), S(CLOSING), S(LAST_ACK), S(TIME_WAIT),
};

#define NSTATES		(int)(sizeof(states) / sizeof(states[0]))

/* ---- graphs ---------------------------------------------------------------------- */

/* Seconds for each of so many columns. */
static unsigned int step_of(const struct ui *u, int cols)
{
	uint64_t span = u->top.first && u->now > u->top.first ?
			(u->now - u->top.first) / NSEC_PER_SEC : 0;

	if (span < SPAN_MIN)
		span = SPAN_MIN;
	if (span > HISTORY_SECONDS - 1)
		span = HISTORY_SECONDS - 1;
	return (unsigned int)(span / (uint64_t)cols) + 1;
}

/* The most of the seconds in a column; the last one on the right is not over yet. */
static uint64_t most_of(const struct history *h, uint64_t now, unsigned int step, uint64_t ago)
{
	uint64_t end = now / step - ago, second, most = 0;

	if (ago > now / step)
		return 0;
	for (second = end * step; second < (end + 1) * step; second++)
		if (history_at(h, second) > most)
			most = history_at(h, second);
	return most;
}

/* The newest at the right; the height stands for given, or 0: the most there is. */
static void draw_graph(const struct ui *u, struct grid *g, int x, int y, int cols, int rows,
		       const struct history *h, uint64_t given, enum attr attr)
{
	uint64_t max = given, now = u->now / NSEC_PER_SEC;
	unsigned int step;
	int i, row;

	if (cols < 1 || rows < 1)
		return;
	step = step_of(u, cols);
	for (i = 0; !given && i < cols; i++) {
		uint64_t n = most_of(h, now, step, (uint64_t)i);

		max = n > max ? n : max;
	}
	for (i = 0; max && i < cols; i++) {
		uint64_t n = most_of(h, now, step, (uint64_t)i), eighths;

		n = n > max ? max : n;
		eighths = (n * 8 * (uint64_t)rows + max - 1) / max;
		for (row = 0; row < rows && eighths; row++) {
			uint8_t part = eighths < 8 ? (uint8_t)eighths : 8;

			grid_put(g, x + cols - 1 - i, y + rows - 1 - row, attr,
				 (uint8_t)(G_BAR + part - 1));
			eighths -= part;
		}
	}
}

/* ---- parts ----------------------------------------------------------------------- */

/* Words into so many columns and lines, with dots for what is left out.  Return: lines used. */
static int draw_words(struct grid *g, int x, int y, int lines, enum attr attr, const char *s)
{
	int line = 0, column = x;

	while (*s) {
		int len = (int)strcspn(s, " ");

		if (column + len > g->cols && column > x) {
			if (++line == lines) {
				column = column - 1 < g->cols - 3 ? column - 1 : g->cols - 3;
				grid_text(g, column, y + line - 1, attr, "...");
				break;
			}
			column = x;
		}
		for (; len; len--, s++)
			grid_put(g, column++, y + line, attr, (uint8_t)*s);
		column++;
		s += strspn(s, " ");
	}
	return line < lines ? line + 1 : lines;
}

static int draw_verdict(const struct ui *u, struct grid *g, int y, int lines)
{
	static const enum attr looks[] = {
		[TCPFSM_SEVERITY_CRITICAL] = ATTR_BAD_HOT,
		[TCPFSM_SEVERITY_WARNING] = ATTR_CLOSE_HOT,
		[TCPFSM_SEVERITY_OK] = ATTR_OPEN,
		[TCPFSM_SEVERITY_INFO] = ATTR_PLAIN,
	};
	int used;

	if (!u->has_finding) {
		grid_text(g, 0, y, ATTR_DIM, u->replay ?
			  "no totals of listeners in the recording yet" :
			  "listeners are being looked at");
		return 1;
	}
	used = draw_words(g, 0, y, lines > 1 ? lines - 1 : lines, looks[u->severity & 3], u->finding);
	if (*u->action && used < lines)
		used += draw_words(g, 0, y + used, lines - used, ATTR_BOLD, u->action);
	return used;
}

static const char *rate_text(double rate, char buf[32])
{
	if (rate > 0 && rate < 9.95)
		snprintf(buf, 32, "%.1f", rate);
	else
		count_text((uint64_t)(rate + 0.5), buf);
	return buf;
}

static int draw_rates(const struct ui *u, struct grid *g, int y)
{
	uint64_t second = u->now / NSEC_PER_SEC;
	int cols = g->cols - GRAPH_X, i;
	unsigned int step = cols > 0 ? step_of(u, cols) : 1;
	char buf[128], n[3][32], span[64];

	snprintf(span, sizeof(span), "the last %u:%02u min", (unsigned int)cols * step / 60,
		 (unsigned int)cols * step % 60);
	snprintf(buf, sizeof(buf), "%-*s%*s%*s%*s  %s", TITLE_COLS, "EACH SECOND", RATE_COLS, "now",
		 RATE_COLS, "10 s", RATE_COLS, "1 min", cols >= 20 ? span : "");
	grid_text(g, 0, y, ATTR_BOLD, buf);
	for (i = 0; i < TOP_NSERIES; i++) {
		const struct history *h = &u->top.series[i];
		double minute = history_rate(h, second, 60);
		double now = history_rate(h, second, 1), some = history_rate(h, second, 10);
		enum attr attr = minute > 0 && series[i].bad ? ATTR_BAD_HOT : ATTR_PLAIN;

		snprintf(buf, sizeof(buf), "%-*s%*s%*s%*s", TITLE_COLS, series[i].title,
			 RATE_COLS, rate_text(now, n[0]), RATE_COLS, rate_text(some, n[1]),
			 RATE_COLS, rate_text(minute, n[2]));
		grid_text(g, 0, y + 1 + i, attr, buf);
		draw_graph(u, g, GRAPH_X, y + 1 + i, cols, 1, h, 0,
			   series[i].bad ? ATTR_BAD : ATTR_OPEN);
	}
	return 1 + TOP_NSERIES;
}

static void draw_states(const struct ui *u, struct grid *g, int y, int rows)
{
	const uint64_t *population = u->top.list.population;
	uint64_t all = 0, most = 1;
	char buf[128], n[32];
	int i, line = 1, empty = 0, room;

	for (i = 0; i < NSTATES; i++) {
		all += population[states[i]];
		empty += !population[states[i]];
		if (population[states[i]] > most)
			most = population[states[i]];
	}
	room = rows - 1 - (NSTATES - empty);
	snprintf(buf, sizeof(buf), "%-12s%8s", "SOCKETS", count_text(all, n));
	grid_text(g, 0, y, ATTR_BOLD, buf);
	for (i = 0; i < NSTATES && line < rows; i++) {
		uint64_t count = states[i] == S(TIME_WAIT) ? u->top.in_time_wait :
							     population[states[i]];
		int bar = (int)(count * (STATES_COLS - 22) * 8 / most), x = 21;

		/* Those who are not there make room for those who are. */
		if (!population[states[i]] && empty > room) {
			empty--;
			continue;
		}
		snprintf(buf, sizeof(buf), "%-12s%8s", tcpfsm_state_name(states[i]),
			 count_text(count, n));
		grid_text(g, 0, y + line, count ? ATTR_PLAIN : ATTR_DIM, buf);
		for (; bar > 0; bar -= 8, x++)
			grid_put(g, x, y + line, states[i] == S(TIME_WAIT) ? ATTR_CLOSE : ATTR_BOX,
				 (uint8_t)(G_BAR + 7));
		line++;
	}
}

static void draw_time_wait(const struct ui *u, struct grid *g, int x, int y, int rows)
{
	char buf[192], n[32];
	int len;

	len = snprintf(buf, sizeof(buf), "TIME_WAIT %s",
		       count_text(u->top.in_time_wait, n));
	if (*u->tw_owner)
		snprintf(buf + len, sizeof(buf) - (size_t)len, "  %u%% of %s", u->tw_share,
			 u->tw_owner);
	grid_text(g, x, y, ATTR_BOLD, buf);
	draw_graph(u, g, x, y + 1, g->cols - x, rows - 1, &u->top.time_wait, 0, ATTR_CLOSE);
}

/* Its queues: as the last SYN met them, or as they were read since. */
static void queues_text(struct ui *u, const struct top_listener *l, char *buf, size_t size)
{
	const struct tcpfsm_listeners *ls = u->recent.ls[0];
	const struct tcpfsm_listener *read = ls ? tcpfsm_listeners_find(ls, l->conn) : NULL;
	uint64_t synq = l->synq, acceptq = l->acceptq;
	struct tcpfsm_conn c;

	if (tcpfsm_model_find(u->model, l->conn, &c) && c.state == S(CLOSE)) {
		snprintf(buf, size, "closed");
		return;
	}
	if (read && read->ts > l->last) {
		synq = read->total[TCPFSM_TOTAL_NOW_SYNQ];
		acceptq = read->total[TCPFSM_TOTAL_NOW_ACCEPTQ];
	}
	snprintf(buf, size, "SYNQ %" PRIu64 " ACCQ %" PRIu64 " of %llu", synq, acceptq,
		 l->backlog + 1ULL);
}

static void draw_worst(struct ui *u, struct grid *g, int x, int y, int rows)
{
	const struct top_listener *l = top_worst(&u->top, u->now);
	uint64_t second = u->now / NSEC_PER_SEC;
	char buf[192], name[128], queues[80], a[2][32];
	double refused;

	if (!l) {
		grid_text(g, x, y, ATTR_BOLD, "WORST LISTENER");
		grid_text(g, x, y + 1, ATTR_DIM, "no queue has anybody in it");
		return;
	}
	listener_name(u, l, name, sizeof(name));
	refused = history_rate(&l->refusals, second + 1, 60) * 60;
	/* Nobody is refused: it is only the one whose queue is fullest. */
	snprintf(buf, sizeof(buf), "%s LISTENER %s", l->refused ? "WORST" : "FULLEST", name);
	grid_text(g, x, y, refused > 0 ? ATTR_BAD_HOT : ATTR_BOLD, buf);
	queues_text(u, l, queues, sizeof(queues));
	snprintf(buf, sizeof(buf), "%s; refused %s/min, %s/s", queues,
		 count_text((uint64_t)refused, a[0]),
		 rate_text(history_rate(&l->refusals, second, 1), a[1]));
	grid_text(g, x, y + 1, refused > 0 ? ATTR_BAD : ATTR_PLAIN, buf);
	if (l->refused)
		draw_graph(u, g, x, y + 2, g->cols - x, rows - 2, &l->refusals, 0, ATTR_BAD);
	else
		draw_graph(u, g, x, y + 2, g->cols - x, rows - 2, &l->fill, 1000, ATTR_OPEN);
}

/* ---- the view -------------------------------------------------------------------- */

static void draw(struct ui *u, struct grid *g, struct area a)
{
	int y = a.y, end = a.y + a.rows, rows, half, x = STATES_COLS + 2;

	y += draw_verdict(u, g, y, a.rows >= 19 ? 6 : a.rows >= 14 ? 4 : 2);
	y += a.rows >= 30;
	y += draw_rates(u, g, y);
	y += a.rows >= 20;
	rows = end - y;
	if (rows < 2)
		return;
	draw_states(u, g, y, rows);
	half = rows / 2;
	if (half < 3) {
		draw_worst(u, g, x, y, rows);
		return;
	}
	draw_time_wait(u, g, x, y, half);
	draw_worst(u, g, x, y + half, rows - half);
}

static void enter(struct ui *u, uint64_t row)
{
	(void)row;
	ui_open(u, VIEW_EXPLAIN);
}

const struct view_ops view_overview = {
	.name = "Overview",
	.keys = "Enter why, and what helps",
	.refresh_ms = 1000,
	.refresh = judge,
	.totals = true,
	.draw = draw,
	.enter = enter,
};
