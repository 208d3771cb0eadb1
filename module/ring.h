/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broadcast rings: one for each CPU that is or was online, overwriting,
 * read-only for everybody else.
 *
 * Writer and reader pair like this:
 *
 *   writer (its own CPU, interrupts off)    reader (userspace/lib/source/ring.c)
 *   W1 seq = BUSY                           R1 load_acquire(head)
 *   W2 smp_wmb()                            R2 load_acquire(seq) == cursor + 1
 *   W3 fill                                 R3 copy
 *   W4 store_release(seq, pos + 1)          R4 acquire fence
 *   W5 store_release(head, pos + 1)         R5 load(seq) == cursor + 1
 *
 * R2 pairs with W4: what R3 copies was complete.  R4/R5 pair with W1/W2: had
 * the writer begun to reuse the slot during R3, R5 would not see cursor + 1.
 * R1 pairs with W5: what head promises has been published.
 */
#ifndef TCPFSM_RING_H
#define TCPFSM_RING_H

#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "uapi/tcpfsm.h"

/**
 * struct tcpfsm_cpu_ring - kernel's side of one CPU's ring
 * @slots: the records, on the pages after @header
 * @pos: records written so far; private, so that nothing mapped is ever read
 * @mask: number of slots minus one
 * @wake_at: @pos at which a sleeping reader must be woken; U64_MAX: never
 * @header: the page that readers map
 * @work: wakes sleeping readers outside the writer's context
 * @area: @header once there is a ring, NULL before: then @slots is one slot that
 *	  nobody sees
 * @begin: @pos when the ring was made
 */
struct tcpfsm_cpu_ring {
	struct tcpfsm_record *slots;
	u64 pos;
	u64 mask;
	u64 wake_at;
	struct tcpfsm_ring *header;
	struct irq_work work;
	struct tcpfsm_ring *area;
	u64 begin;
};

DECLARE_PER_CPU_ALIGNED(struct tcpfsm_cpu_ring, tcpfsm_cpu_ring);

void tcpfsm_ring_init(unsigned int slots);
int tcpfsm_ring_cpu_up(unsigned int cpu);
void tcpfsm_ring_free(void);
struct tcpfsm_ring *tcpfsm_ring_area(unsigned int cpu);
u64 tcpfsm_ring_bytes(void);
unsigned int tcpfsm_ring_made(void);
u64 tcpfsm_ring_unkept(void);
u64 tcpfsm_ring_total(unsigned int rings);
void tcpfsm_ring_arm(u64 watermark);
void tcpfsm_ring_arm_next(void);

/**
 * tcpfsm_ring_announce() - a record is to come that tells of now
 *
 * Its slot is marked (W1), so that readers give nothing younger away until then.
 * If another record comes instead, the mark goes with it.  Context: softirqs and
 * preemption off, or interrupts: nobody else writes to this ring meanwhile.
 *
 * Return: the slot, not yet to be written to.
 */
static __always_inline struct tcpfsm_record *tcpfsm_ring_announce(void)
{
	struct tcpfsm_record *rec = __this_cpu_read(tcpfsm_cpu_ring.slots) +
		(__this_cpu_read(tcpfsm_cpu_ring.pos) & __this_cpu_read(tcpfsm_cpu_ring.mask));

	WRITE_ONCE(rec->seq, TCPFSM_SEQ_BUSY);
	return rec;
}

/**
 * tcpfsm_ring_begin() - claim the next slot of this CPU's ring
 * @flags: saved interrupt state for tcpfsm_ring_end()
 *
 * Interrupts are off from here to tcpfsm_ring_end(): a softirq on this CPU may
 * log as well.  Context: any but NMI.
 *
 * Return: the slot; every byte but seq must be written.
 */
static __always_inline struct tcpfsm_record *
tcpfsm_ring_begin(unsigned long *flags)
{
	struct tcpfsm_record *rec;

	local_irq_save(*flags);
	rec = tcpfsm_ring_announce();
	/* W2, pairs with R4: BUSY is visible before any new byte of the slot. */
	smp_wmb();
	return rec;
}

/**
 * tcpfsm_ring_end() - publish a slot
 * @rec: what tcpfsm_ring_begin() gave
 * @flags: likewise
 *
 * Context: interrupts off; they are restored.
 */
static __always_inline void tcpfsm_ring_end(struct tcpfsm_record *rec,
					    unsigned long flags)
{
	u64 pos = __this_cpu_read(tcpfsm_cpu_ring.pos) + 1;

	/* W4, pairs with R2. */
	smp_store_release(&rec->seq, pos);
	/* W5, pairs with R1. */
	smp_store_release(&__this_cpu_read(tcpfsm_cpu_ring.header)->head, pos);
	__this_cpu_write(tcpfsm_cpu_ring.pos, pos);
	if (unlikely(pos >= __this_cpu_read(tcpfsm_cpu_ring.wake_at))) {
		__this_cpu_write(tcpfsm_cpu_ring.wake_at, U64_MAX);
		irq_work_queue(this_cpu_ptr(&tcpfsm_cpu_ring.work));
	}
	local_irq_restore(flags);
}

#endif /* TCPFSM_RING_H */
