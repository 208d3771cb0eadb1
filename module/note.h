/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notes: what one probe on this CPU leaves for a later one.  A struct for each
 * story, with the helpers that begin it and end it.
 *
 * What segments leave is used with softirqs off, when this CPU handles one at
 * a time.  All pointers are compared before they are believed, and never
 * followed but where the story says that the object is still there.
 */
#ifndef TCPFSM_NOTE_H
#define TCPFSM_NOTE_H

#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/skbuff.h>

#include "listeners/listener.h"
#include "record.h"

/*
 * Counters that move when the kernel refuses a SYN or an ACK, and what they
 * are read for.
 */
enum tcpfsm_mib {
	TCPFSM_MIB_OVERFLOW,	/* ListenOverflows: accept queue full */
	TCPFSM_MIB_LISTENDROP,	/* ListenDrops */
	TCPFSM_MIB_NOROUTE,	/* IpOutNoRoutes and Ip6OutNoRoutes */
	TCPFSM_MIB_REQQFULL,	/* SYN: TCPReqQFullDrop: SYN queue full, no cookies */
	TCPFSM_MIB_DOCOOKIES,	/* SYN: TCPReqQFullDoCookies */
	TCPFSM_MIB_PASSIVEOPEN,	/* ACK, COOKIE: TcpPassiveOpens */
	TCPFSM_MIB_DEFER,	/* ACK: TCPDeferAcceptDrop */
	TCPFSM_MIB_PAWS,	/* ACK: PAWSEstab */
	TCPFSM_MIB_TSECR,	/* ACK: TSEcrRejected, from 6.15 on */
	TCPFSM_MIB_COOKIEFAIL,	/* COOKIE: SyncookiesFailed */
	TCPFSM_MIB_COOKIERECV,	/* COOKIE: SyncookiesRecv */
	TCPFSM_MIB_NUM
};

enum tcpfsm_judged {
	TCPFSM_JUDGED_SYN,
	TCPFSM_JUDGED_ACK,
	TCPFSM_JUDGED_COOKIE,
};

/* What happens to a SYN in this order, though the last two are turned round before 5.11. */
enum tcpfsm_reached {
	TCPFSM_REACHED_NOTHING,
	TCPFSM_REACHED_SECURITY,	/* there was memory for a request */
	TCPFSM_REACHED_ROUTE6,		/* IPv6: whose errors are not all counted */
};

/**
 * struct tcpfsm_judging - a listener judges a segment
 * @skb: segment; NULL: none.  The verdict is complete when this skb is freed,
 *	 in the caller of the function that judged it, or earlier when another
 *	 probe has seen it
 * @transport: its transport header, to recognise it again
 * @began: jiffies when judging began: what is found long after may point to
 *	   freed memory
 * @listener: that judges
 * @counts: its counters on this CPU
 * @req: the request socket @skb belongs to (third ACK)
 * @conn: cookie of @req
 * @kind: what @skb is, enum tcpfsm_judged
 * @gone: @req was removed from the SYN queue
 * @reset: an RST answered @skb
 * @reached: how far a SYN came, enum tcpfsm_reached
 * @mib: this CPU's counters when judging began, enum tcpfsm_mib
 */
struct tcpfsm_judging {
	const struct sk_buff *skb;
	const void *transport;
	unsigned long began;
	struct sock *listener;
	struct tcpfsm_counts *counts;
	const struct request_sock *req;
	u64 conn;
	u8 kind;
	bool gone;
	bool reset;
	u8 reached;
	unsigned long mib[TCPFSM_MIB_NUM];
};

/**
 * struct tcpfsm_cloning - inet_csk_clone_lock() just made a full socket
 * @sk: it; NULL: none
 * @listener: cookie of the listener it was made from
 * @conn: cookie of its request socket, or 0
 */
struct tcpfsm_cloning {
	const struct sock *sk;
	u64 listener;
	u64 conn;
};

/**
 * struct tcpfsm_joining - a connection just joined an accept queue
 * @sk: it; NULL: none
 * @at: when
 * @queues: of its listener then
 */
