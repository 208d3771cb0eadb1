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

#include "cgroup.h"
#include "source/clock.h"
#include "hash.h"
#include "opts.h"
#include "timewait.h"
#include "tcpfsm.h"

#define SOCKETS_DEFAULT	((size_t)1 << 21)
#define DESTINATIONS_DEFAULT 32768U
#define OWNERS_DEFAULT	8192U
#define NETNS_MAX	1024U		/* struct sock.netns has 16 bits */
#define BITS_MIN	15
#define SOCKETS_FIRST	(1U << BITS_MIN)
#define BITS_MAX	30
#define SHRINK		65536U
#define RATE_MIN_NS	(NSEC_PER_SEC / 10)
#define PORT_WORDS	(65536 / 64)
#define ENDED		256U		/* a power of two */
#define SAME_NS		NSEC_PER_SEC
#define BINS		64U		/* longer than TIME_WAIT lasts */

/*
 * The pace is that of the last seconds: of so many, and of more, up to all there are,
 * until enough has come for a rate; but not beyond a second that brought more than that
 * alone.  When some have come, what was quiet before them is left out, and the second that
 * they began in, as nobody knows when in it.
 */
#define PACE_SECONDS	10U
#define PACE_HISTORY	32U
#define PACE_ENOUGH	25U
#define PACE_SOME	8U
/* A timer of 60 s runs out after 60 to 62 s: so far apart is that level of the timer wheel. */
#define LASTS		(TCPFSM_TW_SECONDS + 1U)
/* Further on, nobody should rely on the pace. */
#define HORIZON		600.0

#define STATE(s)	TCPFSM_STATE_##s
#define KIND(k)		TCPFSM_TIMEWAIT_##k
#define TW(a)		TCPFSM_TW_##a

/* A connection that was opened here, while it has no mini-socket. */
#define OPEN		STATE(ESTABLISHED)

/* Did the peer send timestamps? */
enum stamps { STAMPS_UNKNOWN, STAMPS_WITHOUT, STAMPS_WITH, STAMPS };

struct sock {
	uint64_t conn;		/* socket cookie */
	uint64_t since;		/* when its state began; epoch, 0: not known */
	uint32_t dest, owner;	/* groups; of an OPEN one only dest */
	uint32_t next;		/* in its hash chain, or on the free list */
	uint16_t netns;		/* group */
	uint8_t state;		/* OPEN, FIN_WAIT2, TIME_WAIT; 0: free */
	uint8_t closer:2;	/* enum tcpfsm_closer */
	uint8_t before:1;	/* nothing was heard of it but that it is there */
	uint8_t seen:1;		/* in the resync under way */
	uint8_t stamps:2;	/* enum stamps */
};

/* Compared as a whole: no padding. */
struct key {
	uint32_t netns, pid;
	uint16_t lport, rport;
	uint8_t family, inbound;
	uint8_t unused[2];
	union {
		struct {
			uint8_t laddr[16], raddr[16];
		};
		char comm[16];
	};
};

/* Of those in TIME_WAIT, when it began: in seconds of CLOCK_MONOTONIC. */
struct births {
	uint32_t last;			/* second */
	uint32_t bin[BINS];		/* by second modulo BINS, the last ones */
	uint32_t older, unknown;
};

/*
 * What a second brought: how many came (took a port, towards a destination; else became
 * mini-sockets) or went but for the end of TIME_WAIT; and how the number of those held grew
 * that are not in TIME_WAIT.
 */
struct second {
	uint32_t came, went;
	int32_t held;
};

struct trend {
	uint32_t last;			/* second */
	struct second at[PACE_HISTORY];	/* by second modulo PACE_HISTORY, the last ones */
};

