/*
 * events: malloc and free of 64 bytes, over and over, at the bottom of a chain of calls; prints the
 * nanoseconds of a pair. The same program plain and recorded, in turn, tells what recording adds.
 *
 *     events DEPTH LEAVES PAIRS     LEAVES: how many different callers take turns (new innermost frames)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LEAVES_MAX = 4 };

static void *volatile sink;

#define LEAF(number)                                            \
    static __attribute__((noinline)) void leaf_##number(void)   \
    {                                                           \
        void *block = malloc(64);                               \
        sink = block;                                           \
        free(block);                                            \
        __asm__ volatile("");                                   \
    }                                                           \
    static __attribute__((noinline)) void middle_##number(void) \
    {                                                           \
        leaf_##number();                                        \
        __asm__ volatile("");                                   \
    }

LEAF(0)
LEAF(1)
LEAF(2)
LEAF(3)

static void (*const middles[LEAVES_MAX])(void) = {middle_0, middle_1, middle_2, middle_3};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static __attribute__((noinline)) void pairs(unsigned leaves, long count)
{
    for (long i = 0; i < count; i++)
        middles[(unsigned)i % leaves]();
}

static __attribute__((noinline)) void descend(int depth, unsigned leaves, long count)
{
    if (depth > 0)
        descend(depth - 1, leaves, count);
    else
        pairs(leaves, count);
    __asm__ volatile("");
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    int depth = atoi(arguments[1]) - 4; /* main, pairs, middle and leaf are frames too */
    unsigned leaves = (unsigned)atoi(arguments[2]);
    long total = atol(arguments[3]);
    if (leaves < 1 || leaves > LEAVES_MAX || depth < 0)
        return 2;
    descend(depth, leaves, total / 10 + 1);
    double start_ns = now_ns();
    descend(depth, leaves, total);
    printf("%.1f\n", (now_ns() - start_ns) / (double)total);
    return 0;
}
