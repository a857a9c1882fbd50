/*
 * memo.h - a thread's last stack, so that the next one need be walked only where it differs.
 *
 * What it is: the cells that the last walk read, with what stood in them. A capture walks by rules
 *   (unwind.h) from the leaf until it meets a frame of the memo in the same state, then looks whether
 *   all cells farther out still hold the same: if so, the rest of the stack is the same, by
 *   induction, and its trie node is taken over. New leaf frames are looked up in a cache of paths.
 * Owns: nothing shared; each memo is its thread's.
 * Context: hooks, in the recording part, on the thread that the memo belongs to.
 * Not here: the walk (unwind.h), the trie (stack.h), sites (site.h).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_H
#define HEAPDIFF_PRELOAD_MEMO_H

#include "unwind.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of a stack's leaf. The caller of memo_capture() fills in what is still 0. */
struct memo_leaf {
    uint32_t node;       /* in BOX_NODES; 0: the tables are full */
    uint32_t site;       /* of kind malloc */
    uint32_t size_bytes; /* the size last asked for here ... */
    uint32_t lot;        /* ... and its lot; 0: not known */
};

struct memo { /* valid when zeroed */
    uint64_t unused; /* until there is one */
};

/*
 * The leaf of the calling thread's stack: the same record for the same stack as long as nothing has
 * pushed it out. Valid until the next capture by this memo. Counts cut and ended stacks (box_lost).
 */
struct memo_leaf *memo_capture(struct memo *memo, const struct unwind_start *start,
                               uintptr_t stack_top);

/* Forgets everything: libraries were unloaded, or another thread takes the memo over. */
void memo_clear(struct memo *memo);

#endif
