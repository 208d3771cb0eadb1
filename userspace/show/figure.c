// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "figure.h"

#define S(s)		TCPFSM_STATE_##s

/* ---- places --------------------------------------------------------------------- */

/*
 * Columns: edges of the three columns of boxes and the ports where arrows meet
 * them, from left to right.
 */
enum column {
	LEFT_BOX, L1, L2, L3, LEFT_END,		/* left boxes, and right of them */
	BY_PASS,				/* the way down between the columns */
	CENTRE_BOX, C1, C2, C3, C4, C5, C6,
	CENTRE_END,
	RIGHT_BOX, R1, R2, R3, RIGHT_END,
};

static int column(const struct figure *f, enum column c)
{
	int w = f->box_cols, centre = (f->cols - w) / 2, right = f->cols - w;

	switch (c) {
	case LEFT_BOX:		return f->x0;
	case L1:		return f->x0 + 2;
	case L2:		return f->x0 + w / 2;
	case L3:		return f->x0 + w - 3;
	case LEFT_END:		return f->x0 + w;
	case BY_PASS:		return f->x0 + w + 2;
	case CENTRE_BOX:	return f->x0 + centre;
	case C1:		return f->x0 + centre + 2;
	case C2:		return f->x0 + centre + 5;
	case C3:		return f->x0 + centre + w / 2 - 2;
	case C4:		return f->x0 + centre + w / 2;
	case C5:		return f->x0 + centre + w / 2 + 2;
	case C6:		return f->x0 + centre + w - 3;
	case CENTRE_END:	return f->x0 + centre + w;
	case RIGHT_BOX:		return f->x0 + right;
	case R1:		return f->x0 + right + 2;
	case R2:		return f->x0 + right + w / 2 - 2;
	case R3:		return f->x0 + right + w - 3;
	case RIGHT_END:		return f->x0 + f->cols;
	}
	return 0;
}

/* Rows: the n-th above or below the boxes of a level, or their middle one and below it. */
enum { ABOVE, AT, BELOW };

struct row {
	uint8_t level, edge, n;
};

static int row(const struct figure *f, struct row r)
{
	int top = f->y0 + r.level * (f->box_rows + f->gap);

	switch (r.edge) {
	case ABOVE:
		return top - r.n;
	case BELOW:
		return top + f->box_rows - 1 + r.n;
	}
	return top + f->box_rows / 2 + r.n;
}

bool figure_fit(struct figure *f, int cols, int rows)
{
	if (cols < FIGURE_COLS || rows < FIGURE_ROWS)
		return false;
	/* The last row is one below the lowest boxes. */
	f->box_rows = rows >= 7 * 3 + 6 * 2 + 1 ? 3 : 1;
	f->gap = (rows - 1 - 7 * f->box_rows) / 6;
	if (f->gap > 4)
		f->gap = 4;
	f->rows = 7 * f->box_rows + 6 * f->gap + 1;
	f->cols = cols < 150 ? cols : 150;
	f->box_cols = cols < 96 ? 19 : cols < 120 ? 21 : 25;
	f->x0 = (cols - f->cols) / 2;
	f->y0 = (rows - f->rows) / 2;
	return true;
}

static const struct {
	uint8_t state, level;
	enum column x;
} boxes[FIGURE_BOXES] = {
	{ S(CLOSE),	  0, CENTRE_BOX },
	{ S(LISTEN),	  1, CENTRE_BOX },
	{ S(SYN_RECV),	  2, LEFT_BOX },
	{ S(SYN_SENT),	  2, RIGHT_BOX },
	{ S(ESTABLISHED), 3, CENTRE_BOX },
	{ S(FIN_WAIT1),	  4, LEFT_BOX },
	{ S(CLOSE_WAIT),  4, RIGHT_BOX },
	{ S(FIN_WAIT2),	  5, LEFT_BOX },
	{ S(CLOSING),	  5, CENTRE_BOX },
	{ S(LAST_ACK),	  5, RIGHT_BOX },
	{ S(TIME_WAIT),	  6, CENTRE_BOX },
	{ S(CLOSE),	  6, RIGHT_BOX },
};

struct figure_box figure_box(const struct figure *f, int i)
{
	return (struct figure_box) {
		.state = boxes[i].state,
		.x = column(f, boxes[i].x),
		.y = row(f, (struct row) { boxes[i].level, ABOVE, 0 }),
	};
}

/* A place for words: from a column on (included) up to another (excluded). */
struct place {
	struct row y;
	uint8_t rows;
	enum column x;
	int8_t dx;
	enum column end;
	int8_t dend;
	uint8_t align;
};

