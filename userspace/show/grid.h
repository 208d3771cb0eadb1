/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A picture made of characters, before it goes to a terminal or into a text.
 * It knows neither; what cannot be said in ASCII has a code of its own.
 */
#ifndef TCPFSM_SHOW_GRID_H
#define TCPFSM_SHOW_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a cell looks; a terminal without colours tells them apart as it can. */
enum attr {
	ATTR_PLAIN,
	ATTR_DIM,
	ATTR_BOLD,
	ATTR_TITLE,			/* the line at the top */
	ATTR_BOX,			/* a state */
	ATTR_BOX_HOT,			/* that is entered or left now */
	ATTR_OPEN,			/* on the way to ESTABLISHED, lately */
	ATTR_OPEN_HOT,			/* now */
	ATTR_CLOSE,			/* on the way from it */
	ATTR_CLOSE_HOT,
	ATTR_BAD,			/* an end that is not in the figure */
	ATTR_BAD_HOT,
	NATTRS
};

/*
 * Parts of lines, bit by bit, and below the blank other signs.  No code is that of a newline:
 * lines of them can be kept as text.
 */
#define G_LINE		0x80		/* flag of all parts of lines */
#define G_NORTH		0x81
#define G_EAST		0x82
#define G_SOUTH		0x84
#define G_WEST		0x88
#define G_DOTTED	0x40		/* flag of parts of lines */
#define G_HEAD_NORTH	0x10
#define G_HEAD_EAST	0x11
#define G_HEAD_SOUTH	0x12
#define G_HEAD_WEST	0x13
#define G_CROSS		0x14
#define G_ARROW		0x15
#define G_DOT		0x16
#define G_BAR		0x17		/* to 0x1e: an eighth of a cell from below, to all of it */
/* The same as strings. */
#define S_HEAD_EAST	"\x11"
#define S_HEAD_WEST	"\x13"
#define S_CROSS		"\x14"
#define S_ARROW		"\x15"
#define S_DOT		"\x16"
#define S_ACROSS	"\x8a"		/* east and west */
#define S_DOTTED	"\xca"
#define S_DOWN		"\x85"		/* north and south */

struct cell {
	uint8_t ch;			/* ASCII or G_* */
	uint8_t attr;			/* enum attr */
};

struct grid {
	int cols, rows;
	struct cell *cells;
};

/* Makes it blank and so large.  Return: 0 or -ENOMEM (the grid is then empty). */
int grid_init(struct grid *g, int cols, int rows);
void grid_free(struct grid *g);

static inline struct cell *grid_cell(const struct grid *g, int x, int y)
{
	return &g->cells[(size_t)y * (size_t)g->cols + (size_t)x];
}

/* What lies outside of the grid is not drawn.  Strings: printable ASCII and S_*. */
void grid_text(struct grid *g, int x, int y, enum attr attr, const char *s);
void grid_fill(struct grid *g, int x, int y, int n, enum attr attr, char ch);
/* From one cell to another in the same row or column, joined with what is there. */
void grid_line(struct grid *g, int x0, int y0, int x1, int y1, enum attr attr, bool dotted);
/* A part of a line in one cell, likewise. */
void grid_join(struct grid *g, int x, int y, enum attr attr, uint8_t parts);
void grid_put(struct grid *g, int x, int y, enum attr attr, uint8_t ch);

#define GRID_GLYPH_MAX	3		/* bytes */

/*
 * Cells of row y from x on that look the same, at most room / GRID_GLYPH_MAX.
 * Return: how many; their text, as UTF-8 or ASCII, is in buf, *len bytes, no NUL.
 */
int grid_run(const struct grid *g, int x, int y, bool utf8, char *buf, size_t room, size_t *len);
/* Columns of row y without the blanks at its end. */
int grid_used(const struct grid *g, int y);

#endif /* TCPFSM_SHOW_GRID_H */
