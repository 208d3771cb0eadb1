// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile [IOCTLS [MMAPS]]: what a process without scruples does to /dev/tcpfsm: ioctls and
 * mappings with any arguments, and everything that might make a mapping writable, executable or
 * longer.  Random, always from the same seed.
 * hostile memory: what the rings and the totals hold: nothing stale, no address of the kernel.
 * hostile count COMMAND...: a reader of all rings while the command runs: delivered + lost =
 * produced.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/check.h"
#include "../../userspace/lib/source/ring.h"
#include "types.h"

#define PAGE		4096UL
#define SEED		88172645463325252ULL
#define RINGS_MAX	1024
#define UNIT_WORDS	(sizeof(struct tcpfsm_record) / sizeof(uint64_t))
#define OTHERS		1000L
#define KERNEL		0xffff800000000000ULL

static uint64_t state = SEED;
static struct tcpfsm_info info;
static char *area;		/* two pages of ours, then one that is nobody's */
static char *read_only;
static long errors[134];
static sigjmp_buf fault;

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(fault, 1);
}

/* "ok - 12 WHAT: done 7, EINVAL 5". */
static void result(long n, const char *what)
{
	int i;

	printf("%s - %ld %s, seed %llu: done %ld", check_failed ? "not ok" : "ok", n, what, SEED,
	       errors[0]);
	for (i = 1; i < 134; i++)
		if (errors[i])
			printf(", %s %ld", strerrorname_np(i), errors[i]);
	printf("\n");
	fflush(stdout);
	memset(errors, 0, sizeof(errors));
	check_any_failed |= check_failed;
	check_failed = 0;
}

static void note(bool failed)
{
	errors[failed && errno < 134 ? errno : 0]++;
}

static int open_device(bool agree)
{
	struct tcpfsm_info i = { .size = sizeof(i), .abi = TCPFSM_ABI_VERSION };
	int fd = open(TCPFSM_DEVICE, O_RDONLY);

	if (fd < 0)
		err(1, TCPFSM_DEVICE);
	if (!agree)
		return fd;
	if (ioctl(fd, TCPFSM_IOC_INFO, &i))
		err(1, "TCPFSM_IOC_INFO");
	info = i;
	return fd;
}

static void *map_ring(int fd, uint32_t ring)
{
	return mmap(NULL, info.ring_bytes, PROT_READ, MAP_SHARED, fd,
		    (off_t)(ring * info.ring_stride));
}

/* Did what is mapped stay what it was? */
static bool intact(int fd)
{
	struct tcpfsm_ring *hdr;
	bool good;
	uint32_t i;

	for (i = 0; i < info.rings; i++) {
		hdr = map_ring(fd, i);
		if (hdr == MAP_FAILED && errno == ENXIO)
			continue;
		if (hdr == MAP_FAILED)
			return false;
		good = hdr->slots == info.slots && hdr->cpu == i;
		munmap(hdr, info.ring_bytes);
		if (!good)
			return false;
	}
	return true;
}

/* ---- ioctl ------------------------------------------------------------------------ */

static uint64_t bad_number(void)
{
	static const uint64_t some[] = {
		0, 1, 4, 7, 8, 255, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
		INT64_MAX, 1ULL << 63, ~0ULL, ~0ULL - 4095, KERNEL, 0x7ffffffff000, 0x800000000000,
		0xdead000000000000,
	};

	return rnd(3) ? some[rnd(sizeof(some) / sizeof(some[0]))] + rnd(3) - 1 :
			rnd(1ULL << 53) << rnd(12);
}

static unsigned long bad_address(void *mapped)
{
	switch (rnd(6)) {
	case 0:
		return bad_number();
	case 1:		/* where a page ends and nothing follows */
		return (unsigned long)area + 2 * PAGE - rnd(sizeof(info) + 16);
	case 2:
		return (unsigned long)read_only + rnd(2048);
	case 3:
		return (unsigned long)mapped + rnd(4 * PAGE);
	case 4:		/* not aligned */
		return (unsigned long)area + rnd(PAGE);
	}
	return (unsigned long)area;
}

