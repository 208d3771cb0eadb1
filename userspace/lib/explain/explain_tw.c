// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Ports that run out, and mini-sockets (TIME_WAIT and FIN_WAIT2): what they do, and
 * what they do not.
 *
 * What the limits are: towards one destination (address and port) each local address
 * has the ports of ip_local_port_range, less those reserved; a port is free again when
 * its TIME_WAIT ends, after TCP_TIMEWAIT_LEN.  Mini-sockets of connections that peers
 * opened keep the listener's port, which costs nothing.  All mini-sockets of a network
 * namespace count against tcp_max_tw_buckets: inet_twsk_alloc().
 */
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "model/timewait.h"

/* ---- thresholds ------------------------------------------------------------------ */

/*
 * A forecast counts when that share of the limit is taken: at a rate that exceeds it,
 * that is so after 15 s.  A burst of a few seconds is no rate.
 */
#define FORECAST_SHARE	0.25
#define FORECAST_MIN_S	1
/* Or less is, and it takes no longer until all are: what brings that has lasted for five seconds. */
#define SOON_SHARE	0.15
#define SOON_S		30
/* Mini-sockets of a network namespace that somebody may ask about. */
#define MANY		200
/* TIME_WAIT ended by RSTs: that many, and of those made that share. */
#define RESET_MIN	10
#define RESET_SHARE	0.01
/* FIN_WAIT2: that many, that share of the mini-sockets, and so long for one, in seconds. */
#define FIN_WAIT2_MIN	100
#define FIN_WAIT2_SHARE	0.5
#define FIN_WAIT2_S	2

/* inet_hash_connect() can use these, if the administrator says so. */
#define WIDE_LOW	1024
#define WIDE_HIGH	65535
#define WIDE_PORTS	(WIDE_HIGH - WIDE_LOW + 1)

#define TW(a)		TCPFSM_TW_##a

/* ---- what rules have in common ------------------------------------------------------- */

static struct words bytes(double n)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
	struct words w;
	unsigned int i = 0;

	for (; n >= 1024 && i < 3; i++)
		n /= 1024;
	snprintf(w.s, sizeof(w.s), n < 9.95 && i ? "%.1f %s" : "%.0f %s", n, units[i]);
	return w;
}

static double per_second(const struct tcpfsm_timewait *tw, uint64_t n)
{
	return tw->seconds > 0 ? (double)n / tw->seconds : 0;
}

static uint64_t ended(const struct tcpfsm_timewait *tw)
{
	return tw->recent[TW(EXPIRE)] + tw->recent[TW(REUSE)] + tw->recent[TW(REOPEN)] +
	       tw->recent[TW(KILL)] + tw->recent[TW(PURGE)];
}

/*
 * Connections a second that are wanted: those that come and those that find no port.  What is
 * in TIME_WAIT came within the last minute, too.
 */
static double wanted(const struct tcpfsm_timewait *tw)
{
	double now = per_second(tw, tw->recent[TW(ENTER)] + tw->recent_failed);
	double minute = (double)tw->time_wait / TCPFSM_TW_SECONDS;

	return now > minute ? now : minute;
}

static double allowed(uint64_t ports)
{
	return (double)ports / TCPFSM_TW_SECONDS;
}

/* "nginx (pid 12)", "process not known" */
static struct words maker_of(const struct tcpfsm_timewait *tw)
{
	struct words w = { "process not known" };

	if (tw->has_maker)
		snprintf(w.s, sizeof(w.s), "%s (pid %u)", tw->maker_comm, tw->maker_pid);
	return w;
}

static const char *client_of(const struct facts *f)
{
	if (f->tw->has_maker)
		return f->tw->maker_comm;
	return f->failed && f->failed->has_owner ? f->failed->comm : "the client";
}

static uint64_t sysctl(const struct facts *f, unsigned int index)
{
	return f->ns->total[index];
}

#define SYSCTL(s)	sysctl(f, TOTAL(NOW_##s))

/* Old recordings do not have these. */
static bool sysctls_known(const struct facts *f)
{
	return SYSCTL(PORT_LOW);
}

static void evidence_ports(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (!tw->limit) {
		evidence(d, "the ports: %llu taken, %llu by TIME_WAIT, %llu by FIN_WAIT2, %llu by open "
			 "connections; how many there are is not known", (ull)tw->used,
			 (ull)tw->time_wait, (ull)tw->fin_wait2, (ull)tw->open);
		return;
	}
	evidence(d, "the ports: %llu of %llu taken (%.0f %%): %llu by TIME_WAIT, %llu by FIN_WAIT2, "
		 "%llu by open connections; net.ipv4.ip_local_port_range is %llu to %llu, less what is "
		 "reserved", (ull)tw->used, (ull)tw->limit,
		 percent((double)tw->used, (double)tw->limit), (ull)tw->time_wait,
		 (ull)tw->fin_wait2, (ull)tw->open, (ull)SYSCTL(PORT_LOW), (ull)SYSCTL(PORT_HIGH));
}

