/*
 * block.h - live blocks: which site asked for the block at an address, and for how many bytes.
 *
 * What it is: a shadow of the address space; an entry belongs to the thread that is allocating or
 *   freeing that address, so no event takes a lock. Blocks below BLOCK_LARGE_BYTES have two bytes
 *   for each granule of address space (32 bytes with glibc's malloc), two more where some block near by
 *   has a high lot, and one more where blocks near by are of different epochs; larger ones eight for each KiB.
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
    BLOCK_EPOCHS = 16,                   /* what a record says of them, see block_set_epoch() */
    BLOCK_ALIGN = 16,                    /* of every block that can be recorded */

    BLOCK_ADDRESS_BITS = 48,      /* aarch64; x86_64 has 47. More is for those who ask for it */
    BLOCK_GRANULE_BITS_GLIBC = 5, /* its smallest chunk has 32 bytes */
    BLOCK_GRANULE_BITS_ANY = 4,   /* any other allocator's, once block_bytes_min() is heeded */
    BLOCK_GRANULE_BITS_MIXED = 6, /* as glibc's, but for blocks of 16 bytes that a collector has */

    /*
     * A small block's cell: live, the address's bit 4, its lot. Of those from BLOCK_WIDE on the cell has but
     * the low bits, and a page of high ones, the twin of the cells' own, the rest. What has been freed
     * leaves all but live: a ghost. 0: neither.
     */
    BLOCK_LIVE = 1,
    BLOCK_PLACE = 2,    /* the address's bit 4 ... */
    BLOCK_PLACE_AT = 3, /* ... which is so much lower than there */
    BLOCK_LOT_AT = 2,
    BLOCK_LOW_BITS = 10,
    BLOCK_WIDE = (1 << 14) - (1 << BLOCK_LOW_BITS),
    BLOCK_CELL_BITS = 1,
    BLOCK_PAGE_CELLS = PLATE_PAGE_BYTES >> BLOCK_CELL_BITS,

    /* Pages of the plate for one page of cells, from the first on: */
    BLOCK_TWIN = 1, /* the high bits, or NULL: all are 0 */
    BLOCK_BIRTHS =
        2, /* a byte for each cell, or, below BLOCK_EPOCHS, the epoch of all: see block_birth.h */
    BLOCK_PAGES = 4,
    BLOCK_SMALL_SHELVES = BLOCK_PAGES << (BLOCK_ADDRESS_BITS + BLOCK_CELL_BITS -
                                          BLOCK_GRANULE_BITS_ANY - 12 - PLATE_SHELF_BITS)
};

struct block {
    uint32_t site;       /* index into BOX_SITES; 0: none */
    uint32_t lot;        /* index into BOX_LOTS: says site and size too; 0: none */
    uint32_t epoch;      /* block_epoch() at birth; block_age() knows what it means */
    uint64_t size_bytes; /* as requested */
};

/* Where small entries are. The arrays stand here for block_place() alone. */
struct block_shadow {
    uint32_t fold; /* what a granule's bits are above BLOCK_GRANULE_BITS_ANY */
    uint32_t
        odd; /* BLOCK_ALIGN: blocks of that size share granules, see block_place_odd(); else 0 */
    uint64_t born; /* what a record says of the epoch that it is; see block_set_epoch() */
    struct plate_shelf *shelves[BLOCK_SMALL_SHELVES];
    uint8_t marks[BLOCK_SMALL_SHELVES / PLATE_MARK_POINTERS];
};
extern struct block_shadow block_shadow __attribute__((visibility("hidden")));

/* Says which blocks can share a granule: BLOCK_GRANULE_BITS_GLIBC, _MIXED or, as is assumed before, _ANY. To be
   called before the first block is put; later it does nothing. */
void block_init(unsigned granule_bits);

/*
 * From now on blocks are born in `epoch`, collections so far. A record has room for 0, which is before the first
 * one or long ago, and for BLOCK_EPOCHS - 1 numbers that come round again.
 */
void block_set_epoch(uint64_t epoch);

/* Collections since a block with this record's epoch was born, up to AGE_OLD (format/age.h). */
unsigned block_age(uint32_t epoch);

/*
 * Whatever was born AGE_OLD or more collections before `epoch`, the one that it is, was born long ago.
 * BLOCK_EPOCHS - 1 - AGE_OLD more may follow before the next call. Other threads may go on.
 */
void block_redate(uint64_t epoch);

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

/* A block of 1 KiB or more, or the ghost of one. */
struct block_seen {
    uintptr_t address;
    bool live;
    struct block block;
};

/* The first one in an address of the KiB that *from is in, or above; *from is set behind it. False: none.
   As block_each() else. */