struct group {
	struct key key;
	struct trend trend;
	uint32_t next;
	uint32_t older, newer;	/* in the list of groups without sockets */
	bool idle;		/* is in it */
	struct tcpfsm_timewait now;
	/* Of what is recent: as it was then. */
	uint64_t flow[TCPFSM_TW_FLOWS], failed, used;
	/* TIME_WAIT that ended before its time: how many, and how old they had become. */
	uint64_t early, early_ns, recent_early, recent_early_ns;
	uint64_t *listening;	/* network namespace: ports, or NULL */
	uint32_t ports;		/* network namespace: that connect() can choose; 0: not known */
	uint8_t tw_reuse;	/* network namespace: net.ipv4.tcp_tw_reuse */
	uint32_t tw_reuse_delay; /* network namespace: net.ipv4.tcp_tw_reuse_delay, ms; 0: none */
	struct births births;
	uint32_t stamps[STAMPS]; /* of those in TIME_WAIT */
	uint32_t young;		/* of these with timestamps, those that began it in */
	uint32_t young_second;	/* this second, the last one */
	char *cgroup;		/* owner: its path, or NULL; */
	bool cgroup_asked;	/* after this */
	uint32_t maker_votes;	/* for now.maker_pid to be who makes most */
};

/* Slot 0 is the rest, and the head of the list of idle ones. */
struct groups {
	struct group *slab;
	uint32_t *buckets;
	uint32_t last;			/* found last: mostly the next one, too */
	uint32_t n, cap, max;
	unsigned int bits;
};

/* A mini-socket or connection of the snapshot, until all listeners are known. */
struct waiting {
	uint64_t conn, since;
	struct key key;
	uint8_t state;
};

struct tcpfsm_timewaits {
	struct groups kind[TCPFSM_TIMEWAIT_KINDS];
	struct sock *slab;
	uint32_t *buckets;
	uint32_t n, cap, free;
	unsigned int bits;
	size_t used, max;
	struct waiting *waiting;
	size_t nwaiting, room;
	bool has_filter, begun, cgroups;
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
	/* Mini-sockets that ended last: a record may tell a moment before they are gone. */
	uint64_t ended[ENDED];
};

/* ---- groups ------------------------------------------------------------------------ */

static size_t hash_key(const struct key *key, unsigned int bits)
{
	_Static_assert(sizeof(*key) % 8 == 0, "hashed by words");
	return hash_bits(hash_words(key, sizeof(*key)), bits);
}

static void unlink_idle(struct groups *t, struct group *g)
{
	t->slab[g->older].newer = g->newer;
	t->slab[g->newer].older = g->older;
	g->idle = false;
}

/* As the newest; the head's newer is the oldest. */
static void link_idle(struct groups *t, struct group *g)
{
	uint32_t i = (uint32_t)(g - t->slab);

	g->newer = 0;
	g->older = t->slab[0].older;
	t->slab[g->older].newer = i;
	t->slab[0].older = i;
	g->idle = true;
}

static int groups_init(struct groups *t, size_t max, uint8_t kind)
{
	t->max = (uint32_t)max + 1;
	t->cap = t->max < 64 ? t->max : 64;
	t->bits = 6;
	while (t->bits < BITS_MAX && (size_t)1 << t->bits < max)
		t->bits++;
	t->slab = calloc(t->cap, sizeof(*t->slab));
	t->buckets = calloc((size_t)1 << t->bits, sizeof(*t->buckets));
	if (!t->slab || !t->buckets)
		return -ENOMEM;
	t->n = 1;
	t->slab[0].now.kind = kind;
	t->slab[0].now.rest = true;
	return 0;
}

/* What g saw, to what the rest saw. */
static void add_history(struct group *to, const struct group *g)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TW_FLOWS; i++) {
		to->now.flow[i] += g->now.flow[i];
		to->flow[i] += g->flow[i];
	}
	to->now.failed += g->now.failed;
	to->failed += g->failed;
	if (to->now.failed_ts < g->now.failed_ts)
		to->now.failed_ts = g->now.failed_ts;
	to->used += g->used;
	to->early += g->early;
	to->early_ns += g->early_ns;
	to->recent_early += g->recent_early;
	to->recent_early_ns += g->recent_early_ns;
}

