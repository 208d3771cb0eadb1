// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/clock.h"
#include "top.h"

#define S(s)		TCPFSM_STATE_##s

/* ---- history --------------------------------------------------------------------- */

/* How far a gap is filled; beyond it nothing is left of what was. */
static void advance(struct history *h, uint64_t second)
{
	uint32_t stays = h->gauge && h->last ? h->n[h->last % HISTORY_SECONDS] : 0;
	uint64_t from = h->last;

	if (!h->last || second - from > HISTORY_SECONDS)
		from = second > HISTORY_SECONDS ? second - HISTORY_SECONDS : 0;
	while (from++ < second)
		h->n[from % HISTORY_SECONDS] = stays;
	h->last = second;
}

void history_put(struct history *h, uint64_t second, uint64_t n)
{
	uint32_t *at;

	if (second > h->last)
		advance(h, second);
	else if (h->last - second >= HISTORY_SECONDS)
		return;
	at = &h->n[second % HISTORY_SECONDS];
	if (!h->gauge)
		n += *at;
	*at = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint64_t history_at(const struct history *h, uint64_t second)
{
	if (!h->last || second + HISTORY_SECONDS <= h->last)
		return 0;
	if (second > h->last)
		return h->gauge ? h->n[h->last % HISTORY_SECONDS] : 0;
	return h->n[second % HISTORY_SECONDS];
}

double history_rate(const struct history *h, uint64_t second, unsigned int seconds)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 1; i <= seconds && i < second; i++)
		sum += history_at(h, second - i);
	return (double)sum / seconds;
}

/* ---- listeners ------------------------------------------------------------------- */

/* Its entry; for a new one, that of who was silent longest. */
static struct top_listener *listener_of(struct top *t, const struct tcpfsm_record *r)
{
	struct top_listener *l, *oldest = t->listener;

	for (l = t->listener; l < t->listener + TOP_LISTENERS; l++) {
		if (l->conn == r->listener)
			return l;
		if (l->last < oldest->last)
			oldest = l;
	}
	l = oldest;
	memset(l, 0, sizeof(*l));
	l->conn = r->listener;
	l->netns = r->netns;
	l->family = r->family;
	l->lport = r->lport;
	memcpy(l->laddr, r->laddr, sizeof(l->laddr));
	return l;
}

static bool is_refused(const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	if (ev->type != TCPFSM_EVENT_SYN && ev->type != TCPFSM_EVENT_HANDSHAKE_ACK)
		return false;
	/* Held back on demand, or the client's fault. */
	if (r->reason == TCPFSM_REASON_DEFER_ACCEPT || r->reason == TCPFSM_REASON_COOKIE_INVALID)
		return false;
	return r->verdict == TCPFSM_VERDICT_DROPPED || r->verdict == TCPFSM_VERDICT_RESET;
}

/* Does a listener pass?  It has no peer, and its process is not known here. */
static bool listener_passes(const struct tcpfsm_filter *f, const struct tcpfsm_record *r)
{
	struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .known = TCPFSM_ASKS_NETNS | TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL,
		.netns = r->netns, .family = r->family, .lport = r->lport,
	};

	memcpy(s.laddr, r->laddr, sizeof(s.laddr));
	return tcpfsm_filter_subject(f, &s);
}

/* What a record, or a reading of totals, tells of queues. */
static void see_queues(struct top *t, const struct tcpfsm_record *r)
{
	uint64_t longer = r->synq > r->acceptq ? r->synq : r->acceptq, second, fill;
	struct top_listener *l = t->latest;

	if (!r->listener || (t->filtered && !listener_passes(&t->filter, r)))
		return;
	if (!l || l->conn != r->listener)
		l = t->latest = listener_of(t, r);
	l->last = r->ts;
	l->synq = r->synq;
	l->acceptq = r->acceptq;
	l->backlog = r->backlog;
	/* Longer than within this second, as yet?  It takes one more than the limit says. */
	if (r->ts - l->peak_ts < NSEC_PER_SEC && longer <= l->peak)
		return;
	second = (r->ts + (uint64_t)t->epoch_offset) / NSEC_PER_SEC;
	l->peak_ts = second * NSEC_PER_SEC - (uint64_t)t->epoch_offset;
	l->peak = longer;
	fill = longer * 1000 / (r->backlog ? r->backlog : 1);
	history_put(&l->fill, second, fill > history_at(&l->fill, second) ? fill :
					       history_at(&l->fill, second));
}

