// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm top: records, totals, keys and the clock, each in small portions, so that
 * reading never waits long for drawing.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop.h"

/* At most ten pictures a second by themselves; keys are answered sooner. */
#define FRAME_NS	(100 * MS)
#define KEY_FRAME_NS	(20 * MS)
/* Longest sleep: a signal may come just before it. */
#define IDLE_MS		500
/* Of the model's table at a time: below a millisecond. */
#define LIST_SLOTS	16384
/* No record for so long, while the kernel's own counters move by so much. */
#define STALL_NS	(3 * NSEC_PER_SEC)
#define STALL_OPENS	3

/* ---- live ------------------------------------------------------------------------ */

static int sum_opens(const struct tcpfsm_listener *l, void *arg)
{
	if (!l->conn)
		*(uint64_t *)arg += l->total[TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_PASSIVEOPENS];
	return 0;
}

/* The kernel opens connections, and the module says nothing: its hooks are dead. */
static void look_for_stall(struct loop *l)
{
	uint64_t opens = 0, delivered, now = monotonic_ns();

	tcpfsm_listeners_each(l->u.window[0].ls, sum_opens, &opens);
	tcpfsm_source_counts(l->src, &delivered, NULL);
	if (delivered != l->delivered || !l->moved_at) {
		l->delivered = delivered;
		l->moved_at = now;
		l->moved_opens = UINT64_MAX;
	}
	/* What it told of last may be missing in what was asked for before. */
	if (l->totals_at > l->moved_at && opens < l->moved_opens)
		l->moved_opens = opens;
	l->u.stalled = l->moved_opens != UINT64_MAX && opens - l->moved_opens >= STALL_OPENS &&
		       now - l->moved_at > STALL_NS;
}

static void ask_for_totals(struct loop *l)
{
	uint64_t now = monotonic_ns();

	if (l->totals_at && now - l->totals_at < NSEC_PER_SEC)
		return;
	if (l->totals_at)
		look_for_stall(l);
	l->totals_at = now;
	l->u.totals_error = tcpfsm_source_totals(l->src);
}

/* Return: 1: there is more, 0: not now, or a negative errno. */
static int read_live(struct loop *l)
{
	struct ui *u = &l->u;
	uint64_t begin = monotonic_ns();
	int rc;

	ask_for_totals(l);
	for (;;) {
		const struct tcpfsm_item *items;
		char text[RESYNC_TEXT];
		size_t n;

		if (!resync_due(&l->resync, false, 1)) {
			rc = resync_begin(&l->resync, l->src);
			if (rc)
				return rc;
		}
		rc = tcpfsm_source_batch(l->src, &items, &n);
		if (!l->snapshot_told && !(rc > 0 && is_state(items))) {
			l->snapshot_told = true;
			u->snapshot_error = tcpfsm_source_snapshot(l->src, NULL);
			/* What could not be read then will not be later. */
			l->resync.possible = !u->snapshot_error;
		}
		if (rc < 0 || (!rc && resync_due(&l->resync, true, 1)))
			break;
		if (!rc) {
			rc = resync_begin(&l->resync, l->src);
			if (rc)
				return rc;
			continue;
		}
		if (resync_look(&l->resync, items, text))
			ui_say(u, "%s", text);
		l->quiet_since = 0;
		rc = story_feed(l, items, n);
		if (rc < 0)
			return rc;
		if (monotonic_ns() - begin > FEED_NS) {
			uint64_t now = realtime_ns();

			u->behind_ns = now > u->top.last && !is_state(items) ?
				       now - u->top.last : 0;
			return 1;
		}
	}
	u->behind_ns = 0;
	if (rc == 0 && tcpfsm_model_pending(u->model)) {
		if (!l->quiet_since)
			l->quiet_since = begin;
		else if (begin - l->quiet_since > PENDING_MS * MS)
			rc = story_flush(l);
	}
	return rc;
}

/* ---- the loop -------------------------------------------------------------------- */

static void tell_time(struct loop *l)
{
	struct ui *u = &l->u;

	if (l->replay)
		u->now = u->play.now ? u->play.now + (uint64_t)u->epoch_offset : 0;
	else if (!u->paused || !u->now)
		u->now = realtime_ns();
	tcpfsm_source_counts(l->src, NULL, &u->lost);
}

