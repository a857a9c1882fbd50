#include "own.h"

#include "order.h"
#include "sys.h"

#include <sys/auxv.h>
#include <sys/mman.h>

enum {
    OWN_SLOTS_FIRST = 126, /* a small program's */
    OWN_SLOTS_MORE = 1023, /* with the link: 16 KiB */
    OWN_CLAIMED = 1        /* the start of a slot that is being filled in; 0: free */
};

/* `start` decides: it is stored last, and looked at before and after `end`. */
struct own_slot {
    uint64_t start, end; /* atomic */
};

struct own_more {
    struct own_more *next; /* atomic; never freed */
    uint64_t unused;
    struct own_slot slots[OWN_SLOTS_MORE];
};

static struct {
    struct own_slot slots[OWN_SLOTS_FIRST];
    struct own_more *more; /* atomic */
} own;

/* The library's own first byte, and the one behind its bss: the linker's. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static uint64_t page_bytes(void)
{
    return getauxval(AT_PAGESZ);
}

static uint64_t page_up(uint64_t address)
{
    return (address + page_bytes() - 1) & -page_bytes();
}

static struct own_area own_library(void)
{
    return (struct own_area){(uint64_t)__ehdr_start & -page_bytes(), page_up((uint64_t)_end)};
}

struct own_walk {
    struct own_slot *slots;
    unsigned count;
    struct own_more *next;
};

/* The slots of the next piece of the list; false: that was all. */
static bool own_step(struct own_walk *walk)
{
    if (!walk->slots) {
        *walk = (struct own_walk){own.slots, OWN_SLOTS_FIRST,
                                  __atomic_load_n(&own.more, __ATOMIC_ACQUIRE)};
        return true;
    }
    if (!walk->next)
        return false;
    walk->slots = walk->next->slots;
    walk->count = OWN_SLOTS_MORE;
    walk->next = __atomic_load_n(&walk->next->next, __ATOMIC_ACQUIRE);
    return true;
}

/* False: free. An area that is replaced meanwhile is never mixed up with the one that follows. */
static bool slot_read(const struct own_slot *slot, struct own_area *area)
{
    do {
        area->start = __atomic_load_n(&slot->start, __ATOMIC_ACQUIRE); /* pairs: slot_fill() */
        area->end = __atomic_load_n(&slot->end, __ATOMIC_ACQUIRE);
    } while (area->start != __atomic_load_n(&slot->start, __ATOMIC_RELAXED));
    return area->start > OWN_CLAIMED;
}

static bool slot_fill(struct own_slot *slot, const struct own_area *area)
{
    uint64_t nobody = 0;
    if (!__atomic_compare_exchange_n(&slot->start, &nobody, OWN_CLAIMED, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(&slot->end, area->end, __ATOMIC_RELEASE);
    __atomic_store_n(&slot->start, area->start, __ATOMIC_RELEASE); /* pairs: slot_read() */
    return true;
}

static bool own_fill(const struct own_area *area)
{
    struct own_walk walk = {0};
    while (own_step(&walk))
        for (unsigned i = 0; i < walk.count; i++)
            if (__atomic_load_n(&walk.slots[i].start, __ATOMIC_RELAXED) == 0 &&
                slot_fill(&walk.slots[i], area))
                return true;
    return false;
}

/* Another piece in front of the list. Raw: sys_pages() adds what it maps, by a list that is full. */
static bool own_grow(void)
{
    long at = sys_call6(SYS_mmap, sys_place(sizeof(struct own_more)), sizeof(struct own_more),
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_failed(at))
        return false;
    struct own_more *more = (struct own_more *)at;
    more->slots[0] = (struct own_slot){(uint64_t)at, page_up((uint64_t)at + sizeof(*more))};
    more->next = __atomic_load_n(&own.more, __ATOMIC_ACQUIRE);
    /* pairs: own_step() */
    while (!__atomic_compare_exchange_n(&own.more, &more->next, more, false, __ATOMIC_RELEASE,
                                        __ATOMIC_ACQUIRE)) {
    }
    return true;
}

void own_add(const void *start, size_t size_bytes)
{
    struct own_area area = {(uint64_t)start & -page_bytes(), page_up((uint64_t)start + size_bytes)};
    /* Without memory for the list the area is told of as one of nobody's. */
    while (!own_fill(&area) && own_grow()) {
    }
}

/* Takes [start, end) out of one area. The two ends move in an order that only ever makes it smaller. */
static void slot_cut(struct own_slot *slot, const struct own_area *area, uint64_t start,
                     uint64_t end)
{
    if (start <= area->start && end >= area->end)
        __atomic_store_n(&slot->start, 0, __ATOMIC_RELEASE);
    else if (start <= area->start)
        __atomic_store_n(&slot->start, end, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&slot->end, start, __ATOMIC_RELEASE);
    if (start > area->start && end < area->end)
        own_add((const void *)end, area->end - end);
}

void own_remove(const void *start, size_t size_bytes)
{
    uint64_t from = (uint64_t)start & -page_bytes(), to = page_up((uint64_t)start + size_bytes);
    struct own_walk walk = {0};
    struct own_area area;
    while (own_step(&walk))
        for (unsigned i = 0; i < walk.count; i++)
            if (slot_read(&walk.slots[i], &area) && area.start < to && area.end > from)
                slot_cut(&walk.slots[i], &area, from, to);
}

bool own_next(uint64_t address, struct own_area *area)
{
    struct own_walk walk = {0};
    struct own_area each, first = own_library();
    bool found = first.end > address;
    while (own_step(&walk))
        for (unsigned i = 0; i < walk.count; i++)
            if (slot_read(&walk.slots[i], &each) && each.end > address &&
                (!found || each.start < first.start)) {
                first = each;
                found = true;
            }
    if (found)
        *area = first;
    return found;
}

bool own_has(uint64_t address)
{
    struct own_area area;
    return own_next(address, &area) && area.start <= address;
}

static size_t own_join(struct own_area *areas, size_t count)
{
    size_t last = 0;
    for (size_t i = 1; i < count; i++)
        if (areas[i].start > areas[last].end)
            areas[++last] = areas[i];
        else if (areas[i].end > areas[last].end)
            areas[last].end = areas[i].end;
    return last + 1;
}

size_t own_copy(struct own_area *areas, size_t room)
{
    struct own_walk walk = {0};
    struct own_area area = own_library();
    size_t count = 1;
    if (room > 0)
        areas[0] = area;
    while (own_step(&walk))
        for (unsigned i = 0; i < walk.count; i++) {
            if (!slot_read(&walk.slots[i], &area))
                continue;
            if (count < room)
                areas[count] = area;
            count++;
        }
    if (count > room)
        return count;
    order(areas, count, sizeof(*areas));
    return own_join(areas, count);
}