static void evidence_makers(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	uint64_t first = tw->closer[TCPFSM_CLOSER_LOCAL], both = tw->closer[TCPFSM_CLOSER_BOTH];

	if (tw->has_maker)
		evidence(d, "who makes most of them: %s", maker_of(tw).s);
	if (mini(tw))
		evidence(d, "who closed first: this side in %llu of %llu, both at once in %llu%s",
			 (ull)first, (ull)mini(tw), (ull)both,
			 tw->closer[TCPFSM_CLOSER_NONE] ? "; of the others it was not seen" : "");
}

static void evidence_rate(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (tw->seconds > 0)
		evidence(d, "the rate: %s come and %s end in the %s observed",
			 rate(per_second(tw, tw->recent[TW(ENTER)])).s,
			 rate(per_second(tw, ended(tw))).s, duration(tw->seconds).s);
	if (tw->limit && wanted(tw) > 0)
		evidence(d, "%s, each kept for %u s, allow %s; wanted are %s, which would take "
			 "%.0f", many(tw->limit, "port").s, TCPFSM_TW_SECONDS, rate(allowed(tw->limit)).s,
			 rate(wanted(tw)).s, wanted(tw) * TCPFSM_TW_SECONDS);
	else if (tw->limit)
		evidence(d, "%s, each kept for %u s, allow %s", many(tw->limit, "port").s,
			 TCPFSM_TW_SECONDS, rate(allowed(tw->limit)).s);
}

/* ---- remedies ------------------------------------------------------------------------ */

/* How well-known clients are told to keep connections. */
static const char *keepalive_setting(const char *comm)
{
	static const struct {
		const char *comm, *setting;
	} known[] = {
		{ "nginx", "upstream { ... keepalive N; } with proxy_http_version 1.1 and "
			   "proxy_set_header Connection \"\"" },
		{ "haproxy", "http-reuse always, and no option httpclose or http-server-close" },
		{ "apache2", "ProxyPass without disablereuse=on" },
		{ "httpd", "ProxyPass without disablereuse=on" },
		{ "squid", "server_persistent_connections on" },
		{ "php", "persistent connections: PDO::ATTR_PERSISTENT, mysqli with p:, pconnect()" },
		{ "node", "http.Agent({ keepAlive: true })" },
		{ "python", "one requests.Session() or connection pool for all requests" },
		{ "gunicorn", "one requests.Session() or connection pool for all requests" },
		{ "java", "a connection pool" },
		{ "ab", "-k" },
		{ "wrk", "no header Connection: close" },
		{ "curl", "several URLs in one call" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].comm);

		/* "python3", "php-fpm8.2"; but not what only begins with the same letters. */
		if (!strncmp(comm, known[i].comm, len) &&
		    !((comm[len] | 32) >= 'a' && (comm[len] | 32) <= 'z'))
			return known[i].setting;
	}
	return NULL;
}

static void action_keepalive(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	const char *setting = keepalive_setting(client_of(f));

	action(d, "Have %s keep its connections and use them again%s%s%s", client_of(f),
	       setting ? " (" : "", setting ? setting : ", with keep-alive or a connection pool",
	       setting ? ")" : "");
	if (wanted(tw) > 0)
		more(d, "It helps most: the rate of %s falls to that of connections that are really new.",
		     rate(wanted(tw)).s);
	else
		more(d, "It helps most: only connections that are really new take a port.");
	if (tw->open)
		more(d, " %llu %s open now: a pool of about so many takes %s instead of %llu.",
		       (ull)tw->open, tw->open == 1 ? "is" : "are", many(tw->open, "port").s, (ull)tw->used);
	cost(d, "Idle connections take memory at both ends%s%s%s, and the peer has to keep them "
		    "for longer than the client does, or requests meet a connection that was just "
		    "closed.", f->opts->socket_bytes ? ", here about " : "",
		    f->opts->socket_bytes ? bytes((double)f->opts->socket_bytes).s : "",
		    f->opts->socket_bytes ? " each" : "");
}

static void action_range(const struct facts *f, struct draft *d)
{
	uint64_t low = SYSCTL(PORT_LOW), high = SYSCTL(PORT_HIGH), now = f->tw->limit;

	action(d, "Widen the range of local ports (it is %llu %llu)", (ull)low, (ull)high);
	command(d, "%ssysctl -w net.ipv4.ip_local_port_range=\"%u %u\"", in_netns(f).s, WIDE_LOW, WIDE_HIGH);
	more(d, "Up to %s more, and %s instead of %s. Reserve in net.ipv4.ip_local_reserved_ports what "
	     "services listen on.", many(WIDE_PORTS - now, "port").s, rate(allowed(WIDE_PORTS)).s,
	     rate(allowed(now)).s);
	more(d, "%s", replayed_ports(f, WIDE_PORTS, WITH_PORTS).s);
	cost(d, "A service that starts later can find its port taken by a connection, unless it "
		    "is reserved.");
}

static bool reuse_is_on(const struct facts *f)
{
	return reuse_applies(f->tw, SYSCTL(TW_REUSE));
}

/* How old TIME_WAIT has to be; 1 s, where no sysctl says. */
static double reuse_delay(const struct facts *f)
{
	return f->reuse.delay_ms ? f->reuse.delay_ms / 1e3 : 1;
}

