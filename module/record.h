/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Socket, request socket, mini-socket or segment to record: pure fill, no
 * locks, nothing that sleeps, every byte written.
 *
 * What every connection has is inline: calls were a quarter of its cost.
 */
#ifndef TCPFSM_RECORD_H
#define TCPFSM_RECORD_H

#include <linux/ipv6.h>
#include <linux/jump_label.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <linux/timekeeping.h>
#include <net/inet_connection_sock.h>
#include <net/inet_timewait_sock.h>
#include <net/ipv6.h>
#include <net/request_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "ring.h"

/**
 * struct tcpfsm_queues - both queues of a listener at one instant
 * @listener: socket cookie
 * @synq: request sockets in the SYN queue
 * @acceptq: connections in the accept queue
 * @backlog: sk_max_ack_backlog, the limit of both
 */
struct tcpfsm_queues {
	u64 listener;
	u32 synq;
	u32 acceptq;
	u32 backlog;
};

DECLARE_STATIC_KEY_FALSE(tcpfsm_seq_hidden);

u64 tcpfsm_cookie_generate(const struct sock_common *skc);
void tcpfsm_record_hide(struct tcpfsm_record *rec);
void tcpfsm_record_addrs6(struct tcpfsm_record *rec, const struct in6_addr *laddr,
			  const struct in6_addr *raddr);

struct tcpfsm_record *
tcpfsm_record_segment(u8 type, struct net *net, const struct sk_buff *skb,
		      const struct tcpfsm_queues *q, unsigned long *flags);

/**
 * tcpfsm_cookie() - the socket's cookie, generated when it has none yet
 * @skc: common part of a full, request or mini-socket
 *
 * All three kinds keep the cookie in sock_common (inet_diag relies on that
 * too), and each inherits it from the one before, see inet_csk_clone_lock()
 * and inet_twsk_alloc().  Context: any but NMI.
 */
static __always_inline u64 tcpfsm_cookie(const struct sock_common *skc)
{
	u64 cookie = atomic64_read(&skc->skc_cookie);

	return likely(cookie) ? cookie : tcpfsm_cookie_generate(skc);
}

/**
 * tcpfsm_queues_read() - the queues of a listener as they are now
 * @q: to fill in
 * @listener: socket in TCP_LISTEN
 *
 * The SYN queue is limited by sk_max_ack_backlog as well, see
 * inet_csk_reqsk_queue_is_full().  Context: any but NMI.
 */
static __always_inline void
tcpfsm_queues_read(struct tcpfsm_queues *q, const struct sock *listener)
{
	q->listener = tcpfsm_cookie(&listener->__sk_common);
	q->synq = inet_csk_reqsk_queue_len(listener);
	q->acceptq = READ_ONCE(listener->sk_ack_backlog);
	q->backlog = READ_ONCE(listener->sk_max_ack_backlog);
}

static __always_inline void tcpfsm_fill_addr(u8 *to, __be32 addr)
{
	u64 *word = (u64 *)to;

	word[0] = (__force u32)addr;
	word[1] = 0;
}

static __always_inline void tcpfsm_fill_net(struct tcpfsm_record *rec,
					    const struct net *net)
{
	rec->netns = net->ns.inum;
	rec->tw = tcpfsm_tw_population(net);
	rec->tw_max = READ_ONCE(tcpfsm_death_row(net)->sysctl_max_tw_buckets);
}

static __always_inline void tcpfsm_fill_dev(struct tcpfsm_record *rec, int dev)
{
	rec->listener = 0;
	rec->synq = 0;
	rec->acceptq = 0;
	rec->dev = dev;
}

static __always_inline void tcpfsm_fill_no_queues(struct tcpfsm_record *rec)
{
	tcpfsm_fill_dev(rec, 0);
}

static __always_inline void tcpfsm_record_queues(struct tcpfsm_record *rec,
						 const struct tcpfsm_queues *q)
{
	rec->listener = q->listener;
	rec->synq = q->synq;
	rec->acceptq = q->acceptq;
	rec->backlog = q->backlog;
	rec->flags |= TCPFSM_F_PASSIVE;
}

/**
 * tcpfsm_record_owner() - fill in the owner of the socket
 * @rec: to fill in, all but the flags
 * @task: the current task is at work for itself; kernel threads own nothing
 *
 * Return: flags to set.
 */
