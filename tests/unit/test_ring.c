// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader's half of the ring protocol and the live merge, against a writer
 * in user space.  Every record says in all its words which one it is, so a
 * torn one gives itself away.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/device.h"
#include "../../userspace/lib/source/source.h"

#define SLOTS	64
#define MARGIN	(SLOTS / 8)
#define WORDS	(sizeof(struct tcpfsm_record) / sizeof(ring_word))

static uint64_t random_state = 88172645463325252ULL;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return x;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t rnd(uint32_t below)
{
	return (uint32_t)(next_random(&random_state) >> 33) % below;
}

static uint64_t word_of(uint64_t seq, size_t i)
{
	return i == 1 ? seq * 10 : mix(seq * WORDS + i);
}

static void fill(ring_word *slot, uint64_t seq)
{
	size_t i;

	for (i = 1; i < WORDS; i++)
		store_relaxed(&slot[i], word_of(seq, i));
}

static void put(struct ring_writer *w)
{
	ring_word *slot = writer_begin(w);

	fill(slot, w->pos + 1);
	writer_end(w, slot);
}

static void put_n(struct ring_writer *w, unsigned int n)
{
	while (n--)
		put(w);
}

/* Is it whole, and the one that its seq says? */
static bool whole(const struct tcpfsm_record *rec)
{
	const ring_word *word = (const ring_word *)(const void *)rec;
	size_t i;

	for (i = 1; i < WORDS; i++)
		if (word[i] != word_of(rec->seq, i))
			return false;
	return true;
}

/* Takes all there is, checks it, returns how many came; *lost grows by the gaps. */
static uint64_t take(struct ring_reader *r, size_t max, uint64_t *lost)
{
	struct tcpfsm_record buf[2 * SLOTS];
	uint64_t got = 0;
	size_t n, i;

	while ((n = ring_copy(r, buf, sizeof(buf[0]), max))) {
		uint64_t gap = ring_take_gap(r);

		*lost += gap;
		if (gap && ring_delivered(r) > n)
			CHECK(r->gap_from < buf[0].ts);
		for (i = 0; i < n; i++) {
			CHECK_EQ(buf[i].seq, r->cursor - n + 1 + i);
			CHECK(whole(&buf[i]));
		}
		CHECK_EQ(r->last_ts, buf[n - 1].ts);
		got += n;
		if (!ring_behind(r))
			break;
	}
	CHECK_EQ(r->lost, *lost + r->gap);
	CHECK_EQ(ring_delivered(r) + r->lost, r->cursor - r->start);
	return got;
}

/* ---- edges, one thread ------------------------------------------------------ */

static void test_geometry(void)
{
	static const uint32_t bad[] = { 0, 1, 3, 63, 65, 8191, 1U << 25, 1U << 31, ~0U };
	struct tcpfsm_info good = {
		.size = sizeof(good), .abi = TCPFSM_ABI_VERSION,
		.record_size = sizeof(struct tcpfsm_record), .slots = 8192, .rings = 4,
		.ring_bytes = 4096 + 8192 * 128, .ring_stride = 4096 + 8192 * 128,
	}, info;
	struct ring_writer w;
	struct ring_reader r;
	size_t i;

	writer_init(&w, SLOTS, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(ring_attach(&r, w.hdr, w.slots, bad[i], 0, false), -EPROTO);
		info = good;
		info.slots = bad[i];
		CHECK_EQ(device_check_info(&info, 4096), -EPROTO);
	}
	writer_free(&w);

	CHECK_EQ(device_check_info(&good, 4096), 0);
#define BAD(field, value) do {						\
	info = good;							\
	info.field = value;						\
	CHECK_EQ(device_check_info(&info, 4096), -EPROTO);		\
} while (0)
	BAD(abi, TCPFSM_ABI_VERSION + 1);
	BAD(size, offsetof(struct tcpfsm_info, made) - 4);
	BAD(record_size, 64);
	BAD(record_size, 256);
	BAD(rings, 0);
	BAD(rings, ~0U);
	BAD(slots, 16384);
	BAD(ring_bytes, 0);
	BAD(ring_bytes, 8192 * 128);
	BAD(ring_bytes, good.ring_bytes + 128);
	BAD(ring_bytes, ~0ULL << 12);
	BAD(ring_stride, 0);
	BAD(ring_stride, good.ring_stride - 4096);
	BAD(ring_stride, good.ring_stride + 1);
	BAD(ring_stride, ~0ULL << 12);
	/* A module of before. */
	good.size = offsetof(struct tcpfsm_info, made);
	CHECK_EQ(device_check_info(&good, 4096), 0);
}

