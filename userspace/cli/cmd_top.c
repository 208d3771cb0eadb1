// SPDX-License-Identifier: GPL-2.0
/*
 * tcpfsm top: all of it on one screen.  Here is the loop: records, totals, keys and
 * the clock, each in small portions, so that reading never waits long for drawing.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tui/ui.h"
#include "../show/explain.h"
#include "cli.h"

#define MS		(NSEC_PER_SEC / 1000)
/* Reading goes on for so long before keys and screen have their turn. */
#define FEED_NS		(8 * MS)
/* At most ten pictures a second by themselves; keys are answered sooner. */
#define FRAME_NS	(100 * MS)
#define KEY_FRAME_NS	(20 * MS)
/* Longest sleep: a signal may come just before it. */
#define IDLE_MS		500
#define PENDING_MS	10
/* Of the model's table at a time: below a millisecond. */
#define LIST_SLOTS	16384
#define WINDOW_NS	(30 * NSEC_PER_SEC)
#define LISTENERS_MAX	4096
/* No record for so long, while the kernel's own counters move by so much. */
#define STALL_NS	(3 * NSEC_PER_SEC)
#define STALL_OPENS	3

struct top_command {
	struct ui u;
	struct options opts;
	struct tcpfsm_source *src;
	const struct tcpfsm_item *ahead;	/* recording: read, and not yet told */
	size_t nahead;
	bool damaged;
	int err;				/* of a callback */
	uint64_t totals_at, listed_at, list_took, drawn_at, quiet_since, played_at;
	uint64_t opens, moved_at, moved_opens, delivered;
	uint64_t end_at;			/* -d */
	bool snapshot_told;
	struct resync resync;
};

/* ---- objects that live as long as a story is told -------------------------------- */

static int window_open(struct top_command *c, struct window *w)
{
	struct ui *u = &c->u;
	size_t i;
	int err;

	memset(w, 0, sizeof(*w));
	w->begun = monotonic_ns();
	err = tcpfsm_listeners_new(&w->ls);
	/* Who has old listeners open, only the snapshot told. */
	for (i = 0; !err && i < u->nsockets; i++)
		err = tcpfsm_listeners_feed(w->ls, &u->sockets[i]);
	return err;
}

static void window_close(struct window *w)
{
	tcpfsm_listeners_free(w->ls);
	memset(w, 0, sizeof(*w));
}

static int story_begin(struct top_command *c)
{
	struct ui *u = &c->u;
	bool filtered = c->opts.given & OPT_FILTER;
	struct tcpfsm_model_options mo = {
		.size = sizeof(mo), .lives = true, .watch = true,
		.epoch_offset = tcpfsm_source_epoch_offset(c->src),
	};
	struct tcpfsm_timewaits_options to = {
		.size = sizeof(to), .epoch_offset = mo.epoch_offset,
		.filter = filtered ? &c->opts.filter : NULL,
	};
	struct tcpfsm_explain_options eo = {
		.size = sizeof(eo), .filter = &u->filter, .epoch_offset = mo.epoch_offset,
	};
	int err;

	u->epoch_offset = mo.epoch_offset;
	if (!c->opts.replay) {
		to.since = eo.since = realtime_ns();
		eo.info = &u->info;
		to.cgroups = true;
		explain_look_around(&eo);
	}
	err = tcpfsm_model_new(&u->model, &mo);
	if (!err)
		err = tcpfsm_timewaits_new(&u->ledger, &to);
	/* Whether ports are short is a question of all that use them. */
	if (!err && !filtered)
		eo.ledger = u->ledger;
	if (!err)
		err = tcpfsm_explain_new(&u->explain, &eo);
	if (!err)
		err = window_open(c, &u->window[0]);
	return err;
}

static void story_end(struct top_command *c)
{
	struct ui *u = &c->u;

	window_close(&u->window[0]);
	window_close(&u->window[1]);
	tcpfsm_explain_free(u->explain);
	tcpfsm_timewaits_free(u->ledger);
	tcpfsm_model_free(u->model);
	u->explain = NULL;
	u->ledger = NULL;
	u->model = NULL;
	u->nsockets = 0;
}

