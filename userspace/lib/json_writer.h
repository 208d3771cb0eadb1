/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * JSON, a key and a value at a time, to wherever: with the commas where they belong, and with
 * text of others made harmless.  key: NULL in an array.  For what comes a few times a second;
 * lines of events are made in json.c, which says why.
 */
#ifndef TCPFSM_LIB_JSON_WRITER_H
#define TCPFSM_LIB_JSON_WRITER_H

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "utf8.h"

/* The longest character that json_escape() makes. */
#define JSON_ESCAPED	6

struct json {
	void (*write)(void *to, const char *s, size_t n);
	void *to;
	bool more;			/* a comma comes before what is next */
};

/*
 * The character at *s, of n bytes at most, as it may stand in a string; *s moves on.  What is
 * no UTF-8 is U+FFFD, a byte at a time.
 */
static inline char *json_escape(char *p, const uint8_t **s, size_t n)
{
	uint32_t ch = 0;
	unsigned int len = utf8(*s, n, &ch);
	int shift;

	if (len == 1 && (ch == '"' || ch == '\\')) {
		*p++ = '\\';
		*p++ = (char)ch;
	} else if (!len || ch < ' ' || (ch >= 0x7f && ch < 0xa0)) {
		*p++ = '\\';
		*p++ = 'u';
		for (shift = 12; shift >= 0; shift -= 4)
			*p++ = "0123456789abcdef"[(len ? ch : 0xfffd) >> shift & 15];
	} else {
		memcpy(p, *s, len);
		p += len;
	}
	*s += len ? len : 1;
	return p;
}

static inline void json_raw(const struct json *j, const char *s)
{
	j->write(j->to, s, strlen(s));
}

static inline void json_quoted(const struct json *j, const char *s, size_t left)
{
	const uint8_t *at = (const uint8_t *)s;
	char buf[256], *p = buf;

	*p++ = '"';
	while (left) {
		const uint8_t *before = at;

		p = json_escape(p, &at, left);
		left -= (size_t)(at - before);
		if (p > buf + sizeof(buf) - JSON_ESCAPED - 1) {
			j->write(j->to, buf, (size_t)(p - buf));
			p = buf;
		}
	}
	*p++ = '"';
	j->write(j->to, buf, (size_t)(p - buf));
}

/* What a value begins with. */
static inline void json_key(struct json *j, const char *key)
{
	if (j->more)
		json_raw(j, ",");
	j->more = true;
	if (key) {
		json_quoted(j, key, strlen(key));
		json_raw(j, ":");
	}
}

static inline void json_value(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_raw(j, text);
}

/* open: '{' or '['. */
static inline void json_open(struct json *j, const char *key, char open)
{
	json_key(j, key);
	j->write(j->to, &open, 1);
	j->more = false;
}

static inline void json_close(struct json *j, char close)
{
	j->write(j->to, &close, 1);
	j->more = true;
}

/* Of an object that is a line. */
static inline void json_end(struct json *j)
{
	json_raw(j, "}\n");
	j->more = false;
}

static inline void json_string(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_quoted(j, s, strlen(s));
}

static inline void json_number(struct json *j, const char *key, uint64_t value)
{
	char buf[24];

	*put_u64(buf, value) = '\0';
	json_value(j, key, buf);
}

/* A magnitude that is taken away: "-0", too. */
static inline void json_minus(struct json *j, const char *key, uint64_t value)
{
	char buf[24] = "-";

	*put_u64(buf + 1, value) = '\0';
	json_value(j, key, buf);
}

static inline void json_signed(struct json *j, const char *key, int64_t value)
{
	if (value < 0)
		json_minus(j, key, -(uint64_t)value);
	else
		json_number(j, key, (uint64_t)value);
}

static inline void json_bool(struct json *j, const char *key, bool value)
{
	json_value(j, key, value ? "true" : "false");
}

static inline void json_null(struct json *j, const char *key)
{
	json_value(j, key, "null");
}

/* 0: none, null. */
static inline void json_time(struct json *j, const char *key, uint64_t ts)
{
	if (ts)
		json_number(j, key, ts);
	else
		json_null(j, key);
}

/* Three decimals. */
static inline void json_decimal(struct json *j, const char *key, double value)
{
	char buf[512];

	snprintf(buf, sizeof(buf), "%.3f", value);
	json_value(j, key, buf);
}

/* Nanoseconds as milliseconds, cut off behind microseconds. */
static inline void json_ms(struct json *j, const char *key, uint64_t ns)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%" PRIu64 ".%03" PRIu64, ns / 1000000, ns / 1000 % 1000);
	json_value(j, key, buf);
}

/* Keys of its number and its name, with a prefix; not known: null. */
static inline void json_process(struct json *j, bool known, uint32_t pid, const char comm[17],
				const char *prefix)
{
	char key[32];

	snprintf(key, sizeof(key), "%spid", prefix);
	if (known)
		json_number(j, key, pid);
	else
		json_null(j, key);
	snprintf(key, sizeof(key), "%scomm", prefix);
	json_key(j, key);
	if (known)
		json_quoted(j, comm, strnlen(comm, 16));
	else
		json_raw(j, "null");
}

/* family: 4, 6 or, without an address, 0.  addr: NULL: that of nobody. */
static inline void json_address(struct json *j, const char *key, unsigned int family,
				const uint8_t *addr)
{
	static const uint8_t nobody[16];
	char text[INET6_ADDRSTRLEN] = "";

	if (family)
		inet_ntop(family == 6 ? AF_INET6 : AF_INET, addr ? addr : nobody, text, sizeof(text));
	json_string(j, key, text);
}

struct json_head {
	uint64_t ts;
	const char *event;
	uint64_t conn;
	uint32_t netns;
	unsigned int family;
	const uint8_t *laddr, *raddr;
	uint16_t lport, rport;
};

/* "{" and the keys that every object of a line has; ts_ms is for jq 1.6, which rounds ts. */
static inline void json_begin(struct json *j, const struct json_head *h)
{
	json_open(j, NULL, '{');
	json_number(j, "ts", h->ts);
	json_string(j, "event", h->event);
	json_number(j, "conn", h->conn);
	json_number(j, "netns", h->netns);
	json_number(j, "family", h->family);
	json_address(j, "laddr", h->family, h->laddr);
	json_number(j, "lport", h->lport);
	json_address(j, "raddr", h->family, h->raddr);
	json_number(j, "rport", h->rport);
	json_number(j, "cpu", 0);
	json_ms(j, "ts_ms", h->ts);
}

#endif /* TCPFSM_LIB_JSON_WRITER_H */
