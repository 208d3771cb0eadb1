// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: written and read back, cut off everywhere, damaged at random,
 * and things that are not recordings.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/ctf.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

#define EPOCH_OFFSET	1700000000123456789LL

/* In memory: each recording waits until it is on its disk. */
static char top[] = "/dev/shm/tcpfsm-test-XXXXXX";
static char dir[sizeof(top) + 16];
static uint64_t random_state = 88172645463325252ULL;

static uint64_t rnd64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint32_t rnd(uint32_t below)
{
	return (uint32_t)(rnd64() >> 33) % below;
}

/* ---- files -------------------------------------------------------------------- */

static const char *path(const char *name)
{
	static char buf[2][sizeof(dir) + NAME_MAX + 2];
	static int i;

	i = !i;
	snprintf(buf[i], sizeof(buf[i]), "%s/%s", dir, name);
	return buf[i];
}

static void wipe(void)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && unlink(path(e->d_name)))
			rmdir(path(e->d_name));
	if (d)
		closedir(d);
	rmdir(dir);
}

static size_t slurp(const char *name, char *buf, size_t size)
{
	int fd = open(path(name), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void spew(const char *name, const void *buf, size_t len)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && write(fd, buf, len) == (ssize_t)len);
	close(fd);
}

/* ---- synthetic recordings ------------------------------------------------------ */

/* A record that says in every byte which one it is. */
static struct tcpfsm_record make(uint32_t cpu, uint64_t seq, uint64_t ts)
{
	struct tcpfsm_record rec;

	memset(&rec, (int)(seq * 7 + cpu), sizeof(rec));
	rec.seq = seq;
	rec.ts = ts;
	rec.type = (uint8_t)(1 + seq % 11);
	rec.conn = seq * 1000 + cpu;
	return rec;
}

static void write_record(struct ctf_writer *w, uint32_t cpu, const struct tcpfsm_record *rec,
			 uint64_t lost)
{
	struct ctf_event *ev;
	size_t room = 0;

	ev = ctf_writer_room(w, cpu, &room);
	CHECK(ev && room);
	memcpy(&ev->ts, &rec->ts, sizeof(*rec) - sizeof(rec->seq));
	ev->seq = rec->seq;
	CHECK_EQ(ctf_writer_commit(w, cpu, 1, lost, rec->ts), 0);
}

static struct ctf_writer *writer(unsigned int cpus)
{
	struct ctf_env env = { .epoch_offset = EPOCH_OFFSET, .module_version = "1.0" };
	struct ctf_writer *w = NULL;
	size_t i;

	for (i = 0; i < sizeof(env.uuid); i++)
		env.uuid[i] = (uint8_t)(0x10 + i);
	wipe();
	CHECK_EQ(ctf_writer_open(&w, dir, cpus, &env), 0);
	return w;
}

/* Two CPUs, two packets of three records each, a gap of 5 before the second of cpu 1. */
#define SMALL_PACKET	CTF_ALIGN

/*
 * Where a file is cut next: at each place about the borders of its packets, and at one of seven
 * elsewhere, which is each place of a record, too.
 */
static size_t next_cut(size_t len)
{
	size_t at = len % SMALL_PACKET;

	return len + (at < 2 * CTF_UNIT || at >= SMALL_PACKET - 8 ? 1 : 7);
}

static void write_small(void)
{
	struct ctf_writer *w = writer(2);
	struct tcpfsm_record rec;
	uint64_t i;

	for (i = 1; i <= 6; i++) {
		rec = make(0, i, i * 10);
		write_record(w, 0, &rec, 0);
		rec = make(1, i > 3 ? i + 5 : i, i * 10);
		write_record(w, 1, &rec, i == 4 ? 5 : 0);
		if (i == 3)
			ctf_writer_flush(w, UINT64_MAX);
	}
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
}

struct outcome {
	int open, end;
	const char *why;
	uint64_t delivered, lost, per_cpu[256];
	bool ordered, intact;
	enum tcpfsm_end how;
	unsigned int code;
	char error[256], missing[512];
};

/* Reads it all; checks each record against make(). */
static struct outcome read_all(void)
{
	uint64_t delivered, lost, last_ts = 0, last_cpu = 0;
	struct outcome o = { .ordered = true, .intact = true };
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	unsigned int again;

	o.open = tcpfsm_source_open_recording(&src, dir, &o.why);
	if (o.open) {
		CHECK(!src && o.why && *o.why);
		return o;
	}
	CHECK_EQ(tcpfsm_source_wait(src, -1), 1);
	while ((o.end = tcpfsm_source_next(src, &item)) == 1) {
		struct tcpfsm_record rec;

		if (item->lost) {
			o.lost += item->lost;
			continue;
		}
		o.delivered++;
		o.per_cpu[item->cpu % 256]++;
		if (item->rec.ts < last_ts || (item->rec.ts == last_ts && item->cpu < last_cpu))
			o.ordered = false;
		last_ts = item->rec.ts;
		last_cpu = item->cpu;
		rec = make(item->cpu, item->rec.seq, item->rec.ts);
		if (memcmp(&rec, &item->rec, sizeof(rec)))
			o.intact = false;
	}
	/* It stays at its end. */
	for (again = 0; again < 2; again++)
		CHECK_EQ(tcpfsm_source_next(src, &item), o.end);
	CHECK(o.end == 0 || o.end == -EBADMSG);
	snprintf(o.error, sizeof(o.error), "%s", tcpfsm_source_error(src));
	CHECK(!o.error[0] == !o.end);
	o.how = tcpfsm_source_end(src, &o.code);
	snprintf(o.missing, sizeof(o.missing), "%s", tcpfsm_source_missing(src));
	tcpfsm_source_counts(src, &delivered, &lost);
	CHECK_EQ(delivered, o.delivered);
	CHECK_EQ(lost, o.lost);
	tcpfsm_source_close(src);
	return o;
}

/* ---- the sockets of a snapshot --------------------------------------------------- */

/* Like write_small(), and four sockets in two packets: read in the middle of it. */
static struct tcpfsm_record make_socket(uint64_t seq)
{
	struct tcpfsm_record rec = make(77, seq, 30 + seq / 3);

	rec.type = TCPFSM_TYPE_SOCKET;
	return rec;
}

static void write_socket(struct ctf_writer *w, uint64_t seq)
{
	struct tcpfsm_record rec = make_socket(seq);

	write_record(w, ctf_writer_sockets(w), &rec, 0);
}

static void write_with_sockets(void)
{
	struct ctf_writer *w = writer(2);
	struct tcpfsm_record rec;
	uint64_t i;

	for (i = 1; i <= 6; i++) {
		rec = make(0, i, i * 10);
		write_record(w, 0, &rec, 0);
		rec = make(1, i, i > 3 ? i * 10 : 0);
		write_record(w, 1, &rec, 0);
		if (i <= 4)
			write_socket(w, i);
		if (i == 2)
			CHECK_EQ(ctf_writer_flush(w, UINT64_MAX), 0);
	}
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
}

/* Reads all, the sockets first and whole, then the records.  Return: the end. */
static int read_sockets(uint64_t *sockets, uint64_t *records, char error[256])
{
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	uint64_t n, delivered;
	const char *why;
	int rc;

	*sockets = *records = 0;
	error[0] = '\0';
	rc = tcpfsm_source_open_recording(&src, dir, &why);
	CHECK_EQ(rc, 0);
	if (rc)
		return rc;
	while ((rc = tcpfsm_source_next(src, &item)) == 1) {
		struct tcpfsm_record rec = make_socket(*sockets + 1);

		if (item->lost || item->rec.type != TCPFSM_TYPE_SOCKET) {
			*records += !item->lost;
			continue;
		}
		++*sockets;
		CHECK_EQ(*records, 0);
		CHECK_EQ(item->cpu, 0);
		CHECK(!memcmp(&rec, &item->rec, sizeof(rec)));
	}
	CHECK_EQ(tcpfsm_source_snapshot(src, &n), 0);
	CHECK_EQ(n, *sockets);
	tcpfsm_source_counts(src, &delivered, NULL);
	CHECK_EQ(delivered, *records);
	snprintf(error, 256, "%s", tcpfsm_source_error(src));
	tcpfsm_source_close(src);
	return rc;
}

static void write_mark(struct ctf_writer *w, uint64_t seq, uint32_t what, uint64_t ts)
{
	struct tcpfsm_record rec = {
		.type = TCPFSM_TYPE_SOCKET, .seq = seq, .ts = ts, .snd = what,
	};

	write_record(w, ctf_writer_sockets(w), &rec, 0);
}

