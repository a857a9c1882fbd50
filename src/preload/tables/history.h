/*
 * history.h - what sites were at the marks so far.
 *
 * What it is: a table beside that of sites, which grows up to it at each mark. Programs that have none
 *   have no table.
 * Owns: BOX_HISTORY.
 * Context: collection.c, with the gate closed. history_at() also by those who mark.
 * Not here: counters (site.h, delta.h), when a mark is made (collection.h).
 */
#ifndef HEAPDIFF_PRELOAD_HISTORY_H
#define HEAPDIFF_PRELOAD_HISTORY_H

#include "preload/ground/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes it as long as the table of sites; false when there is no room. The caller holds the intern lock. */
bool history_reach(void);

/* Of this site; NULL: it has none. */
static inline struct box_history *history_at(uint32_t site)
{
    return site < arena.tables[BOX_HISTORY].count ? arena_entry(BOX_HISTORY, site) : NULL;
}

/* Mark number `mark` has set what all sites had live: notes it, and as the peak when it is most so far. Bytes
   live of all of them. */
uint64_t history_mark(uint64_t mark);

#endif
