#include "boehm_heap.h"

#include "boehm.h"

#include "preload/tables/block.h"
#include "preload/views/tracker.h"

enum { KIND_ATOMIC = 0 }; /* libgc's PTRFREE */

/*
 * A KiB of the heap, which is of one of libgc's blocks whatever it was built for: the objects in a block have one size
 * and kind, so that they are asked for once.
 */
enum { UNIT_BYTES = 1024 };
struct unit {
    uintptr_t number; /* its address / UNIT_BYTES; 0: none */
    char *base; /* an object that has bytes in it; the others are multiples of `each_bytes` away */
    uint32_t each_bytes; /* of objects */
    uint32_t inverse;    /* 2^32 / each_bytes, rounded up */
    bool is_atomic;
};

struct reclaim {
    struct guard_thread *own;
    struct boehm_heap heap;
    struct unit unit;
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

static size_t size_of(void *base)
{
    size_t (*ask)(const void *) = (size_t(*)(const void *))boehm.GC_size;
    return ask(base);
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
    struct span heap = span();
    if ((uintptr_t)address < heap.start || (uintptr_t)address >= heap.end || !boehm.GC_base ||
        !boehm.GC_size || !is_heap(address))
        return 0;
    char *base = base_of(address);
    return base ? size_of(base) - (uint64_t)((char *)address - base) : 0;
}

/* Asks for the object of the record of `address`, and notes its KiB; NULL: there is none. */
static __attribute__((noinline)) char *look(struct unit *unit, char *address)
{
    char *base = base_of(address);
    unit->number = 0; /* a record that proves nothing, freed past us, says nothing about others */
    if (!base)
        return NULL;
    size_t each_bytes = size_of(base);
    unit->is_atomic = is_atomic(base);
    if (each_bytes >= UNIT_BYTES) /* it is the only one */
        return base;
    unit->base = base;
    unit->each_bytes = (uint32_t)each_bytes;
    unit->inverse = (uint32_t)(((1ull << 32) + each_bytes - 1) / each_bytes);
    unit->number = (uintptr_t)address / UNIT_BYTES;
    return base;
}

/* The object that the record of `address` is of; NULL: there is none any more. */
static inline char *object_of(struct unit *unit, char *address)
{
    if ((uintptr_t)address / UNIT_BYTES != unit->number || address < unit->base)
        return look(unit, address);
    uint64_t offset = (uint64_t)(address - unit->base);
    return unit->base + (offset * unit->inverse >> 32) * unit->each_bytes;
}

/* Whether it is live. */
static inline bool see(struct reclaim *reclaim, uintptr_t address, uint64_t size_bytes)
{
    struct boehm_heap *heap = &reclaim->heap;
    char *object = object_of(&reclaim->unit, (char *)address);
    if (!object || !is_marked(object))
        return false;
    heap->live_bytes += size_bytes;
    heap->live_objects++;
    heap->atomic_bytes += reclaim->unit.is_atomic ? size_bytes : 0;
    return true;
}

/* Those of one page of the heap. */
static void free_dead(struct reclaim *reclaim, const uintptr_t *dead, unsigned count)
{
    if (count == 0 || !is_heap((void *)dead[0])) /* malloc's, in between */
        return;
    reclaim->heap.freed_objects += count;
    reclaim->heap.freed_bytes += tracker_free_all(reclaim->own, dead, count);
}

static void see_small(struct reclaim *reclaim, uintptr_t start, uintptr_t end)
{
    struct block_small found[BLOCK_PAGE_SMALL_MAX];
    uintptr_t dead[BLOCK_PAGE_SMALL_MAX];
    for (uintptr_t page = block_page_next(start); page < end;
         page = block_page_next(page + BLOCK_PAGE_SMALL)) {
        unsigned count = block_page(page, true, found), dead_count = 0;
        for (unsigned i = 0; i < count; i++) {
            uintptr_t address = page + found[i].at;
            if (found[i].live && !see(reclaim, address, lot_at(found[i].lot)->size_bytes))
                dead[dead_count++] = address;
        }
        free_dead(reclaim, dead, dead_count);
    }
}

static void see_large(struct reclaim *reclaim, uintptr_t start, uintptr_t end)
{
    struct block_seen seen;
    uintptr_t from = start;
    while (block_large_next(&from, &seen) && seen.address < end)
        if (seen.live && seen.address >= start &&
            !see(reclaim, seen.address, seen.block.size_bytes))
            free_dead(reclaim, &seen.address, 1);
}

enum { HEAP_BLOCK_BYTES = 4096 }; /* libgc's HBLKSIZE, unless it was built for something else */

/* One of libgc's blocks: a page of objects of one size, or a large one. */
static void add_marked(void *block, uintptr_t context)
{
    uint64_t *marked_bytes = (uint64_t *)context;
    size_t each_bytes = size_of(block);
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
    if (heap.start >= heap.end || !boehm.GC_base || !boehm.GC_size || !boehm.GC_is_marked)
        return reclaim.heap;
    see_small(&reclaim, heap.start & ~(uintptr_t)(BLOCK_PAGE_SMALL - 1), heap.end);
    see_large(&reclaim, heap.start, heap.end);
    return reclaim.heap;
}
