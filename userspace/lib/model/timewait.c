// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The ledger of mini-sockets: one small entry each, and sums by network namespace,
 * destination and owner that are kept as they come and go.
 *
 * Everything here is a function of the items and events and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/cgroup.h"
#include "source/clock.h"
#include "source/item.h"
#include "source/named.h"
#include "source/process.h"
#include "opts.h"
#include "table.h"
#include "timewait.h"
#include "tw_groups.h"
#include "tcpfsm.h"

#define SOCKETS_DEFAULT	((size_t)1 << 21)
#define DESTINATIONS_DEFAULT 32768U
#define OWNERS_DEFAULT	8192U
#define NETNS_MAX	1024U		/* struct sock.netns has 16 bits */
#define SOCKETS_FIRST	32768U
#define SHRINK		65536U
#define PORT_WORDS	(65536 / 64)
#define ENDED		256U		/* a power of two */
#define SAME_NS		NSEC_PER_SEC

#define STATE(s)	TCPFSM_STATE_##s
#define KIND(k)		TCPFSM_TIMEWAIT_##k
#define TW(a)		TCPFSM_TW_##a

/* A connection that was opened here, while it has no mini-socket. */
#define OPEN		STATE(ESTABLISHED)

struct sock {
	uint64_t conn;		/* socket cookie */
	uint64_t since;		/* when its state began; epoch, 0: not known */
	uint32_t dest, owner;	/* groups; of an OPEN one only dest */
	uint32_t link;		/* the table's */
	uint16_t netns;		/* group */
	uint8_t state;		/* OPEN, FIN_WAIT2, TIME_WAIT; 0: free */
	uint8_t closer:2;	/* enum tcpfsm_closer */
	uint8_t before:1;	/* nothing was heard of it but that it is there */
	uint8_t seen:1;		/* in the resync under way */
	uint8_t stamps:2;	/* enum stamps */
};

/* A mini-socket or connection of the snapshot, until all listeners are known. */
struct waiting {
	uint64_t conn, since;
	struct key key;
	uint8_t state;
};

struct tcpfsm_timewaits {
	struct groups kind[TCPFSM_TIMEWAIT_KINDS];
	struct table socks;
	struct waiting *waiting;
	size_t nwaiting, room;
	bool has_filter, begun;
	bool live;		/* the processes are of this machine */
	enum tcpfsm_timewait_sort sort;
	struct tcpfsm_filter filter;
	int64_t epoch_offset;
	uint64_t since, snap_ts, mark;
	uint64_t known;		/* what came is known from then on; 0: long ago */
	uint64_t lost, untold;
	bool syncing;		/* a resync is under way */
	bool unsynced;		/* lost since the last one */
	uint64_t sync_ts;	/* its beginning; epoch */
	uint64_t resynced;	/* that of the last one that was complete */
	uint64_t totals_ts;	/* of the last reading of totals; 0: none */
	/* Mini-sockets that ended last: a record may tell a moment before they are gone. */
	uint64_t ended[ENDED];
};

/* ---- groups ------------------------------------------------------------------------ */

static struct group *group(struct tcpfsm_timewaits *t, uint8_t kind, uint32_t i)
{
	return group_at(&t->kind[kind], i);
}

/* Its key is nothing but this number. */
static bool found_last(const struct groups *gs, uint32_t netns)
{
	return gs->last && group_at(gs, gs->last)->key.netns == netns;
}

static uint32_t netns_group(struct tcpfsm_timewaits *t, uint32_t netns)
{
	struct groups *gs = &t->kind[KIND(NETNS)];
	struct key key = { .netns = netns };

	return found_last(gs, netns) ? gs->last : groups_get(gs, &key);
}

/* What happens in an interrupt may have outlived its process. */
static void seen(struct group *g, const struct tcpfsm_event *ev)
{
	if (!g->named || ev->rec.flags & TCPFSM_F_OWNER)
		g->named = ev->ts;
}

static uint32_t owner_group(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	struct key key = { .pid = ev && ev->has_owner ? ev->pid : 0 };
	uint32_t i = groups_get(&t->kind[KIND(OWNER)], &key);
	struct group *g = group(t, KIND(OWNER), i);
	char path[PROCESS_CGROUP_MAX];

	if (!i || !key.pid)
		return i;
	/* execve() and prctl() change it. */
	memcpy(g->now.comm, ev->comm, sizeof(g->now.comm));
	seen(g, ev);
	if (!g->cgroup && (named_is() || (t->live && !g->cgroup_asked))) {
		g->cgroup_asked = true;
		if (cgroup_of(key.pid, ev->ts - (uint64_t)t->epoch_offset, path))
			g->cgroup = strdup(path);
	}
	return i;
}

/* ---- destinations ------------------------------------------------------------------ */

static bool wanted_netns(const struct tcpfsm_timewaits *t, uint32_t netns)
{
	const struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .known = TCPFSM_ASKS_NETNS, .netns = netns,
	};

	return !t->has_filter || tcpfsm_filter_subject(&t->filter, &s);
}

/* Somebody listens there, or did: what has this local port was opened by peers. */
static int learn_listener(struct tcpfsm_timewaits *t, uint32_t netns, uint16_t port)
{
	struct group *g;

	if (!port || !wanted_netns(t, netns))
		return 0;
	g = group(t, KIND(NETNS), netns_group(t, netns));
	/* Nobody knows which, in the rest. */
	if (g->now.rest)
		return 0;
	if (!g->listening)
		g->listening = calloc(PORT_WORDS, sizeof(*g->listening));
	if (!g->listening)
		return -ENOMEM;
	g->listening[port / 64] |= 1ULL << port % 64;
	return 0;
}