/* What is judged shall be of late: of two windows that overlap, the older goes. */
static int windows_move_on(struct top_command *c)
{
	struct window *w = c->u.window;
	uint64_t age = monotonic_ns() - w[0].begun;

	/* A recording has its totals at the beginning, every ten seconds, and at the end. */
	if (c->opts.replay)
		return 0;
	if (!w[1].ls)
		return age > WINDOW_NS ? window_open(c, &w[1]) : 0;
	if (age < 2 * WINDOW_NS)
		return 0;
	window_close(&w[0]);
	w[0] = w[1];
	return window_open(c, &w[1]);
}

/* ---- records --------------------------------------------------------------------- */

/*
 * For the sample of clients, of those who get through, the model tells while others do not;
 * and what goes wrong with ports.  The rest is for a ledger of its own.
 */
static bool is_for_explain(const struct top_command *c, const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
	case TCPFSM_EVENT_CONNECT_FAILED:
	case TCPFSM_EVENT_LOST:
		return true;
	case TCPFSM_EVENT_TIMEWAIT:
		if (ev->rec.verdict == TCPFSM_TW_DENIED)
			return true;
		break;
	case TCPFSM_EVENT_TRANSITION:
		if (ev->new == TCPFSM_STATE_ESTABLISHED ||
		    (ev->old == TCPFSM_STATE_TIME_WAIT && ev->cause == TCPFSM_CAUSE_RCV_RST))
			return true;
		break;
	}
	return c->opts.given & OPT_FILTER;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct top_command *c = arg;

	top_event(&c->u.top, ev);
	/* The end of what a listener made takes no port from anybody. */
	if (ev->type == TCPFSM_EVENT_TRANSITION && ev->new == TCPFSM_STATE_CLOSE && ev->life &&
	    ev->life->passive && ev->old != TCPFSM_STATE_TIME_WAIT)
		return 0;
	c->err = tcpfsm_timewaits_event(c->u.ledger, ev);
	if (!c->err && is_for_explain(c, ev))
		c->err = tcpfsm_explain_event(c->u.explain, ev);
	return c->err;
}

static int keep_socket(struct ui *u, const struct tcpfsm_item *item)
{
	if (item->rec.type == TCPFSM_TYPE_SOCKET && !item->rec.conn &&
	    item->rec.snd == TCPFSM_RESYNC_BEGIN)
		u->nsockets = 0;
	if (item->rec.type != TCPFSM_TYPE_SOCKET || item->rec.new != TCPFSM_STATE_LISTEN ||
	    u->nsockets == LISTENERS_MAX)
		return 0;
	if (!u->sockets)
		u->sockets = calloc(LISTENERS_MAX, sizeof(*u->sockets));
	if (!u->sockets)
		return -ENOMEM;
	u->sockets[u->nsockets++] = *item;
	return 0;
}

static int feed_state(struct top_command *c, const struct tcpfsm_item *item)
{
	struct ui *u = &c->u;
	int err = tcpfsm_timewaits_item(u->ledger, item), i;

	if (!err)
		err = tcpfsm_explain_item(u->explain, item);
	if (!err)
		err = keep_socket(u, item);
	for (i = 0; i < 2 && !err; i++) {
		struct window *w = &u->window[i];

		if (!w->ls)
			continue;
		err = tcpfsm_listeners_feed(w->ls, item);
		if (item->rec.type != TCPFSM_TYPE_TOTAL)
			continue;
		w->last_ts = item->rec.ts;
		if (!w->first_ts)
			w->first_ts = item->rec.ts;
	}
	return err;
}

/* From the device, what lies together is of one kind; who made a recording, made it as he liked. */
static size_t of_a_kind(const struct top_command *c, const struct tcpfsm_item *items, size_t n)
{
	size_t i;

	if (!c->opts.replay)
		return n;
	for (i = 1; i < n && is_state(&items[i]) == is_state(&items[0]); i++)
		;
	return i;
}

static int feed_some(struct top_command *c, const struct tcpfsm_item *items, size_t n)
{
	bool state = is_state(items);
	struct ui *u = &c->u;
	size_t i;
	int err = 0;

	for (i = 0; state && i < n && !err; i++)
		err = feed_state(c, &items[i]);
	if (!err && tcpfsm_model_feed_batch(u->model, items, n, on_event, c))
		err = c->err;
	if (!err && !state)
		err = top_feed(&u->top, items, n);
	return err;
}

