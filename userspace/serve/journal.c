// SPDX-License-Identifier: GPL-2.0-only
/* One note has all there is to say; two functions write it down: fields of the journal, or JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "journal.h"
#include "source/clock.h"
#include "table.h"

/* Of findings that are there at a time; explain tells of fewer. */
#define FINDINGS_MAX	512
/* Absent for so long, a finding has ended: one that comes and goes is one. */
#define ENDED_NS	(30 * NSEC_PER_SEC)
#define TEXT_LEN	512
#define REFUSALS	(3 * TCPFSM_TOTAL_REASONS)	/* kinds[], by reason */
#define T(t)		TCPFSM_TOTAL_##t

/* What syslog(3) calls them. */
enum { PRIORITY_ERR = 3, PRIORITY_WARNING, PRIORITY_NOTICE };

/* What there is to say; 0, NULL and "" is not told. */
struct note {
	uint64_t ts;			/* epoch */
	const char *event;
	int priority;
	char message[2 * TEXT_LEN];
	uint64_t conn, count, total, since;
	uint32_t netns, pid;
	uint8_t family;
	uint16_t lport, rport;
	const uint8_t *laddr, *raddr;	/* NULL: none */
	const char *verdict, *severity, *todo, *command, *what, *reason, *comm;
};

/* A finding that is there. */
struct known_finding {
	char verdict[32], summary[TEXT_LEN];
	uint64_t conn, since, seen;	/* epoch */
	uint32_t netns;
	uint8_t family, severity;
	uint16_t lport, rport;
	uint8_t laddr[16], raddr[16];
};

/* A listener that has refused, or what is left of a network namespace. */
struct refuser {
	uint32_t link;
	uint32_t round;			/* of the reading that had it last */
	uint64_t key;			/* cookie, or the inode */
	uint64_t told_at;
	uint64_t going_on;		/* bit of what was told last time */
	uint64_t told[REFUSALS];
};

struct journal {
	struct out *out;		/* NULL: to the journal */
	const struct tcpfsm_filter *filter;
	struct known_finding *found;
	size_t nfound;
	struct table refusers;
	uint32_t round;			/* 0: no reading yet */
	uint64_t window;		/* when the ten seconds began; epoch */
	unsigned int lines;		/* in them */
	uint64_t suppressed;
};

static uint64_t hash_refuser(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct refuser *)entry)->key;
}

static const struct table_type refusers_type = {
	.size = sizeof(struct refuser), .link = offsetof(struct refuser, link), .reserved = 1, .hash = hash_refuser,
};

/* ---- writing it down ------------------------------------------------------------------------ */

/* Names of processes may be anything. */
static void make_plain(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			*s = '?';
}

struct fields {
	struct iovec v[24];
	int n;
	size_t used;
	char buf[4 * TEXT_LEN + 2048];
};

static void __attribute__((format(printf, 2, 3))) put(struct fields *f, const char *fmt, ...)
{
	size_t room = sizeof(f->buf) - f->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(f->buf + f->used, room, fmt, ap);
	va_end(ap);
	if (n <= 0 || (size_t)n >= room || f->n == sizeof(f->v) / sizeof(f->v[0]))
		return;
	f->v[f->n++] = (struct iovec) { f->buf + f->used, (size_t)n };
	f->used += (size_t)n + 1;
}

static void put_text(struct fields *f, const char *key, const char *text)
{
	if (text && *text)
		put(f, "%s=%s", key, text);
}

static void put_end(struct fields *f, const char *key, const struct note *n, const uint8_t *addr, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (addr && n->family && inet_ntop(n->family == 6 ? AF_INET6 : AF_INET, addr, text, sizeof(text)))
		put(f, n->family == 6 ? "%s=[%s]:%u" : "%s=%s:%u", key, text, port);
}

static void to_journal(const struct note *n)
{
	struct fields f = { .n = 0 };

	put(&f, "MESSAGE=%s", n->message);
	put(&f, "PRIORITY=%d", n->priority);
	put(&f, "SYSLOG_IDENTIFIER=tcpfsm");
	put(&f, "TCPFSM_EVENT=%s", n->event);
	put_text(&f, "TCPFSM_VERDICT", n->verdict);
	put_text(&f, "TCPFSM_SEVERITY", n->severity);
	put_text(&f, "TCPFSM_DO", n->todo);
	put_text(&f, "TCPFSM_COMMAND", n->command);
	put_text(&f, "TCPFSM_WHAT", n->what);
	put_text(&f, "TCPFSM_REASON", n->reason);
	if (n->count)
		put(&f, "TCPFSM_COUNT=%" PRIu64, n->count);
	if (n->total)
		put(&f, "TCPFSM_TOTAL=%" PRIu64, n->total);
	if (n->since)
		put(&f, "TCPFSM_SINCE=%" PRIu64, n->since);
	if (n->conn)
		put(&f, "TCPFSM_CONN=%" PRIu64, n->conn);
	put_end(&f, "LISTENER", n, n->laddr, n->lport);
	put_end(&f, "DESTINATION", n, n->raddr, n->rport);
	if (n->netns)
		put(&f, "NETNS=%u", n->netns);
	if (n->pid)
		put(&f, "TCPFSM_PID=%u", n->pid);
	put_text(&f, "TCPFSM_COMM", n->comm);
	/* There is nobody to tell that this failed. */
	sd_journal_sendv(f.v, f.n);
}

