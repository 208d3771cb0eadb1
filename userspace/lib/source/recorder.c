// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* "tcpfsm record": the rings of a device into a recording, unmerged. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "ctf.h"
#include "device.h"
#include "opts.h"
#include "pace.h"
#include "recorder.h"
#include "snapshot.h"
#include "source.h"

/* A crash loses no record older than this. */
#define FLUSH_NS	NSEC_PER_SEC

struct tcpfsm_recorder {
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
	struct pace resyncs;
	uint64_t totals_after;		/* written when they were read last */
	struct pace readings;		/* of totals; begun 0: none yet */
	int totals_error;		/* of the last one */
};

int recorder_open_rings(struct tcpfsm_recorder **out, struct ring_reader *rings,
			unsigned int n, const char *dir,
			const struct tcpfsm_info *info)
{
	struct tcpfsm_recorder *rec;
	struct ctf_env env = {
		.epoch_offset = info->epoch_offset,
		.module_version = (const char *)info->version,
	};
	int err;

	*out = NULL;
	if (getrandom(env.uuid, sizeof(env.uuid), 0) != (ssize_t)sizeof(env.uuid))
		return -errno;
	env.uuid[6] = (uint8_t)((env.uuid[6] & 0x0f) | 0x40);	/* random, RFC 9562 */
	env.uuid[8] = (uint8_t)((env.uuid[8] & 0x3f) | 0x80);

	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return -ENOMEM;
	err = ctf_writer_open(&rec->writer, dir, n, &env);
	if (err) {
		free(rec);
		return err;
	}
	rec->rings = rings;
	rec->nrings = n;
	rec->resyncs = PACE_RESYNC;
	rec->readings = PACE_RECORDED;
	*out = rec;
	return 0;
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
	err = ctf_writer_commit(rec->writer, stream, 1, 0, r->ts);
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
		err = put_record(rec, stream, &r, ++rec->seq);
	snapshot_mark(s, TCPFSM_RESYNC_END, &r);
	if (!err)
		err = put_record(rec, stream, &r, ++rec->seq);
	snapshot_close(s);
	rec->resync = true;
	pace_end(&rec->resyncs);
	return err;
}

/* That they cannot be read ends nothing: the next ones may be. */
static int put_totals(struct tcpfsm_recorder *rec)
{
	struct tcpfsm_record *totals;
	size_t i, n;
	int err = 0;

	pace_begin(&rec->readings);
	rec->totals_error = device_totals(rec->dev, &totals, &n);
	rec->totals_after = rec->written;
	pace_end(&rec->readings);
	if (rec->totals_error)
		return 0;
	for (i = 0; !err && i < n; i++)
		err = put_record(rec, ctf_writer_totals(rec->writer), &totals[i], ++rec->totals);
	free(totals);
	return err;
}

int tcpfsm_recorder_open(struct tcpfsm_recorder **rec, const char *path, const char *dir,
			 const struct tcpfsm_source_options *opts,
			 struct tcpfsm_info *info)
{
	struct tcpfsm_source_options o;
	struct snapshot *snapshot;
	struct device *dev;
	int err;

	*rec = NULL;
	err = copy_opts(&o, sizeof(o), opts);
	if (!err)
		err = source_attach(&dev, &snapshot, path, &o, info);
	if (err)
		return err;
	err = recorder_open_rings(rec, dev->rings, dev->nrings, dir, &dev->info);
	if (err) {
		snapshot_close(snapshot);
		device_close(dev);
		return err;
	}
	(*rec)->dev = dev;
	(*rec)->netns = o.netns;
	if (snapshot)
		err = put_snapshot(*rec, snapshot);
	snapshot_close(snapshot);
	if (!err)
		err = put_totals(*rec);
	if (err) {
		tcpfsm_recorder_close(*rec);
		*rec = NULL;
	}
	return err;
}

static int drain_ring(struct tcpfsm_recorder *rec, struct ring_reader *r, unsigned int cpu,
		      uint64_t now, size_t *total)
{
	/* One lap at most, or a busy CPU would keep us from the others. */
	size_t left = (size_t)r->nslots;
	int err;

	do {
		struct ctf_event *dst;
		uint64_t lost;
		size_t n, room;

		dst = ctf_writer_room(rec->writer, cpu, &room);
		if (!dst)
			return -ENOMEM;
		n = ring_copy_events(r, dst, room < left ? room : left);
		if (!n)
			break;
		lost = ring_take_gap(r);
		err = ctf_writer_commit(rec->writer, cpu, n, lost, now);
		if (err)
			return err;
		rec->lost += lost;
		rec->written += n;
		*total += n;
		left -= n;
	} while (left && ring_behind(r));
	return 0;
}

int tcpfsm_recorder_drain(struct tcpfsm_recorder *rec)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	size_t total = 0;
	unsigned int i;
	int err = 0;

	if (rec->dev && device_has_new(rec->dev))
		err = device_map_new(rec->dev);
	for (i = 0; !err && i < rec->nrings; i++) {
		struct ring_reader *r = &rec->rings[i];

		/* Most CPUs of a big machine are idle and need no buffer. */
		if (r->hdr && load_relaxed(&r->hdr->head) > r->cursor)
			err = drain_ring(rec, r, i, now, &total);
	}
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

int tcpfsm_recorder_wait(struct tcpfsm_recorder *rec, int timeout_ms)
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

void tcpfsm_recorder_counts(const struct tcpfsm_recorder *rec, uint64_t *written,
			    uint64_t *lost, uint64_t *bytes)
{
	if (written)
		*written = rec->written;
	if (lost)
		*lost = rec->lost;
	if (bytes)
		*bytes = ctf_writer_bytes(rec->writer);
}

int tcpfsm_recorder_snapshot(const struct tcpfsm_recorder *rec, uint64_t *sockets)
{
	if (sockets)
		*sockets = rec->sockets;
	return rec->snapshot_error;
}

int tcpfsm_recorder_close(struct tcpfsm_recorder *rec)
{
	unsigned int i;
	int err = 0, end;

	if (!rec)
		return 0;
	if (rec->resync && rec->lost != rec->lost_before)
		err = put_resync(rec);
	if (!err && rec->readings.begun)
		err = put_totals(rec);
	if (!err)
		err = rec->totals_error;
	/* Lost after the last record that was seen: no record will tell. */
	for (i = 0; i < rec->nrings; i++) {
		uint64_t lost = ring_take_gap(&rec->rings[i]);

		if (lost) {
			rec->lost += lost;
			ctf_writer_lost(rec->writer, i, lost, clock_ns(CLOCK_MONOTONIC) -
					(uint64_t)clock_timens_offset());
		}
	}
	end = ctf_writer_close(rec->writer);
	device_close(rec->dev);
	free(rec);
	return end ? end : err;
}
