/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What the rules of explain know, and how they say what they found. */
#ifndef TCPFSM_LIB_EXPLAIN_H
#define TCPFSM_LIB_EXPLAIN_H

#include <string.h>

#include "held.h"
#include "mishaps.h"
#include "ports.h"
#include "proc.h"
#include "replay.h"
#include "source/clock.h"
#include "sources.h"
#include "tcpfsm.h"

typedef unsigned long long ull;	/* for printf() */

#define LINE_LEN	512
#define LINES_MAX	16
#define ACTIONS_MAX	6
#define RECENT_S	10		/* see is_recent() */
/* A connection that waits through an observation of so many seconds, and no accept(). */
#define STALLED_S	2
/* Share of the ports that are taken when connect() fails for that: some may be bound otherwise. */
#define PORTS_FULL	0.95

#define TOTAL(s)	TCPFSM_TOTAL_##s
#define DROPPED(r)	(TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_##r)
#define ACK_DROPPED(r)	(TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_##r)
#define ACK_RESET(r)	(TCPFSM_TOTAL_ACK_RESET + TCPFSM_REASON_##r)
#define GONE(w)		(TCPFSM_TOTAL_GONE + TCPFSM_GONE_##w)

/* Handshakes that clients completed. */
static inline uint64_t handshakes(const uint64_t *total)
{
	return total[TOTAL(COMPLETED)] + total[TOTAL(COMPLETED_COOKIE)];
}

/* A kind of refusal: since the totals began, and while they were observed. */
struct refused {
	uint64_t ever, now;
	bool active;			/* it goes on, or a SYN would meet it at this moment */
};

/* What a rule judges; destinations are those of the ledger of mini-sockets. */
enum about { ABOUT_LISTENER, ABOUT_NETNS, ABOUT_DESTINATION };

/* What a network namespace had dropped before a socket, half a minute ago or when it was looked at first, and later. */
struct drops {
	uint32_t netns;
	uint32_t pid;			/* of a process in it; 0: it is ours */
	uint64_t ts, next_ts;		/* CLOCK_MONOTONIC */
	uint64_t n[PROC_NDROPS], next[PROC_NDROPS];
};

/* Of what the rules judge. */
struct facts {
	const struct tcpfsm_explain_options *opts;
	struct tcpfsm_listeners *all;
	enum about about;
	const struct tcpfsm_listener *l;	/* of a destination: its network namespace */
	const struct tcpfsm_listener *ns;	/* its network namespace; may be l */
	const struct sources *sources;		/* sample of its SYNs; NULL: none */
	const struct replay *replay;
	const uint64_t *total;			/* at the end */
	uint64_t now[TCPFSM_TOTAL_COUNTED];	/* sums: total less what they began with */
	double span;				/* observed, in seconds; 0: one reading only */
	double age;				/* counted, in seconds */
	bool gone;

	uint64_t backlog;			/* the limit; see limit_known */
	uint64_t acceptq_places, synq_places;	/* what fits */
	bool limit_known;			/* of who is gone it is told by what was refused */
	uint64_t asked;				/* of listen(2); see asked_known */
	bool asked_known;
	uint64_t somaxconn, max_syn_backlog, syncookies;

	/* LISTENER: connections wait, and its process has no descriptor left to accept them: */
	bool no_descriptors;			/* where it can be looked at: descriptors_known */
	bool descriptors_known;
	uint64_t descriptors, descriptors_max;
	struct refused acceptq;			/* the accept queue was full: SYNs and ACKs */
	struct refused synq;			/* the SYN queue was: dropped or answered with a cookie */
	uint64_t weight;			/* how much was refused: the worst come first */

