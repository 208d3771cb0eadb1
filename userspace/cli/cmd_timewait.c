// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm timewait: who makes TIME_WAIT sockets, towards where, and what it comes to. */
#include <limits.h>

#include "../show/timewait.h"
#include "cli.h"

/* How long to observe, unless -d says otherwise. */
#define OBSERVE_S	3
/* An event may be that much younger than a record still to come. */
#define GRACE_NS	(50 * (NSEC_PER_SEC / 1000))

struct timewait {
	struct options opts;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_filter filter;
	bool redraw;
	uint64_t due;			/* of the next reading; epoch */
	uint64_t last_ts;		/* of any event */
	uint64_t readings;
	int err;
};

/* Return: non-zero: enough. */
static int show(struct timewait *v, uint64_t ts)
{
	struct timewait_reading r = {
		.top = v->opts.top, .interval = v->opts.interval, .ledger = v->ledger, .ts = ts,
		.redraw = v->redraw,
	};

	v->err = v->opts.json ? timewait_json(v->opts.out, &r) : timewait_text(v->opts.out, &r);
	tcpfsm_timewaits_mark(v->ledger, ts);
	v->readings++;
	return v->err || out_flush(v->opts.out) || v->readings == v->opts.count;
}

/* Is it time, now that everything up to ts has come? */
static int show_due(struct timewait *v, uint64_t ts)
{
	int rc;

	if (ts < v->due)
		return 0;
	rc = show(v, v->due);
	/* Late: what was missed is not made up for. */
	v->due += v->opts.interval;
	if (v->due < ts)
		v->due = ts;
	return rc;
}

/* ---- view ------------------------------------------------------------------------ */

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info)
{
	struct timewait *v = arg;
	struct tcpfsm_timewaits_options o = {
		.size = sizeof(o),
		.epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f)),
		.filter = v->opts.given & OPT_FILTER ? &v->filter : NULL,
	};
	int err;

	(void)info;
	if (!v->opts.replay) {
		o.since = realtime_ns();
		o.cgroups = true;
		v->due = v->opts.interval ? o.since + v->opts.interval : UINT64_MAX;
	}
	err = tcpfsm_timewaits_new(&v->ledger, &o);
	if (err)
		return fail(err, "timewait");
	tcpfsm_timewaits_sort(v->ledger, v->opts.sort);
	tcpfsm_follow_consumers(f, &(struct tcpfsm_consumers) {
		.size = sizeof(struct tcpfsm_consumers), .timewaits = v->ledger });
	return 0;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct timewait *v = arg;

	if (ev->ts >= v->due && show_due(v, ev->ts))
		return 1;
	if (ev->ts > v->last_ts)
		v->last_ts = ev->ts;
	return 0;
}

static int idle(void *arg)
{
	struct timewait *v = arg;
	uint64_t now = realtime_ns();

	if (v->due == UINT64_MAX)
		return INT_MAX;
	if (now > v->due + GRACE_NS && show_due(v, now - GRACE_NS))
		return -1;
	now = now < v->due + GRACE_NS ? v->due + GRACE_NS - now : 0;
	now = now / NSEC_PER_MSEC + 1;
	return now < INT_MAX ? (int)now : INT_MAX;
}

static int end(void *arg, int rc)
{
	struct timewait *v = arg;

	(void)rc;
	if (!v->err && !v->opts.interval)
		show(v, v->opts.replay ? v->last_ts : realtime_ns());
	return v->err ? fail(v->err, "timewait") : 0;
}

static int run(const struct options *given)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct view view = {
		.follow = { .snapshot = true, .totals = true, .resync = true, .model = &mo,
			    .event = on_event },
		.begin = begin, .idle = idle, .end = end,
		.shows = FEATURE(TW_ENTER) | FEATURE(TW_SEGMENT) | FEATURE(TW_LEAVE) |
			 FEATURE(CONNECT_FAILED) | FEATURE(ACTIVE_OPEN),
	};
	struct timewait v = { .opts = *given, .filter = given->filter, .due = UINT64_MAX };
	int status;

	if (v.opts.replay)
		v.opts.interval = 0;
	else if (!(v.opts.given & OPT_DURATION) && !v.opts.interval)
		v.opts.duration = OBSERVE_S * NSEC_PER_SEC;
	if (v.opts.count && !v.opts.interval)
		complain("timewait: -c has no effect without -w");
	if (v.filter.states || v.filter.causes)
		complain("timewait: -s and -C have no effect here");
	/* The kernel's own number is of about the time of a reading. */
	if (v.opts.interval)
		view.follow.totals_ns = v.opts.interval < NSEC_PER_SEC ? NSEC_PER_SEC / 10 :
									 NSEC_PER_SEC;
	v.redraw = v.opts.interval && !v.opts.json && out_is_terminal(v.opts.out);
	status = stream(&v.opts, &view, &v);
	tcpfsm_timewaits_free(v.ledger);
	return status;
}

const struct command cmd_timewait = {
	.name = "timewait",
	.args = "",
	.text = "TIME_WAIT by destination and owner, and when ports run out",
	.options = OPT_FILTER | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_JSON | OPT_INTERVAL |
		   OPT_FOLLOW_NEW | OPT_TOP | OPT_SORT,
	.run = run,
};
