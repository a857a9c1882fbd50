/* The stack at every instruction: of frames of all shapes, and of the loader's lazy binding. x86_64. */
#include "preload/unwind/unwind.h"

#include "sanitizer.h"
#include "stack_chain.h"
#include "stack_probe.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>
#include <cmocka.h>

enum { TRAP_FLAG = 0x100, STEPS_MAX = 20000 };

static struct {
    uintptr_t outer; /* a return address that every stack must show */
    unsigned steps;
    unsigned missed; /* captures that did not */
    volatile bool stop;
} trace;

static bool has_outer(void)
{
    for (uint32_t i = 0; i < stack_probe_capture.depth; i++) {
        if ((stack_probe_capture.pcs[i] & ~UNWIND_EXACT) == trace.outer)
            return true;
    }
    return false;
}

/* Traps after each instruction; what the kernel does for debuggers. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)number;
    (void)info;
    if (trace.stop || trace.steps++ == STEPS_MAX) {
        interrupted->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    stack_probe();
    trace.missed += !has_outer();
}

static void nothing(void)
{
}

/* Runs `body` step by step. */
static __attribute__((noinline)) void trace_run(void (*body)(void))
{
    trace.outer = (uintptr_t)__builtin_return_address(0);
    trace.steps = 0;
    trace.missed = 0;
    trace.stop = false;
    __asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq" : : "i"(TRAP_FLAG) : "memory", "cc");
    body();
    trace.stop = true;
    __asm__ volatile("nop" : : : "memory");
}

static int open_trace(void **state)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    return stack_probe_open(state);
}

static void run_chain(void)
{
    chain_run(9, nothing);
}

static void test_every_instruction_of_a_chain(void **state)
{
    (void)state;
    trace_run(run_chain);
    assert_true(trace.steps > 100);
    assert_int_equal(trace.missed, 0);
    stack_probe_assert_agreed(stack_probes.taken);
}

static void (*lazy_call)(void (*)(void));

static void run_lazy(void)
{
    lazy_call(nothing);
}

/* Every step through the linkage table, the resolver and the loader's lookup of the symbol. */
static void test_every_instruction_of_lazy_binding(void **state)
{
    (void)state;
    void *library = dlopen(UNIT_CALLER_SMALL, RTLD_LAZY | RTLD_LOCAL);
    assert_non_null(library);
    unwind_refresh();
    *(void **)&lazy_call = dlsym(library, "caller_call_libc");
    assert_non_null(lazy_call);
    uint64_t before = unwind_full_count();
    trace_run(run_lazy);
    assert_true(trace.steps > 300);
    assert_int_equal(trace.missed, 0);
    stack_probe_assert_agreed(stack_probes.taken);
    assert_true(unwind_full_count() > before); /* the resolver's frame hangs on rbx */
    dlclose(library);
    unwind_forget();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, open_trace)
    const struct CMUnitTest tests[] = {
        TEST(test_every_instruction_of_a_chain),
        TEST(test_every_instruction_of_lazy_binding),
    };
    if (SANITIZER_THREAD || SANITIZER_ADDRESS)
        return 77; /* they instrument the steps and hold signals back */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
