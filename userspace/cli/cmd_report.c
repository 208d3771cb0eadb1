// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm report: a recording as one page.
 *
 * It is read twice: what was found decides which connections are drawn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../serve/page.h"
#include "../show/ladder.h"
#include "../show/recent.h"
#include "cli.h"

/* Findings that have connections drawn, and of each so many; events of one. */
#define FINDINGS	16
#define LADDERS		2
#define LADDER_EVENTS	64
/* All of them have theirs, or so many did not fit. */
#define LOOKED_AT	1000000

/* What a connection has to have for a finding. */
#define REFUSED		1U		/* a SYN or third ACK that was dropped, or answered with a cookie or an RST */
#define AGAIN		2U		/* something was sent again */
#define RESET		4U
#define FAILED		8U		/* connect() or the connection ended with an errno */
#define TIME_WAIT	16U
#define HALF		32U		/* CLOSE_WAIT or FIN_WAIT2 */

static const struct {
	const char *verdict;
	unsigned int marks;		/* any of */
} shows[] = {
	{ "connects_refused", FAILED | RESET }, { "connects_time_out", FAILED }, { "connects_slow", AGAIN },
	{ "resets_sent", RESET }, { "resets_received", RESET }, { "peer_gone", AGAIN },
	{ "close_wait_leak", HALF }, { "fin_wait2_held", HALF }, { "fin_wait2", HALF },
	{ "slow_clients", AGAIN | REFUSED }, { "synack_lost", AGAIN }, { "return_path", AGAIN },
	{ "defer_accept", AGAIN }, { "requests_reset", RESET }, { "reset_on_overflow", REFUSED | RESET },
	{ "ports_exhausted", FAILED | TIME_WAIT }, { "ports_open", FAILED }, { "port_taken", FAILED },
	{ "ports_run_out", TIME_WAIT }, { "ports_bound", FAILED }, { "tw_bucket_limit", TIME_WAIT },
	{ "tw_bucket_fills", TIME_WAIT }, { "tw_reset", TIME_WAIT }, { "tw_harmless", TIME_WAIT },
	{ "listener_closed", RESET }, { "nothing_wrong", 0 }, { "not_judged", 0 }, { "listeners_unwatched", 0 },
};

struct wanted {
	size_t place;			/* of the finding */
	unsigned int marks, n;
	uint32_t netns;
	uint16_t lport, rport;
	uint8_t raddr[16];
};

struct report {
	const struct options *opts;
	const struct tcpfsm_filter *filter;
	struct recent recent;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_connects *connects;
	struct tcpfsm_explain *explain;
	struct tcpfsm_info info;
	struct tcpfsm_follow *f;
	struct watch watch;
	bool begun;			/* there is something to tell */
	int fd;
	bool created;			/* the file, by us */
	struct out_text data, ladders;
	struct wanted wanted[FINDINGS];
	size_t nwanted;
	uint64_t looked_at;
	struct out *to;			/* the ladders' text */
	struct json json;
};

/* ---- what is known --------------------------------------------------------------------- */

static void on_finding(const struct tcpfsm_finding *f, size_t place, void *arg)
{
	struct report *r = arg;
	struct wanted *w = &r->wanted[r->nwanted];
	size_t i;

	if (r->nwanted == FINDINGS)
		return;
	*w = (struct wanted) { .place = place, .marks = REFUSED, .netns = f->netns, .lport = f->lport, .rport = f->rport };
	for (i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
		if (!strcmp(shows[i].verdict, f->verdict))
			w->marks = shows[i].marks;
	memcpy(w->raddr, f->raddr, sizeof(w->raddr));
	r->nwanted += w->marks != 0;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct report *r = arg;
	int err = watch_item(&r->watch, item);

	return err ? err : recent_item(&r->recent, item);
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct report *r = arg;

	return watch_event(&r->watch, ev);
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info, struct tcpfsm_consumers *to)
{
	struct report *r = arg;
	int64_t epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f));
	/* Ports are taken by all, whoever is asked for. */
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw), .epoch_offset = epoch_offset, .filter = r->filter };
	struct tcpfsm_connects_options co = { .size = sizeof(co), .epoch_offset = epoch_offset, .filter = r->filter };
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = &r->opts->filter, .epoch_offset = epoch_offset, .info = info,
		.model = tcpfsm_follow_model(f), .ended = true,
	};
	int err = recent_new(&r->recent, false, false);

	r->f = f;
	r->info = *info;
	if (!err)
		err = tcpfsm_timewaits_new(&r->ledger, &tw);
	co.ledger = r->ledger;
	if (!err)
		err = tcpfsm_connects_new(&r->connects, &co);
	/* One that has a filter is not for explain. */
	eo.ledger = r->filter ? NULL : r->ledger;
	if (!err)
		err = tcpfsm_explain_new(&r->explain, &eo);
	r->watch.filter = r->filter;
	r->watch.epoch_offset = epoch_offset;
	r->watch.ls = r->recent.ls[0];
	r->watch.ledger = r->ledger;
	if (!err)
		err = watch_new(&r->watch);
	if (err)
		return fail(err, "report");
	to->timewaits = r->ledger;
	to->connects = r->connects;
	to->explain = r->explain;
	return 0;
}

