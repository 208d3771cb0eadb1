/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the state diagram is drawn: the places of the RFC's figure, stretched to
 * the room there is, on a grid of characters.
 */
#ifndef TCPFSM_SHOW_FIGURE_H
#define TCPFSM_SHOW_FIGURE_H

#include "diagram.h"
#include "grid.h"
#include "source/clock.h"

/* Smallest figure; with the lines around it, 80x24. */
#define FIGURE_COLS	80
#define FIGURE_ROWS	20

#define FIGURE_BOXES	12		/* CLOSE is there twice, */
#define FIGURE_CLOSED	"CLOSED"	/* as the RFC has it: CLOSE is what the user calls, at its arrows */
#define FIGURE_CORNERS	4

#define FIGURE_FILTER_MAX 200

/* The columns and rows where things are. */
struct figure {
	int cols, rows;			/* used, of those asked for */
	int x0, y0;			/* its first column and row */
	int box_cols, box_rows, gap;
};

struct figure_box {
	uint8_t state;
	int x, y;
};

/* From the cell next to one box to the one next to another; the last is the head. */
struct figure_route {
	int n;
	bool dotted;			/* Linux never takes it */
	uint8_t source;			/* where its box lies, as part of a line */
	struct { int x, y; } at[FIGURE_CORNERS];
};

/* Room for a text: columns x to end - 1 of so many rows. */
struct figure_slot {
	int x, end, y, rows;
	enum { LEFT, CENTRE, RIGHT } align;
	bool hangs;			/* fewer rows than there are are the lower ones */
	bool on_line;			/* of which something should be left to see */
};

/* False: there is too little room. */
bool figure_fit(struct figure *f, int cols, int rows);
struct figure_box figure_box(const struct figure *f, int i);
struct figure_route figure_route(const struct figure *f, enum diagram_arrow i);
/* Number.rows is 0 when the words and the number share a place. */
void figure_arrow_slots(const struct figure *f, enum diagram_arrow i, struct figure_slot *words,
			struct figure_slot *number);
/* False: the state has none. */
bool figure_exit_slot(const struct figure *f, uint8_t state, struct figure_slot *slot);

/* What can be chosen in it: boxes, arrows, and exits that somebody took; by number. */
#define FIGURE_ARROWS	FIGURE_BOXES
#define FIGURE_EXITS	(FIGURE_ARROWS + NARROWS)
#define FIGURE_SPOTS	(FIGURE_EXITS + DIAGRAM_STATES)

/* Where one is.  False: it is not there. */
bool figure_spot(const struct figure *f, const struct diagram *d, unsigned int i, struct figure_slot *slot);
/* The next one in a direction; if there is none, the same. */
unsigned int figure_spot_next(const struct figure *f, const struct diagram *d, unsigned int from, int dx, int dy);
/*
 * What it stands for as a filter: of a box the state, else the transitions that were counted.  False: there
 * were none.
 */
bool figure_spot_filter(const struct diagram *d, unsigned int i, char buf[FIGURE_FILTER_MAX]);

/* ---- texts ----------------------------------------------------------------------- */

#define FIGURE_TEXT_MAX	160

/* The words of an arrow, in the longest form that fits. */
void figure_words(char buf[FIGURE_TEXT_MAX], enum diagram_arrow a, const struct figure_slot *s);
/* The most telling form of a number and a rate that fits into so many columns. */
void figure_number(char buf[FIGURE_TEXT_MAX], uint64_t n, uint64_t rate, int room);
/*
 * What became of those who left a state in another way, in so many rows of so
 * many columns.  Return: rows used, 0: nobody did.
 */
int figure_exits(const struct diagram *d, uint8_t state, uint64_t now, int room, int rows,
		 char text[][FIGURE_TEXT_MAX], bool *full);
/* The odd ones, in one line; false: there are none. */
bool figure_odd(const struct diagram *d, int room, char text[FIGURE_TEXT_MAX]);

/* ---- drawing ------------------------------------------------------------------------ */

/* Lately and now. */
#define FIGURE_HOT_NS	NSEC_PER_SEC
#define FIGURE_WARM_NS	5000000000ULL

/* The figure as it is at a time. */
void figure_draw(const struct figure *f, struct grid *g, const struct diagram *d, uint64_t now);

/* The way to ESTABLISHED, as against the way from it. */
bool figure_is_open(enum diagram_arrow a);

struct svg;

#define FIGURE_SVG_WIDTH	1100
#define FIGURE_SVG_HEIGHT	780

/* Into an empty picture of that size; title: of the whole, in one line. */
void figure_svg(struct svg *s, const struct diagram *d, const char *title);

#endif /* TCPFSM_SHOW_FIGURE_H */
