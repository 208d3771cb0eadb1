/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code of the module is written for the newest kernel; what older ones
 * lack is supplied here, each with the release that brought the new form.
 * Which form this kernel has, its compiler says (probes.c): stable kernels and
 * vendors have forms that are newer than their version.  A version decides only
 * where the compiler sees no difference.
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

#include "compat/probed.h"
#include "uapi/tcpfsm.h"

#if TCPFSM_HAVE_RST_REASON
#include <net/rstreason.h>
#endif

/* Of a hot function: written before it is read, though the kernel clears what is on the stack. */
#if __has_attribute(__uninitialized__)
#define TCPFSM_UNINITIALIZED	__attribute__((__uninitialized__))
#else
#define TCPFSM_UNINITIALIZED
#endif

/*
 * 5.11: ftrace hands out ftrace_regs; earlier pt_regs.  6.2 (94d095ffa0e1):
 * arguments straight from ftrace_regs.
 */
#if !TCPFSM_HAVE_FTRACE_REGS
#define ftrace_regs	pt_regs
#define ftrace_regs_get_argument(fregs, n) regs_get_kernel_argument(fregs, n)
#elif !TCPFSM_HAVE_FTRACE_REGS_GET_ARGUMENT
#define ftrace_regs_get_argument(fregs, n) \
	regs_get_kernel_argument(&(fregs)->regs, n)
#endif

/* 5.11, on arm64 6.2: the arguments are always there, earlier only among all registers. */
#if defined(CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS)
#define TCPFSM_FTRACE_ARGS	0
#else
#define TCPFSM_FTRACE_ARGS	FTRACE_OPS_FL_SAVE_REGS
#endif

/* 5.11: earlier, every callback was guarded against recursion unless it does without. */
#if TCPFSM_HAVE_FTRACE_RECURSION_SAFE
#define TCPFSM_FTRACE_FLAGS	(TCPFSM_FTRACE_ARGS | FTRACE_OPS_FL_RECURSION_SAFE)
#else
#define TCPFSM_FTRACE_FLAGS	TCPFSM_FTRACE_ARGS
#endif

/* 5.11: sock_from_file() without an error. */
#if !TCPFSM_HAVE_SOCK_FROM_FILE_ALONE
static inline struct socket *tcpfsm_sock_from_file(struct file *file)
{
	int err;

	return sock_from_file(file, &err);
}
#define sock_from_file(file)	tcpfsm_sock_from_file(file)
#endif

/* 5.16: told how much is not there; earlier only that something is not. */
#if !TCPFSM_HAVE_FAULT_IN_WRITEABLE
#define fault_in_writeable(to, size)	(fault_in_pages_writeable(to, size) ? (size) : 0)
#endif

/* Between 5.10 and 6.1: const struct net. */
#define inet_get_local_port_range(net, low, high) \
	inet_get_local_port_range((struct net *)(net), low, high)

/* 5.18 (fbb8295248e1) to 6.0 (e9bd0cca09d1 took it back): a pointer. */
#if TCPFSM_HAVE_TCP_DEATH_ROW_POINTER
#define tcpfsm_death_row(net)	((net)->ipv4.tcp_death_row)
#else
#define tcpfsm_death_row(net)	(&(net)->ipv4.tcp_death_row)
#endif

/* 5.17: counts a reference of the netns itself, too, see sockstat_seq_show(). */
static __always_inline int tcpfsm_tw_population(const struct net *net)
{
#if TCPFSM_HAVE_TW_REFCOUNT
	return refcount_read(&tcpfsm_death_row(net)->tw_refcount) - 1;
#else
	return atomic_read(&tcpfsm_death_row(net)->tw_count);
#endif
}

/* 6.14: a sysctl, at least 1; earlier always a second. */
static inline unsigned int tcpfsm_tw_reuse_delay(const struct net *net)
{
#if TCPFSM_HAVE_TW_REUSE_DELAY
	return READ_ONCE(net->ipv4.sysctl_tcp_tw_reuse_delay);
#else
	return 0;
#endif
}

/* 6.6: MPTCP listens by this, too, and no more by inet_listen(). */
#if TCPFSM_HAVE_INET_LISTEN_SK
#define TCPFSM_INET_LISTEN	__inet_listen_sk
#define TCPFSM_LISTEN_SK(arg)	((const struct sock *)(arg))
#else
#define TCPFSM_INET_LISTEN	inet_listen
#define TCPFSM_LISTEN_SK(arg)	(((const struct socket *)(arg))->sk)
#endif

/* 6.18: the table of connections is no argument any more. */
#if TCPFSM_HAVE_LOOKUP_ESTABLISHED_BY_NET
#define TCPFSM_HASHINFO(net)
#else
#define TCPFSM_HASHINFO(net)	tcpfsm_death_row(net)->hashinfo,
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
#if TCPFSM_HAVE_LISTEN_PORTADDR_NODE
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

/*
 * The name of the current process is that of its first thread, whatever the others call
 * themselves.  It stays for as long as one of them runs.  It may rename itself meanwhile: then
 * half of the name is the new one, and it still ends.
 *
 * 5.17 (06c5088aeedd): it is padded with zeroes; earlier an older, longer one shines through.
 */
