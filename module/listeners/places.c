// SPDX-License-Identifier: GPL-2.0
/*
 * The places of listeners: who gets one, who keeps it, who leaves.
 *
 * Three rare paths of hooks take a lock, all of them raw and never held while
 * another is taken: a listener's first event (claim_lock), its end (the
 * workqueue's) and, once a second under a flood, the timer's that tells of
 * records left out (limit.c).
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "internal.h"

/* How long a closed listener keeps its place. */
#define KEEP_NS		(60ULL * NSEC_PER_SEC)
/* A key that is neither free nor anybody's. */
#define KEY_LEAVING	(~0ULL)

DEFINE_PER_CPU(struct tcpfsm_listener_cpu, tcpfsm_listener_cpu);
u64 *tcpfsm_listener_keys;
struct tcpfsm_listener *tcpfsm_listeners;
/* Of the hash of a cookie, what remains is its bucket. */
unsigned int tcpfsm_listener_shift;
/* Requests that fit in the SYN queue beyond the backlog: 0 or 1. */
unsigned int tcpfsm_synq_spare;

static DEFINE_RAW_SPINLOCK(claim_lock);
DEFINE_MUTEX(tcpfsm_table_lock);

/**
 * tcpfsm_listener_identity() - fill in where a listener listens
 * @entry: family, lport and laddr
 * @sk: listener
 */
void tcpfsm_listener_identity(struct tcpfsm_listener *entry, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	entry->lport = inet->inet_num;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		entry->family = 6;
		memcpy(entry->laddr, &sk->sk_v6_rcv_saddr, sizeof(entry->laddr));
		return;
	}
#endif
	entry->family = 4;
	tcpfsm_fill_addr(entry->laddr, inet->inet_rcv_saddr);
}

/* The two buckets as one run of ways. */
static unsigned int way(unsigned int bucket, unsigned int i)
{
	return (bucket + i) & (tcpfsm_listener_places() - 1);
}

/**
 * tcpfsm_listener_look_up() - the place of a listener
 * @cookie: of the listener
 *
 * Context: RCU read side, or under tcpfsm_table_lock.  Return: its index, or -1.
 */
int tcpfsm_listener_look_up(u64 cookie)
{
	unsigned int bucket = tcpfsm_listener_bucket(cookie), i;

	for (i = 0; i < 2 * TCPFSM_LISTENER_WAYS; i++)
		if (smp_load_acquire(&tcpfsm_listener_keys[way(bucket, i)]) == cookie)
			return way(bucket, i);
	return -1;
}

static int find_free(u64 cookie)
{
	unsigned int bucket = tcpfsm_listener_bucket(cookie), i;

	for (i = 0; i < 2 * TCPFSM_LISTENER_WAYS; i++)
		if (!READ_ONCE(tcpfsm_listener_keys[way(bucket, i)]))
			return way(bucket, i);
	return -1;
}

/**
 * tcpfsm_listener_claim() - the place of a listener that is not in its bucket
 * @sk: listener, or about to be one
 * @cookie: of @sk
 *
 * Context: preemption off, RCU read side.
 *
 * Return: index of its place, or TCPFSM_LISTENER_NONE.
 */
unsigned int tcpfsm_listener_claim(const struct sock *sk, u64 cookie)
{
	struct tcpfsm_listener *entry;
	unsigned long flags;
	int at = tcpfsm_listener_look_up(cookie);

	if (at >= 0)
		return at;
	/* A full table costs no lock. */
	if (find_free(cookie) < 0)
		return TCPFSM_LISTENER_NONE;

	raw_spin_lock_irqsave(&claim_lock, flags);
	at = tcpfsm_listener_look_up(cookie);
	if (at < 0) {
		at = find_free(cookie);
		if (at >= 0) {
			entry = &tcpfsm_listeners[at];
			memset(entry, 0, sizeof(*entry));
			entry->cookie = cookie;
			entry->net = sock_net(sk);
			entry->netns = sock_net(sk)->ns.inum;
			entry->since = ktime_get_mono_fast_ns();
			tcpfsm_listener_identity(entry, sk);
			smp_store_release(&tcpfsm_listener_keys[at], cookie);
		}
	}
	raw_spin_unlock_irqrestore(&claim_lock, flags);
	return at < 0 ? TCPFSM_LISTENER_NONE : at;
}

