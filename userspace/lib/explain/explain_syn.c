// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Why SYNs and third ACKs are refused, and what else is unusual about handshakes.
 *
 * Each rule says in its comment when it holds.  "Ever" is since the totals began,
 * "now" what came while they were observed; a rule judges now, if there is
 * enough of it, else ever.  What holds only for ever is told in the past tense.
 *
 * The limits are those of the running kernel: both queues are measured by the
 * listener's backlog, min(listen(N), net.core.somaxconn).  tcp_max_syn_backlog
 * is compared with nothing unless tcp_syncookies is 0.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"

typedef unsigned long long ull;

/* ---- thresholds ------------------------------------------------------------------ */

/*
 * Little's law: places taken on average = arrivals a second x seconds each stays.
 * Above this share of all places the queue stands: it does not absorb bursts, it is
 * the backlog of who does not keep up.  A single burst that fills the queue and is
 * drained at once comes to about a quarter, see stands().
 */
#define STANDING	0.4
/* Full for that share of the time: it stands as well. */
#define FULL_SHARE	0.5
/* Full for so long without a single accept(), in seconds: nobody accepts. */
#define STUCK_S		0.1
#define STUCK_OBSERVED_S 0.5
/* Dropped before a socket while observed: stray ones come anywhere. */
#define DROPS_MIN	5
/* Peak of a queue, share of its places, that is worth telling. */
#define BURST_PEAK	0.5
/* A flood: that many SYNs that came to nothing, and of those answered most. */
#define FLOOD_MIN	100
#define FLOOD_SHARE	0.5
/* Clients that send their SYN again are no flood. */
#define REPEATED_SHARE	0.2
/* Of addresses that never completed: so few SYNs each are those of a flood, so many those of clients. */
#define ONCE		1.25
#define REPEATED	2.0
/* Nothing completes: of so many that were answered. */
#define RETURN_MIN	10
/* Accepts that the sums want and nobody saw. */
#define UNSEEN_MIN	3
/* What listeners that are gone refused is told for so long. */
#define GONE_TOLD_S	300
/* fs.nr_open: more descriptors no process has, unless that is raised, too. */
#define NR_OPEN		1048576
/* SYN-ACKs lost: handshakes that took another SYN-ACK. */
#define LATE_MIN	3
#define LATE_SHARE	0.05
/* Clients far away: half of the handshakes take longer than that, in seconds. */
#define SLOW_S		0.2
#define SLOW_MIN	10
/* ACKs with bad cookies, and resets after a SYN-ACK: fewer happen anywhere. */
#define FORGED_MIN	10
#define RESET_MIN	10
#define RESET_SHARE	0.1
/* Of SO_REUSEPORT: the others had so few places taken when one was full. */
#define IDLE_MEMBER	0.5

/* ---- what rules have in common ------------------------------------------------------- */

static uint64_t sum(const uint64_t *v, unsigned int index, unsigned int n)
{
	return tcpfsm_totals_sum(v, index, n);
}

static double quantile_s(const uint64_t *v, unsigned int index, double q)
{
	return (double)tcpfsm_histogram_quantile(v + index, q) / 1e6;
}

static void judge_as(struct draft *d, const struct refused *r)
{
	d->active = r->active;
	d->f.severity = r->active ? TCPFSM_SEVERITY_CRITICAL : TCPFSM_SEVERITY_WARNING;
}

/* ", 12 of them while observed" */
static struct words observed(const struct facts *f, uint64_t now)
{
	struct words w = { "" };

	if (f->span > 0)
		snprintf(w.s, sizeof(w.s), ", %llu of them in the %.24s observed", (ull)now,
			 duration(f->span).s);
	return w;
}

/* When a kind of refusal was first and last seen: its own records tell best. */
static void refused_between(const struct facts *f, enum side side, uint64_t *first, uint64_t *last)
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
static void evidence_when(const struct facts *f, struct draft *d, enum side side,
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

static const char *address(const struct source_share *s, char buf[64])
{
	bool v6 = s->family == 6;

	inet_ntop(v6 ? AF_INET6 : AF_INET, s->addr, buf, 64);
	if (s->bits == 24 || s->bits == 64)
		sprintf(buf + strlen(buf), "/%u", s->bits);
	return buf;
}

/* Which clients; of a sample. */
static void evidence_clients(const struct facts *f, struct draft *d, bool refused)
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
					       i ? ", " : "most: ", address(&top[i], buf),
					       percent((double)top[i].n, (double)total));
	/* Networks tell something when they hold several of these. */
	for (i = 0; i < nnets && networks < addresses && nets[0].n * 100 >= total; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s (%.0f %%)",
				       i ? ", " : "; by network ", address(&nets[i], buf),
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
static void evidence_limit(const struct facts *f, struct draft *d)
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
static const char *backlog_setting(const struct facts *f)
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
static void raise_backlog(const struct facts *f, struct draft *d, uint64_t n)
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

/* ---- the accept queue ----------------------------------------------------------------- */

enum pace { BURSTS, BEHIND, STUCK, UNKNOWN };

/* How the application kept up when the accept queue was full. */
struct acceptance {
	enum pace pace;
	bool now;		/* judged by what was observed, not by all of the totals */
	const uint64_t *v;
	double seconds;		/* how long that was */
	double taken;		/* places, on average (Little's law) */
	double p50, p99;	/* wait for accept(), in seconds; 0: no sample */
	double full;		/* seconds */
};

/* Waits of a millisecond are those of an application that keeps up: a bucket. */
#define USUAL_US	10U

/*
 * Seconds that connections waited in total.  In all of the totals those of the episode stand
 * among the many that did not wait: of these the ones that waited a thousandth of the longest,
 * or more, and longer than usual.
 */
static double long_waits(const uint64_t *hist, bool all)
{
	double s = 0;
	unsigned int i, top = 0, from;

	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++)
		if (hist[i])
			top = i;
	from = top > 5 ? top - 5 : 1;
	if (from > USUAL_US)
		from = top - 10 > USUAL_US ? top - 10 : USUAL_US;
	for (i = all ? 1 : from; i <= top; i++)
		s += (double)hist[i] * 0.75 * (double)(1ULL << i) / 1e6;
	return s;
}

static uint64_t arrived(const uint64_t *v)
{
	return handshakes(v) + v[TOTAL(SYN_FASTOPEN)];
}

/*
 * Connections that are neither waiting nor left behind, and whose accept() nobody saw: the task
 * was in it before the hooks were, or accepts in a way that is not attributed.
 */
static uint64_t accepts_unseen(const struct facts *f)
{
	const uint64_t *t = f->total;
	uint64_t there = t[TOTAL(ACCEPTED)] + t[TOTAL(ABANDONED)] + t[TOTAL(CHILD_LOST)] +
			 (f->gone ? 0 : t[TOTAL(NOW_ACCEPTQ)]);

	return arrived(t) > there ? arrived(t) - there : 0;
}

/* Too many to say how fast it accepts. */
static bool pace_is_unseen(const struct facts *f)
{
	return accepts_unseen(f) >= UNSEEN_MIN && 10 * accepts_unseen(f) >= arrived(f->total);
}

/*
 * Seconds of those that wait: half of what they will have waited; without any accept() all of the
 * observation, or half of it if they came meanwhile.
 */
static double still_wait(const struct facts *f, const struct acceptance *a)
{
	double n = f->gone ? 0 : (double)f->total[TOTAL(NOW_ACCEPTQ)], came = (double)arrived(a->v);

	if (a->v[TOTAL(ACCEPTED)] || !a->now)
		return n * a->p50 / 2;
	return (n > came ? n - came / 2 : n / 2) * a->seconds;
}

/*
 * Places taken on average: what all of them waited, over the time; at least as many as there
 * are, for as long as it was full.
 */
static double places_taken(const struct facts *f, const struct acceptance *a)
{
	double places = (double)f->acceptq_places, taken, full;

	if (!(a->seconds > 0))
		return 0;
	taken = (long_waits(a->v + TCPFSM_TOTAL_ACCEPT_US, a->now) + still_wait(f, a)) / a->seconds;
	full = places * a->full / a->seconds;
	if (taken < full)
		taken = full;
	return taken < places ? taken : places;
}

/*
 * Does the queue stand, or did bursts fill it?  Of an episode that is over, the
 * time to empty a full queue belongs to it: twice, so that a single burst, which
 * comes to half of the places while it drains, counts a quarter.
 */
static void judge_acceptance(const struct facts *f, struct acceptance *a)
{
	uint64_t first, last;

	a->now = f->acceptq.now || (f->acceptq.active && f->span >= STUCK_OBSERVED_S &&
				    !f->now[TOTAL(ACCEPTED)]);
	a->v = a->now ? f->now : f->total;
	a->full = (double)a->v[TOTAL(ACCEPTQ_FULL_NS)] / NSEC_PER_SEC;
	a->p50 = quantile_s(a->v, TCPFSM_TOTAL_ACCEPT_US, 0.5);
	a->p99 = quantile_s(a->v, TCPFSM_TOTAL_ACCEPT_US, 0.99);
	refused_between(f, SIDE_ACCEPTQ, &first, &last);
	a->seconds = (double)(last - first) / NSEC_PER_SEC + 2 * a->p99;
	/*
	 * A recording may begin long before, and end long after.  A burst is shorter than a second,
	 * after which clients try again.
	 */
	if (a->now && (last - first < NSEC_PER_SEC || a->seconds > f->span ||
		       first + (uint64_t)(f->span * NSEC_PER_SEC) < f->l->ts))
		a->seconds = f->span;
	/* It may have been full before the observation, and counted since. */
	if (a->now && a->full > a->seconds)
		a->full = a->seconds;
	a->taken = places_taken(f, a);

	if (!a->v[TOTAL(ACCEPTED)] &&
	    (a->now ? f->span >= STUCK_OBSERVED_S && f->acceptq.active : a->full >= STUCK_S))
		a->pace = STUCK;
	else if (a->taken >= STANDING * (double)f->acceptq_places ||
		 (a->seconds > 0 && a->full >= FULL_SHARE * a->seconds))
		a->pace = BEHIND;
	else if (f->acceptq.active && f->total[TOTAL(NOW_ACCEPTQ)] >= f->acceptq_places &&
		 a->v[TOTAL(ACCEPTED)] < f->acceptq_places)
		a->pace = UNKNOWN;	/* it has not been emptied once: those who wait are not in the sums */
	else
		a->pace = BURSTS;
}

