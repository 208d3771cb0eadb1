// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* How findings say what they found: names, times, rates, and what there is to do. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "explain.h"
#include "source/named.h"
#include "source/process.h"

/* What came from a process is not to be trusted with a terminal. */
static void add(char *buf, size_t size, const char *fmt, va_list ap)
{
	size_t len = strlen(buf);
	char *p;

	vsnprintf(buf + len, size - len, fmt, ap);
	for (p = buf + len; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

#define SAY(name, buf)							\
	void name(struct draft *d, const char *fmt, ...)		\
	{								\
		va_list ap;						\
									\
		va_start(ap, fmt);					\
		add(buf, sizeof(buf), fmt, ap);				\
		va_end(ap);						\
	}

/* What is said of the last action; without one it is lost. */
static struct action *last(struct draft *d)
{
	return &d->action[d->f.nactions ? d->f.nactions - 1 : 0];
}

SAY(headline, d->summary)
SAY(detail, d->detail)
SAY(command, last(d)->command)
SAY(more, last(d)->more)
SAY(cost, last(d)->cost)

#define SAY_ITEM(name, buf, n, max)					\
	void name(struct draft *d, const char *fmt, ...)		\
	{								\
		va_list ap;						\
									\
		if (d->n == (max))					\
			return;						\
		va_start(ap, fmt);					\
		add(buf, LINE_LEN, fmt, ap);				\
		va_end(ap);						\
		d->n++;							\
	}

SAY_ITEM(evidence, d->line[d->f.nevidence], f.nevidence, LINES_MAX)
SAY_ITEM(not_seen, d->unseen[d->f.nnot_judged], f.nnot_judged, LINES_MAX)
SAY_ITEM(action, d->action[d->f.nactions].text, f.nactions, ACTIONS_MAX)

static __attribute__((format(printf, 1, 2))) struct words words(const char *fmt, ...)
{
	struct words w;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.s, sizeof(w.s), fmt, ap);
	va_end(ap);
	return w;
}

struct words address_of(unsigned int family, const uint8_t *addr)
{
	char buf[INET6_ADDRSTRLEN];

	inet_ntop(family == 6 ? AF_INET6 : AF_INET, addr, buf, sizeof(buf));
	return words("%s", buf);
}

struct words host_of(unsigned int family, const uint8_t *addr)
{
	return words(family == 6 ? "[%s]" : "%s", address_of(family, addr).s);
}

/* With the index of a device, as it may be of another network namespace or machine. */
static struct words bound_to(unsigned int family, const uint8_t *addr, uint32_t dev)
{
	struct words w = host_of(family, addr);
	size_t len = strlen(w.s) - (family == 6);

	if (dev)
		snprintf(w.s + len, sizeof(w.s) - len, "%%%u%s", dev, family == 6 ? "]" : "");
	return w;
}

struct words end_of(unsigned int family, const uint8_t *addr, unsigned int port)
{
	return words("%s:%u", host_of(family, addr).s, port);
}

struct words name_of(const struct tcpfsm_listener *l)
{
	struct words addr;

	if (!l->family)
		return words("network namespace %u", l->netns);
	addr = bound_to(l->family, l->laddr, (uint32_t)l->total[TOTAL(NOW_DEV)]);
	if (!l->has_owner)
		return words("%s:%u (process not known)", addr.s, l->lport);
	if (l->has_caller && l->caller_pid != l->pid)
		return words("%s:%u (%s, pid %u; listen() by %s, pid %u)", addr.s, l->lport, l->comm,
			     l->pid, l->caller_comm, l->caller_pid);
	return words("%s:%u (%s, pid %u)", addr.s, l->lport, l->comm, l->pid);
}

struct words ends_of(const struct tcpfsm_timewait *tw)
{
	if (tw->inbound)
		return words("%s:%u", bound_to(tw->family, tw->laddr, tw->dev).s, tw->lport);
	return words("%s to %s:%u", bound_to(tw->family, tw->laddr, tw->dev).s,
		     host_of(tw->family, tw->raddr).s, tw->rport);
}

struct words netns_name(const struct facts *f)
{
	char name[TCPFSM_CONTAINER_NAME_MAX];

	if ((f->opts->live || named_is()) && *tcpfsm_netns_label(f->l->netns, name))
		return words("network namespace %s", name);
	return words("network namespace %u", f->l->netns);
}

struct words in_netns(const struct facts *f)
{
	const struct tcpfsm_timewait *tw = f->about == ABOUT_DESTINATION ? f->tw : f->most;
	char name[TCPFSM_NETNS_NAME_MAX];
	uint32_t pid = 0;

	if (!f->opts->own_netns || f->opts->own_netns == f->l->netns)
		return words("%s", "");
	if (has_process(f->l))
		pid = f->l->pid;
	else if (tw && tw->has_maker)
		pid = tw->maker_pid;
	else if (f->failed && f->failed->has_owner)
		pid = f->failed->pid;
	if (f->opts->live && *tcpfsm_netns_name(f->l->netns, name))
		return words("ip netns exec %s ", name);
	/* A process that has gone takes nobody there. */
	if (!pid || (f->opts->live && !process_is(pid)))
		return words("%s", "");
	return words("nsenter -t %u -n ", pid);
}

void command_load(const struct tcpfsm_explain_options *o, struct draft *d, const char *before,
		  const char *parameters)
{
	char load[TCPFSM_LOAD_COMMAND_MAX] = "modprobe tcpfsm";

	/* A recording may be of another machine. */
	if (o->live)
		tcpfsm_load_command(load);
	command(d, "%srmmod tcpfsm && %s%s", before, load, parameters);
}

void commands_there(const struct facts *f, struct draft *d, const char *fmt, ...)
{
	struct words there = in_netns(f);
	char buf[LINE_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	command(d, *there.s ? "%ssh -c '%s'" : "%s%s", there.s, buf);
}

bool has_process(const struct tcpfsm_listener *l)
{
	return l->has_owner && !l->owner_gone;
}

struct words app_of(const struct tcpfsm_listener *l)
{
	return words("%s", l->has_owner ? l->comm : "the application");
}

struct words duration(double s)
{
	static const struct {
		double less, unit;
		const char *name;
	} units[] = {
		{ 1e-3, 1e-6, "us" }, { 1, 1e-3, "ms" }, { 120, 1, "s" },
		{ 7200, 60, "min" }, { 172800, 3600, "h" }, { 1e30, 86400, "days" },
	};
	unsigned int i = 0;
	double v;

	if (!(s > 0))
		return words("0 s");
	while (s >= units[i].less && i < 5)
		i++;
	v = s / units[i].unit;
	return words(v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i].name);
}

struct words rate(double v)
{
	return words(v < 9.95 && v > 0 ? "%.1f/s" : "%.0f/s", v);
}

struct words moment(const struct facts *f, uint64_t ts)
{
	uint64_t epoch = ts + (uint64_t)f->opts->epoch_offset;
	double ago = f->l->ts > ts ? (double)(f->l->ts - ts) / NSEC_PER_SEC : 0;
	time_t second = (time_t)(epoch / NSEC_PER_SEC);
	char when[32];
	struct tm tm;

	if (!ts)
		return words("a time that is not known");
	localtime_r(&second, &tm);
	/* The day, too, when it may be another one. */
	strftime(when, sizeof(when), ago < 43200 ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	if (ago < 1)
		return words("%s", when);
	return words("%s (%s ago)", when, duration(ago).s);
}

struct words epoch_moment(const struct facts *f, uint64_t epoch)
{
	return moment(f, epoch ? epoch - (uint64_t)f->opts->epoch_offset : 0);
}

bool is_recent(const struct facts *f, uint64_t epoch)
{
	return epoch + (uint64_t)(RECENT_S * NSEC_PER_SEC) >=
	       f->l->ts + (uint64_t)f->opts->epoch_offset;
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

struct words many(uint64_t n, const char *noun)
{
	size_t len = strlen(noun);

	return words("%" PRIu64 " %s%s%s", n, noun, n != 1 && noun[len - 1] == 's' ? "e" : "", plural(n));
}

const char *were(uint64_t n)
{
	return n == 1 ? "was" : "were";
}

double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}
