/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * A stream's file, compressed: FILE.zst in place of FILE.  zstd(1) reads it, too: first a frame that
 * it skips, which tells the size of FILE and of this file, then frames of PACKED_FRAME bytes
 * of FILE, each by itself, so that who reads many files at a time needs little memory for each.
 *
 * FILE goes when FILE.zst is on the disk, complete: after a crash there is either, or both, and
 * then FILE counts.
 */
#ifndef TCPFSM_LIB_PACKED_H
#define TCPFSM_LIB_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

#define PACKED_SUFFIX	".zst"
#define PACKED_FRAME	(64U << 10)

/* What is said of files that are not so. */
#define PACKED_FOREIGN	"not compressed by tcpfsm"
#define PACKED_DAMAGED	"compressed data is cut or damaged"

/* ---- reading ------------------------------------------------------------------- */

/* So many bytes of any file from there on.  Return: how much there is of it; a negative errno. */
ssize_t read_at(int fd, void *buf, size_t len, uint64_t off);

/* What it tells of itself. */
struct packed_sizes {
	uint64_t plain, packed;
};

/* Return: 0; -EBADMSG: none of ours; another negative errno. */
int packed_sizes(int fd, struct packed_sizes *sizes);
/* Where the first frame is. */
#define PACKED_BEGIN	24U

/* For any number of files, one at a time.  NULL: no memory. */
struct unpacker;
struct unpacker *unpacker_new(void);
void unpacker_free(struct unpacker *u);

/*
 * The frame at *at of a file, which then is where the next one is.  buf: PACKED_FRAME bytes.
 * Return: how many there are; 0: no frame; -EBADMSG: it is cut, damaged, or none of ours; another
 * negative errno.
 */
ssize_t unpack_frame(struct unpacker *u, int fd, uint64_t *at, void *buf);

/* ---- files -------------------------------------------------------------------------- */

/*
 * Compresses the streams of a directory; what would not get smaller stays as it is.  When stop(), asked
 * often, says so, it gives up; NULL: never.  Return: 0; a negative errno, and nothing has changed.
 */
int pack_streams(int dirfd, bool (*stop)(void *arg), void *arg);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_PACKED_H */