static void evidence_acceptq(const struct facts *f, struct draft *d, const struct acceptance *a)
{
	const uint64_t *t = f->total;
	uint64_t syns = t[DROPPED(ACCEPTQ_FULL)], acks = t[ACK_DROPPED(ACCEPTQ_FULL)];
	uint64_t resets = t[ACK_RESET(ACCEPTQ_FULL)];

	evidence(d, "the comparison: accept queue %llu > %llu. The kernel (sk_acceptq_is_full) "
		 "refuses when the queue is longer than the limit, so it holds %llu",
		 (ull)f->acceptq_places, (ull)f->backlog, (ull)f->acceptq_places);
	evidence_limit(f, d);
	evidence(d, "refused: %s, %s dropped, %llu answered with an RST",
		 many(syns, "SYN").s, many(acks, "third ACK").s, (ull)resets);
	evidence_when(f, d, SIDE_ACCEPTQ, "refused");
	if (!f->gone)
		evidence(d, "the queue: %llu now, longest %llu at %s, full for %s in all",
			 (ull)t[TOTAL(NOW_ACCEPTQ)], (ull)t[TOTAL(ACCEPTQ_PEAK)],
			 moment(f, t[TOTAL(ACCEPTQ_PEAK_TS)]).s,
			 duration((double)t[TOTAL(ACCEPTQ_FULL_NS)] / NSEC_PER_SEC).s);
	else
		evidence(d, "the queue: longest %llu at %s, full for %s in all; %s "
			 "were left in it when the listener was closed",
			 (ull)t[TOTAL(ACCEPTQ_PEAK)], moment(f, t[TOTAL(ACCEPTQ_PEAK_TS)]).s,
			 duration((double)t[TOTAL(ACCEPTQ_FULL_NS)] / NSEC_PER_SEC).s,
			 many(t[TOTAL(ABANDONED)], "connection").s);
	if (a->p99 > 0)
		evidence(d, "the wait for accept(): half up to about %s, 99 %% up to about %s%s",
			 duration(a->p50).s, duration(a->p99).s,
			 a->now ? " (observed)" : " (since the totals began)");
}

/* "5.3", "less than 0.1" */
static struct words places(double n)
{
	struct words w;

	snprintf(w.s, sizeof(w.s), n < 0.05 ? "less than 0.1" : n < 9.95 ? "%.1f" : "%.0f", n);
	return w;
}

/* Connections that arrive, and those that are accepted. */
static void evidence_rates(const struct facts *f, struct draft *d, const struct acceptance *a)
{
	double done = (double)handshakes(a->v);
	double accepted = (double)a->v[TOTAL(ACCEPTED)];
	uint64_t refused = a->now ? f->acceptq.now : f->acceptq.ever;

	if (a->pace == STUCK) {
		uint64_t wait = f->total[f->gone ? TOTAL(ABANDONED) : TOTAL(NOW_ACCEPTQ)];

		if (a->now)
			evidence(d, "no accept() in the %s observed; %.0f connections arrived in that time, "
				 "and %llu wait", duration(a->seconds).s, done, (ull)wait);
		else if ((double)wait > done)
			evidence(d, "none was accepted since the totals began; %llu %s, some since before", (ull)wait,
				 f->gone ? "were left" : "wait");
		else
			evidence(d, "of %.0f connections that arrived since the totals began, none was "
				 "accepted; %llu %s", done, (ull)wait, f->gone ? "were left" : "wait");
		return;
	}
	if (!a->now || a->seconds <= 0) {
		evidence(d, "%.0f connections arrived%s and %.0f were accepted; on average %s of %llu "
			 "places were taken while clients were refused (Little's law)",
			 done, accepted > done ? " since the totals began" : "", accepted,
			 places(a->taken).s, (ull)f->acceptq_places);
		return;
	}
	evidence(d, "%s arrive, %s are accepted, %s are refused (each client tries several times)",
		 rate(done / a->seconds).s, rate(accepted / a->seconds).s,
		 rate((double)refused / a->seconds).s);
	if (accepted > 0)
		evidence(d, "Little's law: on average %s of %llu places were taken; the queue "
			 "was full %.0f %% of the time", places(a->taken).s, (ull)f->acceptq_places,
			 percent(a->full, a->seconds));
}

/* To see what the process does that should accept. */
static void action_look(const struct facts *f, struct draft *d, bool stuck)
{
	if (f->gone)
		return;
	if (!has_process(f->l)) {
		action(d, "Find the process, and see what it does instead of accept()");
		command(d, "%sss -ltnp sport = %u", in_netns(f).s, f->l->lport);
		return;
	}
	if (stuck) {
		action(d, "See what %s does instead of accept()", app_of(f->l).s);
		command(d, "cat /proc/%u/stack; strace -f -p %u", f->l->pid, f->l->pid);
	} else {
		action(d, "See how often %s accepts, and what it does in between", app_of(f->l).s);
		command(d, "strace -f -r -p %u -e trace=accept,accept4", f->l->pid);
	}
	cost(d, "strace slows it down while it looks.");
}

static void action_accept(const struct facts *f, struct draft *d, const struct acceptance *a,
			  const struct replayed *p)
{
	action(d, "Accept in a loop until EAGAIN and do the work elsewhere, or let more threads or "
	       "processes accept (a listener each with SO_REUSEPORT)");
	more(d, "%sA larger backlog or somaxconn does not cure it: the queue fills again, a little "
	     "later.", f->gone ? "The listener is closed: this is for the next one. " : "");
	cost(d, "Work on the application.");
	if (a->pace == BEHIND && p->twice_known)
		cost(d, " With the limit twice as large %llu of the %s would have been refused at "
		     "first, as replayed, instead of %llu, and the longest wait %s.",
		     (ull)p->twice.refused, many(p->twice.attempts, "connection").s, (ull)p->refused,
		     duration((double)p->twice.wait_max / NSEC_PER_SEC).s);
	/* But for those that were never accepted: how long these waited is in no histogram. */
	else if (a->pace == BEHIND && a->p99 > 0 && !f->total[TOTAL(ABANDONED)])
		cost(d, " With the limit twice as large clients would be refused as often, and wait "
		     "about %s instead of %s for those that get in.",
		     duration(2 * a->p99).s, duration(a->p99).s);
}

/* ---- SO_REUSEPORT groups -------------------------------------------------------------- */

struct group {
	const struct tcpfsm_listener *me;
	bool full;			/* I am, now */
	unsigned int members, idle;
	uint64_t longest;		/* accept queue of the others */
	struct words names;
};

static int add_member(const struct tcpfsm_listener *l, void *arg)
{
	struct group *g = arg;
	uint64_t places = l->total[TOTAL(NOW_BACKLOG)] + 1, used = l->total[TOTAL(ACCEPTQ_PEAK)];
	uint64_t refused = l->total[DROPPED(ACCEPTQ_FULL)] + l->total[ACK_DROPPED(ACCEPTQ_FULL)] +
			   l->total[ACK_RESET(ACCEPTQ_FULL)];
	size_t len = strlen(g->names.s);

	if (!l->conn || l->netns != g->me->netns || l->lport != g->me->lport ||
	    l->family != g->me->family || memcmp(l->laddr, g->me->laddr, sizeof(l->laddr)) ||
	    l->total[TOTAL(NOW_DEV)] != g->me->total[TOTAL(NOW_DEV)] || !l->total[TOTAL(NOW_REUSEPORT)])
		return 0;
	g->members++;
	if (l->conn == g->me->conn)
		return 0;
	/* It has room now; of the past nothing tells whether it had when I had none. */
	if ((g->full || !refused) &&
	    (double)l->total[TOTAL(NOW_ACCEPTQ)] < IDLE_MEMBER * (double)places) {
		g->idle++;
		if (len < sizeof(g->names.s) - 24 && l->has_owner)
			snprintf(g->names.s + len, sizeof(g->names.s) - len, "%spid %u",
				 len ? ", " : "", l->pid);
	}
	if (used > g->longest)
		g->longest = used;
	return 0;
}

/* Is this one full while others of its group are not? */
static bool is_lone_member(const struct facts *f, struct group *g)
{
	*g = (struct group) { .me = f->l };
	if (!f->acceptq.ever || !f->total[TOTAL(NOW_REUSEPORT)])
		return false;
	g->full = !f->gone && f->total[TOTAL(NOW_ACCEPTQ)] >= f->acceptq_places;
	return tcpfsm_listeners_each(f->all, add_member, g) >= 0 && g->idle;
}

/* ---- what another limit would do ----------------------------------------------------- */

/*
 * As much as the replay wants.  Where the records do not tell: room for the longest burst, which
 * is what was there and what was refused, if that was one burst.
 */
