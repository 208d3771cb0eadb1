/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What became of every SYN, by listener: counters that a flood cannot overrun.
 *
 * With its first SYN a listener gets a place in one table, found by its
 * cookie; each CPU counts in a block of its own for that place.  Whatever finds
 * no place is counted for its network namespace.  See TCPFSM_TOTALS in the UAPI
 * header.
 *
 * The table is made of parts.  It grows by one more, as large as all before, so
 * nothing that was counted ever moves.  The hooks look in the first part, where
 * a listener costs one cache line of keys; the others are the slow path's.
 */
#ifndef TCPFSM_LISTENER_H
#define TCPFSM_LISTENER_H

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <net/inet_connection_sock.h>

#include "record.h"

/* Cookies in one cache line. */
#define TCPFSM_LISTENER_WAYS	8
/* Places to begin with at least, and at most ever: 2 KiB each on every CPU. */
#define TCPFSM_LISTENERS_MIN	(2 * TCPFSM_LISTENER_WAYS)
#define TCPFSM_LISTENERS_MAX	(1 << 12)
/* From the one to the other by doubling. */
#define TCPFSM_LISTENER_PARTS	9
/* Totals that are no histograms come first. */
#define TCPFSM_TOTAL_SCALARS	TCPFSM_TOTAL_SYNQ_LENGTH
#define TCPFSM_TOTAL_HISTOGRAMS	(TCPFSM_TOTAL_COUNTED - TCPFSM_TOTAL_SCALARS)

/**
 * struct tcpfsm_listener - a place of the table, shared by all CPUs
 * @cookie: of the listener; 0: free
 * @net: its network namespace; NULL when that has gone
 * @netns: inode of @net
 * @family: 4 or 6
 * @lport: host byte order
 * @laddr: as in struct tcpfsm_record
 * @pid: who called listen(), or 0
 * @comm: its name
 * @dev: index of the device that it is bound to, or 0
 * @asked: backlog it asked for plus 1, or 0
 * @since: since when nothing of it was counted elsewhere
 * @gone: when it was closed, or 0
 * @presumed: what @gone was set to because it was not found, under the lock of readers
 * @alive: when totals were read last and it was there, under the lock of readers
 * @synq_full_since: the SYN queue is full since then; 0: it is not
 * @acceptq_full_since: likewise
 *
 * The hooks read it, and write only when a queue fills or empties.
 */
struct tcpfsm_listener {
	u64 cookie;
	const struct net *net;
	u32 netns;
	u16 lport;
	u8 family;
	u8 laddr[16];
	u32 pid;
	u8 comm[16];
	int dev;
	u64 asked;
	u64 since;
	u64 gone;
	u64 presumed;
	u64 alive;
	u64 synq_full_since;
	u64 acceptq_full_since;
} ____cacheline_aligned_in_smp;

/**
 * struct tcpfsm_limit - syn_limit records a second
 * @window_end: jiffies; until then, @left more records may be written
 * @left: see @window_end
 * @pending: left out and not yet told
 * @pending_since: the first of these
 *
 * Of one CPU, used with softirqs off.
 */
struct tcpfsm_limit {
	unsigned long window_end;
	u32 left;
	u32 pending;
	u64 pending_since;
};

/**
 * struct tcpfsm_acceptor - who accepted last, on a CPU
 * @at: when; 0: nobody has
 * @pid: the process, 0: the kernel
 * @comm: its name
 */
struct tcpfsm_acceptor {
	u64 at;
	u32 pid;
	u8 comm[16];
};

/**
 * struct tcpfsm_counts - one CPU's counters for one place, or for all listeners without one
 * @v: by enum tcpfsm_total
 * @histograms: by enum tcpfsm_total less TCPFSM_TOTAL_SCALARS
 * @entry: the place; NULL: there is none
 * @refused_last: jiffies when a SYN or ACK was refused last
 * @limit: on records of refusals
 * @left_out: the listener's queues when the last of these was left out
 * @acceptor: who accepted last; readers may find half of it new, once
 *
 * Written by its CPU with softirqs off.
 */
struct tcpfsm_counts {
	u64 v[TCPFSM_TOTAL_SCALARS];
	u64 *histograms;
	struct tcpfsm_listener *entry;
	unsigned long refused_last;
	struct tcpfsm_limit limit;
	struct tcpfsm_queues left_out;
	struct tcpfsm_acceptor acceptor;
} ____cacheline_aligned_in_smp;

/* With its histograms. */
struct tcpfsm_place_counts {
	struct tcpfsm_counts c;
	u64 histograms[TCPFSM_TOTAL_HISTOGRAMS];
};

/**
 * struct tcpfsm_part - of the table of listeners
 * @keys: cookies by place; 0: free
 * @listeners: by place
 * @shift: of the hash of a cookie, what remains is its bucket
 * @places: how many
 */
