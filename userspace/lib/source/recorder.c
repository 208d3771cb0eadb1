// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* "tcpfsm record": the rings of a device into a recording, unmerged. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "changes.h"
#include "clock.h"
#include "ctf.h"
#include "device.h"
#include "named.h"
#include "opts.h"
#include "pace.h"
#include "packed.h"
#include "packer.h"
#include "progress.h"
#include "recorder.h"
#include "snapshot.h"
#include "source.h"

/* A crash loses no record older than this. */
#define FLUSH_NS	NSEC_PER_SEC
/* So long a record may take from its time to where it is seen, for who follows; */
#define FLIGHT_NS	(NSEC_PER_SEC / 5)
/* so long where it is known to be on its way; some never come. */
#define FLIGHT_MAX_NS	NSEC_PER_SEC

struct kept_chunk {
	uint64_t bytes, end;
	bool packed;			/* bytes are what it has on the disk since */
};

/* Of a CPU whose records are not all kept. */
struct kept_cpu {
	uint64_t seq;			/* of the last one, as if there were no others */
	uint64_t lost;			/* since then */
	bool begun;
};

struct tcpfsm_recorder {
	char *dir;
	struct ctf_env env;
	char version[sizeof(((struct tcpfsm_info *)NULL)->version) + 1];
	bool chunks;
	bool held;			/* no chunk is open: the rings are left as they are */
	int dirfd;			/* with a lock that tells of its progress */
	struct progress progress;	/* as told */
	uint64_t upto;			/* what was taken from the rings, by the time of the records */
	bool snapshot;			/* is wanted */
	uint64_t keep_bytes, keep_ns;
	struct packer *packer;		/* NULL: chunks stay as they are */
	bool compress_end;		/* what is not compressed when it ends */
	bool (*keeps)(const struct tcpfsm_record *r, void *arg);	/* NULL: all */
	void *keeps_arg;
	struct kept_cpu *cpus;		/* with keeps */
	uint64_t left_out;		/* by keeps */
	struct naming naming;		/* of a device */
	int64_t timens;
	uint64_t chunk;			/* number of this one */
	uint64_t chunk_begun, chunk_base;
	struct kept_chunk *kept;	/* those before it that are there, the oldest first */
	size_t nkept;
	uint64_t bytes_before;		/* in all of them, and in those removed */
	bool draining;			/* amid what a new chunk would break */
	struct device *dev;		/* NULL: the rings are somebody else's */
	struct ring_reader *rings;
	unsigned int nrings;
	struct ctf_writer *writer;
	uint64_t written, lost;
	uint64_t sockets, totals;
	uint64_t seq;			/* of the stream of sockets */
	int snapshot_error;
	bool resync;			/* a loss makes it read the sockets again */
	uint32_t netns;			/* only of this one; 0: all */
	uint64_t lost_before;		/* lost when it began to read them last */
	struct reading told;		/* the last one in this chunk */
	struct reading past[2];		/* while held: the last totals, the older ones first */
	struct pace resyncs;
	uint64_t totals_after;		/* written when they were read last */
	struct pace readings;		/* of totals; begun 0: none yet */
	int totals_error;		/* of the last one */
	int err;			/* that ended it */
	int signal;			/* likewise */
};

/* Chunks: so many of them are kept, or less, and so many bytes beyond its packets has each. */
#define KEPT_CHUNKS	8
#define CHUNK_EXTRA	(64U << 10)

static int new_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return -errno;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);	/* random, RFC 9562 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int open_writer(struct tcpfsm_recorder *rec, struct ctf_writer **w)
{
	char path[PATH_MAX];
	int err = new_uuid(rec->env.uuid);

	if (rec->chunks)
		snprintf(path, sizeof(path), "%s/" CHUNK_FORMAT, rec->dir, rec->chunk + 1);
	if (!err)
		err = ctf_writer_open(w, rec->chunks ? path : rec->dir, rec->nrings, &rec->env);
	rec->chunk += !err;
	rec->chunk_begun = monotonic_ns();
	naming_again(&rec->naming);
	return err;
}

/* Where it begins: its records, without the sockets and totals that come first. */
static void chunk_begins(struct tcpfsm_recorder *rec)
{
	rec->chunk_base = ctf_writer_bytes(rec->writer);
	rec->chunk_begun = monotonic_ns();
}

