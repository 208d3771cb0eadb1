/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In the place of userspace/lib/source/barrier.h (by -include): shared memory that changes
 * between any two loads, as the input of the fuzzer has it.
 */
#ifndef TCPFSM_LIB_BARRIER_H
#define TCPFSM_LIB_BARRIER_H

#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) ring_word;

/* fuzz_ring.c */
uint64_t hostile_load(const ring_word *p);

static inline uint64_t load_relaxed(const void *p) { return hostile_load(p); }
static inline uint64_t load_acquire(const void *p) { return hostile_load(p); }

static inline void copy_pair(ring_word *to, const ring_word *from)
{
	to[0] = hostile_load(from);
	to[1] = hostile_load(from + 1);
}

static inline void store_relaxed(void *p, uint64_t v) { *(ring_word *)p = v; }
static inline void store_release(void *p, uint64_t v) { *(ring_word *)p = v; }
static inline void fence_acquire(void) { }
static inline void fence_release(void) { }

#endif /* TCPFSM_LIB_BARRIER_H */
