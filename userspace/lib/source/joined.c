// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The recordings of two hosts as one stream, in the time of the first.
 *
 * They are read twice. First for SYNs: what one host sent and the other received is one connection if
 * addresses, ports and the initial sequence number are the same, or, behind NAT, if the sequence numbers
 * fit nothing else. A SYN arrives after it was sent, and its SYN-ACK after that: so each handshake says what
 * the difference of the clocks (CLOCK_MONOTONIC, which nobody sets) is at least and at most.
 *
 * Then the second host's records get the first one's time and, where NAT was found, the addresses that the first one
 * saw. Cookies, CPUs and inodes may be the same on both: they are marked, see TCPFSM_HOST_OF_CONN().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "item.h"
#include "joined.h"
#include "opts.h"
#include "source.h"
#include "table.h"

#define SYNS_MAX	(1U << 20)
#define FIRST		1024U

/* Addresses and ports of a SYN. */
struct tuple {
	uint8_t client[16], server[16];
	uint16_t cport, sport;
	uint32_t isn;			/* the client's */
};

_Static_assert(sizeof(struct tuple) % 8 == 0, "hash_words() wants words");

/* A SYN that was sent, or that came. */
struct syn {
	uint32_t link;			/* the table's */
	uint32_t match;			/* 1 + the other host's; 0: none */
	uint32_t fits, claims;		/* by sequence numbers alone: so many, and of the other's so many */
	uint32_t server_isn;
	struct tuple t;
	uint64_t conn;			/* sent: by whom */
	uint64_t ts, done_ts;		/* sent or come first; SYN-ACK received, 0: not seen */
	bool again, has_server_isn, dropped;
};

/* In the table by cookie: which of the SYNs sent. */
struct opener {
	uint64_t conn;
	uint32_t link, syn;
};

/* Addresses of the second host as the first one knows them, of its socket's point of view. */
struct nat {
	uint32_t link, pad;
	struct tuple from;		/* client: local end; isn 0 */
	struct tuple to;
	uint64_t since;
};

static uint64_t hash_syn(const struct table *t, const void *entry)
{
	return ((const struct syn *)entry)->t.isn ^ t->seed;
}

static uint64_t hash_opener(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct opener *)entry)->conn;
}

static uint64_t hash_nat(const struct table *t, const void *entry)
{
	return hash_words(&((const struct nat *)entry)->from, sizeof(struct tuple), t->seed);
}

static const struct table_type syns = {
	.size = sizeof(struct syn), .link = offsetof(struct syn, link), .reserved = 1, .hash = hash_syn,
};

static const struct table_type openers = {
	.size = sizeof(struct opener), .link = offsetof(struct opener, link), .reserved = 1, .hash = hash_opener,
};

static const struct table_type nats = {
	.size = sizeof(struct nat), .link = offsetof(struct nat, link), .reserved = 1, .hash = hash_nat,
};

/* What a recording tells of SYNs. */
struct seen {
	struct table sent, came, openers;
	uint64_t untold, hidden;
	int64_t epoch_offset;
};

struct side {
	struct tcpfsm_source *src;
	struct tcpfsm_item item;	/* the next one */
	bool has;
};

struct joined {
	struct tcpfsm_source src;
	struct side side[2];
	struct tcpfsm_item out;
	struct table nats;
	int64_t ahead;			/* the second one's CLOCK_MONOTONIC minus the first one's */
	char missing[1024];
	int err;
};

/* ---- what was seen of SYNs ------------------------------------------------------------- */

static struct tuple tuple_of(const struct tcpfsm_record *r, bool client, uint32_t isn)
{
	struct tuple t;

	memset(&t, 0, sizeof(t));
	memcpy(client ? t.client : t.server, r->laddr, 16);
	memcpy(client ? t.server : t.client, r->raddr, 16);
	t.cport = client ? r->lport : r->rport;
	t.sport = client ? r->rport : r->lport;
	t.isn = isn;
	return t;
}

static struct syn *syn_like(const struct table *t, const struct tuple *key)
{
	struct syn *s = table_first(t, &syns, key->isn ^ t->seed);

	while (s && memcmp(&s->t, key, sizeof(*key)))
		s = table_next(t, &syns, s);
	return s;
}

static struct syn *add_syn(struct seen *seen, struct table *t, const struct tuple *key, uint64_t ts)
{
	struct syn *s = table_add(t, &syns, key->isn ^ t->seed);

