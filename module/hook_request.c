// SPDX-License-Identifier: GPL-2.0-only
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

static __always_inline void read_mibs(unsigned long *to, const struct sock *listener,
				      enum tcpfsm_judged kind)
{
	const struct net *net = sock_net(listener);
	const unsigned long *mibs = this_cpu_ptr(net->mib.net_statistics)->mibs;

	to[TCPFSM_MIB_OVERFLOW] = mibs[LINUX_MIB_LISTENOVERFLOWS];
	to[TCPFSM_MIB_LISTENDROP] = mibs[LINUX_MIB_LISTENDROPS];
	/* Incremented by inet_csk_route_req() and ip6_dst_lookup_tail(). */
	to[TCPFSM_MIB_NOROUTE] =
		this_cpu_ptr(net->mib.ip_statistics)->mibs[IPSTATS_MIB_OUTNOROUTES];
#if IS_ENABLED(CONFIG_IPV6)
	/* There are none with ipv6.disable=1, and none before ipv6.ko is loaded. */
	if (listener->sk_family == AF_INET6 && likely(net->mib.ipv6_statistics))
		to[TCPFSM_MIB_NOROUTE] +=
			this_cpu_ptr(net->mib.ipv6_statistics)->mibs[IPSTATS_MIB_OUTNOROUTES];
#endif
	if (kind == TCPFSM_JUDGED_SYN) {
		to[TCPFSM_MIB_REQQFULL] = mibs[LINUX_MIB_TCPREQQFULLDROP];
		to[TCPFSM_MIB_DOCOOKIES] = mibs[LINUX_MIB_TCPREQQFULLDOCOOKIES];
		return;
	}
	to[TCPFSM_MIB_PASSIVEOPEN] =
		this_cpu_ptr(net->mib.tcp_statistics)->mibs[TCP_MIB_PASSIVEOPENS];
	if (kind == TCPFSM_JUDGED_ACK) {
		to[TCPFSM_MIB_DEFER] = mibs[LINUX_MIB_TCPDEFERACCEPTDROP];
		to[TCPFSM_MIB_PAWS] = mibs[LINUX_MIB_PAWSESTABREJECTED];
		to[TCPFSM_MIB_TSECR] = TCPFSM_READ_TSECR(mibs);
		return;
	}
	to[TCPFSM_MIB_COOKIEFAIL] = mibs[LINUX_MIB_SYNCOOKIESFAILED];
	to[TCPFSM_MIB_COOKIERECV] = mibs[LINUX_MIB_SYNCOOKIESRECV];
}

static __always_inline struct tcpfsm_judging *
judge_begin(enum tcpfsm_judged kind, struct sock *listener, const struct sk_buff *skb,
	    const struct request_sock *req, u64 conn)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct tcpfsm_judging *judge = &ctx->judge;

	if (unlikely(judge->skb && judge->skb != skb))
		tcpfsm_unjudged(ctx);
	judge->skb = skb;
	judge->transport = skb_transport_header(skb);
	judge->began = jiffies;
	judge->listener = listener;
	judge->counts = tcpfsm_listener_find(listener);
	judge->kind = kind;
	judge->req = req;
	judge->conn = conn;
	judge->gone = false;
	judge->reset = false;
	judge->reached = TCPFSM_REACHED_NOTHING;
	read_mibs(judge->mib, listener, kind);
	return judge;
}

/**
 * tcpfsm_on_conn_request() - tcp_conn_request(rsk_ops, af_ops, sk, skb): a SYN
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Context: softirqs off, RCU read side.
 */
void tcpfsm_on_conn_request(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *listener = TCPFSM_ARG(2);
	struct tcpfsm_counts *counts =
		judge_begin(TCPFSM_JUDGED_SYN, TCPFSM_ARG(2), TCPFSM_ARG(3), NULL, 0)->counts;

	counts->v[TCPFSM_TOTAL_SYN]++;
	tcpfsm_histogram_inc(counts, TCPFSM_TOTAL_SYNQ_LENGTH, inet_csk_reqsk_queue_len(listener));
	tcpfsm_histogram_inc(counts, TCPFSM_TOTAL_ACCEPTQ_LENGTH,
			     READ_ONCE(listener->sk_ack_backlog));
}

/* Security modules are asked about SYNs: seen once, so that never seen means something. */
static bool security_asked;

/**
 * tcpfsm_on_conn_security() - security_inet_conn_request(sk, skb, req)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A SYN has got a request.  What is refused from here on, and by no counter, a
 * security module refuses.  Context: softirqs off.
 */
