// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * A recording as a source: the same merge over the files of the CPUs and of the
 * totals, after the sockets of the snapshot, if there is one, and with those that
 * were read again.
 *
 * Those of an older ABI are read as their metadata describes them, see ctf_layout.c.
 *
 * A recording may be in chunks, each one in a directory of its own: then a stream goes on in the
 * file of the same name in the next one.
 *
 * One that is still being written can be followed: progress.h tells up to which time all records
 * are in the files.  What is younger waits, as another stream may have something older to come;
 * and a stream at its end is looked at again when there is progress.
 *
 * The files may have been cut off, damaged, or made to do harm.  Everything
 * but the payload of a record is checked; memory depends on the number of
 * files and on the size of a reading of totals alone.  When one file is damaged, all that is good before the damage
 * and in the other files is delivered first, and then the error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "clock.h"
#include "ctf.h"
#include "grow.h"
#include "merge.h"
#include "named.h"
#include "packed.h"
#include "progress.h"
#include "source.h"

#define METADATA_MAX	(1U << 20)
#define BATCH		64
/* Of a reading: more than the module tells of. */
#define TOTALS_MAX	(1U << 19)

/* The buffers of all files together, and of one. */
#define BUFFERS_BYTES	(16U << 20)
#define BUFFER_MAX	(256U << 10)
#define BUFFER_MIN	PACKED_FRAME
/* While it is followed: more CPUs may come. */
#define BUFFER_GROWING	(64U << 10)
/* How often is there progress to be looked for? */
#define LOOK_MS		100

union unit {
	struct ctf_packet packet;
	struct ctf_event event;
};

enum kind { OF_CPU, OF_SOCKETS, OF_TOTALS, OF_MARKS };

/* Streams that are not a CPU's: of one type of records, none of which is lost. */
static const struct {
	const char *file;
	uint8_t type;
	const char *other, *no_file, *no_open;
} kinds[] = {
	[OF_SOCKETS] = { CTF_SOCKETS, TCPFSM_TYPE_SOCKET, "record that is no socket",
			 "the file of the sockets is not a regular file",
			 "cannot open the file of the sockets" },
	[OF_TOTALS] = { CTF_TOTALS, TCPFSM_TYPE_TOTAL, "record that is no total",
			"the file of the totals is not a regular file",
			"cannot open the file of the totals" },
	[OF_MARKS] = { CTF_MARKS, TCPFSM_TYPE_MARK, "record that is no mark",
		       "the file of the marks is not a regular file",
		       "cannot open the file of the marks" },
	[OF_CPU] = { NULL, 0, NULL, "the file of a CPU is not a regular file",
		     "cannot open the file of a CPU" },
};

/* Of a file below the directory of the recording. */
#define FILE_NAME	48
/* Numbers of chunks have so many digits, or some more in the end. */
#define CHUNK_DIGITS	6
#define CHUNK_DIGITS_MAX	9
#define CHUNK_NAME	(CHUNK_DIGITS_MAX + 2)

struct chunk {
	char dir[CHUNK_NAME];		/* "000001/", or "": there is only one */
	uint8_t uuid[16];
	enum tcpfsm_end end;		/* UNKNOWN: of a version without marks */
	unsigned int code;
	uint64_t number, unwritten, left_out;
	unsigned int abi;
};

struct stream {
	char *buf;
	size_t rd, n;			/* units in buf */
	const struct ctf_event *event;	/* the one that is next, in buf or below */
	struct ctf_event today;		/* of an older ABI: what it is now */
	size_t left;			/* records left in this packet */
	size_t padding;			/* units behind them, before the next packet */
	uint64_t off;			/* of buf[n] in the file */
	uint64_t size;			/* of the file when it was opened */
	uint64_t packed_at;		/* compressed: where the file goes on; 0: as no file of ours does */
	uint64_t packet_off;
	uint64_t seq;			/* of the last record, or 0 before the first */
	uint64_t last_ts;
	uint64_t packets, discarded;
	uint64_t gap;			/* lost before the next record */
	uint64_t gap_to;		/* when there is no next record: at this time */
	bool gap_alone;
	uint64_t at;			/* sockets: in time, those of a resync; 0: first of all */
	enum kind kind;
	uint32_t cpu;
	size_t chunk;			/* that fd is of */
	bool packed;			/* compressed */
	bool new_chunk;			/* no record of it yet */
	bool idle;			/* growing: at its end for now */
	bool damaged;
	int fd;
};

struct recording {
	struct tcpfsm_source src;
	struct tcpfsm_item items[BATCH], gap;	/* what the caller holds */
	struct reading totals;		/* the last one, or what has come of it */
	size_t totals_room;
	size_t given;			/* of these */
	struct merge merge;
	struct stream *streams, *out;
	size_t nstreams;
	struct ctf_layout *layout;	/* NULL: that of this ABI */
	size_t unit;			/* bytes of an event */
	size_t units;			/* in each buffer */
	struct chunk *chunks;		/* the last one tells how it ended */
	size_t nchunks;
	bool follows;			/* files may grow; src.growing: and there is somebody who writes */
	struct progress progress;	/* of that one */
	int dirfd;
	int err;			/* of the first stream that had one */
	int64_t clock;			/* the last offset that was told */
	struct unpacker *unpacker;	/* NULL: nothing is compressed so far */
	struct named_parts name;
	uint64_t last_ts;		/* of all records */
	/* What is not there. */
	uint64_t absent, cut, gone;	/* files; chunks */
	char absent_first[FILE_NAME], cut_first[FILE_NAME];
	bool writing;			/* there is a recorder at it */
	char missing[512];
};

