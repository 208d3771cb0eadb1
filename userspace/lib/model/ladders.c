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

#include "hash.h"
#include "ladder.h"
#include "opts.h"

#define CONNS_DEFAULT	((size_t)65536)
#define EVENTS_DEFAULT	((size_t)256)
#define EVENTS_MIN	((size_t)16)
#define GAPS		32U
#define CPUS		1024U

/* A late RST or accept() may follow the end of a connection. */
#define SETTLE_NS	100000000ULL
/* How far the ends' ideas of a sequence number may be apart. */
#define SEQ_NEAR	(1U << 30)
/* How often a listener in a flood tells what it left out, at least. */
#define HUSHED_NS	1000000000ULL

#define STATE(s)	TCPFSM_STATE_##s
#define EVENT(t)	TCPFSM_EVENT_##t

struct story;

/* One end, in the table by cookie. */
struct end {
	struct story *story;
	struct end *next;		/* of the same hash */
	uint64_t conn;
	uint32_t netns, pid;
	uint32_t isn, snd, rcv;
	uint16_t port;
	uint8_t addr[16];
	char comm[16];
	uint8_t state;
	bool hashed, owned, closed;
	bool has_isn, has_position;
};

struct story {
	struct story *next;		/* of the same hash of the addresses */
	struct story *older, *newer;	/* in a list by last use or end */
	struct end end[2];		/* by address */
	struct ladder_fact *facts;
	size_t nfacts, room, cut;
	uint64_t more, ended;
	uint64_t number;		/* in the order they began */
	uint8_t family;
	bool selected, done;
};

struct list {
	struct story *oldest, *newest;
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
	size_t max, max_events;
	size_t n, ended;
	uint64_t forgotten, numbers, now;

	/* Attempts have no socket here, only SYNs that were refused. */
	struct list live, attempts, done;
	struct story **by_addr;
	struct end **by_conn;
	unsigned int bits;

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

static void list_add(struct list *l, struct story *s)
{
	s->newer = NULL;
	s->older = l->newest;
	if (l->newest)
		l->newest->newer = s;
	else
		l->oldest = s;
	l->newest = s;
}

static void list_del(struct list *l, struct story *s)
{
	if (s->older)
		s->older->newer = s->newer;
	else
		l->oldest = s->newer;
	if (s->newer)
		s->newer->older = s->older;
	else
		l->newest = s->older;
}

static struct list *list_of(struct tcpfsm_ladders *l, const struct story *s)
{
	if (s->done)
		return &l->done;
	return s->end[0].conn || s->end[1].conn ? &l->live : &l->attempts;
}

static size_t hash(const struct tcpfsm_ladders *l, uint64_t key)
{
	return hash_bits(key, l->bits);
}

static uint64_t fold(const uint8_t addr[16], uint16_t port)
{
	uint64_t a, b;

	memcpy(&a, addr, 8);
	memcpy(&b, addr + 8, 8);
	return (a ^ b * 31) * 0xff51afd7ed558ccdULL + port;
}

/* The same for both ends. */
static size_t hash_addr(const struct tcpfsm_ladders *l, const struct tcpfsm_record *r)
{
	return hash(l, fold(r->laddr, r->lport) + fold(r->raddr, r->rport));
}

static size_t hash_story(const struct tcpfsm_ladders *l, const struct story *s)
{
	return hash(l, fold(s->end[0].addr, s->end[0].port) + fold(s->end[1].addr, s->end[1].port));
}

static struct end *find_end(const struct tcpfsm_ladders *l, uint64_t conn)
{
	struct end *e = conn ? l->by_conn[hash(l, conn)] : NULL;

