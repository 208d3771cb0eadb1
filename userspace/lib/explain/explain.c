// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * What is wrong, in words: facts of each listener from its totals and of each
 * destination from the ledger of mini-sockets, rules that judge them (explain_syn.c,
 * explain_conn.c, explain_tw.c), and the order in which findings are told.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explain.h"
#include "model/listeners.h"
#include "model/timewait.h"
#include "opts.h"

/* Rules by part; a part more is a line more. */
static const struct {
	const struct rule *rules;
	const unsigned int *n;
} parts[] = {
	{ explain_syn_rules, &explain_syn_nrules },
	{ explain_conn_rules, &explain_conn_nrules },
	{ explain_tw_rules, &explain_tw_nrules },
};

struct tcpfsm_explain {
	struct tcpfsm_explain_options opts;
	struct tcpfsm_filter filter;
	struct sources_table sources;
	struct tcpfsm_timewaits *ledger;
	struct mishaps mishaps;
	uint64_t last_ts;		/* of what was heard of; epoch */
	uint64_t off;			/* features that verdicts rest on and that are off; and why */
	int error[TCPFSM_FEATURE_SLOTS];
};

#define FEATURE(s)	(1ULL << TCPFSM_FEATURE_##s)
/* Without one of these, refusals, failures and mini-sockets go unseen. */
#define RESTS_ON	(FEATURE(SYN) | FEATURE(ACK) | FEATURE(REQUEST) | FEATURE(SYNACK) | \
			 FEATURE(COOKIE) | FEATURE(ACCEPT) | FEATURE(LISTEN) | FEATURE(TW_ENTER) | \
			 FEATURE(TW_SEGMENT) | FEATURE(TW_LEAVE) | FEATURE(CONNECT_FAILED) | \
			 FEATURE(SYNACK_TIMER))

int tcpfsm_explain_new(struct tcpfsm_explain **out, const struct tcpfsm_explain_options *opts)
{
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw) };
	struct tcpfsm_filter filter, netns = { .size = sizeof(netns) };
	struct tcpfsm_explain_options o;
	struct tcpfsm_explain *x;
	int err = copy_opts(&o, sizeof(o), opts);

	*out = NULL;
	if (!err)
		err = copy_opts(&filter, sizeof(filter), o.filter);
	if (err)
		return err;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->opts = o;
	x->filter = filter;
	x->opts.filter = &x->filter;
	x->opts.info = NULL;
	if (o.info) {
		struct tcpfsm_info info;

		copy_info(&info, o.info);
		x->off = tcpfsm_features_off(&info) & RESTS_ON;
		memcpy(x->error, info.error, sizeof(x->error));
	}
	/* Whether ports are short is a question of all that use them. */
	netns.netns = x->filter.netns;
	tw.filter = netns.netns ? &netns : NULL;
	tw.epoch_offset = o.epoch_offset;
	tw.since = o.since;
	x->ledger = o.ledger;
	err = o.ledger ? 0 : tcpfsm_timewaits_new(&x->ledger, &tw);
	if (err) {
		free(x);
		return err;
	}
	*out = x;
	return 0;
}

void tcpfsm_explain_free(struct tcpfsm_explain *x)
{
	if (!x)
		return;
	sources_free(&x->sources);
	mishaps_free(&x->mishaps);
	if (!x->opts.ledger)
		tcpfsm_timewaits_free(x->ledger);
	free(x);
}

int tcpfsm_explain_item(struct tcpfsm_explain *x, const struct tcpfsm_item *item)
{
	uint64_t ts = item->rec.ts + (uint64_t)x->opts.epoch_offset;

	if (!item->lost && item->rec.type == TCPFSM_TYPE_TOTAL && ts > x->last_ts)
		x->last_ts = ts;
	return x->opts.ledger ? 0 : tcpfsm_timewaits_item(x->ledger, item);
}

int tcpfsm_explain_event(struct tcpfsm_explain *x, const struct tcpfsm_event *ev)
{
	int err = sources_event(&x->sources, ev);

	if (ev->ts > x->last_ts)
		x->last_ts = ev->ts;
	if (!err)
		err = mishaps_event(&x->mishaps, ev);
	return err || x->opts.ledger ? err : tcpfsm_timewaits_event(x->ledger, ev);
}

/* ---- words ----------------------------------------------------------------------- */

