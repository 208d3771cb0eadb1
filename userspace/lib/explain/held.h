/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Connections that stay half closed, by the process that has them: in CLOSE_WAIT, where it is to
 * close them, and in FIN_WAIT2, as far as it has them open.  The model knows which there are, the
 * snapshot who had them before.
 */
#ifndef TCPFSM_LIB_HELD_H
#define TCPFSM_LIB_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpfsm.h"

/* Old: longer than any server takes to close, or to wait for its peer; see explain_held.c. */
#define HELD_OLD_S	60

/* Those of the processes of one name, in one state. */
struct held {
	uint32_t netns;
	uint32_t pid;			/* of the one that has most of them; 0: owner not known */
	uint32_t processes;
	uint8_t state;			/* CLOSE_WAIT or FIN_WAIT2 */
	char comm[17];
	uint64_t n;
	uint64_t old;			/* of these: for HELD_OLD_S or longer */
	uint64_t there;			/* of these: in the snapshot already */
	uint64_t before;		/* that were in the snapshot */
	uint64_t unknown;		/* of these: since before the snapshot, and not known for how long */
	uint64_t oldest;		/* since when, of the others; epoch, 0: none */
};

struct snapshot_count {
	uint32_t netns;
	uint8_t state;
	char comm[16];
	uint64_t n;
};

struct holders {
	struct snapshot_count *before;
	size_t nbefore;
	uint64_t snap_ts;		/* CLOCK_MONOTONIC; 0: there was none */
	bool synced;			/* what is told from here on is a resync */
	struct held *of;
	size_t n;
};

/* SOCKET; others do nothing.  Return: 0 or -ENOMEM. */
int holders_item(struct holders *h, const struct tcpfsm_item *item);
/* What the model knows at now (epoch).  Return: 0 or -ENOMEM. */
int holders_read(struct holders *h, const struct tcpfsm_model *m, uint64_t now,
		 int64_t epoch_offset);
void holders_free(struct holders *h);

#endif /* TCPFSM_LIB_HELD_H */
