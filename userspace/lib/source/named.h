/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Names in recordings: of network namespaces, and the cgroups of processes.  Records have numbers only, and what
 * these are called is known where, and while, it happens.  A recorder asks for what it meets, and writes it
 * as marks; a text longer than a mark has room for is several of them.
 */
#ifndef TCPFSM_LIB_NAMED_H
#define TCPFSM_LIB_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pace.h"
#include "table.h"
#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* What has the name: member rcv of a mark.  Of a network namespace it is one of the first two. */
enum named {
	NAMED_NETNS = 1,		/* as "ip netns" has it */
	NAMED_INHABITED = 2,		/* the container or unit of a process in it */
	NAMED_CGROUP = 3,		/* path of a process */
};

#define NAMED_MAX	TCPFSM_CONTAINER_NAME_MAX
/* Of a text, in one mark: comm, laddr and raddr. */
#define NAMED_PART	48U

/* ---- recorder -------------------------------------------------------------------- */

/* Powers of two: where a number was seen lately. */
#define NAMING_NETNS	64U
#define NAMING_PIDS	512U
#define NAMING_DUE	256U

struct naming {
	struct table asked;
	uint32_t netns[NAMING_NETNS], pid[NAMING_PIDS];
	uint64_t forget;		/* these, at that time */
	struct naming_due {
		uint64_t ts;		/* when it was seen */
		uint32_t id;
		bool pid;
	} due[NAMING_DUE];
	unsigned int ndue;
	struct pace pace;
	/* That is being told: */
	enum named what;
	uint32_t id, len, off;
	char text[NAMED_MAX];
};

/* Return: 0 or -ENOMEM. */
int naming_init(struct naming *n);
void naming_exit(struct naming *n);
/* Nothing was told so far: a chunk begins. */
void naming_again(struct naming *n);
void naming_met(struct naming *n, uint32_t id, bool pid, uint64_t ts);
/* Is there something to ask for?  It takes a tenth of the time at most. */
bool naming_waits(struct naming *n, uint64_t now);
/* It is n->text. */
void naming_tell(struct naming *n, enum named what, uint32_t id);
/* A mark that tells something new, but for its ts.  False: there is none for now. */
bool naming_next(struct naming *n, struct tcpfsm_record *mark);

/* For each record.  pid 0: it has none. */
static inline void naming_see(struct naming *n, uint32_t netns, uint32_t pid, uint64_t ts)
{
	if (n->netns[netns % NAMING_NETNS] != netns)
		naming_met(n, netns, false, ts);
	if (pid && n->pid[pid % NAMING_PIDS] != pid)
		naming_met(n, pid, true, ts);
}

/* ---- reader ---------------------------------------------------------------------- */

/* Of marks to a text. */
struct named_parts {
	uint32_t what, id, len, have;
	char text[NAMED_MAX];
};

/**
 * named_mark() - takes a mark of a recording
 * @first: what is told already stays: it was so first
 */
void named_mark(struct named_parts *p, const struct tcpfsm_record *mark, bool first);

/* From now on names are those of recordings: of those that marks tell, or none.  Return: 0 or -ENOMEM. */
int named_begin(bool learns);
/* Are names those of a recording?  See tcpfsm_names_recorded(). */
bool named_is(void);
/* Return: false: the recording does not tell. */
bool named_text(enum named what, uint32_t id, char *text, size_t size);
/* The network namespace of that name; 0: none. */
uint32_t named_netns(const char *name);
bool named_cgroups(void);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_NAMED_H */
