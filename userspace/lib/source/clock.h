/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_CLOCK_H
#define TCPFSM_LIB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#pragma GCC visibility push(hidden)

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/*
 * What to subtract from this process' CLOCK_MONOTONIC to get the kernel's:
 * not 0 inside a time namespace (some containers have one).
 */
int64_t clock_timens_offset(void);

/* Less is what reading two clocks may make of one. */
#define CLOCK_STEP_NS	((int64_t)NSEC_PER_MSEC)

/*
 * Was the clock set, or did the machine sleep?  CLOCK_MONOTONIC goes on as fast as CLOCK_REALTIME, also while
 * that is slewed.
 * @timens: clock_timens_offset()
 * @offset: epoch minus the kernel's CLOCK_MONOTONIC, as last known; set to what it is
 */
bool clock_has_stepped(int64_t timens, int64_t *offset);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_CLOCK_H */
