/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording as a page at any time of it: it is read to that time, and from its beginning again to go back.
 * Times are microseconds since its first record.
 */
#ifndef TCPFSM_SERVE_REPLAY_H
#define TCPFSM_SERVE_REPLAY_H

#include <signal.h>

#include "tcpfsm.h"
#include "../show/out.h"

struct replay;

struct replay_options {
	const char *dir;
	const struct tcpfsm_filter *filter;	/* NULL: none */
	const volatile sig_atomic_t *interrupted;
};

/**
 * replay_open() - read it to its end
 * @opts: and what it points to stays the caller's, until the end
 * @info: as tcpfsm_follow_open() has it; stays the caller's, too
 * @why: if it cannot be opened, in words
 *
 * One that is damaged is read as far as that: replay_error().  Return: 0 or a negative errno; -EINTR: interrupted.
 */
int replay_open(struct replay **r, const struct replay_options *opts, struct tcpfsm_info *info, const char **why);
/* How long it is. */
uint64_t replay_span(const struct replay *r);
/* What is wrong with it; NULL: nothing. */
const char *replay_error(const struct replay *r);
struct tcpfsm_source *replay_source(const struct replay *r);
/* The page's data at that time, replay_span() at most. */
int replay_data(struct replay *r, uint64_t at, struct out_text *text);
/* As conns_ladder(), at that time. */
int replay_ladder(struct replay *r, uint64_t at, uint64_t conn, struct out_text *svg);
void replay_close(struct replay *r);

#endif /* TCPFSM_SERVE_REPLAY_H */
