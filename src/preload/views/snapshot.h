/*
 * snapshot.h - the tables written out as a profile, now.
 *
 * What it is: facts, box and format/box_profile put together into a file that appears under its name
 *   only when it is whole.
 * Owns: the lock of the writer, its buffer and its stack.
 * Context: anywhere but inside a hook's recording part (signal.c and guard.h see to it): runs with
 *   all signals blocked, on a stack of its own, by raw system calls.
 * Not here: when to take one (signal.h, growth.h, api.c, hooks_process.c).
 */
#ifndef HEAPDIFF_PRELOAD_SNAPSHOT_H
#define HEAPDIFF_PRELOAD_SNAPSHOT_H

#include <stdbool.h>

/* Reserves buffers. Once, at start-up; false when memory is out. */
bool snapshot_init(void);

/*
 * Writes a snapshot to `path`, or by the out= pattern when `path` is NULL; `source` says what asked
 * for it. Returns 0 or an errno value; a failure is said on stderr and counted.
 */
int snapshot_take(const char *source, const char *path);

/* Takes the last snapshot back if `source`, the very same pointer, asked for it: its file is deleted and its number
   free again. Not where one file's name serves them all: what it held before is gone. */
void snapshot_retract(const char *source);

/* Returns when nobody is writing who was at it before the call. */
void snapshot_settle(void);

/* A forked child: nobody holds the lock, nothing has been written yet. */
void snapshot_fork(void);

/* Bytes of buffers. */
unsigned long snapshot_own_bytes(void);

#endif
