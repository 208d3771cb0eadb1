// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm connect for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "connect.h"
#include "put.h"
#include "screen.h"

#define ROWS		20		/* unless -n says otherwise */

enum { WHAT, PROCESS, NETNS, TRIES, DONE, NOW, FAILED, P50, P99, AGAIN, RST, LIVE, PORTS, NCOLUMNS };

static const char *const whats[] = {
	[TCPFSM_CONNECT_BY_DESTINATION] = "DESTINATION", [TCPFSM_CONNECT_BY_HOST] = "HOST",
	[TCPFSM_CONNECT_BY_NET] = "NETWORK", [TCPFSM_CONNECT_BY_PORT] = "PORT",
	[TCPFSM_CONNECT_BY_PROCESS] = "PROCESS", [TCPFSM_CONNECT_BY_CONTAINER] = "CONTAINER",
};

static void put_process(char *p, const struct tcpfsm_connect *c)
{
	if (!c->has_owner) {
		strcpy(p, "not known");
		return;
	}
	p = put_comm(p, c->comm);
	*p++ = '/';
	*put_u64(p, c->pid) = '\0';
}

/* What the row is of. */
static void put_what(char *p, const struct tcpfsm_connect *c)
{
	const struct tcpfsm_record r = { .family = c->family };

	if (c->rest) {
		sprintf(p, "%" PRIu64 " others", c->rows);
		return;
	}
	switch (c->by) {
	case TCPFSM_CONNECT_BY_DESTINATION:
		*put_address(p, &r, c->raddr, c->rport) = '\0';
		break;
	case TCPFSM_CONNECT_BY_HOST:
	case TCPFSM_CONNECT_BY_NET:
		inet_ntop(c->family == 6 ? AF_INET6 : AF_INET, c->raddr, p, INET6_ADDRSTRLEN);
		if (c->by == TCPFSM_CONNECT_BY_NET)
			sprintf(p + strlen(p), "/%u", c->bits);
		break;
	case TCPFSM_CONNECT_BY_PORT:
		sprintf(p, ":%u", c->rport);
		break;
	case TCPFSM_CONNECT_BY_PROCESS:
		put_process(p, c);
		break;
	case TCPFSM_CONNECT_BY_CONTAINER:
		snprintf(p, 256, "%s", c->container ? c->container : "not known");
		break;
	}
}

/* The row's connections, as a filter has it; "": those of the rest have nothing in common. */
static void put_filter(char *p, const struct tcpfsm_connect *c)
{
	const struct tcpfsm_record r = { .family = c->family };
	char *begin = p, address[80];

	*p = '\0';
	if (c->rest)
		return;
	if (c->family) {
		*put_address(address, &r, c->raddr, c->rport) = '\0';
		if (!c->rport)
			strcpy(strrchr(address, ':'), "");
		if (c->bits && c->bits != 32 && c->bits != 128)
			sprintf(address + strlen(address), "/%u", c->bits);
		p = put(put(p, "dst "), address);
	} else if (c->rport) {
		p = put_u64(put(p, "dport "), c->rport);
	}
	if (c->has_owner)
		p = put_u64(put(p, p > begin ? " and pid " : "pid "), c->pid);
	if (c->container && strlen(c->container) < 60)
		p += sprintf(p, "%s \"%s\"", *c->container == '/' ? "cgroup" : "container", c->container);
	*p = '\0';
}

static const char *quantile(const struct tcpfsm_connect_counts *n, double q, char buf[32])
{
	uint64_t us = tcpfsm_histogram_quantile(n->handshake_us, q);
	size_t i, all = 0;

	for (i = 0; i < TCPFSM_TOTAL_BUCKETS; i++)
		all += n->handshake_us[i] != 0;
	if (!all)
		return "-";
	*put_duration(buf, (int64_t)(us ? us : 1) * 1000) = '\0';
	return buf;
}

static size_t say(char *buf, size_t size, size_t len, const char *what, uint64_t n, const char *separator)
{
	int more = n ? snprintf(buf + len, size - len, "%s%s %" PRIu64, separator, what, n) : 0;

	return len + (size_t)more < size ? len + (size_t)more : size - 1;
}

/* Why they failed, and who closed first. */
static void add_note(struct columns *t, const struct tcpfsm_connect_counts *n)
{
	char buf[400] = "", closed[128] = "";
	size_t len = 0, end = 0;
	unsigned int i;

	for (i = 0; i < TCPFSM_CONNECT_ERRORS; i++) {
		int err = tcpfsm_connect_errno(i);

		len = say(buf, sizeof(buf), len, err ? tcpfsm_errno_name((unsigned int)err) : "other errors",
			  n->by_errno[i], len ? ", " : "failed: ");
	}
	len = say(buf, sizeof(buf), len, "given up", n->given_up, len ? "; " : "");
	end = say(closed, sizeof(closed), end, "we", n->closed[TCPFSM_CLOSER_LOCAL], "");
	end = say(closed, sizeof(closed), end, "peer", n->closed[TCPFSM_CLOSER_REMOTE], end ? ", " : "");
	end = say(closed, sizeof(closed), end, "both", n->closed[TCPFSM_CLOSER_BOTH], end ? ", " : "");
	say(closed, sizeof(closed), end, "not known", n->closed[TCPFSM_CLOSER_NONE], end ? ", " : "");
	if (*closed)
		columns_note(t, "%s%sclosed first: %s", buf, *buf ? "; " : "", closed);
	else if (*buf)
		columns_note(t, "%s", buf);
}

