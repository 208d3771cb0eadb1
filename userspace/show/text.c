// SPDX-License-Identifier: GPL-2.0-only
/*
 * An event as a line of text for people: time, local port, peer, and what
 * happened.  The last column is made of parts that are left out, the least
 * important first, when 80 columns are not enough; some go on lines of their own
 * then.  --wide leaves nothing out and adds the owner and the local address.
 * Columns of addresses grow with them where that is possible.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "put.h"
#include "source/clock.h"
#include "text.h"

#define WIDTH		80
#define TAIL_MIN	36
#define BLANKS		96		/* more than the columns before the last take; of wide lines half of it */

#define S(s)		TCPFSM_STATE_##s

/* ---- pieces ------------------------------------------------------------------ */

char *text_time(struct text *t, char *p, uint64_t ts)
{
	uint64_t us;

	if (t->time_of_day) {
		time_t second = (time_t)(ts / NSEC_PER_SEC);
		struct tm tm;

		if (second != t->second || !t->hms[0]) {
			t->second = second;
			localtime_r(&second, &tm);
			strftime(t->hms, sizeof(t->hms), "%H:%M:%S", &tm);
		}
		p = put(p, t->hms);
		*p++ = '.';
		return put_padded(p, ts % NSEC_PER_SEC / 1000, 6, '0');
	}
	if (!t->start)
		t->start = ts;
	us = ts > t->start ? (ts - t->start) / 1000 : 0;
	if (us < 1000000000) {
		uint32_t ms = (uint32_t)us / 1000, seconds = ms / 1000;

		memcpy(p, "   ", 3);
		p = put_first(p + 3 - triples[seconds].len, seconds);
		*p++ = '.';
		/* The byte too much is where a blank comes next. */
		return put_more(put_more(p, ms - 1000 * seconds), (uint32_t)us - 1000 * ms);
	}
	p = put_padded(p, us / 1000000, 6, ' ');
	*p++ = '.';
	return put_padded(p, us % 1000000 / 1000, 3, '0');
}

/* ---- columns of addresses -------------------------------------------------------- */

#define ADDRESS6	47U		/* "[" 39 "]:65535": then no other is longer */

enum text_fit text_fit(struct text *t, size_t len, size_t before, size_t behind)
{
	size_t all = before + ADDRESS6 + 1 + behind;

	if (len > t->longest)
		t->longest = (unsigned int)len;
	if (len <= t->address)
		return TEXT_FITS;
	if (t->one_line)
		return TEXT_CUTS;
	if (t->width && !t->wide && all > t->width)
		return TEXT_FOLDS;
	t->address = len > ADDRESS6 ? (unsigned int)len : ADDRESS6;
	return TEXT_GROWS;
}

char *text_cut(const struct text *t, char *column, char *end)
{
	size_t len = (size_t)(end - column);

	if (len <= t->address)
		return end;
	memmove(column + 2, end - (t->address - 2), t->address - 2);
	memcpy(column, "..", 2);
	end = column + t->address;
	memset(end, ' ', len - t->address);
	return end;
}

/* ---- the last column ------------------------------------------------------------ */

#define PARTS_MAX	8
#define RANK_MAX	5

/* Parts in the order they are shown; a short form may do when space is short. */
struct parts {
	size_t len;			/* of all, with a blank after each */
	char *end;			/* of store */
	bool carries;			/* one of them */
	struct part {
		const char *s, *brief;	/* brief: may be the beginning of s */
		unsigned int len, brief_len;	/* 0: there is no shorter form */
		unsigned int shown;	/* that many of them; 0: left out */
		unsigned int rank;	/* 0: always; the higher, the sooner left out */
		bool carry;		/* onto a line of its own when left out */
	} part[PARTS_MAX], *next;	/* next: behind the last one */
	char store[512];
};

static void parts_init(struct parts *ps)
{
	ps->next = ps->part;
	ps->carries = false;
	ps->len = 0;
	ps->end = ps->store;
}

