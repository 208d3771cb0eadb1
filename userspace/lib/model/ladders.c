// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Events to connections: what belongs together, both ends if both are here,
 * and when it has ended.  Bounded: the connection that was quiet for longest is
 * forgotten when there are too many.
 *
 * The ends have cookies of their own.  They are one connection when addresses
 * and ports are each other's and the sequence numbers agree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ladder.h"
#include "opts.h"
#include "table.h"

#define CONNS_DEFAULT	((size_t)65536)
#define FIRST		((size_t)64)	/* there is room for at once */
#define EVENTS_DEFAULT	((size_t)256)
#define EVENTS_MIN	((size_t)16)
#define SPARE		64U
#define GAPS		32U
#define CPUS		4096U		/* of two hosts: of each as many */
#define CPUS_OF_HOST	1024U

/* A late RST or accept() may follow the end of a connection. */
#define SETTLE_NS	(100 * NSEC_PER_MSEC)
/* How far the ends' ideas of a sequence number may be apart. */
#define SEQ_NEAR	(1U << 30)
/* How often a listener in a flood tells what it left out, at least. */
#define HUSHED_NS	NSEC_PER_SEC

#define STATE(s)	TCPFSM_STATE_##s
#define EVENT(t)	TCPFSM_EVENT_##t

/* One end. */
struct end {
	uint64_t conn;
	uint32_t cookie;		/* number in the table of these; 0: not in it */
	uint32_t netns, pid;
	uint32_t isn, snd, rcv;
	uint16_t port;
	uint8_t addr[16];
	char comm[16];
	uint8_t state;
	bool owned, closed;
	bool has_isn, has_position;
};

/*
 * Of connections with the same addresses and ports, as containers may have them by the thousand,
 * the newest are looked at.
 */
#define ALIKE_MAX	64

/* In the table by addresses.  Another may have the same, and no more. */
struct story {
	uint32_t link, back;		/* the table's */
	uint32_t older, newer;		/* in a list by last use or end; 0: none */
	struct end end[2];		/* by address */
	struct ladder_fact *facts;
	size_t nfacts, room, cut;
	uint64_t more, ended;
	uint64_t number;		/* in the order they began */
	uint8_t family;
	bool selected, done;
};

/* By the numbers of stories; 0: none. */
struct list {
	uint32_t oldest, newest;
};

/* In the table by cookie: which end of which story has it. */
struct cookie {
	uint64_t conn;
	uint32_t link;			/* the table's */
	uint32_t story:31, side:1;
};

/* A range of time in which not every refused SYN and ACK was told; port 0: of any. */
struct hushed {
	uint64_t from, to;
	uint32_t netns;
	uint16_t port;
};

struct tcpfsm_ladders {
	struct tcpfsm_filter filter;
	bool filtered;
	bool refreshes;			/* that hook works */
	uint64_t conn;
	size_t max_events, ended;
	uint64_t forgotten, numbers, now;

	/* Attempts have no socket here, only SYNs that were refused. */
	struct list live, attempts, done;
	struct table stories, cookies;
	struct spare {			/* facts of stories that were told, for the next ones */
		struct ladder_fact *facts;
		size_t room;
	} spare[SPARE];
	unsigned int nspare;

	struct ladder_gap gaps[GAPS];
	unsigned int ngaps;
	struct hushed hushed[GAPS];
	unsigned int nhushed;
	uint8_t cpus[CPUS / 8];		/* those that were heard of */
	uint64_t horizon;		/* what was before is not known of every CPU */
	struct ladder_scratch scratch;

	tcpfsm_ladder_fn fn;		/* of the call under way */
	void *arg;
};

/* ---- lists and tables ------------------------------------------------------------ */

struct ends {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint8_t unused[4];
};

static uint64_t hash_ends(const struct table *t, const struct story *s)
{
	struct ends key = { .port = { s->end[0].port, s->end[1].port } };

	memcpy(key.addr[0], s->end[0].addr, 16);
	memcpy(key.addr[1], s->end[1].addr, 16);
	return hash_words(&key, sizeof(key), t->seed);
}

static uint64_t hash_story(const struct table *t, const void *entry)
{
	return hash_ends(t, entry);
}

