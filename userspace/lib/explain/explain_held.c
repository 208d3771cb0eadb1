// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Connections that stay half closed, as the process that has them does not close: in CLOSE_WAIT,
 * after the peer has closed, and in FIN_WAIT2, after a shutdown() of its own.
 */
#include <stdio.h>
#include <string.h>

#include "explain.h"

/* ---- thresholds ------------------------------------------------------------------ */

/*
 * So many of one name, each for HELD_OLD_S or longer.  Who works closes within a moment; what
 * takes longer is known, and either less than a minute or a few at a time: nginx lingers for up to
 * 30 s (lingering_time) and keeps a client that has gone until its upstream has answered, 60 s
 * (proxy_read_timeout); haproxy waits half a minute or so for the other half (timeout
 * client-fin); a backend of PostgreSQL does not notice that its client has gone before its query
 * is done; ssh keeps a forwarded connection for as long as one direction is in use.
 */
#define HELD_MIN	10
/*
 * CLOSE_WAIT whose age is not known, as it is from before the records: so many that were there
 * when the observation began, and hardly any of them has been closed meanwhile.  Where a busy proxy has
 * many at a time, they change.
 */
#define THERE_MIN	20
#define THERE_SHARE	0.9
#define THERE_S		2
#define TOLD		3

/* ---- what rules have in common ------------------------------------------------------- */

static struct words holder(const struct held *h)
{
	struct words w = { "A process that is not known" };

	if (h->pid)
		snprintf(w.s, sizeof(w.s), "%s (pid %u)", h->comm, h->pid);
	return w;
}

static double observed(const struct facts *f)
{
	uint64_t snap = f->holders->snap_ts;

	return snap && f->l->ts > snap ? (double)(f->l->ts - snap) / NSEC_PER_SEC : 0;
}

/*
 * Those of the snapshot that the records do not tell of: when they were in that state already;
 * CLOCK_MONOTONIC, 0: not known.
 */
static uint64_t unknown_since(const struct facts *f)
{
	uint64_t counts = f->ns->total[TOTAL(NOW_SINCE_TS)], complete = f->opts->complete_since;

	if (!complete || !counts)
		return f->holders->snap_ts;
	return counts > complete ? counts : complete;
}

/* For HELD_OLD_S or longer. */
static uint64_t old(const struct facts *f, const struct held *h)
{
	uint64_t since = unknown_since(f);

	return h->old + (since && since + HELD_OLD_S * NSEC_PER_SEC <= f->l->ts ? h->unknown : 0);
}

static bool is_leak(const struct facts *f, const struct held *h)
{
	if (old(f, h) >= HELD_MIN)
		return true;
	return h->state == TCPFSM_STATE_CLOSE_WAIT && observed(f) >= THERE_S && h->there >= THERE_MIN &&
	       (double)h->there >= THERE_SHARE * (double)h->before;
}

/* The names that have most, in that state and network namespace. */
static size_t leaks(const struct facts *f, uint8_t state, const struct held *top[TOLD])
{
	size_t i, k, len = 0;

	for (i = 0; f->holders && i < f->holders->n; i++) {
		const struct held *h = &f->holders->of[i];

		if (h->netns != f->l->netns || h->state != state || !is_leak(f, h))
			continue;
		for (k = len < TOLD ? len++ : TOLD; k && top[k - 1]->n < h->n; k--)
			if (k < TOLD)
				top[k] = top[k - 1];
		if (k < TOLD)
			top[k] = h;
	}
	return len;
}

static void begin(struct draft *d, const struct held *h)
{
	d->active = true;
	d->weight = h->n;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	set_owner(d, h->pid, h->pid, h->comm);
}

/* To see which they are; what: of ss. */
static void command_ss(const struct facts *f, struct draft *d, const struct held *h, const char *what)
{
	command(d, "%sss %s", in_netns(f).s, what);
	if (h->pid)
		command(d, " | grep -w pid=%u", h->pid);
}

/* "the oldest for 3.0 min", "some for longer than the 3.0 s observed" */
static struct words since(const struct facts *f, const struct held *h)
{
	uint64_t now = f->l->ts + (uint64_t)f->opts->epoch_offset;
	double age = h->oldest && now > h->oldest ? (double)(now - h->oldest) / NSEC_PER_SEC : 0;
	uint64_t known = unknown_since(f);
	double before = known && f->l->ts > known ? (double)(f->l->ts - known) / NSEC_PER_SEC : 0;
	struct words w;

