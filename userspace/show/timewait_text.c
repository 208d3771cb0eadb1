// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm timewait for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "grow.h"
#include "put.h"
#include "screen.h"
#include "timewait.h"

#define ENDS_LEN	41		/* "255.255.255.255 > 255.255.255.255:65535" */
#define NUMBERS_LEN	35		/* of a destination */
#define OWNER_LEN	24		/* "0123456789abcde/4194304" */
#define CGROUP_LEN	74		/* columns left in a line of its own */
#define OWNERS_MIN	4		/* that a full screen has room for */
#define ROWS		10		/* of a table, unless -n says otherwise */

static const uint8_t columns[] = {
	TCPFSM_TW_ENTER, TCPFSM_TW_EXPIRE, TCPFSM_TW_REUSE, TCPFSM_TW_REOPEN, TCPFSM_TW_KILL,
	TCPFSM_TW_PURGE, TCPFSM_TW_DENIED, TCPFSM_TW_REFRESH,
};

#define NCOLUMNS	(sizeof(columns) / sizeof(columns[0]))

/* Ports of a local address that are taken towards all destinations: bind() before connect() takes each for all. */
struct local {
	uint32_t netns;
	uint8_t family, laddr[16];
	uint64_t used;
};

#define LOCALS		32		/* are told apart */
/* So much of the range, of all destinations, and of one: then it may be bind(). */
#define LOCAL_FULL	0.95
#define ONE_SHARE	0.5

struct page {
	struct timewait_reading *r;
	struct local local[LOCALS];
	size_t nlocals;
	struct screen s;
	size_t hidden;
	size_t reserved;		/* lines for what comes after this table */
	unsigned int n;			/* rows of this kind */
	size_t max;			/* with a filter, which each() does not know */
	size_t longest;			/* name of a destination */
	unsigned int first;		/* columns that they have */
};

/* ---- pieces ------------------------------------------------------------------------- */

/* At most 6 columns. */
static const char *rate(const struct tcpfsm_timewait *g, uint64_t n, char buf[32])
{
	double v = g->seconds > 0 ? (double)n / g->seconds : 0;

	if (!(g->seconds > 0))
		return "-";
	if (n && v < 10)
		snprintf(buf, 32, "%.1f", v);
	else
		count_text((uint64_t)(v + 0.5), buf);
	return buf;
}

static uint64_t out_of(const uint64_t flow[TCPFSM_TW_FLOWS])
{
	return flow[TCPFSM_TW_EXPIRE] + flow[TCPFSM_TW_REUSE] + flow[TCPFSM_TW_REOPEN] +
	       flow[TCPFSM_TW_KILL] + flow[TCPFSM_TW_PURGE];
}

static const char *population(double n, char buf[32])
{
	return count_text((uint64_t)(n + 0.5), buf);
}

static const char *process(uint32_t pid, const char comm[17], char buf[64])
{
	char *p = put_comm(buf, comm);

	*p++ = '/';
	*put_u64(p, pid) = '\0';
	return buf;
}

static const char *owner(const struct tcpfsm_timewait *g, char buf[64])
{
	if (g->rest)
		return "all others";
	return g->has_owner ? process(g->pid, g->comm, buf) : "not known";
}

static const char *ends(const struct tcpfsm_timewait *g, char buf[160])
{
	const struct tcpfsm_record r = { .family = g->family };
	char dev[TCPFSM_DEV_NAME_MAX], *p = buf;

	if (g->rest)
		return strcpy(buf, "all others");
	out_dev(g->netns, g->dev, dev);
	if (g->inbound) {
		p = put(put_bound(p, &r, g->laddr, g->lport, dev), " < *");
	} else {
		/* The local port is what differs. */
		p = put_bound(p, &r, g->laddr, 0, dev) - 2;
		p = put_address(put(p, " > "), &r, g->raddr, g->rport);
	}
	*p = '\0';
	return buf;
}

/* The connections of a destination. */
static void mark_ends(struct out *o, const struct tcpfsm_timewait *g)
{
	const struct tcpfsm_record r = { .family = g->family };
	char address[80];

	if (g->rest) {
		out_mark(o, "%s", "");
		return;
	}
	if (g->inbound)
		*put_address(address, &r, g->laddr, g->lport) = '\0';
	else
		*put_address(address, &r, g->raddr, g->rport) = '\0';
	out_mark(o, "netns %u and %s %s", g->netns, g->inbound ? "src" : "dst", address);
}

