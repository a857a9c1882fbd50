/* Go's heap profile as text: scaled as pprof does, frames as they are told, damage refused. */
#include "cli/go/go_text.h"

#include "cli/go/go_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct profile *decode(const char *text)
{
    const char *reason = "not asked";
    assert_true(go_text_is(text, strlen(text)));
    struct profile *profile = go_text_decode(text, strlen(text), &reason);
    assert_true((profile == NULL) == (reason != NULL));
    return profile;
}

/* Two objects of the mean distance between samples: 1 / (1 - 1 / e) for each. */
static void test_samples_are_scaled(void **state)
{
    (void)state;
    struct profile *profile = decode("heap profile: 2: 1048576 [4: 2097152] @ heap/1048576\n"
                                     "2: 1048576 [1: 524288] @ 0x11 0x21\n");
    assert_int_equal(profile->period, 524288);
    assert_int_equal(profile->sample_count, 1);
    const int64_t wanted[] = {1, 829411, 3, 1658822};
    for (int i = 0; i < 4; i++)
        assert_int_equal(profile->samples[0].values[i], wanted[i]);
    assert_string_equal(profile->types[profile->default_type].type, "inuse_space");
    assert_int_equal(profile->locations[profile->samples[0].locations[0]].address, 0x10);
    profile_free(profile);
}

static void test_frames_are_those_that_are_told(void **state)
{
    (void)state;
    struct profile *profile = decode("heap profile: 1: 8 [1: 8] @ heap/2\n"
                                     "1: 8 [1: 8] @ 0x5 0x11 0x21\n"
                                     "#\t0x10\tmain.(*table).take+0x50\t\t/src/a b/main.go:12\n"
                                     "#\t0x20\tmain.main+0x3b\t/src/a b/main.go:16\n"
                                     "\n"
                                     "1: 8 [1: 8] @ 0x21\n"
                                     "#\t0x20\tmain.main+0x3b\t/src/a b/main.go:16\n");
    const struct sample *samples = profile->samples;
    assert_int_equal(profile->sample_count, 2);
    assert_int_equal(samples[0].depth, 2);
    assert_int_equal(samples[0].locations[1], samples[1].locations[0]);
    const struct line *line = &profile->locations[samples[0].locations[0]].lines[0];
    assert_string_equal(profile->functions[line->function].name, "main.(*table).take");
    assert_string_equal(profile->functions[line->function].filename, "/src/a b/main.go");
    assert_int_equal(line->line, 12);
    assert_int_equal(samples[0].values[3], 8); /* each allocation is in it: nothing is scaled */
    profile_free(profile);
}

static void test_figures(void **state)
{
    (void)state;
    struct profile *profile = decode("heap profile: 1: 8 [1: 8] @ heap/2\n"
                                     "1: 8 [1: 8] @ 0x21\n"
                                     "# runtime.MemStats\n"
                                     "# HeapAlloc = 4096\n"
                                     "# NextGC = 18446744073709551615\n"
                                     "# PauseNs = [7 8 9 0 0]\n"
                                     "# PauseEnd = [100 200 300 0 0]\n"
                                     "# NumGC = 3\n"
                                     "# NumForcedGC = 1\n");
    struct go_facts facts = go_facts_of(profile);
    assert_true(facts.known && facts.or_later);
    assert_int_equal(facts.allocated_bytes, 4096);
    assert_int_equal(facts.goal_bytes, 0); /* there is none */
    assert_int_equal(facts.published_collection, 2);
    assert_int_equal(facts.published_ns, 200);
    assert_int_equal(facts.published_bytes, 8);
    assert_string_equal(profile_fact(profile, "collection.3"),
                        "source=go kind=full truth=totals time_ns=300 mark=3 pause_ns=9");
    profile_free(profile);
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "heap profile: 1: 8 [1: 8] @ heap/2\n1: 8 [1: 8]\n",
        "heap profile: 1: 8 [1: 8] @ heap/2\n-1: 8 [1: 8] @ 0x1\n",
        "heap profile: 1: 8 [1: 8] @ heap/2\n<html>\n",
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
        assert_null(decode(damaged[i]));
    static const char *const others[] = {"", "heap profile: 1: 8 [1: 8] @ heapprofile\n",
                                         "heap profile: 1: 8 [1: 8] @ heap_v2/2\n",
                                         "heap profile: 1: 8 [1: 8] @ heap/\n"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(go_text_is(others[i], strlen(others[i])));
}

static void test_an_empty_one(void **state)
{
    (void)state;
    struct profile *profile = decode("heap profile: 0: 0 [0: 0] @ heap/1048576\n");
    assert_int_equal(profile->sample_count, 0);
    assert_false(go_facts_of(profile).known);
    profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_are_scaled),
        cmocka_unit_test(test_frames_are_those_that_are_told),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
