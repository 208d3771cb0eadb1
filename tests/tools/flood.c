// SPDX-License-Identifier: GPL-2.0-only
/*
 * flood [-6] [-a] [-r RATE] [-s ADDRESS] [-m SOURCES] COUNT ADDRESS PORT: COUNT SYNs
 * from spoofed addresses, as fast as it goes.
 *
 * -a: ACKs instead, that acknowledge nothing we ever saw (forged cookies)
 * -r RATE: so many a second, in bursts of up to 64
 * -s ADDRESS: the first source (198.18.0.1, 2001:db8:f::1); those after it follow
 * -m SOURCES: how many (60000).  No source and port come twice within 64000 * SOURCES
 * -l BACKLOG: listens itself at the address and never accepts, with room for BACKLOG + 1
 * -f: and its accept queue is full from the start
 * -w WARMUP: SYNs before those that count
 *
 * Prints "sent N", and with -l "N NS": the time that all tasks together ran for a SYN
 * (/proc/schedstat), which is instructions in a guest under -icount shift=0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	64
#define TCP_LEN	20
#define MAX_LEN	(40 + TCP_LEN)

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static struct {
	bool v6, ack;
	union address to, from;
	long rate, sources;
	unsigned char packet[BATCH][MAX_LEN];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	int raw;
} f = { .sources = 60000 };

static uint32_t sum(uint32_t sofar, const unsigned char *p, size_t n)
{
	for (; n; n -= 2, p += 2)
		sofar += (uint32_t)(p[0] << 8 | p[1]);
	return sofar;
}

static void put(unsigned char *p, uint32_t v, int bytes)
{
	while (bytes--) {
		p[bytes] = (unsigned char)v;
		v >>= 8;
	}
}

static uint16_t fold(uint32_t v)
{
	v = (v & 0xffff) + (v >> 16);
	return (uint16_t)~((v & 0xffff) + (v >> 16));
}

static size_t ip_len(void)
{
	return f.v6 ? 40 : 20;
}

/* What all segments have in common. */
static void prepare(void)
{
	size_t len = ip_len() + TCP_LEN, i;
	unsigned char *p;

	for (i = 0; i < BATCH; i++) {
		p = f.packet[i];
		if (f.v6) {
			p[0] = 0x60;
			put(p + 4, TCP_LEN, 2);
			p[6] = IPPROTO_TCP;
			p[7] = 64;
			memcpy(p + 8, &f.from.v6.sin6_addr, 16);
			memcpy(p + 24, &f.to.v6.sin6_addr, 16);
		} else {
			p[0] = 0x45;
			put(p + 2, (uint32_t)len, 2);
			p[8] = 64;
			p[9] = IPPROTO_TCP;
			memcpy(p + 16, &f.to.v4.sin_addr, 4);
		}
		p += ip_len();
		memcpy(p + 2, &f.to.v4.sin_port, 2);
		p[12] = TCP_LEN / 4 << 4;
		p[13] = f.ack ? 0x10 : 0x02;
		put(p + 14, 8192, 2);
		f.iov[i] = (struct iovec){ f.packet[i], len };
		f.msg[i].msg_hdr.msg_iov = &f.iov[i];
		f.msg[i].msg_hdr.msg_iovlen = 1;
		f.msg[i].msg_hdr.msg_name = &f.to;
		f.msg[i].msg_hdr.msg_namelen = f.v6 ? sizeof(f.to.v6) : sizeof(f.to.v4);
	}
}

/* The nth segment, in place i of the batch. */
static void make(size_t i, long n)
{
	uint32_t source = (uint32_t)(n % f.sources), port = (uint32_t)(n / f.sources % 64000);
	unsigned char *ip = f.packet[i], *tcp = ip + ip_len(), *from = ip + (f.v6 ? 8 : 12);
	uint32_t total;

	if (f.v6)
		put(from + 12, ntohl(f.from.v6.sin6_addr.s6_addr32[3]) + source, 4);
	else
		put(from, ntohl(f.from.v4.sin_addr.s_addr) + source, 4);
	put(tcp, 1024 + port, 2);
	put(tcp + 4, (uint32_t)n * 2654435761u, 4);
	put(tcp + 8, f.ack ? (uint32_t)n * 2246822519u + 1 : 0, 4);
	put(tcp + 16, 0, 2);
	total = sum(IPPROTO_TCP + TCP_LEN, from, f.v6 ? 32 : 8);
	put(tcp + 16, fold(sum(total, tcp, TCP_LEN)), 2);
	/* The kernel makes the IPv4 header's. */
}

