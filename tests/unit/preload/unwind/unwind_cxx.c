#include "preload/unwind/unwind.h"

#include "stack_probe.h"
#include "stack_throw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_destructors_on_the_way_of_an_exception(void **state)
{
    (void)state;
    assert_int_equal(throw_through_destructors(20, stack_probe), 20);
    stack_probe_assert_agreed(21);
}

static void test_handlers_that_throw_again(void **state)
{
    (void)state;
    assert_int_equal(throw_again(10, stack_probe), 10);
    stack_probe_assert_agreed(10);
}

static void test_callbacks_of_the_standard_library(void **state)
{
    (void)state;
    assert_int_equal(sort_numbers(50, stack_probe), 50);
    assert_true(stack_probes.taken > 50);
    stack_probe_assert_agreed(stack_probes.taken);
}

static void test_calls_through_tables(void **state)
{
    (void)state;
    call_through_tables(stack_probe);
    stack_probe_assert_agreed(3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, stack_probe_open)
    const struct CMUnitTest tests[] = {
        TEST(test_destructors_on_the_way_of_an_exception),
        TEST(test_handlers_that_throw_again),
        TEST(test_callbacks_of_the_standard_library),
        TEST(test_calls_through_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
