/*
 * measure: the time of a piece of work, repeated in short batches. The machine is shared, so two ways of
 * looking at the batches: the fastest by the wall clock, which nothing can make look faster than it is; or, for
 * threads that wait for each other, the middle one by CPU time (not the fastest: a hypervisor's stolen time is
 * taken off now and then in a lump).
 *
 * Owns: nothing. Context: the benchmark programs. Not here: comparing plain with recorded (recorded.py).
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { MEASURE_NS = 100000000, MEASURE_BATCHES_MIN = 5, MEASURE_BATCHES_MAX = 4096 };

/* Does `count` events. */
typedef void work_fn(void *argument, long count);

struct work {
    work_fn *run;
    void *argument;
    long count; /* events in a batch */
    clockid_t clock;
    uint64_t within_ns;
};

static inline uint64_t measure_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Fills `times_ns` with those of batches of `count` events for within_ns; returns how many there are. */
static __attribute__((noinline, unused)) int measure_batches(const struct work *work,
                                                             uint64_t *times_ns)
{
    int batches = 0;
    work->run(work->argument, work->count);
    uint64_t first_ns = measure_clock_ns(work->clock), start_ns = first_ns;
    while (batches < MEASURE_BATCHES_MAX &&
           (batches < MEASURE_BATCHES_MIN || start_ns - first_ns < work->within_ns)) {
        work->run(work->argument, work->count);
        uint64_t end_ns = measure_clock_ns(work->clock);
        times_ns[batches++] = end_ns - start_ns;
        start_ns = end_ns;
    }
    return batches;
}

static int measure_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/*
 * ns per event of the batch at `part` of the order by time: 0 is the fastest, 0.5 the middle one. The times are
 * not kept on the stack: a frame of 32 KiB is not what programs have above an allocation.
 */
static inline double measure_ns(const struct work *work, double part)
{
    uint64_t *times_ns = calloc(MEASURE_BATCHES_MAX, sizeof *times_ns);
    int batches = times_ns ? measure_batches(work, times_ns) : 0;
    if (batches == 0)
        exit(1);
    qsort(times_ns, (size_t)batches, sizeof *times_ns, measure_compare);
    double event_ns = (double)times_ns[(int)(part * batches)] / (double)work->count;
    free(times_ns);
    return event_ns;
}

/* Wall ns per event in the fastest batch of `count` events. */
static inline double measure_least_ns(work_fn *run, void *argument, long count)
{
    struct work work = {run, argument, count, CLOCK_MONOTONIC, MEASURE_NS};
    return measure_ns(&work, 0);
}

#endif
