// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Live source: the rings of all CPUs as one stream in the order of time.
 *
 * It works in rounds.  A round fixes the horizon H, a little time ago, *before*
 * it looks at any head: a record that is not visible then is younger than H.
 * So whatever is up to H can be put in order and given away; what is younger
 * stays in its queue for the next round.
 *
 * What makes this true is that a slot is marked before its record takes the
 * time.  The slack only has to cover how long that mark takes to be seen and
 * how far the clocks of two CPUs may differ.  Where a record is in flight, for
 * long if a hypervisor has put that CPU aside, nothing younger than the last
 * record of that CPU is given away.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "device.h"
#include "merge.h"
#include "opts.h"
#include "snapshot.h"
#include "source.h"

#define SLACK_NS	NSEC_PER_MSEC
/*
 * With records held back, sleep so long that the next round is worth it: a
 * wake-up costs as much as twenty records.  Nobody sees 20 ms.
 */
#define HOLD_NS		(20 * (int64_t)NSEC_PER_MSEC)
/* So long we wait for a record in flight; some never come, see tcpfsm_ring_announce(). */
#define FLIGHT_NS	NSEC_PER_SEC

/* All queues together should stay in the cache, but batches be worth a look. */
#define QUEUES_BYTES	(4U << 20)
#define BATCH_MAX	1024U
#define BATCH_MIN	64U

/* One ring's records that are copied and not yet given away. */
struct queue {
	struct tcpfsm_item *items;
	size_t rd, n;			/* rd: behind by what went by way of src.ahead */
	size_t labelled;		/* items whose cpu is filled in */
	uint64_t round;			/* in which the head was last loaded */
	uint64_t flight;		/* seq that was in flight */
	uint64_t flight_since;
	struct ring_reader *ring;
	struct tcpfsm_item gap;		/* lost > 0: comes before items[rd] */
};

struct live {
	struct tcpfsm_source src;
	struct device *dev;		/* NULL: the rings are somebody else's */
	struct snapshot *snapshot;	/* until it is over */
	uint32_t netns;			/* that it is of; 0: all */
	uint8_t mark;			/* that comes next: of a resync, 0: none */
	struct tcpfsm_item socket;	/* of it, or of totals, with the caller */
	struct tcpfsm_record *totals;	/* still to be given away, from next_total on */
	size_t ntotals, next_total;
	bool stepped;			/* the clock: a mark comes next */
	bool aside;			/* these come before what lies ready, */
	uint64_t below;			/* and this is src.below meanwhile */
	struct merge merge;
	struct queue *queues;
	struct queue *out;		/* its first item is with the caller */
	size_t nqueues, batch;
	uint64_t round, now, horizon, slack;
	int64_t timens;
	bool in_round;
	bool blocked;			/* a ring laps us faster than we read */
	bool held;			/* a record in flight holds others back */
};

static uint64_t live_now(const struct live *l)
{
	return clock_ns(CLOCK_MONOTONIC) - (uint64_t)l->timens;
}

/* Order is not worth losing records: is a ring half full of what we have not read? */
static bool crowded(const struct live *l)
{
	size_t i;

	for (i = 0; i < l->nqueues; i++) {
		const struct ring_reader *r = l->queues[i].ring;

		if (r->hdr && load_acquire(&r->hdr->head) - r->cursor > r->nslots / 2)
			return true;
	}
	return false;
}

/* A record is on its way in a ring that is otherwise read to its head. */
static void hold_back(struct live *l, struct queue *q)
{
	const struct ring_reader *r = q->ring;
	uint64_t now = l->now;

	if (q->flight != r->cursor + 1) {
		q->flight = r->cursor + 1;
		q->flight_since = now;
	} else if (now - q->flight_since > FLIGHT_NS || crowded(l)) {
		return;
	}
	l->held = true;
	if (r->last_ts < l->horizon)
		l->horizon = r->last_ts;
}

