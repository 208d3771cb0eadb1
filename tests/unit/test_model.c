// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model: sequences of records, as the module logs them, against the events
 * they must become; the filter; and JSON, against a parser of somebody else.
 *
 * An expected event is one line of text, see show().  Time advances by 10 us
 * with each record; the number after a cause is the time in the old state.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JSON_C
#include <json-c/json.h>
#endif

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

#define S(s)		TCPFSM_STATE_##s
#define F(f)		TCPFSM_F_##f
#define EPOCH		1700000000000000000LL
#define STEP		10000		/* ns between records */

#define OWNED		(F(OWNER) | F(TASK))
#define CLOSING_FD	(OWNED | F(SHUT_SEND) | F(SHUT_RCV))

/* ---- a stream of records ------------------------------------------------------ */

static struct tcpfsm_item items[4096];
static size_t nitems;
static uint64_t now;
static uint32_t cpu;
static uint32_t pid;
static const char *comm;

static void begin(void)
{
	nitems = 0;
	now = 1000000000;
	cpu = 0;
	pid = 700;
	comm = "nginx";
}

static struct tcpfsm_record *add(uint8_t type, uint64_t conn, uint8_t flags)
{
	struct tcpfsm_item *it = &items[nitems++];
	struct tcpfsm_record *r = &it->rec;

	memset(it, 0, sizeof(*it));
	now += STEP;
	it->cpu = cpu;
	r->ts = now;
	r->type = type;
	r->family = 4;
	r->flags = flags;
	r->conn = conn;
	r->netns = 4026531840U;
	r->lport = 80;
	r->rport = 40000;
	inet_pton(AF_INET, "10.0.0.1", r->laddr);
	inet_pton(AF_INET, "10.0.0.2", r->raddr);
	r->tw = 3;
	r->tw_max = 8192;
	if (flags & F(OWNER)) {
		r->pid = pid;
		strncpy((char *)r->comm, comm, sizeof(r->comm));
	}
	return r;
}

static struct tcpfsm_record *st(uint64_t conn, uint8_t old, uint8_t new, uint8_t err,
				uint8_t flags)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_STATE, conn, flags);

	r->old_state = old;
	r->new_state = new;
	r->arg = err;
	return r;
}

static struct tcpfsm_record *queues(struct tcpfsm_record *r, uint32_t synq, uint32_t acceptq)
{
	r->flags |= F(PASSIVE);
	r->listener = 99;
	r->synq = synq;
	r->acceptq = acceptq;
	r->backlog = 128;
	return r;
}

static struct tcpfsm_record *syn(uint64_t conn, uint8_t verdict, uint8_t reason)
{
	struct tcpfsm_record *r = queues(add(TCPFSM_TYPE_SYN, conn, 0), 1, 0);

	r->old_state = S(LISTEN);
	r->verdict = verdict;
	r->reason = reason;
	return r;
}

static struct tcpfsm_record *ack(uint64_t conn, uint8_t verdict, uint8_t reason)
{
	struct tcpfsm_record *r = queues(add(TCPFSM_TYPE_ACK, conn, 0), 1, 129);

	r->old_state = S(SYN_RECV);
	r->verdict = verdict;
	r->reason = reason;
	return r;
}

static void gone(uint64_t conn, uint8_t why)
{
	struct tcpfsm_record *r = queues(add(TCPFSM_TYPE_REQUEST_GONE, conn, 0), 0, 0);

	r->old_state = S(SYN_RECV);
	r->new_state = S(CLOSE);
	r->verdict = why;
}

/* A child as a copy of its listener, that comes to nothing. */
static void clone_of(uint64_t conn)
{
	struct tcpfsm_record *r = st(conn, S(LISTEN), S(SYN_RECV), 0, 0);

	r->listener = 99;
	r->rport = 0;
	memset(r->raddr, 0, sizeof(r->raddr));
}

/* The third ACK, from clone to ESTABLISHED. */
static void third_ack(uint64_t conn)
{
	queues(st(conn, S(SYN_RECV), S(ESTABLISHED), 0, F(CLONE)), 0, 1);
}

static void passive_open(uint64_t conn)
{
	syn(conn, TCPFSM_VERDICT_QUEUED, 0);
	third_ack(conn);
}

static void active_open(uint64_t conn)
{
	st(conn, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(conn, S(SYN_SENT), S(ESTABLISHED), 0, 0);
}

static void tw(uint64_t conn, uint8_t action, uint8_t old, uint8_t new, uint8_t flags)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_TIMEWAIT, conn, flags);

	r->verdict = action;
	r->old_state = old;
	r->new_state = new;
}

static void becomes(uint64_t conn, uint8_t from, uint8_t substate, uint8_t action, uint8_t flags)
{
	struct tcpfsm_record *r = st(conn, from, S(CLOSE), 0, flags);

	r->verdict = action;
	r->reason = substate;
}

/* tcp_time_wait() in a softirq: one record for both. */
static void time_wait(uint64_t conn, uint8_t from, uint8_t flags)
{
	becomes(conn, from, S(TIME_WAIT), TCPFSM_TW_ENTER, flags);
}

/* In a task's backlog: two. */
static void time_wait_task(uint64_t conn, uint8_t from, uint8_t flags)
{
	tw(conn, TCPFSM_TW_ENTER, S(TIME_WAIT), S(TIME_WAIT), OWNED | flags);
	st(conn, from, S(CLOSE), 0, OWNED);
}

static void fin_wait2_parked(uint64_t conn)
{
	becomes(conn, S(FIN_WAIT2), S(FIN_WAIT2), TCPFSM_TW_ENTER, F(SAME_SEGMENT) | F(ORPHAN));
}

static void ends(uint64_t conn, uint8_t action, uint8_t substate)
{
	tw(conn, action, substate, substate, 0);
}

static struct tcpfsm_record *rst(uint64_t conn, uint8_t direction, uint8_t state)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_RESET, conn, 0);

	r->verdict = direction;
	r->old_state = state;
	return r;
}

static void retransmit(uint64_t conn, uint8_t what, uint8_t state, uint8_t count)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_RETRANSMIT, conn, 0);

	r->verdict = what;
	r->old_state = state;
	r->arg = count;
}

static void shut(uint64_t conn, uint8_t how, uint8_t flags)
{
	add(TCPFSM_TYPE_SHUTDOWN, conn, OWNED | flags)->verdict = how;
}

static void accepted(uint64_t conn)
{
	add(TCPFSM_TYPE_ACCEPT, conn, OWNED)->old_state = S(ESTABLISHED);
}

static void connect_failed(uint64_t conn, uint8_t err)
{
	add(TCPFSM_TYPE_CONNECT_FAILED, conn, OWNED)->arg = err;
}

static void lost(uint64_t n)
{
	struct tcpfsm_item *it = &items[nitems++];

	memset(it, 0, sizeof(*it));
	it->cpu = cpu;
	it->lost = n;
	it->from_ts = now;
	now += STEP;
	it->to_ts = now;
}

/* ---- what becomes of it --------------------------------------------------------- */

static char story[1 << 16];
static size_t story_len;
static uint64_t last_ts;
static size_t nevents;
static struct tcpfsm_event last;

static void tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	story_len += (size_t)vsnprintf(story + story_len, sizeof(story) - story_len, fmt, ap);
	va_end(ap);
}

static int show(const struct tcpfsm_event *ev, void *arg)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool with_owner = arg;

	/* Never back in time. */
	CHECK(ev->ts >= last_ts);
	last_ts = ev->ts;
	nevents++;
	last = *ev;
	if (ev->type == TCPFSM_EVENT_LOST) {
		tell("lost %" PRIu64 " cpu %u %" PRIu64, ev->lost, ev->cpu,
		     (ev->to_ts - ev->from_ts) / 1000);
		if (ev->suppressed)
			tell(" %" PRIu64 "/%u %u/%u", r->listener, r->lport, r->synq, r->acceptq);
		tell("\n");
		return 0;
	}
	tell("%" PRIu64 " ", r->conn);
	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		tell("%s>%s %s", tcpfsm_state_name(ev->old_state), tcpfsm_state_name(ev->new_state),
		     tcpfsm_cause_name(ev->cause));
		if (ev->dur_ns >= 0)
			tell(" %" PRId64, ev->dur_ns / 1000);
		if (ev->predecessor)
			tell(" after %" PRIu64, ev->predecessor);
		break;
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		tell("%s %s", ev->type == TCPFSM_EVENT_SYN ? "syn" : "ack",
		     tcpfsm_verdict_name(r->verdict));
		if (r->reason)
			tell(" %s", tcpfsm_reason_name(r->reason));
		if (ev->has_queues)
			tell(" %u/%u", r->synq, r->acceptq);
		if (ev->asked)
			tell(" asked %u", ev->asked - 1);
		if (ev->predecessor)
			tell(" after %" PRIu64, ev->predecessor);
		break;
	case TCPFSM_EVENT_RETRANSMIT:
		tell("retransmit %s %s %u", tcpfsm_segment_name(r->verdict),
		     tcpfsm_state_name(ev->old_state), r->arg);
		break;
	case TCPFSM_EVENT_RESET:
		tell("reset %s %s", tcpfsm_direction_name(r->verdict), tcpfsm_state_name(ev->old_state));
		break;
	case TCPFSM_EVENT_ACCEPT:
		tell("accept %" PRId64, ev->dur_ns < 0 ? -1 : ev->dur_ns / 1000);
		break;
	case TCPFSM_EVENT_LISTEN:
		tell("listen %u %u", r->snd, r->backlog);
		break;
	case TCPFSM_EVENT_TIMEWAIT:
		tell("timewait %s %s%s", tcpfsm_tw_action_name(r->verdict),
		     tcpfsm_state_name(r->new_state ? r->new_state : r->old_state),
		     ev->closer == TCPFSM_CLOSER_BOTH ? " both" : "");
		break;
	case TCPFSM_EVENT_CONNECT_FAILED:
		tell("connect_failed %s", tcpfsm_errno_name(r->arg));
		break;
	}
	if (with_owner && ev->has_owner)
		tell(" %s/%u", ev->comm, ev->pid);
	tell("\n");
	return 0;
}

static void play(struct tcpfsm_model *m, bool with_owner)
{
	void *arg = with_owner ? items : NULL;
	size_t i;

	story_len = 0;
	story[0] = '\0';
	last_ts = 0;
	nevents = 0;
	for (i = 0; i < nitems; i++)
		CHECK_EQ(tcpfsm_model_item(m, &items[i], show, arg), 0);
	CHECK_EQ(tcpfsm_model_flush(m, show, arg), 0);
	CHECK_EQ(tcpfsm_model_pending(m), 0);
}

static void compare(const char *expected)
{
	if (!strcmp(story, expected))
		return;
	check_failed++;
	printf("# expected:\n#   ");
	for (; *expected; expected++)
		printf(*expected == '\n' ? "%c#   " : "%c", *expected);
	printf("\n# got:\n#   ");
	for (expected = story; *expected; expected++)
		printf(*expected == '\n' ? "%c#   " : "%c", *expected);
	printf("\n");
}

/* ---- lives: what the events between tell, summed up ------------------------------ */

struct sum {
	uint64_t conn;
	uint64_t time[16];
	uint32_t states, causes;
};

static struct sum sums[64], ended[256];
static size_t nsums, nended;

static int sum_up(const struct tcpfsm_event *ev, void *arg)
{
	struct sum *s;
	size_t i;

	(void)arg;
	if (ev->type != TCPFSM_EVENT_TRANSITION || !ev->rec.conn)
		return 0;
	for (i = 0; i < nsums && sums[i].conn != ev->rec.conn; i++)
		;
	if (i == 64)
		return 0;
	s = &sums[i];
	if (i == nsums) {
		nsums++;
		*s = (struct sum) { .conn = ev->rec.conn };
	}
	if (ev->old_state == S(CLOSE) || ev->old_state == S(LISTEN))
		*s = (struct sum) { .conn = ev->rec.conn };
	else if (ev->dur_ns > 0)
		s->time[ev->old_state] += (uint64_t)ev->dur_ns;
	s->states |= 1U << ev->old_state | 1U << ev->new_state;
	s->causes |= 1U << ev->cause;
	if (ev->new_state == S(CLOSE) && nended < 256)
		ended[nended++] = *s;
	return 0;
}

static int same_sum(const struct tcpfsm_event *ev, void *arg)
{
	size_t *n = arg;
	const struct sum *s = &ended[*n];
	unsigned int state;

	if (ev->type == TCPFSM_EVENT_LOST || !ev->rec.conn)
		return 0;
	CHECK_EQ(ev->type, TCPFSM_EVENT_TRANSITION);
	CHECK_EQ(ev->new_state, S(CLOSE));
	if (*n >= nended || !ev->life) {
		CHECK(!"a life too many, or without its story");
		return 0;
	}
	++*n;
	CHECK_EQ(ev->rec.conn, s->conn);
	CHECK_EQ(ev->life->states, s->states);
	CHECK_EQ(ev->life->causes, s->causes);
	for (state = 1; state <= 11; state++)
		if (state != S(CLOSE) && state != S(LISTEN))
			CHECK_EQ(ev->life->time[TCPFSM_LIFE_SLOT(state)], s->time[state]);
	return 0;
}

static void feed_all(const struct tcpfsm_model_options *opts, tcpfsm_event_fn fn, void *arg)
{
	struct tcpfsm_model *m;

	CHECK_EQ(tcpfsm_model_new(&m, opts), 0);
	CHECK_EQ(tcpfsm_model_items(m, items, nitems, fn, arg), 0);
	CHECK_EQ(tcpfsm_model_flush(m, fn, arg), 0);
	tcpfsm_model_free(m);
}

