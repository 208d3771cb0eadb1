// SPDX-License-Identifier: GPL-2.0-only
/* What explain says of totals that are made up: each verdict, and near misses. */
#include <errno.h>
#include <stdarg.h>
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
#define MS		1000000ULL
#define LOADED		(1000 * SEC)
#define END		(2000 * SEC)
#define OFFSET		(1700000000 * (int64_t)SEC)
#define NETNS		4026531840U
#define MAX_LISTENERS	4

/* The netns first, then the listeners. */
static struct world {
	struct tcpfsm_listeners *ls;
	struct tcpfsm_explain *x;
	struct tcpfsm_filter filter;
	uint64_t v[1 + MAX_LISTENERS][TCPFSM_TOTAL_NUM];
	char comm[1 + MAX_LISTENERS][17];
	uint64_t ts;
	unsigned int n;
	bool placeless;			/* its listeners */
} w;

static void set(unsigned int i, unsigned int index, uint64_t value)
{
	w.v[i][index] = value;
}

#define SET(s, value)	set(1, TCPFSM_TOTAL_##s, value)
#define SYSCTL(s, value) set(0, TCPFSM_TOTAL_NOW_##s, value)
#define DROP(r, value)	set(1, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_##r, value)
#define DROP_ACK(r, value) set(1, TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_##r, value)
#define RESET_ACK(r, value) set(1, TCPFSM_TOTAL_ACK_RESET + TCPFSM_REASON_##r, value)
#define DIED(r, value)	set(1, TCPFSM_TOTAL_GONE + TCPFSM_GONE_##r, value)

/* n samples of a histogram of microseconds. */
static void hist(unsigned int index, uint64_t us, uint64_t n)
{
	unsigned int b = 0;

	while (us >> b)
		b++;
	w.v[1][index + b] += n;
}

#define WAITED(us, n)	hist(TCPFSM_TOTAL_ACCEPT_US, us, n)
#define SHOOK(us, n)	hist(TCPFSM_TOTAL_HANDSHAKE_US, us, n)

/* A listener on port 80 with listen(asked), and the default sysctls. */
static void limits(unsigned int i, uint64_t asked, uint64_t somaxconn)
{
	uint64_t backlog = asked < somaxconn ? asked : somaxconn;

	set(0, TCPFSM_TOTAL_NOW_SOMAXCONN, somaxconn);
	set(i, TCPFSM_TOTAL_NOW_ASKED, asked + 1);
	set(i, TCPFSM_TOTAL_NOW_BACKLOG, backlog);
	set(i, TCPFSM_TOTAL_NOW_SYNQ_PLACES, backlog + 1);
	set(i, TCPFSM_TOTAL_NOW_SINCE_TS, LOADED);
}

static void world(uint64_t asked, uint64_t somaxconn)
{
	struct tcpfsm_explain_options opts = {
		.size = sizeof(opts), .epoch_offset = OFFSET, .filter = &w.filter,
		.own_netns = NETNS, .request_bytes = 320, .socket_bytes = 2368,
	};

	memset(&w, 0, sizeof(w));
	w.filter.size = sizeof(w.filter);
	w.n = 2;
	w.ts = END;
	strcpy(w.comm[1], "nginx");
	SYSCTL(SYNCOOKIES, 1);
	SYSCTL(MAX_SYN_BACKLOG, 4096);
	SYSCTL(SYNACK_RETRIES, 5);
	set(0, TCPFSM_TOTAL_NOW_SINCE_TS, LOADED);
	limits(1, asked, somaxconn);
	CHECK_EQ(tcpfsm_listeners_new(&w.ls), 0);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
}

/* As the module would tell it at this moment. */
static void reading(void)
{
	unsigned int i, index;

	for (i = 1; i <= w.n; i++) {
		unsigned int at = i % w.n;	/* the network namespace last */
		struct tcpfsm_item it = { .lost = 0 };
		struct tcpfsm_record *r = &it.rec;

		r->type = TCPFSM_TYPE_TOTAL;
		r->ts = w.ts;
		r->netns = NETNS;
		r->conn = at ? 100 + at : 0;
		if (at) {
			r->family = 4;
			r->lport = 80;
			if (w.comm[at][0]) {
				r->flags = TCPFSM_F_OWNER;
				r->pid = 1000 + at;
				memcpy(r->comm, w.comm[at], 16);
			}
		}
		for (index = 0; index < TCPFSM_TOTAL_NUM; index++) {
			if (!w.v[at][index] && index != TCPFSM_TOTAL_NOW_SINCE_TS &&
			    !(index == TCPFSM_TOTAL_NOW_PLACE && at && w.placeless))
				continue;
			r->rcv = index;
			r->listener = w.v[at][index];
			CHECK_EQ(tcpfsm_listeners_item(w.ls, &it), 0);
		}
	}
}

/* What is set so far was before tcpfsm attached, seconds ago. */
static void attach(uint64_t seconds)
{
	w.ts = END - seconds * SEC;
	reading();
	w.ts = END;
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	(void)arg;
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

/* No advice may name what does not help, or harms. */
static void check_advice(void)
{
	unsigned int i;

	for (i = 0; i < nfound; i++) {
		CHECK(!strstr(found[i].remedy, "tcp_abort_on_overflow=1.") &&
		      !strstr(found[i].remedy, "-w net.ipv4.tcp_abort_on_overflow=1"));
		CHECK(!strstr(found[i].remedy, "-w net.ipv4.tcp_syncookies=0"));
		if (strcmp(found[i].verdict, "last_quarter"))
			CHECK(!strstr(found[i].all, "max_syn_backlog"));
	}
}

/* ---- the accept queue ----------------------------------------------------------------- */

/* Nobody accepts: the queue fills and stays full. */
static void stuck(void)
{
	SET(SYN, 9);
	SET(SYN_QUEUED, 3);
	SET(COMPLETED, 3);
	DROP(ACCEPTQ_FULL, 6);
	SET(ACCEPTQ_PEAK, 3);
	SET(ACCEPTQ_PEAK_TS, END - 6 * SEC);
	SET(ACCEPTQ_FULL_NS, 6 * SEC);
	SET(NOW_ACCEPTQ, 3);
	SET(REFUSED_FIRST_TS, END - 5 * SEC);
	SET(REFUSED_LAST_TS, END - 1 * SEC);
}

static void test_stuck(void)
{
	world(2, 4096);
	stuck();
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "nginx does not accept connections"));
	CHECK(says("acceptq_app_slow", "accept queue 3 > 2"));
	CHECK(says("acceptq_app_slow", "/proc/1001/stack"));
	/* The queue is full: it goes on. */
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_CRITICAL);
	CHECK(!verdict("acceptq_limit_small"));
	check_advice();
	end();
}

/* 5 accepts a second, 20 arrive: the queue of 9 stands. */
static void slow(uint64_t from)
{
	SET(SYN, 200);
	SET(SYN_QUEUED, 60);
	SET(COMPLETED, 60);
	SET(ACCEPTED, 60);
	WAITED(1500000, 50);
	WAITED(800000, 5);
	WAITED(300000, 5);
	DROP(ACCEPTQ_FULL, 140);
	SET(ACCEPTQ_PEAK, 9);
	SET(ACCEPTQ_PEAK_TS, from);
	SET(ACCEPTQ_FULL_NS, 5 * SEC);
	SET(REFUSED_FIRST_TS, from);
	SET(REFUSED_LAST_TS, from + 12 * SEC);
}

/* The queue is not full yet, and nobody accepts. */
static void test_stalled(void)
{
	world(128, 4096);
	SET(SYN, 60);
	SET(SYN_QUEUED, 60);
	SET(COMPLETED, 50);
	SET(ACCEPTED, 10);
	SET(NOW_ACCEPTQ, 40);
	attach(3);
	SET(COMPLETED, 74);
	SET(NOW_ACCEPTQ, 64);
	explain();
	CHECK(first("accept_stalled"));
	CHECK(says("accept_stalled", "64 wait in the accept queue"));
	CHECK(says("accept_stalled", "24 connections arrived in that time, and 40 waited before"));
	CHECK(says("accept_stalled", "/proc/1001/limits"));
	CHECK(!verdict("nothing_wrong"));
	end();

	/* It accepted one. */
	world(128, 4096);
	SET(COMPLETED, 50);
	SET(ACCEPTED, 10);
	SET(NOW_ACCEPTQ, 40);
	attach(3);
	SET(ACCEPTED, 11);
	SET(NOW_ACCEPTQ, 39);
	explain();
	CHECK(!verdict("accept_stalled"));
	end();

	/* What waits has come just now. */
	world(128, 4096);
	SET(COMPLETED, 10);
	SET(ACCEPTED, 10);
	attach(3);
	SET(COMPLETED, 12);
	SET(NOW_ACCEPTQ, 2);
	explain();
	CHECK(!verdict("accept_stalled"));
	end();
}