static void test_whole_ring(void)
{
	struct ring_writer w;
	struct ring_reader r;
	uint64_t lost = 0;

	writer_init(&w, SLOTS, 0);
	CHECK_EQ(writer_attach(&w, &r, false), 0);
	CHECK_EQ(take(&r, SLOTS, &lost), 0);
	put(&w);
	CHECK_EQ(take(&r, SLOTS, &lost), 1);
	CHECK_EQ(take(&r, SLOTS, &lost), 0);
	/* Exactly a lap: the oldest is still there. */
	put_n(&w, SLOTS);
	CHECK_EQ(take(&r, 7, &lost), SLOTS);
	CHECK_EQ(lost, 0);
	CHECK_EQ(r.start, 0);
	writer_free(&w);
}

static void test_lap(void)
{
	unsigned int over;

	for (over = 1; over < 3 * SLOTS; over++) {
		struct ring_writer w;
		struct ring_reader r;
		uint64_t lost = 0;

		writer_init(&w, SLOTS, 0);
		writer_attach(&w, &r, false);
		put_n(&w, 5);
		CHECK_EQ(take(&r, SLOTS, &lost), 5);
		put_n(&w, SLOTS + over);
		CHECK_EQ(take(&r, SLOTS, &lost), SLOTS - MARGIN);
		CHECK_EQ(lost, over + MARGIN);
		CHECK_EQ(r.gap_from, word_of(5, 1));
		writer_free(&w);
	}
}

static void test_busy(void)
{
	struct ring_writer w;
	struct ring_reader r;
	uint64_t lost = 0;
	ring_word *slot;

	/* A full ring whose oldest slot is being overwritten: lapped. */
	writer_init(&w, SLOTS, 0);
	writer_attach(&w, &r, false);
	put_n(&w, SLOTS);
	slot = writer_begin(&w);
	CHECK_EQ(take(&r, SLOTS, &lost), SLOTS - MARGIN);
	CHECK_EQ(lost, MARGIN);
	/* The slot after the head being written is nothing yet. */
	CHECK_EQ(take(&r, SLOTS, &lost), 0);
	fill(slot, w.pos + 1);
	CHECK_EQ(take(&r, SLOTS, &lost), 0);
	/* Complete, but the head does not say so yet. */
	store_release(&slot[0], w.pos + 1);
	CHECK_EQ(take(&r, SLOTS, &lost), 0);
	writer_end(&w, slot);
	CHECK_EQ(take(&r, SLOTS, &lost), 1);
	CHECK_EQ(lost, MARGIN);
	writer_free(&w);
}

static void test_gap_in_batch(void)
{
	struct tcpfsm_record buf[SLOTS];
	struct ring_writer w;
	struct ring_reader r;

	writer_init(&w, SLOTS, 0);
	writer_attach(&w, &r, false);
	put_n(&w, 20);
	w.slots[10].seq = TCPFSM_SEQ_BUSY;
	CHECK_EQ(ring_copy(&r, buf, sizeof(buf[0]), SLOTS), 10);
	CHECK_EQ(r.gap, 0);
	CHECK(ring_behind(&r));
	CHECK_EQ(ring_copy(&r, buf, sizeof(buf[0]), SLOTS), 9);
	CHECK_EQ(buf[0].seq, 12);
	CHECK_EQ(r.gap_from, word_of(10, 1));
	CHECK_EQ(ring_take_gap(&r), 1);
	CHECK_EQ(ring_take_gap(&r), 0);
	CHECK(!ring_behind(&r));

	/* An older record where a newer one should be: gone, too. */
	put_n(&w, 3);
	w.slots[20].seq = 3;
	CHECK_EQ(ring_copy(&r, buf, sizeof(buf[0]), SLOTS), 2);
	CHECK_EQ(ring_take_gap(&r), 1);

	/* Everything is gone and nothing came after: the gap waits. */
	put_n(&w, 3);
	w.slots[23].seq = w.slots[24].seq = w.slots[25].seq = 0;
	CHECK_EQ(ring_copy(&r, buf, sizeof(buf[0]), SLOTS), 0);
	CHECK_EQ(r.gap, 3);
	CHECK_EQ(r.cursor, 26);
	put(&w);
	CHECK_EQ(ring_copy(&r, buf, sizeof(buf[0]), SLOTS), 1);
	CHECK_EQ(ring_take_gap(&r), 3);
	CHECK_EQ(r.gap_from, word_of(23, 1));
	CHECK_EQ(ring_delivered(&r), 22);
	CHECK_EQ(r.lost, 5);
	writer_free(&w);
}

