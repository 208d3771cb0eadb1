// SPDX-License-Identifier: GPL-2.0-only
/* Readings of totals as changes: by themselves, and through a recording. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/changes.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

#define LISTENERS	40
#define READINGS	60

static char dir[] = "/tmp/tcpfsm-changes-XXXXXX";
static char path[64];

/* How many totals a listener has, 0: it is not there, and what their sum is. */
struct machine {
	unsigned int n[LISTENERS + 2];
	uint64_t value[LISTENERS + 2];
};

static void move_on(struct machine *m, unsigned int often)
{
	unsigned int i;

	for (i = 0; i < LISTENERS + 2; i++) {
		if (rand() % often == 0)
			m->value[i]++;
		if (rand() % (4 * often) == 0)
			m->n[i] = (unsigned int)rand() % 6;
	}
}

/* Listeners from another one on each time, as the kernel's table has them; the last two are namespaces. */
static struct reading reading_of(const struct machine *m, uint64_t ts)
{
	struct reading r = { calloc(LISTENERS * 6 + 12, sizeof(*r.records)), 0 };
	unsigned int from = (unsigned int)rand() % LISTENERS, at, i, k;

	for (at = 0; at < LISTENERS + 2; at++) {
		i = at < LISTENERS ? (from + at) % LISTENERS : at;
		for (k = 0; k < m->n[i]; k++)
			r.records[r.n++] = (struct tcpfsm_record) {
				.type = TCPFSM_TYPE_TOTAL, .ts = ts, .netns = 7 + (i > LISTENERS),
				.conn = i < LISTENERS ? 100 + i : 0, .rcv = k, .listener = k ? k : m->value[i],
			};
	}
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct tcpfsm_record *x = a, *y = b;

	if (!x->conn != !y->conn)
		return x->conn ? -1 : 1;
	if (x->conn != y->conn)
		return x->conn < y->conn ? -1 : 1;
	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	return x->rcv < y->rcv ? -1 : x->rcv > y->rcv;
}

/* The same totals, of a listener in their order, listeners first. */
static bool same(const struct reading *a, const struct reading *b)
{
	struct tcpfsm_record *x, *y;
	bool is = a->n == b->n;
	size_t i;

	for (i = 1; is && i < b->n; i++)
		is = !b->records[i].conn || b->records[i - 1].conn;
	if (!is || !a->n)
		return is;
	x = malloc(a->n * sizeof(*x));
	y = malloc(b->n * sizeof(*y));
	memcpy(x, a->records, a->n * sizeof(*x));
	memcpy(y, b->records, b->n * sizeof(*y));
	for (i = 0; i < a->n; i++)
		x[i].seq = y[i].seq = 0;
	qsort(x, a->n, sizeof(*x), by_place);
	qsort(y, b->n, sizeof(*y), by_place);
	is = !memcmp(x, y, a->n * sizeof(*x));
	free(x);
	free(y);
	return is;
}

static void test_changes(void)
{
	struct machine m = { .n = { 3, 5 } };
	struct reading was = { .n = 0 };
	size_t all = 0, told = 0;
	unsigned int i;

	for (i = 1; i <= 2000; i++) {
		struct reading now, changes;

		move_on(&m, 1 + i / 50);
		now = reading_of(&m, i);
		CHECK_EQ(reading_changes(&was, &now, &changes), 0);
		all += now.n;
		told += changes.n;
		if (was.n && now.n) {
			CHECK_EQ(changes.records->rcv, CTF_TOTAL_SINCE);
			CHECK_EQ(reading_apply(&was, &changes), 0);
			CHECK(same(&was, &now));
		}
		reading_free(&changes);
		reading_free(&was);
		was = now;
	}
	/* Nothing: one record. */
	if (was.n) {
		struct reading changes, again = { malloc(was.n * sizeof(*was.records)), was.n };

		memcpy(again.records, was.records, was.n * sizeof(*was.records));
		for (i = 0; i < again.n; i++)
			again.records[i].ts = 5000;
		CHECK_EQ(reading_changes(&was, &again, &changes), 0);
		CHECK_EQ(changes.n, 1);
		reading_free(&changes);
		reading_free(&again);
	}
	reading_free(&was);
	CHECK(told < all / 2 || (printf("# %zu of %zu\n", told, all), 0));
}

