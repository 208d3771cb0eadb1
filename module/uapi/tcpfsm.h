/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * tcpfsm - the TCP state machine of a running kernel, as it moves.
 *
 * The one contract between the module and its readers: the record, the ring,
 * the ioctls of /dev/tcpfsm and the tables of names.  Everything here is
 * append-only; a change of layout or meaning raises TCPFSM_ABI_VERSION.
 */
#ifndef _UAPI_TCPFSM_H
#define _UAPI_TCPFSM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TCPFSM_ABI_VERSION	1

/*
 * Tables.  Each is expanded into an enum here, into names in the library and
 * into enumerations in the metadata of a recording.
 */

/* What a record tells.  X(symbol, number, name, what it tells) */
#define TCPFSM_TYPES(X) \
	X(STATE,	  1, "state",		"the tracepoint sock:inet_sock_set_state fired") \
	X(SYN,		  2, "syn",		"a SYN met a listener") \
	X(ACK,		  3, "handshake_ack",	"a third ACK that did not lead to ESTABLISHED") \
	X(REQUEST_GONE,	  4, "request_gone",	"a request socket died without becoming a connection") \
	X(RETRANSMIT,	  5, "retransmit",	"a segment was sent again") \
	X(RESET,	  6, "reset",		"an RST was sent or received") \
	X(ACCEPT,	  7, "accept",		"accept() handed out a connection") \
	X(LISTEN,	  8, "listen",		"listen() was called") \
	X(TIMEWAIT,	  9, "timewait",	"a TIME_WAIT or FIN_WAIT2 mini-socket was made, touched or freed") \
	X(CONNECT_FAILED, 10, "connect_failed",	"connect() failed before a SYN left") \
	X(SHUTDOWN,	 11, "shutdown",	"shutdown() asked for the sending side to close") \
	X(SOCKET,	 12, "socket", \
	  "a socket that was there when the reader attached (written by readers, not by the module)") \
	X(TOTAL,	 13, "total", \
	  "one counter of a listener or a network namespace (TCPFSM_IOC_TOTALS, not in the ring)") \
	X(SUPPRESSED,	 14, "suppressed", \
	  "records of refused SYNs and ACKs, RSTs, listen(), shutdown() or TIME_WAIT left out: " \
	  "parameter syn_limit") \
	X(NETNS,	 15, "netns", \
	  "a network namespace was made: what came before with its inode was another one's") \
	X(MARK,		 16, "mark", \
	  "what time it was, or how a recording ended (written by readers, not by the module)")

/* The fate of a SYN or a third ACK: record.verdict of SYN and ACK. */
#define TCPFSM_VERDICTS(X) \
	X(QUEUED,	1, "queued",	  "a request socket joined the SYN queue") \
	X(COOKIE,	2, "cookie",	  "answered with a SYN cookie, nothing kept") \
	X(DROPPED,	3, "dropped",	  "ignored") \
	X(ESTABLISHED,	4, "established", "the connection joined the accept queue") \
	X(RESET,	5, "reset",	  "answered with an RST")

/* Why, when the verdict is not the normal one: record.reason. */
#define TCPFSM_REASONS(X) \
	X(SYNQ_FULL,	  1, "synq_full",	"the SYN queue is full") \
	X(ACCEPTQ_FULL,	  2, "acceptq_full",	"the accept queue is full") \
	X(LAST_QUARTER,	  3, "last_quarter",	"the last quarter of tcp_max_syn_backlog is kept for proven peers") \
	X(NO_MEMORY,	  4, "no_memory",	"no memory") \
	X(NO_ROUTE,	  5, "no_route",	"no route back to the peer") \
	X(COOKIE_INVALID, 6, "cookie_invalid",	"the ACK carries no valid SYN cookie") \
	X(SECURITY,	  7, "security",	"a security module refused") \
	X(OTHER,	  8, "other",		"none of the above") \
	X(DEFER_ACCEPT,	  9, "defer_accept",	"TCP_DEFER_ACCEPT waits for data") \
	X(DUPLICATE,	 10, "duplicate",	"another CPU was queueing the same SYN") \
	X(PAWS,		 11, "paws",		"its time stamp is older than the SYN's (RFC 7323)") \
	X(WINDOW,	 12, "window",		"its sequence number is outside of the window") \
	X(TSECR,	 13, "tsecr",		"it echoes a time stamp that was not sent")