struct corner {
	enum column x;
	int8_t dx;
	struct row y;
};

static const struct {
	uint8_t n;
	bool dotted;
	struct corner at[FIGURE_CORNERS];
	struct place words, number;
} routes[NARROWS] = {
[ARROW_PASSIVE_OPEN] = {
	2, false, { { C1, 0, { 0, BELOW, 1 } }, { C1, 0, { 1, ABOVE, 1 } } },
	{ { 0, BELOW, 1 }, 1, LEFT_BOX, 0, C1, -1, RIGHT },
	{ { 0, BELOW, 2 }, 1, LEFT_BOX, 0, C1, -1, RIGHT },
},
[ARROW_LISTEN_CLOSE] = {
	2, false, { { C2, 0, { 1, ABOVE, 1 } }, { C2, 0, { 0, BELOW, 1 } } },
	{ { 0, BELOW, 1 }, 1, C2, 2, C6, -1, LEFT },
	{ { 0, BELOW, 2 }, 1, C2, 2, C6, 0, LEFT },
},
[ARROW_ACTIVE_OPEN] = {
	3, false, { { CENTRE_END, 0, { 0, AT, 0 } }, { R3, 0, { 0, AT, 0 } },
		    { R3, 0, { 2, ABOVE, 1 } } },
	{ { 0, AT, 0 }, 1, CENTRE_END, 1, R3, 0, CENTRE },
	{ { 0, AT, 1 }, 1, CENTRE_END, 1, R3, 0, CENTRE },
},
[ARROW_SYN_SENT_CLOSE] = {
	4, false, { { R2, 0, { 2, ABOVE, 1 } }, { R2, 0, { 0, BELOW, 2 } },
		    { C6, 0, { 0, BELOW, 2 } }, { C6, 0, { 0, BELOW, 1 } } },
	{ { 0, BELOW, 2 }, 1, C6, 1, R2, 0, CENTRE }, { .rows = 0 },
},
[ARROW_RCV_SYN] = {
	3, false, { { C3, 0, { 1, BELOW, 1 } }, { L3, 0, { 1, BELOW, 1 } },
		    { L3, 0, { 2, ABOVE, 1 } } },
	{ { 1, BELOW, 1 }, 1, L3, 1, C3, 0, CENTRE },
	{ { 2, ABOVE, 1 }, 1, L3, 2, C4, 0, LEFT },
},
[ARROW_RCV_RST] = {
	3, false, { { L1, 0, { 2, ABOVE, 1 } }, { L1, 0, { 1, AT, 0 } },
		    { CENTRE_BOX, -1, { 1, AT, 0 } } },
	{ { 1, AT, 0 }, 1, L1, 1, CENTRE_BOX, -1, CENTRE }, { .rows = 0 },
},
[ARROW_SEND] = {
	3, true, { { C5, 0, { 1, BELOW, 1 } }, { R1, 0, { 1, BELOW, 1 } },
		   { R1, 0, { 2, ABOVE, 1 } } },
	{ { 1, BELOW, 1 }, 1, C5, 1, R1, 0, CENTRE },
	{ { 2, ABOVE, 1 }, 1, C4, 1, R1, -1, RIGHT },
},
[ARROW_CROSSED_SYN] = {
	2, false, { { RIGHT_BOX, -1, { 2, AT, 0 } }, { LEFT_END, 0, { 2, AT, 0 } } },
	{ { 2, AT, 0 }, 1, LEFT_END, 1, RIGHT_BOX, 0, CENTRE }, { .rows = 0 },
},
[ARROW_PASSIVE_DONE] = {
	3, false, { { L3, 0, { 2, BELOW, 1 } }, { C3, 0, { 2, BELOW, 1 } },
		    { C3, 0, { 3, ABOVE, 1 } } },
	{ { 2, BELOW, 1 }, 1, L3, 1, C3, 0, CENTRE },
	{ { 3, ABOVE, 1 }, 1, L3, 1, C3, -1, RIGHT },
},
[ARROW_ACTIVE_DONE] = {
	3, false, { { R1, 0, { 2, BELOW, 1 } }, { C5, 0, { 2, BELOW, 1 } },
		    { C5, 0, { 3, ABOVE, 1 } } },
	{ { 2, BELOW, 1 }, 1, C5, 1, R1, 0, CENTRE },
	{ { 3, ABOVE, 1 }, 1, C5, 2, R1, -1, LEFT },
},
[ARROW_SYN_RECV_CLOSE] = {
	2, false, { { L1, 0, { 2, BELOW, 1 } }, { L1, 0, { 4, ABOVE, 1 } } },
	{ { 3, AT, 0 }, 1, L1, 2, CENTRE_BOX, -1, LEFT }, { .rows = 0 },
},
[ARROW_CLOSE] = {
	3, false, { { C3, 0, { 3, BELOW, 1 } }, { L3, 0, { 3, BELOW, 1 } },
		    { L3, 0, { 4, ABOVE, 1 } } },
	{ { 3, BELOW, 1 }, 1, L3, 1, C3, 0, CENTRE },
	{ { 4, ABOVE, 1 }, 1, L3, 2, C4, 0, LEFT },
},
[ARROW_RCV_FIN] = {
	3, false, { { C5, 0, { 3, BELOW, 1 } }, { R1, 0, { 3, BELOW, 1 } },
		    { R1, 0, { 4, ABOVE, 1 } } },
	{ { 3, BELOW, 1 }, 1, C5, 1, R1, 0, CENTRE },
	{ { 4, ABOVE, 1 }, 1, C4, 1, R1, -1, RIGHT },
},
[ARROW_FIN_ACKED] = {
	2, false, { { L1, 0, { 4, BELOW, 1 } }, { L1, 0, { 5, ABOVE, 1 } } },
	{ { 4, BELOW, 1 }, 1, L1, 2, BY_PASS, -1, LEFT },
	{ { 4, BELOW, 2 }, 1, L1, 2, BY_PASS, -1, LEFT },
},
[ARROW_CROSSED_FIN] = {
	3, false, { { LEFT_END, 0, { 4, AT, 0 } }, { C4, 0, { 4, AT, 0 } },
		    { C4, 0, { 5, ABOVE, 1 } } },
	{ { 4, AT, 0 }, 1, BY_PASS, 1, C4, 0, CENTRE },
	{ { 4, BELOW, 1 }, 1, C4, 2, RIGHT_BOX, -1, LEFT },
},
[ARROW_FIN_AND_ACK] = {
	4, false, { { LEFT_END, 0, { 4, AT, 0 } }, { BY_PASS, 0, { 4, AT, 0 } },
		    { BY_PASS, 0, { 6, AT, 0 } }, { CENTRE_BOX, -1, { 6, AT, 0 } } },
	{ { 4, BELOW, 1 }, 1, BY_PASS, 2, C4, -1, LEFT },
	{ { 4, BELOW, 2 }, 1, BY_PASS, 2, C4, -1, LEFT },
},
[ARROW_LAST_CLOSE] = {
	2, false, { { R3, 0, { 4, BELOW, 1 } }, { R3, 0, { 5, ABOVE, 1 } } },
	{ { 4, BELOW, 1 }, 1, RIGHT_BOX, 0, R3, -1, RIGHT },
	{ { 4, BELOW, 2 }, 1, RIGHT_BOX, 0, R3, -1, RIGHT },
},
[ARROW_LAST_FIN] = {
	3, false, { { L1, 0, { 5, BELOW, 1 } }, { L1, 0, { 6, AT, 0 } },
		    { CENTRE_BOX, -1, { 6, AT, 0 } } },
	{ { 5, BELOW, 2 }, 1, L1, 2, BY_PASS, -1, LEFT },
	{ { 6, AT, 0 }, 1, L1, 1, BY_PASS, 0, CENTRE },
},
[ARROW_CLOSING_DONE] = {
	2, false, { { C4, 0, { 5, BELOW, 1 } }, { C4, 0, { 6, ABOVE, 1 } } },
	{ { 5, BELOW, 1 }, 1, BY_PASS, 2, C4, -1, RIGHT },
	{ { 5, BELOW, 2 }, 1, BY_PASS, 2, C4, -1, RIGHT },
},
[ARROW_LAST_ACKED] = {
	2, false, { { R3, 0, { 5, BELOW, 1 } }, { R3, 0, { 6, ABOVE, 1 } } },
	{ { 5, BELOW, 1 }, 1, RIGHT_BOX, 0, R3, -1, RIGHT },
	{ { 5, BELOW, 2 }, 1, RIGHT_BOX, 0, R3, -1, RIGHT },
},
[ARROW_TIMEOUT_2MSL] = {
	2, false, { { CENTRE_END, 0, { 6, AT, 0 } }, { RIGHT_BOX, -1, { 6, AT, 0 } } },
	{ { 6, AT, 0 }, 1, CENTRE_END, 1, RIGHT_BOX, -1, CENTRE },
	{ { 6, AT, 1 }, 1, CENTRE_END, 0, RIGHT_BOX, 0, CENTRE },
},
};

