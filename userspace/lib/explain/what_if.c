// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* What the replays are asked for: a setting that somebody has in mind, or the one that would do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "model/timewait.h"
#include "number.h"

/* The largest backlog that is worth a try. */
#define BACKLOG_MAX	65535U
/* As observed, a replay should come to what was observed; but for so many, or that share. */
#define ASTRAY_MIN	2
#define ASTRAY_SHARE	0.2

/* ---- a setting, in words --------------------------------------------------------------- */

const char *tcpfsm_setting_name(unsigned int setting)
{
	static const char * const names[] = {
#define NAME(s, name, text) [TCPFSM_SETTING_##s] = name,
		TCPFSM_SETTINGS(NAME)
#undef NAME
	};

	return setting < sizeof(names) / sizeof(names[0]) ? names[setting] : "?";
}

static const char *parse_value(struct tcpfsm_setting *s, const char *value)
{
	const char *end;

	switch (s->setting) {
	case TCPFSM_SETTING_BACKLOG:
		return parse_number(value, 0, BACKLOG_MAX, &s->value) ? NULL :
		       "backlog is not a number from 0 to 65535";
	case TCPFSM_SETTING_PORTS:
		if (parse_u64(value, &end, 1, 65535, &s->value) && *end == '-' &&
		    parse_number(end + 1, s->value, 65535, &s->high))
			return NULL;
		return "ports are not LOW-HIGH, both from 1 to 65535";
	}
	return parse_number(value, 0, 2, &s->value) ? NULL : "tw_reuse is not 0, 1 or 2";
}

const char *tcpfsm_setting_parse(struct tcpfsm_setting *s, const char *words)
{
	size_t len = strcspn(words, "=");
	unsigned int i;

	*s = (struct tcpfsm_setting) { .setting = TCPFSM_SETTING_BACKLOG };
	for (i = 0; i <= TCPFSM_SETTING_TW_REUSE; i++) {
		const char *name = tcpfsm_setting_name(i);

		if (words[len] != '=' || strlen(name) != len || strncmp(name, words, len))
			continue;
		s->setting = (uint8_t)i;
		return parse_value(s, words + len + 1);
	}
#define NAME(s, name, text) " " name "=" text
	return "not one of:" TCPFSM_SETTINGS(NAME);
#undef NAME
}

/* ---- a listener ------------------------------------------------------------------------ */

static struct replay_limits limits_of(const struct facts *f, uint64_t backlog)
{
	return (struct replay_limits) {
		.backlog = backlog,
		.synq_more = f->synq_places != f->backlog,
		.syncookies = f->syncookies,
		.max_syn_backlog = f->max_syn_backlog,
		.abort_on_overflow = f->ns->total[TOTAL(NOW_ABORT_ON_OVERFLOW)],
	};
}

static bool run(const struct facts *f, struct replay_plan *p, uint64_t backlog,
		struct replay_result *res)
{
	struct replay_limits limits = limits_of(f, backlog);

	return !replay_run(p, &limits, res);
}

/* Does what was observed follow from the records, or is something missing? */
static bool is_true_to(const struct replay_result *as_it_was, uint64_t refused)
{
	uint64_t n = as_it_was->refused, off = n > refused ? n - refused : refused - n;

	return off <= ASTRAY_MIN || (double)off <= ASTRAY_SHARE * (double)refused;
}

uint64_t round_backlog(uint64_t v)
{
	uint64_t n = 16;

	while (n < v && n < BACKLOG_MAX + 1)
		n *= 2;
	return n <= BACKLOG_MAX ? n : BACKLOG_MAX;
}

/*
 * Until the first one is refused nothing depends on the limit: as much room as the queues take
 * without any is what none is refused with.
 */
static void find_limit(const struct facts *f, struct replay_plan *p, struct replayed *r)
{
	uint64_t accept, syn;

	if (!run(f, p, BACKLOG_MAX, &r->without))
		return;
	accept = r->without.peak ? r->without.peak - 1 : 0;
	syn = r->without.synq_peak - (r->without.synq_peak && f->synq_places != f->backlog);
	r->acceptq = round_backlog(accept);
	r->both = round_backlog(accept > syn ? accept : syn);
	/* The same longer queue still grew when it ended. */
	r->hopeless = r->without.refused || (r->without.waiting > f->acceptq_places &&
					     2 * r->without.waiting >= r->without.peak);
	r->less_backlog = r->acceptq / 2;
	if (r->less_backlog <= f->backlog || !run(f, p, r->less_backlog, &r->less))
		r->less_backlog = 0;
	r->twice_known = run(f, p, 2 * f->backlog, &r->twice);
	r->known = true;
}