/* Below the directory of the recording. */
static const char *file_name(const struct chunk *c, enum kind kind, uint32_t cpu, char buf[FILE_NAME])
{
	if (kind == OF_CPU)
		snprintf(buf, FILE_NAME, "%scpu_%u", c->dir, cpu);
	else
		snprintf(buf, FILE_NAME, "%s%s", c->dir, kinds[kind].file);
	return buf;
}

/*
 * Its number in the merge: of equal times the marks come first, then sockets, CPUs in their order, and totals;
 * whenever who follows came to know of it.
 */
static uint64_t merge_number(const struct recording *r, size_t i)
{
	static const uint64_t rank[] = { [OF_MARKS] = 0, [OF_SOCKETS] = 1, [OF_CPU] = 2, [OF_TOTALS] = 3 };

	return rank[r->streams[i].kind] << 48 | (uint64_t)r->streams[i].cpu << 32 | i;
}

static struct stream *first_stream(const struct recording *r)
{
	return &r->streams[(uint32_t)r->merge.e[0].stream];
}

static int stream_error(struct recording *r, struct stream *s, int err, uint64_t at,
			const char *what)
{
	if (!r->err) {
		char name[FILE_NAME];

		r->err = err;
		snprintf(r->src.error, sizeof(r->src.error), "%s%s: %s at byte %" PRIu64,
			 file_name(&r->chunks[s->chunk], s->kind, s->cpu, name),
			 s->packed ? PACKED_SUFFIX : "", what, at);
	}
	/* That was the end of this one. */
	s->rd = s->n = s->left = 0;
	s->off = s->size = 0;
	s->damaged = true;
	return -1;
}

/* Is its recorder still at this file? */
static bool stream_grows(const struct recording *r, const struct stream *s)
{
	return r->src.growing && s->chunk + 1 == r->nchunks;
}

/* Where a crash cut the file of a recorder that was at it, nothing is damaged. */
static int stream_cut(struct recording *r, struct stream *s)
{
	if (stream_grows(r, s)) {
		/* The rest of the packet comes: its size is looked at again. */
		s->rd = s->n = s->left = s->padding = 0;
		s->off = s->size = s->packet_off;
		return 0;
	}
	if (r->chunks[s->chunk].end != TCPFSM_END_NONE)
		return stream_error(r, s, -EBADMSG, s->packet_off, "truncated packet");
	s->rd = s->n = s->left = s->padding = 0;
	s->off = s->size;
	return 0;
}

static const union unit *unit_at(const struct recording *r, const struct stream *s, size_t i)
{
	return (const union unit *)(s->buf + i * r->unit);
}

