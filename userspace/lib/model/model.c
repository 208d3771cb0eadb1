// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * From what the kernel does to the story RFC 9293 tells.
 *
 * The kernel tells a passive open when it is over, says CLOSE when it enters
 * TIME_WAIT and goes through two states in one segment.  So a few kinds of
 * record are told only when their successor is known; records of other
 * connections queue up behind them, so that the order of time is kept.
 *
 * Everything here is a function of the records and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/clock.h"
#include "closer.h"
#include "conns.h"
#include "living.h"
#include "spaces.h"
#include "opts.h"
#include "tcpfsm.h"

#define CONNS_DEFAULT	((size_t)1 << 20)
#define CPUS_MAX	65536U
#define QUEUE_LEN	256U		/* a power of two */

/* A hint and the change of state it explains are microseconds apart. */
#define HINT_NS		100000000ULL

#define TYPE(t)		TCPFSM_TYPE_##t
#define EVENT(t)	TCPFSM_EVENT_##t
#define STATE(s)	TCPFSM_STATE_##s
#define CAUSE(c)	TCPFSM_CAUSE_##c

/* conn.hint */
enum { HINT_NONE, HINT_RST_RECEIVED, HINT_RST_SENT, HINT_SHUTDOWN };

/* conn.flags */
#define C_PASSIVE	0x01	/* made by a listener */
#define C_ACTIVE	0x02	/* made by connect() */
#define C_MINI		0x04	/* became a mini-socket: the full socket's CLOSE means nothing */
#define C_NO_RST	0x08	/* the kernel reset it by itself, see on_reset() */
#define C_COOKIES	0x10	/* a listener that answered with SYN cookies */
#define C_SEEN		0x20	/* in the resync under way */
#define C_HALF		0x40	/* shut down, not closed: in FIN_WAIT2 its process still has it */

struct cpu {
	uint32_t netns;
	uint16_t lport;
	bool clone;		/* a child without a request was just made for lport */
	/* TIME_WAIT that just made way for a connection of the same addresses and ports. */
	struct {
		uint64_t conn, ts;
		uint32_t netns;
		uint16_t lport, rport;
		uint8_t laddr[16], raddr[16];
	} made_way;
};

/* Transitions since they were asked for, by what they are. */
#define KINDS		(1U << 14)
#define KINDS_MAX	256U	/* more are not told apart; there are about 60 */

struct moves {
	uint32_t *n;		/* [KINDS] */
	uint16_t kind[KINDS_MAX]; /* those that are not 0 */
	unsigned int kinds;
};

struct tcpfsm_model {
	struct conns conns;
	struct spaces spaces;
	struct cpu *cpus;
	uint32_t ncpus;
	bool raw;
	bool quiet;		/* only lives are told */
	bool watch;		/* lives, what is notable, and transitions as numbers */
	bool clients;		/* watch: all that is heard of clients is told */
	bool opens;		/* watch: and who comes from SYN_SENT to ESTABLISHED */
	struct moves moves;
	uint64_t refused_ts;	/* watch: when a listener last refused somebody, or somebody did not answer it */
	uint64_t resent_ts;	/* watch: when a SYN was last sent again */
	bool syncing;		/* a resync is under way */
	int64_t epoch_offset;
	bool keep_clock;
	uint64_t snap_ts;	/* of the snapshot */

	tcpfsm_event_fn fn;	/* of the call under way */
	void *arg;
	int rc;
	struct tcpfsm_event ev;

	uint32_t head, n;	/* of queue */
	struct tcpfsm_item queue[QUEUE_LEN];
};

/* ---- events ----------------------------------------------------------------- */

static void emit(struct tcpfsm_model *m)
{
	if (!m->rc)
		m->rc = m->fn(&m->ev, m->arg);
}

static struct tcpfsm_event *event(struct tcpfsm_model *m, const struct tcpfsm_item *it,
				  const struct conn *c, uint8_t type)
{
	struct tcpfsm_event *ev = &m->ev;

	ev->type = type;
	ev->old_state = it->rec.old_state;
	ev->new_state = it->rec.new_state;
	ev->cause = CAUSE(NONE);
	ev->has_queues = it->rec.flags & TCPFSM_F_PASSIVE;
	ev->has_owner = c && c->pid;
	ev->closer = TCPFSM_CLOSER_NONE;
	ev->cpu = it->cpu;
	ev->ts = it->rec.ts + (uint64_t)m->epoch_offset;
	ev->dur_ns = -1;
	ev->netns_gone = spaces_gone(&m->spaces, it->rec.netns, it->rec.ts);
	ev->life = conns_life(&m->conns, c);
	ev->rec = it->rec;
	if (ev->has_owner) {
		ev->pid = c->pid;
		memcpy(ev->comm, c->comm, sizeof(c->comm));
	} else {
		ev->pid = 0;
		ev->comm[0] = '\0';
	}
	return ev;
}

/* As event(), for records whose owner is that of the connection itself. */
static struct tcpfsm_event *event_own(struct tcpfsm_model *m, const struct tcpfsm_item *it,
				      const struct conn *c, uint8_t type)
{
	const struct tcpfsm_record *r = &it->rec;
	struct tcpfsm_event *ev = event(m, it, c, type);

	if (r->flags & TCPFSM_F_OWNER) {
		ev->has_owner = true;
		ev->pid = r->pid;
		memcpy(ev->comm, r->comm, sizeof(r->comm));
	}
	return ev;
}

static int64_t since(uint64_t then, uint64_t now)
{
	return then && now >= then ? (int64_t)(now - then) : -1;
}

static void enter(struct tcpfsm_model *m, struct conn *c, uint8_t state, uint64_t ts)
{
	if (!c)
		return;
	c->state = state;
	c->snap = 0;
	c->since = ts;
	c->hint = HINT_NONE;
	if (state == STATE(CLOSE)) {
		c->flags &= C_PASSIVE | C_COOKIES;
		c->clones = 0;
		c->again = 0;
		conns_bury(&m->conns, c);
	} else if (c->dead) {
		conns_revive(&m->conns, c);
	}
}

static void life_begin(struct tcpfsm_life *life, const struct tcpfsm_record *r, uint64_t ts,
		       uint8_t old)
{
	memset(life, 0, sizeof(*life));
	life->begin = ts;
	life->whole = old == STATE(CLOSE) || old == STATE(LISTEN);
	life->passive = old == STATE(LISTEN);
	life->closer = closer_in(old);
	life->netns = r->netns;
	life->family = r->family;
	life->lport = r->lport;
	life->rport = r->rport;
	memcpy(life->laddr, r->laddr, sizeof(life->laddr));
	memcpy(life->raddr, r->raddr, sizeof(life->raddr));
}

static inline __attribute__((always_inline)) void
live(const struct tcpfsm_model *m, struct tcpfsm_life *life, const struct tcpfsm_record *r,
     uint8_t old, uint8_t new, uint8_t cause, int64_t dur)
{
	bool begins = old == STATE(CLOSE) || old == STATE(LISTEN);
	uint8_t closer;

	if (begins || !life->begin)
		life_begin(life, r, r->ts + (uint64_t)m->epoch_offset, old);
	life->causes |= 1U << cause;
	/* In watch mode nobody reads the rest of a life. */
	if (m->watch) {
		closer = m->opens ? closer_by(old, new, cause) : TCPFSM_CLOSER_NONE;
		if (closer)
			life->closer = closer;
		return;
	}

	/* A recording may name any states: not all have a slot. */
	if (dur > 0 && !begins && TCPFSM_LIFE_SLOT(old) < TCPFSM_LIFE_TIMES)
		life->time[TCPFSM_LIFE_SLOT(old)] += (uint64_t)dur;
	life->states |= (uint16_t)(1U << old | 1U << new);
	if (new == STATE(ESTABLISHED) && life->whole && !(r->flags & TCPFSM_F_REPAIR))
		life->setup = r->ts + (uint64_t)m->epoch_offset - life->begin;
	closer = closer_by(old, new, cause);
	if (closer)
		life->closer = closer;
}

