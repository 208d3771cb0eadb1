// SPDX-License-Identifier: GPL-2.0
/*
 * The table of listeners, the counts of each network namespace, and what is
 * told of both.  The counting is in listener.h and in the hooks.
 *
 * Three rare paths of hooks take a lock, all of them raw and never held while
 * another is taken: a listener's first event (claim_lock), its end (the
 * workqueue's) and, once a second under a flood, the timer's that tells of
 * records left out.
 */
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rculist_nulls.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock_reuseport.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "listener.h"

/* How long a closed listener keeps its place. */
#define KEEP_NS		(60ULL * NSEC_PER_SEC)
/* A key that is neither free nor anybody's. */
#define KEY_LEAVING	(~0ULL)
/* Records that one TCPFSM_IOC_TOTALS may ask for: 64 MiB. */
#define RECORDS_MAX	(1 << 19)

/* The same difference of mini-sockets, so often in a row, is the true one; how often to look, at most. */
#define SETTLE_FOUND	5
#define SETTLE_LOOKS	15
#define SETTLE_PAUSE_US	1000

#define KERNEL_NUM	(TCPFSM_TOTAL_KERNEL - TCPFSM_TOTAL_KERNEL_BASE)

DEFINE_PER_CPU(struct tcpfsm_listener_cpu, tcpfsm_listener_cpu);
u64 *tcpfsm_listener_keys;
struct tcpfsm_listener *tcpfsm_listeners;
/* Of the hash of a cookie, what remains is its bucket. */
unsigned int tcpfsm_listener_shift;
static unsigned int syn_limit_records;
/* Requests that fit in the SYN queue beyond the backlog: 0 or 1. */
unsigned int tcpfsm_synq_spare;

static DEFINE_RAW_SPINLOCK(claim_lock);
/* Who reads totals, and who takes places away. */
static DEFINE_MUTEX(table_lock);
static unsigned int net_id;
static u64 armed_since;

/**
 * struct net_cpu - one CPU's part of a network namespace
 * @rest: counts of listeners without a place
 * @resets: limit on records of RSTs without a connection
 * @base: the kernel's counters when counting began, less what they moved
 *	  while it was off
 * @paused: the same when it was stopped
 */
struct net_cpu {
	struct tcpfsm_counts rest;
	struct tcpfsm_limit resets;
	u64 base[KERNEL_NUM];
	u64 paused[KERNEL_NUM];
};

/**
 * struct net_counts - a network namespace
 * @cpu: see struct net_cpu
 * @folded: of listeners that lost their place, and TW_CAME and TW_WENT, under table_lock
 * @since: when it was made, or counting began
 * @tw_sought: how far the population was from what was counted, when last looked at
 * @tw_found: so often in a row
 * @tw_settled: TW_CAME and TW_WENT are up to date
 */
struct net_counts {
	struct net_cpu __percpu *cpu;
	u64 folded[TCPFSM_TOTAL_COUNTED];
	u64 since;
	s64 tw_sought;
	unsigned int tw_found;
	bool tw_settled;
};

/* ---- the kernel's own counters --------------------------------------------- */

static const struct {
	u8 kernel;
	u16 mib;
	bool tcp;	/* of RFC 4022's TCP group, not of TcpExt */
} mibs[] = {
	{ TCPFSM_KERNEL_LISTENDROPS,	   LINUX_MIB_LISTENDROPS, false },
	{ TCPFSM_KERNEL_LISTENOVERFLOWS,   LINUX_MIB_LISTENOVERFLOWS, false },
	{ TCPFSM_KERNEL_REQQFULLDROP,	   LINUX_MIB_TCPREQQFULLDROP, false },
	{ TCPFSM_KERNEL_REQQFULLDOCOOKIES, LINUX_MIB_TCPREQQFULLDOCOOKIES, false },
	{ TCPFSM_KERNEL_SYNCOOKIESSENT,	   LINUX_MIB_SYNCOOKIESSENT, false },
	{ TCPFSM_KERNEL_SYNCOOKIESRECV,	   LINUX_MIB_SYNCOOKIESRECV, false },
	{ TCPFSM_KERNEL_SYNCOOKIESFAILED,  LINUX_MIB_SYNCOOKIESFAILED, false },
	{ TCPFSM_KERNEL_PASSIVEOPENS,	   TCP_MIB_PASSIVEOPENS, true },
	{ TCPFSM_KERNEL_SYNRETRANS,	   LINUX_MIB_TCPSYNRETRANS, false },
	{ TCPFSM_KERNEL_TIMEOUTS,	   LINUX_MIB_TCPTIMEOUTS, false },
	{ TCPFSM_KERNEL_DEFERACCEPTDROP,   LINUX_MIB_TCPDEFERACCEPTDROP, false },
	{ TCPFSM_KERNEL_RETRANSFAIL,	   LINUX_MIB_TCPRETRANSFAIL, false },
	{ TCPFSM_KERNEL_TW,		   LINUX_MIB_TIMEWAITED, false },
	{ TCPFSM_KERNEL_TWKILLED,	   LINUX_MIB_TIMEWAITKILLED, false },
	{ TCPFSM_KERNEL_TWRECYCLED,	   LINUX_MIB_TIMEWAITRECYCLED, false },
	{ TCPFSM_KERNEL_TIMEWAITOVERFLOW,  LINUX_MIB_TCPTIMEWAITOVERFLOW, false },
};

