/*
 * memo_branch.h - leaves that come back.
 *
 * What it is: programs allocate in turn from a few places that have all but a few frames in common. A
 *   branch is such a leaf and the frames between it and a frame of the stack: when the next stack
 *   begins with the same leaf state, the branch's cells and that frame are as they were, and so are
 *   the cells farther out, it is the same stack as then, and nothing is walked.
 * Owns: each memo's table of branches.
 * Context: hooks, in the recording part, on the memo's thread.
 * Not here: the last leaf of all (memo_capture()).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_BRANCH_H
#define HEAPDIFF_PRELOAD_MEMO_BRANCH_H

#include "memo.h"

enum { BRANCH_CELLS = 6 };

/*
 * A leaf seen before, and the few frames between it and a frame of the stack, which may have got other
 * frames on top since. As long as its own cells and that frame are as they were, nothing is walked.
 */
struct memo_branch {
    uintptr_t pc; /* the leaf's state */
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t fp_mask;
    uintptr_t base_sp; /* the state on arrival at the stack's frame `base` ... */
    uintptr_t base_fp;
    uint64_t turn; /* path_cache.turn when it was made */
    struct memo_leaf *leaf;
    uint32_t node; /* of the leaf */
    uint32_t base;
    uint32_t base_node; /* ... which stood for this stack then */
    uint32_t base_rule;
    uint32_t count; /* of cells, leaf first */
    struct memo_cell cells[BRANCH_CELLS];
};

static_assert(sizeof(struct memo_branch) <= 192, "three cache lines");

/* The leaf's record, when the stack is a branch seen before; else NULL. */
struct memo_leaf *branch_find(const struct memo *memo, const struct unwind_start *start,
                              uintptr_t stack_top);

/* Keeps the leaf that memo_capture() knows now as a branch from the stack's frame `base`, when the frames
   between them are few and plain. */
void branch_put(struct memo *memo, uint32_t base);

/* Forgets all branches; the memory goes back. */
void branch_clear(struct memo *memo);

#endif