static inline struct part *part_add(struct parts *ps, unsigned int rank, const char *s, size_t len)
{
	struct part *part = ps->next++;

	*part = (struct part) { .s = s, .len = (unsigned int)len, .shown = (unsigned int)len, .rank = rank };
	ps->len += len + 1;
	return part;
}

static inline struct part *part_word(struct parts *ps, unsigned int rank, const char *s)
{
	return part_add(ps, rank, s, strlen(s));
}

static inline void part_state(struct parts *ps, unsigned int state)
{
	part_add(ps, 0, state_word(state)->s, state_word(state)->len);
}

static inline void part_cause(struct parts *ps, unsigned int cause)
{
#define CAUSE_WORD(name, words)	SHORT(words),
	static const struct short_word causes[] = { TCPFSM_CAUSES(CAUSE_WORD) };
	const struct short_word *w = &causes[cause];

	if (cause >= sizeof(causes) / sizeof(causes[0]))
		part_word(ps, 2, tcpfsm_cause_name(cause));
	else if (cause)
		part_add(ps, 2, w->s, w->len);
}

static void part_carry(struct parts *ps, struct part *part)
{
	part->carry = ps->carries = true;
}

/* A part made in the store, up to end. */
static inline struct part *part_end(struct parts *ps, unsigned int rank, char *end)
{
	char *start = ps->end;

	*end = '\0';
	ps->end = end + 1;
	return part_add(ps, rank, start, (size_t)(end - start));
}

/* The same, of which the beginning is enough. */
static inline void part_end_from(struct parts *ps, unsigned int rank, const char *enough, char *end)
{
	struct part *part = part_end(ps, rank, end);

	part->brief = part->s;
	part->brief_len = (unsigned int)(enough - part->s);
}

static inline void part_duration(struct parts *ps, unsigned int rank, int64_t ns)
{
	if (ns >= 0)
		part_end(ps, rank, put_duration(ps->end, ns));
}

static void part_owner(struct parts *ps, unsigned int rank, const struct tcpfsm_event *ev)
{
	char *enough;

	if (!ev->has_owner)
		return;
	enough = put_comm(ps->end, ev->comm);
	*enough = '/';
	part_end_from(ps, rank, enough, put_u64(enough + 1, ev->pid));
}

static inline void part_number(struct parts *ps, unsigned int rank, const char *label, uint64_t n,
			       const char *sep, uint64_t max)
{
	char *enough = put_u64(put(ps->end, label), n);

	part_end_from(ps, rank, enough, put_u64(put(enough, sep), max));
}

/* "SYN queue full" */
static const char *reason_text(unsigned int reason)
{
	static const char * const words[] = {
		[TCPFSM_REASON_SYNQ_FULL]	= "SYN queue full",
		[TCPFSM_REASON_ACCEPTQ_FULL]	= "accept queue full",
		[TCPFSM_REASON_LAST_QUARTER]	= "last quarter kept free",
		[TCPFSM_REASON_NO_MEMORY]	= "no memory",
		[TCPFSM_REASON_NO_ROUTE]	= "no route back",
		[TCPFSM_REASON_COOKIE_INVALID]	= "invalid SYN cookie",
		[TCPFSM_REASON_SECURITY]	= "a security module refused",
		[TCPFSM_REASON_DEFER_ACCEPT]	= "TCP_DEFER_ACCEPT",
		[TCPFSM_REASON_DUPLICATE]	= "duplicate on another CPU",
		[TCPFSM_REASON_PAWS]		= "old time stamp (PAWS)",
		[TCPFSM_REASON_WINDOW]		= "outside of the window",
		[TCPFSM_REASON_TSECR]		= "echoes no time stamp sent",
	};

	return reason < sizeof(words) / sizeof(words[0]) && words[reason] ? words[reason] :
									    "reason unknown";
}

/*
 * tcp_conn_request(): max - qlen < max >> 2, signed.  The queue is read a moment
 * later and may have become shorter.
 */
