// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm explain: what is wrong, and what to do now; with -v the proof, and all that helps. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../show/explain.h"
#include "../show/recent.h"
#include "cli.h"

/* How long to observe, unless -d says otherwise. */
#define OBSERVE_S	3

struct explain {
	const struct options *opts;
	struct tcpfsm_explain *x;
	struct recent listeners;
	struct explain_text text;
	uint64_t readings;
	uint8_t worst;			/* enum tcpfsm_severity */
	uint64_t told, rest[TCPFSM_SEVERITY_INFO + 1]; /* findings: -n, and those behind them by severity */
	bool replayed;
	struct latest latest;
};

static void show_json(struct out *o, const struct tcpfsm_finding *f)
{
	static char line[TCPFSM_FINDING_JSON_MAX + OUT_NETNS_JSON_MAX];

	out_write(o, line, out_json_named(line, tcpfsm_finding_json(f, line), f->netns, 0));
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct explain *e = arg;
	struct out *o = e->opts->out;

	if (f->severity < e->worst)
		e->worst = f->severity;
	/* The worst come first. */
	if (e->opts->top && e->told == e->opts->top) {
		e->rest[f->severity <= TCPFSM_SEVERITY_INFO ? f->severity : TCPFSM_SEVERITY_INFO]++;
		return 0;
	}
	e->told++;
	if (e->opts->json)
		show_json(o, f);
	else
		explain_text_finding(&e->text, f);
	return o->error ? 1 : 0;
}

static int on_what_if(const struct tcpfsm_what_if *w, void *arg)
{
	struct explain *e = arg;
	struct out *o = e->opts->out;
	char *to = out_room(o, TCPFSM_WHAT_IF_JSON_MAX + OUT_NETNS_JSON_MAX);

	e->replayed = true;
	if (e->opts->json)
		out_add(o, out_json_named(to, tcpfsm_what_if_json(w, to), w->netns, 0));
	else
		explain_text_what_if(o, w);
	return o->error ? 1 : 0;
}

static void tell_rest(const struct explain *e)
{
	struct out *o = e->opts->out;
	uint64_t all = 0;
	bool any = false;
	unsigned int i;

	for (i = 0; i <= TCPFSM_SEVERITY_INFO; i++)
		all += e->rest[i];
	if (!all)
		return;
	out_printf(o, "\n... and %" PRIu64 " more finding%s:", all, all == 1 ? "" : "s");
	for (i = 0; i <= TCPFSM_SEVERITY_INFO; i++)
		if (e->rest[i]) {
			out_printf(o, "%s %" PRIu64 " %s", any ? "," : "", e->rest[i], tcpfsm_severity_name(i));
			any = true;
		}
	out_printf(o, "\n");
}

/* Each setting alone, in place of findings. */
static int what_if(struct explain *e)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < e->opts->nwhat_if && !err; i++)
		err = tcpfsm_explain_what_if(e->x, e->listeners.ls[0], &e->opts->what_if[i], on_what_if, e);
	return err;
}

static int show(struct explain *e)
{
	struct out *o = e->opts->out;
	bool again = e->opts->interval && !e->opts->json;
	int err;

	e->worst = TCPFSM_SEVERITY_INFO;
	e->told = 0;
	memset(e->rest, 0, sizeof(e->rest));
	e->text = (struct explain_text) { .out = o, .verbose = e->opts->verbose };
	if (again && out_is_terminal(o))
		out_printf(o, "\033[H\033[2J");
	err = e->opts->nwhat_if ? what_if(e) :
				  tcpfsm_explain_findings(e->x, e->listeners.ls[0], on_finding, e);
	if (!e->opts->json)
		tell_rest(e);
	if (again)
		out_printf(o, "\n");
	explain_text_end(&e->text);
	return err < 0 ? err : 0;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct explain *e = arg;

	return recent_item(&e->listeners, item);
}

/* Return: a negative errno; 1: that is enough. */
static int show_again(void *arg)
{
	struct explain *e = arg;
	int err = show(e);

	recent_move_on(&e->listeners, OBSERVE_S * NSEC_PER_SEC);
	return err ? err : out_flush(e->opts->out) || ++e->readings == e->opts->count;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct explain *e = arg;

	if (n->type != TCPFSM_NOTICE_TOTALS || n->error || !e->opts->interval)
		return tell_notice(n, arg);
	/* One reading is none to compare with. */
	if (e->listeners.first_ts[0] == e->listeners.last_ts)
		return 0;
	if (!e->opts->replay)
		return show_again(e);
	e->latest.fresh = true;
	return 0;
}

static int on_idle(void *arg)
{
	struct explain *e = arg;

	return e->opts->replay ? latest_show(&e->latest, e->opts->interval, show_again, e) : INT_MAX;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct explain *e = arg;
	struct tcpfsm_explain_options o = {
		.size = sizeof(o), .filter = &e->opts->filter,
		.epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f)),
		.info = info,
		.model = tcpfsm_follow_model(f), .ended = e->opts->replay && !e->opts->follow,
	};
	int err;

	if (!e->opts->replay || e->opts->follow)
		tcpfsm_explain_machine(&o);
	if (!e->opts->replay) {
		o.since = realtime_ns();
		o.complete_since = tcpfsm_source_complete_since(tcpfsm_follow_source(f));
	}
	err = tcpfsm_explain_new(&e->x, &o);
	if (err)
		return fail(err, "explain");
	to->explain = e->x;
	return 0;
}

