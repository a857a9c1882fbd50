/*
 * growth.h - snapshots that are taken by themselves: every= and interval=.
 *
 * What it is: a look at the clock, the resident size and the live bytes, at most every 10 ms, from
 *   the events of the program; no thread, no timer: a program without events writes none.
 * Owns: the sizes at the last snapshot. Context: after a hook has finished (guard_serve()).
 * Not here: writing (snapshot.h); pacing (tracker.c).
 */
#ifndef HEAPDIFF_PRELOAD_GROWTH_H
#define HEAPDIFF_PRELOAD_GROWTH_H

/* Starts counting from now: at start-up, in a forked child, and after any snapshot. */
void growth_restart(void);

/* Takes a snapshot when one is due. */
void growth_check(void);

#endif
