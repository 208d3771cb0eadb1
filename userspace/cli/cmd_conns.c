// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm conns: one line for each end of a connection that is over. */
#include <stdio.h>

#include "cli.h"
#include "../show/put.h"

#define S(s)		TCPFSM_STATE_##s

#define COMM_LEN	9
#define END_LEN		14		/* what then is left of 80 columns */
#define OWNER_LEN	23		/* "4194304/0123456789abcde" */
#define TIME_LEN	6		/* "12.3ms" */
#define TIMES_LEN	29		/* four of them, with a blank behind */
#define BLANKS		192		/* more than the columns before the times */

#define STOP		1

struct conns_view {
	const struct options *opts;
	struct tcpfsm_model *model;
	struct text text;
	uint64_t lines;
	uint64_t last_ts;		/* of any event */
};

/* The columns of time: of which states the sum. */
struct column {
	const char *title;
	uint16_t states;
	uint8_t n, slot[5];
};

#define BIT(s)		(1U << S(s))
#define SLOT(s)		TCPFSM_LIFE_SLOT(S(s))
#define ONE(s)		BIT(s), 1, { SLOT(s) }

static const struct column columns[] = {
	{ "ESTAB", ONE(ESTABLISHED) },
	{ "CLOSE", BIT(FIN_WAIT1) | BIT(FIN_WAIT2) | BIT(CLOSING) | BIT(CLOSE_WAIT) | BIT(LAST_ACK),
	  5, { SLOT(FIN_WAIT1), SLOT(FIN_WAIT2), SLOT(CLOSING), SLOT(CLOSE_WAIT), SLOT(LAST_ACK) } },
	{ "TW", ONE(TIME_WAIT) },
	{ .title = NULL }
}, wide_columns[] = {
	{ "SYNSNT", ONE(SYN_SENT) }, { "SYNRCV", ONE(SYN_RECV) }, { "ESTAB", ONE(ESTABLISHED) },
	{ "FINW1", ONE(FIN_WAIT1) }, { "FINW2", ONE(FIN_WAIT2) }, { "CLSING", ONE(CLOSING) },
	{ "CLSWT", ONE(CLOSE_WAIT) }, { "LASTAK", ONE(LAST_ACK) }, { "TW", ONE(TIME_WAIT) },
	{ .title = NULL }
};

static const struct column *columns_of(const struct text *t)
{
	return t->wide ? wide_columns : columns;
}

/* ---- lines ----------------------------------------------------------------------- */

/* Right-aligned; 0: not seen. */
static char *put_time_column(char *p, uint64_t ns, bool seen, bool more)
{
	char buf[32], *end = buf;
	size_t len;

	if (ns)
		end = put_duration(buf, (int64_t)ns);
	else
		*end++ = seen ? '?' : '-';
	if (more)
		*end++ = '+';
	len = (size_t)(end - buf);
	p += len < TIME_LEN ? TIME_LEN + 1 - len : 1;
	memcpy(p, buf, 16);
	return p + len;
}

static char *put_states(char *p, const struct tcpfsm_event *ev, const struct column *col)
{
	const struct tcpfsm_life *life = ev->life;

	for (; col->title; col++) {
		bool open = !ev->cause && col->states >> ev->old_state & 1;
		uint64_t ns = life->time[col->slot[0]];
		unsigned int i;

		for (i = 1; i < col->n; i++)
			ns += life->time[col->slot[i]];
		/* Not over: so far. */
		if (open && ev->dur_ns > 0)
			ns += (uint64_t)ev->dur_ns;
		p = put_time_column(p, ns, life->states & col->states, open);
		memset(p, ' ', TIME_LEN + 1);
	}
	return p;
}

