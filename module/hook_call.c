// SPDX-License-Identifier: GPL-2.0
/* What the application asked for: listen, accept, shutdown. */
#include <asm/syscall.h>
#include <asm/unistd.h>
#include <linux/fdtable.h>
#include <linux/net.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "hooks.h"

/*
 * An argument of the system call that the current task is in, if that is nr or
 * nr2; -1 when the registers do not tell: a kernel thread, io_uring, a 32-bit task.
 */
static __always_inline long call_argument(int nr, int nr2, unsigned int which)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];
	int call;

	if (current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return -1;
#ifdef CONFIG_COMPAT
	if (in_compat_syscall())
		return -1;
#endif
	call = syscall_get_nr(current, regs);
	if (call != nr && call != nr2)
		return -1;
	syscall_get_arguments(current, regs, args);
	return (u32)args[which];
}

/*
 * __sys_listen() clamps the backlog to somaxconn before TCP sees it: the
 * number asked for is still in the registers.  ~0 when it is not known.
 */
static u32 backlog_asked(void)
{
	return call_argument(__NR_listen, __NR_listen, 1);
}

#ifndef __NR_accept
#define __NR_accept	__NR_accept4
#endif

/*
 * The listener that accept(2) took a connection from: nothing in the connection
 * tells, but the file descriptor does.  NULL when it is not known, or when the
 * descriptor was given another file meanwhile.
 */
static const struct sock *accepted_from(const struct sock *child)
{
	long fd = call_argument(__NR_accept4, __NR_accept, 0);
	const struct sock *sk = NULL;
	struct socket *sock;
	struct file *file;

	if (fd < 0)
		return NULL;
	file = files_lookup_fd_raw(current->files, fd);
	sock = file ? sock_from_file(file) : NULL;
	if (sock)
		sk = READ_ONCE(sock->sk);
	if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM ||
	    inet_sk_state_load(sk) != TCP_LISTEN || sock_net(sk) != sock_net(child) ||
	    inet_sk(sk)->inet_num != inet_sk(child)->inet_num)
		return NULL;
	return sk;
}

/*
 * tcp_init_buffer_space() noted when the connection was made; nothing touches
 * that until somebody reads from it.  Softirqs off are an RCU read side, too.
 */
static void count_accept(const struct sock *sk, u64 now)
{
	const struct sock *listener = accepted_from(sk);
	u64 made = tcp_sk(sk)->rcvq_space.time;
	struct tcpfsm_listener *entry;
	struct tcpfsm_counts *counts;

	if (likely(listener)) {
		counts = tcpfsm_listener_find(listener, &entry);
		tcpfsm_acceptq_shrank(entry, counts, listener, now);
	} else {
		counts = tcpfsm_listener_rest(sock_net(sk));
	}
	counts->v[TCPFSM_TOTAL_ACCEPTED]++;
	tcpfsm_histogram_inc(counts, TCPFSM_TOTAL_ACCEPT_US, tcpfsm_us_since(now, made));
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
	u32 asked;
	u8 state = inet_sk_state_load(sk);

	/* inet_listen() would refuse. */
	if (sk->sk_protocol != IPPROTO_TCP || sock->state != SS_UNCONNECTED ||
	    !((1 << state) & (TCPF_CLOSE | TCPF_LISTEN)))
		return;
	q.listener = tcpfsm_cookie(&sk->__sk_common);
	q.synq = state == TCP_LISTEN ? inet_csk_reqsk_queue_len(sk) : 0;
	q.acceptq = state == TCP_LISTEN ? READ_ONCE(sk->sk_ack_backlog) : 0;
	q.backlog = TCPFSM_ARG_INT(1);
	asked = backlog_asked();
	tcpfsm_listener_asked(sk, asked);
	rec = tcpfsm_record_sock(TCPFSM_TYPE_LISTEN, sk, &flags);
	tcpfsm_record_queues(rec, &q);
	rec->old = state;
	rec->snd = asked;
	rec->rcv = 0;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_accept() - security_sock_graft(sk, parent)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The step of accept() that has the connection in hand, in every accept path
 * of every kernel.  Context: process, softirqs off.
 */
void tcpfsm_on_accept(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	struct tcpfsm_record *rec;
	unsigned long flags;
	u64 now;

	if (sk->sk_protocol != IPPROTO_TCP ||
	    (sk->sk_family != AF_INET && sk->sk_family != AF_INET6))
		return;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_ACCEPT, sk, &flags);
	/* sock_graft() has softirqs off, but it is the acceptor all the same. */
	rec->flags |= tcpfsm_record_owner(rec, true);
	rec->old = inet_sk_state_load(sk);
	now = rec->ts;
	tcpfsm_record_done(rec, flags);
	count_accept(sk, now);
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
