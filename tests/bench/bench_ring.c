// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast are the readers?  Records from a writer in user space through ring,
 * merge, model and JSON, and into a recording and out of it again.
 *
 *   bench_ring [RECORDS [DIR]]		the tables; DIR: where the recording goes
 *   bench_ring PART RINGS RECORDS	one of them, for valgrind --tool=callgrind
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/ring_writer.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

#define SLOTS	8192U
#define DEFAULT_RECORDS	10000000ULL

static uint64_t sink;		/* bytes of JSON, so that nobody optimises it away */
static struct tcpfsm_json_writer *lines;

/* ---- records ---------------------------------------------------------------------- */

struct maker {
	uint64_t ts, n, seed;
	unsigned int rings, cpu, run;
};

/* One side's life of a connection after the other, as a busy client makes them. */
static const struct {
	uint8_t type, old, new, verdict;
} life[] = {
	{ TCPFSM_TYPE_STATE, 7, 2, 0 },	 { TCPFSM_TYPE_STATE, 2, 1, 0 },
	{ TCPFSM_TYPE_STATE, 1, 4, 0 },	 { TCPFSM_TYPE_STATE, 4, 5, 0 },
	{ TCPFSM_TYPE_TIMEWAIT, 6, 6, TCPFSM_TW_ENTER }, { TCPFSM_TYPE_STATE, 5, 7, 0 },
	{ TCPFSM_TYPE_TIMEWAIT, 6, 0, TCPFSM_TW_EXPIRE },
};

#define STEPS	(sizeof(life) / sizeof(life[0]))

static void make(struct maker *m, struct tcpfsm_record *rec)
{
	size_t step = m->n % STEPS;

	if (!step) {
		uint64_t conn = m->n / STEPS;

		*rec = (struct tcpfsm_record) {
			.family = 4, .conn = conn + 1, .netns = 4026531840U, .rport = 443,
			.lport = (uint16_t)(32768 + conn % 28232), .laddr = { 192, 0, 2, 1 },
			.raddr = { 198, 51, 100, 7 }, .tw_max = 131072, .pid = 4321,
			.comm = "wrk", .snd = 12345678, .rcv = 87654321,
		};
	}
	rec->ts = m->ts += 50 + m->n % 64;
	rec->type = life[step].type;
	rec->old_state = life[step].old;
	rec->new_state = life[step].new;
	rec->verdict = life[step].verdict;
	rec->flags = step ? 0 : TCPFSM_F_OWNER;
	/* A connection stays on a CPU for a while; so come runs of records. */
	if (!m->run--) {
		m->seed ^= m->seed << 13;
		m->seed ^= m->seed >> 7;
		m->seed ^= m->seed << 17;
		m->run = (unsigned int)(m->seed >> 32) % 8;
		m->cpu = (unsigned int)(m->seed >> 40) % m->rings;
	}
	m->n++;
}

/* ---- parts ------------------------------------------------------------------------- */

struct bench {
	unsigned int rings;
	struct ring_writer *w;
	struct ring_reader *r;
	struct maker maker;
	struct tcpfsm_record rec;
	struct tcpfsm_source *src;
	struct tcpfsm_model *model;
	struct tcpfsm_recorder *recorder;
	struct tcpfsm_item *items;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_ring: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void bench_open(struct bench *b, unsigned int rings)
{
	unsigned int i;
	int err;

