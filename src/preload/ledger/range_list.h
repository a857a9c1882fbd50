/*
 * range_list.h - the program's mappings as of one moment, by whole pages.
 *
 * What it is: a copy of the map of ranges (range.h), cut to pages.
 * Owns: the copy's memory. Context: range_list_open() where sys_pages() may be called; a copy changes no resident
 *   page, but takes the range lock: not with the gate closed, as who holds it may be waiting for the gate.
 * Not here: whose pages they are where the kernel knows better (label.h).
 */
#ifndef HEAPDIFF_PRELOAD_RANGE_LIST_H
#define HEAPDIFF_PRELOAD_RANGE_LIST_H

#include "preload/tables/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range_list {
    struct range_piece *pieces; /* by address */
    size_t count, room;
    uintptr_t end; /* of the last one, before it was cut to pages */
};

/* Makes room for those that there are, and for some more. False: memory is out. */
bool range_list_open(struct range_list *list);

/* As it is now; what finds no room is left out. */
void range_list_copy(struct range_list *list);

void range_list_free(struct range_list *list);

#endif
