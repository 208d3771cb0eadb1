// SPDX-License-Identifier: GPL-2.0-only
/* A ladder as one JSON object on a line. */
#include "ladder.h"

#define E(e)	(TCPFSM_EVENT_##e + 1)

static void put_ms(struct json *j, const char *key, int64_t ns)
{
	if (ns >= 0)
		json_ms(j, key, (uint64_t)ns);
}

static void put_name(struct json *j, const char *key, const char *name)
{
	if (*name)
		json_string(j, key, name);
}

static void put_end(struct json *j, const struct tcpfsm_ladder *l, unsigned int i)
{
	const struct tcpfsm_ladder_end *e = &l->end[i];
	unsigned int host = TCPFSM_HOST_OF_CONN(e->conn);
	char name[TCPFSM_CONTAINER_NAME_MAX];

	json_open(j, NULL, '{');
	json_bool(j, "seen", e->seen);
	json_address(j, "addr", l->family, e->addr);
	json_number(j, "port", e->port);
	if (l->client)
		put_name(j, "role", i ? "server" : "client");
	if (host)
		json_number(j, "host", host);
	if (e->conn)
		json_number(j, "conn", TCPFSM_BARE_CONN(e->conn));
	if (e->netns)
		json_number(j, "netns", TCPFSM_BARE_NETNS(host, e->netns));
	if (*out_netns(TCPFSM_BARE_NETNS(host, e->netns), name))
		json_string(j, "netns_name", name);
	if (e->has_owner)
		json_process(j, true, e->pid, e->comm, "");
	if (e->has_isn)
		json_number(j, "isn", e->isn);
	if (e->first)
		put_name(j, "first", tcpfsm_state_name(e->first));
	if (e->last)
		put_name(j, "last", tcpfsm_state_name(e->last));
	put_name(j, "cause", tcpfsm_cause_name(e->cause));
	json_close(j, '}');
}

/* What the verdict is called depends on the event. */
static void put_verdict(struct json *j, const struct tcpfsm_ladder_cell *c)
{
	switch (c->event) {
	case E(SYN):
	case E(HANDSHAKE_ACK):
		put_name(j, "verdict", tcpfsm_verdict_name(c->verdict));
		if (c->reason)
			put_name(j, "reason", tcpfsm_reason_name(c->reason));
		return;
	case E(TIMEWAIT):
		put_name(j, "action", tcpfsm_tw_action_name(c->verdict));
		return;
	case E(RESET):
		put_name(j, "direction", tcpfsm_direction_name(c->verdict));
		return;
	}
}

static void put_cell(struct json *j, const struct tcpfsm_ladder_cell *c)
{
	if (!c->event) {
		json_null(j, NULL);
		return;
	}
	json_open(j, NULL, '{');
	json_string(j, "event", tcpfsm_event_name(c->event - 1U));
	if (c->old_state)
		put_name(j, "old", tcpfsm_state_name(c->old_state));
	if (c->state)
		put_name(j, "new", tcpfsm_state_name(c->state));
	put_name(j, "cause", tcpfsm_cause_name(c->cause));
	put_verdict(j, c);
	if (c->err)
		put_name(j, "errno", tcpfsm_errno_name(c->err));
	put_ms(j, c->event == E(ACCEPT) ? "waited_ms" : "ms", c->dur_ns);
	if (c->fastopen)
		json_bool(j, "fastopen", true);
	if (c->has_queues) {
		json_number(j, "synq", c->synq);
		json_number(j, "synq_max", c->backlog);
		json_number(j, "acceptq", c->acceptq);
		json_number(j, "acceptq_max", c->backlog);
	}
	if (c->asked)
		json_number(j, "backlog", c->asked - 1);
	if (c->max_syn_backlog)
		json_number(j, "max_syn_backlog", c->max_syn_backlog);
	if (c->event == E(TIMEWAIT) || c->state == TCPFSM_STATE_TIME_WAIT ||
	    c->old_state == TCPFSM_STATE_TIME_WAIT) {
		json_number(j, "tw", c->tw);
		json_number(j, "tw_max", c->tw_max);
	}
	json_close(j, '}');
}

static void put_flags(struct json *j, uint8_t flags)
{
	static const struct { uint8_t flag; const char *name; } names[] = {
		{ TCPFSM_SEG_SYN, "SYN" }, { TCPFSM_SEG_FIN, "FIN" }, { TCPFSM_SEG_RST, "RST" },
		{ TCPFSM_SEG_DATA, "DATA" }, { TCPFSM_SEG_ACK, "ACK" },
	};
	size_t i;

	json_open(j, "flags", '[');
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			json_string(j, NULL, names[i].name);
	json_close(j, ']');
}