void top_reading(struct top *t, const struct tcpfsm_listener *l)
{
	struct tcpfsm_record r = {
		.ts = l->ts, .listener = l->conn, .netns = l->netns, .family = l->family, .lport = l->lport,
		.synq = (uint32_t)l->total[TCPFSM_TOTAL_NOW_SYNQ],
		.acceptq = (uint32_t)l->total[TCPFSM_TOTAL_NOW_ACCEPTQ],
		.backlog = (uint32_t)l->total[TCPFSM_TOTAL_NOW_BACKLOG],
	};

	/* An empty queue is no reason to forget another listener. */
	if (!l->conn || l->total[TCPFSM_TOTAL_NOW_GONE_TS] || !(r.synq + r.acceptq))
		return;
	memcpy(r.laddr, l->laddr, sizeof(r.laddr));
	see_queues(t, &r);
}

static void see_closed(struct top *t, uint64_t conn)
{
	struct top_listener *l;

	for (l = t->listener; l < t->listener + TOP_LISTENERS; l++)
		if (l->conn == conn)
			l->closed = true;
}

static void count_refused(struct top *t, const struct tcpfsm_event *ev, uint64_t refused)
{
	struct top_listener *l;

	history_put(&t->series[TOP_REFUSED], ev->ts / NSEC_PER_SEC, refused);
	if (!ev->has_queues || !ev->rec.listener)
		return;
	l = listener_of(t, &ev->rec);
	l->last = ev->rec.ts;
	l->refused += refused;
	history_put(&l->refusals, ev->ts / NSEC_PER_SEC, refused);
}

const struct top_listener *top_worst(const struct top *t, uint64_t now)
{
	const struct top_listener *l, *worst = NULL;
	double most = 0;
	uint64_t second = now / NSEC_PER_SEC;

	for (l = t->listener; l < t->listener + TOP_LISTENERS; l++) {
		double bad;
		unsigned int i;
		uint64_t peak = 0;

		if (!l->conn || l->closed)
			continue;
		for (i = 0; i < 60 && i < second; i++)
			if (history_at(&l->fill, second - i) > peak)
				peak = history_at(&l->fill, second - i);
		/* Who refuses is worse than who is about to. */
		bad = 1e6 * history_rate(&l->refusals, second + 1, 60) + (double)peak;
		if (bad > most) {
			worst = l;
			most = bad;
		}
	}
	return worst;
}

/* ---- events ---------------------------------------------------------------------- */

static void count_move(const struct tcpfsm_move *m, void *arg)
{
	struct top *t = arg;
	uint64_t ts = t->slot + (uint64_t)t->epoch_offset, second = ts / NSEC_PER_SEC;

	diagram_add(&t->diagram, m, ts);
	if (m->new_state == S(ESTABLISHED))
		history_put(&t->series[TOP_OPENS], second, m->n);
	else if (m->old_state == S(ESTABLISHED))
		history_put(&t->series[TOP_CLOSES], second, m->n);
	if (m->new_state == S(TIME_WAIT))
		t->in_time_wait += m->n;
	else if (m->old_state == S(TIME_WAIT))
		t->in_time_wait -= m->n < t->in_time_wait ? m->n : t->in_time_wait;
	else
		return;
	history_put(&t->time_wait, second, t->in_time_wait);
}

static void forget_move(const struct tcpfsm_move *m, void *arg)
{
	(void)m;
	(void)arg;
}

void top_settle(struct top *t, struct tcpfsm_model *m)
{
	/* With a filter, events are counted one by one. */
	tcpfsm_model_moves(m, t->filtered ? forget_move : count_move, t);
}

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts ? item->to_ts : item->from_ts : item->rec.ts;
}