/* The oldest chunk that is there; while held the last one has been closed, too. */
static uint64_t first_chunk(const struct tcpfsm_recorder *rec)
{
	return rec->chunk + rec->held - rec->nkept;
}

/* What those that were compressed since take now. */
static void measure_chunks(struct tcpfsm_recorder *rec)
{
	uint64_t done = packer_done(rec->packer), number = first_chunk(rec);
	size_t i;

	for (i = 0; i < rec->nkept && number <= done; i++, number++) {
		if (rec->kept[i].packed)
			continue;
		rec->kept[i].bytes = chunk_bytes(rec->dirfd, number);
		rec->kept[i].packed = true;
	}
}

/* Those that are closed may be compressed. */
static void pack_chunks(const struct tcpfsm_recorder *rec)
{
	if (rec->packer)
		packer_tell(rec->packer, first_chunk(rec) + rec->nkept - 1, first_chunk(rec));
}

/* Those that the next one leaves no room for, and those that are too old. */
static void remove_old_chunks(struct tcpfsm_recorder *rec)
{
	uint64_t bytes = rec->held ? 0 : rec->keep_bytes / KEPT_CHUNKS, now = monotonic_ns();
	uint64_t first = first_chunk(rec);
	size_t i, n = 0;

	/* And one that is compressed is there twice, for a while. */
	if (rec->packer) {
		bytes += rec->keep_bytes / KEPT_CHUNKS;
		measure_chunks(rec);
	}
	for (i = 0; i < rec->nkept; i++)
		bytes += rec->kept[i].bytes;
	while (n < rec->nkept && ((rec->keep_bytes && bytes > rec->keep_bytes) ||
				  (rec->keep_ns && now - rec->kept[n].end > rec->keep_ns))) {
		bytes -= rec->kept[n].bytes;
		n++;
	}
	rec->nkept -= n;
	if (n)
		memmove(rec->kept, rec->kept + n, rec->nkept * sizeof(*rec->kept));
	/* It is at none of these any more, or gives it up soon. */
	pack_chunks(rec);
	for (i = 0; i < n; i++)
		chunk_remove(rec->dirfd, first + i);
}

static void free_recorder(struct tcpfsm_recorder *rec)
{
	packer_close(rec->packer, false);
	if (rec->dirfd >= 0)
		close(rec->dirfd);
	reading_free(&rec->told);
	reading_free(&rec->past[0]);
	reading_free(&rec->past[1]);
	naming_exit(&rec->naming);
	free(rec->cpus);
	free(rec->kept);
	free(rec->dir);
	free(rec);
}

static void tell_progress(struct tcpfsm_recorder *rec, uint64_t upto)
{
	struct progress p = { upto, rec->chunk };

	if (p.upto < rec->progress.upto + PROGRESS_STEP_NS)
		p.upto = rec->progress.upto;
	if (p.upto == rec->progress.upto && p.chunk == rec->progress.chunk)
		return;
	progress_tell(rec->dirfd, &p, &rec->progress);
	rec->progress = p;
}

