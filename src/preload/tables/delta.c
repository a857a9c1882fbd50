#include "delta.h"

#include "history.h"
#include "lot.h"
#include "site.h"

#include <string.h>

enum {
    DELTA_SLOTS_MIN = 64, /* 1 KiB: most threads use few lots at a time */
    DELTA_GROWTH_BITS = 2,
    DELTA_CLASSES = 5,               /* 64 to 16384 slots: 256 KiB stays in a core's own cache */
    DELTA_SLOTS_TOTAL_MAX = 1 << 20, /* 16 MiB: then no table grows, though new ones are made */
    DELTA_POOL_MAX = 1024,           /* outgrown tables kept for the next threads */
    DELTA_EVENTS_ENOUGH = 16,        /* a slot pushed out after so many has earned its place */
    DELTA_RETRY_TURNS = 1024         /* without memory for a table: between two attempts */
};

#define DELTA_SPARE UINT32_MAX /* `drains` of a spare: it counts from one short of a spill */

/* Kept by the intern lock. */
static struct {
    uint64_t slots; /* of all tables made */
    uint32_t free_count[DELTA_CLASSES];
    uint32_t free[DELTA_CLASSES][DELTA_POOL_MAX]; /* first slot of each */
} pool;

static uint32_t class_slots(unsigned class)
{
    return DELTA_SLOTS_MIN << (class * DELTA_GROWTH_BITS);
}

static unsigned class_of(const struct delta *delta)
{
    uint32_t shares = (delta->mask + 1) / DELTA_SLOTS_MIN;
    return (31u - (unsigned)__builtin_clz(shares | 1)) / DELTA_GROWTH_BITS; /* 0: see adopt() */
}

static uint32_t make_table(uint32_t slots)
{
    /* The sentinel must not have tables share their neighbours' cache lines. */
    uint32_t rest = arena.tables[BOX_DELTAS].count % DELTA_SLOTS_MIN;
    if (rest != 0)
        arena_append(BOX_DELTAS, DELTA_SLOTS_MIN - rest);
    uint32_t first = arena_append(BOX_DELTAS, slots);
    if (first == BOX_NONE)
        return BOX_NONE;
    arena_publish(BOX_DELTAS);
    pool.slots += slots;
    return first;
}

/* The first slot of a table, all zero; BOX_NONE: there is none. */
static uint32_t take_table(unsigned class)
{
    uint32_t first = BOX_NONE, slots = class_slots(class);
    if (!site_lock_or_not())
        return BOX_NONE;
    if (pool.free_count[class] > 0)
        first = pool.free[class][--pool.free_count[class]];
    else if (class == 0 || pool.slots + slots <= DELTA_SLOTS_TOTAL_MAX)
        first = make_table(slots);
    site_unlock();
    return first;
}

static void give_table(unsigned class, uint32_t first)
{
    if (!site_lock_or_not())
        return;
    if (first != BOX_NONE && pool.free_count[class] < DELTA_POOL_MAX)
        pool.free[class][pool.free_count[class]++] = first;
    site_unlock();
}

static bool has_table(const struct delta *delta)
{
    return delta->slots != &delta->spare;
}

void delta_init(struct delta *delta)
{
    *delta = (struct delta){.slots = &delta->spare};
    /* What is counted here goes to the site at once. */
    delta->spare.allocs = delta->spare.frees = INT32_MAX;
    delta->spare.drains = DELTA_SPARE;
}

/* Zeroed first: what a kill cuts off in between is lost, not counted twice. */
static void move_to_site(struct box_delta *slot, uint32_t base, uint32_t allocs, uint32_t frees)
{
    struct box_lot lot = *lot_at(slot->lot);
    __atomic_store_n(&slot->allocs, base, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->frees, base, __ATOMIC_RELAXED);
    if (allocs)
        site_count_alloc(lot.site, allocs, (uint64_t)allocs * lot.size_bytes);
    if (frees)
        site_count_free(lot.site, frees, (uint64_t)frees * lot.size_bytes);
}

/*
 * Adds what the slot holds to its site, and gives it to `lot`; the number of events it was. A reader in
 * another process sees by `drains` that what it has of slot and site is not of one moment.
 */