/* Sockets read again come when that began, all of them, whatever their time. */
static void test_sockets_again(void)
{
	/* Letters: record, socket, beginning and end; two readings, the last behind all records. */
	static const char order[] = "ss" "rrrrrr" "bsse" "rrrrrr" "be";
	const struct tcpfsm_item *item;
	char got[sizeof(order) + 8] = "";
	struct tcpfsm_source *src;
	struct tcpfsm_record rec;
	struct ctf_writer *w;
	const char *why;
	uint64_t i, n;
	size_t len = 0;

	w = writer(2);
	for (i = 1; i <= 6; i++) {
		rec = make(0, i, i * 10);
		write_record(w, 0, &rec, 0);
		rec = make(1, i, i * 10 + 1);
		write_record(w, 1, &rec, 0);
	}
	write_socket(w, 1);
	write_socket(w, 2);
	write_mark(w, 3, TCPFSM_RESYNC_BEGIN, 35);
	for (i = 4; i <= 5; i++) {
		rec = make_socket(i);
		rec.ts = 30 + i * 10;
		write_record(w, ctf_writer_sockets(w), &rec, 0);
	}
	write_mark(w, 6, TCPFSM_RESYNC_END, 85);
	write_mark(w, 7, TCPFSM_RESYNC_BEGIN, 90);
	write_mark(w, 8, TCPFSM_RESYNC_END, 91);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, &why), 0);
	CHECK_EQ(tcpfsm_source_resync(src), 0);
	while (tcpfsm_source_next(src, &item) == 1 && len < sizeof(got) - 1)
		got[len++] = item->rec.type != TCPFSM_TYPE_SOCKET ? 'r' : item->rec.conn ? 's' :
			     item->rec.snd == TCPFSM_RESYNC_BEGIN ? 'b' : 'e';
	CHECK(!strcmp(got, order));
	CHECK_EQ(tcpfsm_source_snapshot(src, &n), 0);
	CHECK_EQ(n, 2);
	tcpfsm_source_close(src);
}

static void test_sockets(void)
{
	char file[2 * SMALL_PACKET], other[2 * SMALL_PACKET], error[256];
	uint64_t sockets, records;
	struct ctf_writer *w;
	size_t len, i;

	write_with_sockets();
	CHECK_EQ(read_sockets(&sockets, &records, error), 0);
	CHECK_EQ(sockets, 4);
	CHECK_EQ(records, 12);

	/* Cut off. */
	CHECK_EQ(slurp("sockets", file, sizeof(file)), sizeof(file));
	for (len = 0; len <= sizeof(file); len = next_cut(len)) {
		spew("sockets", file, len);
		CHECK_EQ(read_sockets(&sockets, &records, error),
			 len % SMALL_PACKET ? -EBADMSG : 0);
		CHECK_EQ(sockets, len / SMALL_PACKET * 2);
		CHECK_EQ(records, 12);
		if (len == SMALL_PACKET + 100)
			CHECK(!strcmp(error, "sockets: truncated packet at byte 4096"));
	}

	/* Of something else than sockets, of another CPU, with a count of lost ones. */
	CHECK_EQ(slurp("cpu_0", other, sizeof(other)), sizeof(other));
	spew("sockets", other, sizeof(other));
	CHECK_EQ(read_sockets(&sockets, &records, error), -EBADMSG);
	CHECK(!sockets && records == 12);
	CHECK(!strcmp(error, "sockets: record that is no socket at byte 128"));
	CHECK_EQ(slurp("cpu_1", other, sizeof(other)), sizeof(other));
	spew("sockets", other, sizeof(other));
	CHECK_EQ(read_sockets(&sockets, &records, error), -EBADMSG);
	CHECK(!sockets && records == 12 && strstr(error, "another CPU"));
	memcpy(other, file, sizeof(file));
	other[offsetof(struct ctf_packet, events_discarded)] = 1;
	spew("sockets", other, sizeof(other));
	CHECK_EQ(read_sockets(&sockets, &records, error), -EBADMSG);
	CHECK(!sockets && records == 12 && strstr(error, "lost records"));

	/* Any bit of a packet's header. */
	for (i = 0; i < 8 * CTF_UNIT; i++) {
		memcpy(other, file, sizeof(file));
		other[SMALL_PACKET + i / 8] ^= (char)(1 << i % 8);
		spew("sockets", other, sizeof(other));
		CHECK(read_sockets(&sockets, &records, error) != 0 || sockets == 4);
		CHECK(sockets >= 2 && sockets <= 4 && records == 12);
	}

	/* No file for it. */
	unlink(path("sockets"));
	CHECK_EQ(mkdir(path("sockets"), 0755), 0);
	CHECK_EQ(read_all().open, -EBADMSG);
	rmdir(path("sockets"));

	/* Nothing else than sockets, more than a packet of them. */
	w = writer(1);
	for (i = 1; i <= CTF_PACKET_RECORDS_MAX; i++)
		write_socket(w, i);
	write_socket(w, i);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	CHECK_EQ(read_sockets(&sockets, &records, error), 0);
	CHECK_EQ(sockets, CTF_PACKET_RECORDS_MAX + 1);
	CHECK_EQ(records, 0);
}

/* ---- the totals ------------------------------------------------------------------ */

/* Four in two packets: two readings, at the time of records and between them. */
static struct tcpfsm_record make_total(uint64_t seq)
{
	struct tcpfsm_record rec = make(78, seq, seq <= 2 ? 20 : 45);

	rec.type = TCPFSM_TYPE_TOTAL;
	return rec;
}

static void write_total(struct ctf_writer *w, uint64_t seq)
{
	struct tcpfsm_record rec = make_total(seq);

	write_record(w, ctf_writer_totals(w), &rec, 0);
}

static void write_with_totals(void)
{
	struct ctf_writer *w = writer(2);
	struct tcpfsm_record rec;
	uint64_t i;

	for (i = 1; i <= 6; i++) {
		rec = make(0, i, i * 10);
		write_record(w, 0, &rec, 0);
		rec = make(1, i, i * 10);
		write_record(w, 1, &rec, 0);
		if (i <= 4)
			write_total(w, i);
		if (i == 2)
			CHECK_EQ(ctf_writer_flush(w, UINT64_MAX), 0);
	}
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
}

/* Reads all in the order of time, records first.  Return: the end. */
static int read_totals(uint64_t *totals, uint64_t *records, char error[256])
{
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	uint64_t delivered, last = 0;
	const char *why;
	int rc;

	*totals = *records = 0;
	error[0] = '\0';
	rc = tcpfsm_source_open_recording(&src, dir, &why);
	CHECK_EQ(rc, 0);
	if (rc)
		return rc;
	/* It has them: nothing is read, nothing fails. */
	CHECK_EQ(tcpfsm_source_totals(src), 0);
	while ((rc = tcpfsm_source_next(src, &item)) == 1) {
		struct tcpfsm_record rec = make_total(*totals + 1);

		CHECK(item->rec.ts >= last);
		last = item->rec.ts;
		if (item->lost || item->rec.type != TCPFSM_TYPE_TOTAL) {
			*records += !item->lost;
			continue;
		}
		++*totals;
		CHECK_EQ(item->cpu, 0);
		CHECK(!memcmp(&rec, &item->rec, sizeof(rec)));
		/* Of the same time they come last. */
		CHECK_EQ(*records, *totals <= 2 ? 4 : 8);
	}
	/* They do not count. */
	tcpfsm_source_counts(src, &delivered, NULL);
	CHECK_EQ(delivered, *records);
	snprintf(error, 256, "%s", tcpfsm_source_error(src));
	tcpfsm_source_close(src);
	return rc;
}

static void test_totals(void)
{
	char file[2 * SMALL_PACKET], other[2 * SMALL_PACKET], error[256];
	uint64_t totals, records;
	size_t len, i;

	write_with_totals();
	CHECK_EQ(read_totals(&totals, &records, error), 0);
	CHECK_EQ(totals, 4);
	CHECK_EQ(records, 12);

	/* Cut off. */
	CHECK_EQ(slurp("totals", file, sizeof(file)), sizeof(file));
	for (len = 0; len <= sizeof(file); len = next_cut(len)) {
		spew("totals", file, len);
		CHECK_EQ(read_totals(&totals, &records, error),
			 len % SMALL_PACKET ? -EBADMSG : 0);
		CHECK_EQ(totals, len / SMALL_PACKET * 2);
		CHECK_EQ(records, 12);
		if (len == SMALL_PACKET + 100)
			CHECK(!strcmp(error, "totals: truncated packet at byte 4096"));
	}

	/* Of other records, of another CPU, out of sequence, with a count of lost ones. */
	CHECK_EQ(slurp("cpu_0", other, sizeof(other)), sizeof(other));
	spew("totals", other, sizeof(other));
	CHECK_EQ(read_totals(&totals, &records, error), -EBADMSG);
	CHECK(!totals && records == 12);
	CHECK(!strcmp(error, "totals: record that is no total at byte 128"));
	CHECK_EQ(slurp("cpu_1", other, sizeof(other)), sizeof(other));
	spew("totals", other, sizeof(other));
	CHECK_EQ(read_totals(&totals, &records, error), -EBADMSG);
	CHECK(!totals && records == 12 && strstr(error, "another CPU"));
	memcpy(other, file, sizeof(file));
	other[2 * CTF_UNIT + offsetof(struct ctf_event, seq)] = 1;
	spew("totals", other, sizeof(other));
	CHECK_EQ(read_totals(&totals, &records, error), -EBADMSG);
	CHECK(totals == 1 && records == 12);
	CHECK(!strcmp(error, "totals: record out of sequence at byte 256"));
	memcpy(other, file, sizeof(file));
	other[offsetof(struct ctf_packet, events_discarded)] = 1;
	spew("totals", other, sizeof(other));
	CHECK_EQ(read_totals(&totals, &records, error), -EBADMSG);
	CHECK(!totals && records == 12 && strstr(error, "lost records"));

	/* Any bit of a packet's header. */
	for (i = 0; i < 8 * CTF_UNIT; i++) {
		memcpy(other, file, sizeof(file));
		other[SMALL_PACKET + i / 8] ^= (char)(1 << i % 8);
		spew("totals", other, sizeof(other));
		CHECK(read_totals(&totals, &records, error) != 0 || totals == 4);
		CHECK(totals >= 2 && totals <= 4 && records == 12);
	}

	/* No file for it. */
	unlink(path("totals"));
	CHECK_EQ(mkdir(path("totals"), 0755), 0);
	CHECK_EQ(read_all().open, -EBADMSG);
	rmdir(path("totals"));
}

