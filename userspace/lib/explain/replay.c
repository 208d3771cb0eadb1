// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The connections that came to a listener, played again under other limits.
 *
 * The rules are the kernel's: tcp_conn_request() asks whether the SYN queue is full (longer
 * than the limit, or as long, by kernel), then whether the accept queue is (it holds one more
 * than the limit), then, without SYN cookies, about the last quarter of tcp_max_syn_backlog;
 * tcp_v4_syn_recv_sock() asks for the accept queue again.  Who is refused comes again 1, 3, 7...
 * seconds after the first time; what was recorded of those tries counts no more.
 *
 * The application accepts at the pace that was seen.  While it had not accepted what waited,
 * it was busy: it is then ready when it was.  Where it had run out of connections, and now has
 * more of them, it takes as long for each as it took, one after the other, where the queue was
 * not empty, the latest first: no faster than it was seen to be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "replay.h"
#include "source/clock.h"
#include "table.h"

#define NEVER		UINT64_MAX
/* Of a SYN, and of a SYN-ACK (tcp_syn_retries, tcp_synack_retries). */
#define SYN_TRIES	6U
#define SYNACK_TRIES	5U
/* Longer than a client tries: then the same address and port is another connection. */
#define FORGOTTEN_NS	(130 * NSEC_PER_SEC)
/* A recording can claim anything. */
#define WAITING_MAX	65536U
#define FIRST		64U		/* listeners there is room for at once */

/* ---- marks ------------------------------------------------------------------------- */

static uint64_t hash_listener(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct replay_listener *)entry)->listener;
}

static const struct table_type listeners = {
	.size = sizeof(struct replay_listener), .link = offsetof(struct replay_listener, link),
	.reserved = 1, .hash = hash_listener,
};

static struct replay_listener *find_listener(const struct replay *r, uint64_t listener)
{
	struct replay_listener *l = r->listeners.slab ? table_first(&r->listeners, &listeners, listener) :
						       NULL;

	while (l && l->listener != listener)
		l = table_next(&r->listeners, &listeners, l);
	return l;
}

/* It may move the others in memory. */
static struct replay_listener *add_listener(struct replay *r, uint64_t listener)
{
	struct replay_listener *l = find_listener(r, listener);

	if (!r->listeners.slab && table_init(&r->listeners, &listeners, FIRST, REPLAY_LISTENERS_MAX))
		return NULL;
	if (!l) {
		l = table_add(&r->listeners, &listeners, listener);
		if (!l)
			return NULL;
		l->listener = listener;
	}
	r->last = table_number(&r->listeners, &listeners, l);
	return l;
}

/* There is no listener: is there no place for it? */
static int no_listener(const struct replay *r)
{
	return r->listeners.slab && r->listeners.n == REPLAY_LISTENERS_MAX ? 0 : -ENOMEM;
}

/* Twice the room; without memory for it, or beyond the bounds, the oldest one is overwritten. */
static bool grow(struct replay *r, struct replay_listener *l)
{
	uint32_t room = l->room ? 2 * l->room : REPLAY_MARKS_FIRST;
	struct replay_mark *marks;

	if (room > REPLAY_MARKS_MAX || r->marks + room - l->room > REPLAY_MARKS_ALL)
		return l->room;
	marks = realloc(l->marks, room * sizeof(*marks));
	if (!marks)
		return l->room;
	r->marks += room - l->room;
	l->marks = marks;
	l->room = room;
	return true;
}

static uint64_t client_of(const struct tcpfsm_record *r)
{
	uint64_t key[3] = { 0, 0, r->rport };

	memcpy(key, r->raddr, sizeof(r->raddr));
	return hash_words(key, sizeof(key), 0);
}

static int mark(struct replay *r, const struct tcpfsm_event *ev, uint8_t kind, uint64_t who)
{
	uint64_t listener = ev->rec.listener;
	struct replay_listener *l = r->last ? table_at(&r->listeners, &listeners, r->last) : NULL;
	struct replay_mark *m;

	if (!l || l->listener != listener)
		l = add_listener(r, listener);
	if (!l)
		return no_listener(r);
	/* It grows in its first round only: then they lie in order. */
	if (l->n == l->room && !grow(r, l))
		return r->marks + REPLAY_MARKS_FIRST > REPLAY_MARKS_ALL ? 0 : -ENOMEM;
	m = &l->marks[l->n++ & (l->room - 1)];
	m->ts = ev->ts;
	m->who = who;
	m->acceptq = ev->rec.acceptq;
	m->kind = kind;
	return 0;
}

