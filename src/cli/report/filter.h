/*
 * filter.h - which samples a report is about, and which frames of them are the allocator's.
 *
 * What it is: --focus and --ignore as in pprof (POSIX extended regular expressions, searched in
 *   function names, source files and mapping files), and the list of allocating functions that a
 *   stack is folded over: malloc and operator new, their wrappers, the inside of containers.
 *   Likewise the functions in which every stack begins.
 * Owns: its compiled expressions and what it marked. Context: cli. Not here: adding up (tree.h).
 */
#ifndef HEAPDIFF_CLI_FILTER_H
#define HEAPDIFF_CLI_FILTER_H

#include "cli/profile/profile.h"

struct filter_options {
    const char *focus, *ignore; /* NULL: none */
    const char *skip;           /* more functions to fold over; NULL: none */
    bool no_skip;               /* leave out the lists of known functions */
};

struct filter;

/* NULL and a malloc'd *message ("--focus: Unmatched ( ...") when an expression is not valid. */
struct filter *filter_new(const struct filter_options *options, char **message);
void filter_free(struct filter *filter);

/* Marks the locations and functions of `profile`, which the calls below then speak of. */
void filter_mark(struct filter *filter, const struct profile *profile);

/* True when a report on the marked profile counts this sample of it. */
bool filter_keeps(const struct filter *filter, const struct sample *sample);

/* True when `function` of the marked profile allocates for others: a leaf is folded over it. */
bool filter_skips(const struct filter *filter, int function);

/* True when `function` of the marked profile is what runs a program or a thread: nobody asks who
   called that. */
bool filter_starts(const struct filter *filter, int function);

#endif
