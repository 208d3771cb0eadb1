// SPDX-License-Identifier: GPL-2.0-only
/* The diagram of RFC 9293 within tcpfsm top. */
#include <stdio.h>
#include <string.h>

#include "../show/figure.h"
#include "ui.h"

static bool fit(const struct ui *u, struct figure *f)
{
	struct area a = ui_body(u);

	if (!figure_fit(f, u->grid.cols, a.rows - 1))
		return false;
	f->y0 += a.y;
	return true;
}

/* What is chosen stands out: a box, or the words between the lines. */
static void draw_chosen(struct ui *u, const struct figure *f, struct grid *g)
{
	struct figure_slot s;
	int x, y, end;

	if (!figure_spot(f, &u->top.diagram, u->spot, &s)) {
		u->spot = 0;
		return;
	}
	y = s.y + (u->spot < FIGURE_ARROWS ? s.rows / 2 : 0);
	for (x = s.x; x < s.end && (grid_cell(g, x, y)->ch <= ' ' || grid_cell(g, x, y)->ch & G_LINE); x++)
		;
	for (end = s.end; end > x && (grid_cell(g, end - 1, y)->ch <= ' ' || grid_cell(g, end - 1, y)->ch & G_LINE); end--)
		;
	for (; x < end; x++)
		grid_cell(g, x, y)->attr = ATTR_TITLE;
}

static void draw(struct ui *u, struct grid *g, struct area a)
{
	struct diagram *d = &u->top.diagram;
	char text[FIGURE_TEXT_MAX], at[32];
	struct figure f;

	if (!fit(u, &f)) {
		snprintf(text, sizeof(text), "the diagram needs %dx%d, this terminal has %dx%d",
			 FIGURE_COLS, FIGURE_ROWS + g->rows - a.rows + 1, g->cols, g->rows);
		grid_text(g, 0, a.y, ATTR_BOLD, text);
		return;
	}
	memcpy(d->population, u->top.list.population, sizeof(d->population));
	figure_draw(&f, g, d, u->now);
	draw_chosen(u, &f, g);
	if (figure_odd(d, g->cols, text))
		grid_text(g, 0, a.y + a.rows - 1, ATTR_BAD_HOT, text);
	else
		grid_text(g, 0, a.y + a.rows - 1, ATTR_DIM,
			  "[STATE sockets now]  n +last second/s  " S_CROSS " to " FIGURE_CLOSED " otherwise");
	/* Who came before that is not among the arrows, and may go by one. */
	if (d->first && !d->odd.n) {
		snprintf(text, sizeof(text), "since %s", when(d->first, 0, "%T", at));
		grid_text(g, g->cols - (int)strlen(text), a.y + a.rows - 1, ATTR_DIM, text);
	}
}

/*
 * Of a box those that are in the state; of an arrow its transitions, which Log has: where those are by now who
 * took it, no state says.
 */
static void enter(struct ui *u, uint64_t row)
{
	char filter[FIGURE_FILTER_MAX];
	struct figure f;

	(void)row;
	if (!fit(u, &f))
		return;
	if (!figure_spot_filter(&u->top.diagram, u->spot, filter))
		ui_say(u, "nobody went that way while this was counted");
	else if (u->spot >= FIGURE_ARROWS)
		ui_show_some(u, VIEW_LOG, filter);
	else if (figure_box(&f, (int)u->spot).state == TCPFSM_STATE_LISTEN)
		ui_show_some(u, VIEW_LISTENERS, "");
	else
		ui_show_some(u, VIEW_CONNS, filter);
}

static bool click(struct ui *u, int x, int y)
{
	struct figure_slot s;
	struct figure f;
	unsigned int i;

	if (!fit(u, &f))
		return false;
	for (i = 0; i < FIGURE_SPOTS; i++) {
		if (!figure_spot(&f, &u->top.diagram, i, &s) || x < s.x || x >= s.end || y < s.y || y >= s.y + s.rows)
			continue;
		if (i == u->spot)
			enter(u, 0);
		u->spot = i;
		return true;
	}
	return false;
}

static bool key(struct ui *u, int k)
{
	static const struct { int key, letter, dx, dy; } ways[] = {
		{ TERM_UP, 'k', 0, -1 }, { TERM_DOWN, 'j', 0, 1 }, { TERM_LEFT, 'h', -1, 0 }, { TERM_RIGHT, 'l', 1, 0 },
	};
	struct figure f;
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (k != ways[i].key && k != ways[i].letter)
			continue;
		if (fit(u, &f))
			u->spot = figure_spot_next(&f, &u->top.diagram, u->spot, ways[i].dx, ways[i].dy);
		return true;
	}
	if (k != 'r' && k != 'z')
		return false;
	diagram_reset(&u->top.diagram);
	return true;
}

const struct view_ops view_diagram = {
	.name = "Diagram",
	.keys = "arrows choose|Enter who|z zero",
	.refresh_ms = 200,
	.draw = draw,
	.key = key,
	.enter = enter,
	.click = click,
};
