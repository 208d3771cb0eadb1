// SPDX-License-Identifier: GPL-2.0
#include <linux/sock_diag.h>
#include <net/inet_connection_sock.h>

#include "compat/compat.h"
#include "record.h"

static_assert(sizeof(struct tcpfsm_record) == 128);
static_assert(offsetof(struct tcpfsm_record, comm) == 112);

/**
 * tcpfsm_cookie_generate() - give a socket its cookie
 * @skc: common part of a full, request or mini-socket
 *
 * Context: any but NMI.
 */
u64 tcpfsm_cookie_generate(const struct sock_common *skc)
{
	u32 half[2];

	sock_diag_save_cookie(container_of((struct sock_common *)skc,
					   struct sock, __sk_common), half);
	return half[0] | (u64)half[1] << 32;
}

/**
 * tcpfsm_queues_read() - the queues of a listener as they are now
 * @q: to fill in
 * @listener: socket in TCP_LISTEN
 *
 * The SYN queue is limited by sk_max_ack_backlog as well, see
 * inet_csk_reqsk_queue_is_full().  Context: any but NMI.
 */
void tcpfsm_queues_read(struct tcpfsm_queues *q, const struct sock *listener)
{
	q->listener = tcpfsm_cookie(&listener->__sk_common);
	q->synq = inet_csk_reqsk_queue_len(listener);
	q->acceptq = READ_ONCE(listener->sk_ack_backlog);
	q->backlog = READ_ONCE(listener->sk_max_ack_backlog);
}

/**
 * tcpfsm_record_addrs6() - fill in the addresses of an IPv6 socket or segment
 * @rec: to fill in, family included
 * @laddr: local
 * @raddr: remote; IPv4-mapped: an IPv4 connection on an IPv6 socket
 */
void tcpfsm_record_addrs6(struct tcpfsm_record *rec, const struct in6_addr *laddr,
			  const struct in6_addr *raddr)
{
	if (ipv6_addr_v4mapped(raddr)) {
		rec->family = 4;
		tcpfsm_fill_addr(rec->laddr, laddr->s6_addr32[3]);
		tcpfsm_fill_addr(rec->raddr, raddr->s6_addr32[3]);
	} else {
		rec->family = 6;
		memcpy(rec->laddr, laddr, sizeof(rec->laddr));
		memcpy(rec->raddr, raddr, sizeof(rec->raddr));
	}
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
struct tcpfsm_record *
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

/**
 * tcpfsm_record_timewait() - begin a record about a mini-socket
 * @type: enum tcpfsm_type
 * @tw: TIME_WAIT or FIN_WAIT2 mini-socket
 * @flags: for tcpfsm_record_done()
 *
 * Context: softirq, or process with softirqs off.
 */
struct tcpfsm_record *
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
	rec->old = tw->tw_substate;
	rec->new = tw->tw_substate;
	rec->snd = tcptw->tw_snd_nxt;
	rec->rcv = tcptw->tw_rcv_nxt;
	tcpfsm_fill_no_queues(rec);
	return rec;
}

/**
 * tcpfsm_record_segment() - begin a record about a received segment
 * @type: enum tcpfsm_type
 * @net: network namespace it arrived in
 * @skb: IPv4 or IPv6 segment with its network and transport headers set
 * @q: queues of the listener it met, or NULL
 * @flags: for tcpfsm_record_done()
 *
 * There is no socket: conn is 0.  Context: softirq or softirqs off.
 */
struct tcpfsm_record *
tcpfsm_record_segment(u8 type, struct net *net, const struct sk_buff *skb,
		      const struct tcpfsm_queues *q, unsigned long *flags)
{
	const struct tcphdr *th = tcp_hdr(skb);
	struct tcpfsm_record *rec = tcpfsm_record_begin(type, flags);

	rec->conn = 0;
	tcpfsm_fill_net(rec, net);
	rec->lport = ntohs(th->dest);
	rec->rport = ntohs(th->source);
#if IS_ENABLED(CONFIG_IPV6)
	if (skb->protocol == htons(ETH_P_IPV6)) {
		tcpfsm_record_addrs6(rec, &ipv6_hdr(skb)->daddr, &ipv6_hdr(skb)->saddr);
	} else
#endif
	{
		tcpfsm_fill_addr(rec->laddr, ip_hdr(skb)->daddr);
		tcpfsm_fill_addr(rec->raddr, ip_hdr(skb)->saddr);
	}
	rec->snd = th->ack ? ntohl(th->ack_seq) : 0;
	rec->rcv = ntohl(th->seq);
	if (q)
		tcpfsm_record_queues(rec, q);
	else
		tcpfsm_fill_no_queues(rec);
	return rec;
}
