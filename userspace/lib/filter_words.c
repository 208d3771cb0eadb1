// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Filters of words: the options of commands, and expressions in the grammar of ss. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "filter.h"
#include "number.h"
#include "opts.h"
#include "source/named.h"

#define LOCAL	TCPFSM_ASKS_LOCAL
#define PEER	TCPFSM_ASKS_PEER

/* ---- values --------------------------------------------------------------------------- */

/* These return NULL, or what is wrong. */

/* The text up to a comma; *s is behind it, or NULL. */
static const char *part_of(const char **s, char *buf, size_t size)
{
	size_t len = strcspn(*s, ",");

	if (len >= size)
		return "too long";
	memcpy(buf, *s, len);
	buf[len] = '\0';
	*s = (*s)[len] ? *s + len + 1 : NULL;
	return NULL;
}

/* A number, or a service of services(5). */
static bool parse_port(const char *s, uint64_t min, uint16_t *port)
{
	struct servent of, *found = NULL;
	char buf[1024];
	uint64_t v;

	if (parse_number(s, min, UINT16_MAX, &v)) {
		*port = (uint16_t)v;
		return true;
	}
	if (!*s || getservbyname_r(s, "tcp", &of, buf, sizeof(buf), &found) || !found)
		return false;
	*port = ntohs((uint16_t)found->s_port);
	return true;
}

#define NO_PORT		"not a port: a number from 0 to 65535, LOW-HIGH, or a service of /etc/services"
#define NO_PORTS	"not a list of ports from 1 to 65535"

/* A port or LOW-HIGH; services have '-' in their names, too. */
static bool parse_range(const char *s, uint16_t *low, uint16_t *high)
{
	const char *dash = strchr(s, '-');
	char first[64];

	if (parse_port(s, 0, low)) {
		*high = *low;
		return true;
	}
	for (; dash; dash = strchr(dash + 1, '-')) {
		if ((size_t)(dash - s) >= sizeof(first))
			return false;
		memcpy(first, s, (size_t)(dash - s));
		first[dash - s] = '\0';
		if (parse_port(first, 0, low) && parse_port(dash + 1, 0, high))
			return *low <= *high;
	}
	return false;
}

static const char *parse_ports(const char *s, uint16_t ports[16], uint8_t *n)
{
	char part[64];

	while (s) {
		uint16_t port;

		if (part_of(&s, part, sizeof(part)) || !parse_port(part, 1, &port))
			return NO_PORTS;
		if (*n >= 16)
			return "more than 16 ports";
		ports[(*n)++] = port;
	}
	return NULL;
}

/* Groups of states, and names, that ss has besides ours. */
#define BIT(s)	(1U << TCPFSM_STATE_##s)
#define BUCKETS	(BIT(SYN_RECV) | BIT(TIME_WAIT))
#define ALL	(((1U << 14) - 1) & ~1U)

static const struct {
	const char *name;
	uint32_t bits;
} groups[] = {
	{ "all", ALL }, { "listening", BIT(LISTEN) }, { "closed", BIT(CLOSE) },
	{ "unconnected", BIT(CLOSE) }, { "fin-wait-1", BIT(FIN_WAIT1) },
	{ "fin-wait-2", BIT(FIN_WAIT2) }, { "bucket", BUCKETS }, { "big", ALL & ~BUCKETS },
	{ "estab", BIT(ESTABLISHED) }, { "unconn", BIT(CLOSE) },	/* as it prints them */
	{ "connected", ALL & ~(BIT(LISTEN) | BIT(CLOSE)) },
	{ "synchronized", ALL & ~(BIT(LISTEN) | BIT(CLOSE) | BIT(SYN_SENT)) },
};

static int group_by_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (strlen(groups[i].name) == len && !strncasecmp(groups[i].name, name, len))
			return (int)i;
	return -1;
}

