// SPDX-License-Identifier: GPL-2.0-only
/* What explain says of connections as the model knows them: half closed ones, and the ports they take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "findings.h"
#include "tcpfsm.h"

#define SEC		1000000000ULL
#define OFFSET		(1700000000 * (int64_t)SEC)
/* Monotonic: attached. */
#define START		(1000 * SEC)
#define NETNS		4026531840U
#define S(s)		TCPFSM_STATE_##s

static struct world {
	struct tcpfsm_listeners *ls;
	struct tcpfsm_explain *x;
	struct tcpfsm_model *m;
	uint64_t now;			/* monotonic */
	uint64_t conn;
	const char *comm;
	uint32_t pid;
	uint16_t lport, rport;
	uint8_t raddr;			/* 192.0.2.raddr */
	uint32_t ports;			/* that connect() can choose */
	uint64_t accepted, acceptq;	/* of a listener */
} w;

/* tcpfsm_source_complete_since() */
static uint64_t complete_since;

static void world(const char *proc)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo), .epoch_offset = OFFSET };
	struct tcpfsm_explain_options opts = {
		.size = sizeof(opts), .epoch_offset = OFFSET, .own_netns = NETNS,
		.since = START + (uint64_t)OFFSET, .proc = proc, .complete_since = complete_since,
	};

	w = (struct world) { .now = START, .comm = "python3", .pid = 77, .lport = 80, .rport = 5555, .raddr = 2, .ports = 28232 };
	CHECK_EQ(tcpfsm_model_new(&w.m, &mo), 0);
	CHECK_EQ(tcpfsm_listeners_new(&w.ls), 0);
	opts.model = w.m;
	CHECK_EQ(tcpfsm_explain_new(&w.x, &opts), 0);
}

static void end(void)
{
	tcpfsm_explain_free(w.x);
	tcpfsm_model_free(w.m);
	tcpfsm_listeners_free(w.ls);
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	return tcpfsm_explain_event(w.x, ev);
}

static void feed(const struct tcpfsm_item *it)
{
	if (it->rec.type == TCPFSM_TYPE_SOCKET || it->rec.type == TCPFSM_TYPE_TOTAL) {
		CHECK_EQ(tcpfsm_explain_item(w.x, it), 0);
		CHECK_EQ(tcpfsm_listeners_item(w.ls, it), 0);
	}
	CHECK_EQ(tcpfsm_model_item(w.m, it, on_event, NULL), 0);
}

static struct tcpfsm_item record(uint8_t type, uint64_t conn, uint8_t old, uint8_t new)
{
	struct tcpfsm_item it = { .rec = {
		.type = type, .ts = w.now, .conn = conn, .netns = NETNS, .family = 4, .lport = w.lport,
		.rport = w.rport, .old_state = old, .new_state = new, .laddr = { 192, 0, 2, 1 },
		.raddr = { 192, 0, 2, w.raddr }, .rcv = type == TCPFSM_TYPE_SOCKET ? UINT32_MAX : 0,
	} };

	if (w.comm) {
		it.rec.flags = TCPFSM_F_OWNER;
		it.rec.pid = w.pid;
		memcpy(it.rec.comm, w.comm, strlen(w.comm));
	}
	return it;
}

static void state(uint64_t conn, uint8_t old, uint8_t new)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_STATE, conn, old, new);

	feed(&it);
}

/* n sockets of the snapshot, in that state. */
static void there(unsigned int n, uint8_t s)
{
	while (n--) {
		struct tcpfsm_item it = record(TCPFSM_TYPE_SOCKET, ++w.conn, s, s);

		feed(&it);
	}
}

/* n peers close now; the process does not. */
static void peers_close(unsigned int n)
{
	while (n--)
		state(++w.conn, S(ESTABLISHED), S(CLOSE_WAIT));
}

static void closes(uint64_t conn)
{
	state(conn, S(CLOSE_WAIT), S(LAST_ACK));
	state(conn, S(LAST_ACK), S(CLOSE));
}

