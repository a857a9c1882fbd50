/* The walk over small blocks, page by page of the program. */
#include "block.h"

enum {
    WORD_CELLS = 4, /* looked at together */
    CELL_BITS = 16
};

/* One bit of each cell of a word. */
#define WORD_LIVE (UINT64_MAX / UINT16_MAX * BLOCK_LIVE)

/* The cells of one page of the program, and where what they say goes. */
struct page {
    const uint64_t *words;
    const uint16_t *highs; /* or NULL */
    unsigned count;        /* of words */
    unsigned granule_bits;
    uint32_t lot_count;
    struct block_small *found;
    unsigned found_count;
};

/* Somebody may be changing the cell: its lot is at least one that there is. */
static inline void see(struct page *page, unsigned cell, uint32_t content)
{
    uint32_t what = content >> BLOCK_WHAT_AT;
    if (page->highs)
        what |= (uint32_t)__atomic_load_n(&page->highs[cell], __ATOMIC_RELAXED) << BLOCK_LOW_BITS;
    uint32_t lot = what & LOT_MAX;
    if (lot == BOX_NONE || lot >= page->lot_count)
        return;
    uint32_t at = cell << page->granule_bits | (content & BLOCK_PLACE) << BLOCK_PLACE_AT;
    page->found[page->found_count++] =
        (struct block_small){(uint16_t)at, content & BLOCK_LIVE, lot};
}

/* Calls see() for what lives. */
static inline void see_live(struct page *page, unsigned at)
{
    uint64_t word = __atomic_load_n(&page->words[at], __ATOMIC_ACQUIRE);
    for (uint64_t live = word & WORD_LIVE; live != 0; live &= live - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(live);
        see(page, at * WORD_CELLS + bit / CELL_BITS, (uint16_t)(word >> bit));
    }
}

/* Calls see() for what is there. */
static inline void see_word(struct page *page, unsigned at)
{
    uint64_t word = __atomic_load_n(&page->words[at], __ATOMIC_ACQUIRE);
    for (unsigned i = 0; word != 0; i++, word >>= CELL_BITS)
        if ((uint16_t)word)
            see(page, at * WORD_CELLS + i, (uint16_t)word);
}

static uint64_t all_words(const struct page *page)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < page->count; i++)
        all |= __atomic_load_n(&page->words[i], __ATOMIC_RELAXED);
    return all;
}

unsigned block_page(uintptr_t page, struct block_small found[BLOCK_PAGE_SMALL_MAX])
{
    struct block_place place = block_place(page);
    if (!place.cell)
        return 0;
    struct page self = {.words = (const uint64_t *)(const void *)place.cell,
                        .highs = block_high(place),
                        .granule_bits = BLOCK_GRANULE_BITS_ANY + block_shadow.fold,
                        .lot_count = lot_count(),
                        .found = found};
    self.count = BLOCK_PAGE_SMALL >> self.granule_bits >> 2;
    uint64_t all = all_words(&self);
    if (all == 0)
        return 0;
    /* Those of the last KiB may reach into the next page. */
    unsigned whole = self.count - (BLOCK_LARGE_BYTES >> self.granule_bits >> 2), at = 0;
    if (all & WORD_LIVE)
        for (; at < whole; at++)
            see_live(&self, at);
    for (; at < self.count; at++)
        see_word(&self, at);
    return self.found_count;
}
