/*
 * estimate.h - how far the values of a sampled profile may be from the truth.
 *
 * What it is: a profile whose period is R bytes has of a site's objects of m bytes each only a part, of
 *   p = 1 - exp(-m / R), and N objects for each it has, 1 / p. So N varies around the truth with variance
 *   N (1 - p) / p, and bytes with m^2 times that. Objects are sampled each by itself: variances add up, and
 *   a site with objects of many sizes has a sample for each class of them (box_size_class()).
 * Owns: nothing. Context: cli.
 * Not here: the scaling, which whoever wrote the profile has done.
 */
#ifndef HEAPDIFF_CLI_ESTIMATE_H
#define HEAPDIFF_CLI_ESTIMATE_H

#include "profile.h"

/* Mean bytes from sample to sample; 0: the profile has everything. */
int64_t estimate_period(const struct profile *profile);

/* What the variances of one sample type need. */
struct estimate {
    double period_bytes; /* 0: the type is exact, or nothing is known of it */
    int type, objects_type, space_type;
};

struct estimate estimate_of(const struct profile *profile, int type);

/* Samples that differ in nothing but the sizes of their objects become one, which keeps the sum of their
   variances. Nothing is done with a profile that has everything. */
void estimate_fold(struct profile *profile);

/* Variance of an estimate of so many objects and bytes. */
double estimate_variance_of(const struct estimate *estimate, int64_t objects, int64_t bytes);

/* Variance of the type's value in one sample; 0: exact, as mappings are. In a difference, of both sides
   together. What has been folded knows it; else all objects count as equally large. */
double estimate_variance(const struct estimate *estimate, const struct sample *sample);

/* The same of a whole profile; of parts of it, see tree.h. */
double estimate_profile_variance(const struct profile *profile, int type);

/* Half the width of the interval that the truth lies in 95 times of 100. */
int64_t estimate_interval(double variance);

/* Whether a change may as well be none. */
bool estimate_is_noise(int64_t change, double variance);

#endif
