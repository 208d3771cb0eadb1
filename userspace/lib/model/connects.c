// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Who connects where, and how it goes: the mirror of listeners.  A small entry for each connection that
 * was opened here, as long as it is there, and a row of counts for each owner and destination.
 *
 * It understands the events of a model that tells all transitions, and those of one that watches
 * with opens.  Everything here is a function of the items and events and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "closer.h"
#include "grow.h"
#include "opts.h"
#include "source/cgroup.h"
#include "source/clock.h"
#include "source/item.h"
#include "table.h"
#include "timewait.h"
#include "tcpfsm.h"

#define SOCKETS_DEFAULT	((size_t)1 << 21)
#define SOCKETS_FIRST	4096U
#define ROWS_DEFAULT	32768U
#define ROWS_FIRST	64U
#define ENDED		256U		/* a power of two */
#define IDLE_NS		(60 * NSEC_PER_SEC)
#define SWEEP_NS	NSEC_PER_SEC
#define RATE_MIN_NS	(NSEC_PER_SEC / 10)
#define NET4_BITS	24
#define NET6_BITS	64

#define S(s)		TCPFSM_STATE_##s

/* A connection that was opened here, until it has closed or is in TIME_WAIT. */
struct sock {
	uint64_t conn;			/* socket cookie; 0: free */
	uint32_t row;
	uint32_t link;			/* the table's */
	uint16_t lport;
	uint8_t connecting:1;		/* in SYN_SENT */
	uint8_t before:1;		/* its attempt was not seen */
	uint8_t doubtful:1;		/* of a snapshot: who opened it is not known yet */
	uint8_t seen:1;			/* in the resync under way */
	uint8_t failed:1;		/* connect() has told why */
	uint8_t closer:2;		/* enum tcpfsm_closer, so far */
};

/* Compared as a whole: no padding. */
struct row_key {
	uint32_t netns, pid;
	uint16_t rport;
	uint8_t family, unused[5];
	uint8_t raddr[16];
};

struct row {
	struct row_key key;
	uint32_t link;			/* the table's */
	bool used;
	char comm[17];
	uint64_t acted;			/* CLOCK_MONOTONIC: when the process was seen last */
	uint64_t last;			/* of anything; epoch */
	uint64_t progress, live;
	struct tcpfsm_connect_counts n, before; /* before: at the mark */
};

/* Number 0 is the rest. */
struct tcpfsm_connects {
	struct table socks, rows;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_filter filter;
	bool filtered, cgroups;
	bool syncing, doubts;
	uint32_t last;			/* row found last */
	int64_t epoch_offset;
	uint64_t mark, swept;
	uint64_t lost, untold;
	/* Connections that ended in SYN_SENT last: why may be told a moment later. */
	struct { uint64_t conn; uint32_t row; } ended[ENDED];
};

static const int errnos[TCPFSM_CONNECT_ERRORS] = {
	ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EPERM, ECONNRESET, 0,
};

int tcpfsm_connect_errno(unsigned int i)
{
	return i < TCPFSM_CONNECT_ERRORS ? errnos[i] : 0;
}

static unsigned int slot_of(int err)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_CONNECT_ERRORS - 1; i++)
		if (errnos[i] == err)
			return i;
	return TCPFSM_CONNECT_ERRORS - 1;
}

/* ---- tables -------------------------------------------------------------------------- */

static uint64_t hash_sock(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct sock *)entry)->conn;
}

static const struct table_type sock_type = {
	.size = sizeof(struct sock), .link = offsetof(struct sock, link), .reserved = 1, .hash = hash_sock,
};

static uint64_t hash_key(const struct table *t, const struct row_key *key)
{
	_Static_assert(sizeof(*key) % 8 == 0, "hashed by words");
	return hash_words(key, sizeof(*key), t->seed);
}

static uint64_t hash_row(const struct table *t, const void *entry)
{
	return hash_key(t, &((const struct row *)entry)->key);
}

static const struct table_type row_type = {
	.size = sizeof(struct row), .link = offsetof(struct row, link), .reserved = 1, .hash = hash_row,
};

