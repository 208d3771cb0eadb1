// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structs of a program that is older or newer than the library.  They end at a page that nobody
 * may touch: what lies beyond their size is not read, and not written.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "../../userspace/lib/opts.h"
#include "../../userspace/lib/tcpfsm.h"

#define NEWER	16		/* so much longer are those of a newer program */

static char *page_end;

static int make_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = 4 * page;		/* the longest is that of filters */
	char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + room, page, PROT_NONE))
		return -1;
	page_end = p + room;
	return 0;
}

/* A struct of so many bytes, all 0 but its size. */
static void *sized(size_t n)
{
	void *p = page_end - n;

	memset(p, 0, n);
	memcpy(p, &n, sizeof(n));
	return p;
}

typedef int (*take_fn)(const void *opts);

static void test_sizes(take_fn take, size_t size, int good)
{
	size_t none = sizeof(none) - 1, n;
	char *p;

	for (n = sizeof(n); n <= size + NEWER; n += sizeof(n))
		CHECK_EQ(take(sized(n)), good);
	p = sized(size + NEWER);
	p[size + NEWER - 1] = 1;
	CHECK_EQ(take(p), -E2BIG);
	p = sized(size);
	memcpy(p, &none, sizeof(none));
	CHECK_EQ(take(p), -EINVAL);
	CHECK_EQ(take(NULL), good);
}

static int take_model(const void *opts)
{
	struct tcpfsm_model *m;
	int err = tcpfsm_model_new(&m, opts);

	tcpfsm_model_free(m);
	return err;
}

static int take_ladders(const void *opts)
{
	struct tcpfsm_ladders *l;
	int err = tcpfsm_ladders_new(&l, opts);

	tcpfsm_ladders_free(l);
	return err;
}

static int take_timewaits(const void *opts)
{
	struct tcpfsm_timewaits *t;
	int err = tcpfsm_timewaits_new(&t, opts);

	tcpfsm_timewaits_free(t);
	return err;
}

static int take_explain(const void *opts)
{
	struct tcpfsm_explain *x;
	int err = tcpfsm_explain_new(&x, opts);

	tcpfsm_explain_free(x);
	return err;
}

/* They are looked at before the device is. */
static int take_source(const void *opts)
{
	struct tcpfsm_source *src;

	return tcpfsm_source_open_device(&src, "/no/such/device", opts, NULL);
}

static int take_recorder(const void *opts)
{
	struct tcpfsm_recorder *rec;

	return tcpfsm_recorder_open(&rec, "/no/such/device", "/no/such/directory", opts, NULL);
}

static int filter_ladders(const void *f)
{
	struct tcpfsm_ladders_options o = { .size = sizeof(o), .filter = f };

	return take_ladders(&o);
}

static int filter_timewaits(const void *f)
{
	struct tcpfsm_timewaits_options o = { .size = sizeof(o), .filter = f };

	return take_timewaits(&o);
}

static int filter_explain(const void *f)
{
	struct tcpfsm_explain_options o = { .size = sizeof(o), .filter = f };

	return take_explain(&o);
}

/* No error can be told: nothing passes. */
static int filter_match(const void *f)
{
	const struct tcpfsm_event ev = { .type = TCPFSM_EVENT_SYN };
	size_t size;

	if (tcpfsm_filter_match(f, &ev))
		return 0;
	memcpy(&size, f, sizeof(size));
	return size < sizeof(size) ? -EINVAL : -E2BIG;
}

/* What an older program asks for counts, as far as it goes. */
static void test_older_filter(void)
{
	struct tcpfsm_event ev = { .type = TCPFSM_EVENT_SYN, .rec.lport = 80 };
	size_t n = (offsetof(struct tcpfsm_filter, nlport) / sizeof(n) + 1) * sizeof(n);
	struct tcpfsm_filter *f = sized(n);

	f->lport[0] = 80;
	f->nlport = 1;
	CHECK(tcpfsm_filter_match(f, &ev));
	ev.rec.lport = 81;
	CHECK(!tcpfsm_filter_match(f, &ev));
	ev.type = TCPFSM_EVENT_LOST;
	CHECK(tcpfsm_filter_match(f, &ev));
}

