/*
 * trim.h - what malloc_trim(0) would return, foretold.
 *
 * What it is: glibc gives back whole pages inside free chunks, but for the page that a chunk's header is on, and the
 *   top of the heap that grows by brk; not the tops of its other heaps, nor what threads keep for themselves.
 * Owns: nothing. Context: any; pages and blocks come in address order.
 * Not here: which pages are resident and which blocks live (ledger.c).
 */
#ifndef HEAPDIFF_PRELOAD_TRIM_H
#define HEAPDIFF_PRELOAD_TRIM_H

#include "tcache.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trim {
    uint64_t page_bytes;
    uint64_t bytes;         /* so far */
    uint64_t heap;          /* which one it is in; 0: none */
    bool top;               /* its top is returned */
    uint64_t pending_bytes; /* of the gap it is in */
    uint64_t pending_end;   /* where the last page of these ends */
    uint64_t free_from;     /* no page below this can be returned */
    /* Free, but in use for malloc_trim(): those not passed yet, by address. */
    const struct tcache_chunk *cached;
    size_t cached_count;
};

/* From here on everything is in heap `heap` (0: in none), whose top is returned, or not. */
void trim_enter(struct trim *trim, uint64_t heap, bool top);

/* Resident pages [start, end) that no live block reaches into. */
void trim_free(struct trim *trim, uint64_t start, uint64_t end);

/* Live blocks: the first one starts at `start`, the usable bytes of the last one end at `usable_end`. */
void trim_live(struct trim *trim, uint64_t start, uint64_t usable_end);

#endif
