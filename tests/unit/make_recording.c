// SPDX-License-Identifier: GPL-2.0-only
/*
 * make_recording DIR [CONNECTIONS [open | totals | listeners | timewait | ports | slow | live | chunks | packed | idle | wide | named | client | server]]: a recording without
 * a kernel, for tests of the command and for measuring it.  Two CPUs; each connection walks
 * through its life at both ends, and around them everything else happens once.
 * "open": nothing but so many connections that are established and stay.
 * "totals": nothing but totals, of which so many SYNs have no fate.
 * "listeners": nothing but two readings of the totals of listeners.
 * "slow": all of that and the listeners' totals, a connection each second, for who plays it.
 * "live": a hundred connections a second, at the time it is, for so many seconds, or until it is killed, and the totals
 *	   of listeners each second.
 * "chunks": the same in chunks of 40 kB, of which the last ones are kept.
 * "packed": the same, all of it kept, and chunks are compressed when they are closed.
 * "idle": so many readings of 5000 listeners, of which ten have something to do.
 * "timewait": so many sockets that enter TIME_WAIT and stay, to many destinations.
 * "wide": so many connections over IPv6, of which nothing can be longer, and two that are short; and listeners.
 * "named": all of that, and what its network namespace and its processes are called.
 * "client", "server": what two hosts see of the same connections, each by its clock.
 * "ports": so many to one destination, until neither a port nor a mini-socket is left.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring_writer.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/recorder.h"

#define S(s)		TCPFSM_STATE_##s
#define F(f)		TCPFSM_F_##f
#define SLOTS		1024
#define CLOSING_FD	(F(OWNER) | F(TASK) | F(SHUT_SEND) | F(SHUT_RCV))

#define LONG_CLIENT	"2001:db8:aaaa:bbbb:cccc:dddd:eeee:1111"
#define LONG_SERVER	"2001:dbff:aaaa:bbbb:cccc:dddd:eeee:2222"
#define LONG_COMM	"0123456789abcde"

static struct ring_writer writers[2];
static struct ring_reader readers[2];
static struct tcpfsm_recorder *recorder;
static struct tcpfsm_record rec;
static uint64_t now = 1000000000;
static uint16_t client_port = 40000;
static uint32_t tw = 1234, tw_max = 262144;
static bool longest;			/* addresses and names */
/* Sequence numbers used so far, by the client and by the server. */
static uint32_t sent[2] = { 1, 1 };

static struct tcpfsm_record *record(uint8_t type, uint64_t conn, uint8_t flags)
{
	bool server = conn & 1;

	memset(&rec, 0, sizeof(rec));
	now += 7000;
	rec.ts = now;
	rec.type = type;
	rec.family = 4;
	rec.flags = flags;
	rec.conn = conn;
	rec.netns = 4026531840U;
	rec.lport = server ? 80 : client_port;
	rec.rport = server ? client_port : 80;
	inet_pton(AF_INET, server ? "192.168.100.200" : "10.0.0.1", rec.laddr);
	inet_pton(AF_INET, server ? "10.0.0.1" : "192.168.100.200", rec.raddr);
	if (longest) {
		rec.family = 6;
		rec.lport = server ? 65535 : client_port;
		rec.rport = server ? client_port : 65535;
		inet_pton(AF_INET6, server ? LONG_SERVER : LONG_CLIENT, rec.laddr);
		inet_pton(AF_INET6, server ? LONG_CLIENT : LONG_SERVER, rec.raddr);
	}
	rec.snd = (server ? 3000000000U : 1000000) + sent[server];
	rec.rcv = (server ? 1000000 : 3000000000U) + sent[!server];
	rec.tw = tw;
	rec.tw_max = tw_max;
	if (flags & F(OWNER)) {
		rec.pid = server ? 700 : 80123;
		strcpy((char *)rec.comm, longest ? LONG_COMM : server ? "nginx" : "curl");
		if (longest)
			rec.pid = 4194304;
	}
	return &rec;
}

static void queues(uint32_t synq, uint32_t acceptq)
{
	rec.flags |= F(PASSIVE);
	rec.listener = 99;
	rec.synq = synq;
	rec.acceptq = acceptq;
	rec.backlog = 128;
}

static void put(unsigned int cpu)
{
	writer_put(&writers[cpu], &rec);
	if (writers[cpu].pos % (SLOTS / 4) == 0 && tcpfsm_recorder_drain(recorder) < 0) {
		perror("make_recording");
		exit(1);
	}
}