/* What an older program learns of a module fits into what it has. */
static void test_info(void)
{
	struct tcpfsm_info ours, back;
	size_t size = sizeof(ours), n;

	memset(&ours, 0x5a, size);
	ours.size = sizeof(ours);
	for (n = sizeof(n); n <= size + NEWER; n += sizeof(n)) {
		char *p = page_end - n;
		uint32_t told = (uint32_t)n, filled;

		memset(p, 0x77, n);
		memcpy(p, &told, sizeof(told));
		give_info((struct tcpfsm_info *)p, &ours);
		memcpy(&filled, p, sizeof(filled));
		CHECK_EQ(filled, n < size ? n : size);
		CHECK_EQ(p[filled - 1], 0x5a);
		CHECK(n <= size || p[size] == 0x77);
		copy_info(&back, (struct tcpfsm_info *)p);
		CHECK_EQ(back.size, filled);
		CHECK_EQ(back.unkept, n < size ? 0 : ours.unkept);
	}
	/* A module of before told less. */
	ours.size = offsetof(struct tcpfsm_info, made);
	back.size = sizeof(back);
	give_info(&back, &ours);
	CHECK_EQ(back.size, ours.size);
	copy_info(&ours, &back);
	CHECK_EQ(ours.made, 0);
}

/* So is what the library makes of it, wherever it is given. */
static void test_info_taken(void)
{
	static const uint32_t size = offsetof(struct tcpfsm_info, features);
	struct tcpfsm_explain_options o = { .size = sizeof(o) };
	struct tcpfsm_info info = { .size = 0 };
	struct tcpfsm_source *src;
	struct tcpfsm_checks *c;
	void *p = page_end - size;

	memset(p, 0, size);
	memcpy(p, &size, sizeof(size));
	CHECK_EQ(tcpfsm_features_off(p), 0);
	CHECK_EQ(tcpfsm_features_off(NULL), 0);
	CHECK_EQ(tcpfsm_checks_new(&c, p), 0);
	tcpfsm_checks_free(c);
	o.info = p;
	CHECK_EQ(take_explain(&o), 0);
	CHECK_EQ(tcpfsm_source_open_device(&src, "/no/such/device", NULL, &info), -EINVAL);
	info.size = sizeof(info);
	CHECK_EQ(tcpfsm_source_open_device(&src, "/no/such/device", NULL, &info), -ENOENT);
}

/* Those without a size, which programs have in their own memory: until libtcpfsm.so.2. */
static void test_frozen(void)
{
	if (sizeof(void *) != 8)
		return;
	CHECK_EQ(sizeof(struct tcpfsm_record), 128);
	CHECK_EQ(sizeof(struct tcpfsm_item), 160);
	CHECK_EQ(sizeof(struct tcpfsm_event), 232);
	CHECK_EQ(sizeof(struct tcpfsm_life), 160);
	CHECK_EQ(sizeof(struct tcpfsm_conn), 40);
	CHECK_EQ(sizeof(struct tcpfsm_reach), 24);
	CHECK_EQ(sizeof(struct tcpfsm_ladder_end), 72);
	CHECK_EQ(sizeof(struct tcpfsm_ladder_row), 168);
	CHECK_EQ(sizeof(struct tcpfsm_ladder_cell), 48);
	CHECK_EQ(sizeof(struct tcpfsm_finding), 184);
	CHECK_EQ(sizeof(struct tcpfsm_timewait_reuse), 40);
}

int main(void)
{
	if (make_pages()) {
		perror("test_opts");
		return 1;
	}
	TEST("opts: of a model, shorter and longer",
	     test_sizes(take_model, sizeof(struct tcpfsm_model_options), 0));
	TEST("opts: of ladders, shorter and longer",
	     test_sizes(take_ladders, sizeof(struct tcpfsm_ladders_options), 0));
	TEST("opts: of timewaits, shorter and longer",
	     test_sizes(take_timewaits, sizeof(struct tcpfsm_timewaits_options), 0));
	TEST("opts: of explain, shorter and longer",
	     test_sizes(take_explain, sizeof(struct tcpfsm_explain_options), 0));
	TEST("opts: of a source, shorter and longer",
	     test_sizes(take_source, sizeof(struct tcpfsm_source_options), -ENOENT));
	TEST("opts: of a recorder, shorter and longer",
	     test_sizes(take_recorder, sizeof(struct tcpfsm_recorder_options), -ENOENT));
	TEST("opts: filter of ladders, shorter and longer",
	     test_sizes(filter_ladders, sizeof(struct tcpfsm_filter), 0));
	TEST("opts: filter of timewaits, shorter and longer",
	     test_sizes(filter_timewaits, sizeof(struct tcpfsm_filter), 0));
	TEST("opts: filter of explain, shorter and longer",
	     test_sizes(filter_explain, sizeof(struct tcpfsm_filter), 0));
	TEST("opts: filter of events, shorter and longer",
	     test_sizes(filter_match, sizeof(struct tcpfsm_filter), 0));
	TEST("opts: a shorter filter counts", test_older_filter());
	TEST("opts: info, shorter and longer", test_info());
	TEST("opts: info taken, shorter than the library's", test_info_taken());
	TEST("opts: structs without a size are as they were", test_frozen());
	return check_done();
}
