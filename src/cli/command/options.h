/*
 * options.h - the command line of the report.
 *
 * What it is: GNU options that pprof's spellings work for too: one dash or two, "_" or "-".
 * Owns: nothing; texts point into argv. Context: cli. Not here: what options do; other commands' options.
 */
#ifndef HEAPDIFF_CLI_OPTIONS_H
#define HEAPDIFF_CLI_OPTIONS_H

#include "cli/report/filter.h"
#include "cli/report/number_text.h"
#include "cli/report/tree.h"

enum report_view {
    VIEW_SITES, /* the default: sites with their callers */
    VIEW_TOP,   /* pprof -top: flat and cum */
    VIEW_TREE,  /* pprof -tree: callers and callees */
    VIEW_TRACES /* pprof -traces: every stack */
};

enum colour_choice { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct options {
    const char *profile_path, *base_path;
    bool relative;  /* the base was given by --diff-base */
    bool normalize; /* scale the new profile to the base's totals */
    enum report_view view;
    bool by_cum;
    bool collected; /* at the last collection: against now, or with a base against the base's */
    bool json;
    bool granularity_given;
    enum granularity granularity;
    long limit;              /* rows; -1: not given, 0: all */
    double node_fraction;    /* views of pprof leave out nodes whose cum is below this share */
    bool total_of_kept;      /* --relative-percentages */
    const char *sample_type; /* name or number; NULL: the profile's default */
    const char *unit;
    struct filter_options filter;
    enum colour_choice colour;
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* OPTIONS_WRONG: what was wrong has been printed; the command exits 2. argv is reordered. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
