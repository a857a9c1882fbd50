/* The walk over small blocks, page by page of the program. */
#include "block.h"

enum {
    WORD_CELLS = 4, /* looked at together */
    CELL_BITS = 16,
    LINE_WORDS = 8 /* of a cache line */
};

/* One bit of each cell of a word. */
#define WORD_LIVE    (UINT64_MAX / UINT16_MAX * BLOCK_LIVE)
#define WORD_HIGHEST (UINT64_MAX / UINT16_MAX << (CELL_BITS - 1))

/* The cells of one page of the program, and where what they say goes. */
struct page {
    const uint64_t *words;
    const uint16_t *highs; /* or NULL */
    uint32_t lot_count;
    struct block_small *found;
};

/* Somebody may be changing the cell: its lot is at least one that there is. */
static inline __attribute__((always_inline)) void see(struct page *page, unsigned granule_bits,
                                                      unsigned cell, uint32_t content)
{
    uint32_t lot = content >> BLOCK_LOT_AT;
    if (lot >= BLOCK_WIDE && !page->highs) /* these have just come */
        return;
    if (lot >= BLOCK_WIDE)
        lot += (uint32_t)__atomic_load_n(&page->highs[cell], __ATOMIC_RELAXED) << BLOCK_LOW_BITS;
    if (lot - 1 >= page->lot_count - 1) /* 0 is none */
        return;
    __builtin_prefetch(lot_at(lot)); /* by the time that all are found it is there */
    page->found->at = (uint16_t)(cell << granule_bits | (content & BLOCK_PLACE) << BLOCK_PLACE_AT);
    page->found->live = content & BLOCK_LIVE;
    page->found->lot = lot;
    page->found++;
}

/* Calls see() for each cell of the word at `at` whose bit of `bits` is set: one bit of each. */
static inline __attribute__((always_inline)) void see_word(struct page *page, unsigned granule_bits,
                                                           unsigned at, uint64_t word,
                                                           uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        unsigned cell = (unsigned)__builtin_ctzll(bits) / CELL_BITS;
        see(page, granule_bits, at * WORD_CELLS + cell, (uint16_t)(word >> cell * CELL_BITS));
    }
}

static inline uint64_t word_load(const struct page *page, unsigned at)
{
    return __atomic_load_n(&page->words[at], __ATOMIC_ACQUIRE);
}

/* What the next page says is on its way when it is asked for. */
static inline void fetch_next(const struct page *page, unsigned count)
{
    for (unsigned i = 0; i < count; i += LINE_WORDS) {
        __builtin_prefetch(page->words + count + i);
        if (page->highs)
            __builtin_prefetch(page->highs + (count + i) * WORD_CELLS);
    }
}

/* Calls see() for what there is in [from, to). */
static inline __attribute__((always_inline)) void see_all(struct page *page, unsigned granule_bits,
                                                          unsigned from, unsigned to)
{
    for (unsigned at = from; at < to; at++) {
        uint64_t word = word_load(page, at);
        /* The highest bit of each cell that is not 0. */
        uint64_t any = (((word & ~WORD_HIGHEST) + ~WORD_HIGHEST) | word) & WORD_HIGHEST;
        see_word(page, granule_bits, at, word, any);
    }
}

/* Compiled once for each size of granules. */
static inline __attribute__((always_inline)) void see_page(struct page *page, unsigned granule_bits,
                                                           bool held)
{
    unsigned count = BLOCK_PAGE_SMALL >> granule_bits >> 2;
    /* Those of the last KiB may reach into the next page. */
    unsigned whole = count - (BLOCK_LARGE_BYTES >> granule_bits >> 2);
    uint64_t all = 0;
    fetch_next(page, count);
    for (unsigned at = 0; at < whole; at++) {
        uint64_t word = word_load(page, at);
        all |= word;
        see_word(page, granule_bits, at, word, word & WORD_LIVE);
    }
    for (unsigned at = whole; !(all & WORD_LIVE) && at < count; at++)
        all |= word_load(page, at) & WORD_LIVE;
    see_all(page, granule_bits, all != 0 && !(all & WORD_LIVE) && !held ? 0 : whole, count);
}

/* What there is from `place` on. */
static unsigned see_place(struct block_place place, bool held, struct block_small *found)
{
    if (!place.cell)
        return 0;
    const uint16_t *highs = block_twin(place);
    struct page self = {.words = (const uint64_t *)(const void *)place.cell,
                        .highs = highs ? highs + place.at : NULL,
                        .lot_count = lot_count(),
                        .found = found};
    if (block_shadow.fold)
        see_page(&self, BLOCK_GRANULE_BITS_GLIBC, held);
    else
        see_page(&self, BLOCK_GRANULE_BITS_ANY, held);
    return (unsigned)(self.found - found);
}

enum { ODD_MAX = BLOCK_PAGE_SMALL_MAX / 2 };

/* Those of odd places come in between. */
static unsigned merge_odd(struct block_place place, struct block_small *found, unsigned count)
{
    struct block_small odd[ODD_MAX];
    unsigned more = see_place(place, true, odd), all = count + more;
    for (unsigned at = all; more > 0; at--) {
        bool last = count == 0 || odd[more - 1].at > found[count - 1].at;
        found[at - 1] = last ? odd[--more] : found[--count];
    }
    return all;
}

unsigned block_page(uintptr_t page, bool held, struct block_small found[BLOCK_PAGE_SMALL_MAX])
{
    unsigned count = see_place(block_place(page), held, found);
    if (__builtin_expect(block_shadow.odd == 0, 1))
        return count;
    struct block_place odd = block_place_odd(page);
    return odd.cell ? merge_odd(odd, found, count) : count;
}
