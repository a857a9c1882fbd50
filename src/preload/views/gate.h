/*
 * gate.h - a moment in which no thread is recording.
 *
 * What it is: gate_close() makes the threads that begin to record wait, and waits itself for those that
 *   are at it: counters and tables then stand still until gate_open(). No signal is sent, no system
 *   call of the program is interrupted; threads that do not allocate do not notice.
 * Owns: the gate. One at a time closes it: the others wait.
 * Context: anywhere, with all signals blocked from close to open. Not to be held for long: the
 *   program's malloc waits.
 * Not here: what is done meanwhile (cut.c, collection.c).
 */
#ifndef HEAPDIFF_PRELOAD_GATE_H
#define HEAPDIFF_PRELOAD_GATE_H

#include <stdbool.h>

/* Registers with the kernel (membarrier), which takes long once there are threads. At start-up. */
void gate_init(void);

/*
 * False: some thread did not come out in time (or the calling one was recording itself: a handler
 * that interrupted it). The gate is closed all the same; what that thread records comes in between,
 * and is counted in box_lost. gate_open() must follow either way.
 */
bool gate_close(void);
void gate_open(void);

/* The calling thread has closed it, and needs it for up to three seconds: it waits for somebody outside. */
void gate_extend(void);

/*
 * For a thread that wants to record and is GUARD_CALLING: returns when the gate is open. At once for
 * the thread that closed it. A gate whose closer has died, or is held up for a second, is opened.
 */
void gate_wait(void);
bool gate_is_closed(void);

/* fork: the child's gate is open, whoever had closed it in the parent. */
void gate_fork(void);

/* This thread left by a jump while it held the gate closed: opens it. */
void gate_escape(void);

#endif