void tcpfsm_on_conn_security(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_judging *judge = this_cpu_ptr(&tcpfsm_ctx.judge);

	if (judge->skb != TCPFSM_ARG(1))
		return;
	judge->reached = TCPFSM_REACHED_SECURITY;
	if (unlikely(!READ_ONCE(security_asked)))
		WRITE_ONCE(security_asked, true);
}

/**
 * tcpfsm_on_route6() - inet6_csk_route_req(sk, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * For a SYN, or for the SYN-ACK that answers it.  Context: softirqs off.
 */
void tcpfsm_on_route6(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_judging *judge = this_cpu_ptr(&tcpfsm_ctx.judge);

	if (judge->skb && judge->listener == TCPFSM_ARG(0))
		judge->reached = TCPFSM_REACHED_ROUTE6;
}

static u32 young(const struct sock *listener)
{
	return reqsk_queue_len_young(&inet_csk(listener)->icsk_accept_queue);
}

/* The request is about to be freed: there is no connection yet. */
static noinline void sends_cookie(const struct tcpfsm_judging *judge,
				  const struct request_sock *req, const struct sk_buff *syn_skb)
{
	struct tcpfsm_counts *counts = judge->counts;
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;

	counts->v[TCPFSM_TOTAL_SYN_COOKIE]++;
	counts->v[TCPFSM_TOTAL_COOKIE_WANTED]++;
	tcpfsm_refused_now(counts);
	if (!tcpfsm_refusal_told(counts, judge->listener))
		return;
	tcpfsm_queues_read(&q, judge->listener);
	rec = tcpfsm_record_segment(TCPFSM_TYPE_SYN, sock_net(judge->listener), syn_skb, &q,
				    &flags);
	rec->snd = tcp_rsk(req)->snt_isn;
	rec->verdict = TCPFSM_VERDICT_COOKIE;
	/* tcp_syncookies=2 sends them always. */
	rec->reason = inet_csk_reqsk_queue_is_full(judge->listener) ?
		TCPFSM_REASON_SYNQ_FULL : TCPFSM_REASON_OTHER;
	rec->old_state = TCP_LISTEN;
	rec->young = young(judge->listener);
	tcpfsm_record_done(rec, flags);
}

/* The child is there: made by inet_csk_clone_lock() on the way here. */
static noinline void queues_child(struct tcpfsm_ctx *ctx, const struct sock *child,
				  struct request_sock *req)
{
	struct tcpfsm_judging *judge = &ctx->judge;
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;

	judge->counts->v[TCPFSM_TOTAL_SYN_FASTOPEN]++;
	tcpfsm_clone_end(ctx, child);
	tcpfsm_queues_read(&q, judge->listener);
	rec = tcpfsm_record_sock(TCPFSM_TYPE_SYN, child, &flags);
	tcpfsm_record_queues(rec, &q);
	rec->flags |= TCPFSM_F_CLONE;
	/* Cloned before either had one: a SYN-ACK again shall have the child's. */
	atomic64_cmpxchg(&inet_rsk(req)->ir_cookie, 0, rec->conn);
	rec->snd = tcp_rsk(req)->snt_isn;
	rec->rcv = tcp_rsk(req)->rcv_isn;
	rec->verdict = TCPFSM_VERDICT_QUEUED;
	rec->old_state = TCP_LISTEN;
	rec->young = young(judge->listener);
	/* It joins the accept queue next. */
	q.acceptq++;
	tcpfsm_acceptq_grew(judge->counts, &q, tcpfsm_record_done(rec, flags));
}

