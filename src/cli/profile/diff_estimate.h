/*
 * diff_estimate.h - how far a difference of sampled profiles may be from the truth.
 *
 * What it is: the variances of both sides, added up sample by sample of the result; behind them, how
 *   much larger the fresh side's are.
 * Owns: what an open struct points to, until diff_estimates_clear(); the variances are the result's.
 * Context: cli. Not here: the variance of one sample (estimate.h).
 */
#ifndef HEAPDIFF_CLI_DIFF_ESTIMATE_H
#define HEAPDIFF_CLI_DIFF_ESTIMATE_H

#include "diff_object.h"
#include "estimate.h"

struct diff_estimates {
    bool sampled;     /* a side has estimates only; nothing is done otherwise */
    bool one_process; /* both sides are snapshots of it, with one period */
    size_t type_count;
    struct estimate *of[DIFF_SIDES]; /* by type of the result */
};

/* `types`: by side and type of the result, the index on that side. */
void diff_estimates_open(struct diff_estimates *estimates, const struct profile *base,
                         const struct profile *fresh, int *const types[DIFF_SIDES],
                         size_t type_count);
void diff_estimates_clear(struct diff_estimates *estimates);

/* A new sample of the result: a place for its variances. */
void diff_estimates_begin(const struct diff_estimates *estimates, struct profile *result,
                          struct sample *into);
/* Adds what `sample` of `side` brings to `into`. */
void diff_estimates_add(const struct diff_estimates *estimates, enum diff_side side,
                        struct sample *into, const struct sample *sample);
/* Values of `type` have been multiplied by `scale`. */
void diff_estimates_scale(const struct diff_estimates *estimates, struct sample *into, size_t type,
                          double scale);
/*
 * Once both sides are in, and neither is scaled. Two snapshots of one process have most blocks in common,
 * sampled once for both: their difference is off by no more than what was allocated and freed in between
 * is. Profiles count both, as allocations only grow.
 */
void diff_estimates_tighten(const struct diff_estimates *estimates, struct profile *result);

#endif
