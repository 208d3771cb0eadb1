/* SPDX-License-Identifier: GPL-2.0-only */
/* Text of the other commands as lines of a screen, looks and all. */
#ifndef TCPFSM_TUI_PAGE_H
#define TCPFSM_TUI_PAGE_H

#include "../show/out.h"

struct page {
	struct out_text text;		/* its bytes are cells of a grid */
	size_t *line;			/* where each begins, and one more */
	size_t nlines, room;
	size_t fixed;			/* lines at the top that do not scroll */
};

/* What is said to o between these two becomes the page.  End: 0 or -ENOMEM. */
void page_begin(struct page *p, struct out *o);
int page_end(struct page *p, struct out *o);
void page_free(struct page *p);

/* Line y of the grid: cells from column left on, that look as runs say, by their place in s. */
void page_draw_line(struct grid *g, int y, size_t left, const char *s, size_t len,
		    const struct out_run *run, size_t nruns);
/* Line n, likewise; beyond the end: nothing. */
void page_draw(const struct page *p, struct grid *g, int y, size_t left, size_t n);
/* What it is about, see out_mark(). */
const char *page_mark(const struct page *p, size_t n);
/* Its cells.  Return: the length. */
size_t page_text(const struct page *p, size_t n, char *buf, size_t size);

#endif /* TCPFSM_TUI_PAGE_H */