/* Every story is told one record at a time, in one batch, and as lives. */
static void expect_with(bool raw, bool with_owner, const char *expected)
{
	struct tcpfsm_model_options opts = {
		.size = sizeof(opts), .raw = raw, .epoch_offset = EPOCH,
	};
	struct tcpfsm_model *m;
	size_t n = 0;

	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	play(m, with_owner);
	compare(expected);
	tcpfsm_model_free(m);

	story_len = 0;
	story[0] = '\0';
	last_ts = 0;
	feed_all(&opts, show, with_owner ? items : NULL);
	compare(expected);
	if (raw)
		return;
	nsums = nended = 0;
	feed_all(&opts, sum_up, NULL);
	opts.lives = true;
	feed_all(&opts, same_sum, &n);
	CHECK_EQ(n, nended);
}

static void expect(const char *expected)
{
	expect_with(false, false, expected);
}

static void expect_owners(const char *expected)
{
	expect_with(false, true, expected);
}

static void expect_raw(const char *expected)
{
	expect_with(true, false, expected);
}

/* ---- opening ---------------------------------------------------------------------- */

#define OPENED \
	"1 CLOSE>SYN_SENT active_open\n" \
	"1 SYN_SENT>ESTABLISHED rcv_synack 10\n"

#define ACCEPTABLE \
	"5 syn queued 1/0\n" \
	"5 LISTEN>SYN_RECV rcv_syn\n" \
	"5 ack established 0/1\n" \
	"5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 10\n"

static void open_normal(void)
{
	begin();
	active_open(1);
	expect(OPENED);

	begin();
	passive_open(5);
	accepted(5);
	expect(ACCEPTABLE "5 accept 10\n");
}

static void open_refused(void)
{
	/* Server side: no socket at all. */
	begin();
	rst(0, TCPFSM_DIRECTION_SENT, S(CLOSE));
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(SYN_SENT));
	st(1, S(SYN_SENT), S(CLOSE), ECONNREFUSED, OWNED);
	expect("0 reset sent CLOSE\n"
	       "1 CLOSE>SYN_SENT active_open\n"
	       "1 reset received SYN_SENT\n"
	       "1 SYN_SENT>CLOSE rcv_rst 20\n"
	       "1 connect_failed ECONNREFUSED\n");
}

static void open_icmp(void)
{
	/* A firewall's port unreachable gives the same errno. */
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(CLOSE), ECONNREFUSED, 0);
	st(2, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(2, S(SYN_SENT), S(CLOSE), EHOSTUNREACH, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>CLOSE icmp 10\n"
	       "1 connect_failed ECONNREFUSED\n"
	       "2 CLOSE>SYN_SENT active_open\n"
	       "2 SYN_SENT>CLOSE icmp 10\n"
	       "2 connect_failed EHOSTUNREACH\n");
}

static void open_lost(void)
{
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	retransmit(1, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1);
	retransmit(1, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 2);
	st(1, S(SYN_SENT), S(ESTABLISHED), 0, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 retransmit SYN SYN_SENT 1\n"
	       "1 retransmit SYN SYN_SENT 2\n"
	       "1 SYN_SENT>ESTABLISHED rcv_synack 30\n");

	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	retransmit(1, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1);
	st(1, S(SYN_SENT), S(CLOSE), ETIMEDOUT, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 retransmit SYN SYN_SENT 1\n"
	       "1 SYN_SENT>CLOSE timeout 20\n"
	       "1 connect_failed ETIMEDOUT\n");
}

static void open_given_up(void)
{
	/* close() shuts both directions first, connect(AF_UNSPEC) does not. */
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(CLOSE), 0, CLOSING_FD);
	st(2, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(2, S(SYN_SENT), S(CLOSE), 0, OWNED);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>CLOSE close 10\n"
	       "2 CLOSE>SYN_SENT active_open\n"
	       "2 SYN_SENT>CLOSE close 10\n");
}

static void connect_fails(void)
{
	/* No port left: the state went there and back. */
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED)->lport = 0;
	st(1, S(SYN_SENT), S(CLOSE), 0, OWNED)->lport = 0;
	connect_failed(1, EADDRNOTAVAIL);
	/* No route: the state never changed. */
	connect_failed(2, ENETUNREACH);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>CLOSE abort 10\n"
	       "1 connect_failed EADDRNOTAVAIL\n"
	       "2 connect_failed ENETUNREACH\n");
}

static void open_synack_lost(void)
{
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	retransmit(5, TCPFSM_SEGMENT_SYNACK, S(SYN_RECV), 1);
	third_ack(5);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 retransmit SYNACK SYN_RECV 1\n"
	       "5 ack established 0/1\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 20\n");

	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	retransmit(5, TCPFSM_SEGMENT_SYNACK, S(NEW_SYN_RECV), 1);
	gone(5, TCPFSM_GONE_TIMEOUT);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 retransmit SYNACK SYN_RECV 1\n"
	       "5 SYN_RECV>CLOSE timeout 20\n");
}

static void open_request_gone(void)
{
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	gone(5, TCPFSM_GONE_RCV_RST);
	syn(6, TCPFSM_VERDICT_QUEUED, 0);
	gone(6, TCPFSM_GONE_SND_RST);
	syn(7, TCPFSM_VERDICT_QUEUED, 0);
	gone(7, TCPFSM_GONE_CLOSE);
	syn(8, TCPFSM_VERDICT_QUEUED, 0);
	gone(8, TCPFSM_GONE_NETNS_EXIT);
	syn(9, TCPFSM_VERDICT_QUEUED, 0);
	gone(9, TCPFSM_GONE_ABORT);
	gone(10, TCPFSM_GONE_TIMEOUT);		/* from before we looked */
	gone(11, TCPFSM_GONE_ICMP);
	expect("5 syn queued 1/0\n5 LISTEN>SYN_RECV rcv_syn\n5 SYN_RECV>CLOSE rcv_rst 10\n"
	       "6 syn queued 1/0\n6 LISTEN>SYN_RECV rcv_syn\n6 SYN_RECV>CLOSE snd_rst 10\n"
	       "7 syn queued 1/0\n7 LISTEN>SYN_RECV rcv_syn\n7 SYN_RECV>CLOSE close 10\n"
	       "8 syn queued 1/0\n8 LISTEN>SYN_RECV rcv_syn\n8 SYN_RECV>CLOSE netns_exit 10\n"
	       "9 syn queued 1/0\n9 LISTEN>SYN_RECV rcv_syn\n9 SYN_RECV>CLOSE abort 10\n"
	       "10 SYN_RECV>CLOSE timeout\n"
	       "11 SYN_RECV>CLOSE icmp\n");
}

static void open_simultaneous(void)
{
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(SYN_RECV), 0, 0);
	st(1, S(SYN_RECV), S(ESTABLISHED), 0, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>SYN_RECV rcv_syn 10\n"
	       "1 SYN_RECV>ESTABLISHED rcv_ack_of_syn 10\n");

	/* connect() fails in SYN_RECV as well. */
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(SYN_RECV), 0, 0);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(SYN_RECV));
	st(1, S(SYN_RECV), S(CLOSE), ECONNRESET, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>SYN_RECV rcv_syn 10\n"
	       "1 reset received SYN_RECV\n"
	       "1 SYN_RECV>CLOSE rcv_rst 20\n"
	       "1 connect_failed ECONNRESET\n");
}

static void open_cookie(void)
{
	begin();
	syn(0, TCPFSM_VERDICT_COOKIE, TCPFSM_REASON_SYNQ_FULL);
	third_ack(6);			/* the child's own cookie, fresh */
	accepted(6);
	expect("0 syn cookie synq_full 1/0\n"
	       "6 LISTEN>SYN_RECV rcv_syn\n"
	       "6 ack established 0/1\n"
	       "6 SYN_RECV>ESTABLISHED rcv_ack_of_syn 0\n"
	       "6 accept 10\n");

	begin();
	ack(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_COOKIE_INVALID);
	rst(0, TCPFSM_DIRECTION_SENT, S(LISTEN));
	expect("0 ack dropped cookie_invalid 1/129\n"
	       "0 reset sent LISTEN\n");

	/* No cookie of this listener was seen: no invented past. */
	begin();
	third_ack(6);
	expect("6 ack established 0/1\n"
	       "6 SYN_RECV>ESTABLISHED rcv_ack_of_syn\n");

	/* The child came to nothing: it never was. */
	begin();
	clone_of(0);
	st(6, S(SYN_RECV), S(CLOSE), 0, 0);
	expect("");
}

static void open_fastopen(void)
{
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0)->flags |= F(CLONE);
	accepted(5);
	st(5, S(SYN_RECV), S(ESTABLISHED), 0, 0);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 accept 10\n"
	       "5 ack established\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 20\n");

	/* The peer's FIN, or its RST, may come before. */
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0)->flags |= F(CLONE);
	st(5, S(SYN_RECV), S(CLOSE_WAIT), 0, 0);
	syn(6, TCPFSM_VERDICT_QUEUED, 0)->flags |= F(CLONE);
	rst(6, TCPFSM_DIRECTION_RECEIVED, S(SYN_RECV));
	st(6, S(SYN_RECV), S(CLOSE), ECONNRESET, 0);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 SYN_RECV>CLOSE_WAIT rcv_fin 10\n"
	       "6 syn queued 1/0\n"
	       "6 LISTEN>SYN_RECV rcv_syn\n"
	       "6 reset received SYN_RECV\n"
	       "6 SYN_RECV>CLOSE rcv_rst 20\n");
}

static void open_defer_accept(void)
{
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	ack(5, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT);
	third_ack(5);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 ack dropped defer_accept 1/129\n"
	       "5 ack established 0/1\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 20\n");
}

static void open_child_fails(void)
{
	/* tcp_v4_syn_recv_sock() gives the child up, the request lives on. */
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	clone_of(5);
	st(5, S(SYN_RECV), S(CLOSE), 0, 0);
	ack(5, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_NO_MEMORY);
	third_ack(5);
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 ack dropped no_memory 1/129\n"
	       "5 ack established 0/1\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 40\n");

	/* The listener closed that instant: inet_child_forget(). */
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	clone_of(5);
	st(5, S(SYN_RECV), S(CLOSE), 0, 0);
	rst(5, TCPFSM_DIRECTION_SENT, S(CLOSE));
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 reset sent SYN_RECV\n"
	       "5 SYN_RECV>CLOSE snd_rst 20\n");
}

static void open_midlife(void)
{
	/* The SYN came before we did: no invented past. */
	begin();
	third_ack(5);
	st(6, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	expect("5 ack established 0/1\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn\n"
	       "6 ESTABLISHED>CLOSE_WAIT rcv_fin\n");
}

/* ---- listeners ---------------------------------------------------------------------- */

static void listener(void)
{
	struct tcpfsm_record *r;

	begin();
	r = queues(add(TCPFSM_TYPE_LISTEN, 99, OWNED), 0, 0);
	r->snd = 4096;
	st(99, S(CLOSE), S(LISTEN), 0, OWNED);
	st(99, S(LISTEN), S(CLOSE), 0, CLOSING_FD);
	expect_owners("99 listen 4096 128 nginx/700\n"
		      "99 CLOSE>LISTEN passive_open nginx/700\n"
		      "99 LISTEN>CLOSE close 10 nginx/700\n");
}

static void listener_overload(void)
{
	begin();
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL);
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_LAST_QUARTER);
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	ack(5, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	ack(5, TCPFSM_VERDICT_RESET, TCPFSM_REASON_ACCEPTQ_FULL);
	gone(5, TCPFSM_GONE_SND_RST);
	expect("0 syn dropped synq_full 1/0\n"
	       "0 syn dropped acceptq_full 1/0\n"
	       "0 syn dropped last_quarter 1/0\n"
	       "5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 ack dropped acceptq_full 1/129\n"
	       "5 ack reset acceptq_full 1/129\n"
	       "5 SYN_RECV>CLOSE snd_rst 30\n");
}

static void total(uint64_t conn, uint32_t index, uint64_t value)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_TOTAL, conn, 0);

	r->rcv = index;
	r->listener = value;
}

static void listener_asked(void)
{
	/* What listen(2) asked for is told with each refusal, and only there. */
	begin();
	queues(add(TCPFSM_TYPE_LISTEN, 99, OWNED), 0, 0)->snd = 4096;
	st(99, S(CLOSE), S(LISTEN), 0, OWNED);
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	syn(0, TCPFSM_VERDICT_COOKIE, TCPFSM_REASON_SYNQ_FULL);
	ack(5, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	/* It asks again, and this time nothing tells for what. */
	queues(add(TCPFSM_TYPE_LISTEN, 99, OWNED), 0, 0)->snd = UINT32_MAX;
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	/* A listener from before tells in its totals. */
	total(98, TCPFSM_TOTAL_NOW_ASKED, 1);
	total(98, TCPFSM_TOTAL_SYN, 7);
	total(0, TCPFSM_TOTAL_NOW_ASKED, 7);
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL)->listener = 98;
	expect("99 listen 4096 128\n"
	       "99 CLOSE>LISTEN passive_open\n"
	       "5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "0 syn dropped acceptq_full 1/0 asked 4096\n"
	       "0 syn cookie synq_full 1/0 asked 4096\n"
	       "5 ack dropped acceptq_full 1/129 asked 4096\n"
	       "99 listen 4294967295 128\n"
	       "0 syn dropped acceptq_full 1/0\n"
	       "0 syn dropped acceptq_full 1/0 asked 0\n");
}

/* A network namespace that has the inode of one that was deleted. */
static void netns_made(uint64_t cookie)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_NETNS, 0, OWNED);

	r->family = 0;
	r->lport = r->rport = 0;
	memset(r->laddr, 0, sizeof(r->laddr));
	memset(r->raddr, 0, sizeof(r->raddr));
	r->listener = cookie;
}

static int count_netns(const struct tcpfsm_event *ev, void *arg)
{
	const struct tcpfsm_filter f = { .size = sizeof(f), .netns = 4026531840U };
	unsigned int *n = arg;

	n[0] += ev->type == TCPFSM_EVENT_NETNS;
	n[1] += ev->netns_gone;
	n[2] += tcpfsm_filter_match(&f, ev);
	return 0;
}

