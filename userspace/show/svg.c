// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVG 1.1.  What is drawn goes to a temporary file, or to memory, first: size and style may be
 * known only at the end, and the file asked for may be a pipe.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"
#include "utf8.h"

/* Length and half the width of an arrow head. */
#define HEAD_LENGTH	9
#define HEAD_WIDTH	3.5

struct svg {
	FILE *file, *body;
	char *drawn;			/* body's memory; NULL: a temporary file */
	size_t ndrawn;
	char *css;
	int width, height;
	int err;			/* negative errno of the first failure */
};

static const char base_css[] =
	"svg{background:#fff;color:#222}\n"
	"text{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;"
	"fill:currentColor;white-space:pre}\n"
	"path,line{stroke:currentColor;stroke-width:1.3;fill:none}\n"
	"rect{stroke:currentColor;stroke-width:1.3;fill:#fff}\n"
	".head{fill:currentColor;stroke:none}\n";

static void failed(struct svg *s, int err)
{
	if (!s->err)
		s->err = err ? -err : -EIO;
}

struct svg *svg_open(const char *path, int width, int height)
{
	struct svg *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return NULL;
	s->width = width;
	s->height = height;
	s->file = fopen(path, "we");
	s->body = s->file ? tmpfile() : NULL;
	if (s->body)
		return s;
	err = errno;
	if (s->file)
		fclose(s->file);
	free(s);
	errno = err;
	return NULL;
}

struct svg *svg_open_text(char **text, size_t *len, int width, int height)
{
	struct svg *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->width = width;
	s->height = height;
	s->file = open_memstream(text, len);
	s->body = s->file ? open_memstream(&s->drawn, &s->ndrawn) : NULL;
	if (s->body)
		return s;
	if (s->file) {
		fclose(s->file);
		free(*text);
	}
	free(s);
	return NULL;
}

void svg_size(struct svg *s, int width, int height)
{
	s->width = width;
	s->height = height;
}

void svg_style(struct svg *s, const char *css)
{
	size_t len = s->css ? strlen(s->css) : 0;
	char *more = realloc(s->css, len + strlen(css) + 2);

	if (!more) {
		failed(s, ENOMEM);
		return;
	}
	strcpy(more + len, css);
	strcat(more + len, "\n");
	s->css = more;
}