/* A sum that says that accepts were not seen: of their pace nothing is said. */
static void test_accepts_unseen(void)
{
	world(8, 4096);
	SET(SYN, 160);
	SET(SYN_QUEUED, 141);
	SET(COMPLETED, 141);
	SET(ACCEPTQ_PEAK, 9);
	SET(ACCEPTQ_FULL_NS, 6 * SEC);
	DROP(ACCEPTQ_FULL, 19);
	SET(REFUSED_FIRST_TS, END - 9 * SEC);
	SET(REFUSED_LAST_TS, END - 2 * SEC);
	explain();
	CHECK(first("not_judged"));
	CHECK(says("not_judged", "141 accepts were not seen"));
	CHECK(says("not_judged", "ss -ltn sport = 80"));
	CHECK(!verdict("acceptq_app_slow") && !verdict("acceptq_limit_small"));
	end();
}

/* The first second of an overload: 2.5 are accepted a second, 10 arrive, and the queue holds 5. */
static void test_overload_begins(void)
{
	world(4, 4096);
	attach(1);
	SET(SYN, 10);
	SET(SYN_QUEUED, 7);
	SET(COMPLETED, 7);
	SET(ACCEPTED, 2);
	WAITED(300000, 2);
	DROP(ACCEPTQ_FULL, 3);
	SET(NOW_ACCEPTQ, 5);
	SET(ACCEPTQ_PEAK, 5);
	SET(ACCEPTQ_FULL_NS, SEC / 3);
	SET(REFUSED_FIRST_TS, END - 300 * MS);
	SET(REFUSED_LAST_TS, END - 100 * MS);
	explain();
	CHECK(first("not_judged"));
	CHECK(says("not_judged", "2 of a queue of 5 were accepted"));
	CHECK(says("not_judged", "tcpfsm explain -d 10 -L 80"));
	CHECK(!verdict("acceptq_app_slow") && !verdict("acceptq_limit_small") && !verdict("nothing_wrong"));
	end();

	/* Emptied meanwhile: bursts. */
	world(4, 4096);
	attach(1);
	SET(SYN, 10);
	SET(SYN_QUEUED, 7);
	SET(COMPLETED, 7);
	SET(ACCEPTED, 7);
	WAITED(3000, 7);
	DROP(ACCEPTQ_FULL, 3);
	SET(ACCEPTQ_PEAK, 5);
	SET(ACCEPTQ_FULL_NS, 3 * MS);
	SET(REFUSED_FIRST_TS, END - 300 * MS);
	SET(REFUSED_LAST_TS, END - 299 * MS);
	explain();
	CHECK(first("acceptq_limit_small"));
	end();
}

/* Closed with connections in its queue. */
static void test_listener_closed(void)
{
	world(128, 4096);
	SET(SYN, 10);
	SET(SYN_QUEUED, 10);
	SET(COMPLETED, 10);
	SET(ACCEPTED, 6);
	SET(ABANDONED, 4);
	SET(NOW_GONE_TS, END - 2 * SEC);
	explain();
	CHECK(first("listener_closed"));
	CHECK(says("listener_closed", "with 4 connections in its accept queue: their clients were reset"));
	CHECK(says("listener_closed", "10 had arrived, and 6 were accepted"));
	end();
}

static void test_slow_ever(void)
{
	world(8, 4096);
	slow(END - 300 * SEC);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "nginx accepted connections too slowly"));
	CHECK(says("acceptq_app_slow", "The limit is not the problem"));
	CHECK(says("acceptq_app_slow", "(5.0 min ago) until "));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(!verdict("acceptq_limit_small"));
	check_advice();
	end();
}

static void test_slow_now(void)
{
	unsigned int i;

	world(511, 4096);
	/* Years of good service. */
	SET(SYN, 100000000);
	SET(SYN_QUEUED, 100000000);
	SET(COMPLETED, 100000000);
	SET(ACCEPTED, 100000000);
	WAITED(40, 100000000);
	attach(3);
	/* 512 of 512 taken, 5 s of waiting, 100 accepts a second. */
	SET(SYN, 100001200);
	SET(COMPLETED, 100000300);
	SET(ACCEPTED, 100000300);
	WAITED(5000000, 300);
	DROP(ACCEPTQ_FULL, 900);
	SET(ACCEPTQ_PEAK, 512);
	SET(ACCEPTQ_PEAK_TS, END - 2 * SEC);
	SET(ACCEPTQ_FULL_NS, 1 * SEC);
	SET(NOW_ACCEPTQ, 511);
	SET(REFUSED_FIRST_TS, END - 3 * SEC);
	SET(REFUSED_LAST_TS, END);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_CRITICAL);
	CHECK(says("acceptq_app_slow", "100/s arrive, 100/s are accepted, 300/s are refused"));
	CHECK(says("acceptq_app_slow", "900 (300/s) in the 3.0 s observed"));
	for (i = 1; i < nfound; i++)
		CHECK(strncmp(found[i].verdict, "acceptq_", 8));
	end();
}

/*
 * Two that waited for 40 s do not hide a thousand that waited for 0.4 s: the queue stood. Nor are
 * 0 places taken of a queue that was full.
 */
static void test_little(void)
{
	world(5, 4096);
	SET(SYN, 1500);
	SET(SYN_QUEUED, 1031);
	SET(COMPLETED, 1031);
	SET(ACCEPTED, 1031);
	WAITED(391000, 1000);
	WAITED(40000000, 2);
	WAITED(50, 29);
	DROP(ACCEPTQ_FULL, 469);
	SET(ACCEPTQ_PEAK, 6);
	SET(ACCEPTQ_FULL_NS, 10 * SEC);
	SET(REFUSED_FIRST_TS, END - 162 * SEC);
	SET(REFUSED_LAST_TS, END - 100 * SEC);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "on average 6.0 of 6 places were taken while clients were refused"));
	end();

	world(2, 4096);
	SET(SYN, 200);
	SET(SYN_QUEUED, 51);
	SET(COMPLETED, 51);
	SET(ACCEPTED, 51);
	WAITED(1, 51);
	DROP(ACCEPTQ_FULL, 149);
	SET(ACCEPTQ_PEAK, 3);
	SET(ACCEPTQ_FULL_NS, 22 * SEC);
	SET(REFUSED_FIRST_TS, END - 124 * SEC);
	SET(REFUSED_LAST_TS, END - 100 * SEC);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "on average 2.7 of 3 places"));
	end();
}

/* Bursts of 20 into a queue of 9, accepted within 50 ms. */
static void bursts(uint64_t places)
{
	SET(SYN, 155);
	SET(SYN_QUEUED, 100);
	SET(COMPLETED, 100);
	SET(ACCEPTED, 100);
	WAITED(45000, 45);
	WAITED(50, 55);
	DROP(ACCEPTQ_FULL, 55);
	SET(ACCEPTQ_PEAK, places);
	SET(ACCEPTQ_PEAK_TS, END - 60 * SEC);
	SET(ACCEPTQ_FULL_NS, 165 * MS);
	SET(REFUSED_FIRST_TS, END - 60 * SEC);
	SET(REFUSED_LAST_TS, END - 50 * SEC);
}

static void test_small(void)
{
	world(8, 4096);
	bursts(9);
	explain();
	CHECK(first("acceptq_limit_small"));
	CHECK(says("acceptq_limit_small", "accept queue 9 > 8"));
	CHECK(says("acceptq_limit_small", "listen(8)"));
	CHECK(says("acceptq_limit_small", "backlog=16 in its listen directive"));
	CHECK(says("acceptq_limit_small", "2368 bytes"));
	CHECK(!strstr(found[0].remedy, "somaxconn"));
	CHECK(!verdict("acceptq_app_slow") && !verdict("acceptq_somaxconn"));
	check_advice();
	end();
}

/* listen(4096) with somaxconn of 128: a burst of 200, for 0.4 s nobody accepts. */
static void clamped(void)
{
	SET(SYN, 271);
	SET(SYN_QUEUED, 200);
	SET(COMPLETED, 200);
	SET(ACCEPTED, 200);
	WAITED(400000, 71);
	WAITED(200000, 58);
	WAITED(20, 71);
	DROP(ACCEPTQ_FULL, 71);
	SET(ACCEPTQ_PEAK, 129);
	SET(ACCEPTQ_PEAK_TS, END - 30 * SEC);
	SET(ACCEPTQ_FULL_NS, 140 * MS);
	SET(REFUSED_FIRST_TS, END - 30 * SEC);
	SET(REFUSED_LAST_TS, END - 30 * SEC + 140 * MS);
}