static inline void count_move(struct tcpfsm_model *m, uint8_t type, uint8_t old, uint8_t new,
			      uint8_t cause)
{
	unsigned int kind = (old & 15U) << 10 | (new & 15U) << 6 |
			    (unsigned int)(type == TYPE(REQUEST_GONE)) << 5 | (cause & 31U);

	if (!m->moves.n[kind]) {
		if (m->moves.kinds == KINDS_MAX)
			return;
		m->moves.kind[m->moves.kinds++] = (uint16_t)kind;
	}
	m->moves.n[kind]++;
}

/* While a listener refuses, those who get through are of interest, too. */
#define REFUSING_NS	(60 * NSEC_PER_SEC)
/* A SYN-ACK gets lost now and then, but not twice. */
#define SYNACK_AGAIN	2

static inline bool is_told(const struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	return m->watch && !m->clients ? m->refused_ts && r->ts - m->refused_ts < REFUSING_NS : !m->quiet;
}

/*
 * Worth to be told to who watches: where a connection takes its port and gives it back.
 * TIME_WAIT has events of its own, but for how one came there.
 */
static inline bool is_notable(const struct tcpfsm_model *m, const struct tcpfsm_record *r,
			      uint8_t old, uint8_t new)
{
	if (new == STATE(ESTABLISHED) && old == STATE(SYN_SENT))
		return m->opens || (m->resent_ts && r->ts - m->resent_ts < REFUSING_NS);
	if (new == STATE(ESTABLISHED))
		return r->flags & TCPFSM_F_PASSIVE && is_told(m, r);
	return 1U << (new & 15) & (1U << STATE(CLOSE) | 1U << STATE(SYN_SENT) | 1U << STATE(LISTEN)) ||
	       old == STATE(CLOSING);
}

static inline __attribute__((always_inline)) void
transition_inline(struct tcpfsm_model *m, const struct tcpfsm_item *it, struct conn *c,
		  uint8_t old, uint8_t new, uint8_t cause)
{
	int64_t dur = -1;
	struct tcpfsm_event *ev;

	if ((!m->watch || old == STATE(SYN_SENT)) && c && c->state == old)
		dur = since(c->since, it->rec.ts);

	if (m->conns.lives && c)
		live(m, conns_life(&m->conns, c), &it->rec, old, new, cause, dur);
	if (m->watch)
		count_move(m, it->rec.type, old, new, cause);
	if (m->watch ? is_notable(m, &it->rec, old, new) : !m->quiet || new == STATE(CLOSE)) {
		if (it->rec.type == TYPE(STATE))
			ev = event_own(m, it, c, EVENT(TRANSITION));
		else
			ev = event(m, it, c, EVENT(TRANSITION));
		ev->old_state = old;
		ev->new_state = new;
		ev->cause = cause;
		ev->dur_ns = dur;
		emit(m);
	}
	enter(m, c, new, it->rec.ts);
	if (c && new == STATE(FIN_WAIT1) && cause == CAUSE(SHUTDOWN))
		c->flags |= C_HALF;
}

static void transition(struct tcpfsm_model *m, const struct tcpfsm_item *it, struct conn *c,
		       uint8_t old, uint8_t new, uint8_t cause)
{
	transition_inline(m, it, c, old, new, cause);
}

/* ---- connections ------------------------------------------------------------ */

/* What the snapshot says is what the state is by now. */
static void use_snap(struct conn *c)
{
	/* It had not found this one, which is there all the same. */
	if (c->snap != STATE(CLOSE)) {
		/* How it came there was lost, and when. */
		if (c->state)
			c->since = 0;
		c->state = c->snap;
	}
	c->snap = 0;
}

static inline __attribute__((always_inline)) struct conn *
known(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	struct conn *c = r->conn ? conns_find(&m->conns, r->conn) : NULL;

	/* A closed one comes to life only when it changes state. */
	if (c)
		conns_touch(c);
	/*
	 * Nothing before the snapshot told of another state.  A SYN is always
	 * the first of its connection, but logged after the request is there.
	 */
	if (c && c->snap && r->ts >= m->snap_ts && r->type != TYPE(SYN))
		use_snap(c);
	return c;
}

static struct conn *new_conn(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	struct conn *c = conns_add(&m->conns, r->conn);

	if (c) {
		c->netns = r->netns;
		c->lport = r->lport;
	}
	return c;
}

static inline struct conn *known_or_new(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	struct conn *c = known(m, r);

	return c ? c : new_conn(m, r);
}

/* With lives, also one that is first heard of now, in mid-life. */
static struct conn *known_to_live(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	return m->conns.lives ? known_or_new(m, r) : known(m, r);
}

static void learn_owner(struct conn *c, const struct tcpfsm_record *r)
{
	if (c && r->flags & TCPFSM_F_OWNER) {
		c->pid = r->pid;
		memcpy(c->comm, r->comm, sizeof(c->comm));
	}
}

static void give_hint(struct conn *c, uint8_t hint, uint64_t ts)
{
	if (c) {
		c->hint = hint;
		c->hint_ts = ts;
	}
}

static bool hinted(const struct conn *c, uint8_t hint, uint64_t now)
{
	return c && c->hint == hint && now - c->hint_ts < HINT_NS;
}

static struct cpu *cpu_of(struct tcpfsm_model *m, uint32_t n)
{
	static struct cpu nowhere;

	if (n >= m->ncpus) {
		uint32_t want = n < 15 ? 16 : n + 1;
		struct cpu *cpus;

		cpus = n < CPUS_MAX ? realloc(m->cpus, want * sizeof(*cpus)) : NULL;
		if (!cpus) {
			memset(&nowhere, 0, sizeof(nowhere));
			return &nowhere;
		}
		memset(cpus + m->ncpus, 0, (want - m->ncpus) * sizeof(*cpus));
		m->cpus = cpus;
		m->ncpus = want;
	}
	return &m->cpus[n];
}

/* The SYN or connect() that follows tells of its predecessor. */
static void makes_way(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct cpu *cpu = cpu_of(m, it->cpu);

	cpu->made_way.conn = r->conn;
	cpu->made_way.ts = r->ts;
	cpu->made_way.netns = r->netns;
	cpu->made_way.lport = r->lport;
	cpu->made_way.rport = r->rport;
	memcpy(cpu->made_way.laddr, r->laddr, sizeof(r->laddr));
	memcpy(cpu->made_way.raddr, r->raddr, sizeof(r->raddr));
}

/* Cookie of the connection whose TIME_WAIT made way for this one, or 0. */
static uint64_t predecessor(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct cpu *cpu = cpu_of(m, it->cpu);
	uint64_t conn = cpu->made_way.conn;

	if (!conn)
		return 0;
	cpu->made_way.conn = 0;
	if (r->ts - cpu->made_way.ts > HINT_NS || r->netns != cpu->made_way.netns ||
	    r->lport != cpu->made_way.lport || r->rport != cpu->made_way.rport ||
	    memcmp(r->laddr, cpu->made_way.laddr, sizeof(r->laddr)) ||
	    memcmp(r->raddr, cpu->made_way.raddr, sizeof(r->raddr)))
		return 0;
	return conn;
}

/* ---- causes ----------------------------------------------------------------- */

/* What tcp_v4_err() and tcp_v6_err() make of an ICMP message. */
static bool icmp_errno(uint8_t err)
{
	switch (err) {
	case EACCES:
	case ECONNREFUSED:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case EMSGSIZE:
	case ENETUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case EPROTO:
		return true;
	}
	return false;
}

/*
 * Why a full socket went to CLOSE.  An RST is named only if the hooks have seen it: rst, the one
 * that this end sends right after.
 */
