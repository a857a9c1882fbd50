/*
 * collection.h - moments worth comparing against: a garbage collection or a purge has finished.
 *
 * What it is: a mark copies every site's live counters to its collected ones and advances the epoch
 *   that new blocks are born in.
 * Owns: the epoch (header.collections). Context: anywhere; from a handler that interrupted a hook's
 *   recording part the mark may miss that event (it is counted in box_lost).
 * Not here: noticing collections of a runtime.
 */
#ifndef HEAPDIFF_PRELOAD_COLLECTION_H
#define HEAPDIFF_PRELOAD_COLLECTION_H

void collection_mark(void);

/* A forked child: nobody holds the lock. */
void collection_fork(void);

/* This thread left a mark by a jump. */
void collection_escape(void);

#endif
