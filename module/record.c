// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sock_diag.h>

#include "compat/compat.h"
#include "record.h"

static_assert(sizeof(struct tcpfsm_record) == 128);
#define FITS(s, n, ...) static_assert(n < TCPFSM_TOTAL_REASONS);
TCPFSM_REASONS(FITS)
#undef FITS
static_assert(offsetof(struct tcpfsm_record, comm) == 112);
/* tcpfsm_fill_flags() */
static_assert(offsetof(struct tcpfsm_record, flags) == 20);
static_assert(offsetof(struct tcpfsm_record, arg) == 23);

/**
 * tcpfsm_cookie_generate() - give a socket its cookie
 * @skc: common part of a full, request or mini-socket
 *
 * Context: any but NMI.
 */
noinline u64 tcpfsm_cookie_generate(const struct sock_common *skc)
{
	u32 half[2];

	sock_diag_save_cookie(container_of((struct sock_common *)skc,
					   struct sock, __sk_common), half);
	return half[0] | (u64)half[1] << 32;
}

/* Parameter seq=0; a key, as one instruction of each record is all that it may cost. */
DEFINE_STATIC_KEY_FALSE(tcpfsm_seq_hidden);

/**
 * tcpfsm_record_hide() - leave out the sequence numbers
 * @rec: complete but for its seq
 *
 * Who knows them can send segments that the connection takes (RFC 5961).  What
 * else stands in their place stays: a listener's backlog, a limit, counts.
 * Context: interrupts off.
 */
void tcpfsm_record_hide(struct tcpfsm_record *rec)
{
	if (rec->type == TCPFSM_TYPE_LISTEN || rec->type == TCPFSM_TYPE_SUPPRESSED)
		return;
	rec->rcv = 0;
	if (rec->type != TCPFSM_TYPE_SYN || rec->verdict != TCPFSM_VERDICT_DROPPED)
		rec->snd = 0;
}

/**
 * tcpfsm_record_netns() - write that a network namespace was made
 * @net: network namespace, which nobody uses yet
 * @cookie: that tells it from all others
 *
 * Context: process, may sleep.
 */
void tcpfsm_record_netns(const struct net *net, u64 cookie)
{
	struct tcpfsm_record *rec;
	unsigned long flags;

	rec = tcpfsm_record_begin(TCPFSM_TYPE_NETNS, &flags);
	rec->family = 0;
	rec->conn = 0;
	tcpfsm_fill_net(rec, net);
	rec->lport = 0;
	rec->rport = 0;
	rec->snd = 0;
	rec->rcv = 0;
	tcpfsm_fill_addr(rec->laddr, 0);
	tcpfsm_fill_addr(rec->raddr, 0);
	tcpfsm_fill_no_queues(rec);
	rec->listener = cookie;
	tcpfsm_record_done(rec, flags);
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