/* As many as fall into one slot: what the model counts is of that time. */
size_t top_portion(struct top *t, struct tcpfsm_model *m, const struct tcpfsm_item *items,
		   size_t n)
{
	size_t i;

	if (time_of(&items[n - 1]) - t->slot < DIAGRAM_SLOT_NS)
		return n;
	if (time_of(&items[0]) - t->slot >= DIAGRAM_SLOT_NS) {
		uint64_t ts = time_of(&items[0]) + (uint64_t)t->epoch_offset;

		top_settle(t, m);
		t->slot = ts - ts % DIAGRAM_SLOT_NS - (uint64_t)t->epoch_offset;
	}
	for (i = 1; i < n && time_of(&items[i]) - t->slot < DIAGRAM_SLOT_NS; i++)
		;
	return i;
}

static void count_one(struct top *t, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_move m = {
		.old_state = ev->old_state, .new_state = ev->new_state, .cause = ev->cause,
		.request = ev->rec.type == TCPFSM_TYPE_REQUEST_GONE, .n = 1,
	};
	uint64_t slot = t->slot;

	t->slot = ev->ts - (uint64_t)t->epoch_offset;
	count_move(&m, t);
	t->slot = slot;
}

static void count(struct top *t, const struct tcpfsm_event *ev)
{
	uint64_t second, refused = 0;

	if (ev->type == TCPFSM_EVENT_TRANSITION) {
		if (t->filtered)
			count_one(t, ev);
		return;
	}
	second = ev->ts / NSEC_PER_SEC;
	switch (ev->type) {
	case TCPFSM_EVENT_RESET:
		history_put(&t->series[TOP_RESETS], second, 1);
		return;
	case TCPFSM_EVENT_RETRANSMIT:
		history_put(&t->series[TOP_RETRANSMITS], second, 1);
		return;
	case TCPFSM_EVENT_CONNECT_FAILED:
		history_put(&t->series[TOP_FAILED], second, 1);
		return;
	case TCPFSM_EVENT_LOST:
		if (ev->suppressed && ev->rec.verdict == TCPFSM_TYPE_SYN)
			refused = ev->lost;
		else if (ev->suppressed && ev->rec.verdict == TCPFSM_TYPE_RESET)
			history_put(&t->series[TOP_RESETS], second, ev->lost);
		break;
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		refused = is_refused(ev);
		break;
	}
	if (refused)
		count_refused(t, ev, refused);
}

static void count_lost(struct top *t, const struct tcpfsm_event *ev)
{
	if (ev->suppressed)
		t->suppressed += ev->lost;
	else
		t->lost += ev->lost;
}

static bool passes(const struct top *t, const struct tcpfsm_event *ev)
{
	return !t->filtered || tcpfsm_filter_match(&t->filter, ev);
}

static void keep_ended(struct top *t, const struct tcpfsm_event *ev)
{
	struct top_ended *e = &t->ended[t->nended++ % TOP_ENDED];

	e->ts = ev->ts;
	e->conn = ev->rec.conn;
	e->life = *ev->life;
	if (ev->netns_gone)
		e->life.netns = 0;
	e->pid = ev->has_owner ? ev->pid : 0;
	memcpy(e->comm, ev->comm, sizeof(e->comm));
	e->cause = (uint8_t)tcpfsm_life_end(ev);
	e->old_state = ev->old_state;
}

/* Another network namespace has that inode from now on: what ended before was not in it. */
static void leave_netns(struct top *t, uint32_t netns)
{
	uint64_t i = t->nended > TOP_ENDED ? t->nended - TOP_ENDED : 0;

	for (; i < t->nended; i++)
		if (t->ended[i % TOP_ENDED].life.netns == netns)
			t->ended[i % TOP_ENDED].life.netns = 0;
}