static const struct place exits[DIAGRAM_STATES] = {
	[S(SYN_RECV)]	 = { { 2, BELOW, 1 }, 2, L1, 2, L3, -1, LEFT },
	[S(SYN_SENT)]	 = { { 2, BELOW, 1 }, 2, R1, 2, RIGHT_END, 0, LEFT },
	[S(ESTABLISHED)] = { { 3, AT, 0 }, 1, CENTRE_END, 1, RIGHT_END, 0, LEFT },
	[S(FIN_WAIT1)]	 = { { 4, ABOVE, 2 }, 2, L1, 2, L3, -1, LEFT },
	[S(CLOSE_WAIT)]	 = { { 4, AT, 0 }, 1, C4, 2, RIGHT_BOX, -1, RIGHT },
	[S(FIN_WAIT2)]	 = { { 5, BELOW, 1 }, 1, L1, 2, BY_PASS, -1, LEFT },
	[S(CLOSING)]	 = { { 5, BELOW, 1 }, 1, C4, 2, RIGHT_BOX, -1, LEFT },
	[S(LAST_ACK)]	 = { { 5, AT, 0 }, 1, CENTRE_END, 1, RIGHT_BOX, -1, RIGHT },
	[S(TIME_WAIT)]	 = { { 6, BELOW, 1 }, 1, LEFT_BOX, 0, CENTRE_END, -1, RIGHT },
};