/* The rest when it has no place. */
static const struct group *find_netns(const struct tcpfsm_timewaits *t, uint32_t netns)
{
	const struct groups *gs = &t->kind[KIND(NETNS)];
	const struct key key = { .netns = netns };

	return group_at(gs, found_last(gs, netns) ? gs->last : groups_find(gs, &key));
}

static bool listens(const struct tcpfsm_timewaits *t, uint32_t netns, uint16_t port)
{
	const struct group *g = find_netns(t, netns);

	return g->listening && g->listening[port / 64] >> port % 64 & 1;
}

/* All that a record tells of a connection's ends, as yet without direction. */
static struct key ends(const struct tcpfsm_record *r)
{
	struct key key = {
		.netns = r->netns, .lport = r->lport, .rport = r->rport, .family = r->family,
		.dev = record_dev(r),
	};

	memcpy(key.laddr, r->laddr, sizeof(key.laddr));
	memcpy(key.raddr, r->raddr, sizeof(key.raddr));
	return key;
}

static uint32_t destination(struct tcpfsm_timewaits *t, struct key key)
{
	key.inbound = listens(t, key.netns, key.lport);
	if (key.inbound) {
		key.rport = 0;
		memset(key.raddr, 0, sizeof(key.raddr));
	} else {
		key.lport = 0;
	}
	return groups_get(&t->kind[KIND(DESTINATION)], &key);
}

/* ---- sockets ----------------------------------------------------------------------- */

static uint64_t hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct sock *)entry)->conn;
}

static const struct table_type type = {
	.size = sizeof(struct sock), .link = offsetof(struct sock, link), .reserved = 1, .hash = hash,
};

static struct sock *sock_at(const struct tcpfsm_timewaits *t, uint32_t i)
{
	return (struct sock *)t->socks.slab + i;
}

static struct sock *find(const struct tcpfsm_timewaits *t, uint64_t conn)
{
	struct sock *s = conn ? table_first(&t->socks, &type, conn) : NULL;

	while (s && s->conn != conn)
		s = table_next(&t->socks, &type, s);
	return s;
}

/* A new one, free yet, but in its chain.  NULL: no room. */
static struct sock *add(struct tcpfsm_timewaits *t, uint64_t conn)
{
	struct sock *s = table_add(&t->socks, &type, conn);

	if (s)
		s->conn = conn;
	return s;
}

/* As ktime_get_seconds() was then. */
static uint32_t second(const struct tcpfsm_timewaits *t, uint64_t ts)
{
	return second_at(t->epoch_offset, ts);
}

static void count_stamps(struct tcpfsm_timewaits *t, struct group *g, const struct sock *s,
			 uint64_t one)
{
	uint32_t then = second(t, s->since);

	g->stamps[s->stamps] += (uint32_t)one;
	if (s->stamps != STAMPS_WITH || !s->since)
		return;
	if (then > g->young_second) {
		g->young_second = then;
		g->young = 0;
	}
	if (then == g->young_second)
		g->young += (uint32_t)one;
}

static void count_group(struct tcpfsm_timewaits *t, uint8_t kind, uint32_t i,
			const struct sock *s, uint64_t one)
{
	struct groups *gs = &t->kind[kind];
	struct group *g = group_at(gs, i);

	if (s->state == OPEN) {
		g->now.open += one;
	} else {
		if (s->state == STATE(TIME_WAIT)) {
			g->now.time_wait += one;
			if (s->since)
				births_count(&g->births, second(t, s->since), one);
			else
				g->births.unknown += (uint32_t)one;
		} else {
			g->now.fin_wait2 += one;
		}
		g->now.closer[s->closer] += one;
		if (s->before)
			g->now.before += one;
	}
	if (!i)
		return;
	groups_busy(gs, g, mini(&g->now) + g->now.open);
}

/* one: 1, or its negative to take it out. */
static void count(struct tcpfsm_timewaits *t, const struct sock *s, uint64_t one)
{
	if (!s->state)
		return;
	count_group(t, KIND(DESTINATION), s->dest, s, one);
	if (s->state == OPEN)
		return;
	if (s->state == STATE(TIME_WAIT))
		count_stamps(t, group(t, KIND(DESTINATION), s->dest), s, one);
	count_group(t, KIND(OWNER), s->owner, s, one);
	count_group(t, KIND(NETNS), s->netns, s, one);
}

static void add_trend(struct tcpfsm_timewaits *t, uint8_t kind, uint32_t i, uint64_t ts,
		      uint32_t came, uint32_t went, int32_t held)
{
	trend_add(&group(t, kind, i)->trend, second(t, ts), came, went, held);
}

static uint32_t group_of(const struct sock *s, uint8_t kind)
{
	return kind == KIND(NETNS) ? s->netns : kind == KIND(OWNER) ? s->owner : s->dest;
}