static uint8_t close_cause(const struct conn *c, const struct tcpfsm_record *r, bool rst)
{
	/* What would have led on, but for want of a mini-socket. */
	if (r->verdict == TCPFSM_TW_DENIED)
		return r->reason == STATE(FIN_WAIT2) ? CAUSE(ABORT) :
		       r->old_state == STATE(CLOSING) ? CAUSE(RCV_ACK_OF_FIN) : CAUSE(RCV_FIN);
	/* Its sk_err may be of an earlier life, as a connection. */
	if (r->old_state == STATE(LISTEN))
		return CAUSE(CLOSE);
	/* tcp_reset(); MPTCP leaves no error, and sends one itself. */
	if (hinted(c, HINT_RST_RECEIVED, r->ts))
		return CAUSE(RCV_RST);

	/* tcp_done_with_error(): sk_err is set before the state. */
	switch (r->arg) {
	case 0:
		break;
	case ETIMEDOUT:			/* tcp_write_err() */
		return CAUSE(TIMEOUT);
	case ECONNABORTED:		/* tcp_abort(): ss -K */
		return CAUSE(ABORT);
	default:
		if (c && c->flags & C_NO_RST)
			return CAUSE(SND_RST);
		if (icmp_errno(r->arg))	/* at once, or as the soft error of a time-out */
			return r->reason == TCPFSM_REASON_NO_ROUTE ? CAUSE(NO_ROUTE) : CAUSE(ICMP);
	}
	/* TCP_REPAIR: gone without a segment. */
	if (r->flags & TCPFSM_F_REPAIR)
		return CAUSE(ABORT);

	switch (r->old_state) {
	case STATE(SYN_SENT):		/* connect() that fails: see on_state() */
		return CAUSE(CLOSE);
	case STATE(LAST_ACK):
		return hinted(c, HINT_RST_SENT, r->ts) ? CAUSE(SND_RST) :
							 CAUSE(RCV_ACK_OF_FIN);
	case STATE(FIN_WAIT2):
		/*
		 * The timer sends its RST before it gives up; data after
		 * close() and TCP_LINGER2 < 0 have theirs sent afterwards.
		 */
		if (rst)
			return CAUSE(SND_RST);
		/* Else it became a mini-socket, and that was not seen. */
		return hinted(c, HINT_RST_SENT, r->ts) ? CAUSE(TIMEOUT) : CAUSE(NONE);
	case STATE(CLOSING):
		/* tcp_disconnect() sends none here, tcp_out_of_resources() may. */
		if (rst || hinted(c, HINT_RST_SENT, r->ts))
			return CAUSE(SND_RST);
		return r->flags & TCPFSM_F_TASK ? CAUSE(ABORT) : CAUSE(NONE);
	default:
		/*
		 * close() with unread data or SO_LINGER 0, and children that were never
		 * accepted send an RST afterwards; orphans without resources before.
		 */
		return rst || hinted(c, HINT_RST_SENT, r->ts) ? CAUSE(SND_RST) : CAUSE(ABORT);
	}
}

static inline uint8_t cause_of(const struct conn *c, const struct tcpfsm_record *r)
{
	switch (r->new_state) {
	case STATE(SYN_SENT):
		return CAUSE(ACTIVE_OPEN);
	case STATE(LISTEN):
		return CAUSE(PASSIVE_OPEN);
	case STATE(SYN_RECV):
		return CAUSE(RCV_SYN);
	case STATE(ESTABLISHED):
		if (r->old_state == STATE(SYN_SENT) && r->flags & TCPFSM_F_REPAIR)
			return CAUSE(NONE);
		return r->old_state == STATE(SYN_SENT) ? CAUSE(RCV_SYNACK) : CAUSE(RCV_ACK_OF_SYN);
	case STATE(FIN_WAIT1):
	case STATE(LAST_ACK):
		/* close() shuts both directions before, shutdown() but its own. */
		if (hinted(c, HINT_SHUTDOWN, r->ts) ||
		    (r->flags & (TCPFSM_F_SHUT_SEND | TCPFSM_F_SHUT_RCV)) == TCPFSM_F_SHUT_SEND)
			return CAUSE(SHUTDOWN);
		return CAUSE(CLOSE);
	case STATE(CLOSE_WAIT):
	case STATE(CLOSING):
		return CAUSE(RCV_FIN);
	case STATE(FIN_WAIT2):
		return CAUSE(RCV_ACK_OF_FIN);
	case STATE(CLOSE):
		return close_cause(c, r, false);
	}
	return CAUSE(NONE);
}

/* ---- successors -------------------------------------------------------------- */

/* An item of the queue, 0 being the oldest. */
static const struct tcpfsm_item *queued(const struct tcpfsm_model *m, uint32_t i)
{
	return &m->queue[(m->head + i) % QUEUE_LEN];
}

static bool is_type(const struct tcpfsm_item *it, uint8_t type, uint64_t conn)
{
	return it && !it->lost && it->rec.type == type && it->rec.conn == conn;
}

/* The full socket of a connection goes to CLOSE. */
static bool is_close(const struct tcpfsm_item *it, uint64_t conn)
{
	return is_type(it, TYPE(STATE), conn) && it->rec.new_state == STATE(CLOSE);
}

static bool is_rst_sent(const struct tcpfsm_item *it)
{
	return it && !it->lost && it->rec.type == TYPE(RESET) &&
	       it->rec.verdict == TCPFSM_DIRECTION_SENT;
}

static bool same_addresses(const struct tcpfsm_record *a, const struct tcpfsm_record *b)
{
	return a->netns == b->netns && a->lport == b->lport && a->rport == b->rport &&
	       a->family == b->family && !memcmp(a->laddr, b->laddr, sizeof(a->laddr)) &&
	       !memcmp(a->raddr, b->raddr, sizeof(a->raddr));
}

/* The RST by which the socket of r ends its connection, told right after that. */
static bool is_its_rst(const struct tcpfsm_item *it, const struct tcpfsm_record *r)
{
	/* What answers a segment finds a socket that is closed already. */
	return is_rst_sent(it) &&
	       (it->rec.conn ? it->rec.conn == r->conn : same_addresses(&it->rec, r));
}

/* Would close_cause() name an RST that follows? */
static bool may_close_with_rst(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	const struct conn *c;

	if (r->verdict || r->old_state == STATE(LISTEN) || r->old_state == STATE(LAST_ACK))
		return false;
	c = conns_find(&m->conns, r->conn);
	return !(c && c->flags & C_MINI) && close_cause(c, r, true) == CAUSE(SND_RST);
}

/*
 * The full socket becomes a mini-socket.  In a softirq its STATE to CLOSE tells
 * it; in process context a softirq may come in between, so there are two records.
 */
static bool enters(const struct tcpfsm_record *r, uint8_t substate)
{
	if (r->verdict != TCPFSM_TW_ENTER)
		return false;
	if (r->type == TYPE(STATE))
		return r->new_state == STATE(CLOSE) && r->reason == substate;
	return r->type == TYPE(TIMEWAIT) && r->new_state == substate;
}

static bool is_same_segment(const struct tcpfsm_item *it, uint64_t conn)
{
	return it && !it->lost && it->rec.conn == conn && enters(&it->rec, STATE(TIME_WAIT)) &&
	       it->rec.flags & TCPFSM_F_SAME_SEGMENT;
}

/* Most records need none, whatever else they tell. */
static inline bool may_need_successor(const struct tcpfsm_record *r)
{
	return r->type == TYPE(STATE) ? r->new_state == STATE(FIN_WAIT2) || r->new_state == STATE(CLOSE) :
					r->type == TYPE(TIMEWAIT) || r->type == TYPE(RESET);
}

/* A state from which TIME_WAIT is entered by this record. */
static bool leads_to_time_wait(const struct conn *c, const struct tcpfsm_record *r)
{
	if (!c)
		return false;
	return c->state == STATE(FIN_WAIT2) || c->state == STATE(CLOSING) ||
	       (c->state == STATE(FIN_WAIT1) && r->flags & TCPFSM_F_SAME_SEGMENT);
}

/* Can this record only be told when its successor is known? */
static bool needs_successor(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	const struct conn *c;

	if (it->lost || !r->conn)
		return false;
	switch (r->type) {
	case TYPE(STATE):
		if (r->new_state == STATE(FIN_WAIT2))
			return r->old_state == STATE(FIN_WAIT1);
		if (r->new_state != STATE(CLOSE))
			return false;
		if (r->old_state == STATE(SYN_SENT))
			return !r->arg && r->flags & TCPFSM_F_TASK &&
			       !(r->flags & TCPFSM_F_SHUT_SEND);
		if (r->old_state == STATE(SYN_RECV)) {
			c = conns_find(&m->conns, r->conn);
			if (c && c->clones)
				return true;
		}
		return may_close_with_rst(m, r);
	case TYPE(TIMEWAIT):
		if (!enters(r, STATE(TIME_WAIT)) || r->flags & TCPFSM_F_SAME_SEGMENT)
			return false;
		return !leads_to_time_wait(conns_find(&m->conns, r->conn), r);
	case TYPE(RESET):
		return r->verdict == TCPFSM_DIRECTION_RECEIVED &&
		       (r->old_state == STATE(FIN_WAIT1) || r->old_state == STATE(FIN_WAIT2));
	}
	return false;
}

