// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm listen: what becomes of SYNs, listener by listener, the worst first.
 *
 * Nothing is needed here but the totals, so records are left where they are: a
 * flood costs nothing.
 */
#include <limits.h>
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
	struct latest latest;
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

	r->width = screen_width(v->opts->out);
	r->top = v->opts->top ? v->opts->top : SIZE_MAX;
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
	if (v->opts->replay) {
		v->latest.fresh = true;
		return 0;
	}
	err = show(v);
	if (err)
		return err;
	return out_flush(v->opts->out) || ++v->readings == v->opts->count;
}

/* --follow: 1 is enough. */
static int show_latest(void *arg)
{
	struct listen *v = arg;
	int err = show(v);

	return err ? err : out_flush(v->opts->out) || ++v->readings == v->opts->count;
}

static int on_idle(void *arg)
{
	struct listen *v = arg;

	return v->opts->replay && v->opts->interval ?
	       latest_show(&v->latest, v->opts->interval, show_latest, v) : INT_MAX;
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

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct listen *v = arg;
	int err = tcpfsm_listeners_new(&v->ls);

	if (err)
		return fail(err, "listen");
	tcpfsm_listeners_live(v->ls, !v->opts->replay);
	tell_useless(v->opts, info);
	v->epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f));
	to->listeners = v->ls;
	return 0;
}

/* Of a recording only the last reading is shown. */
static int end(void *arg, int rc)
{
	struct listen *v = arg;
	int err;

	if (v->latest.err)
		return v->latest.err < 0 ? fail(v->latest.err, "listen") : 0;
	if (!v->opts->replay || (!v->totals && rc))
		return 0;
	if (!v->totals) {
		complain("%s: no totals in this recording; record again with this version",
			 v->opts->replay);
		return EXIT_ERROR;
	}
	if (v->readings && !v->latest.fresh)
		return 0;
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
		.begin = begin, .idle = on_idle, .end = end,
	};
	struct listen v = {
		.opts = opts, .reader.filter = &opts->filter, .reader.interval = opts->interval,
		.reader.busy = opts->busy,
		.redraw = opts->interval && (!opts->replay || opts->follow) && !opts->json &&
			  out_is_terminal(opts->out),
	};
	int status = stream(opts, &view, &v);

	tcpfsm_listeners_free(v.ls);
	free(v.reader.sorted);
	return status;
}

const struct command cmd_listen = {
	.columns =
		"  LISTENER    address and port; below a group (SO_REUSEPORT) its members\n"
		"  OWNER       the process that accepts, else the one that has it open\n"
		"  SYNQ        SYN queue: length now/longest since load/how many fit\n"
		"  ACCQ        accept queue, the same\n"
		"  SYN         SYNs that came\n"
		"  COOKIE      of these answered with a SYN cookie\n"
		"  REFUSED     SYNs and third ACKs that were refused\n"
		"  DONE        handshakes completed\n"
		"  SETUP       from the SYN-ACK to ESTABLISHED: half took no longer (p50), and 99\n"
		"              of 100 (p99)\n"
		"  WAIT        from then to accept(), the same\n"
		"  LIMITS THAT BITE\n"
		"              SYNQ ACCQ: queue full; COOKIE: answered with one; QUARTER:\n"
		"              tcp_max_syn_backlog; ABORT: tcp_abort_on_overflow; MEMORY ROUTE\n"
		"              SECURITY OTHER: refused for that; CLAMP: listen() asked for more\n"
		"              than net.core.somaxconn\n"
		"  With -w, SYN to DONE are a second; --busy hides who has none and empty queues.\n",
	.examples =
		"  Who refuses clients, once a second:\n"
		"    tcpfsm listen -w 1\n"
		"  How long the queues of a port were when SYNs came:\n"
		"    tcpfsm listen -L 443 --histogram\n",
	.run = run,
};