static void netns_are(unsigned int news, unsigned int gone, unsigned int pass)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts) };
	unsigned int n[3] = { 0, 0, 0 };
	struct tcpfsm_model *m;

	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	CHECK_EQ(tcpfsm_model_items(m, items, nitems, count_netns, n), 0);
	tcpfsm_model_free(m);
	CHECK_EQ(n[0], news);
	CHECK_EQ(n[1], gone);
	CHECK_EQ(n[2], pass);
}

static void netns_reborn(void)
{
	/* It is told when it comes: what came before passed for its own. */
	begin();
	active_open(1);
	netns_made(7);
	active_open(2);
	netns_are(1, 0, 5);

	/* Its totals were read before what the flight recorder holds of both. */
	begin();
	total(0, TCPFSM_TOTAL_NOW_NETNS_COOKIE, 7);
	total(0, TCPFSM_TOTAL_NOW_MADE_TS, now + 6 * STEP);
	netns_made(6);
	total(0, TCPFSM_TOTAL_NOW_NETNS_COOKIE, 6);
	active_open(1);
	netns_made(7);
	active_open(2);
	netns_are(0, 2, 2);

	/* It was made before the module was loaded; and then the record of the next one is lost. */
	begin();
	total(0, TCPFSM_TOTAL_NOW_NETNS_COOKIE, 7);
	active_open(1);
	total(0, TCPFSM_TOTAL_NOW_NETNS_COOKIE, 8);
	total(0, TCPFSM_TOTAL_NOW_MADE_TS, now - STEP);
	active_open(2);
	netns_are(1, 0, 5);
}

static void suppressed(uint32_t n, uint32_t us)
{
	struct tcpfsm_record *r = queues(add(TCPFSM_TYPE_SUPPRESSED, 0, 0), 3, 129);

	r->old_state = S(LISTEN);
	r->verdict = TCPFSM_TYPE_SYN;
	r->rport = 0;
	r->snd = n;
	r->rcv = us;
}

static void listener_suppressed(void)
{
	static const char told[] = "lost 45678 cpu 3 7 99/80 3/129\n";
	struct tcpfsm_model_options opts = { .size = sizeof(opts) };
	struct tcpfsm_model *m;

	begin();
	cpu = 3;
	suppressed(45678, 7);
	expect(told);
	CHECK(last.suppressed && last.has_queues && !last.has_owner);
	CHECK_EQ(last.ts, now + EPOCH);
	CHECK_EQ(last.to_ts, last.ts);

	opts.raw = true;
	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	play(m, false);
	compare("lost 45678 cpu 3 7 99/80 3/129\n");
	tcpfsm_model_free(m);

	/* Nothing of a life is missing. */
	opts.raw = false;
	opts.lives = true;
	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	play(m, false);
	compare("");
	tcpfsm_model_free(m);

	/* Neither they nor totals are what follows upon a record. */
	begin();
	active_open(1);
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	suppressed(1, 5);
	total(99, TCPFSM_TOTAL_SYN, 1);
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	/* It was no gap: what comes after is no LOST. */
	syn(0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	expect(OPENED
	       "1 ESTABLISHED>FIN_WAIT1 close 10\n"
	       "lost 1 cpu 0 5 99/80 3/129\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT1>TIME_WAIT rcv_fin_ack 40\n"
	       "0 syn dropped acceptq_full 1/0\n");
	CHECK(!last.suppressed && !last.lost && !last.to_ts);
}

static void listener_closed(void)
{
	/* inet_csk_listen_stop(): connections that nobody accepted. */
	begin();
	passive_open(5);
	st(99, S(LISTEN), S(CLOSE), 0, CLOSING_FD);
	st(5, S(ESTABLISHED), S(CLOSE), 0, 0);
	rst(5, TCPFSM_DIRECTION_SENT, S(CLOSE));
	expect(ACCEPTABLE
	       "99 LISTEN>CLOSE close\n"
	       "5 reset sent ESTABLISHED\n"
	       "5 ESTABLISHED>CLOSE snd_rst 20\n");
}

static void accept_late(void)
{
	/* Reset in the accept queue; accept() hands it out all the same. */
	begin();
	passive_open(5);
	rst(5, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED));
	st(5, S(ESTABLISHED), S(CLOSE), ECONNRESET, 0);
	accepted(5);
	expect(ACCEPTABLE
	       "5 reset received ESTABLISHED\n"
	       "5 ESTABLISHED>CLOSE rcv_rst 20\n"
	       "5 accept 30\n");

	/* Accepted while its last segment was in the backlog. */
	begin();
	syn(5, TCPFSM_VERDICT_QUEUED, 0);
	clone_of(5);
	accepted(5);
	st(5, S(SYN_RECV), S(ESTABLISHED), 0, OWNED);
	accepted(6);				/* from before we looked */
	expect("5 syn queued 1/0\n"
	       "5 LISTEN>SYN_RECV rcv_syn\n"
	       "5 accept -1\n"
	       "5 ack established\n"
	       "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 30\n"
	       "6 accept -1\n");
}

/* ---- closing -------------------------------------------------------------------------- */