/* Comma-separated names of a table, as bits; *s is at the one that is wrong. */
static const char *parse_names(const char **at, bool states, uint32_t *bits)
{
	const char *s = *at;

/* TCPFSM_CAUSE_NONE has no name: its blank comes after "only". */
#define STATE_WORD(sym, n, name)	" " name
#define CAUSE_WORD(sym, name)		name " "
	static const char *const no_state = "only" TCPFSM_STATES(STATE_WORD) " are states";
	static const char *const no_cause = "only" TCPFSM_CAUSES(CAUSE_WORD) "are causes";

	for (;;) {
		size_t len = strcspn(s, ",");
		int n = states ? tcpfsm_state_by_name(s, len) : tcpfsm_cause_by_name(s, len);
		int group = states && n < 0 ? group_by_name(s, len) : -1;

		if (n < 0 && group < 0) {
			*at = s;
			return states ? no_state : no_cause;
		}
		*bits |= n < 0 ? groups[group].bits : 1U << n;
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
	if (named_is() && !strchr(s, '/')) {
		*netns = named_netns(s);
		return *netns ? NULL : "no such name in the recording";
	}
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

/* ---- addresses ------------------------------------------------------------------------- */

#define NO_HOST		"not an address: 10.0.0.1, 10.0.0.0/8, 2001:db8::/32, with a port 10.0.0.1:443 or [::1]:443"

/* An address, or a prefix; "*" and "" are all: family 0. */
static bool parse_prefix(char *s, struct tcpfsm_filter_op *op)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char *slash = strchr(s, '/');
	unsigned int most;
	uint64_t bits;

	if (!*s || !strcmp(s, "*"))
		return true;
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, s, op->addr) == 1)
		op->family = 4;
	else if (inet_pton(AF_INET6, s, op->addr) == 1)
		op->family = 6;
	else
		return false;
	most = op->family == 4 ? 32 : 128;
	bits = most;
	if (slash && !parse_number(slash, 0, most, &bits))
		return false;
	/* The kernel's socket has it so; records have IPv4. */
	if (op->family == 6 && bits >= 96 && !memcmp(op->addr, mapped, sizeof(mapped))) {
		memmove(op->addr, op->addr + 12, 4);
		memset(op->addr + 4, 0, 12);
		op->family = 4;
		bits -= 96;
	}
	op->bits = (uint8_t)bits;
	return true;
}

/* Nothing but an address of IPv6, which has colons itself? */
static bool is_ipv6(const char *s)
{
	struct tcpfsm_filter_op op = { .family = 0 };
	char buf[64];

	return (size_t)snprintf(buf, sizeof(buf), "%s", s) < sizeof(buf) && parse_prefix(buf, &op) &&
	       (op.family == 6 || strchr(s, '.')) && strchr(s, ':') != strrchr(s, ':');
}

/*
 * [inet:|inet6:]ADDRESS[/BITS][:PORT], [ADDRESS]:PORT, [ADDRESS/BITS]:PORT, [ADDRESS]/BITS:PORT, :PORT.
 * Of addr family is 0, of port low is 1 and high 0, where there is none.
 */
static bool parse_host(const char *text, struct tcpfsm_filter_op *addr, struct tcpfsm_filter_op *port)
{
	char buf[128], *s = buf, *end, *colon = NULL;
	uint8_t family = 0;

	if ((size_t)snprintf(buf, sizeof(buf), "%s", text) >= sizeof(buf))
		return false;
	if (!strncmp(s, "inet:", 5) || !strncmp(s, "inet6:", 6)) {
		family = s[4] == ':' ? 4 : 6;
		s = strchr(s, ':') + 1;
	}
	port->low = 1;
	port->high = 0;
	if (*s == '[') {
		end = strchr(++s, ']');
		if (!end || (end[1] && end[1] != ':' && end[1] != '/'))
			return false;
		/* What is behind the bracket takes its place. */
		memmove(end, end + 1, strlen(end));
		colon = strchr(end, ':');
	} else if (!is_ipv6(s)) {
		colon = strrchr(s, ':');
	}
	if (colon) {
		*colon++ = '\0';
		if (*colon && strcmp(colon, "*") && !parse_range(colon, &port->low, &port->high))
			return false;
	}
	if (!parse_prefix(s, addr) || (family && addr->family && family != addr->family))
		return false;
	if (family && !addr->family) {
		addr->family = family;
		addr->bits = 0;
	}
	return true;
}

