/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of the command line: what getopt, help and the shells' completion are made of.
 */
#ifndef TCPFSM_CLI_WORDS_H
#define TCPFSM_CLI_WORDS_H

#include "uapi/tcpfsm.h"

/* Which options were given: to tell of those that do nothing for a command. */
#define OPT_SOCKET	0x001		/* filters of sockets */
#define OPT_TIME	0x002
#define OPT_COUNT	0x004
#define OPT_DURATION	0x008
#define OPT_READ	0x010
#define OPT_JSON	0x020
#define OPT_RAW		0x040
#define OPT_FOLLOW_NEW	0x080
#define OPT_WIDE	0x100
#define OPT_SVG		0x200
#define OPT_CONN	0x400
#define OPT_NETNS	0x800
#define OPT_EVENT	0x1000		/* filters of events */
#define OPT_PEER	0x1000000	/* filters of the other end, and of the process */
#define OPT_OWNER	0x2000000
#define OPT_TWO		0x4000000	/* two recordings at a time; no option's own */
#define OPT_FOLLOW	0x8000000	/* of a recording that is being written */
#define OPT_FILTER	(OPT_SOCKET | OPT_EVENT | OPT_NETNS | OPT_PEER | OPT_OWNER)
#define OPT_INTERVAL	0x2000
#define OPT_HISTOGRAM	0x4000
#define OPT_TOP		0x8000
#define OPT_SORT	0x10000
#define OPT_VERBOSE	0x20000
#define OPT_EXIT_CODE	0x40000
#define OPT_WHAT_IF	0x80000
#define OPT_KEEP	0x800000		/* what record keeps, and when it ends */
#define OPT_BY		0x100000
#define OPT_ORDER	0x200000
#define OPT_SERVE	0x400000
#define OPT_BUSY	0x10000000

enum {
	LONG_JSON = 256,
	LONG_RAW,
	LONG_DEVICE,
	LONG_SVG,
	LONG_CONN,
	LONG_HISTOGRAM,
	LONG_BUSY,
	LONG_SORT,
	LONG_EXIT_CODE,
	LONG_WHAT_IF,
	LONG_STRICT,
	LONG_KEEP,
	LONG_MAX_SIZE,
	LONG_DUMP,
	LONG_COMPRESS,
	LONG_UNPACK,
	LONG_ON_FINDING,
	LONG_AFTER,
	LONG_BY,
	LONG_LISTEN,
	LONG_LEDGER,
	LONG_STDOUT,
	LONG_FOLLOW,
};

#define SORTS "population, in, out, growth, ports, failed"

/* X(short or LONG_*, long, argument, OPT_*, text); of two that share a letter, see in_force() */
#define OPTIONS(X) \
	X('L', "lport",	    "PORTS",  OPT_SOCKET,     "only these local ports (comma-separated)") \
	X('D', "rport",	    "PORTS",  OPT_PEER,       "only these remote ports") \
	X('4', "ipv4",	    NULL,     OPT_SOCKET,     "only IPv4 (mapped addresses included)") \
	X('6', "ipv6",	    NULL,     OPT_SOCKET,     "only IPv6") \
	X('p', "pid",	    "PID",    OPT_OWNER,      "only connections of this process") \
	X('N', "netns",	    "NETNS",  OPT_NETNS,      "only this network namespace: inode, name or path") \
	X('s', "state",	    "STATES", OPT_EVENT,      "only events in, into or out of these states") \
	X('C', "cause",	    "CAUSES", OPT_EVENT,      "only transitions with these causes") \
	X('T', "time",	    NULL,     OPT_TIME,	      "time of day instead of seconds since the start") \
	X('c', "count",	    "N",      OPT_COUNT,      "stop after N events, ladders, readings, records") \
	X('d', "duration",  "SECONDS", OPT_DURATION,  "stop after so many seconds") \
	X('r', "read",	    "DIR",    OPT_READ,	      "work from a recording; of two hosts: give both") \
	X(LONG_FOLLOW, "follow", NULL, OPT_FOLLOW,    "with -r: read on while it is being written") \
	X(LONG_STRICT, "strict", NULL, OPT_READ,      "exit with 6 when a recording is not complete") \
	X('W', "follow-new", NULL,    OPT_FOLLOW_NEW, "leave out what the flight recorder holds") \
	X('w', "wide",	    NULL,     OPT_WIDE,	      "owner and local address too, however wide") \
	X('w', "interval",  "SECONDS", OPT_INTERVAL,  "show it again every so many seconds") \
	X('n', "top",	    "N",      OPT_TOP,	      "so many rows of each table") \
	X(LONG_SORT, "sort", "KEY",   OPT_SORT,	      "rows by " SORTS) \
	X(LONG_SORT, "sort", "ORDER", OPT_ORDER,      "rows by attempts, failed, slow, resent, live, ports") \
	X(LONG_BY, "by",    "WHAT",   OPT_BY,	      "sums by host, net, port, process or container") \
	X(LONG_WHAT_IF, "what-if", "KEY=VALUE", OPT_WHAT_IF, "replay with backlog=N, ports=LOW-HIGH or tw_reuse=1") \
	X(LONG_HISTOGRAM, "histogram", NULL, OPT_HISTOGRAM, "queue lengths and times as histograms") \
	X(LONG_BUSY, "busy", NULL,    OPT_BUSY,	      "without listeners that nobody calls or waits in") \
	X(LONG_CONN, "conn", "COOKIE", OPT_CONN,      "only this socket's: decimal, or sk:HEX as ss -e") \
	X(LONG_SVG, "svg",  "FILE",   OPT_SVG,	      "write a picture, too") \
	X('v', "verbose",   NULL,     OPT_VERBOSE,    "evidence, everything to do, and what it costs") \
	X(LONG_EXIT_CODE, "exit-code", NULL, OPT_EXIT_CODE, "exit with 10 for a warning, 20 when critical") \
	X(LONG_KEEP, "keep", "SIZE|TIME", OPT_KEEP,   "only the last 500M, 20G, 12h, 7d, in chunks") \
	X(LONG_MAX_SIZE, "max-size", "SIZE", OPT_KEEP, "stop when it is as large, as 500M or 20G") \
	X(LONG_ON_FINDING, "on-finding", "[=SEVERITY]", OPT_KEEP, "only around findings: critical, or warning") \
	X(LONG_AFTER, "after", "SECONDS", OPT_KEEP,   "how long after such a finding, not 60") \
	X(LONG_DUMP, "dump", NULL,    OPT_KEEP,	      "what the flight recorder holds, and no more") \
	X(LONG_COMPRESS, "compress", NULL, OPT_KEEP,  "compress it (zstd): chunks when they are closed") \
	X(LONG_UNPACK, "unpack", NULL, OPT_KEEP,      "no recording: make DIR plain again") \
	X(LONG_LISTEN, "listen", "WHERE", OPT_SERVE,  "at ADDRESS:PORT, not only 127.0.0.1:9823") \
	X(LONG_LEDGER, "ledger", NULL, OPT_SERVE,     "ports by destination, too: reads the records") \
	X(LONG_STDOUT, "stdout", NULL, OPT_SERVE,     "findings and refusals as JSON lines") \
	X(LONG_JSON, "json", NULL,    OPT_JSON,	      "one JSON object per line") \
	X(LONG_RAW, "raw",  NULL,     OPT_RAW,	      "the kernel's own view, artefacts included") \
	X(LONG_DEVICE, "device", "PATH", 0,	      "instead of " TCPFSM_DEVICE) \
	X('h', "help",	    NULL,     0,	      "this text") \
	X('V', "version",   NULL,     0,	      "version")

