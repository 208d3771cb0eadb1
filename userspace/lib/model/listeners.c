// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Listeners as the TOTAL records of the last reading tell them.
 *
 * A table of pointers, found by cookie, or by network namespace for what is
 * counted for one.  An entry moves on to a new reading with its first record
 * of it: those that have not are not there any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "listeners.h"
#include "tcpfsm.h"

/* More than any machine has; a recording can claim anything. */
#define ENTRIES_MAX	65536U
#define NETNS_KEY	(1ULL << 63)

struct entry {
	struct tcpfsm_listener l;
	uint64_t key;
	bool owner_told;		/* by a TOTAL: who called listen() */
	bool socket;			/* its owner is known from a snapshot */
	uint64_t total[TCPFSM_TOTAL_NUM];
	uint64_t *earlier;		/* first and before, [2][TCPFSM_TOTAL_NUM] */
};

struct tcpfsm_listeners {
	struct entry **slot;		/* open addressing, a power of two of them */
	size_t nslots, n;
	uint64_t ts;			/* of the last reading; 0: none */
	uint64_t before_ts;		/* of the one before */
	uint64_t rebuilt_ts;
	const struct tcpfsm_listener **sorted;
	size_t nsorted;
	bool dirty;			/* sorted is not up to date */
};

/* ---- the table of totals ------------------------------------------------------ */

enum merge { MERGE_SUM, MERGE_MAX, MERGE_MIN, MERGE_AT, MERGE_NOW };

static const uint8_t merges[TCPFSM_TOTAL_NUM] = {
#define MERGE(s, n, name, how, text)	[n] = MERGE_##how,
	TCPFSM_TOTALS(MERGE)
#undef MERGE
};

/* A group of sockets has as many places as all of them. */
static bool adds_up(unsigned int index)
{
	switch (index) {
	case TCPFSM_TOTAL_NOW_SYNQ:
	case TCPFSM_TOTAL_NOW_SYNQ_YOUNG:
	case TCPFSM_TOTAL_NOW_ACCEPTQ:
	case TCPFSM_TOTAL_NOW_BACKLOG:
	case TCPFSM_TOTAL_NOW_SYNQ_PLACES:
		return true;
	}
	return false;
}

void tcpfsm_totals_merge(uint64_t a[TCPFSM_TOTAL_NUM], const uint64_t b[TCPFSM_TOTAL_NUM])
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
		switch (merges[i]) {
		case MERGE_SUM:
			a[i] += b[i];
			break;
		case MERGE_MAX:
			if (b[i] <= a[i])
				break;
			a[i] = b[i];
			if (merges[i + 1] == MERGE_AT)
				a[i + 1] = b[i + 1];
			break;
		case MERGE_MIN:
			if (b[i] && (!a[i] || b[i] < a[i]))
				a[i] = b[i];
			break;
		case MERGE_AT:
			break;
		case MERGE_NOW:
			if (adds_up(i))
				a[i] += b[i];
			else if (i == TCPFSM_TOTAL_NOW_PLACE)
				a[i] = a[i] && b[i];
			break;
		}
	}
}

uint64_t tcpfsm_totals_sum(const uint64_t *total, unsigned int index, unsigned int n)
{
	uint64_t sum = 0;

	while (n--)
		sum += total[index++];
	return sum;
}

uint64_t tcpfsm_histogram_quantile(const uint64_t bucket[TCPFSM_TOTAL_BUCKETS], double q)
{
	uint64_t all = tcpfsm_totals_sum(bucket, 0, TCPFSM_TOTAL_BUCKETS);
	double wanted = q * (double)all, before = 0;
	unsigned int i;

	if (!all)
		return 0;
	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++) {
		double here = (double)bucket[i];

		if (bucket[i] && before + here >= wanted) {
			double low = i ? (double)(1ULL << (i - 1)) : 0;
			double width = i ? (double)(1ULL << (i - 1)) - 1 : 0;
			double part = wanted > before ? (wanted - before) / here : 0;

			return (uint64_t)(low + width * part);
		}
		before += here;
	}
	return (1ULL << (TCPFSM_TOTAL_BUCKETS - 1)) - 1;
}

/* ---- entries -------------------------------------------------------------------- */