/* What was became what is; either may be of state 0.  Expired: TIME_WAIT was over. */
static void note(struct tcpfsm_timewaits *t, const struct sock *was, const struct sock *is,
		 uint64_t ts, bool expired)
{
	uint8_t kind;

	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++) {
		bool in[2] = { was->state, is->state };
		int32_t held[2] = { was->state != STATE(TIME_WAIT), is->state != STATE(TIME_WAIT) };
		uint32_t from = group_of(was, kind), to = group_of(is, kind);

		if (kind != KIND(DESTINATION)) {
			in[0] = in[0] && was->state != OPEN;
			in[1] = in[1] && is->state != OPEN;
		}
		if (in[0] && in[1] && from == to) {
			if (held[0] != held[1])
				add_trend(t, kind, to, ts, 0, 0, held[1] - held[0]);
			continue;
		}
		if (in[0])
			add_trend(t, kind, from, ts, 0, !expired, -held[0]);
		if (in[1])
			add_trend(t, kind, to, ts, 1, 0, held[1]);
	}
}

static void drop(struct tcpfsm_timewaits *t, struct sock *s)
{
	count(t, s, -1ULL);
	if (s->state != OPEN)
		t->ended[s->conn % ENDED] = s->conn;
	s->state = 0;
	table_del(&t->socks, &type, s->conn, s);
}

/* ---- the snapshot ------------------------------------------------------------------ */

static bool wanted(const struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	if (!t->has_filter)
		return true;
	/* What a mini-socket is part of is a matter of all that happened to it. */
	tcpfsm_filter_event(&s, ev);
	s.known &= ~(uint32_t)(TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE);
	return tcpfsm_filter_subject(&t->filter, &s);
}

/* The snapshot is complete, and so are its listeners. */
static void take_snapshot(struct tcpfsm_timewaits *t)
{
	while (t->nwaiting) {
		const struct waiting *w = &t->waiting[--t->nwaiting];
		struct sock *s = find(t, w->conn);

		/* A million of them give their room to what is made of them. */
		if (t->nwaiting && t->nwaiting % SHRINK == 0) {
			struct waiting *less;

			less = realloc(t->waiting, (t->nwaiting + 1) * sizeof(*less));
			if (less)
				t->waiting = less;
			w = &t->waiting[t->nwaiting];
		}
		if (s || (w->state == OPEN && listens(t, w->key.netns, w->key.lport)))
			continue;
		s = add(t, w->conn);
		if (!s) {
			t->untold++;
			continue;
		}
		s->since = w->since;
		s->before = w->state != OPEN;
		s->dest = destination(t, w->key);
		if (s->before) {
			s->netns = (uint16_t)netns_group(t, w->key.netns);
			s->owner = owner_group(t, NULL);
		}
		s->state = w->state;
		count(t, s, 1);
		/* How long the others are here, nothing tells. */
		if (s->state == STATE(TIME_WAIT) && s->since)
			note(t, &(struct sock) { .state = 0 }, s, s->since, false);
	}
	free(t->waiting);
	t->waiting = NULL;
	t->room = 0;
	if (t->snap_ts && t->since < t->snap_ts + (uint64_t)t->epoch_offset)
		t->since = t->snap_ts + (uint64_t)t->epoch_offset;
	t->known = 0;
	t->snap_ts = 0;
}

static void resync_begin(struct tcpfsm_timewaits *t, const struct tcpfsm_record *r)
{
	uint32_t i;

	/* Of one that was broken off, nothing counts. */
	if (t->syncing)
		t->nwaiting = 0;
	else if (t->nwaiting || t->snap_ts)
		take_snapshot(t);
	for (i = 1; i < t->socks.end; i++)
		sock_at(t, i)->seen = false;
	t->syncing = true;
	t->sync_ts = r->ts + (uint64_t)t->epoch_offset;
}

/* Gone while nobody saw it; in TIME_WAIT most likely because it was over. */
static void drop_unseen(struct tcpfsm_timewaits *t, struct sock *s)
{
	bool expired = s->state == STATE(TIME_WAIT) &&
		       t->sync_ts >= s->since + TCPFSM_TW_SECONDS * NSEC_PER_SEC;

	note(t, s, &(struct sock) { .state = 0 }, t->sync_ts, expired);
	drop(t, s);
}

/* All that was known is from before the beginning: what was not seen is gone. */
static void resync_end(struct tcpfsm_timewaits *t, const struct tcpfsm_record *r)
{
	bool all = !r->netns || (t->has_filter && t->filter.netns == r->netns);
	uint32_t i;

	if (!t->syncing)
		return;
	t->syncing = false;
	if (!r->arg && all) {
		for (i = 1; i < t->socks.end; i++)
			if (sock_at(t, i)->state && !sock_at(t, i)->seen)
				drop_unseen(t, sock_at(t, i));
		t->untold = 0;
		t->unsynced = false;
		t->resynced = t->sync_ts;
	}
	take_snapshot(t);
}

static void on_mark(struct tcpfsm_timewaits *t, const struct tcpfsm_record *r)
{
	if (r->snd == TCPFSM_RESYNC_BEGIN)
		resync_begin(t, r);
	else if (r->snd == TCPFSM_RESYNC_END)
		resync_end(t, r);
}