static __always_inline void queues_request(struct tcpfsm_judging *judge,
					   const struct request_sock *req)
{
	struct tcpfsm_queues q TCPFSM_UNINITIALIZED;
	struct tcpfsm_record *rec;
	unsigned long flags;

	judge->counts->v[TCPFSM_TOTAL_SYN_QUEUED]++;
	tcpfsm_queues_read(&q, judge->listener);
	rec = tcpfsm_record_request(TCPFSM_TYPE_SYN, req, &q, &flags);
	rec->verdict = TCPFSM_VERDICT_QUEUED;
	rec->old_state = TCP_LISTEN;
	rec->young = young(judge->listener);
	tcpfsm_synq_grew(judge->counts, &q, tcpfsm_record_done(rec, flags));
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
	struct tcpfsm_judging *judge = &ctx->judge;
	struct request_sock *req = TCPFSM_ARG(2);

	if (!syn_skb || judge->skb != syn_skb || judge->kind != TCPFSM_JUDGED_SYN)
		return;
	tcpfsm_judge_end(judge);
	switch (TCPFSM_ARG_INT(4)) {
	case TCP_SYNACK_COOKIE:
		sends_cookie(judge, req, syn_skb);
		break;
	case TCP_SYNACK_FASTOPEN:
		queues_child(ctx, TCPFSM_ARG(0), req);
		break;
	default:
		queues_request(judge, req);
	}
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

	if (TCPFSM_ARG_INT(3) & 0xff)
		return;
	judge_begin(TCPFSM_JUDGED_ACK, TCPFSM_ARG(0), TCPFSM_ARG(1), req,
		    tcpfsm_cookie(&req->__req_common));
}

/**
 * tcpfsm_on_cookie_check() - cookie_v4_check(sk, skb), cookie_v6_check(sk, skb)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A segment without SYN that met a listener and no request socket; or one whose
 * ACK tcp_check_req() found wrong and gave back to the listener.
 * Context: softirqs off, RCU read side.
 */
void tcpfsm_on_cookie_check(TCPFSM_FUNCTION_ARGS)
{
	const struct tcpfsm_judging *judge = this_cpu_ptr(&tcpfsm_ctx.judge);
	const struct sk_buff *skb = TCPFSM_ARG(1);
	u64 conn = judge->skb == skb ? judge->conn : 0;

	judge_begin(TCPFSM_JUDGED_COOKIE, TCPFSM_ARG(0), skb, NULL, conn);
}

/* @q: its listener's queues with it in the one and not in the other. */
static __always_inline void joins_accept_queue(struct tcpfsm_ctx *ctx, const struct sock *child,
					       const struct tcpfsm_queues *q, u64 now)
{
	tcpfsm_join_begin(&ctx->join, child, q, now);
	tcpfsm_judge_end(&ctx->judge);
	tcpfsm_acceptq_grew(ctx->judge.counts, q, now);
}

/**
 * tcpfsm_on_hashdance() - inet_csk_complete_hashdance(sk, child, req, own_req)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The third ACK was good.  Not @own_req: another CPU was faster, its child gets
 * the segment.  The state change that follows carries the record.
 * Context: softirqs off.
 */
void tcpfsm_on_hashdance(TCPFSM_FUNCTION_ARGS)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	const struct request_sock *req = TCPFSM_ARG(2);
	struct tcpfsm_queues q TCPFSM_UNINITIALIZED;
	struct tcpfsm_counts *counts;
	u64 now, sent;

	if (!tcpfsm_judges(&ctx->judge, req))
		return;
	if (!(TCPFSM_ARG_INT(3) & 0xff)) {
		ctx->judge.counts->v[TCPFSM_TOTAL_CHILD_LOST]++;
		tcpfsm_judge_end(&ctx->judge);
		return;
	}
	/* Others may write in between with PREEMPT_RT, where softirqs are preempted. */
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		tcpfsm_ring_announce();
	now = ktime_get_mono_fast_ns();
	tcpfsm_queues_read(&q, TCPFSM_ARG(0));
	/* The child is not yet counted, and the request still is. */
	q.acceptq++;
	if (likely(q.synq))
		q.synq--;
	joins_accept_queue(ctx, TCPFSM_ARG(1), &q, now);
	counts = ctx->judge.counts;
	tcpfsm_synq_shrank(counts, &q, now);
	counts->v[TCPFSM_TOTAL_COMPLETED]++;
	if (unlikely(req->num_retrans))
		counts->v[TCPFSM_TOTAL_COMPLETED_LATE]++;
	sent = tcp_rsk(req)->snt_synack;
	if (likely(sent))
		tcpfsm_time_inc(counts, TCPFSM_TOTAL_HANDSHAKE_US, TCPFSM_TOTAL_HANDSHAKE_US_SUM,
				tcpfsm_us_since(now, sent));
}

/**
 * tcpfsm_cookie_joined() - a child made in this softirq becomes ESTABLISHED
 * @ctx: this CPU's
 * @child: in the accept queue, when the segment that is judged brought a cookie
 *
 * tcp_get_cookie_sock() has put it there.  Context: softirqs off.
 */
