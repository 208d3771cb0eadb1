// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm record DIR: what the rings hold, as a CTF trace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "source/pace.h"
#include "cli.h"

static int follow(struct tcpfsm_recorder *rec, const struct options *opts, uint64_t end)
{
	uint64_t written, now;
	int rc;

	for (;;) {
		rc = tcpfsm_recorder_drain(rec);
		if (rc < 0)
			return rc;
		tcpfsm_recorder_counts(rec, &written, NULL, NULL);
		if (opts->count && written >= opts->count)
			return 0;
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

/* The size of a recording's files. */
static uint64_t bytes_in(const char *dir)
{
	DIR *d = opendir(dir);
	uint64_t bytes = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, 0) && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	if (d)
		closedir(d);
	return bytes;
}

static int run(const struct options *opts)
{
	struct tcpfsm_source_options o = {
		.size = sizeof(o), .follow_new = opts->follow_new, .snapshot = true,
	};
	uint64_t written, lost;
	struct tcpfsm_recorder *rec;
	struct tcpfsm_info info = { .size = sizeof(info) };
	uint64_t end;
	int rc, err;

	rc = tcpfsm_recorder_open(&rec, opts->device, opts->dir, &o, &info);
	if (rc == -EEXIST) {
		complain("%s: exists and is not empty; choose a new directory", opts->dir);
		return EXIT_ERROR;
	}
	/* Did the device answer?  Then it is the directory that failed. */
	if (rc)
		return info.rings && rc != -EPROTO ? fail(rc, opts->dir) :
						     fail_open(rc, opts, &info);
	tell_features(&info, FEATURES_ALL);
	end = opts->duration < NEVER ? monotonic_ns() + opts->duration : UINT64_MAX;
	tell_snapshot(tcpfsm_recorder_snapshot(rec, NULL));

	rc = follow(rec, opts, end);
	tcpfsm_recorder_counts(rec, &written, &lost, NULL);
	err = tcpfsm_recorder_close(rec);
	if (!rc)
		rc = err;
	complain("%s: %" PRIu64 " records, %" PRIu64 " lost, %" PRIu64 " bytes", opts->dir,
		 written, lost, bytes_in(opts->dir));
	return rc ? fail(rc, opts->dir) : EXIT_DONE;
}

const struct command cmd_record = {
	.name = "record",
	.args = "DIR",
	.text = "save the records to DIR as a CTF trace, for -r",
	.options = OPT_COUNT | OPT_DURATION | OPT_FOLLOW_NEW,
	.run = run,
};
