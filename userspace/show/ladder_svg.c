// SPDX-License-Identifier: GPL-2.0-only
/* A ladder as a part of a picture: as on the terminal, but the segments take their time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder.h"
#include "svg.h"

#define LEFT		250		/* the time lines of both ends */
#define RIGHT		690
#define MARGIN		16
#define HEADER		64
#define ROW		40
#define FALL		12		/* how far a segment sinks on its way */

const char ladder_svg_css[] =
	".end{font-weight:bold;font-size:14px}\n"
	".summary,.time,.note,.data{color:#667}\n"
	".time,.note,.data{font-size:11px}\n"
	".life{color:#99a;stroke-width:1}\n"
	".state{font-weight:bold}\n"
	".established{color:#187a2f}\n"
	".time_wait{color:#946200}\n"
	".segment{color:#2456a6}\n"
	".again{color:#946200}\n"
	".bad{color:#b3202c}\n"
	".unsure{stroke-dasharray:4 4}\n"
	".label{font-size:12px;paint-order:stroke;stroke:#fff;stroke-width:3px}\n";

static const char *state_class(uint8_t state)
{
	return state == TCPFSM_STATE_ESTABLISHED ? "state established" :
	       state == TCPFSM_STATE_TIME_WAIT ? "state time_wait" : "state";
}

static void put_cell(struct svg *s, const struct tcpfsm_ladder_row *r, unsigned int end, int y)
{
	const struct tcpfsm_ladder_cell *c = &r->cell[end];
	int x = end ? RIGHT + 10 : LEFT - 10;
	const char *anchor = end ? "start" : "end";
	char note[WORDS_MAX];

	ladder_note(r, end, note);
	if (c->state)
		svg_text(s, x, y + 4, anchor, state_class(c->state), tcpfsm_state_name(c->state));
	/* On the left the time stands beside it. */
	if (*note)
		svg_text(s, x, c->state || !end ? y + 17 : y + 4, anchor, "note", note);
}

static void cross(struct svg *s, int x, int y)
{
	svg_line(s, x - 5, y - 5, x + 5, y + 5, SVG_PLAIN, "bad");
	svg_line(s, x - 5, y + 5, x + 5, y - 5, SVG_PLAIN, "bad");
}

/* to_y: where it arrives. */
static void put_segment(struct svg *s, const struct tcpfsm_ladder *l,
			const struct tcpfsm_ladder_row *r, const struct ladder_view *v, int y,
			int to_y)
{
	bool lost = r->fate == TCPFSM_FATE_LOST, unsure = ladder_unsure(l, r);
	int x1 = r->from ? RIGHT : LEFT, x2 = r->from ? LEFT : RIGHT;
	char label[WORDS_MAX], class[64];

	snprintf(class, sizeof(class), "%s%s", lost || r->flags & TCPFSM_SEG_RST ? "bad" :
		 r->retransmit ? "again" : "segment", unsure ? " unsure" : "");
	if (lost) {
		x2 = x1 + (x2 - x1) * 7 / 10;
		to_y = y + (to_y - y) * 7 / 10;
	}
	svg_line(s, x1, y, x2, to_y, lost ? SVG_PLAIN : SVG_HEAD, class);
	if (lost)
		cross(s, x2, to_y);
	ladder_label(l, r, v->wide ? LADDER_WIDE : LADDER_NORMAL, label);
	if (lost)
		strcat(label, " lost");
	else if (unsure)
		strcat(label, " ?");
	/* Near its start, where long ones do not cross others yet. */
	if (to_y > y + FALL)
		svg_text(s, r->from ? x1 - 14 : x1 + 14, y - 5, r->from ? "end" : "start", "label",
			 label);
	else
		svg_text(s, (LEFT + RIGHT) / 2, (y + to_y) / 2 - 5, "middle", "label", label);
}