static char *put_last_quarter(char *p, uint32_t max, uint32_t synq, bool brief)
{
	bool over = synq > max;
	uint32_t left = over ? synq - max : max - synq;
	const char *op = over || left < max >> 2 ? " < " : " >= ";

	if (brief) {
		p = put_u64(put(put_u64(put(p, "last quarter "), max), "-"), synq);
		*p++ = op[1];
		return put_u64(p, max >> 2);
	}
	p = put_u64(put(put_u64(put(p, "tcp_max_syn_backlog "), max), " - "), synq);
	p = put_u64(put(p, over ? " queued = -" : " queued = "), left);
	return put(put_u64(put(p, op), max >> 2), ", its last quarter");
}

static char *put_comparison(char *p, const char *queue, uint32_t n, uint32_t max)
{
	/* Kernels differ in what they compare with; what is true of the numbers is told. */
	const char *op = n > max ? " > " : n == max ? " >= " : " of ";

	return put_u64(put(put_u64(put(p, queue), n), op), max);
}

char *put_refusal(char *p, const struct refusal *f, bool brief)
{
	if (f->has_queues && f->reason == TCPFSM_REASON_SYNQ_FULL)
		return put_comparison(p, "SYN queue ", f->synq, f->backlog);
	if (f->has_queues && f->reason == TCPFSM_REASON_ACCEPTQ_FULL)
		return put_comparison(p, "accept queue ", f->acceptq, f->backlog);
	if (f->has_queues && f->reason == TCPFSM_REASON_LAST_QUARTER && f->max_syn_backlog)
		return put_last_quarter(p, f->max_syn_backlog, f->synq, brief);
	if (f->verdict == TCPFSM_VERDICT_COOKIE && f->reason == TCPFSM_REASON_OTHER)
		return put(p, brief ? "tcp_syncookies=2" : "tcp_syncookies=2 (always)");
	return put(p, reason_text(f->reason));
}

/* The limit of both queues, where it comes from. */
static void part_limit(struct parts *ps, const struct refusal *f)
{
	char *p;

	if (!f->has_queues || !f->asked || (f->reason != TCPFSM_REASON_SYNQ_FULL &&
					    f->reason != TCPFSM_REASON_ACCEPTQ_FULL))
		return;
	p = put_u64(put(ps->end, "(listen("), f->asked - 1);
	if (f->asked - 1 > f->backlog) {
		p = put_u64(put(p, ") clamped by somaxconn="), f->backlog);
		part_carry(ps, part_end(ps, 1, put(p, ")")));
	} else {
		part_end(ps, 3, put(p, "))"));
	}
}

static void parts_refusal(const struct text *t, struct parts *ps, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool syn = ev->type == TCPFSM_EVENT_SYN;
	bool dropped = r->verdict == TCPFSM_VERDICT_DROPPED;
	const struct refusal f = {
		.verdict = r->verdict, .reason = r->reason, .has_queues = ev->has_queues,
		.synq = r->synq, .acceptq = r->acceptq, .backlog = r->backlog,
		.max_syn_backlog = syn && dropped ? r->snd : 0, .asked = ev->asked,
	};
	char *brief = ps->end;
	struct part *part;

	ps->end = put_refusal(brief, &f, true);
	part = part_end(ps, 0, put_refusal(ps->end, &f, false));
	part->brief = brief;
	part->brief_len = (unsigned int)(part->s - brief);
	part_limit(ps, &f);
	if (!syn && r->reason == TCPFSM_REASON_ACCEPTQ_FULL) {
		part_carry(ps, part_word(ps, 4, dropped ? "; the client believes it is connected" :
							  "(tcp_abort_on_overflow)"));
	} else if (f.max_syn_backlog && r->reason == TCPFSM_REASON_LAST_QUARTER && !t->wide) {
		part_carry(ps, part_word(ps, 4, "(tcp_max_syn_backlog)"));
	}
}

