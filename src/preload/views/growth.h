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

/* Starts counting from now: at start-up and in a forked child. */
void growth_restart(void);

/* snapshot_take(), after which growth counts from now: whoever asked for it. */
int growth_snapshot(const char *source, const char *path);

/* Takes a snapshot when one is due. */
void growth_check(void);

#endif
