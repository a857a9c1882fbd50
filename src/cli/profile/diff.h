/*
 * diff.h - what changed between two profiles.
 *
 * What it is: two profiles merged sample by sample: same stack, same labels. Stacks match across
 *   address space randomisation by (build id else file, offset); when the same file has another
 *   build id on the two sides (a rebuilt program), by function name and source file instead.
 * Owns: nothing; the result is a profile of its own. Context: cli. Not here: rendering.
 */
#ifndef HEAPDIFF_CLI_DIFF_H
#define HEAPDIFF_CLI_DIFF_H

#include "profile.h"

struct diff_options {
    /* pprof's -diff_base: percentages of the base's total, not of the sum of |values|. */
    bool relative;
    bool normalize; /* scale the new profile, type by type, to the base's total first */
};

/* How stacks were matched: said in the report. */
enum diff_match { DIFF_MATCH_ADDRESS, DIFF_MATCH_FUNCTION, DIFF_MATCH_MIXED };

/*
 * The difference fresh - base: sample types present in both, in the order of `fresh`; every sample
 * has values (fresh - base) and base. Comments, times and mappings are those of `fresh`. Both
 * inputs may be symbolized in place (rebuilt binaries need names). Returns NULL and a static
 * *reason when they share no sample type or describe unrelated programs.
 */
struct profile *profile_diff(struct profile *base, struct profile *fresh,
                             const struct diff_options *options, enum diff_match *match,
                             const char **reason);

#endif
