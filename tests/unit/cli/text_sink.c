#include "cli/text_sink.h"

#include "buffer_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void expect(const char *text, const char *expected)
{
    struct buffer_sink buffer;
    buffer_sink_open(&buffer, 0);
    assert_true(text_json(&buffer.sink, text));
    assert_true(buffer.sink.write(&buffer.sink, "", 1));
    assert_string_equal((const char *)buffer.bytes, expected);
    buffer_sink_free(&buffer);
}

static void test_json_strings(void **state)
{
    (void)state;
    expect("", "\"\"");
    expect("a\"b\\c", "\"a\\u0022b\\u005cc\"");
    expect("line\nend\x7f", "\"line\\u000aend\\u007f\"");
    expect("caf\xc3\xa9 \xf0\x9f\x98\x80", "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
}

static void test_json_strings_that_are_no_text(void **state)
{
    (void)state;
    expect("\xff", "\"\\ufffd\"");
    expect("\xc3", "\"\\ufffd\"");
    expect("\xc0\x80", "\"\\ufffd\\ufffd\"");
    expect("\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    expect("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    expect("\xf4\x90\x80\x80x", "\"\\ufffd\\ufffd\\ufffd\\ufffdx\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_strings_that_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
