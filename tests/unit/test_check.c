// SPDX-License-Identifier: GPL-2.0-only
/* Totals against the kernel's counters, with readings that are made up. */
#include <string.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

#define NETNS		4026531840U
#define MSEC		1000000ULL
#define SEC		(1000 * MSEC)

#define SYN_DROPPED(r)	(TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_##r)
#define ACK_DROPPED(r)	(TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_##r)
#define TW(a)		(TCPFSM_TOTAL_TW + TCPFSM_TW_##a)
#define ACK_RESET(r)	(TCPFSM_TOTAL_ACK_RESET + TCPFSM_REASON_##r)

static struct tcpfsm_checks *checks;
static uint64_t now;
static uint32_t netns;

static void begin(const struct tcpfsm_info *info)
{
	CHECK_EQ(tcpfsm_checks_new(&checks, info), 0);
	now = 5 * SEC;
	netns = NETNS;
}

static void total(uint64_t conn, uint32_t index, uint64_t value)
{
	struct tcpfsm_item item = {
		.rec = {
			.type = TCPFSM_TYPE_TOTAL, .ts = now, .conn = conn, .netns = netns,
			.rcv = index, .listener = value,
		},
	};

	CHECK_EQ(tcpfsm_checks_item(checks, &item), 0);
}

/* A counter that was at 1000 when counting began. */
static void kernel(unsigned int which, uint64_t moved)
{
	total(0, TCPFSM_TOTAL_KERNEL_BASE + which, 1000);
	total(0, TCPFSM_TOTAL_KERNEL + which, 1000 + moved);
}

static void reading(uint64_t ns)
{
	now += ns;
	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 1 * SEC);
}

static struct tcpfsm_check all[128];
static unsigned int n;

static int collect(const struct tcpfsm_check *check, void *arg)
{
	(void)arg;
	if (n < 128)
		all[n++] = *check;
	return 0;
}

static unsigned int bad(void)
{
	unsigned int i, bad = 0;

	n = 0;
	CHECK_EQ(tcpfsm_checks_each(checks, collect, NULL), 0);
	for (i = 0; i < n; i++)
		bad += all[i].status == TCPFSM_CHECK_UNEXPLAINED;
	return bad;
}

static const struct tcpfsm_check *row(const char *name)
{
	static const struct tcpfsm_check none;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!strcmp(all[i].name, name) && all[i].netns == netns)
			return &all[i];
	return &none;
}

static void end(void)
{
	tcpfsm_checks_free(checks);
}

