// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm listen --json: every total by its name. */
#include <stdio.h>
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
	case T(NOW_ACCEPTED_TS):
	case T(NOW_MADE_TS):
		return true;
	}
	return false;
}

/* What only a listener has, and what only a network namespace has. */
static bool belongs(unsigned int i, bool netns)
{
	if (i == T(NOW_SINCE_TS))
		return true;
	if (i == T(NOW_PLACE) || i == T(NOW_ACCEPTED_TS) || i == T(NOW_DEV))
		return !netns;
	if (i == T(SYN_RETRANSMIT) || i == T(LISTENERS_LOST) || i == T(RESET_SUPPRESSED) ||
	    (i >= T(TW_SHORT) && i <= T(TW_ENDED)) || i >= T(NOW_SOMAXCONN) ||
	    (i > TCPFSM_TOTAL_TW && i <= TCPFSM_TOTAL_TW + TCPFSM_TW_PURGE))
		return netns;
	return i < T(NOW_SYNQ) || !netns;
}

static void put_value(struct json *j, const struct listen_reading *r, unsigned int i,
		      const char *key, uint64_t value)
{
	if (i == T(NOW_ASKED) && !value)
		json_null(j, key);
	else if (i == T(NOW_ASKED))
		json_number(j, key, value - 1);
	else if (is_time(i) && value)
		json_number(j, key, value + (uint64_t)r->epoch_offset);
	else
		json_number(j, key, value);
}

/* "?", "kernel.17": nothing has that number. */
static bool unused(unsigned int i, const char *name, const char *dot, uint64_t value)
{
	return *name == '?' || (dot && !strcmp(dot, ".none") && !value) ||
	       (dot && i >= TCPFSM_TOTAL_KERNEL_BASE && dot[1] >= '0' && dot[1] <= '9');
}

/* Those of a group, "syn_dropped.", in an object, or in an array when they are numbers. */
static void put_totals(struct json *j, const struct listen_reading *r, const uint64_t *total,
		       bool netns)
{
	char group[64] = "", close = '}';
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_NUM; i++) {
		char buf[64];
		const char *name = tcpfsm_total_name(i, buf), *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : 0;

		if (!belongs(i, netns) || unused(i, name, dot, total[i]))
			continue;
		if (*group && (!dot || strncmp(name, group, len) || group[len])) {
			json_close(j, close);
			*group = '\0';
		}
		if (dot && !*group) {
			memcpy(group, name, len);
			group[len] = '\0';
			close = dot[1] == '0' ? ']' : '}';
			json_open(j, group, close == ']' ? '[' : '{');
		}
		put_value(j, r, i, !dot ? name : close == ']' ? NULL : dot + 1, total[i]);
	}
	if (*group)
		json_close(j, close);
	out_json_bounds(j);
}

static void put_quantiles(struct json *j, const uint64_t *bucket, const char *name)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 } };
	bool any = tcpfsm_totals_sum(bucket, 0, TCPFSM_TOTAL_BUCKETS);
	char key[32];
	size_t i;

	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s_us", name, quantiles[i].name);
		if (any)
			json_number(j, key, tcpfsm_histogram_quantile(bucket, quantiles[i].q));
		else
			json_null(j, key);
	}
}

static void put_rates(struct json *j, const struct listen_row *row)
{
	const uint64_t *t = row->recent;
	double s = row->seconds;

	if (!(s > 0))
		return;
	json_decimal(j, "interval_ms", 1000 * s);
	json_open(j, "per_second", '{');
	json_decimal(j, "syn", (double)t[T(SYN)] / s);
	json_decimal(j, "syn_queued", (double)t[T(SYN_QUEUED)] / s);
	json_decimal(j, "syn_cookie", (double)t[T(SYN_COOKIE)] / s);
	json_decimal(j, "refused", (double)listen_refused(t) / s);
	json_decimal(j, "completed", (double)(t[T(COMPLETED)] + t[T(COMPLETED_COOKIE)]) / s);
	json_decimal(j, "accepted", (double)t[T(ACCEPTED)] / s);
	json_close(j, '}');
}

static void put_limits(struct json *j, unsigned int limits)
{
	static const char * const names[] = {
#define NAME(sym, text, json) [LISTEN_##sym] = json,
		LISTEN_LIMITS(NAME)
	};
	unsigned int i;

	json_open(j, "limits", '[');
	for (i = 0; i < LISTEN_NLIMITS; i++)
		if (limits >> i & 1)
			json_string(j, NULL, names[i]);
	json_close(j, ']');
}

static void put_head(struct json *j, const struct listen_reading *r, const struct tcpfsm_listener *l,
		     const char *event, uint64_t conn)
{
	out_json_begin(j, &(struct json_head) {
		.ts = l->ts + (uint64_t)r->epoch_offset, .event = event, .conn = conn,
		.netns = l->netns, .family = l->family, .laddr = l->laddr, .lport = l->lport,
	});
}

static void put_listener(struct json *j, const struct listen_reading *r,
			 const struct listen_row *row)
{
	const struct tcpfsm_listener *l = row->l;

	put_head(j, r, l, row->members ? "listener_group" : "listener", row->members ? 0 : l->conn);
	if (row->members)
		json_number(j, "members", row->members);
	else
		json_process(j, l->has_owner, l->pid, l->comm, "");
	if (!row->members && l->has_caller)
		json_process(j, true, l->caller_pid, l->caller_comm, "listen_");
	put_limits(j, row->limits);
	json_number(j, "refused", listen_refused(row->total));
	put_totals(j, r, row->total, false);
	put_quantiles(j, row->total + TCPFSM_TOTAL_HANDSHAKE_US, "handshake");
	put_quantiles(j, row->total + TCPFSM_TOTAL_ACCEPT_US, "accept");
	put_rates(j, row);
	json_end(j);
}

/* The network namespaces of listeners that are shown; without a filter all. */
static bool shown(const struct listen_reading *r, const struct listen_row *netns)
{
	return (netns->rank != SIZE_MAX && netns->rank < r->top) || !(tcpfsm_filter_asks(r->filter) & ~(uint32_t)TCPFSM_ASKS_NETNS);
}

void listen_json(struct out *o, const struct listen_reading *r)
{
	struct json j = out_json(o);
	size_t i;

	for (i = 0; i < r->nrows; i++)
		if (r->row[i].rank < r->top)
			put_listener(&j, r, &r->row[i]);
	for (i = 0; i < r->nnetns; i++) {
		const struct tcpfsm_listener *l = r->netns[i].l;

		if (!shown(r, &r->netns[i]) || l->conn)
			continue;
		put_head(&j, r, l, "netns", 0);
		put_totals(&j, r, r->netns[i].total, true);
		json_end(&j);
	}
}