/* Of one thread of execution, both on one CPU, or is b a guest between? */
static bool same_context(const struct tcpfsm_record *a, const struct tcpfsm_record *b)
{
	const uint8_t task = TCPFSM_F_TASK | TCPFSM_F_OWNER;

	/* A softirq goes on to its end, a task may be interrupted. */
	if (!(a->flags & TCPFSM_F_TASK))
		return true;
	return (a->flags & task) == (b->flags & task) && a->pid == b->pid;
}

/* Came b after a in the same place: about the same connection, or in the same context? */
static bool follows(const struct tcpfsm_item *a, const struct tcpfsm_item *b)
{
	if (!b->lost && b->rec.conn == a->rec.conn)
		return true;
	/* It may come at any time. */
	if (!b->lost && b->rec.type == TYPE(SUPPRESSED))
		return false;
	return b->cpu == a->cpu && (b->lost || same_context(&a->rec, &b->rec));
}

/* The queued record that follows item i.  0: not there yet. */
static uint32_t successor(const struct tcpfsm_model *m, uint32_t i)
{
	const struct tcpfsm_item *a = queued(m, i);

	while (++i < m->n)
		if (follows(a, queued(m, i)))
			return i;
	return 0;
}

/*
 * Finds what decides about the first item of the queue.  False: not there yet.
 * For a RESET received it is the record after the change of state it explains.
 */
static bool find_decider(const struct tcpfsm_model *m, const struct tcpfsm_item **next)
{
	const struct tcpfsm_item *first = queued(m, 0);
	uint32_t i = successor(m, 0);

	*next = NULL;
	if (!i)
		return false;
	if (first->rec.type == TYPE(RESET)) {
		if (!is_close(queued(m, i), first->rec.conn))
			return true;
		i = successor(m, i);
		if (!i)
			return false;
	}
	*next = queued(m, i);
	return true;
}

/* ---- records ----------------------------------------------------------------- */

/*
 * A child was cloned from its listener and came to nothing: its CLOSE follows.
 * The child of a SYN cookie has no request whose cookie it could share.
 */
static void on_clone(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct cpu *cpu = cpu_of(m, it->cpu);
	struct conn *c;

	cpu->clone = !r->conn;
	cpu->netns = r->netns;
	cpu->lport = r->lport;
	c = known_or_new(m, r);
	if (c && c->clones < UINT8_MAX)
		c->clones++;
}

static bool take_clone(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct cpu *cpu = cpu_of(m, it->cpu);
	bool ours = cpu->clone && cpu->lport == it->rec.lport && cpu->netns == it->rec.netns;

	if (ours)
		cpu->clone = false;
	return ours;
}

/* Has this listener been seen to answer with SYN cookies? */
static bool cookies_out(struct tcpfsm_model *m, uint64_t listener)
{
	const struct conn *c = listener ? conns_find(&m->conns, listener) : NULL;

	return c && c->flags & C_COOKIES;
}

static void on_passive_established(struct tcpfsm_model *m, const struct tcpfsm_item *it,
				   struct conn *c)
{
	const struct tcpfsm_record *r = &it->rec;
	struct tcpfsm_event *ev;

	if (!c || !(r->flags & (TCPFSM_F_PASSIVE | TCPFSM_F_CLONE) || c->flags & C_PASSIVE))
		return;
	c->clones = 0;
	/* Nothing was kept of a SYN answered with a cookie: it counts as of now. */
	if (!c->state && r->flags & TCPFSM_F_CLONE && cookies_out(m, r->listener))
		transition(m, it, c, STATE(LISTEN), STATE(SYN_RECV), CAUSE(RCV_SYN));

	c->flags |= C_PASSIVE;
	if (!c->queued)			/* Fast Open queues at the SYN */
		c->queued = r->ts;
	if (!is_told(m, r))
		return;
	ev = event(m, it, c, EVENT(HANDSHAKE_ACK));
	ev->old_state = STATE(SYN_RECV);
	ev->new_state = 0;
	ev->rec.verdict = TCPFSM_VERDICT_ESTABLISHED;
	ev->rec.reason = 0;
	emit(m);
}

static void on_connect_error(struct tcpfsm_model *m, const struct tcpfsm_item *it,
			     const struct conn *c)
{
	if (m->quiet)
		return;
	event_own(m, it, c, EVENT(CONNECT_FAILED));
	emit(m);
}

/* TIMEWAIT enter or denied, from a record of either type, of a full socket in state from. */
static void tell_mini(struct tcpfsm_model *m, const struct tcpfsm_item *it, const struct conn *c,
		      uint8_t substate, uint8_t from)
{
	struct tcpfsm_event *ev;

	if (m->quiet)
		return;
	ev = event(m, it, c, EVENT(TIMEWAIT));
	ev->rec.old_state = substate;
	ev->rec.new_state = substate;
	ev->rec.reason = 0;
	ev->old_state = substate;
	ev->new_state = substate;
	/* The FIN of this side went first, or the socket would be in LAST_ACK. */
	ev->closer = from == STATE(CLOSING) ? TCPFSM_CLOSER_BOTH : TCPFSM_CLOSER_LOCAL;
	emit(m);
}

/* A full socket in state from becomes a mini-socket. */
static void enter_mini(struct tcpfsm_model *m, const struct tcpfsm_item *it, struct conn *c,
		       uint8_t substate, uint8_t from)
{
	uint8_t cause = CAUSE(RCV_FIN);

	tell_mini(m, it, c, substate, from);
	if (c)
		c->flags &= (uint8_t)~C_HALF;
	if (substate != STATE(TIME_WAIT)) {
		/* It waits on for the FIN, only smaller. */
		if (c && c->state != substate)
			enter(m, c, substate, 0);
		return;
	}
	/* The FIN came with the ACK of ours: that FIN_WAIT2 was none. */
	if (it->rec.flags & TCPFSM_F_SAME_SEGMENT &&
	    (!c || !c->state || c->state == STATE(FIN_WAIT1)))
		from = STATE(FIN_WAIT1);
	if (from == STATE(FIN_WAIT1))
		cause = CAUSE(RCV_FIN_ACK);
	else if (from == STATE(CLOSING))
		cause = CAUSE(RCV_ACK_OF_FIN);
	transition(m, it, c, from, substate, cause);
}

/*
 * The kernel closes the socket and then sends the RST, which the RFC has the
 * other way round: it leaves from the state that it ends.  Next is in the queue,
 * and told with this.
 */
static void tell_rst_first(struct tcpfsm_model *m, const struct tcpfsm_item *it,
			   const struct conn *c, const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	struct tcpfsm_event *ev;

	if (m->quiet)
		return;
	if (!is_its_rst(next, r))
		return;
	ev = event_own(m, next, c, EVENT(RESET));
	ev->old_state = r->old_state;
	ev->new_state = next->rec.conn ? 0 : STATE(CLOSE);
	ev->cause = CAUSE(SND_RST);
	ev->ts = r->ts + (uint64_t)m->epoch_offset;
	ev->rec.ts = r->ts;
	ev->rec.old_state = r->old_state;
	ev->rec.conn = r->conn;
	emit(m);
	m->queue[next - m->queue].rec.type = 0;
}

