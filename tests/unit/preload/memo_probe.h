/*
 * memo_probe.h - the stack here, by the memo and by a full walk.
 *
 * What it is: a stand-in for a hook, as stack_probe.h is. Each probe captures by the thread's memo, walks
 *   the stack in full, and counts where they differ; the first differences are printed.
 * Owns: the counters; each thread's memo.
 * Context: unit tests; from any thread, stack and signal handler.
 * Not here: whether the full walk is right (unwind.c).
 */
#ifndef HEAPDIFF_TEST_MEMO_PROBE_H
#define HEAPDIFF_TEST_MEMO_PROBE_H

#include "preload/tables/memo.h"

struct memo_probes {
    _Atomic unsigned taken;
    _Atomic unsigned different;
};

extern struct memo_probes memo_probes;
extern _Thread_local struct memo memo_probe_memo;

/* The last one of this thread. */
extern _Thread_local struct capture memo_probe_capture;
extern _Thread_local struct memo_leaf *memo_probe_leaf;

/* A black box and rules; zeroes the counters: cmocka setup functions, for the group and for a test. */
int memo_probe_open(void **state);
int memo_probe_reset(void **state);

/* Finds this thread's stack; once in each thread. */
void memo_probe_thread(void);

void memo_probe(void);

#endif
