/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pieces of a line of text for people.  Each writes at p, without a NUL that
 * counts, and returns where the next one goes.
 */
#ifndef TCPFSM_CLI_PUT_H
#define TCPFSM_CLI_PUT_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "digits.h"
#include "tcpfsm.h"

static inline char *put(char *p, const char *s)
{
	size_t len = strlen(s);

	memcpy(p, s, len);
	return p + len;
}

static inline unsigned int count_digits(uint64_t v)
{
	unsigned int n = 1;

	for (; v >= 10000; v /= 10000)
		n += 4;
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

static inline char *put_u64(char *p, uint64_t v)
{
	char *end = p + count_digits(v), *d = end;

	do
		*--d = (char)('0' + v % 10);
	while (v /= 10);
	return end;
}

/* Right-aligned, with leading zeros or blanks. */
static inline char *put_padded(char *p, uint64_t v, unsigned int width, char pad)
{
	unsigned int n = count_digits(v);

	for (; width > n; width--)
		*p++ = pad;
	return put_u64(p, v);
}

/* Columns are blank before they are written: see text_event(). */
static inline char *pad_to(char *p, char *start, size_t width)
{
	return (size_t)(p - start) < width ? start + width : p;
}

/* Names come from processes: nothing of them may reach the terminal's ears. */
static inline char *put_comm(char *p, const char *comm)
{
	for (; *comm; comm++)
		*p++ = *comm > ' ' && *comm < 0x7f ? *comm : '?';
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

/* Three digits are enough for people. */
static inline char *put_duration(char *p, int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000, v, frac;
	const char *unit;

	if (us < 1000)
		return put(put_u64(p, us), "us");
	if (us < 1000000) {
		v = us;
		unit = "ms";
	} else if (us < 1000000000) {
		v = us / 1000;
		unit = "s";
	} else {
		return put(put_u64(p, us / 1000000), "s");
	}
	p = put_u64(p, v / 1000);
	frac = v % 1000;
	if (v < 10000)
		p = put_padded(put(p, "."), frac / 10, 2, '0');
	else if (v < 100000)
		p = put_u64(put(p, "."), frac / 100);
	return put(p, unit);
}

#endif /* TCPFSM_CLI_PUT_H */
