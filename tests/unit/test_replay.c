// SPDX-License-Identifier: GPL-2.0-only
/* Replays of made-up streams whose outcome under another setting can be told by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "explain/explain.h"
#include "findings.h"
#include "tcpfsm.h"

#define SEC		1000000000ULL
#define MS		1000000ULL
#define US		1000ULL
#define BEGIN		(100 * SEC)
#define OFFSET		(1700000000 * (int64_t)SEC)
#define NETNS		4026531840U
#define LISTENER	101U
#define PORT		80

static struct world {
	struct tcpfsm_listeners *ls;
	struct tcpfsm_explain *x;
	struct tcpfsm_filter filter;
	uint64_t v[2][TCPFSM_TOTAL_NUM];	/* network namespace, listener */
	/* The server as it really is: what it would do is played by hand, see serve(). */
	uint64_t backlog, queue[4096];
	unsigned int head, tail, refused;
	uint64_t ready;
	struct tcpfsm_what_if got;
	unsigned int ngot;
} w;

static void world(uint64_t backlog)
{
	struct tcpfsm_explain_options opts = {
		.size = sizeof(opts), .epoch_offset = OFFSET, .filter = &w.filter, .own_netns = NETNS,
	};

	memset(&w, 0, sizeof(w));
	nfound = 0;
	w.filter.size = sizeof(w.filter);
	w.backlog = backlog;
	w.v[0][TCPFSM_TOTAL_NOW_SYNCOOKIES] = 1;
	w.v[0][TCPFSM_TOTAL_NOW_SOMAXCONN] = 4096;
	w.v[0][TCPFSM_TOTAL_NOW_MAX_SYN_BACKLOG] = 4096;
	w.v[0][TCPFSM_TOTAL_NOW_TIMESTAMPS] = 1;
	w.v[0][TCPFSM_TOTAL_NOW_PORTS] = 20;
	w.v[0][TCPFSM_TOTAL_NOW_PORT_LOW] = 40000;
	w.v[0][TCPFSM_TOTAL_NOW_PORT_HIGH] = 40019;
	w.v[1][TCPFSM_TOTAL_NOW_BACKLOG] = backlog;
	w.v[1][TCPFSM_TOTAL_NOW_ASKED] = backlog + 1;
	w.v[1][TCPFSM_TOTAL_NOW_SYNQ_PLACES] = backlog + 1;
	CHECK_EQ(tcpfsm_listeners_new(&w.ls), 0);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
}

static void end(void)
{
	tcpfsm_explain_free(w.x);
	tcpfsm_listeners_free(w.ls);
}

/* Totals as the module would tell them at this moment. */
static void reading(uint64_t ts)
{
	unsigned int at, index;

	for (at = 0; at < 2; at++) {
		struct tcpfsm_item it = { .rec = {
			.type = TCPFSM_TYPE_TOTAL, .ts = ts, .netns = NETNS, .conn = at ? LISTENER : 0,
			.family = at ? 4 : 0, .lport = at ? PORT : 0,
		} };

		for (index = 0; index < TCPFSM_TOTAL_NUM; index++) {
			if (!w.v[at][index] && index != TCPFSM_TOTAL_NOW_SINCE_TS)
				continue;
			it.rec.rcv = index;
			it.rec.listener = w.v[at][index];
			CHECK_EQ(tcpfsm_listeners_item(w.ls, &it), 0);
			CHECK_EQ(tcpfsm_explain_item(w.x, &it), 0);
		}
	}
}

/* ---- a listener ---------------------------------------------------------------------- */

static struct tcpfsm_event *event(uint8_t type, unsigned int client, uint64_t ts)
{
	static struct tcpfsm_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.ts = ts + (uint64_t)OFFSET;
	ev.dur_ns = -1;
	ev.has_queues = true;
	ev.rec = (struct tcpfsm_record) {
		.ts = ts, .family = 4, .listener = LISTENER, .netns = NETNS, .lport = PORT,
		.flags = TCPFSM_F_PASSIVE, .rport = (uint16_t)(1024 + client), .conn = 1000 + client,
		.raddr = { 10, 0, (uint8_t)(client >> 8), (uint8_t)client },
		.backlog = (uint32_t)w.backlog, .acceptq = w.tail - w.head,
	};
	return &ev;
}

