#include "cli/process/thread_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void stack_pointers_are_told(void **state)
{
    (void)state;
    static const char call[] = "0 0x3 0x7f5ad478c000 0x20000 0x7f5ad481db60 0xffffffff 0x0 "
                               "0x7ffcbcd45128 0x7f5ad49062ad\n";
    assert_int_equal(thread_stack_pointer(call), 0x7ffcbcd45128);
    assert_int_equal(thread_stack_pointer("-1 0x7ffcbcd45128 0x7f5ad49062ad\n"), 0x7ffcbcd45128);
    static const char *const none[] = {"running\n", "", "-1", "-1 0x5", " 0x", "0 0x\n"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(thread_stack_pointer(none[i]), 0);
}

static void threads_are_found_by_their_stacks(void **state)
{
    (void)state;
    struct thread_entry threads[] = {{.id = 9, .stack_pointer = 0},
                                     {.id = 1, .stack_pointer = 0x1800},
                                     {.id = 2, .stack_pointer = 0x3000}};
    struct thread_list list = {.threads = threads, .count = 3};
    assert_int_equal(thread_list_find(&list, 0x1000, 0x2000)->id, 1);
    assert_int_equal(thread_list_find(&list, 0x3000, 0x4000)->id, 2);
    assert_null(thread_list_find(&list, 0x2000, 0x3000));
    assert_null(thread_list_find(&list, 0x4000, 0x5000));
    assert_null(thread_list_find(&(struct thread_list){0}, 0x1000, 0x5000));
}

static void own_threads_are_read(void **state)
{
    (void)state;
    struct process_dir dir;
    assert_true(process_dir_open(&dir, getpid()));
    struct thread_list list = thread_list_read(&dir);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.threads[0].id, getpid());
    assert_true(strlen(list.threads[0].name) > 0 && !strchr(list.threads[0].name, '\n'));
    thread_list_free(&list);
    process_dir_close(&dir);
    list = thread_list_read(&dir);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stack_pointers_are_told),
        cmocka_unit_test(threads_are_found_by_their_stacks),
        cmocka_unit_test(own_threads_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
