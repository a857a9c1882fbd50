#include "preload/tables/memo_branch.h"

#include "memo_probe.h"
#include "memo_tree.h"

#include <alloca.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>

enum {
    CAPTURES = 60000,
    DEPTH = 14,
    PLACES = 5,
    PLACE_BYTES = 1040,
    INNER_FRAMES_MAX = 6,
    ROOM_BYTES = 16
};

static uint32_t by_branch; /* captures */
static jmp_buf jump_place;
static volatile size_t room_bytes = 16;

static void visit(void *tree)
{
    (void)tree;
    memo_probe();
    const struct memo_branches *branches = &memo_probe_memo.branches;
    uintptr_t at = (uintptr_t)memo_probe_leaf - (uintptr_t)branches->table;
    by_branch += branches->table && at < sizeof(*branches->table) << (64 - branches->shift);
}

static void visit_and_jump(void *tree)
{
    visit(tree);
    if (tree_random(tree, 61) == 0)
        longjmp(jump_place, 1);
}

/* What grows from here on has grown elsewhere. */
static void visit_and_repeat(void *context)
{
    struct tree *tree = context;
    visit(tree);
    if (tree_random(tree, 4) == 0)
        tree->random = tree_random(tree, 7);
}

static void visit_and_clear(void *tree)
{
    if (tree_random(tree, 301) == 0)
        memo_clear(&memo_probe_memo);
    visit(tree);
}

/* So many trees take turns, each always the same; the part of the captures, in percent, that took a branch. */
static uint32_t grow(struct tree *tree, uint32_t trees)
{
    by_branch = 0;
    for (volatile uint32_t turn = 0; memo_probes.taken < CAPTURES; turn++) {
        tree->random = 1 + turn % trees;
        if (setjmp(jump_place) == 0)
            tree_grow(tree, DEPTH);
    }
    return by_branch * 100 / memo_probes.taken;
}

/* Which branches push each other out their addresses decide: with bad luck, in one of some places of the stack. */
static uint32_t grow_somewhere(struct tree *tree, uint32_t trees, uint32_t enough)
{
    uint32_t percent = 0;
    for (size_t place = 0; place < PLACES && percent < enough; place++) {
        volatile char *room = alloca(PLACE_BYTES);
        room[0] = 0;
        memo_probe_reset(NULL);
        percent = grow(tree, trees);
        assert_int_equal(memo_probes.different, 0);
    }
    return percent;
}

static void test_trees_that_come_back(void **state)
{
    (void)state;
    struct tree tree = {.visit = visit, .context = &tree};
    assert_in_range(grow_somewhere(&tree, 3, 30), 30, 100);
    assert_int_equal(memo_probes.different, 0);
}

static void test_trees_with_equal_ends(void **state)
{
    (void)state;
    struct tree tree = {.visit = visit_and_repeat, .context = &tree};
    grow(&tree, CAPTURES);
    assert_int_equal(memo_probes.different, 0);
}

#define CALL_IS_NO_JUMP() __asm__ volatile("")

static __attribute__((noinline)) void tail_0(void)
{
    visit(NULL);
    CALL_IS_NO_JUMP();
}

static __attribute__((noinline)) void tail_1(void)
{
    visit(NULL);
    __asm__ volatile("nop");
}

static void (*volatile const tails[])(void) = {tail_0, tail_1};

/* So many frames inside the one that the stacks have in common, of two cells each: alloca() needs the frame pointer. */
static __attribute__((noinline)) void tail_below(uint32_t frames, uint32_t tail)
{
    volatile char *room = alloca(room_bytes);
    room[0] = 0;
    if (frames == 0)
        tails[tail]();
    else
        tail_below(frames - 1, tail);
    CALL_IS_NO_JUMP();
}

static uint32_t inner_frames, tail_next;
static bool first_next;

/* From two places. */
static __attribute__((noinline)) void base(void)
{
    if (first_next) {
        tail_below(inner_frames, tail_next);
        CALL_IS_NO_JUMP();
    } else {
        tail_below(inner_frames, tail_next);
        __asm__ volatile("nop");
    }
}

static __attribute__((noinline)) void base_below(uint32_t frames)
{
    if (frames == 0)
        base();
    else
        base_below(frames - 1);
    CALL_IS_NO_JUMP();
}

/* From two places, at the same depth of the stack. */
static __attribute__((noinline)) void call_base(bool here, uint32_t frames)
{
    if (here) {
        base_below(frames);
        CALL_IS_NO_JUMP();
    } else {
        base_below(frames);
        __asm__ volatile("nop");
    }
}

/* Cells are looked at in groups, which begin at the root. */
static __attribute__((noinline)) void call_base_below(uint32_t outer_frames, bool here,
                                                      uint32_t frames)
{
    if (outer_frames == 0)
        call_base(here, frames);
    else
        call_base_below(outer_frames - 1, here, frames);
    CALL_IS_NO_JUMP();
}

/* Now and then it is another place that base_below() is called from; which of four ways inside it, differs each time. */
static void change_beyond_the_join(uint32_t outer_frames, uint32_t frames)
{
    struct tree tree = {.random = 1 + outer_frames};
    volatile bool here = true;
    memo_probe_reset(NULL);
    for (volatile uint32_t turn = 0; turn < 300; turn++) {
        first_next = tree_random(&tree, 2);
        tail_next = tree_random(&tree, 2);
        here ^= tree_random(&tree, 8) == 0;
        call_base_below(outer_frames, here, frames);
    }
    assert_int_equal(memo_probes.different, 0);
}

/* The cells nearest to the join are looked at in another way than those farther out, unless a branch is full. */
static void test_changes_beyond_the_join(void **state)
{
    (void)state;
    by_branch = 0;
    for (inner_frames = 0; inner_frames < INNER_FRAMES_MAX; inner_frames++)
        for (volatile uint32_t frames = 0; frames < 12; frames++)
            for (volatile uint32_t outer_frames = 0; outer_frames < 4; outer_frames++)
                change_beyond_the_join(outer_frames, frames);
    assert_in_range(by_branch, 10000, UINT32_MAX);
}

static void test_more_trees_than_branches(void **state)
{
    (void)state;
    struct tree tree = {.visit = visit, .context = &tree};
    assert_in_range(grow(&tree, 60), 0, 30);
    assert_int_equal(memo_probes.different, 0);
}

static void test_jumps(void **state)
{
    (void)state;
    struct tree tree = {.visit = visit_and_jump, .context = &tree};
    assert_in_range(grow_somewhere(&tree, 5, 10), 10, 100);
    assert_int_equal(memo_probes.different, 0);
}

static void test_clearing(void **state)
{
    (void)state;
    struct tree tree = {.visit = visit_and_clear, .context = &tree};
    assert_in_range(grow_somewhere(&tree, 3, 30), 30, 100);
    assert_int_equal(memo_probes.different, 0);
}

#define TEST(function) cmocka_unit_test_setup(function, memo_probe_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_trees_that_come_back),
        TEST(test_trees_with_equal_ends),
        TEST(test_changes_beyond_the_join),
        TEST(test_more_trees_than_branches),
        TEST(test_jumps),
        TEST(test_clearing),
    };
    return cmocka_run_group_tests(tests, memo_probe_open, NULL);
}
