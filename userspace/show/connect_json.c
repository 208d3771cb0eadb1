// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm connect --json: an object for each row. */
#include "connect.h"

static const char *const bys[] = {
#define NAME(sym, name)	name,
	TCPFSM_CONNECT_BYS(NAME)
#undef NAME
};

static void put_quantile(struct json *j, const char *key, const uint64_t *bucket, double q, bool known)
{
	if (known)
		json_number(j, key, tcpfsm_histogram_quantile(bucket, q));
	else
		json_null(j, key);
}

static void put_failed(struct json *j, const struct tcpfsm_connect_counts *n)
{
	unsigned int i;

	json_open(j, "failed_by", '{');
	for (i = 0; i < TCPFSM_CONNECT_ERRORS; i++) {
		int err = tcpfsm_connect_errno(i);

		json_number(j, err ? tcpfsm_errno_name((unsigned int)err) : "other", n->by_errno[i]);
	}
	json_close(j, '}');
}

static void put_counts(struct json *j, const struct tcpfsm_connect_counts *n)
{
	uint64_t samples = tcpfsm_totals_sum(n->handshake_us, 0, TCPFSM_TOTAL_BUCKETS);
	unsigned int i;

	json_number(j, "attempts", n->attempts);
	json_number(j, "established", n->established);
	json_number(j, "failed", n->failed);
	put_failed(j, n);
	json_number(j, "given_up", n->given_up);
	put_quantile(j, "handshake_p50_us", n->handshake_us, 0.5, samples);
	put_quantile(j, "handshake_p99_us", n->handshake_us, 0.99, samples);
	json_open(j, "handshake_us", '[');
	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++)
		json_number(j, NULL, n->handshake_us[i]);
	json_close(j, ']');
	out_json_bounds(j);
	json_number(j, "syn_retransmits", n->resent);
	json_number(j, "resets", n->resets);
	out_json_closers(j, n->closed);
}

static void put_rates(struct json *j, const struct tcpfsm_connect *c)
{
	if (!(c->seconds > 0)) {
		json_null(j, "interval_ms");
		json_null(j, "per_second");
		return;
	}
	json_decimal(j, "interval_ms", 1000 * c->seconds);
	json_open(j, "per_second", '{');
	json_decimal(j, "attempts", (double)c->recent.attempts / c->seconds);
	json_decimal(j, "established", (double)c->recent.established / c->seconds);
	json_decimal(j, "failed", (double)c->recent.failed / c->seconds);
	json_decimal(j, "syn_retransmits", (double)c->recent.resent / c->seconds);
	json_close(j, '}');
}

struct to {
	struct json j;
	const struct connect_reading *r;
	uint64_t lost, untold;
};

static int put_row(const struct tcpfsm_connect *c, void *arg)
{
	struct to *to = arg;
	struct json *j = &to->j;

	out_json_begin(j, &(struct json_head) {
		.ts = to->r->ts, .event = "connect", .netns = c->netns, .family = c->family, .raddr = c->raddr,
		.rport = c->rport,
	});
	json_string(j, "by", bys[c->by]);
	json_bool(j, "rest", c->rest);
	json_number(j, "rows", c->rows);
	if (c->bits)
		json_number(j, "prefix", c->bits);
	else
		json_null(j, "prefix");
	json_process(j, c->has_owner, c->pid, c->comm, "");
	if (c->container)
		json_string(j, "container", c->container);
	else
		json_null(j, "container");
	put_counts(j, &c->total);
	json_number(j, "in_progress", c->progress);
	json_number(j, "live", c->live);
	if (c->ports) {
		json_number(j, "ports", c->ports);
		json_number(j, "ports_used", c->ports_used);
	} else {
		json_null(j, "ports");
		json_null(j, "ports_used");
	}
	put_rates(j, c);
	json_bool(j, "uncertain", to->lost || to->untold);
	json_number(j, "lost", to->lost);
	json_number(j, "untold", to->untold);
	json_end(j);
	return 0;
}

int connect_json(struct out *o, const struct connect_reading *r)
{
	struct to to = { out_json(o), r, 0, 0 };

	tcpfsm_connects_uncertain(r->connects, &to.lost, &to.untold);
	return tcpfsm_connects_each(r->connects, r->by, r->sort, r->ts, r->top ? r->top : SIZE_MAX, r->filter,
				    put_row, &to);
}
