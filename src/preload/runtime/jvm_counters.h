/*
 * jvm_counters.h - a JVM's counters of its collections, found in its memory.
 *
 * What it is: how often each of its collectors ran and for how long, what is used, why it collects. The JVM keeps them for
 *   jstat in memory of its own; they are read there, and the JVM does not notice.
 * Owns: nothing. Context: the helper thread; at exit, whoever ends the process.
 * Not here: what their changes are (jvm.c), the counters' layout (perfdata.h).
 */
#ifndef HEAPDIFF_PRELOAD_JVM_COUNTERS_H
#define HEAPDIFF_PRELOAD_JVM_COUNTERS_H

#include "runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JVM_COLLECTORS = 3, /* sun.gc.collector.0 to 2 */
    JVM_SPACES_MAX = 8  /* of all generations */
};

/* What one more invocation of a collector is. */
enum jvm_kind {
    JVM_UNKNOWN,
    JVM_YOUNG,
    JVM_FULL,
    JVM_PHASES, /* G1's two pauses of a concurrent cycle: Remark, when it is known what lives, and Cleanup */
    JVM_CYCLES, /* its pauses are several to a collection: the heap's own number is asked */
    JVM_UNCOUNTED, /* the same, but the heap does not count; nor are its counters of pauses, or of a cycle's end */
    JVM_NEVER
};

/* Counters of one collector, in the JVM's memory; an invocation counts from its begin. */
struct jvm_collector {
    enum jvm_kind kind; /* JVM_UNKNOWN: there is none */
    const uint64_t *invocations, *entry, *exit, *time;
    uint64_t seen, seen_ticks;
    uint64_t base; /* JVM_PHASES: pauses before the first cycle after the last full collection */
};

struct jvm_counters {
    const char *memory; /* the counters */
    size_t memory_bytes;
    struct jvm_collector collectors[JVM_COLLECTORS];
    const uint64_t *spaces[JVM_SPACES_MAX];
    size_t spaces_count;
    const char *cause, *last_cause;
    size_t cause_bytes, last_cause_bytes;
    uint64_t frequency_hz;
    const uint32_t *collections; /* of the heap, from each one's begin */
    uint32_t cycles_seen;
};

/* The names that runtime_found.addresses are of. */
extern const char *const jvm_symbols[];

/* WATCHED: they are all there. Fills in the version. */
enum box_runtime_state jvm_counters_find(struct jvm_counters *jvm, struct runtime_found *found);

#endif
