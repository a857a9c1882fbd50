/*
 * box_cut.h - the counters of a black box as of one moment.
 *
 * What it is: a copy of what counts (header, sites, deltas), made fast, and what threads had counted
 *   but not yet added to the sites, added to the copy afterwards, at leisure.
 * Owns: nothing; the caller gives the memory.
 * Context: any; no allocation. Of a live process the copy is one moment's only when nobody counts
 *   meanwhile (preload/gate.h); else each site is of a moment of its own.
 * Not here: writing it (box_profile.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_CUT_H
#define HEAPDIFF_FORMAT_BOX_CUT_H

#include "box_view.h"

/* Bytes of memory that box_cut_copy() needs; of a file, at most twice its size. */
size_t box_cut_bytes(const struct box_view *view);

/* Copies into `room` (aligned to 8, zeroed or not); from now on the view reads the copy. */
void box_cut_copy(struct box_view *view, void *room);

/* Adds the deltas to their sites: once, after box_cut_copy(). Damaged ones are left out. */
void box_cut_settle(struct box_view *view);

#endif
