// SPDX-License-Identifier: GPL-2.0-only
/* Filters made of words.  What passes them is in test_model.c, those of other sizes in test_opts.c. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "../../userspace/lib/tcpfsm.h"

#define S(s)	TCPFSM_STATE_##s

static int parse(struct tcpfsm_filter *f, const char *text)
{
	*f = (struct tcpfsm_filter) { .size = sizeof(*f) };
	return tcpfsm_filter_parse(f, text, NULL, 0);
}

static void test_words(void)
{
	struct tcpfsm_filter f, g;
	char text[256];

	CHECK(!parse(&f, "") && !f.nlport && !f.states);
	CHECK(!parse(&f, "lport 80,443 rport=5432 state TIME_WAIT,syn-sent cause timeout pid 7 "
			 "ipv6"));
	CHECK(f.nlport == 2 && f.lport[1] == 443 && f.nrport == 1 && f.rport[0] == 5432);
	CHECK(f.states == (1U << S(TIME_WAIT) | 1U << S(SYN_SENT)) && f.family == 6 && f.pid == 7);
	CHECK(!tcpfsm_filter_text(&f, text, sizeof(text)));
	CHECK(!parse(&g, text));
	CHECK(!memcmp(&f, &g, sizeof(f)));
	CHECK(!parse(&f, "-L 80 --rport 5 -4") && f.lport[0] == 80 && f.family == 4);
	CHECK(!parse(&f, "ipv4 ipv6") && !f.family);
	CHECK(!parse(&f, "netns 4026531840") && f.netns == 4026531840U);
	CHECK(parse(&f, "80"));
	CHECK(parse(&f, "lport"));
	CHECK(parse(&f, "lport 0"));
	CHECK(parse(&f, "lport 65536"));
	CHECK(parse(&f, "lport 80,"));
	CHECK(parse(&f, "state NOWHERE"));
	CHECK(parse(&f, "pid x"));
	CHECK(parse(&f, "netns /nowhere/at/all"));
	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK(!parse(&f, text));
}

/* A word at a time, as options of a program come. */
static void test_set(void)
{
	struct tcpfsm_filter f = { .size = sizeof(f) }, before;
	char why[128] = "";

	CHECK_EQ(tcpfsm_filter_set(&f, "lport", "80,443", why, sizeof(why)), 0);
	CHECK_EQ(tcpfsm_filter_set(&f, "lport", "8080", why, sizeof(why)), 0);
	CHECK(f.nlport == 3 && f.lport[0] == 80 && f.lport[2] == 8080);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv4", NULL, NULL, 0), 0);
	CHECK_EQ(f.family, 4);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv6", NULL, NULL, 0), 0);
	CHECK_EQ(f.family, 0);
	CHECK(!*why);

	before = f;
	CHECK_EQ(tcpfsm_filter_set(&f, "state", "LISTEN,nowhere", why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "not a list of states such as SYN_SENT,TIME_WAIT"));
	CHECK_EQ(tcpfsm_filter_set(&f, "lport", "1,2,3,4,5,6,7,8,9,10,11,12,13,14", why, sizeof(why)),
		 -EINVAL);
	CHECK(!strcmp(why, "more than 16 ports"));
	CHECK_EQ(tcpfsm_filter_set(&f, "pid", NULL, why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "needs a value after it"));
	CHECK_EQ(tcpfsm_filter_set(&f, "sport", "80", why, 4), -EINVAL);
	CHECK(!strcmp(why, "not"));
	CHECK_EQ(tcpfsm_filter_parse(&f, "rport 5 lport x", why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "x: not a list of ports from 1 to 65535"));
	CHECK(!memcmp(&f, &before, sizeof(f)));
}

/* A program whose filter has no pid yet may set all others. */
static void test_older(void)
{
	struct tcpfsm_filter f = { .size = offsetof(struct tcpfsm_filter, pid), .pid = 0x5a5a5a5a };
	char why[128], text[256];

	CHECK_EQ(tcpfsm_filter_set(&f, "rport", "80", why, sizeof(why)), 0);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv6", NULL, why, sizeof(why)), 0);
	CHECK_EQ(tcpfsm_filter_set(&f, "pid", "7", why, sizeof(why)), -E2BIG);
	CHECK_EQ(tcpfsm_filter_set(&f, "state", "LISTEN", why, sizeof(why)), -E2BIG);
	CHECK_EQ(tcpfsm_filter_text(&f, text, sizeof(text)), 0);
	CHECK(!strcmp(text, "rport 80 ipv6 "));
	CHECK_EQ(tcpfsm_filter_parse(&f, "lport 22", why, sizeof(why)), 0);
	CHECK(f.nlport == 1 && !f.nrport && !f.family);
	CHECK(f.size == offsetof(struct tcpfsm_filter, pid) && f.pid == 0x5a5a5a5a);
}

int main(void)
{
	TEST("filter: in words, and back", test_words());
	TEST("filter: a word at a time", test_set());
	TEST("filter: words of a program that is older", test_older());
	return check_done();
}
