/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small server of pages that are made when they are asked for, by libmicrohttpd: one thread, the caller's.
 * It only reads: GET and HEAD, no cookies, and nothing that a browser could be made to do for a stranger.
 */
#ifndef TCPFSM_SERVE_HTTP_H
#define TCPFSM_SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "../show/out.h"

struct http;

#define HTTP_EVENTS	"/events"

/* A page: what it is, and its text, which http takes over the memory of. */
struct http_page {
	const char *type;		/* Content-Type */
	struct out_text text;
};

/* What is asked for; "": not in the request. */
struct http_request {
	const char *path, *accept;
	const char *at, *conn;		/* arguments: ?at=...&conn=... */
};

/**
 * http_page_fn - makes the page of a path
 *
 * Return: 0; -ENOENT: there is none: 404; -EINVAL: an argument is wrong: 400; or another negative errno: 503.
 */
typedef int (*http_page_fn)(const struct http_request *q, struct http_page *page, void *arg);

/**
 * http_open() - listen
 * @where: "ADDRESS:PORT", "[ADDRESS]:PORT" or "PORT" (of 127.0.0.1); NULL: the socket that systemd gave
 * @why: what is wrong, a static text; NULL: see the errno
 *
 * Return: 0 or a negative errno; -EINVAL: @where is none of these.
 */
int http_open(struct http **h, const char *where, http_page_fn fn, void *arg, const char **why);
/* Where it listens, as for @where: the port that 0 stands for is known now. */
const char *http_where(const struct http *h);
/* A descriptor that is readable when there is something for http_run(). */
int http_fd(const struct http *h);
/* Answers what has come.  Return: milliseconds after which it has to be called again; -1: none. */
int http_run(struct http *h);
/* Who listens at HTTP_EVENTS now (server-sent events). */
size_t http_streams(const struct http *h);
/* An event for all of them: its data, without line ends, which http takes over the memory of.  Who is slow gets the newest. */
void http_push(struct http *h, struct out_text *text);
void http_close(struct http *h);

#endif /* TCPFSM_SERVE_HTTP_H */