/* ---- tests --------------------------------------------------------------------- */

static void test_round_trip(unsigned int cpus, unsigned int records)
{
	struct ctf_writer *w = writer(cpus);
	uint64_t seq[256] = { 0 }, ts = 1, i;
	struct tcpfsm_source *src;
	struct outcome o;

	for (i = 0; i < records; i++) {
		/* One CPU is busy, the last one hardly. */
		uint32_t cpu = rnd(3) ? 0 : rnd(100) ? rnd(cpus) : cpus - 1;
		struct tcpfsm_record rec = make(cpu, ++seq[cpu], ts += rnd(3));

		write_record(w, cpu, &rec, 0);
	}
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	o = read_all();
	CHECK_EQ(o.open, 0);
	CHECK_EQ(o.end, 0);
	CHECK_EQ(o.delivered, records);
	CHECK_EQ(o.lost, 0);
	CHECK(o.ordered && o.intact);
	for (i = 0; i < cpus; i++)
		CHECK_EQ(o.per_cpu[i], seq[i]);
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	CHECK_EQ(tcpfsm_source_epoch_offset(src), EPOCH_OFFSET);
	tcpfsm_source_close(src);
}

static void test_empty(void)
{
	struct ctf_writer *w = writer(4);
	struct outcome o;

	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	o = read_all();
	CHECK(!o.open && !o.end && !o.delivered && !o.lost);
	/* A stream without a packet is no different. */
	spew("cpu_2", "", 0);
	o = read_all();
	CHECK(!o.open && !o.end && !o.delivered && !o.lost);
}

static void test_gaps(void)
{
	static const struct {
		uint32_t cpu;
		uint64_t lost, from, to;
	} expect[] = { { 1, 7, 0, 15 }, { 0, 4, 10, 50 }, { 0, 3, 50, 90 }, { 2, 9, 0, 95 } };
	struct ctf_writer *w = writer(4);
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	struct tcpfsm_record rec;
	size_t gaps = 0, n = 0;

	rec = make(0, 1, 10);
	write_record(w, 0, &rec, 0);
	rec = make(1, 8, 15);			/* lost before the first */
	write_record(w, 1, &rec, 7);
	rec = make(0, 6, 50);			/* between */
	write_record(w, 0, &rec, 4);
	CHECK_EQ(ctf_writer_lost(w, 0, 3, 90), 0);	/* at the end */
	CHECK_EQ(ctf_writer_lost(w, 2, 9, 95), 0);	/* nothing but lost */
	rec = make(3, 1, 100);
	write_record(w, 3, &rec, 0);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	for (; tcpfsm_source_next(src, &item) == 1; n++) {
		if (!item->lost)
			continue;
		CHECK(gaps < 4);
		CHECK_EQ(item->cpu, expect[gaps].cpu);
		CHECK_EQ(item->lost, expect[gaps].lost);
		CHECK_EQ(item->from_ts, expect[gaps].from);
		CHECK_EQ(item->to_ts, expect[gaps].to);
		gaps++;
	}
	CHECK_EQ(gaps, 4);
	CHECK_EQ(n, 4 + 4);
	CHECK_EQ(tcpfsm_source_error(src)[0], 0);
	tcpfsm_source_close(src);
}

/* Cut off: all whole packets, then the error, and nothing else. */
static void test_truncated_stream(void)
{
	char buf[2 * SMALL_PACKET + 8];
	struct outcome o;
	size_t len, n;

	write_small();
	n = slurp("cpu_0", buf, sizeof(buf));
	CHECK_EQ(n, 2 * SMALL_PACKET);
	for (len = 0; len <= n; len = next_cut(len)) {
		CHECK_EQ(truncate(path("cpu_0"), (off_t)(len)), 0);
		o = read_all();
		CHECK_EQ(o.open, 0);
		CHECK_EQ(o.end, len % SMALL_PACKET ? -EBADMSG : 0);
		CHECK_EQ(o.per_cpu[0], len / SMALL_PACKET * 3);
		CHECK_EQ(o.per_cpu[1], 6);
		CHECK_EQ(o.lost, 5);
		CHECK(o.ordered && o.intact);
		if (len == SMALL_PACKET + 100)
			CHECK(!strcmp(o.error, "cpu_0: truncated packet at byte 4096"));
		spew("cpu_0", buf, n);
	}
	/* And at both ends at once: garbage after the last packet. */
	spew("cpu_0", buf, n);
	memcpy(buf + n, "garbage", 7);
	spew("cpu_0", buf, n + 7);
	o = read_all();
	CHECK_EQ(o.end, -EBADMSG);
	CHECK_EQ(o.delivered, 12);
}

static void test_truncated_metadata(void)
{
	static char buf[65536];
	size_t n, len, good = 0;
	struct outcome o;

	write_small();
	n = slurp("metadata", buf, sizeof(buf));
	for (len = 0; len < n; len = next_cut(len)) {
		spew("metadata", buf, len);
		o = read_all();
		CHECK(o.open == 0 || o.open == -EBADMSG);
		/* What we need is at its beginning. */
		CHECK(o.open || o.delivered == 12);
		good += !o.open;
	}
	CHECK(good > 0 && good < n);
}

/* Every field of a packet, with every value that could do harm. */
static void test_hostile_packets(void)
{
	static const uint64_t evil[] = {
		0, 1, 7, 8, 127 * 8, 128 * 8 - 1, 128 * 8 + 1, 2 * 128 * 8, 5 * 128 * 8,
		1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL, ~0ULL - 7, ~0ULL << 10,
	};
	uint64_t buf[2 * SMALL_PACKET / 8], copy[2 * SMALL_PACKET / 8];
	size_t at, i, half;

	write_small();
	CHECK_EQ(slurp("cpu_0", (char *)buf, sizeof(buf)), sizeof(buf));
	for (half = 0; half < 2; half++) {
		for (at = 0; at < CTF_UNIT / 8; at++) {
			for (i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
				size_t word = half * SMALL_PACKET / 8 + at;
				struct outcome o;

				memcpy(copy, buf, sizeof(buf));
				copy[word] = evil[i];
				spew("cpu_0", copy, sizeof(copy));
				o = read_all();
				CHECK_EQ(o.open, 0);
				CHECK_EQ(o.per_cpu[1], 6);
				CHECK(o.intact);
				/* A wrong count of lost or held records is only seen later. */
				if (o.end && at != offsetof(struct ctf_packet,
							    events_discarded) / 8 &&
				    at != offsetof(struct ctf_packet, content_size) / 8)
					CHECK_EQ(o.per_cpu[0], half * 3);
				else if (o.end)
					CHECK(o.per_cpu[0] >= half * 3 && o.per_cpu[0] <= 6);
				else if (!o.end)
					CHECK_EQ(o.per_cpu[0], 6);
			}
		}
	}
	/* Packets missing, repeated, from elsewhere. */
	spew("cpu_0", buf + SMALL_PACKET / 8, SMALL_PACKET);
	CHECK_EQ(read_all().end, -EBADMSG);
	memcpy(copy, buf, SMALL_PACKET);
	memcpy(copy + SMALL_PACKET / 8, buf, SMALL_PACKET);
	spew("cpu_0", copy, sizeof(copy));
	CHECK_EQ(read_all().end, -EBADMSG);
	CHECK_EQ(read_all().per_cpu[0], 3);
	spew("cpu_5", buf, sizeof(buf));
	CHECK_EQ(read_all().end, -EBADMSG);
}

/* Bits flipped anywhere, many times over: no crash, no hang, no other error. */
static void test_bit_flips(unsigned int rounds)
{
	static char file[3][65536], copy[65536];
	static const char *const names[] = { "cpu_0", "cpu_1", "metadata" };
	unsigned int round, errors = 0;
	size_t len[3], i;

	write_small();
	for (i = 0; i < 3; i++)
		len[i] = slurp(names[i], file[i], sizeof(file[i]));
	for (round = 0; round < rounds; round++) {
		uint32_t f = rnd(8) ? rnd(2) : 2, flips = 1 + rnd(8);
		struct outcome o;

		memcpy(copy, file[f], len[f]);
		while (flips--)
			copy[rnd((uint32_t)len[f])] ^= (char)(1 << rnd(8));
		spew(names[f], copy, len[f]);
		o = read_all();
		CHECK(!o.open || o.open == -EBADMSG || o.open == -EPROTO);
		CHECK(o.delivered <= 12);
		errors += o.open || o.end;
		spew(names[f], file[f], len[f]);
	}
	CHECK(errors > 0);
	printf("# %u of %u were noticed; the others hit what a record tells\n", errors, rounds);
}

static void expect(int err, const char *text)
{
	struct outcome o = read_all();

	CHECK_EQ(o.open, err);
	CHECK(o.why && strstr(o.why, text));
	if (o.why && !strstr(o.why, text))
		printf("# \"%s\"\n", o.why);
}

