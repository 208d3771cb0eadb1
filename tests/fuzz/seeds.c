// SPDX-License-Identifier: GPL-2.0-only
/* seeds DIR NAME OUT: inputs of the fuzzers from the recording DIR, as files OUT/NAME-N. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define PIECE	64
#define PIECES	24

static struct header header(unsigned int n)
{
	static const uint8_t flags[] = {
		0, FLAG_JSON, FLAG_LIVES, FLAG_LIVES | FLAG_WATCH | FLAG_EXTRA, FLAG_EXTRA,
		FLAG_SMALL, FLAG_RAW, FLAG_FILTER, FLAG_WIDE | FLAG_JSON, FLAG_SMALL | FLAG_LIVES,
	};
	struct header h = {
		.what = (uint8_t)n, .flags = flags[n % sizeof(flags)], .max = 20,
		.epoch_offset = 1700000000ULL * 1000000000,
	};

	/* Its damage is only done when there are patches; the first units are headers. */
	h.npatches = n % 3 == 2;
	h.patch[0] = (struct patch) { .file = (uint8_t)n, .op = (uint8_t)(n / 3), .offset = n * 37,
				      .value = n, .n = (uint16_t)n };
	return h;
}

int main(int argc, char **argv)
{
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	unsigned int n = 0, k = 0;
	const char *why;
	char path[4096];
	FILE *f = NULL;

	if (argc != 4 || tcpfsm_source_open_recording(&src, argv[1], &why)) {
		fprintf(stderr, "usage: seeds RECORDING NAME OUT\n");
		return 1;
	}
	while (n <= PIECES && tcpfsm_source_next(src, &item) > 0) {
		struct tcpfsm_record rec = item->rec;
		struct unit_tag tag = { .stream = (uint8_t)item->cpu };
		struct header h = header(n);

		if (item->lost)
			continue;
		if (!(k++ % PIECE)) {
			if (f)
				fclose(f);
			snprintf(path, sizeof(path), "%s/%s-%u", argv[3], argv[2], n++);
			f = fopen(path, "w");
			if (!f || fwrite(&h, UNIT, 1, f) != 1)
				return 1;
		}
		/* Rings: read now and then. */
		if (k % 8 == 0)
			tag.op = 8;
		memcpy(&rec.seq, &tag, sizeof(tag));
		fwrite(&rec, UNIT, 1, f);
	}
	if (f)
		fclose(f);
	tcpfsm_source_close(src);
	return 0;
}
