/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Prometheus scrapes: the totals of listeners and network namespaces, what explain finds, and how
 * well the module sees.  No label is a pid, a cookie or a client's address.
 */
#ifndef TCPFSM_SERVE_METRICS_H
#define TCPFSM_SERVE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outgoing.h"
#include "tcpfsm.h"
#include "../show/out.h"

/*
 * X(symbol, TYPE, name, labels, text).  Of counters the name is without _total, as OpenMetrics has it.
 * docs/metrics.md has this table, too: tests/pages compares them.
 */
#define METRICS(X) \
	X(BUILD, GAUGE, "tcpfsm_build_info", "version,module,abi", "1; versions of the program and of the module") \
	X(FEATURE, GAUGE, "tcpfsm_feature", "name", "1: the hooks of this feature are at work; 0: what it sees is missing here") \
	X(RECORDS, COUNTER, "tcpfsm_records", "cpu", "Records written to the rings since the module was loaded") \
	X(LOST, COUNTER, "tcpfsm_records_lost", "", "Records that this process missed (with --ledger), and those of CPUs without a ring") \
	X(MISSED, COUNTER, "tcpfsm_outcomes_missed", "", "Segments and sockets whose outcome the hooks did not see") \
	X(DIFFERENCE, GAUGE, "tcpfsm_counter_difference", "counter", "How far the module's totals are from a counter of the kernel, with no reason known; all network namespaces together") \
	X(UNTRACKED, GAUGE, "tcpfsm_listeners_untracked", "", "Listeners without a place in the module's table (parameter listeners): their counters are missing here") \
	X(NETNS, GAUGE, "tcpfsm_netns_info", "netns,name", "1; name of a network namespace, as ip netns has it") \
	X(LISTENER, GAUGE, "tcpfsm_listener_info", "netns,address,port,comm,container", "1; who accepts, or else has it open") \
	X(SYNS, COUNTER, "tcpfsm_listener_syns", LISTENER_LABELS, "SYNs that met the listener") \
	X(QUEUED, COUNTER, "tcpfsm_listener_syns_queued", LISTENER_LABELS, "SYNs that joined the SYN queue") \
	X(COOKIES, COUNTER, "tcpfsm_listener_syns_cookies", LISTENER_LABELS, "SYNs answered with a SYN cookie") \
	X(SYNS_DROPPED, COUNTER, "tcpfsm_listener_syns_dropped", LISTENER_LABELS ",reason", "SYNs that were dropped") \
	X(ACKS_DROPPED, COUNTER, "tcpfsm_listener_acks_dropped", LISTENER_LABELS ",reason", "Third ACKs that were dropped") \
	X(ACKS_RESET, COUNTER, "tcpfsm_listener_acks_reset", LISTENER_LABELS ",reason", "Third ACKs that were answered with an RST") \
	X(HANDSHAKES, COUNTER, "tcpfsm_listener_handshakes", LISTENER_LABELS ",by", "Handshakes completed, by a request socket or by a SYN cookie") \
	X(ACCEPTED, COUNTER, "tcpfsm_listener_accepted", LISTENER_LABELS, "Connections handed out by accept()") \
	X(SYNACKS_AGAIN, COUNTER, "tcpfsm_listener_synack_retransmits", LISTENER_LABELS, "SYN-ACKs sent again") \
	X(EXPIRED, COUNTER, "tcpfsm_listener_requests_expired", LISTENER_LABELS, "Requests whose SYN-ACK was never answered") \
	X(LENGTH, GAUGE, "tcpfsm_listener_queue_length", LISTENER_LABELS ",queue", "Requests in the SYN queue, connections in the accept queue") \
	X(LIMIT, GAUGE, "tcpfsm_listener_queue_limit", LISTENER_LABELS ",queue", "How many fit") \
	X(FULL, COUNTER, "tcpfsm_listener_queue_full_seconds", LISTENER_LABELS ",queue", "How long the queue was full") \
	X(BACKLOG, GAUGE, "tcpfsm_listener_backlog", LISTENER_LABELS, "Limit of both queues in force: min(listen(), net.core.somaxconn)") \
	X(REQUESTED, GAUGE, "tcpfsm_listener_backlog_requested", LISTENER_LABELS, "Backlog that listen() asked for, where that was seen") \
	X(HANDSHAKE, HISTOGRAM, "tcpfsm_listener_handshake_seconds", LISTENER_LABELS, "From the first SYN-ACK to ESTABLISHED; not with SYN cookies") \
	X(ACCEPT_WAIT, HISTOGRAM, "tcpfsm_listener_accept_wait_seconds", LISTENER_LABELS, "From ESTABLISHED to accept()") \
	X(TIMEWAIT, GAUGE, "tcpfsm_timewait_sockets", "netns,substate", "Mini-sockets; without --ledger substate is any: the kernel's number has FIN_WAIT2 and TIME_WAIT in one") \
	X(TIMEWAIT_LIMIT, GAUGE, "tcpfsm_timewait_limit", "netns", "net.ipv4.tcp_max_tw_buckets") \
	X(TIMEWAIT_EVENTS, COUNTER, "tcpfsm_timewait_events", "netns,action", "What became of mini-sockets") \
	X(PORTS_USED, GAUGE, "tcpfsm_ports_used", DESTINATION_LABELS, "Ports in use towards a destination; the 20 with most mini-sockets (with --ledger)") \
	X(PORTS_USABLE, GAUGE, "tcpfsm_ports_usable", DESTINATION_LABELS, "Ports that connect() can choose for it (with --ledger)") \
	X(PORTS_LEFT_OUT, GAUGE, "tcpfsm_ports_destinations_left_out", "", "1: there are more destinations than are told (with --ledger)") \
	X(CONNECTS, COUNTER, "tcpfsm_connects", "netns,comm,result", "Connections opened from here, since serve has begun; result is established, given_up or an errno (with --ledger)") \
	X(FINDING, GAUGE, "tcpfsm_finding", "verdict,severity,netns,address,port", "Findings of explain now, of a listener, a destination of connect(), a network namespace or (empty) of all")
#define LISTENER_LABELS		"netns,address,port"
#define DESTINATION_LABELS	"netns,laddr,raddr,rport"

/* A finding of explain, as much as a label needs. */
struct found {
	char verdict[32];
	uint8_t severity;		/* enum tcpfsm_severity */
	uint32_t netns;			/* 0: of all */
	uint8_t family;			/* 4 or 6; 0: neither of a listener nor of a destination */
	uint16_t port;
	uint8_t addr[16];
};

/* What is known; of what is NULL nothing is told. */
struct known {
	const struct tcpfsm_info *info;
	struct tcpfsm_source *src;	/* live */
	struct tcpfsm_listeners *ls;
	struct tcpfsm_timewaits *ledger;
	const struct outgoings *outgoing;
	struct tcpfsm_checks *checks;
	const struct tcpfsm_filter *filter; /* listeners and network namespaces that pass */
	const struct found *found;
	size_t nfound;
	uint64_t now;			/* epoch */
};

/**
 * metrics_write() - all of them, to @o
 * @openmetrics: OpenMetrics 1.0, else the text format 0.0.4
 *
 * Return: 0 or a negative errno.
 */
int metrics_write(struct out *o, const struct known *k, bool openmetrics);

#endif /* TCPFSM_SERVE_METRICS_H */
