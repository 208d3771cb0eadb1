// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The recorder tells which chunks are closed and the thread how far it is, by words that each writes
 * alone: no lock, or on a busy machine the recorder would wait for a thread that gets no time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "packed.h"
#include "packer.h"

#define NAME_ROOM	32

struct packer {
	pthread_t thread;
	sem_t wake;
	int dirfd;
	_Atomic uint64_t closed, first;	/* by the recorder */
	_Atomic uint64_t done;		/* by the thread */
	atomic_bool quit;
};

/* ---- a chunk ------------------------------------------------------------------------ */

static DIR *open_chunk(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static bool is_file(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

void chunk_remove(int parent, uint64_t number)
{
	char name[NAME_ROOM], hidden[NAME_ROOM];
	struct dirent *e;
	DIR *d;

	snprintf(name, sizeof(name), CHUNK_FORMAT, number);
	snprintf(hidden, sizeof(hidden), "." CHUNK_FORMAT, number);
	/* It may be so already: of recorder and thread the last one leaves nothing. */
	if (renameat(parent, name, parent, hidden) && errno != ENOENT)
		return;
	d = open_chunk(parent, hidden);
	if (!d)
		return;
	while ((e = readdir(d)))
		if (is_file(e))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	unlinkat(parent, hidden, AT_REMOVEDIR);
}

uint64_t chunk_bytes(int parent, uint64_t number)
{
	uint64_t blocks = 0;
	char name[NAME_ROOM];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(name, sizeof(name), CHUNK_FORMAT, number);
	d = open_chunk(parent, name);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, "..") && !fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			blocks += (uint64_t)st.st_blocks;
	closedir(d);
	return blocks * 512;
}

/* The chunk it is at has gone, or all is over. */
static bool is_over(void *arg)
{
	const struct packer *p = arg;

	return atomic_load_explicit(&p->quit, memory_order_relaxed) ||
	       atomic_load_explicit(&p->first, memory_order_relaxed) > p->done + 1;
}

static void pack_chunk(struct packer *p, uint64_t number)
{
	char name[NAME_ROOM];
	int fd;

	snprintf(name, sizeof(name), CHUNK_FORMAT, number);
	fd = openat(p->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Where it fails, as on a full disk, the chunk stays as it is. */
	(void)pack_streams(fd, is_over, p);
	close(fd);
	/* It was removed meanwhile, and we may have made a file in it since. */
	if (faccessat(p->dirfd, name, F_OK, 0))
		chunk_remove(p->dirfd, number);
}

/* ---- the thread ------------------------------------------------------------------------ */

/* All that is closed and still there. */
static void pack_on(struct packer *p)
{
	while (!atomic_load(&p->quit) && p->done < atomic_load(&p->closed)) {
		uint64_t number = p->done + 1;

		if (number >= atomic_load(&p->first))
			pack_chunk(p, number);
		if (atomic_load(&p->quit))
			return;
		atomic_store(&p->done, number);
	}
}

static void *run(void *arg)
{
	struct sched_param idle = { .sched_priority = 0 };
	struct packer *p = arg;

	/* Its reads and writes are idle, too, where the disk's scheduler knows that. */
	(void)!pthread_setschedparam(pthread_self(), SCHED_IDLE, &idle);
	while (!atomic_load(&p->quit)) {
		if (!sem_wait(&p->wake))
			pack_on(p);
	}
	return NULL;
}

/* Signals are for the thread that records. */
static int start(struct packer *p)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int packer_open(struct packer **out, int dirfd)
{
	struct packer *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	p->dirfd = dirfd;
	sem_init(&p->wake, 0, 0);
	err = start(p);
	if (err) {
		sem_destroy(&p->wake);
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void packer_tell(struct packer *p, uint64_t closed, uint64_t first)
{
	atomic_store(&p->first, first);
	if (atomic_exchange(&p->closed, closed) != closed)
		sem_post(&p->wake);
}

uint64_t packer_done(const struct packer *p)
{
	return p->done;
}

void packer_close(struct packer *p, bool finish)
{
	if (!p)
		return;
	atomic_store(&p->quit, true);
	sem_post(&p->wake);
	pthread_join(p->thread, NULL);
	atomic_store(&p->quit, false);
	if (finish)
		pack_on(p);
	sem_destroy(&p->wake);
	free(p);
}
