// SPDX-License-Identifier: GPL-2.0-only
/* What the application asked for: listen, accept, shutdown. */
#include <asm/syscall.h>
#include <asm/unistd.h>
#include <linux/fdtable.h>
#include <linux/hash.h>
#include <linux/net.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "hooks.h"

/*
 * What a task is about to do: one function has it, a later one asks.  In between the task may
 * sleep for long and wake up on another CPU, so these notes are by task.  One stays until its
 * task writes the next, or another task wants the place: who accepts over and over from the
 * same listener writes nothing.
 */
#define CALLING_BITS	7
#define CALLING_WAYS	4

struct calling {
	const struct task_struct *task;
	unsigned long what;
};

struct calls {
	struct calling at[1 << CALLING_BITS][CALLING_WAYS] ____cacheline_aligned_in_smp;
};

/* accept(): the listener.  listen(): the backlog asked for. */
static struct calls accepting, listening;

/* In place of a task: it is being written. */
#define CALLING_BUSY	((const struct task_struct *)-1L)

static __always_inline struct calling *calling_first(struct calls *calls)
{
	return calls->at[hash_ptr(current, CALLING_BITS)];
}

/* A task without a place, as it was taken by others meanwhile, has no note: never an old one. */
static noinline void calling_write(struct calls *calls, struct calling *c, unsigned long what)
{
	const struct task_struct *before;
	unsigned int i;

	if (!c) {
		c = calling_first(calls);
		for (i = 0; i < CALLING_WAYS - 1 && READ_ONCE(c[i].task); i++)
			;
		/* All taken: by tasks that accepted once, if not by ones that do. */
		c += i < CALLING_WAYS - 1 ? i : jiffies % CALLING_WAYS;
	}
	before = READ_ONCE(c->task);
	if (before == CALLING_BUSY || cmpxchg(&c->task, before, CALLING_BUSY) != before)
		return;
	WRITE_ONCE(c->what, what);
	/* Only the task itself looks for it: nobody to pair with but the CPU it runs on next. */
	smp_store_release(&c->task, current);
}

static __always_inline void calling_put(struct calls *calls, unsigned long what)
{
	struct calling *c = calling_first(calls);
	unsigned int i;

	for (i = 0; i < CALLING_WAYS; i++, c++) {
		if (READ_ONCE(c->task) != current)
			continue;
		if (unlikely(READ_ONCE(c->what) != what))
			calling_write(calls, c, what);
		return;
	}
	calling_write(calls, NULL, what);
}

static __always_inline bool calling_get(struct calls *calls, unsigned long *what)
{
	struct calling *c = calling_first(calls);
	unsigned int i;

	for (i = 0; i < CALLING_WAYS; i++, c++) {
		if (READ_ONCE(c->task) != current)
			continue;
		*what = READ_ONCE(c->what);
		/* Pairs with the cmpxchg() of a task that takes the place. */
		smp_rmb();
		return READ_ONCE(c->task) == current;
	}
	return false;
}

/**
 * tcpfsm_calls_forget() - no note of now may be found later
 *
 * A task may sleep in accept() while the hooks are away, and come back with another listener.
 * Context: no hook is attached.
 */
void tcpfsm_calls_forget(void)
{
	memset(&accepting, 0, sizeof(accepting));
	memset(&listening, 0, sizeof(listening));
}

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

/**
 * tcpfsm_on_sys_listen() - __sys_listen(fd, backlog), __sys_listen_socket(sock, backlog)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The backlog asked for: it is clamped to somaxconn before TCP sees it.  Context: process.
 */
void tcpfsm_on_sys_listen(TCPFSM_FUNCTION_ARGS)
{
	calling_put(&listening, (u32)TCPFSM_ARG_INT(1));
}

/*
 * What became @backlog when it was clamped.  The note may be of an earlier listen(), which did
 * not come so far, and the task just now not in one.  ~0 when it is not known.
 */
static u32 backlog_asked(const struct sock *sk, u32 backlog)
{
	u32 somaxconn = READ_ONCE(sock_net(sk)->core.sysctl_somaxconn);
	unsigned long asked;

	if (!(current->flags & PF_KTHREAD) && calling_get(&listening, &asked) &&
	    min_t(u32, asked, somaxconn) == backlog)
		return asked;
	return call_argument(__NR_listen, __NR_listen, 1);
}

#ifndef __NR_accept
#define __NR_accept	__NR_accept4
#endif

