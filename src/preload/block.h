/*
 * block.h - live blocks: which site asked for the block at an address, and for how many bytes.
 *
 * What it is: a shadow of the address space; an entry belongs to the thread that is allocating or
 *   freeing that address, so no event takes a lock. Blocks below BLOCK_LARGE_BYTES have four bytes
 *   for each granule of address space (32 bytes with glibc's malloc), larger ones eight for each KiB.
 * Owns: the shadow (private memory: a forked child has its own copy, as of the fork).
 * Context: hooks. Two live blocks never start in one granule: block_bytes_min() sees to it.
 * Not here: counting (delta.h, site.h), lots (lot.h), mmap records (range.h).
 */
#ifndef HEAPDIFF_PRELOAD_BLOCK_H
#define HEAPDIFF_PRELOAD_BLOCK_H

#include "lot.h"
#include "plate.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCK_LARGE_BYTES = LOT_SMALL_BYTES, /* two live blocks of this size never start in one KiB */
    BLOCK_SITE_MAX = 0xffffff,           /* 24 bits: no larger one, for blocks without a lot */
    BLOCK_EPOCHS = 16,                   /* epochs are kept modulo this */
    BLOCK_ALIGN = 16,                    /* of every block that can be recorded */

    BLOCK_ADDRESS_BITS = 48,      /* aarch64; x86_64 has 47. More is for those who ask for it */
    BLOCK_GRANULE_BITS_GLIBC = 5, /* its smallest chunk has 32 bytes */
    BLOCK_GRANULE_BITS_ANY = 4,   /* any other allocator's, once block_bytes_min() is heeded */

    /* A small entry: live, epoch (bits 1-3 and 5), the address's bit 4 at its own place, lot. What has
       been freed leaves all but the first: a ghost. 0: neither. */
    BLOCK_LIVE = 1,
    BLOCK_EPOCH_LOW = 7 << 1,
    BLOCK_EPOCH_HIGH = 1 << 5,
    BLOCK_LOT_AT = 6,
    BLOCK_CELL_BITS = 2,
    BLOCK_PAGE_CELLS = PLATE_PAGE_BYTES >> BLOCK_CELL_BITS,
    BLOCK_SMALL_SHELVES =
        1 << (BLOCK_ADDRESS_BITS + BLOCK_CELL_BITS - BLOCK_GRANULE_BITS_ANY - 12 - PLATE_SHELF_BITS)
};

struct block {
    uint32_t site;       /* index into BOX_SITES; 0: none */
    uint32_t lot;        /* index into BOX_LOTS: says site and size too; 0: none */
    uint32_t epoch;      /* collections at birth, modulo BLOCK_EPOCHS */
    uint64_t size_bytes; /* as requested */
};

/* Where small entries are. The arrays stand here for block_cell() alone. */
struct block_shadow {
    uint32_t fold; /* what a granule's bits are above BLOCK_GRANULE_BITS_ANY */
    uint32_t born; /* entry bits of the epoch that it is; see block_set_epoch() */
    struct plate_shelf *shelves[BLOCK_SMALL_SHELVES];
    uint8_t marks[BLOCK_SMALL_SHELVES / PLATE_MARK_POINTERS];
};
extern struct block_shadow block_shadow __attribute__((visibility("hidden")));

/* Says which blocks can share a granule: BLOCK_GRANULE_BITS_GLIBC or, as is assumed before, _ANY. To be called
   before the first block is put; later it does nothing. */
void block_init(unsigned granule_bits);

/* The epoch that blocks of block_put_plain() are born in. */
void block_set_epoch(uint64_t epoch);

/* What a request must be raised to, so that no two blocks start in one granule; 0: nothing. */
size_t block_bytes_min(void);

/*
 * Records a block that now exists at `address`: under its lot, where it has one, which then says site
 * and size; small blocks without are given one. Records in its way are overwritten: block_evict()
 * comes first. False when there is no memory, or no lot, or the address is not aligned or
 * beyond 48 bits.
 */
bool block_put(uintptr_t address, const struct block *block);

/* Takes the record out, before the address can be reused. False, a zeroed *block: unknown. */
bool block_take(uintptr_t address, struct block *block);

/* Takes out one record that the block about to be put has proved stale: freed behind our back. To be
   called until it is false. */
bool block_evict(uintptr_t address, uint64_t size_bytes, struct block *block);

/* The record, left in place. */
bool block_find(uintptr_t address, struct block *block);

typedef void (*block_visit_fn)(uintptr_t address, const struct block *block, void *context);

/* Calls visit for every live block, in address order: first all small blocks, then all large ones.
   Other threads may go on; a block put or taken meanwhile is seen or not. */
