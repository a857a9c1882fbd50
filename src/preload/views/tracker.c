#include "tracker.h"

#include "gate.h"
#include "oracle.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/inner.h"
#include "preload/ground/options.h"
#include "preload/ground/sample.h"
#include "preload/tables/claim.h"
#include "preload/tables/memo_branch.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"
#include "preload/tables/usable.h"

#include <assert.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
    TRACKER_STACK_BYTES_MAX = 1 << 30, /* farther below a stack's top than this is another stack */
    TRACKER_CHECK_EVENTS = 256,        /* a growth check is thought of so often ... */
    TRACKER_CHECK_BYTES = 1 << 20      /* ... and at every request of this size */
};

static struct {
    uintptr_t main_top; /* the main thread's stack ends above this */
} state;

static struct guard_thread *acquire(void)
{
    struct thread *thread = thread_acquire();
    if (!thread)
        __atomic_fetch_add(&arena.header->lost.blocks, 1, __ATOMIC_RELAXED);
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
    /* The program's file name lies above the outermost frame; the kernel put it there. */
    state.main_top = getauxval(AT_EXECFN) & ~15ul;
}

uintptr_t tracker_stack_top(uintptr_t sp)
{
    uintptr_t top = (uintptr_t)__builtin_thread_pointer();
    if (sp < top && top - sp < TRACKER_STACK_BYTES_MAX)
        return top;
    return sp < state.main_top && state.main_top - sp < TRACKER_STACK_BYTES_MAX ? state.main_top
                                                                                : 0;
}

