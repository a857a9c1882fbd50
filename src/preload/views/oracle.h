/*
 * oracle.h - libunwind, the unwinder of record, in place of our own or beside it.
 *
 * What it is: what unwind=libunwind and unwind=check ask for: every stack by unw_step, or by both with
 *   the differences counted in the profile. For doubts about a stack, not for every day: unw_step costs
 *   about a microsecond a frame and takes the loader's lock. A build with -Dself_check=true checks
 *   always.
 * Owns: nothing. Context: oracle_init() from the constructor; the others in hooks, guard held.
 * Not here: unwinding (unwind.h).
 */
#ifndef HEAPDIFF_PRELOAD_ORACLE_H
#define HEAPDIFF_PRELOAD_ORACLE_H

#include "preload/unwind/unwind.h"

/* Opens libunwind when options.unwind needs it; says so, and falls back, when there is none. */
void oracle_init(void);

/* unwind_capture(), or what options.unwind asks for instead. */
void oracle_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top);

/*
 * Compares what stands in BOX_NODES for the stack that begins at `start`, as a memo has it, with a
 * walk by rules and with libunwind's, frame by frame; counts, and tells the first difference of the
 * process. `node` 0, no room in the tables: nothing to compare. Called from the hook's own stack
 * frames while `start` still is their caller.
 */
void oracle_check(uint32_t node, const struct unwind_start *start, uintptr_t stack_top);

/* The thread that spin_self() told `holder` has ended: if in libunwind, nobody goes there any more. */
void oracle_inherit(uint32_t holder);

#endif