static void test_wrong(void)
{
	struct machine m = { .n = { 3, 5, 2 } };
	struct reading was = reading_of(&m, 10), now, changes, empty = { .n = 0 };

	m.value[1] = 5;
	now = reading_of(&m, 20);
	CHECK_EQ(reading_changes(&was, &now, &changes), 0);
	CHECK_EQ(changes.n, 6);
	CHECK_EQ(reading_apply(&empty, &changes), -EBADMSG);
	CHECK_EQ(reading_apply(&now, &changes), -EBADMSG);	/* since another one */
	CHECK_EQ(now.n, 0);
	changes.n--;						/* cut */
	CHECK_EQ(reading_apply(&was, &changes), -EBADMSG);
	CHECK_EQ(was.n, 0);
	reading_free(&changes);
}

static const char *at(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Reads all readings; n of them. */
static unsigned int read_back(const struct reading *want, size_t nwant)
{
	struct reading r = { calloc(LISTENERS * 6 + 12, sizeof(*r.records)), 0 };
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	unsigned int n = 0;
	const char *why;
	int rc;

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, &why), 0);
	do {
		rc = tcpfsm_source_next(src, &item);
		if (r.n && (rc <= 0 || item->rec.ts != r.records->ts)) {
			size_t i;

			for (i = 0; i < nwant && want[i].records->ts != r.records->ts; i++)
				;
			CHECK(i < nwant && same(&want[i], &r));
			r.n = 0;
			n++;
		}
		if (rc > 0 && item->rec.type == TCPFSM_TYPE_TOTAL)
			r.records[r.n++] = item->rec;
	} while (rc > 0);
	tcpfsm_source_close(src);
	free(r.records);
	return n;
}

static void test_recording(void)
{
	struct reading want[READINGS];
	struct tcpfsm_recorder *rec;
	struct ring_writer writer;
	struct ring_reader reader;
	struct machine m = { .n = { [3] = 4, [LISTENERS] = 2 } };
	size_t all = 0;
	long size, len;
	unsigned int i;
	FILE *f;

	writer_init(&writer, 64, 0);
	writer_attach(&writer, &reader, false);
	CHECK_EQ(recorder_open_rings(&rec, &reader, 1, dir, NULL, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < READINGS; i++) {
		struct tcpfsm_record *copy;

		move_on(&m, 30);
		m.n[3] = 4;
		want[i] = reading_of(&m, 1000 * (i + 1));
		copy = malloc(want[i].n * sizeof(*copy));
		memcpy(copy, want[i].records, want[i].n * sizeof(*copy));
		CHECK_EQ(recorder_totals(rec, copy, want[i].n), 0);
		all += want[i].n;
	}
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	writer_free(&writer);
	CHECK_EQ(read_back(want, READINGS), READINGS);

	/* Cut anywhere, as by a crash: each reading that is given is whole. */
	f = fopen(at("totals"), "r");
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	CHECK((size_t)size < all * sizeof(struct tcpfsm_record) / 2);
	unlink(at("marks"));
	for (len = size; len > 0; len -= 4096) {
		CHECK_EQ(truncate(at("totals"), len), 0);
		(void)read_back(want, READINGS);
	}
	for (i = 0; i < READINGS; i++)
		free(want[i].records);
}

int main(void)
{
	srand(1);
	if (!mkdtemp(dir))
		return 1;
	TEST("changes: what they make of the reading before is the reading", test_changes());
	TEST("changes: cut, or of another reading", test_wrong());
	TEST("changes: through a recording, and where it is cut", test_recording());
	unlink(at("totals"));
	unlink(at("metadata"));
	rmdir(dir);
	return check_done();
}
