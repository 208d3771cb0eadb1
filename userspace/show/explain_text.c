// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm explain for people: findings in words, with proof and remedy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "put.h"

#define WIDTH		80

/* Words of text between the margins; the first line begins with lead. */
static void wrap(struct out *o, const char *lead, size_t margin, const char *text)
{
	size_t column = strlen(lead);
	bool begun = true;
	const char *p = text;

	out_printf(o, "%s", lead);
	while (*p) {
		size_t len = strcspn(p, " ");

		/* One of several remedies, or its cost. */
		bool numbered = len == 3 && p[0] == '(' && p[2] == ')';

		if (!begun && (numbered || column + 1 + len > WIDTH)) {
			out_printf(o, "\n%*s", (int)margin, "");
			column = margin;
		} else if (!begun) {
			out_printf(o, " ");
			column++;
		}
		begun = false;
		out_printf(o, "%.*s", (int)len, p);
		column += len;
		p += len;
		p += strspn(p, " ");
	}
	out_printf(o, "\n");
}

static enum attr ink_of(unsigned int severity)
{
	static const enum attr inks[] = {
		[TCPFSM_SEVERITY_CRITICAL] = ATTR_BAD_HOT,
		[TCPFSM_SEVERITY_WARNING] = ATTR_CLOSE_HOT,
		[TCPFSM_SEVERITY_OK] = ATTR_OPEN, [TCPFSM_SEVERITY_INFO] = ATTR_PLAIN,
	};

	return inks[severity];
}

static void forget_said(struct explain_text *t)
{
	while (t->nsaid)
		free(t->said[--t->nsaid]);
}

/* Of the same listener, destination or network namespace as the last one? */
static bool is_same(struct explain_text *t, const struct tcpfsm_finding *f)
{
	bool same = f->conn == t->conn && f->netns == t->netns && f->rport == t->rport &&
		    !memcmp(f->raddr, t->raddr, sizeof(t->raddr));

	t->conn = f->conn;
	t->netns = f->netns;
	t->rport = f->rport;
	memcpy(t->raddr, f->raddr, sizeof(t->raddr));
	return same;
}

/* What one finding has said of it, the next need not say again. */
static bool is_new(struct explain_text *t, const char *text)
{
	char **said;
	size_t i;

	for (i = 0; i < t->nsaid; i++)
		if (!strcmp(t->said[i], text))
			return false;
	if (t->nsaid == t->room) {
		said = realloc(t->said, (t->room + 64) * sizeof(*said));
		if (!said)		/* said twice, then */
			return true;
		t->said = said;
		t->room += 64;
	}
	t->said[t->nsaid] = strdup(text);
	t->nsaid += !!t->said[t->nsaid];
	return true;
}

/* A command that is copied from more than one line is still one. */
static void show_command(struct out *o, size_t margin, const char *command)
{
	size_t column = margin, len;
	const char *p = command;

	out_printf(o, "%*s", (int)margin, "");
	for (; *p; p += len) {
		len = strcspn(p, " ") + strspn(p + strcspn(p, " "), " ");
		if (column > margin && column + len > WIDTH - 1) {
			out_printf(o, "\\\n%*s", (int)margin, "");
			column = margin;
		}
		out_printf(o, "%.*s", (int)len, p);
		column += len;
	}
	out_printf(o, "\n");
}

void explain_text_action(const struct tcpfsm_action *a, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", a->text, *a->command ? ": " : "", a->command);
}

/* The command on the same line, where it fits. */
static void show_action(struct out *o, const char *lead, const struct tcpfsm_action *a)
{
	size_t margin = strlen(lead);
	char text[1024];

	if (!*a->command || margin + strlen(a->text) + 2 + strlen(a->command) <= WIDTH) {
		explain_text_action(a, text, sizeof(text));
		wrap(o, lead, margin, text);
		return;
	}
	snprintf(text, sizeof(text), "%s:", a->text);
	wrap(o, lead, margin, text);
	show_command(o, margin, a->command);
}

static void show_actions(struct out *o, const struct tcpfsm_finding *f)
{
	size_t i;

	if (f->nactions)
		out_printf(o, "  What to do:\n");
	for (i = 0; i < f->nactions; i++) {
		char lead[32];

		snprintf(lead, sizeof(lead), f->nactions > 1 ? "    (%zu) " : "    ", i + 1);
		show_action(o, lead, &f->actions[i]);
		if (*f->actions[i].more) {
			snprintf(lead, sizeof(lead), "%*s", f->nactions > 1 ? 8 : 4, "");
			wrap(o, lead, strlen(lead), f->actions[i].more);
		}
	}
}

static void show_evidence(struct explain_text *t, const struct tcpfsm_finding *f)
{
	bool repeats = false;
	size_t i;

	for (i = 0; i < f->nevidence; i++) {
		if (is_new(t, f->evidence[i]))
			wrap(t->out, "    - ", 6, f->evidence[i]);
		else
			repeats = true;
	}
	if (repeats)
		wrap(t->out, "    - ", 6, "and as above");
	for (i = 0; i < f->nnot_judged; i++)
		wrap(t->out, "    - not judged: ", 6, f->not_judged[i]);
}

