/*
 * delta.h - what a thread has counted and not yet added to the sites.
 *
 * What it is: a small write-back cache, by lot, of plain counters that one thread alone writes. It
 *   lies in the black box, so that nothing is lost with the process. What is pushed out by another
 *   lot is added to its site atomically.
 * Owns: BOX_DELTAS.
 * Context: hooks, in the recording part. delta_fold(): whoever holds the gate closed.
 * Not here: sums (site.h), who may write when (gate.h).
 */
#ifndef HEAPDIFF_PRELOAD_DELTA_H
#define HEAPDIFF_PRELOAD_DELTA_H

#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

struct delta {
    struct box_delta *slots; /* mask + 1 of them, in the box */
    uint32_t mask;
    uint32_t turns; /* slots pushed out since the table was made: too many, and it grows */
};

/* Gives the thread its table; false when memory is out. */
bool delta_open(struct delta *delta);

/* The slot of `lot`, made free for it by adding its last content to that lot's site. */
struct box_delta *delta_turn(struct delta *delta, uint32_t lot);

/* A counter is about to overflow: everything of the slot is added to its site. */
void delta_spill(struct box_delta *slot);

/* Adds all slots to their sites, and zeroes them. */
void delta_fold(struct delta *delta);

static inline struct box_delta *delta_slot(struct delta *delta, uint32_t lot)
{
    struct box_delta *slot = &delta->slots[lot & delta->mask];
    if (__builtin_expect(slot->lot != lot, false))
        return delta_turn(delta, lot);
    return slot;
}

/* One more block of `lot` was allocated. */
static inline void delta_alloc(struct delta *delta, uint32_t lot)
{
    struct box_delta *slot = delta_slot(delta, lot);
    if (__builtin_expect((int32_t)++slot->allocs < 0, false))
        delta_spill(slot);
}

/* One block of `lot` was freed, by this thread: perhaps not the one that allocated it. */
static inline void delta_free(struct delta *delta, uint32_t lot)
{
    struct box_delta *slot = delta_slot(delta, lot);
    if (__builtin_expect((int32_t)++slot->frees < 0, false))
        delta_spill(slot);
}

#endif
