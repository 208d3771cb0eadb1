// SPDX-License-Identifier: GPL-2.0-only
/*
 * peer ADDRESS ADDRESS ADDRESS6 ADDRESS6 [6]: one end of connections, for
 * tests/lab/run.  The addresses are its own and the other end's, IPv4 and IPv6;
 * 6: IPv6 in all commands.
 *
 * Reads lines of commands separated by " ; " and does them at once, one after
 * the other.  Answers each line with "ok", or with the errno's name and the
 * command that failed; the rest of the line is not done then.  Sockets have
 * one-letter names.
 *
 *   listen A [port N] [backlog N] [6] [defer SECONDS] [fastopen N] [reuseport] [mptcp] [transparent]
 *            [minttl N]      of N hops left, or more (IP_MINTTL)
 *   accept B A             waits for a connection of listener A, calls it B
 *   serve A N [every MS] [for SECONDS] [uring] [compat]   accepts N connections of listener A, MS
 *                          apart at least, and keeps them; fewer when none comes for so long; by
 *                          io_uring; by the system call of 32-bit programs
 *   heir                   a child with all its sockets goes on as "heir", and the process ends
 *   connect A [port N] [from N] [bind] [6] [start] [fastopen N]
 *                          start: does not wait; fastopen: with N bytes in the SYN; bind: bind() chooses the
 *                          port first
 *   wait A                 for a connect that was started
 *   crowd N [port N] [6] [every MS]   begins N connections more and does not wait
 *   joined N               waits until N of the crowd are connected, for the rest not
 *   refused N              waits until N of them have failed
 *   leave                  closes all of the crowd, and all that serve has
 *   send A N               N bytes
 *   recv A N               waits for N bytes
 *   eof A                  reads until the other end has closed
 *   shutdown A             of the sending side
 *   linger A               close() shall send an RST (SO_LINGER, 0 s)
 *   close A
 *   repair A               from now on nothing is sent for it (TCP_REPAIR)
 *   restore A from N port N send N recv N [6]   a connection that is there already, with the
 *                          next numbers to send and to be received, as CRIU makes it
 *   descriptors N          it may open N more, and then fails with EMFILE
 *   set NAME VALUE         a sysctl
 *   get NAME               "ok VALUE"; "ok -" when this kernel has none such
 *   keep                   a copy of each TCP segment sent from now on
 *   replay N               sends the Nth of them again, 1 being the first
 *
 * Waiting ends after 1000 s with ETIMEDOUT, which is nothing in virtual time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#define PORT		5555
#define WAIT_MS		1000000
#define WORDS		12

static int sockets[26];
static int keeper = -1;
static const char *addresses[4];
static bool always_v6;
static char answer[128];

struct args {
	char *word[WORDS + 1];
	int n;
};

/* The number after a word of the command; otherwise if it is not there. */
static long option(const struct args *a, const char *name, long otherwise)
{
	int i;

	for (i = 2; i < a->n; i++)
		if (!strcmp(a->word[i], name))
			return a->word[i + 1] ? atol(a->word[i + 1]) : 1;
	return otherwise;
}

static bool has(const struct args *a, const char *name)
{
	return option(a, name, -1) >= 0;
}

static bool is_v6(const struct args *a)
{
	return always_v6 || has(a, "6");
}

static int *slot(const struct args *a, int i)
{
	static int none;

	if (i >= a->n || a->word[i][0] < 'a' || a->word[i][0] > 'z' || a->word[i][1]) {
		none = -1;
		return &none;
	}
	return &sockets[a->word[i][0] - 'a'];
}

static long number(const struct args *a, int i)
{
	return i < a->n ? atol(a->word[i]) : 0;
}

static socklen_t address(struct sockaddr_storage *ss, bool v6, const char *text, long port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (v6) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons((uint16_t)port);
		if (text)
			inet_pton(AF_INET6, text, &sin6->sin6_addr);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	if (text)
		inet_pton(AF_INET, text, &sin->sin_addr);
	return sizeof(*sin);
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int rc = poll(&p, 1, WAIT_MS);

	if (rc > 0)
		return 0;
	if (!rc)
		errno = ETIMEDOUT;
	return -1;
}

static int set_option(int fd, int option, long value)
{
	int v = (int)value;

	return value ? setsockopt(fd, IPPROTO_TCP, option, &v, sizeof(v)) : 0;
}

/* ---- commands: 0, or -1 with errno ---------------------------------------------- */