/**
 * tcpfsm_listener_asked() - listen() was called
 * @sk: socket that listens, or is about to
 * @asked: backlog before somaxconn; ~0: not known
 *
 * Context: process.
 */
void tcpfsm_listener_asked(const struct sock *sk, u32 asked)
{
	struct tcpfsm_listener *entry;
	char comm[TASK_COMM_LEN];

	preempt_disable();
	tcpfsm_listener_find(sk, &entry);
	if (entry) {
		WRITE_ONCE(entry->gone, 0);
		WRITE_ONCE(entry->asked, asked == ~0U ? 0 : (u64)asked + 1);
		if (!(current->flags & PF_KTHREAD)) {
			WRITE_ONCE(entry->pid, task_tgid_nr(current));
			tcpfsm_copy_comm(comm, current);
			/* Who reads totals meanwhile may see half of the new name, once. */
			data_race(memcpy(entry->comm, comm, sizeof(entry->comm)));
		}
	}
	preempt_enable();
}

static void forget_closed(struct work_struct *unused);
static DECLARE_DELAYED_WORK(forget_work, forget_closed);

/**
 * tcpfsm_listener_has_gone() - a listener has closed: it keeps its place for a minute
 * @entry: its place
 * @now: when
 *
 * Context: any but NMI.
 */
void tcpfsm_listener_has_gone(struct tcpfsm_listener *entry, u64 now)
{
	WRITE_ONCE(entry->gone, now);
	queue_delayed_work(system_power_efficient_wq, &forget_work,
			   nsecs_to_jiffies(KEEP_NS) + HZ);
}

/**
 * tcpfsm_listener_closes() - a listener leaves LISTEN
 * @sk: listener, its accept queue not yet emptied
 *
 * Context: any but NMI.
 */
void tcpfsm_listener_closes(const struct sock *sk)
{
	u64 now = ktime_get_mono_fast_ns();
	struct tcpfsm_listener *entry;
	unsigned long flags;
	int at;
	u64 *v;

	/* Softirqs count in the same block. */
	local_irq_save(flags);
	at = tcpfsm_listener_look_up(tcpfsm_cookie(&sk->__sk_common));
	if (at >= 0) {
		entry = &tcpfsm_listeners[at];
		v = this_cpu_ptr(&tcpfsm_listener_cpu)->counts[at].v;
		v[TCPFSM_TOTAL_ABANDONED] += READ_ONCE(sk->sk_ack_backlog);
		tcpfsm_full_ends(&entry->synq_full_since, &v[TCPFSM_TOTAL_SYNQ_FULL_NS], now);
		tcpfsm_full_ends(&entry->acceptq_full_since, &v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS],
				 now);
		/* listen() without bind() chose the port after the place was taken. */
		tcpfsm_listener_identity(entry, sk);
		tcpfsm_listener_has_gone(entry, now);
	}
	local_irq_restore(flags);
}

/**
 * tcpfsm_listener_keeps() - a connection of a closed listener moves to another one
 * @sk: listener that has closed: it counted all in its queue as abandoned
 *
 * Context: softirqs off.
 */
void tcpfsm_listener_keeps(const struct sock *sk)
{
	int at = tcpfsm_listener_look_up(tcpfsm_cookie(&sk->__sk_common));

	if (at >= 0)
		this_cpu_ptr(&tcpfsm_listener_cpu)->counts[at].v[TCPFSM_TOTAL_ABANDONED]--;
}

/**
 * tcpfsm_listeners_leave() - take places away
 * @go: whose?
 * @arg: for @go
 * @fold: keep what was counted, for the network namespace
 *
 * No hook finds such a place any more, and those that had are done after a
 * grace period, as a verdict does not outlive its softirq.  Context: process,
 * may sleep, under tcpfsm_table_lock.
 *
 * Return: was there one?  Then a grace period has passed.
 */
