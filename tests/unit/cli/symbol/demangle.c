#include "cli/symbol/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void expect(const char *name, const char *expected)
{
    char *readable = demangle(name);
    assert_string_equal(readable, expected);
    free(readable);
}

static void test_names_of_languages(void **state)
{
    (void)state;
    expect("_ZNSt6vectorIiSaIiEE9push_backERKi",
           "std::vector<int, std::allocator<int> >::push_back");
    expect("_Znwm", "operator new");
    expect("_ZN12_GLOBAL__N_13fooEv.part.0", "(anonymous namespace)::foo");
    expect("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
    expect("_RNvCs1234_7mycrate3foo", "mycrate::foo");
    expect("_D3std5stdio7writelnFZv", "std.stdio.writeln()");
}

static void test_other_names_stay(void **state)
{
    (void)state;
    static const char *const names[] = {
        "main", "",          "_",       "_Z",  "_R",    "_D",       "_Zfoo", "_RNvC",
        "Z3",   "main.cold", "foo+0x1", "_D1", "_init", "_Decimal", "_ZN",   "runtime.mallocgc"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect(names[i], names[i]);
}

/* `part` `count` times between `start` and `end`. */
static char *repeated(const char *start, const char *part, size_t count, const char *end)
{
    size_t part_bytes = strlen(part);
    char *text = calloc(1, strlen(start) + part_bytes * count + strlen(end) + 1);
    strcpy(text, start);
    for (size_t i = 0, at = strlen(start); i < count; i++, at += part_bytes)
        memcpy(text + at, part, part_bytes);
    return strcat(text, end);
}

static void expect_bounded(char *name)
{
    clock_t start = clock();
    char *readable = demangle(name);
    assert_true(strlen(readable) <= strlen(name) + 65536);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
    free(readable);
    free(name);
}

static void test_hostile_names_end(void **state)
{
    (void)state;
    for (size_t count = 10; count <= 1000000; count *= 10) {
        expect_bounded(repeated("_Z1f", "P", count, "i"));
        expect_bounded(repeated("_Z1fI", "I", count, ""));
        expect_bounded(repeated("_Z", "N", count, ""));
        expect_bounded(repeated("_ZN", "1aE", count, ""));
        expect_bounded(repeated("_Z1fDp", "J", count, "E"));
        expect_bounded(repeated("_RI", "I", count, "C1aE"));
        expect_bounded(repeated("_RMC1a", "R", count, "u"));
        expect_bounded(repeated("_D3foo", "A", count, "i"));
        expect_bounded(repeated("_D3foo", "H", count, "QbQb"));
        expect_bounded(repeated("_D3fooFZ", "PF", count, "Zv"));
        expect_bounded(repeated("_Z4", "9", count, "f"));
    }
}

/* Each argument names the pair before it twice: the output doubles every few bytes. */
static void test_doubling_names_end(void **state)
{
    (void)state;
    char name[2000] = "_Z1fI1AIiiE";
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 1; i < 34; i++) {
        char part[] = "S0_IS?_S?_E";
        part[5] = part[8] = digits[i];
        strcat(name, part);
    }
    strcat(name, "EvT_");
    expect(name, name);
    char *tuple = repeated("_RIC1a", "TB2_B2_E", 40, "E");
    expect_bounded(tuple);
}

static void test_random_names_end(void **state)
{
    (void)state;
    static const char letters[] = "_ZNSIRDQEJLTXpcifv0123456789aBK";
    unsigned seed = 1;
    for (size_t i = 0; i < 100000; i++) {
        char name[80] = "_Z";
        name[1] = "ZRD"[i % 3];
        for (size_t at = 2; at < 60; at++) {
            seed = seed * 1103515245 + 12345;
            name[at] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }
        free(demangle(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_languages), cmocka_unit_test(test_other_names_stay),
        cmocka_unit_test(test_hostile_names_end),  cmocka_unit_test(test_doubling_names_end),
        cmocka_unit_test(test_random_names_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
