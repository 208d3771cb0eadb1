// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm serve: this machine's metrics for Prometheus, and what is wrong for the journal.
 *
 * Listeners and network namespaces need no record: their totals are read when somebody asks, and for
 * explain each ten seconds.  With --ledger the records are read, too, as tcpfsm top does.
 *
 * Of a recording (-r) there is the page alone, at any time of it that is asked for.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serve/feed.h"
#include "../serve/http.h"
#include "../serve/journal.h"
#include "../serve/metrics.h"
#include "../serve/page.h"
#include "../serve/replay.h"
#include "../show/recent.h"
#include "number.h"
#include "source/item.h"
#include "cli.h"
#include "grow.h"

#define WHERE		"127.0.0.1:9823"
#define JUDGE_NS	(10 * NSEC_PER_SEC)
/* What is judged as "now". */
#define WINDOW_NS	(30 * NSEC_PER_SEC)
/* The kernel's counters are compared so often, by so many readings, if they move meanwhile. */
#define CHECK_NS	(60 * NSEC_PER_SEC)
#define CHECK_READINGS	20
#define CHECK_PAUSE_MS	5
/* A reading is as good as a new one for so long. */
#define FRESH_NS	NSEC_PER_SEC
/* Of one step of the follower, so that who asks does not wait long. */
#define STEP_NS		(8 * NSEC_PER_MSEC)
/* Browsers are told so often. */
#define PUSH_NS		NSEC_PER_SEC
#define AGAIN_MS	1000
#define SVG		"image/svg+xml"

struct serve {
	const struct options *opts;
	struct http *http;
	/* As long as the module is there: */
	struct tcpfsm_follow *follow;
	struct tcpfsm_info info;
	struct tcpfsm_listeners *ls;
	struct tcpfsm_timewaits *ledger; /* --ledger, or NULL */
	struct tcpfsm_connects *connects; /* likewise */
	struct conns conns;		/* with them */
	struct tcpfsm_consumers to;
	int err;			/* of an event */
	struct outgoings outgoing;	/* what they came to, as long as this process lives */
	struct journal *journal;	/* NULL: nobody wants it */
	struct tcpfsm_explain *explain;
	struct tcpfsm_checks *checks;
	struct recent recent;
	struct watch watch;
	uint64_t pushed_at;		/* to browsers; CLOCK_MONOTONIC */
	bool checking;			/* readings are for checks */
	uint64_t read_at, judged_at, checked_at; /* CLOCK_MONOTONIC; 0: never */
	struct found *found;
	size_t nfound, room;
};

/* ---- what is known ------------------------------------------------------------------------ */

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct serve *s = arg;
	struct found *to;

	if (s->journal) {
		int err = journal_finding(s->journal, f);

		if (err)
			return err;
	}
	to = grown(s->found, &s->room, s->nfound, sizeof(*to));
	if (!to)
		return -ENOMEM;
	s->found = to;
	to = &s->found[s->nfound++];
	*to = (struct found) {
		.severity = f->severity, .netns = f->netns, .family = f->family, .port = f->rport ? f->rport : f->lport,
	};
	snprintf(to->verdict, sizeof(to->verdict), "%s", f->verdict);
	memcpy(to->addr, f->rport ? f->raddr : f->laddr, sizeof(to->addr));
	return 0;
}

/* How many, and which failed, since the last time. */
static int on_connect(const struct tcpfsm_connect *c, void *arg)
{
	struct serve *s = arg;

	outgoing_add(&s->outgoing, c);
	return s->journal ? journal_connect(s->journal, c, realtime_ns()) : 0;
}

static int count_connects(struct serve *s)
{
	uint64_t now = realtime_ns();
	int rc = tcpfsm_connects_each(s->connects, TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_FAILED, now, SIZE_MAX,
				      &s->opts->filter, on_connect, s);

	tcpfsm_connects_mark(s->connects, now);
	return rc;
}

