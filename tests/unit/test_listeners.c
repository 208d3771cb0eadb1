// SPDX-License-Identifier: GPL-2.0-only
/* Listeners as TOTAL and SOCKET records tell them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/model/listeners.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/process.h"
#include "../../userspace/lib/tcpfsm.h"

#define T(t)		TCPFSM_TOTAL_##t
#define NETNS		4026531840U

static struct tcpfsm_listeners *ls;

static void begin(void)
{
	tcpfsm_listeners_free(ls);
	CHECK_EQ(tcpfsm_listeners_new(&ls), 0);
}

static struct tcpfsm_item item(uint64_t conn, uint64_t ts, uint32_t index, uint64_t value)
{
	struct tcpfsm_item i = { .rec = {
		.ts = ts, .type = TCPFSM_TYPE_TOTAL, .family = conn ? 4 : 0, .conn = conn,
		.listener = value, .netns = NETNS, .lport = (uint16_t)conn, .rcv = index,
	} };

	return i;
}

static void total(uint64_t conn, uint64_t ts, uint32_t index, uint64_t value)
{
	struct tcpfsm_item i = item(conn, ts, index, value);

	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
}

static void owned(struct tcpfsm_item i, uint32_t pid, const char *comm)
{
	i.rec.flags = TCPFSM_F_OWNER;
	i.rec.pid = pid;
	memcpy(i.rec.comm, comm, strnlen(comm, sizeof(i.rec.comm)));
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
}

static struct tcpfsm_item listening(uint64_t conn)
{
	struct tcpfsm_item i = item(conn, 5, 0, conn);

	i.rec.type = TCPFSM_TYPE_SOCKET;
	i.rec.old_state = i.rec.new_state = TCPFSM_STATE_LISTEN;
	return i;
}

static const struct tcpfsm_listener *find(uint64_t conn)
{
	static const struct tcpfsm_listener none;
	const struct tcpfsm_listener *l = tcpfsm_listeners_find(ls, conn);

	CHECK(l);
	return l ? l : &none;
}

static int count(const struct tcpfsm_listener *l, void *arg)
{
	(void)l;
	++*(unsigned int *)arg;
	return 0;
}

static unsigned int all(void)
{
	unsigned int n = 0;

	CHECK_EQ(tcpfsm_listeners_each(ls, count, &n), 0);
	return n;
}

/* ---- readings --------------------------------------------------------------------- */

static void test_readings(void)
{
	begin();
	CHECK_EQ(all(), 0);
	CHECK(!tcpfsm_listeners_find(ls, 1) && !tcpfsm_listeners_find(ls, 0));
	CHECK(!listeners_netns(ls, NETNS));

	total(1, 10, T(SYN), 7);
	total(1, 10, T(NOW_SYNQ), 3);
	total(2, 10, T(NOW_SINCE_TS), 0);
	total(2, 10, T(NOW_PLACE), 0);
	CHECK_EQ(all(), 2);
	CHECK_EQ(find(1)->total[T(SYN)], 7);
	CHECK(find(1)->total[T(NOW_PLACE)] == 1 && !find(2)->total[T(NOW_PLACE)]);
	CHECK(find(1)->first == find(1)->total && find(1)->first_ts == 10);
	CHECK(!find(1)->before && !find(1)->before_ts);
	/* One without a SYN is one. */
	CHECK_EQ(find(2)->total[T(SYN)], 0);

	/* What is not mentioned is 0. */
	total(1, 20, T(SYN), 9);
	CHECK_EQ(find(1)->total[T(SYN)], 9);
	CHECK_EQ(find(1)->total[T(NOW_SYNQ)], 0);
	CHECK_EQ(find(1)->before[T(SYN)], 7);
	CHECK_EQ(find(1)->before[T(NOW_SYNQ)], 3);
	CHECK_EQ(find(1)->before_ts, 10);
	CHECK_EQ(find(1)->ts, 20);

	total(1, 30, T(SYN), 12);
	CHECK_EQ(find(1)->before[T(SYN)], 9);
	CHECK_EQ(find(1)->first[T(SYN)], 7);
	CHECK_EQ(find(1)->first_ts, 10);

	/* A later item of the same reading does not begin another. */
	total(3, 30, T(SYN), 1);
	total(1, 30, T(ACCEPTED), 5);
	CHECK_EQ(find(1)->total[T(SYN)], 12);
	CHECK_EQ(find(1)->total[T(ACCEPTED)], 5);
}