bool block_large_next(uintptr_t *from, struct block_seen *seen);

/* A small one, in the page that it starts in. */
struct block_small {
    uint16_t at; /* bytes from the start of the page */
    bool live;
    uint32_t lot;
};

enum { BLOCK_PAGE_SMALL = 4096, BLOCK_PAGE_SMALL_MAX = BLOCK_PAGE_SMALL / BLOCK_ALIGN };

/*
 * The small blocks that start in the BLOCK_PAGE_SMALL bytes from `page` on, in address order. Where one is
 * live, or `held`, ghosts that cannot reach beyond the page are left out. How many there are. As block_each() else.
 */
unsigned block_page(uintptr_t page, bool held, struct block_small found[BLOCK_PAGE_SMALL_MAX]);

/* The first page that may have any: `from`, a page's address, or above; UINTPTR_MAX: none. */
uintptr_t block_page_next(uintptr_t from);

/* Bytes of shadow in use so far. */
uint64_t block_own_bytes(void);

static inline bool block_is_recordable(uintptr_t address)
{
    return address % BLOCK_ALIGN == 0 && address >> BLOCK_ADDRESS_BITS == 0;
}

/* The lot must have said before what it is; so it has, as its number came from lot_intern(). */
static inline void block_of_lot(struct block *block, uint32_t lot, uint32_t epoch)
{
    const struct box_lot *found = lot_at(lot);
    *block = (struct block){found->site, lot, epoch, found->size_bytes};
}

/* The granule that `address` is in. */
static inline uint64_t block_granule(uintptr_t address)
{
    return address >> BLOCK_GRANULE_BITS_ANY >> block_shadow.fold;
}

/* Where a small block is noted. */
struct block_place {
    uint16_t *cell;     /* NULL: nowhere yet */
    void *const *pages; /* its own, and those for it */
    uint64_t at;        /* of its page: which one it is */
};

static inline struct block_place block_place_of(uint64_t granule)
{
    void *const *pages =
        plate_place(block_shadow.shelves, granule / BLOCK_PAGE_CELLS * BLOCK_PAGES);
    uint16_t *cells = __builtin_expect(!pages, 0) ? NULL : __atomic_load_n(pages, __ATOMIC_ACQUIRE);
    uint64_t at = granule % BLOCK_PAGE_CELLS;
    return (struct block_place){cells ? cells + at : NULL, pages, at};
}

/* What a block that is born now has for an epoch. */
static inline uint32_t block_epoch(void)
{
    return (uint32_t)block_shadow.born;
}

/* That of the granule that `address` is in. */
static inline struct block_place block_place(uintptr_t address)
{
    if (__builtin_expect(address >> BLOCK_ADDRESS_BITS != 0, 0))
        return (struct block_place){0};
    return block_place_of(block_granule(address));
}

/*
 * The place of a block of BLOCK_ALIGN bytes in the upper half of a granule that it may share with another one: where
 * no address leads. Blocks that share none, which are most, cost half of what they would if all had such granules.
 */
static inline struct block_place block_place_odd(uintptr_t address)
{
    if (__builtin_expect(address >> BLOCK_ADDRESS_BITS != 0, 0))
        return (struct block_place){0};
    return block_place_of(block_granule(address | (uintptr_t)1 << BLOCK_ADDRESS_BITS));
}

/* Whether a block of this lot is to be there. */
static inline bool block_is_odd(uintptr_t address, uint32_t lot)
{
    return __builtin_expect((address & block_shadow.odd) != 0, 0) &&
           lot_at(lot)->size_bytes <= BLOCK_ALIGN;
}

/* The same for glibc's malloc. What is asked is whether there is such a shelf, as that is at hand. */
static inline struct block_place block_place_plain(uintptr_t address)
{
    uint64_t granule = address >> BLOCK_GRANULE_BITS_GLIBC;
    if (__builtin_expect(
            granule / BLOCK_PAGE_CELLS * BLOCK_PAGES >> PLATE_SHELF_BITS >= BLOCK_SMALL_SHELVES, 0))
        return (struct block_place){0};
    return block_place_of(granule);
}

/* What the cell has; 0: nothing. */
static inline uint32_t block_content(struct block_place place)
{
    return __builtin_expect(!place.cell, 0) ? 0 : __atomic_load_n(place.cell, __ATOMIC_RELAXED);
}

/* True when a cell of this content belongs to the live block that starts at `address`, a multiple of
   BLOCK_ALIGN whose granule it is. */
static inline bool block_is_at(uint32_t content, uintptr_t address)
{
    return ((content ^ address >> BLOCK_PLACE_AT) & (BLOCK_PLACE | BLOCK_LIVE)) == BLOCK_LIVE;
}