static void replace(const char *from, const char *to)
{
	static char buf[65536];
	size_t n = slurp("metadata", buf, sizeof(buf) - 1);
	char *at;

	buf[n] = '\0';
	at = strstr(buf, from);
	CHECK(at && strlen(from) == strlen(to));
	if (at)
		memcpy(at, to, strlen(to));
	spew("metadata", buf, n);
}

static void test_foreign(void)
{
	static char big[(1 << 20) + 1];
	static const char lttng[] =
		"/* CTF 1.8 */\n"
		"trace { major = 1; minor = 8; byte_order = le;\n"
		"	uuid = \"2a6422d0-6cee-11e0-8c08-cb07d7b3a564\"; };\n"
		"env { hostname = \"tcpfsm\"; tracer_name = \"lttng-modules\"; };\n"
		"/* env { tracer_name = \"tcpfsm\"; } */\n";
	static const char packets[] = "\xd1\x57\x1d\x75" "binary metadata";

	wipe();
	expect(-ENOENT, "no such directory");
	CHECK_EQ(mkdir(dir, 0755), 0);
	expect(-EBADMSG, "no metadata");
	spew("metadata", "", 0);
	expect(-EBADMSG, "CTF 1.8");
	spew("metadata", packets, sizeof(packets));
	expect(-EBADMSG, "CTF 1.8");
	spew("metadata", lttng, sizeof(lttng) - 1);
	expect(-EBADMSG, "did not record");
	memset(big, ' ', sizeof(big));
	spew("metadata", big, sizeof(big));
	expect(-EBADMSG, "CTF 1.8");
	unlink(path("metadata"));
	CHECK_EQ(mkdir(path("metadata"), 0755), 0);
	expect(-EBADMSG, "CTF 1.8");
	rmdir(path("metadata"));
	CHECK_EQ(mkfifo(path("metadata"), 0644), 0);
	expect(-EBADMSG, "CTF 1.8");

	wipe();
	CHECK_EQ(mknod(dir, S_IFREG | 0644, 0), 0);
	expect(-ENOTDIR, "directory");
	unlink(dir);

	write_small();
	replace("tcpfsm_abi = 1;", "tcpfsm_abi = 2;");
	expect(-EPROTO, "ABI");
	write_small();
	replace("tcpfsm_record_size = 128;", "tcpfsm_record_size = 064;");
	expect(-EBADMSG, "record size");
	write_small();
	replace("byte_order = " CTF_BYTE_ORDER, "byte_order = xe");
	expect(-EPROTO, "byte order");
	write_small();
	replace("uuid = \"10", "uuid = \"1g");
	expect(-EBADMSG, "UUID");
	write_small();
	replace("uuid = \"10", "uuid = \"20");
	CHECK_EQ(read_all().end, -EBADMSG);
	write_small();
	replace("offset_s = 1700000000;", "offset_s = 99999999999");
	expect(-EBADMSG, "clock");

	write_small();
	CHECK_EQ(mkdir(path("cpu_9"), 0755), 0);
	expect(-EBADMSG, "regular file");
	write_small();
	CHECK_EQ(mkfifo(path("cpu_9"), 0644), 0);
	expect(-EBADMSG, "regular file");
	/* Names that are not a CPU's are not ours to read. */
	write_small();
	spew("cpu_", "x", 1);
	spew("cpu_01", "x", 1);
	spew("cpu_1x", "x", 1);
	spew("cpu_99999999", "x", 1);
	spew("cpu_-1", "x", 1);
	CHECK_EQ(read_all().end, 0);
	CHECK_EQ(read_all().delivered, 12);
}

/* ---- older ABIs ------------------------------------------------------------------- */

/* As no version has made it: fewer fields, in another order, and one that is gone. */
struct older_event {
	uint64_t ts;
	uint8_t type;
	uint16_t rport;
	uint8_t gone[3];
	uint64_t seq;
	uint64_t conn;
	uint8_t new_state, old_state;
	uint8_t family;
	uint16_t pid;
	uint8_t raddr[16];
} __attribute__((packed));

#define OLDER_EVENTS	100

static struct older_event older(uint64_t i)
{
	return (struct older_event) {
		.ts = 1000 + i, .type = TCPFSM_TYPE_STATE, .rport = (uint16_t)(i + 1), .gone = "xx",
		.seq = i + 1, .conn = 7 * i + 1, .new_state = 1, .old_state = 2, .family = 4,
		.pid = 65535, .raddr = { 10, 0, 0, (uint8_t)i },
	};
}

static const char older_fields[] =
	"		uint16_t rport; uint8_t gone[3]; uint64_t seq; uint64_t conn;\n"
	"		state_t new; state_t old; uint8_t family; uint16_t pid; uint8_t raddr[16];\n";

static void write_older_metadata(unsigned int unit, const char *fields, const char *abi,
				 const char *more)
{
	static char text[16384];
	int n = snprintf(text, sizeof(text),
		"/* CTF 1.8 */\n"
		"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
		"typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n"
		"typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
		"typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
		"trace { major = 1; minor = 8; uuid = \"10111213-1415-1617-1819-1a1b1c1d1e1f\";\n"
		"	byte_order = " CTF_BYTE_ORDER ";\n"
		"	packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; };\n"
		"};\n"
		"env { tracer_name = \"tcpfsm\"; tcpfsm_abi = %s; tcpfsm_record_size = 49; };\n"
		"clock { name = \"monotonic\"; offset_s = 1700000000; offset = 123456789; };\n"
		"typealias integer { size = 64; align = 8; signed = false; "
		"map = clock.monotonic.value; } := time_t;\n"
		"stream {\n"
		"	id = 0;\n"
		"	packet.context := struct { uint64_t cpu_id; time_t timestamp_begin; } align(512);\n"
		"	event.header := struct { time_t timestamp; uint8_t id; } align(%u);\n"
		"};\n"
		"typealias enum : uint8_t { \"none\" = 0, \"ESTABLISHED } ;\" = 1, } := state_t;\n"
		"event { name = \"tcpfsm:state\"; id = 1; stream_id = 0;\n"
		"	fields := struct {\n%s	};\n"
		"};\n"
		"event { name = \"tcpfsm:socket\"; id = 12; stream_id = 0;\n"
		"	fields := struct { uint64_t seq; uint64_t conn; };\n"
		"};\n%s", abi, 8 * unit, fields, more);

	spew("metadata", text, (size_t)n);
}

/* Two packets of one CPU. */
static void write_older_cpu(unsigned int unit)
{
	static char file[65536];
	size_t half = OLDER_EVENTS / 2, bytes = ctf_packet_bytes(half, unit), i;

	memset(file, 0, sizeof(file));
	for (i = 0; i < 2; i++) {
		struct ctf_packet p = {
			.magic = CTF_MAGIC, .packet_seq_num = i, .packet_size = 8 * bytes,
			.content_size = ctf_content_bits(half, unit),
		};
		size_t n;

		for (n = 0; n < sizeof(p.uuid); n++)
			p.uuid[n] = (uint8_t)(0x10 + n);
		memcpy(file + i * bytes, &p, sizeof(p));
		for (n = 0; n < half; n++) {
			struct older_event ev = older(i * half + n);

			memcpy(file + i * bytes + CTF_UNIT + n * unit, &ev, sizeof(ev));
		}
	}
	spew("cpu_0", file, 2 * bytes);
}

static void write_older(unsigned int unit)
{
	wipe();
	CHECK_EQ(mkdir(dir, 0755), 0);
	write_older_metadata(unit, older_fields, "0", "");
	write_older_cpu(unit);
}

static bool is_today(const struct tcpfsm_record *rec, uint64_t i)
{
	struct older_event ev = older(i);
	struct tcpfsm_record want = {
		.ts = ev.ts, .seq = ev.seq, .type = ev.type, .rport = ev.rport, .conn = ev.conn,
		.new_state = ev.new_state, .old_state = ev.old_state, .family = ev.family,
		.pid = ev.pid,
	};

	memcpy(want.raddr, ev.raddr, sizeof(want.raddr));
	return !memcmp(rec, &want, sizeof(want));
}

static void test_older(unsigned int unit)
{
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	const char *why = NULL;
	uint64_t i = 0, wrong = 0;

	write_older(unit);
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, &why), 0);
	if (why)
		return;
	CHECK_EQ(tcpfsm_source_abi(src), 0);
	CHECK_EQ(tcpfsm_source_epoch_offset(src), EPOCH_OFFSET);
	while (tcpfsm_source_next(src, &item) == 1)
		wrong += item->lost || !is_today(&item->rec, i++);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(i, OLDER_EVENTS);
	CHECK(!*tcpfsm_source_error(src));
	tcpfsm_source_close(src);
}

/* How old its mini-sockets were, it did not tell: that is not the same as 0. */
static void test_older_socket(void)
{
	struct { uint64_t ts; uint8_t type; uint64_t seq, conn; } __attribute__((packed)) ev = {
		.ts = 5, .type = TCPFSM_TYPE_SOCKET, .seq = 1, .conn = 77,
	};
	struct ctf_packet p = {
		.magic = CTF_MAGIC, .packet_size = 8 * CTF_ALIGN, .content_size = ctf_content_bits(1, 64),
	};
	const struct tcpfsm_item *item = NULL;
	static char file[CTF_ALIGN];
	struct tcpfsm_source *src;
	size_t i;

	write_older(64);
	for (i = 0; i < sizeof(p.uuid); i++)
		p.uuid[i] = (uint8_t)(0x10 + i);
	memcpy(file, &p, sizeof(p));
	memcpy(file + CTF_UNIT, &ev, sizeof(ev));
	spew("sockets", file, sizeof(file));
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	CHECK_EQ(tcpfsm_source_next(src, &item), 1);
	CHECK(item && item->rec.type == TCPFSM_TYPE_SOCKET && item->rec.conn == 77 &&
	      item->rec.rcv == UINT32_MAX);
	tcpfsm_source_close(src);
}

