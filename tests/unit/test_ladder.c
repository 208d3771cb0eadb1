// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ladders: records as the module logs them, through the model, against the rows
 * they must become; one line of text a row, see show().
 *
 * The client is 10.0.0.2:40000, cookie 2, initial sequence number 1000; the
 * server 10.0.0.1:80, cookie 3, 5000.  snd and rcv are given relative to those.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

#define S(s)	TCPFSM_STATE_##s
#define F(f)	TCPFSM_F_##f
#define EPOCH	1700000000000000000LL
#define MS	1000000ULL
#define SEC	1000000000ULL

enum { CLIENT, SERVER };

static struct tcpfsm_item items[4096];
static size_t nitems;
static uint64_t now;
static uint64_t cookies[2];
static uint32_t isns[2];
static uint16_t ports[2];
static uint8_t family;
static uint64_t next_seq;

static void begin(void)
{
	nitems = 0;
	now = SEC;
	cookies[CLIENT] = 2;
	cookies[SERVER] = 3;
	isns[CLIENT] = 1000;
	isns[SERVER] = 5000;
	ports[CLIENT] = 40000;
	ports[SERVER] = 80;
	family = 4;
	next_seq = 1;
}

static bool no_numbers;			/* seq=0 */

/* snd and rcv: relative; -1: 0 */
static struct tcpfsm_record *rec(uint8_t type, int end, int64_t snd, int64_t rcv)
{
	static const char * const addrs[2][2] = {
		{ "10.0.0.2", "10.0.0.1" }, { "2001:db8::2", "2001:db8::1" },
	};
	int af = family == 6 ? AF_INET6 : AF_INET;
	struct tcpfsm_item *it = &items[nitems++];
	struct tcpfsm_record *r = &it->rec;

	memset(it, 0, sizeof(*it));
	now += 10000;
	r->seq = next_seq++;
	r->ts = now;
	r->type = type;
	r->family = family;
	r->conn = cookies[end];
	r->netns = 4026531840U + (unsigned int)end;
	r->lport = ports[end];
	r->rport = ports[!end];
	inet_pton(af, addrs[family == 6][end], r->laddr);
	inet_pton(af, addrs[family == 6][!end], r->raddr);
	if (no_numbers)
		return r;
	r->snd = snd < 0 ? 0 : isns[end] + (uint32_t)snd;
	r->rcv = rcv < 0 ? 0 : isns[!end] + (uint32_t)rcv;
	return r;
}

static struct tcpfsm_record *st(int end, uint8_t old, uint8_t new, int64_t snd, int64_t rcv)
{
	struct tcpfsm_record *r = rec(TCPFSM_TYPE_STATE, end, snd, rcv);

	r->old_state = old;
	r->new_state = new;
	return r;
}

static struct tcpfsm_record *queues(struct tcpfsm_record *r)
{
	r->flags |= F(PASSIVE);
	r->listener = 99;
	r->synq = 1;
	r->acceptq = 3;
	r->backlog = 2;
	return r;
}

static struct tcpfsm_record *syn(uint8_t verdict, uint8_t reason)
{
	struct tcpfsm_record *r = queues(rec(TCPFSM_TYPE_SYN, SERVER, 0, 0));

	r->old_state = S(LISTEN);
	r->verdict = verdict;
	r->reason = reason;
	if (verdict != TCPFSM_VERDICT_QUEUED)
		r->conn = 0;
	if (verdict == TCPFSM_VERDICT_DROPPED)
		r->snd = 0;
	return r;
}

static struct tcpfsm_record *handshake_ack(uint8_t verdict, uint8_t reason)
{
	struct tcpfsm_record *r = queues(rec(TCPFSM_TYPE_ACK, SERVER, 1, 1));

	r->old_state = S(SYN_RECV);
	r->verdict = verdict;
	r->reason = reason;
	return r;
}

static struct tcpfsm_record *again(int end, uint8_t what, uint8_t state, uint8_t n, int64_t snd,
				   int64_t rcv)
{
	struct tcpfsm_record *r = rec(TCPFSM_TYPE_RETRANSMIT, end, snd, rcv);

	r->verdict = what;
	r->old_state = state;
	r->arg = n;
	if (what == TCPFSM_SEGMENT_SYNACK && state == S(SYN_RECV))
		queues(r);
	return r;
}

static struct tcpfsm_record *rst(int end, uint8_t direction, uint8_t state, int64_t snd,
				 int64_t rcv)
{
	struct tcpfsm_record *r = rec(TCPFSM_TYPE_RESET, end, snd, rcv);

	r->verdict = direction;
	r->old_state = state;
	if (direction == TCPFSM_DIRECTION_SENT && state == S(CLOSE))
		r->flags = F(TASK) | F(SHUT_SEND) | F(SHUT_RCV);
	return r;
}

static struct tcpfsm_record *tw(int end, uint8_t action, uint8_t old, uint8_t new, int64_t snd,
				int64_t rcv)
{
	struct tcpfsm_record *r = rec(TCPFSM_TYPE_TIMEWAIT, end, snd, rcv);

	r->verdict = action;
	r->old_state = old;
	r->new_state = new;
	return r;
}

/* The full socket becomes a mini-socket in TIME_WAIT, in a softirq. */
static struct tcpfsm_record *time_wait(int end, uint8_t old, int64_t snd, int64_t rcv)
{
	struct tcpfsm_record *r = st(end, old, S(CLOSE), snd, rcv);

	r->verdict = TCPFSM_TW_ENTER;
	r->reason = S(TIME_WAIT);
	return r;
}

static void lost(uint64_t from, uint64_t to)
{
	struct tcpfsm_item *it = &items[nitems++];

	memset(it, 0, sizeof(*it));
	it->lost = 5;
	it->from_ts = from;
	it->to_ts = to;
}