static uint64_t hash_cookie(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct cookie *)entry)->conn;
}

static const struct table_type stories = {
	.size = sizeof(struct story), .link = offsetof(struct story, link), .back = offsetof(struct story, back),
	.reserved = 1,
	.hash = hash_story,
};

static const struct table_type cookies = {
	.size = sizeof(struct cookie), .link = offsetof(struct cookie, link), .reserved = 1,
	.hash = hash_cookie,
};

/* NULL: of no number. */
static struct story *story_at(const struct tcpfsm_ladders *l, uint32_t i)
{
	return i ? table_at(&l->stories, &stories, i) : NULL;
}

static void list_add(struct tcpfsm_ladders *l, struct list *list, struct story *s)
{
	uint32_t i = table_number(&l->stories, &stories, s);

	s->newer = 0;
	s->older = list->newest;
	if (list->newest)
		story_at(l, list->newest)->newer = i;
	else
		list->oldest = i;
	list->newest = i;
}

static void list_del(struct tcpfsm_ladders *l, struct list *list, struct story *s)
{
	if (s->older)
		story_at(l, s->older)->newer = s->newer;
	else
		list->oldest = s->newer;
	if (s->newer)
		story_at(l, s->newer)->older = s->older;
	else
		list->newest = s->older;
}

static struct list *list_of(struct tcpfsm_ladders *l, const struct story *s)
{
	if (s->done)
		return &l->done;
	return s->end[0].conn || s->end[1].conn ? &l->live : &l->attempts;
}

/* To the end of the list that it belongs to now. */
static void list_move(struct tcpfsm_ladders *l, struct list *from, struct story *s)
{
	struct list *to = list_of(l, s);

	if (from == to && !s->newer)
		return;
	list_del(l, from, s);
	list_add(l, to, s);
}

static struct story *story_with(const struct tcpfsm_ladders *l, uint64_t conn, struct end **e)
{
	const struct cookie *c = conn ? table_first(&l->cookies, &cookies, conn) : NULL;
	struct story *s;

	while (c && c->conn != conn)
		c = table_next(&l->cookies, &cookies, c);
	s = c ? story_at(l, c->story) : NULL;
	*e = s ? &s->end[c->side] : NULL;
	return s;
}

static int add_cookie(struct tcpfsm_ladders *l, struct story *s, struct end *e)
{
	struct cookie *c = table_add(&l->cookies, &cookies, e->conn);

	if (!c)
		return -ENOMEM;
	c->conn = e->conn;
	c->story = table_number(&l->stories, &stories, s) & 0x7fffffff;
	c->side = e == &s->end[1];
	e->cookie = table_number(&l->cookies, &cookies, c);
	return 0;
}

static void del_cookie(struct tcpfsm_ladders *l, struct end *e)
{
	if (e->cookie)
		table_del(&l->cookies, &cookies, e->conn, table_at(&l->cookies, &cookies, e->cookie));
	e->cookie = 0;
}

static void drop(struct tcpfsm_ladders *l, struct story *s)
{
	del_cookie(l, &s->end[0]);
	del_cookie(l, &s->end[1]);
	list_del(l, list_of(l, s), s);
	if (s->done)
		l->ended--;
	if (s->facts && l->nspare < SPARE)
		l->spare[l->nspare++] = (struct spare) { s->facts, s->room };
	else
		free(s->facts);
	table_del(&l->stories, &stories, hash_ends(&l->stories, s), s);
}

/* Which end of a connection with these addresses is the local one? */
static unsigned int side_of(const struct tcpfsm_record *r)
{
	int order = memcmp(r->laddr, r->raddr, sizeof(r->laddr));

	return order ? order > 0 : r->lport > r->rport;
}

static void set_ends(struct story *s, const struct tcpfsm_record *r)
{
	unsigned int side = side_of(r);

	memcpy(s->end[side].addr, r->laddr, 16);
	memcpy(s->end[!side].addr, r->raddr, 16);
	s->end[side].port = r->lport;
	s->end[!side].port = r->rport;
}

/* It may move the others in memory. */
static struct story *new_story(struct tcpfsm_ladders *l, const struct tcpfsm_record *r)
{
	struct story key = { .link = 0 }, *s;

