// SPDX-License-Identifier: GPL-2.0-only
/* Requests, and who may make them. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "http.h"
#include "number.h"
#include "source/clock.h"

/* Bounds for strangers: connections at a time, all and of one address; bytes of a request; seconds. */
#define CONNECTIONS	64
#define OF_ONE		16
#define REQUEST_BYTES	(16 << 10)
#define PATIENCE_S	10
/* sd_listen_fds(3): the first one. */
#define LISTEN_FD	3
#define NO_PAGE		"there are / and, live, /metrics; a connection's /ladder while it is remembered\n"
#define BAD_ARGUMENT	"at: microseconds since the recording began, none beyond its end; conn: a socket cookie; both are numbers\n"
/* Browsers that are told each second. */
#define STREAMS		8

/*
 * A page is the same for all who ask within so short a time: then it is made once, and those who
 * are slow to take it share it.
 */
#define FRESH_NS	(500 * NSEC_PER_MSEC)
#define KEY_LEN		512

struct kept {
	char key[KEY_LEN];		/* "": empty */
	uint64_t made;			/* CLOCK_MONOTONIC */
	struct MHD_Response *response;
};

/* What was pushed last, as long as somebody sends it. */
struct event {
	struct out_text text;
	unsigned int users;
};

struct stream {
	struct http *h;			/* NULL: free */
	struct MHD_Connection *c;
	struct event *event;		/* it sends this one; NULL: it has sent all */
	size_t at;			/* so much of it, with what stands around */
	uint64_t serial;		/* of the last event it began */
	bool suspended;
};

struct http {
	struct stream stream[STREAMS];
	struct event *event;
	uint64_t serial;
	struct MHD_Daemon *daemon;
	http_page_fn fn;
	void *arg;
	char where[INET6_ADDRSTRLEN + 16];
	struct kept kept[4];		/* by path, Accept and coding */
};

/* ---- who may ask ------------------------------------------------------------------------ */

static const char *header(struct MHD_Connection *c, const char *name)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	return value ? value : "";
}

/* The host of "host:port" or "[v6]:port"; false: it has none, or is too long for one. */
static bool host_of(const char *s, char host[256])
{
	const char *end;

	if (*s == '[') {
		end = strchr(++s, ']');
	} else {
		end = strchr(s, ':');
		if (!end)
			end = s + strlen(s);
	}
	if (!end || end == s || end - s > 255)
		return false;
	snprintf(host, 256, "%.*s", (int)(end - s), s);
	return true;
}

/*
 * A page of somebody else's, whose name is made to lead here (DNS rebinding), has that name as Host: an
 * address, localhost and this machine's own name cannot be given to others.
 */
static bool is_ours(const char *authority)
{
	char host[256], own[256] = "";
	struct in6_addr addr;

	if (!host_of(authority, host))
		return false;
	if (inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1 ||
	    !strcasecmp(host, "localhost"))
		return true;
	return !gethostname(own, sizeof(own) - 1) && *own && !strcasecmp(host, own);
}

static bool may_ask(struct MHD_Connection *c)
{
	const char *origin = header(c, MHD_HTTP_HEADER_ORIGIN), *host = header(c, MHD_HTTP_HEADER_HOST);

	if (!is_ours(host))
		return false;
	if (!*origin)
		return true;
	return (!strncmp(origin, "http://", 7) && !strcmp(origin + 7, host)) ||
	       (!strncmp(origin, "https://", 8) && !strcmp(origin + 8, host));
}

/* ---- answers ---------------------------------------------------------------------------- */

