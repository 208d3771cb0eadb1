// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm timewait --json: an object for each network namespace, destination and owner. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "put.h"
#include "timewait.h"

static void put_flows(struct out *o, const char *name, const uint64_t flow[TCPFSM_TW_FLOWS])
{
	unsigned int i;

	out_printf(o, ",\"%s\":{", name);
	for (i = TCPFSM_TW_ENTER; i <= TCPFSM_TW_PURGE; i++)
		out_printf(o, "\"%s\":%" PRIu64 ",", tcpfsm_tw_action_name(i), flow[i]);
	out_printf(o, "\"enter_fin_wait2\":%" PRIu64 ",\"refresh_fin_wait2\":%" PRIu64 "}",
		   flow[TCPFSM_TW_FLOW_FIN_WAIT2], flow[TCPFSM_TW_FLOW_FIN]);
}

/* Unknown: null. */
static void put_number(struct out *o, const char *name, double value, bool known)
{
	if (known)
		out_printf(o, ",\"%s\":%.3f", name, value);
	else
		out_printf(o, ",\"%s\":null", name);
}

static void put_rates(struct out *o, const struct tcpfsm_timewait *g)
{
	unsigned int i;

	put_number(o, "interval_ms", 1000 * g->seconds, g->seconds > 0);
	if (!(g->seconds > 0)) {
		out_printf(o, ",\"per_second\":null");
		return;
	}
	out_printf(o, ",\"per_second\":{");
	for (i = TCPFSM_TW_ENTER; i <= TCPFSM_TW_PURGE; i++)
		out_printf(o, "%s\"%s\":%.3f", i > TCPFSM_TW_ENTER ? "," : "", tcpfsm_tw_action_name(i),
			   (double)g->recent[i] / g->seconds);
	out_printf(o, "}");
}

static void put_process(struct out *o, const char *prefix, bool known, uint32_t pid,
			const char comm[17])
{
	char text[TCPFSM_COMM_JSON_MAX];

	if (known)
		out_printf(o, ",\"%spid\":%u,\"%scomm\":\"%.*s\"", prefix, pid, prefix,
			   (int)tcpfsm_comm_json(comm, text), text);
	else
		out_printf(o, ",\"%spid\":null,\"%scomm\":null", prefix, prefix);
}

static void put_cgroup(struct out *o, const char *path)
{
	char *p = out_room(o, 2 * strlen(path ? path : "") + 32), *start = p;

	if (!path) {
		out_printf(o, ",\"cgroup\":null");
		return;
	}
	p = put(p, ",\"cgroup\":\"");
	for (; *path; path++) {
		if (*path == '"' || *path == '\\')
			*p++ = '\\';
		*p++ = *path;
	}
	*p++ = '"';
	out_add(o, (size_t)(p - start));
}

static void put_total(struct out *o, const struct timewait_reading *r,
		      const struct tcpfsm_timewait *g)
{
	uint64_t ages[TCPFSM_TW_AGES], lost, untold, resynced;
	unsigned int i;

	tcpfsm_timewaits_uncertain(r->ledger, &lost, &untold);
	resynced = tcpfsm_timewaits_resynced(r->ledger);
	out_printf(o, ",\"tw\":%u,\"tw_max\":%" PRIu64 ",\"uncertain\":%s,\"lost\":%" PRIu64
		   ",\"untold\":%" PRIu64 ",\"resynced_ts\":", g->tw, g->limit,
		   (lost && !resynced) || untold ? "true" : "false", lost, untold);
	if (resynced)
		out_printf(o, "%" PRIu64, resynced);
	else
		out_printf(o, "null");
	put_number(o, "overflow_seconds", g->full_in, g->full_in >= 0);
	if (g->rest)
		return;
	tcpfsm_timewaits_ages(r->ledger, g->netns, r->ts, ages);
	out_printf(o, ",\"ages\":{");
	for (i = 0; i < TCPFSM_TW_AGES; i++) {
		if (i == TCPFSM_TW_AGES - 1)
			out_printf(o, ",\"unknown\":%" PRIu64 "}", ages[i]);
		else
			out_printf(o, "%s\"%u\":%" PRIu64, i ? "," : "", 10 * i, ages[i]);
	}
}