/* The group idle for longest gives up its slot.  0: all have sockets. */
static uint32_t evict(struct groups *t)
{
	uint32_t i = t->slab[0].newer;
	struct group *g = &t->slab[i];
	uint32_t *link;

	if (!i)
		return 0;
	unlink_idle(t, g);
	for (link = &t->buckets[hash_key(&g->key, t->bits)]; *link != i; link = &t->slab[*link].next)
		;
	*link = g->next;
	add_history(&t->slab[0], g);
	free(g->listening);
	free(g->cgroup);
	return i;
}

static uint32_t new_group(struct groups *t)
{
	if (t->n == t->cap && t->cap < t->max) {
		uint32_t cap = 2 * t->cap < t->max ? 2 * t->cap : t->max;
		struct group *slab = realloc(t->slab, cap * sizeof(*slab));

		if (slab) {
			t->slab = slab;
			t->cap = cap;
		}
	}
	return t->n < t->cap ? t->n++ : evict(t);
}

/* 0: not there. */
static uint32_t find_group(const struct groups *t, const struct key *key)
{
	uint32_t i = t->last;

	if (i && !memcmp(&t->slab[i].key, key, sizeof(*key)))
		return i;
	i = t->buckets[hash_key(key, t->bits)];
	while (i && memcmp(&t->slab[i].key, key, sizeof(*key)))
		i = t->slab[i].next;
	return i;
}

/* It may move the others in memory.  0: it is of the rest. */
static uint32_t get_group(struct groups *t, const struct key *key)
{
	uint32_t i = find_group(t, key), *head;
	struct tcpfsm_timewait *now;
	struct group *g;

	if (i) {
		t->last = i;
		return i;
	}
	i = new_group(t);
	if (!i)
		return 0;
	t->last = i;
	g = &t->slab[i];
	memset(g, 0, sizeof(*g));
	g->key = *key;
	head = &t->buckets[hash_key(key, t->bits)];
	g->next = *head;
	*head = i;
	link_idle(t, g);

	now = &g->now;
	now->kind = t->slab[0].now.kind;
	now->netns = key->netns;
	if (now->kind == KIND(DESTINATION)) {
		now->inbound = key->inbound;
		now->family = key->family;
		now->lport = key->lport;
		now->rport = key->rport;
		memcpy(now->laddr, key->laddr, sizeof(now->laddr));
		memcpy(now->raddr, key->raddr, sizeof(now->raddr));
	} else if (now->kind == KIND(OWNER) && key->pid) {
		now->has_owner = true;
		now->pid = key->pid;
		memcpy(now->comm, key->comm, sizeof(key->comm));
	}
	return i;
}

static struct group *group(struct tcpfsm_timewaits *t, uint8_t kind, uint32_t i)
{
	return &t->kind[kind].slab[i];
}

/* Its key is nothing but this number. */
static bool found_last(const struct groups *gs, uint32_t netns)
{
	return gs->last && gs->slab[gs->last].key.netns == netns;
}

static uint32_t netns_group(struct tcpfsm_timewaits *t, uint32_t netns)
{
	struct groups *gs = &t->kind[KIND(NETNS)];
	struct key key = { .netns = netns };

	return found_last(gs, netns) ? gs->last : get_group(gs, &key);
}

static uint32_t owner_group(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	struct key key = { .netns = 0 };
	struct group *g;
	uint32_t i;

	if (ev && ev->has_owner) {
		key.pid = ev->pid;
		memcpy(key.comm, ev->comm, strnlen(ev->comm, sizeof(key.comm)));
	}
	i = get_group(&t->kind[KIND(OWNER)], &key);
	g = group(t, KIND(OWNER), i);
	if (t->cgroups && i && key.pid && !g->cgroup_asked) {
		g->cgroup_asked = true;
		g->cgroup = cgroup_of(key.pid, key.comm);
	}
	return i;
}

