// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm info: versions, features, rings, losses; or what a recording holds. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define TYPES	16

/* What a pass over the stream tells. */
struct contents {
	uint64_t held, lost, written;
	uint64_t first_ts, last_ts;
	uint64_t types[TYPES];
	uint64_t *last_seq;		/* by CPU: its records so far */
	uint32_t ncpus;
	struct ring_is {
		uint32_t cpu;
		struct tcpfsm_reach reach;
	} *rings;			/* those that are there */
	uint32_t nrings;
};

static const char * const type_names[TYPES] = {
#define TYPE_NAME(sym, n, name, text) [n] = name,
	TCPFSM_TYPES(TYPE_NAME)
};

static int count_seq(struct contents *c, const struct tcpfsm_item *item)
{
	if (item->cpu >= c->ncpus) {
		uint64_t *seq = realloc(c->last_seq, (item->cpu + 1) * sizeof(*seq));

		if (!seq)
			return -ENOMEM;
		memset(seq + c->ncpus, 0, (item->cpu + 1 - c->ncpus) * sizeof(*seq));
		c->last_seq = seq;
		c->ncpus = item->cpu + 1;
	}
	c->last_seq[item->cpu] = item->rec.seq;
	return 0;
}

static int read_contents(struct contents *c, struct tcpfsm_source *src, bool replay)
{
	/* A busy machine never ends: what came before now is enough. */
	uint64_t now = monotonic_ns();
	const struct tcpfsm_item *item;
	uint32_t i;
	int rc;

	while ((rc = tcpfsm_source_next(src, &item)) > 0) {
		if (item->lost)
			continue;
		if (!replay && item->rec.ts > now)
			break;
		c->types[item->rec.type % TYPES]++;
		/* Not of the ring: the module has no count of it. */
		if (item->rec.type == TCPFSM_TYPE_SOCKET || item->rec.type == TCPFSM_TYPE_TOTAL)
			continue;
		c->held++;
		if (!c->first_ts)
			c->first_ts = item->rec.ts;
		c->last_ts = item->rec.ts;
		rc = count_seq(c, item);
		if (rc)
			break;
	}
	tcpfsm_source_counts(src, NULL, &c->lost);
	for (i = 0; i < c->ncpus; i++)
		c->written += c->last_seq[i];
	return rc < 0 ? rc : 0;
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NSEC_PER_SEC;
}

/* All at one time. */
static int read_reach(struct contents *c, const struct tcpfsm_source *src, uint32_t rings)
{
	uint32_t i;

	c->rings = calloc(rings, sizeof(*c->rings));
	if (!c->rings)
		return -ENOMEM;
	for (i = 0; i < rings; i++) {
		struct ring_is *r = &c->rings[c->nrings];

		if (tcpfsm_source_reach(src, i, &r->reach))
			continue;
		r->cpu = i;
		c->nrings++;
	}
	return 0;
}

/*
 * How far back the rings together reach: as far as the one that has forgotten most.
 * Return: false: they are empty.
 */
static bool reach_of_all(const struct contents *c, struct tcpfsm_reach *all)
{
	uint64_t forgotten = UINT64_MAX, oldest = 0;
	uint32_t i;

	*all = (struct tcpfsm_reach) { .held = 0 };
	for (i = 0; i < c->nrings; i++) {
		const struct tcpfsm_reach *r = &c->rings[i].reach;

		if (!r->held)
			continue;
		all->held += r->held;
		all->overwritten += r->overwritten;
		if (r->age_ns > oldest)
			oldest = r->age_ns;
		if (r->overwritten && r->age_ns < forgotten)
			forgotten = r->age_ns;
	}
	all->age_ns = all->overwritten ? forgotten : oldest;
	return all->held;
}

static void print_reach(struct out *o, const struct contents *c)
{
	struct tcpfsm_reach all;
	uint32_t i;

	if (!reach_of_all(c, &all))
		out_printf(o, "reach back       empty\n");
	else
		out_printf(o, "reach back       %.1f s%s\n", seconds(all.age_ns),
			   all.overwritten ? ": from then on nothing is missing" :
					     ": all since the module was loaded");
	for (i = 0; i < c->nrings; i++) {
		const struct tcpfsm_reach *r = &c->rings[i].reach;

		out_printf(o, "  CPU %-11u", c->rings[i].cpu);
		if (r->held)
			out_printf(o, "%.1f s, %" PRIu64 " records\n", seconds(r->age_ns), r->held);
		else
			out_printf(o, "empty\n");
	}
}

