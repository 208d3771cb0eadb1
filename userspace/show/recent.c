// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "recent.h"

int recent_new(struct recent *r, bool live, bool again)
{
	int err = 0, i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < 1 + again && !err; i++) {
		err = tcpfsm_listeners_new(&r->ls[i]);
		if (!err)
			tcpfsm_listeners_live(r->ls[i], live);
	}
	return err;
}

int recent_item(struct recent *r, const struct tcpfsm_item *item)
{
	int err = 0, i;

	for (i = 0; i < 2 && r->ls[i] && !err; i++) {
		err = tcpfsm_listeners_item(r->ls[i], item);
		if (item->lost || item->rec.type != TCPFSM_TYPE_TOTAL)
			continue;
		r->last_ts = item->rec.ts;
		if (!r->first_ts[i])
			r->first_ts[i] = item->rec.ts;
	}
	return err;
}

void recent_move_on(struct recent *r, uint64_t ns)
{
	struct tcpfsm_listeners *ls = r->ls[0];

	if (!r->ls[1] || r->last_ts - r->first_ts[1] < ns)
		return;
	tcpfsm_listeners_rebase(ls);
	r->ls[0] = r->ls[1];
	r->ls[1] = ls;
	r->first_ts[0] = r->first_ts[1];
	r->first_ts[1] = r->last_ts;
}

void recent_free(struct recent *r)
{
	tcpfsm_listeners_free(r->ls[0]);
	tcpfsm_listeners_free(r->ls[1]);
	memset(r, 0, sizeof(*r));
}