static void close_active(void)
{
	begin();
	active_open(1);
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	st(9, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	time_wait(1, S(FIN_WAIT2), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect(OPENED
	       "1 ESTABLISHED>FIN_WAIT1 close 10\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
	       "9 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin 20\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");
}

static void close_orphan_active(void)
{
	/* An orphan waits for the FIN as a mini-socket. */
	begin();
	active_open(1);
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	fin_wait2_parked(1);
	tw(1, TCPFSM_TW_REFRESH, S(FIN_WAIT2), S(TIME_WAIT), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect(OPENED
	       "1 ESTABLISHED>FIN_WAIT1 close 10\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
	       "1 timewait enter FIN_WAIT2\n"
	       "1 timewait refresh TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin 20\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");

	/* shutdown(), then close() in FIN_WAIT2. */
	begin();
	shut(1, 1, F(SHUT_SEND));
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, OWNED | F(SHUT_SEND));
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(SHUT_SEND));
	st(1, S(FIN_WAIT2), S(FIN_WAIT2), 0, CLOSING_FD);
	fin_wait2_parked(1);
	ends(1, TCPFSM_TW_EXPIRE, S(FIN_WAIT2));
	expect("1 ESTABLISHED>FIN_WAIT1 shutdown\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
	       "1 timewait enter FIN_WAIT2\n"
	       "1 timewait expire FIN_WAIT2\n"
	       "1 FIN_WAIT2>CLOSE timeout 30\n");
}

static void close_passive(void)
{
	begin();
	passive_open(5);
	st(5, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(5, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	st(5, S(LAST_ACK), S(CLOSE), 0, F(ORPHAN));
	expect(ACCEPTABLE
	       "5 ESTABLISHED>CLOSE_WAIT rcv_fin 10\n"
	       "5 CLOSE_WAIT>LAST_ACK close 10\n"
	       "5 LAST_ACK>CLOSE rcv_ack_of_fin 10\n");
}

#define CLOSED_THREE \
	"1 ESTABLISHED>FIN_WAIT1 close\n" \
	"1 timewait enter TIME_WAIT\n" \
	"1 FIN_WAIT1>TIME_WAIT rcv_fin_ack 20\n"

static void close_three(void)
{
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect(CLOSED_THREE
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");

	/* Attached in FIN_WAIT1. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	expect("1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT1>TIME_WAIT rcv_fin_ack\n");

	/* The first of the two was lost. */
	begin();
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	expect("1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT1>TIME_WAIT rcv_fin_ack\n");
}

static void close_three_busy(void)
{
	/* Other CPUs go on meanwhile: the order of time is kept. */
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	cpu = 1;
	st(2, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	cpu = 2;
	st(3, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	cpu = 1;
	st(4, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	cpu = 0;
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "2 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "3 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "4 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT1>TIME_WAIT rcv_fin_ack 50\n");

	/* In the backlog of a task, a softirq came in between. */
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, OWNED);
	st(4, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	time_wait_task(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "4 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT1>TIME_WAIT rcv_fin_ack 30\n");
}

static void close_three_late(void)
{
	struct tcpfsm_model *m;
	size_t i;

	/* Flushed in between: still a walk through the diagram. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	tcpfsm_model_new(&m, NULL);
	story_len = 0;
	last_ts = 0;
	for (i = 0; i < nitems; i++) {
		CHECK_EQ(tcpfsm_model_item(m, &items[i], show, NULL), 0);
		CHECK_EQ(tcpfsm_model_pending(m), !i);
		CHECK_EQ(tcpfsm_model_flush(m, show, NULL), 0);
	}
	compare("1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
		"1 timewait enter TIME_WAIT\n"
		"1 FIN_WAIT2>TIME_WAIT rcv_fin 10\n");
	tcpfsm_model_free(m);
}

static void close_hold_full(void)
{
	struct tcpfsm_model *m;
	uint64_t i;

	/* A successor that never comes holds up a bounded number of others. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	cpu = 1;
	for (i = 0; i < 1000; i++)
		st(100 + i, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	cpu = 2;
	for (i = 0; i < 1000; i++)
		st(5000 + i, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	tcpfsm_model_new(&m, NULL);
	last_ts = 0;
	story_len = 0;
	nevents = 0;
	for (i = 0; i < nitems; i++) {
		story_len = 0;
		CHECK_EQ(tcpfsm_model_item(m, &items[i], show, NULL), 0);
		CHECK(tcpfsm_model_pending(m) < 300);
		CHECK(nevents + tcpfsm_model_pending(m) == i + 1);
	}
	story_len = 0;
	CHECK_EQ(tcpfsm_model_flush(m, show, NULL), 0);
	CHECK_EQ(nevents, nitems);
	tcpfsm_model_free(m);
}

static void close_half(void)
{
	begin();
	shut(1, 1, F(SHUT_SEND));
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, OWNED | F(SHUT_SEND));
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(SHUT_SEND));
	now += 5000000;
	time_wait(1, S(FIN_WAIT2), 0);
	/* The other side: shut down both ways, and known by the record only. */
	st(5, S(ESTABLISHED), S(CLOSE_WAIT), 0, F(SHUT_RCV));
	shut(5, 2, F(SHUT_SEND) | F(SHUT_RCV));
	st(5, S(CLOSE_WAIT), S(LAST_ACK), 0, OWNED | F(SHUT_SEND) | F(SHUT_RCV));
	/* And without that feature. */
	st(6, S(ESTABLISHED), S(FIN_WAIT1), 0, OWNED | F(SHUT_SEND));
	/* SHUT_RD moves nothing, now or later. */
	shut(7, 0, F(SHUT_RCV));
	st(7, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	expect("1 ESTABLISHED>FIN_WAIT1 shutdown\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin 5010\n"
	       "5 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "5 CLOSE_WAIT>LAST_ACK shutdown 20\n"
	       "6 ESTABLISHED>FIN_WAIT1 shutdown\n"
	       "7 ESTABLISHED>FIN_WAIT1 close\n");
}

static void close_simultaneous(void)
{
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(CLOSING), 0, 0);
	time_wait(1, S(CLOSING), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "1 FIN_WAIT1>CLOSING rcv_fin 10\n"
	       "1 timewait enter TIME_WAIT both\n"
	       "1 CLOSING>TIME_WAIT rcv_ack_of_fin 10\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");
}

static void close_lost_segments(void)
{
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), 0);
	tw(1, TCPFSM_TW_REFRESH, S(TIME_WAIT), S(TIME_WAIT), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "1 retransmit FIN FIN_WAIT1 1\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 20\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin 10\n"
	       "1 timewait refresh TIME_WAIT\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 20\n");

	begin();
	st(5, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	retransmit(5, TCPFSM_SEGMENT_FIN, S(LAST_ACK), 1);
	rst(5, TCPFSM_DIRECTION_RECEIVED, S(LAST_ACK));
	st(5, S(LAST_ACK), S(CLOSE), ECONNRESET, F(ORPHAN));
	st(6, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	st(6, S(LAST_ACK), S(CLOSE), ETIMEDOUT, F(ORPHAN));
	expect("5 CLOSE_WAIT>LAST_ACK close\n"
	       "5 retransmit FIN LAST_ACK 1\n"
	       "5 reset received LAST_ACK\n"
	       "5 LAST_ACK>CLOSE rcv_rst 30\n"
	       "6 CLOSE_WAIT>LAST_ACK close\n"
	       "6 LAST_ACK>CLOSE timeout 10\n");
}

/* Sent again by the loss probe, which the kernel does not count, and by time-outs. */
static void counted_retransmits(void)
{
	begin();
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	retransmit(2, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 2);
	retransmit(2, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 4);
	/* Progress: another segment. */
	retransmit(1, TCPFSM_SEGMENT_DATA, S(ESTABLISHED), 1);
	items[nitems - 1].rec.snd = 7;
	retransmit(3, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 255);
	retransmit(3, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 255);
	expect("1 retransmit FIN FIN_WAIT1 1\n"
	       "1 retransmit FIN FIN_WAIT1 2\n"
	       "2 retransmit FIN FIN_WAIT1 1\n"
	       "1 retransmit FIN FIN_WAIT1 3\n"
	       "2 retransmit FIN FIN_WAIT1 4\n"
	       "1 retransmit DATA ESTABLISHED 1\n"
	       "3 retransmit SYN SYN_SENT 255\n"
	       "3 retransmit SYN SYN_SENT 255\n");

	begin();
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	expect_raw("1 retransmit FIN FIN_WAIT1 1\n"
		   "1 retransmit FIN FIN_WAIT1 1\n");
}

static void close_reset(void)
{
	/* SO_LINGER 0: tcp_disconnect() sends the RST afterwards, ABORT before it closes. */
	begin();
	st(1, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD);
	rst(1, TCPFSM_DIRECTION_SENT, S(CLOSE));
	st(2, S(CLOSE_WAIT), S(CLOSE), 0, CLOSING_FD);
	/* The other side. */
	rst(5, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED));
	st(5, S(ESTABLISHED), S(CLOSE), ECONNRESET, 0);
	rst(6, TCPFSM_DIRECTION_RECEIVED, S(CLOSE_WAIT));
	st(6, S(CLOSE_WAIT), S(CLOSE), EPIPE, 0);
	st(7, S(ESTABLISHED), S(CLOSE), ETIMEDOUT, 0);
	st(8, S(ESTABLISHED), S(CLOSE), ECONNABORTED, 0);
	st(9, S(ESTABLISHED), S(CLOSE), EHOSTUNREACH, 0);
	expect("1 reset sent ESTABLISHED\n"
	       "1 ESTABLISHED>CLOSE snd_rst\n"
	       "2 CLOSE_WAIT>CLOSE abort\n"
	       "5 reset received ESTABLISHED\n"
	       "5 ESTABLISHED>CLOSE rcv_rst\n"
	       "6 reset received CLOSE_WAIT\n"
	       "6 CLOSE_WAIT>CLOSE rcv_rst\n"
	       "7 ESTABLISHED>CLOSE timeout\n"
	       "8 ESTABLISHED>CLOSE abort\n"
	       "9 ESTABLISHED>CLOSE icmp\n");
}

static void close_unread_data(void)
{
	struct tcpfsm_record *r;

	/*
	 * Data after close(): the kernel calls tcp_reset() itself, and what
	 * answers the segment finds a closed socket.
	 */
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(FIN_WAIT1));
	cpu = 1;
	st(9, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	cpu = 0;
	st(1, S(FIN_WAIT1), S(CLOSE), ECONNRESET, F(ORPHAN));
	rst(0, TCPFSM_DIRECTION_SENT, S(CLOSE));
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "9 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "1 reset sent FIN_WAIT1\n"
	       "1 FIN_WAIT1>CLOSE snd_rst 30\n");

	/* SO_LINGER 0, interrupted by a softirq, and a closed port's RST after another's close. */
	begin();
	st(1, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD);
	st(9, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	rst(1, TCPFSM_DIRECTION_SENT, S(CLOSE))->flags = CLOSING_FD;
	st(2, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD);
	rst(0, TCPFSM_DIRECTION_SENT, S(CLOSE))->lport++;
	expect("1 reset sent ESTABLISHED\n"
	       "1 ESTABLISHED>CLOSE snd_rst\n"
	       "9 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "2 ESTABLISHED>CLOSE abort\n"
	       "0 reset sent CLOSE\n");

	/* A real one, and by chance an RST to somebody else afterwards. */
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(FIN_WAIT1));
	st(1, S(FIN_WAIT1), S(CLOSE), ECONNRESET, F(ORPHAN));
	r = rst(0, TCPFSM_DIRECTION_SENT, S(CLOSE));
	r->rport++;
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "1 reset received FIN_WAIT1\n"
	       "1 FIN_WAIT1>CLOSE rcv_rst 20\n"
	       "0 reset sent CLOSE\n");

	/* With the ACK of our FIN; and from the timer of tcp_fin_timeout. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	st(1, S(FIN_WAIT2), S(CLOSE), 0, F(ORPHAN));
	rst(0, TCPFSM_DIRECTION_SENT, S(CLOSE));
	rst(2, TCPFSM_DIRECTION_SENT, S(FIN_WAIT2));
	st(2, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	rst(2, TCPFSM_DIRECTION_SENT, S(FIN_WAIT2));
	st(2, S(FIN_WAIT2), S(CLOSE), 0, F(ORPHAN));
	expect("1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "1 reset sent FIN_WAIT2\n"
	       "1 FIN_WAIT2>CLOSE snd_rst 10\n"
	       "2 reset sent FIN_WAIT2\n"
	       "2 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "2 reset sent FIN_WAIT2\n"
	       "2 FIN_WAIT2>CLOSE timeout 20\n");
}

/* A cause names an RST or an ICMP error only if one was seen. */
static void close_unseen(void)
{
	/* A listener that was a connection once; a listener closes, whatever sk_err is left. */
	begin();
	st(1, S(LISTEN), S(CLOSE), ECONNRESET, CLOSING_FD);
	/* TCP_REPAIR, an error of a socket map, and an RST whose record was lost. */
	st(2, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD | F(REPAIR));
	st(3, S(ESTABLISHED), S(CLOSE), EPIPE, CLOSING_FD);
	st(4, S(SYN_RECV), S(CLOSE), 0, 0);
	expect("1 LISTEN>CLOSE close\n"
	       "2 ESTABLISHED>CLOSE abort\n"
	       "3 ESTABLISHED>CLOSE abort\n"
	       "4 SYN_RECV>CLOSE abort\n");

	/* Before the RST, which is not seen in raw view yet. */
	begin();
	st(1, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD);
	rst(1, TCPFSM_DIRECTION_SENT, S(CLOSE));
	expect_raw("1 ESTABLISHED>CLOSE abort\n"
		   "1 reset sent CLOSE\n");

	/* Without the hooks of TIME_WAIT it may have gone on as a mini-socket. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	st(1, S(FIN_WAIT2), S(CLOSE), 0, 0);
	st(2, S(CLOSING), S(CLOSE), 0, 0);
	st(3, S(CLOSING), S(CLOSE), 0, CLOSING_FD);
	expect("1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "1 FIN_WAIT2>CLOSE  10\n"
	       "2 CLOSING>CLOSE \n"
	       "3 CLOSING>CLOSE abort\n");

	/* The soft error of a time-out: of an ICMP error, or for want of a route. */
	begin();
	st(1, S(ESTABLISHED), S(CLOSE), ENETUNREACH, 0)->reason = TCPFSM_REASON_NO_ROUTE;
	st(2, S(ESTABLISHED), S(CLOSE), EHOSTUNREACH, 0);
	expect("1 ESTABLISHED>CLOSE no_route\n"
	       "2 ESTABLISHED>CLOSE icmp\n");

	/* MPTCP: a join that is refused leaves no error, and is answered with an RST. */
	begin();
	active_open(1);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED));
	rst(1, TCPFSM_DIRECTION_SENT, S(ESTABLISHED));
	st(1, S(ESTABLISHED), S(CLOSE), 0, 0);
	expect(OPENED
	       "1 reset received ESTABLISHED\n"
	       "1 reset sent ESTABLISHED\n"
	       "1 ESTABLISHED>CLOSE rcv_rst 30\n");
}

/* ---- TIME_WAIT ----------------------------------------------------------------------- */

static void tw_ends(void)
{
	static const uint8_t how[] = {
		TCPFSM_TW_EXPIRE, TCPFSM_TW_KILL, TCPFSM_TW_REUSE, TCPFSM_TW_REOPEN,
		TCPFSM_TW_PURGE,
	};
	uint64_t i;

	begin();
	for (i = 0; i < sizeof(how); i++) {
		st(10 + i, S(CLOSING), S(CLOSING), 0, 0);
		time_wait(10 + i, S(CLOSING), 0);
		ends(10 + i, how[i], S(TIME_WAIT));
	}
	/* Known from this record only; and twice is once too often. */
	ends(20, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	ends(21, TCPFSM_TW_EXPIRE, S(FIN_WAIT2));
	ends(22, TCPFSM_TW_KILL, S(FIN_WAIT2));
	expect("10 timewait enter TIME_WAIT both\n10 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "10 timewait expire TIME_WAIT\n10 TIME_WAIT>CLOSE 2msl 10\n"
	       "11 timewait enter TIME_WAIT both\n11 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "11 timewait kill TIME_WAIT\n11 TIME_WAIT>CLOSE rcv_rst 10\n"
	       "12 timewait enter TIME_WAIT both\n12 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "12 timewait reuse TIME_WAIT\n12 TIME_WAIT>CLOSE reuse 10\n"
	       "13 timewait enter TIME_WAIT both\n13 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "13 timewait reopen TIME_WAIT\n13 TIME_WAIT>CLOSE rcv_syn 10\n"
	       "14 timewait enter TIME_WAIT both\n14 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "14 timewait purge TIME_WAIT\n14 TIME_WAIT>CLOSE netns_exit 10\n"
	       "20 timewait expire TIME_WAIT\n20 TIME_WAIT>CLOSE 2msl\n"
	       "21 timewait expire FIN_WAIT2\n21 FIN_WAIT2>CLOSE timeout\n"
	       "22 timewait kill FIN_WAIT2\n22 FIN_WAIT2>CLOSE rcv_rst\n");
}

/* Who takes over its addresses and ports knows it, and nobody else. */
static void tw_predecessor(void)
{
	begin();
	ends(1, TCPFSM_TW_REOPEN, S(TIME_WAIT));
	cpu = 1;
	ends(2, TCPFSM_TW_REUSE, S(TIME_WAIT));
	st(12, S(CLOSE), S(SYN_SENT), 0, 0);
	st(13, S(CLOSE), S(SYN_SENT), 0, 0);
	cpu = 0;
	syn(11, TCPFSM_VERDICT_QUEUED, 0);
	/* Of another peer, long after, after an end that made no way. */
	ends(3, TCPFSM_TW_REOPEN, S(TIME_WAIT));
	syn(14, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_OTHER)->rport++;
	ends(4, TCPFSM_TW_REOPEN, S(TIME_WAIT));
	now += 1000000000;
	syn(15, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_OTHER);
	ends(5, TCPFSM_TW_KILL, S(TIME_WAIT));
	syn(16, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_OTHER);
	expect("1 timewait reopen TIME_WAIT\n1 TIME_WAIT>CLOSE rcv_syn\n"
	       "2 timewait reuse TIME_WAIT\n2 TIME_WAIT>CLOSE reuse\n"
	       "12 CLOSE>SYN_SENT active_open after 2\n13 CLOSE>SYN_SENT active_open\n"
	       "11 syn queued 1/0 after 1\n11 LISTEN>SYN_RECV rcv_syn\n"
	       "3 timewait reopen TIME_WAIT\n3 TIME_WAIT>CLOSE rcv_syn\n"
	       "14 syn dropped other 1/0\n"
	       "4 timewait reopen TIME_WAIT\n4 TIME_WAIT>CLOSE rcv_syn\n"
	       "15 syn dropped other 1/0\n"
	       "5 timewait kill TIME_WAIT\n5 TIME_WAIT>CLOSE rcv_rst\n"
	       "16 syn dropped other 1/0\n");
}

static void tw_from(void)
{
	/* Where it came from is told by the full socket's end. */
	begin();
	time_wait_task(1, S(CLOSING), 0);
	time_wait_task(2, S(FIN_WAIT2), 0);
	time_wait(6, S(CLOSING), 0);
	/* That record lost, or out of sight. */
	tw(3, TCPFSM_TW_ENTER, S(TIME_WAIT), S(TIME_WAIT), 0);
	st(4, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(5, S(ESTABLISHED), S(FIN_WAIT1), 0, 0);
	tw(5, TCPFSM_TW_ENTER, S(TIME_WAIT), S(TIME_WAIT), 0);
	expect("1 timewait enter TIME_WAIT both\n1 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "2 timewait enter TIME_WAIT\n2 FIN_WAIT2>TIME_WAIT rcv_fin\n"
	       "6 timewait enter TIME_WAIT both\n6 CLOSING>TIME_WAIT rcv_ack_of_fin\n"
	       "3 timewait enter TIME_WAIT\n3 FIN_WAIT2>TIME_WAIT rcv_fin\n"
	       "4 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "5 ESTABLISHED>FIN_WAIT1 close\n"
	       "5 timewait enter TIME_WAIT\n5 FIN_WAIT1>TIME_WAIT rcv_fin_ack 10\n");
}

static void tw_denied(void)
{
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	becomes(1, S(FIN_WAIT2), S(TIME_WAIT), TCPFSM_TW_DENIED, 0);
	becomes(2, S(CLOSING), S(TIME_WAIT), TCPFSM_TW_DENIED, 0);
	becomes(3, S(FIN_WAIT2), S(FIN_WAIT2), TCPFSM_TW_DENIED, F(ORPHAN));
	expect("1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "1 timewait denied TIME_WAIT\n"
	       "1 FIN_WAIT2>CLOSE rcv_fin 10\n"
	       "2 timewait denied TIME_WAIT both\n"
	       "2 CLOSING>CLOSE rcv_ack_of_fin\n"
	       "3 timewait denied FIN_WAIT2\n"
	       "3 FIN_WAIT2>CLOSE abort\n");
}

static void tw_kill_data(void)
{
	/* Data for a parked FIN_WAIT2: answered with an RST, then killed. */
	begin();
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	fin_wait2_parked(1);
	rst(1, TCPFSM_DIRECTION_SENT, S(FIN_WAIT2));
	ends(1, TCPFSM_TW_KILL, S(FIN_WAIT2));
	expect("1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "1 timewait enter FIN_WAIT2\n"
	       "1 reset sent FIN_WAIT2\n"
	       "1 timewait kill FIN_WAIT2\n"
	       "1 FIN_WAIT2>CLOSE snd_rst 30\n");
}

/* ---- owners, losses, raw --------------------------------------------------------------- */

static void owners(void)
{
	begin();
	active_open(1);
	passive_open(5);
	comm = "worker";
	pid = 701;
	accepted(5);
	st(5, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(5, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	fin_wait2_parked(5);
	tw(5, TCPFSM_TW_REFRESH, S(FIN_WAIT2), S(TIME_WAIT), 0);
	ends(5, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect_owners("1 CLOSE>SYN_SENT active_open nginx/700\n"
		      "1 SYN_SENT>ESTABLISHED rcv_synack 10 nginx/700\n"
		      "5 syn queued 1/0\n"
		      "5 LISTEN>SYN_RECV rcv_syn\n"
		      "5 ack established 0/1\n"
		      "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn 10\n"
		      "5 accept 10 worker/701\n"
		      "5 ESTABLISHED>FIN_WAIT1 close 20 worker/701\n"
		      "5 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10 worker/701\n"
		      "5 timewait enter FIN_WAIT2 worker/701\n"
		      "5 timewait refresh TIME_WAIT worker/701\n"
		      "5 FIN_WAIT2>TIME_WAIT rcv_fin 20 worker/701\n"
		      "5 timewait expire TIME_WAIT worker/701\n"
		      "5 TIME_WAIT>CLOSE 2msl 10 worker/701\n");

	/* The owner of a listener is not that of its connections. */
	begin();
	add(TCPFSM_TYPE_LISTEN, 99, OWNED);
	st(99, S(CLOSE), S(LISTEN), 0, OWNED);
	syn(5, TCPFSM_VERDICT_QUEUED, 0)->flags |= OWNED;
	items[nitems - 1].rec.pid = 1;
	ack(5, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_OTHER)->flags |= OWNED;
	expect_owners("99 listen 0 0 nginx/700\n"
		      "99 CLOSE>LISTEN passive_open nginx/700\n"
		      "5 syn queued 1/0\n"
		      "5 LISTEN>SYN_RECV rcv_syn\n"
		      "5 ack dropped other 1/129 asked 0\n");
}

/*
 * One socket of a snapshot: ts is so many records after begin(), in the middle
 * of the stream that follows, or before it.  age: of TIME_WAIT, in ms.
 */
static void sock(uint64_t conn, uint8_t state, uint64_t records, uint32_t age,
				  uint8_t flags)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_SOCKET, conn, flags);

	now -= STEP;			/* it takes no time */
	r->ts = 1000000000 + records * STEP + STEP / 2;
	r->old_state = state;
	r->new_state = state;
	r->rcv = age;
}

#define UNKNOWN	(~0U)

static void snapshot_before(void)
{
	/* Owners from the first moment, no time where nothing tells it, no events. */
	begin();
	comm = "worker";
	pid = 701;
	sock(1, S(ESTABLISHED), 0, UNKNOWN, F(OWNER));
	sock(2, S(TIME_WAIT), 0, 900, 0);
	sock(3, S(FIN_WAIT2), 0, UNKNOWN, 0);
	sock(5, S(SYN_RECV), 0, UNKNOWN, F(PASSIVE));
	sock(99, S(LISTEN), 0, UNKNOWN, F(OWNER) | F(PASSIVE));
	sock(0, S(ESTABLISHED), 0, UNKNOWN, F(OWNER));
	st(1, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	ends(2, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	tw(3, TCPFSM_TW_REFRESH, S(FIN_WAIT2), S(TIME_WAIT), 0);
	ends(3, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	st(5, S(SYN_RECV), S(ESTABLISHED), 0, 0);
	st(99, S(LISTEN), S(CLOSE), 0, 0);
	expect_owners("1 ESTABLISHED>CLOSE_WAIT rcv_fin worker/701\n"
		      "2 timewait expire TIME_WAIT\n"
		      "2 TIME_WAIT>CLOSE 2msl 900015\n"
		      "3 timewait refresh TIME_WAIT\n"
		      "3 FIN_WAIT2>TIME_WAIT rcv_fin\n"
		      "3 timewait expire TIME_WAIT\n"
		      "3 TIME_WAIT>CLOSE 2msl 10\n"
		      "5 ack established\n"
		      "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn\n"
		      "99 LISTEN>CLOSE close worker/701\n");
	expect_raw("1 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
		   "2 timewait expire TIME_WAIT\n"
		   "3 timewait refresh TIME_WAIT\n"
		   "3 timewait expire TIME_WAIT\n"
		   "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn\n"
		   "99 LISTEN>CLOSE close\n");
}

/* The flight recorder still holds how it came to that state, and beyond. */
static void snapshot_within(void)
{
	/* Not yet: ESTABLISHED at the snapshot, SYN_RECV when the stream begins. */
	begin();
	sock(5, S(ESTABLISHED), 5, UNKNOWN, 0);
	passive_open(5);
	accepted(5);
	expect(ACCEPTABLE "5 accept 10\n");

	/* Not any more: it was closed before the snapshot was over. */
	begin();
	sock(1, S(ESTABLISHED), 9, UNKNOWN, F(OWNER));
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, 0);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect_owners("1 ESTABLISHED>FIN_WAIT1 close nginx/700\n"
		      "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10 nginx/700\n"
		      "1 timewait enter TIME_WAIT nginx/700\n"
		      "1 FIN_WAIT2>TIME_WAIT rcv_fin 10 nginx/700\n"
		      "1 timewait expire TIME_WAIT nginx/700\n"
		      "1 TIME_WAIT>CLOSE 2msl 10 nginx/700\n");

	/* Records without a change of state, on both sides of it. */
	begin();
	sock(1, S(FIN_WAIT1), 1, UNKNOWN, 0);
	retransmit(1, TCPFSM_SEGMENT_DATA, S(ESTABLISHED), 1);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	items[nitems - 1].rec.snd += 100;	/* another segment */
	st(1, S(FIN_WAIT1), S(CLOSING), 0, 0);
	expect("1 retransmit DATA ESTABLISHED 1\n"
	       "1 retransmit FIN FIN_WAIT1 1\n"
	       "1 FIN_WAIT1>CLOSING rcv_fin\n");

	/* The end of TIME_WAIT that was seen to begin, the snapshot in between. */
	begin();
	sock(1, S(TIME_WAIT), 1, 0, 0);
	time_wait(1, S(FIN_WAIT2), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");

	/* Read while it was there, freed before the snapshot's time: the age still holds. */
	begin();
	sock(1, S(TIME_WAIT), 5, 70, 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 69955\n");
}

/* The module logs some things a moment after they show. */
static void snapshot_ahead(void)
{
	begin();
	sock(5, S(SYN_RECV), 0, UNKNOWN, F(PASSIVE));
	sock(1, S(SYN_SENT), 0, UNKNOWN, F(OWNER));
	active_open(1);
	passive_open(5);
	expect(OPENED ACCEPTABLE);

	begin();
	sock(1, S(TIME_WAIT), 0, 0, 0);
	tw(1, TCPFSM_TW_REFRESH, S(FIN_WAIT2), S(TIME_WAIT), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("1 timewait refresh TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 10\n");
}

static void snapshot_odd(void)
{
	/* Twice, as a dump that is made again does: the last one counts. */
	begin();
	sock(1, S(ESTABLISHED), 0, UNKNOWN, 0);
	sock(1, S(TIME_WAIT), 2, 500, 0);
	sock(2, S(TIME_WAIT), 2, 1, 0);
	st(9, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(9, S(CLOSE_WAIT), S(LAST_ACK), 0, 0);
	st(9, S(LAST_ACK), S(CLOSE), 0, 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	expect("9 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "9 CLOSE_WAIT>LAST_ACK close 10\n"
	       "9 LAST_ACK>CLOSE rcv_ack_of_fin 10\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl 500015\n");

	/* Older than the machine; a state that there is not; in the midst of a life. */
	begin();
	sock(1, S(TIME_WAIT), 0, 4000000000U, 0);
	sock(2, 77, 0, UNKNOWN, F(OWNER));
	sock(3, 0, 0, UNKNOWN, F(OWNER));
	st(4, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	sock(4, S(LISTEN), 9, UNKNOWN, 0);
	st(4, S(CLOSE_WAIT), S(LAST_ACK), 0, 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	st(2, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(3, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	expect("4 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "4 CLOSE_WAIT>LAST_ACK close 10\n"
	       "1 timewait expire TIME_WAIT\n"
	       "1 TIME_WAIT>CLOSE 2msl\n"
	       "2 ESTABLISHED>CLOSE_WAIT rcv_fin\n"
	       "3 ESTABLISHED>CLOSE_WAIT rcv_fin\n");
}

static int keep(const struct tcpfsm_event *ev, void *arg)
{
	*(struct tcpfsm_life *)arg = *ev->life;
	nevents++;
	return 0;
}

/* How many are in which state, and what is told of a life in the end. */
static void snapshot_counts(void)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts), .lives = true };
	struct tcpfsm_life life = { .family = 0 };
	uint64_t count[16];
	struct tcpfsm_model *m;
	size_t i;

	begin();
	sock(1, S(TIME_WAIT), 0, 59000, 0);
	sock(2, S(TIME_WAIT), 0, 100, 0);
	sock(3, S(ESTABLISHED), 0, UNKNOWN, 0);
	sock(4, S(ESTABLISHED), 0, UNKNOWN, 0);
	sock(99, S(LISTEN), 0, UNKNOWN, F(PASSIVE));
	now += 60 * 1000000000ULL;		/* time of no record is below 0 */
	for (i = 0; i < nitems; i++)
		items[i].rec.ts += 60 * 1000000000ULL;
	tw(2, TCPFSM_TW_REFRESH, S(TIME_WAIT), S(TIME_WAIT), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	st(3, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);

	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	nevents = 0;
	CHECK_EQ(tcpfsm_model_items(m, items, 5, keep, &life), 0);
	tcpfsm_model_population(m, count);
	CHECK(count[S(TIME_WAIT)] == 2 && count[S(ESTABLISHED)] == 2 && count[S(LISTEN)] == 1);
	CHECK_EQ(nevents, 0);
	CHECK_EQ(tcpfsm_model_items(m, items + 5, nitems - 5, keep, &life), 0);
	CHECK_EQ(tcpfsm_model_flush(m, keep, &life), 0);
	tcpfsm_model_population(m, count);
	CHECK(count[S(TIME_WAIT)] == 1 && count[S(ESTABLISHED)] == 1 && count[S(LISTEN)] == 1 &&
	      count[S(CLOSE_WAIT)] == 1);

	/* The end of 1: from when it was first heard of, but with all of its TIME_WAIT. */
	CHECK_EQ(nevents, 1);
	CHECK(!life.whole && life.lport == 80);
	CHECK_EQ(life.time[TCPFSM_LIFE_SLOT(S(TIME_WAIT))], 59000000000LL + 2 * STEP - STEP / 2);
	CHECK_EQ(life.states, 1U << S(TIME_WAIT) | 1U << S(CLOSE));
	/* Of 2 there is nothing to tell. */
	CHECK_EQ(tcpfsm_model_unfinished(m, now, keep, &life), 0);
	CHECK_EQ(nevents, 1);
	tcpfsm_model_free(m);
}

static void mark(uint32_t what, uint8_t err)
{
	struct tcpfsm_record *r = add(TCPFSM_TYPE_SOCKET, 0, 0);

	now -= STEP;
	r->ts = now;
	r->netns = 0;
	r->snd = what;
	r->arg = err;
}

/* Read again now. */
static void again(uint64_t conn, uint8_t state, uint8_t flags)
{
	sock(conn, state, (now - 1000000000) / STEP, UNKNOWN, flags);
}

/* Sockets read again after a loss: no event of their own, and none that is wrong. */
static void resync_events(void)
{
	begin();
	active_open(1);
	active_open(2);
	active_open(3);
	active_open(4);
	st(4, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(4, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	lost(9);
	now += 5 * STEP;
	/* 1 goes on, 2 got a FIN, 3 and 4 are gone; 6 is new. */
	mark(TCPFSM_RESYNC_BEGIN, 0);
	again(1, S(ESTABLISHED), OWNED);
	again(2, S(CLOSE_WAIT), OWNED);
	again(6, S(FIN_WAIT2), 0);
	mark(TCPFSM_RESYNC_END, 0);
	/* From before it, read only now; then after it. */
	time_wait(4, S(FIN_WAIT2), 0);
	items[nitems - 1].rec.ts -= 3 * STEP;
	st(1, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(2, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	st(2, S(LAST_ACK), S(CLOSE), 0, 0);
	time_wait(6, S(FIN_WAIT2), 0);
	/* It was not found, and is there: as it was. */
	st(3, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	expect(OPENED
	       "2 CLOSE>SYN_SENT active_open\n"
	       "2 SYN_SENT>ESTABLISHED rcv_synack 10\n"
	       "3 CLOSE>SYN_SENT active_open\n"
	       "3 SYN_SENT>ESTABLISHED rcv_synack 10\n"
	       "4 CLOSE>SYN_SENT active_open\n"
	       "4 SYN_SENT>ESTABLISHED rcv_synack 10\n"
	       "4 ESTABLISHED>FIN_WAIT1 close 10\n"
	       "4 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
	       "lost 9 cpu 0 10\n"
	       "4 timewait enter TIME_WAIT\n"
	       "4 FIN_WAIT2>TIME_WAIT rcv_fin 40\n"
	       "1 ESTABLISHED>CLOSE_WAIT rcv_fin 160\n"
	       "2 CLOSE_WAIT>LAST_ACK close\n"
	       "2 LAST_ACK>CLOSE rcv_ack_of_fin 10\n"
	       "6 timewait enter TIME_WAIT\n"
	       "6 FIN_WAIT2>TIME_WAIT rcv_fin\n"
	       "3 ESTABLISHED>CLOSE_WAIT rcv_fin 160\n");
}

static int count_events(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	(*(size_t *)arg)++;
	return 0;
}

/* Feeds what was added since the last call. */
static void feed_more(struct tcpfsm_model *m, size_t *told, uint64_t count[16])
{
	static size_t done;

	if (!m) {
		done = 0;
		return;
	}
	*told = 0;
	CHECK_EQ(tcpfsm_model_items(m, items + done, nitems - done, count_events, told), 0);
	done = nitems;
	tcpfsm_model_population(m, count);
}

static void resync_counts(void)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts) };
	struct tcpfsm_model *m;
	uint64_t count[16];
	size_t told;

	begin();
	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	feed_more(NULL, NULL, NULL);
	sock(99, S(LISTEN), 0, UNKNOWN, F(PASSIVE));
	active_open(1);
	active_open(2);
	active_open(3);
	time_wait(3, S(FIN_WAIT2), F(SAME_SEGMENT));
	feed_more(m, &told, count);
	CHECK(count[S(LISTEN)] == 1 && count[S(ESTABLISHED)] == 2 && count[S(TIME_WAIT)] == 1);

	/* A record waits for its successor when the resync begins: no longer. */
	st(2, S(ESTABLISHED), S(CLOSE), 0, OWNED);
	feed_more(m, &told, count);
	CHECK_EQ(told, 0);
	CHECK_EQ(tcpfsm_model_pending(m), 1);
	lost(9);
	mark(TCPFSM_RESYNC_BEGIN, 0);
	feed_more(m, &told, count);
	CHECK_EQ(told, 2);
	CHECK_EQ(tcpfsm_model_pending(m), 0);
	again(99, S(LISTEN), F(PASSIVE));
	again(1, S(CLOSE_WAIT), 0);
	again(2, S(ESTABLISHED), 0);		/* just so */
	again(4, S(TIME_WAIT), 0);
	again(5, S(TIME_WAIT), 0);
	mark(TCPFSM_RESYNC_END, 0);
	feed_more(m, &told, count);
	CHECK_EQ(told, 0);
	CHECK(count[S(LISTEN)] == 1 && count[S(CLOSE_WAIT)] == 1 && count[S(ESTABLISHED)] == 0 &&
	      count[S(TIME_WAIT)] == 2);

	/* One that fails takes nothing away; the next one does, and for good. */
	mark(TCPFSM_RESYNC_BEGIN, 0);
	again(4, S(TIME_WAIT), 0);
	mark(TCPFSM_RESYNC_END, EACCES);
	feed_more(m, &told, count);
	CHECK(count[S(LISTEN)] == 1 && count[S(CLOSE_WAIT)] == 1 && count[S(TIME_WAIT)] == 2);
	mark(TCPFSM_RESYNC_BEGIN, 0);
	mark(TCPFSM_RESYNC_END, 0);
	mark(TCPFSM_RESYNC_BEGIN, 0);
	again(4, S(TIME_WAIT), 0);
	mark(TCPFSM_RESYNC_END, 0);
	feed_more(m, &told, count);
	CHECK_EQ(told, 0);
	CHECK(!count[S(LISTEN)] && !count[S(CLOSE_WAIT)] && count[S(TIME_WAIT)] == 1);
	tcpfsm_model_counts(m, &count[0], NULL);
	CHECK_EQ(count[0], 1);
	tcpfsm_model_free(m);
}

static void losses(void)
{
	/* What was known is not believed against a record. */
	begin();
	active_open(1);
	cpu = 1;
	lost(123);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	lost(7);
	time_wait(1, S(FIN_WAIT2), F(SAME_SEGMENT));
	expect(OPENED
	       "lost 123 cpu 1 10\n"
	       "1 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin\n"
	       "lost 7 cpu 1 10\n"
	       "1 timewait enter TIME_WAIT\n"
	       "1 FIN_WAIT2>TIME_WAIT rcv_fin 20\n");
}

static void reused_socket(void)
{
	/* A socket may connect again after a failure; its cookie stays. */
	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(CLOSE), ETIMEDOUT, 0);
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	st(1, S(SYN_SENT), S(ESTABLISHED), 0, 0);
	expect("1 CLOSE>SYN_SENT active_open\n"
	       "1 SYN_SENT>CLOSE timeout 10\n"
	       "1 connect_failed ETIMEDOUT\n"
	       "1 CLOSE>SYN_SENT active_open 10\n"
	       "1 SYN_SENT>ESTABLISHED rcv_synack 10\n");
}

static void repeated_states(void)
{
	/* close() after shutdown() sets the state again; so does tcp_done(). */
	begin();
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, OWNED);
	st(1, S(FIN_WAIT1), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(CLOSE), ETIMEDOUT, F(ORPHAN));
	st(1, S(CLOSE), S(CLOSE), ECONNABORTED, 0);
	expect("1 ESTABLISHED>FIN_WAIT1 close\n"
	       "1 FIN_WAIT1>CLOSE timeout 20\n");
}

static void raw_view(void)
{
	begin();
	passive_open(5);
	st(5, S(ESTABLISHED), S(FIN_WAIT1), 0, OWNED | F(SHUT_SEND));
	st(5, S(FIN_WAIT1), S(FIN_WAIT1), 0, CLOSING_FD);
	st(5, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(5, S(FIN_WAIT2), F(SAME_SEGMENT));
	ends(5, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	time_wait_task(8, S(FIN_WAIT2), 0);
	becomes(9, S(FIN_WAIT2), S(TIME_WAIT), TCPFSM_TW_DENIED, 0);
	syn(10, TCPFSM_VERDICT_QUEUED, 0)->flags |= F(CLONE);
	syn(6, TCPFSM_VERDICT_QUEUED, 0);
	gone(6, TCPFSM_GONE_TIMEOUT);
	st(7, S(CLOSE), S(SYN_SENT), 0, OWNED)->lport = 0;
	rst(7, TCPFSM_DIRECTION_RECEIVED, S(SYN_SENT));
	st(7, S(SYN_SENT), S(CLOSE), ECONNREFUSED, 0);
	expect_raw("5 syn queued 1/0\n"
		   "5 LISTEN>SYN_RECV \n"
		   "5 SYN_RECV>ESTABLISHED rcv_ack_of_syn\n"
		   "5 ESTABLISHED>FIN_WAIT1 shutdown 10\n"
		   "5 FIN_WAIT1>FIN_WAIT1  10\n"
		   "5 FIN_WAIT1>FIN_WAIT2 rcv_ack_of_fin 10\n"
		   "5 timewait enter TIME_WAIT\n"
		   "5 FIN_WAIT2>CLOSE  10\n"
		   "5 timewait expire TIME_WAIT\n"
		   "8 timewait enter TIME_WAIT\n"
		   "8 FIN_WAIT2>CLOSE \n"
		   "9 timewait denied TIME_WAIT\n"
		   "9 FIN_WAIT2>CLOSE \n"
		   "10 LISTEN>SYN_RECV \n"
		   "10 syn queued 1/0\n"
		   "6 syn queued 1/0\n"
		   "6 NEW_SYN_RECV>CLOSE timeout\n"
		   "7 CLOSE>SYN_SENT active_open\n"
		   "7 reset received SYN_SENT\n"
		   "7 SYN_SENT>CLOSE rcv_rst 20\n");
}

static int stop_at_two(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	return ++*(int *)arg == 2 ? -7 : 0;
}

static void stopping(void)
{
	struct tcpfsm_model *m;
	int n = 0;

	begin();
	passive_open(5);
	tcpfsm_model_new(&m, NULL);
	CHECK_EQ(tcpfsm_model_item(m, &items[0], stop_at_two, &n), -7);
	CHECK_EQ(n, 2);
	CHECK_EQ(tcpfsm_model_item(m, &items[1], stop_at_two, &n), 0);
	CHECK_EQ(n, 4);
	tcpfsm_model_free(m);
}

static int ignore(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	++*(uint64_t *)arg;
	return 0;
}

static struct tcpfsm_life life;
static struct tcpfsm_event life_end;

static int keep_life(const struct tcpfsm_event *ev, void *arg)
{
	++*(size_t *)arg;
	life = *ev->life;
	life_end = *ev;
	return 0;
}

/* The end of the only life in items, which may be one still in TIME_WAIT. */
static void live_it(void)
{
	struct tcpfsm_model_options opts = {
		.size = sizeof(opts), .epoch_offset = EPOCH, .lives = true,
	};
	struct tcpfsm_model *m;
	size_t n = 0;

	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	CHECK_EQ(tcpfsm_model_items(m, items, nitems, keep_life, &n), 0);
	CHECK_EQ(tcpfsm_model_flush(m, keep_life, &n), 0);
	if (!n)
		tcpfsm_model_unfinished(m, now + (uint64_t)EPOCH, keep_life, &n);
	CHECK_EQ(n, 1);
	tcpfsm_model_free(m);
}

/* The clock is set amid a handshake: times are by the new one from then on, durations as they were. */
static void clock_set(void)
{
	const uint64_t by = 7200000000000ULL;
	struct tcpfsm_record *r;

	begin();
	st(1, S(CLOSE), S(SYN_SENT), 0, OWNED);
	r = add(TCPFSM_TYPE_MARK, (uint64_t)EPOCH + by, 0);
	r->snd = TCPFSM_MARK_CLOCK;
	r->family = 0;
	st(1, S(SYN_SENT), S(ESTABLISHED), 0, 0);
	st(1, S(ESTABLISHED), S(CLOSE), ECONNRESET, 0);
	live_it();
	CHECK_EQ(life.setup, 2 * STEP);
	CHECK_EQ(life.begin, items[0].rec.ts + (uint64_t)EPOCH + by);
	CHECK_EQ(life_end.ts, now + (uint64_t)EPOCH + by);
}

static void lives(void)
{
	/* Active: closed first, and TIME_WAIT is part of it. */
	begin();
	retransmit(1, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1);
	nitems = 0;
	active_open(1);
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1);
	retransmit(1, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 2);
	st(1, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	time_wait(1, S(FIN_WAIT2), 0);
	live_it();
	CHECK_EQ(life_end.cause, TCPFSM_CAUSE_NONE);	/* unfinished */
	CHECK_EQ(life_end.pid, pid);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_NONE);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	live_it();
	CHECK_EQ(life_end.cause, TCPFSM_CAUSE_2MSL);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_NONE);
	CHECK_EQ(life.closer, TCPFSM_CLOSER_LOCAL);
	CHECK_EQ(life.setup, STEP);
	CHECK_EQ(life.whole, 1);
	CHECK_EQ(life.passive, 0);
	CHECK_EQ(life.time[TCPFSM_LIFE_SLOT(S(FIN_WAIT1))], 3 * STEP);
	CHECK_EQ(life.time[TCPFSM_LIFE_SLOT(S(TIME_WAIT))], STEP);
	CHECK_EQ(life.retransmits[TCPFSM_SEGMENT_FIN - 1], 2);
	CHECK_EQ(life.retransmits[TCPFSM_SEGMENT_SYN - 1], 0);

	/* Passive: the peer closed first. */
	begin();
	passive_open(5);
	accepted(5);
	st(5, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	st(5, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	st(5, S(LAST_ACK), S(CLOSE), 0, 0);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_REMOTE);
	CHECK_EQ(life.passive, 1);
	CHECK_EQ(life.setup, STEP);
	CHECK_EQ(life.waited, STEP);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_NONE);

	/* Cut short, by either side, by nobody; in mid-life. */
	begin();
	active_open(1);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED));
	st(1, S(ESTABLISHED), S(CLOSE), ECONNRESET, 0);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_REMOTE);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_RCV_RST);
	begin();
	active_open(1);
	rst(1, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED));
	rst(1, TCPFSM_DIRECTION_SENT, S(ESTABLISHED));
	st(1, S(ESTABLISHED), S(CLOSE), 0, 0);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_REMOTE);
	/* In FIN_WAIT2 when it is heard of first. */
	begin();
	st(1, S(FIN_WAIT2), S(CLOSE), ECONNABORTED, 0);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_LOCAL);
	begin();
	st(1, S(ESTABLISHED), S(CLOSE), 0, CLOSING_FD);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_LOCAL);
	CHECK_EQ(life.whole, 0);
	CHECK_EQ(life.setup, 0);
	begin();
	retransmit(1, TCPFSM_SEGMENT_DATA, S(ESTABLISHED), 15);
	st(1, S(ESTABLISHED), S(CLOSE), ETIMEDOUT, 0);
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_NONE);
	CHECK_EQ(life.retransmits[TCPFSM_SEGMENT_DATA - 1], 1);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_TIMEOUT);

	/* Both at once; and the same socket again begins anew. */
	begin();
	active_open(1);
	st(1, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	st(1, S(FIN_WAIT1), S(CLOSING), 0, 0);
	time_wait(1, S(CLOSING), 0);
	ends(1, TCPFSM_TW_REUSE, S(TIME_WAIT));
	live_it();
	CHECK_EQ(life.closer, TCPFSM_CLOSER_BOTH);
	CHECK_EQ(tcpfsm_life_end(&life_end), TCPFSM_CAUSE_NONE);
}

static void bounded(void)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts), .max_conns = 1000 };
	uint64_t conns, forgotten, n = 0, i;
	struct tcpfsm_model *m;

	tcpfsm_model_new(&m, &opts);
	for (i = 1; i <= 5000; i++) {
		begin();
		st(i, S(SYN_SENT), S(ESTABLISHED), 0, 0);
		st(1, S(FIN_WAIT1), S(FIN_WAIT1), 0, 0);	/* never quiet */
		tcpfsm_model_item(m, &items[0], ignore, &n);
		tcpfsm_model_item(m, &items[1], ignore, &n);
	}
	tcpfsm_model_counts(m, &conns, &forgotten);
	CHECK_EQ(conns, 1000);
	CHECK_EQ(forgotten, 4000);
	/* The closed ones make room, and count no more. */
	for (i = 4500; i <= 5000; i++) {
		begin();
		st(i, S(ESTABLISHED), S(CLOSE), ETIMEDOUT, 0);
		tcpfsm_model_item(m, &items[0], ignore, &n);
	}
	tcpfsm_model_counts(m, &conns, &forgotten);
	CHECK_EQ(conns, 499);
	CHECK_EQ(forgotten, 4000);
	begin();
	st(1, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	play(m, false);
	CHECK_EQ(last.dur_ns, (int64_t)now - 1000000000 - STEP);
	tcpfsm_model_free(m);

	/* Growing. */
	tcpfsm_model_new(&m, NULL);
	for (i = 1; i <= 300000; i++) {
		begin();
		st(i * 4096, S(SYN_SENT), S(ESTABLISHED), 0, 0);
		tcpfsm_model_item(m, &items[0], ignore, &n);
	}
	tcpfsm_model_counts(m, &conns, &forgotten);
	CHECK_EQ(conns, 300000);
	CHECK_EQ(forgotten, 0);
	tcpfsm_model_free(m);
}

/* Whoever gets it may have tables of states. */
static int in_range(const struct tcpfsm_event *ev, void *arg)
{
	++*(uint64_t *)arg;
	if (ev->type != TCPFSM_EVENT_LOST)
		CHECK(ev->old_state < 16 && ev->new_state < 16 && ev->rec.reason < 16);
	return 0;
}

static void hostile_records(void)
{
	static const struct tcpfsm_model_options modes[] = {
		{ .size = sizeof(modes[0]) },
		{ .size = sizeof(modes[0]), .raw = true },
		{ .size = sizeof(modes[0]), .lives = true },
		{ .size = sizeof(modes[0]), .lives = true, .watch = true },
		{ .size = sizeof(modes[0]), .lives = true, .watch = true, .clients = true },
	};
	struct tcpfsm_model *m = NULL;
	uint64_t x = 88172645463325252ULL, n = 0;
	char line[TCPFSM_JSON_MAX];
	size_t i, j;

	/* A damaged recording may hold anything: every byte at random. */
	for (i = 0; i < 500000; i++) {
		uint8_t *p = (uint8_t *)&items[0];

		if (i % 100000 == 0) {
			tcpfsm_model_free(m);
			tcpfsm_model_new(&m, &modes[i / 100000]);
		}

		for (j = 0; j < sizeof(items[0].rec); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			p[j] = (uint8_t)(x >> 40);
		}
		items[0].rec.type = (uint8_t)(x % 14);
		items[0].rec.conn = x % 300;
		items[0].cpu = (uint32_t)(x >> 50);
		items[0].lost = i % 50 ? 0 : x;
		if (i % 3) {
			items[0].rec.old_state &= 15;
			items[0].rec.new_state &= 15;
			items[0].rec.verdict &= 7;
			items[0].rec.reason &= 15;
		}
		tcpfsm_model_item(m, &items[0], in_range, &n);
	}
	CHECK(n > 100000);
	tcpfsm_model_free(m);

	for (i = 0; i < 100000; i++) {
		uint8_t *p = (uint8_t *)&last;

		for (j = 0; j < sizeof(last); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			p[j] = (uint8_t)(x >> 40);
		}
		last.has_owner = x & 1;
		last.has_queues = x & 2;
		last.suppressed = x & 4;
		last.netns_gone = x & 8;
		CHECK(tcpfsm_event_json(&last, line) < TCPFSM_JSON_MAX - 64);
	}
}

/* ---- filter --------------------------------------------------------------------------- */

static void filtering(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f) };
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_TRANSITION };

	ev.rec.family = 4;
	ev.rec.lport = 80;
	ev.rec.rport = 40000;
	ev.rec.netns = 7;
	CHECK(tcpfsm_filter_match(&f, &ev));
	f.family = 6;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	f.family = 4;
	f.netns = 7;
	f.nlport = 2;
	f.lport[0] = 443;
	f.lport[1] = 80;
	CHECK(tcpfsm_filter_match(&f, &ev));
	f.nrport = 1;
	f.rport[0] = 1;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	f.nrport = 0;
	f.pid = 700;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	ev.has_owner = true;
	ev.pid = 700;
	CHECK(tcpfsm_filter_match(&f, &ev));
	f.netns = 8;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	ev.type = TCPFSM_EVENT_LOST;
	CHECK(tcpfsm_filter_match(&f, &ev));

	/* Left out on purpose: as the SYNs would pass, of whatever peer. */
	ev.suppressed = true;
	ev.old_state = S(LISTEN);
	ev.rec.rport = 0;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	f.netns = 7;
	f.pid = 0;
	f.nrport = 1;
	f.states = 1U << S(LISTEN);
	CHECK(tcpfsm_filter_match(&f, &ev));
	f.lport[1] = 81;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	f.nlport = 0;
	f.family = 6;
	CHECK(!tcpfsm_filter_match(&f, &ev));
	f.family = 0;
	f.causes = 1U << TCPFSM_CAUSE_RCV_SYN;
	CHECK(!tcpfsm_filter_match(&f, &ev));
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void fill_event(struct tcpfsm_event *ev, uint8_t type)
{
	memset(ev, 0, sizeof(*ev));
	ev->type = type;
	ev->ts = 1700000000123456789ULL;
	ev->cpu = 3;
	ev->dur_ns = -1;
	ev->rec.family = 4;
	ev->rec.conn = 4711;
	ev->rec.netns = 4026531840U;
	ev->rec.lport = 80;
	ev->rec.rport = 65535;
	inet_pton(AF_INET, "192.168.255.1", ev->rec.laddr);
	inet_pton(AF_INET, "0.10.99.100", ev->rec.raddr);
	ev->rec.tw = 17;
	ev->rec.tw_max = 262144;
	ev->rec.snd = UINT32_MAX;
	ev->rec.rcv = 100000000;
}

static void expect_json(const struct tcpfsm_event *ev, const char *expected)
{
	char line[TCPFSM_JSON_MAX];
	size_t len = tcpfsm_event_json(ev, line);

	if (len == strlen(expected) && !memcmp(line, expected, len))
		return;
	check_failed++;
	printf("# expected %s# got      %.*s", expected, (int)len, line);
}

#define ALWAYS(event) \
	"{\"ts\":1700000000123456789,\"event\":\"" event "\",\"conn\":4711,\"netns\":4026531840," \
	"\"family\":4,\"laddr\":\"192.168.255.1\",\"lport\":80,\"raddr\":\"0.10.99.100\"," \
	"\"rport\":65535,\"cpu\":3,\"ts_ms\":1700000000123.456"
#define SEQ ",\"snd\":4294967295,\"rcv\":100000000"
#define QUEUES \
	",\"listener\":99,\"synq\":0,\"synq_max\":4294967295,\"acceptq\":7,\"acceptq_max\":4294967295"

static void json_keys(void)
{
	struct tcpfsm_event ev;

	fill_event(&ev, TCPFSM_EVENT_TRANSITION);
	ev.old_state = S(ESTABLISHED);
	ev.new_state = S(FIN_WAIT1);
	ev.cause = TCPFSM_CAUSE_CLOSE;
	expect_json(&ev, ALWAYS("transition") ",\"old\":\"ESTABLISHED\",\"new\":\"FIN_WAIT1\","
		    "\"cause\":\"close\",\"tw\":17,\"tw_max\":262144}\n");
	ev.predecessor = 98;
	ev.dur_ns = 21999;
	ev.has_queues = true;
	ev.rec.listener = 99;
	ev.rec.acceptq = 7;
	ev.rec.backlog = UINT32_MAX;
	ev.rec.flags |= TCPFSM_F_PASSIVE;
	ev.has_owner = true;
	ev.pid = 700;
	strcpy(ev.comm, "nginx");
	expect_json(&ev, ALWAYS("transition") ",\"old\":\"ESTABLISHED\",\"new\":\"FIN_WAIT1\","
		    "\"cause\":\"close\",\"ms\":0.021,\"tw\":17,\"tw_max\":262144,"
		    "\"predecessor\":98" QUEUES
		    ",\"pid\":700,\"comm\":\"nginx\"}\n");

	ev.type = TCPFSM_EVENT_SYN;
	ev.predecessor = 0;
	ev.has_owner = false;
	ev.new_state = 0;
	ev.rec.verdict = TCPFSM_VERDICT_QUEUED;
	ev.rec.young = 5;
	expect_json(&ev, ALWAYS("syn") ",\"verdict\":\"queued\"" QUEUES
		    ",\"synq_young\":5" SEQ "}\n");
	ev.rec.verdict = TCPFSM_VERDICT_COOKIE;
	ev.rec.reason = TCPFSM_REASON_SYNQ_FULL;
	ev.asked = 4097;
	expect_json(&ev, ALWAYS("syn") ",\"verdict\":\"cookie\",\"reason\":\"synq_full\"" QUEUES
		    ",\"synq_young\":5,\"backlog\":4096" SEQ "}\n");
	ev.rec.verdict = TCPFSM_VERDICT_DROPPED;
	ev.rec.reason = TCPFSM_REASON_LAST_QUARTER;
	ev.rec.snd = 256;
	expect_json(&ev, ALWAYS("syn") ",\"verdict\":\"dropped\",\"reason\":\"last_quarter\"" QUEUES
		    ",\"synq_young\":5,\"backlog\":4096,\"max_syn_backlog\":256,"
		    "\"rcv\":100000000}\n");
	ev.rec.snd = UINT32_MAX;
	ev.asked = 0;
	ev.type = TCPFSM_EVENT_HANDSHAKE_ACK;
	ev.rec.verdict = TCPFSM_VERDICT_RESET;
	ev.rec.reason = TCPFSM_REASON_ACCEPTQ_FULL;
	expect_json(&ev, ALWAYS("handshake_ack") ",\"verdict\":\"reset\",\"reason\":\"acceptq_full\""
		    QUEUES SEQ "}\n");
	ev.rec.verdict = TCPFSM_VERDICT_ESTABLISHED;
	expect_json(&ev, ALWAYS("handshake_ack") ",\"verdict\":\"established\"" QUEUES SEQ "}\n");

	fill_event(&ev, TCPFSM_EVENT_RETRANSMIT);
	ev.old_state = S(SYN_SENT);
	ev.rec.verdict = TCPFSM_SEGMENT_SYN;
	ev.rec.arg = 6;
	expect_json(&ev, ALWAYS("retransmit") ",\"what\":\"SYN\",\"state\":\"SYN_SENT\",\"count\":6" SEQ
		    "}\n");
	ev.type = TCPFSM_EVENT_RESET;
	ev.rec.verdict = TCPFSM_DIRECTION_SENT;
	ev.old_state = S(CLOSE);
	expect_json(&ev, ALWAYS("reset") ",\"direction\":\"sent\",\"state\":\"CLOSE\"" SEQ "}\n");
	ev.type = TCPFSM_EVENT_ACCEPT;
	ev.has_owner = true;
	ev.pid = 4194304;
	strcpy(ev.comm, "a");
	expect_json(&ev, ALWAYS("accept") ",\"pid\":4194304,\"comm\":\"a\"}\n");
	ev.dur_ns = 1234567890123;
	expect_json(&ev, ALWAYS("accept") ",\"waited_ms\":1234567.890,\"pid\":4194304,\"comm\":\"a\"}\n");
	ev.type = TCPFSM_EVENT_LISTEN;
	ev.rec.snd = 4096;
	ev.rec.backlog = 128;
	ev.rec.flags |= TCPFSM_F_PASSIVE;
	expect_json(&ev, ALWAYS("listen") ",\"backlog\":4096,\"effective\":128,\"pid\":4194304,"
		    "\"comm\":\"a\"}\n");
	ev.rec.snd = UINT32_MAX;
	ev.has_owner = false;
	expect_json(&ev, ALWAYS("listen") ",\"effective\":128}\n");
	ev.type = TCPFSM_EVENT_TIMEWAIT;
	ev.rec.flags &= (uint8_t)~TCPFSM_F_PASSIVE;
	ev.rec.dev = 0;
	ev.rec.verdict = TCPFSM_TW_REFRESH;
	ev.rec.old_state = S(FIN_WAIT2);
	ev.rec.new_state = S(TIME_WAIT);
	expect_json(&ev, ALWAYS("timewait") ",\"action\":\"refresh\",\"substate\":\"TIME_WAIT\","
		    "\"tw\":17,\"tw_max\":262144}\n");
	ev.rec.verdict = TCPFSM_TW_ENTER;
	ev.closer = TCPFSM_CLOSER_BOTH;
	expect_json(&ev, ALWAYS("timewait") ",\"action\":\"enter\",\"substate\":\"TIME_WAIT\","
		    "\"closed_first\":\"both\",\"tw\":17,\"tw_max\":262144}\n");
	ev.type = TCPFSM_EVENT_CONNECT_FAILED;
	ev.rec.arg = EADDRNOTAVAIL;
	expect_json(&ev, ALWAYS("connect_failed") ",\"errno\":\"EADDRNOTAVAIL\"}\n");
	ev.rec.dev = 7;
	ev.netns_gone = true;
	expect_json(&ev, ALWAYS("connect_failed") ",\"errno\":\"EADDRNOTAVAIL\",\"dev\":7,\"netns_gone\":true}\n");
	ev.type = TCPFSM_EVENT_LOST;
	ev.lost = 123;
	ev.from_ts = 1;
	ev.to_ts = UINT64_MAX;
	expect_json(&ev, "{\"ts\":1700000000123456789,\"ts_ms\":1700000000123.456,\"event\":\"lost\",\"kind\":\"overrun\","
		    "\"cpu\":3,\"count\":123,\"from_ts\":1,\"to_ts\":18446744073709551615}\n");
	ev.suppressed = true;
	ev.has_queues = true;
	ev.rec.listener = 99;
	ev.rec.acceptq = 7;
	ev.rec.backlog = UINT32_MAX;
	expect_json(&ev, ALWAYS("lost") ",\"kind\":\"suppressed\",\"what\":\"SYN\"" QUEUES ",\"count\":123,"
		    "\"from_ts\":1,\"to_ts\":18446744073709551615}\n");
	ev.has_queues = false;
	ev.rec.verdict = TCPFSM_TYPE_TIMEWAIT;
	expect_json(&ev, ALWAYS("lost") ",\"kind\":\"suppressed\",\"what\":\"TIMEWAIT\",\"count\":123,"
		    "\"from_ts\":1,\"to_ts\":18446744073709551615}\n");
}

static void json_numbers(void)
{
	static const uint64_t some[] = {
		0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 99999, 100000, 9999999, 10000000,
		99999999, 100000000, 999999999, 4294967295, 4294967296, 9999999999999999,
		10000000000000000, 99999999999999999, 12345678901234567, UINT64_MAX - 1, UINT64_MAX,
	};
	char line[TCPFSM_JSON_MAX], expected[64];
	struct tcpfsm_event ev;
	uint64_t x = 1, v;
	size_t i;

	for (i = 0; i < 200000; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		v = i < sizeof(some) / sizeof(some[0]) ? some[i] : x >> (i % 64);
		fill_event(&ev, TCPFSM_EVENT_ACCEPT);
		ev.ts = v;
		ev.rec.lport = (uint16_t)v;
		ev.rec.netns = (uint32_t)v;
		ev.dur_ns = (int64_t)(v >> 1);
		line[tcpfsm_event_json(&ev, line)] = '\0';
		snprintf(expected, sizeof(expected), "{\"ts\":%" PRIu64 ",", v);
		CHECK(!strncmp(line, expected, strlen(expected)));
		snprintf(expected, sizeof(expected), ",\"ts_ms\":%" PRIu64 ".%03u,", v / 1000000,
			 (unsigned int)(v / 1000 % 1000));
		CHECK(strstr(line, expected));
		snprintf(expected, sizeof(expected), "\"lport\":%u,", (uint16_t)v);
		CHECK(strstr(line, expected));
		snprintf(expected, sizeof(expected), "\"netns\":%u,", (uint32_t)v);
		CHECK(strstr(line, expected));
		snprintf(expected, sizeof(expected), "\"waited_ms\":%" PRIu64 ".%03u}", (v >> 1) / 1000000,
			 (unsigned int)((v >> 1) / 1000 % 1000));
		CHECK(strstr(line, expected));
	}
}

static void json_addresses(void)
{
	static const char * const text[] = {
		"::", "::1", "1::", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1",
		"2001:db8::1:0:0:1", "fe80::1234:5678:9abc:def0", "1:2:3:4:5:6:7:8",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0:1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0",
		"::2:3:4:5:6:7:8", "1:2:3:4:5:6::", "a0:b00:c000:d::",
	};
	char line[TCPFSM_JSON_MAX], expected[192];
	struct tcpfsm_event ev;
	size_t i;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		/* Some are not written as RFC 5952 wants: inet_ntop() knows. */
		char addr[INET6_ADDRSTRLEN];

		fill_event(&ev, TCPFSM_EVENT_ACCEPT);
		ev.rec.family = 6;
		CHECK_EQ(inet_pton(AF_INET6, text[i], ev.rec.laddr), 1);
		memcpy(ev.rec.raddr, ev.rec.laddr, 16);
		inet_ntop(AF_INET6, ev.rec.laddr, addr, sizeof(addr));
		line[tcpfsm_event_json(&ev, line)] = '\0';
		snprintf(expected, sizeof(expected),
			 "\"family\":6,\"laddr\":\"%s\",\"lport\":80,\"raddr\":\"%s\",\"rport\"", addr, addr);
		CHECK(strstr(line, expected));
	}
	for (i = 0; i < 256; i++) {
		fill_event(&ev, TCPFSM_EVENT_ACCEPT);
		memset(ev.rec.laddr, (int)i, 4);
		line[tcpfsm_event_json(&ev, line)] = '\0';
		snprintf(expected, sizeof(expected), "\"laddr\":\"%zu.%zu.%zu.%zu\",", i, i, i, i);
		CHECK(strstr(line, expected));
	}
}

