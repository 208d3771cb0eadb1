// SPDX-License-Identifier: GPL-2.0-only
/* A recording, up to some time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conns.h"
#include "feed.h"
#include "page.h"
#include "replay.h"
#include "source/clock.h"
#include "source/item.h"
#include "source/pace.h"
#include "../show/recent.h"

#define USEC		(NSEC_PER_MSEC / 1000)

struct replay {
	const struct replay_options *o;
	struct tcpfsm_info *info;
	/* What was told up to now, made anew to go back: */
	struct tcpfsm_follow *follow;
	struct tcpfsm_source *src;	/* its own */
	struct tcpfsm_model *model;	/* its own: all events */
	struct tcpfsm_model *lives;	/* of conns */
	struct recent recent;
	struct tcpfsm_consumers to;
	struct watch watch;
	struct conns conns;
	const struct tcpfsm_item *ahead; /* read, and not yet told */
	size_t nahead;
	bool over;			/* there is nothing more */
	bool to_end;			/* explain was told that it would hear all of it */
	int err;			/* of a callback */
	uint64_t told, before;		/* CLOCK_MONOTONIC: of the last record, and of one a microsecond before it or more */
	/* Known once it was read: */
	uint64_t first, last;
	char error[512], missing[512];	/* in words; "": nothing */
};

/* ---- telling ------------------------------------------------------------------------------- */

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct replay *r = arg;

	r->err = watch_event(&r->watch, ev);
	if (!r->err)
		r->err = feed_event(&r->to, ev);
	return r->err;
}

static int on_life(const struct tcpfsm_event *ev, void *arg)
{
	struct replay *r = arg;

	top_event(&r->conns.top, ev);
	return 0;
}

static int tell_state(struct replay *r, const struct tcpfsm_item *item)
{
	int err = watch_item(&r->watch, item);

	if (!err)
		err = recent_item(&r->recent, item);
	return err ? err : feed_item(&r->to, item);
}

/* n 0: what waits for a successor waits in vain. */
static int tell(struct replay *r, const struct tcpfsm_item *items, size_t n)
{
	size_t i, some;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		if (is_state(&items[i]))
			err = tell_state(r, &items[i]);
	if (err)
		return err;
	if (!n) {
		err = tcpfsm_model_flush(r->model, on_event, r);
		tcpfsm_model_flush(r->lives, on_life, r);
		top_flush(&r->conns.top);
		return err;
	}
	err = tcpfsm_model_items(r->model, items, n, on_event, r);
	tcpfsm_model_items(r->lives, items, n, on_life, r);
	/* Records alone. */
	for (i = 0; i < n && !err; i += some ? some : 1) {
		for (some = 0; i + some < n && !is_state(&items[i + some]); some++)
			;
		if (some)
			err = top_feed(&r->conns.top, items + i, some);
	}
	return err;
}

/* In microseconds, so that the record of ts is told then. */
static uint64_t since_first(const struct replay *r, uint64_t ts)
{
	return ts > r->first ? (ts - r->first) / USEC + !!((ts - r->first) % USEC) : 0;
}

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts ? item->to_ts : item->from_ts : item->rec.ts;
}

/* What is there already has no time of its own. */
static bool is_timed(const struct tcpfsm_item *item)
{
	return item->lost || !(item_is(item, TCPFSM_TYPE_SOCKET) || item_is(item, TCPFSM_TYPE_MARK));
}

/* How many are due; and the time goes on. */
static size_t count_due(struct replay *r, uint64_t until)
{
	size_t n;

	for (n = 0; n < r->nahead; n++) {
		uint64_t ts = time_of(&r->ahead[n]);

		if (!is_timed(&r->ahead[n]))
			continue;
		if (ts > until)
			break;
		if (!r->first)
			r->first = ts;
		if (ts <= r->told)
			continue;
		if (since_first(r, ts) > since_first(r, r->told))
			r->before = r->told;
		r->told = ts;
	}
	return n;
}

/* Return: 1: there is something ahead; 0: the end; or a negative errno. */
static int read_ahead(struct replay *r)
{
	int rc;

	if (r->nahead || r->over)
		return r->nahead > 0;
	rc = tcpfsm_source_batch(r->src, &r->ahead, &r->nahead);
	if (rc > 0)
		return 1;
	r->nahead = 0;
	r->over = true;
	if (rc < 0 && rc != -EBADMSG)
		return rc;
	/* What is good was told before. */
	snprintf(r->error, sizeof(r->error), "%s", rc ? tcpfsm_source_error(r->src) : "");
	snprintf(r->missing, sizeof(r->missing), "%s", tcpfsm_source_missing(r->src));
	return 0;
}

static int read_until(struct replay *r, uint64_t until)
{
	bool had_more = !r->over;
	size_t n;
	int rc;

	while ((rc = read_ahead(r)) > 0) {
		n = count_due(r, until);
		if (!n)
			break;
		rc = tell(r, r->ahead, n);
		r->ahead += n;
		r->nahead -= n;
		if (!rc && r->o->interrupted && *r->o->interrupted)
			rc = -EINTR;
		if (rc)
			return rc;
	}
	if (rc < 0)
		return rc;
	/* Two records that belong together are not parted, if they are that near. */
	if (r->over ? had_more : time_of(r->ahead) > until + PENDING_MS * NSEC_PER_MSEC)
		return tell(r, NULL, 0);
	return 0;
}

/* ---- to begin, and to begin anew -------------------------------------------------------------- */

