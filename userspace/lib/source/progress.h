/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * How far a recorder is, for who reads while it writes.  It tells by a lock on the recording's
 * directory: that costs no byte on the disk, and it goes when the recorder goes, however that
 * happens.
 */
#ifndef TCPFSM_LIB_PROGRESS_H
#define TCPFSM_LIB_PROGRESS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "clock.h"

struct progress {
	uint64_t upto;			/* all records before this time are in the files */
	uint64_t chunk;			/* that it is at; those before it are closed */
};

/* Where the lock begins, and its length: it is one more, as 0 would mean to the end. */
static inline struct flock progress_lock(short type, const struct progress *p)
{
	return (struct flock) {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)p->upto, .l_len = (off_t)p->chunk + 1,
	};
}

/* Steps of time are so long: longer than any lock. */
#define PROGRESS_STEP_NS	(NSEC_PER_SEC / 10)

/* In place of was.  Where there are no locks, nobody can follow. */
static inline void progress_tell(int dirfd, const struct progress *p, const struct progress *was)
{
	struct flock now = progress_lock(F_RDLCK, p), before = progress_lock(F_UNLCK, was);

	if (!fcntl(dirfd, F_OFD_SETLK, &now) && p->upto != was->upto)
		(void)fcntl(dirfd, F_OFD_SETLK, &before);
}

/* Nobody writes any more. */
static inline void progress_end(int dirfd)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(dirfd, F_OFD_SETLK, &all);
}

/* Return: false: nobody is writing. */
static inline bool progress_read(int dirfd, struct progress *p)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(dirfd, F_OFD_GETLK, &l) || l.l_type == F_UNLCK)
		return false;
	*p = (struct progress) { (uint64_t)l.l_start, (uint64_t)l.l_len - 1 };
	return true;
}

#endif /* TCPFSM_LIB_PROGRESS_H */