static void state(unsigned int cpu, uint64_t conn, uint8_t old, uint8_t new, uint8_t err,
		  uint8_t flags)
{
	record(TCPFSM_TYPE_STATE, conn, flags);
	rec.old_state = old;
	rec.new_state = new;
	rec.arg = err;
	if (flags & F(CLONE))
		queues(0, 1);
	put(cpu);
}

static void mini(unsigned int cpu, uint64_t conn, uint8_t action, uint8_t substate)
{
	record(TCPFSM_TYPE_STATE, conn, F(ORPHAN));
	rec.old_state = S(FIN_WAIT2);
	rec.new_state = S(CLOSE);
	rec.verdict = action;
	rec.reason = substate;
	put(cpu);
}

static void timewait(unsigned int cpu, uint64_t conn, uint8_t action, uint8_t old, uint8_t new)
{
	record(TCPFSM_TYPE_TIMEWAIT, conn, 0);
	rec.verdict = action;
	rec.old_state = old;
	rec.new_state = new;
	put(cpu);
}

static void listener_record(uint8_t type, uint64_t conn, uint8_t verdict, uint8_t reason,
			    uint32_t synq, uint32_t acceptq)
{
	record(type, conn, 0);
	rec.lport = 80;
	rec.rport = client_port;
	rec.old_state = S(LISTEN);
	rec.verdict = verdict;
	rec.reason = reason;
	if (type == TCPFSM_TYPE_SYN && verdict == TCPFSM_VERDICT_DROPPED)
		rec.snd = 128;
	queues(synq, acceptq);
	if (type == TCPFSM_TYPE_SYN)
		rec.young = synq / 2;
	put(1);
}

static void suppressed(uint32_t n)
{
	record(TCPFSM_TYPE_SUPPRESSED, 0, 0);
	rec.verdict = TCPFSM_TYPE_SYN;
	rec.lport = 80;
	rec.rport = 0;
	memset(rec.raddr, 0, sizeof(rec.raddr));
	inet_pton(AF_INET, "192.168.100.200", rec.laddr);
	rec.snd = n;
	rec.rcv = 20;
	queues(3, 129);
	put(1);
}

static void reset(unsigned int cpu, uint64_t conn, uint8_t direction, uint8_t in)
{
	record(TCPFSM_TYPE_RESET, conn, 0);
	rec.verdict = direction;
	rec.old_state = in;
	put(cpu);
}

/* The client has an even cookie and closes first. */
static void established(uint64_t conn)
{
	state(0, conn, S(SYN_SENT), S(ESTABLISHED), 0, 0);
}

