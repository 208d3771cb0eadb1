// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <string.h>

#include "forecast.h"
#include "timewait.h"
#include "tw_groups.h"

/*
 * The pace is that of the last seconds: of so many, and of more, up to PACE_HISTORY,
 * until enough has come for a rate; but not beyond a second that brought more than that
 * alone.  When some have come, what was quiet before them is left out, and the second that
 * they began in, as nobody knows when in it.  A burst is over, and does not go on, when it has
 * been quiet for as long as it lasted and at its rate PACE_OVER would have come meanwhile.
 */
#define PACE_SECONDS	10U
#define PACE_ENOUGH	25U
#define PACE_SOME	8U
#define PACE_OVER	16
/* Further on, nobody should rely on the pace. */
#define HORIZON		600.0

#define KIND(k)		TCPFSM_TIMEWAIT_##k

/* ---- what came and went ------------------------------------------------------------ */

void births_move_on(struct births *b, uint32_t then)
{
	uint32_t i;

	for (i = 1; i <= BINS && i <= then - b->last; i++) {
		uint32_t *bin = &b->bin[(b->last + i) % BINS];

		b->older += *bin;
		*bin = 0;
	}
	b->last = then;
}

void trend_move_on(struct trend *tr, uint32_t now)
{
	uint32_t i;

	for (i = 1; i <= PACE_HISTORY && i <= now - tr->last; i++)
		tr->at[(tr->last + i) % PACE_HISTORY] = (struct second) { .came = 0 };
	tr->last = now;
}

uint32_t births_since(const struct births *b, uint32_t first)
{
	uint32_t n = 0, i;

	for (i = 0; i < BINS && i <= b->last && b->last - i >= first; i++)
		n += b->bin[(b->last - i) % BINS];
	return n;
}

void births_ages(const struct births *b, uint64_t mono, uint64_t ages[TCPFSM_TW_AGES])
{
	uint32_t i;

	for (i = 0; i < BINS && i <= b->last; i++) {
		/* They began half a second later than it did, on average. */
		uint64_t begin = (b->last - i) * NSEC_PER_SEC + NSEC_PER_SEC / 2;
		uint64_t age = mono > begin ? (mono - begin) / NSEC_PER_SEC / 10 : 0;

		ages[age < TCPFSM_TW_AGES - 2 ? age : TCPFSM_TW_AGES - 2] +=
			b->bin[(b->last - i) % BINS];
	}
	ages[TCPFSM_TW_AGES - 2] += b->older;
	ages[TCPFSM_TW_AGES - 1] += b->unknown;
}

/* ---- what is to come --------------------------------------------------------------- */

/* How it goes on, a second. */
struct pace {
	double came;			/* less those that went before their time */
	double held;			/* of these, those that do not get to TIME_WAIT */
};

/* So many came from begin to end, and none since. */
static bool is_over(const struct forecast_clock *c, uint32_t came, uint64_t begin, uint64_t end)
{
	double lasted, quiet;

	if (!came || c->now <= end)
		return false;
	lasted = (double)(end - begin) / (double)NSEC_PER_SEC;
	quiet = (double)(c->now - end) / (double)NSEC_PER_SEC;
	return quiet >= lasted && came * quiet >= PACE_OVER * lasted;
}

/* False: too little time has been seen. */
static bool pace_of(const struct forecast_clock *c, const struct trend *tr, struct pace *out)
{
	uint32_t last = second_at(c->epoch_offset, c->now), i;
	uint32_t known = c->known ? second_at(c->epoch_offset, c->known) : 0;
	struct { uint64_t begin; uint32_t came; int64_t net, held; } all, first, after;
	uint64_t begin, end = 0;
	double seconds;

	memset(&all, 0, sizeof(all));
	all.begin = c->now;
	first = after = all;
	for (i = 0; i < PACE_HISTORY && last - i >= known && last >= i; i++) {
		static const struct second nothing;
		const struct second *s = &nothing;

		if (last - i <= tr->last && tr->last - (last - i) < PACE_HISTORY)
			s = &tr->at[(last - i) % PACE_HISTORY];
		if (i >= PACE_SECONDS && (all.came >= PACE_ENOUGH || s->came > PACE_ENOUGH))
			break;
		if (s->came)
			after = all;
		if (s->came && !end)
			end = (last - i + 1) * NSEC_PER_SEC + (uint64_t)c->epoch_offset;
		all.came += s->came;
		all.net += (int64_t)s->came - s->went;
		all.held += s->held;
		all.begin = (last - i) * NSEC_PER_SEC + (uint64_t)c->epoch_offset;
		if (s->came)
			first = all;
	}
	if (is_over(c, first.came, first.begin, end)) {
		*out = (struct pace) { .came = 0 };
		return true;
	}
	if (first.begin > all.begin && after.came >= PACE_SOME)
		all = after;
	else if (first.begin > all.begin && all.came >= PACE_SOME)
		all = first;
	begin = all.begin > c->known ? all.begin : c->known;
	if (c->now < begin + RATE_MIN_NS)
		return false;
	seconds = (double)(c->now - begin) / (double)NSEC_PER_SEC;
	out->came = (double)all.net / seconds;
	/* A few more or less of those open are no trend. */
	out->held = all.held >= (int64_t)PACE_SOME || all.held <= -(int64_t)PACE_SOME ?
		    (double)all.held / seconds : 0;
	return true;
}

