// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tcpfsm top knows, without a terminal: histories and rates, the log and its
 * filter, the worst listener, and the list of connections against plain sorting.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/show/top.h"

#define S(s)		TCPFSM_STATE_##s
#define SECOND		1000000000ULL
#define START		(1700000000 * SECOND)
#define MANY		5000

static struct top t;

static bool all_tell(const struct tcpfsm_event *ev)
{
	return ev->type != TCPFSM_EVENT_SYN;
}

static struct tcpfsm_model *model;

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	top_event(&t, ev);
	return 0;
}

static void put(const struct tcpfsm_item *it)
{
	CHECK_EQ(top_portion(&t, model, it, 1), 1);
	CHECK_EQ(tcpfsm_model_item(model, it, on_event, NULL), 0);
	CHECK_EQ(top_feed(&t, it, 1), 0);
}

static void flush(void)
{
	tcpfsm_model_flush(model, on_event, NULL);
	top_flush(&t);
}

static struct tcpfsm_item record(uint8_t type, uint64_t conn, uint64_t ts)
{
	return (struct tcpfsm_item) { .rec = {
		.type = type, .ts = ts, .family = 4, .conn = conn, .lport = (uint16_t)(1000 + conn),
		.rport = 80, .netns = 7,
	} };
}

static void moves(uint64_t conn, uint8_t old, uint8_t new, uint64_t ts)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_STATE, conn, ts);

	it.rec.old_state = old;
	it.rec.new_state = new;
	put(&it);
}

static void begin(const struct tcpfsm_filter *f)
{
	struct tcpfsm_model_options o = { .size = sizeof(o), .lives = true, .watch = true,
					  .epoch_offset = (int64_t)START };

	CHECK_EQ(tcpfsm_model_new(&model, &o), 0);
	CHECK_EQ(top_init(&t, f, all_tell, (int64_t)START), 0);
}

static void end(void)
{
	tcpfsm_model_free(model);
	top_free(&t);
}

static void filter(const struct tcpfsm_filter *f)
{
	top_settle(&t, model);
	CHECK_EQ(top_set_filter(&t, f), 0);
}

/* ---- history --------------------------------------------------------------------- */

static void test_history(void)
{
	struct history h = { .gauge = false };
	uint64_t s = 1700000000, i;

	CHECK_EQ(history_at(&h, s), 0);
	history_put(&h, s, 2);
	history_put(&h, s, 3);
	history_put(&h, s + 3, 7);
	CHECK_EQ(history_at(&h, s), 5);
	CHECK_EQ(history_at(&h, s + 1), 0);
	CHECK_EQ(history_at(&h, s + 3), 7);
	CHECK_EQ(history_at(&h, s + 4), 0);
	/* Late, but not too late. */
	history_put(&h, s + 1, 1);
	CHECK_EQ(history_at(&h, s + 1), 1);
	/* The second that is under way does not count. */
	CHECK(history_rate(&h, s + 4, 4) > 3.2 && history_rate(&h, s + 4, 4) < 3.3);
	CHECK(history_rate(&h, s + 3, 1) < 0.1);
	/* Around the end of the array, and what was there is gone. */
	for (i = 4; i < HISTORY_SECONDS + 2; i++)
		history_put(&h, s + i, i);
	CHECK_EQ(history_at(&h, s + 1), 0);
	CHECK_EQ(history_at(&h, s + HISTORY_SECONDS + 1), HISTORY_SECONDS + 1);
	CHECK_EQ(history_at(&h, s + 5), 5);
	history_put(&h, s, 1000);
	CHECK_EQ(history_at(&h, s + HISTORY_SECONDS), HISTORY_SECONDS);
	/* A day of silence. */
	history_put(&h, s + 86400, 1);
	for (i = 1; i < HISTORY_SECONDS; i++)
		CHECK_EQ(history_at(&h, s + 86400 - i), 0);
	history_put(&h, s + 86400, ~0ULL / 2);
	CHECK_EQ(history_at(&h, s + 86400), ~0U);
}

static void test_gauge(void)
{
	struct history h = { .gauge = true };
	uint64_t s = 1700000000;

	history_put(&h, s, 5);
	history_put(&h, s, 4);
	history_put(&h, s + 10, 9);
	CHECK_EQ(history_at(&h, s), 4);
	CHECK_EQ(history_at(&h, s + 9), 4);
	CHECK_EQ(history_at(&h, s + 10), 9);
	CHECK_EQ(history_at(&h, s + 1000), 9);
	CHECK_EQ(history_at(&h, s - 1), 0);
}

