// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Listeners as the TOTAL records of the last reading tell them.
 *
 * A table of pointers, which others keep; found by cookie, or by network namespace for what
 * is counted for one.  An entry moves on to a new reading with its first record
 * of it: those that have not are not there any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "listeners.h"
#include "source/process.h"
#include "table.h"
#include "tcpfsm.h"

/* More than any machine has; a recording can claim anything. */
#define ENTRIES_MAX	65536U
#define FIRST		64U		/* there is room for at once */
#define NETNS_KEY	(1ULL << 63)

/* Whose a listener is; who has it now comes before who made it. */
enum claim { ACCEPTED, OPEN, LISTENED, CLAIMS };

struct process {
	uint64_t ts;			/* it was there then; 0: there is none */
	uint32_t pid;
	char comm[17];
};

struct entry {
	struct tcpfsm_listener l;
	uint64_t key;
	struct process by[CLAIMS];
	uint64_t cookie;		/* network namespace: its own */
	uint64_t total[TCPFSM_TOTAL_NUM];
	uint64_t *earlier;		/* first and before, [2][TCPFSM_TOTAL_NUM] */
};

struct slot {
	struct entry *entry;		/* NULL: free */
	uint32_t link;			/* the table's */
};

struct tcpfsm_listeners {
	struct table table;
	uint64_t ts;			/* of the last reading; 0: none */
	uint64_t before_ts;		/* of the one before */
	uint64_t swept_ts;
	const struct tcpfsm_listener **sorted;
	size_t nsorted;
	bool dirty;			/* sorted is not up to date */
	bool live;			/* processes are of this machine */
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
			else if (i == TCPFSM_TOTAL_NOW_ACCEPTED_TS && b[i] > a[i])
				a[i] = b[i];
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

static uint64_t hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct slot *)entry)->entry->key;
}

static const struct table_type type = {
	.size = sizeof(struct slot), .link = offsetof(struct slot, link), .reserved = 1, .hash = hash,
};

static struct entry *lookup(const struct tcpfsm_listeners *ls, uint64_t key)
{
	const struct slot *s = table_first(&ls->table, &type, key);

	while (s && s->entry->key != key)
		s = table_next(&ls->table, &type, s);
	return s ? s->entry : NULL;
}

/* Of the slots from *i on, the next one that has an entry; NULL: none. */
static struct slot *slot_next(const struct tcpfsm_listeners *ls, uint32_t *i)
{
	while (++*i < ls->table.end) {
		struct slot *s = table_at(&ls->table, &type, *i);

		if (s->entry)
			return s;
	}
	return NULL;
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
	return e->by[OPEN].ts || e->l.ts == ls->ts || (e->l.ts && e->l.ts == ls->before_ts);
}

/* Those that have gone give up their places. */
static void sweep(struct tcpfsm_listeners *ls)
{
	struct slot *s;
	uint32_t i = 0;

	while ((s = slot_next(ls, &i))) {
		struct entry *e = s->entry;

		if (is_kept(ls, e))
			continue;
		table_del(&ls->table, &type, e->key, s);
		s->entry = NULL;
		entry_free(e);
	}
	ls->swept_ts = ls->ts;
	ls->dirty = true;
}

/* Once in a reading at most, or a recording could keep us busy with it. */
static bool has_room(struct tcpfsm_listeners *ls)
{
	bool tight = ls->table.end == ls->table.cap && !ls->table.free;

	if (tight && ls->swept_ts != ls->ts)
		sweep(ls);
	return ls->table.n < ls->table.max;
}