/* What became of a mini-socket: record.verdict of TIMEWAIT. */
#define TCPFSM_TW_ACTIONS(X) \
	X(ENTER,	1, "enter",	"made from a full socket") \
	X(REFRESH,	2, "refresh",	"its timer was restarted by a segment") \
	X(REOPEN,	3, "reopen",	"freed by an acceptable SYN") \
	X(REUSE,	4, "reuse",	"freed by connect() for the same addresses and ports") \
	X(KILL,		5, "kill",	"freed by an RST or unacceptable data") \
	X(EXPIRE,	6, "expire",	"its timer ran out") \
	X(DENIED,	7, "denied",	"not made: tcp_max_tw_buckets or no memory") \
	X(PURGE,	8, "purge",	"freed with its network namespace") \
	X(ABORT,	9, "abort",	"freed by the administrator (ss -K); totals count it as kill")

/* Which segment was sent again: record.verdict of RETRANSMIT. */
#define TCPFSM_SEGMENTS(X) \
	X(SYN,		1, "SYN",	"the active side's SYN") \
	X(SYNACK,	2, "SYNACK",	"the passive side's SYN-ACK") \
	X(FIN,		3, "FIN",	"a segment with FIN") \
	X(DATA,		4, "DATA",	"any other segment")

/* record.verdict of RESET. */
#define TCPFSM_DIRECTIONS(X) \
	X(SENT,		1, "sent",	"by this end") \
	X(RECEIVED,	2, "received",	"by this end")

/* Why an RST was sent, where that is known: record.reason of RESET. */
#define TCPFSM_RST_REASONS(X) \
	X(NO_SOCKET,	 1, "no_socket",	"no socket has that address and port") \
	X(TIME_WAIT,	 2, "time_wait",	"a segment that TIME_WAIT does not expect") \
	X(INVALID_ACK,	 3, "invalid_ack",	"a segment acknowledges what was not sent") \
	X(OLD_ACK,	 4, "old_ack",		"a segment acknowledges too little") \
	X(PAWS,		 5, "paws",		"a segment with an old time stamp (RFC 7323)") \
	X(FLAGS,	 6, "flags",		"a segment whose flags do not fit the state") \
	X(DATA_AFTER_CLOSE, 7, "data_after_close", "data came for a socket that was closed") \
	X(UNREAD_DATA,	 8, "unread_data",	"closed with data that had not been read") \
	X(LINGER,	 9, "linger",		"closed with SO_LINGER 0") \
	X(MEMORY,	10, "memory",		"too many orphans, or no memory") \
	X(STATE,	11, "state",		"disconnected") \
	X(KEEPALIVE,	12, "keepalive",	"the peer answers no keepalive") \
	X(MPTCP,	13, "mptcp",		"MPTCP gave the subflow up") \
	X(OTHER,	14, "other",		"none of the above")

/* Why a request socket died: record.verdict of REQUEST_GONE. */
#define TCPFSM_GONE(X) \
	X(TIMEOUT,	1, "timeout",	"SYN-ACK retries are used up") \
	X(RCV_RST,	2, "rcv_rst",	"the peer answered the SYN-ACK with an RST") \
	X(SND_RST,	3, "snd_rst",	"this end answered with an RST") \
	X(CLOSE,	4, "close",	"the listener was closed") \
	X(NETNS_EXIT,	5, "netns_exit", "its network namespace was deleted") \
	X(ABORT,	6, "abort",	"removed by the administrator (ss -K)") \
	X(ICMP,		7, "icmp",	"an ICMP error met the SYN-ACK")

/*
 * Features: what the hooks make visible.  A feature whose hook is missing on
 * a kernel is off; its error tells why.  X(symbol, number, name, what is seen)
 */
#define TCPFSM_FEATURES(X) \
	X(STATE,	 0, "state",		"state changes of full sockets") \
	X(SYN,		 1, "syn",		"arrival and fate of each SYN") \
	X(ACK,		 2, "handshake_ack",	"fate of each third ACK") \
	X(REQUEST,	 3, "request",		"death of request sockets") \
	X(SYNACK,	 4, "synack",		"SYN-ACK retransmits") \
	X(COOKIE,	 5, "cookie",		"SYN cookies coming back") \
	X(ACCEPT,	 6, "accept",		"accept()") \
	X(LISTEN,	 7, "listen",		"listen()") \
	X(TW_ENTER,	 8, "tw_enter",		"TIME_WAIT entered or denied") \
	X(TW_SEGMENT,	 9, "tw_segment",	"segments that meet TIME_WAIT") \
	X(TW_LEAVE,	10, "tw_leave",		"TIME_WAIT left") \
	X(RETRANSMIT,	11, "retransmit",	"retransmitted segments") \
	X(RST_SENT,	12, "reset_sent",	"RSTs sent") \
	X(RST_RECEIVED,	13, "reset_received",	"RSTs received") \
	X(CONNECT_FAILED, 14, "connect_failed",	"connect() that finds no port") \
	X(SHUTDOWN,	15, "shutdown",		"shutdown()") \
	X(ACTIVE_OPEN,	16, "active_open",	"the local port when an active open begins") \
	X(REQUEST_ICMP,	17, "request_icmp",	"request sockets killed by ICMP") \
	X(SYNACK_TIMER,	18, "synack_timer",	"time-outs of SYN-ACKs")

