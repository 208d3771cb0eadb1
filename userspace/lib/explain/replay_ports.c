// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The connections that were opened to a destination, played again with other ports.
 *
 * A port is taken from connect() on until the connection has ended, or else its TIME_WAIT; with
 * tcp_tw_reuse connect() takes that of a TIME_WAIT which is old enough (tcp_twsk_unique()).
 * A connect() that found no port, and now does, has a connection as long as the one before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "model/timewait.h"
#include "replay.h"
#include "source/clock.h"
#include "table.h"

#define NEVER		UINT64_MAX
#define TIME_WAIT_NS	(TIMEWAIT_LASTS * NSEC_PER_SEC)
#define STATE(s)	TCPFSM_STATE_##s

/* ---- marks ------------------------------------------------------------------------- */

/* Twice the room; without memory for it, or beyond the bound, the oldest one is overwritten. */
static bool grow(struct replay *r)
{
	uint32_t room = r->ends_room ? 2 * r->ends_room : REPLAY_ENDS_FIRST;
	struct replay_end *ends;

	if (room > REPLAY_ENDS_MAX)
		return r->ends_room;
	ends = realloc(r->ends, room * sizeof(*ends));
	if (!ends)
		return r->ends_room;
	r->ends = ends;
	r->ends_room = room;
	return true;
}

static int mark(struct replay *r, const struct tcpfsm_record *rec, uint64_t ts, uint8_t kind)
{
	struct replay_end *e;

	if (r->nends == r->ends_room && !grow(r))
		return -ENOMEM;
	e = &r->ends[r->nends++ & (r->ends_room - 1)];
	e->ts = ts;
	e->conn = rec->conn;
	e->netns = rec->netns;
	e->rport = rec->rport;
	e->family = rec->family;
	e->kind = kind;
	memcpy(e->laddr, rec->laddr, sizeof(e->laddr));
	memcpy(e->raddr, rec->raddr, sizeof(e->raddr));
	return 0;
}

/* What peers opened takes no port, and need not be remembered. */
static bool is_opened(const struct replay *r, uint16_t lport)
{
	return r->opened[lport / 64] >> (lport % 64) & 1;
}

static void set_opened(struct replay *r, uint16_t lport)
{
	r->opened[lport / 64] |= 1ULL << (lport % 64);
}

static int mark_transition(struct replay *r, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;

	if (ev->new_state == STATE(SYN_SENT) && rec->lport) {
		set_opened(r, rec->lport);
		return mark(r, rec, ev->ts, REPLAY_OPEN);
	}
	/* TIME_WAIT ends by itself. */
	if (ev->new_state == STATE(CLOSE) && ev->old_state != STATE(TIME_WAIT) && is_opened(r, rec->lport))
		return mark(r, rec, ev->ts, REPLAY_FREE);
	return 0;
}

static uint8_t kind_of_timewait(const struct tcpfsm_record *rec)
{
	bool begins = rec->verdict == TCPFSM_TW_ENTER ||
		      (rec->verdict == TCPFSM_TW_REFRESH && rec->old_state == STATE(FIN_WAIT2));

	if (begins && rec->new_state == STATE(TIME_WAIT))
		return rec->flags & TCPFSM_F_TIMESTAMPS ? REPLAY_TIME_WAIT : REPLAY_TIME_WAIT_PLAIN;
	/* Before its time. */
	if (rec->verdict == TCPFSM_TW_KILL || rec->verdict == TCPFSM_TW_ABORT)
		return REPLAY_FREE;
	return 0;
}

int replay_ends_event(struct replay *r, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;
	uint8_t kind;

	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		return mark_transition(r, ev);
	case TCPFSM_EVENT_TIMEWAIT:
		kind = is_opened(r, rec->lport) ? kind_of_timewait(rec) : 0;
		return kind ? mark(r, rec, ev->ts, kind) : 0;
	case TCPFSM_EVENT_CONNECT_FAILED:
		if (rec->arg != EADDRNOTAVAIL)
			return 0;
		return mark(r, rec, ev->ts, rec->lport ? REPLAY_NO_PORT_BOUND : REPLAY_NO_PORT);
	}
	return 0;
}

/* The service has the port that is not ephemeral: the lower one. */
int replay_socket(struct replay *r, const struct tcpfsm_record *rec, uint64_t ts)
{
	uint64_t age = rec->rcv == UINT32_MAX ? 0 : rec->rcv * NSEC_PER_MSEC;
	bool mini = rec->verdict == TCPFSM_TW_ENTER;

	if (!rec->conn || rec->lport <= rec->rport || rec->new_state == STATE(LISTEN) ||
	    rec->flags & TCPFSM_F_PASSIVE)
		return 0;
	set_opened(r, rec->lport);
	if (mini && rec->new_state == STATE(TIME_WAIT))
		return mark(r, rec, ts > age ? ts - age : 0, REPLAY_TIME_WAIT);
	return mark(r, rec, ts, REPLAY_HELD);
}

