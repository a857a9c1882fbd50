/*
 * sample.h - recording one allocation in so many bytes (sample=).
 *
 * What it is: each thread counts down the bytes to its next sample, a distance drawn from the
 *   exponential distribution, so that every byte has the same chance, whatever the sizes are; a
 *   sampled block stands for 1 / (1 - exp(-size / period)) blocks of its size. A byte per KiB of
 *   the program says whether a sampled block may begin there: frees of all others pass by.
 * Owns: the countdowns, the filter.
 * Context: hooks. Nothing here knows about stacks and sites.
 * Not here: what a sample is recorded as (tracker.c). mmap is always recorded exactly.
 */
#ifndef HEAPDIFF_PRELOAD_SAMPLE_H
#define HEAPDIFF_PRELOAD_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Frees near a sampled block take the long way: so many fewer in a KiB than in a page that it outweighs the bytes of
       the filter that are in the processor's caches. */
    SAMPLE_SPAN_SHIFT = 10,
    SAMPLE_FILTER_BYTES = 1 << 20
};

struct sample {
    uint64_t period_bytes; /* mean distance of samples; 0: everything is recorded */
    uintptr_t filter_mask; /* 0 when everything is recorded: sample_filter[0] says so */
    bool ended;            /* nothing is recorded any more, by no thread: everything passes by */
};

extern struct sample sample __attribute__((visibility("hidden"))); /* no detour by the GOT */

/* Sampled blocks that begin in a span of the program, modulo the filter's size; 255 stays. */
extern unsigned char sample_filter[SAMPLE_FILTER_BYTES] __attribute__((visibility("hidden")));

/* What this thread may still ask for before the next sample; 0 while it has none: everything goes the long way. */
extern __thread size_t sample_left_bytes;

/* From now on free() passes nothing by: there is memory of ours. Before the first call is passed on. */
void sample_init(void);

/* Starts sampling. `seed` 0: a different one each time. */
void sample_start(uint64_t period_bytes, uint64_t seed);

/* From now on all passes by, but what is watched; for each thread from its first call on that asks sample_is_over(). */
void sample_end(void);

/* The slow half of sample_passes_over(). */
bool sample_decides(size_t size_bytes);

/* Blocks that free() must look at come from these spans. */
void sample_watch(uintptr_t address);
void sample_unwatch(uintptr_t address);

/*
 * What `count` sampled blocks of `size_bytes` stand for: adds to *objects, in parts of
 * 1 / BOX_OBJECT_PARTS, and to *bytes. Without sampling: count, in whole objects, and its bytes.
 */
void sample_weigh(uint64_t size_bytes, uint64_t count, uint64_t *objects, uint64_t *bytes);

/*
 * Most allocations of a sampled run: counted down, and passed on. One of no bytes is passed on whether anything is sampled
 * or not.
 */
static inline bool sample_counts_down(size_t size_bytes)
{
    size_t left_bytes;
    if (__builtin_expect(__builtin_sub_overflow(sample_left_bytes, size_bytes, &left_bytes), false))
        return false;
    sample_left_bytes = left_bytes;
    return true;
}

/* The same, but that nothing is passed on unless samples are taken. */
static inline bool sample_skips(size_t size_bytes)
{
    return size_bytes > 0 && sample_counts_down(size_bytes);
}

/* What sample_skips() left open: true when an allocation of `size_bytes` is not to be recorded. */
static inline bool sample_passes_over(size_t size_bytes)
{
    return __builtin_expect(sample.period_bytes != 0, false) && sample_decides(size_bytes);
}

/* Whether everything passes by: what comes next need not ask. */
static inline bool sample_is_over(void)
{
    if (__builtin_expect(!sample.ended, true))
        return false;
    sample_left_bytes = SIZE_MAX;
    return true;
}

/* Most frees of a sampled run: no sampled block lies near. */
static inline bool sample_ignores(const void *address)
{
    return sample_filter[((uintptr_t)address >> SAMPLE_SPAN_SHIFT) & sample.filter_mask] == 0;
}

#endif
