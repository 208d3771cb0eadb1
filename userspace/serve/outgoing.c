// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "outgoing.h"

static struct outgoing *row_of(struct outgoings *all, uint32_t netns, const char *comm)
{
	struct outgoing *o;

	for (o = all->of; o < all->of + all->n; o++)
		if (o->netns == netns && !strncmp(o->comm, comm, 16))
			return o;
	if (all->n >= OUTGOING_MAX && (netns || *comm))
		return row_of(all, 0, "");
	o = &all->of[all->n++];
	o->netns = netns;
	memcpy(o->comm, comm, strnlen(comm, 16));
	return o;
}

void outgoing_add(struct outgoings *all, const struct tcpfsm_connect *c)
{
	const struct tcpfsm_connect_counts *n = &c->recent;
	struct outgoing *o;
	unsigned int i;

	if (!n->established && !n->failed && !n->given_up)
		return;
	o = row_of(all, c->rest ? 0 : c->netns, c->has_owner && !c->rest ? c->comm : "");
	o->established += n->established;
	o->given_up += n->given_up;
	for (i = 0; i < TCPFSM_CONNECT_ERRORS; i++)
		o->failed[i] += n->by_errno[i];
}
