#include "preload/unwind/unwind.h"

#include "sanitizer.h"
#include "stack_chain.h"
#include "stack_probe.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <cmocka.h>

static void probe_on_signal(int number)
{
    (void)number;
    stack_probe();
}

static void raise_here(void)
{
    raise(SIGUSR1);
}

static void handle(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
}

/* How many frames of the last capture were interrupted. */
static unsigned interrupted(void)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < stack_probe_capture.depth; i++)
        count += (stack_probe_capture.pcs[i] & UNWIND_EXACT) != 0;
    return count;
}

static void test_through_a_signal_handler(void **state)
{
    (void)state;
    handle(probe_on_signal, 0);
    chain_run(20, raise_here);
    assert_int_equal(interrupted(), 1);
    assert_true(chain_is_in(&stack_probe_capture));
    stack_probe_assert_agreed(1);
}

static void test_through_a_handler_on_its_own_stack(void **state)
{
    (void)state;
    enum { STACK_BYTES = 256 << 10 };
    stack_t stack = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    handle(probe_on_signal, SA_ONSTACK);
    chain_run(20, raise_here);
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    free(stack.ss_sp);
    assert_int_equal(interrupted(), 1);
    assert_true(chain_is_in(&stack_probe_capture));
    stack_probe_assert_agreed(1);
}

static void raise_again(int number)
{
    struct sigaction action = {.sa_handler = probe_on_signal};
    (void)number;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
}

static void test_through_a_handler_in_a_handler(void **state)
{
    (void)state;
    if (SANITIZER_THREAD)
        skip(); /* it delivers the second one after the first handler */
    handle(raise_again, 0);
    chain_run(5, raise_here);
    assert_int_equal(interrupted(), 2);
    assert_true(chain_is_in(&stack_probe_capture));
    stack_probe_assert_agreed(1);
}

static int *volatile nowhere = (int *)8;

static __attribute__((noinline)) void fault(void)
{
    *nowhere = 1;
}

static sigjmp_buf after_fault;

static void probe_on_fault(int number)
{
    (void)number;
    stack_probe();
    siglongjmp(after_fault, 1);
}

static void test_the_faulting_instruction_is_the_frame(void **state)
{
    (void)state;
    struct sigaction before;
    struct sigaction action = {.sa_handler = probe_on_fault};
    sigaction(SIGSEGV, &action, &before);
    if (sigsetjmp(after_fault, 1) == 0)
        chain_run(7, fault);
    sigaction(SIGSEGV, &before, NULL);
    int at = stack_probe_find(fault);
    assert_true(at > 0);
    assert_true(stack_probe_capture.pcs[at] & UNWIND_EXACT);
    stack_probe_assert_agreed(1);
}

/* Coroutines: stacks of their own, in the heap, that end where they were made. */
static struct {
    ucontext_t program;
    ucontext_t routines[3];
    unsigned frames[3];
} coroutine;

static void swap_out(void)
{
    stack_probe();
}

static void routine(int number)
{
    for (uint32_t i = 0; i < 30; i++) {
        chain_run(i, swap_out);
        coroutine.frames[number] = stack_probe_capture.depth;
        swapcontext(&coroutine.routines[number], &coroutine.program);
    }
}

static void test_coroutines(void **state)
{
    (void)state;
    enum { STACK_BYTES = 1 << 20, ROUTINES = 3 };
    if (SANITIZER_THREAD || SANITIZER_ADDRESS)
        skip(); /* they do not know that the stack was changed */
    char *stacks[ROUTINES];
    for (int i = 0; i < ROUTINES; i++) {
        stacks[i] = malloc(STACK_BYTES);
        getcontext(&coroutine.routines[i]);
        coroutine.routines[i].uc_stack.ss_sp = stacks[i];
        coroutine.routines[i].uc_stack.ss_size = STACK_BYTES;
        coroutine.routines[i].uc_link = &coroutine.program;
        makecontext(&coroutine.routines[i], (void (*)(void))routine, 1, i);
    }
    for (int turn = 0; turn < 30 * ROUTINES; turn++)
        swapcontext(&coroutine.program, &coroutine.routines[turn % ROUTINES]);
    for (int i = 0; i < ROUTINES; i++) {
        assert_true(coroutine.frames[i] > 29 && coroutine.frames[i] < 50);
        free(stacks[i]);
    }
    stack_probe_assert_agreed(30 * ROUTINES);
}

static _Atomic bool storm_over;

static void *storm(void *target)
{
    while (!storm_over) {
        pthread_kill(*(pthread_t *)target, SIGUSR1);
        usleep(50);
    }
    return NULL;
}

static void probe_alone_on_signal(int number)
{
    (void)number;
    stack_probe_alone(stack_probe_top());
}

static void forget_and_probe(void)
{
    unwind_forget();
    stack_probe_alone(stack_probe_top());
}

/* Signals at any instruction, also within a capture and while rules are compiled. */
static void test_signals_at_any_time(void **state)
{
    (void)state;
    pthread_t self = pthread_self();
    pthread_t thread;
    storm_over = false;
    handle(probe_alone_on_signal, SA_RESTART);
    assert_int_equal(pthread_create(&thread, NULL, storm, &self), 0);
    for (uint32_t i = 0; i < 3000; i++)
        chain_run(i % 50, forget_and_probe);
    storm_over = true;
    pthread_join(thread, NULL);
    assert_true(stack_probes.taken >= 3000);
    assert_int_equal(stack_probes.ended, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, stack_probe_open)
    const struct CMUnitTest tests[] = {
        TEST(test_through_a_signal_handler),
        TEST(test_through_a_handler_on_its_own_stack),
        TEST(test_through_a_handler_in_a_handler),
        TEST(test_the_faulting_instruction_is_the_frame),
        TEST(test_coroutines),
        TEST(test_signals_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
