/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What somebody should read later: findings that begin, change and end, clients that were refused and connects that
 * failed, each the first time at once and then as a count each ten seconds.  To the journal of systemd, with
 * fields, or as JSON lines.  No more than JOURNAL_LINES in ten seconds: what is left out is counted there, too.
 */
#ifndef TCPFSM_SERVE_JOURNAL_H
#define TCPFSM_SERVE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpfsm.h"
#include "../show/out.h"

#define JOURNAL_LINES	100
#define JOURNAL_NS	(10 * NSEC_PER_SEC)

struct journal;

/* Is what goes to stderr the journal's (JOURNAL_STREAM)?  Then it wants fields, not lines. */
bool journal_is_stderr(void);
/* o: JSON lines go there; NULL: to the journal.  filter: of whom is told, NULL: all.  Return: NULL: no memory. */
struct journal *journal_new(struct out *o, const struct tcpfsm_filter *filter);
/* Each finding of a judgement; then that these were all, at now (epoch).  Return: 0 or a negative errno. */
int journal_finding(struct journal *j, const struct tcpfsm_finding *f);
int journal_judged(struct journal *j, uint64_t now);
/* After a reading of totals.  The first one is what was before, of which nothing is told. */
int journal_listeners(struct journal *j, struct tcpfsm_listeners *ls, uint64_t now);
/* A row of destinations: what is recent. */
int journal_connect(struct journal *j, const struct tcpfsm_connect *c, uint64_t now);
/* The module has gone: listeners and findings that come are new ones. */
void journal_forget(struct journal *j);
void journal_free(struct journal *j);

#endif /* TCPFSM_SERVE_JOURNAL_H */
