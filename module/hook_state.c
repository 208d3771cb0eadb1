// SPDX-License-Identifier: GPL-2.0-only
/*
 * State changes of full sockets: the tracepoint sock:inet_sock_set_state.
 *
 * Two firings are not logged at once:
 *
 * CLOSE -> SYN_SENT comes before inet_hash_connect() has chosen the port.  It
 * is logged at the entry of tcp_connect(), where the SYN leaves, or when the
 * socket closes without that.  In between the socket is noted in ctx.opening
 * and whoever takes it from there logs it: exactly once, also when the task
 * has moved to another CPU, or another task opens on this one.
 *
 * LISTEN -> SYN_RECV of the child that inet_csk_clone_lock() makes is followed
 * by that child's next state change in the same softirq: they share a record.
 */
#include <linux/errno.h>
#include <linux/minmax.h>

#include "hooks.h"

/* Such a socket changes its state without a segment. */
static __always_inline void mark_repair(struct tcpfsm_record *rec, const struct sock *sk)
{
	if (unlikely(tcp_sk(sk)->repair))
		rec->flags |= TCPFSM_F_REPAIR;
}

/* tcp_send_fin() comes next: a FIN has a sequence number, for which the window must have room. */
static __always_inline u32 fin_waits(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return unlikely(!before(tp->write_seq, tcp_wnd_end(tp))) ? TCPFSM_F_UNSENT : 0;
}

static noinline void log_open(const struct sock *sk)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_STATE, sk, &flags);
	rec->old_state = TCP_CLOSE;
	rec->new_state = TCP_SYN_SENT;
	rec->snd = tcp_sk(sk)->write_seq;
	mark_repair(rec, sk);
	tcpfsm_record_done(rec, flags);
}

static void open_put(const struct sock *sk)
{
	const struct sock *other = xchg(&this_cpu_ptr(&tcpfsm_ctx)->opening, sk);

	/* Preempted in connect(), which keeps it alive. */
	if (unlikely(other))
		log_open(other);
}

/* The task has moved. */
static noinline bool open_take_elsewhere(const struct sock *sk)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct sock **opening = &per_cpu_ptr(&tcpfsm_ctx, cpu)->opening;

		/* Reading alone leaves the line to its CPU. */
		if (READ_ONCE(*opening) == sk && cmpxchg(opening, sk, NULL) == sk)
			return true;
	}
	return false;
}

static __always_inline bool open_take(const struct sock *sk)
{
	return likely(cmpxchg(&raw_cpu_ptr(&tcpfsm_ctx)->opening, sk, NULL) == sk) ||
	       open_take_elsewhere(sk);
}

/**
 * tcpfsm_on_tcp_connect() - tcp_connect(sk)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Context: process, preemptible.
 */
void tcpfsm_on_tcp_connect(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);

	if (open_take(sk))
		log_open(sk);
}

static void log_clone(const struct sock *child, const struct tcpfsm_ctx *ctx)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_STATE, child, &flags);
	rec->old_state = TCP_LISTEN;
	rec->new_state = TCP_SYN_RECV;
	rec->listener = ctx->clone.listener;
	rec->conn = ctx->clone.conn;
	tcpfsm_record_done(rec, flags);
}

static noinline void log_connect_failed(const struct sock *sk)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_CONNECT_FAILED, sk, &flags);
	rec->old_state = TCP_SYN_SENT;
	/* inet_hash_connect() found no port. */
	rec->arg = EADDRNOTAVAIL;
	tcpfsm_record_done(rec, flags);
}

static __always_inline struct tcpfsm_record *
begin(const struct sock *sk, u8 oldstate, u8 newstate, u32 bits, unsigned long *flags)
{
	struct tcpfsm_record *rec;

	rec = tcpfsm_record_sock_of(TCPFSM_TYPE_STATE, sk, oldstate, newstate, bits, !irq_count(),
				    flags);
	if (unlikely(READ_ONCE(sk->sk_err)))
		rec->arg = min(READ_ONCE(sk->sk_err), 255);
	return rec;
}

/*
 * Timed out, and why is the soft error: an ICMP error, or no route was found when it sent last.
 * Then rebuild_header() left it without one.
 */
static bool lost_route(const struct sock *sk)
{
	return sk->sk_err && sk->sk_err == sk->sk_err_soft && !rcu_access_pointer(sk->sk_dst_cache);
}

/*
 * The functions that follow are not inline: each saves the registers that it needs, and
 * tcpfsm_on_state() none.
 */

/* Maybe as a mini-socket. */
static noinline void log_close(const struct sock *sk, int oldstate)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = begin(sk, oldstate, TCP_CLOSE, 0, &flags);
	if (tcpfsm_entered_end(&ctx->closing, sk)) {
		rec->verdict = TCPFSM_TW_ENTER;
		rec->reason = ctx->closing.substate;
		rec->flags |= ctx->closing.flags;
	} else if (tcpfsm_closing_end(&ctx->closing, sk) && tcpfsm_timewait_denied(ctx, sk)) {
		rec->verdict = TCPFSM_TW_DENIED;
		rec->reason = ctx->closing.state;
		tcpfsm_listener_net_inc(sock_net(sk), TCPFSM_TOTAL_TW + TCPFSM_TW_DENIED);
	} else {
		mark_repair(rec, sk);
		if (unlikely(lost_route(sk)))
			rec->reason = TCPFSM_REASON_NO_ROUTE;
	}
	tcpfsm_record_done(rec, flags);
}

