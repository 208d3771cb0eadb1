// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ladder on the terminal: time downwards, an end on each side with its states,
 * the segments between them.  The columns are as wide as this ladder needs
 * them; what does not fit into 80 beside a state gets a line of its own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder.h"

#define WIDTH		80
#define INNER_MIN	30
#define INNER_MAX	44		/* unless labels need more */
#define ARROW		6		/* of the inner columns, at least, beside the label */

struct glyphs {
	const char *line, *dash, *wall, *right, *left, *cross, *dots;
};

static const struct glyphs glyphs[] = {
	[LADDER_ASCII] = { "-", ".", "|", ">", "<", "X", ".." },
	[LADDER_UTF8] = { "─", "╌", "│", "▶", "◀", "✕", "··" },
	[LADDER_CELLS] = {
		S_ACROSS, S_DOTTED, S_DOWN, S_HEAD_EAST, S_HEAD_WEST, S_CROSS, S_DOT S_DOT,
	},
};

struct columns {
	unsigned int time, left, inner, right;
	bool notes;			/* beside the state on the right */
	const struct glyphs *g;
	struct out *o;
};

/* ---- columns ------------------------------------------------------------------------ */

static unsigned int max(unsigned int a, size_t b)
{
	return b > a ? (unsigned int)b : a;
}

static const char *state_name(uint8_t state)
{
	return state ? tcpfsm_state_name(state) : "";
}

static bool is_segment(const struct tcpfsm_ladder_row *r)
{
	return r->kind <= TCPFSM_LADDER_ARRIVES;
}

static void measure(struct out *o, const struct ladder_view *v, const struct tcpfsm_ladder *l,
		    struct columns *c)
{
	unsigned int label = INNER_MIN - ARROW, right_state, beside = 0, fixed, room;
	char buf[WORDS_MAX];
	size_t i;

	memset(c, 0, sizeof(*c));
	c->g = &glyphs[v->glyphs];
	c->o = o;
	c->left = max(0, strlen(state_name(l->end[0].first)));
	right_state = max(0, strlen(state_name(l->end[1].first)));
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i];
		size_t state = strlen(state_name(r->cell[1].state));

		c->left = max(c->left, strlen(state_name(r->cell[0].state)));
		right_state = max(right_state, state);
		ladder_note(r, 1, buf);
		if (*buf && is_segment(r))
			beside = max(beside, state + (state ? 1 : 0) + strlen(buf));
		if (is_segment(r)) {
			ladder_label(l, r, v->wide ? LADDER_WIDE : LADDER_NORMAL, buf);
			label = max(label, strlen(buf) + (r->fate == TCPFSM_FATE_LOST ? 5 : 0));
		} else if (r->kind == TCPFSM_LADDER_DATA) {
			ladder_data(r, buf);
			label = max(label, strlen(buf));
		} else {
			unsigned int end;

			for (end = 0; end < 2; end++) {
				ladder_note(r, end, buf);
				/* A blank at either side; it may take an arrow's room. */
				if (strlen(buf) + 2 > ARROW)
					label = max(label, strlen(buf) + 2 - ARROW);
			}
		}
		ladder_time(l, r->ts, v->time_of_day, buf);
		c->time = max(c->time, strlen(buf));
	}
	/* Time, state, wall, inner, wall, state. */
	fixed = c->time + 1 + c->left + 1 + 1 + 1 + 1;
	c->notes = true;
	c->right = max(right_state, beside);
	c->inner = label + ARROW;
	if (v->wide) {
		c->inner += 2;
		return;
	}
	if (fixed + c->inner + c->right > WIDTH) {
		c->notes = false;
		c->right = right_state;
	}
	if (fixed + c->right + INNER_MIN >= WIDTH)
		return;
	room = WIDTH - fixed - c->right;
	if (c->inner > room)
		c->inner = room;
	else
		c->inner = max(c->inner, room < INNER_MAX ? room : INNER_MAX);
}

/* ---- pieces of lines ------------------------------------------------------------------ */

static void repeat(const struct columns *c, const char *s, unsigned int n)
{
	size_t len = strlen(s);
	char *p = out_room(c->o, n * len);

	out_add(c->o, n * len);
	for (; n; n--, p += len)
		memcpy(p, s, len);
}

static enum attr state_ink(uint8_t state)
{
	return state == TCPFSM_STATE_ESTABLISHED ? ATTR_OPEN :
	       state == TCPFSM_STATE_TIME_WAIT ? ATTR_CLOSE_HOT : state ? ATTR_BOLD : ATTR_PLAIN;
}

static void put_inked(const struct columns *c, enum attr ink, const char *s)
{
	if (ink)
		out_ink(c->o, ink);
	out_put(c->o, s);
	if (ink)
		out_ink(c->o, ATTR_PLAIN);
}

static void put_state(const struct columns *c, uint8_t state, unsigned int width)
{
	const char *name = state_name(state);
	unsigned int len = (unsigned int)strlen(name);

	put_inked(c, state_ink(state), name);
	if (len < width)
		out_blanks(c->o, width - len);
}

