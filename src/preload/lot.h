/*
 * lot.h - lots: blocks of one site and one size.
 *
 * What it is: {site, size} pairs interned in BOX_LOTS. A live block's record is its lot's number, so
 *   that four bytes say both, and a counter of blocks says bytes as well.
 * Owns: BOX_LOTS, its index. Each thread's lot_cache is the thread's.
 * Context: hooks. Finding takes no lock; a new lot takes the intern lock (site.h).
 * Not here: counting (delta.h), which address belongs to which lot (block.h).
 */
#ifndef HEAPDIFF_PRELOAD_LOT_H
#define HEAPDIFF_PRELOAD_LOT_H

#include "arena.h"

#include <stdint.h>

enum {
    LOT_MAX = (1 << 27) - 1, /* what a record of block.h has room for */
    LOT_CACHE_SLOTS = 512
};

/* Direct-mapped, by site and size; written by its thread alone. */
struct lot_cache {
    struct {
        uint32_t site, size_bytes, lot;
    } slot[LOT_CACHE_SLOTS];
};

/*
 * The lot of this site and requested size, made if new. 0: none can be had: the size is 4 GiB or more,
 * the site has too many different sizes of 1 KiB or more, or a table is full; such blocks are
 * counted on their site directly.
 */
uint32_t lot_intern(uint32_t site, uint64_t size_bytes);

/* The same, by way of the cache. */
uint32_t lot_find(struct lot_cache *cache, uint32_t site, uint64_t size_bytes);

static inline const struct box_lot *lot_at(uint32_t lot)
{
    return arena_entry(BOX_LOTS, lot);
}

uint64_t lot_own_bytes(void);

#endif
