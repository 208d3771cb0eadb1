// SPDX-License-Identifier: GPL-2.0-only
/* Connections, live and recent, in any order, within tcpfsm top. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../show/put.h"
#include "ui.h"

#define S(s)		TCPFSM_STATE_##s

#define ROW_MAX		512

enum field {
	F_STATE, F_FOR, F_AGE, F_OWNER, F_LPORT, F_LOCAL, F_REMOTE, F_HOW, F_RTX, NFIELDS
};

struct field_ops {
	const char *title;
	int width;
	int from, below;		/* shown in terminals of so many columns */
	bool right;
	enum top_column column;		/* TOP_NCOLUMNS: nothing to sort by */
};

static const struct field_ops fields[NFIELDS] = {
	[F_STATE] = { "STATE", 11, 0, 9999, false, TOP_BY_STATE },
	[F_FOR] = { "FOR", 6, 0, 9999, true, TOP_BY_FOR },
	[F_AGE] = { "AGE", 6, 90, 9999, true, TOP_BY_AGE },
	[F_OWNER] = { "PROCESS/PID", 16, 0, 9999, false, TOP_BY_COMM },
	[F_LPORT] = { "LPORT", 5, 0, 120, true, TOP_BY_LPORT },
	[F_LOCAL] = { "LOCAL", 21, 120, 9999, false, TOP_BY_LPORT },
	[F_REMOTE] = { "REMOTE", 21, 0, 9999, false, TOP_BY_REMOTE },
	[F_HOW] = { "ENDED", 8, 0, 9999, false, TOP_NCOLUMNS },
	[F_RTX] = { "RTX", 3, 0, 9999, true, TOP_BY_RTX },
};

static bool is_shown(const struct ui *u, int f)
{
	return u->grid.cols >= fields[f].from && u->grid.cols < fields[f].below;
}

static bool is_address(int f)
{
	return f == F_LOCAL || f == F_REMOTE;
}

/* Addresses share what the others leave, as far as they need it. */
static int width_of(const struct ui *u, int f)
{
	int left = u->grid.cols, addresses = 0, i;

	if (!is_address(f) || u->longest <= fields[f].width)
		return fields[f].width;
	for (i = 0; i < NFIELDS; i++) {
		left -= is_shown(u, i) ? fields[i].width + 1 : 0;
		addresses += is_shown(u, i) && is_address(i);
	}
	left = left > 0 ? left / addresses : 0;
	return u->longest < fields[f].width + left ? u->longest : fields[f].width + left;
}

/* What is known of a row, wherever it comes from. */
struct row {
	uint64_t since, until;		/* epoch; until: over, or now */
	const struct tcpfsm_life *life;	/* NULL: nothing but its state */
	char comm[17];
	uint32_t pid;
	uint8_t state, cause, old_state;
	bool ended;
};

static bool find_row(struct ui *u, uint64_t i, struct row *r)
{
	const struct top_row *row = &u->top.list.rows[i];
	const struct top_ended *e;
	struct tcpfsm_conn c;

	memset(r, 0, sizeof(*r));
	r->until = u->now;
	if (row->ended) {
		e = top_ended_of(&u->top, row);
		if (!e)
			return false;
		r->ended = true;
		r->since = e->ts;
		r->life = &e->life;
		r->pid = e->pid;
		memcpy(r->comm, e->comm, sizeof(e->comm));
		r->state = S(CLOSE);
		r->cause = e->cause;
		r->old_state = e->old_state;
		return true;
	}
	if (!tcpfsm_model_find(u->model, row->conn, &c))
		return false;
	r->since = c.since;
	r->life = c.life && c.life->begin ? c.life : NULL;
	r->pid = c.pid;
	memcpy(r->comm, c.comm, 16);
	r->state = c.state;
	return true;
}

static const char *how(const struct row *r)
{
	if (!r->ended)
		return "";
	if (!r->cause)
		return "fin";
	if (r->cause == TCPFSM_CAUSE_RCV_RST && r->old_state == S(SYN_SENT))
		return "refused";
	return tcpfsm_cause_name(r->cause);
}