	memset(b, 0, sizeof(*b));
	b->rings = rings;
	b->maker = (struct maker) { .ts = 1000000, .seed = 88172645463325252ULL, .rings = rings };
	b->w = calloc(rings, sizeof(*b->w));
	b->r = calloc(rings, sizeof(*b->r));
	b->items = calloc(1024, sizeof(*b->items));
	for (i = 0; i < rings; i++) {
		writer_init(&b->w[i], SLOTS, i);
		writer_attach(&b->w[i], &b->r[i], false);
	}
	err = source_open_rings(&b->src, b->r, rings, NSEC_PER_MSEC, 0);
	if (err)
		die("source", err);
}

static void bench_close(struct bench *b)
{
	unsigned int i;

	tcpfsm_source_close(b->src);
	for (i = 0; i < b->rings; i++)
		writer_free(&b->w[i]);
	free(b->w);
	free(b->r);
	free(b->items);
}

/* What one wake-up brings at the watermark: 2048 records in each ring, or so. */
static uint64_t produce(struct bench *b, uint64_t n)
{
	uint64_t i;

	if (n > 2048 * b->rings)
		n = 2048 * b->rings;
	for (i = 0; i < n; i++) {
		make(&b->maker, &b->rec);
		writer_put(&b->w[b->maker.cpu], &b->rec);
	}
	return n;
}

static uint64_t part_copy(struct bench *b)
{
	uint64_t n = 0, got;
	unsigned int i;

	for (i = 0; i < b->rings; i++)
		while ((got = ring_copy(&b->r[i], &b->items[0].rec, sizeof(b->items[0]), 1024)))
			n += got;
	return n;
}

static uint64_t part_merge(struct bench *b)
{
	const struct tcpfsm_item *item;
	uint64_t n = 0;

	while (tcpfsm_source_next(b->src, &item) == 1)
		n += item->lost ? item->lost : 1;
	return n;
}

static int to_json(const struct tcpfsm_event *ev, void *arg)
{
	static char buf[64 * TCPFSM_JSON_MAX];
	static size_t at;

	(void)arg;
	if (at > sizeof(buf) - TCPFSM_JSON_MAX)
		at = 0;
	at += tcpfsm_json_writer_event(lines, ev, buf + at);
	sink += at;
	return 0;
}

static int no_json(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	sink += ev->ts;
	return 0;
}

static uint64_t feed(struct tcpfsm_source *src, struct tcpfsm_model *model, tcpfsm_event_fn fn)
{
	const struct tcpfsm_item *items;
	uint64_t n = 0;
	size_t batch;

	while (tcpfsm_source_batch(src, &items, &batch) == 1) {
		tcpfsm_model_items(model, items, batch, fn, NULL);
		n += items->lost ? items->lost : batch;
	}
	tcpfsm_model_flush(model, fn, NULL);
	return n;
}

static uint64_t part_model(struct bench *b)
{
	return feed(b->src, b->model, no_json);
}

static uint64_t part_json(struct bench *b)
{
	return feed(b->src, b->model, to_json);
}

static uint64_t part_record(struct bench *b)
{
	uint64_t n = 0;
	int got;

	while ((got = tcpfsm_recorder_drain(b->recorder)) > 0)
		n += (uint64_t)got;
	if (got < 0)
		die("record", got);
	return n;
}

static const struct {
	const char *name;
	uint64_t (*run)(struct bench *b);
} parts[] = {
	{ "copy", part_copy }, { "merge", part_merge }, { "model", part_model },
	{ "json", part_json }, { "record", part_record },
};

static void remove_dir(const char *dir)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd))
		fprintf(stderr, "bench_ring: cannot remove %s\n", dir);
}

/* Returns nanoseconds per record of the reader alone; *writer of the writer. */
static double run_part(size_t part, unsigned int rings, uint64_t records, const char *dir,
		       double *writer)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts) };
	uint64_t done = 0, t_write = 0, t_read = 0, t0, t1;
	struct bench b;
	int err;

	bench_open(&b, rings);
	err = tcpfsm_model_new(&b.model, &opts);
	if (!err && !strcmp(parts[part].name, "record"))
		err = recorder_open_rings(&b.recorder, b.r, rings, dir, NULL,
					  &(struct tcpfsm_info){ .version = "bench" });
	if (err)
		die(dir, err);
	while (done < records) {
		t0 = clock_ns(CLOCK_MONOTONIC);
		produce(&b, records - done);
		t1 = clock_ns(CLOCK_MONOTONIC);
		done += parts[part].run(&b);
		t_read += clock_ns(CLOCK_MONOTONIC) - t1;
		t_write += t1 - t0;
	}
	if (b.recorder) {
		t1 = clock_ns(CLOCK_MONOTONIC);
		err = tcpfsm_recorder_close(b.recorder, NULL);
		t_read += clock_ns(CLOCK_MONOTONIC) - t1;
		if (err)
			die("record", err);
	}
	tcpfsm_model_free(b.model);
	bench_close(&b);
	if (writer)
		*writer = (double)t_write / (double)records;
	return (double)t_read / (double)records;
}

