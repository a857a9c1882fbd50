/*
 * tracker_range.h - mappings that come, go and move, recorded.
 *
 * What it is: as tracker.h, for mmap and its kin: one call after a mapping exists, or around the system call that
 *   ends or moves it.
 * Owns: nothing; it ties unwind, site and range together.
 * Context: hooks between guard_enter() and guard_leave().
 * Not here: calling the real functions (hooks_mmap.c), the records (range.h).
 */
#ifndef HEAPDIFF_PRELOAD_TRACKER_RANGE_H
#define HEAPDIFF_PRELOAD_TRACKER_RANGE_H

#include "preload/ground/guard.h"
#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stddef.h>

/* True, and noted as the allocator's own: [start, start + bytes) was mapped by code of the allocator. */
bool tracker_claim(void *start, size_t bytes, const void *caller);

/* [start, start + bytes) was mapped; the caller has rounded as the kernel does, here and below. `own` is what
   guard_enter() gave. */
void tracker_map(struct guard_thread *own, void *start, size_t bytes,
                 const struct unwind_start *from);

/*
 * True: tracker_release() must follow. Between hold and release the map of ranges stands still: the
 * system call and its record are one step, so that no other thread's mapping comes in between at the
 * same addresses. The thread is GUARD_CALLING: a snapshot does not wait for the system call.
 */
bool tracker_hold(struct guard_thread *own);
void tracker_release(void);

/* Held: [start, start + bytes) is gone. */
void tracker_unmap(void *start, size_t bytes);
/* The same where nothing may be waited for. False: it is not recorded. */
bool tracker_unmap_at_once(void *start, size_t bytes);

struct tracker_move {
    void *from;
    size_t from_bytes;
    void *to;
    size_t to_bytes;
    bool keep; /* MREMAP_DONTUNMAP */
};
/* Held: false when nothing was recorded at `from` (it was mapped before we were there). */
bool tracker_remap(const struct tracker_move *move);

#endif
