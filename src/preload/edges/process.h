/*
 * process.h - the life of the recorded process: forks, exec, exit.
 *
 * What it is: what a forked child does before it records anything, and what must be written before a
 *   process ends or becomes another program.
 * Owns: whether the final profile has been written.
 * Context: hooks, pthread_atfork handlers, the destructor.
 * Not here: the hooks themselves (hooks_process.c), start-up (init.c).
 */
#ifndef HEAPDIFF_PRELOAD_PROCESS_H
#define HEAPDIFF_PRELOAD_PROCESS_H

#include <stdbool.h>

/* True in the process whose tables these are: not in a vfork child, nor in a fork that has not
   recorded anything yet. */
bool process_is_ours(void);

/* The first event of a forked child: tables of its own, counted from what it inherited. */
void process_forked(void);

/* The handlers of pthread_atfork: the tables stand still while they are copied. */
void process_before_fork(void);
void process_after_fork(void);
void process_after_fork_child(void);

/* The same for children that libc's handlers know nothing of: _Fork(), clone by number. */
void process_forked_quietly(void);

/* Writes the final profile, deletes the black box, stops recording. Once; later calls do nothing. */
void process_finish(const char *source);

/* Enlarges the black box while that can be done. */
void process_reserve(void);

/* Returns when no thread is writing, or making the black box larger, that was at it before the call. */
void process_settle(void);

/* Before exec: the last profile is written and the black box deleted, as exec does not come back. */
void process_exec(void);

/* exec came back all the same: takes that profile back, and makes a new black box. */
void process_exec_failed(void);

#endif
