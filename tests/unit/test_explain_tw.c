// SPDX-License-Identifier: GPL-2.0-only
/* What explain says of ports and mini-sockets, from made-up events. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JSON_C
#include <json-c/json.h>
#endif

#include "check.h"
#include "explain/explain.h"
#include "findings.h"
#include "tcpfsm.h"

#define SEC		1000000000ULL
#define OFFSET		(1700000000 * (int64_t)SEC)
/* Monotonic: attached, and asked. */
#define START		(1000 * SEC)
#define NETNS		4026531840U
#define S(s)		TCPFSM_STATE_##s

static struct world {
	struct tcpfsm_listeners *ls;
	struct tcpfsm_explain *x;
	struct tcpfsm_filter filter;
	uint64_t v[TCPFSM_TOTAL_NUM];
	uint64_t now;			/* monotonic */
	uint64_t conn;
	uint32_t tw;
	const char *comm, *laddr, *raddr;
	uint16_t listens;		/* 0: peers open nothing */
	uint8_t flags;
} w;

#define NOW(s, value)	(w.v[TCPFSM_TOTAL_NOW_##s] = (value))

static void world(uint32_t low, uint32_t high)
{
	struct tcpfsm_explain_options opts = {
		.size = sizeof(opts), .epoch_offset = OFFSET, .filter = &w.filter,
		.own_netns = NETNS, .socket_bytes = 2304, .timewait_bytes = 256,
		.since = START + (uint64_t)OFFSET,
	};

	memset(&w, 0, sizeof(w));
	w.filter.size = sizeof(w.filter);
	w.now = START;
	w.comm = "nginx";
	w.laddr = "192.0.2.1";
	w.raddr = "192.0.2.2";
	w.flags = TCPFSM_F_TIMESTAMPS;
	NOW(SINCE_TS, SEC);
	NOW(TW_MAX, 131072);
	NOW(PORT_LOW, low);
	NOW(PORT_HIGH, high);
	NOW(PORTS, high - low + 1);
	NOW(TW_REUSE, 2);
	NOW(TIMESTAMPS, 1);
	NOW(FIN_TIMEOUT, 60);
	CHECK_EQ(tcpfsm_listeners_new(&w.ls), 0);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
}

static void item(const struct tcpfsm_item *it)
{
	CHECK_EQ(tcpfsm_listeners_item(w.ls, it), 0);
	CHECK_EQ(tcpfsm_explain_item(w.x, it), 0);
}

static void reading(void)
{
	struct tcpfsm_item it = { .rec = {
		.type = TCPFSM_TYPE_TOTAL, .ts = w.now, .netns = NETNS,
	} };
	uint32_t i;

	for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
		if (!w.v[i] && i != TCPFSM_TOTAL_NOW_SINCE_TS)
			continue;
		it.rec.rcv = i;
		it.rec.listener = w.v[i];
		item(&it);
	}
}

static struct tcpfsm_event event(uint8_t type, uint64_t conn)
{
	struct tcpfsm_event ev = {
		.type = type, .ts = w.now + (uint64_t)OFFSET, .dur_ns = -1,
		.rec = {
			.conn = conn, .netns = NETNS, .family = 4, .flags = w.flags,
			.lport = (uint16_t)(10000 + conn % 50000), .rport = 5555,
		},
	};

	if (strchr(w.raddr, ':')) {
		ev.rec.family = 6;
		inet_pton(AF_INET6, w.laddr, ev.rec.laddr);
		inet_pton(AF_INET6, w.raddr, ev.rec.raddr);
	} else {
		inet_pton(AF_INET, w.laddr, ev.rec.laddr);
		inet_pton(AF_INET, w.raddr, ev.rec.raddr);
	}
	if (w.listens)
		ev.rec.lport = w.listens;
	if (w.comm) {
		ev.has_owner = true;
		ev.pid = 77;
		strcpy(ev.comm, w.comm);
	}
	return ev;
}

