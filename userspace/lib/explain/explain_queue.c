// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What the rules about a listener's queues say alike, see explain_queue.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "explain_queue.h"

void judge_as(struct draft *d, const struct refused *r)
{
	d->active = r->active;
	d->f.severity = r->active ? TCPFSM_SEVERITY_CRITICAL : TCPFSM_SEVERITY_WARNING;
}

/* ", 12 of them while observed" */
struct words while_observed(const struct facts *f, uint64_t now)
{
	struct words w = { "" };

	if (f->span > 0)
		snprintf(w.s, sizeof(w.s), ", %llu of them in the %.24s observed", (ull)now,
			 duration(f->span).s);
	return w;
}

/* When a kind of refusal was first and last seen: its own records tell best. */
void refused_between(const struct facts *f, enum side side, uint64_t *first, uint64_t *last)
{
	const struct refused *r = side == SIDE_ACCEPTQ ? &f->acceptq : &f->synq;
	const uint64_t *t = f->total;
	uint64_t offset = (uint64_t)f->opts->epoch_offset;
	uint64_t all = sum(t, TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS) + sum(t, TCPFSM_TOTAL_ACK_DROPPED, TCPFSM_TOTAL_REASONS) +
		       sum(t, TCPFSM_TOTAL_ACK_RESET, TCPFSM_TOTAL_REASONS) + t[TOTAL(SYN_COOKIE)];

	*first = t[TOTAL(REFUSED_FIRST_TS)];
	*last = t[TOTAL(REFUSED_LAST_TS)];
	/* The totals have one time for all reasons. */
	if (all == r->ever || !f->sources || !f->sources->last[side])
		return;
	*first = f->sources->first[side] - offset;
	*last = f->sources->last[side] - offset;
}

/* "since 14:02:11 (3 min ago)" or "between ... and ..." */
void evidence_when(const struct facts *f, struct draft *d, enum side side,
			  const char *what)
{
	const struct refused *r = side == SIDE_ACCEPTQ ? &f->acceptq : &f->synq;
	uint64_t first, last;

	refused_between(f, side, &first, &last);
	if (!first)
		return;
	if (f->span > 0 && r->now)
		evidence(d, "since when: %s first %s; %llu (%s) in the %s observed", what,
			 moment(f, first).s, (ull)r->now, rate((double)r->now / f->span).s,
			 duration(f->span).s);
	else if (last - first >= NSEC_PER_SEC)
		evidence(d, "since when: %s from %s until %s%s", what, moment(f, first).s,
			 moment(f, last).s, f->span > 0 ? ", none while observed" : "");
	else
		evidence(d, "since when: %s within %s at %s%s", what,
			 duration((double)(last - first) / NSEC_PER_SEC).s, moment(f, first).s,
			 f->span > 0 ? ", none while observed" : "");
}

const char *source_name(const struct source_share *s, char buf[64])
{
	bool v6 = s->family == 6;

	inet_ntop(v6 ? AF_INET6 : AF_INET, s->addr, buf, 64);
	if (s->bits == 24 || s->bits == 64)
		sprintf(buf + strlen(buf), "/%u", s->bits);
	return buf;
}