static void test_attach(void)
{
	struct ring_writer w;
	struct ring_reader r;
	uint64_t lost = 0;

	writer_init(&w, SLOTS, 0);
	put_n(&w, 100);

	/* What went before the reader came is not lost. */
	writer_attach(&w, &r, false);
	CHECK_EQ(r.start, 100 - SLOTS + 1);
	CHECK_EQ(take(&r, 10, &lost), SLOTS - 1);
	CHECK_EQ(lost, 0);

	writer_attach(&w, &r, true);
	CHECK_EQ(take(&r, 10, &lost), 0);
	put(&w);
	CHECK_EQ(take(&r, 10, &lost), 1);
	CHECK_EQ(lost, 0);

	/* Nor is history that went before the first read ... */
	writer_attach(&w, &r, false);
	put_n(&w, 9);
	CHECK_EQ(take(&r, 10, &lost), SLOTS - MARGIN);
	CHECK_EQ(lost, 0);
	CHECK_EQ(r.start, 110 - SLOTS + MARGIN);

	/* ... but what came after the reader did is. */
	writer_attach(&w, &r, false);
	put_n(&w, 100);
	CHECK_EQ(take(&r, 10, &lost), SLOTS - MARGIN);
	CHECK_EQ(r.start, 110);
	CHECK_EQ(lost, 100 - (SLOTS - MARGIN));
	lost = 0;
	writer_attach(&w, &r, true);
	put_n(&w, 100);
	CHECK_EQ(take(&r, 10, &lost), SLOTS - MARGIN);
	CHECK_EQ(lost, 100 - (SLOTS - MARGIN));
	writer_free(&w);
}

/* Of a CPU that wrote 100 records before it had a ring. */
static void test_late_ring(void)
{
	const bool newest[] = { false, true };
	struct tcpfsm_record rec;
	struct ring_writer w;
	struct ring_reader r;
	uint64_t lost, held;
	size_t i, late;

	for (late = 0; late <= 1; late++)
		for (i = 0; i < 2; i++) {
			writer_init(&w, SLOTS, 0);
			w.pos = w.hdr->head = w.hdr->begin = 100;
			CHECK_EQ(writer_attach(&w, &r, newest[i]), 0);
			if (late)
				ring_from_begin(&r);
			lost = 0;
			CHECK(!ring_oldest(&r, &rec, &held) && !held);
			CHECK_EQ(take(&r, SLOTS, &lost), 0);
			CHECK_EQ(ring_delivered(&r), 0);
			put_n(&w, 3);
			CHECK_EQ(take(&r, SLOTS, &lost), 3);
			CHECK_EQ(ring_delivered(&r), 3);
			/* Its reader was there before: nothing is missing unsaid. */
			CHECK_EQ(r.lost, late ? 100 : 0);
			CHECK_EQ(ring_delivered(&r) + r.lost, w.pos - r.start);
			CHECK(ring_oldest(&r, &rec, &held));
			CHECK_EQ(rec.seq, 101);
			CHECK_EQ(held, 3);
			put_n(&w, SLOTS);
			CHECK(ring_oldest(&r, &rec, &held));
			CHECK_EQ(rec.seq, 100 + 3 + 2);
			CHECK_EQ(held, SLOTS - 1);
			writer_free(&w);
		}
	/* Whatever it says. */
	writer_init(&w, SLOTS, 0);
	w.hdr->begin = ~0ULL;
	CHECK_EQ(writer_attach(&w, &r, false), 0);
	CHECK_EQ(r.cursor, 0);
	writer_free(&w);
}

static void test_head_backwards(void)
{
	struct ring_writer w;
	struct ring_reader r;
	uint64_t lost = 0, head;

	writer_init(&w, SLOTS, 0);
	writer_attach(&w, &r, false);
	put_n(&w, 20);
	CHECK_EQ(take(&r, SLOTS, &lost), 20);
	for (head = 0; head < 20; head++) {
		store_release(&w.hdr->head, head);
		CHECK_EQ(take(&r, SLOTS, &lost), 0);
		CHECK(!ring_behind(&r));
	}
	put_n(&w, 4);
	CHECK_EQ(take(&r, SLOTS, &lost), 4);
	CHECK_EQ(lost, 0);
	writer_free(&w);
}

/* Shared memory gone mad: every call ends, stays inside and never goes back. */
static void test_garbage(void)
{
	struct tcpfsm_record buf[SLOTS];
	unsigned int round, call;

	for (round = 0; round < 2000; round++) {
		struct ring_writer w;
		struct ring_reader r;

		writer_init(&w, SLOTS, 0);
		put_n(&w, rnd(3 * SLOTS));
		writer_attach(&w, &r, rnd(2));
		for (call = 0; call < 50; call++) {
			uint64_t cursor = r.cursor, start = r.start;
			unsigned int i;
			size_t n;

			switch (rnd(6)) {
			case 0:
				w.hdr->head = next_random(&random_state) >> rnd(64);
				break;
			case 1:
				w.hdr->head = ~0ULL - rnd(SLOTS);
				break;
			case 2:
				w.hdr->head = r.cursor + rnd(3 * SLOTS);
				break;
			case 3:
				w.hdr->slots = rnd(~0U);
				w.hdr->cpu = rnd(~0U);
				break;
			default:
				for (i = 0; i < 20; i++)
					w.slots[rnd(SLOTS)].seq = rnd(2) ? ~0ULL :
						r.cursor + 1 + rnd(2 * SLOTS);
			}
			n = ring_copy(&r, buf, sizeof(buf[0]), 1 + rnd(SLOTS));
			CHECK(n <= SLOTS);
			CHECK(r.cursor >= cursor && r.start >= start);
			CHECK(r.cursor <= r.seen || r.cursor == cursor);
			CHECK(!n || buf[n - 1].seq == r.cursor);
			if (rnd(2))
				ring_take_gap(&r);
		}
		writer_free(&w);
	}
}

