/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* Cgroups of processes, and the containers and units that they are of. */
#ifndef TCPFSM_LIB_CGROUP_H
#define TCPFSM_LIB_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process.h"

#pragma GCC visibility push(hidden)

/**
 * cgroup_of() - as process_cgroup(), remembered for when the process is gone
 * @ts: when the process was seen, by the kernel's CLOCK_MONOTONIC; 0: not known
 *
 * Or as a recording tells, see tcpfsm_names_recorded().
 *
 * Return: false: not known.
 */
bool cgroup_of(uint32_t pid, uint64_t ts, char path[PROCESS_CGROUP_MAX]);
/* Is it this one, or one below it? */
bool cgroup_below(const char *path, const char *name, size_t len);
/* Is it in the container, or unit, of this name or number?  Of a number six digits will do. */
bool cgroup_has(const char *path, const char *name, size_t len);
/* The innermost container's number (twelve digits) or name, or else the unit's; or else the path. */
void cgroup_name(const char *path, char name[PROCESS_CGROUP_MAX]);

#pragma GCC visibility pop

#endif /* TCPFSM_LIB_CGROUP_H */