static void tell(struct tcpfsm_event *ev)
{
	CHECK_EQ(tcpfsm_explain_event(w.x, ev), 0);
}

static void tell_syn(unsigned int client, uint64_t ts, uint8_t verdict, uint8_t reason)
{
	struct tcpfsm_event *ev = event(TCPFSM_EVENT_SYN, client, ts);

	ev->rec.verdict = verdict;
	ev->rec.reason = reason;
	tell(ev);
}

static void tell_established(unsigned int client, uint64_t ts)
{
	struct tcpfsm_event *ev;

	w.queue[w.tail++] = ts;
	ev = event(TCPFSM_EVENT_TRANSITION, client, ts);
	ev->old_state = TCPFSM_STATE_SYN_RECV;
	ev->new_state = TCPFSM_STATE_ESTABLISHED;
	tell(ev);
}

static void tell_accept(uint64_t ts)
{
	uint64_t since = w.queue[w.head++];
	struct tcpfsm_event *ev = event(TCPFSM_EVENT_ACCEPT, 0, ts);

	ev->dur_ns = (int64_t)(ts - since);
	tell(ev);
}

/* accept() until then, one each pace ns after the other; it takes 20 us to wake up. */
static void serve(uint64_t until, uint64_t pace)
{
	while (w.head < w.tail) {
		uint64_t woken = w.queue[w.head] + 20 * US, at = woken > w.ready ? woken : w.ready;

		if (at >= until)
			return;
		tell_accept(at);
		w.ready = at + pace;
	}
}

struct again {
	unsigned int client, tries;
	uint64_t at;
};

/*
 * n clients from begin on, one each gap ns, whose handshake takes rtt; those who are refused come
 * again after 1, 3, 7 s.  The real kernel's rule, and not the library's: SYNs only are refused.
 */
