// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * What is wrong: facts of each listener from its totals and of each
 * destination from the ledger of mini-sockets, rules that judge them (explain_syn.c,
 * explain_conn.c, explain_tw.c), and the order in which findings are told.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "grow.h"
#include "model/listeners.h"
#include "model/timewait.h"
#include "opts.h"
#include "source/item.h"

/* Rules by part; a part more is a line more. */
static const struct {
	const struct rule *rules;
	const unsigned int *n;
} parts[] = {
	{ explain_accept_rules, &explain_accept_nrules },
	{ explain_syn_rules, &explain_syn_nrules },
	{ explain_listener_rules, &explain_listener_nrules },
	{ explain_conn_rules, &explain_conn_nrules },
	{ explain_held_rules, &explain_held_nrules },
	{ explain_tw_rules, &explain_tw_nrules },
};

/* Network namespaces whose counters of drops are read: enough for a machine that somebody looks at. */
#define DROPS_MAX	64
/* Judged is what was dropped in that time, or up to twice as long. */
#define DROPS_NS	(30 * NSEC_PER_SEC)

struct tcpfsm_explain {
	struct tcpfsm_explain_options opts;
	struct tcpfsm_filter filter;
	struct sources_table sources;
	struct tcpfsm_timewaits *ledger;
	struct mishaps mishaps;
	struct replay replay;
	struct holders holders;
	uint64_t last_ts;		/* of what was heard of; epoch */
	uint64_t last_totals, last_event;	/* of these */
	uint64_t lost, lost_ts;		/* records; the last time, epoch */
	struct drops drops[DROPS_MAX];
	size_t ndrops;
	uint64_t off;			/* features that verdicts rest on and that are off; and why */
	int error[TCPFSM_FEATURE_SLOTS];
};

#define FEATURE(s)	(1ULL << TCPFSM_FEATURE_##s)
/* Without one of these, refusals, failures and mini-sockets go unseen. */
#define RESTS_ON	(FEATURE(SYN) | FEATURE(ACK) | FEATURE(REQUEST) | FEATURE(SYNACK) | \
			 FEATURE(COOKIE) | FEATURE(ACCEPT) | FEATURE(LISTEN) | FEATURE(TW_ENTER) | \
			 FEATURE(TW_SEGMENT) | FEATURE(TW_LEAVE) | FEATURE(CONNECT_FAILED) | \
			 FEATURE(SYNACK_TIMER))

static struct drops *drops_of(struct tcpfsm_explain *x, uint32_t netns)
{
	size_t i;

	for (i = 0; i < x->ndrops; i++)
		if (x->drops[i].netns == netns)
			return &x->drops[i];
	return NULL;
}

/* At a reading of the totals.  pid: a process of the network namespace; 0: it is ours */
static void look_at_drops(struct tcpfsm_explain *x, uint32_t netns, uint32_t pid, uint64_t ts)
{
	struct drops *d = drops_of(x, netns);

	if (!x->opts.proc || (d ? ts < d->next_ts + DROPS_NS : x->ndrops == DROPS_MAX))
		return;
	if (d) {
		d->ts = d->next_ts;
		memcpy(d->n, d->next, sizeof(d->n));
		d->next_ts = ts;
		proc_drops(x->opts.proc, d->pid, d->next);
		return;
	}
	d = &x->drops[x->ndrops];
	*d = (struct drops) {
		.netns = netns, .pid = netns == x->opts.own_netns ? 0 : pid, .ts = ts, .next_ts = ts,
	};
	x->ndrops += proc_drops(x->opts.proc, d->pid, d->n);
	memcpy(d->next, d->n, sizeof(d->n));
}

int tcpfsm_explain_filter(struct tcpfsm_explain *x, const struct tcpfsm_filter *f)
{
	struct tcpfsm_filter filter;
	int err = copy_opts(&filter, sizeof(filter), f);

	if (!err)
		x->filter = filter;
	return err;
}

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
	tw.cgroups = o.live;
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
	replay_free(&x->replay);
	holders_free(&x->holders);
	if (!x->opts.ledger)
		tcpfsm_timewaits_free(x->ledger);
	free(x);
}

