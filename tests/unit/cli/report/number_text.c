#include "cli/report/number_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_bytes(int64_t value, const char *unit, const char *want)
{
    struct number_style style;
    assert_true(number_style_choose(&style, "bytes", unit));
    assert_string_equal(number_text(value, &style).text, want);
}

static void chooses_units(void **state)
{
    (void)state;
    assert_bytes(0, NULL, "0");
    assert_bytes(1023, NULL, "1,023 B");
    assert_bytes(-1024, NULL, "-1.0 KiB");
    assert_bytes(1048575, NULL, "1.0 MiB"); /* not "1024.0 KiB" */
    assert_bytes(12345678, "auto", "11.8 MiB");
    assert_bytes((int64_t)5 << 40, "minimum", "5.0 TiB");
    assert_bytes(INT64_MIN, NULL, "-8.0 EiB");
}

static void keeps_to_a_unit(void **state)
{
    (void)state;
    assert_bytes(12345678, "bytes", "12,345,678 B");
    assert_bytes(12345678, "B", "12,345,678 B");
    assert_bytes(12345678, "kb", "12056.33 KiB");
    assert_bytes(12345678, "MiB", "11.77 MiB");
    struct number_style style;
    assert_false(number_style_choose(&style, "bytes", "parsec"));
}

static void signs_changes(void **state)
{
    (void)state;
    struct number_style style;
    number_style_choose(&style, "bytes", NULL);
    assert_string_equal(number_text_signed(2048, &style).text, "+2.0 KiB");
    assert_string_equal(number_text_signed(-2048, &style).text, "-2.0 KiB");
    assert_string_equal(number_text_signed(0, &style).text, "0");
    assert_string_equal(number_count(1234567, true).text, "+1,234,567");
    assert_string_equal(number_count(-999, true).text, "-999");
    assert_string_equal(number_count(INT64_MIN, false).text, "-9,223,372,036,854,775,807");
}

static void prints_other_units(void **state)
{
    (void)state;
    struct number_style style;
    number_style_choose(&style, "count", "MiB");
    assert_string_equal(number_text(12345, &style).text, "12,345");
    number_style_choose(&style, "nanoseconds", NULL);
    assert_string_equal(number_text(12345, &style).text, "12,345 nanoseconds");
}

static void prints_shares(void **state)
{
    (void)state;
    assert_string_equal(number_percent(1, 3).text, "33.33%");
    assert_string_equal(number_percent(-1, 3).text, "-33.33%");
    assert_string_equal(number_percent(0, 3).text, "0%");
    assert_string_equal(number_percent(3, 0).text, "");
}

static void prints_times(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(number_time(1700000000000000000).text, "2023-11-14 22:13:20 UTC");
    assert_string_equal(number_duration(850000000).text, "850 ms");
    assert_string_equal(number_duration(-12345000000).text, "12.3 s");
    assert_string_equal(number_duration(250ll * 1000000000).text, "4 min 10 s");
    assert_string_equal(number_duration(600ll * 1000000000).text, "10 min");
    assert_string_equal(number_duration(7500ll * 1000000000).text, "2 h 5 min");
    assert_string_equal(number_duration(273600ll * 1000000000).text, "3 d 4 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_units), cmocka_unit_test(keeps_to_a_unit),
        cmocka_unit_test(signs_changes), cmocka_unit_test(prints_other_units),
        cmocka_unit_test(prints_shares), cmocka_unit_test(prints_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