static void feed(const struct tcpfsm_event *ev)
{
	CHECK_EQ(tcpfsm_explain_event(w.x, ev), 0);
}

static void transition(uint64_t conn, uint8_t old, uint8_t new, uint8_t cause)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TRANSITION, conn);

	ev.old_state = old;
	ev.new_state = new;
	ev.cause = cause;
	feed(&ev);
}

static void timewait(uint64_t conn, uint8_t action, uint8_t state)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, conn);

	w.v[TCPFSM_TOTAL_TW + action]++;
	if (action == TCPFSM_TW_ENTER)
		w.tw++;
	else if (action != TCPFSM_TW_DENIED)
		w.tw--;
	ev.old_state = ev.new_state = state;
	ev.rec.verdict = action;
	ev.rec.tw = w.tw;
	ev.rec.tw_max = (uint32_t)w.v[TCPFSM_TOTAL_NOW_TW_MAX];
	feed(&ev);
}

/* n connections that stay open; their numbers begin at what is returned. */
static uint64_t opened(unsigned int n)
{
	uint64_t from = w.conn + 1;

	while (n--)
		transition(++w.conn, S(CLOSE), S(SYN_SENT), TCPFSM_CAUSE_ACTIVE_OPEN);
	return from;
}

/* n connections, one each ns, that become mini-sockets; they end after 60 s. */
static void closed_as(unsigned int n, uint64_t ns, uint8_t state)
{
	static uint64_t born[1 << 20], ids[1 << 20];
	static unsigned int first, last;

	if (!w.tw)
		first = last = 0;
	while (n--) {
		w.now += ns;
		while (first < last && born[first] + 60 * SEC <= w.now)
			timewait(ids[first++], TCPFSM_TW_EXPIRE, state);
		timewait(++w.conn, TCPFSM_TW_ENTER, state);
		born[last] = w.now;
		ids[last++] = w.conn;
	}
}

static void closed(unsigned int n, uint64_t ns)
{
	closed_as(n, ns, S(TIME_WAIT));
}

static void failed(unsigned int n, uint64_t ns, uint16_t lport)
{
	while (n--) {
		struct tcpfsm_event ev;

		w.now += ns;
		ev = event(TCPFSM_EVENT_CONNECT_FAILED, 0);
		ev.rec.arg = EADDRNOTAVAIL;
		ev.rec.lport = lport;
		ev.rec.tw = w.tw;
		feed(&ev);
	}
}

static void check_json(const struct tcpfsm_finding *f)
{
	static char buf[TCPFSM_FINDING_JSON_MAX + 1];
	size_t len = tcpfsm_finding_json(f, buf);

	CHECK(len < TCPFSM_FINDING_JSON_MAX);
	buf[len] = '\0';
#ifdef HAVE_JSON_C
	json_object *o = json_tokener_parse(buf), *v = NULL;

	CHECK(o);
	CHECK(json_object_object_get_ex(o, "rport", &v));
	CHECK_EQ(json_object_get_int(v), f->rport);
	json_object_put(o);
#endif
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	(void)arg;
	check_json(f);
	keep_finding(f);
	return 0;
}

static void explain(void)
{
	reading();
	nfound = 0;
	CHECK_EQ(tcpfsm_explain_findings(w.x, w.ls, on_finding, NULL), 0);
	CHECK(nfound);
	check_consistent();
}

static void end(void)
{
	tcpfsm_explain_free(w.x);
	tcpfsm_listeners_free(w.ls);
}

/* In the order of its remedies a comes before b. */
static bool before(const char *name, const char *a, const char *b)
{
	const struct found *f = verdict(name);
	const char *x = f ? strstr(f->remedy, a) : NULL, *y = f ? strstr(f->remedy, b) : NULL;

	return x && y && x < y;
}

/* ---- ports --------------------------------------------------------------------------- */