/* What came from a process is not to be trusted with a terminal. */
static void add(char *buf, size_t size, const char *fmt, va_list ap)
{
	size_t len = strlen(buf);
	char *p;

	vsnprintf(buf + len, size - len, fmt, ap);
	for (p = buf + len; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

#define SAY(name, buf)							\
	void name(struct draft *d, const char *fmt, ...)		\
	{								\
		va_list ap;						\
									\
		va_start(ap, fmt);					\
		add(d->buf, sizeof(d->buf), fmt, ap);			\
		va_end(ap);						\
	}

SAY(headline, text)
SAY(remedy, remedy)
SAY(cost, cost)

void option(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	remedy(d, "%s(%u) ", *d->remedy ? " " : "", ++d->options);
	va_start(ap, fmt);
	add(d->remedy, sizeof(d->remedy), fmt, ap);
	va_end(ap);
}

void option_cost(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	cost(d, "%s(%u) ", *d->cost ? " " : "", d->options);
	va_start(ap, fmt);
	add(d->cost, sizeof(d->cost), fmt, ap);
	va_end(ap);
}

void evidence(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	if (d->f.nevidence == LINES_MAX)
		return;
	va_start(ap, fmt);
	add(d->line[d->f.nevidence], LINE_LEN, fmt, ap);
	va_end(ap);
	d->f.nevidence++;
}

static __attribute__((format(printf, 1, 2))) struct words words(const char *fmt, ...)
{
	struct words w;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.s, sizeof(w.s), fmt, ap);
	va_end(ap);
	return w;
}

static struct words address_of(unsigned int family, const uint8_t *addr)
{
	char buf[INET6_ADDRSTRLEN];
	bool v6 = family == 6;

	inet_ntop(v6 ? AF_INET6 : AF_INET, addr, buf, sizeof(buf));
	return words("%s%s%s", v6 ? "[" : "", buf, v6 ? "]" : "");
}

struct words end_of(unsigned int family, const uint8_t *addr, unsigned int port)
{
	return words("%s:%u", address_of(family, addr).s, port);
}

struct words name_of(const struct tcpfsm_listener *l)
{
	struct words addr;

	if (!l->family)
		return words("network namespace %u", l->netns);
	addr = address_of(l->family, l->laddr);
	if (l->has_owner)
		return words("%s:%u (%s, pid %u)", addr.s, l->lport, l->comm, l->pid);
	return words("%s:%u (process not known)", addr.s, l->lport);
}

struct words ends_of(const struct tcpfsm_timewait *tw)
{
	if (tw->inbound)
		return words("%s:%u", address_of(tw->family, tw->laddr).s, tw->lport);
	return words("%s to %s:%u", address_of(tw->family, tw->laddr).s,
		     address_of(tw->family, tw->raddr).s, tw->rport);
}

struct words in_netns(const struct facts *f)
{
	const struct tcpfsm_timewait *tw = f->about == ABOUT_DESTINATION ? f->tw : f->most;
	uint32_t pid = 0;

	if (!f->opts->own_netns || f->opts->own_netns == f->l->netns)
		return words("%s", "");
	if (f->l->has_owner)
		pid = f->l->pid;
	else if (tw && tw->has_maker)
		pid = tw->maker_pid;
	else if (f->failed && f->failed->has_owner)
		pid = f->failed->pid;
	return pid ? words("nsenter -t %u -n ", pid) : words("%s", "");
}

struct words app_of(const struct tcpfsm_listener *l)
{
	return words("%s", l->has_owner ? l->comm : "the application");
}

struct words duration(double s)
{
	static const struct {
		double less, unit;
		const char *name;
	} units[] = {
		{ 1e-3, 1e-6, "us" }, { 1, 1e-3, "ms" }, { 120, 1, "s" },
		{ 7200, 60, "min" }, { 172800, 3600, "h" }, { 1e30, 86400, "days" },
	};
	unsigned int i = 0;
	double v;

	if (!(s > 0))
		return words("0 s");
	while (s >= units[i].less && i < 5)
		i++;
	v = s / units[i].unit;
	return words(v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i].name);
}

struct words rate(double v)
{
	return words(v < 9.95 && v > 0 ? "%.1f/s" : "%.0f/s", v);
}

struct words moment(const struct facts *f, uint64_t ts)
{
	uint64_t epoch = ts + (uint64_t)f->opts->epoch_offset;
	double ago = f->l->ts > ts ? (double)(f->l->ts - ts) / NS : 0;
	time_t second = (time_t)(epoch / (uint64_t)NS);
	char when[32];
	struct tm tm;

