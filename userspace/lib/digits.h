/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Digits from tables, three at a time, for the lines of JSON and of text.
 * Everything may write up to 3 bytes more than it counts.
 */
#ifndef TCPFSM_LIB_DIGITS_H
#define TCPFSM_LIB_DIGITS_H

#include <stdint.h>
#include <string.h>

/* The numbers below 1000, with and without leading zeros. */
struct triple {
	char padded[4];
	char s[3];
	uint8_t len;
};

#define DIGIT(d)	(char)('0' + (d))
#define TRIPLE(h, t, u)							\
	{								\
		{ DIGIT(h), DIGIT(t), DIGIT(u) },			\
		{ (h) ? DIGIT(h) : (t) ? DIGIT(t) : DIGIT(u),		\
		  (h) ? DIGIT(t) : (t) ? DIGIT(u) : 0, (h) ? DIGIT(u) : 0 }, \
		(h) ? 3 : (t) ? 2 : 1					\
	},
#define TENS(h, t) \
	TRIPLE(h, t, 0) TRIPLE(h, t, 1) TRIPLE(h, t, 2) TRIPLE(h, t, 3) TRIPLE(h, t, 4) \
	TRIPLE(h, t, 5) TRIPLE(h, t, 6) TRIPLE(h, t, 7) TRIPLE(h, t, 8) TRIPLE(h, t, 9)
#define HUNDREDS(h) \
	TENS(h, 0) TENS(h, 1) TENS(h, 2) TENS(h, 3) TENS(h, 4) \
	TENS(h, 5) TENS(h, 6) TENS(h, 7) TENS(h, 8) TENS(h, 9)

static const struct triple triples[1000] = {
	HUNDREDS(0) HUNDREDS(1) HUNDREDS(2) HUNDREDS(3) HUNDREDS(4)
	HUNDREDS(5) HUNDREDS(6) HUNDREDS(7) HUNDREDS(8) HUNDREDS(9)
};

/* Three more digits. */
static inline char *put_more(char *p, uint32_t v)
{
	memcpy(p, triples[v].padded, 4);
	return p + 3;
}

/* The first digits, v < 1000. */
static inline char *put_first(char *p, uint32_t v)
{
	memcpy(p, triples[v].s, 4);
	return p + triples[v].len;
}

static inline char *put_more9(char *p, uint32_t v)
{
	uint32_t thousands = v / 1000, millions = v / 1000000;

	p = put_more(p, millions);
	p = put_more(p, thousands - 1000 * millions);
	return put_more(p, v - 1000 * thousands);
}

static inline char *put_u32(char *p, uint32_t v)
{
	uint32_t thousands, millions, billions;

	if (v < 1000)
		return put_first(p, v);
	thousands = v / 1000;
	v -= 1000 * thousands;
	if (thousands < 1000) {
		p = put_first(p, thousands);
		return put_more(p, v);
	}
	millions = thousands / 1000;
	thousands -= 1000 * millions;
	if (millions < 1000) {
		p = put_first(p, millions);
	} else {
		billions = millions / 1000;
		*p = DIGIT(billions);
		p = put_more(p + 1, millions - 1000 * billions);
	}
	p = put_more(p, thousands);
	return put_more(p, v);
}

static inline char *put_u64(char *p, uint64_t v)
{
	uint64_t high;

	if (v <= UINT32_MAX)
		return put_u32(p, (uint32_t)v);
	high = v / 1000000000;
	if (high <= UINT32_MAX) {
		p = put_u32(p, (uint32_t)high);
	} else {
		p = put_u32(p, (uint32_t)(high / 1000000000));
		p = put_more9(p, (uint32_t)(high % 1000000000));
	}
	return put_more9(p, (uint32_t)(v % 1000000000));
}

struct octet {
	char s[7];
	uint8_t len;			/* dot included */
};

#define OCTET(n)	{ #n ".", sizeof(#n) },
#define OCTETS(t) \
	OCTET(t##0) OCTET(t##1) OCTET(t##2) OCTET(t##3) OCTET(t##4) \
	OCTET(t##5) OCTET(t##6) OCTET(t##7) OCTET(t##8) OCTET(t##9)

static const struct octet octets[256] = {
	OCTETS() OCTETS(1) OCTETS(2) OCTETS(3) OCTETS(4) OCTETS(5) OCTETS(6)
	OCTETS(7) OCTETS(8) OCTETS(9) OCTETS(10) OCTETS(11) OCTETS(12)
	OCTETS(13) OCTETS(14) OCTETS(15) OCTETS(16) OCTETS(17) OCTETS(18)
	OCTETS(19) OCTETS(20) OCTETS(21) OCTETS(22) OCTETS(23) OCTETS(24)
	OCTET(250) OCTET(251) OCTET(252) OCTET(253) OCTET(254) OCTET(255)
};

static inline char *put_octet(char *p, uint8_t n)
{
	memcpy(p, octets[n].s, 4);
	return p + octets[n].len;
}

static inline char *put_ipv4(char *p, const uint8_t *addr)
{
	p = put_octet(p, addr[0]);
	p = put_octet(p, addr[1]);
	p = put_octet(p, addr[2]);
	return put_octet(p, addr[3]) - 1;
}

#endif /* TCPFSM_LIB_DIGITS_H */
