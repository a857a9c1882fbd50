#include "cli/profile/diff.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct diff_options plain = {false, false};

/* The values of the sample whose leaf's innermost function is `leaf`; NULL when there is none. */
static const struct sample *sample_at(const struct profile *profile, const char *leaf)
{
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct location *location = &profile->locations[profile->samples[i].locations[0]];
        if (location->line_count &&
            strcmp(profile->functions[location->lines[0].function].name, leaf) == 0)
            return &profile->samples[i];
    }
    return NULL;
}

static void assert_change(const struct profile *diff, const char *leaf, int64_t change,
                          int64_t base)
{
    const struct sample *sample = sample_at(diff, leaf);
    assert_non_null(sample);
    assert_int_equal(sample->values[1], change);
    assert_int_equal(sample->base[1], base);
}

struct comparison {
    struct profile *base, *fresh, *diff;
    enum diff_match match;
    const char *reason;
};

static struct comparison compare(struct text_profile base, struct text_profile fresh,
                                 struct diff_options options)
{
    struct comparison comparison = {text_profile(&base), text_profile(&fresh), NULL, 0, NULL};
    comparison.diff = profile_diff(comparison.base, comparison.fresh, &options, &comparison.match,
                                   &comparison.reason);
    return comparison;
}

static void comparison_free(struct comparison *comparison)
{
    profile_free(comparison->base);
    profile_free(comparison->fresh);
    profile_free(comparison->diff);
}

static void subtracts_stack_by_stack(void **state)
{
    (void)state;
    struct comparison c =
        compare((struct text_profile){.stacks = "main;a 1 10\nmain;b 2 20\n"},
                (struct text_profile){.stacks = "main;a 3 35\nmain;c 1 7\n"}, plain);
    assert_non_null(c.diff);
    assert_null(c.reason);
    assert_int_equal(c.match, DIFF_MATCH_ADDRESS);
    assert_int_equal(c.diff->sample_count, 3);
    assert_change(c.diff, "a", 25, 10);
    assert_change(c.diff, "b", -20, 20);
    assert_change(c.diff, "c", 7, 0);
    assert_int_equal(sample_at(c.diff, "a")->values[0], 2);
    comparison_free(&c);
}

static void finds_the_same_place_at_another_address(void **state)
{
    (void)state;
    struct comparison c = compare(
        (struct text_profile){.stacks = "main;a 1 10\nmain;b 1 5\n", .start = 0x555500000000},
        (struct text_profile){.stacks = "main;a 3 35\n", .nameless = true}, plain);
    assert_non_null(c.diff);
    assert_int_equal(c.diff->sample_count, 2);
    assert_int_equal(c.diff->samples[0].values[1], 25);
    assert_int_equal(c.diff->samples[1].values[1], -5);
    comparison_free(&c);
}

/* The stack of a site that is gone has its addresses in the base's mapping. */
static void keeps_where_a_vanished_site_was(void **state)
{
    (void)state;
    struct comparison c =
        compare((struct text_profile){.stacks = "main;gone 1 10\n", .start = 0x7000000},
                (struct text_profile){.stacks = "main;a 3 35\n"}, plain);
    const struct sample *sample = sample_at(c.diff, "gone");
    assert_non_null(sample);
    const struct location *location = &c.diff->locations[sample->locations[0]];
    const struct mapping *mapping = &c.diff->mappings[location->mapping];
    assert_int_equal(mapping->start, 0x7000000);
    assert_true(location->address - mapping->start < 0x100000);
    assert_string_equal(mapping->build_id, "ab");
    assert_int_equal(sample->locations[1], c.diff->samples[0].locations[1]); /* main is one */
    comparison_free(&c);
}

static void matches_by_function_across_builds(void **state)
{
    (void)state;
    struct comparison c =
        compare((struct text_profile){.stacks = "main;run;a 1 10\nmain;b 1 4\n", .build_id = "ab"},
                (struct text_profile){
                    .stacks = "main;run;a 3 35\nmain;c 1 7\n", .build_id = "cd", .shift = 0x3000},
                plain);
    assert_non_null(c.diff);
    assert_int_equal(c.match, DIFF_MATCH_FUNCTION);
    assert_int_equal(c.diff->sample_count, 3);
    assert_change(c.diff, "a", 25, 10);
    assert_change(c.diff, "b", -4, 4);
    comparison_free(&c);
}

/* What one build inlines, another calls. */
static void matches_across_different_inlining(void **state)
{
    (void)state;
    struct comparison c =
        compare((struct text_profile){.stacks = "main;a/run 1 10\n", .build_id = "ab"},
                (struct text_profile){.stacks = "main;run;a 3 35\n", .build_id = "cd"}, plain);
    assert_int_equal(c.diff->sample_count, 1);
    assert_change(c.diff, "a", 25, 10);
    comparison_free(&c);
}