int tcpfsm_explain_item(struct tcpfsm_explain *x, const struct tcpfsm_item *item)
{
	uint64_t ts = item->rec.ts + (uint64_t)x->opts.epoch_offset;
	int err = holders_item(&x->holders, item);

	if (item_is(item, TCPFSM_TYPE_TOTAL)) {
		x->last_totals = ts;
		/* Once or twice for each listener. */
		if ((item->rec.rcv == TOTAL(NOW_SINCE_TS) || item->rec.rcv == TOTAL(NOW_ACCEPTED_TS)) &&
		    (item->rec.netns == x->opts.own_netns || item->rec.flags & TCPFSM_F_OWNER))
			look_at_drops(x, item->rec.netns, item->rec.pid, item->rec.ts);
		if (ts > x->last_ts)
			x->last_ts = ts;
	}
	if (!err && !item->lost && item->rec.type == TCPFSM_TYPE_SOCKET)
		err = replay_socket(&x->replay, &item->rec, ts);
	return err || x->opts.ledger ? err : tcpfsm_timewaits_item(x->ledger, item);
}

int tcpfsm_explain_event(struct tcpfsm_explain *x, const struct tcpfsm_event *ev)
{
	int err = sources_wants(ev) ? sources_event(&x->sources, ev) : 0;

	if (ev->ts > x->last_ts)
		x->last_ts = ev->ts;
	if (ev->ts > x->last_event)
		x->last_event = ev->ts;
	if (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed) {
		x->lost += ev->lost;
		x->lost_ts = ev->ts ? ev->ts : x->last_ts;
	}
	if (!err && !x->opts.ledger)
		err = tcpfsm_timewaits_event(x->ledger, ev);
	if (!err && mishaps_wants(ev))
		err = mishaps_event(&x->mishaps, ev, x->ledger);
	return err || ev->netns_gone || !replay_wants(ev) ? err : replay_event(&x->replay, ev);
}

/* ---- facts ----------------------------------------------------------------------- */

bool refuses_now(const struct facts *f, uint64_t now)
{
	uint64_t last = f->total[TOTAL(REFUSED_LAST_TS)];

	return now && (!last || is_recent(f, last + (uint64_t)f->opts->epoch_offset));
}

struct refused refused_by(const struct facts *f, uint64_t ever, uint64_t now)
{
	return (struct refused) { .ever = ever, .now = now, .active = refuses_now(f, now) };
}

bool nobody_accepts(const struct facts *f)
{
	return f->span >= STALLED_S && !f->now[TOTAL(ACCEPTED)];
}

static void fill_refused(struct refused *r, const struct facts *f, const unsigned int *index,
			 unsigned int n)
{
	uint64_t ever = 0, now = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		ever += f->total[index[i]];
		now += f->now[index[i]];
	}
	*r = refused_by(f, ever, now);
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
	f->replay = &x->replay;
	f->total = t;
	f->gone = t[TOTAL(NOW_GONE_TS)];
	if (l->first_ts > f->ns->first_ts && t[TOTAL(NOW_SINCE_TS)] > f->ns->first_ts) {
		/* It came while the others were observed. */
		f->span = (double)(l->ts - f->ns->first_ts) / NSEC_PER_SEC;
		memcpy(f->now, t, sizeof(f->now));
	} else if (l->first && l->first_ts < l->ts) {
		f->span = (double)(l->ts - l->first_ts) / NSEC_PER_SEC;
		for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++)
			f->now[i] = t[i] > l->first[i] ? t[i] - l->first[i] : 0;
	}
	if (l->ts > t[TOTAL(NOW_SINCE_TS)])
		f->age = (double)(l->ts - t[TOTAL(NOW_SINCE_TS)]) / NSEC_PER_SEC;

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

/* Where nobody accepts: is that because accept() fails with EMFILE? */
static void fill_descriptors(struct facts *f)
{
	bool stands = f->acceptq.active || nobody_accepts(f);

	if (!f->opts->proc || f->gone || !f->l->has_owner || !stands || !f->total[TOTAL(NOW_ACCEPTQ)])
		return;
	f->descriptors_known = proc_descriptors(f->opts->proc, f->l->pid, &f->descriptors,
						&f->descriptors_max);
	f->no_descriptors = f->descriptors_known && f->descriptors >= f->descriptors_max;
}

