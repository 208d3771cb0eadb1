// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that no module writes: heads that jump, slots with anything in them, words that
 * change between two loads.  A reader must stay inside, come to an end, and count.
 */
#include <stdlib.h>
#include <string.h>

#include "hostile_barrier.h"
#include "fuzz.h"
#include "../unit/ring_writer.h"
#include "../../userspace/lib/source/source.h"

#define RINGS_MAX	4

static struct ring_writer writers[RINGS_MAX];
static struct ring_reader readers[RINGS_MAX];
static const struct patch *lies;
static size_t nlies;
static uint32_t loads;
static bool lying;

/* Aligned and inside the rings: the sanitizer tells of the latter. */
uint64_t hostile_load(const ring_word *p)
{
	const struct patch *lie = &lies[loads % 7];

	REQUIRE(!((uintptr_t)p & 7));
	loads++;
	if (!lying || loads % 7 >= nlies || loads % (1 + lie->n % 64))
		return *p;
	switch (lie->op % 4) {
	case 0:
		return lie->value;
	case 1:
		return *p + lie->offset;
	case 2:
		return *p - lie->offset % 256;
	}
	return *p ^ 1ULL << lie->file % 64;
}

/* Whatever is there; it must end. */
static void drain(struct tcpfsm_source *src, struct chain *c, size_t max)
{
	const struct tcpfsm_item *item;
	size_t n = 0;

	while (tcpfsm_source_next(src, &item) > 0) {
		REQUIRE(++n < 100000);
		chain_item(c, item);
		if (n == max)
			break;
	}
}

static void unit(struct tcpfsm_source *src, struct chain *c, const struct tcpfsm_record *rec,
		 unsigned int nrings)
{
	struct unit_tag tag = tag_of(rec);
	struct ring_writer *w = &writers[tag.stream % nrings];
	struct tcpfsm_record *slot = &w->slots[tag.slot % w->nslots];
	struct tcpfsm_record *totals;

	switch (tag.op % 16) {
	case 8:
		drain(src, c, SIZE_MAX);
		break;
	case 9:
		drain(src, c, 1 + tag.slot % 8);
		break;
	case 10:
		w->hdr->head = rec->conn;
		break;
	case 11:
		w->hdr->head += (uint64_t)(int64_t)(int16_t)tag.slot;
		break;
	case 12:
		*slot = *rec;
		slot->seq = rec->listener;
		break;
	case 13:
		slot->seq = readers[tag.stream % nrings].cursor + 1 + tag.lost % 4;
		break;
	case 14:
		lying = tag.slot & 1;
		break;
	case 15:
		totals = malloc(sizeof(*totals));
		*totals = *rec;
		totals->type = TCPFSM_TYPE_TOTAL;
		source_put_totals(src, totals, 1);
		break;
	default:
		writer_put(w, rec);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input in;
	struct tcpfsm_source *src;
	unsigned int nrings, i;
	struct chain *c;

	if (!input_parse(&in, data, size))
		return 0;
	lies = in.h.patch;
	nlies = in.h.npatches % 8;
	loads = 0;
	lying = false;
	nrings = 1 + in.h.what % RINGS_MAX;
	for (i = 0; i < nrings; i++) {
		writer_init(&writers[i], 2U << in.h.what / RINGS_MAX % 6, i);
		writers[i].hdr->head = in.h.seed & 1 ? in.h.epoch_offset : 0;
		lying = in.h.seed & 2;
		REQUIRE(!writer_attach(&writers[i], &readers[i], in.h.seed & 4));
	}
	REQUIRE(!source_open_rings(&src, readers, nrings, 0, (int64_t)in.h.epoch_offset));
	c = chain_new(&in);
	for (i = 0; i < in.n; i++)
		unit(src, c, &in.rec[i], nrings);
	drain(src, c, SIZE_MAX);
	/* The memory holds still now: twice in a row there is nothing more. */
	lying = false;
	drain(src, c, SIZE_MAX);
	drain(src, c, SIZE_MAX);
	chain_free(c);
	for (i = 0; i < nrings; i++) {
		REQUIRE(readers[i].cursor >= readers[i].start);
		REQUIRE(readers[i].lost <= readers[i].cursor - readers[i].start);
		writer_free(&writers[i]);
	}
	tcpfsm_source_close(src);
	return 0;
}