/*
 * Totals: counters of each listener, kept by the module from load on, and per
 * network namespace the rest.  An index into them is the number of a table's
 * first entry plus the number within the table.
 *
 * How values of several CPUs and of several listeners are put together:
 * SUM; MAX, MIN (0: none); AT: belongs to the MAX just before it; NOW: as it is at
 * the moment of reading, listeners only or network namespaces only.
 *
 * Times are CLOCK_MONOTONIC nanoseconds, durations nanoseconds.
 * X(symbol, number, name, merge, what it tells)
 */
#define TCPFSM_TOTALS(X) \
	X(SYN,		   0, "syn",		SUM, "SYNs that met the listener") \
	X(SYN_QUEUED,	   1, "syn_queued",	SUM, "that joined the SYN queue") \
	X(SYN_COOKIE,	   2, "syn_cookie",	SUM, "answered with a SYN cookie") \
	X(SYN_FASTOPEN,	   3, "syn_fastopen",	SUM, "accepted with their data (TCP Fast Open)") \
	X(SYN_DUPLICATE,   4, "syn_duplicate",	SUM, "that another CPU was queueing already") \
	X(COOKIE_WANTED,   5, "cookie_wanted",	SUM, "SYNs for which a cookie was decided on") \
	X(COOKIE_VALID,	   6, "cookie_valid",	SUM, "ACKs with a valid SYN cookie") \
	X(SYNACK_RETRANSMIT, 7, "synack_retransmit", SUM, "SYN-ACKs sent again") \
	X(SYNACK_TIMEOUT,  8, "synack_timeout",	SUM, "time-outs of a SYN-ACK") \
	X(COMPLETED,	   9, "completed",	SUM, "handshakes completed by a request socket") \
	X(COMPLETED_COOKIE, 10, "completed_cookie", SUM, "handshakes completed by a SYN cookie") \
	X(COMPLETED_LATE,  11, "completed_late", SUM, \
	  "of the completed, those whose SYN-ACK had been sent again") \
	X(CHILD_LOST,	  12, "child_lost",	SUM, \
	  "connections made that did not reach the accept queue (another CPU was faster)") \
	X(ACCEPTED,	  13, "accepted",	SUM, "connections handed out by accept()") \
	X(ABANDONED,	  14, "abandoned",	SUM, "in the accept queue when the listener was closed") \
	X(SUPPRESSED,	  15, "suppressed",	SUM, "records left out: parameter syn_limit") \
	X(SYN_RETRANSMIT, 16, "syn_retransmit",	SUM, "SYNs of active opens sent again (network namespace)") \
	X(SYNQ_FULL_NS,	  17, "synq_full_ns",	SUM, "time the SYN queue was full") \
	X(ACCEPTQ_FULL_NS, 18, "acceptq_full_ns", SUM, "time the accept queue was full") \
	X(SYNQ_PEAK,	  19, "synq_peak",	MAX, "longest SYN queue") \
	X(SYNQ_PEAK_TS,	  20, "synq_peak_ts",	AT,  "and when") \
	X(ACCEPTQ_PEAK,	  21, "acceptq_peak",	MAX, "longest accept queue") \
	X(ACCEPTQ_PEAK_TS, 22, "acceptq_peak_ts", AT, "and when") \
	X(REFUSED_LAST_TS, 23, "refused_last_ts", MAX, \
	  "when a SYN or ACK was refused last, or a cookie sent (to a tick of the kernel)") \
	X(REFUSED_FIRST_TS, 24, "refused_first_ts", MIN, "and first") \
	X(RESET_SUPPRESSED, 26, "reset_suppressed", SUM, \
	  "records of RSTs without a connection left out: parameter syn_limit (network namespace)") \
	X(LISTENERS_LOST, 25, "listeners_lost",	SUM, \
	  "events of listeners that found no place in the table: parameter listeners (network namespace)") \
	X(TW_SHORT,	  27, "tw_short",	SUM, \
	  "of timewait.enter, those made for 4 seconds or less; before Linux 5.18 of tw_ended, " \
	  "those last scheduled so (network namespace)") \
	X(TW_CAME,	  28, "tw_came",	SUM, \
	  "mini-sockets that were made before counting began, or while it paused (network namespace)") \
	X(TW_WENT,	  29, "tw_went",	SUM, "and that ended while it paused (network namespace)") \
	X(TW_LATE,	  30, "tw_late",	SUM, \
	  "of timewait.enter, those that TcpExtTW does not count: before Linux 5.18 all " \
	  "(network namespace)") \
	X(TW_ENDED,	  31, "tw_ended",	SUM, \
	  "mini-sockets that TcpExtTW and TcpExtTWKilled counted as their time was over: before " \
	  "Linux 5.18 (network namespace)") \
	/* Within those below: of reasons there are TCPFSM_TOTAL_REASONS at most. */ \
	X(HANDSHAKE_US_SUM, 78, "handshake_us_sum", SUM, "sum of the times in handshake_us, microseconds") \
	X(ACCEPT_US_SUM, 79, "accept_us_sum",	SUM, "sum of the times in accept_us, microseconds") \
	/* And no request dies of reason 0. */ \
	X(JOINED,	  80, "joined",		SUM, \
	  "handshakes completed by a further subflow of an MPTCP connection: no accept queue") \
	X(NOW_SYNQ,	 224, "synq",		NOW, "request sockets in the SYN queue") \
	X(NOW_SYNQ_YOUNG, 225, "synq_young",	NOW, "of these, those whose SYN-ACK was sent once only") \
	X(NOW_ACCEPTQ,	 226, "acceptq",	NOW, "connections in the accept queue") \
	X(NOW_BACKLOG,	 227, "backlog",	NOW, "sk_max_ack_backlog, the limit of both queues") \
	X(NOW_SYNQ_PLACES, 228, "synq_places",	NOW, \
	  "requests that the SYN queue takes: backlog, or one more (inet_csk_reqsk_queue_is_full())") \
	X(NOW_ASKED,	 229, "asked",		NOW, "backlog that listen(2) asked for plus 1; 0: not known") \
	X(NOW_SINCE_TS,	 230, "since_ts",	NOW, "when it was first seen; network namespace: since when") \
	X(NOW_GONE_TS,	 231, "gone_ts",	NOW, "when it was closed") \
	X(NOW_REUSEPORT, 232, "reuseport",	NOW, "SO_REUSEPORT: sockets in its group") \
	X(NOW_DEFER_ACCEPT, 233, "defer_accept", NOW, "TCP_DEFER_ACCEPT: SYN-ACKs it waits for data") \
	X(NOW_SOMAXCONN, 234, "somaxconn",	NOW, "net.core.somaxconn") \
	X(NOW_MAX_SYN_BACKLOG, 235, "max_syn_backlog", NOW, "net.ipv4.tcp_max_syn_backlog") \
	X(NOW_SYNCOOKIES, 236, "syncookies",	NOW, "net.ipv4.tcp_syncookies") \
	X(NOW_ABORT_ON_OVERFLOW, 237, "abort_on_overflow", NOW, "net.ipv4.tcp_abort_on_overflow") \
	X(NOW_SYNACK_RETRIES, 238, "synack_retries", NOW, "net.ipv4.tcp_synack_retries") \
	X(NOW_TW,	 239, "tw",		NOW, "mini-sockets (TIME_WAIT and FIN_WAIT2)") \
	X(NOW_TW_MAX,	 240, "tw_max",		NOW, "net.ipv4.tcp_max_tw_buckets") \
	X(NOW_TW_UNSETTLED, 241, "tw_unsettled", NOW, \
	  "1: tw_came and tw_went are not up to date, as mini-sockets came and went too fast") \
	X(NOW_PORT_LOW,	 242, "port_low",	NOW, "net.ipv4.ip_local_port_range: the first port") \
	X(NOW_PORT_HIGH, 243, "port_high",	NOW, "and the last one") \
	X(NOW_PORTS,	 244, "ports",		NOW, \
	  "of these, those that connect() can choose (net.ipv4.ip_local_reserved_ports)") \
	X(NOW_TW_REUSE,	 245, "tw_reuse",	NOW, "net.ipv4.tcp_tw_reuse") \
	X(NOW_TIMESTAMPS, 246, "timestamps",	NOW, "net.ipv4.tcp_timestamps") \
	X(NOW_FIN_TIMEOUT, 247, "fin_timeout",	NOW, "net.ipv4.tcp_fin_timeout, seconds") \
	X(NOW_RFC1337,	 248, "rfc1337",	NOW, "net.ipv4.tcp_rfc1337") \
	X(NOW_PLACE,	 249, "place",		NOW, \
	  "1: what happened is in its totals; 0: it found no place in the table, and is counted for " \
	  "the network namespace only") \
	X(NOW_TW_REUSE_DELAY, 250, "tw_reuse_delay", NOW, \
	  "net.ipv4.tcp_tw_reuse_delay, milliseconds; 0: before Linux 6.14, a second") \
	X(NOW_ACCEPTED_TS, 251, "accepted_ts",	NOW, \
	  "when accept() last handed out a connection; the owner of this total did") \
	X(NOW_NETNS_COOKIE, 252, "netns_cookie", NOW, \
	  "SO_NETNS_COOKIE, which no other network namespace ever has; before Linux 5.12 our own") \
	X(NOW_MADE_TS,	 253, "made_ts",	NOW, \
	  "when the network namespace was made; 0: before the module was loaded") \
	X(NOW_DEV,	 254, "dev",		NOW, "index of the device that it is bound to; 0: none")