/* ---- events ---------------------------------------------------------------------- */

static uint64_t of(enum top_series i)
{
	top_settle(&t, model);
	return history_at(&t.series[i], START / SECOND + 1);
}

static void test_rates(void)
{
	struct tcpfsm_item it;

	begin(NULL);
	moves(1, S(CLOSE), S(SYN_SENT), SECOND);
	moves(1, S(SYN_SENT), S(ESTABLISHED), SECOND + 1);
	moves(1, S(ESTABLISHED), S(FIN_WAIT1), SECOND + 2);
	it = record(TCPFSM_TYPE_STATE, 1, SECOND + 3);
	it.rec.old_state = S(FIN_WAIT1);
	it.rec.new_state = S(CLOSE);
	it.rec.verdict = TCPFSM_TW_ENTER;
	it.rec.reason = S(TIME_WAIT);
	it.rec.flags = TCPFSM_F_SAME_SEGMENT;
	put(&it);
	CHECK_EQ(of(TOP_OPENS), 1);
	CHECK_EQ(of(TOP_CLOSES), 1);
	CHECK_EQ(history_at(&t.time_wait, START / SECOND + 1), 1);
	CHECK_EQ(t.diagram.all.n, 4);
	it = record(TCPFSM_TYPE_TIMEWAIT, 1, SECOND + 4);
	it.rec.verdict = TCPFSM_TW_EXPIRE;
	it.rec.old_state = it.rec.new_state = S(TIME_WAIT);
	put(&it);
	it = record(TCPFSM_TYPE_RESET, 0, SECOND);
	it.rec.verdict = TCPFSM_DIRECTION_SENT;
	put(&it);
	it = record(TCPFSM_TYPE_RETRANSMIT, 1, SECOND);
	it.rec.verdict = TCPFSM_SEGMENT_SYN;
	put(&it);
	put(&it);
	it = record(TCPFSM_TYPE_CONNECT_FAILED, 1, SECOND);
	it.rec.arg = 99;
	put(&it);
	flush();
	CHECK_EQ(of(TOP_RESETS), 1);
	CHECK_EQ(of(TOP_RETRANSMITS), 2);
	CHECK_EQ(of(TOP_FAILED), 1);
	CHECK_EQ(of(TOP_REFUSED), 0);
	CHECK_EQ(history_at(&t.time_wait, START / SECOND + 1), 0);
	/* What the module counted and left out counts, what was lost is told. */
	it = record(TCPFSM_TYPE_SUPPRESSED, 0, SECOND);
	it.rec.verdict = TCPFSM_TYPE_SYN;
	it.rec.snd = 100;
	put(&it);
	it.rec.verdict = TCPFSM_TYPE_RESET;
	put(&it);
	it = (struct tcpfsm_item) { .lost = 7, .from_ts = SECOND, .to_ts = SECOND + 10 };
	put(&it);
	CHECK_EQ(of(TOP_REFUSED), 100);
	CHECK_EQ(of(TOP_RESETS), 101);
	CHECK_EQ(t.lost, 7);
	CHECK_EQ(t.suppressed, 200);
	end();
}

/* Each is counted for its own second, however many come at a time. */
static void test_seconds_of_a_batch(void)
{
	static struct tcpfsm_item items[3 * 20];
	size_t i, n, some;

	begin(NULL);
	for (i = 0; i < 60; i++) {
		items[i] = record(TCPFSM_TYPE_STATE, 1 + i, SECOND + i * SECOND / 20);
		items[i].rec.old_state = S(SYN_SENT);
		items[i].rec.new_state = S(ESTABLISHED);
	}
	for (i = 0, n = 60; n; i += some, n -= some) {
		some = top_portion(&t, model, items + i, n);
		CHECK(some > 0 && some <= n);
		CHECK_EQ(tcpfsm_model_items(model, items + i, some, on_event, NULL), 0);
		CHECK_EQ(top_feed(&t, items + i, some), 0);
	}
	CHECK_EQ(of(TOP_OPENS), 20);
	CHECK_EQ(history_at(&t.series[TOP_OPENS], START / SECOND + 2), 20);
	CHECK_EQ(history_at(&t.series[TOP_OPENS], START / SECOND + 3), 20);
	end();
}

