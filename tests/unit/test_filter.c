// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters made of words: options and expressions.  What passes those of options is in test_model.c,
 * those of other sizes in test_opts.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	CHECK(!parse(&f, "ipv4 ipv6 ipv4") && f.family == TCPFSM_FAMILY_BOTH);
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
	char why[256] = "";

	CHECK_EQ(tcpfsm_filter_set(&f, "lport", "80,443", why, sizeof(why)), 0);
	CHECK_EQ(tcpfsm_filter_set(&f, "lport", "8080", why, sizeof(why)), 0);
	CHECK(f.nlport == 3 && f.lport[0] == 80 && f.lport[2] == 8080);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv4", NULL, NULL, 0), 0);
	CHECK_EQ(f.family, 4);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv6", NULL, NULL, 0), 0);
	CHECK_EQ(f.family, TCPFSM_FAMILY_BOTH);
	CHECK_EQ(tcpfsm_filter_set(&f, "ipv4", NULL, NULL, 0), 0);
	CHECK_EQ(f.family, TCPFSM_FAMILY_BOTH);
	CHECK(!*why);

	before = f;
	CHECK_EQ(tcpfsm_filter_set(&f, "state", "LISTEN,nowhere", why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "only ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT "
			   "CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING NEW_SYN_RECV "
			   "BOUND_INACTIVE are states"));
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

/* ---- expressions -------------------------------------------------------------------------- */

/* 10.0.0.1:40000 > 10.1.2.3:443, nginx/7, 4026531840, in ESTABLISHED after rcv_synack */
static struct tcpfsm_filter_subject subject(void)
{
	struct tcpfsm_filter_subject s = {
		.size = sizeof(s), .known = 0xff, .netns = 4026531840U, .pid = 7,
		.states = 1U << S(SYN_SENT) | 1U << S(ESTABLISHED), .causes = 1U << TCPFSM_CAUSE_RCV_SYNACK,
		.lport = 40000, .rport = 443, .family = 4, .laddr = { 10, 0, 0, 1 },
		.raddr = { 10, 1, 2, 3 }, .comm = "nginx",
	};

	return s;
}

static bool passes(const char *text, const struct tcpfsm_filter_subject *s)
{
	struct tcpfsm_filter f = { .size = sizeof(f) }, g = f;
	char again[TCPFSM_FILTER_TEXT], why[512];
	bool is;

	if (tcpfsm_filter_parse(&f, text, why, sizeof(why))) {
		printf("# %s: %s\n", text, why);
		check_failed++;
		return false;
	}
	is = tcpfsm_filter_subject(&f, s);
	/* What it says of itself is the same filter. */
	CHECK(!tcpfsm_filter_text(&f, again, sizeof(again)));
	CHECK(!tcpfsm_filter_parse(&g, again, why, sizeof(why)));
	if (tcpfsm_filter_subject(&g, s) != is || tcpfsm_filter_asks(&g) != tcpfsm_filter_asks(&f)) {
		printf("# \"%s\" became \"%s\"\n", text, again);
		check_failed++;
	}
	return is;
}

