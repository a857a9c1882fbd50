/*
 * unwind_walk.h - one step of a stack walk, taken with care.
 *
 * What it is: the state between two frames and the step that handles everything the fast loop of
 *   unwind.c does not: signal frames, switched stacks, code without rules.
 * Owns: nothing.
 * Context: anywhere.
 * Not here: frames that need all registers (unwind_full.h).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_WALK_H
#define HEAPDIFF_PRELOAD_UNWIND_WALK_H

#include "row.h"
#include "unwind.h"
#include "unwind_memory.h"

struct walk {
    uintptr_t key; /* of the frame's rule: see row_lookup() */
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t limit;     /* what lies between sp and here is there to be read */
    uintptr_t stack_top; /* of the thread's own stack, or 0 */
    bool interrupted;    /* the frame did not call: it lies under a signal frame */
    bool trusted;        /* every step so far was by a rule, none by a guess */
    struct memory memory;
};

enum walk_outcome {
    WALK_ON,        /* at the caller, which called */
    WALK_ON_SIGNAL, /* at the caller, which was interrupted */
    WALK_END,       /* there is no caller */
    WALK_LOST,      /* no way to the caller is known */
    WALK_FULL       /* the way needs other registers */
};

enum {
    WALK_JUMP_MAX = 32 << 10, /* frames larger than this are looked at before they are read */
    WALK_GUESS_MAX = 16 << 10 /* farther, a frame pointer is another stack's or not one at all */
};

/* The thread's own stack has no holes below its top; of other stacks only the page in use is known. */
static inline uintptr_t walk_limit(uintptr_t sp, uintptr_t stack_top)
{
    if (sp < stack_top)
        return stack_top;
    return ((sp - 1) | (MEMORY_PAGE_BYTES - 1)) + 1;
}

void walk_open(struct walk *walk, const struct unwind_start *start, uintptr_t stack_top);

/* From a frame with the rule `word` to its caller. */
enum walk_outcome walk_step(struct walk *walk, uint64_t word);

/* To the caller by the frame pointer alone, on the thread's own stack only. */
enum walk_outcome walk_guess(struct walk *walk);

/* Appends a frame. False, with `cut` set, when there is no room. */
static inline bool capture_push(struct capture *capture, uint64_t pc)
{
    if (capture->depth == BOX_DEPTH_MAX) {
        capture->cut = true;
        return false;
    }
    capture->pcs[capture->depth++] = pc;
    return true;
}

#endif