/* ---- the words of options ---------------------------------------------------------------- */

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
#define UNKNOWN_OPTION	"not one of lport rport ipv4 ipv6 pid netns state cause"

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
		v = (uint64_t)(w->letter - '0');
		f->family = f->family && f->family != v ? TCPFSM_FAMILY_BOTH : (uint8_t)v;
		return NULL;
	case 'p':
		if (!parse_number(value, 1, INT_MAX, &v))
			return "not a process id";
		f->pid = (uint32_t)v;
		return NULL;
	case 'N':
		return parse_netns(value, &f->netns);
	case 's':
		return parse_names(&value, true, &f->states);
	}
	return parse_names(&value, false, &f->causes);
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
	wrong = !w ? UNKNOWN_OPTION : w->value && !value ? "needs a value after it" :
		set_word(&known, w, value);
	return wrong ? complain(-EINVAL, "", wrong, why, size) : give(f, &known, why, size);
}

/* ---- expressions: tokens ------------------------------------------------------------------ */

enum token { T_END, T_OPEN, T_CLOSE, T_AND, T_OR, T_NOT, T_REL, T_WORD };
enum relation { EQ, NE, LT, GT, LE, GE };

static const struct {
	const char *text;
	uint8_t token, rel;
} fixed[] = {
	/* Longer ones first. */
	{ "&&", T_AND, 0 }, { "||", T_OR, 0 }, { "!=", T_REL, NE }, { "<=", T_REL, LE },
	{ ">=", T_REL, GE }, { "==", T_REL, EQ }, { "&", T_AND, 0 }, { "|", T_OR, 0 },
	{ "!", T_NOT, 0 }, { "=", T_REL, EQ }, { "<", T_REL, LT }, { ">", T_REL, GT },
	{ "(", T_OPEN, 0 }, { ")", T_CLOSE, 0 },
}, named[] = {
	{ "and", T_AND, 0 }, { "or", T_OR, 0 }, { "not", T_NOT, 0 }, { "eq", T_REL, EQ },
	{ "ne", T_REL, NE }, { "neq", T_REL, NE }, { "lt", T_REL, LT }, { "gt", T_REL, GT },
	{ "le", T_REL, LE }, { "leq", T_REL, LE }, { "ge", T_REL, GE }, { "geq", T_REL, GE },
};

#define COUNT(table)	(sizeof(table) / sizeof((table)[0]))

struct parser {
	struct tcpfsm_filter *f;
	const char *at;			/* of the text: what comes next */
	const char *begin;		/* where the token begins */
	const char *what;		/* is wrong; NULL: nothing */
	uint8_t token, rel;		/* what comes next */
	bool quoted;
	char word[256];
	char wrong[64];			/* the word that it is about */
	unsigned int depth, values;	/* parentheses; values at a time */
	size_t nnames;
	bool aside;			/* the last question was one by a word of an option, */
	struct tcpfsm_filter set;	/* and this is what it comes to as one */
};

#define NO_OPENING	"there is no ( before it"

static bool fail_at(struct parser *p, const char *word, const char *what)
{
	if (!p->what) {
		p->what = what;
		snprintf(p->wrong, sizeof(p->wrong), "%.63s", word);
	}
	return false;
}

static bool fail(struct parser *p, const char *what)
{
	return fail_at(p, p->token == T_END ? "at the end" : p->word, what);
}

/* Blanks, quotes and backslashes as in a shell. */
static bool read_word(struct parser *p)
{
	size_t n = 0;
	char quote = '\0';

	for (; *p->at && (quote || !strchr(" \t()!=<>&|", *p->at)); p->at++) {
		char c = *p->at;

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? '\0' : c;
			p->quoted = true;
			continue;
		}
		if (c == '\\' && quote != '\'' && p->at[1])
			c = *++p->at;
		if (n == sizeof(p->word) - 1)
			return fail_at(p, p->word, "too long a word");
		p->word[n++] = c;
		p->word[n] = '\0';
	}
	return !quote || fail_at(p, p->word, "a quotation mark is missing");
}

