// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * A source to its end, through the model to who wants to know: when totals are asked for, when
 * sockets are read again, what waits no longer, in which order all of them hear of it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "model/living.h"
#include "opts.h"
#include "source/item.h"
#include "source/joined.h"
#include "source/pace.h"
#include "source/source.h"
#include "tcpfsm.h"

/* A live source may hold back what is younger than a few milliseconds. */
#define GRACE_NS	(20 * NSEC_PER_MSEC)
/* Less is the noise of reading two clocks; time namespaces differ by more. */
#define SKEW_MIN_NS	(NSEC_PER_SEC / 10)
/* Losses after so long without one are told of again. */
#define EPISODE_NS	(10 * NSEC_PER_SEC)
/* How long after its end a connection may still have something to tell. */
#define SETTLE_MS	150
/* A recorder that is at it may be so far behind: it writes each second. */
#define RECORDER_MS	2000

struct tcpfsm_follow {
	struct tcpfsm_source *src;
	struct tcpfsm_model *model;	/* NULL: none */
	struct tcpfsm_follow_options o;
	struct tcpfsm_consumers to;
	tcpfsm_event_fn event;		/* where the model's go: to the caller at once, or to all */
	void *arg;
	bool takes_items;
	bool replay;
	unsigned int lag_ms;		/* how much later than live all comes */
	bool begun;			/* the snapshot is over */
	bool quiet;			/* there was nothing more to read */
	bool stopped;			/* by a callback */
	uint64_t quiet_since;		/* 0: something came */
	uint64_t given_ts;		/* of the last one, from a recorder that is at it */

	/*
	 * When to stop, in the time of the records (CLOCK_MONOTONIC), so that what happened before
	 * is told to the last record and nothing after it.
	 */
	uint64_t end;
	int64_t skew;			/* their time minus ours (time namespaces) */
	bool interrupted, last_round;

	struct pace totals;
	bool reading;			/* totals were asked for and have not all come */
	struct pace resync;
	bool can_resync, wanted, syncing;
	uint64_t since;			/* wanted: the first loss */
	uint64_t told;			/* until then, once is enough */
};

/* ---- open and close -------------------------------------------------------------- */

static int make_model(struct tcpfsm_follow *f)
{
	const struct tcpfsm_model_options *opts = f->o.model;
	struct tcpfsm_model_options mo;
	int err;

	if (!opts)
		return 0;
	err = copy_opts(&mo, sizeof(mo), opts);
	mo.epoch_offset = tcpfsm_source_epoch_offset(f->src);
	return err ? err : tcpfsm_model_new(&f->model, &mo);
}

/* Something like for ever, where 0 is that, too, and no sum overflows. */
static uint64_t at_most(uint64_t ns)
{
	return ns && ns < NEVER ? ns : NEVER;
}

static void set_clocks(struct tcpfsm_follow *f)
{
	uint64_t now = monotonic_ns();

	f->resync = PACE_RESYNC;
	f->totals = (struct pace) {
		.every = at_most(f->o.totals_ns), .share = 4, .steady = true,
		.next = f->o.totals && !f->replay ? now : NEVER,
	};
	f->end = UINT64_MAX;
	if (f->replay && !f->lag_ms)
		return;
	/* That of the beginning of a recording says nothing of now. */
	f->skew = f->replay ? -clock_timens_offset() :
			      (int64_t)(realtime_ns() - now) - tcpfsm_source_epoch_offset(f->src);
	if (llabs(f->skew) < (int64_t)SKEW_MIN_NS)
		f->skew = 0;
	if (f->o.duration)
		f->end = now + (uint64_t)f->skew + at_most(f->o.duration);
}

static int ignore(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	(void)arg;
	return 0;
}

