/*
 * guard.h - whether the calling thread is inside heapdiff, and what to do when it comes out.
 *
 * What it is: a per-thread state that keeps the profiler from recording itself, from recording the
 *   next allocator's inner calls, and from being re-entered by a signal handler. Everything rare that
 *   must reach every thread (a fork, a library gone, a closed gate, the end of recording) is a change
 *   of one number, the generation, that each event compares with the one its thread has seen.
 * Owns: the thread states, the process-wide switch, the page that the kernel wipes in a forked child.
 * Context: hooks and handlers.
 * Not here: what the rare events lead to (the functions in struct guard_process).
 */
#ifndef HEAPDIFF_PRELOAD_GUARD_H
#define HEAPDIFF_PRELOAD_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guard_state {
    GUARD_OUTSIDE = 0,
    GUARD_CALLING,  /* in a hook, inside the next allocator or the kernel */
    GUARD_RECORDING /* in a hook, inside heapdiff's own tables */
};

enum { GUARD_STATE_MASK = 3, GUARD_GENERATION_STEP = 4 };

/* The generation of a thread that has seen none: not the 0 of a forked child either. */
#define GUARD_NEVER (~(uint64_t)GUARD_STATE_MASK)

/* Written by its thread and by that one's signal handlers only; `word` is read by the gate too. */
struct guard_thread {
    uint64_t word;   /* the generation that the thread has seen | enum guard_state */
    uint32_t paused; /* nesting of heapdiff_pause() */
    uint32_t wanted; /* GUARD_WANT_* bits asked for while inside: served by guard_leave() */
    uint32_t events; /* wraps; paces the growth checks */
    bool forking; /* between the handlers of pthread_atfork: inside without a hook on the stack */
    bool ending;  /* of guard_spare: what the thread had has been given back */
    bool asking;  /* GUARD_CALLING in the middle of recording: libunwind is asked */
    bool apart;   /* between guard_part() and guard_rejoin() */
};

enum {
    GUARD_WANT_SNAPSHOT = 1,
    GUARD_WANT_CHECK = 2,
    /* Acquired for this one event: the thread ends, nobody else gives it back. */
    GUARD_WANT_RELEASE = 4,
    GUARD_WANT_MARK = 8,
    GUARD_WANT_LOOK = 16, /* an object was met that may be a runtime */
    GUARD_WANT_ASK = 32   /* a site is new: a runtime may be asked */
};

struct guard_process {
    bool recording;     /* the tables are up and the process is to be recorded */
    bool usual;         /* no option asks for more than to record */
    bool plain;         /* the same, and the allocator calls no hook */
    bool checking;      /* events ask for growth checks (every=, interval=) */
    bool asks_runtimes; /* at new sites */
    uint64_t forgets;   /* libraries were unloaded so often; atomic */
    uint32_t inherited; /* tables taken over from parents, from the first process to this one */
    struct guard_thread *(*acquire)(void); /* this thread's, at its first event; NULL: no memory */
    void (*release)(struct guard_thread *own); /* gives it back; guard_own is NULL then */
    void (*changed)(struct guard_thread *own); /* the thread sees a new generation */
    void (*wait)(void);                        /* returns when the gate is open */
    void (*forked)(void); /* first event of a forked child; guard_fork_done() follows */
    void (*serve)(uint32_t wanted);
    bool (*escaped)(void);            /* escape_happened(), once it can tell */
    void (*inherit)(uint32_t holder); /* a thread has ended, unseen, and held this or that */
    void (*left)(void); /* the thread ends, inside a hook that a handler of it has interrupted */
};

/* NULL before the thread's first event. */
extern __thread struct guard_thread *guard_own;
extern __thread struct guard_thread guard_spare; /* stands in until then */
/* guard_own where plain.h may be used, else NULL: where the allocator calls no hook, and where it may. */
extern __thread struct guard_thread *guard_plain;
extern __thread struct guard_thread *guard_usual;
extern struct guard_process guard_process
    __attribute__((visibility("hidden"))); /* no detour by the GOT */

enum { GUARD_PAGE_BYTES = 4096 };

/* Alone in its page, which the kernel wipes in a forked child, and at hand: each event looks at it. */
struct guard_page {
    char rest[GUARD_PAGE_BYTES / 2];
    uint64_t generation; /* never 0 once guard_init() is done, but in a forked child; atomic */
} __attribute__((aligned(GUARD_PAGE_BYTES)));
extern struct guard_page guard_page __attribute__((visibility("hidden")));

/* After a change of guard_own or of what it says: sets guard_plain and guard_usual. */
void guard_choose(void);

/* Sets the callbacks that the core has, and has the page wiped. */
void guard_init(void (*forked)(void), void (*serve)(uint32_t wanted));

/* Every thread's next event goes the slow way once, and sees what has changed. */
void guard_bump(void);

/* The same, and what threads remember of stacks is forgotten: libraries were unloaded. */
void guard_forget(void);

