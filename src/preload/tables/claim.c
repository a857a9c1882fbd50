#include "claim.h"

#include "plate.h"

enum {
    ADDRESS_BITS = 48,
    WORD_BITS = 64,
    PAGE_BITS = PLATE_PAGE_BYTES * 8,
    SHELVES = PLATE_MARK_POINTERS /* the fewest there can be: one alone reaches far enough */
};

/* Of one mapping: who reserves more does not use it all. */
#define CLAIM_BYTES_MAX ((uint64_t)16 << 30)

static struct {
    struct plate_shelf *shelves[SHELVES];
    uint8_t marks[1];
} state;

static const struct plate plate = {state.shelves, state.marks, SHELVES};

/* The word of bit `number`, or NULL. */
static uint64_t *word_of(uint64_t number, bool make)
{
    if (number >= (1ull << ADDRESS_BITS) / CLAIM_BYTES)
        return NULL;
    uint64_t *words = make ? plate_page(&plate, number / PAGE_BITS)
                           : plate_find(state.shelves, number / PAGE_BITS);
    return words ? words + number % PAGE_BITS / WORD_BITS : NULL;
}

void claim_add(uintptr_t start, uint64_t bytes)
{
    if (bytes > CLAIM_BYTES_MAX)
        bytes = CLAIM_BYTES_MAX;
    for (uint64_t i = start / CLAIM_BYTES; i * CLAIM_BYTES < start + bytes; i++) {
        uint64_t *word = word_of(i, true), bit = 1ull << i % WORD_BITS;
        if (word && !(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
            __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
    }
}

bool claim_has(uintptr_t address)
{
    uint64_t number = address / CLAIM_BYTES, *word = word_of(number, false);
    return word && __atomic_load_n(word, __ATOMIC_RELAXED) >> number % WORD_BITS & 1;
}

bool claim_next(uintptr_t address, uint64_t *end)
{
    uint64_t border = (address / CLAIM_BYTES + 1) * CLAIM_BYTES;
    if (border < *end)
        *end = border;
    return claim_has(address);
}
