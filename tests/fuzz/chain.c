// SPDX-License-Identifier: GPL-2.0-only
/* All that the library makes of items, and the model of tcpfsm top, in one process. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "../unit/consistent.h"
#include "../../userspace/lib/model/timewait.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/show/text.h"
#include "../../userspace/show/top.h"

/* Of findings at a time. */
#define SAID_MAX	64

struct chain {
	const struct input *in;
	struct tcpfsm_model *model;
	struct tcpfsm_ladders *ladders;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_listeners *listeners;
	struct tcpfsm_checks *checks;
	struct tcpfsm_explain *explain;
	struct said said[SAID_MAX];
	size_t nsaid;
	struct tcpfsm_filter filter;
	struct text text;
	struct top *top;
	uint64_t last;			/* time of any event */
	size_t items;
};

/* What goes to a terminal or a file must not hold what a process called itself. */
static void printable(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		REQUIRE((unsigned char)s[i] >= ' ' && s[i] != 0x7f);
}

static void line(const char *s, size_t n, size_t max)
{
	REQUIRE(n && n <= max && s[n - 1] == '\n');
	printable(s, n - 1);
}

/* ---- what they tell ------------------------------------------------------------- */

static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < l->nrows; i++) {
		REQUIRE(l->rows[i].from < 2);
		REQUIRE(!i || l->rows[i].ts >= l->rows[i - 1].ts);
	}
	return 0;
}

static int on_life(const struct tcpfsm_event *ev, void *arg)
{
	char *buf = malloc(TCPFSM_JSON_MAX);

	(void)arg;
	/* It is meant for these only. */
	if (ev->life && ev->type == TCPFSM_EVENT_TRANSITION && ev->new_state == TCPFSM_STATE_CLOSE)
		line(buf, tcpfsm_life_json(ev, buf), TCPFSM_JSON_MAX);
	free(buf);
	return 0;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct chain *c = arg;
	char *buf = malloc(TCPFSM_JSON_MAX);
	char *row = malloc(TEXT_MAX);
	size_t n;

	c->last = ev->ts;
	line(buf, tcpfsm_event_json(ev, buf), TCPFSM_JSON_MAX);
	n = text_event(&c->text, ev, row);
	REQUIRE(n <= TEXT_MAX);
	while (n) {
		const char *end = memchr(row, '\n', n);

		REQUIRE(end);
		printable(row, (size_t)(end - row));
		n -= (size_t)(end + 1 - row);
		memmove(row, end + 1, n);
	}
	free(buf);
	free(row);
	on_life(ev, NULL);
	tcpfsm_filter_match(&c->filter, ev);
	if (c->in->h.flags & FLAG_RAW)
		return 0;
	REQUIRE(!tcpfsm_timewaits_event(c->ledger, ev));
	if (c->top)
		top_event(c->top, ev);
	if (c->in->h.flags & FLAG_LIVES)
		return 0;
	REQUIRE(!tcpfsm_explain_event(c->explain, ev));
	REQUIRE(!tcpfsm_ladders_event(c->ladders, ev, on_ladder, NULL));
	return 0;
}

static int on_conn(const struct tcpfsm_conn *conn, void *arg)
{
	struct chain *c = arg;
	struct tcpfsm_conn found;

	REQUIRE(conn->state < 16);
	tcpfsm_model_find(c->model, conn->conn, &found);
	return 0;
}

static int on_timewait(const struct tcpfsm_timewait *tw, void *arg)
{
	struct tcpfsm_timewait_reuse reuse;
	struct chain *c = arg;

	tcpfsm_timewaits_reuse(c->ledger, tw, c->last, &reuse);
	REQUIRE(!tw->cgroup);
	return 0;
}

static int on_listener(const struct tcpfsm_listener *l, void *arg)
{
	uint64_t sum[TCPFSM_TOTAL_NUM];

	(void)arg;
	memcpy(sum, l->first, sizeof(sum));
	tcpfsm_totals_merge(sum, l->total);
	tcpfsm_histogram_quantile(l->total + TCPFSM_TOTAL_HANDSHAKE_US, 0.99);
	return 0;
}

