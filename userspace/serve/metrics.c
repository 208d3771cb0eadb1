// SPDX-License-Identifier: GPL-2.0-only
/* The text format of Prometheus, and OpenMetrics, which differs in a few lines. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "grow.h"
#include "source/clock.h"
#include "utf8.h"

#define T(t)		TCPFSM_TOTAL_##t
#define DESTINATIONS	20

enum type { GAUGE, COUNTER, HISTOGRAM };

#define ENUM_METRIC(s, type, name, labels, text)	METRIC_##s,
enum metric { METRICS(ENUM_METRIC) };

static const struct {
	enum type type;
	const char *name, *text;
} metrics[] = {
#define METRIC_ROW(s, type, name, labels, text)	[METRIC_##s] = { type, name, text },
	METRICS(METRIC_ROW)
};

/* Listeners of the same address: SO_REUSEPORT, or one that has just come after another. */
struct row {
	const struct tcpfsm_listener *l;
	const uint64_t *total;
	uint64_t *sum;			/* of them all, or NULL */
};

struct page {
	struct out *o;
	const struct known *k;
	bool openmetrics;
	enum metric metric;
	struct row *row;
	size_t nrows, room;
	uint64_t untracked;
};

/* ---- lines -------------------------------------------------------------------------- */

static void begin(struct page *p, enum metric m)
{
	static const char * const types[] = {
		[GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram",
	};
	const char *total = metrics[m].type == COUNTER && !p->openmetrics ? "_total" : "";

	p->metric = m;
	out_printf(p->o, "# HELP %s%s %s\n# TYPE %s%s %s\n", metrics[m].name, total, metrics[m].text,
		   metrics[m].name, total, types[metrics[m].type]);
}

/* What others chose: a line feed, a quotation mark and a backslash are told apart, and all is UTF-8. */
static void put_value(struct out *o, const char *value)
{
	const uint8_t *s = (const uint8_t *)value;
	size_t n = strlen(value);
	uint32_t ch;

	while (n) {
		unsigned int len = utf8(s, n, &ch);

		if (!len)
			out_write(o, "\xef\xbf\xbd", 3);
		else if (*s == '\n')
			out_write(o, "\\n", 2);
		else if (*s == '"' || *s == '\\')
			out_printf(o, "\\%c", *s);
		else
			out_write(o, (const char *)s, len);
		len = len ? len : 1;
		s += len;
		n -= len;
	}
}

/* label() after open(), as many as there are; then a value. */
struct labels {
	struct out *o;
	bool more;
};

static struct labels open_sample(struct page *p, const char *suffix)
{
	out_printf(p->o, "%s%s", metrics[p->metric].name,
		   suffix ? suffix : metrics[p->metric].type == COUNTER ? "_total" : "");
	return (struct labels) { .o = p->o };
}

static void label(struct labels *l, const char *name, const char *value)
{
	out_printf(l->o, "%c%s=\"", l->more ? ',' : '{', name);
	put_value(l->o, value);
	out_write(l->o, "\"", 1);
	l->more = true;
}

static void label_number(struct labels *l, const char *name, uint64_t value)
{
	out_printf(l->o, "%c%s=\"%" PRIu64 "\"", l->more ? ',' : '{', name, value);
	l->more = true;
}

static void close_labels(struct labels *l)
{
	out_printf(l->o, "%s ", l->more ? "}" : "");
}

static void value(struct labels *l, uint64_t v)
{
	close_labels(l);
	out_printf(l->o, "%" PRIu64 "\n", v);
}

static void value_seconds(struct labels *l, uint64_t ns)
{
	close_labels(l);
	out_printf(l->o, "%" PRIu64 ".%09" PRIu64 "\n", (uint64_t)(ns / NSEC_PER_SEC), (uint64_t)(ns % NSEC_PER_SEC));
}

/* ---- the module -------------------------------------------------------------------------- */

static void put_build(struct page *p)
{
	const struct tcpfsm_info *info = p->k->info;
	struct labels l;
	char module[sizeof(info->version) + 1];

	begin(p, METRIC_BUILD);
	snprintf(module, sizeof(module), "%.32s", (const char *)info->version);
	l = open_sample(p, NULL);
	label(&l, "version", TCPFSM_VERSION);
	label(&l, "module", module);
	label_number(&l, "abi", info->abi);
	value(&l, 1);
}

static void put_features(struct page *p)
{
	uint64_t off = tcpfsm_features_off(p->k->info);
	unsigned int i;

	begin(p, METRIC_FEATURE);
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		struct labels l;

		if (*tcpfsm_feature_name(i) == '?')
			continue;
		l = open_sample(p, NULL);
		label(&l, "name", tcpfsm_feature_name(i));
		value(&l, !(off >> i & 1));
	}
}

