// SPDX-License-Identifier: GPL-2.0-only
/* The live engine on rings without a kernel: what is due when, and who hears of it first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ring_writer.h"
#include "../../userspace/lib/follow.h"
#include "../../userspace/lib/source/clock.h"
#include "../../userspace/lib/source/source.h"

#define NETNS		4026531840U

static struct ring_writer writer;
static struct ring_reader reader;
static struct tcpfsm_source *source;
static struct tcpfsm_follow *follow;
static char story[4096];		/* a letter for each call */
static int totals_error;		/* of the next reading */
static struct tcpfsm_notice last;	/* by type: what was told */
static int answer;			/* of the next event or notice of totals */
static volatile sig_atomic_t interrupted;

static void tell(char what)
{
	size_t len = strlen(story);

	if (len < sizeof(story) - 1)
		story[len] = what;
}

static int fake_totals(struct tcpfsm_source *src)
{
	struct tcpfsm_record *r;

	if (totals_error)
		return totals_error;
	r = calloc(1, sizeof(*r));
	r->type = TCPFSM_TYPE_TOTAL;
	r->netns = NETNS;
	r->ts = monotonic_ns();
	source_put_totals(src, r, 1);
	return 0;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	tell(ev->type == TCPFSM_EVENT_LOST ? 'l' : 'e');
	return answer;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	(void)arg;
	if (item->rec.type == TCPFSM_TYPE_TOTAL)
		tell('t');
	return 0;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	(void)arg;
	last = *n;
	tell("SRT"[n->type]);
	return n->type == TCPFSM_NOTICE_TOTALS ? answer : 0;
}

static int on_batch(const struct tcpfsm_item *items, size_t n, void *arg)
{
	(void)arg;
	tell(n ? 'b' : '0');
	return tcpfsm_model_items(tcpfsm_follow_model(follow), items, n, on_event, NULL);
}

static void put(uint8_t type, uint64_t conn, uint8_t old, uint8_t new)
{
	struct tcpfsm_record rec = {
		.type = type, .conn = conn, .old_state = old, .new_state = new, .netns = NETNS,
		.family = 4, .lport = 80, .rport = 40000, .ts = monotonic_ns(),
	};

	writer_put(&writer, &rec);
}

static void put_some(unsigned int n)
{
	while (n--)
		put(TCPFSM_TYPE_STATE, 1, TCPFSM_STATE_SYN_SENT, TCPFSM_STATE_ESTABLISHED);
}

static void begin(struct tcpfsm_follow_options o)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };

	memset(story, 0, sizeof(story));
	totals_error = answer = interrupted = 0;
	writer_init(&writer, 64, 0);
	writer_attach(&writer, &reader, false);
	CHECK_EQ(source_open_rings(&source, &reader, 1, 0,
				   (int64_t)(realtime_ns() - monotonic_ns())), 0);
	source->totals = fake_totals;
	o.size = sizeof(o);
	o.model = &mo;
	o.event = on_event;
	o.item = on_item;
	o.notice = on_notice;
	o.interrupted = &interrupted;
	CHECK_EQ(follow_open_source(&follow, source, &o), 0);
}

static void end(void)
{
	tcpfsm_follow_close(follow);
	writer_free(&writer);
}

static int run(unsigned int ms)
{
	uint64_t until = monotonic_ns() + ms * NSEC_PER_MSEC;
	int rc;

	do {
		rc = tcpfsm_follow_step(follow, 0, 5);
	} while (rc >= 0 && rc != TCPFSM_FOLLOW_END && monotonic_ns() < until);
	return rc;
}

static unsigned int count(char what)
{
	const char *p;
	unsigned int n = 0;

	for (p = story; *p; p++)
		n += *p == what;
	return n;
}

#define CHECK_STORY(s)	CHECK(!strcmp(story, s) || (printf("# %s\n", story), 0))

static void test_order(void)
{
	begin((struct tcpfsm_follow_options) { .totals = true });
	put_some(2);
	CHECK_EQ(tcpfsm_follow_step(follow, 0, -1), TCPFSM_FOLLOW_IDLE);
	CHECK_STORY("tSTee");
	/* The end: what is there is read again. */
	interrupted = 1;
	CHECK_EQ(run(2000), TCPFSM_FOLLOW_END);
	CHECK_STORY("tSTeetT");
	end();
}

