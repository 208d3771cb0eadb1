// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* The metadata of a recording, written from the tables of the UAPI header. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "clock.h"
#include "ctf.h"
#include "ctf_token.h"
#include "tcpfsm.h"

#define TRACER		"tcpfsm"

static const char intro[] =
	"/* CTF 1.8 */\n"
	"\n"
	"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
	"typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
	"typealias integer { size = 8; align = 8; signed = false; base = 16; } := hex8_t;\n"
	"typealias integer { size = 8; align = 8; signed = false; encoding = UTF8; } := char_t;\n"
	"\n";

static const char stream[] =
	"typealias integer { size = 64; align = 8; signed = false; "
	"map = clock.monotonic.value; } := time_t;\n"
	"\n"
	"stream {\n"
	"	id = 0;\n"
	"	packet.context := struct {\n"
	"		uint64_t cpu_id;\n"
	"		time_t timestamp_begin;\n"
	"		time_t timestamp_end;\n"
	"		uint64_t content_size;\n"
	"		uint64_t packet_size;\n"
	"		uint64_t packet_seq_num;\n"
	"		uint64_t events_discarded;\n"
	"	} align(512);\n"
	"	event.header := struct {\n"
	"		time_t timestamp;\n"
	"		uint8_t id;\n"
	"	} align(1024);\n"
	"};\n"
	"\n";

/* A string literal: what could end it or the line is left out. */
static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++)
		if (isprint((unsigned char)*s) && *s != '"' && *s != '\\')
			fputc(*s, f);
	fputc('"', f);
}

static void put_uuid(FILE *f, const uint8_t uuid[16])
{
	int i;

	for (i = 0; i < 16; i++)
		fprintf(f, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

struct label {
	unsigned int value;
	const char *name;
};

static void put_enum(FILE *f, const char *name, const struct label *l, size_t n)
{
	size_t i;

	fprintf(f, "typealias enum : uint8_t {\n");
	for (i = 0; i < n; i++)
		fprintf(f, "\t\"%s\" = %u,\n", l[i].name, l[i].value);
	fprintf(f, "} := %s_t;\n\n", name);
}

#define LABEL(s, n, name, text)	{ n, name },
#define ENUM(f, name, TABLE) do {						\
	static const struct label labels[] = { { 0, "none" }, TABLE(LABEL) };	\
	put_enum(f, name, labels, sizeof(labels) / sizeof(labels[0]));		\
} while (0)

static void put_enums(FILE *f)
{
	static const struct label how[] = { { 0, "RD" }, { 1, "WR" }, { 2, "RDWR" } };
	struct label state[16] = { { 0, "none" } };
	unsigned int n;

	for (n = 1; n < 16 && strcmp(tcpfsm_state_name(n), "?"); n++)
		state[n] = (struct label) { n, tcpfsm_state_name(n) };
	put_enum(f, "state", state, n);
	put_enum(f, "how", how, 3);
	ENUM(f, "verdict", TCPFSM_VERDICTS);
	ENUM(f, "reason", TCPFSM_REASONS);
	ENUM(f, "tw_action", TCPFSM_TW_ACTIONS);
	ENUM(f, "segment", TCPFSM_SEGMENTS);
	ENUM(f, "direction", TCPFSM_DIRECTIONS);
	ENUM(f, "rst_reason", TCPFSM_RST_REASONS);
	ENUM(f, "gone", TCPFSM_GONE);
}

/* What record.verdict is in a record of this type. */
static const char *verdict_type(unsigned int type)
{
	switch (type) {
	case TCPFSM_TYPE_SYN:
	case TCPFSM_TYPE_ACK:
		return "verdict_t";
	case TCPFSM_TYPE_REQUEST_GONE:
		return "gone_t";
	case TCPFSM_TYPE_RETRANSMIT:
		return "segment_t";
	case TCPFSM_TYPE_RESET:
		return "direction_t";
	case TCPFSM_TYPE_STATE:	/* to CLOSE, if a mini-socket took over */
	case TCPFSM_TYPE_TIMEWAIT:
	case TCPFSM_TYPE_SOCKET:	/* enter, if it is a mini-socket */
		return "tw_action_t";
	case TCPFSM_TYPE_SHUTDOWN:
		return "how_t";
	default:
		return "uint8_t";
	}
}

static void put_event(FILE *f, unsigned int type, const char *name)
{
	fprintf(f,
		"event {\n"
		"	name = \"tcpfsm:%s\";\n"
		"	id = %u;\n"
		"	stream_id = 0;\n"
		"	fields := struct {\n"
		"		uint8_t family;\n"
		"		state_t old;\n"
		"		state_t new;\n"
		"		hex8_t flags;\n"
		"		%s verdict;\n"
		"		%s reason;\n"
		"		uint8_t arg;\n"
		"		uint64_t conn;\n"
		"		uint64_t listener;\n"
		"		uint32_t netns;\n"
		"		uint16_t lport;\n"
		"		uint16_t rport;\n"
		"		uint8_t laddr[16];\n"
		"		uint8_t raddr[16];\n"
		"		uint32_t snd;\n"
		"		uint32_t rcv;\n"
		"		uint32_t tw;\n"
		"		uint32_t tw_max;\n"
		"		uint32_t synq;\n"
		"		uint32_t acceptq;\n"
		"		uint32_t backlog;\n"
		"		uint32_t pid;\n"
		"		char_t comm[16];\n"
		"		uint64_t seq;\n"
		"	};\n"
		"};\n"
		"\n", name, type, verdict_type(type),
		type == TCPFSM_TYPE_STATE ? "state_t" :
		type == TCPFSM_TYPE_RESET ? "rst_reason_t" : "reason_t");
}

static char *text_end(FILE *f, char **text)
{
	int err = ferror(f);

	if (fclose(f) || err) {
		free(*text);
		return NULL;
	}
	return *text;
}

char *ctf_metadata_unknown_type(unsigned int type)
{
	char name[32], *text = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	snprintf(name, sizeof(name), "type_%u", type);
	put_event(f, type, name);
	return text_end(f, &text);
}

/* "	tcpfsm_error_syn = 16;": a feature that was off, and the errno that kept it off. */
#define FEATURE_ERROR	"tcpfsm_error_"

static void put_errors(FILE *f, const struct ctf_env *env)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (env->error[i])
			fprintf(f, "\t" FEATURE_ERROR "%s = %d;\n", tcpfsm_feature_name(i),
				-env->error[i]);
}