/*
 * The listener by the file descriptor of accept(2): for a task that was in it before the hooks
 * were attached.  NULL when it is not known, or the descriptor was given another file meanwhile.
 */
static noinline const struct sock *accepted_by_fd(const struct sock *child)
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
	/* The memory of a file may be another one's by now: as __get_file_rcu(), look again. */
	smp_rmb();
	if (files_lookup_fd_raw(current->files, fd) != file)
		return NULL;
	if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM ||
	    inet_sk_state_load(sk) != TCP_LISTEN || sock_net(sk) != sock_net(child) ||
	    inet_sk(sk)->inet_num != inet_sk(child)->inet_num)
		return NULL;
	return sk;
}

/**
 * tcpfsm_on_csk_accept() - inet_csk_accept(sk, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * All who accept come by with the listener, and may wait for a connection inside: system
 * calls of any kind, io_uring, kernel threads, MPTCP (whose listener is a TCP socket, too).
 * Context: process.
 */
void tcpfsm_on_csk_accept(TCPFSM_FUNCTION_ARGS)
{
	calling_put(&accepting, (unsigned long)TCPFSM_ARG(0));
}

/* Nothing in the connection tells.  Who accepts holds the listener until accept() is over. */
static __always_inline const struct sock *accepted_from(const struct sock *sk)
{
	unsigned long listener;

	if (likely(calling_get(&accepting, &listener)))
		return (const struct sock *)listener;
	return accepted_by_fd(sk);
}

/* The listener is theirs who accept from it, whoever called listen(). */
static __always_inline void note_acceptor(struct tcpfsm_acceptor *a, u64 now)
{
	a->at = now;
	if (unlikely(current->flags & PF_KTHREAD)) {
		a->pid = 0;
		return;
	}
	a->pid = task_tgid_nr(current);
	tcpfsm_copy_comm(a->comm);
}

/*
 * tcp_init_buffer_space() noted when the connection was made; nothing touches
 * that until somebody reads from it.  Softirqs off are an RCU read side, too.
 */
static __always_inline void count_accept(const struct sock *listener, const struct sock *sk,
					 u64 now)
{
	struct tcpfsm_counts *counts;

	if (likely(listener)) {
		counts = tcpfsm_listener_find(listener);
		tcpfsm_acceptq_shrank(counts, listener, now);
	} else {
		counts = tcpfsm_listener_rest(sock_net(sk));
	}
	counts->v[TCPFSM_TOTAL_ACCEPTED]++;
	note_acceptor(&counts->acceptor, now);
	if (likely(sk->sk_protocol == IPPROTO_TCP))
		tcpfsm_time_inc(counts, TCPFSM_TOTAL_ACCEPT_US, TCPFSM_TOTAL_ACCEPT_US_SUM,
				tcpfsm_us_since(now, tcp_sk(sk)->rcvq_space.time));
}

static void record_listen(const struct sock *sk, u32 backlog)
{
	u32 asked = backlog_asked(sk, backlog);
	u8 state = inet_sk_state_load(sk);
	struct tcpfsm_record *rec;
	struct tcpfsm_queues q;
	unsigned long flags;

	tcpfsm_listener_asked(sk, asked);
	if (state == TCP_LISTEN && READ_ONCE(sk->sk_max_ack_backlog) == backlog)
		return;
	if (!tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_LISTEN))
		return;
	q.listener = tcpfsm_cookie(&sk->__sk_common);
	q.synq = state == TCP_LISTEN ? inet_csk_reqsk_queue_len(sk) : 0;
	q.acceptq = state == TCP_LISTEN ? READ_ONCE(sk->sk_ack_backlog) : 0;
	q.backlog = backlog;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_LISTEN, sk, &flags);
	tcpfsm_record_queues(rec, &q);
	rec->old_state = state;
	rec->snd = asked;
	rec->rcv = 0;
	tcpfsm_record_done(rec, flags);
}

/**
 * tcpfsm_on_listen_start() - inet_csk_listen_start(sk, ...)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * A socket is about to listen, of MPTCP, too.  Context: process.
 */
void tcpfsm_on_listen_start(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);

	if (sk->sk_protocol == IPPROTO_TCP)
		record_listen(sk, READ_ONCE(sk->sk_max_ack_backlog));
}

/**
 * tcpfsm_on_listen() - inet_listen(sock, backlog), __inet_listen_sk(sk, backlog)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * Of those that are still before their first listen(), tcpfsm_on_listen_start() tells.  One
 * that listens already may be given another backlog here.  Context: process.
 */