/* Writer and reader in a random order of steps, one thread. */
static void test_random_steps(void)
{
	unsigned int round, step;

	for (round = 0; round < 300; round++) {
		struct ring_writer w;
		struct ring_reader r;
		ring_word *busy = NULL;
		uint64_t lost = 0, got = 0;

		writer_init(&w, 1U << (1 + rnd(6)), 0);
		put_n(&w, rnd(200));
		writer_attach(&w, &r, rnd(2));
		for (step = 0; step < 500; step++) {
			if (rnd(3)) {
				unsigned int n = rnd(rnd(8) ? 10 : 200);

				if (busy) {
					fill(busy, w.pos + 1);
					writer_end(&w, busy);
					busy = NULL;
				}
				put_n(&w, n);
				if (rnd(2))
					busy = writer_begin(&w);
			} else {
				got += take(&r, 1 + rnd(2 * SLOTS), &lost);
			}
		}
		got += take(&r, SLOTS, &lost);
		CHECK_EQ(got + lost, w.pos - r.start);
		writer_free(&w);
	}
}

static void test_events_layout(void)
{
	struct tcpfsm_record rec[SLOTS];
	uint64_t ev[SLOTS][WORDS];
	struct ring_reader a, b;
	struct ring_writer w;
	size_t i;

	writer_init(&w, SLOTS, 0);
	writer_attach(&w, &a, false);
	writer_attach(&w, &b, false);
	put_n(&w, 40);
	CHECK_EQ(ring_copy(&a, rec, sizeof(rec[0]), SLOTS), 40);
	CHECK_EQ(ring_copy_events(&b, ev, SLOTS), 40);
	for (i = 0; i < 40; i++) {
		CHECK(!memcmp(ev[i], &rec[i].ts, 120));
		CHECK_EQ(ev[i][WORDS - 1], rec[i].seq);
	}
	CHECK_EQ(a.last_ts, b.last_ts);
	writer_free(&w);
}

/* ---- one writer, many readers, stalls --------------------------------------- */

struct shared {
	struct ring_writer w;
	uint64_t records;
	int done;
};

struct reader_thread {
	struct shared *sh;
	struct ring_reader r;
	uint64_t seed, delivered, lost, torn, disorder, gaps;
	bool events;
	pthread_t thread;
};

static void stall(uint64_t *seed)
{
	uint64_t x = next_random(seed) >> 20;
	volatile unsigned int spin;

	if (x % 512 == 0)
		poll(NULL, 0, (int)(x / 512 % 3));
	else if (x % 4 == 0)
		sched_yield();
	else
		for (spin = (unsigned int)(x / 4 % 2000); spin; spin--)
			;
}

