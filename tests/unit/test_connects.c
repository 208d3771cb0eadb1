// SPDX-License-Identifier: GPL-2.0-only
/* Who connects where: what becomes of events, and what it costs. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <malloc.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

#define S(s)	TCPFSM_STATE_##s
#define C(c)	TCPFSM_CAUSE_##c
#define MS	1000000

static struct tcpfsm_connects *c;
static uint64_t now = 1000000000;
static int err;

static void begin(const struct tcpfsm_connects_options *opts)
{
	const struct tcpfsm_connects_options none = { .size = sizeof(none) };

	err = tcpfsm_connects_new(&c, opts ? opts : &none);
}

static struct tcpfsm_event event(uint8_t type, uint64_t conn, const char *to, uint16_t port, uint32_t pid)
{
	struct tcpfsm_event ev = { .type = type, .ts = now += 1000, .has_owner = pid, .pid = pid, .dur_ns = -1 };

	ev.rec.conn = conn;
	ev.rec.netns = 4026531840U;
	ev.rec.lport = (uint16_t)(32768 + conn % 28232);
	ev.rec.rport = port;
	ev.rec.family = strchr(to, ':') ? 6 : 4;
	inet_pton(ev.rec.family == 6 ? AF_INET6 : AF_INET, to, ev.rec.raddr);
	snprintf(ev.comm, sizeof(ev.comm), "app%u", pid);
	return ev;
}

static void feed(const struct tcpfsm_event *ev)
{
	err |= tcpfsm_connects_event(c, ev);
}

static void move(uint64_t conn, const char *to, uint8_t old, uint8_t new, uint8_t cause, int64_t dur)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TRANSITION, conn, to, 443, old == S(CLOSE) ? 7 : 0);

	ev.old_state = old;
	ev.new_state = new;
	ev.cause = cause;
	ev.dur_ns = dur;
	feed(&ev);
}

static void open_to(uint64_t conn, const char *to)
{
	move(conn, to, S(CLOSE), S(SYN_SENT), C(ACTIVE_OPEN), -1);
}

static void established(uint64_t conn, const char *to, int64_t dur)
{
	open_to(conn, to);
	move(conn, to, S(SYN_SENT), S(ESTABLISHED), C(RCV_SYNACK), dur);
}

static void failed(uint64_t conn, const char *to, int why)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_CONNECT_FAILED, conn, to, 443, 7);

	ev.old_state = S(CLOSE);
	ev.rec.arg = (uint8_t)why;
	feed(&ev);
}

static void into_timewait(uint64_t conn, const char *to, uint8_t closer)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, conn, to, 443, 0);

	ev.rec.verdict = TCPFSM_TW_ENTER;
	ev.closer = closer;
	feed(&ev);
}

static void syn_again(uint64_t conn, const char *to)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_RETRANSMIT, conn, to, 443, 0);

	ev.rec.verdict = TCPFSM_SEGMENT_SYN;
	feed(&ev);
}

#define ROWS	64
static struct tcpfsm_connect rows[ROWS];
static unsigned int nrows;

static int on_row(const struct tcpfsm_connect *row, void *arg)
{
	(void)arg;
	if (nrows < ROWS)
		rows[nrows] = *row;
	nrows++;
	return 0;
}

static void read_by(enum tcpfsm_connect_by by, enum tcpfsm_connect_sort sort, size_t max)
{
	memset(rows, 0, sizeof(rows));
	nrows = 0;
	err |= tcpfsm_connects_each(c, by, sort, now, max, NULL, on_row, NULL);
}

/* No number that cannot be. */
static void check_rows(void)
{
	unsigned int i, k;

	for (i = 0; i < nrows && i < ROWS; i++) {
		const struct tcpfsm_connect_counts *n = &rows[i].total;
		uint64_t by = 0, samples = tcpfsm_totals_sum(n->handshake_us, 0, TCPFSM_TOTAL_BUCKETS);

		for (k = 0; k < TCPFSM_CONNECT_ERRORS; k++)
			by += n->by_errno[k];
		CHECK_EQ(by, n->failed);
		CHECK(n->established + n->failed + n->given_up <= n->attempts);
		CHECK(n->attempts <= n->established + n->failed + n->given_up + rows[i].progress);
		CHECK(samples <= n->established && n->resets <= n->closed[0] + n->closed[1] + n->closed[2] + n->closed[3]);
		CHECK(n->closed[0] + n->closed[1] + n->closed[2] + n->closed[3] + rows[i].live >= n->established);
	}
}

static uint64_t by_errno(const struct tcpfsm_connect *row, int why)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_CONNECT_ERRORS; i++)
		if (tcpfsm_connect_errno(i) == why)
			return row->total.by_errno[i];
	return UINT64_MAX;
}

