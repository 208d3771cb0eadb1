// SPDX-License-Identifier: GPL-2.0-only
/*
 * A recording that is followed while it is written gives what it gives afterwards, item by item.
 *
 * The writer does what recorder.c does, in a time of its own and at random: records of CPUs that come
 * late, gaps, readings of totals and what changed of them, sockets that are read again, clocks, packets
 * that fill, flushes, chunks that are closed and compressed. The follower reads on between
 * any two steps, or in a thread of its own, and what is told of progress is all that it knows.
 *
 * test_following [SEED [SEEDS]]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/changes.h"
#include "../../userspace/lib/source/ctf.h"
#include "../../userspace/lib/source/packed.h"
#include "../../userspace/lib/source/progress.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

/* So many have smaller packets, which fill sooner; only the first of them have records. */
#define CPUS		70
#define BUSY		5
#define WAITING		1024
#define STEPS		400
/* What is told of progress goes in steps of this. */
#define TICK		PROGRESS_STEP_NS

static char top[] = "/dev/shm/tcpfsm-following-XXXXXX";
static char dir[sizeof(top) + 8];
static uint64_t random_state;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % below;
}

/* ---- items ------------------------------------------------------------------------ */

struct items {
	struct tcpfsm_item *it;
	size_t n, room;
};

static void keep_item(struct items *l, const struct tcpfsm_item *it)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->it = realloc(l->it, l->room * sizeof(*l->it));
		if (!l->it)
			abort();
	}
	l->it[l->n++] = *it;
}

static bool same_item(const struct tcpfsm_item *a, const struct tcpfsm_item *b)
{
	if (a->lost || b->lost)
		return a->lost == b->lost && a->cpu == b->cpu && a->from_ts == b->from_ts && a->to_ts == b->to_ts;
	return a->cpu == b->cpu && !memcmp(&a->rec, &b->rec, sizeof(a->rec));
}

static void show_item(const char *who, const struct items *l, size_t i)
{
	const struct tcpfsm_item *it = &l->it[i];

	if (i >= l->n)
		printf("# %s: nothing\n", who);
	else if (it->lost)
		printf("# %s: cpu %u lost %llu from %llu to %llu\n", who, it->cpu, (unsigned long long)it->lost,
		       (unsigned long long)it->from_ts, (unsigned long long)it->to_ts);
	else
		printf("# %s: cpu %u type %u seq %llu ts %llu conn %llu\n", who, it->cpu, it->rec.type,
		       (unsigned long long)it->rec.seq, (unsigned long long)it->rec.ts,
		       (unsigned long long)it->rec.conn);
}

/* What there is by now.  Return: 1 or the end. */
static int read_some(struct tcpfsm_source *src, struct items *l, size_t max)
{
	const struct tcpfsm_item *items;
	size_t n, i;
	int rc = 1;

	while (max-- && (rc = tcpfsm_source_batch(src, &items, &n)) == 1)
		for (i = 0; i < n; i++)
			keep_item(l, &items[i]);
	return rc;
}

/* ---- a recorder -------------------------------------------------------------------- */

static struct cpu {
	struct tcpfsm_record waiting[WAITING];	/* in its ring */
	size_t n;
	uint64_t seq;
} cpus[BUSY];

static struct {
	struct ctf_writer *w;
	struct ctf_env env;
	struct progress told;
	struct reading before;			/* in this chunk */
	uint64_t now, upto, chunk, sockets, totals, conn;
	bool in_chunks;
	int dirfd;
} rec;

static void open_chunk(void)
{
	char path[sizeof(dir) + 16];

	rec.chunk++;
	rec.env.uuid[0] = (uint8_t)rec.chunk;
	rec.env.uuid[1] = (uint8_t)(rec.chunk >> 8);
	snprintf(path, sizeof(path), "%s/%06llu", dir, (unsigned long long)rec.chunk);
	CHECK_EQ(ctf_writer_open(&rec.w, rec.in_chunks ? path : dir, CPUS, &rec.env), 0);
	rec.before.n = 0;
}

