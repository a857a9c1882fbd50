/*
 * harvest.h - what a recorded run leaves behind, made ready to be read elsewhere.
 *
 * What it is: once the program has ended: profiles of processes that were killed, recovered from
 *   their black boxes, and symbols put into every profile of the run.
 * Owns: nothing. Context: cli. Not here: running the program (run.h).
 */
#ifndef HEAPDIFF_CLI_HARVEST_H
#define HEAPDIFF_CLI_HARVEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct harvest {
    const char *variable;      /* HEAPDIFF as the run had it: tells its files from others */
    const char *pattern;       /* out=, absolute */
    const char *box_directory; /* blackbox=, or NULL */
    uint64_t start_ns;         /* CLOCK_REALTIME, before the program began */
    int pid;                   /* the first process's */
    bool symbols, quiet;
    size_t profiles; /* found, filled in by harvest_gather() */
    size_t others;   /* profiles of processes that the first one has started, likewise */
    size_t running;  /* processes of the run that go on, likewise */
};

/* Recovers, symbolizes, and says one line for each file. False when something failed, said too. */
bool harvest_gather(struct harvest *harvest);

#endif