/* The child has been taken care of: the page has a generation again. */
void guard_fork_done(void);

/* Where the kernel does not wipe the page. */
void guard_fork_noticed(void);

/* Serves what was asked for while the thread was inside; called by guard_leave(). */
void guard_serve(struct guard_thread *own);

/* The slow halves of guard_enter() and guard_record(). */
struct guard_thread *guard_enter_slowly(void);
bool guard_record_slowly(struct guard_thread *own);

static inline struct guard_thread *guard_self(void)
{
    return guard_own ? guard_own : &guard_spare;
}

static inline enum guard_state guard_state_of(const struct guard_thread *own)
{
    return (enum guard_state)(__atomic_load_n(&own->word, __ATOMIC_RELAXED) & GUARD_STATE_MASK);
}

static inline enum guard_state guard_state(void)
{
    return guard_state_of(guard_self());
}

/* Whether the tables are to be left as they are: what the caller, a handler, has interrupted is not done. */
static inline bool guard_in_tables(void)
{
    return guard_state() == GUARD_RECORDING || guard_self()->asking;
}

static inline void guard_set_of(struct guard_thread *own, uint64_t word)
{
    /* Ordered for this thread's own handlers. pairs: the gate, which has what was recorded be seen
       with the state that follows it; the other direction is membarrier's. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&own->word, word, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void guard_set(enum guard_state state)
{
    struct guard_thread *own = guard_self();
    guard_set_of(own, (own->word & ~(uint64_t)GUARD_STATE_MASK) | state);
}

/* To be served when the thread leaves. */
static inline void guard_want(uint32_t bits)
{
    __atomic_fetch_or(&guard_self()->wanted, bits, __ATOMIC_RELAXED);
}

/*
 * The thread is now GUARD_CALLING, and guard_leave() must follow; NULL: pass the call on unrecorded.
 */
static inline struct guard_thread *guard_enter(void)
{
    struct guard_thread *own = guard_own;
    if (__builtin_expect(!own, false) ||
        __builtin_expect((own->word & GUARD_STATE_MASK) != GUARD_OUTSIDE, false))
        return guard_enter_slowly();
    guard_set_of(own, own->word | GUARD_CALLING);
    return own;
}

/*
 * Inside: the thread is now GUARD_RECORDING, and what it knows is of this generation. False: nothing
 * is to be recorded (any more); the thread stays GUARD_CALLING.
 */
static inline bool guard_record(struct guard_thread *own)
{
    uint64_t word = own->word & ~(uint64_t)GUARD_STATE_MASK;
    guard_set_of(own, word | GUARD_RECORDING);
    /* pairs: gate_close(), by membarrier: either it sees the state or we the generation */
    if (__builtin_expect(__atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED) == word, true))
        return true;
    return guard_record_slowly(own);
}

/* The same without ever waiting. False: something has happened since that must be seen first. */
static inline bool guard_record_at_once(struct guard_thread *own)
{
    uint64_t word = own->word & ~(uint64_t)GUARD_STATE_MASK;
    guard_set_of(own, word | GUARD_RECORDING);
    /* pairs: gate_close(), as above */
    if (__atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED) == word)
        return true;
    guard_set_of(own, word | GUARD_CALLING);
    return false;
}

/* guard_enter() and guard_record() in one, for what is recorded before it happens. */
static inline struct guard_thread *guard_enter_recording(void)
{
    struct guard_thread *own = guard_enter();
    if (!own || guard_record(own))
        return own;
    guard_set(GUARD_OUTSIDE);
    return NULL;
}

/*
 * The calling thread is about to stop others, at any instruction, and must not wait for what they hold: until
 * guard_rejoin() its calls pass unrecorded, though no hook is on its stack. Gives what that is to be given.
 */
static inline enum guard_state guard_part(void)
{
    enum guard_state before = guard_state();
    guard_self()->apart = true;
    if (before == GUARD_OUTSIDE)
        guard_set(GUARD_CALLING);
    return before;
}

static inline void guard_rejoin(enum guard_state before)
{
    struct guard_thread *own = guard_self();
    guard_set(before);
    own->apart = false;
    if (before == GUARD_OUTSIDE && own->wanted != 0)
        guard_serve(own);
}

/* Whether what takes locks or waits for other threads is to be put off: see guard_want(). */
static inline bool guard_is_apart(void)
{
    return guard_self()->apart;
}

/* Has a forked child's first event be now, where something else than a hook looks at the tables. */
void guard_notice(void);

/* False in a forked child that has no tables of its own yet: what it counted would be its parent's. */
static inline bool guard_counts(void)
{
    return guard_process.recording &&
           __atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED) != 0;
}

static inline void guard_leave(struct guard_thread *own)
{
    guard_set_of(own, own->word & ~(uint64_t)GUARD_STATE_MASK);
    if (__builtin_expect(own->wanted != 0, false))
        guard_serve(own);
}

#endif