char *ctf_metadata_text(const struct ctf_env *env)
{
	int64_t sec = env->epoch_offset / (int64_t)NSEC_PER_SEC;
	int64_t nsec = env->epoch_offset % (int64_t)NSEC_PER_SEC;
	struct utsname uts;
	char *text = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	if (uname(&uts))
		memset(&uts, 0, sizeof(uts));
	if (nsec < 0) {
		sec--;
		nsec += (int64_t)NSEC_PER_SEC;
	}

	fputs(intro, f);
	fprintf(f, "trace {\n\tmajor = 1;\n\tminor = 8;\n\tuuid = \"");
	put_uuid(f, env->uuid);
	fprintf(f,
		"\";\n"
		"	byte_order = %s;\n"
		"	packet.header := struct {\n"
		"		uint32_t magic;\n"
		"		uint8_t uuid[16];\n"
		"		uint32_t stream_id;\n"
		"	};\n"
		"};\n"
		"\n"
		"env {\n"
		"	tracer_name = \"" TRACER "\";\n"
		"	tracer_major = 1;\n"
		"	tracer_minor = 0;\n"
		"	tcpfsm_abi = %u;\n"
		"	tcpfsm_record_size = %zu;\n"
		"	tcpfsm_marks = 1;\n", CTF_BYTE_ORDER, TCPFSM_ABI_VERSION,
		sizeof(struct tcpfsm_record));
	if (env->module_version) {
		fprintf(f, "\ttcpfsm_version = ");
		put_string(f, env->module_version);
		fprintf(f, ";\n");
	}
	put_errors(f, env);
	if (*env->filter) {
		fprintf(f, "\ttcpfsm_filter = ");
		put_string(f, env->filter);
		fprintf(f, ";\n");
	}
	fprintf(f, "\tdomain = \"kernel\";\n\tsysname = ");
	put_string(f, uts.sysname);
	fprintf(f, ";\n\tkernel_release = ");
	put_string(f, uts.release);
	fprintf(f, ";\n\thostname = ");
	put_string(f, uts.nodename);
	fprintf(f,
		";\n"
		"};\n"
		"\n"
		"clock {\n"
		"	name = \"monotonic\";\n"
		"	description = \"CLOCK_MONOTONIC\";\n"
		"	freq = 1000000000;\n"
		"	offset_s = %" PRId64 ";\n"
		"	offset = %" PRId64 ";\n"
		"};\n"
		"\n", sec, nsec);
	fputs(stream, f);
	put_enums(f);

#define EVENT(s, n, name, text)	put_event(f, n, name);
	TCPFSM_TYPES(EVENT)
#undef EVENT
	return text_end(f, &text);
}

/*
 * The reverse, only for what was written above: "key = value;" directly inside
 * a top-level block.  ctf_layout.c reads the rest.
 */

