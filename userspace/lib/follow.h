/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_FOLLOW_H
#define TCPFSM_LIB_FOLLOW_H

#include "tcpfsm.h"

#pragma GCC visibility push(hidden)

/* tcpfsm_follow_open() of a source that is open (tests); it is closed with it, or on failure. */
int follow_open_source(struct tcpfsm_follow **f, struct tcpfsm_source *src,
		       const struct tcpfsm_follow_options *opts);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_FOLLOW_H */
