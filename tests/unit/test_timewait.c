// SPDX-License-Identifier: GPL-2.0-only
/* The ledger of mini-sockets, from made-up events. */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../../userspace/show/timewait.h"
#include "../../userspace/lib/tcpfsm.h"

#define S(s)		TCPFSM_STATE_##s
#define TW(a)		TCPFSM_TW_##a
#define NETNS		4026531840U
#define SEC		1000000000ULL
#define T0		(1000 * SEC)

static struct tcpfsm_timewaits *ledger;
static struct tcpfsm_timewait got[64];
static size_t ngot;

static void begin_with(struct tcpfsm_timewaits_options o)
{
	o.size = sizeof(o);
	tcpfsm_timewaits_free(ledger);
	CHECK_EQ(tcpfsm_timewaits_new(&ledger, &o), 0);
}

static void begin(void)
{
	begin_with((struct tcpfsm_timewaits_options) { .since = T0 });
}

/* A connection from 10.0.0.1:lport to 10.9.0.0 plus peer, port 80. */
static struct tcpfsm_event event(uint8_t type, uint64_t conn, uint64_t ts, uint16_t lport,
				 uint32_t peer)
{
	struct tcpfsm_event ev = {
		.type = type, .ts = ts, .dur_ns = -1,
		.rec = { .conn = conn, .netns = NETNS, .family = 4, .lport = lport, .rport = 80 },
	};
	uint32_t addr = htonl(0x0a090000 + peer);

	inet_pton(AF_INET, "10.0.0.1", ev.rec.laddr);
	memcpy(ev.rec.raddr, &addr, sizeof(addr));
	return ev;
}

static void owned(struct tcpfsm_event *ev, uint32_t pid)
{
	ev->has_owner = true;
	ev->pid = pid;
	strcpy(ev->comm, "client");
}

static void feed(const struct tcpfsm_event *ev)
{
	CHECK_EQ(tcpfsm_timewaits_event(ledger, ev), 0);
}

static void action(uint8_t verdict, uint8_t old, uint8_t new, uint64_t conn, uint64_t ts,
		   uint32_t peer, uint32_t pid)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, conn, ts, 40000, peer);

	ev.old_state = ev.rec.old_state = old;
	ev.new_state = ev.rec.new_state = new;
	ev.rec.verdict = verdict;
	ev.rec.tw = 77;
	ev.rec.tw_max = 1000;
	if (pid)
		owned(&ev, pid);
	feed(&ev);
}

static void enter(uint64_t conn, uint64_t ts, uint32_t peer, uint32_t pid)
{
	action(TW(ENTER), S(TIME_WAIT), S(TIME_WAIT), conn, ts, peer, pid);
}

static void leave(uint8_t verdict, uint64_t conn, uint64_t ts)
{
	action(verdict, S(TIME_WAIT), S(TIME_WAIT), conn, ts, 1, 0);
}

static void transition(uint8_t old, uint8_t new, uint64_t conn, uint64_t ts, uint16_t lport)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TRANSITION, conn, ts, lport, 1);

	ev.old_state = old;
	ev.new_state = new;
	feed(&ev);
}

static uint64_t snapshot_ts = T0;

static void socket_is(uint64_t conn, uint8_t state, uint16_t lport, uint32_t age_ms)
{
	const struct tcpfsm_event ev = event(0, conn, 0, lport, 1);
	struct tcpfsm_item item = { .rec = ev.rec };

	item.rec.type = TCPFSM_TYPE_SOCKET;
	item.rec.ts = snapshot_ts;
	item.rec.old_state = item.rec.new_state = state;
	item.rec.rcv = age_ms;
	if (state == S(TIME_WAIT) || state == S(FIN_WAIT2))
		item.rec.verdict = TW(ENTER);
	CHECK_EQ(tcpfsm_timewaits_item(ledger, &item), 0);
}

static void resync_mark(uint32_t mark, uint32_t netns, uint8_t err)
{
	struct tcpfsm_item item = { .rec = {
		.type = TCPFSM_TYPE_SOCKET, .ts = snapshot_ts, .snd = mark, .netns = netns,
		.arg = err,
	} };

	CHECK_EQ(tcpfsm_timewaits_item(ledger, &item), 0);
}

static void resync_begin(uint64_t ts)
{
	snapshot_ts = ts;
	resync_mark(TCPFSM_RESYNC_BEGIN, 0, 0);
}

static void resync_end(void)
{
	resync_mark(TCPFSM_RESYNC_END, 0, 0);
	snapshot_ts = T0;
}

static void lose(uint64_t n, uint64_t ts)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_LOST, .lost = n, .ts = ts };

	feed(&ev);
}

static uint64_t totals_ts = T0;

static void total_of(uint32_t netns, uint32_t index, uint64_t value)
{
	struct tcpfsm_item item = { .rec = {
		.type = TCPFSM_TYPE_TOTAL, .ts = totals_ts, .netns = netns, .rcv = index, .listener = value,
	} };

	CHECK_EQ(tcpfsm_timewaits_item(ledger, &item), 0);
}

static void total(uint32_t index, uint64_t value)
{
	total_of(NETNS, index, value);
}

static int take(const struct tcpfsm_timewait *g, void *arg)
{
	(void)arg;
	if (ngot < 64)
		got[ngot++] = *g;
	return 0;
}

/* The groups of a kind; the first one. */
static const struct tcpfsm_timewait *read_all(enum tcpfsm_timewait_kind kind, uint64_t now,
					      size_t max)
{
	memset(got, 0, sizeof(got));
	ngot = 0;
	CHECK_EQ(tcpfsm_timewaits_each(ledger, kind, now, max, take, NULL), 0);
	return got;
}

#define NETNSES(now)	read_all(TCPFSM_TIMEWAIT_NETNS, now, 64)
#define DESTS(now)	read_all(TCPFSM_TIMEWAIT_DESTINATION, now, 64)
#define OWNERS(now)	read_all(TCPFSM_TIMEWAIT_OWNER, now, 64)

/* ---- one socket ---------------------------------------------------------------------- */