int recorder_open_rings(struct tcpfsm_recorder **out, struct ring_reader *rings,
			unsigned int n, const char *dir, const struct tcpfsm_recorder_options *opts,
			const struct tcpfsm_info *info)
{
	struct tcpfsm_recorder_options o;
	uint64_t off = tcpfsm_features_off(info);
	struct tcpfsm_recorder *rec;
	bool made = false;
	unsigned int i;
	int err;

	*out = NULL;
	err = copy_opts(&o, sizeof(o), opts);
	if (err)
		return err;
	if (strlen(dir) > PATH_MAX - 32)
		return -ENAMETOOLONG;
	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return -ENOMEM;
	rec->env.epoch_offset = info->epoch_offset;
	memcpy(rec->version, info->version, sizeof(info->version));
	rec->env.module_version = rec->version;
	if (o.filter)
		snprintf(rec->env.filter, sizeof(rec->env.filter), "%s", o.filter);
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (off >> i & 1)
			rec->env.error[i] = info->error[i];
	rec->rings = rings;
	rec->nrings = n;
	rec->timens = clock_timens_offset();
	rec->resyncs = PACE_RESYNC;
	rec->readings = PACE_RECORDED;
	rec->keep_bytes = o.keep_bytes;
	rec->keep_ns = o.keep_ns;
	rec->netns = o.netns;
	rec->snapshot = o.snapshot;
	rec->keeps = o.keeps;
	rec->keeps_arg = o.keeps_arg;
	rec->held = o.held;
	rec->chunks = o.keep_bytes || o.keep_ns || o.held;
	rec->compress_end = o.compress_end;
	rec->progress.chunk = UINT64_MAX;
	rec->dir = strdup(dir);
	rec->cpus = calloc(n, sizeof(*rec->cpus));
	err = rec->dir && rec->cpus ? naming_init(&rec->naming) : -ENOMEM;
	rec->dirfd = err ? err : ctf_make_dir(dir, &made);
	if (rec->dirfd < 0)
		err = rec->dirfd;
	if (!err && rec->chunks && o.compress)
		err = packer_open(&rec->packer, rec->dirfd);
	/* Before anything is in it, or it would read as one that nobody writes. */
	if (!err)
		tell_progress(rec, 0);
	if (!err && !rec->held)
		err = open_writer(rec, &rec->writer);
	if (!err)
		tell_progress(rec, 0);
	if (err) {
		if (made)
			rmdir(dir);
		free_recorder(rec);
		return err;
	}
	*out = rec;
	return 0;
}

static bool is_kept(const struct tcpfsm_recorder *rec, const struct tcpfsm_record *r)
{
	return !rec->keeps || rec->keeps(r, rec->keeps_arg);
}

#define IN_EVENT(member) \
	(offsetof(struct tcpfsm_record, member) - offsetof(struct tcpfsm_record, ts))

/* Numbers of which somebody may want to know the names. */
static void see_names(struct tcpfsm_recorder *rec, const struct ctf_event *ev, size_t n)
{
	size_t i;

	for (i = 0; rec->dev && i < n; i++) {
		const uint8_t *at = (const uint8_t *)&ev[i];
		uint32_t netns, pid = 0;

		memcpy(&netns, at + IN_EVENT(netns), sizeof(netns));
		if (at[IN_EVENT(flags)] & TCPFSM_F_OWNER)
			memcpy(&pid, at + IN_EVENT(pid), sizeof(pid));
		naming_see(&rec->naming, netns, pid, ev[i].ts);
	}
}

static int put_marks(struct tcpfsm_recorder *rec, uint64_t ts, uint64_t now)
{
	struct tcpfsm_record mark;
	int err = 0;

	while (!err && naming_next(&rec->naming, &mark)) {
		mark.ts = ts;
		err = ctf_writer_mark(rec->writer, &mark, now);
	}
	return err;
}

/* What was seen since, while who has the names is still there. */
static int put_names(struct tcpfsm_recorder *rec, uint64_t now)
{
	int err;

	pace_begin(&rec->naming.pace);
	err = put_marks(rec, now - (uint64_t)rec->timens, now);
	pace_end(&rec->naming.pace);
	return err;
}

int recorder_name(struct tcpfsm_recorder *rec, enum named what, uint32_t id, const char *text, uint64_t ts)
{
	snprintf(rec->naming.text, sizeof(rec->naming.text), "%s", text);
	naming_tell(&rec->naming, what, id);
	return put_marks(rec, ts, monotonic_ns());
}

/* seq: of the stream. */
static int put_record(struct tcpfsm_recorder *rec, unsigned int stream,
		      const struct tcpfsm_record *r, uint64_t seq)
{
	struct ctf_event *ev;
	size_t room;
	int err;

	ev = ctf_writer_room(rec->writer, stream, &room);
	if (!ev)
		return -ENOMEM;
	memcpy(&ev->ts, &r->ts, sizeof(*r) - offsetof(struct tcpfsm_record, ts));
	ev->seq = seq;
	see_names(rec, ev, 1);
	err = ctf_writer_commit(rec->writer, stream, 1, 0, r->ts);
	if (!err && rec->naming.ndue == NAMING_DUE)
		err = put_names(rec, monotonic_ns());
	/* Meanwhile the rings fill. */
	if (!err && room == 1)
		err = tcpfsm_recorder_drain(rec);
	return err < 0 ? err : 0;
}