/* To CLOSE: the end, or a mini-socket lives on, or a child was none. */
static void on_close(struct tcpfsm_model *m, const struct tcpfsm_item *it,
		     const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = known(m, r);
	uint8_t old = r->old_state, cause;
	bool connecting;

	/* tcp_close_state() sets the state also when it stays what it was. */
	if (old == STATE(CLOSE)) {
		learn_owner(c, r);
		return;
	}
	if (c && c->flags & C_MINI) {
		c->flags &= (uint8_t)~C_MINI;
		learn_owner(c, r);
		return;
	}
	/*
	 * A child that came to nothing while its request lives on; or both are
	 * gone, as the listener is, and then an RST follows.
	 */
	if (old == STATE(SYN_RECV) && c && c->clones && !is_rst_sent(next)) {
		c->clones--;
		return;
	}
	if (old == STATE(SYN_RECV) && !c && take_clone(m, it))
		return;
	if (!c && (r->verdict == TCPFSM_TW_ENTER || m->conns.lives))
		c = new_conn(m, r);
	learn_owner(c, r);

	if (r->verdict == TCPFSM_TW_ENTER) {
		enter_mini(m, it, c, r->reason, old);
		return;
	}
	if (r->verdict == TCPFSM_TW_DENIED)
		tell_mini(m, it, c, r->reason, old);

	cause = close_cause(c, r, is_its_rst(next, r));
	if (old == STATE(SYN_SENT) && is_type(next, TYPE(CONNECT_FAILED), r->conn))
		cause = CAUSE(ABORT);		/* connect() itself gave up */
	if (cause == CAUSE(SND_RST))
		tell_rst_first(m, it, c, next);
	connecting = old == STATE(SYN_SENT) || (old == STATE(SYN_RECV) && c && c->flags & C_ACTIVE);
	if (c && old == STATE(SYN_SENT))
		c->flags = (uint8_t)((c->flags & ~C_PASSIVE) | C_ACTIVE);
	transition(m, it, c, old, STATE(CLOSE), cause);

	/* Nobody calls connect() again to hear of it: this is its end. */
	if (r->arg && connecting)
		on_connect_error(m, it, c);
}

static void on_state(struct tcpfsm_model *m, const struct tcpfsm_item *it,
		     const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	uint8_t old = r->old_state, new = r->new_state;
	struct conn *c;

	if (new == STATE(CLOSE)) {
		on_close(m, it, next);
		return;
	}
	if (old == STATE(LISTEN) && new == STATE(SYN_RECV)) {
		on_clone(m, it);
		return;
	}
	c = known_or_new(m, r);
	learn_owner(c, r);
	if (old == new)
		return;
	if (old == STATE(FIN_WAIT1) && is_same_segment(next, r->conn)) {
		/* The same segment brought the FIN: straight to TIME_WAIT. */
		if (c && c->state != STATE(FIN_WAIT1))
			enter(m, c, STATE(FIN_WAIT1), 0);
		return;
	}

	if (old == STATE(SYN_RECV) && new == STATE(ESTABLISHED))
		on_passive_established(m, it, c);
	if (c && (old == STATE(SYN_SENT) || new == STATE(SYN_SENT)))
		c->flags = (uint8_t)((c->flags & ~C_PASSIVE) | C_ACTIVE);
	if (c && old == STATE(CLOSE) && new != STATE(LISTEN))
		c->queued = 0;
	if (new == STATE(SYN_SENT) && !m->quiet)
		m->ev.predecessor = predecessor(m, it);
	transition(m, it, c, old, new, cause_of(c, r));
	m->ev.predecessor = 0;
}

/* Moves on which nothing else hangs: half of all records. */
static inline bool is_plain(const struct tcpfsm_item *it)
{
	static const uint16_t plain[16] = {
		[STATE(SYN_SENT)] = 1U << STATE(ESTABLISHED),
		[STATE(ESTABLISHED)] = 1U << STATE(FIN_WAIT1) | 1U << STATE(CLOSE_WAIT),
		[STATE(CLOSE_WAIT)] = 1U << STATE(LAST_ACK),
	};
	const struct tcpfsm_record *r = &it->rec;

	return r->type == TYPE(STATE) && plain[r->old_state & 15] >> (r->new_state & 15) & 1 && !it->lost;
}

static void on_plain(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct conn *c = known_or_new(m, &it->rec);

	learn_owner(c, &it->rec);
	transition_inline(m, it, c, it->rec.old_state, it->rec.new_state, cause_of(c, &it->rec));
}

/* The fate of a SYN or of a third ACK, with what its listener once asked for. */
static void emit_verdict(struct tcpfsm_model *m)
{
	struct tcpfsm_event *ev = &m->ev;
	const struct tcpfsm_record *r = &ev->rec;
	const struct conn *l;

	if (r->verdict == TCPFSM_VERDICT_QUEUED || r->verdict == TCPFSM_VERDICT_ESTABLISHED) {
		emit(m);
		return;
	}
	l = r->listener ? conns_find(&m->conns, r->listener) : NULL;
	if (l)
		ev->asked = (uint32_t)l->asked;
	emit(m);
	ev->asked = 0;
}

static void on_syn(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = known(m, r);
	struct tcpfsm_event *ev;

	if (r->verdict != TCPFSM_VERDICT_QUEUED)
		m->refused_ts = r->ts;
	if (is_told(m, r)) {
		ev = event(m, it, c, EVENT(SYN));
		ev->old_state = STATE(LISTEN);
		ev->new_state = 0;
		ev->predecessor = predecessor(m, it);
		emit_verdict(m);
		ev->predecessor = 0;
	}
	if (r->verdict == TCPFSM_VERDICT_COOKIE && r->listener) {
		c = conns_find(&m->conns, r->listener);
		if (!c)
			c = conns_add(&m->conns, r->listener);
		if (c)
			c->flags |= C_COOKIES;
	}
	if (r->verdict != TCPFSM_VERDICT_QUEUED)
		return;

	if (!c)
		c = new_conn(m, r);
	if (c && c->state == STATE(SYN_RECV))
		return;
	transition(m, it, c, STATE(LISTEN), STATE(SYN_RECV), CAUSE(RCV_SYN));
	if (!c)
		return;
	c->flags |= C_PASSIVE;
	if (r->flags & TCPFSM_F_CLONE)	/* Fast Open: in the accept queue already */
		c->queued = r->ts;
}

static void on_ack(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct tcpfsm_event *ev;

	if (m->quiet)
		return;
	m->refused_ts = it->rec.ts;
	ev = event(m, it, known(m, &it->rec), EVENT(HANDSHAKE_ACK));
	ev->old_state = it->rec.conn ? STATE(SYN_RECV) : STATE(LISTEN);
	ev->new_state = 0;
	emit_verdict(m);
}

static void on_request_gone(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	static const uint8_t causes[] = {
		[TCPFSM_GONE_TIMEOUT]	 = CAUSE(TIMEOUT),
		[TCPFSM_GONE_RCV_RST]	 = CAUSE(RCV_RST),
		[TCPFSM_GONE_SND_RST]	 = CAUSE(SND_RST),
		[TCPFSM_GONE_CLOSE]	 = CAUSE(CLOSE),
		[TCPFSM_GONE_NETNS_EXIT] = CAUSE(NETNS_EXIT),
		[TCPFSM_GONE_ABORT]	 = CAUSE(ABORT),
		[TCPFSM_GONE_ICMP]	 = CAUSE(ICMP),
	};
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = known_to_live(m, r);

	if (r->verdict == TCPFSM_GONE_TIMEOUT)
		m->refused_ts = r->ts;
	if (c && c->state && c->state != STATE(SYN_RECV))
		return;			/* it became a connection after all */
	transition(m, it, c, m->raw ? STATE(NEW_SYN_RECV) : STATE(SYN_RECV), STATE(CLOSE),
		   r->verdict < sizeof(causes) ? causes[r->verdict] : CAUSE(NONE));
}

static uint8_t shown_state(const struct tcpfsm_model *m, uint8_t state)
{
	if (!state)			/* no socket at all */
		return STATE(CLOSE);
	if (state == STATE(NEW_SYN_RECV) && !m->raw)
		return STATE(SYN_RECV);
	return state;
}

static void on_retransmit(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = known_or_new(m, r);
	struct tcpfsm_life *life = conns_life(&m->conns, c);
	struct tcpfsm_event *ev;

	learn_owner(c, r);
	if (life && !life->begin)
		life_begin(life, r, r->ts + (uint64_t)m->epoch_offset, r->old_state);
	if (life && r->verdict && r->verdict <= 4 && life->retransmits[r->verdict - 1] < UINT16_MAX)
		life->retransmits[r->verdict - 1]++;
	if (r->verdict == TCPFSM_SEGMENT_SYN)
		m->resent_ts = r->ts;
	if (r->verdict == TCPFSM_SEGMENT_SYNACK && r->arg >= SYNACK_AGAIN)
		m->refused_ts = r->ts;
	if (m->quiet)
		return;
	ev = event(m, it, c, EVENT(RETRANSMIT));
	ev->old_state = shown_state(m, r->old_state);
	/* The kernel counts time-outs: not the loss probe that precedes the first. */
	if (c && !m->raw) {
		if (c->again && c->again_seq == (uint16_t)r->snd && c->again >= r->arg)
			ev->rec.arg = c->again < UINT8_MAX ? (uint8_t)(c->again + 1) : UINT8_MAX;
		c->again = ev->rec.arg;
		c->again_seq = (uint16_t)r->snd;
	}
	emit(m);
}