static void test_outcomes(void)
{
	begin(NULL);
	established(1, "10.0.0.1", 2 * MS);
	established(2, "10.0.0.1", 2 * MS);
	move(1, "10.0.0.1", S(ESTABLISHED), S(FIN_WAIT1), C(CLOSE), MS);
	into_timewait(1, "10.0.0.1", TCPFSM_CLOSER_LOCAL);
	/* TIME_WAIT is over: of a connection that is live no more. */
	move(1, "10.0.0.1", S(TIME_WAIT), S(CLOSE), C(2MSL), MS);
	established(3, "10.0.0.1", 2 * MS);
	move(3, "10.0.0.1", S(ESTABLISHED), S(CLOSE_WAIT), C(RCV_FIN), MS);
	move(3, "10.0.0.1", S(CLOSE_WAIT), S(LAST_ACK), C(CLOSE), MS);
	move(3, "10.0.0.1", S(LAST_ACK), S(CLOSE), C(RCV_ACK_OF_FIN), MS);
	established(4, "10.0.0.1", 2 * MS);
	move(4, "10.0.0.1", S(ESTABLISHED), S(CLOSE), C(RCV_RST), MS);
	open_to(5, "10.0.0.1");			/* under way, slowly */
	syn_again(5, "10.0.0.1");
	syn_again(5, "10.0.0.1");
	open_to(6, "10.0.0.1");			/* refused: the state first, why then */
	move(6, "10.0.0.1", S(SYN_SENT), S(CLOSE), C(RCV_RST), MS);
	failed(6, "10.0.0.1", ECONNREFUSED);
	open_to(7, "10.0.0.1");			/* the other way round */
	failed(7, "10.0.0.1", ETIMEDOUT);
	move(7, "10.0.0.1", S(SYN_SENT), S(CLOSE), C(TIMEOUT), MS);
	failed(0, "10.0.0.1", EADDRNOTAVAIL);	/* before there was a SYN */
	failed(0, "10.0.0.1", EAFNOSUPPORT);
	open_to(8, "10.0.0.1");			/* closed by its process */
	move(8, "10.0.0.1", S(SYN_SENT), S(CLOSE), C(CLOSE), MS);

	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_ATTEMPTS, 10);
	CHECK_EQ(err, 0);
	CHECK_EQ(nrows, 1);
	check_rows();
	CHECK(rows[0].has_owner && rows[0].pid == 7 && !strcmp(rows[0].comm, "app7"));
	CHECK(rows[0].rport == 443 && rows[0].family == 4 && rows[0].bits == 32);
	CHECK_EQ(rows[0].total.attempts, 10);
	CHECK_EQ(rows[0].total.established, 4);
	CHECK_EQ(rows[0].progress, 1);
	CHECK_EQ(rows[0].live, 1);
	CHECK_EQ(rows[0].total.failed, 4);
	CHECK_EQ(by_errno(&rows[0], ECONNREFUSED), 1);
	CHECK_EQ(by_errno(&rows[0], ETIMEDOUT), 1);
	CHECK_EQ(by_errno(&rows[0], EADDRNOTAVAIL), 1);
	CHECK_EQ(by_errno(&rows[0], 0), 1);
	CHECK_EQ(rows[0].total.given_up, 1);
	CHECK_EQ(rows[0].total.resent, 2);
	CHECK_EQ(rows[0].total.resets, 1);
	CHECK_EQ(rows[0].total.closed[TCPFSM_CLOSER_LOCAL], 1);
	CHECK_EQ(rows[0].total.closed[TCPFSM_CLOSER_REMOTE], 2);
	CHECK_EQ(rows[0].total.handshake_us[11], 4);
	CHECK(tcpfsm_histogram_quantile(rows[0].total.handshake_us, 0.99) >= 1024 &&
	      tcpfsm_histogram_quantile(rows[0].total.handshake_us, 0.99) < 2048);
	tcpfsm_connects_free(c);
}

/* What began before anything was heard of it, and what losses hide. */
static void test_middles(void)
{
	begin(NULL);
	/* In SYN_SENT since before. */
	move(1, "10.0.0.1", S(SYN_SENT), S(ESTABLISHED), C(RCV_SYNACK), -1);
	move(2, "10.0.0.1", S(SYN_SENT), S(CLOSE), C(TIMEOUT), -1);
	failed(2, "10.0.0.1", ETIMEDOUT);
	/* Nothing says who opened it. */
	move(3, "10.0.0.1", S(ESTABLISHED), S(CLOSE_WAIT), C(RCV_FIN), -1);
	/* It came to be ESTABLISHED while records were lost. */
	open_to(4, "10.0.0.1");
	into_timewait(4, "10.0.0.1", TCPFSM_CLOSER_LOCAL);
	/* Its end was lost, and its cookie is not given again: but a socket may connect again. */
	open_to(5, "10.0.0.1");
	established(5, "10.0.0.1", MS);
	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_FAILED, 10);
	CHECK_EQ(nrows, 2);
	/* Those that nobody is known of are a row of their own. */
	CHECK(!rows[0].has_owner && rows[0].total.attempts == 2 && rows[0].total.failed == 1 &&
	      rows[0].total.established == 1 && rows[0].live == 1);
	CHECK(rows[1].total.established == 2 && rows[1].live == 1 && !rows[1].progress);
	tcpfsm_connects_free(c);
}

