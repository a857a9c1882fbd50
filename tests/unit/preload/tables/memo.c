#include "preload/tables/memo.h"

#include "preload/ground/arena.h"
#include "preload/tables/site.h"
#include "preload/tables/stack.h"

#include "memo_probe.h"
#include "memo_tree.h"
#include "stack_chain.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

/* Captures of each random walk: the environment asks for more than a suite has time for. */
static uint32_t captures(void)
{
    const char *wanted = getenv("MEMO_CAPTURES");
    return wanted ? (uint32_t)strtoul(wanted, NULL, 10) : 50000;
}

static void visit(void *context)
{
    (void)context;
    memo_probe();
}

static void assert_agreed(void)
{
    assert_int_equal(memo_probes.different, 0);
}

static void grow_trees(struct tree *tree)
{
    while (memo_probes.taken < captures()) {
        tree_grow(tree, 40);
    }
}

static void test_random_trees(void **state)
{
    (void)state;
    struct tree tree = {.random = 1, .visit = visit};
    grow_trees(&tree);
    assert_agreed();
}

static _Thread_local jmp_buf jump_place;

static void visit_and_jump(void *tree)
{
    memo_probe();
    if (tree_random(tree, 61) == 0)
        longjmp(jump_place, 1);
}

static void test_jumps(void **state)
{
    (void)state;
    struct tree tree = {.random = 2, .visit = visit_and_jump, .context = &tree};
    while (memo_probes.taken < captures()) {
        if (setjmp(jump_place) == 0)
            tree_grow(&tree, 30);
        memo_probe();
    }
    assert_agreed();
}

static struct tree handler_tree = {.random = 3, .visit = visit};

static void handle(int number)
{
    (void)number;
    tree_grow(&handler_tree, 6);
    memo_probe();
}

static void visit_and_raise(void *tree)
{
    memo_probe();
    if (tree_random(tree, 16) == 0)
        raise(tree_random(tree, 2) == 0 ? SIGUSR1 : SIGUSR2);
    memo_probe();
}

/* One handler on the stack that it interrupts, one on its own. */
static void test_signals(void **state)
{
    (void)state;
    enum { ALTERNATE_BYTES = 1 << 17 };
    stack_t alternate = {.ss_sp = malloc(ALTERNATE_BYTES), .ss_size = ALTERNATE_BYTES};
    struct sigaction here = {.sa_handler = handle};
    struct sigaction there = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    struct tree tree = {.random = 4, .visit = visit_and_raise, .context = &tree};
    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR1, &here, NULL);
    sigaction(SIGUSR2, &there, NULL);
    grow_trees(&tree);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(alternate.ss_sp);
    assert_agreed();
}

enum { COROUTINES = 6, ROOM_BYTES = 1 << 18, COROUTINE_BYTES = 1 << 15 };

/* All stacks lie in one room, side by side, and are gone when their coroutine has ended. */
static struct {
    unsigned char *room;
    ucontext_t scheduler;
    struct coroutine {
        ucontext_t context;
        struct tree tree;
        bool running;
    } coroutines[COROUTINES];
    struct coroutine *current;
} world;

static void visit_and_yield(void *tree)
{
    memo_probe();
    if (tree_random(tree, 8) == 0)
        swapcontext(&world.current->context, &world.scheduler);
}

static void coroutine_main(void)
{
    struct tree *tree = &world.current->tree;
    tree_grow(tree, 12);
    world.current->running = false;
}

/* Of random size, in the place of the last one. */
static void coroutine_start(struct coroutine *coroutine)
{
    uint32_t at = (uint32_t)(coroutine - world.coroutines);
    size_t size_bytes = (size_t)COROUTINE_BYTES * (1 + tree_random(&coroutine->tree, 4)) / 2;
    unsigned char *stack = world.room + (size_t)at * ROOM_BYTES;
    mprotect(stack, size_bytes + COROUTINE_BYTES, PROT_READ | PROT_WRITE);
    getcontext(&coroutine->context);
    coroutine->context.uc_stack =
        (stack_t){.ss_sp = stack, .ss_size = size_bytes + COROUTINE_BYTES};
    coroutine->context.uc_link = &world.scheduler;
    coroutine->running = true;
    makecontext(&coroutine->context, coroutine_main, 0);
}

