/*
 * escape.h - hooks that were left by a jump.
 *
 * What it is: a signal handler may interrupt a hook and never come back: siglongjmp, a C++ exception,
 *   pthread_exit's kin. The thread then looks as if it were inside for ever, and locks stay held. An
 *   event that finds its thread inside asks here whether the interrupted hook is still on the stack.
 * Owns: where this library's code lies.
 * Context: hooks whose thread is inside, thus also handlers. Costs a stack walk, no time otherwise.
 * Not here: threads that end inside a hook and run no destructors: spin.h and gate.h find out that they
 *   are gone.
 */
#ifndef HEAPDIFF_PRELOAD_ESCAPE_H
#define HEAPDIFF_PRELOAD_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

/* Finds this library's code. Once, at start-up. */
void escape_init(void);

/* True: the hook is gone; what it held is free again, and the thread is outside. */
bool escape_happened(void);

/* This thread is ending: the hook that it is inside of is gone for sure. */
void escape_end(void);

/* A thread has ended inside a hook, unseen; `holder` is what spin_self() was in it. */
void escape_inherit(uint32_t holder);

#endif
