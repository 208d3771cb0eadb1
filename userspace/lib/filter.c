// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Does something pass a filter?  filter_words.c makes one of words. */
#include <string.h>

#include "filter.h"
#include "opts.h"
#include "source/cgroup.h"

static bool in_cgroup(const struct tcpfsm_filter *f, const struct tcpfsm_filter_op *op,
		      const struct tcpfsm_filter_subject *s)
{
	char path[PROCESS_CGROUP_MAX];

	return s->pid && cgroup_of(s->pid, s->ts, path) &&
	       (op->what == OP_CGROUP ? cgroup_below : cgroup_has)(path, f->names + op->low, op->high);
}

/* ---- expressions ----------------------------------------------------------------------- */

static const uint32_t asks[] = {
	[OP_ADDR] = 0, [OP_PORT] = 0,	/* by where */
	[OP_FAMILY] = TCPFSM_ASKS_FAMILY, [OP_PID] = TCPFSM_ASKS_OWNER, [OP_COMM] = TCPFSM_ASKS_OWNER,
	[OP_NETNS] = TCPFSM_ASKS_NETNS, [OP_STATE] = TCPFSM_ASKS_STATE, [OP_CAUSE] = TCPFSM_ASKS_CAUSE,
	[OP_CGROUP] = TCPFSM_ASKS_OWNER | TCPFSM_ASKS_CGROUP,
	[OP_CONTAINER] = TCPFSM_ASKS_OWNER | TCPFSM_ASKS_CGROUP,
};

static uint32_t asks_of(const struct tcpfsm_filter_op *op)
{
	if (op->what == OP_ADDR || op->what == OP_PORT)
		return op->where;
	return op->what < sizeof(asks) / sizeof(*asks) ? asks[op->what] : 0;
}

static bool in_prefix(const struct tcpfsm_filter_op *op, uint8_t family, const uint8_t *addr)
{
	unsigned int bytes = op->bits / 8, rest = op->bits % 8;

	return family == op->family && !memcmp(addr, op->addr, bytes) &&
	       (!rest || !((addr[bytes] ^ op->addr[bytes]) >> (8 - rest)));
}

/* Of one end, where it is one of those that are asked for. */
static bool end_is(const struct tcpfsm_filter_op *op, const struct tcpfsm_filter_subject *s, uint32_t end)
{
	bool local = end == TCPFSM_ASKS_LOCAL;
	uint16_t port = local ? s->lport : s->rport;

	if (op->what == OP_ADDR)
		return in_prefix(op, s->family, local ? s->laddr : s->raddr);
	return port >= op->low && port <= op->high;
}

/* A value may be true, may be false, or, where something is not known, both. */
#define YES	1
#define NO	2

static unsigned int ask_end(const struct tcpfsm_filter_op *op, const struct tcpfsm_filter_subject *s,
			    uint32_t end)
{
	if (!(op->where & end))
		return NO;
	if (!(s->known & end))
		return YES | NO;
	return end_is(op, s, end) ? YES : NO;
}

static unsigned int either(unsigned int a, unsigned int b)
{
	return ((a | b) & YES) | (a & b & NO);
}

static unsigned int ask(const struct tcpfsm_filter *f, const struct tcpfsm_filter_op *op,
			const struct tcpfsm_filter_subject *s)
{
	bool is = false;

	if (op->what == OP_ADDR || op->what == OP_PORT)
		return either(ask_end(op, s, TCPFSM_ASKS_LOCAL), ask_end(op, s, TCPFSM_ASKS_PEER));
	if (asks_of(op) & ~s->known)
		return YES | NO;
	switch (op->what) {
	case OP_FAMILY:
		is = op->family == s->family;
		break;
	case OP_PID:
		is = op->value == s->pid;
		break;
	case OP_COMM:
		is = s->pid && !strncmp(s->comm, f->names + op->low, op->high) && !s->comm[op->high];
		break;
	case OP_NETNS:
		is = op->value == s->netns;
		break;
	case OP_STATE:
		is = op->value & s->states;
		break;
	case OP_CAUSE:
		is = op->value & s->causes;
		break;
	case OP_CGROUP:
	case OP_CONTAINER:
		is = in_cgroup(f, op, s);
		break;
	}
	return is ? YES : NO;
}

