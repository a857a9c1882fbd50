/*
 * unwind_switch.h - code of a runtime's that goes on on another stack.
 *
 * What it is: where the code lies that calls on a stack of its own and leaves the frame pointer alone, as Go's does that
 *   calls C: no rule says so, but the caller's frame record is still where the frame pointer says.
 * Owns: the list. Context: switch_add(): start-up, or the helper thread; switch_is_at(): hooks and handlers.
 * Not here: which code does (runtime/go.c).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_SWITCH_H
#define HEAPDIFF_PRELOAD_UNWIND_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

enum { SWITCHES_MAX = 4 };

/* Code in [start, end); more than SWITCHES_MAX are not kept. One thread at a time. */
void switch_add(uintptr_t start, uintptr_t end);

/* Whether the call that returns to `key` was made there. */
bool switch_is_at(uintptr_t key);

#endif