/* What is kept of a connection, or of a second, is never that of another one. */
static void json_kept(void)
{
	struct tcpfsm_json_writer *w = tcpfsm_json_writer_new();
	char line[TCPFSM_JSON_MAX], kept[TCPFSM_JSON_MAX];
	struct tcpfsm_event ev;
	uint64_t x = 88172645463325252ULL;
	unsigned int i;
	size_t len;

	CHECK(w);
	for (i = 0; i < 100000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		fill_event(&ev, (uint8_t)(x % (TCPFSM_EVENT_LOST + 1)));
		ev.ts = (x & 16 ? 1766000000000000000ULL : 0) + (x >> 30) % 3000000000ULL;
		ev.cpu = (uint32_t)(x >> 8) % 3;
		/* Few, so that they come again; many of them have the same place. */
		ev.rec.conn = (x >> 20) % 6 * 64;
		ev.rec.netns = 4026531840U + (x >> 24) % 2;
		ev.rec.lport = (uint16_t)((x >> 26) % 2);
		ev.rec.rport = (uint16_t)((x >> 28) % 2);
		ev.rec.family = x & 32 ? 6 : 4;
		memset(ev.rec.laddr, (int)((x >> 32) % 2), 16);
		memset(ev.rec.raddr, (int)((x >> 34) % 2 * 255), 16);
		len = tcpfsm_event_json(&ev, line);
		CHECK_EQ(tcpfsm_json_writer_event(w, &ev, kept), len);
		CHECK(!memcmp(line, kept, len));
	}
	tcpfsm_json_writer_free(w);
	tcpfsm_json_writer_free(NULL);
}

