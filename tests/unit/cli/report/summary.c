#include "cli/report/summary.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct profile *profile_with(const char *stacks, const char **facts, size_t count)
{
    struct profile *profile = text_profile(&(struct text_profile){.stacks = stacks});
    profile->comments = facts;
    profile->comment_count = count;
    return profile;
}

static void tells_what_is_known(void **state)
{
    (void)state;
    const char *facts[] = {
        "heapdiff.program: app",        "heapdiff.pid: 12", "heapdiff.rss_bytes: 9000",
        "heapdiff.snapshot_time_ns: 5", "by hand",          "heapdiff.threads: many"};
    struct profile *profile = profile_with("m;a 2 100 malloc\nm;b 1 4096 mmap\n", facts, 6);
    struct summary summary = summary_of(profile);
    assert_string_equal(summary.program, "app");
    assert_int_equal(summary.pid, 12);
    assert_int_equal(summary.rss_bytes, 9000);
    assert_int_equal(summary.time_ns, 5);
    assert_int_equal(summary.threads, 0);
    assert_null(summary.host);
    assert_true(summary.has_live && summary.has_kinds);
    assert_int_equal(summary.live_bytes, 4196);
    assert_int_equal(summary.malloc_bytes, 100);
    assert_int_equal(summary.mmap_bytes, 4096);
    assert_int_equal(summary.live_objects, 3);
    profile_free(profile);
}

static void says_how_far_estimates_may_be_off(void **state)
{
    (void)state;
    struct profile *profile = profile_with("m;a 200 100000 malloc\nm;b 1 4096 mmap\n", NULL, 0);
    assert_int_equal(summary_of(profile).period_bytes, 0);
    assert_true(summary_of(profile).live_variance == 0);
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = 1 << 20;
    assert_int_equal(summary_of(profile).period_bytes, 1 << 20);
    double variance = summary_of(profile).live_variance; /* about N m R, objects are so small */
    assert_true(variance > 1.04e11 && variance < 1.05e11);
    profile_free(profile);
}

static void makes_do_with_a_foreign_profile(void **state)
{
    (void)state;
    struct profile *profile = profile_with("m;a 2 100\n", NULL, 0);
    profile->time_nanos = 77;
    struct summary summary = summary_of(profile);
    assert_string_equal(summary.program, "app"); /* of the first mapping */
    assert_int_equal(summary.time_ns, 77);
    assert_false(summary.has_kinds);
    profile->types[1].type = "space";
    profile->types[0].type = "objects";
    summary = summary_of(profile);
    assert_false(summary.has_live);
    assert_int_equal(summary.live_objects, -1);
    profile_free(profile);
}

static void lists_losses_that_are_not_zero(void **state)
{
    (void)state;
    const char *facts[] = {"heapdiff.lost_blocks: 0", "heapdiff.cut_stacks: 4",
                           "heapdiff.black_box_incomplete: 1"};
    struct profile *profile = profile_with("m;a 2 100\n", facts, 3);
    struct summary_loss losses[SUMMARY_LOSSES_MAX];
    assert_int_equal(summary_losses(NULL, profile, losses), 1); /* the process had all of it */
    assert_string_equal(losses[0].key, "cut_stacks");
    assert_int_equal(losses[0].count, 4);
    const char *recovered[] = {"heapdiff.source: black box", "heapdiff.black_box_incomplete: 1",
                               "heapdiff.unwind_checked: 9", "heapdiff.unwind_differences: 1"};
    struct profile *other = profile_with("m;a 2 100\n", recovered, 4);
    assert_int_equal(summary_of(other).unwind_checked, 9);
    assert_int_equal(summary_losses(profile, other, losses), 3);
    assert_int_equal(losses[0].base, 4);
    assert_int_equal(losses[0].count, 0);
    assert_string_equal(losses[1].key, "unwind_differences");
    assert_string_equal(losses[2].key, "black_box_incomplete");
    profile_free(other);
    profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_known),
        cmocka_unit_test(says_how_far_estimates_may_be_off),
        cmocka_unit_test(makes_do_with_a_foreign_profile),
        cmocka_unit_test(lists_losses_that_are_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
