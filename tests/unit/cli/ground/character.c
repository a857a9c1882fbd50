#include "cli/ground/character.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void decodes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t code;
        size_t size_bytes;
    } cases[] = {
        {"", 0, 0},
        {"a", 'a', 1},
        {"\303\274", 0xfc, 2},
        {"\342\202\254", 0x20ac, 3},
        {"\360\237\230\200", 0x1f600, 4},
        {"\200", UINT32_MAX, 1},
        {"\300\200", UINT32_MAX, 1},         /* two bytes for NUL */
        {"\340\200\200", UINT32_MAX, 1},     /* overlong */
        {"\355\240\200", UINT32_MAX, 1},     /* half of a surrogate pair */
        {"\364\220\200\200", UINT32_MAX, 1}, /* above U+10FFFF */
        {"\342\202", UINT32_MAX, 1},         /* cut short */
        {"\377", UINT32_MAX, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct character character = character_at(cases[i].text);
        assert_int_equal(character.code, cases[i].code);
        assert_int_equal(character.size_bytes, cases[i].size_bytes);
    }
}

static void nothing_steers_a_terminal(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"plain", "plain"},
        {"\033[31mred\033[0m", "?[31mred?[0m"},
        {"line\r\nnext\tand\177\a", "line??next?and??"},
        {"\302\23331m", "?31m"},   /* CSI as UTF-8 ... */
        {"\23331m", "?31m"},       /* ... and as a byte */
        {"a\342\200\256b", "a?b"}, /* right to left */
        {"\303\274\377", "\303\274?"},
        {"cut \342\202", "cut ??"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[64];
        strcpy(text, texts[i][0]);
        assert_string_equal(character_make_plain(text), texts[i][1]);
    }
}

static void counts_columns(void **state)
{
    (void)state;
    assert_int_equal(character_text_columns("gr\303\274n"), 4);
    assert_int_equal(character_text_columns("\345\206\205\345\255\230x"), 5);
    assert_int_equal(character_text_columns("e\314\201"), 1);
    assert_int_equal(character_bytes_in("\345\206\205\345\255\230x", 3), 3);
    assert_int_equal(character_bytes_in("abc", 8), 3);
    assert_int_equal(character_bytes_in("abc", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(nothing_steers_a_terminal),
        cmocka_unit_test(counts_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
