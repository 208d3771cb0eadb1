// SPDX-License-Identifier: GPL-2.0-only
/*
 * proof: can a reader of a ring ever deliver a torn record?  The code itself is asked:
 * tcpfsm_ring_begin() and tcpfsm_ring_end() of module/ring.h write, ring_attach() and
 * ring_copy() of userspace/lib/source/ring.c read, and every access to shared memory goes to a
 * model of a weakly ordered machine that tries all that may be seen, one after the other.
 *
 * The model is that of C11 with views (RC11 as a machine: Kang et al., POPL 2017, without
 * promises).  A word of memory is the list of all values that were ever stored there.  A thread
 * has a view: for each word, the oldest value that it may still see.  A relaxed load takes any
 * value that is not older, and never an older one afterwards.  A release store passes the
 * thread's view on with the value, a relaxed store after a release fence the view at that fence;
 * who loads it with acquire, or before an acquire fence, takes over that view.  This is
 * weaker than x86 and than ARMv8 are, and than the kernel's own model as far as it is used here.
 *
 * The writer only stores and the reader only loads: so the writer may run to its end first, and
 * whatever an interleaving could show is among the choices of the reader.  For the same reason no
 * load can be moved after a store, which is what a machine of views leaves out.  smp_wmb() is taken
 * as a release fence, and a release store does not help the relaxed stores that follow it
 * (as in C++20): both are no stronger than what the kernel gives.
 *
 * Of the 15 words of payload, all but one are read as old as can be: that allows the others, and
 * the check after the copy, the most.  A torn record has one word at least that is not its own,
 * so each word is tried in turn.
 *
 * Left out: more than SLOTS slots and RECORDS records (the protocol knows a slot by seq alone,
 * and these are two and a half laps); the record's own code, which is any order of stores here; a
 * word torn in itself (payload between the barriers is free to be anything); the counter's wrap
 * after 2^64 records; interrupts on the writer's CPU, which are off.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SLOTS
#define SLOTS		2
#define RECORDS		5
#define ROUNDS		2
#endif
#define WORDS_OF_SLOT	16
#define LOCATIONS	(1 + SLOTS * WORDS_OF_SLOT)
#define STORES_MAX	(2 * RECORDS + 2)
#define CHOICES_MAX	256

/* ---- what a variant lacks ------------------------------------------------------------- */

static struct variant {
	const char *name;
	bool no_busy, no_wmb, seq_not_released, head_not_released;
	bool head_not_acquired, seq_not_acquired, no_fence, no_check;
	bool torn, unpublished;		/* what must be found */
} v;

/* ---- the machine --------------------------------------------------------------------- */

struct view {
	uint8_t oldest[LOCATIONS];
};

struct store {
	uint64_t value;
	struct view released;		/* to who acquires it */
};

static struct store history[LOCATIONS][STORES_MAX];
static unsigned int stores[LOCATIONS];
static struct view writer, writer_fence, reader, reader_pending;

/* The shared memory: addresses only, its values are in history. */
static struct {
	uint64_t head, slots_cpu;
	uint64_t pad[14];
	uint64_t slot[SLOTS][WORDS_OF_SLOT];
} shared;

static unsigned int location(const void *p)
{
	size_t at = (size_t)((const uint64_t *)p - &shared.slot[0][0]);

	if (p == &shared.head)
		return 0;
	if (at >= SLOTS * WORDS_OF_SLOT) {
		fprintf(stderr, "proof: an access outside the ring\n");
		exit(2);
	}
	return 1 + (unsigned int)at;
}

static void join(struct view *a, const struct view *b)
{
	unsigned int i;

	for (i = 0; i < LOCATIONS; i++)
		if (b->oldest[i] > a->oldest[i])
			a->oldest[i] = b->oldest[i];
}

static void machine_store(void *p, uint64_t value, bool release)
{
	unsigned int at = location(p);
	struct store *s = &history[at][stores[at]];

	if (stores[at] == STORES_MAX)
		abort();
	s->value = value;
	writer.oldest[at] = (uint8_t)stores[at]++;
	s->released = release ? writer : writer_fence;
	s->released.oldest[at] = writer.oldest[at];
}

/* All choices are made in turn: those of the last run, and the last that can be is the next one. */
static struct {
	uint8_t taken, of;
} choice[CHOICES_MAX];
static unsigned int choices, chosen;

static unsigned int choose(unsigned int n)
{
	if (n == 1)
		return 0;
	if (chosen == choices) {
		if (choices == CHOICES_MAX)
			abort();
		choice[choices].taken = 0;
		choice[choices++].of = (uint8_t)n;
	}
	return choice[chosen++].taken;
}

static bool next_run(void)
{
	while (choices && choice[choices - 1].taken + 1 == choice[choices - 1].of)
		choices--;
	if (!choices)
		return false;
	choice[choices - 1].taken++;
	return true;
}

static unsigned int free_word;		/* of the payload: may be read at any age */
static uint64_t last_acquired[LOCATIONS];