static size_t longest_line(char line[TCPFSM_JSON_MAX])
{
	struct tcpfsm_event ev;
	size_t max = 0, len;
	uint8_t type;

	for (type = 0; type <= TCPFSM_EVENT_LOST; type++) {
		memset(&ev, 0xff, sizeof(ev));
		ev.type = type;
		ev.rec.family = 6;
		ev.dur_ns = INT64_MAX;
		ev.old_state = S(BOUND_INACTIVE);
		ev.new_state = S(BOUND_INACTIVE);
		ev.cause = TCPFSM_CAUSE_RCV_ACK_OF_SYN;
		ev.has_queues = true;
		ev.has_owner = true;
		ev.netns_gone = true;
		ev.suppressed = type == TCPFSM_EVENT_LOST;
		ev.rec.verdict = TCPFSM_VERDICT_DROPPED;
		ev.rec.reason = TCPFSM_REASON_COOKIE_INVALID;
		ev.rec.flags = 0;
		ev.rec.snd = UINT32_MAX - 1;
		len = tcpfsm_event_json(&ev, line);
		if (len > max)
			max = len;
	}
	return max;
}

static void json_length(void)
{
	char line[TCPFSM_JSON_MAX + 64];

	memset(line, 0x5a, sizeof(line));
	CHECK(longest_line(line) <= 768);
	CHECK_EQ(line[TCPFSM_JSON_MAX - 1], 0x5a);
}