static void *write_thread(void *arg)
{
	uint64_t seed = 0x9e3779b97f4a7c15ULL;
	struct shared *sh = arg;

	while (sh->w.pos < sh->records) {
		/* Mostly small bursts, sometimes laps. */
		uint64_t n = next_random(&seed) % (next_random(&seed) % 8 ? SLOTS : 4 * SLOTS);

		while (n--)
			put(&sh->w);
		stall(&seed);
	}
	__atomic_store_n(&sh->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *read_thread(void *arg)
{
	struct reader_thread *t = arg;
	struct tcpfsm_record buf[SLOTS], tmp;
	int done;

	do {
		size_t n, i;

		done = __atomic_load_n(&t->sh->done, __ATOMIC_ACQUIRE);
		do {
			size_t max = 1 + next_random(&t->seed) % SLOTS;
			uint64_t gap, first;

			n = t->events ? ring_copy_events(&t->r, buf, max) :
					ring_copy(&t->r, buf, sizeof(buf[0]), max);
			if (!n)
				continue;
			gap = ring_take_gap(&t->r);
			first = t->r.cursor - n + 1;
			t->lost += gap;
			t->gaps += gap > 0;
			t->delivered += n;
			for (i = 0; i < n; i++) {
				if (t->events) {
					const uint64_t *ev = (const void *)&buf[i];

					tmp.seq = ev[WORDS - 1];
					memcpy(&tmp.ts, ev, 120);
				} else {
					tmp = buf[i];
				}
				t->disorder += tmp.seq != first + i;
				t->torn += !whole(&tmp);
			}
		} while (ring_behind(&t->r));
		if (!done)
			stall(&t->seed);
	} while (!done);
	/* Lost after the last one that was delivered. */
	t->lost += ring_take_gap(&t->r);
	return NULL;
}

static void test_threads(unsigned int readers, uint64_t records)
{
	struct reader_thread t[8] = { 0 };
	struct shared sh = { .records = records };
	pthread_t writer;
	unsigned int i;

	writer_init(&sh.w, SLOTS, 0);
	for (i = 0; i < readers; i++) {
		t[i].sh = &sh;
		t[i].seed = mix(i + 1);
		t[i].events = i % 2;
		writer_attach(&sh.w, &t[i].r, false);
		pthread_create(&t[i].thread, NULL, read_thread, &t[i]);
	}
	pthread_create(&writer, NULL, write_thread, &sh);
	pthread_join(writer, NULL);
	for (i = 0; i < readers; i++) {
		pthread_join(t[i].thread, NULL);
		CHECK_EQ(t[i].torn, 0);
		CHECK_EQ(t[i].disorder, 0);
		CHECK_EQ(t[i].delivered + t[i].lost, sh.w.pos - t[i].r.start);
		CHECK_EQ(t[i].r.start, 0);
		CHECK_EQ(t[i].lost, t[i].r.lost);
		printf("# reader %u: delivered %llu, lost %llu in %llu gaps\n", i,
		       (unsigned long long)t[i].delivered, (unsigned long long)t[i].lost,
		       (unsigned long long)t[i].gaps);
	}
	writer_free(&sh.w);
}

/* ---- the merge --------------------------------------------------------------- */

struct rings {
	unsigned int n;
	struct ring_writer *w;
	struct ring_reader *r;
	struct tcpfsm_source *src;
};

static void rings_open(struct rings *x, unsigned int n, uint32_t slots, uint64_t slack)
{
	unsigned int i;

	x->n = n;
	x->w = calloc(n, sizeof(*x->w));
	x->r = calloc(n, sizeof(*x->r));
	for (i = 0; i < n; i++) {
		writer_init(&x->w[i], slots, i);
		writer_attach(&x->w[i], &x->r[i], false);
	}
	CHECK_EQ(source_open_rings(&x->src, x->r, n, slack, 0), 0);
}

static void rings_close(struct rings *x)
{
	unsigned int i;

	tcpfsm_source_close(x->src);
	for (i = 0; i < x->n; i++)
		writer_free(&x->w[i]);
	free(x->w);
	free(x->r);
}

static void rings_put(struct rings *x, unsigned int cpu, uint64_t ts)
{
	struct tcpfsm_record rec = { .ts = ts, .conn = ts + cpu };

	writer_put(&x->w[cpu], &rec);
}

/* Any number of rings, any distribution: the order of (ts, cpu), nothing missing. */
static void test_merge(unsigned int n, unsigned int records)
{
	const struct tcpfsm_item *item;
	uint64_t ts = 1000, last_ts = 0, seen = 0, put = 0, *seq, delivered, lost;
	uint32_t last_cpu = 0;
	struct rings x;
	unsigned int round, i;

	rings_open(&x, n, 4096, NSEC_PER_MSEC);
	seq = calloc(n, sizeof(*seq));
	for (round = 0; round < 4; round++) {
		for (i = 0; i < records; i++) {
			/* Runs on one CPU, and many at the same time. */
			uint32_t cpu = rnd(3) ? rnd(n) : rnd(n < 3 ? n : 3);

			if (x.w[cpu].pos - x.r[cpu].cursor == 4096)
				continue;
			ts += rnd(4) ? 0 : rnd(100);
			rings_put(&x, cpu, ts);
			put++;
		}
		/* A new round may come with the same time as the last. */
		last_cpu = 0;
		while (tcpfsm_source_next(x.src, &item) == 1) {
			CHECK_EQ(item->lost, 0);
			CHECK(item->rec.ts > last_ts ||
			      (item->rec.ts == last_ts && item->cpu >= last_cpu));
			CHECK_EQ(item->rec.conn, item->rec.ts + item->cpu);
			CHECK_EQ(item->rec.seq, ++seq[item->cpu]);
			last_ts = item->rec.ts;
			last_cpu = item->cpu;
			seen++;
		}
		CHECK_EQ(seen, put);
	}
	tcpfsm_source_counts(x.src, &delivered, &lost);
	CHECK_EQ(delivered, put);
	CHECK_EQ(lost, 0);
	free(seq);
	rings_close(&x);
}

static void test_merge_backwards(void)
{
	static const uint64_t ts[] = { 100, 50, 60, 55, 200, 10, 300 };
	const struct tcpfsm_item *item;
	struct rings x;
	uint64_t seq[2] = { 0 };
	size_t i;

	/* A clock that steps back must not reorder one CPU's records. */
	rings_open(&x, 2, SLOTS, 0);
	for (i = 0; i < sizeof(ts) / sizeof(ts[0]); i++) {
		rings_put(&x, 0, ts[i]);
		rings_put(&x, 1, 40 * i);
	}
	while (tcpfsm_source_next(x.src, &item) == 1)
		CHECK_EQ(item->rec.seq, ++seq[item->cpu]);
	CHECK_EQ(seq[0], 7);
	CHECK_EQ(seq[1], 7);
	rings_close(&x);
}

static void test_merge_gap(void)
{
	const struct tcpfsm_item *item;
	struct rings x;
	uint64_t i, n, delivered, lost;

	rings_open(&x, 2, SLOTS, 0);
	rings_put(&x, 0, 10);
	rings_put(&x, 1, 20);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(tcpfsm_source_next(x.src, &item), 1);
		CHECK_EQ(item->cpu, i);
	}
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);

	for (i = 0; i < 100; i++)
		rings_put(&x, 0, 1000 + 10 * i);
	rings_put(&x, 1, 1001);
	rings_put(&x, 1, 1900);
	/* 101 are written, the ring holds 64, 8 of them are left as margin. */
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 1);
	CHECK(!item->lost && item->cpu == 1 && item->rec.ts == 1001);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 1);
	CHECK_EQ(item->lost, 44);
	CHECK_EQ(item->cpu, 0);
	CHECK_EQ(item->from_ts, 10);
	CHECK_EQ(item->to_ts, 1440);
	for (n = 0; (i = (uint64_t)tcpfsm_source_next(x.src, &item)) == 1; n++)
		CHECK_EQ(item->lost, 0);
	CHECK_EQ(i, 0);
	CHECK_EQ(n, 56 + 1);
	tcpfsm_source_counts(x.src, &delivered, &lost);
	CHECK_EQ(delivered, 2 + 1 + 57);
	CHECK_EQ(lost, 44);
	rings_close(&x);
}