/* A resync tells of one that is known.  What only records can tell stays. */
static void seen_again(struct tcpfsm_timewaits *t, struct sock *s, const struct tcpfsm_record *r)
{
	uint64_t age = r->rcv * NSEC_PER_MSEC, since = 0;
	struct sock was = *s;

	s->seen = true;
	if (r->rcv != UINT32_MAX && age < r->ts)
		since = r->ts - age + (uint64_t)t->epoch_offset;
	/* On its way to be a mini-socket; as it was, to the kernel's ticks, and not begun again. */
	if (r->verdict != TW(ENTER) || (s->state == STATE(TIME_WAIT) && r->new_state != s->state) ||
	    (s->state == r->new_state && since < s->since + SAME_NS))
		return;
	count(t, s, -1ULL);
	if (s->state == OPEN) {
		s->netns = (uint16_t)netns_group(t, r->netns);
		s->owner = owner_group(t, NULL);
		s->closer = TCPFSM_CLOSER_NONE;
		s->before = true;
	}
	s->state = r->new_state;
	s->since = since;
	count(t, s, 1);
	note(t, &was, s, since ? since : t->sync_ts, false);
}

static int on_socket(struct tcpfsm_timewaits *t, const struct tcpfsm_record *r)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_TIMEWAIT, .rec = *r };
	bool is_mini = r->verdict == TW(ENTER);
	struct waiting *w;
	struct sock *s;
	uint64_t age;

	if (!r->conn) {
		on_mark(t, r);
		return 0;
	}
	if (r->ts > t->snap_ts && !t->syncing)
		t->snap_ts = r->ts;
	if (r->new_state == STATE(LISTEN))
		return learn_listener(t, r->netns, r->lport);
	if (r->flags & TCPFSM_F_OWNER) {
		ev.has_owner = true;
		ev.pid = r->pid;
	}
	/* Its owner may be what the filter asked for, and is not told again. */
	s = t->syncing ? find(t, r->conn) : NULL;
	if (s) {
		seen_again(t, s, r);
		return 0;
	}
	if (r->new_state == STATE(CLOSE) || r->flags & TCPFSM_F_PASSIVE || !wanted(t, &ev) ||
	    t->ended[r->conn % ENDED] == r->conn)
		return 0;
	if (t->nwaiting == t->room) {
		size_t room = t->room ? t->room + t->room / 2 : 1024;

		w = realloc(t->waiting, room * sizeof(*w));
		if (!w)
			return -ENOMEM;
		t->waiting = w;
		t->room = room;
	}
	w = &t->waiting[t->nwaiting++];
	*w = (struct waiting) { .conn = r->conn, .key = ends(r), .state = is_mini ? r->new_state : OPEN };
	age = r->rcv * NSEC_PER_MSEC;
	if (is_mini && r->rcv != UINT32_MAX && age < r->ts)
		w->since = r->ts - age + (uint64_t)t->epoch_offset;
	return 0;
}

static void on_total(struct tcpfsm_timewaits *t, const struct tcpfsm_record *r)
{
	struct group *g;

	if (r->conn || !wanted_netns(t, r->netns))
		return;
	g = group(t, KIND(NETNS), netns_group(t, r->netns));
	t->totals_ts = r->ts;
	if (g->now.rest)
		return;
	g->heard = r->ts;
	switch (r->rcv) {
	case TCPFSM_TOTAL_NOW_SINCE_TS:	/* never left out, as zeros are */
		g->now.tw = 0;
		g->ports = g->tw_reuse = 0;
		g->tw_reuse_delay = 0;
		break;
	case TCPFSM_TOTAL_NOW_TW:
		g->now.tw = (uint32_t)r->listener;
		break;
	case TCPFSM_TOTAL_NOW_TW_MAX:
		g->now.limit = r->listener;
		break;
	case TCPFSM_TOTAL_NOW_TW_REUSE:
		g->tw_reuse = (uint8_t)r->listener;
		break;
	case TCPFSM_TOTAL_NOW_TW_REUSE_DELAY:
		g->tw_reuse_delay = (uint32_t)r->listener;
		break;
	case TCPFSM_TOTAL_NOW_PORTS:
		g->ports = (uint32_t)r->listener;
		break;
	}
}

int tcpfsm_timewaits_item(struct tcpfsm_timewaits *t, const struct tcpfsm_item *item)
{
	if (item->lost)
		return 0;
	if (item->rec.type == TCPFSM_TYPE_SOCKET)
		return on_socket(t, &item->rec);
	if (item->rec.type == TCPFSM_TYPE_TOTAL)
		on_total(t, &item->rec);
	return 0;
}

/* ---- events ------------------------------------------------------------------------ */

static void mark(struct tcpfsm_timewaits *t, uint64_t now)
{
	unsigned int kind;
	uint32_t i;

	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++) {
		for (i = 0; i < groups_end(&t->kind[kind]); i++) {
			struct group *g = group(t, (uint8_t)kind, i);

			memcpy(g->flow, g->now.flow, sizeof(g->flow));
			g->failed = g->now.failed;
			g->used = tw_used(&g->now);
			g->recent_early = g->early;
			g->recent_early_ns = g->early_ns;
		}
	}
	t->mark = now;
}

/* What went before was known, too, but flows count from here. */
static void attach(struct tcpfsm_timewaits *t, uint64_t now)
{
	if (t->known == UINT64_MAX)
		t->known = t->since ? t->since : now;
	if (!t->syncing && (t->nwaiting || t->snap_ts))
		take_snapshot(t);
	if (t->begun || (t->since && now < t->since))
		return;
	t->begun = true;
	if (!t->since)
		t->since = now;
	mark(t, t->since);
}

