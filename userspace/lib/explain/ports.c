// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "model/listeners.h"
#include "model/living.h"
#include "model/timewait.h"
#include "ports.h"

/* Of the range: so much is taken when bind() finds none, or will soon. */
#define TAKEN		PORTS_FULL
/* No destination has more of it: or its own connections are the reason. */
#define ONE_SHARE	0.5
/*
 * Of so many that are taken so many are different ones.  Where connect() chose them, a range
 * that is as good as full by number has each port 1.6 times (1 / (1 - 1/e)).
 */
#define DIFFERENT	0.95

static struct local *find(const struct locals *t, const struct tcpfsm_timewait *dest)
{
	size_t i;

	for (i = t->n; i; i--) {
		struct local *l = &t->of[i - 1];

		if (l->netns == dest->netns && l->family == dest->family &&
		    !memcmp(l->laddr, dest->laddr, sizeof(l->laddr)))
			return l;
	}
	return NULL;
}

static int add_destination(const struct tcpfsm_timewait *dest, void *arg)
{
	struct locals *t = arg;
	struct local *l = find(t, dest), *of;

	if (!l && t->n == LOCALS_MAX)
		return 0;
	if (!l) {
		of = realloc(t->of, (t->n + 1) * sizeof(*of));
		if (!of)
			return -ENOMEM;
		t->of = of;
		l = &of[t->n++];
		*l = (struct local) {
			.netns = dest->netns, .family = dest->family, .limit = dest->limit,
		};
		memcpy(l->laddr, dest->laddr, sizeof(l->laddr));
	}
	l->destinations++;
	l->used += dest->used;
	l->time_wait += dest->time_wait;
	l->failed += dest->failed;
	if (dest->used > l->most.used)
		l->most = *dest;
	return 0;
}

/* The ports of a range that are taken at this end. */
struct range {
	uint32_t netns;
	uint16_t low, high;
	uint64_t taken, different;
	uint64_t seen[65536 / 64];
	uint32_t pid, votes;
	char comm[17];
};

/* Boyer and Moore's vote. */
static void vote(struct range *r, const struct living *l)
{
	if (!l->pid)
		return;
	if (!r->votes) {
		r->pid = l->pid;
		memcpy(r->comm, l->comm, sizeof(r->comm) - 1);
	}
	if (r->pid == l->pid)
		r->votes++;
	else
		r->votes--;
}

static int note_port(const struct living *l, void *arg)
{
	struct range *r = arg;
	uint64_t bit = 1ULL << l->lport % 64;

	if (l->netns != r->netns || l->passive || l->lport < r->low || l->lport > r->high ||
	    !l->state || l->state == TCPFSM_STATE_LISTEN || l->state == TCPFSM_STATE_CLOSE)
		return 0;
	r->taken++;
	r->different += !(r->seen[l->lport / 64] & bit);
	r->seen[l->lport / 64] |= bit;
	vote(r, l);
	return 0;
}

/*
 * Connections from other local addresses count, too, as the model does not tell them apart: then
 * ports seem to be shared, and nothing is said.
 */
static int judge(struct local *l, const struct tcpfsm_model *model, const struct tcpfsm_listeners *ls)
{
	const struct tcpfsm_listener *netns = listeners_netns(ls, l->netns);
	struct range *r;

	if (!netns || !netns->total[TOTAL(NOW_PORT_LOW)])
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->netns = l->netns;
	r->low = (uint16_t)netns->total[TOTAL(NOW_PORT_LOW)];
	r->high = (uint16_t)netns->total[TOTAL(NOW_PORT_HIGH)];
	model_living(model, note_port, r);
	l->ports = r->different;
	l->pid = r->pid;
	memcpy(l->comm, r->comm, sizeof(l->comm));
	l->bound = (double)r->different >= TAKEN * (double)l->limit &&
		   (double)r->different >= DIFFERENT * (double)r->taken;
	free(r);
	return 0;
}

int locals_read(struct locals *t, struct tcpfsm_timewaits *ledger, const struct tcpfsm_model *model,
		const struct tcpfsm_listeners *ls, uint64_t now)
{
	int err = timewaits_outbound(ledger, now, add_destination, t);
	size_t i;

	for (i = 0; i < t->n && !err; i++) {
		struct local *l = &t->of[i];

		if (l->limit && l->destinations > 1 && (double)l->used >= TAKEN * (double)l->limit &&
		    (double)l->most.used <= ONE_SHARE * (double)l->limit)
			err = judge(l, model, ls);
	}
	return err;
}

const struct local *locals_find(const struct locals *t, const struct tcpfsm_timewait *dest)
{
	return find(t, dest);
}

void locals_free(struct locals *t)
{
	free(t->of);
}
