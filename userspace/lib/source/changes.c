// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"

#define NETNS_KEY	(1ULL << 63)
/* More than the module tells of; a recording can claim anything. */
#define RECORDS_MAX	(1U << 19)

/* The totals of one listener, or of a network namespace. */
struct group {
	uint64_t key;
	const struct tcpfsm_record *first;
	size_t n;
	bool used;
};

struct groups {
	struct group *g;
	size_t n;
};

void reading_free(struct reading *r)
{
	free(r->records);
	*r = (struct reading) { .n = 0 };
}

static uint64_t key_of(const struct tcpfsm_record *r)
{
	return r->conn ? r->conn : r->netns | NETNS_KEY;
}

static int by_key(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* In their order.  Return: 0 or -ENOMEM. */
static int find_groups(struct groups *gs, const struct tcpfsm_record *r, size_t n)
{
	size_t i;

	gs->n = 0;
	gs->g = malloc((n + 1) * sizeof(*gs->g));
	if (!gs->g)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		uint64_t key = key_of(&r[i]);

		if (i && gs->g[gs->n - 1].key == key)
			gs->g[gs->n - 1].n++;
		else
			gs->g[gs->n++] = (struct group) { .key = key, .first = &r[i], .n = 1 };
	}
	return 0;
}

static int find_sorted(struct groups *gs, const struct tcpfsm_record *r, size_t n)
{
	int err = find_groups(gs, r, n);

	if (!err)
		qsort(gs->g, gs->n, sizeof(*gs->g), by_key);
	return err;
}

static int compare_key(const void *key, const void *group)
{
	const struct group *g = group;

	return *(const uint64_t *)key < g->key ? -1 : *(const uint64_t *)key > g->key;
}

static struct group *find(const struct groups *gs, uint64_t key)
{
	return gs->n ? bsearch(&key, gs->g, gs->n, sizeof(*gs->g), compare_key) : NULL;
}

/* But for their times. */
static bool same_group(const struct group *a, const struct group *b)
{
	const size_t from = offsetof(struct tcpfsm_record, type);
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (memcmp((const char *)&a->first[i] + from, (const char *)&b->first[i] + from, sizeof(*a->first) - from))
			return false;
	return true;
}

static void add(struct reading *r, const struct tcpfsm_record *first, size_t n, uint64_t ts)
{
	while (n--) {
		r->records[r->n] = *first++;
		r->records[r->n++].ts = ts;
	}
}

/* There is room for all of both. */
static void add_changes(struct reading *out, struct groups *was, const struct groups *now, uint64_t since, uint64_t ts)
{
	struct tcpfsm_record r = { .type = TCPFSM_TYPE_TOTAL, .ts = ts, .rcv = CTF_TOTAL_SINCE, .listener = since };
	size_t i;

	add(out, &r, 1, ts);
	for (i = 0; i < now->n; i++) {
		struct group *before = find(was, now->g[i].key);

		if (before)
			before->used = true;
		if (!before || !same_group(before, &now->g[i]))
			add(out, now->g[i].first, now->g[i].n, ts);
	}
	for (i = 0; i < was->n; i++) {
		if (was->g[i].used)
			continue;
		r = *was->g[i].first;
		r.rcv = CTF_TOTAL_GONE;
		r.listener = 0;
		add(out, &r, 1, ts);
	}
	out->records->tw = (uint32_t)(out->n - 1);
}

int reading_changes(const struct reading *was, const struct reading *now, struct reading *changes)
{
	struct groups before = { .n = 0 }, after = { .n = 0 };
	int err;

	*changes = (struct reading) { .n = now->n };
	if (!was->n || !now->n)
		return 0;
	changes->records = malloc((was->n + now->n + 1) * sizeof(*changes->records));
	changes->n = 0;
	err = changes->records ? find_sorted(&before, was->records, was->n) : -ENOMEM;
	if (!err)
		err = find_groups(&after, now->records, now->n);
	if (!err)
		add_changes(changes, &before, &after, was->records->ts, now->records->ts);
	free(before.g);
	free(after.g);
	if (err)
		reading_free(changes);
	return err;
}

/* Those that were there, in their order, and then new ones; of listeners, or of namespaces. */
static void add_all(struct reading *out, const struct groups *was, struct groups *now, bool netns, uint64_t ts)
{
	size_t i;

	for (i = 0; i < was->n; i++) {
		struct group *g = !was->g[i].first->conn == netns ? find(now, was->g[i].key) : NULL;

		if (!was->g[i].first->conn != netns)
			continue;
		if (!g)
			add(out, was->g[i].first, was->g[i].n, ts);
		else if (g->first->rcv != CTF_TOTAL_GONE && !g->used)
			add(out, g->first, g->n, ts);
		if (g)
			g->used = true;
	}
	for (i = 0; i < now->n; i++)
		if (!now->g[i].used && !now->g[i].first->conn == netns && now->g[i].first->rcv != CTF_TOTAL_GONE)
			add(out, now->g[i].first, now->g[i].n, ts);
}

int reading_apply(struct reading *r, const struct reading *changes)
{
	const struct tcpfsm_record *since = changes->records;
	struct groups was = { .n = 0 }, now = { .n = 0 };
	struct reading all = { .n = 0 };
	int err = 0;

	if (!r->n || since->listener != r->records->ts || since->tw != changes->n - 1 ||
	    r->n + changes->n > RECORDS_MAX)
		err = -EBADMSG;
	if (!err) {
		all.records = malloc((r->n + changes->n) * sizeof(*all.records));
		err = all.records ? find_groups(&was, r->records, r->n) : -ENOMEM;
	}
	if (!err)
		err = find_sorted(&now, since + 1, changes->n - 1);
	if (!err) {
		add_all(&all, &was, &now, false, since->ts);
		add_all(&all, &was, &now, true, since->ts);
	}
	free(was.g);
	free(now.g);
	reading_free(r);
	if (err)
		reading_free(&all);
	*r = all;
	return err;
}