/* Who has the inode that is asked for at the end of a recording: those before had it, too. */
static int learn_last_netns(struct tcpfsm_follow *f)
{
	struct tcpfsm_item made[2] = { { .cpu = 0 }, { .cpu = 0 } };
	const struct tcpfsm_item *items;
	struct tcpfsm_source *src;
	const char *why;
	size_t n, i;

	/* What is wrong with it the second reading tells. */
	if (tcpfsm_source_open_recording(&src, f->o.recording, &why))
		return 0;
	while (tcpfsm_source_batch(src, &items, &n) > 0)
		for (i = 0; i < n; i++)
			if (item_is(&items[i], TCPFSM_TYPE_NETNS) &&
			    items[i].rec.netns == f->o.netns)
				made[0].rec = items[i].rec;
	tcpfsm_source_close(src);
	if (!made[0].rec.ts)
		return 0;
	made[1].rec = (struct tcpfsm_record) {
		.ts = made[0].rec.ts, .type = TCPFSM_TYPE_TOTAL, .netns = f->o.netns,
		.rcv = TCPFSM_TOTAL_NOW_MADE_TS, .listener = made[0].rec.ts,
	};
	made[0].rec.type = TCPFSM_TYPE_TOTAL;
	made[0].rec.rcv = TCPFSM_TOTAL_NOW_NETNS_COOKIE;
	return tcpfsm_model_items(f->model, made, 2, ignore, NULL);
}

/* Records may be of network namespaces whose inodes others have by now. */
static int learn_netns(struct tcpfsm_follow *f)
{
	if (!f->replay) {
		/* Best before the first record; without them the stream tells. */
		if (!f->o.totals)
			tcpfsm_source_totals(f->src);
		return 0;
	}
	return f->o.netns && !f->o.second ? learn_last_netns(f) : 0;
}

int follow_open_source(struct tcpfsm_follow **follow, struct tcpfsm_source *src,
		       const struct tcpfsm_follow_options *opts)
{
	struct tcpfsm_follow *f = calloc(1, sizeof(*f));
	int err;

	*follow = NULL;
	if (!f) {
		tcpfsm_source_close(src);
		return -ENOMEM;
	}
	f->src = src;
	f->o = *opts;
	f->replay = f->o.recording;
	f->lag_ms = src->growing ? RECORDER_MS : 0;
	f->event = f->o.event;
	f->arg = f->o.arg;
	f->takes_items = f->o.item;
	f->can_resync = f->o.resync && !f->replay;
	set_clocks(f);
	err = make_model(f);
	if (!err && f->model)
		err = learn_netns(f);
	if (err)
		tcpfsm_follow_close(f);
	else
		*follow = f;
	return err;
}

static int open_two(struct tcpfsm_source **src, const struct tcpfsm_follow_options *o, const char **why)
{
	const char *const dirs[2] = { o->recording, o->second };
	struct tcpfsm_join join;
	unsigned int which;
	int err = source_open_joined(src, dirs, &join, why, &which);

	if (!err && o->join) {
		join.size = o->join->size < sizeof(join) ? o->join->size : sizeof(join);
		memcpy(o->join, &join, join.size);
	}
	return err;
}

int tcpfsm_follow_open(struct tcpfsm_follow **follow, const struct tcpfsm_follow_options *opts,
		       struct tcpfsm_info *info, const char **why)
{
	struct tcpfsm_follow_options o;
	struct tcpfsm_source_options so = { .size = sizeof(so) };
	struct tcpfsm_source *src;
	const char *reason;
	int err;

	*follow = NULL;
	err = copy_opts(&o, sizeof(o), opts);
	if (err)
		return err;
	so.follow_new = o.follow_new || o.state_only;
	so.snapshot = o.snapshot;
	so.netns = o.netns;
	if (o.recording && o.second)
		err = open_two(&src, &o, why ? why : &reason);
	else if (o.recording)
		err = source_open_recording(&src, o.recording, o.growing, why ? why : &reason);
	else
		err = tcpfsm_source_open_device(&src, o.device, &so, info);
	if (!err && o.recording && info)
		source_recorded_info(src, info);
	return err ? err : follow_open_source(follow, src, &o);
}

