/*
 * delta.h - what a thread has counted and not yet added to the sites.
 *
 * What it is: a small write-back cache, by lot, of plain counters that one thread alone writes. It
 *   lies in the black box, so that nothing is lost with the process. What is pushed out by another
 *   lot is added to its site atomically.
 * Owns: BOX_DELTAS.
 * Context: hooks, in the recording part. Others only read (delta_live_bytes(), format/box_cut.h), so
 *   that a thread which cannot be waited for loses nothing by it.
 * Not here: sums (site.h), who may write when (gate.h).
 */
#ifndef HEAPDIFF_PRELOAD_DELTA_H
#define HEAPDIFF_PRELOAD_DELTA_H

#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

struct delta {
    struct box_delta *slots; /* mask + 1 of them, in the box; or &spare */
    uint32_t first;          /* index of slots[0] in BOX_DELTAS */
    uint32_t mask;
    uint32_t turns;         /* slots pushed out since `slots` was made or judged ... */
    uint64_t events;        /* ... and the events that were counted in those */
    struct box_delta spare; /* where there is no memory for more: spilled at every event */
};

/* A thread's first: `spare` alone. The table comes with the first event that is counted, that is,
   once a forked child has a box of its own. */
void delta_init(struct delta *delta);

/* The slot of `lot`, made free for it by adding its last content to that lot's site. */
struct box_delta *delta_turn(struct delta *delta, uint32_t lot);

/* A counter is about to overflow: everything of the slot is added to its site. */
void delta_spill(struct box_delta *slot);

/* Adds all slots to their sites, and zeroes them: by the thread itself. */
void delta_fold(struct delta *delta);

/* The thread ends. A table that it had outgrown the first one for goes to whoever needs one next; small ones
   stay, with what is counted in them, for the thread that takes over. In the recording part. */
void delta_trim(struct delta *delta);

/* What all threads have counted and not yet added: requested bytes allocated less those freed. */
int64_t delta_live_bytes(void);

/* The gate is closed: adds what is counted in all deltas to what site_mark() has set. */
void delta_mark(void);

/* In a forked child, once it has a box of its own: all deltas are zero. */
void delta_reset(void);

/* One more. Plain for the only writer, atomic for those who look. */
static inline bool delta_step(uint32_t *counter)
{
    uint32_t count = __atomic_load_n(counter, __ATOMIC_RELAXED) + 1;
    __atomic_store_n(counter, count, __ATOMIC_RELAXED);
    return __builtin_expect((int32_t)count >= 0, true);
}

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
    if (!delta_step(&slot->allocs))
        delta_spill(slot);
}

/* One block of `lot` was freed, by this thread: perhaps not the one that allocated it. */
static inline void delta_free(struct delta *delta, uint32_t lot)
{
    struct box_delta *slot = delta_slot(delta, lot);
    if (!delta_step(&slot->frees))
        delta_spill(slot);
}

#endif