static void clients(unsigned int n, uint64_t begin, uint64_t gap, uint64_t pace, uint64_t over)
{
	struct again *a = calloc(n, sizeof(*a));
	unsigned int i, next;
	bool *refused = calloc(n, sizeof(*refused));

	for (i = 0; i < n; i++)
		a[i] = (struct again) { .client = i, .at = begin + i * gap };
	for (;;) {
		for (next = 0, i = 0; i < n; i++)
			if (a[i].at < a[next].at)
				next = i;
		if (a[next].at >= over)
			break;
		serve(a[next].at, pace);
		if (w.tail - w.head > w.backlog) {
			tell_syn(a[next].client, a[next].at, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
			w.refused += !refused[next];
			refused[next] = true;
			a[next].at += SEC << a[next].tries++;
			continue;
		}
		tell_syn(a[next].client, a[next].at, TCPFSM_VERDICT_QUEUED, 0);
		tell_established(a[next].client, a[next].at + US);
		a[next].at = UINT64_MAX;
	}
	serve(over, pace);
	free(a);
	free(refused);
}

static int on_what_if(const struct tcpfsm_what_if *wi, void *arg)
{
	(void)arg;
	w.got = *wi;
	w.ngot++;
	return 0;
}

static const struct tcpfsm_what_if *what_if(const char *words)
{
	struct tcpfsm_setting s;
	const char *why = tcpfsm_setting_parse(&s, words);

	if (why)
		printf("# %s: %s\n", words, why);
	CHECK(!why);
	w.ngot = 0;
	memset(&w.got, 0, sizeof(w.got));
	CHECK_EQ(tcpfsm_explain_what_if(w.x, w.ls, &s, on_what_if, NULL), 0);
	return &w.got;
}

/* How many of them a server with that backlog really refuses. */
static unsigned int really(uint64_t backlog, unsigned int n, uint64_t gap, uint64_t pace)
{
	unsigned int refused;

	world(backlog);
	clients(n, BEGIN, gap, pace, BEGIN + 200 * SEC);
	refused = w.refused;
	end();
	return refused;
}

/* A burst of 60 against a backlog of 5, at an application that takes 1 ms for each. */
static void burst(void)
{
	const struct tcpfsm_what_if *wi;

	world(5);
	clients(60, BEGIN, 10 * US, MS, BEGIN + 60 * SEC);
	/* The first one is accepted at once. */
	CHECK_EQ(w.refused, 53);
	reading(BEGIN + 60 * SEC);
	wi = what_if("backlog=5");
	CHECK_EQ(w.ngot, 1);
	CHECK_EQ(wi->attempts, 60);
	CHECK_EQ(wi->refused_before, 53);
	CHECK_EQ(wi->refused, 53);
	CHECK_EQ(wi->refused_replayed, 53);
	CHECK_EQ(wi->now, 5);
	CHECK(!wi->part);
	wi = what_if("backlog=64");
	CHECK_EQ(wi->refused, 0);
	/* 60 in 600 us: one was accepted in between; the last one waits for the others. */
	CHECK_EQ(wi->queue_peak, 59);
	CHECK(wi->wait_ns_max > 57 * MS && wi->wait_ns_max < 60 * MS);
	CHECK(wi->wait_ns_p99 <= wi->wait_ns_max && wi->wait_ns_p99 > 55 * MS);
	wi = what_if("backlog=57");
	CHECK_EQ(wi->refused, 1);
	CHECK_EQ(what_if("backlog=58")->refused, 0);
	CHECK_EQ(what_if("backlog=0")->refused, 58);
	end();
}

/* What is said of a smaller limit is what that limit does; and the other way round. */
static void both_ways(void)
{
	static const uint64_t paces[] = { 100 * US, 7 * MS, 50 * MS };
	unsigned int i, j;

	for (i = 0; i < 3; i++) {
		static const uint64_t limits[] = { 0, 3, 8, 20, 100 };

		for (j = 0; j < 5; j++) {
			unsigned int real = really(limits[j], 120, 300 * US, paces[i]);
			char words[32];
			int off;

			sprintf(words, "backlog=%u", (unsigned int)limits[j]);
			world(16);
			clients(120, BEGIN, 300 * US, paces[i], BEGIN + 200 * SEC);
			reading(BEGIN + 200 * SEC);
			off = (int)what_if(words)->refused - (int)real;
			if (abs(off) * 10 > (int)real)
				printf("# pace %u us, %s: %u, really %u\n", (unsigned int)(paces[i] / US),
				       words, (unsigned int)w.got.refused, real);
			CHECK(abs(off) * 10 <= (int)real);
			end();
		}
	}
}

/* More arrive than are accepted: no limit helps. */
static void behind(void)
{
	const struct tcpfsm_what_if *wi;

	world(5);
	/* 100 a second, of which 20 are accepted. */
	clients(1000, BEGIN, 10 * MS, 50 * MS, BEGIN + 10 * SEC);
	CHECK(w.refused > 500);
	reading(BEGIN + 10 * SEC);
	wi = what_if("backlog=4096");
	CHECK_EQ(wi->refused, 0);
	CHECK(wi->waiting > 750 && wi->waiting < 850);
	CHECK(wi->wait_ns_max > 7 * SEC);
	wi = what_if("backlog=64");
	CHECK(wi->refused > 400);
	end();
}

/* It was away for two seconds: a limit does not change when it comes back. */
static void away(void)
{
	const struct tcpfsm_what_if *wi;

	world(5);
	w.ready = BEGIN + 2 * SEC;
	clients(40, BEGIN, 10 * MS, MS, BEGIN + 60 * SEC);
	CHECK_EQ(w.refused, 34);
	reading(BEGIN + 60 * SEC);
	wi = what_if("backlog=128");
	CHECK_EQ(wi->refused, 0);
	CHECK_EQ(wi->queue_peak, 40);
	CHECK(wi->wait_ns_max > 1990 * MS && wi->wait_ns_max < 2010 * MS);
	end();
}

/* 30 SYNs at once meet the SYN queue, as their ACKs take 10 ms. */
static void syn_queue(void)
{
	const struct tcpfsm_what_if *wi;
	unsigned int i;

	world(8);
	w.v[0][TCPFSM_TOTAL_NOW_SYNCOOKIES] = 0;
	for (i = 0; i < 30; i++)
		tell_syn(i, BEGIN + i * US, i < 9 ? TCPFSM_VERDICT_QUEUED : TCPFSM_VERDICT_DROPPED,
			 i < 9 ? 0 : TCPFSM_REASON_SYNQ_FULL);
	for (i = 0; i < 9; i++) {
		tell_established(i, BEGIN + 10 * MS + i * US);
		serve(BEGIN + 10 * MS + (i + 1) * US, 0);
	}
	serve(BEGIN + 20 * MS, 0);
	reading(BEGIN + SEC / 2);
	CHECK_EQ(what_if("backlog=8")->refused, 21);
	CHECK_EQ(what_if("backlog=15")->refused, 14);
	CHECK_EQ(what_if("backlog=29")->refused, 0);
	w.v[0][TCPFSM_TOTAL_NOW_SYNCOOKIES] = 1;
	reading(BEGIN + SEC);
	wi = what_if("backlog=15");
	/* By cookies they get in; 20 have come to the accept queue, which holds 16, before the first accept(). */
	CHECK_EQ(wi->cookies, 14);
	CHECK_EQ(wi->refused, 4);
	end();
}

/* Their third ACK finds the accept queue full; so it is sent again. */
static void third_ack(void)
{
	struct tcpfsm_event *ev;
	unsigned int i;

	world(2);
	for (i = 0; i < 6; i++)
		tell_syn(i, BEGIN + i * US, TCPFSM_VERDICT_QUEUED, 0);
	for (i = 0; i < 6; i++) {
		if (i < 3) {
			tell_established(i, BEGIN + MS + i * US);
			continue;
		}
		ev = event(TCPFSM_EVENT_HANDSHAKE_ACK, i, BEGIN + MS + i * US);
		ev->rec.verdict = TCPFSM_VERDICT_DROPPED;
		ev->rec.reason = TCPFSM_REASON_ACCEPTQ_FULL;
		tell(ev);
	}
	w.ready = BEGIN + 100 * MS;
	serve(BEGIN + SEC, MS);
	for (i = 3; i < 6; i++)
		tell_established(i, BEGIN + SEC + i * US);
	serve(BEGIN + 2 * SEC, MS);
	reading(BEGIN + 2 * SEC);
	CHECK_EQ(what_if("backlog=2")->refused_before, 3);
	CHECK_EQ(w.got.refused_replayed, 3);
	CHECK_EQ(what_if("backlog=5")->refused, 0);
	CHECK_EQ(w.got.queue_peak, 6);
	end();
}

/* More than is kept: what is told is of the last ones, and says so; and of what the module left out. */
static void bounded(void)
{
	struct tcpfsm_event *ev;
	unsigned int i;

	world(5);
	for (i = 0; i < 20000; i++) {
		tell_syn(i, BEGIN + i * MS, TCPFSM_VERDICT_QUEUED, 0);
		tell_established(i, BEGIN + i * MS + US);
		tell_accept(BEGIN + i * MS + 30 * US);
		w.head = w.tail = 0;
	}
	reading(BEGIN + 20 * SEC);
	CHECK(what_if("backlog=1")->part);
	CHECK(w.got.attempts > 10000 && w.got.attempts < 11000);
	CHECK_EQ(w.got.refused, 0);
	end();

	world(5);
	clients(60, BEGIN, 10 * US, MS, BEGIN + 60 * SEC);
	ev = event(TCPFSM_EVENT_LOST, 0, BEGIN + 60 * SEC);
	ev->suppressed = true;
	ev->lost = 7;
	ev->rec.verdict = TCPFSM_TYPE_SYN;
	tell(ev);
	reading(BEGIN + 60 * SEC);
	CHECK(what_if("backlog=64")->part);
	end();
}

/* A filter chooses listeners, and nothing came to others. */
static void chosen(void)
{
	world(5);
	w.filter.lport[w.filter.nlport++] = PORT + 1;
	tcpfsm_explain_free(w.x);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &(struct tcpfsm_explain_options) {
		.size = sizeof(struct tcpfsm_explain_options), .epoch_offset = OFFSET, .filter = &w.filter }), 0);
	clients(60, BEGIN, 10 * US, MS, BEGIN + 60 * SEC);
	reading(BEGIN + 60 * SEC);
	what_if("backlog=64");
	CHECK_EQ(w.ngot, 0);
	end();
	world(5);
	reading(BEGIN);
	what_if("backlog=64");
	CHECK_EQ(w.ngot, 0);
	what_if("ports=1-2");
	CHECK_EQ(w.ngot, 0);
	end();
}

