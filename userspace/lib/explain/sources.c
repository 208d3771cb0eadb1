// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* A sample of where the SYNs of each listener come from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sources.h"

#define SLOT_NS		10000000ULL
/* As enum side of explain.h. */
#define SYNQ		1
#define ACCEPTQ		2

static struct sources *get(struct sources_table *t, uint64_t listener)
{
	struct sources *s;
	size_t i;

	if (t->last && t->last->listener == listener)
		return t->last;
	for (i = 0; i < t->n; i++)
		if (t->of[i]->listener == listener)
			return t->last = t->of[i];
	if (t->n == SOURCES_LISTENERS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->listener = listener;
	t->of[t->n++] = s;
	return t->last = s;
}

const struct sources *sources_of(const struct sources_table *t, uint64_t listener)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->of[i]->listener == listener)
			return t->of[i];
	return NULL;
}

void sources_free(struct sources_table *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->of[i]->addrs);
		free(t->of[i]);
	}
	t->n = 0;
	t->last = NULL;
}

/* ---- addresses ------------------------------------------------------------------- */

static size_t hash(const uint8_t *addr, uint8_t family)
{
	uint64_t a, b;

	memcpy(&a, addr, 8);
	memcpy(&b, addr + 8, 8);
	a = (a ^ family) * 0x9e3779b97f4a7c15ULL;
	a = (a ^ a >> 32 ^ b) * 0xd6e8feb86659fd93ULL;
	return (size_t)(a ^ a >> 32);
}

static struct source_address *place(struct source_address *addrs, size_t room,
				    const uint8_t *addr, uint8_t family)
{
	size_t i = hash(addr, family);

	for (;; i++) {
		struct source_address *a = &addrs[i & (room - 1)];

		if (!a->family || (a->family == family && !memcmp(a->addr, addr, 16)))
			return a;
	}
}

/* Twice the room: at most half of it is taken. */
static int grow(struct sources *s)
{
	size_t room = s->room ? 2 * s->room : 64, i;
	struct source_address *addrs = calloc(room, sizeof(*addrs));

	if (!addrs)
		return -ENOMEM;
	for (i = 0; i < s->room; i++)
		if (s->addrs[i].family)
			*place(addrs, room, s->addrs[i].addr, s->addrs[i].family) = s->addrs[i];
	free(s->addrs);
	s->addrs = addrs;
	s->room = room;
	return 0;
}

/* Return: 0 or -ENOMEM; *a is NULL when there is no place for another one. */
static int find(struct sources *s, const struct tcpfsm_record *r, struct source_address **a)
{
	*a = NULL;
	if (2 * s->naddrs >= s->room && s->naddrs < SOURCES_MAX) {
		int err = grow(s);

		if (err)
			return err;
	}
	*a = place(s->addrs, s->room, r->raddr, r->family);
	if ((*a)->family)
		return 0;
	if (s->naddrs == SOURCES_MAX) {
		*a = NULL;
		return 0;
	}
	s->naddrs++;
	memcpy((*a)->addr, r->raddr, 16);
	(*a)->family = r->family;
	return 0;
}

/* ---- events ---------------------------------------------------------------------- */

static void busy(struct sources *s, uint64_t ts)
{
	uint64_t slot = ts / SLOT_NS;

	if (slot != s->slot) {
		s->slot = slot;
		s->in_slot = 0;
	}
	if (++s->in_slot > s->busiest) {
		s->busiest = s->in_slot;
		s->busiest_ts = slot * SLOT_NS;
	}
}

static unsigned int side_of(const struct tcpfsm_record *r)
{
	switch (r->reason) {
	case TCPFSM_REASON_ACCEPTQ_FULL:
		return ACCEPTQ;
	case TCPFSM_REASON_SYNQ_FULL:
	case TCPFSM_REASON_LAST_QUARTER:
		return SYNQ;
	}
	return r->verdict == TCPFSM_VERDICT_COOKIE ? SYNQ : 0;
}