#ifdef HAVE_JSON_C
static struct json_object *parse(const struct tcpfsm_event *ev)
{
	struct json_tokener *tok = json_tokener_new();
	char line[TCPFSM_JSON_MAX];
	size_t len = tcpfsm_event_json(ev, line);
	struct json_object *o;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, line, (int)len - 1);
	if (!o && !check_failed++)
		printf("# not JSON: %.*s", (int)len, line);
	json_tokener_free(tok);
	return o;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v ? json_object_get_string(v) : "";
}

static void json_comm(void)
{
	static const struct {
		const char *comm, *shown;
	} names[] = {
		{ "nginx", "nginx" },
		{ "exactly16bytes!!", "exactly16bytes!!" },
		{ "eight888", "eight888" },
		{ "fifteen15151515", "fifteen15151515" },
		{ "nine99999\001", "nine99999\001" },
		{ "late quote only\"", "late quote only\"" },
		{ "\"},{\"x\":\"", "\"},{\"x\":\"" },
		{ "back\\slash", "back\\slash" },
		{ "tab\tnl\nesc\033[2J", "tab\tnl\nesc\033[2J" },
		{ "del\177", "del\177" },
		{ "caf\303\251", "caf\303\251" },
		{ "cut \303", "cut \357\277\275" },
		{ "bad \377\376 x", "bad \357\277\275\357\277\275 x" },
		{ "overlong\300\257", "overlong\357\277\275\357\277\275" },
		{ "surro\355\240\200", "surro\357\277\275\357\277\275\357\277\275" },
		{ "c1 \302\233", "c1 \302\233" },
		{ "\360\237\220\247 tux", "\360\237\220\247 tux" },
		{ "\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020",
		  "\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020" },
		{ "", "" },
	};
	struct tcpfsm_event ev;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct json_object *o;

		fill_event(&ev, TCPFSM_EVENT_ACCEPT);
		ev.has_owner = true;
		strncpy(ev.comm, names[i].comm, 16);
		o = parse(&ev);
		CHECK(o && !strcmp(text_of(o, "comm"), names[i].shown));
		CHECK(o && !strcmp(text_of(o, "cpu"), "3"));
		json_object_put(o);
	}
}