	if (l->stories.n >= l->stories.max) {
		uint32_t victim = l->attempts.oldest ? l->attempts.oldest : l->live.oldest;

		if (!victim)
			victim = l->done.oldest;
		l->forgotten++;
		drop(l, story_at(l, victim));
	}
	set_ends(&key, r);
	s = table_add(&l->stories, &stories, hash_ends(&l->stories, &key));
	if (!s)
		return NULL;
	set_ends(s, r);
	s->family = r->family;
	s->number = l->numbers++;
	s->selected = !l->filtered && !l->conn;
	list_add(l, &l->attempts, s);
	return s;
}

/* ---- what belongs together ----------------------------------------------------------- */

static bool near(uint32_t a, uint32_t b)
{
	return a - b < SEQ_NEAR || b - a < SEQ_NEAR;
}

static bool opens(const struct tcpfsm_event *ev)
{
	return ev->type == EVENT(TRANSITION) && ev->new_state == STATE(SYN_SENT);
}

/* TCP_REPAIR: it begins in the midst of a connection, with its numbers. */
static bool is_restored(const struct tcpfsm_event *ev)
{
	return opens(ev) && ev->rec.flags & TCPFSM_F_REPAIR;
}

/* Has the record the numbers of a full connection? */
static bool has_position(const struct tcpfsm_event *ev)
{
	return (ev->type == EVENT(TRANSITION) || ev->type == EVENT(TIMEWAIT) ||
		ev->type == EVENT(ACCEPT)) &&
	       ev->new_state != STATE(SYN_RECV) && ev->rec.snd && ev->rec.rcv;
}

/* Can this be the end of that connection which is still missing? */
static bool joins(const struct story *s, unsigned int side, const struct tcpfsm_event *ev)
{
	const struct end *e = &s->end[side], *peer = &s->end[!side];
	const struct tcpfsm_record *r = &ev->rec;

	/* A request of Fast Open may have a cookie of its own. */
	if (ev->type == EVENT(RETRANSMIT) && r->verdict == TCPFSM_SEGMENT_SYNACK) {
		if (e->conn && e->conn != r->conn)
			return e->has_isn && e->isn == r->snd && !e->closed;
		return !e->closed && (!peer->has_isn || near(r->rcv, peer->isn));
	}
	if (r->conn && e->conn && r->conn != e->conn)
		return false;
	if (r->conn && e->closed)
		return false;
	if (ev->type == EVENT(SYN))
		return peer->has_isn && peer->isn == r->rcv;
	if (opens(ev) && !is_restored(ev)) /* simultaneously */
		return peer->conn && !peer->closed && peer->state == STATE(SYN_SENT);
	if (has_position(ev)) {
		if (peer->has_position)
			return near(r->rcv, peer->snd) && near(r->snd, peer->rcv);
		if (peer->has_isn)
			return near(r->rcv, peer->isn);
	}
	/* RSTs without a socket: whatever there is. */
	return true;
}

static struct story *find_story(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	unsigned int side = side_of(r);
	struct story key, *s;
	unsigned int alike = 0;

	set_ends(&key, r);
	s = table_first(&l->stories, &stories, hash_ends(&l->stories, &key));
	for (; s && alike < ALIKE_MAX; s = table_next(&l->stories, &stories, s)) {
		const struct end *e = &s->end[side], *peer = &s->end[!side];

		if (s->family != r->family || e->port != r->lport || peer->port != r->rport ||
		    memcmp(e->addr, r->laddr, 16) || memcmp(peer->addr, r->raddr, 16))
			continue;
		if (joins(s, side, ev))
			return s;
		alike++;
	}
	return NULL;
}

/* Does this tell of a connection nobody has told of before? */
static bool may_begin(const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case EVENT(SYN):
		return true;
	case EVENT(TRANSITION):
	case EVENT(TIMEWAIT):
		return ev->rec.conn;
	case EVENT(ACCEPT):
	case EVENT(RETRANSMIT):
	case EVENT(HANDSHAKE_ACK):
	case EVENT(RESET):
		/* In CLOSE: late, of one that has been told already. */
		return ev->rec.conn && ev->old_state != STATE(CLOSE);
	}
	return false;
}