/* Refused SYNs of the listener that the module did not tell of. */
static void suppressed(uint64_t from, uint64_t to, uint16_t port)
{
	struct tcpfsm_item *it = &items[nitems++];

	memset(it, 0, sizeof(*it));
	it->rec.type = TCPFSM_TYPE_SUPPRESSED;
	it->rec.ts = to;
	it->rec.family = 4;
	it->rec.flags = TCPFSM_F_PASSIVE;
	it->rec.netns = 4026531840U + SERVER;
	it->rec.lport = port;
	it->rec.snd = 5;
	it->rec.rcv = (uint32_t)((to - from) / 1000);
}

/* Leaves out what was recorded at one end. */
static void keep_only(int end)
{
	size_t i, n = 0;

	for (i = 0; i < nitems; i++)
		if (items[i].rec.lport == ports[end])
			items[n++] = items[i];
	nitems = n;
}

/* Steps that most connections have. */

static void client_syn(void)
{
	st(CLIENT, S(CLOSE), S(SYN_SENT), 0, -1);
}

static void server_syn(void)
{
	syn(TCPFSM_VERDICT_QUEUED, 0);
}

static void client_established(void)
{
	st(CLIENT, S(SYN_SENT), S(ESTABLISHED), 1, 1);
}

static void server_established(void)
{
	queues(st(SERVER, S(SYN_RECV), S(ESTABLISHED), 1, 1))->flags |= F(CLONE);
}

static void open_both(void)
{
	client_syn();
	server_syn();
	client_established();
	server_established();
}

/* ---- what comes out -------------------------------------------------------------- */

static char got[16384];
static size_t nladders;

static void out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void out(const char *fmt, ...)
{
	size_t len = strlen(got);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(got + len, sizeof(got) - len, fmt, ap);
	va_end(ap);
}

static void show_cell(const struct tcpfsm_ladder_cell *c)
{
	if (c->state)
		out("%s", tcpfsm_state_name(c->state));
	else if (c->event)
		out("(%s)", tcpfsm_event_name(c->event - 1U));
	else
		out("-");
}

/*
 * "> SYN s0 a1 r2 SYN_SENT|SYN_RECV": from the left, relative numbers, sent
 * again for the second time, and what happened at the ends.  ">x" was lost,
 * ">?" not seen to arrive, ">." arrives later, ".>" left before.
 */
static int show(const struct tcpfsm_ladder *l, void *arg)
{
	static const char names[] = "SAFRD";
	const char *head;
	size_t i, j;

	(void)arg;
	nladders++;
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i];

		if (i && r->ts < l->rows[i - 1].ts)
			out("TIME GOES BACK ");
		switch (r->kind) {
		case TCPFSM_LADDER_EVENT:
			out("* ");
			break;
		case TCPFSM_LADDER_DATA:
			out("= %d %d\n", (int)r->bytes[0], (int)r->bytes[1]);
			continue;
		case TCPFSM_LADDER_GAP:
			out("! %d\n", (int)r->count);
			continue;
		case TCPFSM_LADDER_MORE:
			out("+ %d\n", (int)r->count);
			continue;
		default:
			head = r->from ? "<" : ">";
			out("%s%s%s%s ", r->kind == TCPFSM_LADDER_ARRIVES ? "." : "", head,
			    r->kind == TCPFSM_LADDER_DEPARTS ? "." : "",
			    r->fate == TCPFSM_FATE_LOST ? "x" :
			    r->fate == TCPFSM_FATE_NOT_SEEN ? "?" : "");
			for (j = 0; names[j]; j++)
				if (r->flags & 1 << j)
					out("%c", names[j]);
			if (r->has_seq)
				out(" s%d", (int)(r->seq - isns[r->from]));
			if (r->has_ack)
				out(" a%d", (int)(r->ack - isns[!r->from]));
			if (r->retransmit)
				out(" r%d", r->retransmit);
			out(" ");
		}
		show_cell(&r->cell[0]);
		out("|");
		show_cell(&r->cell[1]);
		out("\n");
	}
	out("%s%s first=%d\n", l->finished ? "finished" : "open", l->exact ? " exact" : "",
	    l->closed_first);
	return 0;
}

static struct tcpfsm_ladders_options options;
static uint64_t forgotten;

static int feed(const struct tcpfsm_event *ev, void *arg)
{
	return tcpfsm_ladders_event(arg, ev, show, NULL);
}

static void run(void)
{
	struct tcpfsm_model_options mo = { .size = sizeof(mo), .epoch_offset = EPOCH };
	struct tcpfsm_ladders *l = NULL;
	struct tcpfsm_model *m = NULL;
	size_t i;

	got[0] = '\0';
	nladders = 0;
	options.size = sizeof(options);
	CHECK_EQ(tcpfsm_model_new(&m, &mo), 0);
	CHECK_EQ(tcpfsm_ladders_new(&l, &options), 0);
	for (i = 0; i < nitems; i++)
		CHECK_EQ(tcpfsm_model_item(m, &items[i], feed, l), 0);
	CHECK_EQ(tcpfsm_model_flush(m, feed, l), 0);
	CHECK_EQ(tcpfsm_ladders_flush(l, show, NULL), 0);
	tcpfsm_ladders_counts(l, NULL, &forgotten);
	tcpfsm_ladders_free(l);
	tcpfsm_model_free(m);
}

static void expect(const char *want)
{
	run();
	if (strcmp(got, want) && !check_failed++)
		printf("# got:\n%s# want:\n%s", got, want);
}

#define OPEN_BOTH \
	"> S s0 SYN_SENT|SYN_RECV\n" \
	"< SA s0 a1 ESTABLISHED|-\n" \
	"> A s1 a1 -|ESTABLISHED\n"

/* ---- opening ------------------------------------------------------------------------ */

static void test_open(void)
{
	begin();
	open_both();
	expect(OPEN_BOTH "open exact first=-1\n");
}

static void test_one_end(void)
{
	begin();
	open_both();
	keep_only(CLIENT);
	expect(">? S s0 SYN_SENT|-\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       ">? A s1 a1 -|-\n"
	       "open first=-1\n");
	begin();
	open_both();
	keep_only(SERVER);
	expect("> S s0 -|SYN_RECV\n"
	       "<? SA s0 a1 -|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open first=-1\n");
}