static struct sock *sock_at(const struct tcpfsm_connects *c, uint32_t i)
{
	return (struct sock *)c->socks.slab + i;
}

static struct row *row_at(const struct tcpfsm_connects *c, uint32_t i)
{
	return (struct row *)c->rows.slab + i;
}

static struct sock *find(const struct tcpfsm_connects *c, uint64_t conn)
{
	struct sock *s = conn ? table_first(&c->socks, &sock_type, conn) : NULL;

	while (s && s->conn != conn)
		s = table_next(&c->socks, &sock_type, s);
	return s;
}

static void add_counts(struct tcpfsm_connect_counts *to, const struct tcpfsm_connect_counts *n)
{
	/* Nothing but counts is in it. */
	const uint64_t *from = (const uint64_t *)n;
	uint64_t *sum = (uint64_t *)to;
	size_t i;

	_Static_assert(sizeof(*n) % sizeof(*from) == 0, "counts only");
	for (i = 0; i < sizeof(*n) / sizeof(*from); i++)
		sum[i] += from[i];
}

static void forget_row(struct tcpfsm_connects *c, struct row *r)
{
	table_del(&c->rows, &row_type, hash_row(&c->rows, r), r);
	r->used = false;
	c->last = 0;
}

/* Rows without sockets that nothing happened to for a minute go to the rest. */
static bool sweep(struct tcpfsm_connects *c, uint64_t now)
{
	uint32_t i, n = c->rows.n;

	if (now < c->swept + SWEEP_NS)
		return false;
	c->swept = now;
	for (i = 1; i < c->rows.end; i++) {
		struct row *r = row_at(c, i);

		if (!r->used || r->progress || r->live || r->last + IDLE_NS > now)
			continue;
		add_counts(&row_at(c, 0)->n, &r->n);
		add_counts(&row_at(c, 0)->before, &r->before);
		forget_row(c, r);
	}
	return c->rows.n < n;
}

/* 0: of the rest. */
static uint32_t row_of(struct tcpfsm_connects *c, const struct row_key *key, uint64_t now)
{
	uint64_t hash;
	struct row *r;

	if (c->last && !memcmp(&row_at(c, c->last)->key, key, sizeof(*key)))
		return c->last;
	hash = hash_key(&c->rows, key);
	for (r = table_first(&c->rows, &row_type, hash); r; r = table_next(&c->rows, &row_type, r))
		if (!memcmp(&r->key, key, sizeof(*key)))
			break;
	if (!r) {
		r = table_add(&c->rows, &row_type, hash);
		if (!r && sweep(c, now))
			r = table_add(&c->rows, &row_type, hash);
		if (!r)
			return 0;
		r->key = *key;
		r->used = true;
	}
	return c->last = table_number(&c->rows, &row_type, r);
}

/* ---- sockets --------------------------------------------------------------------------- */

/* one: 1, or its negative to take it out. */
static void count(struct tcpfsm_connects *c, const struct sock *s, uint64_t one)
{
	struct row *r = row_at(c, s->row);

	if (s->connecting)
		r->progress += one;
	else
		r->live += one;
}

static struct sock *add(struct tcpfsm_connects *c, const struct tcpfsm_record *r, uint32_t row, bool connecting)
{
	struct sock *s = r->conn ? table_add(&c->socks, &sock_type, r->conn) : NULL;

	if (!s) {
		c->untold++;
		return NULL;
	}
	s->conn = r->conn;
	s->row = row;
	s->lport = r->lport;
	s->connecting = connecting;
	count(c, s, 1);
	return s;
}

static void drop(struct tcpfsm_connects *c, struct sock *s)
{
	count(c, s, -1ULL);
	table_del(&c->socks, &sock_type, s->conn, s);
	s->conn = 0;
}

