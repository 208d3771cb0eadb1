// SPDX-License-Identifier: GPL-2.0-only
/*
 * reader_storm SECONDS READERS: so many readers of /dev/tcpfsm at a time, each with a life of its
 * own that is drawn by lot: opens, asks, maps some rings, reads, sleeps in poll(), forks, unmaps,
 * and ends by itself or is killed.  Prints how many of each.
 *
 * reader_storm -f: one reader that follows all rings until SIGINT, slowly enough to lose records.
 *
 * Every reader checks its own books, ring by ring, with the records' numbers and not with what the
 * library counts: delivered + lost = produced, as the ring's head has it.  Exits with 1 if one's
 * do not balance, or a call fails that must not.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/lib/source/ring.h"
#include "types.h"

#define RINGS_MAX	64
#define READERS_MAX	256
#define BATCH		128

static struct {
	atomic_ulong opened, mapped, unmapped, forked, asked, totals, polled, killed, ended;
	atomic_ulong produced, delivered, lost, failed;
} *books;

static struct reader {
	int fd;
	struct tcpfsm_info info;
	void *map[RINGS_MAX];
	struct ring_reader ring[RINGS_MAX];
	uint64_t begin[RINGS_MAX];
	uint64_t last[RINGS_MAX];
	uint64_t delivered[RINGS_MAX];
	uint64_t lost[RINGS_MAX];
} me;

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void fail(const char *what, unsigned int ring)
{
	int e = errno;

	fprintf(stderr, "reader %d, ring %u: %s (%s)\n", getpid(), ring, what, strerror(e));
	books->failed++;
	exit(1);
}

static unsigned int lot(unsigned int n)
{
	return (unsigned int)random() % n;
}

static void open_device(void)
{
	me.fd = open(TCPFSM_DEVICE, O_RDONLY | O_CLOEXEC);
	if (me.fd < 0)
		fail("open", 0);
	books->opened++;
}

static void ask(void)
{
	me.info = (struct tcpfsm_info) { .size = sizeof(me.info), .abi = TCPFSM_ABI_VERSION };
	if (ioctl(me.fd, TCPFSM_IOC_INFO, &me.info) || me.info.rings > RINGS_MAX)
		fail("TCPFSM_IOC_INFO", 0);
	books->asked++;
}

/* Head as another than the library's reader sees it. */
static uint64_t head(unsigned int i)
{
	return __atomic_load_n((const uint64_t *)me.map[i], __ATOMIC_ACQUIRE);
}

static void map_ring(unsigned int i)
{
	void *p = mmap(NULL, me.info.ring_bytes, PROT_READ, MAP_SHARED, me.fd,
		       (off_t)(i * me.info.ring_stride));

	/* A CPU that has not been online yet has none. */
	if (p == MAP_FAILED) {
		if (errno != ENXIO)
			fail("mmap", i);
		return;
	}
	me.map[i] = p;
	if (ring_attach(&me.ring[i], p, (char *)p + 4096, me.info.slots, i, true))
		fail("geometry", i);
	me.begin[i] = me.last[i] = me.ring[i].start;
	me.delivered[i] = me.lost[i] = 0;
	books->mapped++;
}

static void unmap_ring(unsigned int i)
{
	if (!me.map[i])
		return;
	if (munmap(me.map[i], me.info.ring_bytes))
		fail("munmap", i);
	me.map[i] = NULL;
	books->unmapped++;
}

/* Up to @until, or all there is. */
static void read_ring(unsigned int i, uint64_t until)
{
	static struct tcpfsm_record batch[BATCH];
	size_t n, k;

	while (me.map[i] && me.ring[i].cursor < until) {
		size_t room = until - me.ring[i].cursor < BATCH ? until - me.ring[i].cursor : BATCH;

		n = ring_copy(&me.ring[i], batch, sizeof(*batch), room);
		ring_take_gap(&me.ring[i]);
		for (k = 0; k < n; k++) {
			const struct tcpfsm_record *r = &batch[k];

			if (r->seq <= me.last[i] || !is_type[r->type])
				fail("not a record", i);
			me.lost[i] += r->seq - me.last[i] - 1;
			me.last[i] = r->seq;
			me.delivered[i]++;
		}
		/* A gap of which the other side is not there yet. */
		if (!n && !ring_behind(&me.ring[i]))
			return;
	}
}

static void read_all(void)
{
	unsigned int i;
	uint64_t consumed = 0;

	for (i = 0; i < me.info.rings; i++) {
		read_ring(i, UINT64_MAX);
		consumed += me.ring[i].cursor;
	}
	if (ioctl(me.fd, TCPFSM_IOC_CONSUMED, &consumed))
		fail("TCPFSM_IOC_CONSUMED", 0);
}

/* The books at the end; the last records may be lost rather than delivered. */
static void balance(int show)
{
	unsigned int i;

	for (i = 0; i < me.info.rings; i++) {
		uint64_t end;

		if (!me.map[i])
			continue;
		end = head(i);
		read_ring(i, end);
		/* The reader may have been lapped: then it stands beyond the end. */
		if (me.ring[i].cursor > end)
			end = me.ring[i].cursor;
		me.lost[i] += end - me.last[i];
		if (me.ring[i].cursor != end)
			fail("not read to its end", i);
		if (me.delivered[i] + me.lost[i] != end - me.begin[i] ||
		    me.delivered[i] != ring_delivered(&me.ring[i]) || me.lost[i] != me.ring[i].lost)
			fail("delivered + lost != produced", i);
		books->produced += end - me.begin[i];
		books->delivered += me.delivered[i];
		books->lost += me.lost[i];
		if (show)
			printf("cpu %u: produced %llu = delivered %llu + lost %llu\n", i,
			       (unsigned long long)(end - me.begin[i]),
			       (unsigned long long)me.delivered[i], (unsigned long long)me.lost[i]);
	}
}