static void put_records(struct page *p)
{
	struct tcpfsm_reach reach;
	struct labels l;
	uint64_t lost;
	uint32_t cpu;

	begin(p, METRIC_RECORDS);
	for (cpu = 0; cpu < p->k->info->rings; cpu++) {
		if (tcpfsm_source_reach(p->k->src, cpu, &reach))
			continue;
		l = open_sample(p, NULL);
		label_number(&l, "cpu", cpu);
		value(&l, reach.held + reach.overwritten);
	}
	tcpfsm_source_counts(p->k->src, NULL, &lost);
	begin(p, METRIC_LOST);
	l = open_sample(p, NULL);
	value(&l, (p->k->ledger ? lost : 0) + p->k->info->unkept);
	begin(p, METRIC_MISSED);
	l = open_sample(p, NULL);
	value(&l, p->k->info->missed);
}

/* Those of one counter come one by one, a network namespace each. */
struct differences {
	const char *name[64];
	uint64_t value[64];
	unsigned int n;
	const struct tcpfsm_filter *filter;
};

static int add_difference(const struct tcpfsm_check *c, void *arg)
{
	const struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .known = TCPFSM_ASKS_NETNS, .netns = c->netns,
	};
	struct differences *d = arg;
	unsigned int i;

	if (!tcpfsm_filter_subject(d->filter, &s))
		return 0;
	for (i = 0; i < d->n && strcmp(d->name[i], c->name); i++)
		;
	if (i == sizeof(d->value) / sizeof(d->value[0]))
		return 0;
	if (i == d->n) {
		d->name[d->n] = c->name;
		d->value[d->n++] = 0;
	}
	if (c->status == TCPFSM_CHECK_UNEXPLAINED)
		d->value[i] += (uint64_t)llabs(c->difference);
	return 0;
}

static void put_differences(struct page *p)
{
	struct differences d = { .filter = p->k->filter };
	unsigned int i;

	tcpfsm_checks_each(p->k->checks, add_difference, &d);
	begin(p, METRIC_DIFFERENCE);
	for (i = 0; i < d.n; i++) {
		struct labels l = open_sample(p, NULL);

		label(&l, "counter", d.name[i]);
		value(&l, d.value[i]);
	}
}

/* ---- listeners and network namespaces ------------------------------------------------------ */

/* Its address as ss has it, with the device that it is bound to. */
static void label_address(struct labels *l, const char *name, const struct tcpfsm_listener *from)
{
	char addr[INET6_ADDRSTRLEN], dev[TCPFSM_DEV_NAME_MAX], text[80];

	inet_ntop(from->family == 6 ? AF_INET6 : AF_INET, from->laddr, addr, sizeof(addr));
	out_dev(from->netns, (uint32_t)from->total[T(NOW_DEV)], dev);
	snprintf(text, sizeof(text), "%s%s%s", addr, *dev ? "%" : "", dev);
	label(l, name, text);
}

static void label_listener(struct labels *l, const struct row *r)
{
	label_number(l, "netns", r->l->netns);
	label_address(l, "address", r->l);
	label_number(l, "port", r->l->lport);
}

