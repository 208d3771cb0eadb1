// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm listen: what becomes of SYNs, listener by listener, the worst first.
 *
 * Nothing is needed here but the totals, so records are left where they are: a
 * flood costs nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "../show/listen.h"
#include "cli.h"

#define T(t)		TCPFSM_TOTAL_##t

struct listen {
	const struct options *opts;
	int64_t epoch_offset;
	struct tcpfsm_listeners *ls;
	struct listen_reader reader;
	uint64_t readings;
	bool redraw, totals;
};

static void tell_lost(const struct listen_reading *r)
{
	static bool told;
	size_t i;

	for (i = 0; !told && i < r->nnetns; i++) {
		if (!r->netns[i].total[T(LISTENERS_LOST)])
			continue;
		told = true;
		complain("more listeners than the module's table holds; the rest are counted per network namespace; load the module with a larger listeners=");
	}
}

/* What the items fed so far say.  Return: 0 or -ENOMEM. */
static int show(struct listen *v)
{
	struct listen_reading *r = &v->reader.r;
	int err = listen_reading_make(&v->reader, v->ls, v->epoch_offset);

	if (!err && v->opts->json)
		listen_json(v->opts->out, r);
	else if (!err && v->opts->histogram)
		listen_histograms(v->opts->out, r, v->redraw);
	else if (!err)
		listen_text(v->opts->out, r, v->redraw);
	if (!err)
		tell_lost(r);
	v->reader.last_ts = r->ts;
	listen_reading_free(&v->reader);
	return err;
}

/* ---- view ------------------------------------------------------------------------ */

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct listen *v = arg;

	v->totals |= item->rec.type == TCPFSM_TYPE_TOTAL;
	return 0;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct listen *v = arg;
	int err;

	if (n->type != TCPFSM_NOTICE_TOTALS || n->error)
		return tell_notice(n, arg);
	err = show(v);
	if (err)
		return err;
	return out_flush(v->opts->out) || ++v->readings == v->opts->count;
}

static void tell_useless(const struct options *opts, const struct tcpfsm_info *info)
{
	if (opts->json && opts->histogram)
		complain("listen: --histogram has no effect with --json, which has them all");
	if (opts->count && !opts->interval)
		complain("listen: -c has no effect without -w");
	if (opts->duration != UINT64_MAX && !opts->interval)
		complain("listen: -d has no effect without -w");
	if (!opts->replay && !info->flight_recorder && !opts->interval)
		complain("the module counts only while somebody reads (flight_recorder=0): use -w");
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info)
{
	struct listen *v = arg;
	int err = tcpfsm_listeners_new(&v->ls);

	if (err)
		return fail(err, "listen");
	tell_useless(v->opts, info);
	v->epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f));
	tcpfsm_follow_consumers(f, &(struct tcpfsm_consumers) {
		.size = sizeof(struct tcpfsm_consumers), .listeners = v->ls });
	return 0;
}

/* Of a recording only the last reading is shown. */
static int end(void *arg, int rc)
{
	struct listen *v = arg;
	int err;

	if (!v->opts->replay || (!v->totals && rc))
		return 0;
	if (!v->totals) {
		complain("%s: no totals in this recording; record again with this version",
			 v->opts->replay);
		return EXIT_ERROR;
	}
	err = show(v);
	return err ? fail(err, "listen") : 0;
}

static int run(const struct options *opts)
{
	const struct view view = {
		.follow = { .snapshot = true, .totals = true, .totals_ns = opts->interval,
			    .state_only = true, .item = on_item, .notice = on_notice },
		.shows = FEATURE(SYN) | FEATURE(ACK) | FEATURE(REQUEST) | FEATURE(SYNACK) |
			 FEATURE(COOKIE) | FEATURE(ACCEPT) | FEATURE(LISTEN) |
			 FEATURE(SYNACK_TIMER),
		.begin = begin, .end = end,
	};
	struct listen v = {
		.opts = opts, .reader.filter = &opts->filter, .reader.interval = opts->interval,
		.redraw = opts->interval && !opts->replay && !opts->json &&
			  out_is_terminal(opts->out),
	};
	int status = stream(opts, &view, &v);

	tcpfsm_listeners_free(v.ls);
	free(v.reader.sorted);
	return status;
}

const struct command cmd_listen = {
	.name = "listen",
	.args = "",
	.text = "listeners: both queues, what becomes of SYNs, which limit bites",
	.options = OPT_SOCKET | OPT_NETNS | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_JSON | OPT_INTERVAL | OPT_HISTOGRAM,
	.run = run,
};