static void put_destination(struct out *o, const struct timewait_reading *r,
			    const struct tcpfsm_timewait *g)
{
	struct tcpfsm_timewait_reuse reuse;

	out_printf(o, ",\"direction\":\"%s\",\"open\":%" PRIu64, g->rest ? "" : g->inbound ? "in" : "out",
		   g->open);
	if (g->limit)
		out_printf(o, ",\"ports\":%" PRIu64 ",\"ports_used\":%" PRIu64, g->limit, g->used);
	else
		out_printf(o, ",\"ports\":null,\"ports_used\":null");
	put_number(o, "exhausted_seconds", g->full_in, g->full_in >= 0);
	tcpfsm_timewaits_reuse(r->ledger, g, r->ts, &reuse);
	out_printf(o, ",\"overflow_first\":%s,\"tw_reuse\":%s,\"reusable\":{\"ready\":%" PRIu64
		   ",\"young\":%" PRIu64 ",\"without_timestamps\":%" PRIu64 ",\"unknown\":%" PRIu64 "}",
		   g->overflows ? "true" : "false", g->reuse ? "true" : "false", reuse.ready,
		   reuse.young, reuse.without, reuse.unknown);
	put_process(o, "failed_", g->has_owner, g->pid, g->comm);
	put_process(o, "maker_", g->has_maker, g->maker_pid, g->maker_comm);
}

struct json {
	struct out *o;
	const struct timewait_reading *r;
};

static int put_group(const struct tcpfsm_timewait *g, void *arg)
{
	static const char * const events[] = {
		[TCPFSM_TIMEWAIT_NETNS] = "timewait_total",
		[TCPFSM_TIMEWAIT_DESTINATION] = "timewait_destination",
		[TCPFSM_TIMEWAIT_OWNER] = "timewait_owner",
	};
	const struct timewait_reading *r = ((struct json *)arg)->r;
	struct out *o = ((struct json *)arg)->o;

	out_json_ends(o, r->ts, events[g->kind], 0, g->netns, g->family, g->laddr, g->lport, g->raddr,
		      g->rport);
	out_printf(o, ",\"rest\":%s,\"population\":%" PRIu64 ",\"time_wait\":%" PRIu64
		   ",\"fin_wait2\":%" PRIu64 ",\"before\":%" PRIu64, g->rest ? "true" : "false",
		   g->time_wait + g->fin_wait2, g->time_wait, g->fin_wait2, g->before);
	out_printf(o, ",\"closed_first\":{\"local\":%" PRIu64 ",\"remote\":%" PRIu64 ",\"both\":%" PRIu64
		   ",\"unknown\":%" PRIu64 "}", g->closer[TCPFSM_CLOSER_LOCAL],
		   g->closer[TCPFSM_CLOSER_REMOTE], g->closer[TCPFSM_CLOSER_BOTH],
		   g->closer[TCPFSM_CLOSER_NONE]);
	put_flows(o, "since_attach", g->flow);
	put_rates(o, g);
	put_number(o, "settles", g->settles, g->settles >= 0);
	out_printf(o, ",\"connect_failed\":%" PRIu64 ",\"connect_failed_recent\":%" PRIu64
		   ",\"connect_failed_ts\":", g->failed, g->recent_failed);
	if (g->failed_ts)
		out_printf(o, "%" PRIu64, g->failed_ts);
	else
		out_printf(o, "null");
	switch (g->kind) {
	case TCPFSM_TIMEWAIT_NETNS:
		put_total(o, r, g);
		break;
	case TCPFSM_TIMEWAIT_DESTINATION:
		put_destination(o, r, g);
		break;
	case TCPFSM_TIMEWAIT_OWNER:
		put_process(o, "", g->has_owner, g->pid, g->comm);
		put_cgroup(o, g->cgroup);
		break;
	}
	out_printf(o, "}\n");
	return 0;
}

int timewait_json(struct out *o, struct timewait_reading *r)
{
	size_t max = r->top ? r->top : SIZE_MAX;
	struct json json = { o, r };
	unsigned int kind;
	int err = 0;

	for (kind = 0; !err && kind < TCPFSM_TIMEWAIT_KINDS; kind++)
		err = tcpfsm_timewaits_each(r->ledger, kind, r->ts,
					    kind == TCPFSM_TIMEWAIT_NETNS ? SIZE_MAX : max, put_group, &json);
	return err;
}
