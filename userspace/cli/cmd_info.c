// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm info: versions, features, rings, losses; or what a recording holds. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define TYPES	32

/* What a pass over the stream tells. */
struct contents {
	unsigned int abi;
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
	const char *missing;		/* from a recording, or "" */
	const char *filter;		/* likewise */
	uint64_t left_out;
	enum tcpfsm_end end;
	unsigned int end_code;
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

/* Not of the rings: the module has no count of them. */
static bool beside_records(unsigned int type)
{
	return type == TCPFSM_TYPE_SOCKET || type == TCPFSM_TYPE_TOTAL || type == TCPFSM_TYPE_MARK;
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
		if (beside_records(item->rec.type % TYPES))
			continue;
		c->held++;
		if (!c->first_ts)
			c->first_ts = item->rec.ts;
		c->last_ts = item->rec.ts;
		rc = count_seq(c, item);
		if (rc)
			break;
	}
	c->abi = tcpfsm_source_abi(src);
	tcpfsm_source_counts(src, NULL, &c->lost);
	c->missing = tcpfsm_source_missing(src);
	c->filter = tcpfsm_source_filter(src, &c->left_out);
	c->end = tcpfsm_source_end(src, &c->end_code);
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

static void print_seconds_json(struct json *j, const char *key, const struct tcpfsm_reach *r)
{
	if (r->held)
		json_decimal(j, key, seconds(r->age_ns));
	else
		json_null(j, key);
}

static void print_reach_json(struct json *j, const struct contents *c)
{
	struct tcpfsm_reach all;
	uint32_t i;

	reach_of_all(c, &all);
	print_seconds_json(j, "reach_seconds", &all);
	json_open(j, "reach", '[');
	for (i = 0; i < c->nrings; i++) {
		const struct tcpfsm_reach *r = &c->rings[i].reach;

		json_open(j, NULL, '{');
		json_number(j, "cpu", c->rings[i].cpu);
		json_number(j, "held", r->held);
		json_number(j, "overwritten", r->overwritten);
		print_seconds_json(j, "seconds", r);
		json_close(j, '}');
	}
	json_close(j, ']');
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

static void print_features_json(struct json *j, const struct tcpfsm_info *info)
{
	unsigned int i;

	json_open(j, "features", '{');
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);
		int error = info->error[i];

		if (name[0] == '?')
			continue;
		json_open(j, name, '{');
		json_bool(j, "on", info->features >> i & 1);
		if (!(info->features >> i & 1)) {
			json_string(j, "errno", error ? tcpfsm_errno_name((unsigned int)-error) : "");
			json_string(j, "reason", tcpfsm_feature_reason(error));
		}
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void print_json(struct out *o, const struct tcpfsm_info *info, const struct contents *c)
{
	struct json j = out_json(o);
	char module[sizeof(info->version) + 1];

	snprintf(module, sizeof(module), "%.32s", (const char *)info->version);
	json_open(&j, NULL, '{');
	json_string(&j, "version", TCPFSM_VERSION);
	json_string(&j, "module", module);
	json_number(&j, "abi", info->abi);
	json_number(&j, "rings", info->rings);
	json_number(&j, "slots", info->slots);
	json_number(&j, "record_size", info->record_size);
	json_number(&j, "ring_bytes", info->ring_bytes);
	json_number(&j, "watermark", info->watermark);
	json_number(&j, "latency_ms", info->latency_ms);
	json_bool(&j, "flight_recorder", info->flight_recorder);
	json_number(&j, "missed", info->missed);
	json_number(&j, "written", c->written);
	json_number(&j, "held", c->held);
	json_number(&j, "overwritten", c->written - c->held);
	if (info->made) {
		json_number(&j, "rings_made", info->made);
		json_number(&j, "ring_memory", info->ring_memory);
		json_number(&j, "listener_memory", info->listener_memory);
		json_number(&j, "unkept", info->unkept);
	}
	print_reach_json(&j, c);
	print_features_json(&j, info);
	json_end(&j);
}

static void print_off_json(struct json *j, const struct tcpfsm_info *info)
{
	uint64_t off = tcpfsm_features_off(info);
	unsigned int i;

	json_open(j, "features_off", '[');
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (off >> i & 1)
			json_string(j, NULL, tcpfsm_feature_name(i));
	json_close(j, ']');
}

/* "stopped", "SIGINT", "No space left on device" */
static const char *how_it_ended(const struct contents *c)
{
	switch (c->end) {
	case TCPFSM_END_STOPPED:
		return "as it was asked to";
	case TCPFSM_END_SIGNAL:
		return c->end_code < NSIG ? sigdescr_np((int)c->end_code) : "by a signal";
	case TCPFSM_END_ERROR:
		return strerror((int)c->end_code);
	case TCPFSM_END_UNKNOWN:
		return "not known";
	case TCPFSM_END_CHUNK:
		return "another chunk follows";
	case TCPFSM_END_NONE:
		break;
	}
	return "it did not";
}

static void print_recording_json(struct out *o, const struct contents *c,
				 const struct tcpfsm_info *info, uint64_t begin, uint64_t end)
{
	struct json j = out_json(o);
	unsigned int i;

	json_open(&j, NULL, '{');
	json_string(&j, "version", TCPFSM_VERSION);
	json_number(&j, "abi", c->abi);
	json_number(&j, "records", c->held);
	/* What is missing is lost, too, and nobody counted it. */
	if (*c->missing && !c->lost)
		json_null(&j, "lost");
	else
		json_number(&j, "lost", c->lost);
	json_bool(&j, "complete", !*c->missing);
	json_string(&j, "missing", c->missing);
	if (*c->filter) {
		json_string(&j, "filter", c->filter);
		json_number(&j, "left_out", c->left_out);
	}
	json_string(&j, "ended", how_it_ended(c));
	json_number(&j, "from_ts", begin);
	json_number(&j, "to_ts", end);
	json_open(&j, "types", '{');
	for (i = 0; i < TYPES; i++)
		if (c->types[i])
			json_number(&j, type_names[i] ? type_names[i] : "?", c->types[i]);
	json_close(&j, '}');
	print_off_json(&j, info);
	json_end(&j);
}

static void print_off(struct out *o, const struct tcpfsm_info *info)
{
	uint64_t off = tcpfsm_features_off(info);
	unsigned int i;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (off >> i & 1)
			out_printf(o, "feature off      %s: %s\n", tcpfsm_feature_name(i),
				   tcpfsm_feature_reason(info->error[i]));
}

static void print_recording(const struct options *opts, const struct contents *c,
			    const struct tcpfsm_info *info, int64_t epoch_offset)
{
	struct out *o = opts->out;
	uint64_t begin = c->held ? c->first_ts + (uint64_t)epoch_offset : 0;
	uint64_t length = c->held ? c->last_ts - c->first_ts : 0;
	char when[32] = "-";
	unsigned int i;

	if (opts->json) {
		print_recording_json(o, c, info, begin, begin + length);
		return;
	}
	if (c->held) {
		time_t t = (time_t)(begin / NSEC_PER_SEC);
		struct tm tm;

		strftime(when, sizeof(when), "%F %T %z", localtime_r(&t, &tm));
	}
	out_printf(o, "tcpfsm %s, recording of ABI %u\n\n", TCPFSM_VERSION, c->abi);
	out_printf(o, "begins           %s\n", when);
	out_printf(o, "length           %.3f s\n", (double)length / (double)NSEC_PER_SEC);
	out_printf(o, "ended            %s\n", how_it_ended(c));
	out_printf(o, "records          %" PRIu64 " on %u CPU%s, ", c->held, c->ncpus, c->ncpus == 1 ? "" : "s");
	/* What is missing is lost, too, and nobody counted it. */
	if (!*c->missing)
		out_printf(o, "%" PRIu64 " lost\n", c->lost);
	else if (c->lost)
		out_printf(o, "more than %" PRIu64 " lost\n", c->lost);
	else
		out_printf(o, "not complete\n");
	if (*c->missing)
		out_printf(o, "missing          %s\n", c->missing);
	if (*c->filter)
		out_printf(o, "filter           %s, %" PRIu64 " left out\n", c->filter, c->left_out);
	for (i = 0; i < TYPES; i++)
		if (c->types[i] && !beside_records(i))
			out_printf(o, "  %-15s%" PRIu64 "\n", type_names[i] ? type_names[i] : "?",
				   c->types[i]);
	if (c->types[TCPFSM_TYPE_SOCKET])
		out_printf(o, "beside them      %" PRIu64 " sockets that were there before, or read again\n",
			   c->types[TCPFSM_TYPE_SOCKET]);
	if (c->types[TCPFSM_TYPE_TOTAL])
		out_printf(o, "beside them      %" PRIu64 " totals of listeners and network namespaces\n",
			   c->types[TCPFSM_TYPE_TOTAL]);
	print_off(o, info);
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
		print_recording(opts, &c, &info, tcpfsm_source_epoch_offset(src));
	else if (opts->json)
		print_json(opts->out, &info, &c);
	else
		print_text(opts->out, &info, &c);
	if (!status)
		status = close_stdout(opts->out);
	if (!rc)
		status = tell_missing(src, opts, status);
	free(c.last_seq);
	free(c.rings);
	tcpfsm_follow_close(f);
	return status;
}

const struct command cmd_info = {
	.columns =
		"  rings       a ring for each CPU: records, how many bytes\n"
		"  records     written since load; those in the rings now; those overwritten\n"
		"  reach back  how many seconds the oldest record in a ring is old\n"
		"  missed      segments and sockets whose outcome the hooks did not see\n"
		"  features    what the hooks on this kernel see; off, and below it why\n"
		"  With -r: when the recording begins, its length, how it ended, its records by\n"
		"  type, those lost, what is missing, and the features that were off.\n",
	.examples =
		"  Is the module there, and what does it see?\n"
		"    tcpfsm info\n"
		"  What is in a recording?\n"
		"    tcpfsm info -r /var/tmp/lunch\n",
	.run = run,
};
