// SPDX-License-Identifier: GPL-2.0-only
/* Recordings that are compressed: read as before, made plain again, cut, damaged, made to do harm; and while it is done. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/ctf.h"
#include "../../userspace/lib/source/packed.h"
#include "../../userspace/lib/source/packer.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

#define RECORDS		3000		/* of each of two CPUs: some frames */

static char top[] = "/dev/shm/tcpfsm-packed-XXXXXX";
static char dir[sizeof(top) + 8];

static const char *path(const char *name)
{
	static char buf[2][PATH_MAX];
	static int i;

	i = !i;
	snprintf(buf[i], sizeof(buf[i]), "%s/%s", dir, name);
	return buf[i];
}

static int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *fmt, ...)
{
	char cmd[2 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void wipe(void)
{
	CHECK(!shell("rm -rf %s %s.*", dir, dir));
}

static bool there(const char *name)
{
	return !access(path(name), F_OK);
}

static char *slurp(const char *name, size_t *len)
{
	int fd = open(path(name), O_RDONLY);
	char *buf = malloc(8 << 20);
	ssize_t n = read(fd, buf, 8 << 20);

	CHECK(fd >= 0 && n >= 0);
	close(fd);
	*len = n > 0 ? (size_t)n : 0;
	return buf;
}

static void spew(const char *name, const void *buf, size_t len)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, buf, len) == (ssize_t)len);
	close(fd);
}

/* ---- recordings ------------------------------------------------------------------ */

static struct tcpfsm_record make(uint32_t cpu, uint64_t seq, uint64_t ts)
{
	struct tcpfsm_record rec;

	memset(&rec, (int)(seq * 7 + cpu), sizeof(rec));
	rec.seq = seq;
	rec.ts = ts;
	rec.type = TCPFSM_TYPE_STATE;
	rec.conn = seq * 1000 + cpu;
	return rec;
}

static void write_record(struct ctf_writer *w, unsigned int stream, const struct tcpfsm_record *rec)
{
	struct ctf_event *ev;
	size_t room;

	ev = ctf_writer_room(w, stream, &room);
	CHECK(ev && room);
	memcpy(&ev->ts, &rec->ts, sizeof(*rec) - sizeof(rec->seq));
	ev->seq = rec->seq;
	CHECK_EQ(ctf_writer_commit(w, stream, 1, 0, rec->ts), 0);
}

static void write_recording(void)
{
	struct ctf_env env = { .module_version = "1.0", .uuid = { 1 } };
	struct ctf_writer *w;
	struct tcpfsm_record rec;
	uint64_t i;

	wipe();
	CHECK_EQ(ctf_writer_open(&w, dir, 2, &env), 0);
	for (i = 1; i <= RECORDS; i++) {
		rec = make(0, i, i * 10);
		write_record(w, 0, &rec);
		rec = make(1, i, i * 10 + 5);
		write_record(w, 1, &rec);
		if (i > 100)
			continue;
		rec.type = TCPFSM_TYPE_SOCKET;
		write_record(w, ctf_writer_sockets(w), &rec);
		rec.type = TCPFSM_TYPE_TOTAL;
		write_record(w, ctf_writer_totals(w), &rec);
	}
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
}

static int pack(void)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY), err = pack_streams(fd, NULL, NULL);

	close(fd);
	return err;
}

static void write_packed(void)
{
	write_recording();
	CHECK_EQ(pack(), 0);
	CHECK(there("cpu_0.zst") && there("cpu_1.zst") && there("sockets.zst") && there("totals.zst"));
	CHECK(!there("cpu_0") && !there("cpu_1") && there("marks"));
}

struct outcome {
	int open, end;
	uint64_t cpu[2], others, lost, first[2];
	bool ordered, intact;
	char error[256], missing[512];
};

static struct outcome read_all(void)
{
	struct outcome o = { .ordered = true, .intact = true };
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	uint64_t last = 0;