static uint64_t wanted_backlog(const struct facts *f, const struct replayed *p, enum side side)
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
static void evidence_replay(const struct facts *f, struct draft *d, const struct replayed *p,
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

/* ---- who is to blame for a full accept queue ------------------------------------------ */

/* It may have none left; of a recording nothing tells. */
static void tell_descriptors(const struct facts *f, struct draft *d)
{
	if (f->descriptors_known) {
		evidence(d, "no lack of descriptors: %llu of %llu that the process may have are open",
			 (ull)f->descriptors, (ull)f->descriptors_max);
		return;
	}
	not_seen(d, "whether accept() fails, as the process has no descriptor left");
	if (f->gone || !has_process(f->l))
		return;
	action(d, "See whether it has descriptors left");
	command(d, "ls /proc/%u/fd | wc -l; grep open /proc/%u/limits", f->l->pid, f->l->pid);
	cost(d, "None: to look costs nothing.");
}

/*
 * Connections wait, and the process has as many descriptors open as it may: accept() fails with
 * EMFILE, and they stay in the queue.  Of a recording that is not known.
 */
static bool no_descriptors(const struct facts *f, struct draft *d)
{
	uint64_t wait = f->total[TOTAL(NOW_ACCEPTQ)], wanted = 4 * f->descriptors_max;

	if (wanted > NR_OPEN)
		wanted = NR_OPEN;
	if (!f->no_descriptors)
		return false;
	d->active = true;
	d->weight = wait + f->acceptq.now;
	d->f.severity = f->acceptq.active ? TCPFSM_SEVERITY_CRITICAL : TCPFSM_SEVERITY_WARNING;
	headline(d, "%s has no descriptor left: accept() at %s fails (EMFILE), and %s wait%s.",
		 app_of(f->l).s, name_of(f->l).s, many(wait, "connection").s, wait == 1 ? "s" : "");
	evidence(d, "descriptors: %llu open, of %llu that it may have (Max open files)", (ull)f->descriptors,
		 (ull)f->descriptors_max);
	if (f->span > 0)
		evidence(d, "in the %s observed %s arrived, %llu were accepted and %llu SYNs or "
			 "ACKs refused", duration(f->span).s, many(arrived(f->now), "connection").s,
			 (ull)f->now[TOTAL(ACCEPTED)], (ull)f->acceptq.now);
	evidence(d, "the accept queue: %llu now, and it holds %llu; when it is full, clients are refused",
		 (ull)wait, (ull)f->acceptq_places);
	action(d, "Give it more descriptors now, and for good (LimitNOFILE= of its unit, worker_rlimit_nofile, "
	       "ulimits)");
	if (f->descriptors_max < NR_OPEN)
		command(d, "prlimit --pid %u --nofile=%llu:%llu", f->l->pid, (ull)wanted, (ull)wanted);
	more(d, "Look first what it has open: connections that it does not close only take longer to run out "
	     "then.");
	cost(d, "Memory for each connection more.");
	action(d, "See what it has open");
	command(d, "ls -l /proc/%u/fd | awk '{ print $NF }' | sed 's/[0-9].*//' | sort | uniq -c; "
		"ss -tnp | grep -w pid=%u | awk '{ print $1 }' | sort | uniq -c", f->l->pid, f->l->pid);
	return true;
}

/*
 * The accept queue was full, and either nobody accepts, or the queue stands: more
 * arrive than are accepted, which no limit cures.
 */
static bool acceptq_app_slow(const struct facts *f, struct draft *d)
{
	struct acceptance a;
	struct replayed p;
	struct group g;

	/* Of an SO_REUSEPORT group that is told by reuseport_member. */
	if (f->no_descriptors || !f->acceptq.ever || pace_is_unseen(f) || is_lone_member(f, &g))
		return false;
	judge_acceptance(f, &a);
	if (a.pace == BURSTS || a.pace == UNKNOWN)
		return false;
	judge_as(d, &f->acceptq);
	if (a.pace == STUCK && f->gone)
		headline(d, "%s did not accept connections: the accept queue of %s was full, and "
			 "clients were refused until it was closed.",
			 app_of(f->l).s, name_of(f->l).s);
	else if (a.pace == STUCK)
		headline(d, "%s does not accept connections: the accept queue of %s %s full%s.",
			 app_of(f->l).s, name_of(f->l).s,
			 f->acceptq.active ? "is" : "was",
			 f->acceptq.active ? ", and clients are refused" :
					     ", and clients were refused");
	else
		headline(d, "%s %s connections too slowly: the accept queue of %s %s%s.", app_of(f->l).s,
			 f->acceptq.active ? "accepts" : "accepted", name_of(f->l).s,
			 f->acceptq.active ? "stays full" : "stayed full",
			 f->acceptq.active ? ", and clients are refused" :
					     ", and clients were refused");
	if (!f->gone)
		detail(d, "The limit is not the problem.");
	evidence_acceptq(f, d, &a);
	evidence_rates(f, d, &a);
	replay_facts(f, &p);
	evidence_replay(f, d, &p, SIDE_ACCEPTQ, true);
	evidence_clients(f, d, true);
	action_look(f, d, a.pace == STUCK);
	if (a.pace == STUCK && f->acceptq.active)
		tell_descriptors(f, d);
	action_accept(f, d, &a, &p);
	return true;
}

/* Is the limit the clamped one?  Not known what was asked for: when it is somaxconn itself. */
static bool is_clamped(const struct facts *f)
{
	if (!f->limit_known)
		return false;
	return f->asked_known ? f->asked > f->backlog : f->somaxconn && f->backlog == f->somaxconn;
}

static bool acceptq_burst(const struct facts *f, struct draft *d, bool clamped)
{
	struct acceptance a;
	struct replayed p;

	if (f->no_descriptors || !f->acceptq.ever || pace_is_unseen(f) || is_clamped(f) != clamped)
		return false;
	judge_acceptance(f, &a);
	if (a.pace != BURSTS)
		return false;
	replay_facts(f, &p);
	judge_as(d, &f->acceptq);
	if (clamped && f->asked_known && f->somaxconn > f->backlog) {
		headline(d, "The accept queue of %s %s too short: somaxconn was %llu when %s called "
			 "listen(%llu).", name_of(f->l).s, f->acceptq.active ? "is" : "was",
			 (ull)f->backlog, app_of(f->l).s, (ull)f->asked);
		detail(d, "It is %llu now, but that counts from the next listen() on.", (ull)f->somaxconn);
	} else if (clamped && f->asked_known)
		headline(d, "net.core.somaxconn=%llu %s the accept queue of %s too short: %s asked "
			 "for %llu.", (ull)f->somaxconn, f->acceptq.active ? "keeps" : "kept",
			 name_of(f->l).s, app_of(f->l).s, (ull)f->asked);
	else if (clamped)
		headline(d, "The accept queue of %s %s too short, and its limit is exactly "
			 "net.core.somaxconn=%llu, which probably clamped it.", name_of(f->l).s,
			 f->acceptq.active ? "is" : "was", (ull)f->somaxconn);
	else {
		headline(d, "The accept queue of %s %s too short for the bursts that arrive: the "
			 "application asked for %llu.",
			 name_of(f->l).s, f->acceptq.active ? "is" : "was", (ull)f->backlog);
		detail(d, "It accepts fast enough.");
	}
	evidence_acceptq(f, d, &a);
	evidence(d, "on average %s of %llu places were taken (Little's law): the application keeps "
		 "up, but for bursts", places(a.taken).s, (ull)f->acceptq_places);
	evidence_replay(f, d, &p, SIDE_ACCEPTQ, false);
	evidence_clients(f, d, true);
	raise_backlog(f, d, wanted_backlog(f, &p, SIDE_ACCEPTQ));
	if (f->gone)
		more(d, " The listener is closed: this is for the next one.");
	return true;
}

/* Bursts filled the accept queue, and somaxconn made it shorter than the application wants. */
static bool acceptq_somaxconn(const struct facts *f, struct draft *d)
{
	return acceptq_burst(f, d, true);
}

/* Bursts filled the accept queue, and it is as long as the application wants it. */
static bool acceptq_limit_small(const struct facts *f, struct draft *d)
{
	return acceptq_burst(f, d, false);
}

/* A full accept queue in an SO_REUSEPORT group of which others have room. */
static bool reuseport_member(const struct facts *f, struct draft *d)
{
	struct acceptance a;
	struct group g;

	if (f->no_descriptors || !is_lone_member(f, &g))
		return false;
	judge_acceptance(f, &a);
	judge_as(d, &f->acceptq);
	headline(d, "One of %s of the SO_REUSEPORT group at %s %s full while %u other%s "
		 "room: the kernel deals out connections by their addresses, not by who has time.",
		 many(g.members, "listener").s, name_of(f->l).s, f->acceptq.active ? "is" : "was", g.idle,
		 g.idle == 1 ? " has" : "s have");
	evidence(d, "the others: accept queue at most %llu so far%s%s%s", (ull)g.longest,
		 *g.names.s ? " (" : "", g.names.s, *g.names.s ? ")" : "");
	evidence_acceptq(f, d, &a);
	evidence_rates(f, d, &a);
	evidence_clients(f, d, true);
	action_look(f, d, a.pace == STUCK);
	action(d, "Close the listeners that nobody serves, or share one between the workers "
	       "(EPOLLEXCLUSIVE), or steer with SO_ATTACH_REUSEPORT_EBPF");
	more(d, "Each socket of the group needs a process that accepts from it.");
	cost(d, "Work on the application. When a member is closed, the connections in its queue are "
	     "reset, unless net.ipv4.tcp_migrate_req=1 hands them to another member.");
	return true;
}

/* It has just become full: another look tells how fast it is emptied. */
static bool pace_not_judged(const struct facts *f, struct draft *d)
{
	struct acceptance a;
	struct group g;

	judge_acceptance(f, &a);
	if (a.pace != UNKNOWN || is_lone_member(f, &g))
		return false;
	judge_as(d, &f->acceptq);
	headline(d, "The accept queue of %s is full, and clients are refused; whether its limit or %s is to "
		 "blame is not known yet, as %llu of a queue of %llu were accepted.", name_of(f->l).s,
		 app_of(f->l).s, (ull)a.v[TOTAL(ACCEPTED)], (ull)f->acceptq_places);
	not_seen(d, "how fast %s accepts", app_of(f->l).s);
	evidence_acceptq(f, d, &a);
	action(d, "Look for longer");
	command(d, "tcpfsm explain -d 10 -L %u", f->l->lport);
	return true;
}

/* The accept queue was full, and how fast it is emptied was not seen. */
static bool accepts_not_judged(const struct facts *f, struct draft *d)
{
	if (f->no_descriptors || !f->acceptq.ever)
		return false;
	if (!pace_is_unseen(f))
		return pace_not_judged(f, d);
	judge_as(d, &f->acceptq);
	headline(d, "The accept queue of %s %s full, and clients %s refused; whether its limit or %s is to "
		 "blame is not known, as %s were not seen.", name_of(f->l).s,
		 f->acceptq.active ? "is" : "was", f->acceptq.active ? "are" : "were", app_of(f->l).s,
		 many(accepts_unseen(f), "accept").s);
	not_seen(d, "%s of %s", many(accepts_unseen(f), "accept").s, name_of(f->l).s);
	evidence(d, "%s arrived: %s were seen, %llu wait, %llu were left behind",
		 many(arrived(f->total), "connection").s, many(f->total[TOTAL(ACCEPTED)], "accept").s,
		 (ull)f->total[TOTAL(NOW_ACCEPTQ)], (ull)f->total[TOTAL(ABANDONED)]);
	evidence(d, "refused: %s, %s dropped, %llu answered with an RST",
		 many(f->total[DROPPED(ACCEPTQ_FULL)], "SYN").s, many(f->total[ACK_DROPPED(ACCEPTQ_FULL)], "third ACK").s,
		 (ull)f->total[ACK_RESET(ACCEPTQ_FULL)]);
	evidence_limit(f, d);
	action(d, "See whether Recv-Q stays high");
	command(d, "%sss -ltn sport = %u", in_netns(f).s, f->l->lport);
	more(d, "If it does, the application is too slow; if it is mostly 0, the limit is too small.");
	return true;
}

/*
 * Nobody accepts: through all of the observation, or in the last seconds of it, as the events tell.
 * Return: for how long, in seconds; 0: not so. @new: connections that arrived meanwhile.
 */
static double stands(const struct facts *f, uint64_t *new)
{
	uint64_t end = f->l->ts + (uint64_t)f->opts->epoch_offset;

	*new = arrived(f->now);
	if (nobody_accepts(f))
		return f->span;
	return replay_stands(f->replay, f->l->conn, end - (uint64_t)(STALLED_S * NSEC_PER_SEC), new) ? STALLED_S : 0;
}

/*
 * Connections wait, and nobody accepts: the queue is not full yet.  What has arrived
 * meanwhile may still be on its way to accept().
 */
static bool accept_stalled(const struct facts *f, struct draft *d)
{
	uint64_t wait = f->total[TOTAL(NOW_ACCEPTQ)], new;
	double span = stands(f, &new);

	if (f->no_descriptors || f->gone || f->acceptq.active || span == 0 || wait <= new)
		return false;
	d->active = true;
	d->weight = wait;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "%s has stopped to accept connections: %llu wait%s in the accept queue of %s, which "
		 "holds %llu.", app_of(f->l).s, (ull)wait, wait == 1 ? "s" : "", name_of(f->l).s,
		 (ull)f->acceptq_places);
	evidence(d, "no accept() in the last %s; %s arrived in that time, and %llu waited "
		 "before", duration(span).s, many(new, "connection").s, (ull)(wait - new));
	evidence(d, "in all: %llu accepted, and %llu arrived since the totals began",
		 (ull)f->total[TOTAL(ACCEPTED)], (ull)arrived(f->total));
	evidence(d, "when the queue is full, clients are refused; until then they are connected and "
		 "wait");
	action_look(f, d, true);
	tell_descriptors(f, d);
	return true;
}

