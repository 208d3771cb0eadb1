/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_SOURCE_H
#define TCPFSM_LIB_SOURCE_H

#include "device.h"
#include "ring.h"
#include "snapshot.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/*
 * What a live source and a recording have in common.  Items from ahead to end
 * are next as long as their ts is less than below: tcpfsm_source_next() takes
 * them without asking.
 */
struct tcpfsm_source {
	const struct tcpfsm_item *ahead, *end;
	uint64_t below;
	int (*next)(struct tcpfsm_source *src, const struct tcpfsm_item **item);
	int (*wait)(struct tcpfsm_source *src, int timeout_ms);
	int (*totals)(struct tcpfsm_source *src);	/* NULL: it has its own */
	int (*resync)(struct tcpfsm_source *src);	/* likewise */
	/* NULL: it has no rings */
	int (*reach)(const struct tcpfsm_source *src, uint32_t cpu, struct tcpfsm_reach *reach);
	const char *(*missing)(struct tcpfsm_source *src);	/* NULL: nothing is */
	void (*close)(struct tcpfsm_source *src);
	enum tcpfsm_end how_ended;
	unsigned int end_code;
	int64_t epoch_offset;
	unsigned int abi;
	int32_t feature_error[TCPFSM_FEATURE_SLOTS];	/* recording: as in struct tcpfsm_info */
	uint64_t delivered;
	uint64_t lost;
	int watch_fd;			/* that ends wait(), too; -1: none */
	bool growing;			/* a recording to which more may come, */
	uint64_t upto;			/* and all before this time has been given where next() has nothing */
	uint64_t sockets;		/* delivered, of a snapshot */
	int snapshot_error;		/* of a snapshot that is over */
	char filter[1024];		/* of a recording; "": all is in it */
	uint64_t left_out;		/* by that, if it was ended */
	char error[256];
};

/**
 * source_attach() - a device, and the snapshot that goes before its records
 * @snapshot: set to NULL when @opts does not ask for one
 * @opts: of copy_opts()
 * @info: as tcpfsm_source_open_device() has it
 *
 * Return: 0; errors of tcpfsm_source_open_device(), and then neither is open.
 */
int source_attach(struct device **dev, struct snapshot **snapshot, const char *path,
		  const struct tcpfsm_source_options *opts, struct tcpfsm_info *info);

/* tcpfsm_source_open_recording(); follow: while it is being written, next() has nothing at times, as live. */
int source_open_recording(struct tcpfsm_source **src, const char *dir, bool follow, const char **why);

/* What a recording tells of the module that made its records: features and their errors. */
void source_recorded_info(const struct tcpfsm_source *src, struct tcpfsm_info *info);

/**
 * source_open_rings() - a live source without a device (tests, benchmarks)
 * @rings: attached readers in the order of their CPUs, with hdr NULL where there is none;
 *	   must outlive the source
 * @slack_ns: how long a record may take from its ts to its publication
 * @epoch_offset: as struct tcpfsm_info has it
 */
int source_open_rings(struct tcpfsm_source **src, struct ring_reader *rings,
		      unsigned int n, uint64_t slack_ns,
		      int64_t epoch_offset);

/*
 * The totals that come next in a live source: memory of malloc(), which it frees.
 * They take the place of any that are still to come.
 */
void source_put_totals(struct tcpfsm_source *src, struct tcpfsm_record *totals, size_t n);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_SOURCE_H */
