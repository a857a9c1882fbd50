#include "spin.h"

#include "permit.h"
#include "sys.h"

#include <time.h>

enum {
    SPIN_ROUNDS = 100, /* about 2 us: longer than any of our critical sections when not preempted */
    SPIN_YIELDS = 50,  /* the holder was preempted: let it run */
    SPIN_SLEEP_NS = 50000 /* the holder has a lower priority than we: leave the processor to it */
};

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

void spin_wait(struct spin *spin)
{
    uint32_t turn = 0;
    do {
        spin_rest(spin, turn++);
    } while (!spin_try(spin));
}
