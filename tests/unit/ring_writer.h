/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The writer's half of the ring protocol in user space, as module/ring.c does
 * it, for tests and benchmarks without a module.
 */
#ifndef TCPFSM_TESTS_RING_WRITER_H
#define TCPFSM_TESTS_RING_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/source/barrier.h"
#include "../../userspace/lib/source/ring.h"	/* the module has a ring.h as well */

struct ring_writer {
	struct tcpfsm_ring *hdr;
	struct tcpfsm_record *slots;
	uint32_t nslots;
	uint64_t pos;
};

static inline void writer_init(struct ring_writer *w, uint32_t nslots, uint32_t cpu)
{
	char *mem = aligned_alloc(4096, 4096 + ((nslots * sizeof(*w->slots) + 4095) & ~4095UL));

	if (!mem)
		abort();
	memset(mem, 0, 4096 + nslots * sizeof(*w->slots));
	w->hdr = (struct tcpfsm_ring *)(void *)mem;
	w->slots = (struct tcpfsm_record *)(void *)(mem + 4096);
	w->nslots = nslots;
	w->pos = 0;
	w->hdr->slots = nslots;
	w->hdr->cpu = cpu;
}

static inline void writer_free(struct ring_writer *w)
{
	free(w->hdr);
}

static inline int writer_attach(const struct ring_writer *w, struct ring_reader *r,
				bool follow_new)
{
	return ring_attach(r, w->hdr, w->slots, w->nslots, w->hdr->cpu, follow_new);
}

/* First half: the slot is being written. */
static inline ring_word *writer_begin(struct ring_writer *w)
{
	ring_word *slot = (ring_word *)(void *)&w->slots[w->pos & (w->nslots - 1)];

	store_relaxed(&slot[0], TCPFSM_SEQ_BUSY);
	fence_release();
	return slot;
}

/* Second half: it is there. */
static inline void writer_end(struct ring_writer *w, ring_word *slot)
{
	w->pos++;
	store_release(&slot[0], w->pos);
	store_release(&w->hdr->head, w->pos);
}

static inline void writer_put(struct ring_writer *w, const struct tcpfsm_record *rec)
{
	const ring_word *src = (const ring_word *)(const void *)rec;
	ring_word *slot = writer_begin(w);
	size_t i;

	for (i = 1; i < sizeof(*rec) / sizeof(*src); i++)
		store_relaxed(&slot[i], src[i]);
	writer_end(w, slot);
}

#endif /* TCPFSM_TESTS_RING_WRITER_H */
