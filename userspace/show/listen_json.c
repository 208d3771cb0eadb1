// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm listen --json: every total by its name. */
#include <inttypes.h>
#include <string.h>

#include "listen.h"

#define T(t)		TCPFSM_TOTAL_##t

/* Times are told since the epoch. */
static bool is_time(unsigned int i)
{
	switch (i) {
	case T(SYNQ_PEAK_TS):
	case T(ACCEPTQ_PEAK_TS):
	case T(REFUSED_LAST_TS):
	case T(REFUSED_FIRST_TS):
	case T(NOW_SINCE_TS):
	case T(NOW_GONE_TS):
		return true;
	}
	return false;
}

/* What only a listener has, and what only a network namespace has. */
static bool belongs(unsigned int i, bool netns)
{
	if (i == T(NOW_SINCE_TS))
		return true;
	if (i == T(NOW_PLACE))
		return !netns;
	if (i == T(SYN_RETRANSMIT) || i == T(LISTENERS_LOST) || i == T(RESET_SUPPRESSED) ||
	    (i >= T(TW_SHORT) && i <= T(TW_ENDED)) || i >= T(NOW_SOMAXCONN) ||
	    (i > TCPFSM_TOTAL_TW && i <= TCPFSM_TOTAL_TW + TCPFSM_TW_PURGE))
		return netns;
	return i < T(NOW_SYNQ) || !netns;
}

static void put_value(struct out *o, const struct listen_reading *r, unsigned int i, uint64_t value)
{
	if (i == T(NOW_ASKED) && !value)
		out_printf(o, "null");
	else if (i == T(NOW_ASKED))
		out_printf(o, "%" PRIu64, value - 1);
	else if (is_time(i) && value)
		out_printf(o, "%" PRIu64, value + (uint64_t)r->epoch_offset);
	else
		out_printf(o, "%" PRIu64, value);
}

/* "?", "kernel.17": nothing has that number. */
static bool unused(unsigned int i, const char *name, const char *dot, uint64_t value)
{
	return *name == '?' || (dot && !strcmp(dot, ".none") && !value) ||
	       (dot && i >= TCPFSM_TOTAL_KERNEL_BASE && dot[1] >= '0' && dot[1] <= '9');
}

/* Those of a group, "syn_dropped.", in an object, or in an array when they are numbers. */
static void put_totals(struct out *o, const struct listen_reading *r, const uint64_t *total,
		       bool netns)
{
	char group[64] = "", close = '}';
	unsigned int i;
	bool first = false;

	for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
		char buf[64];
		const char *name = tcpfsm_total_name(i, buf), *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : 0;

		if (!belongs(i, netns) || unused(i, name, dot, total[i]))
			continue;
		if (*group && (!dot || strncmp(name, group, len) || group[len])) {
			out_printf(o, "%c", close);
			*group = '\0';
		}
		if (dot && !*group) {
			memcpy(group, name, len);
			group[len] = '\0';
			close = dot[1] == '0' ? ']' : '}';
			out_printf(o, ",\"%s\":%c", group, close == ']' ? '[' : '{');
			first = true;
		}
		if (!dot)
			out_printf(o, ",\"%s\":", name);
		else if (close == ']')
			out_printf(o, "%s", first ? "" : ",");
		else
			out_printf(o, "%s\"%s\":", first ? "" : ",", dot + 1);
		first = false;
		put_value(o, r, i, total[i]);
	}
	if (*group)
		out_printf(o, "%c", close);
}

static void put_quantiles(struct out *o, const char *name, const uint64_t *bucket)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 } };
	bool any = tcpfsm_totals_sum(bucket, 0, TCPFSM_TOTAL_BUCKETS);
	size_t i;

	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		out_printf(o, ",\"%s_%s_us\":", name, quantiles[i].name);
		if (any)
			out_printf(o, "%" PRIu64, tcpfsm_histogram_quantile(bucket, quantiles[i].q));
		else
			out_printf(o, "null");
	}
}

static void put_rates(struct out *o, const struct listen_row *row)
{
	const uint64_t *t = row->recent;
	double s = row->seconds;

	if (!(s > 0))
		return;
	out_printf(o, ",\"interval_ms\":%.3f,\"per_second\":{\"syn\":%.3f,\"syn_queued\":%.3f,"
		   "\"syn_cookie\":%.3f,\"refused\":%.3f,\"completed\":%.3f,\"accepted\":%.3f}",
		   1000 * s, (double)t[T(SYN)] / s, (double)t[T(SYN_QUEUED)] / s,
		   (double)t[T(SYN_COOKIE)] / s, (double)listen_refused(t) / s,
		   (double)(t[T(COMPLETED)] + t[T(COMPLETED_COOKIE)]) / s,
		   (double)t[T(ACCEPTED)] / s);
}

static void put_limits(struct out *o, unsigned int limits)
{
	static const char * const names[] = {
#define NAME(sym, text, json) [LISTEN_##sym] = json,
		LISTEN_LIMITS(NAME)
	};
	bool first = true;
	unsigned int i;

	out_printf(o, ",\"limits\":[");
	for (i = 0; i < LISTEN_NLIMITS; i++) {
		if (!(limits >> i & 1))
			continue;
		out_printf(o, "%s\"%s\"", first ? "" : ",", names[i]);
		first = false;
	}
	out_printf(o, "]");
}

static void put_head(struct out *o, const struct listen_reading *r, const struct tcpfsm_listener *l,
		     const char *event, uint64_t conn)
{
	out_json_head(o, l->ts + (uint64_t)r->epoch_offset, event, conn, l->netns, l->family,
		      l->laddr, l->lport);
}

static void put_listener(struct out *o, const struct listen_reading *r,
			 const struct listen_row *row)
{
	const struct tcpfsm_listener *l = row->l;
	char comm[TCPFSM_COMM_JSON_MAX];

	put_head(o, r, l, row->members ? "listener_group" : "listener", row->members ? 0 : l->conn);
	if (row->members)
		out_printf(o, ",\"members\":%zu", row->members);
	if (!row->members && l->has_owner)
		out_printf(o, ",\"pid\":%u,\"comm\":\"%.*s\"", l->pid,
			   (int)tcpfsm_comm_json(l->comm, comm), comm);
	else if (!row->members)
		out_printf(o, ",\"pid\":null,\"comm\":null");
	put_limits(o, row->limits);
	out_printf(o, ",\"refused\":%" PRIu64, listen_refused(row->total));
	put_totals(o, r, row->total, false);
	put_quantiles(o, "handshake", row->total + TCPFSM_TOTAL_HANDSHAKE_US);
	put_quantiles(o, "accept", row->total + TCPFSM_TOTAL_ACCEPT_US);
	put_rates(o, row);
	out_printf(o, "}\n");
}

/* The network namespaces of listeners that are shown; without a filter all. */
static bool shown(const struct listen_reading *r, const struct listen_row *netns)
{
	const struct tcpfsm_filter *f = r->filter;

	return netns->rank != SIZE_MAX || !(f->nlport || f->family || f->pid);
}

void listen_json(struct out *o, const struct listen_reading *r)
{
	size_t i;

	for (i = 0; i < r->nrows; i++)
		put_listener(o, r, &r->row[i]);
	for (i = 0; i < r->nnetns; i++) {
		const struct tcpfsm_listener *l = r->netns[i].l;

		if (!shown(r, &r->netns[i]) || l->conn)
			continue;
		put_head(o, r, l, "netns", 0);
		put_totals(o, r, r->netns[i].total, true);
		out_printf(o, "}\n");
	}
}