void top_event(struct top *t, const struct tcpfsm_event *ev)
{
	if (ev->ts > t->last)
		t->last = ev->ts;
	if (ev->type == TCPFSM_EVENT_LOST)
		count_lost(t, ev);
	else if (ev->type == TCPFSM_EVENT_NETNS)
		leave_netns(t, ev->rec.netns);
	else if (ev->type == TCPFSM_EVENT_TRANSITION && ev->new_state == S(CLOSE) && ev->life &&
		 ev->old_state != S(LISTEN))
		keep_ended(t, ev);
	else if (ev->type == TCPFSM_EVENT_TRANSITION && ev->old_state == S(LISTEN))
		see_closed(t, ev->rec.conn);
	if (!t->filtered)
		count(t, ev);
}

/* ---- the log --------------------------------------------------------------------- */

/* What is older than the log, the model that saw it all may know. */
static void find_owner(const struct top *t, struct tcpfsm_event *ev)
{
	struct tcpfsm_conn c;

	if (ev->has_owner || !t->owners ||
	    !tcpfsm_model_find(t->owners, ev->rec.conn, &c) || !c.pid)
		return;
	ev->has_owner = true;
	ev->pid = c.pid;
	memcpy(ev->comm, c.comm, 16);
	ev->comm[16] = '\0';
}

static void index_one(struct top *t, uint64_t number)
{
	const struct tcpfsm_event *ev = &t->log[number % TOP_LOG];

	if (t->tells(ev) && (!t->only_some || tcpfsm_filter_match(&t->some, ev)))
		t->index[t->nindex++ % TOP_LOG] = number;
}

static int on_log_event(const struct tcpfsm_event *ev, void *arg)
{
	struct top *t = arg;
	struct tcpfsm_event *copy = &t->log[t->nlog % TOP_LOG];

	*copy = *ev;
	copy->life = NULL;
	find_owner(t, copy);
	if (passes(t, copy)) {
		if (t->filtered)
			count(t, copy);
		index_one(t, t->nlog);
	}
	t->nlog++;
	return 0;
}

static void forget_log(struct top *t)
{
	tcpfsm_model_free(t->log_model);
	free(t->log);
	free(t->index);
	t->log_model = NULL;
	t->log = NULL;
	t->index = NULL;
	t->nlog = t->nindex = 0;
}

static int begin_log(struct top *t)
{
	const struct tcpfsm_model_options o = {
		.size = sizeof(o), .epoch_offset = t->epoch_offset, .max_conns = TOP_LOG,
	};
	uint64_t i = t->nraw > TOP_LOG ? t->nraw - TOP_LOG : 0;
	int err = tcpfsm_model_new(&t->log_model, &o);

	t->log = malloc(TOP_LOG * sizeof(*t->log));
	t->index = malloc(TOP_LOG * sizeof(*t->index));
	if (err || !t->log || !t->index) {
		forget_log(t);
		return -ENOMEM;
	}
	for (; i < t->nraw; i++)
		tcpfsm_model_item(t->log_model, &t->raw[i % TOP_LOG], on_log_event, t);
	return 0;
}

int top_keep_log(struct top *t, struct tcpfsm_model *owners, bool wanted)
{
	t->owners = owners;
	if ((wanted || t->filtered) && !t->log_model)
		return begin_log(t);
	if (!wanted && !t->filtered && t->log_model)
		forget_log(t);
	return 0;
}

/* So many at a time: cheaper than one by one, and less than what libc copies bytewise. */
#define RAW_RUN		16U

static void keep_raw(struct top *t, const struct tcpfsm_item *items, size_t n)
{
	while (n) {
		size_t at = t->nraw % TOP_LOG, run = n < RAW_RUN ? n : RAW_RUN;

		if (run > TOP_LOG - at)
			run = TOP_LOG - at;
		memcpy(&t->raw[at], items, run * sizeof(*items));
		t->nraw += run;
		items += run;
		n -= run;
	}
}

int top_feed(struct top *t, const struct tcpfsm_item *items, size_t n)
{
	const struct tcpfsm_item *end = items + n, *it;

	if (!t->first && time_of(items))
		t->first = time_of(items) + (uint64_t)t->epoch_offset;
	keep_raw(t, items, n);
	for (it = items; it < end; it++) {
		if (it->rec.type == TCPFSM_TYPE_SYN && !it->lost &&
		    it->rec.flags & TCPFSM_F_PASSIVE)
			see_queues(t, &it->rec);
	}
	if (t->log_model)
		return tcpfsm_model_items(t->log_model, items, n, on_log_event, t);
	return 0;
}

