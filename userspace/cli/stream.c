// SPDX-License-Identifier: GPL-2.0
/* From the device or a recording through the model to the view of a command. */
#include <errno.h>
#include <inttypes.h>
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

/* Nothing to read for now.  How long to sleep; -1: the view has enough. */
static int rest(const struct view *view, void *arg, struct tcpfsm_model *m,
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
	if (view_ms < 0 || out_flush() || out_closed())
		return -1;
	return view_ms < ms ? view_ms : ms;
}

/* Return: 0 or a negative errno of the source. */
static int follow(const struct view *view, void *arg, struct tcpfsm_source *src,
		  struct tcpfsm_model *m, struct deadline *end)
{
	uint64_t quiet_since = 0;
	bool begun = false;
	int rc, ms;

	for (;;) {
		const struct tcpfsm_item *items;
		size_t n, in_time;

		rc = tcpfsm_source_batch(src, &items, &n);
		if (rc < 0)
			break;
		if (!begun && !(rc && !items->lost && items->rec.type == TCPFSM_TYPE_SOCKET)) {
			begun = true;
			tell_snapshot(tcpfsm_source_snapshot(src, NULL));
		}
		if (rc) {
			quiet_since = 0;
			rc = 0;
			/* The sockets from before are of no time. */
			in_time = begun ? deadline_count(end, items, n) : n;
			if (tcpfsm_model_feed_batch(m, items, in_time, view->event, arg))
				return 0;
			if (in_time < n)
				break;
			continue;
		}
		if (end->replay)
			break;

		ms = rest(view, arg, m, &quiet_since);
		if (ms < 0)
			return 0;
		if (deadline_over(end))
			break;
		rc = tcpfsm_source_wait(src, deadline_sleep(end, ms));
		if (rc < 0 && rc != -EINTR)
			break;
		rc = 0;
	}
	tcpfsm_model_flush(m, view->event, arg);
	return rc;
}

static int fail_source(int err, const struct options *opts, const struct tcpfsm_source *src)
{
	if (opts->replay)
		return fail_replay(err, opts, tcpfsm_source_error(src));
	return fail(err, opts->device ? opts->device : TCPFSM_DEVICE);
}

static void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m)
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
	deadline_init(&end, opts, src);
	mopts->epoch_offset = tcpfsm_source_epoch_offset(src);
	rc = tcpfsm_model_new(&m, mopts);
	if (rc) {
		tcpfsm_source_close(src);
		return fail(rc, "model");
	}

	status = view->begin ? view->begin(arg, m) : 0;
	if (!status) {
		rc = follow(view, arg, src, m, &end);
		if (view->end)
			status = view->end(arg);
	}
	if (!status)
		status = out_close();
	if (rc && !status)
		status = fail_source(rc, opts, src);
	/* Who closed the pipe has seen enough. */
	if (out_error() != -EPIPE)
		tell_losses(src, m);

	tcpfsm_model_free(m);
	tcpfsm_source_close(src);
	return status;
}
