#include "preload/views/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct pattern_values values = {
    .name = "app", .host = "box", .pid = 4711, .counter = 3, .time_s = 1700000000};

static void assert_expands(const char *pattern, const char *want)
{
    char path[256];
    assert_true(pattern_expand(path, sizeof(path), pattern, &values));
    assert_string_equal(path, want);
}

static void test_every_letter(void **state)
{
    (void)state;
    assert_expands("/tmp/%n.%p.%c.prof", "/tmp/app.4711.3.prof");
    assert_expands("%n", "app");
    assert_expands("%h", "box");
    assert_expands("%p", "4711");
    assert_expands("%c", "3");
    assert_expands("%t", "1700000000");
    assert_expands("%n%n%c%c", "appapp33");
}

static void test_percent_itself(void **state)
{
    (void)state;
    assert_expands("%%", "%");
    assert_expands("%%n", "%n");
    assert_expands("%%%n", "%app");
    assert_expands("100%%.%c", "100%.3");
    assert_expands("x%", "x%"); /* options.c refuses it; a directory's is doubled */
}

static void test_plain_text_stays(void **state)
{
    (void)state;
    assert_expands("", "");
    assert_expands("/var/log/heap.prof", "/var/log/heap.prof");
}

static void test_a_name_may_hold_percents(void **state)
{
    (void)state;
    const struct pattern_values odd = {.name = "100%p", .host = "%%", .counter = 1};
    char path[64];
    assert_true(pattern_expand(path, sizeof(path), "%n.%h.%c", &odd));
    assert_string_equal(path, "100%p.%%.1");
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    char path[9];
    memset(path, '#', sizeof(path));
    assert_true(pattern_expand(path, 8, "%n%p", &values));
    assert_string_equal(path, "app4711");
    assert_false(pattern_expand(path, 8, "%n-%p", &values));
    assert_int_equal(strlen(path), 7);
    assert_int_equal(path[8], '#');
}

static void assert_absolute(const char *directory, const char *out, const char *want)
{
    char pattern[128];
    assert_true(pattern_absolute(pattern, sizeof(pattern), directory, out));
    assert_string_equal(pattern, want);
}

static void test_absolute(void **state)
{
    (void)state;
    assert_absolute("/home/me", "%n.%c.prof", "/home/me/%n.%c.prof");
    assert_absolute("/home/me", "heap/%c", "/home/me/heap/%c");
    assert_absolute("/home/me", "/tmp/%c", "/tmp/%c");
    assert_absolute("/50%/me", "/tmp/%c", "/tmp/%c");
}

/* What the directory is called stays what it is called. */
static void test_percent_in_the_directory(void **state)
{
    (void)state;
    char pattern[128], path[128];
    assert_true(pattern_absolute(pattern, sizeof(pattern), "/50%/%p%%", "%c"));
    assert_string_equal(pattern, "/50%%/%%p%%%%/%c");
    assert_true(pattern_expand(path, sizeof(path), pattern, &values));
    assert_string_equal(path, "/50%/%p%%/3");
}

static void test_absolute_that_does_not_fit(void **state)
{
    (void)state;
    char pattern[8];
    assert_true(pattern_absolute(pattern, sizeof(pattern), "/abc", "%c"));
    assert_false(pattern_absolute(pattern, sizeof(pattern), "/abcd", "%c"));
    assert_false(pattern_absolute(pattern, sizeof(pattern), "/a%%b", "%c"));
    assert_false(pattern_absolute(pattern, sizeof(pattern), "/", "/abcd/%c"));
}

static void test_counts(void **state)
{
    (void)state;
    assert_true(pattern_counts("%c"));
    assert_true(pattern_counts("/tmp/%n.%p.%c.prof"));
    assert_true(pattern_counts("%%%c"));
    assert_false(pattern_counts("%%c"));
    assert_false(pattern_counts("/tmp/%n.%t.prof"));
    assert_false(pattern_counts("c"));
    assert_false(pattern_counts("%"));
    assert_false(pattern_counts(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_letter),
        cmocka_unit_test(test_percent_itself),
        cmocka_unit_test(test_plain_text_stays),
        cmocka_unit_test(test_a_name_may_hold_percents),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_absolute),
        cmocka_unit_test(test_percent_in_the_directory),
        cmocka_unit_test(test_absolute_that_does_not_fit),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
