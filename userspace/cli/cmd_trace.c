// SPDX-License-Identifier: GPL-2.0
/* tcpfsm trace: every transition as it happens, one line each. */
#include <errno.h>
#include <inttypes.h>

#include "cli.h"

/* Longest sleep: a signal may come just before it. */
#define IDLE_MS		500
/* How long a record may wait for its successor once the source is quiet. */
#define PENDING_MS	10

#define STOP		1

struct trace {
	const struct options *opts;
	struct text text;
	bool filter;
	uint64_t events;
};

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct trace *t = arg;
	size_t len;

	if (t->filter && !tcpfsm_filter_match(&t->opts->filter, ev))
		return 0;
	if (t->opts->json)
		len = tcpfsm_event_json(ev, out_room(TCPFSM_JSON_MAX));
	else
		len = text_event(&t->text, ev, out_room(TEXT_MAX));
	if (!len)
		return 0;
	out_add(len);
	if (ev->type != TCPFSM_EVENT_LOST && ++t->events == t->opts->count)
		return STOP;
	return out_error() ? STOP : 0;
}

/* Return: 0 or a negative errno of the source. */
static int follow(struct trace *t, struct tcpfsm_source *src, struct tcpfsm_model *m,
		  struct deadline *end)
{
	uint64_t quiet_since = 0;
	int rc;

	for (;;) {
		const struct tcpfsm_item *item;

		rc = tcpfsm_source_next(src, &item);
		if (rc < 0)
			break;
		if (rc) {
			quiet_since = 0;
			rc = 0;
			if (deadline_reached(end, item))
				break;
			if (tcpfsm_model_feed(m, item, on_event, t))
				return 0;
			continue;
		}
		if (t->opts->replay)
			break;

		if (tcpfsm_model_pending(m)) {
			uint64_t now = monotonic_ns();

			if (!quiet_since)
				quiet_since = now;
			else if (now - quiet_since > PENDING_MS * (NSEC_PER_SEC / 1000) &&
				 tcpfsm_model_flush(m, on_event, t))
				return 0;
		}
		if (out_flush() || out_closed())
			return 0;
		if (deadline_over(end))
			break;
		rc = tcpfsm_source_wait(src, deadline_sleep(end, tcpfsm_model_pending(m) ?
								 PENDING_MS : IDLE_MS));
		if (rc < 0 && rc != -EINTR)
			break;
		rc = 0;
	}
	tcpfsm_model_flush(m, on_event, t);
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

static int run(const struct options *opts)
{
	struct tcpfsm_model_options mopts = { .size = sizeof(mopts), .raw = opts->raw };
	struct trace t = { .opts = opts, .filter = opts->given & OPT_FILTER };
	struct tcpfsm_source *src;
	struct tcpfsm_model *m;
	struct tcpfsm_info info;
	struct deadline end;
	int rc, status;

	status = open_source(&src, opts, &info);
	if (status)
		return status;
	deadline_init(&end, opts, src);
	mopts.epoch_offset = tcpfsm_source_epoch_offset(src);
	rc = tcpfsm_model_new(&m, &mopts);
	if (rc) {
		tcpfsm_source_close(src);
		return fail(rc, "model");
	}

	text_init(&t.text, opts);
	if (!opts->json)
		out_add(text_header(&t.text, out_room(TEXT_MAX)));

	rc = follow(&t, src, m, &end);
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

const struct command cmd_trace = {
	.name = "trace",
	.args = "",
	.text = "every transition as it happens, one line each",
	.options = OPT_FILTER | OPT_TIME | OPT_COUNT | OPT_DURATION | OPT_READ |
		   OPT_JSON | OPT_RAW | OPT_FOLLOW_NEW | OPT_WIDE,
	.run = run,
};