/* ---- destinations ------------------------------------------------------------------ */

/* Somebody listens there, or did: what has this local port was opened by peers. */
static int learn_listener(struct tcpfsm_timewaits *t, uint32_t netns, uint16_t port)
{
	struct group *g;

	if (!port || (t->has_filter && t->filter.netns && t->filter.netns != netns))
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

	return &gs->slab[found_last(gs, netns) ? gs->last : find_group(gs, &key)];
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
	return get_group(&t->kind[KIND(DESTINATION)], &key);
}

/* ---- sockets ----------------------------------------------------------------------- */

static size_t hash(const struct tcpfsm_timewaits *t, uint64_t conn)
{
	return hash_bits(conn, t->bits);
}

static struct sock *find(struct tcpfsm_timewaits *t, uint64_t conn)
{
	uint32_t i = conn ? t->buckets[hash(t, conn)] : 0;

	while (i && t->slab[i].conn != conn)
		i = t->slab[i].next;
	return i ? &t->slab[i] : NULL;
}

static void grow_buckets(struct tcpfsm_timewaits *t)
{
	uint32_t *buckets = calloc((size_t)2 << t->bits, sizeof(*buckets)), i;

	if (!buckets)
		return;		/* longer chains, then */
	free(t->buckets);
	t->buckets = buckets;
	t->bits++;
	for (i = 1; i < t->n; i++) {
		uint32_t *head = &t->buckets[hash(t, t->slab[i].conn)];

		if (!t->slab[i].state)
			continue;
		t->slab[i].next = *head;
		*head = i;
	}
}

/* A new one, free yet, but in its chain.  NULL: no room. */
static struct sock *add(struct tcpfsm_timewaits *t, uint64_t conn)
{
	uint32_t i = t->free, *head;
	struct sock *s;

	if (t->used >= t->max)
		return NULL;
	if (i) {
		t->free = t->slab[i].next;
	} else {
		if (t->n == t->cap) {
			/* By half: a million must not take the room of two. */
			uint32_t cap = t->cap + t->cap / 2;

			s = realloc(t->slab, cap * sizeof(*s));
			if (!s)
				return NULL;
			t->slab = s;
			t->cap = cap;
		}
		i = t->n++;
	}
	s = &t->slab[i];
	memset(s, 0, sizeof(*s));
	if (t->used++ >= (size_t)1 << t->bits && t->bits < BITS_MAX)
		grow_buckets(t);
	s->conn = conn;
	head = &t->buckets[hash(t, conn)];
	s->next = *head;
	*head = i;
	return s;
}

/* As ktime_get_seconds() was then. */
static uint32_t second(const struct tcpfsm_timewaits *t, uint64_t ts)
{
	return (uint32_t)((ts - (uint64_t)t->epoch_offset) / NSEC_PER_SEC);
}

