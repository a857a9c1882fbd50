/*
 * memo_near.h - stacks that differ from the memo's in a few frames only, and have been seen before.
 *
 * What it is: programs allocate in turn from many places that have all but a few frames in common. The
 *   walk goes by plain steps from the leaf to a frame of the memo; the path from there to the leaf is
 *   looked up; nothing is written down. Only a base that stays for some captures gets into the memo.
 * Owns: nothing.
 * Context: hooks, in the recording part, on the memo's thread.
 * Not here: everything else, in full (memo_capture_walked()).
 */
#ifndef HEAPDIFF_PRELOAD_MEMO_NEAR_H
#define HEAPDIFF_PRELOAD_MEMO_NEAR_H

#include "memo.h"

/* memo_capture_stepped() when the stack is not near. From now on the memo has this stack, if it can. */
struct memo_leaf *memo_capture_walked(struct memo *memo, const struct unwind_start *start,
                                      uintptr_t stack_top);

#endif
