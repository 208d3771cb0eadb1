/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code of the module is written for the newest kernel; what older ones
 * lack is supplied here, each with the release that brought the new form.
 */
#ifndef TCPFSM_COMPAT_H
#define TCPFSM_COMPAT_H

#include <asm/byteorder.h>

#if !defined(CONFIG_FUNCTION_TRACER) || !defined(CONFIG_DYNAMIC_FTRACE)
#error "tcpfsm: this kernel was built without CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE, by which it looks into TCP"
#endif
#ifndef CONFIG_TRACEPOINTS
#error "tcpfsm: this kernel was built without CONFIG_TRACEPOINTS, which tell of state changes"
#endif
#ifdef __BIG_ENDIAN
#error "tcpfsm: big-endian machines are not supported: addresses of records are written as words"
#endif

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <net/inet_connection_sock.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <net/rstreason.h>
#endif

#include "uapi/tcpfsm.h"

/* Of a hot function: written before it is read, though the kernel clears what is on the stack. */
#if __has_attribute(__uninitialized__)
#define TCPFSM_UNINITIALIZED	__attribute__((__uninitialized__))
#else
#define TCPFSM_UNINITIALIZED
#endif

/*
 * 5.11: ftrace hands out ftrace_regs; earlier pt_regs, and the
 * arguments are in there only on request.  And it guarded every callback
 * against recursion unless told that it does without.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define ftrace_regs	pt_regs
#define ftrace_regs_get_argument(fregs, n) regs_get_kernel_argument(fregs, n)
#define TCPFSM_FTRACE_FLAGS	(FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
/* 6.2: arm64 always has the arguments, earlier only among all registers. */
#elif !defined(CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS)
#define TCPFSM_FTRACE_FLAGS	FTRACE_OPS_FL_SAVE_REGS
#else
#define TCPFSM_FTRACE_FLAGS	0
#endif

/* Between 5.10 and 6.1: exported; an empty filter has nothing to free, either. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define ftrace_free_filter(ops)	ftrace_set_filter(ops, NULL, 0, 1)
#endif

/* 5.11: sock_from_file() without an error. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
static inline struct socket *tcpfsm_sock_from_file(struct file *file)
{
	int err;

	return sock_from_file(file, &err);
}
#define sock_from_file(file)	tcpfsm_sock_from_file(file)
#endif

/* 5.16: told how much is not there; earlier only that something is not. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 16, 0)
#define fault_in_writeable(to, size)	(fault_in_pages_writeable(to, size) ? (size) : 0)
#endif

/* Between 5.10 and 6.1: const struct net. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define inet_get_local_port_range(net, low, high) \
	inet_get_local_port_range((struct net *)(net), low, high)
#endif

/* 5.17: counts a reference of the netns itself, too, see sockstat_seq_show(). */
static __always_inline int tcpfsm_tw_population(const struct net *net)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	return atomic_read(&net->ipv4.tcp_death_row.tw_count);
#else
	return refcount_read(&net->ipv4.tcp_death_row.tw_refcount) - 1;
#endif
}

/* 6.14: a sysctl, at least 1; earlier always a second.  Kbuild looks for it. */
static inline unsigned int tcpfsm_tw_reuse_delay(const struct net *net)
{
#ifdef TCPFSM_HAVE_TW_REUSE_DELAY
	return READ_ONCE(net->ipv4.sysctl_tcp_tw_reuse_delay);
#else
	return 0;
#endif
}

/* 6.6: MPTCP listens by this, too, and no more by inet_listen(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define TCPFSM_HOOK_LISTEN(ENTRY) \
	ENTRY(__inet_listen_sk, NULL, TCPFSM_NEEDED, FEATURE(LISTEN), tcpfsm_on_listen)
#define TCPFSM_LISTEN_SK(arg)	((const struct sock *)(arg))
#else
#define TCPFSM_HOOK_LISTEN(ENTRY) \
	ENTRY(inet_listen, NULL, TCPFSM_NEEDED, FEATURE(LISTEN), tcpfsm_on_listen)
#define TCPFSM_LISTEN_SK(arg)	(((const struct socket *)(arg))->sk)
#endif

/* 6.18: the table of connections is no argument any more. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define TCPFSM_HASHINFO(net)
#else
#define TCPFSM_HASHINFO(net)	(net)->ipv4.tcp_death_row.hashinfo,
#endif

/* The TCP connection or mini-socket with the addresses of @sk, or NULL; for sock_gen_put(). */
static inline struct sock *tcpfsm_lookup_established(const struct sock *sk)
{
	struct net *net = sock_net(sk);
	int dif = READ_ONCE(sk->sk_bound_dev_if);

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
		return __inet6_lookup_established(net, TCPFSM_HASHINFO(net) &sk->sk_v6_daddr,
						  sk->sk_dport, &sk->sk_v6_rcv_saddr, sk->sk_num,
						  dif, 0);
#endif
	return __inet_lookup_established(net, TCPFSM_HASHINFO(net) sk->sk_daddr, sk->sk_dport,
					 sk->sk_rcv_saddr, sk->sk_num, dif, 0);
}

