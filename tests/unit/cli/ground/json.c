#include "cli/ground/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char *text;
static size_t text_bytes;

static struct json begin(int lines_depth)
{
    return (struct json){
        .out = open_memstream(&text, &text_bytes), .lines_depth = lines_depth, .empty = true};
}

static void assert_text(struct json *json, const char *want)
{
    fclose(json->out);
    assert_string_equal(text, want);
    free(text);
}

static void writes_nested_values(void **state)
{
    (void)state;
    struct json json = begin(1);
    json_open(&json, NULL, '{');
    json_number(&json, "a", -5);
    json_open(&json, "b", '[');
    json_real(&json, NULL, 0.5);
    json_text(&json, NULL, "t");
    json_truth(&json, NULL, true);
    json_truth(&json, NULL, false);
    json_close(&json, ']');
    json_open(&json, "c", '{');
    json_close(&json, '}');
    json_number(&json, "d", 1);
    json_close(&json, '}');
    assert_text(
        &json,
        "{\n  \"a\": -5,\n  \"b\": [0.5000, \"t\", true, false],\n  \"c\": {},\n  \"d\": 1\n}\n");
}

static void escapes_texts(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"plain", "\"plain\"\n"},
        {"\"\\\b\f\n\r\t\001\177", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\"\n"},
        {"gr\303\270n \342\202\254 \360\237\230\200",
         "\"gr\303\270n \342\202\254 \360\237\230\200\"\n"},
        {"\377a\300\200b\355\240\200c", "\"\\ufffda\\ufffd\\ufffdb\\ufffd\\ufffd\\ufffdc\"\n"},
        {"\302\233\342\200\256", "\"\\u009b\\u202e\"\n"},
        {"cut \342\202", "\"cut \\ufffd\\ufffd\"\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json json = begin(0);
        json_text(&json, NULL, texts[i][0]);
        putc('\n', json.out);
        assert_text(&json, texts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_nested_values),
        cmocka_unit_test(escapes_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
