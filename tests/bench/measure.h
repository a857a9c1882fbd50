/*
 * measure: the time of a piece of work, repeated in short batches of which the fastest counts: the machine
 * is shared, and whatever else it does only ever adds.
 *
 * Owns: nothing. Context: the benchmark programs. Not here: comparing plain with recorded (recorded.py).
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <time.h>

enum { MEASURE_NS = 100000000, MEASURE_BATCHES_MIN = 5 };

/* Does `count` events. */
typedef void work_fn(void *argument, long count);

static inline uint64_t measure_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The calling thread's CPU ns per event in the fastest batch of `count` events. */
static __attribute__((noinline, unused)) double measure_least_ns(work_fn *work, void *argument,
                                                                 long count)
{
    const clockid_t clock = CLOCK_THREAD_CPUTIME_ID;
    uint64_t least_ns = UINT64_MAX;
    work(argument, count);
    uint64_t first_ns = measure_clock_ns(clock), start_ns = first_ns;
    for (int batch = 0; batch < MEASURE_BATCHES_MIN || start_ns - first_ns < MEASURE_NS; batch++) {
        work(argument, count);
        uint64_t end_ns = measure_clock_ns(clock);
        least_ns = end_ns - start_ns < least_ns ? end_ns - start_ns : least_ns;
        start_ns = end_ns;
    }
    return (double)least_ns / (double)count;
}

#endif
