// SPDX-License-Identifier: GPL-2.0-only
/* When a table is due: at the end, or each time an interval is over and all of it has come. */
#include <limits.h>

#include "cli.h"

/* An event may be that much younger than a record still to come. */
#define GRACE_NS	(50 * (NSEC_PER_SEC / 1000))

/* A recorder writes each second. */
#define RECORDER_NS	(2 * NSEC_PER_SEC)

/* How long to observe, unless -d says otherwise. */
#define OBSERVE_S	3

void readings_options(struct readings *r, const char *command, const struct options *given)
{
	struct options *o = &r->opts;

	*o = *given;
	r->command = command;
	r->due = UINT64_MAX;
	if (o->replay && !o->follow)
		o->interval = 0;
	else if (!o->replay && !(o->given & OPT_DURATION) && !o->interval)
		o->duration = OBSERVE_S * NSEC_PER_SEC;
	if (tcpfsm_filter_asks(&o->filter) & (TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE))
		complain("%s: -s and -C have no effect here", command);
	if (o->count && !o->interval)
		complain("%s: -c has no effect without -w", command);
	r->redraw = o->interval && !o->json && out_is_terminal(o->out);
}

void readings_begin(struct readings *r)
{
	if (r->opts.interval)
		r->due = realtime_ns() + r->opts.interval;
}

/* Return: non-zero: enough. */
static int show(struct readings *r, uint64_t ts)
{
	r->err = r->show(r->arg, ts);
	r->n++;
	return r->err || out_flush(r->opts.out) || r->n == r->opts.count;
}

/* Is it time, now that everything up to ts has come? */
static int show_due(struct readings *r, uint64_t ts)
{
	int rc;

	if (ts < r->due)
		return 0;
	rc = show(r, r->due);
	/* Late: what was missed is not made up for. */
	r->due += r->opts.interval;
	if (r->due < ts)
		r->due = ts;
	return rc;
}

int readings_event(const struct tcpfsm_event *ev, void *arg)
{
	struct readings *r = arg;

	if (ev->ts >= r->due && show_due(r, ev->ts))
		return 1;
	if (ev->ts > r->last_ts)
		r->last_ts = ev->ts;
	return 0;
}

int readings_idle(void *arg)
{
	struct readings *r = arg;
	uint64_t grace = r->opts.follow ? RECORDER_NS : GRACE_NS, now = realtime_ns();

	if (r->due == UINT64_MAX)
		return INT_MAX;
	if (now > r->due + grace && show_due(r, now - grace))
		return -1;
	now = now < r->due + grace ? r->due + grace - now : 0;
	now = now / NSEC_PER_MSEC + 1;
	return now < INT_MAX ? (int)now : INT_MAX;
}

int latest_show(struct latest *l, uint64_t interval, int (*fn)(void *arg), void *arg)
{
	uint64_t now = monotonic_ns();

	if (!l->fresh)
		return INT_MAX;
	if (interval && now < l->next)
		return (int)((l->next - now) / NSEC_PER_MSEC) + 1;
	l->fresh = false;
	l->next = now + interval;
	l->err = fn(arg);
	return l->err ? -1 : INT_MAX;
}

int readings_end(void *arg, int rc)
{
	struct readings *r = arg;

	(void)rc;
	/* A recording has an end. */
	if (!r->err && (!r->opts.interval || (r->opts.follow && !r->n)))
		show(r, r->opts.replay ? r->last_ts : realtime_ns());
	return r->err ? fail(r->err, r->command) : 0;
}