static enum attr parts_transition(struct parts *ps, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	part_end(ps, 0, put_short(put(put_short(ps->end, state_word(ev->old_state)), "->"),
				  state_word(ev->new_state)));
	part_cause(ps, ev->cause);
	part_duration(ps, 3, ev->dur_ns);
	if (ev->has_queues) {
		if (ev->new_state == S(ESTABLISHED))
			part_number(ps, 1, "acceptq ", r->acceptq, "/", r->backlog + 1ULL);
		else if (r->type != TCPFSM_TYPE_REQUEST_GONE)
			part_number(ps, 1, "synq ", r->synq, "/", r->backlog);
	}
	if (ev->old_state == S(TIME_WAIT) || ev->new_state == S(TIME_WAIT))
		part_number(ps, 1, "tw ", r->tw, "/", r->tw_max);

	return ev->new_state == S(ESTABLISHED) ? ATTR_OPEN :
	       ev->new_state == S(TIME_WAIT) ? ATTR_CLOSE_HOT : ATTR_PLAIN;
}

static enum attr parts_verdict(const struct text *t, struct parts *ps,
				 const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool syn = ev->type == TCPFSM_EVENT_SYN;

	switch (r->verdict) {
	case TCPFSM_VERDICT_QUEUED:
		part_word(ps, 0, ev->new_state ? "SYN queued" : "SYN");
		if (ev->has_queues)
			part_number(ps, 1, "synq ", r->synq, "/", r->backlog);
		return ATTR_PLAIN;
	case TCPFSM_VERDICT_ESTABLISHED:
		part_word(ps, 0, "ACK of SYN");
		return ATTR_PLAIN;
	case TCPFSM_VERDICT_COOKIE:
		part_word(ps, 0, "SYN cookie sent:");
		parts_refusal(t, ps, ev);
		return ATTR_CLOSE_HOT;
	case TCPFSM_VERDICT_RESET:
		part_word(ps, 0, syn ? "SYN reset:" : "ACK reset:");
		break;
	default:
		if (r->reason == TCPFSM_REASON_DEFER_ACCEPT) {
			part_word(ps, 0, "ACK held:");
			parts_refusal(t, ps, ev);
			return ATTR_PLAIN;
		}
		part_word(ps, 0, syn ? "SYN dropped:" : "ACK ignored:");
	}
	parts_refusal(t, ps, ev);
	return ATTR_BAD_HOT;
}

/* What the module did not tell of: one, and several. */
static const char *const left_out[][2] = {
	[TCPFSM_TYPE_SYN]	= { " SYN or ACK left out",	" SYNs and ACKs left out" },
	[TCPFSM_TYPE_RESET]	= { " RST left out",		" RSTs left out" },
	[TCPFSM_TYPE_LISTEN]	= { " listen() left out",	" times listen() left out" },
	[TCPFSM_TYPE_CONNECT_FAILED] = { " connect() without a port left out",
					 " times connect() without a port left out" },
	[TCPFSM_TYPE_SHUTDOWN]	= { " shutdown() left out",	" times shutdown() left out" },
	[TCPFSM_TYPE_TIMEWAIT]	= { " TIME_WAIT refresh left out", " TIME_WAIT refreshes left out" },
};

static enum attr parts_suppressed(struct parts *ps, const struct tcpfsm_event *ev)
{
	unsigned int type = ev->rec.verdict;

	if (type >= sizeof(left_out) / sizeof(left_out[0]) || !left_out[type][0])
		type = TCPFSM_TYPE_SYN;
	part_end(ps, 0, put(put_u64(put(ps->end, "... "), ev->lost), left_out[type][ev->lost != 1]));
	if (ev->to_ts > ev->from_ts)
		part_end(ps, 3, put_duration(put(ps->end, "in "), (int64_t)(ev->to_ts - ev->from_ts)));
	part_word(ps, 2, "(syn_limit)");
	if (ev->has_queues) {
		part_number(ps, 4, "synq ", ev->rec.synq, "/", ev->rec.backlog);
		part_number(ps, 4, "acceptq ", ev->rec.acceptq, "/", ev->rec.backlog + 1ULL);
	}
	return ATTR_BAD_HOT;
}

