// SPDX-License-Identifier: GPL-2.0-only
/* Names in recordings: what a recorder asks for, and what a reader makes of its marks. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/source/cgroup.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/named.h"

#define WEB		4026532001U
#define DOCKER		"/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope"

static struct naming n;
static struct tcpfsm_record marks[64];
static size_t nmarks;

static void tell(enum named what, uint32_t id, const char *text)
{
	snprintf(n.text, sizeof(n.text), "%s", text);
	naming_tell(&n, what, id);
	for (nmarks = 0; naming_next(&n, &marks[nmarks]); nmarks++)
		;
}

static void take(bool first)
{
	struct named_parts p = { .what = 0 };
	size_t i;

	for (i = 0; i < nmarks; i++)
		named_mark(&p, &marks[i], first);
}

static bool is(enum named what, uint32_t id, const char *want)
{
	char text[NAMED_MAX] = "";

	return named_text(what, id, text, sizeof(text)) ? !strcmp(text, want) : !*want;
}

static void test_asks(void)
{
	uint32_t self = (uint32_t)getpid();
	char path[PROCESS_CGROUP_MAX];
	bool known = cgroup_of(self, monotonic_ns(), path);

	naming_see(&n, 0, self, monotonic_ns());
	naming_see(&n, 0, self, monotonic_ns());
	CHECK_EQ(n.ndue, 1);
	CHECK(naming_waits(&n, monotonic_ns()));
	CHECK_EQ(naming_next(&n, marks), known);
	while (naming_next(&n, marks))
		;
	CHECK_EQ(n.ndue, 0);
	/* Not again, in this chunk, as it has not changed. */
	n.forget = 0;
	CHECK(!naming_waits(&n, monotonic_ns()));
	naming_see(&n, 0, self, monotonic_ns());
	CHECK_EQ(n.ndue, 1);
	CHECK(!naming_next(&n, marks));
	/* In the next one it is. */
	naming_again(&n);
	naming_see(&n, 0, self, monotonic_ns());
	CHECK_EQ(naming_next(&n, marks), known);
	while (naming_next(&n, marks))
		;
}

/* More than there is room for are asked for when they are met again. */
static void test_many(void)
{
	uint32_t i;

	naming_again(&n);
	for (i = 1; i <= NAMING_DUE + 1; i++)
		naming_see(&n, i, 0, 1);
	CHECK_EQ(n.ndue, NAMING_DUE);
	CHECK(!naming_next(&n, marks));
	naming_see(&n, NAMING_DUE + 1, 0, 1);
	CHECK_EQ(n.ndue, 1);
	/* Far beyond what is remembered. */
	for (i = 1; i < 100000; i++) {
		naming_met(&n, 4000000000U + i, true, 1);
		if (n.ndue == NAMING_DUE || i == 99999)
			CHECK(!naming_next(&n, marks));
	}
}

static void test_told(void)
{
	char label[TCPFSM_CONTAINER_NAME_MAX], path[PROCESS_CGROUP_MAX];

	/* Before anybody wants them: nothing is taken. */
	tell(NAMED_NETNS, WEB, "web1");
	take(true);
	CHECK(!named_is());
	CHECK_EQ(named_begin(true), 0);
	CHECK(named_is() && is(NAMED_NETNS, WEB, "") && !named_netns("web1"));
	take(true);
	CHECK(is(NAMED_NETNS, WEB, "web1") && is(NAMED_INHABITED, WEB, ""));
	CHECK_EQ(named_netns("web1"), WEB);
	CHECK(!strcmp(tcpfsm_netns_label(WEB, label), "web1"));
	CHECK(!*tcpfsm_netns_label(WEB + 1, label));
	/* Nothing of this machine. */
	CHECK(!cgroup_of((uint32_t)getpid(), 0, path));

	tell(NAMED_CGROUP, 700, DOCKER);
	CHECK_EQ(nmarks, 2);
	take(true);
	CHECK(is(NAMED_CGROUP, 700, DOCKER) && named_cgroups());
	CHECK(!strcmp(tcpfsm_container_name(700, label), "0123456789ab"));
	CHECK(cgroup_of(700, 0, path) && !strcmp(path, DOCKER));

	tell(NAMED_INHABITED, WEB + 2, "nginx.service");
	take(true);
	CHECK(!strcmp(tcpfsm_netns_label(WEB + 2, label), "nginx.service"));
	CHECK(!*tcpfsm_netns_name(WEB + 2, label));

	/* The inode of another one by now: what is known first stays so, until it comes. */
	tell(NAMED_INHABITED, WEB, "later");
	take(true);
	CHECK(is(NAMED_NETNS, WEB, "web1"));
	take(false);
	CHECK(is(NAMED_NETNS, WEB, "") && is(NAMED_INHABITED, WEB, "later"));

	CHECK_EQ(tcpfsm_names_recorded(NULL), 0);
	CHECK(is(NAMED_INHABITED, WEB, "") && !named_cgroups());
	/* Two have the same numbers: nothing is learned of either. */
	take(true);
	CHECK(is(NAMED_INHABITED, WEB, "") && !named_netns("later"));
	CHECK(tcpfsm_names_recorded("/no/such/recording") < 0);
	CHECK(named_is());
}

static void test_damaged(void)
{
	char longest[NAMED_MAX];
	size_t i;

	CHECK_EQ(named_begin(true), 0);
	/* In a command that somebody pastes, or on a terminal. */
	tell(NAMED_NETNS, 1, "x;reboot");
	take(true);
	CHECK(is(NAMED_NETNS, 1, ""));
	tell(NAMED_INHABITED, 2, "\033[2Jx");
	take(true);
	CHECK(is(NAMED_INHABITED, 2, "?[2Jx"));
	/* The first part, a part of the middle, or the end is not there. */
	memset(longest, 'a', sizeof(longest));
	longest[NAMED_MAX - 1] = '\0';
	for (i = 0; i < 6; i++) {
		tell(NAMED_CGROUP, 3, longest);
		CHECK_EQ(nmarks, 6);
		memmove(&marks[i], &marks[i + 1], (5 - i) * sizeof(*marks));
		nmarks--;
		take(true);
		CHECK(is(NAMED_CGROUP, 3, ""));
	}
	/* Longer than it can be, and of no length. */
	tell(NAMED_CGROUP, 3, longest);
	for (i = 0; i < nmarks; i++)
		marks[i].tw_max = NAMED_MAX;
	take(true);
	for (i = 0; i < nmarks; i++)
		marks[i].tw_max = 0;
	take(true);
	tell(NAMED_CGROUP, 3, "x");
	marks[0].rcv = 4;
	take(true);
	marks[0].rcv = NAMED_CGROUP;
	marks[0].tw_max = 2;		/* a NUL within */
	take(true);
	CHECK(is(NAMED_CGROUP, 3, "") && !named_cgroups());
	tell(NAMED_CGROUP, 3, longest);
	take(true);
	CHECK(is(NAMED_CGROUP, 3, longest));
}

int main(void)
{
	CHECK_EQ(naming_init(&n), 0);
	TEST("named: a recorder asks once, and again in the next chunk", test_asks());
	TEST("named: more than it remembers", test_many());
	TEST("named: what a recording tells", test_told());
	TEST("named: what a recording must not tell", test_damaged());
	naming_exit(&n);
	return check_done();
}