static void send_all(size_t n)
{
	size_t done = 0;
	int rc;

	while (done < n) {
		rc = sendmmsg(f.raw, f.msg + done, (unsigned int)(n - done), 0);
		if (rc > 0)
			done += (size_t)rc;
		else if (errno != ENOBUFS && errno != EINTR)
			err(1, "sending");
	}
}

static void flood(long first, long count)
{
	struct timespec next;
	long n, burst;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (n = 0; n < count; n += burst) {
		burst = count - n < BATCH ? count - n : BATCH;
		for (long i = 0; i < burst; i++)
			make((size_t)i, first + n + i);
		send_all((size_t)burst);
		if (!f.rate)
			continue;
		next.tv_nsec += burst * 1000000000L / f.rate;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

/* A listener that nobody looks after; its accept queue filled if asked for. */
static void listener(int backlog, bool full)
{
	socklen_t len = f.v6 ? sizeof(f.to.v6) : sizeof(f.to.v4);
	int one = 1, fd = socket(f.to.any.sa_family, SOCK_STREAM, 0), client, i;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &f.to.any, len) || listen(fd, backlog))
		err(1, "listen");
	for (i = 0; full && i <= backlog; i++) {
		client = socket(f.to.any.sa_family, SOCK_STREAM, 0);
		if (client < 0 || connect(client, &f.to.any, len))
			err(1, "connect");
	}
}

/* What tasks other than the idle ones ran, as in churn.c; when nothing is going on. */
static long long busy(void)
{
	static const char path[] = "/proc/schedstat";
	const struct timespec settle = { 0, 500000000 };
	long long before, after = 0, ns;
	char line[1024];
	FILE *file;

	do {
		nanosleep(&settle, NULL);
		before = after;
		after = 0;
		file = fopen(path, "r");
		if (!file)
			err(1, "%s", path);
		while (fgets(line, sizeof(line), file))
			if (sscanf(line, "cpu%*d %*s %*s %*s %*s %*s %*s %lld", &ns) == 1)
				after += ns;
		fclose(file);
	} while (after - before > settle.tv_nsec / 100);
	return after;
}

static void usage(void)
{
	errx(2, "usage: flood [-6] [-a] [-r RATE] [-s ADDRESS] [-m SOURCES]\n"
	     "             [-l BACKLOG [-f] [-w WARMUP]] COUNT ADDRESS PORT");
}

static void parse(const char *text, union address *a, long port)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = f.v6 ? AF_INET6 : AF_INET;
	a->v4.sin_port = htons((uint16_t)port);
	if (inet_pton(a->any.sa_family, text,
		      f.v6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr) != 1)
		errx(2, "flood: no address: %s", text);
}

int main(int argc, char **argv)
{
	long count, warmup = 0, backlog = -1;
	const char *source = NULL;
	bool full = false;
	long long start;
	int c;

	while ((c = getopt(argc, argv, "6afl:m:r:s:w:")) != -1) {
		switch (c) {
		case '6': f.v6 = true; break;
		case 'a': f.ack = true; break;
		case 'f': full = true; break;
		case 'l': backlog = atol(optarg); break;
		case 'm': f.sources = atol(optarg); break;
		case 'r': f.rate = atol(optarg); break;
		case 's': source = optarg; break;
		case 'w': warmup = atol(optarg); break;
		default: usage();
		}
	}
	count = argc - optind == 3 ? atol(argv[optind]) : 0;
	if (count < 1 || f.sources < 1 || f.rate < 0 || (full && backlog < 0))
		usage();
	parse(source ? source : f.v6 ? "2001:db8:f::1" : "198.18.0.1", &f.from, 0);
	parse(argv[optind + 1], &f.to, atol(argv[optind + 2]));
	if (backlog >= 0)
		listener((int)backlog, full);
	/* A raw IPv6 socket takes the protocol for a port. */
	f.raw = socket(f.to.any.sa_family, SOCK_RAW, IPPROTO_RAW);
	if (f.raw < 0)
		err(1, "raw socket");
	prepare();
	if (f.v6)
		f.to.v6.sin6_port = 0;

	flood(0, warmup);
	if (backlog < 0) {
		flood(warmup, count);
		printf("sent %ld\n", count);
		return 0;
	}
	start = busy();
	flood(warmup, count);
	printf("%ld %.1f\n", count, (double)(busy() - start) / (double)count);
	return 0;
}