static void connection(uint64_t client)
{
	uint64_t server = client + 1;

	client_port = (uint16_t)(client_port < 60000 ? client_port + 1 : 40000);
	sent[0] = sent[1] = 0;
	state(0, client, S(CLOSE), S(SYN_SENT), 0, F(OWNER) | F(TASK));
	listener_record(TCPFSM_TYPE_SYN, server, TCPFSM_VERDICT_QUEUED, 0, 1, 0);
	sent[0] = sent[1] = 1;
	state(0, client, S(SYN_SENT), S(ESTABLISHED), 0, 0);
	state(1, server, S(SYN_RECV), S(ESTABLISHED), 0, F(CLONE));
	record(TCPFSM_TYPE_ACCEPT, server, F(OWNER) | F(TASK))->old_state = S(ESTABLISHED);
	put(1);
	state(0, client, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	sent[0]++;
	state(1, server, S(ESTABLISHED), S(CLOSE_WAIT), 0, 0);
	state(0, client, S(FIN_WAIT1), S(FIN_WAIT2), 0, F(ORPHAN));
	mini(0, client, TCPFSM_TW_ENTER, S(FIN_WAIT2));
	state(1, server, S(CLOSE_WAIT), S(LAST_ACK), 0, CLOSING_FD);
	sent[1]++;
	timewait(0, client, TCPFSM_TW_REFRESH, S(FIN_WAIT2), S(TIME_WAIT));
	state(1, server, S(LAST_ACK), S(CLOSE), 0, F(ORPHAN));
	timewait(0, client, TCPFSM_TW_EXPIRE, S(TIME_WAIT), S(TIME_WAIT));
}

static void everything_else(void)
{
	record(TCPFSM_TYPE_LISTEN, 99, F(OWNER) | F(TASK));
	memset(rec.raddr, 0, sizeof(rec.raddr));
	rec.rport = 0;
	queues(0, 0);
	rec.snd = 4096;
	put(1);
	record(TCPFSM_TYPE_STATE, 99, F(OWNER) | F(TASK));
	memset(rec.raddr, 0, sizeof(rec.raddr));
	rec.rport = 0;
	rec.old_state = S(CLOSE);
	rec.new_state = S(LISTEN);
	put(1);

	listener_record(TCPFSM_TYPE_SYN, 0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_SYNQ_FULL, 128, 3);
	listener_record(TCPFSM_TYPE_SYN, 0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL, 3, 129);
	listener_record(TCPFSM_TYPE_SYN, 0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_LAST_QUARTER, 97, 3);
	listener_record(TCPFSM_TYPE_SYN, 0, TCPFSM_VERDICT_COOKIE, TCPFSM_REASON_SYNQ_FULL, 129, 3);
	listener_record(TCPFSM_TYPE_ACK, 0, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_COOKIE_INVALID, 0, 0);
	listener_record(TCPFSM_TYPE_ACK, 1, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_ACCEPTQ_FULL, 1, 129);
	listener_record(TCPFSM_TYPE_ACK, 1, TCPFSM_VERDICT_DROPPED, TCPFSM_REASON_DEFER_ACCEPT, 1, 0);
	listener_record(TCPFSM_TYPE_ACK, 1, TCPFSM_VERDICT_RESET, TCPFSM_REASON_ACCEPTQ_FULL, 1, 129);
	suppressed(45678);

	/* Refused, over IPv6. */
	record(TCPFSM_TYPE_STATE, 2, F(OWNER) | F(TASK));
	rec.family = 6;
	inet_pton(AF_INET6, "2001:db8::1", rec.laddr);
	inet_pton(AF_INET6, "2001:db8:1234:5678:9abc:def0:1234:5678", rec.raddr);
	rec.old_state = S(CLOSE);
	rec.new_state = S(SYN_SENT);
	strcpy((char *)rec.comm, "\033[2J\"\\\nx");
	put(0);
	record(TCPFSM_TYPE_RETRANSMIT, 2, 0);
	rec.verdict = TCPFSM_SEGMENT_SYN;
	rec.old_state = S(SYN_SENT);
	rec.arg = 1;
	put(0);
	reset(0, 2, TCPFSM_DIRECTION_RECEIVED, S(SYN_SENT));
	state(0, 2, S(SYN_SENT), S(CLOSE), ECONNREFUSED, 0);

	reset(0, 0, TCPFSM_DIRECTION_SENT, S(CLOSE));
	mini(0, 4, TCPFSM_TW_DENIED, S(TIME_WAIT));
	mini(0, 6, TCPFSM_TW_ENTER, S(TIME_WAIT));
	timewait(0, 6, TCPFSM_TW_REFRESH, S(TIME_WAIT), S(TIME_WAIT));
	timewait(0, 6, TCPFSM_TW_KILL, S(TIME_WAIT), S(TIME_WAIT));

	/* A clean three-segment close, for --count and the like to stop in. */
	state(0, 8, S(ESTABLISHED), S(FIN_WAIT1), 0, CLOSING_FD);
	state(0, 8, S(FIN_WAIT1), S(FIN_WAIT2), 0, 0);
	record(TCPFSM_TYPE_STATE, 8, F(SAME_SEGMENT));
	rec.old_state = S(FIN_WAIT2);
	rec.new_state = S(CLOSE);
	rec.verdict = TCPFSM_TW_ENTER;
	rec.reason = S(TIME_WAIT);
	put(0);
}

static void total(uint64_t conn, uint32_t index, uint64_t value)
{
	uint64_t ts = now;

	record(TCPFSM_TYPE_TOTAL, conn, 0);
	now = ts;
	rec.ts = ts;
	rec.lport = conn ? 80 : 0;
	rec.rport = 0;
	memset(rec.laddr, 0, sizeof(rec.laddr));
	memset(rec.raddr, 0, sizeof(rec.raddr));
	rec.family = conn ? 4 : 0;
	rec.snd = rec.tw = rec.tw_max = 0;
	rec.rcv = index;
	rec.listener = value;
	put(1);
}

/* A flood that filled the accept queue, and a timer of a connection. */
static void totals(unsigned long strays)
{
	now += 60000000000;
	total(99, TCPFSM_TOTAL_SYN, 1000 + strays);
	total(99, TCPFSM_TOTAL_SYN_QUEUED, 1);
	total(99, TCPFSM_TOTAL_COMPLETED, 1);
	total(99, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 990);
	total(99, TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_NO_ROUTE, 9);
	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 1000000000);
	total(0, TCPFSM_TOTAL_KERNEL_BASE + TCPFSM_KERNEL_LISTENDROPS, 5);
	total(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENDROPS, 1004);
	total(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENOVERFLOWS, 990);
	total(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_PASSIVEOPENS, 1);
	total(0, TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_TIMEOUTS, 1);
}

