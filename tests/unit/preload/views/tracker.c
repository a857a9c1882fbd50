#include "preload/views/leaf.h"
#include "preload/views/tracker.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/inner.h"

#include "fake_hooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { DEEP = BOX_DEPTH_MAX + 50 };

static char *const heap = (char *)0x700000000000; /* no one else uses these addresses */

static void test_alloc_and_free(void **state)
{
    (void)state;
    uint64_t leaf = hook_alloc_some(heap, 5, 50);
    uint64_t large = hook_alloc(heap + (1 << 20), 3000000);
    uint32_t site = site_by(leaf, BOX_KIND_MALLOC), large_site = site_by(large, BOX_KIND_MALLOC);
    assert_counts(site, &(struct counts){5, 50 + 51 + 52 + 53 + 54, 0, 0});
    assert_counts(large_site, &(struct counts){1, 3000000, 0, 0});
    hook_free(heap + 64);
    hook_free(heap + 64); /* known once only */
    hook_free(heap + 16);
    hook_free(NULL);
    hook_free(heap + (1 << 20));
    assert_counts(site, &(struct counts){5, 50 + 51 + 52 + 53 + 54, 1, 51});
    assert_counts(large_site, &(struct counts){1, 3000000, 1, 3000000});
    uint32_t sites = arena.tables[BOX_SITES].count;
    hook_alloc(NULL, 100); /* the allocator had none */
    assert_int_equal(arena.tables[BOX_SITES].count, sites);
    hook_alloc(heap + 4096, 0);
    uint32_t none = site_newest();
    assert_counts(none, &(struct counts){1, 0, 0, 0}); /* no bytes are an object too */
    assert_nothing_lost();
}

static uint64_t caller_returns_to;

__attribute__((noinline)) static uint64_t alloc_for(void *address)
{
    caller_returns_to = (uint64_t)__builtin_return_address(0);
    uint64_t leaf = hook_alloc(address, 8);
    __asm__ volatile("" ::: "memory"); /* no tail call: this frame is to be there */
    return leaf;
}

/* A stack goes from the hook's caller to its callers. */
static void test_the_stack(void **state)
{
    (void)state;
    uint64_t leaf = alloc_for(heap + 0x10000), first = caller_returns_to;
    uint32_t site = site_newest();
    assert_true(site_leaf(site) == leaf);
    uint64_t again = alloc_for(heap + 0x10040);
    uint32_t other = site_newest();
    assert_int_equal(leaf, again); /* one place, called from two */
    assert_int_not_equal(site, other);
    const struct box_node *node = arena_entry(BOX_NODES, site_at(site)->node);
    const struct box_node *caller = arena_entry(BOX_NODES, node->parent);
    const struct box_pc *pc = arena_entry(BOX_PCS, caller->pc);
    assert_int_equal(pc->address, first);
    const struct box_mapping *mapping = arena_entry(BOX_MAPPINGS, pc->mapping);
    assert_int_equal(mapping->flags, BOX_MAPPING_MAIN);
    assert_int_equal(arena.header->lost.unwind_ends, 0);
}

