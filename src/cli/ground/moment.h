/*
 * moment.h - points in time as nanoseconds, as profiles and black boxes have them.
 *
 * Owns: nothing. Context: any. Not here: as text (number_text.h).
 */
#ifndef HEAPDIFF_CLI_MOMENT_H
#define HEAPDIFF_CLI_MOMENT_H

#include <stdint.h>
#include <time.h>

static inline uint64_t moment_of(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Now: CLOCK_REALTIME is comparable with files' times, CLOCK_MONOTONIC good for how long. */
static inline uint64_t moment_now(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return moment_of(now);
}

#endif
