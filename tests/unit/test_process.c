// SPDX-License-Identifier: GPL-2.0-only
/* A process that a record named, and what /proc tells of it now. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/process.h"

/* The kernel's, in a time namespace, too. */
static uint64_t now(void)
{
	return monotonic_ns() - (uint64_t)clock_timens_offset();
}

static void test_name(void)
{
	char comm[17] = "as recorded";

	prctl(PR_SET_NAME, "of now) 1 2 3");
	process_name((uint32_t)getpid(), now(), comm);
	CHECK(!strcmp(comm, "of now) 1 2 3"));
	/* Before it began, its number was another's. */
	strcpy(comm, "as recorded");
	process_name((uint32_t)getpid(), 1, comm);
	CHECK(!strcmp(comm, "as recorded"));
}

static void test_gone(void)
{
	char comm[17] = "as recorded";
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	CHECK(!process_lives((uint32_t)pid, now()));
	process_name((uint32_t)pid, now(), comm);
	CHECK(!strcmp(comm, "as recorded"));
	CHECK(!process_cgroup((uint32_t)pid, now()));
}

int main(void)
{
	/* Elsewhere the numbers are others, and nothing is looked up. */
	if (!process_numbers_are_ours()) {
		CHECK(!process_lives((uint32_t)getpid(), now()));
		return check_any_failed;
	}
	TEST("a process has the name of now, if it is the same", test_name());
	TEST("of one that has gone nothing is known", test_gone());
	return check_any_failed;
}
