#include "fake_hooks.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/tables/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

__attribute__((noinline)) uint64_t hook_alloc(void *address, size_t size_bytes)
{
    struct unwind_start start = UNWIND_HERE();
    struct guard_thread *own = guard_enter();
    tracker_alloc(own, address, size_bytes, &start);
    guard_leave(own);
    return (uint64_t)__builtin_return_address(0);
}

__attribute__((noinline)) uint64_t hook_map(void *start, size_t bytes)
{
    struct unwind_start from = UNWIND_HERE();
    struct guard_thread *own = guard_enter();
    tracker_map(own, start, bytes, &from);
    guard_leave(own);
    return (uint64_t)__builtin_return_address(0);
}

__attribute__((noinline)) uint64_t hook_alloc_some(char *address, int count, size_t size_bytes)
{
    uint64_t leaf = 0;
    for (volatile int i = 0; i < count; i++) /* volatile: the loop stays one, with one call */
        leaf = hook_alloc(address + 64 * i, size_bytes + (size_t)i);
    return leaf;
}

void hook_free(void *address)
{
    struct guard_thread *own = guard_enter();
    tracker_free(own, address);
    guard_leave(own);
}

void hook_unmap(void *start, size_t bytes)
{
    struct guard_thread *own = guard_enter();
    tracker_hold(own);
    tracker_unmap(start, bytes);
    tracker_release();
    guard_leave(own);
}

bool hook_remap(const struct tracker_move *move)
{
    struct guard_thread *own = guard_enter();
    tracker_hold(own);
    bool known = tracker_remap(move);
    tracker_release();
    guard_leave(own);
    return known;
}

uint32_t hook_served;

static void served(uint32_t wanted)
{
    hook_served |= wanted;
}

int fake_hooks_start(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    unwind_init();
    guard_init(guard_fork_done, served);
    tracker_init();
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

int fake_hooks_reset(void **state)
{
    (void)state;
    guard_set(GUARD_OUTSIDE);
    guard_self()->wanted = guard_self()->events = guard_self()->paused = 0;
    guard_process.recording = true;
    guard_process.checking = false;
    hook_served = 0;
    memset(&arena.header->lost, 0, sizeof(arena.header->lost));
    return 0;
}

uint32_t site_newest(void)
{
    return arena.tables[BOX_SITES].count - 1;
}

const struct box_site *site_at(uint32_t index)
{
    return arena_entry(BOX_SITES, index);
}

uint64_t site_leaf(uint32_t index)
{
    const struct box_node *node = arena_entry(BOX_NODES, site_at(index)->node);
    return ((const struct box_pc *)arena_entry(BOX_PCS, node->pc))->address;
}

uint32_t site_by(uint64_t leaf, enum box_kind kind)
{
    uint32_t found = 0;
    for (uint32_t i = 1; i < arena.tables[BOX_SITES].count; i++)
        if (site_leaf(i) == leaf && site_at(i)->kind == kind) {
            assert_int_equal(found, 0);
            found = i;
        }
    assert_int_not_equal(found, 0);
    return found;
}

void assert_counts(uint32_t site, const struct counts *want)
{
    delta_fold(&thread_of(guard_own)->delta);
    assert_memory_equal(&site_at(site)->alloc_objects, want, sizeof(*want));
}

void assert_nothing_lost(void)
{
    const struct box_lost none = {0};
    assert_memory_equal(&arena.header->lost, &none, sizeof(none));
}
