// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conns.h"

#define LIVE		0U
#define DEAD		1U
#define FIRST		2U

#define SLAB_MIN	1024U
#define SLAB_ROOMY	32768U
#define BITS_MIN	10
#define BITS_ROOMY	15
#define BITS_MAX	30
#define DEAD_MAX	1024U

static void list_del(struct conns *t, struct conn *c)
{
	t->slab[c->older].newer = c->newer;
	t->slab[c->newer].older = c->older;
}

/* As the newest; the head's newer is the oldest. */
static void list_add(struct conns *t, uint32_t head, struct conn *c)
{
	uint32_t i = (uint32_t)(c - t->slab);

	c->newer = head;
	c->older = t->slab[head].older;
	t->slab[c->older].newer = i;
	t->slab[head].older = i;
}

int conns_init(struct conns *t, size_t max, bool lives, bool roomy)
{
	memset(t, 0, sizeof(*t));
	t->max = max < 1U << BITS_MAX ? max : 1U << BITS_MAX;
	t->cap = roomy ? SLAB_ROOMY : SLAB_MIN;
	t->used = FIRST;
	t->bits = roomy ? BITS_ROOMY : BITS_MIN;
	t->slab = malloc(t->cap * sizeof(*t->slab));
	t->buckets = malloc(sizeof(*t->buckets) << t->bits);
	if (lives)
		t->lives = malloc(t->cap * sizeof(*t->lives));
	if (!t->slab || !t->buckets || (lives && !t->lives)) {
		conns_exit(t);
		return -ENOMEM;
	}
	memset(t->buckets, 0, sizeof(*t->buckets) << t->bits);
	/* Not a page has to be had while records wait. */
	if (roomy)
		memset(t->slab, 0, t->cap * sizeof(*t->slab));
	if (roomy && lives)
		memset(t->lives, 0, t->cap * sizeof(*t->lives));
	t->slab[LIVE].older = t->slab[LIVE].newer = LIVE;
	t->slab[DEAD].older = t->slab[DEAD].newer = DEAD;
	return 0;
}

void conns_exit(struct conns *t)
{
	free(t->slab);
	free(t->lives);
	free(t->buckets);
}

static void forget(struct conns *t, uint32_t i)
{
	struct conn *c = &t->slab[i];
	uint32_t *link = &t->buckets[conns_hash(t, c->key)];

	while (*link != i)
		link = &t->slab[*link].next;
	*link = c->next;

	list_del(t, c);
	if (c->dead)
		t->dead--;
	else
		t->live--;
	c->key = 0;
	c->next = t->free;
	t->free = i;
}

static bool forget_oldest(struct conns *t)
{
	if (t->dead) {
		forget(t, t->slab[DEAD].newer);
		return true;
	}
	if (!t->live)
		return false;
	/* A second chance for those that were heard of: cheaper than to keep them in order. */
	while (t->slab[t->slab[LIVE].newer].used) {
		struct conn *c = &t->slab[t->slab[LIVE].newer];

		c->used = false;
		list_del(t, c);
		list_add(t, LIVE, c);
	}
	/* One that is gone already is no loss. */
	if (t->slab[t->slab[LIVE].newer].snap != TCPFSM_STATE_CLOSE)
		t->forgotten++;
	forget(t, t->slab[LIVE].newer);
	return true;
}

static void grow_buckets(struct conns *t)
{
	struct conns bigger = *t;
	size_t i;

	bigger.bits++;
	bigger.buckets = calloc((size_t)1 << bigger.bits, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return;		/* longer chains, then */
	for (i = 0; i < (size_t)1 << t->bits; i++) {
		uint32_t n, next;

		for (n = t->buckets[i]; n; n = next) {
			uint32_t *head = &bigger.buckets[conns_hash(&bigger, t->slab[n].key)];

			next = t->slab[n].next;
			t->slab[n].next = *head;
			*head = n;
		}
	}
	free(t->buckets);
	*t = bigger;
}

static uint32_t new_slot(struct conns *t)
{
	uint32_t i = t->free;

	if (i) {
		t->free = t->slab[i].next;
		return i;
	}
	if (t->used == t->cap) {
		/* Not a page more than the limit needs. */
		size_t cap = 2 * (size_t)t->cap > t->max + FIRST ? t->max + FIRST : 2 * (size_t)t->cap;
		struct tcpfsm_life *lives;
		struct conn *slab;

		if (cap <= t->cap)
			return 0;
		slab = realloc(t->slab, cap * sizeof(*slab));
		if (!slab)
			return 0;
		t->slab = slab;
		if (t->lives) {
			lives = realloc(t->lives, cap * sizeof(*lives));
			if (!lives)
				return 0;
			t->lives = lives;
		}
		t->cap = (uint32_t)cap;
	}
	return t->used++;
}

struct conn *conns_add(struct conns *t, uint64_t key)
{
	uint32_t *head, i;
	struct conn *c;

	if (!key)
		return NULL;
	if (t->live + t->dead >= t->max)
		forget_oldest(t);
	i = new_slot(t);
	if (!i && forget_oldest(t))
		i = new_slot(t);
	if (!i)
		return NULL;
	if (t->live + t->dead >= (size_t)1 << t->bits && t->bits < BITS_MAX)
		grow_buckets(t);

	c = &t->slab[i];
	memset(c, 0, sizeof(*c));
	if (t->lives)
		t->lives[i].begin = 0;	/* the rest means nothing then */
	c->key = key;
	head = &t->buckets[conns_hash(t, key)];
	c->next = *head;
	*head = i;
	list_add(t, LIVE, c);
	t->live++;
	return c;
}

void conns_revive(struct conns *t, struct conn *c)
{
	list_del(t, c);
	list_add(t, LIVE, c);
	c->dead = false;
	t->dead--;
	t->live++;
}

void conns_bury(struct conns *t, struct conn *c)
{
	if (c->dead)
		return;
	if (t->dead >= DEAD_MAX)
		forget_oldest(t);
	list_del(t, c);
	list_add(t, DEAD, c);
	c->dead = true;
	t->live--;
	t->dead++;
}

struct conn *conns_first(const struct conns *t)
{
	return conns_next(t, &t->slab[LIVE]);
}

struct conn *conns_next(const struct conns *t, const struct conn *c)
{
	return c->newer == LIVE ? NULL : &t->slab[c->newer];
}

const struct conn *conns_slot(const struct conns *t, size_t *at)
{
	const struct conn *c;

	if (*at < FIRST)
		*at = FIRST;
	c = *at < t->used ? &t->slab[*at] : NULL;
	*at = *at + 1 < t->used ? *at + 1 : 0;
	return c;
}
