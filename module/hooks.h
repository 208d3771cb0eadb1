/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks: where the module looks.  hooks.c holds the one table; the probes are
 * in hook_*.c, one file per family.
 */
#ifndef TCPFSM_HOOKS_H
#define TCPFSM_HOOKS_H

#include <linux/ftrace.h>
#include <linux/percpu.h>

#include "compat/compat.h"
#include "listeners/listener.h"
#include "record.h"

#define TCPFSM_FUNCTION_ARGS struct ftrace_regs *fregs

/* Argument n (from 0) of the function that was entered. */
#define TCPFSM_ARG(n)	((void *)ftrace_regs_get_argument(fregs, n))
#define TCPFSM_ARG_INT(n) ((int)ftrace_regs_get_argument(fregs, n))

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
	TCPFSM_MIB_COOKIEFAIL,	/* COOKIE: SyncookiesFailed */
	TCPFSM_MIB_COOKIERECV,	/* COOKIE: SyncookiesRecv */
	TCPFSM_MIB_NUM
};

/**
 * struct tcpfsm_ctx - what one probe on this CPU leaves for a later one
 * @skb: segment that is being judged by a listener; NULL: none.  The verdict
 *	 is complete when this skb is freed, in the caller of the function
 *	 that judged it, or earlier when another probe has seen it
 * @transport: its transport header, to recognise it again
 * @began: jiffies when judging began: what is found long after may point to
 *	   freed memory
 * @listener: that judges
 * @entry: its place in the table of listeners, or NULL
 * @counts: its counters on this CPU
 * @req: the request socket it belongs to (third ACK)
 * @conn: cookie of @req
 * @kind: what @skb is, enum tcpfsm_judged
 * @gone: @req was removed from the SYN queue
 * @reset: an RST answered @skb
 * @icmp: request socket that an ICMP error is about to kill
 * @mib: this CPU's counters when judging began, enum tcpfsm_mib
 * @opening: full socket in SYN_SENT whose port is not chosen yet, see
 *	     hook_state.c; other CPUs may take it
 * @clone: full socket that inet_csk_clone_lock() just made
 * @clone_listener: cookie of the listener it was made from
 * @clone_conn: cookie of its request socket, or 0
 * @child: connection that just joined an accept queue
 * @joined: and when
 * @queues: of @child's listener at that instant
 * @entered: full socket whose mini-socket was just made, about to close
 * @entered_substate: of the mini-socket
 * @entered_flags: TCPFSM_F_SAME_SEGMENT, TCPFSM_F_TIMESTAMPS
 * @closing: full socket inside tcp_time_wait() without a mini-socket yet
 * @closing_overflows: TCPTimeWaitOverflow of this CPU then
 * @closing_state: substate it asked for
 * @fin_wait2: full socket that moved to FIN_WAIT2 last
 * @fin_wait2_stamp: its tcp_clock_cache then: tcp_rcv_state_process() renews
 *		     it with every segment, so it names the segment
 * @tw: mini-socket that a segment or connect() is at
 * @tw_task: task in connect(); NULL for a segment
 * @tw_action: what its end would mean, enum tcpfsm_tw_action
 * @tw_substate: its substate when the segment came
 * @dying: mini-socket in inet_twsk_deschedule_put()
 * @dying_at: jiffies then
 * @dying_action: why, enum tcpfsm_tw_action
 * @unjudged: segments whose verdict was not seen, since load
 *
 * What segments leave is used with softirqs off, when this CPU handles one at
 * a time.  All pointers are compared before they are believed.
 */
struct tcpfsm_ctx {
	const struct sk_buff *skb;
	const void *transport;
	unsigned long began;
	struct sock *listener;
	struct tcpfsm_listener *entry;
	struct tcpfsm_counts *counts;
	const struct request_sock *req;
	const struct request_sock *icmp;
	u64 conn;
	u8 kind;
	bool gone;
	bool reset;
	unsigned long mib[TCPFSM_MIB_NUM];

	const struct sock *opening;
	const struct sock *clone;
	u64 clone_listener;
	u64 clone_conn;
	const struct sock *child;
	u64 joined;
	struct tcpfsm_queues queues;

	const struct sock *entered;
	u8 entered_substate;
	u8 entered_flags;
	const struct sock *closing;
	unsigned long closing_overflows;
	u8 closing_state;
	const struct sock *fin_wait2;
	u64 fin_wait2_stamp;

	const struct inet_timewait_sock *tw;
	const struct task_struct *tw_task;
	u8 tw_action;
	u8 tw_substate;
	const struct inet_timewait_sock *dying;
	unsigned long dying_at;
	u8 dying_action;

	u64 unjudged;
};

enum tcpfsm_judged {
	TCPFSM_JUDGED_SYN,
	TCPFSM_JUDGED_ACK,
	TCPFSM_JUDGED_COOKIE,
};

DECLARE_PER_CPU_ALIGNED(struct tcpfsm_ctx, tcpfsm_ctx);

/* A gap in the story; while hooks come and go there are many, and nobody expects a story. */
static inline void tcpfsm_unjudged(struct tcpfsm_ctx *ctx)
{
	if (this_cpu_read(tcpfsm_listener_cpu.armed))
		ctx->unjudged++;
}

/* hook_state.c */
void tcpfsm_on_state(void *data, const struct sock *sk, const int oldstate,
		     const int newstate);
void tcpfsm_on_tcp_connect(TCPFSM_FUNCTION_ARGS);
extern bool tcpfsm_opens_wait;

/* hook_request.c */
void tcpfsm_on_conn_request(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_make_synack(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_check_req(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_cookie_check(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_hashdance(TCPFSM_FUNCTION_ARGS);
void tcpfsm_cookie_joined(struct tcpfsm_ctx *ctx, const struct sock *child);
void tcpfsm_on_queue_drop(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_req_err(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_synack_timeout(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_consume_skb(TCPFSM_CONSUME_SKB_ARGS);
void tcpfsm_on_kfree_skb(TCPFSM_KFREE_SKB_ARGS);
void tcpfsm_on_retransmit_synack(void *data, const struct sock *sk,
				 const struct request_sock *req);

/* hook_timewait.c */
void tcpfsm_on_time_wait(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_hashdance(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_segment(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_schedule(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_unique(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_deschedule(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_twsk_kill(TCPFSM_FUNCTION_ARGS);
bool tcpfsm_timewait_denied(const struct sock *sk);

/* hook_segment.c */
void tcpfsm_on_retransmit(TCPFSM_RETRANSMIT_ARGS);
void tcpfsm_on_receive_reset(void *data, struct sock *sk);
void tcpfsm_on_send_reset(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_active_reset(TCPFSM_FUNCTION_ARGS);

/* hook_call.c */
void tcpfsm_on_listen(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_accept(TCPFSM_FUNCTION_ARGS);
void tcpfsm_on_shutdown(TCPFSM_FUNCTION_ARGS);

int tcpfsm_hooks_attach(void);
void tcpfsm_hooks_detach(void);
void tcpfsm_hooks_info(struct tcpfsm_info *info);

#endif /* TCPFSM_HOOKS_H */
