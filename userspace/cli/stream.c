// SPDX-License-Identifier: GPL-2.0
/* From the device or a recording through the model to the view of a command. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Longest sleep: a signal may come just before it. */
#define IDLE_MS		500
/* How long a record may wait for its successor once the source is quiet. */
#define PENDING_MS	10

static int open_with(struct tcpfsm_source **src, const struct options *opts,
		     struct tcpfsm_info *info, bool snapshot)
{
	struct tcpfsm_source_options o = {
		.size = sizeof(o), .follow_new = opts->follow_new,
		.snapshot = snapshot, .netns = opts->filter.netns,
	};
	const char *why = "";
	int err;

	if (opts->replay) {
		err = tcpfsm_source_open_recording(src, opts->replay, &why);
		return err ? fail_replay(err, opts, why) : 0;
	}
	*info = (struct tcpfsm_info) { .size = 0 };
	err = tcpfsm_source_open_device(src, opts->device, &o, info);
	return err ? fail_open(err, opts, info) : 0;
}

int open_source(struct tcpfsm_source **src, const struct options *opts,
		struct tcpfsm_info *info)
{
	return open_with(src, opts, info, false);
}

int open_source_snapshot(struct tcpfsm_source **src, const struct options *opts,
			 struct tcpfsm_info *info)
{
	return open_with(src, opts, info, true);
}

int open_follow(struct tcpfsm_follow **f, const struct options *opts,
		struct tcpfsm_follow_options *fo, struct tcpfsm_info *info)
{
	const char *why = "";
	int err;

	fo->size = sizeof(*fo);
	fo->device = opts->device;
	fo->recording = opts->replay;
	fo->follow_new = opts->follow_new;
	fo->netns = opts->filter.netns;
	*info = (struct tcpfsm_info) { .size = 0 };
	err = tcpfsm_follow_open(f, fo, info, &why);
	if (err && opts->replay)
		return fail_replay(err, opts, why);
	return err ? fail_open(err, opts, info) : 0;
}

void tell_snapshot(int err)
{
	switch (err) {
	case 0:
		return;
	case -ENOENT:
	case -EPROTONOSUPPORT:
		complain("sockets from before are not known: the kernel has no tcp_diag (CONFIG_INET_TCP_DIAG)");
		return;
	case -EPERM:
	case -EACCES:
		complain("sockets from before may be missing: a network namespace is closed to us; run as root, or use -N");
		return;
	}
	complain("not all sockets from before are known: %s", strerror(-err));
}

void tell_features(const struct tcpfsm_info *info, uint64_t shown)
{
	uint64_t off = tcpfsm_features_off(info) & shown;
	const char *why = "tcpfsm info tells why";
	unsigned int i, first = TCPFSM_FEATURE_SLOTS;
	char names[512] = "";
	bool same = true;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		if (!(off >> i & 1))
			continue;
		if (first == TCPFSM_FEATURE_SLOTS)
			first = i;
		same = same && info->error[i] == info->error[first];
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i > first ? ", " : "", tcpfsm_feature_name(i));
	}
	if (!off)
		return;
	if (same)
		why = tcpfsm_feature_reason(info->error[first]);
	complain("features off: %s; what they see is missing here: %s", names, why);
}

/* Nothing to read for now.  How long to sleep; -1: the view has enough. */
static int rest(const struct view *view, void *arg, struct out *o, struct tcpfsm_model *m,
		uint64_t *quiet_since)
{
	int ms = IDLE_MS, view_ms;

	if (tcpfsm_model_pending(m)) {
		uint64_t now = monotonic_ns();

		if (!*quiet_since)
			*quiet_since = now;
		else if (now - *quiet_since > PENDING_MS * (NSEC_PER_SEC / 1000) &&
			 tcpfsm_model_flush(m, view->event, arg))
			return -1;
		ms = PENDING_MS;
	}
	view_ms = view->idle ? view->idle(arg) : ms;
	if (view_ms < 0 || out_flush(o) || out_closed(o))
		return -1;
	return view_ms < ms ? view_ms : ms;
}

static bool is_socket(const struct tcpfsm_item *item)
{
	return !item->lost && item->rec.type == TCPFSM_TYPE_SOCKET;
}

static int give_items(const struct view *view, void *arg, const struct tcpfsm_item *items,
		      size_t n)
{
	int err = 0;

	for (; !err && n; n--, items++)
		if (is_state(items))
			err = view->item(arg, items);
	return err;
}

/* The totals as they are at the end; records that came meanwhile are of no interest. */
static int last_totals(const struct view *view, void *arg, struct tcpfsm_source *src)
{
	const struct tcpfsm_item *item;
	int rc = tcpfsm_source_totals(src);
	bool begun = false;

	while (!rc && tcpfsm_source_next(src, &item) > 0) {
		bool total = !item->lost && item->rec.type == TCPFSM_TYPE_TOTAL;

		if (begun && !total)
			break;
		begun = begun || total;
		rc = give_items(view, arg, item, 1);
	}
	return rc;
}

/* When the next totals are due, in milliseconds from now, at most ms. */
static int totals_due(const struct view *view, uint64_t last, int ms)
{
	uint64_t due = last + (uint64_t)view->totals_ms * (NSEC_PER_SEC / 1000);
	uint64_t now = monotonic_ns();

	if (due <= now)
		return 0;
	due = (due - now) / (NSEC_PER_SEC / 1000) + 1;
	return due < (uint64_t)ms ? (int)due : ms;
}

