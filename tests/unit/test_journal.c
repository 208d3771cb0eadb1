// SPDX-License-Identifier: GPL-2.0-only
/* What serve tells the journal, and how often. */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/tcpfsm.h"
#include "../../userspace/serve/journal.h"
#include "../../userspace/serve/outgoing.h"

#define T(t)		TCPFSM_TOTAL_##t
#define DROPPED(r)	(T(SYN_DROPPED) + TCPFSM_REASON_##r)
#define S		NSEC_PER_SEC

static char said[256][2048];
static unsigned int nsaid;

/* In the place of libsystemd's. */
int sd_journal_sendv(const struct iovec *v, int n);
int sd_journal_sendv(const struct iovec *v, int n)
{
	char *to = said[nsaid++ % 256];
	int i;

	*to = '\0';
	for (i = 0; i < n; i++) {
		/* As the journal wants them. */
		CHECK(memchr(v[i].iov_base, '=', v[i].iov_len));
		CHECK(!memchr(v[i].iov_base, '\n', v[i].iov_len) && !memchr(v[i].iov_base, '\0', v[i].iov_len));
		to += snprintf(to, (size_t)(said[0] + sizeof(said) - to), "%.*s\n", (int)v[i].iov_len,
			       (const char *)v[i].iov_base);
	}
	return 0;
}

/* Was that said in this one? */
static bool has(unsigned int i, const char *line)
{
	const char *at = i < nsaid ? strstr(said[i % 256], line) : NULL;
	bool is = at && (at == said[i % 256] || at[-1] == '\n') && at[strlen(line)] == '\n';

	if (!is)
		printf("# %u of %u: no %s in\n%s", i, nsaid, line, i < nsaid ? said[i % 256] : "");
	return is;
}

static struct tcpfsm_listeners *ls;

static void total(uint64_t conn, uint64_t ts, uint32_t index, uint64_t value)
{
	struct tcpfsm_item i = { .rec = {
		.ts = ts, .type = TCPFSM_TYPE_TOTAL, .family = conn ? 4 : 0, .conn = conn, .flags = TCPFSM_F_OWNER,
		.listener = value, .netns = 7, .lport = (uint16_t)conn, .rcv = index, .pid = 12, .comm = "ng\033inx",
	} };

	CHECK_EQ(tcpfsm_listeners_item(ls, &i), 0);
}

static void test_refusals(void)
{
	struct journal *j = journal_new(NULL, NULL);
	uint64_t now = 1000 * S;

	nsaid = 0;
	CHECK_EQ(tcpfsm_listeners_new(&ls), 0);
	total(80, 1, DROPPED(ACCEPTQ_FULL), 5);
	CHECK_EQ(journal_listeners(j, ls, now), 0);
	/* That was before. */
	CHECK_EQ(nsaid, 0);
	total(80, 2, DROPPED(ACCEPTQ_FULL), 8);
	total(80, 2, T(ACK_DROPPED) + TCPFSM_REASON_DEFER_ACCEPT, 8);
	CHECK_EQ(journal_listeners(j, ls, now + 1 * S), 0);
	CHECK_EQ(nsaid, 1);
	CHECK(has(0, "TCPFSM_EVENT=refused") && has(0, "TCPFSM_REASON=acceptq_full") && has(0, "TCPFSM_COUNT=3") &&
	      has(0, "TCPFSM_TOTAL=8") && has(0, "LISTENER=0.0.0.0:80") && has(0, "NETNS=7") && has(0, "TCPFSM_PID=12") &&
	      has(0, "TCPFSM_COMM=ng?inx") && has(0, "TCPFSM_WHAT=syns_dropped") && has(0, "PRIORITY=4") &&
	      has(0, "MESSAGE=0.0.0.0:80 (ng?inx) dropped SYNs: 3, acceptq_full"));
	/* Another reason is told at once, this one when ten seconds are over. */
	total(80, 3, DROPPED(ACCEPTQ_FULL), 9);
	total(80, 3, DROPPED(SYNQ_FULL), 1);
	CHECK_EQ(journal_listeners(j, ls, now + 5 * S), 0);
	CHECK_EQ(nsaid, 2);
	CHECK(has(1, "TCPFSM_REASON=synq_full"));
	total(80, 4, DROPPED(ACCEPTQ_FULL), 1009);
	CHECK_EQ(journal_listeners(j, ls, now + 14 * S), 0);
	CHECK_EQ(nsaid, 2);
	CHECK_EQ(journal_listeners(j, ls, now + 15 * S), 0);
	CHECK_EQ(nsaid, 3);
	CHECK(has(2, "TCPFSM_COUNT=1001"));
	/* One that is new has nothing before. */
	total(81, 5, DROPPED(ACCEPTQ_FULL), 2);
	CHECK_EQ(journal_listeners(j, ls, now + 16 * S), 0);
	CHECK_EQ(nsaid, 4);
	CHECK(has(3, "TCPFSM_COUNT=2"));
	/* Nothing new, nothing said. */
	CHECK_EQ(journal_listeners(j, ls, now + 60 * S), 0);
	CHECK_EQ(nsaid, 4);
	tcpfsm_listeners_free(ls);
	journal_free(j);
}