/* @value: a word, even if it looks like "and". */
static bool advance(struct parser *p, bool value)
{
	size_t i;

	p->at += strspn(p->at, " \t");
	p->begin = p->at;
	p->quoted = false;
	*p->word = '\0';
	p->token = T_END;
	if (!*p->at)
		return true;
	for (i = 0; i < COUNT(fixed); i++) {
		size_t len = strlen(fixed[i].text);

		if (strncmp(p->at, fixed[i].text, len))
			continue;
		p->at += len;
		p->token = fixed[i].token;
		p->rel = fixed[i].rel;
		strcpy(p->word, fixed[i].text);
		return true;
	}
	p->token = T_WORD;
	if (!read_word(p))
		return false;
	for (i = 0; !value && !p->quoted && i < COUNT(named); i++)
		if (!strcasecmp(p->word, named[i].text)) {
			p->token = named[i].token;
			p->rel = named[i].rel;
		}
	return true;
}

/* ---- expressions: what they become ----------------------------------------------------------- */

static bool add(struct parser *p, const struct tcpfsm_filter_op *op)
{
	if (p->f->nops == TCPFSM_FILTER_OPS)
		return fail_at(p, "filter", "too many conditions at a time");
	if (op->what < OP_NOT)
		p->values++;
	else if (op->what > OP_NOT)
		p->values--;
	if (p->values > FILTER_DEPTH)
		return fail_at(p, "filter", "too deep: parentheses in parentheses");
	p->f->op[p->f->nops++] = *op;
	return true;
}

static bool add_step(struct parser *p, uint8_t what)
{
	return add(p, &(struct tcpfsm_filter_op) { .what = what });
}

enum kind { K_HOST, K_PORT, K_OPTION_PORT, K_FAMILY, K_PID, K_NETNS, K_STATE, K_CAUSE, K_NAME };

struct key {
	const char *name;
	uint8_t kind;
	uint8_t arg;			/* which end; OP_* of a name; family */
};

/* The @n-th alternative of a list. */
static bool add_alternative(struct parser *p, const struct tcpfsm_filter_op *op, unsigned int *n)
{
	return add(p, op) && (!(*n)++ || add_step(p, OP_OR));
}

static bool add_port(struct parser *p, const struct key *k, uint8_t rel, const char *part, unsigned int *n)
{
	struct tcpfsm_filter_op op = { .what = OP_PORT, .where = k->arg };
	bool never = false;

	part += *part == ':';
	if (strcmp(part, "*")) {
		if (!parse_range(part, &op.low, &op.high) || (k->kind == K_OPTION_PORT && !op.low))
			return fail_at(p, part, k->kind == K_OPTION_PORT ? NO_PORTS : NO_PORT);
	} else {
		op.high = UINT16_MAX;
	}
	if (rel > NE && op.low != op.high)
		return fail_at(p, part, "one port is needed to compare with");
	switch (rel) {
	case LT:
	case LE:
		never = rel == LT && !op.low;
		op.high = rel == LT ? (uint16_t)(op.low - 1) : op.low;
		op.low = 0;
		break;
	case GT:
	case GE:
		never = rel == GT && op.low == UINT16_MAX;
		op.low = rel == GT ? (uint16_t)(op.low + 1) : op.low;
		op.high = UINT16_MAX;
		break;
	}
	if (never) {
		op.low = 1;
		op.high = 0;
	}
	return add_alternative(p, &op, n);
}

