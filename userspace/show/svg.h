/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A picture as one self-contained SVG file: lines, curves, boxes, text.
 *
 * Looks come from CSS classes (several with blanks between).  Everything is
 * drawn in currentColor, so that "color" of a class colours a line, its arrow
 * head and a text alike; boxes have "fill" besides, which is white.
 *
 * Coordinates are pixels, y grows downwards.  Text may hold any bytes.  Errors
 * of writing are kept and told by svg_close().
 */
#ifndef TCPFSM_SHOW_SVG_H
#define TCPFSM_SHOW_SVG_H

#include <stddef.h>

struct svg;

/* Which ends of a line or curve have an arrow head. */
#define SVG_PLAIN	0
#define SVG_HEAD	1		/* at the end */
#define SVG_TAIL	2		/* at the beginning */

/**
 * svg_open() - begin a picture
 * @path: file to write, truncated at once; it is filled in by svg_close()
 * @width, @height: pixels; see svg_size()
 *
 * Return: the picture, or NULL and errno.
 */
struct svg *svg_open(const char *path, int width, int height);
/* The same in memory: svg_close() sets *text, which is to be freed in any case, and *len.  NULL: -ENOMEM. */
struct svg *svg_open_text(char **text, size_t *len, int width, int height);
/* Another size than at first, any time before svg_close(). */
void svg_size(struct svg *s, int width, int height);
/* CSS rules after those of svg.c, "." and class names included; any time. */
void svg_style(struct svg *s, const char *css);
/* Name of the picture, or within a group its tooltip; then the first in the group. */
void svg_title(struct svg *s, const char *text);

/* What is drawn until svg_end() is moved by x, y.  @class: may be NULL, here and below. */
void svg_begin(struct svg *s, int x, int y, const char *class);
void svg_end(struct svg *s);

void svg_line(struct svg *s, int x1, int y1, int x2, int y2, int heads, const char *class);
/* A cubic Bezier curve: from 1 to 4, 2 and 3 being its control points. */
void svg_curve(struct svg *s, int x1, int y1, int x2, int y2, int x3, int y3,
	       int x4, int y4, int heads, const char *class);
/* @round: radius of its corners. */
void svg_box(struct svg *s, int x, int y, int width, int height, int round, const char *class);
/* @anchor: "start", "middle" or "end" is at x; y is the base line. */
void svg_text(struct svg *s, int x, int y, const char *anchor, const char *class,
	      const char *text);

/* Writes the file and frees s.  Return: 0 or the negative errno of the first failure. */
int svg_close(struct svg *s);

#endif /* TCPFSM_SHOW_SVG_H */
