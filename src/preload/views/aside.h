/*
 * aside.h - what a thread that has stopped the others maps meanwhile.
 *
 * What it is: from guard_part() to guard_rejoin() nothing may be waited for: who is stopped may have any lock of ours. What the
 *   thread maps is noted, and recorded when the others run again; what it unmaps is taken out of the notes, or
 *   else of the map of ranges, unless somebody is at that.
 * Owns: the notes, of one thread at a time. Context: the hooks of mmap and munmap, inside; a collector's callbacks.
 * Not here: when threads stop and go on (runtime/mono.c).
 */
#ifndef HEAPDIFF_PRELOAD_ASIDE_H
#define HEAPDIFF_PRELOAD_ASIDE_H

#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stddef.h>

/* The calling thread has parted. */
void aside_begin(void);

/* Noted; false: by this thread nothing is, or there is no room. */
bool aside_map(void *start, size_t bytes);

/* Around munmap(). True: aside_release() must follow, and nobody else's mapping comes in between. */
bool aside_hold(void);
void aside_unmap(void *start, size_t bytes, bool held);
void aside_release(void);

/* It has rejoined: what was noted is recorded, as of `from`. */
void aside_end(const struct unwind_start *from);

#endif
