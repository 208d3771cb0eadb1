// SPDX-License-Identifier: GPL-2.0-only
/* Listeners as rows, the worst first: what tcpfsm listen and tcpfsm top show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "listen.h"
#include "source/clock.h"

#define T(t)		TCPFSM_TOTAL_##t

/* ---- what the numbers say --------------------------------------------------------- */

static uint64_t dropped(const uint64_t *total, unsigned int reason)
{
	return total[T(SYN_DROPPED) + reason] + total[T(ACK_DROPPED) + reason] +
	       total[T(ACK_RESET) + reason];
}

uint64_t listen_refused(const uint64_t *total)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_REASONS; i++)
		if (i != TCPFSM_REASON_COOKIE_INVALID && i != TCPFSM_REASON_DEFER_ACCEPT)
			sum += dropped(total, i);
	return sum;
}

bool listen_has_rest(const struct listen_row *netns)
{
	return netns->recent[T(SYN)] || netns->recent[T(ACCEPTED)] || listen_refused(netns->recent) ||
	       netns->recent[T(COMPLETED)] || netns->recent[T(COMPLETED_COOKIE)];
}

static unsigned int limits(const struct listen_row *row)
{
	static const struct {
		enum listen_limit limit;
		unsigned int reason;
	} refusals[] = {
		{ LISTEN_SYNQ, TCPFSM_REASON_SYNQ_FULL },
		{ LISTEN_ACCEPTQ, TCPFSM_REASON_ACCEPTQ_FULL },
		{ LISTEN_QUARTER, TCPFSM_REASON_LAST_QUARTER },
		{ LISTEN_MEMORY, TCPFSM_REASON_NO_MEMORY },
		{ LISTEN_ROUTE, TCPFSM_REASON_NO_ROUTE },
		{ LISTEN_SECURITY, TCPFSM_REASON_SECURITY },
		{ LISTEN_OTHER, TCPFSM_REASON_OTHER },
	};
	const uint64_t *t = row->total;
	unsigned int bits = 0;
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (dropped(row->recent, refusals[i].reason))
			bits |= 1U << refusals[i].limit;
	if (row->recent[T(SYN_COOKIE)])
		bits |= 1U << LISTEN_COOKIE;
	if (row->recent[T(ACK_RESET) + TCPFSM_REASON_ACCEPTQ_FULL])
		bits |= 1U << LISTEN_ABORT;
	/* Full now; a group is when a member is. */
	if (!row->members && t[T(NOW_SYNQ)] && t[T(NOW_SYNQ)] >= t[T(NOW_SYNQ_PLACES)])
		bits |= 1U << LISTEN_SYNQ;
	if (!row->members && t[T(NOW_ACCEPTQ)] > t[T(NOW_BACKLOG)])
		bits |= 1U << LISTEN_ACCEPTQ;
	if (!row->members && !t[T(NOW_GONE_TS)] && t[T(NOW_ASKED)] &&
	    t[T(NOW_ASKED)] - 1 > t[T(NOW_BACKLOG)])
		bits |= 1U << LISTEN_CLAMP;
	return bits;
}

/* ---- a reading ------------------------------------------------------------------------ */

static bool wanted(const struct tcpfsm_filter *f, const struct tcpfsm_listener *l)
{
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_listener(&s, l);
	return tcpfsm_filter_subject(f, &s);
}