static void socket_item(uint64_t conn, uint8_t state, uint16_t lport, uint8_t mark)
{
	struct tcpfsm_event ev = event(0, conn, "10.0.0.1", 443, 0);
	struct tcpfsm_item item = { .rec = ev.rec };

	item.rec.type = TCPFSM_TYPE_SOCKET;
	item.rec.ts = now;
	item.rec.new_state = state;
	item.rec.lport = lport;
	item.rec.rcv = UINT32_MAX;
	item.rec.snd = mark;
	if (!conn)
		item.rec.netns = 0;
	err |= tcpfsm_connects_item(c, &item);
}

static void test_sockets(void)
{
	begin(NULL);
	socket_item(1, S(ESTABLISHED), 40000, 0);
	socket_item(2, S(SYN_SENT), 40001, 0);
	socket_item(3, S(LISTEN), 80, 0);
	socket_item(4, S(TIME_WAIT), 40002, 0);
	read_by(TCPFSM_CONNECT_BY_HOST, TCPFSM_CONNECT_SORT_LIVE, 10);
	CHECK_EQ(nrows, 1);
	CHECK(rows[0].live == 1 && rows[0].progress == 1 && !rows[0].total.attempts);
	move(2, "10.0.0.1", S(SYN_SENT), S(ESTABLISHED), C(RCV_SYNACK), MS);
	read_by(TCPFSM_CONNECT_BY_HOST, TCPFSM_CONNECT_SORT_LIVE, 10);
	CHECK(rows[0].live == 2 && rows[0].total.attempts == 1 && rows[0].total.established == 1);
	/* After a loss: 1 has gone, 5 is there. */
	socket_item(0, 0, 0, TCPFSM_RESYNC_BEGIN);
	socket_item(2, S(ESTABLISHED), 40001, 0);
	socket_item(5, S(ESTABLISHED), 40003, 0);
	socket_item(0, 0, 0, TCPFSM_RESYNC_END);
	read_by(TCPFSM_CONNECT_BY_HOST, TCPFSM_CONNECT_SORT_LIVE, 10);
	CHECK_EQ(rows[0].live, 2);
	tcpfsm_connects_free(c);
}

