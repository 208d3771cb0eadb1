// SPDX-License-Identifier: GPL-2.0-only
/* Numbers over time, and resets by whom they met. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/clock.h"
#include "watch.h"
#include "../show/listen.h"

#define T(t)		TCPFSM_TOTAL_##t

/* Of the first bins.  A page that slides shows an hour. */
#define FIRST_NS	(100 * NSEC_PER_MSEC)
#define SLIDE_NS	(3600 * NSEC_PER_SEC / WATCH_BINS)
/* Of those that have lines the page shows so many of each kind. */
#define SHOWN		8
/* Destinations looked at each time. */
#define DESTINATIONS	16

/* ---- tracks ---------------------------------------------------------------------------- */

struct track_key {
	uint64_t conn;
	uint32_t netns;
	uint16_t kind, lport, rport, family;
	uint8_t unused[4];
	uint8_t laddr[16], raddr[16];
};

struct track {
	struct track_key key;
	uint32_t link;
	char comm[17];
	uint64_t weight;		/* what makes it worth seeing */
	uint32_t line[WATCH_LINES][WATCH_BINS];
};

/* How values of one bin go together. */
enum merge { MERGE_SUM, MERGE_MAX, MERGE_LAST };

static const struct {
	const char *name, *line[WATCH_LINES];
} kinds[] = {
#define KIND(s, name, ...) { name, { __VA_ARGS__ } },
	WATCH_KINDS(KIND)
#undef KIND
};

static uint64_t hash_track(const struct table *t, const void *entry)
{
	return hash_words(entry, sizeof(struct track_key), t->seed);
}

static const struct table_type track_type = {
	.size = sizeof(struct track), .link = offsetof(struct track, link), .reserved = 1, .hash = hash_track,
};

static enum merge merge_of(unsigned int kind, unsigned int line)
{
	if (kind == WATCH_ALL)
		return MERGE_SUM;
	return line < (kind == WATCH_LISTENER ? 2 : 1) ? MERGE_MAX : MERGE_LAST;
}

static uint32_t merged(enum merge how, uint32_t a, uint32_t b)
{
	if (a == WATCH_NONE || b == WATCH_NONE)
		return a == WATCH_NONE ? b : a;
	if (how == MERGE_SUM)
		return a > WATCH_NONE - 1 - b ? WATCH_NONE - 1 : a + b;
	return how == MERGE_MAX && a > b ? a : b;
}

static struct track *track_at(const struct watch *w, uint32_t i)
{
	return table_at(&w->tracks, &track_type, i);
}

/* Valid until the next one.  NULL: there is no room for it. */
static struct track *track_of(struct watch *w, const struct track_key *key, bool make)
{
	uint64_t hash = hash_words(key, sizeof(*key), w->tracks.seed);
	struct track *t;

	for (t = table_first(&w->tracks, &track_type, hash); t && memcmp(&t->key, key, sizeof(*key));
	     t = table_next(&w->tracks, &track_type, t))
		;
	if (t || !make)
		return t;
	t = table_add(&w->tracks, &track_type, hash);
	if (!t) {
		w->tracks_missed++;
		return NULL;
	}
	t->key = *key;
	memset(t->line, 0xff, sizeof(t->line));
	return t;
}

/* ---- bins ------------------------------------------------------------------------------- */

static void halve(struct watch *w)
{
	unsigned int line, bin;
	uint32_t i;

	for (i = track_type.reserved; i < w->tracks.end; i++) {
		struct track *t = track_at(w, i);

		for (line = 0; line < WATCH_LINES; line++) {
			enum merge how = merge_of(t->key.kind, line);
			uint32_t *v = t->line[line];

			for (bin = 0; bin < WATCH_BINS; bin++)
				v[bin] = bin < WATCH_BINS / 2 ? merged(how, v[2 * bin], v[2 * bin + 1]) : WATCH_NONE;
		}
	}
	w->width *= 2;
	w->last /= 2;
}