static int take(const struct tcpfsm_listener *l, void *arg)
{
	struct listen_reader *v = arg;
	struct listen_row *rows;

	if (!wanted(v->filter, l))
		return 0;
	rows = grown(v->sorted, &v->room, v->n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	v->sorted = rows;
	v->sorted[v->n++] = (struct listen_row) { .l = l, .total = l->total };
	return 0;
}

/* Peaks and times are as they are; counters begin again in a new one only. */
static void since_last(struct listen_reader *v, struct listen_row *row, uint64_t *recent)
{
	const struct tcpfsm_listener *l = row->l;
	/* One that was not there at the first of all readings, nothing is known to count from. */
	bool first = v->since_first && l->ts > l->first_ts && l->first_ts <= v->last_ts;
	const uint64_t *base = v->since_first ? first ? l->first : NULL : l->before;
	uint64_t from = first ? l->first_ts : base ? l->before_ts : v->last_ts;
	unsigned int i;

	memcpy(recent, l->total, sizeof(*v->recent));
	row->recent = recent;
	if (!v->last_ts)
		return;
	row->seconds = v->zeroed ? 0 : (double)(l->ts - from) / (double)NSEC_PER_SEC;
	for (i = 0; base && i < TCPFSM_TOTAL_NUM; i++)
		if ((i < T(SYNQ_PEAK) || i > T(REFUSED_FIRST_TS)) &&
		    (i < T(NOW_SYNQ) || i > T(NOW_TW_MAX)) && recent[i] >= base[i])
			recent[i] -= base[i];
}

static bool same_group(const struct tcpfsm_listener *a, const struct tcpfsm_listener *b)
{
	return a->total[T(NOW_REUSEPORT)] > 1 && b->total[T(NOW_REUSEPORT)] > 1 &&
	       a->netns == b->netns && a->family == b->family && a->lport == b->lport &&
	       a->total[T(NOW_DEV)] == b->total[T(NOW_DEV)] &&
	       !memcmp(a->laddr, b->laddr, sizeof(a->laddr));
}

/* How much of its longer queue is taken, in thousandths. */
static uint64_t fill(const struct listen_row *row)
{
	const uint64_t *t = row->total;
	uint64_t synq = t[T(NOW_SYNQ_PLACES)] ? 1000 * t[T(NOW_SYNQ)] / t[T(NOW_SYNQ_PLACES)] : 0;
	uint64_t acceptq = 1000 * t[T(NOW_ACCEPTQ)] / (t[T(NOW_BACKLOG)] + 1);

	return synq > acceptq ? synq : acceptq;
}

static int descending(uint64_t a, uint64_t b)
{
	return a > b ? -1 : a < b;
}

static int worse(const struct listen_row *a, const struct listen_row *b)
{
	int order = descending(a->refused, b->refused);

	if (!order)
		order = descending(a->recent[T(SYN_COOKIE)], b->recent[T(SYN_COOKIE)]);
	if (!order)
		order = descending(fill(a), fill(b));
	if (!order)
		order = descending(a->recent[T(SYN)], b->recent[T(SYN)]);
	if (!order)
		order = descending(a->total[T(SYN)], b->total[T(SYN)]);
	return order;
}

static uint64_t sort_key(enum listen_sort sort, const struct listen_row *row, size_t place)
{
	switch (sort) {
	case LISTEN_BY_ADDRESS:
		return ~(uint64_t)place;
	case LISTEN_BY_SYN:
		return row->recent[T(SYN)];
	case LISTEN_BY_REFUSED:
		return row->refused;
	case LISTEN_BY_SYNQ:
		return row->total[T(NOW_SYNQ)];
	case LISTEN_BY_ACCEPTQ:
		return row->total[T(NOW_ACCEPTQ)];
	case LISTEN_BY_WORST:
	case LISTEN_NSORTS:
		break;
	}
	return 0;
}

/* Groups and single listeners as they are sorted, the worst first; else as the library has them. */
static int by_rank(const void *a, const void *b)
{
	const struct listen_row *x = *(const struct listen_row *const *)a;
	const struct listen_row *y = *(const struct listen_row *const *)b;
	int order = descending(x->key, y->key);

	if (!order)
		order = worse(x, y);
	return order ? order : x < y ? -1 : x > y;
}

/* Within a network namespace; which of them is first is for their worst ones to say. */
static int by_place(const void *a, const void *b)
{
	const struct listen_row *x = a, *y = b;
	int order;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->member != y->member)
		return x->member ? 1 : -1;
	order = worse(x, y);
	return order ? order : x->l->conn < y->l->conn ? -1 : x->l->conn > y->l->conn;
}

static int by_worst(const void *a, const void *b)
{
	const struct listen_row *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->l->netns < y->l->netns ? -1 : x->l->netns > y->l->netns;
}

/* Nobody called it, and nobody waits; of one without a place in the module's table nothing is known. */
static bool is_idle(const struct listen_row *row)
{
	const uint64_t *t = row->total, *n = row->recent;

	return t[T(NOW_PLACE)] && !t[T(NOW_SYNQ)] && !t[T(NOW_ACCEPTQ)] && !n[T(SYN)] && !n[T(COMPLETED)] &&
	       !n[T(COMPLETED_COOKIE)] && !listen_refused(n);
}

static bool are_idle(const struct listen_row *row, const struct listen_row *end)
{
	while (row < end && is_idle(row))
		row++;
	return row == end;
}

/* Network namespaces are in the list, too. */
static bool are_many(const struct listen_reader *v)
{
	size_t i, n = 0;

	for (i = 0; i < v->n; i++)
		n += v->sorted[i].l->conn != 0;
	return n > v->enough;
}