/* Which clients; of a sample. */
void evidence_clients(const struct facts *f, struct draft *d, bool refused)
{
	const struct sources *s = f->sources;
	struct source_share top[3], nets[2];
	size_t n, nnets, addresses, networks, i, at = 0;
	char line[LINE_LEN], buf[64];
	uint64_t total, done;

	total = s ? refused ? s->refused : s->syns : 0;
	if (!total)
		return;
	n = sources_top(s, refused, false, top, 3, &addresses);
	nnets = sources_top(s, refused, true, nets, 2, &networks);
	if (!n)
		return;
	done = sources_completed(s, refused);
	line[0] = '\0';
	if (top[0].n * 100 < total)
		at = (size_t)snprintf(line, sizeof(line), "none sent more than %llu of them",
				      (ull)top[0].n);
	else
		for (i = 0; i < n; i++)
			at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s (%.0f %%)",
					       i ? ", " : "most: ", source_name(&top[i], buf),
					       percent((double)top[i].n, (double)total));
	/* Networks tell something when they hold several of these. */
	for (i = 0; i < nnets && networks < addresses && nets[0].n * 100 >= total; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s (%.0f %%)",
				       i ? ", " : "; by network ", source_name(&nets[i], buf),
				       percent((double)nets[i].n, (double)total));
	evidence(d, "clients: of a sample of %llu %s%s, %s%s in %s; %s",
		 (ull)total, refused ? "refused" : "SYN", refused ? "" : plural(total),
		 s->beyond ? "more than " : "", many(addresses, "address").s, many(networks, "network").s, line);
	evidence(d, "of these addresses, %llu (%.0f %%) completed a handshake in the sample%s",
		 (ull)done, percent((double)done, (double)addresses),
		 s->suppressed || f->total[TOTAL(SUPPRESSED)] ?
		 "; it is limited by the module's syn_limit" : "");
}

/* How the limit came about. */
void evidence_limit(const struct facts *f, struct draft *d)
{
	if (!f->limit_known)
		evidence(d, "the limit: not known any more, the listener is closed");
	else if (f->asked_known && f->asked > f->backlog)
		evidence(d, "the limit: %llu; the application called listen(%llu), and "
			 "net.core.somaxconn, %llu now, clamped it", (ull)f->backlog,
			 (ull)f->asked, (ull)f->somaxconn);
	else if (f->asked_known)
		evidence(d, "the limit: %llu, as the application called listen(%llu); "
			 "net.core.somaxconn=%llu allows %s", (ull)f->backlog, (ull)f->asked,
			 (ull)f->somaxconn, f->somaxconn > f->asked ? "more" : "no more");
	else
		evidence(d, "the limit: %llu; net.core.somaxconn is %llu, and what listen() asked "
			 "for is not known: tcpfsm was not loaded then", (ull)f->backlog,
			 (ull)f->somaxconn);
}

/* Where well-known servers keep the number they give to listen(). */
const char *backlog_setting(const struct facts *f)
{
	static const struct {
		const char *comm, *setting;
	} known[] = {
		{ "nginx", "backlog=%llu in its listen directive" },
		{ "apache2", "ListenBacklog %llu" }, { "httpd", "ListenBacklog %llu" },
		{ "redis-server", "tcp-backlog %llu" }, { "haproxy", "backlog %llu" },
		{ "mariadbd", "back_log=%llu" }, { "mysqld", "back_log=%llu" },
		{ "memcached", "-b %llu" }, { "php-fpm", "listen.backlog = %llu" },
		{ "gunicorn", "--backlog %llu" }, { "uwsgi", "--listen %llu" },
		{ "lighttpd", "server.listen-backlog = %llu" },
	};
	unsigned int i;

	for (i = 0; f->l->has_owner && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strncmp(f->l->comm, known[i].comm, strlen(known[i].comm)))
			return known[i].setting;
	return NULL;
}

/* "listen() with 128 or more (backlog=128 in its listen directive)" */
static struct words wanted_listen(const struct facts *f, uint64_t n)
{
	const char *setting = backlog_setting(f);
	struct words w;
	int len = snprintf(w.s, sizeof(w.s), "listen() with %llu or more", (ull)n);

	if (setting) {
		len += snprintf(w.s + len, sizeof(w.s) - (size_t)len, " (");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len += snprintf(w.s + len, sizeof(w.s) - (size_t)len, setting, (ull)n);
#pragma GCC diagnostic pop
		snprintf(w.s + len, sizeof(w.s) - (size_t)len, ")");
	}
	return w;
}

/* What it costs to raise the limit of both queues. */
static void cost_backlog(const struct facts *f, struct draft *d)
{
	cost(d, "Connections wait in the queue, where their clients would have tried again a second "
	     "or more later: it gets no faster if the application is behind.");
	if (f->opts->socket_bytes)
		cost(d, " Memory of the kernel: about %u bytes for each connection that waits%s",
		     f->opts->socket_bytes, f->opts->request_bytes ? "" : ".");
	if (f->opts->socket_bytes && f->opts->request_bytes)
		cost(d, ", %u for each request in the SYN queue, which has the same limit.",
		     f->opts->request_bytes);
}