static void test_exhausted(void)
{
	const struct found *f;

	world(40000, 40019);
	reading();
	closed(20, SEC / 4);
	failed(6, SEC / 2, 0);
	explain();
	CHECK(first("ports_exhausted"));
	f = &found[0];
	CHECK_EQ(f->f.severity, TCPFSM_SEVERITY_CRITICAL);
	CHECK_EQ(f->f.conn, 0);
	CHECK_EQ(f->f.rport, 5555);
	CHECK_EQ(f->f.lport, 0);
	CHECK_EQ(f->f.raddr[3], 2);
	CHECK(f->f.has_owner && f->f.pid == 77 && !strcmp(f->f.comm, "nginx"));
	CHECK(says("ports_exhausted", "connect() of nginx fails with EADDRNOTAVAIL"));
	CHECK(says("ports_exhausted", "192.0.2.1 to 192.0.2.2:5555"));
	CHECK(says("ports_exhausted", "6 connect() failed"));
	CHECK(says("ports_exhausted", "20 of 20 taken (100 %): 20 by TIME_WAIT, 0 by FIN_WAIT2, "
		   "0 by open"));
	CHECK(says("ports_exhausted", "who makes most of them: nginx (pid 77)"));
	CHECK(says("ports_exhausted", "this side in 20 of 20"));
	/* 20 that came and 6 that failed in 8 s: 3.25/s; 20 ports / 60 s. */
	CHECK(says("ports_exhausted", "allow 0.3/s; wanted are 3.2/s, which would take 195"));
	CHECK(says("ports_exhausted", "upstream { ... keepalive N; }"));
	CHECK(says("ports_exhausted", "Up to 64492 ports more, and 1075/s instead of 0.3/s"));
	CHECK(says("ports_exhausted", "TCP_TIMEWAIT_LEN"));
	CHECK(says("ports_exhausted", "tcp_tw_recycle is gone"));
	CHECK(says("ports_exhausted", "would help: of 20 in TIME_WAIT 20 can be reused"));
	/* 195 / 20 */
	CHECK(says("ports_exhausted", "10 are enough"));
	CHECK(before("ports_exhausted", "(1) Have nginx keep", "(2) Widen the range"));
	CHECK(before("ports_exhausted", "ip_local_port_range", "tcp_tw_reuse=1"));
	CHECK(!verdict("tw_harmless") && !verdict("ports_run_out") && !verdict("ports_open"));
	end();
}

