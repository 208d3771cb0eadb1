// SPDX-License-Identifier: GPL-2.0-only
/* What tcpfsm top makes of the records: the objects that live as long as a story is told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../show/explain.h"
#include "loop.h"

#define WINDOW_NS	(30 * NSEC_PER_SEC)
#define LISTENERS_MAX	4096

static int window_open(struct loop *l, struct window *w)
{
	struct ui *u = &l->u;
	size_t i;
	int err;

	memset(w, 0, sizeof(*w));
	w->begun = monotonic_ns();
	err = tcpfsm_listeners_new(&w->ls);
	/* Who has old listeners open, only the snapshot told. */
	for (i = 0; !err && i < u->nsockets; i++)
		err = tcpfsm_listeners_item(w->ls, &u->sockets[i]);
	return err;
}

static void window_close(struct window *w)
{
	tcpfsm_listeners_free(w->ls);
	memset(w, 0, sizeof(*w));
}

const struct tcpfsm_model_options story_model = {
	.size = sizeof(story_model), .lives = true, .watch = true,
};

int story_begin(struct loop *l)
{
	struct tcpfsm_source *src = tcpfsm_follow_source(l->follow);
	struct ui *u = &l->u;
	bool filtered = l->filtered;
	int64_t epoch_offset = tcpfsm_source_epoch_offset(src);
	struct tcpfsm_timewaits_options to = {
		.size = sizeof(to), .epoch_offset = epoch_offset,
		.filter = filtered ? &l->filter : NULL,
	};
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = &u->filter, .epoch_offset = epoch_offset,
	};
	int err;

	l->src = src;
	u->model = tcpfsm_follow_model(l->follow);
	u->epoch_offset = epoch_offset;
	if (!l->replay) {
		to.since = eo.since = realtime_ns();
		eo.info = &u->info;
		to.cgroups = true;
		explain_look_around(&eo);
	}
	err = tcpfsm_timewaits_new(&u->ledger, &to);
	/* Whether ports are short is a question of all that use them. */
	if (!err && !filtered)
		eo.ledger = u->ledger;
	if (!err)
		err = tcpfsm_explain_new(&u->explain, &eo);
	if (!err)
		err = window_open(l, &u->window[0]);
	return err;
}

void story_end(struct loop *l)
{
	struct ui *u = &l->u;

	window_close(&u->window[0]);
	window_close(&u->window[1]);
	tcpfsm_explain_free(u->explain);
	tcpfsm_timewaits_free(u->ledger);
	u->explain = NULL;
	u->ledger = NULL;
	u->model = NULL;
	u->nsockets = 0;
}

int story_move_on(struct loop *l)
{
	struct window *w = l->u.window;
	uint64_t age = monotonic_ns() - w[0].begun;

	/* A recording has its totals at the beginning, every ten seconds, and at the end. */
	if (l->replay)
		return 0;
	if (!w[1].ls)
		return age > WINDOW_NS ? window_open(l, &w[1]) : 0;
	if (age < 2 * WINDOW_NS)
		return 0;
	window_close(&w[0]);
	w[0] = w[1];
	return window_open(l, &w[1]);
}

/* ---- records --------------------------------------------------------------------- */

/*
 * For the sample of clients, of those who get through, the model tells while others do not;
 * and what goes wrong with ports.  The rest is for a ledger of its own.
 */
static bool is_for_explain(const struct loop *l, const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
	case TCPFSM_EVENT_CONNECT_FAILED:
	case TCPFSM_EVENT_LOST:
		return true;
	case TCPFSM_EVENT_TIMEWAIT:
		if (ev->rec.verdict == TCPFSM_TW_DENIED)
			return true;
		break;
	case TCPFSM_EVENT_TRANSITION:
		if (ev->new_state == TCPFSM_STATE_ESTABLISHED ||
		    (ev->old_state == TCPFSM_STATE_TIME_WAIT && ev->cause == TCPFSM_CAUSE_RCV_RST))
			return true;
		break;
	}
	return l->filtered;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct loop *l = arg;

	top_event(&l->u.top, ev);
	/* The end of what a listener made takes no port from anybody. */
	if (ev->type == TCPFSM_EVENT_TRANSITION && ev->new_state == TCPFSM_STATE_CLOSE && ev->life &&
	    ev->life->passive && ev->old_state != TCPFSM_STATE_TIME_WAIT)
		return 0;
	l->err = tcpfsm_timewaits_event(l->u.ledger, ev);
	if (!l->err && is_for_explain(l, ev))
		l->err = tcpfsm_explain_event(l->u.explain, ev);
	return l->err;
}

static int keep_socket(struct ui *u, const struct tcpfsm_item *item)
{
	if (item->rec.type == TCPFSM_TYPE_SOCKET && !item->rec.conn &&
	    item->rec.snd == TCPFSM_RESYNC_BEGIN)
		u->nsockets = 0;
	if (item->rec.type != TCPFSM_TYPE_SOCKET || item->rec.new_state != TCPFSM_STATE_LISTEN ||
	    u->nsockets == LISTENERS_MAX)
		return 0;
	if (!u->sockets)
		u->sockets = calloc(LISTENERS_MAX, sizeof(*u->sockets));
	if (!u->sockets)
		return -ENOMEM;
	u->sockets[u->nsockets++] = *item;
	return 0;
}

static int feed_state(struct loop *l, const struct tcpfsm_item *item)
{
	struct ui *u = &l->u;
	int err = tcpfsm_timewaits_item(u->ledger, item), i;

	if (!err)
		err = tcpfsm_explain_item(u->explain, item);
	if (!err)
		err = keep_socket(u, item);
	for (i = 0; i < 2 && !err; i++) {
		struct window *w = &u->window[i];

		if (!w->ls)
			continue;
		err = tcpfsm_listeners_item(w->ls, item);
		if (item->rec.type != TCPFSM_TYPE_TOTAL)
			continue;
		w->last_ts = item->rec.ts;
		if (!w->first_ts)
			w->first_ts = item->rec.ts;
	}
	return err;
}

/* From the device, what lies together is of one kind; a recording may hold anything. */
static size_t of_a_kind(const struct loop *l, const struct tcpfsm_item *items, size_t n)
{
	size_t i;

	if (!l->replay)
		return n;
	for (i = 1; i < n && is_state(&items[i]) == is_state(&items[0]); i++)
		;
	return i;
}

static int feed_some(struct loop *l, const struct tcpfsm_item *items, size_t n)
{
	bool state = is_state(items);
	struct ui *u = &l->u;
	size_t i;
	int err = 0;

	for (i = 0; state && i < n && !err; i++)
		err = feed_state(l, &items[i]);
	if (!err && tcpfsm_model_items(u->model, items, n, on_event, l))
		err = l->err;
	if (!err && !state)
		err = top_feed(&u->top, items, n);
	return err;
}

int story_feed(struct loop *l, const struct tcpfsm_item *items, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t some = of_a_kind(l, items, n);

		if (!is_state(items))
			some = top_portion(&l->u.top, l->u.model, items, some);
		err = feed_some(l, items, some);
		items += some;
		n -= some;
	}
	return err;
}

int story_flush(struct loop *l)
{
	if (tcpfsm_model_flush(l->u.model, on_event, l))
		return l->err;
	top_flush(&l->u.top);
	return 0;
}
