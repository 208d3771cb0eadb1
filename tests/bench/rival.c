// SPDX-License-Identifier: GPL-2.0-only
/*
 * rival OBJECT state|all [counting] [mapped] [FILE]: loads and attaches rival.bpf.c and reads its records,
 * as the best of readers would: woken for 64 KiB, else 20 times a second.  SIGINT ends it; it prints
 * how many there were, and how many were lost.
 *
 * state: the tracepoint alone; all: all programs; counting: with counters of listeners; mapped: the ring that
 * is overwritten, instead of BPF's ring buffer, and without FILE nobody reads it; FILE: records go there.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uapi/tcpfsm.h"

#include "rival.h"

#define BLOCK		(64 * 1024)
#define LOOK_MS		50

static volatile sig_atomic_t interrupted;
static unsigned long long seen, lost;
static char *block;
static size_t filled;
static int file = -1;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void keep(const void *record)
{
	memcpy(block + filled, record, sizeof(struct tcpfsm_record));
	filled += sizeof(struct tcpfsm_record);
	if (filled == BLOCK && write(file, block, BLOCK) != BLOCK)
		err(1, "write");
	filled %= BLOCK;
}

static int on_record(void *arg, void *record, size_t size)
{
	(void)arg;
	(void)size;
	seen++;
	if (file >= 0)
		keep(record);
	return 0;
}

static void read_mapped(const struct rival_ring *r, __u64 *cursor)
{
	__u64 head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);

	if (head - *cursor > RIVAL_SLOTS) {
		lost += head - *cursor - RIVAL_SLOTS;
		*cursor = head - RIVAL_SLOTS;
	}
	while (*cursor < head) {
		const struct tcpfsm_record *slot = &r->slot[*cursor & (RIVAL_SLOTS - 1)];
		struct tcpfsm_record copy = *slot;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (copy.seq == ++*cursor && __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == *cursor)
			on_record(NULL, &copy, sizeof(copy));
		else
			lost++;
	}
}

static struct bpf_map *map_of(struct bpf_object *obj, const char *part)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), part))
			return map;
	errx(1, "it has no %s", part);
}

/* Constants in the order that rival.bpf.c has them. */
static void choose(struct bpf_object *obj, bool whole, bool counting, bool mapped)
{
	struct bpf_map *constants = map_of(obj, ".rodata");
	struct bpf_program *prog;
	bool value[] = { whole, counting, mapped };

	if (bpf_map__set_initial_value(constants, value, sizeof(value)))
		err(1, "constants");
	bpf_object__for_each_program(prog, obj)
		if (!whole && strcmp(bpf_program__name(prog), "on_state"))
			bpf_program__set_autoload(prog, false);
}

static void attach(struct bpf_object *obj)
{
	struct bpf_program *prog;

	if (bpf_object__load(obj))
		err(1, "cannot be loaded");
	bpf_object__for_each_program(prog, obj)
		if (bpf_program__autoload(prog) && !bpf_program__attach(prog))
			err(1, "%s: cannot be attached", bpf_program__name(prog));
}

static void read_buffer(struct bpf_object *obj)
{
	struct ring_buffer *rb = ring_buffer__new(bpf_object__find_map_fd_by_name(obj, "ring"), on_record, NULL, NULL);

	if (!rb)
		err(1, "ring buffer");
	while (!interrupted)
		if (ring_buffer__poll(rb, LOOK_MS) >= 0)
			ring_buffer__consume(rb);
	ring_buffer__consume(rb);
}

static void read_rings(struct bpf_object *obj, bool wanted)
{
	__u64 cursor[RIVAL_CPUS] = { 0 };
	const struct rival_ring *rings;
	unsigned int i;

	rings = mmap(NULL, RIVAL_CPUS * sizeof(*rings), PROT_READ, MAP_SHARED, bpf_map__fd(map_of(obj, ".bss.rings")), 0);
	if (rings == MAP_FAILED)
		err(1, "rings");
	while (!interrupted) {
		if (!wanted) {
			pause();
			continue;
		}
		usleep(LOOK_MS * 1000);
		for (i = 0; i < RIVAL_CPUS; i++)
			read_mapped(&rings[i], &cursor[i]);
	}
	for (i = 0; i < RIVAL_CPUS; i++) {
		if (!wanted)
			seen += rings[i].head;
		else
			read_mapped(&rings[i], &cursor[i]);
	}
}

int main(int argc, char **argv)
{
	bool whole = false, counting = false, mapped = false;
	struct bpf_object *obj;
	const char *path = NULL;
	int i;

	if (argc < 3)
		errx(2, "usage: rival OBJECT state|all [counting] [mapped] [FILE]");
	for (i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "all"))
			whole = true;
		else if (!strcmp(argv[i], "counting"))
			counting = true;
		else if (!strcmp(argv[i], "mapped"))
			mapped = true;
		else if (strcmp(argv[i], "state"))
			path = argv[i];
	}
	if (posix_memalign((void **)&block, 4096, BLOCK))
		errx(1, "no memory");
	file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600) : -1;
	if (path && file < 0)
		err(1, "%s", path);
	signal(SIGINT, interrupt);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj)
		err(1, "%s", argv[1]);
	choose(obj, whole, counting, mapped);
	attach(obj);
	if (mapped)
		read_rings(obj, path);
	else
		read_buffer(obj);
	fprintf(stderr, "%llu records, %llu lost\n", seen, lost);
	return 0;
}
