// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * How connections begin and end: refused, without an answer, reset, or with a peer that is
 * gone.  From the records, so of as far back as these reach.
 */
#include <stdio.h>
#include <string.h>

#include "explain.h"

/* ---- thresholds ------------------------------------------------------------------ */

/* Of one destination: fewer happen anywhere (a first try of IPv6, a restart). */
#define REFUSED_MIN	5
#define UNANSWERED_MIN	3
/* Of one destination: that many, and that share of those that succeeded since the first: a SYN in a hundred may get lost. */
#define SLOW_MIN	5
#define SLOW_SHARE	0.02
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
	d->weight = mishap_unmet(m);
	d->active = is_recent(f, m->last);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	d->f.family = m->key.family;
	d->f.rport = m->key.rport;
	memcpy(d->f.raddr, m->key.raddr, sizeof(d->f.raddr));
	set_owner(d, m->has_owner, m->pid, m->comm);
}

static void evidence_when(const struct facts *f, struct draft *d, const struct mishap *m)
{
	evidence(d, "first at %s, last at %s", epoch_moment(f, m->first).s, epoch_moment(f, m->last).s);
}

static const char *process_of(const struct mishap *m)
{
	return m->has_owner ? m->comm : "a process that is not known";
}

static struct words destination(const struct mishap *m)
{
	return end_of(m->key.family, m->key.raddr, m->key.rport);
}

static size_t top_of(const struct facts *f, enum mishap_kind kind, const struct mishap *top[TOLD])
{
	return mishaps_top(f->mishaps, kind, f->l->netns, top, TOLD);
}

/* One at another address of the network namespace, at the port of a destination. */
struct elsewhere {
	const struct mishap *m;
	struct words name;
};

static int at_port(const struct tcpfsm_listener *l, void *arg)
{
	static const uint8_t any[16];
	struct elsewhere *s = arg;
	const struct mishap_key *key = &s->m->key;

	if (!l->conn || l->lport != key->rport || l->total[TOTAL(NOW_GONE_TS)])
		return 0;
	if (l->netns == key->netns && memcmp(l->laddr, any, sizeof(any)) &&
	    (l->family != key->family || memcmp(l->laddr, key->raddr, sizeof(any))))
		s->name = name_of(l);
	return 0;
}

static struct words served_elsewhere(const struct facts *f, const struct mishap *m)
{
	struct elsewhere s = { .m = m };

	tcpfsm_listeners_each(f->all, at_port, &s);
	return s.name;
}

/* ---- connect() ------------------------------------------------------------------- */

/* A destination that refuses: REFUSED_MIN of its connects or more. */
static bool connects_refused(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD];
	size_t n = top_of(f, MISHAP_REFUSED, top), i;
	struct words elsewhere;

	if (!n || top[0]->n < REFUSED_MIN)
		return false;
	begin(f, d, top[0]);
	headline(d, "%s %s connections: %llu connect()s of %s failed with ECONNREFUSED.",
		 destination(top[0]).s,
		 d->active ? "refuses" : "refused", (ull)top[0]->n,
		 process_of(top[0]));
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu refused (last: %s)",
			 destination(top[i]).s,
			 (ull)top[i]->n, who(top[i]).s);
	evidence_when(f, d, top[0]);
	elsewhere = served_elsewhere(f, top[0]);
	if (*elsewhere.s) {
		evidence(d, "on this host %s listens at that port, at another address", elsewhere.s);
		action(d, "Connect to the address that it listens at, or have it listen at this one, too");
	} else {
		action(d, "On the host of that address, see whether the server runs and where it listens");
		command(d, "ss -ltnp sport = %u", top[0]->key.rport);
		more(d, "A firewall that rejects looks the same: nft list ruleset.");
		cost(d, "None: to look costs nothing.");
	}
	return true;
}

/* A destination that does not answer SYNs. */
static bool connects_time_out(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD], *gave_up, *slow;
	struct words address;
	size_t n = top_of(f, MISHAP_UNANSWERED, top), i;

	/* Its SYNs may have left before tcpfsm looked. */
	if (!n)
		n = top_of(f, MISHAP_TIMED_OUT, top);
	while (n && mishap_unmet(top[0]) < UNANSWERED_MIN)
		memmove(top, top + 1, --n * sizeof(*top));
	if (!n)
		return false;
	gave_up = mishaps_also(f->mishaps, top[0], MISHAP_TIMED_OUT);
	slow = mishaps_also(f->mishaps, top[0], MISHAP_SLOW);
	begin(f, d, top[0]);
	if (top[0]->key.kind == MISHAP_TIMED_OUT)
		headline(d, "%s %s not answer: %llu connect()s of %s failed with ETIMEDOUT.", destination(top[0]).s,
			 d->active ? "does" : "did", (ull)mishap_unmet(top[0]), process_of(top[0]));
	else
		headline(d, "%s %s not answer: %llu connect()s of %s sent their SYN three times or more, and "
			 "%llu gave up.", destination(top[0]).s,
			 d->active ? "does" : "did", (ull)mishap_unmet(top[0]),
			 process_of(gave_up && gave_up->has_owner ? gave_up : top[0]),
			 (ull)mishap_unmet(gave_up));
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu %s", destination(top[i]).s, (ull)mishap_unmet(top[i]),
			 top[i]->key.kind == MISHAP_TIMED_OUT ? "gave up" : "without an answer to three SYNs");
	if (mishap_unmet(slow))
		evidence(d, "%llu others succeeded after their SYN had been sent again, after up to %s",
			 (ull)mishap_unmet(slow), duration((double)slow->longest / NSEC_PER_SEC).s);
	evidence_when(f, d, top[0]);
	address = address_of(top[0]->key.family, top[0]->key.raddr);
	action(d, "See what drops the SYN or its answer, on this host first");
	commands_there(f, d, "nft list ruleset; conntrack -C; sysctl net.netfilter.nf_conntrack_max; ip route get %s",
		       address.s);
	cost(d, "None: to look costs nothing.");
	action(d, "Then on the way and at the other end");
	command(d, "tcpdump -ni any port %u", top[0]->key.rport);
	return true;
}

