#include "preload/ground/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_puts_pieces_together(void **state)
{
    (void)state;
    char buffer[64];
    struct text text = text_on(buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
    text_put(&text, "pid ");
    text_put_number(&text, 4711);
    text_put_bytes(&text, ".profile", 5);
    text_put(&text, "");
    assert_string_equal(buffer, "pid 4711.prof");
    assert_int_equal(text.length, 13);
    assert_false(text.cut);
}

static void assert_number_text(uint64_t number, const char *want)
{
    char buffer[32];
    struct text text = text_on(buffer, sizeof(buffer));
    text_put_number(&text, number);
    assert_string_equal(buffer, want);
}

static void test_writes_numbers(void **state)
{
    (void)state;
    assert_number_text(0, "0");
    assert_number_text(9, "9");
    assert_number_text(10, "10");
    assert_number_text(1000000007, "1000000007");
    assert_number_text(UINT64_MAX, "18446744073709551615");
}

static void test_fills_the_room_to_the_last_byte(void **state)
{
    (void)state;
    char buffer[9];
    memset(buffer, '#', sizeof(buffer));
    struct text text = text_on(buffer, 8);
    text_put(&text, "abc");
    text_put(&text, "defg");
    assert_string_equal(buffer, "abcdefg");
    assert_false(text.cut);
    text_put(&text, "");
    assert_false(text.cut);
    text_put(&text, "h");
    assert_true(text.cut);
    assert_string_equal(buffer, "abcdefg");
    assert_int_equal(buffer[8], '#');
}

static void test_cuts_and_says_so(void **state)
{
    (void)state;
    char buffer[9];
    memset(buffer, '#', sizeof(buffer));
    struct text text = text_on(buffer, 8);
    text_put(&text, "abc");
    text_put_number(&text, 1234567);
    assert_true(text.cut);
    assert_string_equal(buffer, "abc1234");
    text_put(&text, "more");
    assert_string_equal(buffer, "abc1234");
    assert_int_equal(text.length, 7);
    assert_int_equal(buffer[8], '#');
}

static void test_room_for_the_end_only(void **state)
{
    (void)state;
    char buffer[2] = "##";
    struct text text = text_on(buffer, 1);
    text_put(&text, "x");
    assert_true(text.cut);
    assert_int_equal(buffer[0], '\0');
    assert_int_equal(buffer[1], '#');
}

static void assert_reads(const char *string, uint64_t want, const char *rest)
{
    const char *at = string;
    uint64_t number = 99;
    assert_true(text_read_number(&at, &number));
    assert_true(number == want);
    assert_string_equal(at, rest);
}

static void assert_not_a_number(const char *string)
{
    uint64_t number;
    assert_false(text_read_number(&string, &number));
}

static void test_reads_numbers(void **state)
{
    (void)state;
    assert_reads("0", 0, "");
    assert_reads("42%", 42, "%");
    assert_reads("007 8", 7, " 8");
    assert_reads("18446744073709551615", UINT64_MAX, "");
    assert_not_a_number("");
    assert_not_a_number("x1");
    assert_not_a_number("-1");
    assert_not_a_number(" 1");
    assert_not_a_number("18446744073709551616");
    assert_not_a_number("99999999999999999999");
}

static void test_finds_a_number(void **state)
{
    (void)state;
    const char *status = "Name:\tVmRSS\nVmHWM:\t   5120 kB\nVmRSS:\t   4096 kB\nThreads:\t3\n";
    assert_int_equal(text_find_number(status, "\nVmRSS"), 4096);
    assert_int_equal(text_find_number(status, "\nVmHWM"), 5120);
    assert_int_equal(text_find_number(status, "\nThreads"), 3);
    assert_int_equal(text_find_number(status, "\nVmSwap"), 0);
    assert_int_equal(text_find_number("Key: none", "Key"), 0);
    assert_int_equal(text_find_number("Key:", "Key"), 0);
    assert_int_equal(text_find_number("", "Key"), 0);
}

static void test_base_name(void **state)
{
    (void)state;
    assert_string_equal(text_base_name("/usr/bin/app"), "app");
    assert_string_equal(text_base_name("app"), "app");
    assert_string_equal(text_base_name("./app"), "app");
    assert_string_equal(text_base_name("/usr/bin/"), "");
    assert_string_equal(text_base_name(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts_pieces_together),
        cmocka_unit_test(test_writes_numbers),
        cmocka_unit_test(test_fills_the_room_to_the_last_byte),
        cmocka_unit_test(test_cuts_and_says_so),
        cmocka_unit_test(test_room_for_the_end_only),
        cmocka_unit_test(test_reads_numbers),
        cmocka_unit_test(test_finds_a_number),
        cmocka_unit_test(test_base_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
