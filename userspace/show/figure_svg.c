// SPDX-License-Identifier: GPL-2.0-only
/* The state diagram as a picture: the same places, a cell being so many pixels. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "svg.h"
#include "figure.h"

#define COLS		132
#define ROWS		40
#define CELL_X		8
#define CELL_Y		17
#define MARGIN		20
#define TOP		50		/* the title */

/* Middle of a cell. */
#define X(x)		((x) * CELL_X + CELL_X / 2)
#define Y(y)		((y) * CELL_Y + CELL_Y / 2)
#define BASE_LINE	5		/* below the middle */
#define HEAD_GAP	2		/* between an arrow and its box */

static const char css[] =
	".open{color:#16703c}.close{color:#9a5b00}.bad{color:#c01c28}.never{color:#a8a8a8}\n"
	"line{stroke-linecap:round}.dotted{stroke-dasharray:2 5}\n"
	".w1{stroke-width:1.7}.w2{stroke-width:2.1}.w3{stroke-width:2.5}.w4{stroke-width:2.9}\n"
	".label{stroke:#fff;stroke-width:5px;stroke-linejoin:round;paint-order:stroke}\n"
	".n,.state,.title{font-weight:bold}.title{font-size:16px}.note{color:#666}\n"
	".some{fill:#e3eefa}\n";

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* The more often, the thicker: a step for each two digits. */
static int thickness(uint64_t n)
{
	int w = 0;

	for (; n >= 10 && w < 4; n /= 100)
		w++;
	return w;
}

static void put_route(struct svg *s, const struct figure *f, enum diagram_arrow a,
		      const char *class)
{
	struct figure_route r = figure_route(f, a);
	int px[FIGURE_CORNERS], py[FIGURE_CORNERS], i, last = r.n - 1;
	int dx = sign(r.at[last].x - r.at[last - 1].x), dy = sign(r.at[last].y - r.at[last - 1].y);

	for (i = 0; i < r.n; i++) {
		px[i] = X(r.at[i].x);
		py[i] = Y(r.at[i].y);
	}
	/* From frame to frame; the corner of a way that begins with a turn remains. */
	px[last] += dx * (CELL_X - HEAD_GAP);
	py[last] += dy * (CELL_Y - HEAD_GAP);
	svg_line(s, px[0], py[0],
		 px[0] + (r.source == G_EAST ? CELL_X : r.source == G_WEST ? -CELL_X : 0),
		 py[0] + (r.source == G_SOUTH ? CELL_Y : r.source == G_NORTH ? -CELL_Y : 0),
		 SVG_PLAIN, class);
	for (i = 0; i < last; i++)
		svg_line(s, px[i], py[i], px[i + 1], py[i + 1],
			 i + 1 == last ? SVG_HEAD : SVG_PLAIN, class);
}

static void put_text(struct svg *s, const struct figure_slot *slot, int row, bool above,
		     const char *class, const char *text)
{
	/* A line would show through the blanks of what stands on it. */
	int y = Y(slot->y + row) + (above ? -BASE_LINE : BASE_LINE);

	switch (slot->align) {
	case LEFT:
		svg_text(s, slot->x * CELL_X, y, "start", class, text);
		break;
	case CENTRE:
		svg_text(s, (slot->x + slot->end) * CELL_X / 2, y, "middle", class, text);
		break;
	case RIGHT:
		svg_text(s, slot->end * CELL_X, y, "end", class, text);
		break;
	}
}

static const char *arrow_class(const struct diagram *d, enum diagram_arrow a)
{
	return !d->arrow[a].n ? "never" : figure_is_open(a) ? "open" : "close";
}

static void put_line(struct svg *s, const struct figure *f, const struct diagram *d,
		     enum diagram_arrow a)
{
	char class[32];

	snprintf(class, sizeof(class), "w%d%s", thickness(d->arrow[a].n),
		 figure_route(f, a).dotted ? " dotted" : "");
	svg_begin(s, 0, 0, arrow_class(d, a));
	put_route(s, f, a, class);
	svg_end(s);
}

static void put_label(struct svg *s, const struct figure *f, const struct diagram *d,
		      enum diagram_arrow a)
{
	char text[FIGURE_TEXT_MAX], n[24];
	struct figure_slot words, number;