static int feed(struct top_command *c, const struct tcpfsm_item *items, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t some = of_a_kind(c, items, n);

		if (!is_state(items))
			some = top_portion(&c->u.top, c->u.model, items, some);
		err = feed_some(c, items, some);
		items += some;
		n -= some;
	}
	return err;
}

/* Nothing comes: what waits for a successor waits in vain. */
static int flush_pending(struct top_command *c)
{
	if (tcpfsm_model_flush(c->u.model, on_event, c))
		return c->err;
	top_flush(&c->u.top);
	return 0;
}

/* ---- live ------------------------------------------------------------------------ */

static int sum_opens(const struct tcpfsm_listener *l, void *arg)
{
	if (!l->conn)
		*(uint64_t *)arg += l->total[TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_PASSIVEOPENS];
	return 0;
}

/* The kernel opens connections, and the module says nothing: its hooks are dead. */
static void look_for_stall(struct top_command *c)
{
	uint64_t opens = 0, delivered, now = monotonic_ns();

	tcpfsm_listeners_each(c->u.window[0].ls, sum_opens, &opens);
	tcpfsm_source_counts(c->src, &delivered, NULL);
	if (delivered != c->delivered || !c->moved_at) {
		c->delivered = delivered;
		c->moved_at = now;
		c->moved_opens = UINT64_MAX;
	}
	/* What it told of last may be missing in what was asked for before. */
	if (c->totals_at > c->moved_at && opens < c->moved_opens)
		c->moved_opens = opens;
	c->u.stalled = c->moved_opens != UINT64_MAX && opens - c->moved_opens >= STALL_OPENS &&
		       now - c->moved_at > STALL_NS;
}

static void ask_for_totals(struct top_command *c)
{
	uint64_t now = monotonic_ns();

	if (c->totals_at && now - c->totals_at < NSEC_PER_SEC)
		return;
	if (c->totals_at)
		look_for_stall(c);
	c->totals_at = now;
	c->u.totals_error = tcpfsm_source_totals(c->src);
}

/* Return: 1: there is more, 0: not now, or a negative errno. */
static int read_live(struct top_command *c)
{
	struct ui *u = &c->u;
	uint64_t begin = monotonic_ns();
	int rc;

	ask_for_totals(c);
	for (;;) {
		const struct tcpfsm_item *items;
		char text[RESYNC_TEXT];
		size_t n;

		if (!resync_due(&c->resync, false, 1)) {
			rc = resync_begin(&c->resync, c->src);
			if (rc)
				return rc;
		}
		rc = tcpfsm_source_batch(c->src, &items, &n);
		if (!c->snapshot_told && !(rc > 0 && is_state(items))) {
			c->snapshot_told = true;
			u->snapshot_error = tcpfsm_source_snapshot(c->src, NULL);
			/* What could not be read then will not be later. */
			c->resync.possible = !u->snapshot_error;
		}
		if (rc < 0 || (!rc && resync_due(&c->resync, true, 1)))
			break;
		if (!rc) {
			rc = resync_begin(&c->resync, c->src);
			if (rc)
				return rc;
			continue;
		}
		if (resync_look(&c->resync, items, text))
			ui_say(u, "%s", text);
		c->quiet_since = 0;
		rc = feed(c, items, n);
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
		if (!c->quiet_since)
			c->quiet_since = begin;
		else if (begin - c->quiet_since > PENDING_MS * MS)
			rc = flush_pending(c);
	}
	return rc;
}

/* ---- recording ------------------------------------------------------------------- */

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts ? item->to_ts : item->from_ts : item->rec.ts;
}