static unsigned int bad_command(void)
{
	static const unsigned int types[] = { TCPFSM_IOC_MAGIC, 0xf4, 0xf6, 0, 0xff };

	/* Totals take long. */
	if (rnd(4))
		return !rnd(24) ? TCPFSM_IOC_TOTALS :
		       rnd(2) ? TCPFSM_IOC_INFO : TCPFSM_IOC_CONSUMED;
	if (rnd(2))	/* the right number, another size or direction */
		return _IOC((unsigned int)rnd(4), TCPFSM_IOC_MAGIC, (unsigned int)rnd(6),
			    (unsigned int)rnd(16384));
	return _IOC((unsigned int)rnd(4), types[rnd(5)], (unsigned int)rnd(256),
		    (unsigned int)rnd(16384));
}

/* One call; what it was and what it may answer is the module's contract. */
static void one_ioctl(int fd, bool agreed, void *mapped)
{
	unsigned int cmd = bad_command();
	unsigned long arg = bad_address(mapped);
	bool is_info = _IOC_TYPE(cmd) == TCPFSM_IOC_MAGIC && _IOC_NR(cmd) == 1;
	struct tcpfsm_totals totals = { (unsigned long)area + PAGE, rnd(9) };
	struct tcpfsm_info asked = { .size = sizeof(asked), .abi = TCPFSM_ABI_VERSION };
	size_t end;
	int rc;

	memset(area, 0xa5, 512);
	memset(area + PAGE, 0xa5, 2048);
	if (rnd(8) == 0) {
		totals.records = bad_number();
		totals.count = bad_number();
	} else if (rnd(4) == 0) {
		totals.records = bad_address(mapped);
	}
	if (rnd(2)) {
		asked.size = (uint32_t)bad_number();
		asked.abi = rnd(3) ? TCPFSM_ABI_VERSION : (uint32_t)bad_number();
	}
	if (cmd == TCPFSM_IOC_TOTALS)
		memcpy(area, &totals, sizeof(totals));
	else if (is_info)
		memcpy(area, &asked, sizeof(asked));
	errno = 0;
	rc = ioctl(fd, cmd, arg);
	note(rc);
	CHECK(rc == 0 || rc == -1);
	if (!agreed && !is_info)
		CHECK_EQ(errno, EPROTO);
	if (arg != (unsigned long)area || (!is_info && cmd != TCPFSM_IOC_TOTALS))
		return;
	/* Nothing beyond what the caller said there was room for. */
	if (is_info && asked.size < offsetof(struct tcpfsm_info, made))
		CHECK(rc);
	if (is_info && asked.size >= 8 && asked.size < sizeof(info))
		CHECK_EQ(area[asked.size], ((const char *)&asked)[asked.size]);
	if (is_info)
		CHECK((unsigned char)area[sizeof(info)] == 0xa5);
	end = PAGE + totals.count * sizeof(struct tcpfsm_record);
	if (cmd == TCPFSM_IOC_TOTALS && totals.records == (unsigned long)area + PAGE &&
	    totals.count < 16)
		CHECK((unsigned char)area[end] == 0xa5);
}

static void ioctls(long n)
{
	int fds[2] = { open_device(false), open_device(true) };
	void *mapped = map_ring(fds[1], 0);
	long i;

	CHECK(mapped != MAP_FAILED);
	for (i = 0; i < n; i++) {
		bool agreed = rnd(4);

		one_ioctl(fds[agreed], agreed, mapped);
		/* It may have said the right thing by chance. */
		if (!agreed || !rnd(64)) {
			close(fds[0]);
			fds[0] = open_device(false);
		}
	}
	CHECK(intact(fds[1]));
	munmap(mapped, info.ring_bytes);
	close(fds[0]);
	close(fds[1]);
}

/* ---- mmap, and what follows --------------------------------------------------------- */

