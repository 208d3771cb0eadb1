// SPDX-License-Identifier: GPL-2.0
/* What is counted for a network namespace. */
#include <linux/percpu.h>

#include "internal.h"

unsigned int tcpfsm_net_id;

/**
 * tcpfsm_listener_rest() - this CPU's counters for listeners without a place
 * @net: their network namespace
 *
 * Context: preemption off, RCU read side.  Return: never NULL.
 */
struct tcpfsm_counts *tcpfsm_listener_rest(const struct net *net)
{
	struct tcpfsm_listener_cpu *here = this_cpu_ptr(&tcpfsm_listener_cpu);
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *cpu = nc ? READ_ONCE(nc->cpu) : NULL;

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
	const struct tcpfsm_net_counts *nc;
	struct tcpfsm_net_cpu __percpu *cpu;

	preempt_disable();
	/* Which is an RCU read side: net_generic() would enter another one. */
	nc = rcu_dereference_raw(net->gen)->ptr[tcpfsm_net_id];
	cpu = nc ? READ_ONCE(nc->cpu) : NULL;
	if (cpu && this_cpu_read(tcpfsm_listener_cpu.armed))
		this_cpu_inc(cpu->rest.v[index]);
	preempt_enable();
}

static int __net_init net_made(struct net *net)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);

	nc->cpu = alloc_percpu(struct tcpfsm_net_cpu);
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
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *cpu = nc->cpu;

	mutex_lock(&tcpfsm_table_lock);
	WRITE_ONCE(nc->cpu, NULL);
	/* Waits for those that use nc->cpu, too. */
	if (!tcpfsm_listeners_leave(of_net, net, false))
		synchronize_rcu();
	mutex_unlock(&tcpfsm_table_lock);
	free_percpu(cpu);
}

static struct pernet_operations net_ops = {
	.init = net_made,
	.exit = net_gone,
	.id = &tcpfsm_net_id,
	.size = sizeof(struct tcpfsm_net_counts),
};

/**
 * tcpfsm_netns_init() - count for each network namespace there is and will be
 *
 * Context: process, may sleep.  Return: 0 or a negative errno.
 */
int tcpfsm_netns_init(void)
{
	return register_pernet_subsys(&net_ops);
}

/**
 * tcpfsm_netns_exit() - undo tcpfsm_netns_init(); no hook is attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_netns_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
