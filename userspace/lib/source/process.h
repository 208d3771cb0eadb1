/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* A process that a record named, as /proc tells of it now. */
#ifndef TCPFSM_LIB_PROCESS_H
#define TCPFSM_LIB_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define PROCESS_CGROUP_MAX	256	/* with its NUL */

/* Is there one with this number, in the initial pid namespace? */
bool process_is(uint32_t pid);

/* Does /proc have the numbers that records have, those of the initial pid namespace? */
bool process_numbers_are_ours(void);

/**
 * process_lives() - is the process of then still there?
 * @pid: in the initial pid namespace
 * @ts: when it was, by the kernel's CLOCK_MONOTONIC; who began later has its number only
 */
bool process_lives(uint32_t pid, uint64_t ts);

/**
 * process_name() - its name now; execve() and prctl() change it
 * @comm: changed only if the process lives
 *
 * Return: process_lives().
 */
bool process_name(uint32_t pid, uint64_t ts, char comm[17]);

/* The name that /proc/PID/comm has, NUL padded; all NULs: there is none. */
void process_read_name(uint32_t pid, char comm[16]);

/**
 * process_cgroup() - its path in the cgroup v2 hierarchy
 *
 * Return: to be freed, printable ASCII, other bytes as '?'; of a longer path the end,
 * after "..."; NULL: not known.
 */
char *process_cgroup(uint32_t pid, uint64_t ts);

#pragma GCC visibility pop

#endif /* TCPFSM_LIB_PROCESS_H */
