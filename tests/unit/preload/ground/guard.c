#include "preload/ground/guard.h"

#include "preload/ground/sys.h"

#include "child.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "emulator.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static struct {
    unsigned forked;       /* calls of forked() */
    uint32_t forked_state; /* the thread's, inside it */
    unsigned served;       /* calls of serve() */
    uint32_t wanted;       /* what the last one was given */
    uint32_t serve_state;
    bool entered; /* by the handler */
} seen;

static void forked(void)
{
    seen.forked++;
    seen.forked_state = guard_state();
    guard_fork_done();
}

static void serve(uint32_t wanted)
{
    seen.served++;
    seen.wanted = wanted;
    seen.serve_state = guard_state();
}

static int before_each(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    guard_own = NULL;
    guard_spare = (struct guard_thread){0};
    guard_process = (struct guard_process){0};
    guard_init(forked, serve);
    guard_process.recording = true;
    return 0;
}

static void test_nothing_is_recorded_before_the_start(void **state)
{
    (void)state;
    guard_process = (struct guard_process){0};
    assert_null(guard_enter());
    assert_int_equal(guard_state(), GUARD_OUTSIDE);
}

static void test_nesting(void **state)
{
    (void)state;
    assert_non_null(guard_enter());
    assert_int_equal(guard_state(), GUARD_CALLING);
    assert_null(guard_enter()); /* the next allocator's own calls */
    guard_set(GUARD_RECORDING);
    assert_null(guard_enter());
    assert_int_equal(guard_state(), GUARD_RECORDING);
    guard_leave(guard_self());
    assert_int_equal(guard_state(), GUARD_OUTSIDE);
    assert_non_null(guard_enter());
    guard_leave(guard_self());
    assert_int_equal(seen.forked, 0);
    assert_int_equal(seen.served, 0);
}

static void *enter_elsewhere(void *entered)
{
    *(bool *)entered = guard_enter_recording() != NULL;
    guard_leave(guard_self());
    return NULL;
}

static void test_threads_are_apart(void **state)
{
    (void)state;
    pthread_t thread;
    bool entered = false;
    assert_non_null(guard_enter());
    assert_int_equal(pthread_create(&thread, NULL, enter_elsewhere, &entered), 0);
    pthread_join(thread, NULL);
    assert_true(entered);
    assert_int_equal(guard_state(), GUARD_CALLING);
    guard_leave(guard_self());
}

static void test_requests_are_served_at_the_leave(void **state)
{
    (void)state;
    assert_non_null(guard_enter());
    guard_want(GUARD_WANT_SNAPSHOT);
    guard_want(GUARD_WANT_CHECK);
    assert_int_equal(seen.served, 0);
    guard_leave(guard_self());
    assert_int_equal(seen.served, 1);
    assert_int_equal(seen.wanted, GUARD_WANT_SNAPSHOT | GUARD_WANT_CHECK);
    assert_int_equal(seen.serve_state, GUARD_OUTSIDE);
    assert_non_null(guard_enter());
    guard_leave(guard_self());
    assert_int_equal(seen.served, 1);
}

static void on_signal(int signal)
{
    (void)signal;
    seen.entered = guard_enter() != NULL;
    if (!seen.entered)
        guard_want(GUARD_WANT_SNAPSHOT);
    else
        guard_leave(guard_self());
}

static void test_a_handler_does_not_enter_twice(void **state)
{
    (void)state;
    struct sigaction before, action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, &before);
    assert_non_null(guard_enter());
    raise(SIGUSR1);
    assert_false(seen.entered);
    assert_int_equal(guard_state(), GUARD_CALLING);
    assert_int_equal(seen.served, 0);
    guard_leave(guard_self());
    assert_int_equal(seen.served, 1);
    assert_int_equal(seen.wanted, GUARD_WANT_SNAPSHOT);
    raise(SIGUSR1);
    assert_true(seen.entered);
    assert_int_equal(guard_state(), GUARD_OUTSIDE);
    sigaction(SIGUSR1, &before, NULL);
}

/* Kernels before 4.14 cannot wipe: pthread_atfork stands in there. */
static bool kernel_wipes(void)
{
    void *page = sys_pages(4096);
    long result = sys_call3(SYS_madvise, (long)page, 4096, MADV_WIPEONFORK);
    sys_pages_free(page, 4096);
    return !sys_failed(result);
}

static void need_wiping(void)
{
    if (kernel_wipes())
        return;
    print_message("this kernel does not wipe pages on fork\n");
    skip();
}

/* The first event of a child, and only that, tells of the fork. */
static bool first_event_tells(void)
{
    bool told = guard_enter_recording() && seen.forked == 1 && seen.forked_state == GUARD_CALLING &&
                guard_state() == GUARD_RECORDING && guard_page.generation != 0;
    guard_leave(guard_self());
    bool once = guard_enter_recording() && seen.forked == 1;
    guard_leave(guard_self());
    return told && once;
}

static bool grandchild_tells(void)
{
    if (!first_event_tells())
        return child_expect(false);
    seen.forked = 0;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(first_event_tells() ? 0 : 1);
    return child_expect(waitpid(child, &status, 0) == child && status == 0) &&
           child_expect(seen.forked == 0);
}

static void test_fork(void **state)
{
    (void)state;
    if (emulator_lacks("pages that are wiped on fork"))
        skip();
    need_wiping();
    assert_true(child_run(grandchild_tells));
    assert_non_null(guard_enter()); /* nothing of it is seen in the parent */
    guard_leave(guard_self());
    assert_int_equal(seen.forked, 0);
    assert_int_not_equal(guard_page.generation, 0);
}

/* Without libc: no atfork handler runs, the pid is not asked for. */
static void test_raw_clone(void **state)
{
    (void)state;
    if (emulator_lacks("pages that are wiped on fork"))
        skip();
    need_wiping();
    int status = -1;
    long child = sys_call6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
    if (child == 0)
        sys_call1(SYS_exit_group, first_event_tells() ? 0 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid((pid_t)child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(seen.forked, 0);
}

/* A child on the parent's memory, the parent waiting: as vfork and posix_spawn make it. */
static int enter_on_shared_memory(void *entered)
{
    *(bool *)entered = guard_enter_recording() != NULL;
    guard_leave(guard_self());
    return 0;
}

static void test_vfork_is_not_a_fork(void **state)
{
    (void)state;
    if (emulator_lacks("children on shared memory"))
        skip();
    static unsigned char stack[256 << 10] __attribute__((aligned(16)));
    bool entered = false;
    int status = -1;
    pid_t child = clone(enter_on_shared_memory, stack + sizeof(stack),
                        CLONE_VM | CLONE_VFORK | SIGCHLD, &entered);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(entered);
    assert_int_equal(seen.forked, 0);
    assert_int_not_equal(guard_page.generation, 0);
}

#define TEST(function) cmocka_unit_test_setup(function, before_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_recorded_before_the_start),
        TEST(test_nesting),
        TEST(test_threads_are_apart),
        TEST(test_requests_are_served_at_the_leave),
        TEST(test_a_handler_does_not_enter_twice),
        TEST(test_fork),
        TEST(test_raw_clone),
        TEST(test_vfork_is_not_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