static void syn_lost(void)
{
	client_syn();
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	now += 2 * SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 2, 0, -1);
	server_syn();
	client_established();
	server_established();
}

static void test_syn_lost(void)
{
	begin();
	syn_lost();
	expect(">x S s0 SYN_SENT|-\n"
	       ">x S s0 r1 (retransmit)|-\n"
	       "> S s0 r2 (retransmit)|SYN_RECV\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

/* What is not seen is not lost. */
static void test_no_claims(void)
{
	begin();
	syn_lost();
	keep_only(CLIENT);
	run();
	CHECK(!strstr(got, "x S"));

	/* Records are missing: the SYN may have arrived. */
	begin();
	syn_lost();
	lost(SEC, 2 * SEC);
	run();
	CHECK(!strstr(got, "x S"));
	CHECK(strstr(got, "! 5\n"));

	/* The other CPU was heard of later. */
	begin();
	next_seq = 4711;
	syn_lost();
	items[3].cpu = 1;
	run();
	CHECK(!strstr(got, "x S"));

	/* It may have been refused in silence; but no record is missing. */
	begin();
	syn_lost();
	suppressed(now - SEC, now, 80);
	run();
	CHECK(!strstr(got, "x S"));
	CHECK(!strstr(got, "!"));
	/* Another listener's silence does not matter. */
	begin();
	syn_lost();
	suppressed(now - SEC, now, 81);
	run();
	CHECK(strstr(got, ">x S s0 SYN_SENT"));
	CHECK(!strstr(got, "!"));

	/* Missing long before, or after: no matter. */
	begin();
	lost(SEC / 4, SEC / 2);
	syn_lost();
	run();
	CHECK(strstr(got, ">x S s0 SYN_SENT"));
	CHECK(!strstr(got, "!"));
}

static void test_synack_lost(void)
{
	begin();
	client_syn();
	server_syn();
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	again(SERVER, TCPFSM_SEGMENT_SYNACK, S(SYN_RECV), 1, 0, 0);
	client_established();
	server_established();
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "<x SA s0 a1 -|-\n"
	       ">? S s0 r1 (retransmit)|-\n"
	       "< SA s0 a1 r1 ESTABLISHED|(retransmit)\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

static void test_ack_lost(void)
{
	begin();
	client_syn();
	server_syn();
	client_established();
	now += SEC;
	again(SERVER, TCPFSM_SEGMENT_SYNACK, S(SYN_RECV), 1, 0, 0);
	server_established();
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       ">x A s1 a1 -|-\n"
	       "<? SA s0 a1 r1 -|(retransmit)\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

static void test_slow_link(void)
{
	/* The SYN-ACK is repeated before the ACK can be there: none is lost. */
	begin();
	client_syn();
	now += 700 * MS;
	server_syn();
	now += 700 * MS;
	client_established();
	now -= 400 * MS;
	again(SERVER, TCPFSM_SEGMENT_SYNACK, S(SYN_RECV), 1, 0, 0);
	now += 1100 * MS;
	server_established();
	/* Records come in the order of time. */
	items[3].rec.ts = items[2].rec.ts + 100 * MS;
	run();
	CHECK(!strstr(got, "x "));
}

static void test_refused_syn(void)
{
	begin();
	client_syn();
	syn(TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	syn(TCPFSM_VERDICT_COOKIE, TCPFSM_REASON_SYNQ_FULL);
	client_established();
	cookies[SERVER] = 7;
	server_established();
	expect("> S s0 SYN_SENT|(syn)\n"
	       "> S s0 r1 (retransmit)|(syn)\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");

	/* The server alone: attempts of one client are one story. */
	keep_only(SERVER);
	expect("> S s0 -|(syn)\n"
	       "> S s0 -|(syn)\n"
	       "<? SA s0 a1 -|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open first=-1\n");
}

static void test_ack_refused(void)
{
	begin();
	client_syn();
	server_syn();
	client_established();
	handshake_ack(TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL);
	now += SEC;
	again(SERVER, TCPFSM_SEGMENT_SYNACK, S(SYN_RECV), 1, 0, 0);
	server_established();
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|(handshake_ack)\n"
	       "<? SA s0 a1 r1 -|(retransmit)\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

/* The first arrival is that of the ACK we know of; the other is data, unrecorded. */
static void test_defer_accept(void)
{
	begin();
	client_syn();
	server_syn();
	client_established();
	handshake_ack(TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT);
	now += 300 * MS;
	server_established();
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|(handshake_ack)\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

/* What is delayed for once takes two rows. */
static void test_hiccup(void)
{
	begin();
	client_syn();
	server_syn();
	now += 300 * MS;
	client_established();
	server_established();
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "<. SA s0 a1 -|-\n"
	       ".< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

/* tcp_abort_on_overflow: the RST is logged before the ACK it answers. */
static void test_ack_reset(void)
{
	struct tcpfsm_record *r;

	begin();
	client_syn();
	server_syn();
	client_established();
	rst(SERVER, TCPFSM_DIRECTION_SENT, S(SYN_RECV), 1, 1);
	r = rec(TCPFSM_TYPE_REQUEST_GONE, SERVER, 0, 0);
	queues(r)->verdict = TCPFSM_GONE_SND_RST;
	r->old_state = S(SYN_RECV);
	r->new_state = S(CLOSE);
	handshake_ack(TCPFSM_VERDICT_RESET, TCPFSM_REASON_ACCEPTQ_FULL);
	rst(CLIENT, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED), 1, 1);
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 1, 1)->arg = ECONNRESET;
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       "> A s1 a1 -|(handshake_ack)\n"
	       "< R s1 CLOSE|CLOSE\n"
	       "finished exact first=1\n");
}

static void test_refused(void)
{
	struct tcpfsm_record *r;

	begin();
	client_syn();
	r = rst(SERVER, TCPFSM_DIRECTION_SENT, S(CLOSE), -1, 0);
	r->conn = 0;
	rst(CLIENT, TCPFSM_DIRECTION_RECEIVED, S(SYN_SENT), 1, -1);
	st(CLIENT, S(SYN_SENT), S(CLOSE), 1, -1)->arg = ECONNREFUSED;
	run();
	CHECK(strstr(got, "> S s0 SYN_SENT|-\n"));
	CHECK(strstr(got, " a1 CLOSE|(reset)\n"));
	CHECK(strstr(got, "finished exact first=1\n"));
}

static void test_no_port(void)
{
	struct tcpfsm_record *r;

	begin();
	ports[CLIENT] = 0;
	client_syn();
	r = st(CLIENT, S(SYN_SENT), S(CLOSE), 0, -1);
	r->flags = F(TASK);
	r = rec(TCPFSM_TYPE_CONNECT_FAILED, CLIENT, 0, -1);
	r->old_state = S(SYN_SENT);
	r->arg = EADDRNOTAVAIL;
	expect("* SYN_SENT|-\n"
	       "* CLOSE|-\n"
	       "finished first=0\n");
}

static void test_simultaneous_open(void)
{
	begin();
	client_syn();
	st(SERVER, S(CLOSE), S(SYN_SENT), 0, -1);
	st(SERVER, S(SYN_SENT), S(SYN_RECV), 1, -1);
	st(CLIENT, S(SYN_SENT), S(SYN_RECV), 1, -1);
	st(SERVER, S(SYN_RECV), S(ESTABLISHED), 1, 1);
	st(CLIENT, S(SYN_RECV), S(ESTABLISHED), 1, 1);
	expect(">. S s0 SYN_SENT|-\n"
	       "<. S s0 -|SYN_SENT\n"
	       ".> S s0 -|SYN_RECV\n"
	       "<. SA s0 a1 -|-\n"
	       ".< S s0 SYN_RECV|-\n"
	       "> SA s0 a1 -|ESTABLISHED\n"
	       ".< SA s0 a1 ESTABLISHED|-\n"
	       "open exact first=-1\n");
}

static void test_fast_open(void)
{
	begin();
	client_syn();
	syn(TCPFSM_VERDICT_QUEUED, 0)->flags |= F(CLONE);
	st(CLIENT, S(SYN_SENT), S(ESTABLISHED), 11, 1);
	queues(st(SERVER, S(SYN_RECV), S(ESTABLISHED), 1, 11));
	expect("> S s0 SYN_SENT|SYN_RECV\n"
	       "= 10 0\n"
	       "< SA s0 ESTABLISHED|-\n"
	       "> A s11 a1 -|ESTABLISHED\n"
	       "open exact first=-1\n");
}

/* ---- closing ------------------------------------------------------------------------ */

static void closed(void)
{
	begin();
	open_both();
	now += SEC;
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 11, 6);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 6, 12);
	now += 40 * MS;
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 12, 6);
	now += SEC;
	st(SERVER, S(CLOSE_WAIT), S(LAST_ACK), 26, 12);
	time_wait(CLIENT, S(FIN_WAIT2), 12, 27);
	st(SERVER, S(LAST_ACK), S(CLOSE), 27, 12);
	now += 60 * SEC;
	tw(CLIENT, TCPFSM_TW_EXPIRE, S(TIME_WAIT), S(TIME_WAIT), 12, 27);
}

/* The module was loaded with seq=0: segments and states are told, no number and no data. */
static void test_no_numbers(void)
{
	no_numbers = true;
	closed();
	no_numbers = false;
	expect("> S SYN_SENT|SYN_RECV\n"
	       "< SA ESTABLISHED|-\n"
	       "> A -|ESTABLISHED\n"
	       "> AF FIN_WAIT1|CLOSE_WAIT\n"
	       "< A FIN_WAIT2|-\n"
	       "< AF TIME_WAIT|LAST_ACK\n"
	       "> A -|CLOSE\n"
	       "* CLOSE|-\n"
	       "finished exact first=0\n");
}

static void test_close(void)
{
	closed();
	expect(OPEN_BOTH
	       "= 10 5\n"
	       "> AF s11 a6 FIN_WAIT1|CLOSE_WAIT\n"
	       "< A a12 FIN_WAIT2|-\n"
	       "= 0 20\n"
	       "< AF s26 a12 TIME_WAIT|LAST_ACK\n"
	       "> A s12 a27 -|CLOSE\n"
	       "* CLOSE|-\n"
	       "finished exact first=0\n");
	keep_only(SERVER);
	expect("> S s0 -|SYN_RECV\n"
	       "<? SA s0 a1 -|-\n"
	       "> A s1 a1 -|ESTABLISHED\n"
	       "= 10 5\n"
	       "> AF s11 -|CLOSE_WAIT\n"
	       "<? A s6 a12 -|-\n"	/* no ACK waits for a second */
	       "= 0 20\n"
	       "<? AF s26 a12 -|LAST_ACK\n"
	       "> A a27 -|CLOSE\n"
	       "finished first=0\n");
}

/* Numbers go beyond 2^32. */
static void test_wrap(void)
{
	begin();
	isns[CLIENT] = UINT32_MAX - 5;
	isns[SERVER] = UINT32_MAX;
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 101, 1);
	time_wait(CLIENT, S(FIN_WAIT1), 102, 2)->flags |= F(SAME_SEGMENT);
	keep_only(CLIENT);
	run();
	CHECK(strstr(got, "= 100 0\n>? AF s101 a1 FIN_WAIT1|-\n"));
}

/* Data still waits when the application closes: it leaves before the FIN. */
static void test_fin_behind_data(void)
{
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 5002);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 5002, 1);
	expect(OPEN_BOTH
	       "= 5000 0\n"
	       "> AF s5001 a1 FIN_WAIT1|CLOSE_WAIT\n"
	       "< A a5002 FIN_WAIT2|-\n"
	       "open exact first=0\n");
}