/* A listener was closed, and with it the connections that it had not accepted. */
static bool listener_closed(const struct facts *f, struct draft *d)
{
	uint64_t left = f->total[TOTAL(ABANDONED)];

	if (!f->gone || !left || f->acceptq.ever)
		return false;
	d->weight = left;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "%s closed %s with %s in its accept queue: %s reset.",
		 app_of(f->l).s, name_of(f->l).s, many(left, "connection").s,
		 left == 1 ? "its client was" : "their clients were");
	evidence(d, "closed at %s; %llu had arrived%s, and %llu were accepted",
		 moment(f, f->total[TOTAL(NOW_GONE_TS)]).s, (ull)arrived(f->total),
		 f->total[TOTAL(ACCEPTED)] > arrived(f->total) ? " since the totals began" : "",
		 (ull)f->total[TOTAL(ACCEPTED)]);
	action(d, "Have %s accept until EAGAIN before it closes a listener, or hand the socket over when it "
	       "restarts (systemd socket activation, SCM_RIGHTS)", app_of(f->l).s);
	action(d, "With SO_REUSEPORT, let another listener go on with them");
	command(d, "%ssysctl -w net.ipv4.tcp_migrate_req=1", in_netns(f).s);
	return true;
}

/* ---- what a full accept queue does to clients -------------------------------------- */

/* Third ACKs dropped because the accept queue was full: their clients are in ESTABLISHED. */
static bool phantom_connections(const struct facts *f, struct draft *d)
{
	uint64_t acks = f->total[ACK_DROPPED(ACCEPTQ_FULL)], now = f->now[ACK_DROPPED(ACCEPTQ_FULL)];
	struct refused r = refused_by(f, acks, now);

	if (!acks)
		return false;
	judge_as(d, &r);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "Clients of %s %s they are connected and are not: their third ACK met a full "
		 "accept queue and was dropped (tcp_abort_on_overflow=0).", name_of(f->l).s,
		 r.active ? "believe" : "believed");
	evidence(d, "%s dropped%s; the same client may count several times", many(acks, "ACK").s, observed(f, now).s);
	evidence(d, "the SYN-ACK was sent again %llu times; %s were completed after "
		 "that, and %s expired", (ull)f->total[TOTAL(SYNACK_RETRANSMIT)],
		 many(f->total[TOTAL(COMPLETED_LATE)], "handshake").s, many(f->total[GONE(TIMEOUT)], "request").s);
	if (f->total[TOTAL(COOKIE_VALID)] > f->total[TOTAL(COMPLETED_COOKIE)])
		evidence(d, "%llu of them came with a SYN cookie: nothing is kept of these, and no "
			 "SYN-ACK is sent again", (ull)(f->total[TOTAL(COOKIE_VALID)] -
							f->total[TOTAL(COMPLETED_COOKIE)]));
	evidence(d, "meanwhile connect() has succeeded: a client that waits for the server to speak "
		 "waits in vain; one that sends first retransmits; ss shows ESTAB at the client only");
	action(d, "Nothing separate: fix what fills the accept queue");
	more(d, "It is no reason to set tcp_abort_on_overflow=1: that turns a delay into a failure for "
	     "clients that would get in a moment later.");
	return true;
}

/* The same with tcp_abort_on_overflow=1: an RST. */
static bool reset_on_overflow(const struct facts *f, struct draft *d)
{
	uint64_t acks = f->total[ACK_RESET(ACCEPTQ_FULL)], now = f->now[ACK_RESET(ACCEPTQ_FULL)];
	struct refused r = refused_by(f, acks, now);
	bool set = f->ns->total[TOTAL(NOW_ABORT_ON_OVERFLOW)];

	if (!acks)
		return false;
	judge_as(d, &r);
	headline(d, "Clients of %s %s reset right after they connected: the accept queue was full "
		 "and tcp_abort_on_overflow %s.", name_of(f->l).s, r.active ? "are" : "were",
		 set ? "is 1" : "was 1");
	evidence(d, "%s answered with an RST%s: \"connection reset by peer\" at the "
		 "client", many(acks, "third ACK").s, observed(f, now).s);
	if (set) {
		action(d, "Let clients in as soon as there is room");
		command(d, "%ssysctl -w net.ipv4.tcp_abort_on_overflow=0", in_netns(f).s);
		cost(d, "Until there is room they believe they are connected.");
	} else {
		action(d, "Leave tcp_abort_on_overflow off");
	}
	more(d, "What fills the queue is told apart from this.");
	return true;
}

/* ---- the SYN queue -------------------------------------------------------------------- */

static const char *full_sign(const struct facts *f)
{
	return f->synq_places > f->backlog ? ">" : ">=";
}

static void evidence_synq(const struct facts *f, struct draft *d)
{
	const uint64_t *t = f->total;

	if (t[DROPPED(SYNQ_FULL)] || t[TOTAL(SYN_COOKIE)]) {
		evidence(d, "the comparison: SYN queue %llu %s %llu. This kernel "
			 "(inet_csk_reqsk_queue_is_full) compares with the backlog of the listener, "
			 "and with no sysctl of its own", (ull)f->synq_places, full_sign(f),
			 (ull)f->backlog);
		evidence_limit(f, d);
	}
	evidence(d, "SYNs: %llu met the listener, %llu were queued, %llu got a cookie, %llu were "
		 "dropped because of the SYN queue",
		 (ull)t[TOTAL(SYN)], (ull)t[TOTAL(SYN_QUEUED)], (ull)t[TOTAL(SYN_COOKIE)],
		 (ull)(t[DROPPED(SYNQ_FULL)] + t[DROPPED(LAST_QUARTER)]));
	evidence_when(f, d, SIDE_SYNQ, t[TOTAL(SYN_COOKIE)] ? "cookies or drops" : "dropped");
	if (!f->gone)
		evidence(d, "the queue: %llu now, %llu of them without a time-out yet, longest %llu "
			 "at %s, full for %s in all", (ull)t[TOTAL(NOW_SYNQ)],
			 (ull)t[TOTAL(NOW_SYNQ_YOUNG)], (ull)t[TOTAL(SYNQ_PEAK)],
			 moment(f, t[TOTAL(SYNQ_PEAK_TS)]).s,
			 duration((double)t[TOTAL(SYNQ_FULL_NS)] / NSEC_PER_SEC).s);
}

static void action_cookies(const struct facts *f, struct draft *d)
{
	action(d, "Answer SYNs that find the queue full with a cookie");
	command(d, "%ssysctl -w net.ipv4.tcp_syncookies=1", in_netns(f).s);
	more(d, "It keeps no memory, and no SYN is dropped.");
	cost(d, "Of the client's options a cookie keeps the MSS, rounded down to one of four values, "
	     "and the rest (window scale, SACK, ECN) only when the client sends timestamps. A "
	     "SYN-ACK that is lost is not sent again, and cookies cost a hash for each SYN.");
}

/* They were not when SYNs were dropped. */
static void cookies_are_on(const struct facts *f, struct draft *d)
{
	action(d, "Leave tcp_syncookies on");
	more(d, "It is %llu by now: the next time clients get a cookie instead.", (ull)f->syncookies);
}

/* The SYN queue is as long as the backlog; without cookies the last quarter is another limit. */
static void raise_synq(const struct facts *f, struct draft *d, uint64_t n)
{
	raise_backlog(f, d, n);
	if (!f->syncookies && 2 * f->backlog + 1 > f->max_syn_backlog - (f->max_syn_backlog >> 2))
		more(d, " Without cookies tcp_max_syn_backlog must be a third larger than the backlog, too.");
}

/* Requests answered and what came of them. */
struct answers {
	double answered, good, bad, repeated, held;
};

static void judge_answers(const uint64_t *v, const struct facts *f, bool now, struct answers *a)
{
	uint64_t timer = v[TOTAL(SYNACK_TIMEOUT)], again = v[TOTAL(SYNACK_RETRANSMIT)];
	double waiting = now ? 0 : (double)f->total[TOTAL(NOW_SYNQ_YOUNG)];

	a->answered = (double)(v[TOTAL(SYN_QUEUED)] + v[TOTAL(SYN_COOKIE)]);
	a->good = (double)handshakes(v);
	/* Sent again without a time-out: the client had sent its SYN again. */
	a->repeated = again > timer ? (double)(again - timer) : 0;
	/* They did answer; it was the accept queue, or TCP_DEFER_ACCEPT. */
	a->held = (double)(v[ACK_DROPPED(ACCEPTQ_FULL)] + v[ACK_DROPPED(DEFER_ACCEPT)] +
			   v[ACK_RESET(ACCEPTQ_FULL)]);
	a->bad = a->answered - a->good - a->held - (double)v[GONE(RCV_RST)];
	if (f->gone || waiting > a->bad)
		waiting = 0;
	/* Young ones may yet complete; unless the queue is full of them. */
	if (f->synq.ever == 0)
		a->bad -= waiting;
	if (a->bad < 0)
		a->bad = 0;
}

/* SYNs of the sample from addresses that never completed a handshake. */
struct strangers {
	uint64_t syns, addresses;
	double each;			/* SYNs of one */
};

static struct strangers strangers_of(const struct facts *f)
{
	const struct sources *s = f->sources;
	struct strangers g = { 0 };

	/* There is no place for more addresses: then they are many. */
	if (s)
		g = (struct strangers) { s->strange_syns + s->beyond, s->strangers + s->beyond, 0 };
	if (g.addresses)
		g.each = (double)g.syns / (double)g.addresses;
	return g;
}

