/*
 * seizure.h - the threads of a process, seized by ptrace and interrupted.
 *
 * What it is: all of them, those too that are born meanwhile, each until it stands or has been waited for long enough.
 * Owns: its list, until seizure_end(). Context: cli, one thread: ptrace(2) answers the thread alone that seized, and
 *   the kernel lets go on what it leaves behind. Not here: that thread, and who asks for it (stop.h).
 */
#ifndef HEAPDIFF_CLI_SEIZURE_H
#define HEAPDIFF_CLI_SEIZURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A thread that waits for the kernel stops only after: so long they are waited for, all in all. The others stop
   as soon as they are scheduled, and get the time for it. */
enum { SEIZURE_WAIT_MS = 1000, SEIZURE_SCHEDULE_MS = 10000 };

struct seizure {
    int pid;
    struct seized *threads; /* opaque */
    size_t count, capacity;
    char *reason; /* why the process could not be stopped, for free(); NULL: it stands */
    uint64_t deadline_ns;
};

/* Seizes all threads of seizure->pid and waits until they stand. */
void seizure_take(struct seizure *seizure);

/* How many of them stand. */
size_t seizure_standing(const struct seizure *seizure);

/* Lets one go on. False: it is none of them, or does not stand. */
bool seizure_spare(struct seizure *seizure, int id);

/* Lets all go on that stand, each with the signal that it was about to take; frees the list. */
void seizure_end(struct seizure *seizure);

#endif
