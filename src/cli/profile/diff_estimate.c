#include "diff_estimate.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_known_fact(const struct profile *base, const struct profile *fresh,
                            const char *key)
{
    const char *old = profile_fact(base, key), *now = profile_fact(fresh, key);
    return old && now && strcmp(old, now) == 0;
}

static bool is_one_process(const struct profile *base, const struct profile *fresh)
{
    return estimate_period(base) == estimate_period(fresh) &&
           same_known_fact(base, fresh, PPROF_FACT_PID) &&
           same_known_fact(base, fresh, PPROF_FACT_START_TIME);
}

void diff_estimates_open(struct diff_estimates *estimates, const struct profile *base,
                         const struct profile *fresh, int *const types[DIFF_SIDES],
                         size_t type_count)
{
    *estimates = (struct diff_estimates){.type_count = type_count};
    estimates->sampled = estimate_period(base) != 0 || estimate_period(fresh) != 0;
    estimates->one_process = is_one_process(base, fresh);
    for (enum diff_side side = DIFF_BASE; side < DIFF_SIDES; side++) {
        estimates->of[side] = memory_zeroed(type_count, sizeof *estimates->of[side]);
        for (size_t i = 0; i < type_count; i++)
            estimates->of[side][i] = estimate_of(side == DIFF_BASE ? base : fresh, types[side][i]);
    }
}

void diff_estimates_clear(struct diff_estimates *estimates)
{
    free(estimates->of[DIFF_BASE]);
    free(estimates->of[DIFF_FRESH]);
}

void diff_estimates_begin(const struct diff_estimates *estimates, struct profile *result,
                          struct sample *into)
{
    if (estimates->sampled)
        into->variances = profile_alloc(result, 2 * estimates->type_count, sizeof *into->variances);
}

void diff_estimates_add(const struct diff_estimates *estimates, enum diff_side side,
                        struct sample *into, const struct sample *sample)
{
    if (!estimates->sampled)
        return;
    for (size_t i = 0; i < estimates->type_count; i++) {
        double variance = estimate_variance(&estimates->of[side][i], sample);
        into->variances[i] += variance;
        into->variances[estimates->type_count + i] += side == DIFF_FRESH ? variance : -variance;
    }
}

void diff_estimates_scale(const struct diff_estimates *estimates, struct sample *into, size_t type,
                          double scale)
{
    if (estimates->sampled)
        into->variances[type] *= scale * scale;
}

/* The types that say what came and went of a type. */
struct turnover {
    int live[2], alloc[2]; /* objects, space */
    bool counts_live;      /* else allocations */
};

static struct turnover turnover_of(const struct profile *result, size_t type)
{
    return (struct turnover){
        .live = {profile_type(result, "inuse_objects"), profile_type(result, "inuse_space")},
        .alloc = {profile_type(result, "alloc_objects"), profile_type(result, "alloc_space")},
        .counts_live = strncmp(result->types[type].type, "inuse_", strlen("inuse_")) == 0};
}

static bool is_known(const struct turnover *turnover)
{
    for (int i = 0; i < 2; i++)
        if (turnover->live[i] == PROFILE_NONE || turnover->alloc[i] == PROFILE_NONE)
            return false;
    return true;
}

/* Allocated in between, and with live memory also freed: objects or bytes. */
static int64_t turned_over(const struct turnover *turnover, const struct sample *change, int part)
{
    int64_t allocated = change->values[turnover->alloc[part]];
    int64_t freed = value_difference(allocated, change->values[turnover->live[part]]);
    if (allocated < 0 || freed < 0)
        return INT64_MAX; /* of no such process */
    return turnover->counts_live ? value_sum(allocated, freed) : allocated;
}

/* The variance of what came, and with live memory also of what went: by what both sides' differ. What is freed is
   what was allocated without what is live, block by block. */
static double turnover_variance(const struct turnover *turnover, const double *grown, int part)
{
    double allocated = grown[turnover->alloc[part]];
    return turnover->counts_live ? 2 * allocated - grown[turnover->live[part]] : allocated;
}

static void tighten_type(const struct diff_estimates *estimates, struct profile *result,
                         size_t type)
{
    const char *name = result->types[type].type;
    struct estimate estimate = estimates->of[DIFF_FRESH][type];
    struct turnover turnover = turnover_of(result, type);
    if (!is_known(&turnover) || strncmp(name, "collected_", strlen("collected_")) == 0)
        return;
    for (size_t i = 0; i < result->sample_count; i++) {
        struct sample *change = &result->samples[i];
        int64_t objects = turned_over(&turnover, change, 0);
        int64_t bytes = turned_over(&turnover, change, 1);
        /* By the mean size alone it is less than true where sizes differ. */
        double variance =
            fmax(estimate_variance_of(&estimate, objects, bytes),
                 turnover_variance(&turnover, change->variances + estimates->type_count,
                                   estimate.type == estimate.space_type));
        if (objects < INT64_MAX && bytes < INT64_MAX && variance < change->variances[type])
            change->variances[type] = variance;
    }
}

void diff_estimates_tighten(const struct diff_estimates *estimates, struct profile *result)
{
    if (!estimates->sampled || !estimates->one_process)
        return;
    for (size_t type = 0; type < estimates->type_count; type++)
        if (estimates->of[DIFF_FRESH][type].period_bytes != 0)
            tighten_type(estimates, result, type);
}