	while (e && e->conn != conn)
		e = e->next;
	return e;
}

static void hash_end(struct tcpfsm_ladders *l, struct end *e)
{
	struct end **head = &l->by_conn[hash(l, e->conn)];

	e->next = *head;
	*head = e;
	e->hashed = true;
}

static void unhash_end(struct tcpfsm_ladders *l, struct end *e)
{
	struct end **link;

	if (!e->hashed)
		return;
	link = &l->by_conn[hash(l, e->conn)];
	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	e->hashed = false;
}

static void drop(struct tcpfsm_ladders *l, struct story *s)
{
	struct story **link = &l->by_addr[hash_story(l, s)];

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	unhash_end(l, &s->end[0]);
	unhash_end(l, &s->end[1]);
	list_del(list_of(l, s), s);
	if (s->done)
		l->ended--;
	l->n--;
	free(s->facts);
	free(s);
}

/* Which end of a connection with these addresses is the local one? */
static unsigned int side_of(const struct tcpfsm_record *r)
{
	int order = memcmp(r->laddr, r->raddr, sizeof(r->laddr));

	return order ? order > 0 : r->lport > r->rport;
}

static struct story *new_story(struct tcpfsm_ladders *l, const struct tcpfsm_record *r)
{
	unsigned int side = side_of(r);
	struct story *s;
	size_t h;