	if (!s) {
		seen->untold++;
		return NULL;
	}
	s->t = *key;
	s->ts = ts;
	return s;
}

static struct syn *syn_of(struct seen *seen, uint64_t conn)
{
	struct opener *o = table_first(&seen->openers, &openers, conn);

	while (o && o->conn != conn)
		o = table_next(&seen->openers, &openers, o);
	return o ? table_at(&seen->sent, &syns, o->syn) : NULL;
}

static void on_sent(struct seen *seen, const struct tcpfsm_record *r)
{
	struct tuple key = tuple_of(r, true, r->snd);
	struct opener *o;
	struct syn *s;

	if (r->flags & TCPFSM_F_REPAIR || syn_like(&seen->sent, &key))
		return;
	s = add_syn(seen, &seen->sent, &key, r->ts);
	if (!s)
		return;
	s->conn = r->conn;
	o = table_first(&seen->openers, &openers, r->conn);
	while (o && o->conn != r->conn)
		o = table_next(&seen->openers, &openers, o);
	if (!o)
		o = table_add(&seen->openers, &openers, r->conn);
	if (!o)
		return;
	o->conn = r->conn;
	o->syn = table_number(&seen->sent, &syns, s);
}

static void on_came(struct seen *seen, const struct tcpfsm_record *r)
{
	struct tuple key = tuple_of(r, false, r->rcv);
	struct syn *s = syn_like(&seen->came, &key);

	if (s) {
		s->again = true;
	} else {
		s = add_syn(seen, &seen->came, &key, r->ts);
		if (s)
			s->dropped = true;
	}
	if (s && (r->verdict == TCPFSM_VERDICT_QUEUED || r->verdict == TCPFSM_VERDICT_COOKIE)) {
		s->has_server_isn = true;
		s->server_isn = r->snd;
		s->dropped = false;
	}
}

static void on_record(struct seen *seen, const struct tcpfsm_record *r)
{
	struct syn *s;

	switch (r->type) {
	case TCPFSM_TYPE_SYN:
		on_came(seen, r);
		return;
	case TCPFSM_TYPE_SUPPRESSED:
		if (r->verdict == TCPFSM_TYPE_SYN)
			seen->hidden += r->snd;
		return;
	case TCPFSM_TYPE_RETRANSMIT:
		s = r->verdict == TCPFSM_SEGMENT_SYN ? syn_of(seen, r->conn) : NULL;
		if (s)
			s->again = true;
		return;
	case TCPFSM_TYPE_STATE:
		if (r->new_state == TCPFSM_STATE_SYN_SENT && r->rport)
			on_sent(seen, r);
		if (r->old_state != TCPFSM_STATE_SYN_SENT || r->new_state != TCPFSM_STATE_ESTABLISHED)
			return;
		s = syn_of(seen, r->conn);
		if (!s || s->has_server_isn)
			return;
		s->done_ts = r->ts;
		s->has_server_isn = true;
		s->server_isn = r->rcv - 1;
		return;
	}
}

static int look(struct seen *seen, const char *dir, const char **why)
{
	const struct tcpfsm_item *items;
	struct tcpfsm_source *src;
	size_t n, i;
	int err;

	err = tcpfsm_source_open_recording(&src, dir, why);
	if (err)
		return err;
	seen->epoch_offset = tcpfsm_source_epoch_offset(src);
	err = table_init(&seen->sent, &syns, FIRST, SYNS_MAX);
	if (!err)
		err = table_init(&seen->came, &syns, FIRST, SYNS_MAX);
	if (!err)
		err = table_init(&seen->openers, &openers, FIRST, SYNS_MAX);
	/* What is wrong with it the second reading tells. */
	while (!err && tcpfsm_source_batch(src, &items, &n) > 0)
		for (i = 0; i < n; i++) {
			seen->hidden += items[i].lost;
			if (!items[i].lost)
				on_record(seen, &items[i].rec);
		}
	tcpfsm_source_close(src);
	return err;
}

static void forget(struct seen *seen)
{
	table_exit(&seen->sent);
	table_exit(&seen->came);
	table_exit(&seen->openers);
}

/* ---- what belongs together --------------------------------------------------------------- */

/* Of all there are: none is ever deleted. */
#define EACH(s, table)	for (s = table_at(table, &syns, 1); s < (struct syn *)table_at(table, &syns, (table)->end); s++)

static bool fits(const struct syn *sent, const struct syn *came)
{
	return !came->match && came->t.isn == sent->t.isn &&
	       (!sent->has_server_isn || (came->has_server_isn && sent->server_isn == came->server_isn));
}