	if (!ts)
		return words("a time that is not known");
	localtime_r(&second, &tm);
	/* The day, too, when it may be another one. */
	strftime(when, sizeof(when), ago < 43200 ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	if (ago < 1)
		return words("%s", when);
	return words("%s (%s ago)", when, duration(ago).s);
}

struct words epoch_moment(const struct facts *f, uint64_t epoch)
{
	return moment(f, epoch ? epoch - (uint64_t)f->opts->epoch_offset : 0);
}

bool is_recent(const struct facts *f, uint64_t epoch)
{
	return epoch + (uint64_t)(RECENT_S * NS) >=
	       f->l->ts + (uint64_t)f->opts->epoch_offset;
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

/* ---- facts ----------------------------------------------------------------------- */

static void fill_refused(struct refused *r, const struct facts *f, const unsigned int *index,
			 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		r->ever += f->total[index[i]];
		r->now += f->now[index[i]];
	}
	r->active = r->now;
}

static void fill_limits(struct facts *f)
{
	const uint64_t *t = f->total, *ns = f->ns->total;

	f->somaxconn = ns[TOTAL(NOW_SOMAXCONN)];
	f->max_syn_backlog = ns[TOTAL(NOW_MAX_SYN_BACKLOG)];
	f->syncookies = ns[TOTAL(NOW_SYNCOOKIES)];
	f->asked_known = t[TOTAL(NOW_ASKED)];
	f->asked = f->asked_known ? t[TOTAL(NOW_ASKED)] - 1 : 0;
	f->backlog = t[TOTAL(NOW_BACKLOG)];
	f->synq_places = t[TOTAL(NOW_SYNQ_PLACES)];
	f->limit_known = !f->gone;
	if (f->gone) {
		/* It is not there to be asked; who was refused found the queue full. */
		f->backlog = f->asked;
		if (f->acceptq.ever && t[TOTAL(ACCEPTQ_PEAK)])
			f->backlog = t[TOTAL(ACCEPTQ_PEAK)] - 1;
		f->limit_known = f->acceptq.ever;
		f->synq_places = f->synq.ever && t[TOTAL(SYNQ_PEAK)] ? t[TOTAL(SYNQ_PEAK)] :
								      f->backlog + 1;
	}
	f->acceptq_places = f->backlog + 1;
}

static void fill_facts(struct facts *f, const struct tcpfsm_explain *x,
		       struct tcpfsm_listeners *ls, const struct tcpfsm_listener *l)
{
	static const unsigned int acceptq[] = {
		DROPPED(ACCEPTQ_FULL), ACK_DROPPED(ACCEPTQ_FULL), ACK_RESET(ACCEPTQ_FULL),
	}, synq[] = {
		DROPPED(SYNQ_FULL), DROPPED(LAST_QUARTER), TOTAL(SYN_COOKIE),
	};
	const uint64_t *t = l->total;
	unsigned int i;

	memset(f, 0, sizeof(*f));
	f->opts = &x->opts;
	f->all = ls;
	f->about = l->conn ? ABOUT_LISTENER : ABOUT_NETNS;
	f->l = l;
	f->ns = l->conn ? listeners_netns(ls, l->netns) : l;
	if (!f->ns)			/* its network namespace has gone: no sysctl is known */
		f->ns = l;
	f->sources = l->conn ? sources_of(&x->sources, l->conn) : NULL;
	f->total = t;
	f->gone = t[TOTAL(NOW_GONE_TS)];
	if (l->first_ts > f->ns->first_ts && t[TOTAL(NOW_SINCE_TS)] > f->ns->first_ts) {
		/* It came while the others were observed. */
		f->span = (double)(l->ts - f->ns->first_ts) / NS;
		memcpy(f->now, t, sizeof(f->now));
	} else if (l->first && l->first_ts < l->ts) {
		f->span = (double)(l->ts - l->first_ts) / NS;
		for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++)
			f->now[i] = t[i] > l->first[i] ? t[i] - l->first[i] : 0;
	}
	if (l->ts > t[TOTAL(NOW_SINCE_TS)])
		f->age = (double)(l->ts - t[TOTAL(NOW_SINCE_TS)]) / NS;

	fill_refused(&f->acceptq, f, acceptq, 3);
	fill_refused(&f->synq, f, synq, 3);
	fill_limits(f);
	/* A SYN that came at this moment would be refused. */
	if (f->acceptq.ever && !f->gone && t[TOTAL(NOW_ACCEPTQ)] >= f->acceptq_places)
		f->acceptq.active = true;
	if (f->synq.ever && !f->gone && t[TOTAL(NOW_SYNQ)] >= f->synq_places)
		f->synq.active = true;
	f->weight = f->acceptq.now + f->synq.now;
	if (!f->weight)
		f->weight = f->acceptq.ever + f->synq.ever;
}

static bool wanted(const struct tcpfsm_explain *x, const struct tcpfsm_listener *l)
{
	const struct tcpfsm_filter *f = &x->filter;
	unsigned int i;

	if (f->netns && f->netns != l->netns)
		return false;
	if (!l->conn)
		return !f->nlport && !f->family && !f->pid;
	if (f->family && f->family != l->family)
		return false;
	if (f->pid && (!l->has_owner || f->pid != l->pid))
		return false;
	for (i = 0; i < f->nlport; i++)
		if (f->lport[i] == l->lport)
			return true;
	return !f->nlport;
}

/* ---- findings -------------------------------------------------------------------- */

/* Findings of one verdict about destinations; there may be tens of thousands. */
#define DESTINATIONS_TOLD	16
#define RULES_MAX	64

/* A network namespace, as the ledger knows it. */
struct netns {
	struct tcpfsm_timewait tw, most;
	uint64_t inbound;
	bool has_most, told;
};

struct findings {
	const struct tcpfsm_explain *x;
	struct tcpfsm_listeners *ls;
	struct draft **of, *spare;
	size_t n, room;
	unsigned int wrong;		/* of these, what is wrong */
	size_t listeners, destinations;
	struct netns *netns;
	size_t nnetns;
	/* By rule, of destinations: how many were found, and the last one told. */
	unsigned int found[RULES_MAX];
	struct draft *last[RULES_MAX];
	bool judged[MISHAPS_MAX];	/* of the failures */
	int err;
};