static u64 read_mib(const struct net *net, int cpu, unsigned int i)
{
	if (mibs[i].tcp)
		return READ_ONCE(per_cpu_ptr(net->mib.tcp_statistics, cpu)->mibs[mibs[i].mib]);
	return READ_ONCE(per_cpu_ptr(net->mib.net_statistics, cpu)->mibs[mibs[i].mib]);
}

/* ---- begin and end ------------------------------------------------------------- */

static struct net_counts *net_counts(const struct net *net)
{
	return net_generic(net, net_id);
}

/* A CPU's part, or NULL: there is none any more.  Context: RCU read side. */
static struct net_cpu *net_cpu(const struct net *net, unsigned int cpu)
{
	struct net_counts *nc = net_counts(net);
	struct net_cpu __percpu *parts = nc ? READ_ONCE(nc->cpu) : NULL;

	return parts ? per_cpu_ptr(parts, cpu) : NULL;
}

/*
 * Counting begins or ends between two softirqs of a CPU, never within one: so
 * the kernel's counters and ours have moved by the same.
 */
static void set_armed(int cpu, bool armed)
{
	struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);
	struct net *net;
	unsigned int i;

	/* What never began has nothing to go on from. */
	if (c->armed == armed)
		return;
	local_bh_disable();
	rcu_read_lock();
	for_each_net_rcu(net) {
		struct net_cpu *nk = net_cpu(net, cpu);

		if (!nk)
			continue;
		for (i = 0; i < ARRAY_SIZE(mibs); i++) {
			u64 now = read_mib(net, cpu, i);

			if (armed)
				nk->base[mibs[i].kernel] += now - nk->paused[mibs[i].kernel];
			else
				nk->paused[mibs[i].kernel] = now;
		}
	}
	rcu_read_unlock();
	c->armed = armed;
	local_bh_enable();
}

static long arm_here(void *armed)
{
	set_armed(smp_processor_id(), armed);
	return 0;
}

static void set_armed_everywhere(bool armed)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu))
			work_on_cpu(cpu, arm_here, armed ? &armed_since : NULL);
		else
			set_armed(cpu, armed);
	}
	cpus_read_unlock();
}

/* Mini-sockets there should be, by what was counted; under table_lock. */
static u64 tw_counted(const struct net_counts *nc)
{
	static const u8 ends[] = {
		TCPFSM_TW_REOPEN, TCPFSM_TW_REUSE, TCPFSM_TW_KILL, TCPFSM_TW_EXPIRE,
		TCPFSM_TW_PURGE,
	};
	u64 n = nc->folded[TCPFSM_TOTAL_TW_CAME] - nc->folded[TCPFSM_TOTAL_TW_WENT];
	unsigned int cpu, i;

	for_each_possible_cpu(cpu) {
		const u64 *v = per_cpu_ptr(nc->cpu, cpu)->rest.v + TCPFSM_TOTAL_TW;

		n += READ_ONCE(v[TCPFSM_TW_ENTER]);
		for (i = 0; i < ARRAY_SIZE(ends); i++)
			n -= READ_ONCE(v[ends[i]]);
	}
	return n;
}

/*
 * Those that came and went uncounted make a difference that does not change
 * any more, but each look at it may be off by those that come and go just then.
 */
