// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * How connections begin and end: refused, without an answer, reset, or with a peer that is
 * gone.  From the records, so of as far back as these reach.
 */
#include <stdio.h>
#include <string.h>

#include "explain.h"

typedef unsigned long long ull;

/* ---- thresholds ------------------------------------------------------------------ */

/* Of one destination: fewer happen anywhere (a first try of IPv6, a restart). */
#define REFUSED_MIN	5
#define UNANSWERED_MIN	3
/* Resets of one service: that many, and that share of the connections that ended. */
#define RESETS_MIN	10
#define RESETS_SHARE	0.2
#define TOLD		3

/* ---- what rules have in common ------------------------------------------------------- */

static struct words who(const struct mishap *m)
{
	struct words w = { "process not known" };

	if (m->has_owner)
		snprintf(w.s, sizeof(w.s), "%s, pid %u", m->comm, m->pid);
	return w;
}

static void begin(const struct facts *f, struct draft *d, const struct mishap *m)
{
	d->weight = m->n;
	d->active = is_recent(f, m->last);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	d->f.family = m->key.family;
	d->f.rport = m->key.rport;
	memcpy(d->f.raddr, m->key.raddr, sizeof(d->f.raddr));
	d->f.has_owner = m->has_owner;
	d->f.pid = m->pid;
	memcpy(d->f.comm, m->comm, sizeof(d->f.comm));
}

static void evidence_when(const struct facts *f, struct draft *d, const struct mishap *m)
{
	evidence(d, "first at %s, last at %s", epoch_moment(f, m->first).s, epoch_moment(f, m->last).s);
}

static struct words destination(const struct mishap *m)
{
	return end_of(m->key.family, m->key.raddr, m->key.rport);
}

static size_t top_of(const struct facts *f, enum mishap_kind kind, const struct mishap *top[TOLD])
{
	return mishaps_top(f->mishaps, kind, f->l->netns, top, TOLD);
}

/* Listeners of this kernel at a port, in any network namespace. */
struct served {
	const struct mishap *m;
	bool met;			/* SYNs met one of them: it is judged there */
	struct words elsewhere;		/* one at another address of the network namespace */
};

static int at_port(const struct tcpfsm_listener *l, void *arg)
{
	static const uint8_t any[16];
	struct served *s = arg;
	const struct mishap_key *key = &s->m->key;

	if (!l->conn || l->lport != key->rport || l->total[TOTAL(NOW_GONE_TS)])
		return 0;
	s->met |= l->total[TOTAL(SYN)] > 0;
	if (l->netns == key->netns && memcmp(l->laddr, any, sizeof(any)) &&
	    (l->family != key->family || memcmp(l->laddr, key->raddr, sizeof(any))))
		s->elsewhere = name_of(l);
	return 0;
}

static struct served served_at(const struct facts *f, const struct mishap *m)
{
	struct served s = { .m = m };

	tcpfsm_listeners_each(f->all, at_port, &s);
	return s;
}

/* ---- connect() ------------------------------------------------------------------- */

/* A destination that refuses: REFUSED_MIN of its connects or more. */
static bool connects_refused(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD];
	size_t n = top_of(f, MISHAP_REFUSED, top), i;
	struct served s;

	if (!n || top[0]->n < REFUSED_MIN)
		return false;
	begin(f, d, top[0]);
	headline(d, "%s %s connections: %llu connect()s of %s failed with ECONNREFUSED.",
		 destination(top[0]).s,
		 d->active ? "refuses" : "refused", (ull)top[0]->n,
		 top[0]->has_owner ? top[0]->comm : "a process that is not known");
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu refused (last: %s)",
			 destination(top[i]).s,
			 (ull)top[i]->n, who(top[i]).s);
	evidence_when(f, d, top[0]);
	s = served_at(f, top[0]);
	if (*s.elsewhere.s) {
		evidence(d, "on this host %s listens at that port, at another address", s.elsewhere.s);
		remedy(d, "Connect to the address that it listens at, or have it listen at this one, too.");
	} else {
		remedy(d, "On the host of that address, see whether the server runs and where it listens: "
		       "ss -ltnp sport = %u. A firewall that rejects looks the same: nft list ruleset.",
		       top[0]->key.rport);
	}
	return true;
}

