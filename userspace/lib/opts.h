/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * Structs of a caller that may be older or newer than this library: their size says how much it
 * has.  A new member goes behind all of the struct as it was released, never into its padding,
 * in which older callers may have anything.
 */
#ifndef TCPFSM_LIB_OPTS_H
#define TCPFSM_LIB_OPTS_H

#include <stddef.h>

#include "uapi/tcpfsm.h"

#pragma GCC visibility push(hidden)

/**
 * copy_opts() - a caller's options, whole: what he does not know is 0
 * @opts: of @size bytes; it begins with a size_t, as @from does, which is @size afterwards
 * @from: NULL: all 0
 *
 * Return: 0; -EINVAL: no size; -E2BIG: it asks for what this library does not know, as
 * copy_struct_from_user() in the kernel has it.
 */
int copy_opts(void *opts, size_t size, const void *from);
/*
 * The other way round, into options of the caller's size.  Return: 0; -E2BIG: something has
 * no place there, and nothing is written.
 */
int give_opts(void *to, const void *opts, size_t size);

/* What a caller has of a module: the rest is 0. */
void copy_info(struct tcpfsm_info *info, const struct tcpfsm_info *from);
/* As much as fits into the caller's size, which then says how much is filled in. */
void give_info(struct tcpfsm_info *to, const struct tcpfsm_info *info);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_OPTS_H */
