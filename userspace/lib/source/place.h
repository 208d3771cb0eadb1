/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_PLACE_H
#define TCPFSM_LIB_PLACE_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Of a network namespace: a shell takes it as it is, and it is not too long. */
bool place_name_is_plain(const char *name);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_PLACE_H */