static int on_check(const struct tcpfsm_check *check, void *arg)
{
	(void)arg;
	printable(check->why, strlen(check->why));
	REQUIRE(check->nparts <= TCPFSM_CHECK_PARTS);
	return 0;
}

/* Who is meant is all that stands before the verdict. */
static void keep_said(struct said *s, const struct tcpfsm_finding *f, char *json)
{
	*s = (struct said) { .verdict = f->verdict, .all = json, .severity = f->severity };
	snprintf(s->listener, sizeof(s->listener), "%u %llu", f->netns, (unsigned long long)f->conn);
	snprintf(s->subject, sizeof(s->subject), "%.*s", (int)(strstr(json, "\"cpu\"") - json), json);
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct chain *c = arg;
	char *buf = malloc(TCPFSM_FINDING_JSON_MAX);
	size_t n = tcpfsm_finding_json(f, buf), i;

	line(buf, n, TCPFSM_FINDING_JSON_MAX);
	buf[n - 1] = '\0';
	buf = realloc(buf, n);
	if (c->nsaid < SAID_MAX)
		keep_said(&c->said[c->nsaid++], f, buf);
	else
		free(buf);
	printable(f->text, strlen(f->text));
	printable(f->remedy, strlen(f->remedy));
	printable(f->cost, strlen(f->cost));
	for (i = 0; i < f->nevidence; i++)
		printable(f->evidence[i], strlen(f->evidence[i]));
	return 0;
}

/* The records need not fit each other, and so the numbers; but what is concluded from them has to. */
static void check_findings(struct chain *c)
{
	char why[512];

	c->nsaid = 0;
	tcpfsm_explain_findings(c->explain, c->listeners, on_finding, c);
	if (contradiction(c->said, c->nsaid, false, why, sizeof(why)))
		fprintf(stderr, "%s\n", why);
	REQUIRE(!contradiction(c->said, c->nsaid, false, why, sizeof(why)));
	while (c->nsaid)
		free((char *)c->said[--c->nsaid].all);
}

static void on_move(const struct tcpfsm_move *m, void *arg)
{
	(void)arg;
	REQUIRE(m->n);
}

static bool tells(const struct tcpfsm_event *ev)
{
	static const struct text plain;

	return text_tells(&plain, ev);
}

/* ---- the chain ------------------------------------------------------------------ */

struct chain *chain_new(const struct input *in)
{
	struct chain *c = calloc(1, sizeof(*c));
	const struct header *h = &in->h;
	bool small = h->flags & FLAG_SMALL;
	/* That takes much memory: not every time. */
	bool watch = h->flags & FLAG_WATCH && h->sort % 4 == 0;
	int64_t offset = (int64_t)h->epoch_offset;
	struct tcpfsm_model_options mo = {
		.size = sizeof(mo), .raw = h->flags & FLAG_RAW, .epoch_offset = offset,
		.lives = h->flags & FLAG_LIVES, .watch = watch,
		.max_conns = small ? 2 + h->max % 8 : 0,
	};
	struct tcpfsm_ladders_options lo = {
		.size = sizeof(lo), .max_conns = small ? 1 + h->max % 8 : 0,
		.max_events = small ? 1 + h->max % 16 : 0,
	};
	struct tcpfsm_timewaits_options to = {
		.size = sizeof(to), .epoch_offset = offset,
		.max_sockets = small ? 1 + h->max % 8 : 0,
		.max_destinations = small ? 1 + h->max % 4 : 0,
		.max_owners = small ? 1 + h->max % 4 : 0,
	};
	struct tcpfsm_explain_options xo = {
		.size = sizeof(xo), .epoch_offset = offset, .request_bytes = h->top * 16U,
		.timewait_bytes = h->sort,
	};