/* Back to the beginning.  Return: 0, or the exit status after an error was told. */
static int rewind_recording(struct top_command *c)
{
	struct ui *u = &c->u;
	const char *why = "";
	int err;

	story_end(c);
	tcpfsm_source_close(c->src);
	c->nahead = 0;
	u->play.now = 0;
	u->play.end = false;
	top_free(&u->top);
	err = tcpfsm_source_open_recording(&c->src, c->opts.replay, &why);
	if (err) {
		c->src = NULL;
		return err;
	}
	err = story_begin(c);
	if (!err)
		err = top_init(&u->top, *u->filter_text ? &u->filter : NULL, u->top.tells,
			       u->epoch_offset);
	memset(u->refreshed, 0, sizeof(u->refreshed));
	memset(u->place, 0, sizeof(u->place));
	u->place[VIEW_LOG].follow = true;
	u->log_end = 0;
	u->lost = 0;
	return err;
}

/* How far may it go now? */
static uint64_t play_until(struct top_command *c)
{
	struct play *p = &c->u.play;
	uint64_t now = monotonic_ns(), passed = now - c->played_at;
	double speed = play_speed[p->speed];

	c->played_at = now;
	if (p->seek)
		return p->seek;
	if (p->step || (speed == 0 && !c->u.paused))
		return UINT64_MAX;
	if (c->u.paused)
		return p->now;
	return p->now + (uint64_t)((double)passed * speed);
}

static void play_ends(struct top_command *c)
{
	struct play *p = &c->u.play;

	flush_pending(c);
	/* To the full second: then all that happened counts in rates. */
	p->now += NSEC_PER_SEC - (p->now + (uint64_t)c->u.epoch_offset) % NSEC_PER_SEC;
	p->end = true;
	p->seek = 0;
	p->step = false;
	c->u.log_end = c->u.top.nindex;
	memset(c->u.refreshed, 0, sizeof(c->u.refreshed));
	c->u.list_now = true;
}

static int play_more(struct top_command *c)
{
	int rc;

	if (c->nahead)
		return 1;
	rc = tcpfsm_source_batch(c->src, &c->ahead, &c->nahead);
	if (rc > 0)
		return 1;
	c->nahead = 0;
	if (rc < 0) {
		c->damaged = true;
		ui_say(&c->u, "the recording is damaged: %s", tcpfsm_source_error(c->src));
	}
	play_ends(c);
	return 0;
}

/* Items that are due, one at a time when stepping. */
static size_t count_due(const struct top_command *c, uint64_t until)
{
	size_t n;

	for (n = 0; n < c->nahead; n++) {
		const struct tcpfsm_item *item = &c->ahead[n];

		if (c->u.play.step && n)
			break;
		/* What is there already has no time of its own. */
		if (time_of(item) > until && !(is_state(item) &&
					       item->rec.type == TCPFSM_TYPE_SOCKET))
			break;
	}
	return n;
}

/* Return: 1: there is more, 0: not now, or a negative errno. */
static int read_recording(struct top_command *c)
{
	struct ui *u = &c->u;
	struct play *p = &u->play;
	uint64_t begin = monotonic_ns(), until, lines = u->top.nindex;
	int rc;

	if (p->seek && p->seek < p->now) {
		rc = rewind_recording(c);
		if (rc)
			return rc;
	}
	until = play_until(c);
	if (p->end) {
		p->seek = 0;
		return 0;
	}
	while (play_more(c)) {
		size_t n;

		/* What was there before has no time of its own. */
		if (!p->now && (c->ahead->lost || c->ahead->rec.type != TCPFSM_TYPE_SOCKET)) {
			p->now = p->first = time_of(c->ahead);
			if (until < p->now)
				until = p->now;
		}
		n = count_due(c, until);
		if (!n)
			break;
		rc = feed(c, c->ahead, n);
		if (rc)
			return rc;
		if (p->now && time_of(&c->ahead[n - 1]) > p->now)
			p->now = time_of(&c->ahead[n - 1]);
		c->ahead += n;
		c->nahead -= n;
		/* Something to be seen, that is. */
		if (p->step && u->top.nindex != lines)
			break;
		if (monotonic_ns() - begin > FEED_NS)
			return 1;
	}
	if (p->end)
		return 0;
	if (tcpfsm_model_pending(u->model) && time_of(c->ahead) > p->now + PENDING_MS * MS)
		flush_pending(c);
	if (p->step) {
		p->step = false;
		u->log_end = u->top.nindex;
		memset(u->refreshed, 0, sizeof(u->refreshed));
		u->list_now = true;
	} else if (until != UINT64_MAX) {
		if (p->seek)
			u->list_now = true;
		p->now = p->now ? until : 0;
	}
	if (p->seek) {
		u->log_end = u->top.nindex;
		memset(u->refreshed, 0, sizeof(u->refreshed));
	}
	p->seek = 0;
	return 0;
}