static void matches_a_program_in_another_folder(void **state)
{
    (void)state;
    struct comparison c = compare(
        (struct text_profile){.stacks = "main;a 1 10\n", .build_id = "ab", .file = "/v1/app-1.0"},
        (struct text_profile){.stacks = "main;a 3 35\n", .build_id = "cd", .file = "/v2/app-1.1"},
        plain);
    assert_non_null(c.diff);
    assert_int_equal(c.match, DIFF_MATCH_FUNCTION);
    assert_change(c.diff, "a", 25, 10);
    comparison_free(&c);
}

/* Go's linker writes no GNU build id. */
static void notices_a_rebuild_without_build_ids(void **state)
{
    (void)state;
    struct comparison c = compare(
        (struct text_profile){.stacks = "main;a 1 10\nmain;b 1 1\n", .build_id = ""},
        (struct text_profile){.stacks = "main;a 3 35\nmain;b 1 1\n", .build_id = ""}, plain);
    assert_int_equal(c.match, DIFF_MATCH_ADDRESS);
    assert_change(c.diff, "a", 25, 10);
    comparison_free(&c);
    struct profile *base =
        text_profile(&(struct text_profile){.stacks = "main;a 1 10\nmain;b 1 1\n", .build_id = ""});
    struct profile *fresh =
        text_profile(&(struct text_profile){.stacks = "main;a 3 35\nmain;b 1 1\n", .build_id = ""});
    for (size_t i = 0; i < fresh->location_count; i++) /* b lies now where a was */
        fresh->locations[i].address = base->locations[(i + 1) % 3].address;
    enum diff_match match;
    const char *reason;
    struct profile *diff = profile_diff(base, fresh, &plain, &match, &reason);
    assert_int_equal(match, DIFF_MATCH_FUNCTION);
    assert_change(diff, "a", 25, 10);
    profile_free(diff);
    profile_free(base);
    profile_free(fresh);
}

static void refuses_unrelated_programs(void **state)
{
    (void)state;
    struct comparison c = compare(
        (struct text_profile){.stacks = "main;a 1 10\n", .build_id = "ab", .file = "/bin/sqlite"},
        (struct text_profile){.stacks = "main;a 3 35\n", .build_id = "cd", .file = "/bin/redis"},
        plain);
    assert_null(c.diff);
    assert_non_null(c.reason);
    comparison_free(&c);
}

static void keeps_kinds_apart(void **state)
{
    (void)state;
    struct comparison c =
        compare((struct text_profile){.stacks = "main;a 1 10 malloc\nmain;a 1 4096 mmap\n"},
                (struct text_profile){.stacks = "main;a 3 35 malloc\n"}, plain);
    assert_int_equal(c.diff->sample_count, 2);
    assert_int_equal(c.diff->samples[0].values[1], 25);
    assert_string_equal(sample_label(&c.diff->samples[0], "mem_kind"), "malloc");
    assert_int_equal(c.diff->samples[1].values[1], -4096);
    assert_string_equal(sample_label(&c.diff->samples[1], "mem_kind"), "mmap");
    comparison_free(&c);
}

static void normalizes_each_type(void **state)
{
    (void)state;
    struct diff_options options = {.normalize = true};
    struct comparison c =
        compare((struct text_profile){.stacks = "main;a 1 10\nmain;b 1 30\n"},
                (struct text_profile){.stacks = "main;a 3 10\nmain;b 1 10\n"}, options);
    assert_change(c.diff, "a", 10, 10); /* 10 * 40/20 - 10 */
    assert_change(c.diff, "b", -10, 30);
    assert_int_equal(sample_at(c.diff, "a")->values[0], 1); /* round(3 * 2/4) - 1: 2 - 1 */
    comparison_free(&c);
}

static void keeps_the_types_of_both(void **state)
{
    (void)state;
    struct profile *base = text_profile(&(struct text_profile){.stacks = "main;a 1 10\n"});
    struct profile *fresh = text_profile(&(struct text_profile){.stacks = "main;a 3 35\n"});
    const char *reason;
    enum diff_match match;
    base->types[0].type = "other_objects";
    struct profile *diff = profile_diff(base, fresh, &plain, &match, &reason);
    assert_int_equal(diff->type_count, 1);
    assert_string_equal(diff->types[0].type, "inuse_space");
    assert_int_equal(diff->default_type, 0);
    assert_int_equal(diff->samples[0].values[0], 25);
    profile_free(diff);
    base->types[1].unit = "kilobytes";
    assert_null(profile_diff(base, fresh, &plain, &match, &reason));
    assert_non_null(reason);
    profile_free(base);
    profile_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subtracts_stack_by_stack),
        cmocka_unit_test(finds_the_same_place_at_another_address),
        cmocka_unit_test(keeps_where_a_vanished_site_was),
        cmocka_unit_test(matches_by_function_across_builds),
        cmocka_unit_test(matches_across_different_inlining),
        cmocka_unit_test(matches_a_program_in_another_folder),
        cmocka_unit_test(notices_a_rebuild_without_build_ids),
        cmocka_unit_test(refuses_unrelated_programs),
        cmocka_unit_test(keeps_kinds_apart),
        cmocka_unit_test(normalizes_each_type),
        cmocka_unit_test(keeps_the_types_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