/* Longer than the screen is wide? Then its second end goes below the first. */
static bool splits(const struct page *p, const char *ends)
{
	return p->r->width && strlen(ends) > p->r->width && strstr(ends, " > ");
}

static void put_ends(struct page *p, char *ends)
{
	char below[160], *second = splits(p, ends) ? strstr(ends, " > ") : NULL;

	if (second) {
		snprintf(below, sizeof(below), "    %s", second + 3);
		second[2] = '\0';
		out_printf(p->s.out, "%s%s", ends, p->s.eol);
		ends = below;
	}
	screen_put_first(&p->s, ends, p->first);
}

/* Of a reading that has a filter of its own. */
static bool shown(const struct page *p, const struct tcpfsm_timewait *g)
{
	struct tcpfsm_filter_subject s;

	if (!p->r->filter)
		return true;
	if (p->n == p->max)
		return false;
	tcpfsm_filter_timewait(&s, g);
	return tcpfsm_filter_subject(p->r->filter, &s);
}

/* Room for lines more, or else one row is hidden. */
static bool room(struct page *p, size_t lines)
{
	if (p->s.left < lines + p->reserved) {
		p->hidden++;
		return false;
	}
	p->s.left -= lines;
	return true;
}

/* ---- counts from a moment on ---------------------------------------------------------- */

struct timewait_base {
	uint8_t kind;
	bool rest, has_owner;
	uint32_t netns, pid;
	uint64_t flow[TCPFSM_TW_FLOWS], failed;
};

static int take_base(const struct tcpfsm_timewait *g, void *arg)
{
	struct timewait_zero *z = arg;
	struct timewait_base *base = grown(z->base, &z->room, z->n, sizeof(*base));

	if (!base)
		return -ENOMEM;
	z->base = base;
	base += z->n++;
	*base = (struct timewait_base) {
		.kind = g->kind, .rest = g->rest, .has_owner = g->has_owner, .netns = g->netns, .pid = g->pid,
		.failed = g->failed,
	};
	memcpy(base->flow, g->flow, sizeof(base->flow));
	return 0;
}

int timewait_zero(struct timewait_zero *z, struct tcpfsm_timewaits *ledger, uint64_t ts)
{
	int err;

	z->ts = ts;
	z->n = 0;
	err = tcpfsm_timewaits_each(ledger, TCPFSM_TIMEWAIT_NETNS, ts, SIZE_MAX, take_base, z);
	return err ? err : tcpfsm_timewaits_each(ledger, TCPFSM_TIMEWAIT_OWNER, ts, SIZE_MAX, take_base, z);
}

void timewait_zero_free(struct timewait_zero *z)
{
	free(z->base);
	*z = (struct timewait_zero) { .ts = 0 };
}

static bool counts_from(const struct timewait_reading *r)
{
	return r->zero && r->zero->ts;
}

/* One that has been forgotten meanwhile begins anew: it has less than it had. */
static struct tcpfsm_timewait since_zero(const struct page *p, const struct tcpfsm_timewait *g)
{
	const struct timewait_base *b = counts_from(p->r) ? p->r->zero->base : NULL;
	const struct timewait_base *end = b ? b + p->r->zero->n : NULL;
	struct tcpfsm_timewait since = *g;
	unsigned int i;

	while (b < end && (b->kind != g->kind || b->rest != g->rest || b->has_owner != g->has_owner ||
			   b->netns != g->netns || b->pid != g->pid))
		b++;
	if (b == end || b->flow[TCPFSM_TW_ENTER] > g->flow[TCPFSM_TW_ENTER])
		return since;
	for (i = 0; i < TCPFSM_TW_FLOWS; i++)
		since.flow[i] -= b->flow[i] < since.flow[i] ? b->flow[i] : since.flow[i];
	since.failed -= b->failed < since.failed ? b->failed : since.failed;
	return since;
}

/* ---- tables -------------------------------------------------------------------------- */