static void test_life(void)
{
	const struct tcpfsm_timewait *g;

	begin();
	transition(S(CLOSE), S(SYN_SENT), 1, T0 + 1, 40000);
	CHECK_EQ(DESTS(T0 + SEC)->open, 0);	/* not a mini-socket: no row of its own */
	action(TW(ENTER), S(FIN_WAIT2), S(FIN_WAIT2), 1, T0 + 2, 1, 7);
	g = DESTS(T0 + SEC);
	CHECK_EQ(ngot, 1);
	CHECK_EQ(g->fin_wait2, 1);
	CHECK_EQ(g->open, 0);
	CHECK_EQ(g->rport, 80);
	CHECK_EQ(g->lport, 0);
	CHECK(!g->inbound);
	action(TW(REFRESH), S(FIN_WAIT2), S(TIME_WAIT), 1, T0 + 3, 1, 7);
	g = DESTS(T0 + SEC);
	CHECK_EQ(g->fin_wait2, 0);
	CHECK_EQ(g->time_wait, 1);
	CHECK_EQ(g->flow[TCPFSM_TW_FLOW_FIN], 1);
	CHECK_EQ(g->flow[TCPFSM_TW_FLOW_FIN_WAIT2], 1);
	g = OWNERS(T0 + SEC);
	CHECK_EQ(g->pid, 7);
	CHECK(!strcmp(g->comm, "client"));
	CHECK_EQ(g->closer[TCPFSM_CLOSER_LOCAL], 1);
	leave(TW(EXPIRE), 1, T0 + 60 * SEC);
	g = NETNSES(T0 + 61 * SEC);
	CHECK_EQ(g->time_wait + g->fin_wait2, 0);
	CHECK_EQ(g->flow[TW(EXPIRE)], 1);
	CHECK_EQ(g->tw, 77);
	CHECK_EQ(g->limit, 1000);
	CHECK_EQ(OWNERS(T0 + 61 * SEC)->flow[TW(EXPIRE)], 1);
}

static void test_ends(void)
{
	static const uint8_t ends[] = {
		TW(REOPEN), TW(REUSE), TW(KILL), TW(EXPIRE), TW(PURGE),
	};
	const struct tcpfsm_timewait *g;
	size_t i;

	begin();
	for (i = 0; i < sizeof(ends); i++) {
		enter(10 + i, T0 + 1, 1, 7);
		leave(ends[i], 10 + i, T0 + 2);
	}
	action(TW(DENIED), S(TIME_WAIT), S(TIME_WAIT), 20, T0 + 3, 1, 7);
	leave(TW(EXPIRE), 999, T0 + 4);		/* never heard of */
	g = NETNSES(T0 + SEC);
	CHECK_EQ(g->time_wait, 0);
	CHECK_EQ(g->flow[TW(ENTER)], 5);
	CHECK_EQ(g->flow[TW(DENIED)], 1);
	CHECK_EQ(g->flow[TW(EXPIRE)], 2);
	for (i = 0; i < sizeof(ends); i++)
		CHECK(g->flow[ends[i]]);
}

static void test_both_close(void)
{
	begin();
	enter(1, T0 + 1, 1, 7);
	transition(S(CLOSING), S(TIME_WAIT), 1, T0 + 1, 40000);
	CHECK_EQ(DESTS(T0 + SEC)->closer[TCPFSM_CLOSER_BOTH], 1);
	CHECK_EQ(got->closer[TCPFSM_CLOSER_LOCAL], 0);
}

/* ---- reuse ---------------------------------------------------------------------------- */

static void stamped(uint8_t verdict, uint8_t old, uint64_t conn, uint64_t ts, uint8_t flags)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, conn, ts, 40000, 1);

	ev.old_state = ev.rec.old_state = old;
	ev.new_state = ev.rec.new_state = verdict == TW(ENTER) ? old : S(TIME_WAIT);
	ev.rec.verdict = verdict;
	ev.rec.flags = flags;
	feed(&ev);
}

static void reuse_is(uint64_t now, uint64_t ready, uint64_t young, uint64_t without,
		     uint64_t unknown)
{
	struct tcpfsm_timewait_reuse r;

	tcpfsm_timewaits_reuse(ledger, DESTS(now), now, &r);
	CHECK_EQ(r.ready, ready);
	CHECK_EQ(r.young, young);
	CHECK_EQ(r.without, without);
	CHECK_EQ(r.unknown, unknown);
}

/* ktime_get_seconds() counts in whole seconds of CLOCK_MONOTONIC, which the epoch does not. */
static void test_reuse(void)
{
	const uint8_t with = TCPFSM_F_TIMESTAMPS;
	struct tcpfsm_timewait_reuse r;

	begin_with((struct tcpfsm_timewaits_options) {
		.since = T0, .epoch_offset = 900 * (int64_t)SEC + (int64_t)SEC / 4,
	});
	socket_is(1, S(TIME_WAIT), 40001, 25000);
	socket_is(2, S(TIME_WAIT), 40002, 25000);
	stamped(TW(ENTER), S(TIME_WAIT), 3, T0 + SEC / 8, with);
	stamped(TW(ENTER), S(TIME_WAIT), 4, T0 + SEC / 8, 0);
	stamped(TW(ENTER), S(FIN_WAIT2), 5, T0 + SEC / 8, with);
	reuse_is(T0 + SEC / 4 - 1, 0, 1, 1, 2);
	reuse_is(T0 + SEC / 4, 1, 0, 1, 2);
	stamped(TW(REFRESH), S(FIN_WAIT2), 5, T0 + SEC / 2, with);
	stamped(TW(ENTER), S(TIME_WAIT), 6, T0 + SEC, with);
	reuse_is(T0 + SEC, 1, 2, 1, 2);
	reuse_is(T0 + 5 * SEC / 4, 3, 0, 1, 2);
	stamped(TW(EXPIRE), S(TIME_WAIT), 6, T0 + 5 * SEC / 4, with);
	/* A segment tells of an old one. */
	stamped(TW(REFRESH), S(TIME_WAIT), 1, T0 + 3 * SEC / 2, with);
	reuse_is(T0 + 3 * SEC / 2, 2, 1, 1, 1);
	stamped(TW(REUSE), S(TIME_WAIT), 3, T0 + 2 * SEC, with);
	reuse_is(T0 + 3 * SEC, 2, 0, 1, 1);
	tcpfsm_timewaits_reuse(ledger, NETNSES(T0 + 3 * SEC), T0 + 3 * SEC, &r);
	CHECK_EQ(r.ready + r.young + r.without + r.unknown, 0);
}

/* net.ipv4.tcp_tw_reuse_delay; the second that it reaches into counts as a whole. */
static void test_reuse_delay(void)
{
	struct tcpfsm_timewait_reuse r;
	uint64_t i;

	begin();
	total(TCPFSM_TOTAL_NOW_TW_REUSE_DELAY, 2500);
	for (i = 0; i < 4; i++)
		stamped(TW(ENTER), S(TIME_WAIT), 1 + i, T0 + i * SEC, TCPFSM_F_TIMESTAMPS);
	reuse_is(T0 + 39 * SEC / 10, 1, 3, 0, 0);
	reuse_is(T0 + 46 * SEC / 10, 2, 2, 0, 0);
	tcpfsm_timewaits_reuse(ledger, DESTS(T0 + 5 * SEC), T0 + 5 * SEC, &r);
	CHECK_EQ(r.delay_ms, 2500);
	total(TCPFSM_TOTAL_NOW_TW_REUSE_DELAY, 60000);
	reuse_is(T0 + 59 * SEC, 0, 4, 0, 0);
	total(TCPFSM_TOTAL_NOW_TW_REUSE_DELAY, 1);
	reuse_is(T0 + 39 * SEC / 10, 3, 1, 0, 0);
	/* One without timestamps is no younger. */
	stamped(TW(ENTER), S(TIME_WAIT), 9, T0 + 3 * SEC, 0);
	reuse_is(T0 + 5 * SEC, 4, 0, 1, 0);
}

