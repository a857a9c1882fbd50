#include "boehm_heap.h"

#include "boehm.h"

#include "preload/tables/block.h"
#include "preload/views/tracker.h"

enum { KIND_ATOMIC = 0 }; /* libgc's PTRFREE */

struct reclaim {
    struct guard_thread *own;
    struct boehm_heap heap;
};

/* The span of the heap so far; nothing before the collector is up. */
struct span {
    uintptr_t start, end;
};

static struct span span(void)
{
    const uintptr_t *least = (const uintptr_t *)boehm.GC_least_plausible_heap_addr;
    const uintptr_t *greatest = (const uintptr_t *)boehm.GC_greatest_plausible_heap_addr;
    if (!least || !greatest)
        return (struct span){0, 0};
    return (struct span){__atomic_load_n(least, __ATOMIC_RELAXED),
                         __atomic_load_n(greatest, __ATOMIC_RELAXED)};
}

static bool is_heap(void *address)
{
    int (*ask)(const void *) = (int (*)(const void *))boehm.GC_is_heap_ptr;
    return !ask || ask(address);
}

static char *base_of(void *address)
{
    char *(*ask)(void *) = (char *(*)(void *))boehm.GC_base;
    return ask(address);
}

static int is_marked(void *base)
{
    int (*ask)(const void *) = (int (*)(const void *))boehm.GC_is_marked;
    return ask(base);
}

static bool is_atomic(void *base)
{
    int (*ask)(const void *, size_t *) =
        (int (*)(const void *, size_t *))boehm.GC_get_kind_and_size;
    return ask && ask(base, NULL) == KIND_ATOMIC;
}

uint64_t boehm_heap_usable(void *address)
{
    size_t (*ask)(const void *) = (size_t(*)(const void *))boehm.GC_size;
    struct span heap = span();
    if ((uintptr_t)address < heap.start || (uintptr_t)address >= heap.end || !boehm.GC_base ||
        !ask || !is_heap(address))
        return 0;
    char *base = base_of(address);
    return base ? ask(base) - (uint64_t)((char *)address - base) : 0;
}

static void see(struct reclaim *reclaim, uintptr_t address, uint64_t size_bytes)
{
    struct boehm_heap *heap = &reclaim->heap;
    if (!is_heap((void *)address))
        return;
    char *base = base_of((void *)address);
    if (base && is_marked(base)) {
        heap->live_bytes += size_bytes;
        heap->live_objects++;
        heap->atomic_bytes += is_atomic(base) ? size_bytes : 0;
        return;
    }
    heap->freed_bytes += size_bytes;
    heap->freed_objects++;
    tracker_free(reclaim->own, (void *)address);
}

static void see_small(struct reclaim *reclaim, uintptr_t start, uintptr_t end)
{
    struct block_small found[BLOCK_PAGE_SMALL_MAX];
    for (uintptr_t page = block_page_next(start); page < end;
         page = block_page_next(page + BLOCK_PAGE_SMALL)) {
        unsigned count = block_page(page, true, found);
        for (unsigned i = 0; i < count; i++)
            if (found[i].live)
                see(reclaim, page + found[i].at, lot_at(found[i].lot)->size_bytes);
    }
}

static void see_large(struct reclaim *reclaim, uintptr_t start, uintptr_t end)
{
    struct block_seen seen;
    uintptr_t from = start;
    while (block_large_next(&from, &seen) && seen.address < end)
        if (seen.live && seen.address >= start)
            see(reclaim, seen.address, seen.block.size_bytes);
}

enum { HEAP_BLOCK_BYTES = 4096 }; /* libgc's HBLKSIZE, unless it was built for something else */

/* One of libgc's blocks: a page of objects of one size, or a large one. */
static void add_marked(void *block, uintptr_t context)
{
    size_t (*ask)(const void *) = (size_t(*)(const void *))boehm.GC_size;
    uint64_t *marked_bytes = (uint64_t *)context;
    size_t each_bytes = ask(block);
    for (size_t at = 0; each_bytes > 0 && (at == 0 || at + each_bytes <= HEAP_BLOCK_BYTES);
         at += each_bytes)
        if (is_marked((char *)block + at))
            *marked_bytes += each_bytes;
}

uint64_t boehm_heap_marked_bytes(void)
{
    typedef void (*apply_fn)(void (*)(void *, uintptr_t), uintptr_t);
    uint64_t marked_bytes = 0;
    if (boehm.GC_apply_to_all_blocks && boehm.GC_size && boehm.GC_is_marked)
        ((apply_fn)boehm.GC_apply_to_all_blocks)(add_marked, (uintptr_t)&marked_bytes);
    return marked_bytes;
}

struct boehm_heap boehm_heap_reclaim(struct guard_thread *own)
{
    struct reclaim reclaim = {.own = own};
    struct span heap = span();
    if (heap.start >= heap.end || !boehm.GC_base || !boehm.GC_is_marked)
        return reclaim.heap;
    see_small(&reclaim, heap.start & ~(uintptr_t)(BLOCK_PAGE_SMALL - 1), heap.end);
    see_large(&reclaim, heap.start, heap.end);
    return reclaim.heap;
}