static void tell_resync(struct resync *r, const struct tcpfsm_item *item)
{
	char text[RESYNC_TEXT];

	if (resync_look(r, item, text))
		complain("%s", text);
}

/* The sockets as they are at the end; records that wait meanwhile are of no interest. */
static int last_resync(struct resync *r, const struct view *view, void *arg,
		       struct tcpfsm_source *src, struct tcpfsm_model *m)
{
	const struct tcpfsm_item *item;
	int rc = resync_begin(r, src);

	while (!rc && r->begun && tcpfsm_source_next(src, &item) > 0) {
		tell_resync(r, item);
		rc = view->item ? give_items(view, arg, item, 1) : 0;
		if (!rc && tcpfsm_model_feed(m, item, view->event, arg))
			break;
	}
	return rc;
}

/* Return: 0 or a negative errno of the source. */
static int follow(const struct view *view, void *arg, struct out *o,
		  struct tcpfsm_source *src, struct tcpfsm_model *m, struct deadline *end)
{
	bool live_totals = (view->item || view->totals) && !end->replay;
	struct resync resync = { .possible = view->resync && !end->replay };
	uint64_t quiet_since = 0, totals_at = 0;
	bool begun = false;
	int rc = 0, err, ms;

	for (;;) {
		const struct tcpfsm_item *items;
		size_t n, in_time;

		if (live_totals && (!totals_at ||
				    (view->totals_ms && !totals_due(view, totals_at, 1)))) {
			totals_at = monotonic_ns();
			rc = tcpfsm_source_totals(src);
			/* To a view of events they are only an ornament. */
			if (rc && view->item)
				break;
		}
		if (!resync_due(&resync, false, 1)) {
			rc = resync_begin(&resync, src);
			if (rc)
				break;
		}
		rc = tcpfsm_source_batch(src, &items, &n);
		if (rc < 0)
			break;
		if (!begun && !(rc && is_state(items))) {
			begun = true;
			err = tcpfsm_source_snapshot(src, NULL);
			tell_snapshot(err);
			/* What could not be read then will not be later. */
			resync.possible = resync.possible && !err;
		}
		if (rc) {
			quiet_since = 0;
			tell_resync(&resync, items);
			/* Sockets are read to their end. */
			in_time = begun && !is_socket(items) ? deadline_count(end, items, n) : n;
			rc = view->item ? give_items(view, arg, items, in_time) : 0;
			if (rc)
				break;
			if (tcpfsm_model_feed_batch(m, items, in_time, view->event, arg))
				return 0;
			if (in_time < n)
				break;
			continue;
		}
		if (end->replay)
			break;
		if (!resync_due(&resync, true, 1)) {
			rc = resync_begin(&resync, src);
			if (rc)
				break;
			continue;
		}

		ms = rest(view, arg, o, m, &quiet_since);
		if (ms < 0)
			return 0;
		if (live_totals && view->totals_ms)
			ms = totals_due(view, totals_at, ms);
		ms = resync_due(&resync, true, ms);
		if (deadline_over(end))
			break;
		rc = tcpfsm_source_wait(src, deadline_sleep(end, ms));
		if (rc < 0 && rc != -EINTR)
			break;
		rc = 0;
	}
	tcpfsm_model_flush(m, view->event, arg);
	if (!rc && resync.wanted)
		rc = last_resync(&resync, view, arg, src, m);
	if (!rc && live_totals && view->item)
		rc = last_totals(view, arg, src);
	return rc;
}

static int fail_source(int err, const struct options *opts, const struct tcpfsm_source *src)
{
	if (opts->replay)
		return fail_replay(err, opts, tcpfsm_source_error(src));
	return fail(err, opts->device ? opts->device : TCPFSM_DEVICE);
}

void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m)
{
	uint64_t lost, forgotten;

	tcpfsm_source_counts(src, NULL, &lost);
	if (lost)
		complain("%" PRIu64 " record%s lost: overwritten before they were read", lost,
			 lost == 1 ? "" : "s");
	tcpfsm_model_counts(m, NULL, &forgotten);
	if (forgotten)
		complain("%" PRIu64 " connection%s forgotten: more at a time than can be remembered",
			 forgotten, forgotten == 1 ? "" : "s");
}

int stream(const struct options *opts, struct tcpfsm_model_options *mopts,
	   const struct view *view, void *arg)
{
	struct tcpfsm_source *src;
	struct tcpfsm_model *m;
	struct tcpfsm_info info;
	struct deadline end;
	int rc, status;

	status = open_with(&src, opts, &info, true);
	if (status)
		return status;
	if (!opts->replay) {
		tell_features(&info, view->shows);
		if (view->info)
			*view->info = info;
	}
	deadline_init(&end, opts, src);
	mopts->epoch_offset = tcpfsm_source_epoch_offset(src);
	rc = tcpfsm_model_new(&m, mopts);
	if (rc) {
		tcpfsm_source_close(src);
		return fail(rc, "model");
	}

	status = view->begin ? view->begin(arg, m) : 0;
	if (!status) {
		rc = follow(view, arg, opts->out, src, m, &end);
		if (view->end)
			status = view->end(arg);
	}
	if (!status)
		status = close_stdout(opts->out);
	if (rc && !status)
		status = fail_source(rc, opts, src);
	/* Who closed the pipe has seen enough. */
	if (opts->out->error != -EPIPE)
		tell_losses(src, m);

	tcpfsm_model_free(m);
	tcpfsm_source_close(src);
	return status;
}
