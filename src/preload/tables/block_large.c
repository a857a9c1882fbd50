#include "block_large.h"

#include <assert.h>

/*
 * Entries, one for each KiB:
 *
 *   bits 0-3 epoch | 4-9 the address's own | 10: 0 | 11-36 lot | 37 ghost | 38-63 rest of another block's size
 *   bits 0-3 epoch | 4-9 the address's own | 10: 1 | 11-34 site | 35 huge | 37 ghost | 38-63 size
 *
 * A size past 26 bits is huge: its high bits are the rest in the next KiB's entry, which the
 * same block owns. A lot of 0 means that no block starts in this KiB; of a ghost, none does any more.
 */
enum {
    BLOCK_LARGE_BITS = 10,
    BLOCK_LARGE_CELLS = PLATE_PAGE_BYTES / 8, /* of a page */
    BLOCK_LARGE_SHELVES = 1 << (BLOCK_ADDRESS_BITS - BLOCK_LARGE_BITS - 9 - PLATE_SHELF_BITS),

    LARGE_LOT_AT = 11,
    LARGE_REST_AT = 38,
    LARGE_SITE_AT = 11,
    LARGE_SIZE_AT = 38,
    LARGE_SIZE_BITS = 26
};

#define LARGE_PLACE_MASK ((uint64_t)(BLOCK_LARGE_BYTES - BLOCK_ALIGN))
#define LARGE_DIRECT     ((uint64_t)1 << BLOCK_LARGE_BITS)
#define LARGE_HUGE       ((uint64_t)1 << 35)
#define LARGE_GHOST      ((uint64_t)1 << 37)
#define LARGE_REST_MASK  (UINT64_MAX << LARGE_REST_AT)

static_assert(BLOCK_LARGE_BYTES == 1 << BLOCK_LARGE_BITS, "one large block a KiB");
static_assert(BLOCK_LARGE_CELLS == 1 << 9, "the shelves reach as far as addresses do");
static_assert((uint64_t)LOT_MAX << LARGE_LOT_AT < LARGE_GHOST, "a lot fits into an entry");
static_assert(BLOCK_EPOCHS <= BLOCK_ALIGN, "an epoch lies below the address's bits");

static struct {
    struct plate_shelf *shelves[BLOCK_LARGE_SHELVES];
    uint8_t marks[BLOCK_LARGE_SHELVES / PLATE_MARK_POINTERS];
} large_shadow;

static const struct plate large = {large_shadow.shelves, large_shadow.marks, BLOCK_LARGE_SHELVES};

static uint64_t large_number(uintptr_t address)
{
    return address / BLOCK_LARGE_BYTES / BLOCK_LARGE_CELLS;
}

/* The entry of the KiB that `address`, a recordable one, is in, or NULL. */
static inline uint64_t *large_find(uintptr_t address)
{
    uint64_t *page = plate_find(large.shelves, large_number(address));
    return page ? page + address / BLOCK_LARGE_BYTES % BLOCK_LARGE_CELLS : NULL;
}

/* The same, made if need be; NULL when there is no memory. */
static inline uint64_t *large_cell(uintptr_t address)
{
    uint64_t *cell = large_find(address);
    if (__builtin_expect(cell != NULL, 1))
        return cell;
    return plate_page(&large, large_number(address)) ? large_find(address) : NULL;
}

/* Large entries are atomic because who owns one block of a KiB reads the KiB's entry, which may be
   another's. */
static inline uint64_t large_load(const uint64_t *cell)
{
    return cell ? __atomic_load_n(cell, __ATOMIC_RELAXED) : 0;
}

static inline void large_store(uint64_t *cell, uint64_t entry)
{
    /* pairs: the walk of block_each(), which goes on to the lot */
    __atomic_store_n(cell, entry, __ATOMIC_RELEASE);
}

static uint32_t large_lot(uint64_t entry)
{
    return (uint32_t)(entry >> LARGE_LOT_AT) & LOT_MAX;
}

/* True when a block starts in the entry's KiB, or did. */
static bool large_is_any(uint64_t entry)
{
    return (entry & LARGE_DIRECT) != 0 || large_lot(entry) != 0;
}

static bool large_is_block(uint64_t entry)
{
    return large_is_any(entry) && !(entry & LARGE_GHOST);
}

static bool large_is_at(uint64_t entry, uintptr_t address)
{
    return large_is_block(entry) && address % BLOCK_ALIGN == 0 &&
           ((entry ^ address) & LARGE_PLACE_MASK) == 0;
}

/* The high bits of the size of the huge block at `address`. */
static uint64_t huge_rest_bytes(uintptr_t address)
{
    uintptr_t next = address + BLOCK_LARGE_BYTES;
    uint64_t entry = block_is_recordable(next) ? large_load(large_find(next)) : 0;
    return large_is_any(entry) ? 0 : entry >> LARGE_REST_AT << LARGE_SIZE_BITS;
}

/* Keeps them; false when there is no memory. */
static bool huge_put_rest(uintptr_t address, uint64_t size_bytes)
{
    uintptr_t next = address + BLOCK_LARGE_BYTES;
    uint64_t *cell = block_is_recordable(next) ? large_cell(next) : NULL;
    if (cell)
        large_store(cell, size_bytes >> LARGE_SIZE_BITS << LARGE_REST_AT);
    return cell != NULL;
}

static inline void large_decode(struct block *block, uintptr_t address, uint64_t entry)
{
    uint32_t epoch = entry % BLOCK_EPOCHS;
    if (!(entry & LARGE_DIRECT)) {
        block_of_lot(block, large_lot(entry), epoch);
        return;
    }
    uint64_t size_bytes = entry >> LARGE_SIZE_AT;
    if (entry & LARGE_HUGE)
        size_bytes += huge_rest_bytes(address);
    *block =
        (struct block){(uint32_t)(entry >> LARGE_SITE_AT) & BLOCK_SITE_MAX, 0, epoch, size_bytes};
}