static uint64_t machine_load(const void *p, bool acquire)
{
	unsigned int at = location(p), word = (at - 1) % WORDS_OF_SLOT;
	unsigned int old = reader.oldest[at], age;
	bool any = !at || !word || word == free_word;

	age = old + (any ? choose(stores[at] - old) : 0);
	reader.oldest[at] = (uint8_t)age;
	join(&reader_pending, &history[at][age].released);
	if (acquire)
		join(&reader, &history[at][age].released);
	return history[at][age].value;
}

/* ---- the reader's half, in the place of userspace/lib/source/barrier.h ----------------------- */

#define TCPFSM_LIB_BARRIER_H
typedef uint64_t __attribute__((may_alias)) ring_word;

static uint64_t load_relaxed(const void *p)
{
	unsigned int at = location(p);

	if (v.no_check && at && !((at - 1) % WORDS_OF_SLOT))
		return last_acquired[at];
	return machine_load(p, false);
}

static uint64_t load_acquire(const void *p)
{
	unsigned int at = location(p);
	uint64_t value = machine_load(p, !(at ? v.seq_not_acquired : v.head_not_acquired));

	last_acquired[at] = value;
	return value;
}

static void fence_acquire(void)
{
	if (!v.no_fence)
		join(&reader, &reader_pending);
}

static void copy_pair(ring_word *to, const ring_word *from)
{
	to[0] = load_relaxed(from);
	to[1] = load_relaxed(from + 1);
}

#include "../../userspace/lib/source/ring.c"

/* ---- the writer's half, in the place of the kernel's headers ---------------------------- */

typedef uint64_t u64;
struct irq_work { int unused; };

#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define unlikely(x)		(x)
#define U64_MAX			UINT64_MAX
#define DECLARE_PER_CPU_ALIGNED(type, name) extern type name
#define __this_cpu_read(x)	(x)
#define __this_cpu_write(x, to)	((x) = (to))
#define this_cpu_ptr(p)		(p)
#define local_irq_save(flags)	((flags) = 0)
#define local_irq_restore(flags) ((void)(flags))
#define irq_work_queue(work)	((void)(work))
#define WRITE_ONCE(x, to)	(v.no_busy ? (void)0 : machine_store(&(x), to, false))
#define smp_wmb()		(v.no_wmb ? (void)0 : (void)(writer_fence = writer))
#define smp_store_release(p, to) \
	machine_store(p, to, (void *)(p) == &shared.head ? !v.head_not_released :\
							   !v.seq_not_released)

#include "../../module/ring.h"

struct tcpfsm_cpu_ring tcpfsm_cpu_ring;

static uint64_t payload(uint64_t seq, unsigned int word)
{
	return seq << 8 | word;
}

static void write_all(void)
{
	uint64_t seq;
	unsigned int i;

	memset(history, 0, sizeof(history));
	memset(&writer, 0, sizeof(writer));
	memset(&writer_fence, 0, sizeof(writer_fence));
	for (i = 0; i < LOCATIONS; i++)
		stores[i] = 1;		/* the 0 that was there */
	tcpfsm_cpu_ring = (struct tcpfsm_cpu_ring) {
		.slots = (void *)shared.slot, .mask = SLOTS - 1, .wake_at = U64_MAX,
		.header = (void *)&shared,
	};
	for (seq = 1; seq <= RECORDS; seq++) {
		unsigned long flags;
		uint64_t *slot = (void *)tcpfsm_ring_begin(&flags);

		for (i = 1; i < WORDS_OF_SLOT; i++)
			machine_store(slot + i, payload(seq, i), false);
		tcpfsm_ring_end((void *)slot, flags);
	}
}

/* ---- all that may be seen ----------------------------------------------------------- */

struct found {
	uint64_t runs, records, torn, unpublished, lost;
	bool wrong;			/* delivered + lost, or the order */
};

/* What head promises must be there, or have been: else its loss would be told, and is none. */
static void look_for_unpublished(const struct ring_reader *r, struct found *f)
{
	uint64_t n, from = r->cursor + 1 > r->seen ? r->seen + 1 : r->cursor + 1;

	for (n = from; n <= r->seen && n <= RECORDS; n++) {
		unsigned int at = 1 + (unsigned int)((n - 1) % SLOTS) * WORDS_OF_SLOT;
		unsigned int age;

		/* The first value there that is not older than the record. */
		for (age = 0; age < stores[at] && history[at][age].value != n; age++)
			;
		if (reader.oldest[at] < age)
			f->unpublished++;
	}
}

