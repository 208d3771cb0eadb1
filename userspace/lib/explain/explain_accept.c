// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Why SYNs and third ACKs meet a full accept queue, who is to blame for it, and what it does to
 * clients; connections that wait without an accept(), or that a closed listener left behind.
 *
 * Of rules see explain_queue.h.
 */
#include <stdio.h>
#include <string.h>

#include "explain_queue.h"

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
/* Accepts that the sums want and nobody saw. */
#define UNSEEN_MIN	3
/* fs.nr_open: more descriptors no process has, unless that is raised, too. */
#define NR_OPEN		1048576
/* Of SO_REUSEPORT: the others had so few places taken when one was full. */
#define IDLE_MEMBER	0.5

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

/*
 * The accept queue stands, which no limit cures; and third ACKs that meet it full keep their places in
 * the SYN queue, which has the same limit.
 */
bool stands_for_acceptq(const struct facts *f)
{
	struct acceptance a;

	if (f->no_descriptors)
		return true;
	if (!f->acceptq.ever || pace_is_unseen(f))
		return false;
	judge_acceptance(f, &a);
	return a.pace != BURSTS;
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
	evidence(d, "%s dropped%s; the same client may count several times", many(acks, "ACK").s, while_observed(f, now).s);
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
		 "client", many(acks, "third ACK").s, while_observed(f, now).s);
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

const struct rule explain_accept_rules[] = {
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
};

const unsigned int explain_accept_nrules = sizeof(explain_accept_rules) / sizeof(explain_accept_rules[0]);
