/* SPDX-License-Identifier: GPL-2.0-only */
/* accept() and listen() in other ways: by io_uring, and as 32-bit programs call them. */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- io_uring, one call at a time ------------------------------------------------- */

static int ring_fd = -1;
static struct io_uring_params ring;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

static void ring_make(void)
{
	ring_fd = (int)syscall(__NR_io_uring_setup, 4, &ring);
	if (ring_fd < 0)
		err(1, "io_uring_setup");
	sq = mmap(NULL, ring.sq_off.array + ring.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, ring.cq_off.cqes + ring.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring_fd, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, ring.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		err(1, "mmap");
}

/* Return: its result; makes the ring the first time. */
static int ring_call(uint8_t op, int fd, uint32_t len)
{
	unsigned int *tail, *array, *head, i;
	struct io_uring_cqe *cqe;
	int res;

	if (ring_fd < 0)
		ring_make();
	tail = (unsigned int *)(sq + ring.sq_off.tail);
	array = (unsigned int *)(sq + ring.sq_off.array);
	head = (unsigned int *)(cq + ring.cq_off.head);
	cqe = (struct io_uring_cqe *)(cq + ring.cq_off.cqes);
	i = *tail & (ring.sq_entries - 1);
	memset(&sqes[i], 0, sizeof(sqes[i]));
	sqes[i].opcode = op;
	sqes[i].fd = fd;
	sqes[i].len = len;
	array[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		err(1, "io_uring_enter");
	res = cqe[*head & (ring.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

/* ---- system calls of 32-bit programs ---------------------------------------------- */

static int call32(int nr, long a, long b, long c, long d)
{
	int ret = -ENOSYS;
#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory", "r8", "r9", "r10", "r11");
#else
	(void)nr, (void)a, (void)b, (void)c, (void)d;
#endif
	return ret;
}

static inline int accept_by_uring(int fd)
{
	return ring_call(IORING_OP_ACCEPT, fd, 0);
}

static inline int accept_by_compat(int fd)
{
	return call32(364, fd, 0, 0, 0);
}

#endif /* TESTS_CALLS_H */
