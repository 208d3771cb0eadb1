/* SPDX-License-Identifier: GPL-2.0-only */
/* What explain found, kept for the tests of its rules. */
#ifndef TESTS_FINDINGS_H
#define TESTS_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpfsm.h"

#define MAX_FOUND	64

static struct found {
	char verdict[32], all[12288], remedy[4096], text[512];
	struct tcpfsm_finding f;	/* its texts are gone */
} found[MAX_FOUND];
static unsigned int nfound;

static void append(char *to, size_t size, const char *s)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "%s\n", s);
}

static void keep_finding(const struct tcpfsm_finding *f)
{
	struct found *to = &found[nfound];
	size_t i;

	if (nfound == MAX_FOUND)
		return;
	memset(to, 0, sizeof(*to));
	nfound++;
	to->f = *f;
	snprintf(to->verdict, sizeof(to->verdict), "%s", f->verdict);
	snprintf(to->remedy, sizeof(to->remedy), "%s", f->remedy);
	snprintf(to->text, sizeof(to->text), "%s", f->text);
	append(to->all, sizeof(to->all), f->text);
	for (i = 0; i < f->nevidence; i++)
		append(to->all, sizeof(to->all), f->evidence[i]);
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

#endif /* TESTS_FINDINGS_H */
