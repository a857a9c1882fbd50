/*
 * memo.h - a thread's last stack, so that the next one need be walked only where it differs.
 *
 * What it is: the cells that the last walk read, with what stood in them. A capture walks by rules
 *   (unwind.h) from the leaf until it meets a frame of the memo in the same state, then looks whether
 *   all cells farther out still hold the same: if so, the rest of the stack is the same, by
 *   induction, and its trie node is taken over. New leaf frames are looked up in a cache of paths.
 * Owns: nothing shared; each memo is its thread's.
 * Context: hooks, in the recording part, on the thread that the memo belongs to. A jump out of it leaves
 *   a memo that knows less, but nothing wrong.
 * Not here: the walk (memo_walk.h), stacks that differ little (memo_near.h) and in the same way as before
 *   (memo_branch.h), the trie (stack.h), paths (path.h), sites (site.h).
 *
 * A step is from a frame to its caller. It is a function of the frame's state (pc, sp, fp, and whether
 * a guess came before) and of the cells it reads. fp counts only where it is live: where the rule of the
 * frame, or of one farther out before fp is loaded anew, uses it; a cell that fp is loaded from
 * counts only when fp is live outside. Cells are looked at from the leaf to the root and no farther
 * than the first that differs: the walk itself would have read them.
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_H
#define HEAPDIFF_PRELOAD_MEMO_H

#include "memo_group.h"
#include "path.h"
#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MEMO_CELLS = 4 * BOX_DEPTH_MAX,
    MEMO_STEP_CELLS = 3 * MEMO_GROUP, /* a step reads no more than 3, each in a group of its own */
    MEMO_VERSION_STEP = 1 << 16,      /* more than there are cells */
    MEMO_ZONES = 4,        /* a thread's own stack, and those of handlers and coroutines */
    MEMO_BRANCH_CELLS = 10 /* with the rest of a branch they fill three cache lines */
};

/* Cells that lie within 4 GiB. */
struct memo_zone {
    uintptr_t base;
    uint32_t start; /* the first of its cells, which begins a group */
};

/* A frame, and the state of the walk on arrival. */
struct memo_frame {
    uint64_t pc; /* as captured */
    uintptr_t sp;
    uintptr_t fp;  /* 0 unless it is live */
    uint32_t node; /* of the stack up to here */
    uint32_t rule; /* the payload of the row's word, and MEMO_* */
};

enum {
    MEMO_CAREFUL = 1 << 25, /* the step was not one of plain loads */
    MEMO_GUESSED = 1 << 26, /* a step before this frame was by a guess */
    MEMO_FP_LIVE = 1 << 27
};

/* A stack, root first. frames[0] is none: sp is larger than any, node is 0. */
struct memo_stack {
    /* MEMO_VERSION_STEP more before anything of it changes; 0: it has never been any. While it stays, a
       join that was found is still there (memo_branch.joined). */
    uint64_t version;
    uint32_t depth;
    uint32_t zone;       /* the last one that cells are in */
    uintptr_t stack_top; /* as the walk was told: what it may guess depends on it */
    struct memo_zone zones[MEMO_ZONES];
    uint16_t ends[BOX_DEPTH_MAX + 1]; /* cells of the frames up to each */
    struct memo_frame frames[BOX_DEPTH_MAX + 1];
    /* Where each cell is, from its zone's base, and what it held. A group's are all in one page; where
       they are fewer, the last one stands there again. */
    uint32_t offsets[MEMO_CELLS + MEMO_STEP_CELLS] __attribute__((aligned(64)));
    uintptr_t values[MEMO_CELLS + MEMO_STEP_CELLS] __attribute__((aligned(64)));
};

/* A frame of the walk that is going on. */
struct memo_step {
    uintptr_t sp;
    uintptr_t fp;
    uint32_t rule;
};

/*
 * A stack that leaves the memo's at frame `join`: the state at its leaf, and the cells between. Of the
 * frame that is now in the join's place, all is compared that the rest of the walk depends on.
 */
struct memo_branch {
    uintptr_t pc; /* 0: a free entry */
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t fp_mask; /* all ones where fp is live, else 0 */
    uintptr_t join_sp;
    uintptr_t join_fp;
    uint32_t join_node;
    uint32_t join_rule;
    uintptr_t stack_top;
    uint16_t join; /* in memo_stack.frames */
    uint16_t count;
    /* Of the cells, in bytes from sp, root first: the stack's that are in no whole group before the join, if
       there is room, and those of the steps to it. */
    uint16_t offsets[MEMO_BRANCH_CELLS];
    struct memo_leaf leaf;
    uintptr_t values[MEMO_BRANCH_CELLS];
    /* memo_stack.version when the join was last found there, plus how many of the stack's cells are to be
       compared then: those up to the join in whole groups, as the branch has the others. The difference from
       the version now is that number, or larger than any. 0: the join is to be looked for each time. */
    uint64_t joined;
} __attribute__((aligned(64)));

