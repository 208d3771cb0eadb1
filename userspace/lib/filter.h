/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* Expressions of filters: what they are made of, a stack machine's program. */
#ifndef TCPFSM_LIB_FILTER_H
#define TCPFSM_LIB_FILTER_H

#include "tcpfsm.h"

/* Values at a time; what filter_words.c makes never needs more. */
#define FILTER_DEPTH	32

/* struct tcpfsm_filter_op.what: questions put a value on the stack, OP_NOT and on work on it. */
enum {
	OP_ADDR,			/* addr/bits, of the ends in where: TCPFSM_ASKS_LOCAL, _PEER */
	OP_PORT,			/* low to high, likewise */
	OP_FAMILY, OP_PID, OP_NETNS, OP_STATE, OP_CAUSE,
	OP_COMM, OP_CGROUP, OP_CONTAINER, /* high bytes of names, from low on */
	OP_NOT, OP_AND, OP_OR,
};

/* X(word, what it takes, of which end or what, what it asks): the words that begin a question. */
#define FILTER_WORDS(X) \
	X(src, HOST, TCPFSM_ASKS_LOCAL, "local address, prefix, port") \
	X(dst, HOST, TCPFSM_ASKS_PEER, "remote address, prefix, port") \
	X(host, HOST, TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_PEER, "address of either end") \
	X(sport, PORT, TCPFSM_ASKS_LOCAL, "local port") \
	X(dport, PORT, TCPFSM_ASKS_PEER, "remote port") \
	X(port, PORT, TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_PEER, "port of either end") \
	X(comm, NAME, OP_COMM, "name of the process") \
	X(pid, PID, 0, "number of the process") \
	X(netns, NETNS, 0, "network namespace: name, inode, path") \
	X(cgroup, NAME, OP_CGROUP, "the process is in or below it") \
	X(container, NAME, OP_CONTAINER, "its name or number, or that of a unit") \
	X(state, STATE, 0, "in, into or out of it") \
	X(cause, CAUSE, 0, "cause of a transition") \
	X(ipv4, FAMILY, 4, "IPv4") \
	X(ipv6, FAMILY, 6, "IPv6") \
	X(lport, OPTION_PORT, TCPFSM_ASKS_LOCAL, "as -L") \
	X(rport, OPTION_PORT, TCPFSM_ASKS_PEER, "as -D")

#endif /* TCPFSM_LIB_FILTER_H */