	o.open = tcpfsm_source_open_recording(&src, dir, NULL);
	if (o.open)
		return o;
	while ((o.end = tcpfsm_source_next(src, &item)) == 1) {
		struct tcpfsm_record rec = make(item->cpu, item->rec.seq, item->rec.ts);

		if (item->lost || item->rec.type != TCPFSM_TYPE_STATE) {
			o.lost += item->lost;
			o.others += !item->lost;
			continue;
		}
		o.ordered &= item->rec.ts >= last;
		last = item->rec.ts;
		o.intact &= !memcmp(&rec, &item->rec, sizeof(rec));
		if (!o.cpu[item->cpu & 1]++)
			o.first[item->cpu & 1] = item->rec.seq;
	}
	snprintf(o.error, sizeof(o.error), "%s", tcpfsm_source_error(src));
	snprintf(o.missing, sizeof(o.missing), "%s", tcpfsm_source_missing(src));
	tcpfsm_source_close(src);
	return o;
}

static bool whole(const struct outcome *o)
{
	return !o->open && !o->end && o->cpu[0] == RECORDS && o->cpu[1] == RECORDS && o->others == 200 && o->ordered &&
	       o->intact && !*o->missing;
}

/* Nothing that was begun is left. */
static bool is_clean(void)
{
	return !shell("test -z \"$(find %s -name '.?*')\"", dir);
}

/* ---- as it should be ------------------------------------------------------------------ */

static void test_round_trip(void)
{
	char why[256];
	struct outcome o;

	write_recording();
	CHECK(!shell("cp -r %s %s.plain && { ! command -v babeltrace2 >/dev/null || babeltrace2 %s >%s.text; }", dir, dir, dir, dir));
	CHECK_EQ(pack(), 0);
	o = read_all();
	CHECK(whole(&o));
	/* Any zstd reads it. */
	CHECK(!shell("cd %s && ! command -v zstd >/dev/null || zstd -dc cpu_1.zst 2>%s.err | cmp - %s.plain/cpu_1", dir, dir, dir));
	CHECK(!shell("test $(du -b %s/cpu_0.zst | cut -f1) -lt $(($(du -b %s.plain/cpu_0 | cut -f1) / 4))", dir, dir));
	CHECK(!shell("test $(stat -c %%a %s/cpu_0.zst) = 600", dir));
	/* Twice is once. */
	CHECK_EQ(pack(), 0);
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), 0);
	CHECK(!shell("diff -r %s %s.plain", dir, dir));
	CHECK(!shell("! command -v babeltrace2 >/dev/null || babeltrace2 %s | cmp - %s.text", dir, dir));
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), 0);
	o = read_all();
	CHECK(whole(&o));
	wipe();
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), -ENOENT);
}

/* What does not get smaller stays. */
static void test_incompressible(void)
{
	static uint8_t noise[128 << 10];
	unsigned int state = 7, i;
	size_t len;
	char *buf;

	write_recording();
	for (i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(rand_r(&state) >> 8);
	spew("cpu_2", noise, sizeof(noise));
	CHECK_EQ(pack(), 0);
	CHECK(there("cpu_2") && !there("cpu_2.zst") && there("cpu_1.zst") && is_clean());
	buf = slurp("cpu_2", &len);
	CHECK(len == sizeof(noise) && !memcmp(buf, noise, len));
	free(buf);
	wipe();
}

static bool after_some(void *arg)
{
	return ++*(unsigned int *)arg > 5;
}

/* What a crash or who gives up leaves: one or the other. */
static void test_crash(void)
{
	unsigned int n = 0;
	struct outcome o;
	int fd;

	write_recording();
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(pack_streams(fd, after_some, &n), -ECANCELED);
	close(fd);
	CHECK(there("cpu_0") && there("cpu_1") && !there("cpu_0.zst") && !there("cpu_1.zst") && is_clean());

	spew(".cpu_0.zst", "half of it", 10);
	o = read_all();
	CHECK(whole(&o));
	CHECK(!shell("cd %s && cp cpu_0 /dev/shm/.tcpfsm-cpu_0", dir));
	CHECK_EQ(pack(), 0);
	CHECK(is_clean());
	/* Both: the plain one counts, whatever the other is. */
	CHECK(!shell("cd %s && mv /dev/shm/.tcpfsm-cpu_0 cpu_0", dir));
	o = read_all();
	CHECK(whole(&o));
	spew("cpu_0.zst", "nothing of the kind", 19);
	o = read_all();
	CHECK(whole(&o));
	CHECK_EQ(tcpfsm_recording_unpack(dir, (char [256]){ "" }, 256), 0);
	CHECK(!there("cpu_0.zst"));
	o = read_all();
	CHECK(whole(&o));
	wipe();
}

/* ---- damaged, and made to do harm ---------------------------------------------------------- */

/* In the place of cpu_0.zst: told in one line, after all that is good. */
static void refused(const void *buf, size_t len)
{
	struct rusage before, after;
	char why[256];
	struct outcome o;

	spew("cpu_0.zst", buf, len);
	getrusage(RUSAGE_SELF, &before);
	o = read_all();
	CHECK(!o.open && o.ordered && o.intact);
	if (o.end)
		CHECK(!strncmp(o.error, "cpu_0.zst: ", 11) && !strchr(o.error, '\n'));
	else	/* It tells that it is shorter, and that by whole frames; or only its checksum is gone. */
		CHECK(o.cpu[0] == RECORDS || strstr(o.missing, "file cpu_0 cut: shorter than recorded"));
	CHECK(!o.end || o.end == -EBADMSG);
	CHECK_EQ(o.cpu[1], RECORDS);
	/* There are bits that mean nothing. */
	if (tcpfsm_recording_unpack(dir, why, sizeof(why)))
		CHECK(!strncmp(why, "cpu_0.zst: ", 11) && !there("cpu_0"));
	else
		CHECK(o.cpu[0] == RECORDS && !unlink(path("cpu_0")));
	/* What is wrong with one of them is no reason for the others. */
	CHECK(there("cpu_1") && is_clean());
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 16 << 10);
}

