#include "guard.h"

#include "sys.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

__thread struct guard_thread *guard_own;
__thread struct guard_thread guard_spare;
__thread struct guard_thread *guard_plain;
__thread struct guard_thread *guard_usual;
struct guard_process guard_process;
struct guard_page guard_page;

static uint64_t last_generation; /* the last one made; atomic */

void guard_init(void (*forked)(void), void (*serve)(uint32_t wanted))
{
    /* Kernels before 4.14 refuse, and larger pages have more in them: pthread_atfork's child handler then
       stands in (init.c). */
    if (getauxval(AT_PAGESZ) == GUARD_PAGE_BYTES)
        sys_call3(SYS_madvise, (long)&guard_page, GUARD_PAGE_BYTES, MADV_WIPEONFORK);
    guard_process.forked = forked;
    guard_process.serve = serve;
    guard_fork_done();
}

void guard_bump(void)
{
    uint64_t fresh = __atomic_add_fetch(&last_generation, GUARD_GENERATION_STEP, __ATOMIC_RELAXED);
    uint64_t now = __atomic_load_n(&guard_page.generation, __ATOMIC_RELAXED);
    /* A forked child's 0 stays until the child has been taken care of. */
    while (now != 0 && now < fresh &&
           !__atomic_compare_exchange_n(&guard_page.generation, &now, fresh, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED))
        ;
}

void guard_forget(void)
{
    __atomic_fetch_add(&guard_process.forgets, 1, __ATOMIC_RELEASE);
    guard_bump();
}

void guard_fork_done(void)
{
    guard_process.inherited++;
    uint64_t fresh = __atomic_add_fetch(&last_generation, GUARD_GENERATION_STEP, __ATOMIC_RELAXED);
    __atomic_store_n(&guard_page.generation, fresh, __ATOMIC_SEQ_CST);
}

void guard_fork_noticed(void)
{
    __atomic_store_n(&guard_page.generation, 0, __ATOMIC_RELAXED);
}

/* What handlers do meanwhile is nested, in the spare's name. */
static void guard_take(void)
{
    guard_set_of(&guard_spare, GUARD_RECORDING);
    struct guard_thread *own = guard_own; /* a handler may have come first */
    if (!own && (own = guard_process.acquire ? guard_process.acquire() : &guard_spare)) {
        own->paused = guard_spare.paused;
        own->wanted = __atomic_exchange_n(&guard_spare.wanted, 0, __ATOMIC_RELAXED);
        if (guard_spare.ending)
            own->wanted |= GUARD_WANT_RELEASE;
        guard_set_of(own, GUARD_NEVER); /* its first recording looks around */
        guard_own = own;
        guard_choose();
    }
    if (own != &guard_spare)
        guard_set_of(&guard_spare, GUARD_OUTSIDE);
}

void guard_choose(void)
{
    struct guard_thread *own = guard_own && !guard_own->paused ? guard_own : NULL;
    guard_usual = guard_process.usual ? own : NULL;
    guard_plain = guard_process.plain ? own : NULL;
}

/* Outside, if only because what the thread was inside has been left by a jump. */
static bool guard_is_free(void)
{
    return guard_state() == GUARD_OUTSIDE ||
           (!guard_self()->apart && guard_process.escaped && guard_process.escaped());
}

/* The thread's first event. */
static struct guard_thread *guard_begin(void)
{
    if (!guard_is_free())
        return NULL;
    guard_take();
    if (guard_own)
        guard_set(GUARD_CALLING);
    return guard_own;
}

struct guard_thread *guard_enter_slowly(void)
{
    if (!guard_process.recording)
        return NULL;
    if (!guard_own)
        return guard_begin();
    /* Outside: its first event was a handler's, just now. */
    if (!guard_is_free())
        return NULL;
    guard_set(GUARD_CALLING);
    return guard_own;
}

/* What the thread has to see before it may record as of generation `now`. */
static void guard_catch_up(struct guard_thread *own, uint64_t now)
{
    if (now == 0) {
        guard_process.forked();
        return;
    }
    if (guard_process.changed)
        guard_process.changed(own);
    /* A handler may jump out of this: only who has waited has seen the generation. */
    if (guard_process.wait)
        guard_process.wait();
}

bool guard_record_slowly(struct guard_thread *own)
{
    uint64_t now = own->word & ~(uint64_t)GUARD_STATE_MASK;
    while (guard_process.recording) {
        guard_set_of(own, now | GUARD_RECORDING);
        uint64_t seen = now;
        /* pairs: guard_bump(); of a thread's first event also thread_acquire(), which it follows */
        now = __atomic_load_n(&guard_page.generation, __ATOMIC_SEQ_CST);
        if (now == seen && now != 0)
            return true;
        guard_set_of(own, seen | GUARD_CALLING);
        guard_catch_up(own, now);
    }
    guard_set(GUARD_CALLING);
    return false;
}

void guard_notice(void)
{
    struct guard_thread *own = guard_process.recording ? guard_enter_recording() : NULL;
    if (own)
        guard_leave(own);
}

void guard_serve(struct guard_thread *own)
{
    uint32_t wanted = __atomic_exchange_n(&own->wanted, 0, __ATOMIC_RELAXED);
    if (wanted & ~(uint32_t)GUARD_WANT_RELEASE)
        guard_process.serve(wanted);
    if (wanted & GUARD_WANT_RELEASE && own == guard_own)
        guard_process.release(own);
}
