#include "spin.h"

#include "permit.h"
#include "sys.h"

#include <time.h>

enum {
    SPIN_ROUNDS = 100, /* about 2 us: longer than any of our critical sections when not preempted */
    SPIN_YIELDS = 50,  /* the holder was preempted: let it run */
    SPIN_SLEEP_NS = 50000,  /* the holder has a lower priority than we: leave the processor to it */
    SPIN_DOUBT_TURNS = 256, /* about 20 ms: time to ask whether the holder is still there */
    SPIN_STOPPED_LOOKS = 2  /* so often it must be found stopped: most are let go by then */
};

bool (*spin_holder_lives)(uint32_t holder);
bool (*spin_holder_is_stopped)(uint32_t holder);

/* Waits until the lock looks free, or a share of the processor's time was given away. */
static void spin_rest(const struct spin *spin, uint32_t turn)
{
    for (uint32_t round = 0; round < SPIN_ROUNDS; round++) {
        if (!__atomic_load_n(&spin->holder, __ATOMIC_RELAXED))
            return;
        sys_relax();
    }
    if (!permit_has(PERMIT_WAITING))
        return;
    if (turn < SPIN_YIELDS) {
        sys_call1(SYS_sched_yield, 0);
        return;
    }
    struct timespec nap = {0, SPIN_SLEEP_NS};
    sys_call2(SYS_nanosleep, (long)&nap, 0);
}

/*
 * A number like our own is an earlier thread's, whose control block we have: nobody waits for itself.
 * Nothing makes the holder's number somebody else's between question and answer: its successor would
 * have to get the control block, come here, and wait in its turn.
 */
static bool take_over(struct spin *spin)
{
    uint32_t holder = __atomic_load_n(&spin->holder, __ATOMIC_ACQUIRE);
    if (holder == 0 || !spin_holder_lives || spin_holder_lives(holder))
        return false;
    return __atomic_compare_exchange_n(&spin->holder, &holder, spin_self(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

bool spin_wait(struct spin *spin)
{
    uint32_t turn = 0;
    do {
        spin_rest(spin, turn++);
        if (turn % SPIN_DOUBT_TURNS == 0 && take_over(spin))
            return false;
    } while (!spin_try(spin));
    return true;
}

/* What was seen of a holder, in a row. */
struct looks {
    uint32_t holder;
    uint32_t stopped; /* so often */
};

static bool look(struct looks *looks, uint32_t holder)
{
    if (looks->holder != holder)
        *looks = (struct looks){.holder = holder};
    bool is = holder && spin_holder_is_stopped && spin_holder_is_stopped(holder);
    looks->stopped = is ? looks->stopped + 1 : 0;
    return looks->stopped >= SPIN_STOPPED_LOOKS;
}

/* Who has gone on and unlocked it meanwhile is not taken for stopped the next time. */
static void mark_stopped(struct spin *spin, uint32_t holder)
{
    __atomic_store_n(&spin->stopped, holder, __ATOMIC_RELAXED);
    /* pairs: the two stores in spin_unlock(), of which the second one takes the mark off */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&spin->holder, __ATOMIC_RELAXED) != holder)
        __atomic_compare_exchange_n(&spin->stopped, &holder, 0, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
}

enum spin_outcome spin_wait_or_not(struct spin *spin)
{
    struct looks looks = {0};
    uint32_t turn = 0;
    do {
        uint32_t stopped = __atomic_load_n(&spin->stopped, __ATOMIC_RELAXED);
        if (stopped && stopped == __atomic_load_n(&spin->holder, __ATOMIC_RELAXED))
            return SPIN_NOT;
        spin_rest(spin, turn++);
        if (turn % SPIN_DOUBT_TURNS != 0)
            continue;
        if (take_over(spin))
            return SPIN_TAKEN_OVER;
        uint32_t holder = __atomic_load_n(&spin->holder, __ATOMIC_RELAXED);
        if (look(&looks, holder))
            mark_stopped(spin, holder);
    } while (!spin_try(spin));
    return SPIN_HELD;
}
