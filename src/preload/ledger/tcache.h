/*
 * tcache.h - freed blocks that glibc's threads keep for themselves.
 *
 * What it is: each thread has up to 7 freed chunks of each of 64 sizes in a cache, which malloc_trim() does not look
 *   at: for it they are in use, and so are their pages. Where the caches are is no interface of glibc's. It is found
 *   out at start-up by an experiment: two blocks freed, and looked for. Where that finds nothing, nothing is assumed.
 * Owns: what was found out; the memory of a list.
 * Context: tcache_learn(): constructor; it allocates. The others as a snapshot's writer. All memory of others is read
 *   by the kernel, which refuses what has gone.
 * Not here: what follows for a page (trim.h).
 */
#ifndef HEAPDIFF_PRELOAD_TCACHE_H
#define HEAPDIFF_PRELOAD_TCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcache_chunk {
    uint64_t start, usable_end;
};

struct tcache_list {
    struct tcache_chunk *chunks; /* by address */
    size_t count, room;
    bool whole; /* none is missing that the threads which have had an event keep */
};

/* `take` and `give` are glibc's malloc() and free(), not ours. */
void tcache_learn(void *(*take)(size_t), void (*give)(void *));

/* As of now; other threads may be at work. */
void tcache_gather(struct tcache_list *list);

void tcache_list_free(struct tcache_list *list);

#endif
