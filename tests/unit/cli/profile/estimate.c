#include "cli/profile/estimate.h"

#include "cli/profile/diff.h"
#include "format/box.h"
#include "text_profile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PERIOD = 512 << 10, TYPES = 4 };

static struct profile *sampled(const char *stacks, int64_t period)
{
    struct profile *profile = text_profile(&(struct text_profile){.stacks = stacks});
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = period;
    return profile;
}

static double variance_of(const struct profile *profile, int type, size_t sample)
{
    struct estimate estimate = estimate_of(profile, type);
    return estimate_variance(&estimate, &profile->samples[sample]);
}

static void assert_near(double value, double wanted)
{
    if (fabs(value - wanted) > wanted * 1e-6)
        fail_msg("%.9g is not %.9g", value, wanted);
}

/* Worked out by another program: N m^2 (1 - p) / p with p = 1 - exp(-m / R). */
static void variances_are_those_of_the_formula(void **state)
{
    (void)state;
    struct profile *profile =
        sampled("m;small 100000 1600000\nm;middle 40 20971520\nm;large 3 314572800\n", PERIOD);
    assert_near(variance_of(profile, 1, 0), 838848000064.09);
    assert_near(variance_of(profile, 0, 0), 3276750000.25);
    assert_near(variance_of(profile, 1, 1), 6398901562976.09);
    assert_near(variance_of(profile, 0, 1), 23.2790682728);
    assert_true(variance_of(profile, 1, 2) < 1); /* always sampled */
    assert_int_equal(estimate_interval(838848000064.09), 1795137);
    profile_free(profile);
}

static void exact_profiles_and_mappings_do_not_vary(void **state)
{
    (void)state;
    static const char stacks[] = "m;a 100 1600 malloc\nm;b 2 8192 mmap\n";
    struct profile *exact = sampled(stacks, 1), *estimates = sampled(stacks, PERIOD);
    assert_int_equal(estimate_period(exact), 0);
    assert_int_equal(estimate_period(estimates), PERIOD);
    assert_true(variance_of(exact, 1, 0) == 0);
    assert_true(variance_of(estimates, 1, 0) > 0);
    assert_true(variance_of(estimates, 1, 1) == 0);
    assert_true(variance_of(estimates, 0, 1) == 0);
    estimates->period_type.unit = "count"; /* a CPU profile's period, say */
    assert_int_equal(estimate_period(estimates), 0);
    profile_free(exact);
    profile_free(estimates);
}

static void types_without_a_sibling_are_not_known(void **state)
{
    (void)state;
    struct profile *profile = sampled("m;a 100 1600\n", PERIOD);
    profile->types[1].type = "resident_space";
    assert_true(variance_of(profile, 1, 0) == 0);
    profile->types[1].type = "_space";
    profile->types[0].type = "_objects";
    assert_true(variance_of(profile, 1, 0) > 0);
    profile_free(profile);
}

static void odd_values_are_no_trouble(void **state)
{
    (void)state;
    struct profile *profile =
        sampled("m;a 0 0\nm;b 0 700\nm;c 5 0\nm;d -5 -500\nm;e 9223372036854775807 1\n", PERIOD);
    assert_true(variance_of(profile, 1, 0) == 0);
    for (size_t i = 1; i < 5; i++) {
        assert_true(variance_of(profile, 0, i) > 0 && isfinite(variance_of(profile, 0, i)));
        assert_true(variance_of(profile, 1, i) > 0 && isfinite(variance_of(profile, 1, i)));
    }
    assert_int_equal(estimate_interval(INFINITY), INT64_MAX);
    profile_free(profile);
}

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

/* Samples `count` objects of `size_bytes` over and over: how often the interval has the truth. */
static double coverage(int count, int size_bytes, int period)
{
    enum { ROUNDS = 2000 };
    double p = 1 - exp(-(double)size_bytes / period);
    int covered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int met = 0;
        for (int i = 0; i < count; i++)
            met += uniform() < p;
        char stacks[80];
        snprintf(stacks, sizeof stacks, "m;a %lld %lld\n", llround(met / p),
                 llround(met / p * size_bytes));
        struct profile *profile = sampled(stacks, period);
        int64_t off = profile->samples[0].values[1] - (int64_t)count * size_bytes;
        covered += estimate_is_noise(off, variance_of(profile, 1, 0));
        profile_free(profile);
    }
    return (double)covered / ROUNDS;
}

static void the_truth_is_within_95_times_of_100(void **state)
{
    (void)state;
    double rare = coverage(4000, 64, 1024), common = coverage(300, 2000, 1024);
    assert_true(rare > 0.93 && rare < 0.97);
    assert_true(common > 0.93 && common < 0.97);
}

