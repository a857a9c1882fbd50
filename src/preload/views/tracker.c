#include "tracker.h"

#include "gate.h"
#include "leaf.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/inner.h"
#include "preload/ground/sample.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"

#include <assert.h>

enum {
    TRACKER_CHECK_EVENTS = 256,   /* a growth check is thought of so often ... */
    TRACKER_CHECK_BYTES = 1 << 20 /* ... and at every request of this size */
};

static struct guard_thread *acquire(void)
{
    struct thread *thread = thread_acquire();
    if (!thread)
        arena_lost(&arena.header->lost.blocks);
    return thread ? &thread->guard : NULL;
}

/* A thread looks around: libraries that were unloaded must not stay in its memo. */
static void changed(struct guard_thread *own)
{
    struct thread *thread = thread_of(own);
    uint64_t forgets = __atomic_load_n(&guard_process.forgets, __ATOMIC_ACQUIRE);
    if (thread->forgotten == forgets)
        return;
    memo_clear(&thread->memo);
    thread->forgotten = forgets;
}

void tracker_init(void)
{
    guard_process.acquire = acquire;
    guard_process.changed = changed;
    guard_process.wait = gate_wait;
    leaf_init();
}

/* Sampled blocks, and those without a lot, are counted on their site, for all threads to see. */
static bool counts_on_lot(const struct block *block)
{
    return block->lot != BOX_NONE && sample.period_bytes == 0;
}

static void count_alloc(struct thread *thread, const struct block *block)
{
    uint64_t objects = 0, bytes = 0;
    if (counts_on_lot(block)) {
        delta_alloc(&thread->delta, block->lot);
        return;
    }
    sample_weigh(block->size_bytes, 1, &objects, &bytes);
    site_count_alloc(block->site, objects, bytes);
}

static void count_free_on_site(const struct block *block)
{
    uint64_t objects = 0, bytes = 0;
    sample_weigh(block->size_bytes, 1, &objects, &bytes);
    site_count_free(block->site, objects, bytes);
}

/* The guard is held for recording, and is not taken anew: that may clear the memo, and leaves with it. */
static void count_free(struct guard_thread *own, const struct block *block)
{
    if (counts_on_lot(block))
        delta_free(&thread_of(own)->delta, block->lot);
    else
        count_free_on_site(block);
}

void tracker_freed(struct guard_thread *own, const struct block *block)
{
    if (own && guard_record(own))
        count_free(own, block);
    else if (guard_counts())
        count_free_on_site(block);
}

static bool take(void *address, struct block *block)
{
    if (!block_take((uintptr_t)address, block))
        return false;
    if (sample.period_bytes != 0)
        sample_unwatch((uintptr_t)address);
    return true;
}

bool tracker_take(struct guard_thread *own, void *address, struct block *block)
{
    if (own && !guard_record(own))
        own = NULL; /* not recorded (any more): its record goes, uncounted */
    bool taken = take(address, block);
    if (own)
        guard_set(GUARD_CALLING);
    return taken;
}

void tracker_restore(void *address, const struct block *block)
{
    block_put((uintptr_t)address, block); /* the shadow is there: it held this very record */
    if (sample.period_bytes != 0)
        sample_watch((uintptr_t)address);
}

void tracker_free_nested(void *address)
{
    struct block block;
    if (take(address, &block) && guard_counts())
        count_free_on_site(&block);
}

/* What block_take_lot() does not know: large blocks, sampled ones, and none at all. Bytes requested. */
static __attribute__((noinline)) uint64_t free_unusual(struct guard_thread *own, void *address)
{
    struct block block;
    if (take(address, &block))
        count_free(own, &block);
    return block.size_bytes;
}

void tracker_free(struct guard_thread *own, void *address)
{
    if (!guard_record(own)) {
        tracker_free_nested(address);
        return;
    }
    uint32_t lot = sample.period_bytes == 0 ? block_take_lot((uintptr_t)address) : BOX_NONE;
    if (__builtin_expect(lot != BOX_NONE, true))
        delta_free(&thread_of(own)->delta, lot);
    else
        free_unusual(own, address);
    guard_set_of(own, (own->word & ~(uint64_t)GUARD_STATE_MASK) | GUARD_CALLING);
}

