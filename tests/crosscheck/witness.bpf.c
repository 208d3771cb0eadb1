// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second witness for scripts/crosscheck: counts what the kernel's TCP does, by network
 * namespace, without any of the module's code: no record, no ring, no note of what came before.
 *
 * Each count has a name, and up to two numbers; the names and what in the module has to be
 * equal to them are in tests/crosscheck/compare.jq.
 *
 * Compiled with the BTF of the kernel it is for (vmlinux.h). HAVE_FUNCTION of each function that
 * is not in every kernel comes from there, too: a program for a missing one cannot be loaded.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define FLAG_FIN	0x01
#define FLAG_SYN	0x02
#define FLAG_ACK	0x10
#define RTN_LOCAL	2
#define ETH_P_IPV6_BE	0xdd86

enum seen {
	SEEN_STATE = 1, SEEN_CONN_REQUEST, SEEN_HASH_ADD, SEEN_MAKE_SYNACK, SEEN_HASHDANCE,
	SEEN_QUEUE_DROP, SEEN_SYNACK_TIMEOUT, SEEN_ACCEPT, SEEN_LISTEN, SEEN_TIME_WAIT,
	SEEN_TW_HASHDANCE, SEEN_TW_REARM, SEEN_TW_KILL, SEEN_RETRANSMIT, SEEN_RESET_RECEIVED,
	SEEN_RESET_SENT,
};

struct seen_key {
	__u32 netns, what, a, b;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct seen_key);
	__type(value, __u64);
} counts SEC(".maps");

/* Not counted: no place, or the bucket's lock was taken on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} missed SEC(".maps");

static __always_inline int count(struct net *net, __u32 what, __u32 a, __u32 b)
{
	struct seen_key key = { BPF_CORE_READ(net, ns.inum), what, a, b };
	__u64 none = 0, *n = bpf_map_lookup_elem(&counts, &key);
	__u32 first = 0;

	if (!n) {
		bpf_map_update_elem(&counts, &key, &none, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&counts, &key);
	}
	if (!n)
		n = bpf_map_lookup_elem(&missed, &first);
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

#define NET(sk)		((sk)->__sk_common.skc_net.net)
#define REQ_NET(req)	((req)->__req_common.skc_net.net)
#define TCP(sk)		((sk)->sk_protocol == IPPROTO_TCP)

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	return TCP(sk) ? count(NET(sk), SEEN_STATE, old, new) : 0;
}

/* ---- requests ------------------------------------------------------------------- */

SEC("fentry/tcp_conn_request")
int BPF_PROG(on_conn_request, void *ops, void *af_ops, struct sock *sk)
{
	return count(NET(sk), SEEN_CONN_REQUEST, 0, 0);
}

SEC("fentry/inet_csk_reqsk_queue_hash_add")
int BPF_PROG(on_hash_add, struct sock *sk)
{
	return count(NET(sk), SEEN_HASH_ADD, 0, 0);
}

SEC("fentry/tcp_make_synack")
int BPF_PROG(on_make_synack, struct sock *sk, void *dst, void *req, void *foc, int type,
	     struct sk_buff *syn)
{
	return syn ? count(NET(sk), SEEN_MAKE_SYNACK, type, 0) : 0;
}

SEC("fentry/inet_csk_complete_hashdance")
int BPF_PROG(on_hashdance, struct sock *sk, struct sock *child, void *req, bool own)
{
	return count(NET(sk), SEEN_HASHDANCE, own, 0);
}

#ifdef HAVE___inet_csk_reqsk_queue_drop
SEC("fexit/__inet_csk_reqsk_queue_drop")
int BPF_PROG(on_queue_drop, struct sock *sk, void *req, bool from_timer, bool removed)
#else
SEC("fexit/inet_csk_reqsk_queue_drop")
int BPF_PROG(on_queue_drop, struct sock *sk, void *req, bool removed)
#endif
{
	return removed ? count(NET(sk), SEEN_QUEUE_DROP, 0, 0) : 0;
}

