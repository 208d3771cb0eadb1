// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Our totals against the counters that nstat prints.  Each row of a table says
 * which totals make up one counter, as the kernel's sources have it, what may
 * make them differ, and which hooks they need.
 *
 * The totals of the listeners are read before the kernel's counters, and both
 * move meanwhile: what differs is read again until it stands still.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opts.h"
#include "source/clock.h"
#include "tcpfsm.h"

/* Readings further apart tell nothing about how much moves during one. */
#define ROUND_NS	NSEC_PER_SEC

#define TERMS		8

/* n totals from index on. */
struct term {
	uint16_t index, n;
};

#define TOTAL(t)	{ TCPFSM_TOTAL_##t, 1 }
#define SYN_DROPPED(r)	{ TCPFSM_TOTAL_SYN_DROPPED + TCPFSM_REASON_##r, 1 }
#define SYN_DROPPED_ALL	{ TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS }
#define ACK_DROPPED(r)	{ TCPFSM_TOTAL_ACK_DROPPED + TCPFSM_REASON_##r, 1 }
#define ACK_RESET(r)	{ TCPFSM_TOTAL_ACK_RESET + TCPFSM_REASON_##r, 1 }
#define ACK(r)		ACK_DROPPED(r), ACK_RESET(r)
#define TW(a)		{ TCPFSM_TOTAL_TW + TCPFSM_TW_##a, 1 }
#define GONE(g)		{ TCPFSM_TOTAL_GONE + TCPFSM_GONE_##g, 1 }
#define KERNEL(k)	{ TCPFSM_TOTAL_KERNEL + TCPFSM_KERNEL_##k, 1 }
#define F(f)		(1U << TCPFSM_FEATURE_##f)

/* The kernel may count more than we, or less, by as much as these moved. */
struct slack {
	const char *why;
	bool any;		/* without bound */
	struct term terms[2];
	struct term when;	/* only if it is not 0; none: always */
};

/* What the device's count of missed outcomes is about. */
#define MISSED	(F(SYN) | F(ACK) | F(COOKIE) | F(REQUEST))

#define UNSETTLED "too many came and went to tell how many there were when counting began"