/* What is left at the end must all be so. */
static bool expr_passes(const struct tcpfsm_filter *f, const struct tcpfsm_filter_subject *s)
{
	uint8_t v[FILTER_DEPTH];
	unsigned int n = 0, i;

	for (i = 0; i < f->nops && i < TCPFSM_FILTER_OPS; i++) {
		const struct tcpfsm_filter_op *op = &f->op[i];

		if (op->what == OP_NOT && n) {
			v[n - 1] = (uint8_t)((v[n - 1] & YES) << 1 | v[n - 1] >> 1);
		} else if (op->what == OP_OR && n > 1) {
			n--;
			v[n - 1] = (uint8_t)either(v[n - 1], v[n]);
		} else if (op->what == OP_AND && n > 1) {
			n--;
			v[n - 1] = (uint8_t)((v[n - 1] & v[n] & YES) | ((v[n - 1] | v[n]) & NO));
		} else if (op->what < OP_NOT && n < FILTER_DEPTH) {
			v[n++] = (uint8_t)ask(f, op, s);
		} else {
			return false;
		}
	}
	while (n)
		if (!(v[--n] & YES))
			return false;
	return true;
}

/* ---- all of it --------------------------------------------------------------------------- */

static bool port_in(const uint16_t *ports, unsigned int n, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return !n;
}

/* A question that is asked, the answer of which is known: is it the wrong one? */
#define WRONG(asked, bit, right)	((asked) && s->known & TCPFSM_ASKS_##bit && !(right))

static bool passes(const struct tcpfsm_filter *f, const struct tcpfsm_filter_subject *s)
{
	if (WRONG(f->family, FAMILY, f->family == s->family || f->family == TCPFSM_FAMILY_BOTH) ||
	    WRONG(f->netns, NETNS, f->netns == s->netns) ||
	    WRONG(f->pid, OWNER, f->pid == s->pid) ||
	    WRONG(f->states, STATE, f->states & s->states) ||
	    WRONG(f->causes, CAUSE, f->causes & s->causes) ||
	    WRONG(f->nlport, LOCAL, port_in(f->lport, f->nlport, s->lport)) ||
	    WRONG(f->nrport, PEER, port_in(f->rport, f->nrport, s->rport)))
		return false;
	return !f->nops || expr_passes(f, s);
}

bool tcpfsm_filter_subject(const struct tcpfsm_filter *f, const struct tcpfsm_filter_subject *s)
{
	struct tcpfsm_filter_subject subject;
	struct tcpfsm_filter filter;

	if (!f)
		return true;
	if (s->size != sizeof(*s)) {
		if (copy_opts(&subject, sizeof(subject), s))
			return false;
		s = &subject;
	}
	if (__builtin_expect(f->size == sizeof(*f), 1))
		return passes(f, s);
	return !copy_opts(&filter, sizeof(filter), f) && passes(&filter, s);
}

uint32_t tcpfsm_filter_asks(const struct tcpfsm_filter *f)
{
	struct tcpfsm_filter known;
	uint32_t bits;
	size_t i;

	if (!f || copy_opts(&known, sizeof(known), f))
		return 0;
	bits = (known.family && known.family != TCPFSM_FAMILY_BOTH ? TCPFSM_ASKS_FAMILY : 0U) |
	       (known.netns ? TCPFSM_ASKS_NETNS : 0U) |
	       (known.pid ? TCPFSM_ASKS_OWNER : 0U) | (known.states ? TCPFSM_ASKS_STATE : 0U) |
	       (known.causes ? TCPFSM_ASKS_CAUSE : 0U) | (known.nlport ? TCPFSM_ASKS_LOCAL : 0U) |
	       (known.nrport ? TCPFSM_ASKS_PEER : 0U);
	for (i = 0; i < known.nops && i < TCPFSM_FILTER_OPS; i++)
		bits |= asks_of(&known.op[i]);
	return bits;
}

/* ---- events and lives --------------------------------------------------------------------- */

#define ALL	(TCPFSM_ASKS_NETNS | TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_PEER | \
		 TCPFSM_ASKS_OWNER | TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE | TCPFSM_ASKS_CGROUP)

void tcpfsm_filter_event(struct tcpfsm_filter_subject *s, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool moves = ev->type == TCPFSM_EVENT_TRANSITION;

	/* All of it but the name, which is long, is set: this is done for each event. */
	s->size = sizeof(*s);
	s->known = ALL & ~(ev->suppressed ? (uint32_t)TCPFSM_ASKS_PEER : 0);
	s->netns = ev->netns_gone ? 0 : TCPFSM_BARE_NETNS(TCPFSM_EVENT_HOST(ev), r->netns);
	s->pid = ev->has_owner ? ev->pid : 0;
	s->states = 1U << (ev->old_state & 31) | (moves ? 1U << (ev->new_state & 31) : 0);
	s->causes = moves ? 1U << ev->cause : 0;
	s->lport = r->lport;
	s->rport = r->rport;
	s->family = r->family;
	memcpy(s->laddr, r->laddr, sizeof(s->laddr));
	memcpy(s->raddr, r->raddr, sizeof(s->raddr));
	memcpy(s->comm, ev->comm, sizeof(s->comm));
	s->ts = r->ts;
}