void tcpfsm_cookie_joined(struct tcpfsm_ctx *ctx, const struct sock *child)
{
	u64 *v = ctx->judge.counts->v;
	struct tcpfsm_queues q;

	tcpfsm_queues_read(&q, ctx->judge.listener);
	joins_accept_queue(ctx, child, &q, ktime_get_mono_fast_ns());
	v[TCPFSM_TOTAL_COOKIE_VALID]++;
	v[TCPFSM_TOTAL_COMPLETED_COOKIE]++;
}

/**
 * tcpfsm_on_req_err() - tcp_req_err(req, seq, abort): an ICMP error
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * It kills the request when it quotes its SYN-ACK and is meant to.
 * Context: softirqs off.
 */
void tcpfsm_on_req_err(TCPFSM_FUNCTION_ARGS)
{
	const struct request_sock *req = TCPFSM_ARG(0);

	if ((u32)TCPFSM_ARG_INT(1) == tcp_rsk(req)->snt_isn && (TCPFSM_ARG_INT(2) & 0xff))
		this_cpu_write(tcpfsm_ctx.icmp, req);
}

static enum tcpfsm_gone why_gone(struct tcpfsm_ctx *ctx, struct sock *listener,
				 const struct request_sock *req, bool icmp)
{
	if (icmp)
		return TCPFSM_GONE_ICMP;
	if (tcpfsm_judges(&ctx->judge, req)) {
		ctx->judge.gone = true;
		return tcp_hdr(ctx->judge.skb)->rst ? TCPFSM_GONE_RCV_RST :
						      TCPFSM_GONE_SND_RST;
	}
	if (!check_net(sock_net(listener)))
		return TCPFSM_GONE_NETNS_EXIT;
	if (inet_sk_state_load(listener) != TCP_LISTEN)
		return TCPFSM_GONE_CLOSE;
	/* The request's timer, or else tcp_abort() from process context. */
	return in_serving_softirq() ? TCPFSM_GONE_TIMEOUT : TCPFSM_GONE_ABORT;
}

static noinline void request_gone(struct tcpfsm_ctx *ctx, struct sock *listener,
				  struct request_sock *req)
{
	bool icmp = ctx->icmp == req;
	struct tcpfsm_record *rec;
	struct tcpfsm_counts *counts;
	struct tcpfsm_queues q;
	unsigned long flags;
	u8 why;

	ctx->icmp = NULL;
	if (!sk_hashed(req_to_sk(req))) {
		/*
		 * Another CPU removed it, or it never was in the table.  Or this segment made a
		 * child in its place that joins no accept queue: a subflow of an MPTCP connection
		 * (tcp_check_req(): rsk_drop_req()).
		 */
		if (tcpfsm_judges(&ctx->judge, req) && ctx->clone.sk) {
			ctx->judge.counts->v[TCPFSM_TOTAL_JOINED]++;
			tcpfsm_judge_end(&ctx->judge);
		}
		return;
	}
	why = why_gone(ctx, listener, req, icmp);
	tcpfsm_queues_read(&q, listener);
	if (q.synq)
		q.synq--;
	counts = tcpfsm_listener_find(listener);
	counts->v[TCPFSM_TOTAL_GONE + why]++;
	rec = tcpfsm_record_request(TCPFSM_TYPE_REQUEST_GONE, req, &q, &flags);
	rec->verdict = why;
	rec->old_state = TCP_SYN_RECV;
	rec->new_state = TCP_CLOSE;
	tcpfsm_synq_shrank(counts, &q, tcpfsm_record_done(rec, flags));
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

	if (likely(ctx->judge.req == req && ctx->join.sk))
		ctx->judge.req = NULL;
	else
		request_gone(ctx, TCPFSM_ARG(0), req);
}

/* The last-quarter rule of tcp_conn_request(), which has no counter. */
static bool in_last_quarter(const struct net *net, const struct sock *listener)
{
	int max = READ_ONCE(net->ipv4.sysctl_max_syn_backlog);

	return !READ_ONCE(net->ipv4.sysctl_tcp_syncookies) &&
	       max - inet_csk_reqsk_queue_len(listener) < (max >> 2);
}

/*
 * tcp_check_req(): the segment is outside of the window.  The request is still in the queue, or
 * its timer just took it out: then it may be another one's by now.
 */