static char *put_end(char *p, const struct tcpfsm_event *ev, bool wide)
{
	static const struct short_word closers[] = {
		[TCPFSM_CLOSER_NONE] = SHORT(""), [TCPFSM_CLOSER_LOCAL] = SHORT("we "),
		[TCPFSM_CLOSER_REMOTE] = SHORT("peer "), [TCPFSM_CLOSER_BOTH] = SHORT("both "),
	}, fin = SHORT("fin"), rst = SHORT("rst"), refused = SHORT("refused");
	const struct tcpfsm_life *life = ev->life;
	unsigned int cause = tcpfsm_life_end(ev);
	char *start = p, *why;
	uint64_t any;

	p = why = put_short(p, &closers[life->closer]);
	if (!cause)
		p = put_short(p, &fin);
	else if (cause == TCPFSM_CAUSE_RCV_RST && ev->old_state == S(SYN_SENT))
		p = put_short(why = start, &refused);
	else if (cause == TCPFSM_CAUSE_RCV_RST || cause == TCPFSM_CAUSE_SND_RST)
		p = put_short(p, &rst);
	else
		p = put(p, tcpfsm_cause_name(cause));
	memcpy(&any, life->retransmits, sizeof(any));
	if (any) {
		const uint16_t *r = life->retransmits;

		p = put_u64(put(p, " r"), (uint64_t)r[0] + r[1] + r[2] + r[3]);
	}
	/* Who, then, is what can best be left out. */
	if (p - start > END_LEN && !wide && why != start) {
		memmove(start, why, (size_t)(p - why));
		p -= why - start;
	}
	return p;
}

/* At p, in the line that begins at buf.  Return: the end; NULL: see text_fit(), TEXT_GROWS. */
static char *put_ends(struct text *t, char *buf, char *p, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *r = &ev->rec;
	enum text_fit fit = TEXT_FITS;
	char *column = p;
	size_t behind;

	if (!t->wide) {
		if (!ev->has_owner)
			*p = '-';
		else if (put_comm(p, ev->comm) > column + COMM_LEN)
			column[COMM_LEN - 1] = CUT;
		memset(column + COMM_LEN, ' ', sizeof(ev->comm) - COMM_LEN);
		p = put_padded(column + COMM_LEN + 1, r->lport, 5, ' ');
	} else {
		if (ev->has_owner)
			p = put_comm(put(put_u64(p, ev->pid), "/"), ev->comm);
		else
			p = put(p, "-");
		p = pad_to(p, column, OWNER_LEN);
		*p++ = ' ';
		column = p;
		p = put_address(p, r, r->laddr, r->lport);
		fit = text_fit(t, (size_t)(p - column), 0, 0);
		p = pad_to(p, column, t->address);
	}
	*p++ = ' ';
	column = p;
	p = put_address(p, r, r->raddr, r->rport);
	if (fit != TEXT_GROWS)
		fit = text_fit(t, (size_t)(p - column), (size_t)(column - buf), TIMES_LEN + END_LEN);
	if (fit == TEXT_GROWS)
		return NULL;
	if (fit == TEXT_FITS)
		return pad_to(p, column, t->address);
	behind = (size_t)(column - buf) + t->address;
	*p++ = '\n';
	memset(p, ' ', behind);
	return p + behind;
}

static size_t header(const struct text *t, char buf[TEXT_MAX])
{
	const struct column *col;
	char *p = buf;

	if (t->time_of_day || t->wide)
		p += sprintf(p, "%s ", t->time_of_day ? "TIME           " : "   TIME(s)");
	if (t->wide)
		p += sprintf(p, "%-*s %-*s", OWNER_LEN, "PID/COMM", (int)t->address, "LOCAL");
	else
		p += sprintf(p, "%-*s LPORT", COMM_LEN, "COMM");
	p += sprintf(p, " %-*s %*s", (int)t->address, "REMOTE", TIME_LEN, "SETUP");
	for (col = columns_of(t); col->title; col++)
		p += sprintf(p, " %*s", TIME_LEN, col->title);
	p += sprintf(p, " CLOSED BY\n");
	return (size_t)(p - buf);
}

static size_t line(struct conns_view *v, const struct tcpfsm_event *ev, char buf[TEXT_MAX])
{
	const struct tcpfsm_life *life = ev->life;
	struct text *t = &v->text;
	char *p = buf;

	memset(buf, ' ', BLANKS);
	if (t->time_of_day || t->wide) {
		p = text_time(t, p, ev->ts);
		*p++ = ' ';
	}
	p = put_ends(t, buf, p, ev);
	if (!p) {
		size_t len = header(t, buf);

		return len + line(v, ev, buf + len);
	}
	memset(p, ' ', TIME_LEN + 1);
	p = put_time_column(p, life->setup, false, false);
	memset(p, ' ', TIME_LEN + 1);
	p = put_states(p, ev, columns_of(t));
	*p++ = ' ';
	p = put_end(p, ev, t->wide);
	*p++ = '\n';
	return (size_t)(p - buf);
}

/* ---- view ------------------------------------------------------------------------ */