/* Cut off anywhere it is refused, or read as far as it goes. */
static void test_older_cut(void)
{
	static char file[65536], text[16384];
	size_t n, len, size;

	write_older(64);
	n = slurp("metadata", text, sizeof(text));
	for (len = 0; len < n; len = next_cut(len)) {
		struct tcpfsm_source *src;
		const char *why = NULL;
		int err;

		spew("metadata", text, len);
		err = tcpfsm_source_open_recording(&src, dir, &why);
		CHECK(err == -EBADMSG || !err);
		if (err)
			CHECK(why && *why && !strchr(why, '\n'));
		else
			tcpfsm_source_close(src);
	}
	spew("metadata", text, n);
	size = slurp("cpu_0", file, sizeof(file));
	for (len = 0; len < size; len += 37) {
		const struct tcpfsm_item *item;
		struct tcpfsm_source *src;
		int rc;

		spew("cpu_0", file, len);
		CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
		while ((rc = tcpfsm_source_next(src, &item)) == 1)
			;
		CHECK_EQ(rc, len && len != size / 2 ? -EBADMSG : 0);
		tcpfsm_source_close(src);
	}
}

static void expect_hostile(unsigned int unit, const char *fields, const char *more)
{
	struct tcpfsm_source *src;
	const char *why = NULL;

	write_older_metadata(unit, fields, "0", more);
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, &why), -EBADMSG);
	CHECK(!src && why && strstr(why, "metadata is damaged") && !strchr(why, '\n'));
}

static void test_older_hostile(void)
{
	static char many[8192];
	unsigned int i;

	write_older(64);
	/* More than the record has room for, or a number can say. */
	expect_hostile(64, "uint64_t seq; uint8_t x[48];", "");
	expect_hostile(64, "uint64_t seq; uint8_t x[4294967297];", "");
	expect_hostile(64, "uint64_t seq; uint64_t x[536870912];", "");
	expect_hostile(64, "uint64_t seq; uint8_t x[-1];", "");
	expect_hostile(128, "uint64_t seq; uint8_t x[112];", "");
	expect_hostile(0, older_fields, "");
	expect_hostile(32, older_fields, "");
	expect_hostile(96, older_fields, "");
	expect_hostile(256, older_fields, "");
	expect_hostile(4096, older_fields, "");
	/* What it cannot be. */
	expect_hostile(64, "uint64_t conn;", "");
	expect_hostile(64, "none_t seq;", "");
	expect_hostile(64, "uint64_t seq[2];", "");
	expect_hostile(64, "uint64_t seq; uint64_t pid;", "");
	expect_hostile(64, "uint64_t seq; uint8_t comm[17];", "");
	expect_hostile(64, "uint64_t seq; uint8_t comm;", "");
	expect_hostile(64, "uint64_t seq; uint8_t", "");
	expect_hostile(64, "uint64_t seq; struct { uint8_t x; } y;", "");
	/* The same type twice; one that no record can have; blocks without an end. */
	expect_hostile(64, older_fields, "event { id = 1; fields := struct { uint64_t seq; }; };");
	expect_hostile(64, older_fields, "event { id = 256; fields := struct { uint64_t seq; }; };");
	expect_hostile(64, older_fields, "event { fields := struct { uint64_t seq; }; };");
	expect_hostile(64, older_fields, "x { { {");
	expect_hostile(64, older_fields, "typealias integer { size = 24; align = 8; } := t;");
	expect_hostile(64, older_fields, "typealias integer { size = 32; align = 32; } := t;");
	expect_hostile(64, older_fields, "typealias enum : t { } := u;");
	for (i = 0; i < 100; i++)
		strcat(many, "typealias integer { size = 8; align = 8; } := t;");
	expect_hostile(64, older_fields, many);
	strcpy(many, "uint64_t seq;");
	for (i = 0; i < 40; i++)
		strcat(many, "uint8_t family;");
	expect_hostile(64, many, "");
	write_older_metadata(64, older_fields, "-1", "");
	expect(-EBADMSG, "ABI");
}

static void test_directory(void)
{
	struct ctf_env env = { .epoch_offset = -5 };
	struct ctf_writer *w;
	struct tcpfsm_source *src;

	wipe();
	CHECK_EQ(mkdir(dir, 0755), 0);
	CHECK_EQ(ctf_writer_open(&w, dir, 1, &env), 0);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	/* A clock before its epoch. */
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	CHECK_EQ(tcpfsm_source_epoch_offset(src), -5);
	tcpfsm_source_close(src);

	CHECK_EQ(ctf_writer_open(&w, dir, 1, &env), -EEXIST);
	CHECK(access(path("metadata"), F_OK) == 0);
	CHECK_EQ(ctf_writer_open(&w, path("no/such"), 1, &env), -ENOENT);
	CHECK_EQ(ctf_writer_open(&w, path("metadata"), 1, &env), -ENOTDIR);
}

/* Who reads it knows what its module could not see, and why. */
static void test_features_off(void)
{
	struct ctf_env env = {
		.error = { [TCPFSM_FEATURE_SYN] = -EBUSY, [TCPFSM_FEATURE_SYNACK_TIMER] = -ENOENT },
	};
	const struct tcpfsm_follow_options fo = { .size = sizeof(fo), .recording = dir };
	struct tcpfsm_info info = { .size = sizeof(info) };
	struct tcpfsm_follow *f;
	struct ctf_writer *w;

	wipe();
	CHECK_EQ(ctf_writer_open(&w, dir, 1, &env), 0);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	CHECK_EQ(tcpfsm_follow_open(&f, &fo, &info, NULL), 0);
	CHECK_EQ(tcpfsm_features_off(&info), 1ULL << TCPFSM_FEATURE_SYN |
					      1ULL << TCPFSM_FEATURE_SYNACK_TIMER);
	CHECK_EQ(info.error[TCPFSM_FEATURE_SYN], -EBUSY);
	CHECK_EQ(info.error[TCPFSM_FEATURE_SYNACK_TIMER], -ENOENT);
	tcpfsm_follow_close(f);
	/* Of an older one nothing is known. */
	write_small();
	CHECK_EQ(tcpfsm_follow_open(&f, &fo, &info, NULL), 0);
	CHECK_EQ(tcpfsm_features_off(&info), 0);
	tcpfsm_follow_close(f);
}

/* The disk is full in the middle of a packet: what is whole can be read. */
static void test_disk_full(void)
{
	struct rlimit limit, old;
	struct ctf_writer *w;
	struct outcome o;
	unsigned int i;
	int err = 0;

	w = writer(2);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = CTF_PACKET_BYTES_MAX + 1000;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (i = 1; i <= 2 * CTF_PACKET_RECORDS_MAX; i++) {
		struct tcpfsm_record rec = make(0, i, i);
		struct ctf_event *ev;
		size_t room;

		ev = ctf_writer_room(w, 0, &room);
		memcpy(&ev->ts, &rec.ts, sizeof(rec) - sizeof(rec.seq));
		ev->seq = i;
		err = ctf_writer_commit(w, 0, 1, 0, i);
		if (err)
			break;
	}
	CHECK_EQ(err, -EFBIG);
	CHECK_EQ(i, 2 * CTF_PACKET_RECORDS_MAX);
	/* It does not forget. */
	CHECK_EQ(ctf_writer_commit(w, 0, 1, 0, i), -EFBIG);
	CHECK_EQ(ctf_writer_flush(w, UINT64_MAX), -EFBIG);
	CHECK_EQ(ctf_writer_bytes(w), CTF_PACKET_BYTES_MAX);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	o = read_all();
	CHECK_EQ(o.end, 0);
	CHECK_EQ(o.delivered, CTF_PACKET_RECORDS_MAX);
	CHECK(o.intact);
	CHECK(o.how == TCPFSM_END_ERROR && o.code == EFBIG);
	CHECK(strstr(o.missing, "its recorder failed (File too large)") && strstr(o.missing, "2047 records"));
}

static void put(struct ring_writer *w, uint64_t ts)
{
	struct tcpfsm_record rec = make(w->hdr->cpu, w->pos + 1, ts);

	writer_put(w, &rec);
}

/* ---- what is not there ------------------------------------------------------------- */

/* Of write(), from the so many-th on, counted down: this errno, once or for good. */
static unsigned int fail_after;
static int fail_errno;
static bool fail_for_good;

static bool fails(void)
{
	if (!fail_after || --fail_after)
		return false;
	fail_after = fail_for_good;
	errno = fail_errno;
	return true;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	return fails() ? -1 : syscall(SYS_pwrite64, fd, buf, n, off);
}

int fdatasync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static const char *missing(void)
{
	static char text[512];
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	while (tcpfsm_source_next(src, &item) == 1)
		;
	CHECK(!*tcpfsm_source_error(src));
	snprintf(text, sizeof(text), "%s", tcpfsm_source_missing(src));
	tcpfsm_source_close(src);
	return text;
}