static void ages_line(struct page *p, const struct tcpfsm_timewait *g)
{
	uint64_t ages[TCPFSM_TW_AGES];
	unsigned int i;
	char n[32];

	tcpfsm_timewaits_ages(p->r->ledger, g->netns, p->r->ts, ages);
	out_printf(p->s.out, "%-10s%8s%8s%8s%8s%8s%8s%8s%8s%s", "AGE", "<10s", "<20s", "<30s", "<40s", "<50s",
		   "<60s", "older", "?", p->s.eol);
	out_printf(p->s.out, "%-10s", "TIME_WAIT");
	for (i = 0; i < TCPFSM_TW_AGES; i++)
		out_printf(p->s.out, "%8s", count_text(ages[i], n));
	out_printf(p->s.out, "%s", p->s.eol);
}

static int netns_lines(const struct tcpfsm_timewait *g, void *arg)
{
	struct page *p = arg;
	struct tcpfsm_timewait since = since_zero(p, g);
	uint64_t all = g->time_wait + g->fin_wait2;
	char a[4][32], name[OUT_NETNS_MAX];
	size_t i;

	/* Of no interest, unless there is no other. */
	if (!all && !g->tw && !g->flow[TCPFSM_TW_ENTER] && !g->flow[TCPFSM_TW_DENIED] &&
	    !g->failed && p->n)
		return 0;
	if (!shown(p, g))
		return 0;
	if (!room(p, 8))
		return 0;
	p->n++;
	if (g->rest) {
		out_mark(p->s.out, "%s", "");
		out_printf(p->s.out, "other network namespaces: ");
	} else {
		out_mark(p->s.out, "netns %u and state TIME_WAIT", g->netns);
		out_printf(p->s.out, "netns %s: ", out_netns_text(g->netns, name));
	}
	out_printf(p->s.out, "TIME_WAIT %s, FIN_WAIT2 %s", count_text(g->time_wait, a[0]),
		   count_text(g->fin_wait2, a[1]));
	if (g->limit)
		out_printf(p->s.out, "; kernel %s of %s", count_text(g->tw, a[2]), count_text(g->limit, a[3]));
	if (!g->rest && folds_has(p->r->folds, g->netns)) {
		out_printf(p->s.out, " ...%s", p->s.eol);
		return 0;
	}
	out_printf(p->s.out, "%s  closed first: we %s, both %s, not known %s%s", p->s.eol,
		   count_text(g->closer[TCPFSM_CLOSER_LOCAL], a[0]),
		   count_text(g->closer[TCPFSM_CLOSER_BOTH], a[1]),
		   count_text(g->closer[TCPFSM_CLOSER_NONE], a[2]), p->s.eol);
	if (g->settles > 0) {
		out_printf(p->s.out, "  settles at %s", population(g->settles, a[0]));
		if (g->full_in >= 0) {
			out_printf(p->s.out, "; ");
			out_inked(p->s.out, ATTR_BAD_HOT, "tcp_max_tw_buckets is reached in %.0f s",
				  g->full_in);
		}
		out_printf(p->s.out, "%s", p->s.eol);
	}
	out_printf(p->s.out, "%-10s", "");
	for (i = 0; i < NCOLUMNS; i++)
		out_printf(p->s.out, "%8s", tcpfsm_tw_action_name(columns[i]));
	out_printf(p->s.out, "%s%-10s", p->s.eol, "a second");
	for (i = 0; i < NCOLUMNS; i++)
		out_printf(p->s.out, "%8s", rate(g, g->recent[columns[i]], a[0]));
	out_printf(p->s.out, "%s%-10s", p->s.eol, counts_from(p->r) ? "since then" : "in all");
	for (i = 0; i < NCOLUMNS; i++)
		out_printf(p->s.out, "%8s", count_text(since.flow[columns[i]], a[0]));
	out_printf(p->s.out, "%s", p->s.eol);
	if (!g->rest)
		ages_line(p, g);
	return 0;
}

static struct local *local_of(struct page *p, const struct tcpfsm_timewait *g)
{
	size_t i;

	for (i = 0; i < p->nlocals; i++)
		if (p->local[i].netns == g->netns && p->local[i].family == g->family &&
		    !memcmp(p->local[i].laddr, g->laddr, sizeof(g->laddr)))
			return &p->local[i];
	return NULL;
}