static int queue_init(const struct live *l, struct queue *q)
{
	if (!q->items)
		q->items = calloc(l->batch, sizeof(*q->items));
	q->gap.cpu = q->ring->cpu;
	return q->items ? 0 : -ENOMEM;
}

/* Fills an empty queue.  False: there is nothing for this round. */
static bool queue_fill(struct live *l, struct queue *q)
{
	struct ring_reader *r = q->ring;

	/* Was read to a head that was loaded after H was fixed? */
	if (q->round == l->round && !ring_behind(r))
		return false;
	q->round = l->round;
	q->rd = 0;
	q->n = ring_copy(r, &q->items[0].rec, sizeof(q->items[0]), l->batch);
	if (!ring_behind(r) && __builtin_expect(ring_in_flight(r), 0))
		hold_back(l, q);
	if (!q->n) {
		if (ring_behind(r))
			l->blocked = true;
		return false;
	}
	for (; q->labelled < q->n; q->labelled++)
		q->items[q->labelled].cpu = r->cpu;
	if (r->gap) {
		q->gap.lost = ring_take_gap(r);
		q->gap.from_ts = r->gap_from;
		q->gap.to_ts = q->items[0].rec.ts;
	}
	return true;
}

/* A CPU has come online that had no ring. */
static int take_new_rings(struct live *l)
{
	int err = device_map_new(l->dev);
	size_t i;

	for (i = 0; !err && i < l->nqueues; i++)
		if (l->queues[i].ring->hdr)
			err = queue_init(l, &l->queues[i]);
	return err;
}

/* Something comes before what lies ready. */
static void set_aside(struct live *l)
{
	if (!l->aside)
		l->below = l->src.below;
	l->src.below = 0;
	l->aside = true;
}

static bool clock_item(struct live *l, const struct tcpfsm_item **item)
{
	if (!l->stepped)
		return false;
	l->stepped = false;
	l->socket.rec = (struct tcpfsm_record) {
		.type = TCPFSM_TYPE_MARK, .ts = l->now, .snd = TCPFSM_MARK_CLOCK,
		.conn = (uint64_t)l->src.epoch_offset,
	};
	*item = &l->socket;
	return true;
}

static int round_begin(struct live *l)
{
	size_t i;

	/* Before H is fixed: what is in a ring that was not there then is younger. */
	if (l->dev && __builtin_expect(device_has_new(l->dev), 0)) {
		int err = take_new_rings(l);

		if (err)
			return err;
	}
	l->now = live_now(l);
	l->horizon = l->now - l->slack;
	if (l->dev && __builtin_expect(clock_has_stepped(l->timens, &l->src.epoch_offset), 0)) {
		l->stepped = true;
		set_aside(l);
	}
	l->round++;
	l->blocked = false;
	l->held = false;
	l->in_round = true;
	for (i = 0; i < l->nqueues; i++) {
		struct queue *q = &l->queues[i];

		if (q->items && q->rd == q->n && queue_fill(l, q))
			merge_push(&l->merge, q->items[0].rec.ts, i);
	}
	return 0;
}

static bool snapshot_item(struct live *l, const struct tcpfsm_item **item)
{
	bool resync;

	if (!l->snapshot)
		return false;
	*item = &l->socket;
	if (l->mark == TCPFSM_RESYNC_BEGIN) {
		snapshot_mark(l->snapshot, TCPFSM_RESYNC_BEGIN, &l->socket.rec);
		l->mark = TCPFSM_RESYNC_END;
		return true;
	}
	if (snapshot_next(l->snapshot, &l->socket.rec)) {
		l->src.sockets += !l->mark;
		return true;
	}
	resync = l->mark;
	if (resync)
		snapshot_mark(l->snapshot, TCPFSM_RESYNC_END, &l->socket.rec);
	else
		l->src.snapshot_error = snapshot_error(l->snapshot);
	l->mark = 0;
	snapshot_close(l->snapshot);
	l->snapshot = NULL;
	return resync;
}

