// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mini-sockets, of which the tracepoint says nothing: TIME_WAIT, and FIN_WAIT2
 * of sockets that nobody holds any more.
 */
#include <linux/tcp.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>

#include "hooks.h"

/* DCCP has mini-sockets too. */
static bool is_tcp(const struct inet_timewait_sock *tw)
{
	return tw->tw_dr == tcpfsm_death_row(twsk_net(tw));
}

#define TW(action)	(TCPFSM_TOTAL_TW + TCPFSM_TW_##action)

/* As __inet_twsk_schedule() tells TWKilled from TW. */
static void count_short(const struct inet_timewait_sock *tw, int timeo)
{
	if (TCPFSM_TW_MIBS_AT_END)
		return;
	if (unlikely(timeo <= 4 * HZ) && is_tcp(tw))
		tcpfsm_listener_net_inc(twsk_net(tw), TCPFSM_TOTAL_TW_SHORT);
}

static unsigned long overflows(const struct sock *sk)
{
	return this_cpu_ptr(sock_net(sk)->mib.net_statistics)->mibs[LINUX_MIB_TCPTIMEWAITOVERFLOW];
}

/**
 * tcpfsm_on_time_wait() - tcp_time_wait(sk, state, timeo)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Either a mini-socket is hashed before @sk closes, or it was denied.
 * Context: any but NMI, maybe preemptible (backlog).
 */
void tcpfsm_on_time_wait(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	struct tcpfsm_ctx *ctx = get_cpu_ptr(&tcpfsm_ctx);

	tcpfsm_closing_begin(&ctx->closing, sk, TCPFSM_ARG_INT(1), overflows(sk));
	put_cpu_ptr(&tcpfsm_ctx);
}

/**
 * tcpfsm_timewait_denied() - did a socket get no mini-socket?
 * @ctx: this CPU's
 * @sk: full socket that closes after tcp_time_wait() and before a hashdance
 *
 * The counter tells it from a stale note about another socket at the same
 * address.  Context: preemption off.
 */
bool tcpfsm_timewait_denied(struct tcpfsm_ctx *ctx, const struct sock *sk)
{
	return overflows(sk) != ctx->closing.overflows;
}