static struct draft *begin(struct findings *fs, const struct tcpfsm_listener *l)
{
	struct draft *d;
	size_t i;

	if (fs->n == fs->room) {
		size_t room = fs->room ? 2 * fs->room : 16;
		struct draft **of = realloc(fs->of, room * sizeof(*of));

		if (!of)
			return NULL;
		fs->of = of;
		fs->room = room;
	}
	if (!fs->spare)
		fs->spare = malloc(sizeof(*fs->spare));
	d = fs->spare;
	if (!d)
		return NULL;
	/* Most rules find nothing: what they could have said need not be cleared. */
	memset(d, 0, offsetof(struct draft, text));
	d->text[0] = d->remedy[0] = d->cost[0] = '\0';
	for (i = 0; i < LINES_MAX; i++)
		d->line[i][0] = '\0';
	d->f.ts = l->ts + (uint64_t)fs->x->opts.epoch_offset;
	d->f.conn = l->conn;
	d->f.netns = l->netns;
	d->f.family = l->family;
	d->f.lport = l->lport;
	memcpy(d->f.laddr, l->laddr, sizeof(d->f.laddr));
	d->f.has_owner = l->has_owner;
	d->f.pid = l->pid;
	memcpy(d->f.comm, l->comm, sizeof(d->f.comm));
	return d;
}

/* Whose connect() fails, or else who makes most connections. */
static void begin_destination(struct draft *d, const struct facts *f)
{
	const struct tcpfsm_timewait *tw = f->tw;
	bool failed = f->failed && f->failed->has_owner;

	d->f.family = tw->family;
	d->f.lport = tw->lport;
	d->f.rport = tw->rport;
	memcpy(d->f.laddr, tw->laddr, sizeof(d->f.laddr));
	memcpy(d->f.raddr, tw->raddr, sizeof(d->f.raddr));
	d->f.has_owner = failed || tw->has_maker;
	d->f.pid = failed ? f->failed->pid : tw->maker_pid;
	memcpy(d->f.comm, failed ? f->failed->comm : tw->maker_comm, sizeof(d->f.comm));
}

static void take(struct findings *fs, struct draft *d)
{
	size_t i;

	d->f.text = d->text;
	d->f.remedy = d->remedy;
	d->f.cost = d->cost;
	for (i = 0; i < LINES_MAX; i++)
		d->lines[i] = d->line[i];
	d->f.evidence = d->lines;
	fs->of[fs->n++] = d;
	fs->spare = NULL;
	fs->wrong += d->f.severity <= TCPFSM_SEVERITY_WARNING;
}

/* Which queue of a listener refuses more. */
static enum side worse_side(const struct facts *f)
{
	/* ACKs refused by the accept queue keep their places in the SYN queue. */
	if (f->now[ACK_DROPPED(ACCEPTQ_FULL)] > f->now[TOTAL(SYN_COOKIE)])
		return SIDE_ACCEPTQ;
	return f->synq.now > f->acceptq.now ||
	       (f->synq.now == f->acceptq.now && f->synq.ever > f->acceptq.ever) ?
	       SIDE_SYNQ : SIDE_ACCEPTQ;
}

/* All rules about what these are facts of.  Return: how many hold, or -ENOMEM. */
static int judge(struct findings *fs, const struct facts *f)
{
	enum side first = worse_side(f);
	unsigned int i, p, rank = 0;
	int holds = 0;

	for (p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		for (i = 0; i < *parts[p].n; i++, rank++) {
			const struct rule *rule = &parts[p].rules[i];
			struct draft *d;

			if (rule->about != f->about)
				continue;
			d = begin(fs, f->l);
			if (!d)
				return fs->err = -ENOMEM;
			if (f->about == ABOUT_DESTINATION)
				begin_destination(d, f);
			d->f.verdict = rule->verdict;
			d->weight = f->weight;
			d->rank = rank + (rule->side && rule->side != first ? 1000 : 0);
			if (!rule->judge(f, d))
				continue;
			holds++;
			if (f->about == ABOUT_DESTINATION && rank < RULES_MAX &&
			    fs->found[rank]++ >= DESTINATIONS_TOLD)
				continue;
			if (f->about != ABOUT_NETNS && f->opts->own_netns &&
			    f->opts->own_netns != f->l->netns)
				evidence(d, "where: in network namespace %u, which is not ours",
					 f->l->netns);
			if (rank < RULES_MAX)
				fs->last[rank] = d;
			take(fs, d);
		}
	}
	return holds;
}

static struct netns *netns_of(struct findings *fs, uint32_t netns)
{
	size_t i;

	for (i = 0; i < fs->nnetns; i++)
		if (fs->netns[i].tw.netns == netns)
			return &fs->netns[i];
	return NULL;
}

/* What the ledger knows of a network namespace, added to its facts. */
static void fill_netns(struct findings *fs, struct facts *f)
{
	const struct tcpfsm_explain *x = fs->x;
	struct netns *n = netns_of(fs, f->l->netns);

	f->denied = mishaps_of_netns(&x->mishaps, MISHAP_DENIED, f->l->netns);
	f->reset = mishaps_of_netns(&x->mishaps, MISHAP_RST, f->l->netns);
	f->mishaps = &x->mishaps;
	if (!n)
		return;
	f->tw = &n->tw;
	f->most = n->has_most ? &n->most : NULL;
	f->inbound = n->inbound;
	f->told = n->told;
	tcpfsm_timewaits_ages(x->ledger, f->l->netns, x->last_ts, f->ages);
}