/* Of a listener told by records that are all alike. */
static void of(uint64_t conn, uint32_t netns, const char *addr, uint16_t port, const char *comm)
{
	uint64_t ts = now;

	record(TCPFSM_TYPE_TOTAL, conn, 0);
	now = ts;
	rec.ts = ts;
	rec.netns = netns;
	rec.lport = port;
	rec.rport = 0;
	rec.snd = rec.tw = rec.tw_max = 0;
	memset(rec.laddr, 0, sizeof(rec.laddr));
	memset(rec.raddr, 0, sizeof(rec.raddr));
	rec.family = strchr(addr, ':') ? 6 : conn ? 4 : 0;
	if (conn)
		inet_pton(rec.family == 6 ? AF_INET6 : AF_INET, addr, rec.laddr);
	if (comm) {
		rec.flags = F(OWNER);
		rec.pid = 700 + (uint32_t)conn;
		strcpy((char *)rec.comm, comm);
	}
}

static void is(uint32_t index, uint64_t value)
{
	rec.rcv = index;
	rec.listener = value;
	put(1);
}

static void member(uint64_t conn, const char *comm, uint64_t syns)
{
	of(conn, 4026531840U, "0.0.0.0", 443, comm);
	is(TCPFSM_TOTAL_SYN, syns);
	is(TCPFSM_TOTAL_SYN_QUEUED, syns);
	is(TCPFSM_TOTAL_COMPLETED, syns);
	is(TCPFSM_TOTAL_ACCEPTED, syns - 2);
	is(TCPFSM_TOTAL_ACCEPTQ_PEAK, conn);
	is(TCPFSM_TOTAL_HANDSHAKE_US + 7, syns);
	is(TCPFSM_TOTAL_ACCEPT_US + 11, syns - 2);
	is(TCPFSM_TOTAL_NOW_ACCEPTQ, 2);
	is(TCPFSM_TOTAL_NOW_BACKLOG, 511);
	is(TCPFSM_TOTAL_NOW_SYNQ_PLACES, 512);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);
	is(TCPFSM_TOTAL_NOW_REUSEPORT, 2);
}