static void syn(uint64_t listener, uint8_t verdict, uint8_t reason, uint32_t acceptq)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_SYN, 0, SECOND);

	it.rec.flags = TCPFSM_F_PASSIVE;
	it.rec.listener = listener;
	it.rec.lport = (uint16_t)listener;
	it.rec.verdict = verdict;
	it.rec.reason = reason;
	it.rec.acceptq = acceptq;
	it.rec.backlog = 100;
	put(&it);
}

static void test_worst_listener(void)
{
	const uint64_t now = START + SECOND;
	uint64_t total[TCPFSM_TOTAL_NUM] = { 0 };
	struct tcpfsm_listener quiet = { .conn = 84, .family = 4, .lport = 84, .ts = now, .total = total };
	struct tcpfsm_event closed = {
		.type = TCPFSM_EVENT_TRANSITION, .old_state = TCPFSM_STATE_LISTEN,
		.new_state = TCPFSM_STATE_CLOSE,
	};
	unsigned int i;

	begin(NULL);
	CHECK(!top_worst(&t, now));
	syn(80, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 10);
	syn(81, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 90);
	syn(82, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 20);
	/* Held back on demand is no refusal. */
	CHECK_EQ(top_worst(&t, now)->conn, 81);
	CHECK_EQ(top_worst(&t, now)->refused, 0);
	CHECK_EQ(history_at(&top_worst(&t, now)->fill, now / SECOND), 900);
	/* Who refuses is worse than who has a long queue. */
	syn(82, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL, 20);
	CHECK_EQ(top_worst(&t, now)->conn, 82);
	CHECK_EQ(top_worst(&t, now)->refused, 1);
	/* A queue that has become shorter was longer within this second. */
	syn(81, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 5);
	syn(81, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 7);
	for (i = 0; i < TOP_LISTENERS; i++)
		if (t.listener[i].conn == 81)
			CHECK_EQ(history_at(&t.listener[i].fill, now / SECOND), 900);
	/* A queue stands, and nobody calls: the totals tell. */
	total[TCPFSM_TOTAL_NOW_BACKLOG] = 128;
	top_reading(&t, &quiet);
	CHECK_EQ(top_worst(&t, now)->conn, 82);
	total[TCPFSM_TOTAL_NOW_ACCEPTQ] = 64;
	quiet.conn = 83;
	quiet.ts = (now + 70 * SECOND) - t.epoch_offset;
	top_reading(&t, &quiet);
	CHECK_EQ(top_worst(&t, now + 70 * SECOND)->conn, 83);
	CHECK_EQ(top_worst(&t, now + 70 * SECOND)->acceptq, 64);
	/* What is closed is not bad any more. */
	closed.rec.conn = 83;
	top_event(&t, &closed);
	CHECK(!top_worst(&t, now + 70 * SECOND));
	/* It was long ago. */
	CHECK(!top_worst(&t, now + 300 * SECOND));
	/* More than there is room for: the quiet ones go, and nothing else happens. */
	for (i = 1000; i < 1000 + 3 * TOP_LISTENERS; i++)
		syn(i, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL, 20);
	CHECK(top_worst(&t, now)->conn >= 80);
	end();
}

/* SYNs that are queued are told of while others are refused, for the sample of clients. */
static uint64_t nsyns;

static int count_syns(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	nsyns += ev->type == TCPFSM_EVENT_SYN;
	return 0;
}

static void test_told_while_refused(void)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_SYN, 1, 1000 * SECOND);

	begin(NULL);
	it.rec.flags = TCPFSM_F_PASSIVE;
	it.rec.listener = 80;
	it.rec.verdict = TCPFSM_VERDICT_QUEUED;
	/* Also in the first minute of the machine. */
	it.rec.ts = SECOND;
	tcpfsm_model_item(model, &it, count_syns, NULL);
	it.rec.conn = 5;
	it.rec.ts = 1000 * SECOND;
	tcpfsm_model_item(model, &it, count_syns, NULL);
	CHECK_EQ(nsyns, 0);
	it.rec.conn = 2;
	it.rec.verdict = TCPFSM_VERDICT_DROPPED;
	it.rec.reason = TCPFSM_REASON_SYNQ_FULL;
	tcpfsm_model_item(model, &it, count_syns, NULL);
	CHECK_EQ(nsyns, 1);
	it.rec.conn = 3;
	it.rec.ts += 30 * SECOND;
	it.rec.verdict = TCPFSM_VERDICT_QUEUED;
	tcpfsm_model_item(model, &it, count_syns, NULL);
	CHECK_EQ(nsyns, 2);
	it.rec.conn = 4;
	it.rec.ts += 31 * SECOND;
	tcpfsm_model_item(model, &it, count_syns, NULL);
	CHECK_EQ(nsyns, 2);
	end();
}