static void test_expressions(void)
{
	static const char *const yes[] = {
		"dst 10.1.2.3", "dst = 10.1.2.3:443", "dst 10.0.0.0/8", "dst 10.1.2.3/31:400-500", "src *",
		"src 10.0.0.1:*", "src inet:10.0.0.1", "dst :443", "dst :https", "dport = :443", "dport = 443",
		"dport=443", "dport https", "dport 80,443", "dport 400-500", "dport != 80", "sport > 32768",
		"sport >= 40000 and sport <= :40000", "sport ge 40000 sport lt 40001", "host 10.1.2.3",
		"host 10.1.0.0/16:443", "host 10.0.0.1", "port 443", "port 40000", "not port 80",
		"! dst 10.1.2.4 && sport = 40000", "dport 80 or dport 443", "dport = 80 | src 10.0.0.1",
		"(dport=80 or dport=443) and comm nginx", "comm = nginx", "comm != sshd", "comm \"nginx\"",
		"pid 7", "pid 5,7", "not pid 5", "netns 4026531840", "netns != 5", "ipv4", "not ipv6",
		"state established", "state estab", "state connected", "not state listening", "cause rcv-synack",
		"dport 443 or dport 80 and comm sshd", "not dport 80 or dport 1", "not ( dport 443 and comm sshd )",
		"dst 10.1.2.3,10.1.2.4", "dst 1.2.3.4,10.1.2.3:443", "host 0.0.0.0/0", "-D 443 -p 7",
		"lport 40000 rport 443 dst 10.1.2.3", "DST 10.1.2.3 AND NOT COMM sshd", "dst [::ffff:10.1.2.3]:443",
		"dst ::ffff:10.0.0.0/104", "lport 80 lport 40000", "ipv6 ipv4", "\tsrc  10.0.0.1\t", "dport <= 443",
		"not not dport 443", "((((((dport 443))))))", "port 1-65535", "dst 10.1.2.3 and rport 443",
	}, *const no[] = {
		"dst 10.1.2.4", "dst 10.1.2.3:80", "dst 11.0.0.0/8", "src inet6:*", "dst != 10.1.2.3", "dport = 80",
		"dport != 443", "dport < 443", "dport > 443", "sport > 65535", "sport < 0", "host 10.9.9.9",
		"host 10.1.2.3:40000", "host 10.0.0.1:443", "not port 443", "dport 80 and dport 443",
		"(dport 443 or dport 80) and comm sshd", "comm ngin", "comm nginxx", "pid 8", "netns 5", "ipv6",
		"state time-wait", "cause 2msl", "not dst 10.0.0.0/8", "dst ::1", "host ::/0", "lport 80 rport 443",
		"dport 443 dport 80", "rport 443 and rport 80", "ipv4 and ipv6", "dst 10.1.2.3 not comm nginx",
		"state bucket", "dst ::ffff:11.0.0.0/104",
	};
	struct tcpfsm_filter_subject s = subject(), six = subject();
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!passes(yes[i], &s)) {
			printf("# %s\n", yes[i]);
			check_failed++;
		}
	for (i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (passes(no[i], &s)) {
			printf("# %s\n", no[i]);
			check_failed++;
		}
	six.family = 6;
	memcpy(six.raddr, (const uint8_t[16]) { 0x20, 1, 0xd, 0xb8, [15] = 2 }, 16);
	CHECK(passes("dst 2001:db8::2", &six) && passes("dst [2001:db8::2]:443", &six));
	CHECK(passes("dst 2001:db8::/32", &six) && passes("dst [2001:db8::/32]:443", &six));
	CHECK(passes("dst [2001:db8::]/32:443", &six) && passes("dst 2001:db8::/33:443", &six));
	CHECK(!passes("dst 2001:db9::/32", &six) && !passes("host 10.1.2.3", &six));
	CHECK(passes("dst 2001:db8::3/127", &six) && !passes("dst 2001:db8::4/127", &six));
}

/* What is not known may be anything; what is asked besides still counts. */
static void test_unknown(void)
{
	struct tcpfsm_filter_subject s = subject();

	s.known = TCPFSM_ASKS_NETNS | TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL;
	CHECK(passes("dst 9.9.9.9", &s) && passes("not dst 9.9.9.9", &s) && passes("comm x", &s));
	CHECK(passes("sport 40000 and dst 9.9.9.9", &s) && !passes("sport 80 and dst 9.9.9.9", &s));
	CHECK(passes("sport 80 or dst 9.9.9.9", &s) && !passes("sport 80 and not dst 9.9.9.9", &s));
	CHECK(passes("port 80", &s) && passes("not port 80", &s) && !passes("not port 40000", &s));
	CHECK(passes("state listen rport 5", &s) && passes("pid 3", &s));
}

