// SPDX-License-Identifier: GPL-2.0
/*
 * The passive open, which the tracepoint shows only when it is over: the SYN
 * and its fate, the SYN-ACK again, the third ACK and its fate, the death of a
 * request socket.
 *
 * A listener judges a segment in tcp_conn_request(), tcp_check_req() or
 * cookie_v[46]_check().  The good outcomes are seen where they happen, at the
 * entry of another function.  A refusal is seen when the segment is freed,
 * right after the judging function returned: what this CPU's counters of the
 * netns have moved by since its entry belongs to this segment, as softirqs
 * are off.  That costs an accepted segment no return probe.
 */
#include <linux/minmax.h>
#include <net/inet_connection_sock.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "hooks.h"

static const u8 mib_index[] = {
	[TCPFSM_MIB_OVERFLOW]	= LINUX_MIB_LISTENOVERFLOWS,
	[TCPFSM_MIB_LISTENDROP]	= LINUX_MIB_LISTENDROPS,
	[TCPFSM_MIB_REQQFULL]	= LINUX_MIB_TCPREQQFULLDROP,
	[TCPFSM_MIB_COOKIEFAIL]	= LINUX_MIB_SYNCOOKIESFAILED,
	[TCPFSM_MIB_DEFER]	= LINUX_MIB_TCPDEFERACCEPTDROP,
};

static __always_inline void read_mibs(unsigned long *to, const struct net *net)
{
	const unsigned long *mibs = this_cpu_ptr(net->mib.net_statistics)->mibs;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mib_index); i++)
		to[i] = mibs[mib_index[i]];
	/* Incremented by inet_csk_route_req() and ip6_dst_lookup_tail(). */
	to[TCPFSM_MIB_NOROUTE] =
		this_cpu_ptr(net->mib.ip_statistics)->mibs[IPSTATS_MIB_OUTNOROUTES];
#if IS_ENABLED(CONFIG_IPV6)
	to[TCPFSM_MIB_NOROUTE] +=
		this_cpu_ptr(net->mib.ipv6_statistics)->mibs[IPSTATS_MIB_OUTNOROUTES];
#endif
}

static __always_inline struct tcpfsm_ctx *
judge_begin(enum tcpfsm_judged kind, struct sock *listener,
	    const struct sk_buff *skb)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);

	if (unlikely(ctx->skb))
		ctx->unjudged++;
	ctx->skb = skb;
	ctx->transport = skb_transport_header(skb);
	ctx->listener = listener;
	ctx->kind = kind;
	ctx->req = NULL;
	ctx->conn = 0;
	ctx->gone = false;
	ctx->reset = false;
	read_mibs(ctx->mib, sock_net(listener));
	return ctx;
}

/**
 * tcpfsm_on_conn_request() - tcp_conn_request(rsk_ops, af_ops, sk, skb): a SYN
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Context: softirqs off, RCU read side.
 */
void tcpfsm_on_conn_request(TCPFSM_FUNCTION_ARGS)
{
	judge_begin(TCPFSM_JUDGED_SYN, TCPFSM_ARG(2), TCPFSM_ARG(3));
}

/**
 * tcpfsm_on_make_synack() - tcp_make_synack(sk, dst, req, foc, type, syn_skb)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The answer to a SYN: the request is in the SYN queue by now, or a cookie or
 * Fast Open made that unnecessary.  @syn_skb is NULL for a retransmission.
 * Context: softirqs off.
 */
