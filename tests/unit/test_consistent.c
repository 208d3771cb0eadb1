// SPDX-License-Identifier: GPL-2.0-only
/* The check that no list of findings contradicts itself finds what it is for, and nothing else. */
#include "check.h"
#include "consistent.h"

#define CRITICAL	0
#define WARNING		1
#define OK		2
#define INFO		3

static struct said said[4];
static char why[512];

static const char *judge(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		/* All of one listener, each about something else of it. */
		strcpy(said[i].listener, "1 7");
		snprintf(said[i].subject, sizeof(said[i].subject), "1 7 %zu", i);
	}
	return contradiction(said, n, true, why, sizeof(why));
}

static const char *says(const char *verdict, const char *all)
{
	said[0] = (struct said) { .verdict = verdict, .all = all, .severity = WARNING };
	return judge(1);
}

static const char *both(const char *a, const char *b)
{
	said[0] = (struct said) { .verdict = "acceptq_app_slow", .all = a, .severity = WARNING };
	said[1] = (struct said) { .verdict = "syn_cookies", .all = b, .severity = WARNING };
	return judge(2);
}

static void test_numbers(void)
{
	CHECK(!says("resets_sent", "200 of 200 that ended (100 %)"));
	CHECK(!says("any", "accept queue at most 0 of 129; 3 of them; of 20 in TIME_WAIT 20; since 1.5 of 3"));
	CHECK(says("resets_sent", "201 of 200 that ended"));
	CHECK(says("synack_lost", "0 of 0 handshakes"));
	CHECK(says("timewait", "115 % of the ports"));
	CHECK(says("timewait", "60 of 80 (100.5 %)"));
	CHECK(says("acceptq_app_slow", "of 141 connections that arrived since the totals began, none was accepted; 142 wait"));
	CHECK(!says("acceptq_app_slow", "of 141 connections that arrived since the totals began, none was accepted; 0 wait"));
	CHECK(says("acceptq_limit_small", "12 connections arrived and 13 were accepted"));
	CHECK(!says("acceptq_limit_small", "13 connections arrived and 13 were accepted"));
}

static void test_ports(void)
{
	const char *none = "the ports: 0 of 20 taken (0 %): 0 by TIME_WAIT, 0 by FIN_WAIT2, 0 by open";
	char all[512];

	CHECK(says("ports_exhausted", none));
	CHECK(!says("port_taken", none));
	snprintf(all, sizeof(all), "%s connections\nwhen it failed last, 20 of 20 ports were taken: 20 by mini-sockets", none);
	CHECK(!says("ports_exhausted", all));
	snprintf(all, sizeof(all), "%s connections\nwhen it failed last, 2 of 20 ports were taken: 2 by mini-sockets", none);
	CHECK(says("ports_exhausted", all));
	CHECK(says("port_taken", "the ports: 3 of 20 taken (15 %): 2 by TIME_WAIT, 1 by FIN_WAIT2, 1 by open"));
	CHECK(!says("ports_exhausted", "the ports: 19 of 20 taken (95 %): 19 by TIME_WAIT, 0 by FIN_WAIT2, 0 by open"));
	CHECK(says("ports_exhausted", "the ports: 20 of 20 taken (100 %): 2 by TIME_WAIT, 0 by FIN_WAIT2, 18 by open"));
}

static void test_advice(void)
{
	CHECK(both("A larger backlog or somaxconn does not cure it", "Have nginx call listen() with 16 or more"));
	CHECK(both("The limit is not the problem.", "sysctl -w net.core.somaxconn=8192"));
	CHECK(both("TIME_WAIT is not to blame. sysctl -w net.ipv4.tcp_tw_reuse=1", ""));
	CHECK(!both("A larger backlog or somaxconn does not cure it", "Leave tcp_syncookies on."));
	/* Of another listener it may be right. */
	both("A larger backlog or somaxconn does not cure it", "Have nginx call listen() with 16 or more");
	strcpy(said[1].listener, "1 8");
	CHECK(!contradiction(said, 2, true, why, sizeof(why)));
}

static void test_lists(void)
{
	said[0] = (struct said) { .verdict = "peer_gone", .all = "", .severity = WARNING };
	said[1] = (struct said) { .verdict = "nothing_wrong", .all = "", .severity = OK };
	said[2] = (struct said) { .verdict = "fin_wait2", .all = "", .severity = INFO };
	CHECK(judge(3));
	CHECK(judge(2));
	said[1].verdict = "tw_reset";
	CHECK(!judge(3));
	said[1].severity = CRITICAL;
	CHECK(judge(3));
	said[1] = said[0];
	CHECK(!judge(2));
	strcpy(said[1].subject, said[0].subject);
	CHECK(contradiction(said, 2, true, why, sizeof(why)));
}

int main(void)
{
	TEST("consistent: numbers that cannot be", test_numbers());
	TEST("consistent: ports, and who has them", test_ports());
	TEST("consistent: what helps and what does not", test_advice());
	TEST("consistent: lists of findings", test_lists());
	return check_done();
}