static void print_seconds_json(struct out *o, const struct tcpfsm_reach *r)
{
	if (r->held)
		out_printf(o, "%.3f", seconds(r->age_ns));
	else
		out_printf(o, "null");
}

static void print_reach_json(struct out *o, const struct contents *c)
{
	struct tcpfsm_reach all;
	uint32_t i;

	reach_of_all(c, &all);
	out_printf(o, ",\"reach_seconds\":");
	print_seconds_json(o, &all);
	out_printf(o, ",\"reach\":[");
	for (i = 0; i < c->nrings; i++) {
		const struct tcpfsm_reach *r = &c->rings[i].reach;

		out_printf(o, "%s{\"cpu\":%u,\"held\":%" PRIu64 ",\"overwritten\":%" PRIu64
			   ",\"seconds\":", i ? "," : "", c->rings[i].cpu, r->held, r->overwritten);
		print_seconds_json(o, r);
		out_printf(o, "}");
	}
	out_printf(o, "]");
}

static void print_text(struct out *o, const struct tcpfsm_info *info, const struct contents *c)
{
	unsigned int i;

	out_printf(o, "tcpfsm %s, module %.32s, ABI %u\n\n", TCPFSM_VERSION,
		   (const char *)info->version, info->abi);
	out_printf(o, "rings            %u x %u records of %u bytes, %" PRIu64 " KiB each\n",
		   info->made ? info->made : info->rings, info->slots, info->record_size,
		   (uint64_t)(info->ring_bytes >> 10));
	if (info->made)
		out_printf(o, "memory           %" PRIu64 " KiB: rings %" PRIu64 ", totals of listeners %" PRIu64 "\n",
			   (uint64_t)(info->ring_memory + info->listener_memory) >> 10,
			   (uint64_t)info->ring_memory >> 10, (uint64_t)info->listener_memory >> 10);
	out_printf(o, "flight recorder  %s\n", info->flight_recorder ?
		   "on: hooks are armed from load to unload" :
		   "off: hooks are armed while a reader is there");
	out_printf(o, "records          %" PRIu64 " written, %" PRIu64 " held now, %" PRIu64 " overwritten\n",
		   c->written, c->held, c->written - c->held);
	if (info->unkept)
		out_printf(o, "                 %" PRIu64 " lost: of CPUs without a ring, for want of memory\n",
			   (uint64_t)info->unkept);
	print_reach(o, c);
	out_printf(o, "wake-up          at %u records in a ring, or after %u ms\n",
		   info->watermark, info->latency_ms);
	out_printf(o, "missed           %" PRIu64 " outcome%s not seen\n\n",
		   (uint64_t)info->missed, info->missed == 1 ? "" : "s");
	out_printf(o, "features\n");
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);
		bool on = info->features >> i & 1;

		if (name[0] == '?')
			continue;
		out_printf(o, "  %-15s%s %s\n", name, on ? "on " : "off", tcpfsm_feature_text(i));
		if (!on)
			out_printf(o, "  %-15s    %s%s%s\n", "",
				   info->error[i] ? tcpfsm_errno_name((unsigned int)-info->error[i]) : "",
				   info->error[i] ? ": " : "", tcpfsm_feature_reason(info->error[i]));
	}
}

static void print_json(struct out *o, const struct tcpfsm_info *info, const struct contents *c)
{
	bool first = true;
	unsigned int i;

	out_printf(o, "{\"version\":\"%s\",\"module\":\"%.32s\",\"abi\":%u,\"rings\":%u,\"slots\":%u,"
		   "\"record_size\":%u,\"ring_bytes\":%" PRIu64 ",\"watermark\":%u,\"latency_ms\":%u,"
		   "\"flight_recorder\":%s,\"missed\":%" PRIu64 ",\"written\":%" PRIu64
		   ",\"held\":%" PRIu64 ",\"overwritten\":%" PRIu64,
		   TCPFSM_VERSION, (const char *)info->version, info->abi, info->rings, info->slots,
		   info->record_size, (uint64_t)info->ring_bytes, info->watermark, info->latency_ms,
		   info->flight_recorder ? "true" : "false", (uint64_t)info->missed, c->written,
		   c->held, c->written - c->held);
	if (info->made)
		out_printf(o, ",\"rings_made\":%u,\"ring_memory\":%" PRIu64 ",\"listener_memory\":%" PRIu64
			   ",\"unkept\":%" PRIu64, info->made, (uint64_t)info->ring_memory,
			   (uint64_t)info->listener_memory, (uint64_t)info->unkept);
	print_reach_json(o, c);
	out_printf(o, ",\"features\":{");
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);

		if (name[0] == '?')
			continue;
		out_printf(o, "%s\"%s\":{\"on\":%s", first ? "" : ",", name,
			   info->features >> i & 1 ? "true" : "false");
		if (!(info->features >> i & 1))
			out_printf(o, ",\"errno\":\"%s\",\"reason\":\"%s\"",
				   info->error[i] ? tcpfsm_errno_name((unsigned int)-info->error[i]) : "",
				   tcpfsm_feature_reason(info->error[i]));
		out_printf(o, "}");
		first = false;
	}
	out_printf(o, "}}\n");
}