/* Would tcp_tw_reuse help, or why does it not? */
static void evidence_reuse(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait_reuse *r = &f->reuse;
	const char *does = "would not help, as none could be taken now";
	struct words age = { "a second" };
	uint64_t mode = SYSCTL(TW_REUSE);

	if (!f->tw->time_wait || !sysctls_known(f))
		return;
	if (reuse_is_on(f))
		does = r->ready ? "is on for this destination already" :
				  "is on for this destination, but none can be taken now";
	else if (r->ready)
		does = "would help";
	if (r->delay_ms)
		snprintf(age.s, sizeof(age.s), "net.ipv4.tcp_tw_reuse_delay (%u ms)", r->delay_ms);
	evidence(d, "net.ipv4.tcp_tw_reuse (%llu: %s) %s: of %llu in TIME_WAIT %llu can be reused, "
		 "%llu are younger than %s, %llu have no timestamps, of %llu it is not known%s",
		 (ull)mode, mode == 1 ? "on" : mode == 2 ? "for loopback only" : "off", does,
		 (ull)f->tw->time_wait, (ull)r->ready, (ull)r->young, age.s, (ull)r->without,
		 (ull)r->unknown, SYSCTL(TIMESTAMPS) ? "" : "; net.ipv4.tcp_timestamps is 0");
}

static void action_reuse(const struct facts *f, struct draft *d)
{
	double ports = (double)f->tw->limit;
	struct words age = { "began in a second before this one" };

	if (f->reuse.delay_ms)
		snprintf(age.s, sizeof(age.s), "is older than net.ipv4.tcp_tw_reuse_delay (%u ms)",
			 f->reuse.delay_ms);
	action(d, "Let connect() take ports of TIME_WAIT");
	command(d, "%ssysctl -w net.ipv4.tcp_tw_reuse=1", in_netns(f).s);
	more(d, "It takes that of one which %s, if both ends use timestamps: %llu of %llu now. Each port can be "
	     "used about once in %s: up to %s instead of %s.", age.s, (ull)f->reuse.ready,
	     (ull)f->tw->time_wait, f->reuse.delay_ms ? duration(reuse_delay(f)).s : "a second",
	     rate(ports / reuse_delay(f)).s, rate(allowed(f->tw->limit)).s);
	more(d, "%s", replayed_ports(f, f->tw->limit, WITH_REUSE).s);
	cost(d, "Late segments of the old connection differ from those of the new one by their "
		    "timestamps only. It does nothing for FIN_WAIT2 and for connections that peers "
		    "open.");
}

static void action_addresses(const struct facts *f, struct draft *d)
{
	uint64_t ports = f->tw->limit;
	double needed = wanted(f->tw) / allowed(ports);

	action(d, "Use more local addresses, or addresses or ports of the service");
	more(d, "Each has %s of its own, %s.", many(ports, "port").s, rate(allowed(ports)).s);
	if (needed > 1)
		more(d, " For the present rate %.0f are enough, those in use included.",
		     (double)(uint64_t)needed + 1);
	more(d, "%s", replayed_ports(f, 2 * ports, WITH_PORTS).s);
	more(d, " A program that calls bind() with one of several local addresses needs IP_BIND_ADDRESS_NO_PORT, "
	       "or the port is chosen before the destination is known, and for all of them.");
	cost(d, "The addresses, and that all on the way and the peer's access rules know them.");
}

static void action_peer_closes(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	double there = wanted(tw) * TCPFSM_TW_SECONDS;
	struct words memory = { "" };

	action(d, "Let the other side close first (in HTTP: send Connection: close and wait for its FIN)");
	more(d, "TIME_WAIT is then there, on the port of its service, and costs no port.");
	if (!(there > 0)) {
		cost(d, "The mini-sockets are then there, of its net.ipv4.tcp_max_tw_buckets.");
		return;
	}
	if (f->opts->timewait_bytes)
		snprintf(memory.s, sizeof(memory.s), ", about %.32s",
			 bytes(there * f->opts->timewait_bytes).s);
	cost(d, "There it comes to about %.0f TIME_WAIT sockets%s, of its "
		    "net.ipv4.tcp_max_tw_buckets.", there, memory.s);
}

/* What others recommend, and Linux does not have. */
static void evidence_none(struct draft *d)
{
	evidence(d, "what does not exist: TIME_WAIT lasts %u s, a constant of the kernel "
		 "(TCP_TIMEWAIT_LEN); net.ipv4.tcp_fin_timeout is about FIN_WAIT2 only; tcp_tw_recycle is "
		 "gone since Linux 4.12; SO_LINGER of 0 s closes with an RST, which throws away what was "
		 "not delivered", TCPFSM_TW_SECONDS);
}

/*
 * Keep-alive first, as it takes the cause away.  Then the sysctls, by the rate that
 * each allows, and what needs more than one machine.
 */
static void remedy_ports(const struct facts *f, struct draft *d)
{
	uint64_t ports = f->tw->limit;
	bool reuse = ports && f->reuse.ready && !reuse_is_on(f);
	/* What is reserved comes off both. */
	bool range = ports && SYSCTL(PORT_LOW) &&
		     SYSCTL(PORT_HIGH) - SYSCTL(PORT_LOW) + 1 < WIDE_PORTS && ports < WIDE_PORTS;
	bool reuse_first = (double)ports / reuse_delay(f) > allowed(WIDE_PORTS);

	action_keepalive(f, d);
	if (reuse && reuse_first)
		action_reuse(f, d);
	if (range)
		action_range(f, d);
	if (reuse && !reuse_first)
		action_reuse(f, d);
	if (ports)
		action_addresses(f, d);
	action_peer_closes(f, d);
	evidence_reuse(f, d);
	evidence_none(d);
}

