// SPDX-License-Identifier: GPL-2.0-only
/*
 * The strongest rival that we could write: the module's work for a connection, as BPF.
 *
 * Only what is cheap: typed tracepoints, fentry and fexit, direct loads.  The same record of 128 bytes,
 * the same eleven of them for a connection (both ends), counters and histograms of each listener in its own
 * storage.  What is left out makes it cheaper than it would have to be: reasons of refusals, accept() by the
 * socket, owners after the system call, limits.
 *
 * Compiled with the BTF of the kernel it is for (vmlinux.h).
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* vmlinux.h has what these would bring. */
#define _LINUX_IOCTL_H
#define _LINUX_TYPES_H
#include "uapi/tcpfsm.h"

#include "rival.h"

/* Set before it is loaded. */
const volatile bool whole, counting, mapped;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RIVAL_RING);
} ring SEC(".maps");

/* Instead of it: a ring of each CPU that is overwritten, mapped by the reader. */
struct rival_ring rings[RIVAL_CPUS] SEC(".bss.rings");

struct counts {
	__u64 total[16];
	__u64 synq[32], acceptq[32], handshake[32], waited[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counts);
} listeners SEC(".maps");

enum { SYN, QUEUED, COMPLETED, ACCEPTED };

/* What one program leaves for the next one on its CPU. */
struct note {
	__u64 req, clone;
	__u64 conn;
	__u16 rport;
	__u32 raddr;
} notes[RIVAL_CPUS];

static __always_inline struct note *note(void) { return &notes[bpf_get_smp_processor_id() & (RIVAL_CPUS - 1)]; }

static __always_inline struct tcpfsm_record *begin(__u8 type)
{
	struct tcpfsm_record *r;

	if (mapped) {
		struct rival_ring *to = &rings[bpf_get_smp_processor_id() & (RIVAL_CPUS - 1)];
		__u64 pos = __sync_fetch_and_add(&to->head, 1);

		r = &to->slot[pos & (RIVAL_SLOTS - 1)];
		*(volatile __u64 *)&r->seq = TCPFSM_SEQ_BUSY;
		r->reason = 0;
		r->arg = 0;
		r->snd = pos + 1;
	} else {
		r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
		if (!r)
			return NULL;
		r->seq = 0;
	}
	r->ts = bpf_ktime_get_ns();
	r->type = type;
	r->flags = 0;
	r->verdict = 0;
	return r;
}

static __always_inline void done(struct tcpfsm_record *r)
{
	if (mapped) {
		__u64 seq = r->snd;

		barrier();
		*(volatile __u64 *)&r->seq = seq;
	} else {
		/* A reader that is always woken costs more than all the rest. */
		bpf_ringbuf_submit(r, bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= RIVAL_WAKE ?
				      BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	}
}

static __always_inline void fill_net(struct tcpfsm_record *r, struct net *net)
{
	r->netns = net->ns.inum;
	r->tw = net->ipv4.tcp_death_row.tw_refcount.refs.counter - 1;
	r->tw_max = net->ipv4.tcp_death_row.sysctl_max_tw_buckets;
}

static __always_inline void fill_addr(__u8 *to, __u32 addr)
{
	((__u64 *)to)[0] = addr;
	((__u64 *)to)[1] = 0;
}

static __always_inline void fill_queues(struct tcpfsm_record *r, struct sock *listener)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(listener);

	r->listener = bpf_get_socket_cookie(listener);
	r->synq = tp ? tp->inet_conn.icsk_accept_queue.qlen.counter : 0;
	r->acceptq = listener->sk_ack_backlog;
	r->backlog = listener->sk_max_ack_backlog;
	r->flags |= TCPFSM_F_PASSIVE;
}