static int judge(struct serve *s, uint64_t now)
{
	int rc;

	/* One reading is none to compare with. */
	if (s->recent.first_ts[0] == s->recent.last_ts)
		return 0;
	s->nfound = 0;
	s->judged_at = now;
	if (s->ledger)
		tcpfsm_timewaits_mark(s->ledger, realtime_ns());
	rc = tcpfsm_explain_findings(s->explain, s->recent.ls[0], on_finding, s);
	recent_move_on(&s->recent, WINDOW_NS);
	if (!rc && s->journal)
		rc = journal_judged(s->journal, realtime_ns());
	return !rc && s->connects ? count_connects(s) : rc;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct serve *s = arg;
	int err = s->checking ? 0 : watch_item(&s->watch, item);

	if (!err)
		err = tcpfsm_listeners_item(s->ls, item);
	if (!err && s->checking)
		return tcpfsm_checks_item(s->checks, item);
	return err ? err : recent_item(&s->recent, item);
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct serve *s = arg;

	top_event(&s->conns.top, ev);
	s->err = watch_event(&s->watch, ev);
	if (!s->err)
		s->err = feed_event(&s->to, ev);
	return s->err;
}

/* n 0: what waits for a successor waits in vain. */
static int on_batch(const struct tcpfsm_item *items, size_t n, void *arg)
{
	struct serve *s = arg;
	struct tcpfsm_model *model = tcpfsm_follow_model(s->follow);
	/* From the device, what lies together is of one kind. */
	bool state = n && is_state(items);
	size_t i;
	int err = 0;

	for (i = 0; state && i < n && !err; i++) {
		err = on_item(&items[i], s);
		if (!err)
			err = feed_item(&s->to, &items[i]);
	}
	if (!err && model)
		err = n ? tcpfsm_model_items(model, items, n, on_event, s) : tcpfsm_model_flush(model, on_event, s);
	if (err || !model || state)
		return err;
	if (n)
		return top_feed(&s->conns.top, items, n);
	top_flush(&s->conns.top);
	return 0;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct serve *s = arg;
	uint64_t now = monotonic_ns();

	if (n->type != TCPFSM_NOTICE_TOTALS || n->error)
		return tell_notice(n, arg);
	s->read_at = now;
	if (s->journal) {
		int err = journal_listeners(s->journal, s->ls, realtime_ns());

		if (err)
			return err;
	}
	if (tcpfsm_follow_model(s->follow))
		watch_moves(&s->watch, tcpfsm_follow_model(s->follow), realtime_ns());
	return s->checking || (s->judged_at && now - s->judged_at < JUDGE_NS) ? 0 : judge(s, now);
}