static int live_resync(struct tcpfsm_source *src)
{
	struct live *l = (struct live *)src;
	int err;

	if (l->snapshot)
		return -EBUSY;
	err = snapshot_open(&l->snapshot, l->netns);
	if (err)
		return err;
	l->mark = TCPFSM_RESYNC_BEGIN;
	set_aside(l);
	return 0;
}

void source_put_totals(struct tcpfsm_source *src, struct tcpfsm_record *totals, size_t n)
{
	struct live *l = (struct live *)src;

	free(l->totals);
	l->totals = totals;
	l->ntotals = n;
	l->next_total = 0;
	set_aside(l);
}

static int live_totals(struct tcpfsm_source *src)
{
	struct live *l = (struct live *)src;
	struct tcpfsm_record *totals;
	size_t n;
	int err;

	if (!l->dev)
		return -ENODEV;
	err = device_totals(l->dev, &totals, &n);
	if (!err)
		source_put_totals(src, totals, n);
	return err;
}

static int live_reach(const struct tcpfsm_source *src, uint32_t cpu, struct tcpfsm_reach *reach)
{
	const struct live *l = (const struct live *)src;
	uint64_t now = live_now(l);
	struct tcpfsm_record rec;

	if (cpu >= l->nqueues || !l->queues[cpu].ring->hdr)
		return -ENXIO;
	*reach = (struct tcpfsm_reach) { .held = 0 };
	if (ring_oldest(l->queues[cpu].ring, &rec, &reach->held)) {
		reach->age_ns = now > rec.ts ? now - rec.ts : 0;
		reach->overwritten = rec.seq - 1;
	}
	return 0;
}

uint64_t tcpfsm_source_complete_since(const struct tcpfsm_source *src)
{
	const struct live *l = (const struct live *)src;
	uint64_t since = 1;
	uint32_t i;

	if (src->reach != live_reach || !l->dev || !l->dev->info.flight_recorder)
		return 0;
	for (i = 0; i < l->nqueues; i++) {
		struct tcpfsm_record rec;
		uint64_t held;

		if (l->queues[i].ring->hdr && ring_oldest(l->queues[i].ring, &rec, &held) && rec.seq > 1 &&
		    rec.ts > since)
			since = rec.ts;
	}
	return since;
}

static bool total_item(struct live *l, const struct tcpfsm_item **item)
{
	if (l->totals && l->next_total < l->ntotals) {
		l->socket.rec = l->totals[l->next_total++];
		*item = &l->socket;
		return true;
	}
	free(l->totals);
	l->totals = NULL;
	return false;
}

static int live_next(struct tcpfsm_source *src, const struct tcpfsm_item **item)
{
	struct live *l = (struct live *)src;
	struct queue *q = l->out;

	if (__builtin_expect(l->aside, 0)) {
		if (clock_item(l, item) || snapshot_item(l, item) || total_item(l, item))
			return 1;
		l->aside = false;
		src->below = l->below;
		return tcpfsm_source_next(src, item);
	}
	if (q) {
		l->out = NULL;
		if (q->gap.lost) {
			q->gap.lost = 0;
		} else {
			q->rd = (size_t)(src->ahead - q->items);
			src->ahead = src->end = NULL;
			if (q->rd < q->n || queue_fill(l, q))
				merge_replace(&l->merge, q->items[q->rd].rec.ts);
			else
				merge_pop(&l->merge);
		}
	} else if (!l->in_round) {
		int err = round_begin(l);

		if (err)
			return err;
		if (l->aside)
			return live_next(src, item);
	}

	if (!l->merge.n || l->merge.e[0].key > l->horizon || l->blocked) {
		l->in_round = false;
		return 0;
	}

	q = &l->queues[l->merge.e[0].stream];
	l->out = q;
	if (__builtin_expect(q->gap.lost > 0, 0)) {
		src->lost += q->gap.lost;
		*item = &q->gap;
	} else {
		src->delivered++;
		*item = &q->items[q->rd];
		/* This CPU's next ones, until it is another one's turn. */
		src->ahead = *item + 1;
		src->end = q->items + q->n;
		src->below = merge_limit(&l->merge, l->horizon);
	}
	return 1;
}