static void test_maker(void)
{
	const struct tcpfsm_timewait *g;
	uint32_t i;

	begin();
	enter(1000, T0, 1, 0);
	CHECK(!DESTS(T0 + SEC)->has_maker);
	for (i = 0; i < 50; i++)
		enter(1 + i, T0 + i, 1, 8 + i % 2);
	for (i = 50; i < 151; i++)
		enter(1 + i, T0 + i, 1, i % 2 ? 7 : i);
	for (i = 0; i < 52; i++)
		enter(1001 + i, T0 + 200 + i, 1, 7);
	g = DESTS(T0 + SEC);
	CHECK(g->has_maker);
	CHECK_EQ(g->maker_pid, 7);
	CHECK(!strcmp(g->maker_comm, "client"));
}

/* Link-local addresses mean nothing without their link: its ports are its own. */
static void test_devices(void)
{
	const struct tcpfsm_timewait *g;
	uint32_t i;

	begin();
	for (i = 0; i < 5; i++) {
		struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, 1 + i, T0 + i, 40000, 1);

		ev.old_state = ev.new_state = ev.rec.old_state = ev.rec.new_state = S(TIME_WAIT);
		ev.rec.verdict = TW(ENTER);
		ev.rec.dev = 3 + i / 3;
		feed(&ev);
	}
	g = DESTS(T0 + SEC);
	CHECK_EQ(ngot, 2);
	CHECK(g[0].dev == 3 && g[0].time_wait == 3);
	CHECK(g[1].dev == 4 && g[1].time_wait == 2);
}

/* With the same inode there is another network namespace, which has nothing of this. */
static void test_netns_reborn(void)
{
	struct tcpfsm_event ev = event(TCPFSM_EVENT_NETNS, 0, T0 + 5, 0, 0);

	begin();
	enter(1, T0, 1, 7);
	enter(2, T0 + 1, 1, 7);
	feed(&ev);
	CHECK(!NETNSES(T0 + SEC)->time_wait && ngot == 1);
	CHECK_EQ(got->flow[TW(ENTER)], 0);
	DESTS(T0 + SEC);
	CHECK_EQ(ngot, 0);
	enter(3, T0 + 6, 1, 7);
	CHECK_EQ(DESTS(T0 + SEC)->time_wait, 1);
	CHECK_EQ(NETNSES(T0 + SEC)->flow[TW(ENTER)], 1);
	leave(TW(EXPIRE), 1, T0 + 7);
	CHECK_EQ(DESTS(T0 + SEC)->time_wait, 1);
	/* What the flight recorder holds of the one before. */
	ev = event(TCPFSM_EVENT_TIMEWAIT, 9, T0 + 4, 40000, 1);
	ev.netns_gone = true;
	ev.old_state = ev.new_state = S(TIME_WAIT);
	ev.rec.verdict = TW(ENTER);
	feed(&ev);
	CHECK_EQ(DESTS(T0 + SEC)->time_wait, 1);
}

/* Of a pool of threads, or renamed, it is one process, with the name that came last. */
static void test_threads(void)
{
	const struct tcpfsm_timewait *g;
	uint32_t i;

	begin();
	for (i = 0; i < 6; i++) {
		struct tcpfsm_event ev = event(TCPFSM_EVENT_TIMEWAIT, 1 + i, T0 + i, 40000, 1);

		ev.old_state = ev.new_state = ev.rec.old_state = ev.rec.new_state = S(TIME_WAIT);
		ev.rec.verdict = TW(ENTER);
		ev.has_owner = true;
		ev.pid = 7 + i / 5;
		sprintf(ev.comm, "thread-%u", i);
		feed(&ev);
	}
	g = OWNERS(T0 + SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g[0].time_wait, 5);
	CHECK(!strcmp(g[0].comm, "thread-4"));
	g = DESTS(T0 + SEC);
	CHECK_EQ(g->maker_pid, 7);
	CHECK(!strcmp(g->maker_comm, "thread-4"));
}

/* ---- before ---------------------------------------------------------------------------- */

