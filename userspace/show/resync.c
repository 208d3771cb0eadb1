// SPDX-License-Identifier: GPL-2.0-only
/* After losses the sockets are read again: when, and what is said about it. */
#include <stdio.h>
#include <string.h>

#include "resync.h"
#include "source/clock.h"

/* So often at most, and then so much of all time. */
#define EVERY_NS	NSEC_PER_SEC
#define SHARE		10
/* Losses after so long without one are told of again. */
#define EPISODE_NS	(10 * NSEC_PER_SEC)

int resync_begin(struct resync *r, struct tcpfsm_source *src)
{
	r->wanted = false;
	r->begun = monotonic_ns();
	return tcpfsm_source_resync(src);
}

static bool ends(struct resync *r, uint8_t err, char text[RESYNC_TEXT])
{
	uint64_t now = monotonic_ns(), took = now - r->begun;
	bool told = r->since < r->told;

	if (err)
		snprintf(text, RESYNC_TEXT, "records were lost, and not all sockets could be read again: %s",
			 strerror(err));
	else
		snprintf(text, RESYNC_TEXT, "records were lost: sockets read again from inet_diag in %.1f ms",
			 (double)took / 1e6);
	r->next = now + (took > EVERY_NS / SHARE ? took * SHARE : EVERY_NS);
	r->told = now + EPISODE_NS;
	r->begun = 0;
	return !told;
}

bool resync_look(struct resync *r, const struct tcpfsm_item *item, char text[RESYNC_TEXT])
{
	if (item->lost && r->possible && !r->wanted) {
		r->wanted = true;
		r->since = monotonic_ns();
	} else if (r->begun && !item->lost && item->rec.type == TCPFSM_TYPE_SOCKET &&
		   !item->rec.conn && item->rec.snd == TCPFSM_RESYNC_END) {
		return ends(r, item->rec.arg, text);
	}
	return false;
}

int resync_due(const struct resync *r, bool quiet, int ms)
{
	uint64_t at = quiet ? 0 : r->since + EVERY_NS, now;

	if (!r->wanted)
		return ms;
	if (at < r->next)
		at = r->next;
	now = monotonic_ns();
	if (at <= now)
		return 0;
	at = (at - now) / (NSEC_PER_SEC / 1000) + 1;
	return at < (uint64_t)ms ? (int)at : ms;
}