/* Samples that differ by the sizes of their objects alone. */
static void classes_of_sizes_become_one(void **state)
{
    (void)state;
    static const char stacks[] = "m;a 100 1600 malloc\nm;b 7 700 malloc\nm;a 10 40960 malloc\n"
                                 "m;a 3 12288 mmap\nm;a 1 90000 malloc\n";
    struct profile *parts = sampled(stacks, PERIOD), *whole = sampled(stacks, PERIOD);
    estimate_fold(whole);
    assert_int_equal(whole->sample_count, 3);
    for (int type = 0; type < 2; type++) {
        assert_near(variance_of(whole, type, 0), variance_of(parts, type, 0) +
                                                     variance_of(parts, type, 2) +
                                                     variance_of(parts, type, 4));
        assert_near(variance_of(whole, type, 1), variance_of(parts, type, 1));
        assert_true(variance_of(whole, type, 2) == 0); /* mmap */
        assert_near(estimate_profile_variance(whole, type), estimate_profile_variance(parts, type));
    }
    assert_int_equal(whole->samples[0].values[0], 111);
    assert_int_equal(whole->samples[0].values[1], 132560);
    estimate_fold(whole); /* again: nothing more to do */
    assert_near(estimate_profile_variance(whole, 1), estimate_profile_variance(parts, 1));
    struct profile *exact = sampled(stacks, 1);
    estimate_fold(exact);
    assert_int_equal(exact->sample_count, 5);
    assert_null(exact->samples[0].variances);
    profile_free(parts);
    profile_free(whole);
    profile_free(exact);
}

/* A site whose objects differ much: (bytes, how many). */
static const int mixed[][2] = {{8, 4000},  {24, 2000}, {90, 900},   {200, 100}, {700, 300},
                               {1300, 80}, {5000, 40}, {20000, 10}, {500000, 1}};
enum { MIXED = sizeof mixed / sizeof mixed[0], MIXED_PERIOD = 1024, LINE = 64 };

/* One run's samples of it: a line for each class of sizes, or one for all. */
static void draw_mixed(char stacks[MIXED * LINE], bool by_class)
{
    double objects = 0, bytes = 0;
    size_t end = 0;
    for (size_t i = 0; i < MIXED; i++) {
        double p = 1 - exp(-(double)mixed[i][0] / MIXED_PERIOD);
        int met = 0;
        for (int j = 0; j < mixed[i][1]; j++)
            met += uniform() < p;
        objects += met / p;
        bytes += met / p * mixed[i][0];
        bool last = i + 1 == MIXED || (by_class && box_size_class((uint64_t)mixed[i][0]) !=
                                                       box_size_class((uint64_t)mixed[i + 1][0]));
        if (!last)
            continue;
        end += (size_t)snprintf(stacks + end, LINE, "m;a %lld %lld\n", llround(objects),
                                llround(bytes));
        objects = bytes = 0;
    }
}

/* How often the interval of `type` has the truth, in so many runs. */
static double mixed_coverage(int type, bool by_class, int rounds)
{
    int64_t truth = 0;
    int covered = 0;
    for (size_t i = 0; i < MIXED; i++)
        truth += (int64_t)mixed[i][1] * (type ? mixed[i][0] : 1);
    for (int round = 0; round < rounds; round++) {
        char stacks[MIXED * LINE];
        draw_mixed(stacks, by_class);
        struct profile *profile = sampled(stacks, MIXED_PERIOD);
        estimate_fold(profile);
        assert_int_equal(profile->sample_count, 1);
        covered += estimate_is_noise(profile->samples[0].values[type] - truth,
                                     variance_of(profile, type, 0));
        profile_free(profile);
    }
    return (double)covered / rounds;
}

static void sizes_that_differ_do_not_narrow_the_interval(void **state)
{
    (void)state;
    for (int type = 0; type < 2; type++) {
        assert_true(mixed_coverage(type, true, 2000) >= 0.93);
        assert_true(mixed_coverage(type, true, 2000) <= 0.97);
    }
    assert_true(mixed_coverage(0, false, 200) < 0.90); /* what it was by the mean size alone */
}

/* Differences. */

static struct profile *difference(struct profile *base, struct profile *fresh, bool normalize)
{
    struct diff_options options = {.normalize = normalize};
    enum diff_match match;
    const char *reason;
    struct profile *diff = profile_diff(base, fresh, &options, &match, &reason);
    assert_non_null(diff);
    return diff;
}

static void variances_of_both_sides_add_up(void **state)
{
    (void)state;
    struct profile *base = sampled("m;a 100 1600\n", PERIOD);
    struct profile *fresh = sampled("m;a 400 6400\nm;b 7 70\n", 64 << 10);
    struct profile *diff = difference(base, fresh, false);
    assert_near(variance_of(diff, 1, 0), variance_of(base, 1, 0) + variance_of(fresh, 1, 0));
    assert_near(variance_of(diff, 1, 1), variance_of(fresh, 1, 1));
    assert_near(estimate_profile_variance(diff, 1),
                estimate_profile_variance(base, 1) + estimate_profile_variance(fresh, 1));
    profile_free(diff);
    base->period = 1; /* exact against sampled */
    diff = difference(base, fresh, false);
    assert_near(variance_of(diff, 1, 0), variance_of(fresh, 1, 0));
    profile_free(diff);
    fresh->period = 1;
    diff = difference(base, fresh, false);
    assert_null(diff->samples[0].variances);
    assert_true(variance_of(diff, 1, 0) == 0);
    profile_free(diff);
    profile_free(base);
    profile_free(fresh);
}

