/* SPDX-License-Identifier: GPL-2.0-only */
/* For proof.c, which has all that module/ring.h needs. */