static void test_forgetting(void)
{
	uint64_t ts, conn;

	begin();
	total(1, 10, T(SYN), 1);
	total(2, 10, T(SYN), 2);
	total(2, 20, T(SYN), 2);
	CHECK_EQ(all(), 1);
	CHECK(!tcpfsm_listeners_find(ls, 1));
	/* Back again, as if it had not been away. */
	total(1, 30, T(SYN), 4);
	CHECK_EQ(find(1)->before_ts, 10);
	CHECK_EQ(find(1)->before[T(SYN)], 1);

	/* Many that come and go: the last reading, and no more memory than for a few. */
	for (ts = 100; ts < 1100; ts++)
		for (conn = 1000 * ts; conn < 1000 * ts + 20; conn++)
			total(conn, ts, T(SYN), conn);
	CHECK_EQ(all(), 20);
	CHECK_EQ(find(1000 * 1099 + 19)->total[T(SYN)], 1000 * 1099 + 19);
	CHECK(!tcpfsm_listeners_find(ls, 1000 * 1098));
}

/* The table grows in the middle of a reading: whoever is still to come has a past. */
static void test_growing(void)
{
	uint64_t ts, conn, n;

	begin();
	for (ts = 10, n = 20; n < 3000; ts += 10, n += n / 3) {
		for (conn = n; conn; conn--)
			total(conn, ts, T(SYN), ts * conn);
		CHECK_EQ(all(), n);
		for (conn = 1; ts > 10 && conn <= n * 3 / 4; conn++)
			CHECK(find(conn)->before && find(conn)->before_ts == ts - 10 &&
			      find(conn)->before[T(SYN)] == (ts - 10) * conn &&
			      find(conn)->first_ts && find(conn)->total[T(SYN)] == ts * conn);
	}
}

/* Listeners that have gone take no place from those that come. */
static void test_churn(void)
{
	uint64_t ts;

	begin();
	for (ts = 1; ts <= 140000; ts++) {
		total(1, ts, T(SYN), ts);
		total(ts + 1, ts, T(SYN), 5);
		if (!tcpfsm_listeners_find(ls, ts + 1) || find(1)->total[T(SYN)] != ts)
			break;
	}
	CHECK_EQ(ts, 140001);
	CHECK_EQ(all(), 2);
	CHECK_EQ(find(1)->first_ts, 1);
	begin();
}

/* Live, who has gone is not the owner, if another one is known to be there. */
static void test_owner_gone(void)
{
	const uint32_t me = (uint32_t)getpid();
	const uint64_t now = monotonic_ns() - (uint64_t)clock_timens_offset();
	pid_t gone = fork();

	if (!gone)
		_exit(0);
	waitpid(gone, NULL, 0);
	prctl(PR_SET_NAME, "renamed");
	begin();
	tcpfsm_listeners_live(ls, true);
	owned(item(1, now, T(SYN), 1), me, "listened");
	owned(item(1, now, T(NOW_SINCE_TS), now), me, "listened");
	owned(item(1, now, T(NOW_ACCEPTED_TS), now), (uint32_t)gone, "accepted");
	owned(item(2, now, T(NOW_ACCEPTED_TS), now), (uint32_t)gone, "accepted");
	CHECK_EQ(all(), 2);
	CHECK(find(1)->pid == me && !strcmp(find(1)->comm, "renamed") && !find(1)->owner_gone);
	CHECK(find(2)->has_owner && find(2)->pid == (uint32_t)gone && find(2)->owner_gone);
	begin();
}

/* Not more than 65536, whatever a recording claims. */
static void test_too_many(void)
{
	uint64_t conn;

	begin();
	for (conn = 1; conn <= 66000; conn++)
		total(conn, 10, T(SYN), conn);
	CHECK_EQ(all(), 65536);
	CHECK_EQ(find(65536)->total[T(SYN)], 65536);
	CHECK(!tcpfsm_listeners_find(ls, 65537));
	begin();
}

