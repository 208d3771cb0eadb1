// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conns.h"

#define LIVE		0U
#define DEAD		1U

#define SLAB_MIN	1024U
#define SLAB_ROOMY	32768U
#define DEAD_MAX	1024U

static struct conn *at(const struct conns *t, uint32_t i)
{
	return (struct conn *)t->table.slab + i;
}

static void list_del(struct conns *t, struct conn *c)
{
	at(t, c->older)->newer = c->newer;
	at(t, c->newer)->older = c->older;
}

/* As the newest; the head's newer is the oldest. */
static void list_add(struct conns *t, uint32_t head, struct conn *c)
{
	uint32_t i = (uint32_t)(c - at(t, 0));

	c->newer = head;
	c->older = at(t, head)->older;
	at(t, c->older)->newer = i;
	at(t, head)->older = i;
}

/* A life for each number. */
static bool lives_grow(struct conns *t)
{
	size_t cap = t->table.cap;
	struct tcpfsm_life *lives = realloc(t->lives, cap * sizeof(*lives));

	if (!lives)
		return false;
	t->lives = lives;
	t->lives_cap = (uint32_t)cap;
	return true;
}

int conns_init(struct conns *t, size_t max, bool lives, bool roomy)
{
	memset(t, 0, sizeof(*t));
	if (table_init(&t->table, &conns_type, roomy ? SLAB_ROOMY : SLAB_MIN, max))
		return -ENOMEM;
	if (lives && !lives_grow(t)) {
		conns_exit(t);
		return -ENOMEM;
	}
	/* Not a page has to be had while records wait. */
	if (roomy && lives)
		memset(t->lives, 0, t->lives_cap * sizeof(*t->lives));
	at(t, LIVE)->older = at(t, LIVE)->newer = LIVE;
	at(t, DEAD)->older = at(t, DEAD)->newer = DEAD;
	return 0;
}

void conns_exit(struct conns *t)
{
	table_exit(&t->table);
	free(t->lives);
}

static void forget(struct conns *t, uint32_t i)
{
	struct conn *c = at(t, i);

	list_del(t, c);
	if (c->dead)
		t->dead--;
	else
		t->live--;
	table_del(&t->table, &conns_type, c->key, c);
	c->key = 0;
}

static bool forget_oldest(struct conns *t)
{
	if (t->dead) {
		forget(t, at(t, DEAD)->newer);
		return true;
	}
	if (!t->live)
		return false;
	/* A second chance for those that were heard of: cheaper than to keep them in order. */
	while (at(t, at(t, LIVE)->newer)->used) {
		struct conn *c = at(t, at(t, LIVE)->newer);

		c->used = false;
		list_del(t, c);
		list_add(t, LIVE, c);
	}
	/* One that is gone already is no loss. */
	if (at(t, at(t, LIVE)->newer)->snap != TCPFSM_STATE_CLOSE)
		t->forgotten++;
	forget(t, at(t, LIVE)->newer);
	return true;
}

static struct conn *add(struct conns *t, uint64_t key)
{
	struct conn *c = table_add(&t->table, &conns_type, key);

	if (c && t->lives && c >= at(t, t->lives_cap) && !lives_grow(t)) {
		table_del(&t->table, &conns_type, key, c);
		return NULL;
	}
	return c;
}

struct conn *conns_add(struct conns *t, uint64_t key)
{
	struct conn *c;

	if (!key)
		return NULL;
	if (t->table.n >= t->table.max)
		forget_oldest(t);
	while (!(c = add(t, key)))
		if (!forget_oldest(t))
			return NULL;
	if (t->lives)
		conns_life(t, c)->begin = 0;	/* the rest means nothing then */
	c->key = key;
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
	return conns_next(t, at(t, LIVE));
}

struct conn *conns_next(const struct conns *t, const struct conn *c)
{
	return c->newer == LIVE ? NULL : at(t, c->newer);
}

const struct conn *conns_slot(const struct conns *t, size_t *i)
{
	const struct conn *c;

	if (*i < conns_type.reserved)
		*i = conns_type.reserved;
	c = *i < t->table.end ? at(t, (uint32_t)*i) : NULL;
	*i = *i + 1 < t->table.end ? *i + 1 : 0;
	return c;
}