	if (h->unknown && before >= age)
		snprintf(w.s, sizeof(w.s), "%sfor longer than the %.40s %s",
			 h->unknown < h->n ? "some " : "", duration(before).s,
			 known < f->holders->snap_ts ? "that the records tell of" : "observed");
	else
		snprintf(w.s, sizeof(w.s), "the oldest for %.40s", duration(age).s);
	return w;
}

static void evidence_held(const struct facts *f, struct draft *d, const struct held *const top[TOLD],
			  size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct held *h = top[i];

		evidence(d, "%s%s: %llu in %s, %llu of them for a minute or longer; %s",
			 h->processes > 1 ? "most of several processes, " : "", holder(h).s, (ull)h->n,
			 tcpfsm_state_name(h->state), (ull)old(f, h), since(f, h).s);
		if (h->before > 0 && observed(f) > 0)
			evidence(d, "how it grows: of %llu that there were %s ago %llu %s left, and %llu came",
				 (ull)(h->before > h->there ? h->before : h->there), duration(observed(f)).s,
				 (ull)h->there, h->there == 1 ? "is" : "are", (ull)(h->n - h->there));
	}
}

/* ---- rules ------------------------------------------------------------------------- */

/* Peers have closed, and a process does not: HELD_MIN old ones, or THERE_MIN that do not change. */
static bool close_wait_leak(const struct facts *f, struct draft *d)
{
	const struct held *top[TOLD], *h;
	size_t n = leaks(f, TCPFSM_STATE_CLOSE_WAIT, top);

	if (!n)
		return false;
	h = top[0];
	begin(d, h);
	headline(d, "%s does not close what its peers have closed: %s stay in CLOSE_WAIT, %s.",
		 holder(h).s, many(h->n, "connection").s, since(f, h).s);
	detail(d, "Each keeps a descriptor and memory until the process closes it or ends: no timer and no "
	       "sysctl does.");
	evidence_held(f, d, top, n);
	action(d, "Look which connections they are, and why %s does not close() them after read() has "
	       "returned 0", h->pid ? h->comm : "their process");
	command_ss(f, d, h, "-tnp state close-wait");
	cost(d, "None: to look costs nothing.");
	action(d, "See how many descriptors it has left, and restart it before there are none, until that is "
	       "mended");
	if (h->pid)
		command(d, "ls /proc/%u/fd | wc -l; grep 'open files' /proc/%u/limits", h->pid, h->pid);
	cost(d, "All its connections end.");
	return true;
}

/* A process has shut down its side and waits for the peer's FIN, without an end. */
static bool fin_wait2_held(const struct facts *f, struct draft *d)
{
	const struct held *top[TOLD], *h;
	size_t n = leaks(f, TCPFSM_STATE_FIN_WAIT2, top);

	if (!n)
		return false;
	h = top[0];
	begin(d, h);
	headline(d, "%s holds %llu half-closed connections: they wait in FIN_WAIT2 for the peer's FIN, %s.",
		 holder(h).s, (ull)h->n, since(f, h).s);
	detail(d, "They are shut down, not closed, so net.ipv4.tcp_fin_timeout does not end them.");
	evidence_held(f, d, top, n);
	action(d, "Look which peers do not close, and have %s close() when no answer comes for long",
	       h->pid ? h->comm : "their process");
	command_ss(f, d, h, "-tnpo state fin-wait-2");
	more(d, "A limit to how long it reads (SO_RCVTIMEO, a timer) is enough: after close() "
	     "net.ipv4.tcp_fin_timeout holds.");
	cost(d, "An answer that comes later than that is lost.");
	return true;
}

const struct rule explain_held_rules[] = {
	{ "close_wait_leak",	SIDE_NONE, ABOUT_NETNS, close_wait_leak },
	{ "fin_wait2_held",	SIDE_NONE, ABOUT_NETNS, fin_wait2_held },
};

const unsigned int explain_held_nrules = sizeof(explain_held_rules) / sizeof(explain_held_rules[0]);