static __always_inline void tcpfsm_copy_comm(char to[TASK_COMM_LEN])
{
	const struct task_struct *leader = READ_ONCE(current->group_leader);

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	strscpy_pad(to, leader->comm, TASK_COMM_LEN);
#else
	data_race(memcpy(to, leader->comm, TASK_COMM_LEN));
#endif
}

/* 5.12 (3d368ab87cf6): each network namespace has its cookie from the beginning; 0: it has none. */
#if TCPFSM_HAVE_NET_COOKIE
#define tcpfsm_net_cookie(net)	((net)->net_cookie)
#else
#define tcpfsm_net_cookie(net)	0
#endif

/* 6.2: timer_delete_sync(), earlier del_timer_sync(). */
#if !TCPFSM_HAVE_TIMER_DELETE_SYNC
#define timer_delete_sync(t)	del_timer_sync(t)
#endif

/* 6.3: vm_flags are changed through helpers. */
#if !TCPFSM_HAVE_VM_FLAGS_MOD
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/*
 * b334b924c9b7 (6.11): inet_twsk_hashdance_schedule() counts the mini-socket
 * inside; earlier it was counted before inet_twsk_hashdance().
 */
#if TCPFSM_HAVE_INET_TWSK_HASHDANCE_SCHEDULE
#define TCPFSM_TWSK_HASHDANCE		inet_twsk_hashdance_schedule
#define TCPFSM_TW_COUNTED_AT_ENTRY	0
#else
#define TCPFSM_TWSK_HASHDANCE		inet_twsk_hashdance
#define TCPFSM_TW_COUNTED_AT_ENTRY	1
#endif

/*
 * 6.12: why an RST is sent is an argument of what sends it (6.10: not yet all of these).  The
 * numbers are the kernel's affair.
 */
#if TCPFSM_HAVE_RST_REASON
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
#if TCPFSM_HAVE_MIB_TSECRREJECTED
#define TCPFSM_READ_TSECR(mibs)	((mibs)[LINUX_MIB_TSECRREJECTED])
#else
#define TCPFSM_READ_TSECR(mibs)	0
#endif

/*
 * 6.18: a PREEMPT_RT kernel may do without the lock that makes sections with
 * softirqs off exclude each other on a CPU (PREEMPT_RT_NEEDS_BH_LOCK).  Then
 * what a hook notes is not the same segment's any more when the next one runs.
 * No declaration tells (3253cb49cbad).
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
#define TCPFSM_PROBES_PREEMPTIBLE	TCPFSM_HAVE_TRACEPOINT_SRCU_FAST

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
#define TCPFSM_TW_MIBS_AT_END	TCPFSM_HAVE_TW_KILL
#if TCPFSM_HAVE_TW_KILL
static inline bool tcpfsm_tw_short(const struct inet_timewait_sock *tw)
{
	return tw->tw_kill;
}
#else
static inline bool tcpfsm_tw_short(const struct inet_timewait_sock *tw)
{
	return false;
}
#endif

/*
 * Arguments of tracepoints.  consume_skb: 6.3 (dd1b527831a3) a location.
 * kfree_skb: 5.17, 5.15.58 the reason, 6.11 (c53795d48ee8) the socket, then a
 * const one.  tcp_retransmit_skb: since 6.17 (ad892e912b84) it fires with an
 * error, too, where nothing was sent.  A form of another kind stops the build:
 * hooks.c checks each.
 */
#if TCPFSM_HAVE_CONSUME_SKB_LOCATION
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb, void *location
#else
#define TCPFSM_CONSUME_SKB_ARGS	void *data, struct sk_buff *skb
#endif

#if TCPFSM_HAVE_KFREE_SKB_REASON_CONST_SOCK
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason, const struct sock *rx_sk
#elif TCPFSM_HAVE_KFREE_SKB_REASON_SOCK
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason, struct sock *rx_sk
#elif TCPFSM_HAVE_KFREE_SKB_REASON
#define TCPFSM_KFREE_SKB_ARGS \
	void *data, struct sk_buff *skb, void *location, \
	enum skb_drop_reason reason
#else
#define TCPFSM_KFREE_SKB_ARGS	void *data, struct sk_buff *skb, void *location
#endif

#if TCPFSM_HAVE_TCP_RETRANSMIT_SKB_ERR
#define TCPFSM_RETRANSMIT_ARGS \
	void *data, const struct sock *sk, const struct sk_buff *skb, int err
#define TCPFSM_RETRANSMIT_ERROR	err
#else
#define TCPFSM_RETRANSMIT_ARGS \
	void *data, const struct sock *sk, const struct sk_buff *skb
#define TCPFSM_RETRANSMIT_ERROR	0
#endif

/* tcp_send_reset has a const socket, this one not up to 7.3. */
#if TCPFSM_HAVE_TCP_RECEIVE_RESET_CONST_SOCK
#define TCPFSM_RECEIVE_RESET_ARGS	void *data, const struct sock *sk
#else
#define TCPFSM_RECEIVE_RESET_ARGS	void *data, struct sock *sk
#endif

#endif /* TCPFSM_COMPAT_H */