/* ---- ports --------------------------------------------------------------------------- */

enum why { WHY_NONE, WHY_TIMEWAIT, WHY_OPEN, WHY_OTHER, WHY_UNSEEN };

static bool fills(const struct tcpfsm_timewait *tw, uint64_t used)
{
	return tw->limit && (double)used >= PORTS_FULL * (double)tw->limit;
}

static bool is_full(const struct tcpfsm_timewait *tw)
{
	return fills(tw, tw->used);
}

/* How it was towards the destination when connect() failed last: the ledger, at that time. */
static bool was_full(const struct facts *f)
{
	return fills(f->tw, f->failed->mini + f->failed->open);
}

/*
 * Mini-sockets of that moment that were there before tcpfsm looked, as many as are missing: they may have had
 * the ports.
 */
static bool was_unseen(const struct facts *f)
{
	const struct mishap *m = f->failed;
	uint64_t unseen = m->tw > m->tw_known ? m->tw - m->tw_known : 0;

	return unseen && fills(f->tw, m->mini + m->open + unseen);
}

/* Why connect() found no port. */
static enum why why_failed(const struct facts *f)
{
	const struct tcpfsm_timewait *tw = f->tw;
	const struct mishap *m = f->failed;

	/* The ports of all destinations, see ports_bound(). */
	if (!m || f->bound)
		return WHY_NONE;
	/* Asked for one port, which was taken. */
	if (m->some == m->n)
		return WHY_OTHER;
	if (is_full(tw) || (!tw->limit && tw->used))
		return mini(tw) >= tw->open ? WHY_TIMEWAIT : WHY_OPEN;
	/* It is over, or ends. */
	if (!was_full(f))
		return was_unseen(f) ? WHY_UNSEEN : WHY_OTHER;
	return m->mini >= m->open ? WHY_TIMEWAIT : WHY_OPEN;
}

static bool fails_now(const struct facts *f)
{
	if (is_recent(f, f->failed->last))
		return true;
	return is_full(f->tw) && !(reuse_is_on(f) && f->reuse.ready);
}

static void evidence_failures(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	const struct mishap *m = f->failed;
	struct words observed = { "" };

	if (tw->seconds > 0)
		snprintf(observed.s, sizeof(observed.s), "; %llu (%.16s) in the %.16s observed",
			 (ull)tw->recent_failed, rate(per_second(tw, tw->recent_failed)).s,
			 duration(tw->seconds).s);
	if (m->has_owner)
		evidence(d, "who fails: %s, pid %u, the last time", m->comm, m->pid);
	if (m->last - m->first >= NSEC_PER_SEC)
		evidence(d, "since when: %llu connect() failed with EADDRNOTAVAIL, from %s until %s%s",
			 (ull)m->n, epoch_moment(f, m->first).s, epoch_moment(f, m->last).s, observed.s);
	else
		evidence(d, "since when: %llu connect() failed with EADDRNOTAVAIL, at %s%s", (ull)m->n,
			 epoch_moment(f, m->last).s, observed.s);
}

static void evidence_then(const struct facts *f, struct draft *d)
{
	const struct mishap *m = f->failed;

	if (f->tw->limit && !is_full(f->tw))
		evidence(d, "when it failed last, %u of %s were taken: %u by mini-sockets, %u by open "
			 "connections", m->mini + m->open, many(f->tw->limit, "port").s, m->mini, m->open);
}

static void judge_failures(const struct facts *f, struct draft *d)
{
	d->active = fails_now(f);
	d->f.severity = d->active ? TCPFSM_SEVERITY_CRITICAL : TCPFSM_SEVERITY_WARNING;
}

/* connect() found no port, and TIME_WAIT has, or had, most of them. */
static bool ports_exhausted(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (why_failed(f) != WHY_TIMEWAIT)
		return false;
	judge_failures(f, d);
	if (d->active)
		headline(d, "connect() of %s fails with EADDRNOTAVAIL: from %s every port is taken, most "
			 "of them by TIME_WAIT.", f->failed->has_owner ? f->failed->comm : "a process",
			 ends_of(tw).s);
	else
		headline(d, "connect() of %s failed with EADDRNOTAVAIL, as from %s TIME_WAIT had taken the "
			 "ports.", f->failed->has_owner ? f->failed->comm : "a process", ends_of(tw).s);
	evidence_failures(f, d);
	evidence_ports(f, d);
	evidence_then(f, d);
	evidence_makers(f, d);
	evidence_rate(f, d);
	remedy_ports(f, d);
	return true;
}

