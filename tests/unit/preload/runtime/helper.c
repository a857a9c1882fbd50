#include "preload/runtime/helper.h"

#include "preload/ground/guard.h"
#include "sanitizer.h"
#include "emulator.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { MS_NS = 1000000, LOOKS_MAX = 5000 };

static struct {
    int calls;      /* of work(); atomic */
    int again;      /* in this call of work() somebody asks for more */
    int left;       /* until there is nothing more to do; atomic */
    int paused;     /* what the thread allocates is not recorded */
    sigset_t block; /* its signals */
} seen;

static uint64_t work(void)
{
    pthread_sigmask(SIG_BLOCK, NULL, &seen.block);
    seen.paused = (int)guard_self()->paused;
    if (__atomic_add_fetch(&seen.calls, 1, __ATOMIC_SEQ_CST) == seen.again)
        helper_want();
    return __atomic_sub_fetch(&seen.left, 1, __ATOMIC_SEQ_CST) > 0 ? MS_NS : HELPER_DONE;
}

static int calls(void)
{
    return __atomic_load_n(&seen.calls, __ATOMIC_SEQ_CST);
}

static void begin(int left)
{
    __atomic_store_n(&seen.calls, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&seen.left, left, __ATOMIC_SEQ_CST);
}

static void nap(void)
{
    struct timespec span = {0, MS_NS};
    nanosleep(&span, NULL);
}

static void wait_for_calls(int wanted)
{
    for (int i = 0; i < LOOKS_MAX && calls() < wanted; i++)
        nap();
    assert_true(calls() >= wanted);
}

static void wait_for_end(void)
{
    for (int i = 0; i < LOOKS_MAX && helper_is_here(); i++)
        nap();
    assert_false(helper_is_here());
}

static int thread_count(void)
{
    char line[256];
    int count = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), status))
        sscanf(line, "Threads: %d", &count);
    fclose(status);
    return count;
}

static void test_it_ends_by_itself(void **state)
{
    (void)state;
    begin(3);
    helper_want();
    wait_for_end();
    assert_int_equal(calls(), 3);
    assert_int_equal(seen.paused, 1);
    assert_true(sigismember(&seen.block, SIGTERM) && sigismember(&seen.block, SIGSEGV));
    begin(1);
    helper_want(); /* and comes again */
    wait_for_end();
    assert_int_equal(calls(), 1);
}

static void test_no_request_is_lost(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        begin(1);
        helper_want();
        wait_for_calls(1);
    }
    wait_for_end();
}

/* It was about to end. */
static void test_a_late_request_is_heard(void **state)
{
    (void)state;
    begin(1);
    seen.again = 1;
    helper_want();
    wait_for_calls(2);
    wait_for_end();
    assert_int_equal(calls(), 2);
    seen.again = 0;
}

static void test_it_rests(void **state)
{
    (void)state;
    begin(1 << 30);
    helper_want();
    wait_for_calls(2);
    helper_rest();
    assert_false(helper_is_here());
    int before = calls();
    helper_want(); /* asked for meanwhile: later */
    helper_rest();
    helper_resume();
    nap();
    assert_int_equal(calls(), before);
    helper_resume();
    wait_for_calls(before + 2);
    begin(1);
    wait_for_end();
    helper_rest();
    helper_resume(); /* it had ended by itself */
    assert_false(helper_is_here());
}

static void test_it_is_no_thread_meanwhile(void **state)
{
    (void)state;
    if (emulator_lacks("threads of its own that are not counted"))
        skip();
    begin(1 << 30);
    helper_want();
    wait_for_calls(1);
    assert_int_equal(thread_count(), 2);
    helper_rest();
    for (int i = 0; i < 100 && thread_count() > 1; i++) /* the kernel's last steps */
        nap();
    assert_int_equal(thread_count(), 1);
    begin(1);
    helper_resume();
    wait_for_end();
}

static void test_forks(void **state)
{
    int status;
    (void)state;
    begin(1 << 30);
    helper_want();
    wait_for_calls(1);
    helper_rest();
    pid_t child = fork();
    if (child == 0) {
        helper_fork();
        begin(2);
        if (!helper_was_here() || helper_is_here())
            _exit(1);
        helper_want();
        for (int i = 0; i < LOOKS_MAX && calls() < 2; i++)
            nap();
        _exit(calls() == 2 ? 0 : 2);
    }
    helper_resume();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    begin(1);
    wait_for_end();
}

static void test_it_is_forbidden(void **state)
{
    (void)state;
    begin(1 << 30);
    helper_want();
    wait_for_calls(1);
    helper_forbid(true);
    assert_false(helper_is_here());
    helper_forbid(true);
    helper_forbid(false); /* of the second filter */
    helper_want();
    nap();
    assert_false(helper_is_here());
    begin(1);
    helper_forbid(false);
    wait_for_calls(1);
    wait_for_end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_ends_by_itself),         cmocka_unit_test(test_no_request_is_lost),
        cmocka_unit_test(test_a_late_request_is_heard),   cmocka_unit_test(test_it_rests),
        cmocka_unit_test(test_it_is_no_thread_meanwhile), cmocka_unit_test(test_forks),
        cmocka_unit_test(test_it_is_forbidden),
    };
    if (SANITIZER_THREAD)
        return 77; /* its static storage of each thread is larger than the helper's stack */
    helper_init(work);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
