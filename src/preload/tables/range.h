/*
 * range.h - live mmap records: which site mapped each part of the address space.
 *
 * What it is: a map of disjoint intervals [start, end). A munmap, a MAP_FIXED or an mremap of the
 *   middle cuts; the pieces keep their site, and count as one object until the last piece is gone.
 * Owns: the interval map (private memory: a forked child has its own copy).
 * Context: hooks, with the guard held; one spinlock, taken by the caller around every change, never
 *   by a signal handler that interrupted its holder (the guard sees to it).
 * Not here: counting (the caller does it, from what is reported here).
 */
#ifndef HEAPDIFF_PRELOAD_RANGE_H
#define HEAPDIFF_PRELOAD_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* Told of every cut, under the lock: `bytes` of `site` are gone; `object` when it was the object's
   last piece. It must not call back into this module. */
typedef void (*range_cut_fn)(uint32_t site, uint64_t bytes, bool object, void *context);

/* Records [start, start + bytes) for `site`; what was recorded there before is cut first. False
   when there is no memory for the record (the cut is done all the same). Bytes are taken as given:
   the caller rounds them to pages where the kernel does. With site 0 it only cuts. */
bool range_put(uintptr_t start, uint64_t bytes, uint32_t site, range_cut_fn cut, void *context);

/* Cuts [start, start + bytes) out of all records. */
void range_cut(uintptr_t start, uint64_t bytes, range_cut_fn cut, void *context);

/* What an mremap did: [from, from + from_bytes) is now [to, to + to_bytes). */
struct range_remap {
    uintptr_t from;
    uint64_t from_bytes; /* 0: a second view of the shared mapping at `from` (both stay) */
    uintptr_t to;
    uint64_t to_bytes;
    bool keep; /* MREMAP_DONTUNMAP: the source stays recorded too */
};

/* Told of growth: `bytes` of `site` are new; they belong to an object that was already counted. */
typedef void (*range_grow_fn)(uint32_t site, uint64_t bytes, void *context);

/*
 * mremap succeeded. The site follows; pieces keep their place relative to the start; growth belongs
 * to the last piece's site (told by `grow`, also for what a kept source now holds twice), shrinking
 * is a cut. What was recorded at the target is cut first. Returns the site that holds `to`, or 0
 * when nothing was recorded at `from`.
 */
uint32_t range_move(const struct range_remap *remap, range_cut_fn cut, range_grow_fn grow,
                    void *context);

/* The site of the record that holds `address`, or 0; *start and *end (NULL is legal) its piece. */
uint32_t range_find(uintptr_t address, uintptr_t *start, uintptr_t *end);

/* Collections so far, for what is mapped from now on. Nobody is recording. */
void range_set_epoch(uint32_t epoch);

struct range_piece {
    uintptr_t start, end;
    uint32_t site;
    /* Collections when it was mapped; what it grows by later is a piece of its own. */
    uint32_t epoch;
    bool first; /* the first piece of its object that this walk comes to */
};

/* Calls visit for every piece in address order, under the lock. */
void range_each(void (*visit)(const struct range_piece *piece, void *context), void *context);

/*
 * The lock. Held by the caller of range_put(), range_cut() and range_move(), and across the
 * system call they record: between a munmap and its record another thread could be given the
 * same addresses. Held across fork too, so that the child's map is whole. False when whoever held it
 * has ended in the middle of a change: all records are forgotten.
 */
bool range_lock(void);
/* False: somebody has it, or has left it in the middle of a change. */
bool range_try_lock(void);
/* The same for one event; *held is false when it is not to be had, as spin_lock_or_not() says. */
bool range_lock_or_not(bool *held);
/* This thread, or a signal handler's interrupted one, has it. */
bool range_is_locked_here(void);
void range_unlock(void);

/* Child after a raw clone: forgets a lock that somebody else held, and then all records, as they may
   be half written. Returns false when records were dropped. */
bool range_recover(void);

/* This thread left something that it held the lock for by a jump: frees it. Records that may be half
   written are forgotten, all of them. Returns false when it did hold the lock. */
bool range_escape(void);
/* The same for one that has ended: what spin_self() was in it. */
bool range_inherit(uint32_t holder);

uint64_t range_own_bytes(void);

#endif