static void scaled_values_vary_as_much_more(void **state)
{
    (void)state;
    struct profile *base = sampled("m;a 100 3200\n", PERIOD);
    struct profile *fresh = sampled("m;a 100 1600\n", PERIOD);
    struct profile *diff = difference(base, fresh, true);
    assert_near(variance_of(diff, 1, 0), variance_of(base, 1, 0) + 4 * variance_of(fresh, 1, 0));
    profile_free(diff);
    profile_free(base);
    profile_free(fresh);
}

/* One site of one process: live now and allocated since the start. */
static struct profile *snapshot(int64_t live, int64_t allocated, const char *pid)
{
    static const char *const names[TYPES] = {"inuse_objects", "inuse_space", "alloc_objects",
                                             "alloc_space"};
    struct profile *profile = sampled("m;a 0 0\n", PERIOD);
    int64_t *values = profile_alloc(profile, TYPES, sizeof *values);
    profile->types = profile_alloc(profile, TYPES, sizeof *profile->types);
    profile->type_count = TYPES;
    for (int i = 0; i < TYPES; i++) {
        values[i] = (i < 2 ? live : allocated) * (i % 2 ? 100 : 1);
        profile->types[i] = (struct value_type){names[i], i % 2 ? "bytes" : "count"};
    }
    profile->samples[0].values = values;
    profile->comments = profile_alloc(profile, 2, sizeof *profile->comments);
    profile->comments[profile->comment_count++] = profile_text(profile, pid);
    profile->comments[profile->comment_count++] = "heapdiff.start_time_ns: 5";
    return profile;
}

static double change_variance(struct profile *base, struct profile *fresh)
{
    struct profile *diff = difference(base, fresh, false);
    double variance = variance_of(diff, 1, 0);
    profile_free(diff);
    profile_free(base);
    profile_free(fresh);
    return variance;
}

/* What lives in both snapshots of a process was sampled once: only what came and went can be off. */
static void one_process_varies_by_what_came_and_went(void **state)
{
    (void)state;
    static const char one[] = "heapdiff.pid: 1", other[] = "heapdiff.pid: 2";
    struct profile *unit = sampled("m;a 1 100\n", PERIOD);
    double each = variance_of(unit, 1, 0);
    profile_free(unit);
    assert_near(change_variance(snapshot(90000, 90000, one), snapshot(90500, 90500, one)),
                500 * each);
    assert_near(change_variance(snapshot(90000, 90000, one), snapshot(89900, 90500, one)),
                1100 * each); /* 500 more, 600 freed */
    assert_true(change_variance(snapshot(90000, 90000, one), snapshot(90000, 90000, one)) == 0);
    assert_near(change_variance(snapshot(100, 90000, one), snapshot(100, 990000, one)),
                200 * each); /* none of them stayed */
    assert_near(change_variance(snapshot(90000, 90000, one), snapshot(90500, 90500, other)),
                180500 * each);
    assert_near(change_variance(snapshot(90500, 90500, one), snapshot(90000, 90000, one)),
                180500 * each); /* the wrong way round: nothing is known */
}

/* Two sizes of one site: what came between two snapshots is as uncertain as its own objects are. */
static void a_change_of_small_ones_is_not_hidden_by_large_ones(void **state)
{
    (void)state;
    static const char one[] = "heapdiff.pid: 1";
    struct profile *base = snapshot(1000, 1000, one), *fresh = snapshot(1500, 1500, one);
    struct profile *unit = sampled("m;a 1 100\n", PERIOD);
    double each = variance_of(unit, 0, 0);
    for (int i = 0; i < 2; i++) { /* as folded with large objects, of which 50 came too */
        struct profile *side = i ? fresh : base;
        estimate_fold(side);
        for (int j = 0; j < TYPES; j++)
            side->samples[0].values[j] += (100 + 50 * i) * (j % 2 ? 10000000 : 1);
    }
    struct profile *diff = difference(base, fresh, false);
    assert_near(variance_of(diff, 0, 0), 500 * each);
    profile_free(diff);
    profile_free(unit);
    profile_free(base);
    profile_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variances_are_those_of_the_formula),
        cmocka_unit_test(exact_profiles_and_mappings_do_not_vary),
        cmocka_unit_test(types_without_a_sibling_are_not_known),
        cmocka_unit_test(odd_values_are_no_trouble),
        cmocka_unit_test(the_truth_is_within_95_times_of_100),
        cmocka_unit_test(classes_of_sizes_become_one),
        cmocka_unit_test(sizes_that_differ_do_not_narrow_the_interval),
        cmocka_unit_test(variances_of_both_sides_add_up),
        cmocka_unit_test(scaled_values_vary_as_much_more),
        cmocka_unit_test(one_process_varies_by_what_came_and_went),
        cmocka_unit_test(a_change_of_small_ones_is_not_hidden_by_large_ones),
    };
    return cmocka_run_group_tests_name("cli/estimate", tests, NULL, NULL);
}
