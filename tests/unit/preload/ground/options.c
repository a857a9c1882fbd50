#include "preload/ground/options.h"

#include "said.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const keys[] = {"out",       "signal", "collect_signal", "trace",    "runtimes",
                                   "sample",    "seed",   "every",          "interval", "keep",
                                   "final",     "ledger", "blackbox",       "children", "only",
                                   "allocator", "unwind"};

/* Reads it; what was said is in *text. */
static enum options_result read_variable(const char *variable, const char **text)
{
    said_begin();
    enum options_result result = options_read(variable);
    *text = said_end();
    return result;
}

static void assert_good(const char *variable)
{
    const char *text;
    enum options_result result = read_variable(variable, &text);
    assert_string_equal(text, "");
    assert_int_equal(result, OPTIONS_OK);
}

/* One line, which names the word. */
static void assert_bad(const char *variable, const char *word)
{
    const char *text;
    enum options_result result = read_variable(variable, &text);
    if (result != OPTIONS_BAD)
        print_message("taken: HEAPDIFF=%s\n", variable);
    assert_int_equal(result, OPTIONS_BAD);
    assert_int_equal(said_lines(text), 1);
    assert_non_null(strstr(text, word));
    assert_non_null(strstr(text, "unprofiled"));
}

static void assert_defaults(void)
{
    assert_string_equal(options.out, "%n.%p.%c.prof");
    assert_string_equal(options.blackbox, "");
    assert_string_equal(options.only, "");
    assert_string_equal(options.allocator, "");
    assert_int_equal(options.signal, SIGUSR1);
    assert_true(options.children);
    assert_true(options.final);
    assert_int_equal(options.every_percent, 0);
    assert_int_equal(options.interval_ns, 0);
    assert_int_equal(options.keep, 0);
    assert_int_equal(options.unwind, OPTIONS_UNWIND_RULES);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_good(NULL);
    assert_defaults();
    assert_good("out=x,signal=none,every=5%,interval=1,keep=2,final=off,children=off");
    assert_good("");
    assert_defaults();
    assert_string_equal(options.text, "");
}

static void test_every_key_at_once(void **state)
{
    (void)state;
    const char *variable = "out=/tmp/%n.%c,signal=SIGUSR2,every=10%,interval=60s,keep=5,final=off,"
                           "blackbox=/var/tmp,children=no,only=^redis,allocator=jemalloc";
    assert_good(variable);
    assert_string_equal(options.out, "/tmp/%n.%c");
    assert_string_equal(options.blackbox, "/var/tmp");
    assert_string_equal(options.only, "^redis");
    assert_string_equal(options.allocator, "jemalloc");
    assert_int_equal(options.signal, SIGUSR2);
    assert_false(options.children);
    assert_false(options.final);
    assert_int_equal(options.every_percent, 10);
    assert_true(options.interval_ns == 60000000000u);
    assert_int_equal(options.keep, 5);
    assert_string_equal(options.text, variable);
}

static void test_signals(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        int signal;
    } cases[] = {{"signal=USR1", SIGUSR1},
                 {"signal=SIGHUP", SIGHUP},
                 {"signal=WINCH", SIGWINCH},
                 {"signal=none", 0},
                 {"signal=0", 0},
                 {"signal=10", 10},
                 {"signal=34", 34},
                 {"signal=64", 64},
                 {"signal=IO", SIGIO},
                 {"signal=URG", SIGURG},
                 {"signal=VTALRM", SIGVTALRM}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_good(cases[i].variable);
        assert_int_equal(options.signal, cases[i].signal);
    }
}

/* Those that cannot be caught, that runtimes or the C library live by, and no signals at all. */
static void test_bad_signals(void **state)
{
    (void)state;
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE,
                                  SIGTRAP, SIGABRT, SIGCHLD, 32,     33,     65};
    char variable[64];
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(variable, sizeof(variable), "signal=%d", refused[i]);
        assert_bad(variable, "signal");
    }
    assert_bad("signal=", "signal");
    assert_bad("signal=KILL", "signal");
    assert_bad("signal=usr1", "signal");
    assert_bad("signal=10x", "signal");
    assert_bad("signal=-1", "signal");
}

static void test_intervals(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        uint64_t ns;
    } cases[] = {{"interval=2", 2000000000u},
                 {"interval=250ms", 250000000u},
                 {"interval=3m", 180000000000u},
                 {"interval=1h", 3600000000000u},
                 {"interval=0", 0},
                 {"interval=10000000s", 10000000000000000u},
                 {"interval=10000000m", 600000000000000000u}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_good(cases[i].variable);
        assert_true(options.interval_ns == cases[i].ns);
    }
    assert_bad("interval=", "interval");
    assert_bad("interval=s", "interval");
    assert_bad("interval=1d", "interval");
    assert_bad("interval=1ss", "interval");
    assert_bad("interval=-1", "interval");
    assert_bad("interval=10000001", "interval");
    assert_bad("interval=10000000h", "interval"); /* more nanoseconds than 64 bits hold */
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        uint64_t bytes;
    } cases[] = {{"sample=0", 0},
                 {"sample=1000", 1000},
                 {"sample=512k", 512 << 10},
                 {"sample=512K", 512 << 10},
                 {"sample=3m", 3 << 20},
                 {"sample=1g", 1 << 30}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_good(cases[i].variable);
        assert_true(options.sample_bytes == cases[i].bytes);
    }
    assert_bad("sample=", "sample");
    assert_bad("sample=k", "sample");
    assert_bad("sample=1t", "sample");
    assert_bad("sample=1kb", "sample");
    assert_bad("sample=-1", "sample");
    assert_bad("sample=2g", "sample");
    assert_bad("sample=99999999999999999999k", "sample");
    assert_good("seed=18446744073709551615");
    assert_true(options.seed == UINT64_MAX);
    assert_bad("seed=x", "seed");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_good("every=0");
    assert_good("every=1000000%");
    assert_int_equal(options.every_percent, 1000000);
    assert_good("keep=1000");
    assert_int_equal(options.keep, OPTIONS_KEEP_MAX);
    assert_bad("every=10", "every");
    assert_bad("every=%", "every");
    assert_bad("every=10%%", "every");
    assert_bad("every=1000001%", "every");
    assert_bad("every=99999999999999999999%", "every");
    assert_bad("keep=1001", "keep");
    assert_bad("keep=", "keep");
    assert_bad("keep=2x", "keep");
}

