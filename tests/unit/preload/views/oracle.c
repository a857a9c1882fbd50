#include "preload/views/oracle.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/ground/options.h"
#include "preload/tables/stack.h"

#include "said.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static int before_all(void **state)
{
    (void)state;
    long error;
    unwind_init();
    mapping_init("/opt/app", "/");
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

/* Opens what the option asks for; whether libunwind was to be had. */
static bool ask_for(const char *variable)
{
    said_begin();
    enum options_result result = options_read(variable);
    int wanted = options.unwind;
    oracle_init();
    const char *text = said_end();
    assert_int_equal(result, OPTIONS_OK);
    if (text[0] == '\0') {
        assert_true(options.unwind == wanted || options.unwind == OPTIONS_UNWIND_CHECK);
        return true;
    }
    assert_int_equal(options.unwind, OPTIONS_UNWIND_RULES); /* said so, and falls back */
    assert_int_equal(said_lines(text), 1);
    print_message("no libunwind here\n");
    return false;
}

__attribute__((noinline)) static uintptr_t hook(struct capture *capture)
{
    struct unwind_start start = UNWIND_HERE();
    guard_set(GUARD_RECORDING);
    oracle_capture(capture, &start, 0);
    guard_set(GUARD_OUTSIDE);
    return start.pc;
}

__attribute__((noinline)) static void capture_twice(struct capture captures[2], uintptr_t pcs[2])
{
    static const char *const ways[] = {"unwind=rules", "unwind=libunwind"};
    for (volatile int i = 0; i < 2; i++) {
        options_read(ways[i]);
        pcs[i] = hook(&captures[i]);
    }
}

static void test_both_ways_agree(void **state)
{
    (void)state;
    struct capture captures[2];
    uintptr_t pcs[2];
    if (!ask_for("unwind=libunwind"))
        skip();
    capture_twice(captures, pcs);
    assert_int_equal(captures[0].pcs[0], pcs[0]);
    assert_int_equal(captures[1].pcs[0], pcs[0]);
    assert_true(captures[0].depth > 3);
    assert_int_equal(captures[0].depth, captures[1].depth);
    assert_memory_equal(captures[0].pcs, captures[1].pcs,
                        captures[0].depth * sizeof(captures[0].pcs[0]));
    assert_int_equal(arena.header->unwind_checked, 0);
}

static void test_check_counts(void **state)
{
    (void)state;
    struct capture capture;
    if (!ask_for("unwind=check"))
        skip();
    uint64_t before = arena.header->unwind_checked;
    for (volatile int i = 0; i < 10; i++)
        hook(&capture);
    assert_int_equal(arena.header->unwind_checked, before + 10);
    assert_int_equal(arena.header->unwind_differences, 0);
    assert_true(capture.depth > 3);
}

static void test_rules_check_nothing(void **state)
{
    (void)state;
    struct capture capture;
    uint64_t before = arena.header->unwind_checked;
    assert_true(ask_for("unwind=rules"));
    if (options.unwind == OPTIONS_UNWIND_CHECK) /* a self_check build */
        skip();
    hook(&capture);
    assert_int_equal(arena.header->unwind_checked, before);
}

/* What a memo would say: a node; right for its own stack, wrong for any other. */
__attribute__((noinline)) static void check_node(bool right, uint64_t differences)
{
    struct capture capture;
    struct unwind_start start = UNWIND_HERE();
    guard_set(GUARD_RECORDING);
    unwind_capture(&capture, &start, 0);
    capture.pcs[2] ^= right ? 0 : 1;
    uint32_t node = stack_intern(&capture);
    uint64_t checked = arena.header->unwind_checked;
    uint64_t before = arena.header->unwind_differences;
    oracle_check(node, &start, 0);
    guard_set(GUARD_OUTSIDE);
    assert_int_not_equal(node, BOX_NONE);
    assert_int_equal(arena.header->unwind_checked, checked + 1);
    assert_int_equal(arena.header->unwind_differences, before + differences);
}

static void test_check_of_a_node(void **state)
{
    (void)state;
    if (!ask_for("unwind=check"))
        skip();
    check_node(true, 0);
    said_begin();
    check_node(false, 1);
    check_node(false, 1);
    const char *text = said_end();
    assert_int_equal(said_lines(text), 1); /* the first difference is told, all are counted */
    assert_non_null(strstr(text, "unwind: stacks differ at frame 2 after 0x"));
    assert_non_null(strstr(text, "by the memo 0x"));
}

/* The tables were full: there is nothing to compare but the walk. */
static void test_check_without_node(void **state)
{
    (void)state;
    struct unwind_start start = UNWIND_HERE();
    uint64_t before = arena.header->unwind_differences;
    if (!ask_for("unwind=check"))
        skip();
    oracle_check(BOX_NONE, &start, 0);
    assert_int_equal(arena.header->unwind_differences, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_agree),     cmocka_unit_test(test_check_counts),
        cmocka_unit_test(test_rules_check_nothing), cmocka_unit_test(test_check_of_a_node),
        cmocka_unit_test(test_check_without_node),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