static void test_wrong(void)
{
	static const char *const wrong[][2] = {
		{ "dport 443 or", "at the end: a condition is missing" }, { "dport 80 )", "): there is no ( before it" },
		{ "( dport 80 or dport 81 ) )", "): there is no ( before it" }, { "!", "at the end: a condition is missing" },
		{ "state time-wait,foo", "foo: only ESTABLISHED" }, { "cause rcv_rst,foo", "foo: only active_open" },
		{ "or dport 80", "or: a condition is missing before it" },
		{ "dprot = 443", "dprot: not one of" }, { "dst 10.0.0.0/33", "10.0.0.0/33: not an address" },
		{ "dst 10.0.0.1 and", "at the end: " }, { "and dport 1", "and: a condition" },
		{ "( dport 1", "at the end: a ) is missing" }, { "dport 1 )", "): " }, { "dport", "dport: needs" },
		{ "dport = ", "dport: needs" }, { "dport ( 1 )", "dport: needs" }, { "dport > 1-5", "1-5: one port" },
		{ "dport 5-1", "5-1: not a port" }, { "dport 65536", "65536: not a port" }, { "comm > x", ">: only" },
		{ "dst < 10.0.0.1", "<: only" }, { "dport 80,x,90", "x: not a port" }, { "comm \"x", "x: a quotation" },
		{ "state nowhere", "nowhere: only" }, { "cause x or dport 1", "x: only" }, { "cgroup x", "x: not a path" },
		{ "dport 1 or", "at the end: " }, { "or dport 1", "or: a condition" }, { "not", "at the end: " },
		{ "()", "): a condition" }, { "netns /nowhere", "/nowhere: " }, { "dst example.com", "example.com: " },
		{ "lport 80 )", "): " }, { "dport 1 and or dport 2", "or: a cond" }, { "dst [::1", "[::1: not an" },
		{ "dst inet:::1", "inet:::1: not" }, { "container ''", "no name" }, { "dport 1) or (dport 2", "): " },
	};
	struct tcpfsm_filter f = { .size = sizeof(f) }, before;
	char why[512];
	size_t i;

	CHECK(!tcpfsm_filter_and(&f, "dst 10.0.0.0/8 lport 80", why, sizeof(why)));
	before = f;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		*why = '\0';
		if (tcpfsm_filter_and(&f, wrong[i][0], why, sizeof(why)) != -EINVAL ||
		    strncmp(why, wrong[i][1], strlen(wrong[i][1]))) {
			printf("# %s: %s\n", wrong[i][0], why);
			check_failed++;
		}
	}
	CHECK(!memcmp(&f, &before, sizeof(f)));
	/* One after the other, all must be so. */
	CHECK(!tcpfsm_filter_and(&f, "dport 5 or dport 6", NULL, 0));
	CHECK(!tcpfsm_filter_and(&f, "comm nginx", NULL, 0));
	CHECK(!tcpfsm_filter_text(&f, why, sizeof(why)));
	CHECK(!strcmp(why, "lport 80 and dst 10.0.0.0/8 and ( dport 5 or dport 6 ) and comm nginx"));
}