/* Not of all that a network namespace has? */
static bool asks_for_sockets(const struct tcpfsm_explain *x)
{
	return tcpfsm_filter_asks(&x->filter) & (TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_PEER |
						 TCPFSM_ASKS_OWNER);
}

static bool wanted(const struct tcpfsm_explain *x, const struct tcpfsm_listener *l)
{
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_listener(&s, l);
	return tcpfsm_filter_subject(&x->filter, &s) && (l->conn || !asks_for_sockets(x));
}

/* ---- findings -------------------------------------------------------------------- */

/*
 * Findings of one verdict and severity that are told, the worst; of network namespaces and
 * destinations, of which there may be tens of thousands, one stands for all.
 */
#define LISTENERS_TOLD	16
#define EXAMPLES	3

/* A network namespace, as the ledger knows it. */
struct netns {
	struct tcpfsm_timewait tw, most;
	uint64_t inbound;
	bool has_most, told;
};

struct findings {
	struct tcpfsm_explain *x;
	struct tcpfsm_listeners *ls;
	struct finding **of;
	size_t n, room;
	struct draft *draft;
	unsigned int wrong;		/* of these, what is wrong */
	size_t listeners, destinations;
	struct netns *netns;
	size_t nnetns;
	struct locals locals;
	bool judged[MISHAPS_MAX];	/* of the failures */
	int err;
};

static struct draft *begin(struct findings *fs, const struct tcpfsm_listener *l)
{
	struct draft *d = fs->draft;
	size_t i;

	if (!d)
		d = fs->draft = malloc(sizeof(*d));
	if (!d)
		return NULL;
	/* Most rules find nothing: what they could have said need not be cleared. */
	memset(d, 0, offsetof(struct draft, summary));
	d->summary[0] = d->detail[0] = '\0';
	for (i = 0; i < LINES_MAX; i++)
		d->line[i][0] = d->unseen[i][0] = '\0';
	for (i = 0; i < ACTIONS_MAX; i++) {
		struct action *a = &d->action[i];

		a->text[0] = a->command[0] = a->more[0] = a->cost[0] = '\0';
	}
	d->f.ts = l->ts + (uint64_t)fs->x->opts.epoch_offset;
	d->f.conn = l->conn;
	d->f.netns = l->netns;
	d->f.family = l->family;
	d->f.lport = l->lport;
	memcpy(d->f.laddr, l->laddr, sizeof(d->f.laddr));
	set_owner(d, l->has_owner, l->pid, l->comm);
	return d;
}

/* Whose connect() fails, or else who makes most connections. */
static void begin_destination(struct draft *d, const struct facts *f)
{
	const struct tcpfsm_timewait *tw = f->tw;
	d->f.family = tw->family;
	d->f.lport = tw->lport;
	d->f.rport = tw->rport;
	memcpy(d->f.laddr, tw->laddr, sizeof(d->f.laddr));
	memcpy(d->f.raddr, tw->raddr, sizeof(d->f.raddr));
	if (f->failed && f->failed->has_owner)
		set_owner(d, true, f->failed->pid, f->failed->comm);
	else
		set_owner(d, tw->has_maker, tw->maker_pid, tw->maker_comm);
}

/* Return: 0 or -ENOMEM. */
static int take(struct findings *fs, const struct draft *d)
{
	struct finding **of = grown(fs->of, &fs->room, fs->n, sizeof(*of));

	if (!of)
		return fs->err = -ENOMEM;
	fs->of = of;
	fs->of[fs->n] = finding_new(d);
	if (!fs->of[fs->n])
		return fs->err = -ENOMEM;
	fs->n++;
	fs->wrong += d->f.severity <= TCPFSM_SEVERITY_WARNING;
	return 0;
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
			if (f->about != ABOUT_NETNS && f->opts->own_netns &&
			    f->opts->own_netns != f->l->netns)
				evidence(d, "where: in %s, which is not ours", netns_name(f).s);
			if (take(fs, d))
				return fs->err;
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
	struct tcpfsm_explain *x = fs->x;
	struct netns *n = netns_of(fs, f->l->netns);
	size_t i;

	f->denied = mishaps_of_netns(&x->mishaps, MISHAP_DENIED, f->l->netns);
	f->reset = mishaps_of_netns(&x->mishaps, MISHAP_RST, f->l->netns);
	f->mishaps = &x->mishaps;
	f->drops = drops_of(x, f->l->netns);
	for (i = 0; i < fs->locals.n; i++)
		if (fs->locals.of[i].bound && fs->locals.of[i].netns == f->l->netns)
			f->local = &fs->locals.of[i];
	f->holders = x->opts.model ? &x->holders : NULL;
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
	if (l->conn)
		fill_descriptors(&f);
	else
		fill_netns(fs, &f);
	return judge(fs, &f) < 0 ? fs->err : 0;
}