/* Every total there is, each another power of two, and what the kernel makes of them. */
static void equations(void)
{
	unsigned int i;

	begin(NULL);
	reading(0);
	/* Two listeners, and what is left of those that are gone. */
	total(7, TCPFSM_TOTAL_SYN, 31);
	total(7, TCPFSM_TOTAL_SYN_QUEUED, 10);
	total(7, TCPFSM_TOTAL_SYN_COOKIE, 3);
	total(8, TCPFSM_TOTAL_SYN_FASTOPEN, 2);
	total(8, TCPFSM_TOTAL_SYN_DUPLICATE, 1);
	total(8, TCPFSM_TOTAL_SYN, 20);
	total(8, SYN_DROPPED(SYNQ_FULL), 11);
	total(0, SYN_DROPPED(ACCEPTQ_FULL), 13);
	total(0, SYN_DROPPED(LAST_QUARTER), 5);
	total(0, SYN_DROPPED(NO_ROUTE), 4);
	total(7, SYN_DROPPED(OTHER), 2);
	total(8, TCPFSM_TOTAL_COOKIE_WANTED, 6);
	total(8, TCPFSM_TOTAL_COOKIE_VALID, 9);
	total(7, ACK_DROPPED(ACCEPTQ_FULL), 100);
	total(7, ACK_RESET(ACCEPTQ_FULL), 200);
	total(7, ACK_DROPPED(NO_MEMORY), 400);
	total(7, ACK_DROPPED(NO_ROUTE), 800);
	total(7, ACK_DROPPED(COOKIE_INVALID), 1600);
	total(7, ACK_RESET(COOKIE_INVALID), 3200);
	total(7, ACK_DROPPED(DEFER_ACCEPT), 6400);
	total(7, ACK_DROPPED(OTHER), 12800);
	total(7, TCPFSM_TOTAL_GONE + TCPFSM_GONE_TIMEOUT, 50);
	total(7, TCPFSM_TOTAL_GONE + TCPFSM_GONE_ICMP, 60);
	total(7, TCPFSM_TOTAL_COMPLETED, 1);
	total(7, TCPFSM_TOTAL_COMPLETED_COOKIE, 2);
	total(7, TCPFSM_TOTAL_COMPLETED_LATE, 1);
	total(7, TCPFSM_TOTAL_CHILD_LOST, 4);
	total(7, TCPFSM_TOTAL_SYNACK_RETRANSMIT, 8);
	total(0, TCPFSM_TOTAL_SYN_RETRANSMIT, 16);
	total(7, TCPFSM_TOTAL_SYNACK_TIMEOUT, 9);
	/* Of no listener alone. */
	total(7, TCPFSM_TOTAL_NOW_BACKLOG, 128);
	total(7, TCPFSM_TOTAL_NOW_SINCE_TS, 4 * SEC);

	kernel(TCPFSM_KERNEL_LISTENDROPS, 11 + 13 + 5 + 4 + 2 + 100 + 200 + 400 + 800 + 60);
	kernel(TCPFSM_KERNEL_LISTENOVERFLOWS, 13 + 100 + 200);
	kernel(TCPFSM_KERNEL_REQQFULLDROP, 11);
	kernel(TCPFSM_KERNEL_REQQFULLDOCOOKIES, 6);
	kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 3);
	kernel(TCPFSM_KERNEL_SYNCOOKIESRECV, 9);
	kernel(TCPFSM_KERNEL_SYNCOOKIESFAILED, 1600 + 3200);
	kernel(TCPFSM_KERNEL_DEFERACCEPTDROP, 6400);
	kernel(TCPFSM_KERNEL_PASSIVEOPENS, 1 + 2 + 2 + 4);
	kernel(TCPFSM_KERNEL_SYNRETRANS, 8 + 16);
	kernel(TCPFSM_KERNEL_TIMEOUTS, 9);
	/* Mini-sockets: 100 were there, 64 are. */
	total(0, TCPFSM_TOTAL_TW_CAME, 100);
	total(0, TCPFSM_TOTAL_TW_WENT, 7);
	total(0, TW(ENTER), 50);
	total(0, TCPFSM_TOTAL_TW_SHORT, 20);
	total(0, TW(REFRESH), 11);
	total(0, TW(REOPEN), 6);
	total(0, TW(REUSE), 8);
	total(0, TW(KILL), 10);
	total(0, TW(EXPIRE), 52);
	total(0, TW(DENIED), 9);
	total(0, TW(PURGE), 3);
	total(0, TCPFSM_TOTAL_NOW_TW, 64);
	kernel(TCPFSM_KERNEL_TW, 30);
	kernel(TCPFSM_KERNEL_TWKILLED, 20);
	kernel(TCPFSM_KERNEL_TWRECYCLED, 8);
	kernel(TCPFSM_KERNEL_TIMEWAITOVERFLOW, 9);
	CHECK(tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 0);
	CHECK_EQ(n, 17);
	for (i = 0; i < n; i++) {
		uint64_t parts = 0;
		unsigned int j;

		CHECK_EQ(all[i].difference, 0);
		CHECK_EQ(all[i].status, TCPFSM_CHECK_EQUAL);
		CHECK_EQ(all[i].since, 1 * SEC);
		CHECK_EQ(all[i].counter, all[i].kernel +
			 (!strncmp(all[i].name, "Tcp", 3) ? 1000 : 0));
		CHECK(!all[i].why[0]);
		for (j = 0; j < all[i].nparts; j++)
			parts += all[i].part[j].minus ? -all[i].part[j].value :
							all[i].part[j].value;
		CHECK_EQ(parts, all[i].ours);
	}
	CHECK_EQ(row("syn")->kernel, 51);
	end();
}

static void unexplained(void)
{
	/* The first reading may have been unlucky, the second one stands still. */
	begin(NULL);
	reading(0);
	kernel(TCPFSM_KERNEL_LISTENDROPS, 5);
	total(7, SYN_DROPPED(OTHER), 3);
	total(7, TCPFSM_TOTAL_SYN, 3);
	CHECK(!tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 1);
	CHECK(strstr(row("TcpExtListenDrops")->why, "read once"));
	reading(MSEC);
	kernel(TCPFSM_KERNEL_LISTENDROPS, 5);
	total(7, SYN_DROPPED(OTHER), 3);
	total(7, TCPFSM_TOTAL_SYN, 3);
	CHECK(tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("TcpExtListenDrops")->difference, 2);
	CHECK(!strcmp(row("TcpExtListenDrops")->why, "not known"));
	end();

	/* A SYN without a fate. */
	begin(NULL);
	reading(0);
	total(7, TCPFSM_TOTAL_SYN, 3);
	reading(MSEC);
	total(7, TCPFSM_TOTAL_SYN, 3);
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("syn")->difference, 3);
	end();

	/* So many that they are no difference of ours any more. */
	begin(NULL);
	reading(0);
	total(7, ACK_DROPPED(DEFER_ACCEPT), UINT64_MAX);
	CHECK_EQ(bad(), 1);
	end();
}

