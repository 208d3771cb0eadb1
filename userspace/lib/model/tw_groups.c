// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tw_groups.h"

#define KIND(k)		TCPFSM_TIMEWAIT_##k
#define FIRST		64U

static uint64_t hash_key(const struct table *t, const struct key *key)
{
	_Static_assert(sizeof(*key) % 8 == 0, "hashed by words");
	return hash_words(key, sizeof(*key), t->seed);
}

static uint64_t hash_group(const struct table *t, const void *entry)
{
	return hash_key(t, &((const struct group *)entry)->key);
}

static const struct table_type type = {
	.size = sizeof(struct group), .link = offsetof(struct group, link), .reserved = 1,
	.hash = hash_group,
};

static void unlink_idle(struct groups *t, struct group *g)
{
	group_at(t, g->older)->newer = g->newer;
	group_at(t, g->newer)->older = g->older;
	g->idle = false;
}

/* As the newest; the head's newer is the oldest. */
static void link_idle(struct groups *t, struct group *g)
{
	uint32_t i = (uint32_t)(g - group_at(t, 0));

	g->newer = 0;
	g->older = group_at(t, 0)->older;
	group_at(t, g->older)->newer = i;
	group_at(t, 0)->older = i;
	g->idle = true;
}

int groups_init(struct groups *t, size_t max, uint8_t kind)
{
	if (table_init(&t->table, &type, FIRST, max))
		return -ENOMEM;
	table_seed(&t->table);
	group_at(t, 0)->now.kind = kind;
	group_at(t, 0)->now.rest = true;
	return 0;
}

/* What g saw, to what the rest saw. */
void group_add_history(struct group *to, const struct group *g)
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

/* The group idle for longest gives up its place.  False: all have sockets. */
static bool evict(struct groups *t)
{
	struct group *g = group_at(t, group_at(t, 0)->newer);

	if (g == group_at(t, 0))
		return false;
	unlink_idle(t, g);
	group_add_history(group_at(t, 0), g);
	free(g->listening);
	free(g->cgroup);
	table_del(&t->table, &type, hash_group(&t->table, g), g);
	return true;
}

static struct group *find(const struct groups *t, const struct key *key, uint64_t hash)
{
	struct group *g = table_first(&t->table, &type, hash);

	while (g && memcmp(&g->key, key, sizeof(*key)))
		g = table_next(&t->table, &type, g);
	return g;
}

static bool is_last(const struct groups *t, const struct key *key)
{
	return t->last && !memcmp(&group_at(t, t->last)->key, key, sizeof(*key));
}

uint32_t groups_find(const struct groups *t, const struct key *key)
{
	const struct group *g = is_last(t, key) ? group_at(t, t->last) :
				find(t, key, hash_key(&t->table, key));

	return g ? (uint32_t)(g - group_at(t, 0)) : 0;
}

static void name_group(const struct groups *t, struct group *g)
{
	struct tcpfsm_timewait *now = &g->now;
	const struct key *key = &g->key;

	now->kind = group_at(t, 0)->now.kind;
	now->netns = key->netns;
	if (now->kind == KIND(DESTINATION)) {
		now->inbound = key->inbound;
		now->family = key->family;
		now->lport = key->lport;
		now->rport = key->rport;
		now->dev = key->dev;
		memcpy(now->laddr, key->laddr, sizeof(now->laddr));
		memcpy(now->raddr, key->raddr, sizeof(now->raddr));
	} else if (now->kind == KIND(OWNER) && key->pid) {
		now->has_owner = true;
		now->pid = key->pid;
	}
}

uint32_t groups_get(struct groups *t, const struct key *key)
{
	struct group *g;
	uint64_t hash;

	if (is_last(t, key))
		return t->last;
	hash = hash_key(&t->table, key);
	g = find(t, key, hash);
	if (!g) {
		g = table_add(&t->table, &type, hash);
		if (!g && evict(t))
			g = table_add(&t->table, &type, hash);
		if (!g)
			return 0;
		g->key = *key;
		link_idle(t, g);
		name_group(t, g);
	}
	return t->last = (uint32_t)(g - group_at(t, 0));
}

void groups_turn(struct groups *t, struct group *g)
{
	if (g->idle)
		unlink_idle(t, g);
	else
		link_idle(t, g);
}

void groups_forget(struct groups *t, struct group *g)
{
	struct group fresh = {
		.key = g->key, .link = g->link, .older = g->older, .newer = g->newer, .idle = g->idle,
	};

	free(g->listening);
	free(g->cgroup);
	*g = fresh;
	name_group(t, g);
	if (!g->idle)
		link_idle(t, g);
}

void groups_free(struct groups *t)
{
	uint32_t i;

	for (i = 0; i < groups_end(t); i++) {
		free(group_at(t, i)->listening);
		free(group_at(t, i)->cgroup);
	}
	table_exit(&t->table);
}