/* n connections are shut down, and the peer does not close. */
static void shut_down(unsigned int n)
{
	while (n--) {
		struct tcpfsm_item it = record(TCPFSM_TYPE_SHUTDOWN, ++w.conn, S(ESTABLISHED), S(ESTABLISHED));

		it.rec.verdict = 1;
		feed(&it);
		state(w.conn, S(ESTABLISHED), S(FIN_WAIT1));
		state(w.conn, S(FIN_WAIT1), S(FIN_WAIT2));
	}
}

static void total(uint64_t conn, uint32_t index, uint64_t value)
{
	struct tcpfsm_item it = record(TCPFSM_TYPE_TOTAL, conn, 0, 0);

	it.rec.rcv = index;
	it.rec.listener = value;
	if (!conn)
		it.rec.family = 0;
	feed(&it);
}

#define LISTENER	1

static void reading(void)
{
	total(LISTENER, TCPFSM_TOTAL_NOW_SINCE_TS, SEC);
	total(LISTENER, TCPFSM_TOTAL_NOW_PLACE, 1);
	total(LISTENER, TCPFSM_TOTAL_NOW_BACKLOG, 128);
	total(LISTENER, TCPFSM_TOTAL_NOW_SYNQ_PLACES, 129);
	total(LISTENER, TCPFSM_TOTAL_SYN, w.accepted + w.acceptq);
	total(LISTENER, TCPFSM_TOTAL_COMPLETED, w.accepted + w.acceptq);
	total(LISTENER, TCPFSM_TOTAL_ACCEPTED, w.accepted);
	total(LISTENER, TCPFSM_TOTAL_NOW_ACCEPTQ, w.acceptq);
	total(0, TCPFSM_TOTAL_NOW_SINCE_TS, SEC);
	total(0, TCPFSM_TOTAL_NOW_SOMAXCONN, 4096);
	total(0, TCPFSM_TOTAL_NOW_TW_MAX, 131072);
	total(0, TCPFSM_TOTAL_NOW_PORT_LOW, 40000);
	total(0, TCPFSM_TOTAL_NOW_PORT_HIGH, 40000 + w.ports - 1);
	total(0, TCPFSM_TOTAL_NOW_PORTS, w.ports);
}

static int keep(const struct tcpfsm_finding *f, void *arg)
{
	(void)arg;
	keep_finding(f);
	return 0;
}

static void explain(void)
{
	CHECK_EQ(tcpfsm_model_flush(w.m, on_event, NULL), 0);
	reading();
	nfound = 0;
	CHECK_EQ(tcpfsm_explain_findings(w.x, w.ls, keep, NULL), 0);
	CHECK(nfound);
	check_consistent();
}

static void later(unsigned int seconds)
{
	w.now += seconds * SEC;
}

/* ---- CLOSE_WAIT ---------------------------------------------------------------------- */