static uint32_t row_of_record(struct tcpfsm_connects *c, const struct tcpfsm_record *r, uint32_t pid,
			      const char *comm, uint64_t ts)
{
	struct row_key key = { .netns = r->netns, .pid = pid, .rport = r->rport, .family = r->family };
	char path[PROCESS_CGROUP_MAX];
	struct row *row;
	uint32_t i;

	memcpy(key.raddr, r->raddr, sizeof(key.raddr));
	i = row_of(c, &key, ts);
	row = row_at(c, i);
	row->last = ts;
	if (!i || !pid)
		return i;
	/* execve() and prctl() change it. */
	memset(row->comm, 0, sizeof(row->comm));
	memcpy(row->comm, comm, strnlen(comm, sizeof(row->comm) - 1));
	/* When it is asked for, the process may be gone. */
	if (c->cgroups && !row->acted)
		cgroup_of(pid, r->ts, path);
	row->acted = r->ts;
	return i;
}

/* Sockets of a snapshot are of whoever does not listen there: now all listeners are known. */
static void settle(struct tcpfsm_connects *c)
{
	uint32_t i;

	c->doubts = false;
	for (i = 1; i < c->socks.end; i++) {
		struct sock *s = sock_at(c, i);

		if (!s->conn || !s->doubtful)
			continue;
		s->doubtful = false;
		if (c->ledger && timewaits_listens(c->ledger, row_at(c, s->row)->key.netns, s->lport))
			drop(c, s);
	}
}

static bool wanted(const struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	if (!c->filtered)
		return true;
	tcpfsm_filter_event(&s, ev);
	/* They are of one event; a row is of all. */
	s.known &= ~(uint32_t)(TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE);
	return tcpfsm_filter_subject(&c->filter, &s);
}

static void on_mark(struct tcpfsm_connects *c, const struct tcpfsm_record *r)
{
	uint32_t i;

	if (r->snd == TCPFSM_RESYNC_BEGIN) {
		for (i = 1; i < c->socks.end; i++)
			sock_at(c, i)->seen = false;
		c->syncing = true;
	} else if (r->snd == TCPFSM_RESYNC_END && c->syncing) {
		c->syncing = false;
		for (i = 1; i < c->socks.end && !r->arg && !r->netns; i++)
			if (sock_at(c, i)->conn && !sock_at(c, i)->seen)
				drop(c, sock_at(c, i));
	}
}

int tcpfsm_connects_item(struct tcpfsm_connects *c, const struct tcpfsm_item *item)
{
	const struct tcpfsm_record *r = &item->rec;
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_TRANSITION, .rec = *r };
	uint64_t ts = r->ts + (uint64_t)c->epoch_offset;
	struct sock *s;

	if (item->lost || r->type != TCPFSM_TYPE_SOCKET)
		return 0;
	if (!r->conn) {
		on_mark(c, r);
		return 0;
	}
	s = find(c, r->conn);
	if (s) {
		s->seen = true;
		return 0;
	}
	if (r->flags & TCPFSM_F_OWNER) {
		ev.has_owner = true;
		ev.pid = r->pid;
		memcpy(ev.comm, r->comm, sizeof(r->comm));
	}
	/* A mini-socket is of no process: it is live no more. */
	if (r->verdict == TCPFSM_TW_ENTER || r->new_state == S(CLOSE) || r->new_state == S(LISTEN) ||
	    r->new_state == S(SYN_RECV) || r->new_state == S(TIME_WAIT) || r->flags & TCPFSM_F_PASSIVE ||
	    !r->rport || !wanted(c, &ev) || c->ended[r->conn % ENDED].conn == r->conn)
		return 0;
	s = add(c, r, row_of_record(c, r, ev.has_owner ? ev.pid : 0, ev.comm, ts), r->new_state == S(SYN_SENT));
	if (s) {
		s->before = s->doubtful = s->seen = true;
		s->closer = closer_in(r->new_state) & 3;
		c->doubts = true;
	}
	return 0;
}

/* ---- events -------------------------------------------------------------------------------- */

static void sample(struct tcpfsm_connect_counts *n, int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000;
	unsigned int i = us ? 64 - (unsigned int)__builtin_clzll(us) : 0;

	if (ns < 0)
		return;
	n->handshake_us[i < TCPFSM_TOTAL_BUCKETS ? i : TCPFSM_TOTAL_BUCKETS - 1]++;
}

/* An attempt that was not seen is one when its outcome is. */
static struct tcpfsm_connect_counts *outcome(struct tcpfsm_connects *c, struct sock *s)
{
	struct tcpfsm_connect_counts *n = &row_at(c, s->row)->n;

