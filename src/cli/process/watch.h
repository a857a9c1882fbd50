/*
 * watch.h - stands by for a process from its start to its end.
 *
 * What it is: a thread that looks for the process's black box, and for the next one when it begins another
 *   program, and serves it (standby.h).
 * Owns: the thread. Who waits for the process meanwhile sees its threads stop: see watch_end().
 * Context: cli, one at a time. The process's children are not watched.
 * Not here: starting it (run.h).
 */
#ifndef HEAPDIFF_CLI_WATCH_H
#define HEAPDIFF_CLI_WATCH_H

#include <stdbool.h>

struct watch;

/* NULL: there is no thread to be had. */
struct watch *watch_start(int pid);

/* When the process has ended, and before its number is free again. Says why, if no snapshot was taken with its
   threads stopped. NULL is legal. */
void watch_end(struct watch *watch);

#endif
