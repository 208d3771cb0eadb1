// SPDX-License-Identifier: GPL-2.0-only
/* The log of tcpfsm top: the lines of tcpfsm trace. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../show/put.h"
#include "ui.h"

static uint64_t rows(struct ui *u, uint64_t *first)
{
	uint64_t end = u->paused ? u->log_end : u->top.nindex;

	*first = top_log_first(&u->top);
	return end > *first ? end : *first;
}

#define WIDE_FROM	150		/* columns */
#define REST		54		/* columns of a line that are not the address, at least */
#define WIDE_REST	81

/* Addresses get what they need, as far as the screen has it. */
static struct text text_here(struct ui *u)
{
	unsigned int cols = (unsigned int)u->grid.cols, room;
	struct text text = u->text;

	text.wide = cols >= WIDE_FROM;
	text.width = cols;
	room = text.wide ? (cols - WIDE_REST) / 2 : cols > REST ? cols - REST : 0;
	if (room > text.longest)
		room = text.longest;
	if (room > text.address)
		text.address = room;
	return text;
}

/* Between the two runs it looks as it does in tcpfsm trace. */
static size_t line(struct ui *u, uint64_t row, char buf[TEXT_MAX], struct out_run run[2])
{
	const struct tcpfsm_event *ev = top_log_at(&u->top, row);
	struct text text = text_here(u);
	size_t len;

	if (!ev)
		return 0;
	len = text_event(&text, ev, buf);
	u->text.longest = text.longest;
	len -= len && buf[len - 1] == '\n';
	buf[len] = '\0';
	run[0] = (struct out_run) { text.ink_from, text.ink };
	run[1] = (struct out_run) { text.ink_to, ATTR_PLAIN };
	return len;
}

static size_t text(struct ui *u, uint64_t row, char *buf, size_t size)
{
	char full[TEXT_MAX];
	struct out_run run[2];
	size_t len = line(u, row, full, run);

	if (len >= size)
		len = size - 1;
	memcpy(buf, full, len);
	buf[len] = '\0';
	return len;
}

static int fixed(struct ui *u)
{
	return u->drilled ? 2 : 1;
}

static void draw(struct ui *u, struct grid *g, struct area a)
{
	struct place *p = &u->place[VIEW_LOG];
	uint64_t first, end = rows(u, &first), row = ui_list_top(u, a.rows - fixed(u));
	struct text heading = text_here(u);
	struct out_run run[2];
	char buf[TEXT_MAX];
	size_t len;
	int y, x;

	if (u->drilled) {
		snprintf(buf, sizeof(buf), "%" PRIu64 " went this way in the last %u records; Backspace leads back", end - first, TOP_LOG);
		grid_text(g, 0, a.y++, ATTR_DIM, buf);
		a.rows--;
	}
	len = text_header(&heading, buf);
	page_draw_line(g, a.y, p->left, buf, len, NULL, 0);
	for (x = 0; x < g->cols; x++)
		grid_cell(g, x, a.y)->attr = ATTR_BOLD;
	for (y = a.y + 1; y < a.y + a.rows && row < end; y++, row++) {
		len = line(u, row, buf, run);
		page_draw_line(g, y, p->left, buf, len, run, row == p->cursor ? 0 : 2);
		for (x = 0; row == p->cursor && !p->follow && x < g->cols; x++)
			grid_cell(g, x, y)->attr = ATTR_TITLE;
	}
	if (end == first)
		grid_text(g, 2, a.y + 2, ATTR_DIM, u->top.filtered || u->drilled ?
			  "nothing that passes the filter yet" : "nothing has happened yet");
}

static void enter(struct ui *u, uint64_t row)
{
	const struct tcpfsm_event *ev = top_log_at(&u->top, row);
	char name[2 * 64 + 8], *p;

	if (!ev || !ev->rec.conn || !ev->rec.rport) {
		ui_say(u, "no connection in this line");
		return;
	}
	p = put_address(name, &ev->rec, ev->rec.laddr, ev->rec.lport);
	*put_address(put(p, " - "), &ev->rec, ev->rec.raddr, ev->rec.rport) = '\0';
	ui_show_ladder(u, ev->rec.conn, name);
}

const struct view_ops view_log = {
	.name = "Log",
	.keys = "/ search|Enter ladder",
	.refresh_ms = 200,
	.cursor = true,
	.newest_last = true,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
	.enter = enter,
};
