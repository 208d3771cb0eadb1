/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: where the module looks.  The one table is here; the probes are in
 * hook_*.c, one file per family.  A new hook is one row and one function.
 */
#ifndef TCPFSM_HOOKS_H
#define TCPFSM_HOOKS_H

#include <linux/bits.h>
#include <linux/ftrace.h>

#include "compat/compat.h"
#include "note.h"

#define TCPFSM_FUNCTION_ARGS struct ftrace_regs *fregs

/* Argument n (from 0) of the function that was entered. */
#define TCPFSM_ARG(n)	((void *)ftrace_regs_get_argument(fregs, n))
#define TCPFSM_ARG_INT(n) ((int)ftrace_regs_get_argument(fregs, n))

/* Where a function may be missing without a feature being off. */
enum tcpfsm_optional {
	TCPFSM_NEEDED,
	TCPFSM_ONLY_IPV6,	/* where IPv6 is not built, or a module that is not loaded yet */
	TCPFSM_NOT_ALL,		/* where the kernel is older, or calls it inline: no great loss */
};

#define FEATURE(feature)	BIT(TCPFSM_FEATURE_##feature)

/*
 * The table, from which rows, prototypes and type checks are made.
 *
 * TRACEPOINT(name, features, probe, arguments)
 * ENTRY(function, optional, features, probe): ftrace, at the function's first
 * instruction.  Where older kernels call it otherwise, compat.h has the name.
 */
