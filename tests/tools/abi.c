// SPDX-License-Identifier: GPL-2.0-only
/* What /dev/tcpfsm must refuse.  One line a test. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/check.h"
#include "uapi/tcpfsm.h"

static struct tcpfsm_info info;
static int fd;

static struct tcpfsm_info ask(__u32 size, __u32 abi, int *error)
{
	struct tcpfsm_info i = { .size = size, .abi = abi };

	*error = ioctl(fd, TCPFSM_IOC_INFO, &i) ? errno : 0;
	return i;
}

static int map_error(__u64 offset, size_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, bytes);
	return 0;
}

static void before_info(void)
{
	__u64 consumed = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(map_error(0, 4096, PROT_READ, MAP_SHARED), EPROTO);
	CHECK(ioctl(fd, TCPFSM_IOC_CONSUMED, &consumed) && errno == EPROTO);
	CHECK(ioctl(fd, TCPFSM_IOC_TOTALS, &consumed) && errno == EPROTO);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLERR);
}

static void versions(void)
{
	struct tcpfsm_info i;
	int error;

	i = ask(sizeof(i), TCPFSM_ABI_VERSION + 1, &error);
	CHECK_EQ(error, EPROTO);
	CHECK_EQ(i.abi, TCPFSM_ABI_VERSION);
	ask(offsetof(struct tcpfsm_info, made) - 1, TCPFSM_ABI_VERSION, &error);
	CHECK_EQ(error, EINVAL);
	ask(0, TCPFSM_ABI_VERSION, &error);
	CHECK_EQ(error, EINVAL);
	CHECK(ioctl(fd, TCPFSM_IOC_INFO, NULL) && errno == EFAULT);
	CHECK(ioctl(fd, _IO(TCPFSM_IOC_MAGIC, 99)) && errno == EPROTO);
	info = ask(sizeof(info), TCPFSM_ABI_VERSION, &error);
	CHECK_EQ(error, 0);
	CHECK_EQ(info.size, sizeof(info));
	CHECK(info.made && info.made <= info.rings);
	CHECK_EQ(info.ring_memory, info.made * info.ring_bytes);
	CHECK(info.listener_memory);
	CHECK_EQ(info.record_size, sizeof(struct tcpfsm_record));
	/* A reader of before: nothing beyond its struct, and no ring that is not there. */
	i = ask(offsetof(struct tcpfsm_info, made), TCPFSM_ABI_VERSION, &error);
	CHECK_EQ(error, 0);
	CHECK_EQ(i.size, offsetof(struct tcpfsm_info, made));
	CHECK(!i.made && !i.ring_memory && !i.listener_memory);
	CHECK(i.rings && i.rings <= info.made);
	CHECK_EQ(map_error((i.rings - 1) * i.ring_stride, i.ring_bytes, PROT_READ, MAP_SHARED), 0);
	CHECK(ioctl(fd, _IO(TCPFSM_IOC_MAGIC, 99)) && errno == ENOTTY);
}

static void maps(void)
{
	size_t ring = info.ring_bytes;
	__u64 end = info.ring_stride * info.rings;
	__u32 i, there = 0;
	void *p;

	for (i = 0; i < info.rings; i++) {
		int e = map_error(i * info.ring_stride, ring, PROT_READ, MAP_SHARED);

		CHECK(!e || e == ENXIO);
		there += !e;
	}
	CHECK_EQ(there, info.made);

	CHECK_EQ(map_error(0, ring, PROT_READ, MAP_SHARED), 0);
	CHECK_EQ(map_error(0, ring, PROT_READ | PROT_WRITE, MAP_SHARED), EACCES);
	CHECK_EQ(map_error(0, ring, PROT_READ | PROT_WRITE, MAP_PRIVATE), EPERM);
	CHECK_EQ(map_error(0, ring, PROT_READ | PROT_EXEC, MAP_SHARED), EPERM);
	CHECK_EQ(map_error(0, ring, PROT_READ, MAP_PRIVATE), EINVAL);
	CHECK_EQ(map_error(0, ring - 4096, PROT_READ, MAP_SHARED), EINVAL);
	CHECK_EQ(map_error(0, ring + 4096, PROT_READ, MAP_SHARED), EINVAL);
	CHECK_EQ(map_error(4096, ring, PROT_READ, MAP_SHARED), EINVAL);
	CHECK_EQ(map_error(end, ring, PROT_READ, MAP_SHARED), EINVAL);
	CHECK_EQ(map_error(1ULL << 62, ring, PROT_READ, MAP_SHARED), EINVAL);
	CHECK_EQ(map_error(~0ULL << 12, ring, PROT_READ, MAP_SHARED), EOVERFLOW);

	p = mmap(NULL, ring, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK(mprotect(p, ring, PROT_READ | PROT_WRITE) && errno == EACCES);
	CHECK(mprotect(p, ring, PROT_READ | PROT_EXEC) && errno == EACCES);
	CHECK(mremap(p, ring, ring * 2, MREMAP_MAYMOVE) == MAP_FAILED);
	munmap(p, ring);
}

static int totals_error(struct tcpfsm_totals *t)
{
	return ioctl(fd, TCPFSM_IOC_TOTALS, t) ? errno : 0;
}

static void totals(void)
{
	static struct tcpfsm_record rec[4096];
	struct tcpfsm_totals t = { 0, 0 };
	__u64 i, needed;

	CHECK_EQ(totals_error(&t), ENOSPC);
	needed = t.count;
	CHECK(needed > 1 && needed < 4096);
	t = (struct tcpfsm_totals) { 0, needed };
	CHECK_EQ(totals_error(&t), EFAULT);
	t = (struct tcpfsm_totals) { ~0ULL - 4096, needed };
	CHECK_EQ(totals_error(&t), EFAULT);
	CHECK(ioctl(fd, TCPFSM_IOC_TOTALS, NULL) && errno == EFAULT);

	t = (struct tcpfsm_totals) { (unsigned long)rec, 1 };
	CHECK_EQ(totals_error(&t), ENOSPC);
	CHECK_EQ(rec[0].type, TCPFSM_TYPE_TOTAL);
	CHECK_EQ(rec[1].type, 0);
	/* More than it will ever hand out. */
	t = (struct tcpfsm_totals) { (unsigned long)rec, ~0ULL };
	CHECK_EQ(totals_error(&t), 0);
	CHECK(t.count > 1 && t.count < 4096);
	for (i = 0; i < t.count; i++) {
		CHECK_EQ(rec[i].type, TCPFSM_TYPE_TOTAL);
		CHECK_EQ(rec[i].seq, i + 1);
		CHECK_EQ(rec[i].ts, rec[0].ts);
		CHECK(rec[i].rcv < TCPFSM_TOTAL_NUM);
		CHECK(rec[i].listener || rec[i].rcv == TCPFSM_TOTAL_NOW_SINCE_TS);
	}
	CHECK_EQ(rec[t.count].type, 0);
}

static void writable(void)
{
	int rw = open(TCPFSM_DEVICE, O_RDWR);

	CHECK(rw < 0 && errno == EPERM);
	if (rw >= 0)
		close(rw);
}

int main(void)
{
	fd = open(TCPFSM_DEVICE, O_RDONLY);
	if (fd < 0) {
		perror(TCPFSM_DEVICE);
		return 1;
	}
	TEST("nothing works before the versions are compared", before_info());
	TEST("ABI mismatch and bad sizes are refused", versions());
	TEST("only exact, shared, read-only mappings", maps());
	TEST("totals: room, bad addresses", totals());
	TEST("opening for writing is refused", writable());
	return check_any_failed;
}
