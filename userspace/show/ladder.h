/* SPDX-License-Identifier: GPL-2.0-only */
/* What the output formats of tcpfsm ladder share. */
#ifndef TCPFSM_SHOW_LADDER_H
#define TCPFSM_SHOW_LADDER_H

#include "out.h"
#include "tcpfsm.h"

struct svg;

/* Of what lines are made: also of the codes of grid.h. */
enum ladder_glyphs { LADDER_ASCII, LADDER_UTF8, LADDER_CELLS };

struct ladder_view {
	enum ladder_glyphs glyphs;
	bool wide, time_of_day;
	uint64_t printed;
};

/* ---- ladder_words.c: what is said about a row, ASCII; the length is returned ------ */

#define WORDS_MAX	192

enum ladder_length { LADDER_BRIEF, LADDER_NORMAL, LADDER_WIDE };

/* "SYN,ACK seq=0 ack=1 (retransmit 1)" */
size_t ladder_label(const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r,
		    enum ladder_length length, char buf[WORDS_MAX]);
/* "data: 12 bytes ->  <- 1 byte" */
size_t ladder_data(const struct tcpfsm_ladder_row *r, char buf[WORDS_MAX]);
/* What else happened at one end, "" if nothing: "synq 1/128". */
size_t ladder_note(const struct tcpfsm_ladder_row *r, unsigned int end, char buf[WORDS_MAX]);
/* "192.0.2.1:40000 (client curl/1234)" */
size_t ladder_end_name(const struct tcpfsm_ladder *l, unsigned int end, bool wide,
		       char buf[WORDS_MAX]);
/* Part i of what is to be said of all of it; false: there are no more. */
bool ladder_summary(const struct tcpfsm_ladder *l, unsigned int i, char buf[WORDS_MAX]);
/* Time of a row: since the beginning, or of the day. */
size_t ladder_time(const struct tcpfsm_ladder *l, uint64_t ts, bool time_of_day, char buf[32]);
/* Has it a segment of which both ends should know the fate, and do not? */
bool ladder_unsure(const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r);

/* ---- one function a format -------------------------------------------------------- */

void ladder_text(struct out *o, struct ladder_view *v, const struct tcpfsm_ladder *l);
void ladder_json(struct out *o, const struct tcpfsm_ladder *l);
/* Draws below y.  Return: the height. */
int ladder_svg(struct svg *s, int y, const struct tcpfsm_ladder *l, const struct ladder_view *v);
/* A picture of its own for a page, with the time of day; *text is to be freed in any case.  Return: 0 or a negative errno. */
int ladder_svg_text(const struct tcpfsm_ladder *l, char **text, size_t *len);

#define LADDER_SVG_WIDTH	980
extern const char ladder_svg_css[];

#endif /* TCPFSM_SHOW_LADDER_H */