	c->in = in;
	if (h->flags & FLAG_FILTER) {
		input_filter(in, &c->filter);
		lo.filter = xo.filter = &c->filter;
	}
	c->text = (struct text) {
		.wide = h->flags & FLAG_WIDE, .raw = h->flags & FLAG_RAW,
		.time_of_day = h->flags & FLAG_JSON,
	};
	REQUIRE(!tcpfsm_model_new(&c->model, &mo));
	REQUIRE(!tcpfsm_ladders_new(&c->ladders, &lo));
	REQUIRE(!tcpfsm_timewaits_new(&c->ledger, &to));
	REQUIRE(!tcpfsm_listeners_new(&c->listeners));
	REQUIRE(!tcpfsm_checks_new(&c->checks, NULL));
	xo.model = c->model;
	REQUIRE(!tcpfsm_explain_new(&c->explain, &xo));
	tcpfsm_timewaits_sort(c->ledger, h->sort % 6);
	if (mo.watch && mo.lives && !mo.raw && h->flags & FLAG_EXTRA) {
		c->top = calloc(1, sizeof(*c->top));
		REQUIRE(!top_init(c->top, lo.filter, tells, offset));
		REQUIRE(!top_keep_log(c->top, c->model, h->sort & 4));
	}
	return c;
}

static void look(struct chain *c)
{
	struct tcpfsm_timewait dest = { .family = 4, .netns = c->in->rec[0].netns };
	uint64_t ages[TCPFSM_TW_AGES], population[16], lost, untold;
	int kind, i;
	size_t at;

	tcpfsm_model_population(c->model, population);
	at = 0;
	do
		tcpfsm_model_scan(c->model, &at, 100, on_conn, c);
	while (at);
	if (c->in->h.flags & FLAG_LIVES)
		tcpfsm_model_unfinished(c->model, c->last, on_life, NULL);
	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++)
		tcpfsm_timewaits_each(c->ledger, kind, c->last, c->in->h.max, on_timewait, c);
	tcpfsm_timewaits_ages(c->ledger, 0, c->last, ages);
	timewaits_find(c->ledger, &dest, c->last);
	tcpfsm_timewaits_mark(c->ledger, c->last);
	tcpfsm_timewaits_uncertain(c->ledger, &lost, &untold);
	tcpfsm_listeners_each(c->listeners, on_listener, NULL);
	tcpfsm_checks_settled(c->checks);
	tcpfsm_checks_each(c->checks, on_check, NULL);
	check_findings(c);
	tcpfsm_ladders_settle(c->ladders, on_ladder, NULL);
	if (!c->top)
		return;
	top_settle(c->top, c->model);
	for (i = 0; i < TOP_NCOLUMNS; i++) {
		c->top->list.column = i;
		while (!top_list_step(c->top, c->model, 1000))
			;
	}
	top_worst(c->top, c->last);
	for (i = 0; i < TOP_NSERIES; i++)
		history_rate(&c->top->series[i], c->last / NSEC_PER_SEC, 10);
	top_ladder(c->top, c->in->rec[0].conn, on_ladder, NULL);
}

void chain_item(struct chain *c, const struct tcpfsm_item *item)
{
	REQUIRE(!tcpfsm_listeners_item(c->listeners, item));
	REQUIRE(!tcpfsm_checks_item(c->checks, item));
	REQUIRE(!tcpfsm_explain_item(c->explain, item));
	REQUIRE(!tcpfsm_timewaits_item(c->ledger, item));
	if (c->top)
		top_portion(c->top, c->model, item, 1);
	REQUIRE(!tcpfsm_model_item(c->model, item, on_event, c));
	if (c->top)
		REQUIRE(!top_feed(c->top, item, 1));
	if (!(++c->items % 40))
		look(c);
}

void chain_free(struct chain *c)
{
	REQUIRE(!tcpfsm_model_flush(c->model, on_event, c));
	tcpfsm_model_moves(c->model, on_move, NULL);
	look(c);
	if (c->top) {
		top_flush(c->top);
		REQUIRE(!top_set_filter(c->top, NULL));
		top_free(c->top);
		free(c->top);
	}
	tcpfsm_ladders_flush(c->ladders, on_ladder, NULL);
	tcpfsm_explain_free(c->explain);
	tcpfsm_checks_free(c->checks);
	tcpfsm_listeners_free(c->listeners);
	tcpfsm_timewaits_free(c->ledger);
	tcpfsm_ladders_free(c->ladders);
	tcpfsm_model_free(c->model);
	free(c);
}
