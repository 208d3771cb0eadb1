// SPDX-License-Identifier: GPL-2.0
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

static void print_text(const struct tcpfsm_info *info, const struct contents *c)
{
	unsigned int i;

	out_printf("tcpfsm %s, module %.32s, ABI %u\n\n", TCPFSM_VERSION,
		   (const char *)info->version, info->abi);
	out_printf("rings            %u x %u records of %u bytes, %" PRIu64 " KiB each\n",
		   info->rings, info->slots, info->record_size, (uint64_t)(info->ring_bytes >> 10));
	out_printf("flight recorder  %s\n", info->flight_recorder ?
		   "on: hooks are armed from load to unload" :
		   "off: hooks are armed while a reader is there");
	out_printf("records          %" PRIu64 " written, %" PRIu64 " held now, %" PRIu64 " overwritten\n",
		   c->written, c->held, c->written - c->held);
	out_printf("wake-up          at %u records in a ring, or after %u ms\n",
		   info->watermark, info->latency_ms);
	out_printf("missed           %" PRIu64 " outcome%s not seen\n\n",
		   (uint64_t)info->missed, info->missed == 1 ? "" : "s");
	out_printf("features\n");
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);
		bool on = info->features >> i & 1;

		if (name[0] == '?')
			continue;
		out_printf("  %-15s%s %s\n", name, on ? "on " : "off", tcpfsm_feature_text(i));
		if (!on)
			out_printf("  %-15s    %s%s%s\n", "",
				   info->error[i] ? tcpfsm_errno_name((unsigned int)-info->error[i]) : "",
				   info->error[i] ? ": " : "", tcpfsm_feature_reason(info->error[i]));
	}
}

static void print_json(const struct tcpfsm_info *info, const struct contents *c)
{
	bool first = true;
	unsigned int i;

	out_printf("{\"version\":\"%s\",\"module\":\"%.32s\",\"abi\":%u,\"rings\":%u,\"slots\":%u,"
		   "\"record_size\":%u,\"ring_bytes\":%" PRIu64 ",\"watermark\":%u,\"latency_ms\":%u,"
		   "\"flight_recorder\":%s,\"missed\":%" PRIu64 ",\"written\":%" PRIu64
		   ",\"held\":%" PRIu64 ",\"overwritten\":%" PRIu64 ",\"features\":{",
		   TCPFSM_VERSION, (const char *)info->version, info->abi, info->rings, info->slots,
		   info->record_size, (uint64_t)info->ring_bytes, info->watermark, info->latency_ms,
		   info->flight_recorder ? "true" : "false", (uint64_t)info->missed, c->written,
		   c->held, c->written - c->held);
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);

		if (name[0] == '?')
			continue;
		out_printf("%s\"%s\":{\"on\":%s", first ? "" : ",", name,
			   info->features >> i & 1 ? "true" : "false");
		if (!(info->features >> i & 1))
			out_printf(",\"errno\":\"%s\",\"reason\":\"%s\"",
				   info->error[i] ? tcpfsm_errno_name((unsigned int)-info->error[i]) : "",
				   tcpfsm_feature_reason(info->error[i]));
		out_printf("}");
		first = false;
	}
	out_printf("}}\n");
}

static void print_recording(const struct options *opts, const struct contents *c,
			    int64_t epoch_offset)
{
	uint64_t begin = c->held ? c->first_ts + (uint64_t)epoch_offset : 0;
	uint64_t length = c->held ? c->last_ts - c->first_ts : 0;
	char when[32] = "-";
	unsigned int i;
	bool first = true;

	if (opts->json) {
		out_printf("{\"version\":\"%s\",\"abi\":%u,\"records\":%" PRIu64 ",\"lost\":%" PRIu64
			   ",\"from_ts\":%" PRIu64 ",\"to_ts\":%" PRIu64 ",\"types\":{", TCPFSM_VERSION,
			   TCPFSM_ABI_VERSION, c->held, c->lost, begin, begin + length);
		for (i = 0; i < TYPES; i++) {
			if (!c->types[i])
				continue;
			out_printf("%s\"%s\":%" PRIu64, first ? "" : ",",
				   type_names[i] ? type_names[i] : "?", c->types[i]);
			first = false;
		}
		out_printf("}}\n");
		return;
	}
	if (c->held) {
		time_t t = (time_t)(begin / NSEC_PER_SEC);
		struct tm tm;

		strftime(when, sizeof(when), "%F %T %z", localtime_r(&t, &tm));
	}
	out_printf("tcpfsm %s, recording of ABI %u\n\n", TCPFSM_VERSION, TCPFSM_ABI_VERSION);
	out_printf("begins           %s\n", when);
	out_printf("length           %.3f s\n", (double)length / (double)NSEC_PER_SEC);
	out_printf("records          %" PRIu64 " on %u CPU%s, %" PRIu64 " lost\n", c->held, c->ncpus,
		   c->ncpus == 1 ? "" : "s", c->lost);
	for (i = 0; i < TYPES; i++)
		if (c->types[i])
			out_printf("  %-15s%" PRIu64 "\n", type_names[i] ? type_names[i] : "?",
				   c->types[i]);
}

static int run(const struct options *opts)
{
	struct contents c = { .held = 0 };
	struct tcpfsm_source *src;
	struct tcpfsm_info info;
	int status, rc;

	status = open_source(&src, opts, &info);
	if (status)
		return status;
	rc = read_contents(&c, src, opts->replay);
	if (rc)
		status = opts->replay ? fail_replay(rc, opts, tcpfsm_source_error(src)) :
					fail(rc, opts->device ? opts->device : TCPFSM_DEVICE);
	else if (opts->replay)
		print_recording(opts, &c, tcpfsm_source_epoch_offset(src));
	else if (opts->json)
		print_json(&info, &c);
	else
		print_text(&info, &c);
	if (!status)
		status = out_close();
	free(c.last_seq);
	tcpfsm_source_close(src);
	return status;
}

const struct command cmd_info = {
	.name = "info",
	.args = "",
	.text = "versions, features and why one is off, rings, losses",
	.options = OPT_READ | OPT_JSON,
	.run = run,
};