static void match(struct seen *from, struct seen *to, struct syn *sent, struct syn *came)
{
	sent->match = table_number(&to->came, &syns, came);
	came->match = table_number(&from->sent, &syns, sent);
}

static void match_all(struct seen *from, struct seen *to, struct tcpfsm_join *join)
{
	struct syn *s, *c;

	EACH(s, &from->sent) {
		c = syn_like(&to->came, &s->t);
		/* To itself. */
		if (syn_like(&from->came, &s->t) || !c || !fits(s, c))
			continue;
		match(from, to, s, c);
		join->joined++;
	}
	/* By sequence numbers alone, where nothing else fits. */
	EACH(s, &from->sent) {
		if (s->match || syn_like(&from->came, &s->t))
			continue;
		for (c = table_first(&to->came, &syns, s->t.isn ^ to->came.seed); c; c = table_next(&to->came, &syns, c)) {
			if (!fits(s, c) || syn_like(&to->sent, &c->t))
				continue;
			s->fits++;
			c->claims++;
		}
	}
	EACH(s, &from->sent) {
		if (s->match || !s->fits)
			continue;
		for (c = table_first(&to->came, &syns, s->t.isn ^ to->came.seed); c; c = table_next(&to->came, &syns, c))
			if (c->claims == 1 && s->fits == 1 && fits(s, c) && !syn_like(&to->sent, &c->t))
				break;
		if (!c) {
			join->ambiguous++;
			continue;
		}
		match(from, to, s, c);
		join->joined++;
		join->by_seq++;
	}
}

/* Is there a SYN that came to this address and port? */
static bool is_served(const struct seen *host, const struct tuple *t)
{
	const struct syn *s;

	EACH(s, &host->came)
		if (s->t.sport == t->sport && !memcmp(s->t.server, t->server, 16))
			return true;
	return false;
}

static void count_unseen(struct seen *from, struct seen *to, uint64_t *n)
{
	struct tuple last = { .sport = 0 };
	bool served = false;
	struct syn *s;

	EACH(s, &from->sent) {
		if (s->match)
			continue;
		if (s->t.sport != last.sport || memcmp(s->t.server, last.server, 16)) {
			last = s->t;
			served = is_served(to, &s->t);
		}
		*n += served && !syn_like(&from->came, &s->t);
	}
}

static uint64_t count_refused(const struct seen *from, const struct seen *to)
{
	const struct syn *s;
	uint64_t n = 0;

	EACH(s, &from->sent)
		n += s->match && ((const struct syn *)table_at(&to->came, &syns, s->match))->dropped;
	return n;
}

/* ---- the clocks ------------------------------------------------------------------------------ */

struct range {
	int64_t low, high;
};

static int by_middle(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int64_t p = x->low / 2 + x->high / 2, q = y->low / 2 + y->high / 2;

	return p < q ? -1 : p > q;
}

/* What handshakes say of to's clock minus from's; turned: the other way round. */
static size_t sample(struct seen *from, struct seen *to, bool turned, struct range *r)
{
	struct syn *s;
	size_t n = 0;

	EACH(s, &from->sent) {
		const struct syn *c = s->match ? table_at(&to->came, &syns, s->match) : NULL;
		int64_t low, high;

		if (!c || s->again || c->again || !s->done_ts || c->dropped)
			continue;
		low = (int64_t)(c->ts - s->done_ts);
		high = (int64_t)(c->ts - s->ts);
		r[n++] = turned ? (struct range) { -high, -low } : (struct range) { low, high };
	}
	return n;
}

static int estimate(struct seen seen[2], struct tcpfsm_join *join, int64_t *ahead)
{
	struct range *r = malloc(((size_t)seen[0].sent.n + seen[1].sent.n + 1) * sizeof(*r)), all = { INT64_MIN, INT64_MAX };
	int64_t epoch = seen[1].epoch_offset - seen[0].epoch_offset;
	size_t n, i;

	if (!r)
		return -ENOMEM;
	n = sample(&seen[0], &seen[1], false, r);
	n += sample(&seen[1], &seen[0], true, r + n);
	for (i = 0; i < n; i++) {
		all.low = r[i].low > all.low ? r[i].low : all.low;
		all.high = r[i].high < all.high ? r[i].high : all.high;
	}
	join->samples = n;
	if (!n) {
		/* As if both clocks were right. */
		*ahead = -epoch;
	} else if (all.low <= all.high) {
		*ahead = all.low + (all.high - all.low) / 2;
		join->spread_ns = (uint64_t)(all.high - all.low + 1) / 2;
	} else {
		/* They ran apart meanwhile. */
		qsort(r, n, sizeof(*r), by_middle);
		*ahead = r[n / 2].low / 2 + r[n / 2].high / 2;
		join->spread_ns = (uint64_t)(r[n - 1].high / 2 + r[n - 1].low / 2 - r[0].low / 2 - r[0].high / 2 + 1) / 2;
		join->drifts = true;
	}
	join->clock_ns = *ahead + epoch;
	free(r);
	return 0;
}