static int judge_listener(const struct tcpfsm_listener *l, void *arg)
{
	struct findings *fs = arg;
	struct facts f;

	if (!wanted(fs->x, l))
		return 0;
	fs->listeners += !!l->conn;
	fill_facts(&f, fs->x, fs->ls, l);
	if (!l->conn)
		fill_netns(fs, &f);
	return judge(fs, &f) < 0 ? fs->err : 0;
}

static bool wanted_destination(const struct tcpfsm_explain *x, const struct tcpfsm_timewait *tw,
			       const struct mishap *failed)
{
	const struct tcpfsm_filter *f = &x->filter;
	unsigned int i;

	if ((f->netns && f->netns != tw->netns) || (f->family && f->family != tw->family))
		return false;
	if (f->pid && !(failed && failed->has_owner && f->pid == failed->pid) &&
	    !(tw->has_maker && f->pid == tw->maker_pid))
		return false;
	for (i = 0; i < f->nlport; i++)
		if (tw->inbound && f->lport[i] == tw->lport)
			return true;
	return !f->nlport;
}

static int judge_destination(const struct tcpfsm_timewait *tw, void *arg)
{
	static const uint64_t none[TCPFSM_TOTAL_NUM];
	struct tcpfsm_listener nobody = { .netns = tw->netns, .total = none };
	struct findings *fs = arg;
	const struct tcpfsm_explain *x = fs->x;
	struct netns *n = netns_of(fs, tw->netns);
	const struct tcpfsm_listener *l;
	struct facts f = { .about = ABOUT_DESTINATION, .tw = tw };
	int holds;

	if (tw->rest)
		return 0;
	if (n && tw->inbound)
		n->inbound += tw->time_wait + tw->fin_wait2;
	/* They come with the largest first. */
	if (n && !tw->inbound && !n->has_most) {
		n->most = *tw;
		n->has_most = true;
	}
	f.failed = mishaps_of_destination(&x->mishaps, tw);
	if (!wanted_destination(x, tw, f.failed))
		return 0;
	fs->destinations++;
	if (f.failed)
		fs->judged[f.failed - x->mishaps.slot] = true;
	if (!explain_tw_worth(&f))
		return 0;
	l = listeners_netns(fs->ls, tw->netns);
	nobody.ts = x->last_ts - (uint64_t)x->opts.epoch_offset;
	fill_facts(&f, x, fs->ls, l ? l : &nobody);
	f.about = ABOUT_DESTINATION;
	f.tw = tw;
	f.failed = mishaps_of_destination(&x->mishaps, tw);
	f.weight = f.failed ? f.failed->n : tw->time_wait + tw->fin_wait2;
	tcpfsm_timewaits_reuse(x->ledger, tw, x->last_ts, &f.reuse);
	holds = judge(fs, &f);
	if (n && holds > 0)
		n->told = true;
	return holds < 0 ? holds : 0;
}

/* Destinations without mini-sockets are left out above; failures there are still to be told. */
static int judge_failures(struct findings *fs)
{
	const struct tcpfsm_explain *x = fs->x;
	uint32_t i;
	int rc = 0;

	for (i = 0; !rc && x->mishaps.slot && i < MISHAPS_MAX; i++) {
		const struct mishap_key *key = &x->mishaps.slot[i].key;
		const struct tcpfsm_listener *l;
		struct tcpfsm_timewait tw = {
			.kind = TCPFSM_TIMEWAIT_DESTINATION, .family = key->family,
			.rport = key->rport, .netns = key->netns, .settles = -1, .full_in = -1,
		};

		if (key->kind != MISHAP_NO_PORT || fs->judged[i])
			continue;
		memcpy(tw.laddr, key->laddr, sizeof(tw.laddr));
		memcpy(tw.raddr, key->raddr, sizeof(tw.raddr));
		l = listeners_netns(fs->ls, key->netns);
		if (!timewaits_find(x->ledger, &tw, x->last_ts))
			tw.limit = l ? l->total[TOTAL(NOW_PORTS)] : 0;
		rc = judge_destination(&tw, fs);
	}
	return rc;
}

static int note_netns(const struct tcpfsm_timewait *tw, void *arg)
{
	struct findings *fs = arg;
	struct netns *of = realloc(fs->netns, (fs->nnetns + 1) * sizeof(*of));

	if (!of)
		return -ENOMEM;
	fs->netns = of;
	of[fs->nnetns++] = (struct netns) { .tw = *tw };
	return 0;
}

