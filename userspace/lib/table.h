/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * The hash table: entries of one size in one piece of memory, chained by their numbers.
 *
 * A number stays with its entry while the memory grows and moves.  0 is no entry's: it and
 * others may be reserved, for the heads of lists that a user makes of numbers.  Each user has
 * one constant struct table_type, so that the compiler makes code for it alone.
 *
 * Where many entries can have one hash, each knows the one before it, too: then to delete it is
 * no walk of the chain.
 *
 * Entries are found among those of the same chain, the newest first:
 *
 *	for (e = table_first(t, &type, hash); e && e->key != key; e = table_next(t, &type, e))
 *		;
 */
#ifndef TCPFSM_LIB_TABLE_H
#define TCPFSM_LIB_TABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TABLE_BITS_MAX	30

struct table {
	void *slab;			/* cap entries; NULL: not made */
	uint32_t *head;			/* 1 << bits chains */
	uint64_t seed;
	uint32_t bits;
	uint32_t free;			/* number of one that was deleted; 0: none */
	uint32_t end;			/* beyond the largest number that was in use */
	uint32_t cap;
	uint32_t n, max;		/* in chains */
};

struct table_type {
	uint32_t size;			/* of an entry */
	uint32_t link;			/* offset of a uint32_t: the next of the chain, or free one */
	uint32_t back;			/* of another one: the one before it; 0: none is kept */
	uint32_t reserved;		/* numbers, 1 at least */
	uint64_t (*hash)(const struct table *t, const void *entry);
};

