/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * A binary heap of streams by the time of their next item; equal times go by
 * stream number, so that the same input always gives the same order.
 *
 * A heap rather than a loser tree: one CPU's records come in runs, and then
 * the new top is where it belongs after two comparisons, however many streams
 * there are.
 */
#ifndef TCPFSM_LIB_MERGE_H
#define TCPFSM_LIB_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge_entry {
	uint64_t key;
	uint64_t stream;
};

struct merge {
	struct merge_entry *e;	/* room for every stream */
	size_t n;
};

static inline bool merge_before(const struct merge_entry *a, const struct merge_entry *b)
{
	return a->key < b->key || (a->key == b->key && a->stream < b->stream);
}

/* Puts e where it belongs, from the top down. */
static inline void merge_sift(struct merge *m, struct merge_entry e)
{
	struct merge_entry *h = m->e;
	size_t n = m->n, i = 0, c;

	while ((c = 2 * i + 1) < n) {
		if (c + 1 < n && merge_before(&h[c + 1], &h[c]))
			c++;
		if (!merge_before(&h[c], &e))
			break;
		h[i] = h[c];
		i = c;
	}
	h[i] = e;
}

/*
 * The stream on top may go on without the heap while its keys are less than
 * this, and not above max.
 */
static inline uint64_t merge_limit(const struct merge *m, uint64_t max)
{
	uint64_t limit = max < UINT64_MAX ? max + 1 : max;
	size_t c;

	for (c = 1; c < 3 && c < m->n; c++) {
		uint64_t key = m->e[c].key;

		/* Of equal keys the lower stream's comes first. */
		if (m->e[c].stream > m->e[0].stream && key < UINT64_MAX)
			key++;
		if (key < limit)
			limit = key;
	}
	return limit;
}

/* The stream on top has a new next item. */
static inline void merge_replace(struct merge *m, uint64_t key)
{
	merge_sift(m, (struct merge_entry) { key, m->e[0].stream });
}

/* The stream on top has no more. */
static inline void merge_pop(struct merge *m)
{
	if (--m->n)
		merge_sift(m, m->e[m->n]);
}

static inline void merge_push(struct merge *m, uint64_t key, uint64_t stream)
{
	struct merge_entry e = { key, stream };
	size_t i = m->n++;

	while (i && merge_before(&e, &m->e[(i - 1) / 2])) {
		m->e[i] = m->e[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	m->e[i] = e;
}

#endif /* TCPFSM_LIB_MERGE_H */
