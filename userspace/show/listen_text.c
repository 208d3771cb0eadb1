// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm listen for people: two lines a listener, or its histograms. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "listen.h"
#include "put.h"
#include "screen.h"
#include "source/clock.h"

#define T(t)		TCPFSM_TOTAL_##t

#define ADDRESS_LEN	21		/* "255.255.255.255:65535"; longer ones may get more */
#define OWNER_LEN	21
#define QUEUE_LEN	17		/* "SYNQ now/peak/max" */
#define LIMITS_LEN	20
#define REST_LEN	58		/* columns behind the address */
#define STARS		40

/* ---- pieces --------------------------------------------------------------------------- */

/* A counter as it is, or by second. */
static const char *figure(const struct listen_row *row, uint64_t n, char buf[32])
{
	double rate = row->seconds > 0 ? (double)n / row->seconds : 0;

	if (!(row->seconds > 0))
		return count_text(n, buf);
	if (rate < 10 && n)
		snprintf(buf, 32, "%.1f", rate);
	else
		count_text((uint64_t)(rate + 0.5), buf);
	return buf;
}

/* Two digits are as much as buckets of powers of two tell: "1.2ms". */
static char *put_us(char *p, uint64_t us)
{
	static const char * const units[] = { "us", "ms", "s" };
	double v = (double)us;
	unsigned int unit = 0;

	for (; unit < 2 && v >= 999.5; v /= 1000)
		unit++;
	return p + sprintf(p, unit && v < 9.95 ? "%.1f%s" : "%.0f%s", v, units[unit]);
}

static const char *quantiles(const uint64_t *bucket, char buf[64])
{
	char *p = buf;

	if (!tcpfsm_totals_sum(bucket, 0, TCPFSM_TOTAL_BUCKETS))
		return "-";
	p = put_us(p, tcpfsm_histogram_quantile(bucket, 0.5));
	*p++ = '/';
	p = put_us(p, tcpfsm_histogram_quantile(bucket, 0.99));
	*p = '\0';
	return buf;
}

/* "0.0.0.0:80" */
static const char *address(const struct tcpfsm_listener *l, char buf[80])
{
	struct tcpfsm_record r = { .family = l->family };
	char dev[TCPFSM_DEV_NAME_MAX];

	out_dev(l->netns, (uint32_t)l->total[T(NOW_DEV)], dev);
	*put_bound(buf, &r, l->laddr, l->lport, dev) = '\0';
	return buf;
}

/* The pid is what one needs; a name may be cut to its column. */
static const char *owner(const struct listen_row *row, char buf[64])
{
	const struct tcpfsm_listener *l = row->l;
	char pid[16], comm[20];
	size_t len, room;

	if (row->members) {
		snprintf(buf, 64, "%zu by SO_REUSEPORT", row->members);
		return buf;
	}
	if (!l->has_owner)
		return "-";
	snprintf(pid, sizeof(pid), "/%u", l->pid);
	*put_comm(comm, l->comm) = '\0';
	len = strlen(comm);
	room = OWNER_LEN - strlen(pid);
	if (len > room)
		comm[room - 1] = CUT;
	snprintf(buf, 64, "%.*s%s", (int)room, comm, pid);
	return buf;
}

/* One more than backlog fits into each accept queue. */
static uint64_t acceptq_places(const struct listen_row *row)
{
	return row->total[T(NOW_BACKLOG)] + (row->members ? row->members : 1);
}

#define QUEUE_SIZE	(3 * 32)

static const char *queue(uint64_t now, uint64_t peak, uint64_t max, bool gone,
			 char buf[QUEUE_SIZE])
{
	char a[32], b[32], c[32];

	if (gone)
		snprintf(buf, QUEUE_SIZE, "-/%s/-", count_text(peak, b));
	else
		snprintf(buf, QUEUE_SIZE, "%s/%s/%s", count_text(now, a), count_text(peak, b),
			 count_text(max, c));
	return buf;
}