static void on_reset(struct tcpfsm_model *m, const struct tcpfsm_item *it,
		     const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	bool received = r->verdict == TCPFSM_DIRECTION_RECEIVED;
	struct conn *c = received ? known_or_new(m, r) : known(m, r);
	struct tcpfsm_event *ev;

	/*
	 * Data for a socket that nobody can read any more: the kernel calls
	 * tcp_reset() on itself, tracepoint and all, and then sends an RST.
	 */
	if (received && !m->raw && is_rst_sent(next) && same_addresses(r, &next->rec)) {
		if (c)
			c->flags |= C_NO_RST;
		return;
	}
	learn_owner(c, r);
	if (!m->quiet) {
		ev = event_own(m, it, c, EVENT(RESET));
		ev->old_state = shown_state(m, r->old_state);
		emit(m);
	}
	if (received || !hinted(c, HINT_RST_RECEIVED, r->ts))
		give_hint(c, received ? HINT_RST_RECEIVED : HINT_RST_SENT, r->ts);
}

static void on_accept(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct conn *c = known_or_new(m, &it->rec);
	struct tcpfsm_life *life;
	struct tcpfsm_event *ev;
	int64_t waited = -1;

	learn_owner(c, &it->rec);
	/* How fast it accepts is of interest while others are refused. */
	if (m->watch && !is_told(m, &it->rec))
		return;
	if (c) {
		waited = since(c->queued, it->rec.ts);
		c->queued = 0;
	}
	life = conns_life(&m->conns, c);
	if (life && life->begin && waited > 0)
		life->waited = (uint64_t)waited;
	if (m->quiet)
		return;
	ev = event_own(m, it, c, EVENT(ACCEPT));
	ev->dur_ns = waited;
	emit(m);
}

static void on_listen(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct conn *c = known_or_new(m, &it->rec);

	learn_owner(c, &it->rec);
	if (c)
		c->asked = it->rec.snd + 1;	/* ~0: not known */
	if (m->quiet)
		return;
	event_own(m, it, c, EVENT(LISTEN));
	emit(m);
}

/* No event, but a listener may be older than the records. */
/*
 * What is known with its inode was another's.  But totals may have told of this one before, and
 * those of the first reading say nothing new.
 */
static void on_netns(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	bool made = it->rec.type == TYPE(NETNS);
	enum spaces_news news;

	/* A later one is known already. */
	if (spaces_gone(&m->spaces, it->rec.netns, it->rec.ts))
		return;
	news = spaces_cookie(&m->spaces, it->rec.netns, it->rec.listener);
	if (made && news != SPACES_KNOWN)
		spaces_made(&m->spaces, it->rec.netns, it->rec.ts);
	if (m->quiet || news == SPACES_KNOWN || (news == SPACES_FIRST && !made))
		return;
	event(m, it, NULL, EVENT(NETNS));
	emit(m);
}

static void on_total(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c;

	if (!r->conn && r->rcv == TCPFSM_TOTAL_NOW_NETNS_COOKIE)
		on_netns(m, it);
	else if (!r->conn && r->rcv == TCPFSM_TOTAL_NOW_MADE_TS &&
		 !spaces_gone(&m->spaces, r->netns, r->ts))
		spaces_made(&m->spaces, r->netns, r->listener);
	if (r->rcv != TCPFSM_TOTAL_NOW_ASKED || m->quiet)
		return;
	c = r->conn ? conns_find(&m->conns, r->conn) : NULL;
	if (!c)
		c = new_conn(m, r);
	if (c)
		c->asked = (uint32_t)r->listener;
}

/* In process context: the full socket's own CLOSE comes later. */
static void on_timewait_enter(struct tcpfsm_model *m, const struct tcpfsm_item *it,
			      const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = known_or_new(m, r);
	uint8_t from = STATE(FIN_WAIT2);

	learn_owner(c, r);
	if (leads_to_time_wait(c, r))
		from = c->state;
	else if (is_close(next, r->conn))
		from = next->rec.old_state;
	else if (c && c->state == STATE(FIN_WAIT1))
		from = c->state;
	enter_mini(m, it, c, r->new_state, from);
	if (c)
		c->flags |= C_MINI;
}

static uint8_t end_cause(const struct conn *c, const struct tcpfsm_record *r)
{
	switch (r->verdict) {
	case TCPFSM_TW_EXPIRE:
		return r->old_state == STATE(FIN_WAIT2) ? CAUSE(TIMEOUT) : CAUSE(2MSL);
	case TCPFSM_TW_KILL:
		/* Data for a FIN_WAIT2 that nobody reads is answered first. */
		return hinted(c, HINT_RST_SENT, r->ts) ? CAUSE(SND_RST) : CAUSE(RCV_RST);
	case TCPFSM_TW_REUSE:
		return CAUSE(REUSE);
	case TCPFSM_TW_REOPEN:
		return CAUSE(RCV_SYN);
	case TCPFSM_TW_PURGE:
		return CAUSE(NETNS_EXIT);
	case TCPFSM_TW_ABORT:
		return CAUSE(ABORT);
	}
	return CAUSE(NONE);
}

static void on_timewait(struct tcpfsm_model *m, const struct tcpfsm_item *it,
			const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c;

	if (r->verdict == TCPFSM_TW_ENTER) {
		on_timewait_enter(m, it, next);
		return;
	}
	c = known_to_live(m, r);
	/* A mini-socket has no other state to come back from. */
	if (c && c->snap == STATE(TIME_WAIT) && r->old_state == c->snap)
		use_snap(c);
	if (!m->quiet) {
		event(m, it, c, EVENT(TIMEWAIT));
		emit(m);
		if (r->verdict == TCPFSM_TW_REOPEN || r->verdict == TCPFSM_TW_REUSE)
			makes_way(m, it);
	}
	if (r->verdict != TCPFSM_TW_REFRESH) {
		if (!c || !c->dead)
			transition(m, it, c, r->old_state, STATE(CLOSE), end_cause(c, r));
	} else if (r->old_state == STATE(FIN_WAIT2) && r->new_state == STATE(TIME_WAIT)) {
		transition(m, it, c ? c : new_conn(m, r), r->old_state, r->new_state,
			   CAUSE(RCV_FIN));
	}
}

static void on_lost(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct tcpfsm_event *ev = &m->ev;

	cpu_of(m, it->cpu)->clone = false;

	memset(ev, 0, sizeof(*ev));
	ev->type = EVENT(LOST);
	ev->cpu = it->cpu;
	ev->dur_ns = -1;
	ev->lost = it->lost;
	ev->from_ts = it->from_ts ? it->from_ts + (uint64_t)m->epoch_offset : 0;
	ev->to_ts = it->to_ts ? it->to_ts + (uint64_t)m->epoch_offset : 0;
	ev->ts = ev->to_ts ? ev->to_ts : ev->from_ts;
	emit(m);
	ev->lost = ev->from_ts = ev->to_ts = 0;
}

/* Nothing that was missed: the module counted on, and told no more of each. */
static void on_suppressed(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	uint64_t ns = r->rcv * 1000ULL;
	struct tcpfsm_event *ev;

	if (m->quiet)
		return;
	if (r->verdict == TYPE(SYN))
		m->refused_ts = r->ts;
	ev = event(m, it, NULL, EVENT(LOST));
	ev->old_state = r->old_state;
	ev->new_state = 0;
	ev->suppressed = true;
	ev->lost = r->snd;
	ev->to_ts = ev->ts;
	ev->from_ts = ev->ts - ns;
	emit(m);
	ev->suppressed = false;
	ev->lost = ev->from_ts = ev->to_ts = 0;
}

