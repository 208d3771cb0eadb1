// SPDX-License-Identifier: GPL-2.0
/* Records left out: syn_limit a second, and how many were not written. */
#include <linux/timer.h>

#include "internal.h"

static unsigned int syn_limit_records;

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
		struct tcpfsm_net_cpu *nk = tcpfsm_net_cpu(net, cpu->cpu);

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
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *cpu;
	struct tcpfsm_net_cpu *here;
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

/**
 * tcpfsm_limit_init() - prepare a CPU's timer
 * @cpu: its counters
 * @syn_limit: records of refusals a second, listener and CPU; 0: no limit
 */
void tcpfsm_limit_init(struct tcpfsm_listener_cpu *cpu, unsigned int syn_limit)
{
	syn_limit_records = syn_limit;
	timer_setup(&cpu->tell, tell_timer, TIMER_PINNED);
}