/* ---- connections ---------------------------------------------------------------------- */

/* A connection to the destination, or a connect() that found no port. */
struct life {
	uint64_t conn;
	uint64_t open;			/* when it took its port; 0: it had it before */
	uint64_t end;			/* NEVER: not as yet */
	uint32_t link;			/* the table's */
	bool time_wait, timestamps;	/* it ends in TIME_WAIT */
	bool failed, none;		/* none: it was no connection, and no attempt that counts */
};

static uint64_t hash_life(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct life *)entry)->conn;
}

static const struct table_type lives = {
	.size = sizeof(struct life), .link = offsetof(struct life, link), .reserved = 1,
	.hash = hash_life,
};

/* None is deleted.  There is room for one of each mark. */
static struct life *life_of(struct table *t, uint64_t conn)
{
	struct life *l = conn ? table_first(t, &lives, conn) : NULL;

	while (l && l->conn != conn)
		l = table_next(t, &lives, l);
	if (l)
		return l;
	l = table_add(t, &lives, conn);
	l->conn = conn;
	l->end = NEVER;
	return l;
}

static void take(struct table *t, const struct replay_end *e, const struct replay_ports *with,
		 struct replay_ports_result *res)
{
	struct life *l = life_of(t, e->conn);

	switch (e->kind) {
	case REPLAY_OPEN:
		/* The snapshot, which comes first, may have it: it is newer than that. */
		l->open = e->ts;
		break;
	case REPLAY_NO_PORT_BOUND:
		if (!with->unbound) {
			l->none = true;
			break;
		}
		/* fallthrough */
	case REPLAY_NO_PORT:
		*l = (struct life) { .conn = e->conn, .open = e->ts, .link = l->link, .failed = true };
		res->failed_before++;
		break;
	case REPLAY_TIME_WAIT:
	case REPLAY_TIME_WAIT_PLAIN:
		l->time_wait = true;
		l->timestamps = e->kind == REPLAY_TIME_WAIT && with->timestamps;
		l->end = e->ts;
		break;
	case REPLAY_FREE:
		/* A TIME_WAIT that was killed may count till its time: it is rare. */
		if (!l->time_wait)
			l->end = e->ts;
		break;
	}
}

static bool is_of(const struct replay_end *e, const struct tcpfsm_timewait *dest)
{
	return e->rport == dest->rport && e->netns == dest->netns && e->family == dest->family &&
	       !memcmp(e->raddr, dest->raddr, sizeof(e->raddr)) &&
	       !memcmp(e->laddr, dest->laddr, sizeof(e->laddr));
}

static int by_open(const void *x, const void *y)
{
	const struct life *a = x, *b = y;

	return a->open < b->open ? -1 : a->open > b->open;
}

/* ---- played again -------------------------------------------------------------------- */

/* How an open connection ends: just so, or in TIME_WAIT. */
enum { CLOSES, WAITS, WAITS_STAMPED };

/* Of TIME_WAIT, the oldest first. */
struct births {
	uint64_t *at;
	size_t first, last;
};

struct play {
	const struct replay_ports *with;
	struct replay_ports_result *res;
	struct heap ends;		/* of open connections */
	struct births births[2];	/* without timestamps, with them */
	uint64_t open;
	struct life like;		/* the last one that ended */
};

static void go_on(struct play *y, uint64_t now)
{
	unsigned int i;

	while (heap_next(&y->ends) <= now) {
		struct due d = heap_pop(&y->ends);
		struct births *b = &y->births[d.what == WAITS_STAMPED];

		if (d.what != CLOSES)
			b->at[b->last++] = d.at;
		y->open--;
	}
	for (i = 0; i < 2; i++) {
		struct births *b = &y->births[i];

		while (b->first < b->last && now - b->at[b->first] >= TIME_WAIT_NS)
			b->first++;
	}
}

static uint64_t used(const struct play *y)
{
	return y->open + y->births[0].last - y->births[0].first + y->births[1].last - y->births[1].first;
}

/* tcp_twsk_unique() */
static bool can_reuse(const struct play *y, uint64_t now)
{
	uint64_t delay = y->with->delay_ms * NSEC_PER_MSEC, birth;
	const struct births *b = &y->births[1];

	if (!y->with->reuse || b->first == b->last)
		return false;
	birth = b->at[b->first];
	return delay ? now - birth > delay : now / NSEC_PER_SEC > birth / NSEC_PER_SEC;
}

/* It has a port, and gives it back when the connection has ended that it is like. */
static void hold(struct play *y, const struct life *l, uint64_t open)
{
	struct due end = { .at = open + (l->end - l->open) };

	end.what = !l->time_wait ? CLOSES : l->timestamps ? WAITS_STAMPED : WAITS;
	y->open++;
	if (l->end != NEVER)
		heap_push(&y->ends, end);
	if (used(y) > y->res->peak)
		y->res->peak = used(y);
}