SEC("fentry/tcp_syn_ack_timeout")
int BPF_PROG(on_synack_timeout, struct request_sock *req)
{
	return count(REQ_NET(req), SEEN_SYNACK_TIMEOUT, 0, 0);
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(on_accept, struct sock *sk)
{
	__u64 child = 0;

	/* How many arguments it has differs. */
	bpf_get_func_ret(ctx, &child);
	return child && TCP(sk) ? count(NET(sk), SEEN_ACCEPT, 0, 0) : 0;
}

SEC("fexit/inet_listen")
int BPF_PROG(on_listen, struct socket *sock, int backlog, int rc)
{
	struct sock *sk = sock->sk;

	return !rc && TCP(sk) ? count(NET(sk), SEEN_LISTEN, 0, 0) : 0;
}

/* ---- TIME_WAIT ------------------------------------------------------------------- */

#define TW_NET(tw)	((tw)->__tw_common.skc_net.net)

SEC("fentry/tcp_time_wait")
int BPF_PROG(on_time_wait, struct sock *sk)
{
	return count(NET(sk), SEEN_TIME_WAIT, 0, 0);
}

#ifdef HAVE_inet_twsk_hashdance_schedule
SEC("fentry/inet_twsk_hashdance_schedule")
#else
SEC("fentry/inet_twsk_hashdance")
#endif
int BPF_PROG(on_tw_hashdance, struct inet_timewait_sock *tw)
{
	return count(TW_NET(tw), SEEN_TW_HASHDANCE, 0, 0);
}

SEC("fentry/__inet_twsk_schedule")
int BPF_PROG(on_tw_schedule, struct inet_timewait_sock *tw, int timeo, bool rearm)
{
	return rearm ? count(TW_NET(tw), SEEN_TW_REARM, 0, 0) : 0;
}

SEC("fentry/inet_twsk_kill")
int BPF_PROG(on_tw_kill, struct inet_timewait_sock *tw)
{
	return count(TW_NET(tw), SEEN_TW_KILL, 0, 0);
}

/* ---- segments -------------------------------------------------------------------- */

/* By enum tcpfsm_segment. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sk, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(struct sk_buff, cb);
	__u8 flags = BPF_CORE_READ(cb, tcp_flags);

	return count(NET(sk), SEEN_RETRANSMIT,
		     flags & FLAG_SYN ? (flags & FLAG_ACK ? 2 : 1) : flags & FLAG_FIN ? 3 : 4, 0);
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, struct sock *sk)
{
	return count(NET(sk), SEEN_RETRANSMIT, 2, 1);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, struct sock *sk)
{
	return count(NET(sk), SEEN_RESET_RECEIVED, 0, 0);
}

SEC("fentry/tcp_send_active_reset")
int BPF_PROG(on_active_reset, struct sock *sk)
{
	return count(NET(sk), SEEN_RESET_SENT, 0, 0);
}

/* An RST is not answered, nor is what was not for us. */
static __always_inline int reset(struct sock *sk, struct sk_buff *skb)
{
	struct tcphdr *th = (void *)(skb->head + skb->transport_header);
	struct dst_entry *dst = (void *)(skb->_skb_refdst & ~1UL);
	struct rtable *rt = (void *)dst;

	/* Byte 13: flags. */
	__u8 flags;

	bpf_probe_read_kernel(&flags, 1, (void *)th + 13);
	if (flags & 0x04)
		return 0;
	if (sk)
		return count(BPF_CORE_READ(sk, __sk_common.skc_net.net), SEEN_RESET_SENT, 0, 0);
	if (skb->protocol != ETH_P_IPV6_BE && BPF_CORE_READ(rt, rt_type) != RTN_LOCAL)
		return 0;
	return count(BPF_CORE_READ(dst, dev, nd_net.net), SEEN_RESET_SENT, 0, 0);
}

SEC("fentry/tcp_v4_send_reset")
int BPF_PROG(on_v4_reset, struct sock *sk, struct sk_buff *skb)
{
	return reset(sk, skb);
}

SEC("fentry/tcp_v6_send_reset")
int BPF_PROG(on_v6_reset, struct sock *sk, struct sk_buff *skb)
{
	return reset(sk, skb);
}

char LICENSE[] SEC("license") = "GPL";