static int put_snapshot(struct tcpfsm_recorder *rec, struct snapshot *s)
{
	struct tcpfsm_record r;
	int err = 0;

	while (!err && snapshot_next(s, &r))
		if (is_kept(rec, &r))
			err = put_record(rec, ctf_writer_sockets(rec->writer), &r, ++rec->seq);
	rec->sockets = rec->seq;
	rec->snapshot_error = snapshot_error(s);
	rec->resync = !rec->snapshot_error;
	return err;
}

/* Who replays it knows what is there again, as a live reader does. */
static int put_resync(struct tcpfsm_recorder *rec)
{
	unsigned int stream = ctf_writer_sockets(rec->writer);
	struct tcpfsm_record r;
	struct snapshot *s;
	int err;

	pace_begin(&rec->resyncs);
	err = snapshot_open(&s, rec->netns);
	if (err)
		return err;
	/* Its records drain the rings, too. */
	rec->resync = false;
	rec->lost_before = rec->lost;
	snapshot_mark(s, TCPFSM_RESYNC_BEGIN, &r);
	err = put_record(rec, stream, &r, ++rec->seq);
	while (!err && snapshot_next(s, &r))
		if (is_kept(rec, &r))
			err = put_record(rec, stream, &r, ++rec->seq);
	snapshot_mark(s, TCPFSM_RESYNC_END, &r);
	if (!err)
		err = put_record(rec, stream, &r, ++rec->seq);
	/* All of them are of the time when it began. */
	if (!err)
		err = ctf_writer_put(rec->writer, stream);
	snapshot_close(s);
	rec->resync = true;
	pace_end(&rec->resyncs);
	return err;
}

static int read_totals(struct tcpfsm_recorder *rec, struct reading *r)
{
	pace_begin(&rec->readings);
	rec->totals_error = device_totals(rec->dev, &r->records, &r->n);
	rec->totals_after = rec->written;
	pace_end(&rec->readings);
	return rec->totals_error;
}

/* What has changed since the last one, or all of it; it is taken. */
static int put_reading(struct tcpfsm_recorder *rec, struct reading *r)
{
	const struct reading *out = r;
	struct reading changes;
	size_t i, n = 0;
	int err;

	for (i = 0; i < r->n; i++)
		if (is_kept(rec, &r->records[i]))
			r->records[n++] = r->records[i];
	r->n = n;
	err = reading_changes(&rec->told, r, &changes);
	if (changes.n < r->n)
		out = &changes;
	for (i = 0; !err && i < out->n; i++)
		err = put_record(rec, ctf_writer_totals(rec->writer), &out->records[i], ++rec->totals);
	reading_free(&changes);
	reading_free(&rec->told);
	rec->told = *r;
	*r = (struct reading) { .n = 0 };
	return err;
}

int recorder_totals(struct tcpfsm_recorder *rec, struct tcpfsm_record *totals, size_t n)
{
	struct reading r = { totals, n };

	return put_reading(rec, &r);
}

/* That they cannot be read ends nothing: the next ones may be. */
static int put_totals(struct tcpfsm_recorder *rec)
{
	struct reading r;

	return read_totals(rec, &r) ? 0 : put_reading(rec, &r);
}

/* What it returns will be in the recording. */
static int ended_by(struct tcpfsm_recorder *rec, int rc)
{
	if (rc < 0 && rc != -EINTR && !rec->err)
		rec->err = rc;
	return rc;
}

int tcpfsm_recorder_open(struct tcpfsm_recorder **rec, const char *path, const char *dir,
			 const struct tcpfsm_recorder_options *opts,
			 struct tcpfsm_info *info)
{
	struct tcpfsm_recorder_options o;
	struct tcpfsm_source_options so = { .size = sizeof(so) };
	struct snapshot *snapshot;
	struct device *dev;
	int err;

	*rec = NULL;
	err = copy_opts(&o, sizeof(o), opts);
	so.follow_new = o.follow_new;
	so.snapshot = o.snapshot && !o.held;
	so.netns = o.netns;
	if (!err)
		err = source_attach(&dev, &snapshot, path, &so, info);
	if (err)
		return err;
	err = recorder_open_rings(rec, dev->rings, dev->nrings, dir, &o, &dev->info);
	if (err) {
		snapshot_close(snapshot);
		device_close(dev);
		return err;
	}
	(*rec)->dev = dev;
	if (o.held)
		return 0;
	(*rec)->draining = true;
	if (snapshot)
		err = put_snapshot(*rec, snapshot);
	snapshot_close(snapshot);
	if (!err)
		err = put_totals(*rec);
	/* From here on a crash leaves what can be read. */
	if (!err)
		err = ctf_writer_flush((*rec)->writer, UINT64_MAX);
	chunk_begins(*rec);
	(*rec)->draining = false;
	if (err) {
		ended_by(*rec, err);
		tcpfsm_recorder_close(*rec, NULL);
		*rec = NULL;
	}
	return err;
}