/* What does not fit is in JSON; the first are the worst. */
static void limits_text(const struct listen_row *row, char buf[LIMITS_LEN + 1])
{
	static const char * const names[] = {
#define NAME(sym, text, json) [LISTEN_##sym] = text,
		LISTEN_LIMITS(NAME)
	};
	size_t len = 0;
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < LISTEN_NLIMITS; i++) {
		char name[16], more[64], n[32];

		if (!(row->limits >> i & 1))
			continue;
		snprintf(name, sizeof(name), "%s%s", len ? " " : "", names[i]);
		/* How much was asked for. */
		if (i == LISTEN_CLAMP && !row->members)
			snprintf(more, sizeof(more), "%s:%s", name,
				 count_text(row->total[T(NOW_ASKED)] - 1, n));
		else
			strcpy(more, name);
		if (len + strlen(more) <= LIMITS_LEN - 2)
			strcpy(name, more);
		if (len + strlen(name) > LIMITS_LEN - 2) {
			strcpy(buf + len, "+");
			return;
		}
		strcpy(buf + len, name);
		len += strlen(name);
	}
}

static const char *ago(uint64_t now, uint64_t then, char buf[32])
{
	uint64_t s = now > then ? (now - then) / NSEC_PER_SEC : 0;

	if (s < 100)
		snprintf(buf, 32, "%" PRIu64 "s", s);
	else if (s < 100 * 60)
		snprintf(buf, 32, "%" PRIu64 "m", s / 60);
	else if (s < 100 * 3600)
		snprintf(buf, 32, "%" PRIu64 "h", s / 3600);
	else
		snprintf(buf, 32, "%" PRIu64 "d", s / 86400);
	return buf;
}

static const char *span(uint64_t ns, char buf[32])
{
	if (ns >= 100 * NSEC_PER_SEC)
		return ago(ns, 0, buf);
	*put_us(buf, ns / 1000) = '\0';
	return buf;
}

/* ---- the table -------------------------------------------------------------------------- */

/* What was refused since load may have been so last week. */
static bool has_when(const struct listen_reading *r, const struct listen_row *row)
{
	return !r->zeroed && !(row->seconds > 0) && row->total[T(REFUSED_LAST_TS)] &&
	       (listen_refused(row->total) || row->total[T(SYN_COOKIE)]);
}

/* Since when, until when, and how long the queues were full. */
static void when_line(const struct listen_reading *r, const struct listen_row *row,
		      const struct screen *s)
{
	const uint64_t *t = row->total;
	char from[32], last[32], full[32];

	out_printf(s->out, "    since %s, last %s ago",
		   when(t[T(REFUSED_FIRST_TS)], r->epoch_offset, "%F %T", from),
		   ago(r->ts, t[T(REFUSED_LAST_TS)], last));
	if (t[T(SYNQ_FULL_NS)])
		out_printf(s->out, "; full: SYNQ %s", span(t[T(SYNQ_FULL_NS)], full));
	if (t[T(ACCEPTQ_FULL_NS)])
		out_printf(s->out, "%s ACCQ %s", t[T(SYNQ_FULL_NS)] ? "," : "; full:",
			   span(t[T(ACCEPTQ_FULL_NS)], full));
	out_printf(s->out, "%s", s->eol);
}

static const char *name_of(const struct listen_row *row, char buf[80])
{
	if (!row->member)
		return address(row->l, buf);
	snprintf(buf, 80, "  sk:%" PRIx64, row->l->conn);
	return buf;
}

/* Columns of all addresses. */
static unsigned int first_column(const struct listen_reading *r)
{
	size_t longest = 0, i;
	char name[80];

	for (i = 0; i < r->nrows; i++) {
		size_t len = strlen(name_of(&r->row[i], name));

		if (len > longest)
			longest = len;
	}
	return screen_first(r->width, longest, ADDRESS_LEN, REST_LEN);
}

static size_t listener_height(const struct listen_reading *r, const struct listen_row *row, unsigned int first)
{
	char name[80];

	return (row->total[T(NOW_PLACE)] && has_when(r, row) ? 3U : 2U) +
	       screen_folds(name_of(row, name), first);
}