/* Direct-mapped (memo_branch.h). */
struct memo_branches {
    struct memo_branch *entries; /* NULL: there is none, or they are no use at present */
    uint32_t shift;              /* 64 - log2 of the number of entries */
    uint32_t hits;               /* since they were judged */
    uint32_t misses;             /* the same; while they are no use: since then */
    uint32_t evictions;          /* wanted, since the table grew */
    uint32_t turn;               /* which of them are had */
    struct memo_branch *table;   /* the entries, whether they are in use or not */
};

/* Valid when zeroed. */
struct memo {
    /* The leaf of the last stack; pc 0: there is none. */
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
    uint32_t cells; /* how many: not 0, whole groups, all of one zone; and MEMO_FP_LIVE, if it is */
    uintptr_t stack_top;
    struct memo_leaf *leaf;
    /* All of its own cells hold, but its join is to be looked for: memo_known() leaves it to memo_branch_follow(),
       which comes next or never. NULL: there is none. */
    struct memo_branch *candidate;
    struct path_cache paths;
    struct memo_branches branches;
    uintptr_t near_pc; /* the first frame beyond the memo, the last time (memo_near.c) ... */
    uintptr_t near_sp;
    uint32_t near_repeats;                  /* ... and how often in a row */
    uint64_t pcs[BOX_DEPTH_MAX + PATH_PCS]; /* of the walk that is going on, leaf first; then 0 */
    struct memo_step steps[BOX_DEPTH_MAX + 1]; /* beside them */
    struct memo_stack stack;
};

static inline bool memo_group_holds(const struct memo_stack *stack, uintptr_t base, uint64_t cell)
{
    return __builtin_expect(memo_group_same(base, &stack->offsets[cell], &stack->values[cell]), 1);
}

/* Whether the cells before `end` hold what they held, all of one zone and in whole groups; not 0. */
static inline __attribute__((always_inline)) bool memo_groups_same(const struct memo_stack *stack,
                                                                   uint64_t end)
{
    uintptr_t base = stack->zones[0].base;
    do {
        if (!memo_group_holds(stack, base, end - MEMO_GROUP))
            return false;
        end -= MEMO_GROUP;
    } while (end != 0);
    return true;
}

/* The first of the cells from the one before `end` outward that holds something else by now, or
   MEMO_CELLS: none does. */
uint32_t memo_differs_where(const struct memo_stack *stack, uint32_t end);

static inline uint32_t memo_differs(const struct memo_stack *stack, uint32_t end)
{
    uintptr_t base = stack->zones[0].base;
    if (__builtin_expect(stack->zone != 0, 0))
        return memo_differs_where(stack, end);
    uint64_t cell = end;
    while (cell % MEMO_GROUP != 0) {
        cell--;
        if (memo_cell_read(base + stack->offsets[cell]) != stack->values[cell])
            return (uint32_t)cell;
    }
    for (; cell != 0; cell -= MEMO_GROUP)
        if (__builtin_expect(!memo_group_same(base, &stack->offsets[cell - MEMO_GROUP],
                                              &stack->values[cell - MEMO_GROUP]),
                             0))
            return memo_differs_where(stack, (uint32_t)cell);
    return MEMO_CELLS;
}

/* Whether the stack begins as the last one did. What the walk was told of the stack's top follows from sp. */
static inline bool memo_starts_alike(const struct memo *memo, const struct unwind_start start)
{
    return start.sp == memo->sp && start.pc == memo->pc &&
           (__builtin_expect(memo->cells < MEMO_FP_LIVE, 1) || start.fp == memo->fp);
}

/*
 * The leaf of the calling thread's stack: the same record for the same stack as long as nothing has
 * pushed it out. Valid until the next capture by this memo. Counts cut and ended stacks (box_lost).
 */
struct memo_leaf *memo_capture(struct memo *memo, const struct unwind_start *start,
                               uintptr_t stack_top);

/* The slow part of memo_capture(): what is not found at once (memo_branch.h) is walked. */
struct memo_leaf *memo_capture_stepped(struct memo *memo, const struct unwind_start *start,
                                       uintptr_t stack_top);

/* Forgets everything: libraries were unloaded. */
void memo_clear(struct memo *memo);

/* Forgets the last stack: another thread takes the memo over. Paths are anybody's. */
void memo_leave(struct memo *memo);

#endif