/* ---- the log --------------------------------------------------------------------- */

static void test_log(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .lport = { 1003 }, .nlport = 1 };
	uint64_t i, first;

	begin(NULL);
	CHECK_EQ(top_log_first(&t), 0);
	CHECK(!top_log_at(&t, 0));
	for (i = 0; i < 10; i++)
		moves(1 + i % 5, S(CLOSE), S(SYN_SENT), SECOND + i);
	/* It begins with what was before it was wanted. */
	CHECK(!top_log_at(&t, 0));
	CHECK_EQ(top_keep_log(&t, model, true), 0);
	CHECK_EQ(t.nindex, 10);
	CHECK_EQ(top_log_at(&t, 9)->rec.conn, 5);
	CHECK(!top_log_at(&t, 10));
	syn(9, TCPFSM_VERDICT_QUEUED, 0, 0);
	CHECK_EQ(t.nindex, 11);		/* a transition; the SYN has no line */
	/* What has happened is filtered as well. */
	filter(&f);
	CHECK_EQ(t.nindex, 2);
	CHECK_EQ(t.diagram.all.n, 2);
	moves(3, S(SYN_SENT), S(ESTABLISHED), SECOND);
	moves(4, S(SYN_SENT), S(ESTABLISHED), SECOND);
	CHECK_EQ(t.nindex, 3);
	CHECK_EQ(of(TOP_OPENS), 1);
	CHECK_EQ(top_log_at(&t, 2)->rec.conn, 3);
	filter(NULL);
	CHECK_EQ(t.nindex, 13);
	CHECK_EQ(t.diagram.all.n, 13);
	CHECK_EQ(of(TOP_OPENS), 2);
	/* And counting goes on as without one. */
	moves(5, S(SYN_SENT), S(ESTABLISHED), SECOND);
	CHECK_EQ(of(TOP_OPENS), 3);
	CHECK_EQ(top_keep_log(&t, model, false), 0);
	CHECK(!top_log_at(&t, 12) && !t.log);
	/* Around its end; a filter whose lines are older than what is kept. */
	CHECK_EQ(top_keep_log(&t, model, true), 0);
	for (i = 0; i < 2 * TOP_LOG + 5; i++)
		moves(8, S(CLOSE), S(SYN_SENT), SECOND + i);
	first = top_log_first(&t);
	CHECK_EQ(t.nindex - first, TOP_LOG);
	CHECK(top_log_at(&t, first) && !top_log_at(&t, first - 1));
	CHECK_EQ(top_log_at(&t, first)->ts, START + SECOND + TOP_LOG + 5);
	filter(&f);
	moves(3, S(SYN_SENT), S(ESTABLISHED), SECOND);
	for (i = 0; i < TOP_LOG; i++)
		moves(8, S(CLOSE), S(SYN_SENT), SECOND + i);
	CHECK_EQ(t.nindex, 1);
	CHECK_EQ(top_log_first(&t), 1);
	CHECK(!top_log_at(&t, 0));
	end();
}

/* Who owns a connection that is older than the log. */
static void test_log_owner(void)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_STATE, 3, SECOND);
	uint64_t i;

	begin(NULL);
	it.rec.old_state = S(CLOSE);
	it.rec.new_state = S(SYN_SENT);
	it.rec.flags = TCPFSM_F_OWNER | TCPFSM_F_TASK;
	it.rec.pid = 4711;
	strcpy((char *)it.rec.comm, "curl");
	put(&it);
	for (i = 0; i < TOP_LOG; i++)
		moves(8, S(CLOSE), S(SYN_SENT), SECOND + i);
	moves(3, S(SYN_SENT), S(ESTABLISHED), 2 * SECOND);
	CHECK_EQ(top_keep_log(&t, model, true), 0);
	CHECK_EQ(top_log_at(&t, t.nindex - 1)->pid, 4711);
	CHECK(!strcmp(top_log_at(&t, t.nindex - 1)->comm, "curl"));
	end();
}

static int count_rows(const struct tcpfsm_ladder *l, void *arg)
{
	*(size_t *)arg += l->nrows;
	return 0;
}