static void count_birth(const struct tcpfsm_timewaits *t, struct births *b, uint64_t since,
			uint64_t one)
{
	uint32_t then = second(t, since), i;

	if (!since) {
		b->unknown += (uint32_t)one;
		return;
	}
	for (i = 1; then > b->last && i <= BINS && i <= then - b->last; i++) {
		uint32_t *bin = &b->bin[(b->last + i) % BINS];

		b->older += *bin;
		*bin = 0;
	}
	if (then > b->last)
		b->last = then;
	if (b->last - then < BINS)
		b->bin[then % BINS] += (uint32_t)one;
	else
		b->older += (uint32_t)one;
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
	struct group *g = &gs->slab[i];

	if (s->state == OPEN) {
		g->now.open += one;
	} else {
		if (s->state == STATE(TIME_WAIT)) {
			g->now.time_wait += one;
			count_birth(t, &g->births, s->since, one);
		} else {
			g->now.fin_wait2 += one;
		}
		g->now.closer[s->closer] += one;
		if (s->before)
			g->now.before += one;
	}
	if (!i)
		return;
	if (mini(&g->now) + g->now.open) {
		if (g->idle)
			unlink_idle(gs, g);
	} else if (!g->idle) {
		link_idle(gs, g);
	}
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

static struct second *second_of(struct trend *tr, uint32_t now)
{
	uint32_t i;

	for (i = 1; now > tr->last && i <= PACE_HISTORY && i <= now - tr->last; i++)
		tr->at[(tr->last + i) % PACE_HISTORY] = (struct second) { .came = 0 };
	if (now > tr->last)
		tr->last = now;
	return tr->last - now < PACE_HISTORY ? &tr->at[now % PACE_HISTORY] : NULL;
}

static void add_trend(struct tcpfsm_timewaits *t, uint8_t kind, uint32_t i, uint64_t ts,
		      uint32_t came, uint32_t went, int32_t held)
{
	struct second *s = second_of(&group(t, kind, i)->trend, second(t, ts));

	if (!s)
		return;
	s->came += came;
	s->went += went;
	s->held += held;
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
	uint32_t i = (uint32_t)(s - t->slab), *link = &t->buckets[hash(t, s->conn)];

	count(t, s, -1ULL);
	if (s->state != OPEN)
		t->ended[s->conn % ENDED] = s->conn;
	while (*link != i)
		link = &t->slab[*link].next;
	*link = s->next;
	s->state = 0;
	s->next = t->free;
	t->free = i;
	t->used--;
}

/* ---- the snapshot ------------------------------------------------------------------ */

static bool wanted(const struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev)
{
	return !t->has_filter || tcpfsm_filter_match(&t->filter, ev);
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
	for (i = 1; i < t->n; i++)
		t->slab[i].seen = false;
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
		for (i = 1; i < t->n; i++)
			if (t->slab[i].state && !t->slab[i].seen)
				drop_unseen(t, &t->slab[i]);
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

	if (r->conn || (t->has_filter && t->filter.netns && t->filter.netns != r->netns))
		return;
	g = group(t, KIND(NETNS), netns_group(t, r->netns));
	if (g->now.rest)
		return;
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

/* Ports taken towards a destination, mini-sockets counted against tw_max. */
static uint64_t used(const struct tcpfsm_timewait *g)
{
	return mini(g) + (g->kind == KIND(DESTINATION) ? g->open : 0);
}

static void mark(struct tcpfsm_timewaits *t, uint64_t now)
{
	unsigned int kind;
	uint32_t i;

	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++) {
		for (i = 0; i < t->kind[kind].n; i++) {
			struct group *g = &t->kind[kind].slab[i];

			memcpy(g->flow, g->now.flow, sizeof(g->flow));
			g->failed = g->now.failed;
			g->used = used(&g->now);
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
	if (!g->maker_votes) {
		now->has_maker = true;
		now->maker_pid = ev->pid;
		memcpy(now->maker_comm, ev->comm, sizeof(now->maker_comm));
	}
	if (now->maker_pid == ev->pid && !strcmp(now->maker_comm, ev->comm))
		g->maker_votes++;
	else
		g->maker_votes--;
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

/* How it goes on, a second. */
struct pace {
	double came;			/* less those that went before their time */
	double held;			/* of these, those that do not get to TIME_WAIT */
};

/* False: too little time has been seen. */
static bool pace_of(const struct tcpfsm_timewaits *t, const struct trend *tr, uint64_t now,
		    struct pace *out)
{
	uint32_t last = second(t, now), known = t->known ? second(t, t->known) : 0, i;
	struct { uint64_t begin; uint32_t came; int64_t net, held; } all, first, after;
	uint64_t begin;
	double seconds;

	memset(&all, 0, sizeof(all));
	all.begin = now;
	first = after = all;
	for (i = 0; i < PACE_HISTORY && last - i >= known && last >= i; i++) {
		static const struct second nothing;
		const struct second *s = &nothing;

		if (last - i <= tr->last && tr->last - (last - i) < PACE_HISTORY)
			s = &tr->at[(last - i) % PACE_HISTORY];
		if (i >= PACE_SECONDS && (all.came >= PACE_ENOUGH || s->came > PACE_ENOUGH))
			break;
		if (s->came)
			after = all;
		all.came += s->came;
		all.net += (int64_t)s->came - s->went;
		all.held += s->held;
		all.begin = (last - i) * NSEC_PER_SEC + (uint64_t)t->epoch_offset;
		if (s->came)
			first = all;
	}
	if (first.begin > all.begin && after.came >= PACE_SOME)
		all = after;
	else if (first.begin > all.begin && all.came >= PACE_SOME)
		all = first;
	begin = all.begin > t->known ? all.begin : t->known;
	if (now < begin + RATE_MIN_NS)
		return false;
	seconds = (double)(now - begin) / (double)NSEC_PER_SEC;
	out->came = (double)all.net / seconds;
	/* A few more or less of those open are no trend. */
	out->held = all.held >= (int64_t)PACE_SOME || all.held <= -(int64_t)PACE_SOME ?
		    (double)all.held / seconds : 0;
	return true;
}

/*
 * Second by second: who is in TIME_WAIT leaves when it is over, and others come as the
 * pace is.  Only the share that blocks counts of TIME_WAIT.  Return: seconds until there
 * are limit; -1: there never will be.
 */
static double seconds_to(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
			 const struct pace *pace, double blocks, double limit)
{
	const struct births *b = &g->births;
	double grows = (pace->came - pace->held) * blocks, unknown = blocks * b->unknown / LASTS;
	double n = (double)used(&g->now) - (double)g->now.time_wait * (1 - blocks), at = 0;
	uint64_t mono = now - (uint64_t)t->epoch_offset;
	uint32_t last = second(t, now), i, over = b->older;
	/* What is left of this second is the first one. */
	double len = 1 - (double)(mono % NSEC_PER_SEC) / (double)NSEC_PER_SEC;

	if (n >= limit)
		return 0;
	for (i = 0; i < BINS; i++)
		if (b->last >= i && (int32_t)(last - (b->last - i)) > (int32_t)LASTS)
			over += b->bin[(b->last - i) % BINS];
	/* Later, those that come at this pace leave at this pace. */
	for (i = 0; i < LASTS; i++) {
		uint32_t born = last + i - LASTS;
		double step = (grows + pace->held - unknown) * len;

		if (born <= b->last && b->last - born < BINS)
			over += b->bin[born % BINS];
		step -= blocks * over;
		if (n + step >= limit)
			return at + len * (limit - n) / step;
		n += step;
		at += len;
		len = 1;
		over = 0;
	}
	if (!(pace->held > 0))
		return -1;
	at += (limit - n) / pace->held;
	return at < HORIZON ? at : -1;
}

/*
 * By Little's law: what enters in a second, times how long it stays: 60 s, but for what
 * ends before.
 */
static double settles(const struct group *g, const struct tcpfsm_timewait *o,
		      const struct pace *pace)
{
	double early = o->seconds > 0 ? (double)(g->early_ns - g->recent_early_ns) /
					(double)NSEC_PER_SEC / o->seconds : 0;
	double n = (pace->came - pace->held) * TCPFSM_TW_SECONDS + early;

	return (n > 0 ? n : 0) + (double)o->fin_wait2;
}

/* The share of mini-sockets whose port connect() cannot take: all, or under tcp_tw_reuse those without timestamps. */
static double blocking(const struct tcpfsm_timewaits *t, const struct group *g,
		       struct tcpfsm_timewait *o)
{
	uint8_t mode = find_netns(t, o->netns)->tw_reuse;
	uint32_t told = g->stamps[STAMPS_WITH] + g->stamps[STAMPS_WITHOUT];

	o->reuse = reuse_applies(o, mode);
	return o->reuse && told ? (double)g->stamps[STAMPS_WITHOUT] / told : 1;
}

static void forecast(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
		     struct tcpfsm_timewait *o)
{
	const struct group *netns = find_netns(t, o->netns);
	bool destination = o->kind == KIND(DESTINATION);
	struct pace pace;
	double blocks = 1;

	o->settles = o->full_in = -1;
	o->used = used(o);
	if (destination)
		o->limit = !o->rest && !o->inbound ? netns->ports : 0;
	if (o->rest || !pace_of(t, &g->trend, now, &pace))
		return;
	o->settles = settles(g, o, &pace);
	if (destination && !o->inbound)
		blocks = blocking(t, g, o);
	if (!o->limit)
		return;
	if (destination && o->recent_failed)
		o->full_in = 0;
	else
		o->full_in = seconds_to(t, g, now, &pace, blocks, (double)o->limit);
	/* Without room for mini-sockets a port is free at once. */
	if (destination && o->full_in > 0 && !(pace.held > 0) && netns->now.limit &&
	    pace_of(t, &netns->trend, now, &pace)) {
		double overflow = seconds_to(t, netns, now, &pace, 1, (double)netns->now.limit);

		o->overflows = overflow >= 0 && overflow < o->full_in;
		if (o->overflows)
			o->full_in = -1;
	}
}

static void read_group(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
		       struct tcpfsm_timewait *o)
{
	unsigned int i;

	*o = g->now;
	o->cgroup = g->cgroup;
	for (i = 0; i < TCPFSM_TW_FLOWS; i++)
		o->recent[i] = o->flow[i] - g->flow[i];
	o->recent_failed = o->failed - g->failed;
	o->seconds = t->begun && now >= t->mark + RATE_MIN_NS ?
		     (double)(now - t->mark) / (double)NSEC_PER_SEC : 0;
	forecast(t, g, now, o);
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
			s.first = ports && !g->now.inbound ? (double)used(&g->now) / ports : 0;
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
	sorted = malloc(gs->n * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (i = 1; i < gs->n; i++)
		if (kind == KIND(NETNS) || !is_empty(&gs->slab[i]))
			sorted[n++] = sort_by(t, &gs->slab[i]);
	qsort(sorted, n, sizeof(*sorted), compare);
	rest = gs->slab[0];
	for (i = 0; i < n && !rc; i++) {
		struct tcpfsm_timewait o;

		if (i < max) {
			read_group(t, sorted[i].g, now, &o);
			rc = fn(&o, arg);
		} else {
			add_history(&rest, sorted[i].g);
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

static void add_ages(const struct tcpfsm_timewaits *t, const struct births *b, uint64_t now,
		     uint64_t ages[TCPFSM_TW_AGES])
{
	uint64_t mono = now - (uint64_t)t->epoch_offset;
	uint32_t i;

	for (i = 0; i < BINS && i <= b->last; i++) {
		/* They began half a second later than it did, on average. */
		uint64_t begin = (b->last - i) * NSEC_PER_SEC + NSEC_PER_SEC / 2;
		uint64_t age = mono > begin ? (mono - begin) / NSEC_PER_SEC / 10 : 0;

		ages[age < TCPFSM_TW_AGES - 2 ? age : TCPFSM_TW_AGES - 2] +=
			b->bin[(b->last - i) % BINS];
	}
	ages[TCPFSM_TW_AGES - 2] += b->older;
	ages[TCPFSM_TW_AGES - 1] += b->unknown;
}

void tcpfsm_timewaits_ages(struct tcpfsm_timewaits *t, uint32_t netns, uint64_t now,
			   uint64_t ages[TCPFSM_TW_AGES])
{
	const struct groups *gs = &t->kind[KIND(NETNS)];
	uint32_t i;

	attach(t, now);
	memset(ages, 0, TCPFSM_TW_AGES * sizeof(ages[0]));
	for (i = 0; i < gs->n; i++)
		if (!netns || (i && gs->slab[i].key.netns == netns))
			add_ages(t, &gs->slab[i].births, now, ages);
}

/*
 * Of those with timestamps, how many are younger than tcp_tw_reuse_delay.  Birthdays are kept
 * by the second: those of the second that it reaches into count, too.
 */
static uint32_t young(const struct tcpfsm_timewaits *t, const struct group *g, uint64_t now,
		      uint32_t delay_ms)
{
	const struct births *b = &g->births;
	uint32_t with = g->stamps[STAMPS_WITH], first, n = 0, i;

	/* A second, if there is no such sysctl: ends with that by the clock. */
	if (!delay_ms)
		return g->young_second >= second(t, now) ? g->young : 0;
	first = second(t, now - delay_ms * (NSEC_PER_SEC / 1000));
	for (i = 0; i < BINS && i <= b->last && b->last - i >= first; i++)
		n += b->bin[(b->last - i) % BINS];
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
	g = group(t, KIND(DESTINATION), dest->rest ? 0 : find_group(&t->kind[KIND(DESTINATION)], &key));
	if (g->now.rest != dest->rest)
		return;
	out->delay_ms = find_netns(t, dest->netns)->tw_reuse_delay;
	out->young = young(t, g, now, out->delay_ms);
	out->ready = g->stamps[STAMPS_WITH] - out->young;
	out->without = g->stamps[STAMPS_WITHOUT];
	out->unknown = g->stamps[STAMPS_UNKNOWN];
}

bool timewaits_find(struct tcpfsm_timewaits *t, struct tcpfsm_timewait *dest, uint64_t now)
{
	struct key key = {
		.netns = dest->netns, .lport = dest->lport, .rport = dest->rport,
		.family = dest->family, .inbound = dest->inbound,
	};
	uint32_t i;

	attach(t, now);
	memcpy(key.laddr, dest->laddr, sizeof(key.laddr));
	memcpy(key.raddr, dest->raddr, sizeof(key.raddr));
	i = find_group(&t->kind[KIND(DESTINATION)], &key);
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
	t->max = o.max_sockets ? o.max_sockets : SOCKETS_DEFAULT;
	t->epoch_offset = o.epoch_offset;
	t->since = o.since;
	t->known = UINT64_MAX;
	t->cgroups = o.cgroups;
	t->has_filter = o.filter;
	t->filter = filter;
	t->filter.states = t->filter.causes = 0;
	t->cap = SOCKETS_FIRST;
	t->n = 1;
	t->bits = BITS_MIN;
	t->slab = malloc(t->cap * sizeof(*t->slab));
	t->buckets = malloc(sizeof(*t->buckets) << t->bits);
	err = t->slab && t->buckets ? 0 : -ENOMEM;
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
	/* Not a page has to be had while records wait. */
	memset(t->slab, 0, t->cap * sizeof(*t->slab));
	memset(t->buckets, 0, sizeof(*t->buckets) << t->bits);
	*out = t;
	return 0;
}

void tcpfsm_timewaits_free(struct tcpfsm_timewaits *t)
{
	unsigned int kind;
	uint32_t i;

	if (!t)
		return;
	for (kind = 0; kind < TCPFSM_TIMEWAIT_KINDS; kind++) {
		for (i = 0; i < t->kind[kind].n; i++) {
			free(t->kind[kind].slab[i].listening);
			free(t->kind[kind].slab[i].cgroup);
		}
		free(t->kind[kind].slab);
		free(t->kind[kind].buckets);
	}
	free(t->waiting);
	free(t->slab);
	free(t->buckets);
	free(t);
}
