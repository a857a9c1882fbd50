#include "plate.h"

#include "preload/ground/sys.h"

#include <assert.h>
#include <stdbool.h>
#include <sys/mman.h>

enum {
    /* The pool grows by a share, so that what is not yet used is little ... */
    PLATE_CHUNK_SHARE = 32,
    PLATE_CHUNK_PAGES_MIN = 4,
    /* ... and by no more than this. No huge pages: where they have to be made free first, as
       MADV_HUGEPAGE asks for, they cost twice what they save. */
    PLATE_CHUNK_PAGES_MAX = 512
};

static struct {
    uint64_t next;      /* address of the next page | pages left in its chunk; atomic */
    char *half;         /* one that is left; NULL: none; atomic */
    uint64_t own_bytes; /* atomic, relaxed */
} pool;

static_assert((int)PLATE_CHUNK_PAGES_MAX < (int)PLATE_PAGE_BYTES, "the count fits in");

static void own_more(uint64_t bytes)
{
    __atomic_fetch_add(&pool.own_bytes, bytes, __ATOMIC_RELAXED);
}

/* Pages of the next chunk. */
static uint64_t chunk_pages(void)
{
    uint64_t pages = plate_own_bytes() / PLATE_CHUNK_SHARE / PLATE_PAGE_BYTES;
    if (pages < PLATE_CHUNK_PAGES_MIN)
        return PLATE_CHUNK_PAGES_MIN;
    return pages < PLATE_CHUNK_PAGES_MAX ? pages : PLATE_CHUNK_PAGES_MAX;
}

static uintptr_t chunk_map(uint64_t pages)
{
    uint64_t bytes = pages * PLATE_PAGE_BYTES;
    void *chunk = sys_pages(bytes);
    if (chunk)
        /* All of it is about to be used: one call is cheaper than a fault a page. */
        sys_advise(chunk, bytes, SYS_ADVICE_POPULATE);
    return (uintptr_t)chunk;
}

