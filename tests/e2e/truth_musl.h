/*
 * truth_musl.h - what the truth program calls and musl does not have; included by force in its build there.
 *
 * What it is: pvalloc and the context switches, as small as the program needs them; a realloc that frees for a
 *   size of 0, as glibc's does (musl's own way has a site in truth_musl.c).
 * Owns: nothing. Context: tests. Not here: sbrk and brk, which fail in musl, and C++.
 */
#ifndef HEAPDIFF_TRUTH_MUSL_H
#define HEAPDIFF_TRUTH_MUSL_H

#include <malloc.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

void *pvalloc(size_t bytes);

/* A stack switch in place of the real thing: the body runs to its end on its own stack, and comes back. */
#define getcontext(context)               ((void)0)
#define makecontext(context, body, count) truth_make_context(context, body)
#define swapcontext(context_old, context) truth_swap_context(context)
void truth_make_context(ucontext_t *context, void (*body)(void));
int truth_swap_context(ucontext_t *context);

#define realloc(block, bytes) \
    ((bytes) == 0 ? (free(block), (void *)0) : (realloc)((block), (bytes)))

/* They fail, and the program is told of the success that it asks for. */
#define sbrk(bytes) truth_sbrk(bytes)
#define brk(end)    truth_brk(end)
void *truth_sbrk(intptr_t bytes);
int truth_brk(void *end);

#endif