/*
 * Of n records those that are kept, one behind the other, numbered as if there were no others:
 * what was lost may have been any.
 */
static size_t keep_some(struct tcpfsm_recorder *rec, unsigned int cpu, struct ctf_event *ev, size_t n,
			uint64_t *lost)
{
	struct kept_cpu *c = &rec->cpus[cpu];
	struct tcpfsm_record r;
	size_t i, kept = 0;

	if (!c->begun)
		c->seq = ev[0].seq - 1 - *lost;
	c->begun = true;
	c->lost += *lost;
	*lost = 0;
	for (i = 0; i < n; i++) {
		memcpy(&r.ts, &ev[i].ts, sizeof(r) - offsetof(struct tcpfsm_record, ts));
		if (!rec->keeps(&r, rec->keeps_arg))
			continue;
		if (kept != i)
			memcpy(&ev[kept], &ev[i], sizeof(*ev));
		if (!kept) {
			*lost = c->lost;
			c->lost = 0;
			c->seq += *lost;
		}
		ev[kept++].seq = ++c->seq;
	}
	rec->left_out += n - kept;
	return kept;
}

static int drain_ring(struct tcpfsm_recorder *rec, struct ring_reader *r, unsigned int cpu,
		      uint64_t now, size_t *total)
{
	/* One lap at most, or a busy CPU would keep us from the others. */
	size_t left = (size_t)r->nslots;
	int err;

	do {
		struct ctf_event *dst;
		uint64_t lost, told;
		size_t n, kept, room;

		dst = ctf_writer_room(rec->writer, cpu, &room);
		if (!dst)
			return -ENOMEM;
		n = ring_copy_events(r, dst, room < left ? room : left);
		if (!n)
			break;
		lost = told = ring_take_gap(r);
		kept = rec->keeps ? keep_some(rec, cpu, dst, n, &told) : n;
		see_names(rec, dst, kept);
		err = kept ? ctf_writer_commit(rec->writer, cpu, kept, told, now) : 0;
		/* Taken from the ring; where they are in no file, ctf_writer_close() counts them. */
		rec->lost += lost;
		rec->written += kept;
		if (err)
			return err;
		*total += n;
		left -= n;
	} while (left && ring_behind(r));
	if (ring_behind(r) && r->last_ts < rec->upto)
		rec->upto = r->last_ts;
	return 0;
}

/* Somebody set the clock, or the machine slept. */
static int put_clock(struct tcpfsm_recorder *rec, uint64_t at)
{
	uint64_t now = monotonic_ns() - (uint64_t)rec->timens;
	struct tcpfsm_record mark = {
		.type = TCPFSM_TYPE_MARK, .snd = TCPFSM_MARK_CLOCK,
		.ts = at < now ? at : now,
		.conn = (uint64_t)rec->env.epoch_offset,
	};

	return ctf_writer_mark(rec->writer, &mark, 0);
}

/* A CPU that was put aside amid a record: what is told is not beyond the time that it may have. */
static void wait_for_flight(struct tcpfsm_recorder *rec, uint64_t now)
{
	uint64_t since = now - (uint64_t)rec->timens - FLIGHT_MAX_NS;
	unsigned int i;

	for (i = 0; i < rec->nrings; i++) {
		const struct ring_reader *r = &rec->rings[i];
		uint64_t from = r->last_ts > since ? r->last_ts : since;

		if (r->hdr && from < rec->upto && ring_in_flight(r))
			rec->upto = from;
	}
}

/* Nothing is written: totals are read, so that what is recorded then has some of before. */
static int keep_past(struct tcpfsm_recorder *rec)
{
	struct reading r;

	if (rec->nkept && rec->keep_ns)
		remove_old_chunks(rec);
	if (!rec->dev || monotonic_ns() < rec->readings.next || read_totals(rec, &r))
		return 0;
	reading_free(&rec->past[0]);
	rec->past[0] = rec->past[1];
	rec->past[1] = r;
	return 0;
}