static void line_begin(const struct columns *c, const char *time, uint8_t state)
{
	size_t len = strlen(time);

	out_blanks(c->o, len < c->time ? c->time - (unsigned int)len : 0);
	put_inked(c, ATTR_DIM, time);
	out_put(c->o, " ");
	put_state(c, state, c->left);
	out_put(c->o, " ");
	out_put(c->o, c->g->wall);
}

static void line_end(const struct columns *c, uint8_t state, const char *note)
{
	out_put(c->o, c->g->wall);
	if (state || *note) {
		out_put(c->o, " ");
		put_state(c, state, 0);
		if (*note && state)
			out_put(c->o, " ");
		out_put(c->o, note);
	}
	out_put(c->o, "\n");
}

/* Words between the walls, where < 0: at the left one; longer ones run over the right one. */
static void put_inner(const struct columns *c, const char *s, int where)
{
	unsigned int len = (unsigned int)strlen(s), room = c->inner > len ? c->inner - len : 0;
	unsigned int before = room / 2;

	if (where && room)
		before = where < 0 ? 1 : room - 1;
	out_blanks(c->o, before);
	out_put(c->o, s);
	out_blanks(c->o, room - before);
}

static enum attr fate_ink(const struct tcpfsm_ladder_row *r)
{
	if (r->fate == TCPFSM_FATE_LOST || r->flags & TCPFSM_SEG_RST)
		return ATTR_BAD_HOT;
	return r->retransmit ? ATTR_CLOSE_HOT : ATTR_PLAIN;
}

/* The end of an arrow, outwards from its label; columns it takes beside the line. */
enum tip { TIP_NONE, TIP_HEAD, TIP_UNSURE, TIP_LOST, TIP_DOTS };

static const unsigned int tip_width[] = { 0, 1, 1, 6, 2 };

static void put_tip(const struct columns *c, enum tip tip, bool right)
{
	switch (tip) {
	case TIP_NONE:
		return;
	case TIP_HEAD:
		out_put(c->o, right ? c->g->right : c->g->left);
		return;
	case TIP_UNSURE:
		out_put(c->o, "?");
		return;
	case TIP_LOST:
		if (right)
			out_printf(c->o, "%s lost", c->g->cross);
		else
			out_printf(c->o, "lost %s", c->g->cross);
		return;
	case TIP_DOTS:
		out_put(c->o, c->g->dots);
		return;
	}
}

/* -- label ------>, or the other way round; the label begins at the same column. */
static void put_arrow(const struct columns *c, const struct tcpfsm_ladder *l,
		      const struct tcpfsm_ladder_row *r, const char *label)
{
	bool right = r->from == 0, unsure = ladder_unsure(l, r);
	const char *line = unsure ? c->g->dash : c->g->line;
	enum attr ink = fate_ink(r);
	unsigned int used, rest, gap = 0;
	enum tip head = TIP_HEAD, tail = TIP_NONE, first, last;

	if (r->kind == TCPFSM_LADDER_DEPARTS)
		head = TIP_DOTS;
	else if (r->fate == TCPFSM_FATE_LOST)
		head = TIP_LOST;
	else if (unsure)
		head = TIP_UNSURE;
	if (r->kind == TCPFSM_LADDER_ARRIVES)
		tail = TIP_DOTS;
	first = right ? tail : head;
	last = right ? head : tail;

	/* Two columns before the label, if that is enough. */
	used = (tip_width[first] > 2 ? tip_width[first] : 2) + 1 + (unsigned int)strlen(label) + 1 +
	       tip_width[last];
	rest = c->inner > used ? c->inner - used : 0;
	/* It does not get there. */
	if (head == TIP_LOST && rest > 6)
		gap = rest / 3;
	if (ink)
		out_ink(c->o, ink);
	if (!right)
		out_blanks(c->o, gap);
	put_tip(c, first, false);
	repeat(c, line, tip_width[first] < 2 ? 2 - tip_width[first] : 0);
	out_put(c->o, " ");
	out_put(c->o, label);
	out_put(c->o, " ");
	repeat(c, line, rest - gap);
	put_tip(c, last, true);
	if (right)
		out_blanks(c->o, gap);
	if (ink)
		out_ink(c->o, ATTR_PLAIN);
}

/* ---- rows ----------------------------------------------------------------------------- */

static void note_line(const struct columns *c, const char *note, int where)
{
	line_begin(c, "", 0);
	put_inner(c, note, where);
	line_end(c, 0, "");
}

static void segment_line(const struct columns *c, const struct ladder_view *v,
			 const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r)
{
	char label[WORDS_MAX], left[WORDS_MAX], right[WORDS_MAX], time[32];

	ladder_label(l, r, v->wide ? LADDER_WIDE : LADDER_NORMAL, label);
	if (strlen(label) + (r->fate == TCPFSM_FATE_LOST ? 10 : 5) > c->inner)
		ladder_label(l, r, LADDER_BRIEF, label);
	ladder_note(r, 0, left);
	ladder_note(r, 1, right);
	ladder_time(l, r->ts, v->time_of_day, time);
	line_begin(c, time, r->cell[0].state);
	put_arrow(c, l, r, label);
	line_end(c, r->cell[1].state, c->notes ? right : "");
	if (*left)
		note_line(c, left, -1);
	if (*right && !c->notes)
		note_line(c, right, 1);
}