/* Reads a recording as "tcpfsm trace --json -r" does.  A process of its own: its RSS counts. */
static int read_recording(const char *dir)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts) };
	uint64_t t = clock_ns(CLOCK_MONOTONIC), n;
	struct tcpfsm_source *src;
	struct tcpfsm_model *model;
	struct rusage ru;
	const char *why;
	int err;

	err = tcpfsm_source_open_recording(&src, dir, &why);
	if (err)
		die(why, err);
	opts.epoch_offset = tcpfsm_source_epoch_offset(src);
	err = tcpfsm_model_new(&model, &opts);
	if (err)
		die("model", err);
	n = feed(src, model, to_json);
	if (*tcpfsm_source_error(src))
		die(tcpfsm_source_error(src), -EBADMSG);
	tcpfsm_model_free(model);
	tcpfsm_source_close(src);
	t = clock_ns(CLOCK_MONOTONIC) - t;
	getrusage(RUSAGE_SELF, &ru);
	printf("%-34s %12.2f s  %8.0f ns/record  peak RSS %ld KiB\n",
	       "read, model, JSON", (double)t / 1e9, (double)t / (double)n, ru.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned int rings[] = { 1, 8, 64 };
	uint64_t records = DEFAULT_RECORDS;
	char dir[256] = "/tmp/tcpfsm-bench";
	double ns, writer = 0;
	size_t p, i;
	pid_t pid;
	int status;

	lines = tcpfsm_json_writer_new();
	if (argc == 3 && !strcmp(argv[1], "--read"))
		return read_recording(argv[2]);
	snprintf(dir, sizeof(dir), "%s/tcpfsm-bench.%d", argc == 3 ? argv[2] : "/tmp", getpid());
	if (argc == 4) {
		for (p = 0; p < sizeof(parts) / sizeof(parts[0]); p++)
			if (!strcmp(argv[1], parts[p].name)) {
				ns = run_part(p, (unsigned int)atoi(argv[2]),
					      strtoull(argv[3], NULL, 0), dir, NULL);
				printf("%.1f ns/record\n", ns);
				remove_dir(dir);
				return 0;
			}
		return 2;
	}
	if (argc > 1)
		records = strtoull(argv[1], NULL, 0);

	printf("%-12s %14s %14s %14s   (ns per record, Mrecords/s)\n", "", "1 ring", "8 rings",
	       "64 rings");
	for (p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		printf("%-12s", parts[p].name);
		for (i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
			ns = run_part(p, rings[i], records / 5, dir, &writer);
			printf(" %7.1f %6.2f", ns, 1e3 / ns);
			fflush(stdout);
			if (!strcmp(parts[p].name, "record"))
				remove_dir(dir);
		}
		printf("\n");
	}
	printf("(writer: %.1f ns per record)\n\n", writer);

	printf("recording of %" PRIu64 " records, 4 CPUs\n", records);
	ns = run_part(4, 4, records, dir, NULL);
	printf("%-34s %12.2f s  %8.0f ns/record\n", "drain to files", ns * (double)records / 1e9, ns);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "bench_ring", "--read", dir, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	remove_dir(dir);
	return sink == 1 || !WIFEXITED(status) || WEXITSTATUS(status);
}