static void json_text(struct json *j, const char *key, const char *text)
{
	if (text && *text)
		json_string(j, key, text);
}

static void to_json(struct out *o, const struct note *n)
{
	struct json j = out_json(o);

	out_json_begin(&j, &(struct json_head) {
		.ts = n->ts, .event = n->event, .conn = n->conn, .netns = n->netns, .family = n->family,
		.laddr = n->laddr, .lport = n->lport, .raddr = n->raddr, .rport = n->rport,
	});
	if (n->pid)
		json_process(&j, true, n->pid, n->comm ? n->comm : "", "");
	json_text(&j, "verdict", n->verdict);
	json_text(&j, "severity", n->severity);
	json_text(&j, "what", n->what);
	json_text(&j, "reason", n->reason);
	if (n->count)
		json_number(&j, "count", n->count);
	if (n->total)
		json_number(&j, "total", n->total);
	if (n->since)
		json_number(&j, "from_ts", n->since);
	json_string(&j, "summary", n->message);
	if (n->todo) {
		json_open(&j, "do", '[');
		json_open(&j, NULL, '{');
		json_string(&j, "text", n->todo);
		json_text(&j, "command", n->command);
		json_close(&j, '}');
		json_close(&j, ']');
	}
	json_end(&j);
}

static int write_down(struct journal *j, struct note *n)
{
	if (j->out) {
		to_json(j->out, n);
		return out_flush(j->out);
	}
	make_plain(n->message);
	to_journal(n);
	return 0;
}

/* What was left out is told by who comes next. */
static int settle(struct journal *j, uint64_t now)
{
	struct note n = {
		.ts = now, .event = "suppressed", .priority = PRIORITY_WARNING, .count = j->suppressed, .since = j->window,
	};

	if (now >= j->window && now - j->window < JOURNAL_NS)
		return 0;
	j->window = now;
	j->lines = 0;
	j->suppressed = 0;
	if (!n.count)
		return 0;
	snprintf(n.message, sizeof(n.message), "%" PRIu64 " messages were left out: more than %d in ten seconds",
		 n.count, JOURNAL_LINES);
	return write_down(j, &n);
}

static int tell(struct journal *j, struct note *n)
{
	int err = settle(j, n->ts);

	if (err)
		return err;
	if (j->lines == JOURNAL_LINES) {
		j->suppressed++;
		return 0;
	}
	j->lines++;
	return write_down(j, n);
}

/* ---- findings ------------------------------------------------------------------------------ */

static int tell_finding(struct journal *j, const char *event, int priority, const struct known_finding *k,
			const struct tcpfsm_finding *f, const char *how, uint64_t now)
{
	struct note n = {
		.ts = now, .event = event, .priority = priority, .conn = k->conn, .netns = k->netns, .family = k->family,
		.lport = k->lport, .rport = k->rport, .verdict = k->verdict, .since = k->since,
		.severity = tcpfsm_severity_name(k->severity),
		.laddr = k->lport ? k->laddr : NULL, .raddr = k->rport ? k->raddr : NULL,
	};
	char comm[17] = "";

	if (f && f->has_owner) {
		snprintf(comm, sizeof(comm), "%.16s", f->comm);
		make_plain(comm);
		n.comm = comm;
		n.pid = f->pid;
	}
	if (f && f->nactions) {
		n.todo = f->actions[0].text;
		n.command = f->actions[0].command;
	}
	snprintf(n.message, sizeof(n.message), "%s%s %s: %s", how, n.severity, k->verdict, k->summary);
	return tell(j, &n);
}

static struct known_finding *find(struct journal *j, const struct tcpfsm_finding *f)
{
	struct known_finding *k;

	for (k = j->found; k < j->found + j->nfound; k++)
		if (k->conn == f->conn && k->netns == f->netns && k->lport == f->lport && k->rport == f->rport &&
		    k->family == f->family && !memcmp(k->raddr, f->raddr, sizeof(k->raddr)) &&
		    !strcmp(k->verdict, f->verdict))
			return k;
	return NULL;
}

