// SPDX-License-Identifier: GPL-2.0-only
/* How words look, in memory and in a file, and what becomes of them on a page of tcpfsm top. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/tui/page.h"

static struct out o;

static void say(void)
{
	out_printf(&o, "one ");
	out_inked(&o, ATTR_BAD_HOT, "two");
	out_inked(&o, ATTR_PLAIN, " three\n");
	out_ink(&o, ATTR_DIM);
	out_printf(&o, "four\nfive" S_ACROSS S_DOT "\n");
	out_ink(&o, ATTR_PLAIN);
	out_printf(&o, "six");
}

/* What a file gets; a terminal is one that shows colours. */
static void test_file(bool colour, const char *wanted)
{
	char got[256] = "";
	int fd = memfd_create("show", 0);

	out_to_file(&o, fd);
	CHECK(!o.colour);
	o.colour = colour;
	say();
	CHECK_EQ(out_flush(&o), 0);
	CHECK(pread(fd, got, sizeof(got) - 1, 0) > 0);
	CHECK(!strcmp(got, wanted));
	CHECK_EQ(out_close(&o), 0);
}

static void test_text(void)
{
	static const struct out_run wanted[] = {
		{ 4, ATTR_BAD_HOT }, { 7, ATTR_PLAIN }, { 14, ATTR_DIM }, { 26, ATTR_PLAIN },
	};
	struct out_text text = { .len = 0 };
	size_t i;

	out_to_text(&o, &text);
	say();
	CHECK_EQ(out_flush(&o), 0);
	CHECK(text.s && !strcmp(text.s, "one two three\nfour\nfive" S_ACROSS S_DOT "\nsix"));
	CHECK_EQ(text.nruns, 4);
	for (i = 0; i < 4 && i < text.nruns; i++) {
		CHECK_EQ(text.run[i].at, wanted[i].at);
		CHECK_EQ(text.run[i].attr, wanted[i].attr);
	}
	out_text_free(&text);
}

static void draw(const struct page *p, struct grid *g, size_t left, size_t n, const char *wanted,
		 enum attr attr)
{
	size_t i;

	CHECK_EQ(grid_init(g, 12, 1), 0);
	page_draw(p, g, 0, left, n);
	for (i = 0; i < strlen(wanted); i++) {
		CHECK_EQ(grid_cell(g, (int)i, 0)->ch, (uint8_t)wanted[i]);
		CHECK_EQ(grid_cell(g, (int)i, 0)->attr, attr);
	}
	CHECK_EQ(grid_cell(g, (int)i, 0)->ch, ' ');
}

static void test_page(void)
{
	struct page p = { .nlines = 0 };
	struct grid g = { .cols = 0 };
	char buf[8];

	page_begin(&p, &o);
	say();
	CHECK_EQ(page_end(&p, &o), 0);
	CHECK_EQ(p.nlines, 4);
	draw(&p, &g, 8, 0, "three", ATTR_PLAIN);
	draw(&p, &g, 0, 1, "four", ATTR_DIM);
	/* It goes on looking so. */
	draw(&p, &g, 1, 2, "ive" S_ACROSS S_DOT, ATTR_DIM);
	draw(&p, &g, 0, 3, "six", ATTR_PLAIN);
	draw(&p, &g, 0, 4, "", ATTR_PLAIN);
	grid_init(&g, 12, 1);
	page_draw(&p, &g, 0, 2, 0);
	CHECK_EQ(grid_cell(&g, 1, 0)->attr, ATTR_PLAIN);
	CHECK_EQ(grid_cell(&g, 2, 0)->attr, ATTR_BAD_HOT);
	CHECK_EQ(grid_cell(&g, 4, 0)->ch, 'o');
	CHECK_EQ(grid_cell(&g, 4, 0)->attr, ATTR_BAD_HOT);
	CHECK_EQ(page_text(&p, 1, buf, sizeof(buf)), 4);
	CHECK(!strcmp(buf, "four"));
	CHECK_EQ(page_text(&p, 0, buf, sizeof(buf)), 7);
	CHECK(!strcmp(buf, "one two"));
	/* Nothing at all, and another time. */
	page_begin(&p, &o);
	CHECK_EQ(page_end(&p, &o), 0);
	CHECK_EQ(p.nlines, 0);
	grid_free(&g);
	page_free(&p);
}

/* More than a buffer, with a look for each line. */
static void test_long(void)
{
	const size_t n = 3 * OUT_SIZE / 16;
	struct page p = { .nlines = 0 };
	struct grid g = { .cols = 0 };
	char wanted[16];
	size_t i;

	page_begin(&p, &o);
	for (i = 0; i < n; i++) {
		out_inked(&o, ATTR_BOLD, "line %06zu", i);
		out_printf(&o, "\n");
	}
	CHECK_EQ(page_end(&p, &o), 0);
	CHECK_EQ(p.nlines, n);
	for (i = 0; i < n; i += n / 100) {
		snprintf(wanted, sizeof(wanted), "line %06zu", i);
		draw(&p, &g, 0, i, wanted, ATTR_BOLD);
	}
	grid_free(&g);
	page_free(&p);
}

/* Whatever a text holds, a terminal gets what can be shown. */
static void test_hostile(void)
{
	struct grid g = { .cols = 0 };
	char s[256], buf[1024];
	size_t len, i;
	int x;

	for (i = 0; i < sizeof(s); i++)
		s[i] = (char)(i == '\n' ? ' ' : i);
	CHECK_EQ(grid_init(&g, sizeof(s), 1), 0);
	page_draw_line(&g, 0, 0, s, sizeof(s), NULL, 0);
	for (x = 0; x < g.cols; ) {
		x += grid_run(&g, x, 0, false, buf, sizeof(buf), &len);
		for (i = 0; i < len; i++)
			CHECK(buf[i] >= ' ' && buf[i] < 0x7f);
	}
	grid_free(&g);
}

int main(void)
{
	TEST("show: words in a file", test_file(false, "one two three\nfour\nfive" S_ACROSS S_DOT
						"\nsix"));
	TEST("show: words on a terminal", test_file(true, "one \033[31mtwo\033[0m three\n\033[2mfour\n"
						    "five" S_ACROSS S_DOT "\n\033[0msix"));
	TEST("show: words in memory", test_text());
	TEST("show: a page", test_page());
	TEST("show: a long page", test_long());
	TEST("show: any bytes", test_hostile());
	return check_done();
}
