/*
 * stack_throw.h - the stacks of C++: unwinding, callbacks of templates, calls through tables.
 *
 * Owns: nothing. Context: unit tests. Built with -O2 -fomit-frame-pointer.
 * Not here: taking stacks (stack_probe.h).
 */
#ifndef HEAPDIFF_TEST_STACK_THROW_H
#define HEAPDIFF_TEST_STACK_THROW_H

#ifdef __cplusplus
extern "C" {
#endif

/* Throws through `depth` frames whose destructors call `probe`, which the handler calls too; how many
   destructors ran. */
int throw_through_destructors(int depth, void (*probe)(void));

/* Catches and throws again in `depth` frames; how many. */
int throw_again(int depth, void (*probe)(void));

/* Sorts with a comparison that calls `probe`; how many numbers. */
int sort_numbers(int count, void (*probe)(void));

/* A virtual call through a thunk, a std::function and a member pointer. */
void call_through_tables(void (*probe)(void));

#ifdef __cplusplus
}
#endif

#endif