static bool wanted_destination(const struct tcpfsm_explain *x, const struct tcpfsm_timewait *tw,
			       const struct mishap *failed)
{
	struct tcpfsm_filter_subject s;
	struct tcpfsm_timewait of = *tw;

	/* Whose connect() failed, or who made them: either will do. */
	of.has_owner = false;
	tcpfsm_filter_timewait(&s, &of);
	if (tcpfsm_filter_subject(&x->filter, &s))
		return true;
	if (!failed || !failed->has_owner)
		return false;
	s.pid = failed->pid;
	memcpy(s.comm, failed->comm, sizeof(failed->comm));
	return tcpfsm_filter_subject(&x->filter, &s);
}

static bool is_bound(const struct findings *fs, const struct tcpfsm_timewait *tw)
{
	const struct local *l = tw->inbound ? NULL : locals_find(&fs->locals, tw);

	return l && l->bound;
}

/* Those of its network namespace, or of nobody where that is not known; nobody lives as long as f. */
static void fill_destination(struct facts *f, const struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			     const struct tcpfsm_timewait *tw, struct tcpfsm_listener *nobody)
{
	static const uint64_t none[TCPFSM_TOTAL_NUM];
	const struct tcpfsm_listener *l = listeners_netns(ls, tw->netns);

	*nobody = (struct tcpfsm_listener) {
		.netns = tw->netns, .total = none, .ts = x->last_ts - (uint64_t)x->opts.epoch_offset,
	};
	fill_facts(f, x, ls, l ? l : nobody);
	f->about = ABOUT_DESTINATION;
	f->tw = tw;
	f->failed = mishaps_of_destination(&x->mishaps, tw);
}

/* One that may have no mini-socket: then its limit is that of its network namespace. */
static void find_destination(const struct tcpfsm_explain *x, const struct tcpfsm_listeners *ls,
			     struct tcpfsm_timewait *tw)
{
	const struct tcpfsm_listener *l = listeners_netns(ls, tw->netns);

	if (!timewaits_find(x->ledger, tw, x->last_ts))
		tw->limit = l ? l->total[TOTAL(NOW_PORTS)] : 0;
}

