/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* A thread that compresses the chunks of a recording that are closed, when the machine has nothing else to do. */
#ifndef TCPFSM_LIB_PACKER_H
#define TCPFSM_LIB_PACKER_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* "000001" and so on, in a recording's directory. */
#define CHUNK_FORMAT	"%06" PRIu64

/* As a whole: one that is half removed is none any more. */
void chunk_remove(int dirfd, uint64_t number);
/* What it has on the disk, in bytes. */
uint64_t chunk_bytes(int dirfd, uint64_t number);

/* Nothing here waits for the thread but packer_close(). */
struct packer;

/* dirfd: is not taken.  Return: 0 or a negative errno. */
int packer_open(struct packer **p, int dirfd);
/* All up to this one are closed, and those before first are gone or go. */
void packer_tell(struct packer *p, uint64_t closed, uint64_t first);
/* It has been at all up to this one. */
uint64_t packer_done(const struct packer *p);
/* finish: what is left is done first, by who calls. */
void packer_close(struct packer *p, bool finish);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_PACKER_H */
