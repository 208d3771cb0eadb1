// SPDX-License-Identifier: GPL-2.0-only
/*
 * The snapshot: what the kernel answers as records; and of this machine, as far
 * as it lets us, sockets that we made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/snapshot.h"

#define S(s)	TCPFSM_STATE_##s

/* ---- answers ------------------------------------------------------------------ */

static struct tcpfsm_record answer(int family, const char *laddr, const char *raddr,
				   uint8_t state, uint8_t timer, uint32_t expires, uint32_t inode)
{
	struct inet_diag_msg d = {
		.idiag_family = (uint8_t)family, .idiag_state = state, .idiag_timer = timer,
		.idiag_expires = expires, .idiag_inode = inode, .idiag_rqueue = 3,
		.idiag_wqueue = 128,
		.id = {
			.idiag_sport = htons(443), .idiag_dport = htons(50000),
			.idiag_cookie = { 7, 1 },
		},
	};
	struct tcpfsm_record r;

	memset(&r, 0xee, sizeof(r));
	CHECK_EQ(inet_pton(family, laddr, d.id.idiag_src), 1);
	CHECK_EQ(inet_pton(family, raddr, d.id.idiag_dst), 1);
	snapshot_record(&d, &r);
	CHECK_EQ(r.type, TCPFSM_TYPE_SOCKET);
	CHECK_EQ(r.old_state, r.new_state);
	CHECK_EQ(r.conn, (1ULL << 32) + 7);
	CHECK_EQ(r.lport, 443);
	CHECK_EQ(r.rport, 50000);
	CHECK_EQ(r.ts | r.seq | r.pid | r.snd | r.tw | r.tw_max | r.reason | r.arg, 0);
	return r;
}

static bool addrs_are(const struct tcpfsm_record *r, int family, const char *laddr,
		      const char *raddr)
{
	uint8_t l[16] = { 0 }, p[16] = { 0 };

	inet_pton(family, laddr, l);
	inet_pton(family, raddr, p);
	return r->family == (family == AF_INET ? 4 : 6) && !memcmp(r->laddr, l, 16) &&
	       !memcmp(r->raddr, p, 16);
}

static void answers(void)
{
	struct tcpfsm_record r;

	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(ESTABLISHED), 2, 7000, 99);
	CHECK(addrs_are(&r, AF_INET, "10.0.0.1", "10.0.0.2"));
	CHECK_EQ(r.new_state, S(ESTABLISHED));
	CHECK_EQ(r.flags | r.verdict | r.listener | r.synq | r.acceptq | r.backlog, 0);
	CHECK_EQ(r.rcv, ~0U);

	r = answer(AF_INET6, "2001:db8::1", "2001:db8::2", S(CLOSE_WAIT), 0, 0, 99);
	CHECK(addrs_are(&r, AF_INET6, "2001:db8::1", "2001:db8::2"));
	r = answer(AF_INET6, "::ffff:10.0.0.1", "::ffff:10.0.0.2", S(ESTABLISHED), 0, 0, 99);
	CHECK(addrs_are(&r, AF_INET, "10.0.0.1", "10.0.0.2"));
	/* A listener on both families is one on IPv6, to the module too. */
	r = answer(AF_INET6, "::", "::", S(LISTEN), 0, 0, 99);
	CHECK(addrs_are(&r, AF_INET6, "::", "::"));

	CHECK_EQ(r.flags, TCPFSM_F_PASSIVE);
	CHECK_EQ(r.listener, r.conn);
	CHECK_EQ(r.acceptq, 3);
	CHECK_EQ(r.backlog, 128);
	CHECK_EQ(r.synq, ~0U);

	/* A request; a Fast Open child; who opens simultaneously. */
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(NEW_SYN_RECV), 1, 900, 0);
	CHECK(r.new_state == S(SYN_RECV) && r.flags == TCPFSM_F_PASSIVE && !r.listener);
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(SYN_RECV), 1, 900, 0);
	CHECK(r.new_state == S(SYN_RECV) && r.flags == TCPFSM_F_PASSIVE && !r.listener);
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(SYN_RECV), 1, 900, 99);
	CHECK(r.new_state == S(SYN_RECV) && !r.flags);

	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(TIME_WAIT), 3, 59000, 0);
	CHECK(r.new_state == S(TIME_WAIT) && r.verdict == TCPFSM_TW_ENTER && r.rcv == 1000);
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(TIME_WAIT), 3, 0, 0);
	CHECK_EQ(r.rcv, 60000);
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(TIME_WAIT), 3, 60004, 0);
	CHECK_EQ(r.rcv, 0);
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(FIN_WAIT2), 3, 30000, 0);
	CHECK(r.new_state == S(FIN_WAIT2) && r.verdict == TCPFSM_TW_ENTER && r.rcv == ~0U);
	/* A full one has a keepalive timer at most. */
	r = answer(AF_INET, "10.0.0.1", "10.0.0.2", S(FIN_WAIT2), 2, 30000, 0);
	CHECK(r.new_state == S(FIN_WAIT2) && !r.verdict && r.rcv == ~0U);
}

