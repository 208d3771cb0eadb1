/* SPDX-License-Identifier: GPL-2.0-only */
/* Waking readers: by watermark at once, by time at the latest. */
#ifndef TCPFSM_WAKE_H
#define TCPFSM_WAKE_H

#include <linux/irq_work.h>
#include <linux/poll.h>

/* Longest time a record waits before a sleeping reader is woken. */
#define TCPFSM_LATENCY_MS	50

/**
 * struct tcpfsm_sleeper - what poll() remembers of one open file
 * @consumed: records behind the reader's cursors, as it told
 * @rings: it knows of those below this number
 * @ready: jiffies when poll() last said readable
 */
struct tcpfsm_sleeper {
	u64 consumed;
	unsigned int rings;
	unsigned long ready;
};

void tcpfsm_wake_init(unsigned int watermark);
void tcpfsm_wake_exit(void);
unsigned int tcpfsm_wake_watermark(void);
void tcpfsm_wake_irq_work(struct irq_work *work);
__poll_t tcpfsm_wake_poll(struct tcpfsm_sleeper *s, struct file *file,
			  poll_table *wait);

#endif /* TCPFSM_WAKE_H */