static void test_ended(void)
{
	struct outcome o;
	struct stat st;

	write_small();
	o = read_all();
	CHECK(!o.open && !o.end && o.how == TCPFSM_END_STOPPED);
	CHECK(!*o.missing);
	CHECK(!stat(dir, &st) && (st.st_mode & 0777) == 0700);
	CHECK(!stat(path("metadata"), &st) && (st.st_mode & 0777) == 0600);
	CHECK(!stat(path("cpu_0"), &st) && (st.st_mode & 0777) == 0600);
	CHECK(!stat(path("marks"), &st) && (st.st_mode & 0777) == 0600);
}

/* A stream that is gone, or cut after a whole packet, was longer: its recorder counted. */
static void test_cut_and_gone(void)
{
	static const char * const files[] = { "cpu_0", "cpu_1", "sockets", "totals" };
	char file[4 * SMALL_PACKET], want[64];
	struct outcome o;
	size_t i, len, n;

	for (i = 0; i < 4; i++) {
		if (i == 2)
			write_with_sockets();
		else if (i == 3)
			write_with_totals();
		else
			write_small();
		n = slurp(files[i], file, sizeof(file));
		CHECK_EQ(n, 2 * SMALL_PACKET);
		for (len = 0; len < n; len += SMALL_PACKET) {
			spew(files[i], file, len);
			snprintf(want, sizeof(want), "file %s cut: shorter than recorded", files[i]);
			CHECK(!strcmp(missing(), want));
		}
		unlink(path(files[i]));
		snprintf(want, sizeof(want), "file %s missing", files[i]);
		CHECK(!strcmp(missing(), want));
	}
	/* Two of them, and what would tell. */
	write_small();
	unlink(path("cpu_0"));
	unlink(path("cpu_1"));
	o = read_all();
	CHECK(!o.open && strstr(o.missing, " and 1 more missing"));
	write_small();
	n = slurp("marks", file, sizeof(file));
	for (len = 0; len < n; len += CTF_UNIT) {
		spew("marks", file, len);
		o = read_all();
		CHECK(!o.open && o.how == TCPFSM_END_NONE && strstr(o.missing, "it was not ended"));
		CHECK_EQ(o.delivered, 12);
	}
	unlink(path("marks"));
	o = read_all();
	CHECK(!o.open && o.how == TCPFSM_END_NONE && strstr(o.missing, "it was not ended"));
}

/* Small packets, so that there are many: each write and each wait for the disk fails in turn. */
static void test_failing_writes(int errnum, bool for_good)
{
	struct ring_writer w[2];
	struct ring_reader r[2];
	unsigned int at, i, failed;
	int err;

	for (at = 1; at < 1000; at++) {
		uint64_t written, lost, unwritten;
		struct tcpfsm_recorder *rec;
		struct outcome o;

		wipe();
		for (i = 0; i < 2; i++) {
			writer_init(&w[i], 1024, i);
			writer_attach(&w[i], &r[i], false);
		}
		CHECK_EQ(recorder_open_rings(&rec, r, 2, dir, NULL, &(struct tcpfsm_info){ .version = "1.0" }), 0);
		fail_after = at;
		fail_errno = errnum;
		fail_for_good = for_good;
		err = 0;
		for (i = 0; !err && i < 5000; i++) {
			put(&w[i & 1], 10 + i);
			if (i % 500 == 499)
				err = tcpfsm_recorder_drain(rec);
			err = err < 0 ? err : 0;
		}
		tcpfsm_recorder_counts(rec, &written, &lost, NULL);
		i = (unsigned int)tcpfsm_recorder_close(rec, &unwritten);
		failed = !fail_after || fail_for_good;
		fail_after = 0;
		o = read_all();
		CHECK(!o.open && !o.end && o.intact);
		CHECK_EQ(o.delivered, written - unwritten);
		writer_free(&w[0]);
		writer_free(&w[1]);
		if (o.how == TCPFSM_END_STOPPED) {
			CHECK(!*o.missing && o.delivered == 5000);
			/* Beyond the last write: that of the end, which is not needed any more. */
			if (!i)
				break;
			continue;
		}
		CHECK(failed);
		CHECK(*o.missing);
		CHECK(for_good ? o.how == TCPFSM_END_NONE || o.how == TCPFSM_END_ERROR :
				 o.how == TCPFSM_END_ERROR || o.how == TCPFSM_END_NONE);
		if (o.how == TCPFSM_END_ERROR)
			CHECK_EQ(o.code, errnum);
	}
	CHECK(at > 5 && at < 1000);
}

/* The recorder itself, on rings without a device. */
static void test_recorder(void)
{
	uint64_t i, written, lost, bytes;
	struct tcpfsm_recorder *rec;
	struct ring_writer w[3];
	struct ring_reader r[3];
	struct outcome o;
	struct stat st;

	wipe();
	for (i = 0; i < 3; i++) {
		writer_init(&w[i], 1024, (uint32_t)i);
		writer_attach(&w[i], &r[i], false);
	}
	CHECK_EQ(recorder_open_rings(&rec, r, 3, dir, NULL,
				     &(struct tcpfsm_info){ .version = "1.0" }), 0);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 0);
	for (i = 0; i < 500; i++)
		put(&w[0], 10 + i);
	for (i = 0; i < 2000; i++)
		put(&w[1], 10 + i);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 500 + 1024 - 128);
	/* Nothing is written for so little ... */
	CHECK(stat(path("cpu_0"), &st) && errno == ENOENT);
	for (i = 0; i < 1024; i++)
		put(&w[1], 3000 + i);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 1024);
	for (i = 0; i < 1000; i++)
		put(&w[1], 5000 + i);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 1000);
	/* ... before a packet is full. */
	CHECK_EQ(stat(path("cpu_1"), &st), 0);
	/* One packet of nothing comes first, to count the lost ones from. */
	CHECK_EQ(st.st_size, CTF_ALIGN + CTF_PACKET_BYTES_MAX);
	for (i = 0; i < 2000; i++)
		put(&w[0], 7000 + i);
	/* Lost before anybody could look, and nothing comes after. */
	memset(w[0].slots, 0, 1024 * sizeof(w[0].slots[0]));
	for (i = 0; i < 1000; i++)
		tcpfsm_recorder_drain(rec);
	tcpfsm_recorder_counts(rec, &written, &lost, &bytes);
	CHECK_EQ(written, 500 + 1024 - 128 + 2024);
	CHECK_EQ(lost, 976 + 128);
	CHECK_EQ(bytes, CTF_ALIGN + CTF_PACKET_BYTES_MAX);
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	o = read_all();
	CHECK_EQ(o.end, 0);
	CHECK_EQ(o.delivered, written);
	CHECK_EQ(o.lost, 976 + 128 + 2000);
	CHECK(o.intact && o.ordered);
	CHECK(access(path("cpu_2"), F_OK));
	for (i = 0; i < 3; i++)
		writer_free(&w[i]);
}

/* ---- chunks ------------------------------------------------------------------------- */

static uint64_t tree_bytes;

static int add_bytes(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)name;
	(void)at;
	if (type == FTW_F)
		tree_bytes += (uint64_t)st->st_size;
	return 0;
}

static int rm(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(name);
}

static void wipe_tree(void)
{
	nftw(dir, rm, 16, FTW_PHYS | FTW_DEPTH);
}

/* The numbers of the first and the last chunk. */
static unsigned int count_chunks(unsigned long *first, unsigned long *last)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;
	struct dirent *e;

	*first = ULONG_MAX;
	*last = 0;
	while (d && (e = readdir(d))) {
		unsigned long number = strtoul(e->d_name, NULL, 10);

		if (e->d_name[0] == '.')
			continue;
		n++;
		*first = number < *first ? number : *first;
		*last = number > *last ? number : *last;
	}
	if (d)
		closedir(d);
	return n;
}

