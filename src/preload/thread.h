/*
 * thread.h - what heapdiff keeps for each thread of the program.
 *
 * What it is: one struct thread per living thread that has had an event: its guard, the memo of its
 *   last stack, its share of the counters. In pages of our own, not in thread-local storage, so that
 *   a snapshot may read what belongs to a thread that has just ended.
 * Owns: the pool of them. It never shrinks: the thread that comes next takes over what the one that
 *   ended has left.
 * Context: hooks. thread_acquire() makes system calls, takes no lock of libc.
 * Not here: what the parts mean (guard.h, memo.h, delta.h, lot.h).
 */
#ifndef HEAPDIFF_PRELOAD_THREAD_H
#define HEAPDIFF_PRELOAD_THREAD_H

#include "delta.h"
#include "lot.h"
#include "memo.h"

#include <stdbool.h>
#include <stdint.h>

/* Kept by the thread itself, and by its own signal handlers; others read `word`. */
struct thread_guard {
    uint64_t word;   /* guard.h: generation and state */
    uint32_t paused; /* nesting of heapdiff_pause() */
    uint32_t wanted; /* GUARD_WANT_* bits asked for while inside: served by guard_leave() */
    uint32_t events; /* wraps; paces the growth checks */
    bool forking; /* between the handlers of pthread_atfork: inside without a hook on the stack */
};

struct thread {
    struct thread_guard guard; /* first: what every event touches */
    struct delta delta;
    uint64_t forgotten; /* guard_process.forgets when the memo was last cleared */
    struct lot_cache lots;
    struct memo memo;
    int32_t tid;         /* 0: free to be taken over; atomic */
    struct thread *next; /* all that were ever made; set once */
};

/* This thread's, or NULL before its first event. */
extern __thread struct thread *thread_own;

/* Makes the key whose destructor gives the struct back. Constructor only. */
void thread_init(void);

/* This thread's own from now on (also in thread_own); NULL when memory is out. */
struct thread *thread_acquire(void);

/* All structs ever made, for gate, fold and fork: follow `next`. */
struct thread *thread_first(void);

/* In a forked child: every struct but this thread's is free, and no counter counts. */
void thread_fork(void);

uint64_t thread_own_bytes(void);

#endif