static bool settle_net(const struct net *net, struct net_counts *nc)
{
	s64 d = tcpfsm_tw_population(net) - tw_counted(nc);

	nc->tw_found = nc->tw_found && d == nc->tw_sought ? nc->tw_found + 1 : 1;
	nc->tw_sought = d;
	if (nc->tw_found < SETTLE_FOUND)
		return false;
	if (d > 0)
		nc->folded[TCPFSM_TOTAL_TW_CAME] += d;
	else
		nc->folded[TCPFSM_TOTAL_TW_WENT] -= d;
	nc->tw_found = 0;
	nc->tw_settled = true;
	return true;
}

/* Brings TW_CAME and TW_WENT up to date; under table_lock. */
static void settle_tw(void)
{
	unsigned int i;

	for (i = 0; i < SETTLE_LOOKS; i++) {
		bool all = true;
		struct net *net;

		down_read(&net_rwsem);
		for_each_net(net) {
			struct net_counts *nc = net_counts(net);

			if (nc && nc->cpu && !nc->tw_settled)
				all &= settle_net(net, nc);
		}
		up_read(&net_rwsem);
		if (all)
			return;
		usleep_range(SETTLE_PAUSE_US, 2 * SETTLE_PAUSE_US);
	}
}

static void unsettle_tw(void)
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net) {
		struct net_counts *nc = net_counts(net);

		if (nc)
			nc->tw_settled = false;
	}
	up_read(&net_rwsem);
}

/**
 * tcpfsm_listener_arm() - count from now on; all hooks are attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_arm(void)
{
	/* Softirqs that some of the hooks have missed end first. */
	synchronize_rcu();
	armed_since = ktime_get_mono_fast_ns();
	mutex_lock(&table_lock);
	unsettle_tw();
	set_armed_everywhere(true);
	settle_tw();
	mutex_unlock(&table_lock);
}

/**
 * tcpfsm_listener_disarm() - count no more; the hooks are still attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_disarm(void)
{
	set_armed_everywhere(false);
}

/**
 * tcpfsm_listener_stop() - the hooks are detached: no timer runs any more
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_stop(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		timer_delete_sync(&per_cpu_ptr(&tcpfsm_listener_cpu, cpu)->tell);
}

/* ---- places ------------------------------------------------------------------------ */

static void fill_identity(struct tcpfsm_listener *entry, const struct sock *sk)
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

static int look_up(u64 cookie)
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
	int at = look_up(cookie);

	if (at >= 0)
		return at;
	/* A full table costs no lock. */
	if (find_free(cookie) < 0)
		return TCPFSM_LISTENER_NONE;

	raw_spin_lock_irqsave(&claim_lock, flags);
	at = look_up(cookie);
	if (at < 0) {
		at = find_free(cookie);
		if (at >= 0) {
			entry = &tcpfsm_listeners[at];
			memset(entry, 0, sizeof(*entry));
			entry->cookie = cookie;
			entry->net = sock_net(sk);
			entry->netns = sock_net(sk)->ns.inum;
			entry->since = ktime_get_mono_fast_ns();
			fill_identity(entry, sk);
			smp_store_release(&tcpfsm_listener_keys[at], cookie);
		}
	}
	raw_spin_unlock_irqrestore(&claim_lock, flags);
	return at < 0 ? TCPFSM_LISTENER_NONE : at;
}

/**
 * tcpfsm_listener_rest() - this CPU's counters for listeners without a place
 * @net: their network namespace
 *
 * Context: preemption off, RCU read side.  Return: never NULL.
 */
struct tcpfsm_counts *tcpfsm_listener_rest(const struct net *net)
{
	struct tcpfsm_listener_cpu *here = this_cpu_ptr(&tcpfsm_listener_cpu);
	struct net_counts *nc = net_counts(net);
	struct net_cpu __percpu *cpu = nc ? READ_ONCE(nc->cpu) : NULL;

	if (!cpu || !here->armed)
		return &here->counts[TCPFSM_LISTENER_NONE];
	return &this_cpu_ptr(cpu)->rest;
}

/**
 * tcpfsm_listener_net_inc() - count for a network namespace
 * @net: network namespace
 * @index: what
 *
 * Context: any but NMI.
 */
