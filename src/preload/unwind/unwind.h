/*
 * unwind.h - the calling thread's stack as a list of return addresses.
 *
 * What it is: unwind_capture() walks from a hook's caller to the thread's outermost frame, by rules
 *   compiled from .eh_frame (frame pointers are not needed), each rule kept by return address.
 *   Stacks with a frame that needs other registers are walked again with all of them. libunwind is
 *   the reference of the tests; it is not loaded otherwise.
 * Owns: the cache of compiled rules (row.h); the handle on libunwind.
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
#define UNWIND_HERE()                                                                    \
    ({                                                                                   \
        const uintptr_t *record_ = __builtin_frame_address(0);                           \
        (struct unwind_start){record_[1], (uintptr_t)__builtin_dwarf_cfa(), record_[0]}; \
    })

/* Lists the loaded objects. Takes the loader's lock: constructor only. */
void unwind_init(void);

/*
 * Captures the stack of the calling thread. `stack_top` is the end of this thread's own stack, or 0
 * when it is not known; frame-pointer guesses are made below it only. The frames may lie on another
 * stack (coroutines, sigaltstack) all the same.
 */
void unwind_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top);

/* Libraries were unloaded: every compiled rule is forgotten. Any thread, any time. */
void unwind_forget(void);

/* Libraries were loaded: where the loader has no lock-free lookup (glibc before 2.35, musl) they are
   listed again. Takes the loader's lock: outside hooks and handlers only. */
void unwind_refresh(void);

/* Generated code: its .eh_frame came or goes (unwind_registry.h). Program's own context, any thread. */
bool unwind_register(const void *entries);
bool unwind_unregister(const void *entries);

/* Whether a loaded object has rules for the code at `pc`, as captured: libunwind knows them, too. */
bool unwind_has_rules(uint64_t pc);

/* Captures so far that had to be walked with all registers. */
uint64_t unwind_full_count(void);

/* Bytes of memory for rules. */
uint64_t unwind_own_bytes(void);

/*
 * The same stack by libunwind's unw_step alone: slow (20 us), for tests. False when libunwind was not
 * opened, or `start` is not a caller. open() calls dlopen; false when there is no libunwind.
 */
bool unwind_reference_open(void);
bool unwind_reference(struct capture *capture, const struct unwind_start *start);
void unwind_reference_forget(void);

#endif