/* Totals tell of it no more: what the kernel said last is of the past. */
static void test_deleted_netns(void)
{
	const struct tcpfsm_timewait *g;

	begin();
	total_of(77, TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	total_of(77, TCPFSM_TOTAL_NOW_TW_MAX, 500);
	total(TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	tcpfsm_timewaits_mark(ledger, T0);
	enter(1, T0 + SEC, 1, 7);
	leave(TW(PURGE), 1, T0 + 2 * SEC);
	totals_ts = T0 + SEC;
	total_of(77, TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	total_of(77, TCPFSM_TOTAL_NOW_TW_MAX, 500);
	/* It told of itself after that reading. */
	g = NETNSES(T0 + 3 * SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g->netns, NETNS);
	CHECK_EQ(g->tw, 77);
	CHECK_EQ(g->limit, 1000);
	totals_ts = T0 + 4 * SEC;
	total_of(77, TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	total_of(77, TCPFSM_TOTAL_NOW_TW_MAX, 500);
	totals_ts = T0;
	g = NETNSES(T0 + 5 * SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g->netns, NETNS);
	CHECK_EQ(g->tw, 0);
	CHECK_EQ(g->limit, 0);
	CHECK_EQ(g->flow[TW(PURGE)], 1);
	CHECK_EQ(g[1].limit, 500);
}

static void test_snapshot(void)
{
	const struct tcpfsm_timewait *g;
	uint64_t ages[TCPFSM_TW_AGES];

	begin();
	socket_is(1, S(TIME_WAIT), 40001, 25000);
	socket_is(2, S(TIME_WAIT), 8080, 45000);
	socket_is(3, S(FIN_WAIT2), 40003, ~0U);
	socket_is(4, S(ESTABLISHED), 40004, ~0U);
	socket_is(5, S(ESTABLISHED), 8080, ~0U);
	socket_is(6, S(LISTEN), 8080, ~0U);	/* after what it made */
	total(TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	total(TCPFSM_TOTAL_NOW_TW, 3);
	total(TCPFSM_TOTAL_NOW_TW_MAX, 500);
	/* The flight recorder knows one, and of one that is gone. */
	enter(1, T0 - 25 * SEC, 1, 7);
	enter(9, T0 - 62 * SEC, 1, 7);
	leave(TW(EXPIRE), 9, T0 - 2 * SEC);

	g = NETNSES(T0 + SEC);
	CHECK_EQ(g->time_wait, 2);
	CHECK_EQ(g->fin_wait2, 1);
	CHECK_EQ(g->before, 2);
	CHECK_EQ(g->closer[TCPFSM_CLOSER_NONE], 2);
	CHECK_EQ(g->flow[TW(ENTER)], 0);
	CHECK_EQ(g->flow[TW(EXPIRE)], 0);
	CHECK_EQ(g->tw, 3);
	CHECK_EQ(g->limit, 500);
	g = DESTS(T0 + SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g[0].time_wait + g[0].fin_wait2, 2);
	CHECK_EQ(g[0].open, 1);
	CHECK(!g[0].inbound && g[1].inbound);
	CHECK_EQ(g[1].lport, 8080);
	CHECK_EQ(g[1].rport, 0);
	g = OWNERS(T0 + SEC);
	CHECK_EQ(ngot, 2);
	CHECK(!g[0].has_owner && g[1].has_owner);
	tcpfsm_timewaits_ages(ledger, 0, T0 + SEC, ages);
	CHECK_EQ(ages[2], 1);
	CHECK_EQ(ages[4], 1);
	tcpfsm_timewaits_ages(ledger, NETNS + 1, T0 + SEC, ages);
	CHECK_EQ(ages[2], 0);
	leave(TW(EXPIRE), 2, T0 + 15 * SEC);
	CHECK_EQ(NETNSES(T0 + 16 * SEC)->before, 1);
	CHECK_EQ(got->flow[TW(EXPIRE)], 1);
}

static void test_lost(void)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_LOST, .lost = 5, .ts = T0 + 1 };
	uint64_t lost, untold;

	begin_with((struct tcpfsm_timewaits_options) { .since = T0, .max_sockets = 2 });
	ev.suppressed = true;
	feed(&ev);
	tcpfsm_timewaits_uncertain(ledger, &lost, &untold);
	CHECK_EQ(lost + untold, 0);
	ev.suppressed = false;
	feed(&ev);
	enter(1, T0 + 1, 1, 7);
	enter(2, T0 + 1, 1, 7);
	enter(3, T0 + 1, 1, 7);
	tcpfsm_timewaits_uncertain(ledger, &lost, &untold);
	CHECK_EQ(lost, 5);
	CHECK_EQ(untold, 1);
	CHECK_EQ(NETNSES(T0 + SEC)->time_wait, 2);
}

static void test_resync(void)
{
	const struct tcpfsm_timewait *g;
	uint64_t ages[TCPFSM_TW_AGES], lost, untold;

	begin();
	socket_is(99, S(LISTEN), 8080, ~0U);
	enter(1, T0 + SEC, 1, 7);			/* stays */
	enter(2, T0 + SEC, 1, 7);			/* goes, unheard */
	action(TW(ENTER), S(FIN_WAIT2), S(FIN_WAIT2), 3, T0 + SEC, 1, 7);
	enter(4, T0 + SEC, 1, 7);
	leave(TW(KILL), 4, T0 + 2 * SEC);		/* but is there yet, just so */
	transition(S(CLOSE), S(SYN_SENT), 5, T0 + SEC, 40005);	/* stays open */
	transition(S(CLOSE), S(SYN_SENT), 6, T0 + SEC, 40006);	/* goes */
	transition(S(CLOSE), S(SYN_SENT), 7, T0 + SEC, 40007);	/* TIME_WAIT */
	enter(8, T0 + 2 * SEC, 1, 7);			/* stays; its end is still to come */
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), 0);
	enter(13, T0 + SEC, 1, 7);			/* begun again, unheard */
	lose(12, T0 + 10 * SEC);
	resync_begin(T0 + 20 * SEC);
	/* Not yet: half of a population is none. */
	CHECK_EQ(NETNSES(T0 + 20 * SEC)->time_wait, 4);
	socket_is(1, S(TIME_WAIT), 40000, 19000);
	socket_is(3, S(TIME_WAIT), 40000, 2000);
	socket_is(4, S(TIME_WAIT), 40000, 18000);
	socket_is(5, S(ESTABLISHED), 40005, ~0U);
	socket_is(7, S(TIME_WAIT), 40007, 3000);
	socket_is(8, S(TIME_WAIT), 40000, 18000);
	socket_is(13, S(TIME_WAIT), 40000, 1000);
	socket_is(9, S(TIME_WAIT), 8080, 15000);	/* new to us */
	socket_is(9, S(TIME_WAIT), 8080, 15000);	/* a dump may tell of one twice */
	socket_is(10, S(FIN_WAIT2), 40010, ~0U);
	socket_is(11, S(CLOSE_WAIT), 40011, ~0U);
	socket_is(12, S(ESTABLISHED), 8080, ~0U);
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), 0);
	CHECK_EQ(NETNSES(T0 + 20 * SEC)->fin_wait2, 0);
	resync_end();

	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), T0 + 20 * SEC);
	tcpfsm_timewaits_uncertain(ledger, &lost, &untold);
	CHECK_EQ(lost, 12);
	CHECK_EQ(untold, 0);
	g = NETNSES(T0 + 20 * SEC);
	CHECK_EQ(g->time_wait, 6);
	CHECK_EQ(g->fin_wait2, 1);
	CHECK_EQ(g->before, 3);
	CHECK_EQ(g->closer[TCPFSM_CLOSER_LOCAL], 4);
	CHECK_EQ(g->flow[TW(ENTER)], 6);	/* nothing that was not seen */
	g = DESTS(T0 + 20 * SEC);
	CHECK_EQ(g[0].open, 2);
	CHECK_EQ(g[0].time_wait, 5);
	CHECK(g[1].inbound);
	CHECK_EQ(g[1].time_wait, 1);
	g = OWNERS(T0 + 20 * SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g[g[1].has_owner].time_wait, 4);
	tcpfsm_timewaits_ages(ledger, 0, T0 + 20 * SEC, ages);
	CHECK_EQ(ages[0], 3);
	CHECK_EQ(ages[1], 3);

	/* What follows may be from before: of those that are known, or gone. */
	enter(9, T0 + 5 * SEC, 1, 8);
	leave(TW(EXPIRE), 2, T0 + 19 * SEC);
	leave(TW(EXPIRE), 8, T0 + 20 * SEC + 1);
	transition(S(SYN_SENT), S(CLOSE), 6, T0 + 19 * SEC, 40006);
	CHECK_EQ(NETNSES(T0 + 21 * SEC)->time_wait, 5);
	CHECK_EQ(got->before, 2);
	CHECK_EQ(DESTS(T0 + 21 * SEC)->open, 2);

	/* Lost again; then there is nothing at all. */
	lose(1, T0 + 22 * SEC);
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), 0);
	resync_begin(T0 + 23 * SEC);
	resync_end();
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), T0 + 23 * SEC);
	CHECK_EQ(NETNSES(T0 + 23 * SEC)->time_wait + got->fin_wait2, 0);
	CHECK_EQ(DESTS(T0 + 23 * SEC)->open, 0);
	enter(20, T0 + 24 * SEC, 1, 7);
	CHECK_EQ(NETNSES(T0 + 24 * SEC)->time_wait, 1);
}