void replay_facts(const struct facts *f, struct replayed *r)
{
	struct replay_plan *p = NULL;
	struct replay_result as_it_was;

	memset(r, 0, sizeof(*r));
	if (f->limit_known && f->replay)
		p = replay_plan(f->replay, f->l->conn);
	if (!p)
		return;
	r->refused = replay_refused(p);
	r->part = replay_is_part(p, &r->observed);
	if (r->refused && run(f, p, f->backlog, &as_it_was) && is_true_to(&as_it_was, r->refused))
		find_limit(f, p, r);
	replay_plan_free(p);
}

int what_if_listener(const struct facts *f, struct tcpfsm_what_if *w)
{
	struct replay_plan *p = f->replay ? replay_plan(f->replay, f->l->conn) : NULL;
	struct replay_result res, before;
	uint64_t observed;
	bool done;

	if (!p)
		return 0;
	done = run(f, p, w->setting.value, &res) && run(f, p, f->backlog, &before);
	w->attempts = res.attempts;
	w->refused_before = replay_refused(p);
	w->refused = res.refused;
	w->refused_replayed = before.refused;
	w->cookies = res.cookies;
	w->wait_ns_max = res.wait_max;
	w->wait_ns_p99 = res.wait_p99;
	w->queue_peak = res.peak;
	w->waiting = res.waiting;
	w->part = replay_is_part(p, &observed);
	w->observed_ns = observed;
	w->now = f->backlog;
	replay_plan_free(p);
	return done ? w->attempts > 0 : -ENOMEM;
}

/* ---- a destination ----------------------------------------------------------------------- */

static bool replay_destination(const struct facts *f, uint64_t ports, uint64_t reuse, bool unbound,
			       struct replay_ports_result *res)
{
	struct replay_ports with = {
		.ports = ports, .reuse = reuse_applies(f->tw, reuse),
		.delay_ms = (uint32_t)f->ns->total[TOTAL(NOW_TW_REUSE_DELAY)],
		.timestamps = f->ns->total[TOTAL(NOW_TIMESTAMPS)], .unbound = unbound,
	};

	return !replay_ports(f->replay, f->tw, &with, res);
}

int what_if_destination(const struct facts *f, struct tcpfsm_what_if *w)
{
	bool ports = w->setting.setting == TCPFSM_SETTING_PORTS;
	uint64_t reuse = f->ns->total[TOTAL(NOW_TW_REUSE)];
	struct replay_ports_result res;

	if (!ports && !f->tw->limit)
		return 0;
	if (!replay_destination(f, ports ? w->setting.high - w->setting.value + 1 : f->tw->limit,
				ports ? reuse : w->setting.value, false, &res))
		return -ENOMEM;
	w->attempts = res.attempts;
	w->failed_before = res.failed_before;
	w->failed = res.failed;
	w->ports_peak = res.peak;
	w->part = res.part;
	w->now = ports ? f->tw->limit : reuse;
	return res.attempts > 0;
}

struct words replayed_ports(const struct facts *f, uint64_t ports, enum with with)
{
	uint64_t mode = with == WITH_REUSE ? 1 : f->ns->total[TOTAL(NOW_TW_REUSE)];
	struct replay_ports_result res;
	struct words w = { "" };
	char n[24] = "none";

	if (!f->replay || !ports || !replay_destination(f, ports, mode, with == WITH_NO_BIND, &res) ||
	    !res.failed_before)
		return w;
	if (res.failed)
		snprintf(n, sizeof(n), "%llu", (unsigned long long)res.failed);
	snprintf(w.s, sizeof(w.s), " Replayed: %s of %llu connect() would have failed, where %llu did%s.", n,
		 (unsigned long long)res.attempts, (unsigned long long)res.failed_before,
		 res.part ? " (of those recorded)" : "");
	return w;
}