/* Destinations first: a network namespace is judged by what was found of them, too. */
static int judge_all(struct findings *fs)
{
	const struct tcpfsm_explain *x = fs->x;
	unsigned int i;
	int rc;

	rc = tcpfsm_timewaits_each(x->ledger, TCPFSM_TIMEWAIT_NETNS, x->last_ts, SIZE_MAX,
				   note_netns, fs);
	if (!rc)
		rc = tcpfsm_timewaits_each(x->ledger, TCPFSM_TIMEWAIT_DESTINATION, x->last_ts,
					   SIZE_MAX, judge_destination, fs);
	if (!rc)
		rc = judge_failures(fs);
	if (!rc)
		rc = tcpfsm_listeners_each(fs->ls, judge_listener, fs);
	for (i = 0; !rc && i < RULES_MAX; i++)
		if (fs->found[i] > DESTINATIONS_TOLD)
			evidence(fs->last[i], "and of %u destinations more the same is true",
				 fs->found[i] - DESTINATIONS_TOLD);
	return rc;
}

static int by_weight(const void *x, const void *y)
{
	const struct draft *a = *(struct draft * const *)x, *b = *(struct draft * const *)y;

	if (a->f.severity != b->f.severity)
		return a->f.severity < b->f.severity ? -1 : 1;
	if (a->active != b->active)
		return a->active ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	if (a->f.conn != b->f.conn)
		return a->f.conn < b->f.conn ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return memcmp(a->f.raddr, b->f.raddr, sizeof(a->f.raddr));
}

/* ---- nothing wrong --------------------------------------------------------------- */

#define BUSIEST		8

struct busy {
	struct findings *fs;
	struct facts top[BUSIEST];
	double used[BUSIEST];
	size_t n, uncounted;
	uint64_t handshakes, listendrops, listendrops_before;
	double age;
	struct facts *netns;		/* those that have mini-sockets, or had */
	size_t nnetns;
	bool all;			/* no filter by listener: the kernel's counters apply */
};

static double used_of(const struct facts *f)
{
	double a = percent((double)f->total[TOTAL(ACCEPTQ_PEAK)], (double)f->acceptq_places);
	double s = percent((double)f->total[TOTAL(SYNQ_PEAK)], (double)f->synq_places);

	return a > s ? a : s;
}

static int note_fine(struct busy *b, struct facts *f)
{
	struct facts *of;

	fill_netns(b->fs, f);
	if (b->nnetns == BUSIEST || !f->tw)
		return 0;
	if (!(f->tw->time_wait + f->tw->fin_wait2) &&
	    (b->fs->listeners || !f->total[TCPFSM_TOTAL_TW + TCPFSM_TW_ENTER]))
		return 0;
	of = realloc(b->netns, (b->nnetns + 1) * sizeof(*of));
	if (!of)
		return -ENOMEM;
	b->netns = of;
	of[b->nnetns++] = *f;
	return 0;
}

static int rank_busy(const struct tcpfsm_listener *l, void *arg)
{
	struct busy *b = arg;
	struct facts f;
	double used;
	size_t i;

	if (!wanted(b->fs->x, l))
		return 0;
	fill_facts(&f, b->fs->x, b->fs->ls, l);
	if (f.age > b->age)
		b->age = f.age;
	if (!l->conn) {
		uint64_t base = f.total[TCPFSM_TOTAL_KERNEL_BASE + TCPFSM_KERNEL_LISTENDROPS];
		uint64_t now = f.total[TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_LISTENDROPS];

		b->listendrops += now - base;
		b->listendrops_before += base;
		b->all = true;
		return note_fine(b, &f);
	}
	b->handshakes += handshakes(f.total);
	if (f.gone)
		return 0;
	b->uncounted += !f.total[TOTAL(NOW_PLACE)];
	/* Idle ones come last, those of which nothing is known first. */
	used = used_of(&f) + (f.total[TOTAL(SYN)] ? 1e-3 : 0) +
	       (f.total[TOTAL(NOW_PLACE)] ? 0 : 1e6);
	for (i = b->n < BUSIEST ? b->n++ : BUSIEST; i && b->used[i - 1] < used; i--) {
		if (i == BUSIEST)
			continue;
		b->top[i] = b->top[i - 1];
		b->used[i] = b->used[i - 1];
	}
	if (i < BUSIEST) {
		b->top[i] = f;
		b->used[i] = used;
	}
	return 0;
}

static void evidence_busy(struct draft *d, const struct facts *f)
{
	const uint64_t *t = f->total;
	double wait = (double)tcpfsm_histogram_quantile(t + TCPFSM_TOTAL_ACCEPT_US, 0.99) / 1e6;

	if (!t[TOTAL(NOW_PLACE)]) {
		evidence(d, "%s: not counted by itself; accept queue now %llu of %llu",
			 name_of(f->l).s, (unsigned long long)t[TOTAL(NOW_ACCEPTQ)],
			 (unsigned long long)f->acceptq_places);
		return;
	}
	if (!t[TOTAL(SYN)]) {
		evidence(d, "%s: no SYN yet", name_of(f->l).s);
		return;
	}
	evidence(d, "%s: %llu handshakes, nothing refused; SYN queue at most %llu of %llu, "
		 "accept queue at most %llu of %llu%s%s", name_of(f->l).s,
		 (unsigned long long)handshakes(t),
		 (unsigned long long)t[TOTAL(SYNQ_PEAK)], (unsigned long long)f->synq_places,
		 (unsigned long long)t[TOTAL(ACCEPTQ_PEAK)],
		 (unsigned long long)f->acceptq_places,
		 wait > 0 ? "; 99 % wait for accept() up to about " : "",
		 wait > 0 ? duration(wait).s : "");
}