static struct figure_slot slot_of(const struct figure *f, const struct place *p)
{
	return (struct figure_slot) {
		.x = column(f, p->x) + p->dx,
		.end = column(f, p->end) + p->dend,
		.y = row(f, p->y),
		.rows = p->rows,
		.align = p->align,
		.hangs = p->y.edge == ABOVE,
		/* What is centred below a line has its own row. */
		.on_line = p->align == CENTRE && !(p->y.edge == AT && p->y.n),
	};
}

struct figure_route figure_route(const struct figure *f, enum diagram_arrow a)
{
	struct figure_route r = { .n = routes[a].n, .dotted = routes[a].dotted };
	const struct corner *from = &routes[a].at[0];
	int i;

	for (i = 0; i < r.n; i++) {
		const struct corner *c = &routes[a].at[i];

		r.at[i].x = column(f, c->x) + c->dx;
		r.at[i].y = row(f, c->y);
	}
	r.source = from->y.edge == BELOW ? G_NORTH : from->y.edge == ABOVE ? G_SOUTH :
		   r.at[0].x < r.at[1].x ? G_WEST : G_EAST;
	return r;
}

void figure_arrow_slots(const struct figure *f, enum diagram_arrow a, struct figure_slot *words,
			struct figure_slot *number)
{
	*words = slot_of(f, &routes[a].words);
	*number = slot_of(f, &routes[a].number);
}

bool figure_exit_slot(const struct figure *f, uint8_t state, struct figure_slot *slot)
{
	*slot = slot_of(f, &exits[state]);
	return exits[state].rows;
}

bool figure_spot(const struct figure *f, const struct diagram *d, unsigned int i, struct figure_slot *slot)
{
	struct figure_slot number;
	struct figure_box box;

	if (i < FIGURE_ARROWS) {
		box = figure_box(f, (int)i);
		*slot = (struct figure_slot) { .x = box.x, .end = box.x + f->box_cols, .y = box.y, .rows = f->box_rows };
		return true;
	}
	if (i < FIGURE_EXITS) {
		figure_arrow_slots(f, (enum diagram_arrow)(i - FIGURE_ARROWS), slot, &number);
		return true;
	}
	return i < FIGURE_SPOTS && d->exit[i - FIGURE_EXITS].n &&
	       figure_exit_slot(f, (uint8_t)(i - FIGURE_EXITS), slot);
}

/* A row is as high as two columns are wide; what lies aside is farther than what lies ahead. */
static int distance(const struct figure_slot *from, const struct figure_slot *to, int dx, int dy)
{
	int x = (to->x + to->end - from->x - from->end) / 2, y = 2 * (to->y - from->y);
	int ahead = dx ? dx * x : dy * y, aside = dx ? y : x;

	return ahead > 0 ? ahead + 2 * (aside < 0 ? -aside : aside) : 0;
}