void tcpfsm_follow_close(struct tcpfsm_follow *f)
{
	if (!f)
		return;
	tcpfsm_model_free(f->model);
	tcpfsm_source_close(f->src);
	free(f);
}

struct tcpfsm_source *tcpfsm_follow_source(struct tcpfsm_follow *f)
{
	return f->src;
}

struct tcpfsm_model *tcpfsm_follow_model(struct tcpfsm_follow *f)
{
	return f->model;
}

/* ---- who hears of it ------------------------------------------------------------- */

static int tell_all(const struct tcpfsm_event *ev, void *arg)
{
	struct tcpfsm_follow *f = arg;
	int rc = f->o.event ? f->o.event(ev, f->o.arg) : 0;

	if (!rc && f->to.timewaits)
		rc = tcpfsm_timewaits_event(f->to.timewaits, ev);
	if (!rc && f->to.connects)
		rc = tcpfsm_connects_event(f->to.connects, ev);
	if (!rc && f->to.explain)
		rc = tcpfsm_explain_event(f->to.explain, ev);
	if (!rc && f->to.ladders)
		rc = tcpfsm_ladders_event(f->to.ladders, ev, f->o.ladder, f->o.arg);
	return rc;
}

int tcpfsm_follow_consumers(struct tcpfsm_follow *f, const struct tcpfsm_consumers *to)
{
	int err = copy_opts(&f->to, sizeof(f->to), to);

	if (err)
		return err;
	f->takes_items = f->o.item || f->to.timewaits || f->to.connects || f->to.explain || f->to.listeners ||
			 f->to.checks;
	if (f->to.timewaits || f->to.connects || f->to.explain || f->to.ladders) {
		f->event = tell_all;
		f->arg = f;
	}
	/* These, and whoever takes items in batches, reckon with the offset of the beginning. */
	if (f->model && f->event == tell_all)
		model_keep_clock(f->model);
	return 0;
}

static int give_item(struct tcpfsm_follow *f, const struct tcpfsm_item *item)
{
	int rc = f->o.item ? f->o.item(item, f->o.arg) : 0;

	if (!rc && f->to.timewaits)
		rc = tcpfsm_timewaits_item(f->to.timewaits, item);
	if (!rc && f->to.connects)
		rc = tcpfsm_connects_item(f->to.connects, item);
	if (!rc && f->to.explain)
		rc = tcpfsm_explain_item(f->to.explain, item);
	if (!rc && f->to.listeners)
		rc = tcpfsm_listeners_item(f->to.listeners, item);
	if (!rc && f->to.checks)
		rc = tcpfsm_checks_item(f->to.checks, item);
	return rc;
}

/* What a callback said: go on, enough, or an error. */
static int heed(struct tcpfsm_follow *f, int rc)
{
	f->stopped = rc;
	return rc > 0 ? TCPFSM_FOLLOW_END : rc;
}

/* n 0: what waits for a successor waits in vain. */
static int give(struct tcpfsm_follow *f, const struct tcpfsm_item *items, size_t n)
{
	size_t i;
	int rc = 0;

	if (f->o.batch)
		return heed(f, f->o.batch(items, n, f->o.arg));
	for (i = 0; f->takes_items && !rc && i < n; i++)
		if (is_state(&items[i]))
			rc = give_item(f, &items[i]);
	if (!rc && f->model)
		rc = n ? tcpfsm_model_items(f->model, items, n, f->event, f->arg) :
			 tcpfsm_model_flush(f->model, f->event, f->arg);
	return heed(f, rc);
}

static int notify(struct tcpfsm_follow *f, const struct tcpfsm_notice *notice)
{
	return f->o.notice ? heed(f, f->o.notice(notice, f->o.arg)) : 0;
}

/* ---- totals and sockets ------------------------------------------------------------ */

static int ask_for_totals(struct tcpfsm_follow *f)
{
	struct tcpfsm_notice notice = { .type = TCPFSM_NOTICE_TOTALS };

	pace_begin(&f->totals);
	notice.error = tcpfsm_source_totals(f->src);
	f->reading = !notice.error;
	if (f->reading)
		return 0;
	notice.took_ns = pace_end(&f->totals);
	return notify(f, &notice);
}

