// SPDX-License-Identifier: GPL-2.0
/*
 * Standard output: whole lines in one buffer, written when it is full and when
 * there is nothing more to say for now.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"

struct out out;

static int error;		/* negative errno of the first failure */
static struct out_text *captured;	/* instead of stdout; NULL: not now */

/* Return: 0 or -ENOMEM: the rest is left out. */
static int keep(void)
{
	size_t need = captured->len + out.used + 1;
	char *p = captured->s;

	if (need > captured->room) {
		p = realloc(p, need + OUT_SIZE);
		if (!p)
			return -ENOMEM;
		captured->s = p;
		captured->room = need + OUT_SIZE;
	}
	memcpy(p + captured->len, out.buf, out.used);
	captured->len += out.used;
	p[captured->len] = '\0';
	return 0;
}

void out_capture(struct out_text *to)
{
	if (captured)
		keep();
	out.used = 0;
	captured = to;
	if (to)
		to->len = 0;
}

int out_error(void)
{
	return error;
}

int out_flush(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	size_t done = 0;

	if (captured) {
		int err = keep();

		out.used = 0;
		return err;
	}
	while (!error && done < out.used) {
		ssize_t n = write(STDOUT_FILENO, out.buf + done, out.used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)	/* somebody made it non-blocking */
			poll(&pfd, 1, -1);
		else if (errno != EINTR)
			error = -errno;
	}
	out.used = 0;
	return error;
}

void out_printf(const char *fmt, ...)
{
	char *p = out_room(1024);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p, 1024, fmt, ap);
	va_end(ap);
	if (n > 0)
		out_add(n < 1024 ? (size_t)n : 1023);
}

void out_json_ends(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport,
		   const uint8_t *raddr, uint16_t rport)
{
	char local[INET6_ADDRSTRLEN] = "", remote[INET6_ADDRSTRLEN] = "";
	int af = family == 6 ? AF_INET6 : AF_INET;

	if (family) {
		inet_ntop(af, laddr, local, sizeof(local));
		inet_ntop(af, raddr, remote, sizeof(remote));
	}
	out_printf("{\"ts\":%" PRIu64 ",\"event\":\"%s\",\"conn\":%" PRIu64 ",\"netns\":%u,"
		   "\"family\":%u,\"laddr\":\"%s\",\"lport\":%u,\"raddr\":\"%s\",\"rport\":%u,"
		   "\"cpu\":0", ts, event, conn, netns, family, local, lport, remote, rport);
}

void out_json_head(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport)
{
	static const uint8_t nobody[16];

	out_json_ends(ts, event, conn, netns, family, laddr, lport, nobody, 0);
}

bool out_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

bool out_has_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return out_is_terminal() && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

bool out_closed(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO };
	static int is_pipe = -1;
	struct stat st;

	if (is_pipe < 0)
		is_pipe = !fstat(STDOUT_FILENO, &st) &&
			  (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	return is_pipe && poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLERR | POLLHUP);
}

int out_close(void)
{
	int err = out_flush();

	/* NFS and quotas tell a failed write only here. */
	if (!err && close(STDOUT_FILENO) && errno != EINTR && errno != EBADF)
		err = -errno;
	/* A closed pipe ends us quietly. */
	return err == -EPIPE ? 0 : err;
}