static bool same_place(const struct tcpfsm_listener *a, const struct tcpfsm_listener *b)
{
	return a->netns == b->netns && a->lport == b->lport && a->family == b->family &&
	       a->total[T(NOW_DEV)] == b->total[T(NOW_DEV)] &&
	       !memcmp(a->laddr, b->laddr, sizeof(a->laddr));
}

/* What has closed is told no more: its series end, as those of the network namespace that has gone. */
static bool is_there(const struct tcpfsm_listener *l)
{
	return l->conn ? !l->total[T(NOW_GONE_TS)] : l->total[T(NOW_TW_MAX)];
}

static int take(const struct tcpfsm_listener *l, void *arg)
{
	struct page *p = arg;
	struct row *row, *last = p->nrows ? &p->row[p->nrows - 1] : NULL;
	struct tcpfsm_filter_subject s;

	tcpfsm_filter_listener(&s, l);
	if (!is_there(l) || !tcpfsm_filter_subject(p->k->filter, &s))
		return 0;
	p->untracked += l->conn && !l->total[T(NOW_PLACE)];
	if (last && l->conn && last->l->conn && same_place(last->l, l)) {
		if (!last->sum) {
			last->sum = malloc(TCPFSM_TOTAL_NUM * sizeof(*last->sum));
			if (!last->sum)
				return -ENOMEM;
			memcpy(last->sum, last->total, TCPFSM_TOTAL_NUM * sizeof(*last->sum));
			last->total = last->sum;
		}
		tcpfsm_totals_merge(last->sum, l->total);
		return 0;
	}
	row = grown(p->row, &p->room, p->nrows, sizeof(*row));
	if (!row)
		return -ENOMEM;
	p->row = row;
	p->row[p->nrows++] = (struct row) { .l = l, .total = l->total };
	return 0;
}

/* Each listener that is counted, or each network namespace. */
#define each_row(r, p, of_netns) \
	for ((r) = (p)->row; (r) < (p)->row + (p)->nrows; (r)++) \
		if ((!(r)->l->conn) == (of_netns) && ((of_netns) || (r)->total[T(NOW_PLACE)]))

static void put_netns(struct page *p)
{
	char name[TCPFSM_CONTAINER_NAME_MAX];
	const struct row *r;

	begin(p, METRIC_NETNS);
	each_row(r, p, true) {
		struct labels l;

		if (!*out_netns(r->l->netns, name))
			continue;
		l = open_sample(p, NULL);
		label_number(&l, "netns", r->l->netns);
		label(&l, "name", name);
		value(&l, 1);
	}
}

static void put_listeners(struct page *p)
{
	const struct row *r;

	begin(p, METRIC_LISTENER);
	for (r = p->row; r < p->row + p->nrows; r++) {
		char container[TCPFSM_CONTAINER_NAME_MAX] = "";
		struct labels l;

		if (!r->l->conn)
			continue;
		l = open_sample(p, NULL);
		label_listener(&l, r);
		label(&l, "comm", r->l->has_owner ? r->l->comm : "");
		if (r->l->has_owner)
			tcpfsm_container_name(r->l->pid, container);
		label(&l, "container", container);
		value(&l, 1);
	}
}

/* A total of each listener, with a label more, or NULL. */
static void put_total(struct page *p, unsigned int total, const char *name, const char *is)
{
	const struct row *r;

	each_row(r, p, false) {
		struct labels l = open_sample(p, NULL);

		label_listener(&l, r);
		if (name)
			label(&l, name, is);
		if (p->metric == METRIC_FULL)
			value_seconds(&l, r->total[total]);
		else
			value(&l, r->total[total]);
	}
}

static void put_counter(struct page *p, enum metric m, unsigned int total)
{
	begin(p, m);
	put_total(p, total, NULL, NULL);
}