static void lost(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* By libunwind alone: no memo. */
static struct memo_leaf *leaf_by_libunwind(struct thread *thread, const struct unwind_start *start,
                                           uintptr_t stack_top)
{
    struct capture capture;
    oracle_capture(&capture, start, stack_top);
    if (capture.cut)
        lost(&arena.header->lost.cut_stacks);
    if (capture.ended)
        lost(&arena.header->lost.unwind_ends);
    uint32_t site = site_intern(&capture, BOX_KIND_MALLOC);
    const struct box_site *entry = arena_entry(BOX_SITES, site);
    thread->other = (struct memo_leaf){.node = entry->node, .site = site};
    return &thread->other;
}

/* As oracle.h says: by libunwind, or by our own rules with libunwind beside them. */
static __attribute__((noinline)) struct memo_leaf *leaf_otherwise(struct thread *thread,
                                                                  const struct unwind_start *start,
                                                                  uintptr_t stack_top)
{
    if (options.unwind == OPTIONS_UNWIND_LIBUNWIND)
        return leaf_by_libunwind(thread, start, stack_top);
    struct memo_leaf *leaf = memo_capture(&thread->memo, start, stack_top);
    oracle_check(leaf->node, start, stack_top);
    return leaf;
}

/* Where the calling thread's stack ends in the trie. */
static inline struct memo_leaf *leaf_here(struct thread *thread, const struct unwind_start *start)
{
    uintptr_t stack_top = tracker_stack_top(start->sp);
    if (__builtin_expect(options.unwind != OPTIONS_UNWIND_RULES, false))
        return leaf_otherwise(thread, start, stack_top);
    return memo_capture(&thread->memo, start, stack_top);
}

static __attribute__((noinline)) uint32_t site_of_new_leaf(struct memo_leaf *leaf,
                                                           size_t size_bytes)
{
    if (leaf->site == BOX_NONE && leaf->node != BOX_NONE)
        leaf->site = site_of_node(leaf->node, BOX_KIND_MALLOC, false);
    if (sample.period_bytes != 0 && leaf->site != BOX_NONE)
        return site_sized(leaf->site, size_bytes);
    return leaf->site;
}

static inline uint32_t site_of_leaf(struct memo_leaf *leaf, size_t size_bytes)
{
    if (__builtin_expect(leaf->site != BOX_NONE && sample.period_bytes == 0, 1))
        return leaf->site;
    return site_of_new_leaf(leaf, size_bytes);
}

/* The thread has not kept it: it asks for the lot, and the allocator for its slack, once. */
static __attribute__((noinline)) uint32_t lot_met(struct thread *thread, uint32_t site,
                                                  void *address, size_t size_bytes)
{
    uint32_t lot = site != BOX_NONE ? lot_intern(site, size_bytes) : BOX_NONE;
    if (lot == BOX_NONE)
        return BOX_NONE;
    usable_learn(lot, address, size_bytes);
    lot_keep(&thread->lots, site, size_bytes, lot);
    return lot;
}

/* The lot of a request: most are like the last one at their leaf. */
static inline uint32_t lot_of_leaf(struct thread *thread, struct memo_leaf *leaf, void *address,
                                   size_t size_bytes)
{
    uint64_t last = leaf->last;
    if (last != 0 && (uint32_t)last == size_bytes)
        return memo_leaf_lot(last);
    uint32_t site = site_of_leaf(leaf, size_bytes);
    uint32_t lot = lot_kept(&thread->lots, site, size_bytes);
    if (__builtin_expect(lot == BOX_NONE, 0))
        lot = lot_met(thread, site, address, size_bytes);
    if (lot != BOX_NONE && size_bytes < BLOCK_LARGE_BYTES) /* plain.h asks no further */
        leaf->last = memo_leaf_last(lot, (uint32_t)size_bytes);
    return lot;
}

static void pace_checks(struct guard_thread *own, size_t bytes)
{
    if (guard_process.checking &&
        (++own->events % TRACKER_CHECK_EVENTS == 0 || bytes >= TRACKER_CHECK_BYTES))
        guard_want(GUARD_WANT_CHECK);
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
        lost(&arena.header->lost.nested_events);
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
    block->site = site_of_leaf(leaf, block->size_bytes);
    if (block->site == BOX_NONE || !block_put((uintptr_t)address, block)) {
        lost(&arena.header->lost.blocks);
        return;
    }
    if (sample.period_bytes != 0)
        sample_watch((uintptr_t)address);
    count_alloc(thread_of(own), block);
}

struct memo_leaf *tracker_leaf(struct guard_thread *own, const struct unwind_start *start)
{
    struct memo *memo = &thread_of(own)->memo;
    struct memo_leaf *leaf = memo_branch_follow(memo);
    return leaf ? leaf : memo_capture_stepped(memo, start, tracker_stack_top(start->sp));
}

void tracker_block(struct guard_thread *own, struct memo_leaf *leaf, void *address,
                   size_t size_bytes)
{
    if (!address)
        return;
    struct block block = {.epoch = block_epoch(),
                          .size_bytes = size_bytes,
                          .lot = lot_of_leaf(thread_of(own), leaf, address, size_bytes)};
    if (size_bytes < BLOCK_LARGE_BYTES && block.lot != BOX_NONE && sample.period_bytes == 0 &&
        block_put_lot((uintptr_t)address, block.lot, block.epoch))
        delta_alloc(&thread_of(own)->delta, block.lot);
    else
        put_unusual(own, leaf, address, &block);
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
    pace_checks(own, size_bytes);
}

static void range_gone(uint32_t site, uint64_t bytes, bool object, void *context)
{
    (void)context;
    site_count_free(site, object, bytes);
}

static void range_grown(uint32_t site, uint64_t bytes, void *context)
{
    (void)context;
    site_count_alloc(site, 0, bytes);
}

/*
 * Takes the range lock as one who calls: who has it may be in a system call for long, or wait for the
 * gate, which waits for all who are recording. False: it is not to be had.
 */
static bool lock_ranges(void)
{
    bool held;
    guard_set(GUARD_CALLING);
    if (!range_lock_or_not(&held) || !held)
        lost(&arena.header->lost.ranges);
    return held;
}

static bool hold(struct guard_thread *own)
{
    if (!lock_ranges())
        return false;
    if (guard_record(own))
        return true;
    range_unlock();
    return false;
}

bool tracker_claim(void *start, size_t bytes, const void *caller)
{
    if (!guard_counts() || !inner_is_allocator(caller))
        return false;
    claim_add((uintptr_t)start, bytes);
    return true;
}

void tracker_map(struct guard_thread *own, void *start, size_t bytes,
                 const struct unwind_start *from)
{
    uint32_t site = BOX_NONE;
    if (!guard_record(own))
        return;
    if (!own->paused) {
        const struct memo_leaf *leaf = leaf_here(thread_of(own), from);
        site = leaf->node != BOX_NONE ? site_of_node(leaf->node, BOX_KIND_MMAP, false) : BOX_NONE;
    }
    if (!hold(own))
        return;
    bool kept = range_put((uintptr_t)start, bytes, site, range_gone, NULL);
    range_unlock();
    if (kept && site != BOX_NONE)
        site_count_alloc(site, 1, bytes);
    else if (!own->paused)
        lost(&arena.header->lost.ranges);
    pace_checks(own, bytes);
}

bool tracker_hold(struct guard_thread *own)
{
    if (!guard_record(own)) /* a forked child's first event has let go of what the parent held */
        return false;
    return lock_ranges();
}

void tracker_release(void)
{
    range_unlock();
}

void tracker_unmap(void *start, size_t bytes)
{
    if (guard_record(guard_own))
        range_cut((uintptr_t)start, bytes, range_gone, NULL);
}

bool tracker_unmap_at_once(void *start, size_t bytes)
{
    if (!guard_own ||
        !guard_record_at_once(guard_own)) /* a thread that ends has no struct any more */
        return false;
    range_cut((uintptr_t)start, bytes, range_gone, NULL);
    guard_set(GUARD_CALLING);
    return true;
}

bool tracker_remap(const struct tracker_move *move)
{
    struct range_remap remap = {.from = (uintptr_t)move->from,
                                .from_bytes = move->from_bytes,
                                .to = (uintptr_t)move->to,
                                .to_bytes = move->to_bytes,
                                .keep = move->keep};
    return !guard_record(guard_own) ||
           range_move(&remap, range_gone, range_grown, NULL) != BOX_NONE;
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