unsigned int figure_spot_next(const struct figure *f, const struct diagram *d, unsigned int from, int dx, int dy)
{
	struct figure_slot here, there;
	unsigned int i, best = from;
	int nearest = 0;

	if (!figure_spot(f, d, from, &here))
		return 0;
	for (i = 0; i < FIGURE_SPOTS; i++) {
		int far = i != from && figure_spot(f, d, i, &there) ? distance(&here, &there, dx, dy) : 0;

		if (far && (!nearest || far < nearest)) {
			nearest = far;
			best = i;
		}
	}
	return best;
}

static bool causes_filter(const uint64_t count[DIAGRAM_CAUSES], uint8_t old, uint8_t new, char *buf)
{
	bool any = false;
	unsigned int i;
	int len;

	len = snprintf(buf, FIGURE_FILTER_MAX, "state %s and state %s and cause ", tcpfsm_state_name(old),
		       tcpfsm_state_name(new));
	for (i = 1; i < DIAGRAM_CAUSES; i++) {
		const char *name = tcpfsm_cause_name(i);

		if (!count[i] || !*name || len + (int)strlen(name) + 2 > FIGURE_FILTER_MAX)
			continue;
		len += snprintf(buf + len, (size_t)(FIGURE_FILTER_MAX - len), "%s%s", any ? "," : "", name);
		any = true;
	}
	return any;
}

bool figure_spot_filter(const struct diagram *d, unsigned int i, char buf[FIGURE_FILTER_MAX])
{
	uint8_t old, new;

	if (i < FIGURE_ARROWS) {
		snprintf(buf, FIGURE_FILTER_MAX, "state %s", tcpfsm_state_name(boxes[i].state));
		return true;
	}
	if (i >= FIGURE_EXITS) {
		old = (uint8_t)(i - FIGURE_EXITS);
		return causes_filter(d->exit_cause[old], old, S(CLOSE), buf);
	}
	if (!d->arrow[i - FIGURE_ARROWS].n)
		return false;
	old = diagram_arrow[i - FIGURE_ARROWS].old_state;
	new = diagram_arrow[i - FIGURE_ARROWS].new_state;
	/* Back to LISTEN: it is the child that dies. */
	if (i - FIGURE_ARROWS == ARROW_RCV_RST)
		new = S(CLOSE);
	return causes_filter(d->arrow_cause[i - FIGURE_ARROWS], old, new, buf);
}

/* ---- texts ---------------------------------------------------------------------- */

/* In as few as four columns: 9999, 12k, 1.2M. */
static void brief(char buf[24], uint64_t n, int room)
{
	static const char units[] = "kMGTPE";
	const char *unit = units;
	uint64_t div = 1000;

	if (snprintf(buf, 24, "%" PRIu64, n) <= room)
		return;
	while (n / div >= 1000 && unit[1]) {
		div *= 1000;
		unit++;
	}
	if (n / div < 10 && room > 3)
		snprintf(buf, 24, "%" PRIu64 ".%" PRIu64 "%c", n / div,
			 n % div / (div / 10), *unit);
	else
		snprintf(buf, 24, "%" PRIu64 "%c", n / div, *unit);
}

/* Exact and with the rate, if that fits; form 3 is the shortest. */
static int number_form(char *buf, uint64_t n, uint64_t rate, int form)
{
	char count[24], per[24];

	brief(count, n, form == 0 ? 20 : form == 1 ? 7 : form == 2 ? 5 : 4);
	if (!rate || form == 3)
		return snprintf(buf, FIGURE_TEXT_MAX, "%s", count);
	brief(per, rate, form == 0 ? 7 : 4);
	return snprintf(buf, FIGURE_TEXT_MAX, "%s +%s/s", count, per);
}

void figure_number(char buf[FIGURE_TEXT_MAX], uint64_t n, uint64_t rate, int room)
{
	int form;

	for (form = 0; form < 4; form++)
		if (number_form(buf, n, rate, form) <= room)
			return;
}

/* Words of an arrow, form 0 the longest. */
static int words_form(char *buf, const struct arrow_text *t, int form)
{
	if (form == 3)
		return snprintf(buf, FIGURE_TEXT_MAX, "%s", t->brief);
	if (form == 2 || !*t->action)
		return snprintf(buf, FIGURE_TEXT_MAX, "%s", t->event);
	return snprintf(buf, FIGURE_TEXT_MAX, form ? "%s/%s" : "%s / %s", t->event, t->action);
}

/* The longest form only where there is plenty of room. */
static int words_room(const struct figure_slot *s, int form)
{
	return s->end - s->x - (s->on_line && form == 0 ? 4 : 0);
}

void figure_words(char buf[FIGURE_TEXT_MAX], enum diagram_arrow a, const struct figure_slot *s)
{
	int form;

	for (form = 0; form < 4; form++)
		if (words_form(buf, &diagram_arrow[a], form) <= words_room(s, form))
			return;
}