static void put_number(struct json *j, const char *key, const char *relative, uint32_t n,
		       const struct tcpfsm_ladder_end *base)
{
	json_number(j, key, n);
	if (base->has_isn)
		json_number(j, relative, n - base->isn);
}

static void put_segment(struct json *j, const struct tcpfsm_ladder *l,
			const struct tcpfsm_ladder_row *r)
{
	static const char * const fates[] = { "not_seen", "arrived", "lost" };

	json_number(j, "from", r->from);
	put_flags(j, r->flags);
	if (r->has_seq)
		put_number(j, "seq", "rel_seq", r->seq, &l->end[r->from]);
	if (r->has_ack)
		put_number(j, "ack", "rel_ack", r->ack, &l->end[!r->from]);
	if (r->retransmit)
		json_number(j, "retransmit", r->retransmit);
	json_string(j, "fate", fates[r->fate]);
	if (r->sent_ts)
		json_number(j, "sent_ts", r->sent_ts);
	if (r->arrived_ts)
		json_number(j, "arrived_ts", r->arrived_ts);
	if (r->kind != TCPFSM_LADDER_SEGMENT)
		json_number(j, "pair", r->pair);
}

static void put_cells(struct json *j, const struct tcpfsm_ladder_row *r)
{
	json_open(j, "ends", '[');
	put_cell(j, &r->cell[0]);
	put_cell(j, &r->cell[1]);
	json_close(j, ']');
}

static void put_step(struct json *j, const struct tcpfsm_ladder *l,
		     const struct tcpfsm_ladder_row *r)
{
	static const char * const kinds[] = {
		"segment", "departs", "arrives", "event", "data", "lost", "more",
	};

	json_open(j, NULL, '{');
	json_number(j, "ts", r->ts);
	json_ms(j, "ts_ms", r->ts);
	json_string(j, "step", kinds[r->kind]);
	switch (r->kind) {
	case TCPFSM_LADDER_DATA:
		json_open(j, "bytes", '[');
		json_number(j, NULL, r->bytes[0]);
		json_number(j, NULL, r->bytes[1]);
		json_close(j, ']');
		break;
	case TCPFSM_LADDER_GAP:
	case TCPFSM_LADDER_MORE:
		json_number(j, "count", r->count);
		break;
	case TCPFSM_LADDER_EVENT:
		put_cells(j, r);
		break;
	default:
		put_segment(j, l, r);
		put_cells(j, r);
	}
	json_close(j, '}');
}

static void put_closed_first(struct json *j, int closed_first)
{
	int i;

	json_open(j, "closed_first", '[');
	for (i = 0; i < 2; i++)
		if (closed_first == TCPFSM_LADDER_BOTH || closed_first == i)
			json_number(j, NULL, (uint64_t)i);
	json_close(j, ']');
}

void ladder_json(struct out *o, const struct tcpfsm_ladder *l)
{
	/* As the other objects: seen from an end that is here, the client's first. */
	unsigned int here = !l->end[0].seen;
	const struct tcpfsm_ladder_end *e = &l->end[here], *peer = &l->end[!here];
	struct json out = out_json(o), *j = &out;
	size_t i;

	out_json_begin(j, &(struct json_head) {
		.ts = l->begin_ts, .event = "ladder", .conn = TCPFSM_BARE_CONN(e->conn),
		.netns = TCPFSM_BARE_NETNS(TCPFSM_HOST_OF_CONN(e->conn), e->netns),
		.family = l->family, .laddr = e->addr, .lport = e->port, .raddr = peer->addr,
		.rport = peer->port,
	});
	json_number(j, "end_ts", l->end_ts);
	json_bool(j, "begun", l->begun);
	json_bool(j, "finished", l->finished);
	json_bool(j, "exact", l->exact);
	if (l->self)
		json_bool(j, "self", true);
	put_ms(j, "handshake_ms", l->handshake_ns);
	put_closed_first(j, l->closed_first);
	json_open(j, "ends", '[');
	put_end(j, l, 0);
	put_end(j, l, 1);
	json_close(j, ']');
	json_open(j, "steps", '[');
	for (i = 0; i < l->nrows; i++)
		put_step(j, l, &l->rows[i]);
	json_close(j, ']');
	json_end(j);
}