__attribute__((noinline)) static int recurse(int depth)
{
    if (depth == 0)
        return (int)hook_alloc(heap + 0x20000, 1);
    int result = recurse(depth - 1);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static void test_deep_stacks_are_cut(void **state)
{
    (void)state;
    recurse(DEEP);
    assert_int_equal(arena.header->lost.cut_stacks, 1);
    assert_int_equal(arena.header->lost.blocks, 0);
    assert_int_equal(site_at(site_newest())->flags, BOX_SITE_CUT);
}

/* The address was freed behind our back and is given out again. */
static void test_a_record_left_over(void **state)
{
    (void)state;
    uint32_t old = site_by(hook_alloc(heap + 0x30000, 100), BOX_KIND_MALLOC);
    uint32_t fresh = site_by(hook_alloc(heap + 0x30000, 200), BOX_KIND_MALLOC);
    assert_counts(old, &(struct counts){1, 100, 1, 100});
    assert_counts(fresh, &(struct counts){1, 200, 0, 0});
}

/* A library is unloaded by another thread, between the stack and the record that stands in the way. */
__attribute__((noinline)) static void alloc_while_forgetting(void *address, size_t size_bytes)
{
    struct unwind_start start = UNWIND_HERE();
    struct guard_thread *own = guard_enter_recording();
    struct memo_leaf *leaf = leaf_stepped(thread_of(own), &start);
    guard_forget();
    tracker_block(own, leaf, address, size_bytes);
    assert_int_equal(guard_state(), GUARD_RECORDING);
    guard_leave(own);
}

static void test_a_record_left_over_and_a_library_gone(void **state)
{
    (void)state;
    struct block block;
    uint32_t old = site_by(hook_alloc(heap + 0x34000, 100), BOX_KIND_MALLOC);
    alloc_while_forgetting(heap + 0x34000, 200);
    assert_counts(old, &(struct counts){1, 100, 1, 100});
    assert_true(block_find((uintptr_t)heap + 0x34000, &block));
    assert_int_equal(block.size_bytes, 200);
    assert_counts(block.site, &(struct counts){1, 200, 0, 0});
}

/* The same, in a thread that is paused: the new block is nobody's, but the old one is gone. */
static void test_a_record_left_over_while_paused(void **state)
{
    (void)state;
    uint32_t old = site_by(hook_alloc(heap + 0x38000, 100), BOX_KIND_MALLOC);
    struct block block;
    guard_self()->paused = 1;
    hook_alloc(heap + 0x38000, 200);
    guard_self()->paused = 0;
    assert_counts(old, &(struct counts){1, 100, 1, 100});
    assert_false(block_find((uintptr_t)heap + 0x38000, &block));
}

static void test_odd_addresses_are_lost_and_counted(void **state)
{
    (void)state;
    uint32_t site = site_by(hook_alloc(heap + 0x40008, 100), BOX_KIND_MALLOC);
    assert_counts(site, &(struct counts){0});
    hook_alloc((void *)((uintptr_t)1 << 48), 100);
    assert_int_equal(arena.header->lost.blocks, 2);
}

static void test_resizing(void **state)
{
    (void)state;
    struct block block;
    uint32_t site = site_by(hook_alloc(heap + 0x60000, 100), BOX_KIND_MALLOC);
    assert_true(tracker_take(NULL, heap + 0x60000, &block));
    assert_int_equal(block.size_bytes, 100);
    assert_counts(site, &(struct counts){1, 100, 0, 0}); /* taken, not yet counted */
    struct block none;
    assert_false(tracker_take(NULL, heap + 0x60000, &none));
    tracker_restore(heap + 0x60000, &block); /* it failed */
    assert_true(tracker_take(NULL, heap + 0x60000, &block));
    tracker_freed(NULL, &block); /* it did not */
    assert_counts(site, &(struct counts){1, 100, 1, 100});
}

/* Only what the profiler itself stood in the way of is lost. */
static void test_missed(void **state)
{
    (void)state;
    const void *here = (const void *)test_missed;
    guard_process.recording = true;
    tracker_missed(here);
    guard_set(GUARD_CALLING);
    tracker_missed(here); /* whose code this is nobody knows yet */
    inner_init((const void *)malloc);
    tracker_missed((const void *)malloc); /* the next allocator's inner calls */
    assert_nothing_lost();
    tracker_missed(heap); /* a handler's, that has interrupted it */
    assert_int_equal(arena.header->lost.nested_events, 1);
    guard_set(GUARD_RECORDING);
    tracker_missed((const void *)malloc);
    assert_int_equal(arena.header->lost.nested_events, 2);
    guard_process.recording = false;
    tracker_missed(here);
    assert_int_equal(arena.header->lost.nested_events, 2);
    guard_set(GUARD_OUTSIDE);
}

static void test_epoch_at_birth(void **state)
{
    (void)state;
    struct block block;
    block_set_epoch(BLOCK_EPOCHS - 1 + 3);
    hook_alloc(heap + 0x70000, 1);
    block_set_epoch(0);
    assert_true(block_find((uintptr_t)heap + 0x70000, &block));
    assert_int_equal(block.epoch, 3);
}

#define TEST(function) cmocka_unit_test_setup(function, fake_hooks_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alloc_and_free),
        TEST(test_the_stack),
        TEST(test_deep_stacks_are_cut),
        TEST(test_a_record_left_over),
        TEST(test_a_record_left_over_and_a_library_gone),
        TEST(test_a_record_left_over_while_paused),
        TEST(test_odd_addresses_are_lost_and_counted),
        TEST(test_resizing),
        TEST(test_missed),
        TEST(test_epoch_at_birth),
    };
    return cmocka_run_group_tests(tests, fake_hooks_start, NULL);
}