bool tcpfsm_listeners_leave(bool (*go)(const struct tcpfsm_listener *entry, const void *arg),
			    const void *arg, bool fold)
{
	unsigned int at, cpu, n = tcpfsm_listener_places();
	bool some = false;

	for (at = 0; at < n; at++) {
		u64 key = smp_load_acquire(&tcpfsm_listener_keys[at]);

		if (!key || !go(&tcpfsm_listeners[at], arg))
			continue;
		WRITE_ONCE(tcpfsm_listener_keys[at], KEY_LEAVING);
		some = true;
	}
	if (!some)
		return false;
	synchronize_rcu();
	for (at = 0; at < n; at++) {
		if (tcpfsm_listener_keys[at] != KEY_LEAVING)
			continue;
		if (fold) {
			struct tcpfsm_net_counts *nc = tcpfsm_net_counts(tcpfsm_listeners[at].net);

			tcpfsm_sum_cpus(nc->folded, at);
		}
		for_each_possible_cpu(cpu)
			memset(&per_cpu(tcpfsm_listener_cpu, cpu).counts[at], 0,
			       sizeof(struct tcpfsm_counts));
		smp_store_release(&tcpfsm_listener_keys[at], 0);
	}
	return true;
}

static bool closed_long_ago(const struct tcpfsm_listener *entry, const void *now)
{
	u64 gone = READ_ONCE(entry->gone);

	return gone && *(const u64 *)now - gone >= KEEP_NS;
}

static void forget_closed(struct work_struct *unused)
{
	unsigned int at, n = tcpfsm_listener_places();
	u64 now = ktime_get_mono_fast_ns();

	mutex_lock(&tcpfsm_table_lock);
	tcpfsm_listeners_leave(closed_long_ago, &now, true);
	for (at = 0; at < n; at++) {
		if (READ_ONCE(tcpfsm_listener_keys[at]) && READ_ONCE(tcpfsm_listeners[at].gone)) {
			queue_delayed_work(system_power_efficient_wq, &forget_work, 10 * HZ);
			break;
		}
	}
	mutex_unlock(&tcpfsm_table_lock);
}

/*
 * The comparison of inet_csk_reqsk_queue_is_full() has changed in stable
 * releases: ask it.  Return: 0 or 1, or -ENOMEM.
 */
static int find_synq_spare(void)
{
	struct inet_connection_sock *icsk = kzalloc(sizeof(*icsk), GFP_KERNEL);
	struct sock *sk = (struct sock *)icsk;
	int spare;

	if (!icsk)
		return -ENOMEM;
	atomic_set(&icsk->icsk_accept_queue.qlen, 1);
	sk->sk_max_ack_backlog = 1;
	spare = !inet_csk_reqsk_queue_is_full(sk);
	kfree(icsk);
	return spare;
}

static void free_table(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		vfree(per_cpu(tcpfsm_listener_cpu, cpu).counts);
		per_cpu(tcpfsm_listener_cpu, cpu).counts = NULL;
	}
	vfree(tcpfsm_listeners);
	vfree(tcpfsm_listener_keys);
}

/**
 * tcpfsm_listener_init() - make the table
 * @listeners: places, a power of two and at least 2 * TCPFSM_LISTENER_WAYS
 *
 * Context: process, may sleep.  Return: 0 or -ENOMEM.
 */
int tcpfsm_listener_init(unsigned int listeners)
{
	unsigned int cpu;
	int err;

	err = find_synq_spare();
	if (err < 0)
		return err;
	tcpfsm_synq_spare = err;
	err = -ENOMEM;
	tcpfsm_listener_shift = 64 - ilog2(listeners / TCPFSM_LISTENER_WAYS);
	tcpfsm_listener_keys = vzalloc(listeners * sizeof(*tcpfsm_listener_keys));
	tcpfsm_listeners = vzalloc(listeners * sizeof(*tcpfsm_listeners));
	if (!tcpfsm_listener_keys || !tcpfsm_listeners)
		goto fail;
	for_each_possible_cpu(cpu) {
		struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);

		c->counts = vzalloc_node((listeners + 1) * sizeof(*c->counts),
					 cpu_to_node(cpu));
		if (!c->counts)
			goto fail;
		c->cpu = cpu;
		tcpfsm_limit_init(c);
	}
	err = tcpfsm_netns_init();
	if (!err)
		return 0;
fail:
	free_table();
	return err;
}

/**
 * tcpfsm_listener_exit() - free it; no hook is attached and no file open
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_exit(void)
{
	cancel_delayed_work_sync(&forget_work);
	tcpfsm_netns_exit();
	free_table();
}