/* A client that gets no answer comes back; the addresses of a flood come once. */
static bool they_repeat(const struct strangers *g)
{
	return g->syns >= RETURN_MIN && g->each >= REPEATED;
}

static bool they_come_once(const struct strangers *g)
{
	return g->addresses >= FLOOD_MIN && g->each <= ONCE;
}

static double unanswered(const uint64_t *v)
{
	uint64_t lost = v[TOTAL(SYN_COOKIE)] > v[TOTAL(COMPLETED_COOKIE)] ?
			v[TOTAL(SYN_COOKIE)] - v[TOTAL(COMPLETED_COOKIE)] : 0;

	return (double)(lost + v[DROPPED(SYNQ_FULL)] + v[DROPPED(LAST_QUARTER)] + v[GONE(TIMEOUT)] +
			v[GONE(ICMP)]);
}

static bool is_flood_in(const uint64_t *v, const struct facts *f, bool now)
{
	struct strangers g = strangers_of(f);
	struct answers a;
	double none = unanswered(v);

	if (they_repeat(&g))
		return false;
	judge_answers(v, f, now, &a);
	/* Old ones in the queue came to nothing, too. */
	if (f->total[TOTAL(NOW_SYNQ)] > f->total[TOTAL(NOW_SYNQ_YOUNG)])
		none += (double)(f->total[TOTAL(NOW_SYNQ)] - f->total[TOTAL(NOW_SYNQ_YOUNG)]);
	if (none < FLOOD_MIN || a.repeated >= REPEATED_SHARE * (a.answered + 1))
		return false;
	/* None answered, as the queue is full of those that came to nothing. */
	if (now && !(a.answered > 0))
		return f->synq.active && 2 * (f->total[TOTAL(NOW_SYNQ)] -
					      f->total[TOTAL(NOW_SYNQ_YOUNG)]) >= f->synq_places &&
		       f->total[TOTAL(NOW_SYNQ)] >= f->total[TOTAL(NOW_SYNQ_YOUNG)];
	/* Cookies tell apart even in totals that begin long before the flood. */
	if (!now && v[TOTAL(SYN_COOKIE)] >= FLOOD_MIN &&
	    (double)v[TOTAL(COMPLETED_COOKIE)] < (1 - FLOOD_SHARE) * (double)v[TOTAL(SYN_COOKIE)])
		return true;
	/* And so do requests that expired, if they could have filled the queue. */
	if (!now && f->synq.ever >= FLOOD_MIN && 2 * v[GONE(TIMEOUT)] >= f->synq_places &&
	    a.held < (double)v[GONE(TIMEOUT)])
		return true;
	/* Clients who got the places that were free do not make it another thing. */
	if (!now && they_come_once(&g))
		return true;
	return a.bad > FLOOD_SHARE * a.answered;
}

/*
 * A flood: FLOOD_MIN SYNs or more came to nothing (dropped by the SYN queue, a cookie
 * that never came back, a request that expired), and most of those answered did.
 * Not when clients send their SYN again, or an ACK: these are alive; nor when the same
 * addresses come again and again: see return_path().
 */
static bool is_flood(const struct facts *f, bool *now)
{
	*now = is_flood_in(f->now, f, true);
	return *now || is_flood_in(f->total, f, false);
}

static bool syn_flood(const struct facts *f, struct draft *d)
{
	const struct sources *s = f->sources;
	struct strangers g = strangers_of(f);
	struct source_share top;
	const uint64_t *t = f->total;
	bool now, cookies = t[TOTAL(SYN_COOKIE)];
	struct refused r = f->synq;
	const uint64_t *v;
	char buf[64];

	if (!is_flood(f, &now))
		return false;
	r.active = now || r.active;
	judge_as(d, &r);
	v = now ? f->now : t;
	/* Cookies cope with it. */
	if (!v[DROPPED(SYNQ_FULL)] && !v[DROPPED(LAST_QUARTER)])
		d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "%s %s a SYN flood: %.0f SYNs did not become connections, %s of those answered "
		 "completed the handshake%s.", name_of(f->l).s, r.active ? "is under" : "was under",
		 unanswered(v),
		 handshakes(v) ? "few" : "none",
		 d->f.severity == TCPFSM_SEVERITY_CRITICAL ? ", and clients are shut out" :
		 v[TOTAL(COMPLETED_COOKIE)] ? "; SYN cookies let clients in" :
		 cookies ? "; SYN cookies keep it open for clients" : "");
	evidence(d, "%s queued and %s sent; %s completed (%llu of "
		 "them by cookies), %s expired%s%s", many(v[TOTAL(SYN_QUEUED)], "request").s,
		 many(v[TOTAL(SYN_COOKIE)], "cookie").s,
		 many(handshakes(v), "handshake").s,
		 (ull)v[TOTAL(COMPLETED_COOKIE)], many(v[GONE(TIMEOUT)], "request").s,
		 now ? ", in the " : "", now ? duration(f->span).s : "");
	evidence_synq(f, d);
	if (now && f->span > 0)
		evidence(d, "the flood: %s SYNs", rate((double)f->now[TOTAL(SYN)] / f->span).s);
	evidence_clients(f, d, false);
	if (!f->syncookies)
		action_cookies(f, d);
	else if (v[DROPPED(SYNQ_FULL)])
		cookies_are_on(f, d);
	if (s && s->syns >= FLOOD_MIN && sources_top(s, false, true, &top, 1, NULL) &&
	    top.n * 2 > s->syns) {
		action(d, "Ask whose network %s is, where most of it comes from", address(&top, buf));
		more(d, "A rule that drops it shuts out every client there.");
	} else if (!they_come_once(&g)) {
		action(d, "See where it comes from");
		command(d, "tcpdump -ni any 'tcp[13] & 18 == 2 and port %u'", f->l->lport);
	} else {
		action(d, "Filter upstream, or put nft synproxy in front");
		more(d, "The addresses are many or forged: a rule by address does not help.");
		cost(d, "synproxy: each connection is translated from then on.");
	}
	/* Bursts in the accept queue may need one. */
	if (!f->acceptq.ever)
		more(d, " A larger backlog only feeds it.");
	return true;
}

/* Of RETURN_MIN or more that were answered nobody completed, or answered at all. */
static bool nothing_completes(const uint64_t *v, const struct facts *f, bool now, double *answered)
{
	struct answers a;

	judge_answers(v, f, now, &a);
	*answered = a.answered > (double)v[GONE(TIMEOUT)] ? a.answered : (double)v[GONE(TIMEOUT)];
	return *answered >= RETURN_MIN && !(a.good > 0) && !(a.held > 0) &&
	       2 * (double)v[GONE(RCV_RST)] < *answered &&
	       v[TOTAL(SYNACK_RETRANSMIT)] + v[GONE(TIMEOUT)] + v[TOTAL(SYN_COOKIE)] >= RETURN_MIN;
}

/*
 * SYN-ACKs leave, and no ACK comes back from anybody, while the same clients come again: the
 * way back, or a firewall, of this host, too.  Not known whether they come again: then a flood
 * may be it as well.
 */
static bool return_path(const struct facts *f, struct draft *d)
{
	double answered;
	bool now = nothing_completes(f->now, f, true, &answered), flood;
	const uint64_t *v = now ? f->now : f->total;
	struct strangers g = strangers_of(f);
	struct refused r = f->synq;

	if (is_flood(f, &flood) || (!now && !nothing_completes(v, f, false, &answered)))
		return false;
	if (!they_repeat(&g) && g.syns >= RETURN_MIN)
		return false;
	r.active = r.active || now;
	judge_as(d, &r);
	if (!f->synq.active)
		d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "No client of %s %s the handshake: SYN-ACKs %s, and no ACK %s back.",
		 name_of(f->l).s, now ? "completes" : "completed", now ? "leave" : "left",
		 now ? "comes" : "came");
	evidence(d, "%.0f SYNs were answered, and 0 handshakes completed; SYN-ACKs were sent again %llu "
		 "times, and %s expired%s%s", answered, (ull)v[TOTAL(SYNACK_RETRANSMIT)],
		 many(v[GONE(TIMEOUT)], "request").s, now ? ", in the " : "", now ? duration(f->span).s : "");
	if (g.syns >= RETURN_MIN)
		evidence(d, "the same addresses come again, %.1f SYNs each: a flood's come once",
			 g.each);
	else
		evidence(d, "whether the same addresses come again, as clients do, or once, as a flood "
			 "does, was not seen");
	if (f->synq.ever)
		evidence_synq(f, d);
	evidence_clients(f, d, false);
	action(d, "Look for the rule or the route that stops the SYN-ACK or the ACK, on this host first");
	commands_there(f, d, "nft list ruleset; nstat -az TcpExtIPReversePathFilter; conntrack -S");
	more(d, "ip route get CLIENT tells the way back.");
	cost(d, "None: to look costs nothing.");
	action(d, "See which of the two is missing where");
	command(d, "%stcpdump -ni any port %u", in_netns(f).s, f->l->lport);
	return true;
}

/*
 * tcp_syncookies=0 and SYNs dropped because the last quarter of
 * tcp_max_syn_backlog is kept for known peers: the only rule that compares with it.
 */
static bool last_quarter(const struct facts *f, struct draft *d)
{
	uint64_t dropped = f->total[DROPPED(LAST_QUARTER)], now = f->now[DROPPED(LAST_QUARTER)];
	uint64_t max = f->max_syn_backlog, quarter = max >> 2;
	struct refused r = refused_by(f, dropped, now);

	if (!dropped)
		return false;
	judge_as(d, &r);
	/* More of them by the length of the queue: then that is the first thing to tell. */
	if (f->total[DROPPED(SYNQ_FULL)] > dropped)
		d->rank += 100;
	headline(d, "%s %s SYNs from unknown clients: without SYN cookies the last quarter of "
		 "tcp_max_syn_backlog is kept for those that have connected before.", name_of(f->l).s,
		 r.active ? "drops" : "dropped");
	if (max)
		evidence(d, "the comparison: tcp_max_syn_backlog less the queue, %llu - %llu = %llu, "
			 "is less than a quarter of it, %llu; asked only with tcp_syncookies=0",
			 (ull)max, (ull)(max - quarter + 1), (ull)(quarter - 1), (ull)quarter);
	evidence(d, "%s dropped by it%s", many(dropped, "SYN").s, observed(f, now).s);
	evidence_synq(f, d);
	evidence_clients(f, d, true);
	if (f->syncookies) {
		cookies_are_on(f, d);
		return true;
	}
	action_cookies(f, d);
	action(d, "Or without cookies, let the backlog of %llu be reached first", (ull)f->backlog);
	command(d, "%ssysctl -w net.ipv4.tcp_max_syn_backlog=%llu", in_netns(f).s,
		(ull)round_backlog(4 * (f->backlog + 2) / 3 + 1));
	return true;
}