static int mark_syn(struct replay *r, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;
	uint8_t kind;

	if (rec->verdict == TCPFSM_VERDICT_QUEUED)
		kind = REPLAY_SYN_QUEUED;
	else if (rec->verdict == TCPFSM_VERDICT_COOKIE)
		kind = REPLAY_SYN_COOKIE;
	else if (rec->reason == TCPFSM_REASON_ACCEPTQ_FULL || rec->reason == TCPFSM_REASON_SYNQ_FULL ||
		 rec->reason == TCPFSM_REASON_LAST_QUARTER)
		kind = REPLAY_SYN_REFUSED;
	else			/* no limit would let it in */
		return 0;
	return mark(r, ev, kind, client_of(rec));
}

static int mark_lost(struct replay *r, const struct tcpfsm_event *ev)
{
	struct replay_listener *l;

	if (!ev->suppressed)
		r->lost += ev->lost;
	if (!ev->suppressed || ev->rec.verdict != TCPFSM_TYPE_SYN || !ev->rec.listener)
		return 0;
	l = add_listener(r, ev->rec.listener);
	if (!l)
		return no_listener(r);
	l->missed += ev->lost;
	return 0;
}

static int mark_transition(struct replay *r, const struct tcpfsm_event *ev)
{
	bool passive = ev->rec.flags & TCPFSM_F_PASSIVE && ev->rec.listener;

	if (ev->new_state == TCPFSM_STATE_ESTABLISHED)
		return passive ? mark(r, ev, REPLAY_ESTABLISHED, client_of(&ev->rec)) : 0;
	if (passive && ev->old_state == TCPFSM_STATE_SYN_RECV)
		return mark(r, ev, REPLAY_GONE, client_of(&ev->rec));
	return replay_ends_event(r, ev);
}

int replay_event(struct replay *r, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;

	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		return mark_transition(r, ev);
	case TCPFSM_EVENT_SYN:
		return rec->listener ? mark_syn(r, ev) : 0;
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		return rec->listener ? mark(r, ev, REPLAY_ACK_REFUSED, client_of(rec)) : 0;
	case TCPFSM_EVENT_ACCEPT:
		if (!rec->listener)
			return 0;
		return mark(r, ev, REPLAY_ACCEPT, ev->dur_ns < 0 ? UINT64_MAX : (uint64_t)ev->dur_ns);
	case TCPFSM_EVENT_TIMEWAIT:
	case TCPFSM_EVENT_CONNECT_FAILED:
		return replay_ends_event(r, ev);
	case TCPFSM_EVENT_LOST:
		return mark_lost(r, ev);
	}
	return 0;
}

bool replay_stands(const struct replay *r, uint64_t listener, uint64_t since, uint64_t *arrived)
{
	const struct replay_listener *l = find_listener(r, listener);
	uint64_t i, n = l ? l->n < l->room ? l->n : l->room : 0;

	*arrived = 0;
	for (i = 1; i <= n; i++) {
		const struct replay_mark *m = &l->marks[(l->n - i) & (l->room - 1)];

		if (m->ts < since)
			return !r->lost && !l->missed;
		if (m->kind == REPLAY_ACCEPT)
			return false;
		*arrived += m->kind == REPLAY_ESTABLISHED;
	}
	return false;
}

void replay_free(struct replay *r)
{
	struct replay_listener *l = r->listeners.slab;
	uint32_t i;

	for (i = 1; i < r->listeners.end; i++)
		free(l[i].marks);
	table_exit(&r->listeners);
	free(r->ends);
}

/* ---- what came to a listener --------------------------------------------------------- */

/* A connection that a client wants. */
struct attempt {
	uint64_t who;
	uint64_t at, last;		/* its first SYN, the last one */
	uint64_t answered;		/* the first one that was; 0: none was */
	uint64_t acked;			/* its first third ACK; 0: none */
	uint64_t gone;			/* its request came to nothing; 0: it did not */
	uint64_t took;			/* from SYN to third ACK; NEVER: that does not come */
	uint32_t link;			/* the table's */
	bool done, refused;		/* as observed */
};

