/*
 * stack_probe.h - the stack here, taken twice: by the unwinder and by its reference.
 *
 * What it is: a stand-in for a hook. Each probe captures from its caller on, compares frame by frame
 *   with libunwind where it is installed, and counts; the first differences are printed.
 * Owns: the counters and each thread's last capture.
 * Context: unit tests; from any thread, stack and signal handler.
 * Not here: what the stack should be (the tests).
 */
#ifndef HEAPDIFF_TEST_STACK_PROBE_H
#define HEAPDIFF_TEST_STACK_PROBE_H

#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stack_probes {
    _Atomic unsigned taken;
    _Atomic unsigned compared;
    _Atomic unsigned different;
    _Atomic unsigned ended;
};

extern struct stack_probes stack_probes;

/* The last capture of this thread. */
extern _Thread_local struct capture stack_probe_capture;

/* Opens the unwinder and the reference, and zeroes the counters: a cmocka setup function. */
int stack_probe_open(void **state);

void stack_probe(void);

/* Without the reference: for stacks libunwind does not get right. `stack_top` as unwind_capture()'s. */
void stack_probe_alone(uintptr_t stack_top);

/* Where this thread's stack ends; call it once in each thread before probing. */
uintptr_t stack_probe_top(void);

/* Asserts that `taken` probes were taken, that all agreed with the reference and came to the end. */
void stack_probe_assert_agreed(unsigned taken);

/* The place in the last capture of a return address into [function, function + 512), or -1. */
int stack_probe_find(const void *function);

#endif