/* Long, deep and random ones: an error or a filter, and nothing else happens (run with ASan). */
static void test_hostile(void)
{
	static const char *const words[] = {
		"dst", "src", "10.0.0.0/8", "::1", "dport", "=", "!=", "443", "(", ")", "and", "or", "not", "!", "comm",
		"x", "\"", "'", "\\", "pid", "7", ",", "80,90", "1-5", "netns", "container", "cgroup", "/a", "state",
		"listen", "<", ">=", "&&", "|", "[", "]", ":", "*", "host", "port", "-L", "ipv4", "cause", "2msl",
	};
	struct tcpfsm_filter_subject s = subject();
	struct tcpfsm_filter f = { .size = sizeof(f) };
	char text[3 * TCPFSM_FILTER_TEXT], why[128];
	unsigned int seed = 1, i, n, good = 0;
	size_t len;

	for (i = 0; i < 200000; i++) {
		for (n = len = 0; n < seed % 12 + 1; n++) {
			seed = seed * 1103515245 + 12345;
			len += (size_t)sprintf(text + len, "%s%s", n && seed & 0x40000000 ? " " : "",
					       words[(seed >> 8) % (sizeof(words) / sizeof(*words))]);
		}
		seed = seed * 1103515245 + 12345;
		if (!tcpfsm_filter_parse(&f, text, why, sizeof(why))) {
			s.known = seed >> 7;
			tcpfsm_filter_subject(&f, &s);
			good++;
		}
	}
	CHECK(good > 1000 && good < 100000);
	for (n = 1; n < 1000; n++) {
		memset(text, '(', n);
		strcpy(text + n, "dport 1");
		memset(text + n + 7, ')', n);
		text[n + 7 + n] = '\0';
		CHECK_EQ(tcpfsm_filter_parse(&f, text, why, sizeof(why)), n <= 32 ? 0 : -EINVAL);
		memset(text, '!', n);
		strcpy(text + n, " dport 1");
		CHECK_EQ(tcpfsm_filter_parse(&f, text, why, sizeof(why)), n <= 32 ? 0 : -EINVAL);
	}
	/* As many as there is room for; one more is too many. */
	for (n = len = 0; n < 65; n++)
		len += (size_t)sprintf(text + len, "%sdport %u", n ? " or " : "", n + 1);
	CHECK_EQ(tcpfsm_filter_parse(&f, text, why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "filter: too many conditions at a time"));
	*strrchr(text, 'o') = '\0';
	*strrchr(text, 'o') = '\0';
	CHECK_EQ(tcpfsm_filter_parse(&f, "dport 1-3 and not comm a and not comm b", why, sizeof(why)), 0);
	for (n = len = 0; n < 60; n++)
		len += (size_t)sprintf(text + len, "not comm p%u ", n);
	CHECK_EQ(tcpfsm_filter_parse(&f, text, why, sizeof(why)), -EINVAL);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK_EQ(tcpfsm_filter_parse(&f, text, why, sizeof(why)), -EINVAL);
	CHECK(!strcmp(why, "too long"));
}

/* A process's cgroup, and names of containers in it: this process's. */
static void test_cgroup(void)
{
	struct tcpfsm_filter_subject s = subject();
	char path[4096] = "", text[5000], line[4096];
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "0::", 3))
			sscanf(line + 3, "%4095s", path);
	if (file)
		fclose(file);
	s.pid = (uint32_t)getpid();
	s.ts = 0;
	if (!*path || strlen(path) > 200 || !passes("cgroup /", &s)) {
		printf("# no cgroup v2, or numbers of processes that are not those of records\n");
		return;
	}
	snprintf(text, sizeof(text), "cgroup %s", path);
	CHECK(passes(text, &s));
	snprintf(text, sizeof(text), "cgroup /sys/fs/cgroup%s", path);
	CHECK(passes(text, &s));
	snprintf(text, sizeof(text), "cgroup %s/nowhere", path);
	CHECK(!passes(text, &s));
	CHECK(!passes("container nowhere-at-all", &s));
}

/* ---- against ss ------------------------------------------------------------------------------- */

#define SOCKETS	64

static struct tcpfsm_filter_subject socks[SOCKETS];
static unsigned int nsocks;

/* "127.0.0.1:80", "[::1]:80", "*:80", with %dev */
static bool end_of(const char *text, uint8_t *family, uint8_t addr[16], uint16_t *port)
{
	char buf[128], *colon, *s = buf, *percent;

	snprintf(buf, sizeof(buf), "%s", text);
	colon = strrchr(buf, ':');
	if (!colon)
		return false;
	*colon = '\0';
	*port = (uint16_t)atoi(colon + 1);
	if (*s == '[')
		s[strlen(s) - 1] = '\0', s++;
	percent = strchr(s, '%');
	if (percent)
		*percent = '\0';
	memset(addr, 0, 16);
	*family = strchr(s, ':') || *s == '*' ? 6 : 4;
	return *s == '*' || inet_pton(*family == 4 ? AF_INET : AF_INET6, s, addr) == 1;
}

