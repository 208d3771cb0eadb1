// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm listen: what becomes of SYNs, listener by listener, the worst first.
 *
 * Nothing is needed here but the totals, so records are left where they are: a
 * flood costs nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../show/listen.h"
#include "cli.h"

/* Longest sleep: a signal may come just before it. */
#define SLICE_MS	200

#define T(t)		TCPFSM_TOTAL_##t

struct listen {
	const struct options *opts;
	struct tcpfsm_source *src;
	struct tcpfsm_listeners *ls;
	struct listen_reader reader;
	uint64_t readings;
	bool redraw;
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
	int err = listen_reading_make(&v->reader, v->ls, tcpfsm_source_epoch_offset(v->src));

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

/* ---- where readings come from --------------------------------------------------------- */

static bool is(const struct tcpfsm_item *item, uint8_t type)
{
	return !item->lost && item->rec.type == type;
}

/* Items of one type, as long as they come.  Return: 0 or a negative errno. */
static int feed(struct listen *v, uint8_t type)
{
	const struct tcpfsm_item *item;
	int rc;

	while ((rc = tcpfsm_source_next(v->src, &item)) > 0) {
		if (!is(item, type))
			return 0;
		rc = tcpfsm_listeners_item(v->ls, item);
		if (rc)
			return rc;
	}
	return rc;
}

/* Return: false: enough. */
static bool sleep_until(struct out *o, uint64_t due)
{
	for (;;) {
		uint64_t now = monotonic_ns(), ms;

		if (interrupted || out_closed(o))
			return false;
		if (now >= due)
			return true;
		ms = (due - now) / (NSEC_PER_SEC / 1000) + 1;
		poll(NULL, 0, ms < SLICE_MS ? (int)ms : SLICE_MS);
	}
}

static int follow(struct listen *v)
{
	uint64_t due = monotonic_ns(), now;
	uint64_t end = v->opts->duration < UINT64_MAX - due ? due + v->opts->duration : UINT64_MAX;
	int rc = feed(v, TCPFSM_TYPE_SOCKET);

	tell_snapshot(tcpfsm_source_snapshot(v->src, NULL));
	while (!rc) {
		rc = tcpfsm_source_totals(v->src);
		if (!rc)
			rc = feed(v, TCPFSM_TYPE_TOTAL);
		if (!rc)
			rc = show(v);
		if (rc || out_flush(v->opts->out) || !v->opts->interval ||
		    ++v->readings == v->opts->count)
			break;
		/* Late: what was missed is not made up for. */
		due += v->opts->interval;
		now = monotonic_ns();
		if (due < now)
			due = now;
		if (due > end || !sleep_until(v->opts->out, due))
			break;
	}
	return rc;
}

/* Return: 0, 1: there is none, or a negative errno. */
static int last_of_recording(struct listen *v)
{
	const struct tcpfsm_item *item;
	bool any = false;
	int rc, err;

	while ((rc = tcpfsm_source_next(v->src, &item)) > 0) {
		any = any || is(item, TCPFSM_TYPE_TOTAL);
		rc = tcpfsm_listeners_item(v->ls, item);
		if (rc)
			return rc;
	}
	if (!any)
		return rc ? rc : 1;
	err = show(v);
	return err ? err : rc;
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

static int run(const struct options *opts)
{
	struct options fresh = *opts;
	struct listen v = {
		.opts = opts, .reader.filter = &opts->filter, .reader.interval = opts->interval,
	};
	struct tcpfsm_info info = { .size = 0 };
	int status, rc;

	/* Records are of no interest. */
	fresh.follow_new = true;
	status = open_source_snapshot(&v.src, &fresh, &info);
	if (status)
		return status;
	tell_useless(opts, &info);
	if (!opts->replay)
		tell_features(&info, FEATURE(SYN) | FEATURE(ACK) | FEATURE(REQUEST) | FEATURE(SYNACK) |
			      FEATURE(COOKIE) | FEATURE(ACCEPT) | FEATURE(LISTEN) |
			      FEATURE(SYNACK_TIMER));
	v.redraw = opts->interval && !opts->replay && !opts->json && out_is_terminal(opts->out);
	rc = tcpfsm_listeners_new(&v.ls);
	if (!rc)
		rc = opts->replay ? last_of_recording(&v) : follow(&v);
	status = close_stdout(opts->out);
	if (rc > 0 && !status) {
		complain("%s: no totals in this recording; record again with this version", opts->replay);
		status = EXIT_ERROR;
	} else if (rc < 0 && !status) {
		if (opts->replay)
			status = fail_replay(rc, opts, tcpfsm_source_error(v.src));
		else
			status = fail(rc, opts->device ? opts->device : TCPFSM_DEVICE);
	}
	tcpfsm_listeners_free(v.ls);
	tcpfsm_source_close(v.src);
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