/* A file, or where there is none the one that is compressed in its place, and then *packed.  Return: fd or -errno. */
static int open_file(const struct recording *r, const struct chunk *c, enum kind kind, uint32_t cpu, bool *packed)
{
	char name[FILE_NAME + sizeof(PACKED_SUFFIX)];
	int fd;

	file_name(c, kind, cpu, name);
	fd = openat(r->dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	*packed = fd < 0 && errno == ENOENT;
	if (*packed)
		fd = openat(r->dirfd, strcat(name, PACKED_SUFFIX), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int stream_open(struct recording *r, struct stream *s)
{
	struct packed_sizes sizes;
	struct stat st;

	s->fd = open_file(r, &r->chunks[s->chunk], s->kind, s->cpu, &s->packed);
	if (s->fd < 0)
		return s->fd;
	if (fstat(s->fd, &st) || !S_ISREG(st.st_mode))
		return -EBADMSG;
	s->size = (uint64_t)st.st_size;
	if (!s->packed)
		return 0;
	if (!r->unpacker)
		r->unpacker = unpacker_new();
	if (!r->unpacker)
		return -ENOMEM;
	/* What is wrong with it is told when it is read. */
	s->packed_at = packed_sizes(s->fd, &sizes) ? 0 : PACKED_BEGIN;
	s->size = s->packed_at ? sizes.plain : UINT64_MAX;
	return 0;
}

/* What was written since it was looked at last. */
static void stream_grow(struct recording *r, struct stream *s)
{
	struct stat st;

	if (s->damaged)
		return;
	if (s->fd < 0)
		(void)stream_open(r, s);
	else if (!s->packed && !fstat(s->fd, &st))
		s->size = (uint64_t)st.st_size;
}

/* Fills the buffer.  Return: bytes or a negative errno; -EBADMSG has been told. */
static ssize_t read_packed(struct recording *r, struct stream *s)
{
	uint64_t at = s->packed_at;
	ssize_t n;

	if (!at) {
		stream_error(r, s, -EBADMSG, at, PACKED_FOREIGN);
		return -EBADMSG;
	}
	n = unpack_frame(r->unpacker, s->fd, &s->packed_at, s->buf);
	if (!n || n == -EBADMSG || (n > 0 && (uint64_t)n > s->size - s->off)) {
		stream_error(r, s, -EBADMSG, at, PACKED_DAMAGED);
		return -EBADMSG;
	}
	return n;
}

/* Likewise. */
static ssize_t read_plain(const struct recording *r, struct stream *s)
{
	size_t want = r->units * r->unit;

	if (s->size - s->off < want)
		want = (size_t)(s->size - s->off);
	return read_at(s->fd, s->buf, want, s->off);
}

/* The next unit of the file; NULL: there is none, and *err tells whether there should be. */
static const union unit *stream_unit(struct recording *r, struct stream *s, int *err)
{
	ssize_t have;

	*err = 0;
	if (s->rd < s->n)
		return unit_at(r, s, s->rd++);
	if (r->follows)
		stream_grow(r, s);
	if (s->off >= s->size)
		return NULL;

	have = s->packed ? read_packed(r, s) : read_plain(r, s);
	if (have < 0) {
		/* Nothing more is said of it. */
		*err = have == -EBADMSG ? -EIO : (int)have;
		return NULL;
	}
	s->n = (size_t)have / r->unit;
	s->rd = 0;
	s->off += s->n * r->unit;
	if (!s->n) {
		*err = -EBADMSG;
		return NULL;
	}
	return unit_at(r, s, s->rd++);
}

/* Where in the file is the unit that stream_unit() gives next? */
static uint64_t stream_pos(const struct recording *r, const struct stream *s)
{
	return s->off - (s->n - s->rd) * r->unit;
}

static bool unit_is_zero(const struct recording *r, const union unit *u)
{
	static const union unit zero;

	return !memcmp(u, &zero, r->unit);
}

/* A packet begins with as many bytes, whatever its events have: it lies in one piece in buf. */
static bool has_packet(const struct recording *r, struct stream *s)
{
	size_t more = CTF_UNIT / r->unit - 1;

	if (s->n - s->rd < more)
		return false;
	s->rd += more;
	return true;
}

/* Goes on in the next chunk that has such a file.  False: there is none. */
static bool stream_next_chunk(struct recording *r, struct stream *s)
{
	while (s->chunk + 1 < r->nchunks) {
		int err;

		if (s->fd >= 0)
			close(s->fd);
		s->chunk++;
		s->off = s->packets = s->discarded = s->padding = 0;
		s->rd = s->n = 0;
		s->new_chunk = true;
		/* Each chunk counts its own. */
		if (s->kind == OF_MARKS)
			s->seq = 0;
		err = stream_open(r, s);
		if (!err)
			return true;
		if (err != -ENOENT) {
			stream_error(r, s, -EBADMSG, 0, "cannot open");
			return false;
		}
		s->size = 0;
	}
	return false;
}

/* 1: s->left records follow; 0: end of file; -1: damaged. */
static int stream_packet(struct recording *r, struct stream *s)
{
	const struct ctf_packet *p;
	const union unit *u;
	uint64_t lost, bytes;
	size_t n;
	int err;

	for (;;) {
		s->packet_off = stream_pos(r, s) + s->padding * r->unit;
		while ((u = stream_unit(r, s, &err)) && s->padding && unit_is_zero(r, u))
			s->padding--;
		if (u && s->padding)
			return stream_error(r, s, -EBADMSG, stream_pos(r, s) - r->unit,
					    "record beyond the end of its packet");
		if (!u) {
			if (err && err != -EBADMSG)
				return stream_error(r, s, err, s->packet_off, "cannot read");
			if (err && stream_cut(r, s))
				return -1;
			if (!err || !stream_grows(r, s))
				if (stream_next_chunk(r, s))
					continue;
			return 0;
		}
		if (!has_packet(r, s)) {
			if (stream_cut(r, s))
				return -1;
			if (stream_grows(r, s))
				return 0;
			continue;
		}
		p = &u->packet;
		bytes = p->packet_size / 8;
		if (p->magic != CTF_MAGIC || p->stream_id)
			return stream_error(r, s, -EBADMSG, s->packet_off, "no packet");
		if (memcmp(p->uuid, r->chunks[s->chunk].uuid, sizeof(p->uuid)))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of another recording");
		if (p->cpu_id != s->cpu)
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of another CPU");
		n = p->content_size / 8 < CTF_UNIT ? 0 : (p->content_size / 8 - CTF_UNIT) / r->unit;
		if (p->packet_size % 8 || bytes > CTF_PACKET_BYTES_MAX ||
		    n > CTF_PACKET_BYTES_MAX / r->unit || bytes != ctf_packet_bytes(n, r->unit) ||
		    p->content_size != ctf_content_bits(n, r->unit))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of impossible size");
		if (p->packet_seq_num != s->packets)
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "missing or repeated packet");
		if (p->events_discarded < s->discarded || (s->kind != OF_CPU && p->events_discarded))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet with a wrong count of lost records");
		/* The rest may have come since it was read, and records in it be due. */
		if (bytes > s->size - s->packet_off && r->follows)
			stream_grow(r, s);
		if (bytes > s->size - s->packet_off) {
			if (stream_cut(r, s))
				return -1;
			if (stream_grows(r, s))
				return 0;
			continue;
		}

		lost = p->events_discarded - s->discarded;
		s->discarded = p->events_discarded;
		s->packets++;
		s->gap += lost;
		if (s->seq)
			s->seq += lost;
		s->left = n;
		s->padding = (bytes - CTF_UNIT) / r->unit - n;
		if (s->left)
			return 1;
		/* The recorder ends so when records were lost at the end. */
		s->gap_to = p->timestamp_end;
	}
}

static void event_record(const struct ctf_event *ev, struct tcpfsm_record *rec)
{
	memcpy(&rec->ts, &ev->ts, sizeof(*rec) - offsetof(struct tcpfsm_record, ts));
	rec->seq = ev->seq;
}

/* Those of the snapshot first of all, those of a resync when it began. */
static uint64_t time_of_socket(struct stream *s, const struct ctf_event *ev)
{
	struct tcpfsm_record rec;

	event_record(ev, &rec);
	if (!rec.conn && rec.snd == TCPFSM_RESYNC_BEGIN && rec.ts > s->at)
		s->at = rec.ts;
	return s->at;
}

/*
 * Finds the next record (s->buf[s->rd - 1]) and its place in time.
 * False: the stream is at its end.
 */
static bool stream_advance(struct recording *r, struct stream *s, uint64_t *key)
{
	const struct ctf_event *ev;
	const union unit *u;
	int err;

	if (!s->left) {
		if (stream_packet(r, s) <= 0) {
			s->gap_alone = s->gap > 0;
			*key = s->gap_to;
			return s->gap_alone;
		}
	}
	u = stream_unit(r, s, &err);
	if (!u) {
		if (err && err != -EBADMSG)
			stream_error(r, s, err, s->packet_off, "cannot read");
		else
			stream_cut(r, s);
		return false;
	}
	ev = &u->event;
	if (r->layout) {
		ctf_layout_event(r->layout, u, &s->today);
		ev = &s->today;
	}
	/* What a chunk that was cut, or that is gone, had before this. */
	if (s->new_chunk && s->seq && ev->seq > s->seq + 1 && ev->seq != TCPFSM_SEQ_BUSY) {
		s->gap += s->kind == OF_CPU ? ev->seq - s->seq - 1 : 0;
		s->seq = ev->seq - 1;
	}
	s->new_chunk = false;
	if ((s->seq && ev->seq != s->seq + 1) || !ev->seq || ev->seq == TCPFSM_SEQ_BUSY) {
		stream_error(r, s, -EBADMSG, stream_pos(r, s) - r->unit, "record out of sequence");
		return false;
	}
	if (s->kind != OF_CPU && ev->type != kinds[s->kind].type) {
		stream_error(r, s, -EBADMSG, stream_pos(r, s) - r->unit, kinds[s->kind].other);
		return false;
	}
	s->event = ev;
	s->seq = ev->seq;
	s->left--;
	*key = s->kind == OF_SOCKETS ? time_of_socket(s, ev) : ev->ts;
	return true;
}

/*
 * What follows in this packet, and before any other stream, goes along.  What
 * is wrong with it stays for stream_advance() to tell.
 */
static void run_ahead(struct recording *r, struct stream *s)
{
	uint64_t limit = merge_limit(&r->merge, r->src.upto - 1);
	struct tcpfsm_item *it = r->items + 1;

	while (it < r->items + BATCH && s->left && s->rd < s->n) {
		const struct ctf_event *ev = &((const union unit *)s->buf)[s->rd].event;

		if (ev->ts >= limit || ev->seq != s->seq + 1)
			break;
		it->cpu = s->cpu;
		event_record(ev, &it->rec);
		s->seq++;
		s->left--;
		s->rd++;
		it++;
	}
	s->last_ts = it[-1].rec.ts;
	if (s->last_ts > r->last_ts)
		r->last_ts = s->last_ts;
	r->src.ahead = r->items + 1;
	r->src.end = it;
	r->src.below = limit;
}

/* Of the last reading; of what is too much for one there are no changes.  Return: 0 or -ENOMEM. */
static int keep_total(struct reading *to, size_t *room, const struct tcpfsm_record *rec)
{
	if (to->n >= TOTALS_MAX)
		return 0;
	if (to->n == *room) {
		size_t more = *room ? 2 * *room : 64;
		struct tcpfsm_record *p = realloc(to->records, more * sizeof(*p));

		if (!p)
			return -ENOMEM;
		to->records = p;
		*room = more;
	}
	to->records[to->n++] = *rec;
	return 0;
}

/* Changes begin with this event; the stream goes on behind them.  Return: 0 or -ENOMEM. */
static int take_changes(struct recording *r, struct stream *s, const struct tcpfsm_record *since)
{
	struct reading changes = { .n = 0 };
	struct tcpfsm_record rec = *since;
	size_t room = 0;
	uint64_t key;
	int err;
	bool more;

	do {
		err = keep_total(&changes, &room, &rec);
		more = stream_advance(r, s, &key);
		if (more)
			event_record(s->event, &rec);
	} while (!err && more && rec.ts == since->ts && changes.n <= since->tw);
	s->idle = !more;
	if (more)
		merge_replace(&r->merge, key);
	else
		merge_pop(&r->merge);
	if (!err)
		err = reading_apply(&r->totals, &changes);
	/* What was cut short, or whose beginning is gone, tells nothing. */
	if (err == -EBADMSG)
		err = 0;
	r->totals_room = r->totals.n;
	r->given = 0;
	reading_free(&changes);
	return err;
}

static bool look_again(struct recording *r);

static int recording_next(struct tcpfsm_source *src, const struct tcpfsm_item **item)
{
	struct recording *r = (struct recording *)src;
	struct tcpfsm_item *it = r->items;
	struct stream *s;
	uint64_t key;

again:
	if (r->given < r->totals.n) {
		it->cpu = 0;
		it->rec = r->totals.records[r->given++];
		it->rec.seq = r->given;
		*item = it;
		return 1;
	}
	s = r->out;
	if (s) {
		s->idle = !stream_advance(r, s, &key);
		if (s->idle)
			merge_pop(&r->merge);
		else
			merge_replace(&r->merge, key);
		r->out = NULL;
	}
	if (src->growing && (!r->merge.n || r->merge.e[0].key >= r->src.upto)) {
		if (!r->err && look_again(r))
			goto again;
		return r->err;
	}
	if (!r->merge.n)
		return r->err;

	s = first_stream(r);
	if (__builtin_expect(s->gap > 0, 0)) {
		r->gap.cpu = s->cpu;
		r->gap.lost = s->gap;
		r->gap.from_ts = s->last_ts;
		r->gap.to_ts = r->merge.e[0].key;
		*item = &r->gap;
		src->lost += s->gap;
		s->gap = 0;
		/* Come back for the record, if there is one. */
		r->out = s->gap_alone ? s : NULL;
		return 1;
	}
	it->cpu = s->cpu;
	event_record(s->event, &it->rec);
	s->last_ts = it->rec.ts;
	r->out = s;
	switch (s->kind) {
	case OF_MARKS:
		named_mark(&r->name, &it->rec, false);
		/* Where nobody set the clock, a chunk begins with what the one before had. */
		if (it->rec.snd != TCPFSM_MARK_CLOCK || (int64_t)it->rec.conn == r->clock)
			goto again;
		r->clock = (int64_t)it->rec.conn;
		break;
	case OF_CPU:
		if (!r->layout)
			run_ahead(r, s);
		src->delivered++;
		if (s->last_ts > r->last_ts)
			r->last_ts = s->last_ts;
		break;
	case OF_SOCKETS:
		src->sockets += !s->at;
		break;
	case OF_TOTALS:
		if (it->rec.rcv == CTF_TOTAL_SINCE) {
			struct tcpfsm_record since = it->rec;

			r->out = NULL;
			if (take_changes(r, s, &since))
				return -ENOMEM;
			goto again;
		}
		if (!r->totals.n || r->totals.records->ts != it->rec.ts)
			r->totals.n = 0;
		if (keep_total(&r->totals, &r->totals_room, &it->rec))
			return -ENOMEM;
		r->given = r->totals.n;
		break;
	}
	*item = it;
	return 1;
}

static int recording_wait(struct tcpfsm_source *src, int timeout_ms)
{
	struct pollfd watched = { .fd = src->watch_fd, .events = POLLIN };

	if (!src->growing)
		return 1;
	if (timeout_ms < 0 || timeout_ms > LOOK_MS)
		timeout_ms = LOOK_MS;
	return poll(&watched, 1, timeout_ms) < 0 ? -errno : 1;
}

static void recording_close(struct tcpfsm_source *src)
{
	struct recording *r = (struct recording *)src;
	size_t i;

	for (i = 0; i < r->nstreams; i++) {
		if (r->streams[i].fd >= 0)
			close(r->streams[i].fd);
		free(r->streams[i].buf);
	}
	close(r->dirfd);
	reading_free(&r->totals);
	unpacker_free(r->unpacker);
	free(r->chunks);
	free(r->streams);
	free(r->merge.e);
	free(r->layout);
	free(r);
}

static int read_metadata(int dirfd, const char *chunk, struct ctf_env *env, const char **why)
{
	char name[FILE_NAME];
	struct stat st;
	size_t len = 0;
	char *text;
	ssize_t n;
	int fd, err;

	snprintf(name, sizeof(name), "%smetadata", chunk);
	fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		*why = errno == ENOENT ? "not a recording: no metadata in this directory" :
					 "cannot read the metadata";
		return errno == ENOENT ? -EBADMSG : -errno;
	}
	err = -EBADMSG;
	*why = "metadata is not that of a CTF 1.8 trace in plain text";
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > METADATA_MAX) {
		close(fd);
		return err;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		close(fd);
		*why = "out of memory";
		return -ENOMEM;
	}
	while (len < (size_t)st.st_size) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	close(fd);
	if (strlen(text) == len)
		err = ctf_metadata_parse(text, env, why);
	free(text);
	return err;
}