#define TCPFSM_HOOKS(TRACEPOINT, ENTRY) \
	TRACEPOINT(inet_sock_set_state, FEATURE(STATE), tcpfsm_on_state, \
		   (void *data, const struct sock *sk, const int oldstate, const int newstate)) \
	TRACEPOINT(consume_skb, FEATURE(SYN), tcpfsm_on_consume_skb, (TCPFSM_CONSUME_SKB_ARGS)) \
	TRACEPOINT(kfree_skb, FEATURE(ACK) | FEATURE(COOKIE), tcpfsm_on_kfree_skb, (TCPFSM_KFREE_SKB_ARGS)) \
	TRACEPOINT(tcp_retransmit_synack, FEATURE(SYNACK), tcpfsm_on_retransmit_synack, \
		   (void *data, const struct sock *sk, const struct request_sock *req)) \
	TRACEPOINT(tcp_retransmit_skb, FEATURE(RETRANSMIT), tcpfsm_on_retransmit, \
		   (TCPFSM_RETRANSMIT_ARGS)) \
	TRACEPOINT(tcp_receive_reset, FEATURE(RST_RECEIVED), tcpfsm_on_receive_reset, \
		   (TCPFSM_RECEIVE_RESET_ARGS)) \
	\
	ENTRY(tcp_conn_request, TCPFSM_NEEDED, FEATURE(SYN), tcpfsm_on_conn_request) \
	ENTRY(tcp_make_synack, TCPFSM_NEEDED, FEATURE(SYN), tcpfsm_on_make_synack) \
	/* Without CONFIG_SECURITY_NETWORK there is nobody to refuse. */ \
	ENTRY(security_inet_conn_request, TCPFSM_NOT_ALL, FEATURE(SYN), \
	      tcpfsm_on_conn_security) \
	ENTRY(inet6_csk_route_req, TCPFSM_NOT_ALL, FEATURE(SYN), tcpfsm_on_route6) \
	ENTRY(tcp_check_req, TCPFSM_NEEDED, FEATURE(ACK), tcpfsm_on_check_req) \
	ENTRY(inet_csk_complete_hashdance, TCPFSM_NEEDED, FEATURE(ACK), tcpfsm_on_hashdance) \
	ENTRY(cookie_v4_check, TCPFSM_NEEDED, FEATURE(COOKIE), tcpfsm_on_cookie_check) \
	ENTRY(cookie_v6_check, TCPFSM_ONLY_IPV6, FEATURE(COOKIE), tcpfsm_on_cookie_check) \
	/* Split off by e8c526f2bdf1 (6.12, and stable kernels).  Where it is missing, it may be \
	 * inlined: then inet_csk_reqsk_queue_drop() does not see time-outs. */ \
	ENTRY(__inet_csk_reqsk_queue_drop, TCPFSM_NEEDED, FEATURE(REQUEST), tcpfsm_on_queue_drop) \
	ENTRY(tcp_req_err, TCPFSM_NEEDED, FEATURE(REQUEST_ICMP), tcpfsm_on_req_err) \
	ENTRY(tcp_syn_ack_timeout, TCPFSM_NEEDED, FEATURE(SYNACK_TIMER), \
	      tcpfsm_on_synack_timeout) \
	\
	ENTRY(tcp_time_wait, TCPFSM_NEEDED, FEATURE(TW_ENTER), tcpfsm_on_time_wait) \
	ENTRY(TCPFSM_TWSK_HASHDANCE, TCPFSM_NEEDED, FEATURE(TW_ENTER), tcpfsm_on_twsk_hashdance) \
	ENTRY(tcp_timewait_state_process, TCPFSM_NEEDED, FEATURE(TW_SEGMENT) | FEATURE(TW_LEAVE), \
	      tcpfsm_on_twsk_segment) \
	ENTRY(__inet_twsk_schedule, TCPFSM_NEEDED, FEATURE(TW_SEGMENT), tcpfsm_on_twsk_schedule) \
	ENTRY(tcp_twsk_unique, TCPFSM_NEEDED, FEATURE(TW_LEAVE), tcpfsm_on_twsk_unique) \
	ENTRY(inet_twsk_deschedule_put, TCPFSM_NEEDED, FEATURE(TW_LEAVE), \
	      tcpfsm_on_twsk_deschedule) \
	ENTRY(inet_twsk_kill, TCPFSM_NEEDED, FEATURE(TW_LEAVE), tcpfsm_on_twsk_kill) \
	\
	ENTRY(tcp_v4_send_reset, TCPFSM_NEEDED, FEATURE(RST_SENT), tcpfsm_on_send_reset) \
	ENTRY(tcp_v6_send_reset, TCPFSM_ONLY_IPV6, FEATURE(RST_SENT), tcpfsm_on_send_reset) \
	ENTRY(tcp_send_active_reset, TCPFSM_NEEDED, FEATURE(RST_SENT), tcpfsm_on_active_reset) \
	\
	ENTRY(__sys_listen, TCPFSM_NOT_ALL, FEATURE(LISTEN), tcpfsm_on_sys_listen) \
	/* 6.11: for io_uring */ \
	ENTRY(__sys_listen_socket, TCPFSM_NOT_ALL, FEATURE(LISTEN), tcpfsm_on_sys_listen) \
	ENTRY(TCPFSM_INET_LISTEN, TCPFSM_NEEDED, FEATURE(LISTEN), tcpfsm_on_listen) \
	ENTRY(inet_csk_listen_start, TCPFSM_NEEDED, FEATURE(LISTEN), tcpfsm_on_listen_start) \
	ENTRY(tcp_connect, TCPFSM_NEEDED, FEATURE(ACTIVE_OPEN) | FEATURE(CONNECT_FAILED), \
	      tcpfsm_on_tcp_connect) \
	ENTRY(inet_csk_accept, TCPFSM_NEEDED, FEATURE(ACCEPT), tcpfsm_on_csk_accept) \
	ENTRY(security_sock_graft, TCPFSM_NEEDED, FEATURE(ACCEPT), tcpfsm_on_accept) \
	/* 5.14 */ \
	ENTRY(inet_reqsk_clone, TCPFSM_NOT_ALL, FEATURE(ACCEPT), tcpfsm_on_reqsk_clone) \
	ENTRY(tcp_shutdown, TCPFSM_NEEDED, FEATURE(SHUTDOWN), tcpfsm_on_shutdown)

#define TCPFSM_PROTOTYPE_TRACEPOINT(name, features, probe, args) void probe args;
#define TCPFSM_PROTOTYPE_ENTRY(function, optional, features, probe) \
	void probe(TCPFSM_FUNCTION_ARGS);
TCPFSM_HOOKS(TCPFSM_PROTOTYPE_TRACEPOINT, TCPFSM_PROTOTYPE_ENTRY)

/* hook_connect.c */
DECLARE_STATIC_KEY_FALSE(tcpfsm_connect_errors);
void tcpfsm_connecting(const struct sock *sk);
void tcpfsm_connect_attach(void);
void tcpfsm_connect_detach(void);

/* hook_state.c */
extern bool tcpfsm_opens_wait;

/* hook_request.c */
void tcpfsm_cookie_joined(struct tcpfsm_ctx *ctx, const struct sock *child);

/* hook_call.c */
void tcpfsm_calls_forget(void);

/* hook_timewait.c */
bool tcpfsm_timewait_denied(struct tcpfsm_ctx *ctx, const struct sock *sk);

int tcpfsm_hooks_attach(void);
void tcpfsm_hooks_detach(void);
void tcpfsm_hooks_info(struct tcpfsm_info *info);

#endif /* TCPFSM_HOOKS_H */