static bool same_end(const struct end *e, const struct end *peer, const struct tcpfsm_record *r)
{
	return e->port == r->lport && peer->port == r->rport &&
	       !memcmp(e->addr, r->laddr, 16) && !memcmp(peer->addr, r->raddr, 16);
}

/* The connection this is about, new if need be, and its end; NULL: none. */
static struct story *story_of(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev, struct end **end, int *err)
{
	struct end *e;
	struct story *s = story_with(l, ev->rec.conn, &e);

	*err = 0;
	if (e && e->closed && (opens(ev) || ev->type == EVENT(SYN))) {
		/* connect() once more with the same socket. */
		del_cookie(l, e);
		s = NULL;
	}
	*end = e;
	if (s)
		return same_end(e, &s->end[e == s->end], &ev->rec) || !ev->rec.lport ? s : NULL;
	s = find_story(l, ev);
	if (!s && may_begin(ev)) {
		s = new_story(l, &ev->rec);
		*err = s ? 0 : -ENOMEM;
	}
	if (s)
		*end = &s->end[side_of(&ev->rec)];
	return s;
}

/* ---- facts ---------------------------------------------------------------------------- */

/* Told by the transition that comes with it, of the same record. */
static bool is_told(const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	switch (ev->type) {
	case EVENT(TRANSITION):
		return r->type == TCPFSM_TYPE_SYN;
	case EVENT(HANDSHAKE_ACK):
		return r->verdict == TCPFSM_VERDICT_ESTABLISHED;
	case EVENT(TIMEWAIT):
		if (r->verdict == TCPFSM_TW_ENTER)
			return r->new_state == STATE(TIME_WAIT);
		if (r->verdict == TCPFSM_TW_REFRESH)
			return r->old_state != r->new_state;
		return r->verdict != TCPFSM_TW_DENIED;
	}
	return false;
}

static struct ladder_fact *fact_slot(struct tcpfsm_ladders *l, struct story *s)
{
	if (s->nfacts == l->max_events) {
		/* The beginning and the end matter most. */
		s->cut = l->max_events / 4 * 3;
		memmove(s->facts + s->cut, s->facts + s->cut + 1,
			(s->nfacts - s->cut - 1) * sizeof(*s->facts));
		s->nfacts--;
		s->more++;
	}
	if (!s->room && l->nspare) {
		s->facts = l->spare[--l->nspare].facts;
		s->room = l->spare[l->nspare].room;
	}
	if (s->nfacts == s->room) {
		size_t room = s->room ? 2 * s->room : 8;
		struct ladder_fact *facts;

		if (room > l->max_events)
			room = l->max_events;
		facts = realloc(s->facts, room * sizeof(*facts));
		if (!facts)
			return NULL;
		s->facts = facts;
		s->room = room;
	}
	return &s->facts[s->nfacts++];
}

static int add_fact(struct tcpfsm_ladders *l, struct story *s, unsigned int side,
		    const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	struct ladder_fact *f = fact_slot(l, s);

	if (!f)
		return -ENOMEM;
	*f = (struct ladder_fact) {
		.ts = ev->ts, .dur_ns = ev->dur_ns, .snd = r->snd, .rcv = r->rcv,
		.synq = r->synq, .acceptq = r->acceptq, .backlog = r->backlog,
		.asked = ev->asked,
		.tw = r->tw, .tw_max = r->tw_max, .side = (uint8_t)side, .type = ev->type,
		.old_state = ev->old_state, .new_state = ev->new_state, .cause = ev->cause, .verdict = r->verdict,
		.reason = r->reason, .arg = r->arg, .flags = r->flags,
		.has_queues = ev->has_queues, .socket = r->conn && !(ev->type == EVENT(RESET) && ev->new_state),
	};
	return 0;
}