static int do_listen(const struct args *a)
{
	bool v6 = is_v6(a);
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, v6, NULL, option(a, "port", PORT));
	int one = 1, ttl, fd;

	fd = socket(ss.ss_family, SOCK_STREAM, has(a, "mptcp") ? IPPROTO_MPTCP : 0);
	if (fd < 0)
		return -1;
	*slot(a, 1) = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (has(a, "transparent") && setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
						&one, sizeof(one)))
		return -1;
	ttl = (int)option(a, "minttl", 0);
	if (ttl && setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_MINHOPCOUNT : IP_MINTTL, &ttl, sizeof(ttl)))
		return -1;
	if (has(a, "reuseport"))
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) ||
	    set_option(fd, TCP_DEFER_ACCEPT, option(a, "defer", 0)) ||
	    set_option(fd, TCP_FASTOPEN, option(a, "fastopen", 0)))
		return -1;
	return listen(fd, (int)option(a, "backlog", 8));
}

static int do_accept(const struct args *a)
{
	int fd;

	if (wait_for(*slot(a, 2), POLLIN))
		return -1;
	fd = accept(*slot(a, 2), NULL, NULL);
	*slot(a, 1) = fd;
	return fd < 0 ? -1 : 0;
}

static int result(int fd)
{
	socklen_t len = sizeof(errno);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -1;
	errno = err;
	return err ? -1 : 0;
}

static int do_connect(const struct args *a)
{
	long from = option(a, "from", 0), bytes = option(a, "fastopen", 0);
	bool v6 = is_v6(a), start = has(a, "start");
	struct sockaddr_storage ss;
	static char data[4096];
	int one = 1, rc, fd;
	socklen_t len;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | (start ? SOCK_NONBLOCK : 0), 0);
	if (fd < 0)
		return -1;
	*slot(a, 1) = fd;
	if (from || has(a, "bind")) {
		if (from)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		len = address(&ss, v6, addresses[v6 ? 2 : 0], from);
		if (bind(fd, (struct sockaddr *)&ss, len))
			return -1;
	}
	len = address(&ss, v6, addresses[v6 ? 3 : 1], option(a, "port", PORT));
	if (bytes) {
		rc = sendto(fd, data, (size_t)bytes, MSG_FASTOPEN, (struct sockaddr *)&ss,
			    len) == bytes ? 0 : -1;
	} else {
		rc = connect(fd, (struct sockaddr *)&ss, len);
	}
	return rc && start && errno == EINPROGRESS ? 0 : rc;
}

static int do_wait(const struct args *a)
{
	int fd = *slot(a, 1);

	if (wait_for(fd, POLLOUT))
		return -1;
	fcntl(fd, F_SETFL, 0);
	return result(fd);
}

/* ---- many at a time: without names, in the order they were made ------------------------ */

#define CROWD	4096

static int crowd[CROWD], ncrowd;
static bool is_joined[CROWD], is_refused[CROWD];
static int njoined, nrefused;

static void pause_ms(long ms)
{
	if (ms)
		poll(NULL, 0, (int)ms);
}

static int enlist(int fd)
{
	if (fd < 0)
		return -1;
	if (ncrowd == CROWD) {
		close(fd);
		errno = EMFILE;
		return -1;
	}
	is_joined[ncrowd] = false;
	is_refused[ncrowd] = false;
	crowd[ncrowd++] = fd;
	return 0;
}

static int accept_as(const struct args *a, int fd)
{
	int got;

	if (has(a, "uring"))
		got = accept_by_uring(fd);
	else if (has(a, "compat"))
		got = accept_by_compat(fd);
	else
		return accept(fd, NULL, NULL);
	if (got >= 0)
		return got;
	errno = -got;
	return -1;
}

static int do_serve(const struct args *a)
{
	long n = number(a, 2), seconds = option(a, "for", 0);
	int fd = *slot(a, 1), accepted;

	while (n-- > 0) {
		pause_ms(option(a, "every", 0));
		if (seconds ? poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
				   (int)seconds * 1000) == 0 : wait_for(fd, POLLIN))
			return seconds ? 0 : -1;
		accepted = accept_as(a, fd);
		if (enlist(accepted))
			return -1;
		is_joined[ncrowd - 1] = true;
		njoined++;
	}
	return 0;
}

static int do_heir(const struct args *a)
{
	pid_t pid = fork();

	(void)a;
	if (pid > 0)
		_exit(0);
	return pid || prctl(PR_SET_NAME, "heir") ? -1 : 0;
}

static int do_crowd(const struct args *a)
{
	bool v6 = is_v6(a);
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, v6, addresses[v6 ? 3 : 1], option(a, "port", PORT));
	long n = number(a, 1);
	int fd;

	while (n-- > 0) {
		fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (enlist(fd) ||
		    (connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS))
			return -1;
		pause_ms(option(a, "every", 0));
	}
	return 0;
}