static __always_inline u32 tcpfsm_record_owner(struct tcpfsm_record *rec, bool task)
{
	u64 *comm = (u64 *)rec->comm;

	if (task && likely(!(current->flags & PF_KTHREAD))) {
		rec->pid = task_tgid_nr(current);
		tcpfsm_copy_comm(rec->comm);
		return TCPFSM_F_TASK | TCPFSM_F_OWNER;
	}
	rec->pid = 0;
	comm[0] = 0;
	comm[1] = 0;
	return task ? TCPFSM_F_TASK : 0;
}

/* Verdict, reason and arg are the next bytes, and 0. */
static __always_inline void tcpfsm_fill_flags(struct tcpfsm_record *rec, u32 bits)
{
	((u32 *)rec)[offsetof(struct tcpfsm_record, flags) / sizeof(u32)] = bits;
}

/*
 * See tcpfsm_record_begin(); @bits: more flags; @task: the current task is at work for
 * itself.
 */
static __always_inline struct tcpfsm_record *
tcpfsm_record_begin_of(u8 type, u8 old_state, u8 new_state, u32 bits, bool task,
		       unsigned long *flags)
{
	struct tcpfsm_record *rec = tcpfsm_ring_begin(flags);

	rec->type = type;
	rec->family = 4;
	rec->old_state = old_state;
	rec->new_state = new_state;
	tcpfsm_fill_flags(rec, bits | tcpfsm_record_owner(rec, task));
	return rec;
}

/**
 * tcpfsm_record_begin() - begin a record; addresses, ports, conn, netns, tw,
 *			   sequence and queue numbers are the caller's to fill
 * @type: enum tcpfsm_type
 * @flags: for tcpfsm_record_done()
 *
 * The task on the CPU owns the socket only when it is in a system call of its
 * own: not in an interrupt, and not with softirqs off, where busy polling runs
 * other sockets' segments.  The backlog that release_sock() runs is the
 * owner's.  Context: any but NMI; interrupts are off until
 * tcpfsm_record_done().
 */
static __always_inline struct tcpfsm_record *
tcpfsm_record_begin(u8 type, unsigned long *flags)
{
	/* irq_count() is 0 before tcpfsm_ring_begin() as after it. */
	return tcpfsm_record_begin_of(type, 0, 0, 0, !irq_count(), flags);
}

/**
 * tcpfsm_record_done_at() - publish a record
 * @rec: all but seq and ts filled in
 * @at: when, in a softirq that has logged nothing since; 0: now
 * @flags: what tcpfsm_record_begin() gave
 *
 * The clock comes last: a call in the middle would have all that is still needed
 * saved in registers before and restored after, in each probe.
 *
 * Return: when.
 */
static __always_inline u64 tcpfsm_record_done_at(struct tcpfsm_record *rec, u64 at,
						 unsigned long flags)
{
	if (static_branch_unlikely(&tcpfsm_seq_hidden))
		tcpfsm_record_hide(rec);
	if (!at)
		at = ktime_get_mono_fast_ns();
	rec->ts = at;
	tcpfsm_ring_end(rec, flags);
	return at;
}

static __always_inline u64 tcpfsm_record_done(struct tcpfsm_record *rec, unsigned long flags)
{
	return tcpfsm_record_done_at(rec, 0, flags);
}

/**
 * tcpfsm_record_sock_of() - begin a record about a full socket
 * @type: enum tcpfsm_type
 * @sk: full TCP socket
 * @old_state: state before, or the only one
 * @new_state: state after, or 0
 * @bits: more flags
 * @task: the current task is at work for itself
 * @flags: for tcpfsm_record_done()
 *
 * Ports come from inet_sport and inet_dport, as inet_num may be 0 already when
 * a socket closes.  Context: any but NMI.
 */
static __always_inline struct tcpfsm_record *
tcpfsm_record_sock_of(u8 type, const struct sock *sk, u8 old_state, u8 new_state, u32 bits,
		      bool task, unsigned long *flags)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct tcpfsm_record *rec;

	bits |= (sock_flag(sk, SOCK_DEAD) ? TCPFSM_F_ORPHAN : 0) |
		(READ_ONCE(sk->sk_shutdown) & SHUTDOWN_MASK) * TCPFSM_F_SHUT_RCV;
	rec = tcpfsm_record_begin_of(type, old_state, new_state, bits, task, flags);
	rec->conn = tcpfsm_cookie(&sk->__sk_common);
	tcpfsm_fill_net(rec, sock_net(sk));
	rec->lport = ntohs(inet->inet_sport);
	rec->rport = ntohs(inet->inet_dport);
	rec->snd = tcp_sk(sk)->snd_nxt;
	rec->rcv = tcp_sk(sk)->rcv_nxt;
	tcpfsm_fill_dev(rec, READ_ONCE(sk->sk_bound_dev_if));
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		tcpfsm_record_addrs6(rec, &sk->sk_v6_rcv_saddr, &sk->sk_v6_daddr);
		return rec;
	}
