// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOAD: a device that vanishes.  Once the file that GONE names is there, readers of
 * /dev/tcpfsm hear what a driver says that was forced out.  With STALL in the environment
 * it falls silent: its rings stay as they were when they were mapped, while it answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/tcpfsm.h"

int ioctl(int fd, unsigned long request, ...)
{
	const char *file = getenv("GONE");
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((request == TCPFSM_IOC_CONSUMED || request == TCPFSM_IOC_TOTALS) && file && !access(file, F_OK)) {
		errno = ENODEV;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *map = (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset), *copy;

	if (map == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) || !getenv("STALL"))
		return map;
	copy = (void *)syscall(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy != MAP_FAILED)
		memcpy(copy, map, len);
	munmap(map, len);
	return copy;
}

void *mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return mmap(at, len, prot, flags, fd, offset);
}