static bool add_host(struct parser *p, uint8_t where, const char *part, unsigned int *n)
{
	struct tcpfsm_filter_op port = { .what = OP_PORT, .where = where };
	struct tcpfsm_filter_op addr = { .what = OP_ADDR, .where = where };
	unsigned int parts = 0;

	if (!parse_host(part, &addr, &port))
		return fail_at(p, part, NO_HOST);
	/* Of either end, address and port are the same end's. */
	if (where == (LOCAL | PEER) && addr.family && port.low <= port.high) {
		addr.where = port.where = LOCAL;
		if (!add(p, &addr) || !add(p, &port) || !add_step(p, OP_AND))
			return false;
		addr.where = port.where = PEER;
		if (!add(p, &addr) || !add(p, &port) || !add_step(p, OP_AND) || !add_step(p, OP_OR))
			return false;
		return !(*n)++ || add_step(p, OP_OR);
	}
	if (addr.family) {
		if (!add(p, &addr))
			return false;
		parts++;
	}
	if (port.low <= port.high) {
		if (!add(p, &port))
			return false;
		parts++;
	}
	if (parts == 2 && !add_step(p, OP_AND))
		return false;
	if (!parts) {
		port.high = UINT16_MAX;
		port.low = 0;
		if (!add(p, &port))
			return false;
	}
	return !(*n)++ || add_step(p, OP_OR);
}

static bool add_name(struct parser *p, uint8_t what, const char *name)
{
	struct tcpfsm_filter_op op = { .what = what, .low = (uint16_t)p->nnames };
	size_t len;

	if (what != OP_COMM && named_is() && !named_cgroups())
		return fail_at(p, "", "the recording does not tell of which cgroup a process is");
	if (what == OP_CGROUP && !strncmp(name, "/sys/fs/cgroup", 14))
		name += 14;
	len = strlen(name);
	/* Of a process only so much is known; of a folder the '/' behind it is none of it. */
	if (what == OP_COMM && len > 15)
		len = 15;
	while (what == OP_CGROUP && len && name[len - 1] == '/')
		len--;
	if (what != OP_CGROUP && !len)
		return fail_at(p, "", "no name");
	if (what == OP_CGROUP && len && *name != '/')
		return fail_at(p, name, "not a path of /sys/fs/cgroup: it begins with /");
	if (p->nnames + len > sizeof(p->f->names))
		return fail_at(p, name, "too many names at a time");
	memcpy(p->f->names + p->nnames, name, len);
	p->nnames += len;
	op.high = (uint16_t)len;
	return add(p, &op);
}

static const struct key keys[] = {
#define KEY(name, kind, arg, text)	{ #name, K_##kind, arg },
	FILTER_WORDS(KEY)
#undef KEY
};

#define KEY(name, kind, arg, text)	" " #name
#define UNKNOWN_WORD	"not one of" FILTER_WORDS(KEY)

static const struct key *find_key(const char *word)
{
	const struct word *w = find_word(word);
	size_t i;

	if (w)
		word = w->name;
	for (i = 0; i < COUNT(keys); i++)
		if (!strcasecmp(word, keys[i].name))
			return &keys[i];
	return NULL;
}

static bool add_value(struct parser *p, const struct key *k, uint8_t rel, const char *value)
{
	struct tcpfsm_filter_op op = { .what = OP_PID };
	const char *what = NULL, *all = value;
	unsigned int n = 0;
	char part[128];
	uint64_t v;

	switch (k->kind) {
	case K_NAME:
		return add_name(p, k->arg, value);
	case K_NETNS:
		op.what = OP_NETNS;
		what = parse_netns(value, &op.value);
		break;
	case K_STATE:
	case K_CAUSE:
		op.what = k->kind == K_STATE ? OP_STATE : OP_CAUSE;
		what = parse_names(&value, k->kind == K_STATE, &op.value);
		break;
	default:
		while (value && !what) {
			what = part_of(&value, part, sizeof(part));
			if (what)
				return fail_at(p, value, what);
			if (!*part)
				return fail_at(p, all, "a value is missing beside the comma");
			if (k->kind == K_PID) {
				if (!parse_number(part, 1, INT_MAX, &v))
					return fail_at(p, part, "not a process id");
				op.value = (uint32_t)v;
				if (!add_alternative(p, &op, &n))
					return false;
			} else if (!(k->kind == K_HOST ? add_host(p, k->arg, part, &n) :
				     add_port(p, k, rel, part, &n))) {
				return false;
			}
		}
		return true;
	}
	return what ? fail_at(p, value, what) : add(p, &op);
}