/* The reasons that a healthy server may meet are always there, so that an alert has something to look at. */
static void put_reasons(struct page *p, enum metric m, unsigned int first)
{
	const struct row *r;
	unsigned int i;

	begin(p, m);
	each_row(r, p, false) {
		for (i = 1; i < TCPFSM_TOTAL_REASONS; i++) {
			bool always = i == TCPFSM_REASON_SYNQ_FULL || i == TCPFSM_REASON_ACCEPTQ_FULL;
			struct labels l;

			if (!always && !r->total[first + i])
				continue;
			l = open_sample(p, NULL);
			label_listener(&l, r);
			label(&l, "reason", tcpfsm_reason_name(i));
			value(&l, r->total[first + i]);
		}
	}
}

static void put_queues(struct page *p)
{
	const struct row *r;

	begin(p, METRIC_LENGTH);
	put_total(p, T(NOW_SYNQ), "queue", "syn");
	put_total(p, T(NOW_ACCEPTQ), "queue", "accept");
	begin(p, METRIC_LIMIT);
	put_total(p, T(NOW_SYNQ_PLACES), "queue", "syn");
	each_row(r, p, false) {
		struct labels l = open_sample(p, NULL);

		label_listener(&l, r);
		label(&l, "queue", "accept");
		/* sk_acceptq_is_full(): one more than the backlog, for each socket of a group. */
		value(&l, r->total[T(NOW_BACKLOG)] +
			  (r->sum && r->total[T(NOW_REUSEPORT)] ? r->total[T(NOW_REUSEPORT)] : 1));
	}
	begin(p, METRIC_FULL);
	put_total(p, T(SYNQ_FULL_NS), "queue", "syn");
	put_total(p, T(ACCEPTQ_FULL_NS), "queue", "accept");
	put_counter(p, METRIC_BACKLOG, T(NOW_BACKLOG));
	begin(p, METRIC_REQUESTED);
	each_row(r, p, false) {
		struct labels l;

		if (!r->total[T(NOW_ASKED)])
			continue;
		l = open_sample(p, NULL);
		label_listener(&l, r);
		value(&l, r->total[T(NOW_ASKED)] - 1);
	}
}

/*
 * Bucket n of a total's has what took less than 2^n microseconds: 16 us to 17 s, each second power
 * of two.
 */
static void put_histogram(struct page *p, enum metric m, unsigned int first, enum tcpfsm_total us)
{
	const struct row *r;

	begin(p, m);
	each_row(r, p, false) {
		uint64_t sum = 0;
		unsigned int i;
		struct labels l;

		for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++) {
			char le[32];

			sum += r->total[first + i];
			if (i < 4 || i > 24 || i % 2)
				continue;
			l = open_sample(p, "_bucket");
			label_listener(&l, r);
			snprintf(le, sizeof(le), "%u.%06u", (1U << i) / 1000000, (1U << i) % 1000000);
			label(&l, "le", le);
			value(&l, sum);
		}
		l = open_sample(p, "_bucket");
		label_listener(&l, r);
		label(&l, "le", "+Inf");
		value(&l, sum);
		l = open_sample(p, "_count");
		label_listener(&l, r);
		value(&l, sum);
		/* An older module has no sum of what took any time. */
		if (!r->total[us] && sum > r->total[first])
			continue;
		l = open_sample(p, "_sum");
		label_listener(&l, r);
		value_seconds(&l, r->total[us] * 1000);
	}
}

static void put_fates(struct page *p)
{
	put_counter(p, METRIC_SYNS, T(SYN));
	put_counter(p, METRIC_QUEUED, T(SYN_QUEUED));
	put_counter(p, METRIC_COOKIES, T(SYN_COOKIE));
	put_reasons(p, METRIC_SYNS_DROPPED, T(SYN_DROPPED));
	put_reasons(p, METRIC_ACKS_DROPPED, T(ACK_DROPPED));
	put_reasons(p, METRIC_ACKS_RESET, T(ACK_RESET));
	begin(p, METRIC_HANDSHAKES);
	put_total(p, T(COMPLETED), "by", "request");
	put_total(p, T(COMPLETED_COOKIE), "by", "cookie");
	put_counter(p, METRIC_ACCEPTED, T(ACCEPTED));
	put_counter(p, METRIC_SYNACKS_AGAIN, T(SYNACK_RETRANSMIT));
	put_counter(p, METRIC_EXPIRED, T(GONE) + TCPFSM_GONE_TIMEOUT);
}