static void flow(struct tcpfsm_timewaits *t, const struct sock *s, unsigned int what)
{
	if (!t->begun)
		return;
	group(t, KIND(NETNS), s->netns)->now.flow[what]++;
	group(t, KIND(DESTINATION), s->dest)->now.flow[what]++;
	group(t, KIND(OWNER), s->owner)->now.flow[what]++;
}

static void ended_early(struct tcpfsm_timewaits *t, const struct sock *s, uint64_t ts)
{
	struct group *g[] = {
		group(t, KIND(NETNS), s->netns), group(t, KIND(DESTINATION), s->dest),
		group(t, KIND(OWNER), s->owner),
	};
	size_t i;

	if (!t->begun || s->state != STATE(TIME_WAIT) || !s->since || s->since > ts)
		return;
	for (i = 0; i < sizeof(g) / sizeof(g[0]); i++) {
		g[i]->early++;
		g[i]->early_ns += ts - s->since;
	}
}

/* Where what the event tells of belongs. */
static struct sock belongs(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	struct sock s = { .netns = (uint16_t)netns_group(t, ev->rec.netns) };

	s.dest = destination(t, ends(&ev->rec));
	s.owner = owner_group(t, ev);
	return s;
}

static uint8_t stamps_of(const struct tcpfsm_event *ev)
{
	return ev->rec.flags & TCPFSM_F_TIMESTAMPS ? STAMPS_WITH : STAMPS_WITHOUT;
}

/* Boyer and Moore's vote: who makes more than half of them is in office at the end. */
static void vote(struct group *g, const struct tcpfsm_event *ev)
{
	struct tcpfsm_timewait *now = &g->now;

	if (now->rest || !ev->has_owner)
		return;
	if (!g->maker_votes)
		now->maker_pid = ev->pid;
	now->has_maker = true;
	if (now->maker_pid != ev->pid) {
		g->maker_votes--;
		return;
	}
	g->maker_votes++;
	memcpy(now->maker_comm, ev->comm, sizeof(now->maker_comm));
	seen(g, ev);
}

static void on_timewait(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	uint8_t action = ev->rec.verdict;
	struct group *netns;
	struct sock *s, at, was;

	/* The ledger has one word for what ends before its time. */
	if (action == TW(ABORT))
		action = TW(KILL);
	if (!action || action > TW(PURGE))
		return;
	s = find(t, ev->rec.conn);
	if (s && s->state != OPEN && action != TW(ENTER)) {
		at = *s;		/* its owner may be forgotten by now */
	} else if (s && s->state == OPEN) {
		at = *s;		/* its destination stays, as long as it is of it */
		at.netns = (uint16_t)netns_group(t, ev->rec.netns);
		at.owner = owner_group(t, ev);
	} else {
		at = belongs(t, ev);
	}
	netns = group(t, KIND(NETNS), at.netns);
	/* What the totals told is younger than the flight recorder's past. */
	if (!netns->now.rest && (t->begun || !netns->now.limit)) {
		netns->now.tw = ev->rec.tw;
		netns->now.limit = ev->rec.tw_max;
		netns->heard = ev->ts - (uint64_t)t->epoch_offset;
	}
	flow(t, &at, action);

	switch (action) {
	case TW(ENTER):
		if (ev->new_state == STATE(FIN_WAIT2))
			flow(t, &at, TCPFSM_TW_FLOW_FIN_WAIT2);
		if (!s)
			s = add(t, ev->rec.conn);
		if (!s) {
			t->untold++;
			return;
		}
		was = *s;
		count(t, s, -1ULL);
		s->netns = at.netns;
		s->dest = at.dest;
		s->owner = at.owner;
		s->before = 0;
		/* This side sent its FIN before the peer's came, or it would be in LAST_ACK. */
		s->closer = TCPFSM_CLOSER_LOCAL;
		s->stamps = stamps_of(ev);
		s->state = ev->new_state == STATE(FIN_WAIT2) ? STATE(FIN_WAIT2) : STATE(TIME_WAIT);
		s->since = ev->ts;
		count(t, s, 1);
		note(t, &was, s, ev->ts, false);
		vote(group(t, KIND(DESTINATION), s->dest), ev);
		return;
	case TW(DENIED):
		return;
	case TW(REFRESH):
		if (ev->old_state == STATE(FIN_WAIT2) && ev->new_state == STATE(TIME_WAIT))
			flow(t, &at, TCPFSM_TW_FLOW_FIN);
		if (!s || s->state == OPEN)
			return;
		was = *s;
		count(t, s, -1ULL);
		s->state = STATE(TIME_WAIT);
		s->since = ev->ts;
		s->stamps = stamps_of(ev);
		count(t, s, 1);
		note(t, &was, s, ev->ts, false);
		return;
	}
	if (!s)
		return;
	if (action != TW(EXPIRE))
		ended_early(t, s, ev->ts);
	note(t, s, &(struct sock) { .state = 0 }, ev->ts,
	     action == TW(EXPIRE) && s->state == STATE(TIME_WAIT));
	drop(t, s);
}