static void print_recording(const struct options *opts, const struct contents *c,
			    int64_t epoch_offset)
{
	struct out *o = opts->out;
	uint64_t begin = c->held ? c->first_ts + (uint64_t)epoch_offset : 0;
	uint64_t length = c->held ? c->last_ts - c->first_ts : 0;
	char when[32] = "-";
	unsigned int i;
	bool first = true;

	if (opts->json) {
		out_printf(o, "{\"version\":\"%s\",\"abi\":%u,\"records\":%" PRIu64 ",\"lost\":%" PRIu64
			   ",\"from_ts\":%" PRIu64 ",\"to_ts\":%" PRIu64 ",\"types\":{", TCPFSM_VERSION,
			   TCPFSM_ABI_VERSION, c->held, c->lost, begin, begin + length);
		for (i = 0; i < TYPES; i++) {
			if (!c->types[i])
				continue;
			out_printf(o, "%s\"%s\":%" PRIu64, first ? "" : ",",
				   type_names[i] ? type_names[i] : "?", c->types[i]);
			first = false;
		}
		out_printf(o, "}}\n");
		return;
	}
	if (c->held) {
		time_t t = (time_t)(begin / NSEC_PER_SEC);
		struct tm tm;

		strftime(when, sizeof(when), "%F %T %z", localtime_r(&t, &tm));
	}
	out_printf(o, "tcpfsm %s, recording of ABI %u\n\n", TCPFSM_VERSION, TCPFSM_ABI_VERSION);
	out_printf(o, "begins           %s\n", when);
	out_printf(o, "length           %.3f s\n", (double)length / (double)NSEC_PER_SEC);
	out_printf(o, "records          %" PRIu64 " on %u CPU%s, %" PRIu64 " lost\n", c->held, c->ncpus,
		   c->ncpus == 1 ? "" : "s", c->lost);
	for (i = 0; i < TYPES; i++)
		if (c->types[i])
			out_printf(o, "  %-15s%" PRIu64 "\n", type_names[i] ? type_names[i] : "?",
				   c->types[i]);
}

static int run(const struct options *opts)
{
	struct tcpfsm_follow_options fo = { .size = 0 };
	struct contents c = { .held = 0 };
	struct tcpfsm_source *src;
	struct tcpfsm_follow *f;
	struct tcpfsm_info info;
	int status, rc;

	status = open_follow(&f, opts, &fo, &info);
	if (status)
		return status;
	src = tcpfsm_follow_source(f);
	rc = read_contents(&c, src, opts->replay);
	if (!rc && !opts->replay)
		rc = read_reach(&c, src, info.rings);
	if (rc)
		status = opts->replay ? fail_replay(rc, opts, tcpfsm_source_error(src)) :
					fail(rc, opts->device ? opts->device : TCPFSM_DEVICE);
	else if (opts->replay)
		print_recording(opts, &c, tcpfsm_source_epoch_offset(src));
	else if (opts->json)
		print_json(opts->out, &info, &c);
	else
		print_text(opts->out, &info, &c);
	if (!status)
		status = close_stdout(opts->out);
	free(c.last_seq);
	free(c.rings);
	tcpfsm_follow_close(f);
	return status;
}

const struct command cmd_info = {
	.name = "info",
	.args = "",
	.text = "versions, features and why one is off, rings, memory, losses",
	.options = OPT_READ | OPT_JSON,
	.run = run,
};
