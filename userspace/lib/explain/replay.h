/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * What was observed, played again under another setting: the connections that come to a
 * listener under another limit of its queues (replay.c), and those to a destination with
 * other ports (replay_ports.c).
 *
 * Kept are marks, a small one for each event that matters.  Of more than there is room for the
 * last ones are kept, and a replay is of these.
 */
#ifndef TCPFSM_LIB_REPLAY_H
#define TCPFSM_LIB_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "table.h"
#include "tcpfsm.h"

/* Of one listener, powers of two: each connection makes three. */
#define REPLAY_MARKS_FIRST	64U
#define REPLAY_MARKS_MAX	32768U
/* Of all listeners together, and listeners. */
#define REPLAY_MARKS_ALL	(1U << 20)
#define REPLAY_LISTENERS_MAX	1024U
/* Of all destinations together. */
#define REPLAY_ENDS_FIRST	256U
#define REPLAY_ENDS_MAX		(1U << 17)

enum replay_kind {
	/* Of a listener: what became of a SYN, */
	REPLAY_SYN_QUEUED, REPLAY_SYN_COOKIE, REPLAY_SYN_REFUSED,
	/* of a third ACK, of a request that came to nothing, */
	REPLAY_ACK_REFUSED, REPLAY_ESTABLISHED, REPLAY_GONE,
	/* and an accept(). */
	REPLAY_ACCEPT,
	/* Of a destination: a port was taken, or none was found, */
	REPLAY_OPEN, REPLAY_HELD, REPLAY_NO_PORT, REPLAY_NO_PORT_BOUND,
	/* TIME_WAIT began, with timestamps or without; the port is free. */
	REPLAY_TIME_WAIT, REPLAY_TIME_WAIT_PLAIN, REPLAY_FREE,
};

/* Of a listener. */
struct replay_mark {
	uint64_t ts;			/* epoch */
	uint64_t who;			/* its client's address and port, hashed; ACCEPT: nanoseconds it */
					/* waited, UINT64_MAX: not known */
	uint32_t acceptq;		/* connections in the accept queue, as its record tells */
	uint8_t kind;
};

/* Marks of one listener, the last ones. */
struct replay_listener {
	uint64_t listener;
	uint64_t n;			/* so many came */
	uint64_t missed;		/* records left out by the module */
	uint32_t link;			/* the table's */
	uint32_t room;			/* a power of two */
	struct replay_mark *marks;
};

/* A mark of a destination. */
struct replay_end {
	uint64_t ts, conn;
	uint32_t netns;
	uint16_t rport;
	uint8_t family, kind;
	uint8_t laddr[16], raddr[16];
};

struct replay {
	struct table listeners;		/* not made as long as there are none */
	uint32_t last;			/* found last: mostly the next one, too */
	uint32_t marks;
	uint64_t lost;			/* records that were missed: there are holes */

	uint64_t nends;			/* so many came */
	uint32_t ends_room;
	struct replay_end *ends;
	uint64_t opened[65536 / 64];	/* local ports that connections were opened from */
};

/* Most events tell nothing that is needed. */
static inline bool replay_wants(const struct tcpfsm_event *ev)
{
	const unsigned int types = 1U << TCPFSM_EVENT_SYN | 1U << TCPFSM_EVENT_ACCEPT |
		1U << TCPFSM_EVENT_TIMEWAIT | 1U << TCPFSM_EVENT_CONNECT_FAILED |
		1U << TCPFSM_EVENT_LOST;
	const unsigned int states = 1U << TCPFSM_STATE_SYN_SENT | 1U << TCPFSM_STATE_ESTABLISHED |
		1U << TCPFSM_STATE_CLOSE;

	if (ev->type == TCPFSM_EVENT_HANDSHAKE_ACK)
		return ev->rec.reason == TCPFSM_REASON_ACCEPTQ_FULL;
	if (ev->type != TCPFSM_EVENT_TRANSITION)
		return types >> (ev->type & 31) & 1;
	return states >> (ev->new_state & 15) & 1;
}

/* All return 0 or -ENOMEM.  An event that is wanted: */
int replay_event(struct replay *r, const struct tcpfsm_event *ev);
/* A socket of a snapshot; at @ts (epoch). */
int replay_socket(struct replay *r, const struct tcpfsm_record *rec, uint64_t ts);
/* Of replay_event(), what concerns destinations. */
int replay_ends_event(struct replay *r, const struct tcpfsm_event *ev);
void replay_free(struct replay *r);

/* ---- a listener -------------------------------------------------------------------- */

/* The limits of a listener, and what decides beside them. */
struct replay_limits {
	uint64_t backlog;		/* of both queues */
	uint64_t synq_more;		/* the SYN queue holds so many more than that: 0 or 1 */
	uint64_t syncookies, max_syn_backlog, abort_on_overflow;	/* sysctls */
};

struct replay_result {
	uint64_t attempts;		/* connections that clients asked for */
	uint64_t refused;		/* of these: a SYN or an ACK of it was, at least once */
	uint64_t cookies;		/* of these: answered with a cookie */
	uint64_t wait_max, wait_p99;	/* in the accept queue; nanoseconds */
	uint64_t peak, synq_peak;	/* of the queues */
	uint64_t waiting;		/* in the accept queue when it ended */
};

struct replay_plan;

/*
 * Of a listener's marks since @since: has nobody accepted? @arrived: connections that became established.
 * False as well when that is not known: there are no marks from before, or records were lost.
 */
bool replay_stands(const struct replay *r, uint64_t listener, uint64_t since, uint64_t *arrived);
/* What came to a listener, ready to be played.  NULL: nothing did, or there is no memory. */
struct replay_plan *replay_plan(const struct replay *r, uint64_t listener);
/* As it was observed. */
uint64_t replay_refused(const struct replay_plan *p);
/* Are records of it missing, or more marks than there was room for?  *observed: nanoseconds. */
bool replay_is_part(const struct replay_plan *p, uint64_t *observed);
/* Return: 0 or -ENOMEM. */
int replay_run(struct replay_plan *p, const struct replay_limits *limits,
	       struct replay_result *result);
void replay_plan_free(struct replay_plan *p);

/* ---- a destination ----------------------------------------------------------------- */

struct replay_ports {
	uint64_t ports;			/* that connect() can choose */
	bool reuse;			/* tcp_tw_reuse applies */
	uint32_t delay_ms;		/* tcp_tw_reuse_delay; 0: a second before this one */
	bool timestamps;		/* net.ipv4.tcp_timestamps */
	bool unbound;			/* those that had bound a port leave its choice to connect(), too */
};

struct replay_ports_result {
	uint64_t attempts;		/* connect() */
	uint64_t failed_before;		/* EADDRNOTAVAIL, observed */
	uint64_t failed;
	uint64_t peak;			/* ports taken at a time */
	bool part;			/* more marks than there was room for, or records lost */
};

/* A destination, and how many connections were wanted. */
struct replay_destination {
	struct replay_end end;		/* one of its marks */
	uint64_t attempts;
};

/* Those that were seen, the most wanted first; to be freed.  Return: how many, or -ENOMEM. */
int64_t replay_destinations(const struct replay *r, struct replay_destination **out);
/* Of the destination whose ends @dest tells.  Return: 0 or -ENOMEM. */
int replay_ports(const struct replay *r, const struct tcpfsm_timewait *dest,
		 const struct replay_ports *with, struct replay_ports_result *result);

#endif /* TCPFSM_LIB_REPLAY_H */