static void test_ladder(void)
{
	size_t nrows = 0;

	begin(NULL);
	moves(1, S(CLOSE), S(SYN_SENT), SECOND);
	moves(2, S(CLOSE), S(SYN_SENT), SECOND);
	moves(1, S(SYN_SENT), S(ESTABLISHED), SECOND + 5);
	CHECK_EQ(top_keep_log(&t, model, true), 0);
	CHECK_EQ(top_ladder(&t, 1, count_rows, &nrows), 0);
	CHECK(nrows > 1);
	nrows = 0;
	CHECK_EQ(top_ladder(&t, 99, count_rows, &nrows), 0);
	CHECK_EQ(nrows, 0);
	end();
}

/* ---- the list -------------------------------------------------------------------- */

static void feed(uint64_t conn, uint8_t type, uint8_t old, uint8_t new, uint64_t ts)
{
	struct tcpfsm_item it = { .rec = {
		.ts = ts, .type = type, .family = 4, .old_state = old, .new_state = new, .conn = conn,
		.netns = 7, .lport = (uint16_t)(1 + conn * 7919 % 60000), .rport = 80,
		.flags = TCPFSM_F_OWNER | TCPFSM_F_TASK,
		.pid = (uint32_t)(1 + conn * 31 % 977), .rcv = ~0U,
	} };

	it.rec.raddr[3] = (uint8_t)(conn * 13);
	it.rec.raddr[0] = 10;
	snprintf((char *)it.rec.comm, sizeof(it.rec.comm), "p%u", it.rec.pid);
	put(&it);
}

static void begin_model(void)
{
	uint64_t conn;

	begin(NULL);
	for (conn = 1; conn <= MANY; conn++)
		feed(conn, TCPFSM_TYPE_STATE, S(CLOSE), S(SYN_SENT), conn * 7717 % MANY + 1);
}

static void make_list(size_t slots)
{
	unsigned int n = 0;

	t.list.busy = false;
	while (!top_list_step(&t, model, slots))
		CHECK(++n < 2 * MANY);
}

static struct { uint64_t value; uint64_t conn; } plain[MANY];

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return x[0] < y[0] ? -1 : x[0] > y[0];
}

static uint64_t value_of(enum top_column column, uint64_t conn)
{
	struct tcpfsm_conn c;

	CHECK(tcpfsm_model_find(model, conn, &c));
	switch (column) {
	case TOP_BY_FOR:
	case TOP_BY_AGE:
		return c.since;
	case TOP_BY_PID:
		return c.pid;
	case TOP_BY_LPORT:
		return c.life->lport;
	default:
		return c.life->raddr[3];
	}
}

/* Of the same value any may come, so the values are compared. */
static void compare(enum top_column column, bool reverse)
{
	uint64_t i;

	for (i = 0; i < MANY; i++) {
		plain[i].conn = i + 1;
		plain[i].value = value_of(column, i + 1);
		if (reverse)
			plain[i].value = ~plain[i].value;
	}
	qsort(plain, MANY, sizeof(plain[0]), by_value);
	t.list.column = column;
	t.list.reverse = reverse;
	make_list(333);
	CHECK_EQ(t.list.n, TOP_ROWS);
	CHECK_EQ(t.list.matched, MANY);
	for (i = 0; i < TOP_ROWS; i++) {
		uint64_t value = value_of(column, t.list.rows[i].conn);

		CHECK_EQ(reverse ? ~value : value, plain[i].value);
	}
}

static void test_list_sorts(void)
{
	begin_model();
	compare(TOP_BY_FOR, false);
	compare(TOP_BY_FOR, true);
	compare(TOP_BY_AGE, false);
	compare(TOP_BY_PID, false);
	compare(TOP_BY_PID, true);
	compare(TOP_BY_LPORT, false);
	compare(TOP_BY_LPORT, true);
	compare(TOP_BY_REMOTE, false);
	CHECK_EQ(t.list.population[S(SYN_SENT)], MANY);
	/* All alike. */
	t.list.column = TOP_BY_STATE;
	t.list.reverse = false;
	make_list(100);
	CHECK_EQ(t.list.n, TOP_ROWS);
	end();
}

