/*
 * boehm_heap.h - the objects in libgc's heap that have a record.
 *
 * What it is: a walk over the records of blocks that lie in the heap, which takes out those that the collector has
 *   not marked: nothing refers to them, and their addresses will be given to others.
 * Owns: nothing. Context: the collector's event of a reclaim: marks are valid, its lock is held, the world runs. The
 *   caller is in the guard, outside of recording.
 * Not here: what is live by sites (collection.h).
 */
#ifndef HEAPDIFF_PRELOAD_BOEHM_HEAP_H
#define HEAPDIFF_PRELOAD_BOEHM_HEAP_H

#include "preload/ground/guard.h"

#include <stdint.h>

/* Bytes as requested. */
struct boehm_heap {
    uint64_t live_bytes, live_objects;
    uint64_t atomic_bytes; /* of the live ones, those in which no pointer is looked for */
    uint64_t freed_bytes, freed_objects;
};

struct boehm_heap boehm_heap_reclaim(struct guard_thread *own);

/* What is marked, of a libgc that is linked in: by its own list of blocks, whoever asked for what is in them. 0: not
   known. Context as above. */
uint64_t boehm_heap_marked_bytes(void);

/* Usable bytes of the object at `address`; 0: it is none. */
uint64_t boehm_heap_usable(void *address);

#endif
