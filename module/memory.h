/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory for what each CPU has of its own. */
#ifndef TCPFSM_MEMORY_H
#define TCPFSM_MEMORY_H

#include <linux/types.h>

u64 tcpfsm_memory_room(void);
void *tcpfsm_memory_get(u64 bytes, unsigned int cpu);

#endif /* TCPFSM_MEMORY_H */