/* So long, with losses: the disk is bounded, nothing is missing at the borders, each chunk can be read. */
static void test_keep(void)
{
	const struct tcpfsm_recorder_options opts = { .size = sizeof(opts), .keep_bytes = 4 << 20 };
	uint64_t ts = 1, written, lost, first_seq[2] = { 0 };
	unsigned long first, last, whole_first;
	struct tcpfsm_recorder *rec;
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	struct ring_writer w[2];
	struct ring_reader r[2];
	char saved[sizeof(dir)];
	struct outcome o;
	unsigned int i, n;
	uint64_t each;

	wipe_tree();
	for (i = 0; i < 2; i++) {
		writer_init(&w[i], 1024, i);
		writer_attach(&w[i], &r[i], false);
	}
	CHECK_EQ(recorder_open_rings(&rec, r, 2, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < 600; i++) {
		/* Now and then more than the ring holds. */
		for (n = 0; n < (i % 50 == 49 ? 1500 : 500); n++) {
			put(&w[0], ts);
			put(&w[1], ts++);
		}
		CHECK(tcpfsm_recorder_drain(rec) >= 0);
		tree_bytes = 0;
		nftw(dir, add_bytes, 16, FTW_PHYS);
		CHECK(tree_bytes <= opts.keep_bytes);
	}
	/* As SIGUSR1 does. */
	count_chunks(&first, &last);
	CHECK_EQ(tcpfsm_recorder_next_chunk(rec), 0);
	put(&w[0], ts++);
	CHECK(tcpfsm_recorder_drain(rec) >= 0);
	tcpfsm_recorder_counts(rec, &written, &lost, NULL);
	CHECK_EQ(written + lost, w[0].pos + w[1].pos);
	CHECK(lost > 0);
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	n = count_chunks(&whole_first, &first);
	CHECK_EQ(first, last + 1);
	CHECK(n >= 3 && n <= 9 && whole_first > 10);
	CHECK_EQ(first - whole_first + 1, n);

	/* As one: from the first record that is there to the last that was produced. */
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	while (tcpfsm_source_next(src, &item) == 1)
		if (!item->lost && !first_seq[item->cpu])
			first_seq[item->cpu] = item->rec.seq;
	tcpfsm_source_close(src);
	o = read_all();
	CHECK(!o.open && !o.end && o.ordered && o.intact && !*o.missing);
	CHECK_EQ(o.delivered + o.lost, w[0].pos + w[1].pos - (first_seq[0] - 1) - (first_seq[1] - 1));

	/* And each by itself. */
	each = 0;
	memcpy(saved, dir, sizeof(dir));
	for (i = 0; i < n; i++) {
		snprintf(dir, sizeof(dir), "%s/rec/%06lu", top, whole_first + i);
		o = read_all();
		CHECK(!o.open && !o.end && o.intact && !*o.missing);
		CHECK_EQ(o.how, i + 1 < n ? TCPFSM_END_CHUNK : TCPFSM_END_STOPPED);
		each += o.delivered;
	}
	memcpy(dir, saved, sizeof(dir));
	o = read_all();
	CHECK_EQ(each, o.delivered);

	/* One that is gone from the middle, and the end of it. */
	snprintf(dir, sizeof(dir), "%s/rec/%06lu", top, whole_first + 1);
	wipe_tree();
	memcpy(dir, saved, sizeof(dir));
	o = read_all();
	CHECK(!o.open && !o.end && o.ordered && !strcmp(o.missing, "1 chunk of it missing"));
	CHECK_EQ(o.delivered + o.lost, w[0].pos + w[1].pos - (first_seq[0] - 1) - (first_seq[1] - 1));
	snprintf(dir, sizeof(dir), "%s/rec/%06lu", top, whole_first + n - 1);
	wipe_tree();
	memcpy(dir, saved, sizeof(dir));
	o = read_all();
	CHECK(!o.open && !o.end && strstr(o.missing, "it was not ended"));

	/* Only into a new directory. */
	CHECK_EQ(recorder_open_rings(&rec, r, 2, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), -EEXIST);
	wipe_tree();
	writer_free(&w[0]);
	writer_free(&w[1]);
}

/* By time, with little to record. */
static void test_keep_time(void)
{
	const struct tcpfsm_recorder_options opts = { .size = sizeof(opts), .keep_ns = 400 * NSEC_PER_MSEC };
	struct tcpfsm_recorder *rec;
	unsigned long first, last;
	struct ring_writer w;
	struct ring_reader r;
	struct outcome o;
	unsigned int i;

	wipe_tree();
	writer_init(&w, 1024, 0);
	writer_attach(&w, &r, false);
	CHECK_EQ(recorder_open_rings(&rec, &r, 1, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < 200; i++) {
		put(&w, i + 1);
		CHECK(tcpfsm_recorder_drain(rec) >= 0);
		usleep(5000);
	}
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	CHECK(count_chunks(&first, &last) >= 2);
	CHECK(first > 1);
	o = read_all();
	CHECK(!o.open && !o.end && o.intact && !*o.missing && !o.lost);
	CHECK(o.delivered < 200 && o.delivered >= 20);
	wipe_tree();
	writer_free(&w);
}

/* ---- only some of it ---------------------------------------------------------------- */

static bool keeps_third(const struct tcpfsm_record *r, void *arg)
{
	(void)arg;
	return r->conn / 1000 % 3 == 0;
}

/* Every third record, with losses: all that was produced was written, left out or lost. */
static void test_filter(bool in_chunks)
{
	const struct tcpfsm_recorder_options opts = {
		.size = sizeof(opts), .keeps = keeps_third, .filter = "dst 10.0.0.0/8",
		.keep_bytes = in_chunks ? 16 << 20 : 0,
	};
	uint64_t ts = 1, written, lost, kept = 0, in_gaps = 0, left_out = 0;
	struct tcpfsm_recorder *rec;
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	struct ring_writer w[2];
	struct ring_reader r[2];
	unsigned int i, n;

	wipe_tree();
	for (i = 0; i < 2; i++) {
		writer_init(&w[i], 1024, i);
		writer_attach(&w[i], &r[i], false);
	}
	CHECK_EQ(recorder_open_rings(&rec, r, 2, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < 60; i++) {
		for (n = 0; n < (i % 10 == 9 ? 1500 : 500); n++) {
			put(&w[0], ts);
			put(&w[1], ts++);
		}
		CHECK(tcpfsm_recorder_drain(rec) >= 0);
		if (in_chunks && i % 16 == 15)
			CHECK_EQ(tcpfsm_recorder_next_chunk(rec), 0);
	}
	/* What comes last is lost, or passes none. */
	for (n = 0; n < 2000; n++)
		put(&w[0], ts++);
	while ((w[1].pos + 1) % 3)
		put(&w[1], ts++);
	memset(w[0].slots, 0, 1024 * sizeof(w[0].slots[0]));
	for (i = 0; i < 100; i++)
		CHECK(tcpfsm_recorder_drain(rec) >= 0);
	tcpfsm_recorder_counts(rec, &written, &lost, NULL);
	left_out = tcpfsm_recorder_left_out(rec);
	CHECK(lost > 0 && left_out > written);
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);

	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	while (tcpfsm_source_next(src, &item) == 1) {
		kept += !item->lost;
		in_gaps += item->lost;
		CHECK(item->lost || keeps_third(&item->rec, NULL));
	}
	CHECK_EQ(kept, written);
	CHECK_EQ(kept + in_gaps + left_out, w[0].pos + w[1].pos);
	CHECK(!*tcpfsm_source_error(src) && !*tcpfsm_source_missing(src));
	CHECK(!strcmp(tcpfsm_source_filter(src, &ts), "dst 10.0.0.0/8"));
	CHECK_EQ(ts, left_out);
	CHECK_EQ(tcpfsm_source_end(src, NULL), TCPFSM_END_STOPPED);
	tcpfsm_source_close(src);
	wipe_tree();
	writer_free(&w[0]);
	writer_free(&w[1]);
}

/* Two times something happens: each has a chunk, with what the ring held of the past. */
static void test_held(void)
{
	const struct tcpfsm_recorder_options opts = { .size = sizeof(opts), .held = true };
	uint64_t written, lost, bytes;
	struct tcpfsm_recorder *rec;
	char saved[sizeof(dir)];
	struct ring_writer w;
	struct ring_reader r;
	unsigned long first, last;
	struct outcome o;
	unsigned int i;

	wipe_tree();
	writer_init(&w, 1024, 0);
	writer_attach(&w, &r, false);
	CHECK_EQ(recorder_open_rings(&rec, &r, 1, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < 300; i++)
		put(&w, i + 1);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 0);
	tcpfsm_recorder_counts(rec, &written, &lost, &bytes);
	CHECK(!written && !lost && !bytes);
	CHECK_EQ(count_chunks(&first, &last), 0);
	CHECK_EQ(tcpfsm_recorder_next_chunk(rec), -EINVAL);

	CHECK_EQ(tcpfsm_recorder_resume(rec), 0);
	for (i = 0; i < 100; i++)
		put(&w, 1000 + i);
	CHECK(tcpfsm_recorder_drain(rec) >= 0);
	CHECK_EQ(tcpfsm_recorder_hold(rec), 0);
	CHECK_EQ(tcpfsm_recorder_hold(rec), 0);
	tcpfsm_recorder_counts(rec, &written, &lost, &bytes);
	CHECK_EQ(written, 400);
	CHECK(!lost && bytes);

	/* Of these the ring holds the last, of which none is written twice. */
	for (i = 0; i < 3000; i++)
		put(&w, 2000 + i);
	CHECK_EQ(tcpfsm_recorder_drain(rec), 0);
	CHECK_EQ(tcpfsm_recorder_resume(rec), 0);
	CHECK_EQ(tcpfsm_recorder_resume(rec), 0);
	for (i = 0; i < 10; i++)
		put(&w, 6000 + i);
	CHECK(tcpfsm_recorder_drain(rec) >= 0);
	CHECK_EQ(tcpfsm_recorder_hold(rec), 0);
	for (i = 0; i < 5; i++)
		put(&w, 7000 + i);
	CHECK_EQ(tcpfsm_recorder_resume(rec), 0);
	tcpfsm_recorder_counts(rec, &written, &lost, NULL);
	CHECK(!lost && written > 400 + 800 && written < 400 + 1024 + 15);
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	CHECK_EQ(count_chunks(&first, &last), 3);

	o = read_all();
	CHECK(!o.open && !o.end && o.ordered && o.intact && !*o.missing);
	CHECK_EQ(o.delivered, written);
	CHECK_EQ(o.delivered + o.lost, w.pos);
	memcpy(saved, dir, sizeof(dir));
	for (i = 1; i <= 3; i++) {
		snprintf(dir, sizeof(dir), "%s/rec/%06u", top, i);
		o = read_all();
		CHECK(!o.open && !o.end && o.intact && !o.lost && !*o.missing);
		CHECK_EQ(o.how, TCPFSM_END_STOPPED);
		CHECK(i == 1 ? o.delivered == 400 : i == 3 ? o.delivered == 5 : o.delivered > 800);
	}
	memcpy(dir, saved, sizeof(dir));
	wipe_tree();
	writer_free(&w);
}

/* The oldest go also while nothing is written. */
static void test_held_keep(void)
{
	const struct tcpfsm_recorder_options opts = {
		.size = sizeof(opts), .held = true, .keep_bytes = 2 << 20,
	};
	struct tcpfsm_recorder *rec;
	unsigned long first, last;
	struct ring_writer w;
	struct ring_reader r;
	struct outcome o;
	unsigned int i, n;
	uint64_t ts = 1;

	wipe_tree();
	writer_init(&w, 1024, 0);
	writer_attach(&w, &r, false);
	CHECK_EQ(recorder_open_rings(&rec, &r, 1, dir, &opts, &(struct tcpfsm_info){ .version = "1.0" }), 0);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(tcpfsm_recorder_resume(rec), 0);
		for (n = 0; n < 1000; n++)
			put(&w, ts++);
		CHECK(tcpfsm_recorder_drain(rec) >= 0);
		CHECK_EQ(tcpfsm_recorder_hold(rec), 0);
		tree_bytes = 0;
		nftw(dir, add_bytes, 16, FTW_PHYS);
		CHECK(tree_bytes <= opts.keep_bytes);
	}
	CHECK_EQ(tcpfsm_recorder_close(rec, NULL), 0);
	n = count_chunks(&first, &last);
	CHECK_EQ(last, 40);
	CHECK(n >= 5 && first == 40 - n + 1);
	o = read_all();
	CHECK(!o.open && !o.end && o.intact && !o.lost && !*o.missing);
	CHECK_EQ(o.delivered, 1000 * n);
	wipe_tree();
	writer_free(&w);
}

/* Killed: what was flushed is there. */
static void test_killed(void)
{
	struct tcpfsm_record rec;
	struct ctf_writer *w;
	struct outcome o;
	int status;
	pid_t pid;

	wipe();
	pid = fork();
	if (!pid) {
		w = writer(1);
		rec = make(0, 1, 100);
		write_record(w, 0, &rec, 0);
		rec = make(0, 2, 200);
		write_record(w, 0, &rec, 0);
		CHECK_EQ(ctf_writer_oldest(w), 100);
		ctf_writer_flush(w, 99);
		CHECK_EQ(ctf_writer_oldest(w), 100);
		ctf_writer_flush(w, 100);
		CHECK_EQ(ctf_writer_oldest(w), UINT64_MAX);
		rec = make(0, 3, 300);
		write_record(w, 0, &rec, 0);
		_exit(check_failed);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	o = read_all();
	CHECK(!o.open && !o.end);
	CHECK_EQ(o.delivered, 2);
	CHECK_EQ(o.how, TCPFSM_END_NONE);
	CHECK(strstr(o.missing, "it was not ended") && strstr(o.missing, " after 2023-11-14 "));
	/* And where the machine went down amid a packet. */
	CHECK_EQ(truncate(path("cpu_0"), 1000), 0);
	o = read_all();
	CHECK(!o.open && !o.end && !o.delivered && strstr(o.missing, "it was not ended"));
}

/* Does the reference implementation read it, without a word of complaint? */
static void test_babeltrace(void)
{
	static char line[4096];
	unsigned int events = 0, sockets = 0, totals = 0, marks = 0, named = 0, complaints = 0, discarded = 0;
	struct ctf_writer *w;
	struct tcpfsm_record rec;
	char cmd[128];
	uint64_t i;
	FILE *f;

	w = writer(3);
	for (i = 1; i <= 3; i++)
		write_socket(w, i);
	for (i = 1; i <= 4; i++)
		write_total(w, i);
	rec = make(2, 9, 500);
	write_record(w, 2, &rec, 8);
	for (i = 1; i <= 5000; i++) {
		rec = make((uint32_t)(i & 1), (i + 1) / 2, i * 1000);
		memcpy(rec.comm, "nginx", sizeof("nginx"));
		if (i == 4000)
			rec.type = 200;		/* from a younger module */
		write_record(w, (uint32_t)(i & 1), &rec, 0);
	}
	rec = make(0, 2507, i * 1000);
	memset(rec.comm, 'x', sizeof(rec.comm));
	write_record(w, 0, &rec, 6);
	CHECK_EQ(ctf_writer_lost(w, 1, 7, (i + 1) * 1000), 0);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);

	snprintf(cmd, sizeof(cmd), "babeltrace2 --clock-seconds %s 2>%s.err", dir, dir);
	f = popen(cmd, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " tcpfsm:socket: ")) {
			sockets++;
			continue;
		}
		if (strstr(line, " tcpfsm:total: ")) {
			totals++;
			continue;
		}
		if (strstr(line, " tcpfsm:mark: ")) {
			marks++;
			continue;
		}
		events++;
		named += strstr(line, " tcpfsm:") && strstr(line, "cpu_id = ") &&
			 strstr(line, "comm = ") && strstr(line, "seq = ");
		if (events == 1)
			CHECK(strstr(line, "[1700000000.123457289]"));
		if (events == 4001)
			CHECK(strstr(line, "tcpfsm:type_200:"));
	}
	CHECK(f && !pclose(f));
	CHECK_EQ(sockets, 3);
	CHECK_EQ(totals, 4);
	/* One for each other stream, and the end. */
	CHECK_EQ(marks, 6);
	CHECK_EQ(events, 5002);
	CHECK_EQ(named, 5002);

	/* The lost records, and nothing else to say. */
	f = fopen(path("../rec.err"), "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "Tracer discarded 6 events") ||
		    strstr(line, "Tracer discarded 7 events") ||
		    strstr(line, "Tracer discarded 8 events"))
			discarded++;
		else if (line[0] != '\n' && !complaints++)
			printf("# babeltrace2: %s", line);
	}
	if (f)
		fclose(f);
	CHECK_EQ(discarded, 3);
	CHECK_EQ(complaints, 0);

	/* And an empty one. */
	w = writer(1);
	CHECK_EQ(ctf_writer_close(w, NULL, NULL), 0);
	f = popen(cmd, "r");
	CHECK(f && fgets(line, sizeof(line), f) && strstr(line, " tcpfsm:mark: "));
	CHECK(f && !fgets(line, sizeof(line), f));
	CHECK(f && !pclose(f));
	CHECK_EQ(slurp("../rec.err", line, sizeof(line)), 0);
	unlink(path("../rec.err"));
}