static void event_line(const struct columns *c, const struct ladder_view *v,
		       const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r)
{
	unsigned int end = r->cell[1].event ? 1 : 0;
	char note[WORDS_MAX], time[32];

	ladder_note(r, end, note);
	ladder_time(l, r->ts, v->time_of_day, time);
	line_begin(c, time, r->cell[0].state);
	put_inner(c, note, end ? 1 : -1);
	line_end(c, r->cell[1].state, "");
}

static void other_line(const struct columns *c, const struct ladder_view *v,
		       const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r)
{
	char words[WORDS_MAX], time[32];

	ladder_time(l, r->ts, v->time_of_day, time);
	line_begin(c, r->kind == TCPFSM_LADDER_DATA ? "" : time, 0);
	if (r->kind == TCPFSM_LADDER_DATA)
		ladder_data(r, words);
	else
		snprintf(words, sizeof(words), r->kind == TCPFSM_LADDER_GAP ?
			 "... %" PRIu64 " record%s lost ..." : "... %" PRIu64 " event%s more ...",
			 r->count, r->count == 1 ? "" : "s");
	out_ink(c->o, r->kind == TCPFSM_LADDER_DATA ? ATTR_DIM : ATTR_BAD_HOT);
	put_inner(c, words, 0);
	out_ink(c->o, ATTR_PLAIN);
	line_end(c, 0, "");
}

/* Both times when each end has one of its own. */
static void times_line(const struct columns *c, const struct ladder_view *v,
		       const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r)
{
	char words[WORDS_MAX], sent[32], arrived[32];

	if (!is_segment(r) || !r->sent_ts || !r->arrived_ts || r->kind == TCPFSM_LADDER_DEPARTS)
		return;
	ladder_time(l, r->sent_ts, v->time_of_day, sent);
	ladder_time(l, r->arrived_ts, v->time_of_day, arrived);
	snprintf(words, sizeof(words), "sent %s, arrived %s", sent, arrived);
	line_begin(c, "", 0);
	out_ink(c->o, ATTR_DIM);
	put_inner(c, words, 0);
	out_ink(c->o, ATTR_PLAIN);
	line_end(c, 0, "");
}

static void header(const struct columns *c, const struct ladder_view *v,
		   const struct tcpfsm_ladder *l)
{
	char left[WORDS_MAX], right[WORDS_MAX], part[WORDS_MAX];
	unsigned int width = c->time + c->left + c->inner + c->right + 5, i, col = 0;
	int gap;

	if (width > WIDTH && !v->wide)
		width = WIDTH;
	ladder_end_name(l, 0, v->wide, left);
	ladder_end_name(l, 1, v->wide, right);
	gap = (int)width - (int)strlen(left) - (int)strlen(right);
	out_ink(c->o, ATTR_BOLD);
	out_put(c->o, left);
	if (gap >= 2) {
		out_blanks(c->o, (unsigned int)gap);
		out_put(c->o, right);
		out_put(c->o, "\n");
	} else {
		out_printf(c->o, "\n%*s\n", (int)width, right);
	}
	out_ink(c->o, ATTR_PLAIN);
	out_ink(c->o, ATTR_DIM);
	for (i = 0; ladder_summary(l, i, part); i++) {
		unsigned int len = (unsigned int)strlen(part);

		if (!len)
			continue;
		if (col && col + 2 + len > width) {
			out_printf(c->o, ";\n");
			col = 0;
		}
		if (col)
			out_put(c->o, "; ");
		out_put(c->o, part);
		col += len + (col ? 2 : 0);
	}
	out_put(c->o, "\n");
	out_ink(c->o, ATTR_PLAIN);
}

void ladder_text(struct out *o, struct ladder_view *v, const struct tcpfsm_ladder *l)
{
	bool unsure = false;
	struct columns c;
	size_t i;

	measure(o, v, l, &c);
	if (v->printed++)
		out_put(o, "\n");
	header(&c, v, l);
	line_begin(&c, "", l->end[0].first);
	put_inner(&c, "", 0);
	line_end(&c, l->end[1].first, "");
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i];

		unsure |= ladder_unsure(l, r);
		if (is_segment(r))
			segment_line(&c, v, l, r);
		else if (r->kind == TCPFSM_LADDER_EVENT)
			event_line(&c, v, l, r);
		else
			other_line(&c, v, l, r);
		if (v->wide)
			times_line(&c, v, l, r);
	}
	if (unsure) {
		out_ink(o, ATTR_DIM);
		out_printf(o, "?: whether it arrived was not seen\n");
		out_ink(o, ATTR_PLAIN);
	}
}