static bool add_headers(struct MHD_Response *r, const char *type)
{
	const char * const headers[][2] = {
		{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		/* A page has a policy of its own in it. */
		{ "Content-Security-Policy", !strncmp(type, "text/html", 9) ? "frame-ancestors 'none'" : "default-src 'none'" },
		{ "Referrer-Policy", "no-referrer" },
		{ MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding" },
	};
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (MHD_add_response_header(r, headers[i][0], headers[i][1]) != MHD_YES)
			return false;
	return MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int status, const char *why)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why,
								 MHD_RESPMEM_PERSISTENT);
	enum MHD_Result sent = MHD_NO;

	if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (r && add_headers(r, "text/plain; charset=utf-8"))
		sent = MHD_queue_response(c, status, r);
	if (r)
		MHD_destroy_response(r);
	return sent;
}

/* Is this coding wanted?  RFC 9110 12.5.3, but a weight is only looked at for being 0. */
static bool accepts(const char *list, const char *coding)
{
	size_t n = strlen(coding);

	while (*list) {
		const char *end = list + strcspn(list, ",");
		const char *word = list + strspn(list, " \t");

		if (!strncasecmp(word, coding, n) && strchr(" \t;,", word[n])) {
			const char *q = memmem(word, (size_t)(end - word), "q=0", 3);

			return !q || (q[3] == '.' && strspn(q + 4, "0") < strspn(q + 4, "0123456789"));
		}
		list = *end ? end + 1 : end;
	}
	return false;
}

/* In place of the text.  False: it stays as it is. */
static bool zip(struct out_text *text)
{
	z_stream z = { .next_in = (Bytef *)text->s, .avail_in = (uInt)text->len };
	char *to;
	uLong room;

	if (text->len > UINT_MAX ||
	    deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	room = deflateBound(&z, (uLong)text->len);
	to = malloc(room);
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)room;
	if (!to || deflate(&z, Z_FINISH) != Z_STREAM_END) {
		free(to);
		deflateEnd(&z);
		return false;
	}
	free(text->s);
	text->s = to;
	text->len = z.total_out;
	deflateEnd(&z);
	return true;
}

/* Return: a page as it is sent, or NULL; *err is why. */
static struct MHD_Response *make(struct http *h, const struct http_request *q, bool zipped, int *err)
{
	struct http_page page = { .type = NULL };
	struct MHD_Response *r = NULL;