/* Both in one place: long words first, then an exact number. */
static void arrow_all(char buf[FIGURE_TEXT_MAX], const struct arrow_text *t, uint64_t n,
		      uint64_t rate, const struct figure_slot *s)
{
	static const uint8_t forms[][2] = {
		{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 }, { 3, 1 }, { 3, 2 }, { 3, 3 },
	};
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		int len = words_form(buf, t, forms[i][0]);

		buf[len++] = ' ';
		if (len + number_form(buf + len, n, rate, forms[i][1]) <=
		    words_room(s, forms[i][0]))
			return;
	}
}

/* By cause: in full, a little shorter, and what it is counted as in short. */
enum { RST, TIMED_OUT, OTHER, NKINDS };

static const struct {
	const char *text, *brief;
	uint8_t kind;
} exit_words[DIAGRAM_CAUSES] = {
	[TCPFSM_CAUSE_RCV_RST]		= { "rcv RST", "rcv RST", RST },
	[TCPFSM_CAUSE_SND_RST]		= { "snd RST", "snd RST", RST },
	[TCPFSM_CAUSE_TIMEOUT]		= { "timeout", "timeout", TIMED_OUT },
	[TCPFSM_CAUSE_ICMP]		= { "ICMP", "ICMP", OTHER },
	[TCPFSM_CAUSE_NO_ROUTE]		= { "no route", "no route", OTHER },
	[TCPFSM_CAUSE_ABORT]		= { "abort", "abort", OTHER },
	[TCPFSM_CAUSE_CLOSE]		= { "CLOSE", "CLOSE", OTHER },
	[TCPFSM_CAUSE_REUSE]		= { "reuse", "reuse", OTHER },
	[TCPFSM_CAUSE_RCV_SYN]		= { "rcv SYN", "rcv SYN", OTHER },
	[TCPFSM_CAUSE_NETNS_EXIT]	= { "netns exit", "netns", OTHER },
	[TCPFSM_CAUSE_RCV_FIN]		= { "no TIME_WAIT", "no TW", OTHER },
	[TCPFSM_CAUSE_RCV_ACK_OF_FIN]	= { "no TIME_WAIT", "no TW", OTHER },
	[TCPFSM_CAUSE_RCV_FIN_ACK]	= { "no TIME_WAIT", "no TW", OTHER },
};

struct items {
	int n;
	char text[DIAGRAM_CAUSES][40];
};

static void add_item(struct items *it, const char *word, uint64_t n)
{
	if (n)
		snprintf(it->text[it->n++], sizeof(it->text[0]), "%s %" PRIu64, word, n);
}

/* The longest form first; the first two tell each cause. */
enum { EACH, EACH_BRIEF, KINDS, KINDS_BRIEF, SUM, NFORMS };

static void exit_items(const struct diagram *d, uint8_t state, int form, struct items *it)
{
	static const char * const names[2][NKINDS] = {
		{ "rst", "timeout", "other" }, { "rst", "tmo", "oth" },
	};
	uint64_t kinds[NKINDS] = { 0 };
	char sum[24];
	int i;

	it->n = 0;
	for (i = 0; i < DIAGRAM_CAUSES; i++) {
		const char *text = form == EACH ? exit_words[i].text : exit_words[i].brief;
		const char *name = tcpfsm_cause_name((unsigned int)i);
		uint64_t n = d->exit_cause[state][i];

		kinds[text ? exit_words[i].kind : OTHER] += n;
		if (form <= EACH_BRIEF)
			add_item(it, text ? text : *name ? name : "unknown", n);
	}
	if (form == KINDS || form == KINDS_BRIEF)
		for (i = 0; i < NKINDS; i++)
			add_item(it, names[form - KINDS][i], kinds[i]);
	if (form == SUM) {
		brief(sum, d->exit[state].n, 6);
		snprintf(it->text[it->n++], sizeof(it->text[0]), "%s", sum);
	}
}

/* Into rows, no item broken.  Return: rows; more than there are: they do not fit. */
static int wrap(const struct items *it, int room, int rows, char text[][FIGURE_TEXT_MAX])
{
	int i, y = 0, len;

	len = snprintf(text[0], FIGURE_TEXT_MAX, S_CROSS);
	for (i = 0; i < it->n; i++) {
		int more = (int)strlen(it->text[i]) + 1;

		if (len + more > room && len > 1) {
			if (++y == rows)
				return rows + 1;
			len = snprintf(text[y], FIGURE_TEXT_MAX, " ");
		}
		if (len + more > room || len + more >= FIGURE_TEXT_MAX)
			return rows + 1;
		text[y][len] = ' ';
		strcpy(text[y] + len + 1, it->text[i]);
		len += more;
	}
	return y + 1;
}

