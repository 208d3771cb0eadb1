// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm record DIR: what the rings hold, as a CTF trace. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "source/pace.h"
#include "cli.h"
#include "watch.h"

static volatile sig_atomic_t chunk_wanted;

static void on_usr1(int sig)
{
	(void)sig;
	chunk_wanted = 1;
}

static int close_chunk(struct tcpfsm_recorder *rec, const struct options *opts)
{
	int rc = tcpfsm_recorder_next_chunk(rec);

	chunk_wanted = 0;
	if (rc != -EINVAL)
		return rc;
	complain("%s: SIGUSR1 closes a chunk, and there are none without --keep", opts->file);
	return 0;
}

/* Writes what there is.  Return: 1: it is enough; 0; a negative errno. */
static int write_on(struct tcpfsm_recorder *rec, const struct options *opts)
{
	int rc = tcpfsm_recorder_drain(rec);
	uint64_t written, bytes;

	if (rc < 0)
		return rc;
	tcpfsm_recorder_counts(rec, &written, NULL, &bytes);
	if ((opts->count && written >= opts->count) || (opts->max_bytes && bytes >= opts->max_bytes))
		return 1;
	return chunk_wanted ? close_chunk(rec, opts) : 0;
}

static int follow(struct tcpfsm_recorder *rec, const struct options *opts, uint64_t end)
{
	uint64_t now;
	int rc;

	for (;;) {
		rc = write_on(rec, opts);
		if (rc)
			return rc < 0 ? rc : 0;
		/* Nothing is held back here: what happened before the end is written. */
		now = monotonic_ns();
		if (interrupted || now >= end)
			return 0;
		rc = tcpfsm_recorder_wait(rec, end - now < IDLE_MS * NSEC_PER_MSEC ?
					  (int)((end - now) / NSEC_PER_MSEC) + 1 : IDLE_MS);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
}

struct incidents {
	uint64_t n, until;		/* until: 0: nothing is recorded */
};

static void tell_alarm(const struct watch_alarm *a, const struct incidents *in, const struct options *opts)
{
	complain("%s %s: %s; %s %g s after it", tcpfsm_severity_name(a->severity), a->verdict, a->summary,
		 in->until ? "recorded until" : "recorded from the flight recorder's past to",
		 (double)opts->after / (double)NSEC_PER_SEC);
}

/* Findings make it write. */
static int follow_findings(struct tcpfsm_recorder *rec, const struct options *opts, struct watch *w,
			   struct incidents *in)
{
	struct watch_alarm alarm;
	int rc, end = 0;

	while (!end) {
		rc = watch_step(w, &alarm);
		if (rc < 0)
			return rc;
		if (rc == 1) {
			tell_alarm(&alarm, in, opts);
			in->n++;
			in->until = monotonic_ns() + opts->after;
			rc = tcpfsm_recorder_resume(rec);
			if (rc)
				return rc;
		}
		end = rc == TCPFSM_FOLLOW_END;
		rc = write_on(rec, opts);
		if (rc)
			return rc < 0 ? rc : 0;
		if (in->until && monotonic_ns() >= in->until) {
			in->until = 0;
			rc = tcpfsm_recorder_hold(rec);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool keeps(const struct tcpfsm_record *r, void *arg)
{
	return tcpfsm_filter_record(arg, r);
}

static uint64_t files_bytes;

static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)at;
	if (type == FTW_F)
		files_bytes += (uint64_t)st->st_size;
	return 0;
}

/* The size of a recording's files. */
static uint64_t bytes_in(const char *dir)
{
	files_bytes = 0;
	nftw(dir, add_bytes, 16, FTW_PHYS);
	return files_bytes;
}

/* What other readers of CTF take. */
static int unpack(const char *dir)
{
	char why[256];
	int err = tcpfsm_recording_unpack(dir, why, sizeof(why));

	if (!err)
		return EXIT_DONE;
	if (!*why)
		return fail(err, dir);
	complain("%s: %s; %s", dir, why, err == -EBUSY ? "end it first, or copy chunks that are closed" : "see what -r still reads of it");
	return EXIT_ERROR;
}

static int run(const struct options *opts)
{
	struct tcpfsm_recorder_options o = {
		.size = sizeof(o), .follow_new = opts->follow_new, .snapshot = true,
		.keep_bytes = opts->keep_bytes, .keep_ns = opts->keep_ns, .held = opts->on_finding,
		.compress = opts->compress, .compress_end = opts->compress,
	};
	struct sigaction usr1 = { .sa_handler = on_usr1 };
	char filter[TCPFSM_FILTER_TEXT], more[160] = "";
	struct tcpfsm_filter asked = opts->filter;
	struct incidents incidents = { .n = 0 };
	uint64_t written, lost, unwritten;
	struct tcpfsm_recorder *rec;
	struct watch *w = NULL;
	struct tcpfsm_info info = { .size = sizeof(info) };
	uint64_t end;
	int rc, err;

	/* Beyond RLIMIT_FSIZE write() shall fail, not kill. */
	signal(SIGXFSZ, SIG_IGN);
	if (opts->unpack)
		return unpack(opts->file);
	sigaction(SIGUSR1, &usr1, NULL);
	if (opts->given & OPT_FILTER && !tcpfsm_filter_text(&asked, filter, sizeof(filter))) {
		o.keeps = keeps;
		o.keeps_arg = &asked;
		o.filter = filter;
		o.netns = asked.netns;
	}
	rc = tcpfsm_recorder_open(&rec, opts->device, opts->file, &o, &info);
	if (rc == -EEXIST) {
		complain("%s: exists and is not empty; choose a new directory", opts->file);
		return EXIT_ERROR;
	}
	/* Did the device answer?  Then it is the directory that failed. */
	if (rc)
		return info.rings && rc != -EPROTO ? fail(rc, opts->file) :
						     fail_open(rc, opts, &info);
	tell_features(&info, FEATURES_ALL);
	end = opts->duration < NEVER ? monotonic_ns() + opts->duration : UINT64_MAX;
	tell_snapshot(tcpfsm_recorder_snapshot(rec, NULL));
	if (opts->on_finding) {
		rc = watch_open(&w, opts, opts->severity);
		if (rc) {
			tcpfsm_recorder_close(rec, NULL);
			return rc;
		}
		rc = follow_findings(rec, opts, w, &incidents);
		watch_close(w);
		snprintf(more, sizeof(more), "%" PRIu64 " finding%s, ", incidents.n, incidents.n == 1 ? "" : "s");
	} else {
		rc = follow(rec, opts, end);
	}
	tcpfsm_recorder_counts(rec, &written, &lost, NULL);
	if (o.keeps)
		snprintf(more + strlen(more), sizeof(more) - strlen(more), "%" PRIu64 " left out by the filter, ",
			 tcpfsm_recorder_left_out(rec));
	if (interrupted)
		tcpfsm_recorder_signal(rec, interrupted);
	err = tcpfsm_recorder_close(rec, &unwritten);
	if (!rc)
		rc = err;
	if (unwritten)
		complain("%s: %" PRIu64 " records, %s%" PRIu64 " lost, %" PRIu64 " not written, %" PRIu64 " bytes",
			 opts->file, written - unwritten, more, lost, unwritten, bytes_in(opts->file));
	else
		complain("%s: %" PRIu64 " records, %s%" PRIu64 " lost, %" PRIu64 " bytes", opts->file,
			 written, more, lost, bytes_in(opts->file));
	return rc ? fail(rc, opts->file) : EXIT_DONE;
}

const struct command cmd_record = {
	.columns =
		"  DIR         a new directory: a CTF 1.8 trace, which babeltrace2 and Trace\n"
		"              Compass read, too: what the flight recorder holds, sockets that\n"
		"              exist, all records until Ctrl-C, the totals of listeners\n",
	.examples =
		"  For weeks, the last 20 GB of them; SIGUSR1 begins another chunk:\n"
		"    tcpfsm record --keep 20G /var/tmp/always\n"
		"  Only incidents, with what came before them:\n"
		"    tcpfsm record --on-finding --keep 5G /var/tmp/incidents\n",
	.run = run,
};