/* ---- NAT --------------------------------------------------------------------------------------- */

static int add_nat(struct joined *j, struct tuple from, struct tuple to, uint64_t since)
{
	struct nat *n;

	from.isn = to.isn = 0;
	n = table_add(&j->nats, &nats, hash_words(&from, sizeof(from), j->nats.seed));
	if (!n)
		return -ENOMEM;
	n->from = from;
	n->to = to;
	n->since = since;
	return 0;
}

/* The other end's point of view. */
static struct tuple turn(const struct tuple *t)
{
	struct tuple o;

	memset(&o, 0, sizeof(o));
	memcpy(o.client, t->server, 16);
	memcpy(o.server, t->client, 16);
	o.cport = t->sport;
	o.sport = t->cport;
	return o;
}

/* "client" is the local end of who has it, whoever opened the connection. */
static int find_nat(struct joined *j, struct seen seen[2])
{
	const struct syn *s, *c;
	int err = 0;

	EACH(s, &seen[0].sent) {
		c = s->match ? table_at(&seen[1].came, &syns, s->match) : NULL;
		if (c && memcmp(&c->t, &s->t, sizeof(s->t)) && !err)
			err = add_nat(j, turn(&c->t), turn(&s->t), c->ts);
	}
	EACH(s, &seen[1].sent) {
		c = s->match ? table_at(&seen[0].came, &syns, s->match) : NULL;
		if (c && memcmp(&c->t, &s->t, sizeof(s->t)) && !err)
			err = add_nat(j, s->t, c->t, s->ts);
	}
	return err;
}

/* In the second host's own time: the latest that was there by then. */
static void translate(const struct joined *j, struct tcpfsm_record *r)
{
	struct tuple key = tuple_of(r, true, 0);
	const struct nat *n, *best = NULL;

	if (!j->nats.n || !r->rport)
		return;
	n = table_first(&j->nats, &nats, hash_words(&key, sizeof(key), j->nats.seed));
	for (; n; n = table_next(&j->nats, &nats, n))
		if (!memcmp(&n->from, &key, sizeof(key)) && n->since <= r->ts && (!best || n->since > best->since))
			best = n;
	if (!best)
		return;
	memcpy(r->laddr, best->to.client, 16);
	memcpy(r->raddr, best->to.server, 16);
	r->lport = best->to.cport;
	r->rport = best->to.sport;
}

/* ---- the source --------------------------------------------------------------------------------- */

static uint64_t in_time(const struct joined *j, unsigned int host, uint64_t ts)
{
	if (!host || !ts)
		return ts;
	return (int64_t)ts > j->ahead ? ts - (uint64_t)j->ahead : 1;
}

static void mark(struct joined *j, unsigned int host, struct tcpfsm_item *it)
{
	struct tcpfsm_record *r = &it->rec;
	uint64_t bits = (uint64_t)(host + 1) << TCPFSM_HOST_CONN_SHIFT;

	it->cpu |= (host + 1) << TCPFSM_HOST_CPU_SHIFT;
	it->from_ts = in_time(j, host, it->from_ts);
	it->to_ts = in_time(j, host, it->to_ts);
	if (it->lost)
		return;
	if (host)
		translate(j, r);
	r->ts = in_time(j, host, r->ts);
	if (r->type == TCPFSM_TYPE_MARK)
		return;
	if (r->conn)
		r->conn |= bits;
	if (r->listener && r->type != TCPFSM_TYPE_TOTAL && r->type != TCPFSM_TYPE_NETNS)
		r->listener |= bits;
	if (host)
		r->netns &= ~TCPFSM_HOST_NETNS_BIT;
}