	n->attempts += s->before;
	s->before = false;
	return n;
}

static void fail_by(struct tcpfsm_connect_counts *n, int err)
{
	n->failed++;
	n->by_errno[slot_of(err)]++;
}

/* Known, or in SYN_SENT: then its SYN was sent before anything was heard of it. */
static struct sock *find_connecting(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct sock *s = find(c, ev->rec.conn);
	uint32_t row;

	if (s || ev->old_state != S(SYN_SENT) || c->untold || c->ended[ev->rec.conn % ENDED].conn == ev->rec.conn)
		return s;
	row = row_of_record(c, &ev->rec, ev->has_owner ? ev->pid : 0, ev->comm, ev->ts);
	s = add(c, &ev->rec, row, true);
	if (s)
		s->before = true;
	return s;
}

static void on_open(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	uint32_t row = row_of_record(c, &ev->rec, ev->has_owner ? ev->pid : 0, ev->comm, ev->ts);
	struct sock *s = find(c, ev->rec.conn);

	/* One that has not heard of its end, or is there from before. */
	if (s)
		drop(c, s);
	c->ended[ev->rec.conn % ENDED].conn = 0;
	row_at(c, row)->n.attempts++;
	add(c, &ev->rec, row, true);
}

static void on_established(struct tcpfsm_connects *c, struct sock *s, const struct tcpfsm_event *ev)
{
	struct tcpfsm_connect_counts *n;

	if (!s->connecting)
		return;
	n = outcome(c, s);
	n->established++;
	/* A simultaneous open has no such time. */
	if (ev->old_state == S(SYN_SENT))
		sample(n, ev->dur_ns);
	count(c, s, -1ULL);
	s->connecting = false;
	count(c, s, 1);
}

/* It is beyond SYN_SENT; how it came there was lost. */
static void must_be_established(struct tcpfsm_connects *c, struct sock *s)
{
	if (!s->connecting)
		return;
	outcome(c, s)->established++;
	count(c, s, -1ULL);
	s->connecting = false;
	count(c, s, 1);
}

static void on_close(struct tcpfsm_connects *c, struct sock *s, const struct tcpfsm_event *ev)
{
	struct tcpfsm_connect_counts *n;
	uint8_t closer;

	if (ev->old_state != S(SYN_SENT) && ev->old_state != S(SYN_RECV))
		must_be_established(c, s);
	if (s->connecting) {
		n = outcome(c, s);
		if (!s->failed) {
			n->given_up++;
			c->ended[s->conn % ENDED].conn = s->conn;
			c->ended[s->conn % ENDED].row = s->row;
		}
		drop(c, s);
		return;
	}
	n = &row_at(c, s->row)->n;
	closer = ev->life && ev->life->begin && ev->life->closer ? ev->life->closer :
		 s->closer ? s->closer : closer_by(ev->old_state, ev->new_state, ev->cause);
	n->closed[closer & 3]++;
	n->resets += ev->cause == TCPFSM_CAUSE_RCV_RST || ev->cause == TCPFSM_CAUSE_SND_RST;
	drop(c, s);
}

static void on_transition(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct sock *s;
	uint8_t closer;

	if (ev->new_state == S(SYN_SENT)) {
		on_open(c, ev);
		return;
	}
	s = find_connecting(c, ev);
	if (!s)
		return;
	row_at(c, s->row)->last = ev->ts;
	switch (ev->new_state) {
	case S(ESTABLISHED):
		on_established(c, s, ev);
		break;
	case S(CLOSE):
		on_close(c, s, ev);
		break;
	case S(SYN_RECV):
		break;			/* both opened it at a time */
	default:
		must_be_established(c, s);
		closer = closer_by(ev->old_state, ev->new_state, ev->cause);
		if (closer)
			s->closer = closer & 3;
	}
}

static void on_timewait(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct sock *s = ev->rec.verdict == TCPFSM_TW_ENTER ? find(c, ev->rec.conn) : NULL;

	if (!s)
		return;
	must_be_established(c, s);
	row_at(c, s->row)->n.closed[ev->closer & 3]++;
	drop(c, s);
}

