/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What the rules about a listener and its queues have in common.
 *
 * Each rule says in its comment when it holds.  "Ever" is since the totals began,
 * "now" what came while they were observed; a rule judges now, if there is
 * enough of it, else ever.  What holds only for ever is told in the past tense.
 *
 * The limits are those of the running kernel: both queues are measured by the
 * listener's backlog, min(listen(N), net.core.somaxconn).  tcp_max_syn_backlog
 * is compared with nothing unless tcp_syncookies is 0.
 */
#ifndef TCPFSM_LIB_EXPLAIN_QUEUE_H
#define TCPFSM_LIB_EXPLAIN_QUEUE_H

#include "explain.h"

/* Peak of a queue, share of its places, that is worth telling. */
#define BURST_PEAK	0.5

static inline uint64_t sum(const uint64_t *v, unsigned int index, unsigned int n)
{
	return tcpfsm_totals_sum(v, index, n);
}

static inline double quantile_s(const uint64_t *v, unsigned int index, double q)
{
	return (double)tcpfsm_histogram_quantile(v + index, q) / 1e6;
}

/* Critical if it goes on, else a warning. */
void judge_as(struct draft *d, const struct refused *r);
/* ", 12 of them in the 10 s observed" */
struct words while_observed(const struct facts *f, uint64_t now);
/* When a kind of refusal was first and last seen. */
void refused_between(const struct facts *f, enum side side, uint64_t *first, uint64_t *last);
/* "since when: @what first 14:02:11 (3 min ago)", or between when and when */
void evidence_when(const struct facts *f, struct draft *d, enum side side, const char *what);
/* "192.0.2.1", "192.0.2.0/24" */
const char *source_name(const struct source_share *s, char buf[64]);
/* Which clients sent SYNs, or had them refused; of a sample. */
void evidence_clients(const struct facts *f, struct draft *d, bool refused);
/* How the limit came about. */
void evidence_limit(const struct facts *f, struct draft *d);
/* Where a well-known server keeps the number it gives to listen(); NULL: not known. */
const char *backlog_setting(const struct facts *f);
/* To raise the limit of both queues to at least n. */
void raise_backlog(const struct facts *f, struct draft *d, uint64_t n);
/* A backlog with which that queue would have refused nobody, as far as can be told. */
uint64_t wanted_backlog(const struct facts *f, const struct replayed *p, enum side side);
/* What another limit would have come to; slow: it would be no cure. */
void evidence_replay(const struct facts *f, struct draft *d, const struct replayed *p, enum side side, bool slow);

/* ---- explain_accept.c ------------------------------------------------------------ */

/*
 * Does the accept queue stand, which no limit cures?  Third ACKs that meet it full keep their
 * places in the SYN queue, which has the same limit.
 */
bool stands_for_acceptq(const struct facts *f);

#endif /* TCPFSM_LIB_EXPLAIN_QUEUE_H */
