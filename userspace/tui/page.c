// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

void page_begin(struct page *p, struct out *o)
{
	out_to_text(o, &p->text);
}

int page_end(struct page *p, struct out *o)
{
	const char *s, *end;
	int err = out_flush(o);
	size_t n = 1;

	p->nlines = 0;
	if (!p->text.s)
		return err;
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
	return err;
}

void page_free(struct page *p)
{
	out_text_free(&p->text);
	free(p->line);
	memset(p, 0, sizeof(*p));
}

/* The cells of a text from at on, until it or the line ends. */
static void draw(struct grid *g, int y, size_t left, const char *s, size_t at, size_t end,
		 const struct out_run *run, const struct out_run *last)
{
	size_t begin = at, cols = (size_t)g->cols, used = 0;
	enum attr attr = ATTR_PLAIN;

	for (; at < end && s[at] != '\n'; at++) {
		for (; run < last && run->at <= at; run++)
			attr = run->attr;
		if (at - begin >= left)
			grid_put(g, (int)(at - begin - left), y, attr, (uint8_t)s[at]);
		if (s[at] != ' ')
			used = at - begin + 1;
	}
	/* It goes on: h and l, or the arrows, lead there. */
	if (cols && used > left + cols)
		grid_put(g, g->cols - 1, y, ATTR_DIM, G_HEAD_EAST);
}

void page_draw_line(struct grid *g, int y, size_t left, const char *s, size_t len,
		    const struct out_run *run, size_t nruns)
{
	draw(g, y, left, s, 0, len, run, run + nruns);
}

/* The first of those that matter from there on: the last one that begins before. */
static const struct out_run *run_at(const struct out_text *t, size_t at)
{
	size_t low = 0, high = t->nruns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->run[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return t->run + (low ? low - 1 : 0);
}

void page_draw(const struct page *p, struct grid *g, int y, size_t left, size_t n)
{
	const struct out_text *t = &p->text;

	if (n < p->nlines)
		draw(g, y, left, t->s, p->line[n], p->line[n + 1], run_at(t, p->line[n]),
		     t->run + t->nruns);
}

const char *page_mark(const struct page *p, size_t n)
{
	const struct out_text *t = &p->text;
	size_t i = t->nmarks;

	if (n >= p->nlines)
		return "";
	while (i && t->mark[i - 1].at > p->line[n])
		i--;
	return i ? t->mark[i - 1].filter : "";
}

size_t page_text(const struct page *p, size_t n, char *buf, size_t size)
{
	const char *s = p->text.s + p->line[n];
	size_t len = p->line[n + 1] - p->line[n];

	len -= len && s[len - 1] == '\n';
	if (len >= size)
		len = size - 1;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return len;
}