static int note_local(const struct tcpfsm_timewait *g, void *arg)
{
	struct page *p = arg;
	struct local *l = local_of(p, g);
	char name[160];
	size_t len = strlen(ends(g, name));

	if (len > p->longest)
		p->longest = len;

	if (g->rest || g->inbound || (!l && p->nlocals == LOCALS))
		return 0;
	if (!l) {
		l = &p->local[p->nlocals++];
		*l = (struct local) { .netns = g->netns, .family = g->family };
		memcpy(l->laddr, g->laddr, sizeof(l->laddr));
	}
	l->used += g->used;
	return 0;
}

/* Are the ports short for all destinations of a local address, and not for this one? */
static const struct local *short_for_all(struct page *p, const struct tcpfsm_timewait *g)
{
	const struct local *l = local_of(p, g);

	return l && (double)l->used >= LOCAL_FULL * (double)g->limit &&
	       (double)g->used <= ONE_SHARE * (double)g->limit ? l : NULL;
}

/* What it comes to, who makes them, and whom it hits. */
static void forecast_lines(struct page *p, const struct tcpfsm_timewait *g)
{
	const struct local *all = g->limit ? short_for_all(p, g) : NULL;
	char n[32], who[64];

	out_printf(p->s.out, "    settles at %s", population(g->settles, n));
	if (g->limit)
		out_printf(p->s.out, ", %.0f%% of %" PRIu64 " ports",
			   100 * (g->settles + (double)g->open) / (double)g->limit, g->limit);
	else
		out_printf(p->s.out, ", usable ports not known");
	if (g->full_in > 0) {
		out_printf(p->s.out, "; ");
		out_inked(p->s.out, ATTR_BAD_HOT, "EADDRNOTAVAIL in %.0f s", g->full_in);
	} else if (g->overflows) {
		out_printf(p->s.out, "; tcp_max_tw_buckets is reached first");
	} else if (all) {
		out_printf(p->s.out, "; all together take %s: see explain", count_text(all->used, n));
	} else if (g->reuse && g->limit) {
		out_printf(p->s.out, "; tcp_tw_reuse frees them");
	}
	out_printf(p->s.out, "%s", p->s.eol);
	if (g->full_in >= 0 && g->has_maker)
		out_printf(p->s.out, "    most are made by %s%s",
			   process(g->maker_pid, g->maker_comm, who), p->s.eol);
	if (g->recent_failed) {
		out_printf(p->s.out, "    ");
		out_inked(p->s.out, ATTR_BAD_HOT, "%s x EADDRNOTAVAIL",
			  count_text(g->recent_failed, n));
		out_printf(p->s.out, ", last %s%s", owner(g, who), p->s.eol);
	}
}

static int destination_lines(const struct tcpfsm_timewait *g, void *arg)
{
	/* It grows, or is about to: of inbound ones, no ports run out. */
	bool growing = g->settles >= 0 && !g->inbound &&
		       (g->settles > (double)g->fin_wait2 || g->full_in >= 0 || g->recent_failed);
	bool maker = growing && g->full_in >= 0 && g->has_maker;
	struct page *p = arg;
	char name[160], share[32] = "-", a[4][32];

	if (!shown(p, g))
		return 0;
	ends(g, name);
	if (!room(p, 1U + splits(p, name) + screen_folds(name, p->first) + growing + maker + !!g->recent_failed + (p->n ? 0 : 2)))
		return 0;
	if (!p->n++)
		out_printf(p->s.out, "%s%-*s %6s %6s %6s %6s %6s%s", p->s.eol, (int)p->first, "DESTINATION", "TW",
			   "FINW2", "IN/s", "OUT/s", "PORTS", p->s.eol);
	if (g->limit)
		snprintf(share, sizeof(share), "%.1f%%", 100 * (double)g->used / (double)g->limit);
	mark_ends(p->s.out, g);
	put_ends(p, name);
	out_printf(p->s.out, " %6s %6s %6s %6s %6s%s", count_text(g->time_wait, a[0]),
		   count_text(g->fin_wait2, a[1]), rate(g, g->recent[TCPFSM_TW_ENTER], a[2]),
		   rate(g, out_of(g->recent), a[3]), share, p->s.eol);
	if (growing)
		forecast_lines(p, g);
	return 0;
}