/* To raise the limit of both queues to at least n. */
void raise_backlog(const struct facts *f, struct draft *d, uint64_t n)
{
	bool clamped = f->asked_known ? f->asked > f->backlog : f->backlog >= f->somaxconn;
	bool somaxconn, again;

	if (clamped && f->asked_known)
		n = f->asked < 65535 ? f->asked : 65535;
	somaxconn = n > f->somaxconn;
	again = f->asked_known && f->asked >= n;
	if (again && somaxconn)
		action(d, "Raise net.core.somaxconn, then restart %s", app_of(f->l).s);
	else if (again)
		action(d, "Restart %s", app_of(f->l).s);
	else
		action(d, "%s %s call %s and restart it", somaxconn ? "Raise net.core.somaxconn, then have" :
		       "Have", app_of(f->l).s, wanted_listen(f, n).s);
	if (somaxconn)
		command(d, "%ssysctl -w net.core.somaxconn=%llu", in_netns(f).s, (ull)n);
	more(d, "The limit is taken when listen() is called%s.",
	     again ? ": a changed somaxconn alone does nothing" : "");
	cost_backlog(f, d);
}

/* ---- what another limit would do ----------------------------------------------------- */

/*
 * As much as the replay wants.  Where the records do not tell: room for the longest burst, which
 * is what was there and what was refused, if that was one burst.
 */
uint64_t wanted_backlog(const struct facts *f, const struct replayed *p, enum side side)
{
	const struct refused *r = side == SIDE_ACCEPTQ ? &f->acceptq : &f->synq;
	uint64_t places = side == SIDE_ACCEPTQ ? f->acceptq_places : f->synq_places;
	uint64_t first, last, n = 2 * f->backlog;

	if (p->known && !p->hopeless)
		return side == SIDE_ACCEPTQ ? p->acceptq : p->both;
	refused_between(f, side, &first, &last);
	/* Clients try again after a second: before that each counts once. */
	if (last - first < NSEC_PER_SEC && places + r->ever > n)
		n = places + r->ever;
	/* Of bursts that come again and again, the longest that was seen. */
	if (f->sources && f->sources->busiest > n)
		n = f->sources->busiest;
	return round_backlog(n);
}

/* Whose numbers it is that were replayed. */
static struct words replayed_what(const struct replayed *p)
{
	struct words w;

	snprintf(w.s, sizeof(w.s), "of the %.40s that clients wanted in the %.24s%s, %llu were "
		 "refused at first", many(p->without.attempts, "connection").s,
		 duration((double)p->observed / NSEC_PER_SEC).s,
		 p->part ? " that the records tell of" : " recorded", (ull)p->refused);
	return w;
}

/* What another limit would have come to; slow: it would be no cure. */
void evidence_replay(const struct facts *f, struct draft *d, const struct replayed *p,
			    enum side side, bool slow)
{
	uint64_t n = side == SIDE_ACCEPTQ ? p->acceptq : p->both;
	char less[96] = "";

	if (!p->known)
		return;
	if (p->less_backlog && side == SIDE_ACCEPTQ)
		snprintf(less, sizeof(less), "; with %llu, %llu", (ull)p->less_backlog,
			 (ull)p->less.refused);
	if (p->hopeless)
		evidence(d, "replayed: %s. However long the queue, more arrive than are accepted: without a "
			 "limit %llu would wait by now, the longest for %s", replayed_what(p).s,
			 (ull)p->without.waiting, duration((double)p->without.wait_max / NSEC_PER_SEC).s);
	else
		evidence(d, "replayed: %s. With a backlog of %llu instead of %llu none would have been, %sthe "
			 "longest wait %s%s", replayed_what(p).s, (ull)n, (ull)f->backlog,
			 slow ? "but " : "", duration((double)p->without.wait_max / NSEC_PER_SEC).s, less);
}