static enum attr parts_listen(struct parts *ps, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	part_end(ps, 0, put_u64(put(ps->end, "listen backlog "), r->backlog));
	if (r->snd != UINT32_MAX && r->snd != r->backlog)
		part_end(ps, 1, put_u64(put(ps->end, "clamped from "), r->snd));
	return ATTR_PLAIN;
}

static enum attr parts_timewait(struct parts *ps, const struct tcpfsm_event *ev, bool raw)
{
	const struct tcpfsm_record *r = &ev->rec;
	uint8_t sub = r->new_state ? r->new_state : r->old_state;

	if (raw) {
		part_word(ps, 0, "mini-socket");
		part_state(ps, sub);
		part_word(ps, 0, tcpfsm_tw_action_name(r->verdict));
	} else if (r->verdict == TCPFSM_TW_ENTER && sub == S(FIN_WAIT2)) {
		part_word(ps, 0, "FIN_WAIT2 as a mini-socket");
	} else if (r->verdict == TCPFSM_TW_REFRESH) {
		part_word(ps, 0, "TIME_WAIT begins again");
	} else {
		part_state(ps, sub);
		part_word(ps, 0, "denied");
		part_number(ps, 1, "tw ", r->tw, " of ", r->tw_max);
		return ATTR_BAD_HOT;
	}
	part_number(ps, 1, "tw ", r->tw, "/", r->tw_max);
	return ATTR_PLAIN;
}

/* Return: the ink of the first part. */
static inline enum attr parts_of(const struct text *t, struct parts *ps, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	enum attr ink = ATTR_PLAIN;

	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		ink = parts_transition(ps, ev);
		break;
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		return parts_verdict(t, ps, ev);
	case TCPFSM_EVENT_RETRANSMIT:
		part_end(ps, 0, put_u64(put(put(put(ps->end, "retransmit "),
						tcpfsm_segment_name(r->verdict)), " #"), r->arg));
		part_word(ps, 0, "in");
		part_state(ps, ev->old_state);
		ink = ATTR_CLOSE_HOT;
		break;
	case TCPFSM_EVENT_RESET:
		part_word(ps, 0, "RST");
		part_word(ps, 0, tcpfsm_direction_name(r->verdict));
		part_word(ps, 0, "in");
		part_state(ps, ev->old_state);
		if (r->reason)
			part_word(ps, 1, tcpfsm_rst_reason_name(r->reason));
		ink = ATTR_BAD_HOT;
		break;
	case TCPFSM_EVENT_ACCEPT:
		part_word(ps, 0, "accept");
		if (ev->dur_ns >= 0)
			part_word(ps, 1, "after");
		part_duration(ps, 1, ev->dur_ns);
		break;
	case TCPFSM_EVENT_LISTEN:
		ink = parts_listen(ps, ev);
		break;
	case TCPFSM_EVENT_TIMEWAIT:
		ink = parts_timewait(ps, ev, t->raw);
		break;
	case TCPFSM_EVENT_CONNECT_FAILED:
		part_word(ps, 0, "connect failed:");
		part_word(ps, 0, tcpfsm_errno_name(r->arg));
		ink = ATTR_BAD_HOT;
		break;
	case TCPFSM_EVENT_LOST:
		return parts_suppressed(ps, ev);
	default:
		break;
	}
	if (!t->wide)
		part_owner(ps, 5, ev);
	return ink;
}

/*
 * Chooses what fits into room columns: short forms, then without the least
 * important, and then back again whatever has room.
 */
