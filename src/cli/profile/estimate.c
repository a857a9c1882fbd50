#include "estimate.h"

#include "cli/ground/value.h"
#include "format/pprof.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double DEVIATIONS = 1.96; /* 95 % of a normal distribution lie within */

int64_t estimate_period(const struct profile *profile)
{
    bool by_bytes = strcmp(profile->period_type.type, "space") == 0 &&
                    strcmp(profile->period_type.unit, "bytes") == 0;
    return by_bytes && profile->period > 1 ? profile->period : 0;
}

/* The sample type whose name is that of `type` with another end. */
static int sibling(const struct profile *profile, const char *type, const char *end,
                   const char *other_end)
{
    char name[64];
    size_t length = strlen(type), end_bytes = strlen(end);
    if (length < end_bytes || strcmp(type + length - end_bytes, end) != 0)
        return PROFILE_NONE;
    int printed = snprintf(name, sizeof name, "%.*s%s", (int)(length - end_bytes), type, other_end);
    return printed < (int)sizeof name ? profile_type(profile, name) : PROFILE_NONE;
}

struct estimate estimate_of(const struct profile *profile, int type)
{
    const char *name = profile->types[type].type;
    struct estimate estimate = {.type = type};
    int objects = sibling(profile, name, "_space", "_objects");
    int space = sibling(profile, name, "_objects", "_space");
    estimate.objects_type = objects == PROFILE_NONE ? type : objects;
    estimate.space_type = objects == PROFILE_NONE ? space : type;
    if (objects != PROFILE_NONE || space != PROFILE_NONE)
        estimate.period_bytes = (double)estimate_period(profile);
    return estimate;
}

double estimate_variance_of(const struct estimate *estimate, int64_t objects, int64_t bytes)
{
    if (estimate->period_bytes == 0 || (objects == 0 && bytes == 0))
        return 0;
    double count = fmax(fabs((double)objects), 1); /* less than half an object was rounded away */
    double mean_bytes = fmax(fabs((double)bytes) / count, 1);
    double variance = count / expm1(mean_bytes / estimate->period_bytes); /* (1 - p) / p */
    return estimate->type == estimate->space_type ? variance * mean_bytes * mean_bytes : variance;
}

double estimate_variance(const struct estimate *estimate, const struct sample *sample)
{
    if (sample->variances)
        return sample->variances[estimate->type];
    if (estimate->period_bytes == 0 || sample->base)
        return 0;
    const char *kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
    if (kind && strcmp(kind, "mmap") == 0)
        return 0;
    return estimate_variance_of(estimate, sample->values[estimate->objects_type],
                                sample->values[estimate->space_type]);
}

double estimate_profile_variance(const struct profile *profile, int type)
{
    struct estimate estimate = estimate_of(profile, type);
    double sum = 0;
    for (size_t i = 0; i < profile->sample_count; i++)
        sum += estimate_variance(&estimate, &profile->samples[i]);
    return sum;
}

int64_t estimate_interval(double variance)
{
    double half = DEVIATIONS * sqrt(variance);
    return half < 0x1p63 ? (int64_t)llround(half) : INT64_MAX;
}

bool estimate_is_noise(int64_t change, double variance)
{
    return variance > 0 && value_magnitude(change) <= estimate_interval(variance);
}
