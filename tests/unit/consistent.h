/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must be true of every list of findings, whatever they are about: no number that cannot be, and
 * nothing that another finding, or a line of the same one, contradicts.  For the unit tests, the
 * fuzzers and the lab (tests/tools/consistent.c).
 */
#ifndef TESTS_CONSISTENT_H
#define TESTS_CONSISTENT_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A finding: who and what it is about, and all that it says, in any form. */
struct said {
	const char *verdict, *all;
	unsigned int severity;		/* enum tcpfsm_severity */
	char listener[64];		/* or network namespace */
	char subject[192];		/* destination, too */
};

/* What hardly any other word says: that something does not help, and that it does. */
static const struct knob {
	const char *name, *no[7], *yes[4];
	bool of_listener;		/* else of the network namespace */
} knobs[] = {
	{ "a longer queue",
	  { "The limit is not the problem", "larger backlog or somaxconn does not", "larger backlog only feeds",
	    "larger backlog would only", "longer one does not help", "longer queue does not help" },
	  { "call listen() with", "sysctl -w net.core.somaxconn", "longer queue helps" }, true },
	{ "tcp_tw_reuse", { "TIME_WAIT is not to blame", "TIME_WAIT has not taken the ports" },
	  { "sysctl -w net.ipv4.tcp_tw_reuse=1", "TIME_WAIT had taken the ports" }, false },
	{ "tcp_syncookies", { "Leave tcp_syncookies on", "leave them on" },
	  { "sysctl -w net.ipv4.tcp_syncookies=0" }, false },
	{ "tcp_abort_on_overflow", { "no reason to set tcp_abort_on_overflow=1" },
	  { "sysctl -w net.ipv4.tcp_abort_on_overflow=1" }, false },
};

static const char *any_of(const char *all, const char *const *phrases)
{
	for (; *phrases; phrases++)
		if (strstr(all, *phrases))
			return *phrases;
	return NULL;
}

/* "7 of 12" */
static bool too_many(const char *all, const char **which)
{
	const char *p = all;
	unsigned long long a, b;
	char *end;

	for (; (p = strstr(p, " of ")); p += 4) {
		const char *from = p;

		while (from > all && isdigit((unsigned char)from[-1]))
			from--;
		if (from == p || !isdigit((unsigned char)p[4]) ||
		    (from > all && (from[-1] == '.' || from[-1] == '-')))
			continue;
		a = strtoull(from, NULL, 10);
		b = strtoull(p + 4, &end, 10);
		if ((*end == '.' && isdigit((unsigned char)end[1])) || isalpha((unsigned char)*end))
			continue;
		*which = from;
		if (a > b || !b)
			return true;
	}
	return false;
}

/* "120 %" */
static bool more_than_all(const char *all, const char **which)
{
	const char *p = all, *from;

	for (; (p = strstr(p, " %")); p += 2) {
		for (from = p; from > all && (isdigit((unsigned char)from[-1]) || from[-1] == '.'); from--)
			;
		*which = from;
		if (from < p && strtod(from, NULL) > 100)
			return true;
	}
	return false;
}

/* More were accepted, or wait, than have arrived. */
static bool none_can_come(const char *all, const char **which)
{
	static const char *const forms[] = {
		"%llu connections arrived and %llu were accepted", "%llu had arrived, and %llu were accepted",
		"%llu connections that arrived since the totals began, none was accepted; %llu ",
	};
	unsigned long long arrived, there;
	const char *p;
	size_t i;

	for (p = all; *p; p++) {
		if (!isdigit((unsigned char)*p) || (p > all && isdigit((unsigned char)p[-1])))
			continue;
		for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
			*which = p;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			if (sscanf(p, forms[i], &arrived, &there) == 2 && there > arrived)
				return true;
#pragma GCC diagnostic pop
		}
	}
	return false;
}

/* Fewer ports than those named; or TIME_WAIT is blamed, and neither has them nor had them. */
static bool ports_contradict(const struct said *s, const char **which)
{
	unsigned long long used, limit, tw, fin, open, percent, then, ports, minis;
	const char *p = strstr(s->all, "the ports: ");
	bool blamed = false;

	*which = p;
	if (!p || sscanf(p, "the ports: %llu of %llu taken (%llu %%): %llu by TIME_WAIT, %llu by FIN_WAIT2, %llu by",
			 &used, &limit, &percent, &tw, &fin, &open) != 6)
		return false;
	if (used < tw + fin + open)
		return true;
	if (strcmp(s->verdict, "ports_exhausted"))
		return false;
	blamed = 20 * used >= 19 * limit && tw + fin >= open;
	p = strstr(s->all, "when it failed last, ");
	if (!blamed && p && sscanf(p, "when it failed last, %llu of %llu ports were taken: %llu by",
				   &then, &ports, &minis) == 3)
		blamed = 20 * then >= 19 * ports && 2 * minis >= then;
	return !blamed;
}

static const char *differ(char *why, size_t size, const char *what, const struct said *a, const char *which)
{
	snprintf(why, size, "%s, %s: %.120s", a->verdict, what, which);
	return why;
}

static const char *wrong_number(const struct said *s, char *why, size_t size)
{
	const char *which = s->all;

	if (too_many(s->all, &which))
		return differ(why, size, "more than there are", s, which);
	if (more_than_all(s->all, &which))
		return differ(why, size, "more than all", s, which);
	if (none_can_come(s->all, &which))
		return differ(why, size, "more than have arrived", s, which);
	if (ports_contradict(s, &which))
		return differ(why, size, "ports", s, which);
	return NULL;
}

/* What b recommends does not help, as a says. */
static const char *wrong_knob(const struct said *a, const struct said *b, char *why, size_t size)
{
	const char *no, *yes;
	size_t i;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		const struct knob *k = &knobs[i];

		no = any_of(a->all, k->no);
		yes = any_of(b->all, k->yes);
		if (!no || !yes || strcmp(k->of_listener ? a->listener : a->subject,
					  k->of_listener ? b->listener : b->subject))
			continue;
		snprintf(why, size, "%s: %s says \"%s\", %s says \"%s\"", k->name, a->verdict, no, b->verdict, yes);
		return why;
	}
	return NULL;
}

static bool all_is_well(const struct said *s)
{
	return !strcmp(s->verdict, "nothing_wrong") || !strcmp(s->verdict, "no_listener");
}

/*
 * numbers: they are of a kernel, so they have to fit each other.  Return: what contradicts what, in why;
 * NULL: nothing does.
 */
static inline const char *contradiction(const struct said *s, size_t n, bool numbers, char *why, size_t size)
{
	const char *found;
	size_t i, j;

	for (i = 0; i < n; i++) {
		found = numbers ? wrong_number(&s[i], why, size) : NULL;
		if (found)
			return found;
		if (i && s[i].severity < s[i - 1].severity)
			return differ(why, size, "after one that is less severe", &s[i], s[i - 1].verdict);
		for (j = 0; j < n; j++) {
			if (all_is_well(&s[i]) && s[j].severity <= 1)
				return differ(why, size, "beside", &s[i], s[j].verdict);
			if (i < j && !strcmp(s[i].verdict, s[j].verdict) && !strcmp(s[i].subject, s[j].subject))
				return differ(why, size, "said twice of the same", &s[i], s[i].subject);
			found = wrong_knob(&s[i], &s[j], why, size);
			if (found)
				return found;
		}
	}
	return NULL;
}

#endif /* TESTS_CONSISTENT_H */