static void forget(struct replay *r)
{
	tcpfsm_explain_free(r->to.explain);
	tcpfsm_connects_free(r->to.connects);
	tcpfsm_timewaits_free(r->to.timewaits);
	recent_free(&r->recent);
	watch_free(&r->watch);
	conns_free(&r->conns);
	tcpfsm_model_free(r->lives);
	tcpfsm_follow_close(r->follow);
	r->to = (struct tcpfsm_consumers) { .size = sizeof(r->to) };
	r->follow = NULL;
	r->lives = NULL;
	r->nahead = 0;
	r->over = false;
	r->told = r->before = 0;
}

static int make(struct replay *r)
{
	static const struct tcpfsm_model_options life = { .size = sizeof(life), .lives = true, .watch = true, .opens = 1 };
	struct tcpfsm_model_options mo = life;
	int64_t epoch_offset = tcpfsm_source_epoch_offset(r->src);
	const struct tcpfsm_filter *filter = r->o->filter;
	struct tcpfsm_filter none = { .size = sizeof(none) };
	/* Ports are taken by all, whoever is asked for. */
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw), .epoch_offset = epoch_offset, .filter = filter };
	struct tcpfsm_connects_options co = { .size = sizeof(co), .epoch_offset = epoch_offset, .filter = filter };
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = filter ? filter : &none, .epoch_offset = epoch_offset, .info = r->info,
		.model = r->model, .ended = r->to_end,
	};
	int err = recent_new(&r->recent, false, false);

	mo.epoch_offset = epoch_offset;
	if (!err)
		err = tcpfsm_model_new(&r->lives, &mo);
	if (!err)
		err = tcpfsm_timewaits_new(&r->to.timewaits, &tw);
	co.ledger = r->to.timewaits;
	if (!err)
		err = tcpfsm_connects_new(&r->to.connects, &co);
	/* One that has a filter is not for explain. */
	eo.ledger = filter ? NULL : r->to.timewaits;
	if (!err)
		err = tcpfsm_explain_new(&r->to.explain, &eo);
	r->watch = (struct watch) {
		.filter = filter, .epoch_offset = epoch_offset, .ls = r->recent.ls[0], .ledger = r->to.timewaits,
	};
	if (!err)
		err = watch_new(&r->watch);
	if (!err)
		err = conns_new(&r->conns, r->lives, filter, epoch_offset);
	/* Items come in batches all the same; what they are told with is a matter of this, too. */
	return err ? err : tcpfsm_follow_consumers(r->follow, &r->to);
}

static int on_batch(const struct tcpfsm_item *items, size_t n, void *arg)
{
	(void)items;
	(void)n;
	(void)arg;
	return 0;
}

static int begin(struct replay *r, const char **why)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_follow_options fo = {
		.size = sizeof(fo), .recording = r->o->dir, .model = &mo, .batch = on_batch,
		.netns = r->o->filter ? r->o->filter->netns : 0,
	};
	int err;

	/* It may have told later ones, too. */
	(void)!tcpfsm_names_recorded(r->o->dir);
	err = tcpfsm_follow_open(&r->follow, &fo, r->info, why);
	if (err)
		return err;
	r->src = tcpfsm_follow_source(r->follow);
	r->model = tcpfsm_follow_model(r->follow);
	return make(r);
}

/* at: microseconds. */
static int go_to(struct replay *r, uint64_t at)
{
	bool to_end = at >= replay_span(r);
	uint64_t until = to_end ? UINT64_MAX : r->first + at * USEC;
	const char *why;
	int err;

	if (!r->follow || to_end != r->to_end || until < r->told) {
		forget(r);
		r->to_end = to_end;
		err = begin(r, &why);
		if (err) {
			forget(r);
			return err;
		}
	}
	err = read_until(r, until);
	/* It cannot go on from there. */
	if (err)
		forget(r);
	return err;
}

int replay_open(struct replay **out, const struct replay_options *opts, struct tcpfsm_info *info, const char **why)
{
	struct replay *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	*why = "";
	if (!r)
		return -ENOMEM;
	r->o = opts;
	r->info = info;
	r->to.size = sizeof(r->to);
	r->to_end = true;
	err = begin(r, why);
	if (!err)
		err = read_until(r, UINT64_MAX);
	r->last = r->told;
	if (err)
		replay_close(r);
	else
		*out = r;
	return err;
}

uint64_t replay_span(const struct replay *r)
{
	return (r->last - r->first) / USEC + 1;
}

const char *replay_error(const struct replay *r)
{
	return *r->error ? r->error : NULL;
}

struct tcpfsm_source *replay_source(const struct replay *r)
{
	return r->src;
}

/* ---- what is seen of it --------------------------------------------------------------------- */

int replay_data(struct replay *r, uint64_t at, struct out_text *text)
{
	uint64_t next, previous;
	int err = go_to(r, at);

	if (!err)
		err = watch_settle(&r->watch, r->watch.last_ts);
	if (err)
		return err;
	next = r->nahead ? since_first(r, time_of(r->ahead)) : replay_span(r);
	previous = since_first(r, since_first(r, r->told) < at ? r->told : r->before);
	conns_look(&r->conns, true);
	return page_data(text, &(struct page_known) {
		.recording = r->o->dir, .error = r->error, .missing = r->missing, .info = r->info, .src = r->src,
		.model = r->model, .filter = r->o->filter, .ls = r->recent.last_ts ? r->recent.ls[0] : NULL,
		.ledger = r->to.timewaits, .connects = r->to.connects,
		.explain = r->recent.last_ts ? r->to.explain : NULL, .judged = r->recent.ls[0], .watch = &r->watch,
		.conns = &r->conns, .now = r->watch.event_ts, .untold = r->nahead,
		.play = { .span = replay_span(r), .at = at, .next = next, .previous = previous },
	});
}

int replay_ladder(struct replay *r, uint64_t at, uint64_t conn, struct out_text *svg)
{
	int err = go_to(r, at);

	return err ? err : conns_ladder(&r->conns, conn, svg);
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	forget(r);
	free(r);
}
