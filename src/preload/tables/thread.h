/*
 * thread.h - what heapdiff keeps for each thread of the program.
 *
 * What it is: one struct thread per living thread that has had an event: its guard, the memo of its
 *   last stack, its share of the counters. In pages of our own, not in thread-local storage, so that
 *   a snapshot may read what belongs to a thread that has just ended.
 * Owns: the pool of them. It never shrinks: the thread that comes next takes over what the one that
 *   ended has left, its counters included. But a struct that many others wait in front of keeps little more
 *   than its place.
 * Context: hooks. thread_acquire() makes system calls, takes no lock of libc.
 * Not here: what the parts mean (guard.h, memo.h, delta.h, lot.h).
 */
#ifndef HEAPDIFF_PRELOAD_THREAD_H
#define HEAPDIFF_PRELOAD_THREAD_H

#include "delta.h"
#include "lot.h"
#include "memo.h"
#include "preload/ground/guard.h"

#include <stdbool.h>
#include <stdint.h>

enum { THREAD_HEAD_BYTES = 4096 };

struct thread {
    struct guard_thread guard; /* first: guard_own points to it, and so to all of it */
    struct delta delta;
    uint64_t forgotten;     /* guard_process.forgets when the memo was last cleared */
    int32_t tid;            /* 0: free to be taken over; atomic */
    uint32_t spinner;       /* what spin_self() says in it; 0 once it has ended; atomic */
    uintptr_t pointer;      /* the thread pointer of who has it, or had it last; atomic */
    struct thread *next;    /* all that were ever made; set once */
    struct thread *free;    /* those to be taken over; kept by the pool's lock */
    bool cold;              /* what lies beyond its first page has been given back */
    struct memo_leaf other; /* of a stack that another unwinder has taken */
    /* Given back while nobody has the struct; what others read at any time lies before it. */
    struct lot_cache lots __attribute__((aligned(THREAD_HEAD_BYTES)));
    struct memo memo;
};

/* The whole that a guard belongs to. */
static inline struct thread *thread_of(struct guard_thread *guard)
{
    return (struct thread *)guard;
}

/* Makes the key whose destructor gives the struct back. Constructor only. */
void thread_init(void);

/*
 * For this thread, from now on; the caller sets guard_own, and until then keeps its handlers' events
 * away. Its guard is zero, its memo has no stack. NULL when memory is out.
 */
struct thread *thread_acquire(void);

/* All structs ever made, for gate and fork: follow `next`. */
struct thread *thread_first(void);

/* Whether the process has a thread of this number. */
bool thread_lives(int32_t tid);

/* In a forked child: every struct but this thread's is free. (Counters: delta_reset().) */
void thread_fork(void);

/* This thread left its first event, or its end, by a jump: the pool is free again. */
void thread_escape(void);

uint64_t thread_own_bytes(void);

#endif