static const struct row {
	const char *name;
	struct term kernel;	/* none: TOTAL(SYN), our own */
	struct term ours[TERMS], minus[TERMS];
	uint32_t features;
	struct slack more, less;
} rows[] = {
	/* tcp_listendrop(): in tcp_conn_request(), tcp_v4_syn_recv_sock() and tcp_req_err(). */
	{
		.name = "TcpExtListenDrops", .kernel = KERNEL(LISTENDROPS),
		.ours = { SYN_DROPPED_ALL, ACK(ACCEPTQ_FULL), ACK(NO_MEMORY), ACK(NO_ROUTE),
			  GONE(ICMP) },
		.features = F(SYN) | F(ACK) | F(COOKIE) | F(REQUEST) | F(REQUEST_ICMP),
		.less = { .why = "ACKs with a SYN cookie and no route back: no drop to the kernel",
			  .terms = { ACK(NO_ROUTE) } },
	},
	{
		.name = "TcpExtListenOverflows", .kernel = KERNEL(LISTENOVERFLOWS),
		.ours = { SYN_DROPPED(ACCEPTQ_FULL), ACK(ACCEPTQ_FULL) },
		.features = F(SYN) | F(ACK) | F(COOKIE),
	},
	/* tcp_syn_flood_action() */
	{
		.name = "TcpExtTCPReqQFullDrop", .kernel = KERNEL(REQQFULLDROP),
		.ours = { SYN_DROPPED(SYNQ_FULL) },
		.features = F(SYN),
	},
	{
		.name = "TcpExtTCPReqQFullDoCookies", .kernel = KERNEL(REQQFULLDOCOOKIES),
		.ours = { TOTAL(COOKIE_WANTED) },
		.features = F(SYN),
	},
	/* cookie_init_sequence(), cookie_v4_check(), cookie_v6_check() */
	{
		.name = "TcpExtSyncookiesSent", .kernel = KERNEL(SYNCOOKIESSENT),
		.ours = { TOTAL(SYN_COOKIE) },
		.features = F(SYN),
	},
	{
		.name = "TcpExtSyncookiesRecv", .kernel = KERNEL(SYNCOOKIESRECV),
		.ours = { TOTAL(COOKIE_VALID) },
		.features = F(COOKIE),
	},
	{
		.name = "TcpExtSyncookiesFailed", .kernel = KERNEL(SYNCOOKIESFAILED),
		.ours = { ACK(COOKIE_INVALID) },
		.features = F(COOKIE),
	},
	/* tcp_check_req() */
	{
		.name = "TcpExtTCPDeferAcceptDrop", .kernel = KERNEL(DEFERACCEPTDROP),
		.ours = { ACK_DROPPED(DEFER_ACCEPT) },
		.features = F(ACK),
	},
	/* tcp_create_openreq_child() */
	{
		.name = "TcpPassiveOpens", .kernel = KERNEL(PASSIVEOPENS),
		.ours = { TOTAL(COMPLETED), TOTAL(COMPLETED_COOKIE), TOTAL(SYN_FASTOPEN),
			  TOTAL(CHILD_LOST), TOTAL(JOINED) },
		.features = F(SYN) | F(ACK) | F(COOKIE),
	},
	/* tcp_rtx_synack(), and __tcp_retransmit_skb() even if nothing could be sent */
	{
		.name = "TcpExtTCPSynRetrans", .kernel = KERNEL(SYNRETRANS),
		.ours = { TOTAL(SYNACK_RETRANSMIT), TOTAL(SYN_RETRANSMIT) },
		.features = F(SYNACK) | F(RETRANSMIT),
		.more = { .why = "SYNs that could not be sent again (TcpExtTCPRetransFail)",
			  .terms = { KERNEL(RETRANSFAIL) } },
	},
	/* tcp_syn_ack_timeout(), tcp_retransmit_timer() */
	{
		.name = "TcpExtTCPTimeouts", .kernel = KERNEL(TIMEOUTS),
		.ours = { TOTAL(SYNACK_TIMEOUT) },
		.features = F(SYNACK_TIMER),
		.more = { .why = "timers of connections, which are not counted here", .any = true },
	},
	/* __inet_twsk_schedule(); before 5.18 tw_timer_handler() */
	{
		.name = "TcpExtTW", .kernel = KERNEL(TW),
		.ours = { TW(ENTER), TOTAL(TW_ENDED) },
		.minus = { TOTAL(TW_LATE), TOTAL(TW_SHORT) },
		.features = F(TW_ENTER) | F(TW_SEGMENT),
	},
	{
		.name = "TcpExtTWKilled", .kernel = KERNEL(TWKILLED),
		.ours = { TOTAL(TW_SHORT) },
		.features = F(TW_ENTER) | F(TW_SEGMENT),
	},
	/* __inet_check_established() */
	{
		.name = "TcpExtTWRecycled", .kernel = KERNEL(TWRECYCLED),
		.ours = { TW(REUSE) },
		.features = F(TW_LEAVE),
	},
	/* tcp_time_wait() */
	{
		.name = "TcpExtTCPTimeWaitOverflow", .kernel = KERNEL(TIMEWAITOVERFLOW),
		.ours = { TW(DENIED) },
		.features = F(TW_ENTER),
	},
	/* As /proc/net/sockstat has them: "TCP: ... tw N". */
	{
		.name = "sockstat tw", .kernel = TOTAL(NOW_TW),
		.ours = { TOTAL(TW_CAME), TW(ENTER) },
		.minus = { TOTAL(TW_WENT), TW(REOPEN), TW(REUSE), TW(KILL), TW(EXPIRE), TW(PURGE) },
		.features = F(TW_ENTER) | F(TW_LEAVE),
		.more = { .why = UNSETTLED, .any = true, .when = TOTAL(NOW_TW_UNSETTLED) },
		.less = { .why = UNSETTLED, .any = true, .when = TOTAL(NOW_TW_UNSETTLED) },
	},
	/* Each SYN has one fate. */
	{
		.name = "syn", .kernel = { 0 },
		.ours = { TOTAL(SYN_QUEUED), TOTAL(SYN_COOKIE), TOTAL(SYN_FASTOPEN),
			  TOTAL(SYN_DUPLICATE), SYN_DROPPED_ALL },
		.features = F(SYN),
	},
};

#define NROWS	(sizeof(rows) / sizeof(rows[0]))

/* A row as a reading has it. */
struct state {
	uint64_t kernel, ours;	/* since counting began */
};

/* A network namespace: what was read last, and the best that was read of each row. */
struct space {
	uint32_t netns;
	bool read;		/* in this reading, */
	bool own;		/* and its own row, with the kernel's counters */
	uint64_t ts, since;
	uint64_t total[TCPFSM_TOTAL_NUM];
	unsigned int readings;	/* of this round */
	struct state last[NROWS];
	struct {
		struct tcpfsm_check row;
		bool still;	/* the last two readings agreed */
		uint64_t moved;	/* the most between two of this round */
	} best[NROWS];
};

struct tcpfsm_checks {
	uint64_t features, missed;
	bool reading;		/* one is under way, of time */
	uint64_t ts;
	struct space *spaces;
	size_t n;
};