/* The next one of a side, but what is of that machine alone. */
static int fill(struct joined *j, unsigned int host)
{
	struct side *s = &j->side[host];
	const struct tcpfsm_item *it;
	int rc;

	while (!s->has) {
		rc = tcpfsm_source_next(s->src, &it);
		if (rc < 0 && !j->err) {
			j->err = rc;
			snprintf(j->src.error, sizeof(j->src.error), "%s", tcpfsm_source_error(s->src));
		}
		if (rc <= 0)
			return 0;
		if (host && (item_is(it, TCPFSM_TYPE_TOTAL) || item_is(it, TCPFSM_TYPE_MARK)))
			continue;
		s->item = *it;
		mark(j, host, &s->item);
		s->has = true;
	}
	return 1;
}

/* Sockets are told when they were asked for, whatever their time. */
static uint64_t key_of(const struct side *s)
{
	return s->item.lost ? s->item.to_ts : item_is(&s->item, TCPFSM_TYPE_SOCKET) ? 0 : s->item.rec.ts;
}

static int joined_next(struct tcpfsm_source *src, const struct tcpfsm_item **item)
{
	struct joined *j = (struct joined *)src;
	bool a = fill(j, 0), b = fill(j, 1);
	struct side *s;

	if (!a && !b)
		return j->err;
	s = &j->side[!a || (b && key_of(&j->side[1]) < key_of(&j->side[0]))];
	j->out = s->item;
	s->has = false;
	src->lost += j->out.lost;
	src->delivered += !j->out.lost && !is_state(&j->out);
	*item = &j->out;
	return 1;
}

static int joined_wait(struct tcpfsm_source *src, int timeout_ms)
{
	(void)src;
	(void)timeout_ms;
	return 1;
}

static const char *joined_missing(struct tcpfsm_source *src)
{
	struct joined *j = (struct joined *)src;
	const char *a = tcpfsm_source_missing(j->side[0].src), *b = tcpfsm_source_missing(j->side[1].src);

	snprintf(j->missing, sizeof(j->missing), "%s%s%s%s%s", *a ? "the first: " : "", a, *a && *b ? "; " : "",
		 *b ? "the second: " : "", b);
	return j->missing;
}

static void joined_close(struct tcpfsm_source *src)
{
	struct joined *j = (struct joined *)src;

	tcpfsm_source_close(j->side[0].src);
	tcpfsm_source_close(j->side[1].src);
	table_exit(&j->nats);
	free(j);
}

int source_open_joined(struct tcpfsm_source **src, const char *const dirs[2], struct tcpfsm_join *join,
		       const char **why, unsigned int *which)
{
	struct seen seen[2];
	struct joined *j = calloc(1, sizeof(*j));
	unsigned int i;
	int err = j ? 0 : -ENOMEM;

	*src = NULL;
	*which = 0;
	memset(seen, 0, sizeof(seen));
	*join = (struct tcpfsm_join) { .size = sizeof(*join) };
	*why = "out of memory";
	for (i = 0; !err && i < 2; i++) {
		*which = i;
		err = look(&seen[i], dirs[i], why);
		if (!err)
			err = tcpfsm_source_open_recording(&j->side[i].src, dirs[i], why);
	}
	if (!err) {
		*why = "out of memory";
		match_all(&seen[0], &seen[1], join);
		match_all(&seen[1], &seen[0], join);
		count_unseen(&seen[0], &seen[1], &join->unseen[0]);
		count_unseen(&seen[1], &seen[0], &join->unseen[1]);
		join->refused[0] = count_refused(&seen[0], &seen[1]);
		join->refused[1] = count_refused(&seen[1], &seen[0]);
		join->hidden[0] = seen[0].hidden;
		join->hidden[1] = seen[1].hidden;
		join->untold = seen[0].untold + seen[1].untold;
		err = estimate(seen, join, &j->ahead);
	}
	if (!err)
		err = table_init(&j->nats, &nats, FIRST, SYNS_MAX);
	if (!err) {
		table_seed(&j->nats);
		err = find_nat(j, seen);
	}
	forget(&seen[0]);
	forget(&seen[1]);
	if (err) {
		if (j)
			joined_close(&j->src);
		return err;
	}
	j->src.next = joined_next;
	j->src.wait = joined_wait;
	j->src.missing = joined_missing;
	j->src.close = joined_close;
	j->src.watch_fd = -1;
	j->src.epoch_offset = j->side[0].src->epoch_offset;
	j->src.abi = j->side[0].src->abi;
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		j->src.feature_error[i] = j->side[0].src->feature_error[i] ? j->side[0].src->feature_error[i] :
					  j->side[1].src->feature_error[i];
	*src = &j->src;
	return 0;
}