static __always_inline struct tcpfsm_record *begin_sock(__u8 type, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct tcpfsm_record *r;

	if (!tp)
		return NULL;
	r = begin(type);
	if (!r)
		return NULL;
	r->family = 4;
	r->old_state = r->new_state = sk->__sk_common.skc_state;
	r->conn = bpf_get_socket_cookie(sk);
	r->listener = 0;
	fill_net(r, sk->__sk_common.skc_net.net);
	r->lport = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	r->rport = bpf_ntohs(sk->__sk_common.skc_dport);
	fill_addr(r->laddr, sk->__sk_common.skc_rcv_saddr);
	fill_addr(r->raddr, sk->__sk_common.skc_daddr);
	if (!mapped)
		r->snd = tp->snd_nxt;
	r->rcv = tp->rcv_nxt;
	r->synq = 0;
	r->acceptq = 0;
	r->dev = sk->__sk_common.skc_bound_dev_if;
	r->pid = 0;
	((__u64 *)r->comm)[0] = 0;
	((__u64 *)r->comm)[1] = 0;
	return r;
}

static __always_inline void fill_owner(struct tcpfsm_record *r)
{
	r->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	r->flags |= TCPFSM_F_OWNER;
}

/* Where the type says all. */
static __always_inline int tell(__u8 type, struct sock *sk)
{
	struct tcpfsm_record *r = begin_sock(type, sk);

	if (r)
		done(r);
	return 0;
}

/* ---- counters --------------------------------------------------------------------- */

static __always_inline struct counts *counts_of(struct sock *listener)
{
	return counting ? bpf_sk_storage_get(&listeners, listener, 0, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
}

static __always_inline __u32 bucket(__u64 v)
{
	__u32 n = 0;

	if (v >> 32)
		return 31;
	if (v >> 16) { n += 16; v >>= 16; }
	if (v >> 8) { n += 8; v >>= 8; }
	if (v >> 4) { n += 4; v >>= 4; }
	if (v >> 2) { n += 2; v >>= 2; }
	if (v >> 1) { n += 1; v >>= 1; }
	return (n + (v != 0)) & 31;
}

/* ---- full sockets ------------------------------------------------------------------ */

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int oldstate, int newstate)
{
	struct note *n = note();
	struct tcpfsm_record *r;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (whole) {
		/* The port comes later, the peer of a child, too. */
		if (newstate == TCP_SYN_SENT)
			return 0;
		if (newstate == TCP_SYN_RECV && oldstate == TCP_LISTEN) {
			n->clone = (__u64)sk;
			return 0;
		}
	}
	r = begin_sock(TCPFSM_TYPE_STATE, sk);
	if (!r)
		return 0;
	r->old_state = oldstate;
	r->new_state = newstate;
	if (whole && n->clone == (__u64)sk) {
		n->clone = 0;
		r->flags |= TCPFSM_F_CLONE;
	}
	if (newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK || oldstate == TCP_CLOSE)
		fill_owner(r);
	done(r);
	return 0;
}

SEC("fentry/tcp_connect")
int BPF_PROG(on_connect, struct sock *sk)
{
	struct tcpfsm_record *r = begin_sock(TCPFSM_TYPE_STATE, sk);

	if (!r)
		return 0;
	r->old_state = TCP_CLOSE;
	r->new_state = TCP_SYN_SENT;
	fill_owner(r);
	done(r);
	return 0;
}

/* ---- a listener's requests ------------------------------------------------------------ */

SEC("fentry/tcp_make_synack")
int BPF_PROG(on_make_synack, struct sock *sk, struct dst_entry *dst, struct request_sock *req, void *foc, int type,
	     struct sk_buff *syn)
{
	struct note *n = note();

	if (!syn)
		return 0;
	n->req = (__u64)req;
	n->conn = bpf_get_socket_cookie(req);
	n->rport = bpf_ntohs(req->__req_common.skc_dport);
	n->raddr = req->__req_common.skc_daddr;
	return 0;
}