static int end(void *arg, int rc)
{
	struct report *r = arg;
	struct tcpfsm_source *src = tcpfsm_follow_source(r->f);
	struct page_known k = {
		.recording = r->opts->replay, .error = rc ? tcpfsm_source_error(src) : NULL,
		.missing = tcpfsm_source_missing(src), .info = &r->info, .src = src,
		.model = tcpfsm_follow_model(r->f), .filter = r->filter,
		.ls = r->recent.last_ts ? r->recent.ls[0] : NULL, .ledger = r->ledger, .connects = r->connects,
		.explain = r->recent.last_ts ? r->explain : NULL, .judged = r->recent.ls[0], .watch = &r->watch,
		.now = r->watch.event_ts, .finding = on_finding, .arg = r,
	};
	int err = watch_settle(&r->watch, r->watch.last_ts);

	if (!err)
		err = page_data(&r->data, &k);
	if (err)
		return fail(err, "report");
	r->begun = true;
	return 0;
}

/* ---- connections that show it ------------------------------------------------------------- */

static unsigned int marks_of(const struct tcpfsm_ladder *l)
{
	unsigned int marks = 0, e;
	size_t i;

	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *row = &l->rows[i];

		marks |= row->retransmit ? AGAIN : 0;
		marks |= row->kind <= TCPFSM_LADDER_ARRIVES && row->flags & TCPFSM_SEG_RST ? RESET : 0;
		for (e = 0; e < 2; e++) {
			const struct tcpfsm_ladder_cell *c = &row->cell[e];

			marks |= c->reason ? REFUSED : 0;
			marks |= c->err || c->event == 1 + TCPFSM_EVENT_CONNECT_FAILED ? FAILED : 0;
			marks |= c->state == TCPFSM_STATE_TIME_WAIT ? TIME_WAIT : 0;
			marks |= c->state == TCPFSM_STATE_CLOSE_WAIT || c->state == TCPFSM_STATE_FIN_WAIT2 ? HALF : 0;
		}
	}
	return marks;
}

static bool is_of(const struct wanted *w, const struct tcpfsm_ladder *l)
{
	unsigned int e;

	for (e = 0; e < 2; e++) {
		const struct tcpfsm_ladder_end *here = &l->end[e], *peer = &l->end[!e];

		if (w->netns && here->netns && here->netns != w->netns)
			continue;
		if (w->lport && here->port != w->lport)
			continue;
		if (w->rport && (peer->port != w->rport || memcmp(peer->addr, w->raddr, sizeof(w->raddr))))
			continue;
		if (here->seen || w->rport)
			return true;
	}
	return false;
}

/* places: of the findings that it shows. */
static int draw(struct report *r, const size_t *places, size_t n, const struct tcpfsm_ladder *l)
{
	char title[WORDS_MAX], *text = NULL;
	size_t len, i;
	int err = ladder_svg_text(l, &text, &len);

	if (!err) {
		ladder_end_name(l, 0, false, title);
		json_open(&r->json, NULL, '{');
		json_open(&r->json, "findings", '[');
		for (i = 0; i < n; i++)
			json_number(&r->json, NULL, places[i]);
		json_close(&r->json, ']');
		json_string(&r->json, "title", title);
		json_string(&r->json, "svg", text);
		json_close(&r->json, '}');
	}
	free(text);
	return err;
}

static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	struct report *r = arg;
	unsigned int marks = marks_of(l);
	size_t places[FINDINGS], n = 0, i;
	bool enough = true;
	int err = 0;

	for (i = 0; i < r->nwanted; i++) {
		struct wanted *w = &r->wanted[i];

		if (w->n < LADDERS && marks & w->marks && is_of(w, l)) {
			w->n++;
			places[n++] = w->place;
		}
		enough &= w->n == LADDERS;
	}
	if (n)
		err = draw(r, places, n, l);
	return err ? err : enough || ++r->looked_at == LOOKED_AT;
}

