// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcpfsm top: records, totals, keys and the clock, each in small portions, so that
 * reading never waits long for drawing.
 */
#include <stdlib.h>

#include "loop.h"

/* At most ten pictures a second by themselves; keys are answered sooner. */
#define FRAME_NS	(100 * MS)
#define KEY_FRAME_NS	(20 * MS)
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
static void look_for_stall(struct loop *l, uint64_t totals_at)
{
	uint64_t opens = 0, delivered, now = monotonic_ns();

	tcpfsm_listeners_each(l->u.recent.ls[0], sum_opens, &opens);
	tcpfsm_source_counts(l->src, &delivered, NULL);
	if (delivered != l->delivered || !l->moved_at) {
		l->delivered = delivered;
		l->moved_at = now;
		l->moved_opens = UINT64_MAX;
	}
	/* What it told of last may be missing in what was asked for before. */
	if (totals_at > l->moved_at && opens < l->moved_opens)
		l->moved_opens = opens;
	l->u.stalled = l->moved_opens != UINT64_MAX && opens - l->moved_opens >= STALL_OPENS &&
		       now - l->moved_at > STALL_NS;
}

static int on_batch(const struct tcpfsm_item *items, size_t n, void *arg)
{
	struct loop *l = arg;

	l->state = n && is_state(items);
	return n ? story_feed(l, items, n) : story_flush(l);
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct loop *l = arg;
	struct ui *u = &l->u;
	char text[TEXT_RESYNC];

	switch (n->type) {
	case TCPFSM_NOTICE_SNAPSHOT:
		u->snapshot_error = n->error;
		break;
	case TCPFSM_NOTICE_RESYNC:
		if (n->again)
			break;
		text_resync(n, text);
		ui_say(u, "%s", text);
		break;
	case TCPFSM_NOTICE_TOTALS:
		/* Where nothing happens, no record after them says so. */
		u->reading = false;
		u->totals_error = n->error;
		if (!n->error)
			look_for_stall(l, monotonic_ns() - n->took_ns);
	}
	return 0;
}

void loop_wants(struct loop *l)
{
	l->wants = (struct tcpfsm_follow_options) {
		.snapshot = true, .totals = true, .totals_ns = NSEC_PER_SEC, .resync = true,
		.model = story_model(l->replay), .batch = on_batch, .notice = on_notice, .arg = l,
	};
}

/* Return: 1: there is more, 0: not now, or a negative errno. */
static int read_live(struct loop *l, int ms)
{
	int rc = tcpfsm_follow_step(l->follow, FEED_NS, ms);
	uint64_t now = realtime_ns();

	l->u.behind_ns = rc > 0 && !l->state && now > l->u.top.last ? now - l->u.top.last : 0;
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

/* Of a recording, what is due.  Return: as read_live(). */
static int read_recording(struct loop *l, int ms)
{
	if (ms)
		term_wait(l->u.play.end || l->u.paused ? IDLE_MS : ms < 20 ? ms : 20);
	return play_read(l);
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
	int ms = 0;

	term_use_mouse();
	/* Curses looks at the size when it is asked to: term_size(). */
	sigaction(SIGWINCH, &sa, NULL);
	tcpfsm_source_watch(l->src, term_fd());
	l->played_at = monotonic_ns();
	while (!*l->interrupted) {
		bool more;
		int key, rc;

		rc = l->replay ? read_recording(l, ms) : l->over ? (term_wait(ms), 0) : read_live(l, ms);
		if (rc < 0)
			return rc;
		if (rc == TCPFSM_FOLLOW_END) {
			l->over = true;
			ui_say(u, "the recording has ended");
		}
		more = rc;
		while ((key = term_key()) > TERM_NO_KEY)
			ui_key(u, key);
		if (key == TERM_GONE)
			return 1;
		if (u->quit)
			break;
		tell_time(l);
		if (monotonic_ns() > l->end_at)
			break;
		story_move_on(l);
		mark_timewaits(l);
		ui_keep_log(u);
		more |= make_list(l);
		if (resized) {
			resized = 0;
			u->dirty = true;
		}
		ms = draw_due(l);
		if (more)
			ms = 0;
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
	u->text = (struct text) { .time_of_day = true, .one_line = true, .address = TEXT_ADDRESS };
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
	timewait_zero_free(&u->tw_zero);
	for (i = 0; i < VIEWS_ALL; i++)
		page_free(&u->page[i]);
	grid_free(&u->grid);
}
