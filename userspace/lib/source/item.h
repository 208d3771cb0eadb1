/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_ITEM_H
#define TCPFSM_LIB_ITEM_H

#include "tcpfsm.h"

static inline bool item_is(const struct tcpfsm_item *item, uint8_t type)
{
	return !item->lost && item->rec.type == type;
}

/* What is there, rather than happens: sockets and totals, and what time it is. */
static inline bool is_state(const struct tcpfsm_item *item)
{
	return item_is(item, TCPFSM_TYPE_SOCKET) || item_is(item, TCPFSM_TYPE_TOTAL) ||
	       item_is(item, TCPFSM_TYPE_MARK);
}

/* The device that the socket is bound to; 0: none, or it is not told. */
static inline uint32_t record_dev(const struct tcpfsm_record *rec)
{
	return rec->flags & TCPFSM_F_PASSIVE ? 0 : rec->dev;
}

#endif /* TCPFSM_LIB_ITEM_H */