static void slide(struct watch *w, uint64_t n)
{
	unsigned int line;
	uint32_t i;

	w->begin += n * w->width;
	w->last = w->last > n ? w->last - n : 0;
	if (n > WATCH_BINS)
		n = WATCH_BINS;
	for (i = track_type.reserved; i < w->tracks.end; i++) {
		for (line = 0; line < WATCH_LINES; line++) {
			uint32_t *v = track_at(w, i)->line[line];

			memmove(v, v + n, (WATCH_BINS - n) * sizeof(*v));
			memset(v + WATCH_BINS - n, 0xff, n * sizeof(*v));
		}
	}
}

static unsigned int bin_of(const struct watch *w, uint64_t ts)
{
	uint64_t bin = ts > w->begin ? (ts - w->begin) / w->width : 0;

	return bin < WATCH_BINS ? (unsigned int)bin : WATCH_BINS - 1;
}

static void put(const struct watch *w, struct track *t, unsigned int line, uint64_t ts, uint64_t value)
{
	uint32_t *v = &t->line[line][bin_of(w, ts)];

	*v = merged(merge_of(t->key.kind, line), *v, value < WATCH_NONE ? (uint32_t)value : WATCH_NONE - 1);
}

/* ---- what goes into them ------------------------------------------------------------------- */

struct at {
	struct watch *w;
	uint64_t ts;
};

static int on_listener(const struct tcpfsm_listener *l, void *arg)
{
	const struct at *at = arg;
	struct track_key key = {
		.conn = l->conn, .netns = l->netns, .kind = l->conn ? WATCH_LISTENER : WATCH_NETNS,
		.lport = l->lport, .family = l->family,
	};
	struct tcpfsm_filter_subject s;
	struct track *t;
	uint64_t refused;

	tcpfsm_filter_listener(&s, l);
	if (!tcpfsm_filter_subject(at->w->filter, &s))
		return 0;
	memcpy(key.laddr, l->laddr, sizeof(key.laddr));
	refused = listen_refused(l->total);
	/* Those that rest have no lines before they stir. */
	t = track_of(at->w, &key, !l->conn || l->total[T(NOW_SYNQ)] || l->total[T(NOW_ACCEPTQ)] || refused);
	if (!t)
		return 0;
	if (l->conn) {
		put(at->w, t, 0, at->ts, l->total[T(NOW_SYNQ)]);
		put(at->w, t, 1, at->ts, l->total[T(NOW_ACCEPTQ)]);
		put(at->w, t, 2, at->ts, l->total[T(NOW_BACKLOG)]);
		put(at->w, t, 3, at->ts, refused);
		put(at->w, t, 4, at->ts, l->total[T(COMPLETED)] + l->total[T(COMPLETED_COOKIE)]);
		t->weight = (refused << 20) + l->total[T(ACCEPTQ_PEAK)] + l->total[T(SYNQ_PEAK)];
		if (l->has_owner)
			memcpy(t->comm, l->comm, sizeof(t->comm));
	} else {
		put(at->w, t, 0, at->ts, l->total[T(NOW_TW)]);
		if (l->total[T(NOW_TW_MAX)])
			put(at->w, t, 1, at->ts, l->total[T(NOW_TW_MAX)]);
		if (l->total[T(NOW_TW)] > t->weight)
			t->weight = l->total[T(NOW_TW)];
	}
	return 0;
}

static int on_destination(const struct tcpfsm_timewait *g, void *arg)
{
	const struct at *at = arg;
	struct track_key key = {
		.netns = g->netns, .kind = WATCH_DESTINATION, .rport = g->rport, .family = g->family,
	};
	struct track *t;

	if (g->rest || g->inbound || !g->limit)
		return 0;
	memcpy(key.laddr, g->laddr, sizeof(key.laddr));
	memcpy(key.raddr, g->raddr, sizeof(key.raddr));
	t = track_of(at->w, &key, true);
	if (!t)
		return 0;
	put(at->w, t, 0, at->ts, g->used);
	put(at->w, t, 1, at->ts, g->limit);
	if (g->used > t->weight)
		t->weight = g->used;
	if (g->has_maker)
		memcpy(t->comm, g->maker_comm, sizeof(t->comm));
	return 0;
}

static int take_ports(struct watch *w, uint64_t ts)
{
	struct at at = { w, ts };

	return w->ledger ? tcpfsm_timewaits_each(w->ledger, TCPFSM_TIMEWAIT_DESTINATION, ts, DESTINATIONS,
						 on_destination, &at) : 0;
}

