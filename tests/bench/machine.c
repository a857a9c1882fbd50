/*
 * machine: what the machine gives: GHz by a chain of dependent additions (one a cycle), GHz of the time stamp
 * counter, ns for malloc and free of 64 bytes in a loop, and ns of a clock call.
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHAIN_UNROLLED = 16, CHAIN = 160000, PAIRS = 10000, CLOCKS = 1000 };

static void *volatile sink;

static void run_chain(void *argument, long count)
{
    uint64_t sum = (uintptr_t)argument;
    const uint64_t one = 1; /* in a register: renaming can do away with constants */
    for (long i = 0; i < count; i += CHAIN_UNROLLED)
#if defined(__x86_64__)
        __asm__ volatile(".rept 16\n\tadd %1, %0\n\t.endr" : "+r"(sum) : "r"(one));
#else
        __asm__ volatile(".rept 16\n\tadd %0, %0, %1\n\t.endr" : "+r"(sum) : "r"(one));
#endif
    sink = (void *)(uintptr_t)sum;
}

static void run_pairs(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++) {
        sink = malloc(64);
        free(sink);
    }
}

static void run_clocks(void *argument, long count)
{
    (void)argument;
    for (long i = 0; i < count; i++)
        measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#endif
}

int main(void)
{
    double chain_ns = measure_least_ns(run_chain, NULL, CHAIN);
    double pair_ns = measure_least_ns(run_pairs, NULL, PAIRS);
    double clock_ns = measure_least_ns(run_clocks, NULL, CLOCKS);
    uint64_t start_ns = measure_clock_ns(CLOCK_MONOTONIC), start = ticks();
    while (measure_clock_ns(CLOCK_MONOTONIC) - start_ns < MEASURE_NS)
        ;
    double ticks_ghz =
        (double)(ticks() - start) / (double)(measure_clock_ns(CLOCK_MONOTONIC) - start_ns);
    printf("%.2f %.2f %.2f %.0f\n", 1 / chain_ns, ticks_ghz, pair_ns, clock_ns);
    return 0;
}