int journal_finding(struct journal *j, const struct tcpfsm_finding *f)
{
	uint64_t now = realtime_ns();
	struct known_finding *k;
	bool is_new;

	if (f->severity > TCPFSM_SEVERITY_WARNING)
		return 0;
	k = find(j, f);
	is_new = !k;
	if (is_new && j->nfound == FINDINGS_MAX) {
		j->suppressed++;
		return 0;
	}
	if (is_new) {
		k = &j->found[j->nfound++];
		*k = (struct known_finding) {
			.conn = f->conn, .since = now, .netns = f->netns, .family = f->family, .lport = f->lport,
			.rport = f->rport, .severity = f->severity,
		};
		snprintf(k->verdict, sizeof(k->verdict), "%s", f->verdict);
		memcpy(k->laddr, f->laddr, sizeof(k->laddr));
		memcpy(k->raddr, f->raddr, sizeof(k->raddr));
	}
	snprintf(k->summary, sizeof(k->summary), "%s", f->summary);
	k->seen = now;
	if (!is_new && k->severity == f->severity)
		return 0;
	k->severity = f->severity;
	return tell_finding(j, is_new ? "finding_begin" : "finding_change",
			    f->severity == TCPFSM_SEVERITY_CRITICAL ? PRIORITY_ERR : PRIORITY_WARNING, k, f,
			    is_new ? "" : "now ", now);
}

