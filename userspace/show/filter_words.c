// SPDX-License-Identifier: GPL-2.0-only
/* Filters, as options have them and as they are typed in tcpfsm top. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "filter_words.h"

/* A decimal number and nothing else. */
static bool parse_u64(const char *s, const char **end, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	const char *p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		unsigned int d = (unsigned int)(*p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*end = p;
	*value = v;
	return p != s && v >= min && v <= max;
}

bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *value)
{
	const char *end;

	return parse_u64(s, &end, min, max, value) && !*end;
}

static const char *parse_ports(const char *s, uint16_t ports[16], uint8_t *n)
{
	uint64_t port;

	for (;;) {
		if (!parse_u64(s, &s, 1, UINT16_MAX, &port) || (*s && *s != ','))
			return "not a list of ports from 1 to 65535";
		if (*n == 16)
			return "more than 16 ports";
		ports[(*n)++] = (uint16_t)port;
		if (!*s++)
			return NULL;
	}
}

/* Comma-separated names of a table, as bits. */
static const char *parse_names(const char *s, int (*by_name)(const char *, size_t),
			       uint32_t *bits, const char *why)
{
	for (;;) {
		size_t len = strcspn(s, ",");
		int n = by_name(s, len);

		if (n < 0)
			return why;
		*bits |= 1U << n;
		s += len;
		if (!*s++)
			return NULL;
	}
}

const char *filter_option(struct tcpfsm_filter *f, unsigned int *families, int val,
			  const char *arg)
{
	uint64_t v = 0;

	switch (val) {
	case 'L':
		return parse_ports(arg, f->lport, &f->nlport);
	case 'D':
		return parse_ports(arg, f->rport, &f->nrport);
	case '4':
	case '6':
		/* Both together are no restriction. */
		*families |= val == '4' ? 1 : 2;
		f->family = *families == 3 ? 0 : (uint8_t)(val - '0');
		return NULL;
	case 'p':
		if (!parse_number(arg, 1, INT_MAX, &v))
			return "not a process id";
		f->pid = (uint32_t)v;
		return NULL;
	case 's':
		return parse_names(arg, tcpfsm_state_by_name, &f->states,
				   "not a list of states such as SYN_SENT,TIME_WAIT");
	case 'C':
		return parse_names(arg, tcpfsm_cause_by_name, &f->causes,
				   "not a list of causes such as timeout,rcv_rst");
	}
	return "no filter";
}

const char *find_netns(const char *s, uint32_t *netns)
{
	char path[PATH_MAX];
	struct statfs fs;
	struct stat st;
	uint64_t v;

	if (parse_number(s, 1, UINT32_MAX, &v)) {
		*netns = (uint32_t)v;
		return NULL;
	}
	if (!*s)
		return "no name";
	if ((size_t)snprintf(path, sizeof(path), strchr(s, '/') ? "%s" : "/run/netns/%s", s) >=
	    sizeof(path))
		return "name too long";
	if (stat(path, &st))
		return strerror(errno);
	if (statfs(path, &fs) || fs.f_type != NSFS_MAGIC)
		return "not a namespace";
	*netns = (uint32_t)st.st_ino;
	return NULL;
}

/* ---- words ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int val;
	bool arg;
} words[] = {
	{ "lport", 'L', true }, { "rport", 'D', true }, { "ipv4", '4', false },
	{ "ipv6", '6', false }, { "pid", 'p', true }, { "netns", 'N', true },
	{ "state", 's', true }, { "cause", 'C', true },
};

#define NWORDS		(sizeof(words) / sizeof(words[0]))

/* "lport", "--lport", "-L" */
static int find_word(const char *s)
{
	size_t i;

	for (i = 0; i < NWORDS; i++) {
		if (s[0] == '-' && s[1] == words[i].val && !s[2])
			return (int)i;
		if (!strcasecmp(s + (strncmp(s, "--", 2) ? 0 : 2), words[i].name))
			return (int)i;
	}
	return -1;
}

const char *filter_words(struct tcpfsm_filter *f, const char *text, char wrong[64])
{
	unsigned int families = 0;
	char buf[256], *p = buf, *word, *save;

	*f = (struct tcpfsm_filter) { .size = sizeof(*f) };
	*wrong = '\0';
	if (strlen(text) >= sizeof(buf))
		return "too long";
	for (; *text; text++)
		*p++ = *text == '=' ? ' ' : *text;
	*p = '\0';
	for (word = strtok_r(buf, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		int i = find_word(word);
		const char *why, *arg = "";

		snprintf(wrong, 64, "%s", word);
		if (i < 0)
			return "not one of lport rport ipv4 ipv6 pid netns state cause";
		if (words[i].arg)
			arg = strtok_r(NULL, " \t", &save);
		if (!arg)
			return "needs a value after it";
		if (*arg)
			snprintf(wrong, 64, "%s", arg);
		why = words[i].val == 'N' ? find_netns(arg, &f->netns) :
					    filter_option(f, &families, words[i].val, arg);
		if (why)
			return why;
	}
	return NULL;
}

static size_t add_word(char *buf, size_t size, size_t len, const char *word, const char *value)
{
	int n = snprintf(buf + len, size - len, "%s%s %s", len ? " " : "", word, value);

	return len + (size_t)n < size ? len + (size_t)n : size - 1;
}

static size_t add_ports(char *buf, size_t size, size_t len, const char *word,
			const uint16_t *ports, unsigned int n)
{
	char list[128] = "";
	unsigned int i;

	for (i = 0; i < n; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u", i ? "," : "",
			 ports[i]);
	return n ? add_word(buf, size, len, word, list) : len;
}

static size_t add_names(char *buf, size_t size, size_t len, const char *word, uint32_t bits,
			const char *(*name)(unsigned int))
{
	char list[256] = "";
	unsigned int i;

	for (i = 0; i < 32; i++)
		if (bits >> i & 1)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
				 *list ? "," : "", name(i));
	return bits ? add_word(buf, size, len, word, list) : len;
}

void filter_to_words(const struct tcpfsm_filter *f, char *buf, size_t size)
{
	char number[16];
	size_t len = 0;

	*buf = '\0';
	len = add_ports(buf, size, len, "lport", f->lport, f->nlport);
	len = add_ports(buf, size, len, "rport", f->rport, f->nrport);
	if (f->family)
		len = add_word(buf, size, len, f->family == 6 ? "ipv6" : "ipv4", "");
	snprintf(number, sizeof(number), "%u", f->pid);
	if (f->pid)
		len = add_word(buf, size, len, "pid", number);
	snprintf(number, sizeof(number), "%u", f->netns);
	if (f->netns)
		len = add_word(buf, size, len, "netns", number);
	len = add_names(buf, size, len, "state", f->states, tcpfsm_state_name);
	add_names(buf, size, len, "cause", f->causes, tcpfsm_cause_name);
}