static int keep(const struct tcpfsm_finding *f, void *arg)
{
	(void)arg;
	keep_finding(f);
	return 0;
}

/* The remedy names the backlog that would have done, and what a smaller one would have. */
static void remedies(void)
{
	uint64_t *v = w.v[1];

	world(5);
	w.v[0][TCPFSM_TOTAL_NOW_SINCE_TS] = v[TCPFSM_TOTAL_NOW_SINCE_TS] = BEGIN - 100 * SEC;
	v[TCPFSM_TOTAL_NOW_PLACE] = 1;
	clients(60, BEGIN, 10 * US, MS, BEGIN + 10 * SEC);
	v[TCPFSM_TOTAL_SYN] = 200;
	v[TCPFSM_TOTAL_SYN_QUEUED] = v[TCPFSM_TOTAL_COMPLETED] = v[TCPFSM_TOTAL_ACCEPTED] = w.tail;
	v[TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL] = 100;
	v[TCPFSM_TOTAL_ACCEPTQ_PEAK] = 6;
	v[TCPFSM_TOTAL_ACCEPTQ_PEAK_TS] = v[TCPFSM_TOTAL_REFUSED_FIRST_TS] = BEGIN + 60 * US;
	v[TCPFSM_TOTAL_REFUSED_LAST_TS] = BEGIN + 8 * SEC;
	v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS] = 30 * MS;
	v[TCPFSM_TOTAL_ACCEPT_US + 12] = w.tail;
	reading(BEGIN + 12 * SEC);
	CHECK_EQ(tcpfsm_explain_findings(w.x, w.ls, keep, NULL), 0);
	check_consistent();
	CHECK(first("acceptq_limit_small"));
	CHECK(says("acceptq_limit_small", "With a backlog of 64 instead of 5 none would have been, the longest wait 5"));
	CHECK(says("acceptq_limit_small", "; with 32, "));
	CHECK(says("acceptq_limit_small", "64 or more"));
	end();
}

