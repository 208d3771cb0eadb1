// SPDX-License-Identifier: GPL-2.0-only
/* Inputs of the fuzzers: how they are read, and how they are changed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Of main.c, which is not here. */
extern volatile sig_atomic_t interrupted;
volatile sig_atomic_t interrupted;
void catch_signals(void);
void catch_signals(void)
{
}

void require_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

int input_parse(struct input *in, const uint8_t *data, size_t size)
{
	if (size < UNIT)
		return 0;
	memcpy(&in->h, data, UNIT);
	in->n = size / UNIT - 1;
	if (in->n > UNITS_MAX)
		in->n = UNITS_MAX;
	memcpy(in->rec, data + UNIT, in->n * UNIT);
	return 1;
}

struct unit_tag tag_of(const struct tcpfsm_record *rec)
{
	struct unit_tag tag;

	memcpy(&tag, &rec->seq, sizeof(tag));
	return tag;
}

/* Of what is in the input, or nothing would pass. */
void input_filter(const struct input *in, struct tcpfsm_filter *f)
{
	*f = (struct tcpfsm_filter) { .size = sizeof(*f) };
	if (!(in->h.flags & FLAG_FILTER) || !in->n)
		return;
	f->family = in->h.family % 3 * 2;
	if (f->family == 2)
		f->family = 6;
	if (in->h.top & 1) {
		f->lport[0] = in->rec[in->h.seed % in->n].lport;
		f->nlport = 1;
	}
	if (in->h.top & 2) {
		f->rport[0] = in->rec[in->h.seed % in->n].rport;
		f->nrport = 1;
	}
	if (in->h.top & 4)
		f->pid = in->rec[in->h.seed % in->n].pid;
	if (in->h.top & 8)
		f->netns = in->rec[in->h.seed % in->n].netns;
	if (in->h.top & 16)
		f->states = 1U << in->h.sort % 16;
	if (in->h.top & 32)
		f->causes = 1U << in->h.sort % 20;
}

/* ---- mutation ------------------------------------------------------------------- */

static uint64_t state;

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

#define FIELD(m) { offsetof(struct tcpfsm_record, m), sizeof(((struct tcpfsm_record *)0)->m) }

static const struct { uint16_t at, size; } fields[] = {
	FIELD(seq), FIELD(ts), FIELD(type), FIELD(family), FIELD(old_state), FIELD(new_state), FIELD(flags),
	FIELD(verdict), FIELD(reason), FIELD(arg), FIELD(conn), FIELD(listener), FIELD(netns),
	FIELD(lport), FIELD(rport), FIELD(laddr), FIELD(raddr), FIELD(snd), FIELD(rcv), FIELD(tw),
	FIELD(tw_max), FIELD(synq), FIELD(acceptq), FIELD(backlog), FIELD(pid), FIELD(comm),
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

static void mutate_field(uint8_t *units, size_t n)
{
	size_t f = rnd(NFIELDS), size = fields[f].size;
	uint8_t *to = units + rnd(n) * UNIT + fields[f].at;
	uint64_t v = 0;

	memcpy(&v, to, size < 8 ? size : 8);
	switch (rnd(6)) {
	case 0:
		memcpy(to, units + rnd(n) * UNIT + fields[f].at, size);
		return;
	case 1:
		LLVMFuzzerMutate(to, size, size);
		return;
	case 2:
		v = rnd(16);
		break;
	case 3:
		v = (1ULL << rnd(64)) - rnd(2);
		break;
	case 4:
		v += rnd(7) - 3;
		break;
	case 5:	/* TOTAL: an index; times: seconds */
		v += f == 1 ? rnd(120) * 1000000000 : rnd(320);
		break;
	}
	memcpy(to, &v, size < 8 ? size : 8);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	uint8_t *units = data + UNIT;
	size_t n, i, room = max / UNIT - 1, rounds;

	state = seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
	if (max < 2 * UNIT)
		return LLVMFuzzerMutate(data, size, max);
	if (size < 2 * UNIT) {
		memset(data + size, 0, 2 * UNIT - size);
		size = 2 * UNIT;
	}
	n = size / UNIT - 1;
	for (rounds = 1 + rnd(4); rounds; rounds--) {
		switch (rnd(12)) {
		case 0:		/* another command, other options */
			if (rnd(2)) {
				data[0] = (uint8_t)rnd(256);
				data[1] = (uint8_t)rnd(256);
			} else {
				LLVMFuzzerMutate(data, UNIT, UNIT);
			}
			break;
		case 1:
			if (n < room) {
				i = rnd(n);
				memmove(units + (i + 1) * UNIT, units + i * UNIT, (n - i) * UNIT);
				n++;
			}
			break;
		case 2:
			if (n > 1) {
				i = rnd(n);
				n--;
				memmove(units + i * UNIT, units + (i + 1) * UNIT, (n - i) * UNIT);
			}
			break;
		case 3: {
			uint8_t unit[UNIT], *a = units + rnd(n) * UNIT, *b = units + rnd(n) * UNIT;

			memcpy(unit, a, UNIT);
			memmove(a, b, UNIT);
			memcpy(b, unit, UNIT);
			break;
		}
		case 4: {
			uint8_t *u = units + rnd(n) * UNIT;

			LLVMFuzzerMutate(u, UNIT, UNIT);
			break;
		}
		case 5: {	/* from here on, later */
			uint64_t ts, by = rnd(100) * 1000000000;

			for (i = rnd(n); i < n; i++) {
				memcpy(&ts, units + i * UNIT + 8, sizeof(ts));
				ts += by;
				memcpy(units + i * UNIT + 8, &ts, sizeof(ts));
			}
			break;
		}
		default:
			mutate_field(units, n);
		}
	}
	return (n + 1) * UNIT;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb,
				 uint8_t *out, size_t max, unsigned int seed)
{
	size_t head, tail, from;

	state = seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
	if (na < 2 * UNIT || nb < 2 * UNIT)
		return 0;
	head = (1 + rnd(na / UNIT)) * UNIT;
	from = (1 + rnd(nb / UNIT - 1)) * UNIT;
	tail = nb / UNIT * UNIT - from;
	if (head > max)
		head = max / UNIT * UNIT;
	if (tail > max - head)
		tail = (max - head) / UNIT * UNIT;
	memcpy(out, a, head);
	memcpy(out + head, b + from, tail);
	return head + tail;
}