int tcpfsm_checks_new(struct tcpfsm_checks **out, const struct tcpfsm_info *info)
{
	struct tcpfsm_checks *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->features = ~0ULL;
	if (info) {
		struct tcpfsm_info i;

		copy_info(&i, info);
		c->features = i.features;
		c->missed = i.missed;
	}
	return 0;
}

void tcpfsm_checks_free(struct tcpfsm_checks *c)
{
	if (!c)
		return;
	free(c->spaces);
	free(c);
}

/* ---- one reading ---------------------------------------------------------------- */

static uint64_t sum(const uint64_t *total, const struct term *terms, unsigned int n)
{
	uint64_t s = 0;
	unsigned int i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < terms[i].n; j++)
			s += total[terms[i].index + j];
	return s;
}

/* The kernel's since counting began; our own as they are. */
static uint64_t moved(const uint64_t *total, const struct term *terms, unsigned int n)
{
	uint64_t s = sum(total, terms, n);
	unsigned int i;

	for (i = 0; i < n; i++)
		if (terms[i].n && terms[i].index >= TCPFSM_TOTAL_KERNEL)
			s -= total[terms[i].index - TCPFSM_TOTAL_KERNEL + TCPFSM_TOTAL_KERNEL_BASE];
	return s;
}

static uint64_t size(int64_t difference)
{
	return difference < 0 ? -(uint64_t)difference : (uint64_t)difference;
}

/* "feature synack_timer is off" */
static bool lacks_feature(const struct tcpfsm_checks *c, const struct row *row, char *why)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		if (!(row->features >> i & 1) || c->features >> i & 1)
			continue;
		snprintf(why, TCPFSM_CHECK_WHY, "feature %s is off: see tcpfsm info",
			 tcpfsm_feature_name(i));
		return true;
	}
	return false;
}

static bool within(const uint64_t *total, const struct slack *slack, uint64_t n)
{
	if (!slack->why || (slack->when.n && !sum(total, &slack->when, 1)))
		return false;
	return slack->any || n <= moved(total, slack->terms, 2);
}

/* Is there a reason that has nothing to do with when it was read? */
static bool explained(const struct tcpfsm_checks *c, const struct row *row,
		      const uint64_t *total, struct tcpfsm_check *check)
{
	const struct slack *slack = check->difference > 0 ? &row->more : &row->less;

	if (within(total, slack, size(check->difference))) {
		snprintf(check->why, sizeof(check->why), "%s", slack->why);
		return true;
	}
	return lacks_feature(c, row, check->why);
}

static void list_parts(const struct term terms[TERMS], bool minus, const uint64_t *total,
		       struct tcpfsm_check *check)
{
	unsigned int i, j;

	for (i = 0; i < TERMS; i++) {
		for (j = 0; j < terms[i].n; j++) {
			uint16_t index = (uint16_t)(terms[i].index + j);

			if (!total[index])
				continue;
			check->part[check->nparts].index = index;
			check->part[check->nparts].minus = minus;
			check->part[check->nparts++].value = total[index];
		}
	}
}

static void judge_row(const struct tcpfsm_checks *c, struct space *s, unsigned int i)
{
	static const struct term syns = TOTAL(SYN);
	const struct row *row = &rows[i];
	bool kernel = row->kernel.n;
	struct state now = {
		.kernel = moved(s->total, kernel ? &row->kernel : &syns, 1),
		.ours = sum(s->total, row->ours, TERMS) - sum(s->total, row->minus, TERMS),
	};
	int64_t difference = (int64_t)(now.kernel - now.ours);
	struct tcpfsm_check *best = &s->best[i].row;

	if (s->readings) {
		uint64_t a = now.kernel - s->last[i].kernel, b = now.ours - s->last[i].ours;

		s->best[i].still = !a && !b;
		a = a > b ? a : b;
		s->best[i].moved = a > s->best[i].moved ? a : s->best[i].moved;
	} else {
		s->best[i].still = false;
		s->best[i].moved = 0;
	}
	s->last[i] = now;
	if (s->readings && size(difference) > size(best->difference) && !s->best[i].still)
		return;

	*best = (struct tcpfsm_check) {
		.name = row->name, .netns = s->netns, .ts = s->ts, .since = s->since,
		.of_kernel = kernel, .counter = kernel ? s->total[row->kernel.index] : now.kernel,
		.kernel = now.kernel, .ours = now.ours, .difference = difference,
	};
	list_parts(row->ours, false, s->total, best);
	list_parts(row->minus, true, s->total, best);
	if (difference)
		best->status = explained(c, row, s->total, best) ? TCPFSM_CHECK_EXPLAINED :
								   TCPFSM_CHECK_UNEXPLAINED;
}

