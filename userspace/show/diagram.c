// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "diagram.h"

#define ARROW_TEXT(s, old, new, causes, event, action, brief) \
	{ TCPFSM_STATE_##old, TCPFSM_STATE_##new, event, action, brief },
const struct arrow_text diagram_arrow[NARROWS] = { DIAGRAM_ARROWS(ARROW_TEXT) };

#define ARROW_CAUSES(s, old, new, causes, ...) causes,
static const uint32_t arrow_causes[NARROWS] = { DIAGRAM_ARROWS(ARROW_CAUSES) };

/* ---- counting --------------------------------------------------------------- */

static void clear_slot(struct moves *m, size_t n, size_t slot)
{
	while (n--)
		m[n].slot[slot] = 0;
}

static bool enter_slot(struct diagram *d, uint64_t at)
{
	size_t i = at % DIAGRAM_SLOTS;

	if (d->slot[i] == at)
		return true;
	if (d->slot[i] > at)
		return false;		/* came too late to count for a rate */
	clear_slot(&d->all, 1, i);
	clear_slot(&d->odd, 1, i);
	clear_slot(d->arrow, NARROWS, i);
	clear_slot(d->exit, DIAGRAM_STATES, i);
	d->slot[i] = at;
	return true;
}

static void move(struct diagram *d, struct moves *m, uint64_t ts, uint32_t n)
{
	uint64_t at = ts / DIAGRAM_SLOT_NS;

	m->n += n;
	if (ts > m->last)
		m->last = ts;
	if (enter_slot(d, at))
		m->slot[at % DIAGRAM_SLOTS] += n;
}

static int find_arrow(uint8_t old, uint8_t new, uint8_t cause)
{
	int i;

	for (i = 0; i < NARROWS; i++)
		if (diagram_arrow[i].old_state == old && diagram_arrow[i].new_state == new &&
		    arrow_causes[i] & 1U << cause)
			return i;
	return -1;
}

/* Has the figure a box for it? */
static bool has_exit(uint8_t state)
{
	return state >= TCPFSM_STATE_ESTABLISHED && state <= TCPFSM_STATE_CLOSING &&
	       state != TCPFSM_STATE_CLOSE && state != TCPFSM_STATE_LISTEN;
}

void diagram_add(struct diagram *d, const struct tcpfsm_move *m, uint64_t ts)
{
	uint32_t n = m->n;
	uint8_t old = m->old_state < DIAGRAM_STATES ? m->old_state : 0;
	uint8_t new = m->new_state < DIAGRAM_STATES ? m->new_state : 0, shown = new;
	uint8_t cause = m->cause < DIAGRAM_CAUSES ? m->cause : 0;
	int arrow;

	d->count[old][new][cause] += n;
	move(d, &d->all, ts, n);
	if (ts > d->last)
		d->last = ts;
	if (!d->first || ts < d->first)
		d->first = ts;
	d->moved[old] = d->moved[new] = d->last;

	/*
	 * The RFC's way back to LISTEN: there the listener itself had changed
	 * its state; here its child dies.
	 */
	if (old == TCPFSM_STATE_SYN_RECV && new == TCPFSM_STATE_CLOSE &&
	    cause == TCPFSM_CAUSE_RCV_RST && m->request)
		shown = TCPFSM_STATE_LISTEN;

	arrow = find_arrow(old, shown, cause);
	if (arrow >= 0) {
		move(d, &d->arrow[arrow], ts, n);
		d->arrow_cause[arrow][cause] += n;
	} else if (new == TCPFSM_STATE_CLOSE && has_exit(old)) {
		move(d, &d->exit[old], ts, n);
		d->exit_cause[old][cause] += n;
	} else {
		move(d, &d->odd, ts, n);
		d->odd_pair[old][new] += n;
	}
}

void diagram_count(struct diagram *d, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_move m = {
		.old_state = ev->old_state, .new_state = ev->new_state, .cause = ev->cause,
		.request = ev->rec.type == TCPFSM_TYPE_REQUEST_GONE, .n = 1,
	};

	diagram_add(d, &m, ev->ts);
}

void diagram_reset(struct diagram *d)
{
	uint64_t population[DIAGRAM_STATES], lost = d->lost;

	memcpy(population, d->population, sizeof(population));
	memset(d, 0, sizeof(*d));
	memcpy(d->population, population, sizeof(population));
	d->lost = lost;
}

uint64_t diagram_rate(const struct diagram *d, const struct moves *m, uint64_t now)
{
	uint64_t end = now / DIAGRAM_SLOT_NS, at, sum = 0;

	/* Whole slots only: the one that is under way would tell too little. */
	for (at = end > DIAGRAM_SECOND ? end - DIAGRAM_SECOND : 0; at < end; at++)
		if (d->slot[at % DIAGRAM_SLOTS] == at)
			sum += m->slot[at % DIAGRAM_SLOTS];
	return sum;
}

/* ---- members ------------------------------------------------------------------ */

struct member {
	uint64_t conn;
	uint32_t link;			/* the table's */
	uint8_t state;
};

static uint64_t hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct member *)entry)->conn;
}

static const struct table_type type = {
	.size = sizeof(struct member), .link = offsetof(struct member, link), .reserved = 1,
	.hash = hash,
};

static struct member *find(const struct members *s, uint64_t conn)
{
	struct member *m = s->table.slab ? table_first(&s->table, &type, conn) : NULL;

	while (m && m->conn != conn)
		m = table_next(&s->table, &type, m);
	return m;
}

/* NULL: there is no room for it. */
static struct member *add(struct members *s, uint64_t conn)
{
	struct member *m;

	if (!s->table.slab && table_init(&s->table, &type, MEMBERS_FIRST, MEMBERS_MAX))
		return NULL;
	m = table_add(&s->table, &type, conn);
	if (m)
		m->conn = conn;
	return m;
}

void members_see(struct members *s, const struct tcpfsm_event *ev, uint64_t *population)
{
	uint64_t conn = ev->rec.conn;
	uint8_t new = ev->new_state < DIAGRAM_STATES ? ev->new_state : 0;
	struct member *m;

	if (!conn)
		return;
	m = find(s, conn);
	if (!m) {
		if (new == TCPFSM_STATE_CLOSE)
			return;
		m = add(s, conn);
		if (!m) {
			s->missed++;
			return;
		}
	} else {
		population[m->state]--;
	}
	m->state = new;
	if (new == TCPFSM_STATE_CLOSE)
		table_del(&s->table, &type, conn, m);
	else
		population[new]++;
}

void members_free(struct members *s)
{
	table_exit(&s->table);
	s->missed = 0;
}