/* Outside of a softirq there may be others before it closes. */
static noinline void log_entered(const struct inet_timewait_sock *tw, const struct sock *sk,
				 u8 noted)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_timewait(TCPFSM_TYPE_TIMEWAIT, tw, &flags);
	rec->verdict = TCPFSM_TW_ENTER;
	rec->flags |= noted;
	if (sock_flag(sk, SOCK_DEAD))
		rec->flags |= TCPFSM_F_ORPHAN;
	rec->tw += !TCPFSM_TW_COUNTED_AT_ENTRY;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_twsk_hashdance() - inet_twsk_hashdance[_schedule](tw, sk, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * @sk becomes @tw.  With softirqs off it closes before anything else happens
 * on this CPU, and that record tells both.  Context: any but NMI.
 */
void tcpfsm_on_twsk_hashdance(TCPFSM_FUNCTION_ARGS)
{
	struct inet_timewait_sock *tw = TCPFSM_ARG(0);
	const struct sock *sk = TCPFSM_ARG(1);
	bool softirq = in_serving_softirq();
	struct tcpfsm_ctx *ctx;
	u8 noted;

	if (!is_tcp(tw))
		return;
	if (TCPFSM_TW_MIBS_AT_END)
		tcpfsm_listener_net_inc(twsk_net(tw), TCPFSM_TOTAL_TW_LATE);
	if (!TCPFSM_TW_COUNTED_AT_ENTRY)
		count_short(tw, TCPFSM_ARG_INT(3));
	/* Seen for the first time: both shall have the same cookie. */
	if (unlikely(!atomic64_read(&tw->tw_cookie)))
		atomic64_cmpxchg(&tw->tw_cookie, 0, tcpfsm_cookie(&sk->__sk_common));

	ctx = get_cpu_ptr(&tcpfsm_ctx);
	tcpfsm_closing_end(&ctx->closing, sk);
	noted = ctx->closing.fin_wait2 == sk &&
		ctx->closing.stamp == tcp_sk(sk)->tcp_clock_cache ?
		TCPFSM_F_SAME_SEGMENT : 0;
	noted |= tcpfsm_timestamps(tw);
	if (likely(softirq))
		tcpfsm_entered_begin(&ctx->closing, sk, tw->tw_substate, noted);
	put_cpu_ptr(&tcpfsm_ctx);
	if (unlikely(!softirq))
		log_entered(tw, sk, noted);
	tcpfsm_listener_net_inc(twsk_net(tw), TW(ENTER));
}

/**
 * tcpfsm_on_twsk_segment() - tcp_timewait_state_process(tw, skb, th, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * What it does to @tw shows in the functions that it or its caller calls.
 * Context: softirqs off.
 */
void tcpfsm_on_twsk_segment(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	const struct inet_timewait_sock *tw = TCPFSM_ARG(0);
	const struct tcphdr *th = TCPFSM_ARG(2);

	/* Freed by its caller for a SYN that may reopen, else by RST or data. */
	tcpfsm_touch_begin(&ctx->touch, tw,
			   th->syn && !th->rst && !th->ack && tw->tw_substate == TCP_TIME_WAIT ?
			   TCPFSM_TW_REOPEN : TCPFSM_TW_KILL, NULL);
	ctx->touch.substate = tw->tw_substate;
}

/**
 * tcpfsm_on_twsk_schedule() - __inet_twsk_schedule(tw, timeo, rearm)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Rearmed: a segment restarts the timer, or turns FIN_WAIT2 into TIME_WAIT.  Else it is new, and
 * where inet_twsk_hashdance() does not know @timeo, it comes next.
 * Context: softirqs off.
 */
void tcpfsm_on_twsk_schedule(TCPFSM_FUNCTION_ARGS)
{
	const struct inet_timewait_sock *tw = TCPFSM_ARG(0);
	u8 old = tw->tw_substate;
	struct tcpfsm_record *rec;
	struct tcpfsm_ctx *ctx;
	unsigned long flags;

	if (!(TCPFSM_ARG_INT(2) & 0xff)) {
		if (TCPFSM_TW_COUNTED_AT_ENTRY)
			count_short(tw, TCPFSM_ARG_INT(1));
		return;
	}
	if (!is_tcp(tw))
		return;
	tcpfsm_listener_net_inc(twsk_net(tw), TW(REFRESH));
	ctx = this_cpu_ptr(&tcpfsm_ctx);
	if (ctx->touch.tw == tw)
		old = ctx->touch.substate;
	/* A bare ACK restarts it, as often as anybody likes. */
	if (old == tw->tw_substate && !tcpfsm_record_told(twsk_net(tw), TCPFSM_TYPE_TIMEWAIT))
		return;
	rec = tcpfsm_record_timewait(TCPFSM_TYPE_TIMEWAIT, tw, &flags);
	rec->verdict = TCPFSM_TW_REFRESH;
	rec->old_state = old;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_twsk_unique() - tcp_twsk_unique(sk, sktw, twp)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * connect() wants the addresses and ports of @sktw.  Context: softirqs off.
 */
void tcpfsm_on_twsk_unique(TCPFSM_FUNCTION_ARGS)
{
	tcpfsm_touch_begin(this_cpu_ptr(&tcpfsm_ctx.touch), TCPFSM_ARG(1), TCPFSM_TW_REUSE,
			   current);
}

/**
 * tcpfsm_on_twsk_deschedule() - inet_twsk_deschedule_put(tw)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * @tw ends before its time: by a segment, by connect(), with its network namespace, or else by
 * tcp_abort(), which ss -K reaches.  Context: softirqs off.
 */
void tcpfsm_on_twsk_deschedule(TCPFSM_FUNCTION_ARGS)
{
	const struct inet_timewait_sock *tw = TCPFSM_ARG(0);
	struct tcpfsm_ctx *ctx = get_cpu_ptr(&tcpfsm_ctx);
	u8 action = tcpfsm_touch_end(&ctx->touch, tw);

	if (!action && !check_net(twsk_net(tw)))
		action = TCPFSM_TW_PURGE;
	else if (!action)
		action = in_serving_softirq() ? TCPFSM_TW_KILL : TCPFSM_TW_ABORT;
	tcpfsm_dying_begin(&ctx->dying, tw, action);
	put_cpu_ptr(&tcpfsm_ctx);
}

/**
 * tcpfsm_on_twsk_kill() - inet_twsk_kill(tw): the one end of every mini-socket
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Called by its timer unless inet_twsk_deschedule_put() came first, moments
 * ago on this CPU; inet_twsk_purge() may have that inlined.  Context: softirqs
 * off.
 */
void tcpfsm_on_twsk_kill(TCPFSM_FUNCTION_ARGS)
{
	const struct inet_timewait_sock *tw = TCPFSM_ARG(0);
	struct tcpfsm_record *rec;
	struct tcpfsm_ctx *ctx;
	unsigned long flags;
	bool early;

	if (!is_tcp(tw))
		return;
	rec = tcpfsm_record_timewait(TCPFSM_TYPE_TIMEWAIT, tw, &flags);
	ctx = this_cpu_ptr(&tcpfsm_ctx);
	early = time_before(jiffies, tw->tw_timer.expires);
	rec->verdict = tcpfsm_dying_end(&ctx->dying, tw, early);
	if (!rec->verdict && !check_net(twsk_net(tw)))
		rec->verdict = TCPFSM_TW_PURGE;
	else if (!rec->verdict)
		rec->verdict = early ? TCPFSM_TW_KILL : TCPFSM_TW_EXPIRE;
	/* Itself not counted any more. */
	if (rec->tw)
		rec->tw--;
	tcpfsm_listener_net_inc(twsk_net(tw), rec->verdict == TCPFSM_TW_ABORT ?
				TW(KILL) : TCPFSM_TOTAL_TW + rec->verdict);
	if (TCPFSM_TW_MIBS_AT_END && rec->verdict == TCPFSM_TW_EXPIRE) {
		tcpfsm_listener_net_inc(twsk_net(tw), TCPFSM_TOTAL_TW_ENDED);
		if (tcpfsm_tw_short(tw))
			tcpfsm_listener_net_inc(twsk_net(tw), TCPFSM_TOTAL_TW_SHORT);
	}
	tcpfsm_record_done(rec, flags);
}