static int learn(struct tcpfsm_ladders *l, struct story *s, struct end *e,
		 const struct tcpfsm_event *ev)
{
	struct end *peer = &s->end[e == s->end];
	const struct tcpfsm_record *r = &ev->rec;
	int err = 0;

	e->netns = r->netns;
	if (r->conn && !e->conn) {
		e->conn = r->conn;
		err = add_cookie(l, s, e);
	}
	if (ev->has_owner) {
		e->owned = true;
		e->pid = ev->pid;
		memcpy(e->comm, ev->comm, sizeof(e->comm));
	}
	if (opens(ev) && !is_restored(ev)) {
		e->has_isn = true;
		e->isn = r->snd;
	} else if (ev->type == EVENT(SYN)) {
		e->has_isn = r->verdict != TCPFSM_VERDICT_DROPPED;
		e->isn = r->snd;
		peer->has_isn = true;
		peer->isn = r->rcv;
	} else if (has_position(ev)) {
		e->has_position = true;
		e->snd = r->snd;
		e->rcv = r->rcv;
	}
	if (ev->type == EVENT(TRANSITION)) {
		e->state = ev->new_state;
		e->closed = ev->new_state == STATE(CLOSE);
	}
	return err;
}

static bool ended(const struct story *s)
{
	const struct end *a = &s->end[0], *b = &s->end[1];

	if (!a->conn && !b->conn)
		return false;
	return (!a->conn || a->closed) && (!b->conn || b->closed);
}

/* Does it tell that an RST came? */
static bool is_rst_received(const struct tcpfsm_event *ev)
{
	if (ev->type == EVENT(RESET))
		return ev->rec.verdict == TCPFSM_DIRECTION_RECEIVED;
	return ev->type == EVENT(TRANSITION) && ev->cause == TCPFSM_CAUSE_RCV_RST &&
	       ev->old_state == STATE(TIME_WAIT);
}

/*
 * An RST out of SYN_SENT is for an older socket of the same addresses: the ladder of that one
 * has its arrival.
 */
static void tell_arrival(struct tcpfsm_ladders *l, const struct story *old, const struct tcpfsm_event *ev)
{
	struct story *s = table_first(&l->stories, &stories, hash_ends(&l->stories, old));
	unsigned int peer = !side_of(&ev->rec);

	for (; s; s = table_next(&l->stories, &stories, s)) {
		struct ladder_fact *f = s->nfacts ? &s->facts[s->nfacts - 1] : NULL;

		if (s == old || !f || f->side != peer || f->type != EVENT(RESET) ||
		    f->old_state != STATE(SYN_SENT) || f->ts > ev->ts ||
		    s->end[0].port != old->end[0].port || s->end[1].port != old->end[1].port ||
		    memcmp(s->end[0].addr, old->end[0].addr, 16) ||
		    memcmp(s->end[1].addr, old->end[1].addr, 16))
			continue;
		f->arrived = true;
		return;
	}
}

/* ---- out ---------------------------------------------------------------------------------- */

/* Then a segment that nobody told of may have arrived. */
static bool was_hushed(const struct tcpfsm_ladders *l, const struct story *s, uint64_t begin,
		       uint64_t end)
{
	unsigned int i, j;

	for (i = 0; i < l->nhushed; i++) {
		const struct hushed *h = &l->hushed[i];

		for (j = 0; j < 2 && h->to + HUSHED_NS >= begin && h->from <= end; j++)
			if ((s->end[j].port == h->port || !h->port) &&
			    (!s->end[j].netns || s->end[j].netns == h->netns))
				return true;
	}
	return false;
}

static int tell(struct tcpfsm_ladders *l, struct story *s)
{
	struct ladder_gap gaps[GAPS];
	struct tcpfsm_ladder ladder;
	struct ladder_story st = {
		.family = s->family, .facts = s->facts, .nfacts = s->nfacts, .cut = s->cut,
		.more = s->more, .gaps = gaps, .refreshes = l->refreshes,
	};
	uint64_t begin, end;
	unsigned int i;
	int rc = 0;

	if (!s->nfacts || !s->selected)
		goto out;
	begin = s->facts[0].ts;
	end = s->done ? s->facts[s->nfacts - 1].ts : l->now;
	for (i = 0; i < l->ngaps; i++)
		if (l->gaps[i].to >= begin && l->gaps[i].from <= end)
			gaps[st.ngaps++] = l->gaps[i];
	st.exact = begin >= l->horizon && !was_hushed(l, s, begin, end);
	for (i = 0; i < 2; i++) {
		const struct end *e = &s->end[i];
		struct tcpfsm_ladder_end *to = &st.end[i];

		to->has_owner = e->owned;
		to->pid = e->pid;
		memcpy(to->comm, e->comm, sizeof(e->comm));
		memcpy(to->addr, e->addr, sizeof(e->addr));
		to->port = e->port;
		to->netns = e->netns;
		to->conn = e->conn;
	}
	rc = ladder_build(&l->scratch, &st, &ladder);
	if (!rc)
		rc = l->fn(&ladder, l->arg);
out:
	drop(l, s);
	return rc;
}

