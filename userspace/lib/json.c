// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * An event as a line of JSON.  A busy server makes hundreds of thousands of
 * them a second, so this copies constant pieces in blocks of 16 bytes and takes
 * digits from a table, three at a time; snprintf() would cost ten times as much.
 * Everything may write up to SLACK bytes more than it counts.
 */
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "json_writer.h"
#include "names.h"
#include "source/item.h"
#include "tcpfsm.h"

#define BLOCK	16
#define SLACK	64

/* Room for the longest line, see tests/unit/test_model.c. */
_Static_assert(TCPFSM_JSON_MAX >= 768 + SLACK, "a line fits");

/* Copies a constant string; it is padded so that whole blocks can be copied. */
#define PUT(p, text)							\
	do {								\
		static const char put_[(sizeof(text) + BLOCK - 1) / BLOCK * BLOCK] = text; \
									\
		memcpy(p, put_, sizeof(put_));				\
		(p) += sizeof(text) - 1;				\
	} while (0)

static inline char *put_name(char *p, const struct name *n)
{
	memcpy(p, n->s, sizeof(n->s));
	return p + n->len;
}

/* ---- numbers ---------------------------------------------------------------- */

/* Nanoseconds as milliseconds with three decimals. */
static inline char *put_ms(char *p, int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000;

	p = put_u64(p, us / 1000);
	*p++ = '.';
	return put_more(p, (uint32_t)(us % 1000));
}

#define TS_LEN	19			/* digits of a time since 1970, from 2001 to 2286 */

/* The time again, as what a double can hold; digits: of ts, n of them. */
static inline char *put_ts_ms(char *p, uint64_t ts, const char *digits, long n)
{
	PUT(p, ",\"ts_ms\":");
	if (n != TS_LEN)
		return put_ms(p, (int64_t)ts);
	memcpy(p, digits, BLOCK);
	p += TS_LEN - 6;
	*p++ = '.';
	memcpy(p, digits + TS_LEN - 6, 3);
	return p + 3;
}

/* ---- addresses -------------------------------------------------------------- */

