// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting begins and ends, with a base of the kernel's own counters; and the
 * mini-sockets that came and went while it was off.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/workqueue.h>

#include "internal.h"

/* The same difference of mini-sockets, so often in a row, is the true one; how often to look, at most. */
#define SETTLE_FOUND	5
#define SETTLE_LOOKS	15
#define SETTLE_PAUSE_US	1000

u64 tcpfsm_armed_since;

const struct tcpfsm_counter tcpfsm_counters[TCPFSM_COUNTERS] = {
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

/**
 * tcpfsm_read_mib() - one of the kernel's counters, as a CPU has it
 * @net: network namespace
 * @cpu: CPU
 * @i: index into tcpfsm_counters
 *
 * Context: any.
 */
u64 tcpfsm_read_mib(const struct net *net, int cpu, unsigned int i)
{
	if (tcpfsm_counters[i].tcp)
		return READ_ONCE(per_cpu_ptr(net->mib.tcp_statistics, cpu)->mibs[tcpfsm_counters[i].mib]);
	return READ_ONCE(per_cpu_ptr(net->mib.net_statistics, cpu)->mibs[tcpfsm_counters[i].mib]);
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

	if (c->armed == armed)
		return;
	local_bh_disable();
	rcu_read_lock();
	for_each_net_rcu(net) {
		struct tcpfsm_net_cpu *nk = tcpfsm_net_cpu(net, cpu);

		if (!nk)
			continue;
		for (i = 0; i < ARRAY_SIZE(tcpfsm_counters); i++) {
			u64 now = tcpfsm_read_mib(net, cpu, i);

			nk->base[i] += armed ? now : -now;
		}
	}
	rcu_read_unlock();
	c->armed = armed;
	tcpfsm_listener_keys_set(c);
	local_bh_enable();
}

static long arm_here(void *armed)
{
	set_armed(smp_processor_id(), armed);
	return 0;
}

/* CPUs stay as they are meanwhile. */
static void set_armed_everywhere(bool armed)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu))
			work_on_cpu(cpu, arm_here, armed ? &tcpfsm_armed_since : NULL);
		else
			set_armed(cpu, armed);
	}
}

/* Mini-sockets there should be, by what was counted; under tcpfsm_table_lock. */
static u64 tw_counted(const struct tcpfsm_net_counts *nc)
{
	static const u8 ends[] = {
		TCPFSM_TW_REOPEN, TCPFSM_TW_REUSE, TCPFSM_TW_KILL, TCPFSM_TW_EXPIRE,
		TCPFSM_TW_PURGE,
	};
	u64 n = nc->tw_came - nc->tw_went;
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
static bool settle_net(const struct net *net, struct tcpfsm_net_counts *nc)
{
	s64 d = tcpfsm_tw_population(net) - tw_counted(nc);

	nc->tw_found = nc->tw_found && d == nc->tw_sought ? nc->tw_found + 1 : 1;
	nc->tw_sought = d;
	if (nc->tw_found < SETTLE_FOUND)
		return false;
	if (d > 0)
		nc->tw_came += d;
	else
		nc->tw_went -= d;
	nc->tw_found = 0;
	nc->tw_settled = true;
	return true;
}

static void settle_one(struct net *net, void *all)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);

	if (nc && nc->cpu && !nc->tw_settled && !settle_net(net, nc))
		*(bool *)all = false;
}

/**
 * tcpfsm_settle_tw() - bring TW_CAME and TW_WENT up to date
 *
 * Context: process, may sleep, under tcpfsm_table_lock.
 */
void tcpfsm_settle_tw(void)
{
	unsigned int i;

	for (i = 0; i < SETTLE_LOOKS; i++) {
		bool all = true;

		tcpfsm_each_net(settle_one, &all);
		if (all)
			return;
		usleep_range(SETTLE_PAUSE_US, 2 * SETTLE_PAUSE_US);
	}
}

static void unsettle_one(struct net *net, void *unused)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);

	if (nc)
		nc->tw_settled = false;
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
	cpus_read_lock();
	mutex_lock(&tcpfsm_table_lock);
	tcpfsm_armed_since = ktime_get_mono_fast_ns();
	tcpfsm_listeners_found();
	tcpfsm_each_net(unsettle_one, NULL);
	set_armed_everywhere(true);
	tcpfsm_settle_tw();
	mutex_unlock(&tcpfsm_table_lock);
	cpus_read_unlock();
}

/**
 * tcpfsm_listener_disarm() - count no more; the hooks are still attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_disarm(void)
{
	cpus_read_lock();
	set_armed_everywhere(false);
	cpus_read_unlock();
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