void tcpfsm_listener_net_inc(const struct net *net, enum tcpfsm_total index)
{
	const struct net_counts *nc;
	struct net_cpu __percpu *cpu;

	preempt_disable();
	/* Which is an RCU read side: net_generic() would enter another one. */
	nc = rcu_dereference_raw(net->gen)->ptr[net_id];
	cpu = nc ? READ_ONCE(nc->cpu) : NULL;
	if (cpu && this_cpu_read(tcpfsm_listener_cpu.armed))
		this_cpu_inc(cpu->rest.v[index]);
	preempt_enable();
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

static void has_gone(struct tcpfsm_listener *entry, u64 now)
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
	at = look_up(tcpfsm_cookie(&sk->__sk_common));
	if (at >= 0) {
		entry = &tcpfsm_listeners[at];
		v = this_cpu_ptr(&tcpfsm_listener_cpu)->counts[at].v;
		v[TCPFSM_TOTAL_ABANDONED] += READ_ONCE(sk->sk_ack_backlog);
		tcpfsm_full_ends(&entry->synq_full_since, &v[TCPFSM_TOTAL_SYNQ_FULL_NS], now);
		tcpfsm_full_ends(&entry->acceptq_full_since, &v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS],
				 now);
		/* listen() without bind() chose the port after the place was taken. */
		fill_identity(entry, sk);
		has_gone(entry, now);
	}
	local_irq_restore(flags);
}

/* How each total is put together, see TCPFSM_TOTALS. */
enum merge { MERGE_SUM, MERGE_MAX, MERGE_MIN, MERGE_AT, MERGE_NOW };

static const u8 merges[TCPFSM_TOTAL_NUM] = {
#define MERGE(s, n, name, how, text)	[n] = MERGE_##how,
	TCPFSM_TOTALS(MERGE)
#undef MERGE
};

static void merge_totals(u64 *to, const u64 *from)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++) {
		u64 v = READ_ONCE(from[i]);

		switch (merges[i]) {
		case MERGE_SUM:
			to[i] += v;
			break;
		case MERGE_MAX:
			if (v <= to[i])
				break;
			to[i] = v;
			if (merges[i + 1] == MERGE_AT)
				to[i + 1] = READ_ONCE(from[i + 1]);
			break;
		case MERGE_MIN:
			if (v && (!to[i] || v < to[i]))
				to[i] = v;
			break;
		}
	}
}

static void merge_counts(u64 *to, const struct tcpfsm_counts *from)
{
	unsigned long last = READ_ONCE(from->refused_last);
	u64 ts;

	merge_totals(to, from->v);
	if (!last)
		return;
	ts = ktime_get_mono_fast_ns() - (u64)(jiffies - last) * TICK_NSEC;
	to[TCPFSM_TOTAL_REFUSED_LAST_TS] =
		max3(to[TCPFSM_TOTAL_REFUSED_LAST_TS], to[TCPFSM_TOTAL_REFUSED_FIRST_TS], ts);
}

static void sum_cpus(u64 *to, unsigned int at)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		merge_counts(to, &per_cpu(tcpfsm_listener_cpu, cpu).counts[at]);
}

/*
 * Takes places away: no hook finds one any more, and those that had are done
 * after a grace period, as a verdict does not outlive its softirq.
 */
static bool leave(bool (*go)(const struct tcpfsm_listener *entry, const void *arg),
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
			struct net_counts *nc = net_counts(tcpfsm_listeners[at].net);

			sum_cpus(nc->folded, at);
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

	mutex_lock(&table_lock);
	leave(closed_long_ago, &now, true);
	for (at = 0; at < n; at++) {
		if (READ_ONCE(tcpfsm_listener_keys[at]) && READ_ONCE(tcpfsm_listeners[at].gone)) {
			queue_delayed_work(system_power_efficient_wq, &forget_work, 10 * HZ);
			break;
		}
	}
	mutex_unlock(&table_lock);
}

/* ---- network namespaces ---------------------------------------------------------- */

static int __net_init net_made(struct net *net)
{
	struct net_counts *nc = net_counts(net);

	nc->cpu = alloc_percpu(struct net_cpu);
	nc->since = ktime_get_mono_fast_ns();
	nc->tw_settled = true;		/* a new one has none; of old ones see tcpfsm_listener_arm() */
	return nc->cpu ? 0 : -ENOMEM;
}

static bool of_net(const struct tcpfsm_listener *entry, const void *net)
{
	return entry->net == net;
}