struct tcpfsm_part {
	u64 *keys;
	struct tcpfsm_listener *listeners;
	unsigned int shift;
	unsigned int places;
};

/**
 * struct tcpfsm_listener_cpu - one CPU's counters
 * @keys: of the first part; without any cookie when this CPU does not count by listener
 * @counts: by place of the first part; after the last one, what is counted in vain.  NULL:
 *	    no memory, or never online
 * @armed: counting
 * @cpu: its number
 * @more: by place of each part
 * @tell: writes SUPPRESSED records
 */
struct tcpfsm_listener_cpu {
	const u64 *keys;
	struct tcpfsm_place_counts *counts;
	bool armed;
	unsigned int cpu;
	struct tcpfsm_place_counts *more[TCPFSM_LISTENER_PARTS];
	struct timer_list tell;
};

DECLARE_PER_CPU(struct tcpfsm_listener_cpu, tcpfsm_listener_cpu);
extern struct tcpfsm_part tcpfsm_parts[TCPFSM_LISTENER_PARTS];
extern unsigned int tcpfsm_synq_spare;
extern unsigned int tcpfsm_syn_limit;

int tcpfsm_listener_init(unsigned int listeners);
void tcpfsm_listener_exit(void);
void tcpfsm_listener_arm(void);
void tcpfsm_listener_disarm(void);
void tcpfsm_listener_stop(void);
int tcpfsm_listener_cpu_up(unsigned int cpu);
u64 tcpfsm_listener_bytes(void);
struct tcpfsm_counts *tcpfsm_listener_seek(const struct sock *sk, u64 cookie);
struct tcpfsm_counts *tcpfsm_listener_rest(const struct net *net);
void tcpfsm_listener_net_inc(const struct net *net, enum tcpfsm_total index);
void tcpfsm_listener_asked(const struct sock *sk, u32 asked);
void tcpfsm_listener_closes(const struct sock *sk);
bool tcpfsm_limit_reached(struct tcpfsm_limit *limit);
bool tcpfsm_record_told(const struct net *net, enum tcpfsm_type type);
long tcpfsm_listener_totals(struct tcpfsm_totals __user *arg);

/* As hash_64() has it. */
static __always_inline unsigned int tcpfsm_listener_bucket(const struct tcpfsm_part *part,
							   u64 cookie)
{
	return ((cookie * GOLDEN_RATIO_64) >> part->shift) * TCPFSM_LISTENER_WAYS;
}

/**
 * tcpfsm_listener_find() - this CPU's counters for a listener
 * @sk: listener
 *
 * A listener is looked for in its bucket of the first part, which is one cache
 * line.  Context: preemption off, RCU read side.
 *
 * Return: never NULL.
 */
static __always_inline struct tcpfsm_counts *tcpfsm_listener_find(const struct sock *sk)
{
	struct tcpfsm_listener_cpu *cpu = this_cpu_ptr(&tcpfsm_listener_cpu);
	u64 cookie = tcpfsm_cookie(&sk->__sk_common);
	unsigned int at = tcpfsm_listener_bucket(&tcpfsm_parts[0], cookie), i;

	for (i = 0; i < TCPFSM_LISTENER_WAYS; i++)
		if (READ_ONCE(cpu->keys[at + i]) == cookie)
			break;
	if (unlikely(i == TCPFSM_LISTENER_WAYS))
		return tcpfsm_listener_seek(sk, cookie);
	/* Pairs with the release in claim() of places.c: the place was cleared before. */
	smp_acquire__after_ctrl_dep();
	return &cpu->counts[at + i].c;
}

/* Bucket of a histogram. */
static __always_inline unsigned int tcpfsm_bucket(u64 value)
{
	return min_t(unsigned int, fls64(value), TCPFSM_TOTAL_BUCKETS - 1);
}

/* Microseconds from a time of tcp_clock_us() to one of ktime_get_mono_fast_ns(). */
static __always_inline u64 tcpfsm_us_since(u64 now, u64 us)
{
	now = div_u64(now, NSEC_PER_USEC);
	return now > us ? now - us : 0;
}

/* Counts @value in the histogram that begins at @first. */
static __always_inline void tcpfsm_histogram_inc(struct tcpfsm_counts *counts,
						 unsigned int first, u64 value)
{
	counts->histograms[first - TCPFSM_TOTAL_SCALARS + tcpfsm_bucket(value)]++;
}

/* Likewise microseconds; @sum is the total of their sum. */
static __always_inline void tcpfsm_time_inc(struct tcpfsm_counts *counts, unsigned int first,
					    enum tcpfsm_total sum, u64 us)
{
	tcpfsm_histogram_inc(counts, first, us);
	counts->v[sum] += us;
}

static __always_inline void tcpfsm_peak(u64 *v, unsigned int peak, u64 length, u64 now)
{
	if (unlikely(length > v[peak])) {
		v[peak] = length;
		v[peak + 1] = now;
	}
}

