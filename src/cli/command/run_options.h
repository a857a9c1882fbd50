/*
 * run_options.h - the command line of `heapdiff run`.
 *
 * What it is: options that become keys of the HEAPDIFF variable, and a few for the command itself.
 * Owns: its strings, until run_options_free(). Context: cli. Not here: acting on them (run.h).
 */
#ifndef HEAPDIFF_CLI_RUN_OPTIONS_H
#define HEAPDIFF_CLI_RUN_OPTIONS_H

#include <stdbool.h>

struct run_options {
    char *variable;        /* HEAPDIFF, what was there before included */
    const char *allocator; /* NULL: the program's own */
    bool force;            /* also what cannot be recorded */
    bool symbols;          /* symbolize at the end */
    bool exact;            /* its threads are stopped for a snapshot */
    bool quiet;            /* no line for each profile */
    char **command;        /* argv of the program */
};

/* Reads `argv`. 0 to go on; -1: help was printed; else the exit status after one line. */
int run_options_read(struct run_options *options, int argc, char **argv);
void run_options_free(struct run_options *options);

/* The value of `key` in the variable, malloc'd; `fallback` (NULL is legal) when it is not there. */
char *run_options_value(const struct run_options *options, const char *key, const char *fallback);

#endif
