/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this folder share. */
#ifndef TCPFSM_LISTENERS_INTERNAL_H
#define TCPFSM_LISTENERS_INTERNAL_H

#include <linux/mutex.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat/compat.h"
#include "listeners/listener.h"

/* Of whose records there are syn_limit a second, network namespace and CPU. */
enum tcpfsm_told {
	TCPFSM_TOLD_RESET,
	TCPFSM_TOLD_LISTEN,
	TCPFSM_TOLD_SHUTDOWN,
	TCPFSM_TOLD_TIMEWAIT,
	TCPFSM_TOLD_CONNECT_FAILED,
	TCPFSM_TOLD_NUM
};

/* Entries of enum tcpfsm_kernel that this kernel has. */
#define TCPFSM_COUNTERS		16

/**
 * struct tcpfsm_net_cpu - one CPU's part of a network namespace
 * @rest: counts of listeners without a place
 * @told: limits on records that are about no listener, see tcpfsm_record_told()
 * @base: by tcpfsm_counters: what they showed when counting began, and moved while it was
 *	  off; while it is off, less what they showed when it ended
 *
 * There is one for each possible CPU: it is small.
 */
struct tcpfsm_net_cpu {
	struct tcpfsm_counts rest;
	struct tcpfsm_limit told[TCPFSM_TOLD_NUM];
	u64 base[TCPFSM_COUNTERS];
};

/**
 * struct tcpfsm_net_counts - a network namespace
 * @cpu: see struct tcpfsm_net_cpu; NULL: it is going
 * @leaving: @cpu, when it is going
 * @histograms: of listeners without a place, TCPFSM_TOTAL_HISTOGRAMS of each CPU; NULL: not
 *		needed yet, or there was no memory
 * @wanted: @histograms were asked for
 * @folded: of listeners that lost their place, by enum tcpfsm_total, or NULL; under
 *	    tcpfsm_table_lock, as all that follows
 * @tw_came: see TCPFSM_TOTAL_TW_CAME
 * @tw_went: see TCPFSM_TOTAL_TW_WENT
 * @since: when it was made, or counting began
 * @made: when it was made; 0: before the module was loaded
 * @cookie: tells it from a later one with the same inode
 * @tw_sought: how far the population was from what was counted, when last looked at
 * @tw_found: so often in a row
 * @tw_settled: TW_CAME and TW_WENT are up to date
 */
struct tcpfsm_net_counts {
	struct tcpfsm_net_cpu __percpu *cpu;
	struct tcpfsm_net_cpu __percpu *leaving;
	u64 __percpu *histograms;
	bool wanted;
	u64 *folded;
	u64 tw_came;
	u64 tw_went;
	u64 since;
	u64 made;
	u64 cookie;
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

extern const struct tcpfsm_counter tcpfsm_counters[TCPFSM_COUNTERS];

/* What a listen() told, for when the listener needs a place. */
struct tcpfsm_ask {
	u64 cookie;
	u64 since;
	u64 alive;
	u64 asked;
	u32 pid;
	u8 comm[16];
};

/*
 * Who reads totals, takes places away or makes more of them.  The lock of CPU hotplug is
 * taken before it, and nobody waits under it for a grace period or for a user's memory.
 */
extern struct mutex tcpfsm_table_lock;
extern u64 tcpfsm_armed_since;
extern unsigned int tcpfsm_net_id;

/* arm.c */
u64 tcpfsm_read_mib(const struct net *net, int cpu, unsigned int i);
void tcpfsm_settle_tw(void);

/* places.c */
unsigned int tcpfsm_listener_places(void);
u64 *tcpfsm_listener_key(unsigned int at);
struct tcpfsm_listener *tcpfsm_listener_entry(unsigned int at);
struct tcpfsm_counts *tcpfsm_listener_counts(const struct tcpfsm_listener_cpu *cpu,
					     unsigned int at);
void tcpfsm_listener_identity(struct tcpfsm_listener *entry, const struct sock *sk);
int tcpfsm_listener_look_up(u64 cookie);
void tcpfsm_listener_not_found(struct tcpfsm_listener *entry, u64 now);
void tcpfsm_listeners_forsake(void);
struct tcpfsm_place_counts *tcpfsm_in_vain(const struct tcpfsm_listener_cpu *cpu);
void tcpfsm_listener_keys_set(struct tcpfsm_listener_cpu *cpu);
bool tcpfsm_listener_lost(u64 cookie);
void tcpfsm_listeners_found(void);

/* asks.c */
int tcpfsm_asks_init(void);
void tcpfsm_asks_exit(void);
void tcpfsm_ask_put(const struct tcpfsm_ask *ask);
void tcpfsm_ask_drop(u64 cookie);
bool tcpfsm_ask_look(u64 cookie, u64 alive, struct tcpfsm_ask *ask);
void tcpfsm_asks_forget(u64 alive);

/* netns.c */
int tcpfsm_netns_init(void);
void tcpfsm_netns_exit(void);
void tcpfsm_each_net(void (*fn)(struct net *net, void *arg), void *arg);

/* limit.c */
void tcpfsm_limit_init(struct tcpfsm_listener_cpu *cpu);

/* totals.c */
void tcpfsm_merge_counts(u64 *to, const struct tcpfsm_counts *from, const u64 *histograms);
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