/* Ports 80: overrun; 443: two of a group; 22: idle; 8080: closed; another netns, without a place. */
static void reading(uint64_t n)
{
	of(99, 4026531840U, "0.0.0.0", 80, "nginx");
	is(TCPFSM_TOTAL_SYN, 1000 * n);
	is(TCPFSM_TOTAL_SYN_QUEUED, 100 * n);
	is(TCPFSM_TOTAL_SYN_COOKIE, 200 * n);
	is(TCPFSM_TOTAL_COMPLETED, 90 * n);
	is(TCPFSM_TOTAL_COMPLETED_COOKIE, 9 * n);
	is(TCPFSM_TOTAL_ACCEPTED, 99 * n > 129 ? 99 * n - 129 : 0);
	is(TCPFSM_TOTAL_SYNQ_FULL_NS, 250000000);
	is(TCPFSM_TOTAL_ACCEPTQ_FULL_NS, 600000000000);
	is(TCPFSM_TOTAL_ACCEPTQ_PEAK, 129);
	is(TCPFSM_TOTAL_ACCEPTQ_PEAK_TS, 3000000000);
	is(TCPFSM_TOTAL_REFUSED_LAST_TS, now - 7500000000);
	is(TCPFSM_TOTAL_REFUSED_FIRST_TS, 3000000000);
	is(TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 700 * n);
	is(TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 5 * n);
	is(TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_COOKIE_INVALID, 3);
	is(TCPFSM_TOTAL_SYNQ_LENGTH + 1, 1000 * n);
	is(TCPFSM_TOTAL_ACCEPTQ_LENGTH + 0, 250 * n);
	is(TCPFSM_TOTAL_ACCEPTQ_LENGTH + 8, 750 * n);
	is(TCPFSM_TOTAL_NOW_SYNQ, 1);
	is(TCPFSM_TOTAL_NOW_ACCEPTQ, 129);
	is(TCPFSM_TOTAL_NOW_BACKLOG, 128);
	is(TCPFSM_TOTAL_NOW_SYNQ_PLACES, 129);
	is(TCPFSM_TOTAL_NOW_ASKED, 4097);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);

	member(21, "\033[2J\"\\\nx", 40 * n);
	member(23, "a-name-15-long!", 60 * n);

	of(31, 4026531840U, "2001:db8::1", 22, NULL);
	is(TCPFSM_TOTAL_NOW_BACKLOG, 128);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);

	of(41, 4026531840U, "127.0.0.1", 8080, "old");
	is(TCPFSM_TOTAL_SYN, 3);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);
	is(TCPFSM_TOTAL_NOW_GONE_TS, now - 12500000000);

	of(51, 4026532999U, "255.255.255.255", 65535, "veth");
	is(TCPFSM_TOTAL_NOW_BACKLOG, 5);
	is(TCPFSM_TOTAL_NOW_ACCEPTQ, 6);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);
	is(TCPFSM_TOTAL_NOW_PLACE, 0);

	of(0, 4026531840U, "", 0, NULL);
	is(TCPFSM_TOTAL_SYN, 17);
	is(TCPFSM_TOTAL_LISTENERS_LOST, 17);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 1500000000);
	is(TCPFSM_TOTAL_NOW_SOMAXCONN, 128);
	is(TCPFSM_TOTAL_NOW_SYNCOOKIES, 1);
	is(TCPFSM_TOTAL_KERNEL_BASE + TCPFSM_KERNEL_LISTENDROPS, 5);
	is(TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENDROPS, 705 * n + 5);
	of(0, 4026532999U, "", 0, NULL);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 1500000000);
}

/* One after the other, each from the next port. */
/* 400 to each destination, in turn, so that all of it goes on to the end. */
static void in_time_wait(unsigned long n)
{
	unsigned long destinations = n < 400 ? 1 : n / 400, i;

	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 1000000000);
	total(0, TCPFSM_TOTAL_NOW_TW_MAX, 262144);
	total(0, TCPFSM_TOTAL_NOW_PORTS, 28232);
	for (i = 0; i < n; i++) {
		client_port = (uint16_t)(20000 + i / destinations);
		record(TCPFSM_TYPE_STATE, 1000 + 2 * i, F(ORPHAN));
		rec.raddr[2] = (uint8_t)(i % destinations / 100);
		rec.raddr[3] = (uint8_t)(i % destinations % 100);
		rec.old_state = S(FIN_WAIT2);
		rec.new_state = S(CLOSE);
		rec.verdict = TCPFSM_TW_ENTER;
		rec.reason = S(TIME_WAIT);
		put(0);
	}
}

static void netns_reading(unsigned long ports, uint64_t entered, uint64_t denied)
{
	total(0, TCPFSM_TOTAL_TW + TCPFSM_TW_ENTER, entered);
	total(0, TCPFSM_TOTAL_TW + TCPFSM_TW_DENIED, denied);
	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, 1000000000);
	total(0, TCPFSM_TOTAL_NOW_PORT_LOW, 40000);
	total(0, TCPFSM_TOTAL_NOW_PORT_HIGH, 40000 + ports - 1);
	total(0, TCPFSM_TOTAL_NOW_PORTS, ports);
	total(0, TCPFSM_TOTAL_NOW_TW_MAX, ports);
	total(0, TCPFSM_TOTAL_NOW_TW_REUSE, 2);
	total(0, TCPFSM_TOTAL_NOW_TIMESTAMPS, 1);
	total(0, TCPFSM_TOTAL_NOW_FIN_TIMEOUT, 60);
}