/* A question, which ends before p->token; it may be one that an option has, too: p->set. */
static bool parse_question(struct parser *p)
{
	const struct key *k = p->token == T_WORD ? find_key(p->word) : NULL;
	const struct word *w = k ? find_word(p->word) : NULL;
	uint8_t rel = EQ;

	p->aside = false;
	if (p->token != T_WORD)
		return fail(p, p->token == T_END ? "a condition is missing" : "a condition is missing before it");
	if (!k)
		return fail(p, UNKNOWN_WORD);
	if (k->kind == K_FAMILY) {
		if (!add(p, &(struct tcpfsm_filter_op) { .what = OP_FAMILY, .family = k->arg }))
			return false;
		p->aside = !set_word(&p->set, w, NULL);
		return advance(p, false);
	}
	if (!advance(p, true))
		return false;
	if (p->token == T_WORD && !p->quoted) {
		size_t i;

		for (i = 0; i < COUNT(named); i++)
			if (named[i].token == T_REL && !strcmp(p->word, named[i].text)) {
				p->token = T_REL;
				p->rel = named[i].rel;
			}
	}
	if (p->token == T_REL) {
		rel = p->rel;
		if (rel > NE && k->kind != K_PORT && k->kind != K_OPTION_PORT)
			return fail(p, "only ports are compared so; use = or !=");
		if (!advance(p, true))
			return false;
	}
	if (p->token != T_WORD)
		return fail_at(p, k->name, "needs a value after it");
	if (!add_value(p, k, rel, p->word))
		return false;
	if (w && rel == EQ) {
		/* Lists of numbers that are too long for it are none of its. */
		struct tcpfsm_filter set = p->set;

		p->aside = !set_word(&set, w, p->word);
		if (p->aside)
			p->set = set;
	}
	if (rel == NE && !add_step(p, OP_NOT))
		return false;
	return advance(p, false);
}

static bool parse_or(struct parser *p);

static bool parse_not(struct parser *p)
{
	bool ok;

	if (p->token != T_NOT && p->token != T_OPEN)
		return parse_question(p);
	if (++p->depth > FILTER_DEPTH)
		return fail(p, "too deep: parentheses in parentheses");
	if (p->token == T_NOT) {
		ok = advance(p, false) && parse_not(p) && add_step(p, OP_NOT);
	} else {
		ok = advance(p, false) && parse_or(p);
		if (ok && p->token != T_CLOSE)
			ok = fail(p, "a ) is missing before it");
		ok = ok && advance(p, false);
	}
	p->depth--;
	p->aside = false;
	return ok;
}

static bool more(const struct parser *p)
{
	return p->token != T_END && p->token != T_OR && p->token != T_CLOSE;
}

static bool parse_and(struct parser *p)
{
	if (!parse_not(p))
		return false;
	while (more(p)) {
		if (p->token == T_AND && !advance(p, false))
			return false;
		if (!parse_not(p) || !add_step(p, OP_AND))
			return false;
	}
	return true;
}

static bool parse_or(struct parser *p)
{
	if (!parse_and(p))
		return false;
	while (p->token == T_OR)
		if (!advance(p, false) || !parse_and(p) || !add_step(p, OP_OR))
			return false;
	return true;
}

/* Is there an "or" outside of parentheses? */
static bool has_or(struct parser *p)
{
	const char *begin = p->at;
	bool found = false;
	int depth = 0;

	while (!found && advance(p, false) && p->token != T_END) {
		depth += (p->token == T_OPEN) - (p->token == T_CLOSE);
		found = p->token == T_OR && !depth;
	}
	p->at = begin;
	return found;
}

/* The text of a question that stays one, for tcpfsm_filter_text(). */
static bool keep_text(struct parser *p, const char *from, const char *to)
{
	char *expr = p->f->expr;
	size_t len = strlen(expr);
	int n;

	while (to > from && to[-1] == ' ')
		to--;
	n = snprintf(expr + len, sizeof(p->f->expr) - len, "%s%.*s", len ? " and " : "", (int)(to - from), from);
	return (size_t)n < sizeof(p->f->expr) - len || fail_at(p, "filter", "too long");
}