static void test_cut(void)
{
	size_t len, n;
	struct outcome o;
	char *buf;

	write_packed();
	buf = slurp("cpu_0.zst", &len);
	for (n = 0; n < len; n += n < 60 || n > len - 30 ? 1 : len / 50)
		refused(buf, n);
	/* Before it is read, too: what its marks tell is not there. */
	spew("cpu_0.zst", buf, len - 1);
	o = read_all();
	CHECK(strstr(o.missing, "file cpu_0 cut: shorter than recorded"));
	unlink(path("cpu_0.zst"));
	o = read_all();
	CHECK(!o.end && !o.cpu[0] && strstr(o.missing, "file cpu_0 missing"));
	free(buf);
	wipe();
}

static void test_damaged(void)
{
	unsigned int state = 5, i;
	size_t len;
	char *buf;

	write_packed();
	buf = slurp("cpu_0.zst", &len);
	for (i = 0; i < 300; i++) {
		size_t at = (size_t)rand_r(&state) % len;
		char was = buf[at];

		buf[at] ^= (char)(1 << i % 8);
		refused(buf, len);
		buf[at] = was;
	}
	refused("garbage", 7);
	memset(buf, 'x', len);
	refused(buf, len);
	memset(buf, 0, len);
	refused(buf, len);
	free(buf);
	wipe();
}

/* A file of frames that tells so many bytes. */
static size_t begin_file(char *buf, uint64_t plain)
{
	const uint64_t rest[2] = { plain, 0 };

	memcpy(buf, &(uint32_t [2]){ 0x184d2a50, 16 }, 8);
	memcpy(buf + 8, rest, 16);
	return 24;
}

static size_t frame(char *to, const char *zeros, size_t len)
{
	return ZSTD_compress(to, ZSTD_compressBound(len), zeros, len, 1);
}

static void test_bombs(void)
{
	char *buf = malloc(16 << 20), *zeros = calloc(1, 256 << 20);
	size_t len, one, big = 256 << 20, i;
	uint64_t lie;

	write_packed();
	/* One frame of a quarter of a gigabyte. */
	len = begin_file(buf, big);
	len += frame(buf + len, zeros, big);
	refused(buf, len);
	/* Gigabytes of zeros, frame by frame, in a megabyte. */
	len = begin_file(buf, 4ULL << 30);
	one = frame(buf + len, zeros, PACKED_FRAME);
	for (i = 1; i < (4ULL << 30) / PACKED_FRAME && len + (i + 1) * one < 16 << 20; i++)
		memcpy(buf + len + i * one, buf + len, one);
	refused(buf, len + i * one);
	/* Frames of nothing, and such as are skipped, without end. */
	len = begin_file(buf, 4ULL << 30);
	one = frame(buf + len, zeros, 0);
	for (i = 1; i < 100000; i++)
		memcpy(buf + len + i * one, buf + len, one);
	refused(buf, len + i * one);
	len = begin_file(buf, 4ULL << 30);
	for (i = 0; i < 100000; i++)
		memcpy(buf + len + 8 * i, &(uint32_t [2]){ 0x184d2a51, 0 }, 8);
	refused(buf, len + 8 * i);
	/* A frame that is not as long as it tells: 4 bytes of its size are behind 5 of its header. */
	len = begin_file(buf, 1 << 20);
	one = frame(buf + len, zeros, 1 << 20);
	lie = PACKED_FRAME;
	memcpy(buf + len + 5, &lie, 4);
	refused(buf, len + one);
	len = begin_file(buf, PACKED_FRAME);
	/* Pieces of packets are as long as pages. */
	one = frame(buf + len, zeros, 100);
	refused(buf, len + one);
	free(buf);
	free(zeros);
	/* More than there is room for is told before it is tried. */
	write_packed();
	buf = slurp("cpu_1.zst", &len);
	begin_file(buf, 1ULL << 60);
	spew("cpu_1.zst", buf, len);
	unlink(path("cpu_0.zst"));
	CHECK_EQ(tcpfsm_recording_unpack(dir, (char [256]){ "" }, 256), -ENOSPC);
	CHECK(is_clean());
	free(buf);
	wipe();
}

