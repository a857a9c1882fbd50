/*
 * spin.h - a lock of four bytes that waits without futexes.
 *
 * What it is: test-and-set with acquire and release; a waiter spins, then yields, then sleeps, so
 * that a real-time waiter cannot starve the holder. Valid when zeroed (free). Has no owner. Owns:
 * nothing. Context: hooks, with the guard held: a signal handler must not wait for what it
 * interrupted. Not here: which lock comes before which: no module calls another one while it holds
 * a lock.
 */
#ifndef HEAPDIFF_PRELOAD_SPIN_H
#define HEAPDIFF_PRELOAD_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    uint32_t held;
};

/* The slow half of spin_lock(). */
void spin_wait(struct spin *spin);

static inline bool spin_try(struct spin *spin)
{
    /* pairs: spin_unlock() */
    return __atomic_exchange_n(&spin->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spin *spin)
{
    if (!spin_try(spin))
        spin_wait(spin);
}

static inline void spin_unlock(struct spin *spin)
{
    /* pairs: spin_try() */
    __atomic_store_n(&spin->held, 0, __ATOMIC_RELEASE);
}

/* In a forked child, where the holder does not exist: frees the lock. True when it was held. */
static inline bool spin_reset(struct spin *spin)
{
    return __atomic_exchange_n(&spin->held, 0, __ATOMIC_RELAXED) != 0;
}

#endif
