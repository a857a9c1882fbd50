/*
 * choice.h - what a report is asked for.
 *
 * Owns: nothing; texts are the command line's. Context: cli. Not here: how it is asked (command/options.h).
 */
#ifndef HEAPDIFF_CLI_CHOICE_H
#define HEAPDIFF_CLI_CHOICE_H

#include "filter.h"
#include "number_text.h"
#include "tree.h"

enum report_view {
    VIEW_SITES, /* the default: sites with their callers */
    VIEW_TOP,   /* pprof -top: flat and cum */
    VIEW_TREE,  /* pprof -tree: callers and callees */
    VIEW_TRACES /* pprof -traces: every stack */
};

enum colour_choice { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct choice {
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

#endif
