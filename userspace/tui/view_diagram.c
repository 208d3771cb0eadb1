// SPDX-License-Identifier: GPL-2.0-only
/* The diagram of RFC 9293 within tcpfsm top. */
#include <stdio.h>
#include <string.h>

#include "../show/figure.h"
#include "ui.h"

static void draw(struct ui *u, struct grid *g, struct area a)
{
	struct diagram *d = &u->top.diagram;
	char text[FIGURE_TEXT_MAX];
	struct figure f;

	if (!figure_fit(&f, g->cols, a.rows - 1)) {
		snprintf(text, sizeof(text), "the diagram needs %dx%d, this terminal has %dx%d",
			 FIGURE_COLS, FIGURE_ROWS + g->rows - a.rows + 1, g->cols, g->rows);
		grid_text(g, 0, a.y, ATTR_BOLD, text);
		return;
	}
	f.y0 += a.y;
	memcpy(d->population, u->top.list.population, sizeof(d->population));
	figure_draw(&f, g, d, u->now);
	if (figure_odd(d, g->cols, text))
		grid_text(g, 0, a.y + a.rows - 1, ATTR_BAD_HOT, text);
	else
		grid_text(g, 0, a.y + a.rows - 1, ATTR_DIM,
			  "[STATE sockets now]  n +last second/s  " S_CROSS " to CLOSE otherwise");
}

static bool key(struct ui *u, int k)
{
	if (k != 'r' && k != 'z')
		return false;
	diagram_reset(&u->top.diagram);
	return true;
}

const struct view_ops view_diagram = {
	.name = "Diagram",
	.keys = "z zero",
	.refresh_ms = 200,
	.draw = draw,
	.key = key,
};