/*
 * The listeners of one bucket of the hash by port and address.
 * 5.19: linked by sk_nulls_node, as that by port alone is gone.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
static inline struct sock *tcpfsm_listener_at(struct hlist_node *node)
{
	return node ? (struct sock *)hlist_entry(node, struct inet_connection_sock,
						 icsk_listen_portaddr_node) : NULL;
}

static inline struct sock *tcpfsm_listener_first(const struct inet_listen_hashbucket *bucket)
{
	return tcpfsm_listener_at(READ_ONCE(bucket->head.first));
}

static inline struct sock *tcpfsm_listener_next(const struct sock *sk)
{
	return tcpfsm_listener_at(inet_csk(sk)->icsk_listen_portaddr_node.next);
}
#else
static inline struct sock *tcpfsm_listener_at(struct hlist_nulls_node *node)
{
	return is_a_nulls(node) ? NULL : hlist_nulls_entry(node, struct sock, sk_nulls_node);
}

static inline struct sock *tcpfsm_listener_first(const struct inet_listen_hashbucket *bucket)
{
	return tcpfsm_listener_at(READ_ONCE(bucket->nulls_head.first));
}

static inline struct sock *tcpfsm_listener_next(const struct sock *sk)
{
	return tcpfsm_listener_at(sk->sk_nulls_node.next);
}
#endif

/* 5.17: the name of a task is padded with zeroes; earlier an older, longer one shines through. */
static __always_inline void tcpfsm_copy_comm(char to[TASK_COMM_LEN], const struct task_struct *task)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	strscpy_pad(to, task->comm, TASK_COMM_LEN);
#else
	memcpy(to, task->comm, TASK_COMM_LEN);
#endif
}

