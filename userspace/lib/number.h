/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* Numbers that people type. */
#ifndef TCPFSM_LIB_NUMBER_H
#define TCPFSM_LIB_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number; *end is behind it. */
static inline bool parse_u64(const char *s, const char **end, uint64_t min, uint64_t max,
			     uint64_t *value)
{
	uint64_t v = 0;
	const char *p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		unsigned int d = (unsigned int)(*p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*end = p;
	*value = v;
	return p != s && v >= min && v <= max;
}

/* The same, and nothing behind it. */
static inline bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *value)
{
	const char *end;

	return parse_u64(s, &end, min, max, value) && !*end;
}

#endif /* TCPFSM_LIB_NUMBER_H */