/*
 * Second by second: who is in TIME_WAIT leaves when it is over, and others come as the
 * pace is.  Only the share that blocks counts of TIME_WAIT.  Return: seconds until there
 * are limit; -1: there never will be.
 */
static double seconds_to(const struct forecast_clock *c, const struct group *g,
			 const struct pace *pace, double blocks, double limit)
{
	const struct births *b = &g->births;
	double grows = (pace->came - pace->held) * blocks, unknown = blocks * b->unknown / TIMEWAIT_LASTS;
	double n = (double)tw_used(&g->now) - (double)g->now.time_wait * (1 - blocks), at = 0;
	uint64_t mono = c->now - (uint64_t)c->epoch_offset;
	uint32_t last = second_at(c->epoch_offset, c->now), i, over = b->older;
	/* What is left of this second is the first one. */
	double len = 1 - (double)(mono % NSEC_PER_SEC) / (double)NSEC_PER_SEC;

	if (n >= limit)
		return 0;
	for (i = 0; i < BINS; i++)
		if (b->last >= i && (int32_t)(last - (b->last - i)) > (int32_t)TIMEWAIT_LASTS)
			over += b->bin[(b->last - i) % BINS];
	/* Later, those that come at this pace leave at this pace. */
	for (i = 0; i < TIMEWAIT_LASTS; i++) {
		uint32_t born = last + i - TIMEWAIT_LASTS;
		double step = (grows + pace->held - unknown) * len;

		if (born <= b->last && b->last - born < BINS)
			over += b->bin[born % BINS];
		step -= blocks * over;
		if (n + step >= limit)
			return at + len * (limit - n) / step;
		n += step;
		at += len;
		len = 1;
		over = 0;
	}
	if (!(pace->held > 0))
		return -1;
	at += (limit - n) / pace->held;
	return at < HORIZON ? at : -1;
}

/*
 * By Little's law: what enters in a second, times how long it stays: 60 s, but for what
 * ends before.
 */
static double settles(const struct group *g, const struct tcpfsm_timewait *o,
		      const struct pace *pace)
{
	double early = o->seconds > 0 ? (double)(g->early_ns - g->recent_early_ns) /
					(double)NSEC_PER_SEC / o->seconds : 0;
	double n = (pace->came - pace->held) * TCPFSM_TW_SECONDS + early;

	return (n > 0 ? n : 0) + (double)o->fin_wait2;
}

/*
 * The share of mini-sockets whose port connect() cannot take: all of them, or under
 * tcp_tw_reuse those without timestamps.
 */
static double blocking(const struct group *g, const struct group *netns, struct tcpfsm_timewait *o)
{
	uint32_t told = g->stamps[STAMPS_WITH] + g->stamps[STAMPS_WITHOUT];

	o->reuse = reuse_applies(o, netns->tw_reuse);
	return o->reuse && told ? (double)g->stamps[STAMPS_WITHOUT] / told : 1;
}

void forecast(const struct forecast_clock *c, const struct group *g, const struct group *netns,
	      struct tcpfsm_timewait *o)
{
	bool destination = o->kind == KIND(DESTINATION);
	struct pace pace;
	double blocks = 1;

	o->settles = o->full_in = -1;
	o->used = tw_used(o);
	if (destination)
		o->limit = !o->rest && !o->inbound ? netns->ports : 0;
	if (o->rest || !pace_of(c, &g->trend, &pace))
		return;
	o->settles = settles(g, o, &pace);
	if (destination && !o->inbound)
		blocks = blocking(g, netns, o);
	if (!o->limit)
		return;
	if (destination && o->recent_failed)
		o->full_in = 0;
	else
		o->full_in = seconds_to(c, g, &pace, blocks, (double)o->limit);
	/* Without room for mini-sockets a port is free at once. */
	if (destination && o->full_in > 0 && !(pace.held > 0) && netns->now.limit &&
	    pace_of(c, &netns->trend, &pace)) {
		double overflow = seconds_to(c, netns, &pace, 1, (double)netns->now.limit);

		o->overflows = overflow >= 0 && overflow < o->full_in;
		if (o->overflows)
			o->full_in = -1;
	}
}
