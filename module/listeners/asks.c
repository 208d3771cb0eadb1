// SPDX-License-Identifier: GPL-2.0-only
/*
 * What listen() told of listeners that nobody has sent a SYN yet: they have no
 * place.  Whoever came first stays: to hold many listeners open, or to make them
 * fast, does not push out what others told.  A listener that is not among them
 * is counted all the same; its owner and the backlog it asked for are not known.
 */
#include <linux/hash.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "internal.h"

#define BUCKET_BITS	9
#define WAYS		8
/* So long a listen() may take until the listener is among the others. */
#define BETWEEN_NS	(10ULL * NSEC_PER_SEC)

static struct tcpfsm_ask *asks;
static DEFINE_RAW_SPINLOCK(asks_lock);

static struct tcpfsm_ask *find(u64 cookie, u64 with)
{
	struct tcpfsm_ask *ask = &asks[hash_64(cookie, BUCKET_BITS) * WAYS];
	unsigned int i;

	for (i = 0; i < WAYS; i++, ask++)
		if (ask->cookie == with)
			return ask;
	return NULL;
}

/**
 * tcpfsm_ask_put() - keep what a listen() told
 * @ask: for its listener, instead of an earlier one
 *
 * Context: any but NMI.
 */
void tcpfsm_ask_put(const struct tcpfsm_ask *ask)
{
	struct tcpfsm_ask *to;
	unsigned long flags;

	raw_spin_lock_irqsave(&asks_lock, flags);
	to = find(ask->cookie, ask->cookie);
	if (!to)
		to = find(ask->cookie, 0);
	if (to)
		*to = *ask;
	raw_spin_unlock_irqrestore(&asks_lock, flags);
}

/**
 * tcpfsm_ask_drop() - keep no more what a listen() told
 * @cookie: of the listener: it has a place now, or closed
 *
 * Context: any but NMI.
 */
void tcpfsm_ask_drop(u64 cookie)
{
	struct tcpfsm_ask *ask;
	unsigned long flags;

	raw_spin_lock_irqsave(&asks_lock, flags);
	ask = find(cookie, cookie);
	if (ask)
		ask->cookie = 0;
	raw_spin_unlock_irqrestore(&asks_lock, flags);
}

/**
 * tcpfsm_ask_look() - what a listen() told
 * @cookie: of the listener
 * @alive: when it was found to be there, or 0
 * @ask: to fill in
 *
 * Context: any but NMI.  Return: is there something?
 */
bool tcpfsm_ask_look(u64 cookie, u64 alive, struct tcpfsm_ask *ask)
{
	struct tcpfsm_ask *from;
	unsigned long flags;

	raw_spin_lock_irqsave(&asks_lock, flags);
	from = find(cookie, cookie);
	if (from) {
		from->alive = alive ? alive : from->alive;
		*ask = *from;
	}
	raw_spin_unlock_irqrestore(&asks_lock, flags);
	return from;
}

/**
 * tcpfsm_asks_forget() - of what is not there: a listen() failed, or nobody saw it close
 * @alive: when all that are there were found to be
 *
 * Context: process, may sleep.
 */
void tcpfsm_asks_forget(u64 alive)
{
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < WAYS << BUCKET_BITS; i++) {
		struct tcpfsm_ask *ask = &asks[i];

		if (!READ_ONCE(ask->cookie))
			continue;
		raw_spin_lock_irqsave(&asks_lock, flags);
		if (ask->alive != alive && ask->since + BETWEEN_NS < alive)
			ask->cookie = 0;
		raw_spin_unlock_irqrestore(&asks_lock, flags);
		cond_resched();
	}
}

/**
 * tcpfsm_asks_init() - make room
 *
 * Context: process, may sleep.  Return: 0 or -ENOMEM.
 */
int tcpfsm_asks_init(void)
{
	asks = kvcalloc(WAYS << BUCKET_BITS, sizeof(*asks),
			GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	return asks ? 0 : -ENOMEM;
}

/**
 * tcpfsm_asks_exit() - undo tcpfsm_asks_init(); no hook is attached
 */
void tcpfsm_asks_exit(void)
{
	kvfree(asks);
	asks = NULL;
}