static void tell(uint64_t upto)
{
	struct progress p = { upto > rec.told.upto ? upto : rec.told.upto, rec.chunk };

	if (p.upto == rec.told.upto && p.chunk == rec.told.chunk)
		return;
	progress_tell(rec.dirfd, &p, &rec.told);
	rec.told = p;
}

static void put(unsigned int stream, struct tcpfsm_record r, uint64_t seq, uint64_t lost)
{
	size_t room;
	struct ctf_event *ev = ctf_writer_room(rec.w, stream, &room);

	memcpy(&ev->ts, &r.ts, sizeof(r) - sizeof(r.seq));
	ev->seq = seq;
	CHECK_EQ(ctf_writer_commit(rec.w, stream, 1, lost, rec.now), 0);
}

static struct tcpfsm_record some_record(uint8_t type)
{
	return (struct tcpfsm_record) { .type = type, .ts = rec.now, .conn = ++rec.conn, .family = 4, .netns = 1 };
}

/* Something happens, on a few CPUs, often at the same time. */
static void happen(void)
{
	unsigned int n = rnd(8) ? rnd(20) : rnd(600);

	while (n--) {
		struct cpu *c = &cpus[rnd(2) ? 0 : rnd(BUSY)];

		rec.now += rnd(3) ? 0 : TICK;
		/* The last one comes online late. */
		if (c->n < WAITING && (c < &cpus[BUSY - 1] || rec.now > 3000 * TICK))
			c->waiting[c->n++] = some_record(TCPFSM_TYPE_STATE);
	}
}

static void drain_cpu(unsigned int cpu)
{
	struct cpu *c = &cpus[cpu];
	size_t i = 0;
	uint64_t lost;

	/* The oldest are overwritten. */
	if (c->n && !rnd(20))
		i = rnd((uint32_t)c->n);
	for (lost = i; i < c->n; i++, lost = 0) {
		c->seq += lost + 1;
		put(cpu, c->waiting[i], c->seq, lost);
	}
	c->n = 0;
}

static void drain_cpus(void)
{
	unsigned int cpu;

	rec.upto = rec.now;
	for (cpu = 0; cpu < BUSY; cpu++) {
		drain_cpu(cpu);
		/* Meanwhile. */
		if (!rnd(4))
			happen();
	}
}

static void put_socket(uint64_t conn, uint32_t mark)
{
	struct tcpfsm_record r = { .type = TCPFSM_TYPE_SOCKET, .ts = rec.now, .conn = conn, .snd = mark };

	rec.now += rnd(2) * TICK;
	put(ctf_writer_sockets(rec.w), r, ++rec.sockets, 0);
}

static void resync(void)
{
	unsigned int n = rnd(3) ? rnd(10) : rnd(900);

	put_socket(0, TCPFSM_RESYNC_BEGIN);
	while (n--) {
		put_socket(1000000 + n, 0);
		if (!rnd(50)) {
			happen();
			drain_cpus();
			if (!rnd(3))
				CHECK_EQ(ctf_writer_flush(rec.w, rec.now - rnd(50) * TICK), 0);
		}
	}
	put_socket(0, TCPFSM_RESYNC_END);
	CHECK_EQ(ctf_writer_put(rec.w, ctf_writer_sockets(rec.w)), 0);
}

/* All at first, then those of which one has changed. */
static void read_totals(void)
{
	struct reading r = { .n = 1 + rnd(rnd(4) ? 8 : 700) }, changes;
	const struct reading *out = &r;
	size_t i;

	rec.now += TICK;
	r.records = calloc(r.n, sizeof(*r.records));
	for (i = 0; i < r.n; i++)
		r.records[i] = (struct tcpfsm_record) {
			.type = TCPFSM_TYPE_TOTAL, .ts = rec.now, .conn = 1 + i, .netns = 1, .rcv = TCPFSM_TOTAL_SYN,
			.listener = rnd(10) ? 1 : rec.now,
		};
	CHECK_EQ(reading_changes(&rec.before, &r, &changes), 0);
	if (changes.n < r.n)
		out = &changes;
	for (i = 0; i < out->n; i++) {
		put(ctf_writer_totals(rec.w), out->records[i], ++rec.totals, 0);
		if (!rnd(100))
			drain_cpus();
	}
	reading_free(&changes);
	reading_free(&rec.before);
	rec.before = r;
}