static void explained(void)
{
	struct tcpfsm_info info = { .size = sizeof(info), .features = ~(1ULL << TCPFSM_FEATURE_COOKIE) };

	/* TCPTimeouts is of all sockets, but no less than ours. */
	begin(NULL);
	reading(0);
	kernel(TCPFSM_KERNEL_TIMEOUTS, 1000);
	total(7, TCPFSM_TOTAL_SYNACK_TIMEOUT, 3);
	CHECK(tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 0);
	CHECK_EQ(row("TcpExtTCPTimeouts")->status, TCPFSM_CHECK_EXPLAINED);
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_TIMEOUTS, 2);
	total(7, TCPFSM_TOTAL_SYNACK_TIMEOUT, 3);
	CHECK_EQ(bad(), 1);
	/* A SYN that the firewall does not let out is sent again for the kernel only. */
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_SYNRETRANS, 7);
	kernel(TCPFSM_KERNEL_RETRANSFAIL, 7);
	CHECK_EQ(bad(), 0);
	CHECK(strstr(row("TcpExtTCPSynRetrans")->why, "TcpExtTCPRetransFail"));
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_SYNRETRANS, 8);
	kernel(TCPFSM_KERNEL_RETRANSFAIL, 7);
	CHECK_EQ(bad(), 1);
	/* cookie_v6_check() without a route is no tcp_listendrop(). */
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_LISTENDROPS, 1);
	total(7, ACK_DROPPED(NO_ROUTE), 3);
	CHECK_EQ(bad(), 0);
	end();

	/* How many there were at first could not be told. */
	begin(NULL);
	reading(0);
	total(0, TCPFSM_TOTAL_NOW_TW, 64);
	total(0, TW(EXPIRE), 3);
	CHECK_EQ(bad(), 1);
	reading(2 * SEC);
	total(0, TCPFSM_TOTAL_NOW_TW, 64);
	total(0, TW(EXPIRE), 3);
	total(0, TCPFSM_TOTAL_NOW_TW_UNSETTLED, 1);
	CHECK_EQ(bad(), 0);
	CHECK(strstr(row("sockstat tw")->why, "too many"));
	/* Fewer than none: its true size is told. */
	reading(2 * SEC);
	total(0, TW(EXPIRE), 3);
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("sockstat tw")->difference, 3);
	end();

	/* What a hook that is missing would have counted. */
	begin(&info);
	reading(0);
	kernel(TCPFSM_KERNEL_SYNCOOKIESRECV, 5);
	kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 5);
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("TcpExtSyncookiesRecv")->status, TCPFSM_CHECK_EXPLAINED);
	CHECK(strstr(row("TcpExtSyncookiesRecv")->why, "feature cookie is off"));
	CHECK_EQ(row("TcpExtSyncookiesSent")->status, TCPFSM_CHECK_UNEXPLAINED);
	end();

	/* Outcomes that were not seen. */
	info.features = ~0ULL;
	info.missed = 5;
	begin(&info);
	reading(0);
	kernel(TCPFSM_KERNEL_SYNCOOKIESRECV, 5);
	CHECK(!tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 0);
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_SYNCOOKIESRECV, 6);
	CHECK_EQ(bad(), 1);
	/* These are of SYNs and ACKs. */
	reading(2 * SEC);
	kernel(TCPFSM_KERNEL_TWRECYCLED, 1);
	CHECK_EQ(bad(), 1);
	end();
}