/* What a stream's file is called without what compressing it put behind. */
static void strip(char *name)
{
	size_t len = strlen(name), end = strlen(PACKED_SUFFIX);

	if (len > end && !strcmp(name + len - end, PACKED_SUFFIX))
		name[len - end] = '\0';
}

static bool stream_name(const char *name, uint32_t *cpu)
{
	unsigned long n;
	char *end;

	if (strncmp(name, "cpu_", 4) || name[4] < '0' || name[4] > '9' ||
	    (name[4] == '0' && name[5]))
		return false;
	errno = 0;
	n = strtoul(name + 4, &end, 10);
	if (errno || *end || n >= CTF_CPUS_MAX)
		return false;
	*cpu = (uint32_t)n;
	return true;
}

/* What is not of another kind may be a CPU's. */
static enum kind stream_kind(const char *name)
{
	enum kind k;

	for (k = OF_SOCKETS; k <= OF_MARKS; k++)
		if (!strcmp(name, kinds[k].file))
			return k;
	return OF_CPU;
}

static bool has_stream(const struct recording *r, enum kind kind, uint32_t cpu)
{
	size_t i;

	for (i = 0; i < r->nstreams; i++)
		if (r->streams[i].kind == kind && r->streams[i].cpu == cpu)
			return true;
	return false;
}

