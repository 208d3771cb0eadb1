// SPDX-License-Identifier: GPL-2.0-only
/*
 * churn [-6 | -a N] [-n] [-p PORT] [-r RATE] [-w WARMUP] [-s MS] COUNT|-i: connect,
 * accept, one byte, close, one after the other over loopback in one thread.  Prints
 * nanoseconds per connection, which are instructions in a guest under -icount
 * shift=0.
 *
 * -a N: to N addresses in turn, from 127.0.0.1 on
 * -n: not even the byte
 * -p PORT: where it listens; any otherwise
 * -r RATE: so many per second, if it can
 * -i: until SIGINT comes; prints how many connections there were, and how many more accept() gave
 * that are nobody's any more: an old ACK with a valid SYN cookie makes a connection once more
 *
 * -s MS: sleeps so long after the warm-up and at the end, or longer, so that
 * others that look on (tracers) catch up, and prints the time that all tasks
 * together ran in between.  That is the scheduler's; sleep does not count.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000LL

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address addr;
static socklen_t addr_len;
static long addresses = 1, turn, rate, phantoms;
static bool empty, endless;
static long long begun, made;		/* for rate */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* To the next millisecond in which a connection is due. */
static void pace(void)
{
	long long due = begun + made * NSEC_PER_SEC / rate;
	struct timespec ts = { due / NSEC_PER_SEC, due % NSEC_PER_SEC / 1000000 * 1000000 };

	if (!begun) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		begun = ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	made++;
}

/* The connection of this client. */
static int accept_from(int listener, int client)
{
	union address own, peer;
	socklen_t len = sizeof(own);
	int server;

	if (getsockname(client, &own.any, &len))
		err(1, "getsockname");
	for (;;) {
		len = sizeof(peer);
		server = accept(listener, &peer.any, &len);
		/* Of both families it is in the same place. */
		if (server < 0 || peer.v4.sin_port == own.v4.sin_port)
			return server;
		close(server);
		phantoms++;
	}
}

static void connection(int listener)
{
	char byte = 'x';
	int client, server;

	if (rate)
		pace();
	if (addresses > 1)
		addr.v4.sin_addr.s_addr = htonl((uint32_t)(INADDR_LOOPBACK + turn++ % addresses));
	client = socket(addr.any.sa_family, SOCK_STREAM, 0);
	if (client < 0)
		err(1, "socket");
	if (connect(client, &addr.any, addr_len))
		err(1, "connect");
	/* Should the ACK be dropped, as in a flood, the byte that is sent again stands for it. */
	if (endless && !empty && write(client, &byte, 1) != 1)
		err(1, "one byte");
	server = endless ? accept_from(listener, client) : accept(listener, NULL, NULL);
	if (server < 0)
		err(1, "accept");
	if (!empty && ((!endless && write(client, &byte, 1) != 1) || read(server, &byte, 1) != 1))
		err(1, "one byte");
	if (close(client) || close(server))
		err(1, "close");
}

/* What tasks other than the idle ones ran: seventh number of each CPU's line. */
static long long busy(void)
{
	static const char path[] = "/proc/schedstat";
	long long sum = 0, ns;
	char line[1024];
	FILE *f = fopen(path, "r");

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu%*d %*s %*s %*s %*s %*s %*s %lld", &ns) == 1)
			sum += ns;
	fclose(f);
	return sum;
}

/* Starts or ends what is measured. */
static long long now(long settle)
{
	struct timespec ts = { settle / 1000, settle % 1000 * 1000000 };
	long long before, after;

	if (settle) {
		after = busy();
		do {
			before = after;
			nanosleep(&ts, NULL);
			after = busy();
		} while (after - before > settle * 1000000 / 100);
		return after;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char usage[] =
		"usage: churn [-6 | -a N] [-n] [-p PORT] [-r RATE] [-w WARMUP] [-s MS] COUNT|-i";
	long warmup = 100, settle = 0, port = 0, count, i;
	bool v6 = false;
	long long start;
	int listener, c;

	while ((c = getopt(argc, argv, "6a:inp:r:s:w:")) != -1) {
		if (c == '6')
			v6 = true;
		else if (c == 'a')
			addresses = atol(optarg);
		else if (c == 'i')
			endless = true;
		else if (c == 'n')
			empty = true;
		else if (c == 'p')
			port = atol(optarg);
		else if (c == 'r')
			rate = atol(optarg);
		else if (c == 's')
			settle = atol(optarg);
		else if (c == 'w')
			warmup = atol(optarg);
		else
			errx(2, "%s", usage);
	}
	count = optind < argc ? atol(argv[optind]) : 0;
	if ((count < 1 && !endless) || addresses < 1 || rate < 0 || (v6 && addresses > 1))
		errx(2, "%s", usage);

	/* Whoever sees it listen may end it. */
	if (endless)
		sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt,
						       .sa_flags = SA_RESTART }, NULL);
	addr_len = v6 ? sizeof(addr.v6) : sizeof(addr.v4);
	addr.any.sa_family = v6 ? AF_INET6 : AF_INET;
	addr.v4.sin_port = htons((uint16_t)port);
	if (v6)
		addr.v6.sin6_addr = in6addr_loopback;
	else
		addr.v4.sin_addr.s_addr = htonl(addresses > 1 ? INADDR_ANY : INADDR_LOOPBACK);
	listener = socket(addr.any.sa_family, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, &addr.any, addr_len) ||
	    listen(listener, 128) ||
	    getsockname(listener, &addr.any, &addr_len))
		err(1, "listen");

	if (endless) {
		while (!interrupted) {
			connection(listener);
			count++;
		}
		printf("%ld %ld\n", count, phantoms);
		return 0;
	}
	for (i = 0; i < warmup; i++)
		connection(listener);
	start = now(settle);
	begun = made = 0;
	for (i = 0; i < count; i++)
		connection(listener);
	printf("%.1f\n", (double)(now(settle) - start) / (double)count);
	return 0;
}
