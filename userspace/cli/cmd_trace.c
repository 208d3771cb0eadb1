// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm trace: every transition as it happens, one line each. */
#include "cli.h"

#define STOP		1

struct trace {
	const struct options *opts;
	struct out *out;
	struct text text;
	struct tcpfsm_json_writer *writer;	/* NULL: lines are text, or it had no memory */
	bool filter;
	uint64_t events;
};

static size_t json_line(struct trace *t, const struct tcpfsm_event *ev)
{
	char *to = out_room(t->out, TCPFSM_JSON_MAX + OUT_NETNS_JSON_MAX);

	return out_json_named(to, tcpfsm_json_writer_event(t->writer, ev, to),
			      ev->netns_gone ? 0 : ev->rec.netns, ev->ts);
}

static size_t text_line(struct trace *t, const struct tcpfsm_event *ev)
{
	/* In text nothing has to be told apart by its inode. */
	if (ev->type == TCPFSM_EVENT_NETNS)
		return 0;
	if (t->opts->second && text_tells(&t->text, ev))
		out_printf(t->out, "%u ", TCPFSM_EVENT_HOST(ev));
	return text_event(&t->text, ev, out_room(t->out, TEXT_MAX));
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct trace *t = arg;
	struct out *o = t->out;
	size_t len;

	if (t->filter && !tcpfsm_filter_match(&t->opts->filter, ev))
		return 0;
	len = t->opts->json ? json_line(t, ev) : text_line(t, ev);
	if (!len)
		return 0;
	out_add(o, len);
	if (ev->type != TCPFSM_EVENT_LOST && ++t->events == t->opts->count)
		return STOP;
	return o->error ? STOP : 0;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct trace *t = arg;
	struct out *o = t->out;

	(void)f;
	(void)info;
	(void)to;
	if (t->opts->second && !t->opts->json)
		out_printf(o, "H ");
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
		.writer = opts->json ? tcpfsm_json_writer_new() : NULL,
		.filter = opts->given & OPT_FILTER,
	};
	int status = stream(opts, &view, &t);

	tcpfsm_json_writer_free(t.writer);
	if (!status)
		tell_none(opts, "trace", t.events);
	return status;
}

const struct command cmd_trace = {
	.columns =
		"  TIME(s)     seconds since the first line; with -T the time of day\n"
		"  LPORT       local port; with -w LOCAL, its address too, and PID/COMM (owner)\n"
		"  REMOTE      address and port of the peer; - for a listener\n"
		"  OLD->NEW    states before and after, or what happened instead of a transition\n"
		"  CAUSE       what moved it, in the words of RFC 9293\n"
		"  TIME IN OLD how long it was in the state before\n"
		"  behind it   synq, acceptq: length of a queue/how many fit; tw: sockets\n"
		"              in TIME_WAIT/their limit; then the owner\n",
	.examples =
		"  What a web server's clients meet from now on:\n"
		"    tcpfsm trace -W -L 80,443\n"
		"  Connections that were cut short, in a recording:\n"
		"    tcpfsm trace -r /var/tmp/lunch -T -C timeout,rcv_rst,snd_rst\n",
	.run = run,
};
