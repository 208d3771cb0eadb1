/* SPDX-License-Identifier: GPL-2.0 */
/* After losses the sockets are read again: when, and what is said about it. */
#ifndef TCPFSM_SHOW_RESYNC_H
#define TCPFSM_SHOW_RESYNC_H

#include <stdbool.h>

#include "source/item.h"
#include "tcpfsm.h"

#define RESYNC_TEXT	160

/*
 * After a loss the sockets are read again.  Best when there is nothing else to read; but
 * where losses go on, there always is.
 */
struct resync {
	bool possible;
	bool wanted;			/* records were lost since the last one began */
	uint64_t since;			/* the first of these */
	uint64_t begun, next;		/* the last one, and when the next one may be; 0: none */
	uint64_t told;			/* until then, once is enough */
};

/* Return: that of tcpfsm_source_resync(). */
int resync_begin(struct resync *r, struct tcpfsm_source *src);
/* The first item of each batch.  True: a resync is over, and text shall be told. */
bool resync_look(struct resync *r, const struct tcpfsm_item *item, char text[RESYNC_TEXT]);
/* When one is due, in milliseconds from now, at most ms.  Quiet: nothing else to read. */
int resync_due(const struct resync *r, bool quiet, int ms);

#endif /* TCPFSM_SHOW_RESYNC_H */