void tcpfsm_on_listen(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_LISTEN_SK(TCPFSM_ARG(0));

	if (sk->sk_protocol == IPPROTO_TCP && inet_sk_state_load(sk) == TCP_LISTEN)
		record_listen(sk, TCPFSM_ARG_INT(1));
}

static void accepted(const struct sock *listener, const struct sock *sk)
{
	struct tcpfsm_queues q TCPFSM_UNINITIALIZED;
	struct tcpfsm_record *rec;
	unsigned long flags;

	/* sock_graft() has softirqs off, but it is the acceptor all the same. */
	rec = tcpfsm_record_sock_of(TCPFSM_TYPE_ACCEPT, sk, inet_sk_state_load(sk), 0, 0, true,
				    &flags);
	if (likely(listener)) {
		tcpfsm_queues_read(&q, listener);
		tcpfsm_record_queues(rec, &q);
	}
	count_accept(listener, sk, tcpfsm_record_done(rec, flags));
}

/*
 * Both ends speak MPTCP: what accept() returns is not the TCP connection, but has its
 * addresses.  Not found: it was reset meanwhile.
 */
static noinline void accepted_mptcp(const struct sock *listener, const struct sock *msk)
{
	struct sock *sk = tcpfsm_lookup_established(msk);

	if (sk && sk_fullsock(sk) && sk->sk_protocol == IPPROTO_TCP)
		accepted(listener, sk);
	else
		count_accept(listener, msk, ktime_get_mono_fast_ns());
	if (sk)
		sock_gen_put(sk);
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

	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return;
	if (likely(sk->sk_protocol == IPPROTO_TCP))
		accepted(accepted_from(sk), sk);
	else if (sk->sk_protocol == IPPROTO_MPTCP)
		accepted_mptcp(accepted_from(sk), sk);
}

/**
 * tcpfsm_on_reqsk_clone() - inet_reqsk_clone(req, sk): net.ipv4.tcp_migrate_req
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * The listener of @req has closed, and another of its SO_REUSEPORT group, @sk, goes on with it.
 * If it is in the accept queue, it was counted as abandoned.  If it is unhashed and not there,
 * a third ACK is under way, and is judged for @sk.  Context: softirqs off.
 */
void tcpfsm_on_reqsk_clone(TCPFSM_FUNCTION_ARGS)
{
	const struct request_sock *req = TCPFSM_ARG(0);
	const struct sock *sk = TCPFSM_ARG(1);
	u64 now = ktime_get_mono_fast_ns();
	struct tcpfsm_counts *counts;
	struct tcpfsm_queues q;

	if (!req->sk && sk_unhashed(req_to_sk((struct request_sock *)req)))
		return;
	if (req->sk) {
		counts = tcpfsm_listener_find(req->rsk_listener);
		if (counts->entry)
			counts->v[TCPFSM_TOTAL_ABANDONED]--;
	}
	counts = tcpfsm_listener_find(sk);
	tcpfsm_queues_read(&q, sk);
	if (req->sk) {
		q.acceptq++;
		tcpfsm_acceptq_grew(counts, &q, now);
	} else {
		q.synq++;
		tcpfsm_synq_grew(counts, &q, now);
	}
}

/**
 * tcpfsm_on_shutdown() - tcp_shutdown(sk, how)
 * @TCPFSM_FUNCTION_ARGS: see hooks.h
 *
 * @how has the bits RCV_SHUTDOWN and SEND_SHUTDOWN, one more than the
 * argument of shutdown(2).  Only the sending side moves the state machine,
 * once.  In SYN_RECV (Fast Open) it may do so, by kernel, or may be called again.
 * Context: process.
 */
void tcpfsm_on_shutdown(TCPFSM_FUNCTION_ARGS)
{
	const struct sock *sk = TCPFSM_ARG(0);
	int how = TCPFSM_ARG_INT(1);
	struct tcpfsm_record *rec;
	unsigned long flags;
	u8 state = sk->sk_state;

	if (!(how & SEND_SHUTDOWN) || sk->sk_protocol != IPPROTO_TCP ||
	    !((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_SYN_RECV)))
		return;
	if (state == TCP_SYN_RECV && !tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_SHUTDOWN))
		return;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_SHUTDOWN, sk, &flags);
	rec->old_state = state;
	rec->verdict = how - 1;
	tcpfsm_record_done(rec, flags);
}