/*
 * connect() takes long, as SYNs or their answers get lost; where others get no answer at all, that
 * is told above.
 */
static bool connects_slow(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD], *quick, *silent;
	size_t n = top_of(f, MISHAP_SLOW, top), i;
	uint64_t all = 0;

	for (; n; memmove(top, top + 1, --n * sizeof(*top))) {
		quick = mishaps_also(f->mishaps, top[0], MISHAP_QUICK);
		silent = mishaps_also(f->mishaps, top[0], MISHAP_UNANSWERED);
		all = top[0]->n + (quick ? quick->n : 0);
		if (mishap_unmet(top[0]) >= SLOW_MIN && (double)mishap_unmet(top[0]) >= SLOW_SHARE * (double)all &&
		    mishap_unmet(silent) < UNANSWERED_MIN)
			break;
	}
	if (!n)
		return false;
	begin(f, d, top[0]);
	headline(d, "connect() of %s to %s %s a second or more, as SYNs %s lost: %llu of %llu.",
		 process_of(top[0]),
		 destination(top[0]).s, d->active ? "takes" : "took", d->active ? "get" : "got",
		 (ull)mishap_unmet(top[0]), (ull)all);
	for (i = 0; i < n; i++)
		evidence(d, "%s: %llu succeeded after the SYN had been sent again, %llu of them twice or more; "
			 "the longest took %s (last: %s)", destination(top[i]).s, (ull)mishap_unmet(top[i]),
			 (ull)top[i]->some, duration((double)top[i]->longest / NSEC_PER_SEC).s, who(top[i]).s);
	evidence(d, "a SYN is sent again a second after the first, not earlier: no time-out of the application "
		 "shortens that");
	evidence_when(f, d, top[0]);
	action(d, "Look where the SYN or its answer is lost: at a full queue of the other end's listener, or "
	       "on the way");
	command(d, "tcpdump -ni any 'tcp[13] & 2 != 0 and port %u'", top[0]->key.rport);
	more(d, "On the other host: nstat -az TcpExtListenDrops, tcpfsm explain. Here and on the way: tc -s qdisc, "
	     "ip -s link, nft list ruleset.");
	cost(d, "None: to look costs nothing.");
	return true;
}

/* ---- how connections end --------------------------------------------------------- */

static bool resets(const struct facts *f, struct draft *d, enum mishap_kind kind)
{
	const struct mishap *top[TOLD], *ended = NULL;
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
	if (sent) {
		action(d, "See the reason of each RST, where the kernel has it");
		command(d, "tcpfsm trace --%s %u", top[0]->some ? "lport" : "rport", top[0]->key.rport);
		more(d, "close() with unread data sends one, so do SO_LINGER 0 and a process that is killed: read "
		     "until the end, or shutdown() first.");
	} else {
		action(d, "See the log of the other end, or tcpfsm trace there");
		more(d, "A proxy or firewall between the two may have sent them: compare with tcpdump at both.");
	}
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
	return m->key.rport ? destination(m) : host_of(m->key.family, m->key.raddr);
}

/* Data or a FIN was sent again PEER_GONE_AGAIN times, and no answer came. */
static bool peer_gone(const struct facts *f, struct draft *d)
{
	const struct mishap *top[TOLD];
	size_t n = top_of(f, MISHAP_PEER_GONE, top), i;
	struct words address;

	if (!n)
		return false;
	begin(f, d, top[0]);
	/* Between two tries is more time than RECENT_S. */
	d->active = is_recent(f, top[0]->due);
	headline(d, "%s %s not answer any more: %s sent the same segment again %u times or "
		 "more.", peer_of(top[0]).s,
		 d->active ? "does" : "did", many(top[0]->n, "connection").s, PEER_GONE_AGAIN);
	for (i = 0; i < n; i++)
		evidence(d, "%s: %s", peer_of(top[i]).s, many(top[i]->n, "connection").s);
	evidence_when(f, d, top[0]);
	address = address_of(top[0]->key.family, top[0]->key.raddr);
	action(d, "See whether that host is there, and the way to it");
	commands_there(f, d, "ping -c 3 %s; ip route get %s; ss -tnoi dst %s", address.s, address.s,
		       host_of(top[0]->key.family, top[0]->key.raddr).s);
	more(d, "ss tells how long each has tried. A connection gives up after net.ipv4.tcp_retries2 "
	     "retransmits, a quarter of an hour; TCP_USER_TIMEOUT makes that shorter.");
	return true;
}

/* ---- the table ------------------------------------------------------------------- */

const struct rule explain_conn_rules[] = {
	{ "connects_refused",	SIDE_NONE, ABOUT_NETNS, connects_refused },
	{ "connects_time_out",	SIDE_NONE, ABOUT_NETNS, connects_time_out },
	{ "connects_slow",	SIDE_NONE, ABOUT_NETNS, connects_slow },
	{ "resets_sent",	SIDE_NONE, ABOUT_NETNS, resets_sent },
	{ "resets_received",	SIDE_NONE, ABOUT_NETNS, resets_received },
	{ "peer_gone",		SIDE_NONE, ABOUT_NETNS, peer_gone },
};

const unsigned int explain_conn_nrules = sizeof(explain_conn_rules) / sizeof(explain_conn_rules[0]);
