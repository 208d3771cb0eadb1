// SPDX-License-Identifier: GPL-2.0-only
/* The server of serve, and what strangers send it. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"
#include "../../userspace/serve/http.h"

#define REQUESTS	10000
#define HOSTILE		20000
#define SLACK_KB	2048

/* What is freed is to be used again, or memory cannot be watched. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "quarantine_size_mb=1:detect_leaks=1"; }

static uint16_t port;
static pid_t server;

/* ---- the server, a process of its own ------------------------------------------------------ */

static int on_page(const struct http_request *q, struct http_page *page, void *arg)
{
	static struct out o;

	(void)arg;
	if (*q->at || *q->conn)
		return -EINVAL;
	if (strcmp(q->path, "/metrics"))
		return -ENOENT;
	page->type = "text/plain";
	out_to_text(&o, &page->text);
	for (int i = 0; i < 2000; i++)
		out_printf(&o, "metric_%d 1\n", i);
	return out_flush(&o);
}

/* Until a signal comes: then all that it had is freed, so that a leak is found. */
static volatile sig_atomic_t over;
static void on_signal(int sig) { (void)sig; over = 1; }

static void serve(int tell)
{
	const char *why;
	struct http *h;
	int ms = 0;

	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (http_open(&h, "127.0.0.1:0", on_page, NULL, &why))
		exit(1);
	port = (uint16_t)atoi(strrchr(http_where(h), ':') + 1);
	if (write(tell, &port, sizeof(port)) != sizeof(port))
		exit(1);
	while (!over) {
		struct pollfd p = { .fd = http_fd(h), .events = POLLIN };

		poll(&p, 1, ms);
		ms = http_run(h);
	}
	http_close(h);
	exit(0);
}

static bool begin(void)
{
	int pipes[2];

	if (pipe(pipes))
		return false;
	server = fork();
	if (!server)
		serve(pipes[1]);
	close(pipes[1]);
	return read(pipes[0], &port, sizeof(port)) == sizeof(port) && !close(pipes[0]);
}

static long resident_kb(void)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", server);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "VmRSS: %ld", &kb) != 1)
		;
	if (f)
		fclose(f);
	return kb;
}

/* ---- clients -------------------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A request on a connection that stays.  Return: the length of a body with status 200, or -1. */
static long ask(int fd, unsigned int i)
{
	static char buf[1 << 17];
	char request[256];
	size_t got = 0, body = 0;
	char *end = NULL, *length;
	int n = snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: a/%u\r\n\r\n", i % 7);

	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return -1;
	while (!end || got < (size_t)(end + 4 - buf) + body) {
		ssize_t more = recv(fd, buf + got, sizeof(buf) - 1 - got, 0);

		if (more <= 0)
			return -1;
		got += (size_t)more;
		buf[got] = '\0';
		end = end ? end : strstr(buf, "\r\n\r\n");
		length = strstr(buf, "Content-Length: ");
		if (end && length)
			body = strtoul(length + 16, NULL, 10);
	}
	return strncmp(buf, "HTTP/1.1 200", 12) ? -1 : (long)body;
}

/* Two that scrape, one that takes a byte now and then, one that never ends its request. */
static void test_many(void)
{
	static const char half[] = "GET /metrics HTTP/1.1\r\nHost: loc";
	static const char whole[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int scraper[2] = { dial(), dial() }, hangs = dial(), slow = dial();
	long first = -1, before = 0;
	char byte;

	CHECK(send(hangs, half, sizeof(half) - 1, MSG_NOSIGNAL) > 0);
	CHECK(send(slow, whole, sizeof(whole) - 1, MSG_NOSIGNAL) > 0);
	for (unsigned int i = 0; i < REQUESTS && !check_failed; i++) {
		long n = ask(scraper[i % 2], i);

		if (!i)
			first = n;
		if (i == REQUESTS / 10)
			before = resident_kb();
		CHECK(n > 10000 && n == first);
		if (i % 100 == 0)
			recv(slow, &byte, 1, MSG_DONTWAIT);
	}
	CHECK(before > 0);
	if (resident_kb() > before + SLACK_KB)
		CHECK_EQ(resident_kb(), before);
	close(scraper[0]);
	close(scraper[1]);
	close(slow);
	close(hangs);
}

/* ---- what is no request --------------------------------------------------------------------- */

static uint64_t seed = 1;

static unsigned int below(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed >> 11) % n;
}