static int tell_ended(struct tcpfsm_ladders *l, uint64_t before)
{
	struct story *s;
	int rc = 0;

	while (!rc && (s = story_at(l, l->done.oldest)) && s->ended < before)
		rc = tell(l, s);
	return rc;
}

static void note_gap(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	uint64_t to = ev->to_ts ? ev->to_ts : ev->ts;
	struct ladder_gap *g;

	/* Too many to remember apart: the two oldest become one. */
	if (l->ngaps == GAPS) {
		l->gaps[0].to = l->gaps[1].to > l->gaps[0].to ? l->gaps[1].to : l->gaps[0].to;
		l->gaps[0].lost += l->gaps[1].lost;
		memmove(&l->gaps[1], &l->gaps[2], (GAPS - 2) * sizeof(l->gaps[0]));
		l->ngaps--;
	}
	g = &l->gaps[l->ngaps++];
	g->from = ev->from_ts ? ev->from_ts : to;
	g->to = to;
	g->lost = ev->lost;
}

static void note_hushed(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	struct hushed *h;
	unsigned int i;

	/* No segments. */
	if (ev->rec.verdict == TCPFSM_TYPE_LISTEN || ev->rec.verdict == TCPFSM_TYPE_SHUTDOWN ||
	    ev->rec.verdict == TCPFSM_TYPE_CONNECT_FAILED)
		return;
	/* A flood goes on for long, on several CPUs. */
	for (i = 0; i < l->nhushed; i++) {
		h = &l->hushed[i];
		if (h->port == ev->rec.lport && h->netns == ev->rec.netns &&
		    ev->from_ts <= h->to + HUSHED_NS) {
			h->from = ev->from_ts < h->from ? ev->from_ts : h->from;
			h->to = ev->to_ts > h->to ? ev->to_ts : h->to;
			return;
		}
	}
	if (l->nhushed == GAPS)
		memmove(&l->hushed[0], &l->hushed[1], --l->nhushed * sizeof(*h));
	l->hushed[l->nhushed++] = (struct hushed) {
		.from = ev->from_ts, .to = ev->to_ts, .netns = ev->rec.netns,
		.port = ev->rec.lport,
	};
}

/*
 * A CPU whose first record is not its first ever was heard of too late: what
 * it saw before, nobody knows.
 */
static void note_cpu(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	uint32_t cpu = (ev->cpu % CPUS_OF_HOST + TCPFSM_HOST_OF_CPU(ev->cpu) * CPUS_OF_HOST) % CPUS;
	uint8_t bit = (uint8_t)(1 << cpu % 8), *byte = &l->cpus[cpu / 8];

	if (*byte & bit)
		return;
	*byte |= bit;
	if (ev->rec.seq > 1 && ev->ts > l->horizon)
		l->horizon = ev->ts;
}

static bool selects(const struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	if (l->conn && ev->rec.conn != l->conn && TCPFSM_BARE_CONN(ev->rec.conn) != l->conn)
		return false;
	return !l->filtered || tcpfsm_filter_match(&l->filter, ev);
}