struct tcpfsm_joining {
	const struct sock *sk;
	u64 at;
	struct tcpfsm_queues queues;
};

/**
 * struct tcpfsm_closing - a full socket becomes a mini-socket, or is denied one
 * @sk: inside tcp_time_wait() without a mini-socket yet; NULL: none
 * @overflows: TCPTimeWaitOverflow of this CPU then
 * @state: substate it asked for
 * @entered: full socket whose mini-socket was just made, about to close
 * @substate: of that mini-socket
 * @flags: TCPFSM_F_SAME_SEGMENT, TCPFSM_F_TIMESTAMPS
 * @fin_wait2: full socket that moved to FIN_WAIT2 last
 * @stamp: its tcp_clock_cache then: tcp_rcv_state_process() renews it with
 *	   every segment, so it names the segment
 */
struct tcpfsm_closing {
	const struct sock *sk;
	unsigned long overflows;
	u8 state;
	u8 substate;
	u8 flags;
	const struct sock *entered;
	const struct sock *fin_wait2;
	u64 stamp;
};

/**
 * struct tcpfsm_touching - a segment or connect() is at a mini-socket
 * @tw: it; NULL: none
 * @task: in connect(); NULL for a segment
 * @action: what its end would mean, enum tcpfsm_tw_action
 * @substate: its substate when the segment came
 * @at: jiffies then
 */
struct tcpfsm_touching {
	const struct inet_timewait_sock *tw;
	const struct task_struct *task;
	unsigned long at;
	u8 action;
	u8 substate;
};

/**
 * struct tcpfsm_dying - inet_twsk_deschedule_put() ends a mini-socket
 * @tw: it; NULL: none
 * @at: jiffies then
 * @action: why, enum tcpfsm_tw_action
 */
struct tcpfsm_dying {
	const struct inet_timewait_sock *tw;
	unsigned long at;
	u8 action;
};

/**
 * struct tcpfsm_ctx - the notes of one CPU
 * @judge: see struct tcpfsm_judging
 * @icmp: request socket that an ICMP error is about to kill
 * @clone: see struct tcpfsm_cloning
 * @join: see struct tcpfsm_joining
 * @closing: see struct tcpfsm_closing
 * @touch: see struct tcpfsm_touching
 * @dying: see struct tcpfsm_dying
 * @unjudged: segments whose verdict was not seen, since load
 * @opening: full socket in SYN_SENT whose port is not chosen yet, see
 *	     hook_state.c; other CPUs may take it, so it has its own cache line
 */
struct tcpfsm_ctx {
	struct tcpfsm_judging judge;
	const struct request_sock *icmp;
	struct tcpfsm_cloning clone;
	struct tcpfsm_joining join;
	struct tcpfsm_closing closing;
	struct tcpfsm_touching touch;
	struct tcpfsm_dying dying;
	u64 unjudged;
	const struct sock *opening ____cacheline_aligned_in_smp;
};

DECLARE_PER_CPU_ALIGNED(struct tcpfsm_ctx, tcpfsm_ctx);

/* A gap in the story; while hooks come and go there are many, and nobody expects a story. */
static inline void tcpfsm_unjudged(struct tcpfsm_ctx *ctx)
{
	if (this_cpu_read(tcpfsm_listener_cpu.armed))
		ctx->unjudged++;
}

/* ---- a segment is judged: tcpfsm_judge_begin() is in hook_request.c ---------- */

/* The verdict has been seen, or the judged segment is not there any more. */
static __always_inline void tcpfsm_judge_end(struct tcpfsm_judging *judge)
{
	judge->skb = NULL;
}

/* Is @judge about this third ACK? */
static __always_inline bool tcpfsm_judges(const struct tcpfsm_judging *judge,
					  const struct request_sock *req)
{
	return judge->skb && judge->req == req;
}

/* ---- a child is made ------------------------------------------------------------- */