static void test_fin_with_ack(void)
{
	begin();
	open_both();
	st(SERVER, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(CLIENT, S(ESTABLISHED), S(CLOSE_WAIT), 1, 2);
	st(CLIENT, S(CLOSE_WAIT), S(LAST_ACK), 1, 2);
	st(SERVER, S(FIN_WAIT1), S(FIN_WAIT2), 2, 1);
	time_wait(SERVER, S(FIN_WAIT2), 2, 2)->flags |= F(SAME_SEGMENT);
	st(CLIENT, S(LAST_ACK), S(CLOSE), 2, 2);
	expect(OPEN_BOTH
	       "< AF s1 a1 CLOSE_WAIT|FIN_WAIT1\n"
	       "> AF s1 a2 LAST_ACK|TIME_WAIT\n"
	       "< A s2 a2 CLOSE|-\n"
	       "open exact first=1\n");
}

static void test_simultaneous_close(void)
{
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(FIN_WAIT1), S(CLOSING), 2, 2);
	st(CLIENT, S(FIN_WAIT1), S(CLOSING), 2, 2);
	time_wait(CLIENT, S(CLOSING), 2, 2);
	time_wait(SERVER, S(CLOSING), 2, 2);
	expect(OPEN_BOTH
	       ">. AF s1 a1 FIN_WAIT1|-\n"
	       "<. AF s1 a1 -|FIN_WAIT1\n"
	       ".> AF s1 a1 -|CLOSING\n"
	       "<. A s2 a2 -|-\n"
	       ".< AF s1 a1 CLOSING|-\n"
	       ">. A s2 a2 -|-\n"
	       ".< A s2 a2 TIME_WAIT|-\n"
	       ".> A s2 a2 -|TIME_WAIT\n"
	       "open exact first=2\n");
}

