/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code of the module is written for the newest kernel; what older ones
 * lack is supplied here, each with the release that brought the new form.
 */
#ifndef TCPFSM_COMPAT_H
#define TCPFSM_COMPAT_H

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <net/net_namespace.h>

/* 6.2: arguments straight from ftrace_regs (94d095ffa0e1). */
#ifndef ftrace_regs_get_argument
#define ftrace_regs_get_argument(fregs, n) \
	regs_get_kernel_argument(&(fregs)->regs, n)
#endif

/* 6.2: timer_delete_sync(), earlier del_timer_sync(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync(t)	del_timer_sync(t)
#endif

/* 6.3: vm_flags are changed through helpers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/*
 * 6.12 (net-next b334b924c9b7): inet_twsk_hashdance_schedule() counts the
 * mini-socket inside; earlier it was counted before inet_twsk_hashdance().
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define TCPFSM_TW_COUNTED_AT_ENTRY	0
#else
#define TCPFSM_TW_COUNTED_AT_ENTRY	1
#endif

/* 6.12: tracepoint consume_skb got a location in 6.7 (dd1b527831a3); 6.12: kfree_skb the socket (c53795d48ee8, 6.11). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb, void *location
#else
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason, struct sock *rx_sk
#else
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason
#endif

#endif /* TCPFSM_COMPAT_H */