static uint16_t ports[8];

static bool is_ours(uint16_t port)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (ports[i] && ports[i] == port)
			return true;
	return false;
}

/* Those of ours among what ss prints: bits, by their number in socks; learn: all that there are. */
static uint64_t ask_ss(const char *expr, bool learn)
{
	char command[1200], line[512], state[32], local[128], peer[128];
	uint64_t bits = 0;
	unsigned int i;
	FILE *ss;

	snprintf(command, sizeof(command), "ss -Htan '%s' 2>&1", expr);
	ss = popen(command, "re");
	while (ss && fgets(line, sizeof(line), ss)) {
		struct tcpfsm_filter_subject s = {
			.size = sizeof(s), .known = TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL | TCPFSM_ASKS_PEER,
		};
		uint8_t family;

		if (sscanf(line, "%31s %*s %*s %127s %127s", state, local, peer) != 3 ||
		    !end_of(peer, &family, s.raddr, &s.rport) ||
		    !end_of(local, &s.family, s.laddr, &s.lport)) {
			printf("# ss %s: %s", expr, line);
			check_failed++;
			continue;
		}
		if (!is_ours(s.lport) && !is_ours(s.rport))
			continue;
		for (i = 0; i < nsocks; i++)
			if (!memcmp(&socks[i], &s, sizeof(s)))
				break;
		if (i == nsocks && learn && nsocks < SOCKETS)
			socks[nsocks++] = s;
		if (i < nsocks)
			bits |= 1ULL << i;
	}
	if (ss)
		pclose(ss);
	return bits;
}

static int connected(int family, const char *from, const char *to, int listener, uint16_t *port)
{
	struct sockaddr_storage addr = { .ss_family = (sa_family_t)family }, local = addr;
	struct sockaddr_in *v4 = (void *)&addr, *l4 = (void *)&local;
	struct sockaddr_in6 *v6 = (void *)&addr, *l6 = (void *)&local;
	socklen_t len = sizeof(addr);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	getsockname(listener, (void *)&addr, &len);
	if (family == AF_INET) {
		inet_pton(family, to, &v4->sin_addr);
		inet_pton(family, from, &l4->sin_addr);
	} else {
		inet_pton(family, to, &v6->sin6_addr);
		inet_pton(family, from, &l6->sin6_addr);
	}
	if (bind(fd, (void *)&local, len) || connect(fd, (void *)&addr, len))
		return -1;
	getsockname(fd, (void *)&addr, &len);
	*port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
	return fd;
}

static int listening(int family, const char *at, uint16_t *port)
{
	struct sockaddr_storage addr = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *v4 = (void *)&addr;
	struct sockaddr_in6 *v6 = (void *)&addr;
	socklen_t len = family == AF_INET ? sizeof(*v4) : sizeof(*v6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(family, at, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr);
	if (bind(fd, (void *)&addr, len) || listen(fd, 8) || getsockname(fd, (void *)&addr, &len))
		return -1;
	*port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
	return fd;
}

static unsigned int dice = 7;

static unsigned int roll(unsigned int n)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % n;
}

/*
 * ss reads "and" and "or" from left to right, against its manual: here they have parentheses.  With
 * an address of one family it leaves out all of the other, even after "not": each has its own.
 */