static void test_fin_lost(void)
{
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	now += 200 * MS;
	again(CLIENT, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1, 1, 1);
	now += 200 * MS;
	again(CLIENT, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1, 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 2);
	now += 40 * MS;
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 2, 1);
	expect(OPEN_BOTH
	       ">x AF s1 a1 FIN_WAIT1|-\n"
	       ">x AF s1 a1 r1 (retransmit)|-\n"
	       "> AF s1 a1 r2 (retransmit)|CLOSE_WAIT\n"
	       "< A a2 FIN_WAIT2|-\n"
	       "open exact first=0\n");

	/* With data lost before it, the FIN may have come and waited. */
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 11, 1);
	now += 200 * MS;
	again(CLIENT, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1, 11, 1);
	again(CLIENT, TCPFSM_SEGMENT_DATA, S(FIN_WAIT1), 1, 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 12);
	run();
	CHECK(!strstr(got, "x AF"));
	CHECK(strstr(got, ">? AD s1 a1 r1 (retransmit)|-\n"));
}

/* CLOSE_WAIT answers within 200 ms; the FIN comes again later. */
static void test_ack_of_fin_lost(void)
{
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 2);
	now += 300 * MS;
	again(CLIENT, TCPFSM_SEGMENT_FIN, S(FIN_WAIT1), 1, 1, 1);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 2, 1);
	expect(OPEN_BOTH
	       "> AF s1 a1 FIN_WAIT1|CLOSE_WAIT\n"
	       "<x A a2 -|-\n"
	       ">? AF s1 a1 r1 (retransmit)|-\n"
	       "< A a2 FIN_WAIT2|-\n"
	       "open exact first=0\n");
}

static void last_ack_lost(void)
{
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 2);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 2, 1);
	st(SERVER, S(CLOSE_WAIT), S(LAST_ACK), 1, 2);
	time_wait(CLIENT, S(FIN_WAIT2), 2, 2);
	now += 200 * MS;
	again(SERVER, TCPFSM_SEGMENT_FIN, S(LAST_ACK), 1, 1, 2);
	now -= 9000;			/* recorded after it was sent: faster than the others */
	tw(CLIENT, TCPFSM_TW_REFRESH, S(TIME_WAIT), S(TIME_WAIT), 2, 2);
	st(SERVER, S(LAST_ACK), S(CLOSE), 2, 2);
}

static void test_last_ack_lost(void)
{
	begin();
	last_ack_lost();
	expect(OPEN_BOTH
	       "> AF s1 a1 FIN_WAIT1|CLOSE_WAIT\n"
	       "< A a2 FIN_WAIT2|-\n"
	       "< AF s1 a2 TIME_WAIT|LAST_ACK\n"
	       ">x A s2 a2 -|-\n"
	       "< AF s1 a2 r1 (timewait)|(retransmit)\n"
	       "> A s2 a2 -|CLOSE\n"
	       "open exact first=0\n");
	/* Alone, it is not known what restarted the clock, nor what was answered. */
	keep_only(CLIENT);
	expect(">? S s0 SYN_SENT|-\n"
	       "< SA s0 a1 ESTABLISHED|-\n"
	       ">? A s1 a1 -|-\n"
	       ">? AF s1 a1 FIN_WAIT1|-\n"
	       "< A a2 FIN_WAIT2|-\n"
	       "< AF s1 TIME_WAIT|-\n"
	       ">? A s2 a2 -|-\n"
	       "<  (timewait)|-\n"
	       "open first=0\n");
}

/* The FIN again, when TIME_WAIT is over: an RST from nobody. */
static void test_late_fin(void)
{
	begin();
	last_ack_lost();
	nitems -= 2;
	tw(CLIENT, TCPFSM_TW_EXPIRE, S(TIME_WAIT), S(TIME_WAIT), 2, 2);
	now += SEC;
	again(SERVER, TCPFSM_SEGMENT_FIN, S(LAST_ACK), 2, 1, 2);
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(CLOSE), 2, 1)->conn = 0;
	rst(SERVER, TCPFSM_DIRECTION_RECEIVED, S(LAST_ACK), 2, 2);
	st(SERVER, S(LAST_ACK), S(CLOSE), 2, 2)->arg = EPIPE;
	run();
	CHECK(strstr(got, "< AF s1 a2 r2 -|(retransmit)\n> R s2 (reset)|CLOSE\nfinished"));
}

static void test_reset(void)
{
	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 1, 1);
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(CLOSE), 1, 1);
	rst(SERVER, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE), 1, 1)->arg = ECONNRESET;
	expect(OPEN_BOTH
	       "> AR s1 a1 CLOSE|CLOSE\n"
	       "finished exact first=0\n");
	keep_only(SERVER);
	run();
	CHECK(strstr(got, "> R -|CLOSE\nfinished first=0\n"));
}