static void test_merge_horizon(void)
{
	const uint64_t slack = 30 * NSEC_PER_MSEC;
	const struct tcpfsm_item *item;
	uint64_t now, got = 0;
	struct rings x;

	rings_open(&x, 2, SLOTS, slack);
	now = clock_ns(CLOCK_MONOTONIC) - (uint64_t)clock_timens_offset();
	rings_put(&x, 0, now + 3600 * NSEC_PER_SEC);	/* stays for good */
	rings_put(&x, 1, now);
	rings_put(&x, 1, now + 1);
	while (got < 3) {
		int n = tcpfsm_source_next(x.src, &item);

		if (!n) {
			CHECK(tcpfsm_source_wait(x.src, 1000) == 1);
			/* An older one that comes late is still in time. */
			if (x.w[1].pos == 2)
				rings_put(&x, 1, now + 2);
			continue;
		}
		now = clock_ns(CLOCK_MONOTONIC) - (uint64_t)clock_timens_offset();
		CHECK(item->rec.ts + slack <= now);
		CHECK_EQ(item->cpu, 1);
		got++;
	}
	CHECK_EQ(tcpfsm_source_wait(x.src, 0), 1);	/* the round is not at its end */
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);
	CHECK_EQ(tcpfsm_source_wait(x.src, 0), 0);
	rings_close(&x);
}

/* A record that has taken its time and is not published yet holds younger ones back. */
static void test_merge_in_flight(void)
{
	const struct tcpfsm_item *item;
	struct tcpfsm_record rec = { .ts = 500 };
	ring_word *slot;
	struct rings x;
	int n;

	rings_open(&x, 2, SLOTS, 0);
	rings_put(&x, 0, 100);
	slot = writer_begin(&x.w[0]);
	rings_put(&x, 1, 90);
	rings_put(&x, 1, 100);
	rings_put(&x, 1, 600);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 90);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 100 && item->cpu == 0);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 100 && item->cpu == 1);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);
	/* Published, but the head does not tell yet. */
	memcpy(slot + 1, &rec.ts, sizeof(rec) - sizeof(rec.seq));
	store_release(slot, 2);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);
	writer_end(&x.w[0], slot);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 500);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 600);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);

	/* But not for ever. */
	writer_begin(&x.w[0]);
	rings_put(&x, 1, 700);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);
	while (!(n = tcpfsm_source_next(x.src, &item)))
		CHECK_EQ(tcpfsm_source_wait(x.src, -1), 1);
	CHECK(n == 1 && item->rec.ts == 700);
	CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);

	/* Nor until records are lost. */
	rings_put(&x, 0, 800);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 800);
	writer_begin(&x.w[0]);
	for (n = 0; n < 3; n++) {
		rings_put(&x, 1, 900);
		CHECK_EQ(tcpfsm_source_next(x.src, &item), 0);
	}
	while (x.w[1].pos < 3 + 3 + SLOTS)
		rings_put(&x, 1, 900);
	CHECK(tcpfsm_source_next(x.src, &item) == 1 && item->rec.ts == 900);
	rings_close(&x);
}