	if (l->n >= l->max) {
		struct story *victim = l->attempts.oldest ? l->attempts.oldest : l->live.oldest;

		if (!victim)
			victim = l->done.oldest;
		l->forgotten++;
		drop(l, victim);
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->family = r->family;
	s->end[0].story = s->end[1].story = s;
	memcpy(s->end[side].addr, r->laddr, 16);
	memcpy(s->end[!side].addr, r->raddr, 16);
	s->end[side].port = r->lport;
	s->end[!side].port = r->rport;
	s->number = l->numbers++;
	s->selected = !l->filtered && !l->conn;
	h = hash_story(l, s);
	s->next = l->by_addr[h];
	l->by_addr[h] = s;
	list_add(&l->attempts, s);
	l->n++;
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
	if (opens(ev))			/* simultaneously */
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
	struct story *s;

	for (s = l->by_addr[hash_addr(l, r)]; s; s = s->next) {
		const struct end *e = &s->end[side], *peer = &s->end[!side];

		if (s->family == r->family && e->port == r->lport && peer->port == r->rport &&
		    !memcmp(e->addr, r->laddr, 16) && !memcmp(peer->addr, r->raddr, 16) &&
		    joins(s, side, ev))
			return s;
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

static bool same_end(const struct end *e, const struct tcpfsm_record *r)
{
	const struct end *peer = &e->story->end[e == e->story->end];

	return e->port == r->lport && peer->port == r->rport &&
	       !memcmp(e->addr, r->laddr, 16) && !memcmp(peer->addr, r->raddr, 16);
}

/* The connection this is about, new if need be; NULL: none. */
static struct story *story_of(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev, int *err)
{
	struct end *e = find_end(l, ev->rec.conn);
	struct story *s;

	*err = 0;
	if (e && e->closed && (opens(ev) || ev->type == EVENT(SYN))) {
		/* connect() once more with the same socket. */
		unhash_end(l, e);
		e = NULL;
	}
	if (e)
		return same_end(e, &ev->rec) || !ev->rec.lport ? e->story : NULL;
	s = find_story(l, ev);
	if (s || !may_begin(ev))
		return s;
	s = new_story(l, &ev->rec);
	if (!s)
		*err = -ENOMEM;
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

static struct ladder_fact *fact_slot(const struct tcpfsm_ladders *l, struct story *s)
{
	if (s->nfacts == l->max_events) {
		/* The beginning and the end matter most. */
		s->cut = l->max_events / 4 * 3;
		memmove(s->facts + s->cut, s->facts + s->cut + 1,
			(s->nfacts - s->cut - 1) * sizeof(*s->facts));
		s->nfacts--;
		s->more++;
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

static int add_fact(const struct tcpfsm_ladders *l, struct story *s, unsigned int side,
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

static void learn(struct tcpfsm_ladders *l, struct story *s, struct end *e,
		  const struct tcpfsm_event *ev)
{
	struct end *peer = &s->end[e == s->end];
	const struct tcpfsm_record *r = &ev->rec;

	e->netns = r->netns;
	if (r->conn && !e->conn) {
		e->conn = r->conn;
		hash_end(l, e);
	}
	if (ev->has_owner) {
		e->owned = true;
		e->pid = ev->pid;
		memcpy(e->comm, ev->comm, sizeof(e->comm));
	}
	if (opens(ev)) {
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
}

static bool ended(const struct story *s)
{
	const struct end *a = &s->end[0], *b = &s->end[1];

	if (!a->conn && !b->conn)
		return false;
	return (!a->conn || a->closed) && (!b->conn || b->closed);
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

	while (!rc && (s = l->done.oldest) && s->ended < before)
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
	uint8_t bit = (uint8_t)(1 << ev->cpu % 8), *byte = &l->cpus[ev->cpu % CPUS / 8];

	if (*byte & bit)
		return;
	*byte |= bit;
	if (ev->rec.seq > 1 && ev->ts > l->horizon)
		l->horizon = ev->ts;
}

static bool selects(const struct tcpfsm_ladders *l, const struct tcpfsm_event *ev)
{
	if (l->conn && ev->rec.conn != l->conn)
		return false;
	return !l->filtered || tcpfsm_filter_match(&l->filter, ev);
}

int tcpfsm_ladders_event(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev,
			 tcpfsm_ladder_fn fn, void *arg)
{
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
	note_cpu(l, ev);
	if (ev->type == EVENT(TIMEWAIT) && ev->rec.verdict == TCPFSM_TW_REFRESH)
		l->refreshes = true;
	/* First, so that a recording and live reading come to the same. */
	err = ev->ts > SETTLE_NS ? tell_ended(l, ev->ts - SETTLE_NS) : 0;
	if (err)
		return err;
	if (ev->rec.rport && ev->type != EVENT(LISTEN)) {
		s = story_of(l, ev, &err);
		if (s) {
			e = &s->end[side_of(&ev->rec)];
			list_del(list_of(l, s), s);
			l->ended -= s->done;
			if (!is_told(ev))
				err = add_fact(l, s, (unsigned int)(e - s->end), ev);
			learn(l, s, e, ev);
			s->selected |= selects(l, ev);
			s->done = ended(s);
			s->ended = ev->ts;
			l->ended += s->done;
			list_add(list_of(l, s), s);
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

	if (rc || !l->n)
		return rc;
	all = malloc(l->n * sizeof(struct story *));
	if (!all)
		return -ENOMEM;
	for (s = l->live.oldest; s; s = s->newer)
		all[n++] = s;
	for (s = l->attempts.oldest; s; s = s->newer)
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
	l->max = o.max_conns ? o.max_conns : CONNS_DEFAULT;
	l->max_events = !o.max_events ? EVENTS_DEFAULT :
			o.max_events < EVENTS_MIN ? EVENTS_MIN : o.max_events;
	for (l->bits = 6; l->bits < 24 && ((size_t)1 << l->bits) < l->max; l->bits++)
		;
	l->by_addr = calloc((size_t)1 << l->bits, sizeof(*l->by_addr));
	l->by_conn = calloc((size_t)1 << l->bits, sizeof(*l->by_conn));
	if (!l->by_addr || !l->by_conn) {
		tcpfsm_ladders_free(l);
		return -ENOMEM;
	}
	*out = l;
	return 0;
}

void tcpfsm_ladders_free(struct tcpfsm_ladders *l)
{
	if (!l)
		return;
	while (l->done.oldest)
		drop(l, l->done.oldest);
	while (l->live.oldest)
		drop(l, l->live.oldest);
	while (l->attempts.oldest)
		drop(l, l->attempts.oldest);
	ladder_scratch_free(&l->scratch);
	free(l->by_addr);
	free(l->by_conn);
	free(l);
}