static void traffic(void)
{
	unsigned int i;

	/* They move while they are read; once they agree. */
	begin(NULL);
	for (i = 0; i < 5; i++) {
		reading(MSEC);
		kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 100 * i + (i == 2 ? 0 : 10));
		total(7, TCPFSM_TOTAL_SYN_COOKIE, 100 * i);
		total(7, TCPFSM_TOTAL_SYN, 100 * i);
		CHECK_EQ(tcpfsm_checks_settled(checks), i >= 2);
	}
	CHECK_EQ(bad(), 0);
	CHECK_EQ(row("TcpExtSyncookiesSent")->status, TCPFSM_CHECK_EQUAL);
	CHECK_EQ(row("TcpExtSyncookiesSent")->kernel, 200);
	end();

	/* They never do: what moves between two readings may differ. */
	begin(NULL);
	for (i = 0; i < 5; i++) {
		reading(MSEC);
		kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 100 * i + 10 - i);
		total(7, TCPFSM_TOTAL_SYN_COOKIE, 100 * i);
		total(7, TCPFSM_TOTAL_SYN, 100 * i);
		CHECK(!tcpfsm_checks_settled(checks));
	}
	CHECK_EQ(bad(), 0);
	CHECK_EQ(row("TcpExtSyncookiesSent")->status, TCPFSM_CHECK_EXPLAINED);
	CHECK_EQ(row("TcpExtSyncookiesSent")->difference, 6);
	CHECK(strstr(row("TcpExtSyncookiesSent")->why, "moved by 100 between two readings"));
	end();

	/* But no more than that. */
	begin(NULL);
	for (i = 0; i < 5; i++) {
		reading(MSEC);
		kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 100 * i + 101);
		total(7, TCPFSM_TOTAL_SYN_COOKIE, 100 * i);
		total(7, TCPFSM_TOTAL_SYN, 100 * i);
	}
	CHECK_EQ(bad(), 1);
	/* And when it stands still, the last word counts. */
	for (i = 0; i < 2; i++) {
		reading(MSEC);
		kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 1400);
		total(7, TCPFSM_TOTAL_SYN_COOKIE, 1000);
		total(7, TCPFSM_TOTAL_SYN, 1000);
	}
	CHECK(tcpfsm_checks_settled(checks));
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("TcpExtSyncookiesSent")->difference, 400);
	/* Long ago is no excuse for now: a recording has but two readings. */
	reading(100 * SEC);
	kernel(TCPFSM_KERNEL_SYNCOOKIESSENT, 5001);
	total(7, TCPFSM_TOTAL_SYN_COOKIE, 5000);
	total(7, TCPFSM_TOTAL_SYN, 5000);
	CHECK_EQ(bad(), 1);
	CHECK_EQ(row("TcpExtSyncookiesSent")->difference, 1);
	end();
}

static void spaces(void)
{
	struct tcpfsm_item gap = { .lost = 7, .rec.type = TCPFSM_TYPE_TOTAL };
	unsigned int i;

	/* Each network namespace by itself, in order; one that is gone is not told. */
	begin(NULL);
	reading(0);
	kernel(TCPFSM_KERNEL_LISTENDROPS, 5);
	for (netns = 9; netns > 6; netns--) {
		total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 1);
		kernel(TCPFSM_KERNEL_LISTENDROPS, netns);
		total(7, SYN_DROPPED(OTHER), netns);
		total(7, TCPFSM_TOTAL_SYN, netns);
	}
	CHECK_EQ(tcpfsm_checks_item(checks, &gap), 0);
	CHECK_EQ(bad(), 1);
	CHECK_EQ(n, 68);
	netns = NETNS;
	CHECK_EQ(row("TcpExtListenDrops")->status, TCPFSM_CHECK_UNEXPLAINED);
	for (i = 0; i < 3; i++)
		CHECK_EQ(all[17 * i].netns, 7 + i);
	netns = 8;
	reading(MSEC);
	CHECK_EQ(bad(), 0);
	CHECK_EQ(n, 17);
	/* Listeners of one whose counters nobody can read any more. */
	netns = 7;
	now += MSEC;
	total(7, SYN_DROPPED(OTHER), netns);
	CHECK_EQ(bad(), 0);
	CHECK_EQ(n, 0);
	/* Not what this version knows, or of no time. */
	now = 0;
	total(7, TCPFSM_TOTAL_NUM, 5);
	total(7, UINT32_MAX, 5);
	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 0);
	CHECK_EQ(bad(), 0);
	CHECK_EQ(n, 17);
	end();
}

static void nothing(void)
{
	CHECK_EQ(tcpfsm_checks_new(&checks, NULL), 0);
	CHECK_EQ(bad(), 0);
	CHECK_EQ(n, 0);
	end();
}

int main(void)
{
	TEST("check: no totals", nothing());
	TEST("check: which totals make up a counter", equations());
	TEST("check: what cannot be explained", unexplained());
	TEST("check: what can", explained());
	TEST("check: under traffic", traffic());
	TEST("check: network namespaces", spaces());
	return check_done();
}