/* Maybe without ever having sent a SYN. */
static noinline void on_early_close(const struct sock *sk, int oldstate)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	bool unsent = false;

	switch (oldstate) {
	case TCP_LISTEN:
		tcpfsm_listener_closes(sk);
		/* A listen() that fails comes here as well, as often as anybody likes. */
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_LISTEN))
			return;
		break;
	case TCP_SYN_SENT:
		/* What has sent its SYN was logged then: refused connects look no further. */
		unsent = READ_ONCE(tcpfsm_opens_wait) && !tcp_sk(sk)->segs_out && open_take(sk);
		if (!unsent)
			break;
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_CONNECT_FAILED))
			return;
		log_open(sk);
		break;
	case TCP_SYN_RECV:
		if (tcpfsm_clone_end(ctx, sk))
			log_clone(sk, ctx);
		/* Its listener closed between the hook and the queue: inet_child_forget(). */
		tcpfsm_join_end(&ctx->join, sk);
		break;
	}
	log_close(sk, oldstate);
	/* Closed by its owner before a Fast Open's first send: no failure. */
	if (unsent && !(sk->sk_shutdown & SEND_SHUTDOWN))
		log_connect_failed(sk);
}

/* SYN_RECV -> ESTABLISHED: mostly of a child that was just made. */
static noinline void log_accepted(const struct sock *sk)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct tcpfsm_record *rec;
	unsigned long flags;
	u64 at = 0;

	if (unlikely(ctx->judge.skb && ctx->judge.kind == TCPFSM_JUDGED_COOKIE &&
		     ctx->clone.sk == sk))
		tcpfsm_cookie_joined(ctx, sk);
	rec = begin(sk, TCP_SYN_RECV, TCP_ESTABLISHED, 0, &flags);
	mark_repair(rec, sk);
	if (likely(tcpfsm_clone_end(ctx, sk))) {
		rec->flags |= TCPFSM_F_CLONE;
		rec->listener = ctx->clone.listener;
	}
	if (likely(tcpfsm_join_end(&ctx->join, sk))) {
		tcpfsm_record_queues(rec, &ctx->join.queues);
		at = ctx->join.at;
	}
	tcpfsm_record_done_at(rec, at, flags);
}

static noinline void log_state(const struct sock *sk, int oldstate, int newstate, u32 bits)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = begin(sk, oldstate, newstate, bits, &flags);
	tcpfsm_record_done(rec, flags);
}

static noinline void on_open(const struct sock *sk, int oldstate)
{
	if (static_branch_unlikely(&tcpfsm_connect_errors))
		tcpfsm_connecting(sk);
	if (likely(READ_ONCE(tcpfsm_opens_wait)))
		open_put(sk);
	else
		log_state(sk, oldstate, TCP_SYN_SENT, 0);
}

static noinline void on_listen(const struct sock *sk, int oldstate)
{
	if (tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_LISTEN))
		log_state(sk, oldstate, TCP_LISTEN, 0);
}

static __always_inline void on_state(const struct sock *sk, int oldstate, int newstate)
{
	u32 bits = 0;

	switch (newstate) {
	case TCP_CLOSE:
		if (unlikely((1 << oldstate) & (TCPF_LISTEN | TCPF_SYN_SENT | TCPF_SYN_RECV)))
			on_early_close(sk, oldstate);
		else
			log_close(sk, oldstate);
		return;
	case TCP_ESTABLISHED:
		if (oldstate == TCP_SYN_RECV) {
			log_accepted(sk);
			return;
		}
		if (unlikely(tcp_sk(sk)->repair))
			bits = TCPFSM_F_REPAIR;
		break;
	case TCP_SYN_SENT:
		on_open(sk, oldstate);
		return;
	case TCP_SYN_RECV:
		if (oldstate == TCP_LISTEN) {
			tcpfsm_clone_begin(this_cpu_ptr(&tcpfsm_ctx), sk);
			return;
		}
		break;
	case TCP_LISTEN:
		on_listen(sk, oldstate);
		return;
	case TCP_FIN_WAIT2:
		this_cpu_write(tcpfsm_ctx.closing.fin_wait2, sk);
		this_cpu_write(tcpfsm_ctx.closing.stamp,
			       tcp_sk(sk)->tcp_clock_cache);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		bits = fin_waits(sk);
		break;
	}
	log_state(sk, oldstate, newstate, bits);
}

/**
 * tcpfsm_on_state() - a full socket moves to another state
 * @data: unused
 * @sk: socket, still in @oldstate
 * @oldstate: TCP_*
 * @newstate: TCP_*
 *
 * Context: any but NMI.
 */
void tcpfsm_on_state(void *data, const struct sock *sk, const int oldstate,
		     const int newstate)
{
	/* MPTCP, SCTP and DCCP share the tracepoint. */
	if (unlikely(sk->sk_protocol != IPPROTO_TCP))
		return;
	tcpfsm_probe_begin();
	on_state(sk, oldstate, newstate);
	tcpfsm_probe_end();
}