/* Those that are not seen until its end are gone, and how, was lost: no event tells. */
static void on_resync(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	bool all = m->syncing && r->snd == TCPFSM_RESYNC_END && !r->arg && !r->netns;
	struct conn *c, *next;

	m->syncing = r->snd == TCPFSM_RESYNC_BEGIN;
	for (c = conns_first(&m->conns); c; c = next) {
		next = conns_next(&m->conns, c);
		if (m->syncing)
			c->flags &= (uint8_t)~C_SEEN;
		else if (!all || c->flags & C_SEEN || !conn_state(c))
			continue;
		else if (c->snap == STATE(CLOSE))
			enter(m, c, STATE(CLOSE), 0);
		else	/* What the records are still to tell may be its end. */
			c->snap = STATE(CLOSE);
	}
	if (all && r->ts > m->snap_ts)
		m->snap_ts = r->ts;
}

/* It is no event, but what the records after it are about. */
static void on_socket(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct conn *c = r->conn ? conns_find(&m->conns, r->conn) : NULL;
	uint64_t age = r->rcv * NSEC_PER_MSEC;

	if (!r->conn) {
		on_resync(m, r);
		return;
	}
	if (!c)
		c = new_conn(m, r);
	if (!c)
		return;
	learn_owner(c, r);
	c->flags |= C_SEEN;
	/* Only who has a file has an owner. */
	if (r->flags & TCPFSM_F_OWNER &&
	    (r->new_state == STATE(FIN_WAIT1) || r->new_state == STATE(FIN_WAIT2)))
		c->flags |= C_HALF;
	if (c->dead || (c->state && !m->syncing) || !r->new_state || r->new_state > STATE(NEW_SYN_RECV))
		return;
	if (m->watch && !conns_life(&m->conns, c)->begin)
		life_begin(conns_life(&m->conns, c), r, r->ts + (uint64_t)m->epoch_offset, r->new_state);
	if (c->state == r->new_state) {
		c->snap = 0;
		return;
	}
	c->snap = r->new_state;
	if (!c->state)
		c->since = r->rcv != UINT32_MAX && age < r->ts ? r->ts - age : 0;
	if (r->new_state == STATE(SYN_RECV) && r->flags & TCPFSM_F_PASSIVE)
		c->flags |= C_PASSIVE;
	if (r->ts > m->snap_ts)
		m->snap_ts = r->ts;
}

/* The clock was set: what lives began by the old one, and by the new one it is as long ago. */
static void on_mark(struct tcpfsm_model *m, const struct tcpfsm_record *r)
{
	uint64_t by = r->conn - (uint64_t)m->epoch_offset;
	struct conn *c;

	if (r->snd != TCPFSM_MARK_CLOCK || m->keep_clock || !by)
		return;
	m->epoch_offset = (int64_t)r->conn;
	for (c = conns_first(&m->conns); c; c = conns_next(&m->conns, c)) {
		struct tcpfsm_life *life = conns_life(&m->conns, c);

		if (life && life->begin)
			life->begin += by;
	}
}

/* next: what came right after it, or NULL when that does not matter. */
static void process(struct tcpfsm_model *m, const struct tcpfsm_item *it,
		    const struct tcpfsm_item *next)
{
	const struct tcpfsm_record *r = &it->rec;

	if (it->lost) {
		on_lost(m, it);
		return;
	}
	switch (r->type) {
	case TYPE(STATE):
		on_state(m, it, next);
		break;
	case TYPE(SYN):
		on_syn(m, it);
		break;
	case TYPE(ACK):
		on_ack(m, it);
		break;
	case TYPE(REQUEST_GONE):
		on_request_gone(m, it);
		break;
	case TYPE(RETRANSMIT):
		on_retransmit(m, it);
		break;
	case TYPE(RESET):
		on_reset(m, it, next);
		break;
	case TYPE(ACCEPT):
		on_accept(m, it);
		break;
	case TYPE(LISTEN):
		on_listen(m, it);
		break;
	case TYPE(TIMEWAIT):
		on_timewait(m, it, next);
		break;
	case TYPE(CONNECT_FAILED):
		on_connect_error(m, it, known(m, r));
		break;
	case TYPE(SHUTDOWN):
		if (r->verdict)		/* not SHUT_RD */
			give_hint(known_or_new(m, r), HINT_SHUTDOWN, r->ts);
		break;
	case TYPE(SOCKET):
		on_socket(m, it);
		break;
	case TYPE(SUPPRESSED):
		on_suppressed(m, it);
		break;
	case TYPE(TOTAL):
		on_total(m, it);
		break;
	case TYPE(NETNS):
		on_netns(m, it);
		break;
	case TYPE(MARK):
		on_mark(m, r);
		break;
	}
}

/* ---- raw --------------------------------------------------------------------- */

/* The first firing for a child: it still is a copy of its listener. */
static void raw_clone(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	struct tcpfsm_event *ev = event(m, it, NULL, EVENT(TRANSITION));

	ev->old_state = STATE(LISTEN);
	ev->new_state = STATE(SYN_RECV);
	ev->has_queues = false;
	ev->rec.rport = 0;
	memset(ev->rec.raddr, 0, sizeof(ev->rec.raddr));
	emit(m);
}

static void raw_state(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	uint8_t cause = CAUSE(NONE);
	struct conn *c = known(m, r);
	bool mini = false;

	if (r->old_state == STATE(LISTEN) && r->new_state == STATE(SYN_RECV)) {
		raw_clone(m, it);
		return;
	}
	if (!c && r->new_state != STATE(CLOSE))
		c = new_conn(m, r);
	learn_owner(c, r);
	if (r->flags & TCPFSM_F_CLONE && r->new_state == STATE(ESTABLISHED))
		raw_clone(m, it);
	if (r->new_state == STATE(CLOSE)) {
		mini = r->verdict || (c && c->flags & C_MINI);
		if (r->verdict)
			tell_mini(m, it, c, r->reason, r->old_state);
	}
	/* The kernel says CLOSE when it means TIME_WAIT: no cause fits. */
	if (r->old_state != r->new_state && !mini)
		cause = cause_of(c, r);
	if (r->old_state == STATE(SYN_RECV) && r->new_state == STATE(ESTABLISHED) && c && !c->queued)
		c->queued = r->ts;
	transition(m, it, c, r->old_state, r->new_state, cause);
}

/* Every record is an event, or the two it stands for, in the kernel's own words. */
static void process_raw(struct tcpfsm_model *m, const struct tcpfsm_item *it)
{
	const struct tcpfsm_record *r = &it->rec;
	struct tcpfsm_event *ev;
	struct conn *c;

	if (!it->lost) {
		switch (r->type) {
		case TYPE(STATE):
			raw_state(m, it);
			return;
		case TYPE(SYN):
			if (r->flags & TCPFSM_F_CLONE)
				raw_clone(m, it);
			ev = event(m, it, known(m, r), EVENT(SYN));
			ev->old_state = STATE(LISTEN);
			ev->new_state = r->verdict != TCPFSM_VERDICT_QUEUED ? 0 :
				  r->flags & TCPFSM_F_CLONE ? STATE(SYN_RECV) :
							      STATE(NEW_SYN_RECV);
			emit_verdict(m);
			return;
		case TYPE(TIMEWAIT):
			c = r->verdict == TCPFSM_TW_ENTER ? known_or_new(m, r) : known(m, r);
			event(m, it, c, EVENT(TIMEWAIT));
			emit(m);
			if (c && r->verdict == TCPFSM_TW_ENTER)
				c->flags |= C_MINI;
			return;
		}
	}
	process(m, it, NULL);
}

/* ---- in and out --------------------------------------------------------------- */

static void drain(struct tcpfsm_model *m, bool force)
{
	while (m->n && !m->rc) {
		const struct tcpfsm_item *it = queued(m, 0), *next = NULL;

		if (needs_successor(m, it) && !find_decider(m, &next) && !force)
			break;
		process(m, it, next);
		m->head = (m->head + 1) % QUEUE_LEN;
		m->n--;
	}
}