void tcpfsm_on_make_synack(TCPFSM_FUNCTION_ARGS)
{
	const struct sk_buff *syn_skb = TCPFSM_ARG(5);
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct request_sock *req = TCPFSM_ARG(2);
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;

	if (!syn_skb || ctx->skb != syn_skb || ctx->kind != TCPFSM_JUDGED_SYN)
		return;
	ctx->skb = NULL;

	tcpfsm_queues_read(&q, ctx->listener);
	switch (TCPFSM_ARG_INT(4)) {
	case TCP_SYNACK_COOKIE:
		/* The request is about to be freed: no connection yet. */
		rec = tcpfsm_record_segment(TCPFSM_TYPE_SYN,
					    sock_net(ctx->listener), syn_skb,
					    &q, &flags);
		rec->snd = tcp_rsk(req)->snt_isn;
		rec->verdict = TCPFSM_VERDICT_COOKIE;
		/* tcp_syncookies=2 sends them always. */
		rec->reason = q.synq < q.backlog ? TCPFSM_REASON_OTHER :
						   TCPFSM_REASON_SYNQ_FULL;
		break;
	case TCP_SYNACK_FASTOPEN:
		rec = tcpfsm_record_sock(TCPFSM_TYPE_SYN, TCPFSM_ARG(0), &flags);
		tcpfsm_record_queues(rec, &q);
		/* Made by inet_csk_clone_lock() on the way here. */
		rec->flags |= TCPFSM_F_CLONE;
		ctx->clone = NULL;
		/* Cloned before either had one: a SYN-ACK again shall have the child's. */
		if (!atomic64_read(&inet_rsk(req)->ir_cookie))
			atomic64_set(&inet_rsk(req)->ir_cookie, rec->conn);
		rec->snd = tcp_rsk(req)->snt_isn;
		rec->rcv = tcp_rsk(req)->rcv_isn;
		rec->verdict = TCPFSM_VERDICT_QUEUED;
		break;
	default:
		rec = tcpfsm_record_request(TCPFSM_TYPE_SYN, req, &q, &flags);
		rec->verdict = TCPFSM_VERDICT_QUEUED;
	}
	rec->old = TCP_LISTEN;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_check_req() - tcp_check_req(sk, skb, req, fastopen, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A segment for a request socket.  With @fastopen the child exists already and
 * the segment is its own affair.  Context: softirqs off, RCU read side.
 */
void tcpfsm_on_check_req(TCPFSM_FUNCTION_ARGS)
{
	const struct request_sock *req = TCPFSM_ARG(2);
	struct tcpfsm_ctx *ctx;

	if (TCPFSM_ARG_INT(3) & 0xff)
		return;
	ctx = judge_begin(TCPFSM_JUDGED_ACK, TCPFSM_ARG(0), TCPFSM_ARG(1));
	ctx->req = req;
	ctx->conn = tcpfsm_cookie(&req->__req_common);
}

/**
 * tcpfsm_on_cookie_check() - cookie_v4_check(sk, skb), cookie_v6_check(sk, skb)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A segment without SYN that met a listener and no request socket.
 * Context: softirqs off, RCU read side.
 */
void tcpfsm_on_cookie_check(TCPFSM_FUNCTION_ARGS)
{
	judge_begin(TCPFSM_JUDGED_COOKIE, TCPFSM_ARG(0), TCPFSM_ARG(1));
}

static void joins_accept_queue(struct tcpfsm_ctx *ctx, struct sock *listener,
			       const struct sock *child)
{
	tcpfsm_queues_read(&ctx->queues, listener);
	ctx->queues.acceptq++;
	ctx->child = child;
	ctx->skb = NULL;
}

/**
 * tcpfsm_on_hashdance() - inet_csk_complete_hashdance(sk, child, req, own_req)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The third ACK was good.  Not @own_req: another CPU was faster.  The state
 * change that follows carries the record.  Context: softirqs off.
 */
void tcpfsm_on_hashdance(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);

	if (!ctx->skb || ctx->req != TCPFSM_ARG(2) ||
	    !(TCPFSM_ARG_INT(3) & 0xff))
		return;
	joins_accept_queue(ctx, TCPFSM_ARG(0), TCPFSM_ARG(1));
	/* The request is still counted. */
	if (ctx->queues.synq)
		ctx->queues.synq--;
}

/**
 * tcpfsm_on_queue_add() - inet_csk_reqsk_queue_add(sk, req, child)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Called by tcp_get_cookie_sock(): the ACK brought a valid cookie.  Also by
 * tcp_conn_request() for Fast Open, and maybe by the hashdance: not judged any
 * more then.  Context: softirqs off.
 */
void tcpfsm_on_queue_add(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);

	if (ctx->skb && ctx->kind == TCPFSM_JUDGED_COOKIE)
		joins_accept_queue(ctx, TCPFSM_ARG(0), TCPFSM_ARG(2));
}