/* A thousand listeners that refuse: so many lines, and the rest as a number. */
static void test_bounded(void)
{
	struct journal *j = journal_new(NULL, NULL);
	uint64_t now = 1000 * S, left_out = 0;
	unsigned int i, lines;

	nsaid = 0;
	CHECK_EQ(tcpfsm_listeners_new(&ls), 0);
	CHECK_EQ(journal_listeners(j, ls, now), 0);
	for (i = 1; i <= 1000; i++)
		total(i, 2, DROPPED(SYNQ_FULL), 1);
	CHECK_EQ(journal_listeners(j, ls, now + 1 * S), 0);
	CHECK_EQ(nsaid, JOURNAL_LINES);
	CHECK_EQ(journal_listeners(j, ls, now + 11 * S), 0);
	CHECK_EQ(nsaid, JOURNAL_LINES + 1);
	CHECK(has(nsaid - 1, "TCPFSM_EVENT=suppressed") && has(nsaid - 1, "TCPFSM_COUNT=900"));
	/* For an hour, one a second each. */
	for (lines = nsaid, i = 0; i < 3600; i++) {
		unsigned int k, before = nsaid;

		for (k = 1; k <= 1000; k++)
			total(k, 3 + i, DROPPED(SYNQ_FULL), 2 + i);
		CHECK_EQ(journal_listeners(j, ls, now + (12 + i) * S), 0);
		for (; before < nsaid; before++)
			if (strstr(said[before % 256], "TCPFSM_EVENT=suppressed"))
				left_out += strtoull(strstr(said[before % 256], "TCPFSM_COUNT=") + 13, NULL, 10);
	}
	CHECK(nsaid - lines <= 361 * (JOURNAL_LINES + 1) && nsaid - lines > 300 * JOURNAL_LINES);
	CHECK(left_out > 200000);
	tcpfsm_listeners_free(ls);
	journal_free(j);
}

static void finding(struct journal *j, const char *verdict, unsigned int severity, uint16_t lport)
{
	static const struct tcpfsm_action actions[] = { { .text = "Do this", .command = "true", .more = "", .cost = "" } };
	struct tcpfsm_finding f = {
		.verdict = verdict, .severity = (uint8_t)severity, .conn = lport, .netns = 7, .family = 6, .lport = lport,
		.summary = "Clients\nare refused.", .actions = actions, .nactions = 1,
	};

	f.laddr[15] = 1;
	CHECK_EQ(journal_finding(j, &f), 0);
}