struct merge_writer {
	struct rings *x;
	unsigned int cpu;
	uint64_t records;
	pthread_t thread;
};

static void *merge_write_thread(void *arg)
{
	struct merge_writer *m = arg;
	uint64_t seed = mix(m->cpu + 77);

	while (m->x->w[m->cpu].pos < m->records) {
		rings_put(m->x, m->cpu, clock_ns(CLOCK_MONOTONIC));
		if (next_random(&seed) % 100 == 0)
			stall(&seed);
	}
	return NULL;
}

/* Writers that lap the merge: still every record is delivered or lost. */
static void test_merge_threads(uint64_t records)
{
	uint64_t seq[4] = { 0 }, lost[4] = { 0 }, delivered[4] = { 0 };
	const struct tcpfsm_item *item;
	struct merge_writer m[4];
	uint64_t seed = 5, total = 0;
	struct rings x;
	unsigned int i;

	rings_open(&x, 4, SLOTS, NSEC_PER_MSEC);
	for (i = 0; i < 4; i++) {
		m[i] = (struct merge_writer) { &x, i, records, 0 };
		pthread_create(&m[i].thread, NULL, merge_write_thread, &m[i]);
	}
	while (total < 4 * records) {
		while (tcpfsm_source_next(x.src, &item) == 1) {
			i = item->cpu;
			if (item->lost) {
				lost[i] += item->lost;
				seq[i] += item->lost;
				total += item->lost;
				continue;
			}
			CHECK_EQ(item->rec.seq, seq[i] + 1);
			CHECK_EQ(item->rec.conn, item->rec.ts + i);
			seq[i] = item->rec.seq;
			delivered[i]++;
			total++;
		}
		stall(&seed);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(m[i].thread, NULL);
		CHECK_EQ(delivered[i] + lost[i], records);
		printf("# cpu %u: delivered %llu, lost %llu\n", i,
		       (unsigned long long)delivered[i], (unsigned long long)lost[i]);
	}
	rings_close(&x);
}

/* ---- totals among records -------------------------------------------------------- */

static void put_totals(struct tcpfsm_source *src, uint32_t n)
{
	struct tcpfsm_record *r = calloc(n + 1, sizeof(*r));
	uint32_t i;

	for (i = 0; r && i < n; i++) {
		r[i].type = TCPFSM_TYPE_TOTAL;
		r[i].rcv = i;
	}
	source_put_totals(src, r, n);
}

static void expect_totals(struct tcpfsm_source *src, uint32_t n)
{
	const struct tcpfsm_item *item;
	uint32_t i;

	CHECK_EQ(tcpfsm_source_wait(src, 0), 1);
	for (i = 0; i < n; i++) {
		CHECK_EQ(tcpfsm_source_next(src, &item), 1);
		CHECK(item->rec.type == TCPFSM_TYPE_TOTAL && item->rec.rcv == i &&
		      !item->cpu && !item->lost);
	}
}

static void test_totals(void)
{
	struct tcpfsm_record rec = { .type = TCPFSM_TYPE_SHUTDOWN };
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	struct ring_reader rd[2];
	struct ring_writer w[2];
	uint64_t i, last = 0, n = 0, delivered;

	for (i = 0; i < 2; i++) {
		writer_init(&w[i], 64, (uint32_t)i);
		writer_attach(&w[i], &rd[i], false);
	}
	for (i = 1; i <= 40; i++) {
		rec.ts = i;
		writer_put(&w[i / 8 % 2], &rec);
	}
	CHECK_EQ(source_open_rings(&src, rd, 2, 0, 0), 0);
	/* There is no module to ask. */
	CHECK_EQ(tcpfsm_source_totals(src), -ENODEV);
	put_totals(src, 3);
	expect_totals(src, 3);
	/* After each record, be it the last of a run or not; and two readings at once. */
	while (tcpfsm_source_next(src, &item) == 1) {
		CHECK(item->rec.ts == ++last && !item->lost);
		n++;
		put_totals(src, 5);
		put_totals(src, (uint32_t)n % 3);
		expect_totals(src, (uint32_t)n % 3);
	}
	CHECK_EQ(n, 40);
	tcpfsm_source_counts(src, &delivered, NULL);
	CHECK_EQ(delivered, 40);
	/* When there is nothing else; and those that nobody fetches. */
	put_totals(src, 2);
	expect_totals(src, 2);
	CHECK_EQ(tcpfsm_source_next(src, &item), 0);
	put_totals(src, 2);
	tcpfsm_source_close(src);
	for (i = 0; i < 2; i++)
		writer_free(&w[i]);
}