/* Files that are none. */
static void test_odd_files(void)
{
	struct outcome o;
	char why[256];

	write_packed();
	CHECK(!shell("cd %s && rm cpu_0.zst && mkfifo cpu_0.zst", dir));
	o = read_all();
	CHECK_EQ(o.open, -EBADMSG);
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), -EBADMSG);
	CHECK(!shell("cd %s && rm cpu_0.zst && ln -s marks cpu_0.zst", dir));
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), -EBADMSG);
	write_packed();
	/* Where it writes there is nobody else's file. */
	CHECK(!shell("cd %s && rm -f cpu_0.zst .cpu_1 && echo precious >%s.other && ln -s %s.other .cpu_1", dir, dir, dir));
	CHECK_EQ(tcpfsm_recording_unpack(dir, why, sizeof(why)), 0);
	CHECK(!shell("grep -q precious %s.other", dir));
	CHECK(there("cpu_1") && is_clean());
	wipe();
}

/* ---- by a recorder --------------------------------------------------------------------- */

static struct ring_writer rings[2];
static struct ring_reader readers[2];

static struct tcpfsm_recorder *begin(uint64_t keep, bool compress, bool compress_end)
{
	const struct tcpfsm_recorder_options opts = {
		.size = sizeof(opts), .keep_bytes = keep, .compress = compress, .compress_end = compress_end,
	};
	struct tcpfsm_recorder *rec;
	unsigned int i;

