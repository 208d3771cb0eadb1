// SPDX-License-Identifier: GPL-2.0-only
/* Records left out: syn_limit a second, and how many were not written. */
#include <linux/timer.h>

#include "internal.h"

/* Records a second; 0: no limit.  May be changed at any time. */
unsigned int tcpfsm_syn_limit = 1000;

static const u8 told_types[TCPFSM_TOLD_NUM] = {
	[TCPFSM_TOLD_RESET]	= TCPFSM_TYPE_RESET,
	[TCPFSM_TOLD_LISTEN]	= TCPFSM_TYPE_LISTEN,
	[TCPFSM_TOLD_SHUTDOWN]	= TCPFSM_TYPE_SHUTDOWN,
	[TCPFSM_TOLD_TIMEWAIT]	= TCPFSM_TYPE_TIMEWAIT,
	[TCPFSM_TOLD_CONNECT_FAILED] = TCPFSM_TYPE_CONNECT_FAILED,
};

static void tell_suppressed(const struct tcpfsm_listener *entry, u32 netns, u8 type,
			    struct tcpfsm_limit *limit, const struct tcpfsm_queues *q, u64 now)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (!limit->pending)
		return;
	rec = tcpfsm_record_begin(TCPFSM_TYPE_SUPPRESSED, &flags);
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
	if (q) {
		rec->old_state = TCP_LISTEN;
		tcpfsm_record_queues(rec, q);
	} else {
		tcpfsm_fill_no_queues(rec);
	}
	rec->snd = limit->pending;
	rec->rcv = div_u64(now - limit->pending_since, NSEC_PER_USEC);
	limit->pending = 0;
	tcpfsm_record_done_at(rec, now, flags);
}

/* On its own CPU, unless that went offline: then nobody counts there. */
static void tell_timer(struct timer_list *timer)
{
	struct tcpfsm_listener_cpu *cpu = container_of(timer, struct tcpfsm_listener_cpu, tell);
	unsigned int at, i, n = cpu->counts ? tcpfsm_listener_places() : 0;
	u64 now = ktime_get_mono_fast_ns();
	struct net *net;

	for (at = 0; at < n; at++) {
		struct tcpfsm_counts *counts = tcpfsm_listener_counts(cpu, at);

		tell_suppressed(tcpfsm_listener_entry(at), 0, TCPFSM_TYPE_SYN, &counts->limit,
				&counts->left_out, now);
	}
	rcu_read_lock();
	for_each_net_rcu(net) {
		struct tcpfsm_net_cpu *nk = tcpfsm_net_cpu(net, cpu->cpu);

		if (!nk)
			continue;
		tell_suppressed(NULL, net->ns.inum, TCPFSM_TYPE_SYN, &nk->rest.limit,
				&nk->rest.left_out, now);
		for (i = 0; i < TCPFSM_TOLD_NUM; i++)
			tell_suppressed(NULL, net->ns.inum, told_types[i], &nk->told[i], NULL,
					now);
	}
	rcu_read_unlock();
}

/**
 * tcpfsm_limit_reached() - the slow half of tcpfsm_limit_passes()
 * @limit: that has nothing left, or whose second is over
 *
 * Context: softirqs off.  Return: false: a new second has begun.
 */
bool tcpfsm_limit_reached(struct tcpfsm_limit *limit)
{
	struct tcpfsm_listener_cpu *cpu = this_cpu_ptr(&tcpfsm_listener_cpu);
	unsigned int records = READ_ONCE(tcpfsm_syn_limit);

	if (!limit->window_end || time_after_eq(jiffies, limit->window_end)) {
		/* Never 0, which is before the first. */
		limit->window_end = (jiffies + HZ) | 1;
		limit->left = records ? records - 1 : U32_MAX;
		return false;
	}
	if (!limit->pending++) {
		limit->pending_since = ktime_get_mono_fast_ns();
		if (!timer_pending(&cpu->tell))
			mod_timer(&cpu->tell, jiffies + HZ);
	}
	return true;
}

/**
 * tcpfsm_record_told() - may a record that anybody can cause at will be written?
 * @net: network namespace
 * @type: TCPFSM_TYPE_RESET: of an RST that ends no connection, as SYNs to a closed port cause;
 *	  _LISTEN: also of a listener's changes of state; _SHUTDOWN; _TIMEWAIT: of a segment that
 *	  restarts its timer; _CONNECT_FAILED: of a connect() that found no port
 *
 * At most syn_limit a second, network namespace and CPU; those left out are told of by
 * SUPPRESSED.  Context: any but NMI.
 */
bool tcpfsm_record_told(const struct net *net, enum tcpfsm_type type)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *cpu;
	struct tcpfsm_net_cpu *here;
	unsigned long flags;
	bool told = true;
	unsigned int i;

	for (i = 0; i < TCPFSM_TOLD_NUM && told_types[i] != type; i++)
		;
	if (i == TCPFSM_TOLD_NUM)
		return true;
	/* In the backlog of a socket softirqs are on. */
	local_irq_save(flags);
	cpu = nc ? READ_ONCE(nc->cpu) : NULL;
	if (cpu) {
		here = this_cpu_ptr(cpu);
		told = tcpfsm_limit_passes(&here->told[i]);
		if (!told && i == TCPFSM_TOLD_RESET)
			here->rest.v[TCPFSM_TOTAL_RESET_SUPPRESSED]++;
	}
	local_irq_restore(flags);
	return told;
}

/**
 * tcpfsm_limit_init() - prepare a CPU's timer
 * @cpu: its counters
 */
void tcpfsm_limit_init(struct tcpfsm_listener_cpu *cpu)
{
	timer_setup(&cpu->tell, tell_timer, TIMER_PINNED);
}