/* An RST that answers a FIN does not overtake the one that crosses it. */
static void test_reset_crosses(void)
{
	begin();
	client_syn();
	now += 100 * MS;
	server_syn();
	now += 100 * MS;
	client_established();
	now += 100 * MS;
	server_established();
	now += SEC;
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 6, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE), 1, 6);
	rst(SERVER, TCPFSM_DIRECTION_SENT, S(CLOSE), 1, 6);
	now += 100 * MS;
	rst(SERVER, TCPFSM_DIRECTION_SENT, S(CLOSE), 1, 6)->conn = 0;
	rst(CLIENT, TCPFSM_DIRECTION_RECEIVED, S(FIN_WAIT1), 7, 1);
	st(CLIENT, S(FIN_WAIT1), S(CLOSE), 7, 1)->arg = ECONNRESET;
	expect(OPEN_BOTH
	       "= 5 0\n"
	       ">. AF s6 a1 FIN_WAIT1|-\n"
	       "<. AR s1 a6 -|CLOSE\n"
	       ".> AF s6 a1 -|-\n"
	       "<? R s1 -|(reset)\n"
	       ".< AR s1 a6 CLOSE|-\n"
	       "finished exact first=0\n");
}

/* Data for a socket that is closed: an RST answers it. */
static void test_data_after_close(void)
{
	struct tcpfsm_record *r;

	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 2);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 2, 1);
	now += SEC;
	st(CLIENT, S(FIN_WAIT2), S(CLOSE), 2, 1);
	r = rst(CLIENT, TCPFSM_DIRECTION_SENT, S(CLOSE), 2, 1);
	r->conn = 0;
	r->flags = 0;
	rst(SERVER, TCPFSM_DIRECTION_RECEIVED, S(CLOSE_WAIT), 11, 2);
	st(SERVER, S(CLOSE_WAIT), S(CLOSE), 11, 2)->arg = EPIPE;
	expect(OPEN_BOTH
	       "> AF s1 a1 FIN_WAIT1|CLOSE_WAIT\n"
	       "< A a2 FIN_WAIT2|-\n"
	       "<  s1 a2 -|-\n"
	       "= 0 10\n"
	       "> R s2 CLOSE|CLOSE\n"
	       "finished exact first=0\n");
}

/*
 * The client was gone without a segment.  Its next SYN, with another number, meets the old
 * socket, which answers with an ACK; an RST ends that socket, and the SYN again opens a new one.
 */
static void test_challenge_ack(void)
{
	begin();
	open_both();
	now += SEC;
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 1, 1)->flags = F(TASK) | F(REPAIR);
	now += SEC;
	cookies[CLIENT] = 12;
	isns[CLIENT] = 900000;
	client_syn();
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(SYN_SENT), 1, -1);
	isns[CLIENT] = 1000;
	rst(SERVER, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED), 1, 1);
	st(SERVER, S(ESTABLISHED), S(CLOSE), 1, 1)->arg = ECONNRESET;
	now += SEC;
	cookies[SERVER] = 13;
	isns[CLIENT] = 900000;
	isns[SERVER] = 700000;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	server_syn();
	client_established();
	server_established();
	run();
	CHECK_EQ(nladders, 2);
	CHECK(strstr(got, "* CLOSE|-\n> R -|CLOSE\nfinished exact first=0\n"));
	CHECK(strstr(got, "> S s0 SYN_SENT|-\n< A -|-\n> R (reset)|-\n"
			  "> S s0 r1 (retransmit)|SYN_RECV\n< SA s0 a1 ESTABLISHED|-\n"));
	/* Two SYNs before the answer: it is not known which arrived, but that one did. */
	begin();
	client_syn();
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(SYN_SENT), 1, -1);
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 2, 0, -1);
	server_syn();
	run();
	CHECK(strstr(got, ">? S s0 SYN_SENT|-\n> S s0 r1 (retransmit)|-\n< A -|-\n>? R (reset)|-\n"
			  "> S s0 r2 (retransmit)|SYN_RECV\n"));
}

/* The FIN waits for the peer's window: it leaves nobody knows when. */
static void test_window_shut(void)
{
	begin();
	open_both();
	now += SEC;
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 101, 1)->flags = F(UNSENT);
	now += 3 * SEC;
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 1, 202);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 202, 1);
	expect(OPEN_BOTH
	       "= 100 0\n"
	       "* FIN_WAIT1|-\n"
	       "= 100 0\n"
	       "> AF s201 -|CLOSE_WAIT\n"
	       "< A a202 FIN_WAIT2|-\n"
	       "open exact first=0\n");
	/* It never opened. */
	nitems -= 2;
	st(CLIENT, S(FIN_WAIT1), S(CLOSE), 101, 1)->arg = ETIMEDOUT;
	expect(OPEN_BOTH
	       "= 100 0\n"
	       "* FIN_WAIT1|-\n"
	       "* CLOSE|-\n"
	       "open exact first=0\n");
}

/* TCP_REPAIR: both ends begin in the midst of a connection, and end, without a segment. */
static void test_repair(void)
{
	static const uint8_t flags = F(TASK) | F(OWNER) | F(REPAIR);
	int end;

	begin();
	for (end = CLIENT; end <= SERVER; end++) {
		st(end, S(CLOSE), S(SYN_SENT), 101, 201)->flags = flags;
		st(end, S(SYN_SENT), S(ESTABLISHED), 101, 201)->flags = flags;
		isns[CLIENT] = 1100;
		isns[SERVER] = 4900;
	}
	isns[CLIENT] = 1000;
	isns[SERVER] = 5000;
	now += SEC;
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 106, 201)->flags = flags;
	st(SERVER, S(ESTABLISHED), S(CLOSE), 201, 106)->flags = flags;
	run();
	CHECK_EQ(nladders, 1);
	CHECK(!strstr(got, ">") && !strstr(got, "<"));
	CHECK(strstr(got, "* SYN_SENT|-\n* ESTABLISHED|-\n"));
	CHECK(strstr(got, "* CLOSE|-\n* -|CLOSE\nfinished exact first=0\n"));
}