static int on_transition(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	/* Who closes had its port before. */
	const unsigned int closing = 1U << STATE(FIN_WAIT1) | 1U << STATE(FIN_WAIT2) |
				     1U << STATE(LAST_ACK) | 1U << STATE(CLOSING);
	struct sock *s;

	if (closing >> (ev->new_state & 15) & 1)
		return 0;
	if (ev->new_state == STATE(LISTEN) || ev->old_state == STATE(LISTEN))
		return learn_listener(t, ev->rec.netns, ev->rec.lport);
	s = find(t, ev->rec.conn);
	if (ev->new_state == STATE(CLOSE)) {
		/* A mini-socket tells its end itself. */
		if (s && s->state == OPEN) {
			note(t, s, &(struct sock) { .state = 0 }, ev->ts, false);
			drop(t, s);
		}
	} else if (ev->new_state == STATE(TIME_WAIT)) {
		if (s && s->state == STATE(TIME_WAIT) && ev->old_state == STATE(CLOSING)) {
			count(t, s, -1ULL);
			s->closer = TCPFSM_CLOSER_BOTH;
			count(t, s, 1);
		}
	} else if (!s && !ev->has_queues && ev->rec.conn && ev->rec.lport &&
		   !listens(t, ev->rec.netns, ev->rec.lport)) {
		s = add(t, ev->rec.conn);
		if (!s) {
			t->untold++;
			return 0;
		}
		s->dest = destination(t, ends(&ev->rec));
		s->state = OPEN;
		count(t, s, 1);
		note(t, &(struct sock) { .state = 0 }, s, ev->ts, false);
	}
	return 0;
}

static void on_connect_failed(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	struct tcpfsm_timewait *g[3];
	struct sock at;
	size_t i;

	if (ev->rec.arg != EADDRNOTAVAIL || !t->begun)
		return;
	at = belongs(t, ev);
	g[0] = &group(t, KIND(NETNS), at.netns)->now;
	g[1] = &group(t, KIND(OWNER), at.owner)->now;
	g[2] = &group(t, KIND(DESTINATION), at.dest)->now;
	for (i = 0; i < 3; i++) {
		g[i]->failed++;
		g[i]->failed_ts = ev->ts;
	}
	if (ev->has_owner) {
		g[2]->has_owner = true;
		g[2]->pid = ev->pid;
		memcpy(g[2]->comm, ev->comm, sizeof(g[2]->comm));
	}
}

/* With its inode there is another one now, which has none of this. */
static void forget_netns(struct tcpfsm_timewaits *t, uint32_t netns)
{
	const struct key key = { .netns = netns };
	uint32_t at = groups_find(&t->kind[KIND(NETNS)], &key), i;
	struct groups *gs;

	if (!at)
		return;
	for (i = 1; i < t->socks.end; i++) {
		struct sock *s = sock_at(t, i);

		if (s->state && (s->state == OPEN ? group(t, KIND(DESTINATION), s->dest)->key.netns == netns :
		    s->netns == at))
			drop(t, s);
	}
	for (gs = t->kind; gs < t->kind + KIND(OWNER); gs++)
		for (i = 1; i < groups_end(gs); i++)
			if (group_at(gs, i)->key.netns == netns)
				groups_forget(gs, group_at(gs, i));
}

int tcpfsm_timewaits_event(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	if (!t->begun || t->nwaiting || t->snap_ts || t->known == UINT64_MAX)
		attach(t, ev->ts);
	if (ev->type == TCPFSM_EVENT_LOST) {
		if (!ev->suppressed) {
			t->lost += ev->lost;
			t->unsynced = true;
		}
		return 0;
	}
	if (ev->type == TCPFSM_EVENT_NETNS)
		forget_netns(t, ev->rec.netns);
	if (ev->netns_gone)
		return 0;
	/* Listeners have no peer that a filter could ask for. */
	if (ev->type == TCPFSM_EVENT_TRANSITION && ev->new_state == STATE(LISTEN))
		return on_transition(t, ev);
	if (!wanted(t, ev))
		return 0;
	switch (ev->type) {
	case TCPFSM_EVENT_TIMEWAIT:
		on_timewait(t, ev);
		break;
	case TCPFSM_EVENT_TRANSITION:
		return on_transition(t, ev);
	case TCPFSM_EVENT_CONNECT_FAILED:
		on_connect_failed(t, ev);
		break;
	}
	return 0;
}

/* ---- readings ---------------------------------------------------------------------- */

/* They may have another name by now. */
static void name_processes(const struct tcpfsm_timewaits *t, const struct group *g,
			   struct tcpfsm_timewait *o)
{
	uint64_t named = g->named - (uint64_t)t->epoch_offset;

	if (!t->live)
		return;
	if (o->kind == KIND(OWNER) && o->has_owner)
		process_name(o->pid, named, o->comm);
	if (o->has_maker)
		process_name(o->maker_pid, named, o->maker_comm);
	if (o->kind == KIND(DESTINATION) && o->has_owner)
		process_name(o->pid, o->failed_ts - (uint64_t)t->epoch_offset, o->comm);
}

static void read_group(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
		       struct tcpfsm_timewait *o)
{
	const struct forecast_clock c = {
		.epoch_offset = t->epoch_offset, .now = now, .known = t->known,
	};
	unsigned int i;

	*o = g->now;
	/* Totals tell of each network namespace that there is. */
	if (o->kind == KIND(NETNS) && !o->rest && g->heard < t->totals_ts)
		o->tw = o->limit = 0;
	o->cgroup = g->cgroup;
	name_processes(t, g, o);
	for (i = 0; i < TCPFSM_TW_FLOWS; i++)
		o->recent[i] = o->flow[i] - g->flow[i];
	o->recent_failed = o->failed - g->failed;
	o->seconds = t->begun && now >= t->mark + RATE_MIN_NS ?
		     (double)(now - t->mark) / (double)NSEC_PER_SEC : 0;
	forecast(&c, g, find_netns(t, o->netns), o);
}

