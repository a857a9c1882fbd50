/*
 * escape.h - hooks that were left by a jump.
 *
 * What it is: a signal handler may interrupt a hook and never come back: siglongjmp, a C++ exception,
 *   pthread_exit's kin. The thread then looks as if it were inside for ever, and locks stay held. An
 *   event that finds its thread inside asks here whether the interrupted hook is still on the stack.
 * Owns: where this library's code lies.
 * Context: hooks whose thread is inside, thus also handlers. Costs a stack walk, no time otherwise.
 * Not here: threads that end inside a hook: nothing runs there any more that could notice.
 */
#ifndef HEAPDIFF_PRELOAD_ESCAPE_H
#define HEAPDIFF_PRELOAD_ESCAPE_H

#include <stdbool.h>

/* Finds this library's code. Once, at start-up. */
void escape_init(void);

/* True: the hook is gone; what it held is free again, and the thread is outside. */
bool escape_happened(void);

#endif