static int read_sockets(struct tcpfsm_follow *f)
{
	f->wanted = false;
	f->syncing = true;
	pace_begin(&f->resync);
	return tcpfsm_source_resync(f->src);
}

/* Best when there is nothing else to read; but where losses go on, there always is. */
static bool resync_due(const struct tcpfsm_follow *f, uint64_t now)
{
	return f->wanted && now >= f->resync.next &&
	       (f->quiet || now >= f->since + f->resync.every);
}

/* Losses and marks come alone. */
static int look_closely(struct tcpfsm_follow *f, const struct tcpfsm_item *item)
{
	struct tcpfsm_notice notice = { .type = TCPFSM_NOTICE_TOTALS };
	int rc = 0;

	if (!f->begun && !(item && is_state(item))) {
		f->begun = true;
		notice.type = TCPFSM_NOTICE_SNAPSHOT;
		notice.error = tcpfsm_source_snapshot(f->src, NULL);
		/* What could not be read then will not be later. */
		f->can_resync = f->can_resync && !notice.error;
		if (f->replay && !f->lag_ms && f->o.duration && item)
			f->end = (item->lost ? item->to_ts : item->rec.ts) +
				 at_most(f->o.duration);
		rc = notify(f, &notice);
	} else if (f->syncing && item && item_is(item, TCPFSM_TYPE_SOCKET) && !item->rec.conn &&
		   item->rec.snd == TCPFSM_RESYNC_END) {
		f->syncing = false;
		notice.type = TCPFSM_NOTICE_RESYNC;
		notice.error = -(int)item->rec.arg;
		notice.took_ns = pace_end(&f->resync);
		notice.again = f->since < f->told;
		f->told = f->resync.begun + notice.took_ns + EPISODE_NS;
		rc = notify(f, &notice);
	} else if (item && item->lost && f->can_resync && !f->wanted) {
		f->wanted = true;
		f->since = monotonic_ns();
	}
	if (!rc && f->reading && !(item && is_state(item))) {
		f->reading = false;
		notice = (struct tcpfsm_notice) { .type = TCPFSM_NOTICE_TOTALS };
		if (!f->replay)
			notice.took_ns = pace_end(&f->totals);
		rc = notify(f, &notice);
	}
	return rc;
}

/* The first item of what was read; NULL: there is none. */
static inline int look(struct tcpfsm_follow *f, const struct tcpfsm_item *item)
{
	/* Its recorder asks for totals. */
	if (f->lag_ms && item && item_is(item, TCPFSM_TYPE_TOTAL)) {
		f->reading = true;
		return 0;
	}
	if (f->begun && !f->syncing && !f->reading && !(item && item->lost))
		return 0;
	return look_closely(f, item);
}

/* What was asked for; records that wait meanwhile are of no interest. */
static int read_state(struct tcpfsm_follow *f)
{
	const struct tcpfsm_item *items;
	size_t n;
	int rc;

	for (;;) {
		rc = tcpfsm_source_batch(f->src, &items, &n);
		if (rc < 0)
			return rc;
		if (!rc || !is_state(items))
			return look(f, NULL);
		rc = look(f, items);
		if (!rc)
			rc = give(f, items, n);
		if (rc)
			return rc;
	}
}

/* ---- the end --------------------------------------------------------------------- */

static uint64_t record_time(const struct tcpfsm_follow *f)
{
	return monotonic_ns() + (uint64_t)f->skew;
}

/* A signal came: the end may be now. */
static void look_at_signal(struct tcpfsm_follow *f)
{
	uint64_t now;

	if (!f->o.interrupted || !*f->o.interrupted || f->interrupted)
		return;
	f->interrupted = true;
	now = f->replay ? 0 : record_time(f);
	if (now < f->end)
		f->end = now;
}

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts : item->rec.ts;
}