/* accept(): the application was not ready for it from then on. */
struct accepted {
	uint64_t at, from;
};

struct replay_plan {
	struct table table;		/* of attempts, by client: none is deleted */
	struct attempt *attempts;	/* these, in order */
	struct accepted *accepts;	/* the last one is at NEVER: it did not come */
	uint64_t *gaps;			/* between two accepts while the queue was not empty */
	uint32_t *gaps_before;		/* by accept: how many of these there were by then */
	size_t nattempts, naccepts, ngaps;
	uint64_t least_gap, wake;	/* the least between two accepts, and from ESTABLISHED to it */
	uint64_t begin, end, waiting;	/* waiting: in the accept queue when it began */
	uint64_t refused, accepted;	/* accepted: the last time, as it is made */
	bool part;
};

static uint64_t hash_client(const struct table *t, uint64_t who)
{
	return hash_words(&who, sizeof(who), t->seed);
}

static uint64_t hash_attempt(const struct table *t, const void *entry)
{
	return hash_client(t, ((const struct attempt *)entry)->who);
}

static const struct table_type attempts = {
	.size = sizeof(struct attempt), .link = offsetof(struct attempt, link), .reserved = 1,
	.hash = hash_attempt,
};

/* The last one of a client. */
static struct attempt *find(const struct replay_plan *p, uint64_t who)
{
	struct attempt *a = table_first(&p->table, &attempts, hash_client(&p->table, who));

	while (a && a->who != who)
		a = table_next(&p->table, &attempts, a);
	return a;
}

static bool is_over(const struct attempt *a, const struct replay_mark *m)
{
	return a->done || a->gone || m->ts - a->last > FORGOTTEN_NS;
}

/* There is room for one of each mark. */
static struct attempt *begin_attempt(struct replay_plan *p, const struct replay_mark *m)
{
	struct attempt *a = table_add(&p->table, &attempts, hash_client(&p->table, m->who));

	p->nattempts++;
	a->who = m->who;
	a->at = a->last = m->ts;
	return a;
}

static void take_client(struct replay_plan *p, const struct replay_mark *m)
{
	bool syn = m->kind == REPLAY_SYN_QUEUED || m->kind == REPLAY_SYN_COOKIE ||
		   m->kind == REPLAY_SYN_REFUSED;
	struct attempt *a = find(p, m->who);

	if (!a || (syn && is_over(a, m)))
		a = begin_attempt(p, m);
	if (m->kind == REPLAY_SYN_REFUSED || m->kind == REPLAY_ACK_REFUSED)
		a->refused = true;
	if (syn)
		a->last = m->ts;
	else if (m->kind == REPLAY_GONE && !a->done)
		a->gone = m->ts;
	else if (!a->acked)
		a->acked = m->ts;
	if (syn && !a->answered && m->kind != REPLAY_SYN_REFUSED)
		a->answered = m->ts;
	a->done |= m->kind == REPLAY_ESTABLISHED;
}

static void take_accept(struct replay_plan *p, const struct replay_mark *m)
{
	struct accepted *a = &p->accepts[p->naccepts++];
	bool first = p->naccepts == 1;
	uint64_t before = first ? p->begin : p->accepted;
	/* Of a connection that came before its time is not known: it waited from the beginning on. */
	uint64_t came = m->who < m->ts - p->begin ? m->ts - m->who : p->begin;
	bool busy = !first && came <= before;

	*a = (struct accepted) { .at = m->ts, .from = came > before ? came : before };
	p->gaps_before[p->naccepts - 1] = (uint32_t)p->ngaps;
	p->accepted = m->ts;
	if (!first && m->ts - before < p->least_gap)
		p->least_gap = m->ts - before;
	if (busy)
		p->gaps[p->ngaps++] = m->ts - before;
	else if (m->ts - a->from < p->wake)
		p->wake = m->ts - a->from;
}

