/*
 * leaf.h - where an event's stack ends, and as what a request there is counted.
 *
 * What it is: from the place of a call to the memo's record of its stack; from that, and a size, to a site or a lot.
 * Owns: nothing.
 * Context: hooks, in the recording part, on the thread that is given.
 * Not here: the usual stack, which is found inline (memo_known()); counting (tracker.h).
 */
#ifndef HEAPDIFF_PRELOAD_LEAF_H
#define HEAPDIFF_PRELOAD_LEAF_H

#include "preload/tables/thread.h"
#include "preload/unwind/unwind.h"

#include <stddef.h>
#include <stdint.h>

/* Finds the top of the main thread's stack. Once, at start-up. */
void leaf_init(void);

/*
 * The top of the stack that `sp` is in, or 0. A thread's control block lies on top of its stack,
 * and the main thread's lies below the main stack.
 */
uintptr_t leaf_stack_top(uintptr_t sp);

/* Where the calling thread's stack ends in the trie, by whatever unwinder is asked for. */
struct memo_leaf *leaf_here(struct thread *thread, const struct unwind_start *start);

/* The part of it that is left when memo_known() has just not found the stack. */
struct memo_leaf *leaf_stepped(struct thread *thread, const struct unwind_start *start);

/* The site there of requests of this size; BOX_NONE: a table is full. */
uint32_t leaf_site(struct memo_leaf *leaf, size_t size_bytes);

/* The lot of a request there, for which the allocator gave `address`: most are like the last one. BOX_NONE: it has none. */
uint32_t leaf_lot(struct thread *thread, struct memo_leaf *leaf, void *address, size_t size_bytes);

#endif