/* A destination that does not answer SYNs; where a listener of this kernel met them, it is judged there. */
static bool connects_time_out(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD], *gave_up;
	size_t n = top_of(f, MISHAP_UNANSWERED, top), i;

	while (n && (top[0]->n < UNANSWERED_MIN || served_at(f, top[0]).met))
		memmove(top, top + 1, --n * sizeof(*top));
	if (!n)
		return false;
	gave_up = mishaps_also(f->mishaps, top[0], MISHAP_TIMED_OUT);
	begin(f, d, top[0]);
	headline(d, "%s %s not answer: %llu connect()s of %s sent their SYN three times or more, and "
		 "%llu gave up.", destination(top[0]).s,
		 d->active ? "does" : "did", (ull)top[0]->n,
		 gave_up && gave_up->has_owner ? gave_up->comm :
		 top[0]->has_owner ? top[0]->comm : "a process that is not known",
		 (ull)(gave_up ? gave_up->n : 0));
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu without an answer to three SYNs",
			 destination(top[i]).s,
			 (ull)top[i]->n);
	evidence_when(f, d, top[0]);
	remedy(d, "See what drops the SYN or its answer, here first: nft list ruleset; conntrack -C "
	       "against sysctl net.netfilter.nf_conntrack_max; ip route get ADDRESS. Then on the way and "
	       "there: tcpdump -ni any port %u.", top[0]->key.rport);
	cost(d, "None: to look costs nothing.");
	return true;
}

/* ---- how connections end --------------------------------------------------------- */

static bool resets(const struct facts *f, struct draft *d, enum mishap_kind kind)
{
	const struct mishap *top[TOLD], *ended;
	size_t n = top_of(f, kind, top);
	bool sent = kind == MISHAP_RESET_SENT;
	struct words service;

	for (; n; memmove(top, top + 1, --n * sizeof(*top))) {
		ended = mishaps_also(f->mishaps, top[0], MISHAP_ENDED);
		if (top[0]->n >= RESETS_MIN && ended &&
		    (double)top[0]->n >= RESETS_SHARE * (double)ended->n)
			break;
	}
	if (!n)
		return false;
	service = destination(top[0]);
	if (top[0]->some)
		snprintf(service.s, sizeof(service.s), "port %u of this host", top[0]->key.rport);
	begin(f, d, top[0]);
	headline(d, "%s %s connections with an RST: %llu of %llu that ended at %s.",
		 sent ? top[0]->has_owner ? top[0]->comm : "This side" : "The peer",
		 d->active ? "ends" : "ended", (ull)top[0]->n, (ull)ended->n, service.s);
	evidence(d, "%s: %llu of %llu (%.0f %%) were reset by %s (last: %s)", service.s, (ull)top[0]->n,
		 (ull)ended->n, percent((double)top[0]->n, (double)ended->n),
		 sent ? "this side" : "the peer", who(top[0]).s);
	evidence_when(f, d, top[0]);
	if (sent)
		remedy(d, "See why: tcpfsm trace tells the reason of each RST where the kernel has it. close() "
		       "with unread data sends one, so do SO_LINGER 0 and a process that is killed: read "
		       "until the end, or shutdown() first.");
	else
		remedy(d, "The reason is at the other end: its log, or tcpfsm trace there. A proxy or firewall "
		       "between the two may have sent them: compare with tcpdump at both.");
	return true;
}

/* RESETS_SHARE of the connections of a service ended by an RST of this end. */
static bool resets_sent(const struct facts *f, struct draft *d)
{
	return resets(f, d, MISHAP_RESET_SENT);
}

static bool resets_received(const struct facts *f, struct draft *d)
{
	return resets(f, d, MISHAP_RESET_RECEIVED);
}

/* "192.0.2.2", a client; "192.0.2.2:80" */
static struct words peer_of(const struct mishap *m)
{
	struct words w = destination(m);

	if (!m->key.rport)
		*strrchr(w.s, ':') = '\0';
	return w;
}

/* Data or a FIN was sent again PEER_GONE_AGAIN times, and no answer came. */
static bool peer_gone(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD];
	size_t n = top_of(f, MISHAP_PEER_GONE, top), i;

	if (!n)
		return false;
	begin(f, d, top[0]);
	headline(d, "%s %s not answer any more: %llu connection%s sent the same segment again %u times or "
		 "more.", peer_of(top[0]).s,
		 d->active ? "does" : "did", (ull)top[0]->n, plural(top[0]->n), PEER_GONE_AGAIN);
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu connection%s", peer_of(top[i]).s, (ull)top[i]->n,
			 plural(top[i]->n));
	evidence_when(f, d, top[0]);
	remedy(d, "See whether that host is there and the way to it: ping; ip route get; ss -tnoi dst ADDRESS "
	       "tells how long each has tried. A connection gives up after net.ipv4.tcp_retries2 "
	       "retransmits, a quarter of an hour; TCP_USER_TIMEOUT makes that shorter.");
	return true;
}

/* ---- the table ------------------------------------------------------------------- */

const struct rule explain_conn_rules[] = {
	{ "connects_refused",	SIDE_NONE, ABOUT_NETNS, connects_refused },
	{ "connects_time_out",	SIDE_NONE, ABOUT_NETNS, connects_time_out },
	{ "resets_sent",	SIDE_NONE, ABOUT_NETNS, resets_sent },
	{ "resets_received",	SIDE_NONE, ABOUT_NETNS, resets_received },
	{ "peer_gone",		SIDE_NONE, ABOUT_NETNS, peer_gone },
};

const unsigned int explain_conn_nrules = sizeof(explain_conn_rules) / sizeof(explain_conn_rules[0]);
