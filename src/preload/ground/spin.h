/*
 * spin.h - a lock of four bytes that waits without futexes.
 *
 * What it is: a compare and swap with acquire and release; a waiter spins, then yields, then sleeps, so
 *   that a real-time waiter cannot starve the holder. A waiter takes over from a thread that has ended
 *   with the lock held. Valid when zeroed (free).
 * Owns: who can tell whether a holder lives.
 * Context: hooks, with the guard held: a signal handler must not wait for what it interrupted.
 * Not here: which lock comes before which: no module calls another one while it holds a lock.
 */
#ifndef HEAPDIFF_PRELOAD_SPIN_H
#define HEAPDIFF_PRELOAD_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    uint32_t holder;  /* spin_self() of the thread that has it; 0: free */
    uint32_t stopped; /* the holder, if it was found stopped: nobody waits for it again */
};

/* Tells threads that live at the same time apart: their control blocks are pages from each other. */
static inline uint32_t spin_self(void)
{
    return (uint32_t)((uintptr_t)__builtin_thread_pointer() >> 6) | 1;
}

/* Set once, at start-up: false when the thread that spin_self() told `holder` has ended. */
extern bool (*spin_holder_lives)(uint32_t holder) __attribute__((visibility("hidden")));

/* The same: true when that thread was stopped in a signal's handler, as collectors do it. */
extern bool (*spin_holder_is_stopped)(uint32_t holder) __attribute__((visibility("hidden")));

enum spin_outcome {
    SPIN_HELD,
    SPIN_TAKEN_OVER, /* whoever held it has ended meanwhile, in the middle of what it was held for */
    SPIN_NOT         /* it is not to be had: its holder is stopped, perhaps by this very thread */
};

/* The slow halves of spin_lock() and spin_lock_or_not(). */
bool spin_wait(struct spin *spin);
enum spin_outcome spin_wait_or_not(struct spin *spin);

static inline bool spin_try(struct spin *spin)
{
    uint32_t nobody = 0;
    /* pairs: spin_unlock() */
    return __atomic_compare_exchange_n(&spin->holder, &nobody, spin_self(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* False: whoever held it has ended meanwhile, in the middle of what it was held for. */
static inline bool spin_lock(struct spin *spin)
{
    return spin_try(spin) || spin_wait(spin);
}

/* For those who can do without it, and must, in a thread that has stopped all others: unlocked by who has got it. */
static inline enum spin_outcome spin_lock_or_not(struct spin *spin)
{
    return spin_try(spin) ? SPIN_HELD : spin_wait_or_not(spin);
}

static inline void spin_unlock(struct spin *spin)
{
    /* pairs: spin_try() */
    __atomic_store_n(&spin->holder, 0, __ATOMIC_RELEASE);
    /* pairs: mark_stopped(); at worst another one's mark, who is then looked at once more */
    __atomic_store_n(&spin->stopped, 0, __ATOMIC_RELEASE);
}

/* In a forked child, where the holder does not exist: frees the lock. True when it was held. */
static inline bool spin_reset(struct spin *spin)
{
    __atomic_store_n(&spin->stopped, 0, __ATOMIC_RELAXED);
    return __atomic_exchange_n(&spin->holder, 0, __ATOMIC_RELAXED) != 0;
}

static inline bool spin_is_mine(const struct spin *spin)
{
    return __atomic_load_n(&spin->holder, __ATOMIC_RELAXED) == spin_self();
}

/* After a jump out of what the lock was held for: frees it. True when this thread had it. */
static inline bool spin_escape(struct spin *spin)
{
    if (!spin_is_mine(spin))
        return false;
    spin_unlock(spin);
    return true;
}

/* A thread has ended: if it was `holder`, this one has the lock now, and frees it. */
static inline bool spin_inherit(struct spin *spin, uint32_t holder)
{
    return __atomic_compare_exchange_n(&spin->holder, &holder, spin_self(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

#endif
