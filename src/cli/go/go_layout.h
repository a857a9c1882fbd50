/*
 * go_layout.h - where versions of Go's runtime keep what a look from outside needs.
 *
 * What it is: one row for each version whose structures are known and whose meaning was proved by a test; offsets in
 *   bytes. What is padded to cache lines differs between processors: amd64's are known.
 * Owns: nothing. Context: cli. Not here: reading (go_heap.h), the file (go_binary.h).
 *
 * Another version is added by its row, and by tests/e2e/attach.py run with that Go: nothing is guessed.
 */
#ifndef HEAPDIFF_CLI_GO_LAYOUT_H
#define HEAPDIFF_CLI_GO_LAYOUT_H

#include <stdint.h>

struct go_layout {
    int major, minor, machine; /* the latter: EM_X86_64 ... */
    uint32_t pclntab_magic;    /* of the table of functions (go_symbol.h) */
    uint32_t stack_max;        /* frames that a bucket of the heap profile has at most */
    /* struct bucket: stack behind its head, memRecord behind that: active, then a ring of 3 cycles. */
    struct {
        uint32_t all_next, type, size, depth, head_bytes;
        uint32_t record_bytes, cycle_bytes;
        uint32_t allocs, frees; /* in a cycle */
    } bucket;
    struct {
        uint32_t last_gc, pauses, pause_ends, count, forced, cpu_fraction, size_bytes;
    } stats; /* struct mstats */
    struct {
        uint32_t percent, limit, goal, goal_least, marked;
        uint32_t in_use, released, free, total_alloc, total_free, size_bytes;
    } controller;                                  /* struct gcControllerState */
    uint32_t work_before, work_reached, work_left; /* struct workType: heap0, heap1, heap2 */
    uint32_t sweep_state;                          /* struct sweepdata: active.state */
};

/* "go1.19.8": the row of that version on that processor, or NULL. */
const struct go_layout *go_layout_of(const char *version, int machine);

/* All that are known, for a person; static. */
const char *go_layout_known(void);

#endif
