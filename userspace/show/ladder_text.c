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
#include "put.h"

#define WIDTH		80
#define INNER_MIN	30
#define INNER_MAX	44		/* unless labels need more */
#define ARROW		6		/* of the inner columns, at least, beside the label */

struct glyphs {
	struct short_word wall, right, left, cross, dots;
	const char *line, *dash;	/* RUN of them */
	size_t bytes;			/* of one */
};

#define RUN		32U
#define RUN_OF(s)	s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s

static const struct glyphs glyphs[] = {
	[LADDER_ASCII] = {
		SHORT("|"), SHORT(">"), SHORT("<"), SHORT("X"), SHORT(".."),
		RUN_OF("-"), RUN_OF("."), 1,
	},
	[LADDER_UTF8] = {
		SHORT("│"), SHORT("▶"), SHORT("◀"), SHORT("✕"), SHORT("··"),
		RUN_OF("─"), RUN_OF("╌"), 3,
	},
	[LADDER_CELLS] = {
		SHORT(S_DOWN), SHORT(S_HEAD_EAST), SHORT(S_HEAD_WEST), SHORT(S_CROSS), SHORT(S_DOT S_DOT),
		RUN_OF(S_ACROSS), RUN_OF(S_DOTTED), 1,
	},
};

/* More than any line takes: the inner columns of three bytes each, three texts, escape sequences. */
#define LINE		2048
#define SAID		64

/* What is said of a row. */
struct said {
	struct words {
		size_t len;
		char s[WORDS_MAX];
	} time, middle, note[2];
};

struct columns {
	unsigned int time, left, inner, right;
	bool notes;			/* beside the state on the right */
	bool inked;			/* how it looks is told */
	const struct ladder_view *v;
	const struct tcpfsm_ladder *l;
	const struct glyphs *g;
	struct out *o;
	struct said said[SAID];		/* of the first rows, and of another one: words are made once, mostly */
};

/* ---- columns ------------------------------------------------------------------------ */

static unsigned int max(unsigned int a, size_t b)
{
	return b > a ? (unsigned int)b : a;
}

static const struct short_word *name_of(uint8_t state)
{
	static const struct short_word none;

	return state ? state_word(state) : &none;
}

static bool is_segment(const struct tcpfsm_ladder_row *r)
{
	return r->kind <= TCPFSM_LADDER_ARRIVES;
}

static size_t say_middle(const struct columns *c, const struct tcpfsm_ladder_row *r, char buf[WORDS_MAX])
{
	if (is_segment(r))
		return ladder_label(c->l, r, c->v->wide ? LADDER_WIDE : LADDER_NORMAL, buf);
	if (r->kind == TCPFSM_LADDER_DATA)
		return ladder_data(r, buf);
	if (r->kind == TCPFSM_LADDER_EVENT)
		return 0;
	return (size_t)snprintf(buf, WORDS_MAX, r->kind == TCPFSM_LADDER_GAP ?
				"... %" PRIu64 " record%s lost ..." : "... %" PRIu64 " event%s more ...",
				r->count, r->count == 1 ? "" : "s");
}

static const struct said *say(struct columns *c, size_t i)
{
	const struct tcpfsm_ladder_row *r = &c->l->rows[i];
	struct said *said = &c->said[i < SAID ? i : SAID - 1];

	said->time.len = ladder_time(c->l, r->ts, c->v->time_of_day, said->time.s);
	said->middle.len = say_middle(c, r, said->middle.s);
	said->note[0].len = ladder_note(r, 0, said->note[0].s);
	said->note[1].len = ladder_note(r, 1, said->note[1].s);
	return said;
}

static const struct said *said_of(struct columns *c, size_t i)
{
	return i < SAID - 1 ? &c->said[i] : say(c, i);
}