/* RFC 5952: lower case, no leading zeros, "::" for the longest run of zeros. */
static char *put_ipv6(char *p, const uint8_t *addr)
{
	unsigned int i, run = 0, best = 0, best_end = 0;
	uint16_t group[8];

	for (i = 0; i < 8; i++) {
		group[i] = (uint16_t)(addr[2 * i] << 8 | addr[2 * i + 1]);
		run = group[i] ? 0 : run + 1;
		if (run > best) {
			best = run;
			best_end = i + 1;
		}
	}
	if (best < 2)
		best = best_end = 0;

	for (i = 0; i < 8; i++) {
		int shift = 12;

		if (best && i == best_end - best) {
			*p++ = ':';
			i = best_end - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		while (shift && !(group[i] >> shift))
			shift -= 4;
		for (; shift >= 0; shift -= 4)
			*p++ = "0123456789abcdef"[group[i] >> shift & 15];
	}
	return p;
}

/* ---- text of others --------------------------------------------------------- */

#define COMM_LEN	sizeof(((struct tcpfsm_record *)0)->comm)

static char *put_odd_comm(char *p, const uint8_t *s, unsigned int i)
{
	const uint8_t *at = s + i;

	while (at < s + COMM_LEN && *at)
		p = json_escape(p, &at, (size_t)(s + COMM_LEN - at));
	return p;
}

size_t tcpfsm_comm_json(const char comm[17], char buf[TCPFSM_COMM_JSON_MAX])
{
	return (size_t)(put_odd_comm(buf, (const uint8_t *)comm, 0) - buf);
}

/* Eight bytes at once: a set top bit for each one that is zero, or not plain. */
#define ALL(byte)	(0x0101010101010101ULL * (byte))
#define IS_ZERO(w)	(((w) - ALL(1)) & ~(w) & ALL(0x80))
#define IS_BELOW(w, n)	(((w) - ALL(n)) & ~(w) & ALL(0x80))
#define IS_ODD(w) \
	(IS_BELOW(w, ' ') | IS_ZERO((w) ^ ALL('"')) | IS_ZERO((w) ^ ALL('\\')) | \
	 IS_ZERO((w) ^ ALL(0x7f)) | ((w) & ALL(0x80)))

/* A process may call itself anything, in any encoding; few do. */
static inline char *put_comm(char *p, const char *comm)
{
	unsigned int i;

	for (i = 0; i < COMM_LEN; i += 8) {
		uint64_t w, end, odd;

		memcpy(&w, comm + i, 8);
		memcpy(p, &w, 8);
		w = le64toh(w);
		end = IS_ZERO(w);
		odd = IS_ODD(w);
		/* Of the bytes before the first zero; what follows may be anything. */
		if (end)
			odd &= (end & -end) - 1;
		if (odd)
			return put_odd_comm(p, (const uint8_t *)comm, i);
		if (end)
			return p + __builtin_ctzll(end) / 8;
		p += 8;
	}
	return p;
}

/* ---- events ------------------------------------------------------------------ */

struct head {
	char s[3 * BLOCK];
	uint32_t len;
};

#define HEAD_TEXT(name)		",\"event\":\"" name "\",\"conn\":"
#define HEAD(sym, name) \
	[TCPFSM_EVENT_##sym] = { HEAD_TEXT(name), sizeof(HEAD_TEXT(name)) - 1 },
static const struct head heads[] = { TCPFSM_EVENTS(HEAD) };

static inline char *put_cpu(char *p, const struct tcpfsm_event *ev)
{
	unsigned int host = TCPFSM_EVENT_HOST(ev);

	p = put_u32(p, ev->cpu & ((1U << TCPFSM_HOST_CPU_SHIFT) - 1));
	if (__builtin_expect(host, 0)) {
		PUT(p, ",\"host\":");
		p = put_u32(p, host);
	}
	return p;
}

static inline char *put_owner(char *p, const struct tcpfsm_event *ev)
{
	if (!ev->has_owner)
		return p;
	PUT(p, ",\"pid\":");
	p = put_u32(p, ev->pid);
	PUT(p, ",\"comm\":\"");
	p = put_comm(p, ev->comm);
	*p++ = '"';
	return p;
}

static inline char *put_queues(char *p, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	char *max, *end;

	if (!ev->has_queues)
		return p;
	PUT(p, ",\"listener\":");
	p = put_u64(p, TCPFSM_BARE_CONN(r->listener));
	PUT(p, ",\"synq\":");
	p = put_u32(p, r->synq);
	PUT(p, ",\"synq_max\":");
	max = p;
	p = end = put_u32(p, r->backlog);
	PUT(p, ",\"acceptq\":");
	p = put_u32(p, r->acceptq);
	/* One limit for both queues. */
	PUT(p, ",\"acceptq_max\":");
	memcpy(p, max, BLOCK);
	return p + (end - max);
}

static inline char *put_tw(char *p, const struct tcpfsm_record *r)
{
	PUT(p, ",\"tw\":");
	p = put_u32(p, r->tw);
	PUT(p, ",\"tw_max\":");
	return put_u32(p, r->tw_max);
}

static inline char *put_seq(char *p, const struct tcpfsm_record *r)
{
	PUT(p, ",\"snd\":");
	p = put_u32(p, r->snd);
	PUT(p, ",\"rcv\":");
	return put_u32(p, r->rcv);
}

static inline char *put_state(char *p, uint8_t state)
{
	PUT(p, ",\"state\":\"");
	p = put_name(p, NAME_OF(names_state, state));
	*p++ = '"';
	return p;
}

static inline char *put_verdict(char *p, const struct tcpfsm_record *r)
{
	PUT(p, ",\"verdict\":\"");
	p = put_name(p, NAME_OF(names_verdict, r->verdict));
	*p++ = '"';
	if (r->verdict != TCPFSM_VERDICT_QUEUED && r->verdict != TCPFSM_VERDICT_ESTABLISHED) {
		PUT(p, ",\"reason\":\"");
		p = put_name(p, NAME_OF(names_reason,
					r->reason ? r->reason : TCPFSM_REASON_OTHER));
		*p++ = '"';
	}
	return p;
}

/* A SYN or a third ACK, and what the kernel compared if it was refused. */
static inline char *put_segment(char *p, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	bool syn = ev->type == TCPFSM_EVENT_SYN;

	p = put_verdict(p, r);
	if (ev->new_state)			/* raw: what the kernel made of it */
		p = put_state(p, ev->new_state);
	p = put_queues(p, ev);
	if (syn && ev->has_queues && !(r->flags & TCPFSM_F_OWNER)) {
		PUT(p, ",\"synq_young\":");
		p = put_u32(p, r->young);
	}
	if (ev->asked) {
		PUT(p, ",\"backlog\":");
		p = put_u32(p, ev->asked - 1);
	}
	if (!syn || r->verdict != TCPFSM_VERDICT_DROPPED)
		return put_seq(p, r);
	if (r->snd) {
		PUT(p, ",\"max_syn_backlog\":");
		p = put_u32(p, r->snd);
	}
	PUT(p, ",\"rcv\":");
	return put_u32(p, r->rcv);
}

static char *put_lost(char *p, const struct tcpfsm_event *ev)
{
	if (ev->suppressed) {
		PUT(p, ",\"kind\":\"suppressed\",\"what\":");
		switch (ev->rec.verdict) {
		case TCPFSM_TYPE_RESET:
			PUT(p, "\"RST\"");
			break;
		case TCPFSM_TYPE_LISTEN:
			PUT(p, "\"LISTEN\"");
			break;
		case TCPFSM_TYPE_SHUTDOWN:
			PUT(p, "\"SHUTDOWN\"");
			break;
		case TCPFSM_TYPE_TIMEWAIT:
			PUT(p, "\"TIMEWAIT\"");
			break;
		case TCPFSM_TYPE_CONNECT_FAILED:
			PUT(p, "\"CONNECT\"");
			break;
		default:
			PUT(p, "\"SYN\"");
		}
		p = put_queues(p, ev);
	} else {
		PUT(p, ",\"event\":\"lost\",\"kind\":\"overrun\",\"cpu\":");
		p = put_cpu(p, ev);
	}
	PUT(p, ",\"count\":");
	p = put_u64(p, ev->lost);
	PUT(p, ",\"from_ts\":");
	p = put_u64(p, ev->from_ts);
	PUT(p, ",\"to_ts\":");
	return put_u64(p, ev->to_ts);
}

static inline char *put_predecessor(char *p, const struct tcpfsm_event *ev)
{
	if (ev->predecessor) {
		PUT(p, ",\"predecessor\":");
		p = put_u64(p, TCPFSM_BARE_CONN(ev->predecessor));
	}
	return p;
}

static inline char *put_transition(char *p, const struct tcpfsm_event *ev)
{
	PUT(p, ",\"old\":\"");
	p = put_name(p, NAME_OF(names_state, ev->old_state));
	PUT(p, "\",\"new\":\"");
	p = put_name(p, NAME_OF(names_state, ev->new_state));
	PUT(p, "\",\"cause\":\"");
	p = put_name(p, NAME_OF(names_cause, ev->cause));
	if (ev->dur_ns >= 0) {
		PUT(p, "\",\"ms\":");
		p = put_ms(p, ev->dur_ns);
	} else {
		*p++ = '"';
	}
	p = put_predecessor(put_tw(p, &ev->rec), ev);
	return put_queues(p, ev);
}

static const struct name closers[] = {
	[TCPFSM_CLOSER_NONE] = NAME("none"), [TCPFSM_CLOSER_LOCAL] = NAME("local"),
	[TCPFSM_CLOSER_REMOTE] = NAME("remote"), [TCPFSM_CLOSER_BOTH] = NAME("both"),
};

static inline char *put_event(char *p, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;

	switch (ev->type) {
	case TCPFSM_EVENT_TRANSITION:
		return put_transition(p, ev);
	case TCPFSM_EVENT_SYN:
	case TCPFSM_EVENT_HANDSHAKE_ACK:
		return put_predecessor(put_segment(p, ev), ev);
	case TCPFSM_EVENT_RETRANSMIT:
		PUT(p, ",\"what\":\"");
		p = put_name(p, NAME_OF(names_segment, r->verdict));
		*p++ = '"';
		p = put_state(p, ev->old_state);
		PUT(p, ",\"count\":");
		p = put_u32(p, r->arg);
		return put_seq(p, r);
	case TCPFSM_EVENT_RESET:
		PUT(p, ",\"direction\":\"");
		p = put_name(p, NAME_OF(names_direction, r->verdict));
		*p++ = '"';
		if (r->reason) {
			PUT(p, ",\"reason\":\"");
			p = put_name(p, NAME_OF(names_rst_reason, r->reason));
			*p++ = '"';
		}
		p = put_state(p, ev->old_state);
		return put_seq(p, r);
	case TCPFSM_EVENT_ACCEPT:
		if (ev->dur_ns >= 0) {
			PUT(p, ",\"waited_ms\":");
			p = put_ms(p, ev->dur_ns);
		}
		return put_queues(p, ev);
	case TCPFSM_EVENT_LISTEN:
		if (r->snd != UINT32_MAX) {
			PUT(p, ",\"backlog\":");
			p = put_u32(p, r->snd);
		}
		PUT(p, ",\"effective\":");
		return put_u32(p, r->backlog);
	case TCPFSM_EVENT_TIMEWAIT:
		PUT(p, ",\"action\":\"");
		p = put_name(p, NAME_OF(names_tw_action, r->verdict));
		PUT(p, "\",\"substate\":\"");
		p = put_name(p, NAME_OF(names_state, r->new_state ? r->new_state : r->old_state));
		if (ev->closer) {
			PUT(p, "\",\"closed_first\":\"");
			p = put_name(p, NAME_OF(closers, ev->closer));
		}
		*p++ = '"';
		return put_tw(p, r);
	case TCPFSM_EVENT_CONNECT_FAILED:
		PUT(p, ",\"errno\":\"");
		p = put_name(p, NAME_OF(names_errno, r->arg));
		*p++ = '"';
		return p;
	case TCPFSM_EVENT_NETNS:
		PUT(p, ",\"netns_cookie\":");
		return put_u64(p, r->listener);
	}
	return p;
}

#define ENDS		128U		/* of connections: those that are busy at a time */
#define ENDS_LEN	(13 * BLOCK)
#define PLACES		40U		/* bytes from netns on: ports and addresses, too */

_Static_assert(offsetof(struct tcpfsm_record, raddr) + 16 - offsetof(struct tcpfsm_record, netns) == PLACES, "");
_Static_assert(!(ENDS & (ENDS - 1)), "a power of two");

/* The text between the number of a connection and that of a CPU, which all events of a connection have. */
struct ends {
	uint64_t conn;
	uint8_t places[PLACES];
	uint32_t len;			/* 0: there is none yet */
	uint8_t family;
	char s[ENDS_LEN];
};

struct tcpfsm_json_writer {
	uint64_t second;
	char digits[BLOCK];		/* of it, ndigits of them */
	unsigned int ndigits;
	struct ends ends[ENDS];
};

static inline char *put_ts(char *p, uint64_t ts, struct tcpfsm_json_writer *w)
{
	uint64_t second = ts / 1000000000;

	if (!w || !second)
		return put_u64(p, ts);
	if (second != w->second) {
		w->second = second;
		w->ndigits = (unsigned int)(put_u64(w->digits, second) - w->digits);
	}
	memcpy(p, w->digits, BLOCK);
	return put_more9(p + w->ndigits, (uint32_t)(ts - 1000000000 * second));
}

static inline char *put_ends(char *p, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	unsigned int host = TCPFSM_EVENT_HOST(ev);

	p = put_u64(p, TCPFSM_BARE_CONN(r->conn));
	PUT(p, ",\"netns\":");
	p = put_u32(p, TCPFSM_BARE_NETNS(host, r->netns));
	if (r->family == 6) {
		PUT(p, ",\"family\":6,\"laddr\":\"");
		p = put_ipv6(p, r->laddr);
		PUT(p, "\",\"lport\":");
		p = put_u32(p, r->lport);
		PUT(p, ",\"raddr\":\"");
		p = put_ipv6(p, r->raddr);
	} else {
		PUT(p, ",\"family\":4,\"laddr\":\"");
		p = put_ipv4(p, r->laddr);
		PUT(p, "\",\"lport\":");
		p = put_u32(p, r->lport);
		PUT(p, ",\"raddr\":\"");
		p = put_ipv4(p, r->raddr);
	}
	PUT(p, "\",\"rport\":");
	p = put_u32(p, r->rport);
	PUT(p, ",\"cpu\":");
	return p;
}

static inline char *put_kept_ends(char *p, const struct tcpfsm_event *ev, struct tcpfsm_json_writer *w)
{
	const struct tcpfsm_record *r = &ev->rec;
	struct ends *e = &w->ends[r->conn % ENDS];
	char *end;
	uint32_t i;

	if (e->conn == r->conn && e->len && e->family == r->family && !memcmp(e->places, &r->netns, PLACES)) {
		for (i = 0; i < e->len; i += BLOCK)
			memcpy(p + i, e->s + i, BLOCK);
		return p + e->len;
	}
	end = put_ends(p, ev);
	e->conn = r->conn;
	e->family = r->family;
	memcpy(e->places, &r->netns, PLACES);
	e->len = (uint32_t)(end - p);
	memcpy(e->s, p, ENDS_LEN);
	return end;
}

/* What every event begins with; records that were overrun have no connection. */
static inline char *put_head(char *p, const struct tcpfsm_event *ev, const struct head *head,
			     struct tcpfsm_json_writer *w)
{
	const char *digits;
	long n;

	PUT(p, "{\"ts\":");
	digits = p;
	p = put_ts(p, ev->ts, w);
	n = p - digits;
	if (!head)
		return put_ts_ms(p, ev->ts, digits, n);
	memcpy(p, head->s, sizeof(head->s));
	p += head->len;
	p = put_cpu(w ? put_kept_ends(p, ev, w) : put_ends(p, ev), ev);
	return put_ts_ms(p, ev->ts, digits, n);
}

struct tcpfsm_json_writer *tcpfsm_json_writer_new(void)
{
	return calloc(1, sizeof(struct tcpfsm_json_writer));
}

void tcpfsm_json_writer_free(struct tcpfsm_json_writer *w)
{
	free(w);
}

size_t tcpfsm_json_writer_event(struct tcpfsm_json_writer *w, const struct tcpfsm_event *ev,
				char buf[TCPFSM_JSON_MAX])
{
	const struct tcpfsm_record *r = &ev->rec;
	char *p = buf;

	if (ev->type < sizeof(heads) / sizeof(heads[0]) && ev->type != TCPFSM_EVENT_LOST) {
		p = put_head(p, ev, &heads[ev->type], w);
		p = put_event(p, ev);
		p = put_owner(p, ev);
		if (record_dev(r)) {
			PUT(p, ",\"dev\":");
			p = put_u32(p, r->dev);
		}
		if (ev->netns_gone)
			PUT(p, ",\"netns_gone\":true");
	} else {
		p = put_head(p, ev, ev->suppressed ? &heads[TCPFSM_EVENT_LOST] : NULL, w);
		p = put_lost(p, ev);
	}
	*p++ = '}';
	*p++ = '\n';
	return (size_t)(p - buf);
}

size_t tcpfsm_event_json(const struct tcpfsm_event *ev, char buf[TCPFSM_JSON_MAX])
{
	return tcpfsm_json_writer_event(NULL, ev, buf);
}

/* ---- lives ------------------------------------------------------------------- */

#define STRING(name)	{ "\"" name "\":", sizeof("\"" name "\":") - 1 }

/* The states of TCPFSM_LIFE_SLOT(), as keys. */
static const struct name life_keys[TCPFSM_LIFE_TIMES] = {
	STRING("ESTABLISHED"), STRING("SYN_SENT"), STRING("SYN_RECV"), STRING("FIN_WAIT1"),
	STRING("FIN_WAIT2"), STRING("TIME_WAIT"), STRING("CLOSE_WAIT"), STRING("LAST_ACK"),
	STRING("CLOSING"),
};

static inline char *put_times(char *p, const struct tcpfsm_event *ev)
{
	char *start;
	unsigned int i;

	PUT(p, ",\"ms\":{");
	start = p;
	for (i = 0; i < TCPFSM_LIFE_TIMES; i++) {
		uint64_t ns = ev->life->time[i];

		/* Not over: so far. */
		if (!ev->cause && i == TCPFSM_LIFE_SLOT(ev->old_state) && ev->dur_ns > 0)
			ns += (uint64_t)ev->dur_ns;
		if (!ns)
			continue;
		if (p != start)
			*p++ = ',';
		p = put_name(p, &life_keys[i]);
		p = put_ms(p, (int64_t)ns);
	}
	*p++ = '}';
	return p;
}

static inline char *put_retransmits(char *p, const struct tcpfsm_life *life)
{
	unsigned int i;
	char sep = '{';

	PUT(p, ",\"retransmits\":");
	for (i = 0; i < 4; i++) {
		if (!life->retransmits[i])
			continue;
		*p++ = sep;
		*p++ = '"';
		p = put_name(p, NAME_OF(names_segment, i + 1));
		*p++ = '"';
		*p++ = ':';
		p = put_u32(p, life->retransmits[i]);
		sep = ',';
	}
	if (sep == '{')
		*p++ = sep;
	*p++ = '}';
	return p;
}

size_t tcpfsm_life_json(const struct tcpfsm_event *ev, char buf[TCPFSM_JSON_MAX])
{
	static const struct head head = { HEAD_TEXT("conn"), sizeof(HEAD_TEXT("conn")) - 1 };
	const struct tcpfsm_life *life = ev->life;
	char *p = put_head(buf, ev, &head, NULL);
	unsigned int end = tcpfsm_life_end(ev);

	if (life->whole) {
		if (life->passive)
			PUT(p, ",\"role\":\"passive\"");
		else
			PUT(p, ",\"role\":\"active\"");
	}
	PUT(p, ",\"begin_ts\":");
	p = put_u64(p, life->begin);
	if (life->setup) {
		PUT(p, ",\"handshake_ms\":");
		p = put_ms(p, (int64_t)life->setup);
	}
	if (life->waited) {
		PUT(p, ",\"waited_ms\":");
		p = put_ms(p, (int64_t)life->waited);
	}
	PUT(p, ",\"closed_first\":\"");
	p = put_name(p, &closers[life->closer]);
	PUT(p, "\",\"end\":\"");
	if (end)
		p = put_name(p, NAME_OF(names_cause, end));
	else
		PUT(p, "fin");
	if (ev->cause) {
		PUT(p, "\",\"cause\":\"");
		p = put_name(p, NAME_OF(names_cause, ev->cause));
		*p++ = '"';
	} else {
		PUT(p, "\",\"unfinished\":true");
	}
	p = put_times(p, ev);
	p = put_retransmits(p, life);
	p = put_owner(p, ev);
	*p++ = '}';
	*p++ = '\n';
	return (size_t)(p - buf);
}