/* The same, but connections that are open have most. */
static bool ports_open(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (why_failed(f) != WHY_OPEN)
		return false;
	judge_failures(f, d);
	headline(d, "connect() of %s %s with EADDRNOTAVAIL: from %s the ports are taken by connections "
		 "that are open.", f->failed->has_owner ? f->failed->comm : "a process",
		 d->active ? "fails" : "failed", ends_of(tw).s);
	detail(d, "TIME_WAIT is not to blame.");
	evidence_failures(f, d);
	evidence_ports(f, d);
	evidence_then(f, d);
	evidence_makers(f, d);
	action(d, "Look why %s holds %s to one destination at a time", client_of(f),
	       many(tw->open, "connection").s);
	if (tw->has_maker)
		command(d, "ss -tnp dst %s | grep pid=%u,", end_of(tw->family, tw->raddr, tw->rport).s,
			tw->maker_pid);
	more(d, "Does it close those that it needs no more? A pool without a limit, or a leak.");
	cost(d, "None.");
	if (tw->limit && tw->limit < WIDE_PORTS && SYSCTL(PORT_LOW)) {
		action(d, "Widen the range of local ports (it is %llu %llu)", (ull)SYSCTL(PORT_LOW),
		       (ull)SYSCTL(PORT_HIGH));
		command(d, "%ssysctl -w net.ipv4.ip_local_port_range=\"%u %u\"", in_netns(f).s, WIDE_LOW,
			WIDE_HIGH);
		more(d, "Up to %s more.%s", many(WIDE_PORTS - tw->limit, "port").s,
		     replayed_ports(f, WIDE_PORTS, WITH_PORTS).s);
		cost(d, "A service that starts later can find its port taken by a connection, "
			    "unless net.ipv4.ip_local_reserved_ports keeps it.");
	}
	action(d, "Use more local addresses, or addresses or ports of the service");
	more(d, "Each has %s%s of its own. No knob of TIME_WAIT changes this.",
	     tw->limit ? "" : "more than ", many(tw->limit ? tw->limit : tw->used, "port").s);
	cost(d, "The addresses, and that all on the way know them.");
	return true;
}

/* There were ports enough: it asked for one, or others bound them. */
static bool port_taken(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	const struct mishap *m = f->failed;
	struct words replayed;
	bool asked;

	if (why_failed(f) != WHY_OTHER)
		return false;
	asked = m->some == m->n;
	d->active = is_recent(f, m->last);
	d->f.severity = d->active ? TCPFSM_SEVERITY_CRITICAL : TCPFSM_SEVERITY_WARNING;
	headline(d, "connect() of %s %s with EADDRNOTAVAIL from %s, %s.",
		 m->has_owner ? m->comm : "a process", d->active ? "fails" : "failed", ends_of(tw).s,
		 asked ? "as the local port that it bound is in use towards this destination" :
		 "and TIME_WAIT has not taken the ports");
	evidence_failures(f, d);
	evidence_ports(f, d);
	if (asked) {
		evidence(d, "each time the process had chosen the local port itself");
		action(d, "Have %s leave the choice of the local port to connect(): no bind(), or bind() "
		       "with port 0 and IP_BIND_ADDRESS_NO_PORT", m->has_owner ? m->comm : "it");
		replayed = replayed_ports(f, tw->limit, WITH_NO_BIND);
		more(d, "%s", replayed.s + !!*replayed.s);
		return true;
	}
	evidence_then(f, d);
	action(d, "Look which sockets hold local ports");
	command(d, "%sss -tanp", in_netns(f).s);
	more(d, "A port that was bound with bind() before connect() is not shared between destinations: "
	     "IP_BIND_ADDRESS_NO_PORT.%s", replayed_ports(f, tw->limit, WITH_NO_BIND).s);
	return true;
}

/* What had the ports is gone, and was there before tcpfsm looked. */
static bool ports_not_judged(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	const struct mishap *m = f->failed;

	if (why_failed(f) != WHY_UNSEEN)
		return false;
	d->active = is_recent(f, m->last);
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	headline(d, "connect() of %s failed with EADDRNOTAVAIL from %s; what had the ports was not seen, as it was "
		 "there before tcpfsm looked.", m->has_owner ? m->comm : "a process", ends_of(tw).s);
	not_seen(d, "which destinations %u of %s of that moment belonged to", m->tw - m->tw_known,
		 many(m->tw, "mini-socket").s);
	evidence_failures(f, d);
	evidence_ports(f, d);
	action(d, "Ask again while it happens, or record it from its beginning");
	command(d, "tcpfsm record /var/tmp/tcpfsm");
	return true;
}

static bool will_fill(const struct tcpfsm_timewait *tw)
{
	double share = tw->full_in <= SOON_S ? SOON_SHARE : FORECAST_SHARE;

	return tw->limit && tw->full_in >= 0 && tw->seconds >= FORECAST_MIN_S &&
	       (double)tw->used >= share * (double)tw->limit;
}

/* No connect() has failed as yet, but at this rate it will. */
static bool ports_run_out(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (f->failed || f->bound || !will_fill(tw))
		return false;
	d->active = true;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	if (tw->full_in > 0)
		headline(d, "In %s the ports from %s will be used up at the present rate; connect() will "
			 "fail with EADDRNOTAVAIL.", duration(tw->full_in).s, ends_of(tw).s);
	else
		headline(d, "The ports from %s are used up: the next connect() will fail with "
			 "EADDRNOTAVAIL.", ends_of(tw).s);
	evidence_ports(f, d);
	evidence_makers(f, d);
	evidence_rate(f, d);
	if (tw->settles >= 0)
		evidence(d, "at this rate the mini-sockets settle at %.0f; with %llu open connections that "
			 "is more than %s", tw->settles, (ull)tw->open, many(tw->limit, "port").s);
	remedy_ports(f, d);
	return true;
}