static noinline bool out_of_window(const struct tcpfsm_judging *judge, const struct sk_buff *skb)
{
	const struct request_sock *req = judge->req;
	const struct tcphdr *th = tcp_hdr(skb);
	u32 from = READ_ONCE(tcp_rsk(req)->rcv_nxt), to = from + READ_ONCE(req->rsk_rcv_wnd);
	u32 seq = ntohl(th->seq), end = seq + skb->len - skb_transport_offset(skb) - 4 * th->doff;

	if (tcpfsm_cookie(&req->__req_common) != judge->conn)
		return false;
	return seq != from && !(after(end, from) && before(seq, to)) && !(seq == to && end == to);
}

static __always_inline bool moved(const struct tcpfsm_judging *judge, const unsigned long *now,
				  enum tcpfsm_mib which)
{
	return now[which] != judge->mib[which];
}

/* A SYN that moved ListenDrops and nothing else. */
static u8 why_uncounted(const struct tcpfsm_judging *judge)
{
	if (in_last_quarter(sock_net(judge->listener), judge->listener))
		return TCPFSM_REASON_LAST_QUARTER;
	if (judge->reached == TCPFSM_REACHED_SECURITY)
		return TCPFSM_REASON_SECURITY;
	if (judge->reached == TCPFSM_REACHED_NOTHING && READ_ONCE(security_asked))
		return TCPFSM_REASON_NO_MEMORY;
	return TCPFSM_REASON_OTHER;
}

static u8 why_refused(const struct tcpfsm_judging *judge, const unsigned long *now,
		      const struct sk_buff *skb)
{
	if (moved(judge, now, TCPFSM_MIB_OVERFLOW))
		return TCPFSM_REASON_ACCEPTQ_FULL;
	switch (judge->kind) {
	case TCPFSM_JUDGED_SYN:
		if (moved(judge, now, TCPFSM_MIB_REQQFULL))
			return TCPFSM_REASON_SYNQ_FULL;
		break;
	case TCPFSM_JUDGED_ACK:
		if (moved(judge, now, TCPFSM_MIB_DEFER))
			return TCPFSM_REASON_DEFER_ACCEPT;
		if (moved(judge, now, TCPFSM_MIB_PAWS))
			return TCPFSM_REASON_PAWS;
		if (moved(judge, now, TCPFSM_MIB_TSECR))
			return TCPFSM_REASON_TSECR;
		break;
	case TCPFSM_JUDGED_COOKIE:
		if (moved(judge, now, TCPFSM_MIB_COOKIEFAIL))
			return TCPFSM_REASON_COOKIE_INVALID;
		break;
	}
	if (moved(judge, now, TCPFSM_MIB_NOROUTE))
		return TCPFSM_REASON_NO_ROUTE;
	if (!moved(judge, now, TCPFSM_MIB_LISTENDROP)) {
		/* Every drop moves it; without that, inet_ehash_insert() found the same SYN. */
		if (judge->kind == TCPFSM_JUDGED_SYN)
			return TCPFSM_REASON_DUPLICATE;
		return judge->kind == TCPFSM_JUDGED_ACK && !judge->gone && out_of_window(judge, skb) ?
			TCPFSM_REASON_WINDOW : TCPFSM_REASON_OTHER;
	}
	if (judge->kind == TCPFSM_JUDGED_SYN)
		return why_uncounted(judge);
	/* tcp_v4_syn_recv_sock() had a route and an empty place. */
	return TCPFSM_REASON_NO_MEMORY;
}

/* Counts a refusal.  Return: is it one? */
static bool count_refused(const struct tcpfsm_judging *judge, const unsigned long *now,
			  const struct tcphdr *th, u8 verdict, u8 reason)
{
	u64 *v = judge->counts->v;

	switch (judge->kind) {
	case TCPFSM_JUDGED_SYN:
		if (moved(judge, now, TCPFSM_MIB_DOCOOKIES))
			v[TCPFSM_TOTAL_COOKIE_WANTED]++;
		if (reason == TCPFSM_REASON_DUPLICATE)
			v[TCPFSM_TOTAL_SYN_DUPLICATE]++;
		else
			v[TCPFSM_TOTAL_SYN_DROPPED + reason]++;
		return true;
	case TCPFSM_JUDGED_ACK:
		/* A SYN again, or an RST: seen as retransmit or request_gone. */
		if (!th->ack || th->syn || th->rst)
			return false;
		break;
	case TCPFSM_JUDGED_COOKIE:
		if (moved(judge, now, TCPFSM_MIB_COOKIERECV))
			v[TCPFSM_TOTAL_COOKIE_VALID]++;
		else if (reason == TCPFSM_REASON_OTHER && !judge->conn)
			/* No cookies were out: the RST that follows tells it. */
			return false;
		break;
	}
	if (moved(judge, now, TCPFSM_MIB_PASSIVEOPEN))
		v[TCPFSM_TOTAL_CHILD_LOST]++;
	v[(verdict == TCPFSM_VERDICT_RESET ? TCPFSM_TOTAL_ACK_RESET :
					     TCPFSM_TOTAL_ACK_DROPPED) + reason]++;
	return true;
}

