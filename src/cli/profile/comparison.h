/*
 * comparison.h - the profile that a command is about, or two and what changed between them.
 *
 * What it is: loads what the command line names and says what is wrong with it.
 * Owns: the profiles, until comparison_close(). Context: cli. Not here: the subtraction (diff.h),
 *   what is shown or written of it (report.h, export.h).
 */
#ifndef HEAPDIFF_CLI_COMPARISON_H
#define HEAPDIFF_CLI_COMPARISON_H

#include "diff.h"

struct comparison {
    const char *path, *base_path;        /* "-": standard input; base_path NULL: one profile */
    struct profile *fresh, *base, *diff; /* base and diff: NULL without a base */
    struct profile *shown;               /* the difference, or the only one */
    enum diff_match match;               /* with a base */
};

/* Loads by the paths in it. False after one line; to be closed all the same. */
bool comparison_open(struct comparison *comparison, const struct diff_options *options);
void comparison_close(struct comparison *comparison);

/* The sample type that `name` means (see profile_type_meant()), the default one when it is NULL;
   PROFILE_NONE after one line. */
int comparison_type(const struct comparison *comparison, const char *name);

#endif