static void put_clock(void)
{
	struct tcpfsm_record r = {
		.type = TCPFSM_TYPE_MARK, .ts = rec.now, .snd = TCPFSM_MARK_CLOCK, .conn = rnd(5),
	};

	CHECK_EQ(ctf_writer_mark(rec.w, &r, 0), 0);
}

static void pack(uint64_t chunk)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%06llu", (unsigned long long)chunk);
	fd = openat(rec.dirfd, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	CHECK_EQ(pack_streams(fd, NULL, NULL), 0);
	close(fd);
}

static void next_chunk(void)
{
	struct ctf_end end = { .how = TCPFSM_END_CHUNK };
	struct ctf_writer *old = rec.w;

	open_chunk();
	CHECK_EQ(ctf_writer_flush(old, UINT64_MAX), 0);
	CHECK_EQ(ctf_writer_close(old, &end, NULL), 0);
	if (rnd(2))
		resync();
	if (rnd(2))
		read_totals();
	CHECK_EQ(ctf_writer_flush(rec.w, UINT64_MAX), 0);
}

static void drain(void)
{
	uint64_t waiting;

	rec.now += TICK;
	if (!rnd(10))
		put_clock();
	drain_cpus();
	if (!rnd(3))
		CHECK_EQ(ctf_writer_flush(rec.w, rnd(3) ? UINT64_MAX : rec.now - rnd(200) * TICK), 0);
	if (!rnd(15))
		resync();
	if (!rnd(8))
		read_totals();
	if (rec.in_chunks && !rnd(12))
		next_chunk();
	waiting = ctf_writer_waiting(rec.w);
	tell(waiting < rec.upto ? waiting : rec.upto);
	if (rec.in_chunks && rec.chunk > 1 && !rnd(10))
		pack(1 + rnd((uint32_t)rec.chunk - 1));
}

static void begin(bool in_chunks)
{
	bool made;

	memset(cpus, 0, sizeof(cpus));
	memset(&rec, 0, sizeof(rec));
	rec.env.module_version = "1.0";
	rec.in_chunks = in_chunks;
	rec.now = 1000 * TICK;
	rec.told.chunk = UINT64_MAX;
	rec.dirfd = ctf_make_dir(dir, &made);
	CHECK(rec.dirfd >= 0);
	tell(0);
	open_chunk();
	tell(0);
	if (rnd(2))
		read_totals();
	CHECK_EQ(ctf_writer_flush(rec.w, UINT64_MAX), 0);
}

static void finish(void)
{
	struct ctf_end end = { .how = TCPFSM_END_STOPPED };

	drain_cpus();
	if (rnd(2))
		read_totals();
	CHECK_EQ(ctf_writer_close(rec.w, &end, NULL), 0);
	reading_free(&rec.before);
	close(rec.dirfd);
}

/* ---- the two --------------------------------------------------------------------------- */

static void compare(const struct items *followed, uint64_t seed)
{
	struct items after = { .n = 0 };
	struct tcpfsm_source *src;
	size_t i = 0;

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	CHECK_EQ(read_some(src, &after, SIZE_MAX), 0);
	CHECK(!*tcpfsm_source_missing(src));
	tcpfsm_source_close(src);
	CHECK(after.n > 1000);
	while (i < after.n && i < followed->n && same_item(&after.it[i], &followed->it[i]))
		i++;
	if (i < after.n || i < followed->n) {
		size_t from = i < 3 ? 0 : i - 3, k;

		CHECK(!"the same items");
		printf("# seed %llu: %zu items, %zu followed; item %zu:\n", (unsigned long long)seed, after.n, followed->n, i);
		for (k = from; k < i + 4; k++) {
			show_item("after", &after, k);
			show_item("followed", followed, k);
		}
	}
	free(after.it);
}

static void wipe(void)
{
	char cmd[sizeof(dir) + 16];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	CHECK(!system(cmd));
}

static void seed_random(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
}