static int judge_destination(const struct tcpfsm_timewait *tw, void *arg)
{
	struct findings *fs = arg;
	const struct tcpfsm_explain *x = fs->x;
	struct netns *n = netns_of(fs, tw->netns);
	struct tcpfsm_listener nobody;
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
		fs->judged[mishaps_number(&x->mishaps, f.failed)] = true;
	if (!explain_tw_worth(&f))
		return 0;
	fill_destination(&f, x, fs->ls, tw, &nobody);
	f.bound = is_bound(fs, tw);
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
	const struct mishap *m;
	uint32_t i;
	int rc = 0;

	for (i = 0; !rc && (m = mishaps_at(&x->mishaps, i)); i++) {
		const struct mishap_key *key = &m->key;
		struct tcpfsm_timewait tw = {
			.kind = TCPFSM_TIMEWAIT_DESTINATION, .family = key->family,
			.rport = key->rport, .netns = key->netns, .settles = -1, .full_in = -1,
		};

		if (key->kind != MISHAP_NO_PORT || fs->judged[i])
			continue;
		memcpy(tw.laddr, key->laddr, sizeof(tw.laddr));
		memcpy(tw.raddr, key->raddr, sizeof(tw.raddr));
		find_destination(x, fs->ls, &tw);
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
	int rc;

	rc = tcpfsm_timewaits_each(x->ledger, TCPFSM_TIMEWAIT_NETNS, x->last_ts, SIZE_MAX,
				   note_netns, fs);
	if (!rc && x->opts.model)
		rc = locals_read(&fs->locals, x->ledger, x->opts.model, fs->ls, x->last_ts);
	if (!rc)
		rc = tcpfsm_timewaits_each(x->ledger, TCPFSM_TIMEWAIT_DESTINATION, x->last_ts,
					   SIZE_MAX, judge_destination, fs);
	if (!rc)
		rc = judge_failures(fs);
	if (!rc)
		rc = tcpfsm_listeners_each(fs->ls, judge_listener, fs);
	return rc;
}

static int by_weight(const void *x, const void *y)
{
	const struct finding *a = *(struct finding * const *)x, *b = *(struct finding * const *)y;

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
	uint64_t dropped;		/* what is counted here of listendrops */
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

/* See check.c. */
static uint64_t listendrops_of(const uint64_t *t)
{
	return tcpfsm_totals_sum(t, TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS) + t[ACK_DROPPED(ACCEPTQ_FULL)] +
	       t[ACK_RESET(ACCEPTQ_FULL)] + t[ACK_DROPPED(NO_MEMORY)] + t[ACK_RESET(NO_MEMORY)] +
	       t[ACK_DROPPED(NO_ROUTE)] + t[ACK_RESET(NO_ROUTE)] + t[GONE(ICMP)];
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
	b->dropped += listendrops_of(f.total);
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
	if (!t[TOTAL(SYN)] && !t[TOTAL(ACCEPTED)] && !t[TOTAL(ACCEPTQ_PEAK)]) {
		evidence(d, "%s: no SYN yet", name_of(f->l).s);
		return;
	}
	evidence(d, "%s: %s, nothing refused; SYN queue at most %llu of %llu, "
		 "accept queue at most %llu of %llu%s%s", name_of(f->l).s,
		 many(handshakes(t), "handshake").s,
		 (unsigned long long)t[TOTAL(SYNQ_PEAK)], (unsigned long long)f->synq_places,
		 (unsigned long long)t[TOTAL(ACCEPTQ_PEAK)],
		 (unsigned long long)f->acceptq_places,
		 wait > 0 ? "; 99 % wait for accept() up to about " : "",
		 wait > 0 ? duration(wait).s : "");
}

/* Half-closed connections that are too few or too young to judge. */
static void evidence_held_young(const struct findings *fs, struct draft *d)
{
	const struct holders *h = &fs->x->holders;
	uint64_t n[16] = { 0 };
	size_t i;

	if (!fs->x->opts.model)
		return;
	for (i = 0; i < h->n; i++)
		if (!fs->x->filter.netns || fs->x->filter.netns == h->of[i].netns)
			n[h->of[i].state & 15] += h->of[i].n;
	evidence(d, "half closed, and too few or not for long enough to judge: %s in CLOSE_WAIT, "
		 "%llu that a process holds in FIN_WAIT2", many(n[TCPFSM_STATE_CLOSE_WAIT], "connection").s,
		 (unsigned long long)n[TCPFSM_STATE_FIN_WAIT2]);
}

/* What was looked at, and what was not: of that nothing follows. */
static void evidence_judged(const struct findings *fs, struct draft *d)
{
	uint64_t n[MISHAP_KINDS];

	mishaps_sum(&fs->x->mishaps, fs->x->filter.netns, n);
	evidence(d, "of the connections in the records: %s ended, %llu reset by this side, "
		 "%llu reset by the peer, %llu connect() refused, %llu connect() timed out, %llu without an "
		 "answer to three SYNs, %llu whose peer does not answer",
		 many(n[MISHAP_ENDED], "connection").s,
		 (unsigned long long)n[MISHAP_RESET_SENT], (unsigned long long)n[MISHAP_RESET_RECEIVED],
		 (unsigned long long)n[MISHAP_REFUSED], (unsigned long long)n[MISHAP_TIMED_OUT],
		 (unsigned long long)n[MISHAP_UNANSWERED], (unsigned long long)n[MISHAP_PEER_GONE]);
	evidence_held_young(fs, d);
	if (!fs->x->opts.model)
		not_seen(d, "connections that stay in CLOSE_WAIT or FIN_WAIT2 (tcpfsm diagram counts them)");
	not_seen(d, "what is dropped before a listener (nstat, nft, conntrack)");
}

/* Are there any that were judged? */
static bool connections(const struct findings *fs)
{
	uint64_t n[MISHAP_KINDS];
	size_t i;

	mishaps_sum(&fs->x->mishaps, fs->x->filter.netns, n);
	for (i = MISHAP_REFUSED; i < MISHAP_KINDS; i++)
		if (n[i])
			return true;
	for (i = 0; i < fs->x->holders.n; i++)
		if (!fs->x->filter.netns || fs->x->filter.netns == fs->x->holders.of[i].netns)
			return true;
	return false;
}

/* Less than a reading takes. */
#define END_NS		NSEC_PER_SEC

/* Who watches for days is told of a loss for ten minutes. */
#define LOST_TOLD_NS	(600 * NSEC_PER_SEC)

static bool is_lossy(const struct tcpfsm_explain *x)
{
	return x->lost && (x->opts.ended || x->lost_ts + LOST_TOLD_NS >= x->last_ts);
}

/* What may be wrong unseen: then nothing is said to be right.  Return: is there any? */
static bool unseen(const struct findings *fs, const struct busy *b, struct draft *d)
{
	const struct tcpfsm_explain *x = fs->x;

	if (b->uncounted) {
		headline(d, "%zu of %s cannot be judged: without a place in the "
			 "module's table, what happens there is counted with that of others.",
			 b->uncounted, many(fs->listeners, "listener").s);
		action(d, "Load the module again with room for them");
		command_load(&fs->x->opts, d, "", " listeners=4096");
	} else if (b->all && b->listendrops > b->dropped) {
		headline(d, "Not all is judged: the kernel's ListenDrops has moved by %llu, and listeners here tell "
			 "of %llu.", (unsigned long long)b->listendrops, (unsigned long long)b->dropped);
		not_seen(d, "who was refused, and why");
		action(d, "Compare with the kernel's counters");
		command(d, "tcpfsm check");
	} else if (x->opts.ended && x->last_event > x->last_totals + END_NS) {
		headline(d, "Not all is judged: this recording has no end, and what listeners did in the last %s of it "
			 "was not counted.", duration((double)(x->last_event - x->last_totals) / NSEC_PER_SEC).s);
		not_seen(d, "what listeners refused in that time");
		action(d, "Look at its last events with tcpfsm trace");
	} else if (is_lossy(x)) {
		headline(d, "Not all is judged: %s %s lost; of what the others tell, nothing is wrong.",
			 many(x->lost, "record").s, were(x->lost));
		not_seen(d, "connections and connect()s that the lost records would have told of");
		action(d, "Load the module with a larger ring");
		command_load(&fs->x->opts, d, "", " slots=1048576");
	} else {
		return false;
	}
	d->f.verdict = "not_judged";
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	return true;
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
	if (!fs->listeners && !fs->destinations && !b->nnetns && !is_lossy(fs->x) && !connections(fs)) {
		d->f.verdict = "no_listener";
		d->f.severity = TCPFSM_SEVERITY_OK;
		headline(d, "No listener %s: there is nothing to explain.",
			 tcpfsm_filter_asks(&fs->x->filter) ? "matches" : "is known");
	} else {
		d->f.verdict = "nothing_wrong";
		d->f.severity = TCPFSM_SEVERITY_OK;
		if (unseen(fs, b, d))
			;
		else if (fs->listeners)
			headline(d, "Nothing is wrong of what is judged: %s, %s "
				 "in %s, and no client was refused.", many(fs->listeners, "listener").s,
				 many(b->handshakes, "handshake").s, duration(b->age).s);
		else
			headline(d, "Nothing is wrong of what is judged: nobody listens, and no connect() "
				 "failed for want of a port.");
		for (i = 0; i < b->n; i++)
			evidence_busy(d, &b->top[i]);
		if (fs->listeners > b->n)
			evidence(d, "%s%s%s, farther from their limits or closed",
				 b->n ? "and " : "", many(fs->listeners - b->n, "listener").s,
				 b->n ? " more" : "");
		for (i = 0; i < b->nnetns; i++)
			explain_tw_fine(&b->netns[i], d);
		evidence_judged(fs, d);
		if (b->all && fs->listeners && !b->listendrops)
			evidence(d, "the kernel's ListenDrops has not moved in that time%s",
				 b->listendrops_before ? "; what it shows is from before" : "");
		else if (b->all && fs->listeners)
			evidence(d, "the kernel's ListenDrops has moved by %llu in that time: see tcpfsm check",
				 (unsigned long long)b->listendrops);
	}
	take(fs, d);
out:
	free(b->netns);
	free(b);
	return d ? fs->err : -ENOMEM;
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
	bool ftrace = false;
	unsigned int i, j;

	if (!d)
		return -ENOMEM;
	d->f.verdict = "not_judged";
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	d->f.ts = x->last_ts;
	d->f.netns = x->filter.netns;
	headline(d, "Not all is judged: the module does not see what it takes, as features are off.");
	detail(d, "Clients may be refused, and connect() may fail, without a word of it here.");
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		if (!(x->off >> i & 1))
			continue;
		not_seen(d, "%s", tcpfsm_feature_text(i));
		ftrace |= x->error[i] == -EBUSY;
		for (j = 0; !(x->off >> j & 1) || x->error[j] != x->error[i]; j++)
			;
		if (j == i)
			evidence_off(d, x, i);
	}
	if (ftrace) {
		action(d, "Let the kernel attach hooks and load the module again");
		command_load(&x->opts, d, "sysctl -w kernel.ftrace_enabled=1 && ", "");
	} else {
		action(d, "See what each feature shows, and dmesg for why it is off");
		command(d, "tcpfsm info");
	}
	return take(fs, d);
}

/* ---- what is told ---------------------------------------------------------------- */

/* Who a finding is about, among others of its kind. */
static struct words whose(const struct findings *fs, const struct tcpfsm_finding *f)
{
	const struct tcpfsm_listener l = { .netns = f->netns };
	const struct facts of = { .opts = &fs->x->opts, .l = &l };

	if (f->rport)
		return end_of(f->family, f->raddr, f->rport);
	return f->conn || f->lport ? end_of(f->family, f->laddr, f->lport) : netns_name(&of);
}

static bool same_kind(const struct finding *a, const struct finding *b)
{
	return a->f.severity == b->f.severity && !strcmp(a->f.verdict, b->f.verdict);
}

/* Of those behind at that are like it, all but so many are left to a line of its evidence. */
static void fold(struct findings *fs, size_t at)
{
	struct finding *x = fs->of[at];
	size_t told = x->f.conn ? LISTENERS_TOLD : 1, n = 0, i, to = at;
	char names[LINE_LEN / 2] = "";
	struct finding *last = NULL;

	for (i = at; i < fs->n; i++) {
		struct finding *y = fs->of[i];

		if (!same_kind(x, y) || told) {
			if (same_kind(x, y)) {
				last = y;
				told--;
			}
			fs->of[to++] = y;
			continue;
		}
		if (n++ < EXAMPLES)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 *names ? ", " : "", whose(fs, &y->f).s);
		free(y);
	}
	fs->n = to;
	if (n)
		finding_also(last, "the same of %zu more: %s%s", n, names, n > EXAMPLES ? ", ..." : "");
}

