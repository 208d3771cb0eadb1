// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "device.h"
#include "opts.h"

#define RINGS_MAX	65536U

/*
 * A program in its build tree has what loads the module of that tree in ../scripts; an installed
 * one has not, and its module is installed, too.  So what is said can be done, and nothing is
 * built again for its installation.
 */
const char *tcpfsm_load_command(char command[TCPFSM_LOAD_COMMAND_MAX])
{
	static const char make[] = "make -C ", load[] = " load", script[] = "/scripts/load";
	char *tree = command + strlen(make), *end;
	/* Room for what follows it; a tree of a longer name is not told. */
	size_t max = TCPFSM_LOAD_COMMAND_MAX - sizeof(make) - sizeof(script);
	ssize_t n = readlink("/proc/self/exe", tree, max);
	int i;

	if (n > 0 && (size_t)n < max) {
		tree[n] = '\0';
		for (i = 0; i < 2 && (end = strrchr(tree, '/')); i++)
			*end = '\0';
		end = tree + strlen(tree);
		strcpy(end, script);
		if (!access(tree, X_OK)) {
			memcpy(command, make, strlen(make));
			strcpy(end, load);
			return command;
		}
	}
	return strcpy(command, "modprobe tcpfsm");
}

int device_check_info(const struct tcpfsm_info *info, size_t page)
{
	/* A module of before leaves the rest as it is: 0. */
	if (info->abi != TCPFSM_ABI_VERSION || info->size < offsetof(struct tcpfsm_info, made) ||
	    info->record_size != sizeof(struct tcpfsm_record))
		return -EPROTO;
	if (info->slots < 2 || info->slots > RING_SLOTS_MAX ||
	    (info->slots & (info->slots - 1)))
		return -EPROTO;
	if (!info->rings || info->rings > RINGS_MAX)
		return -EPROTO;
	if (info->ring_bytes < page + (uint64_t)info->slots * info->record_size ||
	    info->ring_bytes % page || info->ring_bytes > SIZE_MAX / 2)
		return -EPROTO;
	if (info->ring_stride < info->ring_bytes || info->ring_stride % page ||
	    info->ring_stride > (uint64_t)INT64_MAX / info->rings)
		return -EPROTO;
	return 0;
}

/* Return: 0, also when there is no such ring yet; a negative errno. */
static int device_map_ring(struct device *dev, unsigned int i, bool follow_new)
{
	const struct tcpfsm_info *info = &dev->info;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tcpfsm_ring *hdr;
	void *map;
	int err;

	map = mmap(NULL, (size_t)info->ring_bytes, PROT_READ, MAP_SHARED, dev->fd,
		   (off_t)(i * info->ring_stride));
	if (map == MAP_FAILED)
		return errno == ENXIO ? 0 : -errno;
	hdr = map;
	err = hdr->slots == info->slots && hdr->cpu == i ? 0 : -EPROTO;
	if (!err)
		err = ring_attach(&dev->rings[i], hdr, (const char *)map + page,
				  info->slots, i, follow_new);
	if (err) {
		munmap(map, (size_t)info->ring_bytes);
		return err;
	}
	if (!dev->any)
		dev->any = hdr;
	return 0;
}

static int device_map(struct device *dev, bool follow_new)
{
	unsigned int i;
	int err = 0;

	dev->rings = calloc(dev->info.rings, sizeof(*dev->rings));
	if (!dev->rings)
		return -ENOMEM;
	dev->nrings = dev->info.rings;
	/* Those made after this number was told are looked for once more. */
	dev->made = dev->info.made;
	for (i = 0; !err && i < dev->nrings; i++)
		err = device_map_ring(dev, i, follow_new);
	if (!err && !dev->any)
		err = -EPROTO;
	return err;
}