static void doze(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void ask_totals(void)
{
	struct tcpfsm_totals t = { .count = 1 + lot(20000) };
	struct tcpfsm_record *r = calloc(t.count, sizeof(*r));

	t.records = (uintptr_t)r;
	if (!r || (ioctl(me.fd, TCPFSM_IOC_TOTALS, &t) && errno != ENOSPC))
		fail("TCPFSM_IOC_TOTALS", 0);
	free(r);
	books->totals++;
}

static void life(void)
{
	struct pollfd p = { .events = POLLIN };
	unsigned int steps, i;
	pid_t child = 0;

	srandom((unsigned int)getpid() * 2654435761U + (unsigned int)time(NULL));
	open_device();
	if (!lot(8))
		exit(0);
	ask();
	for (i = 0; i < me.info.rings; i++)
		if (lot(4))
			map_ring(i);
	p.fd = me.fd;
	for (steps = lot(40); steps; steps--) {
		switch (lot(8)) {
		case 0:
			i = lot(me.info.rings);
			if (me.map[i])
				unmap_ring(i);
			else
				map_ring(i);
			break;
		case 1:
			if (child || lot(4))
				break;
			/* It has the file, the mappings, and goes on by itself. */
			child = fork();
			if (child < 0)
				fail("fork", 0);
			if (!child) {
				books->forked++;
				srandom((unsigned int)getpid());
				child = -1;
			}
			break;
		case 2:
			poll(&p, 1, (int)lot(200));
			books->polled++;
			break;
		case 3:
			ask_totals();
			break;
		case 4:
			ask();
			break;
		case 5:
			doze(lot(100));
			break;
		default:
			read_all();
		}
	}
	balance(0);
	/* Half of them leave to the kernel what they have mapped. */
	if (lot(2)) {
		for (i = 0; i < me.info.rings; i++)
			unmap_ring(i);
		close(me.fd);
	}
	books->ended++;
	exit(0);
}

static void storm(unsigned int seconds, unsigned int readers)
{
	pid_t pid[READERS_MAX] = { 0 };
	time_t end = time(NULL) + seconds;
	unsigned int i;
	pid_t dead;

	/* Children of children hold the module as well: they come here when their parent has died. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		err(1, "prctl");
	do {
		for (i = 0; i < readers; i++) {
			if (!pid[i]) {
				pid[i] = fork();
				if (pid[i] < 0)
					err(1, "fork");
				if (!pid[i])
					life();
			}
			if (!lot(200) && !kill(pid[i], SIGKILL))
				books->killed++;
		}
		while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
			for (i = 0; i < readers; i++)
				if (pid[i] == dead)
					pid[i] = 0;
		doze(5);
	} while (time(NULL) < end);
	for (i = 0; i < readers; i++)
		if (pid[i] && lot(2) && !kill(pid[i], SIGKILL))
			books->killed++;
	while (wait(NULL) > 0)
		;
}

static void follow(void)
{
	unsigned int i;

	sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
	open_device();
	ask();
	for (i = 0; i < me.info.rings; i++)
		map_ring(i);
	printf("ready\n");
	fflush(stdout);
	while (!interrupted) {
		struct pollfd p = { .fd = me.fd, .events = POLLIN };

		poll(&p, 1, 1000);
		/* Rings may come: what they lost before there was one counts, too. */
		for (i = 0; i < me.info.rings; i++) {
			if (me.map[i])
				continue;
			map_ring(i);
			if (me.map[i]) {
				me.ring[i].cursor = ((const struct tcpfsm_ring *)me.map[i])->begin;
				ring_from_begin(&me.ring[i]);
				me.begin[i] = me.last[i] = 0;
			}
		}
		read_all();
	}
	balance(1);
}

int main(int argc, char **argv)
{
	books = mmap(NULL, sizeof(*books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (books == MAP_FAILED)
		err(1, "mmap");
	if (argc == 2 && !strcmp(argv[1], "-f")) {
		follow();
	} else if (argc == 3 && atoi(argv[1]) > 0 && atoi(argv[2]) > 0 && atoi(argv[2]) <= READERS_MAX) {
		storm((unsigned int)atoi(argv[1]), (unsigned int)atoi(argv[2]));
		printf("%lu opened, %lu forked, %lu mapped, %lu unmapped, %lu infos, %lu totals, %lu polls, %lu killed, %lu at their end\n",
		       books->opened, books->forked, books->mapped, books->unmapped, books->asked,
		       books->totals, books->polled, books->killed, books->ended);
	} else {
		errx(2, "usage: reader_storm SECONDS READERS|-f");
	}
	printf("produced %lu = delivered %lu + lost %lu; %lu failed\n", books->produced,
	       books->delivered, books->lost, books->failed);
	return books->failed || books->produced != books->delivered + books->lost;
}