/* Counters that move while they are read are read again. */
static int check(struct serve *s)
{
	unsigned int i;
	int rc = 0;

	s->checked_at = monotonic_ns();
	s->checking = true;
	for (i = 0; !rc && i < CHECK_READINGS; i++) {
		if (i)
			poll(NULL, 0, CHECK_PAUSE_MS);
		rc = tcpfsm_follow_totals(s->follow);
		if (!rc && tcpfsm_checks_settled(s->checks))
			break;
	}
	s->checking = false;
	return rc;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static int make_page(struct http_page *page)
{
	struct out *o = malloc(sizeof(*o));
	int err = -ENOMEM;

	if (!o)
		return err;
	page->type = "text/html; charset=utf-8";
	out_to_text(o, &page->text);
	err = page_html(o, NULL, NULL);
	if (!err)
		err = out_flush(o);
	free(o);
	return err;
}

/* All that is known, to the browsers that look, once a second. */
static int push(struct serve *s)
{
	uint64_t now = monotonic_ns(), epoch = realtime_ns();
	struct out_text text = { .s = NULL };
	int err = 0;

	if (!http_streams(s->http) || now - s->pushed_at < PUSH_NS)
		return 0;
	s->pushed_at = now;
	if (!s->opts->ledger)
		err = tcpfsm_follow_totals(s->follow);
	if (!err)
		err = watch_settle(&s->watch, epoch);
	if (s->ledger)
		conns_look(&s->conns, false);
	if (!err)
		err = page_data(&text, &(struct page_known) {
			.info = &s->info, .src = tcpfsm_follow_source(s->follow), .model = tcpfsm_follow_model(s->follow),
			.ls = s->read_at ? s->ls : NULL, .ledger = s->ledger, .connects = s->connects,
			.conns = s->ledger ? &s->conns : NULL,
			.explain = s->judged_at ? s->explain : NULL, .judged = s->recent.ls[0], .watch = &s->watch, .now = epoch,
		});
	if (err)
		out_text_free(&text);
	else
		http_push(s->http, &text);
	return err < 0 ? err : 0;
}

static int on_page(const struct http_request *q, struct http_page *page, void *arg)
{
	bool openmetrics = strstr(q->accept, "application/openmetrics-text");
	struct serve *s = arg;
	uint64_t conn;
	struct out *o;
	int err = 0;

	if (!strcmp(q->path, "/"))
		return make_page(page);
	if (!strcmp(q->path, "/ladder") && s->ledger) {
		page->type = SVG;
		return parse_number(q->conn, 1, UINT64_MAX, &conn) ? conns_ladder(&s->conns, conn, &page->text) : -EINVAL;
	}
	if (strcmp(q->path, "/metrics"))
		return -ENOENT;
	if (!s->follow || !s->read_at)
		return -ENODEV;
	if (!s->opts->ledger && monotonic_ns() - s->read_at > FRESH_NS)
		err = tcpfsm_follow_totals(s->follow);
	o = err ? NULL : malloc(sizeof(*o));
	if (!o)
		return err ? err : -ENOMEM;
	page->type = openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				   "text/plain; version=0.0.4; charset=utf-8";
	out_to_text(o, &page->text);
	err = metrics_write(o, &(struct known) {
		.outgoing = s->connects ? &s->outgoing : NULL, .info = &s->info, .src = tcpfsm_follow_source(s->follow), .ls = s->ls, .ledger = s->ledger,
		.checks = s->checked_at ? s->checks : NULL, .filter = &s->opts->filter,
		.found = s->judged_at ? s->found : NULL, .nfound = s->nfound, .now = realtime_ns(),
	}, openmetrics);
	free(o);
	return err;
}

/* Of a recording. */
static int on_replay_page(const struct http_request *q, struct http_page *page, void *arg)
{
	struct replay *r = *(struct replay **)arg;
	uint64_t at, conn;
	int err;

	if (!strcmp(q->path, "/"))
		return make_page(page);
	if (strcmp(q->path, "/data") && strcmp(q->path, "/ladder"))
		return -ENOENT;
	if (!parse_number(q->at, 0, replay_span(r), &at))
		return -EINVAL;
	if (!strcmp(q->path, "/data")) {
		page->type = "application/json";
		err = replay_data(r, at, &page->text);
	} else {
		page->type = SVG;
		if (!parse_number(q->conn, 1, UINT64_MAX, &conn))
			return -EINVAL;
		err = replay_ladder(r, at, conn, &page->text);
	}
	if (err && err != -ENOENT && err != -EINTR)
		fail(err, "serve: the recording");
	return err == -ENOENT && strcmp(q->path, "/ladder") ? -EIO : err;
}

/* ---- as long as the module is there ----------------------------------------------------------- */

static void stop(struct serve *s)
{
	tcpfsm_explain_free(s->explain);
	tcpfsm_connects_free(s->connects);
	tcpfsm_timewaits_free(s->ledger);
	tcpfsm_checks_free(s->checks);
	tcpfsm_listeners_free(s->ls);
	recent_free(&s->recent);
	watch_free(&s->watch);
	conns_free(&s->conns);
	tcpfsm_follow_close(s->follow);
	s->follow = NULL;
	s->explain = NULL;
	s->connects = NULL;
	s->ledger = NULL;
	s->checks = NULL;
	s->ls = NULL;
	s->to = (struct tcpfsm_consumers) { .size = sizeof(s->to) };
	s->read_at = s->judged_at = s->checked_at = 0;
	s->nfound = 0;
	journal_forget(s->journal);
}

static int make_consumers(struct serve *s)
{
	struct tcpfsm_source *src = tcpfsm_follow_source(s->follow);
	const struct tcpfsm_filter *filter = &s->opts->filter;
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = filter, .epoch_offset = tcpfsm_source_epoch_offset(src),
		.info = &s->info, .model = tcpfsm_follow_model(s->follow), .since = realtime_ns(),
		.complete_since = tcpfsm_source_complete_since(src),
	};
	struct tcpfsm_timewaits_options to = {
		.size = sizeof(to), .filter = filter, .epoch_offset = eo.epoch_offset, .since = eo.since,
	};
	struct tcpfsm_connects_options co = { .size = sizeof(co), .epoch_offset = eo.epoch_offset };
	int err = s->opts->ledger ? tcpfsm_timewaits_new(&s->ledger, &to) : 0;

	tcpfsm_explain_machine(&eo);
	eo.ledger = co.ledger = s->ledger;
	if (!err && s->ledger)
		err = tcpfsm_connects_new(&s->connects, &co);
	if (!err)
		err = tcpfsm_explain_new(&s->explain, &eo);
	if (!err)
		err = tcpfsm_checks_new(&s->checks, &s->info);
	if (!err)
		err = tcpfsm_listeners_new(&s->ls);
	if (!err)
		err = recent_new(&s->recent, true, true);
	if (err)
		return err;
	s->watch = (struct watch) {
		.epoch_offset = eo.epoch_offset, .ls = s->ls, .ledger = s->ledger, .slides = true, .moves = true,
	};
	err = watch_new(&s->watch);
	if (err)
		return err;
	if (s->ledger)
		err = conns_new(&s->conns, eo.model, NULL, eo.epoch_offset);
	if (err)
		return err;
	tcpfsm_listeners_live(s->ls, true);
	s->to = (struct tcpfsm_consumers) {
		.size = sizeof(s->to), .timewaits = s->ledger, .explain = s->explain, .connects = s->connects,
	};
	/* Items come in batches all the same; what they are told with is a matter of this, too. */
	return tcpfsm_follow_consumers(s->follow, &s->to);
}

