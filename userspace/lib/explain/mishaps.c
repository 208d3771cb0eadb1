// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What goes wrong with connections, ports and mini-sockets: a small table of sums. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mishaps.h"
#include "model/timewait.h"
#include "source/item.h"
#include "source/process.h"

#define FIRST		64U		/* there is room for at once */

static uint64_t hash_key(const struct table *t, const struct mishap_key *key)
{
	_Static_assert(sizeof(*key) % 8 == 0, "hashed by words");
	return hash_words(key, sizeof(*key), t->seed);
}

static uint64_t hash(const struct table *t, const void *entry)
{
	return hash_key(t, &((const struct mishap *)entry)->key);
}

static const struct table_type type = {
	.size = sizeof(struct mishap), .link = offsetof(struct mishap, link), .reserved = 1,
	.hash = hash,
};

static struct mishap *find(const struct mishaps *t, const struct mishap_key *key)
{
	struct mishap *m = t->table.slab ? table_first(&t->table, &type, hash_key(&t->table, key)) : NULL;

	while (m && memcmp(&m->key, key, sizeof(*key)))
		m = table_next(&t->table, &type, m);
	return m;
}

/* NULL: there is no place for it.  A host that scans others leaves room for what is rare. */
static struct mishap *count(struct mishaps *t, const struct mishap_key *key,
			    const struct tcpfsm_event *ev)
{
	struct mishap *m = find(t, key);

	if (!m) {
		bool many = key->kind >= MISHAP_REFUSED && key->family;

		if (many && t->table.n >= MISHAPS_MAX / 3 * 2)
			return NULL;
		m = table_add(&t->table, &type, hash_key(&t->table, key));
		if (!m)
			return NULL;
		m->key = *key;
		m->first = ev->ts;
	}
	m->n++;
	m->last = ev->ts;
	if (!m->acted || m->pid != ev->pid || ev->rec.flags & TCPFSM_F_OWNER)
		m->acted = ev->ts;
	m->has_owner = ev->has_owner;
	m->pid = ev->pid;
	memcpy(m->comm, ev->comm, sizeof(m->comm));
	return m;
}

/* ---- segments on their way --------------------------------------------------------- */

/*
 * SYNs that came to a listener or were sent again, by their addresses and ports; and what
 * was sent again without an answer, by its connection.  A new one takes the place of the oldest of
 * its WAYS; but what is sent again here keeps its place in a flood.
 */
#define SEGMENT_BITS	9
#define WAYS		8U
/* As long as that it may be sent again: TCP_RTO_MAX, and some. */
#define SEGMENT_NS	150000000000ULL
#define RTO_MAX_NS	120000000000ULL
/* The time-out of the first is hardly more: then they double. */
#define RTO_NS		400000000ULL
/* So long before, it is an earlier one. */
#define EARLIER_NS	(SYN_AGAIN_ONCE_NS / 2)

struct segment {
	uint64_t hash;
	uint64_t used;			/* epoch, as all times here */
	uint64_t arrived;		/* at a listener, the first of them; 0: not seen */
	uint32_t unanswered;		/* 1 + the number of the mishap that counts it as UNANSWERED; 0: none */
	uint8_t again;			/* sent again from here so often; 0: by nobody here */
};

struct segment_key {			/* compared as a whole: no padding */
	uint8_t from[16], to[16];
	uint16_t from_port, to_port;
	uint32_t family;
};

/* Of one that we sent, or that came here. */
static uint64_t hash_segment(const struct mishaps *t, const struct tcpfsm_record *r, bool came)
{
	struct segment_key key = {
		.from_port = came ? r->rport : r->lport, .to_port = came ? r->lport : r->rport,
		.family = r->family,
	};

	_Static_assert(sizeof(key) % 8 == 0, "hashed by words");
	memcpy(key.from, came ? r->raddr : r->laddr, sizeof(key.from));
	memcpy(key.to, came ? r->laddr : r->raddr, sizeof(key.to));
	return hash_words(&key, sizeof(key), t->table.seed);
}