static uint32_t drain(struct box_delta *slot, uint32_t lot)
{
    bool spare = slot->drains == DELTA_SPARE;
    uint32_t base = spare ? INT32_MAX : 0;
    uint32_t allocs = slot->allocs - base, frees = slot->frees - base;
    uint32_t odd = (slot->drains | 1) == DELTA_SPARE ? 1 : slot->drains | 1;
    if (!(allocs | frees) && slot->lot == lot)
        return 0;
    /* pairs: sum_frees(), sum_allocs() in format/box_cut.c, by the fence and by the last store */
    if (!spare)
        __atomic_store_n(&slot->drains, odd, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    if (allocs | frees)
        move_to_site(slot, base, allocs, frees);
    __atomic_store_n(&slot->lot, lot, __ATOMIC_RELEASE); /* pairs: live_of() */
    if (!spare)
        __atomic_store_n(&slot->drains, odd + 1, __ATOMIC_RELEASE);
    return allocs + frees;
}

void delta_spill(struct box_delta *slot)
{
    drain(slot, slot->lot);
}

void delta_fold(struct delta *delta)
{
    for (uint32_t i = 0; i <= delta->mask; i++)
        drain(&delta->slots[i], delta->slots[i].lot);
}

/* A jump may leave at any point: the mask, which says how large the table is and whose class it has, is
   never ahead of the rest. */
static void adopt(struct delta *delta, unsigned class, uint32_t first)
{
    delta->slots = arena_entry(BOX_DELTAS, first);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    delta->first = first;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    delta->mask = class_slots(class) - 1;
}

static void grow(struct delta *delta)
{
    unsigned class = class_of(delta);
    uint32_t first = class + 1 < DELTA_CLASSES ? take_table(class + 1) : BOX_NONE;
    if (first == BOX_NONE)
        return;
    uint32_t old = delta->first;
    delta_fold(delta);
    adopt(delta, class + 1, first);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    give_table(class, old); /* not before: who takes it must be alone in it */
}

void delta_trim(struct delta *delta)
{
    unsigned class = class_of(delta);
    uint32_t first = delta->first;
    if (class == 0)
        return;
    delta_fold(delta);
    delta->mask = 0; /* as in adopt(), the other way round */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    delta_init(delta);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    give_table(class, first);
}

/* A slot is to be pushed out: whether this happens too often. */
static void judge(struct delta *delta)
{
    if (!has_table(delta)) {
        uint32_t first = delta->turns++ % DELTA_RETRY_TURNS == 0 ? take_table(0) : BOX_NONE;
        if (first == BOX_NONE)
            return;
        adopt(delta, 0, first);
    } else if (delta->turns <= delta->mask) {
        return;
    } else if (delta->events / delta->turns < DELTA_EVENTS_ENOUGH) {
        grow(delta);
    }
    delta->turns = 0;
    delta->events = 0;
}

struct box_delta *delta_turn(struct delta *delta, uint32_t lot)
{
    judge(delta);
    struct box_delta *slot = &delta->slots[lot & delta->mask];
    uint32_t events = drain(slot, lot);
    delta->turns += events != 0;
    delta->events += events;
    return slot;
}

/* Every slot of every table, whoever is writing it. */
static void each_slot(void (*visit)(struct box_delta *slot, void *context), void *context)
{
    const struct arena_table *table = &arena.tables[BOX_DELTAS];
    /* pairs: arena_publish() */
    uint64_t count = __atomic_load_n(&arena.header->tables[BOX_DELTAS].count, __ATOMIC_ACQUIRE);
    for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++) {
        struct box_delta *slots =
            (struct box_delta *)__atomic_load_n(&table->chunks[chunk], __ATOMIC_ACQUIRE);
        uint64_t first = box_chunk_entries(table->shift, chunk) - (1ull << table->shift);
        for (uint64_t i = 0; slots && i < box_chunk_entries(table->shift, chunk); i++)
            if (first + i < count)
                visit(&slots[i], context);
    }
}

static int64_t live_of(const struct box_delta *slot, struct box_lot *lot)
{
    *lot = *lot_at(__atomic_load_n(&slot->lot, __ATOMIC_ACQUIRE)); /* pairs: drain() */
    return (int64_t)__atomic_load_n(&slot->allocs, __ATOMIC_RELAXED) -
           (int64_t)__atomic_load_n(&slot->frees, __ATOMIC_RELAXED);
}

static void sum_live(struct box_delta *slot, void *context)
{
    struct box_lot lot;
    int64_t *sum = context, live = live_of(slot, &lot);
    *sum += live * (int64_t)lot.size_bytes;
}

int64_t delta_live_bytes(void)
{
    int64_t sum = 0;
    each_slot(sum_live, &sum);
    return sum;
}

static uint64_t counted_allocs(const struct box_delta *slot)
{
    return __atomic_load_n(&slot->allocs, __ATOMIC_RELAXED);
}

static void mark_live(struct box_delta *slot, void *unused)
{
    (void)unused;
    struct box_lot lot;
    int64_t live = live_of(slot, &lot);
    uint64_t allocs = counted_allocs(slot);
    struct box_history *history = allocs ? history_at(lot.site) : NULL;
    if (history) {
        history->alloc_objects += allocs;
        history->alloc_bytes += allocs * lot.size_bytes;
    }
    if (live == 0)
        return;
    struct box_site *site = arena_entry(BOX_SITES, lot.site);
    __atomic_fetch_add(&site->collected_objects, (uint64_t)live, __ATOMIC_RELAXED);
    __atomic_fetch_add(&site->collected_bytes, (uint64_t)live * lot.size_bytes, __ATOMIC_RELAXED);
}

void delta_mark(void)
{
    each_slot(mark_live, NULL);
}

static void zero_slot(struct box_delta *slot, void *unused)
{
    (void)unused;
    *slot = (struct box_delta){0};
}

void delta_reset(void)
{
    each_slot(zero_slot, NULL);
}
