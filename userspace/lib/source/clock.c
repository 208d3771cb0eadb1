// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int64_t clock_timens_offset(void)
{
	long long sec, nsec;
	int64_t off = 0;
	char name[32];
	FILE *f;

	f = fopen("/proc/self/timens_offsets", "re");
	if (!f)
		return 0;
	while (fscanf(f, "%31s %lld %lld", name, &sec, &nsec) == 3)
		if (!strcmp(name, "monotonic"))
			off = sec * (int64_t)NSEC_PER_SEC + nsec;
	fclose(f);
	return off;
}

bool clock_has_stepped(int64_t timens, int64_t *offset)
{
	int64_t best = INT64_MAX, now = *offset;
	unsigned int i;

	/* Who is preempted between them reads two clocks at two times: the quickest of some counts. */
	for (i = 0; i < 5; i++) {
		uint64_t before = monotonic_ns();
		int64_t seen = (int64_t)(realtime_ns() - before) + timens;
		int64_t took = (int64_t)(monotonic_ns() - before);

		if (took < best) {
			best = took;
			now = seen;
		}
		if (llabs(now - *offset) < CLOCK_STEP_NS)
			return false;
	}
	if (llabs(now - *offset) < CLOCK_STEP_NS + best)
		return false;
	*offset = now;
	return true;
}
