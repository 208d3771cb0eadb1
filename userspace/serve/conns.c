// SPDX-License-Identifier: GPL-2.0-only
/* Connections of a page, and the ladder of one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conns.h"
#include "../show/ladder.h"

/* So many rows; places of the model's table looked at each time: a million of them in some seconds. */
#define ROWS		100
#define SLOTS		(1U << 17)

static bool no_line(const struct tcpfsm_event *ev)
{
	(void)ev;
	return false;
}

int conns_new(struct conns *c, struct tcpfsm_model *model, const struct tcpfsm_filter *filter, int64_t epoch_offset)
{
	c->model = model;
	return top_init(&c->top, filter, no_line, epoch_offset);
}

void conns_look(struct conns *c, bool all)
{
	while (!top_list_step(&c->top, c->model, SLOTS) && all)
		;
}

/* ---- rows ---------------------------------------------------------------------------- */

struct row {
	uint64_t conn, since;
	const struct tcpfsm_life *life;
	const char *comm;
	uint32_t pid;
	uint8_t state, cause, old_state;
};

static bool find_row(struct conns *c, const struct top_row *at, struct row *r)
{
	const struct top_ended *e = top_ended_of(&c->top, at);
	struct tcpfsm_conn here;

	if (e) {
		*r = (struct row) {
			.conn = e->conn, .since = e->ts, .life = &e->life, .comm = e->comm, .pid = e->pid,
			.state = TCPFSM_STATE_CLOSE, .cause = e->cause, .old_state = e->old_state,
		};
		return true;
	}
	if (at->ended || !tcpfsm_model_find(c->model, at->conn, &here) || !here.life || !here.life->begin)
		return false;
	*r = (struct row) {
		.conn = here.conn, .since = here.since, .life = here.life, .comm = here.comm, .pid = here.pid, .state = here.state,
	};
	return true;
}

static void put_retransmits(struct json *j, const struct tcpfsm_life *life)
{
	unsigned int i;

	json_open(j, "retransmits", '{');
	for (i = 0; i < 4; i++)
		if (life->retransmits[i])
			json_number(j, tcpfsm_segment_name(i + 1), life->retransmits[i]);
	json_close(j, '}');
}

static void put_row(struct json *j, const struct row *r)
{
	const struct tcpfsm_life *life = r->life;
	char comm[17] = "";

	memcpy(comm, r->comm, 16);
	out_json_begin(j, &(struct json_head) {
		.ts = r->since, .event = "connection", .conn = r->conn, .netns = life->netns, .family = life->family,
		.laddr = life->laddr, .lport = life->lport, .raddr = life->raddr, .rport = life->rport,
	});
	json_string(j, "state", tcpfsm_state_name(r->state));
	json_process(j, r->pid, r->pid, comm, "");
	if (life->whole)
		json_string(j, "role", life->passive ? "passive" : "active");
	json_time(j, "begin_ts", life->begin);
	if (r->state == TCPFSM_STATE_CLOSE)
		json_string(j, "end", r->cause ? tcpfsm_cause_name(r->cause) : "fin");
	put_retransmits(j, life);
	json_close(j, '}');
}

void conns_json(struct conns *c, struct json *j)
{
	const struct top_list *list = &c->top.list;
	size_t i, n = 0;
	struct row r;

	json_open(j, "connections", '[');
	for (i = 0; i < list->n && n < ROWS; i++) {
		if (!find_row(c, &list->rows[i], &r))
			continue;
		put_row(j, &r);
		n++;
	}
	json_close(j, ']');
	json_number(j, "connections_matched", list->matched);
}

/* ---- the ladder of one ------------------------------------------------------------------ */

struct drawing {
	char *text;
	size_t len;
};

/* Of one cookie there may be several: the last one counts. */
static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	struct drawing *d = arg;

	free(d->text);
	d->text = NULL;
	return ladder_svg_text(l, &d->text, &d->len);
}

int conns_ladder(struct conns *c, uint64_t conn, struct out_text *svg)
{
	struct drawing d = { .text = NULL };
	int err = top_keep_log(&c->top, c->model, true);

	if (!err)
		err = top_ladder(&c->top, conn, on_ladder, &d);
	/* It is as large as all the rest, and made again as fast as that is asked for. */
	top_keep_log(&c->top, c->model, false);
	if (err)
		free(d.text);
	else if (!d.text)
		return -ENOENT;
	else
		*svg = (struct out_text) { .s = d.text, .len = d.len };
	return err;
}

void conns_free(struct conns *c)
{
	top_free(&c->top);
}