/* The guard is held for recording all along. */
static uint64_t free_recorded(struct guard_thread *own, uintptr_t address)
{
    uint32_t lot = sample.period_bytes == 0 ? block_take_lot(address) : BOX_NONE;
    if (__builtin_expect(lot == BOX_NONE, false))
        return free_unusual(own, (void *)address);
    delta_free(&thread_of(own)->delta, lot);
    return lot_at(lot)->size_bytes;
}

uint64_t tracker_free_all(struct guard_thread *own, const uintptr_t *addresses, unsigned count)
{
    uint64_t freed_bytes = 0;
    bool recorded = guard_record(own);
    for (unsigned i = 0; i < count; i++)
        if (recorded)
            freed_bytes += free_recorded(own, addresses[i]);
        else
            tracker_free_nested((void *)addresses[i]);
    if (recorded)
        guard_set(GUARD_CALLING);
    return freed_bytes;
}

void tracker_missed(const void *caller)
{
    enum guard_state now = guard_state();
    if (now != GUARD_OUTSIDE && !(now == GUARD_CALLING && inner_has(caller)) && guard_counts())
        arena_lost(&arena.header->lost.nested_events);
}

static_assert(1 << SAMPLE_SPAN_SHIFT >= BLOCK_LARGE_BYTES,
              "what is evicted began in the same span");

/* What block_put_lot() does not do. */
static void put_unusual(struct guard_thread *own, struct memo_leaf *leaf, void *address,
                        struct block *block)
{
    struct block stale; /* freed behind our back */
    while (block_evict((uintptr_t)address, block->size_bytes, &stale)) {
        if (sample.period_bytes != 0)
            sample_unwatch((uintptr_t)address); /* the same span */
        count_free(own, &stale);
    }
    block->site = leaf_site(leaf, block->size_bytes);
    if (block->site == BOX_NONE || !block_put((uintptr_t)address, block)) {
        arena_lost(&arena.header->lost.blocks);
        return;
    }
    if (sample.period_bytes != 0)
        sample_watch((uintptr_t)address);
    count_alloc(thread_of(own), block);
}

void tracker_block(struct guard_thread *own, struct memo_leaf *leaf, void *address,
                   size_t size_bytes)
{
    if (!address)
        return;
    struct block block = {.epoch = block_epoch(),
                          .size_bytes = size_bytes,
                          .lot = leaf_lot(thread_of(own), leaf, address, size_bytes)};
    if (size_bytes < BLOCK_LARGE_BYTES && block.lot != BOX_NONE && sample.period_bytes == 0 &&
        block_put_lot((uintptr_t)address, block.lot, block.epoch))
        delta_alloc(&thread_of(own)->delta, block.lot);
    else
        put_unusual(own, leaf, address, &block);
}

void tracker_pace(struct guard_thread *own, size_t bytes)
{
    if (guard_process.checking &&
        (++own->events % TRACKER_CHECK_EVENTS == 0 || bytes >= TRACKER_CHECK_BYTES))
        guard_want(GUARD_WANT_CHECK);
}

void tracker_alloc(struct guard_thread *own, void *address, size_t size_bytes,
                   const struct unwind_start *start)
{
    if (!address || !guard_record(own))
        return;
    if (__builtin_expect(own->paused, 0)) {
        free_unusual(own, address);
        return;
    }
    tracker_block(own, leaf_here(thread_of(own), start), address, size_bytes);
    tracker_pace(own, size_bytes);
}

static void inherit_block(uintptr_t address, const struct block *block, void *context)
{
    uint64_t objects = 0, bytes = 0;
    (void)address;
    (void)context;
    sample_weigh(block->size_bytes, 1, &objects, &bytes);
    site_count_alloc(block->site, objects, bytes);
}

void tracker_adopt(struct guard_thread *own, uint32_t inherited, const struct block *block)
{
    if (own) {
        guard_record(own); /* a child's first event takes its tables over */
        guard_set(GUARD_CALLING);
    }
    if (__builtin_expect(guard_process.inherited != inherited, 0) && guard_counts())
        inherit_block(0, block, NULL);
}

static void inherit_range(const struct range_piece *piece, void *context)
{
    (void)context;
    site_count_alloc(piece->site, piece->first, piece->end - piece->start);
}

bool tracker_detach(void)
{
    if (!arena_detach())
        return false;
    delta_reset();
    return true;
}

void tracker_inherit(void)
{
    site_reset();
    delta_reset();
    block_each(inherit_block, NULL);
    range_each(inherit_range, NULL);
}