/* Its connections: those of an address, or of all. */
static void mark_row(struct out *o, const struct tcpfsm_listener *l)
{
	static const uint8_t any[sizeof(l->laddr)];
	struct tcpfsm_record r = { .family = l->family };
	char address[80];

	*put_address(address, &r, l->laddr, l->lport) = '\0';
	if (memcmp(l->laddr, any, sizeof(any)))
		out_mark(o, "netns %u and src %s", l->netns, address);
	else
		out_mark(o, "netns %u and sport %u", l->netns, l->lport);
}

static void listener_lines(const struct listen_reading *r, const struct listen_row *row,
			   unsigned int first, const struct screen *s)
{
	const uint64_t *t = row->total, *n = row->recent;
	bool gone = t[T(NOW_GONE_TS)], counted = t[T(NOW_PLACE)];
	char name[80], who[64], synq[QUEUE_SIZE], acceptq[QUEUE_SIZE], state[64], limits[LIMITS_LEN + 1];
	char a[4][32], q[2][64], since[32];

	mark_row(s->out, row->l);
	screen_put_first(s, name_of(row, name), first);
	out_printf(s->out, " %-*s %*s %*s%s", OWNER_LEN, owner(row, who),
		   QUEUE_LEN, queue(t[T(NOW_SYNQ)], t[T(SYNQ_PEAK)], t[T(NOW_SYNQ_PLACES)], gone, synq),
		   QUEUE_LEN, queue(t[T(NOW_ACCEPTQ)], t[T(ACCEPTQ_PEAK)], acceptq_places(row), gone,
				    acceptq), s->eol);

	limits_text(row, limits);
	if (gone)
		snprintf(state, sizeof(state), "closed %s ago", ago(r->ts, t[T(NOW_GONE_TS)], since));
	else
		snprintf(state, sizeof(state), "%s%s%.*s", counted ? "" : "not counted",
			 counted || !*limits ? "" : " ",
			 counted ? LIMITS_LEN - 2 : LIMITS_LEN - 14, limits);
	out_printf(s->out, "  ");
	if (!counted) {
		out_inked(s->out, ATTR_CLOSE_HOT, "%-*s", LIMITS_LEN - 2, state);
		out_printf(s->out, " %7s %7s %7s %7s %13s %12s%s", "-", "-", "-", "-", "-", "-",
			   s->eol);
		return;
	}
	out_inked(s->out, gone || !*limits ? ATTR_PLAIN :
		  row->refused ? ATTR_BAD_HOT : ATTR_CLOSE_HOT, "%-*s", LIMITS_LEN - 2, state);
	out_printf(s->out, " %7s %7s %7s %7s %13s %12s%s", figure(row, n[T(SYN)], a[0]),
		   figure(row, n[T(SYN_COOKIE)], a[1]),
		   figure(row, row->members ? listen_refused(n) : row->refused, a[2]),
		   figure(row, n[T(COMPLETED)] + n[T(COMPLETED_COOKIE)], a[3]),
		   quantiles(n + TCPFSM_TOTAL_HANDSHAKE_US, q[0]),
		   quantiles(n + TCPFSM_TOTAL_ACCEPT_US, q[1]), s->eol);
	if (has_when(r, row))
		when_line(r, row, s);
}

static void netns_lines(const struct listen_reading *r, const struct listen_row *netns,
			const struct screen *s)
{
	const uint64_t *t = netns->total, *now = t + TCPFSM_TOTAL_KERNEL;
	const uint64_t *base = t + TCPFSM_TOTAL_KERNEL_BASE;
	char a[2][32], from[32], name[OUT_NETNS_MAX];

	out_mark(s->out, "netns %u", netns->l->netns);
	out_printf(s->out, "%snetns %s: somaxconn %" PRIu64 ", tcp_max_syn_backlog %" PRIu64
		   ", tcp_syncookies %" PRIu64 "%s", s->eol, out_netns_text(netns->l->netns, name), t[T(NOW_SOMAXCONN)],
		   t[T(NOW_MAX_SYN_BACKLOG)], t[T(NOW_SYNCOOKIES)], s->eol);
	out_printf(s->out, "  ListenDrops %s, ListenOverflows %s since %s%s",
		   count_text(now[TCPFSM_KERNEL_LISTENDROPS] - base[TCPFSM_KERNEL_LISTENDROPS], a[0]),
		   count_text(now[TCPFSM_KERNEL_LISTENOVERFLOWS] -
			      base[TCPFSM_KERNEL_LISTENOVERFLOWS], a[1]),
		   when(t[T(NOW_SINCE_TS)], r->epoch_offset, "%F %T", from), s->eol);
}