static void test_flags(void **state)
{
    (void)state;
    static const char *const yes[] = {"on", "yes", "1"}, *const no[] = {"off", "no", "0"};
    char variable[64];
    for (int i = 0; i < 3; i++) {
        snprintf(variable, sizeof(variable), "children=%s,final=%s", yes[i], no[i]);
        assert_good(variable);
        assert_true(options.children && !options.final);
        snprintf(variable, sizeof(variable), "children=%s,final=%s", no[i], yes[i]);
        assert_good(variable);
        assert_true(!options.children && options.final);
    }
    assert_bad("children=maybe", "children");
    assert_bad("final=", "final");
    assert_bad("final=ON", "final");
}

static void test_texts(void **state)
{
    (void)state;
    assert_good("out=a%%b.%h.%t");
    assert_bad("out=", "out");
    assert_bad("out=a%", "out");
    assert_bad("out=a%x", "out");
    assert_bad("out=a%%%", "out");
    assert_good("blackbox=off");
    assert_good("blackbox=");
    assert_bad("blackbox=relative", "blackbox");
    assert_good("unwind=libunwind");
    assert_int_equal(options.unwind, OPTIONS_UNWIND_LIBUNWIND);
    assert_good("unwind=check");
    assert_int_equal(options.unwind, OPTIONS_UNWIND_CHECK);
    assert_good("unwind=rules");
    assert_int_equal(options.unwind, OPTIONS_UNWIND_RULES);
    assert_bad("unwind=", "unwind");
    assert_bad("unwind=dwarf", "unwind");
    assert_good("allocator=");
    assert_bad("allocator=tcmalloc", "allocator");
    assert_bad("allocator=jemallocjemallocjemallocjemallocjemalloc", "allocator");
}

static void test_commas(void **state)
{
    (void)state;
    assert_good("out=a\\,b.%c,keep=3");
    assert_string_equal(options.out, "a,b.%c");
    assert_int_equal(options.keep, 3);
    assert_good("only=a\\.b\\,\\,c");
    assert_string_equal(options.only, "a\\.b,,c");
    assert_good(",,keep=4,,final=off,");
    assert_int_equal(options.keep, 4);
    assert_good("keep=1,keep=2"); /* the last one counts */
    assert_int_equal(options.keep, 2);
    assert_good("only=a=b"); /* so does the first '=' */
    assert_string_equal(options.only, "a=b");
}

static void test_unknown_keys(void **state)
{
    (void)state;
    assert_bad("outt=x", "outt");
    assert_bad("keep=1,Keep=2", "Keep");
    assert_bad("=x", "unknown key");
    assert_bad("keep", "no value: keep");
    assert_bad("help=1", "help");
    assert_bad("a=1,b=2,c=3", "a"); /* one line, not three */
}

static void test_too_long(void **state)
{
    (void)state;
    char variable[OPTIONS_TEXT_BYTES_MAX + 8] = "only=";
    memset(variable + 5, 'x', OPTIONS_VALUE_BYTES_MAX - 1);
    assert_good(variable);
    assert_int_equal(strlen(options.only), OPTIONS_VALUE_BYTES_MAX - 1);
    variable[5 + OPTIONS_VALUE_BYTES_MAX - 1] = 'x';
    assert_bad(variable, "only");
    memset(variable, ',', OPTIONS_TEXT_BYTES_MAX - 1);
    variable[OPTIONS_TEXT_BYTES_MAX - 1] = '\0';
    assert_good(variable);
    assert_string_equal(options.text, variable);
    strcat(variable, ",");
    assert_bad(variable, "too long");
    memset(variable, 'k', OPTIONS_TEXT_BYTES_MAX - 1);
    const char *text; /* no room for the word: still one whole line */
    assert_int_equal(read_variable("nokey", &text), OPTIONS_BAD);
    variable[OPTIONS_TEXT_BYTES_MAX - 1] = '\0';
    assert_int_equal(read_variable(variable, &text), OPTIONS_BAD);
    assert_int_equal(said_lines(text), 1);
}

static void test_help_lists_every_key(void **state)
{
    (void)state;
    const char *text;
    char line[64];
    assert_int_equal(read_variable("help", &text), OPTIONS_HELP);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(line, sizeof(line), "\n  %s=", keys[i]);
        assert_non_null(strstr(text, line));
    }
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, "\n  ")) != NULL; at++)
        found += at[3] != ' ';
    assert_int_equal(found, sizeof(keys) / sizeof(keys[0]));
    assert_int_equal(text[strlen(text) - 1], '\n'); /* nothing was cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key_at_once),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_bad_signals),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_commas),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_help_lists_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