static void test_clamped(void)
{
	world(4096, 128);
	clamped();
	explain();
	CHECK(first("acceptq_somaxconn"));
	CHECK(says("acceptq_somaxconn", "net.core.somaxconn=128 kept the accept queue"));
	CHECK(says("acceptq_somaxconn", "sysctl -w net.core.somaxconn=4096"));
	CHECK(says("acceptq_somaxconn", "then restart nginx"));
	CHECK(!verdict("acceptq_app_slow") && !verdict("acceptq_limit_small"));
	end();

	/* Raised since, but listen() was not called again. */
	world(4096, 128);
	clamped();
	SYSCTL(SOMAXCONN, 4096);
	explain();
	CHECK(first("acceptq_somaxconn"));
	CHECK(says("acceptq_somaxconn", "counts from the next listen()"));
	CHECK(!strstr(found[0].remedy, "sysctl -w"));
	end();

	/* Who called listen() before the module was there. */
	world(128, 128);
	clamped();
	SET(NOW_ASKED, 0);
	explain();
	CHECK(first("acceptq_somaxconn"));
	CHECK(says("acceptq_somaxconn", "probably"));
	end();

	/* The same limit, but asked for. */
	world(128, 4096);
	clamped();
	explain();
	CHECK(first("acceptq_limit_small"));
	CHECK(!verdict("acceptq_somaxconn"));
	end();
}

/* Clamped, and slow all the same: a longer queue does not cure it. */
static void test_clamped_and_slow(void)
{
	world(4096, 8);
	slow(END - 20 * SEC);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(!verdict("acceptq_somaxconn"));
	end();
}

static void test_phantom(void)
{
	world(2, 4096);
	stuck();
	DROP_ACK(ACCEPTQ_FULL, 4);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("phantom_connections", "4 ACKs dropped"));
	CHECK(!verdict("reset_on_overflow"));
	check_advice();
	end();
	world(2, 4096);
	stuck();
	explain();
	CHECK(!verdict("phantom_connections"));
	end();
}

static void test_reset(void)
{
	world(2, 4096);
	SYSCTL(ABORT_ON_OVERFLOW, 1);
	stuck();
	RESET_ACK(ACCEPTQ_FULL, 1);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("reset_on_overflow", "tcp_abort_on_overflow=0"));
	CHECK(!verdict("phantom_connections"));
	check_advice();
	end();
}

static void test_reuseport(void)
{
	unsigned int i;

	world(16, 4096);
	w.n = 3;
	limits(2, 16, 4096);
	strcpy(w.comm[2], "nginx");
	SET(NOW_REUSEPORT, 2);
	SET(SYN, 40);
	SET(SYN_QUEUED, 17);
	SET(COMPLETED, 17);
	DROP(ACCEPTQ_FULL, 23);
	SET(ACCEPTQ_PEAK, 17);
	SET(ACCEPTQ_FULL_NS, 6 * SEC);
	SET(NOW_ACCEPTQ, 17);
	SET(REFUSED_FIRST_TS, END - 5 * SEC);
	SET(REFUSED_LAST_TS, END - 1 * SEC);
	set(2, TCPFSM_TOTAL_NOW_REUSEPORT, 2);
	set(2, TCPFSM_TOTAL_SYN, 50);
	set(2, TCPFSM_TOTAL_ACCEPTQ_PEAK, 2);
	explain();
	CHECK(first("reuseport_member"));
	CHECK_EQ(found[0].f.conn, 101);
	CHECK(says("reuseport_member", "One of 2 listeners"));
	CHECK(says("reuseport_member", "pid 1002"));
	for (i = 0; i < nfound; i++)
		CHECK_EQ(found[i].f.conn, 101);
	end();

	/* All of them full: no member's fault. */
	world(16, 4096);
	w.n = 3;
	limits(2, 16, 4096);
	for (i = 1; i <= 2; i++) {
		set(i, TCPFSM_TOTAL_NOW_REUSEPORT, 2);
		set(i, TCPFSM_TOTAL_SYN, 40);
		set(i, TCPFSM_TOTAL_ACCEPTQ_PEAK, 17);
		set(i, TCPFSM_TOTAL_NOW_ACCEPTQ, 17);
		set(i, TCPFSM_TOTAL_ACCEPTQ_FULL_NS, 6 * SEC);
		set(i, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 23);
	}
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(!verdict("reuseport_member"));
	end();
}

/* ---- the SYN queue -------------------------------------------------------------------- */

static void flood(uint64_t queued, uint64_t dropped)
{
	SET(SYN, queued + dropped);
	SET(SYN_QUEUED, queued);
	SET(SYNQ_PEAK, queued);
	SET(SYNQ_PEAK_TS, END - 3 * SEC);
	SET(NOW_SYNQ, queued);
	SET(NOW_SYNQ_YOUNG, queued);
	SET(SYNQ_FULL_NS, 2 * SEC);
	SET(REFUSED_FIRST_TS, END - 3 * SEC);
	SET(REFUSED_LAST_TS, END - 1 * SEC);
	DROP(SYNQ_FULL, dropped);
}