/* ---- a destination --------------------------------------------------------------------- */

static struct tcpfsm_event *client_event(uint8_t type, unsigned int conn, uint64_t ts)
{
	struct tcpfsm_event *ev = event(type, 0, ts);

	ev->rec = (struct tcpfsm_record) {
		.ts = ts, .family = 4, .netns = NETNS, .conn = 5000 + conn, .rport = PORT,
		.lport = (uint16_t)(40000 + conn % 20), .laddr = { 10, 0, 0, 1 }, .raddr = { 10, 0, 0, 2 },
	};
	return ev;
}

static void tell_open(unsigned int conn, uint64_t ts)
{
	struct tcpfsm_event *ev = client_event(TCPFSM_EVENT_TRANSITION, conn, ts);

	ev->old_state = TCPFSM_STATE_CLOSE;
	ev->new_state = TCPFSM_STATE_SYN_SENT;
	tell(ev);
}

static void tell_time_wait(unsigned int conn, uint64_t ts, bool timestamps)
{
	struct tcpfsm_event *ev = client_event(TCPFSM_EVENT_TIMEWAIT, conn, ts);

	ev->rec.verdict = TCPFSM_TW_ENTER;
	ev->rec.old_state = ev->rec.new_state = TCPFSM_STATE_TIME_WAIT;
	ev->rec.flags = timestamps ? TCPFSM_F_TIMESTAMPS : 0;
	tell(ev);
}