/*
 * TCP_DEFER_ACCEPT, and a SYN queue that was filled before tcpfsm was loaded.  No SYN-ACK is sent again, as
 * it is to clients that do not answer: whether their third ACK came was not seen.
 */
static bool deferred_before(const struct facts *f, struct draft *d)
{
	const uint64_t *t = f->total;
	uint64_t held = t[TOTAL(NOW_SYNQ)];

	if (!t[TOTAL(NOW_DEFER_ACCEPT)] || !f->synq.ever || f->gone || held <= t[TOTAL(SYN_QUEUED)] ||
	    held < f->synq_places || t[TOTAL(SYNACK_RETRANSMIT)] || t[GONE(TIMEOUT)])
		return false;
	judge_as(d, &f->synq);
	headline(d, "The SYN queue of %s is full, and TCP_DEFER_ACCEPT is set: it keeps clients that connect and "
		 "say nothing in the SYN queue until data comes.", name_of(f->l).s);
	evidence(d, "%llu of its %llu places are taken, and %s came in since tcpfsm has looked: the others "
		 "are from before", (ull)held, (ull)f->synq_places, many(t[TOTAL(SYN_QUEUED)], "SYN").s);
	evidence(d, "no SYN-ACK was sent again, as it is to a client that does not answer");
	evidence(d, "it waits for the data as long as %llu SYN-ACKs would be sent again",
		 (ull)t[TOTAL(NOW_DEFER_ACCEPT)]);
	evidence_synq(f, d);
	not_seen(d, "whether those from before have sent their third ACK");
	return true;
}

static void action_deferred(const struct facts *f, struct draft *d)
{
	action(d, "Have %s set TCP_DEFER_ACCEPT to less, or not at all%s", app_of(f->l).s,
	       backlog_setting(f) && !strncmp(f->l->comm, "nginx", 5) ?
	       " (no \"deferred\" in its listen directive)" : "");
	cost(d, "The application is woken for clients that have not said anything yet.");
	if (f->synq.ever && !f->syncookies)
		action_cookies(f, d);
}

/*
 * TCP_DEFER_ACCEPT and requests that wait for data: with a time-out, or they hold
 * most of a SYN queue that was half full at least.  Without either, clients speak at once.
 */
static bool defer_accept(const struct facts *f, struct draft *d)
{
	const uint64_t *t = f->total;
	uint64_t held = t[ACK_DROPPED(DEFER_ACCEPT)], timeouts = t[TOTAL(SYNACK_TIMEOUT)];
	struct refused r = f->synq;
	/* Data came late, or never. */
	bool silent = 2 * t[TOTAL(COMPLETED)] < held ||
		      quantile_s(t, TCPFSM_TOTAL_HANDSHAKE_US, 0.5) >= SLOW_S;
	bool crowded = silent && 2 * held >= t[TOTAL(SYN_QUEUED)] &&
		       (double)t[TOTAL(SYNQ_PEAK)] >= BURST_PEAK * (double)f->synq_places;

	if (!held && deferred_before(f, d)) {
		action_deferred(f, d);
		return true;
	}
	if (!held || (!crowded && timeouts * 100 < held))
		return false;
	if (!crowded && !timeouts)
		return false;
	judge_as(d, &r);
	if (!f->synq.ever || !crowded)
		d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "Clients of %s connect and say nothing: TCP_DEFER_ACCEPT keeps them in the SYN "
		 "queue until data comes%s.", name_of(f->l).s,
		 !f->synq.ever || !crowded ? "" : r.active ? ", and it is full" : ", and it was full");
	evidence(d, "%s held back, %s completed, %s, %s "
		 "expired", many(held, "bare ACK").s, many(t[TOTAL(COMPLETED)], "handshake").s,
		 many(timeouts, "time-out").s, many(t[GONE(TIMEOUT)], "request").s);
	if (t[TOTAL(NOW_DEFER_ACCEPT)])
		evidence(d, "it waits for the data as long as %llu SYN-ACKs would be sent again",
			 (ull)t[TOTAL(NOW_DEFER_ACCEPT)]);
	evidence_synq(f, d);
	evidence_clients(f, d, false);
	action_deferred(f, d);
	return true;
}

/*
 * SYN-ACKs do not arrive: handshakes completed after another SYN-ACK (LATE_MIN and
 * LATE_SHARE of all, less those held back by a full accept queue or TCP_DEFER_ACCEPT),
 * or clients that send their SYN again though it was answered.
 */
static bool synack_lost(const struct facts *f, struct draft *d)
{
	bool now = f->now[TOTAL(COMPLETED_LATE)] >= LATE_MIN;
	const uint64_t *v = now ? f->now : f->total;
	uint64_t done = v[TOTAL(COMPLETED)], late = v[TOTAL(COMPLETED_LATE)];
	/* Their ACKs may have been held back before the observation began. */
	uint64_t other = f->total[ACK_DROPPED(ACCEPTQ_FULL)] + f->total[ACK_DROPPED(DEFER_ACCEPT)];
	struct refused r = f->synq;
	struct answers a;
	bool alive;

	late = late > other ? late - other : 0;
	judge_answers(v, f, now, &a);
	alive = a.repeated >= LATE_MIN && a.repeated >= REPEATED_SHARE * a.answered && !other;
	if ((late < LATE_MIN || (double)late < LATE_SHARE * (double)done) && !alive)
		return false;
	/* Nobody gets through: see return_path(). */
	if (!(a.good > 0))
		return false;
	now = now || f->now[TOTAL(SYNACK_RETRANSMIT)] >= LATE_MIN;
	r.active = r.active || now;
	judge_as(d, &r);
	if (!f->synq.ever)
		d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "SYN-ACKs of %s %s: clients %s%s.", name_of(f->l).s,
		 now ? "get lost" : "got lost",
		 late ? "complete the handshake, but only after it is sent again" :
			"send their SYN again though it was answered",
		 f->synq.ever ? ", and meanwhile they fill the SYN queue" : "");
	if (done)
		evidence(d, "%llu of %s (%.0f %%) took more than one SYN-ACK; half of all "
			 "take up to about %s, 99 %% up to about %s", (ull)late, many(done, "handshake").s,
			 percent((double)late, (double)done),
			 duration(quantile_s(v, TCPFSM_TOTAL_HANDSHAKE_US, 0.5)).s,
			 duration(quantile_s(v, TCPFSM_TOTAL_HANDSHAKE_US, 0.99)).s);
	evidence(d, "%llu SYN-ACKs were sent again, %llu after a time-out and the others because the "
		 "client sent its SYN again; %s expired",
		 (ull)v[TOTAL(SYNACK_RETRANSMIT)], (ull)v[TOTAL(SYNACK_TIMEOUT)],
		 many(v[GONE(TIMEOUT)], "request").s);
	if (f->synq.ever)
		evidence_synq(f, d);
	evidence_clients(f, d, false);
	action(d, "Look for the loss on the way to these clients, at both ends");
	command(d, "%stcpdump -ni any 'tcp[13] & 18 == 18 and port %u'", in_netns(f).s, f->l->lport);
	more(d, "It is not a matter of limits: ip -s link, tc -s qdisc, nft rules, another way back.");
	cost(d, "None: to look costs nothing.");
	if (f->synq.ever && !f->syncookies)
		action_cookies(f, d);
	return true;
}

/*
 * The accept queue stands, which no limit cures; and third ACKs that meet it full keep their places in
 * the SYN queue, which has the same limit.
 */
static bool stands_for_acceptq(const struct facts *f)
{
	struct acceptance a;

	if (f->no_descriptors)
		return true;
	if (!f->acceptq.ever || pace_is_unseen(f))
		return false;
	judge_acceptance(f, &a);
	return a.pace != BURSTS;
}

/*
 * Handshakes take long (half of them SLOW_S or more) without another SYN-ACK: the clients
 * are far away, or slow.  It matters when the SYN queue is too short for it.
 */
static bool slow_clients(const struct facts *f, struct draft *d)
{
	bool now = sum(f->now, TCPFSM_TOTAL_HANDSHAKE_US, TCPFSM_TOTAL_BUCKETS) >= SLOW_MIN;
	const uint64_t *v = now ? f->now : f->total;
	uint64_t n = sum(v, TCPFSM_TOTAL_HANDSHAKE_US, TCPFSM_TOTAL_BUCKETS);
	double p50 = quantile_s(v, TCPFSM_TOTAL_HANDSHAKE_US, 0.5);
	double seconds = now ? f->span : 0, need;
	uint64_t first, last;

	if (n < SLOW_MIN || p50 < SLOW_S || v[TOTAL(COMPLETED_LATE)] * 2 > n ||
	    v[ACK_DROPPED(DEFER_ACCEPT)] * 2 > n || v[ACK_DROPPED(ACCEPTQ_FULL)] * 2 > n ||
	    (f->synq.ever && (is_flood(f, &now) || stands_for_acceptq(f) || !handshakes(f->total))))
		return false;
	judge_as(d, &f->synq);
	if (!f->synq.ever)
		d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "Clients of %s take long for the handshake: each holds a place in the SYN queue "
		 "for about %s%s.", name_of(f->l).s, duration(p50).s,
		 !f->synq.ever ? "" : f->synq.active ? ", and these do not suffice" :
						       ", and these did not suffice");
	evidence(d, "handshakes: half take up to about %s, 99 %% %s; %llu of %llu needed another "
		 "SYN-ACK: the way is long, not lossy", duration(p50).s,
		 duration(quantile_s(v, TCPFSM_TOTAL_HANDSHAKE_US, 0.99)).s,
		 (ull)v[TOTAL(COMPLETED_LATE)], (ull)n);
	if (!f->synq.ever)
		return true;
	evidence_synq(f, d);
	refused_between(f, SIDE_SYNQ, &first, &last);
	if (!(seconds > 0))
		seconds = (double)(last - first) / NSEC_PER_SEC + p50;
	need = (double)(now ? f->now[TOTAL(SYN)] : n) / seconds * p50;
	if (need > (double)f->synq_places)
		evidence(d, "Little's law: %s x %s want %.0f places, and there are %llu",
			 rate((double)(now ? f->now[TOTAL(SYN)] : n) / seconds).s, duration(p50).s,
			 need, (ull)f->synq_places);
	evidence_clients(f, d, true);
	need = need < 65535 ? need : 65535;
	raise_synq(f, d, round_backlog(need > 2 * (double)f->backlog ? (uint64_t)need : 2 * f->backlog));
	if (!f->syncookies)
		action_cookies(f, d);
	return true;
}