#endif
	tcpfsm_fill_addr(rec->laddr, inet->inet_saddr);
	tcpfsm_fill_addr(rec->raddr, inet->inet_daddr);
	return rec;
}

static __always_inline struct tcpfsm_record *
tcpfsm_record_sock(u8 type, const struct sock *sk, unsigned long *flags)
{
	return tcpfsm_record_sock_of(type, sk, 0, 0, 0, !irq_count(), flags);
}

/**
 * tcpfsm_record_request() - begin a record about a request socket
 * @type: enum tcpfsm_type
 * @req: request socket
 * @q: its listener's queues
 * @flags: for tcpfsm_record_done()
 *
 * Context: softirq or softirqs off.
 */
static __always_inline struct tcpfsm_record *
tcpfsm_record_request(u8 type, const struct request_sock *req,
		      const struct tcpfsm_queues *q, unsigned long *flags)
{
	const struct inet_request_sock *ireq = inet_rsk(req);
	struct tcpfsm_record *rec = tcpfsm_record_begin(type, flags);

	rec->conn = tcpfsm_cookie(&req->__req_common);
	tcpfsm_fill_net(rec, read_pnet(&ireq->ireq_net));
	rec->lport = ireq->ir_num;
	rec->rport = ntohs(ireq->ir_rmt_port);
#if IS_ENABLED(CONFIG_IPV6)
	if (ireq->ireq_family == AF_INET6) {
		tcpfsm_record_addrs6(rec, &ireq->ir_v6_loc_addr, &ireq->ir_v6_rmt_addr);
	} else
#endif
	{
		tcpfsm_fill_addr(rec->laddr, ireq->ir_loc_addr);
		tcpfsm_fill_addr(rec->raddr, ireq->ir_rmt_addr);
	}
	rec->snd = tcp_rsk(req)->snt_isn;
	rec->rcv = tcp_rsk(req)->rcv_isn;
	tcpfsm_record_queues(rec, q);
	return rec;
}

void tcpfsm_record_netns(const struct net *net, u64 cookie);

/* TCPFSM_F_TIMESTAMPS, or 0: as tcp_twsk_unique() looks at it. */
static __always_inline u8 tcpfsm_timestamps(const struct inet_timewait_sock *tw)
{
	return tcp_twsk((struct sock *)tw)->tw_ts_recent_stamp ? TCPFSM_F_TIMESTAMPS : 0;
}

/**
 * tcpfsm_record_timewait() - begin a record about a mini-socket
 * @type: enum tcpfsm_type
 * @tw: TIME_WAIT or FIN_WAIT2 mini-socket
 * @flags: for tcpfsm_record_done()
 *
 * Context: softirq, or process with softirqs off.
 */
static __always_inline struct tcpfsm_record *
tcpfsm_record_timewait(u8 type, const struct inet_timewait_sock *tw,
		       unsigned long *flags)
{
	const struct tcp_timewait_sock *tcptw = tcp_twsk((struct sock *)tw);
	struct tcpfsm_record *rec = tcpfsm_record_begin(type, flags);

	rec->conn = tcpfsm_cookie(&tw->__tw_common);
	tcpfsm_fill_net(rec, twsk_net(tw));
	rec->lport = ntohs(tw->tw_sport);
	rec->rport = ntohs(tw->tw_dport);
#if IS_ENABLED(CONFIG_IPV6)
	if (tw->tw_family == AF_INET6) {
		tcpfsm_record_addrs6(rec, &tw->tw_v6_rcv_saddr, &tw->tw_v6_daddr);
	} else
#endif
	{
		tcpfsm_fill_addr(rec->laddr, tw->tw_rcv_saddr);
		tcpfsm_fill_addr(rec->raddr, tw->tw_daddr);
	}
	rec->flags |= tcpfsm_timestamps(tw);
	rec->old_state = tw->tw_substate;
	rec->new_state = tw->tw_substate;
	rec->snd = tcptw->tw_snd_nxt;
	rec->rcv = tcptw->tw_rcv_nxt;
	tcpfsm_fill_dev(rec, tw->tw_bound_dev_if);
	return rec;
}

#endif /* TCPFSM_RECORD_H */
