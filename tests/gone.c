// SPDX-License-Identifier: GPL-2.0
/*
 * LD_PRELOAD: a device that vanishes.  Once the file that GONE names is there, readers of
 * /dev/tcpfsm hear what a driver says that was forced out.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
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
	if (request == TCPFSM_IOC_CONSUMED && file && !access(file, F_OK)) {
		errno = ENODEV;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}