/* The sockets of this machine, between marks and before all else. */
static void expect_resync(struct tcpfsm_source *src)
{
	const struct tcpfsm_item *item;
	uint64_t began;
	size_t n = 1;

	CHECK_EQ(tcpfsm_source_resync(src), 0);
	CHECK_EQ(tcpfsm_source_resync(src), -EBUSY);
	CHECK_EQ(tcpfsm_source_wait(src, 0), 1);
	put_totals(src, 2);
	CHECK_EQ(tcpfsm_source_batch(src, &item, &n), 1);
	CHECK(n == 1 && item->rec.type == TCPFSM_TYPE_SOCKET && !item->rec.conn && !item->lost &&
	      item->rec.snd == TCPFSM_RESYNC_BEGIN && !item->rec.arg);
	began = item->rec.ts;
	do {
		CHECK_EQ(tcpfsm_source_batch(src, &item, &n), 1);
		CHECK(n == 1 && item->rec.type == TCPFSM_TYPE_SOCKET && item->rec.ts >= began);
	} while (item->rec.conn);
	CHECK_EQ(item->rec.snd, TCPFSM_RESYNC_END);
	expect_totals(src, 2);
}

static void test_resync(void)
{
	struct tcpfsm_record rec = { .type = TCPFSM_TYPE_SHUTDOWN };
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	struct ring_reader rd[2];
	struct ring_writer w[2];
	uint64_t i, last = 0;

	for (i = 0; i < 2; i++) {
		writer_init(&w[i], 32, (uint32_t)i);
		writer_attach(&w[i], &rd[i], false);
	}
	for (i = 1; i <= 20; i++) {
		rec.ts = i;
		writer_put(&w[i / 8 % 2], &rec);
	}
	CHECK_EQ(source_open_rings(&src, rd, 2, 0, 0), 0);
	expect_resync(src);
	while (tcpfsm_source_next(src, &item) == 1) {
		CHECK(item->rec.ts == ++last && !item->lost);
		expect_resync(src);
	}
	CHECK_EQ(last, 20);
	/* In the middle of a gap. */
	for (i = 21; i <= 60; i++) {
		rec.ts = i;
		writer_put(&w[0], &rec);
	}
	CHECK_EQ(tcpfsm_source_next(src, &item), 1);
	CHECK(item->lost > 0);
	last += item->lost;
	expect_resync(src);
	while (tcpfsm_source_next(src, &item) == 1)
		CHECK(item->rec.ts == ++last && !item->lost);
	CHECK_EQ(last, 60);
	/* One that nobody fetches. */
	CHECK_EQ(tcpfsm_source_resync(src), 0);
	tcpfsm_source_close(src);
	for (i = 0; i < 2; i++)
		writer_free(&w[i]);
}

int main(int argc, char **argv)
{
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	static const unsigned int merges[] = { 1, 2, 3, 7, 64, 513 };
	char name[64];
	unsigned int i;

	TEST("ring: impossible geometry is refused", test_geometry());
	TEST("ring: a whole ring, exactly", test_whole_ring());
	TEST("ring: every lap up to three rings is counted exactly", test_lap());
	TEST("ring: a slot being written is lapped or not there yet", test_busy());
	TEST("ring: a gap is always before a batch", test_gap_in_batch());
	TEST("ring: history is not lost, what came after attaching is", test_attach());
	TEST("ring: one that is younger than its CPU, or than its reader", test_late_ring());
	TEST("ring: a head that goes back is no data", test_head_backwards());
	TEST("ring: garbage in shared memory does no harm", test_garbage());
	TEST("ring: random steps, delivered + lost = produced", test_random_steps());
	TEST("ring: events are records with seq at the end", test_events_layout());
	for (i = 1; i <= 6; i++) {
		snprintf(name, sizeof(name), "ring: a writer and %u readers that stall", i);
		TEST(name, test_threads(i, records));
	}
	for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		snprintf(name, sizeof(name), "merge: %u rings in the order of time", merges[i]);
		TEST(name, test_merge(merges[i], 5000));
	}
	TEST("merge: a CPU's own order stays when its clock steps back", test_merge_backwards());
	TEST("merge: a gap comes before the record that follows", test_merge_gap());
	TEST("merge: nothing is given away before its time", test_merge_horizon());
	TEST("merge: a record in flight holds younger ones back", test_merge_in_flight());
	TEST("merge: totals come next, wherever that is", test_totals());
	TEST("source: sockets read again", test_resync());
	TEST("merge: 4 writers that lap the reader", test_merge_threads(records / 5));
	return check_done();
}