/* How many were in the accept queue before it. */
static uint64_t queue_before(const struct replay_mark *m)
{
	uint64_t n = m->acceptq < WAITING_MAX ? m->acceptq : WAITING_MAX;

	if (m->kind == REPLAY_ESTABLISHED)
		return n ? n - 1 : 0;
	return n + (m->kind == REPLAY_ACCEPT);
}

/* Those that wait at the end do so since then: the accept() that would end it did not come. */
static void take_end(struct replay_plan *p, const struct replay_mark *last, uint64_t *came,
		     size_t ncame)
{
	size_t left = last->acceptq;
	struct accepted *a = &p->accepts[p->naccepts];
	uint64_t since = left && left <= ncame ? came[ncame - left] : p->begin;

	p->end = last->ts;
	*a = (struct accepted) { .at = NEVER, .from = left ? since : NEVER };
	if (left && p->accepted > since)
		a->from = p->accepted;
	p->gaps_before[p->naccepts] = (uint32_t)p->ngaps;
	if (!p->naccepts || p->wake == NEVER)
		p->wake = 0;
	if (p->least_gap == NEVER)
		p->least_gap = 0;
}

/*
 * How long the third ACK takes of those whose SYN was not answered: as long as that of the
 * one before; if most of those answered did not send it, it does not come.
 */
static void fill_in(struct replay_plan *p)
{
	uint64_t answered = 0, acked = 0, took = 0;
	size_t i;

	for (i = 0; i < p->nattempts; i++) {
		struct attempt *a = &p->attempts[i];

		p->refused += a->refused;
		answered += !!a->answered;
		acked += a->answered && a->acked;
	}
	for (i = 0; i < p->nattempts; i++) {
		struct attempt *a = &p->attempts[i];

		if (a->answered && a->acked)
			took = a->took = a->acked - a->answered;
		else if (a->acked)
			a->took = 0;
		else if (a->answered)
			a->took = NEVER;
		else
			a->took = 2 * acked < answered ? NEVER : took;
	}
}

static bool plan_room(struct replay_plan *p, uint64_t **came, size_t n)
{
	if (table_init(&p->table, &attempts, n, n))
		return false;
	table_seed(&p->table);
	p->attempts = table_at(&p->table, &attempts, 1);
	*came = malloc(n * sizeof(**came));
	p->accepts = malloc((n + 1) * sizeof(*p->accepts));
	p->gaps = malloc(n * sizeof(*p->gaps));
	p->gaps_before = malloc((n + 1) * sizeof(*p->gaps_before));
	return *came && p->accepts && p->gaps && p->gaps_before;
}

static void take_marks(struct replay_plan *p, uint64_t *came, const struct replay_listener *l,
		       size_t n)
{
	struct replay_mark m = { .ts = 0 };
	size_t i, ncame = 0;

	for (i = 0; i < n; i++) {
		uint64_t before = m.ts;

		m = l->marks[(l->n - n + i) & (l->room - 1)];
		if (!i) {
			p->begin = m.ts;
			p->waiting = queue_before(&m);
		} else if (m.ts < before) {
			m.ts = before;
		}
		if (m.kind == REPLAY_ACCEPT)
			take_accept(p, &m);
		else
			take_client(p, &m);
		if (m.kind == REPLAY_ESTABLISHED)
			came[ncame++] = m.ts;
	}
	take_end(p, &m, came, ncame);
	fill_in(p);
}

struct replay_plan *replay_plan(const struct replay *r, uint64_t listener)
{
	const struct replay_listener *l = find_listener(r, listener);
	size_t n = !l ? 0 : l->n < l->room ? l->n : l->room;
	struct replay_plan *p = n ? calloc(1, sizeof(*p)) : NULL;
	uint64_t *came = NULL;

	if (!p)
		return NULL;
	p->part = l->n > l->room || l->missed || r->lost;
	p->least_gap = p->wake = NEVER;
	if (plan_room(p, &came, n)) {
		take_marks(p, came, l, n);
	} else {
		replay_plan_free(p);
		p = NULL;
	}
	free(came);
	return p;
}

uint64_t replay_refused(const struct replay_plan *p)
{
	return p->refused;
}

bool replay_is_part(const struct replay_plan *p, uint64_t *observed)
{
	*observed = p->end - p->begin;
	return p->part;
}