static bool is_empty(const struct group *g)
{
	return !mini(&g->now) && g->failed == g->now.failed &&
	       !memcmp(g->flow, g->now.flow, sizeof(g->flow));
}

struct sorted {
	const struct group *g;
	double first, second;
};

static double out_of(const struct group *g)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = TW(REOPEN); i <= TW(PURGE); i++)
		if (i != TW(DENIED))
			n += g->now.flow[i] - g->flow[i];
	return (double)n;
}

static struct sorted sort_by(const struct tcpfsm_timewaits *t, const struct group *g)
{
	double in = (double)(g->now.flow[TW(ENTER)] - g->flow[TW(ENTER)]);
	uint32_t ports = find_netns(t, g->key.netns)->ports;
	struct sorted s = { .g = g, .first = (double)mini(&g->now) };

	switch (t->sort) {
	case TCPFSM_TIMEWAIT_BY_POPULATION:
		s.second = (double)(g->now.flow[TW(ENTER)] + g->now.failed);
		return s;
	case TCPFSM_TIMEWAIT_BY_IN:
		s.first = in;
		break;
	case TCPFSM_TIMEWAIT_BY_OUT:
		s.first = out_of(g);
		break;
	case TCPFSM_TIMEWAIT_BY_GROWTH:
		s.first = in - out_of(g);
		break;
	case TCPFSM_TIMEWAIT_BY_PORTS:
		if (g->now.kind == KIND(DESTINATION))
			s.first = ports && !g->now.inbound ? (double)tw_used(&g->now) / ports : 0;
		break;
	case TCPFSM_TIMEWAIT_BY_FAILED:
		s.first = (double)g->now.failed;
		break;
	}
	s.second = (double)mini(&g->now);
	return s;
}

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? 1 : -1;
	if (x->second != y->second)
		return x->second < y->second ? 1 : -1;
	return memcmp(&x->g->key, &y->g->key, sizeof(x->g->key));
}

static void add_population(struct tcpfsm_timewait *to, const struct tcpfsm_timewait *g)
{
	unsigned int i;

	to->time_wait += g->time_wait;
	to->fin_wait2 += g->fin_wait2;
	to->open += g->open;
	to->before += g->before;
	for (i = 0; i < 4; i++)
		to->closer[i] += g->closer[i];
}