static void on_failed(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct sock *s = find(c, ev->rec.conn);
	uint64_t conn = ev->rec.conn;
	struct tcpfsm_connect_counts *n;

	if (s && s->connecting && !s->failed) {
		fail_by(outcome(c, s), (int)ev->rec.arg);
		s->failed = true;
	} else if (conn && c->ended[conn % ENDED].conn == conn) {
		n = &row_at(c, c->ended[conn % ENDED].row)->n;
		n->given_up--;
		fail_by(n, (int)ev->rec.arg);
		c->ended[conn % ENDED].conn = 0;
	} else if (!s) {
		/* Before there was a SYN. */
		n = &row_at(c, row_of_record(c, &ev->rec, ev->has_owner ? ev->pid : 0, ev->comm, ev->ts))->n;
		n->attempts++;
		fail_by(n, (int)ev->rec.arg);
	}
}

static void on_retransmit(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	struct sock *s = ev->rec.verdict == TCPFSM_SEGMENT_SYN ? find_connecting(c, ev) : NULL;

	if (s)
		row_at(c, s->row)->n.resent++;
}

/* With its inode there is another one now, which has none of this. */
static void forget_netns(struct tcpfsm_connects *c, uint32_t netns)
{
	uint32_t i;

	for (i = 1; i < c->socks.end; i++)
		if (sock_at(c, i)->conn && row_at(c, sock_at(c, i)->row)->key.netns == netns)
			drop(c, sock_at(c, i));
	for (i = 0; i < ENDED; i++)
		if (row_at(c, c->ended[i].row)->key.netns == netns)
			c->ended[i].conn = 0;
	for (i = 1; i < c->rows.end; i++)
		if (row_at(c, i)->used && row_at(c, i)->key.netns == netns)
			forget_row(c, row_at(c, i));
}

int tcpfsm_connects_event(struct tcpfsm_connects *c, const struct tcpfsm_event *ev)
{
	if (ev->type == TCPFSM_EVENT_LOST) {
		c->lost += ev->suppressed ? 0 : ev->lost;
		return 0;
	}
	if (c->doubts && !c->syncing)
		settle(c);
	if (!c->mark)
		c->mark = ev->ts;
	if (ev->type == TCPFSM_EVENT_NETNS)
		forget_netns(c, ev->rec.netns);
	if (ev->netns_gone || !wanted(c, ev))
		return 0;
	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		on_transition(c, ev);
		break;
	case TCPFSM_EVENT_TIMEWAIT:
		on_timewait(c, ev);
		break;
	case TCPFSM_EVENT_CONNECT_FAILED:
		on_failed(c, ev);
		break;
	case TCPFSM_EVENT_RETRANSMIT:
		on_retransmit(c, ev);
		break;
	}
	return 0;
}

/* ---- readings --------------------------------------------------------------------------------- */

/* Ports of a destination that are taken, of whatever local address has most of them. */
struct taken {
	uint32_t netns;
	uint16_t rport;
	uint8_t family, unused;
	uint8_t raddr[16];
	uint64_t used, limit;
};

#define TAKEN_KEY	offsetof(struct taken, used)

/* A row of a reading: what it is sorted by, the members, and what they come to. */
struct sum {
	const struct row *first;
	const char *container;
	uint32_t from, n;		/* of members[] */
	double key, second;
};

struct member {
	const struct row *row;
	char *container;		/* by CONTAINER; "": not known */
	enum tcpfsm_connect_by by;
};

struct reading {
	struct tcpfsm_connects *c;
	uint64_t now;
	struct member *members;
	struct sum *sums;
	size_t nmembers, nsums;
	struct taken *taken;
	size_t ntaken, room;
};

static int on_outbound(const struct tcpfsm_timewait *tw, void *arg)
{
	struct reading *r = arg;
	struct taken *t;

	t = grown(r->taken, &r->room, r->ntaken, sizeof(*t));
	if (!t)
		return -ENOMEM;
	r->taken = t;
	t = &r->taken[r->ntaken++];
	memset(t, 0, sizeof(*t));
	t->netns = tw->netns;
	t->rport = tw->rport;
	t->family = tw->family;
	memcpy(t->raddr, tw->raddr, sizeof(t->raddr));
	t->used = tw->used;
	t->limit = tw->limit;
	return 0;
}