static void test_sums(void)
{
	char to[64];
	unsigned int i;

	begin(NULL);
	for (i = 0; i < 30; i++) {
		snprintf(to, sizeof(to), "10.0.%u.%u", i % 3, i / 3 + 1);
		established(100 + i, to, MS << i % 3);
	}
	established(200, "2001:db8::1", MS);
	established(201, "2001:db8::2", MS);
	established(202, "2001:db8:0:1::2", MS);
	read_by(TCPFSM_CONNECT_BY_HOST, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK_EQ(nrows, 33);
	read_by(TCPFSM_CONNECT_BY_NET, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK_EQ(nrows, 5);
	CHECK(rows[0].total.attempts == 10 && rows[0].rows == 10 && rows[0].bits == 24 && !rows[0].raddr[3]);
	CHECK(rows[3].total.attempts == 2 && rows[3].bits == 64 && !rows[3].raddr[15]);
	read_by(TCPFSM_CONNECT_BY_NET, TCPFSM_CONNECT_SORT_SLOW, 1);
	CHECK_EQ(nrows, 2);
	CHECK(rows[0].raddr[2] == 2 && rows[1].rest && rows[1].total.attempts == 23 && rows[1].rows == 23);
	read_by(TCPFSM_CONNECT_BY_PORT, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK(nrows == 1 && rows[0].rport == 443 && rows[0].total.attempts == 33 && rows[0].live == 33);
	read_by(TCPFSM_CONNECT_BY_PROCESS, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK(nrows == 1 && rows[0].pid == 7 && rows[0].total.attempts == 33);
	read_by(TCPFSM_CONNECT_BY_CONTAINER, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK(nrows == 1 && !rows[0].container && rows[0].total.attempts == 33);
	check_rows();
	/* Since the mark. */
	tcpfsm_connects_mark(c, now);
	established(300, "10.0.0.1", MS);
	now += 1000 * MS;
	read_by(TCPFSM_CONNECT_BY_PORT, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK(rows[0].total.attempts == 34 && rows[0].recent.attempts == 1 && rows[0].seconds > 0.99);
	tcpfsm_connects_free(c);
}

static void test_filter(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f) }, g = f;
	const struct tcpfsm_connects_options o = { .size = sizeof(o), .filter = &f };

	CHECK(!tcpfsm_filter_parse(&f, "dst 10.0.0.0/8 and not state established", NULL, 0));
	begin(&o);
	established(1, "10.0.0.1", MS);
	established(2, "11.0.0.1", MS);
	established(3, "10.0.0.2", MS);
	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_ATTEMPTS, 10);
	CHECK(nrows == 2 && rows[0].total.established == 1 && rows[0].live == 1);
	CHECK(!tcpfsm_filter_parse(&g, "dst 10.0.0.2 and comm app7", NULL, 0));
	nrows = 0;
	err |= tcpfsm_connects_each(c, TCPFSM_CONNECT_BY_PORT, TCPFSM_CONNECT_SORT_ATTEMPTS, now, 10, &g, on_row, NULL);
	CHECK(nrows == 1 && rows[0].total.attempts == 1);
	tcpfsm_connects_free(c);
}

/* More destinations than there are places: the rest has them, and what is idle gives its place up. */
static void test_bounds(void)
{
	const struct tcpfsm_connects_options o = { .size = sizeof(o), .max_rows = 8, .max_sockets = 16 };
	uint64_t lost, untold;
	char to[64];
	unsigned int i;

	begin(&o);
	for (i = 0; i < 20; i++) {
		snprintf(to, sizeof(to), "10.0.0.%u", i + 1);
		established(1 + i, to, MS);
	}
	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK_EQ(nrows, 9);
	CHECK(rows[8].rest && rows[8].total.attempts == 12);
	tcpfsm_connects_uncertain(c, &lost, &untold);
	CHECK_EQ(untold, 4);
	for (i = 0; i < 8; i++)
		move(1 + i, "10.0.0.1", S(ESTABLISHED), S(CLOSE), C(RCV_RST), MS);
	now += 61ULL * 1000 * MS;
	established(100, "10.9.9.9", MS);
	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_LIVE, 100);
	CHECK_EQ(nrows, 2);
	CHECK(rows[0].raddr[1] == 9 && rows[1].rest && rows[1].total.attempts == 20 && rows[1].total.resets == 8);
	tcpfsm_connects_free(c);
}

/* Another network namespace has the inode now. */
static void test_netns(void)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_NETNS, 0, "0.0.0.0", 0, 0);

	begin(NULL);
	established(1, "10.0.0.1", MS);
	feed(&ev);
	read_by(TCPFSM_CONNECT_BY_DESTINATION, TCPFSM_CONNECT_SORT_ATTEMPTS, 100);
	CHECK_EQ(nrows, 0);
	tcpfsm_connects_free(c);
}

static size_t rss(void)
{
	char line[256];
	size_t kb = 0;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %zu kB", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb / 1024;
}

/* A million connections, the ledger's part of them too. */
static void test_million(void)
{
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw) };
	struct tcpfsm_connects_options o = { .size = sizeof(o) };
	size_t before = rss(), used;
	struct tcpfsm_timewaits *t;
	char to[64];
	uint32_t i;

	err |= tcpfsm_timewaits_new(&t, &tw);
	o.ledger = t;
	begin(&o);
	for (i = 0; i < 1000000; i++) {
		struct tcpfsm_event ev;

		snprintf(to, sizeof(to), "10.%u.%u.%u", i % 7, i / 256 % 256, i % 251);
		ev = event(TCPFSM_EVENT_TRANSITION, i + 1, to, 443, 7);
		ev.old_state = S(CLOSE);
		ev.new_state = S(SYN_SENT);
		ev.cause = C(ACTIVE_OPEN);
		err |= tcpfsm_timewaits_event(t, &ev);
		feed(&ev);
	}
	used = rss() - before;
	read_by(TCPFSM_CONNECT_BY_PORT, TCPFSM_CONNECT_SORT_ATTEMPTS, 10);
	CHECK(nrows == 2 && rows[0].total.attempts + rows[1].total.attempts == 1000000);
	CHECK(rows[0].progress + rows[1].progress == 1000000);
#if !defined(__SANITIZE_ADDRESS__)
	printf("# a million connections: %zu MiB\n", used);
	CHECK(used > 20 && used < 200);
#else
	(void)used;
#endif
	tcpfsm_connects_free(c);
	tcpfsm_timewaits_free(t);
	CHECK_EQ(err, 0);
}

int main(void)
{
	TEST("connects: outcomes", test_outcomes());
	TEST("connects: what began before, and what was lost", test_middles());
	TEST("connects: sockets that are there, and again after a loss", test_sockets());
	TEST("connects: sums", test_sums());
	TEST("connects: filters", test_filter());
	TEST("connects: more than there are places for", test_bounds());
	TEST("connects: a namespace's inode goes to another", test_netns());
	TEST("connects: a million", test_million());
	return check_done();
}
