// SPDX-License-Identifier: GPL-2.0
/* Memory and bookkeeping of the rings; writing to them is in ring.h. */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "ring.h"
#include "wake.h"

DEFINE_PER_CPU_ALIGNED(struct tcpfsm_cpu_ring, tcpfsm_cpu_ring);

static u64 ring_bytes;

/**
 * tcpfsm_ring_alloc() - allocate the ring of every possible CPU
 * @slots: records per ring, a power of two
 *
 * Rings exist for possible CPUs and live until unload, so CPU hotplug needs no
 * care.  Context: process, may sleep.
 *
 * Return: 0, or -ENOMEM with nothing left allocated.
 */
int tcpfsm_ring_alloc(unsigned int slots)
{
	unsigned int cpu;

	ring_bytes = PAGE_SIZE +
		     PAGE_ALIGN((u64)slots * sizeof(struct tcpfsm_record));
	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);
		void *area = vmalloc_user(ring_bytes);

		if (!area) {
			tcpfsm_ring_free();
			return -ENOMEM;
		}
		ring->header = area;
		ring->header->slots = slots;
		ring->header->cpu = cpu;
		ring->slots = area + PAGE_SIZE;
		ring->mask = slots - 1;
		ring->pos = 0;
		ring->wake_at = U64_MAX;
		init_irq_work(&ring->work, tcpfsm_wake_irq_work);
	}
	return 0;
}

/**
 * tcpfsm_ring_free() - free all rings
 *
 * Every hook must be detached and every mapping gone, and tcpfsm_wake_exit() be
 * done.  Context: process.
 */
void tcpfsm_ring_free(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);

		if (!ring->header)
			continue;
		vfree(ring->header);
		ring->header = NULL;
	}
}

/**
 * tcpfsm_ring_bytes() - length of one ring's mapping, a multiple of the page size
 */
u64 tcpfsm_ring_bytes(void)
{
	return ring_bytes;
}

/**
 * tcpfsm_ring_total() - records written to all rings since load
 *
 * A lower bound while hooks run.  Context: any.
 */
u64 tcpfsm_ring_total(void)
{
	unsigned int cpu;
	u64 total = 0;

	for_each_possible_cpu(cpu)
		total += READ_ONCE(per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->pos);
	return total;
}

/**
 * tcpfsm_ring_arm() - have readers woken when a ring has grown
 * @watermark: by so many records from now
 *
 * An earlier mark that was not reached yet stays, unless it is that of
 * tcpfsm_ring_arm_next().  No barrier orders this with the writers: a wake-up
 * that slips through is made good by the latency timer of wake.c.  Context: any.
 */
void tcpfsm_ring_arm(u64 watermark)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);
		u64 mark = READ_ONCE(ring->wake_at);

		if (mark == U64_MAX || !mark)
			WRITE_ONCE(ring->wake_at, READ_ONCE(ring->pos) + watermark);
	}
}

/**
 * tcpfsm_ring_arm_next() - have readers woken by the next record of any ring
 *
 * A writer may be past its look at the mark.  Context: any.
 */
void tcpfsm_ring_arm_next(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->wake_at, 0);
}
