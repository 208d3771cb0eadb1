// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm check: the totals of the module against the kernel's own counters. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "grow.h"
#include "../show/put.h"

/* Counters that move while they are read are read again, so often and after so long. */
#define READINGS	20
#define PAUSE_NS	(5 * NSEC_PER_MSEC)

struct check_view {
	const struct options *opts;
	int64_t epoch_offset;
	uint32_t netns;			/* whose rows come now; 0: none yet */
	unsigned int rows, unexplained, readings;
	struct tcpfsm_checks *checks;
	/*
	 * In text, of several network namespaces, those without a difference are a line together; with -n,
	 * only those with most differences have rows.
	 */
	struct place {
		uint32_t netns;
		unsigned int rows, unexplained, explained;
		bool told;
	} *places;
	size_t nplaces, room;
	const struct place *at;
	bool brief;
};

static const char * const status_names[] = {
	[TCPFSM_CHECK_EQUAL] = "equal",
	[TCPFSM_CHECK_EXPLAINED] = "explained",
	[TCPFSM_CHECK_UNEXPLAINED] = "unexplained",
};

static void put_json(const struct check_view *v, const struct tcpfsm_check *c)
{
	struct json j = out_json(v->opts->out);
	char name[64];
	unsigned int i;

	out_json_begin(&j, &(struct json_head) {
		.ts = c->ts + (uint64_t)v->epoch_offset, .event = "check", .netns = c->netns,
	});
	json_number(&j, "since_ts", c->since + (uint64_t)v->epoch_offset);
	json_string(&j, "counter", c->name);
	if (c->of_kernel) {
		json_number(&j, "nstat", c->counter);
		json_number(&j, "kernel", c->kernel);
	} else {
		json_number(&j, "seen", c->kernel);
	}
	json_number(&j, "tcpfsm", c->ours);
	json_signed(&j, "difference", c->difference);
	json_string(&j, "status", status_names[c->status]);
	if (c->difference)
		json_string(&j, "reason", c->why);
	json_open(&j, "parts", '{');
	for (i = 0; i < c->nparts; i++) {
		const char *key = tcpfsm_total_name(c->part[i].index, name);

		if (c->part[i].minus)
			json_minus(&j, key, c->part[i].value);
		else
			json_number(&j, key, c->part[i].value);
	}
	json_close(&j, '}');
	json_end(&j);
}

static void put_heading(const struct check_view *v, const struct tcpfsm_check *c)
{
	struct out *o = v->opts->out;
	time_t since = (time_t)((c->since + (uint64_t)v->epoch_offset) / NSEC_PER_SEC);
	char took[32], time[32], netns[OUT_NETNS_MAX];
	struct tm tm;

	*put_duration(took, (int64_t)(c->ts - c->since)) = '\0';
	localtime_r(&since, &tm);
	strftime(time, sizeof(time), "%Y-%m-%d %H:%M:%S", &tm);
	out_printf(o, "%snetwork namespace %s, counted for %s, since %s\n",
		   v->rows ? "\n" : "", out_netns_text(c->netns, netns), took, time);
	out_printf(o, "%-26s %13s %13s %11s\n", "COUNTER", "KERNEL", "TCPFSM", "DIFFERENCE");
}

/* What ours is made of, as many on a line as fit. */
static void put_parts(struct out *o, const struct tcpfsm_check *c)
{
	size_t column = 80, len;
	char part[96], name[64];
	unsigned int i;

	for (i = 0; i < c->nparts; i++) {
		len = (size_t)snprintf(part, sizeof(part), "%s%" PRIu64 " %s",
				       c->part[i].minus ? " - " : i ? " + " : "= ",
				       c->part[i].value,
				       tcpfsm_total_name(c->part[i].index, name));
		if (column + len > 80) {
			out_printf(o, "%s   ", i ? "\n" : "");
			column = 3;
		}
		out_printf(o, "%s", part);
		column += len;
	}
	if (i)
		out_printf(o, "\n");
}