static void test_flood_drop(void)
{
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	explain();
	CHECK(first("syn_flood"));
	CHECK(says("syn_flood", "SYN queue 65 > 64"));
	CHECK(says("syn_flood", "tcp_syncookies=1"));
	CHECK(says("synq_full", "735 SYNs were dropped"));
	CHECK(says("synq_full", "filled by the flood"));
	check_advice();
	end();

	/* An older kernel holds one less. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(64, 736);
	SET(NOW_SYNQ_PLACES, 64);
	explain();
	CHECK(says("syn_flood", "SYN queue 64 >= 64"));
	end();
}

static void test_flood_cookie(void)
{
	world(64, 4096);
	flood(65, 0);
	SET(SYN, 820);
	SET(SYN_COOKIE, 755);
	SET(COOKIE_VALID, 20);
	SET(COMPLETED_COOKIE, 20);
	SET(ACCEPTED, 20);
	WAITED(50, 20);
	RESET_ACK(COOKIE_INVALID, 50);
	explain();
	CHECK(first("syn_flood"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(says("syn_flood", "SYN cookies let clients in"));
	CHECK(says("syn_cookies", "Leave tcp_syncookies on"));
	CHECK(says("cookies_forged", "50 invalid"));
	CHECK_EQ(verdict("cookies_forged")->f.severity, TCPFSM_SEVERITY_INFO);
	check_advice();
	end();
}

/* All places taken by requests that came to nothing: none is answered while observed. */
static void test_flood_unanswered(void)
{
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SET(SYN, 1000000);
	SET(SYN_QUEUED, 1000065);
	SET(COMPLETED, 1000000);
	SET(NOW_SYNQ, 65);
	attach(3);
	SET(SYNQ_PEAK, 65);
	SET(SYN, 1003000);
	DROP(SYNQ_FULL, 3000);
	SET(REFUSED_FIRST_TS, END - 4 * SEC);
	SET(REFUSED_LAST_TS, END);
	explain();
	CHECK(first("syn_flood"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_CRITICAL);
	end();

	/* Of young ones nothing is known yet. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SET(SYN_QUEUED, 1000065);
	SET(COMPLETED, 1000000);
	attach(3);
	SET(NOW_SYNQ, 65);
	SET(NOW_SYNQ_YOUNG, 65);
	DROP(SYNQ_FULL, 3000);
	explain();
	CHECK(first("synq_full"));
	CHECK(!verdict("syn_flood"));
	end();
}

/* A flood that began after a million good connections. */
static void test_flood_now(void)
{
	world(64, 4096);
	SET(SYN, 1000000);
	SET(SYN_QUEUED, 1000000);
	SET(COMPLETED, 1000000);
	attach(3);
	flood(65, 0);
	SET(SYN, 1030000);
	SET(SYN_QUEUED, 1000065);
	SET(SYN_COOKIE, 29935);
	SET(COOKIE_VALID, 300);
	SET(COMPLETED_COOKIE, 300);
	explain();
	CHECK(first("syn_flood"));
	CHECK(says("syn_flood", "is under a SYN flood"));
	CHECK(says("syn_flood", "10000/s SYNs"));
	end();

	/* It is over: told as such. */
	world(64, 4096);
	SET(SYN, 1030000);
	SET(SYN_QUEUED, 1000065);
	SET(COMPLETED, 1000000);
	SET(SYN_COOKIE, 29935);
	SET(COMPLETED_COOKIE, 300);
	SET(COOKIE_VALID, 300);
	DIED(TIMEOUT, 65);
	SET(SYNQ_PEAK, 65);
	SET(REFUSED_FIRST_TS, END - 600 * SEC);
	SET(REFUSED_LAST_TS, END - 590 * SEC);
	attach(3);
	explain();
	CHECK(first("syn_flood"));
	CHECK(says("syn_flood", "was under a SYN flood"));
	CHECK(says("syn_flood", "none while observed"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	end();
}

/* Many at once, and they complete. */
static void test_no_flood(void)
{
	world(64, 4096);
	flood(65, 0);
	SET(NOW_SYNQ, 0);
	SET(NOW_SYNQ_YOUNG, 0);
	SET(SYN, 1000);
	SET(SYN_COOKIE, 935);
	SET(COMPLETED, 65);
	SET(COOKIE_VALID, 935);
	SET(COMPLETED_COOKIE, 935);
	SET(ACCEPTED, 1000);
	explain();
	CHECK(first("syn_cookies"));
	CHECK(says("syn_cookies", "window scale, SACK"));
	CHECK(says("syn_cookies", "listen() with 128 or more"));
	CHECK(!verdict("syn_flood"));
	check_advice();
	end();

	/* Dropped without cookies, and they completed later. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(300, 235);
	SET(SYNQ_PEAK, 65);
	SET(NOW_SYNQ, 0);
	SET(NOW_SYNQ_YOUNG, 0);
	SET(COMPLETED, 300);
	SET(ACCEPTED, 300);
	SHOOK(900, 300);
	explain();
	CHECK(first("synq_full"));
	CHECK(says("synq_full", "tcp_syncookies=1"));
	CHECK(says("synq_full", "with no sysctl of its own"));
	CHECK(!verdict("syn_flood") && !verdict("slow_clients") && !verdict("synack_lost"));
	check_advice();
	end();

	/* A longer backlog would meet the last quarter: here, and only here, it is named. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SYSCTL(MAX_SYN_BACKLOG, 128);
	flood(300, 235);
	SET(SYNQ_PEAK, 65);
	SET(NOW_SYNQ, 0);
	SET(NOW_SYNQ_YOUNG, 0);
	SET(COMPLETED, 300);
	explain();
	CHECK(says("synq_full", "tcp_max_syn_backlog must be a third larger"));
	end();

	/* Their SYN-ACKs do not arrive: they send the SYN again. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	SET(SYNACK_RETRANSMIT, 120);
	SET(SYNACK_TIMEOUT, 60);
	explain();
	CHECK(first("return_path"));
	CHECK(!verdict("syn_flood") && !verdict("synack_lost"));
	CHECK(says("return_path", "was not seen"));
	CHECK(says("synq_full", "a longer queue does not help"));
	end();

	/* Some get through. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	SET(SYNACK_RETRANSMIT, 120);
	SET(SYNACK_TIMEOUT, 60);
	SET(COMPLETED, 20);
	SET(ACCEPTED, 20);
	explain();
	CHECK(first("synack_lost"));
	CHECK(says("synack_lost", "send their SYN again though it was answered"));
	CHECK(!verdict("syn_flood") && !verdict("return_path"));
	end();
}

static void test_always(void)
{
	world(128, 4096);
	SYSCTL(SYNCOOKIES, 2);
	SET(SYN, 50);
	SET(SYN_COOKIE, 50);
	SET(COOKIE_VALID, 50);
	SET(COMPLETED_COOKIE, 50);
	SET(ACCEPTED, 50);
	explain();
	CHECK(first("syn_cookies_always"));
	CHECK(says("syn_cookies_always", "tcp_syncookies=1"));
	CHECK(!verdict("syn_cookies"));
	end();
}

static void test_last_quarter(void)
{
	world(512, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SYSCTL(MAX_SYN_BACKLOG, 128);
	flood(97, 0);
	SET(SYN, 300);
	DROP(LAST_QUARTER, 203);
	explain();
	CHECK(first("syn_flood"));
	CHECK(says("last_quarter", "128 - 97 = 31, is less than a quarter of it, 32"));
	CHECK(says("last_quarter", "tcp_max_syn_backlog=1024"));
	CHECK(says("last_quarter", "tcp_syncookies=1"));
	CHECK(!verdict("synq_full"));
	check_advice();
	end();
}

static void test_defer(void)
{
	world(16, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SET(NOW_DEFER_ACCEPT, 2);
	flood(17, 13);
	DROP_ACK(DEFER_ACCEPT, 17);
	explain();
	CHECK(first("defer_accept"));
	CHECK(!verdict("syn_flood") && !verdict("slow_clients") && !verdict("synack_lost"));
	check_advice();
	end();

	/* The queue was full before anybody looked. */
	world(16, 4096);
	SYSCTL(SYNCOOKIES, 0);
	SET(NOW_DEFER_ACCEPT, 5);
	SET(SYN, 13);
	SET(NOW_SYNQ, 17);
	SET(SYNQ_PEAK, 17);
	DROP(SYNQ_FULL, 13);
	SET(REFUSED_LAST_TS, END);
	explain();
	CHECK(first("defer_accept"));
	CHECK(says("defer_accept", "17 of its 17 places are taken, and 0 SYNs came in since"));
	CHECK(says("defer_accept", "whether those from before have sent their third ACK"));
	/* That is how one sends again who gets no answer. */
	SET(SYNACK_RETRANSMIT, 1);
	explain();
	CHECK(!verdict("defer_accept"));
	end();

	/* Clients that speak at once: the bare ACK is dropped, the data completes. */
	world(511, 4096);
	SET(NOW_DEFER_ACCEPT, 2);
	SET(SYN, 1000);
	SET(SYN_QUEUED, 1000);
	SET(COMPLETED, 1000);
	SET(ACCEPTED, 1000);
	DROP_ACK(DEFER_ACCEPT, 1000);
	SET(SYNQ_PEAK, 20);
	SHOOK(400, 1000);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(nfound, 1);
	end();
}

static void test_synack_lost(void)
{
	world(16, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(40, 25);
	SET(NOW_SYNQ, 0);
	SET(NOW_SYNQ_YOUNG, 0);
	SET(SYNQ_PEAK, 17);
	SET(COMPLETED, 40);
	SET(COMPLETED_LATE, 17);
	SET(ACCEPTED, 40);
	SET(SYNACK_RETRANSMIT, 40);
	SET(SYNACK_TIMEOUT, 30);
	SHOOK(3000000, 17);
	SHOOK(900, 23);
	explain();
	CHECK(first("synack_lost"));
	CHECK(says("synack_lost", "17 of 40"));
	CHECK(verdict("synq_full"));
	check_advice();
	end();

	/* Sent again because the accept queue was full: nothing was lost on the way. */
	world(2, 4096);
	stuck();
	SET(COMPLETED_LATE, 3);
	DROP_ACK(ACCEPTQ_FULL, 6);
	SET(SYNACK_RETRANSMIT, 6);
	SET(SYNACK_TIMEOUT, 6);
	explain();
	CHECK(!verdict("synack_lost"));
	end();

	/* One in a thousand is what networks do. */
	world(511, 4096);
	SET(SYN, 10000);
	SET(SYN_QUEUED, 10000);
	SET(COMPLETED, 10000);
	SET(COMPLETED_LATE, 10);
	SET(SYNACK_RETRANSMIT, 10);
	SET(SYNACK_TIMEOUT, 10);
	SET(ACCEPTED, 10000);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(!verdict("synack_lost"));
	end();
}

static void test_slow_clients(void)
{
	world(16, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(60, 53);
	SET(NOW_SYNQ, 0);
	SET(NOW_SYNQ_YOUNG, 0);
	SET(SYNQ_PEAK, 17);
	SET(COMPLETED, 60);
	SET(ACCEPTED, 60);
	SHOOK(702000, 60);
	explain();
	CHECK(first("slow_clients"));
	CHECK(says("slow_clients", "did not suffice"));
	CHECK(verdict("synq_full"));
	check_advice();
	end();

	/* Far away, and there is room: good to know, no more. */
	world(511, 4096);
	SET(SYN, 60);
	SET(SYN_QUEUED, 60);
	SET(COMPLETED, 60);
	SET(ACCEPTED, 60);
	SHOOK(702000, 60);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(verdict("slow_clients"));
	end();

	/* 100 ms is the other side of the sea. */
	world(511, 4096);
	SET(SYN, 60);
	SET(SYN_QUEUED, 60);
	SET(COMPLETED, 60);
	SHOOK(100000, 60);
	explain();
	CHECK(!verdict("slow_clients"));
	end();
}

/* ---- good to know, and nothing wrong -------------------------------------------------- */

static void test_micro_burst(void)
{
	world(512, 4096);
	SET(SYN, 300);
	SET(SYN_QUEUED, 300);
	SET(COMPLETED, 300);
	SET(ACCEPTED, 300);
	SET(SYNQ_PEAK, 280);
	SET(SYNQ_PEAK_TS, END - 10 * SEC);
	SET(ACCEPTQ_PEAK, 300);
	SET(ACCEPTQ_PEAK_TS, END - 10 * SEC);
	SHOOK(9000, 300);
	WAITED(9000, 300);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "accept queue at most 300 of 513"));
	CHECK(says("micro_burst", "58 % full"));
	check_advice();
	end();

	/* Long now: no burst. */
	world(512, 4096);
	SET(SYN, 300);
	SET(ACCEPTQ_PEAK, 300);
	SET(NOW_ACCEPTQ, 290);
	explain();
	CHECK(!verdict("micro_burst"));
	end();
}

static void test_forged(void)
{
	world(64, 4096);
	SET(SYN, 5000);
	SET(SYN_QUEUED, 4000);
	SET(COMPLETED, 4000);
	SET(SYN_COOKIE, 1000);
	SET(COOKIE_VALID, 1000);
	SET(COMPLETED_COOKIE, 1000);
	RESET_ACK(COOKIE_INVALID, 9);
	explain();
	CHECK(!verdict("cookies_forged"));
	RESET_ACK(COOKIE_INVALID, 60);
	w.ts += SEC;
	explain();
	CHECK(!verdict("cookies_forged"));
	RESET_ACK(COOKIE_INVALID, 600);
	w.ts += SEC;
	explain();
	CHECK(verdict("cookies_forged"));
	end();
}

static void test_requests_reset(void)
{
	world(511, 4096);
	SET(SYN, 1000);
	SET(SYN_QUEUED, 1000);
	SET(COMPLETED, 500);
	DIED(RCV_RST, 500);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("requests_reset", "500 of 1000"));
	CHECK(!verdict("syn_flood"));
	end();
	world(511, 4096);
	SET(SYN, 1000);
	SET(SYN_QUEUED, 1000);
	SET(COMPLETED, 990);
	DIED(RCV_RST, 10);
	explain();
	CHECK(!verdict("requests_reset"));
	end();
}

static void test_otherwise(void)
{
	world(511, 4096);
	SET(SYN, 10);
	DROP(NO_ROUTE, 4);
	DROP(SECURITY, 1);
	explain();
	CHECK(first("refused_otherwise"));
	CHECK(says("refused_otherwise", "no route back"));
	end();
}

static void test_netns(void)
{
	world(511, 4096);
	set(0, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 7);
	set(0, TCPFSM_TOTAL_LISTENERS_LOST, 5);
	set(0, TCPFSM_TOTAL_REFUSED_LAST_TS, END - 299 * SEC);
	explain();
	CHECK(says("listeners_gone", "7 SYNs or ACKs"));
	CHECK(says("listeners_unwatched", "listeners=4096"));
	set(0, TCPFSM_TOTAL_REFUSED_LAST_TS, END - 301 * SEC);
	explain();
	CHECK(!verdict("listeners_gone"));
	end();
	/* Who asks for a port does not ask for that. */
	world(511, 4096);
	w.filter.lport[0] = 80;
	w.filter.nlport = 1;
	tcpfsm_explain_free(w.x);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &(struct tcpfsm_explain_options) {
		.size = sizeof(struct tcpfsm_explain_options), .filter = &w.filter }), 0);
	set(0, TCPFSM_TOTAL_LISTENERS_LOST, 5);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(found[0].f.conn, 101);
	end();
}

/* Nothing is known of what happened to it: that is not nothing. */
static void test_placeless(void)
{
	world(511, 4096);
	w.placeless = true;
	SET(NOW_ACCEPTQ, 512);
	explain();
	CHECK(first("not_judged"));
	CHECK(says("not_judged", "not counted by itself; accept queue now 512 of 512"));
	end();
}

static void elsewhere(void)
{
	tcpfsm_explain_free(w.x);
	CHECK_EQ(tcpfsm_explain_new(&w.x, &(struct tcpfsm_explain_options) {
		.size = sizeof(struct tcpfsm_explain_options), .filter = &w.filter,
		.own_netns = NETNS + 1 }), 0);
}

/* A command for a sysctl of another network namespace says so, and of several each is for that one. */
static void test_elsewhere(void)
{
	world(4096, 128);
	clamped();
	elsewhere();
	explain();
	CHECK(says("acceptq_somaxconn", "in network namespace 4026531840, which is not ours"));
	CHECK(says("acceptq_somaxconn", ": nsenter -t 1001 -n sysctl -w net.core.somaxconn=4096"));
	end();

	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	SET(SYNACK_RETRANSMIT, 120);
	SET(SYNACK_TIMEOUT, 60);
	elsewhere();
	explain();
	CHECK(says("return_path", "nsenter -t 1001 -n sh -c 'nft list ruleset; nstat -az TcpExtIPReversePathFilter; conntrack -S'"));
	end();
}

/* A recording whose recorder was killed. */
static void test_without_end(void)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_TRANSITION, .ts = END + 7 * SEC + (uint64_t)OFFSET };
	const struct tcpfsm_item total = { .rec = { .type = TCPFSM_TYPE_TOTAL, .ts = END } };
	int ended;

	for (ended = 0; ended < 2; ended++) {
		world(511, 4096);
		tcpfsm_explain_free(w.x);
		CHECK_EQ(tcpfsm_explain_new(&w.x, &(struct tcpfsm_explain_options) {
			.size = sizeof(struct tcpfsm_explain_options), .filter = &w.filter,
			.epoch_offset = OFFSET, .ended = ended }), 0);
		CHECK_EQ(tcpfsm_explain_item(w.x, &total), 0);
		explain();
		CHECK(first("nothing_wrong"));
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
		explain();
		CHECK(first(ended ? "not_judged" : "nothing_wrong"));
		if (ended)
			CHECK(says("not_judged", "in the last 7.0 s of it was not counted"));
		end();
	}
}