int device_map_new(struct device *dev)
{
	uint32_t made = device_made(dev);
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < dev->nrings; i++) {
		if (dev->rings[i].hdr)
			continue;
		err = device_map_ring(dev, i, false);
		if (dev->rings[i].hdr)
			ring_from_begin(&dev->rings[i]);
	}
	if (!err)
		dev->made = made;
	return err;
}

int device_open(struct device **out, const char *path, bool follow_new,
		struct tcpfsm_info *info)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct device *dev;
	int err;

	*out = NULL;
	if (info && info->size < sizeof(info->size))
		return -EINVAL;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;

	dev->fd = open(path ? path : TCPFSM_DEVICE, O_RDONLY | O_CLOEXEC);
	if (dev->fd < 0) {
		err = -errno;
		free(dev);
		return err;
	}

	dev->info.size = sizeof(dev->info);
	dev->info.abi = TCPFSM_ABI_VERSION;
	err = ioctl(dev->fd, TCPFSM_IOC_INFO, &dev->info) < 0 ? -errno : 0;
	dev->info.version[sizeof(dev->info.version) - 1] = 0;
	if (!err)
		err = device_check_info(&dev->info, page);
	if (info)
		give_info(info, &dev->info);
	if (!err)
		err = device_map(dev, follow_new);
	if (err) {
		device_close(dev);
		return err;
	}
	*out = dev;
	return 0;
}

void device_close(struct device *dev)
{
	unsigned int i;

	if (!dev)
		return;
	for (i = 0; i < dev->nrings; i++)
		if (dev->rings[i].hdr)
			munmap((void *)(uintptr_t)dev->rings[i].hdr, (size_t)dev->info.ring_bytes);
	close(dev->fd);
	free(dev->rings);
	free(dev);
}

int device_totals(struct device *dev, struct tcpfsm_record **records, size_t *n)
{
	struct tcpfsm_record *room = NULL;
	struct tcpfsm_totals totals;
	size_t count = dev->totals_room;

	*records = NULL;
	*n = 0;
	if (count) {
		room = malloc(count * sizeof(*room));
		if (!room)
			return -ENOMEM;
	}
	totals = (struct tcpfsm_totals) { .records = (uintptr_t)room, .count = count };
	/* The first call ever tells how many there are; some may come meanwhile. */
	while (ioctl(dev->fd, TCPFSM_IOC_TOTALS, &totals) < 0) {
		int err = -errno;

		free(room);
		if (err != -ENOSPC)
			return err;
		/* There was room for all of them: the module hands out no more at a time. */
		if (totals.count <= count)
			return -EOVERFLOW;
		count = totals.count + totals.count / 8 + 64;
		room = malloc(count * sizeof(*room));
		if (!room)
			return -ENOMEM;
		totals.records = (uintptr_t)room;
		totals.count = count;
	}
	dev->totals_room = totals.count + totals.count / 8 + 64;
	*records = room;
	*n = totals.count;
	return 0;
}

int device_wait(struct device *dev, int64_t timeout_ns, int fd)
{
	struct pollfd pfd[2] = {
		{ .fd = dev->fd, .events = POLLIN }, { .fd = fd, .events = POLLIN },
	};
	struct timespec ts;
	__u64 consumed = 0;
	unsigned int i;
	int n;

	for (i = 0; i < dev->nrings; i++)
		consumed += dev->rings[i].cursor;
	if (ioctl(dev->fd, TCPFSM_IOC_CONSUMED, &consumed) < 0)
		return -errno;

	if (timeout_ns >= 0) {
		ts.tv_sec = (time_t)(timeout_ns / (int64_t)NSEC_PER_SEC);
		ts.tv_nsec = (long)(timeout_ns % (int64_t)NSEC_PER_SEC);
	}
	n = ppoll(pfd, 2, timeout_ns >= 0 ? &ts : NULL, NULL);
	if (n < 0)
		return -errno;
	if (pfd[0].revents && !(pfd[0].revents & POLLIN))
		return -ENODEV;
	return n > 0;
}
