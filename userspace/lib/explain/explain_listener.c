// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Refusals of which no queue is to blame, listeners that are gone or have no place, and what is
 * good to know of a listener.
 *
 * Of rules see explain_queue.h.
 */
#include "explain_queue.h"

/* ---- thresholds ------------------------------------------------------------------ */

/* Dropped before a socket while observed: stray ones come anywhere. */
#define DROPS_MIN	5
/* What listeners that are gone refused is told for so long. */
#define GONE_TOLD_S	300
/* ACKs with bad cookies, and resets after a SYN-ACK: fewer happen anywhere. */
#define FORGED_MIN	10
#define RESET_MIN	10
#define RESET_SHARE	0.1

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
		evidence(d, "%llu in all%s", (ull)all, while_observed(f, now).s);
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
	evidence(d, "%llu invalid%s, and %llu valid ones", (ull)bad, while_observed(f, now).s, (ull)good);
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
		evidence(d, "%s%s", many(n, "request").s, while_observed(f, now).s);
	else
		evidence(d, "%llu of %s (%.0f %%)%s", (ull)n, many(f->total[TOTAL(SYN_QUEUED)], "request").s,
			 percent((double)n, (double)f->total[TOTAL(SYN_QUEUED)]), while_observed(f, now).s);
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

const struct rule explain_listener_rules[] = {
	{ "refused_otherwise",	 SIDE_NONE,    ABOUT_LISTENER, refused_otherwise },
	{ "cookies_forged",	 SIDE_NONE,    ABOUT_LISTENER, cookies_forged },
	{ "requests_reset",	 SIDE_NONE,    ABOUT_LISTENER, requests_reset },
	{ "micro_burst",	 SIDE_NONE,    ABOUT_LISTENER, micro_burst },
	{ "refused_otherwise",	 SIDE_NONE,    ABOUT_NETNS,    dropped_before },
	{ "listener_closed",	 SIDE_NONE,    ABOUT_NETNS,    listeners_closed },
	{ "listeners_gone",	 SIDE_NONE,    ABOUT_NETNS,    listeners_gone },
	{ "listeners_unwatched", SIDE_NONE,    ABOUT_NETNS,    listeners_unwatched },
};

const unsigned int explain_listener_nrules = sizeof(explain_listener_rules) / sizeof(explain_listener_rules[0]);