static void test_leak(void)
{
	world(NULL);
	reading();
	peers_close(60);
	later(59);
	explain();
	CHECK(first("nothing_wrong"));
	CHECK(says("nothing_wrong", "60 connections in CLOSE_WAIT"));
	later(1);
	explain();
	CHECK(first("close_wait_leak"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_WARNING);
	CHECK(found[0].f.has_owner && found[0].f.pid == 77 && !strcmp(found[0].f.comm, "python3"));
	CHECK(says("close_wait_leak", "python3 (pid 77) does not close what its peers have closed: 60 connections"));
	CHECK(says("close_wait_leak", "the oldest for 60 s"));
	CHECK(says("close_wait_leak", "ss -tnp state close-wait | grep -w pid=77"));
	CHECK(!verdict("nothing_wrong"));
	end();

	/* It closes them late, but it does; a few stay. */
	world(NULL);
	reading();
	peers_close(60);
	later(70);
	while (w.conn > 9)
		closes(w.conn--);
	explain();
	CHECK(first("nothing_wrong"));
	end();
}

/* Those of before the module: how old they are, nothing tells. */
static void test_leak_before(void)
{
	world(NULL);
	there(60, S(CLOSE_WAIT));
	reading();
	later(1);
	explain();
	CHECK(first("nothing_wrong"));
	later(1);
	peers_close(3);
	later(1);
	explain();
	CHECK(first("close_wait_leak"));
	CHECK(says("close_wait_leak", "63 connections stay in CLOSE_WAIT, some for longer than the 3.0 s observed"));
	CHECK(says("close_wait_leak", "of 60 that there were 3.0 s ago 60 are left, and 3 came"));
	end();

	/* A proxy that has many, which change. */
	world(NULL);
	there(60, S(CLOSE_WAIT));
	reading();
	later(3);
	closes(1);
	closes(2);
	closes(3);
	closes(4);
	closes(5);
	closes(6);
	closes(7);
	peers_close(30);
	explain();
	CHECK(first("nothing_wrong"));
	end();

	world(NULL);
	there(19, S(CLOSE_WAIT));
	reading();
	later(30);
	explain();
	CHECK(first("nothing_wrong"));
	/* A minute of observation tells that they are old. */
	later(30);
	explain();
	CHECK(first("close_wait_leak"));
	CHECK(says("close_wait_leak", "for longer than the 60 s observed"));
	end();

	/* And so does a minute of records in which they did nothing. */
	complete_since = 1;
	world(NULL);
	there(19, S(CLOSE_WAIT));
	reading();
	explain();
	CHECK(first("close_wait_leak"));
	CHECK(says("close_wait_leak", "19 connections stay in CLOSE_WAIT, for longer than the 17 min that the records tell of"));
	end();
	complete_since = START - 59 * SEC;
	world(NULL);
	there(19, S(CLOSE_WAIT));
	there(19, S(FIN_WAIT2));
	reading();
	explain();
	CHECK(first("nothing_wrong"));
	later(1);
	explain();
	CHECK(verdict("close_wait_leak") && verdict("fin_wait2_held"));
	end();
	complete_since = 0;
}

/* By name: each worker of a server has its own pid, and others have other names. */
static void test_leak_names(void)
{
	unsigned int i;

	world(NULL);
	reading();
	for (i = 0; i < 10; i++) {
		w.pid = 100 + i;
		peers_close(1 + (i == 4));
	}
	w.comm = "haproxy";
	peers_close(9);
	later(100);
	explain();
	CHECK(first("close_wait_leak"));
	CHECK(says("close_wait_leak", "most of several processes, python3 (pid 104): 11 in CLOSE_WAIT"));
	CHECK(!strstr(found[0].all, "haproxy"));
	end();

	world(NULL);
	reading();
	w.comm = NULL;
	peers_close(20);
	later(100);
	explain();
	CHECK(first("close_wait_leak"));
	CHECK(says("close_wait_leak", "A process that is not known does not close"));
	end();
}

/* ---- FIN_WAIT2 ----------------------------------------------------------------------- */

static void test_held(void)
{
	unsigned int i;

	world(NULL);
	reading();
	shut_down(30);
	later(60);
	explain();
	CHECK(first("fin_wait2_held"));
	CHECK(says("fin_wait2_held", "python3 (pid 77) holds 30 half-closed connections"));
	CHECK(says("fin_wait2_held", "ss -tnpo state fin-wait-2 | grep -w pid=77"));
	/* It closes them: mini-sockets, which the kernel ends. */
	for (i = 1; i <= 30; i++) {
		struct tcpfsm_item it = record(TCPFSM_TYPE_TIMEWAIT, i, S(FIN_WAIT2), S(FIN_WAIT2));

		it.rec.verdict = TCPFSM_TW_ENTER;
		feed(&it);
		state(i, S(FIN_WAIT2), S(CLOSE));
	}
	explain();
	CHECK(!verdict("fin_wait2_held"));
	end();

	/* close() at once. */
	world(NULL);
	reading();
	for (i = 1; i <= 30; i++) {
		state(i, S(ESTABLISHED), S(FIN_WAIT1));
		state(i, S(FIN_WAIT1), S(FIN_WAIT2));
	}
	later(100);
	explain();
	CHECK(!verdict("fin_wait2_held"));
	end();

	/* Of the snapshot: only who has a file has an owner; and a busy server lingers for some seconds. */
	world(NULL);
	there(30, S(FIN_WAIT2));
	w.comm = NULL;
	there(30, S(FIN_WAIT2));
	reading();
	later(59);
	explain();
	CHECK(first("nothing_wrong"));
	later(1);
	explain();
	CHECK(first("fin_wait2_held"));
	CHECK(says("fin_wait2_held", "holds 30 half-closed"));
	end();
}

/* ---- ports --------------------------------------------------------------------------- */

/* Connections to so many destinations, each from a port of its own or from a shared one. */
static void connects(unsigned int n, unsigned int destinations, bool shared)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		w.lport = (uint16_t)(40000 + (shared ? i / 2 : i));
		w.raddr = (uint8_t)(2 + i % destinations);
		state(++w.conn, S(CLOSE), S(SYN_SENT));
		state(w.conn, S(SYN_SENT), S(ESTABLISHED));
	}
}