/* Makes a new chunk the pool's, unless another thread was quicker. False when memory is out. */
static bool pool_grow(uint64_t next)
{
    uint64_t pages = chunk_pages();
    uintptr_t chunk = chunk_map(pages);
    if (!chunk)
        return false;
    if (__atomic_compare_exchange_n(&pool.next, &next, chunk | pages, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        own_more(pages * PLATE_PAGE_BYTES);
    else
        sys_pages_free((void *)chunk, pages * PLATE_PAGE_BYTES);
    return true;
}

/* The next page of the pool, or NULL. What is handed out never comes back, so no value recurs. */
static void *pool_take(void)
{
    uint64_t next = __atomic_load_n(&pool.next, __ATOMIC_RELAXED);
    for (;;) {
        if (next % PLATE_PAGE_BYTES == 0) {
            if (!pool_grow(next))
                return NULL;
            next = __atomic_load_n(&pool.next, __ATOMIC_RELAXED);
        } else if (__atomic_compare_exchange_n(&pool.next, &next, next + PLATE_PAGE_BYTES - 1,
                                               false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return (void *)(next & -(uint64_t)PLATE_PAGE_BYTES);
        }
    }
}

/* Writes `fresh` into *holder, unless another thread has: that one's is the answer then. */
static void *plate_adopt(void **holder, void *fresh)
{
    void *present = NULL;
    /* pairs: plate_find(): the zeroes are there before it is seen */
    return __atomic_compare_exchange_n(holder, &present, fresh, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)
               ? fresh
               : present;
}

/* Must come before the store of a pointer: an unmarked one is not met by a walk. */
static void plate_mark(uint8_t *marks, uint64_t pointer)
{
    if (!__atomic_exchange_n(&marks[pointer / PLATE_MARK_POINTERS], 1, __ATOMIC_RELAXED))
        own_more(PLATE_PAGE_BYTES);
}

static struct plate_shelf *shelf_get(const struct plate *plate, uint64_t at)
{
    void **holder = (void **)&plate->shelves[at];
    struct plate_shelf *shelf = __atomic_load_n(holder, __ATOMIC_ACQUIRE);
    if (shelf)
        return shelf;
    struct plate_shelf *fresh = sys_pages(sizeof(*fresh));
    if (!fresh)
        return NULL;
    /* One pointer would otherwise cost 2 MiB where huge pages are always on. */
    sys_advise(fresh, sizeof(*fresh), MADV_NOHUGEPAGE);
    plate_mark(plate->marks, at);
    shelf = plate_adopt(holder, fresh);
    if (shelf != fresh)
        sys_pages_free(fresh, sizeof(*fresh));
    return shelf;
}

void **plate_slot(const struct plate *plate, uint64_t number)
{
    uint64_t place = number % PLATE_SHELF_PAGES, at = number >> PLATE_SHELF_BITS;
    struct plate_shelf *shelf = at < plate->count ? shelf_get(plate, at) : NULL;
    if (!shelf)
        return NULL;
    plate_mark(shelf->marks, place);
    return &shelf->pages[place];
}

void *plate_page(const struct plate *plate, uint64_t number)
{
    void *page =
        number >> PLATE_SHELF_BITS < plate->count ? plate_find(plate->shelves, number) : NULL;
    if (page)
        return page;
    void **slot = plate_slot(plate, number);
    void *fresh = slot ? pool_take() : NULL;
    return fresh ? plate_adopt(slot, fresh) : NULL; /* a page too many is a rare page lost */
}

void *plate_half(void)
{
    /* pairs: the store below, of whoever took the other half */
    char *half = __atomic_exchange_n(&pool.half, NULL, __ATOMIC_ACQUIRE);
    if (half)
        return half;
    half = pool_take();
    if (half) /* one that another thread puts there now is a rare half lost */
        __atomic_store_n(&pool.half, half + PLATE_HALF_BYTES, __ATOMIC_RELEASE);
    return half;
}

/* A walk: over the shelves, then over one shelf after another. */
struct walk {
    plate_each_fn each;
    void *context;
};

static void pointer_each(const struct walk *walk, void *const *pointers, uint64_t first)
{
    for (uint64_t i = 0; i < PLATE_MARK_POINTERS; i++) {
        /* pairs: plate_adopt() */
        void *found = __atomic_load_n(&pointers[i], __ATOMIC_ACQUIRE);
        if (found)
            walk->each(first + i, found, walk->context);
    }
}

/* Calls each() for the pointers that are not NULL; the first has the number `first`. */
static void marked_each(const struct walk *walk, void *const *pointers, const uint8_t *marks,
                        uint64_t count, uint64_t first)
{
    for (uint64_t i = 0; i < count; i += PLATE_MARK_POINTERS)
        if (__atomic_load_n(&marks[i / PLATE_MARK_POINTERS], __ATOMIC_RELAXED))
            pointer_each(walk, pointers + i, first + i);
}

static void shelf_each(uint64_t at, void *shelf, void *context)
{
    const struct plate_shelf *found = shelf;
    marked_each(context, found->pages, found->marks, PLATE_SHELF_PAGES, at << PLATE_SHELF_BITS);
}

void plate_each(const struct plate *plate, plate_each_fn each, void *context)
{
    struct walk walk = {each, context};
    struct walk shelves = {shelf_each, &walk};
    marked_each(&shelves, (void *const *)plate->shelves, plate->marks, plate->count, 0);
}

/* The first pointer that is not NULL, from `from` on; `count`: there is none. */
static uint64_t marked_next(void *const *pointers, const uint8_t *marks, uint64_t count,
                            uint64_t from)
{
    while (from < count) {
        if (!__atomic_load_n(&marks[from / PLATE_MARK_POINTERS], __ATOMIC_RELAXED))
            from = (from / PLATE_MARK_POINTERS + 1) * PLATE_MARK_POINTERS;
        /* pairs: plate_adopt() */
        else if (!__atomic_load_n(&pointers[from], __ATOMIC_ACQUIRE))
            from++;
        else
            return from;
    }
    return count;
}

void *plate_next(const struct plate *plate, uint64_t *number)
{
    uint64_t wanted = *number >> PLATE_SHELF_BITS, place = *number % PLATE_SHELF_PAGES, at = wanted;
    while ((at = marked_next((void *const *)plate->shelves, plate->marks, plate->count, at)) <
           plate->count) {
        const struct plate_shelf *shelf = plate->shelves[at];
        place = marked_next(shelf->pages, shelf->marks, PLATE_SHELF_PAGES, at > wanted ? 0 : place);
        if (place < PLATE_SHELF_PAGES) {
            *number = at << PLATE_SHELF_BITS | place;
            return __atomic_load_n(&shelf->pages[place], __ATOMIC_ACQUIRE);
        }
        at++;
    }
    return NULL;
}

uint64_t plate_own_bytes(void)
{
    return __atomic_load_n(&pool.own_bytes, __ATOMIC_RELAXED);
}