/* One each second, then the seventh part of them without a port, and as many denied. */
static void out_of_ports(unsigned long n)
{
	unsigned long i;

	tw = 0;
	tw_max = (uint32_t)n;
	netns_reading(n, 0, 0);
	for (i = 0; i < n; i++) {
		now += 1000000000;
		client_port = (uint16_t)(40000 + i);
		state(0, 1000 + 2 * i, S(CLOSE), S(SYN_SENT), 0, F(OWNER) | F(TASK));
		tw++;
		mini(0, 1000 + 2 * i, TCPFSM_TW_ENTER, S(TIME_WAIT));
	}
	for (i = 0; i < n / 7; i++) {
		now += 300000000;
		record(TCPFSM_TYPE_CONNECT_FAILED, 0, F(OWNER) | F(TASK));
		rec.lport = 0;
		rec.arg = EADDRNOTAVAIL;
		put(0);
		mini(0, 3000 + 2 * i, TCPFSM_TW_DENIED, S(FIN_WAIT2));
	}
	netns_reading(n, n, n / 7);
}

static void lose(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < SLOTS + 123; i++) {
		record(TCPFSM_TYPE_STATE, 1000000 + 2 * i, 0);
		rec.old_state = S(ESTABLISHED);
		rec.new_state = S(CLOSE_WAIT);
		writer_put(&writers[cpu], &rec);
	}
}

static void all(unsigned long n)
{
	unsigned long i;

	everything_else();
	for (i = 0; i < n; i++)
		connection(1000 + 2 * i);
	tcpfsm_recorder_drain(recorder);
	lose(1);
}

static void opened(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		established(1000 + 2 * i);
}

static void two_readings(unsigned long n)
{
	now += 60000000000;
	reading(1);
	now += 10000000000;
	reading(n);
}

static void wide(unsigned long n)
{
	unsigned long i;

	longest = true;
	netns_reading(28232, 3000000000, 0);
	in_time_wait(n);
	for (i = 0; i < n; i++)
		connection(100000 + 2 * i);
	longest = false;
	connection(10);
	reading(1);
	now += 10000000000;
	connection(12);
	reading(123456789);
	of(61, 4026531840U, LONG_SERVER, 65535, LONG_COMM);
	rec.pid = 4194304;
	is(TCPFSM_TOTAL_SYN, 123456789012);
	is(TCPFSM_TOTAL_SYN_COOKIE, 12345678901);
	is(TCPFSM_TOTAL_COMPLETED, 12345678901);
	is(TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_ACCEPTQ_FULL, 98765432101);
	is(TCPFSM_TOTAL_ACCEPTQ_PEAK, 4294967295);
	is(TCPFSM_TOTAL_NOW_ACCEPTQ, 4294967295);
	is(TCPFSM_TOTAL_NOW_SYNQ, 4294967295);
	is(TCPFSM_TOTAL_SYNQ_PEAK, 4294967295);
	is(TCPFSM_TOTAL_NOW_BACKLOG, 4294967294);
	is(TCPFSM_TOTAL_NOW_SYNQ_PLACES, 4294967295);
	is(TCPFSM_TOTAL_HANDSHAKE_US + 30, 12);
	is(TCPFSM_TOTAL_ACCEPT_US + 30, 12);
	is(TCPFSM_TOTAL_NOW_SINCE_TS, 2000000000);
}

static void slowly(unsigned long n)
{
	unsigned long i;

	now += 60000000000;
	reading(1);
	everything_else();
	for (i = 0; i < n; i++) {
		now += 1000000000;
		connection(1000 + 2 * i);
	}
	reading(n);
}

static void live(unsigned long n)
{
	uint64_t end = monotonic_ns() + n * NSEC_PER_SEC, i;

	for (i = 0; (now = monotonic_ns()) < end; i++) {
		connection(1000 + 2 * i);
		if (i % 100 == 0)
			reading(2 + i / 100);
		if (tcpfsm_recorder_drain(recorder) < 0 || usleep(10000))
			return;
	}
}

