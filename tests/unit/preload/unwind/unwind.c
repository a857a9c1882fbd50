#include "preload/unwind/unwind.h"

#include "stack_chain.h"
#include "stack_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_every_frame_of_a_chain_is_found(void **state)
{
    (void)state;
    for (uint32_t depth = 0; depth < 40; depth++) {
        chain_run(depth, stack_probe);
        assert_true(chain_is_in(&stack_probe_capture));
        assert_false(stack_probe_capture.cut);
    }
    stack_probe_assert_agreed(40);
}

static void test_a_deep_stack_is_cut_at_the_root(void **state)
{
    (void)state;
    chain_run(300, stack_probe);
    assert_true(chain_is_in(&stack_probe_capture));
    assert_true(stack_probe_capture.cut);
    assert_int_equal(stack_probe_capture.depth, BOX_DEPTH_MAX);
    stack_probe_assert_agreed(1);
}

/* Walks as many frames as the capture has room for, no more and no fewer, without a cut. */
static void test_a_stack_of_exactly_the_limit_is_whole(void **state)
{
    (void)state;
    stack_probe();
    uint32_t outer = stack_probe_capture.depth;
    for (uint32_t depth = BOX_DEPTH_MAX - outer - 60; depth < BOX_DEPTH_MAX; depth++) {
        chain_run(depth, stack_probe);
        assert_true(chain_is_in(&stack_probe_capture));
        assert_true(stack_probe_capture.depth == BOX_DEPTH_MAX || !stack_probe_capture.cut);
    }
    assert_true(stack_probe_capture.cut);
    assert_int_equal(stack_probes.different, 0);
}

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
    if (depth == 0)
        stack_probe();
    unsigned below = depth == 0 ? 0 : recurse(depth - 1);
    __asm__ volatile("" : "+r"(below));
    return below + 1;
}

static void test_recursion_has_a_frame_per_call(void **state)
{
    (void)state;
    stack_probe();
    uint32_t outer = stack_probe_capture.depth;
    assert_int_equal(recurse(100), 101);
    assert_int_equal(stack_probe_capture.depth, outer + 101);
    stack_probe_assert_agreed(2);
}

static int compare_numbers(const void *left, const void *right)
{
    stack_probe();
    return *(const int *)left - *(const int *)right;
}

static void test_callbacks_from_libc(void **state)
{
    (void)state;
    int numbers[] = {5, 3, 9, 1, 7, 2};
    qsort(numbers, 6, sizeof(numbers[0]), compare_numbers);
    assert_int_equal(numbers[0], 1);
    assert_true(stack_probe_find(compare_numbers) == 0);
    stack_probe_assert_agreed(stack_probes.taken);
    assert_true(stack_probes.taken >= 5);
}

static void leave_by_longjmp(void *place)
{
    stack_probe();
    longjmp(*(jmp_buf *)place, 1);
}

static void test_after_a_longjmp(void **state)
{
    (void)state;
    jmp_buf place;
    stack_probe();
    volatile uint32_t depth = stack_probe_capture.depth;
    if (setjmp(place) == 0)
        leave_by_longjmp(&place);
    stack_probe();
    assert_int_equal(stack_probe_capture.depth, depth);
    stack_probe_assert_agreed(3);
}

static void *probe_in_thread(void *context)
{
    (void)context;
    stack_probe_top();
    for (uint32_t i = 0; i < 200; i++) {
        chain_run(i % 50, stack_probe);
        if (!chain_is_in(&stack_probe_capture))
            return NULL;
    }
    return &chain;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, probe_in_thread, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    stack_probe_assert_agreed(THREADS * 200);
}

static void *forget_in_thread(void *stop)
{
    while (!*(_Atomic bool *)stop)
        unwind_forget();
    return NULL;
}

static void test_forgetting_while_others_capture(void **state)
{
    (void)state;
    _Atomic bool stop = false;
    pthread_t forgetting;
    pthread_t probing;
    void *result = NULL;
    assert_int_equal(pthread_create(&forgetting, NULL, forget_in_thread, &stop), 0);
    assert_int_equal(pthread_create(&probing, NULL, probe_in_thread, NULL), 0);
    pthread_join(probing, &result);
    stop = true;
    pthread_join(forgetting, NULL);
    assert_non_null(result);
    stack_probe_assert_agreed(200);
}

/* A library that is loaded again where another one was: its rules must not be the other's. */
static void test_libraries_that_come_and_go(void **state)
{
    (void)state;
    static const char *const names[] = {UNIT_CALLER_SMALL, UNIT_CALLER_LARGE};
    for (int i = 0; i < 8; i++) {
        void *library = dlopen(names[i % 2], RTLD_NOW | RTLD_LOCAL);
        assert_non_null(library);
        unwind_refresh();
        void (*call)(void (*)(void));
        *(void **)&call = dlsym(library, "caller_call");
        assert_non_null(call);
        call(stack_probe);
        assert_true(stack_probe_find((void *)call) == 0);
        dlclose(library);
        unwind_forget();
        unwind_reference_forget();
    }
    stack_probe_assert_agreed(8);
}

static void test_errno_survives(void **state)
{
    (void)state;
    struct capture capture;
    unwind_forget();
    errno = 77;
    struct unwind_start start = UNWIND_HERE();
    unwind_capture(&capture, &start, stack_probe_top());
    assert_int_equal(errno, 77);
}

static void test_rules_cost_little_memory(void **state)
{
    (void)state;
    chain_run(100, stack_probe);
    assert_true(unwind_own_bytes() > 0);
    assert_true(unwind_own_bytes() < 1 << 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, stack_probe_open)
    const struct CMUnitTest tests[] = {
        TEST(test_every_frame_of_a_chain_is_found),
        TEST(test_a_deep_stack_is_cut_at_the_root),
        TEST(test_a_stack_of_exactly_the_limit_is_whole),
        TEST(test_recursion_has_a_frame_per_call),
        TEST(test_callbacks_from_libc),
        TEST(test_after_a_longjmp),
        TEST(test_threads),
        TEST(test_forgetting_while_others_capture),
        TEST(test_libraries_that_come_and_go),
        TEST(test_errno_survives),
        TEST(test_rules_cost_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
