// SPDX-License-Identifier: GPL-2.0-only
/* What is counted for a network namespace. */
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "internal.h"

/* So many network namespaces are held at once by who goes through all. */
#define NETS_HELD	32

unsigned int tcpfsm_net_id;

/**
 * tcpfsm_each_net() - call a function for each network namespace
 * @fn: to call; it may sleep
 * @arg: for it
 *
 * No lock is held over all: a few at a time are kept from going.  One that is held is in
 * the list, so the next ones follow it.  Context: process, may sleep.
 */
void tcpfsm_each_net(void (*fn)(struct net *net, void *arg), void *arg)
{
	struct net *held[NETS_HELD], *last = NULL, *net;
	unsigned int i, n;

	do {
		n = 0;
		down_read(&net_rwsem);
		net = list_entry(last ? last->list.next : net_namespace_list.next, struct net,
				 list);
		list_for_each_entry_from(net, &net_namespace_list, list) {
			if (maybe_get_net(net))
				held[n++] = net;
			if (n == NETS_HELD)
				break;
		}
		up_read(&net_rwsem);
		if (last)
			put_net(last);
		for (i = 0; i < n; i++) {
			fn(held[i], arg);
			if (i < n - 1)
				put_net(held[i]);
			cond_resched();
		}
		last = n ? held[n - 1] : NULL;
	} while (n == NETS_HELD);
	if (last)
		put_net(last);
}

static void give_histograms(struct net *net, void *unused)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	u64 __percpu *histograms;

	if (!nc || !READ_ONCE(nc->wanted) || nc->histograms)
		return;
	histograms = __alloc_percpu_gfp(TCPFSM_TOTAL_HISTOGRAMS * sizeof(u64), sizeof(u64),
					GFP_KERNEL | __GFP_NOWARN);
	/* Pairs with the acquire in want_histograms(). */
	smp_store_release(&nc->histograms, histograms);
}

static void give_all(struct work_struct *unused)
{
	tcpfsm_each_net(give_histograms, NULL);
}

static DECLARE_WORK(histograms_work, give_all);

/* Until there are some, they are counted in vain. */
static noinline void want_histograms(struct tcpfsm_net_counts *nc, struct tcpfsm_counts *rest,
				     u64 *in_vain)
{
	/* Pairs with the release in give_histograms(). */
	u64 __percpu *histograms = smp_load_acquire(&nc->histograms);

	rest->histograms = histograms ? this_cpu_ptr(histograms) : in_vain;
	if (READ_ONCE(nc->wanted))
		return;
	WRITE_ONCE(nc->wanted, true);
	queue_work(system_power_efficient_wq, &histograms_work);
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
	struct tcpfsm_place_counts *vain = tcpfsm_in_vain(here);
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *cpu = nc ? READ_ONCE(nc->cpu) : NULL;
	struct tcpfsm_counts *rest;

	if (!cpu || !here->armed)
		return &vain->c;
	rest = &this_cpu_ptr(cpu)->rest;
	if (unlikely(!rest->histograms || rest->histograms == vain->histograms))
		want_histograms(nc, rest, vain->histograms);
	return rest;
}

/**
 * tcpfsm_listener_net_inc() - count for a network namespace
 * @net: network namespace
 * @index: what, no histogram
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

/* Those that are there have been told of. */
static bool loaded;

static int __net_init net_made(struct net *net)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	static atomic64_t cookies;

	/* Charged to who makes it. */
	nc->cpu = alloc_percpu_gfp(struct tcpfsm_net_cpu, GFP_KERNEL_ACCOUNT);
	if (!nc->cpu)
		return -ENOMEM;
	nc->since = ktime_get_mono_fast_ns();
	nc->tw_settled = true;		/* a new one has none; of old ones see tcpfsm_listener_arm() */
	nc->cookie = tcpfsm_net_cookie(net);
	if (!nc->cookie)
		nc->cookie = atomic64_inc_return(&cookies);
	if (READ_ONCE(loaded)) {
		nc->made = nc->since;
		tcpfsm_record_netns(net, nc->cookie);
	}
	return 0;
}

/* Nobody claims a place from now on; the kernel waits for a grace period before nets_gone(). */
static void __net_exit net_goes(struct net *net)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);

	nc->leaving = nc->cpu;
	WRITE_ONCE(nc->cpu, NULL);
}

static void __net_exit nets_gone(struct list_head *nets)
{
	struct net *net;

	tcpfsm_listeners_forsake();
	list_for_each_entry(net, nets, exit_list) {
		struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);

		free_percpu(nc->leaving);
		free_percpu(nc->histograms);
		kfree(nc->folded);
	}
}

static struct pernet_operations net_ops = {
	.init = net_made,
	.pre_exit = net_goes,
	.exit_batch = nets_gone,
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
	int err = register_pernet_subsys(&net_ops);

	WRITE_ONCE(loaded, !err);
	return err;
}

/**
 * tcpfsm_netns_exit() - undo tcpfsm_netns_init(); no hook is attached
 *
 * Context: process, may sleep.
 */
void tcpfsm_netns_exit(void)
{
	cancel_work_sync(&histograms_work);
	unregister_pernet_subsys(&net_ops);
}
