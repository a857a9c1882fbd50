#include "thread.h"

#include "memo_branch.h"
#include "preload/ground/module.h"
#include "preload/ground/permit.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum {
    THREAD_PROBES = 4, /* structs looked at for a dead owner when none is free: of those in use, at
                           most a third stays behind with threads that ended unseen */
    /* Free structs that keep their memory: faults cost more than all the rest. */
    THREAD_WARM_MAX = 32,
    THREAD_KEYS_MAX = 32 /* glibc keeps the values of more keys than these in allocated memory */
};

static struct {
    /* Keeps the lists but `first`, `probed`, taking over; no handler's event comes in. */
    struct spin lock;
    struct thread *first;
    struct thread *warm;
    uint32_t warm_count;
    struct thread *cold;
    struct thread *probed; /* the last struct looked at for a dead owner */
    uint64_t own_bytes;
    bool has_key;
    pthread_key_t key;
} pool;

static_assert(offsetof(struct thread, lots) == THREAD_HEAD_BYTES, "a head is a page");

static size_t struct_bytes(void)
{
    return (sizeof(struct thread) + 4095) & ~(size_t)4095;
}

struct thread *thread_first(void)
{
    /* pairs: make() */
    return __atomic_load_n(&pool.first, __ATOMIC_ACQUIRE);
}

bool thread_lives(int32_t tid)
{
    return !permit_has(PERMIT_NUMBERS) || sys_call3(SYS_tgkill, sys_pid(), tid, 0) != -ESRCH;
}

/* For spin.h. Only who is known to have had its own struct can be known to have ended. */
static bool holder_lives(uint32_t holder)
{
    bool known = false;
    for (struct thread *thread = thread_first(); thread; thread = thread->next) {
        if (__atomic_load_n(&thread->spinner, __ATOMIC_RELAXED) != holder)
            continue;
        known = true;
        if (holder != spin_self() && thread_lives(__atomic_load_n(&thread->tid, __ATOMIC_RELAXED)))
            return true;
    }
    return !known;
}

/* What may be asked of the kernel with a lock of ours held, by functions of libc's: it takes its time. */
static bool is_for_ranges(uint64_t call)
{
    return call == SYS_munmap || call == SYS_mremap || call == SYS_brk || call == SYS_shmdt;
}

static bool is_our_code(uint64_t address)
{
    struct module module, own;
    return module_find(address, &module) && module_find((uint64_t)&pool, &own) &&
           module.start == own.start;
}

/*
 * Whether the thread waits in a system call that is not ours: a signal's handler has it stand still, by sigsuspend(), a
 * semaphore, or what else. "NUMBER 0xARGUMENT ... 0xSP 0xPC", or "running".
 */
static bool is_suspended(int32_t tid)
{
    enum { PATH_BYTES = 48, LINE_BYTES = 256 };
    char path[PATH_BYTES], line[LINE_BYTES];
    struct text text = text_on(path, sizeof(path));
    text_put(&text, "/proc/self/task/");
    text_put_number(&text, (uint64_t)tid);
    text_put(&text, "/syscall");
    uint64_t call = 0, code = 0;
    const char *at = line;
    if (!permit_has(PERMIT_FILES) || sys_read_file(path, line, sizeof(line)) <= 0 ||
        !text_read_number(&at, &call) || is_for_ranges(call))
        return false;
    const char *last = strrchr(line, ' ');
    for (const char *digit = last ? last + 3 : ""; *digit > ' '; digit++)
        code = code << 4 | (uint64_t)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
    return code != 0 && !is_our_code(code);
}

/* For spin.h. */
static bool holder_is_stopped(uint32_t holder)
{
    for (struct thread *thread = thread_first(); thread; thread = thread->next)
        if (__atomic_load_n(&thread->spinner, __ATOMIC_RELAXED) == holder)
            return is_suspended(__atomic_load_n(&thread->tid, __ATOMIC_RELAXED));
    return false;
}

/* Under the lock, or in a forked child. */
static void put_free(struct thread *thread)
{
    struct thread **list = thread->cold ? &pool.cold : &pool.warm;
    thread->free = *list;
    *list = thread;
}