/* Each ten seconds; what an idle listener has, and a namespace. */
static void idle_listeners(unsigned long n)
{
	const uint32_t quiet[] = {
		TCPFSM_TOTAL_NOW_ASKED, TCPFSM_TOTAL_NOW_BACKLOG, TCPFSM_TOTAL_NOW_SYNQ_PLACES, TCPFSM_TOTAL_NOW_SINCE_TS,
		TCPFSM_TOTAL_NOW_PLACE, TCPFSM_TOTAL_SYN,
	};
	const size_t each = sizeof(quiet) / sizeof(quiet[0]);
	uint64_t conn;
	size_t i;

	while (n--) {
		struct tcpfsm_record *all = calloc(5001 * each, sizeof(*all));

		if (!all)
			exit(1);
		now += 10000000000;
		for (conn = 0; conn < 5001; conn++)
			for (i = 0; i < each; i++)
				all[conn * each + i] = (struct tcpfsm_record) {
					.type = TCPFSM_TYPE_TOTAL, .ts = now, .conn = conn < 5000 ? 1 + conn : 0,
					.netns = 4026531840U, .family = 4, .lport = (uint16_t)conn, .rcv = quiet[i],
					.listener = quiet[i] == TCPFSM_TOTAL_SYN && conn % 500 == 0 ? now / 1000000000 : 128,
				};
		if (recorder_totals(recorder, all, 5001 * each) || tcpfsm_recorder_drain(recorder) < 0)
			exit(1);
	}
}

/* ---- two hosts ---------------------------------------------------------------------- */

#define SHIFT		5000000000	/* CLOCK_MONOTONIC of the server */
#define EPOCH		1700000000000000000
#define AHEAD		1500000000	/* and how far its clock is wrong */

static bool at_server;
static uint32_t isn[2];
static const char *address[2];

/* One end's record at a time of the client's, if it is ours. */
static struct tcpfsm_record *seen(uint64_t ts, uint8_t type, uint64_t conn, uint8_t flags, uint32_t snd, uint32_t rcv)
{
	bool server = conn & 1;

	record(type, conn, flags);
	rec.ts = now = ts + (at_server ? SHIFT : 0);
	inet_pton(AF_INET, address[server], rec.laddr);
	inet_pton(AF_INET, address[!server], rec.raddr);
	rec.snd = isn[server] + snd;
	rec.rcv = isn[!server] + rcv;
	return &rec;
}

static void put_ours(uint64_t conn)
{
	if ((conn & 1) == at_server)
		put(0);
}

static void moves(uint64_t ts, uint64_t conn, uint8_t old, uint8_t new, uint8_t flags, uint32_t snd, uint32_t rcv)
{
	seen(ts, TCPFSM_TYPE_STATE, conn, flags, snd, rcv);
	rec.old_state = old;
	rec.new_state = new;
	if (flags & F(CLONE))
		queues(0, 1);
	put_ours(conn);
}

static void syn_came(uint64_t ts, uint64_t conn, bool dropped)
{
	seen(ts, TCPFSM_TYPE_SYN, dropped ? 0 : conn, 0, 0, 0);
	inet_pton(AF_INET, address[1], rec.laddr);
	inet_pton(AF_INET, address[0], rec.raddr);
	rec.lport = 80;
	rec.rport = client_port;
	rec.old_state = S(LISTEN);
	rec.verdict = dropped ? TCPFSM_VERDICT_DROPPED : TCPFSM_VERDICT_QUEUED;
	rec.reason = dropped ? TCPFSM_REASON_ACCEPTQ_FULL : 0;
	rec.snd = dropped ? 128 : isn[1];
	rec.rcv = isn[0];
	queues(1, dropped ? 129 : 0);
	if (at_server)
		put(0);
}

static void syn_again(uint64_t ts, uint64_t conn)
{
	seen(ts, TCPFSM_TYPE_RETRANSMIT, conn, 0, 0, 0);
	rec.verdict = TCPFSM_SEGMENT_SYN;
	rec.old_state = S(SYN_SENT);
	rec.arg = 1;
	rec.rcv = 0;
	put_ours(conn);
}