/* Looks at those of whom nothing is known yet. */
static int look(int timeout)
{
	static struct pollfd p[CROWD];
	static int who[CROWD];
	nfds_t n = 0, i;
	int rc;

	for (int w = 0; w < ncrowd; w++) {
		if (is_joined[w] || is_refused[w])
			continue;
		who[n] = w;
		p[n++] = (struct pollfd){ .fd = crowd[w], .events = POLLOUT };
	}
	rc = poll(p, n, timeout);
	for (i = 0; rc > 0 && i < n; i++) {
		if (!p[i].revents)
			continue;
		if (result(p[i].fd)) {
			is_refused[who[i]] = true;
			nrefused++;
		} else {
			is_joined[who[i]] = true;
			njoined++;
		}
	}
	if (!rc)
		errno = ETIMEDOUT;
	return rc > 0 ? 0 : -1;
}

static int do_joined(const struct args *a)
{
	while (njoined < number(a, 1))
		if (look(WAIT_MS))
			return -1;
	return 0;
}

static int do_refused(const struct args *a)
{
	while (nrefused < number(a, 1))
		if (look(WAIT_MS))
			return -1;
	return 0;
}

static int do_leave(const struct args *a)
{
	(void)a;
	while (ncrowd)
		close(crowd[--ncrowd]);
	njoined = 0;
	nrefused = 0;
	return 0;
}