#define NO_FOLDER	"cannot read the directory"

/* A chunk's, or "": the recording's own.  NULL: see errno. */
static DIR *open_folder(const struct recording *r, const char *dir)
{
	int fd = openat(r->dirfd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0) {
		err = errno;
		close(fd);
		errno = err;
	}
	return d;
}

static int add_stream(struct recording *r, size_t *room, enum kind kind, uint32_t cpu, size_t chunk, const char **why)
{
	struct stream *s;
	int err;

	s = grown(r->streams, room, r->nstreams, sizeof(*s));
	if (!s) {
		*why = "out of memory";
		return -ENOMEM;
	}
	r->streams = s;
	s = &r->streams[r->nstreams++];
	*s = (struct stream) { .cpu = cpu, .kind = kind, .chunk = chunk, .fd = -1 };
	err = stream_open(r, s);
	if (err)
		*why = s->fd < 0 ? kinds[kind].no_open : kinds[kind].no_file;
	return err;
}

/* The streams that begin in this chunk. */
static int open_streams(struct recording *r, size_t chunk, const char **why)
{
	size_t room = r->nstreams;
	unsigned int round;
	struct dirent *e;
	uint32_t cpu;
	int err = 0;
	DIR *d;

	d = open_folder(r, r->chunks[chunk].dir);
	if (!d) {
		*why = NO_FOLDER;
		return -errno;
	}
	/* Its recorder may compress it now: who looks twice sees each file or the one in its place. */
	for (round = 0; round < 2; round++, rewinddir(d)) {
		while (!err && (e = readdir(d))) {
			enum kind kind;

			strip(e->d_name);
			kind = stream_kind(e->d_name);
			cpu = 0;
			if ((kind == OF_CPU && !stream_name(e->d_name, &cpu)) ||
			    has_stream(r, kind, cpu))
				continue;
			err = add_stream(r, &room, kind, cpu, chunk, why);
		}
	}
	closedir(d);
	return err;
}

