/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What the rules of explain know, and how they say what they found. */
#ifndef TCPFSM_LIB_EXPLAIN_H
#define TCPFSM_LIB_EXPLAIN_H

#include "mishaps.h"
#include "sources.h"
#include "tcpfsm.h"

#define NS		1e9		/* nanoseconds a second */
#define LINE_LEN	512
#define LINES_MAX	16
#define RECENT_S	10		/* see is_recent() */

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

/* Of what the rules judge. */
struct facts {
	const struct tcpfsm_explain_options *opts;
	struct tcpfsm_listeners *all;
	enum about about;
	const struct tcpfsm_listener *l;	/* of a destination: its network namespace */
	const struct tcpfsm_listener *ns;	/* its network namespace; may be l */
	const struct sources *sources;		/* sample of its SYNs; NULL: none */
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

	struct refused acceptq;			/* the accept queue was full: SYNs and ACKs */
	struct refused synq;			/* the SYN queue was: dropped or answered with a cookie */
	uint64_t weight;			/* how much was refused: the worst come first */

	/* Of the destination, or of the network namespace; NULL: no mini-socket is known. */
	const struct tcpfsm_timewait *tw;
	const struct mishap *failed;		/* DESTINATION: connect() without a port; NULL: none */
	struct tcpfsm_timewait_reuse reuse;	/* DESTINATION */
	const struct mishap *denied, *reset;	/* NETNS: mini-sockets; NULL: none */
	const struct mishaps *mishaps;		/* NETNS: of connections, see explain_conn.c */
	const struct tcpfsm_timewait *most;	/* NETNS: destination that has most; NULL: none */
	uint64_t inbound;			/* NETNS: mini-sockets that cost no port */
	uint64_t ages[TCPFSM_TW_AGES];		/* NETNS */
	bool told;				/* NETNS: something was found of a destination already */
};

/* A finding in the making. */
struct draft {
	struct tcpfsm_finding f;
	const char *lines[LINES_MAX];
	uint64_t weight;
	unsigned int rank;			/* causes before what they bring about */
	bool active;
	unsigned int options;		/* remedies that are numbered */
	char text[LINE_LEN], line[LINES_MAX][LINE_LEN];
	char remedy[8 * LINE_LEN], cost[6 * LINE_LEN];
};

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
extern const struct rule explain_syn_rules[];
extern const unsigned int explain_syn_nrules;
extern const struct rule explain_tw_rules[];
extern const unsigned int explain_tw_nrules;
extern const struct rule explain_conn_rules[];
extern const unsigned int explain_conn_nrules;

/* Is there anything that the rules of explain_tw.c could say of that destination? */
bool explain_tw_worth(const struct facts *f);
/* The mini-sockets of a network namespace where nothing is wrong. */
void explain_tw_fine(const struct facts *f, struct draft *d);

/* ---- words: explain.c ------------------------------------------------------------ */

#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

void headline(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void evidence(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
/* These two add to what was said before. */
void remedy(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void cost(struct draft *d, const char *fmt, ...) PRINTF(2, 3);

/*
 * One of several remedies, and what it costs: both get the same number.  The cost is
 * told after its remedy.
 */
void option(struct draft *d, const char *fmt, ...) PRINTF(2, 3);
void option_cost(struct draft *d, const char *fmt, ...) PRINTF(2, 3);

struct words { char s[160]; };

/* "0.0.0.0:80 (nginx, pid 1234)" */
struct words name_of(const struct tcpfsm_listener *l);
/* "192.0.2.1 to 192.0.2.2:80"; inbound: "192.0.2.2:80" */
struct words ends_of(const struct tcpfsm_timewait *tw);
/* "192.0.2.2:80" */
struct words end_of(unsigned int family, const uint8_t *addr, unsigned int port);
/* For sysctl(8) where the network namespace may be another one than ours. */
struct words in_netns(const struct facts *f);
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
/* "s", unless it is one */
const char *plural(uint64_t n);
/* Share of a whole, in percent. */
double percent(double part, double whole);

#endif /* TCPFSM_LIB_EXPLAIN_H */
