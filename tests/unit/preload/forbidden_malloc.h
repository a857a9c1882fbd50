/*
 * forbidden_malloc.h - an allocator that ends the process when it is called where it must not be.
 *
 * What it is: malloc and its relations defined by the test program, so that libc's own calls come
 *   here too (stdio, the loader, thread-local storage); they pass on to glibc's.
 * Owns: the flag, per thread. Context: unit tests on glibc without sanitizers, which bring their own.
 * Not here: what runs under it.
 */
#ifndef HEAPDIFF_TEST_FORBIDDEN_MALLOC_H
#define HEAPDIFF_TEST_FORBIDDEN_MALLOC_H

#include <stdbool.h>

/* False where this allocator could not be put in place. */
extern const bool forbidden_malloc_works;

/* While set, this thread's calls of malloc, free and the like abort. */
extern __thread bool malloc_forbidden;

/* Calls while allowed: proof that they come here. */
extern unsigned long malloc_calls;

#endif
