#include "preload/ground/sample.h"

#include "format/box.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { SEEDS = 20, PERIOD = 4096 };

struct estimate {
    uint64_t samples, objects, bytes;
};

/* `count` allocations of `size_bytes`, sampled anew. */
static struct estimate estimate(uint64_t seed, size_t size_bytes, uint64_t count)
{
    struct estimate sum = {0};
    sample_start(PERIOD, seed);
    sample_left_bytes = 0;
    for (uint64_t i = 0; i < count; i++)
        if (!sample_skips(size_bytes) && !sample_passes_over(size_bytes)) {
            sample_weigh(size_bytes, 1, &sum.objects, &sum.bytes);
            sum.samples++;
        }
    return sum;
}

/* Runs first: sampling, once begun, stays. */
static void test_everything(void **state)
{
    (void)state;
    uint64_t objects = 5, bytes = 7;
    assert_true(sample_ignores(NULL)); /* nothing is recorded before the start */
    sample_init();
    assert_false(sample_skips(0));
    assert_false(sample_skips(1));
    assert_false(sample_skips(SIZE_MAX)); /* what no allocator could give is no way out */
    assert_false(sample_skips((size_t)1 << 63));
    assert_int_equal(sample_left_bytes, 0);
    assert_false(sample_passes_over(1));
    assert_false(sample_ignores(NULL));
    assert_false(sample_ignores(&objects));
    sample_weigh(100, 3, &objects, &bytes);
    assert_int_equal(objects, 8);
    assert_int_equal(bytes, 307);
}

/* Runs second. What is watched is at no time passed by, nor is anything lost that was watched before. */
static void test_end(void **state)
{
    (void)state;
    const void *first = (const void *)((uintptr_t)SAMPLE_FILTER_BYTES << SAMPLE_SPAN_SHIFT);
    assert_false(sample_is_over());
    sample_watch((uintptr_t)first); /* NULL's place */
    sample_watch((uintptr_t)&sample);
    assert_false(sample_ignores(&state));
    sample_end();
    assert_true(sample_is_over());
    assert_true(sample_skips((size_t)1 << 62));
    assert_true(sample_ignores(&state));
    assert_false(sample_ignores(NULL));
    assert_false(sample_ignores(first));
    assert_false(sample_ignores(&sample));
    sample_unwatch((uintptr_t)first);
    sample_unwatch((uintptr_t)&sample);
    assert_true(sample_ignores(NULL));
    assert_true(sample_ignores(&sample));
    sample.ended = false;
}

/* The mean of 20 estimates is within 1 % of what was allocated: 4 standard deviations or more. */
static void assert_unbiased(size_t size_bytes)
{
    double chance = -expm1(-(double)size_bytes / PERIOD), bytes = 0, objects = 0;
    /* Of an estimate of n objects: sqrt((1 - p) / (p n)). */
    uint64_t count = (uint64_t)((1 - chance) / chance / (SEEDS * 0.0025 * 0.0025)) + 1000;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct estimate one = estimate(seed, size_bytes, count);
        bytes += (double)one.bytes / SEEDS;
        objects += (double)one.objects / BOX_OBJECT_PARTS / SEEDS;
    }
    assert_true(fabs(objects / (double)count - 1) < 0.01);
    assert_true(fabs(bytes / ((double)count * (double)size_bytes) - 1) < 0.01);
}

static void test_estimates_are_unbiased(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 100, 1000, 4096, 6000, 30000, 1 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_unbiased(sizes[i]);
}

/* As many samples as the chance of one says, from the smallest size to where every block is one. */
static void test_the_share_of_samples(void **state)
{
    (void)state;
    assert_int_equal(estimate(7, 0, 100000).samples, 0);
    assert_int_equal(estimate(7, 100 * PERIOD, 1000).samples, 1000);
    struct estimate half = estimate(7, (size_t)(PERIOD * 0.6931471806), 100000);
    assert_in_range(half.samples, 49000, 51000);
}

static void test_weights(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 512, 1024, 4096, 10000, 100000, 163840, 10000000};
    sample_start(PERIOD, 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t objects = 0, bytes = 0;
        double weight = -1 / expm1(-(double)sizes[i] / PERIOD);
        sample_weigh(sizes[i], 1, &objects, &bytes);
        assert_true(fabs((double)objects - weight * BOX_OBJECT_PARTS) <= 0.51);
        assert_true(fabs((double)bytes - weight * (double)sizes[i]) <= 0.51);
        sample_weigh(sizes[i], 9, &objects, &bytes); /* so that what is freed cancels out */
        assert_int_equal(objects % 10, 0);
        assert_int_equal(bytes % 10, 0);
    }
}

static void test_the_same_seed_chooses_the_same(void **state)
{
    (void)state;
    struct estimate once = estimate(3, 64, 100000), again = estimate(3, 64, 100000);
    struct estimate other = estimate(4, 64, 100000);
    assert_memory_equal(&once, &again, sizeof(once));
    assert_int_not_equal(once.samples, other.samples);
}

static void test_watching(void **state)
{
    (void)state;
    const void *near = (void *)0x5555000010, *far = (void *)0x5555000400;
    sample_start(PERIOD, 1);
    assert_true(sample_ignores(near));
    sample_watch(0x5555000000);
    sample_watch(0x55550003f0);
    assert_false(sample_ignores(near));
    assert_true(sample_ignores(far));
    sample_unwatch(0x5555000000);
    assert_false(sample_ignores(near));
    sample_unwatch(0x55550003f0);
    assert_true(sample_ignores(near));
    sample_unwatch(0x55550003f0); /* once too often */
    assert_true(sample_ignores(near));
    for (int i = 0; i < 300; i++)
        sample_watch(0x5555000000);
    for (int i = 0; i < 300; i++)
        sample_unwatch(0x5555000000);
    assert_false(sample_ignores(near)); /* more than a byte counts: nobody knows, so look */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_estimates_are_unbiased),
        cmocka_unit_test(test_the_share_of_samples),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_the_same_seed_chooses_the_same),
        cmocka_unit_test(test_watching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