static void test_nothing(void)
{
	world(511, 4096);
	SET(SYN, 1000);
	SET(SYN_QUEUED, 1000);
	SET(COMPLETED, 1000);
	SET(ACCEPTED, 1000);
	SET(SYNQ_PEAK, 3);
	SET(ACCEPTQ_PEAK, 5);
	SHOOK(300, 1000);
	WAITED(100, 1000);
	set(0, TCPFSM_TOTAL_KERNEL_BASE + TCPFSM_KERNEL_LISTENDROPS, 17);
	set(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENDROPS, 17);
	attach(3);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(nfound, 1);
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_OK);
	CHECK(says("nothing_wrong", "accept queue at most 5 of 512"));
	CHECK(says("nothing_wrong", "has not moved in that time; what it shows is from before"));
	set(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENDROPS, 20);
	w.ts += SEC;
	explain();
	CHECK(first("not_judged"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(says("not_judged", "ListenDrops has moved by 3, and listeners here tell of 0"));
	/* The kernel drops a request for an ICMP, too. */
	DIED(ICMP, 3);
	w.ts += SEC;
	explain();
	CHECK(first("nothing_wrong"));
	end();

	/* Records were lost. */
	world(511, 4096);
	w.ts = END;
	explain();
	CHECK(first("nothing_wrong"));
	CHECK_EQ(tcpfsm_explain_event(w.x, &(struct tcpfsm_event) {
		.type = TCPFSM_EVENT_LOST, .lost = 1, .ts = END + (uint64_t)OFFSET }), 0);
	explain();
	CHECK(first("not_judged"));
	CHECK(says("not_judged", "1 record was lost"));
	/* An hour later. */
	CHECK_EQ(tcpfsm_explain_event(w.x, &(struct tcpfsm_event) {
		.type = TCPFSM_EVENT_ACCEPT, .ts = END + 3600 * SEC + (uint64_t)OFFSET }), 0);
	explain();
	CHECK(first("nothing_wrong"));
	end();

	test_without_end();
	/* Nobody listens. */
	world(511, 4096);
	w.n = 1;
	explain();
	CHECK(first("no_listener"));
	end();
}

/* Closed since: the limit is told by what was refused. */
static void test_gone(void)
{
	world(2, 4096);
	stuck();
	SET(NOW_BACKLOG, 0);
	SET(NOW_SYNQ_PLACES, 0);
	SET(NOW_ACCEPTQ, 0);
	SET(NOW_GONE_TS, END - SEC);
	SET(ABANDONED, 3);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "accept queue 3 > 2"));
	CHECK(says("acceptq_app_slow", "did not accept"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	end();
}

/* It came after tcpfsm: all of its totals were observed. */
static void test_new(void)
{
	world(2, 4096);
	w.n = 1;
	attach(5);
	w.n = 2;
	stuck();
	SET(NOW_SINCE_TS, END - 4 * SEC);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("acceptq_app_slow", "6 (1.2/s) in the 5.0 s observed"));
	end();
}

