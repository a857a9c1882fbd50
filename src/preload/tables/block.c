#include "block.h"

#include "block_birth.h"
#include "block_large.h"

#include <assert.h>

#define ODD_BIT ((uintptr_t)1 << BLOCK_ADDRESS_BITS) /* as block_place_odd() has it */

static_assert(BLOCK_PAGE_CELLS == 1 << 11, "the shelves reach as far as addresses do");
static_assert(LOT_MAX >> BLOCK_LOW_BITS <= UINT16_MAX, "a lot fits into an entry and its twin's");
static_assert(BLOCK_LOT_AT + 14 == 16, "as do the low bits, and what says that there are more");

struct block_shadow block_shadow;

static const struct plate small = {block_shadow.shelves, block_shadow.marks, BLOCK_SMALL_SHELVES};

void block_init(unsigned granule_bits)
{
    if (plate_own_bytes() != 0)
        return;
    block_shadow.fold = granule_bits != BLOCK_GRANULE_BITS_ANY;
    block_shadow.odd = granule_bits == BLOCK_GRANULE_BITS_MIXED ? BLOCK_ALIGN : 0;
}

size_t block_bytes_min(void)
{
    return block_shadow.fold ? 0 : BLOCK_ALIGN;
}

/* The pages that an entry in this granule needs. A thread that is late may find those of another. */
static bool small_make(uint64_t granule, uint32_t lot, uint32_t epoch)
{
    uint64_t page = granule / BLOCK_PAGE_CELLS * BLOCK_PAGES;
    if (!block_place_of(granule).cell && !block_births_begin(plate_slot(&small, page), epoch))
        return false;
    return plate_page(&small, page) &&
           (lot < BLOCK_WIDE || plate_page(&small, page + BLOCK_TWIN)) &&
           block_births(block_place_of(granule), epoch);
}

/* block_page_next() looks for pages of the usual places alone. */
static bool odd_put(uintptr_t address, uint32_t lot, uint32_t epoch)
{
    return small_make(block_granule(address), 0, epoch) &&
           small_make(block_granule(address | ODD_BIT), lot, epoch) &&
           block_set(block_place_odd(address), address, lot, epoch);
}

static bool small_put(uintptr_t address, const struct block *block)
{
    uint32_t lot = block->lot ? block->lot : lot_intern(block->site, block->size_bytes);
    if (lot && block_is_odd(address, lot))
        return odd_put(address, lot, block->epoch);
    return lot && small_make(block_granule(address), lot, block->epoch) &&
           block_set(block_place(address), address, lot, block->epoch);
}

/* Where the live small block at `address` is noted; no cell: nowhere. */
static struct block_place small_find(uintptr_t address)
{
    struct block_place place = block_place(address);
    if (block_is_at(block_content(place), address))
        return place;
    if (address & block_shadow.odd && block_is_at(block_content(block_place_odd(address)), address))
        return block_place_odd(address);
    return (struct block_place){0};
}

/* A live entry that the block about to be put there has proved stale; no cell: there is none. */
static struct block_place small_find_stale(uintptr_t address, uint64_t size_bytes)
{
    struct block_place place = block_place(address);
    uint32_t content = block_content(place);
    bool alone = block_shadow.odd == 0 || size_bytes > BLOCK_ALIGN, odd = address & BLOCK_ALIGN;
    if (content & BLOCK_LIVE && (alone || !odd || content & BLOCK_PLACE))
        return place;
    if (block_shadow.odd != 0 && (alone || odd) &&
        block_content(block_place_odd(address)) & BLOCK_LIVE)
        return block_place_odd(address);
    return (struct block_place){0};
}

static void small_read(struct block_place place, struct block *block)
{
    block_of_lot(block, block_lot(block_content(place), place), block_birth(place));
}

static void small_take(struct block_place place, struct block *block)
{
    small_read(place, block);
    block_clear(place, block_content(place));
}

static bool large_put(uintptr_t address, const struct block *block)
{
    struct block_place hiding = block_place(address);
    if (block_content(hiding) & BLOCK_LIVE)
        block_clear(hiding, block_content(hiding));
    return block_large_put(address, block);
}

bool block_put(uintptr_t address, const struct block *block)
{
    uint64_t size_bytes = block->lot ? lot_at(block->lot)->size_bytes : block->size_bytes;
    if (!block_is_recordable(address))
        return false;
    return size_bytes < BLOCK_LARGE_BYTES ? small_put(address, block) : large_put(address, block);
}