/* The first of each kind takes the others with it. */
static void fold_all(struct findings *fs)
{
	size_t i, j;

	for (i = 0; i < fs->n; i++) {
		for (j = 0; j < i && !same_kind(fs->of[j], fs->of[i]); j++)
			;
		if (j == i)
			fold(fs, i);
	}
}

int tcpfsm_explain_findings(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			    tcpfsm_finding_fn fn, void *arg)
{
	struct findings fs = { .x = x, .ls = ls };
	size_t i;
	int rc;

	if (x->opts.live)
		mishaps_name(&x->mishaps, x->opts.epoch_offset);
	rc = x->opts.model ? holders_read(&x->holders, x->opts.model, x->last_ts, x->opts.epoch_offset) : 0;
	if (!rc)
		rc = judge_all(&fs);
	if (!rc && x->off)
		rc = not_judged(&fs);
	if (!rc && !fs.wrong)
		rc = nothing_wrong(&fs);
	if (!rc && fs.n)
		qsort(fs.of, fs.n, sizeof(*fs.of), by_weight);
	fold_all(&fs);
	for (i = 0; i < fs.n; i++) {
		if (!rc)
			rc = fn(&fs.of[i]->f, arg);
		free(fs.of[i]);
	}
	free(fs.of);
	free(fs.draft);
	free(fs.netns);
	locals_free(&fs.locals);
	return rc;
}