	/* Of the destination, or of the network namespace; NULL: no mini-socket is known. */
	const struct tcpfsm_timewait *tw;
	const struct mishap *failed;		/* DESTINATION: connect() without a port; NULL: none */
	struct tcpfsm_timewait_reuse reuse;	/* DESTINATION */
	bool bound;				/* DESTINATION: bind() has taken the ports of its local address */
	const struct local *local;		/* NETNS: a local address of which that is so; NULL: none */
	const struct mishap *denied, *reset;	/* NETNS: mini-sockets; NULL: none */
	const struct mishaps *mishaps;		/* NETNS: of connections, see explain_conn.c */
	const struct drops *drops;		/* NETNS; NULL: they were not looked at */
	const struct holders *holders;		/* NETNS: half closed ones; NULL: not known */
	const struct tcpfsm_timewait *most;	/* NETNS: destination that has most; NULL: none */
	uint64_t inbound;			/* NETNS: mini-sockets that cost no port */
	uint64_t ages[TCPFSM_TW_AGES];		/* NETNS */
	bool told;				/* NETNS: something was found of a destination already */
};

struct words { char s[160]; };

/* A thing to do, in the making; see struct tcpfsm_action. */
struct action {
	char text[LINE_LEN], command[LINE_LEN], more[2 * LINE_LEN], cost[2 * LINE_LEN];
};

/* A finding in the making: who it is about, how much is said, and the words. */
struct draft {
	struct tcpfsm_finding f;
	uint64_t weight;
	unsigned int rank;			/* causes before what they bring about */
	bool active;
	char summary[LINE_LEN], detail[LINE_LEN];
	char line[LINES_MAX][LINE_LEN], unseen[LINES_MAX][LINE_LEN];
	struct action action[ACTIONS_MAX];
};

/* A finding that holds, with all its words in one piece of memory. */
struct finding {
	struct tcpfsm_finding f;
	uint64_t weight;
	unsigned int rank;
	bool active;
	const char **evidence;			/* f.evidence, and room for one more */
	char *also;				/* LINE_LEN, for that one */
};

/* Whose it is, if that is known. */
static inline void set_owner(struct draft *d, bool known, uint32_t pid, const char comm[17])
{
	d->f.has_owner = known;
	d->f.pid = pid;
	memcpy(d->f.comm, comm, sizeof(d->f.comm));
}

/* Which queue a rule is about: the one that refuses more is told of first. */
enum side { SIDE_NONE, SIDE_SYNQ, SIDE_ACCEPTQ };

struct rule {
	const char *verdict;		/* stable: users and programs rely on it */
	enum side side;
	enum about about;
	/* Does it hold?  Then d is filled in. */
	bool (*judge)(const struct facts *f, struct draft *d);
};

/* Causes come before what they bring about. */
extern const struct rule explain_accept_rules[];
extern const unsigned int explain_accept_nrules;
extern const struct rule explain_syn_rules[];
extern const unsigned int explain_syn_nrules;
extern const struct rule explain_listener_rules[];
extern const unsigned int explain_listener_nrules;
extern const struct rule explain_tw_rules[];
extern const unsigned int explain_tw_nrules;
extern const struct rule explain_conn_rules[];
extern const unsigned int explain_conn_nrules;
extern const struct rule explain_held_rules[];
extern const unsigned int explain_held_nrules;

/* Is there anything that the rules of explain_tw.c could say of that destination? */
bool explain_tw_worth(const struct facts *f);
/* The mini-sockets of a network namespace where nothing is wrong. */
void explain_tw_fine(const struct facts *f, struct draft *d);

/* ---- what if: what_if.c ---------------------------------------------------------- */

/* What the records of a listener come to under other limits. */
struct replayed {
	bool known;			/* they tell what was observed; else only refused counts */
	bool part;			/* they are not all there were */
	bool hopeless;			/* no limit helps: more arrive than are accepted */
	bool twice_known;
	uint64_t observed;		/* nanoseconds */
	uint64_t refused;		/* connections, as observed */
	uint64_t acceptq, both;		/* the smallest round backlog with which the accept queue refuses */
					/* none; and with which neither queue does */
	uint64_t less_backlog;		/* half of acceptq; 0: that is no more than there is */
	struct replay_result without, less, twice; /* with no limit, with that one, with twice the present */
};

void replay_facts(const struct facts *f, struct replayed *r);
/* A power of two from 16 on, at least v; at most 65535. */
uint64_t round_backlog(uint64_t v);
/* With tcp_tw_reuse=1; with the choice of the local port left to connect(). */
enum with { WITH_PORTS, WITH_REUSE, WITH_NO_BIND };