	*err = h->fn(q, &page, h->arg);
	if (!*err && page.text.s) {
		zipped = zipped && zip(&page.text);
		r = MHD_create_response_from_buffer(page.text.len, page.text.s, MHD_RESPMEM_MUST_FREE);
	}
	if (r)
		page.text.s = NULL;
	out_text_free(&page.text);
	if (r && (!add_headers(r, page.type) ||
		  (zipped && MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip") != MHD_YES))) {
		MHD_destroy_response(r);
		r = NULL;
	}
	return r;
}

static void drop(struct kept *k)
{
	if (k->response)
		MHD_destroy_response(k->response);
	*k = (struct kept) { .made = 0 };
}

/* The kept page of that key, if it is fresh; else the place of the oldest one, which is empty then. */
static struct kept *find(struct http *h, const char *key)
{
	struct kept *k, *oldest = h->kept;
	uint64_t now = monotonic_ns();

	for (k = h->kept; k < h->kept + sizeof(h->kept) / sizeof(h->kept[0]); k++) {
		if (k->response && now - k->made > FRESH_NS)
			drop(k);
		if (k->response && !strcmp(k->key, key))
			return k;
		if (k->made < oldest->made)
			oldest = k;
	}
	drop(oldest);
	return oldest;
}

/* One with a NUL in it is none that means anything. */
static const char *argument(struct MHD_Connection *c, const char *name)
{
	const char *value = NULL;
	size_t len = 0;

	if (MHD_lookup_connection_value_n(c, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len) != MHD_YES || !value)
		return "";
	return strlen(value) == len ? value : "?";
}

static enum MHD_Result answer(struct http *h, struct MHD_Connection *c, const char *path)
{
	const struct http_request q = {
		.path = path, .accept = header(c, MHD_HTTP_HEADER_ACCEPT), .at = argument(c, "at"), .conn = argument(c, "conn"),
	};
	bool zipped = accepts(header(c, MHD_HTTP_HEADER_ACCEPT_ENCODING), "gzip");
	char key[KEY_LEN];
	struct kept *k;
	int err;

	/* Nobody has to say that much to get a page. */
	if ((size_t)snprintf(key, sizeof(key), "%d %s\n%s\n%s\n%s", zipped, path, q.accept, q.at, q.conn) >= sizeof(key))
		return refuse(c, MHD_HTTP_NOT_FOUND, NO_PAGE);
	k = find(h, key);
	if (!k->response) {
		k->response = make(h, &q, zipped, &err);
		if (!k->response && err == -ENOENT)
			return refuse(c, MHD_HTTP_NOT_FOUND, NO_PAGE);
		if (!k->response && err == -EINVAL)
			return refuse(c, MHD_HTTP_BAD_REQUEST, BAD_ARGUMENT);
		if (!k->response)
			return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the module does not answer; see the log\n");
		memcpy(k->key, key, sizeof(key));
		k->made = monotonic_ns();
	}
	return MHD_queue_response(c, MHD_HTTP_OK, k->response);
}

/* ---- events --------------------------------------------------------------------------------- */

static void put_event(struct event *e)
{
	if (!e || --e->users)
		return;
	out_text_free(&e->text);
	free(e);
}

/* "data: TEXT\n\n".  Return: bytes written to buf; 0 when all of it was. */
static size_t copy_event(struct stream *s, char *buf, size_t max)
{
	static const char head[] = "data: ", tail[] = "\n\n";
	const struct { const char *s; size_t n; } part[] = {
		{ head, sizeof(head) - 1 }, { s->event->text.s, s->event->text.len }, { tail, sizeof(tail) - 1 },
	};
	size_t done = 0, begin = 0, i;

	for (i = 0; i < 3; begin += part[i++].n) {
		size_t from = s->at - begin, n;

		if (s->at >= begin + part[i].n)
			continue;
		n = part[i].n - from < max - done ? part[i].n - from : max - done;
		memcpy(buf + done, part[i].s + from, n);
		done += n;
		s->at += n;
	}
	return done;
}

static ssize_t on_stream(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = arg;
	size_t n = s->event ? copy_event(s, buf, max) : 0;

	(void)pos;
	if (n)
		return (ssize_t)n;
	put_event(s->event);
	s->event = NULL;
	if (s->h->event && s->serial != s->h->serial) {
		s->event = s->h->event;
		s->event->users++;
		s->serial = s->h->serial;
		s->at = 0;
		return (ssize_t)copy_event(s, buf, max);
	}
	s->suspended = true;
	MHD_suspend_connection(s->c);
	return 0;
}

static void end_stream(void *arg)
{
	struct stream *s = arg;

	put_event(s->event);
	*s = (struct stream) { .h = NULL };
}

static enum MHD_Result begin_stream(struct http *h, struct MHD_Connection *c)
{
	struct MHD_Response *r;
	enum MHD_Result sent = MHD_NO;
	struct stream *s = h->stream;

	while (s < h->stream + STREAMS && s->h)
		s++;
	if (s == h->stream + STREAMS)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many browsers look already\n");
	*s = (struct stream) { .h = h, .c = c };
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, OUT_SIZE, on_stream, s, end_stream);
	if (!r) {
		s->h = NULL;
		return MHD_NO;
	}
	if (add_headers(r, "text/event-stream"))
		sent = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return sent;
}

size_t http_streams(const struct http *h)
{
	size_t n = 0, i;

	for (i = 0; i < STREAMS; i++)
		n += h->stream[i].h != NULL;
	return n;
}

static void resume_all(struct http *h)
{
	size_t i;

	for (i = 0; i < STREAMS; i++) {
		if (!h->stream[i].suspended)
			continue;
		h->stream[i].suspended = false;
		MHD_resume_connection(h->stream[i].c);
	}
}

void http_push(struct http *h, struct out_text *text)
{
	struct event *e = calloc(1, sizeof(*e));

	if (!e) {
		out_text_free(text);
		return;
	}
	e->text = *text;
	e->users = 1;
	memset(text, 0, sizeof(*text));
	put_event(h->event);
	h->event = e;
	h->serial++;
	resume_all(h);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *body, size_t *size, void **state)
{
	static char begun;

	(void)version;
	(void)body;
	/* First come the headers only; a body is of no interest. */
	if (!*state || *size) {
		*state = &begun;
		*size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (!may_ask(c))
		return refuse(c, MHD_HTTP_FORBIDDEN,
			      "Host must be an address, localhost or the name of this machine, and Origin the same\n");
	if (!strcmp(url, HTTP_EVENTS) && !strcmp(method, MHD_HTTP_METHOD_GET))
		return begin_stream(arg, c);
	return answer(arg, c, url);
}

/* ---- open and close ----------------------------------------------------------------------- */

/* "ADDRESS:PORT" and its like.  Return: NULL, or what is wrong. */
static const char *parse_where(const char *where, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *v4 = (struct sockaddr_in *)addr;
	const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
	char host[INET6_ADDRSTRLEN] = "127.0.0.1";
	size_t n = colon ? (size_t)(colon - where) : 0;
	uint64_t number;

	if (!parse_number(port, 0, UINT16_MAX, &number))
		return "the port is no number up to 65535";
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (colon && n >= sizeof(host))
		return "not an address";
	if (colon) {
		memcpy(host, where, n);
		host[n] = '\0';
	}
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)number);
		return NULL;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number);
		return NULL;
	}
	return "not an address";
}