/* A resync that does not see everything takes nothing away, and makes nothing certain. */
static void test_resync_in_part(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .netns = NETNS };
	uint64_t lost, untold;

	begin();
	enter(1, T0 + SEC, 1, 7);
	lose(5, T0 + 2 * SEC);
	resync_begin(T0 + 3 * SEC);
	socket_is(2, S(TIME_WAIT), 40000, 2000);
	resync_mark(TCPFSM_RESYNC_END, 0, EACCES);
	CHECK_EQ(NETNSES(T0 + 4 * SEC)->time_wait, 2);
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), 0);

	/* Broken off, and begun again. */
	resync_begin(T0 + 5 * SEC);
	socket_is(3, S(TIME_WAIT), 40000, 2000);
	resync_begin(T0 + 6 * SEC);
	socket_is(4, S(TIME_WAIT), 40000, 2000);
	resync_end();
	resync_end();
	CHECK_EQ(NETNSES(T0 + 7 * SEC)->time_wait, 1);
	CHECK_EQ(tcpfsm_timewaits_resynced(ledger), T0 + 6 * SEC);

	/* One network namespace is all there is for who asked for no other. */
	resync_begin(T0 + 8 * SEC);
	resync_mark(TCPFSM_RESYNC_END, NETNS, 0);
	CHECK_EQ(NETNSES(T0 + 9 * SEC)->time_wait, 1);
	begin_with((struct tcpfsm_timewaits_options) { .since = T0, .filter = &f });
	enter(1, T0 + SEC, 1, 7);
	resync_begin(T0 + 8 * SEC);
	resync_mark(TCPFSM_RESYNC_END, NETNS, 0);
	CHECK_EQ(NETNSES(T0 + 9 * SEC)->time_wait, 0);

	/* Whose it is, no snapshot tells: it stays with him who is asked for. */
	f = (struct tcpfsm_filter) { .size = sizeof(f), .pid = 7 };
	begin_with((struct tcpfsm_timewaits_options) {
		.since = T0, .filter = &f, .max_sockets = 1,
	});
	enter(1, T0 + SEC, 1, 7);
	enter(2, T0 + SEC, 1, 7);
	tcpfsm_timewaits_uncertain(ledger, &lost, &untold);
	CHECK_EQ(untold, 1);
	resync_begin(T0 + 8 * SEC);
	socket_is(1, S(TIME_WAIT), 40000, 2000);
	socket_is(3, S(TIME_WAIT), 40000, 2000);
	resync_end();
	CHECK_EQ(NETNSES(T0 + 9 * SEC)->time_wait, 1);
	CHECK_EQ(OWNERS(T0 + 9 * SEC)->pid, 7);
	tcpfsm_timewaits_uncertain(ledger, &lost, &untold);
	CHECK_EQ(untold, 0);
}

static void test_filter(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .pid = 7, .states = 1U << S(LISTEN) };

	begin_with((struct tcpfsm_timewaits_options) { .since = T0, .filter = &f });
	enter(1, T0 + 1, 1, 7);
	enter(2, T0 + 1, 1, 8);
	CHECK_EQ(NETNSES(T0 + SEC)->time_wait, 1);

	f = (struct tcpfsm_filter) { .size = sizeof(f), .netns = 5, .rport = { 81 }, .nrport = 1 };
	begin_with((struct tcpfsm_timewaits_options) { .since = T0, .filter = &f });
	socket_is(1, S(LISTEN), 8080, ~0U);
	socket_is(2, S(TIME_WAIT), 8080, 10);
	enter(3, T0 + 1, 1, 7);
	NETNSES(T0 + SEC);
	CHECK_EQ(ngot, 0);
}

static void age_is(uint64_t now, unsigned int slot, uint64_t n)
{
	uint64_t ages[TCPFSM_TW_AGES], sum = 0;
	unsigned int i;

	tcpfsm_timewaits_ages(ledger, NETNS, now, ages);
	CHECK_EQ(ages[slot], n);
	for (i = 0; i < TCPFSM_TW_AGES; i++)
		sum += ages[i];
	CHECK_EQ(sum, NETNSES(now)->time_wait);
}

/* Seconds that have no bin any more, whose sockets end or begin again all the same. */
static void test_ages(void)
{
	begin();
	socket_is(1, S(TIME_WAIT), 40001, ~0U);
	enter(2, T0, 1, 7);
	enter(3, T0 + SEC, 1, 7);
	age_is(T0 + 5 * SEC, 7, 1);
	age_is(T0 + 5 * SEC, 0, 2);
	age_is(T0 + 59 * SEC, 5, 2);
	age_is(T0 + 62 * SEC, 6, 2);
	enter(4, T0 + 64 * SEC, 1, 7);
	enter(5, T0 + 64 * SEC, 1, 7);
	age_is(T0 + 65 * SEC, 0, 2);
	age_is(T0 + 65 * SEC, 6, 2);
	leave(TW(EXPIRE), 2, T0 + 65 * SEC);
	leave(TW(EXPIRE), 1, T0 + 65 * SEC);
	age_is(T0 + 66 * SEC, 6, 1);
	age_is(T0 + 66 * SEC, 7, 0);
	action(TW(REFRESH), S(TIME_WAIT), S(TIME_WAIT), 4, T0 + 100 * SEC, 1, 7);
	age_is(T0 + 101 * SEC, 0, 1);
	age_is(T0 + 101 * SEC, 3, 1);
	/* Longer than all bins after the last one. */
	enter(6, T0 + 1000 * SEC, 1, 7);
	age_is(T0 + 1000 * SEC, 0, 1);
	age_is(T0 + 1000 * SEC, 6, 3);
	leave(TW(EXPIRE), 4, T0 + 1001 * SEC);
	leave(TW(EXPIRE), 3, T0 + 1001 * SEC);
	leave(TW(EXPIRE), 6, T0 + 1001 * SEC);
	age_is(T0 + 1001 * SEC, 6, 1);
	age_is(T0 + 1001 * SEC, 0, 0);
	/* An old one is told of late. */
	enter(7, T0 + 900 * SEC, 1, 7);
	age_is(T0 + 1001 * SEC, 6, 2);
}

/* ---- tables ---------------------------------------------------------------------------- */

