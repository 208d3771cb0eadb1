/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_LISTENERS_H
#define TCPFSM_LIB_LISTENERS_H

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* The row of a network namespace; NULL: it is not in the last reading. */
const struct tcpfsm_listener *listeners_netns(const struct tcpfsm_listeners *ls, uint32_t netns);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_LISTENERS_H */