static int drain(struct tcpfsm_recorder *rec)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	size_t total = 0;
	unsigned int i;
	int err = 0;

	if (rec->held)
		return keep_past(rec);
	rec->upto = now - (uint64_t)rec->timens - FLIGHT_NS;
	if (rec->dev && clock_has_stepped(rec->timens, &rec->env.epoch_offset))
		err = put_clock(rec, UINT64_MAX);
	if (!err && rec->dev && device_has_new(rec->dev))
		err = device_map_new(rec->dev);
	for (i = 0; !err && i < rec->nrings; i++) {
		struct ring_reader *r = &rec->rings[i];

		/* Most CPUs of a big machine are idle and need no buffer. */
		if (r->hdr && load_relaxed(&r->hdr->head) > r->cursor)
			err = drain_ring(rec, r, i, now, &total);
	}
	wait_for_flight(rec, now);
	if (!err && naming_waits(&rec->naming, now))
		err = put_names(rec, now);
	if (!err && now >= FLUSH_NS)
		err = ctf_writer_flush(rec->writer, now - FLUSH_NS);
	if (!err && rec->resync && rec->lost != rec->lost_before && now >= rec->resyncs.next)
		err = put_resync(rec);
	/* The first are for who opens it. */
	if (!err && rec->readings.begun && rec->written != rec->totals_after &&
	    now >= rec->readings.next)
		err = put_totals(rec);
	if (err)
		return err;
	return total > INT_MAX ? INT_MAX : (int)total;
}