int tcpfsm_ladders_event(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev,
			 tcpfsm_ladder_fn fn, void *arg)
{
	struct list *from;
	struct story *s;
	struct end *e;
	int err;

	l->fn = fn;
	l->arg = arg;
	if (ev->ts > l->now)
		l->now = ev->ts;
	if (ev->type == EVENT(LOST)) {
		if (ev->suppressed)
			note_hushed(l, ev);
		else
			note_gap(l, ev);
		return 0;
	}
	if (ev->type == EVENT(NETNS))
		return 0;
	note_cpu(l, ev);
	if (ev->type == EVENT(TIMEWAIT) && ev->rec.verdict == TCPFSM_TW_REFRESH)
		l->refreshes = true;
	/* First, so that a recording and live reading come to the same. */
	err = ev->ts > SETTLE_NS ? tell_ended(l, ev->ts - SETTLE_NS) : 0;
	if (err)
		return err;
	if (ev->rec.rport && ev->type != EVENT(LISTEN)) {
		s = story_of(l, ev, &e, &err);
		if (s) {
			from = list_of(l, s);
			l->ended -= s->done;
			if (!is_told(ev))
				err = add_fact(l, s, (unsigned int)(e - s->end), ev);
			if (is_rst_received(ev))
				tell_arrival(l, s, ev);
			if (!err)
				err = learn(l, s, e, ev);
			s->selected |= selects(l, ev);
			s->done = ended(s);
			s->ended = ev->ts;
			l->ended += s->done;
			list_move(l, from, s);
		}
	}
	return err;
}

int tcpfsm_ladders_settle(struct tcpfsm_ladders *l, tcpfsm_ladder_fn fn, void *arg)
{
	l->fn = fn;
	l->arg = arg;
	return tell_ended(l, UINT64_MAX);
}

static int by_number(const void *a, const void *b)
{
	const struct story *x = *(struct story * const *)a, *y = *(struct story * const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

int tcpfsm_ladders_flush(struct tcpfsm_ladders *l, tcpfsm_ladder_fn fn, void *arg)
{
	int rc = tcpfsm_ladders_settle(l, fn, arg);
	struct story **all, *s;
	size_t i, n = 0;

	if (rc || !l->stories.n)
		return rc;
	all = malloc(l->stories.n * sizeof(struct story *));
	if (!all)
		return -ENOMEM;
	for (s = story_at(l, l->live.oldest); s; s = story_at(l, s->newer))
		all[n++] = s;
	for (s = story_at(l, l->attempts.oldest); s; s = story_at(l, s->newer))
		all[n++] = s;
	qsort(all, n, sizeof(struct story *), by_number);
	for (i = 0; i < n && !rc; i++)
		rc = tell(l, all[i]);
	free(all);
	return rc;
}

void tcpfsm_ladders_counts(const struct tcpfsm_ladders *l, size_t *waiting, uint64_t *forgotten)
{
	if (waiting)
		*waiting = l->ended;
	if (forgotten)
		*forgotten = l->forgotten;
}

int tcpfsm_ladders_new(struct tcpfsm_ladders **out, const struct tcpfsm_ladders_options *opts)
{
	struct tcpfsm_ladders_options o;
	struct tcpfsm_filter filter;
	struct tcpfsm_ladders *l;
	size_t max;
	int err = copy_opts(&o, sizeof(o), opts);

	*out = NULL;
	if (!err)
		err = copy_opts(&filter, sizeof(filter), o.filter);
	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->filtered = o.filter;
	l->filter = filter;
	l->conn = o.conn;
	max = o.max_conns ? o.max_conns : CONNS_DEFAULT;
	l->max_events = !o.max_events ? EVENTS_DEFAULT :
			o.max_events < EVENTS_MIN ? EVENTS_MIN : o.max_events;
	err = table_init(&l->stories, &stories, FIRST, max);
	if (!err)
		err = table_init(&l->cookies, &cookies, 2 * FIRST, 2 * max);
	if (err) {
		tcpfsm_ladders_free(l);
		return err;
	}
	table_seed(&l->stories);
	*out = l;
	return 0;
}

void tcpfsm_ladders_free(struct tcpfsm_ladders *l)
{
	if (!l)
		return;
	while (l->done.oldest)
		drop(l, story_at(l, l->done.oldest));
	while (l->live.oldest)
		drop(l, story_at(l, l->live.oldest));
	while (l->attempts.oldest)
		drop(l, story_at(l, l->attempts.oldest));
	while (l->nspare)
		free(l->spare[--l->nspare].facts);
	ladder_scratch_free(&l->scratch);
	table_exit(&l->stories);
	table_exit(&l->cookies);
	free(l);
}