static void no_port(unsigned int n)
{
	while (n--) {
		struct tcpfsm_item it = record(TCPFSM_TYPE_CONNECT_FAILED, 0, S(SYN_SENT), 0);

		w.raddr = (uint8_t)(2 + n % 10);
		it.rec.lport = 0;
		it.rec.arg = EADDRNOTAVAIL;
		feed(&it);
	}
}

static void test_ports_bound(void)
{
	world(NULL);
	w.ports = 20;
	reading();
	connects(20, 10, false);
	later(1);
	explain();
	CHECK(first("ports_bound"));
	CHECK_EQ(found[0].f.severity, TCPFSM_SEVERITY_CRITICAL);
	CHECK(says("ports_bound", "takes the ports of 192.0.2.1 for all destinations: 20 of 20"));
	CHECK(says("ports_bound", "Have python3 set IP_BIND_ADDRESS_NO_PORT"));
	/* connect() without bind() fails, too: still one cause. */
	no_port(10);
	explain();
	CHECK(first("ports_bound"));
	CHECK(!verdict("ports_exhausted") && !verdict("ports_open") && !verdict("port_taken"));
	end();

	/* As many, but destinations share ports: connect() chose them. */
	world(NULL);
	w.ports = 20;
	reading();
	connects(20, 10, true);
	later(1);
	explain();
	CHECK(first("nothing_wrong"));
	end();

	/* All to one destination: these are its ports. */
	world(NULL);
	w.ports = 20;
	reading();
	connects(19, 1, false);
	later(1);
	explain();
	CHECK(!verdict("ports_bound"));
	end();
}

/* TIME_WAIT of what peers opened costs no port: others have bound them. */
static void test_inbound(void)
{
	unsigned int i;

	world(NULL);
	w.ports = 20;
	w.lport = 80;
	there(1, S(LISTEN));
	reading();
	for (i = 0; i < 20; i++) {
		struct tcpfsm_item it = record(TCPFSM_TYPE_TIMEWAIT, ++w.conn, S(TIME_WAIT), S(TIME_WAIT));

		it.rec.rport = (uint16_t)(50000 + i);
		it.rec.verdict = TCPFSM_TW_ENTER;
		it.rec.tw = i + 1;
		it.rec.tw_max = 131072;
		feed(&it);
	}
	w.rport = 9000;
	no_port(1);
	later(1);
	explain();
	CHECK(first("port_taken"));
	CHECK(says("port_taken", "0 of 20 ports were taken"));
	CHECK(!verdict("ports_exhausted"));
	end();
}

/* ---- descriptors --------------------------------------------------------------------- */

static char proc[] = "/tmp/tcpfsm-proc-XXXXXX";

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	file = fopen(path, "w");
	CHECK(file);
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