/* In turn. */
static void follow_in_turn(uint64_t seed, bool in_chunks)
{
	struct items followed = { .n = 0 };
	struct tcpfsm_source *src = NULL;
	unsigned int i, late;

	seed_random(seed);
	begin(in_chunks);
	late = rnd(2) ? 0 : rnd(STEPS / 2);
	for (i = 0; i < STEPS && !check_failed; i++) {
		happen();
		if (rnd(3))
			drain();
		if (i == late)
			CHECK_EQ(source_open_recording(&src, dir, true, NULL), 0);
		if (src && rnd(2))
			CHECK(read_some(src, &followed, rnd(3) ? SIZE_MAX : rnd(20)) >= 0);
	}
	finish();
	if (src) {
		CHECK_EQ(read_some(src, &followed, SIZE_MAX), 0);
		CHECK(!src->growing && !*tcpfsm_source_missing(src));
		tcpfsm_source_close(src);
		compare(&followed, seed);
	}
	free(followed.it);
	wipe();
}

static void *follow_alone(void *arg)
{
	struct items *l = arg;
	struct tcpfsm_source *src;

	CHECK_EQ(source_open_recording(&src, dir, true, NULL), 0);
	while (read_some(src, l, SIZE_MAX) >= 0 && src->growing)
		sched_yield();
	CHECK_EQ(read_some(src, l, SIZE_MAX), 0);
	if (*tcpfsm_source_error(src))
		printf("# %s\n", tcpfsm_source_error(src));
	tcpfsm_source_close(src);
	return NULL;
}

/* At the same time. */
static void follow_beside(uint64_t seed, bool in_chunks)
{
	struct items followed = { .n = 0 };
	pthread_t thread;
	unsigned int i;

	seed_random(seed);
	begin(in_chunks);
	pthread_create(&thread, NULL, follow_alone, &followed);
	for (i = 0; i < STEPS; i++) {
		happen();
		if (rnd(3))
			drain();
	}
	finish();
	pthread_join(thread, NULL);
	compare(&followed, seed);
	free(followed.it);
	wipe();
}

static void many(void (*follow)(uint64_t seed, bool in_chunks), uint64_t seed, unsigned int seeds, bool in_chunks)
{
	while (seeds-- && !check_failed)
		follow(seed++, in_chunks);
}

/* ---- a recorder that is late --------------------------------------------------------------- */

struct moves {
	unsigned int n;
	uint8_t old[8], new[8];
};

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct moves *m = arg;

	if (ev->type == TCPFSM_EVENT_TRANSITION && m->n < 8) {
		m->old[m->n] = ev->old_state;
		m->new[m->n++] = ev->new_state;
	}
	return 0;
}

static struct tcpfsm_follow *follow(struct moves *m, bool growing)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_follow_options o = {
		.size = sizeof(o), .recording = dir, .growing = growing, .model = &mo, .event = on_event, .arg = m,
	};
	struct tcpfsm_follow *f = NULL;

	*m = (struct moves) { .n = 0 };
	CHECK_EQ(tcpfsm_follow_open(&f, &o, NULL, NULL), 0);
	return f;
}

static void put_state(uint8_t old, uint8_t new, uint8_t flags)
{
	struct tcpfsm_record r = some_record(TCPFSM_TYPE_STATE);

	r.conn = 2;
	r.old_state = old;
	r.new_state = new;
	r.flags = flags;
	if (new == TCPFSM_STATE_CLOSE) {
		r.verdict = TCPFSM_TW_ENTER;
		r.reason = TCPFSM_STATE_TIME_WAIT;
	}
	put(0, r, ++cpus[0].seq, 0);
	CHECK_EQ(ctf_writer_flush(rec.w, UINT64_MAX), 0);
}