/* Where the high bits are; NULL: there are none. */
static inline uint16_t *block_twin(struct block_place place)
{
    return __atomic_load_n(place.pages + BLOCK_TWIN, __ATOMIC_ACQUIRE);
}

/* What a cell of this content has for a lot. One that says that there are high bits was set when they were there. */
static inline uint32_t block_lot(uint32_t content, struct block_place place)
{
    uint32_t lot = content >> BLOCK_LOT_AT;
    if (lot >= BLOCK_WIDE)
        lot += (uint32_t)__atomic_load_n(block_twin(place) + place.at, __ATOMIC_RELAXED)
               << BLOCK_LOW_BITS;
    return lot;
}

/* Notes that the block is born in `epoch`; false: that needs a page (block_births()). */
static inline bool block_set_birth(struct block_place place, uint64_t epoch)
{
    uintptr_t births = (uintptr_t)__atomic_load_n(place.pages + BLOCK_BIRTHS, __ATOMIC_ACQUIRE);
    if (__builtin_expect(births == epoch, 1)) /* with all the others */
        return true;
    if (__builtin_expect(births < BLOCK_EPOCHS, 0))
        return false;
    /* The last block here is seen to have gone before this changes. Of a block that has, nobody asks for it: there
       need not be a next one. pairs: small_see() */
    __atomic_store_n((uint8_t *)births + place.at, (uint8_t)epoch, __ATOMIC_RELEASE);
    return true;
}

/* Keeps the high bits of *lot, one from BLOCK_WIDE on, which becomes what the cell has of it. False: there is no page. */
static inline bool block_set_high(struct block_place place, uint32_t *lot)
{
    uint16_t *highs = block_twin(place);
    if (__builtin_expect(!highs, 0))
        return false;
    /* pairs: small_see(), as above */
    __atomic_store_n(highs + place.at, (uint16_t)((*lot - BLOCK_WIDE) >> BLOCK_LOW_BITS),
                     __ATOMIC_RELEASE);
    *lot |= BLOCK_WIDE; /* only 14 bits of it are kept */
    return true;
}

/* Notes a block where block_set_birth() has succeeded. False: a page for its high bits is missing. */
static inline bool block_set_lot(struct block_place place, uintptr_t address, uint32_t lot)
{
    if (lot >= BLOCK_WIDE && !block_set_high(place, &lot))
        return false;
    uint32_t content = lot << BLOCK_LOT_AT | ((uint32_t)address >> BLOCK_PLACE_AT & BLOCK_PLACE);
    /* pairs: small_see(), which goes on to the lot */
    __atomic_store_n(place.cell, (uint16_t)(content | BLOCK_LIVE), __ATOMIC_RELEASE);
    return true;
}

/* Where the cell is. False when it lacks a page for the high bits or the birth. */
static inline bool block_set(struct block_place place, uintptr_t address, uint32_t lot,
                             uint64_t epoch)
{
    return block_set_birth(place, epoch) && block_set_lot(place, address, lot);
}

/* The block of this cell, a live one's, is gone. */
static inline void block_clear(struct block_place place, uint32_t content)
{
    __atomic_store_n(place.cell, (uint16_t)(content - BLOCK_LIVE), __ATOMIC_RELAXED);
}

/* Whether block_set_lot() may follow, for a block of glibc's malloc, which aligns, that is born now. */
static inline __attribute__((always_inline)) bool block_begin_plain(struct block_place place)
{
    return __builtin_expect(place.cell != NULL, 1) &&
           __builtin_expect(!(block_content(place) & BLOCK_LIVE), 1) &&
           block_set_birth(place, block_shadow.born);
}

/*
 * block_put() of a small block whose lot (not 0) is known. False, and nothing that is seen done, when there is
 * anything unusual about it: block_evict() and block_put() then.
 */
static inline bool block_put_lot(uintptr_t address, uint32_t lot, uint32_t epoch)
{
    struct block_place place = block_place(address);
    if (__builtin_expect(!place.cell || address % BLOCK_ALIGN != 0, 0) ||
        __builtin_expect(block_content(place) & BLOCK_LIVE, 0) || block_is_odd(address, lot))
        return false;
    return block_set(place, address, lot, epoch);
}

/* block_take() of a small block: its lot. 0: block_take() knows. */
static inline uint32_t block_take_lot(uintptr_t address)
{
    struct block_place place = block_place(address);
    uint32_t content = block_content(place);
    if (__builtin_expect(!block_is_at(content, address) || address % BLOCK_ALIGN != 0, 0))
        return 0;
    block_clear(place, content);
    return block_lot(content, place);
}

#endif
