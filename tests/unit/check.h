/* SPDX-License-Identifier: GPL-2.0-only */
/* One line a test, "ok - name" or "not ok - name", as all our tests print. */
#ifndef TCPFSM_TESTS_CHECK_H
#define TCPFSM_TESTS_CHECK_H

#include <stdio.h>

static int check_failed, check_any_failed;

/* A failed check tells where and what; the test goes on. */
#define CHECK(cond)							\
	do {								\
		if (!(cond) && !check_failed++)				\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
	} while (0)

/* The same with two numbers to show. */
#define CHECK_EQ(a, b)							\
	do {								\
		long long check_a = (long long)(a), check_b = (long long)(b); \
		if (check_a != check_b && !check_failed++)		\
			printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, \
			       #a, check_a, check_b);			\
	} while (0)

#define TEST(name, call)						\
	do {								\
		check_failed = 0;					\
		call;							\
		printf("%s - %s\n", check_failed ? "not ok" : "ok", name); \
		fflush(stdout);						\
		check_any_failed |= check_failed;			\
	} while (0)

static inline int check_done(void)
{
	return check_any_failed ? 1 : 0;
}

#endif /* TCPFSM_TESTS_CHECK_H */