/* The listener that refuses comes before another one's trifles. */
static void test_order(void)
{
	world(512, 4096);
	w.n = 3;
	limits(2, 8, 4096);
	SET(SYN, 60);
	SET(COMPLETED, 60);
	SET(COMPLETED_LATE, 30);
	set(2, TCPFSM_TOTAL_SYN, 900);
	set(2, TCPFSM_TOTAL_COMPLETED, 9);
	set(2, TCPFSM_TOTAL_NOW_ACCEPTQ, 9);
	set(2, TCPFSM_TOTAL_ACCEPTQ_PEAK, 9);
	set(2, TCPFSM_TOTAL_ACCEPTQ_FULL_NS, 9 * SEC);
	set(2, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 891);
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK_EQ(found[0].f.conn, 102);
	CHECK(says("acceptq_app_slow", "process not known"));
	CHECK(verdict("synack_lost"));
	end();
}

/* ---- clients -------------------------------------------------------------------------- */

static void syn(uint32_t from, uint8_t verdict, uint8_t reason, uint64_t ts)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_SYN, .ts = ts + (uint64_t)OFFSET };

	ev.rec.family = 4;
	ev.rec.listener = 101;
	ev.rec.flags = TCPFSM_F_PASSIVE;
	ev.rec.verdict = verdict;
	ev.rec.reason = reason;
	ev.rec.raddr[0] = (uint8_t)(from >> 24);
	ev.rec.raddr[1] = (uint8_t)(from >> 16);
	ev.rec.raddr[2] = (uint8_t)(from >> 8);
	ev.rec.raddr[3] = (uint8_t)from;
	CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
	if (verdict != TCPFSM_VERDICT_QUEUED)
		return;
	ev.type = TCPFSM_EVENT_TRANSITION;
	ev.new_state = TCPFSM_STATE_ESTABLISHED;
	CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
}

static void test_clients(void)
{
	unsigned int i;

	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	SET(SUPPRESSED, 100000);
	/* 198.51.100.0/24 sends most, each address once, as 100 others do. */
	for (i = 0; i < 250; i++)
		syn(0xc6336400 + i, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL,
		    END - 3 * SEC + i * MS);
	for (i = 0; i < 100; i++)
		syn(0x0a000000 + 256 * i, TCPFSM_VERDICT_QUEUED, 0, END - 2 * SEC + i * MS);
	explain();
	CHECK(first("syn_flood"));
	CHECK(says("syn_flood", "a sample of 350 SYNs, 350 addresses in 101 networks"));
	CHECK(says("syn_flood", "by network 198.51.100.0/24 (71 %)"));
	CHECK(says("syn_flood", "100 (29 %) completed"));
	CHECK(says("syn_flood", "limited by the module's syn_limit"));
	CHECK(says("syn_flood", "Ask whose network 198.51.100.0/24 is"));
	CHECK(!strstr(verdict("syn_flood")->all, "nft add rule"));
	CHECK(says("synq_full", "a sample of 250 refused, 250 addresses in 1 network;"));
	end();

	/* One address, or a few that come again: no flood. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 735);
	for (i = 0; i < 600; i++)
		syn(0xc6336400 + i % 3, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL,
		    END - 3 * SEC + i * MS);
	SET(SYNACK_RETRANSMIT, 325);
	SET(SYNACK_TIMEOUT, 325);
	DIED(TIMEOUT, 65);
	explain();
	CHECK(first("return_path"));
	CHECK(!verdict("syn_flood"));
	CHECK(says("return_path", "200.0 SYNs each"));
	CHECK(says("return_path", "nft list ruleset"));
	end();

	/* As many as there are. */
	world(64, 4096);
	SYSCTL(SYNCOOKIES, 0);
	flood(65, 200000);
	for (i = 0; i < 70000; i++)
		syn(0x0b000000 + i * 977, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL,
		    END - 3 * SEC);
	explain();
	CHECK(says("syn_flood", "more than 65536 addresses"));
	CHECK(says("syn_flood", "The addresses are many or forged"));
	end();
}

/* ---- how connections begin and end ------------------------------------------------ */

static struct tcpfsm_event of_conn(unsigned int type, uint16_t lport, uint16_t rport, unsigned int host)
{
	struct tcpfsm_event ev = { .type = (uint8_t)type, .ts = END - 2 * SEC + (uint64_t)OFFSET };

	ev.rec.family = 4;
	ev.rec.netns = NETNS;
	ev.rec.lport = lport;
	ev.rec.rport = rport;
	ev.rec.laddr[0] = 10;
	ev.rec.raddr[0] = 10;
	ev.rec.raddr[3] = (uint8_t)host;
	ev.has_owner = true;
	ev.pid = 77;
	strcpy(ev.comm, "curl");
	return ev;
}

static void fails(unsigned int n, uint8_t error)
{
	struct tcpfsm_event ev = of_conn(TCPFSM_EVENT_CONNECT_FAILED, 40000, 8080, 2);

	for (ev.rec.arg = error; n; n--)
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
}

/* n connections, each of another port of the client, at a time before END. */
static void again_at(unsigned int n, uint8_t what, uint8_t count, uint16_t lport, uint16_t rport, uint64_t before)
{
	struct tcpfsm_event ev = of_conn(TCPFSM_EVENT_RETRANSMIT, lport, rport, 3);

	ev.ts = END - before + (uint64_t)OFFSET;
	ev.rec.verdict = what;
	ev.rec.arg = count;
	for (; n; n--) {
		ev.rec.conn = 1000 + n;
		*(lport > rport ? &ev.rec.lport : &ev.rec.rport) += 1;
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
	}
}

static void again(unsigned int n, uint8_t what, uint8_t count, uint16_t lport, uint16_t rport)
{
	again_at(n, what, count, lport, rport, 2 * SEC);
}

/* SYNs of the same ports come to a listener of another network namespace. */
static void come(unsigned int n, uint8_t verdict, uint16_t lport, uint16_t rport, uint64_t before)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_SYN, .ts = END - before + (uint64_t)OFFSET };

	ev.rec.family = 4;
	ev.rec.netns = NETNS + 1;
	ev.rec.listener = 900;
	ev.rec.flags = TCPFSM_F_PASSIVE;
	ev.rec.verdict = verdict;
	ev.rec.lport = lport;
	ev.rec.rport = rport;
	ev.rec.raddr[0] = ev.rec.laddr[0] = 10;
	ev.rec.laddr[3] = 3;
	for (; n; n--) {
		ev.rec.rport++;
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
	}
}

static void left_out(uint16_t lport)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_LOST, .suppressed = true, .lost = 1000 };

	ev.ts = ev.to_ts = END - 2 * SEC + (uint64_t)OFFSET;
	ev.from_ts = ev.ts - SEC;
	ev.rec.verdict = TCPFSM_TYPE_SYN;
	ev.rec.lport = lport;
	CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
}

static void closes(unsigned int n, uint8_t cause, uint16_t lport, uint16_t rport)
{
	struct tcpfsm_event ev = of_conn(TCPFSM_EVENT_TRANSITION, lport, rport, 4);

	ev.old_state = TCPFSM_STATE_ESTABLISHED;
	ev.new_state = TCPFSM_STATE_CLOSE;
	for (ev.cause = cause; n; n--)
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
}

static void connected_to(uint16_t port, unsigned int n, int64_t ns)
{
	struct tcpfsm_event ev = of_conn(TCPFSM_EVENT_TRANSITION, 40000, port, 3);

	ev.old_state = TCPFSM_STATE_SYN_SENT;
	ev.new_state = TCPFSM_STATE_ESTABLISHED;
	for (ev.dur_ns = ns; n; n--) {
		ev.rec.lport++;
		CHECK_EQ(tcpfsm_explain_event(w.x, &ev), 0);
	}
}

static void connected(unsigned int n, int64_t ns)
{
	connected_to(8080, n, ns);
}

