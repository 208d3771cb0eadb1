/* SPDX-License-Identifier: GPL-2.0-only */
/* What presenters that show a picture again and again share. */
#ifndef TCPFSM_SHOW_SCREEN_H
#define TCPFSM_SHOW_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "out.h"

/* A terminal is drawn over from its top, and has so many lines. */
struct screen {
	struct out *out;
	const char *eol;
	size_t left;
};

struct screen screen_begin(struct out *o, bool redraw);
/* hidden: how many of what did not fit; interval: 0: nothing comes after it. */
void screen_end(const struct screen *s, bool redraw, uint64_t interval, size_t hidden,
		const char *what);

/* Columns of the terminal; 0: it is none. */
unsigned int screen_width(const struct out *o);
/*
 * How wide the first column is: as its longest text, unless the screen (of @width columns; 0: it is none)
 * has no room for that beside @rest more.  @least: what it is at least.
 */
unsigned int screen_first(unsigned int width, size_t longest, unsigned int least, unsigned int rest);
/* Does a text that is longer need a line of its own? */
static inline bool screen_folds(const char *s, unsigned int first)
{
	return strlen(s) > first;
}
/* The first column. */
void screen_put_first(const struct screen *s, const char *text, unsigned int first);
/* Network namespaces of which there is a line each, and no more. */
struct folds {
	uint32_t netns[64];
	size_t n;
	bool all;			/* but these */
};

bool folds_has(const struct folds *f, uint32_t netns);
/* Return: false: there is no room for one more. */
bool folds_toggle(struct folds *f, uint32_t netns);

/* ts: CLOCK_MONOTONIC, with its offset; fmt: strftime(). */
const char *when(uint64_t ts, int64_t epoch_offset, const char *fmt, char buf[32]);
/* At most 6 columns. */
const char *count_text(uint64_t n, char buf[32]);

#endif /* TCPFSM_SHOW_SCREEN_H */
