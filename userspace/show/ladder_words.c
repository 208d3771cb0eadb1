// SPDX-License-Identifier: GPL-2.0-only
/* The words of a ladder: plain ASCII, the same on the terminal and in pictures. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ladder.h"
#include "put.h"
#include "source/clock.h"
#include "text.h"

#define S(s)	TCPFSM_STATE_##s
#define C(c)	TCPFSM_CAUSE_##c
#define E(e)	(TCPFSM_EVENT_##e + 1)

/* "synq 1/128" */
static char *put_part(char *p, const char *what, uint32_t n, uint32_t of)
{
	p = put_u64(put(p, what), n);
	*p++ = '/';
	return put_u64(p, of);
}

static char *put_bytes(char *p, uint64_t n)
{
	return put(put_u64(p, n), n == 1 ? " byte" : " bytes");
}

static size_t finish(char *buf, char *p)
{
	*p = '\0';
	return (size_t)(p - buf);
}

bool ladder_unsure(const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r)
{
	return r->kind == TCPFSM_LADDER_SEGMENT && r->fate == TCPFSM_FATE_NOT_SEEN &&
	       l->end[0].seen && l->end[1].seen;
}

/* ---- segments ----------------------------------------------------------------------- */

static char *number(char *p, const char *name, uint32_t n, const struct tcpfsm_ladder_end *base, bool wide)
{
	return put_u64(put(p, name), wide || !base->has_isn ? n : n - base->isn);
}

size_t ladder_label(const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r,
		    enum ladder_length length, char buf[WORDS_MAX])
{
	bool wide = length == LADDER_WIDE, brief = length == LADDER_BRIEF;
	static const char * const names[] = {
		[TCPFSM_SEG_SYN] = "SYN",
		[TCPFSM_SEG_SYN | TCPFSM_SEG_ACK] = "SYN,ACK",
		[TCPFSM_SEG_ACK] = "ACK",
		[TCPFSM_SEG_FIN | TCPFSM_SEG_ACK] = "FIN,ACK",
		[TCPFSM_SEG_RST] = "RST",
		[TCPFSM_SEG_RST | TCPFSM_SEG_ACK] = "RST,ACK",
		[TCPFSM_SEG_DATA | TCPFSM_SEG_ACK] = "data",
	};
	const char *name = r->flags < sizeof(names) / sizeof(names[0]) ? names[r->flags] : NULL;
	char *p = put(buf, name ? name : r->cell[!r->from].event == E(TIMEWAIT) ? "segment (FIN again?)" : "segment");

	/* Of a bare ACK it is the other number that matters. */
	if (r->has_seq && (wide || r->flags != TCPFSM_SEG_ACK))
		p = number(p, " seq=", r->seq, &l->end[r->from], wide);
	if (r->has_ack && !(brief && r->has_seq))
		p = number(p, " ack=", r->ack, &l->end[!r->from], wide);
	if (r->retransmit) {
		p = put_u64(put(p, brief ? " again " : " (retransmit "), r->retransmit);
		p = put(p, brief ? "" : ")");
	}
	return finish(buf, p);
}

size_t ladder_data(const struct tcpfsm_ladder_row *r, char buf[WORDS_MAX])
{
	char *p = put(buf, "data: ");

	if (r->bytes[0])
		p = put(put_bytes(p, r->bytes[0]), r->bytes[1] ? " ->  " : " ->");
	if (r->bytes[1])
		p = put_bytes(put(p, "<- "), r->bytes[1]);
	return finish(buf, p);
}

/* ---- notes -------------------------------------------------------------------------- */

static char *put_refused(char *p, const char *what, const struct tcpfsm_ladder_cell *c)
{
	const struct refusal f = {
		.verdict = c->verdict, .reason = c->reason, .has_queues = c->has_queues,
		.synq = c->synq, .acceptq = c->acceptq, .backlog = c->backlog,
		.max_syn_backlog = c->max_syn_backlog,
	};

	return put_refusal(put(p, what), &f, true);
}

static char *note_verdict(char *p, const struct tcpfsm_ladder_cell *c)
{
	switch (c->verdict) {
	case TCPFSM_VERDICT_QUEUED:
		if (c->fastopen)
			return put(p, "Fast Open");
		return c->has_queues ? put_part(p, "synq ", c->synq, c->backlog) : p;
	case TCPFSM_VERDICT_COOKIE:
		return put_refused(p, "SYN cookie: ", c);
	case TCPFSM_VERDICT_DROPPED:
		return put_refused(p, c->reason == TCPFSM_REASON_DEFER_ACCEPT ? "held: " :
				   c->event == E(SYN) ? "dropped: " : "ignored: ", c);
	case TCPFSM_VERDICT_RESET:
		return put_refused(p, "refused: ", c);
	}
	return p;
}

