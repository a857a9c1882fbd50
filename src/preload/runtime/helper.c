#include "helper.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum {
    STACK_BYTES =
        512 << 10, /* a JVM wants some room to attach it; what is not touched costs nothing */
    REST_LOOK_NS = 200000, /* between two looks at whether it has gone */
    SECOND_NS = 1000000000
};

enum { ABSENT, HERE, GONE }; /* GONE: it has left its loop, and is to be joined */

static struct {
    struct spin lock;   /* for `thread` and for ABSENT -> HERE */
    uint32_t state;     /* atomic */
    uint32_t bell;      /* the futex: changes with each request; atomic */
    uint32_t resting;   /* nesting of helper_rest(); atomic */
    uint32_t forbidden; /* by how many filters; atomic */
    bool wanted;        /* atomic: ended by helper_rest(), not by itself */
    uint64_t (*work)(void);
    void *stack;
    pthread_t thread;
} helper;

void helper_init(uint64_t (*work)(void))
{
    helper.work = work;
}

bool helper_is_here(void)
{
    return __atomic_load_n(&helper.state, __ATOMIC_ACQUIRE) == HERE;
}

static void ring(void)
{
    __atomic_fetch_add(&helper.bell, 1, __ATOMIC_SEQ_CST);
    sys_call3(SYS_futex, (long)&helper.bell, FUTEX_WAKE_OURS, 1);
}

static bool is_rung(uint32_t heard)
{
    return __atomic_load_n(&helper.bell, __ATOMIC_SEQ_CST) != heard;
}

static void sleep_until_rung(uint32_t heard, uint64_t wait_ns)
{
    struct timespec wait = {(time_t)(wait_ns / SECOND_NS), (long)(wait_ns % SECOND_NS)};
    sys_call4(SYS_futex, (long)&helper.bell, FUTEX_WAIT_OURS, heard, (long)&wait);
}

static bool is_resting(void)
{
    return __atomic_load_n(&helper.resting, __ATOMIC_SEQ_CST) != 0 ||
           __atomic_load_n(&helper.forbidden, __ATOMIC_SEQ_CST) != 0;
}

/* True: it ends. Whoever rings later finds it gone. */
static bool leave(uint32_t heard, bool done)
{
    spin_lock(&helper.lock);
    bool leaves = is_resting() || (done && !is_rung(heard));
    if (leaves) {
        __atomic_store_n(&helper.wanted, !done || is_rung(heard), __ATOMIC_RELAXED);
        __atomic_store_n(&helper.state, GONE, __ATOMIC_RELEASE); /* pairs: helper_is_here() */
    }
    spin_unlock(&helper.lock);
    return leaves;
}

static void *helper_run(void *unused)
{
    (void)unused;
    guard_self()->paused = 1; /* what it allocates is not the program's */
    guard_choose();
    for (;;) {
        uint32_t heard = __atomic_load_n(&helper.bell, __ATOMIC_SEQ_CST);
        uint64_t wait_ns = is_resting() ? 0 : helper.work();
        if ((is_resting() || wait_ns == HELPER_DONE) && leave(heard, wait_ns == HELPER_DONE))
            return NULL;
        if (wait_ns != HELPER_DONE)
            sleep_until_rung(heard, wait_ns);
    }
}

/* setuid() and pthread_cancel() of libc's reach every thread by these two, which it never blocks. */
static uint64_t all_signals(void)
{
    return ~(3ull << (32 - 1));
}

/* So that it is not taken for one of the program's. */
static void tell(uint64_t count)
{
    if (arena.header)
        __atomic_store_n(&arena.header->own_threads, count, __ATOMIC_RELAXED);
}

static bool create(void)
{
    pthread_attr_t attributes;
    if (!helper.stack && !(helper.stack = sys_pages(STACK_BYTES)))
        return false;
    uint64_t all = all_signals(), before;
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, sizeof(all));
    pthread_attr_init(&attributes);
    bool made = pthread_attr_setstack(&attributes, helper.stack, STACK_BYTES) == 0 &&
                pthread_create(&helper.thread, &attributes, helper_run, NULL) == 0;
    pthread_attr_destroy(&attributes);
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before));
    return made;
}

/* Its last instructions may still be on the stack. Not by pthread_join(): our caller may be cancelled in that. */
static void join(void)
{
    while (pthread_tryjoin_np(helper.thread, NULL) == EBUSY)
        sys_call1(SYS_sched_yield, 0);
    __atomic_store_n(&helper.state, ABSENT, __ATOMIC_RELAXED);
    tell(0);
}

static void start(void)
{
    spin_lock(&helper.lock);
    if (__atomic_load_n(&helper.state, __ATOMIC_ACQUIRE) == GONE)
        join();
    if (helper.state == ABSENT && !is_resting()) {
        __atomic_store_n(&helper.wanted, false, __ATOMIC_RELAXED);
        __atomic_store_n(&helper.state, HERE, __ATOMIC_RELEASE);
        bool made = create();
        tell(made);
        if (!made)
            __atomic_store_n(&helper.state, ABSENT, __ATOMIC_RELEASE);
    } else if (helper.state == ABSENT) {
        __atomic_store_n(&helper.wanted, true, __ATOMIC_RELAXED);
    }
    spin_unlock(&helper.lock);
}

/* What libc allocates for the thread is not the program's. */
static void start_unrecorded(void)
{
    int error = errno;
    enum guard_state before = guard_state();
    if (before == GUARD_OUTSIDE)
        guard_set(GUARD_CALLING);
    start();
    guard_set(before);
    errno = error;
}

void helper_want(void)
{
    if (!helper.work)
        return;
    ring();
    if (!helper_is_here())
        start_unrecorded();
}

void helper_rest(void)
{
    static const struct timespec look = {.tv_nsec = REST_LOOK_NS};
    __atomic_fetch_add(&helper.resting, 1, __ATOMIC_SEQ_CST);
    if (!helper_is_here())
        return;
    ring();
    for (int i = 0; i < HELPER_REST_NS / REST_LOOK_NS && helper_is_here(); i++)
        sys_call2(SYS_nanosleep, (long)&look, 0);
    int error = errno;
    spin_lock(&helper.lock);
    if (__atomic_load_n(&helper.state, __ATOMIC_ACQUIRE) == GONE)
        join();
    spin_unlock(&helper.lock);
    errno = error;
}

void helper_resume(void)
{
    __atomic_fetch_sub(&helper.resting, 1, __ATOMIC_SEQ_CST);
    if (helper_was_here() && !is_resting())
        helper_want();
}

void helper_forbid(bool forbidden)
{
    helper_rest();
    __atomic_fetch_add(&helper.forbidden, forbidden ? 1u : -1u, __ATOMIC_SEQ_CST);
    helper_resume();
}

void helper_fork(void)
{
    spin_reset(&helper.lock);
    bool was_here = helper.state == HERE || helper.wanted;
    helper.state = ABSENT;
    helper.resting = 0;
    helper.wanted = was_here;
}

bool helper_was_here(void)
{
    return __atomic_load_n(&helper.wanted, __ATOMIC_RELAXED);
}