static void test_bounded(void)
{
	const struct tcpfsm_timewait *g;
	uint64_t sum = 0, flow = 0;
	uint32_t i;

	begin_with((struct tcpfsm_timewaits_options) {
		.since = T0, .max_destinations = 3, .max_owners = 2,
	});
	for (i = 1; i <= 10; i++)
		enter(i, T0 + i, i, i);
	g = DESTS(T0 + SEC);
	CHECK_EQ(ngot, 4);
	CHECK(g[3].rest && !g[2].rest);
	CHECK_EQ(g[3].time_wait, 7);
	/* Those that have emptied give up their place, but not what they saw. */
	for (i = 1; i <= 10; i++)
		leave(TW(EXPIRE), i, T0 + 60 * SEC);
	CHECK_EQ(NETNSES(T0 + 61 * SEC)->time_wait, 0);
	for (i = 11; i <= 13; i++)
		enter(i, T0 + 62 * SEC, i, i);
	DESTS(T0 + 63 * SEC);
	CHECK_EQ(ngot, 4);
	for (i = 0; i < ngot; i++) {
		sum += got[i].time_wait;
		flow += got[i].flow[TW(ENTER)];
	}
	CHECK_EQ(sum, 3);
	CHECK_EQ(flow, 13);
	CHECK_EQ(got[3].time_wait, 0);
	OWNERS(T0 + 63 * SEC);
	CHECK_EQ(ngot, 3);

	/* The top one, and the others. */
	read_all(TCPFSM_TIMEWAIT_DESTINATION, T0 + 63 * SEC, 1);
	CHECK_EQ(ngot, 2);
	CHECK(got[1].rest);
	CHECK_EQ(got[1].time_wait, 2);
	CHECK_EQ(got[0].flow[TW(ENTER)] + got[1].flow[TW(ENTER)], 13);
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t allocated_mib(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes() >> 20;
#else
	struct mallinfo2 m = mallinfo2();

	return (m.uordblks + m.hblkhd) >> 20;
#endif
}

/* Every socket is here, and all tables are full, in the room that there is. */
static void test_million(void)
{
	const uint32_t n = 1000000;
	uint32_t i;

	begin();
	CHECK(allocated_mib() < 2);
	for (i = 0; i < n; i++)
		socket_is(i + 1, S(TIME_WAIT), (uint16_t)(20000 + i % 40000), 1000);
	CHECK(allocated_mib() > 30 && allocated_mib() < 120);
	CHECK_EQ(NETNSES(T0 + SEC)->time_wait, n);
	for (i = 0; i < n; i++)
		enter(i + 1, T0 + 1, i, i);
	CHECK_EQ(NETNSES(T0 + SEC)->time_wait, n);
	/* Beside it the model takes 84 MiB for a million connections. */
	CHECK(allocated_mib() > 30 && allocated_mib() < 110);
	for (i = 0; i < n; i++)
		leave(TW(EXPIRE), i + 1, T0 + 60 * SEC);
	CHECK_EQ(NETNSES(T0 + 61 * SEC)->time_wait, 0);
	CHECK_EQ(got->flow[TW(EXPIRE)], n);
	begin();
}

/* ---- order ------------------------------------------------------------------------------ */

/* The last bytes of the peers' addresses, in order. */
static void order_is(enum tcpfsm_timewait_sort by, const char *peers)
{
	size_t i;

	tcpfsm_timewaits_sort(ledger, by);
	DESTS(T0 + 20 * SEC);
	CHECK_EQ(ngot, strlen(peers));
	for (i = 0; i < ngot; i++)
		CHECK_EQ(got[i].raddr[3], peers[i] - '0');
}

static void test_sort(void)
{
	struct tcpfsm_event ev;
	uint32_t i;

	begin();
	total(TCPFSM_TOTAL_NOW_PORTS, 400);
	for (i = 0; i < 10; i++)
		enter(100 + i, T0, 1, 7);
	for (i = 0; i < 6; i++)
		enter(200 + i, T0, 2, 8);
	tcpfsm_timewaits_mark(ledger, T0 + 10 * SEC);
	for (i = 0; i < 5; i++)
		enter(300 + i, T0 + 11 * SEC, 3, 9);
	for (i = 0; i < 3; i++)
		leave(TW(EXPIRE), 300 + i, T0 + 12 * SEC);
	for (i = 0; i < 4; i++)
		enter(400 + i, T0 + 11 * SEC, 2, 8);
	leave(TW(KILL), 100, T0 + 12 * SEC);
	for (i = 0; i < 20; i++) {
		ev = event(TCPFSM_EVENT_TRANSITION, 500 + i, T0 + 13 * SEC, 40000, 3);
		ev.new_state = S(SYN_SENT);
		feed(&ev);
	}
	ev = event(TCPFSM_EVENT_CONNECT_FAILED, 600, T0 + 14 * SEC, 0, 1);
	ev.rec.arg = EADDRNOTAVAIL;
	feed(&ev);
	order_is(TCPFSM_TIMEWAIT_BY_POPULATION, "213");	/* 10, 9, 2 */
	order_is(TCPFSM_TIMEWAIT_BY_IN, "321");		/* 5, 4, 0 */
	order_is(TCPFSM_TIMEWAIT_BY_OUT, "312");	/* 3, 1, 0 */
	order_is(TCPFSM_TIMEWAIT_BY_GROWTH, "231");	/* 4, 2, -1 */
	order_is(TCPFSM_TIMEWAIT_BY_PORTS, "321");	/* 22, 10, 9 */
	order_is(TCPFSM_TIMEWAIT_BY_FAILED, "123");	/* 1; 10, 2 */
	OWNERS(T0 + 20 * SEC);
	CHECK(!got->has_owner);				/* whose connect() failed */
}

/* ---- forecast --------------------------------------------------------------------------- */

/* 400 ports, here or in another network namespace. */
static void forecast_with(uint32_t netns)
{
	begin();
	total_of(netns, TCPFSM_TOTAL_NOW_SINCE_TS, 1);
	total_of(netns, TCPFSM_TOTAL_NOW_PORTS, 400);
}

static void test_forecast(void)
{
	const struct tcpfsm_timewait *g;
	uint32_t i;

	/* Ten a second: 600 of 400 ports; 100 are gone. */
	forecast_with(NETNS);
	for (i = 0; i < 100; i++)
		enter(1 + i, T0 + i * SEC / 10, 1, 7);
	g = DESTS(T0 + 10 * SEC);
	CHECK_EQ(g->settles, 600);
	CHECK_EQ(g->limit, 400);
	CHECK_EQ(g->used, 100);
	CHECK_EQ(g->full_in, 30);
	CHECK_EQ(NETNSES(T0 + 10 * SEC)->settles, 600);
	CHECK_EQ(got->full_in, -1);		/* tw_max is 1000 */

	/* Five a second will do. */
	tcpfsm_timewaits_mark(ledger, T0 + 10 * SEC);
	for (i = 0; i < 50; i++)
		enter(1001 + i, T0 + 10 * SEC + i * SEC / 5, 1, 7);
	g = DESTS(T0 + 20 * SEC);
	CHECK_EQ(g->recent[TW(ENTER)], 50);
	CHECK_EQ(g->flow[TW(ENTER)], 150);
	CHECK_EQ(g->settles, 300);
	CHECK_EQ(g->full_in, -1);

	/* The ports of another network namespace are not these. */
	forecast_with(NETNS + 1);
	for (i = 0; i < 100; i++)
		enter(1 + i, T0 + i * SEC / 10, 1, 7);
	g = DESTS(T0 + 10 * SEC);
	CHECK_EQ(g->settles, 600);
	CHECK_EQ(g->limit, 0);
	CHECK_EQ(g->full_in, -1);

	/* Those reused after a second stay no longer. */
	forecast_with(NETNS);
	for (i = 0; i < 200; i++) {
		if (i == 20)
			tcpfsm_timewaits_mark(ledger, T0 + SEC);
		if (i >= 20)
			leave(TW(REUSE), 1 + i - 20, T0 + i * SEC / 20);
		enter(1 + i, T0 + i * SEC / 20, 1, 7);
	}
	CHECK_EQ(DESTS(T0 + 10 * SEC)->settles, 20);
	CHECK_EQ(got->full_in, -1);
	forecast_with(NETNS);
	enter(1, T0, 1, 7);
	CHECK_EQ(DESTS(T0 + SEC / 20)->seconds, 0);
	CHECK_EQ(got->settles, -1);
}

static uint64_t conns_made;

/* So many a second, each in TIME_WAIT at once; times in seconds after T0. */
static void arrive(double from, double until, double rate)
{
	double i;

	for (i = 0; from + i / rate < until - 1e-9; i++)
		enter(++conns_made, T0 + (uint64_t)((from + i / rate) * (double)SEC), 1, 7);
}

static void burst(double at, unsigned int n)
{
	while (n--)
		enter(++conns_made, T0 + (uint64_t)(at * (double)SEC), 1, 7);
}

static const struct tcpfsm_timewait *dest_at(double at)
{
	return DESTS(T0 + (uint64_t)(at * (double)SEC));
}

static bool near(double got_value, double expected, double by)
{
	if (got_value >= expected - by && got_value <= expected + by)
		return true;
	printf("# %f, not %f +- %f\n", got_value, expected, by);
	return false;
}

static void test_forecast_from_zero(void)
{
	double at;

	/* From nothing on: limit / rate. */
	for (at = 2; at < 39; at += 3) {
		forecast_with(NETNS);
		arrive(0, at, 10);
		CHECK(near(dest_at(at)->full_in, 40 - at, 0.001));
		tcpfsm_timewaits_mark(ledger, T0 + (uint64_t)((at - 1) * (double)SEC));
		CHECK(near(dest_at(at)->full_in, 40 - at, 0.001));
	}
	/* And of a client that begins while we look, or did just before. */
	forecast_with(NETNS);
	socket_is(1, S(ESTABLISHED), 40001, ~0U);
	arrive(20, 25, 10);
	CHECK(near(dest_at(25)->full_in, (400 - 51) / 10.0, 0.001));
	forecast_with(NETNS);
	arrive(3.9, 5, 10);
	CHECK(near(dest_at(5)->full_in, (400 - 11) / 10.0, 0.001));
	/* 500 a second: within this one. */
	forecast_with(NETNS);
	arrive(0, 0.5, 500);
	CHECK(near(dest_at(0.5)->full_in, 0.3, 0.001));
	arrive(0.5, 0.8, 500);
	CHECK_EQ(dest_at(0.8)->full_in, 0);
}

/* 16 come in 20 s: of a second or ten, no rate. */
static void test_forecast_slow(void)
{
	unsigned int at;

	begin();
	total(TCPFSM_TOTAL_NOW_PORTS, 40);
	for (at = 1; at <= 45; at++) {
		arrive((at - 1) * 1.25, at * 1.25, 0.8);
		tcpfsm_timewaits_mark(ledger, T0 + (uint64_t)((at * 1.25 - 1) * (double)SEC));
		if (at >= 10 && at < 40)
			CHECK(near(dest_at(at * 1.25)->full_in, 50 - at * 1.25, 5 - at * 0.125));
	}
}

static void test_forecast_by_age(void)
{
	uint64_t i, base;

	/* As many leave as come, and have for long: 366 of 400. */
	forecast_with(NETNS);
	base = conns_made;
	for (i = 0; i < 200; i++) {
		uint64_t j;

		for (j = 0; i >= 61 && j < 6; j++)
			leave(TW(EXPIRE), base + 1 + (i - 61) * 6 + j, T0 + i * SEC + j * SEC / 6);
		arrive((double)i, (double)i + 1, 6);
	}
	CHECK_EQ(dest_at(200)->used, 366);
	CHECK(near(got->settles, 360, 0.001));
	CHECK_EQ(got->full_in, -1);
	CHECK_EQ(NETNSES(T0 + 200 * SEC)->full_in, -1);

	/* 300 came 50 s ago, and one a second since: 350, and 361 at most. */
	forecast_with(NETNS);
	burst(0, 300);
	arrive(0, 50, 1);
	CHECK_EQ(dest_at(50)->used, 350);
	CHECK(near(got->settles, 60, 0.001));
	CHECK_EQ(got->full_in, -1);

	/*
	 * 100 came 50 s ago, one a second for 40 s, then ten a second: 240 now.  In 12 s the
	 * 100 and the first one are gone, and of the others one a second goes then:
	 * 240 - 101 + 10 t - (t - 12) = 400 in 27.67 s.
	 */
	forecast_with(NETNS);
	burst(0, 100);
	arrive(0, 40, 1);
	arrive(40, 50, 10);
	CHECK_EQ(dest_at(50)->used, 240);
	CHECK(near(got->full_in, 249 / 9.0, 0.001));
	CHECK(near(got->settles, 600, 0.001));

	/* The burst itself is no pace, when it is over. */
	forecast_with(NETNS);
	burst(0, 300);
	CHECK(dest_at(1)->full_in > 0);
	CHECK_EQ(dest_at(11)->full_in, -1);
	CHECK_EQ(dest_at(11)->settles, 0);

	/* 300 of the snapshot, 50 s old; and ten a second from then on. */
	forecast_with(NETNS);
	for (i = 0; i < 300; i++)
		socket_is(++conns_made, S(TIME_WAIT), (uint16_t)(20000 + i), 50000);
	arrive(0, 5, 10);
	CHECK_EQ(dest_at(5)->used, 350);
	CHECK(near(got->full_in, 5, 0.001));
	/* 20 of the past 20 seconds tell of the pace at once. */
	forecast_with(NETNS);
	for (i = 0; i < 20; i++)
		socket_is(++conns_made, S(TIME_WAIT), (uint16_t)(20000 + i), (uint32_t)i * 1000 + 500);
	CHECK(near(dest_at(0)->settles, 60, 0.001));

	/* Connections that stay open are no ports for others, either. */
	forecast_with(NETNS);
	enter(++conns_made, T0, 1, 7);
	for (i = 0; i < 39; i++)
		transition(S(CLOSE), S(SYN_SENT), ++conns_made, T0 + SEC + i * SEC / 4, 40000);
	CHECK_EQ(dest_at(10.75)->used, 40);
	/* Four a second, and the one in TIME_WAIT will be gone. */
	CHECK(near(got->full_in, 361 / 4.0, 0.001));
	CHECK_EQ(dest_at(10.75)->settles, 0);
}

/* 50 connections came and went, and only a resync tells that they did. */
static void test_forecast_resync(void)
{
	uint64_t i, base = conns_made;

	forecast_with(NETNS);
	arrive(0, 10, 10);
	for (i = 0; i < 50; i++)
		transition(S(CLOSE), S(SYN_SENT), ++conns_made, T0 + 9 * SEC, 40000);
	CHECK(dest_at(10)->full_in < 17);
	resync_begin(T0 + 10 * SEC);
	for (i = 0; i < 100; i++)
		socket_is(base + 1 + i, S(TIME_WAIT), 40000, 0);
	resync_end();
	CHECK_EQ(dest_at(10)->used, 100);
	CHECK(near(got->full_in, 30, 0.001));
}

/* 50 a second: 2000 ports would be gone after 40 s, but 1000 mini-sockets are after 20. */
static void test_forecast_buckets(void)
{
	begin();
	total(TCPFSM_TOTAL_NOW_PORTS, 2000);
	arrive(0, 10, 50);
	CHECK_EQ(dest_at(10)->full_in, -1);
	CHECK(got->overflows);
	CHECK(near(NETNSES(T0 + 10 * SEC)->full_in, 10, 0.001));
	total(TCPFSM_TOTAL_NOW_PORTS, 900);
	CHECK(near(dest_at(10)->full_in, 8, 0.001));
	CHECK(!got->overflows);
}

/* With tcp_tw_reuse those with timestamps are no obstacle. */
static void test_forecast_reuse(void)
{
	unsigned int mode;
	uint64_t i;

	for (mode = 0; mode < 3; mode++) {
		forecast_with(NETNS);
		total(TCPFSM_TOTAL_NOW_TW_REUSE, mode);
		for (i = 0; i < 100; i++)
			stamped(TW(ENTER), S(TIME_WAIT), ++conns_made, T0 + i * SEC / 10,
				TCPFSM_F_TIMESTAMPS);
		/* 2: on loopback only. */
		CHECK_EQ(dest_at(10)->reuse, mode == 1);
		CHECK(near(got->full_in, mode == 1 ? -1 : 30, 0.001));
	}
	forecast_with(NETNS);
	total(TCPFSM_TOTAL_NOW_TW_REUSE, 1);
	arrive(0, 10, 10);
	CHECK(near(dest_at(10)->full_in, 30, 0.001));
}

static void test_failed(void)
{
	struct tcpfsm_event ev;
	const struct tcpfsm_timewait *g;

	forecast_with(NETNS);
	enter(1, T0 + 1, 1, 7);
	ev = event(TCPFSM_EVENT_CONNECT_FAILED, 5, T0 + SEC, 0, 1);
	owned(&ev, 42);
	ev.rec.arg = ECONNREFUSED;
	feed(&ev);
	CHECK_EQ(DESTS(T0 + 2 * SEC)->failed, 0);
	ev.rec.arg = EADDRNOTAVAIL;
	feed(&ev);
	g = DESTS(T0 + 2 * SEC);
	CHECK_EQ(ngot, 1);
	CHECK_EQ(g->failed, 1);
	CHECK_EQ(g->recent_failed, 1);
	CHECK_EQ(g->pid, 42);
	CHECK_EQ(g->failed_ts, T0 + SEC);
	CHECK_EQ(g->full_in, 0);
	g = OWNERS(T0 + 2 * SEC);
	CHECK_EQ(ngot, 2);
	CHECK_EQ(g[1].pid, 42);
	CHECK_EQ(g[1].failed, 1);
}

/* What tcpfsm timewait says of n destinations with two mini-sockets each, which came in ten seconds. */
static bool text_says(unsigned int n, const char *what)
{
	struct out_text text = { .len = 0 };
	struct timewait_reading r = { .ts = T0 + 10 * SEC };
	static struct out o;
	uint64_t i;
	bool says;

	begin();
	total(TCPFSM_TOTAL_NOW_PORTS, 20);
	total(TCPFSM_TOTAL_NOW_TW_REUSE, 1);
	total(TCPFSM_TOTAL_NOW_TIMESTAMPS, 1);
	for (i = 0; i < 2 * n; i++)
		enter(1 + i, T0 + i * 10 * SEC / (2 * n), (uint32_t)(i % n), 7);
	r.ledger = ledger;
	out_to_text(&o, &text);
	CHECK_EQ(timewait_text(&o, &r), 0);
	CHECK_EQ(out_flush(&o), 0);
	says = strstr(text.s, what);
	if (!says)
		printf("# %s", text.s);
	out_text_free(&text);
	return says;
}

/* Ports that bind() took are no destination's alone, and tcp_tw_reuse does not free them. */
static void test_ports_of_all(void)
{
	CHECK(text_says(10, "; all together take 20: see explain"));
	CHECK(text_says(3, "; tcp_tw_reuse frees them"));
}

int main(void)
{
	TEST("timewait: from enter to expire", test_life());
	TEST("timewait: every way to end", test_ends());
	TEST("timewait: both sides closed first", test_both_close());
	TEST("timewait: which could be reused", test_reuse());
	TEST("timewait: which could be reused, by tcp_tw_reuse_delay", test_reuse_delay());
	TEST("timewait: who makes most of them", test_maker());
	TEST("timewait: the same addresses on two links", test_devices());
	TEST("timewait: an inode that another network namespace has", test_netns_reborn());
	TEST("timewait: threads of a process are one owner", test_threads());
	TEST("timewait: what was there before", test_snapshot());
	TEST("timewait: a deleted network namespace", test_deleted_netns());
	TEST("timewait: ages", test_ages());
	TEST("timewait: losses are told", test_lost());
	TEST("timewait: sockets read again after a loss", test_resync());
	TEST("timewait: sockets read again in part", test_resync_in_part());
	TEST("timewait: filters", test_filter());
	TEST("timewait: tables are bounded, and their sums complete", test_bounded());
	TEST("timewait: a million sockets", test_million());
	TEST("timewait: order", test_sort());
	TEST("timewait: forecast", test_forecast());
	TEST("timewait: forecast from nothing on", test_forecast_from_zero());
	TEST("timewait: forecast of a slow pace", test_forecast_slow());
	TEST("timewait: forecast by age", test_forecast_by_age());
	TEST("timewait: forecast after a resync", test_forecast_resync());
	TEST("timewait: forecast of buckets", test_forecast_buckets());
	TEST("timewait: forecast with tcp_tw_reuse", test_forecast_reuse());
	TEST("timewait: connect() without a port", test_failed());
	TEST("timewait: ports that are short for all destinations", test_ports_of_all());
	tcpfsm_timewaits_free(ledger);
	return check_done();
}