/* With the same inode there is another network namespace: it counts from nothing. */
static void test_netns_reborn(void)
{
	const struct tcpfsm_listener *l;

	begin();
	total(0, 10, T(NOW_NETNS_COOKIE), 7);
	total(0, 10, T(SYN), 5);
	total(0, 20, T(NOW_NETNS_COOKIE), 7);
	total(0, 20, T(SYN), 9);
	l = listeners_netns(ls, NETNS);
	CHECK(l && l->first[T(SYN)] == 5 && l->before[T(SYN)] == 5);
	total(0, 30, T(NOW_NETNS_COOKIE), 8);
	total(0, 30, T(SYN), 1);
	l = listeners_netns(ls, NETNS);
	CHECK(l && l->total[T(SYN)] == 1 && l->first == l->total && l->first_ts == 30 && !l->before);
}

static void test_owner(void)
{
	struct tcpfsm_item i;

	begin();
	/* Only listeners, only with an owner. */
	owned(listening(1), 100, "snapshot");
	owned(listening(2), 200, "snapshot");
	i = listening(3);
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
	i = listening(4);
	i.rec.new_state = TCPFSM_STATE_ESTABLISHED;
	owned(i, 400, "client");
	CHECK_EQ(all(), 0);
	CHECK(!tcpfsm_listeners_find(ls, 1));

	total(1, 10, T(SYN), 1);
	owned(item(2, 10, T(SYN), 1), 201, "exactly 16 bytes");
	total(3, 10, T(SYN), 1);
	total(4, 10, T(SYN), 1);
	CHECK(find(1)->has_owner && find(1)->pid == 100 && !strcmp(find(1)->comm, "snapshot"));
	/* Who has it open is more than who called listen(), before and after. */
	CHECK(find(2)->pid == 200 && !strcmp(find(2)->comm, "snapshot"));
	CHECK(find(2)->has_caller && find(2)->caller_pid == 201);
	CHECK(!strcmp(find(2)->caller_comm, "exactly 16 bytes"));
	CHECK(!find(1)->has_caller);
	owned(item(5, 10, T(SYN), 1), 500, "listened");
	CHECK_EQ(find(5)->pid, 500);
	/* And who accepts is more than both, to the end. */
	owned(item(2, 10, T(NOW_ACCEPTED_TS), 9), 202, "accepted");
	owned(item(2, 10, T(NOW_SINCE_TS), 1), 201, "exactly 16 bytes");
	owned(listening(2), 200, "snapshot");
	CHECK(find(2)->pid == 202 && !strcmp(find(2)->comm, "accepted"));
	CHECK_EQ(find(2)->caller_pid, 201);
	CHECK(!find(3)->has_owner && !find(4)->has_owner);

	/* Known for good. */
	total(1, 20, T(SYN), 1);
	total(2, 20, T(SYN), 1);
	CHECK(find(1)->pid == 100 && find(2)->pid == 202);
}

static void test_hostile(void)
{
	static const uint32_t indexes[] = {
		TCPFSM_TOTAL_NUM, TCPFSM_TOTAL_NUM + 1, UINT32_MAX, 1U << 31,
	};
	struct tcpfsm_item i;
	size_t n;

	begin();
	total(1, 10, T(SYN), 5);
	for (n = 0; n < sizeof(indexes) / sizeof(indexes[0]); n++)
		total(1, 20, indexes[n], UINT64_MAX);
	CHECK_EQ(find(1)->ts, 10);
	total(1, 0, T(SYN), 6);		/* of no time */
	CHECK_EQ(find(1)->total[T(SYN)], 5);
	i = item(1, 20, T(SYN), 8);
	i.lost = 3;
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
	i = item(1, 20, T(SYN), 8);
	i.rec.type = TCPFSM_TYPE_SYN;
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
	CHECK_EQ(find(1)->total[T(SYN)], 5);
	/* Every index there is, the last one included. */
	for (n = 0; n < TCPFSM_TOTAL_NUM; n++)
		total(1, 30, (uint32_t)n, n + 1);
	for (n = 0; n < TCPFSM_TOTAL_NUM; n++)
		CHECK_EQ(find(1)->total[n], n + 1);
}

