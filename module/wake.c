// SPDX-License-Identifier: GPL-2.0
/*
 * A reader that drained the rings sleeps in poll().  A ring that has grown by
 * the watermark wakes it through an irq_work.  A timer, which runs only while
 * somebody sleeps, delivers the rest within TCPFSM_LATENCY_MS.
 */
#include <linux/jiffies.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "ring.h"
#include "wake.h"

static DECLARE_WAIT_QUEUE_HEAD(sleepers);
static struct timer_list latency_timer;
static unsigned int ring_watermark;
static u64 total_at_tick;
static bool someone_waits;	/* went to sleep although records were there */

static unsigned long latency(void)
{
	return msecs_to_jiffies(TCPFSM_LATENCY_MS);
}

static void tcpfsm_wake_tick(struct timer_list *unused)
{
	u64 total = tcpfsm_ring_total();

	/* With a barrier: who queued later will see that the timer is not pending any more. */
	if (!wq_has_sleeper(&sleepers))
		return;
	if (total != total_at_tick || READ_ONCE(someone_waits)) {
		total_at_tick = total;
		WRITE_ONCE(someone_waits, false);
		wake_up_interruptible_poll(&sleepers, EPOLLIN | EPOLLRDNORM);
	}
	mod_timer(&latency_timer, jiffies + latency());
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
 * tcpfsm_wake_exit() - stop the timer; nobody may sleep any more
 *
 * Context: process, may sleep.
 */
void tcpfsm_wake_exit(void)
{
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
 * @work: of the ring that reached its watermark
 *
 * Context: hard interrupt (a thread on PREEMPT_RT).
 */
void tcpfsm_wake_irq_work(struct irq_work *work)
{
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
	pending = tcpfsm_ring_total() - READ_ONCE(s->consumed);
	if (pending >= ring_watermark ||
	    (pending && time_after_eq(jiffies, READ_ONCE(s->ready) + latency()))) {
		WRITE_ONCE(s->ready, jiffies);
		return EPOLLIN | EPOLLRDNORM;
	}
	if (pending)
		WRITE_ONCE(someone_waits, true);
	tcpfsm_ring_arm(ring_watermark);
	if (!timer_pending(&latency_timer))
		mod_timer(&latency_timer, jiffies + latency());
	return 0;
}