void tcpfsm_filter_life(struct tcpfsm_filter_subject *s, const struct tcpfsm_life *life, unsigned int state,
			uint32_t pid, const char *comm)
{
	*s = (struct tcpfsm_filter_subject) { .size = sizeof(*s), .known = ALL, .pid = pid };
	if (pid && comm)
		memcpy(s->comm, comm, strnlen(comm, sizeof(s->comm) - 1));
	s->states = state ? 1U << (state & 31) : 0;
	/* Else nothing is known of it but its state: then it is no answer to what is asked. */
	if (!life || !life->begin)
		return;
	if (!state)
		s->states = life->states;
	s->causes = life->causes;
	s->netns = life->netns;
	s->lport = life->lport;
	s->rport = life->rport;
	s->family = life->family;
	memcpy(s->laddr, life->laddr, sizeof(s->laddr));
	memcpy(s->raddr, life->raddr, sizeof(s->raddr));
}

void tcpfsm_filter_listener(struct tcpfsm_filter_subject *s, const struct tcpfsm_listener *l)
{
	*s = (struct tcpfsm_filter_subject) { .size = sizeof(*s), .known = TCPFSM_ASKS_NETNS, .netns = l->netns };
	if (!l->conn)
		return;
	s->known |= TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_OWNER | TCPFSM_ASKS_CGROUP;
	s->family = l->family;
	s->lport = l->lport;
	memcpy(s->laddr, l->laddr, sizeof(s->laddr));
	if (!l->has_owner)
		return;
	s->pid = l->pid;
	memcpy(s->comm, l->comm, sizeof(s->comm));
}

void tcpfsm_filter_timewait(struct tcpfsm_filter_subject *s, const struct tcpfsm_timewait *tw)
{
	bool owner = tw->has_owner, maker = !owner && tw->has_maker;

	*s = (struct tcpfsm_filter_subject) { .size = sizeof(*s) };
	if (tw->kind != TCPFSM_TIMEWAIT_OWNER) {
		s->known = TCPFSM_ASKS_NETNS;
		s->netns = tw->netns;
	}
	if (tw->kind != TCPFSM_TIMEWAIT_NETNS && !tw->rest) {
		s->known |= TCPFSM_ASKS_OWNER | TCPFSM_ASKS_CGROUP;
		s->pid = owner ? tw->pid : maker ? tw->maker_pid : 0;
		memcpy(s->comm, owner ? tw->comm : tw->maker_comm, sizeof(s->comm));
	}
	if (tw->kind != TCPFSM_TIMEWAIT_DESTINATION || tw->rest)
		return;
	/* Local ports of outbound ones are many: none is asked for. */
	s->known |= TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL | (tw->inbound ? 0U : TCPFSM_ASKS_PEER);
	s->family = tw->family;
	s->lport = tw->inbound ? tw->lport : 0;
	s->rport = tw->rport;
	memcpy(s->laddr, tw->laddr, sizeof(s->laddr));
	memcpy(s->raddr, tw->raddr, sizeof(s->raddr));
}

bool tcpfsm_filter_record(const struct tcpfsm_filter *f, const struct tcpfsm_record *r)
{
	struct tcpfsm_filter_subject s = { .size = sizeof(s), .known = TCPFSM_ASKS_NETNS };

	if (!f || r->type == TCPFSM_TYPE_MARK)
		return true;
	/* Marks of a resync are of all that is looked at. */
	if (r->type == TCPFSM_TYPE_SOCKET && !r->conn)
		return true;
	s.netns = r->netns;
	s.lport = r->lport;
	s.rport = r->rport;
	s.family = r->family;
	memcpy(s.laddr, r->laddr, sizeof(s.laddr));
	memcpy(s.raddr, r->raddr, sizeof(s.raddr));
	if (r->type != TCPFSM_TYPE_NETNS && (r->type != TCPFSM_TYPE_TOTAL || r->conn)) {
		s.known |= r->family ? TCPFSM_ASKS_FAMILY : 0U;
		/* A child has no peer yet, and connect() that fails no port. */
		s.known |= r->lport ? TCPFSM_ASKS_LOCAL : 0U;
		s.known |= r->rport ? TCPFSM_ASKS_PEER : 0U;
	}
	return tcpfsm_filter_subject(f, &s);
}

bool tcpfsm_filter_match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	if (!f || (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed))
		return true;
	tcpfsm_filter_event(&s, ev);
	return tcpfsm_filter_subject(f, &s);
}