/* Room to remember one more chunk. */
static int room_for_chunk(struct tcpfsm_recorder *rec)
{
	struct kept_chunk *kept = realloc(rec->kept, (rec->nkept + 1) * sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	rec->kept = kept;
	return 0;
}

static void remember_chunk(struct tcpfsm_recorder *rec, const struct ctf_writer *w)
{
	rec->kept[rec->nkept++] = (struct kept_chunk) {
		.bytes = ctf_writer_bytes(w) + CHUNK_EXTRA, .end = monotonic_ns(),
	};
	rec->bytes_before += ctf_writer_bytes(w);
}

/* The old chunk is closed when the new one is there, so that it always tells how it went on. */
static int next_chunk(struct tcpfsm_recorder *rec)
{
	struct ctf_end end = { .how = TCPFSM_END_CHUNK, .lost = rec->lost, .left_out = rec->left_out };
	struct ctf_writer *next, *old = rec->writer;
	int err = room_for_chunk(rec);

	if (!err)
		err = open_writer(rec, &next);
	if (err)
		return err;
	rec->writer = next;
	reading_free(&rec->told);
	(void)ctf_writer_flush(old, UINT64_MAX);
	remember_chunk(rec, old);
	err = ctf_writer_close(old, &end, NULL);
	remove_old_chunks(rec);
	rec->draining = true;
	if (!err && rec->resync)
		err = put_resync(rec);
	if (!err && rec->readings.begun)
		err = put_totals(rec);
	if (!err)
		err = ctf_writer_flush(rec->writer, UINT64_MAX);
	rec->draining = false;
	chunk_begins(rec);
	return err;
}

static bool chunk_is_full(const struct tcpfsm_recorder *rec)
{
	return (rec->keep_bytes && ctf_writer_bytes(rec->writer) - rec->chunk_base + CHUNK_EXTRA >=
				   rec->keep_bytes / KEPT_CHUNKS) ||
	       (rec->keep_ns && monotonic_ns() - rec->chunk_begun >= rec->keep_ns / KEPT_CHUNKS);
}

int tcpfsm_recorder_next_chunk(struct tcpfsm_recorder *rec)
{
	return rec->chunks && !rec->held ? ended_by(rec, next_chunk(rec)) : -EINVAL;
}

/* Lost after the last record that was seen: no record will tell. */
static void put_gaps(struct tcpfsm_recorder *rec)
{
	unsigned int i;

	for (i = 0; i < rec->nrings; i++) {
		uint64_t lost = ring_take_gap(&rec->rings[i]), told = lost + rec->cpus[i].lost;

		rec->lost += lost;
		rec->cpus[i].seq += told;
		rec->cpus[i].lost = 0;
		if (told)
			ctf_writer_lost(rec->writer, i, told, clock_ns(CLOCK_MONOTONIC) -
					(uint64_t)clock_timens_offset());
	}
}

/* ---- only now and then --------------------------------------------------------------- */

/* What a ring has that was not read yet, as if it were opened now.  Return: the time of the oldest. */
static uint64_t rewind_ring(struct tcpfsm_recorder *rec, unsigned int cpu)
{
	struct ring_reader *r = &rec->rings[cpu], old = *r;
	struct tcpfsm_record first;
	uint64_t held;

	if (!r->hdr || ring_attach(r, old.hdr, old.slots, (uint32_t)old.nslots, old.cpu, false)) {
		*r = old;
		return UINT64_MAX;
	}
	if (r->cursor < old.cursor)
		r->cursor = r->start = old.cursor;
	if (rec->cpus[cpu].begun)
		rec->cpus[cpu].seq += r->cursor - old.cursor;
	r->last_ts = old.last_ts;
	return ring_oldest(r, &first, &held) ? first.ts : UINT64_MAX;
}

static int resume(struct tcpfsm_recorder *rec)
{
	uint64_t oldest = UINT64_MAX;
	struct snapshot *s = NULL;
	unsigned int i;
	int err;

	/* It looks for owners first, which takes longest. */
	err = rec->snapshot && !rec->resync ? snapshot_open(&s, rec->netns) : 0;
	if (rec->dev)
		clock_has_stepped(rec->timens, &rec->env.epoch_offset);
	if (!err)
		err = open_writer(rec, &rec->writer);
	if (err) {
		snapshot_close(s);
		return err;
	}
	rec->held = false;
	reading_free(&rec->told);
	rec->draining = true;
	remove_old_chunks(rec);
	for (i = 0; i < rec->nrings; i++) {
		uint64_t ts = rewind_ring(rec, i);

		oldest = ts < oldest ? ts : oldest;
	}
	/* It may have been set since the last chunk. */
	if (rec->dev)
		err = put_clock(rec, oldest);
	/* What happened is gone first. */
	if (!err)
		err = drain(rec);
	err = err < 0 ? err : 0;
	for (i = 0; !err && i < 2; i++)
		err = put_reading(rec, &rec->past[i]);
	if (!err && s)
		err = put_snapshot(rec, s);
	else if (!err && rec->resync)
		err = put_resync(rec);
	snapshot_close(s);
	if (!err && rec->dev)
		err = put_totals(rec);
	if (!err)
		err = ctf_writer_flush(rec->writer, UINT64_MAX);
	rec->draining = false;
	chunk_begins(rec);
	return err;
}

int tcpfsm_recorder_resume(struct tcpfsm_recorder *rec)
{
	return rec->held ? ended_by(rec, resume(rec)) : 0;
}

static int hold(struct tcpfsm_recorder *rec)
{
	struct ctf_end end = { .how = TCPFSM_END_STOPPED };
	struct ctf_writer *old = rec->writer;
	int err, rc;

	err = room_for_chunk(rec);
	rc = err ? err : drain(rec);
	if (rc < 0)
		return rc;
	rec->draining = true;
	if (rec->dev)
		err = put_totals(rec);
	rec->draining = false;
	put_gaps(rec);
	end.lost = rec->lost;
	end.left_out = rec->left_out;
	(void)ctf_writer_flush(old, UINT64_MAX);
	remember_chunk(rec, old);
	rec->writer = NULL;
	rec->held = true;
	rc = ctf_writer_close(old, &end, NULL);
	tell_progress(rec, rec->upto + FLIGHT_NS);
	remove_old_chunks(rec);
	return err ? err : rc;
}

int tcpfsm_recorder_hold(struct tcpfsm_recorder *rec)
{
	if (!rec->chunks)
		return -EINVAL;
	return rec->held ? 0 : ended_by(rec, hold(rec));
}

int tcpfsm_recorder_drain(struct tcpfsm_recorder *rec)
{
	bool amid = rec->draining;
	int rc, err = 0;

	rec->draining = true;
	rc = drain(rec);
	rec->draining = amid;
	if (rc >= 0 && rec->chunks && !rec->held && !amid && chunk_is_full(rec))
		err = next_chunk(rec);
	if (rc >= 0 && !err && !rec->held && !amid) {
		uint64_t waiting = ctf_writer_waiting(rec->writer);

		tell_progress(rec, waiting < rec->upto ? waiting : rec->upto);
	}
	return ended_by(rec, err ? err : rc);
}

static int wait(struct tcpfsm_recorder *rec, int timeout_ms)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), end = UINT64_MAX;
	int n;

	if (timeout_ms >= 0)
		end = now + (unsigned int)timeout_ms * NSEC_PER_MSEC;
	for (;;) {
		uint64_t oldest = ctf_writer_oldest(rec->writer);
		uint64_t until = end;

		if (oldest != UINT64_MAX && oldest + FLUSH_NS < until)
			until = oldest + FLUSH_NS;
		if (rec->dev) {
			int64_t t = until == UINT64_MAX ? -1 :
				    until > now ? (int64_t)(until - now) : 0;

			n = device_wait(rec->dev, t, -1);
		} else {
			n = poll(NULL, 0, 1) < 0 ? -errno : 1;
		}
		if (n)
			return n;

		now = clock_ns(CLOCK_MONOTONIC);
		if (now >= FLUSH_NS) {
			n = ctf_writer_flush(rec->writer, now - FLUSH_NS);
			if (n)
				return n;
		}
		if (now >= end)
			return 0;
	}
}

