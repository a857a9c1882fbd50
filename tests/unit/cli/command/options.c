#include "cli/command/options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 16 };

/* Parses a command line of words separated by one space. */
static enum options_result parse(struct choice *choice, const char *line)
{
    static char words[512];
    char *argv[ARGUMENTS_MAX] = {NULL}, *rest = NULL;
    int argc = 0;
    snprintf(words, sizeof words, "heapdiff %s", line);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return options_parse(choice, argc, argv);
}

static void takes_pprofs_spellings(void **state)
{
    (void)state;
    struct choice choice;
    assert_int_equal(parse(&choice, "-top -cum -diff_base=old -sample_index=alloc_space new"),
                     OPTIONS_RUN);
    assert_int_equal(choice.view, VIEW_TOP);
    assert_true(choice.by_cum);
    assert_true(choice.relative);
    assert_string_equal(choice.base_path, "old");
    assert_string_equal(choice.profile_path, "new");
    assert_string_equal(choice.sample_type, "alloc_space");
    assert_int_equal(parse(&choice, "-inuse_objects --base old_file -normalize new"), OPTIONS_RUN);
    assert_string_equal(choice.sample_type, "inuse_objects");
    assert_string_equal(choice.base_path, "old_file");
    assert_true(choice.normalize);
    assert_int_equal(parse(&choice, "-focus=a_b --ignore c -lines -unit=mb p"), OPTIONS_RUN);
    assert_string_equal(choice.filter.focus, "a_b");
    assert_string_equal(choice.filter.ignore, "c");
    assert_int_equal(choice.granularity, GRANULARITY_LINES);
    assert_true(choice.granularity_given);
}

static void top_is_a_view_or_a_limit(void **state)
{
    (void)state;
    struct choice choice;
    assert_int_equal(parse(&choice, "--top 7 p"), OPTIONS_RUN);
    assert_int_equal(choice.view, VIEW_SITES);
    assert_int_equal(choice.limit, 7);
    assert_int_equal(parse(&choice, "p --top=0"), OPTIONS_RUN);
    assert_int_equal(choice.limit, 0);
    assert_int_equal(parse(&choice, "-top p"), OPTIONS_RUN);
    assert_int_equal(choice.view, VIEW_TOP);
    assert_int_equal(choice.limit, -1);
    assert_string_equal(choice.profile_path, "p");
    assert_int_equal(parse(&choice, "-top -nodecount=3 p"), OPTIONS_RUN);
    assert_int_equal(choice.limit, 3);
    assert_int_equal(parse(&choice, "--cum p"), OPTIONS_RUN);
    assert_int_equal(choice.view, VIEW_TOP);
}

static void refuses_nonsense(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "--nonsense p",
        "a b",
        "a b c",
        "--base o a b",
        "--top=x p",
        "--unit=ell p",
        "--nodefraction=2 p",
        "--normalize p",
        "--json --traces p",
        "--color=pink p",
        "--base",
        "--nodecount -3 p",
    };
    int saved = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    struct choice choice;
    enum options_result results[sizeof lines / sizeof lines[0]];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        results[i] = parse(&choice, lines[i]);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(nowhere);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (results[i] != OPTIONS_WRONG)
            fail_msg("taken: %s", lines[i]);
    assert_int_equal(parse(&choice, "--help"), OPTIONS_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_pprofs_spellings),
        cmocka_unit_test(top_is_a_view_or_a_limit),
        cmocka_unit_test(refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