static int live_wait(struct tcpfsm_source *src, int timeout_ms)
{
	struct live *l = (struct live *)src;
	int64_t timeout = timeout_ms < 0 ? -1 : timeout_ms * (int64_t)NSEC_PER_MSEC;
	bool hold = l->merge.n || l->held || !l->dev;
	int n;

	if (l->in_round || l->blocked || l->aside)
		return 1;

	/*
	 * Records held back are behind the cursor, so poll() knows nothing of
	 * them: they come of age by themselves.
	 */
	if (hold && timeout >= 0 && timeout < HOLD_NS)
		hold = false;
	else if (hold)
		timeout = HOLD_NS;

	if (l->dev)
		n = device_wait(l->dev, timeout, src->watch_fd);
	else
		n = poll(NULL, 0, (int)(timeout / (int64_t)NSEC_PER_MSEC)) < 0 ? -errno : 0;
	return n ? n : hold;
}

static void live_close(struct tcpfsm_source *src)
{
	struct live *l = (struct live *)src;
	size_t i;

	for (i = 0; l->queues && i < l->nqueues; i++)
		free(l->queues[i].items);
	free(l->queues);
	free(l->merge.e);
	free(l->totals);
	snapshot_close(l->snapshot);
	device_close(l->dev);
	free(l);
}

int source_open_rings(struct tcpfsm_source **out, struct ring_reader *rings,
		      unsigned int n, uint64_t slack_ns,
		      int64_t epoch_offset)
{
	unsigned int there = 0;
	struct live *l;
	size_t i;

	*out = NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->src.next = live_next;
	l->src.wait = live_wait;
	l->src.totals = live_totals;
	l->src.reach = live_reach;
	l->src.resync = live_resync;
	l->src.close = live_close;
	l->src.watch_fd = -1;
	l->src.epoch_offset = epoch_offset;
	l->src.abi = TCPFSM_ABI_VERSION;
	l->timens = clock_timens_offset();
	l->slack = slack_ns;

	for (i = 0; i < n; i++)
		there += rings[i].hdr != NULL;
	l->batch = QUEUES_BYTES / sizeof(struct tcpfsm_item) / (there ? there : 1);
	if (l->batch > BATCH_MAX)
		l->batch = BATCH_MAX;
	if (l->batch < BATCH_MIN)
		l->batch = BATCH_MIN;

	l->nqueues = n;
	l->queues = calloc(n, sizeof(*l->queues));
	l->merge.e = calloc(n, sizeof(*l->merge.e));
	if (!l->queues || !l->merge.e)
		goto nomem;
	for (i = 0; i < n; i++) {
		struct queue *q = &l->queues[i];

		q->ring = &rings[i];
		if (rings[i].hdr && queue_init(l, q))
			goto nomem;
	}
	*out = &l->src;
	return 0;

nomem:
	live_close(&l->src);
	return -ENOMEM;
}

int source_attach(struct device **dev, struct snapshot **snapshot, const char *path,
		  const struct tcpfsm_source_options *opts, struct tcpfsm_info *info)
{
	int err = 0;

	*dev = NULL;
	*snapshot = NULL;
	/*
	 * It looks for owners now, which takes longest, while no ring waits for
	 * us, and for sockets when the cursors stand: then nothing is missed.
	 */
	if (opts->snapshot)
		err = snapshot_open(snapshot, opts->netns);
	if (!err)
		err = device_open(dev, path, opts->follow_new, info);
	if (err) {
		snapshot_close(*snapshot);
		*snapshot = NULL;
	}
	return err;
}

int tcpfsm_source_open_device(struct tcpfsm_source **src, const char *path,
			      const struct tcpfsm_source_options *opts,
			      struct tcpfsm_info *info)
{
	struct tcpfsm_source_options o;
	struct snapshot *snapshot;
	struct device *dev;
	struct live *l;
	int err;

