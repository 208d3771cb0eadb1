// SPDX-License-Identifier: GPL-2.0-only
/* Names of network namespaces, in a /run/netns of our own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

/* A new network namespace, and its inode. */
static uint32_t make_netns(void)
{
	struct stat st;

	CHECK_EQ(unshare(CLONE_NEWNET), 0);
	CHECK_EQ(stat("/proc/thread-self/ns/net", &st), 0);
	return (uint32_t)st.st_ino;
}

/* As ip netns does. */
static void give_name(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL, 0);

	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL), 0);
}

static bool is(uint32_t inode, const char *want)
{
	char name[TCPFSM_NETNS_NAME_MAX], label[TCPFSM_CONTAINER_NAME_MAX];

	tcpfsm_netns_label(inode, label);
	return !strcmp(tcpfsm_netns_name(inode, name), want) && (!*want || !strcmp(label, want));
}

static void test_names(void)
{
	uint32_t first = make_netns(), second;

	CHECK(is(first, ""));
	give_name("/run/netns/first");
	CHECK(is(first, "first"));
	second = make_netns();
	CHECK(is(second, ""));
	/* Within the second in which nothing is looked for again. */
	give_name("/run/netns/second");
	CHECK(is(second, "second"));
	CHECK(is(first, "first"));
	CHECK_EQ(umount2("/run/netns/first", MNT_DETACH), 0);
	CHECK_EQ(unlink("/run/netns/first"), 0);
	CHECK(is(second, "second"));
	sleep(2);
	CHECK(is(first, ""));
	CHECK(is(second, "second"));
	/* None of a name that a terminal must not see. */
	give_name("/run/netns/\033[2J");
	CHECK(is(second, "second"));
}

int main(void)
{
	mkdir("/run/netns", 0755);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run/netns", "tmpfs", 0, NULL)) {
		printf("ok - place # skip: %s\n", strerror(errno));
		return 0;
	}
	TEST("place: names of network namespaces, as they come and go", test_names());
	return check_done();
}