/* ---- the loop -------------------------------------------------------------------- */

static void tell_time(struct top_command *c)
{
	struct ui *u = &c->u;

	if (c->opts.replay)
		u->now = u->play.now ? u->play.now + (uint64_t)u->epoch_offset : 0;
	else if (!u->paused || !u->now)
		u->now = realtime_ns();
	tcpfsm_source_counts(c->src, NULL, &u->lost);
}

/* The list of connections, a slice of it.  Return: there is more to do at once. */
static bool make_list(struct top_command *c)
{
	struct ui *u = &c->u;
	uint64_t now = monotonic_ns(), wait = NSEC_PER_SEC;

	if (!u->top.list.busy) {
		if (10 * c->list_took > wait)
			wait = 10 * c->list_took;
		if (!u->list_now && (now - c->listed_at < wait || u->paused || u->play.end))
			return false;
		c->listed_at = now;
		c->list_took = 0;
		u->list_now = false;
		u->top.list.unwanted = u->view != VIEW_CONNS;
	}
	top_settle(&u->top, u->model);
	if (!top_list_step(&u->top, u->model, LIST_SLOTS)) {
		c->list_took += monotonic_ns() - now;
		return true;
	}
	c->list_took += monotonic_ns() - now;
	if (u->now)
		history_put(&u->top.time_wait, u->now / NSEC_PER_SEC, u->top.in_time_wait);
	if (u->view == VIEW_CONNS || u->view == VIEW_DIAGRAM)
		u->dirty = true;
	return false;
}

static void mark_timewaits(struct top_command *c)
{
	struct ui *u = &c->u;

	/*
	 * Nobody looks: rates of late are wanted all the same when somebody does.  Overview has
	 * them marked when it has judged by them.
	 */
	if (u->view != VIEW_TIMEWAIT && u->view != VIEW_OVERVIEW)
		mark_ledger(u, 5 * NSEC_PER_SEC);
}

/* Return: milliseconds until the next picture is due. */
static int draw_due(struct top_command *c)
{
	struct ui *u = &c->u;
	uint64_t now = monotonic_ns(), since = now - c->drawn_at;
	uint64_t wait = u->dirty ? KEY_FRAME_NS : FRAME_NS;

	if (!c->drawn_at || since >= wait) {
		if (ui_refresh(u) || u->dirty || since > NSEC_PER_SEC) {
			ui_draw(u);
			c->drawn_at = monotonic_ns();
			since = 0;
		}
		wait = u->dirty ? KEY_FRAME_NS : ui_next(u) * MS;
		if (wait < FRAME_NS && !u->dirty)
			wait = FRAME_NS;
	}
	return since < wait ? (int)((wait - since) / MS) + 1 : 1;
}

/* Until there is something to do.  Return: 0 or a negative errno. */
static int rest(struct top_command *c, int ms)
{
	int rc;

	if (ms > IDLE_MS)
		ms = IDLE_MS;
	if (tcpfsm_model_pending(c->u.model) && ms > PENDING_MS && !c->opts.replay)
		ms = PENDING_MS;
	if (c->opts.replay) {
		term_wait(c->u.play.end || c->u.paused ? IDLE_MS : ms < 20 ? ms : 20);
		return 0;
	}
	tcpfsm_source_watch(c->src, term_fd());
	rc = tcpfsm_source_wait(c->src, ms);
	return rc < 0 && rc != -EINTR ? rc : 0;
}

static volatile sig_atomic_t resized;

static void on_resize(int sig)
{
	(void)sig;
	resized = 1;
}