/* ---- what if ----------------------------------------------------------------------- */

struct what_if {
	struct tcpfsm_explain *x;
	struct tcpfsm_listeners *ls;
	const struct tcpfsm_setting *setting;
	tcpfsm_what_if_fn fn;
	void *arg;
};

static int what_if_of_listener(const struct tcpfsm_listener *l, void *arg)
{
	struct what_if *wi = arg;
	struct tcpfsm_what_if w = {
		.setting = *wi->setting, .ts = wi->x->last_ts, .conn = l->conn, .netns = l->netns,
		.family = l->family, .lport = l->lport, .has_owner = l->has_owner, .pid = l->pid,
	};
	struct facts f;
	int rc;

	if (!l->conn || !wanted(wi->x, l))
		return 0;
	fill_facts(&f, wi->x, wi->ls, l);
	memcpy(w.laddr, l->laddr, sizeof(w.laddr));
	memcpy(w.comm, l->comm, sizeof(w.comm));
	rc = what_if_listener(&f, &w);
	return rc > 0 ? wi->fn(&w, wi->arg) : rc;
}

static int what_if_of_destination(struct what_if *wi, struct tcpfsm_timewait *tw)
{
	struct tcpfsm_listener nobody;
	struct tcpfsm_explain *x = wi->x;
	struct tcpfsm_what_if w = {
		.setting = *wi->setting, .ts = x->last_ts, .netns = tw->netns, .family = tw->family,
		.rport = tw->rport,
	};
	struct facts f;
	int rc;

	find_destination(x, wi->ls, tw);
	if (!wanted_destination(x, tw, mishaps_of_destination(&x->mishaps, tw)))
		return 0;
	fill_destination(&f, x, wi->ls, tw, &nobody);
	memcpy(w.laddr, tw->laddr, sizeof(w.laddr));
	memcpy(w.raddr, tw->raddr, sizeof(w.raddr));
	w.has_owner = tw->has_maker;
	w.pid = tw->maker_pid;
	memcpy(w.comm, tw->maker_comm, sizeof(w.comm));
	rc = what_if_destination(&f, &w);
	return rc > 0 ? wi->fn(&w, wi->arg) : rc;
}

static int what_if_of_destinations(struct what_if *wi)
{
	struct replay_destination *of;
	int64_t i, n = replay_destinations(&wi->x->replay, &of);
	int rc = n < 0 ? (int)n : 0;

	for (i = 0; i < n && !rc; i++) {
		const struct replay_end *e = &of[i].end;
		struct tcpfsm_timewait tw = {
			.kind = TCPFSM_TIMEWAIT_DESTINATION, .family = e->family, .rport = e->rport,
			.netns = e->netns,
		};

		memcpy(tw.laddr, e->laddr, sizeof(tw.laddr));
		memcpy(tw.raddr, e->raddr, sizeof(tw.raddr));
		rc = what_if_of_destination(wi, &tw);
	}
	free(of);
	return rc;
}

int tcpfsm_explain_what_if(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			   const struct tcpfsm_setting *setting, tcpfsm_what_if_fn fn, void *arg)
{
	struct what_if wi = { .x = x, .ls = ls, .setting = setting, .fn = fn, .arg = arg };

	if (setting->setting == TCPFSM_SETTING_BACKLOG)
		return tcpfsm_listeners_each(ls, what_if_of_listener, &wi);
	return what_if_of_destinations(&wi);
}