/* By enum tcpfsm_reason: why, and how often; SUM. */
#define TCPFSM_TOTAL_REASONS		14
#define TCPFSM_TOTAL_SYN_DROPPED	32
#define TCPFSM_TOTAL_ACK_DROPPED	48
#define TCPFSM_TOTAL_ACK_RESET		64
/* By enum tcpfsm_gone: request sockets that died; SUM. */
#define TCPFSM_TOTAL_GONE		80
/* By enum tcpfsm_tw_action, from 1 on: what became of mini-sockets (network namespace); SUM. */
#define TCPFSM_TOTAL_TW			87
/*
 * Histograms of 32; SUM.  Bucket 0 counts zeros, bucket n from 2^(n-1) to
 * 2^n - 1, the last one all beyond.  Lengths are those that a SYN found.
 */
#define TCPFSM_TOTAL_BUCKETS		32
#define TCPFSM_TOTAL_SYNQ_LENGTH	96
#define TCPFSM_TOTAL_ACCEPTQ_LENGTH	128
#define TCPFSM_TOTAL_HANDSHAKE_US	160	/* first SYN-ACK to ESTABLISHED; not with cookies */
#define TCPFSM_TOTAL_ACCEPT_US		192	/* ESTABLISHED to accept() */
/* Those below are counted where it happens, the others looked up. */
#define TCPFSM_TOTAL_COUNTED		224
/*
 * By enum tcpfsm_kernel: the kernel's own counters of the network namespace;
 * what they showed when the module began to count, and show now.
 */