/* Return: 0, or the exit status after an error was told. */
static int begin(struct serve *s)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo), .lives = true, .watch = true, .opens = 1 };
	struct tcpfsm_follow_options fo = {
		.snapshot = true, .totals = true, .batch = on_batch, .notice = on_notice, .arg = s,
		.state_only = !s->opts->ledger, .totals_ns = s->opts->ledger ? NSEC_PER_SEC : JUDGE_NS,
		.resync = s->opts->ledger, .model = s->opts->ledger ? &mo : NULL,
		.interrupted = &interrupted,
	};
	int status = open_follow(&s->follow, s->opts, &fo, &s->info);
	int err;

	if (status)
		return status;
	err = make_consumers(s);
	if (err) {
		stop(s);
		return fail(err, "serve");
	}
	tell_features(&s->info, FEATURES_ALL);
	tcpfsm_source_watch(tcpfsm_follow_source(s->follow), http_fd(s->http));
	return 0;
}

/* Return: what tcpfsm_follow_step() does. */
static int step(struct serve *s, int ms)
{
	int rc = tcpfsm_follow_step(s->follow, STEP_NS, ms);

	if (rc == TCPFSM_FOLLOW_IDLE && !s->opts->ledger &&
	    (!s->checked_at || monotonic_ns() - s->checked_at > CHECK_NS)) {
		int err = check(s);

		return err < 0 ? err : rc;
	}
	return rc;
}

/* The module is gone.  Return: as begin(). */
static int look_again(struct serve *s)
{
	struct pollfd pfd = { .fd = http_fd(s->http), .events = POLLIN };
	int status;

	poll(&pfd, 1, AGAIN_MS);
	if (access(s->opts->device ? s->opts->device : TCPFSM_DEVICE, R_OK))
		return 0;
	status = begin(s);
	if (!status)
		complain("serve: the module is there again");
	return status;
}

static int serve(struct serve *s)
{
	int ms = 0, rc, push_rc, status;

	while (!interrupted) {
		if (!s->follow) {
			status = look_again(s);
			if (status)
				return status;
			ms = http_run(s->http);
			continue;
		}
		rc = step(s, ms);
		if (rc == -ENODEV) {
			complain("serve: the module has gone; /metrics answers 503 until it is loaded again");
			stop(s);
			continue;
		}
		/* Nobody reads what --stdout tells: close_stdout() knows whether that is an error. */
		if (s->opts->out->error)
			return EXIT_DONE;
		if (rc < 0)
			return fail(rc, "serve");
		/* Who asks now would get half a reading. */
		if (tcpfsm_follow_reading(s->follow)) {
			ms = 0;
			continue;
		}
		push_rc = push(s);
		if (push_rc == -ENODEV)
			continue;	/* the next step tells */
		if (push_rc < 0)
			return fail(push_rc, "serve");
		ms = http_run(s->http);
		if (rc == TCPFSM_FOLLOW_MORE)
			ms = 0;
	}
	return EXIT_DONE;
}

