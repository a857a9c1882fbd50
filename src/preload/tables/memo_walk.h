/*
 * memo_walk.h - from the leaf outward, until the walk meets a frame of the memo.
 *
 * What it is: the steps of unwind_capture(), noted one by one, and at each frame a look at whether the
 *   memo has it in the same state.
 * Owns: nothing; the steps are the memo's.
 * Context: hooks, in the recording part, on the memo's thread.
 * Not here: what becomes of the steps (memo.c, memo_cells.h).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_WALK_H
#define HEAPDIFF_PRELOAD_MEMO_WALK_H

#include "memo.h"
#include "preload/unwind/unwind_memory.h"

/* A walk, at the frame with the state pc, sp, fp. The frames it has left are in memo->steps. */
struct way {
    struct memo *memo;
    struct memo_stack *stack;
    uint64_t pc;
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t limit;
    uintptr_t stack_top;
    uint32_t steps;
    uint32_t at; /* no frame of the stack farther in than this can be met any more */
    bool trusted;
    struct memory memory;
};

enum way_end {
    WAY_MET,  /* at frame `at` of the stack; all farther out is as it was */
    WAY_ROOT, /* all frames are in the steps */
    WAY_OTHER /* a stack that cannot be proven: lost, too deep, in need of all registers */
};

enum way_end way_go(struct way *way);

#endif
