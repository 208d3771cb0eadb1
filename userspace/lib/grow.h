/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_GROW_H
#define TCPFSM_LIB_GROW_H

#include <stdlib.h>

/**
 * grown() - an array with a place for one more
 * @array: of *@room places of @size bytes each, @n of them taken; NULL with no room
 *
 * Return: @array, or where it is now, with twice the room; NULL: out of memory, and @array is as it was.
 */
static inline void *grown(void *array, size_t *room, size_t n, size_t size)
{
	size_t wanted = *room ? 2 * *room : 16;

	if (n < *room)
		return array;
	array = reallocarray(array, wanted, size);
	if (array)
		*room = wanted;
	return array;
}

#endif /* TCPFSM_LIB_GROW_H */
