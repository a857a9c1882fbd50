#include "cli/command/run_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Reads a command line of at most 14 words. */
static int read_words(struct run_options *options, const char *const *words)
{
    static char *argv[16];
    int argc = 0;
    argv[argc++] = (char *)"run";
    while (words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    return run_options_read(options, argc, argv);
}

#define READ(options, ...) read_words(options, (const char *const[]){__VA_ARGS__, NULL})

static void assert_value(const struct run_options *options, const char *key, const char *expected)
{
    char *value = run_options_value(options, key, NULL);
    assert_non_null(value);
    assert_string_equal(value, expected);
    free(value);
}

static void options_become_keys(void **state)
{
    (void)state;
    struct run_options options;
    assert_int_equal(READ(&options, "--every", "10%", "--only=a,b", "-O", "final=off",
                          "--no-children", "-o", "/x/%p", "--", "prog", "--every"),
                     0);
    assert_string_equal(options.variable, "every=10%,only=a\\,b,final=off,children=off,out=/x/%p");
    assert_value(&options, "only", "a,b");
    assert_string_equal(options.command[0], "prog");
    assert_string_equal(options.command[1], "--every");
    assert_true(options.symbols);
    run_options_free(&options);
}

static void command_ends_the_options(void **state)
{
    (void)state;
    struct run_options options;
    assert_int_equal(READ(&options, "-q", "prog", "-o", "mine"), 0);
    assert_true(options.quiet);
    assert_string_equal(options.command[1], "-o");
    run_options_free(&options);
}

static void pattern_is_made_absolute(void **state)
{
    (void)state;
    struct run_options options;
    assert_int_equal(chdir("/usr"), 0);
    assert_int_equal(READ(&options, "prog"), 0);
    assert_value(&options, "out", "/usr/%n.%p.%c.prof");
    run_options_free(&options);
    assert_int_equal(READ(&options, "-O", "out=here.prof", "prog"), 0);
    assert_value(&options, "out", "/usr/here.prof");
    run_options_free(&options);
}

static void environment_comes_first(void **state)
{
    (void)state;
    struct run_options options;
    setenv("HEAPDIFF", "keep=3,out=/a", 1);
    assert_int_equal(READ(&options, "--keep", "4", "prog"), 0);
    assert_string_equal(options.variable, "keep=3,out=/a,keep=4");
    assert_value(&options, "keep", "4");
    unsetenv("HEAPDIFF");
    run_options_free(&options);
}

static void wrong_usage_is_two(void **state)
{
    (void)state;
    struct run_options options;
    assert_int_equal(READ(&options, "--"), 2);
    run_options_free(&options);
    assert_int_equal(READ(&options, "--nonsense", "prog"), 2);
    run_options_free(&options);
    assert_int_equal(READ(&options, "--every"), 2);
    run_options_free(&options);
    assert_int_equal(READ(&options, "-O", "final", "prog"), 2);
    run_options_free(&options);
    char text[1100];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(READ(&options, "--only", text, "prog"), 2);
    run_options_free(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_become_keys),      cmocka_unit_test(command_ends_the_options),
        cmocka_unit_test(pattern_is_made_absolute), cmocka_unit_test(environment_comes_first),
        cmocka_unit_test(wrong_usage_is_two),
    };
    unsetenv("HEAPDIFF");
    return cmocka_run_group_tests_name("cli/run_options", tests, NULL, NULL);
}
