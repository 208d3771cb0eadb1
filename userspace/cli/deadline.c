// SPDX-License-Identifier: GPL-2.0-only
/* When to stop reading. */
#include <stdlib.h>

#include "cli.h"

/* A live source may hold back what is younger than a few milliseconds. */
#define GRACE_NS	(20 * (NSEC_PER_SEC / 1000))
/* Less is the noise of reading two clocks; time namespaces differ by more. */
#define SKEW_MIN_NS	(NSEC_PER_SEC / 10)

void deadline_init(struct deadline *d, const struct options *opts,
		   const struct tcpfsm_source *src)
{
	uint64_t now = monotonic_ns();

	*d = (struct deadline) {
		.at = UINT64_MAX,
		.length = opts->duration,
		.replay = opts->replay,
	};
	if (d->replay)
		return;
	if (src)
		d->skew = (int64_t)(realtime_ns() - now) -
			  tcpfsm_source_epoch_offset(src);
	if (llabs(d->skew) < (int64_t)SKEW_MIN_NS)
		d->skew = 0;
	if (d->length != UINT64_MAX)
		d->at = now + (uint64_t)d->skew + d->length;
}

/* A signal came, or a recording begins: the end may be another. */
static void deadline_update(struct deadline *d, uint64_t ts)
{
	uint64_t now;

	if (d->replay && !d->begun && d->length != UINT64_MAX)
		d->at = ts + d->length;
	d->begun = true;
	if (!interrupted || d->stopped)
		return;
	d->stopped = true;
	now = d->replay ? 0 : monotonic_ns() + (uint64_t)d->skew;
	if (now < d->at)
		d->at = now;
}

static uint64_t time_of(const struct tcpfsm_item *item)
{
	return item->lost ? item->to_ts : item->rec.ts;
}

size_t deadline_count(struct deadline *d, const struct tcpfsm_item *items, size_t n)
{
	size_t i;

	if (interrupted || !d->begun)
		deadline_update(d, time_of(&items[0]));
	if (time_of(&items[n - 1]) <= d->at)
		return n;
	for (i = 0; i < n && time_of(&items[i]) <= d->at; i++)
		;
	return i;
}

bool deadline_over(struct deadline *d)
{
	bool last = d->last_round;

	deadline_update(d, 0);
	if (d->at == UINT64_MAX || monotonic_ns() + (uint64_t)d->skew < d->at + GRACE_NS)
		return false;
	/* What the source said may be from before; ask it once more. */
	d->last_round = true;
	return last;
}

int deadline_sleep(const struct deadline *d, int max_ms)
{
	uint64_t now = monotonic_ns() + (uint64_t)d->skew, left;

	if (d->last_round)
		return 0;
	if (d->at == UINT64_MAX)
		return max_ms;
	left = d->at + GRACE_NS > now ? d->at + GRACE_NS - now : 0;
	left = left / (NSEC_PER_SEC / 1000) + 1;
	return left < (uint64_t)max_ms ? (int)left : max_ms;
}