static enum tcpfsm_gone why_gone(struct tcpfsm_ctx *ctx, struct sock *listener,
				 const struct request_sock *req)
{
	if (ctx->skb && ctx->req == req) {
		ctx->gone = true;
		return tcp_hdr(ctx->skb)->rst ? TCPFSM_GONE_RCV_RST :
						TCPFSM_GONE_SND_RST;
	}
	if (!check_net(sock_net(listener)))
		return TCPFSM_GONE_NETNS_EXIT;
	if (inet_sk_state_load(listener) != TCP_LISTEN)
		return TCPFSM_GONE_CLOSE;
	/* The request's timer, or else tcp_abort() from process context. */
	return in_serving_softirq() ? TCPFSM_GONE_TIMEOUT : TCPFSM_GONE_ABORT;
}

/**
 * tcpfsm_on_queue_drop() - [__]inet_csk_reqsk_queue_drop(sk, req, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A request leaves the SYN queue, as a connection or for good.
 * Context: softirqs off.
 */
void tcpfsm_on_queue_drop(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct request_sock *req = TCPFSM_ARG(1);
	struct sock *listener = TCPFSM_ARG(0);
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;
	u8 why;

	if (ctx->req == req && ctx->child) {
		ctx->req = NULL;
		return;
	}
	/* Another CPU removed it, or it never was in the table. */
	if (!sk_hashed(req_to_sk(req)))
		return;
	why = why_gone(ctx, listener, req);
	tcpfsm_queues_read(&q, listener);
	if (q.synq)
		q.synq--;
	rec = tcpfsm_record_request(TCPFSM_TYPE_REQUEST_GONE, req, &q, &flags);
	rec->verdict = why;
	rec->old = TCP_SYN_RECV;
	rec->new = TCP_CLOSE;
	tcpfsm_record_done(rec, flags);
}

/* The last-quarter rule of tcp_conn_request(), which has no counter. */
static bool in_last_quarter(const struct net *net, const struct sock *listener)
{
	int max = READ_ONCE(net->ipv4.sysctl_max_syn_backlog);

	return !READ_ONCE(net->ipv4.sysctl_tcp_syncookies) &&
	       max - inet_csk_reqsk_queue_len(listener) < (max >> 2);
}

static u8 why_refused(const struct tcpfsm_ctx *ctx, const unsigned long *now)
{
	const struct net *net = sock_net(ctx->listener);

#define MOVED(which)	(now[TCPFSM_MIB_##which] != ctx->mib[TCPFSM_MIB_##which])
	if (MOVED(COOKIEFAIL))
		return TCPFSM_REASON_COOKIE_INVALID;
	if (MOVED(OVERFLOW))
		return TCPFSM_REASON_ACCEPTQ_FULL;
	if (MOVED(REQQFULL))
		return TCPFSM_REASON_SYNQ_FULL;
	if (MOVED(DEFER))
		return TCPFSM_REASON_DEFER_ACCEPT;
	if (MOVED(NOROUTE))
		return TCPFSM_REASON_NO_ROUTE;
	if (!MOVED(LISTENDROP))
		return TCPFSM_REASON_OTHER;
#undef MOVED
	if (ctx->kind == TCPFSM_JUDGED_SYN)
		return in_last_quarter(net, ctx->listener) ?
			TCPFSM_REASON_LAST_QUARTER : TCPFSM_REASON_OTHER;
	/* tcp_v4_syn_recv_sock() had a route and an empty place. */
	return TCPFSM_REASON_NO_MEMORY;
}