struct page {
	const struct connect_reading *r;
	struct columns t;
	struct tcpfsm_connect_counts all;
	uint32_t netns;
	bool several;			/* network namespaces */
};

static int look(const struct tcpfsm_connect *c, void *arg)
{
	struct page *p = arg;

	if (c->rest || !c->netns)
		return 0;
	p->several = p->several || (p->netns && p->netns != c->netns);
	p->netns = c->netns;
	return 0;
}

static int add_row(const struct tcpfsm_connect *c, void *arg)
{
	char what[300], a[32], name[TCPFSM_CONTAINER_NAME_MAX];
	struct page *p = arg;
	const struct tcpfsm_connect_counts *n = p->r->since ? &c->recent : &c->total;
	struct columns *t = &p->t;

	put_filter(what, c);
	columns_mark(t, "%s", what);
	put_what(what, c);
	columns_cell(t, "%s", what);
	*what = '\0';
	if (!c->rest && c->by == TCPFSM_CONNECT_BY_DESTINATION)
		put_process(what, c);
	columns_cell(t, "%s", what);
	if (c->netns && *out_netns(c->netns, name))
		columns_cell(t, "%s", name);
	else if (c->netns)
		columns_cell(t, "%u", c->netns);
	else
		columns_cell(t, "%s", "");
	columns_cell(t, "%s", count_text(n->attempts, a));
	columns_cell(t, "%s", count_text(n->established, a));
	columns_cell(t, "%s", count_text(c->progress, a));
	columns_cell(t, "%s", count_text(n->failed, a));
	columns_cell(t, "%s", quantile(n, 0.5, a));
	columns_cell(t, "%s", quantile(n, 0.99, a));
	columns_cell(t, "%s", count_text(n->resent, a));
	columns_cell(t, "%s", count_text(n->resets, a));
	columns_cell(t, "%s", count_text(c->live, a));
	if (c->ports)
		columns_cell(t, "%.1f%%", 100 * (double)c->ports_used / (double)c->ports);
	else
		columns_cell(t, "-");
	add_note(t, n);
	return 0;
}

int connect_text(struct out *o, const struct connect_reading *r)
{
	struct column_head head[NCOLUMNS] = {
		[WHAT] = { whats[r->by], true },
		[PROCESS] = { r->by == TCPFSM_CONNECT_BY_DESTINATION ? "PROCESS" : NULL, true },
		[NETNS] = { NULL, true }, [TRIES] = { "TRIES", false }, [DONE] = { "OK", false },
		[NOW] = { "NOW", false }, [FAILED] = { "FAIL", false }, [P50] = { "P50", false },
		[P99] = { "P99", false }, [AGAIN] = { "RTX", false }, [RST] = { "RST", false },
		[LIVE] = { "LIVE", false }, [PORTS] = { "PORTS", false },
	};
	struct screen s = screen_begin(o, r->redraw);
	size_t max = r->top ? r->top : ROWS, hidden = 0;
	struct page p = { .r = r };
	uint64_t lost, untold;
	char at[32], a[2][32];
	int err;

	err = tcpfsm_connects_each(r->connects, r->by, r->sort, r->ts, max, r->filter, look, &p);
	if (p.several)
		head[NETNS].title = "NETNS";
	columns_begin(&p.t, head, NCOLUMNS, TRIES);
	if (!err)
		err = tcpfsm_connects_each(r->connects, r->by, r->sort, r->ts, max, r->filter, add_row, &p);
	out_printf(o, "%s  connections opened from here", when(r->ts, 0, "%T", at));
	if (r->since)
		out_printf(o, " since %s", when(r->since, 0, "%T", at));
	out_printf(o, "%s", s.eol);
	s.left -= s.left != SIZE_MAX;
	tcpfsm_connects_uncertain(r->connects, &lost, &untold);
	if (lost || untold) {
		out_printf(o, "UNCERTAIN: %s records lost, %s sockets without a place%s",
			   count_text(lost, a[0]), count_text(untold, a[1]), s.eol);
		s.left -= s.left != SIZE_MAX;
	}
	if (!p.t.used && !err)
		out_printf(o, "none%s%s", r->filter ? " that passes the filter" : "", s.eol);
	err = columns_end(&p.t, o, s.eol, r->width, &s.left, &hidden) ? -ENOMEM : err;
	screen_end(&s, r->redraw, r->interval, hidden, "row");
	return err;
}