static int do_send(const struct args *a)
{
	static char data[65536];
	size_t n = (size_t)number(a, 2);

	if (n > sizeof(data)) {
		errno = EMSGSIZE;
		return -1;
	}
	return send(*slot(a, 1), data, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

/* Reads n bytes, or until the end with n < 0. */
static int receive(int fd, long n)
{
	char data[4096];
	ssize_t got;

	while (n) {
		if (wait_for(fd, POLLIN))
			return -1;
		got = recv(fd, data, n < 0 || n > (long)sizeof(data) ? sizeof(data) : (size_t)n, 0);
		if (got < 0)
			return -1;
		if (!got) {
			errno = ENODATA;
			return n < 0 ? 0 : -1;
		}
		if (n > 0)
			n -= got;
	}
	return 0;
}

static int do_recv(const struct args *a)
{
	return receive(*slot(a, 1), number(a, 2));
}

static int do_eof(const struct args *a)
{
	return receive(*slot(a, 1), -1);
}

static int do_shutdown(const struct args *a)
{
	return shutdown(*slot(a, 1), SHUT_WR);
}

static int do_linger(const struct args *a)
{
	struct linger linger = { .l_onoff = 1 };

	return setsockopt(*slot(a, 1), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static int do_close(const struct args *a)
{
	int fd = *slot(a, 1);

	*slot(a, 1) = -1;
	return close(fd);
}

static int do_repair(const struct args *a)
{
	return set_option(*slot(a, 1), TCP_REPAIR, TCP_REPAIR_ON);
}

static int set_number(int fd, int queue, long number)
{
	return set_option(fd, TCP_REPAIR_QUEUE, queue) || set_option(fd, TCP_QUEUE_SEQ, number) ? -1 : 0;
}

static int do_restore(const struct args *a)
{
	bool v6 = is_v6(a);
	struct sockaddr_storage ss;
	int one = 1, fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	socklen_t len = address(&ss, v6, addresses[v6 ? 2 : 0], option(a, "from", 0));

	if (fd < 0)
		return -1;
	*slot(a, 1) = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (do_repair(a) || set_number(fd, TCP_SEND_QUEUE, option(a, "send", 0)) ||
	    set_number(fd, TCP_RECV_QUEUE, option(a, "recv", 0)) ||
	    bind(fd, (struct sockaddr *)&ss, len))
		return -1;
	len = address(&ss, v6, addresses[v6 ? 3 : 1], option(a, "port", PORT));
	if (connect(fd, (struct sockaddr *)&ss, len))
		return -1;
	return set_option(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
}

static int do_descriptors(const struct args *a)
{
	struct rlimit limit;
	int next = dup(0);

	if (next < 0 || close(next) || getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = (rlim_t)(next + number(a, 1));
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static FILE *sysctl(const struct args *a, const char *mode)
{
	char path[160], *p;

	snprintf(path, sizeof(path), "/proc/sys/%s", a->n > 1 ? a->word[1] : "");
	for (p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	return fopen(path, mode);
}

static int do_set(const struct args *a)
{
	FILE *f = sysctl(a, "w");
	int i;

	if (!f)
		return -1;
	for (i = 2; i < a->n; i++)
		fprintf(f, "%s ", a->word[i]);
	return fclose(f);
}

static int do_get(const struct args *a)
{
	FILE *f = sysctl(a, "r");

	strcpy(answer, "-");
	if (!f)
		return errno == ENOENT ? 0 : -1;
	if (!fgets(answer, sizeof(answer), f))
		answer[0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	return fclose(f);
}

/* ---- segments that were sent, sent again -------------------------------------------- */

static struct segment {
	size_t len;
	unsigned char packet[1600];	/* from the IPv4 header on */
} kept[32];
static unsigned int nkept;

static int do_keep(const struct args *a)
{
	(void)a;
	/* Only ETH_P_ALL sees what is sent. */
	keeper = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	return keeper < 0 ? -1 : 0;
}

static void collect(void)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	struct segment *s;
	ssize_t got;

	while (nkept < sizeof(kept) / sizeof(kept[0])) {
		s = &kept[nkept];
		got = recvfrom(keeper, s->packet, sizeof(s->packet), 0,
			       (struct sockaddr *)&from, &len);
		if (got < 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING || from.sll_protocol != htons(ETH_P_IP) ||
		    got < 40 || s->packet[9] != IPPROTO_TCP)
			continue;
		s->len = (size_t)got;
		nkept++;
	}
}

static uint32_t sum(uint32_t sofar, const unsigned char *p, size_t n)
{
	for (; n > 1; n -= 2, p += 2)
		sofar += (uint32_t)(p[0] << 8 | p[1]);
	return n ? sofar + (uint32_t)(p[0] << 8) : sofar;
}

/* It was left to the network card, which the copy never saw. */
static void checksum(unsigned char *packet, size_t len)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	unsigned char *tcp = packet + header;
	uint32_t total;

	len -= header;
	tcp[16] = 0;
	tcp[17] = 0;
	total = sum(IPPROTO_TCP + (uint32_t)len, packet + 12, 8);
	total = sum(total, tcp, len);
	total = (total & 0xffff) + (total >> 16);
	total = ~((total & 0xffff) + (total >> 16));
	tcp[16] = (unsigned char)(total >> 8);
	tcp[17] = (unsigned char)total;
}

static int do_replay(const struct args *a)
{
	unsigned int n = (unsigned int)number(a, 1);
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, false, addresses[1], 0);
	struct segment *s;
	int raw, rc;

	collect();
	if (!n || n > nkept) {
		errno = ENODATA;
		return -1;
	}
	s = &kept[n - 1];
	checksum(s->packet, s->len);
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (raw < 0)
		return -1;
	rc = sendto(raw, s->packet, s->len, 0, (struct sockaddr *)&ss, len) < 0 ? -1 : 0;
	close(raw);
	return rc;
}

static const struct {
	const char *name;
	int (*run)(const struct args *a);
} commands[] = {
	{ "listen", do_listen }, { "accept", do_accept }, { "connect", do_connect },
	{ "wait", do_wait }, { "send", do_send }, { "recv", do_recv }, { "eof", do_eof },
	{ "shutdown", do_shutdown }, { "linger", do_linger },
	{ "serve", do_serve }, { "crowd", do_crowd }, { "joined", do_joined },
	{ "refused", do_refused }, { "leave", do_leave }, { "heir", do_heir },
	{ "close", do_close }, { "set", do_set }, { "get", do_get },
	{ "descriptors", do_descriptors }, { "repair", do_repair }, { "restore", do_restore },
	{ "keep", do_keep }, { "replay", do_replay },
};

static int run(struct args *a)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(a->word[0], commands[i].name))
			return commands[i].run(a);
	errno = ENOSYS;
	return -1;
}

/* Return: false after an error, which is told. */
static bool run_words(struct args *a)
{
	if (!a->n || !run(a))
		return true;
	printf("%s %s\n", strerrorname_np(errno), a->word[0]);
	return false;
}

static void run_line(char *line)
{
	struct args a = { .n = 0 };
	char *word;

	answer[0] = '\0';
	for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (strcmp(word, ";")) {
			if (a.n < WORDS)
				a.word[a.n++] = word;
			continue;
		}
		if (!run_words(&a))
			return;
		memset(&a, 0, sizeof(a));
	}
	if (run_words(&a))
		printf("ok%s%s\n", answer[0] ? " " : "", answer);
}

int main(int argc, char **argv)
{
	char line[512];

	if (argc < 5) {
		fprintf(stderr, "usage: peer ADDRESS ADDRESS ADDRESS6 ADDRESS6 [6]\n");
		return 2;
	}
	always_v6 = argc > 5;
	memcpy(addresses, argv + 1, sizeof(addresses));
	memset(sockets, -1, sizeof(sockets));
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin))
		run_line(line);
	return 0;
}
