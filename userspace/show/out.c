// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"
#include "source/clock.h"

static bool shows_colours(const struct out *o)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return out_is_terminal(o) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

void out_to_file(struct out *o, int fd)
{
	o->used = 0;
	o->fd = fd;
	o->error = 0;
	o->drawn = false;
	o->pipe = -1;
	o->text = NULL;
	o->colour = shows_colours(o);
}

/* ---- memory ---------------------------------------------------------------------- */

void out_to_text(struct out *o, struct out_text *text)
{
	o->used = 0;
	o->fd = -1;
	o->error = 0;
	o->colour = false;
	o->text = text;
	text->len = 0;
	text->nruns = 0;
	text->nmarks = 0;
}

void out_text_free(struct out_text *text)
{
	free(text->s);
	free(text->run);
	free(text->mark);
	memset(text, 0, sizeof(*text));
}

/* Return: 0 or -ENOMEM: the rest is left out. */
static int keep(struct out_text *text, const char *buf, size_t n)
{
	size_t need = text->len + n + 1;
	char *p = text->s;

	if (need > text->room) {
		p = realloc(p, need + OUT_SIZE);
		if (!p)
			return -ENOMEM;
		text->s = p;
		text->room = need + OUT_SIZE;
	}
	memcpy(p + text->len, buf, n);
	text->len += n;
	p[text->len] = '\0';
	return 0;
}

/* Room for one more of them.  Return: the array, or NULL: then o has the error. */
static void *grow(struct out *o, void *array, size_t n, size_t *room, size_t size)
{
	void *more;

	if (n < *room)
		return array;
	more = realloc(array, (2 * *room + 64) * size);
	if (more)
		*room = 2 * *room + 64;
	else
		o->error = -ENOMEM;
	return more;
}

static void keep_run(struct out *o, enum attr attr)
{
	struct out_text *text = o->text;
	struct out_run *run = grow(o, text->run, text->nruns, &text->runs_room, sizeof(*run));

	if (!run)
		return;
	text->run = run;
	run[text->nruns++] = (struct out_run) { text->len + o->used, attr };
}

void out_mark(struct out *o, const char *fmt, ...)
{
	struct out_text *text = o->text;
	struct out_mark *mark;
	va_list ap;

	mark = text ? grow(o, text->mark, text->nmarks, &text->marks_room, sizeof(*mark)) : NULL;
	if (!mark)
		return;
	text->mark = mark;
	mark += text->nmarks++;
	mark->at = text->len + o->used;
	va_start(ap, fmt);
	/* Half a filter would be another one. */
	if (vsnprintf(mark->filter, sizeof(mark->filter), fmt, ap) >= (int)sizeof(mark->filter))
		*mark->filter = '\0';
	va_end(ap);
}

/* ---- words ----------------------------------------------------------------------- */

int out_flush(struct out *o)
{
	struct pollfd pfd = { .fd = o->fd, .events = POLLOUT };
	size_t done = 0;

	if (o->text && !o->error)
		o->error = keep(o->text, o->buf, o->used);
	while (!o->text && !o->error && done < o->used) {
		ssize_t n = write(o->fd, o->buf + done, o->used - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)	/* somebody made it non-blocking */
			poll(&pfd, 1, -1);
		else if (errno != EINTR)
			o->error = -errno;
	}
	o->used = 0;
	return o->error;
}

static void put_words(struct out *o, const char *fmt, va_list ap)
{
	int n = vsnprintf(out_room(o, 1024), 1024, fmt, ap);

	if (n > 0)
		out_add(o, n < 1024 ? (size_t)n : 1023);
}

void out_printf(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_words(o, fmt, ap);
	va_end(ap);
}

const char *out_escape(enum attr attr)
{
	static const char * const escapes[NATTRS] = {
		[ATTR_PLAIN] = "\033[0m", [ATTR_DIM] = "\033[2m", [ATTR_BOLD] = "\033[1m",
		[ATTR_OPEN] = "\033[32m", [ATTR_CLOSE_HOT] = "\033[33m",
		[ATTR_BAD_HOT] = "\033[31m",
	};

	return escapes[attr] ? escapes[attr] : "";
}

void out_ink(struct out *o, enum attr attr)
{
	if (o->text)
		keep_run(o, attr);
	else if (o->colour)
		out_put(o, out_escape(attr));
}

void out_inked(struct out *o, enum attr attr, const char *fmt, ...)
{
	va_list ap;

	if (attr)
		out_ink(o, attr);
	va_start(ap, fmt);
	put_words(o, fmt, ap);
	va_end(ap);
	if (attr)
		out_ink(o, ATTR_PLAIN);
}

/* ---- JSON ------------------------------------------------------------------------ */

static bool here, recorded;

void out_is_here(void)
{
	here = true;
}

void out_is_recorded(void)
{
	recorded = true;
}

