/*
 * process.h - what /proc says about a process.
 *
 * Owns: nothing. Context: cli. Not here: its black box (box_search.h), its program file (program.h).
 */
#ifndef HEAPDIFF_CLI_PROCESS_H
#define HEAPDIFF_CLI_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    int pid;
    int inner_pid; /* as the process itself knows it, in its own pid namespace */
    uid_t user;    /* effective */
    bool stopped;  /* by a signal or a debugger */
    uint64_t start_ticks;
    uint64_t rss_bytes, rss_peak_bytes;
    uint32_t threads;
    uint64_t caught_signals; /* bit n - 1: signal n has a handler */
};

/* The process id that `text` is, or 0 when it is none. */
int process_parse_pid(const char *text);

/* Reads about `pid`. False when there is no such process, or only what its parent has not yet
   collected of it. */
bool process_read(struct process *process, int pid);

/* Whether some thread of it would run the handler of `number` now. */
bool process_takes_signal(const struct process *process, int number);

/*
 * The running process that calls itself `inner_pid` and was started at `start_ticks`, in any pid
 * namespace that can be seen from here; 0: none.
 */
int process_find(int inner_pid, uint64_t start_ticks);

#endif
