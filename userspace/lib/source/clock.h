/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_CLOCK_H
#define TCPFSM_LIB_CLOCK_H

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

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_CLOCK_H */
