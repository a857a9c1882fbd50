/*
 * age.h - how many collections each live block has lived through.
 *
 * What it is: one walk over all blocks and ranges, with the gate closed, so that what it finds is of the same
 *   moment as the counters. Events pay nothing for it, and neither do programs without marks.
 * Owns: nothing; a run's memory is the run's.
 * Context: the snapshot's writer. Order: the range lock, then the gate.
 * Not here: what a block's birth is (block.h, range.h).
 */
#ifndef HEAPDIFF_PRELOAD_AGE_H
#define HEAPDIFF_PRELOAD_AGE_H

#include "format/age.h"

#include <stdbool.h>
#include <stddef.h>

struct age_run {
    struct age_table table;
    size_t room_bytes;
    bool locked; /* the range lock */
    bool taken;
};

/* Makes room and takes the range lock. False: there are no marks, or there is no memory. The gate is open. */
bool age_open(struct age_run *run);

/* The walk. The gate is closed; false: more sites have come than there is room for. */
bool age_take(struct age_run *run);
/* Makes more of it. The gate is open; false: there is no memory, and no table. */
bool age_enlarge(struct age_run *run);

/* Gives the range lock back. */
void age_taken(struct age_run *run);

/* What was found; NULL: nothing. Until age_close(). */
const struct age_table *age_result(const struct age_run *run);
void age_close(struct age_run *run);

#endif