static void tell_failed(unsigned int conn, uint64_t ts)
{
	struct tcpfsm_event *ev = client_event(TCPFSM_EVENT_CONNECT_FAILED, conn, ts);

	ev->rec.arg = EADDRNOTAVAIL;
	ev->rec.lport = 0;
	tell(ev);
}

/* n connections, one each 2 s and 1 s long, through 20 ports: each is in TIME_WAIT for a minute. */
static void opens(unsigned int n, bool timestamps)
{
	unsigned int i, held = 0;
	uint64_t birth[20];

	world(5);
	for (i = 0; i < n; i++) {
		uint64_t ts = BEGIN + i * 2 * SEC;

		while (held && ts - birth[0] >= 61 * SEC)
			memmove(birth, birth + 1, --held * sizeof(birth[0]));
		if (held == 20) {
			tell_failed(i, ts);
			continue;
		}
		tell_open(i, ts);
		tell_time_wait(i, ts + SEC, timestamps);
		birth[held++] = ts + SEC;
	}
	reading(BEGIN + n * 2 * SEC);
}

static void ports(void)
{
	const struct tcpfsm_what_if *wi;

	opens(100, true);
	wi = what_if("ports=40000-40019");
	CHECK_EQ(w.ngot, 1);
	CHECK_EQ(wi->attempts, 100);
	/* 20 in 40 s, and for 22 s none; three times. */
	CHECK_EQ(wi->failed_before, 33);
	CHECK_EQ(wi->failed, 33);
	CHECK_EQ(wi->ports_peak, 20);
	CHECK_EQ(wi->now, 20);
	CHECK(!wi->conn && wi->rport == PORT);
	/* 61 s of each, one each 2 s. */
	wi = what_if("ports=40000-40030");
	CHECK_EQ(wi->failed, 0);
	CHECK_EQ(wi->ports_peak, 31);
	CHECK_EQ(what_if("ports=40000-40029")->failed, 3);
	CHECK_EQ(what_if("ports=40000-40000")->failed, 96);
	end();
}

static void tw_reuse(void)
{
	opens(100, true);
	CHECK_EQ(what_if("tw_reuse=0")->failed, 33);
	CHECK_EQ(what_if("tw_reuse=1")->failed, 0);
	CHECK_EQ(w.got.now, 0);
	/* It is not the loopback. */
	CHECK_EQ(what_if("tw_reuse=2")->failed, 33);
	/* Not so soon: only what is older than 10 s. */
	w.v[0][TCPFSM_TOTAL_NOW_TW_REUSE_DELAY] = 10000;
	reading(BEGIN + 300 * SEC);
	CHECK_EQ(what_if("tw_reuse=1")->failed, 0);
	w.v[0][TCPFSM_TOTAL_NOW_TW_REUSE_DELAY] = 50000;
	reading(BEGIN + 301 * SEC);
	CHECK(what_if("tw_reuse=1")->failed > 10);
	end();
	/* Without timestamps it does nothing. */
	opens(100, false);
	CHECK_EQ(what_if("tw_reuse=1")->failed, 33);
	end();
}

