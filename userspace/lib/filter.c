// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Filters of events, and the words that make them. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "number.h"
#include "opts.h"
#include "tcpfsm.h"

static bool port_in(const uint16_t *ports, unsigned int n, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return !n;
}

static bool state_in(uint32_t states, const struct tcpfsm_event *ev)
{
	uint32_t bits = 1U << (ev->old_state & 31);

	if (ev->type == TCPFSM_EVENT_TRANSITION)
		bits |= 1U << (ev->new_state & 31);
	return states & bits;
}

static bool match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;

	if (f->family && f->family != rec->family)
		return false;
	if (f->netns && f->netns != rec->netns)
		return false;
	if (f->pid && (!ev->has_owner || f->pid != ev->pid))
		return false;
	if (f->states && !state_in(f->states, ev))
		return false;
	if (f->causes && (ev->type != TCPFSM_EVENT_TRANSITION || !(f->causes & 1U << ev->cause)))
		return false;
	return port_in(f->lport, f->nlport, rec->lport) &&
	       (ev->suppressed || port_in(f->rport, f->nrport, rec->rport));
}

bool tcpfsm_filter_match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter known;

	if (!f || (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed))
		return true;
	if (__builtin_expect(f->size == sizeof(*f), 1))
		return match(f, ev);
	return !copy_opts(&known, sizeof(known), f) && match(&known, ev);
}

/* ---- words ------------------------------------------------------------------------- */

/* These return NULL, or what is wrong. */

static const char *parse_ports(const char *s, uint16_t ports[16], uint8_t *n)
{
	uint64_t port;

	for (;;) {
		if (!parse_u64(s, &s, 1, UINT16_MAX, &port) || (*s && *s != ','))
			return "not a list of ports from 1 to 65535";
		if (*n >= 16)
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

static const char *parse_netns(const char *s, uint32_t *netns)
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

/* With the letters that options of the command have. */
static const struct word {
	const char *name;
	char letter;
	bool value;
} words[] = {
	{ "lport", 'L', true }, { "rport", 'D', true }, { "ipv4", '4', false },
	{ "ipv6", '6', false }, { "pid", 'p', true }, { "netns", 'N', true },
	{ "state", 's', true }, { "cause", 'C', true },
};

#define NWORDS		(sizeof(words) / sizeof(words[0]))
#define UNKNOWN_WORD	"not one of lport rport ipv4 ipv6 pid netns state cause"

/* "lport", "--lport", "-L" */
static const struct word *find_word(const char *s)
{
	size_t i;

	for (i = 0; i < NWORDS; i++) {
		if (s[0] == '-' && s[1] == words[i].letter && !s[2])
			return &words[i];
		if (!strcasecmp(s + (strncmp(s, "--", 2) ? 0 : 2), words[i].name))
			return &words[i];
	}
	return NULL;
}

static const char *set_word(struct tcpfsm_filter *f, const struct word *w, const char *value)
{
	uint64_t v = 0;

	switch (w->letter) {
	case 'L':
		return parse_ports(value, f->lport, &f->nlport);
	case 'D':
		return parse_ports(value, f->rport, &f->nrport);
	case '4':
	case '6':
		/* Both together are no restriction. */
		f->family = f->family == (w->letter == '4' ? 6 : 4) ? 0 : (uint8_t)(w->letter - '0');
		return NULL;
	case 'p':
		if (!parse_number(value, 1, INT_MAX, &v))
			return "not a process id";
		f->pid = (uint32_t)v;
		return NULL;
	case 'N':
		return parse_netns(value, &f->netns);
	case 's':
		return parse_names(value, tcpfsm_state_by_name, &f->states,
				   "not a list of states such as SYN_SENT,TIME_WAIT");
	}
	return parse_names(value, tcpfsm_cause_by_name, &f->causes,
			   "not a list of causes such as timeout,rcv_rst");
}

static int complain(int err, const char *wrong, const char *what, char *why, size_t size)
{
	if (size)
		snprintf(why, size, "%s%s%s", wrong, *wrong ? ": " : "", what);
	return err;
}

/* Into the caller's, all or nothing. */
static int give(struct tcpfsm_filter *f, const struct tcpfsm_filter *known, char *why, size_t size)
{
	int err = give_opts(f, known, sizeof(*known));

	return err ? complain(err, "", "the program is too old for this filter", why, size) : 0;
}

int tcpfsm_filter_set(struct tcpfsm_filter *f, const char *word, const char *value, char *why,
		      size_t size)
{
	const struct word *w = find_word(word);
	struct tcpfsm_filter known;
	const char *wrong;
	int err = copy_opts(&known, sizeof(known), f);

	if (err)
		return complain(err, "", "this filter is not one that the library knows", why, size);
	wrong = !w ? UNKNOWN_WORD : w->value && !value ? "needs a value after it" :
		set_word(&known, w, value);
	return wrong ? complain(-EINVAL, "", wrong, why, size) : give(f, &known, why, size);
}

int tcpfsm_filter_parse(struct tcpfsm_filter *f, const char *text, char *why, size_t size)
{
	struct tcpfsm_filter known = { .size = sizeof(known) };
	char buf[256], wrong[64], *p = buf, *name, *save;

	if (strlen(text) >= sizeof(buf))
		return complain(-EINVAL, "", "too long", why, size);
	for (; *text; text++)
		*p++ = *text == '=' ? ' ' : *text;
	*p = '\0';
	for (name = strtok_r(buf, " \t", &save); name; name = strtok_r(NULL, " \t", &save)) {
		const struct word *w = find_word(name);
		const char *what = UNKNOWN_WORD, *value = "";

		snprintf(wrong, sizeof(wrong), "%s", name);
		if (w && w->value)
			value = strtok_r(NULL, " \t", &save);
		if (value && *value)
			snprintf(wrong, sizeof(wrong), "%s", value);
		if (w)
			what = value ? set_word(&known, w, value) : "needs a value after it";
		if (what)
			return complain(-EINVAL, wrong, what, why, size);
	}
	return give(f, &known, why, size);
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

	for (i = 0; i < n && i < 16; i++)
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

int tcpfsm_filter_text(const struct tcpfsm_filter *f, char *buf, size_t size)
{
	struct tcpfsm_filter known;
	char number[16];
	size_t len = 0;
	int err = copy_opts(&known, sizeof(known), f);

	if (!size)
		return -EINVAL;
	*buf = '\0';
	if (err)
		return err;
	len = add_ports(buf, size, len, "lport", known.lport, known.nlport);
	len = add_ports(buf, size, len, "rport", known.rport, known.nrport);
	if (known.family)
		len = add_word(buf, size, len, known.family == 6 ? "ipv6" : "ipv4", "");
	snprintf(number, sizeof(number), "%u", known.pid);
	if (known.pid)
		len = add_word(buf, size, len, "pid", number);
	snprintf(number, sizeof(number), "%u", known.netns);
	if (known.netns)
		len = add_word(buf, size, len, "netns", number);
	len = add_names(buf, size, len, "state", known.states, tcpfsm_state_name);
	add_names(buf, size, len, "cause", known.causes, tcpfsm_cause_name);
	return 0;
}