static void judge_end(const struct sk_buff *skb)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	unsigned long now[TCPFSM_MIB_NUM];
	struct tcpfsm_record *rec;
	const struct tcphdr *th;
	struct tcpfsm_queues q;
	unsigned long flags;
	u8 reason;

	ctx->skb = NULL;
	/* The same address with other contents: the segment itself is gone. */
	if (!skb_transport_header_was_set(skb) ||
	    skb_transport_header(skb) != ctx->transport) {
		ctx->unjudged++;
		return;
	}
	th = tcp_hdr(skb);
	read_mibs(now, sock_net(ctx->listener));
	reason = why_refused(ctx, now);

	switch (ctx->kind) {
	case TCPFSM_JUDGED_ACK:
		/* A SYN again, or an RST: seen as retransmit or request_gone. */
		if (!th->ack || th->syn || th->rst)
			return;
		break;
	case TCPFSM_JUDGED_COOKIE:
		/* No cookies were out: the RST that follows tells it. */
		if (reason == TCPFSM_REASON_OTHER)
			return;
		break;
	}
	tcpfsm_queues_read(&q, ctx->listener);
	rec = tcpfsm_record_segment(ctx->kind == TCPFSM_JUDGED_SYN ?
				    TCPFSM_TYPE_SYN : TCPFSM_TYPE_ACK,
				    sock_net(ctx->listener), skb, &q, &flags);
	rec->conn = ctx->conn;
	rec->verdict = ctx->reset || ctx->gone ? TCPFSM_VERDICT_RESET :
						 TCPFSM_VERDICT_DROPPED;
	rec->reason = reason;
	rec->old = ctx->kind == TCPFSM_JUDGED_ACK ? TCP_SYN_RECV : TCP_LISTEN;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_consume_skb() - a segment is freed after use
 * @TCPFSM_CONSUME_SKB_ARGS: see hooks.h
 *
 * tcp_rcv_state_process() does so with every SYN that a listener has judged,
 * whatever the verdict.  Context: any.
 */
void tcpfsm_on_consume_skb(TCPFSM_CONSUME_SKB_ARGS)
{
	if (unlikely(this_cpu_read(tcpfsm_ctx.skb) == skb))
		judge_end(skb);
}

/**
 * tcpfsm_on_kfree_skb() - a segment is dropped
 * @TCPFSM_KFREE_SKB_ARGS: see hooks.h
 *
 * tcp_v4_rcv() and tcp_v4_do_rcv() do so with an ACK that was refused.
 * Context: any.
 */
void tcpfsm_on_kfree_skb(TCPFSM_KFREE_SKB_ARGS)
{
	if (unlikely(this_cpu_read(tcpfsm_ctx.skb) == skb))
		judge_end(skb);
}

/**
 * tcpfsm_on_retransmit_synack() - tracepoint tcp:tcp_retransmit_synack
 * @data: unused
 * @sk: listener; for Fast Open the child
 * @req: its request socket; num_retrans does not count this one yet
 *
 * Context: softirqs off.
 */
void tcpfsm_on_retransmit_synack(void *data, const struct sock *sk,
				 const struct request_sock *req)
{
	struct tcpfsm_queues q = {};
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (inet_sk_state_load(sk) == TCP_LISTEN)
		tcpfsm_queues_read(&q, sk);
	rec = tcpfsm_record_request(TCPFSM_TYPE_RETRANSMIT, req, &q, &flags);
	rec->verdict = TCPFSM_SEGMENT_SYNACK;
	rec->arg = min(req->num_retrans + 1, 255);
	rec->old = TCP_SYN_RECV;
	tcpfsm_record_done(rec, flags);
}