/* " Replayed: 2 of 21 connect() would have failed, where 8 did."; "": it is not known, or none did */
struct words replayed_ports(const struct facts *f, uint64_t ports, enum with with);
/* For tcpfsm_explain_what_if(): w->setting is given.  Return: 1; 0: nothing to tell; -ENOMEM. */
int what_if_listener(const struct facts *f, struct tcpfsm_what_if *w);
int what_if_destination(const struct facts *f, struct tcpfsm_what_if *w);

/* ---- words: words.c ------------------------------------------------------------- */

#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

/* The first line: one sentence, and short. */
void headline(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
/* A sentence more, for those who read on. */
void detail(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void evidence(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
/* What the verdict does not rest on, as it was not seen. */
void not_seen(struct draft *d, const char *fmt, ...) PRINTF(2, 3);

/*
 * A thing to do, in a few words without a full stop; what helps most comes first.  The
 * others are about the last one: its command, what else there is to say of it in whole
 * sentences, and what it costs.  more() and cost() add to what was said before.
 */
void action(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void command(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
/* After what is to be done before, the module is loaded again, with " parameters". */
void command_load(const struct tcpfsm_explain_options *o, struct draft *d, const char *before,
		  const char *parameters);
/* Several, all of them in the network namespace concerned; without single quotes. */
void commands_there(const struct facts *f, struct draft *d, const char *fmt, ...) PRINTF(3, 4);
void more(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void cost(struct draft *d, const char *fmt, ...) PRINTF(2, 3);

/* ---- finding.c ------------------------------------------------------------------- */

/* Return: NULL: no memory; free() it. */
struct finding *finding_new(const struct draft *d);
/* A line of evidence more, the last one. */
void finding_also(struct finding *f, const char *fmt, ...) PRINTF(2, 3);

/* "0.0.0.0:80 (nginx, pid 1234)" */
struct words name_of(const struct tcpfsm_listener *l);
/* "192.0.2.1 to 192.0.2.2:80"; inbound: "192.0.2.2:80" */
struct words ends_of(const struct tcpfsm_timewait *tw);
/* "192.0.2.2", "2001:db8::2" */
struct words address_of(unsigned int family, const uint8_t *addr);
/* The same with a place for a port: "[2001:db8::2]" */
struct words host_of(unsigned int family, const uint8_t *addr);
/* "192.0.2.2:80" */
struct words end_of(unsigned int family, const uint8_t *addr, unsigned int port);
/* "network namespace blue", or its number where it has no name or it is a recording's */
struct words netns_name(const struct facts *f);
/* For sysctl(8) where the network namespace may be another one than ours. */
struct words in_netns(const struct facts *f);
/* Is there a process to look at? */
bool has_process(const struct tcpfsm_listener *l);
/* "nginx", or "the application" */
struct words app_of(const struct tcpfsm_listener *l);
/* "350 ms" */
struct words duration(double seconds);
/* "18.7/s" */
struct words rate(double per_second);
/* "14:02:11 (3 min ago)", a time of the records; the same of an epoch time */
struct words moment(const struct facts *f, uint64_t ts);
struct words epoch_moment(const struct facts *f, uint64_t epoch);
/* What happened no longer ago than RECENT_S goes on; of an epoch time. */
bool is_recent(const struct facts *f, uint64_t epoch);
/* What was refused while observed: also of late? A recording, or a window of top, may end long after. */
bool refuses_now(const struct facts *f, uint64_t now);
struct refused refused_by(const struct facts *f, uint64_t ever, uint64_t now);
/* Through all of the observation, which was long enough to tell. */
bool nobody_accepts(const struct facts *f);
/* "s", unless it is one */
const char *plural(uint64_t n);
/* "1 handshake", "2 addresses" */
struct words many(uint64_t n, const char *noun);
/* "was", "were" */
const char *were(uint64_t n);
/* Share of a whole, in percent. */
double percent(double part, double whole);

#endif /* TCPFSM_LIB_EXPLAIN_H */