	*src = NULL;
	err = copy_opts(&o, sizeof(o), opts);
	if (!err)
		err = source_attach(&dev, &snapshot, path, &o, info);
	if (err)
		return err;
	err = source_open_rings(src, dev->rings, dev->nrings, SLACK_NS,
				dev->info.epoch_offset);
	if (err) {
		snapshot_close(snapshot);
		device_close(dev);
		return err;
	}
	l = (struct live *)*src;
	l->dev = dev;
	l->snapshot = snapshot;
	l->netns = o.netns;
	if (snapshot)
		set_aside(l);
	return 0;
}

int tcpfsm_source_next(struct tcpfsm_source *src, const struct tcpfsm_item **item)
{
	const struct tcpfsm_item *it = src->ahead;

	if (__builtin_expect(it < src->end && it->rec.ts < src->below, 1)) {
		src->ahead = it + 1;
		src->delivered++;
		*item = it;
		return 1;
	}
	return src->next(src, item);
}

int tcpfsm_source_batch(struct tcpfsm_source *src, const struct tcpfsm_item **items, size_t *n)
{
	const struct tcpfsm_item *it;
	int rc = tcpfsm_source_next(src, items);

	if (rc <= 0)
		return rc;
	for (it = src->ahead; it < src->end && it->rec.ts < src->below; it++)
		;
	*n = 1 + (size_t)(it - src->ahead);
	src->delivered += (size_t)(it - src->ahead);
	src->ahead = it;
	return rc;
}

int tcpfsm_source_wait(struct tcpfsm_source *src, int timeout_ms)
{
	return src->wait(src, timeout_ms);
}

void tcpfsm_source_watch(struct tcpfsm_source *src, int fd)
{
	src->watch_fd = fd;
}

int tcpfsm_source_totals(struct tcpfsm_source *src)
{
	return src->totals ? src->totals(src) : 0;
}

int tcpfsm_source_resync(struct tcpfsm_source *src)
{
	return src->resync ? src->resync(src) : 0;
}

int tcpfsm_source_reach(const struct tcpfsm_source *src, uint32_t cpu, struct tcpfsm_reach *reach)
{
	return src->reach ? src->reach(src, cpu, reach) : -ENODEV;
}

void source_recorded_info(const struct tcpfsm_source *src, struct tcpfsm_info *info)
{
	struct tcpfsm_info i = { .size = sizeof(i), .features = UINT64_MAX };
	unsigned int n;

	memcpy(i.error, src->feature_error, sizeof(i.error));
	for (n = 0; n < TCPFSM_FEATURE_SLOTS; n++)
		if (i.error[n])
			i.features &= ~(1ULL << n);
	give_info(info, &i);
}

unsigned int tcpfsm_source_abi(const struct tcpfsm_source *src)
{
	return src->abi;
}

int64_t tcpfsm_source_epoch_offset(const struct tcpfsm_source *src)
{
	return src->epoch_offset;
}

enum tcpfsm_end tcpfsm_source_end(const struct tcpfsm_source *src, unsigned int *code)
{
	if (code)
		*code = src->end_code;
	return src->how_ended;
}

const char *tcpfsm_source_missing(struct tcpfsm_source *src)
{
	return src->missing ? src->missing(src) : "";
}

const char *tcpfsm_source_filter(const struct tcpfsm_source *src, uint64_t *left_out)
{
	if (left_out)
		*left_out = src->left_out;
	return src->filter;
}

const char *tcpfsm_source_error(const struct tcpfsm_source *src)
{
	return src->error;
}

void tcpfsm_source_counts(const struct tcpfsm_source *src, uint64_t *delivered,
			  uint64_t *lost)
{
	if (delivered)
		*delivered = src->delivered;
	if (lost)
		*lost = src->lost;
}

int tcpfsm_source_snapshot(const struct tcpfsm_source *src, uint64_t *sockets)
{
	if (sockets)
		*sockets = src->sockets;
	return src->snapshot_error;
}

void tcpfsm_source_close(struct tcpfsm_source *src)
{
	if (src)
		src->close(src);
}