/* Return: 0 or -ENOMEM. */
static int go_to(struct watch *w, uint64_t ts)
{
	int err = 0;

	if (!w->begin)
		w->begin = w->first_ts = ts;
	if (ts > w->last_ts)
		w->last_ts = ts;
	/* Bins are closed with what was known until then. */
	if (ts > w->begin && (ts - w->begin) / w->width > w->last)
		err = take_ports(w, w->begin + w->last * w->width);
	while (ts > w->begin && (ts - w->begin) / w->width >= WATCH_BINS) {
		if (w->slides)
			slide(w, (ts - w->begin) / w->width - WATCH_BINS + 1 + WATCH_BINS / 8);
		else
			halve(w);
	}
	if (bin_of(w, ts) > w->last)
		w->last = bin_of(w, ts);
	return err;
}

int watch_settle(struct watch *w, uint64_t now)
{
	struct at at = { w, now };
	int err = go_to(w, now);

	if (!err && w->totals_ts) {
		at.ts = w->totals_ts + (uint64_t)w->epoch_offset;
		err = tcpfsm_listeners_each(w->ls, on_listener, &at);
		w->totals_ts = 0;
	}
	return err ? err : take_ports(w, now);
}

int watch_item(struct watch *w, const struct tcpfsm_item *item)
{
	const struct tcpfsm_record *r = &item->rec;
	uint64_t ts = r->ts + (uint64_t)w->epoch_offset;
	int err = 0;

	if (item->lost)
		return 0;
	if (r->type == TCPFSM_TYPE_SOCKET && r->conn && r->old_state == TCPFSM_STATE_LISTEN)
		w->listens[r->lport >> 3] |= (uint8_t)(1U << (r->lport & 7));
	if (r->type != TCPFSM_TYPE_TOTAL)
		return 0;
	if (r->conn)
		w->listens[r->lport >> 3] |= (uint8_t)(1U << (r->lport & 7));
	if (r->ts == w->totals_ts)
		return 0;
	/* What the listeners know now is the reading before this one. */
	if (w->totals_ts) {
		struct at at = { w, w->totals_ts + (uint64_t)w->epoch_offset };

		err = tcpfsm_listeners_each(w->ls, on_listener, &at);
	}
	w->totals_ts = r->ts;
	return err ? err : go_to(w, ts);
}

/* ---- resets -------------------------------------------------------------------------------- */

struct reset_key {
	uint32_t netns;
	uint16_t port;			/* of the end that listens, else the peer's */
	uint8_t family, direction, state, reason, local;
	uint8_t unused[5];
	uint8_t addr[16];
};

struct reset {
	struct reset_key key;
	uint32_t link;
	uint64_t n, last_ts;
};

static uint64_t hash_reset(const struct table *t, const void *entry)
{
	return hash_words(entry, sizeof(struct reset_key), t->seed);
}

static const struct table_type reset_type = {
	.size = sizeof(struct reset), .link = offsetof(struct reset, link), .reserved = 1, .hash = hash_reset,
};

static void count_reset(struct watch *w, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool local = w->listens[r->lport >> 3] >> (r->lport & 7) & 1;
	struct reset_key key = {
		.netns = r->netns, .family = r->family, .direction = r->verdict, .state = ev->old_state,
		.reason = r->reason, .local = local, .port = local ? r->lport : r->rport,
	};
	struct reset *e;
	uint64_t hash;

	memcpy(key.addr, local ? r->laddr : r->raddr, sizeof(key.addr));
	hash = hash_words(&key, sizeof(key), w->resets.seed);
	for (e = table_first(&w->resets, &reset_type, hash); e && memcmp(&e->key, &key, sizeof(key));
	     e = table_next(&w->resets, &reset_type, e))
		;
	if (!e) {
		e = table_add(&w->resets, &reset_type, hash);
		if (!e) {
			w->resets_missed++;
			return;
		}
		e->key = key;
	}
	e->n++;
	e->last_ts = ev->ts;
}

/* ---- events --------------------------------------------------------------------------------- */