static void parts_fit(struct parts *ps, size_t room)
{
	struct part *const end = ps->next, *part;
	size_t used = ps->len - 1;
	unsigned int rank;

	if (used <= room)
		return;
	for (part = ps->part; part < end; part++) {
		if (!part->brief_len)
			continue;
		part->shown = part->brief_len;
		used -= part->len - part->brief_len;
	}
	for (rank = RANK_MAX; rank && used > room; rank--) {
		for (part = end; part-- > ps->part && used > room; ) {
			if (part->rank != rank)
				continue;
			used -= part->shown + 1;
			part->shown = 0;
		}
	}
	for (part = ps->part; part < end && used < room; part++) {
		size_t more = part->len - part->shown + !part->shown;

		if (used + more <= room) {
			part->shown = part->len;
			used += more;
		}
	}
}

/* How it looks from p on; the place is told to t as well, for what is no terminal. */
static inline char *ink_on(struct text *t, const char *line, char *p, enum attr ink)
{
	if (t->colour && ink)
		p = put(p, out_escape(ink));
	t->ink = ink;
	t->ink_from = (uint16_t)(p - line);
	return p;
}

static inline char *ink_off(struct text *t, const char *line, char *p)
{
	t->ink_to = (uint16_t)(p - line);
	return t->colour ? put(p, out_escape(ATTR_PLAIN)) : p;
}

static char *put_parts(struct text *t, const char *line, char *p, const struct parts *ps,
		       enum attr ink)
{
	const struct part *const end = ps->next, *part;

	p = ink_on(t, line, p, ink);
	for (part = ps->part; part < end; part++) {
		if (!part->shown)
			continue;
		if (ink && part->rank) {
			p = ink_off(t, line, p);
			ink = ATTR_PLAIN;
		}
		if (part > ps->part && *part->s != ';')
			*p++ = ' ';
		p = put_few(p, part->shown == part->len ? part->s : part->brief, part->shown);
	}
	return ink ? ink_off(t, line, p) : p;
}

/*
 * What was left out and is worth a line, below the last column.  In a flood it
 * is the same again and again: once a second then.
 */
static char *put_carried(struct text *t, char *p, size_t indent, const struct parts *ps,
			 const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	uint64_t what = r->listener << 16 | (uint64_t)r->type << 8 | (uint64_t)r->reason << 4 |
			r->verdict;
	bool told = what == t->carried && ev->ts - t->carried_ts < NSEC_PER_SEC;
	const struct part *part;

	for (part = ps->part; part < ps->next; part++) {
		const char *s = part->s;
		size_t room;

		if (!part->carry || part->shown || told)
			continue;
		s += *s == ';' ? 2 : 0;
		room = WIDTH - strlen(s);
		if (room > indent)
			room = indent;
		t->carried = what;
		t->carried_ts = ev->ts;
		*p++ = '\n';
		memset(p, ' ', room);
		p = put(p + room, s);
	}
	return p;
}

/* ---- lines ----------------------------------------------------------------------- */

#define COL_OWNER	23		/* "4194304/0123456789abcde" */

size_t text_header(const struct text *t, char buf[TEXT_MAX])
{
	const char *time = t->time_of_day ? "TIME           " : "   TIME(s)";

	if (t->wide)
		return (size_t)snprintf(buf, TEXT_MAX, "%s %-*s %-*s %-*s %s\n", time,
					COL_OWNER, "PID/COMM", (int)t->address, "LOCAL",
					(int)t->address, "REMOTE",
					"OLD->NEW STATE, CAUSE, TIME IN OLD STATE");
	return (size_t)snprintf(buf, TEXT_MAX, "%s LPORT %-*s %s\n", time, (int)t->address, "REMOTE",
				"OLD->NEW STATE, CAUSE, TIME IN OLD");
}

static size_t text_lost(struct text *t, const struct tcpfsm_event *ev, char *buf)
{
	char *p = text_time(t, buf, ev->ts);

	*p++ = ' ';
	p = ink_on(t, buf, p, ATTR_BAD_HOT);
	p = put_u64(put(p, "... "), ev->lost);
	p = put(p, ev->lost == 1 ? " record lost on cpu " : " records lost on cpu ");
	p = put_u64(p, ev->cpu);
	if (ev->from_ts && ev->to_ts > ev->from_ts)
		p = put_duration(put(p, " within "), (int64_t)(ev->to_ts - ev->from_ts));
	p = put(p, " ...");
	p = ink_off(t, buf, p);
	*p++ = '\n';
	return (size_t)(p - buf);
}

