/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * The memory accesses of the ring protocol.  Everything that is shared with
 * the writer goes through these: 64-bit atomic accesses, plain moves on any
 * 64-bit machine, and no data race in the eyes of C11 and TSan; the payload of
 * records in pairs of words.
 */
#ifndef TCPFSM_LIB_BARRIER_H
#define TCPFSM_LIB_BARRIER_H

#include <stdint.h>

/* A record is copied by words and then read by its fields. */
typedef uint64_t __attribute__((may_alias)) ring_word;

static inline uint64_t load_relaxed(const void *p)
{
	return __atomic_load_n((const ring_word *)p, __ATOMIC_RELAXED);
}

static inline uint64_t load_acquire(const void *p)
{
	return __atomic_load_n((const ring_word *)p, __ATOMIC_ACQUIRE);
}

/*
 * Two words at once, in one move where the machine has such.  They may be of
 * two records, as any two words of a copy may: the check of seq tells.
 */
#ifdef __SANITIZE_THREAD__
static inline void copy_pair(ring_word *to, const ring_word *from)
{
	to[0] = load_relaxed(from);
	to[1] = load_relaxed(from + 1);
}
#else
typedef uint64_t __attribute__((vector_size(16), aligned(8), may_alias)) ring_pair;

static inline void copy_pair(ring_word *to, const ring_word *from)
{
	*(ring_pair *)to = *(const volatile ring_pair *)from;
}
#endif

static inline void store_relaxed(void *p, uint64_t v)
{
	__atomic_store_n((ring_word *)p, v, __ATOMIC_RELAXED);
}

static inline void store_release(void *p, uint64_t v)
{
	__atomic_store_n((ring_word *)p, v, __ATOMIC_RELEASE);
}

/*
 * TSan does not know fences and gcc says so.  It loses nothing here: what the
 * fences order are atomic accesses, which TSan never reports.
 */
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* The kernel's smp_rmb(): loads before it are done before loads after it. */
static inline void fence_acquire(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* The kernel's smp_wmb(). */
static inline void fence_release(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

#pragma GCC diagnostic pop

#endif /* TCPFSM_LIB_BARRIER_H */
