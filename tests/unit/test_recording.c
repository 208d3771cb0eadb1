// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: written and read back, cut off everywhere, damaged at random,
 * and things that are not recordings.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/ctf.h"
#include "../../userspace/lib/source/recorder.h"
#include "../../userspace/lib/source/source.h"

#define EPOCH_OFFSET	1700000000123456789LL

static char top[] = "/tmp/tcpfsm-test-XXXXXX";
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
	CHECK_EQ(ctf_writer_close(w), 0);
}

struct outcome {
	int open, end;
	const char *why;
	uint64_t delivered, lost, per_cpu[256];
	bool ordered, intact;
	char error[256];
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
	CHECK_EQ(ctf_writer_close(w), 0);
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
	CHECK_EQ(ctf_writer_close(w), 0);

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

	/* Cut off at every length. */
	CHECK_EQ(slurp("sockets", file, sizeof(file)), sizeof(file));
	for (len = 0; len <= sizeof(file); len++) {
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
	CHECK_EQ(ctf_writer_close(w), 0);
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
	CHECK_EQ(ctf_writer_close(w), 0);
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

	/* Cut off at every length. */
	CHECK_EQ(slurp("totals", file, sizeof(file)), sizeof(file));
	for (len = 0; len <= sizeof(file); len++) {
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
	CHECK_EQ(ctf_writer_close(w), 0);
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

	CHECK_EQ(ctf_writer_close(w), 0);
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
	CHECK_EQ(ctf_writer_close(w), 0);

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

/* Cut off at every length: all whole packets, then the error, and nothing else. */
static void test_truncated_stream(void)
{
	char buf[2 * SMALL_PACKET + 8];
	struct outcome o;
	size_t len, n;

	write_small();
	n = slurp("cpu_0", buf, sizeof(buf));
	CHECK_EQ(n, 2 * SMALL_PACKET);
	for (len = 0; len <= n; len++) {
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
	for (len = 0; len < n; len++) {
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

static void test_directory(void)
{
	struct ctf_env env = { .epoch_offset = -5 };
	struct ctf_writer *w;
	struct tcpfsm_source *src;

	wipe();
	CHECK_EQ(mkdir(dir, 0755), 0);
	CHECK_EQ(ctf_writer_open(&w, dir, 1, &env), 0);
	CHECK_EQ(ctf_writer_close(w), 0);
	/* A clock before its epoch. */
	CHECK_EQ(tcpfsm_source_open_recording(&src, dir, NULL), 0);
	CHECK_EQ(tcpfsm_source_epoch_offset(src), -5);
	tcpfsm_source_close(src);

	CHECK_EQ(ctf_writer_open(&w, dir, 1, &env), -EEXIST);
	CHECK(access(path("metadata"), F_OK) == 0);
	CHECK_EQ(ctf_writer_open(&w, path("no/such"), 1, &env), -ENOENT);
	CHECK_EQ(ctf_writer_open(&w, path("metadata"), 1, &env), -ENOTDIR);
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
	CHECK_EQ(ctf_writer_close(w), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	o = read_all();
	CHECK_EQ(o.end, 0);
	CHECK_EQ(o.delivered, CTF_PACKET_RECORDS_MAX);
	CHECK(o.intact);
}

static void put(struct ring_writer *w, uint64_t ts)
{
	struct tcpfsm_record rec = make(w->hdr->cpu, w->pos + 1, ts);

	writer_put(w, &rec);
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
	CHECK_EQ(recorder_open_rings(&rec, r, 3, dir,
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
	CHECK_EQ(tcpfsm_recorder_close(rec), 0);
	o = read_all();
	CHECK_EQ(o.end, 0);
	CHECK_EQ(o.delivered, written);
	CHECK_EQ(o.lost, 976 + 128 + 2000);
	CHECK(o.intact && o.ordered);
	CHECK(access(path("cpu_2"), F_OK));
	for (i = 0; i < 3; i++)
		writer_free(&w[i]);
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
}

/* Does the reference implementation read it, without a word of complaint? */
static void test_babeltrace(void)
{
	static char line[4096];
	unsigned int events = 0, sockets = 0, totals = 0, named = 0, complaints = 0, discarded = 0;
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
	CHECK_EQ(ctf_writer_close(w), 0);

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
	CHECK_EQ(ctf_writer_close(w), 0);
	f = popen(cmd, "r");
	CHECK(f && !fgets(line, sizeof(line), f));
	CHECK(f && !pclose(f));
	CHECK_EQ(slurp("../rec.err", line, sizeof(line)), 0);
	unlink(path("../rec.err"));
}

int main(int argc, char **argv)
{
	unsigned int flips = argc > 1 ? (unsigned int)atoi(argv[1]) : 20000;

	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/rec", top);
	TEST("recording: read back as written, 1 CPU", test_round_trip(1, 10000));
	TEST("recording: read back as written, 4 CPUs", test_round_trip(4, 50000));
	TEST("recording: read back as written, 130 CPUs", test_round_trip(130, 50000));
	TEST("recording: without an event", test_empty());
	TEST("recording: gaps before, between and after records", test_gaps());
	TEST("recording: a stream cut off at every length", test_truncated_stream());
	TEST("recording: metadata cut off at every length", test_truncated_metadata());
	TEST("recording: hostile packets", test_hostile_packets());
	TEST("recording: the sockets of a snapshot", test_sockets());
	TEST("recording: sockets read again", test_sockets_again());
	TEST("recording: the totals", test_totals());
	TEST("recording: random bit flips", test_bit_flips(flips));
	TEST("recording: things that are not recordings", test_foreign());
	TEST("recording: only into a new or empty directory", test_directory());
	TEST("recording: disk full", test_disk_full());
	TEST("recording: the recorder on rings", test_recorder());
	TEST("recording: the recorder is killed", test_killed());
	if (system("babeltrace2 --version >/dev/null 2>&1"))
		puts("ok - recording: babeltrace2 reads it # SKIP babeltrace2 is not installed");
	else
		TEST("recording: babeltrace2 reads it", test_babeltrace());
	wipe();
	rmdir(top);
	return check_done();
}
