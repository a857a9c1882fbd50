/*
 * plate.h - sparse arrays over the address space, page by page.
 *
 * What it is: a plate is a numbered row of pages, most of which never come to be. They are found by way
 *   of shelves: tables of their addresses, which also mark where there is something to find, so that a
 *   walk reads nothing that the kernel would have to map for it. Pages come from one pool, in the order
 *   of their making: nothing is reserved that is not about to be used, and what a program has locked
 *   by mlockall() or may use by `ulimit -v` is spent on real pages only.
 * Owns: the memory of all plates; it is never given back.
 * Context: hooks, from any thread at once, without a lock.
 * Not here: what is in the pages (block.c).
 */
#ifndef HEAPDIFF_PRELOAD_PLATE_H
#define HEAPDIFF_PRELOAD_PLATE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PLATE_PAGE_BYTES = 4096, /* a larger page of the kernel's does no harm */
    PLATE_HALF_BYTES = PLATE_PAGE_BYTES / 2,
    PLATE_SHELF_BITS = 17, /* log2 of the pages of a shelf, which is 1 MiB of address space */
    PLATE_SHELF_PAGES = 1 << PLATE_SHELF_BITS,
    PLATE_MARK_POINTERS = PLATE_PAGE_BYTES / 8 /* a mark stands for a page of pointers */
};

struct plate_shelf {
    void *pages[PLATE_SHELF_PAGES];
    uint8_t marks[PLATE_SHELF_PAGES / PLATE_MARK_POINTERS];
};

/* Shelf i keeps the pages from i << PLATE_SHELF_BITS on. Valid when its arrays are zeroed. */
struct plate {
    struct plate_shelf **shelves;
    uint8_t *marks; /* one for each PLATE_MARK_POINTERS of the shelves */
    size_t count;   /* of shelves: a multiple of PLATE_MARK_POINTERS */
};

/* Where the address of page `number` is, or NULL; that of the next page stands beside it, if `number` is even.
   The caller knows that the number is not past the last shelf. */
static inline void *const *plate_place(struct plate_shelf *const *shelves, uint64_t number)
{
    /* pairs: plate_adopt(), here and below */
    const struct plate_shelf *shelf =
        __atomic_load_n(&shelves[number >> PLATE_SHELF_BITS], __ATOMIC_ACQUIRE);
    return __builtin_expect(!shelf, 0) ? NULL : &shelf->pages[number % PLATE_SHELF_PAGES];
}

/* Page `number`, or NULL. */
static inline void *plate_find(struct plate_shelf *const *shelves, uint64_t number)
{
    void *const *place = plate_place(shelves, number);
    return __builtin_expect(!place, 0) ? NULL : __atomic_load_n(place, __ATOMIC_ACQUIRE);
}

/* plate_place(), made if need be, and met by walks; NULL when there is no memory, or it is past the last shelf. */
void **plate_slot(const struct plate *plate, uint64_t number);

/* Half a page, for whoever keeps its address in such a place; what is in it is not known. NULL when there is no memory. */
void *plate_half(void);

/* Page `number`, zeroed if new; NULL when there is no memory, or it is past the last shelf. */
void *plate_page(const struct plate *plate, uint64_t number);

typedef void (*plate_each_fn)(uint64_t number, void *page, void *context);

/* Calls each() for every page there is, in the order of their numbers. */
void plate_each(const struct plate *plate, plate_each_fn each, void *context);

/* The first page there is whose number is not below *number, which becomes its number; NULL: there is none. */
void *plate_next(const struct plate *plate, uint64_t *number);

/* Bytes in use, of all plates: what the kernel keeps in memory for them. */
uint64_t plate_own_bytes(void);

#endif