static bool in_time(const struct tcpfsm_follow *f, const struct tcpfsm_item *item)
{
	return time_of(item) <= f->end;
}

/* How many of these are not beyond the end?  Sockets are read to theirs. */
static size_t count_in_time(struct tcpfsm_follow *f, const struct tcpfsm_item *items, size_t n)
{
	size_t i;

	if (f->o.interrupted && *f->o.interrupted)
		look_at_signal(f);
	if (!f->begun || item_is(items, TCPFSM_TYPE_SOCKET) || in_time(f, &items[n - 1]))
		return n;
	for (i = 0; i < n && in_time(f, &items[i]); i++)
		;
	return i;
}

/* Live, and the source has nothing: is everything up to the end here? */
static bool is_over(struct tcpfsm_follow *f)
{
	bool last = f->last_round;

	look_at_signal(f);
	if (f->o.state_only && !f->replay)
		return f->totals.next >= NEVER || f->totals.next + (uint64_t)f->skew > f->end;
	if (f->end == UINT64_MAX || record_time(f) < f->end + GRACE_NS + f->lag_ms * NSEC_PER_MSEC)
		return false;
	/* What the source said may be from before; ask it once more. */
	f->last_round = true;
	return last;
}

static int finish(struct tcpfsm_follow *f, int why)
{
	int rc = give(f, NULL, 0);

	if (!rc && why > 0 && f->wanted) {
		rc = read_sockets(f);
		if (!rc)
			rc = read_state(f);
	}
	if (!rc && why > 0 && f->o.totals && f->takes_items && !f->replay && !f->o.state_only) {
		rc = ask_for_totals(f);
		if (!rc)
			rc = read_state(f);
	}
	if (!rc && f->to.ladders)
		rc = heed(f, tcpfsm_ladders_flush(f->to.ladders, f->o.ladder, f->o.arg));
	return why < 0 || rc >= 0 ? why : rc;
}

/* ---- steps ----------------------------------------------------------------------- */

static bool ladders_wait(const struct tcpfsm_follow *f)
{
	size_t ended = 0;

	if (f->to.ladders)
		tcpfsm_ladders_counts(f->to.ladders, &ended, NULL);
	return ended;
}

static bool records_wait(const struct tcpfsm_follow *f)
{
	return f->model && tcpfsm_model_pending(f->model);
}

/* Has nothing happened for so long?  A recorder may be late to tell what did. */
static bool is_quiet(const struct tcpfsm_follow *f, uint64_t now, unsigned int ms)
{
	if (f->src->growing)
		return f->src->upto > f->given_ts + ms * NSEC_PER_MSEC;
	return now - f->quiet_since > ms * NSEC_PER_MSEC;
}

/* Nothing to read for now. */
static int rest(struct tcpfsm_follow *f)
{
	uint64_t now = monotonic_ns();
	int rc = 0;

	if (!f->quiet_since)
		f->quiet_since = now;
	if (records_wait(f) && is_quiet(f, now, PENDING_MS))
		rc = give(f, NULL, 0);
	if (!rc && ladders_wait(f) && is_quiet(f, now, SETTLE_MS))
		rc = heed(f, tcpfsm_ladders_settle(f->to.ladders, f->o.ladder, f->o.arg));
	if (rc)
		return rc;
	return is_over(f) ? TCPFSM_FOLLOW_END : TCPFSM_FOLLOW_IDLE;
}

static void sooner(uint64_t *until, uint64_t at)
{
	if (at < *until)
		*until = at;
}