static void folded_line(const struct listen_reading *r, const struct listen_row *netns, const struct screen *s)
{
	size_t i, n = 0, refusing = 0;
	char name[OUT_NETNS_MAX];

	for (i = 0; i < r->nrows; i++) {
		if (r->row[i].l->netns != netns->l->netns || r->row[i].members)
			continue;
		n++;
		refusing += r->row[i].refused != 0;
	}
	out_mark(s->out, "netns %u", netns->l->netns);
	out_printf(s->out, "%snetns %s: %zu listener%s, %zu refusing ...%s", s->eol,
		   out_netns_text(netns->l->netns, name), n, n == 1 ? "" : "s", refusing, s->eol);
}

/* In an interval, a listener that is given up would look like traffic. */
static bool show_rest(const struct listen_row *netns)
{
	return listen_has_rest(netns) &&
	       (!(netns->seconds > 0) || netns->recent[T(LISTENERS_LOST)]);
}

static void rest_lines(const struct listen_row *row, const struct screen *s)
{
	const uint64_t *n = row->recent;
	char a[4][32], q[2][64];

	out_mark(s->out, "%s", "");
	out_printf(s->out, "(closed, or not in the module's table)%s", s->eol);
	out_printf(s->out, "%*s %7s %7s %7s %7s %13s %12s%s", LIMITS_LEN, "",
		   figure(row, n[T(SYN)], a[0]),
		   figure(row, n[T(SYN_COOKIE)], a[1]), figure(row, listen_refused(n), a[2]),
		   figure(row, n[T(COMPLETED)] + n[T(COMPLETED_COOKIE)], a[3]),
		   quantiles(n + TCPFSM_TOTAL_HANDSHAKE_US, q[0]),
		   quantiles(n + TCPFSM_TOTAL_ACCEPT_US, q[1]), s->eol);
}

static void header(const struct listen_reading *r, unsigned int first, const struct screen *s)
{
	bool rates = r->seconds > 0;
	char at[32], from[32];

	out_printf(s->out, "%s  %zu listener%s, %zu refusing", when(r->ts, r->epoch_offset, "%T", at),
		   r->listeners, r->listeners == 1 ? "" : "s", r->refusing);
	if (r->idle)
		out_printf(s->out, ", %zu idle hidden", r->idle);
	if (rates)
		out_printf(s->out, "; %s of the last %.1f s%s", r->idle ? "rates" : "SYNs a second and times",
			   r->seconds, s->eol);
	else
		out_printf(s->out, "; %s since %s%s", r->idle ? "all" : "counts",
			   when(r->since_ts, r->epoch_offset, "%F %T", from), s->eol);
	out_printf(s->out, "%-*s %-*s %*s %*s%s", (int)first, "LISTENER", OWNER_LEN, "OWNER",
		   QUEUE_LEN, "SYNQ now/peak/max", QUEUE_LEN, "ACCQ now/peak/max", s->eol);
	out_printf(s->out, "  %-*s %7s %7s %7s %7s %13s %12s%s", LIMITS_LEN - 2, "LIMITS THAT BITE",
		   rates ? "SYN/s" : "SYN", rates ? "COOK/s" : "COOKIE", rates ? "REF/s" : "REFUSED",
		   rates ? "DONE/s" : "DONE", "SETUP p50/p99", "WAIT p50/p99", s->eol);
}

