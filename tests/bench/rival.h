/* SPDX-License-Identifier: GPL-2.0-only */
/* What the rival's two halves share, behind the record's definition. */
#ifndef RIVAL_H
#define RIVAL_H

#define RIVAL_CPUS	4U
#define RIVAL_SLOTS	8192U		/* as the module's rings */
#define RIVAL_RING	(4U << 20)
#define RIVAL_WAKE	(64U << 10)	/* the reader is woken for so much, or looks itself */

struct rival_ring {
	__u64 head;
	__u64 unused[15];
	struct tcpfsm_record slot[RIVAL_SLOTS];
};

#endif /* RIVAL_H */