static int order(const struct tcpfsm_listener *l, void *arg)
{
	char **p = arg;

	*p += sprintf(*p, "%u:%u:%llu ", l->netns, l->lport, (unsigned long long)l->conn);
	return l->conn == 77 ? 42 : 0;
}

static void test_order(void)
{
	char buf[512], *p = buf;
	struct tcpfsm_item i;

	begin();
	total(0, 10, T(NOW_SINCE_TS), 1);
	total(443, 10, T(SYN), 1);
	total(80, 10, T(SYN), 1);
	i = item(8, 10, T(SYN), 1);
	i.rec.netns = 7;
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
	i = item(0, 10, T(NOW_SINCE_TS), 1);
	i.rec.netns = 7;
	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
	CHECK_EQ(tcpfsm_listeners_each(ls, order, &p), 0);
	CHECK(!strcmp(buf, "7:8:8 7:0:0 4026531840:80:80 4026531840:443:443 4026531840:0:0 "));
	CHECK(listeners_netns(ls, 7) && listeners_netns(ls, NETNS));
	CHECK(!listeners_netns(ls, 8));
	total(77, 10, T(SYN), 1);
	p = buf;
	CHECK_EQ(tcpfsm_listeners_each(ls, order, &p), 42);
}

/* ---- numbers ------------------------------------------------------------------------ */

static void test_merge(void)
{
	uint64_t a[TCPFSM_TOTAL_NUM] = { 0 }, b[TCPFSM_TOTAL_NUM] = { 0 };

	a[T(SYN)] = 5;
	b[T(SYN)] = 7;
	a[T(SYNQ_PEAK)] = 10;
	a[T(SYNQ_PEAK_TS)] = 100;
	b[T(SYNQ_PEAK)] = 9;
	b[T(SYNQ_PEAK_TS)] = 50;
	a[T(ACCEPTQ_PEAK)] = 3;
	a[T(ACCEPTQ_PEAK_TS)] = 300;
	b[T(ACCEPTQ_PEAK)] = 4;
	b[T(ACCEPTQ_PEAK_TS)] = 200;
	a[T(REFUSED_LAST_TS)] = 60;
	b[T(REFUSED_LAST_TS)] = 70;
	b[T(REFUSED_FIRST_TS)] = 40;	/* a has none yet */
	a[T(NOW_ACCEPTQ)] = 1;
	b[T(NOW_ACCEPTQ)] = 2;
	a[T(NOW_BACKLOG)] = b[T(NOW_BACKLOG)] = 128;
	a[T(NOW_SINCE_TS)] = 11;
	b[T(NOW_SINCE_TS)] = 12;
	a[T(NOW_PLACE)] = 1;
	a[T(ACCEPT_US) + 31] = 1;
	b[T(ACCEPT_US) + 31] = 2;
	a[T(SYN_DROPPED) + TCPFSM_REASON_ACCEPTQ_FULL] = 1;
	b[T(SYN_DROPPED) + TCPFSM_REASON_OTHER] = 2;
	tcpfsm_totals_merge(a, b);
	CHECK_EQ(a[T(SYN)], 12);
	CHECK(a[T(SYNQ_PEAK)] == 10 && a[T(SYNQ_PEAK_TS)] == 100);
	CHECK(a[T(ACCEPTQ_PEAK)] == 4 && a[T(ACCEPTQ_PEAK_TS)] == 200);
	CHECK(a[T(REFUSED_LAST_TS)] == 70 && a[T(REFUSED_FIRST_TS)] == 40);
	CHECK(a[T(NOW_ACCEPTQ)] == 3 && a[T(NOW_BACKLOG)] == 256);
	CHECK_EQ(a[T(NOW_SINCE_TS)], 11);
	CHECK_EQ(a[T(NOW_PLACE)], 0);
	CHECK_EQ(a[T(ACCEPT_US) + 31], 3);
	CHECK_EQ(tcpfsm_totals_sum(a, T(SYN_DROPPED), TCPFSM_TOTAL_REASONS), 3);
	b[T(REFUSED_FIRST_TS)] = 90;
	tcpfsm_totals_merge(a, b);
	CHECK_EQ(a[T(REFUSED_FIRST_TS)], 40);
}