/* The entry of a block that has no lot; 0 when it cannot be kept. */
static uint64_t large_direct(uintptr_t address, const struct block *block)
{
    uint64_t entry =
        LARGE_DIRECT | (uint64_t)block->site << LARGE_SITE_AT | block->size_bytes << LARGE_SIZE_AT;
    if (block->site > BLOCK_SITE_MAX)
        return 0;
    if (block->size_bytes >> LARGE_SIZE_BITS == 0)
        return entry;
    return huge_put_rest(address, block->size_bytes) ? entry | LARGE_HUGE : 0;
}

bool block_large_put(uintptr_t address, const struct block *block)
{
    uint64_t *cell = large_cell(address);
    uint64_t entry =
        block->lot ? (uint64_t)block->lot << LARGE_LOT_AT : large_direct(address, block);
    if (!cell || !entry)
        return false;
    large_store(cell, entry | (address & LARGE_PLACE_MASK) | block->epoch);
    return true;
}

/* What is left of a huge size in the next KiB does no harm: it is no block. */
static inline void large_take(uint64_t *cell, uintptr_t address, struct block *block)
{
    uint64_t entry = large_load(cell);
    large_decode(block, address, entry);
    __atomic_store_n(cell, entry | LARGE_GHOST, __ATOMIC_RELAXED);
}

bool block_large_take(uintptr_t address, struct block *block)
{
    uint64_t *cell = large_find(address);
    if (!large_is_at(large_load(cell), address))
        return false;
    large_take(cell, address, block);
    return true;
}

bool block_large_evict(uintptr_t address, uint64_t size_bytes, struct block *block)
{
    uint64_t *cell = large_find(address);
    uint64_t entry = large_load(cell);
    if (!large_is_at(entry, address) && (size_bytes < BLOCK_LARGE_BYTES || !large_is_block(entry)))
        return false;
    large_take(cell, (address & ~LARGE_PLACE_MASK) | (entry & LARGE_PLACE_MASK), block);
    return true;
}

bool block_large_find(uintptr_t address, struct block *block)
{
    uint64_t entry = large_load(large_find(address));
    if (!large_is_at(entry, address))
        return false;
    large_decode(block, address, entry);
    return true;
}

/* A walk over the pages of the plate. */
struct walk {
    block_visit_fn visit;
    void *context;
};

static void large_each(uint64_t number, void *page, void *context)
{
    const struct walk *walk = context;
    const uint64_t *cells = page;
    for (uint64_t i = 0; i < BLOCK_LARGE_CELLS; i++) {
        /* pairs: large_store() */
        uint64_t entry = __atomic_load_n(&cells[i], __ATOMIC_ACQUIRE);
        uintptr_t address = (number * BLOCK_LARGE_CELLS + i) * BLOCK_LARGE_BYTES;
        struct block block;
        if (!large_is_block(entry))
            continue;
        address |= entry & LARGE_PLACE_MASK;
        large_decode(&block, address, entry);
        walk->visit(address, &block, walk->context);
    }
}

void block_large_each(block_visit_fn visit, void *context)
{
    struct walk walk = {visit, context};
    plate_each(&large, large_each, &walk);
}

/* A record whose owner changes it meanwhile is a ghost, or was born just now: it is left alone. */
static void large_redate(uint64_t number, void *page, void *context)
{
    const uint32_t *kept = context;
    uint64_t *cells = page;
    (void)number;
    for (uint64_t i = 0; i < BLOCK_LARGE_CELLS; i++) {
        uint64_t entry = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
        if (!(*kept >> entry % BLOCK_EPOCHS & 1))
            __atomic_compare_exchange_n(&cells[i], &entry, entry & ~(uint64_t)(BLOCK_EPOCHS - 1),
                                        false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

void block_large_redate(uint32_t kept)
{
    plate_each(&large, large_redate, &kept);
}

/* pairs: large_store(). True when the cell at `address` has somebody's block or ghost. */
static bool large_see(const uint64_t *cell, uintptr_t address, struct block_seen *seen)
{
    uint64_t entry = __atomic_load_n(cell, __ATOMIC_ACQUIRE);
    if (!large_is_any(entry) || (!(entry & LARGE_DIRECT) && large_lot(entry) >= lot_count()))
        return false;
    seen->address = address | (entry & LARGE_PLACE_MASK);
    seen->live = !(entry & LARGE_GHOST);
    large_decode(&seen->block, seen->address, entry);
    return true;
}

bool block_large_next(uintptr_t *from, struct block_seen *seen)
{
    uint64_t at = *from / BLOCK_LARGE_BYTES, number = at / BLOCK_LARGE_CELLS;
    const uint64_t *cells = NULL;
    if (*from >> BLOCK_ADDRESS_BITS == 0)
        cells = plate_find(large.shelves, number); /* where the last one was */
    for (; cells || (cells = plate_next(&large, &number)); cells = NULL) {
        if (at < number * BLOCK_LARGE_CELLS)
            at = number * BLOCK_LARGE_CELLS;
        for (; at < (number + 1) * BLOCK_LARGE_CELLS; at++)
            if (large_see(&cells[at % BLOCK_LARGE_CELLS], at * BLOCK_LARGE_BYTES, seen)) {
                *from = (at + 1) * BLOCK_LARGE_BYTES;
                return true;
            }
        number++;
    }
    *from = UINTPTR_MAX;
    return false;
}