/* A place among 1 << bits.  Cookies are handed out in runs: Fibonacci hashing spreads them. */
static inline size_t hash_bits(uint64_t hash, unsigned int bits)
{
	return (size_t)((hash * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

/*
 * Of a key without padding; size: a multiple of 8.  All bits depend on all of the key, and on
 * the seed: who chooses addresses and ports cannot choose the chain.
 */
static inline uint64_t hash_words(const void *key, size_t size, uint64_t seed)
{
	uint64_t word, h = seed;
	size_t i;

	for (i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, (const char *)key + i, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h = (h ^ h >> 32) * (seed | 1);
		h ^= h >> 29;
	}
	return h;
}

/* By number. */
static inline void *table_at(const struct table *t, const struct table_type *type, uint32_t i)
{
	return (char *)t->slab + (size_t)i * type->size;
}

static inline uint32_t table_number(const struct table *t, const struct table_type *type,
				    const void *entry)
{
	return (uint32_t)((size_t)((const char *)entry - (const char *)t->slab) / type->size);
}

static inline uint32_t *table_link(const struct table *t, const struct table_type *type, uint32_t i)
{
	return (uint32_t *)((char *)table_at(t, type, i) + type->link);
}

/* Before entry i there is this one now; 0: it is the first. */
static inline void table_set_back(const struct table *t, const struct table_type *type, uint32_t i, uint32_t to)
{
	if (type->back && i)
		*(uint32_t *)((char *)table_at(t, type, i) + type->back) = to;
}

/*
 * room: entries there is memory for at once; max: how many there can be.  It is empty, its
 * reserved entries are zero.  Return: 0 or -ENOMEM.
 */
static inline int table_init(struct table *t, const struct table_type *type, size_t room, size_t max)
{
	const size_t most = (1U << TABLE_BITS_MAX) - type->reserved;

	memset(t, 0, sizeof(*t));
	t->max = (uint32_t)(max < most ? max : most);
	t->cap = (uint32_t)(room < t->max ? room : t->max) + type->reserved;
	t->end = type->reserved;
	for (t->bits = 4; (size_t)1 << t->bits < t->cap - type->reserved; t->bits++)
		;
	t->slab = malloc((size_t)t->cap * type->size);
	t->head = malloc(sizeof(*t->head) << t->bits);
	if (!t->slab || !t->head) {
		free(t->slab);
		free(t->head);
		memset(t, 0, sizeof(*t));
		return -ENOMEM;
	}
	/* Not a page has to be had while records wait. */
	memset(t->slab, 0, (size_t)t->cap * type->size);
	memset(t->head, 0, sizeof(*t->head) << t->bits);
	return 0;
}

/* Before the first entry, where a peer has a say in the keys.  Without random numbers: as well as may be. */
static inline void table_seed(struct table *t)
{
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed = (uint64_t)(uintptr_t)t->slab;
}

static inline void table_exit(struct table *t)
{
	free(t->slab);
	free(t->head);
	memset(t, 0, sizeof(*t));
}

static inline void *table_first(const struct table *t, const struct table_type *type, uint64_t hash)
{
	uint32_t i = t->head[hash_bits(hash, t->bits)];

	return i ? table_at(t, type, i) : NULL;
}

static inline void *table_next(const struct table *t, const struct table_type *type,
			       const void *entry)
{
	uint32_t i = *(const uint32_t *)((const char *)entry + type->link);

	return i ? table_at(t, type, i) : NULL;
}

/* By half: a million must not take the room of two. */
static inline bool table_grow(struct table *t, const struct table_type *type)
{
	size_t most = (size_t)t->max + type->reserved, cap = (size_t)t->cap + t->cap / 2 + 1;
	void *slab;

	if (cap > most)
		cap = most;
	if (cap <= t->cap)
		return false;
	slab = realloc(t->slab, cap * type->size);
	if (!slab)
		return false;
	t->slab = slab;
	t->cap = (uint32_t)cap;
	return true;
}

/* Each chain becomes two, in the same order. */
static inline void table_split(struct table *t, const struct table_type *type)
{
	uint32_t *head = malloc(sizeof(*head) << (t->bits + 1)), i, chain;

	if (!head)
		return;			/* longer chains, then */
	for (chain = 0; chain < 1U << t->bits; chain++) {
		uint32_t *end[2] = { &head[2 * chain], &head[2 * chain + 1] }, last[2] = { 0, 0 };

		for (i = t->head[chain]; i; i = *table_link(t, type, i)) {
			uint64_t hash = type->hash(t, table_at(t, type, i));
			unsigned int side = hash_bits(hash, t->bits + 1) & 1;

			*end[side] = i;
			table_set_back(t, type, i, last[side]);
			last[side] = i;
			end[side] = table_link(t, type, i);
		}
		*end[0] = *end[1] = 0;
	}
	free(t->head);
	t->head = head;
	t->bits++;
}

/*
 * A new entry, all zero but for its link; others may move in memory.  The caller sets its key.
 * NULL: there are as many as there can be, or no memory.
 */
static inline void *table_add(struct table *t, const struct table_type *type, uint64_t hash)
{
	uint32_t i = t->free, *head;

	if (t->n >= t->max)
		return NULL;
	if (i)
		t->free = *table_link(t, type, i);
	else if (t->end < t->cap || table_grow(t, type))
		i = t->end++;
	else
		return NULL;
	if (t->n >= 1U << t->bits && t->bits < TABLE_BITS_MAX)
		table_split(t, type);
	t->n++;
	memset(table_at(t, type, i), 0, type->size);
	head = &t->head[hash_bits(hash, t->bits)];
	*table_link(t, type, i) = *head;
	table_set_back(t, type, *head, i);
	*head = i;
	return table_at(t, type, i);
}

/* What the entry has stays, but for its link: who goes from number to number has to mark it. */
static inline void table_del(struct table *t, const struct table_type *type, uint64_t hash,
			     const void *entry)
{
	uint32_t i = table_number(t, type, entry), *link = &t->head[hash_bits(hash, t->bits)];
	uint32_t back = type->back ? *(const uint32_t *)((const char *)entry + type->back) : 0;

	if (back)
		link = table_link(t, type, back);
	while (*link != i)
		link = table_link(t, type, *link);
	*link = *table_link(t, type, i);
	table_set_back(t, type, *link, back);
	*table_link(t, type, i) = t->free;
	t->free = i;
	t->n--;
}

#endif /* TCPFSM_LIB_TABLE_H */