/* What was looked at, and what was not: of that nothing follows. */
static void evidence_judged(const struct findings *fs, struct draft *d)
{
	uint64_t n[MISHAP_KINDS];

	mishaps_sum(&fs->x->mishaps, fs->x->filter.netns, n);
	evidence(d, "of the connections in the records: %llu connection%s ended, %llu reset by this side, "
		 "%llu reset by the peer, %llu connect() refused, %llu connect() timed out, %llu without an "
		 "answer to three SYNs, %llu whose peer does not answer",
		 (unsigned long long)n[MISHAP_ENDED], plural(n[MISHAP_ENDED]),
		 (unsigned long long)n[MISHAP_RESET_SENT], (unsigned long long)n[MISHAP_RESET_RECEIVED],
		 (unsigned long long)n[MISHAP_REFUSED], (unsigned long long)n[MISHAP_TIMED_OUT],
		 (unsigned long long)n[MISHAP_UNANSWERED], (unsigned long long)n[MISHAP_PEER_GONE]);
	evidence(d, "not judged: connections that stay in CLOSE_WAIT or FIN_WAIT2 (tcpfsm diagram counts "
		 "them), what is dropped before a listener (nstat, nft, conntrack)");
}

/* Nothing is wrong, and the numbers that prove it; or there is nothing to judge. */
static int nothing_wrong(struct findings *fs)
{
	static const struct tcpfsm_listener nobody = { .conn = 0 };
	struct busy *b = calloc(1, sizeof(*b));
	struct draft *d = NULL;
	size_t i;

	if (!b)
		return -ENOMEM;
	b->fs = fs;
	if (tcpfsm_listeners_each(fs->ls, rank_busy, b) < 0)
		goto out;
	d = begin(fs, fs->listeners == 1 && b->n ? b->top[0].l : &nobody);
	if (!d)
		goto out;
	if (b->n)
		d->f.ts = b->top[0].l->ts + (uint64_t)fs->x->opts.epoch_offset;
	else if (b->nnetns)
		d->f.ts = fs->x->last_ts;
	d->f.netns = fs->x->filter.netns ? fs->x->filter.netns : d->f.netns;
	if (!fs->listeners && !fs->destinations && !b->nnetns) {
		d->f.verdict = "no_listener";
		d->f.severity = TCPFSM_SEVERITY_OK;
		headline(d, "No listener %s: there is nothing to explain.",
			 fs->x->filter.nlport || fs->x->filter.pid || fs->x->filter.family ||
			 fs->x->filter.netns ? "matches" : "is known");
	} else {
		d->f.verdict = b->uncounted ? "not_judged" : "nothing_wrong";
		d->f.severity = b->uncounted ? TCPFSM_SEVERITY_WARNING : TCPFSM_SEVERITY_OK;
		if (b->uncounted) {
			headline(d, "%zu of %zu listener%s cannot be judged: without a place in the "
				 "module's table, what happens there is counted with that of others.",
				 b->uncounted, fs->listeners, fs->listeners == 1 ? "" : "s");
			remedy(d, "Load the module again with room for them: insmod tcpfsm.ko "
			       "listeners=N.");
		} else if (fs->listeners)
			headline(d, "Nothing is wrong of what is judged: %zu listener%s, %llu handshakes "
				 "in %s, and no client was refused.", fs->listeners,
				 fs->listeners == 1 ? "" : "s",
				 (unsigned long long)b->handshakes, duration(b->age).s);
		else
			headline(d, "Nothing is wrong of what is judged: nobody listens, and no connect() "
				 "failed for want of a port.");
		for (i = 0; i < b->n; i++)
			evidence_busy(d, &b->top[i]);
		if (fs->listeners > b->n)
			evidence(d, "and %zu listeners more, farther from their limits or closed",
				 fs->listeners - b->n);
		for (i = 0; i < b->nnetns; i++)
			explain_tw_fine(&b->netns[i], d);
		evidence_judged(fs, d);
		if (b->all && fs->listeners && !b->listendrops)
			evidence(d, "the kernel's ListenDrops has not moved in that time%s",
				 b->listendrops_before ? "; what it shows is from before" : "");
		else if (b->all && fs->listeners)
			evidence(d, "the kernel's ListenDrops has moved by %llu in that time, and no "
				 "listener here tells why: see tcpfsm check",
				 (unsigned long long)b->listendrops);
	}
	take(fs, d);
out:
	free(b->netns);
	free(b);
	return d ? 0 : -ENOMEM;
}

/* ---- not judged ------------------------------------------------------------------ */

