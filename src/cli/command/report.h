/*
 * report.h - `heapdiff [--base OLD] PROFILE`: what a profile says, or what changed.
 *
 * Owns: nothing. Context: cli. Not here: what it looks like (render.h), options (options.h).
 */
#ifndef HEAPDIFF_CLI_REPORT_H
#define HEAPDIFF_CLI_REPORT_H

/* argv[0] is the command's name. Returns the exit status: 0, 1 after one line on stderr, 2 for wrong
   usage. */
int command_report(int argc, char **argv);

/* Prints what `heapdiff --help` says; the exit status. */
int report_help(void);

#endif
