#include "preload/ground/arena.h"

#include "arena_nodes.h"
#include "child.h"
#include "said.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    PID = 77,
    MANY = 100000 /* nodes: past the fourth chunk */
};

static void test_private_memory(void **state)
{
    (void)state;
    long error = 0;
    struct box_view view;
    assert_true(arena_open(NULL, "app", PID, &error));
    assert_string_equal(arena.path, "");
    for (uint32_t i = 1; i <= MANY; i++)
        arena_nodes_add(i - 1, i);
    arena_view(&view);
    assert_true(arena_nodes_have(&view, MANY, MANY - 1, MANY));
    assert_false(arena.header->flags & BOX_FLAG_SPILLED);
    assert_true(arena_renew("app", PID + 1));
    assert_true(arena_nodes_have(&view, MANY, MANY - 1, MANY));
    arena_unlink();
    assert_int_equal(scratch_count(""), 0);
}

/* Unless it is refused before the kernel is asked, growing would raise SIGXFSZ: fatal here. */
static bool fill_a_limited_file(void)
{
    struct box_view view;
    rlim_t limit = arena.file_bytes + 4096;
    signal(SIGXFSZ, SIG_DFL);
    if (!child_expect(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) == 0))
        return false;
    for (uint32_t i = 1; i <= MANY; i++)
        if (arena_nodes_add(i - 1, i) != i)
            return child_expect(false);
    arena_view(&view);
    for (uint32_t i = 1; i <= MANY; i++)
        if (!arena_nodes_have(&view, i, i - 1, i))
            return child_expect(false);
    return child_expect(arena.header->flags & BOX_FLAG_SPILLED);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    struct box_view view;
    arena_nodes_open(PID);
    said_begin();
    bool good = child_run(fill_a_limited_file);
    const char *text = said_end();
    assert_int_equal(said_lines(text), 1); /* also when told of what went wrong in the child */
    assert_true(good);
    arena_nodes_view(&view, "app.77.heapdiff");
    assert_true(view.header->flags & BOX_FLAG_SPILLED);
    assert_true(arena_nodes_have(&view, 100, 99, 100)); /* what fits is there */
    assert_null(box_view_entry(&view, BOX_NODES, MANY));
}

static bool open_without_any_room(void)
{
    char path[SCRATCH_PATH_BYTES_MAX];
    long error = 0;
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
    return child_expect(!arena_open(scratch_path(path, "."), "app", PID, &error)) &&
           child_expect(error == -EFBIG);
}

static void test_file_size_limit_from_the_start(void **state)
{
    (void)state;
    assert_true(child_run(open_without_any_room));
    assert_int_equal(scratch_count(""), 0);
}

static void test_unlink(void **state)
{
    (void)state;
    struct box_view view;
    arena_nodes_open(PID);
    arena_nodes_add(1, 2);
    arena_unlink();
    assert_int_equal(scratch_count(""), 0);
    assert_string_equal(arena.path, "");
    arena_view(&view);
    assert_true(arena_nodes_have(&view, 1, 1, 2));
    arena_unlink();
    for (uint32_t i = 2; i <= MANY; i++) /* goes on in memory */
        assert_int_equal(arena_nodes_add(i - 1, i), i);
    assert_int_equal(scratch_count(""), 0);
}

/* Somebody else's file has come to stand under our name: neither deleted nor written. */
static void test_another_file_in_its_place(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX];
    arena_nodes_open(PID);
    assert_int_equal(unlink(scratch_path(path, "app.77.heapdiff")), 0);
    scratch_write("app.77.heapdiff", "another");
    said_begin();
    for (uint32_t i = 1; i <= MANY; i++)
        arena_nodes_add(i - 1, i);
    assert_int_equal(said_lines(said_end()), 1);
    assert_true(arena.header->flags & BOX_FLAG_SPILLED);
    arena_unlink();
    assert_true(scratch_holds("app.77.heapdiff", "another"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_before, scratch_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_private_memory),
        TEST(test_file_size_limit),
        TEST(test_file_size_limit_from_the_start),
        TEST(test_unlink),
        TEST(test_another_file_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