static void put_text(const struct check_view *v, const struct tcpfsm_check *c)
{
	struct out *o = v->opts->out;
	static const char * const statuses[] = {
		[TCPFSM_CHECK_EQUAL] = "",
		[TCPFSM_CHECK_EXPLAINED] = " explained",
		[TCPFSM_CHECK_UNEXPLAINED] = " unexplained",
	};
	static const enum attr inks[] = {
		[TCPFSM_CHECK_EQUAL] = ATTR_PLAIN,
		[TCPFSM_CHECK_EXPLAINED] = ATTR_CLOSE_HOT,
		[TCPFSM_CHECK_UNEXPLAINED] = ATTR_BAD_HOT,
	};

	if (v->netns != c->netns || !v->rows)
		put_heading(v, c);
	out_inked(o, inks[c->status], "%-26s %13" PRIu64 " %13" PRIu64 " %11" PRId64 "%s",
		  c->of_kernel ? c->name : "SYNs seen, SYNs judged", c->kernel, c->ours,
		  c->difference, statuses[c->status]);
	out_printf(o, "\n");
	if (c->difference)
		out_printf(o, "    %s\n", c->why);
	if (c->difference || v->opts->wide)
		put_parts(o, c);
}

static bool wanted(const struct check_view *v, const struct tcpfsm_check *c)
{
	const struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .known = TCPFSM_ASKS_NETNS, .netns = c->netns,
	};

	return tcpfsm_filter_subject(&v->opts->filter, &s);
}

/* Rows of a network namespace follow each other. */
static int look(const struct tcpfsm_check *c, void *arg)
{
	struct check_view *v = arg;
	struct place *p = v->nplaces ? &v->places[v->nplaces - 1] : NULL;

	if (!wanted(v, c))
		return 0;
	if (!p || p->netns != c->netns) {
		p = grown(v->places, &v->room, v->nplaces, sizeof(*p));
		if (!p)
			return -ENOMEM;
		v->places = p;
		p = &v->places[v->nplaces++];
		*p = (struct place) { .netns = c->netns };
	}
	p->rows++;
	p->unexplained += c->status == TCPFSM_CHECK_UNEXPLAINED;
	p->explained += c->status == TCPFSM_CHECK_EXPLAINED;
	v->unexplained += c->status == TCPFSM_CHECK_UNEXPLAINED;
	return 0;
}

static bool differs(const struct place *p)
{
	return p->unexplained || p->explained;
}

static bool is_worse(const struct place *p, const struct place *than)
{
	if (p->unexplained != than->unexplained)
		return p->unexplained > than->unexplained;
	return p->explained > than->explained;
}

/* The worst that are left, one after the other. */
static void choose(struct check_view *v)
{
	size_t left = v->opts->top ? (size_t)v->opts->top : v->nplaces, i;

	for (; left; left--) {
		struct place *worst = NULL;

		for (i = 0; i < v->nplaces; i++)
			if (!v->places[i].told && (!v->brief || differs(&v->places[i])) &&
			    (!worst || is_worse(&v->places[i], worst)))
				worst = &v->places[i];
		if (!worst)
			break;
		worst->told = true;
	}
}

/* Does its network namespace have rows of its own?  They come in the order in which look() had them. */
static bool is_told(struct check_view *v, const struct tcpfsm_check *c)
{
	if (v->at->netns != c->netns)
		v->at++;
	return v->at->told;
}

