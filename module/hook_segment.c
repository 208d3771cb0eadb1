// SPDX-License-Identifier: GPL-2.0-only
/* Segments that explain a state change: retransmits and resets. */
#include <linux/minmax.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/tcp.h>

#include "hooks.h"

/**
 * tcpfsm_on_retransmit() - tracepoint tcp:tcp_retransmit_skb
 * @TCPFSM_RETRANSMIT_ARGS: see compat.h
 *
 * @sk is a full socket, @skb was sent again just now.  Context: any but NMI.
 */
void tcpfsm_on_retransmit(TCPFSM_RETRANSMIT_ARGS)
{
	u8 tcp_flags = TCP_SKB_CB(skb)->tcp_flags;
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (TCPFSM_RETRANSMIT_ERROR)
		return;
	if (tcp_flags & TCPHDR_SYN)
		tcpfsm_listener_net_inc(sock_net(sk), TCPFSM_TOTAL_SYN_RETRANSMIT);
	rec = tcpfsm_record_sock(TCPFSM_TYPE_RETRANSMIT, sk, &flags);
	rec->old_state = sk->sk_state;
	if (tcp_flags & TCPHDR_SYN)
		rec->verdict = tcp_flags & TCPHDR_ACK ? TCPFSM_SEGMENT_SYNACK :
							TCPFSM_SEGMENT_SYN;
	else if (tcp_flags & TCPHDR_FIN)
		rec->verdict = TCPFSM_SEGMENT_FIN;
	else
		rec->verdict = TCPFSM_SEGMENT_DATA;
	/* Counts time-outs; a fast retransmit is the first of its kind. */
	rec->arg = max_t(u8, inet_csk(sk)->icsk_retransmits, 1);
	rec->snd = TCP_SKB_CB(skb)->seq;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_receive_reset() - tracepoint tcp:tcp_receive_reset
 * @TCPFSM_RECEIVE_RESET_ARGS: see compat.h
 *
 * @sk is a full socket, about to close.  Context: any but NMI.
 */
void tcpfsm_on_receive_reset(TCPFSM_RECEIVE_RESET_ARGS)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_RESET, sk, &flags);
	rec->old_state = sk->sk_state;
	rec->verdict = TCPFSM_DIRECTION_RECEIVED;
	tcpfsm_record_done(rec, flags);
}

static bool answers_segment(const struct sock *sk, const struct sk_buff *skb)
{
	/* The early returns of tcp_v4_send_reset() and tcp_v6_send_reset(). */
	if (tcp_hdr(skb)->rst)
		return false;
	if (sk)
		return true;
#if IS_ENABLED(CONFIG_IPV6)
	if (skb->protocol == htons(ETH_P_IPV6))
		return ipv6_unicast_destination(skb);
#endif
	return skb_rtable(skb)->rt_type == RTN_LOCAL;
}

/**
 * tcpfsm_on_send_reset() - tcp_v4_send_reset(sk, skb, [reason]), tcp_v6_send_reset()
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * An RST answers @skb.  @sk is what @skb met: a full socket, a listener (also
 * on behalf of a request), a mini-socket, or NULL.  The tracepoint
 * tcp:tcp_send_reset misses all but the first before 6.10.
 * Context: softirqs off, or the owner's backlog.
 */
void tcpfsm_on_send_reset(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	const struct sk_buff *skb = TCPFSM_ARG(1);
	struct tcpfsm_record *rec;
	unsigned long flags;
	u8 reason = TCPFSM_RST_REASON(TCPFSM_ARG_INT(2));
	u8 state = TCP_CLOSE;
	struct net *net;
	u64 conn = 0;

	if (!answers_segment(sk, skb))
		return;
	if (sk)
		state = inet_sk_state_load(sk);
	switch (state) {
	case TCP_TIME_WAIT:
		rec = tcpfsm_record_timewait(TCPFSM_TYPE_RESET, inet_twsk(sk),
					     &flags);
		state = rec->old_state;
		rec->new_state = 0;
		break;
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_NEW_SYN_RECV:
		if (this_cpu_read(tcpfsm_ctx.judge.skb) == skb) {
			this_cpu_write(tcpfsm_ctx.judge.reset, true);
			conn = this_cpu_read(tcpfsm_ctx.judge.conn);
			if (conn)
				state = TCP_SYN_RECV;
		}
		net = sk ? sock_net(sk) : dev_net(skb_dst(skb)->dev);
		if (!tcpfsm_record_told(net, TCPFSM_TYPE_RESET))
			return;
		rec = tcpfsm_record_segment(TCPFSM_TYPE_RESET, net, skb, NULL, &flags);
		rec->conn = conn;
		break;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		/* The socket stays, and so may the peer that sends what it cannot mean. */
		if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_RESET))
			return;
		fallthrough;
	default:
		rec = tcpfsm_record_sock(TCPFSM_TYPE_RESET, sk, &flags);
	}
	/* So much is seen on any kernel. */
	if (!reason && !sk)
		reason = TCPFSM_RST_NO_SOCKET;
	else if (!reason && inet_sk_state_load(sk) == TCP_TIME_WAIT)
		reason = TCPFSM_RST_TIME_WAIT;
	rec->old_state = state;
	rec->verdict = TCPFSM_DIRECTION_SENT;
	rec->reason = reason;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_active_reset() - tcp_send_active_reset(sk, [reason])
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * This end gives the connection up.  Context: any but NMI.
 */
void tcpfsm_on_active_reset(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_sock(TCPFSM_TYPE_RESET, sk, &flags);
	rec->old_state = sk->sk_state;
	rec->verdict = TCPFSM_DIRECTION_SENT;
	rec->reason = TCPFSM_RST_REASON(TCPFSM_ARG_INT(1));
	/* tcp_disconnect() gives one reason to __tcp_close() and to connect(AF_UNSPEC). */
	if (rec->reason == TCPFSM_RST_STATE && sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime &&
	    sk->sk_shutdown == SHUTDOWN_MASK)
		rec->reason = TCPFSM_RST_LINGER;
	tcpfsm_record_done(rec, flags);
}