static void test_enough(void)
{
	begin((struct tcpfsm_follow_options) { .totals = true });
	put_some(3);
	answer = 1;
	CHECK_EQ(tcpfsm_follow_step(follow, 0, -1), TCPFSM_FOLLOW_END);
	CHECK_STORY("tST");
	end();
	begin((struct tcpfsm_follow_options) { .size = 0 });
	put_some(3);
	answer = -ENOMEM;
	CHECK_EQ(tcpfsm_follow_step(follow, 0, -1), -ENOMEM);
	CHECK_STORY("tSe");
	end();
}

static void test_totals(void)
{
	begin((struct tcpfsm_follow_options) { .totals = true, .totals_ns = 20 * NSEC_PER_MSEC });
	CHECK_EQ(run(250), TCPFSM_FOLLOW_IDLE);
	CHECK(count('T') >= 5 && count('T') <= 13);
	/* One that fails ends nothing, unless the caller wants so. */
	totals_error = -EOVERFLOW;
	CHECK_EQ(run(60), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(last.error, -EOVERFLOW);
	totals_error = 0;
	CHECK_EQ(run(60), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(last.error, 0);
	totals_error = answer = -EOVERFLOW;
	CHECK_EQ(run(1000), -EOVERFLOW);
	end();
}

static void test_state_only(void)
{
	begin((struct tcpfsm_follow_options) {
		.totals = true, .state_only = true, .totals_ns = 20 * NSEC_PER_MSEC,
		.duration = 100 * NSEC_PER_MSEC });
	put_some(10);
	CHECK_EQ(run(2000), TCPFSM_FOLLOW_END);
	CHECK_EQ(count('e'), 0);
	CHECK(count('T') >= 2 && count('T') <= 6);
	end();
	begin((struct tcpfsm_follow_options) { .totals = true, .state_only = true });
	CHECK_EQ(run(2000), TCPFSM_FOLLOW_END);
	CHECK_STORY("tST");
	end();
}

static void test_resync(void)
{
	begin((struct tcpfsm_follow_options) { .resync = true });
	CHECK_EQ(run(0), TCPFSM_FOLLOW_IDLE);
	put_some(100);
	CHECK_EQ(run(10), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(count('l'), 1);
	CHECK_EQ(count('R'), 1);
	CHECK(last.type == TCPFSM_NOTICE_RESYNC && !last.again && last.took_ns);
	/* Not as soon again, but at the end. */
	put_some(100);
	CHECK_EQ(run(10), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(count('R'), 1);
	interrupted = 1;
	CHECK_EQ(run(2000), TCPFSM_FOLLOW_END);
	CHECK_EQ(count('R'), 2);
	CHECK(last.again);
	end();
}

static void test_duration(void)
{
	uint64_t begun = monotonic_ns();

	begin((struct tcpfsm_follow_options) { .duration = 50 * NSEC_PER_MSEC });
	put_some(1);
	CHECK_EQ(run(5000), TCPFSM_FOLLOW_END);
	CHECK(monotonic_ns() - begun > 50 * NSEC_PER_MSEC);
	CHECK_STORY("tSe");
	end();
	/* What is younger than the end is not told, whenever it is read. */
	begin((struct tcpfsm_follow_options) { .duration = 1 });
	put_some(5);
	CHECK_EQ(run(5000), TCPFSM_FOLLOW_END);
	CHECK_STORY("tS");
	end();
}

static void test_batch(void)
{
	begin((struct tcpfsm_follow_options) { .batch = on_batch });
	put_some(20);
	CHECK_EQ(tcpfsm_follow_step(follow, 1, -1), TCPFSM_FOLLOW_MORE);
	CHECK_EQ(run(0), TCPFSM_FOLLOW_IDLE);
	CHECK_EQ(count('e'), 20);
	interrupted = 1;
	CHECK_EQ(run(2000), TCPFSM_FOLLOW_END);
	CHECK_EQ(story[strlen(story) - 1], '0');
	end();
}

int main(void)
{
	TEST("follow: in which order", test_order());
	TEST("follow: enough seen", test_enough());
	TEST("follow: totals", test_totals());
	TEST("follow: totals and no records", test_state_only());
	TEST("follow: sockets read again after losses", test_resync());
	TEST("follow: duration", test_duration());
	TEST("follow: batches and budgets", test_batch());
	return check_done();
}