/* Not what could be told was told before.  Return: 0 or a negative errno. */
static int find_ladders(struct report *r)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_ladders_options lo = { .size = sizeof(lo), .filter = r->filter, .max_events = LADDER_EVENTS };
	struct tcpfsm_follow_options fo = {
		.size = sizeof(fo), .recording = r->opts->replay, .model = &mo, .ladder = on_ladder, .arg = r,
		.interrupted = &interrupted,
	};
	struct tcpfsm_consumers to = { .size = sizeof(to) };
	struct tcpfsm_follow *f = NULL;
	int err = 0;

	r->to = malloc(sizeof(*r->to));
	if (!r->to)
		return -ENOMEM;
	out_to_text(r->to, &r->ladders);
	r->json = out_json(r->to);
	json_open(&r->json, NULL, '[');
	if (r->nwanted)
		err = tcpfsm_follow_open(&f, &fo, NULL, NULL);
	if (f) {
		err = tcpfsm_ladders_new(&to.ladders, &lo);
		if (!err)
			err = tcpfsm_follow_consumers(f, &to);
		while (!err && (err = tcpfsm_follow_step(f, 0, -1)) >= 0 && err != TCPFSM_FOLLOW_END)
			err = 0;
		/* A damaged one has been read as far as it goes. */
		if (err > 0 || err == -EBADMSG)
			err = 0;
	}
	tcpfsm_follow_close(f);
	tcpfsm_ladders_free(to.ladders);
	json_close(&r->json, ']');
	return err ? err : out_flush(r->to);
}

/* ---- the file ------------------------------------------------------------------------------ */

static int write_page(struct report *r)
{
	int err = find_ladders(r);

	if (!err) {
		/* What it was before is kept as long as there is nothing better; a device has no length. */
		if (ftruncate(r->fd, 0))
			errno = 0;
		out_to_file(r->to, r->fd);
		err = page_html(r->to, r->data.s, r->ladders.s);
	}
	if (!err && (err = out_close(r->to)) == 0)
		r->fd = -1;
	return err ? fail(err, r->opts->file) : EXIT_DONE;
}

static int run(const struct options *opts)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	static const struct view view = {
		.follow = { .model = &mo, .item = on_item, .event = on_event },
		.shows = FEATURES_ALL, .begin = begin, .end = end,
	};
	static struct report r;
	struct stat st;
	int status, written;

	r.opts = opts;
	r.filter = opts->given & OPT_FILTER ? &opts->filter : NULL;
	if (!opts->replay) {
		complain("report: needs a recording: -r DIR, which tcpfsm record makes");
		return EXIT_USAGE;
	}
	/* Now, as reading may take minutes.  What it tells is as private as the recording. */
	r.fd = open(opts->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r.created = r.fd >= 0;
	if (r.fd < 0 && errno == EEXIST)
		r.fd = open(opts->file, O_WRONLY | O_CLOEXEC);
	if (r.fd < 0)
		return fail(-errno, opts->file);
	status = stream(opts, &view, &r);
	if (r.begun) {
		written = write_page(&r);
		status = status ? status : written;
	}
	if (r.fd >= 0 && r.created && !fstat(r.fd, &st) && !st.st_size)
		unlink(opts->file);
	tcpfsm_explain_free(r.explain);
	tcpfsm_connects_free(r.connects);
	tcpfsm_timewaits_free(r.ledger);
	recent_free(&r.recent);
	watch_free(&r.watch);
	out_text_free(&r.data);
	out_text_free(&r.ladders);
	free(r.to);
	return status;
}

const struct command cmd_report = {
	.columns =
		"  FILE is one page of HTML for a browser, which needs nothing else: what\n"
		"  explain finds, with the connections that show it; queues, refusals,\n"
		"  TIME_WAIT and ports over time; listeners, destinations and resets in\n"
		"  tables; the state diagram; and what is missing from the recording.\n"
		"  An existing FILE is overwritten.\n",
	.examples =
		"  The incident of lunch time, for a ticket:\n"
		"    tcpfsm report -r /var/tmp/lunch lunch.html\n"
		"  Only what concerns one service:\n"
		"    tcpfsm report -r /var/tmp/lunch https.html port 443\n",
	.run = run,
};
