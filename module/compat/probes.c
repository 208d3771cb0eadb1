// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has this kernel?  Its compiler is asked: version numbers do not know what stable kernels and
 * vendors took over.  No part of the module: probe.sh gives this to the compiler, and each part from
 * one #line to the next that it takes becomes TCPFSM_HAVE_... 1 in compat/probed.h, in capitals; all
 * others 0.  `modinfo -F compat` lists those that are 1.
 *
 * A part is one line, or a few; what it needs to be there at all is included first.
 */
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/snmp.h>
#include <linux/srcu.h>
#include <linux/timer.h>
#include <linux/tracepoint.h>
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
/* Before 5.11 not without those above. */
#include <net/inet_common.h>
#include <trace/events/skb.h>
#include <trace/events/tcp.h>

#define IS_A(type, thing)	_Static_assert(__builtin_types_compatible_p(typeof(thing), type), "")
#define FORM(event, ...) \
	IS_A(void (void (*)(void *, __VA_ARGS__)), check_trace_callback_type_##event)
#define FUNCTION(name)		_Static_assert(sizeof(&(name)), "")
#define MEMBER(type, member)	_Static_assert(sizeof(((type *)0)->member), "")
#define ENUM(constant)		_Static_assert(constant >= 0, "")

/* In no kernel: a compiler whose complaints are not understood would have all. */
#line 1 "probe/nothing"
MEMBER(struct net, no_kernel_has_this);

/* Tracepoints: what their probes get. */
#line 1 "probe/consume_skb_location"
FORM(consume_skb, struct sk_buff *, void *);
#line 1 "probe/kfree_skb_reason"
FORM(kfree_skb, struct sk_buff *, void *, enum skb_drop_reason);
#line 1 "probe/kfree_skb_reason_sock"
FORM(kfree_skb, struct sk_buff *, void *, enum skb_drop_reason, struct sock *);
#line 1 "probe/kfree_skb_reason_const_sock"
FORM(kfree_skb, struct sk_buff *, void *, enum skb_drop_reason, const struct sock *);
#line 1 "probe/tcp_retransmit_skb_err"
FORM(tcp_retransmit_skb, const struct sock *, const struct sk_buff *, int);
#line 1 "probe/tcp_receive_reset_const_sock"
FORM(tcp_receive_reset, const struct sock *);
/* They are called with preemption on: SRCU guards them (7.0). */
#line 1 "probe/tracepoint_srcu_fast"
IS_A(class_srcu_fast_notrace_t, ((class_srcu_fast_notrace_t){ .lock = &tracepoint_srcu }));

/* ftrace. */
#line 1 "probe/ftrace_regs"
IS_A(void (unsigned long, unsigned long, struct ftrace_ops *, struct ftrace_regs *), *(ftrace_func_t)0);
#line 1 "probe/ftrace_regs_get_argument"
static inline unsigned long argument(struct ftrace_regs *fregs)
{ return ftrace_regs_get_argument(fregs, 0); }
#line 1 "probe/ftrace_recursion_safe"
ENUM(FTRACE_OPS_FL_RECURSION_SAFE);

/* Functions. */
#line 1 "probe/sock_from_file_alone"
IS_A(struct socket *(struct file *), sock_from_file);
#line 1 "probe/fault_in_writeable"
FUNCTION(fault_in_writeable);
#line 1 "probe/timer_delete_sync"
FUNCTION(timer_delete_sync);
#line 1 "probe/vm_flags_mod"
FUNCTION(vm_flags_mod);
#line 1 "probe/inet_listen_sk"
FUNCTION(__inet_listen_sk);
#line 1 "probe/inet_twsk_hashdance_schedule"
FUNCTION(inet_twsk_hashdance_schedule);
#line 1 "probe/lookup_established_by_net"
static inline struct sock *look(struct net *net)
{ return __inet_lookup_established(net, 0, 0, 0, 0, 0, 0); }

/* Members. */
/* Of an older kernel an atomic one, made when somebody asks. */
#line 1 "probe/net_cookie"
IS_A(u64, ((struct net *)0)->net_cookie);
#line 1 "probe/tcp_death_row_pointer"
IS_A(struct inet_timewait_death_row *, ((struct net *)0)->ipv4.tcp_death_row);
#line 1 "probe/tw_refcount"
MEMBER(struct inet_timewait_death_row, tw_refcount);
#line 1 "probe/tw_kill"
static inline bool killed(const struct inet_timewait_sock *tw) { return tw->tw_kill; }
#line 1 "probe/tw_reuse_delay"
MEMBER(struct net, ipv4.sysctl_tcp_tw_reuse_delay);
#line 1 "probe/listen_portaddr_node"
MEMBER(struct inet_connection_sock, icsk_listen_portaddr_node);

/* Constants. */
#line 1 "probe/mib_tsecrrejected"
ENUM(LINUX_MIB_TSECRREJECTED);
/* All reasons that the module tells of, and an active reset that has one. */
#line 1 "probe/rst_reason"
IS_A(void (struct sock *, enum sk_rst_reason), tcp_send_active_reset);
ENUM(SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT);