/* What waits for its successor waits for what the recorder tells, however long that takes. */
static void test_late(void)
{
	struct moves followed, after;
	struct tcpfsm_follow *f;
	unsigned int i;

	seed_random(1);
	begin(false);
	put_state(TCPFSM_STATE_ESTABLISHED, TCPFSM_STATE_FIN_WAIT1, TCPFSM_F_TASK);
	put_state(TCPFSM_STATE_FIN_WAIT1, TCPFSM_STATE_FIN_WAIT2, 0);
	rec.now += 1000;
	tell(rec.now);
	f = follow(&followed, true);
	for (i = 0; i < 50; i++)
		CHECK_EQ(tcpfsm_follow_step(f, 0, 50), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(followed.n, 1);
	put_state(TCPFSM_STATE_FIN_WAIT2, TCPFSM_STATE_CLOSE, TCPFSM_F_SAME_SEGMENT);
	/* And not for ever, when nothing comes. */
	rec.now += TICK;
	put_state(TCPFSM_STATE_ESTABLISHED, TCPFSM_STATE_FIN_WAIT1, TCPFSM_F_TASK);
	put_state(TCPFSM_STATE_FIN_WAIT1, TCPFSM_STATE_FIN_WAIT2, 0);
	tell(rec.now + 2 * TICK);
	for (i = 0; i < 10; i++)
		CHECK_EQ(tcpfsm_follow_step(f, 0, 50), TCPFSM_FOLLOW_IDLE);
	CHECK(followed.n > 2 && followed.new[followed.n - 1] == TCPFSM_STATE_FIN_WAIT2);
	finish();
	while (tcpfsm_follow_step(f, 0, 50) != TCPFSM_FOLLOW_END)
		;
	tcpfsm_follow_close(f);

	f = follow(&after, false);
	while (tcpfsm_follow_step(f, 0, 0) != TCPFSM_FOLLOW_END)
		;
	tcpfsm_follow_close(f);
	CHECK(!memcmp(&after, &followed, sizeof(after)));
	wipe();
}

static uint64_t told_by_recorder(void)
{
	struct progress p = { .upto = 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	CHECK(progress_read(fd, &p));
	close(fd);
	return p.upto;
}

static void drain_for(struct tcpfsm_recorder *r, struct ring_writer *w, uint64_t ns)
{
	uint64_t end = monotonic_ns() + ns;

	while (monotonic_ns() < end) {
		struct tcpfsm_record record = { .type = TCPFSM_TYPE_STATE, .ts = monotonic_ns() };

		if (w)
			writer_put(w, &record);
		CHECK(tcpfsm_recorder_drain(r) >= 0);
		usleep(5000);
	}
}

/* A CPU is put aside amid a record: nothing that is younger is told before it is there, or never comes. */
static void test_flight(void)
{
	struct tcpfsm_recorder *r;
	struct ring_writer w[2];
	struct ring_reader readers[2];
	ring_word *slot;
	uint64_t ts;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		writer_init(&w[i], 1024, i);
		writer_attach(&w[i], &readers[i], false);
	}
	CHECK_EQ(recorder_open_rings(&r, readers, 2, dir, NULL, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	/* Otherwise it waits for a full packet, or for a second. */
	drain_for(r, NULL, NSEC_PER_SEC / 2);
	slot = writer_begin(&w[1]);
	ts = monotonic_ns();
	drain_for(r, NULL, NSEC_PER_SEC / 2);
	CHECK(told_by_recorder() && told_by_recorder() <= ts);
	slot[1] = ts;
	writer_end(&w[1], slot);
	drain_for(r, &w[0], 3 * NSEC_PER_SEC / 2);
	CHECK(told_by_recorder() > ts);
	writer_begin(&w[1]);
	ts = monotonic_ns();
	drain_for(r, NULL, 5 * NSEC_PER_SEC / 2);
	CHECK(told_by_recorder() > ts);
	CHECK_EQ(tcpfsm_recorder_close(r, NULL), 0);
	writer_free(&w[0]);
	writer_free(&w[1]);
	wipe();
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	unsigned int seeds = argc > 2 ? (unsigned int)atoi(argv[2]) : 12;

	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/rec", top);
	TEST("following: in turn", many(follow_in_turn, seed, seeds, false));
	TEST("following: in turn, in chunks", many(follow_in_turn, seed, seeds, true));
	TEST("following: beside it", many(follow_beside, seed, seeds, false));
	TEST("following: beside it, in chunks", many(follow_beside, seed, seeds, true));
	TEST("following: what waits for its successor, and the recorder is late", test_late());
	TEST("following: a record on its way", test_flight());
	rmdir(top);
	return check_done();
}
