// SPDX-License-Identifier: GPL-2.0-only
/* What tcpfsm top makes of the records: the objects that live as long as a story is told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../show/explain.h"
#include "loop.h"

#define WINDOW_NS	(30 * NSEC_PER_SEC)
#define RESETS_NS	(60 * NSEC_PER_SEC)

const struct tcpfsm_model_options *story_model(bool replay)
{
	static const struct tcpfsm_model_options live = {
		.size = sizeof(live), .lives = true, .watch = true, .opens = 1,
	}, recorded = {
		.size = sizeof(recorded), .lives = true, .watch = true, .clients = true, .opens = 1,
	};

	return replay ? &recorded : &live;
}

int story_begin(struct loop *l)
{
	struct tcpfsm_source *src = tcpfsm_follow_source(l->follow);
	struct ui *u = &l->u;
	bool filtered = l->filtered;
	/* Whether ports are short, and who opened what, is a question of all that use them. */
	struct tcpfsm_filter netns = { .size = sizeof(netns), .netns = l->filter.netns };
	int64_t epoch_offset = tcpfsm_source_epoch_offset(src);
	struct tcpfsm_timewaits_options to = {
		.size = sizeof(to), .epoch_offset = epoch_offset,
		.filter = filtered ? &l->filter : NULL,
	};
	struct tcpfsm_connects_options co = {
		.size = sizeof(co), .epoch_offset = epoch_offset, .cgroups = true,
		.filter = filtered ? &l->filter : NULL,
	};
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = &u->filter, .epoch_offset = epoch_offset,
		.model = tcpfsm_follow_model(l->follow),
	};
	int err;

	l->src = src;
	u->model = tcpfsm_follow_model(l->follow);
	u->epoch_offset = epoch_offset;
	if (!l->replay) {
		to.since = eo.since = realtime_ns();
		eo.info = &u->info;
		eo.complete_since = tcpfsm_source_complete_since(src);
		to.cgroups = true;
		tcpfsm_explain_machine(&eo);
	}
	err = tcpfsm_timewaits_new(&u->ledger, &to);
	u->all = u->ledger;
	if (!err && filtered) {
		to.filter = netns.netns ? &netns : NULL;
		err = tcpfsm_timewaits_new(&u->all, &to);
	}
	eo.ledger = co.ledger = u->all;
	if (!err)
		err = tcpfsm_connects_new(&u->connects, &co);
	if (!err)
		err = tcpfsm_explain_new(&u->explain, &eo);
	if (!err)
		err = recent_new(&u->recent, !l->replay, !l->replay);
	return err;
}

void story_end(struct loop *l)
{
	struct ui *u = &l->u;

	recent_free(&u->recent);
	recent_free(&u->zero);
	u->zeroed = false;
	u->connect_since = 0;
	tcpfsm_explain_free(u->explain);
	tcpfsm_connects_free(u->connects);
	if (u->all != u->ledger)
		tcpfsm_timewaits_free(u->all);
	tcpfsm_timewaits_free(u->ledger);
	u->explain = NULL;
	u->connects = NULL;
	u->ledger = u->all = NULL;
	u->model = NULL;
}

void story_move_on(struct loop *l)
{
	if (!l->u.reading)
		recent_move_on(&l->u.recent, WINDOW_NS);
}

/* ---- records --------------------------------------------------------------------- */

static int feed_ledgers(struct ui *u, const struct tcpfsm_event *ev)
{
	int err = tcpfsm_timewaits_event(u->ledger, ev);

	if (!err && u->all != u->ledger)
		err = tcpfsm_timewaits_event(u->all, ev);
	return err;
}

/* How many end without an RST is of interest while others end with one. */
static bool ends_of_interest(struct loop *l, const struct tcpfsm_event *ev)
{
	if (ev->new_state != TCPFSM_STATE_CLOSE)
		return false;
	if (ev->cause == TCPFSM_CAUSE_RCV_RST || ev->cause == TCPFSM_CAUSE_SND_RST)
		l->reset_at = ev->ts;
	return l->reset_at && ev->ts < l->reset_at + RESETS_NS;
}

/*
 * For the sample of clients, of those who get through, the model tells while others do not;
 * and what goes wrong with ports and with segments sent again.
 */
static bool is_for_explain(struct loop *l, const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
	case TCPFSM_EVENT_CONNECT_FAILED:
	case TCPFSM_EVENT_RETRANSMIT:
	case TCPFSM_EVENT_LOST:
	case TCPFSM_EVENT_NETNS:
		return true;
	case TCPFSM_EVENT_TIMEWAIT:
		if (ev->rec.verdict == TCPFSM_TW_DENIED)
			return true;
		break;
	case TCPFSM_EVENT_TRANSITION:
		if (ev->new_state == TCPFSM_STATE_ESTABLISHED || ends_of_interest(l, ev))
			return true;
		break;
	}
	return false;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct loop *l = arg;

	/* For replays only. */
	if (ev->type == TCPFSM_EVENT_ACCEPT)
		return l->err = tcpfsm_explain_event(l->u.explain, ev);
	top_event(&l->u.top, ev);
	/* The end of what a listener made takes no port from anybody. */
	if (ev->type != TCPFSM_EVENT_TRANSITION || ev->new_state != TCPFSM_STATE_CLOSE || !ev->life ||
	    !ev->life->passive || ev->old_state == TCPFSM_STATE_TIME_WAIT)
		l->err = feed_ledgers(&l->u, ev);
	if (!l->err)
		l->err = tcpfsm_connects_event(l->u.connects, ev);
	if (!l->err && is_for_explain(l, ev))
		l->err = tcpfsm_explain_event(l->u.explain, ev);
	return l->err;
}

static int feed_state(struct loop *l, const struct tcpfsm_item *item)
{
	struct ui *u = &l->u;
	int err = tcpfsm_timewaits_item(u->ledger, item);

	if (!err && u->all != u->ledger)
		err = tcpfsm_timewaits_item(u->all, item);
	if (!err)
		err = tcpfsm_connects_item(u->connects, item);
	if (!err)
		err = tcpfsm_explain_item(u->explain, item);
	if (!err)
		err = recent_item(&u->recent, item);
	if (!err && u->zeroed && (item->lost || item->rec.type != TCPFSM_TYPE_TOTAL || item->rec.ts != u->zero_after))
		err = recent_item(&u->zero, item);
	if (item->rec.type == TCPFSM_TYPE_TOTAL)
		u->reading = true;
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

	/* The records of a reading lie together. */
	if (!state)
		u->reading = false;
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
	l->u.reading = false;
	if (tcpfsm_model_flush(l->u.model, on_event, l))
		return l->err;
	top_flush(&l->u.top);
	return 0;
}
