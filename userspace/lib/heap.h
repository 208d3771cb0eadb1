/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What is due at some time, the earliest first. */
#ifndef TCPFSM_LIB_HEAP_H
#define TCPFSM_LIB_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t at;
	uint32_t who, what;
};

struct heap {
	struct due *of;			/* of the caller, who knows how many there will be */
	size_t n;
};

static inline uint64_t heap_next(const struct heap *h)
{
	return h->n ? h->of[0].at : UINT64_MAX;
}

static inline void heap_push(struct heap *h, struct due d)
{
	size_t i = h->n++, up;

	for (; i && h->of[up = (i - 1) / 2].at > d.at; i = up)
		h->of[i] = h->of[up];
	h->of[i] = d;
}

static inline struct due heap_pop(struct heap *h)
{
	struct due first = h->of[0], last = h->of[--h->n];
	size_t i = 0, down;

	while ((down = 2 * i + 1) < h->n) {
		if (down + 1 < h->n && h->of[down + 1].at < h->of[down].at)
			down++;
		if (last.at <= h->of[down].at)
			break;
		h->of[i] = h->of[down];
		i = down;
	}
	h->of[i] = last;
	return first;
}

#endif /* TCPFSM_LIB_HEAP_H */