int journal_judged(struct journal *j, uint64_t now)
{
	size_t i = 0;
	int err = settle(j, now);

	while (!err && i < j->nfound) {
		struct known_finding *k = &j->found[i];

		if (now < k->seen + ENDED_NS) {
			i++;
			continue;
		}
		err = tell_finding(j, "finding_end", PRIORITY_NOTICE, k, NULL, "over: ", now);
		*k = j->found[--j->nfound];
	}
	return err;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct { uint16_t first; const char *what, *text; } kinds[] = {
	{ T(SYN_DROPPED), "syns_dropped", "dropped SYNs" },
	{ T(ACK_DROPPED), "acks_dropped", "dropped third ACKs" },
	{ T(ACK_RESET), "acks_reset", "answered third ACKs with an RST" },
};

/* What was refused of kind i / TCPFSM_TOTAL_REASONS, for reason i % TCPFSM_TOTAL_REASONS. */
static uint64_t refused(const struct tcpfsm_listener *l, unsigned int i)
{
	return l->total[kinds[i / TCPFSM_TOTAL_REASONS].first + i % TCPFSM_TOTAL_REASONS];
}

/* Neither is lost for that. */
static bool is_refusal(unsigned int reason)
{
	return reason != TCPFSM_REASON_DEFER_ACCEPT && reason != TCPFSM_REASON_DUPLICATE;
}

static int tell_refusal(struct journal *j, const struct tcpfsm_listener *l, unsigned int i, uint64_t more, uint64_t now)
{
	struct note n = {
		.ts = now, .event = "refused", .priority = PRIORITY_WARNING, .conn = l->conn, .netns = l->netns,
		.family = l->conn ? l->family : 0, .lport = l->conn ? l->lport : 0, .laddr = l->conn ? l->laddr : NULL,
		.what = kinds[i / TCPFSM_TOTAL_REASONS].what, .reason = tcpfsm_reason_name(i % TCPFSM_TOTAL_REASONS), .count = more,
		.total = refused(l, i),
	};
	char addr[INET6_ADDRSTRLEN] = "", comm[17] = "";

	if (l->conn && l->has_owner) {
		snprintf(comm, sizeof(comm), "%.16s", l->comm);
		make_plain(comm);
		n.pid = l->pid;
		n.comm = comm;
	}
	if (l->conn) {
		inet_ntop(l->family == 6 ? AF_INET6 : AF_INET, l->laddr, addr, sizeof(addr));
		snprintf(n.message, sizeof(n.message), l->family == 6 ? "[%s]:%u (%s) %s: %" PRIu64 ", %s" :
			 "%s:%u (%s) %s: %" PRIu64 ", %s", addr, l->lport, *comm ? comm : "process not known",
			 kinds[i / TCPFSM_TOTAL_REASONS].text, more, n.reason);
	} else {
		snprintf(n.message, sizeof(n.message), "listeners of network namespace %u that are not counted %s: %" PRIu64
			 ", %s", l->netns, kinds[i / TCPFSM_TOTAL_REASONS].text, more, n.reason);
	}
	return tell(j, &n);
}

static struct refuser *refuser_of(struct journal *j, const struct tcpfsm_listener *l)
{
	uint64_t key = l->conn ? l->conn : l->netns | 1ULL << 63, all = 0;
	struct refuser *r = table_first(&j->refusers, &refusers_type, key);
	unsigned int i;

	while (r && r->key != key)
		r = table_next(&j->refusers, &refusers_type, r);
	for (i = 0; !r && i < REFUSALS; i++)
		all |= refused(l, i);
	if (r || !all)
		return r;
	r = table_add(&j->refusers, &refusers_type, key);
	if (!r)
		return NULL;
	r->key = key;
	for (i = 0; !j->round && i < REFUSALS; i++)
		r->told[i] = refused(l, i);
	return r;
}

struct looking {
	struct journal *j;
	uint64_t now;
};

static int look_at(const struct tcpfsm_listener *l, void *arg)
{
	const struct looking *look = arg;
	struct journal *j = look->j;
	struct tcpfsm_filter_subject s;
	uint64_t going_on = 0;
	struct refuser *r;
	unsigned int i;
	bool due;
	int err = 0;

	tcpfsm_filter_listener(&s, l);
	if (!tcpfsm_filter_subject(j->filter, &s))
		return 0;
	r = refuser_of(j, l);
	if (!r)
		return 0;
	r->round = j->round + 1;
	due = look->now >= r->told_at + JOURNAL_NS;
	for (i = 0; !err && i < REFUSALS; i++) {
		uint64_t total = refused(l, i);

		if (total <= r->told[i] || !is_refusal(i % TCPFSM_TOTAL_REASONS))
			continue;
		/* The first one at once. */
		if (!due && r->going_on >> i & 1)
			continue;
		err = tell_refusal(j, l, i, total - r->told[i], look->now);
		r->told[i] = total;
		going_on |= 1ULL << i;
	}
	if (due)
		r->going_on = 0;
	if (going_on)
		r->told_at = look->now;
	r->going_on |= going_on;
	return err;
}

int journal_listeners(struct journal *j, struct tcpfsm_listeners *ls, uint64_t now)
{
	struct looking look = { j, now };
	uint32_t i;
	int err = settle(j, now);

	if (!err)
		err = tcpfsm_listeners_each(ls, look_at, &look);
	j->round++;
	for (i = refusers_type.reserved; i < j->refusers.end; i++) {
		struct refuser *r = table_at(&j->refusers, &refusers_type, i);

		if (r->key && r->round != j->round) {
			table_del(&j->refusers, &refusers_type, r->key, r);
			r->key = 0;
		}
	}
	return err;
}

/* ---- connects -------------------------------------------------------------------------------- */

int journal_connect(struct journal *j, const struct tcpfsm_connect *c, uint64_t now)
{
	char addr[INET6_ADDRSTRLEN] = "", comm[17] = "";
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < TCPFSM_CONNECT_ERRORS; i++) {
		const char *name = tcpfsm_connect_errno(i) ? strerrorname_np(tcpfsm_connect_errno(i)) : "other";
		struct note n = {
			.ts = now, .event = "connects_failed", .priority = PRIORITY_WARNING, .netns = c->netns,
			.family = c->family, .rport = c->rport, .raddr = c->raddr, .reason = name,
			.count = c->recent.by_errno[i], .total = c->total.by_errno[i],
		};

		if (!n.count)
			continue;
		if (c->has_owner) {
			snprintf(comm, sizeof(comm), "%.16s", c->comm);
			make_plain(comm);
			n.pid = c->pid;
			n.comm = comm;
		}
		if (c->family)
			inet_ntop(c->family == 6 ? AF_INET6 : AF_INET, c->raddr, addr, sizeof(addr));
		if (c->rest)
			snprintf(n.message, sizeof(n.message), "connect() to other destinations failed: %" PRIu64 ", %s",
				 n.count, name);
		else
			snprintf(n.message, sizeof(n.message), c->family == 6 ? "connect() of %s to [%s]:%u failed: %" PRIu64
				 ", %s" : "connect() of %s to %s:%u failed: %" PRIu64 ", %s",
				 *comm ? comm : "a process that is not known", addr, c->rport, n.count, name);
		err = tell(j, &n);
	}
	return err;
}

/* ---- begin and end --------------------------------------------------------------------------- */

bool journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char is[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(is, sizeof(is), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, is);
}

struct journal *journal_new(struct out *o, const struct tcpfsm_filter *filter)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->out = o;
	j->filter = filter;
	j->found = calloc(FINDINGS_MAX, sizeof(*j->found));
	if (!j->found || table_init(&j->refusers, &refusers_type, 64, 65536)) {
		free(j->found);
		free(j);
		return NULL;
	}
	return j;
}

void journal_forget(struct journal *j)
{
	uint32_t i;

	if (!j)
		return;
	j->nfound = 0;
	j->round = 0;
	for (i = refusers_type.reserved; i < j->refusers.end; i++) {
		struct refuser *r = table_at(&j->refusers, &refusers_type, i);

		if (r->key)
			table_del(&j->refusers, &refusers_type, r->key, r);
		r->key = 0;
	}
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	table_exit(&j->refusers);
	free(j->found);
	free(j);
}