/* Any SYN to that port, when the module told of some of them only. */
static uint64_t hash_port(const struct mishaps *t, uint16_t port)
{
	uint64_t key = port;

	return hash_words(&key, sizeof(key), t->table.seed);
}

static struct segment *find_segment(const struct mishaps *t, uint64_t hash, uint64_t ts)
{
	struct segment *s = t->segments ? &t->segments[hash_bits(hash, SEGMENT_BITS) * WAYS] : NULL;
	unsigned int i;

	for (i = 0; s && i < WAYS; i++)
		if (s[i].hash == hash && ts < s[i].used + SEGMENT_NS)
			return &s[i];
	return NULL;
}

/* Of those that are not sent again; NULL: all are. */
static struct segment *oldest(struct segment *way)
{
	struct segment *s = NULL;
	unsigned int i;

	for (i = 0; i < WAYS; i++)
		if (!way[i].again && (!s || way[i].used < s->used))
			s = &way[i];
	return s;
}

/* NULL: those that are sent again have all places. */
static struct segment *add_segment(struct mishaps *t, uint64_t hash, uint64_t ts, uint8_t again)
{
	struct segment *s = find_segment(t, hash, ts), *way = &t->segments[hash_bits(hash, SEGMENT_BITS) * WAYS];
	unsigned int i;

	for (i = 0; !s && i < WAYS; i++)
		if (ts >= way[i].used + SEGMENT_NS)
			s = &way[i];
	if (!s)
		s = oldest(way);
	if (!s && !again)
		return NULL;
	if (!s)
		s = way;
	if (s->hash != hash || ts >= s->used + SEGMENT_NS)
		*s = (struct segment) { .hash = hash };
	s->used = ts;
	if (again)
		s->again = again;
	return s;
}

static void is_unanswered(struct mishaps *t, const struct mishap *m, const struct tcpfsm_event *ev)
{
	struct segment *s = find_segment(t, hash_segment(t, &ev->rec, false), ev->ts);

	if (s)
		s->unanswered = 1 + mishaps_number(t, m);
}

/* It has an answer after all, or came to who is to answer. */
static void is_answered(struct mishaps *t, struct segment *s, uint16_t to_port)
{
	struct mishap *of = t->table.slab, *m = &of[s->unanswered];

	/* Another one may be there by now. */
	if (s->unanswered && m->key.kind == MISHAP_UNANSWERED && m->key.rport == to_port && m->met < m->n)
		m->met++;
	s->unanswered = 0;
}

static void arrived(struct mishaps *t, uint64_t hash, uint16_t port, uint64_t ts, uint64_t at)
{
	struct segment *s = add_segment(t, hash, ts, 0);

	if (!s)
		return;
	is_answered(t, s, port);
	if (!s->arrived)
		s->arrived = at;
}

static bool is_segment(const struct tcpfsm_event *ev)
{
	return ev->type == TCPFSM_EVENT_SYN || ev->type == TCPFSM_EVENT_RETRANSMIT ||
	       (ev->type == TCPFSM_EVENT_LOST && ev->suppressed);
}

/* What becomes of SYNs: where they came, and what was sent again. */
static void follow_segment(struct mishaps *t, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	if (ev->type == TCPFSM_EVENT_SYN)
		arrived(t, hash_segment(t, r, true), r->lport, ev->ts, ev->ts);
	else if (ev->type == TCPFSM_EVENT_LOST && ev->suppressed && r->verdict == TCPFSM_TYPE_SYN)
		arrived(t, hash_port(t, r->lport), r->lport, ev->ts, ev->from_ts);
	else if (ev->type == TCPFSM_EVENT_RETRANSMIT && r->verdict == TCPFSM_SEGMENT_SYN)
		add_segment(t, hash_segment(t, r, false), ev->ts, r->arg ? r->arg : 1);
	/* The first one was an answer. */
	else if (ev->type == TCPFSM_EVENT_RETRANSMIT && r->verdict == TCPFSM_SEGMENT_SYNACK)
		arrived(t, hash_segment(t, r, true), r->lport, ev->ts, ev->ts - SYN_AGAIN_ONCE_NS);
}