static size_t place(const struct tcpfsm_listeners *ls, uint64_t key)
{
	size_t i = hash_bits(key, 32) & (ls->nslots - 1);

	while (ls->slot[i] && ls->slot[i]->key != key)
		i = (i + 1) & (ls->nslots - 1);
	return i;
}

static void entry_free(struct entry *e)
{
	free(e->earlier);
	free(e);
}

/*
 * Is it worth its place?  What the reading before told of may be still to come
 * in this one.
 */
static bool is_kept(const struct tcpfsm_listeners *ls, const struct entry *e)
{
	return e->socket || e->l.ts == ls->ts || (e->l.ts && e->l.ts == ls->before_ts);
}

/* A table with room, without those that have gone. */
static int rebuild(struct tcpfsm_listeners *ls)
{
	struct entry **old = ls->slot;
	size_t i, n = ls->nslots, kept = 0;

	for (i = 0; i < n; i++)
		kept += old[i] && is_kept(ls, old[i]);
	for (ls->nslots = 64; ls->nslots < 4 * kept; ls->nslots *= 2)
		;
	ls->slot = calloc(ls->nslots, sizeof(*ls->slot));
	if (!ls->slot) {
		ls->slot = old;
		ls->nslots = n;
		return -ENOMEM;
	}
	ls->n = 0;
	ls->rebuilt_ts = ls->ts;
	for (i = 0; i < n; i++) {
		struct entry *e = old[i];

		if (!e)
			continue;
		if (!is_kept(ls, e)) {
			entry_free(e);
			continue;
		}
		ls->slot[place(ls, e->key)] = e;
		ls->n++;
	}
	free(old);
	ls->dirty = true;
	return 0;
}

/* Once in a reading at most, or a recording could keep us busy with it. */
static bool is_full(struct tcpfsm_listeners *ls)
{
	if (ls->n >= ENTRIES_MAX && ls->rebuilt_ts != ls->ts)
		rebuild(ls);
	return ls->n >= ENTRIES_MAX;
}

static struct entry *entry_get(struct tcpfsm_listeners *ls, uint64_t key)
{
	struct entry *e;
	size_t i;

	if (ls->nslots) {
		e = ls->slot[place(ls, key)];
		if (e)
			return e;
	}
	if (2 * (ls->n + 1) > ls->nslots && rebuild(ls))
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = key;
	e->l.total = e->total;
	i = place(ls, key);
	ls->slot[i] = e;
	ls->n++;
	return e;
}

/* A new reading of this one: what was is what was before. */
static int entry_moves_on(struct entry *e, uint64_t ts)
{
	size_t size = sizeof(e->total);

	if (!e->l.ts) {
		e->l.first_ts = ts;
		e->l.first = e->total;
	} else {
		if (!e->earlier) {
			e->earlier = malloc(2 * size);
			if (!e->earlier)
				return -ENOMEM;
			memcpy(e->earlier, e->total, size);
			e->l.first = e->earlier;
		}
		memcpy(e->earlier + TCPFSM_TOTAL_NUM, e->total, size);
		e->l.before = e->earlier + TCPFSM_TOTAL_NUM;
		e->l.before_ts = e->l.ts;
	}
	memset(e->total, 0, size);
	e->l.ts = ts;
	return 0;
}

static void set_owner(struct tcpfsm_listener *l, const struct tcpfsm_record *rec)
{
	l->has_owner = true;
	l->pid = rec->pid;
	memcpy(l->comm, rec->comm, sizeof(rec->comm));
	l->comm[sizeof(l->comm) - 1] = '\0';
}

static int feed_socket(struct tcpfsm_listeners *ls, const struct tcpfsm_record *rec)
{
	struct entry *e;

	if (rec->new_state != TCPFSM_STATE_LISTEN || !rec->conn || !(rec->flags & TCPFSM_F_OWNER) ||
	    is_full(ls))
		return 0;
	e = entry_get(ls, rec->conn);
	if (!e)
		return -ENOMEM;
	e->socket = true;
	if (!e->owner_told)
		set_owner(&e->l, rec);
	return 0;
}