SEC("fexit/tcp_conn_request")
int BPF_PROG(on_conn_request, void *ops, void *af_ops, struct sock *sk, struct sk_buff *skb)
{
	struct counts *c = counts_of(sk);
	struct note *n = note();
	struct tcpfsm_record *r = begin_sock(TCPFSM_TYPE_SYN, sk);

	if (r) {
		r->conn = n->conn;
		r->rport = n->rport;
		fill_addr(r->raddr, n->raddr);
		fill_queues(r, sk);
		r->verdict = n->req ? TCPFSM_VERDICT_QUEUED : TCPFSM_VERDICT_DROPPED;
		if (c) {
			c->total[SYN]++;
			c->total[QUEUED] += !!n->req;
			c->synq[bucket(r->synq)]++;
			c->acceptq[bucket(r->acceptq)]++;
		}
		done(r);
	}
	n->req = 0;
	return 0;
}

/* A third ACK that leads to a connection has nothing to tell here: it is where refusals would be told. */
SEC("fexit/tcp_check_req")
int BPF_PROG(on_check_req, struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	return 0;
}

SEC("fentry/inet_csk_complete_hashdance")
int BPF_PROG(on_hashdance, struct sock *sk, struct sock *child, struct request_sock *req, bool own)
{
	struct counts *c = own ? counts_of(sk) : NULL;
	__u64 sent;

	if (!c)
		return 0;
	sent = BPF_CORE_READ((struct tcp_request_sock *)req, snt_synack);
	c->total[COMPLETED]++;
	c->handshake[bucket(bpf_ktime_get_ns() / 1000 - sent)]++;
	return 0;
}

SEC("fentry/inet_csk_reqsk_queue_drop")
int BPF_PROG(on_queue_drop, struct sock *sk, struct request_sock *req)
{
	return tell(TCPFSM_TYPE_REQUEST_GONE, sk);
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(on_accept, struct sock *sk)
{
	struct tcpfsm_record *r;
	struct sock *child;
	struct counts *c;

	/* What it returns, behind its arguments, of which there are more or fewer. */
	child = (struct sock *)ctx[RIVAL_ACCEPT_ARGS];
	if (!child)
		return 0;
	r = begin_sock(TCPFSM_TYPE_ACCEPT, child);
	if (!r)
		return 0;
	fill_queues(r, sk);
	fill_owner(r);
	c = counts_of(sk);
	if (c) {
		struct tcp_sock *tp = bpf_skc_to_tcp_sock(child);

		c->total[ACCEPTED]++;
		if (tp)
			c->waited[bucket(r->ts / 1000 - tp->tcp_mstamp)]++;
	}
	done(r);
	return 0;
}

SEC("fentry/inet_csk_listen_start")
int BPF_PROG(on_listen, struct sock *sk)
{
	return tell(TCPFSM_TYPE_LISTEN, sk);
}

/* ---- mini-sockets and segments ----------------------------------------------------------- */

static __always_inline int mini(struct inet_timewait_sock *tw, __u8 verdict)
{
	struct tcpfsm_record *r = begin(TCPFSM_TYPE_TIMEWAIT);

	if (!r)
		return 0;
	r->family = 4;
	r->old_state = r->new_state = tw->tw_substate;
	r->verdict = verdict;
	r->conn = bpf_get_socket_cookie(tw);
	fill_net(r, tw->__tw_common.skc_net.net);
	r->lport = tw->__tw_common.skc_num;
	r->rport = bpf_ntohs(tw->__tw_common.skc_dport);
	fill_addr(r->laddr, tw->__tw_common.skc_rcv_saddr);
	fill_addr(r->raddr, tw->__tw_common.skc_daddr);
	done(r);
	return 0;
}

SEC("fentry/inet_twsk_kill")
int BPF_PROG(on_tw_kill, struct inet_timewait_sock *tw) { return mini(tw, TCPFSM_TW_EXPIRE); }

/* What the module notes there, its next record tells. */
SEC("fentry/" RIVAL_TWSK_HASHDANCE)
int BPF_PROG(on_tw_hashdance, struct inet_timewait_sock *tw)
{
	note()->conn = bpf_get_socket_cookie(tw);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sk)
{
	return tell(TCPFSM_TYPE_RETRANSMIT, sk);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, struct sock *sk)
{
	return tell(TCPFSM_TYPE_RESET, sk);
}

char LICENSE[] SEC("license") = "GPL";
