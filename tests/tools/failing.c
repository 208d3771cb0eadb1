// SPDX-License-Identifier: GPL-2.0-only
/*
 * failing MODULE.ko: loads the module and uses its device while the first allocation of
 * memory fails, then again with the second one, and so on until none is left to fail. The kernel's
 * fault injection does it (/proc/thread-self/fail-nth, CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC).
 *
 * Each step must return an error or do its work, and whatever happened, the same step must work
 * right after it, and the module be unloaded. One line a step, "ok - STEP: …", with the counts.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uapi/tcpfsm.h"

#define STEPS_MAX	20000

/* Few pages: each is a step. */
#define SMALL		"slots=64 listeners=16 flight_recorder="

static const char *image;
static int fail_nth, device = -1;
static struct tcpfsm_info info;
static void *map = MAP_FAILED;

static bool say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return false;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* The @n-th allocation of this task fails from now on; 0: none.  Return: how many are to come. */
static int let_fail(int n)
{
	char text[16] = "";
	int left = 0;

	if (!n && pread(fail_nth, text, sizeof(text) - 1, 0) > 0)
		left = atoi(text);
	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(fail_nth, text, strlen(text), 0) < 0)
		err(1, "fail-nth");
	return left;
}

/* ---- what a step does, and what undoes it; each returns 0 or an errno ------------ */

static int load(const char *parameters)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC), e;

	if (fd < 0)
		return errno;
	e = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return e;
}

static int load_off(void) { return load(SMALL "0"); }
static int load_on(void) { return load(SMALL "1"); }
static int unload(void) { return syscall(SYS_delete_module, "tcpfsm", O_NONBLOCK) ? errno : 0; }

static int open_device(void)
{
	device = open(TCPFSM_DEVICE, O_RDONLY | O_CLOEXEC);
	return device < 0 ? errno : 0;
}

static int close_device(void)
{
	int e = close(device) ? errno : 0;

	device = -1;
	return e;
}

static int ask(void)
{
	info = (struct tcpfsm_info) { .size = sizeof(info), .abi = TCPFSM_ABI_VERSION };
	return ioctl(device, TCPFSM_IOC_INFO, &info) ? errno : 0;
}

static int map_ring(void)
{
	map = mmap(NULL, info.ring_bytes, PROT_READ, MAP_SHARED, device, 0);
	return map == MAP_FAILED ? errno : 0;
}

static int unmap_ring(void) { return munmap(map, info.ring_bytes) ? errno : 0; }

static int totals(void)
{
	static struct tcpfsm_record records[4096];
	struct tcpfsm_totals t = { (unsigned long)records, 4096 };

	return ioctl(device, TCPFSM_IOC_TOTALS, &t) ? errno : 0;
}

static int sleep_in_poll(void)
{
	struct pollfd p = { .fd = device, .events = POLLIN };

	return poll(&p, 1, 10) < 0 ? errno : 0;
}

static int nothing(void) { return 0; }

/*
 * @before and @after frame all of a step, @undo follows each @act that has worked.  What cannot
 * fail (close, unload) has to do its work all the same.
 */
static const struct step {
	const char *name;
	int (*before)(void), (*act)(void), (*undo)(void), (*after)(void);
	bool must_work;
} steps[] = {
	{ "load", nothing, load_off, unload, nothing, false },
	{ "load with hooks", nothing, load_on, unload, nothing, false },
	{ "unload with hooks", load_on, unload, load_on, unload, true },
	{ "open", load_off, open_device, close_device, unload, false },
	{ "close", open_device, close_device, open_device, close_device, true },
	{ "ioctl INFO", open_device, ask, nothing, close_device, false },
	{ "mmap", open_device, map_ring, unmap_ring, close_device, false },
	{ "ioctl TOTALS", open_device, totals, nothing, close_device, false },
	{ "poll", open_device, sleep_in_poll, nothing, close_device, false },
};

/* Those of an open device need the module, and the ABI agreed on. */
static bool needs_module(const struct step *s) { return s->before == open_device; }

static bool works(const char *what, int e)
{
	return !e || say("%s: %s", what, strerror(e));
}

/*
 * Those of "load" have failed when "load with hooks" comes. The module's own are the last of
 * them, and the hooks' follow.
 */
#define LOAD_OWN	100
static int done;

/* No feature may stay off for an allocation that failed in the past. */
static bool all_features(void)
{
	unsigned int i;

	if (!works("INFO", ask()))
		return false;
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (info.error[i])
			return say("feature %u is off: %s", i, strerror(-info.error[i]));
	return true;
}

static bool run(const struct step *s)
{
	unsigned int failed = 0, coped = 0;
	int n, left, e, first = s->act == load_on && done > LOAD_OWN ? done - LOAD_OWN : 1;

	if (needs_module(s) && !works("load", load_off()))
		return false;
	if (!works("before", s->before()) || (needs_module(s) && !works("INFO", ask())))
		return false;
	for (n = first; n < STEPS_MAX; n++) {
		let_fail(n);
		e = s->act();
		left = let_fail(0);
		if (left) {
			/* Nothing has failed: all are through. */
			if (!works("without a failure", e))
				return false;
		} else if (e) {
			failed++;
			if (s->must_work)
				return say("allocation %d: %s", n, strerror(e));
		} else {
			coped++;
		}
		if (!e && !works("undo", s->undo()))
			return false;
		if (left)
			break;
		if (!e)
			continue;
		/* And now as if nothing had been. */
		e = s->act();
		if (e)
			return say("after allocation %d had failed: %s", n, strerror(e));
		if (s->act == open_device && !all_features())
			return false;
		if (!works("undo", s->undo()))
			return false;
	}
	if (n >= STEPS_MAX)
		return say("no end of allocations");
	/* As every time before, once more with all that it has. */
	if (s->act == close_device && !all_features())
		return false;
	if (!works("after", s->after()) || (needs_module(s) && !works("unload", unload())))
		return false;
	if (access("/sys/module/tcpfsm", F_OK) == 0 || access(TCPFSM_DEVICE, F_OK) == 0)
		return say("something is left");
	printf("ok - %s: %u allocations failed one by one, %u errors, %u without harm\n", s->name,
	       failed + coped, failed, coped);
	done = n;
	return true;
}

int main(int argc, char **argv)
{
	static const char *const files[] = { "failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
					     "fail_page_alloc/ignore-gfp-highmem" };
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char path[128];
	bool ok = true;
	unsigned int i;

	if (argc != 2)
		errx(2, "usage: failing MODULE.ko");
	image = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i]);
		write_file(path, "N");
	}
	for (i = 0; i < 2; i++) {
		/* Each would print a stack. */
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", kinds[i]);
		write_file(path, "0");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		err(1, "fail-nth");
	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (!run(&steps[i])) {
			printf("not ok - %s\n", steps[i].name);
			ok = false;
			close_device();
			unload();
		}
	}
	return !ok;
}