static int compare_taken(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int d = memcmp(x, y, TAKEN_KEY);

	return d ? d : x->used < y->used ? 1 : x->used > y->used ? -1 : 0;
}

/* The first of its key has most. */
static const struct taken *find_taken(const struct reading *r, const struct row_key *key)
{
	struct taken t;
	size_t low = 0, high = r->ntaken;

	memset(&t, 0, sizeof(t));
	t.netns = key->netns;
	t.rport = key->rport;
	t.family = key->family;
	memcpy(t.raddr, key->raddr, sizeof(t.raddr));
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (memcmp(&r->taken[mid], &t, TAKEN_KEY) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->ntaken && !memcmp(&r->taken[low], &t, TAKEN_KEY) ? &r->taken[low] : NULL;
}

/* What counts of it, for what they are summed by. */
static struct row_key sum_key(const struct row_key *k, enum tcpfsm_connect_by by)
{
	struct row_key key = *k;
	bool address = by == TCPFSM_CONNECT_BY_DESTINATION || by == TCPFSM_CONNECT_BY_HOST ||
		       by == TCPFSM_CONNECT_BY_NET;

	if (by != TCPFSM_CONNECT_BY_DESTINATION && by != TCPFSM_CONNECT_BY_PROCESS)
		key.pid = 0;
	if (by != TCPFSM_CONNECT_BY_DESTINATION && by != TCPFSM_CONNECT_BY_PORT)
		key.rport = 0;
	if (!address) {
		key.family = 0;
		memset(key.raddr, 0, sizeof(key.raddr));
	}
	if (by == TCPFSM_CONNECT_BY_NET)
		memset(key.raddr + (key.family == 4 ? NET4_BITS : NET6_BITS) / 8, 0,
		       sizeof(key.raddr) - (key.family == 4 ? NET4_BITS : NET6_BITS) / 8);
	/* A process that has moved is the same. */
	if (by == TCPFSM_CONNECT_BY_CONTAINER || (by == TCPFSM_CONNECT_BY_PROCESS && key.pid))
		key.netns = 0;
	return key;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	struct row_key k = sum_key(&x->row->key, x->by), l = sum_key(&y->row->key, y->by);

	if (x->container) {
		int d = strcmp(x->container, y->container);

		if (d)
			return d;
	}
	return memcmp(&k, &l, sizeof(k));
}

static void add_row(const struct reading *r, struct tcpfsm_connect *o, const struct row *row)
{
	const struct taken *t = find_taken(r, &row->key);
	struct tcpfsm_connect_counts recent = row->n;
	uint64_t *lately = (uint64_t *)&recent;
	const uint64_t *then = (const uint64_t *)&row->before;
	size_t i;

	for (i = 0; i < sizeof(recent) / sizeof(*lately); i++)
		lately[i] -= then[i];
	o->rows++;
	add_counts(&o->total, &row->n);
	add_counts(&o->recent, &recent);
	o->progress += row->progress;
	o->live += row->live;
	if (t && t->limit && (!o->ports || t->used * o->ports > o->ports_used * t->limit)) {
		o->ports = t->limit;
		o->ports_used = t->used;
	}
}

static void make(const struct reading *r, const struct sum *s, enum tcpfsm_connect_by by, struct tcpfsm_connect *o)
{
	const struct tcpfsm_connects *c = r->c;
	struct row_key key = sum_key(&s->first->key, by);
	uint32_t i;

	*o = (struct tcpfsm_connect) {
		.by = (uint8_t)by, .netns = key.netns, .family = key.family, .rport = key.rport,
		.has_owner = key.pid, .pid = key.pid, .container = s->container && *s->container ? s->container : NULL,
		.seconds = r->now >= c->mark + RATE_MIN_NS && c->mark ?
			   (double)(r->now - c->mark) / (double)NSEC_PER_SEC : 0,
	};
	if (key.family)
		o->bits = by == TCPFSM_CONNECT_BY_NET ? key.family == 4 ? NET4_BITS : NET6_BITS :
			  key.family == 4 ? 32 : 128;
	memcpy(o->raddr, key.raddr, sizeof(o->raddr));
	if (key.pid)
		memcpy(o->comm, s->first->comm, sizeof(o->comm));
	for (i = 0; i < s->n; i++)
		add_row(r, o, r->members[s->from + i].row);
}

static double key_of(const struct tcpfsm_connect *o, enum tcpfsm_connect_sort sort)
{
	switch (sort) {
	case TCPFSM_CONNECT_SORT_ATTEMPTS:
		break;
	case TCPFSM_CONNECT_SORT_FAILED:
		return (double)o->total.failed;
	case TCPFSM_CONNECT_SORT_PROGRESS:
		return (double)o->progress;
	case TCPFSM_CONNECT_SORT_SLOW:
		return (double)tcpfsm_histogram_quantile(o->total.handshake_us, 0.99);
	case TCPFSM_CONNECT_SORT_RESENT:
		return (double)o->total.resent;
	case TCPFSM_CONNECT_SORT_RESETS:
		return (double)o->total.resets;
	case TCPFSM_CONNECT_SORT_LIVE:
		return (double)o->live;
	case TCPFSM_CONNECT_SORT_PORTS:
		return o->ports ? (double)o->ports_used / (double)o->ports : 0;
	}
	return (double)o->total.attempts;
}

static int compare_sums(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? 1 : -1;
	if (x->second != y->second)
		return x->second < y->second ? 1 : -1;
	return x->from < y->from ? -1 : 1;
}

static bool passes(const struct tcpfsm_filter *f, const struct row *row)
{
	struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .netns = row->key.netns, .pid = row->key.pid, .rport = row->key.rport,
		.family = row->key.family, .ts = row->acted,
		.known = TCPFSM_ASKS_NETNS | TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_PEER | TCPFSM_ASKS_OWNER |
			 TCPFSM_ASKS_CGROUP,
	};

	memcpy(s.raddr, row->key.raddr, sizeof(s.raddr));
	memcpy(s.comm, row->comm, sizeof(s.comm));
	return tcpfsm_filter_subject(f, &s);
}

