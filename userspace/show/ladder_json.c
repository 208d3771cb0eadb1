// SPDX-License-Identifier: GPL-2.0-only
/* A ladder as one JSON object on a line. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder.h"

#define E(e)	(TCPFSM_EVENT_##e + 1)

static void put_ms(struct out *o, const char *key, int64_t ns)
{
	if (ns >= 0)
		out_printf(o, ",\"%s\":%" PRId64 ".%03" PRId64, key, ns / 1000000, ns / 1000 % 1000);
}

static void put_name(struct out *o, const char *key, const char *name)
{
	if (*name)
		out_printf(o, ",\"%s\":\"%s\"", key, name);
}

static void put_end(struct out *o, const struct tcpfsm_ladder *l, unsigned int i)
{
	const struct tcpfsm_ladder_end *e = &l->end[i];
	char text[INET6_ADDRSTRLEN];

	inet_ntop(l->family == 6 ? AF_INET6 : AF_INET, e->addr, text, sizeof(text));
	out_printf(o, "%s{\"seen\":%s,\"addr\":\"%s\",\"port\":%u", i ? "," : "",
		   e->seen ? "true" : "false", text, e->port);
	if (l->client)
		put_name(o, "role", i ? "server" : "client");
	if (e->conn)
		out_printf(o, ",\"conn\":%" PRIu64, e->conn);
	if (e->netns)
		out_printf(o, ",\"netns\":%" PRIu32, e->netns);
	if (e->has_owner) {
		char buf[TCPFSM_COMM_JSON_MAX];

		out_printf(o, ",\"pid\":%" PRIu32 ",\"comm\":\"", e->pid);
		out_printf(o, "%.*s\"", (int)tcpfsm_comm_json(e->comm, buf), buf);
	}
	if (e->has_isn)
		out_printf(o, ",\"isn\":%" PRIu32, e->isn);
	if (e->first)
		put_name(o, "first", tcpfsm_state_name(e->first));
	if (e->last)
		put_name(o, "last", tcpfsm_state_name(e->last));
	put_name(o, "cause", tcpfsm_cause_name(e->cause));
	out_printf(o, "}");
}

/* What the verdict is called depends on the event. */
static void put_verdict(struct out *o, const struct tcpfsm_ladder_cell *c)
{
	switch (c->event) {
	case E(SYN):
	case E(HANDSHAKE_ACK):
		put_name(o, "verdict", tcpfsm_verdict_name(c->verdict));
		if (c->reason)
			put_name(o, "reason", tcpfsm_reason_name(c->reason));
		return;
	case E(TIMEWAIT):
		put_name(o, "action", tcpfsm_tw_action_name(c->verdict));
		return;
	case E(RESET):
		put_name(o, "direction", tcpfsm_direction_name(c->verdict));
		return;
	}
}

static void put_cell(struct out *o, const struct tcpfsm_ladder_cell *c)
{
	if (!c->event) {
		out_printf(o, "null");
		return;
	}
	out_printf(o, "{\"event\":\"%s\"", tcpfsm_event_name(c->event - 1U));
	if (c->old_state)
		put_name(o, "old", tcpfsm_state_name(c->old_state));
	if (c->state)
		put_name(o, "new", tcpfsm_state_name(c->state));
	put_name(o, "cause", tcpfsm_cause_name(c->cause));
	put_verdict(o, c);
	if (c->err)
		put_name(o, "errno", tcpfsm_errno_name(c->err));
	put_ms(o, c->event == E(ACCEPT) ? "waited_ms" : "ms", c->dur_ns);
	if (c->fastopen)
		out_printf(o, ",\"fastopen\":true");
	if (c->has_queues)
		out_printf(o, ",\"synq\":%" PRIu32 ",\"synq_max\":%" PRIu32 ",\"acceptq\":%" PRIu32
			   ",\"acceptq_max\":%" PRIu32, c->synq, c->backlog, c->acceptq,
			   c->backlog);
	if (c->asked)
		out_printf(o, ",\"backlog\":%" PRIu32, c->asked - 1);
	if (c->max_syn_backlog)
		out_printf(o, ",\"max_syn_backlog\":%" PRIu32, c->max_syn_backlog);
	if (c->event == E(TIMEWAIT) || c->state == TCPFSM_STATE_TIME_WAIT ||
	    c->old_state == TCPFSM_STATE_TIME_WAIT)
		out_printf(o, ",\"tw\":%" PRIu32 ",\"tw_max\":%" PRIu32, c->tw, c->tw_max);
	out_printf(o, "}");
}

static void put_flags(struct out *o, uint8_t flags)
{
	static const struct { uint8_t flag; const char *name; } names[] = {
		{ TCPFSM_SEG_SYN, "SYN" }, { TCPFSM_SEG_FIN, "FIN" }, { TCPFSM_SEG_RST, "RST" },
		{ TCPFSM_SEG_DATA, "DATA" }, { TCPFSM_SEG_ACK, "ACK" },
	};
	const char *sep = "";
	size_t i;

	out_printf(o, ",\"flags\":[");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & names[i].flag))
			continue;
		out_printf(o, "%s\"%s\"", sep, names[i].name);
		sep = ",";
	}
	out_printf(o, "]");
}

