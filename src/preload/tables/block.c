#include "block.h"

#include "block_birth.h"

#include <assert.h>

/*
 * Small entries are described in block.h. Large ones, one for each KiB:
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

#define ODD_BIT          ((uintptr_t)1 << BLOCK_ADDRESS_BITS) /* as block_place_odd() has it */

static_assert(BLOCK_LARGE_BYTES == 1 << BLOCK_LARGE_BITS, "one large block a KiB");
static_assert(BLOCK_LARGE_CELLS == 1 << 9 && BLOCK_PAGE_CELLS == 1 << 11,
              "the shelves reach as far as addresses do");
static_assert(LOT_MAX >> BLOCK_LOW_BITS <= UINT16_MAX, "a lot fits into a small entry");
static_assert((uint64_t)LOT_MAX << LARGE_LOT_AT < LARGE_GHOST, "and into a large one");
static_assert(BLOCK_LOT_AT + 14 == 16, "as do the low bits, and what says that there are more");
static_assert(BLOCK_EPOCHS <= BLOCK_ALIGN, "an epoch lies below the address's bits");

struct block_shadow block_shadow;

static const struct plate small = {block_shadow.shelves, block_shadow.marks, BLOCK_SMALL_SHELVES};

static struct {
    struct plate_shelf *shelves[BLOCK_LARGE_SHELVES];
    uint8_t marks[BLOCK_LARGE_SHELVES / PLATE_MARK_POINTERS];
} large_shadow;

static const struct plate large = {large_shadow.shelves, large_shadow.marks, BLOCK_LARGE_SHELVES};

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

static bool is_recordable(uintptr_t address)
{
    return address % BLOCK_ALIGN == 0 && address >> BLOCK_ADDRESS_BITS == 0;
}

/* The lot must have said before what it is; so it has, as its number came from lot_intern(). */
static inline void block_of_lot(struct block *block, uint32_t lot, uint32_t epoch)
{
    const struct box_lot *found = lot_at(lot);
    *block = (struct block){found->site, lot, epoch, found->size_bytes};
}

/* Small entries. */

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

/* Large entries. */

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
    uint64_t entry = is_recordable(next) ? large_load(large_find(next)) : 0;
    return large_is_any(entry) ? 0 : entry >> LARGE_REST_AT << LARGE_SIZE_BITS;
}

/* Keeps them; false when there is no memory. */
static bool huge_put_rest(uintptr_t address, uint64_t size_bytes)
{
    uintptr_t next = address + BLOCK_LARGE_BYTES;
    uint64_t *cell = is_recordable(next) ? large_cell(next) : NULL;
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

static bool large_put(uintptr_t address, const struct block *block)
{
    struct block_place hiding = block_place(address);
    uint64_t *cell = large_cell(address);
    uint64_t entry =
        block->lot ? (uint64_t)block->lot << LARGE_LOT_AT : large_direct(address, block);
    if (!cell || !entry)
        return false;
    if (block_content(hiding) & BLOCK_LIVE)
        block_clear(hiding, block_content(hiding));
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

/* Both. */

bool block_put(uintptr_t address, const struct block *block)
{
    uint64_t size_bytes = block->lot ? lot_at(block->lot)->size_bytes : block->size_bytes;
    if (!is_recordable(address))
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
    if (!is_recordable(address))
        return block_none(block);
    /* A small entry that is set can only be its own address's, so it is looked at first. */
    struct block_place place = small_find(address);
    uint64_t *cell = large_find(address);
    if (place.cell)
        small_take(place, block);
    else if (large_is_at(large_load(cell), address))
        large_take(cell, address, block);
    else
        return block_none(block);
    return true;
}

bool block_evict(uintptr_t address, uint64_t size_bytes, struct block *block)
{
    if (!is_recordable(address))
        return block_none(block);
    struct block_place place = small_find_stale(address, size_bytes);
    uint64_t *cell = large_find(address);
    uint64_t entry = large_load(cell);
    if (place.cell)
        small_take(place, block);
    else if (large_is_at(entry, address) ||
             (size_bytes >= BLOCK_LARGE_BYTES && large_is_block(entry)))
        large_take(cell, (address & ~LARGE_PLACE_MASK) | (entry & LARGE_PLACE_MASK), block);
    else
        return block_none(block);
    return true;
}

bool block_find(uintptr_t address, struct block *block)
{
    if (!is_recordable(address))
        return block_none(block);
    struct block_place place = small_find(address);
    uint64_t entry = large_load(large_find(address));
    if (place.cell)
        small_read(place, block);
    else if (large_is_at(entry, address))
        large_decode(block, address, entry);
    else
        return block_none(block);
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

void block_each(block_visit_fn visit, void *context)
{
    struct walk walk = {visit, context};
    plate_each(&small, small_each, &walk);
    plate_each(&large, large_each, &walk);
}

static void small_redate(uint64_t number, void *page, void *context)
{
    (void)page;
    if (number % BLOCK_PAGES == BLOCK_BIRTHS)
        block_births_redate((void **)plate_place(small.shelves, number),
                            *(const uint32_t *)context);
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

void block_redate(uint64_t epoch)
{
    uint32_t kept = block_births_kept(epoch);
    plate_each(&small, small_redate, &kept);
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
