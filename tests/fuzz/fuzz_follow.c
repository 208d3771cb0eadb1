// SPDX-License-Identifier: GPL-2.0-only
/*
 * The live engine on rings: losses, totals that fail, sockets that are read again or cannot
 * be, a budget, a signal, an end; with every consumer.  It must come to an end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "../unit/ring_writer.h"
#include "../../userspace/lib/follow.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/source.h"

#define STEPS_MAX	1000

static struct ring_writer writer;
static struct ring_reader reader;
static const struct input *in;
static size_t at;			/* the record that is next */
static volatile sig_atomic_t interrupted;
static uint64_t asked, told;

static const struct tcpfsm_record *some_record(void)
{
	return &in->rec[asked % in->n];
}

static int some_totals(struct tcpfsm_source *src)
{
	struct tcpfsm_record *r;

	if (some_record()->rcv % 5 == 1)
		return asked++ % 2 ? -EOVERFLOW : -ENOMEM;
	r = malloc(2 * sizeof(*r));
	REQUIRE(r);
	r[0] = r[1] = *some_record();
	r[0].type = r[1].type = TCPFSM_TYPE_TOTAL;
	r[1].rcv = r[0].rcv % TCPFSM_TOTAL_NUM;
	asked++;
	source_put_totals(src, r, 2);
	return 0;
}

/* What the sockets of a resync are in the stream: any, between marks that may be missing. */
static int some_sockets(struct tcpfsm_source *src)
{
	struct tcpfsm_record *r = calloc(3, sizeof(*r));
	size_t i, n = 0;

	REQUIRE(r);
	for (i = 0; i < 3; i++) {
		if (some_record()->snd >> i & 1)
			continue;
		r[n] = *some_record();
		r[n].type = TCPFSM_TYPE_SOCKET;
		if (i != 1) {
			r[n].conn = 0;
			r[n].snd = i ? TCPFSM_RESYNC_END : TCPFSM_RESYNC_BEGIN;
		}
		n++;
	}
	asked++;
	if (n) {
		source_put_totals(src, r, n);
		return 0;
	}
	free(r);
	return -EBUSY;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	REQUIRE(ev->type != TCPFSM_EVENT_LOST || ev->lost);
	return 0;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	(void)arg;
	REQUIRE(!item->lost);
	REQUIRE(item->rec.type == TCPFSM_TYPE_SOCKET || item->rec.type == TCPFSM_TYPE_TOTAL);
	return 0;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	(void)arg;
	told += n->type == TCPFSM_NOTICE_TOTALS;
	REQUIRE(n->type == TCPFSM_NOTICE_SNAPSHOT || n->type == TCPFSM_NOTICE_TOTALS ||
		n->type == TCPFSM_NOTICE_RESYNC);
	return n->type == TCPFSM_NOTICE_TOTALS && n->error == -ENOMEM && in->h.sort % 4 == 1 ?
	       n->error : 0;
}

static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	(void)l;
	(void)arg;
	return 0;
}

/* More than the ring holds are losses. */
static void put_some(void)
{
	size_t n = 1 + in->h.top % 64;

	while (n-- && at < in->n) {
		struct tcpfsm_record rec = in->rec[at++];

		if (in->h.seed & 1)
			rec.ts = monotonic_ns();
		writer_put(&writer, &rec);
	}
}

static int run(struct tcpfsm_follow *f)
{
	int rc, steps = 0;

	do {
		put_some();
		if (at == in->n)
			interrupted = 1;
		/* Its end is some milliseconds behind the last record. */
		rc = tcpfsm_follow_step(f, in->h.seed & 2 ? 1000 : 0, interrupted ? 5 : 0);
		REQUIRE(++steps < STEPS_MAX);
	} while (rc >= 0 && rc != TCPFSM_FOLLOW_END);
	return rc;
}

static struct tcpfsm_follow *open_follow(struct tcpfsm_source **src,
					 struct tcpfsm_model_options *mo)
{
	struct tcpfsm_follow_options o = {
		.size = sizeof(o), .totals = in->h.flags & FLAG_JSON,
		.totals_ns = in->h.flags & FLAG_WIDE ? 1000 : 0,
		.state_only = in->h.flags & FLAG_JSON && in->h.flags & FLAG_EXTRA,
		.resync = in->h.sort & 1, .interrupted = &interrupted, .model = mo,
		.event = on_event, .item = in->h.sort & 2 ? on_item : NULL, .notice = on_notice,
		.ladder = on_ladder,
	};
	struct tcpfsm_follow *f;
	int64_t offset = (int64_t)in->h.epoch_offset;

	/* Now and then as it is: then the clock's step makes no difference. */
	if (in->h.seed & 4)
		offset = (int64_t)(realtime_ns() - monotonic_ns());
	writer_init(&writer, 2U << in->h.what % 6, 0);
	REQUIRE(!writer_attach(&writer, &reader, false));
	REQUIRE(!source_open_rings(src, &reader, 1, 0, offset));
	(*src)->totals = some_totals;
	(*src)->resync = some_sockets;
	REQUIRE(!follow_open_source(&f, *src, &o));
	return f;
}

static void consume(struct tcpfsm_consumers *to, int64_t offset)
{
	struct tcpfsm_timewaits_options tw = { .size = sizeof(tw), .epoch_offset = offset };
	struct tcpfsm_explain_options xo = { .size = sizeof(xo), .epoch_offset = offset };
	struct tcpfsm_ladders_options lo = { .size = sizeof(lo), .max_conns = 8 };

	REQUIRE(!tcpfsm_timewaits_new(&to->timewaits, &tw));
	REQUIRE(!tcpfsm_explain_new(&to->explain, &xo));
	REQUIRE(!tcpfsm_listeners_new(&to->listeners));
	REQUIRE(!tcpfsm_checks_new(&to->checks, NULL));
	REQUIRE(!tcpfsm_ladders_new(&to->ladders, &lo));
}

static void release(struct tcpfsm_consumers *to)
{
	tcpfsm_timewaits_free(to->timewaits);
	tcpfsm_explain_free(to->explain);
	tcpfsm_listeners_free(to->listeners);
	tcpfsm_checks_free(to->checks);
	tcpfsm_ladders_free(to->ladders);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_consumers to = { .size = sizeof(to) };
	static struct input input;
	struct tcpfsm_source *src;
	struct tcpfsm_follow *f;
	int rc;

	if (!input_parse(&input, data, size) || !input.n)
		return 0;
	in = &input;
	at = 0;
	interrupted = 0;
	asked = told = 0;
	mo.raw = in->h.flags & FLAG_RAW;
	mo.lives = in->h.flags & FLAG_LIVES;
	mo.max_conns = in->h.flags & FLAG_SMALL ? 4 : 0;
	f = open_follow(&src, &mo);
	consume(&to, tcpfsm_source_epoch_offset(src));
	REQUIRE(!tcpfsm_follow_consumers(f, &to));
	rc = run(f);
	REQUIRE(rc == TCPFSM_FOLLOW_END || rc == -ENOMEM || rc == -EBUSY);
	/* Each reading is told of, once. */
	REQUIRE(rc < 0 || told <= asked);
	tcpfsm_follow_close(f);
	release(&to);
	writer_free(&writer);
	return 0;
}