static bool is_refused(const struct tcpfsm_record *r)
{
	return (r->verdict == TCPFSM_VERDICT_DROPPED || r->verdict == TCPFSM_VERDICT_RESET ||
		r->verdict == TCPFSM_VERDICT_COOKIE) && r->reason != TCPFSM_REASON_DEFER_ACCEPT;
}

int sources_event(struct sources_table *t, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool completed = ev->type == TCPFSM_EVENT_TRANSITION &&
			 ev->new_state == TCPFSM_STATE_ESTABLISHED;
	bool suppressed = ev->type == TCPFSM_EVENT_LOST && ev->suppressed;
	bool syn = ev->type == TCPFSM_EVENT_SYN, refused;
	struct source_address *a;
	struct sources *s;
	unsigned int side;
	int err;

	if (!syn && ev->type != TCPFSM_EVENT_HANDSHAKE_ACK && !completed && !suppressed)
		return 0;
	if (!r->listener || !(r->flags & TCPFSM_F_PASSIVE))
		return 0;
	s = get(t, r->listener);
	if (!s)				/* one more than can be told of */
		return t->n == SOURCES_LISTENERS_MAX ? 0 : -ENOMEM;
	if (suppressed) {
		s->suppressed += ev->lost;
		return 0;
	}
	err = find(s, r, &a);
	if (err)
		return err;
	if (completed) {
		s->completed++;
		if (a && !a->completed++) {
			s->strangers -= !!a->syns;
			s->strange_syns -= a->syns;
		}
		return 0;
	}
	refused = is_refused(r);
	if (!syn && !refused)
		return 0;
	if (!a)
		s->beyond++;
	if (syn) {
		s->syns++;
		busy(s, ev->ts);
		if (a && !a->completed) {
			s->strangers += !a->syns;
			s->strange_syns++;
		}
		if (a)
			a->syns++;
	}
	if (!refused)
		return 0;
	s->refused++;
	if (a)
		a->refused++;
	side = side_of(r);
	if (!s->first[side])
		s->first[side] = ev->ts;
	s->last[side] = ev->ts;
	return 0;
}

/* ---- the largest ----------------------------------------------------------------- */

static void mask(uint8_t *addr, unsigned int bits)
{
	memset(addr + bits / 8, 0, 16 - bits / 8);
}

static int by_address(const void *x, const void *y)
{
	const struct source_share *a = x, *b = y;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->addr, b->addr, 16);
}

static int by_number(const void *x, const void *y)
{
	const struct source_share *a = x, *b = y;

	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return by_address(x, y);
}

size_t sources_top(const struct sources *s, bool refused, bool networks,
		   struct source_share *top, size_t n, size_t *groups)
{
	struct source_share *all = calloc(s->naddrs ? s->naddrs : 1, sizeof(*all));
	size_t i, len = 0, out = 0;

	if (groups)
		*groups = 0;
	if (!all)
		return 0;
	for (i = 0; i < s->room; i++) {
		const struct source_address *a = &s->addrs[i];
		uint64_t count = refused ? a->refused : a->syns;

		if (!a->family || !count)
			continue;
		all[len] = (struct source_share) { .family = a->family, .n = count, .addresses = 1 };
		memcpy(all[len].addr, a->addr, 16);
		all[len].bits = a->family == 6 ? networks ? 64 : 128 : networks ? 24 : 32;
		if (a->family != 6)	/* nothing but the address there */
			memset(all[len].addr + 4, 0, 12);
		mask(all[len].addr, all[len].bits);
		len++;
	}
	qsort(all, len, sizeof(*all), by_address);
	for (i = 0; i < len; i++) {
		if (out && !by_address(&all[out - 1], &all[i])) {
			all[out - 1].n += all[i].n;
			all[out - 1].addresses++;
		} else {
			all[out++] = all[i];
		}
	}
	qsort(all, out, sizeof(*all), by_number);
	if (groups)
		*groups = out;
	if (n > out)
		n = out;
	memcpy(top, all, n * sizeof(*all));
	free(all);
	return n;
}