void block_each(block_visit_fn visit, void *context);

/* Bytes of shadow in use so far. */
uint64_t block_own_bytes(void);

/* The entry of the granule that `address` is in, or NULL. */
static inline uint32_t *block_cell(uintptr_t address)
{
    uint64_t granule = address >> BLOCK_GRANULE_BITS_ANY >> block_shadow.fold;
    uint64_t number = granule / BLOCK_PAGE_CELLS;
    if (__builtin_expect(number >> PLATE_SHELF_BITS >= BLOCK_SMALL_SHELVES, 0))
        return NULL;
    uint32_t *page = plate_find(block_shadow.shelves, number);
    return __builtin_expect(!page, 0) ? NULL : page + granule % BLOCK_PAGE_CELLS;
}

static inline uint32_t block_epoch_bits(uint64_t epoch)
{
    return (uint32_t)(epoch << 1 & BLOCK_EPOCH_LOW) | (uint32_t)(epoch << 2 & BLOCK_EPOCH_HIGH);
}

/* True when `entry` belongs to the live block that starts at `address`, a multiple of BLOCK_ALIGN whose
   granule it is. */
static inline bool block_cell_is_at(uint32_t entry, uintptr_t address)
{
    return ((entry ^ address) & (BLOCK_ALIGN | BLOCK_LIVE)) == BLOCK_LIVE;
}

static inline void block_cell_set(uint32_t *cell, uintptr_t address, uint32_t lot, uint32_t born)
{
    /* pairs: the walk of block_each(), which goes on to the lot */
    __atomic_store_n(cell,
                     lot << BLOCK_LOT_AT | ((uint32_t)address & BLOCK_ALIGN) | born | BLOCK_LIVE,
                     __ATOMIC_RELEASE);
}

/* The block of this entry, a live one's, is gone. */
static inline void block_cell_free(uint32_t *cell, uint32_t entry)
{
    __atomic_store_n(cell, entry - BLOCK_LIVE, __ATOMIC_RELAXED);
}

/* The lot of the live block that starts at `address`, whose granule's entry this is; 0: none does. */
static inline uint32_t block_cell_lot(uint32_t entry, uintptr_t address)
{
    return block_cell_is_at(entry, address) ? entry >> BLOCK_LOT_AT : 0;
}

/* block_cell() for glibc's malloc. */
static inline uint32_t *block_cell_plain(uintptr_t address)
{
    uint64_t granule = address >> BLOCK_GRANULE_BITS_GLIBC;
    uint64_t number = granule / BLOCK_PAGE_CELLS;
    if (__builtin_expect(address >> BLOCK_ADDRESS_BITS != 0, 0))
        return NULL;
    uint32_t *page = plate_find(block_shadow.shelves, number);
    return __builtin_expect(!page, 0) ? NULL : page + granule % BLOCK_PAGE_CELLS;
}

/* block_put_lot() for glibc's malloc, which aligns, in the epoch that it is. */
static inline bool block_put_plain(uintptr_t address, uint32_t lot)
{
    uint32_t *cell = block_cell_plain(address);
    if (__builtin_expect(!cell, 0) ||
        __builtin_expect(__atomic_load_n(cell, __ATOMIC_RELAXED) & BLOCK_LIVE, 0))
        return false;
    block_cell_set(cell, address, lot, block_shadow.born);
    return true;
}

/*
 * block_put() of a small block whose lot (not 0) is known. False, and nothing done, when there is
 * anything unusual about it: block_evict() and block_put() then.
 */
static inline bool block_put_lot(uintptr_t address, uint32_t lot, uint32_t epoch)
{
    uint32_t *cell = block_cell(address);
    if (__builtin_expect(!cell || address % BLOCK_ALIGN != 0, 0) ||
        __builtin_expect(__atomic_load_n(cell, __ATOMIC_RELAXED) & BLOCK_LIVE, 0))
        return false;
    block_cell_set(cell, address, lot, block_epoch_bits(epoch));
    return true;
}

/* block_take() of a small block: its lot. 0: block_take() knows. */
static inline uint32_t block_take_lot(uintptr_t address)
{
    uint32_t *cell = block_cell(address);
    uint32_t entry =
        __builtin_expect(cell != NULL, 1) ? __atomic_load_n(cell, __ATOMIC_RELAXED) : 0;
    if (__builtin_expect(!block_cell_is_at(entry, address) || address % BLOCK_ALIGN != 0, 0))
        return 0;
    block_cell_free(cell, entry);
    return entry >> BLOCK_LOT_AT;
}

#endif
