// SPDX-License-Identifier: GPL-2.0-only
/* Records with anything in them, and gaps, through all that makes sense of them. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input in;
	struct chain *c;
	size_t i;

	if (!input_parse(&in, data, size))
		return 0;
	c = chain_new(&in);
	for (i = 0; i < in.n; i++) {
		struct tcpfsm_item item = { .rec = in.rec[i] };
		struct unit_tag tag = tag_of(&in.rec[i]);

		item.cpu = tag.stream;
		item.rec.seq = i + 1;
		if (tag.lost) {
			struct tcpfsm_item gap = {
				.cpu = tag.stream, .lost = tag.lost,
				.from_ts = i ? in.rec[i - 1].ts : 0, .to_ts = item.rec.ts,
			};

			chain_item(c, &gap);
		}
		chain_item(c, &item);
	}
	chain_free(c);
	return 0;
}