/* A field at p, as long as it comes.  Return: the end. */
static char *put_field(char *p, const struct row *r, int f)
{
	struct tcpfsm_record rec = { .family = r->life ? r->life->family : 4 };
	char pid[16];
	size_t len;
	uint64_t n;

	switch (f) {
	case F_STATE:
		return put(p, tcpfsm_state_name(r->state));
	case F_FOR:
		if (!r->since || r->since > r->until)
			return put(p, r->since ? "0us" : "?");
		return put_duration(p, (int64_t)(r->until - r->since));
	case F_AGE:
		if (!r->life || r->life->begin > r->until)
			return put(p, "?");
		n = (r->ended ? r->since : r->until) - r->life->begin;
		return put_duration(p, (int64_t)n);
	case F_OWNER:
		if (!r->pid)
			return put(p, "-");
		/* The pid is what one needs; a name may be cut to its column. */
		len = (size_t)snprintf(pid, sizeof(pid), "/%u", r->pid);
		p = put_comm(p, r->comm);
		n = strnlen(r->comm, sizeof(r->comm));
		if (n + len > (size_t)fields[F_OWNER].width) {
			p -= n + len - (size_t)fields[F_OWNER].width;
			p[-1] = CUT;
		}
		return put(p, pid);
	case F_LPORT:
		return r->life ? put_u64(p, r->life->lport) : put(p, "?");
	case F_LOCAL:
		return r->life ? put_address(p, &rec, r->life->laddr, r->life->lport) : put(p, "?");
	case F_REMOTE:
		return r->life ? put_address(p, &rec, r->life->raddr, r->life->rport) : put(p, "?");
	case F_HOW:
		return put(p, how(r));
	case F_RTX:
		if (!r->life)
			return p;
		n = (uint64_t)r->life->retransmits[0] + r->life->retransmits[1] +
		    r->life->retransmits[2] + r->life->retransmits[3];
		return n ? put_u64(p, n) : put(p, "-");
	}
	return p;
}

static size_t line(struct ui *u, uint64_t i, char buf[ROW_MAX])
{
	char field[128], *p = buf;
	struct row r;
	int f;

	*buf = '\0';
	if (!find_row(u, i, &r))
		return (size_t)snprintf(buf, ROW_MAX, "(gone)");
	for (f = 0; f < NFIELDS; f++) {
		int len, width = width_of(u, f), cut = 0;

		if (!is_shown(u, f))
			continue;
		len = (int)(put_field(field, &r, f) - field);
		if (is_address(f) && len > u->longest)
			u->longest = len;
		/* Of an address the end tells most. */
		if (is_address(f) && len > width) {
			cut = len - width;
			memcpy(field + cut, "..", 2);
		}
		p += sprintf(p, fields[f].right ? "%*.*s " : "%-*.*s ", width, len - cut, field + cut);
	}
	return (size_t)(p - buf);
}

/* ---- the view -------------------------------------------------------------------- */

static uint64_t rows(struct ui *u, uint64_t *first)
{
	*first = 0;
	return u->top.list.n;
}

static int fixed(struct ui *u)
{
	(void)u;
	return 2;
}

static size_t text(struct ui *u, uint64_t row, char *buf, size_t size)
{
	char full[ROW_MAX];

	line(u, row, full);
	return (size_t)snprintf(buf, size, "%s", full);
}

static const struct {
	const char *title, *first, *last;
} columns[TOP_NCOLUMNS] = {
#define COLUMN(s, title, first, last) { title, first, last },
	TOP_COLUMNS(COLUMN)
};

/* Do the numbers of a column grow downwards? */
static bool grows(const struct top_list *list)
{
	bool least_first = list->column != TOP_BY_FOR && list->column != TOP_BY_AGE && list->column != TOP_BY_RTX;

	return least_first != list->reverse;
}

static bool is_sorted_by(const struct ui *u, int f)
{
	enum top_column column = u->top.list.column;

	return fields[f].column == column || (f == F_OWNER && column == TOP_BY_PID);
}

static void draw_headline(struct ui *u, struct grid *g, int y)
{
	int left = (int)u->place[VIEW_CONNS].left, x = -left, f, i;

	for (f = 0; f < NFIELDS; f++) {
		char title[128];

		if (!is_shown(u, f))
			continue;
		snprintf(title, sizeof(title), fields[f].right ? "%*s" : "%-*s", width_of(u, f),
			 fields[f].title);
		for (i = 0; title[i]; i++)
			grid_put(g, x + i, y, is_sorted_by(u, f) ? ATTR_TITLE : ATTR_BOLD,
				 (uint8_t)title[i]);
		/* Between this column and the next. */
		if (is_sorted_by(u, f))
			grid_put(g, x + width_of(u, f), y, ATTR_TITLE,
				 grows(&u->top.list) ? G_HEAD_NORTH : G_HEAD_SOUTH);
		x += width_of(u, f) + 1;
	}
}