/* Rows by the hundred have the same few, and each name takes some system calls: names are kept for a second. */
#define NAMES		16U

const char *out_netns(uint32_t netns, char name[TCPFSM_CONTAINER_NAME_MAX])
{
	static struct {
		uint64_t asked;
		uint32_t netns;
		char name[TCPFSM_CONTAINER_NAME_MAX];
	} kept[NAMES], *k;
	uint64_t now;

	*name = '\0';
	if (!netns)
		return name;
	if (recorded)
		return tcpfsm_netns_label(netns, name);
	if (!here)
		return name;
	now = monotonic_ns();
	k = &kept[netns % NAMES];
	if (k->netns != netns || now - k->asked > NSEC_PER_SEC) {
		k->netns = netns;
		k->asked = now;
		tcpfsm_netns_label(netns, k->name);
	}
	return strcpy(name, k->name);
}

const char *out_netns_text(uint32_t netns, char text[OUT_NETNS_MAX])
{
	char name[TCPFSM_CONTAINER_NAME_MAX];

	if (*out_netns(netns, name))
		snprintf(text, OUT_NETNS_MAX, "%s (%u)", name, netns);
	else
		snprintf(text, OUT_NETNS_MAX, "%u", netns);
	return text;
}

const char *out_dev(uint32_t netns, uint32_t dev, char name[TCPFSM_DEV_NAME_MAX])
{
	if (here && dev)
		return tcpfsm_dev_name(netns, dev, name);
	snprintf(name, TCPFSM_DEV_NAME_MAX, "%.*u", dev > 0, dev);
	return name;
}

static void write_json(void *to, const char *s, size_t n)
{
	memcpy(out_room(to, n), s, n);
	out_add(to, n);
}

struct json out_json(struct out *o)
{
	return (struct json) { .write = write_json, .to = o };
}

void out_json_bounds(struct json *j)
{
	unsigned int i;

	json_open(j, "histogram_le", '[');
	for (i = 0; i + 1 < TCPFSM_TOTAL_BUCKETS; i++)
		json_number(j, NULL, (1ULL << i) - 1);
	json_null(j, NULL);
	json_close(j, ']');
}

void out_json_closers(struct json *j, const uint64_t n[4])
{
	json_open(j, "closed_first", '{');
	json_number(j, "local", n[TCPFSM_CLOSER_LOCAL]);
	json_number(j, "remote", n[TCPFSM_CLOSER_REMOTE]);
	json_number(j, "both", n[TCPFSM_CLOSER_BOTH]);
	json_number(j, "unknown", n[TCPFSM_CLOSER_NONE]);
	json_close(j, '}');
}

void out_json_begin(struct json *j, const struct json_head *h)
{
	char name[TCPFSM_CONTAINER_NAME_MAX];

	json_begin(j, h);
	if (*out_netns(h->netns, name))
		json_string(j, "netns_name", name);
}

/* What a line ends with that is of that network namespace. */
static uint32_t name_end(uint32_t netns, char *end)
{
	char name[TCPFSM_CONTAINER_NAME_MAX], *p = end;
	const uint8_t *at = (const uint8_t *)name, *stop;

	if (*out_netns(netns, name)) {
		stop = at + strlen(name);
		p = stpcpy(p, ",\"netns_name\":\"");
		while (at < stop)
			p = json_escape(p, &at, (size_t)(stop - at));
		*p++ = '"';
	}
	return (uint32_t)(stpcpy(p, "}\n") - end);
}

size_t out_json_named(char *line, size_t len, uint32_t netns, uint64_t ts)
{
	/* To look the clock up for each line would cost as much as the rest of its name. */
	static struct {
		uint64_t ts;
		uint32_t netns, len;
		char end[OUT_NETNS_JSON_MAX];
	} kept[NAMES], *k;

	if (!len || !netns)
		return len;
	k = &kept[netns % NAMES];
	if (k->netns != netns || !ts || ts - k->ts > NSEC_PER_SEC) {
		k->netns = netns;
		k->ts = ts;
		k->len = name_end(netns, k->end);
	}
	len -= strlen("}\n");
	memcpy(line + len, k->end, k->len);
	return len + k->len;
}

/* ---- files ----------------------------------------------------------------------- */

bool out_is_terminal(const struct out *o)
{
	return isatty(o->fd);
}

bool out_closed(struct out *o)
{
	struct pollfd pfd = { .fd = o->fd };
	struct stat st;

	if (o->pipe < 0)
		o->pipe = !fstat(o->fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	return o->pipe && poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLERR | POLLHUP);
}

int out_close(struct out *o)
{
	int err = out_flush(o);

	/* NFS and quotas tell a failed write only here. */
	if (!err && close(o->fd) && errno != EINTR && errno != EBADF)
		err = -errno;
	/* A closed pipe ends us quietly. */
	return err == -EPIPE ? 0 : err;
}
