/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections on a page, with their ladders: those that tcpfsm top lists, by its model of them.  So many of each,
 * however many there are.
 */
#ifndef TCPFSM_SERVE_CONNS_H
#define TCPFSM_SERVE_CONNS_H

#include "tcpfsm.h"
#include "../show/out.h"
#include "../show/top.h"

struct conns {
	struct top top;
	struct tcpfsm_model *model;	/* of the caller: that it is fed from, and has lives */
};

/* Return: 0 or -ENOMEM.  Records go to top_feed(), then events of the model to top_event(). */
int conns_new(struct conns *c, struct tcpfsm_model *model, const struct tcpfsm_filter *filter, int64_t epoch_offset);
/* Looks at some more of those that are there; all: at all of them. */
void conns_look(struct conns *c, bool all);
/* "connections", an array, the newest change of state first, and how many there are. */
void conns_json(struct conns *c, struct json *j);
/**
 * conns_ladder() - a connection as a picture
 * @conn: socket cookie
 *
 * Return: 0; -ENOENT: nothing has happened to it in what is kept; or another negative errno.
 */
int conns_ladder(struct conns *c, uint64_t conn, struct out_text *svg);
void conns_free(struct conns *c);

#endif /* TCPFSM_SERVE_CONNS_H */
