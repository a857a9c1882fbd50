#include "cli/profile/prune.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The functions of the only stack, leaf first. */
static void assert_stack(const char *stack, const char *drop, const char *keep, const char *want)
{
    struct profile *profile = text_profile(&(struct text_profile){.stacks = stack});
    char got[256] = "";
    profile->drop_frames = drop;
    profile->keep_frames = keep;
    profile_prune(profile);
    for (size_t i = 0; i < profile->samples[0].depth; i++) {
        const struct location *location = &profile->locations[profile->samples[0].locations[i]];
        for (size_t j = 0; j < location->line_count; j++) {
            strcat(got, profile->functions[location->lines[j].function].name);
            strcat(got, " ");
        }
    }
    assert_string_equal(got, want);
    profile_free(profile);
}

static void drops_as_pprof_does(void **state)
{
    (void)state;
    assert_stack("main;load;new;malloc 1 1", "malloc|new", "", "load main ");
    assert_stack("main;load;malloc 1 1", "", "", "malloc load main ");
    assert_stack("main;load;malloc 1 1", "mall", "", "malloc load main "); /* whole names */
    assert_stack("main;malloc;hook;new 1 1", "malloc", "", "main ");       /* all beyond it */
    assert_stack("main;malloc;hook;new 1 1", "(?:malloc|new)", "mal.*", "hook malloc main ");
    assert_stack("malloc;load 1 1", "malloc", "",
                 "load malloc "); /* no frame of the program before */
    assert_stack("malloc 1 1", "malloc", "", "malloc ");
    assert_stack("main;in/new/load 1 1", "new", "", "load main ");
    assert_stack("main;f;ns::g(int) 1 1", "ns::g", "", "f main ");
    assert_stack("main;f;ns::operator()(int) 1 1", "ns::operator\\(\\)", "", "f main ");
    assert_stack("main;f 1 1", "(", "", "f main "); /* not valid */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(drops_as_pprof_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