	figure_arrow_slots(f, a, &words, &number);
	snprintf(n, sizeof(n), "%" PRIu64, d->arrow[a].n);
	svg_begin(s, 0, 0, arrow_class(d, a));
	snprintf(text, sizeof(text), "%s \xe2\x86\x92 %s: %s",
		 tcpfsm_state_name(diagram_arrow[a].old_state),
		 tcpfsm_state_name(diagram_arrow[a].new_state), n);
	svg_title(s, text);
	figure_words(text, a, &words);
	if (number.rows) {
		put_text(s, &number, 0, number.on_line, "label n", n);
	} else {
		strcat(text, " ");
		strcat(text, n);
	}
	put_text(s, &words, 0, words.on_line, number.rows ? "label" : "label n", text);
	svg_end(s);
}

static void put_exits(struct svg *s, const struct figure *f, const struct diagram *d, uint8_t state)
{
	char text[2][FIGURE_TEXT_MAX], line[FIGURE_TEXT_MAX + 4];
	struct figure_slot slot;
	int i, n;
	bool full;

	if (!figure_exit_slot(f, state, &slot))
		return;
	n = figure_exits(d, state, 0, slot.end - slot.x, slot.rows, text, &full);
	if (!n)
		return;
	if (slot.hangs)
		slot.y += slot.rows - n;
	svg_begin(s, 0, 0, "bad");
	snprintf(line, sizeof(line), "%s \xe2\x86\x92 " FIGURE_CLOSED " otherwise: %" PRIu64,
		 tcpfsm_state_name(state), d->exit[state].n);
	svg_title(s, line);
	for (i = 0; i < n; i++) {
		/* The first begins with S_CROSS. */
		snprintf(line, sizeof(line), "%s%s", i ? " " : "\xc3\x97", text[i] + 1);
		put_text(s, &slot, i, false, "label", line);
	}
	svg_end(s);
}

static void put_box(struct svg *s, const struct figure *f, const struct diagram *d, int i)
{
	struct figure_box b = figure_box(f, i);
	int w = (f->box_cols - 1) * CELL_X, h = (f->box_rows - 1) * CELL_Y;
	uint64_t n = d->population[b.state];
	const char *name = tcpfsm_state_name(b.state);
	char text[FIGURE_TEXT_MAX];

	svg_begin(s, X(b.x), Y(b.y), NULL);
	svg_box(s, 0, 0, w, h, 6, b.state != TCPFSM_STATE_CLOSE && n ? "some" : "");
	if (b.state == TCPFSM_STATE_CLOSE) {
		svg_text(s, w / 2, h / 2 + BASE_LINE, "middle", "state", FIGURE_CLOSED);
	} else {
		svg_text(s, CELL_X, h / 2 + BASE_LINE, "start", "state", name);
		figure_number(text, n, 0, f->box_cols - 4 - (int)strlen(name));
		svg_text(s, w - CELL_X, h / 2 + BASE_LINE, "end", "n", text);
	}
	svg_end(s);
}

void figure_svg(struct svg *s, const struct diagram *d, const char *title)
{
	char text[FIGURE_TEXT_MAX], *p;
	struct figure f;
	int i, y;

	figure_fit(&f, COLS, ROWS);
	svg_style(s, css);
	svg_title(s, title);
	svg_text(s, MARGIN, MARGIN + 12, "start", "title", title);
	svg_begin(s, MARGIN, TOP, NULL);
	/* What was never taken lies below. */
	for (i = 0; i < NARROWS; i++)
		if (!d->arrow[i].n)
			put_line(s, &f, d, i);
	for (i = 0; i < NARROWS; i++)
		if (d->arrow[i].n)
			put_line(s, &f, d, i);
	for (i = 0; i < FIGURE_BOXES; i++)
		put_box(s, &f, d, i);
	for (i = 0; i < NARROWS; i++)
		put_label(s, &f, d, i);
	for (i = 0; i < DIAGRAM_STATES; i++)
		put_exits(s, &f, d, (uint8_t)i);

	y = Y(ROWS) + 2 * BASE_LINE;
	svg_text(s, 0, y, "start", "note", "In a box: sockets in this state now. At an arrow: "
		 "how often. \xc3\x97: to " FIGURE_CLOSED " otherwise. Dotted: not by Linux.");
	if (figure_odd(d, COLS, text)) {
		for (p = text; (p = strchr(p, S_ARROW[0])); )
			*p = '>';
		svg_text(s, 0, y + CELL_Y, "start", "bad", text);
	}
	if (d->lost) {
		snprintf(text, sizeof(text), "%" PRIu64 " records were lost: not all is counted.",
			 d->lost);
		svg_text(s, COLS * CELL_X, y + CELL_Y, "end", "bad", text);
	}
	svg_end(s);
}