static size_t hostile(char *to, size_t room)
{
	static const char * const seeds[] = {
		"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: [::1]:9823\r\nOrigin: http://[::1]:9823\r\nAccept-Encoding: gzip;q=0.5, br\r\n\r\n",
		"HEAD /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/openmetrics-text\r\n\r\n",
		"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
		"PUT /%2e%2e/%00/metrics?a=b&c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde",
		"GET /data?at=18446744073709551615&conn=%31&at HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n",
	};
	static const char * const words[] = {
		"\r\n", "\r\n\r\n", ":", " ", "\t", "%", "\"", "[", "]", "q=", "0.000", "Host: ", "Accept-Encoding: ", "Origin: ",
		"18446744073709551616", "-1", "\xff\xfe", "chunked", "gzip,", "Content-Length: ",
	};
	const char *from = seeds[below(sizeof(seeds) / sizeof(seeds[0]))];
	size_t len = strlen(from);

	memcpy(to, from, len);
	for (unsigned int n = 1 + below(6); n; n--) {
		size_t at = below((unsigned int)len + 1);
		const char *word = words[below(sizeof(words) / sizeof(words[0]))];
		size_t w = strlen(word), part;

		switch (below(5)) {
		case 0:
			if (at < len)
				to[at] = (char)below(256);
			break;
		case 1:
			if (at < len)
				to[at] = (char)(to[at] ^ 1 << below(8));
			break;
		case 2:
			if (len + w < room) {
				memmove(to + at + w, to + at, len - at);
				memcpy(to + at, word, w);
				len += w;
			}
			break;
		case 3:
			part = below((unsigned int)(len - at) + 1);
			memmove(to + at, to + at + part, len - at - part);
			len -= part;
			break;
		case 4:
			part = below((unsigned int)(len - at) + 1);
			part = part * (1 + below(20)) < room - len ? part : 0;
			for (w = part ? (room - len) / part : 0, w = w > 20 ? 20 : w; part && w; w--) {
				memmove(to + at + part, to + at, len - at);
				len += part;
			}
			break;
		}
	}
	return len;
}

static void test_hostile(void)
{
	char request[32768], answer[65536];
	long before = 0, answered = 0;
	int fd;

	for (unsigned int i = 0; i < HOSTILE && !check_failed; i++) {
		size_t n = hostile(request, sizeof(request)), got = 0;
		ssize_t more;

		if (i == HOSTILE / 10)
			before = resident_kb();
		fd = dial();
		CHECK(fd >= 0);
		/* One that could still go on is waited for by the server, not by us. */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval) { .tv_usec = 10000 }, sizeof(struct timeval));
		/* And its place is free when we go: it gets an RST. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) { .l_onoff = 1 }, sizeof(struct linger));
		(void)!send(fd, request, n, MSG_NOSIGNAL);
		if (i % 2)
			shutdown(fd, SHUT_WR);
		/* Some do not wait for what is said. */
		while (i % 4 && (more = recv(fd, answer + got, sizeof(answer) - got, 0)) > 0)
			got += (size_t)more;
		CHECK(!got || (got > 9 && !memcmp(answer, "HTTP/1.", 7)));
		answered += got > 0;
		close(fd);
	}
	CHECK(answered > HOSTILE / 10);
	CHECK(before > 0);
	if (resident_kb() > before + SLACK_KB)
		CHECK_EQ(resident_kb(), before);
	fd = dial();
	CHECK(ask(fd, 0) > 10000);
	close(fd);
}

static void test_end(void)
{
	int status = -1;

	kill(server, SIGTERM);
	CHECK_EQ(waitpid(server, &status, 0), server);
	CHECK_EQ(status, 0);
}

int main(void)
{
	char name[96];

	TEST("it listens", CHECK(begin()));
	snprintf(name, sizeof(name), "two scrapers, a slow one, one that hangs: %d requests, and it does not grow", REQUESTS);
	TEST(name, test_many());
	snprintf(name, sizeof(name), "%d requests that are none, or others", HOSTILE);
	TEST(name, test_hostile());
	TEST("nothing is left", test_end());
	return check_done();
}