/* Who is in a state now is a matter of all that happened to it. */
static bool is_member(const struct watch *w, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_event(&s, ev);
	s.known &= ~(uint32_t)(TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE);
	return tcpfsm_filter_subject(w->filter, &s);
}

static int line_of(const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		if (ev->new_state == TCPFSM_STATE_ESTABLISHED)
			return 0;
		return ev->old_state == TCPFSM_STATE_SYN_SENT && ev->new_state == TCPFSM_STATE_CLOSE ? 1 : -1;
	case TCPFSM_EVENT_CONNECT_FAILED:
		return ev->old_state == TCPFSM_STATE_CLOSE ? 1 : -1;
	case TCPFSM_EVENT_RESET:
		return ev->rec.verdict == TCPFSM_DIRECTION_SENT ? 2 : 3;
	case TCPFSM_EVENT_RETRANSMIT:
		return 4;
	}
	return -1;
}

/* Peaks between two readings of the totals. */
static void take_queues(struct watch *w, const struct tcpfsm_event *ev)
{
	struct track_key key = {
		.conn = ev->rec.listener, .netns = ev->rec.netns, .kind = WATCH_LISTENER,
		.lport = ev->rec.lport, .family = ev->rec.family,
	};
	struct track *t;

	/* With the address that the totals have, which may be another one: found by them alone. */
	const struct tcpfsm_listener *l = tcpfsm_listeners_find(w->ls, ev->rec.listener);

	if (!l)
		return;
	key.family = l->family;
	key.lport = l->lport;
	memcpy(key.laddr, l->laddr, sizeof(key.laddr));
	t = track_of(w, &key, false);
	if (!t)
		return;
	put(w, t, 0, ev->ts, ev->rec.synq);
	put(w, t, 1, ev->ts, ev->rec.acceptq);
}

int watch_event(struct watch *w, const struct tcpfsm_event *ev)
{
	static const struct track_key all = { .kind = WATCH_ALL };
	int err, line;
	bool passes;

	if (ev->ts > w->event_ts)
		w->event_ts = ev->ts;
	if (ev->type == TCPFSM_EVENT_LOST) {
		w->d.lost += ev->suppressed ? 0 : ev->lost;
		return 0;
	}
	w->events++;
	err = go_to(w, ev->ts);
	passes = tcpfsm_filter_match(w->filter, ev);
	if (w->moves && ev->type == TCPFSM_EVENT_TRANSITION)
		return err;
	if (ev->type == TCPFSM_EVENT_TRANSITION) {
		if (w->filter && is_member(w, ev))
			members_see(&w->members, ev, w->d.population);
		if (passes)
			diagram_count(&w->d, ev);
	}
	if (!passes)
		return err;
	if (ev->has_queues && ev->rec.listener && ev->type != TCPFSM_EVENT_TRANSITION)
		take_queues(w, ev);
	if (ev->type == TCPFSM_EVENT_RESET)
		count_reset(w, ev);
	line = line_of(ev);
	if (line >= 0) {
		struct track *t = track_of(w, &all, true);

		if (t)
			put(w, t, (unsigned int)line, ev->ts, 1);
	}
	return err;
}

static void on_move(const struct tcpfsm_move *m, void *arg)
{
	static const struct track_key all = { .kind = WATCH_ALL };
	const struct at *at = arg;
	struct track *t = track_of(at->w, &all, true);

	diagram_add(&at->w->d, m, at->ts);
	if (t && m->new_state == TCPFSM_STATE_ESTABLISHED)
		put(at->w, t, 0, at->ts, m->n);
	if (t && m->old_state == TCPFSM_STATE_SYN_SENT && m->new_state == TCPFSM_STATE_CLOSE)
		put(at->w, t, 1, at->ts, m->n);
}