int figure_exits(const struct diagram *d, uint8_t state, uint64_t now, int room, int rows,
		 char text[][FIGURE_TEXT_MAX], bool *full)
{
	const struct moves *m = &d->exit[state];
	uint64_t rate = diagram_rate(d, m, now);
	struct items it;
	int form, used = 0;

	*full = true;
	if (!m->n)
		return 0;
	for (form = EACH; form < NFORMS; form++) {
		exit_items(d, state, form, &it);
		used = wrap(&it, room, rows, text);
		if (used <= rows)
			break;
	}
	*full = form <= EACH_BRIEF;
	if (used > rows)		/* cannot be: six columns always are there */
		return 0;
	if (rate) {
		char per[24], *last = text[used - 1];
		int len = (int)strlen(last);

		brief(per, rate, 4);
		if (len + 4 + (int)strlen(per) <= room)
			snprintf(last + len, (size_t)(FIGURE_TEXT_MAX - len), " +%s/s", per);
	}
	return used;
}

bool figure_odd(const struct diagram *d, int room, char text[FIGURE_TEXT_MAX])
{
	uint64_t left = d->odd.n;
	int old, new, len;

	if (!left)
		return false;
	if (room >= FIGURE_TEXT_MAX)
		room = FIGURE_TEXT_MAX - 1;
	len = snprintf(text, FIGURE_TEXT_MAX, "other %" PRIu64 ":", left);
	for (old = 0; old < DIAGRAM_STATES; old++) {
		for (new = 0; new < DIAGRAM_STATES; new++) {
			uint64_t n = d->odd_pair[old][new];
			char more[80];
			int add;

			if (!n)
				continue;
			add = snprintf(more, sizeof(more), " %s" S_ARROW "%s %" PRIu64,
				       tcpfsm_state_name((unsigned int)old),
				       tcpfsm_state_name((unsigned int)new), n);
			/* Room for " ..." must remain, unless this is the last. */
			if (len + add + (left > n ? 4 : 0) > room) {
				snprintf(text + len, (size_t)(FIGURE_TEXT_MAX - len), " ...");
				return true;
			}
			len += snprintf(text + len, (size_t)(FIGURE_TEXT_MAX - len), "%s", more);
			left -= n;
		}
	}
	return true;
}

/* ---- drawing ---------------------------------------------------------------------- */

enum heat { NEVER, COLD, WARM, HOT };

static enum heat heat_of(uint64_t last, uint64_t now)
{
	if (!last)
		return NEVER;
	if (last + FIGURE_HOT_NS > now)
		return HOT;
	return last + FIGURE_WARM_NS > now ? WARM : COLD;
}

bool figure_is_open(enum diagram_arrow a)
{
	return a <= ARROW_ACTIVE_DONE && a != ARROW_LISTEN_CLOSE && a != ARROW_SYN_SENT_CLOSE &&
	       a != ARROW_RCV_RST;
}

static enum attr arrow_attr(enum diagram_arrow a, enum heat heat)
{
	switch (heat) {
	case HOT:
		return figure_is_open(a) ? ATTR_OPEN_HOT : ATTR_CLOSE_HOT;
	case WARM:
		return figure_is_open(a) ? ATTR_OPEN : ATTR_CLOSE;
	case COLD:
		return ATTR_PLAIN;
	default:
		return ATTR_DIM;
	}
}

static uint8_t head(int dx, int dy)
{
	return dx > 0 ? G_HEAD_EAST : dx < 0 ? G_HEAD_WEST :
	       dy > 0 ? G_HEAD_SOUTH : G_HEAD_NORTH;
}

static void draw_route(const struct figure *f, struct grid *g, enum diagram_arrow a, enum attr attr)
{
	struct figure_route r = figure_route(f, a);
	int i, n = r.n - 1;

	grid_join(g, r.at[0].x, r.at[0].y, attr, r.source | (r.dotted ? G_DOTTED : 0));
	for (i = 0; i < n; i++)
		grid_line(g, r.at[i].x, r.at[i].y, r.at[i + 1].x, r.at[i + 1].y, attr, r.dotted);
	/* An arrow of one cell has no direction but that of its only neighbours. */
	grid_put(g, r.at[n].x, r.at[n].y, attr,
		 head(r.at[n].x - r.at[n - 1].x, r.at[n].y - r.at[n - 1].y));
}

