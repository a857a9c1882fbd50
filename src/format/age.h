/*
 * age.h - how many collections what is live has lived through, site by site.
 *
 * What it is: the result of one walk over all blocks and ranges (preload/age), as of the moment of its
 *   snapshot. The black box has none: where a block was born is known to the process alone.
 * Owns: nothing. Context: any. Not here: how it is written down (pprof.h).
 */
#ifndef HEAPDIFF_FORMAT_AGE_H
#define HEAPDIFF_FORMAT_AGE_H

#include <stdint.h>

/* Cohort i has lived through i collections, the last one through as many or more. */
enum { AGE_OLD = 8, AGE_COHORTS = AGE_OLD + 1 };

struct age_site {
    uint64_t survived_objects; /* born before the last collection; of a sampled run in parts */
    uint64_t bytes[AGE_COHORTS];
};

/* By index of BOX_SITES. */
struct age_table {
    uint64_t site_count;
    struct age_site *sites;
};

#endif