static void __net_exit net_gone(struct net *net)
{
	struct net_counts *nc = net_counts(net);
	struct net_cpu __percpu *cpu = nc->cpu;

	mutex_lock(&table_lock);
	WRITE_ONCE(nc->cpu, NULL);
	/* Waits for those that use nc->cpu, too. */
	if (!leave(of_net, net, false))
		synchronize_rcu();
	mutex_unlock(&table_lock);
	free_percpu(cpu);
}

static struct pernet_operations net_ops = {
	.init = net_made,
	.exit = net_gone,
	.id = &net_id,
	.size = sizeof(struct net_counts),
};

/* ---- records left out -------------------------------------------------------------- */

static void tell_suppressed(const struct tcpfsm_listener *entry, u32 netns, u8 type,
			    struct tcpfsm_limit *limit, u64 now)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (!limit->pending)
		return;
	rec = tcpfsm_record_begin(TCPFSM_TYPE_SUPPRESSED, &flags);
	rec->ts = now;
	rec->conn = 0;
	/* Only now: a place without anything left out may be just changing hands. */
	rec->netns = entry ? entry->netns : netns;
	rec->verdict = type;
	rec->tw = 0;
	rec->tw_max = 0;
	rec->rport = 0;
	memset(rec->raddr, 0, sizeof(rec->raddr));
	if (entry) {
		rec->family = entry->family;
		rec->lport = entry->lport;
		memcpy(rec->laddr, entry->laddr, sizeof(rec->laddr));
	} else {
		rec->lport = 0;
		memset(rec->laddr, 0, sizeof(rec->laddr));
	}
	if (type == TCPFSM_TYPE_SYN) {
		rec->old = TCP_LISTEN;
		tcpfsm_record_queues(rec, &limit->q);
	} else {
		tcpfsm_fill_no_queues(rec);
	}
	rec->snd = limit->pending;
	rec->rcv = div_u64(now - limit->pending_since, NSEC_PER_USEC);
	limit->pending = 0;
	tcpfsm_record_done(rec, flags);
}

/* On its own CPU, unless that went offline: then nobody counts there. */
static void tell_timer(struct timer_list *timer)
{
	struct tcpfsm_listener_cpu *cpu = container_of(timer, struct tcpfsm_listener_cpu, tell);
	unsigned int at, n = tcpfsm_listener_places();
	u64 now = ktime_get_mono_fast_ns();
	struct net *net;

	for (at = 0; at < n; at++)
		tell_suppressed(&tcpfsm_listeners[at], 0, TCPFSM_TYPE_SYN,
				&cpu->counts[at].limit, now);
	rcu_read_lock();
	for_each_net_rcu(net) {
		struct net_cpu *nk = net_cpu(net, cpu->cpu);

		if (!nk)
			continue;
		tell_suppressed(NULL, net->ns.inum, TCPFSM_TYPE_SYN, &nk->rest.limit, now);
		tell_suppressed(NULL, net->ns.inum, TCPFSM_TYPE_RESET, &nk->resets, now);
	}
	rcu_read_unlock();
}

/**
 * tcpfsm_limit_reached() - the slow half of tcpfsm_limit_passes()
 * @limit: that has nothing left, or whose second is over
 * @listener: that refused, or NULL
 *
 * Context: softirqs off.  Return: false: a new second has begun.
 */
bool tcpfsm_limit_reached(struct tcpfsm_limit *limit, const struct sock *listener)
{
	struct tcpfsm_listener_cpu *cpu = this_cpu_ptr(&tcpfsm_listener_cpu);

	if (!limit->window_end || time_after_eq(jiffies, limit->window_end)) {
		/* Never 0, which is before the first. */
		limit->window_end = (jiffies + HZ) | 1;
		limit->left = syn_limit_records ? syn_limit_records - 1 : U32_MAX;
		return false;
	}
	if (!limit->pending++) {
		limit->pending_since = ktime_get_mono_fast_ns();
		if (!timer_pending(&cpu->tell))
			mod_timer(&cpu->tell, jiffies + HZ);
	}
	if (listener)
		tcpfsm_queues_read(&limit->q, listener);
	return true;
}

/**
 * tcpfsm_reset_told() - may a record of an RST without a connection be written?
 * @net: network namespace
 *
 * SYNs to a closed port cause one each.  Context: any but NMI.
 */