/* /proc of one process with so many descriptors. */
static void process(unsigned int n)
{
	char name[64];

	CHECK(mkdtemp(proc));
	snprintf(name, sizeof(name), "%s/77", proc);
	CHECK_EQ(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/77/fd", proc);
	CHECK_EQ(mkdir(name, 0700), 0);
	put_file("77/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
			      "Max processes             63456                63456                processes \n"
			      "Max open files            16                   4096                 files     \n");
	while (n--) {
		snprintf(name, sizeof(name), "77/fd/%u", n);
		put_file(name, "");
	}
}

static void forget_process(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", proc);
	CHECK_EQ(system(command), 0);
	strcpy(proc, "/tmp/tcpfsm-proc-XXXXXX");
}

static void waiting(const char *where, uint64_t acceptq)
{
	world(where);
	w.accepted = 50;
	w.acceptq = acceptq;
	reading();
	later(3);
	explain();
	end();
}

static void test_descriptors(void)
{
	process(16);
	waiting(proc, 5);
	CHECK(first("no_descriptors"));
	CHECK(says("no_descriptors", "python3 has no descriptor left"));
	CHECK(says("no_descriptors", "16 open, of 16"));
	CHECK(says("no_descriptors", "prlimit --pid 77 --nofile=64:64"));
	CHECK(!verdict("accept_stalled") && !verdict("acceptq_app_slow"));
	/* Of a recording nothing is known of the process. */
	waiting(NULL, 5);
	CHECK(first("accept_stalled"));
	/* Nobody waits: that it has none left matters to nobody here. */
	waiting(proc, 0);
	CHECK(!verdict("no_descriptors"));
	forget_process();

	process(15);
	waiting(proc, 5);
	CHECK(first("accept_stalled"));
	CHECK(says("accept_stalled", "no lack of descriptors: 15 of 16"));
	forget_process();
	/* Nor is it there to be looked at. */
	waiting("/nowhere", 5);
	CHECK(first("accept_stalled"));
	CHECK(says("accept_stalled", "whether accept() fails, as the process has no descriptor left"));
}

static void netstat(unsigned int reverse, unsigned int ttl)
{
	char text[256];

	snprintf(text, sizeof(text), "TcpExt: SyncookiesSent IPReversePathFilter TCPMinTTLDrop\nTcpExt: 7 %u %u\n"
		 "IpExt: InNoRoutes\nIpExt: 9\n", reverse, ttl);
	put_file("self/net/netstat", text);
}

/* What no listener hears of. */
static void test_dropped_before(void)
{
	char name[64];

	process(1);
	snprintf(name, sizeof(name), "%s/self", proc);
	CHECK_EQ(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/self/net", proc);
	CHECK_EQ(mkdir(name, 0700), 0);
	netstat(3, 1000);
	world(proc);
	reading();
	later(3);
	netstat(4, 1003);
	explain();
	CHECK(first("nothing_wrong"));
	netstat(4, 1012);
	explain();
	CHECK(first("refused_otherwise"));
	CHECK(says("refused_otherwise", "12 segments that came over more hops than IP_MINTTL allows"));
	CHECK(says("refused_otherwise", "TcpExtTCPMinTTLDrop has moved by 12"));
	CHECK(says("refused_otherwise", "TcpExtIPReversePathFilter has moved by 1"));
	/* Long ago. */
	later(40);
	reading();
	later(40);
	reading();
	explain();
	CHECK(first("nothing_wrong"));
	end();
	forget_process();
}

int main(void)
{
	TEST("explain: CLOSE_WAIT that stays, and that does not", test_leak());
	TEST("explain: CLOSE_WAIT of before the records", test_leak_before());
	TEST("explain: CLOSE_WAIT by the name of processes", test_leak_names());
	TEST("explain: FIN_WAIT2 that a process holds", test_held());
	TEST("explain: bind() takes the ports for all destinations", test_ports_bound());
	TEST("explain: TIME_WAIT of what peers opened takes no port", test_inbound());
	TEST("explain: no descriptor left for accept()", test_descriptors());
	TEST("explain: dropped before a socket has it", test_dropped_before());
	return check_done();
}
