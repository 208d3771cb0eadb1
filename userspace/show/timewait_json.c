// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm timewait --json: an object for each network namespace, destination and owner. */
#include <stdio.h>

#include "timewait.h"

static void put_flows(struct json *j, const char *name, const uint64_t flow[TCPFSM_TW_FLOWS])
{
	unsigned int i;

	json_open(j, name, '{');
	for (i = TCPFSM_TW_ENTER; i <= TCPFSM_TW_PURGE; i++)
		json_number(j, tcpfsm_tw_action_name(i), flow[i]);
	json_number(j, "enter_fin_wait2", flow[TCPFSM_TW_FLOW_FIN_WAIT2]);
	json_number(j, "refresh_fin_wait2", flow[TCPFSM_TW_FLOW_FIN]);
	json_close(j, '}');
}

static void put_known(struct json *j, const char *name, double value, bool known)
{
	if (known)
		json_decimal(j, name, value);
	else
		json_null(j, name);
}

static void put_rates(struct json *j, const struct tcpfsm_timewait *g)
{
	bool known = g->seconds > 0;
	unsigned int i;

	put_known(j, "interval_ms", 1000 * g->seconds, known);
	if (!known) {
		json_null(j, "per_second");
		return;
	}
	json_open(j, "per_second", '{');
	for (i = TCPFSM_TW_ENTER; i <= TCPFSM_TW_PURGE; i++)
		json_decimal(j, tcpfsm_tw_action_name(i), (double)g->recent[i] / g->seconds);
	json_close(j, '}');
}

static void put_total(struct json *j, const struct timewait_reading *r,
		      const struct tcpfsm_timewait *g)
{
	uint64_t ages[TCPFSM_TW_AGES], lost, untold, resynced;
	char key[16];
	unsigned int i;

	tcpfsm_timewaits_uncertain(r->ledger, &lost, &untold);
	resynced = tcpfsm_timewaits_resynced(r->ledger);
	json_number(j, "tw", g->tw);
	json_number(j, "tw_max", g->limit);
	json_bool(j, "uncertain", (lost && !resynced) || untold);
	json_number(j, "lost", lost);
	json_number(j, "untold", untold);
	json_time(j, "resynced_ts", resynced);
	put_known(j, "overflow_seconds", g->full_in, g->full_in >= 0);
	if (g->rest)
		return;
	tcpfsm_timewaits_ages(r->ledger, g->netns, r->ts, ages);
	json_open(j, "ages", '{');
	for (i = 0; i < TCPFSM_TW_AGES - 1; i++) {
		snprintf(key, sizeof(key), "%u", 10 * i);
		json_number(j, key, ages[i]);
	}
	json_number(j, "unknown", ages[i]);
	json_close(j, '}');
}

static void put_destination(struct json *j, const struct timewait_reading *r,
			    const struct tcpfsm_timewait *g)
{
	struct tcpfsm_timewait_reuse reuse;

	json_string(j, "direction", g->rest ? "" : g->inbound ? "in" : "out");
	json_number(j, "open", g->open);
	if (g->limit) {
		json_number(j, "ports", g->limit);
		json_number(j, "ports_used", g->used);
	} else {
		json_null(j, "ports");
		json_null(j, "ports_used");
	}
	put_known(j, "exhausted_seconds", g->full_in, g->full_in >= 0);
	tcpfsm_timewaits_reuse(r->ledger, g, r->ts, &reuse);
	json_bool(j, "overflow_first", g->overflows);
	json_bool(j, "tw_reuse", g->reuse);
	json_open(j, "reusable", '{');
	json_number(j, "ready", reuse.ready);
	json_number(j, "young", reuse.young);
	json_number(j, "without_timestamps", reuse.without);
	json_number(j, "unknown", reuse.unknown);
	json_close(j, '}');
	if (g->dev)
		json_number(j, "dev", g->dev);
	json_process(j, g->has_owner, g->pid, g->comm, "failed_");
	json_process(j, g->has_maker, g->maker_pid, g->maker_comm, "maker_");
}

static void put_population(struct json *j, const struct tcpfsm_timewait *g)
{
	json_bool(j, "rest", g->rest);
	json_number(j, "population", g->time_wait + g->fin_wait2);
	json_number(j, "time_wait", g->time_wait);
	json_number(j, "fin_wait2", g->fin_wait2);
	json_number(j, "before", g->before);
	out_json_closers(j, g->closer);
}

struct to {
	struct json j;
	const struct timewait_reading *r;
};

static int put_group(const struct tcpfsm_timewait *g, void *arg)
{
	static const char * const events[] = {
		[TCPFSM_TIMEWAIT_NETNS] = "timewait_total",
		[TCPFSM_TIMEWAIT_DESTINATION] = "timewait_destination",
		[TCPFSM_TIMEWAIT_OWNER] = "timewait_owner",
	};
	const struct timewait_reading *r = ((struct to *)arg)->r;
	struct json *j = &((struct to *)arg)->j;

	out_json_begin(j, &(struct json_head) {
		.ts = r->ts, .event = events[g->kind], .netns = g->netns, .family = g->family,
		.laddr = g->laddr, .lport = g->lport, .raddr = g->raddr, .rport = g->rport,
	});
	put_population(j, g);
	put_flows(j, "since_attach", g->flow);
	put_rates(j, g);
	put_known(j, "settles", g->settles, g->settles >= 0);
	json_number(j, "connect_failed", g->failed);
	json_number(j, "connect_failed_recent", g->recent_failed);
	json_time(j, "connect_failed_ts", g->failed_ts);
	switch (g->kind) {
	case TCPFSM_TIMEWAIT_NETNS:
		put_total(j, r, g);
		break;
	case TCPFSM_TIMEWAIT_DESTINATION:
		put_destination(j, r, g);
		break;
	case TCPFSM_TIMEWAIT_OWNER:
		json_process(j, g->has_owner, g->pid, g->comm, "");
		if (g->cgroup)
			json_string(j, "cgroup", g->cgroup);
		else
			json_null(j, "cgroup");
		break;
	}
	json_end(j);
	return 0;
}

int timewait_json(struct out *o, struct timewait_reading *r)
{
	size_t max = r->top ? r->top : SIZE_MAX;
	struct to to = { out_json(o), r };
	unsigned int kind;
	int err = 0;

	for (kind = 0; !err && kind < TCPFSM_TIMEWAIT_KINDS; kind++)
		err = tcpfsm_timewaits_each(r->ledger, kind, r->ts,
					    kind == TCPFSM_TIMEWAIT_NETNS ? SIZE_MAX : max, put_group, &to);
	return err;
}