static void read_once(struct found *f)
{
	ring_word buf[SLOTS][WORDS_OF_SLOT];
	struct ring_reader r;
	unsigned int round, word;
	uint64_t last = 0;
	size_t i, n;

	memset(&reader, 0, sizeof(reader));
	memset(&reader_pending, 0, sizeof(reader_pending));
	free_word = 1 + choose(WORDS_OF_SLOT - 1);
	if (ring_attach(&r, (void *)&shared, shared.slot, SLOTS, 0, choose(2)))
		abort();
	for (round = 0; round < ROUNDS; round++) {
		look_for_unpublished(&r, f);
		n = ring_copy(&r, buf, sizeof(buf[0]), SLOTS);
		for (i = 0; i < n; i++) {
			uint64_t seq = buf[i][0];
			bool torn = false;

			f->wrong |= seq <= last || seq > RECORDS;
			last = seq;
			for (word = 1; word < WORDS_OF_SLOT; word++)
				torn |= buf[i][word] != payload(seq, word);
			f->torn += torn;
			f->records++;
		}
	}
	f->lost += r.lost;
	f->wrong |= ring_delivered(&r) + r.lost != r.cursor - r.start;
	f->runs++;
}

static struct found explore(void)
{
	struct found f = { 0 };

	write_all();
	choices = 0;
	do {
		chosen = 0;
		read_once(&f);
	} while (next_run());
	return f;
}

/* ---- the machine itself -------------------------------------------------------------- */

/*
 * Is it as weak as it should be, and no weaker?  Who sees a flag, does he see what was
 * stored before it?  And a word that was seen is never older afterwards.
 */
static bool message_missed(bool wmb, bool release, bool acquire, bool fence)
{
	static uint64_t *const data = &shared.slot[0][1], *const flag = &shared.head;
	bool missed = false;
	unsigned int i;

	memset(history, 0, sizeof(history));
	memset(&writer, 0, sizeof(writer));
	memset(&writer_fence, 0, sizeof(writer_fence));
	for (i = 0; i < LOCATIONS; i++)
		stores[i] = 1;
	machine_store(data, 1, false);
	if (wmb)
		writer_fence = writer;
	machine_store(flag, 1, release);
	choices = 0;
	free_word = 1;
	do {
		uint64_t seen;

		chosen = 0;
		memset(&reader, 0, sizeof(reader));
		memset(&reader_pending, 0, sizeof(reader_pending));
		seen = machine_load(flag, acquire);
		if (fence)
			join(&reader, &reader_pending);
		missed |= seen && !machine_load(data, false);
	} while (next_run());
	return missed;
}

static bool went_back(void)
{
	bool back = false;

	write_all();
	choices = 0;
	free_word = 1;
	do {
		uint64_t first;

		chosen = 0;
		memset(&reader, 0, sizeof(reader));
		first = machine_load(&shared.slot[0][1], false);
		back |= machine_load(&shared.slot[0][1], false) < first;
	} while (next_run());
	return back;
}

static bool machine_works(void)
{
	unsigned int i;

	/* It takes something on both sides. */
	for (i = 0; i < 16; i++)
		if (message_missed(i & 1, i & 2, i & 4, i & 8) != !((i & 3) && (i & 12)))
			return false;
	return !went_back();
}

int main(void)
{
	static const struct variant variants[] = {
		{ .name = "ring" },
		{ .name = "without BUSY (W1)", .no_busy = true, .torn = true },
		{ .name = "without smp_wmb (W2)", .no_wmb = true, .torn = true },
		{ .name = "head stored without release (W5)", .head_not_released = true,
		  .unpublished = true },
		{ .name = "head loaded without acquire (R1)", .head_not_acquired = true,
		  .unpublished = true },
		{ .name = "without the fence after the copy (R4)", .no_fence = true, .torn = true },
		{ .name = "without the second look at seq (R5)", .no_check = true, .torn = true },
		{ .name = "neither seq nor head released (W4, W5)", .seq_not_released = true,
		  .head_not_released = true, .torn = true, .unpublished = true },
		{ .name = "neither head nor seq acquired (R1, R2)", .seq_not_acquired = true,
		  .head_not_acquired = true, .torn = true, .unpublished = true },
		{ .name = "seq not released, head not acquired (W4, R1)", .seq_not_released = true,
		  .head_not_acquired = true, .torn = true, .unpublished = true },
		{ .name = "head not released, seq not acquired (W5, R2)", .seq_not_acquired = true,
		  .head_not_released = true, .torn = true, .unpublished = true },
		/* These are a second lock on the door: who sees head sees the record. */
		{ .name = "seq stored without release (W4), which W5 and R1 make good",
		  .seq_not_released = true },
		{ .name = "seq loaded without acquire (R2), which W5 and R1 make good",
		  .seq_not_acquired = true },
	};
	bool works = machine_works();
	size_t i;
	int bad = !works;

	printf("%s - the machine: 16 ways to pass a message, and no word gets older\n",
	       works ? "ok" : "not ok");
	for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct found f;
		bool good;

		v = variants[i];
		f = explore();
		good = !f.wrong && !f.torn == !v.torn && !f.unpublished == !v.unpublished;
		printf("%s - %s: %s (%lu runs, %lu records read, %lu torn, "
		       "%lu promised and not there)\n",
		       good ? "ok" : "not ok", v.name,
		       f.torn ? "torn read found" :
		       f.unpublished ? "missing record found" : "no torn read",
		       f.runs, f.records, f.torn, f.unpublished);
		bad |= !good;
	}
	return bad;
}
