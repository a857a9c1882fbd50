/* ns for unwind_capture() by depth: warm, and with every rule forgotten before. */
#include "preload/unwind/unwind.h"

#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BENCH_CAPTURES = 500,
    BENCH_ROUNDS = 400, /* the minimum counts: the machine is not ours alone */
    BENCH_COLD = 200
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct capture capture;

static uint64_t warm_ns(const struct unwind_start *start)
{
    uint64_t start_ns = now_ns();
    for (int i = 0; i < BENCH_CAPTURES; i++)
        unwind_capture(&capture, start, UINTPTR_MAX);
    return now_ns() - start_ns;
}

static uint64_t cold_ns(const struct unwind_start *start)
{
    unwind_forget();
    uint64_t start_ns = now_ns();
    unwind_capture(&capture, start, UINTPTR_MAX);
    return now_ns() - start_ns;
}

static uint64_t best(uint64_t (*measure)(const struct unwind_start *), int rounds,
                     const struct unwind_start *start)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < rounds; i++) {
        uint64_t ns = measure(start);
        least = ns < least ? ns : least;
    }
    return least;
}

static __attribute__((noinline)) void report(void)
{
    struct unwind_start start = UNWIND_HERE();
    double warm = (double)best(warm_ns, BENCH_ROUNDS, &start) / BENCH_CAPTURES;
    double cold = (double)best(cold_ns, BENCH_COLD, &start);
    double depth = capture.depth;
    printf("%6u %10.1f %10.2f %10.0f %10.0f\n", capture.depth, warm, warm / depth, cold,
           cold / depth);
}

int main(void)
{
    unwind_init();
    printf("%6s %10s %10s %10s %10s\n", "depth", "warm", "a frame", "cold", "a frame");
    for (unsigned frames = 0; frames <= 96; frames += 8)
        steps[frames % 64](frames);
    return 0;
}