/* The value as text, without quotes; false when there is none that fits. */
static int metadata_get(const char *text, const char *block, const char *key, char *buf,
			size_t size)
{
	struct token t, before = { text, 0 }, top = { text, 0 };
	unsigned int depth = 0;

	for (;;) {
		t = next_token(&text);
		if (!t.len)
			return 0;
		if (token_is(t, "{")) {
			if (!depth++)
				top = before;
		} else if (token_is(t, "}")) {
			if (depth)
				depth--;
		} else if (token_is(t, "=") && depth == 1 && token_is(top, block) &&
			   token_is(before, key)) {
			t = next_token(&text);
			if (t.len >= 2 && *t.at == '"') {
				t.at++;
				t.len -= 2;
			}
			if (!t.len || t.len >= size)
				return 0;
			memcpy(buf, t.at, t.len);
			buf[t.len] = '\0';
			return 1;
		}
		before = t;
	}
}

static int metadata_get_number(const char *text, const char *block, const char *key,
			       long long *v)
{
	char buf[32], *end;

	if (!metadata_get(text, block, key, buf, sizeof(buf)))
		return 0;
	errno = 0;
	*v = strtoll(buf, &end, 10);
	return !errno && !*end;
}

static void parse_errors(const char *text, struct ctf_env *env)
{
	char key[48];
	unsigned int i;
	long long v;

	/* Each key is looked for in all of the text. */
	if (!strstr(text, FEATURE_ERROR))
		return;
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		snprintf(key, sizeof(key), FEATURE_ERROR "%s", tcpfsm_feature_name(i));
		if (metadata_get_number(text, "env", key, &v) && v > 0 && v < 4096)
			env->error[i] = (int32_t)-v;
	}
}

static int parse_uuid(const char *s, uint8_t uuid[16])
{
	int i;

	for (i = 0; i < 16; i++, s += 2) {
		char hex[3];

		s += *s == '-';
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]))
			return 0;
		memcpy(hex, s, 2);
		hex[2] = '\0';
		uuid[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
	return !*s;
}

int ctf_metadata_parse(const char *text, struct ctf_env *env, const char **why)
{
	long long v, sec, nsec;
	char buf[64];

	if (strncmp(text, "/* CTF 1.8 */", 13)) {
		*why = "metadata is not that of a CTF 1.8 trace in plain text";
		return -EBADMSG;
	}
	if (!metadata_get(text, "env", "tracer_name", buf, sizeof(buf)) ||
	    strcmp(buf, TRACER)) {
		*why = "a trace that tcpfsm did not record";
		return -EBADMSG;
	}
	if (!metadata_get_number(text, "env", "tcpfsm_abi", &v)) {
		*why = "metadata is damaged: no ABI version";
		return -EBADMSG;
	}
	if (v < 0) {
		*why = "metadata is damaged: no ABI version";
		return -EBADMSG;
	}
	if (v > TCPFSM_ABI_VERSION) {
		*why = "recorded by a younger version of tcpfsm, with another ABI";
		return -EPROTO;
	}
	env->abi = (unsigned int)v;
	if (!metadata_get_number(text, "env", "tcpfsm_record_size", &v) ||
	    (env->abi == TCPFSM_ABI_VERSION && v != sizeof(struct tcpfsm_record))) {
		*why = "metadata is damaged: wrong record size";
		return -EBADMSG;
	}
	if (!metadata_get(text, "trace", "byte_order", buf, sizeof(buf))) {
		*why = "metadata is damaged: no byte order";
		return -EBADMSG;
	}
	if (strcmp(buf, CTF_BYTE_ORDER)) {
		*why = "recorded on a machine of the other byte order";
		return -EPROTO;
	}
	if (!metadata_get(text, "trace", "uuid", buf, sizeof(buf)) ||
	    !parse_uuid(buf, env->uuid)) {
		*why = "metadata is damaged: no UUID";
		return -EBADMSG;
	}
	if (!metadata_get_number(text, "clock", "offset_s", &sec) ||
	    !metadata_get_number(text, "clock", "offset", &nsec) ||
	    sec > INT64_MAX / (long long)NSEC_PER_SEC - 1 ||
	    sec < INT64_MIN / (long long)NSEC_PER_SEC + 1 ||
	    nsec < 0 || nsec >= (long long)NSEC_PER_SEC) {
		*why = "metadata is damaged: no clock offset";
		return -EBADMSG;
	}
	env->epoch_offset = sec * (int64_t)NSEC_PER_SEC + nsec;
	env->module_version = NULL;
	env->marks = metadata_get_number(text, "env", "tcpfsm_marks", &v) && v == 1;
	parse_errors(text, env);
	if (!metadata_get(text, "env", "tcpfsm_filter", env->filter, sizeof(env->filter)))
		*env->filter = '\0';
	env->layout = NULL;
	return env->abi == TCPFSM_ABI_VERSION ? 0 : ctf_layout_parse(text, &env->layout, why);
}