void replay_plan_free(struct replay_plan *p)
{
	if (!p)
		return;
	table_exit(&p->table);
	free(p->accepts);
	free(p->gaps);
	free(p->gaps_before);
	free(p);
}

/* ---- played again -------------------------------------------------------------------- */

/* What a client does next. */
enum { SENDS_SYN, SENDS_ACK, GIVES_UP };

/* Of an attempt, while it is played. */
struct client {
	uint64_t answered;
	uint8_t tries;			/* that failed, of a SYN or of an ACK */
	bool refused, queued;		/* queued: its request has a place in the SYN queue */
};

struct play {
	const struct replay_plan *p;
	const struct replay_limits *lim;
	struct replay_result *res;
	struct client *clients;
	struct heap due;
	size_t next;			/* attempt to begin */
	uint64_t *queue;		/* accept queue: since when each waits */
	size_t head, tail;
	uint64_t *waits;
	size_t nwaits;
	uint64_t synq;
	/* The application: its last accept(), the next one, and what was seen of it by then. */
	uint64_t last, accept;
	size_t seen;
	uint32_t again;			/* gaps used, one after the other */
};

static void does(struct play *y, uint32_t i, uint32_t what, uint64_t at)
{
	heap_push(&y->due, (struct due) { .at = at, .who = i, .what = what });
}

/* Time-outs of 1 s, doubled: the n-th time is that long after the first one. */
static uint64_t again_after(unsigned int n)
{
	return ((1ULL << n) - 1) * NSEC_PER_SEC;
}

/* How long it takes for one more than was seen. */
static uint64_t pace(struct play *y)
{
	const struct replay_plan *p = y->p;
	uint32_t n = p->gaps_before[y->seen];

	if (!p->ngaps)
		return p->least_gap;
	if (!n)
		return p->gaps[y->again++ % p->ngaps];
	return p->gaps[n - 1 - y->again++ % n];
}

/* When it accepts what waits since now; or goes on, having accepted now. */
static uint64_t accept_after(struct play *y, uint64_t now)
{
	const struct accepted *a = y->p->accepts;
	uint64_t at;

	while (a[y->seen].at <= y->last || a[y->seen].at < now)
		y->seen++;
	if (a[y->seen].from <= now) {
		y->again = 0;
		return a[y->seen].at;
	}
	if (!y->p->naccepts)		/* nobody accepts */
		return NEVER;
	at = now == y->last ? now : now + y->p->wake;
	if (y->last) {
		uint64_t ready = y->last + pace(y);

		at = ready > at ? ready : at;
	}
	while (a[y->seen].at < at)
		y->seen++;
	return a[y->seen].from <= at ? a[y->seen].at : at;
}

static size_t acceptq(const struct play *y)
{
	return y->tail - y->head;
}

static void enqueue(struct play *y, uint64_t now)
{
	y->queue[y->tail++] = now;
	if (acceptq(y) > y->res->peak)
		y->res->peak = acceptq(y);
	if (acceptq(y) == 1)
		y->accept = accept_after(y, now);
}

static void accept_one(struct play *y)
{
	uint64_t since = y->queue[y->head++];

	/* Of those that were there at the beginning it is not known since when. */
	if (y->head > y->p->waiting)
		y->waits[y->nwaits++] = y->accept - since;
	y->last = y->accept;
	y->accept = acceptq(y) ? accept_after(y, y->last) : NEVER;
}

static void refuse(struct play *y, uint32_t i)
{
	y->res->refused += !y->clients[i].refused;
	y->clients[i].refused = true;
}

static void leave_synq(struct play *y, uint32_t i)
{
	y->synq -= y->clients[i].queued;
	y->clients[i].queued = false;
}

/* tcp_conn_request() */
static bool is_let_in(struct play *y, bool *cookie)
{
	const struct replay_limits *l = y->lim;
	bool full = y->synq >= l->backlog + l->synq_more;
	int64_t room = (int64_t)l->max_syn_backlog - (int64_t)y->synq;

	*cookie = l->syncookies == 2 || (full && l->syncookies);
	if ((full && !*cookie) || acceptq(y) > l->backlog)
		return false;
	return l->syncookies || !l->max_syn_backlog || room >= (int64_t)(l->max_syn_backlog >> 2);
}

