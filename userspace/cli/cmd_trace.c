// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm trace: every transition as it happens, one line each. */
#include "cli.h"

#define STOP		1

struct trace {
	const struct options *opts;
	struct out *out;
	struct text text;
	bool filter;
	uint64_t events;
};

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct trace *t = arg;
	struct out *o = t->out;
	size_t len;

	if (t->filter && !tcpfsm_filter_match(&t->opts->filter, ev))
		return 0;
	if (t->opts->json)
		len = tcpfsm_event_json(ev, out_room(o, TCPFSM_JSON_MAX));
	else
		len = text_event(&t->text, ev, out_room(o, TEXT_MAX));
	if (!len)
		return 0;
	out_add(o, len);
	if (ev->type != TCPFSM_EVENT_LOST && ++t->events == t->opts->count)
		return STOP;
	return o->error ? STOP : 0;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info)
{
	struct trace *t = arg;
	struct out *o = t->out;

	(void)f;
	(void)info;
	if (!t->opts->json)
		out_add(o, text_header(&t->text, out_room(o, TEXT_MAX)));
	return 0;
}

/* What old listeners asked for is told by totals; for the rest they are not needed. */
static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	return n->type == TCPFSM_NOTICE_TOTALS ? 0 : tell_notice(n, arg);
}

static int run(const struct options *opts)
{
	struct tcpfsm_model_options mo = { .size = sizeof(mo), .raw = opts->raw };
	const struct view view = {
		.follow = { .snapshot = true, .totals = true, .model = &mo, .event = on_event,
			    .notice = on_notice },
		.shows = FEATURES_ALL, .begin = begin,
	};
	struct trace t = {
		.opts = opts, .out = opts->out, .text = text_of(opts),
		.filter = opts->given & OPT_FILTER,
	};

	return stream(opts, &view, &t);
}

const struct command cmd_trace = {
	.name = "trace",
	.args = "",
	.text = "every transition as it happens, one line each",
	.options = OPT_FILTER | OPT_TIME | OPT_COUNT | OPT_DURATION | OPT_READ |
		   OPT_JSON | OPT_RAW | OPT_FOLLOW_NEW | OPT_WIDE,
	.run = run,
};
