/*
 * own.h - which memory is heapdiff's.
 *
 * What it is: a list of address ranges: what sys_pages() gave, the black box's mappings, the library itself and
 *   libunwind where we have loaded it. A mapping of the program's that the kernel has merged with one of
 *   ours is not in it: these bounds decide, not those of /proc/self/maps.
 * Owns: the list, and the memory it grows into. No lock: entries are filled in before they count.
 * Context: anywhere, also a forked child.
 * Not here: how much of it is resident (residency.h).
 */
#ifndef HEAPDIFF_PRELOAD_OWN_H
#define HEAPDIFF_PRELOAD_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct own_area {
    uint64_t start, end; /* whole pages */
};

/* Called by those who map and unmap. A part of an area may be taken out. */
void own_add(const void *start, size_t size_bytes);
void own_remove(const void *start, size_t size_bytes);

/* Looks at the whole list: for single questions. */
bool own_has(uint64_t address);

/*
 * The first area that ends above `address`, so own_next(area.end) is the one after it. False: none. Looks at the
 * whole list.
 */
bool own_next(uint64_t address, struct own_area *area);

/*
 * Copies the list by address, neighbours joined; how many there are. More than `room`: nothing has been
 * copied, make room (which adds one) and call again.
 */
size_t own_copy(struct own_area *areas, size_t room);

#endif