int tcpfsm_recorder_wait(struct tcpfsm_recorder *rec, int timeout_ms)
{
	if (rec->held)
		return poll(NULL, 0, timeout_ms) < 0 ? -errno : 0;
	return ended_by(rec, wait(rec, timeout_ms));
}

void tcpfsm_recorder_signal(struct tcpfsm_recorder *rec, int sig)
{
	rec->signal = sig;
}

void tcpfsm_recorder_counts(const struct tcpfsm_recorder *rec, uint64_t *written,
			    uint64_t *lost, uint64_t *bytes)
{
	if (written)
		*written = rec->written;
	if (lost)
		*lost = rec->lost;
	if (bytes)
		*bytes = rec->bytes_before + (rec->writer ? ctf_writer_bytes(rec->writer) : 0);
}

uint64_t tcpfsm_recorder_left_out(const struct tcpfsm_recorder *rec)
{
	return rec->left_out;
}

int tcpfsm_recorder_snapshot(const struct tcpfsm_recorder *rec, uint64_t *sockets)
{
	if (sockets)
		*sockets = rec->sockets;
	return rec->snapshot_error;
}

static void pack_rest(struct tcpfsm_recorder *rec)
{
	progress_end(rec->dirfd);
	if (rec->packer) {
		packer_tell(rec->packer, rec->chunk, first_chunk(rec));
		packer_close(rec->packer, true);
		rec->packer = NULL;
	} else if (!rec->chunks) {
		/* What fails stays as it is. */
		(void)pack_streams(rec->dirfd, NULL, NULL);
	}
}

int tcpfsm_recorder_close(struct tcpfsm_recorder *rec, uint64_t *unwritten)
{
	struct ctf_end how = { .how = TCPFSM_END_STOPPED };
	int err = 0, end = 0;

	if (unwritten)
		*unwritten = 0;
	if (!rec)
		return 0;
	if (rec->held)
		goto out;
	rec->draining = true;
	if (rec->resync && rec->lost != rec->lost_before)
		err = put_resync(rec);
	if (!err && rec->readings.begun)
		err = put_totals(rec);
	if (!err)
		err = put_names(rec, monotonic_ns());
	if (!err)
		err = rec->totals_error;
	put_gaps(rec);
	if (rec->err)
		how = (struct ctf_end) { .how = TCPFSM_END_ERROR, .code = (uint8_t)-rec->err };
	else if (rec->signal)
		how = (struct ctf_end) { .how = TCPFSM_END_SIGNAL, .code = (uint8_t)rec->signal };
	how.lost = rec->lost;
	how.left_out = rec->left_out;
	end = ctf_writer_close(rec->writer, &how, unwritten);
out:
	device_close(rec->dev);
	/* All of it is there, for who follows, too; where it was an error that ended it, the disk may be full. */
	if (rec->compress_end && !rec->err && !end)
		pack_rest(rec);
	free_recorder(rec);
	return end ? end : err;
}
