// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "held.h"
#include "model/living.h"
#include "source/clock.h"

#define SNAPSHOT_MAX	1024U		/* names; of more it is not known how many there were */

/* ---- the snapshot ------------------------------------------------------------------ */

static struct snapshot_count *before(const struct holders *h, uint32_t netns, uint8_t state,
				     const char comm[16])
{
	size_t i;

	for (i = 0; i < h->nbefore; i++) {
		struct snapshot_count *c = &h->before[i];

		if (c->netns == netns && c->state == state && !memcmp(c->comm, comm, 16))
			return c;
	}
	return NULL;
}

static int add_before(struct holders *h, const struct tcpfsm_record *r, const char comm[16])
{
	struct snapshot_count *c;

	if (h->nbefore == SNAPSHOT_MAX)
		return 0;
	c = realloc(h->before, (h->nbefore + 1) * sizeof(*c));
	if (!c)
		return -ENOMEM;
	h->before = c;
	c += h->nbefore++;
	*c = (struct snapshot_count) { .netns = r->netns, .state = r->new_state, .n = 1 };
	memcpy(c->comm, comm, sizeof(c->comm));
	return 0;
}

int holders_item(struct holders *h, const struct tcpfsm_item *item)
{
	const struct tcpfsm_record *r = &item->rec;
	struct snapshot_count *c;
	char comm[16] = "";

	if (item->lost || r->type != TCPFSM_TYPE_SOCKET || h->synced)
		return 0;
	h->synced = !r->conn;
	if (h->synced)
		return 0;
	h->snap_ts = r->ts;
	/* Of FIN_WAIT2 only what somebody has open: that has an owner. */
	if (r->new_state != TCPFSM_STATE_CLOSE_WAIT &&
	    (r->new_state != TCPFSM_STATE_FIN_WAIT2 || !(r->flags & TCPFSM_F_OWNER)))
		return 0;
	if (r->flags & TCPFSM_F_OWNER)
		memcpy(comm, r->comm, strnlen((const char *)r->comm, sizeof(comm)));
	c = before(h, r->netns, r->new_state, comm);
	if (!c)
		return add_before(h, r, comm);
	c->n++;
	return 0;
}

/* ---- what there is ----------------------------------------------------------------- */

struct one {
	uint32_t netns, pid;
	uint8_t state;
	char comm[16];
	uint64_t since;
};

struct ones {
	struct one *of;
	size_t n, room;
};

static int note(const struct living *l, void *arg)
{
	struct ones *o = arg;
	struct one *of;

	if (l->state != TCPFSM_STATE_CLOSE_WAIT && (l->state != TCPFSM_STATE_FIN_WAIT2 || !l->held))
		return 0;
	of = grown(o->of, &o->room, o->n, sizeof(*of));
	if (!of)
		return -ENOMEM;
	o->of = of;
	o->of[o->n] = (struct one) {
		.netns = l->netns, .pid = l->pid, .state = l->state, .since = l->since,
	};
	memcpy(o->of[o->n++].comm, l->comm, strnlen(l->comm, 16));
	return 0;
}

static int by_name(const struct one *a, const struct one *b)
{
	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	return memcmp(a->comm, b->comm, sizeof(a->comm));
}

static int by_process(const void *x, const void *y)
{
	const struct one *a = x, *b = y;
	int diff = by_name(a, b);

	return diff ? diff : (a->pid > b->pid) - (a->pid < b->pid);
}

static void count(struct held *to, const struct one *o, uint64_t now, uint64_t snap)
{
	to->n++;
	/* Of who was there before, nothing may tell since when. */
	to->unknown += !o->since;
	to->there += snap && o->since < snap;
	to->old += o->since && o->since + HELD_OLD_S * NSEC_PER_SEC <= now;
	if (o->since && (!to->oldest || o->since < to->oldest))
		to->oldest = o->since;
}

/* The ones that begin at o are of one name: how many, and whose most of them are. */
static size_t read_name(struct held *to, const struct one *o, size_t n, uint64_t now, uint64_t snap)
{
	uint64_t mine = 0, most = 0;
	size_t i;

	*to = (struct held) { .netns = o->netns, .state = o->state };
	memcpy(to->comm, o->comm, sizeof(o->comm));
	for (i = 0; i < n && !by_name(o, &o[i]); i++) {
		bool next = !i || o[i].pid != o[i - 1].pid;

		to->processes += next;
		mine = next ? 1 : mine + 1;
		if (mine > most) {
			most = mine;
			to->pid = o[i].pid;
		}
		count(to, &o[i], now, snap);
	}
	return i;
}

int holders_read(struct holders *h, const struct tcpfsm_model *m, uint64_t now, int64_t epoch_offset)
{
	uint64_t snap = h->snap_ts ? h->snap_ts + (uint64_t)epoch_offset : 0;
	struct ones o = { .n = 0 };
	int err = model_living(m, note, &o);
	size_t i, len;

	free(h->of);
	h->n = 0;
	h->of = err ? NULL : malloc((o.n + 1) * sizeof(*h->of));
	if (!h->of)
		err = -ENOMEM;
	if (!err && o.n)
		qsort(o.of, o.n, sizeof(*o.of), by_process);
	for (i = 0; !err && i < o.n; i += len) {
		struct held *to = &h->of[h->n++];
		const struct snapshot_count *was = before(h, o.of[i].netns, o.of[i].state, o.of[i].comm);

		len = read_name(to, &o.of[i], o.n - i, now, snap);
		to->before = was ? was->n : 0;
	}
	free(o.of);
	return err;
}

void holders_free(struct holders *h)
{
	free(h->before);
	free(h->of);
}