void explain_text_finding(struct explain_text *t, const struct tcpfsm_finding *f)
{
	struct out *o = t->out;

	if (t->n++)
		out_printf(o, "\n");
	if (!is_same(t, f))
		forget_said(t);
	out_inked(o, ink_of(f->severity), "%s", tcpfsm_severity_name(f->severity));
	out_printf(o, " %s\n", f->verdict);
	wrap(o, "  ", 2, t->verbose ? f->text : f->summary);
	if (!t->verbose) {
		if (f->nactions)
			show_action(o, "  Do: ", &f->actions[0]);
		return;
	}
	show_actions(o, f);
	if (f->nevidence + f->nnot_judged)
		out_printf(o, "  Why:\n");
	show_evidence(t, f);
	if (*f->cost)
		wrap(o, "  What it costs: ", 4, is_new(t, f->cost) ? f->cost : "as above.");
}

void explain_text_end(struct explain_text *t)
{
	forget_said(t);
	free(t->said);
	t->said = NULL;
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct explain_text *t = arg;

	explain_text_finding(t, f);
	return t->out->error ? 1 : 0;
}

int explain_text(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls, struct out *o)
{
	struct explain_text t = { .out = o, .verbose = true };
	int err = tcpfsm_explain_findings(x, ls, on_finding, &t);

	explain_text_end(&t);
	return err < 0 ? err : 0;
}

/* ---- what if ----------------------------------------------------------------------- */

#define WHAT_IF_LINE	512

static const char *number_or_none(uint64_t n, char buf[24])
{
	snprintf(buf, 24, "%" PRIu64, n);
	return n ? buf : "none";
}

static const char *duration(uint64_t ns, char buf[32])
{
	*put_duration(buf, (int64_t)ns) = '\0';
	return buf;
}

/* "192.0.2.2:80 (nginx, pid 12)", "192.0.2.1 to 192.0.2.2:80 (curl, pid 34)" */
static void name(const struct tcpfsm_what_if *w, char buf[WHAT_IF_LINE])
{
	struct tcpfsm_record r = { .family = w->family };
	char *p = buf;

	if (!w->conn) {
		p = put_address(p, &r, w->laddr, 0);
		while (*--p != ':')
			;
		p = put(p, " to ");
	}
	p = put_address(p, &r, w->conn ? w->laddr : w->raddr, w->conn ? w->lport : w->rport);
	if (w->has_owner) {
		p = put_comm(put(p, " ("), w->comm);
		p = put(put_u64(put(p, ", pid "), w->pid), ")");
	}
	*p = '\0';
}

static void setting(const struct tcpfsm_what_if *w, char buf[64])
{
	const struct tcpfsm_setting *s = &w->setting;
	int n = snprintf(buf, 64, "%s=%" PRIu64, tcpfsm_setting_name(s->setting), s->value);

	if (s->setting == TCPFSM_SETTING_PORTS)
		snprintf(buf + n, 64 - (size_t)n, "-%" PRIu64, s->high);
}

static void of_listener(struct out *o, const struct tcpfsm_what_if *w)
{
	char line[WHAT_IF_LINE], n[24], before[24], longest[32], most[32];

	snprintf(line, sizeof(line), "%s of %" PRIu64 " connections would have been refused at first; %s were, "
		 "with a backlog of %" PRIu64, number_or_none(w->refused, n), w->attempts,
		 number_or_none(w->refused_before, before), w->now);
	wrap(o, "    - ", 6, line);
	snprintf(line, sizeof(line), "the wait for accept(): at most %s, 99 %% up to %s; accept queue at most %"
		 PRIu64, duration(w->wait_ns_max, longest), duration(w->wait_ns_p99, most), w->queue_peak);
	wrap(o, "    - ", 6, line);
	if (w->waiting) {
		snprintf(line, sizeof(line), "%" PRIu64 " would still wait at the end", w->waiting);
		wrap(o, "    - ", 6, line);
	}
	if (w->cookies) {
		snprintf(line, sizeof(line), "%" PRIu64 " would have got a SYN cookie, as the SYN queue has the "
			 "same limit", w->cookies);
		wrap(o, "    - ", 6, line);
	}
	if (w->refused_replayed == w->refused_before)
		return;
	snprintf(line, sizeof(line), "how exact that is: with the present backlog the replay refuses %" PRIu64,
		 w->refused_replayed);
	wrap(o, "    - ", 6, line);
}

static void of_destination(struct out *o, const struct tcpfsm_what_if *w)
{
	char line[WHAT_IF_LINE], n[24], before[24];

	snprintf(line, sizeof(line), "%s of %" PRIu64 " connect() would have failed for want of a port; %s did",
		 number_or_none(w->failed, n), w->attempts, number_or_none(w->failed_before, before));
	wrap(o, "    - ", 6, line);
	snprintf(line, sizeof(line), "ports taken at a time: at most %" PRIu64, w->ports_peak);
	wrap(o, "    - ", 6, line);
}

void explain_text_what_if(struct out *o, const struct tcpfsm_what_if *w)
{
	char line[2 * WHAT_IF_LINE], about[WHAT_IF_LINE], value[64];

	setting(w, value);
	name(w, about);
	snprintf(line, sizeof(line), "%s, %s:", value, about);
	wrap(o, "", 2, line);
	if (w->conn)
		of_listener(o, w);
	else
		of_destination(o, w);
	if (w->part)
		wrap(o, "    - ", 6, "of the records that there are: not all were kept");
}