/* Length of the UTF-8 character at p that XML may hold; 0: there is none. */
static size_t character(const char *p)
{
	uint32_t c = 0;
	size_t n = utf8((const uint8_t *)p, strnlen(p, 4), &c);

	/* Controls; no characters. */
	if (!n || c < ' ' || (c >= 0x7f && c < 0xa0) || (c & 0xfffe) == 0xfffe)
		return 0;
	/* Those that turn the direction of what stands beside them. */
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

static void escape(FILE *f, const char *text)
{
	size_t n;

	for (; *text; text += n ? n : 1) {
		n = character(text);
		switch (n ? *text : 0) {
		case 0:
			fputc('?', f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fwrite(text, 1, n, f);
		}
	}
}

static void attribute(FILE *f, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	fprintf(f, " %s=\"", name);
	escape(f, value);
	fputc('"', f);
}

void svg_title(struct svg *s, const char *text)
{
	fputs("<title>", s->body);
	escape(s->body, text);
	fputs("</title>\n", s->body);
}

void svg_begin(struct svg *s, int x, int y, const char *class)
{
	fputs("<g", s->body);
	if (x || y)
		fprintf(s->body, " transform=\"translate(%d %d)\"", x, y);
	attribute(s->body, "class", class);
	fputs(">\n", s->body);
}

void svg_end(struct svg *s)
{
	fputs("</g>\n", s->body);
}

/* Newton's method from above: a few pixels' length needs no libm. */
static double square_root(double v)
{
	double r = v > 1 ? v : 1;
	int i;

	for (i = 0; i < 40; i++)
		r = (r + v / r) / 2;
	return r;
}

/* Tenths of a pixel, whatever the locale thinks of decimal points. */
static void put_point(FILE *f, char letter, double x, double y)
{
	long tx = (long)(x * 10 + (x < 0 ? -0.5 : 0.5)), ty = (long)(y * 10 + (y < 0 ? -0.5 : 0.5));

	fprintf(f, "%c%s%ld.%ld %s%ld.%ld", letter, tx < 0 ? "-" : "", labs(tx) / 10, labs(tx) % 10,
		ty < 0 ? "-" : "", labs(ty) / 10, labs(ty) % 10);
}

/* At x, y, coming from the direction of x0, y0. */
static void arrow_head(struct svg *s, int x0, int y0, int x, int y, const char *class)
{
	double dx = x - x0, dy = y - y0, len = square_root(dx * dx + dy * dy);
	double bx = x - HEAD_LENGTH * dx / len, by = y - HEAD_LENGTH * dy / len;
	double wx = HEAD_WIDTH * dy / len, wy = HEAD_WIDTH * dx / len;
	char classes[128];

	snprintf(classes, sizeof(classes), "%s%shead", class ? class : "", class ? " " : "");
	fputs("<path", s->body);
	attribute(s->body, "class", classes);
	fputs(" d=\"", s->body);
	put_point(s->body, 'M', x, y);
	put_point(s->body, 'L', bx + wx, by - wy);
	put_point(s->body, 'L', bx - wx, by + wy);
	fputs("Z\"/>\n", s->body);
}

void svg_line(struct svg *s, int x1, int y1, int x2, int y2, int heads, const char *class)
{
	fprintf(s->body, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"", x1, y1, x2, y2);
	attribute(s->body, "class", class);
	fputs("/>\n", s->body);
	if (heads & SVG_HEAD)
		arrow_head(s, x1, y1, x2, y2, class);
	if (heads & SVG_TAIL)
		arrow_head(s, x2, y2, x1, y1, class);
}

void svg_curve(struct svg *s, int x1, int y1, int x2, int y2, int x3, int y3,
	       int x4, int y4, int heads, const char *class)
{
	fprintf(s->body, "<path d=\"M%d %dC%d %d %d %d %d %d\"", x1, y1, x2, y2, x3, y3, x4, y4);
	attribute(s->body, "class", class);
	fputs("/>\n", s->body);
	if (heads & SVG_HEAD)
		arrow_head(s, x3, y3, x4, y4, class);
	if (heads & SVG_TAIL)
		arrow_head(s, x2, y2, x1, y1, class);
}

void svg_box(struct svg *s, int x, int y, int width, int height, int round, const char *class)
{
	fprintf(s->body, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", x, y, width, height);
	if (round)
		fprintf(s->body, " rx=\"%d\"", round);
	attribute(s->body, "class", class);
	fputs("/>\n", s->body);
}

void svg_text(struct svg *s, int x, int y, const char *anchor, const char *class,
	      const char *text)
{
	fprintf(s->body, "<text x=\"%d\" y=\"%d\"", x, y);
	if (anchor && strcmp(anchor, "start"))
		attribute(s->body, "text-anchor", anchor);
	attribute(s->body, "class", class);
	fputc('>', s->body);
	escape(s->body, text);
	fputs("</text>\n", s->body);
}

/* CSS comes from the program: it must not end the CDATA section, that is all. */
static void write_all(struct svg *s)
{
	char buf[8192];
	size_t n;

	fprintf(s->file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n<style><![CDATA[\n%s%s]]></style>\n",
		s->width, s->height, s->width, s->height, base_css, s->css ? s->css : "");
	if (s->drawn)
		fwrite(s->drawn, 1, s->ndrawn, s->file);
	else
		rewind(s->body);
	while (!s->drawn && (n = fread(buf, 1, sizeof(buf), s->body)))
		if (fwrite(buf, 1, n, s->file) != n)
			break;
	if (ferror(s->body))
		failed(s, errno);
	fputs("</svg>\n", s->file);
}

int svg_close(struct svg *s)
{
	int err;

	errno = 0;
	if (fflush(s->body) || ferror(s->body))
		failed(s, errno);
	if (!s->err)
		write_all(s);
	errno = 0;
	if (fflush(s->file) || ferror(s->file))
		failed(s, errno);
	if (fclose(s->file))
		failed(s, errno);
	fclose(s->body);
	err = s->err;
	free(s->drawn);
	free(s->css);
	free(s);
	return err;
}