bool tcpfsm_reset_told(const struct net *net)
{
	struct net_counts *nc = net_counts(net);
	struct net_cpu __percpu *cpu;
	struct net_cpu *here;
	unsigned long flags;
	bool told = true;

	/* In the backlog of a socket softirqs are on. */
	local_irq_save(flags);
	cpu = nc ? READ_ONCE(nc->cpu) : NULL;
	if (cpu) {
		here = this_cpu_ptr(cpu);
		told = tcpfsm_limit_passes(&here->resets, NULL);
		if (!told)
			here->rest.v[TCPFSM_TOTAL_RESET_SUPPRESSED]++;
	}
	local_irq_restore(flags);
	return told;
}

/* ---- TCPFSM_IOC_TOTALS ------------------------------------------------------------ */

/* A listener that is there, with its queues as they are now. */
struct live {
	u64 cookie;
	struct tcpfsm_listener id;
	u32 synq, young, acceptq, backlog, places;
	u32 reuseport, defer_accept;
};

struct sink {
	struct tcpfsm_record *records;
	u64 room, n;
	u64 ts;
};

static void put(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
		unsigned int index, u64 value)
{
	struct tcpfsm_record *rec;

	if (!value && index != TCPFSM_TOTAL_NOW_SINCE_TS)
		return;
	if (s->n++ >= s->room)
		return;
	rec = &s->records[s->n - 1];
	memset(rec, 0, sizeof(*rec));
	rec->seq = s->n;
	rec->ts = s->ts;
	rec->type = TCPFSM_TYPE_TOTAL;
	rec->family = id->family;
	rec->conn = conn;
	rec->listener = value;
	rec->netns = id->netns;
	rec->lport = id->lport;
	memcpy(rec->laddr, id->laddr, sizeof(rec->laddr));
	rec->rcv = index;
	if (id->pid) {
		rec->flags = TCPFSM_F_OWNER;
		rec->pid = id->pid;
		memcpy(rec->comm, id->comm, sizeof(rec->comm));
	}
}

static void put_all(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
		    const u64 *totals)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++)
		put(s, id, conn, i, totals[i]);
}

static u32 group_size(const struct sock *sk)
{
	const struct sock_reuseport *reuse;

	if (!sk->sk_reuseport)
		return 0;
	reuse = rcu_dereference(sk->sk_reuseport_cb);
	return reuse ? READ_ONCE(reuse->num_socks) : 0;
}

static void fill_live(struct live *l, const struct sock *sk)
{
	const struct request_sock_queue *queue = &inet_csk(sk)->icsk_accept_queue;

	l->cookie = tcpfsm_cookie(&sk->__sk_common);
	l->id.net = sock_net(sk);
	l->id.netns = sock_net(sk)->ns.inum;
	fill_identity(&l->id, sk);
	l->synq = inet_csk_reqsk_queue_len(sk);
	l->young = reqsk_queue_len_young(queue);
	l->acceptq = READ_ONCE(sk->sk_ack_backlog);
	l->backlog = READ_ONCE(sk->sk_max_ack_backlog);
	l->places = l->backlog + tcpfsm_synq_spare;
	l->reuseport = group_size(sk);
	l->defer_accept = READ_ONCE(queue->rskq_defer_accept);
}

/* All listeners, as inet_diag finds them.  Return: how many; some may be beyond room. */
static unsigned int find_live(struct live *to, unsigned int room)
{
	const struct inet_hashinfo *hash = init_net.ipv4.tcp_death_row.hashinfo;
	unsigned int i, n = 0;
	struct sock *sk;

	for (i = 0; i <= hash->lhash2_mask; i++) {
		struct inet_listen_hashbucket *bucket = &hash->lhash2[i];

		if (!tcpfsm_listener_first(bucket))
			continue;
		/* Listeners are few and long-lived: a walk without the lock could meet one twice. */
		spin_lock_bh(&bucket->lock);
		rcu_read_lock();
		for (sk = tcpfsm_listener_first(bucket); sk; sk = tcpfsm_listener_next(sk)) {
			if (sk->sk_protocol != IPPROTO_TCP)
				continue;
			if (n < room)
				fill_live(&to[n], sk);
			n++;
		}
		rcu_read_unlock();
		spin_unlock_bh(&bucket->lock);
		cond_resched();
	}
	return n;
}

