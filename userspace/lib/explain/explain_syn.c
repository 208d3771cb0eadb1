// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Why SYNs are dropped or answered with cookies: the SYN queue, floods, and SYN-ACKs that
 * do not arrive or are not answered.
 *
 * Of rules see explain_queue.h.
 */
#include <string.h>

#include "explain_queue.h"

/* ---- thresholds ------------------------------------------------------------------ */

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
/* SYN-ACKs lost: handshakes that took another SYN-ACK. */
#define LATE_MIN	3
#define LATE_SHARE	0.05
/* Clients far away: half of the handshakes take longer than that, in seconds. */
#define SLOW_S		0.2
#define SLOW_MIN	10

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
		action(d, "Ask whose network %s is, where most of it comes from", source_name(&top, buf));
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
	evidence(d, "%s dropped by it%s", many(dropped, "SYN").s, while_observed(f, now).s);
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
		 while_observed(f, now).s, (ull)t[TOTAL(COOKIE_VALID)], many(t[TOTAL(COMPLETED_COOKIE)], "connection").s);
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

const struct rule explain_syn_rules[] = {
	{ "syn_flood",		 SIDE_SYNQ,    ABOUT_LISTENER, syn_flood },
	{ "return_path",	 SIDE_SYNQ,    ABOUT_LISTENER, return_path },
	{ "last_quarter",	 SIDE_SYNQ,    ABOUT_LISTENER, last_quarter },
	{ "defer_accept",	 SIDE_SYNQ,    ABOUT_LISTENER, defer_accept },
	{ "synack_lost",	 SIDE_SYNQ,    ABOUT_LISTENER, synack_lost },
	{ "slow_clients",	 SIDE_SYNQ,    ABOUT_LISTENER, slow_clients },
	{ "synq_full",		 SIDE_SYNQ,    ABOUT_LISTENER, synq_full },
	{ "syn_cookies",	 SIDE_SYNQ,    ABOUT_LISTENER, syn_cookies },
	{ "syn_cookies_always",	 SIDE_SYNQ,    ABOUT_LISTENER, syn_cookies_always },
};

const unsigned int explain_syn_nrules = sizeof(explain_syn_rules) / sizeof(explain_syn_rules[0]);
