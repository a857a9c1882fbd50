/*
 * adversary.h - what the parts of the adversary share.
 *
 * What it is: scenarios that are hard for an unwinder. Each allocates in functions of its own, a known
 *   number of times a round; adversary.py knows who must be on their stacks.
 * Owns: nothing. Context: tests. Not here: the checker (adversary.py).
 */
#ifndef HEAPDIFF_ADVERSARY_H
#define HEAPDIFF_ADVERSARY_H

#include <stddef.h>

#if __has_attribute(noclone)
#define PLACE __attribute__((noinline, noclone))
#else
#define PLACE __attribute__((noinline))
#endif

/* After a call: it is not the function's last, so that the function stays on the stack. */
#define STAY() __asm__ volatile("" : : : "memory")

#ifdef __cplusplus
extern "C" {
#endif

/* One block of a known size, freed again: the stack is what matters. */
void adversary_allocate(void);

/* Exits with 3 and says so, when not. */
void adversary_check(int holds, const char *what);

/* The scenarios; each is a round of it, from any thread. */
void adversary_frames(void);
void adversary_callbacks(void);
void adversary_stacks(void);
void adversary_ends(void);
void adversary_libraries(void);
void adversary_vector(void);
void adversary_cxx(void);

/* How often a library came to lie where another one had been. */
int adversary_libraries_reused(void);

/* A thread's last words. */
void adversary_thread_begin(void);
void adversary_cxx_thread_begin(void);

/* Modes of their own. */
void adversary_generated(void);
void adversary_timer(void);
void adversary_interrupt(long microseconds); /* from now on, so often, in any thread */
void adversary_throw_through(void (*code)(void (*leaf)(void)));

#ifdef __cplusplus
}
#endif

#endif
