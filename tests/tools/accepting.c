// SPDX-License-Identifier: GPL-2.0-only
/*
 * accepting HOW BACKLOG N PORT: a listener and N clients that wait in its accept queue; who accepts them is asked for.
 * Prints "ready PID"; accepts at each line on its standard input, and prints "accepted COOKIE N" of each listener; ends with it.
 *
 * HOW: plain; blocked: in accept() before there is a client; thread: N threads are; uring: accept by io_uring, listen where it
 * can; compat, socketcall: the system calls of 32-bit programs; mptcp: the listener speaks it; mptcp-both: the clients, too;
 * tproxy: clients connect to PORT + 1; reuseport: two listeners; migrate: two, one of which closes at the first line.
 *
 * accepting loop HOW MS: calls over and over, prints how many. HOW: relisten: the same backlog; flip: two in turn; shutdown: of
 * one connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
/* Linux 6.11 */
#define OP_LISTEN	57

static int backlog, n;
static struct sockaddr_in to = { .sin_family = AF_INET };
static const char *how;

static int is(const char *word)
{
	return !strcmp(how, word);
}

static int make(int protocol)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, protocol);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		err(1, "socket");
	return fd;
}

/* ---- system calls of 32-bit programs ---------------------------------------------- */

/* Of a static program: below 4 GiB. */
static uint32_t args[3];

static int socketcall32(int call, int a, int b, int c)
{
	args[0] = (uint32_t)a;
	args[1] = (uint32_t)b;
	args[2] = (uint32_t)c;
	return call32(102, call, (long)(uintptr_t)args, 0, 0);
}

/* ------------------------------------------------------------------------------------- */

static void do_listen(int fd)
{
	int ret = -EINVAL;

	if (is("uring"))
		ret = ring_call(OP_LISTEN, fd, (uint32_t)backlog);
	else if (is("compat"))
		ret = call32(363, fd, backlog, 0, 0);
	else if (is("socketcall"))
		ret = socketcall32(4, fd, backlog, 0);
	if (ret == -EINVAL)
		ret = listen(fd, backlog) ? -errno : 0;
	if (ret)
		errx(1, "listen: %s", strerror(-ret));
}

static int do_accept(int fd)
{
	int got;

	if (is("uring"))
		got = accept_by_uring(fd);
	else if (is("compat"))
		got = accept_by_compat(fd);
	else if (is("socketcall"))
		got = socketcall32(5, fd, 0, 0);
	else
		got = accept(fd, NULL, NULL);
	if (got < 0 && !(fcntl(fd, F_GETFL) & O_NONBLOCK))
		errx(1, "accept: %s", strerror(got == -1 ? errno : -got));
	return got;
}

static int listener(int protocol)
{
	int one = 1, fd = make(protocol);

	if ((is("reuseport") || is("migrate")) && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		err(1, "SO_REUSEPORT");
	if (is("tproxy") && setsockopt(fd, SOL_IP, IP_TRANSPARENT, &one, sizeof(one)))
		err(1, "IP_TRANSPARENT");
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "bind");
	do_listen(fd);
	return fd;
}

static void *one_accept(void *fd)
{
	do_accept((int)(intptr_t)fd);
	return NULL;
}

static void connect_all(int protocol)
{
	int i;

	if (is("tproxy"))
		to.sin_port = htons(ntohs(to.sin_port) + 1);
	for (i = 0; i < n; i++)
		if (connect(make(protocol), (struct sockaddr *)&to, sizeof(to)))
			err(1, "connect");
}

static void accept_from(int fd, int most)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int got = 0;

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	while (got < most && do_accept(fd) >= 0)
		got++;
	printf("accepted %" PRIu64 " %d\n", cookie, got);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void loop(double seconds)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(any);
	int fd = make(0), other = make(0), i;
	double end = now() + seconds;
	unsigned long calls = 0;

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 5) || getsockname(fd, (struct sockaddr *)&any, &len))
		err(1, "listen");
	if (is("shutdown") && connect(other, (struct sockaddr *)&any, sizeof(any)))
		err(1, "connect");
	while (now() < end) {
		for (i = 0; i < 100; i++, calls++) {
			if (is("shutdown"))
				shutdown(other, SHUT_WR);
			else
				listen(fd, is("flip") ? 5 + i % 2 : 5);
		}
	}
	printf("%lu\n", calls);
}

int main(int argc, char **argv)
{
	int fd, fd2 = -1, i;
	pthread_t thread;

	if (argc == 4 && !strcmp(argv[1], "loop")) {
		how = argv[2];
		loop(atof(argv[3]) / 1000);
		return 0;
	}
	if (argc != 5)
		errx(2, "accepting HOW BACKLOG N PORT | accepting loop HOW MS");
	setlinebuf(stdout);
	how = argv[1];
	backlog = atoi(argv[2]);
	n = atoi(argv[3]);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	fd = listener(is("mptcp") || is("mptcp-both") ? IPPROTO_MPTCP : 0);
	if (is("reuseport") || is("migrate"))
		fd2 = listener(0);
	if (is("blocked") || is("thread")) {
		for (i = 0; i < (is("thread") ? n : 1); i++)
			pthread_create(&thread, NULL, one_accept, (void *)(intptr_t)fd);
		sleep(1);
	} else {
		connect_all(is("mptcp-both") ? IPPROTO_MPTCP : 0);
	}
	printf("ready %d\n", getpid());
	if (getchar() == EOF)
		return 0;
	if (is("blocked") || is("thread")) {
		connect_all(0);
		if (is("blocked"))
			accept_from(fd, n - 1);
		else
			pthread_join(thread, NULL);
	} else if (is("migrate")) {
		fcntl(fd2, F_SETFL, O_NONBLOCK);
		close(fd);
		accept_from(fd2, n);
	} else if (is("reuseport")) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		fcntl(fd2, F_SETFL, O_NONBLOCK);
		accept_from(fd, n);
		accept_from(fd2, n);
	} else {
		accept_from(fd, n);
	}
	puts("done");
	while (getchar() != EOF)
		;
	return 0;
}