/* It was there before: in TIME_WAIT for 40 s, or open. */
static void held_before(void)
{
	unsigned int i;

	world(5);
	for (i = 0; i < 20; i++) {
		struct tcpfsm_item it = { .rec = {
			.type = TCPFSM_TYPE_SOCKET, .ts = BEGIN, .family = 4, .netns = NETNS, .conn = 9000 + i,
			.rport = PORT, .lport = (uint16_t)(40000 + i), .laddr = { 10, 0, 0, 1 },
			.raddr = { 10, 0, 0, 2 }, .rcv = UINT32_MAX, .new_state = TCPFSM_STATE_ESTABLISHED,
		} };

		if (i >= 5) {
			it.rec.verdict = TCPFSM_TW_ENTER;
			it.rec.new_state = TCPFSM_STATE_TIME_WAIT;
			it.rec.rcv = 40000;
		}
		CHECK_EQ(tcpfsm_explain_item(w.x, &it), 0);
	}
	tell_failed(1, BEGIN + SEC);
	tell_failed(2, BEGIN + 2 * SEC);
	for (i = 3; i < 13; i++)
		tell_open(i, BEGIN + 21 * SEC + i * SEC);
	reading(BEGIN + 60 * SEC);
	CHECK_EQ(what_if("ports=40000-40019")->failed, 2);
	CHECK_EQ(w.got.attempts, 12);
	CHECK_EQ(what_if("ports=40000-40020")->failed, 1);
	CHECK_EQ(what_if("tw_reuse=1")->failed, 0);
	end();
}

/* ---- words ------------------------------------------------------------------------------ */

static void wrong_words(void)
{
	static const char * const wrong[] = {
		"", "backlog", "backlog=", "backlog=-1", "backlog=70000", "backlog=5x", "ports=5", "ports=5-",
		"ports=9-5", "ports=0-5", "ports=1-70000", "tw_reuse=3", "tw_reuse", "somaxconn=5", "=5", "back=5",
	};
	struct tcpfsm_setting s;
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *why = tcpfsm_setting_parse(&s, wrong[i]);

		CHECK(why && *why && !strchr(why, '\n'));
	}
	CHECK(!tcpfsm_setting_parse(&s, "ports=1024-65535"));
	CHECK_EQ(s.value, 1024);
	CHECK_EQ(s.high, 65535);
}

static void json(void)
{
	char buf[TCPFSM_WHAT_IF_JSON_MAX + 1];

	world(5);
	clients(60, BEGIN, 10 * US, MS, BEGIN + 60 * SEC);
	reading(BEGIN + 60 * SEC);
	buf[tcpfsm_what_if_json(what_if("backlog=64"), buf)] = '\0';
	CHECK(strstr(buf, "\"event\":\"what_if\",\"conn\":101,"));
	CHECK(strstr(buf, "\"setting\":\"backlog\",\"value\":64,\"now\":5,\"attempts\":60,\"refused_before\":53,"));
	CHECK(strstr(buf, "\"refused\":0,") && strstr(buf, "\"queue_peak\":59,"));
	end();
	opens(100, true);
	buf[tcpfsm_what_if_json(what_if("ports=1024-65535"), buf)] = '\0';
	CHECK(strstr(buf, "\"raddr\":\"10.0.0.2\",\"rport\":80,"));
	CHECK(strstr(buf, "\"setting\":\"ports\",\"value\":\"1024-65535\",\"now\":20,\"attempts\":100,"
			  "\"failed_before\":33,\"failed\":0,\"ports_peak\":31,"));
	end();
}

int main(void)
{
	TEST("replay: a burst under other limits", burst());
	TEST("replay: what is said of a limit is what it does", both_ways());
	TEST("replay: more arrive than are accepted", behind());
	TEST("replay: who is away comes back when he did", away());
	TEST("replay: the SYN queue has the same limit", syn_queue());
	TEST("replay: third ACKs are refused, too", third_ack());
	TEST("replay: the last ones are kept, which is told", bounded());
	TEST("replay: of what the filter lets through", chosen());
	TEST("replay: remedies name what would have done", remedies());
	TEST("replay: another range of ports", ports());
	TEST("replay: tcp_tw_reuse", tw_reuse());
	TEST("replay: ports that were taken before", held_before());
	TEST("replay: settings that are none", wrong_words());
	TEST("replay: JSON", json());
	return check_done();
}