/* ---- what is not there ------------------------------------------------------------ */

/* How much of a stream is in this file? */
static uint64_t size_of(int fd, bool packed)
{
	struct packed_sizes sizes;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	if (!packed)
		return (uint64_t)st.st_size;
	/* What is no file of ours is told when it is read. */
	if (packed_sizes(fd, &sizes))
		return UINT64_MAX;
	return (uint64_t)st.st_size < sizes.packed ? 0 : sizes.plain;
}

/* One stream's size, as its recorder counted it. */
static void check_size(struct recording *r, const struct chunk *c, const struct tcpfsm_record *mark)
{
	static const enum kind by_number[] = { OF_CPU, OF_SOCKETS, OF_TOTALS };
	char name[FILE_NAME];
	enum kind kind;
	bool packed;
	int fd;

	if (mark->rcv >= sizeof(by_number) / sizeof(by_number[0]))
		return;
	kind = by_number[mark->rcv];
	file_name(c, kind, mark->tw, name);
	fd = open_file(r, c, kind, mark->tw, &packed);
	if (fd == -ENOENT) {
		if (!r->absent++)
			snprintf(r->absent_first, sizeof(r->absent_first), "%s", name);
	} else if (fd >= 0 && size_of(fd, packed) < mark->conn) {
		if (!r->cut++)
			snprintf(r->cut_first, sizeof(r->cut_first), "%s", name);
	}
	if (fd >= 0)
		close(fd);
}

