/*
 * plain.h - the shortest way through malloc and free.
 *
 * What it is: what tracker_alloc() and tracker_free() do, inline, for the events that are like nearly all
 *   others: nothing paused, sampled or checked. On an allocator that calls none of our hooks, the guard is
 *   held for that alone; for others there are plain_called() and plain_freeing(). Whatever
 *   turns out to be unusual goes the long way, from where it is.
 * Owns: nothing; guard_plain and guard_usual say which threads may come here.
 * Context: hooks, outside: the guard is taken and left in here.
 * Not here: everything unusual (tracker.c).
 */
#ifndef HEAPDIFF_PRELOAD_PLAIN_H
#define HEAPDIFF_PRELOAD_PLAIN_H

#include "leaf.h"
#include "tracker.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/block.h"
#include "preload/tables/memo_branch.h"
#include "preload/tables/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * From outside straight to GUARD_RECORDING; *word is the guard's before. False: the thread was inside,
 * or has something to see first; nothing has changed.
 */
static inline bool plain_enter(struct guard_thread *own, uint64_t *word)
{
    *word = own->word;
    /* Inside, this is no state, but still inside for whom a handler or the gate looks. */
    guard_set_of(own, *word | GUARD_RECORDING);
    /* pairs: gate_close(), as in guard_record() */
    if (__builtin_expect(*word == __atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED), 1))
        return true;
    guard_set_of(own, *word);
    return false;
}

static inline void plain_leave(struct guard_thread *own, uint64_t word)
{
    guard_set_of(own, word);
    if (__builtin_expect(own->wanted != 0, 0))
        guard_serve(own);
}

/* The slot of `lot` in the thread's counters, if it stands there. */
static inline struct box_delta *plain_slot(struct thread *thread, uint32_t lot)
{
    return &thread->delta.slots[lot & thread->delta.mask];
}

/* Whether it does, and has room for `count`: one more. Nobody else changes it until that is written: what a handler
   allocates or frees meanwhile is counted elsewhere. */
static inline bool plain_counts(const struct box_delta *slot, uint32_t lot, uint32_t count)
{
    return __builtin_expect(slot->lot == lot && (int32_t)count >= 0, 1);
}

/* Notes a block whose stack is known; false: something about it is unusual, and nothing that is seen was done. `glibc`:
   its malloc made it. What needs many registers comes first. */
static inline __attribute__((always_inline)) bool plain_put(struct thread *thread,
                                                            const struct memo_leaf *leaf,
                                                            void *address, size_t size_bytes,
                                                            bool glibc)
{
    struct block_place place = {0};
    if (glibc) {
        place = block_place_plain((uintptr_t)address);
        if (!block_begin_plain(place))
            return false;
    }
    uint64_t last = leaf->last;
    uint32_t lot = memo_leaf_lot(last);
    struct box_delta *slot = plain_slot(thread, lot);
    if (__builtin_expect((uint32_t)last != size_bytes || lot == BOX_NONE || slot->lot != lot, 0))
        return false;
    uint32_t allocs = slot->allocs + 1;
    if (!plain_counts(slot, lot, allocs) ||
        !(glibc ? block_set_lot(place, (uintptr_t)address, lot)
                : block_put_lot((uintptr_t)address, lot, block_epoch())))
        return false;
    __atomic_store_n(&slot->allocs, allocs, __ATOMIC_RELAXED);
    return true;
}

/* What plain_alloc() has found out. */
enum plain_made {
    PLAIN_MADE,  /* the guard is left */
    PLAIN_ASKED, /* the same; and the thread has something to serve */
    PLAIN_NEW, /* a stack to be walked: nothing is recorded, the guard is held: plain_new() follows */
    PLAIN_OTHER, /* the same, but that *leaf is known: a block of another size, say: plain_other() follows */
    PLAIN_LEFT /* not here, and nothing was done */
};

/*
 * tracker_alloc() of a block that glibc's malloc made, for the hook that this expands in. Calls nothing, so that what
 * the hook needs afterwards is in no register that it would have to save.
 */
static inline __attribute__((always_inline)) enum plain_made plain_alloc(
    struct guard_thread *own, void *address, size_t size_bytes, const struct unwind_start start,
    struct memo_leaf **leaf)
{
    struct thread *thread = thread_of(own);
    uint64_t word;
    if (!plain_enter(own, &word))
        return PLAIN_LEFT;
    *leaf = memo_known(&thread->memo, start);
    if (__builtin_expect(!*leaf, 0))
        return PLAIN_NEW;
    if (!plain_put(thread, *leaf, address, size_bytes, true))
        return PLAIN_OTHER;
    guard_set_of(own,
                 own->word & ~(uint64_t)GUARD_STATE_MASK); /* read anew: registers are scarce */
    return __builtin_expect(own->wanted != 0, 0) ? PLAIN_ASKED : PLAIN_MADE;
}

/* What is recorded of a block, in the recording part. */
static inline __attribute__((always_inline)) void plain_record(struct guard_thread *own,
                                                               void *address, size_t size_bytes,
                                                               const struct unwind_start start,
                                                               bool glibc)
{
    struct thread *thread = thread_of(own);
    struct memo_leaf *leaf = memo_known(&thread->memo, start);
    if (__builtin_expect(!leaf, 0))
        leaf = leaf_stepped(thread_of(own), &start);
    if (!plain_put(thread, leaf, address, size_bytes, glibc))
        tracker_block(own, leaf, address, size_bytes);
}

