/*
 * guard.h - whether the calling thread is inside heapdiff, and what to do when it comes out.
 *
 * What it is: a per-thread state that keeps the profiler from recording itself, from recording the
 *   next allocator's inner calls, and from being re-entered by a signal handler. It notices forks
 *   too: a page that the kernel wipes in the child stands in for every way to fork.
 * Owns: the thread state, the process-wide switch, the wiped page.
 * Context: hooks and handlers.
 * Not here: what a fork or a deferred request leads to (the functions given to guard_init).
 */
#ifndef HEAPDIFF_PRELOAD_GUARD_H
#define HEAPDIFF_PRELOAD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

enum guard_state {
    GUARD_OUTSIDE = 0,
    GUARD_CALLING,  /* in a hook, inside the next allocator or the kernel */
    GUARD_RECORDING /* in a hook, inside heapdiff's own tables */
};

struct guard_thread {
    uint32_t state;  /* enum guard_state; written by this thread only, read by its handlers */
    uint32_t paused; /* nesting of heapdiff_pause() */
    uint32_t wanted; /* GUARD_WANT_* bits asked for while inside: served by guard_leave() */
    uint32_t events; /* wraps; paces the growth checks */
    bool forking; /* between the handlers of pthread_atfork: inside without a hook on the stack */
};

enum { GUARD_WANT_SNAPSHOT = 1, GUARD_WANT_CHECK = 2 };

struct guard_process {
    bool recording;           /* the tables are up and the process is to be recorded */
    bool checking;            /* events ask for growth checks (every=, interval=) */
    volatile uint32_t *alive; /* 1; the kernel makes it 0 in a forked child */
    void (*forked)(void);     /* first event of a forked child, with the guard held */
    void (*serve)(uint32_t wanted);
    bool (*escaped)(void); /* escape_happened(), once it can tell */
};

extern __thread struct guard_thread guard_thread;
extern struct guard_process guard_process;

/* Sets the callbacks and makes the wiped page; false when there is no memory for it. */
bool guard_init(void (*forked)(void), void (*serve)(uint32_t wanted));

/* The child has been taken care of: the page reads 1 again. */
void guard_fork_done(void);

/* Serves what was asked for while the thread was inside; called by guard_leave(). */
void guard_serve(void);

/* The thread is inside: true when it has left by a jump and is outside now. */
bool guard_escaped(void);

/* The first event of a forked child, with the guard held; false (and the guard free) when the child
   is not to be recorded. */
bool guard_fork_begin(void);

static inline void guard_set(enum guard_state state)
{
    /* Ordered for this thread's own handlers only. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    guard_thread.state = state;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * True: the event is to be recorded and the thread is now GUARD_CALLING; guard_leave() must follow.
 * False: pass the call on unrecorded.
 */
static inline bool guard_enter(void)
{
    if (__builtin_expect(!guard_process.recording, false) ||
        (__builtin_expect(guard_thread.state != GUARD_OUTSIDE, false) && !guard_escaped()))
        return false;
    guard_set(GUARD_CALLING);
    return __builtin_expect(*guard_process.alive != 0, true) || guard_fork_begin();
}

/* False in a forked child that has no tables of its own yet: what it counted would be its parent's. */
static inline bool guard_counts(void)
{
    return guard_process.recording && *guard_process.alive != 0;
}

static inline void guard_leave(void)
{
    guard_set(GUARD_OUTSIDE);
    if (__builtin_expect(guard_thread.wanted != 0, false))
        guard_serve();
}

#endif