static __always_inline void tcpfsm_full_begins(u64 *since, u64 now)
{
	if (!READ_ONCE(*since))
		cmpxchg(since, 0, now);
}

static __always_inline void tcpfsm_full_ends(u64 *since, u64 *total, u64 now)
{
	u64 began = READ_ONCE(*since);

	if (began && cmpxchg(since, began, 0) == began && now > began)
		*total += now - began;
}

/* Of the SYN queue: inet_csk_reqsk_queue_is_full() with a length of our own. */
static __always_inline bool tcpfsm_synq_full(const struct tcpfsm_queues *q)
{
	return q->synq >= (u64)q->backlog + tcpfsm_synq_spare;
}

/**
 * tcpfsm_synq_grew() - a request joined the SYN queue
 * @counts: of the listener
 * @q: its queues now
 * @now: ktime_get_mono_fast_ns()
 *
 * Context: softirqs off.
 */
static __always_inline void
tcpfsm_synq_grew(struct tcpfsm_counts *counts, const struct tcpfsm_queues *q, u64 now)
{
	struct tcpfsm_listener *entry = counts->entry;

	tcpfsm_peak(counts->v, TCPFSM_TOTAL_SYNQ_PEAK, q->synq, now);
	if (unlikely(!entry))
		return;
	if (unlikely(tcpfsm_synq_full(q)))
		tcpfsm_full_begins(&entry->synq_full_since, now);
	else if (unlikely(READ_ONCE(entry->synq_full_since)))
		tcpfsm_full_ends(&entry->synq_full_since,
				 &counts->v[TCPFSM_TOTAL_SYNQ_FULL_NS], now);
}

/* A request left it; as above. */
static __always_inline void
tcpfsm_synq_shrank(struct tcpfsm_counts *counts, const struct tcpfsm_queues *q, u64 now)
{
	struct tcpfsm_listener *entry = counts->entry;

	if (entry && unlikely(READ_ONCE(entry->synq_full_since)) && !tcpfsm_synq_full(q))
		tcpfsm_full_ends(&entry->synq_full_since,
				 &counts->v[TCPFSM_TOTAL_SYNQ_FULL_NS], now);
}

/*
 * A connection joined the accept queue; as above.  Full: sk_acceptq_is_full().
 * Not every accept() is known to be this listener's: the next to join finds out
 * that it is full no more.
 */
static __always_inline void
tcpfsm_acceptq_grew(struct tcpfsm_counts *counts, const struct tcpfsm_queues *q, u64 now)
{
	struct tcpfsm_listener *entry = counts->entry;

	tcpfsm_peak(counts->v, TCPFSM_TOTAL_ACCEPTQ_PEAK, q->acceptq, now);
	if (unlikely(!entry))
		return;
	if (unlikely(q->acceptq > q->backlog))
		tcpfsm_full_begins(&entry->acceptq_full_since, now);
	else if (unlikely(READ_ONCE(entry->acceptq_full_since)))
		tcpfsm_full_ends(&entry->acceptq_full_since,
				 &counts->v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS], now);
}

/* accept() took one from it. */
static __always_inline void
tcpfsm_acceptq_shrank(struct tcpfsm_counts *counts, const struct sock *listener, u64 now)
{
	struct tcpfsm_listener *entry = counts->entry;

	if (entry && unlikely(READ_ONCE(entry->acceptq_full_since)) &&
	    !sk_acceptq_is_full(listener))
		tcpfsm_full_ends(&entry->acceptq_full_since,
				 &counts->v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS], now);
}

/* When something was refused.  Jiffies: under a flood the clock is a tenth of our cost. */
static __always_inline void tcpfsm_refused_now(struct tcpfsm_counts *counts)
{
	if (unlikely(!counts->v[TCPFSM_TOTAL_REFUSED_FIRST_TS]))
		counts->v[TCPFSM_TOTAL_REFUSED_FIRST_TS] = ktime_get_mono_fast_ns();
	counts->refused_last = jiffies;
}

/* May one more record be written?  The others are told by SUPPRESSED within a second. */
static __always_inline bool tcpfsm_limit_passes(struct tcpfsm_limit *limit)
{
	if (likely(limit->left && time_before(jiffies, limit->window_end))) {
		limit->left--;
		return true;
	}
	return !tcpfsm_limit_reached(limit);
}

/**
 * tcpfsm_refusal_told() - may a record of a refused SYN or ACK be written?
 * @counts: of the listener
 * @listener: that refused it
 *
 * At most syn_limit a second, listener and CPU.  Context: softirqs off.
 */
static __always_inline bool tcpfsm_refusal_told(struct tcpfsm_counts *counts,
						const struct sock *listener)
{
	if (tcpfsm_limit_passes(&counts->limit))
		return true;
	tcpfsm_queues_read(&counts->left_out, listener);
	counts->v[TCPFSM_TOTAL_SUPPRESSED]++;
	return false;
}

#endif /* TCPFSM_LISTENER_H */
