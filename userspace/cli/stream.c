// SPDX-License-Identifier: GPL-2.0-only
/* From the device or a recording through the model to the view of a command. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

void tell_snapshot(int err)
{
	switch (err) {
	case 0:
		return;
	case -ENOENT:
	case -EPROTONOSUPPORT:
		complain("sockets from before are not known: the kernel has no tcp_diag (CONFIG_INET_TCP_DIAG)");
		return;
	case -EPERM:
	case -EACCES:
		complain("sockets from before may be missing: a network namespace is closed to us; run as root, or use -N");
		return;
	}
	complain("not all sockets from before are known: %s", strerror(-err));
}

void tell_features(const struct tcpfsm_info *info, uint64_t shown)
{
	uint64_t off = tcpfsm_features_off(info) & shown;
	const char *why = "tcpfsm info tells why";
	unsigned int i, first = TCPFSM_FEATURE_SLOTS;
	char names[512] = "";
	bool same = true;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		if (!(off >> i & 1))
			continue;
		if (first == TCPFSM_FEATURE_SLOTS)
			first = i;
		same = same && info->error[i] == info->error[first];
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i > first ? ", " : "", tcpfsm_feature_name(i));
	}
	if (!off)
		return;
	if (same)
		why = tcpfsm_feature_reason(info->error[first]);
	complain("features off: %s; what they see is missing here: %s", names, why);
}

int tell_notice(const struct tcpfsm_notice *n, void *arg)
{
	char text[TEXT_RESYNC];

	(void)arg;
	if (n->type == TCPFSM_NOTICE_SNAPSHOT)
		tell_snapshot(n->error);
	if (n->type == TCPFSM_NOTICE_TOTALS)
		return n->error;
	if (n->type == TCPFSM_NOTICE_RESYNC && !n->again) {
		text_resync(n, text);
		complain("%s", text);
	}
	return 0;
}

/* What became of the SYNs that from sent. */
static void tell_fates(const char *from, const char *to, uint64_t unseen, uint64_t refused, uint64_t hidden)
{
	char but[96] = "";

	if (hidden)
		snprintf(but, sizeof(but), "; %" PRIu64 " that may have come there were lost or left out by the recorder", hidden);
	if (refused)
		complain("%s: refused each SYN of %" PRIu64 " connection%s that %s opened", to, refused,
			 refused == 1 ? "" : "s", from);
	if (unseen)
		complain("%s: no SYN of %" PRIu64 " connection%s that %s opened to a port served there%s", to, unseen,
			 unseen == 1 ? "" : "s", from, but);
}

void tell_join(const struct options *opts, const struct tcpfsm_join *j)
{
	const char *a = opts->replay, *b = opts->second;
	double ahead = (double)j->clock_ns / 1e9;

	complain("%s and %s: %" PRIu64 " connection%s of which both ends are there, %" PRIu64 " of them by sequence numbers alone (NAT)",
		 a, b, j->joined, j->joined == 1 ? "" : "s", j->by_seq);
	if (!j->samples)
		complain("%s: how far its clock is from that of %s is not known, as no handshake is in both; they are taken to be the same",
			 b, a);
	else
		complain("%s: its clock is %.6f s %s that of %s, to %.6f s, as %" PRIu64 " handshake%s say%s%s; times here are those of %s",
			 b, ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of", a, (double)j->spread_ns / 1e9,
			 j->samples, j->samples == 1 ? "" : "s", j->samples == 1 ? "s" : "",
			 j->drifts ? " (they ran apart meanwhile)" : "", a);
	if (j->ambiguous)
		complain("%" PRIu64 " connection%s not joined: the sequence numbers fit several", j->ambiguous,
			 j->ambiguous == 1 ? "" : "s");
	tell_fates(a, b, j->unseen[0], j->refused[0], j->hidden[1]);
	tell_fates(b, a, j->unseen[1], j->refused[1], j->hidden[0]);
	if (j->untold)
		complain("%" PRIu64 " SYNs were too many to be joined", j->untold);
}

/* The first can be opened: then it is the second. */
static int fail_second(int err, const struct options *opts, const char *why)
{
	struct options o = *opts;
	struct tcpfsm_source *src;

	if (!tcpfsm_source_open_recording(&src, opts->replay, NULL)) {
		tcpfsm_source_close(src);
		o.replay = opts->second;
	}
	return fail_replay(err, &o, why);
}

int open_follow(struct tcpfsm_follow **f, const struct options *opts,
		struct tcpfsm_follow_options *fo, struct tcpfsm_info *info)
{
	struct tcpfsm_join join = { .size = sizeof(join) };
	const char *why = "";
	int err;