/* Return: 0, also if there is no place for it, then *e is NULL; or -ENOMEM. */
static int entry_get(struct tcpfsm_listeners *ls, uint64_t key, struct entry **e)
{
	struct slot *s;

	*e = lookup(ls, key);
	if (*e || !has_room(ls))
		return 0;
	*e = calloc(1, sizeof(**e));
	if (!*e)
		return -ENOMEM;
	s = table_add(&ls->table, &type, key);
	if (!s) {
		free(*e);
		return -ENOMEM;
	}
	(*e)->key = key;
	(*e)->l.total = (*e)->total;
	s->entry = *e;
	return 0;
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

static void claim(struct process *p, const struct tcpfsm_record *rec, uint64_t ts)
{
	p->ts = ts;
	p->pid = rec->pid;
	memcpy(p->comm, rec->comm, sizeof(rec->comm));
	p->comm[sizeof(p->comm) - 1] = '\0';
}

/* Whoever is the first to have a claim, and lives. */
static void choose_owner(struct entry *e, bool live)
{
	struct tcpfsm_listener *l = &e->l;
	const struct process *p = NULL;
	bool lives = false;
	unsigned int i;

	for (i = 0; i < CLAIMS && !lives && (live || !p); i++) {
		struct process by = e->by[i];

		if (!by.ts)
			continue;
		lives = live && process_name(by.pid, by.ts, by.comm);
		if (p && !lives)
			continue;
		p = &e->by[i];
		memcpy(l->comm, by.comm, sizeof(l->comm));
	}
	l->has_owner = p;
	l->owner_gone = live && !lives;
	l->pid = p ? p->pid : 0;
	p = &e->by[LISTENED];
	l->has_caller = p->ts;
	l->caller_pid = p->pid;
	memcpy(l->caller_comm, p->comm, sizeof(l->caller_comm));
}

static int feed_socket(struct tcpfsm_listeners *ls, const struct tcpfsm_record *rec)
{
	struct entry *e;
	int err;

	if (rec->new_state != TCPFSM_STATE_LISTEN || !rec->conn || !(rec->flags & TCPFSM_F_OWNER))
		return 0;
	err = entry_get(ls, rec->conn, &e);
	if (err || !e)
		return err;
	claim(&e->by[OPEN], rec, rec->ts);
	choose_owner(e, false);
	return 0;
}

/* The first total of a network namespace: with the same inode there may be another one now. */
static void take_cookie(struct entry *e, uint64_t cookie)
{
	if (e->cookie && e->cookie != cookie) {
		free(e->earlier);
		e->earlier = NULL;
		e->l.first = e->total;
		e->l.first_ts = e->l.ts;
		e->l.before = NULL;
		e->l.before_ts = 0;
	}
	e->cookie = cookie;
}

/* Each total has the caller of listen() but one. */
static void take_owner(struct entry *e, const struct tcpfsm_record *rec)
{
	bool accepted = rec->rcv == TCPFSM_TOTAL_NOW_ACCEPTED_TS;
	struct process *p = &e->by[accepted ? ACCEPTED : LISTENED];
	bool same = p->ts && p->pid == rec->pid && !memcmp(p->comm, rec->comm, sizeof(rec->comm));

	if (!(rec->flags & TCPFSM_F_OWNER))
		return;
	if (!same) {
		claim(p, rec, rec->ts);
		choose_owner(e, false);
	}
	if (accepted || (rec->rcv == TCPFSM_TOTAL_NOW_SINCE_TS && rec->listener))
		p->ts = rec->listener;
}

static int feed_total(struct tcpfsm_listeners *ls, const struct tcpfsm_record *rec)
{
	uint64_t key = rec->conn ? rec->conn : rec->netns | NETNS_KEY;
	struct entry *e;
	int err;

	if (rec->rcv >= TCPFSM_TOTAL_NUM || !rec->ts)
		return 0;
	if (rec->ts != ls->ts) {
		ls->before_ts = ls->ts;
		ls->ts = rec->ts;
		ls->dirty = true;
	}
	err = entry_get(ls, key, &e);
	if (err || !e)
		return err;
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
	}
	if (rec->rcv == TCPFSM_TOTAL_NOW_NETNS_COOKIE)
		take_cookie(e, rec->listener);
	e->total[rec->rcv] = rec->listener;
	take_owner(e, rec);
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
	if (x->total[TCPFSM_TOTAL_NOW_DEV] != y->total[TCPFSM_TOTAL_NOW_DEV])
		return x->total[TCPFSM_TOTAL_NOW_DEV] < y->total[TCPFSM_TOTAL_NOW_DEV] ? -1 : 1;
	return x->conn < y->conn ? -1 : x->conn > y->conn;
}

static int sort(struct tcpfsm_listeners *ls)
{
	const struct tcpfsm_listener **sorted;
	const struct slot *s;
	uint32_t i = 0;

	sorted = realloc(ls->sorted, (ls->table.n + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	ls->sorted = sorted;
	ls->nsorted = 0;
	while ((s = slot_next(ls, &i))) {
		struct entry *e = s->entry;

		if (!ls->ts || e->l.ts != ls->ts)
			continue;
		if (ls->live)
			choose_owner(e, true);
		sorted[ls->nsorted++] = &e->l;
	}
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
	const struct entry *e = lookup(ls, key);

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

void tcpfsm_listeners_live(struct tcpfsm_listeners *ls, bool live)
{
	ls->live = live;
}

int tcpfsm_listeners_new(struct tcpfsm_listeners **out)
{
	struct tcpfsm_listeners *ls = calloc(1, sizeof(*ls));

	*out = NULL;
	if (!ls)
		return -ENOMEM;
	if (table_init(&ls->table, &type, FIRST, ENTRIES_MAX)) {
		free(ls);
		return -ENOMEM;
	}
	*out = ls;
	return 0;
}

void tcpfsm_listeners_rebase(struct tcpfsm_listeners *ls)
{
	struct slot *s;
	uint32_t i = 0;

	while ((s = slot_next(ls, &i))) {
		struct entry *e = s->entry;

		if (!e->earlier)		/* the first reading is the last one */
			continue;
		memcpy(e->earlier, e->total, sizeof(e->total));
		e->l.first_ts = e->l.ts;
	}
}

void tcpfsm_listeners_free(struct tcpfsm_listeners *ls)
{
	struct slot *s;
	uint32_t i = 0;

	if (!ls)
		return;
	while ((s = slot_next(ls, &i)))
		entry_free(s->entry);
	table_exit(&ls->table);
	free(ls->sorted);
	free(ls);
}
