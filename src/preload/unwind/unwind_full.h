/*
 * unwind_full.h - the walk with all registers.
 *
 * What it is: the last resort for stacks with a frame whose rule needs more than sp and fp. Starts in
 *   this library's own frames, where the callee-saved registers are known, evaluates the whole
 *   rules of each frame and keeps what lies beyond the hook's caller.
 * Owns: nothing.
 * Context: anywhere; about a hundred times slower than the compiled rules.
 * Not here: expressions (cfi_expression.h).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_FULL_H
#define HEAPDIFF_PRELOAD_UNWIND_FULL_H

#include "unwind.h"

/*
 * Refills *capture. False, with *capture as it was, when `start` is not a caller of this function;
 * capture->ended when the way to the outermost frame was lost here too.
 */
bool full_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top);

/* Captures taken this way since the program began. */
uint64_t full_count(void);

#endif