int tcpfsm_timewaits_each(struct tcpfsm_timewaits *t, enum tcpfsm_timewait_kind kind,
			  uint64_t now, size_t max, tcpfsm_timewait_fn fn, void *arg)
{
	struct groups *gs = &t->kind[kind];
	struct sorted *sorted;
	struct group rest;
	size_t n = 0, i;
	int rc = 0;

	attach(t, now);
	sorted = malloc(groups_end(gs) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (i = 1; i < groups_end(gs); i++)
		if (kind == KIND(NETNS) || !is_empty(group_at(gs, (uint32_t)i)))
			sorted[n++] = sort_by(t, group_at(gs, (uint32_t)i));
	qsort(sorted, n, sizeof(*sorted), compare);
	rest = *group_at(gs, 0);
	for (i = 0; i < n && !rc; i++) {
		struct tcpfsm_timewait o;

		if (i < max) {
			read_group(t, sorted[i].g, now, &o);
			rc = fn(&o, arg);
		} else {
			group_add_history(&rest, sorted[i].g);
			add_population(&rest.now, &sorted[i].g->now);
		}
	}
	if (!rc && !is_empty(&rest)) {
		struct tcpfsm_timewait o;

		read_group(t, &rest, now, &o);
		rc = fn(&o, arg);
	}
	free(sorted);
	return rc;
}

int timewaits_outbound(struct tcpfsm_timewaits *t, uint64_t now, tcpfsm_timewait_fn fn, void *arg)
{
	const struct groups *gs = &t->kind[KIND(DESTINATION)];
	uint32_t i;
	int rc = 0;

	attach(t, now);
	for (i = 1; i < groups_end(gs) && !rc; i++) {
		struct tcpfsm_timewait o = group_at(gs, i)->now;

		o.used = tw_used(&o);
		o.limit = find_netns(t, o.netns)->ports;
		if (!o.inbound && o.used)
			rc = fn(&o, arg);
	}
	return rc;
}

void tcpfsm_timewaits_ages(struct tcpfsm_timewaits *t, uint32_t netns, uint64_t now,
			   uint64_t ages[TCPFSM_TW_AGES])
{
	const struct groups *gs = &t->kind[KIND(NETNS)];
	uint32_t i;

	attach(t, now);
	memset(ages, 0, TCPFSM_TW_AGES * sizeof(ages[0]));
	for (i = 0; i < groups_end(gs); i++)
		if (!netns || (i && group_at(gs, i)->key.netns == netns))
			births_ages(&group_at(gs, i)->births, now - (uint64_t)t->epoch_offset, ages);
}

/*
 * Of those with timestamps, how many are younger than tcp_tw_reuse_delay.  Birthdays are kept
 * by the second: those of the second that it reaches into count, too.
 */
static uint32_t young(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
		      uint32_t delay_ms)
{
	uint32_t with = g->stamps[STAMPS_WITH], n;

	/* A second, if there is no such sysctl: ends with that by the clock. */
	if (!delay_ms)
		return g->young_second >= second(t, now) ? g->young : 0;
	n = births_since(&g->births, second(t, now - delay_ms * (NSEC_PER_SEC / 1000)));
	return n < with ? n : with;
}

void tcpfsm_timewaits_reuse(struct tcpfsm_timewaits *t, const struct tcpfsm_timewait *dest,
			    uint64_t now, struct tcpfsm_timewait_reuse *out)
{
	struct key key = {
		.netns = dest->netns, .lport = dest->lport, .rport = dest->rport,
		.family = dest->family, .inbound = dest->inbound,
	};
	const struct group *g;

	attach(t, now);
	*out = (struct tcpfsm_timewait_reuse) { .ready = 0 };
	if (dest->kind != KIND(DESTINATION))
		return;
	memcpy(key.laddr, dest->laddr, sizeof(key.laddr));
	memcpy(key.raddr, dest->raddr, sizeof(key.raddr));
	g = group(t, KIND(DESTINATION), dest->rest ? 0 : groups_find(&t->kind[KIND(DESTINATION)], &key));
	if (g->now.rest != dest->rest)
		return;
	out->delay_ms = find_netns(t, dest->netns)->tw_reuse_delay;
	out->young = young(t, g, now, out->delay_ms);
	out->ready = g->stamps[STAMPS_WITH] - out->young;
	out->without = g->stamps[STAMPS_WITHOUT];
	out->unknown = g->stamps[STAMPS_UNKNOWN];
}

static uint32_t find_destination(const struct tcpfsm_timewaits *t, const struct tcpfsm_timewait *dest)
{
	struct key key = {
		.netns = dest->netns, .lport = dest->lport, .rport = dest->rport,
		.family = dest->family, .inbound = dest->inbound,
	};

	memcpy(key.laddr, dest->laddr, sizeof(key.laddr));
	memcpy(key.raddr, dest->raddr, sizeof(key.raddr));
	return groups_find(&t->kind[KIND(DESTINATION)], &key);
}

bool timewaits_taken(const struct tcpfsm_timewaits *t, struct tcpfsm_timewait *dest)
{
	uint32_t i = find_destination(t, dest);

	if (i)
		*dest = group_at(&t->kind[KIND(DESTINATION)], i)->now;
	return i;
}

bool timewaits_listens(const struct tcpfsm_timewaits *t, uint32_t netns, uint16_t port)
{
	return listens(t, netns, port);
}

uint64_t timewaits_population(const struct tcpfsm_timewaits *t, uint32_t netns)
{
	return mini(&find_netns(t, netns)->now);
}

bool timewaits_find(struct tcpfsm_timewaits *t, struct tcpfsm_timewait *dest, uint64_t now)
{
	uint32_t i;

	attach(t, now);
	i = find_destination(t, dest);
	if (i)
		read_group(t, group(t, KIND(DESTINATION), i), now, dest);
	return i;
}

void tcpfsm_timewaits_sort(struct tcpfsm_timewaits *t, enum tcpfsm_timewait_sort by)
{
	t->sort = by;
}

void tcpfsm_timewaits_mark(struct tcpfsm_timewaits *t, uint64_t now)
{
	attach(t, now);
	mark(t, now);
}

void tcpfsm_timewaits_uncertain(const struct tcpfsm_timewaits *t, uint64_t *lost,
				uint64_t *untold)
{
	*lost = t->lost;
	*untold = t->untold;
}

uint64_t tcpfsm_timewaits_resynced(const struct tcpfsm_timewaits *t)
{
	return t->unsynced ? 0 : t->resynced;
}

/* ---- in and out -------------------------------------------------------------------- */

int tcpfsm_timewaits_new(struct tcpfsm_timewaits **out, const struct tcpfsm_timewaits_options *opts)
{
	struct tcpfsm_timewaits_options o;
	struct tcpfsm_filter filter;
	struct tcpfsm_timewaits *t;
	int err = copy_opts(&o, sizeof(o), opts);

	*out = NULL;
	if (!err)
		err = copy_opts(&filter, sizeof(filter), o.filter);
	if (err)
		return err;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->epoch_offset = o.epoch_offset;
	t->since = o.since;
	t->known = UINT64_MAX;
	t->live = o.cgroups;
	t->has_filter = o.filter;
	t->filter = filter;
	err = table_init(&t->socks, &type, SOCKETS_FIRST, o.max_sockets ? o.max_sockets : SOCKETS_DEFAULT);
	if (!err)
		err = groups_init(&t->kind[KIND(NETNS)], NETNS_MAX, KIND(NETNS));
	if (!err)
		err = groups_init(&t->kind[KIND(DESTINATION)], o.max_destinations ? o.max_destinations :
				  DESTINATIONS_DEFAULT, KIND(DESTINATION));
	if (!err)
		err = groups_init(&t->kind[KIND(OWNER)], o.max_owners ? o.max_owners : OWNERS_DEFAULT,
				  KIND(OWNER));
	if (err) {
		tcpfsm_timewaits_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void tcpfsm_timewaits_free(struct tcpfsm_timewaits *t)
{
	unsigned int kind;

	if (!t)
		return;
	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++)
		groups_free(&t->kind[kind]);
	free(t->waiting);
	table_exit(&t->socks);
	free(t);
}