static void put_number(struct out *o, const char *key, uint32_t n,
		       const struct tcpfsm_ladder_end *base)
{
	out_printf(o, ",\"%s\":%" PRIu32, key, n);
	if (base->has_isn)
		out_printf(o, ",\"rel_%s\":%" PRIu32, key, n - base->isn);
}

static void put_segment(struct out *o, const struct tcpfsm_ladder *l,
			const struct tcpfsm_ladder_row *r)
{
	static const char * const fates[] = { "not_seen", "arrived", "lost" };

	out_printf(o, ",\"from\":%u", r->from);
	put_flags(o, r->flags);
	if (r->has_seq)
		put_number(o, "seq", r->seq, &l->end[r->from]);
	if (r->has_ack)
		put_number(o, "ack", r->ack, &l->end[!r->from]);
	if (r->retransmit)
		out_printf(o, ",\"retransmit\":%u", r->retransmit);
	out_printf(o, ",\"fate\":\"%s\"", fates[r->fate]);
	if (r->sent_ts)
		out_printf(o, ",\"sent_ts\":%" PRIu64, r->sent_ts);
	if (r->arrived_ts)
		out_printf(o, ",\"arrived_ts\":%" PRIu64, r->arrived_ts);
	if (r->kind != TCPFSM_LADDER_SEGMENT)
		out_printf(o, ",\"pair\":%" PRIu32, r->pair);
}

static void put_step(struct out *o, const struct tcpfsm_ladder *l,
		     const struct tcpfsm_ladder_row *r)
{
	static const char * const kinds[] = {
		"segment", "departs", "arrives", "event", "data", "lost", "more",
	};

	out_printf(o, "{\"ts\":%" PRIu64 ",\"step\":\"%s\"", r->ts, kinds[r->kind]);
	switch (r->kind) {
	case TCPFSM_LADDER_DATA:
		out_printf(o, ",\"bytes\":[%" PRIu64 ",%" PRIu64 "]}", r->bytes[0], r->bytes[1]);
		return;
	case TCPFSM_LADDER_GAP:
	case TCPFSM_LADDER_MORE:
		out_printf(o, ",\"count\":%" PRIu64 "}", r->count);
		return;
	case TCPFSM_LADDER_EVENT:
		break;
	default:
		put_segment(o, l, r);
	}
	out_printf(o, ",\"ends\":[");
	put_cell(o, &r->cell[0]);
	out_printf(o, ",");
	put_cell(o, &r->cell[1]);
	out_printf(o, "]}");
}

void ladder_json(struct out *o, const struct tcpfsm_ladder *l)
{
	/* As the other objects: seen from an end that is here, the client's first. */
	unsigned int here = !l->end[0].seen;
	const struct tcpfsm_ladder_end *e = &l->end[here], *peer = &l->end[!here];
	char laddr[INET6_ADDRSTRLEN], raddr[INET6_ADDRSTRLEN];
	int af = l->family == 6 ? AF_INET6 : AF_INET;
	size_t i;

	inet_ntop(af, e->addr, laddr, sizeof(laddr));
	inet_ntop(af, peer->addr, raddr, sizeof(raddr));
	out_printf(o, "{\"ts\":%" PRIu64 ",\"event\":\"ladder\",\"conn\":%" PRIu64
		   ",\"netns\":%" PRIu32 ",\"family\":%u,\"laddr\":\"%s\",\"lport\":%u"
		   ",\"raddr\":\"%s\",\"rport\":%u", l->begin_ts, e->conn, e->netns, l->family,
		   laddr, e->port, raddr, peer->port);
	out_printf(o, ",\"end_ts\":%" PRIu64 ",\"begun\":%s,\"finished\":%s,\"exact\":%s", l->end_ts,
		   l->begun ? "true" : "false", l->finished ? "true" : "false",
		   l->exact ? "true" : "false");
	if (l->self)
		out_printf(o, ",\"self\":true");
	put_ms(o, "handshake_ms", l->handshake_ns);
	out_printf(o, ",\"closed_first\":%s", l->closed_first < 0 ? "[]" :
		   l->closed_first == TCPFSM_LADDER_BOTH ? "[0,1]" :
		   l->closed_first ? "[1]" : "[0]");
	out_printf(o, ",\"ends\":[");
	put_end(o, l, 0);
	put_end(o, l, 1);
	out_printf(o, "],\"steps\":[");
	for (i = 0; i < l->nrows; i++) {
		if (i)
			out_printf(o, ",");
		put_step(o, l, &l->rows[i]);
	}
	out_printf(o, "]}\n");
}
