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

static noinline void log_open(const struct sock *sk)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_STATE, sk, &flags);
	rec->old_state = TCP_CLOSE;
	rec->new_state = TCP_SYN_SENT;
	rec->snd = tcp_sk(sk)->write_seq;
	tcpfsm_record_done(rec, flags);
}

static void open_put(const struct sock *sk)
{
	const struct sock *other = xchg(&this_cpu_ptr(&tcpfsm_ctx)->opening, sk);

	/* Preempted in connect(), which keeps it alive. */
	if (unlikely(other))
		log_open(other);
}

static bool open_take(const struct sock *sk)
{
	unsigned int cpu;

	if (likely(cmpxchg(&raw_cpu_ptr(&tcpfsm_ctx)->opening, sk, NULL) == sk))
		return true;
	for_each_possible_cpu(cpu) {
		const struct sock **opening = &per_cpu_ptr(&tcpfsm_ctx, cpu)->opening;

		/* Reading alone leaves the line to its CPU. */
		if (READ_ONCE(*opening) == sk && cmpxchg(opening, sk, NULL) == sk)
			return true;
	}
	return false;
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
begin(const struct sock *sk, u8 oldstate, u8 newstate, u64 at, unsigned long *flags)
{
	struct tcpfsm_record *rec;

	rec = tcpfsm_record_sock_at(TCPFSM_TYPE_STATE, sk, at, flags);
	rec->old_state = oldstate;
	rec->new_state = newstate;
	rec->arg = min(READ_ONCE(sk->sk_err), 255);
	return rec;
}

/* To CLOSE: maybe as a mini-socket, maybe without ever having sent a SYN. */
static void on_close(const struct sock *sk, u8 oldstate)
{
	/* What has sent its SYN was logged then: refused connects look no further. */
	bool unsent = oldstate == TCP_SYN_SENT && READ_ONCE(tcpfsm_opens_wait) &&
		      !tcp_sk(sk)->segs_out && open_take(sk);
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	u8 verdict = 0, substate = 0, flag = 0;
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (unlikely(oldstate == TCP_LISTEN)) {
		tcpfsm_listener_closes(sk);
		/* A listen() that fails comes here as well, as often as anybody likes. */
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_LISTEN))
			return;
	}
	if (unlikely(unsent)) {
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_CONNECT_FAILED))
			return;
		log_open(sk);
	}
	if (unlikely(tcpfsm_clone_end(ctx, sk)))
		log_clone(sk, ctx);
	/* Its listener closed between the hook and the queue: inet_child_forget(). */
	if (unlikely(oldstate == TCP_SYN_RECV))
		tcpfsm_join_end(&ctx->join, sk);
	if (tcpfsm_entered_end(&ctx->closing, sk)) {
		verdict = TCPFSM_TW_ENTER;
		substate = ctx->closing.substate;
		flag = ctx->closing.flags;
	} else if (tcpfsm_closing_end(&ctx->closing, sk) && tcpfsm_timewait_denied(ctx, sk)) {
		verdict = TCPFSM_TW_DENIED;
		substate = ctx->closing.state;
		tcpfsm_listener_net_inc(sock_net(sk), TCPFSM_TOTAL_TW + TCPFSM_TW_DENIED);
	}
	rec = begin(sk, oldstate, TCP_CLOSE, 0, &flags);
	rec->verdict = verdict;
	rec->reason = substate;
	rec->flags |= flag;
	tcpfsm_record_done(rec, flags);
	/* Closed by its owner before a Fast Open's first send: no failure. */
	if (unlikely(unsent) && !(sk->sk_shutdown & SEND_SHUTDOWN))
		log_connect_failed(sk);
}

static void on_established(const struct sock *sk, u8 oldstate)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct tcpfsm_record *rec;
	unsigned long flags;
	bool joined;

	if (unlikely(ctx->judge.skb && ctx->judge.kind == TCPFSM_JUDGED_COOKIE &&
		     ctx->clone.sk == sk))
		tcpfsm_cookie_joined(ctx, sk);
	joined = oldstate == TCP_SYN_RECV && tcpfsm_join_end(&ctx->join, sk);

	rec = begin(sk, oldstate, TCP_ESTABLISHED, joined ? ctx->join.at : 0, &flags);
	if (tcpfsm_clone_end(ctx, sk)) {
		rec->flags |= TCPFSM_F_CLONE;
		rec->listener = ctx->clone.listener;
	}
	if (joined)
		tcpfsm_record_queues(rec, &ctx->join.queues);
	tcpfsm_record_done(rec, flags);
}

static __always_inline void on_state(const struct sock *sk, int oldstate, int newstate)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	switch (newstate) {
	case TCP_CLOSE:
		on_close(sk, oldstate);
		return;
	case TCP_ESTABLISHED:
		on_established(sk, oldstate);
		return;
	case TCP_SYN_SENT:
		if (static_branch_unlikely(&tcpfsm_connect_errors))
			tcpfsm_connecting(sk);
		if (likely(READ_ONCE(tcpfsm_opens_wait))) {
			open_put(sk);
			return;
		}
		break;
	case TCP_SYN_RECV:
		if (oldstate == TCP_LISTEN) {
			tcpfsm_clone_begin(this_cpu_ptr(&tcpfsm_ctx), sk);
			return;
		}
		break;
	case TCP_LISTEN:
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_LISTEN))
			return;
		break;
	case TCP_FIN_WAIT2:
		this_cpu_write(tcpfsm_ctx.closing.fin_wait2, sk);
		this_cpu_write(tcpfsm_ctx.closing.stamp,
			       tcp_sk(sk)->tcp_clock_cache);
		break;
	}
	rec = begin(sk, oldstate, newstate, 0, &flags);
	tcpfsm_record_done(rec, flags);
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
