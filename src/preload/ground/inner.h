/*
 * inner.h - whose calls are part of a call that is being recorded.
 *
 * What it is: the allocator calls mmap from inside malloc, the loader and libc allocate for themselves
 *   while a hook is in them: those are no events of the program's. Code of any other object that
 *   calls a hook meanwhile is a signal handler's: its event is missed, and counted.
 * Owns: where those objects lie; they are never unloaded.
 * Context: inner_has(): anywhere. The others: start-up.
 * Not here: which hook is in what state (guard.h).
 */
#ifndef HEAPDIFF_PRELOAD_INNER_H
#define HEAPDIFF_PRELOAD_INNER_H

#include <stdbool.h>

/* This library, libc, the loader, and the object that `allocator` is in. */
void inner_init(const void *allocator);

/* The object that `code` is in, too. The second: it allocates from what it maps, as an allocator does. */
void inner_add(const void *code);
void inner_add_allocator(const void *code);

/* Whether `caller` is code of the allocator, in an object that is not libc itself. */
bool inner_is_allocator(const void *caller);

/* Whether a call that returns to `caller` is part of another one; true while that is not known. */
bool inner_has(const void *caller);

#endif