static void measure(struct columns *c)
{
	const struct tcpfsm_ladder *l = c->l;
	unsigned int label = INNER_MIN - ARROW, right_state, beside = 0, fixed, room;
	size_t i;

	c->time = 0;
	c->left = name_of(l->end[0].first)->len;
	right_state = name_of(l->end[1].first)->len;
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i];
		const struct said *said = say(c, i);
		size_t state = name_of(r->cell[1].state)->len;

		/* The last one's is the longest. */
		c->time = (unsigned int)said->time.len;
		c->left = max(c->left, name_of(r->cell[0].state)->len);
		right_state = max(right_state, state);
		if (is_segment(r)) {
			label = max(label, said->middle.len + (r->fate == TCPFSM_FATE_LOST ? 5 : 0));
			if (said->note[1].len)
				beside = max(beside, state + (state ? 1 : 0) + said->note[1].len);
		} else if (r->kind == TCPFSM_LADDER_DATA) {
			label = max(label, said->middle.len);
		} else {
			size_t note = max((unsigned int)said->note[0].len, said->note[1].len) + 2;

			/* A blank at either side; it may take an arrow's room. */
			if (note > ARROW)
				label = max(label, note - ARROW);
		}
	}
	/* Time, state, wall, inner, wall, state. */
	fixed = c->time + 1 + c->left + 1 + 1 + 1 + 1;
	c->notes = true;
	c->right = max(right_state, beside);
	c->inner = label + ARROW;
	if (c->v->wide) {
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

/* A line is made in the room of the output, which knows of it when it ends, and where it looks otherwise. */
static char *begun(const struct columns *c)
{
	return out_room(c->o, LINE);
}

static void ended(const struct columns *c, const char *p)
{
	out_add(c->o, (size_t)(p - c->o->buf) - c->o->used);
}

static char *ink(const struct columns *c, char *p, enum attr attr)
{
	if (!c->inked)
		return p;
	ended(c, p);
	out_ink(c->o, attr);
	return begun(c);
}

/* These write more than they count, and read pieces of RUN bytes. */
static char *copy(char *p, const char *s, size_t len)
{
	size_t i;

	memcpy(p, s, RUN);
	for (i = RUN; i < len; i += RUN)
		memcpy(p + i, s + i, RUN);
	return p + len;
}

static char *blanks(char *p, unsigned int n)
{
	static const char run[] = RUN_OF(" ");
	unsigned int i;

	memcpy(p, run, RUN);
	for (i = RUN; i < n; i += RUN)
		memcpy(p + i, run, RUN);
	return p + n;
}

static char *put_words(char *p, const struct words *w)
{
	return copy(p, w->s, w->len);
}

static char *repeat(const struct columns *c, char *p, const char *run, unsigned int n)
{
	for (; n > RUN; n -= RUN)
		p = copy(p, run, RUN * c->g->bytes);
	return copy(p, run, n * c->g->bytes);
}

static enum attr state_ink(uint8_t state)
{
	return state == TCPFSM_STATE_ESTABLISHED ? ATTR_OPEN :
	       state == TCPFSM_STATE_TIME_WAIT ? ATTR_CLOSE_HOT : ATTR_BOLD;
}

static char *put_state(const struct columns *c, char *p, uint8_t state, unsigned int width)
{
	const struct short_word *name = name_of(state);

	if (state)
		p = ink(c, put_short(ink(c, p, state_ink(state)), name), ATTR_PLAIN);
	return width > name->len ? blanks(p, width - name->len) : p;
}

static char *line_begin(const struct columns *c, const struct words *time, uint8_t state)
{
	size_t len = time ? time->len : 0;
	char *p = blanks(begun(c), len < c->time ? c->time - (unsigned int)len : 0);

	p = ink(c, p, ATTR_DIM);
	if (time)
		p = put_words(p, time);
	p = ink(c, p, ATTR_PLAIN);
	*p++ = ' ';
	p = put_state(c, p, state, c->left);
	*p++ = ' ';
	return put_short(p, &c->g->wall);
}

static void line_end(const struct columns *c, char *p, uint8_t state, const struct words *note)
{
	p = put_short(p, &c->g->wall);
	if (state || note) {
		*p++ = ' ';
		p = put_state(c, p, state, 0);
		if (note && state)
			*p++ = ' ';
		if (note)
			p = put_words(p, note);
	}
	*p++ = '\n';
	ended(c, p);
}

/* Words between the walls, where < 0: at the left one; longer ones run over the right one. */
static char *put_inner(const struct columns *c, char *p, const struct words *w, int where)
{
	unsigned int len = (unsigned int)w->len, room = c->inner > len ? c->inner - len : 0;
	unsigned int before = room / 2;

	if (where && room)
		before = where < 0 ? 1 : room - 1;
	return blanks(put_words(blanks(p, before), w), room - before);
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

static char *put_tip(const struct columns *c, char *p, enum tip tip, bool right)
{
	switch (tip) {
	case TIP_NONE:
		return p;
	case TIP_HEAD:
		return put_short(p, right ? &c->g->right : &c->g->left);
	case TIP_UNSURE:
		return put(p, "?");
	case TIP_LOST:
		return right ? put(put_short(p, &c->g->cross), " lost") : put_short(put(p, "lost "), &c->g->cross);
	case TIP_DOTS:
		return put_short(p, &c->g->dots);
	}
	return p;
}

/* -- label ------>, or the other way round; the label begins at the same column. */
static char *put_arrow(const struct columns *c, char *p, const struct tcpfsm_ladder_row *r,
		       const struct words *label)
{
	bool right = r->from == 0, unsure = ladder_unsure(c->l, r);
	const char *line = unsure ? c->g->dash : c->g->line;
	enum attr attr = fate_ink(r);
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
	used = (tip_width[first] > 2 ? tip_width[first] : 2) + 1 + (unsigned int)label->len + 1 +
	       tip_width[last];
	rest = c->inner > used ? c->inner - used : 0;
	/* It does not get there. */
	if (head == TIP_LOST && rest > 6)
		gap = rest / 3;
	if (attr)
		p = ink(c, p, attr);
	if (!right)
		p = blanks(p, gap);
	p = put_tip(c, p, first, false);
	p = repeat(c, p, line, tip_width[first] < 2 ? 2 - tip_width[first] : 0);
	*p++ = ' ';
	p = put_words(p, label);
	*p++ = ' ';
	p = repeat(c, p, line, rest - gap);
	p = put_tip(c, p, last, true);
	if (right)
		p = blanks(p, gap);
	return attr ? ink(c, p, ATTR_PLAIN) : p;
}

/* ---- rows ----------------------------------------------------------------------------- */

static void note_line(const struct columns *c, const struct words *note, int where)
{
	line_end(c, put_inner(c, line_begin(c, NULL, 0), note, where), 0, NULL);
}

static void segment_line(const struct columns *c, const struct tcpfsm_ladder_row *r, const struct said *said)
{
	const struct words *label = &said->middle, *right = said->note[1].len ? &said->note[1] : NULL;
	struct words brief;
	char *p;

	if (label->len + (r->fate == TCPFSM_FATE_LOST ? 10 : 5) > c->inner) {
		brief.len = ladder_label(c->l, r, LADDER_BRIEF, brief.s);
		label = &brief;
	}
	p = put_arrow(c, line_begin(c, &said->time, r->cell[0].state), r, label);
	line_end(c, p, r->cell[1].state, c->notes ? right : NULL);
	if (said->note[0].len)
		note_line(c, &said->note[0], -1);
	if (right && !c->notes)
		note_line(c, right, 1);
}

static void event_line(const struct columns *c, const struct tcpfsm_ladder_row *r, const struct said *said)
{
	unsigned int end = r->cell[1].event ? 1 : 0;
	char *p = line_begin(c, &said->time, r->cell[0].state);

	line_end(c, put_inner(c, p, &said->note[end], end ? 1 : -1), r->cell[1].state, NULL);
}

static void other_line(const struct columns *c, const struct words *time, const struct words *w, enum attr attr)
{
	char *p = ink(c, line_begin(c, time, 0), attr);

	line_end(c, ink(c, put_inner(c, p, w, 0), ATTR_PLAIN), 0, NULL);
}

/* Both times when each end has one of its own. */
static void times_line(const struct columns *c, const struct tcpfsm_ladder_row *r)
{
	char sent[32], arrived[32];
	struct words w;

	if (!is_segment(r) || !r->sent_ts || !r->arrived_ts || r->kind == TCPFSM_LADDER_DEPARTS)
		return;
	ladder_time(c->l, r->sent_ts, c->v->time_of_day, sent);
	ladder_time(c->l, r->arrived_ts, c->v->time_of_day, arrived);
	w.len = (size_t)snprintf(w.s, sizeof(w.s), "sent %s, arrived %s", sent, arrived);
	other_line(c, NULL, &w, ATTR_DIM);
}

static void header(const struct columns *c)
{
	unsigned int width = c->time + c->left + c->inner + c->right + 5, i, wanted;
	struct words left, right, part;
	size_t col = 0;
	char *p;

	if (width > WIDTH && !c->v->wide)
		width = WIDTH;
	left.len = ladder_end_name(c->l, 0, c->v->wide, left.s);
	right.len = ladder_end_name(c->l, 1, c->v->wide, right.s);
	wanted = (unsigned int)(left.len + right.len) + 2;
	p = put_words(ink(c, begun(c), ATTR_BOLD), &left);
	if (wanted <= width) {
		p = blanks(p, width - wanted + 2);
	} else {
		*p++ = '\n';
		p = blanks(p, right.len < width ? width - (unsigned int)right.len : 0);
	}
	p = put_words(p, &right);
	*p++ = '\n';
	p = ink(c, ink(c, p, ATTR_PLAIN), ATTR_DIM);
	for (i = 0; ladder_summary(c->l, i, part.s); i++) {
		part.len = strlen(part.s);
		if (!part.len)
			continue;
		if (col && col + 2 + part.len > width) {
			p = put(p, ";\n");
			col = 0;
		}
		if (col)
			p = put(p, "; ");
		p = put_words(p, &part);
		col += part.len + (col ? 2 : 0);
	}
	*p++ = '\n';
	ended(c, ink(c, p, ATTR_PLAIN));
}

static void row(struct columns *c, size_t i)
{
	const struct tcpfsm_ladder_row *r = &c->l->rows[i];
	const struct said *said = said_of(c, i);

	if (is_segment(r))
		segment_line(c, r, said);
	else if (r->kind == TCPFSM_LADDER_EVENT)
		event_line(c, r, said);
	else if (r->kind == TCPFSM_LADDER_DATA)
		other_line(c, NULL, &said->middle, ATTR_DIM);
	else
		other_line(c, &said->time, &said->middle, ATTR_BAD_HOT);
	if (c->v->wide)
		times_line(c, r);
}

void ladder_text(struct out *o, struct ladder_view *v, const struct tcpfsm_ladder *l)
{
	static const struct words nothing;
	bool unsure = false;
	struct columns c;
	size_t i;

	c.o = o;
	c.inked = o->text || o->colour;
	c.v = v;
	c.l = l;
	c.g = &glyphs[v->glyphs];
	measure(&c);
	if (v->printed++)
		out_put(o, "\n");
	header(&c);
	line_end(&c, put_inner(&c, line_begin(&c, NULL, l->end[0].first), &nothing, 0), l->end[1].first, NULL);
	for (i = 0; i < l->nrows; i++) {
		unsure |= ladder_unsure(l, &l->rows[i]);
		row(&c, i);
	}
	if (unsure) {
		out_ink(o, ATTR_DIM);
		out_put(o, "?: whether it arrived was not seen\n");
		out_ink(o, ATTR_PLAIN);
	}
}
