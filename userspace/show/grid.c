// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"

int grid_init(struct grid *g, int cols, int rows)
{
	size_t n = (size_t)cols * (size_t)rows, i;

	if (g->cols != cols || g->rows != rows) {
		grid_free(g);
		g->cells = malloc(n * sizeof(*g->cells));
		if (!g->cells)
			return -ENOMEM;
		g->cols = cols;
		g->rows = rows;
	}
	for (i = 0; i < n; i++)
		g->cells[i] = (struct cell) { ' ', ATTR_PLAIN };
	return 0;
}

void grid_free(struct grid *g)
{
	free(g->cells);
	memset(g, 0, sizeof(*g));
}

void grid_put(struct grid *g, int x, int y, enum attr attr, uint8_t ch)
{
	if (x >= 0 && x < g->cols && y >= 0 && y < g->rows)
		*grid_cell(g, x, y) = (struct cell) { ch, attr };
}

void grid_text(struct grid *g, int x, int y, enum attr attr, const char *s)
{
	for (; *s; s++)
		grid_put(g, x++, y, attr, (uint8_t)*s);
}

void grid_fill(struct grid *g, int x, int y, int n, enum attr attr, char ch)
{
	while (n-- > 0)
		grid_put(g, x++, y, attr, (uint8_t)ch);
}

static bool is_line(uint8_t ch)
{
	return ch & G_LINE;
}

void grid_join(struct grid *g, int x, int y, enum attr attr, uint8_t ch)
{
	uint8_t old;

	if (x < 0 || x >= g->cols || y < 0 || y >= g->rows)
		return;
	old = grid_cell(g, x, y)->ch;
	if (is_line(old)) {
		/* Where one of them is solid, both are. */
		if (!(old & ch & G_DOTTED))
			ch &= (uint8_t)~G_DOTTED;
		ch |= old & 0x0f;
	}
	grid_put(g, x, y, attr, ch);
}

void grid_line(struct grid *g, int x0, int y0, int x1, int y1, enum attr attr, bool dotted)
{
	int dx = (x1 > x0) - (x1 < x0), dy = (y1 > y0) - (y1 < y0);
	uint8_t ahead = dx > 0 ? G_EAST : dx < 0 ? G_WEST : dy > 0 ? G_SOUTH : G_NORTH;
	uint8_t behind = dx > 0 ? G_WEST : dx < 0 ? G_EAST : dy > 0 ? G_NORTH : G_SOUTH;
	uint8_t flag = dotted ? G_DOTTED : 0;

	for (; x0 != x1 || y0 != y1; x0 += dx, y0 += dy) {
		grid_join(g, x0, y0, attr, flag | ahead);
		grid_join(g, x0 + dx, y0 + dy, attr, flag | behind);
	}
}

/* By bits: north 1, east 2, south 4, west 8. */
static const char * const solid[16] = {
	" ", "╵", "╶", "└", "╷", "│", "┌", "├", "╴", "┘", "─", "┴", "┐", "┤", "┬", "┼",
};
static const char solid_ascii[] = " |-+||++-+-+++++";

static const char * const signs[] = { "▲", "►", "▼", "◄", "×", "→", "·" };
static const char signs_ascii[] = "^>v<x>,";

static const char * const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char bars_ascii[] = "..::||##";

static const char *glyph(uint8_t ch, bool utf8, char one[2])
{
	one[1] = '\0';
	if (is_line(ch)) {
		uint8_t parts = ch & (uint8_t)~G_DOTTED;

		if (ch & G_DOTTED && parts == (G_NORTH | G_SOUTH))
			return utf8 ? "╎" : ":";
		if (ch & G_DOTTED && parts == (G_EAST | G_WEST))
			return utf8 ? "╌" : ".";
		if (utf8)
			return solid[parts & 0x0f];
		one[0] = solid_ascii[parts & 0x0f];
		return one;
	}
	if (ch >= G_HEAD_NORTH && ch <= G_DOT) {
		if (utf8)
			return signs[ch - G_HEAD_NORTH];
		one[0] = signs_ascii[ch - G_HEAD_NORTH];
		return one;
	}
	if (ch >= G_BAR && ch < G_BAR + 8) {
		if (utf8)
			return bars[ch - G_BAR];
		one[0] = bars_ascii[ch - G_BAR];
		return one;
	}
	/* Nothing else may reach the terminal's ears. */
	one[0] = ch < ' ' || ch == 0x7f ? '?' : (char)ch;
	return one;
}

int grid_run(const struct grid *g, int x, int y, bool utf8, char *buf, size_t room, size_t *len)
{
	const struct cell *c = grid_cell(g, x, y);
	int n = 0;

	*len = 0;
	while (x + n < g->cols && c[n].attr == c[0].attr && *len + GRID_GLYPH_MAX <= room) {
		char one[2];
		const char *s = glyph(c[n].ch, utf8, one);
		size_t bytes = strlen(s);

		memcpy(buf + *len, s, bytes);
		*len += bytes;
		n++;
	}
	return n;
}

int grid_used(const struct grid *g, int y)
{
	int n = g->cols;

	while (n && grid_cell(g, n - 1, y)->ch == ' ')
		n--;
	return n;
}
