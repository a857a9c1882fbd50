#include "tracker.h"

#include "arena.h"
#include "guard.h"
#include "inner.h"
#include "oracle.h"
#include "range.h"
#include "site.h"

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

void tracker_init(void)
{
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

/* The site this event belongs to; 0 when a table is full. */
static uint32_t site_here(const struct unwind_start *start, enum box_kind kind)
{
    struct capture capture;
    oracle_capture(&capture, start, tracker_stack_top(start->sp));
    if (capture.cut)
        lost(&arena.header->lost.cut_stacks);
    if (capture.ended)
        lost(&arena.header->lost.unwind_ends);
    uint32_t site = site_intern(&capture, kind);
    return site <= BLOCK_SITE_MAX ? site : BOX_NONE;
}

static void pace_checks(struct guard_thread *own, size_t bytes)
{
    if (guard_process.checking &&
        (++own->events % TRACKER_CHECK_EVENTS == 0 || bytes >= TRACKER_CHECK_BYTES))
        guard_want(GUARD_WANT_CHECK);
}

void tracker_freed(struct guard_thread *own, const struct block *block)
{
    (void)own;
    if (!guard_counts())
        return;
    site_count_free(block->site, 1, block->size_bytes);
}

bool tracker_take(struct guard_thread *own, void *address, struct block *block)
{
    (void)own;
    return block_take((uintptr_t)address, block);
}

void tracker_restore(void *address, const struct block *block)
{
    block_put((uintptr_t)address, block); /* the shadow is there: it held this very record */
}

void tracker_free_nested(void *address)
{
    struct block block;
    if (block_take((uintptr_t)address, &block))
        tracker_freed(NULL, &block);
}

void tracker_free(struct guard_thread *own, void *address)
{
    guard_record(own);
    tracker_free_nested(address);
    guard_set(GUARD_CALLING);
}

void tracker_missed(const void *caller)
{
    enum guard_state now = guard_state();
    if (now != GUARD_OUTSIDE && !(now == GUARD_CALLING && inner_has(caller)) && guard_counts())
        lost(&arena.header->lost.nested_events);
}

void tracker_alloc(struct guard_thread *own, void *address, size_t size_bytes,
                   const struct unwind_start *start)
{
    if (!address || !guard_record(own))
        return;
    /* A record still there belongs to a block that was freed behind our back. */
    tracker_free_nested(address);
    if (own->paused)
        return;
    struct block block = {.site = site_here(start, BOX_KIND_MALLOC),
                          .epoch = (uint32_t)arena.header->collections % BLOCK_EPOCHS,
                          .size_bytes = size_bytes};
    if (block.site != BOX_NONE && ((uintptr_t)address & 15) == 0 &&
        block_put((uintptr_t)address, &block))
        site_count_alloc(block.site, 1, size_bytes);
    else
        lost(&arena.header->lost.blocks);
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

void tracker_map(struct guard_thread *own, void *start, size_t bytes,
                 const struct unwind_start *from)
{
    if (!guard_record(own))
        return;
    uint32_t site = own->paused ? BOX_NONE : site_here(from, BOX_KIND_MMAP);
    range_lock();
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
    if (!guard_record(own))
        return false;
    range_lock();
    return true;
}

void tracker_release(void)
{
    range_unlock();
}

void tracker_unmap(void *start, size_t bytes)
{
    range_cut((uintptr_t)start, bytes, range_gone, NULL);
}

bool tracker_remap(const struct tracker_move *move)
{
    struct range_remap remap = {.from = (uintptr_t)move->from,
                                .from_bytes = move->from_bytes,
                                .to = (uintptr_t)move->to,
                                .to_bytes = move->to_bytes,
                                .keep = move->keep};
    return range_move(&remap, range_gone, range_grown, NULL) != BOX_NONE;
}

static void inherit_block(uintptr_t address, const struct block *block, void *context)
{
    (void)address;
    (void)context;
    site_count_alloc(block->site, 1, block->size_bytes);
}

static void inherit_range(const struct range_piece *piece, void *context)
{
    (void)context;
    site_count_alloc(piece->site, piece->first, piece->end - piece->start);
}

void tracker_inherit(void)
{
    site_reset();
    block_each(inherit_block, NULL);
    range_each(inherit_range, NULL);
}