/* ---- mini-sockets -------------------------------------------------------------------------- */

static int put_substates(const struct tcpfsm_timewait *tw, void *arg)
{
	struct page *p = arg;
	const uint64_t is[] = { tw->fin_wait2, tw->time_wait };
	static const char * const name[] = { "FIN_WAIT2", "TIME_WAIT" };
	size_t i;

	for (i = 0; tw->limit && i < 2; i++) {
		struct labels l = open_sample(p, NULL);

		label_number(&l, "netns", tw->netns);
		label(&l, "substate", name[i]);
		value(&l, is[i]);
	}
	return 0;
}

static void put_timewaits(struct page *p)
{
	const struct row *r;
	unsigned int i;

	begin(p, METRIC_TIMEWAIT);
	if (p->k->ledger)
		tcpfsm_timewaits_each(p->k->ledger, TCPFSM_TIMEWAIT_NETNS, p->k->now, SIZE_MAX,
				      put_substates, p);
	else
		each_row(r, p, true) {
			struct labels l = open_sample(p, NULL);

			label_number(&l, "netns", r->l->netns);
			label(&l, "substate", "any");
			value(&l, r->total[T(NOW_TW)]);
		}
	begin(p, METRIC_TIMEWAIT_LIMIT);
	each_row(r, p, true) {
		struct labels l = open_sample(p, NULL);

		label_number(&l, "netns", r->l->netns);
		value(&l, r->total[T(NOW_TW_MAX)]);
	}
	begin(p, METRIC_TIMEWAIT_EVENTS);
	each_row(r, p, true)
		for (i = TCPFSM_TW_ENTER; i <= TCPFSM_TW_PURGE; i++) {
			struct labels l = open_sample(p, NULL);

			label_number(&l, "netns", r->l->netns);
			label(&l, "action", tcpfsm_tw_action_name(i));
			value(&l, r->total[T(TW) + i]);
		}
}

struct destinations {
	struct tcpfsm_timewait of[DESTINATIONS];
	size_t n;
	bool rest;
};

static int take_destination(const struct tcpfsm_timewait *tw, void *arg)
{
	struct destinations *d = arg;

	d->rest |= tw->rest;
	if (!tw->rest && !tw->inbound && tw->limit)
		d->of[d->n++] = *tw;
	return 0;
}

static void put_ports(struct page *p, enum metric m, const struct destinations *d)
{
	const struct tcpfsm_timewait *tw;

	begin(p, m);
	for (tw = d->of; tw < d->of + d->n; tw++) {
		int af = tw->family == 6 ? AF_INET6 : AF_INET;
		struct labels l = open_sample(p, NULL);
		char addr[INET6_ADDRSTRLEN];

		label_number(&l, "netns", tw->netns);
		label(&l, "laddr", inet_ntop(af, tw->laddr, addr, sizeof(addr)));
		label(&l, "raddr", inet_ntop(af, tw->raddr, addr, sizeof(addr)));
		label_number(&l, "rport", tw->rport);
		value(&l, m == METRIC_PORTS_USED ? tw->used : tw->limit);
	}
}

static void put_destinations(struct page *p)
{
	struct destinations d = { .n = 0 };
	struct labels l;

	tcpfsm_timewaits_each(p->k->ledger, TCPFSM_TIMEWAIT_DESTINATION, p->k->now, DESTINATIONS,
			      take_destination, &d);
	put_ports(p, METRIC_PORTS_USED, &d);
	put_ports(p, METRIC_PORTS_USABLE, &d);
	begin(p, METRIC_PORTS_LEFT_OUT);
	l = open_sample(p, NULL);
	value(&l, d.rest);
}

