#include "cli/process/name_pattern.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct name_values values = {"app", "box", 12, 3, 99};

static void assert_expands(const char *pattern, const char *expected)
{
    char *name = name_pattern_expand(pattern, &values);
    assert_string_equal(name, expected);
    free(name);
}

static void fields_are_filled_in(void **state)
{
    (void)state;
    assert_expands("%n.%p.%c.prof", "app.12.3.prof");
    assert_expands("/tmp/%h/%t%%", "/tmp/box/99%");
    assert_expands("plain%", "plain%");
}

static void free_name_raises_the_counter(void **state)
{
    (void)state;
    scratch_write("app.3", "", 0);
    scratch_write("app.4", "", 0);
    char *name = name_pattern_free_name("%n.%c", &values);
    assert_string_equal(name, "app.5");
    free(name);
    scratch_write("fixed", "", 0);
    name = name_pattern_free_name("fixed", &values);
    assert_string_equal(name, "fixed");
    free(name);
}

static void search_leaves_open_what_is_unknown(void **state)
{
    (void)state;
    struct name_values any = {0}, one = {.program = "a*p", .pid = 12};
    struct path_list list = {0};
    scratch_write("a*p.12.1.prof", "", 0);
    scratch_write("app.12.1.prof", "", 0);
    scratch_write("app.13.1.prof", "", 0);
    scratch_write("app.12.1.heap", "", 0);
    name_pattern_search(&list, "", "%n.%p.%c.prof", &any);
    assert_int_equal(list.count, 3);
    path_list_free(&list);
    name_pattern_search(&list, "", "%n.%p.%c.prof", &one);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.paths[0], "a*p.12.1.prof");
    path_list_free(&list);
}

static void quoted_text_stays(void **state)
{
    (void)state;
    char *quoted = name_pattern_quote("/100%/%n");
    assert_expands(quoted, "/100%/%n");
    assert_true(name_pattern_is_fixed(quoted));
    assert_false(name_pattern_is_fixed("a%c"));
    free(quoted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_are_filled_in),
        TEST(free_name_raises_the_counter),
        TEST(search_leaves_open_what_is_unknown),
        TEST(quoted_text_stays),
    };
    return cmocka_run_group_tests_name("cli/name_pattern", tests, NULL, NULL);
}