static void test_quantiles(void)
{
	uint64_t h[TCPFSM_TOTAL_BUCKETS] = { 0 }, last = 0;
	unsigned int i;

	CHECK_EQ(tcpfsm_histogram_quantile(h, 0.5), 0);
	h[0] = 10;
	CHECK_EQ(tcpfsm_histogram_quantile(h, 1), 0);
	h[1] = 10;
	CHECK_EQ(tcpfsm_histogram_quantile(h, 0.25), 0);
	CHECK_EQ(tcpfsm_histogram_quantile(h, 0.75), 1);
	memset(h, 0, sizeof(h));
	h[10] = 1000;			/* 512 to 1023 */
	CHECK_EQ(tcpfsm_histogram_quantile(h, 0), 512);
	CHECK_EQ(tcpfsm_histogram_quantile(h, 1), 1023);
	CHECK_EQ(tcpfsm_histogram_quantile(h, 0.5), 767);
	h[20] = 10;
	CHECK(tcpfsm_histogram_quantile(h, 0.99) < 1024);
	CHECK(tcpfsm_histogram_quantile(h, 0.999) >= 1 << 19);
	/* Never beyond the table, never falling. */
	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++)
		h[i] = (i * 7919) % 13;
	for (i = 0; i <= 1000; i++) {
		uint64_t v = tcpfsm_histogram_quantile(h, i / 1000.0);

		CHECK(v >= last && v < 1ULL << TCPFSM_TOTAL_BUCKETS);
		last = v;
	}
}

static void test_names(void)
{
	static char names[TCPFSM_TOTAL_NUM][64];
	unsigned int i, j, named = 0;
	char buf[64];

	for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
		strcpy(names[i], tcpfsm_total_name(i, buf));
		if (!strcmp(names[i], "?"))
			continue;
		named++;
		for (j = 0; j < i; j++)
			if (!strcmp(names[i], names[j])) {
				printf("# %u and %u are both %s\n", j, i, names[i]);
				CHECK(0);
			}
	}
	CHECK(named > 200);
	CHECK(!strcmp(names[T(SYN_QUEUED)], "syn_queued"));
	CHECK(!strcmp(names[T(SYN_DROPPED) + TCPFSM_REASON_ACCEPTQ_FULL], "syn_dropped.acceptq_full"));
	CHECK(!strcmp(names[T(GONE) + TCPFSM_GONE_ICMP], "gone.icmp"));
	CHECK(!strcmp(names[T(HANDSHAKE_US) + 12], "handshake_us.12"));
	CHECK(!strcmp(names[T(KERNEL) + TCPFSM_KERNEL_LISTENDROPS], "kernel.TcpExtListenDrops"));
	CHECK(!strcmp(names[T(KERNEL_BASE)], "kernel_base.TcpExtListenDrops"));
	CHECK(!strcmp(tcpfsm_total_name(TCPFSM_TOTAL_NUM, buf), "?"));
	CHECK(!strcmp(tcpfsm_total_name(~0U, buf), "?"));
}

int main(void)
{
	TEST("listeners: readings, the first and the one before", test_readings());
	TEST("listeners: those not mentioned are forgotten", test_forgetting());
	TEST("listeners: one more in the middle of a reading", test_growing());
	TEST("listeners: one after the other", test_churn());
	TEST("listeners: never more than 65536", test_too_many());
	TEST("listeners: an inode that another network namespace has", test_netns_reborn());
	TEST("listeners: who owns them", test_owner());
	/* Elsewhere the numbers are others, and nothing is looked up. */
	if (process_numbers_are_ours())
		TEST("listeners: an owner that has gone", test_owner_gone());
	TEST("listeners: hostile indexes, times and types", test_hostile());
	TEST("listeners: by network namespace, port and address", test_order());
	TEST("listeners: totals put together by the table", test_merge());
	TEST("listeners: quantiles", test_quantiles());
	TEST("listeners: every total has a name of its own", test_names());
	tcpfsm_listeners_free(ls);
	return check_done();
}