static size_t generate(char *buf, size_t size, unsigned int depth, bool six)
{
	static const char *const addrs[] = {
		"127.0.0.1", "127.0.0.2", "127.0.0.0/8", "127.0.0.2/31", "0.0.0.0/0", "10.0.0.0/8", "*", "127.0.0.3",
		"[::1]", "[2001:db8::1]",
	}, *const rels[] = { "=", "!=", "<", ">", "<=", ">=", "", "eq", "neq", "lt", "gt", "le", "ge" };
	size_t len = 0;

	if (depth && roll(3)) {
		unsigned int n = roll(2) + 2;
		const char *word = roll(2) ? "and" : roll(2) ? "or" : "and";

		for (; n; n--) {
			len += (size_t)snprintf(buf + len, size - len, "%s( ", roll(4) ? "" : "not ");
			len += generate(buf + len, size - len, depth - 1, six);
			len += (size_t)snprintf(buf + len, size - len, " )%s%s%s", n > 1 ? " " : "", n > 1 ? word : "",
						n > 1 ? " " : "");
		}
		return len;
	}
	if (roll(2))
		return (size_t)snprintf(buf, size, "%s%s %s", roll(4) ? "" : "! ", roll(2) ? "src" : "dst",
					addrs[six ? 8 + roll(2) : roll(8)]);
	return (size_t)snprintf(buf, size, "%s %s :%u", roll(2) ? "sport" : "dport", rels[roll(13)],
				ports[roll(8)] + roll(2));
}

static void test_against_ss(void)
{
	int l[3] = { listening(AF_INET, "127.0.0.1", &ports[0]), listening(AF_INET, "0.0.0.0", &ports[1]),
		     listening(AF_INET6, "::1", &ports[2]) };
	struct tcpfsm_filter f = { .size = sizeof(f) };
	unsigned int i, k, some = 0;
	uint64_t theirs, ours;
	char expr[1000], why[256];
	bool six = l[2] >= 0;

	if (system("ss -V >/dev/null 2>&1") || l[0] < 0 || l[1] < 0) {
		printf("# no ss, or no loopback\n");
		return;
	}
	connected(AF_INET, "127.0.0.1", "127.0.0.1", l[0], &ports[3]);
	connected(AF_INET, "127.0.0.2", "127.0.0.1", l[0], &ports[4]);
	connected(AF_INET, "127.0.0.1", "127.0.0.2", l[1], &ports[5]);
	connected(AF_INET, "127.0.0.3", "127.0.0.2", l[1], &ports[6]);
	if (six)
		connected(AF_INET6, "::1", "::1", l[2], &ports[7]);
	ask_ss("", true);
	CHECK(nsocks >= (six ? 13 : 10));
	for (i = 0; i < 200; i++) {
		unsigned int family = six && i % 4 == 3 ? 6 : 4;
		size_t len = generate(expr, sizeof(expr), 2, family == 6);
		uint64_t mask = 0;

		if (len >= sizeof(expr) - 1)
			continue;
		for (k = 0; k < nsocks; k++)
			mask |= (uint64_t)(socks[k].family == family) << k;
		theirs = ask_ss(expr, false) & mask;
		if (tcpfsm_filter_parse(&f, expr, why, sizeof(why))) {
			printf("# %s: %s\n", expr, why);
			check_failed++;
			continue;
		}
		for (k = 0, ours = 0; k < nsocks; k++)
			ours |= (uint64_t)tcpfsm_filter_subject(&f, &socks[k]) << k & mask;
		if (ours != theirs) {
			printf("# %s: %llx, ss: %llx\n", expr, (unsigned long long)ours, (unsigned long long)theirs);
			check_failed++;
		}
		some += theirs && theirs != mask;
	}
	printf("# %u sockets, %u of %u expressions chose some of them\n", nsocks, some, i);
	CHECK(some > 60);
}

int main(void)
{
	TEST("filter: expressions", test_expressions());
	TEST("filter: what is not known", test_unknown());
	TEST("filter: errors name the word", test_wrong());
	TEST("filter: hostile expressions", test_hostile());
	TEST("filter: cgroups", test_cgroup());
	TEST("filter: the same sockets as ss, by 200 expressions", test_against_ss());
	TEST("filter: in words, and back", test_words());
	TEST("filter: a word at a time", test_set());
	TEST("filter: words of a program that is older", test_older());
	return check_done();
}