/*
 * bind() before connect(), without IP_BIND_ADDRESS_NO_PORT: the ports of a local address are as good
 * as taken, no destination has many of them, and none has two connections.  bind() fails with
 * EADDRINUSE then, which no record tells.
 */
static bool ports_bound(const struct facts *f, struct draft *d)
{
	const struct local *l = f->local;
	const struct tcpfsm_timewait *most;

	if (!l)
		return false;
	most = &l->most;
	d->active = true;
	d->weight = l->used;
	d->f.severity = l->ports >= l->limit || l->failed ? TCPFSM_SEVERITY_CRITICAL :
							     TCPFSM_SEVERITY_WARNING;
	d->f.family = l->family;
	memcpy(d->f.laddr, l->laddr, sizeof(d->f.laddr));
	set_owner(d, l->pid, l->pid, l->comm);
	headline(d, "bind() before connect() takes the ports of %s for all destinations: %llu of %llu are taken.",
		 host_of(l->family, l->laddr).s, (ull)l->ports, (ull)l->limit);
	detail(d, "bind() then fails with EADDRINUSE, and connect() without it with EADDRNOTAVAIL.");
	evidence(d, "%s and mini-sockets (%llu in TIME_WAIT) to %u destinations have %llu different "
		 "ports; where connect() chooses them, destinations share ports", many(l->used, "connection").s,
		 (ull)l->time_wait, l->destinations, (ull)l->ports);
	evidence(d, "most are to %s: %llu of %s (%.0f %%); net.ipv4.ip_local_port_range is "
		 "%llu to %llu, less what is reserved", end_of(most->family, most->raddr, most->rport).s,
		 (ull)most->used, many(l->limit, "port").s, percent((double)most->used, (double)l->limit),
		 (ull)SYSCTL(PORT_LOW), (ull)SYSCTL(PORT_HIGH));
	if (l->pid)
		evidence(d, "who has most of these: %s, pid %u", l->comm, l->pid);
	if (l->failed)
		evidence(d, "connect() without bind() failed, too: %llu with EADDRNOTAVAIL", (ull)l->failed);
	action(d, "Have %s set IP_BIND_ADDRESS_NO_PORT before bind(), or not call bind()",
	       l->pid ? l->comm : "who connects");
	more(d, "The kernel then chooses the port at connect(), and each destination has all of them.");
	cost(d, "None.");
	action(d, "Until then, use more local addresses, or a wider net.ipv4.ip_local_port_range");
	cost(d, "It fills again, a little later.");
	return true;
}

/* Peers do not close: mini-sockets wait for their FIN. */
static bool fin_wait2(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;
	double in = per_second(tw, tw->recent[TCPFSM_TW_FLOW_FIN_WAIT2]);
	uint64_t s = SYSCTL(FIN_TIMEOUT);

	if (tw->fin_wait2 < FIN_WAIT2_MIN ||
	    (double)tw->fin_wait2 < FIN_WAIT2_SHARE * (double)mini(tw) ||
	    (double)tw->fin_wait2 < FIN_WAIT2_S * in)
		return false;
	d->active = true;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "%s %s does not close its side: %s wait in FIN_WAIT2 for its FIN.",
		 tw->inbound ? "What connects to" : "The other end of", ends_of(tw).s,
		 many(tw->fin_wait2, "connection").s);
	evidence(d, "%llu in FIN_WAIT2, %llu in TIME_WAIT; %s", (ull)tw->fin_wait2,
		 (ull)tw->time_wait, tw->inbound ? "they cost memory, and no port" :
		 "they keep a port each, as TIME_WAIT does");
	if (tw->limit)
		evidence_ports(f, d);
	evidence_makers(f, d);
	if (tw->seconds > 0)
		evidence(d, "the rate: %s begin in FIN_WAIT2 and for %s came the FIN, in the %s observed",
			 rate(in).s, rate(per_second(tw, tw->recent[TCPFSM_TW_FLOW_FIN])).s,
			 duration(tw->seconds).s);
	action(d, "Have the peer close its connections when it reads the end of the stream");
	if (s) {
		more(d, "Until then, net.ipv4.tcp_fin_timeout (%llu s) is how long each stays", (ull)s);
		if (in > 0)
			more(d, ": %s come to %.0f; with half of it they come to half", rate(in).s,
			     in * (double)s);
		more(d, ".");
		cost(d, "A peer that sends data or closes later than tcp_fin_timeout is answered with an "
		     "RST.");
	}
	return true;
}

bool explain_tw_worth(const struct facts *f)
{
	return f->failed || will_fill(f->tw) || f->tw->fin_wait2 >= FIN_WAIT2_MIN;
}

/* ---- network namespaces ---------------------------------------------------------------- */

static uint64_t made(const struct facts *f)
{
	return f->total[TCPFSM_TOTAL_TW + TW(ENTER)];
}

