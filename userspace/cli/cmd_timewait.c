// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm timewait: who makes TIME_WAIT sockets, towards where, and what it comes to. */
#include "../show/timewait.h"
#include "cli.h"

struct timewait {
	struct readings readings;
	struct tcpfsm_timewaits *ledger;
};

static int show(void *arg, uint64_t ts)
{
	struct timewait *v = arg;
	const struct options *o = &v->readings.opts;
	struct timewait_reading r = {
		.top = o->top, .interval = o->interval, .ledger = v->ledger, .ts = ts,
		.redraw = v->readings.redraw, .width = screen_width(o->out),
	};
	int err = o->json ? timewait_json(o->out, &r) : timewait_text(o->out, &r);

	tcpfsm_timewaits_mark(v->ledger, ts);
	return err;
}

/* ---- view ------------------------------------------------------------------------ */

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct readings *readings = arg;
	struct timewait *v = readings->arg;
	struct tcpfsm_timewaits_options o = {
		.size = sizeof(o),
		.epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f)),
		.filter = readings->opts.given & OPT_FILTER ? &readings->opts.filter : NULL,
	};
	int err;

	(void)info;
	if (!readings->opts.replay) {
		o.since = realtime_ns();
		o.cgroups = true;
	}
	readings_begin(readings);
	err = tcpfsm_timewaits_new(&v->ledger, &o);
	if (err)
		return fail(err, "timewait");
	tcpfsm_timewaits_sort(v->ledger, readings->opts.sort);
	to->timewaits = v->ledger;
	return 0;
}

static int run(const struct options *given)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct view view = {
		.follow = { .snapshot = true, .totals = true, .resync = true, .model = &mo,
			    .event = readings_event },
		.begin = begin, .idle = readings_idle, .end = readings_end,
		.shows = FEATURE(TW_ENTER) | FEATURE(TW_SEGMENT) | FEATURE(TW_LEAVE) |
			 FEATURE(CONNECT_FAILED) | FEATURE(ACTIVE_OPEN),
	};
	struct timewait v = { .readings.show = show, .readings.arg = &v };
	const struct options *o = &v.readings.opts;
	int status;

	readings_options(&v.readings, "timewait", given);
	/* The kernel's own number is of about the time of a reading. */
	if (o->interval)
		view.follow.totals_ns = o->interval < NSEC_PER_SEC ? NSEC_PER_SEC / 10 : NSEC_PER_SEC;
	status = stream(o, &view, &v.readings);
	tcpfsm_timewaits_free(v.ledger);
	return status;
}

const struct command cmd_timewait = {
	.columns =
		"  enter ... refresh\n"
		"              what happened to mini-sockets, a second and in all: entered;\n"
		"              expired; taken by connect() (reuse) or by a SYN (reopen); ended by\n"
		"              an RST (kill) or with the namespace (purge); denied for want of\n"
		"              room; begun again (refresh)\n"
		"  AGE         how many have been in TIME_WAIT for so long\n"
		"  DESTINATION local address > peer's address and port, where connect() was here;\n"
		"              ADDRESS:PORT < * where something listens\n"
		"  OWNER       the process that made them\n"
		"  TW, FINW2   how many are in TIME_WAIT, and in FIN_WAIT2 without a process\n"
		"  IN/s, OUT/s made and ended, a second\n"
		"  PORTS       share of the usable local ports that is taken towards there\n"
		"  WE FIRST    how many are here because this side closed first\n"
		"  DENIED      TIME_WAIT refused for want of room or memory\n"
		"  FAILED      connect() calls that found no port\n",
	.examples =
		"  Who makes them, and towards where, in 10 seconds:\n"
		"    tcpfsm timewait -d 10\n"
		"  What grows fastest, drawn again each second:\n"
		"    tcpfsm timewait -w 1 --sort growth\n",
	.run = run,
};