/* Return: the listening socket, or a negative errno. */
static int listen_at(const struct sockaddr_storage *addr)
{
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (const struct sockaddr *)addr, len) && !listen(fd, CONNECTIONS))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* sd_listen_fds(3) without its library: one socket, and it is for us.  Return: it, or a negative errno. */
static int given_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !n || !parse_number(pid, 1, INT_MAX, &number) || (pid_t)number != getpid() ||
	    !parse_number(n, 1, 1, &number))
		return -ENOTSOCK;
	return LISTEN_FD;
}

static void name_socket(struct http *h, int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";

	if (!getsockname(fd, (struct sockaddr *)&addr, &len))
		getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(h->where, sizeof(h->where), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int http_open(struct http **out, const char *where, http_page_fn fn, void *arg, const char **why)
{
	struct sockaddr_storage addr;
	struct http *h;
	int fd;

	*out = NULL;
	*why = where ? parse_where(where, &addr) : NULL;
	if (*why)
		return -EINVAL;
	fd = where ? listen_at(&addr) : given_socket();
	if (fd < 0)
		return fd;
	h = calloc(1, sizeof(*h));
	if (h) {
		h->fn = fn;
		h->arg = arg;
		name_socket(h, fd);
		h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
			MHD_OPTION_LISTEN_SOCKET, fd,
			MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
			MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)OF_ONE,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
			MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)PATIENCE_S,
			MHD_OPTION_END);
	}
	if (!h || !h->daemon) {
		free(h);
		close(fd);
		return -ENOMEM;
	}
	*out = h;
	return 0;
}

const char *http_where(const struct http *h)
{
	return h->where;
}

int http_fd(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http_run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
		return -1;
	return ms > 1000 ? 1000 : (int)ms;
}

void http_close(struct http *h)
{
	size_t i;

	if (!h)
		return;
	/* What is suspended cannot be ended. */
	put_event(h->event);
	h->event = NULL;
	resume_all(h);
	MHD_stop_daemon(h->daemon);
	for (i = 0; i < sizeof(h->kept) / sizeof(h->kept[0]); i++)
		drop(&h->kept[i]);
	free(h);
}