/* CLOSE comes last, though its number is smaller than that of CLOSE_WAIT. */
static void test_list_by_state(void)
{
	uint64_t conn;

	begin(NULL);
	for (conn = 1; conn <= 4; conn++)
		moves(conn, S(CLOSE), S(SYN_SENT), conn);
	moves(1, S(SYN_SENT), S(CLOSE), 10);
	moves(3, S(SYN_SENT), S(ESTABLISHED), 11);
	moves(3, S(ESTABLISHED), S(CLOSE_WAIT), 12);
	flush();
	t.list.column = TOP_BY_STATE;
	t.list.reverse = false;
	make_list(1000);
	CHECK_EQ(t.list.n, 4);
	/* In the same state, who is in it for longer. */
	CHECK_EQ(t.list.rows[0].conn, 2);
	CHECK_EQ(t.list.rows[1].conn, 4);
	CHECK_EQ(t.list.rows[2].conn, 3);
	CHECK_EQ(t.list.rows[3].conn, 1);
	end();
}

/* Only some are listed: what is counted is of all, and so is the list afterwards. */
static void test_list_some(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f) };
	char why[128];
	uint64_t conn;

	begin(NULL);
	CHECK_EQ(top_keep_log(&t, model, true), 0);
	for (conn = 1; conn <= 6; conn++)
		moves(conn, S(CLOSE), S(SYN_SENT), conn);
	for (conn = 1; conn <= 4; conn++)
		moves(conn, S(SYN_SENT), S(ESTABLISHED), 10 + conn);
	flush();
	top_settle(&t, model);
	CHECK_EQ(tcpfsm_filter_parse(&f, "state SYN_SENT and state ESTABLISHED", why, sizeof(why)), 0);
	top_list_some(&t, &f);
	CHECK_EQ(t.nindex, 4);
	CHECK_EQ(top_log_at(&t, 0)->rec.conn, 1);
	/* What comes, too. */
	moves(5, S(SYN_SENT), S(ESTABLISHED), 20);
	moves(7, S(CLOSE), S(SYN_SENT), 21);
	flush();
	CHECK_EQ(t.nindex, 5);
	CHECK_EQ(tcpfsm_filter_parse(&f, "state ESTABLISHED", why, sizeof(why)), 0);
	top_list_some(&t, &f);
	make_list(1000);
	CHECK_EQ(t.list.matched, 5);
	CHECK_EQ(t.list.population[S(SYN_SENT)], 2);
	top_settle(&t, model);
	CHECK_EQ(t.diagram.arrow[ARROW_ACTIVE_OPEN].n, 7);
	top_list_some(&t, NULL);
	make_list(1000);
	CHECK_EQ(t.list.matched, 7);
	CHECK_EQ(t.nindex, 12);
	end();
}

static void test_list_filters(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .pid = 32 };
	struct tcpfsm_conn c;
	uint64_t i, expected = 0;

	begin_model();
	for (i = 1; i <= MANY; i++)
		expected += tcpfsm_model_find(model, i, &c) && c.pid == 32;
	CHECK(expected > 1);
	filter(&f);
	make_list(1000);
	CHECK_EQ(t.list.matched, expected);
	CHECK_EQ(t.list.population[S(SYN_SENT)], expected);
	for (i = 0; i < t.list.n; i++)
		CHECK(tcpfsm_model_find(model, t.list.rows[i].conn, &c) && c.pid == 32);
	f = (struct tcpfsm_filter) { .size = sizeof(f), .rport = { 81 }, .nrport = 1 };
	filter(&f);
	make_list(1000);
	CHECK_EQ(t.list.matched, 0);
	f = (struct tcpfsm_filter) { .size = sizeof(f), .states = 1U << S(SYN_SENT), .family = 4 };
	filter(&f);
	make_list(1000);
	CHECK_EQ(t.list.matched, MANY);
	end();
}

/* Ended ones are in the list, for a while, and then no more. */
static void test_list_ended(void)
{
	const struct top_ended *e;
	uint64_t i;

	begin_model();
	feed(17, TCPFSM_TYPE_STATE, S(SYN_SENT), S(ESTABLISHED), 10000);
	feed(17, TCPFSM_TYPE_STATE, S(ESTABLISHED), S(CLOSE), 20000);
	flush();
	make_list(1000);		/* the newest change first */
	CHECK_EQ(t.list.matched, MANY);
	CHECK_EQ(t.list.rows[0].conn, 17);
	e = top_ended_of(&t, &t.list.rows[0]);
	CHECK(e && e->conn == 17 && e->ts == START + 20000 && e->life.rport == 80);
	CHECK_EQ(t.list.population[S(SYN_SENT)], MANY - 1);
	for (i = 0; i < TOP_ENDED; i++) {
		feed(MANY + 1 + i, TCPFSM_TYPE_STATE, S(ESTABLISHED), S(CLOSE), 30000 + i);
		flush();
	}
	CHECK(!top_ended_of(&t, &t.list.rows[0]));
	make_list(1000);
	CHECK_EQ(t.list.matched, MANY - 1 + TOP_ENDED);
	end();
}