static void put_live(struct sink *s, const struct live *l, u64 *totals)
{
	int at = look_up(l->cookie);
	struct tcpfsm_listener id = l->id;
	u64 since = armed_since;

	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	if (at >= 0) {
		struct tcpfsm_listener *entry = &tcpfsm_listeners[at];
		u64 synq_full = READ_ONCE(entry->synq_full_since);
		u64 acceptq_full = READ_ONCE(entry->acceptq_full_since);

		sum_cpus(totals, at);
		if (synq_full && s->ts > synq_full)
			totals[TCPFSM_TOTAL_SYNQ_FULL_NS] += s->ts - synq_full;
		if (acceptq_full && s->ts > acceptq_full)
			totals[TCPFSM_TOTAL_ACCEPTQ_FULL_NS] += s->ts - acceptq_full;
		/* It was between listen() and the table of listeners. */
		WRITE_ONCE(entry->gone, 0);
		entry->alive = s->ts;
		since = entry->since;
		/* Of a listen() just now, the owner may be half told. */
		id.pid = READ_ONCE(entry->pid);
		data_race(memcpy(id.comm, entry->comm, sizeof(id.comm)));
		put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ASKED, READ_ONCE(entry->asked));
	}
	put_all(s, &id, l->cookie, totals);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ, l->synq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_YOUNG, l->young);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ACCEPTQ, l->acceptq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_BACKLOG, l->backlog);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_PLACES, l->places);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, since);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_REUSEPORT, l->reuseport);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_DEFER_ACCEPT, l->defer_accept);
}

/* A place whose listener is not there any more. */
static void put_gone(struct sink *s, unsigned int at, u64 *totals)
{
	struct tcpfsm_listener *entry = &tcpfsm_listeners[at];

	/* It went while no hook was attached. */
	if (!READ_ONCE(entry->gone))
		has_gone(entry, s->ts);
	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	sum_cpus(totals, at);
	put_all(s, entry, entry->cookie, totals);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_ASKED, READ_ONCE(entry->asked));
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, entry->since);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_GONE_TS, READ_ONCE(entry->gone));
}

/* Whose ports connect() chooses: as __inet_hash_connect() goes through them. */
static void put_ports(struct sink *s, const struct tcpfsm_listener *id, const struct net *net)
{
	const unsigned long *reserved = net->ipv4.sysctl_local_reserved_ports;
	int low, high, last;
	u64 ports;

	inet_get_local_port_range(net, &low, &high);
	/* By pairs: the odd one is left out. */
	last = high - low > 1 && (high - low) % 2 == 0 ? high - 1 : high;
	ports = last - low + 1;
	if (reserved)
		ports -= bitmap_weight(reserved, last + 1) - bitmap_weight(reserved, low);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORT_LOW, low);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORT_HIGH, high);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORTS, ports);
}

static void put_netns(struct sink *s, const struct net *net, u64 *totals)
{
	struct net_counts *nc = net_counts(net);
	struct tcpfsm_listener id = { .netns = net->ns.inum };
	unsigned int cpu, i;

	if (!nc || !nc->cpu)
		return;
	memcpy(totals, nc->folded, sizeof(nc->folded));
	for_each_possible_cpu(cpu)
		merge_counts(totals, &per_cpu_ptr(nc->cpu, cpu)->rest);
	put_all(s, &id, 0, totals);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SINCE_TS, max(nc->since, armed_since));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SOMAXCONN, READ_ONCE(net->core.sysctl_somaxconn));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_MAX_SYN_BACKLOG,
	    READ_ONCE(net->ipv4.sysctl_max_syn_backlog));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SYNCOOKIES, READ_ONCE(net->ipv4.sysctl_tcp_syncookies));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_ABORT_ON_OVERFLOW,
	    READ_ONCE(net->ipv4.sysctl_tcp_abort_on_overflow));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SYNACK_RETRIES,
	    READ_ONCE(net->ipv4.sysctl_tcp_synack_retries));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW, tcpfsm_tw_population(net));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_MAX,
	    READ_ONCE(net->ipv4.tcp_death_row.sysctl_max_tw_buckets));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_UNSETTLED, !nc->tw_settled);
	put_ports(s, &id, net);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_REUSE, READ_ONCE(net->ipv4.sysctl_tcp_tw_reuse));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TIMESTAMPS, READ_ONCE(net->ipv4.sysctl_tcp_timestamps));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_FIN_TIMEOUT,
	    READ_ONCE(net->ipv4.sysctl_tcp_fin_timeout) / HZ);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_RFC1337, READ_ONCE(net->ipv4.sysctl_tcp_rfc1337));
	for (i = 0; i < ARRAY_SIZE(mibs); i++) {
		u64 base = 0, now = 0;

		for_each_possible_cpu(cpu) {
			base += per_cpu_ptr(nc->cpu, cpu)->base[mibs[i].kernel];
			now += read_mib(net, cpu, i);
		}
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL_BASE + mibs[i].kernel, base);
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL + mibs[i].kernel, now);
	}
}