/* SYNs dropped because the SYN queue was full: without cookies. */
static bool synq_full(const struct facts *f, struct draft *d)
{
	uint64_t dropped = f->total[DROPPED(SYNQ_FULL)], now = f->now[DROPPED(SYNQ_FULL)];
	struct refused r = refused_by(f, dropped, now);
	bool flood_now, flood;
	struct replayed p;

	if (!dropped)
		return false;
	replay_facts(f, &p);
	flood = is_flood(f, &flood_now);
	judge_as(d, &r);
	headline(d, "The SYN queue of %s %s full, and without SYN cookies %s %s dropped.",
		 name_of(f->l).s, r.active ? "is" : "was", many(dropped, "SYN").s,
		 were(dropped));
	evidence_synq(f, d);
	if (!flood && handshakes(f->total))
		evidence_replay(f, d, &p, SIDE_SYNQ, false);
	evidence_clients(f, d, true);
	if (f->syncookies)
		cookies_are_on(f, d);
	else
		action_cookies(f, d);
	if (flood && !f->acceptq.ever)
		more(d, " A larger backlog would only be filled by the flood, too.");
	else if (stands_for_acceptq(f))
		more(d, " What keeps it full is the accept queue: a longer one does not help.");
	else if (!handshakes(f->total) && !f->acceptq.ever)
		more(d, " Nobody completes a handshake here: a longer queue does not help.");
	else if (!flood)
		raise_synq(f, d, wanted_backlog(f, &p, SIDE_SYNQ));
	return true;
}

/* SYNs answered with cookies because the SYN queue was full. */
static bool syn_cookies(const struct facts *f, struct draft *d)
{
	const uint64_t *t = f->total;
	uint64_t sent = t[TOTAL(SYN_COOKIE)], now = f->now[TOTAL(SYN_COOKIE)];
	bool flood_now;
	double answered;
	struct replayed p;

	if (!sent || f->syncookies == 2)
		return false;
	/* Nobody gets in by them: that is syn_flood or return_path. */
	if (nothing_completes(t, f, false, &answered))
		return false;
	d->active = refuses_now(f, now);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "The SYN queue of %s %s full: clients %s in with SYN cookies, which lose TCP "
		 "options.", name_of(f->l).s, d->active ? "is" : "was", d->active ? "get" : "got");
	evidence(d, "%s sent%s; %llu came back, which made %s", many(sent, "cookie").s,
		 observed(f, now).s, (ull)t[TOTAL(COOKIE_VALID)], many(t[TOTAL(COMPLETED_COOKIE)], "connection").s);
	evidence(d, "such a connection has window scale, SACK and ECN only when the client sends "
		 "timestamps, an MSS rounded down to one of four, and no SYN-ACK sent again");
	evidence_synq(f, d);
	evidence_clients(f, d, true);
	if (is_flood(f, &flood_now)) {
		action(d, "Leave tcp_syncookies on");
		more(d, "Cookies do what they are for in a flood.");
		return true;
	}
	if (stands_for_acceptq(f)) {
		action(d, "Leave tcp_syncookies on");
		more(d, "What keeps the queue full is the accept queue: a longer one does not help.");
		return true;
	}
	if (!handshakes(t) && !f->acceptq.ever) {
		action(d, "Leave tcp_syncookies on");
		more(d, "Nobody completes a handshake here: a longer queue does not help.");
		return true;
	}
	replay_facts(f, &p);
	evidence_replay(f, d, &p, SIDE_SYNQ, false);
	raise_backlog(f, d, wanted_backlog(f, &p, SIDE_SYNQ));
	more(d, " Clients complete these handshakes, so a longer queue helps them. Leave tcp_syncookies "
	     "on.");
	return true;
}

/* tcp_syncookies=2: every SYN gets a cookie, full queue or not. */
static bool syn_cookies_always(const struct facts *f, struct draft *d)
{
	uint64_t sent = f->total[TOTAL(SYN_COOKIE)];
	struct refused r = { .active = f->now[TOTAL(SYN_COOKIE)] };

	if (!sent || f->syncookies != 2)
		return false;
	judge_as(d, &r);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "tcp_syncookies=2: every client of %s gets a SYN cookie, though the SYN queue has "
		 "room, and loses TCP options.", name_of(f->l).s);
	evidence(d, "%s sent, %llu came back; SYN queue at most %llu of %llu", many(sent, "cookie").s,
		 (ull)f->total[TOTAL(COOKIE_VALID)], (ull)f->total[TOTAL(SYNQ_PEAK)],
		 (ull)f->synq_places);
	evidence(d, "such a connection has window scale, SACK and ECN only when the client sends "
		 "timestamps, an MSS rounded down to one of four, no SYN-ACK sent again, and no TCP "
		 "Fast Open");
	action(d, "Send cookies only when the queue is full");
	command(d, "%ssysctl -w net.ipv4.tcp_syncookies=1", in_netns(f).s);
	cost(d, "None: 2 is meant for tests.");
	return true;
}

/* ---- other refusals ---------------------------------------------------------------- */

/* Refused for a reason that is no queue: they are in ListenDrops, too. */
static bool refused_otherwise(const struct facts *f, struct draft *d)
{
	static const struct {
		uint8_t reason;
		const char *text, *action, *command, *more;
	} why[] = {
		{ TCPFSM_REASON_NO_ROUTE, "there is no route back to the client",
		  "Give the machine a route to these clients", "ip route",
		  "ip route get CLIENT tells which is missing. Or drop such addresses before: rp_filter." },
		{ TCPFSM_REASON_NO_MEMORY, "the kernel found no memory",
		  "See what takes the memory", "dmesg | tail; sysctl net.ipv4.tcp_mem",
		  "The control group has a limit, too: memory.max." },
		{ TCPFSM_REASON_SECURITY, "a security module refused",
		  "See the log of the security module", "ausearch -m avc; dmesg | tail", "" },
		{ TCPFSM_REASON_OTHER, "the kernel does not tell why",
		  "See which counter of the kernel moves", "nstat -az 'TcpExt*'",
		  "TCP-MD5 and TCP-AO keys, socket filters and IP_MINTTL refuse without a reason of their own." },
	};
	uint64_t n[4], now = 0, all = 0, most = 0;
	struct refused r;
	unsigned int i, top = 0;

	for (i = 0; i < 4; i++) {
		n[i] = f->total[TCPFSM_TOTAL_SYN_DROPPED + why[i].reason] +
		       f->total[TCPFSM_TOTAL_ACK_DROPPED + why[i].reason];
		now += f->now[TCPFSM_TOTAL_SYN_DROPPED + why[i].reason] +
		       f->now[TCPFSM_TOTAL_ACK_DROPPED + why[i].reason];
		all += n[i];
		if (n[i] > most) {
			most = n[i];
			top = i;
		}
	}
	if (!all)
		return false;
	r = refused_by(f, all, now);
	judge_as(d, &r);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "%s %s SYNs or ACKs, and no queue is to blame: %s.", name_of(f->l).s,
		 r.active ? "refuses" : "refused", why[top].text);
	for (i = 0; i < 4; i++)
		if (n[i])
			evidence(d, "%llu refused: %s", (ull)n[i], why[i].text);
	if (f->span > 0)
		evidence(d, "%llu in all%s", (ull)all, observed(f, now).s);
	evidence_clients(f, d, true);
	action(d, "%s", why[top].action);
	command(d, "%s%s", in_netns(f).s, why[top].command);
	more(d, "%s", why[top].more);
	return true;
}

/* Dropped before a socket has it, of which only the kernel's counters tell: while it was observed DROPS_MIN or more. */
static bool dropped_before(const struct facts *f, struct draft *d)
{
	static const struct {
		const char *name, *text;
	} of[PROC_NDROPS] = {
#define OF(name, text) { name, text },
		PROC_DROPS(OF)
#undef OF
	};
	uint64_t now[PROC_NDROPS], n = 0;
	unsigned int i, top = 0;

	if (!f->drops || !proc_drops(f->opts->proc, f->drops->pid, now))
		return false;
	for (i = 0; i < PROC_NDROPS; i++) {
		/* Of another network namespace, should its process have gone there. */
		now[i] = now[i] > f->drops->n[i] ? now[i] - f->drops->n[i] : 0;
		n += now[i];
		top = now[i] > now[top] ? i : top;
	}
	if (n < DROPS_MIN)
		return false;
	d->weight = n;
	d->active = true;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "In %s the kernel drops what comes before a socket has it: %llu %s.", netns_name(f).s, (ull)now[top],
		 of[top].text);
	for (i = 0; i < PROC_NDROPS; i++)
		if (now[i])
			evidence(d, "TcpExt%s has moved by %llu since %s: %s", of[i].name, (ull)now[i],
				 moment(f, f->drops->ts).s, of[i].text);
	evidence(d, "no listener and no connection is told of these: clients wait for an answer in vain");
	action(d, "See whose they are, and what the socket demands");
	commands_there(f, d, "nstat -az TcpExt%s; tcpdump -ni any -v tcp", of[top].name);
	cost(d, "None: to look costs nothing.");
	return true;
}

/* Counted for the network namespace: what listeners left behind that are remembered no more. */
static bool listeners_closed(const struct facts *f, struct draft *d)
{
	uint64_t left = f->total[TOTAL(ABANDONED)];

	if (!left)
		return false;
	d->weight = left;
	d->active = f->now[TOTAL(ABANDONED)];
	d->f.severity = d->active ? TCPFSM_SEVERITY_WARNING : TCPFSM_SEVERITY_INFO;
	headline(d, "In %s %s %s reset, as listeners were closed with them in the accept "
		 "queue.", netns_name(f).s, many(left, "connection").s, were(left));
	evidence(d, "which listeners is not known any more: they are remembered for a minute%s",
		 f->span > 0 && !f->now[TOTAL(ABANDONED)] ? "; none while observed" : "");
	action(d, "Have servers accept until EAGAIN before they close a listener, or hand the socket over when "
	       "they restart");
	more(d, "tcpfsm record keeps which ones from now on.");
	return true;
}

