/*
 * ns for memo_capture() alone, to a leaf record with site and lot known, by depth: the same stack again;
 * another call of the same leaf frame; about three new frames; beside a full walk of the same stack.
 * What the calls themselves cost is measured with an empty capture and taken off.
 */
#include "preload/ground/arena.h"
#include "preload/tables/mapping.h"
#include "preload/tables/memo.h"
#include "preload/unwind/unwind.h"

#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_CAPTURES = 600, BENCH_ROUNDS = 1000, BENCH_CHAINS = 6 };

static struct memo *memo;
static struct capture capture;
static volatile uint32_t seen;
static uintptr_t stack_top;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

typedef void (*probe_fn)(void);

static __attribute__((noinline)) void probe_none(void)
{
    struct unwind_start start = UNWIND_HERE();
    __asm__ volatile("" : : "r"(&start) : "memory");
    seen++;
}

static __attribute__((noinline)) void probe_memo(void)
{
    struct unwind_start start = UNWIND_HERE();
    seen += memo_capture(memo, &start, stack_top)->node;
}

static __attribute__((noinline)) void probe_walk(void)
{
    struct unwind_start start = UNWIND_HERE();
    unwind_capture(&capture, &start, stack_top);
    seen += capture.depth;
}

static __attribute__((noinline)) void same(probe_fn probe)
{
    for (int i = 0; i < BENCH_CAPTURES; i++)
        probe();
}

static __attribute__((noinline)) void leaf_changes(probe_fn probe)
{
    for (int i = 0; i < BENCH_CAPTURES / 3; i++) {
        probe();
        probe();
        probe();
    }
}

/* Three frames that differ in sizes and addresses, for each of the chains. */
#define CHAIN(n)                                                     \
    static __attribute__((noinline)) void inner_##n(probe_fn probe)  \
    {                                                                \
        volatile char bytes[16 * (n) + 8];                           \
        bytes[0] = 1;                                                \
        probe();                                                     \
        seen += (uint32_t)bytes[0];                                  \
    }                                                                \
    static __attribute__((noinline)) void middle_##n(probe_fn probe) \
    {                                                                \
        volatile char bytes[8 * (n) + 8];                            \
        bytes[0] = 1;                                                \
        inner_##n(probe);                                            \
        seen += (uint32_t)bytes[0];                                  \
    }                                                                \
    static __attribute__((noinline)) void outer_##n(probe_fn probe)  \
    {                                                                \
        middle_##n(probe);                                           \
        seen++;                                                      \
    }
CHAIN(0)
CHAIN(1)
CHAIN(2)
CHAIN(3)
CHAIN(4)
CHAIN(5)

static __attribute__((noinline)) void three_change(probe_fn probe)
{
    for (int i = 0; i < BENCH_CAPTURES / BENCH_CHAINS; i++) {
        outer_0(probe);
        outer_1(probe);
        outer_2(probe);
        outer_3(probe);
        outer_4(probe);
        outer_5(probe);
    }
}

typedef void (*work_fn)(probe_fn probe);
static const work_fn works[] = {same, leaf_changes, three_change};
enum { WORKS = 3, PROBES = 3 };

static double least[WORKS][PROBES];

static __attribute__((noinline)) void report(void)
{
    static const probe_fn probes[] = {probe_none, probe_memo, probe_walk};
    for (int round = 0; round < BENCH_ROUNDS; round++)
        for (int i = 0; i < WORKS * PROBES; i++) {
            uint64_t start_ns = now_ns();
            works[i / PROBES](probes[i % PROBES]);
            double ns = (double)(now_ns() - start_ns) / BENCH_CAPTURES;
            double *kept = &least[i / PROBES][i % PROBES];
            *kept = round == 0 || ns < *kept ? ns : *kept;
        }
    printf("%6u", capture.depth - 3);
    for (int i = 0; i < WORKS; i++)
        printf(" %10.1f %10.1f", least[i][1] - least[i][0], least[i][2] - least[i][0]);
    printf("\n");
}

int main(int count, char **arguments)
{
    long error;
    unsigned only = count > 1 ? (unsigned)atoi(arguments[1]) : 0;
    unwind_init();
    mapping_init("/", "/");
    stack_top = (uintptr_t)__builtin_frame_address(0) + (64 << 10);
    memo = calloc(
        1, sizeof(*memo)); /* as in a thread's pages: gcc 12 takes a static one for constant */
    if (!memo || !arena_open(NULL, "bench", 1, &error))
        return 1;
    printf("%6s %21s %21s %21s\n", "depth", "the same (walk)", "leaf changes (walk)",
           "three change (walk)");
    for (unsigned frames = 1; frames <= 101; frames += 10)
        if (only == 0 || only == frames)
            steps[frames % 64](frames);
    return 0;
}