/* A reading is complete. */
static void judge(struct tcpfsm_checks *c)
{
	size_t from, to = 0;
	unsigned int i;

	for (from = 0; from < c->n; from++) {
		struct space *s = &c->spaces[from];

		if (!s->read || !s->own)	/* deleted meanwhile */
			continue;
		s->read = s->own = false;
		for (i = 0; i < NROWS; i++)
			judge_row(c, s, i);
		s->readings++;
		if (from != to)
			c->spaces[to] = *s;
		to++;
	}
	c->n = to;
	c->reading = false;
}

/* ---- in and out ------------------------------------------------------------------ */

static struct space *space(struct tcpfsm_checks *c, uint32_t netns)
{
	struct space *s;
	size_t i;

	for (i = c->n; i--; )
		if (c->spaces[i].netns == netns)
			return &c->spaces[i];
	s = realloc(c->spaces, (c->n + 1) * sizeof(*s));
	if (!s)
		return NULL;
	c->spaces = s;
	s += c->n++;
	memset(s, 0, sizeof(*s));
	s->netns = netns;
	return s;
}

int tcpfsm_checks_item(struct tcpfsm_checks *c, const struct tcpfsm_item *item)
{
	const struct tcpfsm_record *r = &item->rec;
	struct space *s;

	if (item->lost || r->type != TCPFSM_TYPE_TOTAL || r->rcv >= TCPFSM_TOTAL_NUM)
		return 0;
	if (c->reading && r->ts != c->ts)
		judge(c);
	c->reading = true;
	c->ts = r->ts;
	s = space(c, r->netns);
	if (!s)
		return -ENOMEM;
	if (!s->read) {
		s->read = true;
		memset(s->total, 0, sizeof(s->total));
		if (r->ts - s->ts > ROUND_NS)
			s->readings = 0;
		s->ts = r->ts;
	}
	if (r->rcv < TCPFSM_TOTAL_COUNTED)
		s->total[r->rcv] += r->listener;
	else if (!r->conn)
		s->total[r->rcv] = r->listener;
	s->own |= !r->conn;
	s->since = s->total[TCPFSM_TOTAL_NOW_SINCE_TS];
	return 0;
}

bool tcpfsm_checks_settled(struct tcpfsm_checks *c)
{
	unsigned int i;
	size_t n;

	if (c->reading)
		judge(c);
	for (n = 0; n < c->n; n++)
		for (i = 0; i < NROWS; i++)
			if (c->spaces[n].best[i].row.status == TCPFSM_CHECK_UNEXPLAINED &&
			    !c->spaces[n].best[i].still)
				return false;
	return true;
}

/* Reasons that count only when reading again has not helped. */
static void last_resort(const struct tcpfsm_checks *c, const struct space *s, unsigned int i,
			struct tcpfsm_check *check)
{
	uint64_t n = size(check->difference);

	if (check->status != TCPFSM_CHECK_UNEXPLAINED)
		return;
	if (s->readings > 1 && !s->best[i].still && n <= s->best[i].moved) {
		check->status = TCPFSM_CHECK_EXPLAINED;
		snprintf(check->why, sizeof(check->why),
			 "moved by %" PRIu64 " between two readings", s->best[i].moved);
	} else if (rows[i].features & MISSED && n <= c->missed) {
		check->status = TCPFSM_CHECK_EXPLAINED;
		snprintf(check->why, sizeof(check->why),
			 "%" PRIu64 " outcome%s not seen: see tcpfsm info", c->missed,
			 c->missed == 1 ? "" : "s");
	} else if (s->readings < 2) {
		snprintf(check->why, sizeof(check->why), "not known; read once, it may have moved");
	} else {
		snprintf(check->why, sizeof(check->why), "not known");
	}
}

static int by_netns(const void *a, const void *b)
{
	uint32_t x = ((const struct space *)a)->netns, y = ((const struct space *)b)->netns;

	return x < y ? -1 : x > y;
}

int tcpfsm_checks_each(struct tcpfsm_checks *c, tcpfsm_check_fn fn, void *arg)
{
	unsigned int i;
	size_t n;
	int rc;

	tcpfsm_checks_settled(c);
	if (c->n)
		qsort(c->spaces, c->n, sizeof(*c->spaces), by_netns);
	for (n = 0; n < c->n; n++) {
		for (i = 0; i < NROWS; i++) {
			struct tcpfsm_check check = c->spaces[n].best[i].row;

			last_resort(c, &c->spaces[n], i, &check);
			rc = fn(&check, arg);
			if (rc)
				return rc;
		}
	}
	return 0;
}
