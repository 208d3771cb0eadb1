// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The reader's half of the ring protocol; the writer's is module/ring.c.
 *
 * Nothing in shared memory is trusted beyond the records themselves: whatever
 * it holds, a call ends, stays inside the slots and moves the cursor forward.
 */
#include <errno.h>

#include "ring.h"

#define WORDS		(sizeof(struct tcpfsm_record) / sizeof(ring_word))
/* A writer that laps us so often in one call will do so again: come back. */
#define RESYNC_MAX	16

_Static_assert(WORDS == 16, "a slot is 128 bytes");

int ring_attach(struct ring_reader *r, const struct tcpfsm_ring *hdr,
		const void *slots, uint32_t nslots, uint32_t cpu, bool follow_new)
{
	uint64_t head, begin;

	if (nslots < 2 || nslots > RING_SLOTS_MAX || (nslots & (nslots - 1)))
		return -EPROTO;

	head = load_acquire(&hdr->head);
	begin = hdr->begin < head ? hdr->begin : head;
	*r = (struct ring_reader) {
		.hdr = hdr,
		.slots = slots,
		.nslots = nslots,
		.cpu = cpu,
		.attach = head,
		.seen = head,
	};
	if (follow_new)
		r->cursor = head;
	else if (head >= nslots)	/* the oldest slot may be the next to go */
		r->cursor = head - nslots + 1;
	if (r->cursor < begin)
		r->cursor = begin;
	r->start = r->cursor;
	return 0;
}

/*
 * The record after the cursor is gone.  Go on a little behind the oldest one
 * that is left, or the writer is there again before the copy is made.
 */
static void ring_skip(struct ring_reader *r, uint64_t head)
{
	uint64_t margin = r->nslots < 8 ? 1 : r->nslots / 8;
	uint64_t to = r->cursor + 1;

	if (head >= r->nslots && head - r->nslots + margin > to)
		to = head - r->nslots + margin;

	/* History that went before anything was read was never this reader's. */
	if (r->cursor == r->start && r->attach > r->cursor) {
		r->start = to < r->attach ? to : r->attach;
		r->cursor = r->start;
	}
	if (to == r->cursor)
		return;
	if (!r->gap)
		r->gap_from = r->last_ts;
	r->gap += to - r->cursor;
	r->lost += to - r->cursor;
	r->cursor = to;
}

/*
 * Copies up to max records; ends early at the first that is not there.  Word 0
 * goes to word seq_at of the destination and word 1 to word ts_at.
 */
static inline __attribute__((always_inline)) size_t
ring_run(struct ring_reader *r, char *dst, size_t stride, size_t max,
	 const size_t seq_at, const size_t ts_at)
{
	const ring_word *end = r->slots + r->nslots * WORDS;
	const ring_word *s = r->slots + (r->cursor & (r->nslots - 1)) * WORDS;
	const uint64_t first = r->cursor + 1;
	uint64_t want;

	for (want = first; want < first + max; want++) {
		ring_word *d = (ring_word *)dst;
		size_t i;

		if (__builtin_expect(load_acquire(s) != want, 0))
			break;
		d[seq_at] = want;
#pragma GCC unroll 8
		for (i = 1; i + 1 < WORDS; i += 2)
			copy_pair(d + ts_at + i - 1, s + i);
		d[ts_at + i - 1] = load_relaxed(s + i);
		/* Still the same?  Then nobody wrote while we copied. */
		fence_acquire();
		if (__builtin_expect(load_relaxed(s) != want, 0))
			break;
		dst += stride;
		s += WORDS;
		if (__builtin_expect(s == end, 0))
			s = r->slots;
	}
	if (want == first)
		return 0;
	r->cursor = want - 1;
	r->last_ts = ((ring_word *)(dst - stride))[ts_at];
	return (size_t)(want - first);
}

static inline __attribute__((always_inline)) size_t
ring_batch(struct ring_reader *r, char *dst, size_t stride, size_t max,
	   const size_t seq_at, const size_t ts_at)
{
	uint64_t head = load_acquire(&r->hdr->head);
	unsigned int tries;
	size_t n;

	r->seen = head;
	if (!max)
		return 0;

	/* A head behind the cursor is no data: it never goes back. */
	for (tries = 0; head > r->cursor && tries < RESYNC_MAX; tries++) {
		uint64_t ready = head - r->cursor;

		if (ready <= r->nslots) {
			n = ring_run(r, dst, stride, ready < max ? ready : max,
				     seq_at, ts_at);
			if (n)
				return n;
		}
		head = load_acquire(&r->hdr->head);
		r->seen = head;
		if (head > r->cursor)
			ring_skip(r, head);
	}
	return 0;
}

size_t ring_copy(struct ring_reader *r, void *dst, size_t stride, size_t max)
{
	return ring_batch(r, dst, stride, max, 0, 1);
}

size_t ring_copy_events(struct ring_reader *r, void *dst, size_t max)
{
	return ring_batch(r, dst, sizeof(struct tcpfsm_record), max, WORDS - 1, 0);
}

bool ring_oldest(const struct ring_reader *r, struct tcpfsm_record *rec, uint64_t *held)
{
	struct ring_reader look;

	*held = 0;
	if (ring_attach(&look, r->hdr, r->slots, (uint32_t)r->nslots, r->cpu, false) ||
	    !ring_copy(&look, rec, sizeof(*rec), 1))
		return false;
	*held = look.seen - look.cursor + 1;
	return true;
}
