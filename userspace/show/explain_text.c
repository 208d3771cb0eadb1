// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm explain for people: findings in words, with proof and remedy. */
#include <stdlib.h>
#include <string.h>

#include "explain.h"

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

void explain_text_finding(struct explain_text *t, const struct tcpfsm_finding *f)
{
	struct out *o = t->out;
	bool repeats = false;
	size_t i;

	if (t->n++)
		out_printf(o, "\n");
	if (!is_same(t, f))
		forget_said(t);
	out_inked(o, ink_of(f->severity), "%s", tcpfsm_severity_name(f->severity));
	out_printf(o, " %s\n", f->verdict);
	wrap(o, "  ", 2, f->text);
	for (i = 0; i < f->nevidence; i++) {
		if (is_new(t, f->evidence[i]))
			wrap(o, "    - ", 6, f->evidence[i]);
		else
			repeats = true;
	}
	if (repeats)
		wrap(o, "    - ", 6, "and as above");
	if (*f->remedy)
		wrap(o, "  What to do: ", 4, f->remedy);
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
	struct explain_text t = { .out = o };
	int err = tcpfsm_explain_findings(x, ls, on_finding, &t);

	explain_text_end(&t);
	return err < 0 ? err : 0;
}