/* Filters mean the whole life here: any state it was in, any cause it moved by. */
static bool wanted(const struct conns_view *v, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter_subject s;

	if (!(v->opts->given & OPT_FILTER))
		return true;
	tcpfsm_filter_event(&s, ev);
	s.states = ev->life->states;
	s.causes = ev->life->causes;
	return tcpfsm_filter_subject(&v->opts->filter, &s);
}

static void put_host(const struct conns_view *v, const struct tcpfsm_event *ev)
{
	if (v->opts->second && !v->opts->json)
		out_printf(v->opts->out, "%u ", TCPFSM_EVENT_HOST(ev));
}

static int show(struct conns_view *v, const struct tcpfsm_event *ev)
{
	struct out *o = v->opts->out;
	char *to;

	if (!wanted(v, ev))
		return 0;
	put_host(v, ev);
	to = out_room(o, v->opts->json ? TCPFSM_JSON_MAX + OUT_NETNS_JSON_MAX : TEXT_MAX);
	if (v->opts->json)
		out_add(o, out_json_named(to, tcpfsm_life_json(ev, to), ev->netns_gone ? 0 : ev->rec.netns, ev->ts));
	else
		out_add(o, line(v, ev, to));
	return ++v->lines == v->opts->count || o->error ? STOP : 0;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct conns_view *v = arg;
	struct out *o = v->opts->out;

	v->last_ts = ev->ts;
	if (ev->type == TCPFSM_EVENT_LOST) {
		put_host(v, ev);
		if (v->opts->json)
			out_add(o, tcpfsm_event_json(ev, out_room(o, TCPFSM_JSON_MAX)));
		else
			out_add(o, text_event(&v->text, ev, out_room(o, TEXT_MAX)));
		return 0;
	}
	if (ev->type != TCPFSM_EVENT_TRANSITION || ev->new_state != S(CLOSE) || !ev->life ||
	    ev->old_state == S(LISTEN))
		return 0;
	return show(v, ev);
}

static int on_unfinished(const struct tcpfsm_event *ev, void *arg)
{
	return show(arg, ev);
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct conns_view *v = arg;

	(void)info;
	(void)to;
	v->model = tcpfsm_follow_model(f);
	if (v->opts->second && !v->opts->json)
		out_printf(v->opts->out, "H ");
	if (!v->opts->json)
		out_add(v->opts->out, header(&v->text, out_room(v->opts->out, TEXT_MAX)));
	return 0;
}

/* For their programs, connections in TIME_WAIT are over, too. */
static int end(void *arg, int rc)
{
	struct conns_view *v = arg;

	(void)rc;
	if (!v->opts->replay)
		v->last_ts = realtime_ns();
	if (!v->opts->count || v->lines < v->opts->count)
		tcpfsm_model_unfinished(v->model, v->last_ts, on_unfinished, v);
	return 0;
}

static int run(const struct options *opts)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo), .lives = true };
	static const struct view view = {
		.follow = { .snapshot = true, .resync = true, .model = &mo, .event = on_event },
		.shows = FEATURES_ALL, .begin = begin, .end = end,
	};
	struct conns_view v = { .opts = opts, .text = text_of(opts) };
	int status = stream(opts, &view, &v);

	if (!status)
		tell_none(opts, "conns", v.lines);
	return status;
}

const struct command cmd_conns = {
	.columns =
		"  COMM        the owner, a long name up to a +; with -w PID/COMM in full\n"
		"  LPORT       local port; with -w LOCAL, the address too\n"
		"  REMOTE      address and port of the peer\n"
		"  SETUP       from the SYN to ESTABLISHED; - when that was not seen\n"
		"  ESTAB       time in ESTABLISHED; ? when its beginning was not seen\n"
		"  CLOSE       time in FIN_WAIT1, FIN_WAIT2, CLOSING, CLOSE_WAIT and LAST_ACK\n"
		"              together; with -w a column each: FINW1 FINW2 CLSING CLSWT LASTAK,\n"
		"              SYNSNT and SYNRCV too\n"
		"  TW          time in TIME_WAIT; + while it goes on\n"
		"  CLOSED BY   we (this end), peer or both; how: fin, or what cut it short; rN:\n"
		"              N segments were sent again\n"
		"  TIME(s)     with -T or -w: when it was over\n",
	.examples =
		"  Connections as they end:\n"
		"    tcpfsm conns\n"
		"  What became of a minute's connections to a database:\n"
		"    tcpfsm conns -W -d 60 -D 5432 -w\n",
	.run = run,
};
