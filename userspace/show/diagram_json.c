// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm diagram --json: states, and each kind of transition. */
#include <inttypes.h>

#include "diagram.h"
#include "out.h"

uint64_t diagram_sockets(const struct diagram *d)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < DIAGRAM_STATES; i++)
		sum += d->population[i];
	return sum;
}

void diagram_json(struct out *o, const struct diagram *d, uint64_t ts)
{
	const char *sep = "";
	unsigned int old, new, cause;

	out_printf(o, "{\"ts\":%" PRIu64 ",\"ts_ms\":%" PRIu64 ".%03u,\"event\":\"diagram\",\"transitions\":%" PRIu64
		   ",\"lost\":%" PRIu64 ",\"states\":{", ts, ts / 1000000, (unsigned int)(ts / 1000 % 1000), d->all.n, d->lost);
	for (old = TCPFSM_STATE_ESTABLISHED; old <= TCPFSM_STATE_CLOSING; old++) {
		if (old == TCPFSM_STATE_CLOSE)
			continue;
		out_printf(o, "%s\"%s\":%" PRIu64, sep, tcpfsm_state_name(old), d->population[old]);
		sep = ",";
	}
	out_printf(o, "},\"arrows\":[");
	sep = "";
	for (old = 0; old < DIAGRAM_STATES; old++) {
		for (new = 0; new < DIAGRAM_STATES; new++) {
			for (cause = 0; cause < DIAGRAM_CAUSES; cause++) {
				if (!d->count[old][new][cause])
					continue;
				out_printf(o, "%s{\"old\":\"%s\",\"new\":\"%s\",\"cause\":\"%s\","
					   "\"count\":%" PRIu64 "}", sep, tcpfsm_state_name(old),
					   tcpfsm_state_name(new), tcpfsm_cause_name(cause),
					   d->count[old][new][cause]);
				sep = ",";
			}
		}
	}
	out_printf(o, "]}");
}