/* What came before waits, or this one has to. */
static void enqueue(struct tcpfsm_model *m, const struct tcpfsm_item *item)
{
	/* A reader asked for it, and there may be more than the queue holds. */
	if (!item->lost && item->rec.type == TYPE(TOTAL)) {
		on_total(m, item);
		return;
	}
	if (!item->lost && item->rec.type == TYPE(SOCKET)) {
		/* A resync begins: what came before has nothing to wait for. */
		if (!item->rec.conn)
			drain(m, true);
		on_socket(m, item);
		return;
	}
	m->queue[(m->head + m->n) % QUEUE_LEN] = *item;
	m->n++;
	drain(m, false);
	/* No successor among so many: it was lost, or never comes. */
	while (m->n == QUEUE_LEN) {
		process(m, queued(m, 0), NULL);
		m->head = (m->head + 1) % QUEUE_LEN;
		m->n--;
		drain(m, false);
	}
}

int tcpfsm_model_items(struct tcpfsm_model *m, const struct tcpfsm_item *items, size_t n,
		       tcpfsm_event_fn fn, void *arg)
{
	const struct tcpfsm_item *end = items + n;

	m->fn = fn;
	m->arg = arg;
	m->rc = 0;
	for (; items < end && !m->rc; items++) {
		/* No kernel has such states, but a recording may: they index tables. */
		if (__builtin_expect((items->rec.old_state | items->rec.new_state | items->rec.reason) > 15, 0) &&
		    !items->lost)
			continue;
		if (m->raw)
			process_raw(m, items);
		else if (m->n)
			enqueue(m, items);
		else if (is_plain(items))
			on_plain(m, items);
		else if (!may_need_successor(&items->rec) || !needs_successor(m, items))
			process(m, items, NULL);
		else if (items->rec.new_state == STATE(FIN_WAIT2) && items + 1 < end &&
			 follows(items, items + 1))
			process(m, items, items + 1);
		else
			enqueue(m, items);
	}
	return m->rc;
}

int tcpfsm_model_item(struct tcpfsm_model *m, const struct tcpfsm_item *item,
		      tcpfsm_event_fn fn, void *arg)
{
	return tcpfsm_model_items(m, item, 1, fn, arg);
}

int tcpfsm_model_flush(struct tcpfsm_model *m, tcpfsm_event_fn fn, void *arg)
{
	m->fn = fn;
	m->arg = arg;
	m->rc = 0;
	drain(m, true);
	return m->rc;
}

size_t tcpfsm_model_pending(const struct tcpfsm_model *m)
{
	return m->n;
}

int tcpfsm_model_new(struct tcpfsm_model **out, const struct tcpfsm_model_options *opts)
{
	struct tcpfsm_model_options o;
	struct tcpfsm_model *m;
	int err = copy_opts(&o, sizeof(o), opts);

	*out = NULL;
	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	err = conns_init(&m->conns, o.max_conns ? o.max_conns : CONNS_DEFAULT, o.lives,
			 o.lives && o.watch);
	if (err) {
		free(m);
		return err;
	}
	m->raw = o.raw;
	m->watch = o.lives && o.watch && !o.raw;
	m->clients = o.clients;
	m->opens = m->watch && o.opens;
	m->quiet = o.lives && !o.raw && !o.watch;
	m->epoch_offset = o.epoch_offset;
	m->moves.n = m->watch ? calloc(KINDS, sizeof(*m->moves.n)) : NULL;
	if (m->watch && !m->moves.n) {
		tcpfsm_model_free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

unsigned int tcpfsm_life_end(const struct tcpfsm_event *ev)
{
	switch (ev->cause) {
	case CAUSE(NONE):
	case CAUSE(RCV_FIN):		/* would be TIME_WAIT, had it not been denied */
	case CAUSE(RCV_ACK_OF_FIN):
		return CAUSE(NONE);
	}
	return ev->old_state == STATE(TIME_WAIT) ? (unsigned int)CAUSE(NONE) : ev->cause;
}

int tcpfsm_model_unfinished(struct tcpfsm_model *m, uint64_t now, tcpfsm_event_fn fn, void *arg)
{
	struct conns *t = &m->conns;
	struct conn *c;

	for (c = conns_first(t); t->lives && c; c = conns_next(t, c)) {
		const struct tcpfsm_life *life = conns_life(t, c);
		struct tcpfsm_event ev = {
			.type = EVENT(TRANSITION), .old_state = STATE(TIME_WAIT), .new_state = STATE(CLOSE),
			.ts = now, .life = life, .has_owner = c->pid, .pid = c->pid,
		};
		int rc;

		if (c->state != STATE(TIME_WAIT) || c->snap || !life->begin)
			continue;
		ev.dur_ns = since(c->since + (uint64_t)m->epoch_offset, now);
		memcpy(ev.comm, c->comm, sizeof(c->comm));
		ev.rec.conn = c->key;
		ev.rec.netns = life->netns;
		ev.rec.family = life->family;
		ev.rec.lport = life->lport;
		ev.rec.rport = life->rport;
		memcpy(ev.rec.laddr, life->laddr, sizeof(life->laddr));
		memcpy(ev.rec.raddr, life->raddr, sizeof(life->raddr));
		rc = fn(&ev, arg);
		if (rc)
			return rc;
	}
	return 0;
}

void tcpfsm_model_counts(const struct tcpfsm_model *m, uint64_t *conns, uint64_t *forgotten)
{
	if (conns)
		*conns = m->conns.live;
	if (forgotten)
		*forgotten = m->conns.forgotten;
}

void tcpfsm_model_population(const struct tcpfsm_model *m, uint64_t count[16])
{
	const struct conn *c;

	/* Asked for once a second, while states change a million times. */
	memset(count, 0, 16 * sizeof(count[0]));
	for (c = conns_first(&m->conns); c; c = conns_next(&m->conns, c))
		count[conn_state(c) & 15]++;
	/* Kept for a late RST or accept(), but no sockets any more. */
	count[0] = 0;
	count[STATE(CLOSE)] = 0;
}

void model_keep_clock(struct tcpfsm_model *m)
{
	m->keep_clock = true;
}

void tcpfsm_model_moves(struct tcpfsm_model *m, tcpfsm_move_fn fn, void *arg)
{
	unsigned int i;

	for (i = 0; i < m->moves.kinds; i++) {
		unsigned int kind = m->moves.kind[i];
		const struct tcpfsm_move move = {
			.old_state = (uint8_t)(kind >> 10), .new_state = kind >> 6 & 15, .cause = kind & 31,
			.request = kind & 32, .n = m->moves.n[kind],
		};

		m->moves.n[kind] = 0;
		fn(&move, arg);
	}
	m->moves.kinds = 0;
}

static void tell_conn(const struct tcpfsm_model *m, const struct conn *c, struct tcpfsm_conn *to)
{
	to->conn = c->key;
	to->since = c->since ? c->since + (uint64_t)m->epoch_offset : 0;
	to->life = conns_life(&m->conns, c);
	to->comm = c->comm;
	to->pid = c->pid;
	to->state = conn_state(c);
}

int tcpfsm_model_scan(struct tcpfsm_model *m, size_t *at, size_t n, tcpfsm_conn_fn fn, void *arg)
{
	const struct conn *c;
	struct tcpfsm_conn to;
	int rc = 0;

	do {
		c = conns_slot(&m->conns, at);
		if (!c || !c->key || c->dead)
			continue;
		tell_conn(m, c, &to);
		rc = fn(&to, arg);
	} while (*at && --n && !rc);
	return rc;
}

int model_living(const struct tcpfsm_model *m, model_living_fn fn, void *arg)
{
	const struct conn *c;
	int rc = 0;

	for (c = conns_first(&m->conns); c && !rc; c = conns_next(&m->conns, c)) {
		struct living l = {
			.since = c->since && !c->snap ? c->since + (uint64_t)m->epoch_offset : 0,
			.comm = c->comm, .pid = c->pid, .netns = c->netns, .lport = c->lport,
			.state = conn_state(c), .passive = c->flags & C_PASSIVE,
			.held = c->flags & C_HALF,
		};

		rc = fn(&l, arg);
	}
	return rc;
}

bool tcpfsm_model_find(struct tcpfsm_model *m, uint64_t conn, struct tcpfsm_conn *to)
{
	const struct conn *c = conn ? conns_find(&m->conns, conn) : NULL;

	if (c)
		tell_conn(m, c, to);
	return c;
}

void tcpfsm_model_free(struct tcpfsm_model *m)
{
	if (!m)
		return;
	conns_exit(&m->conns);
	spaces_free(&m->spaces);
	free(m->moves.n);
	free(m->cpus);
	free(m);
}
