/*
 * plain.h - the shortest way through malloc and free.
 *
 * What it is: what tracker_alloc() and tracker_free() do, inline, for the events that are like nearly all
 *   others: on an allocator that calls none of our hooks, nothing paused, sampled or checked. Whatever
 *   turns out to be unusual goes the long way, from where it is.
 * Owns: nothing; guard_plain says which threads may come here.
 * Context: hooks, outside: the guard is taken and left in here.
 * Not here: everything unusual (tracker.c).
 */
#ifndef HEAPDIFF_PRELOAD_PLAIN_H
#define HEAPDIFF_PRELOAD_PLAIN_H

#include "arena.h"
#include "block.h"
#include "guard.h"
#include "thread.h"
#include "tracker.h"

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
    if (__builtin_expect(*word == __atomic_load_n(guard_process.generation, __ATOMIC_RELAXED), 1))
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

/* The slot of `lot` in the thread's counters, if it is the one that stands there. */
static inline struct box_delta *plain_slot(struct thread *thread, uint32_t lot)
{
    struct box_delta *slot = &thread->delta.slots[lot & thread->delta.mask];
    return __builtin_expect(slot->lot == lot, 1) ? slot : NULL;
}

/* tracker_alloc(); false: not here, and nothing was done. */
static inline bool plain_alloc(struct guard_thread *own, void *address, size_t size_bytes,
                               const struct unwind_start *start)
{
    struct thread *thread = thread_of(own);
    uint64_t word;
    if (__builtin_expect(!address, 0) || !plain_enter(own, &word))
        return false;
    struct memo_leaf *leaf =
        memo_is_last(&thread->memo, start)
            ? thread->memo.leaf
            : memo_capture_new(&thread->memo, start, tracker_stack_top(start->sp));
    struct box_delta *slot = plain_slot(thread, leaf->lot);
    uint32_t epoch = (uint32_t)arena.header->collections % BLOCK_EPOCHS;
    if (__builtin_expect(leaf->size_bytes != size_bytes || leaf->lot == BOX_NONE || !slot, 0) ||
        !block_put_plain((uintptr_t)address, leaf->lot, epoch))
        tracker_block(own, leaf, address, size_bytes);
    else if (!delta_step(&slot->allocs))
        delta_spill(slot);
    plain_leave(own, word);
    return true;
}

/* tracker_free(); false: not here, and nothing was done. */
static inline bool plain_free(struct guard_thread *own, void *address)
{
    struct thread *thread = thread_of(own);
    uint64_t word;
    if (!plain_enter(own, &word))
        return false;
    uint32_t *cell = block_cell_plain((uintptr_t)address);
    uint32_t lot = cell ? block_cell_lot(*cell, (uintptr_t)address) : BOX_NONE;
    if (__builtin_expect(lot == BOX_NONE, 0)) {
        guard_set_of(own, word);
        return false;
    }
    __atomic_store_n(cell, 0, __ATOMIC_RELAXED);
    delta_free(&thread->delta, lot);
    plain_leave(own, word);
    return true;
}

/*
 * tracker_take() of a small block: its entry, for one of the two below. 0: not here, and nothing was
 * done.
 */
static inline uint32_t plain_take(struct guard_thread *own, void *address)
{
    uint64_t word;
    if (!plain_enter(own, &word))
        return 0;
    uint32_t *cell = block_cell_plain((uintptr_t)address);
    uint32_t entry = cell ? *cell : 0;
    if (__builtin_expect(block_cell_lot(entry, (uintptr_t)address) == BOX_NONE, 0))
        entry = 0;
    else
        __atomic_store_n(cell, 0, __ATOMIC_RELAXED);
    plain_leave(own, word);
    return entry;
}

/* The block is still there: nobody else can have had its address. */
static inline void plain_restore(void *address, uint32_t entry)
{
    __atomic_store_n(block_cell_plain((uintptr_t)address), entry, __ATOMIC_RELEASE);
}

/* tracker_freed(). */
static inline void plain_freed(struct guard_thread *own, uint32_t entry)
{
    uint64_t word;
    uint32_t lot = entry >> BLOCK_LOT_AT;
    if (__builtin_expect(plain_enter(own, &word), 1)) {
        delta_free(&thread_of(own)->delta, lot);
        plain_leave(own, word);
        return;
    }
    struct block block = {.site = lot_at(lot)->site, .size_bytes = lot_at(lot)->size_bytes};
    tracker_freed(NULL, &block);
}

#endif
