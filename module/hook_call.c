// SPDX-License-Identifier: GPL-2.0
/* What the application asked for: listen, accept, shutdown. */
#include <asm/syscall.h>
#include <asm/unistd.h>
#include <linux/net.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "hooks.h"

/*
 * __sys_listen() clamps the backlog to somaxconn before TCP sees it: the
 * number asked for is still in the system call's registers.  ~0 when it was
 * not listen(2) (io_uring, a 32-bit task, a kernel thread).
 */
static u32 backlog_asked(void)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];

	if (current->flags & PF_KTHREAD)
		return ~0U;
#ifdef CONFIG_COMPAT
	if (in_compat_syscall())
		return ~0U;
#endif
	if (syscall_get_nr(current, regs) != __NR_listen)
		return ~0U;
	syscall_get_arguments(current, regs, args);
	return args[1];
}

/**
 * tcpfsm_on_listen() - inet_listen(sock, backlog)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Also for a socket that listens already and changes its backlog.
 * Context: process.
 */
void tcpfsm_on_listen(TCPFSM_FUNCTION_ARGS)
{
	const struct socket *sock = TCPFSM_ARG(0);
	const struct sock *sk = sock->sk;
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;
	u8 state = inet_sk_state_load(sk);

	/* inet_listen() would refuse. */
	if (sk->sk_protocol != IPPROTO_TCP || sock->state != SS_UNCONNECTED ||
	    !((1 << state) & (TCPF_CLOSE | TCPF_LISTEN)))
		return;
	q.listener = tcpfsm_cookie(&sk->__sk_common);
	q.synq = state == TCP_LISTEN ? inet_csk_reqsk_queue_len(sk) : 0;
	q.acceptq = state == TCP_LISTEN ? READ_ONCE(sk->sk_ack_backlog) : 0;
	q.backlog = TCPFSM_ARG_INT(1);
	rec = tcpfsm_record_sock(TCPFSM_TYPE_LISTEN, sk, &flags);
	tcpfsm_record_queues(rec, &q);
	rec->old = state;
	rec->snd = backlog_asked();
	rec->rcv = 0;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_accept() - security_sock_graft(sk, parent)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The step of accept() that has the connection in hand, in every accept path
 * of every kernel.  Context: process.
 */
void tcpfsm_on_accept(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (sk->sk_protocol != IPPROTO_TCP ||
	    (sk->sk_family != AF_INET && sk->sk_family != AF_INET6))
		return;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_ACCEPT, sk, &flags);
	/* sock_graft() has softirqs off, but it is the acceptor all the same. */
	rec->flags |= tcpfsm_record_owner(rec, true);
	rec->old = inet_sk_state_load(sk);
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_shutdown() - tcp_shutdown(sk, how)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * @how has the bits RCV_SHUTDOWN and SEND_SHUTDOWN, one more than the
 * argument of shutdown(2).  Only the sending side moves the state machine.
 * Context: process.
 */
void tcpfsm_on_shutdown(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	int how = TCPFSM_ARG_INT(1);
	struct tcpfsm_record *rec;
	unsigned long flags;

	if (!(how & SEND_SHUTDOWN) || sk->sk_protocol != IPPROTO_TCP)
		return;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_SHUTDOWN, sk, &flags);
	rec->old = sk->sk_state;
	rec->verdict = how - 1;
	tcpfsm_record_done(rec, flags);
}