/* Is there one way to write to it?  Each must fail, and leave it as it was. */
static void try_to_write(char *p)
{
	static int mem = -1, zero = -1, direct = -1;
	struct tcpfsm_ring before = *(struct tcpfsm_ring *)p;
	struct iovec local = { area, 8 }, remote = { p + 8, 8 };
	struct sigaction old, catch = { .sa_handler = on_fault };
	int pipes[2];

	if (mem < 0) {
		mem = open("/proc/self/mem", O_RDWR);
		zero = open("/dev/zero", O_RDONLY);
		direct = open("/proc/self/exe", O_RDONLY | O_DIRECT);
		CHECK(mem >= 0 && zero >= 0);
	}
	memset(area, 0xa5, PAGE);
	/* As a debugger does: it may write where the process itself may not. */
	CHECK(pwrite(mem, area, 8, (off_t)(unsigned long)(p + 8)) < 0);
	CHECK(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) < 0);
	CHECK(read(zero, p + 8, 8) < 0 && errno == EFAULT);
	if (direct >= 0)
		CHECK(pread(direct, p, PAGE, 0) < 0);
	CHECK(!pipe(pipes));
	CHECK(write(pipes[1], area, 8) == 8 && read(pipes[0], p + 8, 8) < 0);
	remote.iov_base = p;
	remote.iov_len = PAGE;
	/* A gift of our pages: they may be read from the pipe, no more. */
	note(vmsplice(pipes[1], &remote, 1, SPLICE_F_GIFT | SPLICE_F_NONBLOCK) < 0);
	close(pipes[0]);
	close(pipes[1]);

	sigaction(SIGSEGV, &catch, &old);
	if (!sigsetjmp(fault, 1)) {
		*(volatile uint64_t *)(p + 8) = ~0ULL;
		CHECK(!"a store went through");
	}
	sigaction(SIGSEGV, &old, NULL);
	CHECK_EQ(((struct tcpfsm_ring *)p)->slots, before.slots);
	CHECK_EQ(((struct tcpfsm_ring *)p)->cpu, before.cpu);
}

/* Another process has the mapping, and the file by way of a socket; it dies with both. */
static void share(int fd, char *p)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2], status = 0;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(pair[0], &msg, 0) == 1);
	pid = fork();
	if (!pid) {
		void *again;

		CHECK(recvmsg(pair[1], &msg, 0) == 1);
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		again = map_ring(fd, 0);
		CHECK(again != MAP_FAILED);
		try_to_write(p);
		try_to_write(again);
		if (rnd(2))
			kill(getpid(), SIGKILL);
		_exit(check_failed);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !WEXITSTATUS(status));
	/* One that nobody receives dies with its socket. */
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	note(sendmsg(pair[0], &msg, 0) < 0);
	close(pair[0]);
	close(pair[1]);
}

static void userfault(char *p)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (unsigned long)p, info.ring_bytes },
		.mode = rnd(2) ? UFFDIO_REGISTER_MODE_MISSING : UFFDIO_REGISTER_MODE_WP,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return;
	CHECK(!ioctl(fd, UFFDIO_API, &api));
	CHECK(ioctl(fd, UFFDIO_REGISTER, &reg) < 0);
	close(fd);
}

/* Reading may fault where advice has taken pages away, and then kills none but us. */
static void touch(const char *p, size_t bytes)
{
	struct sigaction old, catch = { .sa_handler = on_fault };
	volatile size_t at;

	sigaction(SIGBUS, &catch, &old);
	if (!sigsetjmp(fault, 1))
		for (at = 0; at < bytes; at += PAGE)
			(void)*(const volatile char *)(p + at);
	sigaction(SIGBUS, &old, NULL);
}

/* Something to a mapping of a ring.  Return: its length afterwards; 0: it is gone. */
static size_t abuse(char **at, size_t bytes)
{
	size_t part = PAGE * (1 + rnd(bytes / PAGE));
	char *p = *at, *q;
	int prot = (int)rnd(8), advice = (int)rnd(30);

	switch (rnd(7)) {
	case 0:
		errno = 0;
		note(mprotect(p, part, prot));
		if (prot & (PROT_WRITE | PROT_EXEC))
			CHECK_EQ(errno, EACCES);
		CHECK(!mprotect(p, bytes, PROT_READ));
		break;
	case 1:		/* longer, in its place or elsewhere */
		q = mremap(p, bytes, bytes + part, rnd(2) ? MREMAP_MAYMOVE : 0);
		note(q == MAP_FAILED);
		CHECK(q == MAP_FAILED);
		break;
	case 2:		/* a copy of it, of any length */
		q = mremap(p, 0, rnd(2) ? part : bytes + part, MREMAP_MAYMOVE);
		note(q == MAP_FAILED);
		CHECK(q == MAP_FAILED);
		break;
	case 3:		/* shorter, or elsewhere */
		q = mremap(p, bytes, part, MREMAP_MAYMOVE);
		note(q == MAP_FAILED);
		if (q == MAP_FAILED)
			break;
		*at = q;
		return part;
	case 4:
		note(munmap(p + bytes - part, part));
		return bytes - part;
	case 5:
		/* Nothing that would stop the machine (MADV_HWPOISON, MADV_SOFT_OFFLINE). */
		note(madvise(p, part, advice));
		break;
	case 6:
		note(mlock(p, part));
		note(msync(p, part, (int)rnd(8)));
		note((int)syscall(SYS_remap_file_pages, p, part, 0, rnd(4), 0));
		break;
	}
	return bytes;
}

