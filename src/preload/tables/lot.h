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

#include "preload/ground/arena.h"

#include <stdint.h>

enum {
    LOT_MAX = (1 << 26) - 1, /* what a record of block.h has room for */
    LOT_SMALL_BYTES = 1024,  /* smaller blocks always get a lot */
    LOT_LARGE_MAX = 32, /* lots of larger ones a site may have: sizes that never recur end there */
    LOT_CACHE_SLOTS = 2048 /* 24 KiB a thread, of which little is touched where little goes on */
};

/* Direct-mapped, by site and size; written by its thread alone. Zeroed, it says that site 0 has no
   lot, which is so. */
struct lot_cache {
    struct lot_cached {
        uint32_t site, size_bytes, lot;
    } slot[LOT_CACHE_SLOTS];
};

/*
 * The lot of this site and requested size, made if new. 0: there is none: no site, a size of 4 GiB or more,
 * the site has too many different sizes of 1 KiB or more, or a table is full; such blocks are
 * counted on their site directly.
 */
uint32_t lot_intern(uint32_t site, uint64_t size_bytes);

static inline struct lot_cached *lot_slot(struct lot_cache *cache, uint32_t site,
                                          uint64_t size_bytes)
{
    uint32_t hash = site * 0x9e3779b1u + (uint32_t)size_bytes * 0x85ebca6bu;
    return &cache->slot[hash / (UINT32_MAX / LOT_CACHE_SLOTS + 1)];
}

/* What lot_keep() has kept; 0: lot_intern() knows. */
static inline uint32_t lot_kept(struct lot_cache *cache, uint32_t site, uint64_t size_bytes)
{
    const struct lot_cached *slot = lot_slot(cache, site, size_bytes);
    return __builtin_expect(slot->site == site && slot->size_bytes == size_bytes, 1) ? slot->lot
                                                                                     : 0;
}

/* `lot`, not 0, is the lot of this site and size. */
void lot_keep(struct lot_cache *cache, uint32_t site, uint64_t size_bytes, uint32_t lot);

static inline const struct box_lot *lot_at(uint32_t lot)
{
    return arena_entry(BOX_LOTS, lot);
}

/* Lots so far, the sentinel included: smaller numbers can be looked up. */
static inline uint32_t lot_count(void)
{
    /* pairs: arena_publish() */
    return (uint32_t)__atomic_load_n(&arena.header->tables[BOX_LOTS].count, __ATOMIC_ACQUIRE);
}

uint64_t lot_own_bytes(void);

#endif