/* Rows of listeners and of their groups from the sorted list.  Return: 0 or -ENOMEM. */
static int make_rows(struct listen_reader *v)
{
	static const uint64_t nothing[TCPFSM_TOTAL_NUM];
	struct listen_reading *r = &v->r;
	const struct listen_row **tops;
	bool busy = v->busy || (v->enough && are_many(v));
	size_t i, j, sums = 0, ntops = 0, ns;

	tops = malloc((2 * v->n + 1) * sizeof(*tops));
	if (!tops)
		return -ENOMEM;
	for (i = 0; i < v->n; i = j) {
		struct listen_row *first = &v->sorted[i], *group;

		for (j = i + 1; j < v->n && same_group(first->l, v->sorted[j].l); j++)
			;
		if (!first->l->conn) {
			r->netns[r->nnetns] = *first;
			/* Without a listener: behind all others. */
			r->netns[r->nnetns++].rank = SIZE_MAX;
			continue;
		}
		if (busy && are_idle(first, &v->sorted[j])) {
			r->listeners += j - i;
			r->idle += j - i;
			continue;
		}
		group = &r->row[r->nrows];
		tops[ntops++] = group;
		if (j - i > 1) {
			uint64_t (*sum)[TCPFSM_TOTAL_NUM] = v->sum[sums++];
			size_t k;

			*group = *first;
			group->members = j - i;
			memcpy(sum[0], first->total, sizeof(sum[0]));
			memcpy(sum[1], first->recent, sizeof(sum[1]));
			for (k = i + 1; k < j; k++) {
				tcpfsm_totals_merge(sum[0], v->sorted[k].total);
				tcpfsm_totals_merge(sum[1], v->sorted[k].recent);
				if (v->sorted[k].seconds > group->seconds)
					group->seconds = v->sorted[k].seconds;
			}
			group->total = sum[0];
			group->recent = sum[1];
			group->refused = listen_refused(sum[1]);
			r->nrows++;
		}
		for (; first < &v->sorted[j]; first++) {
			struct listen_row *row = &r->row[r->nrows++];

			*row = *first;
			row->refused = listen_refused(row->recent);
			row->limits = limits(row);
			row->member = group->members;
			if (row->member)
				group->limits |= row->limits;
			r->listeners++;
			r->refusing += row->refused != 0;
		}
	}

	/* The rank of a group is that of all its rows. */
	for (i = 0; i < ntops; i++)
		r->row[tops[i] - r->row].key = sort_key(v->sort, tops[i], i);
	qsort(tops, ntops, sizeof(*tops), by_rank);
	for (i = 0; i < ntops; i++) {
		struct listen_row *row = &r->row[tops[i] - r->row];

		for (j = 0; j <= row->members; j++)
			row[j].rank = i;
		for (ns = 0; ns < r->nnetns && r->netns[ns].l->netns != row->l->netns; ns++)
			;
		/* Nothing is told of it: it is about to go, or the recording is odd. */
		if (ns == r->nnetns)
			r->netns[r->nnetns++] = (struct listen_row) {
				.l = row->l, .total = nothing, .recent = nothing, .rank = i,
			};
		if (r->netns[ns].rank > i)
			r->netns[ns].rank = i;
	}
	free(tops);
	qsort(r->row, r->nrows, sizeof(*r->row), by_place);
	qsort(r->netns, r->nnetns, sizeof(*r->netns), by_worst);
	return 0;
}

void listen_reading_free(struct listen_reader *v)
{
	free(v->r.row);
	free(v->r.netns);
	free(v->recent);
	free(v->sum);
	v->r.row = v->r.netns = NULL;
	v->recent = NULL;
	v->sum = NULL;
}

int listen_reading_make(struct listen_reader *v, struct tcpfsm_listeners *ls,
			int64_t epoch_offset)
{
	struct listen_reading *r = &v->r;
	size_t i;
	int err;

	v->n = 0;
	err = tcpfsm_listeners_each(ls, take, v);
	if (err)
		return err;
	*r = (struct listen_reading) {
		.filter = v->filter, .interval = v->interval, .epoch_offset = epoch_offset,
		.top = SIZE_MAX,
	};
	r->row = malloc((2 * v->n + 1) * sizeof(*r->row));
	r->netns = malloc((v->n + 1) * sizeof(*r->netns));
	v->recent = malloc((v->n + 1) * sizeof(*v->recent));
	v->sum = malloc((v->n / 2 + 1) * sizeof(*v->sum));
	if (!r->row || !r->netns || !v->recent || !v->sum)
		return -ENOMEM;
	for (i = 0; i < v->n; i++) {
		const struct tcpfsm_listener *l = v->sorted[i].l;
		uint64_t since = l->total[T(NOW_SINCE_TS)];

		since_last(v, &v->sorted[i], v->recent[i]);
		r->ts = l->ts;
		if (!l->conn && since && (!r->since_ts || since < r->since_ts))
			r->since_ts = since;
	}
	if (v->zeroed) {
		r->zeroed = true;
		r->since_ts = v->last_ts;
	} else if (v->last_ts && r->ts) {
		r->seconds = (double)(r->ts - v->last_ts) / (double)NSEC_PER_SEC;
	}
	return make_rows(v);
}
