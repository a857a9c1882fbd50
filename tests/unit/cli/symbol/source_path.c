#include "cli/symbol/source_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

static void expect(const char *directory, const char *path, const char *expected)
{
    char *clean = source_path(directory, path);
    assert_string_equal(clean, expected);
    free(clean);
}

static void test_absolute_paths_are_cleaned(void **state)
{
    (void)state;
    expect("/build", "/a/b.c", "/a/b.c");
    expect("/build", "/a//./x/../b.c", "/a/b.c");
    expect("/build", "/../../b.c", "/b.c");
    expect("/build", "/a/..", "/");
    expect("/build", "/", "/");
}

static void test_relative_paths_start_at_the_directory(void **state)
{
    (void)state;
    expect("/build/src", "../include/b.h", "/build/include/b.h");
    expect("/build/src/", "./b.c", "/build/src/b.c");
    expect("", "b.c", "b.c");
    expect("", "../../b.c", "../../b.c");
    expect("", "a/../../b.c", "../b.c");
    expect("out", "../../b.c", "../b.c");
    expect("/build", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute_paths_are_cleaned),
        cmocka_unit_test(test_relative_paths_start_at_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