/* How a chunk ended, and whether all of it is here.  What is wrong with its marks is told when they are read. */
static int read_marks(struct recording *r, size_t chunk)
{
	struct stream s = { .kind = OF_MARKS, .chunk = chunk, .fd = -1 };
	struct chunk *c = &r->chunks[chunk];
	size_t units = r->units, n = r->nchunks;
	struct named_parts name = { .what = 0 };
	struct tcpfsm_record mark;
	int err = r->err;
	uint64_t key;

	c->end = TCPFSM_END_NONE;
	if (stream_open(r, &s)) {
		if (s.fd >= 0)
			close(s.fd);
		return 0;
	}
	/* Who writes holds its lock. */
	r->writing = flock(s.fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	s.buf = malloc(BUFFER_MIN);
	if (!s.buf) {
		close(s.fd);
		return -ENOMEM;
	}
	r->units = BUFFER_MIN / r->unit;
	r->nchunks = chunk + 1;
	while (stream_advance(r, &s, &key)) {
		if (s.gap_alone)
			break;
		event_record(s.event, &mark);
		named_mark(&name, &mark, true);
		if (mark.snd == TCPFSM_MARK_STREAM) {
			check_size(r, c, &mark);
		} else if (mark.snd == TCPFSM_MARK_LEFT_OUT) {
			c->left_out = mark.conn;
		} else if (mark.snd == TCPFSM_MARK_END && mark.rcv >= TCPFSM_END_STOPPED &&
			   mark.rcv <= TCPFSM_END_CHUNK) {
			c->end = mark.rcv;
			c->code = mark.arg;
			c->unwritten = mark.conn;
		}
	}
	r->nchunks = n;
	r->units = units;
	r->err = err;
	if (!err)
		*r->src.error = '\0';
	free(s.buf);
	close(s.fd);
	return 0;
}

struct list {
	char *s;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct list *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->len && l->len + 2 < l->size)
		l->len += (size_t)snprintf(l->s + l->len, l->size - l->len, "; ");
	va_start(ap, fmt);
	n = vsnprintf(l->s + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = l->len + (size_t)n < l->size ? l->len + (size_t)n : l->size - 1;
}

/* " after 2026-11-30 12:34:56", when the end has been read. */
static const char *after(const struct recording *r, char buf[48])
{
	time_t t = (time_t)((r->last_ts + (uint64_t)r->clock) / NSEC_PER_SEC);
	struct tm tm;

	*buf = '\0';
	if (!r->merge.n && r->last_ts && localtime_r(&t, &tm))
		strftime(buf, 48, " after %F %T", &tm);
	return buf;
}

static void add_files(struct list *l, uint64_t n, const char *first, const char *is)
{
	if (n == 1)
		add(l, "file %s %s", first, is);
	else if (n)
		add(l, "file %s and %" PRIu64 " more %s", first, n - 1, is);
}

static const char *recording_missing(struct tcpfsm_source *src)
{
	struct recording *r = (struct recording *)src;
	const struct chunk *last = r->nchunks ? &r->chunks[r->nchunks - 1] : NULL;
	struct list l = { r->missing, sizeof(r->missing), 0 };
	char when[48];

	*r->missing = '\0';
	if (!last)
		return r->missing;
	if (last->abi < TCPFSM_ABI_VERSION)
		add(&l, "recorded by an older version of tcpfsm (ABI %u); what it did not tell is not known",
		    last->abi);
	switch (last->abi < TCPFSM_ABI_VERSION && !last->end ? TCPFSM_END_STOPPED : last->end) {
	case TCPFSM_END_UNKNOWN:
		add(&l, "recorded by an older version of tcpfsm, which did not tell whether it is complete");
		break;
	case TCPFSM_END_CHUNK:
		/* By itself it is all there. */
		if (!*last->dir)
			break;
		/* fall through */
	case TCPFSM_END_NONE:
		/* Who followed it knows. */
		if (r->src.growing)
			break;
		if (r->writing)
			add(&l, "it is still being written; what came%s is not in it", after(r, when));
		else
			add(&l, "it was not ended (its recorder was killed, or the machine went down): "
			    "what came%s is not in it, nor all of the second before", after(r, when));
		break;
	case TCPFSM_END_ERROR:
		add(&l, "its recorder failed (%s): what came%s is not in it", strerror((int)last->code),
		    after(r, when));
		if (last->unwritten)
			add(&l, "%" PRIu64 " records could not be written", last->unwritten);
		break;
	default:
		break;
	}
	if (r->gone)
		add(&l, "%" PRIu64 " chunk%s of it missing", r->gone, r->gone == 1 ? "" : "s");
	add_files(&l, r->absent, r->absent_first, "missing");
	add_files(&l, r->cut, r->cut_first, "cut: shorter than recorded");
	return r->missing;
}

/* Those from n on, which have no buffer yet. */
static int start_streams(struct recording *r, size_t n)
{
	struct merge_entry *e = realloc(r->merge.e, (r->nstreams + 1) * sizeof(*e));
	uint64_t key;
	size_t i;

	if (!e)
		return -ENOMEM;
	r->merge.e = e;
	for (i = n; i < r->nstreams; i++) {
		/* Whole pages, aligned: read(2) is faster for it. */
		r->streams[i].buf = aligned_alloc(4096, r->units * r->unit);
		if (!r->streams[i].buf)
			return -ENOMEM;
	}
	for (i = n; i < r->nstreams; i++) {
		r->streams[i].idle = !stream_advance(r, &r->streams[i], &key);
		if (!r->streams[i].idle)
			merge_push(&r->merge, key, merge_number(r, i));
	}
	return 0;
}

/* What each stream gets of the memory for buffers. */
static void size_buffers(struct recording *r)
{
	size_t bytes = BUFFERS_BYTES / (r->nstreams + !r->nstreams);

	if (bytes > BUFFER_MAX)
		bytes = BUFFER_MAX;
	if (r->follows && bytes > BUFFER_GROWING)
		bytes = BUFFER_GROWING;
	if (bytes < BUFFER_MIN)
		bytes = BUFFER_MIN;
	r->units = bytes / 4096 * 4096 / r->unit;
}

static int by_number(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static bool has_metadata(const struct recording *r, const struct chunk *c)
{
	char name[FILE_NAME];
	struct stat st;

	snprintf(name, sizeof(name), "%smetadata", c->dir);
	return !fstatat(r->dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
}

/* Those with numbers from one to another, behind those that are known. */
static int list_chunks(struct recording *r, uint64_t from, uint64_t to)
{
	size_t n = r->nchunks, room = n, i;
	struct dirent *e;
	int err = 0;
	DIR *d;

	d = open_folder(r, "");
	if (!d)
		return -errno;
	while (!err && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		uint64_t number;
		struct chunk *c;

		if (len < CHUNK_DIGITS || len > CHUNK_DIGITS_MAX ||
		    strspn(e->d_name, "0123456789") != len)
			continue;
		number = strtoul(e->d_name, NULL, 10);
		if (number < from || number > to)
			continue;
		if (r->nchunks >= room) {
			room = room ? 2 * room : 16;
			c = realloc(r->chunks, room * sizeof(*c));
			if (!c) {
				err = -ENOMEM;
				break;
			}
			r->chunks = c;
		}
		c = &r->chunks[r->nchunks++];
		*c = (struct chunk) { .number = number };
		snprintf(c->dir, sizeof(c->dir), "%.*s/", CHUNK_DIGITS_MAX, e->d_name);
	}
	closedir(d);
	if (r->nchunks > n)
		qsort(&r->chunks[n], r->nchunks - n, sizeof(*r->chunks), by_number);
	/* The last one may have been cut short while it was begun: no metadata yet. */
	if (r->nchunks > 1 && r->nchunks > n && !has_metadata(r, &r->chunks[r->nchunks - 1]))
		r->nchunks--;
	for (i = n ? n : 1; i < r->nchunks; i++)
		r->gone += r->chunks[i].number - r->chunks[i - 1].number - 1;
	return err;
}

/* A directory with metadata is one by itself; without, its folders with numbers are chunks. */
static int find_chunks(struct recording *r, const char **why)
{
	int err;

	*why = "out of memory";
	r->chunks = calloc(1, sizeof(*r->chunks));
	if (!r->chunks)
		return -ENOMEM;
	if (has_metadata(r, r->chunks)) {
		r->nchunks = 1;
		return 0;
	}
	err = list_chunks(r, 0, UINT64_MAX);
	if (err && err != -ENOMEM)
		*why = NO_FOLDER;
	/* What its recorder has not come to yet is for later. */
	while (!err && r->src.growing && r->nchunks > 1 &&
	       r->chunks[r->nchunks - 1].number > r->progress.chunk)
		r->nchunks--;
	if (!r->nchunks && !err) {
		*why = "not a recording: no metadata in this directory";
		err = -EBADMSG;
	}
	return err;
}

static int open_chunk(struct recording *r, size_t i, const char **why)
{
	struct ctf_env env = { .epoch_offset = 0 };
	struct chunk *c = &r->chunks[i];
	int err;

	err = read_metadata(r->dirfd, c->dir, &env, why);
	if (err)
		return err;
	memcpy(c->uuid, env.uuid, sizeof(c->uuid));
	c->abi = env.abi;
	if (!i) {
		r->src.epoch_offset = r->clock = env.epoch_offset;
		memcpy(r->src.feature_error, env.error, sizeof(env.error));
		r->src.abi = env.abi;
		snprintf(r->src.filter, sizeof(r->src.filter), "%s", env.filter);
		free(r->layout);
		r->layout = env.layout;
		r->unit = env.layout ? ctf_layout_unit(env.layout) : CTF_UNIT;
	} else {
		free(env.layout);
		if (env.abi != r->src.abi) {
			*why = "its chunks are of different versions";
			return -EBADMSG;
		}
	}
	err = open_streams(r, i, why);
	if (!err && env.marks) {
		*why = "out of memory";
		err = read_marks(r, i);
	}
	return err;
}

static void drop_chunk(struct recording *r, size_t i)
{
	/* What it began is at the end. */
	while (r->nstreams && r->streams[r->nstreams - 1].chunk == i) {
		int fd = r->streams[--r->nstreams].fd;

		if (fd >= 0)
			close(fd);
	}
	r->nchunks--;
	memmove(&r->chunks[i], &r->chunks[i + 1], (r->nchunks - i) * sizeof(*r->chunks));
}

/* Its recorder may have removed it meanwhile: then it is none any more. */
static bool chunk_is_gone(struct recording *r, size_t i)
{
	if (!*r->chunks[i].dir || r->nchunks == 1 || !faccessat(r->dirfd, r->chunks[i].dir, F_OK, 0))
		return false;
	drop_chunk(r, i);
	return true;
}

/* Chunks from i on.  Return: 0 or a negative errno, and then *why. */
static int open_chunks(struct recording *r, size_t i, const char **why)
{
	while (i < r->nchunks) {
		int err = open_chunk(r, i, why);

		if (err && chunk_is_gone(r, i))
			continue;
		if (err)
			return err;
		i++;
	}
	return 0;
}

static void tell_end(struct recording *r)
{
	const struct chunk *last = &r->chunks[r->nchunks - 1];

	r->src.how_ended = last->end;
	r->src.end_code = last->code;
	r->src.left_out = last->left_out;
}

/* ---- while it is written ----------------------------------------------------------- */

/* The marks of a chunk that is over; one that is being removed has nothing to tell. */
static int close_chunk(struct recording *r, size_t i)
{
	uint64_t absent = r->absent, cut = r->cut;
	int err = read_marks(r, i);

	if (*r->chunks[i].dir && faccessat(r->dirfd, r->chunks[i].dir, F_OK, 0)) {
		r->absent = absent;
		r->cut = cut;
	}
	return err;
}

/* Weeks of them would add up. */
static void forget_chunks(struct recording *r)
{
	size_t first = r->nchunks - 1, i;

	for (i = 0; i < r->nstreams; i++)
		if (!r->streams[i].damaged && r->streams[i].chunk < first)
			first = r->streams[i].chunk;
	if (!first)
		return;
	r->nchunks -= first;
	memmove(r->chunks, r->chunks + first, r->nchunks * sizeof(*r->chunks));
	for (i = 0; i < r->nstreams; i++)
		r->streams[i].chunk -= r->streams[i].chunk < first ? r->streams[i].chunk : first;
}

/* What there is by now: chunks, streams, and what streams that were at their end go on with. */
static int read_on(struct recording *r, uint64_t chunk, const char **why)
{
	size_t last = r->nchunks - 1, nstreams = r->nstreams, i;
	uint64_t key;
	int err = 0;

	/* The last one may have got streams before it was closed. */
	if (open_streams(r, last, why) == -ENOMEM)
		return -ENOMEM;
	if (*r->chunks[last].dir)
		err = list_chunks(r, r->chunks[last].number + 1, chunk);
	if (!err && (r->nchunks > last + 1 || !r->src.growing))
		err = close_chunk(r, last);
	if (!err)
		err = open_chunks(r, last + 1, why);
	if (!err)
		err = start_streams(r, nstreams);
	for (i = 0; !err && i < nstreams; i++) {
		struct stream *s = &r->streams[i];

		if (!s->idle || s->damaged)
			continue;
		s->idle = !stream_advance(r, s, &key);
		if (!s->idle)
			merge_push(&r->merge, key, merge_number(r, i));
	}
	if (!err)
		forget_chunks(r);
	return err;
}

/* Return: false: there is no progress. */
static bool look_again(struct recording *r)
{
	const char *why = "cannot be followed";
	struct progress p = { .chunk = UINT64_MAX };
	int err;

	r->src.growing = progress_read(r->dirfd, &p);
	if (r->src.growing && p.upto == r->progress.upto && p.chunk == r->progress.chunk)
		return false;
	r->progress = p;
	err = read_on(r, p.chunk, &why);
	if (err && !r->err) {
		r->err = err;
		snprintf(r->src.error, sizeof(r->src.error), "%s", why);
	}
	if (r->src.growing) {
		r->src.upto = p.upto > r->src.upto ? p.upto : r->src.upto;
	} else {
		r->src.upto = UINT64_MAX;
		r->writing = false;
		tell_end(r);
	}
	return true;
}

int source_open_recording(struct tcpfsm_source **src, const char *dir, bool follow, const char **why)
{
	const char *unused;
	struct recording *r;
	int dirfd, err;

	if (!why)
		why = &unused;
	*src = NULL;
	*why = NULL;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0) {
		err = -errno;
		*why = err == -ENOENT ? "no such directory" :
		       err == -ENOTDIR ? "a recording is a directory" :
					 "cannot open the directory";
		return err;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		close(dirfd);
		*why = "out of memory";
		return -ENOMEM;
	}
	r->dirfd = dirfd;
	r->src.upto = UINT64_MAX;
	r->follows = follow;
	r->src.watch_fd = -1;
	r->src.growing = follow && progress_read(dirfd, &r->progress);
	if (r->src.growing)
		r->src.upto = r->progress.upto;
	r->src.next = recording_next;
	r->src.wait = recording_wait;
	r->src.missing = recording_missing;
	r->src.close = recording_close;
	err = find_chunks(r, why);
	if (!err)
		err = open_chunks(r, 0, why);
	if (!err) {
		size_buffers(r);
		*why = "out of memory";
		err = start_streams(r, 0);
	}
	if (err) {
		recording_close(&r->src);
		return err;
	}
	tell_end(r);
	*why = NULL;
	*src = &r->src;
	return 0;
}

int tcpfsm_source_open_recording(struct tcpfsm_source **src, const char *dir, const char **why)
{
	return source_open_recording(src, dir, false, why);
}
