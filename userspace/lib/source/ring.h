/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * One reader's view of one CPU's ring.  How the ring came to be in memory is
 * not asked here: a mapping of the device, or a test's own memory.
 */
#ifndef TCPFSM_LIB_RING_H
#define TCPFSM_LIB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "barrier.h"
#include "uapi/tcpfsm.h"

#pragma GCC visibility push(hidden)

/* More than any module makes; keeps all arithmetic far from overflow. */
#define RING_SLOTS_MAX	(1U << 24)

/**
 * struct ring_reader - cursor and books of one reader on one ring
 * @hdr: the shared header; only its head is ever read after the setup; NULL: not attached
 * @slots: the shared slots
 * @nslots: their number, from the ioctl
 * @cursor: seq of the last record passed, delivered or lost
 * @start: cursor at which this reader's stream begins; delivered + lost ==
 *	   cursor - start, always
 * @attach: head when the reader attached: what lies before is history
 * @seen: head as last loaded
 * @lost: records lost so far
 * @gap: records lost since the last one delivered and not yet told
 * @gap_from: ts of the last record before that gap, 0 when there is none
 * @last_ts: ts of the last record delivered
 * @cpu: the CPU that writes
 */
struct ring_reader {
	const struct tcpfsm_ring *hdr;
	const ring_word *slots;
	uint64_t nslots;
	uint64_t cursor;
	uint64_t start;
	uint64_t attach;
	uint64_t seen;
	uint64_t lost;
	uint64_t gap;
	uint64_t gap_from;
	uint64_t last_ts;
	uint32_t cpu;
};

/**
 * ring_attach() - begin to read a ring
 * @nslots: from a trusted place, not from the header
 * @follow_new: start at the head instead of with the oldest record held
 *
 * Return: 0, or -EPROTO when the geometry makes no sense.
 */
int ring_attach(struct ring_reader *r, const struct tcpfsm_ring *hdr,
		const void *slots, uint32_t nslots, uint32_t cpu, bool follow_new);

/* After ring_attach(): the ring is younger than its reader.  What went before it was lost. */
static inline void ring_from_begin(struct ring_reader *r)
{
	r->start = r->attach = 0;
	r->lost = r->gap = r->cursor;
}

/**
 * ring_oldest() - the oldest record of a ring
 * @r: is not moved
 * @held: how many records from it on there are
 *
 * Return: false: there is none.
 */
bool ring_oldest(const struct ring_reader *r, struct tcpfsm_record *rec, uint64_t *held);

/**
 * ring_copy() - copy what is new, in order
 * @dst: where the first record goes
 * @stride: bytes from one destination to the next
 * @max: room there
 *
 * A gap is always before the first record of a batch: when the reader is
 * lapped amid one, the batch ends there.  Take it with ring_take_gap().
 *
 * Return: records copied.  ring_behind() tells whether there was more.
 */
size_t ring_copy(struct ring_reader *r, void *dst, size_t stride, size_t max);

/*
 * The same into a packet of a recording: one record after the other, each with
 * its seq behind the rest instead of before it.
 */
size_t ring_copy_events(struct ring_reader *r, void *dst, size_t max);

/* Was there more than ring_copy() took, when it loaded the head? */
static inline bool ring_behind(const struct ring_reader *r)
{
	return r->seen > r->cursor;
}

/*
 * Is the writer at work on the record after the cursor?  It marks the slot
 * before it takes the time, so of a ring that is read to its head and not in
 * flight, every record to come will be younger than this look at it.
 */
static inline bool ring_in_flight(const struct ring_reader *r)
{
	const size_t words = sizeof(struct tcpfsm_record) / sizeof(ring_word);

	/* What was there a lap before is older; BUSY is more than any seq. */
	return load_acquire(r->slots + (r->cursor & (r->nslots - 1)) * words) > r->cursor;
}

/* The records lost before the batch just copied, to be told now. */
static inline uint64_t ring_take_gap(struct ring_reader *r)
{
	uint64_t gap = r->gap;

	r->gap = 0;
	return gap;
}

static inline uint64_t ring_delivered(const struct ring_reader *r)
{
	return r->cursor - r->start - r->lost;
}

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_RING_H */
