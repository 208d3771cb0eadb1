/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of this folder share. */
#ifndef TCPFSM_LISTENERS_INTERNAL_H
#define TCPFSM_LISTENERS_INTERNAL_H

#include <linux/mutex.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat/compat.h"
#include "listeners/listener.h"

#define TCPFSM_KERNEL_NUM	(TCPFSM_TOTAL_KERNEL - TCPFSM_TOTAL_KERNEL_BASE)

/* Of whose records there are syn_limit a second, network namespace and CPU. */
enum tcpfsm_told {
	TCPFSM_TOLD_RESET,
	TCPFSM_TOLD_LISTEN,
	TCPFSM_TOLD_SHUTDOWN,
	TCPFSM_TOLD_TIMEWAIT,
	TCPFSM_TOLD_CONNECT_FAILED,
	TCPFSM_TOLD_NUM
};

/**
 * struct tcpfsm_net_cpu - one CPU's part of a network namespace
 * @rest: counts of listeners without a place
 * @told: limits on records that are about no listener, see tcpfsm_record_told()
 * @base: the kernel's counters when counting began, less what they moved
 *	  while it was off
 * @paused: the same when it was stopped
 */
struct tcpfsm_net_cpu {
	struct tcpfsm_counts rest;
	struct tcpfsm_limit told[TCPFSM_TOLD_NUM];
	u64 base[TCPFSM_KERNEL_NUM];
	u64 paused[TCPFSM_KERNEL_NUM];
};

/**
 * struct tcpfsm_net_counts - a network namespace
 * @cpu: see struct tcpfsm_net_cpu
 * @folded: of listeners that lost their place, and TW_CAME and TW_WENT, under tcpfsm_table_lock
 * @since: when it was made, or counting began
 * @tw_sought: how far the population was from what was counted, when last looked at
 * @tw_found: so often in a row
 * @tw_settled: TW_CAME and TW_WENT are up to date
 */
struct tcpfsm_net_counts {
	struct tcpfsm_net_cpu __percpu *cpu;
	u64 folded[TCPFSM_TOTAL_COUNTED];
	u64 since;
	s64 tw_sought;
	unsigned int tw_found;
	bool tw_settled;
};

/**
 * struct tcpfsm_counter - one of the kernel's own counters
 * @kernel: enum tcpfsm_kernel
 * @mib: its index
 * @tcp: of RFC 4022's TCP group, not of TcpExt
 */
struct tcpfsm_counter {
	u8 kernel;
	u16 mib;
	bool tcp;
};

/* Entries of enum tcpfsm_kernel that this kernel has. */
#define TCPFSM_COUNTERS		16
extern const struct tcpfsm_counter tcpfsm_counters[TCPFSM_COUNTERS];

/* Who reads totals, and who takes places away. */
extern struct mutex tcpfsm_table_lock;
extern u64 tcpfsm_armed_since;
extern unsigned int tcpfsm_net_id;

/* arm.c */
u64 tcpfsm_read_mib(const struct net *net, int cpu, unsigned int i);
void tcpfsm_settle_tw(void);

/* places.c */
void tcpfsm_listener_identity(struct tcpfsm_listener *entry, const struct sock *sk);
int tcpfsm_listener_look_up(u64 cookie);
void tcpfsm_listener_has_gone(struct tcpfsm_listener *entry, u64 now);
bool tcpfsm_listeners_leave(bool (*go)(const struct tcpfsm_listener *entry, const void *arg),
			    const void *arg, bool fold);

/* netns.c */
int tcpfsm_netns_init(void);
void tcpfsm_netns_exit(void);

/* limit.c */
void tcpfsm_limit_init(struct tcpfsm_listener_cpu *cpu);

/* totals.c */
void tcpfsm_merge_counts(u64 *to, const struct tcpfsm_counts *from);
void tcpfsm_sum_cpus(u64 *to, unsigned int at);

static inline struct tcpfsm_net_counts *tcpfsm_net_counts(const struct net *net)
{
	return net_generic(net, tcpfsm_net_id);
}

/* A CPU's part, or NULL: there is none any more.  Context: RCU read side. */
static inline struct tcpfsm_net_cpu *tcpfsm_net_cpu(const struct net *net, unsigned int cpu)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_net_cpu __percpu *parts = nc ? READ_ONCE(nc->cpu) : NULL;

	return parts ? per_cpu_ptr(parts, cpu) : NULL;
}

#endif /* TCPFSM_LISTENERS_INTERNAL_H */
