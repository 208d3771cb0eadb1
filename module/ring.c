// SPDX-License-Identifier: GPL-2.0-only
/* Memory and bookkeeping of the rings; writing to them is in ring.h. */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "memory.h"
#include "ring.h"
#include "wake.h"

DEFINE_PER_CPU_ALIGNED(struct tcpfsm_cpu_ring, tcpfsm_cpu_ring);

/* Where a CPU without a ring writes to: the writer need not ask whether it has one. */
static DEFINE_PER_CPU(struct {
	struct tcpfsm_ring header;
	struct tcpfsm_record slot;
}, spill);

static unsigned int ring_slots;
static u64 ring_bytes;
static unsigned int made;

/**
 * tcpfsm_ring_init() - what goes before the first ring
 * @slots: records per ring, a power of two
 *
 * Every possible CPU may write from now on.  Context: process.
 */
void tcpfsm_ring_init(unsigned int slots)
{
	unsigned int cpu;

	ring_slots = slots;
	ring_bytes = PAGE_SIZE +
		     PAGE_ALIGN((u64)slots * sizeof(struct tcpfsm_record));
	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);

		ring->header = &per_cpu_ptr(&spill, cpu)->header;
		ring->slots = &per_cpu_ptr(&spill, cpu)->slot;
		ring->mask = 0;
		ring->wake_at = U64_MAX;
		init_irq_work(&ring->work, tcpfsm_wake_irq_work);
	}
}

/**
 * tcpfsm_ring_cpu_up() - make the ring of a CPU that has none
 * @cpu: it runs while no hook is attached, or is not running yet
 *
 * A ring lives until unload, with what is in it, also while its CPU is offline.
 * Context: process, may sleep; CPUs neither come nor go otherwise.
 *
 * Return: 0, or -ENOMEM: what that CPU writes is lost.
 */
int tcpfsm_ring_cpu_up(unsigned int cpu)
{
	struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);
	struct tcpfsm_ring *area;

	if (ring->area)
		return 0;
	area = tcpfsm_memory_get(ring_bytes, cpu);
	if (!area)
		return -ENOMEM;
	area->slots = ring_slots;
	area->cpu = cpu;
	area->begin = ring->pos;
	area->head = ring->pos;
	ring->begin = ring->pos;
	ring->header = area;
	ring->slots = (void *)area + PAGE_SIZE;
	ring->mask = ring_slots - 1;
	/* The first record wakes who sleeps: he may have looked at all other rings. */
	ring->wake_at = 0;
	/* Pairs with tcpfsm_ring_area(): the header is complete. */
	smp_store_release(&ring->area, area);
	WRITE_ONCE(made, made + 1);
	for_each_possible_cpu(cpu) {
		area = per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->area;
		if (area)
			WRITE_ONCE(area->made, made);
	}
	return 0;
}

/**
 * tcpfsm_ring_free() - free all rings
 *
 * Every hook must be detached, every mapping gone, no CPU come any more, and
 * tcpfsm_wake_exit() be done.
 * Context: process, may sleep.
 */
void tcpfsm_ring_free(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);

		vfree(ring->area);
		ring->area = NULL;
	}
}

/**
 * tcpfsm_ring_area() - what readers map of a ring
 * @cpu: any number
 *
 * Context: any.  Return: its header, or NULL: there is no such ring, perhaps not yet.
 */
struct tcpfsm_ring *tcpfsm_ring_area(unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return NULL;
	/* Pairs with tcpfsm_ring_cpu_up(). */
	return smp_load_acquire(&per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->area);
}

/**
 * tcpfsm_ring_bytes() - length of one ring's mapping, a multiple of the page size
 */
u64 tcpfsm_ring_bytes(void)
{
	return ring_bytes;
}

/**
 * tcpfsm_ring_made() - number of rings that are there
 */
unsigned int tcpfsm_ring_made(void)
{
	return READ_ONCE(made);
}

/**
 * tcpfsm_ring_unkept() - records written by CPUs that had no ring
 *
 * A lower bound while hooks run.  Context: any.
 */
u64 tcpfsm_ring_unkept(void)
{
	unsigned int cpu;
	u64 unkept = 0;

	for_each_possible_cpu(cpu) {
		struct tcpfsm_cpu_ring *ring = per_cpu_ptr(&tcpfsm_cpu_ring, cpu);

		unkept += tcpfsm_ring_area(cpu) ? ring->begin : READ_ONCE(ring->pos);
	}
	return unkept;
}

/**
 * tcpfsm_ring_total() - records written to rings since load
 * @rings: of the CPUs below this one
 *
 * With those that were written before a ring was there, as its readers count
 * them.  A lower bound while hooks run.  Context: any.
 */
u64 tcpfsm_ring_total(unsigned int rings)
{
	unsigned int cpu;
	u64 total = 0;

	for_each_possible_cpu(cpu)
		if (cpu < rings && tcpfsm_ring_area(cpu))
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
		u64 mark;

		if (!tcpfsm_ring_area(cpu))
			continue;
		mark = READ_ONCE(ring->wake_at);
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
		if (tcpfsm_ring_area(cpu))
			WRITE_ONCE(per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->wake_at, 0);
}