/* One of the SYNs of a client came to a listener, and not only the one that was answered. */
static bool has_met(const struct mishaps *t, const struct tcpfsm_event *ev, enum mishap_kind kind)
{
	const struct segment *s = find_segment(t, hash_segment(t, &ev->rec, false), ev->ts);
	uint64_t before = ev->ts - (kind == MISHAP_SLOW ? EARLIER_NS : 0);

	if (s && s->arrived && s->arrived <= before)
		return true;
	s = find_segment(t, hash_port(t, ev->rec.rport), ev->ts);
	return s && s->arrived <= before;
}

/* So often was the SYN of a connection sent again that is established now, or failed: the next one is another. */
static unsigned int sent_again(struct mishaps *t, const struct tcpfsm_event *ev)
{
	struct segment *s = find_segment(t, hash_segment(t, &ev->rec, false), ev->ts);
	unsigned int n = s ? s->again : 0;

	if (s && ev->type == TCPFSM_EVENT_TRANSITION)
		is_answered(t, s, ev->rec.rport);
	if (s)
		memset(s, 0, sizeof(*s));
	return n;
}

/* Sent again, and not for the first time since it was counted? */
static bool is_counted(struct mishaps *t, const struct tcpfsm_event *ev)
{
	uint64_t hash = hash_words(&ev->rec.conn, sizeof(ev->rec.conn), t->table.seed);
	bool counted = ev->rec.arg > PEER_GONE_AGAIN && find_segment(t, hash, ev->ts);

	add_segment(t, hash, ev->ts, ev->rec.arg);
	return counted;
}

/* ---- kinds ------------------------------------------------------------------------ */

static bool is_open(uint8_t state)
{
	return state == TCPFSM_STATE_ESTABLISHED || state == TCPFSM_STATE_CLOSE_WAIT ||
	       state == TCPFSM_STATE_FIN_WAIT1 || state == TCPFSM_STATE_FIN_WAIT2 ||
	       state == TCPFSM_STATE_LAST_ACK || state == TCPFSM_STATE_CLOSING;
}

/* No process ever had it: a listener was closed with it in its accept queue, and is judged by that. */
static bool was_abandoned(const struct tcpfsm_event *ev)
{
	return ev->cause == TCPFSM_CAUSE_SND_RST && !ev->has_owner && ev->rec.lport < ev->rec.rport;
}

static enum mishap_kind kind_of_transition(const struct tcpfsm_event *ev)
{
	bool rst = ev->cause == TCPFSM_CAUSE_RCV_RST;

	if (ev->old_state == TCPFSM_STATE_TIME_WAIT)
		return rst ? MISHAP_RST : MISHAP_NONE;
	/* How long SYN_SENT took tells how often the SYN was sent. */
	if (ev->old_state == TCPFSM_STATE_SYN_SENT && ev->new_state == TCPFSM_STATE_ESTABLISHED)
		return ev->dur_ns >= SYN_AGAIN_ONCE_NS ? MISHAP_SLOW :
		       ev->dur_ns >= 0 ? MISHAP_QUICK : MISHAP_NONE;
	if (!is_open(ev->old_state) || was_abandoned(ev))
		return MISHAP_NONE;
	if (ev->new_state == TCPFSM_STATE_CLOSE && rst)
		return MISHAP_RESET_RECEIVED;
	if (ev->new_state == TCPFSM_STATE_CLOSE && ev->cause == TCPFSM_CAUSE_SND_RST)
		return MISHAP_RESET_SENT;
	return ev->new_state == TCPFSM_STATE_CLOSE || ev->new_state == TCPFSM_STATE_TIME_WAIT ?
	       MISHAP_ENDED : MISHAP_NONE;
}