static void play_one(struct play *y, const struct life *l)
{
	go_on(y, l->open);
	if (!l->open) {
		hold(y, l, 0);
		return;
	}
	y->res->attempts++;
	if (used(y) >= y->with->ports) {
		if (!can_reuse(y, l->open)) {
			y->res->failed++;
			return;
		}
		y->births[1].first++;
	}
	hold(y, l->failed ? &y->like : l, l->open);
	if (!l->failed && l->end != NEVER)
		y->like = *l;
}

static void play(struct play *y, const struct life *of, size_t n)
{
	size_t i;

	/* As long as the first one that ended, until another one has. */
	y->like = (struct life) { .end = NEVER };
	for (i = n; i--;)
		if (of[i].open && !of[i].failed && of[i].end != NEVER)
			y->like = of[i];
	for (i = 0; i < n; i++)
		if (!of[i].none)
			play_one(y, &of[i]);
}

static size_t count(const struct replay *r, const struct tcpfsm_timewait *dest)
{
	size_t i, n = 0, kept = r->nends < r->ends_room ? r->nends : r->ends_room;

	for (i = 0; i < kept; i++)
		n += is_of(&r->ends[i], dest);
	return n;
}

/* In order of time: they are not to be found any more. */
static struct life *plan(struct table *t, const struct replay *r, const struct tcpfsm_timewait *dest,
			 const struct replay_ports *with, struct replay_ports_result *res)
{
	struct life *of = table_at(t, &lives, 1);
	size_t i, kept = r->nends < r->ends_room ? r->nends : r->ends_room;

	for (i = 0; i < kept; i++) {
		const struct replay_end *e = &r->ends[(r->nends - kept + i) & (r->ends_room - 1)];

		if (is_of(e, dest))
			take(t, e, with, res);
	}
	qsort(of, t->n, sizeof(*of), by_open);
	return of;
}

static bool room(struct table *t, struct play *y, size_t n)
{
	if (table_init(t, &lives, n, n))
		return false;
	y->ends.of = malloc(n * sizeof(*y->ends.of));
	y->births[0].at = malloc(n * sizeof(*y->births[0].at));
	y->births[1].at = malloc(n * sizeof(*y->births[1].at));
	return y->ends.of && y->births[0].at && y->births[1].at;
}

int replay_ports(const struct replay *r, const struct tcpfsm_timewait *dest,
		 const struct replay_ports *with, struct replay_ports_result *result)
{
	struct play y = { .with = with, .res = result };
	struct table t = { .n = 0 };
	struct life *of;
	size_t n = count(r, dest);
	int err = -ENOMEM;

	*result = (struct replay_ports_result) { .part = r->lost || r->nends > r->ends_room };
	if (!n)
		return 0;
	if (room(&t, &y, n)) {
		of = plan(&t, r, dest, with, result);
		play(&y, of, t.n);
		err = 0;
	}
	table_exit(&t);
	free(y.ends.of);
	free(y.births[0].at);
	free(y.births[1].at);
	return err;
}

/* ---- which there are ----------------------------------------------------------------- */

static int by_destination(const void *x, const void *y)
{
	const struct replay_end *a = &((const struct replay_destination *)x)->end;
	const struct replay_end *b = &((const struct replay_destination *)y)->end;
	int order;

	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	if (a->rport != b->rport)
		return a->rport < b->rport ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->raddr, b->raddr, sizeof(a->raddr));
	return order ? order : memcmp(a->laddr, b->laddr, sizeof(a->laddr));
}

static int by_attempts(const void *x, const void *y)
{
	const struct replay_destination *a = x, *b = y;

	if (a->attempts != b->attempts)
		return a->attempts > b->attempts ? -1 : 1;
	return by_destination(x, y);
}

int64_t replay_destinations(const struct replay *r, struct replay_destination **out)
{
	size_t i, n = 0, len = 0, kept = r->nends < r->ends_room ? r->nends : r->ends_room;
	struct replay_destination *of = malloc((kept + 1) * sizeof(*of));

	*out = of;
	if (!of)
		return -ENOMEM;
	for (i = 0; i < kept; i++)
		if (r->ends[i].kind == REPLAY_OPEN || r->ends[i].kind == REPLAY_NO_PORT)
			of[n++] = (struct replay_destination) { .end = r->ends[i], .attempts = 1 };
	qsort(of, n, sizeof(*of), by_destination);
	for (i = 0; i < n; i++) {
		if (len && !by_destination(&of[len - 1], &of[i]))
			of[len - 1].attempts++;
		else
			of[len++] = of[i];
	}
	qsort(of, len, sizeof(*of), by_attempts);
	return (int64_t)len;
}