static void draw(struct ui *u, struct grid *g, struct area a)
{
	const struct top_list *list = &u->top.list;
	struct place *p = &u->place[VIEW_CONNS];
	uint64_t row = ui_list_top(u, a.rows - 2);
	char buf[ROW_MAX];
	int y, x;

	x = snprintf(buf, sizeof(buf), "%" PRIu64 " connections, ended ones included, by %s, %s first",
		     list->matched, columns[list->column].title,
		     list->reverse ? columns[list->column].last : columns[list->column].first);
	if (list->n < list->matched)
		x += snprintf(buf + x, sizeof(buf) - (size_t)x, "; the first %zu (f: filter)", list->n);
	if (u->drilled)
		snprintf(buf + x, sizeof(buf) - (size_t)x, "; Backspace: back");
	grid_text(g, 0, a.y, ATTR_DIM, buf);
	draw_headline(u, g, a.y + 1);
	for (y = a.y + 2; y < a.y + a.rows && row < list->n; y++, row++) {
		size_t len = line(u, row, buf);
		struct row r;

		page_draw_line(g, y, p->left, buf, len, NULL, 0);
		if (row == p->cursor) {
			for (x = 0; x < g->cols; x++)
				grid_cell(g, x, y)->attr = ATTR_TITLE;
		} else if (find_row(u, row, &r)) {
			enum attr attr = r.state == S(ESTABLISHED) ? ATTR_OPEN :
					 r.state == S(TIME_WAIT) ? ATTR_CLOSE :
					 r.ended ? ATTR_DIM : ATTR_PLAIN;
			int end = r.ended ? g->cols : fields[F_STATE].width - (int)p->left;

			for (x = 0; x < g->cols && x < end; x++)
				grid_cell(g, x, y)->attr = attr;
		}
	}
	if (!list->n)
		grid_text(g, 2, a.y + 3, ATTR_DIM, u->top.filtered || u->drilled ?
			  "no connection passes the filter" : "no connection");
}

static void sort_by(struct ui *u, enum top_column column, bool reverse)
{
	u->top.list.column = column;
	u->top.list.reverse = reverse;
	u->top.list.busy = false;
	u->list_now = true;
	u->place[VIEW_CONNS].cursor = 0;
}

static bool key(struct ui *u, int k)
{
	enum top_column column = u->top.list.column;

	switch (k) {
	case 's':
	case '>':
	case TERM_F + 6:
		sort_by(u, (column + 1) % TOP_NCOLUMNS, false);
		return true;
	case '<':
		sort_by(u, (column + TOP_NCOLUMNS - 1) % TOP_NCOLUMNS, false);
		return true;
	case 'S':
		sort_by(u, column, !u->top.list.reverse);
		return true;
	}
	return false;
}

static bool click(struct ui *u, int x, int y)
{
	int at = -(int)u->place[VIEW_CONNS].left, f;

	/* The menu, how many there are, and then the headline. */
	if (y > 2)
		return false;
	for (f = 0; f < NFIELDS; f++) {
		if (!is_shown(u, f))
			continue;
		if (x >= at && x < at + width_of(u, f) && fields[f].column < TOP_NCOLUMNS)
			sort_by(u, fields[f].column, is_sorted_by(u, f) && !u->top.list.reverse);
		at += width_of(u, f) + 1;
	}
	return true;
}

static void enter(struct ui *u, uint64_t i)
{
	char name[160], *p = name;
	struct row r;

	if (!find_row(u, i, &r) || !r.life) {
		ui_say(u, "nothing is known of it any more");
		return;
	}
	p = put(put_field(p, &r, F_LOCAL), " - ");
	*put_field(p, &r, F_REMOTE) = '\0';
	ui_show_ladder(u, u->top.list.rows[i].conn, name);
}

const struct view_ops view_conns = {
	.name = "Connections",
	.keys = "s sort|S reverse|Enter ladder",
	.refresh_ms = 500,
	.cursor = true,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
	.key = key,
	.enter = enter,
	.click = click,
};