static void test_findings(void)
{
	struct journal *j = journal_new(NULL, NULL);
	unsigned int i;

	nsaid = 0;
	for (i = 0; i < 3; i++) {
		finding(j, "synq_full", TCPFSM_SEVERITY_CRITICAL, 80);
		finding(j, "micro_burst", TCPFSM_SEVERITY_INFO, 80);
		CHECK_EQ(journal_judged(j, realtime_ns()), 0);
	}
	/* Told once, and what is no harm never. */
	CHECK_EQ(nsaid, 1);
	CHECK(has(0, "TCPFSM_EVENT=finding_begin") && has(0, "TCPFSM_VERDICT=synq_full") && has(0, "PRIORITY=3") &&
	      has(0, "TCPFSM_SEVERITY=critical") && has(0, "LISTENER=[::1]:80") && has(0, "TCPFSM_DO=Do this") &&
	      has(0, "TCPFSM_COMMAND=true") && has(0, "MESSAGE=critical synq_full: Clients?are refused."));
	finding(j, "synq_full", TCPFSM_SEVERITY_WARNING, 80);
	CHECK_EQ(nsaid, 2);
	CHECK(has(1, "TCPFSM_EVENT=finding_change") && has(1, "PRIORITY=4"));
	/* Absent for a moment is not over. */
	CHECK_EQ(journal_judged(j, realtime_ns() + 29 * S), 0);
	CHECK_EQ(nsaid, 2);
	CHECK_EQ(journal_judged(j, realtime_ns() + 31 * S), 0);
	CHECK_EQ(nsaid, 3);
	CHECK(has(2, "TCPFSM_EVENT=finding_end") && has(2, "PRIORITY=5") && has(2, "TCPFSM_VERDICT=synq_full"));
	CHECK_EQ(journal_judged(j, realtime_ns() + 99 * S), 0);
	CHECK_EQ(nsaid, 3);
	journal_free(j);
}

static void test_connects(void)
{
	static struct outgoings out;
	struct journal *j = journal_new(NULL, NULL);
	struct tcpfsm_connect c = {
		.family = 4, .rport = 443, .netns = 7, .raddr = { 192, 0, 2, 1 }, .has_owner = true, .pid = 9, .comm = "curl",
		.recent = { .established = 2, .failed = 3 }, .total = { .failed = 5 },
	};
	unsigned int i, n;

	for (i = 0; i < TCPFSM_CONNECT_ERRORS && tcpfsm_connect_errno(i); i++)
		;
	c.recent.by_errno[0] = 3;
	c.total.by_errno[0] = 5;
	nsaid = 0;
	CHECK_EQ(journal_connect(j, &c, 1000 * S), 0);
	CHECK_EQ(nsaid, 1);
	CHECK(has(0, "TCPFSM_EVENT=connects_failed") && has(0, "DESTINATION=192.0.2.1:443") && has(0, "TCPFSM_COUNT=3") &&
	      has(0, "TCPFSM_TOTAL=5") && has(0, "TCPFSM_COMM=curl"));
	journal_free(j);
	/* Rows of the library come and go; these add up, and are never more. */
	for (i = 0; i < 3; i++)
		outgoing_add(&out, &c);
	CHECK_EQ(out.n, 1);
	CHECK_EQ(out.of[0].established, 6);
	CHECK_EQ(out.of[0].failed[0], 9);
	for (i = 0; i < 1000; i++) {
		snprintf(c.comm, sizeof(c.comm), "c%u", i);
		outgoing_add(&out, &c);
	}
	CHECK_EQ(out.n, OUTGOING_MAX + 1);
	for (i = n = 0; i < out.n; i++)
		n += (unsigned int)out.of[i].established;
	CHECK_EQ(n, 2006);
	CHECK_EQ(out.of[OUTGOING_MAX].netns, 0);
}

/* The same as JSON. */
static void test_json(void)
{
	static struct out o;
	struct out_text text = { .s = NULL };
	struct journal *j;

	out_to_text(&o, &text);
	j = journal_new(&o, NULL);
	nsaid = 0;
	finding(j, "synq_full", TCPFSM_SEVERITY_CRITICAL, 80);
	CHECK_EQ(nsaid, 0);
	CHECK(text.s && strstr(text.s, "\"event\":\"finding_begin\"") && strstr(text.s, "\"lport\":80") &&
	      strstr(text.s, "\"do\":[{\"text\":\"Do this\",\"command\":\"true\"}]") &&
	      strchr(text.s, '\n') == text.s + text.len - 1);
	out_text_free(&text);
	journal_free(j);
}

int main(void)
{
	TEST("the first refusal, then a count each ten seconds", test_refusals());
	TEST("no more than a hundred lines in ten seconds, and what was left out", test_bounded());
	TEST("findings begin, change and end once each", test_findings());
	TEST("connects that fail, and sums of all that do not grow", test_connects());
	TEST("JSON lines", test_json());
	return check_done();
}
