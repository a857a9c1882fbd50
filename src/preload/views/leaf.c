#include "leaf.h"

#include "oracle.h"
#include "preload/ground/options.h"
#include "preload/ground/sample.h"
#include "preload/tables/memo_branch.h"
#include "preload/tables/site.h"
#include "preload/tables/usable.h"

#include <sys/auxv.h>

enum { STACK_BYTES_MAX = 1 << 30 }; /* farther below a stack's top than this is another stack */

static struct {
    uintptr_t main_top; /* the main thread's stack ends above this */
} state;

void leaf_init(void)
{
    /* The program's file name lies above the outermost frame; the kernel put it there. */
    state.main_top = getauxval(AT_EXECFN) & ~15ul;
}

uintptr_t leaf_stack_top(uintptr_t sp)
{
    uintptr_t top = (uintptr_t)__builtin_thread_pointer();
    if (sp < top && top - sp < STACK_BYTES_MAX)
        return top;
    return sp < state.main_top && state.main_top - sp < STACK_BYTES_MAX ? state.main_top : 0;
}

/* By libunwind alone: no memo. */
static struct memo_leaf *leaf_by_libunwind(struct thread *thread, const struct unwind_start *start,
                                           uintptr_t stack_top)
{
    struct capture capture;
    oracle_capture(&capture, start, stack_top);
    if (capture.cut)
        arena_lost(&arena.header->lost.cut_stacks);
    if (capture.ended)
        arena_lost(&arena.header->lost.unwind_ends);
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

struct memo_leaf *leaf_here(struct thread *thread, const struct unwind_start *start)
{
    uintptr_t stack_top = leaf_stack_top(start->sp);
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

uint32_t leaf_site(struct memo_leaf *leaf, size_t size_bytes)
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

uint32_t leaf_lot(struct thread *thread, struct memo_leaf *leaf, void *address, size_t size_bytes)
{
    uint64_t last = leaf->last;
    if (last != 0 && (uint32_t)last == size_bytes)
        return memo_leaf_lot(last);
    uint32_t site = leaf_site(leaf, size_bytes);
    uint32_t lot = lot_kept(&thread->lots, site, size_bytes);
    if (__builtin_expect(lot == BOX_NONE, 0))
        lot = lot_met(thread, site, address, size_bytes);
    if (lot != BOX_NONE && size_bytes < LOT_SMALL_BYTES) /* plain.h asks no further */
        leaf->last = memo_leaf_last(lot, (uint32_t)size_bytes);
    return lot;
}

struct memo_leaf *leaf_stepped(struct thread *thread, const struct unwind_start *start)
{
    struct memo *memo = &thread->memo;
    struct memo_leaf *leaf = memo_branch_follow(memo);
    return leaf ? leaf : memo_capture_stepped(memo, start, leaf_stack_top(start->sp));
}