/* Return: 0 or a negative errno. */
static int sleep_for(struct tcpfsm_follow *f, int timeout_ms)
{
	uint64_t now = monotonic_ns(), until = now + IDLE_MS * NSEC_PER_MSEC;
	struct pollfd watched = { .fd = f->src->watch_fd, .events = POLLIN };
	int rc, ms;

	if (timeout_ms >= 0)
		sooner(&until, now + (unsigned int)timeout_ms * NSEC_PER_MSEC);
	if (records_wait(f))
		sooner(&until, now + PENDING_MS * NSEC_PER_MSEC);
	if (ladders_wait(f))
		sooner(&until, now + SETTLE_MS * NSEC_PER_MSEC);
	if (f->wanted)
		sooner(&until, f->resync.next);
	if (f->end != UINT64_MAX)
		sooner(&until, f->last_round ? 0 :
			f->end + GRACE_NS + f->lag_ms * NSEC_PER_MSEC - (uint64_t)f->skew);
	sooner(&until, f->totals.next);
	ms = until > now ? (int)((until - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC) : 0;
	if (f->o.state_only && !f->replay)
		rc = poll(&watched, 1, ms) < 0 ? -errno : 0;
	else
		rc = tcpfsm_source_wait(f->src, ms);
	return rc < 0 && rc != -EINTR ? rc : 0;
}

/* Is the clock of any use?  It costs more than many a record. */
static bool is_timed(const struct tcpfsm_follow *f, uint64_t budget_ns)
{
	return budget_ns || f->wanted || f->totals.next < NEVER;
}

/* What is due by the clock. */
static int ask(struct tcpfsm_follow *f, uint64_t now)
{
	/* Where many listeners take long, the last reading comes to its end first. */
	int rc = now >= f->totals.next && !f->reading ? ask_for_totals(f) : 0;

	if (!rc && resync_due(f, now))
		rc = read_sockets(f);
	return rc;
}

static int read_on(struct tcpfsm_follow *f, uint64_t budget_ns)
{
	const struct tcpfsm_item *items;
	uint64_t now, until = 0;
	size_t n, taken;
	int rc;

	f->quiet = false;
	for (;;) {
		if (is_timed(f, budget_ns)) {
			now = monotonic_ns();
			if (!until)
				until = budget_ns ? now + budget_ns : UINT64_MAX;
			else if (now > until)
				return TCPFSM_FOLLOW_MORE;
			rc = ask(f, now);
			if (rc)
				return rc;
		}
		rc = tcpfsm_source_batch(f->src, &items, &n);
		if (rc < 0)
			return rc;
		f->quiet = !rc;
		rc = look(f, rc ? items : NULL);
		if (rc)
			return rc;
		if (f->quiet) {
			if (f->replay && !f->src->growing)
				return TCPFSM_FOLLOW_END;
			if (!resync_due(f, monotonic_ns()))
				return rest(f);
			continue;
		}
		f->quiet_since = 0;
		taken = count_in_time(f, items, n);
		if (f->lag_ms && taken)
			f->given_ts = time_of(&items[taken - 1]);
		rc = give(f, items, taken);
		if (rc)
			return rc;
		if (taken < n)
			return TCPFSM_FOLLOW_END;
	}
}

/* Records are left where they are. */
static int read_totals(struct tcpfsm_follow *f)
{
	int rc = 0;

	if (monotonic_ns() >= f->totals.next) {
		rc = ask_for_totals(f);
		if (!rc)
			rc = read_state(f);
	}
	return rc ? rc : rest(f);
}

int tcpfsm_follow_totals(struct tcpfsm_follow *f)
{
	int rc;

	if (!f->o.state_only || f->replay)
		return -EINVAL;
	rc = ask_for_totals(f);
	return rc ? rc : read_state(f);
}

bool tcpfsm_follow_reading(const struct tcpfsm_follow *f)
{
	return f->reading;
}

int tcpfsm_follow_step(struct tcpfsm_follow *f, uint64_t budget_ns, int timeout_ms)
{
	int rc = f->quiet ? sleep_for(f, timeout_ms) : 0;

	if (!rc)
		rc = f->o.state_only && !f->replay ? read_totals(f) : read_on(f, budget_ns);
	f->quiet = rc == TCPFSM_FOLLOW_IDLE;
	if (rc == TCPFSM_FOLLOW_IDLE || rc == TCPFSM_FOLLOW_MORE || f->stopped)
		return rc;
	return finish(f, rc);
}
