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

#define FIRST		64U		/* there is room for at once */

/* ---- addresses ------------------------------------------------------------------- */

static uint64_t hash_addr(const struct table *t, const uint8_t *addr, uint8_t family)
{
	uint64_t key[3] = { family };

	memcpy(&key[1], addr, 16);
	return hash_words(key, sizeof(key), t->seed);
}

static uint64_t hash_address(const struct table *t, const void *entry)
{
	const struct source_address *a = entry;

	return hash_addr(t, a->addr, a->family);
}

static const struct table_type addresses = {
	.size = sizeof(struct source_address), .link = offsetof(struct source_address, link),
	.reserved = 1, .hash = hash_address,
};

/* NULL: there is no place for another one. */
static struct source_address *address_of(struct sources *s, const struct tcpfsm_record *r)
{
	uint64_t hash = hash_addr(&s->addrs, r->raddr, r->family);
	struct source_address *a = table_first(&s->addrs, &addresses, hash);

	while (a && (a->family != r->family || memcmp(a->addr, r->raddr, 16)))
		a = table_next(&s->addrs, &addresses, a);
	if (a)
		return a;
	a = table_add(&s->addrs, &addresses, hash);
	if (a) {
		memcpy(a->addr, r->raddr, 16);
		a->family = r->family;
	}
	return a;
}

/* ---- listeners ------------------------------------------------------------------- */

static uint64_t hash_listener(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct sources *)entry)->listener;
}

static const struct table_type listeners = {
	.size = sizeof(struct sources), .link = offsetof(struct sources, link), .reserved = 1,
	.hash = hash_listener,
};

static struct sources *find(const struct sources_table *t, uint64_t listener)
{
	struct sources *s = t->listeners.slab ? table_first(&t->listeners, &listeners, listener) : NULL;

	while (s && s->listener != listener)
		s = table_next(&t->listeners, &listeners, s);
	return s;
}

static struct sources *add(struct sources_table *t, uint64_t listener)
{
	struct sources *s;

	if (!t->listeners.slab && table_init(&t->listeners, &listeners, FIRST, SOURCES_LISTENERS_MAX))
		return NULL;
	s = table_add(&t->listeners, &listeners, listener);
	if (!s)
		return NULL;
	s->listener = listener;
	if (table_init(&s->addrs, &addresses, FIRST, SOURCES_MAX)) {
		table_del(&t->listeners, &listeners, listener, s);
		return NULL;
	}
	table_seed(&s->addrs);
	return s;
}

/* NULL: no memory, or there is no place for another one. */
static struct sources *get(struct sources_table *t, uint64_t listener)
{
	struct sources *s = t->last ? table_at(&t->listeners, &listeners, t->last) : NULL;

	if (s && s->listener == listener)
		return s;
	s = find(t, listener);
	if (!s)
		s = add(t, listener);
	if (s)
		t->last = table_number(&t->listeners, &listeners, s);
	return s;
}

const struct sources *sources_of(const struct sources_table *t, uint64_t listener)
{
	return find(t, listener);
}

void sources_free(struct sources_table *t)
{
	uint32_t i;

	for (i = 1; i < t->listeners.end; i++) {
		struct sources *s = table_at(&t->listeners, &listeners, i);

		table_exit(&s->addrs);
	}
	table_exit(&t->listeners);
	t->last = 0;
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

	if (!syn && ev->type != TCPFSM_EVENT_HANDSHAKE_ACK && !completed && !suppressed)
		return 0;
	if (!r->listener || !(r->flags & TCPFSM_F_PASSIVE))
		return 0;
	s = get(t, r->listener);
	if (!s)				/* one more than can be told of */
		return t->listeners.slab && t->listeners.n == t->listeners.max ? 0 : -ENOMEM;
	if (suppressed) {
		s->suppressed += ev->lost;
		return 0;
	}
	a = address_of(s, r);
	if (!a && s->addrs.n < s->addrs.max)
		return -ENOMEM;
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
	struct source_share *all = calloc(s->addrs.n ? s->addrs.n : 1, sizeof(*all));
	size_t i, len = 0, out = 0;

	if (groups)
		*groups = 0;
	if (!all)
		return 0;
	for (i = 1; i < s->addrs.end; i++) {
		const struct source_address *a = table_at(&s->addrs, &addresses, (uint32_t)i);
		uint64_t count = refused ? a->refused : a->syns;

		if (!count)
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

uint64_t sources_completed(const struct sources *s, bool refused)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 1; i < s->addrs.end; i++) {
		const struct source_address *a = table_at(&s->addrs, &addresses, i);

		n += a->completed && (refused ? a->refused : a->syns);
	}
	return n;
}
