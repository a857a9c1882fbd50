/*
 * go_heap.h - what Go's runtime knows of its heap, at one moment.
 *
 * What it is: the buckets of its heap profile with all four of their cycles, and its figures of the collector, read out of
 *   a process by process_vm_readv(2).
 * Owns: what it allocates, until go_heap_free(). Context: cli; the process goes on meanwhile, or stands still.
 * Not here: names (go_symbol.h), a profile (go_profile.h).
 *
 * Go books allocations two cycles ahead and what sweeping frees one cycle ahead, and adds a cycle to what it publishes
 * (`active`) when it is over. So by the last collection N, with its cycle C:
 *
 *     what pprof says             active (+ C, while it is being added)         as of N - 1; after runtime.GC() as of N
 *     live at the last collection active + C + C+1, less what these have freed  exact once sweeping has come to its end
 *     allocated since             C+2
 */
#ifndef HEAPDIFF_CLI_GO_HEAP_H
#define HEAPDIFF_CLI_GO_HEAP_H

#include "go_binary.h"

#include <stdio.h>

enum { GO_PAUSES = 256 }; /* of the runtime's ring */

/* Objects of one stack and one size; counted in samples where the rate is above 1. */
struct go_site {
    uint64_t size_bytes; /* of each object, rounded up to its size class */
    uint64_t published_allocs, published_frees;
    uint64_t pending_allocs, pending_frees; /* of C+1: live then, not published yet */
    uint64_t since_allocs, since_frees;
    size_t first_pc; /* index in pcs */
    uint32_t depth;
};

struct go_figures {
    int64_t rate; /* bytes from sample to sample; 0: nothing is recorded */
    uint64_t collections, forced;
    uint64_t last_ns; /* its time; 0: there was none */
    uint64_t pause_ns[GO_PAUSES], pause_end_ns[GO_PAUSES];
    uint64_t marked_bytes;    /* live at the last collection, by the collector itself */
    uint64_t allocated_bytes; /* HeapAlloc: with garbage that is not swept yet */
    uint64_t in_use_bytes, idle_bytes, released_bytes; /* spans */
    uint64_t goal_bytes;                  /* heap at which the next one ends; 0: not known */
    uint64_t before_bytes, reached_bytes; /* heap when the last one began, and when it ended */
    double cpu_fraction;
    int32_t percent; /* GOGC; negative: off */
    bool limited;    /* by a memory limit */
};

struct go_heap {
    struct go_figures figures;
    struct go_site *sites;
    size_t count, capacity;
    uint64_t *pcs;
    size_t pc_count, pc_capacity;
    bool swept;    /* the last collection's sweeping is over */
    bool settled;  /* nothing was published while the buckets were read */
    bool advanced; /* what is published is of the last collection already */
};

/* NULL, or why it cannot be read: text that free() takes. */
char *go_heap_read(struct go_heap *heap, const struct go_binary *binary, int pid);
void go_heap_free(struct go_heap *heap);

#endif
