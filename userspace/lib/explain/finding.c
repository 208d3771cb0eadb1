// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* A finding as it is handed out, and as JSON; replays as JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "json_writer.h"

/* ---- from a draft ---------------------------------------------------------------- */

#define JOINED_MAX	(ACTIONS_MAX * sizeof(struct action))

/* Several are numbered. */
static char *join_number(const struct draft *d, size_t i, char *p, const char *begin)
{
	if (p > begin)
		*p++ = ' ';
	return d->f.nactions > 1 ? p + sprintf(p, "(%zu) ", i + 1) : p;
}

/* All there is to do, as one text. */
static void join_actions(const struct draft *d, char remedy[JOINED_MAX])
{
	char *p = remedy;
	size_t i;

	*p = '\0';
	for (i = 0; i < d->f.nactions; i++) {
		const struct action *a = &d->action[i];

		p = join_number(d, i, p, remedy);
		p += sprintf(p, "%s%s%s.%s%s", a->text, *a->command ? ": " : "", a->command,
			     *a->more ? " " : "", a->more);
	}
}

static void join_costs(const struct draft *d, char costs[JOINED_MAX])
{
	char *p = costs;
	size_t i;

	*p = '\0';
	for (i = 0; i < d->f.nactions; i++)
		if (*d->action[i].cost) {
			p = join_number(d, i, p, costs);
			p += sprintf(p, "%s", d->action[i].cost);
		}
}

/* What of a finding is not words. */
static size_t tables_size(const struct draft *d)
{
	return (d->f.nevidence + 1 + d->f.nnot_judged) * sizeof(char *) +
	       d->f.nactions * sizeof(struct tcpfsm_action);
}

static size_t words_size(const struct draft *d)
{
	size_t n = 2 * strlen(d->summary) + strlen(d->detail) + LINE_LEN + 8, i;

	for (i = 0; i < d->f.nevidence; i++)
		n += strlen(d->line[i]) + 1;
	for (i = 0; i < d->f.nnot_judged; i++)
		n += strlen(d->unseen[i]) + 1;
	for (i = 0; i < d->f.nactions; i++)
		n += strlen(d->action[i].text) + strlen(d->action[i].command) +
		     strlen(d->action[i].more) + strlen(d->action[i].cost) + 4;
	return n;
}

static const char *keep(char **p, const char *s)
{
	char *kept = *p;

	*p = stpcpy(kept, s) + 1;
	return kept;
}

static void keep_tables(struct finding *x, const struct draft *d, char **p)
{
	struct tcpfsm_action *a = (struct tcpfsm_action *)(x + 1);
	const char **line = (const char **)(a + d->f.nactions);
	size_t i;

	x->f.actions = a;
	for (i = 0; i < d->f.nactions; i++)
		a[i] = (struct tcpfsm_action) {
			.text = keep(p, d->action[i].text), .command = keep(p, d->action[i].command),
			.more = keep(p, d->action[i].more), .cost = keep(p, d->action[i].cost),
		};
	x->f.evidence = x->evidence = line;
	for (i = 0; i < d->f.nevidence; i++)
		*line++ = keep(p, d->line[i]);
	line++;
	x->f.not_judged = line;
	for (i = 0; i < d->f.nnot_judged; i++)
		*line++ = keep(p, d->unseen[i]);
}

struct finding *finding_new(const struct draft *d)
{
	char remedy[JOINED_MAX], costs[JOINED_MAX], *p;
	struct finding *x;

	join_actions(d, remedy);
	join_costs(d, costs);
	x = malloc(sizeof(*x) + tables_size(d) + words_size(d) + strlen(remedy) + strlen(costs) + 2);
	if (!x)
		return NULL;
	*x = (struct finding) { .f = d->f, .weight = d->weight, .rank = d->rank, .active = d->active };
	p = (char *)(x + 1) + tables_size(d);
	keep_tables(x, d, &p);
	x->f.summary = keep(&p, d->summary);
	x->f.text = p;
	p += sprintf(p, "%s%s%s", d->summary, *d->detail ? " " : "", d->detail) + 1;
	x->f.remedy = keep(&p, remedy);
	x->f.cost = keep(&p, costs);
	x->also = p;
	return x;
}

void finding_also(struct finding *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->also, LINE_LEN, fmt, ap);
	va_end(ap);
	x->evidence[x->f.nevidence++] = x->also;
}

/* ---- JSON ------------------------------------------------------------------------ */

const char *tcpfsm_severity_name(unsigned int severity)
{
	static const char * const names[] = {
#define NAME(s, n, name) [n] = name,
		TCPFSM_SEVERITIES(NAME)
#undef NAME
	};

	return severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "?";
}

struct buffer {
	char *p, *end;
};

static void write_buffer(void *to, const char *s, size_t n)
{
	struct buffer *b = to;
	size_t room = (size_t)(b->end - b->p);

	memcpy(b->p, s, n < room ? n : room);
	b->p += n < room ? n : room;
}