int main(int argc, char **argv)
{
	unsigned int flips = argc > 1 ? (unsigned int)atoi(argv[1]) : 8000;

	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/rec", top);
	TEST("recording: read back as written, 1 CPU", test_round_trip(1, 10000));
	TEST("recording: read back as written, 4 CPUs", test_round_trip(4, 50000));
	TEST("recording: read back as written, 130 CPUs", test_round_trip(130, 50000));
	TEST("recording: without an event", test_empty());
	TEST("recording: gaps before, between and after records", test_gaps());
	TEST("recording: a stream cut off anywhere", test_truncated_stream());
	TEST("recording: metadata cut off anywhere", test_truncated_metadata());
	TEST("recording: features that were off", test_features_off());
	TEST("recording: hostile packets", test_hostile_packets());
	TEST("recording: the sockets of a snapshot", test_sockets());
	TEST("recording: sockets read again", test_sockets_again());
	TEST("recording: the totals", test_totals());
	TEST("recording: random bit flips", test_bit_flips(flips));
	TEST("recording: things that are not recordings", test_foreign());
	TEST("recording: of an older ABI, records of 64 bytes", test_older(64));
	TEST("recording: of an older ABI, records of 128 bytes", test_older(128));
	TEST("recording: of an older ABI, sockets", test_older_socket());
	TEST("recording: of an older ABI, cut off", test_older_cut());
	TEST("recording: of an older ABI, made to do harm", test_older_hostile());
	TEST("recording: only into a new or empty directory", test_directory());
	TEST("recording: disk full", test_disk_full());
	TEST("recording: ended, and nobody else's to read", test_ended());
	TEST("recording: files cut after a packet, and gone", test_cut_and_gone());
	TEST("recording: each write fails with ENOSPC", test_failing_writes(ENOSPC, false));
	TEST("recording: each write fails with EIO, and all after it", test_failing_writes(EIO, true));
	TEST("recording: the recorder on rings", test_recorder());
	TEST("recording: in chunks, the last so many bytes", test_keep());
	TEST("recording: in chunks, the last so many seconds", test_keep_time());
	TEST("recording: with a filter", test_filter(false));
	TEST("recording: with a filter, in chunks", test_filter(true));
	TEST("recording: only now and then", test_held());
	TEST("recording: only now and then, the last of it", test_held_keep());
	TEST("recording: the recorder is killed", test_killed());
	if (system("babeltrace2 --version >/dev/null 2>&1"))
		puts("ok - recording: babeltrace2 reads it # SKIP babeltrace2 is not installed");
	else
		TEST("recording: babeltrace2 reads it", test_babeltrace());
	wipe();
	rmdir(top);
	return check_done();
}
