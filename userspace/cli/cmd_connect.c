// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm connect: who connects where, and how it goes. */
#include "../show/connect.h"
#include "../show/screen.h"
#include "cli.h"

struct connect_view {
	struct readings readings;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_connects *connects;
};

static int show(void *arg, uint64_t ts)
{
	struct connect_view *v = arg;
	const struct options *o = &v->readings.opts;
	struct connect_reading r = {
		.connects = v->connects, .by = o->by, .sort = (enum tcpfsm_connect_sort)o->sort,
		.top = o->top, .interval = o->interval, .ts = ts, .redraw = v->readings.redraw,
		.width = screen_width(o->out),
	};
	int err = o->json ? connect_json(o->out, &r) : connect_text(o->out, &r);

	tcpfsm_connects_mark(v->connects, ts);
	return err;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct readings *readings = arg;
	struct connect_view *v = readings->arg;
	int64_t epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f));
	/* Ports are taken by all, whoever is asked for. */
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw), .epoch_offset = epoch_offset };
	struct tcpfsm_connects_options o = {
		.size = sizeof(o), .epoch_offset = epoch_offset, .cgroups = true,
		.filter = readings->opts.given & OPT_FILTER ? &readings->opts.filter : NULL,
	};
	int err;

	(void)info;
	err = tcpfsm_timewaits_new(&v->ledger, &tw);
	o.ledger = v->ledger;
	if (!err)
		err = tcpfsm_connects_new(&v->connects, &o);
	if (err)
		return fail(err, "connect");
	to->timewaits = v->ledger;
	to->connects = v->connects;
	readings_begin(readings);
	return 0;
}

static int run(const struct options *given)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct view view = {
		.follow = { .snapshot = true, .totals = true, .resync = true, .model = &mo,
			    .event = readings_event },
		.begin = begin, .idle = readings_idle, .end = readings_end,
		.shows = FEATURE(CONNECT_FAILED) | FEATURE(ACTIVE_OPEN) | FEATURE(TW_ENTER),
	};
	struct connect_view v = { .readings.show = show, .readings.arg = &v };
	const struct options *o = &v.readings.opts;
	int status;

	readings_options(&v.readings, "connect", given);
	status = stream(o, &view, &v.readings);
	tcpfsm_connects_free(v.connects);
	tcpfsm_timewaits_free(v.ledger);
	return status;
}

const struct command cmd_connect = {
	.columns =
		"  DESTINATION remote address and port; with --by HOST, NETWORK (/24 or /64),\n"
		"              PORT, PROCESS or CONTAINER\n"
		"  PROCESS     whose they are\n"
		"  NETNS       network namespace, where there are several\n"
		"  TRIES       connections that were tried, and which of them came to be (OK),\n"
		"              are under way (NOW) or failed (FAIL); below: why, given up by the\n"
		"              process itself, and who closed first those that were closed\n"
		"  P50, P99    from the SYN to ESTABLISHED: half, and 99 of 100, took no longer\n"
		"  RTX         SYNs sent again\n"
		"  RST         connections that an RST of either side ended\n"
		"  LIVE        how many are there now, TIME_WAIT not counted\n"
		"  PORTS       share of the usable local ports that is taken towards there, by\n"
		"              all; of several destinations that which has most\n",
	.examples =
		"  Who connects where, in 10 seconds, those that fail first:\n"
		"    tcpfsm connect -d 10 --sort failed\n"
		"  What goes to the databases' network, by process, drawn again each second:\n"
		"    tcpfsm connect -w 1 --by process dst 10.1.0.0/16\n",
	.run = run,
};