static int name_container(const struct reading *r, struct member *m)
{
	char path[PROCESS_CGROUP_MAX], name[PROCESS_CGROUP_MAX] = "";

	if (m->by != TCPFSM_CONNECT_BY_CONTAINER)
		return 0;
	if (r->c->cgroups && m->row->key.pid && cgroup_of(m->row->key.pid, m->row->acted, path))
		cgroup_name(path, name);
	m->container = strdup(name);
	return m->container ? 0 : -ENOMEM;
}

static int gather(struct reading *r, enum tcpfsm_connect_by by, const struct tcpfsm_filter *filter)
{
	const struct tcpfsm_connects *c = r->c;
	uint32_t i;
	int err;

	r->members = calloc(c->rows.end, sizeof(*r->members));
	r->sums = calloc(c->rows.end, sizeof(*r->sums));
	if (!r->members || !r->sums)
		return -ENOMEM;
	for (i = 1; i < c->rows.end; i++) {
		const struct row *row = row_at(c, i);

		/* Of a snapshot, and all gone. */
		if (!row->used || (!row->n.attempts && !row->progress && !row->live) ||
		    (filter && !passes(filter, row)))
			continue;
		r->members[r->nmembers] = (struct member) { .row = row, .by = by };
		err = name_container(r, &r->members[r->nmembers++]);
		if (err)
			return err;
	}
	err = c->ledger ? timewaits_outbound(c->ledger, r->now, on_outbound, r) : 0;
	if (r->ntaken)
		qsort(r->taken, r->ntaken, sizeof(*r->taken), compare_taken);
	return err;
}

