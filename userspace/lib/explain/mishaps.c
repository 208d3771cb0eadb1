// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What goes wrong with ports and mini-sockets: a small table of sums. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mishaps.h"

static struct mishap *place(const struct mishaps *t, const struct mishap_key *key)
{
	size_t i;

	_Static_assert(sizeof(*key) % 8 == 0, "hashed by words");
	for (i = (size_t)hash_words(key, sizeof(*key)) % MISHAPS_MAX; t->slot[i].key.kind; i = (i + 1) % MISHAPS_MAX)
		if (!memcmp(&t->slot[i].key, key, sizeof(*key)))
			break;
	return &t->slot[i];
}

/* NULL: there is no place for it. */
static struct mishap *count(struct mishaps *t, const struct mishap_key *key,
			    const struct tcpfsm_event *ev)
{
	struct mishap *m = place(t, key);

	if (!m->key.kind) {
		if (t->n >= MISHAPS_MAX / 4 * 3)
			return NULL;
		t->n++;
		m->key = *key;
		m->first = ev->ts;
	}
	m->n++;
	m->last = ev->ts;
	m->has_owner = ev->has_owner;
	m->pid = ev->pid;
	memcpy(m->comm, ev->comm, sizeof(m->comm));
	return m;
}

int mishaps_event(struct mishaps *t, const struct tcpfsm_event *ev)
{
	struct mishap_key key = { .netns = ev->rec.netns };
	struct mishap *m;

	if (ev->type == TCPFSM_EVENT_TRANSITION && ev->old_state == TCPFSM_STATE_TIME_WAIT &&
	    ev->cause == TCPFSM_CAUSE_RCV_RST)
		key.kind = MISHAP_RST;
	else if (ev->type == TCPFSM_EVENT_TIMEWAIT && ev->rec.verdict == TCPFSM_TW_DENIED)
		key.kind = MISHAP_DENIED;
	else if (ev->type == TCPFSM_EVENT_CONNECT_FAILED && ev->rec.arg == EADDRNOTAVAIL)
		key.kind = MISHAP_NO_PORT;
	else
		return 0;
	if (!t->slot)
		t->slot = calloc(MISHAPS_MAX, sizeof(*t->slot));
	if (!t->slot)
		return -ENOMEM;
	if (key.kind == MISHAP_NO_PORT) {
		key.family = ev->rec.family;
		key.rport = ev->rec.rport;
		memcpy(key.laddr, ev->rec.laddr, sizeof(key.laddr));
		memcpy(key.raddr, ev->rec.raddr, sizeof(key.raddr));
	}
	m = count(t, &key, ev);
	if (!m)
		return 0;
	m->tw = ev->rec.tw;
	if (key.kind == MISHAP_NO_PORT)
		m->some += !!ev->rec.lport;
	else if (key.kind == MISHAP_DENIED)
		m->some += ev->rec.tw >= ev->rec.tw_max;
	return 0;
}

static const struct mishap *find(const struct mishaps *t, const struct mishap_key *key)
{
	const struct mishap *m = t->slot ? place(t, key) : NULL;

	return m && m->key.kind ? m : NULL;
}

const struct mishap *mishaps_of_netns(const struct mishaps *t, enum mishap_kind kind,
				      uint32_t netns)
{
	const struct mishap_key key = { .kind = (uint8_t)kind, .netns = netns };

	return find(t, &key);
}

const struct mishap *mishaps_of_destination(const struct mishaps *t,
					    const struct tcpfsm_timewait *dest)
{
	struct mishap_key key = {
		.kind = MISHAP_NO_PORT, .family = dest->family, .rport = dest->rport,
		.netns = dest->netns,
	};

	if (dest->inbound || dest->rest)
		return NULL;
	memcpy(key.laddr, dest->laddr, sizeof(key.laddr));
	memcpy(key.raddr, dest->raddr, sizeof(key.raddr));
	return find(t, &key);
}

void mishaps_free(struct mishaps *t)
{
	free(t->slot);
}
