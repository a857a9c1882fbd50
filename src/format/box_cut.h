/*
 * box_cut.h - the counters of a black box as of one moment.
 *
 * What it is: a copy of what counts (header, sites, deltas), made fast, and what threads had counted
 *   but not yet added to the sites, added to the copy afterwards, at leisure. Or, where nobody can be
 *   made to wait: both at once, site by site.
 * Owns: nothing; the caller gives the memory.
 * Context: any; no allocation. Of a live process the copy is one moment's only when nobody counts
 *   meanwhile (preload/views/gate.h). box_cut_read() has each site as of a moment of its own.
 * Not here: writing it (box_profile.h).
 */
#ifndef HEAPDIFF_FORMAT_BOX_CUT_H
#define HEAPDIFF_FORMAT_BOX_CUT_H

#include "box_view.h"

#include <stdbool.h>

/* Bytes of memory that box_cut_copy() needs; of a file, at most twice its size. */
size_t box_cut_bytes(const struct box_view *view);

/* Copies into `room` (aligned to 8, zeroed or not); from now on the view reads the copy. */
void box_cut_copy(struct box_view *view, void *room);

/* Adds the deltas to their sites: once, after box_cut_copy(). Damaged ones are left out. */
void box_cut_settle(struct box_view *view);

/*
 * The same in one, for a process that nobody holds up, or that is dead: nothing is counted twice, or left
 * out, because a thread adds what it has counted to its site meanwhile. `room` as above, of as many bytes
 * as box_cut_read_bytes() says; of a file, at most twice its size.
 */
size_t box_cut_read_bytes(const struct box_view *view);

/* True when that holds of all sites. Else some thread had no processor, or has ended, just as it did so:
   of a running process, from the view as it was, it is worth another try, a little later. */
bool box_cut_read(struct box_view *view, void *room);

#endif