static void send_syn(struct play *y, uint32_t i, uint64_t now)
{
	const struct attempt *a = &y->p->attempts[i];
	struct client *c = &y->clients[i];
	bool cookie;

	if (!is_let_in(y, &cookie)) {
		refuse(y, i);
		if (++c->tries <= SYN_TRIES)
			does(y, i, SENDS_SYN, a->at + again_after(c->tries));
		return;
	}
	c->answered = now;
	c->tries = 0;
	c->queued = !cookie;
	y->res->cookies += cookie;
	y->synq += !cookie;
	if (y->synq > y->res->synq_peak)
		y->res->synq_peak = y->synq;
	if (a->took != NEVER)
		does(y, i, SENDS_ACK, now + a->took);
	else if (a->gone)
		does(y, i, GIVES_UP, now + (a->gone - a->answered));
	else
		does(y, i, GIVES_UP, now + again_after(SYNACK_TRIES + 1));
}

/* tcp_v4_syn_recv_sock() */
static void send_ack(struct play *y, uint32_t i, uint64_t now)
{
	struct client *c = &y->clients[i];

	if (acceptq(y) <= y->lim->backlog) {
		leave_synq(y, i);
		enqueue(y, now);
		return;
	}
	refuse(y, i);
	if (y->lim->abort_on_overflow || ++c->tries > SYNACK_TRIES)
		leave_synq(y, i);
	else
		does(y, i, SENDS_ACK, c->answered + again_after(c->tries));
}

static bool step(struct play *y)
{
	const struct replay_plan *p = y->p;
	uint64_t begins = y->next < p->nattempts ? p->attempts[y->next].at : NEVER;
	uint64_t due = heap_next(&y->due);
	uint64_t first = begins < due ? begins : due;
	struct due d;

	if (y->accept <= first && y->accept <= p->end && y->accept != NEVER) {
		accept_one(y);
		return true;
	}
	if (first > p->end)
		return false;
	if (begins <= due) {
		/* Its SYN is not among the marks: it sends the ACK. */
		if (p->attempts[y->next].answered || !p->attempts[y->next].acked)
			send_syn(y, (uint32_t)y->next, begins);
		else
			send_ack(y, (uint32_t)y->next, begins);
		y->next++;
		return true;
	}
	d = heap_pop(&y->due);
	if (d.what == SENDS_SYN)
		send_syn(y, d.who, d.at);
	else if (d.what == SENDS_ACK)
		send_ack(y, d.who, d.at);
	else
		leave_synq(y, d.who);
	return true;
}

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static void sum_up(struct play *y)
{
	struct replay_result *res = y->res;
	size_t i;

	res->attempts = y->p->nattempts;
	res->waiting = acceptq(y);
	/* They have waited for so long as yet. */
	for (i = y->head > y->p->waiting ? y->head : y->p->waiting; i < y->tail; i++)
		y->waits[y->nwaits++] = y->p->end - y->queue[i];
	qsort(y->waits, y->nwaits, sizeof(*y->waits), by_number);
	if (!y->nwaits)
		return;
	res->wait_max = y->waits[y->nwaits - 1];
	res->wait_p99 = y->waits[(y->nwaits - 1) * 99 / 100];
}

int replay_run(struct replay_plan *p, const struct replay_limits *limits,
	       struct replay_result *result)
{
	size_t n = p->nattempts + p->waiting + 1;
	struct play y = { .p = p, .lim = limits, .res = result, .accept = NEVER };
	int err = -ENOMEM;

	*result = (struct replay_result) { .attempts = 0 };
	y.clients = calloc(n, sizeof(*y.clients));
	y.due.of = malloc(n * sizeof(*y.due.of));
	y.queue = malloc(n * sizeof(*y.queue));
	y.waits = malloc(n * sizeof(*y.waits));
	if (y.clients && y.due.of && y.queue && y.waits) {
		while (y.tail < p->waiting)
			enqueue(&y, p->begin);
		while (step(&y))
			;
		sum_up(&y);
		err = 0;
	}
	free(y.clients);
	free(y.due.of);
	free(y.queue);
	free(y.waits);
	return err;
}