/* X(name, what it takes besides, text, OPT_* that mean something) */
#define COMMANDS(X) \
	X(trace, "", "every transition as it happens, one line each", \
	  OPT_FILTER | OPT_TIME | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_RAW | OPT_FOLLOW_NEW | OPT_WIDE | OPT_TWO) \
	X(conns, "", "one line for each connection that is over: times, who closed, how", \
	  OPT_FILTER | OPT_TIME | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_FOLLOW_NEW | OPT_WIDE | OPT_TWO) \
	X(ladder, "", "each connection as a sequence diagram: states and segments", \
	  OPT_FILTER | OPT_TIME | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_FOLLOW_NEW | OPT_WIDE | OPT_SVG | OPT_CONN | OPT_TWO) \
	X(diagram, "", "the state diagram of RFC 9293, live, with counts on its arrows", \
	  OPT_FILTER | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_FOLLOW_NEW | OPT_SVG) \
	X(listen, "", "listeners: both queues, what becomes of SYNs, which limit bites", \
	  OPT_SOCKET | OPT_OWNER | OPT_NETNS | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | \
	  OPT_JSON | OPT_INTERVAL | OPT_TOP | OPT_BUSY | OPT_HISTOGRAM) \
	X(timewait, "", "TIME_WAIT by destination and owner, and when ports run out", \
	  OPT_FILTER | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_INTERVAL | OPT_FOLLOW_NEW | OPT_TOP | OPT_SORT) \
	X(connect, "", "who connects where, how long it takes, and why it fails", \
	  OPT_FILTER | OPT_COUNT | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | \
	  OPT_INTERVAL | OPT_FOLLOW_NEW | OPT_TOP | OPT_ORDER | OPT_BY) \
	X(explain, "", "what is wrong and what to do now; -v: and why", \
	  OPT_FILTER | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_JSON | OPT_FOLLOW_NEW | \
	  OPT_INTERVAL | OPT_COUNT | OPT_TOP | OPT_VERBOSE | OPT_EXIT_CODE | OPT_WHAT_IF | OPT_TWO) \
	X(top, "", "all of it on one live screen: like htop, for TCP", \
	  OPT_FILTER | OPT_DURATION | OPT_READ | OPT_FOLLOW | OPT_FOLLOW_NEW) \
	X(serve, "", "metrics for Prometheus, a live page, and findings for the journal", \
	  OPT_NETNS | OPT_SERVE | OPT_READ) \
	X(check, "", "its own totals against the kernel's counters; differences", \
	  OPT_NETNS | OPT_READ | OPT_JSON | OPT_TOP | OPT_WIDE) \
	X(record, "DIR", "save the records to DIR as a CTF trace, for -r", \
	  OPT_SOCKET | OPT_PEER | OPT_NETNS | OPT_COUNT | OPT_DURATION | OPT_FOLLOW_NEW | OPT_KEEP) \
	X(report, "FILE", "a recording as one page for a browser, for a ticket", \
	  OPT_FILTER | OPT_READ) \
	X(info, "", "versions, features and why one is off, rings, memory, losses", \
	  OPT_READ | OPT_JSON)

#endif /* TCPFSM_CLI_WORDS_H */