static enum mishap_kind kind_of_failure(const struct tcpfsm_event *ev)
{
	switch (ev->rec.arg) {
	case EADDRNOTAVAIL:
		return MISHAP_NO_PORT;
	case ECONNREFUSED:
		return MISHAP_REFUSED;
	case ETIMEDOUT:
		return MISHAP_TIMED_OUT;
	}
	return MISHAP_NONE;
}

/* Each connection counts once. */
static enum mishap_kind kind_of_retransmit(const struct tcpfsm_event *ev)
{
	if (ev->rec.verdict == TCPFSM_SEGMENT_SYN)
		return ev->rec.arg == SYN_AGAIN ? MISHAP_UNANSWERED : MISHAP_NONE;
	/* The first times may have been before anybody looked. */
	return ev->rec.verdict != TCPFSM_SEGMENT_SYNACK && ev->rec.arg >= PEER_GONE_AGAIN ?
	       MISHAP_PEER_GONE : MISHAP_NONE;
}

static enum mishap_kind kind_of(const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		return kind_of_transition(ev);
	case TCPFSM_EVENT_TIMEWAIT:
		return ev->rec.verdict == TCPFSM_TW_DENIED ? MISHAP_DENIED : MISHAP_NONE;
	case TCPFSM_EVENT_CONNECT_FAILED:
		return kind_of_failure(ev);
	case TCPFSM_EVENT_RETRANSMIT:
		return kind_of_retransmit(ev);
	}
	return MISHAP_NONE;
}

/* The service has the port that is not ephemeral: the lower one.  Return: is it here? */
static bool service_of(const struct tcpfsm_record *r, struct mishap_key *key)
{
	bool here = r->lport < r->rport;

	key->family = r->family;
	key->rport = here ? r->lport : r->rport;
	if (!here)
		memcpy(key->raddr, r->raddr, sizeof(key->raddr));
	return here;
}

static void destination_of(const struct tcpfsm_record *r, struct mishap_key *key, bool laddr)
{
	key->family = r->family;
	key->rport = r->rport;
	key->dev = record_dev(r);
	if (laddr)
		memcpy(key->laddr, r->laddr, sizeof(key->laddr));
	memcpy(key->raddr, r->raddr, sizeof(key->raddr));
}

/* Was a connect() slow there before? */
static bool after_slow(const struct mishaps *t, const struct tcpfsm_record *r, struct mishap_key key)
{
	key.kind = MISHAP_SLOW;
	destination_of(r, &key, false);
	return find(t, &key);
}

/* What the ports are taken by, at the moment when one is missing. */
static void look_at_ports(struct mishap *m, const struct tcpfsm_event *ev,
			  struct tcpfsm_timewaits *ledger)
{
	struct tcpfsm_timewait dest = {
		.family = ev->rec.family, .rport = ev->rec.rport, .netns = ev->rec.netns,
	};

	memcpy(dest.laddr, ev->rec.laddr, sizeof(dest.laddr));
	memcpy(dest.raddr, ev->rec.raddr, sizeof(dest.raddr));
	m->mini = m->open = 0;
	m->tw_known = (uint32_t)timewaits_population(ledger, ev->rec.netns);
	if (!timewaits_taken(ledger, &dest))
		return;
	m->mini = (uint32_t)mini(&dest);
	m->open = (uint32_t)dest.open;
}

/* They were another one's, with the same inode. */
static void forget(struct mishaps *t, uint32_t netns)
{
	struct mishap *of = t->table.slab;
	uint32_t i;

	for (i = 1; i < t->table.end; i++) {
		struct mishap *m = &of[i];

		if (!m->key.kind || m->key.netns != netns)
			continue;
		table_del(&t->table, &type, hash_key(&t->table, &m->key), m);
		memset(&m->key, 0, sizeof(m->key));
	}
}