static void test_connects_slow(void)
{
	world(128, 4096);
	connected(100, MS);
	connected(5, 1 * SEC);
	/* 2 s where time-outs are not doubled at once. */
	again(7, TCPFSM_SEGMENT_SYN, 2, 40000, 8080);
	connected(7, 2 * SEC);
	connected(100, MS);
	explain();
	CHECK(first("connects_slow"));
	CHECK(says("connects_slow", "connect() of curl to 10.0.0.3:8080 takes a second or more, as SYNs get lost: 12 of 112"));
	CHECK(says("connects_slow", "12 succeeded after the SYN had been sent again, 7 of them twice or more; the longest took 2.0 s"));
	end();

	/* Few, or a small share; and how long is not known of a snapshot's. */
	world(128, 4096);
	connected(4, 1 * SEC);
	explain();
	CHECK(first("nothing_wrong"));
	connected(1, 1 * SEC);
	connected(300, MS);
	connected(300, -1);
	explain();
	CHECK(first("nothing_wrong"));
	end();

	/* Who got in at last did get an answer: one finding for one destination. */
	world(128, 4096);
	again(20, TCPFSM_SEGMENT_SYN, 2, 40000, 8080);
	connected(18, 3 * SEC);
	explain();
	CHECK(first("connects_slow"));
	CHECK(!verdict("connects_time_out"));
	again(20, TCPFSM_SEGMENT_SYN, 2, 40000, 8080);
	explain();
	CHECK(first("connects_time_out"));
	CHECK(says("connects_time_out", "does not answer: 22 connect()s"));
	CHECK(says("connects_time_out", "18 others succeeded"));
	CHECK(!verdict("connects_slow"));
	end();

	/* Their SYNs left before anybody looked. */
	world(128, 4096);
	fails(4, ETIMEDOUT);
	explain();
	CHECK(first("connects_time_out"));
	CHECK(says("connects_time_out", "does not answer: 4 connect()s of curl failed with ETIMEDOUT"));
	end();

	/* The first SYN came to a listener here, whose queue was full: that is the cause, and told there. */
	world(128, 4096);
	come(1000, TCPFSM_VERDICT_DROPPED, 80, 40000, 3 * SEC);
	again(1000, TCPFSM_SEGMENT_SYN, 1, 40000, 80);
	come(1000, TCPFSM_VERDICT_QUEUED, 80, 40000, 2 * SEC);
	connected_to(80, 1000, SEC);
	explain();
	CHECK(!verdict("connects_slow"));
	end();

	/* Only the second one came. */
	world(128, 4096);
	again(20, TCPFSM_SEGMENT_SYN, 1, 40000, 80);
	come(20, TCPFSM_VERDICT_QUEUED, 80, 40000, 2 * SEC);
	connected_to(80, 20, SEC);
	explain();
	CHECK(first("connects_slow"));
	end();
}

static void test_connects(void)
{
	world(128, 4096);
	fails(4, ECONNREFUSED);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "4 connect() refused"));
	end();

	world(128, 4096);
	fails(200, ECONNREFUSED);
	explain();
	CHECK(first("connects_refused"));
	CHECK(says("connects_refused", "10.0.0.2:8080 refuses connections: 200 connect()s of curl"));
	CHECK(says("connects_refused", "ss -ltnp sport = 8080"));
	end();

	/* Somebody listens at that port, but not there. */
	world(128, 4096);
	w.n = 3;
	limits(2, 128, 4096);
	fails(50, ECONNREFUSED);
	explain();
	CHECK(first("connects_refused"));
	end();

	world(128, 4096);
	again(50, TCPFSM_SEGMENT_SYN, 1, 40000, 8080);
	again(46, TCPFSM_SEGMENT_SYN, 2, 40000, 8080);
	again(46, TCPFSM_SEGMENT_SYN, 3, 40000, 8080);
	explain();
	CHECK(first("connects_time_out"));
	CHECK(says("connects_time_out", "10.0.0.3:8080 does not answer: 46 connect()s"));
	end();

	/* A listener at that port, of another network namespace, too, that no SYN came to. */
	world(128, 4096);
	SET(SYN, 46);
	again(46, TCPFSM_SEGMENT_SYN, 2, 40000, 80);
	come(46, TCPFSM_VERDICT_QUEUED, 80, 50000, 2 * SEC);
	explain();
	CHECK(first("connects_time_out"));
	CHECK(says("connects_time_out", "10.0.0.3:80 does not answer: 46 connect()s"));
	end();

	/* They came to it: what is wrong is said of that. */
	world(128, 4096);
	come(46, TCPFSM_VERDICT_DROPPED, 80, 40000, 5 * SEC);
	again(46, TCPFSM_SEGMENT_SYN, 2, 40000, 80);
	explain();
	CHECK(!verdict("connects_time_out"));
	end();

	/* So did the third of each. */
	world(128, 4096);
	again(46, TCPFSM_SEGMENT_SYN, 2, 40000, 80);
	explain();
	CHECK(first("connects_time_out"));
	come(46, TCPFSM_VERDICT_DROPPED, 80, 40000, 2 * SEC - MS);
	fails(4, ETIMEDOUT);
	explain();
	CHECK(!verdict("connects_time_out") || !says("connects_time_out", ":80 "));
	end();

	/* Amid a flood that the module does not tell all of. */
	world(128, 4096);
	again(46, TCPFSM_SEGMENT_SYN, 1, 40000, 80);
	left_out(80);
	again(46, TCPFSM_SEGMENT_SYN, 2, 40000, 80);
	explain();
	CHECK(!verdict("connects_time_out"));
	end();
}

static void test_ends(void)
{
	world(128, 4096);
	closes(200, TCPFSM_CAUSE_SND_RST, 80, 40000);
	explain();
	CHECK(first("resets_sent"));
	CHECK(says("resets_sent", "200 of 200 that ended at port 80 of this host"));
	end();

	world(128, 4096);
	closes(20, TCPFSM_CAUSE_RCV_RST, 40000, 443);
	closes(60, TCPFSM_CAUSE_RCV_ACK_OF_FIN, 40000, 443);
	explain();
	CHECK(first("resets_received"));
	CHECK(says("resets_received", "20 of 80 that ended at 10.0.0.4:443"));
	end();

	world(128, 4096);
	closes(20, TCPFSM_CAUSE_RCV_RST, 40000, 443);
	closes(600, TCPFSM_CAUSE_RCV_ACK_OF_FIN, 40000, 443);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "20 reset by the peer"));
	CHECK(says("nothing_wrong", "CLOSE_WAIT"));
	end();

	world(128, 4096);
	again(5, TCPFSM_SEGMENT_DATA, 6, 80, 40000);
	again(5, TCPFSM_SEGMENT_DATA, 7, 80, 40000);
	explain();
	CHECK(first("peer_gone"));
	CHECK(says("peer_gone", "10.0.0.3 does not answer any more: 5 connections"));
	end();

	/* They try on, ever more seldom: more than a minute apart in the end. */
	world(128, 4096);
	again_at(5, TCPFSM_SEGMENT_DATA, 6, 80, 40000, 140 * SEC);
	again_at(5, TCPFSM_SEGMENT_DATA, 7, 80, 40000, 127 * SEC);
	again_at(5, TCPFSM_SEGMENT_DATA, 8, 80, 40000, 102 * SEC);
	again_at(5, TCPFSM_SEGMENT_DATA, 9, 80, 40000, 51 * SEC);
	explain();
	CHECK(first("peer_gone"));
	CHECK(says("peer_gone", "10.0.0.3 does not answer any more: 5 connections"));
	end();

	/* They have stopped. */
	world(128, 4096);
	again_at(5, TCPFSM_SEGMENT_DATA, 6, 80, 40000, 140 * SEC);
	again_at(5, TCPFSM_SEGMENT_DATA, 7, 80, 40000, 127 * SEC);
	explain();
	CHECK(says("peer_gone", "10.0.0.3 did not answer any more: 5 connections"));
	end();

	/* Nobody looked in the first minutes. */
	world(128, 4096);
	again_at(5, TCPFSM_SEGMENT_FIN, 11, 80, 40000, 90 * SEC);
	explain();
	CHECK(says("peer_gone", "10.0.0.3 does not answer any more: 5 connections"));
	end();
}

/* The time of a reason of its own, when there are several. */
static void test_since(void)
{
	world(8, 4096);
	slow(END - 300 * SEC);
	SET(SYN_COOKIE, 5);
	SET(REFUSED_LAST_TS, END);
	syn(0x0a000001, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL, END - 299 * SEC);
	syn(0x0a000001, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL, END - 288 * SEC);
	explain();
	CHECK(says("acceptq_app_slow", "(4.8 min ago)"));
	end();
}

/* ---- hostile names, JSON -------------------------------------------------------------- */