#define TCPFSM_TOTAL_KERNEL_BASE	256
#define TCPFSM_TOTAL_KERNEL		288
#define TCPFSM_TOTAL_NUM		320

/* X(symbol, number, name as nstat prints it) */
#define TCPFSM_KERNEL(X) \
	X(LISTENDROPS,		 0, "TcpExtListenDrops") \
	X(LISTENOVERFLOWS,	 1, "TcpExtListenOverflows") \
	X(REQQFULLDROP,		 2, "TcpExtTCPReqQFullDrop") \
	X(REQQFULLDOCOOKIES,	 3, "TcpExtTCPReqQFullDoCookies") \
	X(SYNCOOKIESSENT,	 4, "TcpExtSyncookiesSent") \
	X(SYNCOOKIESRECV,	 5, "TcpExtSyncookiesRecv") \
	X(SYNCOOKIESFAILED,	 6, "TcpExtSyncookiesFailed") \
	X(PASSIVEOPENS,		 7, "TcpPassiveOpens") \
	X(SYNRETRANS,		 8, "TcpExtTCPSynRetrans") \
	X(TIMEOUTS,		 9, "TcpExtTCPTimeouts") \
	X(DEFERACCEPTDROP,	10, "TcpExtTCPDeferAcceptDrop") \
	X(RETRANSFAIL,		11, "TcpExtTCPRetransFail") \
	X(TW,			12, "TcpExtTW") \
	X(TWKILLED,		13, "TcpExtTWKilled") \
	X(TWRECYCLED,		14, "TcpExtTWRecycled") \
	X(TIMEWAITOVERFLOW,	15, "TcpExtTCPTimeWaitOverflow")

#define TCPFSM_ENUM_TYPE(s, n, name, text)	TCPFSM_TYPE_##s = n,
enum tcpfsm_type { TCPFSM_TYPES(TCPFSM_ENUM_TYPE) };

#define TCPFSM_ENUM_VERDICT(s, n, name, text)	TCPFSM_VERDICT_##s = n,
enum tcpfsm_verdict { TCPFSM_VERDICTS(TCPFSM_ENUM_VERDICT) };

#define TCPFSM_ENUM_REASON(s, n, name, text)	TCPFSM_REASON_##s = n,
enum tcpfsm_reason { TCPFSM_REASONS(TCPFSM_ENUM_REASON) };

#define TCPFSM_ENUM_TW(s, n, name, text)	TCPFSM_TW_##s = n,
enum tcpfsm_tw_action { TCPFSM_TW_ACTIONS(TCPFSM_ENUM_TW) };