void top_flush(struct top *t)
{
	if (t->log_model)
		tcpfsm_model_flush(t->log_model, on_log_event, t);
}

int top_set_filter(struct top *t, const struct tcpfsm_filter *filter)
{
	t->filtered = filter;
	if (filter)
		t->filter = *filter;
	diagram_reset(&t->diagram);
	memset(t->series, 0, sizeof(t->series));
	memset(t->listener, 0, sizeof(t->listener));
	t->latest = NULL;
	/* Of who passes, the next pass tells. */
	memset(&t->time_wait, 0, sizeof(t->time_wait));
	t->time_wait.gauge = true;
	t->in_time_wait = 0;
	t->list.busy = false;
	forget_log(t);
	if (filter)
		return begin_log(t);
	/* Nothing is left of what passed no filter: from the log once more. */
	t->filtered = true;
	t->filter = (struct tcpfsm_filter) { .size = sizeof(t->filter) };
	if (begin_log(t))
		return -ENOMEM;
	t->filtered = false;
	return 0;
}

void top_list_some(struct top *t, const struct tcpfsm_filter *some)
{
	uint64_t i = t->nlog > TOP_LOG ? t->nlog - TOP_LOG : 0;

	t->only_some = some;
	if (some)
		t->some = *some;
	t->list.busy = false;
	t->nindex = 0;
	for (; i < t->nlog; i++)
		if (passes(t, &t->log[i % TOP_LOG]))
			index_one(t, i);
}