	wipe();
	for (i = 0; i < 2; i++) {
		writer_init(&rings[i], 1024, i);
		writer_attach(&rings[i], &readers[i], false);
	}
	CHECK_EQ(recorder_open_rings(&rec, readers, 2, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	return rec;
}

static void put(unsigned int cpu, uint64_t ts)
{
	struct tcpfsm_record rec = make(cpu, rings[cpu].pos + 1, ts);

	writer_put(&rings[cpu], &rec);
}

static void put_some(struct tcpfsm_recorder *rec, unsigned int n, uint64_t *ts)
{
	while (n--) {
		put(0, ++*ts);
		put(1, ++*ts);
	}
	CHECK(tcpfsm_recorder_drain(rec) >= 0);
}

static void finish(struct tcpfsm_recorder *rec)
{
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	writer_free(&rings[0]);
	writer_free(&rings[1]);
}

static void test_end(uint64_t keep)
{
	struct tcpfsm_recorder *rec = begin(keep, keep, true);
	struct outcome o;
	uint64_t ts = 0;
	unsigned int i;

	for (i = 0; i < 40; i++)
		put_some(rec, 500, &ts);
	finish(rec);
	CHECK(!shell("test -z \"$(find %s -name 'cpu_?')\" && test -n \"$(find %s -name cpu_0.zst)\"", dir, dir));
	o = read_all();
	CHECK(!o.open && !o.end && o.intact && o.ordered && !*o.missing && !o.lost);
	CHECK_EQ(o.cpu[0] + o.cpu[1], 40000);
	CHECK_EQ(tcpfsm_recording_unpack(dir, (char [256]){ "" }, 256), 0);
	CHECK(!shell("test -z \"$(find %s -name '*.zst')\"", dir));
	o = read_all();
	CHECK(!o.open && !o.end && o.intact && !*o.missing && o.cpu[0] == 20000);
	wipe();
}

static uint64_t blocks;

static int add_blocks(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)name;
	(void)type;
	(void)at;
	blocks += (uint64_t)st->st_blocks;
	return 0;
}

static unsigned int plain;

static int count_plain(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	plain += !strcmp(name + at->base, "cpu_0");
	return 0;
}

/*
 * All that is closed is compressed, but for one.  On a busy machine the thread would get no time: it has as much as
 * others here.
 */
static void let_it_pack(void)
{
	const struct sched_param other = { .sched_priority = 0 };
	unsigned int tries;
	struct dirent *e;
	DIR *d;

	for (tries = 0; tries < 10000; tries++) {
		d = opendir("/proc/self/task");
		while (d && (e = readdir(d)))
			(void)!sched_setscheduler(atoi(e->d_name), SCHED_OTHER, &other);
		if (d)
			closedir(d);
		plain = 0;
		nftw(dir, count_plain, 16, FTW_PHYS);
		if (plain <= 2)
			return;
		usleep(2000);
	}
}

/* More of the past in the same room, and never more than that; read while it goes on. */
static void test_keep(void)
{
	const uint64_t keep = 4 << 20;
	struct tcpfsm_recorder *rec = begin(keep, true, false);
	uint64_t ts = 0, most = 0;
	unsigned int i, read = 0;
	struct outcome o;

	for (i = 0; i < 400; i++) {
		put_some(rec, 500, &ts);
		blocks = 0;
		nftw(dir, add_blocks, 16, FTW_PHYS);
		most = blocks * 512 > most ? blocks * 512 : most;
		if (i % 20 == 19) {
			o = read_all();
			CHECK(!o.open && o.intact && o.ordered && !o.lost);
			CHECK_EQ(o.end, 0);
			CHECK_EQ(o.cpu[0], o.cpu[1]);
			read++;
		}
		let_it_pack();
	}
	CHECK(read == 20 && most <= keep);
	finish(rec);
	o = read_all();
	CHECK(!o.open && !o.end && o.intact && o.ordered && !*o.missing && !o.lost);
	CHECK_EQ(o.first[0] + o.cpu[0], 200001);
	/* 128 bytes for each. */
	CHECK(o.cpu[0] + o.cpu[1] > 2 * keep / 128);
	CHECK(is_clean());
	wipe();
}

static struct packer *packer;

static void *make_chunks(void *arg)
{
	unsigned int i;

	for (i = 1; i <= 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%06u", i);
		mkdir(path(name), 0700);
		CHECK(!link(path("../sample"), path(strcat(name, "/cpu_0"))));
		packer_tell(packer, i, i > 3 ? i - 2 : 1);
		if (i > 3)
			chunk_remove(*(int *)arg, i - 3);
		usleep(i % 7 * 100);
	}
	return NULL;
}

/* The chunk that it is at is removed: nothing is left of it. */
static void test_removed(void)
{
	pthread_t thread;
	int dirfd;

	write_recording();
	CHECK(!shell("mv %s/cpu_0 %s/sample && rm -r %s && mkdir %s", dir, top, dir, dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(packer_open(&packer, dirfd), 0);
	pthread_create(&thread, NULL, make_chunks, &dirfd);
	pthread_join(thread, NULL);
	packer_close(packer, true);
	close(dirfd);
	CHECK(!shell("test \"$(find %s | sort | tr '\\n' ' ')\" = \"%s %s/000298 %s/000298/cpu_0.zst %s/000299 %s/000299/cpu_0.zst "
		     "%s/000300 %s/000300/cpu_0.zst \"", dir, dir, dir, dir, dir, dir, dir, dir));
	wipe();
}

int main(void)
{
	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/rec", top);
	TEST("packed: read as it was, and plain again", test_round_trip());
	TEST("packed: what does not get smaller stays as it is", test_incompressible());
	TEST("packed: a crash leaves one or the other", test_crash());
	TEST("packed: cut at any length", test_cut());
	TEST("packed: damaged", test_damaged());
	TEST("packed: frames that lie, and gigabytes of zeros", test_bombs());
	TEST("packed: files that are none", test_odd_files());
	TEST("packed: a recording when it ends", test_end(0));
	TEST("packed: chunks when it ends", test_end(16 << 20));
	TEST("packed: more of the past in the same room", test_keep());
	TEST("packed: a chunk that is removed meanwhile", test_removed());
	wipe();
	CHECK(!shell("rm -rf %s", top));
	return check_done();
}
