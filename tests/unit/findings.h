/* SPDX-License-Identifier: GPL-2.0-only */
/* What explain found, kept for the tests of its rules. */
#ifndef TESTS_FINDINGS_H
#define TESTS_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "consistent.h"
#include "tcpfsm.h"

#define MAX_FOUND	64

static struct found {
	char verdict[32], all[16384], remedy[8192], text[1024];
	struct tcpfsm_finding f;	/* its texts are gone */
} found[MAX_FOUND];
static unsigned int nfound;

static void append(char *to, size_t size, const char *s)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "%s\n", s);
}

/* One sentence that fits two lines of a terminal, and something to do about what is wrong. */
static void check_lines(const struct tcpfsm_finding *f)
{
	size_t len = strlen(f->summary), i;
	const char *p;

	CHECK(len > 20 && len < 240 && f->summary[len - 1] == '.');
	for (p = f->summary; (p = strstr(p, ". ")); p++)
		CHECK(p[2] < 'A' || p[2] > 'Z');
	if (f->severity <= TCPFSM_SEVERITY_WARNING)
		CHECK(f->nactions > 0);
	for (i = 0; i < f->nactions; i++) {
		len = strlen(f->actions[i].text);
		CHECK(len > 5 && len < 200 && f->actions[i].text[len - 1] != '.');
		if (*f->actions[i].command)
			CHECK(!strstr(f->actions[i].command, "  "));
	}
}

static void keep_finding(const struct tcpfsm_finding *f)
{
	struct found *to = &found[nfound];
	size_t i;

	if (nfound == MAX_FOUND)
		return;
	check_lines(f);
	memset(to, 0, sizeof(*to));
	nfound++;
	to->f = *f;
	snprintf(to->verdict, sizeof(to->verdict), "%s", f->verdict);
	snprintf(to->remedy, sizeof(to->remedy), "%s", f->remedy);
	snprintf(to->text, sizeof(to->text), "%s", f->text);
	append(to->all, sizeof(to->all), f->text);
	for (i = 0; i < f->nevidence; i++)
		append(to->all, sizeof(to->all), f->evidence[i]);
	for (i = 0; i < f->nnot_judged; i++)
		append(to->all, sizeof(to->all), f->not_judged[i]);
	append(to->all, sizeof(to->all), f->remedy);
	append(to->all, sizeof(to->all), f->cost);
	if (getenv("SHOW"))
		printf("# [%s %s]\n%s", f->verdict, tcpfsm_severity_name(f->severity), to->all);
}

/* The finding of that verdict, or NULL. */
static const struct found *verdict(const char *name)
{
	unsigned int i;

	for (i = 0; i < nfound; i++)
		if (!strcmp(found[i].verdict, name))
			return &found[i];
	return NULL;
}

static bool first(const char *name)
{
	if (nfound && !strcmp(found[0].verdict, name))
		return true;
	printf("# first is %s, not %s\n", nfound ? found[0].verdict : "nothing", name);
	return false;
}

static bool says(const char *name, const char *what)
{
	const struct found *f = verdict(name);

	if (f && strstr(f->all, what))
		return true;
	printf("# %s does not say \"%s\":\n%s", name, what, f ? f->all : "");
	return false;
}

/* Totals that no kernel has: their numbers need not fit each other. */
static bool any_numbers;

/* No list of findings contradicts itself. */
static void check_consistent(void)
{
	static struct said said[MAX_FOUND];
	char why[512], addr[2][33];
	unsigned int i, k;

	for (i = 0; i < nfound; i++) {
		const struct tcpfsm_finding *f = &found[i].f;

		for (k = 0; k < 16; k++) {
			sprintf(addr[0] + 2 * k, "%02x", f->laddr[k]);
			sprintf(addr[1] + 2 * k, "%02x", f->raddr[k]);
		}
		said[i] = (struct said) {
			.verdict = found[i].verdict, .all = found[i].all, .severity = f->severity,
		};
		snprintf(said[i].listener, sizeof(said[i].listener), "%u %llu", f->netns,
			 (unsigned long long)f->conn);
		snprintf(said[i].subject, sizeof(said[i].subject), "%u %llu %s:%u %s:%u", f->netns,
			 (unsigned long long)f->conn, addr[0], f->lport, addr[1], f->rport);
	}
	CHECK(nfound < MAX_FOUND);
	if (contradiction(said, nfound, !any_numbers, why, sizeof(why))) {
		printf("# %s\n", why);
		CHECK(!"contradiction");
	}
}

#endif /* TESTS_FINDINGS_H */