static int parse_event(const struct tcpfsm_event *ev, void *arg)
{
	struct json_object *o = parse(ev);

	(void)arg;
	CHECK(o && !strcmp(text_of(o, "event"), tcpfsm_event_name(ev->type)));
	CHECK(o && json_object_is_type(json_object_object_get(o, "ts"), json_type_int));
	json_object_put(o);
	return 0;
}

static void json_parses(void)
{
	struct tcpfsm_model *m;
	struct tcpfsm_event ev;
	size_t i;

	begin();
	active_open(1);
	passive_open(5);
	accepted(5);
	time_wait(1, S(FIN_WAIT2), 0);
	ends(1, TCPFSM_TW_EXPIRE, S(TIME_WAIT));
	lost(5);
	connect_failed(2, ENETUNREACH);
	tcpfsm_model_new(&m, NULL);
	for (i = 0; i < nitems; i++)
		tcpfsm_model_item(m, &items[i], parse_event, NULL);
	tcpfsm_model_flush(m, parse_event, NULL);
	tcpfsm_model_free(m);

	/* Names out of range are names all the same. */
	for (i = 0; i < 256; i++) {
		fill_event(&ev, (uint8_t)(i % TCPFSM_EVENT_LOST));
		ev.old_state = ev.new_state = ev.cause = (uint8_t)i;
		ev.rec.verdict = ev.rec.reason = ev.rec.arg = (uint8_t)i;
		parse_event(&ev, NULL);
	}
}
#endif

static void names(void)
{
	CHECK(!strcmp(tcpfsm_state_name(1), "ESTABLISHED"));
	CHECK(!strcmp(tcpfsm_state_name(12), "NEW_SYN_RECV"));
	CHECK(!strcmp(tcpfsm_state_name(0), "?"));
	CHECK(!strcmp(tcpfsm_state_name(200), "?"));
	CHECK(!strcmp(tcpfsm_cause_name(0), ""));
	CHECK(!strcmp(tcpfsm_cause_name(TCPFSM_CAUSE_2MSL), "2msl"));
	CHECK(!strcmp(tcpfsm_errno_name(ECONNREFUSED), "ECONNREFUSED"));
	CHECK(!strcmp(tcpfsm_errno_name(EAGAIN), "EAGAIN"));
	CHECK(!strcmp(tcpfsm_errno_name(0), "?"));
	CHECK(!strcmp(tcpfsm_errno_name(5000), "?"));
	CHECK(!strcmp(tcpfsm_feature_name(TCPFSM_FEATURE_SYN), "syn"));
	CHECK(!strcmp(tcpfsm_feature_name(31), "?"));
	CHECK(!strcmp(tcpfsm_feature_text(99), ""));
	CHECK(!strcmp(tcpfsm_event_name(99), "?"));
}

int main(void)
{
	TEST("model: open-normal", open_normal());
	TEST("model: open-refused", open_refused());
	TEST("model: ICMP errors", open_icmp());
	TEST("model: open-syn-lost and open-syn-blackhole", open_lost());
	TEST("model: connect given up", open_given_up());
	TEST("model: connect() fails by itself", connect_fails());
	TEST("model: open-synack-lost and open-ack-lost", open_synack_lost());
	TEST("model: open-stale-syn and other ends of a request", open_request_gone());
	TEST("model: open-simultaneous", open_simultaneous());
	TEST("model: SYN cookies", open_cookie());
	TEST("model: open-fastopen", open_fastopen());
	TEST("model: open-defer-accept", open_defer_accept());
	TEST("model: a child that fails", open_child_fails());
	TEST("model: no invented past", open_midlife());
	TEST("model: backlog-clamped, a listener's life", listener());
	TEST("model: synq and acceptq overload", listener_overload());
	TEST("model: backlog asked for", listener_asked());
	TEST("model: refusals left out", listener_suppressed());
	TEST("model: a listener closes", listener_closed());
	TEST("model: accept() of what has gone or is not there yet", accept_late());
	TEST("model: close-client", close_active());
	TEST("model: close-peer-gone and other orphans", close_orphan_active());
	TEST("model: close-server", close_passive());
	TEST("model: close-three", close_three());
	TEST("model: close-three among others", close_three_busy());
	TEST("model: close-three flushed in between", close_three_late());
	TEST("model: held records are bounded", close_hold_full());
	TEST("model: close-half", close_half());
	TEST("model: close-simultaneous", close_simultaneous());
	TEST("model: close with segments lost", close_lost_segments());
	TEST("model: retransmits are counted", counted_retransmits());
	TEST("model: close-reset and errors", close_reset());
	TEST("model: data after close()", close_unread_data());
	TEST("model: ends without an RST", close_unseen());
	TEST("model: ends of TIME_WAIT", tw_ends());
	TEST("model: who takes over from TIME_WAIT", tw_predecessor());
	TEST("model: ways into TIME_WAIT", tw_from());
	TEST("model: tw-bucket", tw_denied());
	TEST("model: data for a FIN_WAIT2 mini-socket", tw_kill_data());
	TEST("model: owners", owners());
	TEST("model: snapshot before the stream", snapshot_before());
	TEST("model: snapshot within the stream", snapshot_within());
	TEST("model: snapshot ahead of the module", snapshot_ahead());
	TEST("model: snapshot with oddities", snapshot_odd());
	TEST("model: snapshot, population and lives", snapshot_counts());
	TEST("model: sockets read again, events", resync_events());
	TEST("model: sockets read again, population", resync_counts());
	TEST("model: losses", losses());
	TEST("model: a socket used twice", reused_socket());
	TEST("model: states set again", repeated_states());
	TEST("model: raw view", raw_view());
	TEST("model: stopping", stopping());
	TEST("model: the clock is set", clock_set());
	TEST("model: lives", lives());
	TEST("model: bounded memory", bounded());
	TEST("model: hostile records", hostile_records());
	TEST("model: an inode that another network namespace has", netns_reborn());
	TEST("filter: every field", filtering());
	TEST("names: in and out of range", names());
	TEST("json: keys and order", json_keys());
	TEST("json: numbers", json_numbers());
	TEST("json: addresses", json_addresses());
	TEST("json: what a writer keeps", json_kept());
	TEST("json: longest line", json_length());
#ifdef HAVE_JSON_C
	TEST("json: hostile names", json_comm());
	TEST("json: json-c parses it", json_parses());
#endif
	return check_done();
}