void watch_moves(struct watch *w, struct tcpfsm_model *m, uint64_t now)
{
	struct at at = { w, now };

	if (!go_to(w, now))
		tcpfsm_model_moves(m, on_move, &at);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void line_json(const struct watch *w, struct json *j, const char *key, const uint32_t *v)
{
	unsigned int i;

	json_open(j, key, '[');
	for (i = 0; i <= w->last; i++) {
		if (v[i] == WATCH_NONE)
			json_null(j, NULL);
		else
			json_number(j, NULL, v[i]);
	}
	json_close(j, ']');
}

static void track_json(const struct watch *w, struct json *j, const struct track *t)
{
	const struct track_key *k = &t->key;
	unsigned int line;

	json_open(j, NULL, '{');
	json_string(j, "kind", kinds[k->kind].name);
	json_number(j, "netns", k->netns);
	json_address(j, "laddr", k->family, k->laddr);
	json_number(j, "lport", k->lport);
	json_address(j, "raddr", k->family, k->raddr);
	json_number(j, "rport", k->rport);
	json_string(j, "comm", t->comm);
	for (line = 0; line < WATCH_LINES && kinds[k->kind].line[line]; line++)
		line_json(w, j, kinds[k->kind].line[line], t->line[line]);
	json_close(j, '}');
}

/* The heaviest first. */
static int by_weight(const void *a, const void *b)
{
	const struct track *const *x = a, *const *y = b;

	return (*x)->weight < (*y)->weight ? 1 : (*x)->weight > (*y)->weight ? -1 : 0;
}

void watch_series_json(struct watch *w, struct json *j, const char *key)
{
	const struct track *sorted[WATCH_TRACKS];
	size_t shown[WATCH_NKINDS] = { 0 }, n = 0, i;
	uint32_t at;

	for (at = track_type.reserved; at < w->tracks.end && n < WATCH_TRACKS; at++)
		sorted[n++] = track_at(w, at);
	qsort(sorted, n, sizeof(sorted[0]), by_weight);
	json_open(j, key, '{');
	json_number(j, "begin_ms", w->begin / NSEC_PER_MSEC);
	json_decimal(j, "step_ms", (double)w->width / (double)NSEC_PER_MSEC);
	json_number(j, "missed", w->tracks_missed);
	json_open(j, "tracks", '[');
	for (i = 0; i < n; i++)
		if (shown[sorted[i]->key.kind]++ < SHOWN)
			track_json(w, j, sorted[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static int by_count(const void *a, const void *b)
{
	const struct reset *x = a, *y = b;

	return x->n < y->n ? 1 : x->n > y->n ? -1 : x->last_ts < y->last_ts ? 1 : -1;
}

int watch_resets_json(struct watch *w, struct json *j, const char *key, size_t max)
{
	size_t n = w->resets.end - reset_type.reserved, i;
	uint64_t rest = w->resets_missed;
	struct reset *sorted = malloc((n + 1) * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	if (n)
		memcpy(sorted, table_at(&w->resets, &reset_type, reset_type.reserved), n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_count);
	json_open(j, key, '[');
	for (i = 0; i < n; i++) {
		const struct reset_key *k = &sorted[i].key;

		if (i >= max) {
			rest += sorted[i].n;
			continue;
		}
		out_json_begin(j, &(struct json_head) {
			.ts = sorted[i].last_ts, .event = "resets", .netns = k->netns, .family = k->family,
			.laddr = k->local ? k->addr : NULL, .lport = k->local ? k->port : 0,
			.raddr = k->local ? NULL : k->addr, .rport = k->local ? 0 : k->port,
		});
		json_string(j, "direction", tcpfsm_direction_name(k->direction));
		json_string(j, "state", tcpfsm_state_name(k->state));
		json_string(j, "reason", k->reason ? tcpfsm_rst_reason_name(k->reason) : "");
		json_number(j, "count", sorted[i].n);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_number(j, "resets_left_out", rest);
	free(sorted);
	return 0;
}

/* ---- begin and end ------------------------------------------------------------------------------ */

int watch_new(struct watch *w)
{
	int err;

	w->width = w->slides ? SLIDE_NS : FIRST_NS;
	err = table_init(&w->tracks, &track_type, 8, WATCH_TRACKS);
	if (!err)
		err = table_init(&w->resets, &reset_type, 64, WATCH_RESETS);
	if (err)
		return err;
	table_seed(&w->tracks);
	table_seed(&w->resets);
	return 0;
}

void watch_free(struct watch *w)
{
	table_exit(&w->tracks);
	table_exit(&w->resets);
	members_free(&w->members);
}
