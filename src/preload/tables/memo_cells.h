/*
 * memo_cells.h - which cells of the machine's stack a frame depends on.
 *
 * What it is: makes frames of the memo, with their cells, from the steps of a walk.
 * Owns: nothing; all of it is the memo's.
 * Context: right after the walk, which has read the same cells.
 * Not here: the walk (memo_walk.h).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_CELLS_H
#define HEAPDIFF_PRELOAD_MEMO_CELLS_H

#include "memo.h"

/*
 * Makes frames of the first `steps` of memo->steps, on top of the stack's frame `base`; stack.depth is
 * left as it is. False when there is no room for their cells.
 */
bool memo_push(struct memo *memo, uint32_t base, uint32_t steps);

/* Fills the last group of the stack up; how many cells the groups have. */
uint32_t memo_close(struct memo_stack *stack);

#endif