/* Return: 0 or -ENOMEM. */
static int make_tables(struct mishaps *t)
{
	if (t->table.slab)
		return 0;
	t->segments = calloc(WAYS << SEGMENT_BITS, sizeof(*t->segments));
	if (!t->segments || table_init(&t->table, &type, FIRST, MISHAPS_MAX)) {
		free(t->segments);
		t->segments = NULL;
		return -ENOMEM;
	}
	table_seed(&t->table);
	return 0;
}

/* The same connections try on. */
static void go_on(struct mishap *m, const struct tcpfsm_event *ev)
{
	uint64_t due = RTO_NS << (ev->rec.arg < 16 ? ev->rec.arg : 16);

	if (!m)
		return;
	due = ev->ts + (due < RTO_MAX_NS ? due : RTO_MAX_NS);
	m->last = ev->ts;
	if (due > m->due)
		m->due = due;
}

static void fill_mishap(struct mishap *m, const struct tcpfsm_event *ev, bool here, bool met,
			unsigned int again, struct tcpfsm_timewaits *ledger)
{
	const struct tcpfsm_record *r = &ev->rec;

	m->tw = r->tw;
	m->met += met;
	switch (m->key.kind) {
	case MISHAP_NO_PORT:
		m->some += !!r->lport;
		look_at_ports(m, ev, ledger);
		break;
	case MISHAP_DENIED:
		m->some += r->tw >= r->tw_max;
		break;
	case MISHAP_SLOW:
		m->some += again >= SYN_AGAIN && !met;
		if (ev->dur_ns > m->longest)
			m->longest = ev->dur_ns;
		break;
	case MISHAP_PEER_GONE:
		go_on(m, ev);
		break;
	default:
		m->some += here;
	}
}

int mishaps_event(struct mishaps *t, const struct tcpfsm_event *ev, struct tcpfsm_timewaits *ledger)
{
	const struct tcpfsm_record *r = &ev->rec;
	enum mishap_kind kind = kind_of(ev);
	bool here = false, met = false, again_only = false;
	unsigned int again = 0;
	struct mishap_key key;
	struct mishap *m;

	if (ev->type == TCPFSM_EVENT_NETNS)
		forget(t, ev->rec.netns);
	/* Not of those that are there now. */
	if (ev->netns_gone)
		return 0;
	if ((kind && kind != MISHAP_QUICK) || is_segment(ev)) {
		if (make_tables(t))
			return -ENOMEM;
		follow_segment(t, ev);
	}
	if (kind == MISHAP_UNANSWERED || kind == MISHAP_TIMED_OUT || kind == MISHAP_SLOW)
		met = has_met(t, ev, kind);
	if (kind == MISHAP_TIMED_OUT || kind == MISHAP_SLOW || kind == MISHAP_QUICK)
		again = sent_again(t, ev);
	if (kind == MISHAP_PEER_GONE)
		again_only = is_counted(t, ev);
	key = (struct mishap_key) { .kind = (uint8_t)kind, .netns = r->netns };
	if (!kind || (kind == MISHAP_QUICK && !after_slow(t, r, key)))
		return 0;
	if (again_only)
		go_on(find(t, &key), ev);
	else if (key.kind >= MISHAP_REFUSED)
		count(t, &key, ev);
	if (key.kind >= MISHAP_RESET_SENT)
		here = service_of(r, &key);
	else if (key.kind == MISHAP_NO_PORT || key.kind >= MISHAP_REFUSED)
		destination_of(r, &key, key.kind == MISHAP_NO_PORT);
	/* A client's port says nothing. */
	if (key.kind == MISHAP_PEER_GONE && r->lport < r->rport)
		key.rport = 0;
	if (again_only) {
		go_on(find(t, &key), ev);
		return 0;
	}
	m = count(t, &key, ev);
	if (!m)
		return 0;
	fill_mishap(m, ev, here, met, again, ledger);
	if (kind == MISHAP_UNANSWERED && !met)
		is_unanswered(t, m, ev);
	/* A reset is the end of a connection, too. */
	if (key.kind == MISHAP_RESET_SENT || key.kind == MISHAP_RESET_RECEIVED) {
		key.kind = MISHAP_ENDED;
		count(t, &key, ev);
	}
	return 0;
}