static void evidence_bucket_use(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	if (!tw)
		return;
	evidence(d, "mini-sockets: %llu of %llu that net.ipv4.tcp_max_tw_buckets allows (%.0f %%)",
		 (ull)tw->used, (ull)tw->limit, percent((double)tw->used, (double)tw->limit));
	if (tw->seconds > 0)
		evidence(d, "the rate: %s come and %s end in the %s observed",
			 rate(per_second(tw, tw->recent[TW(ENTER)])).s,
			 rate(per_second(tw, ended(tw))).s, duration(tw->seconds).s);
	if (f->most && mini(f->most))
		evidence(d, "most are from %s: %llu, made by %s", ends_of(f->most).s,
			 (ull)mini(f->most), maker_of(f->most).s);
}

static void action_buckets(const struct facts *f, struct draft *d, double needed)
{
	uint64_t limit = SYSCTL(TW_MAX), n = 1024;

	while ((double)n < needed || n <= limit)
		n *= 2;
	action(d, "Raise the limit");
	command(d, "%ssysctl -w net.ipv4.tcp_max_tw_buckets=%llu", in_netns(f).s, (ull)n);
	if (needed > 0)
		more(d, "The present rate comes to %.0f.", needed);
	if (f->opts->timewait_bytes)
		cost(d, "About %u bytes of the kernel's memory each, %s when all are used.",
			    f->opts->timewait_bytes, bytes((double)n * f->opts->timewait_bytes).s);
	else
		cost(d, "Each takes kernel memory.");
	action(d, "Create fewer: keep-alive or a connection pool%s%s, or let the other side close first",
	       f->most && f->most->has_maker ? " in " : "",
	       f->most && f->most->has_maker ? f->most->maker_comm : "");
	cost(d, "Idle connections take memory at both ends.");
}

static void action_memory(struct draft *d)
{
	action(d, "Free memory for the kernel");
	more(d, "Mini-sockets are allocated without waiting.");
}

/* tcp_max_tw_buckets was reached: inet_twsk_alloc() makes no more. */
static bool tw_bucket_limit(const struct facts *f, struct draft *d)
{
	uint64_t ever = f->total[TCPFSM_TOTAL_TW + TW(DENIED)];
	uint64_t now = f->tw ? f->tw->recent[TW(DENIED)] : f->now[TCPFSM_TOTAL_TW + TW(DENIED)];
	const struct mishap *m = f->denied;
	bool memory, full;

	if (m && m->n > ever)
		ever = m->n;
	if (!ever)
		return false;
	memory = m && !m->some;
	full = f->tw && f->tw->limit && f->tw->used >= f->tw->limit;
	d->active = full || (now && (!m || is_recent(f, m->last)));
	d->weight = ever;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	if (memory)
		headline(d, "In %s there was no memory for mini-sockets: %s %s closed "
			 "without TIME_WAIT.", netns_name(f).s, many(ever, "connection").s, were(ever));
	else
		headline(d, "In %s net.ipv4.tcp_max_tw_buckets%s: %s %s closed without "
			 "TIME_WAIT, as there were %s.", netns_name(f).s,
			 d->active ? " is reached" : " was reached", many(ever, "connection").s,
			 d->active ? ever == 1 ? "has been" : "have been" : were(ever),
			 many(m ? m->tw : SYSCTL(TW_MAX), "mini-socket").s);
	if (m && m->last - m->first >= NSEC_PER_SEC)
		evidence(d, "since when: from %s until %s", epoch_moment(f, m->first).s, epoch_moment(f, m->last).s);
	else if (m)
		evidence(d, "since when: at %s", epoch_moment(f, m->last).s);
	if (f->tw && f->tw->seconds > 0)
		evidence(d, "%llu (%s) in the %s observed", (ull)now, rate(per_second(f->tw, now)).s,
			 duration(f->tw->seconds).s);
	if (m && m->has_owner)
		evidence(d, "whose: %s, pid %u, the last time", m->comm, m->pid);
	evidence_bucket_use(f, d);
	evidence(d, "what is lost: nobody is left to answer when the last ACK is lost or the peer closes "
		 "later, so it gets an RST; and a late segment can meet a new connection between the "
		 "same ports");
	if (memory)
		action_memory(d);
	else
		action_buckets(f, d, f->tw && f->tw->settles > 0 ? f->tw->settles +
			       per_second(f->tw, now) * TCPFSM_TW_SECONDS : 0);
	return true;
}

/* It will be reached. */
static bool tw_bucket_fills(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw;

	/* When it has been reached, the above says so. */
	if (!tw || !will_fill(tw) || f->total[TCPFSM_TOTAL_TW + TW(DENIED)] || f->denied)
		return false;
	d->active = true;
	d->f.severity = TCPFSM_SEVERITY_WARNING;
	if (tw->full_in > 0)
		headline(d, "In %s net.ipv4.tcp_max_tw_buckets will be reached in %s at the present rate; "
			 "connections will be closed without TIME_WAIT then.", netns_name(f).s,
			 duration(tw->full_in).s);
	else
		headline(d, "In %s net.ipv4.tcp_max_tw_buckets is reached: the next connection is closed "
			 "without TIME_WAIT.", netns_name(f).s);
	evidence_bucket_use(f, d);
	if (tw->settles >= 0)
		evidence(d, "at this rate they settle at %.0f", tw->settles);
	action_buckets(f, d, tw->settles);
	return true;
}

