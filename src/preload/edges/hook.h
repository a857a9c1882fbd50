/*
 * hook.h - what every hook begins with.
 *
 * What it is: real functions resolved, recording started by the first event, the guard entered.
 * Owns: nothing. Context: hooks_*.c only.
 * Not here: everything else: hooks record, call the real function, and return.
 */
#ifndef HEAPDIFF_PRELOAD_HOOK_H
#define HEAPDIFF_PRELOAD_HOOK_H

#include "init.h"
#include "real.h"
#include "preload/ground/guard.h"
#include "preload/unwind/unwind.h"
#include "preload/views/tracker.h"

#define HOOK      __attribute__((visibility("default")))

/* One that a program calls all the time: they lie together. */
#define HOOK_HOT  HOOK __attribute__((hot))

/*
 * The second half of a hook, reached by a tail call: its frame is the hook's, and UNWIND_HERE() in it
 * finds the hook's caller. The first half does what needs no frame.
 */
#define HOOK_HALF static __attribute__((noinline))

/* The slow half of hook_enter(): the process's first event, or the thread's, or a nested one. */
static __attribute__((noinline)) struct guard_thread *hook_enter_slowly(void)
{
    if (!real_resolve())
        return NULL;
    if (!guard_own)
        init_first_event();
    return guard_enter_slowly();
}

/*
 * Record, then guard_leave(); the real functions are resolved. NULL: pass the call on, if
 * real_resolve() says that there is somebody to pass it to; what it makes may count as missed.
 */
static inline struct guard_thread *hook_enter(void)
{
    struct guard_thread *own = guard_own;
    if (__builtin_expect(!own, false) ||
        __builtin_expect((own->word & GUARD_STATE_MASK) != GUARD_OUTSIDE, false))
        return hook_enter_slowly();
    guard_set_of(own, own->word | GUARD_CALLING);
    return own;
}

/* Sampling has begun: most allocations go straight to the allocator. */
void hooks_malloc_pass(void);

/* Nothing is recorded any more, or ever: all of them do. */
void hooks_malloc_end(void);

/* Looks the C++ operators up, so that none of them has to ask the loader later. Constructor only. */
void hooks_cxx_init(void);

/* The same for dlsym(), which reads the loader's list while no thread is closing libraries. */
void hooks_loader_init(void);

#endif