static noinline void record_refused(const struct tcpfsm_judging *judge,
				    const struct sk_buff *skb, u8 verdict, u8 reason)
{
	struct net *net = sock_net(judge->listener);
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;

	tcpfsm_queues_read(&q, judge->listener);
	rec = tcpfsm_record_segment(judge->kind == TCPFSM_JUDGED_SYN ?
				    TCPFSM_TYPE_SYN : TCPFSM_TYPE_ACK, net, skb, &q, &flags);
	rec->conn = judge->conn;
	rec->verdict = verdict;
	rec->reason = reason;
	rec->old_state = judge->conn ? TCP_SYN_RECV : TCP_LISTEN;
	if (judge->kind == TCPFSM_JUDGED_SYN) {
		rec->snd = READ_ONCE(net->ipv4.sysctl_max_syn_backlog);
		rec->young = young(judge->listener);
	}
	tcpfsm_record_done(rec, flags);
}

static noinline void judge_end(const struct sk_buff *skb)
{
	struct tcpfsm_ctx *ctx = this_cpu_ptr(&tcpfsm_ctx);
	struct tcpfsm_judging *judge = &ctx->judge;
	/* Of each kind those are read that it is compared with. */
	unsigned long now[TCPFSM_MIB_NUM] TCPFSM_UNINITIALIZED;
	u8 verdict, reason;

	tcpfsm_judge_end(judge);
	/* The same address with other contents: the segment itself is gone. */
	if (!skb_transport_header_was_set(skb) ||
	    skb_transport_header(skb) != judge->transport ||
	    time_after(jiffies, judge->began + HZ)) {
		tcpfsm_unjudged(ctx);
		return;
	}
	read_mibs(now, judge->listener, judge->kind);
	reason = why_refused(judge, now, skb);
	verdict = judge->reset || judge->gone ? TCPFSM_VERDICT_RESET : TCPFSM_VERDICT_DROPPED;
	if (!count_refused(judge, now, tcp_hdr(skb), verdict, reason))
		return;
	/* With TCP_DEFER_ACCEPT, an ACK without data is as it should be. */
	if (reason != TCPFSM_REASON_DEFER_ACCEPT)
		tcpfsm_refused_now(judge->counts);
	if (tcpfsm_refusal_told(judge->counts, judge->listener))
		record_refused(judge, skb, verdict, reason);
}

/* The judging softirq is still at it; or a segment at the same address is freed by anybody. */
static __always_inline void judge_freed(const struct sk_buff *skb)
{
	tcpfsm_probe_begin();
	/* Preempted in between, it may be another CPU by now. */
	if (!TCPFSM_PROBES_PREEMPTIBLE || this_cpu_read(tcpfsm_ctx.judge.skb) == skb)
		judge_end(skb);
	tcpfsm_probe_end();
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
	if (unlikely(this_cpu_read(tcpfsm_ctx.judge.skb) == skb))
		judge_freed(skb);
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
	if (unlikely(this_cpu_read(tcpfsm_ctx.judge.skb) == skb))
		judge_freed(skb);
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
	tcpfsm_listener_find(req->rsk_listener)->v[TCPFSM_TOTAL_SYNACK_RETRANSMIT]++;
	rec = tcpfsm_record_request(TCPFSM_TYPE_RETRANSMIT, req, &q, &flags);
	rec->verdict = TCPFSM_SEGMENT_SYNACK;
	rec->arg = min(req->num_retrans + 1, 255);
	rec->old_state = TCP_SYN_RECV;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_synack_timeout() - tcp_syn_ack_timeout(req)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The timer of a request fired; whether the SYN-ACK is sent again is another
 * question.  Context: softirq.
 */
void tcpfsm_on_synack_timeout(TCPFSM_FUNCTION_ARGS)
{
	const struct request_sock *req = TCPFSM_ARG(0);

	tcpfsm_listener_find(req->rsk_listener)->v[TCPFSM_TOTAL_SYNACK_TIMEOUT]++;
}