static void coroutine_end(struct coroutine *coroutine)
{
    uint32_t at = (uint32_t)(coroutine - world.coroutines);
    mmap(world.room + (size_t)at * ROOM_BYTES, ROOM_BYTES, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static void test_coroutines(void **state)
{
    (void)state;
    struct tree chooser = {.random = 5};
    world.room = mmap(NULL, (size_t)ROOM_BYTES * COROUTINES, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(world.room != MAP_FAILED);
    for (int i = 0; i < COROUTINES; i++)
        world.coroutines[i].tree = (struct tree){
            .random = (uint64_t)i, .visit = visit_and_yield, .context = &world.coroutines[i].tree};
    while (memo_probes.taken < captures()) {
        struct coroutine *next = &world.coroutines[tree_random(&chooser, COROUTINES)];
        world.current = next;
        if (!next->running)
            coroutine_start(next);
        swapcontext(&world.scheduler, &next->context);
        if (!next->running)
            coroutine_end(next);
        memo_probe();
    }
    munmap(world.room, (size_t)ROOM_BYTES * COROUTINES);
    assert_agreed();
}

static void *grow_in_thread(void *random)
{
    struct tree tree = {.random = *(uint64_t *)random, .visit = visit};
    memo_probe_thread();
    memo_clear(&memo_probe_memo);
    grow_trees(&tree);
    memo_clear(&memo_probe_memo);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t randoms[THREADS] = {6, 7, 8, 9};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, grow_in_thread, &randoms[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_agreed();
}

static void visit_and_clear(void *tree)
{
    if (tree_random(tree, 7) == 0)
        memo_clear(&memo_probe_memo);
    memo_probe();
}

static void test_clearing(void **state)
{
    (void)state;
    struct tree tree = {.random = 10, .visit = visit_and_clear, .context = &tree};
    while (memo_probes.taken < captures() / 10) {
        tree_grow(&tree, 20);
    }
    assert_agreed();
}

static void test_the_same_stack_has_the_same_record(void **state)
{
    (void)state;
    struct memo_leaf *leaf = NULL;
    for (volatile uint32_t i = 0; i < 10; i++) { /* volatile: one loop, one call */
        memo_probe();
        assert_true(i == 0 || memo_probe_leaf == leaf);
        leaf = memo_probe_leaf;
        assert_int_equal(leaf->last, i);
        leaf->last = i + 1;
    }
    assert_agreed();
}

/* In frames of every shape; the deepest are cut, and say so. */
static void test_deep_stacks(void **state)
{
    (void)state;
    uint64_t had = arena.header->lost.cut_stacks, cut = 0;
    for (uint32_t depth = 0; depth < 300; depth += depth < 200 ? 7 : 1) {
        chain_run(depth, memo_probe);
        chain_run(depth, memo_probe);
        cut += memo_probe_capture.cut ? 2 : 0;
        assert_true(chain_is_in(&memo_probe_capture));
        if (memo_probe_capture.cut) {
            const struct box_site *site = arena_entry(BOX_SITES, memo_probe_leaf->site);
            assert_int_equal(site->flags, BOX_SITE_CUT);
        }
    }
    assert_agreed();
    assert_true(cut > 0);
    assert_int_equal(arena.header->lost.cut_stacks - had, cut);
}

/* Made at run time, by code that keeps no frame pointer: fp is 0 by chance, and there is nothing to compare. */
static void test_a_root_without_a_rule(void **state)
{
    (void)state;
    static char code[64]; /* not any module's code: no rule is for it */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const struct unwind_start start = {(uintptr_t)code + 32, here, 0};
    for (int i = 0; i < 10; i++) {
        struct memo_leaf *leaf = memo_capture(&memo_probe_memo, &start, here + 4096);
        const struct box_node *node = arena_entry(BOX_NODES, leaf->node);
        assert_int_equal(node->parent, BOX_NONE);
        if (leaf->site == BOX_NONE)
            leaf->site = site_of_node(leaf->node, BOX_KIND_MALLOC, false);
    }
    memo_probe();
    assert_agreed();
}

#define TEST(function) cmocka_unit_test_setup(function, memo_probe_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_trees),
        TEST(test_jumps),
        TEST(test_signals),
        TEST(test_coroutines),
        TEST(test_threads),
        TEST(test_clearing),
        TEST(test_the_same_stack_has_the_same_record),
        TEST(test_deep_stacks),
        TEST(test_a_root_without_a_rule),
    };
    return cmocka_run_group_tests(tests, memo_probe_open, NULL);
}
