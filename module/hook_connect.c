// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect() that fails before SYN_SENT: no route, a bad address.  Nothing on that path calls
 * what only a failure calls, so it takes return probes, which every connect() pays: parameter
 * connect_errors, off by default.
 */
#include <linux/hash.h>
#include <linux/in6.h>
#include <linux/kprobes.h>
#include <net/tcp.h>

#include "hooks.h"

/* Tasks in connect() at the same time that are told apart. */
#define CONNECTING_BITS	7

/**
 * struct inside - a task is in connect(); nobody but this task writes it
 * @task: it; NULL: free
 * @sk: full socket that connects
 * @sent: it came to SYN_SENT: what happens to it from there on is told otherwise
 */
struct inside {
	const struct task_struct *task;
	const struct sock *sk;
	bool sent;
};

/**
 * struct connecting - what the probe of the return is left
 * @sk: full socket
 * @noted: the task has its place in insides; else another one had it
 * @to: where to
 */
struct connecting {
	const struct sock *sk;
	bool noted;
	struct sockaddr_in6 to;
};

DEFINE_STATIC_KEY_FALSE(tcpfsm_connect_errors);

static struct inside insides[1 << CONNECTING_BITS];

static struct inside *inside(void)
{
	return &insides[hash_ptr(current, CONNECTING_BITS)];
}

/**
 * tcpfsm_connecting() - a socket moves to SYN_SENT
 * @sk: full socket
 *
 * Context: process, in connect().
 */
void tcpfsm_connecting(const struct sock *sk)
{
	struct inside *in = inside();

	if (READ_ONCE(in->task) == current && in->sk == sk)
		in->sent = true;
}

static int connect_begins(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct connecting *c = (struct connecting *)ri->data;
	const void *to = (const void *)regs_get_kernel_argument(regs, 1);
	int len = regs_get_kernel_argument(regs, 2);
	struct inside *in = inside();

	*c = (struct connecting){ .sk = (const struct sock *)regs_get_kernel_argument(regs, 0) };
	if (len > 0)
		memcpy(&c->to, to, min_t(size_t, len, sizeof(c->to)));
	c->noted = !cmpxchg(&in->task, NULL, current);
	if (c->noted) {
		in->sk = c->sk;
		in->sent = false;
	}
	return 0;
}

/* tcp_v6_connect() calls it for addresses that are IPv4's. */
static int connect4_begins(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct sock *sk = (const struct sock *)regs_get_kernel_argument(regs, 0);

	return sk->sk_family == AF_INET ? connect_begins(ri, regs) : 1;
}

static int connect_ends(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct connecting *c = (struct connecting *)ri->data;
	int err = (int)regs_return_value(regs);
	const struct sock *sk = c->sk;
	struct tcpfsm_record *rec;
	/* Not known: only without a port it certainly came to SYN_SENT. */
	bool sent = err == -EADDRNOTAVAIL;
	unsigned long flags;

	if (c->noted) {
		sent = inside()->sent;
		WRITE_ONCE(inside()->task, NULL);
	}
	if (err >= 0 || sent || !tcpfsm_record_told(sock_net(sk), TCPFSM_TYPE_CONNECT_FAILED))
		return 0;
	rec = tcpfsm_record_sock(TCPFSM_TYPE_CONNECT_FAILED, sk, &flags);
	rec->old_state = TCP_CLOSE;
	rec->arg = min(-err, 255);
	rec->rport = ntohs(c->to.sin6_port);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		tcpfsm_record_addrs6(rec, &sk->sk_v6_rcv_saddr, &c->to.sin6_addr);
	else
#endif
		tcpfsm_fill_addr(rec->raddr, ((struct sockaddr_in *)&c->to)->sin_addr.s_addr);
	tcpfsm_record_done(rec, flags);
	return 0;
}

static struct kretprobe probes[] = {
	{
		.kp.symbol_name = "tcp_v4_connect",
		.entry_handler = connect4_begins,
		.handler = connect_ends,
		.data_size = sizeof(struct connecting),
		.maxactive = 1 << CONNECTING_BITS,
	},
	{
		.kp.symbol_name = "tcp_v6_connect",
		.entry_handler = connect_begins,
		.handler = connect_ends,
		.data_size = sizeof(struct connecting),
		.maxactive = 1 << CONNECTING_BITS,
	},
};

/**
 * tcpfsm_connect_attach() - tell of connect() that fails early, if that is wanted
 *
 * What cannot be attached is told of in the log.  Context: process, may sleep.
 */
void tcpfsm_connect_attach(void)
{
	unsigned int i;

	if (!static_key_enabled(&tcpfsm_connect_errors))
		return;
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		int err;

		probes[i].kp.addr = NULL;
		probes[i].kp.flags = 0;
		err = register_kretprobe(&probes[i]);
		if (err) {
			probes[i].kp.addr = NULL;
			pr_warn("tcpfsm: connect_errors: cannot hook %s: error %d\n",
				probes[i].kp.symbol_name, err);
		}
	}
}

/**
 * tcpfsm_connect_detach() - undo tcpfsm_connect_attach()
 *
 * Context: process, may sleep.
 */
void tcpfsm_connect_detach(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (probes[i].kp.addr)
			unregister_kretprobe(&probes[i]);
		probes[i].kp.addr = NULL;
	}
	/* Of tasks that are inside still. */
	memset(insides, 0, sizeof(insides));
}