/* Features that are off for the same reason, in a line. */
static void evidence_off(struct draft *d, const struct tcpfsm_explain *x, unsigned int first)
{
	char names[LINE_LEN / 2] = "";
	unsigned int i;

	for (i = first; i < TCPFSM_FEATURE_SLOTS; i++)
		if (x->off >> i & 1 && x->error[i] == x->error[first])
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 i > first ? ", " : "", tcpfsm_feature_name(i));
	evidence(d, "off: %s (%s: %s)", names,
		 tcpfsm_errno_name((unsigned int)-x->error[first]),
		 tcpfsm_feature_reason(x->error[first]));
}

/* Hooks that are not there: of what they do not show, nothing may be concluded. */
static int not_judged(struct findings *fs)
{
	static const struct tcpfsm_listener nobody = { .conn = 0 };
	const struct tcpfsm_explain *x = fs->x;
	struct draft *d = begin(fs, &nobody);
	unsigned int i, j;

	if (!d)
		return -ENOMEM;
	d->f.verdict = "not_judged";
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	d->f.ts = x->last_ts;
	d->f.netns = x->filter.netns;
	headline(d, "Not all is judged: the module does not see what it takes, as features are off. "
		 "Clients may be refused, and connect() may fail, without a word of it here.");
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		if (!(x->off >> i & 1))
			continue;
		for (j = 0; !(x->off >> j & 1) || x->error[j] != x->error[i]; j++)
			;
		if (j == i)
			evidence_off(d, x, i);
		if (x->error[i] == -EBUSY && !*d->remedy)
			remedy(d, "Run: sysctl -w kernel.ftrace_enabled=1, then rmmod tcpfsm and load it "
			       "again.");
	}
	if (!*d->remedy)
		remedy(d, "Run: tcpfsm info, which tells what each feature shows, and see dmesg.");
	take(fs, d);
	return 0;
}

int tcpfsm_explain_findings(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			    tcpfsm_finding_fn fn, void *arg)
{
	struct findings fs = { .x = x, .ls = ls };
	size_t i;
	int rc;

	rc = judge_all(&fs);
	if (!rc && x->off)
		rc = not_judged(&fs);
	if (!rc && !fs.wrong)
		rc = nothing_wrong(&fs);
	if (!rc && fs.n)
		qsort(fs.of, fs.n, sizeof(*fs.of), by_weight);
	for (i = 0; i < fs.n; i++) {
		if (!rc)
			rc = fn(&fs.of[i]->f, arg);
		free(fs.of[i]);
	}
	free(fs.of);
	free(fs.spare);
	free(fs.netns);
	return rc;
}

/* ---- JSON ------------------------------------------------------------------------ */

const char *tcpfsm_severity_name(unsigned int severity)
{
	static const char * const names[] = {
#define NAME(s, n, name) [n] = name,
		TCPFSM_SEVERITIES(NAME)
#undef NAME
	};

	return severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "?";
}

static char *put_text(char *p, const char *s)
{
	*p++ = '"';
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			*p++ = '\\';
		*p++ = *s;
	}
	*p++ = '"';
	return p;
}

/* All texts twice as long, should each letter need a backslash, and the rest. */
_Static_assert(TCPFSM_FINDING_JSON_MAX >= 2 * (LINE_LEN * (LINES_MAX + 15) + 64) + 512, "it fits");

size_t tcpfsm_finding_json(const struct tcpfsm_finding *f, char buf[TCPFSM_FINDING_JSON_MAX])
{
	char addr[INET6_ADDRSTRLEN] = "", peer[INET6_ADDRSTRLEN] = "", *p = buf;
	int af = f->family == 6 ? AF_INET6 : AF_INET;
	size_t i;

	if (f->family) {
		inet_ntop(af, f->laddr, addr, sizeof(addr));
		inet_ntop(af, f->raddr, peer, sizeof(peer));
	}
	p += sprintf(p, "{\"ts\":%llu,\"event\":\"finding\",\"conn\":%llu,\"netns\":%u,"
		     "\"family\":%u,\"laddr\":\"%s\",\"lport\":%u,\"raddr\":\"%s\",\"rport\":%u,"
		     "\"cpu\":0", (unsigned long long)f->ts, (unsigned long long)f->conn,
		     f->netns, f->family, addr, f->lport, peer, f->rport);
	if (f->has_owner) {
		p += sprintf(p, ",\"pid\":%u,\"comm\":\"", f->pid);
		p += tcpfsm_comm_json(f->comm, p);
		*p++ = '"';
	}
	p += sprintf(p, ",\"verdict\":\"%s\",\"severity\":\"%s\",\"text\":", f->verdict,
		     tcpfsm_severity_name(f->severity));
	p = put_text(p, f->text);
	p += sprintf(p, ",\"evidence\":[");
	for (i = 0; i < f->nevidence; i++) {
		if (i)
			*p++ = ',';
		p = put_text(p, f->evidence[i]);
	}
	p += sprintf(p, "],\"remedy\":");
	p = put_text(p, f->remedy);
	p += sprintf(p, ",\"cost\":");
	p = put_text(p, f->cost);
	*p++ = '}';
	*p++ = '\n';
	return (size_t)(p - buf);
}
