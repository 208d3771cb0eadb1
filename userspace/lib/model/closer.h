/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* Who closed first, as one end tells it: the one rule of lives and ladders. */
#ifndef TCPFSM_LIB_CLOSER_H
#define TCPFSM_LIB_CLOSER_H

#include "tcpfsm.h"

/* An end that is in this state when it is first heard of; enum tcpfsm_closer. */
static inline uint8_t closer_in(uint8_t state)
{
	static const uint8_t closers[16] = {
		[TCPFSM_STATE_FIN_WAIT1] = TCPFSM_CLOSER_LOCAL,
		[TCPFSM_STATE_FIN_WAIT2] = TCPFSM_CLOSER_LOCAL,
		[TCPFSM_STATE_TIME_WAIT] = TCPFSM_CLOSER_LOCAL,
		[TCPFSM_STATE_CLOSE_WAIT] = TCPFSM_CLOSER_REMOTE,
		[TCPFSM_STATE_LAST_ACK] = TCPFSM_CLOSER_REMOTE,
		[TCPFSM_STATE_CLOSING] = TCPFSM_CLOSER_BOTH,
	};

	return closers[state & 15];
}

/* It goes to CLOSE without a FIN of either side. */
static inline uint8_t cut_by(uint8_t old, uint8_t cause)
{
	if (old != TCPFSM_STATE_SYN_SENT && old != TCPFSM_STATE_SYN_RECV &&
	    old != TCPFSM_STATE_ESTABLISHED)
		return TCPFSM_CLOSER_NONE;
	if (cause == TCPFSM_CAUSE_RCV_RST)
		return TCPFSM_CLOSER_REMOTE;
	if (cause == TCPFSM_CAUSE_SND_RST || cause == TCPFSM_CAUSE_CLOSE || cause == TCPFSM_CAUSE_ABORT)
		return TCPFSM_CLOSER_LOCAL;
	return TCPFSM_CLOSER_NONE;
}

/* What this transition says of it; NONE: nothing. */
static inline uint8_t closer_by(uint8_t old, uint8_t new, uint8_t cause)
{
	switch (new) {
	case TCPFSM_STATE_CLOSE:
		return cut_by(old, cause);
	case TCPFSM_STATE_FIN_WAIT1:
	case TCPFSM_STATE_CLOSE_WAIT:
	case TCPFSM_STATE_CLOSING:
		return closer_in(new);
	}
	return TCPFSM_CLOSER_NONE;
}

#endif /* TCPFSM_LIB_CLOSER_H */
