/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings as text: what is wrong, why, and what helps. */
#ifndef TCPFSM_SHOW_EXPLAIN_H
#define TCPFSM_SHOW_EXPLAIN_H

#include <stdbool.h>

#include "out.h"
#include "tcpfsm.h"

/* Findings one after the other; what the last one has said is not said again. */
struct explain_text {
	struct out *out;
	bool verbose;			/* evidence, all there is to do, costs; else two lines */
	unsigned int n;			/* findings shown */
	uint64_t conn;			/* whose the last one was, and what was said of it */
	uint32_t netns;
	uint16_t rport;
	uint8_t raddr[16];
	size_t nsaid, room;
	char **said;
};

void explain_text_finding(struct explain_text *t, const struct tcpfsm_finding *f);
void explain_text_end(struct explain_text *t);
/* One replay. */
void explain_text_what_if(struct out *o, const struct tcpfsm_what_if *w);
/* "TEXT: COMMAND", or "TEXT"; cut to size. */
void explain_text_action(const struct tcpfsm_action *a, char *buf, size_t size);
/* All of them, verbose.  Return: 0 or -ENOMEM. */
int explain_text(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls, struct out *o);

#endif /* TCPFSM_SHOW_EXPLAIN_H */
