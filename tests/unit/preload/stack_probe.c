#include "stack_probe.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { PRINTED_MAX = 3 };

struct stack_probes stack_probes;
_Thread_local struct capture stack_probe_capture;

static _Thread_local uintptr_t known_top;
static bool has_reference;

int stack_probe_open(void **state)
{
    (void)state;
    memset(&stack_probes, 0, sizeof(stack_probes));
    unwind_init();
    has_reference = unwind_reference_open();
    if (!has_reference)
        printf("libunwind is not installed: nothing to compare with\n");
    stack_probe_top();
    return 0;
}

uintptr_t stack_probe_top(void)
{
    pthread_attr_t attributes;
    void *stack;
    size_t size_bytes;
    if (known_top == 0 && pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &stack, &size_bytes) == 0)
            known_top = (uintptr_t)stack + size_bytes;
        pthread_attr_destroy(&attributes);
    }
    return known_top;
}

static void print_frame(const struct capture *capture, uint32_t i)
{
    Dl_info info = {0};
    uint64_t pc = capture->pcs[i] & ~UNWIND_EXACT;
    dladdr((void *)(uintptr_t)(pc - 1), &info);
    fprintf(stderr, "  %3u %c%012lx %s %s\n", i, capture->pcs[i] & UNWIND_EXACT ? '=' : ' ',
            (unsigned long)pc, info.dli_fname ? info.dli_fname : "?",
            info.dli_sname ? info.dli_sname : "?");
}

static void print_capture(const char *title, const struct capture *capture)
{
    fprintf(stderr, "%s: %u frames%s%s\n", title, capture->depth, capture->cut ? ", cut" : "",
            capture->ended ? ", ended" : "");
    for (uint32_t i = 0; i < capture->depth; i++)
        print_frame(capture, i);
}

static void compare(const struct unwind_start *start)
{
    struct capture reference;
    const struct capture *capture = &stack_probe_capture;
    if (!has_reference || !unwind_reference(&reference, start))
        return;
    stack_probes.compared++;
    if (capture->depth == reference.depth && capture->cut == reference.cut &&
        memcmp(capture->pcs, reference.pcs, capture->depth * sizeof(uint64_t)) == 0)
        return;
    if (stack_probes.different++ < PRINTED_MAX) {
        print_capture("unwind_capture", capture);
        print_capture("reference", &reference);
    }
}

static void take(const struct unwind_start *start, uintptr_t stack_top)
{
    unwind_capture(&stack_probe_capture, start, stack_top);
    stack_probes.taken++;
    stack_probes.ended += stack_probe_capture.ended;
}

__attribute__((noinline)) void stack_probe(void)
{
    struct unwind_start start = UNWIND_HERE();
    take(&start, known_top);
    compare(&start);
}

__attribute__((noinline)) void stack_probe_alone(uintptr_t stack_top)
{
    struct unwind_start start = UNWIND_HERE();
    take(&start, stack_top);
}

void stack_probe_assert_agreed(unsigned taken)
{
    assert_int_equal(stack_probes.taken, taken);
    assert_int_equal(stack_probes.different, 0);
    assert_int_equal(stack_probes.ended, 0);
    if (has_reference)
        assert_int_equal(stack_probes.compared, taken);
}

int stack_probe_find(const void *function)
{
    enum { FUNCTION_BYTES = 512 };
    const struct capture *capture = &stack_probe_capture;
    for (uint32_t i = 0; i < capture->depth; i++) {
        uint64_t pc = capture->pcs[i] & ~UNWIND_EXACT;
        if (pc > (uintptr_t)function && pc - (uintptr_t)function <= FUNCTION_BYTES)
            return (int)i;
    }
    return -1;
}