/* ---- this machine ---------------------------------------------------------------- */

static uint32_t netns_here(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

static uint64_t cookie(int fd)
{
	uint64_t c = 0;
	socklen_t len = sizeof(c);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len), 0);
	return c;
}

/* A listener on IPv6 and IPv4, in addr its address in IPv4. */
static int listener(struct sockaddr_in *addr)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), off = 0;
	socklen_t len = sizeof(any);

	CHECK(fd >= 0 && !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) &&
	      !bind(fd, (struct sockaddr *)&any, sizeof(any)) && !listen(fd, 5) &&
	      !getsockname(fd, (struct sockaddr *)&any, &len));
	*addr = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = any.sin6_port };
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd;
}

/* The whole snapshot; *rec: the record with that cookie.  How often was it there? */
static unsigned int find(uint32_t netns, uint64_t conn, struct tcpfsm_record *rec, int *err)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC), last = 0, n = 0;
	struct tcpfsm_record r;
	unsigned int found = 0;
	struct snapshot *s;

	CHECK_EQ(snapshot_open(&s, netns), 0);
	while (snapshot_next(s, &r)) {
		CHECK_EQ(r.seq, ++n);
		CHECK(r.type == TCPFSM_TYPE_SOCKET && r.conn && r.netns && r.new_state);
		CHECK(r.ts >= before && r.ts >= last);
		last = r.ts;
		if (netns)
			CHECK_EQ(r.netns, netns);
		if (r.conn != conn)
			continue;
		found++;
		*rec = r;
	}
	CHECK_EQ(snapshot_next(s, &r), 0);
	*err = snapshot_error(s);
	snapshot_close(s);
	return found;
}

static void our_own(void)
{
	struct sockaddr_in addr;
	struct tcpfsm_record r;
	int fd, client, server, err;
	uint64_t conn;

	prctl(PR_SET_NAME, "a\nname \xff\n");
	fd = listener(&addr);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);

	CHECK_EQ(find(0, cookie(fd), &r, &err), 1);
	CHECK(r.family == 6 && r.new_state == S(LISTEN) && r.lport == ntohs(addr.sin_port) && !r.rport);
	CHECK(r.flags == (TCPFSM_F_OWNER | TCPFSM_F_PASSIVE) && r.pid == (uint32_t)getpid());
	CHECK(!strcmp((char *)r.comm, "a\nname \xff\n"));
	CHECK(r.netns == netns_here() && r.acceptq == 1 && r.backlog == 5);

	CHECK_EQ(find(netns_here(), cookie(client), &r, &err), 1);
	CHECK_EQ(err, 0);
	CHECK(r.new_state == S(ESTABLISHED) && r.rport == ntohs(addr.sin_port) &&
	      r.flags == TCPFSM_F_OWNER && r.pid == (uint32_t)getpid());

	server = accept(fd, NULL, NULL);
	conn = cookie(server);
	CHECK_EQ(find(0, conn, &r, &err), 1);
	CHECK(r.new_state == S(ESTABLISHED) && addrs_are(&r, AF_INET, "127.0.0.1", "127.0.0.1"));
	shutdown(server, SHUT_WR);
	usleep(100000);			/* longer than a delayed ACK */
	CHECK_EQ(find(0, conn, &r, &err), 1);
	CHECK(r.new_state == S(FIN_WAIT2) && !r.verdict && r.flags & TCPFSM_F_OWNER && r.rcv == ~0U);
	close(server);
	CHECK_EQ(find(0, conn, &r, &err), 1);
	CHECK(r.new_state == S(FIN_WAIT2) && r.verdict && !(r.flags & TCPFSM_F_OWNER) && r.rcv == ~0U);
	close(client);
	usleep(100000);
	CHECK_EQ(find(0, conn, &r, &err), 1);
	CHECK(r.new_state == S(TIME_WAIT) && r.verdict && r.rcv >= 80 && r.rcv < 60000);
	close(fd);

	/* A namespace that does not exist. */
	CHECK_EQ(find(1, conn, &r, &err), 0);
}