static void put_words(struct svg *s, const struct tcpfsm_ladder_row *r, int y)
{
	char words[WORDS_MAX];

	switch (r->kind) {
	case TCPFSM_LADDER_DATA:
		ladder_data(r, words);
		svg_text(s, (LEFT + RIGHT) / 2, y + 4, "middle", "data", words);
		return;
	case TCPFSM_LADDER_GAP:
		snprintf(words, sizeof(words), "... %" PRIu64 " records lost ...", r->count);
		break;
	default:
		snprintf(words, sizeof(words), "... %" PRIu64 " events more ...", r->count);
	}
	svg_text(s, (LEFT + RIGHT) / 2, y + 4, "middle", "label bad", words);
}

static void put_header(struct svg *s, const struct tcpfsm_ladder *l, const struct ladder_view *v)
{
	char text[WORDS_MAX], line[4 * WORDS_MAX];
	unsigned int i;

	ladder_end_name(l, 0, v->wide, text);
	svg_text(s, MARGIN, 24, "start", "end", text);
	ladder_end_name(l, 1, v->wide, text);
	svg_text(s, LADDER_SVG_WIDTH - MARGIN, v->wide || l->family == 6 ? 42 : 24, "end", "end",
		 text);
	line[0] = '\0';
	for (i = 0; ladder_summary(l, i, text); i++) {
		if (!*text)
			continue;
		if (*line)
			strcat(line, "; ");
		strcat(line, text);
	}
	svg_text(s, MARGIN, v->wide || l->family == 6 ? 60 : 44, "start", "summary", line);
}

int ladder_svg(struct svg *s, int y, const struct tcpfsm_ladder *l, const struct ladder_view *v)
{
	int height = HEADER + ROW * (int)(l->nrows + 1) + ROW / 2;
	char time[32];
	size_t i;

	svg_begin(s, 0, y, "ladder");
	put_header(s, l, v);
	svg_line(s, LEFT, HEADER + 6, LEFT, height - ROW / 2, SVG_PLAIN, "life");
	svg_line(s, RIGHT, HEADER + 6, RIGHT, height - ROW / 2, SVG_PLAIN, "life");
	for (i = 0; i < 2; i++)
		if (l->end[i].first)
			svg_text(s, i ? RIGHT + 10 : LEFT - 10, HEADER + 18, i ? "start" : "end",
				 state_class(l->end[i].first), tcpfsm_state_name(l->end[i].first));
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i];
		int top = HEADER + ROW * (int)(i + 1), to = top + FALL;
		unsigned int e;

		if (r->kind == TCPFSM_LADDER_DEPARTS)
			to = HEADER + ROW * (int)(r->pair + 1) + FALL;
		if (r->kind <= TCPFSM_LADDER_DEPARTS)
			put_segment(s, l, r, v, top, to);
		else if (r->kind >= TCPFSM_LADDER_DATA)
			put_words(s, r, top);
		if (r->kind != TCPFSM_LADDER_DATA) {
			ladder_time(l, r->ts, v->time_of_day, time);
			svg_text(s, MARGIN, top + 4, "start", "time", time);
		}
		for (e = 0; e < 2; e++) {
			bool receives = r->kind == TCPFSM_LADDER_ARRIVES ||
					(r->kind == TCPFSM_LADDER_SEGMENT && r->from != e);

			put_cell(s, r, e, receives ? top + FALL : top);
		}
	}
	svg_end(s);
	return height;
}

int ladder_svg_text(const struct tcpfsm_ladder *l, char **text, size_t *len)
{
	const struct ladder_view view = { .glyphs = LADDER_UTF8, .time_of_day = true };
	struct svg *svg = svg_open_text(text, len, LADDER_SVG_WIDTH, 0);

	if (!svg)
		return -ENOMEM;
	svg_style(svg, ladder_svg_css);
	svg_size(svg, LADDER_SVG_WIDTH, ladder_svg(svg, 0, l, &view));
	return svg_close(svg);
}