/* Text within a slot, with a blank at either side where it interrupts a line. */
static void draw_text(struct grid *g, const struct figure_slot *s, int y, enum attr attr,
		      const char *text)
{
	int len = (int)strlen(text), x = s->x, free = s->end - s->x - len;

	if (s->align == RIGHT)
		x += free;
	else if (s->align == CENTRE)
		x += free / 2;
	if (x > s->x)
		grid_put(g, x - 1, y, attr, ' ');
	grid_text(g, x, y, attr, text);
	if (x + len < s->end)
		grid_put(g, x + len, y, attr, ' ');
}

static void draw_arrow_text(const struct figure *f, struct grid *g, const struct diagram *d,
			    enum diagram_arrow a, enum attr attr, uint64_t now)
{
	const struct moves *m = &d->arrow[a];
	struct figure_slot words, number;
	char text[FIGURE_TEXT_MAX];
	uint64_t rate = diagram_rate(d, m, now);

	figure_arrow_slots(f, a, &words, &number);
	if (!number.rows) {
		arrow_all(text, &diagram_arrow[a], m->n, rate, &words);
		draw_text(g, &words, words.y, attr, text);
		return;
	}
	figure_words(text, a, &words);
	draw_text(g, &words, words.y, attr, text);
	figure_number(text, m->n, rate, number.end - number.x);
	draw_text(g, &number, number.y, attr, text);
}

static void draw_box(const struct figure *f, struct grid *g, const struct diagram *d, int i,
		     uint64_t now)
{
	struct figure_box b = figure_box(f, i);
	enum attr attr = heat_of(d->moved[b.state], now) == HOT ? ATTR_BOX_HOT : ATTR_BOX;
	const char *name = tcpfsm_state_name(b.state);
	int w = f->box_cols, y = b.y + f->box_rows / 2, right = b.x + w - 1, len;
	char n[24];

	if (f->box_rows == 3) {
		int bottom = b.y + 2;

		grid_line(g, b.x, b.y, right, b.y, attr, false);
		grid_line(g, right, b.y, right, bottom, attr, false);
		grid_line(g, right, bottom, b.x, bottom, attr, false);
		grid_line(g, b.x, bottom, b.x, b.y, attr, false);
	} else {
		grid_put(g, b.x, y, attr, '[');
		grid_put(g, right, y, attr, ']');
	}
	grid_fill(g, b.x + 1, y, w - 2, attr, ' ');

	if (b.state == S(CLOSE)) {
		grid_text(g, b.x + (w - (int)strlen(FIGURE_CLOSED)) / 2, y, attr, FIGURE_CLOSED);
		return;
	}
	len = (int)strlen(name);
	brief(n, d->population[b.state], w - 3 - len - (f->box_rows == 3 ? 2 : 0));
	if (f->box_rows == 3) {
		grid_text(g, b.x + 2, y, attr, name);
		grid_text(g, right - 1 - (int)strlen(n), y, attr, n);
	} else {
		grid_text(g, b.x + 1, y, attr, name);
		grid_text(g, right - (int)strlen(n), y, attr, n);
	}
}

void figure_draw(const struct figure *f, struct grid *g, const struct diagram *d, uint64_t now)
{
	char text[2][FIGURE_TEXT_MAX];
	struct figure_slot slot;
	enum heat heat;
	bool full;
	int a, i, y, n;

	/* What moves is drawn last: where lines meet, it is seen. */
	for (heat = NEVER; heat <= HOT; heat++)
		for (a = 0; a < NARROWS; a++)
			if (heat_of(d->arrow[a].last, now) == heat)
				draw_route(f, g, a, arrow_attr(a, heat));
	for (a = 0; a < NARROWS; a++)
		draw_arrow_text(f, g, d, a, arrow_attr(a, heat_of(d->arrow[a].last, now)), now);
	for (i = 0; i < FIGURE_BOXES; i++)
		draw_box(f, g, d, i, now);
	for (i = 0; i < DIAGRAM_STATES; i++) {
		if (!figure_exit_slot(f, (uint8_t)i, &slot))
			continue;
		n = figure_exits(d, (uint8_t)i, now, slot.end - slot.x, slot.rows, text,
				 &full);
		heat = heat_of(d->exit[i].last, now);
		if (slot.hangs)
			slot.y += slot.rows - n;
		for (y = 0; y < n; y++)
			draw_text(g, &slot, slot.y + y, heat == HOT ? ATTR_BAD_HOT : ATTR_BAD,
				  text[y]);
	}
}