static int owner_line(const struct tcpfsm_timewait *g, void *arg)
{
	struct page *p = arg;
	/* All are in the root of a system without any. */
	bool cgroup = g->cgroup && strcmp(g->cgroup, "/");
	struct tcpfsm_timewait since = since_zero(p, g);
	char who[64], a[7][32];

	if (!shown(p, g))
		return 0;
	if (!room(p, 1U + cgroup + (p->n ? 0 : 2)))
		return 0;
	if (!p->n++)
		out_printf(p->s.out, "%s%-*s %6s %6s %6s %6s %8s %7s %7s%s", p->s.eol, OWNER_LEN, "OWNER", "TW",
			   "FINW2", "IN/s", "OUT/s", "WE FIRST", "DENIED", "FAILED", p->s.eol);
	if (g->has_owner)
		out_mark(p->s.out, "pid %u", g->pid);
	else
		out_mark(p->s.out, "%s", "");
	out_printf(p->s.out, "%-*s %6s %6s %6s %6s %8s %7s %7s%s", OWNER_LEN, owner(g, who),
		   count_text(g->time_wait, a[0]), count_text(g->fin_wait2, a[1]),
		   rate(g, g->recent[TCPFSM_TW_ENTER], a[2]), rate(g, out_of(g->recent), a[3]),
		   count_text(g->closer[TCPFSM_CLOSER_LOCAL], a[4]),
		   count_text(since.flow[TCPFSM_TW_DENIED], a[5]), count_text(since.failed, a[6]), p->s.eol);
	if (cgroup) {
		size_t len = strlen(g->cgroup);

		/* Its end tells most. */
		out_printf(p->s.out, "    %s%s%s", len > CGROUP_LEN ? ".." : "",
			   g->cgroup + (len > CGROUP_LEN ? len - CGROUP_LEN : 0), p->s.eol);
	}
	return 0;
}

int timewait_text(struct out *o, struct timewait_reading *r)
{
	static const tcpfsm_timewait_fn lines[] = {
		[TCPFSM_TIMEWAIT_NETNS] = netns_lines,
		[TCPFSM_TIMEWAIT_DESTINATION] = destination_lines,
		[TCPFSM_TIMEWAIT_OWNER] = owner_line,
	};
	struct page p = { .r = r, .s = screen_begin(o, r->redraw) };
	size_t max = r->top ? r->top : ROWS;
	uint64_t lost, untold, resynced;
	unsigned int kind;
	char at[32], from[32], a[2][32];
	int err = 0;

	tcpfsm_timewaits_uncertain(r->ledger, &lost, &untold);
	out_printf(o, "%s  mini-sockets %s%s%s", when(r->ts, 0, "%T", at),
		   counts_from(r) ? "counted since " : "(TIME_WAIT and FIN_WAIT2 of closed sockets)",
		   counts_from(r) ? when(r->zero->ts, 0, "%T", from) : "", p.s.eol);
	p.s.left -= p.s.left != SIZE_MAX;
	resynced = tcpfsm_timewaits_resynced(r->ledger);
	if (lost && resynced && !untold) {
		out_printf(o, "%s records lost; sockets read again from inet_diag at %s%s",
			   count_text(lost, a[0]), when(resynced, 0, "%T", at), p.s.eol);
		p.s.left -= p.s.left != SIZE_MAX;
	} else if (lost || untold) {
		out_printf(o, "UNCERTAIN: %s records lost, %s sockets without a place%s",
			   count_text(lost, a[0]), count_text(untold, a[1]), p.s.eol);
		p.s.left -= p.s.left != SIZE_MAX;
	}
	err = tcpfsm_timewaits_each(r->ledger, TCPFSM_TIMEWAIT_DESTINATION, r->ts, SIZE_MAX, note_local, &p);
	p.first = screen_first(r->width, p.longest, ENDS_LEN, NUMBERS_LEN);
	for (kind = 0; !err && kind < TCPFSM_TIMEWAIT_KINDS; kind++) {
		p.n = 0;
		p.reserved = kind == TCPFSM_TIMEWAIT_DESTINATION ? OWNERS_MIN + 2 : 0;
		p.max = kind == TCPFSM_TIMEWAIT_NETNS ? SIZE_MAX : max;
		err = tcpfsm_timewaits_each(r->ledger, kind, r->ts, r->filter ? SIZE_MAX : p.max,
					    lines[kind], &p);
	}
	screen_end(&p.s, r->redraw, r->interval, p.hidden, "row");
	return err;
}