/* Long over: the past tense, without a socket there. */
static void test_exhausted_once(void)
{
	unsigned int i;

	world(40000, 40019);
	reading();
	closed(20, SEC / 4);
	failed(1, SEC, 0);
	w.now += 70 * SEC;
	for (i = 1; i <= 20; i++)
		timewait(i, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	explain();
	CHECK(first("ports_exhausted"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(says("ports_exhausted", "nginx failed with"));
	CHECK(says("ports_exhausted", "when it failed last, 20 of 20 ports were taken: 20 by mini-sockets"));
	end();

	/* Before anybody attached: the ledger has no group for it any more. */
	world(40000, 40019);
	reading();
	w.now = START - 100 * SEC;
	closed(20, SEC / 4);
	failed(1, SEC, 0);
	w.now = START;
	for (i = 1; i <= 20; i++)
		timewait(i, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	w.now = START + 3 * SEC;
	explain();
	CHECK(first("ports_exhausted"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK_EQ(found[0].f.rport, 5555);
	end();
}

static void test_wide(void)
{
	/* 28232 ports, all taken within 50 s: tcp_tw_reuse allows more than the full range. */
	world(32768, 60999);
	reading();
	closed(28232, SEC / 600);
	failed(10, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(before("ports_exhausted", "tcp_tw_reuse=1", "ip_local_port_range"));
	CHECK(says("ports_exhausted", "up to 28232/s instead of 471/s"));
	/* Those of the last second. */
	CHECK(!strstr(found[0].all, " 0 are younger"));
	end();

	/* A sysctl of Linux 6.14: tcp_tw_reuse allows the more, the less it is. */
	world(32768, 60999);
	NOW(TW_REUSE_DELAY, 250);
	reading();
	closed(28232, SEC / 600);
	failed(10, SEC / 100, 0);
	explain();
	CHECK(says("ports_exhausted", "up to 112928/s instead of 471/s"));
	CHECK(says("ports_exhausted", "is older than net.ipv4.tcp_tw_reuse_delay (250 ms), if"));
	CHECK(says("ports_exhausted", "about once in 250 ms"));
	CHECK(says("ports_exhausted", "are younger than net.ipv4.tcp_tw_reuse_delay (250 ms)"));
	CHECK(!strstr(found[0].all, "a second"));
	end();
	world(40000, 40999);
	NOW(TW_REUSE_DELAY, 60000);
	reading();
	closed(1000, SEC / 20);
	failed(10, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(!strstr(found[0].remedy, "tcp_tw_reuse"));
	end();

	/* No timestamps: no advice to reuse. */
	world(32768, 60999);
	w.flags = 0;
	reading();
	closed(28232, SEC / 600);
	failed(10, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(!strstr(found[0].remedy, "tcp_tw_reuse"));
	CHECK(says("ports_exhausted", "would not help, as none could be taken now: of 28232"));
	CHECK(says("ports_exhausted", "28232 have no timestamps"));
	end();

	/* The range is as wide as can be: no advice to widen it. */
	world(1024, 65535);
	reading();
	closed(64512, SEC / 2000);
	failed(10, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(!strstr(found[0].remedy, "ip_local_port_range"));
	end();
}

/* A recording without these totals: nothing is said of what is not known. */
static void test_not_known(void)
{
	world(40000, 40019);
	memset(&w.v[TCPFSM_TOTAL_NOW_PORT_LOW], 0, 16 * sizeof(w.v[0]));
	reading();
	closed(20, SEC / 4);
	failed(6, SEC / 2, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(says("ports_exhausted", "how many there are is not known"));
	CHECK(!strstr(found[0].all, "tcp_tw_reuse") && !strstr(found[0].all, "tcp_timestamps"));
	CHECK(!strstr(found[0].all, "ip_local_port_range"));
	end();
}

/* The default covers loopback already. */
static void test_loopback(void)
{
	world(40000, 40019);
	w.laddr = w.raddr = "127.0.0.1";
	reading();
	closed(20, SEC / 100);
	failed(6, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(says("ports_exhausted", "(2: for loopback only) is on for this destination"));
	CHECK(!strstr(found[0].remedy, "tcp_tw_reuse"));
	end();

	world(40000, 40019);
	w.laddr = w.raddr = "::1";
	reading();
	closed(20, SEC / 100);
	failed(6, SEC / 100, 0);
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(says("ports_exhausted", "[::1] to [::1]:5555"));
	CHECK(says("ports_exhausted", "is on for this destination"));
	end();
}

/* TIME_WAIT is not to blame. */
static void test_open(void)
{
	world(40000, 40019);
	reading();
	opened(17);
	closed(3, SEC);
	failed(5, SEC / 10, 0);
	explain();
	CHECK(first("ports_open"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_CRITICAL);
	CHECK(says("ports_open", "TIME_WAIT is not to blame"));
	CHECK(says("ports_open", "3 by TIME_WAIT, 0 by FIN_WAIT2, 17 by open"));
	CHECK(!verdict("ports_exhausted"));
	CHECK(!strstr(found[0].remedy, "tcp_tw_reuse"));
	end();
}

/* It failed before anybody attached, and they still are open. */
static void test_open_before(void)
{
	world(40000, 40019);
	reading();
	w.now = START - 20 * SEC;
	opened(20);
	failed(5, SEC / 10, 0);
	w.now = START + 3 * SEC;
	explain();
	CHECK(first("ports_open"));
	CHECK(says("ports_open", "0 by TIME_WAIT, 0 by FIN_WAIT2, 20 by open"));
	end();
}

/* There are ports enough. */
static void test_taken(void)
{
	world(32768, 60999);
	reading();
	opened(1);
	closed(300, SEC / 100);
	failed(5, SEC / 10, 40000);
	explain();
	CHECK(first("port_taken"));
	CHECK(says("port_taken", "leave the choice"));
	CHECK(!verdict("ports_exhausted") && !verdict("ports_open"));
	end();

	world(32768, 60999);
	reading();
	closed(300, SEC / 100);
	failed(5, SEC / 10, 0);
	explain();
	CHECK(first("port_taken"));
	CHECK(says("port_taken", "TIME_WAIT has not taken the ports"));
	CHECK(says("port_taken", "ss -tanp"));
	end();

	/* Mini-sockets from before the snapshot, which are gone: nobody knows whose ports they had. */
	world(40000, 40019);
	reading();
	w.tw = 20;
	failed(1, SEC / 10, 0);
	w.tw = 0;
	w.now += 60 * SEC;
	opened(1);
	explain();
	CHECK(first("not_judged"));
	CHECK(says("not_judged", "what had the ports was not seen"));
	CHECK(!verdict("port_taken"));
	end();
}

static void test_run_out(void)
{
	/* 600/s for 20 s: 12000 of 28232, which allow 471/s. */
	world(32768, 60999);
	reading();
	closed(12000, SEC / 600);
	explain();
	CHECK(first("ports_run_out"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK_EQ(found[0].f.rport, 5555);
	CHECK(says("ports_run_out", "In 27 s the ports"));
	CHECK(says("ports_run_out", "allow 471/s; wanted are 600/s"));
	CHECK(!verdict("tw_harmless") && !verdict("nothing_wrong"));
	end();

	/* Less than a quarter of them, but there is no time left. */
	world(40000, 40999);
	reading();
	closed(240, SEC / 40);
	explain();
	CHECK(first("ports_run_out"));
	CHECK(says("ports_run_out", "In 19 s the ports"));
	end();

	/* A burst of two seconds, which has been over for four: it does not go on. */
	world(40000, 40999);
	reading();
	closed(240, SEC / 120);
	explain();
	CHECK(first("ports_run_out"));
	w.now += 4 * SEC;
	explain();
	CHECK(!verdict("ports_run_out"));
	end();

	/* 400/s are sustained for ever. */
	world(32768, 60999);
	reading();
	closed(8000, SEC / 400);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(verdict("tw_harmless"));
	CHECK(says("tw_harmless", "allow 471/s; 400/s are wanted"));
	end();

	/* tcp_tw_reuse is on, and has much to take. */
	world(32768, 60999);
	NOW(TW_REUSE, 1);
	reading();
	closed(12000, SEC / 600);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(!verdict("ports_run_out"));
	end();

	/* A burst of three seconds is no rate, and nothing to call harmless. */
	world(32768, 60999);
	reading();
	closed(3000, SEC / 1000);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(nfound, 1);
	end();
}

/* ---- mini-sockets -------------------------------------------------------------------- */

static void test_harmless(void)
{
	/* 5/s for a minute: what tw-proxy does. */
	world(32768, 60999);
	reading();
	closed(400, SEC / 5);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "nobody listens"));
	CHECK(says("nothing_wrong", "300 of 131072"));
	CHECK(says("tw_harmless", "300 of 28232 ports (1.1 %)"));
	CHECK(says("tw_harmless", "256 bytes each, 75 KiB in all"));
	CHECK(says("tw_harmless", "made by nginx (pid 77)"));
	end();

	/* All have gone. */
	world(32768, 60999);
	reading();
	closed(1, SEC);
	w.now += 60 * SEC;
	timewait(w.conn, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "0 of 131072 mini-sockets, 1 since"));
	end();

	/* Too few to speak of. */
	world(32768, 60999);
	reading();
	closed(100, SEC / 100);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(nfound, 1);
	end();

	/* A server that closes first: 20000 of them cost no port. */
	world(32768, 60999);
	reading();
	w.listens = 80;
	transition(++w.conn, S(CLOSE), S(LISTEN), TCPFSM_CAUSE_PASSIVE_OPEN);
	closed(20000, SEC / 1000);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("tw_harmless", "20000 are of connections that peers opened"));
	CHECK(!verdict("ports_run_out"));
	end();
}

static void test_nothing(void)
{
	world(32768, 60999);
	reading();
	w.now += 3 * SEC;
	explain();
	CHECK(first("no_listener"));
	CHECK_EQ(nfound, 1);
	end();

	world(32768, 60999);
	reading();
	closed(10, SEC / 10);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(nfound, 1);
	end();
}

static void test_bucket(void)
{
	unsigned int i;

	world(32768, 60999);
	NOW(TW_MAX, 5);
	reading();
	closed(5, SEC / 10);
	for (i = 0; i < 15; i++) {
		w.now += SEC / 10;
		timewait(++w.conn, TCPFSM_TW_DENIED, S(FIN_WAIT2));
	}
	explain();
	CHECK(first("tw_bucket_limit"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(says("tw_bucket_limit", "is reached: 15 connections"));
	CHECK(says("tw_bucket_limit", "there were 5 mini-sockets"));
	CHECK(says("tw_bucket_limit", "5 of 5 that"));
	CHECK(says("tw_bucket_limit", "whose: nginx, pid 77"));
	CHECK(says("tw_bucket_limit", "gets an RST"));
	CHECK(says("tw_bucket_limit", "tcp_max_tw_buckets=1024"));
	CHECK(says("tw_bucket_limit", "256 bytes"));
	CHECK(!verdict("tw_bucket_fills") && !verdict("nothing_wrong"));
	end();

	/* Long ago. */
	world(32768, 60999);
	NOW(TW_MAX, 1000);
	w.v[TCPFSM_TOTAL_TW + TCPFSM_TW_DENIED] = 3;
	reading();
	w.now += 3 * SEC;
	explain();
	CHECK(first("tw_bucket_limit"));
	CHECK(says("tw_bucket_limit", "was reached: 3 connections were"));
	end();

	/* No memory, far from the limit. */
	world(32768, 60999);
	reading();
	closed(5, SEC / 10);
	timewait(++w.conn, TCPFSM_TW_DENIED, S(TIME_WAIT));
	explain();
	CHECK(says("tw_bucket_limit", "no memory"));
	CHECK(!strstr(found[0].remedy, "tcp_max_tw_buckets="));
	end();
}

static void test_bucket_fills(void)
{
	world(32768, 60999);
	w.listens = 80;
	NOW(TW_MAX, 8192);
	reading();
	transition(++w.conn, S(CLOSE), S(LISTEN), TCPFSM_CAUSE_PASSIVE_OPEN);
	closed(4000, SEC / 200);
	explain();
	CHECK(first("tw_bucket_fills"));
	CHECK(says("tw_bucket_fills", "reached in 21 s"));
	CHECK(says("tw_bucket_fills", "settle at 12"));
	CHECK(says("tw_bucket_fills", "tcp_max_tw_buckets=16384"));
	CHECK(!verdict("ports_run_out") && !verdict("tw_harmless"));
	end();

	/* It settles below. */
	world(32768, 60999);
	w.listens = 80;
	NOW(TW_MAX, 8192);
	reading();
	transition(++w.conn, S(CLOSE), S(LISTEN), TCPFSM_CAUSE_PASSIVE_OPEN);
	closed(4000, SEC / 100);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(!verdict("tw_bucket_fills"));
	end();
}

static void test_reset(void)
{
	unsigned int i;

	world(32768, 60999);
	reading();
	closed(30, SEC / 100);
	for (i = 1; i <= 12; i++) {
		timewait(i, TCPFSM_TW_KILL, S(TIME_WAIT));
		transition(i, S(TIME_WAIT), S(CLOSE), TCPFSM_CAUSE_RCV_RST);
	}
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("tw_reset", "RFC 1337): 12 of 30"));
	CHECK(says("tw_reset", "tcp_rfc1337=1"));
	end();

	/* A stray one. */
	world(32768, 60999);
	reading();
	closed(30, SEC / 100);
	timewait(1, TCPFSM_TW_KILL, S(TIME_WAIT));
	transition(1, S(TIME_WAIT), S(CLOSE), TCPFSM_CAUSE_RCV_RST);
	explain();
	CHECK_EQ(nfound, 1);
	CHECK(first("nothing_wrong"));
	end();
}

static void test_fin_wait2(void)
{
	world(32768, 60999);
	reading();
	closed_as(300, SEC / 10, S(FIN_WAIT2));
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("fin_wait2", "192.0.2.1 to 192.0.2.2:5555 does not close its side: 300"));
	CHECK(says("fin_wait2", "tcp_fin_timeout (60 s)"));
	CHECK(says("fin_wait2", "who makes most of them: nginx"));
	CHECK_EQ(verdict("fin_wait2")->f.severity, TCPFSM_SEVERITY_INFO);
	end();

	/* 1000 a second whose FIN comes after 100 ms: they have just begun. */
	world(32768, 60999);
	reading();
	closed_as(110, SEC / 1000, S(FIN_WAIT2));
	explain();
	CHECK(!verdict("fin_wait2"));
	end();
}

/* ---- all of it ----------------------------------------------------------------------- */


/* A name is not to be trusted, and there may be many destinations. */
static void test_hostile(void)
{
	char addr[32];
	unsigned int i, n = 0;

	world(40000, 40000);
	w.comm = "\033[31m\"evil\\\n";
	reading();
	for (i = 0; i < 40; i++) {
		snprintf(addr, sizeof(addr), "192.0.3.%u", i);
		w.raddr = addr;
		closed(1, SEC / 100);
		failed(2, SEC / 100, 0);
	}
	explain();
	CHECK(first("ports_exhausted"));
	CHECK(!strchr(found[0].all, '\033'));
	for (i = 0; i < nfound; i++)
		n += !strcmp(found[i].verdict, "ports_exhausted");
	CHECK_EQ(n, 1);
	for (i = 0; i < nfound; i++)
		if (strstr(found[i].all, "the same of 39 more: 192.0.3."))
			break;
	CHECK(i < nfound);
	end();
}

static void test_any(void)
{
	uint64_t r = 1;
	unsigned int i, k;

	any_numbers = true;
	for (k = 0; k < 30; k++) {
		world(40000, 40000 + k);
		for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
			r = r * 6364136223846793005ULL + 1442695040888963407ULL;
			w.v[i] = r >> (r >> 58);
		}
		reading();
		closed_as(k, SEC / 3, k % 2 ? S(FIN_WAIT2) : S(TIME_WAIT));
		failed(k % 3, SEC, (uint16_t)(k % 5));
		explain();
		end();
	}
	any_numbers = false;
}

int main(void)
{
	TEST("explain: TIME_WAIT has taken the ports", test_exhausted());
	TEST("explain: TIME_WAIT had taken the ports", test_exhausted_once());
	TEST("explain: the order of remedies, and those that would not help", test_wide());
	TEST("explain: ports and sysctls that are not known", test_not_known());
	TEST("explain: tcp_tw_reuse and loopback", test_loopback());
	TEST("explain: open connections have taken the ports", test_open());
	TEST("explain: open connections had taken the ports before", test_open_before());
	TEST("explain: connect() fails though there are ports", test_taken());
	TEST("explain: ports will run out", test_run_out());
	TEST("explain: TIME_WAIT that does no harm", test_harmless());
	TEST("explain: nothing wrong without a listener", test_nothing());
	TEST("explain: tcp_max_tw_buckets", test_bucket());
	TEST("explain: tcp_max_tw_buckets will be reached", test_bucket_fills());
	TEST("explain: RFC 1337", test_reset());
	TEST("explain: FIN_WAIT2", test_fin_wait2());
	TEST("explain: many destinations, a hostile name", test_hostile());
	TEST("explain: mini-sockets, any numbers", test_any());
	return check_done();
}