static bool block_none(struct block *block)
{
    *block = (struct block){0};
    return false;
}

bool block_take(uintptr_t address, struct block *block)
{
    if (!block_is_recordable(address))
        return block_none(block);
    /* A small entry that is set can only be its own address's, so it is looked at first. */
    struct block_place place = small_find(address);
    if (!place.cell)
        return block_large_take(address, block) || block_none(block);
    small_take(place, block);
    return true;
}

bool block_evict(uintptr_t address, uint64_t size_bytes, struct block *block)
{
    if (!block_is_recordable(address))
        return block_none(block);
    struct block_place place = small_find_stale(address, size_bytes);
    if (!place.cell)
        return block_large_evict(address, size_bytes, block) || block_none(block);
    small_take(place, block);
    return true;
}

bool block_find(uintptr_t address, struct block *block)
{
    if (!block_is_recordable(address))
        return block_none(block);
    struct block_place place = small_find(address);
    if (!place.cell)
        return block_large_find(address, block) || block_none(block);
    small_read(place, block);
    return true;
}

/* A walk over the pages of one plate. */
struct walk {
    block_visit_fn visit;
    void *context;
};

/*
 * The lot of a live cell, and its birth; 0: there is none. Other threads may go on: a cell that stays as it is has
 * its own high bits and birth, but for one that went and came back in between, whose lot may be of neither: one
 * that there is, at least.
 */
static uint32_t small_see(const uint16_t *cell, uint64_t granule, uint32_t *content,
                          uint32_t *epoch)
{
    /* pairs: block_set(). The pages that it needed are there. */
    *content = __atomic_load_n(cell, __ATOMIC_ACQUIRE);
    if (!(*content & BLOCK_LIVE))
        return 0;
    struct block_place place = block_place_of(granule);
    uint32_t lot = block_lot(*content, place);
    *epoch = block_birth(place);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    bool still = __atomic_load_n(cell, __ATOMIC_RELAXED) == *content;
    return still && lot < lot_count() ? lot : 0;
}

static void small_each(uint64_t number, void *page, void *context)
{
    const struct walk *walk = context;
    const uint16_t *cells = page;
    for (uint64_t i = 0; number % BLOCK_PAGES == 0 && i < BLOCK_PAGE_CELLS; i++) {
        uint64_t granule = number / BLOCK_PAGES * BLOCK_PAGE_CELLS + i;
        uintptr_t address =
            (granule << block_shadow.fold << BLOCK_GRANULE_BITS_ANY) & (ODD_BIT - 1);
        uint32_t content, epoch, lot = small_see(&cells[i], granule, &content, &epoch);
        struct block block;
        if (!lot)
            continue;
        block_of_lot(&block, lot, epoch);
        address |= (uintptr_t)(content & BLOCK_PLACE) << BLOCK_PLACE_AT;
        walk->visit(address, &block, walk->context);
    }
}

void block_each(block_visit_fn visit, void *context)
{
    struct walk walk = {visit, context};
    plate_each(&small, small_each, &walk);
    block_large_each(visit, context);
}

static void small_redate(uint64_t number, void *page, void *context)
{
    (void)page;
    if (number % BLOCK_PAGES == BLOCK_BIRTHS)
        block_births_redate((void **)plate_place(small.shelves, number),
                            *(const uint32_t *)context);
}

void block_redate(uint64_t epoch)
{
    uint32_t kept = block_births_kept(epoch);
    plate_each(&small, small_redate, &kept);
    block_large_redate(kept);
}

uintptr_t block_page_next(uintptr_t from)
{
    unsigned bits = BLOCK_GRANULE_BITS_ANY + block_shadow.fold;
    uint64_t page = block_granule(from) / BLOCK_PAGE_CELLS, number = page * BLOCK_PAGES;
    if (from >> BLOCK_ADDRESS_BITS != 0 || !plate_next(&small, &number))
        return UINTPTR_MAX;
    number /= BLOCK_PAGES;
    uintptr_t next = number * BLOCK_PAGE_CELLS << bits;
    return number == page ? from : next < ODD_BIT ? next : UINTPTR_MAX;
}

uint64_t block_own_bytes(void)
{
    return plate_own_bytes();
}