static int feed_total(struct tcpfsm_listeners *ls, const struct tcpfsm_record *rec)
{
	uint64_t key = rec->conn ? rec->conn : rec->netns | NETNS_KEY;
	struct entry *e;

	if (rec->rcv >= TCPFSM_TOTAL_NUM || !rec->ts)
		return 0;
	if (rec->ts != ls->ts) {
		ls->before_ts = ls->ts;
		ls->ts = rec->ts;
		ls->dirty = true;
	}
	e = ls->nslots ? ls->slot[place(ls, key)] : NULL;
	if (!e) {
		if (is_full(ls))
			return 0;
		e = entry_get(ls, key);
		if (!e)
			return -ENOMEM;
	}
	if (e->l.ts != rec->ts) {
		if (entry_moves_on(e, rec->ts))
			return -ENOMEM;
		ls->dirty = true;
		e->l.conn = rec->conn;
		/* A module that does not tell counts each that it tells of. */
		e->total[TCPFSM_TOTAL_NOW_PLACE] = !!rec->conn;
		e->l.netns = rec->netns;
		e->l.family = rec->family;
		e->l.lport = rec->lport;
		memcpy(e->l.laddr, rec->laddr, sizeof(e->l.laddr));
		if (rec->flags & TCPFSM_F_OWNER) {
			e->owner_told = true;
			set_owner(&e->l, rec);
		}
	}
	e->total[rec->rcv] = rec->listener;
	return 0;
}

int tcpfsm_listeners_item(struct tcpfsm_listeners *ls, const struct tcpfsm_item *item)
{
	if (item->lost)
		return 0;
	switch (item->rec.type) {
	case TCPFSM_TYPE_SOCKET:
		return feed_socket(ls, &item->rec);
	case TCPFSM_TYPE_TOTAL:
		return feed_total(ls, &item->rec);
	}
	return 0;
}

/* ---- looking at them ---------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct tcpfsm_listener *x = *(const struct tcpfsm_listener *const *)a;
	const struct tcpfsm_listener *y = *(const struct tcpfsm_listener *const *)b;
	int order;

	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	/* The network namespace itself is the last. */
	if (!x->conn != !y->conn)
		return x->conn ? -1 : 1;
	if (x->lport != y->lport)
		return x->lport < y->lport ? -1 : 1;
	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	order = memcmp(x->laddr, y->laddr, sizeof(x->laddr));
	if (order)
		return order;
	return x->conn < y->conn ? -1 : x->conn > y->conn;
}

static int sort(struct tcpfsm_listeners *ls)
{
	const struct tcpfsm_listener **sorted;
	size_t i;

	sorted = realloc(ls->sorted, (ls->n + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	ls->sorted = sorted;
	ls->nsorted = 0;
	for (i = 0; i < ls->nslots; i++)
		if (ls->slot[i] && ls->ts && ls->slot[i]->l.ts == ls->ts)
			sorted[ls->nsorted++] = &ls->slot[i]->l;
	qsort(sorted, ls->nsorted, sizeof(*sorted), by_address);
	ls->dirty = false;
	return 0;
}

int tcpfsm_listeners_each(struct tcpfsm_listeners *ls, tcpfsm_listener_fn fn, void *arg)
{
	size_t i;
	int rc = ls->dirty ? sort(ls) : 0;

	for (i = 0; !rc && i < ls->nsorted; i++)
		rc = fn(ls->sorted[i], arg);
	return rc;
}

static const struct tcpfsm_listener *find(const struct tcpfsm_listeners *ls, uint64_t key)
{
	const struct entry *e = ls->nslots ? ls->slot[place(ls, key)] : NULL;

	return e && ls->ts && e->l.ts == ls->ts ? &e->l : NULL;
}

const struct tcpfsm_listener *tcpfsm_listeners_find(const struct tcpfsm_listeners *ls,
						    uint64_t conn)
{
	return conn ? find(ls, conn) : NULL;
}

const struct tcpfsm_listener *listeners_netns(const struct tcpfsm_listeners *ls, uint32_t netns)
{
	return find(ls, netns | NETNS_KEY);
}

int tcpfsm_listeners_new(struct tcpfsm_listeners **ls)
{
	*ls = calloc(1, sizeof(**ls));
	return *ls ? 0 : -ENOMEM;
}

void tcpfsm_listeners_free(struct tcpfsm_listeners *ls)
{
	size_t i;

	if (!ls)
		return;
	for (i = 0; i < ls->nslots; i++)
		if (ls->slot[i])
			entry_free(ls->slot[i]);
	free(ls->slot);
	free(ls->sorted);
	free(ls);
}