/* Counted for the network namespace: listeners that left the table, or never were in it. */
static bool listeners_gone(const struct facts *f, struct draft *d)
{
	uint64_t dropped = sum(f->total, TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS) +
			   sum(f->total, TCPFSM_TOTAL_ACK_DROPPED, TCPFSM_TOTAL_REASONS) -
			   f->total[ACK_DROPPED(DEFER_ACCEPT)] - f->total[ACK_DROPPED(COOKIE_INVALID)];

	if (!dropped || f->total[TOTAL(REFUSED_LAST_TS)] + GONE_TOLD_S * NSEC_PER_SEC < f->l->ts)
		return false;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "In %s %s or ACK%s %s dropped by listeners that are gone%s.",
		 netns_name(f).s, many(dropped, "SYN").s, plural(dropped), were(dropped),
		 f->total[TOTAL(LISTENERS_LOST)] ? ", or have no place in the module's table" : "");
	evidence(d, "accept queue full: %llu; SYN queue full: %llu; last quarter: %llu; last at %s",
		 (ull)f->acceptq.ever, (ull)f->total[DROPPED(SYNQ_FULL)],
		 (ull)f->total[DROPPED(LAST_QUARTER)], moment(f, f->total[TOTAL(REFUSED_LAST_TS)]).s);
	action(d, "Record what happens from now on");
	command(d, "tcpfsm record /var/tmp/tcpfsm");
	more(d, "Nothing is left to look at: listeners are remembered for a minute after they were closed.");
	return true;
}

static bool listeners_unwatched(const struct facts *f, struct draft *d)
{
	uint64_t lost = f->total[TOTAL(LISTENERS_LOST)];

	if (!lost)
		return false;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "There are more listeners in %s than tcpfsm watches: what they do is "
		 "counted together.", name_of(f->l).s);
	evidence(d, "%s of listeners without a place in the table", many(lost, "event").s);
	action(d, "Load the module again with room for them");
	command_load(f->opts, d, "", " listeners=4096");
	cost(d, "Each listener takes kernel memory on each CPU; the totals begin anew.");
	return true;
}

/* ---- good to know -------------------------------------------------------------------- */

/* ACKs with a cookie that is none: forged, or late. */
static bool cookies_forged(const struct facts *f, struct draft *d)
{
	uint64_t bad = f->total[ACK_DROPPED(COOKIE_INVALID)] + f->total[ACK_RESET(COOKIE_INVALID)];
	uint64_t good = f->total[TOTAL(COOKIE_VALID)];
	uint64_t now = f->now[ACK_DROPPED(COOKIE_INVALID)] + f->now[ACK_RESET(COOKIE_INVALID)];

	if (bad < FORGED_MIN || (double)bad < RESET_SHARE * (double)good)
		return false;
	d->active = now;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "%s %s ACKs that carry no valid SYN cookie: %s.",
		 name_of(f->l).s, now ? "gets" : "got",
		 f->total[ACK_DROPPED(ACCEPTQ_FULL)] && f->total[GONE(TIMEOUT)] ?
		 "of clients whose request has expired, as their third ACK met a full accept queue, or "
		 "forged" : "forged, or later than two minutes");
	detail(d, "They do no harm.");
	evidence(d, "%llu invalid%s, and %llu valid ones", (ull)bad, observed(f, now).s, (ull)good);
	return true;
}

/* Clients answer the SYN-ACK with an RST: scans, old SYNs, or addresses that others forged. */
static bool requests_reset(const struct facts *f, struct draft *d)
{
	uint64_t n = f->total[GONE(RCV_RST)], now = f->now[GONE(RCV_RST)];

	if (n < RESET_MIN || (double)n < RESET_SHARE * (double)f->total[TOTAL(SYN_QUEUED)])
		return false;
	d->active = now;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "Peers answer the SYN-ACK of %s with an RST: a scan of ports, SYNs that are old, or "
		 "a health check.", name_of(f->l).s);
	detail(d, "Each gives its place in the SYN queue back at once.");
	/* Some may be older than the totals. */
	if (n > f->total[TOTAL(SYN_QUEUED)])
		evidence(d, "%s%s", many(n, "request").s, observed(f, now).s);
	else
		evidence(d, "%llu of %s (%.0f %%)%s", (ull)n, many(f->total[TOTAL(SYN_QUEUED)], "request").s,
			 percent((double)n, (double)f->total[TOTAL(SYN_QUEUED)]), observed(f, now).s);
	evidence_clients(f, d, false);
	return true;
}

static bool peaked(uint64_t peak, uint64_t places, uint64_t full_ns, double seconds)
{
	return peak >= 16 && (double)peak >= BURST_PEAK * (double)places &&
	       (double)full_ns / NSEC_PER_SEC < 0.01 * (seconds + 1);
}

/*
 * A queue was at least half full once, and full for less than a hundredth of the time:
 * who looks once a second sees nothing.
 */
static bool micro_burst(const struct facts *f, struct draft *d)
{
	const uint64_t *t = f->total;
	bool synq = peaked(t[TOTAL(SYNQ_PEAK)], f->synq_places, t[TOTAL(SYNQ_FULL_NS)], f->age);
	bool acceptq = peaked(t[TOTAL(ACCEPTQ_PEAK)], f->acceptq_places,
			      t[TOTAL(ACCEPTQ_FULL_NS)], f->age);

	if (f->gone || (!synq && !acceptq))
		return false;
	/* Queues that are long now are no burst. */
	if (2 * t[TOTAL(NOW_ACCEPTQ)] > t[TOTAL(ACCEPTQ_PEAK)] ||
	    2 * t[TOTAL(NOW_SYNQ)] > t[TOTAL(SYNQ_PEAK)])
		return false;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "Bursts come to %s: a queue was up to %.0f %% full for a moment, which ss once a "
		 "second does not show.", name_of(f->l).s,
		 synq && percent((double)t[TOTAL(SYNQ_PEAK)], (double)f->synq_places) >
			 percent((double)t[TOTAL(ACCEPTQ_PEAK)], (double)f->acceptq_places) ?
		 percent((double)t[TOTAL(SYNQ_PEAK)], (double)f->synq_places) :
		 percent((double)t[TOTAL(ACCEPTQ_PEAK)], (double)f->acceptq_places));
	evidence(d, "accept queue: longest %llu of %llu at %s, full for %s in all, %llu now",
		 (ull)t[TOTAL(ACCEPTQ_PEAK)], (ull)f->acceptq_places,
		 moment(f, t[TOTAL(ACCEPTQ_PEAK_TS)]).s,
		 duration((double)t[TOTAL(ACCEPTQ_FULL_NS)] / NSEC_PER_SEC).s, (ull)t[TOTAL(NOW_ACCEPTQ)]);
	evidence(d, "SYN queue: longest %llu of %llu at %s, full for %s in all, %llu now",
		 (ull)t[TOTAL(SYNQ_PEAK)], (ull)f->synq_places,
		 moment(f, t[TOTAL(SYNQ_PEAK_TS)]).s,
		 duration((double)t[TOTAL(SYNQ_FULL_NS)] / NSEC_PER_SEC).s, (ull)t[TOTAL(NOW_SYNQ)]);
	if (f->sources && f->sources->busiest > 1)
		evidence(d, "the busiest 10 ms of those recorded brought %s, at %s",
			 many(f->sources->busiest, "SYN").s,
			 moment(f, f->sources->busiest_ts - (uint64_t)f->opts->epoch_offset).s);
	evidence(d, "the wait for accept(): 99 %% up to about %s",
		 duration(quantile_s(t, TCPFSM_TOTAL_ACCEPT_US, 0.99)).s);
	if (!f->acceptq.ever && !f->synq.ever) {
		raise_backlog(f, d, round_backlog(2 * (t[TOTAL(ACCEPTQ_PEAK)] > t[TOTAL(SYNQ_PEAK)] ?
						      t[TOTAL(ACCEPTQ_PEAK)] : t[TOTAL(SYNQ_PEAK)])));
		more(d, " None of it is needed yet: the queues took the bursts.");
	}
	return true;
}

const struct rule explain_syn_rules[] = {
	{ "no_descriptors",	 SIDE_ACCEPTQ, ABOUT_LISTENER, no_descriptors },
	{ "reuseport_member",	 SIDE_ACCEPTQ, ABOUT_LISTENER, reuseport_member },
	{ "acceptq_app_slow",	 SIDE_ACCEPTQ, ABOUT_LISTENER, acceptq_app_slow },
	{ "acceptq_somaxconn",	 SIDE_ACCEPTQ, ABOUT_LISTENER, acceptq_somaxconn },
	{ "acceptq_limit_small", SIDE_ACCEPTQ, ABOUT_LISTENER, acceptq_limit_small },
	{ "not_judged",		 SIDE_ACCEPTQ, ABOUT_LISTENER, accepts_not_judged },
	{ "accept_stalled",	 SIDE_ACCEPTQ, ABOUT_LISTENER, accept_stalled },
	{ "listener_closed",	 SIDE_ACCEPTQ, ABOUT_LISTENER, listener_closed },
	{ "phantom_connections", SIDE_ACCEPTQ, ABOUT_LISTENER, phantom_connections },
	{ "reset_on_overflow",	 SIDE_ACCEPTQ, ABOUT_LISTENER, reset_on_overflow },
	{ "syn_flood",		 SIDE_SYNQ,    ABOUT_LISTENER, syn_flood },
	{ "return_path",	 SIDE_SYNQ,    ABOUT_LISTENER, return_path },
	{ "last_quarter",	 SIDE_SYNQ,    ABOUT_LISTENER, last_quarter },
	{ "defer_accept",	 SIDE_SYNQ,    ABOUT_LISTENER, defer_accept },
	{ "synack_lost",	 SIDE_SYNQ,    ABOUT_LISTENER, synack_lost },
	{ "slow_clients",	 SIDE_SYNQ,    ABOUT_LISTENER, slow_clients },
	{ "synq_full",		 SIDE_SYNQ,    ABOUT_LISTENER, synq_full },
	{ "syn_cookies",	 SIDE_SYNQ,    ABOUT_LISTENER, syn_cookies },
	{ "syn_cookies_always",	 SIDE_SYNQ,    ABOUT_LISTENER, syn_cookies_always },
	{ "refused_otherwise",	 SIDE_NONE,    ABOUT_LISTENER, refused_otherwise },
	{ "cookies_forged",	 SIDE_NONE,    ABOUT_LISTENER, cookies_forged },
	{ "requests_reset",	 SIDE_NONE,    ABOUT_LISTENER, requests_reset },
	{ "micro_burst",	 SIDE_NONE,    ABOUT_LISTENER, micro_burst },
	{ "refused_otherwise",	 SIDE_NONE,    ABOUT_NETNS,    dropped_before },
	{ "listener_closed",	 SIDE_NONE,    ABOUT_NETNS,    listeners_closed },
	{ "listeners_gone",	 SIDE_NONE,    ABOUT_NETNS,    listeners_gone },
	{ "listeners_unwatched", SIDE_NONE,    ABOUT_NETNS,    listeners_unwatched },
};

const unsigned int explain_syn_nrules = sizeof(explain_syn_rules) / sizeof(explain_syn_rules[0]);
