/*
 * plate.h - sparse arrays of words.
 *
 * What it is: a plate is a reserved array of 64-bit words in which few pages are ever touched,
 *   followed by one byte for each of its pages that says which. A walk skips the others, as reading
 *   them would make the kernel map them.
 * Owns: the memory of all plates; they are never given back.
 * Context: hooks, from any thread at once, without a lock.
 * Not here: what the words mean (block.c).
 */
#ifndef HEAPDIFF_PRELOAD_PLATE_H
#define HEAPDIFF_PRELOAD_PLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLATE_PAGE_BYTES = 4096, /* a larger page of the kernel's does no harm */
    PLATE_PAGE_WORDS = PLATE_PAGE_BYTES / 8
};

/* Words [from, to) of a plate; both are at page borders. */
struct plate_part {
    uint64_t *plate;
    size_t words; /* of the whole plate */
    size_t from;
    size_t to;
};

static inline uint8_t *plate_touched(uint64_t *plate, size_t words)
{
    return (uint8_t *)(plate + words);
}

/* True when the page that holds word `index` was marked. */
static inline bool plate_marked(uint64_t *plate, size_t words, size_t index)
{
    return __atomic_load_n(plate_touched(plate, words) + index / PLATE_PAGE_WORDS,
                           __ATOMIC_RELAXED);
}

/* Must come before the first store into a page. */
void plate_mark(uint64_t *plate, size_t words, size_t index);

/* The plate of `words` zeroed words (whole pages) whose address *holder keeps, made if need be; NULL
   when there is no memory. */
uint64_t *plate_get(uint64_t *holder, size_t words);

/* Calls each() for every word of a part that is not zero, read with acquire order. */
void plate_each(const struct plate_part *part,
                void (*each)(size_t index, uint64_t word, void *context), void *context);

/* Bytes of the pages marked so far, in all plates. */
uint64_t plate_own_bytes(void);

#endif
