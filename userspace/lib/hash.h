/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_HASH_H
#define TCPFSM_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A place among 1 << bits (1 to 63).  Cookies are handed out in runs: Fibonacci hashing spreads them. */
static inline size_t hash_bits(uint64_t key, unsigned int bits)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

/* Of a key without padding; size: a multiple of 8.  All bits depend on all of the key. */
static inline uint64_t hash_words(const void *key, size_t size)
{
	uint64_t word, h = 0;
	size_t i;

	for (i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, (const char *)key + i, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	return h;
}

#endif /* TCPFSM_LIB_HASH_H */
