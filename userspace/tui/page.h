/* SPDX-License-Identifier: GPL-2.0 */
/* Text of the other commands as lines of a screen, colours and all. */
#ifndef TCPFSM_TUI_PAGE_H
#define TCPFSM_TUI_PAGE_H

#include "../show/out.h"
#include "../show/grid.h"

struct page {
	struct out_text text;
	size_t *line;			/* where each begins, and one more */
	size_t nlines, room;
	size_t fixed;			/* lines at the top that do not scroll */
};

/* What is printed between these two becomes the page.  End: 0 or -ENOMEM. */
void page_begin(struct page *p);
int page_end(struct page *p);
void page_free(struct page *p);

/* Line y of the grid: a text with colours as terminals have them, from column left on. */
void page_draw_line(struct grid *g, int y, size_t left, const char *s, size_t len);
/* Line n, likewise; beyond the end: nothing. */
void page_draw(const struct page *p, struct grid *g, int y, size_t left, size_t n);
/* Its text without colours.  Return: the length. */
size_t page_text(const struct page *p, size_t n, char *buf, size_t size);

#endif /* TCPFSM_TUI_PAGE_H */