static int end(void *arg, int rc)
{
	struct explain *e = arg;
	int err;

	(void)rc;
	if (e->latest.err < 0)
		return fail(e->latest.err, "explain");
	/* Live, the reason is told after this. */
	if (!e->listeners.last_ts && !e->opts->replay)
		return 0;
	if (!e->listeners.last_ts) {
		complain("%s: this recording has no listener totals; record again with this version",
			 e->opts->replay);
		return EXIT_ERROR;
	}
	if (e->readings && !e->latest.fresh)
		return 0;
	err = show(e);
	if (!err && e->opts->nwhat_if && !e->replayed)
		complain("explain: no connection was seen that could be replayed; observe for longer: -d");
	return err < 0 ? fail(err, "explain") : 0;
}

static int exit_code(const struct explain *e, int status)
{
	if (status || !e->opts->exit_code)
		return status;
	return e->worst == TCPFSM_SEVERITY_CRITICAL ? EXIT_CRITICAL :
	       e->worst == TCPFSM_SEVERITY_WARNING ? EXIT_WARNING : 0;
}

/* The findings that follow are of this one. */
static void host_json(struct out *o, unsigned int host, const char *dir)
{
	struct json out = out_json(o), *j = &out;

	json_open(j, NULL, '{');
	json_string(j, "event", "recording");
	json_number(j, "host", host);
	json_string(j, "dir", dir);
	json_end(j);
}

/* How the two of them fit together, once each has been judged by itself. */
static int between(const struct options *opts)
{
	struct tcpfsm_follow_options fo = { .size = sizeof(fo) };
	struct tcpfsm_follow *f;
	struct tcpfsm_info info;
	int status = open_follow(&f, opts, &fo, &info);

	if (!status)
		tcpfsm_follow_close(f);
	return status;
}

static int run_one(const struct options *given);

static int run(const struct options *given)
{
	const char *const dirs[2] = { given->replay, given->second };
	struct options opts = *given;
	unsigned int i;
	int status, worst = 0;

	if (!given->second)
		return run_one(given);
	opts.second = NULL;
	for (i = 0; i < 2; i++) {
		/* Each ends with closing it. */
		int fd = dup(opts.out->fd);

		opts.replay = dirs[i];
		if (opts.json)
			host_json(opts.out, i + 1, dirs[i]);
		else
			out_printf(opts.out, "%s%s:\n", i ? "\n" : "", dirs[i]);
		status = run_one(&opts);
		out_to_file(opts.out, fd);
		if (status && status < EXIT_WARNING && status != EXIT_INCOMPLETE)
			return status;
		worst = status > worst ? status : worst;
	}
	status = between(given);
	close(opts.out->fd);
	return status ? status : worst;
}

static int run_one(const struct options *given)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct options opts = *given;
	struct view view = {
		.follow = { .snapshot = true, .totals = true, .model = &mo, .item = on_item,
			    .notice = on_notice, .totals_ns = opts.interval },
		.begin = begin, .idle = on_idle, .end = end,
	};
	struct explain e = { .opts = &opts, .worst = TCPFSM_SEVERITY_INFO };
	int status, err;

	if (opts.replay && !opts.follow)
		opts.interval = view.follow.totals_ns = 0;
	if (!(opts.given & OPT_DURATION) && !opts.replay && !opts.interval)
		opts.duration = OBSERVE_S * NSEC_PER_SEC;
	if (opts.count && !opts.interval)
		complain("explain: -c has no effect without -w");
	if (opts.top && opts.nwhat_if)
		complain("explain: -n has no effect with --what-if");
	err = recent_new(&e.listeners, !opts.replay || opts.follow, opts.interval);
	status = err ? fail(err, "listeners") : stream(&opts, &view, &e);
	tcpfsm_explain_free(e.x);
	recent_free(&e.listeners);
	return exit_code(&e, status);
}

const struct command cmd_explain = {
	.columns =
		"  critical    clients are refused now, or connect() finds no port\n"
		"  warning     they were or will be, or get less than they could\n"
		"  info, ok    good to know; nothing wrong, and what was looked at\n"
		"  behind it   the name of the verdict, as in JSON\n"
		"  Do:         what to do now; -v has all there is to do (What to do:), the\n"
		"              numbers that prove it (Why:) and what that costs (What it costs:)\n"
		"  With -n, so many findings, the worst, and a line that sums up the rest.\n",
	.examples =
		"  What is wrong, with proof:\n"
		"    tcpfsm explain -v\n"
		"  Would a longer backlog have helped?\n"
		"    tcpfsm explain -L 443 -d 30 --what-if backlog=1024\n",
	.run = run,
};
