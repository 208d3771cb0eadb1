// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "screen.h"
#include "source/clock.h"

struct screen screen_begin(struct out *o, bool redraw)
{
	struct screen s = { .out = o, .eol = "\n", .left = SIZE_MAX };
	struct winsize w;

	if (redraw) {
		s.eol = "\033[K\n";
		s.left = !ioctl(o->fd, TIOCGWINSZ, &w) && w.ws_row > 8 ? w.ws_row - 2U : SIZE_MAX;
		/* Too long a line must not make two. */
		out_printf(o, "\033[?7l\033[H%s", o->drawn ? "" : "\033[2J");
		o->drawn = true;
	}
	return s;
}

unsigned int screen_width(const struct out *o)
{
	struct winsize w;

	return !ioctl(o->fd, TIOCGWINSZ, &w) ? w.ws_col : 0;
}

unsigned int screen_first(unsigned int width, size_t longest, unsigned int least, unsigned int rest)
{
	return longest > least && (!width || longest + rest <= width) ? (unsigned int)longest : least;
}

void screen_put_first(const struct screen *s, const char *text, unsigned int first)
{
	if (screen_folds(text, first)) {
		out_printf(s->out, "%s%s", text, s->eol);
		text = "";
	}
	out_printf(s->out, "%-*s", (int)first, text);
}

void screen_end(const struct screen *s, bool redraw, uint64_t interval, size_t hidden,
		const char *what)
{
	if (hidden)
		out_printf(s->out, "... and %zu more %s%s%s", hidden, what, hidden == 1 ? "" : "s",
			   redraw ? "\033[K\n" : "\n");
	if (redraw)
		out_printf(s->out, "\033[J\033[?7h");
	else if (interval)
		out_printf(s->out, "\n");
}

const char *when(uint64_t ts, int64_t epoch_offset, const char *fmt, char buf[32])
{
	time_t t = (time_t)((ts + (uint64_t)epoch_offset) / NSEC_PER_SEC);
	struct tm tm;

	strftime(buf, 32, fmt, localtime_r(&t, &tm));
	return buf;
}

const char *count_text(uint64_t n, char buf[32])
{
	static const char units[] = "kMGTPE";
	unsigned int unit = 0;
	double v = (double)n;

	if (n < 1000000) {
		snprintf(buf, 32, "%" PRIu64, n);
		return buf;
	}
	for (v /= 1000; v >= 999.5; v /= 1000)
		unit++;
	snprintf(buf, 32, v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[unit]);
	return buf;
}

static bool is_listed(const struct folds *f, uint32_t netns, size_t *at)
{
	for (*at = 0; *at < f->n; ++*at)
		if (f->netns[*at] == netns)
			return true;
	return false;
}

bool folds_has(const struct folds *f, uint32_t netns)
{
	size_t at;

	return f && is_listed(f, netns, &at) != f->all;
}

bool folds_toggle(struct folds *f, uint32_t netns)
{
	size_t at;

	if (is_listed(f, netns, &at))
		f->netns[at] = f->netns[--f->n];
	else if (f->n < sizeof(f->netns) / sizeof(*f->netns))
		f->netns[f->n++] = netns;
	else
		return false;
	return true;
}
