/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_DEVICE_H
#define TCPFSM_LIB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "ring.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* An open /dev/tcpfsm with all the rings mapped that are there. */
struct device {
	int fd;
	unsigned int nrings;
	struct ring_reader *rings;	/* by CPU; hdr is NULL where there is none yet */
	const struct tcpfsm_ring *any;	/* of a ring, to see when there are more */
	uint32_t made;			/* rings that had been made when they were looked for */
	struct tcpfsm_info info;
	size_t totals_room;	/* for as many as there were last time, and some more */
};

int device_open(struct device **dev, const char *path, bool follow_new,
		struct tcpfsm_info *info);
void device_close(struct device *dev);

static inline uint32_t device_made(const struct device *dev)
{
	return __atomic_load_n(&dev->any->made, __ATOMIC_RELAXED);
}

/* Has a CPU come online that had no ring? */
static inline bool device_has_new(const struct device *dev)
{
	return device_made(dev) != dev->made;
}

/* Maps the rings that have come: they are read from their first record.  0 or a negative errno. */
int device_map_new(struct device *dev);

/**
 * device_wait() - tell the kernel where this reader is, and sleep
 * @timeout_ns: negative: for ever
 * @fd: which wakes up, too, when it can be read; -1: none
 *
 * Return: 1: records wait, or @fd; 0: time is up; -EINTR; another negative errno.
 */
int device_wait(struct device *dev, int64_t timeout_ns, int fd);

/**
 * device_totals() - the totals of all listeners and network namespaces
 * @records: set to an array that the caller frees
 *
 * Return: 0; errors of tcpfsm_source_totals().
 */
int device_totals(struct device *dev, struct tcpfsm_record **records, size_t *n);

/* Is the geometry one that a reader can work with?  0 or -EPROTO. */
int device_check_info(const struct tcpfsm_info *info, size_t page);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_DEVICE_H */