#define TCPFSM_ENUM_SEGMENT(s, n, name, text)	TCPFSM_SEGMENT_##s = n,
enum tcpfsm_segment { TCPFSM_SEGMENTS(TCPFSM_ENUM_SEGMENT) };

#define TCPFSM_ENUM_DIRECTION(s, n, name, text)	TCPFSM_DIRECTION_##s = n,
enum tcpfsm_direction { TCPFSM_DIRECTIONS(TCPFSM_ENUM_DIRECTION) };

#define TCPFSM_ENUM_RST(s, n, name, text)	TCPFSM_RST_##s = n,
enum tcpfsm_rst_reason { TCPFSM_RST_REASONS(TCPFSM_ENUM_RST) };

#define TCPFSM_ENUM_GONE(s, n, name, text)	TCPFSM_GONE_##s = n,
enum tcpfsm_gone { TCPFSM_GONE(TCPFSM_ENUM_GONE) };

#define TCPFSM_ENUM_FEATURE(s, n, name, text)	TCPFSM_FEATURE_##s = n,
enum tcpfsm_feature { TCPFSM_FEATURES(TCPFSM_ENUM_FEATURE) };

#define TCPFSM_ENUM_TOTAL(s, n, name, merge, text) TCPFSM_TOTAL_##s = n,
enum tcpfsm_total { TCPFSM_TOTALS(TCPFSM_ENUM_TOTAL) };

#define TCPFSM_ENUM_KERNEL(s, n, name)		TCPFSM_KERNEL_##s = n,
enum tcpfsm_kernel { TCPFSM_KERNEL(TCPFSM_ENUM_KERNEL) };

/* record.flags */
#define TCPFSM_F_OWNER		0x01	/* pid and comm are the socket's owner, in a system call */
#define TCPFSM_F_PASSIVE	0x02	/* listener, synq, acceptq and backlog are filled in */
#define TCPFSM_F_SAME_SEGMENT	0x04	/* with TW_ENTER: the FIN came in the segment that moved FIN_WAIT1 on */
#define TCPFSM_F_REPAIR		0x04	/* STATE without a verdict: TCP_REPAIR, no segment goes with it */
#define TCPFSM_F_CLONE		0x08	/* the tracepoint fired LISTEN -> SYN_RECV for this socket just before: */
					/* STATE to ESTABLISHED; SYN: TCP Fast Open made the child already */
#define TCPFSM_F_UNSENT		0x08	/* STATE to FIN_WAIT1 and LAST_ACK: the peer's window has no room */
					/* for the FIN, or for what goes before it */
#define TCPFSM_F_TIMESTAMPS	0x08	/* of TIMEWAIT, and of STATE with TW_ENTER: its peer sent timestamps, */
					/* without which net.ipv4.tcp_tw_reuse cannot reuse it */
#define TCPFSM_F_ORPHAN		0x10	/* the socket has no file any more (SOCK_DEAD) */
#define TCPFSM_F_SHUT_RCV	0x20	/* sk_shutdown & RCV_SHUTDOWN: the peer's FIN was seen */
#define TCPFSM_F_SHUT_SEND	0x40	/* sk_shutdown & SEND_SHUTDOWN: this end closed */
#define TCPFSM_F_TASK		0x80	/* in process context (not in an interrupt or softirq) */

/* record.seq of a slot that is being written. */
#define TCPFSM_SEQ_BUSY		(~0ULL)