static const char *close_words(const struct tcpfsm_ladder_row *r, const struct tcpfsm_ladder_cell *c)
{
	switch (c->cause) {
	case C(2MSL):
		return "2MSL are over";
	case C(TIMEOUT):
		return "timed out";
	case C(ICMP):
		return "gave up: ICMP error";
	case C(NO_ROUTE):
		return "gave up: no route";
	case C(ABORT):
		return "aborted";
	case C(CLOSE):
		return c->old_state == S(SYN_RECV) ? "the listener was closed" : "close()";
	case C(REUSE):
		return "connect() reuses its port";
	case C(RCV_SYN):
		return "a new SYN opens another";
	case C(NETNS_EXIT):
		return "its network namespace is gone";
	case C(RCV_RST):
		/* No RST to be seen: a mini-socket has other enemies too. */
		return r->kind == TCPFSM_LADDER_EVENT ? "killed" : "";
	}
	return "";
}

static char *note_close(char *p, const struct tcpfsm_ladder_row *r, const struct tcpfsm_ladder_cell *c)
{
	const char *words = close_words(r, c);

	p = put(p, words);
	if (c->dur_ns >= 0 && (c->cause == C(2MSL) || c->cause == C(TIMEOUT)))
		p = put_duration(put(p, " after "), c->dur_ns);
	if (c->err)
		p = put(put(p, *words ? ", " : ""), tcpfsm_errno_name(c->err));
	return p;
}

static char *note_transition(char *p, const struct tcpfsm_ladder_row *r,
			     const struct tcpfsm_ladder_cell *c)
{
	switch (c->state) {
	case S(ESTABLISHED):
		if (c->verdict == TCPFSM_VERDICT_COOKIE)
			p = put(p, c->has_queues ? "SYN cookie valid, " : "SYN cookie valid");
		return c->has_queues ? put_part(p, "acceptq ", c->acceptq, c->backlog + 1ULL) : p;
	case S(FIN_WAIT1):
	case S(LAST_ACK):
		if (c->cause == C(SHUTDOWN))
			p = put(p, r->kind == TCPFSM_LADDER_EVENT ? "shutdown(), " : "shutdown()");
		return r->kind == TCPFSM_LADDER_EVENT ? put(p, "the FIN waits for the window") : p;
	case S(TIME_WAIT):
		return put_part(p, "tw ", c->tw, c->tw_max);
	case S(CLOSE):
		return note_close(p, r, c);
	}
	return p;
}

static char *note_timewait(char *p, const struct tcpfsm_ladder_cell *c)
{
	if (c->verdict == TCPFSM_TW_DENIED)
		return put_u64(put(put_u64(put(p, "TIME_WAIT denied: tw "), c->tw), " of "), c->tw_max);
	return put(p, c->verdict == TCPFSM_TW_REFRESH ? "TIME_WAIT begins again" : "FIN_WAIT2 as a mini-socket");
}

size_t ladder_note(const struct tcpfsm_ladder_row *r, unsigned int end, char buf[WORDS_MAX])
{
	const struct tcpfsm_ladder_cell *c = &r->cell[end];
	char *p = buf;

	switch (c->event) {
	case E(TRANSITION):
		p = note_transition(p, r, c);
		break;
	case E(SYN):
	case E(HANDSHAKE_ACK):
		p = note_verdict(p, c);
		break;
	case E(ACCEPT):
		p = put(p, "accept()");
		if (c->dur_ns >= 0)
			p = put_duration(put(p, " after "), c->dur_ns);
		break;
	case E(TIMEWAIT):
		p = note_timewait(p, c);
		break;
	case E(CONNECT_FAILED):
		p = put(put(p, "connect() failed: "), tcpfsm_errno_name(c->err));
		break;
	}
	return finish(buf, p);
}

/* ---- all of it ---------------------------------------------------------------------- */

static char *put_end(char *p, const struct tcpfsm_ladder *l, unsigned int end)
{
	const struct tcpfsm_record r = { .family = l->family };

	return put_address(p, &r, l->end[end].addr, l->end[end].port);
}

