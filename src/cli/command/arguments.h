/*
 * arguments.h - what the commands' ways to read their arguments have in common.
 *
 * Owns: nothing. Context: cli. Not here: what each option means (each command's file), those of the
 * report (options.h).
 */
#ifndef HEAPDIFF_CLI_ARGUMENTS_H
#define HEAPDIFF_CLI_ARGUMENTS_H

#include <getopt.h>

/* Readies getopt_long() for another list, and for saying nothing itself. */
void arguments_begin(void);

/* What getopt_long() made ':' or '?' of is told in one line; returns 2. */
int arguments_refused(const char *command, int option, const struct option *known, char **argv);

/* The one argument that is left is a PID: 0, else 2 after one line. */
int arguments_pid(const char *command, int argc, char **argv, int *pid);

#endif
