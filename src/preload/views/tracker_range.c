#include "tracker_range.h"

#include "leaf.h"
#include "tracker.h"
#include "preload/ground/arena.h"
#include "preload/ground/inner.h"
#include "preload/tables/claim.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"

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
        arena_lost(&arena.header->lost.ranges);
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
        arena_lost(&arena.header->lost.ranges);
    tracker_pace(own, bytes);
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