/*
 * Questions side by side.  Of those that an option has, too, several that stand together without
 * "and" come together, as options do.
 */
static bool parse_all(struct parser *p)
{
	bool with_and = false, ok;

	while (p->token != T_END) {
		const char *begin = p->begin;
		size_t nops = p->f->nops, nnames = p->nnames;
		unsigned int values = p->values;

		p->set = *p->f;
		p->aside = false;
		if (!parse_not(p))
			return false;
		if (p->aside && !with_and) {
			struct tcpfsm_filter set = p->set;

			/* The option's, in place of the question. */
			set.nops = nops;
			memset(set.op + nops, 0, sizeof(set.op) - nops * sizeof(set.op[0]));
			*p->f = set;
			p->nnames = nnames;
			p->values = values;
			ok = true;
		} else {
			ok = keep_text(p, begin, p->begin) && (!values || add_step(p, OP_AND));
		}
		with_and = p->token == T_AND;
		if (ok && with_and) {
			ok = advance(p, false);
			if (ok && p->token == T_END)
				ok = fail(p, "a condition is missing after \"and\"");
		}
		if (ok && (p->token == T_CLOSE || p->token == T_OR))
			ok = fail(p, p->token == T_OR ? "a condition is missing before it" : NO_OPENING);
		if (!ok)
			return false;
	}
	return true;
}

int tcpfsm_filter_and(struct tcpfsm_filter *f, const char *text, char *why, size_t size)
{
	struct tcpfsm_filter known;
	struct parser p = { .f = &known, .at = text };
	int err = copy_opts(&known, sizeof(known), f);
	bool ok;

	if (err)
		return complain(err, "", "this filter is not one that the library knows", why, size);
	if (strlen(text) >= TCPFSM_FILTER_TEXT)
		return complain(-EINVAL, "", "too long", why, size);
	p.values = known.nops ? 1 : 0;
	for (p.nnames = sizeof(known.names); p.nnames && !known.names[p.nnames - 1]; )
		p.nnames--;
	if (!has_or(&p)) {
		ok = !p.what && advance(&p, false) && parse_all(&p);
	} else {
		const char *begin = text + strspn(text, " \t");
		char whole[TCPFSM_FILTER_TEXT + 4];

		ok = advance(&p, false) && parse_or(&p) &&
		     (p.token == T_END || fail(&p, NO_OPENING));
		snprintf(whole, sizeof(whole), "( %s )", begin);
		ok = ok && keep_text(&p, whole, whole + strlen(whole)) &&
		     (p.values < 2 || add_step(&p, OP_AND));
	}
	return ok ? give(f, &known, why, size) : complain(-EINVAL, p.wrong, p.what, why, size);
}

int tcpfsm_filter_parse(struct tcpfsm_filter *f, const char *text, char *why, size_t size)
{
	struct tcpfsm_filter known = { .size = sizeof(known) };
	int err = tcpfsm_filter_and(&known, text, why, size);

	return err ? err : give(f, &known, why, size);
}

/* ---- the other way round ------------------------------------------------------------------------ */

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
	if (known.family == 4 || known.family == TCPFSM_FAMILY_BOTH)
		len = add_word(buf, size, len, "ipv4", "");
	if (known.family == 6 || known.family == TCPFSM_FAMILY_BOTH)
		len = add_word(buf, size, len, "ipv6", "");
	snprintf(number, sizeof(number), "%u", known.pid);
	if (known.pid)
		len = add_word(buf, size, len, "pid", number);
	snprintf(number, sizeof(number), "%u", known.netns);
	if (known.netns)
		len = add_word(buf, size, len, "netns", number);
	len = add_names(buf, size, len, "state", known.states, tcpfsm_state_name);
	len = add_names(buf, size, len, "cause", known.causes, tcpfsm_cause_name);
	if (known.nops)
		add_word(buf, size, len, len ? "and" : known.expr, len ? known.expr : "");
	return 0;
}