/* RFC 1337: an RST ends TIME_WAIT before its time. */
static bool tw_reset(const struct facts *f, struct draft *d)
{
	uint64_t n = f->reset ? f->reset->n : 0;

	/* With tcp_rfc1337 none is ended so. */
	if (n < RESET_MIN || (double)n < RESET_SHARE * (double)made(f) || SYSCTL(RFC1337))
		return false;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "In %s RSTs end TIME_WAIT before its time (RFC 1337): %llu of %llu.",
		 netns_name(f).s, (ull)n, (ull)made(f));
	evidence(d, "since when: from %s until %s", epoch_moment(f, f->reset->first).s,
		 epoch_moment(f, f->reset->last).s);
	evidence(d, "peers, or something on the way, answer with an RST to what TIME_WAIT sends, or late: "
		 "a connection that they do not know any more");
	action(d, "Have TIME_WAIT ignore RSTs, should late segments matter here");
	command(d, "%ssysctl -w net.ipv4.tcp_rfc1337=1", in_netns(f).s);
	cost(d, "Each then lasts its %u s: at the present number about %.0f mini-sockets more at a time.",
	     TCPFSM_TW_SECONDS, f->age > 0 ? (double)n / f->age * TCPFSM_TW_SECONDS : 0);
	return true;
}

static void evidence_ages(const struct facts *f, struct draft *d)
{
	const uint64_t *a = f->ages;
	uint64_t young = a[0] + a[1] + a[2], old = a[3] + a[4] + a[5] + a[6];

	if (young + old)
		evidence(d, "ages: %llu are below 30 s, %llu older%s", (ull)young, (ull)old,
			 a[7] ? ", of the others it is not known" : "");
}

void explain_tw_fine(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw, *most = f->most;
	char line[LINE_LEN] = "";

	if (most && most->limit)
		snprintf(line, sizeof(line), "; most towards one destination, %s: %llu of %s "
			 "(%.1f %%)", ends_of(most).s, (ull)most->used, many(most->limit, "port").s,
			 percent((double)most->used, (double)most->limit));
	evidence(d, "TIME_WAIT and FIN_WAIT2 in %s: %llu of %s, %llu since tcpfsm was "
		 "loaded%s", netns_name(f).s, (ull)mini(tw), many(tw->limit, "mini-socket").s, (ull)made(f), line);
}

/* Many mini-sockets, and all is well: says why. */
static bool tw_harmless(const struct facts *f, struct draft *d)
{
	const struct tcpfsm_timewait *tw = f->tw, *most = f->most;

	if (!tw || f->told || mini(tw) < MANY || tw->recent[TW(DENIED)] ||
	    (tw->limit && tw->used >= tw->limit))
		return false;
	/* Too short for a forecast, but who knows. */
	if (tw->full_in >= 0 || (most && most->full_in >= 0))
		return false;
	d->f.severity = TCPFSM_SEVERITY_INFO;
	headline(d, "%s in TIME_WAIT or FIN_WAIT2 in %s do no harm: that is what closing "
		 "connections costs.", many(mini(tw), "socket").s, netns_name(f).s);
	evidence_bucket_use(f, d);
	if (most && most->limit)
		evidence(d, "most towards one destination: %llu of %s (%.1f %%), which allow %s; "
			 "%s are wanted", (ull)most->used, many(most->limit, "port").s,
			 percent((double)most->used, (double)most->limit),
			 rate(allowed(most->limit)).s, rate(wanted(most)).s);
	if (f->inbound)
		evidence(d, "%llu are of connections that peers opened: they keep the port of the listener, "
			 "which costs none", (ull)f->inbound);
	if (tw->settles >= 0 && tw->seconds >= FORECAST_MIN_S)
		evidence(d, "at the pace of the last seconds they settle at %.0f: each lasts %u s, and no longer",
			 tw->settles, TCPFSM_TW_SECONDS);
	evidence_ages(f, d);
	if (f->opts->timewait_bytes)
		evidence(d, "memory: %u bytes each, %s in all", f->opts->timewait_bytes,
			 bytes((double)mini(tw) * f->opts->timewait_bytes).s);
	return true;
}

const struct rule explain_tw_rules[] = {
	{ "ports_exhausted",	SIDE_NONE, ABOUT_DESTINATION, ports_exhausted },
	{ "ports_open",		SIDE_NONE, ABOUT_DESTINATION, ports_open },
	{ "not_judged",		SIDE_NONE, ABOUT_DESTINATION, ports_not_judged },
	{ "port_taken",		SIDE_NONE, ABOUT_DESTINATION, port_taken },
	{ "ports_run_out",	SIDE_NONE, ABOUT_DESTINATION, ports_run_out },
	{ "fin_wait2",		SIDE_NONE, ABOUT_DESTINATION, fin_wait2 },
	{ "ports_bound",	SIDE_NONE, ABOUT_NETNS,	      ports_bound },
	{ "tw_bucket_limit",	SIDE_NONE, ABOUT_NETNS,       tw_bucket_limit },
	{ "tw_bucket_fills",	SIDE_NONE, ABOUT_NETNS,       tw_bucket_fills },
	{ "tw_reset",		SIDE_NONE, ABOUT_NETNS,       tw_reset },
	{ "tw_harmless",	SIDE_NONE, ABOUT_NETNS,       tw_harmless },
};

const unsigned int explain_tw_nrules = sizeof(explain_tw_rules) / sizeof(explain_tw_rules[0]);