/* MPTCP gives a subflow up when an RST comes, and sends one itself: each is drawn once. */
static void test_reset_answered(void)
{
	begin();
	open_both();
	st(SERVER, S(ESTABLISHED), S(CLOSE), 1, 1);
	rst(SERVER, TCPFSM_DIRECTION_SENT, S(CLOSE), 1, 1);
	rst(CLIENT, TCPFSM_DIRECTION_RECEIVED, S(ESTABLISHED), 1, 1);
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(ESTABLISHED), 1, 1);
	now += 2 * MS;
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 1, 1);
	expect(OPEN_BOTH
	       "< AR s1 a1 CLOSE|CLOSE\n"
	       ">? R (reset)|-\n"
	       "finished exact first=1\n");
}

static void test_timeout(void)
{
	begin();
	client_syn();
	now += SEC;
	again(CLIENT, TCPFSM_SEGMENT_SYN, S(SYN_SENT), 1, 0, -1);
	now += 2 * SEC;
	st(CLIENT, S(SYN_SENT), S(CLOSE), 1, -1)->arg = ETIMEDOUT;
	expect(">? S s0 SYN_SENT|-\n"
	       ">? S s0 r1 (retransmit)|-\n"
	       "* CLOSE|-\n"
	       "finished first=-1\n");
}

/* ---- what belongs together --------------------------------------------------------- */

static void test_mid_life(void)
{
	begin();
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 500, 700);
	st(SERVER, S(ESTABLISHED), S(CLOSE_WAIT), 700, 501);
	st(CLIENT, S(FIN_WAIT1), S(FIN_WAIT2), 501, 700);
	expect("> AF s500 a700 FIN_WAIT1|CLOSE_WAIT\n"
	       "< A a501 FIN_WAIT2|-\n"
	       "open first=0\n");
}

static void test_not_joined(void)
{
	/* Another initial sequence number: somebody else's SYN. */
	begin();
	client_syn();
	isns[CLIENT] = 2000;
	server_syn();
	run();
	CHECK_EQ(nladders, 2);

	begin();
	client_syn();
	ports[CLIENT] = 40001;
	server_syn();
	run();
	CHECK_EQ(nladders, 2);
}

/* connect() again with the same socket: the same cookie. */
static void test_reconnect(void)
{
	begin();
	client_syn();
	now += SEC;
	st(CLIENT, S(SYN_SENT), S(CLOSE), 1, -1)->arg = ETIMEDOUT;
	ports[CLIENT] = 40001;
	isns[CLIENT] = 7000;
	open_both();
	run();
	CHECK_EQ(nladders, 2);
	CHECK(strstr(got, OPEN_BOTH "open exact"));

	/* And to the same port. */
	begin();
	client_syn();
	st(CLIENT, S(SYN_SENT), S(CLOSE), 1, -1)->arg = ETIMEDOUT;
	isns[CLIENT] = 7000;
	open_both();
	run();
	CHECK_EQ(nladders, 2);
	CHECK(strstr(got, OPEN_BOTH "open exact"));
}

static void test_ipv6(void)
{
	begin();
	family = 6;
	open_both();
	expect(OPEN_BOTH "open exact first=-1\n");
}

/* A socket connected to itself is one end only. */
static void test_self(void)
{
	size_t i;

	begin();
	client_syn();
	st(CLIENT, S(SYN_SENT), S(SYN_RECV), 1, -1);
	st(CLIENT, S(SYN_RECV), S(ESTABLISHED), 1, 1);
	for (i = 0; i < nitems; i++) {
		items[i].rec.rport = items[i].rec.lport;
		memcpy(items[i].rec.raddr, items[i].rec.laddr, 16);
	}
	run();
	CHECK_EQ(nladders, 1);
	CHECK(strstr(got, "ESTABLISHED|-"));
}

static void test_filter(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f), .rport = { 80 }, .nrport = 1 };

	begin();
	open_both();
	ports[SERVER] = 81;
	cookies[CLIENT] = 12;
	cookies[SERVER] = 13;
	open_both();
	options.filter = &f;
	expect(OPEN_BOTH "open exact first=-1\n");	/* both ends, although one matches */
	options.filter = NULL;
	options.conn = 13;
	expect(OPEN_BOTH "open exact first=-1\n");
	options.conn = 14;
	expect("");
	options.conn = 0;
}

static void test_bounds(void)
{
	int i;

	begin();
	options.max_conns = 3;
	for (i = 0; i < 8; i++) {
		cookies[CLIENT] = 100 + (unsigned int)i;
		ports[CLIENT] = (uint16_t)(40000 + i);
		client_syn();
	}
	run();
	CHECK_EQ(nladders, 3);
	CHECK_EQ(forgotten, 5);
	options.max_conns = 0;

	begin();
	options.max_events = 20;
	open_both();
	for (i = 0; i < 100; i++)
		again(CLIENT, TCPFSM_SEGMENT_DATA, S(ESTABLISHED), 1, 1 + i, 1);
	st(CLIENT, S(ESTABLISHED), S(FIN_WAIT1), 200, 1);
	run();
	CHECK(strstr(got, "+ 85\n"));
	CHECK(strstr(got, "FIN_WAIT1|-\nopen first=0\n"));
	options.max_events = 0;
}

/* In the order they end; what comes just after the end belongs to it. */
static void test_order(void)
{
	struct tcpfsm_record *r;

	begin();
	open_both();
	st(CLIENT, S(ESTABLISHED), S(CLOSE), 1, 1);
	rst(CLIENT, TCPFSM_DIRECTION_SENT, S(CLOSE), 1, 1);
	keep_only(CLIENT);
	now += SEC;
	r = rec(TCPFSM_TYPE_ACCEPT, SERVER, 1, 1);	/* long after: nobody's */
	r->old_state = S(CLOSE);
	run();
	CHECK_EQ(nladders, 1);
	CHECK(strstr(got, ">? AR s1 a1 CLOSE|-\nfinished"));
}

