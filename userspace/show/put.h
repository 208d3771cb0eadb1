/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pieces of a line of text for people.  Each writes at p, without a NUL that
 * counts, and returns where the next one goes.
 */
#ifndef TCPFSM_SHOW_PUT_H
#define TCPFSM_SHOW_PUT_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "digits.h"
#include "tcpfsm.h"

/* As ps has it: the last column of a name that goes on. */
#define CUT	'+'

static inline char *put(char *p, const char *s)
{
	size_t len = strlen(s);

	memcpy(p, s, len);
	return p + len;
}

/* What is short, mostly, and of any length. */
static inline char *put_few(char *p, const char *s, size_t n)
{
	if (n >= 8 && n <= 16) {
		memcpy(p, s, 8);
		memcpy(p + n - 8, s + n - 8, 8);
	} else if (n >= 4 && n < 8) {
		memcpy(p, s, 4);
		memcpy(p + n - 4, s + n - 4, 4);
	} else {
		memcpy(p, s, n);
	}
	return p + n;
}

/* With its length: it is copied whole, which may be more than counts. */
struct short_word {
	char s[15];
	uint8_t len;
};

#define SHORT(s)	{ s, sizeof(s) - 1 }

static inline char *put_short(char *p, const struct short_word *w)
{
	memcpy(p, w->s, sizeof(w->s));
	return p + w->len;
}

static inline const struct short_word *state_word(unsigned int state)
{
#define STATE_WORD(name, value, words)	[value] = SHORT(words),
	static const struct short_word words[] = { SHORT("?"), TCPFSM_STATES(STATE_WORD) };
#undef STATE_WORD

	return &words[state < sizeof(words) / sizeof(words[0]) ? state : 0];
}

static inline unsigned int count_digits(uint64_t v)
{
	unsigned int n = 1;

	for (; v >= 10000; v /= 10000)
		n += 4;
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Right-aligned, with leading zeros or blanks. */
static inline char *put_padded(char *p, uint64_t v, unsigned int width, char pad)
{
	unsigned int n = count_digits(v);

	for (; width > n; width--)
		*p++ = pad;
	return put_u64(p, v);
}

/* Right-aligned in five columns. */
static inline char *put_port(char *p, uint16_t port)
{
	memcpy(p, "    ", 4);
	return put_u32(p + (port < 10000) + (port < 1000) + (port < 100) + (port < 10), port);
}

/* Columns are blank before they are written, but for what digits.h wrote too much. */
static inline char *pad_to(char *p, char *start, size_t width)
{
	memcpy(p, "   ", 3);
	return (size_t)(p - start) < width ? start + width : p;
}

/* Names come from processes: nothing of them may reach the terminal's ears. */
static inline char *put_comm(char *p, const char *comm)
{
	unsigned char c;

	while ((c = (unsigned char)*comm++))
		*p++ = (unsigned char)(c - '!') < 0x7f - '!' ? (char)c : '?';
	return p;
}

static inline char *put_address(char *p, const struct tcpfsm_record *r, const uint8_t *addr,
			 uint16_t port)
{
	if (r->family == 6) {
		*p++ = '[';
		inet_ntop(AF_INET6, addr, p, INET6_ADDRSTRLEN);
		p += strlen(p);
		*p++ = ']';
	} else {
		p = put_ipv4(p, addr);
	}
	*p++ = ':';
	return put_u64(p, port);
}

/* The same as ss has it, with the device that the local end is bound to: name or number; "": none. */
static inline char *put_bound(char *p, const struct tcpfsm_record *r, const uint8_t *addr,
			      uint16_t port, const char *dev)
{
	p = put_address(p, r, addr, 0) - 2 - (r->family == 6);
	if (*dev)
		p = put(put(p, "%"), dev);
	p = put(p, r->family == 6 ? "]:" : ":");
	return put_u64(p, port);
}

/* fe80::/10: it means nothing without its link. */
static inline bool is_link_local(unsigned int family, const uint8_t *addr)
{
	return family == 6 && addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* Three digits of a number of thousandths, and a unit: "1.23ms" "12.3ms" "123ms". */
static inline char *put_thousandths(char *p, uint32_t v)
{
	const char *d;

	if (v >= 100000)
		return put_first(p, v / 1000);
	if (v >= 10000) {
		d = triples[v / 100].padded;
		memcpy(p, d, 2);
		p[2] = '.';
		p[3] = d[2];
	} else {
		d = triples[v / 10].padded;
		p[0] = d[0];
		p[1] = '.';
		memcpy(p + 2, d + 1, 2);
	}
	return p + 4;
}

/* Three digits are enough for people.  At most 6 columns below 28 hours. */
static inline char *put_duration(char *p, int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000;

	if (us < 1000) {
		p = put_first(p, (uint32_t)us);
		memcpy(p, "us", 2);
		return p + 2;
	}
	if (us < 1000000) {
		p = put_thousandths(p, (uint32_t)us);
		memcpy(p, "ms", 2);
		return p + 2;
	}
	if (us < 1000000000)
		p = put_thousandths(p, (uint32_t)(us / 1000));
	else
		p = put_u64(p, us / 1000000);
	*p = 's';
	return p + 1;
}

#endif /* TCPFSM_SHOW_PUT_H */