/* What has been overwritten is gone, whatever the index says. */
uint64_t top_log_first(const struct top *t)
{
	uint64_t lo = t->nindex > TOP_LOG ? t->nindex - TOP_LOG : 0, hi = t->nindex;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (t->index[mid % TOP_LOG] + TOP_LOG < t->nlog)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct tcpfsm_event *top_log_at(const struct top *t, uint64_t line)
{
	uint64_t number;

	if (line >= t->nindex || line + TOP_LOG < t->nindex)
		return NULL;
	number = t->index[line % TOP_LOG];
	return number + TOP_LOG < t->nlog ? NULL : &t->log[number % TOP_LOG];
}

int top_init(struct top *t, const struct tcpfsm_filter *filter,
	     bool (*tells)(const struct tcpfsm_event *ev), int64_t epoch_offset)
{
	memset(t, 0, sizeof(*t));
	t->epoch_offset = epoch_offset;
	t->tells = tells;
	t->time_wait.gauge = true;
	t->filtered = filter;
	if (filter)
		t->filter = *filter;
	t->list.column = TOP_BY_FOR;
	t->list.reverse = true;
	t->raw = malloc(TOP_LOG * sizeof(*t->raw));
	t->ended = malloc(TOP_ENDED * sizeof(*t->ended));
	/* Pages are had now, while nothing waits to be read. */
	if (t->raw)
		memset(t->raw, 0, TOP_LOG * sizeof(*t->raw));
	if (t->ended)
		memset(t->ended, 0, TOP_ENDED * sizeof(*t->ended));
	if (t->raw && t->ended && (!filter || !begin_log(t)))
		return 0;
	top_free(t);
	return -ENOMEM;
}

void top_free(struct top *t)
{
	forget_log(t);
	free(t->raw);
	free(t->ended);
	t->raw = NULL;
	t->ended = NULL;
}

/* ---- the list -------------------------------------------------------------------- */

static bool conn_passes(const struct tcpfsm_filter *f, const struct tcpfsm_conn *c)
{
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_life(&s, c->life, c->state, c->pid, c->comm);
	return tcpfsm_filter_subject(f, &s);
}

/* The first letters, or bytes of an address, as a number. */
static uint64_t key_of_bytes(const void *bytes)
{
	uint64_t v;

	memcpy(&v, bytes, sizeof(v));
	return __builtin_bswap64(v);
}

static uint64_t key_of_address(const struct tcpfsm_life *life)
{
	uint64_t v = key_of_bytes(life->raddr);

	return life->family == 4 ? v >> 16 | life->rport : v | 1ULL << 63;
}

static uint64_t retransmits(const struct tcpfsm_life *life)
{
	return (uint64_t)life->retransmits[0] + life->retransmits[1] + life->retransmits[2] +
	       life->retransmits[3];
}

/* In the order of a connection's life; in the same state those that are in it for longest. */
static uint64_t key_of_state(const struct tcpfsm_conn *c)
{
	static const uint8_t place[16] = {
		[S(SYN_SENT)] = 1, [S(SYN_RECV)] = 2, [S(ESTABLISHED)] = 3, [S(CLOSE_WAIT)] = 4, [S(LAST_ACK)] = 5,
		[S(FIN_WAIT1)] = 6, [S(FIN_WAIT2)] = 7, [S(CLOSING)] = 8, [S(TIME_WAIT)] = 9, [S(CLOSE)] = 10,
	};

	return (uint64_t)place[c->state & 15] << 60 | c->since >> 4;
}

/* The smallest come first: by name and number upwards, the longest time, the most often. */
static uint64_t key_of(const struct top_list *list, const struct tcpfsm_conn *c)
{
	bool known = c->life && c->life->begin;
	uint64_t key = 0;

	switch (list->column) {
	case TOP_BY_STATE:
		key = key_of_state(c);
		break;
	case TOP_BY_FOR:
		/* Since before anybody looked. */
		key = c->since;
		break;
	case TOP_BY_AGE:
		key = known ? c->life->begin : 0;
		break;
	case TOP_BY_COMM:
		key = c->pid ? key_of_bytes(c->comm) : UINT64_MAX;
		break;
	case TOP_BY_PID:
		key = c->pid ? c->pid : UINT64_MAX;
		break;
	case TOP_BY_LPORT:
		key = known ? c->life->lport : UINT64_MAX;
		break;
	case TOP_BY_REMOTE:
		key = known ? key_of_address(c->life) : UINT64_MAX;
		break;
	case TOP_BY_RTX:
		key = known ? ~retransmits(c->life) : UINT64_MAX;
		break;
	case TOP_NCOLUMNS:
		break;
	}
	return list->reverse ? ~key : key;
}

/* Moves the k rows with the smallest keys to the front. */
static void select_first(struct top_row *row, size_t n, size_t k)
{
	size_t lo = 0, hi = n;

	while (hi - lo > 1) {
		uint64_t pivot = row[lo + (hi - lo) / 2].key;
		size_t less = lo, more = hi, i = lo;

		/* Less, equal, more. */
		while (i < more) {
			struct top_row r = row[i];

			if (r.key < pivot) {
				row[i++] = row[less];
				row[less++] = r;
			} else if (r.key > pivot) {
				row[i] = row[--more];
				row[more] = r;
			} else {
				i++;
			}
		}
		if (k < less)
			hi = less;
		else if (k > more)
			lo = more;
		else
			return;
	}
}

static void add_row(struct top *t, const struct tcpfsm_conn *c, uint64_t ended)
{
	struct top_list *list = &t->list;
	uint64_t key = list->unwanted ? 0 : key_of(list, c);
	size_t i;

	if (t->only_some && !list->unwanted && !conn_passes(&t->some, c))
		return;
	list->next_matched++;
	if (list->unwanted || key > list->limit)
		return;
	list->heap[list->nheap++] = (struct top_row) { key, c->conn, ended };
	if (list->nheap < 2 * TOP_ROWS)
		return;
	select_first(list->heap, list->nheap, TOP_ROWS);
	list->nheap = TOP_ROWS;
	for (list->limit = 0, i = 0; i < TOP_ROWS; i++)
		if (list->heap[i].key > list->limit)
			list->limit = list->heap[i].key;
	/* Those that are no better need not come. */
	if (list->limit)
		list->limit--;
}

static int on_conn(const struct tcpfsm_conn *c, void *arg)
{
	struct top *t = arg;
	struct top_list *list = &t->list;

	if (t->filtered && !conn_passes(&t->filter, c))
		return 0;
	list->next_population[c->state & 15]++;
	if (c->state && c->state != S(LISTEN))
		add_row(t, c, 0);
	return 0;
}

static void add_ended(struct top *t)
{
	uint64_t i = t->nended > TOP_ENDED ? t->nended - TOP_ENDED : 0;

	for (; i < t->nended; i++) {
		const struct top_ended *e = &t->ended[i % TOP_ENDED];
		const struct tcpfsm_conn c = {
			.conn = e->conn, .since = e->ts, .life = &e->life, .comm = e->comm,
			.pid = e->pid, .state = S(CLOSE),
		};

		if (!t->filtered || conn_passes(&t->filter, &c))
			add_row(t, &c, i + 1);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->conn != y->conn)
		return x->conn < y->conn ? -1 : 1;
	return x->ended < y->ended ? 1 : x->ended > y->ended ? -1 : 0;
}

bool top_list_step(struct top *t, struct tcpfsm_model *m, size_t slots)
{
	struct top_list *list = &t->list;

	if (!list->busy) {
		list->busy = true;
		list->at = 0;
		list->nheap = 0;
		list->limit = UINT64_MAX;
		list->next_matched = 0;
		memset(list->next_population, 0, sizeof(list->next_population));
	}
	tcpfsm_model_scan(m, &list->at, slots, on_conn, t);
	if (list->at)
		return false;
	add_ended(t);
	select_first(list->heap, list->nheap, TOP_ROWS);
	list->n = list->nheap < TOP_ROWS ? list->nheap : TOP_ROWS;
	memcpy(list->rows, list->heap, list->n * sizeof(*list->rows));
	qsort(list->rows, list->n, sizeof(*list->rows), by_key);
	list->matched = list->next_matched;
	memcpy(list->population, list->next_population, sizeof(list->population));
	list->population[0] = list->population[S(CLOSE)] = 0;
	t->in_time_wait = list->population[S(TIME_WAIT)];
	list->busy = false;
	return true;
}

const struct top_ended *top_ended_of(const struct top *t, const struct top_row *row)
{
	if (!row->ended || row->ended - 1 + TOP_ENDED < t->nended)
		return NULL;
	return &t->ended[(row->ended - 1) % TOP_ENDED];
}

/* ---- ladders --------------------------------------------------------------------- */

/* Of this connection, at either end?  What a listener tells of its peer, too. */
static bool concerns(const struct tcpfsm_event *ev, const struct tcpfsm_record *r)
{
	const struct tcpfsm_record *e = &ev->rec;

	if (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed)
		return true;
	return (e->lport == r->lport && e->rport == r->rport) ||
	       (e->lport == r->rport && e->rport == r->lport);
}

int top_ladder(const struct top *t, uint64_t conn, tcpfsm_ladder_fn fn, void *arg)
{
	uint64_t first = t->nlog > TOP_LOG ? t->nlog - TOP_LOG : 0, i;
	struct tcpfsm_ladders_options o = { .size = sizeof(o), .conn = conn };
	const struct tcpfsm_record *whose = NULL;
	struct tcpfsm_ladders *ladders;
	int rc;

	for (i = t->nlog; i-- > first && !whose; )
		if (t->log[i % TOP_LOG].rec.conn == conn)
			whose = &t->log[i % TOP_LOG].rec;
	if (!whose)
		return 0;
	rc = tcpfsm_ladders_new(&ladders, &o);
	for (i = first; !rc && i < t->nlog; i++)
		if (concerns(&t->log[i % TOP_LOG], whose))
			rc = tcpfsm_ladders_event(ladders, &t->log[i % TOP_LOG], fn, arg);
	if (!rc)
		rc = tcpfsm_ladders_flush(ladders, fn, arg);
	tcpfsm_ladders_free(ladders);
	return rc;
}