/* ---- anything ------------------------------------------------------------------- */

static uint32_t dice_state = 1;

static uint32_t dice(uint32_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 17;
	dice_state ^= dice_state << 5;
	return dice_state % sides;
}

static size_t strange_rows;

/* Whatever the records say: time goes forward, and halves find each other. */
static int inspect(const struct tcpfsm_ladder *l, void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < l->nrows; i++) {
		const struct tcpfsm_ladder_row *r = &l->rows[i], *other = &l->rows[r->pair];

		strange_rows += i && r->ts < l->rows[i - 1].ts;
		if (r->kind == TCPFSM_LADDER_DEPARTS)
			strange_rows += r->pair <= i || other->kind != TCPFSM_LADDER_ARRIVES ||
					other->pair != i || other->from != r->from;
		else if (r->kind == TCPFSM_LADDER_ARRIVES)
			strange_rows += r->pair >= i || other->kind != TCPFSM_LADDER_DEPARTS ||
					other->pair != i;
		strange_rows += r->fate == TCPFSM_FATE_LOST && !l->exact;
	}
	return 0;
}

static int feed_inspect(const struct tcpfsm_event *ev, void *arg)
{
	return tcpfsm_ladders_event(arg, ev, inspect, NULL);
}

static void test_anything(void)
{
	struct tcpfsm_ladders_options lo = { .size = sizeof(lo), .max_conns = 8, .max_events = 40 };
	struct tcpfsm_model_options mo = { .size = sizeof(mo), .epoch_offset = EPOCH };
	int round, i;

	for (round = 0; round < 1000; round++) {
		struct tcpfsm_ladders *l = NULL;
		struct tcpfsm_model *m = NULL;

		CHECK_EQ(tcpfsm_model_new(&m, &mo), 0);
		CHECK_EQ(tcpfsm_ladders_new(&l, &lo), 0);
		begin();
		for (i = 0; i < 300; i++) {
			int end = (int)dice(2);
			struct tcpfsm_record *r;

			nitems = 0;
			if (!dice(50)) {
				lost(now - dice(1000), now);
				tcpfsm_model_item(m, &items[0], feed_inspect, l);
				continue;
			}
			ports[CLIENT] = (uint16_t)(40000 + dice(1 + (uint32_t)round % 3));
			cookies[end] = dice(20) ? 2U * ports[CLIENT] + (unsigned int)end : 0;
			now += dice(4) ? dice(1000) : dice(400) * MS;
			r = rec((uint8_t)(1 + dice(11)), end, (int)dice(4), (int)dice(4));
			r->old_state = (uint8_t)(1 + dice(12));
			r->new_state = (uint8_t)(1 + dice(12));
			r->verdict = (uint8_t)dice(9);
			r->reason = (uint8_t)dice(10);
			r->arg = (uint8_t)(dice(3) ? dice(4) : ECONNRESET);
			r->flags = (uint8_t)dice(256);
			tcpfsm_model_item(m, &items[0], feed_inspect, l);
		}
		tcpfsm_model_flush(m, feed_inspect, l);
		CHECK_EQ(tcpfsm_ladders_flush(l, inspect, NULL), 0);
		tcpfsm_ladders_free(l);
		tcpfsm_model_free(m);
	}
	CHECK_EQ(strange_rows, 0);
}

int main(void)
{
	TEST("ladder: both ends of a handshake", test_open());
	TEST("ladder: one end alone", test_one_end());
	TEST("ladder: SYNs lost", test_syn_lost());
	TEST("ladder: nothing is called lost without proof", test_no_claims());
	TEST("ladder: SYN-ACK lost", test_synack_lost());
	TEST("ladder: third ACK lost", test_ack_lost());
	TEST("ladder: a slow link loses nothing", test_slow_link());
	TEST("ladder: SYNs dropped and answered with a cookie", test_refused_syn());
	TEST("ladder: third ACK dropped", test_ack_refused());
	TEST("ladder: third ACK held", test_defer_accept());
	TEST("ladder: a segment takes long", test_hiccup());
	TEST("ladder: third ACK reset", test_ack_reset());
	TEST("ladder: connection refused", test_refused());
	TEST("ladder: no port, no SYN", test_no_port());
	TEST("ladder: simultaneous open", test_simultaneous_open());
	TEST("ladder: Fast Open", test_fast_open());
	TEST("ladder: without sequence numbers", test_no_numbers());
	TEST("ladder: close, with data before and between", test_close());
	TEST("ladder: sequence numbers wrap", test_wrap());
	TEST("ladder: FIN behind data that waits", test_fin_behind_data());
	TEST("ladder: FIN and ACK in one segment", test_fin_with_ack());
	TEST("ladder: simultaneous close", test_simultaneous_close());
	TEST("ladder: FIN lost", test_fin_lost());
	TEST("ladder: ACK of the FIN lost", test_ack_of_fin_lost());
	TEST("ladder: last ACK lost, TIME_WAIT begins again", test_last_ack_lost());
	TEST("ladder: FIN again after TIME_WAIT", test_late_fin());
	TEST("ladder: reset", test_reset());
	TEST("ladder: reset that crosses a FIN", test_reset_crosses());
	TEST("ladder: reset that is answered", test_reset_answered());
	TEST("ladder: challenge ACK", test_challenge_ack());
	TEST("ladder: shut window", test_window_shut());
	TEST("ladder: TCP_REPAIR", test_repair());
	TEST("ladder: data after close", test_data_after_close());
	TEST("ladder: timeout", test_timeout());
	TEST("ladder: begins in mid-life", test_mid_life());
	TEST("ladder: strangers are not joined", test_not_joined());
	TEST("ladder: a socket connects again", test_reconnect());
	TEST("ladder: IPv6", test_ipv6());
	TEST("ladder: a socket connected to itself", test_self());
	TEST("ladder: filters choose connections", test_filter());
	TEST("ladder: memory is bounded", test_bounds());
	TEST("ladder: late events", test_order());
	TEST("ladder: any records in any order", test_anything());
	return check_done();
}