/* The kernel gives an inode again: who ended before that was not in the network namespace that has it now. */
static void test_list_ended_elsewhere(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .netns = 7 };

	begin(NULL);
	feed(1, TCPFSM_TYPE_STATE, S(CLOSE), S(ESTABLISHED), 100);
	feed(1, TCPFSM_TYPE_STATE, S(ESTABLISHED), S(CLOSE), 200);
	flush();
	filter(&f);
	make_list(1000);
	CHECK_EQ(t.list.matched, 1);
	put(&(struct tcpfsm_item) { .rec = {
		.ts = 300, .type = TCPFSM_TYPE_NETNS, .netns = 7, .listener = 4711, .rcv = ~0U,
	} });
	feed(2, TCPFSM_TYPE_STATE, S(CLOSE), S(SYN_SENT), 400);
	feed(2, TCPFSM_TYPE_STATE, S(SYN_SENT), S(CLOSE), 500);
	flush();
	make_list(1000);
	CHECK_EQ(t.list.matched, 1);
	CHECK_EQ(t.list.rows[0].conn, 2);
	end();
}

/* Records come between the slices. */
static void test_list_while_fed(void)
{
	uint64_t conn, i, seen[3] = { 0 };
	unsigned int slices = 0;

	begin_model();
	t.list.busy = false;
	while (!top_list_step(&t, model, 50)) {
		conn = 100 + slices++;
		feed(conn, TCPFSM_TYPE_STATE, S(SYN_SENT), S(ESTABLISHED), 100000 + conn);
		feed(10 * MANY + conn, TCPFSM_TYPE_STATE, S(CLOSE), S(SYN_SENT), 200000 + conn);
	}
	CHECK(slices > 90);
	/* Those that were there all the time are there once. */
	t.list.column = TOP_BY_LPORT;
	CHECK(t.list.matched >= MANY);
	for (i = 0; i < t.list.n; i++)
		for (conn = 1; conn <= 3; conn++)
			seen[conn - 1] += t.list.rows[i].conn == conn;
	for (i = 0; i < 3; i++)
		CHECK(seen[i] <= 1);
	end();
}

static void test_snapshot_has_addresses(void)
{
	struct tcpfsm_conn c;

	begin_model();
	feed(9999, TCPFSM_TYPE_SOCKET, S(ESTABLISHED), S(ESTABLISHED), 50);
	CHECK(tcpfsm_model_find(model, 9999, &c));
	CHECK(c.life->begin == START + 50 && c.life->rport == 80 && c.life->netns == 7);
	CHECK_EQ(c.state, S(ESTABLISHED));
	CHECK_EQ(c.since, 0);
	CHECK(!tcpfsm_model_find(model, 0, &c) && !tcpfsm_model_find(model, 123456, &c));
	end();
}

int main(void)
{
	TEST("top: a number for each second", test_history());
	TEST("top: a population for each second", test_gauge());
	TEST("top: rates of what happens", test_rates());
	TEST("top: the seconds of what comes at a time", test_seconds_of_a_batch());
	TEST("top: the worst listener", test_worst_listener());
	TEST("top: who gets through while others are refused", test_told_while_refused());
	TEST("top: the log, filtered and overwritten", test_log());
	TEST("top: owners of what is older than the log", test_log_owner());
	TEST("top: the ladder of one connection", test_ladder());
	TEST("top: the first rows are those of plain sorting", test_list_sorts());
	TEST("top: by state, in the order of a life", test_list_by_state());
	TEST("top: only some are listed, and all are counted", test_list_some());
	TEST("top: filters of the list", test_list_filters());
	TEST("top: connections that ended", test_list_ended());
	TEST("top: one that ended in an earlier network namespace with that inode", test_list_ended_elsewhere());
	TEST("top: a list made while records come", test_list_while_fed());
	TEST("top: sockets of the snapshot have addresses", test_snapshot_has_addresses());
	return check_done();
}