size_t ladder_end_name(const struct tcpfsm_ladder *l, unsigned int end, bool wide,
		       char buf[WORDS_MAX])
{
	const struct tcpfsm_ladder_end *e = &l->end[end];
	char netns[OUT_NETNS_MAX], *p = put_end(buf, l, end);
	unsigned int host = TCPFSM_HOST_OF_CONN(e->conn);
	const char *sep = " (";

	if (l->client) {
		p = put(put(p, sep), end ? "server" : "client");
		sep = " ";
	}
	if (e->has_owner) {
		p = put_comm(put(p, sep), e->comm);
		*p++ = '/';
		p = put_u64(p, e->pid);
		sep = " ";
	}
	if (host) {
		p = put_u64(put(put(p, sep), "on host "), host);
		sep = " ";
	}
	if (wide && e->conn) {
		p += sprintf(p, "%ssk:%" PRIx64, sep, TCPFSM_BARE_CONN(e->conn));
		sep = " ";
	}
	/* A name may be as long as it likes. */
	if (wide && e->netns) {
		p = put(put(p, sep), "netns ");
		out_netns_text(TCPFSM_BARE_NETNS(host, e->netns), netns);
		p = stpncpy(p, netns, (size_t)(buf + WORDS_MAX - 2 - p));
		sep = " ";
	}
	return finish(buf, sep[1] == '(' ? p : put(p, ")"));
}

static char *put_who(char *p, const struct tcpfsm_ladder *l, unsigned int end)
{
	return l->client ? put(p, end ? "the server" : "the client") : put_end(p, l, end);
}

static bool has_rst(const struct tcpfsm_ladder *l)
{
	size_t i;

	for (i = 0; i < l->nrows; i++)
		if (l->rows[i].flags & TCPFSM_SEG_RST)
			return true;
	return false;
}

/* Else it was refused, or given up. */
static bool was_open(const struct tcpfsm_ladder *l)
{
	size_t i;

	for (i = 0; i < l->nrows; i++)
		if (l->rows[i].cell[0].state == S(ESTABLISHED) || l->rows[i].cell[1].state == S(ESTABLISHED))
			return true;
	return !l->begun;
}

static const struct tcpfsm_ladder_end *last_closed(const struct tcpfsm_ladder *l)
{
	size_t i = l->nrows;

	while (i--) {
		if (l->rows[i].cell[0].state == S(CLOSE))
			return &l->end[0];
		if (l->rows[i].cell[1].state == S(CLOSE))
			return &l->end[1];
	}
	return NULL;
}

static char *put_ending(char *p, const struct tcpfsm_ladder *l)
{
	const struct tcpfsm_ladder_end *e = last_closed(l);

	if (!l->finished || !e)
		return put(p, "not finished");
	if (e->cause == C(TIMEOUT))
		p = put(p, "timed out after ");
	else if ((e->cause == C(RCV_RST) || e->cause == C(SND_RST)) && has_rst(l))
		p = put(p, "ended by RST after ");
	else
		p = put(p, "ended after ");
	return put_duration(p, (int64_t)(l->end_ts - l->begin_ts));
}

static char *put_summary(char *p, const struct tcpfsm_ladder *l, unsigned int i)
{
	switch (i) {
	case 0:
		if (!l->begun)
			return put(p, "its beginning was not seen");
		return l->handshake_ns >= 0 ? put_duration(put(p, "handshake "), l->handshake_ns) : p;
	case 1:
		if (l->self)
			return put(p, "connected to itself");
		return l->end[0].seen && l->end[1].seen ? p : put(p, "one end seen");
	case 2:
		if (l->closed_first == TCPFSM_LADDER_BOTH)
			return put(p, "both closed at once");
		if (l->closed_first >= 0 && was_open(l))
			return put(put_who(p, l, (unsigned int)l->closed_first), " closed first");
		return p;
	default:
		return put_ending(p, l);
	}
}

bool ladder_summary(const struct tcpfsm_ladder *l, unsigned int i, char buf[WORDS_MAX])
{
	if (i > 3)
		return false;
	finish(buf, put_summary(buf, l, i));
	return true;
}

static size_t time_of_day_of(uint64_t ts, char buf[32])
{
	time_t second = (time_t)(ts / NSEC_PER_SEC);
	struct tm tm;
	size_t n;

	localtime_r(&second, &tm);
	n = strftime(buf, 16, "%H:%M:%S", &tm);
	buf[n] = '.';
	return finish(buf, put_padded(buf + n + 1, ts % NSEC_PER_SEC / 1000, 6, '0'));
}

size_t ladder_time(const struct tcpfsm_ladder *l, uint64_t ts, bool time_of_day, char buf[32])
{
	uint64_t us = ts > l->begin_ts ? (ts - l->begin_ts) / 1000 : 0;
	uint32_t rest;
	char *p;

	if (time_of_day)
		return time_of_day_of(ts, buf);
	rest = (uint32_t)(us % 1000000);
	p = put_u64(buf, us / 1000000);
	*p++ = '.';
	return finish(buf, put_more(put_more(p, rest / 1000), rest % 1000));
}
