// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "screen.h"
#include "source/clock.h"

struct screen screen_begin(bool redraw)
{
	struct screen s = { .eol = "\n", .left = SIZE_MAX };
	struct winsize w;
	static bool drawn;

	if (redraw) {
		s.eol = "\033[K\n";
		s.left = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row > 8 ? w.ws_row - 2U : SIZE_MAX;
		/* Too long a line must not make two. */
		out_printf("\033[?7l\033[H%s", drawn ? "" : "\033[2J");
		drawn = true;
	}
	return s;
}

void screen_end(bool redraw, uint64_t interval, size_t hidden, const char *what)
{
	if (hidden)
		out_printf("... and %zu more %s%s%s", hidden, what, hidden == 1 ? "" : "s",
			   redraw ? "\033[K\n" : "\n");
	if (redraw)
		out_printf("\033[J\033[?7h");
	else if (interval)
		out_printf("\n");
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
