// SPDX-License-Identifier: GPL-2.0-only
/*
 * callers THREADS SECONDS: TCPFSM_IOC_TOTALS with room for half a million records, from so many
 * threads at once, as fast as it goes. Prints how often it was answered.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "uapi/tcpfsm.h"

#define COUNT	(1UL << 19)

static atomic_ulong answered, refused;
static uint64_t records;
static time_t end;
static int fd;

static void *call(void *unused)
{
	(void)unused;
	while (time(NULL) < end) {
		struct tcpfsm_totals totals = { .records = records, .count = COUNT };

		if (!ioctl(fd, TCPFSM_IOC_TOTALS, &totals))
			answered++;
		else if (errno == ENOMEM || errno == EAGAIN)
			refused++;
		else
			err(1, "TCPFSM_IOC_TOTALS");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct tcpfsm_info info = { .size = sizeof(info), .abi = TCPFSM_ABI_VERSION };
	int i, threads = argc == 3 ? atoi(argv[1]) : 0;
	pthread_t thread[256];
	pthread_attr_t attr;
	void *room;

	if (threads < 1 || threads > 256)
		errx(2, "usage: callers THREADS SECONDS");
	fd = open(TCPFSM_DEVICE, O_RDONLY);
	if (fd < 0 || ioctl(fd, TCPFSM_IOC_INFO, &info))
		err(1, TCPFSM_DEVICE);
	room = mmap(NULL, COUNT * sizeof(struct tcpfsm_record), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		err(1, "mmap");
	records = (uintptr_t)room;
	end = time(NULL) + atoi(argv[2]);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], &attr, call, NULL))
			err(1, "pthread_create");
	while (i--)
		pthread_join(thread[i], NULL);
	printf("%lu %lu\n", (unsigned long)answered, (unsigned long)refused);
	return 0;
}
