#include "gate.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"

#include <errno.h>
#include <time.h>

enum {
    /* A thread that lost its processor while recording has it again by then. */
    GATE_WAIT_NS = 20000000,
    GATE_TRIES = 5,          /* ... and on a machine that is busy, not much later */
    GATE_AGAIN_NS = 1000000, /* the others go on in between */
    GATE_ROUNDS = 200,       /* a recording takes less than this many pauses, unless preempted */
    GATE_YIELDS = 20,
    GATE_NAP_NS = 50000,
    GATE_BARRIER_NS = 1000000, /* without membarrier: no store stays unseen for so long */
    GATE_STALL_NS = 50000000,  /* between two looks at whether the closer lives */
    GATE_STALLS_MAX = 20,      /* a second: it is held up for good */
    GATE_STALLS_EXTENDED = 60  /* ... unless it has said so before */
};

static struct {
    uint32_t closer; /* futex: the thread that has the gate closed; 0: open */
    uint32_t waiting;
    uint32_t stalls_max; /* of the closer, if it has set it; else 0 */
} gate;

static long membarrier(int command)
{
    return sys_call3(SYS_membarrier, command, 0, 0);
}

static void nap(long ns)
{
    struct timespec span = {0, ns};
    sys_call2(SYS_nanosleep, (long)&span, 0);
}

void gate_init(void)
{
    membarrier(MEMBARRIER_REGISTER);
}

bool gate_is_closed(void)
{
    /* pairs: gate_open() */
    return __atomic_load_n(&gate.closer, __ATOMIC_ACQUIRE) != 0;
}

void gate_extend(void)
{
    __atomic_store_n(&gate.stalls_max, GATE_STALLS_EXTENDED, __ATOMIC_RELAXED);
}

static int stalls_max(void)
{
    uint32_t extended = __atomic_load_n(&gate.stalls_max, __ATOMIC_RELAXED);
    return extended ? (int)extended : GATE_STALLS_MAX;
}

/* Opens the gate if `closer` has it. */
static bool open_for(uint32_t closer)
{
    /* pairs: gate_is_closed(), gate_wait() */
    if (!__atomic_compare_exchange_n(&gate.closer, &closer, 0, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return false;
    if (__atomic_load_n(&gate.waiting, __ATOMIC_SEQ_CST) > 0)
        sys_call3(SYS_futex, (long)&gate.closer, FUTEX_WAKE_OURS, INT32_MAX);
    return true;
}

/* Waits as long as `closer` has the gate; false when that takes longer than GATE_STALL_NS. */
static bool wait_for(uint32_t closer)
{
    const struct timespec span = {0, GATE_STALL_NS};
    __atomic_fetch_add(&gate.waiting, 1, __ATOMIC_SEQ_CST);
    long result =
        sys_call4(SYS_futex, (long)&gate.closer, FUTEX_WAIT_OURS, (long)closer, (long)&span);
    __atomic_fetch_sub(&gate.waiting, 1, __ATOMIC_RELAXED);
    if (result == -EINTR) /* the program's handlers run meanwhile */
        return true;
    if (sys_failed(result) && result != -EAGAIN && result != -ETIMEDOUT)
        nap(GATE_NAP_NS); /* no futex: a filter of system calls */
    return result != -ETIMEDOUT;
}

void gate_wait(void)
{
    uint32_t self = (uint32_t)sys_tid(), closer;
    for (int stalls = 0; (closer = __atomic_load_n(&gate.closer, __ATOMIC_ACQUIRE)) != 0;) {
        if (closer == self)
            return;
        if (wait_for(closer))
            continue;
        if (++stalls >= stalls_max() || !thread_lives((int32_t)closer))
            open_for(closer);
    }
}

/* Every thread that runs has now executed a full barrier: it has seen the generation, or we see that
   it is recording. */
static void barrier(void)
{
    const struct thread *first = thread_first();
    if (first && &first->guard == guard_own && !first->next)
        return; /* no other thread has recorded yet; pairs: guard_record_slowly() */
    long result = membarrier(MEMBARRIER_EXPEDITED);
    if (result == -EPERM && !sys_failed(membarrier(MEMBARRIER_REGISTER)))
        result = membarrier(MEMBARRIER_EXPEDITED);
    if (sys_failed(result))
        nap(GATE_BARRIER_NS);
}

static bool is_recording(struct thread *thread)
{
    /* pairs: guard_set_of() when the thread leaves: what it has counted is seen too */
    uint64_t word = __atomic_load_n(&thread->guard.word, __ATOMIC_ACQUIRE);
    return (word & GUARD_STATE_MASK) == GUARD_RECORDING &&
           !__atomic_load_n(&thread->guard.forking, __ATOMIC_RELAXED);
}

static void rest(uint32_t turn)
{
    if (turn < GATE_ROUNDS)
        sys_relax();
    else if (turn < GATE_ROUNDS + GATE_YIELDS)
        sys_call1(SYS_sched_yield, 0);
    else
        nap(GATE_NAP_NS);
}

/*
 * Whether the thread has ended while it was recording; nobody waits for it again. The word is read
 * first: with its struct's next owner it is another one, and stays.
 */
static bool is_gone(struct thread *thread)
{
    uint64_t word = __atomic_load_n(&thread->guard.word, __ATOMIC_ACQUIRE);
    if (thread_lives(__atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE)))
        return false;
    if (__atomic_compare_exchange_n(&thread->guard.word, &word, word & ~(uint64_t)GUARD_STATE_MASK,
                                    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        arena_lost(&arena.header->lost.nested_events);
    return true;
}

/* False when the thread is still recording at `end_ns`. */
static bool wait_until_out(struct thread *thread, uint64_t end_ns)
{
    for (uint32_t turn = 0; is_recording(thread); turn++) {
        if (turn >= GATE_ROUNDS && sys_uptime_ns() >= end_ns)
            return is_gone(thread);
        rest(turn);
    }
    return true;
}

static bool wait_for_all(void)
{
    bool whole = guard_state() != GUARD_RECORDING;
    uint64_t end_ns = sys_uptime_ns() + GATE_WAIT_NS;
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (&thread->guard != guard_own)
            whole &= wait_until_out(thread, end_ns);
    return whole;
}

static bool close_once(void)
{
    uint32_t nobody = 0, self = (uint32_t)sys_tid();
    /* pairs: gate_is_closed(), by way of the generation */
    while (!__atomic_compare_exchange_n(&gate.closer, &nobody, self, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
        gate_wait();
        nobody = 0;
    }
    __atomic_store_n(&gate.stalls_max, 0, __ATOMIC_RELAXED); /* an earlier closer's */
    guard_bump();
    barrier();
    return wait_for_all();
}

bool gate_close(void)
{
    int tries = guard_state() == GUARD_RECORDING ? 1 : GATE_TRIES;
    while (!close_once())
        if (--tries > 0) {
            gate_open();
            nap(GATE_AGAIN_NS);
        } else {
            arena_lost(&arena.header->lost.cuts);
            return false;
        }
    return true;
}

void gate_open(void)
{
    if (!open_for((uint32_t)sys_tid())) /* somebody thought that we had died */
        arena_lost(&arena.header->lost.cuts);
}

void gate_fork(void)
{
    gate.closer = 0;
    gate.waiting = 0;
    gate.stalls_max = 0;
}

void gate_escape(void)
{
    open_for((uint32_t)sys_tid());
}