/* Return: 0; 1: the terminal has gone; or a negative errno. */
static int follow(struct top_command *c)
{
	struct ui *u = &c->u;

	c->played_at = monotonic_ns();
	while (!u->quit && !interrupted) {
		bool more;
		int key, rc, ms;

		while ((key = term_key()) > TERM_NO_KEY)
			ui_key(u, key);
		if (key == TERM_GONE)
			return 1;
		rc = c->opts.replay ? read_recording(c) : read_live(c);
		if (rc < 0)
			return rc;
		more = rc;
		tell_time(c);
		if (monotonic_ns() > c->end_at)
			break;
		rc = windows_move_on(c);
		if (rc)
			return rc;
		mark_timewaits(c);
		ui_keep_log(u);
		more |= make_list(c);
		if (resized) {
			resized = 0;
			u->dirty = true;
		}
		ms = draw_due(c);
		rc = more ? 0 : rest(c, ms);
		if (rc)
			return rc;
	}
	return interrupted == SIGHUP;
}

static bool tells(const struct tcpfsm_event *ev)
{
	static const struct text plain;

	return text_tells(&plain, ev);
}

static int open_terminal(void)
{
	const char *term = getenv("TERM");

	if (!term_open()) {
		struct sigaction sa = { .sa_handler = on_resize };

		term_use_mouse();
		/* Curses looks at the size when it is asked to: term_size(). */
		sigaction(SIGWINCH, &sa, NULL);
		return 0;
	}
	complain("top: this terminal cannot show it (TERM is %s); set TERM to what it is, or use "
		 "tcpfsm trace, conns, listen -w 1", term && *term ? term : "not set");
	return EXIT_ERROR;
}

/* What ended it, once the terminal is as it was. */
static int tell_end(struct top_command *c, int rc)
{
	const char *device = c->opts.device ? c->opts.device : TCPFSM_DEVICE;

	if (rc > 0) {
		complain("top: the terminal has gone");
		return EXIT_ERROR;
	}
	if (c->opts.replay && (rc < 0 || c->damaged))
		return fail_replay(rc < 0 ? rc : -EBADMSG, &c->opts,
				   c->src ? tcpfsm_source_error(c->src) : "cannot be read again");
	if (rc == -ENODEV) {
		complain("%s: the module has gone; load it again (make load)", device);
		return EXIT_NOT_LOADED;
	}
	return rc ? fail(rc, device) : EXIT_DONE;
}

static int run(const struct options *opts)
{
	static struct top_command command;
	struct top_command *c = &command;
	struct ui *u = &c->u;
	int status, rc;

	if (!out_is_terminal(opts->out)) {
		complain("top: needs a terminal; tcpfsm trace, conns, listen and timewait write "
			 "to files and pipes");
		return EXIT_ERROR;
	}
	setlocale(LC_CTYPE, "");
	c->opts = *opts;
	status = open_source_snapshot(&c->src, &c->opts, &u->info);
	if (status)
		return status;
	u->replay = opts->replay;
	u->filter = opts->filter;
	if (opts->given & OPT_FILTER)
		filter_to_words(&u->filter, u->filter_text, sizeof(u->filter_text));
	u->over = VIEWS_ALL;
	u->place[VIEW_LOG].follow = true;
	u->play.speed = play_normal;
	u->utf8 = term_utf8();
	c->opts.time_of_day = true;
	u->text = text_of(&c->opts);
	u->text.one_line = true;
	c->end_at = opts->duration == UINT64_MAX ? UINT64_MAX : monotonic_ns() + opts->duration;
	rc = story_begin(c);
	if (!rc)
		rc = top_init(&u->top, *u->filter_text ? &u->filter : NULL, tells, u->epoch_offset);
	status = rc ? fail(rc, "top") : open_terminal();
	if (!status) {
		rc = follow(c);
		term_close();
		status = tell_end(c, rc);
		if (c->src && u->model)
			tell_losses(c->src, u->model);
	}
	story_end(c);
	top_free(&u->top);
	tcpfsm_source_close(c->src);
	for (rc = 0; rc < VIEWS_ALL; rc++)
		page_free(&u->page[rc]);
	grid_free(&u->grid);
	free(u->sockets);
	return status;
}

const struct command cmd_top = {
	.name = "top",
	.args = "",
	.text = "all of it on one live screen: like htop, for TCP",
	.options = OPT_FILTER | OPT_DURATION | OPT_READ | OPT_FOLLOW_NEW,
	.run = run,
};