/* Takes a place among the free structs that keep their memory, before the lock: many end at once. */
static bool stay_warm(void)
{
    uint32_t count = __atomic_load_n(&pool.warm_count, __ATOMIC_RELAXED);
    while (count < THREAD_WARM_MAX)
        if (__atomic_compare_exchange_n(&pool.warm_count, &count, count + 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

/* All but the head becomes zero, which is valid. The struct is nobody's but ours. */
static bool cool(struct thread *thread)
{
    size_t bytes = struct_bytes() - THREAD_HEAD_BYTES;
    path_clear(&thread->memo.paths);
    memo_branch_clear(&thread->memo.branches);
    if (!permit_has(PERMIT_ADVICE) ||
        sys_failed(
            sys_call3(SYS_madvise, (long)thread + THREAD_HEAD_BYTES, (long)bytes, MADV_DONTNEED)))
        return false;
    thread->cold = true;
    __atomic_fetch_sub(&pool.own_bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

static void release(struct guard_thread *own)
{
    struct thread *thread = thread_of(own);
    guard_set_of(&guard_spare, GUARD_RECORDING); /* what handlers do meanwhile is nested */
    guard_spare.paused = own->paused;
    guard_own = NULL;
    guard_choose();
    if (!stay_warm() && !cool(thread))
        __atomic_fetch_add(&pool.warm_count, 1, __ATOMIC_RELAXED);
    spin_lock(&pool.lock);
    put_free(thread);
    __atomic_store_n(&thread->tid, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->spinner, 0, __ATOMIC_RELAXED);
    spin_unlock(&pool.lock);
    guard_set_of(&guard_spare, GUARD_OUTSIDE);
}

/*
 * The thread ends. Later destructors, and libc after them (it frees what belongs to a detached thread),
 * have it take a struct again for one event each: no destructor would give that one back.
 */
static void give_back(void *context)
{
    struct thread *thread = context;
    if (guard_own != &thread->guard) /* a forked child has shared it out already */
        return;
    /* Cancelled in a handler, or the like, that had interrupted a hook. */
    if (guard_state() != GUARD_OUTSIDE && guard_process.left)
        guard_process.left();
    if (guard_enter_recording()) {
        delta_trim(&thread->delta);
        path_trim(&thread->memo.paths);
        memo_branch_trim(&thread->memo.branches);
        guard_leave(&thread->guard);
    }
    guard_spare.ending = true;
    release(&thread->guard);
}

void thread_init(void)
{
    pool.has_key = pthread_key_create(&pool.key, give_back) == 0;
    spin_holder_lives = holder_lives;
    spin_holder_is_stopped = holder_is_stopped;
    guard_process.release = release;
}

/* Held. The struct is the last that knows of a thread which ended unseen, and of what it may hold. */
static void bury(const struct thread *dead)
{
    uint32_t holder = dead->spinner;
    for (struct thread *thread = pool.first; thread; thread = thread->next)
        if (thread != dead && thread->spinner == holder)
            return; /* its control block has another owner now, who takes over when it waits */
    if (guard_process.inherit)
        guard_process.inherit(holder);
}

/* Held. One whose thread ended unseen, or whose number this thread has got: numbers are reused. */
static struct thread *take_dead(int32_t self)
{
    for (int i = 0; i < THREAD_PROBES && pool.first; i++) {
        struct thread *thread = pool.probed ? pool.probed->next : NULL;
        pool.probed = thread = thread ? thread : pool.first;
        int32_t tid = __atomic_load_n(&thread->tid, __ATOMIC_RELAXED);
        if (tid == self || (tid != 0 && !thread_lives(tid))) {
            bury(thread);
            return thread;
        }
    }
    return NULL;
}

/* Held. */
static struct thread *make(void)
{
    struct thread *thread = sys_pages(struct_bytes());
    if (!thread)
        return NULL;
    delta_init(&thread->delta);
    thread->next = pool.first;
    __atomic_fetch_add(&pool.own_bytes, struct_bytes(), __ATOMIC_RELAXED);
    /* pairs: thread_first(); and gate_close(), which sees it or is seen by its first recording */
    __atomic_store_n(&pool.first, thread, __ATOMIC_SEQ_CST);
    return thread;
}

/* Held. */
static struct thread *take_free(void)
{
    struct thread **list = pool.warm ? &pool.warm : &pool.cold, *thread = *list;
    if (!thread)
        return NULL;
    *list = thread->free;
    if (!thread->cold)
        __atomic_fetch_sub(&pool.warm_count, 1, __ATOMIC_RELAXED);
    else
        __atomic_fetch_add(&pool.own_bytes, struct_bytes() - THREAD_HEAD_BYTES, __ATOMIC_RELAXED);
    thread->cold = false;
    return thread;
}

/* Held. */
static struct thread *take(int32_t self)
{
    struct thread *thread = take_free();
    if (!thread)
        thread = take_dead(self);
    return thread ? thread : make();
}

struct thread *thread_acquire(void)
{
    int32_t self = sys_tid();
    if (__atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED) == 0)
        thread_fork(); /* the parent's threads have left their structs, and perhaps the lock */
    spin_lock(&pool.lock);
    struct thread *thread = take(self);
    if (thread) {
        __atomic_store_n(&thread->tid, self, __ATOMIC_RELAXED);
        __atomic_store_n(&thread->spinner, spin_self(), __ATOMIC_RELAXED);
        __atomic_store_n(&thread->pointer, (uintptr_t)__builtin_thread_pointer(), __ATOMIC_RELAXED);
    }
    spin_unlock(&pool.lock);
    if (!thread)
        return NULL;
    __atomic_store_n(&thread->guard.word, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&thread->guard.wanted, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->guard.forking, false, __ATOMIC_RELAXED);
    thread->guard.paused = thread->guard.events = 0;
    memo_leave(&thread->memo);
    if (pool.has_key && pool.key < THREAD_KEYS_MAX && !guard_spare.ending)
        pthread_setspecific(pool.key, thread);
    return thread;
}

void thread_fork(void)
{
    struct guard_thread *own = guard_own;
    spin_reset(&pool.lock);
    pool.warm = pool.cold = pool.probed = NULL;
    pool.warm_count = 0;
    for (struct thread *thread = pool.first; thread; thread = thread->next) {
        thread->tid = &thread->guard == own ? sys_tid() : 0;
        if (thread->tid != 0)
            continue;
        thread->spinner = 0;
        thread->guard.word = 0;
        pool.warm_count += !thread->cold;
        put_free(thread);
    }
}

void thread_escape(void)
{
    spin_escape(&pool.lock);
}

uint64_t thread_own_bytes(void)
{
    return __atomic_load_n(&pool.own_bytes, __ATOMIC_RELAXED) + path_own_bytes() +
           memo_branch_own_bytes();
}
