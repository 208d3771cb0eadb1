// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reader that drained the rings sleeps in poll().  A ring that has grown by
 * the watermark wakes it through an irq_work.  A timer delivers the rest within
 * TCPFSM_LATENCY_MS.
 *
 * Where nothing happens the timer stops: at the first tick without a record it
 * sets the mark of all rings to the next record; at the second one every writer
 * has seen that, or its record would have been seen, and the marks will do.
 */
#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "ring.h"
#include "wake.h"

static DECLARE_WAIT_QUEUE_HEAD(sleepers);
static struct timer_list latency_timer;
static unsigned int ring_watermark;
static bool fired;		/* some ring has lost its mark */

static DEFINE_SPINLOCK(wake_lock);	/* of all that follows */
static u64 total_at_tick;
static bool someone_waits;	/* went to sleep although records were there */
static bool marked;		/* the next record of any ring wakes */
static bool settled;		/* and it is certain: the timer is off */

static unsigned long latency(void)
{
	return msecs_to_jiffies(TCPFSM_LATENCY_MS);
}

static void tcpfsm_wake_tick(struct timer_list *unused)
{
	bool wake = false;
	u64 total;

	spin_lock(&wake_lock);
	settled = false;
	/*
	 * With a barrier, pairs with that of tcpfsm_wake_irq_work(): either we see
	 * the record, or the timer is not pending any more and started anew.
	 */
	if (!wq_has_sleeper(&sleepers))
		goto out;
	total = tcpfsm_ring_total(nr_cpu_ids);
	if (total != total_at_tick || someone_waits) {
		total_at_tick = total;
		someone_waits = false;
		marked = false;
		wake = true;
	} else if (!marked) {
		marked = true;
		WRITE_ONCE(fired, false);
		tcpfsm_ring_arm_next();
	} else {
		settled = true;
		goto out;
	}
	mod_timer(&latency_timer, jiffies + latency());
out:
	spin_unlock(&wake_lock);
	if (wake)
		wake_up_interruptible_poll(&sleepers, EPOLLIN | EPOLLRDNORM);
}

/**
 * tcpfsm_wake_init() - prepare the timer
 * @watermark: records in one ring that wake a sleeping reader
 */
void tcpfsm_wake_init(unsigned int watermark)
{
	ring_watermark = watermark;
	timer_setup(&latency_timer, tcpfsm_wake_tick, 0);
}

/**
 * tcpfsm_wake_exit() - stop it all; nobody may sleep and no hook be attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_wake_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu_ptr(&tcpfsm_cpu_ring, cpu)->work);
	timer_delete_sync(&latency_timer);
}

/**
 * tcpfsm_wake_watermark() - records in one ring that wake a sleeping reader
 */
unsigned int tcpfsm_wake_watermark(void)
{
	return ring_watermark;
}

/**
 * tcpfsm_wake_irq_work() - wake all sleeping readers
 * @work: of the ring that reached its mark
 *
 * Context: hard interrupt (a thread on PREEMPT_RT).
 */
void tcpfsm_wake_irq_work(struct irq_work *work)
{
	/* Before the wake-up: who sleeps from now on sees it, all others are woken. */
	WRITE_ONCE(fired, true);
	/* Pairs with wq_has_sleeper() of the tick.  epoll need not come back to arm it. */
	smp_mb();
	if (!timer_pending(&latency_timer))
		mod_timer(&latency_timer, jiffies + latency());
	wake_up_interruptible_poll(&sleepers, EPOLLIN | EPOLLRDNORM);
}

/**
 * tcpfsm_wake_poll() - is there enough for this reader, or has it waited long?
 * @s: of the open file
 * @file: for poll_wait()
 * @wait: likewise
 *
 * Context: process.
 *
 * Return: EPOLLIN | EPOLLRDNORM, or 0 with a wake-up arranged.
 */
__poll_t tcpfsm_wake_poll(struct tcpfsm_sleeper *s, struct file *file,
			  poll_table *wait)
{
	u64 pending;

	poll_wait(file, &sleepers, wait);
	pending = tcpfsm_ring_total(READ_ONCE(s->rings)) - READ_ONCE(s->consumed);
	if (pending >= ring_watermark ||
	    (pending && time_after_eq(jiffies, READ_ONCE(s->ready) + latency()))) {
		WRITE_ONCE(s->ready, jiffies);
		return EPOLLIN | EPOLLRDNORM;
	}
	spin_lock_bh(&wake_lock);
	if (pending || !settled || READ_ONCE(fired)) {
		WRITE_ONCE(fired, false);
		if (pending)
			someone_waits = true;
		marked = false;
		settled = false;
		tcpfsm_ring_arm(ring_watermark);
		if (!timer_pending(&latency_timer))
			mod_timer(&latency_timer, jiffies + latency());
	}
	spin_unlock_bh(&wake_lock);
	return 0;
}
