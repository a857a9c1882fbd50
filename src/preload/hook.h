/*
 * hook.h - what every hook begins with.
 *
 * What it is: real functions resolved, recording started by the first event, the guard entered.
 * Owns: nothing. Context: hooks_*.c only.
 * Not here: everything else: hooks record, call the real function, and return.
 */
#ifndef HEAPDIFF_PRELOAD_HOOK_H
#define HEAPDIFF_PRELOAD_HOOK_H

#include "guard.h"
#include "init.h"
#include "real.h"
#include "tracker.h"
#include "unwind.h"

#define HOOK __attribute__((visibility("default")))

/* Record, then guard_leave(). NULL: pass the call on; what it makes may count as missed. */
static inline struct guard_thread *hook_enter(void)
{
    struct guard_thread *own = guard_own;
    if (__builtin_expect(!own, false)) {
        init_first_event();
        return guard_enter_slowly();
    }
    return guard_enter();
}

/* Looks the C++ operators up, so that none of them has to ask the loader later. Constructor only. */
void hooks_cxx_init(void);

#endif
