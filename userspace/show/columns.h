/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table whose columns are as wide as what is in them.  Where a line would be too long for the
 * screen, what comes first stands in a line of its own: nothing is cut off.
 */
#ifndef TCPFSM_SHOW_COLUMNS_H
#define TCPFSM_SHOW_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "out.h"

#define COLUMNS_MAX	16

struct column_head {
	const char *title;		/* NULL: the column is left out, cells and all */
	bool left;			/* words: they begin where the title does */
};

struct columns {
	const struct column_head *head;
	unsigned int n;			/* columns */
	unsigned int lead;		/* so many, at the left, may have a line of their own */
	unsigned int at;		/* the next cell's column */
	char *text;			/* cells, one after the other, each with a NUL */
	size_t used, room;
	int err;			/* -ENOMEM */
};

void columns_begin(struct columns *t, const struct column_head *head, unsigned int n, unsigned int lead);
/* The next cell, from left to right. */
void columns_cell(struct columns *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line below the row that has just been filled in. */
void columns_note(struct columns *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What the row that comes is about, see out_mark(). */
void columns_mark(struct columns *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Writes it: lines end in @eol.  @width: columns of the screen; 0: as wide as it may be.  @lines: how many
 * there is room for, taken off; a row that has none is left out, and all after it: *hidden says how many.
 * Return: 0 or -ENOMEM.
 */
int columns_end(struct columns *t, struct out *o, const char *eol, unsigned int width, size_t *lines,
		size_t *hidden);

#endif /* TCPFSM_SHOW_COLUMNS_H */