/* Of several processes the lowest pid owns it. */
static void shared(void)
{
	struct sockaddr_in addr;
	struct tcpfsm_record r;
	int fd = listener(&addr), err;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	CHECK_EQ(find(0, cookie(fd), &r, &err), 1);
	CHECK_EQ(r.pid, getpid() < pid ? getpid() : pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
}

/* A process in a network namespace of its own. */
static void elsewhere(void)
{
	struct { uint32_t netns; uint64_t conn; } child = { 0, 0 };
	uint32_t here = netns_here();
	struct sockaddr_in addr;
	struct tcpfsm_record r;
	int out[2], err;
	pid_t pid;

	CHECK_EQ(pipe(out), 0);
	pid = fork();
	if (!pid) {
		int fd;

		if (unshare(CLONE_NEWNET))
			_exit(1);
		fd = listener(&addr);
		child.conn = cookie(fd);
		child.netns = netns_here();
		if (write(out[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		pause();
		_exit(0);
	}
	CHECK_EQ(read(out[0], &child, sizeof(child)), sizeof(child));
	CHECK_EQ(find(0, child.conn, &r, &err), 1);
	CHECK(r.netns == child.netns && r.netns != here && r.pid == (uint32_t)pid);
	CHECK_EQ(find(child.netns, child.conn, &r, &err), 1);
	CHECK_EQ(err, 0);
	CHECK_EQ(find(here, child.conn, &r, &err), 0);
	/* And we are where we were. */
	CHECK_EQ(netns_here(), here);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	/* Who may not go there is told, and sees its own. */
	pid = fork();
	if (!pid) {
		int fd;

		if (unshare(CLONE_NEWNET) || setresuid(65534, 65534, 65534))
			_exit(1);
		fd = listener(&addr);
		_exit(!(find(0, cookie(fd), &r, &err) == 1 && r.netns == netns_here() &&
			(err == -EACCES || err == -EPERM)));
	}
	CHECK(waitpid(pid, &err, 0) == pid && WIFEXITED(err));
	CHECK_EQ(WEXITSTATUS(err), 0);
	close(out[0]);
	close(out[1]);
}

/* ---- who made a request? ---------------------------------------------------------- */

static socklen_t address(const char *text, in_port_t port, struct sockaddr_storage *a)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	bool is_v6 = strchr(text, ':');

	memset(a, 0, sizeof(*a));
	a->ss_family = is_v6 ? AF_INET6 : AF_INET;
	v4->sin_port = port;		/* of both at the same place */
	CHECK_EQ(inet_pton(a->ss_family, text,
			   is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
	return is_v6 ? sizeof(*v6) : sizeof(*v4);
}

/* At ADDRESS[ DEVICE]; who connects there stays a request until it sends something. */
static int deferring(const char *place, in_port_t *port)
{
	char addr[32] = "", dev[16] = "";
	int fd, on = 1, off = 0, secs = 60;
	struct sockaddr_storage a;
	socklen_t len;

	CHECK(sscanf(place, "%31s %15s", addr, dev) >= 1);
	len = address(addr, *port, &a);
	fd = socket(a.ss_family, SOCK_STREAM, 0);
	if (a.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	CHECK(!*dev || !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, sizeof(dev)));
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) &&
	      !setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &secs, sizeof(secs)) &&
	      !bind(fd, (struct sockaddr *)&a, len) && !listen(fd, 8) &&
	      !getsockname(fd, (struct sockaddr *)&a, &len));
	*port = ((struct sockaddr_in *)&a)->sin_port;
	return fd;
}

/* Two requests to an address: which listener's are they?  -1: of any. */
static void requests(const char *const place[2], const char *to, int whose)
{
	int fd[2] = { -1, -1 }, client[2], i, seen = 0;
	struct pollfd p = { .events = POLLIN };
	uint32_t synq[2] = { 0, 0 };
	struct sockaddr_storage a;
	struct tcpfsm_record r;
	in_port_t port = 0;
	struct snapshot *s;
	socklen_t len;

	for (i = 0; i < 2 && place[i]; i++)
		fd[i] = deferring(place[i], &port);
	len = address(to, port, &a);
	for (i = 0; i < 2; i++) {
		client[i] = socket(a.ss_family, SOCK_STREAM, 0);
		CHECK_EQ(connect(client[i], (struct sockaddr *)&a, len), 0);
	}

	CHECK_EQ(snapshot_open(&s, netns_here()), 0);
	while (snapshot_next(s, &r)) {
		for (i = 0; i < 2 && place[i]; i++)
			if (r.conn == cookie(fd[i]))
				synq[i] = r.synq;
		if (r.new_state != S(SYN_RECV) || r.lport != ntohs(port))
			continue;
		seen++;
		CHECK_EQ(r.listener, whose < 0 ? 0 : cookie(fd[whose]));
		CHECK_EQ(r.synq | r.acceptq | r.backlog, 0);
	}
	CHECK_EQ(snapshot_error(s), 0);
	snapshot_close(s);
	CHECK_EQ(seen, 2);
	for (i = 0; i < 2; i++)
		CHECK_EQ(synq[i], whose < 0 ? ~0U : whose == i ? 2 : 0);

	/* The kernel's word. */
	for (i = 0; i < 2 && whose >= 0; i++) {
		CHECK_EQ(write(client[i], "", 1), 1);
		p.fd = fd[whose];
		CHECK_EQ(poll(&p, 1, 5000), 1);
		close(accept(p.fd, NULL, NULL));
	}
	for (i = 0; i < 2; i++) {
		close(client[i]);
		if (place[i])
			close(fd[i]);
	}
}

static void queues(void)
{
	static const struct {
		const char *place[2], *to;
		int whose;
	} cases[] = {
		{ { "0.0.0.0" }, "127.0.0.1", 0 },
		{ { "0.0.0.0", "127.0.0.2" }, "127.0.0.2", 1 },
		{ { "0.0.0.0", "127.0.0.2" }, "127.0.0.1", 0 },
		{ { "0.0.0.0", "0.0.0.0 lo" }, "127.0.0.1", 1 },
		{ { "0.0.0.0 lo", "127.0.0.2" }, "127.0.0.2", 1 },
		{ { "0.0.0.0", "0.0.0.0" }, "127.0.0.1", -1 },
		{ { "::" }, "127.0.0.1", 0 },
		{ { "::" }, "::1", 0 },
		{ { "::", "0.0.0.0" }, "127.0.0.1", 1 },
		{ { "::", "0.0.0.0" }, "::1", 0 },
		{ { "::", "::1" }, "::1", 1 },
		{ { "::", "::ffff:127.0.0.2" }, "127.0.0.2", 1 },
		{ { "::ffff:0.0.0.0" }, "127.0.0.2", 0 },
		{ { "::", "::" }, "127.0.0.1", -1 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		requests(cases[i].place, cases[i].to, cases[i].whose);
}

/* ------------------------------------------------------------------------------------ */

static bool no_inet_diag(void)
{
	struct tcpfsm_record r;
	struct snapshot *s;
	int err;

	if (snapshot_open(&s, 0))
		return true;
	while (snapshot_next(s, &r))
		;
	err = snapshot_error(s);
	snapshot_close(s);
	return err && err != -EPERM && err != -EACCES;
}

/* Owners are told by an initial pid namespace only. */
static bool no_owners(void)
{
	char ns[64] = "";

	return readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1) < 0 ||
	       strcmp(ns, "pid:[4026531836]");
}

int main(void)
{
	static const char * const names[] = {
		"snapshot: sockets of our own", "snapshot: a socket of two processes",
		"snapshot: whose requests these are", "snapshot: another network namespace",
	};
	const char *why = no_inet_diag() ? "no inet_diag here" :
			  no_owners() ? "not in the initial pid namespace" : NULL;
	size_t i;

	TEST("snapshot: the kernel's answers", answers());
	for (i = 0; why && i < 4; i++)
		printf("ok - %s # SKIP %s\n", names[i], why);
	if (why)
		return check_done();
	TEST(names[0], our_own());
	TEST(names[1], shared());
	TEST(names[2], queues());
	if (geteuid())
		printf("ok - %s # SKIP not root\n", names[3]);
	else
		TEST(names[3], elsewhere());
	return check_done();
}