void listen_text(struct out *o, const struct listen_reading *r, bool redraw)
{
	struct screen screen = screen_begin(o, redraw), *s = &screen;
	unsigned int first = first_column(r);
	size_t i, j, hidden = 0;

	header(r, first, s);
	s->left -= 3;
	for (i = 0; i < r->nnetns; i++) {
		const struct listen_row *netns = &r->netns[i];
		bool begun = false;

		if (folds_has(r->folds, netns->l->netns)) {
			folded_line(r, netns, s);
			continue;
		}
		for (j = 0; j < r->nrows; j++) {
			const struct listen_row *row = &r->row[j];

			if (row->l->netns != netns->l->netns)
				continue;
			if (row->rank >= r->top || s->left < listener_height(r, row, first) + (begun ? 0 : 3)) {
				hidden += !row->members;
				continue;
			}
			if (!begun)
				netns_lines(r, netns, s);
			listener_lines(r, row, first, s);
			s->left -= listener_height(r, row, first) + (begun ? 0 : 3);
			begun = true;
		}
		if (!show_rest(netns) || s->left < 5 || (!begun && r->top != SIZE_MAX))
			continue;
		if (!begun)
			netns_lines(r, netns, s);
		rest_lines(netns, s);
		s->left -= 2 + (begun ? 0 : 3);
	}
	screen_end(s, redraw, r->interval, hidden, "listener");
}

/* ---- histograms --------------------------------------------------------------------------- */

/* As bcc's tools draw them: from the first bucket to the last that is not empty. */
static void histogram(const char *what, const char *unit, const uint64_t *bucket,
		      const struct screen *s)
{
	static const char stars[STARS + 1] = "****************************************";
	uint64_t most = 0;
	int i, first = TCPFSM_TOTAL_BUCKETS, last = -1;

	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++) {
		if (bucket[i] && first > i)
			first = i;
		if (bucket[i])
			last = i;
		if (bucket[i] > most)
			most = bucket[i];
	}
	out_printf(s->out, "%s%s%s", s->eol, what, s->eol);
	if (last < 0) {
		out_printf(s->out, "  none%s", s->eol);
		return;
	}
	out_printf(s->out, "%*s%-6s              : count    distribution%s", 5, "", unit, s->eol);
	for (i = first; i <= last; i++) {
		uint64_t low = i ? 1ULL << (i - 1) : 0, high = i ? (1ULL << i) - 1 : 0;
		int n = (int)((double)bucket[i] / (double)most * STARS);
		char count[32];

		out_printf(s->out, "%10" PRIu64 " -> %-10" PRIu64 " : %-8s |%-*.*s|%s", low, high,
			   count_text(bucket[i], count), STARS, n, stars, s->eol);
	}
}

void listen_histograms(struct out *o, const struct listen_reading *r, bool redraw)
{
	struct screen screen = screen_begin(o, redraw), *s = &screen;
	size_t i;

	for (i = 0; i < r->nrows; i++) {
		const struct listen_row *row = &r->row[i];
		const uint64_t *n = row->recent;
		char name[80], who[64], t[32];

		if (row->member || row->rank >= r->top)
			continue;
		out_printf(s->out, "%s%s  %s", i ? s->eol : "", address(row->l, name), owner(row, who));
		if (row->seconds > 0)
			out_printf(s->out, "  %s, the last %.1f s%s", when(r->ts, r->epoch_offset, "%T", t),
				   row->seconds, s->eol);
		else
			out_printf(s->out, "  since %s%s",
				   when(row->total[T(NOW_SINCE_TS)], r->epoch_offset, "%F %T", t), s->eol);
		out_printf(s->out, "  places: SYN queue %" PRIu64 ", accept queue %" PRIu64 "%s",
			   row->total[T(NOW_SYNQ_PLACES)], acceptq_places(row), s->eol);
		histogram("SYN queue, as each SYN found it", "length", n + TCPFSM_TOTAL_SYNQ_LENGTH, s);
		histogram("Accept queue, as each SYN found it", "length", n + TCPFSM_TOTAL_ACCEPTQ_LENGTH,
			  s);
		histogram("Handshake, from the SYN-ACK to ESTABLISHED", "usecs",
			  n + TCPFSM_TOTAL_HANDSHAKE_US, s);
		histogram("Wait in the accept queue", "usecs", n + TCPFSM_TOTAL_ACCEPT_US, s);
	}
	if (!r->nrows)
		out_printf(s->out, "no listener%s", s->eol);
	screen_end(s, redraw, r->interval, 0, "");
}
