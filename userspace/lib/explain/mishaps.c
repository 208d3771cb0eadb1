// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What goes wrong with connections, ports and mini-sockets: a small table of sums. */
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

/* NULL: there is no place for it.  A host that scans others leaves room for what is rare. */
static struct mishap *count(struct mishaps *t, const struct mishap_key *key,
			    const struct tcpfsm_event *ev)
{
	struct mishap *m = place(t, key);

	if (!m->key.kind) {
		bool many = key->kind >= MISHAP_REFUSED && key->family;

		if (t->n >= (many ? MISHAPS_MAX / 2 : MISHAPS_MAX / 4 * 3))
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

static bool is_open(uint8_t state)
{
	return state == TCPFSM_STATE_ESTABLISHED || state == TCPFSM_STATE_CLOSE_WAIT ||
	       state == TCPFSM_STATE_FIN_WAIT1 || state == TCPFSM_STATE_FIN_WAIT2 ||
	       state == TCPFSM_STATE_LAST_ACK || state == TCPFSM_STATE_CLOSING;
}

static enum mishap_kind kind_of_transition(const struct tcpfsm_event *ev)
{
	bool rst = ev->cause == TCPFSM_CAUSE_RCV_RST;

	if (ev->old_state == TCPFSM_STATE_TIME_WAIT)
		return rst ? MISHAP_RST : MISHAP_NONE;
	if (!is_open(ev->old_state))
		return MISHAP_NONE;
	if (ev->new_state == TCPFSM_STATE_CLOSE && rst)
		return MISHAP_RESET_RECEIVED;
	if (ev->new_state == TCPFSM_STATE_CLOSE && ev->cause == TCPFSM_CAUSE_SND_RST)
		return MISHAP_RESET_SENT;
	return ev->new_state == TCPFSM_STATE_CLOSE || ev->new_state == TCPFSM_STATE_TIME_WAIT ?
	       MISHAP_ENDED : MISHAP_NONE;
}

static enum mishap_kind kind_of_failure(const struct tcpfsm_event *ev)
{
	switch (ev->rec.arg) {
	case EADDRNOTAVAIL:
		return MISHAP_NO_PORT;
	case ECONNREFUSED:
		return MISHAP_REFUSED;
	case ETIMEDOUT:
		return MISHAP_TIMED_OUT;
	}
	return MISHAP_NONE;
}

/* Each connection counts once. */
static enum mishap_kind kind_of_retransmit(const struct tcpfsm_event *ev)
{
	if (ev->rec.verdict == TCPFSM_SEGMENT_SYN)
		return ev->rec.arg == SYN_AGAIN ? MISHAP_UNANSWERED : MISHAP_NONE;
	return ev->rec.verdict != TCPFSM_SEGMENT_SYNACK && ev->rec.arg == PEER_GONE_AGAIN ?
	       MISHAP_PEER_GONE : MISHAP_NONE;
}

static enum mishap_kind kind_of(const struct tcpfsm_event *ev)
{
	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		return kind_of_transition(ev);
	case TCPFSM_EVENT_TIMEWAIT:
		return ev->rec.verdict == TCPFSM_TW_DENIED ? MISHAP_DENIED : MISHAP_NONE;
	case TCPFSM_EVENT_CONNECT_FAILED:
		return kind_of_failure(ev);
	case TCPFSM_EVENT_RETRANSMIT:
		return kind_of_retransmit(ev);
	}
	return MISHAP_NONE;
}

/* The service has the port that is not ephemeral: the lower one.  Return: is it here? */
static bool service_of(const struct tcpfsm_record *r, struct mishap_key *key)
{
	bool here = r->lport < r->rport;

	key->family = r->family;
	key->rport = here ? r->lport : r->rport;
	if (!here)
		memcpy(key->raddr, r->raddr, sizeof(key->raddr));
	return here;
}

static void destination_of(const struct tcpfsm_record *r, struct mishap_key *key, bool laddr)
{
	key->family = r->family;
	key->rport = r->rport;
	if (laddr)
		memcpy(key->laddr, r->laddr, sizeof(key->laddr));
	memcpy(key->raddr, r->raddr, sizeof(key->raddr));
}

int mishaps_event(struct mishaps *t, const struct tcpfsm_event *ev)
{
	struct mishap_key key = { .kind = (uint8_t)kind_of(ev), .netns = ev->rec.netns };
	const struct tcpfsm_record *r = &ev->rec;
	bool here = false;
	struct mishap *m;

	if (!key.kind)
		return 0;
	if (!t->slot)
		t->slot = calloc(MISHAPS_MAX, sizeof(*t->slot));
	if (!t->slot)
		return -ENOMEM;
	if (key.kind >= MISHAP_REFUSED)
		count(t, &key, ev);
	if (key.kind >= MISHAP_RESET_SENT)
		here = service_of(r, &key);
	else if (key.kind == MISHAP_NO_PORT || key.kind >= MISHAP_REFUSED)
		destination_of(r, &key, key.kind == MISHAP_NO_PORT);
	/* A client's port says nothing. */
	if (key.kind == MISHAP_PEER_GONE && r->lport < r->rport)
		key.rport = 0;
	m = count(t, &key, ev);
	if (!m)
		return 0;
	m->tw = r->tw;
	if (key.kind == MISHAP_NO_PORT)
		m->some += !!r->lport;
	else if (key.kind == MISHAP_DENIED)
		m->some += r->tw >= r->tw_max;
	else
		m->some += here;
	/* A reset is the end of a connection, too. */
	if (key.kind == MISHAP_RESET_SENT || key.kind == MISHAP_RESET_RECEIVED) {
		key.kind = MISHAP_ENDED;
		count(t, &key, ev);
	}
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

void mishaps_sum(const struct mishaps *t, uint32_t netns, uint64_t n[MISHAP_KINDS])
{
	size_t i;

	memset(n, 0, MISHAP_KINDS * sizeof(*n));
	for (i = 0; t->slot && i < MISHAPS_MAX; i++) {
		const struct mishap_key *key = &t->slot[i].key;

		if (!key->family && (!netns || key->netns == netns))
			n[key->kind] += t->slot[i].n;
	}
}

size_t mishaps_top(const struct mishaps *t, enum mishap_kind kind, uint32_t netns,
		   const struct mishap **top, size_t n)
{
	size_t i, k, len = 0;

	/* Most network namespaces have none: these need not be looked for. */
	if (!mishaps_of_netns(t, kind, netns))
		return 0;
	for (i = 0; i < MISHAPS_MAX; i++) {
		const struct mishap *m = &t->slot[i];

		if (m->key.kind != kind || m->key.netns != netns || !m->key.family)
			continue;
		for (k = len < n ? len++ : n; k && top[k - 1]->n < m->n; k--)
			if (k < n)
				top[k] = top[k - 1];
		if (k < n)
			top[k] = m;
	}
	return len;
}

const struct mishap *mishaps_also(const struct mishaps *t, const struct mishap *m,
				  enum mishap_kind kind)
{
	struct mishap_key key = m->key;

	key.kind = (uint8_t)kind;
	return find(t, &key);
}

void mishaps_free(struct mishaps *t)
{
	free(t->slot);
}
