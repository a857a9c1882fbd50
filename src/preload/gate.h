/*
 * gate.h - a moment in which no thread is recording.
 *
 * What it is: gate_close() makes the threads that begin to record wait, and waits itself for those that
 *   are at it: counters and tables then stand still until gate_open(). No signal is sent, no system
 *   call of the program is interrupted; threads that do not allocate do not notice.
 * Owns: the gate. One at a time closes it: the others wait.
 * Context: hooks, handlers, with the own thread not in GUARD_RECORDING (it would wait for itself).
 * Not here: what is done meanwhile (snapshot.c, collection.c).
 */
#ifndef HEAPDIFF_PRELOAD_GATE_H
#define HEAPDIFF_PRELOAD_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* Registers with the kernel (membarrier). Once at start-up, and again in a forked child. */
void gate_init(void);

/* False: some thread did not come out within GATE_WAIT_NS; the gate is closed all the same, and what
   that thread records comes in between. gate_open() must follow either way. */
bool gate_close(void);
void gate_open(void);

/* Called by guard.c for a thread that wants to record while the gate is closed, in state
   GUARD_CALLING: returns when it is open. Never for the thread that closed it. */
void gate_wait(void);
bool gate_is_closed(void);

/* fork: the child's gate is open, whoever had closed it in the parent. */
void gate_fork(void);

/* This thread left by a jump while it held the gate closed: opens it. */
void gate_escape(void);

#endif