/* Of each ten: 3: the first SYN is lost; 5: dropped by the server; 7: nothing arrives; 9: behind NAT. */
static void across(unsigned long i)
{
	uint64_t t = 1000000000 + i * 2000000000, there = 200000 + i * 37 % 100 * 1000, back = 150000 + i * 53 % 90 * 1000;
	uint64_t c = 1000 + 2 * i, s = c + 1;
	unsigned int kind = i % 10;

	client_port = (uint16_t)(kind == 9 && at_server ? 6000 + i : 41000 + i);
	isn[0] = (uint32_t)(1000000 * i + 5);
	isn[1] = (uint32_t)(7000000 * i + 9);
	address[0] = kind == 9 && at_server ? "198.51.100.7" : "10.0.0.1";
	address[1] = kind == 9 && !at_server ? "203.0.113.80" : "192.168.100.200";
	moves(t, c, S(CLOSE), S(SYN_SENT), F(OWNER) | F(TASK), 0, 0);
	if (kind == 5)
		syn_came(t + there, s, true);
	if (kind == 3 || kind == 5 || kind == 7) {
		t += 1000000000;
		syn_again(t, c);
	}
	if (kind == 7)
		return;
	syn_came(t + there, s, kind == 5);
	if (kind == 5)
		return;
	moves(t + there + back, c, S(SYN_SENT), S(ESTABLISHED), 0, 1, 1);
	moves(t + 2 * there + back, s, S(SYN_RECV), S(ESTABLISHED), F(CLONE), 1, 1);
	moves(t + 3000000, c, S(ESTABLISHED), S(FIN_WAIT1), CLOSING_FD, 1, 1);
	moves(t + 3000000 + there, s, S(ESTABLISHED), S(CLOSE_WAIT), 0, 1, 2);
	moves(t + 3100000 + there, s, S(CLOSE_WAIT), S(LAST_ACK), CLOSING_FD, 1, 2);
	seen(t + 3100000 + there + back, TCPFSM_TYPE_STATE, c, F(ORPHAN), 2, 2);
	rec.old_state = S(FIN_WAIT1);
	rec.new_state = S(CLOSE);
	rec.verdict = TCPFSM_TW_ENTER;
	rec.reason = S(TIME_WAIT);
	put_ours(c);
	moves(t + 3100000 + 2 * there + back, s, S(LAST_ACK), S(CLOSE), F(ORPHAN), 2, 2);
}

static void hosts(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		across(i);
}

#define CONTAINER	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void named(unsigned long n)
{
	all(n);
	two_readings(n);
	if (recorder_name(recorder, NAMED_NETNS, 4026531840U, "web1", now) ||
	    recorder_name(recorder, NAMED_CGROUP, 700, "/system.slice/docker-" CONTAINER ".scope", now) ||
	    recorder_name(recorder, NAMED_CGROUP, 80123, "/system.slice/cron.service", now) ||
	    recorder_name(recorder, NAMED_NETNS, 4026532999U, "web;reboot", now))
		exit(1);
}

static const struct {
	const char *name;
	void (*make)(unsigned long n);
} kinds[] = {
	{ "client", hosts },
	{ "server", hosts },
	{ "open", opened },
	{ "totals", totals },
	{ "listeners", two_readings },
	{ "timewait", in_time_wait },
	{ "ports", out_of_ports },
	{ "slow", slowly },
	{ "live", live },
	{ "chunks", live },
	{ "packed", live },
	{ "idle", idle_listeners },
	{ "wide", wide },
	{ "named", named },
};

int main(int argc, char **argv)
{
	struct tcpfsm_recorder_options opts = { .size = sizeof(opts) };
	void (*make)(unsigned long n) = argc > 3 ? NULL : all;
	unsigned int cpu, i;
	int err;

	for (i = 0; argc > 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[3], kinds[i].name))
			make = kinds[i].make;
	if (argc < 2 || !make) {
		fprintf(stderr, "usage: make_recording DIR "
			"[CONNECTIONS [open | totals | listeners | timewait | ports | slow | live | chunks | packed | wide | named | client | server]]\n");
		return 2;
	}
	at_server = argc > 3 && !strcmp(argv[3], "server");
	if (argc > 3 && !strcmp(argv[3], "chunks"))
		opts.keep_bytes = 8 * (40 + 64) << 10;
	if (argc > 3 && !strcmp(argv[3], "packed"))
		opts.keep_bytes = 8 * (40 + 64) << 10, opts.compress = true;
	for (cpu = 0; cpu < 2; cpu++) {
		writer_init(&writers[cpu], SLOTS, cpu);
		writer_attach(&writers[cpu], &readers[cpu], false);
	}
	err = recorder_open_rings(&recorder, readers, 2, argv[1], &opts,
				  &(struct tcpfsm_info){ .version = "0.0.0", .epoch_offset = make == hosts ?
							 EPOCH - (at_server ? SHIFT - AHEAD : 0) :
							 make == live ? (int64_t)(realtime_ns() - monotonic_ns()) : 0 });
	if (err) {
		fprintf(stderr, "make_recording: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	make(argc > 2 ? strtoul(argv[2], NULL, 10) : 10);
	tcpfsm_recorder_drain(recorder);
	err = tcpfsm_recorder_close(recorder, NULL);
	return err ? 1 : 0;
}
