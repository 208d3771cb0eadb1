/* SPDX-License-Identifier: GPL-2.0-only */
/* What the type of a record can be. */
#ifndef TCPFSM_TESTS_TYPES_H
#define TCPFSM_TESTS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../module/uapi/tcpfsm.h"

#define IS_TYPE(s, n, name, text)	[n] = true,
static const bool is_type[UINT8_MAX + 1] = { TCPFSM_TYPES(IS_TYPE) };

#endif /* TCPFSM_TESTS_TYPES_H */