static void put_connect(struct page *p, const struct outgoing *of, const char *result, uint64_t n)
{
	struct labels l = open_sample(p, NULL);

	if (of->netns)
		label_number(&l, "netns", of->netns);
	else
		label(&l, "netns", "");
	label(&l, "comm", of->comm);
	label(&l, "result", result);
	value(&l, n);
}

static void put_connects(struct page *p)
{
	const struct outgoing *of;
	unsigned int i;

	begin(p, METRIC_CONNECTS);
	for (of = p->k->outgoing->of; of < p->k->outgoing->of + p->k->outgoing->n; of++) {
		put_connect(p, of, "established", of->established);
		if (of->given_up)
			put_connect(p, of, "given_up", of->given_up);
		for (i = 0; i < TCPFSM_CONNECT_ERRORS; i++)
			if (of->failed[i])
				put_connect(p, of, tcpfsm_connect_errno(i) ? strerrorname_np(tcpfsm_connect_errno(i)) :
					    "other", of->failed[i]);
	}
}

/* ---- findings ------------------------------------------------------------------------------- */

static bool same_series(const struct found *a, const struct found *b)
{
	return a->netns == b->netns && a->severity == b->severity && a->family == b->family && a->port == b->port &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr)) && !strcmp(a->verdict, b->verdict);
}

static void label_end(struct labels *l, const struct found *f)
{
	char addr[INET6_ADDRSTRLEN] = "";

	if (f->family)
		inet_ntop(f->family == 6 ? AF_INET6 : AF_INET, f->addr, addr, sizeof(addr));
	label(l, "address", addr);
	if (f->family)
		label_number(l, "port", f->port);
	else
		label(l, "port", "");
}

static void put_findings(struct page *p)
{
	size_t i, j, n;

	begin(p, METRIC_FINDING);
	for (i = 0; i < p->k->nfound; i++) {
		const struct found *f = &p->k->found[i];
		struct labels l;

		/* A series has a name once. */
		for (j = n = 0; j < p->k->nfound; j++) {
			const struct found *o = &p->k->found[j];

			if (!same_series(o, f))
				continue;
			if (j < i)
				break;
			n++;
		}
		if (!n)
			continue;
		l = open_sample(p, NULL);
		label(&l, "verdict", f->verdict);
		label(&l, "severity", tcpfsm_severity_name(f->severity));
		if (f->netns)
			label_number(&l, "netns", f->netns);
		else
			label(&l, "netns", "");
		label_end(&l, f);
		value(&l, n);
	}
}

int metrics_write(struct out *o, const struct known *k, bool openmetrics)
{
	struct page p = { .o = o, .k = k, .openmetrics = openmetrics };
	struct labels l;
	size_t i;
	int err;

	err = tcpfsm_listeners_each(k->ls, take, &p);
	if (!err) {
		put_build(&p);
		put_features(&p);
		put_records(&p);
		if (k->checks)
			put_differences(&p);
		begin(&p, METRIC_UNTRACKED);
		l = open_sample(&p, NULL);
		value(&l, p.untracked);
		put_netns(&p);
		put_listeners(&p);
		put_fates(&p);
		put_queues(&p);
		put_histogram(&p, METRIC_HANDSHAKE, T(HANDSHAKE_US), T(HANDSHAKE_US_SUM));
		put_histogram(&p, METRIC_ACCEPT_WAIT, T(ACCEPT_US), T(ACCEPT_US_SUM));
		put_timewaits(&p);
		if (k->ledger)
			put_destinations(&p);
		if (k->outgoing)
			put_connects(&p);
		if (k->found)
			put_findings(&p);
		if (openmetrics)
			out_printf(o, "# EOF\n");
		err = out_flush(o);
	}
	for (i = 0; i < p.nrows; i++)
		free(p.row[i].sum);
	free(p.row);
	return err;
}
