/*
 * heap_walk.h - resident pages of heaps, in order, each with the blocks that reach into it.
 *
 * What it is: the walk over small and large blocks merged with the walk over pages: what has begun on earlier
 *   pages is carried along. Pages without any, and pages inside one large block, come as runs.
 * Owns: nothing but its own state. Context: anywhere; other threads may go on.
 * Not here: sharing out (share.h), labels (label.h).
 */
#ifndef HEAPDIFF_PRELOAD_HEAP_WALK_H
#define HEAPDIFF_PRELOAD_HEAP_WALK_H

#include "share.h"
#include "preload/tables/block.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HEAP_CARRIED_MAX =
        16, /* blocks lie apart; ghosts overlap: of these those that reach farthest are kept */
    HEAP_LOTS = 256 /* that are remembered */
};

/* What a lot of small blocks says. */
struct heap_lot {
    uint32_t lot, site, size_bytes, slack_bytes;
};

struct heap_walk {
    uint64_t page_bytes;
    bool mapped; /* the pages are in no heap that the allocator grows by itself */

    uint64_t page; /* the first that has not been walked over */
    bool last;     /* the one before it was looked at: what reaches over from there is carried */
    uint64_t clear_end;               /* up to here nothing is known to be */
    uintptr_t small_from, small_next; /* no page of [from, next) may have small blocks */
    struct block_seen large;          /* the next large one */
    uintptr_t large_from;
    bool large_known, large_over; /* `large` is filled in; there are no more */
    uint32_t carried_count;
    struct share_block carried[HEAP_CARRIED_MAX];
    uint64_t first_start,
        last_end; /* of live blocks on the page: the first one's, and where the last one's
                                       usable bytes end; UINT64_MAX and 0: none */
    struct block_small small[BLOCK_PAGE_SMALL_MAX];
    unsigned small_count;            /* while they are put */
    struct heap_lot lots[HEAP_LOTS]; /* by number */
};

/* A run of pages of one kind. */
enum heap_kind {
    HEAP_NONE,  /* no block has ever been there */
    HEAP_PAGE,  /* one page: in the struct share */
    HEAP_INSIDE /* all of them inside one live block */
};

struct heap_run {
    enum heap_kind kind;
    uint64_t end;
    const struct share_block *inside; /* until the next call */
};

struct heap_walk heap_walk(uint64_t page_bytes);

/* Whether nothing is known to be in [page, end), as after a run of that kind: then it has been walked over. */
static inline bool heap_is_clear(struct heap_walk *walk, uint64_t end)
{
    if (end > walk->clear_end)
        return false;
    walk->page = end;
    walk->last = true;
    return true;
}

/* What is at `page`; the run ends at `end` at most. `page` never goes down. */
struct heap_run heap_next(struct heap_walk *walk, uint64_t page, uint64_t end, struct share *share);

#endif