bool text_tells(const struct text *t, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	uint8_t sub = r->new_state ? r->new_state : r->old_state;

	switch (ev->type) {
	case TCPFSM_EVENT_SYN:
		return t->raw || r->verdict != TCPFSM_VERDICT_QUEUED;
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		return r->verdict != TCPFSM_VERDICT_ESTABLISHED;
	case TCPFSM_EVENT_TIMEWAIT:
		/* The transition that follows tells the others. */
		return t->raw || (r->verdict == TCPFSM_TW_ENTER && sub == S(FIN_WAIT2)) ||
		       (r->verdict == TCPFSM_TW_REFRESH && r->old_state == r->new_state) ||
		       r->verdict == TCPFSM_TW_DENIED;
	}
	return true;
}

size_t text_event(struct text *t, const struct tcpfsm_event *ev, char buf[TEXT_MAX])
{
	const struct tcpfsm_record *r = &ev->rec;
	const char *const begin = buf;
	enum text_fit fit;
	size_t behind, width;
	enum attr ink;
	struct parts ps;
	char *p, *column;

	if (!text_tells(t, ev))
		return 0;
	if (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed)
		return text_lost(t, ev, buf);
	parts_init(&ps);
	ink = parts_of(t, &ps, ev);

again:
	fit = TEXT_FITS;
	memset(buf, ' ', BLANKS);
	if (t->wide || t->address > ADDRESS6)
		memset(buf + BLANKS, ' ', BLANKS);
	p = text_time(t, buf, ev->ts);
	*p++ = ' ';
	if (t->wide) {
		column = p;
		if (ev->has_owner) {
			p = put_u64(p, ev->pid);
			*p++ = '/';
			p = put_comm(p, ev->comm);
		} else {
			*p++ = '-';
		}
		p = pad_to(p, column, COL_OWNER) + 1;
		column = p;
		p = put_address(p, r, r->laddr, r->lport);
		fit = text_fit(t, (size_t)(p - column), (size_t)(column - buf), TAIL_MIN);
		p = pad_to(text_cut(t, column, p), column, t->address);
	} else {
		p = put_port(p, r->lport);
	}
	*p++ = ' ';
	column = p;
	if (!r->rport)			/* a listener */
		*p++ = '-';
	else
		p = put_address(p, r, r->raddr, r->rport);
	if (fit != TEXT_GROWS)
		fit = text_fit(t, (size_t)(p - column), (size_t)(column - buf), TAIL_MIN);
	if (fit == TEXT_GROWS) {
		buf += text_header(t, buf);
		goto again;
	}
	behind = (size_t)(column - buf) + t->address + 1;
	if (fit == TEXT_FOLDS) {
		*p++ = '\n';
		memset(p, ' ', behind);
		p += behind;
	} else {
		p = pad_to(text_cut(t, column, p), column, t->address) + 1;
	}
	width = t->width ? t->width : WIDTH + t->address - TEXT_ADDRESS;
	if (!t->wide)
		parts_fit(&ps, width > behind + TAIL_MIN ? width - behind : TAIL_MIN);
	p = put_parts(t, buf, p, &ps, ink);
	if (ps.carries && !t->one_line)
		p = put_carried(t, p, behind, &ps, ev);
	*p++ = '\n';
	return (size_t)(p - begin);
}

void text_resync(const struct tcpfsm_notice *n, char buf[TEXT_RESYNC])
{
	if (n->error)
		snprintf(buf, TEXT_RESYNC, "records were lost, and not all sockets could be read again: %s",
			 strerror(-n->error));
	else
		snprintf(buf, TEXT_RESYNC, "records were lost: sockets read again from inet_diag in %.1f ms",
			 (double)n->took_ns / 1e6);
}
