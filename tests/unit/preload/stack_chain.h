/*
 * stack_chain.h - a chain of calls through frames of every shape.
 *
 * What it is: functions that call each other, each noting the address it will return to, so that
 *   the true stack is known without an unwinder. Built with -O2 -fomit-frame-pointer.
 * Owns: the notes of each thread.
 * Context: unit tests.
 * Not here: taking stacks (stack_probe.h).
 */
#ifndef HEAPDIFF_TEST_STACK_CHAIN_H
#define HEAPDIFF_TEST_STACK_CHAIN_H

#include "preload/unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

enum { CHAIN_DEPTH_MAX = 400 };

struct chain {
    uint32_t depth;
    uintptr_t returns[CHAIN_DEPTH_MAX]; /* outermost first */
};

extern _Thread_local struct chain chain;

/* Calls `leaf` through `depth` frames, one of each shape in turn. */
void chain_run(uint32_t depth, void (*leaf)(void));

/* True when `capture` holds all frames of the chain in order, as far as it was not cut. */
bool chain_is_in(const struct capture *capture);

#endif
