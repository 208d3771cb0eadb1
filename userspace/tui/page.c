// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

void page_begin(struct page *p)
{
	out_capture(&p->text);
}

int page_end(struct page *p)
{
	const char *s, *end;
	size_t n = 1;

	out_capture(NULL);
	p->nlines = 0;
	if (!p->text.s)
		return -ENOMEM;
	end = p->text.s + p->text.len;
	for (s = p->text.s; (s = memchr(s, '\n', (size_t)(end - s))); s++)
		n++;
	if (n + 1 > p->room) {
		size_t *line = realloc(p->line, (n + 64) * sizeof(*line));

		if (!line)
			return -ENOMEM;
		p->line = line;
		p->room = n + 64;
	}
	for (s = p->text.s; s < end; ) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));

		p->line[p->nlines++] = (size_t)(s - p->text.s);
		s = eol ? eol + 1 : end;
	}
	p->line[p->nlines] = p->text.len;
	return 0;
}

void page_free(struct page *p)
{
	free(p->text.s);
	free(p->line);
	memset(p, 0, sizeof(*p));
}

/* ---- characters ------------------------------------------------------------------------ */

/* What ladders are made of. */
static const struct { const char *utf8; uint8_t ch; } glyphs[] = {
	{ "─", G_EAST | G_WEST }, { "╌", G_DOTTED | G_EAST | G_WEST },
	{ "│", G_NORTH | G_SOUTH }, { "▶", G_HEAD_EAST }, { "◀", G_HEAD_WEST },
	{ "✕", G_CROSS }, { "·", G_DOT },
};

/* One character of a text.  Return: the bytes that it takes; *ch: of a grid. */
static size_t character(const char *s, size_t len, uint8_t *ch)
{
	unsigned char c = (unsigned char)*s;
	size_t i, n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*ch = c >= ' ' && c < 0x7f ? c : '?';
	if (n == 1)
		return 1;
	for (i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++)
		if (strlen(glyphs[i].utf8) <= len &&
		    !memcmp(s, glyphs[i].utf8, strlen(glyphs[i].utf8)))
			*ch = glyphs[i].ch;
	return n < len ? n : len;
}

/* "\033[31m".  Return: the bytes that it takes, 0: it is none. */
static size_t colour(const char *s, size_t len, enum attr *attr)
{
	static const struct { const char *code; enum attr attr; } codes[] = {
		{ "0m", ATTR_PLAIN }, { "1m", ATTR_BOLD }, { "2m", ATTR_DIM },
		{ "31m", ATTR_BAD_HOT }, { "32m", ATTR_OPEN }, { "33m", ATTR_CLOSE_HOT },
	};
	size_t i;

	if (len < 4 || s[0] != '\033' || s[1] != '[')
		return 0;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		size_t n = strlen(codes[i].code);

		if (n + 2 <= len && !memcmp(s + 2, codes[i].code, n)) {
			*attr = codes[i].attr;
			return n + 2;
		}
	}
	return 0;
}

void page_draw_line(struct grid *g, int y, size_t left, const char *s, size_t len)
{
	enum attr attr = ATTR_PLAIN;
	size_t column = 0;

	while (len && *s != '\n') {
		size_t n = colour(s, len, &attr);
		uint8_t ch;

		if (!n) {
			n = character(s, len, &ch);
			if (column >= left)
				grid_put(g, (int)(column - left), y, attr, ch);
			column++;
		}
		s += n;
		len -= n;
	}
}

void page_draw(const struct page *p, struct grid *g, int y, size_t left, size_t n)
{
	if (n < p->nlines)
		page_draw_line(g, y, left, p->text.s + p->line[n], p->line[n + 1] - p->line[n]);
}

size_t page_text(const struct page *p, size_t n, char *buf, size_t size)
{
	const char *s = p->text.s + p->line[n], *end = p->text.s + p->line[n + 1];
	size_t len = 0;

	while (s < end && *s != '\n' && len + 1 < size) {
		enum attr attr;
		uint8_t ch;
		size_t bytes = colour(s, (size_t)(end - s), &attr);

		if (!bytes) {
			bytes = character(s, (size_t)(end - s), &ch);
			buf[len++] = (char)ch;
		}
		s += bytes;
	}
	buf[len] = '\0';
	return len;
}
