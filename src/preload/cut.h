/*
 * cut.h - what all threads have counted, as of one moment.
 *
 * What it is: the gate is closed, the counters are copied, the gate is opened; the program's malloc
 *   waits for no more than the copy.
 * Owns: nothing; a cut's memory is the cut's, until cut_free().
 * Context: as gate.h: with all signals blocked.
 * Not here: adding up (format/box_cut.h), writing (snapshot.c).
 */
#ifndef HEAPDIFF_PRELOAD_CUT_H
#define HEAPDIFF_PRELOAD_CUT_H

#include "format/box_view.h"

#include <stdbool.h>
#include <stddef.h>

struct cut {
    struct box_view view; /* reads the copy; what is only added to is read in place */
    void *room;
    size_t room_bytes;
};

/* False when memory is out. */
bool cut_take(struct cut *cut);
void cut_free(struct cut *cut);

#endif