const struct mishap *mishaps_of_netns(const struct mishaps *t, enum mishap_kind kind,
				      uint32_t netns)
{
	const struct mishap_key key = { .kind = (uint8_t)kind, .netns = netns };

	return find(t, &key);
}

const struct mishap *mishaps_of_destination(const struct mishaps *t,
					    const struct tcpfsm_timewait *dest)
{
	struct mishap_key key = {
		.kind = MISHAP_NO_PORT, .family = dest->family, .rport = dest->rport,
		.netns = dest->netns, .dev = dest->dev,
	};

	if (dest->inbound || dest->rest)
		return NULL;
	memcpy(key.laddr, dest->laddr, sizeof(key.laddr));
	memcpy(key.raddr, dest->raddr, sizeof(key.raddr));
	return find(t, &key);
}

void mishaps_sum(const struct mishaps *t, uint32_t netns, uint64_t n[MISHAP_KINDS])
{
	const struct mishap *m;
	uint32_t i;

	memset(n, 0, MISHAP_KINDS * sizeof(*n));
	for (i = 0; (m = mishaps_at(t, i)); i++)
		if (!m->key.family && (!netns || m->key.netns == netns))
			n[m->key.kind] += m->n;
}

size_t mishaps_top(const struct mishaps *t, enum mishap_kind kind, uint32_t netns,
		   const struct mishap **top, size_t n)
{
	const struct mishap *m;
	size_t k, len = 0;
	uint32_t i;

	/* Most network namespaces have none: these need not be looked for. */
	if (!mishaps_of_netns(t, kind, netns))
		return 0;
	for (i = 0; (m = mishaps_at(t, i)); i++) {
		if (m->key.kind != kind || m->key.netns != netns || !m->key.family)
			continue;
		for (k = len < n ? len++ : n; k && mishap_unmet(top[k - 1]) < mishap_unmet(m); k--)
			if (k < n)
				top[k] = top[k - 1];
		if (k < n)
			top[k] = m;
	}
	return len;
}

const struct mishap *mishaps_also(const struct mishaps *t, const struct mishap *m,
				  enum mishap_kind kind)
{
	struct mishap_key key = m->key;

	key.kind = (uint8_t)kind;
	return find(t, &key);
}

/* What was read of a process: from when on it is known to be that one, and until when it is known not to. */
#define PROCESSES	16U

struct named {
	uint32_t pid;
	uint64_t from, until;
	char comm[17];
};

/* A process has many of these, and to ask for it takes system calls. */
static void name_one(struct named *n, struct mishap *m, uint64_t ts)
{
	if (n->pid != m->pid)
		*n = (struct named) { .pid = m->pid, .from = UINT64_MAX };
	if (ts < n->from && ts > n->until) {
		memcpy(n->comm, m->comm, sizeof(n->comm));
		if (process_name(m->pid, ts, n->comm))
			n->from = ts;
		else
			n->until = ts;
	}
	if (ts >= n->from)
		memcpy(m->comm, n->comm, sizeof(m->comm));
}

void mishaps_name(struct mishaps *t, int64_t epoch_offset)
{
	struct named named[PROCESSES] = { { .pid = 0 } };
	struct mishap *of = t->table.slab;
	uint32_t i;

	for (i = 1; i < t->table.end; i++) {
		struct mishap *m = &of[i];

		if (m->key.kind && m->has_owner)
			name_one(&named[m->pid % PROCESSES], m, m->acted - (uint64_t)epoch_offset);
	}
}

void mishaps_free(struct mishaps *t)
{
	free(t->segments);
	table_exit(&t->table);
}