static int fail_http(int err, const char *where, const char *why)
{
	if (why) {
		complain("--listen %s: %s; give ADDRESS:PORT, as in " WHERE, where, why);
		return EXIT_USAGE;
	}
	if (err == -EADDRINUSE) {
		complain("--listen %s: that port is taken; choose another one", where);
		return EXIT_ERROR;
	}
	return fail(err, where ? where : "the socket of systemd");
}

/* ---- a recording ------------------------------------------------------------------------------- */

static int serve_replay(const struct options *opts, struct replay *r, struct http *h)
{
	struct pollfd pfd = { .fd = http_fd(h), .events = POLLIN };
	struct out_text text = { .s = NULL };
	int ms = 0, err = replay_data(r, replay_span(r), &text), status;

	if (err)
		return fail(err, opts->replay);
	complain("serve: http://%s/ for a browser", http_where(h));
	/* Whoever comes gets the end at once. */
	http_push(h, &text);
	status = tell_missing(replay_source(r), opts, EXIT_DONE);
	while (!interrupted) {
		poll(&pfd, 1, ms < 0 ? AGAIN_MS : ms);
		ms = http_run(h);
	}
	return status;
}

static int run_replay(const struct options *opts, const char *where)
{
	struct replay_options ro = {
		.dir = opts->replay, .filter = opts->given & OPT_FILTER ? &opts->filter : NULL, .interrupted = &interrupted,
	};
	struct tcpfsm_info info = { .size = sizeof(info) };
	struct replay *r;
	struct http *h;
	const char *why;
	int err, status;

	if (opts->ledger || opts->to_stdout)
		complain("serve: of a recording there is the page alone: --ledger and --stdout have no effect here");
	err = replay_open(&r, &ro, &info, &why);
	if (err == -EINTR)
		return EXIT_DONE;
	if (err)
		return fail_replay(err, opts, why);
	if (replay_error(r))
		complain("%s: %s; what could be read is shown", opts->replay, replay_error(r));
	err = http_open(&h, where, on_replay_page, &r, &why);
	status = err ? fail_http(err, where, why) : serve_replay(opts, r, h);
	if (!err)
		http_close(h);
	replay_close(r);
	return status;
}

static int run(const struct options *opts)
{
	const char *where = opts->listen ? opts->listen : getenv("LISTEN_FDS") ? NULL : WHERE;
	static struct serve s;
	const char *why;
	int err, status;

	if (opts->replay)
		return run_replay(opts, where);
	s.opts = opts;
	if (opts->to_stdout || journal_is_stderr()) {
		s.journal = journal_new(opts->to_stdout ? opts->out : NULL, &opts->filter);
		if (!s.journal)
			return fail(-ENOMEM, "serve");
	}
	err = http_open(&s.http, where, on_page, &s, &why);
	if (err) {
		journal_free(s.journal);
		return fail_http(err, where, why);
	}
	status = begin(&s);
	if (!status) {
		complain("serve: http://%s/ for a browser, http://%s/metrics", http_where(s.http), http_where(s.http));
		status = serve(&s);
	}
	if (s.follow)
		stop(&s);
	free(s.found);
	http_close(s.http);
	journal_free(s.journal);
	return status ? status : close_stdout(opts->out);
}

const struct command cmd_serve = {
	.columns =
		"  /           what top shows, for a browser, once a second; with --ledger\n"
		"              TIME_WAIT, ports, connects, connections with their ladders, resets\n"
		"              and the state diagram, too; of a recording at any time of it\n"
		"  /metrics    listeners, network namespaces, findings of explain and how well\n"
		"              the module sees, in the text format of Prometheus, or as\n"
		"              OpenMetrics; tcpfsm-serve(8) lists the names\n"
		"  journal     (as a service; --stdout: JSON lines) findings that begin and end,\n"
		"              what listeners refuse and, with --ledger, connects that fail\n"
		"  Nothing else is there, and a request changes nothing.  It has neither TLS nor\n"
		"  passwords: other machines should see a proxy in front of it.\n",
	.examples =
		"  For the Prometheus of this machine, and a browser on it:\n"
		"    tcpfsm serve\n"
		"  A recording for a lecture, to be played in a browser:\n"
		"    tcpfsm serve -r /var/tmp/lunch\n",
	.run = run,
};