static int collect(struct sink *s)
{
	unsigned int i, n, room = 0;
	struct live *live = NULL;
	struct net *net;
	u64 *totals;

	totals = kmalloc_array(TCPFSM_TOTAL_COUNTED, sizeof(*totals), GFP_KERNEL);
	if (!totals)
		return -ENOMEM;
	/* Some may come while memory is asked for. */
	while ((n = find_live(live, room)) > room) {
		kvfree(live);
		room = n + 16;
		live = kvcalloc(room, sizeof(*live), GFP_KERNEL);
		if (!live) {
			kfree(totals);
			return -ENOMEM;
		}
	}

	s->ts = ktime_get_mono_fast_ns();
	for (i = 0; i < n; i++)
		put_live(s, &live[i], totals);
	for (i = 0; i < tcpfsm_listener_places(); i++) {
		if (smp_load_acquire(&tcpfsm_listener_keys[i]) && tcpfsm_listeners[i].alive != s->ts)
			put_gone(s, i, totals);
		cond_resched();
	}
	settle_tw();
	down_read(&net_rwsem);
	for_each_net(net)
		put_netns(s, net, totals);
	up_read(&net_rwsem);
	kvfree(live);
	kfree(totals);
	return 0;
}

/**
 * tcpfsm_listener_totals() - TCPFSM_IOC_TOTALS
 * @arg: see the UAPI header
 *
 * Context: process, may sleep.  Return: 0 or a negative errno.
 */
long tcpfsm_listener_totals(struct tcpfsm_totals __user *arg)
{
	struct tcpfsm_totals totals;
	struct sink sink = {};
	long err;

	if (copy_from_user(&totals, arg, sizeof(totals)))
		return -EFAULT;
	sink.room = min_t(u64, totals.count, RECORDS_MAX);
	if (sink.room) {
		sink.records = kvmalloc_array(sink.room, sizeof(*sink.records), GFP_KERNEL);
		if (!sink.records)
			return -ENOMEM;
	}
	mutex_lock(&table_lock);
	err = collect(&sink);
	mutex_unlock(&table_lock);
	if (!err && sink.n && sink.room &&
	    copy_to_user(u64_to_user_ptr(totals.records), sink.records,
			 min(sink.n, sink.room) * sizeof(*sink.records)))
		err = -EFAULT;
	kvfree(sink.records);
	if (err)
		return err;
	if (put_user(sink.n, &arg->count))
		return -EFAULT;
	return sink.n > sink.room ? -ENOSPC : 0;
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

/* ---- load and unload ------------------------------------------------------------------ */

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
 * tcpfsm_listener_bytes() - memory that the table and its counts take
 *
 * Context: any.
 */
u64 tcpfsm_listener_bytes(void)
{
	u64 listeners = TCPFSM_LISTENER_NONE;

	return listeners * (sizeof(*tcpfsm_listener_keys) + sizeof(*tcpfsm_listeners)) +
	       num_possible_cpus() * (listeners + 1) * sizeof(struct tcpfsm_counts);
}

/**
 * tcpfsm_listener_init() - make the table
 * @listeners: places, a power of two and at least 2 * TCPFSM_LISTENER_WAYS
 * @syn_limit: records of refusals a second, listener and CPU; 0: no limit
 *
 * Context: process, may sleep.  Return: 0 or -ENOMEM.
 */
int tcpfsm_listener_init(unsigned int listeners, unsigned int syn_limit)
{
	unsigned int cpu;
	int err;

	err = find_synq_spare();
	if (err < 0)
		return err;
	tcpfsm_synq_spare = err;
	err = -ENOMEM;
	syn_limit_records = syn_limit;
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
		timer_setup(&c->tell, tell_timer, TIMER_PINNED);
	}
	err = register_pernet_subsys(&net_ops);
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
	unregister_pernet_subsys(&net_ops);
	free_table();
}
