/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share: an input is a header and records, all units of 128 bytes, so
 * that mutation gets deep: the mutator knows the fields and keeps the units whole.
 */
#ifndef TCPFSM_FUZZ_H
#define TCPFSM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

#define UNIT		sizeof(struct tcpfsm_record)
#define UNITS_MAX	97

/* Damage to a file of a recording, or loads of a ring that lie. */
struct patch {
	uint8_t file, op;
	uint16_t n;
	uint32_t offset;
	uint64_t value;
};

struct header {
	uint8_t what;			/* command, or number of rings and slots */
	uint8_t flags;			/* FLAG_* */
	uint8_t npatches, max;
	uint8_t seed, sort, top, family;
	struct patch patch[7];
	uint64_t epoch_offset;
};

#define FLAG_JSON	0x01
#define FLAG_RAW	0x02
#define FLAG_WIDE	0x04
#define FLAG_LIVES	0x08
#define FLAG_WATCH	0x10
#define FLAG_SMALL	0x20		/* tables of a few places */
#define FLAG_FILTER	0x40
#define FLAG_EXTRA	0x80		/* --svg, --histogram; in-process: top */

/* In the place of a record's seq, which its reader or writer has to know. */
struct unit_tag {
	uint8_t stream, op;
	uint16_t slot;
	uint32_t lost;			/* records, before this one */
};

_Static_assert(sizeof(struct header) == UNIT, "the header is a unit");
_Static_assert(sizeof(struct unit_tag) == sizeof(uint64_t), "a tag is a seq");

struct input {
	struct header h;
	struct tcpfsm_record rec[UNITS_MAX];
	size_t n;
};

/* False: too short to mean anything. */
int input_parse(struct input *in, const uint8_t *data, size_t size);
struct unit_tag tag_of(const struct tcpfsm_record *rec);
void input_filter(const struct input *in, struct tcpfsm_filter *f);

/* Everything between a source and what is shown, in this process; chain.c. */
struct chain;
struct chain *chain_new(const struct input *in);
void chain_item(struct chain *c, const struct tcpfsm_item *item);
void chain_free(struct chain *c);

/* Says why, and dies: for what is wrong without a sanitizer's seeing it. */
#define REQUIRE(cond) ((cond) ? (void)0 : require_failed(#cond, __FILE__, __LINE__))
void require_failed(const char *what, const char *file, int line);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *out, size_t max, unsigned int seed);

#endif /* TCPFSM_FUZZ_H */
