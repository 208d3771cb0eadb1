/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* The cgroup of a process. */
#ifndef TCPFSM_CGROUP_H
#define TCPFSM_CGROUP_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

#define CGROUP_MAX	256		/* with its NUL */

/**
 * cgroup_of() - the path of a process in the cgroup v2 hierarchy
 * @pid: in the initial pid namespace
 * @comm: its name, NUL padded; a process of another name has only its number by now
 *
 * Return: to be freed, printable ASCII, other bytes as '?'; of a longer path the end,
 * after "..."; NULL: not known.
 */
char *cgroup_of(uint32_t pid, const char comm[16]);

#pragma GCC visibility pop

#endif /* TCPFSM_CGROUP_H */