/* "{" and what all objects have: what it is about. */
static void put_about(struct json *j, const struct json_head *h, bool has_owner, uint32_t pid,
		      const char comm[17])
{
	json_begin(j, h);
	if (has_owner)
		json_process(j, true, pid, comm, "");
}

static void put_list(struct json *j, const char *key, const char *const *of, size_t n)
{
	size_t i;

	json_open(j, key, '[');
	for (i = 0; i < n; i++)
		json_string(j, NULL, of[i]);
	json_close(j, ']');
}

static void put_actions(struct json *j, const struct tcpfsm_finding *f)
{
	size_t i;

	json_open(j, "do", '[');
	for (i = 0; i < f->nactions; i++) {
		const struct tcpfsm_action *a = &f->actions[i];

		json_open(j, NULL, '{');
		json_string(j, "text", a->text);
		if (*a->command)
			json_string(j, "command", a->command);
		else
			json_null(j, "command");
		json_string(j, "more", a->more);
		json_string(j, "cost", a->cost);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* All words twice as long, should each letter need a backslash; those of actions are there twice. */
_Static_assert(TCPFSM_FINDING_JSON_MAX >= 4 * JOINED_MAX + 2 * LINE_LEN * (2 * LINES_MAX + 4) + 2048,
	       "it fits");

size_t tcpfsm_finding_json(const struct tcpfsm_finding *f, char buf[TCPFSM_FINDING_JSON_MAX])
{
	struct buffer b = { buf, buf + TCPFSM_FINDING_JSON_MAX };
	struct json j = { .write = write_buffer, .to = &b };

	put_about(&j, &(struct json_head) {
		.ts = f->ts, .event = "finding", .conn = f->conn, .netns = f->netns,
		.family = f->family, .laddr = f->laddr, .lport = f->lport, .raddr = f->raddr,
		.rport = f->rport,
	}, f->has_owner, f->pid, f->comm);
	json_string(&j, "verdict", f->verdict);
	json_string(&j, "severity", tcpfsm_severity_name(f->severity));
	json_string(&j, "summary", f->summary);
	put_actions(&j, f);
	json_string(&j, "text", f->text);
	put_list(&j, "evidence", f->evidence, f->nevidence);
	json_string(&j, "remedy", f->remedy);
	json_string(&j, "cost", f->cost);
	put_list(&j, "not_judged", f->not_judged, f->nnot_judged);
	json_end(&j);
	return (size_t)(b.p - buf);
}

/* ---- what if ----------------------------------------------------------------------- */

static void put_value(struct json *j, const struct tcpfsm_setting *s)
{
	char range[48];

	if (s->setting == TCPFSM_SETTING_PORTS) {
		snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, s->value, s->high);
		json_string(j, "value", range);
	} else {
		json_number(j, "value", s->value);
	}
}

static void put_listener(struct json *j, const struct tcpfsm_what_if *w)
{
	json_number(j, "refused_before", w->refused_before);
	json_number(j, "refused_replayed", w->refused_replayed);
	json_number(j, "refused", w->refused);
	json_number(j, "cookies", w->cookies);
	json_decimal(j, "wait_ms_max", (double)w->wait_ns_max / 1e6);
	json_decimal(j, "wait_ms_p99", (double)w->wait_ns_p99 / 1e6);
	json_number(j, "queue_peak", w->queue_peak);
	json_number(j, "waiting", w->waiting);
	json_decimal(j, "observed_ms", (double)w->observed_ns / 1e6);
}

static void put_destination(struct json *j, const struct tcpfsm_what_if *w)
{
	json_number(j, "failed_before", w->failed_before);
	json_number(j, "failed", w->failed);
	json_number(j, "ports_peak", w->ports_peak);
}

size_t tcpfsm_what_if_json(const struct tcpfsm_what_if *w, char buf[TCPFSM_WHAT_IF_JSON_MAX])
{
	struct buffer b = { buf, buf + TCPFSM_WHAT_IF_JSON_MAX };
	struct json j = { .write = write_buffer, .to = &b };

	put_about(&j, &(struct json_head) {
		.ts = w->ts, .event = "what_if", .conn = w->conn, .netns = w->netns,
		.family = w->family, .laddr = w->laddr, .lport = w->lport, .raddr = w->raddr,
		.rport = w->rport,
	}, w->has_owner, w->pid, w->comm);
	json_string(&j, "setting", tcpfsm_setting_name(w->setting.setting));
	put_value(&j, &w->setting);
	json_number(&j, "now", w->now);
	json_number(&j, "attempts", w->attempts);
	if (w->conn)
		put_listener(&j, w);
	else
		put_destination(&j, w);
	json_bool(&j, "part", w->part);
	json_end(&j);
	return (size_t)(b.p - buf);
}
