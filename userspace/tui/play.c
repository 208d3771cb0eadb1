// SPDX-License-Identifier: GPL-2.0-only
/* A recording in its own time within tcpfsm top: slower, faster, step by step, back and on. */
#include <string.h>

#include "loop.h"

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts ? item->to_ts : item->from_ts : item->rec.ts;
}

/* Back to the beginning.  Return: 0 or a negative errno. */
static int rewind_recording(struct loop *l)
{
	struct ui *u = &l->u;
	enum top_column column = u->top.list.column;
	bool reverse = u->top.list.reverse;
	int err;

	story_end(l);
	tcpfsm_follow_close(l->follow);
	l->nahead = 0;
	u->play.now = 0;
	u->play.end = false;
	top_free(&u->top);
	timewait_zero_free(&u->tw_zero);
	/* It has told later ones, too. */
	(void)!tcpfsm_names_recorded(l->replay);
	err = tcpfsm_follow_open(&l->follow, &l->wants, NULL, NULL);
	if (err)
		return err;
	err = story_begin(l);
	if (!err)
		err = top_init(&u->top, *u->filter_text ? &u->filter : NULL, u->top.tells,
			       u->epoch_offset);
	u->top.list.column = column;
	u->top.list.reverse = reverse;
	if (u->drilled)
		top_list_some(&u->top, &u->some);
	memset(u->refreshed, 0, sizeof(u->refreshed));
	memset(u->place, 0, sizeof(u->place));
	u->place[VIEW_LOG].follow = true;
	u->log_end = 0;
	u->lost = 0;
	return err;
}

/* How far may it go now? */
static uint64_t play_until(struct loop *l)
{
	struct play *p = &l->u.play;
	uint64_t now = monotonic_ns(), passed = now - l->played_at;
	double speed = play_speed[p->speed];

	l->played_at = now;
	if (p->seek)
		return p->seek;
	if (p->step || (speed == 0 && !l->u.paused))
		return UINT64_MAX;
	if (l->u.paused)
		return p->now;
	return p->now + (uint64_t)((double)passed * speed);
}

static void play_ends(struct loop *l)
{
	struct play *p = &l->u.play;

	story_flush(l);
	/* To the full second: then all that happened counts in rates. */
	p->now += NSEC_PER_SEC - (p->now + (uint64_t)l->u.epoch_offset) % NSEC_PER_SEC;
	p->end = true;
	p->seek = 0;
	p->step = false;
	l->u.log_end = l->u.top.nindex;
	memset(l->u.refreshed, 0, sizeof(l->u.refreshed));
	l->u.list_now = true;
}

static int play_more(struct loop *l)
{
	int rc;

	if (l->nahead)
		return 1;
	rc = tcpfsm_source_batch(l->src, &l->ahead, &l->nahead);
	if (rc > 0)
		return 1;
	l->nahead = 0;
	if (rc < 0) {
		l->damaged = true;
		ui_say(&l->u, "the recording is damaged: %s", tcpfsm_source_error(l->src));
	}
	play_ends(l);
	return 0;
}

/* Items that are due, one at a time when stepping. */
static size_t count_due(const struct loop *l, uint64_t until, bool step)
{
	size_t n;

	for (n = 0; n < l->nahead; n++) {
		const struct tcpfsm_item *item = &l->ahead[n];

		if (step && n)
			break;
		/* What is there already has no time of its own. */
		if (time_of(item) > until && !(is_state(item) &&
					       item->rec.type == TCPFSM_TYPE_SOCKET))
			break;
	}
	return n;
}

int play_read(struct loop *l)
{
	struct ui *u = &l->u;
	struct play *p = &u->play;
	uint64_t begin = monotonic_ns(), until, lines;
	bool step = p->step && !p->seek;	/* from where it was sought */
	int rc;

	if (p->seek && p->seek < p->now) {
		rc = rewind_recording(l);
		if (rc)
			return rc;
	}
	lines = u->top.nindex;
	until = play_until(l);
	if (p->end) {
		p->seek = 0;
		return 0;
	}
	while (play_more(l)) {
		size_t n;

		/* What was there before has no time of its own. */
		if (!p->now && (l->ahead->lost || l->ahead->rec.type != TCPFSM_TYPE_SOCKET)) {
			p->now = p->first = time_of(l->ahead);
			if (until < p->now)
				until = p->now;
		}
		n = count_due(l, until, step);
		if (!n)
			break;
		rc = story_feed(l, l->ahead, n);
		if (rc)
			return rc;
		if (p->now && time_of(&l->ahead[n - 1]) > p->now)
			p->now = time_of(&l->ahead[n - 1]);
		l->ahead += n;
		l->nahead -= n;
		/* Something to be seen, that is. */
		if (step && u->top.nindex != lines)
			break;
		if (monotonic_ns() - begin > FEED_NS)
			return 1;
	}
	if (p->end)
		return 0;
	if (tcpfsm_model_pending(u->model) && time_of(l->ahead) > p->now + PENDING_MS * MS)
		story_flush(l);
	if (step) {
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
	return p->step;
}