static inline void plain_new(struct guard_thread *own, void *address, size_t size_bytes,
                             const struct unwind_start start)
{
    struct memo_leaf *leaf = leaf_stepped(thread_of(own), &start);
    if (!plain_put(thread_of(own), leaf, address, size_bytes, true))
        tracker_block(own, leaf, address, size_bytes);
    guard_leave(own);
}

static inline void plain_other(struct guard_thread *own, void *address, size_t size_bytes,
                               struct memo_leaf *leaf)
{
    tracker_block(own, leaf, address, size_bytes);
    guard_leave(own);
}

/*
 * The same for a hook that is GUARD_CALLING, as the allocator calls hooks itself. It then is outside; false: it is what
 * it was.
 */
static inline __attribute__((always_inline)) bool plain_called(struct guard_thread *own,
                                                               void *address, size_t size_bytes,
                                                               const struct unwind_start start)
{
    uint64_t word = own->word & ~(uint64_t)GUARD_STATE_MASK;
    guard_set_of(own, word | GUARD_RECORDING);
    /* pairs: gate_close(), as in guard_record() */
    if (__builtin_expect(word != __atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED), 0)) {
        guard_set_of(own, word | GUARD_CALLING);
        return false;
    }
    plain_record(own, address, size_bytes, start, false);
    plain_leave(own, word);
    return true;
}

/* The lot of the live block that starts at `address`, which this place is for; 0: none does. */
static inline uint32_t plain_lot(struct block_place place, uint32_t content, const void *address)
{
    if (__builtin_expect(!block_is_at(content, (uintptr_t)address), 0))
        return BOX_NONE;
    return block_lot(content, place);
}

/* What plain_free() has found out. */
enum plain_outcome {
    PLAIN_NOT,   /* not here, and nothing was done */
    PLAIN_DONE,  /* the guard is left */
    PLAIN_WANTED /* the same; and the thread has something to serve */
};

/* Takes the live block at `address`, whose place it is, out and counts it; false: nothing was done. */
static inline bool plain_forget(struct thread *thread, struct block_place place,
                                const void *address)
{
    uint32_t content = block_content(place), lot = plain_lot(place, content, address);
    struct box_delta *slot = plain_slot(thread, lot);
    uint32_t frees = slot->frees + 1;
    if (__builtin_expect(lot == BOX_NONE, 0) || !plain_counts(slot, lot, frees))
        return false;
    block_clear(place, content);
    __atomic_store_n(&slot->frees, frees, __ATOMIC_RELAXED);
    return true;
}

/* tracker_free(), without a call, so that the hook needs no frame. */
static inline enum plain_outcome plain_free(struct guard_thread *own, void *address)
{
    uint64_t word;
    if (!plain_enter(own, &word))
        return PLAIN_NOT;
    bool done = plain_forget(thread_of(own), block_place_plain((uintptr_t)address), address);
    guard_set_of(own, word);
    if (!done)
        return PLAIN_NOT;
    return __builtin_expect(own->wanted != 0, 0) ? PLAIN_WANTED : PLAIN_DONE;
}

/* The same for an allocator that calls hooks: the thread is then GUARD_CALLING, for guard_leave(); false: nothing was
   done. */
static inline bool plain_freeing(struct guard_thread *own, void *address)
{
    uint64_t word;
    if (!plain_enter(own, &word))
        return false;
    bool done = (uintptr_t)address % BLOCK_ALIGN == 0 &&
                plain_forget(thread_of(own), block_place((uintptr_t)address), address);
    guard_set_of(own, done ? word | GUARD_CALLING : word);
    return done;
}

/*
 * tracker_take() of a small block: its lot, for one of the three below. 0: not here, and nothing was
 * done.
 */
static inline uint32_t plain_take(struct guard_thread *own, void *address)
{
    uint64_t word;
    if (!plain_enter(own, &word))
        return BOX_NONE;
    struct block_place place = block_place_plain((uintptr_t)address);
    uint32_t content = block_content(place), lot = plain_lot(place, content, address);
    if (__builtin_expect(lot != BOX_NONE, 1))
        block_clear(place, content);
    plain_leave(own, word);
    return lot;
}

/* The block is still there: nobody else can have had its address, and its ghost is whole. */
static inline void plain_restore(void *address)
{
    struct block_place place = block_place_plain((uintptr_t)address);
    __atomic_store_n(place.cell, *place.cell | BLOCK_LIVE, __ATOMIC_RELEASE);
}

/* tracker_adopt(). */
static __attribute__((noinline, unused)) void plain_adopt(uint32_t inherited, uint32_t lot)
{
    struct block block = {.site = lot_at(lot)->site, .size_bytes = lot_at(lot)->size_bytes};
    tracker_adopt(NULL, inherited, &block);
}

/* There is something to see first: perhaps that this is a forked child, whose counters begin now. */
static __attribute__((noinline, unused)) void plain_freed_slowly(uint32_t lot)
{
    struct block block = {.site = lot_at(lot)->site, .size_bytes = lot_at(lot)->size_bytes};
    uint32_t inherited = guard_process.inherited;
    struct guard_thread *own = guard_enter();
    tracker_adopt(own, inherited, &block);
    tracker_freed(own, &block);
    if (own)
        guard_leave(own);
}

/* tracker_freed(). */
static inline void plain_freed(struct guard_thread *own, uint32_t lot)
{
    uint64_t word;
    if (__builtin_expect(plain_enter(own, &word), 1)) {
        delta_free(&thread_of(own)->delta, lot);
        plain_leave(own, word);
        return;
    }
    plain_freed_slowly(lot);
}

#endif