static int on_json(const struct tcpfsm_finding *f, void *arg)
{
	static char buf[TCPFSM_FINDING_JSON_MAX];
	size_t len = tcpfsm_finding_json(f, buf);

	(void)arg;
	CHECK(len && buf[len - 1] == '\n');
	buf[len - 1] = '\0';
#ifdef HAVE_JSON_C
	static const char * const keys[] = {
		"ts", "event", "conn", "netns", "family", "laddr", "lport", "pid", "comm",
		"verdict", "severity", "text", "evidence", "remedy", "cost", "summary", "do", "not_judged",
	};
	json_object *o = json_tokener_parse(buf), *v;
	size_t i;

	CHECK(o);
	for (i = 0; o && i < sizeof(keys) / sizeof(keys[0]); i++)
		CHECK(json_object_object_get_ex(o, keys[i], &v));
	if (o) {
		json_object_object_get_ex(o, "event", &v);
		CHECK(!strcmp(json_object_get_string(v), "finding"));
		json_object_object_get_ex(o, "evidence", &v);
		CHECK_EQ(json_object_array_length(v), f->nevidence);
		json_object_object_get_ex(o, "ts", &v);
		CHECK_EQ(json_object_get_int64(v), (int64_t)END + OFFSET);
		json_object_object_get_ex(o, "do", &v);
		CHECK_EQ(json_object_array_length(v), f->nactions);
		v = json_object_array_get_idx(v, 0);
		CHECK(json_object_object_get_ex(v, "command", &v));
		CHECK(!strcmp(v ? json_object_get_string(v) : "", f->actions[0].command));
		json_object_object_get_ex(o, "laddr", &v);
		CHECK(!strcmp(json_object_get_string(v), "0.0.0.0"));
	}
	json_object_put(o);
#endif
	return 0;
}

static void test_hostile(void)
{
	const char *p;

	world(2, 4096);
	memcpy(w.comm[1], "\033[2J\"\\\xff\n%n%s", 13);
	stuck();
	DROP_ACK(ACCEPTQ_FULL, 4);
	explain();
	for (p = found[0].all; *p; p++)
		CHECK((*p >= ' ' && *p < 0x7f) || *p == '\n');
	CHECK(says("acceptq_app_slow", "?[2J\"\\??%n%s"));
	CHECK_EQ(tcpfsm_explain_findings(w.x, w.ls, on_json, NULL), 0);
	end();
}

/* Whatever the numbers: printable text, no overflow (the sanitizers see it), valid JSON. */
static void test_any(void)
{
	unsigned int round, i, index, n;
	const char *p;

	any_numbers = true;
	srandom(1);
	for (round = 0; round < 400; round++) {
		world((uint64_t)random() % 5000, (uint64_t)random() % 5000);
		w.n = 3;
		for (n = 0; n < 3; n++) {
			if (n == 1)
				attach(3);
			for (i = 0; i < w.n; i++)
				for (index = 0; index < TCPFSM_TOTAL_NUM; index++)
					if (!(random() % 3))
						w.v[i][index] = ((uint64_t)random() << 33 ^
								 (uint64_t)random()) >> random() % 64;
		}
		explain();
		for (i = 0; i < nfound; i++)
			for (p = found[i].all; *p; p++)
				CHECK((*p >= ' ' && *p < 0x7f) || *p == '\n');
		end();
	}
	any_numbers = false;
}

/* Hooks that are off: what they do not see is never called right, whatever is asked for. */
static void test_not_judged(void)
{
	static const uint32_t netns[] = { 0, NETNS };
	struct tcpfsm_info info = { .size = sizeof(info), .features = ~0ULL };
	struct tcpfsm_explain_options opts = {
		.size = sizeof(opts), .epoch_offset = OFFSET, .filter = &w.filter, .info = &info,
	};
	unsigned int i, lport;

	for (i = 0; i < 2; i++) {
		for (lport = 79; lport <= 81; lport++) {
			world(128, 4096);
			tcpfsm_explain_free(w.x);
			w.filter.netns = netns[i];
			if (lport < 81) {
				w.filter.lport[0] = (uint16_t)lport;
				w.filter.nlport = 1;
			}
			/* All is on: as ever. */
			info.features = ~0ULL;
			CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
			explain();
			CHECK(first(lport == 79 ? "no_listener" : "nothing_wrong"));
			tcpfsm_explain_free(w.x);
			info.features &= ~(1ULL << TCPFSM_FEATURE_SYN | 1ULL << TCPFSM_FEATURE_ACCEPT);
			info.error[TCPFSM_FEATURE_SYN] = info.error[TCPFSM_FEATURE_ACCEPT] = -EBUSY;
			CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
			explain();
			CHECK_EQ(nfound, 1);
			CHECK(first("not_judged"));
			CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
			CHECK_EQ(found[0].f.netns, netns[i]);
			CHECK(says("not_judged", "off: syn, accept (EBUSY: kernel.ftrace_enabled was 0"));
			CHECK(strstr(found[0].remedy, "sysctl -w kernel.ftrace_enabled=1 && rmmod"));
			end();
		}
	}

	/* Whatever the reason; and what was found all the same is told. */
	world(2, 4096);
	tcpfsm_explain_free(w.x);
	info = (struct tcpfsm_info) {
		.size = sizeof(info), .features = ~(1ULL << TCPFSM_FEATURE_TW_LEAVE),
	};
	info.error[TCPFSM_FEATURE_TW_LEAVE] = -ENOENT;
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
	stuck();
	explain();
	CHECK(first("acceptq_app_slow"));
	CHECK(says("not_judged", "off: tw_leave (ENOENT: the kernel has no such function"));
	CHECK(!strstr(verdict("not_judged")->remedy, "ftrace_enabled"));
	CHECK(!verdict("nothing_wrong"));
	end();

	/* No verdict rests on it. */
	world(128, 4096);
	tcpfsm_explain_free(w.x);
	info = (struct tcpfsm_info) {
		.size = sizeof(info), .features = ~(1ULL << TCPFSM_FEATURE_SHUTDOWN),
	};
	info.error[TCPFSM_FEATURE_SHUTDOWN] = -ENOENT;
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
	explain();
	CHECK(first("nothing_wrong"));
	end();
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	TEST("explain: the application does not accept", test_stuck());
	TEST("explain: nobody accepts, and the queue is not full yet", test_stalled());
	TEST("explain: accepts that were not seen", test_accepts_unseen());
	TEST("explain: an overload begins", test_overload_begins());
	TEST("explain: a listener closed with connections in its queue", test_listener_closed());
	TEST("explain: it accepted too slowly", test_slow_ever());
	TEST("explain: it accepts too slowly now, after years of good service", test_slow_now());
	TEST("explain: Little's law", test_little());
	TEST("explain: the backlog is too small for bursts", test_small());
	TEST("explain: clamped by somaxconn, then, perhaps, and not", test_clamped());
	TEST("explain: clamped, but slow all the same", test_clamped_and_slow());
	TEST("explain: phantom connections", test_phantom());
	TEST("explain: tcp_abort_on_overflow", test_reset());
	TEST("explain: features that are off", test_not_judged());
	TEST("explain: one of an SO_REUSEPORT group", test_reuseport());
	TEST("explain: SYN flood, dropped", test_flood_drop());
	TEST("explain: SYN flood, cookies", test_flood_cookie());
	TEST("explain: SYN flood of which nothing is answered", test_flood_unanswered());
	TEST("explain: SYN flood after a million connections, and after its end", test_flood_now());
	TEST("explain: no SYN flood, though the queue was full", test_no_flood());
	TEST("explain: tcp_syncookies=2", test_always());
	TEST("explain: the last quarter of tcp_max_syn_backlog", test_last_quarter());
	TEST("explain: TCP_DEFER_ACCEPT, and clients that speak at once", test_defer());
	TEST("explain: SYN-ACKs lost, and sent again for other reasons", test_synack_lost());
	TEST("explain: clients far away", test_slow_clients());
	TEST("explain: bursts that ss does not show", test_micro_burst());
	TEST("explain: forged cookies", test_forged());
	TEST("explain: requests reset by the peer", test_requests_reset());
	TEST("explain: refused for other reasons", test_otherwise());
	TEST("explain: what a network namespace tells", test_netns());
	TEST("explain: a listener without a place is not judged", test_placeless());
	TEST("explain: in another network namespace", test_elsewhere());
	TEST("explain: nothing wrong", test_nothing());
	TEST("explain: a listener that is gone", test_gone());
	TEST("explain: a listener that came meanwhile", test_new());
	TEST("explain: the worst comes first", test_order());
	TEST("explain: which clients", test_clients());
	TEST("explain: connects that are refused or get no answer", test_connects());
	TEST("explain: connect() that succeeds after its SYN was sent again", test_connects_slow());
	TEST("explain: resets, and peers that are gone", test_ends());
	TEST("explain: since when, with several reasons", test_since());
	TEST("explain: a hostile name; JSON", test_hostile());
	TEST("explain: any numbers", test_any());
	return check_done();
}
