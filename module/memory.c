// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for what each CPU has of its own: on its node, and never at the cost
 * of another program.  vmalloc() would let the OOM killer go for one before it
 * fails.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "memory.h"

/* Left to the others: this part of all memory, but no more than so much. */
#define RESERVE_SHIFT	5
#define RESERVE_MAX	(64UL << 20)

#define GFP_MODEST	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * tcpfsm_memory_room() - bytes that may be taken without harm to anybody
 *
 * As MemAvailable an estimate, less a reserve.  Context: any.
 */
u64 tcpfsm_memory_room(void)
{
	u64 reserve = min_t(u64, ((u64)totalram_pages() << PAGE_SHIFT) >> RESERVE_SHIFT,
			    RESERVE_MAX);
	long pages = si_mem_available();
	u64 available = pages > 0 ? (u64)pages << PAGE_SHIFT : 0;

	return available > reserve ? available - reserve : 0;
}

/**
 * tcpfsm_memory_get() - zeroed memory on a CPU's node, which readers may map
 * @bytes: a multiple of the page size
 * @cpu: a possible one
 *
 * Context: process, may sleep.
 *
 * Return: memory for vfree(), or NULL when it can only be had by killing somebody.
 */
void *tcpfsm_memory_get(u64 bytes, unsigned int cpu)
{
	unsigned int n = bytes >> PAGE_SHIFT, i = 0;
	struct page **pages;
	void *area;

	if (bytes > tcpfsm_memory_room())
		return NULL;
	pages = kvmalloc_array(n, sizeof(*pages), GFP_MODEST);
	if (!pages)
		return NULL;
	for (; i < n; i++) {
		/* Who is to die must not take the last reserves with him. */
		if (fatal_signal_pending(current))
			goto fail;
		pages[i] = alloc_pages_node(cpu_to_node(cpu), GFP_MODEST | __GFP_ZERO, 0);
		if (!pages[i])
			goto fail;
		cond_resched();
	}
	/* From here on the pages and their array are the area's: vfree() frees them. */
	area = vmap(pages, n, VM_MAP | VM_MAP_PUT_PAGES | VM_USERMAP, PAGE_KERNEL);
	if (area)
		return area;
fail:
	while (i--)
		__free_page(pages[i]);
	kvfree(pages);
	return NULL;
}
