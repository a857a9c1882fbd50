/*
 * options.h - the command line of the report.
 *
 * What it is: GNU options that pprof's spellings work for too: one dash or two, "_" or "-".
 * Owns: nothing; texts point into argv. Context: cli. Not here: what was chosen (choice.h) and what that
 * does; other commands' options.
 */
#ifndef HEAPDIFF_CLI_OPTIONS_H
#define HEAPDIFF_CLI_OPTIONS_H

#include "cli/report/choice.h"

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* OPTIONS_WRONG: what was wrong has been printed; the command exits 2. argv is reordered. */
enum options_result options_parse(struct choice *choice, int argc, char **argv);

#endif