/* 6.2: arguments straight from ftrace_regs (94d095ffa0e1); on arm64 no macro. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0) && !defined(ftrace_regs_get_argument)
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

/*
 * 6.12: why an RST is sent is an argument of what sends it (6.10: not yet all of these).  The
 * numbers are the kernel's affair.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define TCPFSM_RST_REASON(arg)	tcpfsm_rst_reason(arg)
static inline u8 tcpfsm_rst_reason(int reason)
{
	switch (reason) {
	case SK_RST_REASON_NOT_SPECIFIED:
		return 0;
	case SK_RST_REASON_NO_SOCKET:
		return TCPFSM_RST_NO_SOCKET;
	case SK_RST_REASON_TCP_TIMEWAIT_SOCKET:
		return TCPFSM_RST_TIME_WAIT;
	case SK_RST_REASON_TCP_INVALID_ACK_SEQUENCE:
	case SK_RST_REASON_TCP_ACK_UNSENT_DATA:
		return TCPFSM_RST_INVALID_ACK;
	case SK_RST_REASON_TCP_TOO_OLD_ACK:
	case SK_RST_REASON_TCP_OLD_ACK:
		return TCPFSM_RST_OLD_ACK;
	case SK_RST_REASON_TCP_RFC7323_PAWS:
		return TCPFSM_RST_PAWS;
	case SK_RST_REASON_TCP_FLAGS:
	case SK_RST_REASON_INVALID_SYN:
		return TCPFSM_RST_FLAGS;
	case SK_RST_REASON_TCP_ABORT_ON_DATA:
		return TCPFSM_RST_DATA_AFTER_CLOSE;
	case SK_RST_REASON_TCP_ABORT_ON_CLOSE:
		return TCPFSM_RST_UNREAD_DATA;
	case SK_RST_REASON_TCP_ABORT_ON_LINGER:
		return TCPFSM_RST_LINGER;
	case SK_RST_REASON_TCP_ABORT_ON_MEMORY:
		return TCPFSM_RST_MEMORY;
	case SK_RST_REASON_TCP_STATE:
	case SK_RST_REASON_TCP_DISCONNECT_WITH_DATA:
		return TCPFSM_RST_STATE;
	case SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT:
		return TCPFSM_RST_KEEPALIVE;
	case SK_RST_REASON_MPTCP_RST_EUNSPEC:
	case SK_RST_REASON_MPTCP_RST_EMPTCP:
	case SK_RST_REASON_MPTCP_RST_ERESOURCE:
	case SK_RST_REASON_MPTCP_RST_EPROHIBIT:
	case SK_RST_REASON_MPTCP_RST_EWQ2BIG:
	case SK_RST_REASON_MPTCP_RST_EBADPERF:
	case SK_RST_REASON_MPTCP_RST_EMIDDLEBOX:
		return TCPFSM_RST_MPTCP;
	}
	return TCPFSM_RST_OTHER;
}
#else
#define TCPFSM_RST_REASON(arg)	0
#endif

/* 6.15 (d16b344790742): the third ACK must echo a time stamp that was sent. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define TCPFSM_READ_TSECR(mibs)	((mibs)[LINUX_MIB_TSECRREJECTED])
#else
#define TCPFSM_READ_TSECR(mibs)	0
#endif

/*
 * 6.12 (e8c526f2bdf1, also in 6.1.y): __inet_csk_reqsk_queue_drop() was split off, and the
 * timer of requests calls that.  Where it must be there and is not, it was inlined: the older
 * name would miss all time-outs.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define TCPFSM_REQSK_QUEUE_DROP_OLDER	NULL
#else
#define TCPFSM_REQSK_QUEUE_DROP_OLDER	"inet_csk_reqsk_queue_drop"
#endif

/*
 * 6.18: a PREEMPT_RT kernel may do without the lock that makes sections with
 * softirqs off exclude each other on a CPU (PREEMPT_RT_NEEDS_BH_LOCK).  Then
 * what a hook notes is not the same segment's any more when the next one runs.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define TCPFSM_SOFTIRQS_MIX \
	(IS_ENABLED(CONFIG_PREEMPT_RT) && !IS_ENABLED(CONFIG_PREEMPT_RT_NEEDS_BH_LOCK))
#else
#define TCPFSM_SOFTIRQS_MIX	0
#endif

/*
 * 7.0: the callbacks of tracepoints are preemptible, as SRCU guards them.  Ours
 * use this CPU's notes of more than one word.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define TCPFSM_PROBES_PREEMPTIBLE	1
#else
#define TCPFSM_PROBES_PREEMPTIBLE	0
#endif

static __always_inline void tcpfsm_probe_begin(void)
{
	if (TCPFSM_PROBES_PREEMPTIBLE)
		preempt_disable_notrace();
}

static __always_inline void tcpfsm_probe_end(void)
{
	if (TCPFSM_PROBES_PREEMPTIBLE)
		preempt_enable_notrace();
}

/*
 * 5.18: TW and TWKilled count when a mini-socket is scheduled for the first
 * time; earlier when its time was over, and by the time it was given last.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0)
#define TCPFSM_TW_MIBS_AT_END	1
static inline bool tcpfsm_tw_short(const struct inet_timewait_sock *tw)
{
	return tw->tw_kill;
}
#else
#define TCPFSM_TW_MIBS_AT_END	0
static inline bool tcpfsm_tw_short(const struct inet_timewait_sock *tw)
{
	return false;
}
#endif

/*
 * Arguments of tracepoints.  consume_skb: 6.7 (dd1b527831a3) a location.
 * kfree_skb: 5.17 the reason, 6.11 (c53795d48ee8) the socket,
 * after 6.12 a const one.  tcp_retransmit_skb: after 6.12 it fires with an
 * error, too, where nothing was sent.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb, void *location
#else
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason, const struct sock *rx_sk
#define TCPFSM_RETRANSMIT_ARGS \
	void *data, const struct sock *sk, const struct sk_buff *skb, int err
#define TCPFSM_RETRANSMIT_ERROR	err
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason, struct sock *rx_sk
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason
#else
#define TCPFSM_KFREE_SKB_ARGS	void *data, struct sk_buff *skb, void *location
#endif
#ifndef TCPFSM_RETRANSMIT_ARGS
#define TCPFSM_RETRANSMIT_ARGS \
	void *data, const struct sock *sk, const struct sk_buff *skb
#define TCPFSM_RETRANSMIT_ERROR	0
#endif

#endif /* TCPFSM_COMPAT_H */