/* @child still is a copy of the listener, cookie included. */
static __always_inline void tcpfsm_clone_begin(struct tcpfsm_ctx *ctx, const struct sock *child)
{
	if (unlikely(ctx->clone.sk))
		tcpfsm_unjudged(ctx);
	ctx->clone.sk = child;
	ctx->clone.listener = atomic64_read(&child->sk_cookie);
	ctx->clone.conn = ctx->judge.skb && ctx->judge.req ? ctx->judge.conn : 0;
}

/* Its next change of state.  Return: is it one? */
static __always_inline bool tcpfsm_clone_end(struct tcpfsm_ctx *ctx, const struct sock *sk)
{
	if (ctx->clone.sk != sk)
		return false;
	ctx->clone.sk = NULL;
	return true;
}

/* ---- a child joins the accept queue ------------------------------------------------ */

static __always_inline void tcpfsm_join_begin(struct tcpfsm_joining *join,
					      const struct sock *child,
					      const struct tcpfsm_queues *queues, u64 now)
{
	join->queues = *queues;
	join->sk = child;
	join->at = now;
}

/* It becomes ESTABLISHED.  Return: is it one? */
static __always_inline bool tcpfsm_join_end(struct tcpfsm_joining *join, const struct sock *sk)
{
	if (join->sk != sk)
		return false;
	join->sk = NULL;
	return true;
}

/* ---- a full socket becomes a mini-socket ------------------------------------------- */

static __always_inline void tcpfsm_closing_begin(struct tcpfsm_closing *closing,
						 const struct sock *sk, u8 state,
						 unsigned long overflows)
{
	closing->sk = sk;
	closing->state = state;
	closing->overflows = overflows;
}

/* It closes or has its mini-socket.  Return: was it inside tcp_time_wait()? */
static __always_inline bool tcpfsm_closing_end(struct tcpfsm_closing *closing,
					       const struct sock *sk)
{
	if (likely(closing->sk != sk))
		return false;
	closing->sk = NULL;
	return true;
}

static __always_inline void tcpfsm_entered_begin(struct tcpfsm_closing *closing,
						 const struct sock *sk, u8 substate, u8 flags)
{
	closing->entered = sk;
	closing->substate = substate;
	closing->flags = flags;
}

/* It closes.  Return: did it just become a mini-socket? */
static __always_inline bool tcpfsm_entered_end(struct tcpfsm_closing *closing,
					       const struct sock *sk)
{
	if (closing->entered != sk)
		return false;
	closing->entered = NULL;
	return true;
}

/* ---- a mini-socket is met, and ends --------------------------------------------- */

static __always_inline void tcpfsm_touch_begin(struct tcpfsm_touching *touch,
					       const struct inet_timewait_sock *tw, u8 action,
					       const struct task_struct *task)
{
	touch->tw = tw;
	touch->action = action;
	touch->task = task;
	touch->at = jiffies;
}

/*
 * By whom the note was left, or it is stale: a kworker purges on this CPU, and ss -K ends what
 * a segment has met before.  Busy polling brings segments to a task.
 * Return: the action, or 0.
 */
static __always_inline u8 tcpfsm_touch_end(struct tcpfsm_touching *touch,
					   const struct inet_timewait_sock *tw)
{
	bool mine = touch->tw == tw &&
		    (touch->task ? touch->task == current :
		     in_serving_softirq() || (touch->at == jiffies && check_net(twsk_net(tw))));

	touch->tw = NULL;
	return mine ? touch->action : 0;
}

static __always_inline void tcpfsm_dying_begin(struct tcpfsm_dying *dying,
					       const struct inet_timewait_sock *tw, u8 action)
{
	dying->tw = tw;
	dying->at = jiffies;
	dying->action = action;
}

/*
 * It ends.  @early: before its timer, which never runs early; a moment may be
 * long where the hypervisor takes the CPU away.  Return: the action, or 0.
 */
static __always_inline u8 tcpfsm_dying_end(struct tcpfsm_dying *dying,
					   const struct inet_timewait_sock *tw, bool early)
{
	bool mine = dying->tw == tw && (early || time_before(jiffies, dying->at + 2));

	dying->tw = NULL;
	return mine ? dying->action : 0;
}

#endif /* TCPFSM_NOTE_H */
