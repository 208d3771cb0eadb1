/* SPDX-License-Identifier: GPL-2.0-only */
/* What presenters that show a picture again and again share. */
#ifndef TCPFSM_SHOW_SCREEN_H
#define TCPFSM_SHOW_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* ts: CLOCK_MONOTONIC, with its offset; fmt: strftime(). */
/* Columns of the terminal; 0: it is none. */
unsigned int screen_width(const struct out *o);
const char *when(uint64_t ts, int64_t epoch_offset, const char *fmt, char buf[32]);
/* At most 6 columns. */
const char *count_text(uint64_t n, char buf[32]);

#endif /* TCPFSM_SHOW_SCREEN_H */