	fo->second = opts->second;
	fo->join = &join;
	fo->size = sizeof(*fo);
	fo->device = opts->device;
	fo->recording = opts->replay;
	fo->growing = opts->follow;
	fo->follow_new = opts->follow_new;
	fo->netns = opts->filter.netns;
	*info = (struct tcpfsm_info) { .size = sizeof(*info) };
	err = tcpfsm_follow_open(f, fo, info, &why);
	fo->join = NULL;
	if (err && opts->second)
		return fail_second(err, opts, why);
	if (opts->second)
		tell_join(opts, &join);
	if (err && opts->replay)
		return fail_replay(err, opts, why);
	if (err)
		return fail_open(err, opts, info);
	return 0;
}

/* Return: 0 or a negative errno of the source. */
static int follow(struct tcpfsm_follow *f, const struct view *view, void *arg, struct out *o)
{
	int rc, ms = -1;

	do {
		rc = tcpfsm_follow_step(f, 0, ms);
		if (rc != TCPFSM_FOLLOW_IDLE)
			continue;
		ms = view->idle ? view->idle(arg) : INT_MAX;
		if (ms < 0 || out_flush(o) || out_closed(o))
			return 0;
	} while (rc >= 0 && rc != TCPFSM_FOLLOW_END);
	return rc < 0 ? rc : 0;
}

static int fail_source(int err, const struct options *opts, const struct tcpfsm_source *src)
{
	if (opts->replay)
		return fail_replay(err, opts, tcpfsm_source_error(src));
	return fail(err, opts->device ? opts->device : TCPFSM_DEVICE);
}

void tell_losses(const struct tcpfsm_source *src, const struct tcpfsm_model *m)
{
	uint64_t lost, forgotten;

	tcpfsm_source_counts(src, NULL, &lost);
	if (lost)
		complain("%" PRIu64 " record%s lost: overwritten before they were read", lost,
			 lost == 1 ? "" : "s");
	tcpfsm_model_counts(m, NULL, &forgotten);
	if (forgotten)
		complain("%" PRIu64 " connection%s forgotten: more at a time than can be remembered",
			 forgotten, forgotten == 1 ? "" : "s");
}

void tell_none(const struct options *opts, const char *command, uint64_t found)
{
	if (found || opts->out->error)
		return;
	if (opts->given & OPT_CONN)
		complain("%s: no connection with this cookie%s", command, opts->replay ? " in the recording" : "");
	else if (opts->given & OPT_FILTER)
		complain("%s: nothing passed the filter", command);
}

int tell_missing(struct tcpfsm_source *src, const struct options *opts, int status)
{
	const char *missing = tcpfsm_source_missing(src), *filter = tcpfsm_source_filter(src, NULL);

	if (*filter)
		complain("%s: recorded with the filter '%s': nothing else is in it", opts->replay, filter);
	if (!*missing)
		return status;
	complain("%s%s%s: %s", opts->replay, opts->second ? " and " : "", opts->second ? opts->second : "", missing);
	return opts->strict && !status ? EXIT_INCOMPLETE : status;
}

int stream(const struct options *opts, const struct view *view, void *arg)
{
	struct tcpfsm_consumers to = { .size = sizeof(to) };
	struct tcpfsm_follow_options fo = view->follow;
	struct tcpfsm_source *src;
	struct tcpfsm_follow *f;
	struct tcpfsm_info info;
	int rc = 0, status;

	fo.duration = opts->duration == UINT64_MAX ? 0 : opts->duration ? opts->duration : 1;
	fo.interrupted = &interrupted;
	fo.arg = arg;
	if (!fo.notice)
		fo.notice = tell_notice;
	status = open_follow(&f, opts, &fo, &info);
	if (status)
		return status;
	src = tcpfsm_follow_source(f);
	tell_features(&info, view->shows);
	status = view->begin ? view->begin(arg, f, &info, &to) : 0;
	if (!status) {
		tcpfsm_follow_consumers(f, &to);
		rc = follow(f, view, arg, opts->out);
		if (view->end)
			status = view->end(arg, rc);
	}
	if (!status)
		status = close_stdout(opts->out);
	if (rc && !status)
		status = fail_source(rc, opts, src);
	/* Who closed the pipe has seen enough. */
	if (fo.model && opts->out->error != -EPIPE)
		tell_losses(src, tcpfsm_follow_model(f));
	/* Why it cannot be read any further was told. */
	if (!rc && opts->out->error != -EPIPE)
		status = tell_missing(src, opts, status);
	tcpfsm_follow_close(f);
	return status;
}
