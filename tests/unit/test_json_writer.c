// SPDX-License-Identifier: GPL-2.0-only
/* JSON a value at a time: commas, and what others have said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../../userspace/lib/json_writer.h"

struct text {
	char s[4096];
	size_t len;
};

static void write_text(void *to, const char *s, size_t n)
{
	struct text *t = to;

	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

static void test_commas(void)
{
	struct text t = { .len = 0 };
	struct json j = { .write = write_text, .to = &t };

	json_open(&j, NULL, '{');
	json_open(&j, "none", '[');
	json_close(&j, ']');
	json_open(&j, "two", '[');
	json_number(&j, NULL, UINT64_MAX);
	json_open(&j, NULL, '{');
	json_signed(&j, "least", INT64_MIN);
	json_close(&j, '}');
	json_close(&j, ']');
	json_bool(&j, "b", false);
	json_null(&j, "n");
	json_ms(&j, "ms", 1234567);
	json_decimal(&j, "d", 0.0005);
	json_minus(&j, "m", 0);
	json_time(&j, "t", 0);
	json_address(&j, "a", 6, NULL);
	json_address(&j, "no", 0, NULL);
	json_end(&j);
	json_open(&j, NULL, '{');
	json_end(&j);
	CHECK(!strcmp(t.s, "{\"none\":[],\"two\":[18446744073709551615,{\"least\":-9223372036854775808}],"
			   "\"b\":false,\"n\":null,\"ms\":1.234,\"d\":0.001,\"m\":-0,\"t\":null,"
			   "\"a\":\"::\",\"no\":\"\"}\n{}\n"));
}

static void expect(const char *in, const char *out)
{
	struct text t = { .len = 0 };
	struct json j = { .write = write_text, .to = &t };

	json_string(&j, NULL, in);
	CHECK(!strcmp(t.s, out));
	if (strcmp(t.s, out))
		printf("# %s\n", t.s);
}

static void test_strings(void)
{
	expect("", "\"\"");
	expect("a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\"");
	expect("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7\"");
	/* C1 controls, overlong, cut off, surrogates, beyond Unicode, no beginning. */
	expect("\xc2\x9b", "\"\\u009b\"");
	expect("\xc0\xaf", "\"\\ufffd\\ufffd\"");
	expect("\xe2\x82", "\"\\ufffd\\ufffd\"");
	expect("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	expect("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	expect("\x80x", "\"\\ufffdx\"");
}

/* Longer than what is written at a time, with characters of each length across its end. */
static void test_long(void)
{
	size_t before, i;

	for (before = 230; before < 270; before++) {
		char in[600], out[1200];

		memset(in, 'x', before);
		strcpy(in + before, "\x01\xe2\x82\xac\"end");
		out[0] = '"';
		for (i = 1; i <= before; i++)
			out[i] = 'x';
		strcpy(out + i, "\\u0001\xe2\x82\xac\\\"end\"");
		expect(in, out);
	}
}

int main(void)
{
	TEST("json: commas and brackets", test_commas());
	TEST("json: text of others", test_strings());
	TEST("json: long text", test_long());
	return check_done();
}