static void sum_up(struct reading *r, enum tcpfsm_connect_by by, enum tcpfsm_connect_sort sort)
{
	struct tcpfsm_connect o;
	size_t i;

	qsort(r->members, r->nmembers, sizeof(*r->members), compare_members);
	for (i = 0; i < r->nmembers; i++) {
		struct sum *s = r->nsums ? &r->sums[r->nsums - 1] : NULL;

		if (!s || compare_members(&r->members[i], &r->members[s->from])) {
			s = &r->sums[r->nsums++];
			s->first = r->members[i].row;
			s->container = r->members[i].container;
			s->from = (uint32_t)i;
		}
		s->n++;
	}
	for (i = 0; i < r->nsums; i++) {
		make(r, &r->sums[i], by, &o);
		r->sums[i].key = key_of(&o, sort);
		r->sums[i].second = (double)(o.total.attempts + o.live);
	}
	qsort(r->sums, r->nsums, sizeof(*r->sums), compare_sums);
}

static bool has_any(const struct tcpfsm_connect *o)
{
	return o->rows || o->total.attempts || o->live || o->progress;
}

int tcpfsm_connects_each(struct tcpfsm_connects *c, enum tcpfsm_connect_by by, enum tcpfsm_connect_sort sort,
			 uint64_t now, size_t max, const struct tcpfsm_filter *filter, tcpfsm_connect_fn fn,
			 void *arg)
{
	struct reading r = { .c = c, .now = now };
	struct tcpfsm_connect o, rest;
	size_t i, k;
	int rc;

	if (c->doubts && !c->syncing)
		settle(c);
	rc = gather(&r, by, filter);
	if (rc)
		goto out;
	sum_up(&r, by, sort);
	for (i = 0; i < r.nsums && i < max && !rc; i++) {
		make(&r, &r.sums[i], by, &o);
		rc = fn(&o, arg);
	}
	rest = (struct tcpfsm_connect) { .by = (uint8_t)by, .rest = true };
	if (!rc) {
		for (; i < r.nsums; i++)
			for (k = 0; k < r.sums[i].n; k++)
				add_row(&r, &rest, r.members[r.sums[i].from + k].row);
		/* Of those without a place nothing else is known. */
		if (!filter) {
			uint64_t rows = rest.rows;

			add_row(&r, &rest, row_at(c, 0));
			rest.rows = rows;
		}
		rest.ports = rest.ports_used = 0;
		rest.seconds = now >= c->mark + RATE_MIN_NS && c->mark ?
			       (double)(now - c->mark) / (double)NSEC_PER_SEC : 0;
		if (has_any(&rest))
			rc = fn(&rest, arg);
	}
out:
	for (i = 0; i < r.nmembers; i++)
		free(r.members[i].container);
	free(r.members);
	free(r.sums);
	free(r.taken);
	return rc;
}

void tcpfsm_connects_mark(struct tcpfsm_connects *c, uint64_t now)
{
	uint32_t i;

	for (i = 0; i < c->rows.end; i++)
		row_at(c, i)->before = row_at(c, i)->n;
	c->mark = now;
}

void tcpfsm_connects_uncertain(const struct tcpfsm_connects *c, uint64_t *lost, uint64_t *untold)
{
	*lost = c->lost;
	*untold = c->untold;
}

int tcpfsm_connects_new(struct tcpfsm_connects **out, const struct tcpfsm_connects_options *opts)
{
	struct tcpfsm_connects_options o;
	struct tcpfsm_connects *c;
	struct tcpfsm_filter filter;
	int err = copy_opts(&o, sizeof(o), opts);

	*out = NULL;
	if (!err)
		err = copy_opts(&filter, sizeof(filter), o.filter);
	if (err)
		return err;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->epoch_offset = o.epoch_offset;
	c->ledger = o.ledger;
	c->cgroups = o.cgroups;
	c->filtered = o.filter;
	c->filter = filter;
	err = table_init(&c->socks, &sock_type, SOCKETS_FIRST, o.max_sockets ? o.max_sockets : SOCKETS_DEFAULT);
	if (!err)
		err = table_init(&c->rows, &row_type, ROWS_FIRST, o.max_rows ? o.max_rows : ROWS_DEFAULT);
	if (err) {
		tcpfsm_connects_free(c);
		return err;
	}
	table_seed(&c->rows);
	*out = c;
	return 0;
}

void tcpfsm_connects_free(struct tcpfsm_connects *c)
{
	if (!c)
		return;
	table_exit(&c->socks);
	table_exit(&c->rows);
	free(c);
}