static void tell_rest(const struct check_view *v)
{
	struct place equal = { .rows = 0 }, others = { .rows = 0 };
	unsigned int nequal = 0, nothers = 0;
	size_t i;

	for (i = 0; i < v->nplaces; i++) {
		const struct place *p = &v->places[i];
		struct place *sum = differs(p) ? &others : &equal;

		if (p->told)
			continue;
		*(differs(p) ? &nothers : &nequal) += 1;
		sum->rows += p->rows;
		sum->unexplained += p->unexplained;
		sum->explained += p->explained;
	}
	if (nothers)
		out_printf(v->opts->out, "\n... and %u more network namespace%s with differences: %u unexplained, %u explained\n",
			   nothers, nothers == 1 ? "" : "s", others.unexplained, others.explained);
	if (nequal)
		out_printf(v->opts->out, "%s%u %snetwork namespace%s, %u counters: no difference%s\n",
			   nequal < v->nplaces ? "\n" : "", nequal, nequal < v->nplaces ? "other " : "",
			   nequal == 1 ? "" : "s", equal.rows, v->brief ? " (-w shows them)" : "");
}

static int show(const struct tcpfsm_check *c, void *arg)
{
	struct check_view *v = arg;

	if (!wanted(v, c) || !is_told(v, c))
		return 0;
	if (v->opts->json)
		put_json(v, c);
	else
		put_text(v, c);
	v->netns = c->netns;
	v->rows++;
	return v->opts->out->error;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct check_view *v = arg;

	if (n->type != TCPFSM_NOTICE_TOTALS || n->error)
		return n->error;
	return ++v->readings == READINGS || tcpfsm_checks_settled(v->checks);
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct check_view *v = arg;
	int err = tcpfsm_checks_new(&v->checks, info);

	if (err)
		return fail(err, "check");
	v->epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f));
	to->checks = v->checks;
	return 0;
}

static int tell(struct check_view *v)
{
	if (v->opts->out->error == -EPIPE)
		return EXIT_DONE;
	if (!v->nplaces) {
		complain(tcpfsm_filter_asks(&v->opts->filter) & TCPFSM_ASKS_NETNS ?
			 "-N: no totals of this network namespace; see the rows without -N" :
			 "no totals in this recording; record again");
		return EXIT_ERROR;
	}
	if (v->unexplained) {
		complain("%u counter%s differ%s and nothing explains it; tcpfsm info tells what was missed",
			 v->unexplained, v->unexplained == 1 ? "" : "s",
			 v->unexplained == 1 ? "s" : "");
		return EXIT_ERROR;
	}
	return EXIT_DONE;
}

static int end(void *arg, int rc)
{
	struct check_view *v = arg;

	if (rc || interrupted)
		return 0;
	rc = tcpfsm_checks_each(v->checks, look, v);
	if (rc)
		return fail(rc, "check");
	v->brief = !v->opts->json && !v->opts->wide && v->nplaces > 1;
	choose(v);
	v->at = v->places;
	tcpfsm_checks_each(v->checks, show, v);
	if (!v->opts->json)
		tell_rest(v);
	out_flush(v->opts->out);
	return tell(v);
}

static int run(const struct options *opts)
{
	static const struct view view = {
		.follow = { .totals = true, .totals_ns = PAUSE_NS, .state_only = true,
			    .notice = on_notice },
		.begin = begin, .end = end,
	};
	struct check_view v = { .opts = opts };
	int status = stream(opts, &view, &v);

	tcpfsm_checks_free(v.checks);
	free(v.places);
	return status;
}

const struct command cmd_check = {
	.columns =
		"  COUNTER     as nstat -a and /proc/net/sockstat name it\n"
		"  KERNEL      how far it has moved since the module was loaded\n"
		"  TCPFSM      what the module counted, summed over all listeners\n"
		"  DIFFERENCE  explained: the line below says by what; unexplained: by nothing,\n"
		"              and the exit status is 1\n"
		"  = A + B     what the sum is made of; without -w only for a difference\n"
		"  several network namespaces: those without a difference are one line; -n: so\n"
		"              many, those with most differences; how many more is said below\n",
	.examples =
		"  All counters, with what their sums are made of:\n"
		"    tcpfsm check -w\n"
		"  Those that differ, for a program:\n"
		"    tcpfsm check --json | grep -v '\"status\":\"equal\"'\n",
	.run = run,
};
