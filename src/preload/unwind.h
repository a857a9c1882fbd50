/*
 * unwind.h - the calling thread's stack as a list of return addresses.
 *
 * What it is: unwind_capture() walks from a hook's caller to the thread's outermost frame, by rules
 *   compiled from .eh_frame (frame pointers are not needed), each rule kept by return address.
 *   Frames no rule can express go to libunwind, which is also the reference of the tests.
 * Owns: the cache of compiled rules; the handle on libunwind.
 * Context: unwind_capture(): inside a hook or a signal handler: no allocation, no lock of libc or
 *   the loader, errno kept. unwind_init(): once, from the constructor.
 * Not here: what an address is part of (mapping.h); interning (stack.h).
 */
#ifndef HEAPDIFF_PRELOAD_UNWIND_H
#define HEAPDIFF_PRELOAD_UNWIND_H

#include "format/box.h"

#include <stdbool.h>
#include <stdint.h>

struct capture {
    uint32_t depth;
    bool cut;   /* deeper than BOX_DEPTH_MAX: the root side is missing */
    bool ended; /* stopped before the outermost frame: no rule and no frame pointer led on */
    /* Leaf first: return addresses, as found on the stack. Bit 63 set (UNWIND_EXACT): the
       interrupted instruction under a signal frame, not a return address. */
    uint64_t pcs[BOX_DEPTH_MAX];
};

#define UNWIND_EXACT (1ull << 63)

/* Registers of the frame that called the hook, as of its return. */
struct unwind_start {
    uintptr_t pc; /* the hook's return address: becomes pcs[0] */
    uintptr_t sp;
    uintptr_t fp; /* rbp on x86_64, x29 on aarch64 */
};

/*
 * Fills in an unwind_start in the hook itself. The hook's translation unit is built with
 * -fno-omit-frame-pointer, so its frame record is {caller's fp, return address}.
 */
#define UNWIND_HERE()                                                                              \
    ({                                                                                             \
        const uintptr_t *record_ = __builtin_frame_address(0);                                     \
        (struct unwind_start){record_[1], (uintptr_t)(record_ + 2), record_[0]};                   \
    })

/* Finds libunwind and the loader's lock-free object lookup. Calls dlopen: constructor only. */
void unwind_init(void);

/*
 * Captures the stack of the calling thread. `scratch_top` is the highest address known to belong to
 * this thread's stack, or 0; frame-pointer guesses stay below it.
 */
void unwind_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top);

/* Libraries were unloaded: every compiled rule is forgotten. Any thread, any time. */
void unwind_forget(void);

/* The same stack by libunwind's unw_step alone; false when libunwind is absent. Slow (20 us). */
bool unwind_reference(struct capture *capture, const struct unwind_start *start);

#endif