#ifndef MAP_32BIT /* x86 */
#define MAP_32BIT 0
#endif

static void one_mmap(int fd, long i)
{
	static const int kinds[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, 0 };
	static const int extra[] = { MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED, MAP_32BIT,
				     MAP_GROWSDOWN, MAP_NONBLOCK, MAP_HUGETLB, MAP_STACK, MAP_SYNC,
				     MAP_DENYWRITE };
	bool honest = !rnd(4), writable, exact;
	uint64_t ring = rnd(info.rings + 2), offset = ring * info.ring_stride;
	size_t bytes = info.ring_bytes;
	int prot = (int)rnd(8), flags = kinds[rnd(4)];
	char *p, *hint = NULL;

	if (honest) {
		ring = rnd(info.rings);
		offset = ring * info.ring_stride;
		prot = PROT_READ;
		flags = MAP_SHARED;
	} else {
		if (!rnd(4))
			offset = rnd(2) ? bad_number() & ~(PAGE - 1) : offset + (rnd(5) - 2) * PAGE;
		if (!rnd(4))
			bytes = rnd(2) ? bad_number() : bytes + (rnd(5) - 2) * PAGE - rnd(2);
		if (!rnd(2))
			flags |= extra[rnd(sizeof(extra) / sizeof(extra[0]))];
	}
	/* Over a mapping that is there. */
	if (!rnd(8)) {
		hint = mmap(NULL, info.ring_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(hint != MAP_FAILED);
		flags |= MAP_FIXED;
		bytes = bytes > info.ring_bytes ? info.ring_bytes : bytes;
	}
	p = mmap(hint, bytes, prot, flags, fd, (off_t)offset);
	note(p == MAP_FAILED);
	writable = prot & (PROT_WRITE | PROT_EXEC);
	exact = (bytes + PAGE - 1) / PAGE * PAGE == info.ring_bytes &&
		offset % info.ring_stride == 0 && offset / info.ring_stride < info.rings;
	if (p == MAP_FAILED) {
		/* A CPU that has not been online has none. */
		CHECK(!honest || errno == ENXIO);
		if (hint)
			munmap(hint, info.ring_bytes);
		return;
	}
	CHECK(exact && !writable && (flags & 3) != MAP_PRIVATE);
	bytes = info.ring_bytes;
	if (prot & PROT_READ && !(i % 16))
		try_to_write(p);
	if (prot & PROT_READ && !(i % 1024)) {
		share(fd, p);
		userfault(p);
	}
	for (i = (long)rnd(4); i && bytes; i--)
		bytes = abuse(&p, bytes);
	if (bytes) {
		if (prot & PROT_READ)
			touch(p, bytes);
		munmap(p, bytes);
	}
}

static void mmaps(long n)
{
	int fd = open_device(true);
	long i;

	for (i = 0; i < n; i++)
		one_mmap(fd, i);
	CHECK(intact(fd));
	close(fd);
}

/* ---- all that is not meant for such a file --------------------------------------------- */

static void other_calls(long n)
{
	int fd = open_device(true), pipes[2], null = open("/dev/null", O_RDWR);
	struct pollfd p = { .fd = fd, .events = (short)~0 };
	loff_t at = 0;
	long i;

	CHECK(!pipe(pipes) && null >= 0);
	for (i = 0; i < n; i++) {
		CHECK(read(fd, area, rnd(2 * PAGE)) < 0);
		CHECK(write(fd, area, rnd(2 * PAGE)) < 0);
		CHECK(pread(fd, area, 8, (off_t)bad_number()) < 0);
		CHECK(pwrite(fd, area, 8, (off_t)bad_number()) < 0);
		note(lseek(fd, (off_t)bad_number(), (int)rnd(6)) < 0);
		CHECK(splice(fd, NULL, pipes[1], NULL, PAGE, SPLICE_F_NONBLOCK) < 0);
		CHECK(splice(pipes[0], NULL, fd, NULL, PAGE, SPLICE_F_NONBLOCK) < 0);
		CHECK(sendfile(null, fd, &at, PAGE) < 0);
		CHECK(copy_file_range(fd, NULL, null, NULL, PAGE, 0) < 0);
		CHECK(ftruncate(fd, (off_t)bad_number()) < 0);
		CHECK(fallocate(fd, (int)rnd(128), 0, (off_t)rnd(PAGE)) < 0);
		note(fsync(fd));
		note(flock(fd, (int)rnd(16) | LOCK_NB));
		note(fcntl(fd, F_SETFL, (int)rnd(1 << 16) & ~O_DIRECT));
		note(fcntl(fd, F_SETOWN, getpid()));
		note(fcntl(fd, (int)rnd(1100), 0x7fffffffffff));
		poll(&p, 1, 0);
	}
	fcntl(fd, F_SETFL, 0);
	CHECK(intact(fd));
	close(fd);
	close(null);
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- what can be read --------------------------------------------------------------- */

static bool all_zero(const void *p, size_t n)
{
	const char *c = p;

	return !n || (!*c && !memcmp(c, c + 1, n - 1));
}

/* What a record does not use is 0, and no word in it an address of the kernel's. */
static void check_record(const struct tcpfsm_record *r)
{
	const uint64_t *word = (const uint64_t *)r;
	bool total = r->type == TCPFSM_TYPE_TOTAL;
	size_t i, n;

	CHECK(is_type[r->type]);
	CHECK(r->type != TCPFSM_TYPE_SOCKET);
	CHECK(r->family == 4 || r->family == 6 || (!r->family && !r->lport));
	CHECK(r->old_state < 14 && r->new_state < 14 && r->reason < 16);
	if (r->family == 4) {
		CHECK(all_zero(r->laddr + 4, 12));
		CHECK(all_zero(r->raddr + 4, 12));
	}
	if (r->flags & TCPFSM_F_OWNER) {
		n = strnlen((const char *)r->comm, sizeof(r->comm));
		CHECK(r->pid && all_zero(r->comm + n, sizeof(r->comm) - n));
	} else {
		CHECK(all_zero(r->comm, sizeof(r->comm)));
		CHECK(!r->pid || r->type == TCPFSM_TYPE_SYN);
	}
	if (!(r->flags & TCPFSM_F_PASSIVE)) {
		CHECK(!r->synq && !r->acceptq && !r->backlog);
		CHECK(total || !r->listener);
	}
	if (total)
		CHECK(all_zero(&r->tw, 20) && !r->snd && !r->rport && all_zero(r->raddr, 16));
	for (i = 0; i < UNIT_WORDS; i++) {
		/* Addresses of sockets, and sequence numbers. */
		if ((i >= 6 && i < 10 && r->family == 6) || i == 10 ||
		    (total && i == 4 && r->rcv >= TCPFSM_TOTAL_KERNEL_BASE))
			continue;
		CHECK(word[i] < KERNEL);
	}
}

static void check_info(void)
{
	size_t n = strlen((const char *)info.version);

	CHECK(n < sizeof(info.version) && all_zero(info.version + n, sizeof(info.version) - n));
	CHECK(info.epoch_offset > 0 && info.missed < KERNEL);
	CHECK(!(info.features >> TCPFSM_FEATURE_SLOTS));
}

static void memory(void)
{
	static struct tcpfsm_record totals[65536];
	struct tcpfsm_totals t = { (unsigned long)totals, sizeof(totals) / sizeof(totals[0]) };
	size_t used;
	uint64_t written = 0, blank = 0;
	int fd = open_device(true);
	uint32_t i, n;

	check_info();
	used = PAGE + (size_t)info.slots * sizeof(struct tcpfsm_record);
	for (i = 0; i < info.rings; i++) {
		const char *p = map_ring(fd, i);
		const struct tcpfsm_ring *hdr = (const void *)p;
		const struct tcpfsm_record *slots = (const void *)(p + PAGE);

		if (p == MAP_FAILED && errno == ENXIO)
			continue;
		CHECK(p != MAP_FAILED);
		CHECK(all_zero(p + sizeof(*hdr), PAGE - sizeof(*hdr)));
		CHECK(all_zero(p + used, info.ring_bytes - used));
		for (n = 0; n < info.slots; n++) {
			struct tcpfsm_record r = slots[n];

			if (!r.seq) {
				CHECK(all_zero(&r, sizeof(r)));
				blank++;
				continue;
			}
			if (r.seq == TCPFSM_SEQ_BUSY || r.seq != slots[n].seq)
				continue;
			CHECK((r.seq - 1) % info.slots == n);
			check_record(&r);
			written++;
		}
		munmap((void *)(uintptr_t)p, info.ring_bytes);
	}
	CHECK(!ioctl(fd, TCPFSM_IOC_TOTALS, &t) && t.count);
	for (i = 0; i < t.count; i++)
		check_record(&totals[i]);
	CHECK(written > 100);
	printf("%s - memory: %lu slots written, %lu never, %lu totals, %u rings: "
	       "nothing stale, no kernel address\n",
	       check_failed ? "not ok" : "ok", written, blank, (unsigned long)t.count, info.rings);
	check_any_failed |= check_failed;
	close(fd);
}

/* ---- it still works -------------------------------------------------------------------- */

static void count(char **command)
{
	static struct ring_reader readers[RINGS_MAX];
	static struct tcpfsm_record buf[256];
	uint64_t delivered = 0, lost = 0, produced = 0;
	int fd = open_device(true), status = -1;
	bool running = true;
	pid_t pid;
	uint32_t i;

	CHECK(info.rings <= RINGS_MAX);
	for (i = 0; i < info.rings; i++) {
		char *p = map_ring(fd, i);

		if (p == MAP_FAILED && errno == ENXIO)
			continue;
		CHECK(p != MAP_FAILED);
		CHECK(!ring_attach(&readers[i], (void *)p, p + PAGE, info.slots, i, true));
	}
	pid = fork();
	if (!pid) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	while (running) {
		running = waitpid(pid, &status, WNOHANG) != pid;
		for (i = 0; i < info.rings; i++) {
			size_t n, k;

			while (readers[i].hdr && (n = ring_copy(&readers[i], buf, sizeof(buf[0]), 256)))
				for (k = 0; k < n; k++)
					check_record(&buf[k]);
		}
		usleep(1000);
	}
	CHECK_EQ(status, 0);
	for (i = 0; i < info.rings; i++) {
		struct ring_reader *r = &readers[i];

		/* What comes meanwhile is behind the head last seen. */
		delivered += ring_delivered(r);
		lost += r->lost;
		produced += r->seen - r->start;
		CHECK_EQ(r->cursor, r->seen);
	}
	CHECK_EQ(delivered + lost, produced);
	CHECK(delivered > 100);
	printf("%s - it still works: %lu delivered + %lu lost = %lu produced\n",
	       check_failed ? "not ok" : "ok", delivered, lost, produced);
	check_any_failed |= check_failed;
	close(fd);
}

int main(int argc, char **argv)
{
	long n_ioctls = argc > 1 ? atol(argv[1]) : 100000;
	long n_mmaps = argc > 2 ? atol(argv[2]) : 20000;

	if (argc > 1 && !strcmp(argv[1], "memory")) {
		memory();
		return check_done();
	}
	if (argc > 2 && !strcmp(argv[1], "count")) {
		count(argv + 2);
		return check_done();
	}
	if (n_ioctls < 1 || n_mmaps < 1)
		errx(2, "usage: hostile [IOCTLS [MMAPS]] | memory | count COMMAND...");

	area = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || read_only == MAP_FAILED ||
	    mprotect(area + 2 * PAGE, PAGE, PROT_NONE))
		err(1, "mmap");

	ioctls(n_ioctls);
	result(n_ioctls, "ioctls");
	mmaps(n_mmaps);
	result(n_mmaps, "mmaps and what follows");
	other_calls(OTHERS);
	result(17 * OTHERS, "other calls");
	return check_done();
}