/* The list of connections, a slice of it.  Return: there is more to do at once. */
static bool make_list(struct loop *l)
{
	struct ui *u = &l->u;
	uint64_t now = monotonic_ns(), wait = NSEC_PER_SEC;

	if (!u->top.list.busy) {
		if (10 * l->list_took > wait)
			wait = 10 * l->list_took;
		if (!u->list_now && (now - l->listed_at < wait || u->paused || u->play.end))
			return false;
		l->listed_at = now;
		l->list_took = 0;
		u->list_now = false;
		u->top.list.unwanted = u->view != VIEW_CONNS;
	}
	top_settle(&u->top, u->model);
	if (!top_list_step(&u->top, u->model, LIST_SLOTS)) {
		l->list_took += monotonic_ns() - now;
		return true;
	}
	l->list_took += monotonic_ns() - now;
	if (u->now)
		history_put(&u->top.time_wait, u->now / NSEC_PER_SEC, u->top.in_time_wait);
	if (u->view == VIEW_CONNS || u->view == VIEW_DIAGRAM)
		u->dirty = true;
	return false;
}

static void mark_timewaits(struct loop *l)
{
	struct ui *u = &l->u;

	/*
	 * Nobody looks: rates of late are wanted all the same when somebody does.  Overview has
	 * them marked when it has judged by them.
	 */
	if (u->view != VIEW_TIMEWAIT && u->view != VIEW_OVERVIEW)
		mark_ledger(u, 5 * NSEC_PER_SEC);
}

/* Return: milliseconds until the next picture is due. */
static int draw_due(struct loop *l)
{
	struct ui *u = &l->u;
	uint64_t now = monotonic_ns(), since = now - l->drawn_at;
	uint64_t wait = u->dirty ? KEY_FRAME_NS : FRAME_NS;

	if (!l->drawn_at || since >= wait) {
		if (ui_refresh(u) || u->dirty || since > NSEC_PER_SEC) {
			ui_draw(u);
			l->drawn_at = monotonic_ns();
			since = 0;
		}
		wait = u->dirty ? KEY_FRAME_NS : ui_next(u) * MS;
		if (wait < FRAME_NS && !u->dirty)
			wait = FRAME_NS;
	}
	return since < wait ? (int)((wait - since) / MS) + 1 : 1;
}

/* Until there is something to do.  Return: 0 or a negative errno. */
static int rest(struct loop *l, int ms)
{
	int rc;

	if (ms > IDLE_MS)
		ms = IDLE_MS;
	if (tcpfsm_model_pending(l->u.model) && ms > PENDING_MS && !l->replay)
		ms = PENDING_MS;
	if (l->replay) {
		term_wait(l->u.play.end || l->u.paused ? IDLE_MS : ms < 20 ? ms : 20);
		return 0;
	}
	tcpfsm_source_watch(l->src, term_fd());
	rc = tcpfsm_source_wait(l->src, ms);
	return rc < 0 && rc != -EINTR ? rc : 0;
}

static volatile sig_atomic_t resized;

static void on_resize(int sig)
{
	(void)sig;
	resized = 1;
}

int loop_run(struct loop *l)
{
	struct sigaction sa = { .sa_handler = on_resize };
	struct ui *u = &l->u;

	term_use_mouse();
	/* Curses looks at the size when it is asked to: term_size(). */
	sigaction(SIGWINCH, &sa, NULL);
	l->played_at = monotonic_ns();
	while (!u->quit && !*l->interrupted) {
		bool more;
		int key, rc, ms;

		while ((key = term_key()) > TERM_NO_KEY)
			ui_key(u, key);
		if (key == TERM_GONE)
			return 1;
		rc = l->replay ? play_read(l) : read_live(l);
		if (rc < 0)
			return rc;
		more = rc;
		tell_time(l);
		if (monotonic_ns() > l->end_at)
			break;
		rc = story_move_on(l);
		if (rc)
			return rc;
		mark_timewaits(l);
		ui_keep_log(u);
		more |= make_list(l);
		if (resized) {
			resized = 0;
			u->dirty = true;
		}
		ms = draw_due(l);
		rc = more ? 0 : rest(l, ms);
		if (rc)
			return rc;
	}
	return *l->interrupted == SIGHUP;
}

static bool tells(const struct tcpfsm_event *ev)
{
	static const struct text plain;

	return text_tells(&plain, ev);
}

int loop_begin(struct loop *l)
{
	struct ui *u = &l->u;
	int err;

	u->replay = l->replay;
	u->filter = l->filter;
	if (l->filtered)
		tcpfsm_filter_text(&u->filter, u->filter_text, sizeof(u->filter_text));
	u->over = VIEWS_ALL;
	u->place[VIEW_LOG].follow = true;
	u->play.speed = play_normal;
	u->text = (struct text) { .time_of_day = true, .one_line = true };
	err = story_begin(l);
	return err ? err : top_init(&u->top, *u->filter_text ? &u->filter : NULL, tells,
				    u->epoch_offset);
}

void loop_end(struct loop *l)
{
	struct ui *u = &l->u;
	int i;

	story_end(l);
	top_free(&u->top);
	for (i = 0; i < VIEWS_ALL; i++)
		page_free(&u->page[i]);
	grid_free(&u->grid);
	free(u->sockets);
}