/**
 * struct tcpfsm_record - one event, one slot of the ring, one CTF event
 * @seq: position in this CPU's stream, counted from 1; 0 in a slot that was
 *	 never used, %TCPFSM_SEQ_BUSY while it is being written; SOCKET: in the
 *	 snapshot
 * @ts: CLOCK_MONOTONIC, nanoseconds; SOCKET: when it had been read
 * @type: enum tcpfsm_type
 * @family: 4 or 6; IPv4-mapped IPv6 addresses are stored as IPv4
 * @old_state: state before, as in <linux/tcp.h> TCP_*; SYN, ACK, REQUEST_GONE, RESET,
 *	 RETRANSMIT, SHUTDOWN: the state it happened in; TIMEWAIT: the substate
 *	 before (FIN_WAIT2 or TIME_WAIT), for ENTER the one asked for
 * @new_state: state after (STATE, REQUEST_GONE); substate after (TIMEWAIT); SOCKET: as
 *	 @old_state, the state (request socket: SYN_RECV; mini-socket: its substate)
 * @flags: TCPFSM_F_*
 * @verdict: by type: enum tcpfsm_verdict, _tw_action, _segment, _direction,
 *	     _gone; SHUTDOWN: the how argument (0 RD, 1 WR, 2 RDWR); STATE to
 *	     CLOSE: TCPFSM_TW_ENTER or _DENIED when the socket became, or could
 *	     not become, a mini-socket at that moment, else 0; SOCKET:
 *	     TCPFSM_TW_ENTER for a mini-socket, else 0
 * @reason: enum tcpfsm_reason, or 0; STATE with a verdict: the substate of the
 *	    mini-socket; STATE to CLOSE with an errno: NO_ROUTE when no route was found
 *	    at last; RESET: enum tcpfsm_rst_reason, 0: not known
 * @arg: an errno (STATE: sk_err; CONNECT_FAILED: why, with @old_state CLOSE before SYN_SENT), or RETRANSMIT: how many times
 *	 in a row, this one included
 * @conn: socket cookie, as "ss -e" prints it; the same from request socket to
 *	  mini-socket; 0 when there is none
 * @listener: socket cookie of the listener; 0 when not known
 * @netns: inode of the network namespace
 * @lport: local port, host byte order
 * @rport: remote port, host byte order
 * @laddr: local address, network byte order; IPv4 in the first 4 bytes, rest 0
 * @raddr: remote address
 * @snd: next sequence number to send (host order); SYN: our initial sequence
 *	 number, or net.ipv4.tcp_max_syn_backlog when it was dropped; LISTEN: the
 *	 backlog asked for, or ~0 when it is not known
 * @rcv: next sequence number expected; SYN: the peer's initial sequence number;
 *	 SOCKET: milliseconds since TIME_WAIT began, or was last begun again; ~0
 *	 in other states, where nothing tells
 * @tw: mini-sockets in the netns (TIME_WAIT and FIN_WAIT2) after the event
 * @tw_max: their limit, net.ipv4.tcp_max_tw_buckets
 * @synq: request sockets in the listener's SYN queue, this one included when
 *	  it was queued (PASSIVE records; ACCEPT: what is left, not PASSIVE when
 *	  the listener is not known)
 * @acceptq: connections in the listener's accept queue, likewise
 * @backlog: the listener's sk_max_ack_backlog, the limit of both queues
 * @dev: not PASSIVE, of a socket or mini-socket: index of the device that it is bound to (of
 *	  link-local addresses the link, of a VRF its master), 0: none
 * @pid: process (thread group) in the initial pid namespace, with OWNER
 * @young: SYN: of @synq, those whose SYN-ACK was sent once only
 * @comm: name of its first thread, NUL padded, with OWNER
 *
 * SOCKET: @tw, @tw_max and @snd are 0.  A listener is PASSIVE and its own @listener; its
 * @synq are those requests that were seen and have it as @listener, ~0: not known.  A socket
 * in SYN_RECV is PASSIVE when a listener made it; @listener is the one that the kernel looks up
 * for its address and device, 0 when that is none or one of several; the queues are 0.
 * OWNER: the process that has it open, of several the lowest pid.
 *
 * NETNS: @netns, @listener: its cookie, as NOW_NETNS_COOKIE has it, @tw, @tw_max, and who made it.
 * Everything else is 0.  It comes before all other records of that network namespace.
 *
 * TOTAL: @conn: the listener's cookie, 0: the network namespace; @netns, @family, @lport
 * and @laddr: the listener's; @rcv: index of the total; @listener: its value; OWNER: who
 * called listen(), of NOW_ACCEPTED_TS who called accept() last.  Totals of 0 are left out, but not NOW_SINCE_TS and NOW_PLACE.  @ts is the same for
 * all that were read together.  Everything else is 0.
 *
 * SUPPRESSED: @verdict: type of the records left out: TCPFSM_TYPE_SYN: refused SYNs and ACKs
 * of a listener, whose @lport, @laddr and PASSIVE members are filled in (not @lport and @laddr
 * of one beyond the table); others are of the network namespace: TCPFSM_TYPE_RESET: RSTs that
 * answered a segment of no connection; _LISTEN, _SHUTDOWN; _TIMEWAIT: of REFRESH.  @snd: how many on this CPU, @rcv: in so many microseconds before
 * @ts.
 */
struct tcpfsm_record {
	__u64	seq;
	__u64	ts;
	__u8	type;
	__u8	family;
	__u8	old_state;
	__u8	new_state;
	__u8	flags;
	__u8	verdict;
	__u8	reason;
	__u8	arg;
	__u64	conn;
	__u64	listener;
	__u32	netns;
	__u16	lport;
	__u16	rport;
	__u8	laddr[16];
	__u8	raddr[16];
	__u32	snd;
	__u32	rcv;
	__u32	tw;
	__u32	tw_max;
	__u32	synq;
	__u32	acceptq;
	union {
		__u32	backlog;
		__u32	dev;
	};
	union {
		__u32	pid;
		__u32	young;
	};
	__u8	comm[16];
};

