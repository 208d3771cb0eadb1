// SPDX-License-Identifier: GPL-2.0-only
/* The words of a ladder: plain ASCII, the same on the terminal and in pictures. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
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

static void append(char buf[WORDS_MAX], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void append(char buf[WORDS_MAX], const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, WORDS_MAX - len, fmt, ap);
	va_end(ap);
}

/* Most of what is said of most connections has no need of a format. */
static void add(char buf[WORDS_MAX], const char *s)
{
	strcpy(buf + strlen(buf), s);
}

/* "synq 1/128" */
static void add_part(char buf[WORDS_MAX], const char *what, uint32_t n, uint32_t of)
{
	char *p = put_u64(put(buf + strlen(buf), what), n);

	*p++ = '/';
	*put_u64(p, of) = '\0';
}

static const char *duration(int64_t ns, char buf[32])
{
	*put_duration(buf, ns) = '\0';
	return buf;
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

void ladder_label(const struct tcpfsm_ladder *l, const struct tcpfsm_ladder_row *r,
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
	*p = '\0';
	if (r->retransmit)
		append(buf, brief ? " again %u" : " (retransmit %u)", r->retransmit);
}

void ladder_data(const struct tcpfsm_ladder_row *r, char buf[WORDS_MAX])
{
	char to[48] = "", back[48] = "";

	if (r->bytes[0])
		snprintf(to, sizeof(to), "%" PRIu64 " byte%s ->", r->bytes[0],
			 r->bytes[0] == 1 ? "" : "s");
	if (r->bytes[1])
		snprintf(back, sizeof(back), "<- %" PRIu64 " byte%s", r->bytes[1],
			 r->bytes[1] == 1 ? "" : "s");
	snprintf(buf, WORDS_MAX, "data: %s%s%s", to, *to && *back ? "  " : "", back);
}

/* ---- notes -------------------------------------------------------------------------- */

static void refused(char *buf, const char *what, const struct tcpfsm_ladder_cell *c)
{
	const struct refusal f = {
		.verdict = c->verdict, .reason = c->reason, .has_queues = c->has_queues,
		.synq = c->synq, .acceptq = c->acceptq, .backlog = c->backlog,
		.max_syn_backlog = c->max_syn_backlog,
	};
	char why[REFUSAL_MAX];

	*put_refusal(why, &f, true) = '\0';
	append(buf, "%s%s", what, why);
}

static void note_verdict(char *buf, const struct tcpfsm_ladder_cell *c)
{
	switch (c->verdict) {
	case TCPFSM_VERDICT_QUEUED:
		if (c->fastopen)
			append(buf, "Fast Open");
		else if (c->has_queues)
			add_part(buf, "synq ", c->synq, c->backlog);
		return;
	case TCPFSM_VERDICT_COOKIE:
		refused(buf, "SYN cookie: ", c);
		return;
	case TCPFSM_VERDICT_DROPPED:
		refused(buf, c->reason == TCPFSM_REASON_DEFER_ACCEPT ? "held: " :
			c->event == E(SYN) ? "dropped: " : "ignored: ", c);
		return;
	case TCPFSM_VERDICT_RESET:
		refused(buf, "refused: ", c);
		return;
	}
}

static void note_close(char *buf, const struct tcpfsm_ladder_row *r,
		       const struct tcpfsm_ladder_cell *c)
{
	char took[32];

	switch (c->cause) {
	case C(2MSL):
		add(buf, "2MSL are over");
		break;
	case C(TIMEOUT):
		append(buf, "timed out");
		break;
	case C(ICMP):
		append(buf, "gave up: ICMP error");
		break;
	case C(NO_ROUTE):
		append(buf, "gave up: no route");
		break;
	case C(ABORT):
		append(buf, "aborted");
		break;
	case C(CLOSE):
		append(buf, c->old_state == S(SYN_RECV) ? "the listener was closed" : "close()");
		break;
	case C(REUSE):
		append(buf, "connect() reuses its port");
		break;
	case C(RCV_SYN):
		append(buf, "a new SYN opens another");
		break;
	case C(NETNS_EXIT):
		append(buf, "its network namespace is gone");
		break;
	case C(RCV_RST):
		/* No RST to be seen: a mini-socket has other enemies too. */
		if (r->kind == TCPFSM_LADDER_EVENT)
			append(buf, "killed");
		break;
	}
	if (c->dur_ns >= 0 && (c->cause == C(2MSL) || c->cause == C(TIMEOUT))) {
		add(buf, " after ");
		add(buf, duration(c->dur_ns, took));
	}
	if (c->err)
		append(buf, "%s%s", *buf ? ", " : "", tcpfsm_errno_name(c->err));
}

static void note_transition(char *buf, const struct tcpfsm_ladder_row *r,
			    const struct tcpfsm_ladder_cell *c)
{
	switch (c->state) {
	case S(ESTABLISHED):
		if (c->verdict == TCPFSM_VERDICT_COOKIE)
			append(buf, "SYN cookie valid%s", c->has_queues ? ", " : "");
		if (c->has_queues)
			add_part(buf, "acceptq ", c->acceptq, c->backlog);
		return;
	case S(FIN_WAIT1):
	case S(LAST_ACK):
		if (c->cause == C(SHUTDOWN))
			append(buf, "shutdown()");
		if (r->kind == TCPFSM_LADDER_EVENT)
			append(buf, "%sthe FIN waits for the window", *buf ? ", " : "");
		return;
	case S(TIME_WAIT):
		add_part(buf, "tw ", c->tw, c->tw_max);
		return;
	case S(CLOSE):
		note_close(buf, r, c);
		return;
	}
}

void ladder_note(const struct tcpfsm_ladder_row *r, unsigned int end, char buf[WORDS_MAX])
{
	const struct tcpfsm_ladder_cell *c = &r->cell[end];
	char took[32];

	buf[0] = '\0';
	switch (c->event) {
	case E(TRANSITION):
		note_transition(buf, r, c);
		return;
	case E(SYN):
	case E(HANDSHAKE_ACK):
		note_verdict(buf, c);
		return;
	case E(ACCEPT):
		add(buf, "accept()");
		if (c->dur_ns >= 0) {
			add(buf, " after ");
			add(buf, duration(c->dur_ns, took));
		}
		return;
	case E(TIMEWAIT):
		if (c->verdict == TCPFSM_TW_DENIED)
			append(buf, "TIME_WAIT denied: tw %" PRIu32 " of %" PRIu32, c->tw,
			       c->tw_max);
		else if (c->verdict == TCPFSM_TW_REFRESH)
			append(buf, "TIME_WAIT begins again");
		else
			append(buf, "FIN_WAIT2 as a mini-socket");
		return;
	case E(CONNECT_FAILED):
		append(buf, "connect() failed: %s", tcpfsm_errno_name(c->err));
		return;
	}
}

/* ---- all of it ---------------------------------------------------------------------- */

static void append_address(char *buf, const struct tcpfsm_ladder *l, unsigned int end)
{
	const struct tcpfsm_record r = { .family = l->family };

	*put_address(buf + strlen(buf), &r, l->end[end].addr, l->end[end].port) = '\0';
}

void ladder_end_name(const struct tcpfsm_ladder *l, unsigned int end, bool wide,
		     char buf[WORDS_MAX])
{
	const struct tcpfsm_ladder_end *e = &l->end[end];
	char netns[OUT_NETNS_MAX];
	unsigned int host = TCPFSM_HOST_OF_CONN(e->conn);
	const char *sep = " (";

	buf[0] = '\0';
	append_address(buf, l, end);
	if (l->client) {
		add(buf, sep);
		add(buf, end ? "server" : "client");
		sep = " ";
	}
	if (e->has_owner) {
		char *p = put_comm(put(buf + strlen(buf), sep), e->comm);

		*p++ = '/';
		*put_u64(p, e->pid) = '\0';
		sep = " ";
	}
	if (host) {
		append(buf, "%son host %u", sep, host);
		sep = " ";
	}
	if (wide && e->conn) {
		append(buf, "%ssk:%" PRIx64, sep, TCPFSM_BARE_CONN(e->conn));
		sep = " ";
	}
	if (wide && e->netns) {
		append(buf, "%snetns %s", sep, out_netns_text(TCPFSM_BARE_NETNS(host, e->netns), netns));
		sep = " ";
	}
	if (sep[1] != '(')
		add(buf, ")");
}

static void append_who(char *buf, const struct tcpfsm_ladder *l, unsigned int end)
{
	if (l->client)
		add(buf, end ? "the server" : "the client");
	else
		append_address(buf, l, end);
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

static void append_end(char *buf, const struct tcpfsm_ladder *l)
{
	const struct tcpfsm_ladder_end *e = last_closed(l);
	char took[32];

	if (!l->finished || !e) {
		append(buf, "not finished");
		return;
	}
	duration((int64_t)(l->end_ts - l->begin_ts), took);
	if (e->cause == C(TIMEOUT))
		add(buf, "timed out after ");
	else if ((e->cause == C(RCV_RST) || e->cause == C(SND_RST)) && has_rst(l))
		add(buf, "ended by RST after ");
	else
		add(buf, "ended after ");
	add(buf, took);
}

bool ladder_summary(const struct tcpfsm_ladder *l, unsigned int i, char buf[WORDS_MAX])
{
	char took[32];

	buf[0] = '\0';
	switch (i) {
	case 0:
		if (!l->begun)
			append(buf, "its beginning was not seen");
		else if (l->handshake_ns >= 0)
			strcpy(put(buf, "handshake "), duration(l->handshake_ns, took));
		return true;
	case 1:
		if (l->self)
			append(buf, "connected to itself");
		else if (!l->end[0].seen || !l->end[1].seen)
			append(buf, "one end seen");
		return true;
	case 2:
		if (l->closed_first == TCPFSM_LADDER_BOTH) {
			append(buf, "both closed at once");
		} else if (l->closed_first >= 0 && was_open(l)) {
			append_who(buf, l, (unsigned int)l->closed_first);
			add(buf, " closed first");
		}
		return true;
	case 3:
		append_end(buf, l);
		return true;
	}
	return false;
}

void ladder_time(const struct tcpfsm_ladder *l, uint64_t ts, bool time_of_day, char buf[32])
{
	uint64_t us = ts > l->begin_ts ? (ts - l->begin_ts) / 1000 : 0;

	if (time_of_day) {
		time_t second = (time_t)(ts / NSEC_PER_SEC);
		struct tm tm;
		size_t n;

		localtime_r(&second, &tm);
		n = strftime(buf, 16, "%H:%M:%S", &tm);
		snprintf(buf + n, 32 - n, ".%06" PRIu64,
			 (uint64_t)(ts % NSEC_PER_SEC / 1000));
		return;
	}
	buf = put_u64(buf, us / 1000000);
	*buf++ = '.';
	*put_padded(buf, us % 1000000, 6, '0') = '\0';
}
