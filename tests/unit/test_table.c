// SPDX-License-Identifier: GPL-2.0-only
/* The hash table: what is added is found until it is deleted, in bounded memory. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "../../userspace/lib/table.h"

struct thing {
	uint64_t key;
	uint32_t link, value, back;
};

static uint64_t hash(const struct table *t, const void *entry)
{
	return hash_words(&((const struct thing *)entry)->key, sizeof(uint64_t), t->seed);
}

static struct table_type type = {
	.size = sizeof(struct thing), .link = offsetof(struct thing, link), .reserved = 2, .hash = hash,
};

static uint64_t hash_key(const struct table *t, uint64_t key)
{
	return hash_words(&key, sizeof(key), t->seed);
}

static struct thing *find(const struct table *t, uint64_t key)
{
	struct thing *e = table_first(t, &type, hash_key(t, key));

	while (e && e->key != key)
		e = table_next(t, &type, e);
	return e;
}

static struct thing *add(struct table *t, uint64_t key, uint32_t value)
{
	struct thing *e = table_add(t, &type, hash_key(t, key));

	if (e) {
		e->key = key;
		e->value = value;
	}
	return e;
}

static void test_grows(void)
{
	uint32_t i, wrong = 0;
	struct table t;

	CHECK_EQ(table_init(&t, &type, 4, 100000), 0);
	table_seed(&t);
	for (i = 0; i < 100000; i++) {
		struct thing *e = add(&t, i, ~i);

		wrong += !e || table_number(&t, &type, e) != i + type.reserved;
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(t.n, 100000);
	CHECK(t.cap <= 100000 + type.reserved);
	CHECK_EQ(t.bits, 17);
	for (i = 0; i < 100000; i++)
		wrong += !find(&t, i) || find(&t, i)->value != ~i;
	CHECK_EQ(wrong, 0);
	CHECK(!find(&t, 100000));
	/* There is no place for another one, and no harm in asking. */
	CHECK(!add(&t, 100000, 0));
	CHECK_EQ(t.n, 100000);
	table_exit(&t);
}

/* Numbers are given out again; others keep theirs. */
static void test_deletes(void)
{
	uint32_t i, wrong = 0;
	struct table t;

	CHECK_EQ(table_init(&t, &type, 16, 1000), 0);
	table_seed(&t);
	for (i = 0; i < 1000; i++)
		add(&t, i, i);
	for (i = 0; i < 1000; i += 2)
		table_del(&t, &type, hash_key(&t, i), find(&t, i));
	CHECK_EQ(t.n, 500);
	for (i = 0; i < 1000; i++)
		wrong += !find(&t, i) != !(i % 2);
	CHECK_EQ(wrong, 0);
	for (i = 0; i < 500; i++)
		wrong += !add(&t, 5000 + i, i);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(t.end, 1000 + type.reserved);
	CHECK(!add(&t, 6000, 0));
	for (i = 1; i < 1000; i += 2)
		wrong += find(&t, i)->value != i;
	CHECK_EQ(wrong, 0);
	table_exit(&t);
}

/* Of one chain, in any order. */
static void test_one_chain(void)
{
	uint32_t i, wrong = 0, left[3000];
	const struct thing *e;
	struct table t;

	CHECK_EQ(table_init(&t, &type, 16, 3000), 0);
	for (i = 0; i < 3000; i++) {
		add(&t, 7, i);
		left[i] = i + type.reserved;
	}
	for (i = 3000; i > 1000; i--) {
		uint32_t k = (uint32_t)rand() % i;

		table_del(&t, &type, hash_key(&t, 7), table_at(&t, &type, left[k]));
		left[k] = left[i - 1];
	}
	for (e = table_first(&t, &type, hash_key(&t, 7)); e; e = table_next(&t, &type, e), i--)
		wrong += table_next(&t, &type, e) && ((struct thing *)table_next(&t, &type, e))->value >= e->value;
	CHECK_EQ(wrong, 0);
	CHECK_EQ(i, 0);
	table_exit(&t);
}

/* Those of the same key are found in one order, however often the table has grown. */
static void test_newest_first(void)
{
	const struct thing *e;
	uint32_t i, last = 8;
	struct table t;

	CHECK_EQ(table_init(&t, &type, 1, 100000), 0);
	table_seed(&t);
	for (i = 0; i < 8; i++) {
		uint32_t k;

		add(&t, 7, i);
		for (k = 0; k < 1000; k++)
			add(&t, 1000 * (i + 1) + k, 0);
	}
	for (e = table_first(&t, &type, hash_key(&t, 7)); e; e = table_next(&t, &type, e)) {
		if (e->key != 7)
			continue;
		CHECK_EQ(e->value, last - 1);
		last = e->value;
	}
	CHECK_EQ(last, 0);
	table_exit(&t);
}

/*
 * Who knows the constants, but not the seed: a difference in the highest bit of a word goes
 * through a multiplication as it is, and another one in the next word would take it back.
 */
static void test_seed(void)
{
	unsigned int same = 0, i;

	for (i = 0; i < 1000; i++) {
		uint64_t seed = (i + 1) * 0xd1342543de82ef95ULL, bit;
		uint64_t a[3] = { 1, 2, 3 };

		for (bit = 0; bit < 64; bit++) {
			uint64_t b[3] = { 1 ^ 1ULL << 63, 2 ^ 1ULL << 63 ^ 1ULL << bit, 3 };

			same += hash_words(a, sizeof(a), seed) == hash_words(b, sizeof(b), seed);
		}
	}
	CHECK_EQ(same, 0);
}

int main(void)
{
	TEST("table: grows up to its limit", test_grows());
	TEST("table: deletes", test_deletes());
	TEST("table: of the same key, the newest first", test_newest_first());
	TEST("table: deletes from one chain", test_one_chain());
	type.back = offsetof(struct thing, back);
	TEST("table: those before, too: deletes", test_deletes());
	TEST("table: those before, too: of the same key, the newest first", test_newest_first());
	TEST("table: those before, too: deletes from one chain", test_one_chain());
	TEST("table: a seed that cannot be got round", test_seed());
	return check_done();
}