/**
 * struct tcpfsm_ring - header of one CPU's ring, alone on the ring's first page
 * @head: records written so far; slot (n - 1) % slots holds the record with
 *	  seq n.  Stored with release after the record is complete.
 * @slots: number of slots, a power of two
 * @cpu: the CPU that writes it
 * @begin: records that this CPU wrote before it had a ring, for want of memory:
 *	   they are lost; the ring's first one has seq @begin + 1
 * @made: rings made so far, the same in each: when it has grown, there is
 *	  another one to map
 * @reserved: 0
 *
 * The slots begin at the page after the header.  A reader keeps its own
 * cursor; a record is good only when its seq equals cursor + 1 both before and
 * after the copy.  Only the kernel writes here; readers map it read-only.
 */
struct tcpfsm_ring {
	__u64	head;
	__u32	slots;
	__u32	cpu;
	__u64	begin;
	__u32	made;
	__u32	reserved;
};

#define TCPFSM_FEATURE_SLOTS	32

/**
 * struct tcpfsm_info - what TCPFSM_IOC_INFO tells
 * @size: in: sizeof(struct tcpfsm_info) of the caller; out: bytes filled in
 * @abi: in: TCPFSM_ABI_VERSION of the caller; out: that of the module
 * @record_size: sizeof(struct tcpfsm_record)
 * @slots: slots of each ring
 * @rings: rings are numbered by CPU from 0 to @rings - 1; a CPU has one from when
 *	   it has been online first.  mmap() of one that is not there: -ENXIO.
 *	   (Who has no room for @made is told of those before the first gap.)
 * @watermark: records in one ring that wake a sleeping reader
 * @latency_ms: longest time a record waits before a sleeping reader is woken
 * @flight_recorder: 1: hooks are armed from load to unload; 0: while the
 *		     device is open
 * @ring_bytes: length of one ring's mapping
 * @ring_stride: ring n is mapped at offset n * ring_stride
 * @epoch_offset: nanoseconds to add to a record's ts for the time since the
 *		  Unix epoch, as the clock is set now
 * @missed: segments and sockets whose story has a gap because their outcome
 *	    was not seen, since load
 * @features: bit n is set when enum tcpfsm_feature n is on
 * @error: by enum tcpfsm_feature: 0, or the negative errno that kept it off
 * @version: version of the module, NUL terminated
 * @made: rings that are there
 * @reserved: 0
 * @ring_memory: bytes that they take
 * @listener_memory: bytes that the totals of listeners take
 * @unkept: records written by CPUs without a ring, for want of memory
 */
struct tcpfsm_info {
	__u32	size;
	__u32	abi;
	__u32	record_size;
	__u32	slots;
	__u32	rings;
	__u32	watermark;
	__u32	latency_ms;
	__u32	flight_recorder;
	__u64	ring_bytes;
	__u64	ring_stride;
	__s64	epoch_offset;
	__u64	missed;
	__u64	features;
	__s32	error[TCPFSM_FEATURE_SLOTS];
	__u8	version[32];
	__u32	made;
	__u32	reserved;
	__u64	ring_memory;
	__u64	listener_memory;
	__u64	unkept;
};

#define TCPFSM_IOC_MAGIC	0xF5

/*
 * TCPFSM_IOC_INFO: must be the first call on an open device.  -EPROTO when the
 * versions differ, with @size and @abi filled in; -EINVAL when @size does not
 * reach to @version.  Later versions only append to the struct.
 */
#define TCPFSM_IOC_INFO		_IOWR(TCPFSM_IOC_MAGIC, 1, struct tcpfsm_info)

/*
 * TCPFSM_IOC_CONSUMED: how many records of all rings together lie behind this
 * reader's cursors, delivered and lost.  poll() compares it with what was
 * written: readable at the watermark, or when a record has waited latency_ms.
 */
#define TCPFSM_IOC_CONSUMED	_IOW(TCPFSM_IOC_MAGIC, 2, __u64)

/**
 * struct tcpfsm_totals - what TCPFSM_IOC_TOTALS reads
 * @records: in: address of struct tcpfsm_record[@count]
 * @count: in: room there; out: records there are, of type TOTAL
 *
 * Of every listener, those closed within the last minute included, and of
 * every network namespace: of listeners closed earlier or beyond the table.
 * -ENOSPC: more than @count, which were left out.  -EAGAIN: what @records points to
 * was paged out again and again.
 */
struct tcpfsm_totals {
	__u64	records;
	__u64	count;
};

#define TCPFSM_IOC_TOTALS	_IOWR(TCPFSM_IOC_MAGIC, 3, struct tcpfsm_totals)

#define TCPFSM_DEVICE		"/dev/tcpfsm"

#endif /* _UAPI_TCPFSM_H */
