#include "cli/ground/zlib_sink.h"

#include "buffer_sink.h"
#include "cli/profile/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

enum { CONTENT_BYTES = 3000000 };

/* Bytes that do not pack well. */
static unsigned char *content_new(void)
{
    unsigned char *content = malloc(CONTENT_BYTES);
    unsigned seed = 7;
    for (size_t i = 0; i < CONTENT_BYTES; i++) {
        seed = seed * 1103515245 + 12345;
        content[i] = (unsigned char)(seed >> 16);
    }
    return content;
}

static bool packed(struct buffer_sink *buffer, const unsigned char *content, size_t size_bytes)
{
    struct zlib_sink *sink = calloc(1, sizeof(*sink));
    bool written = true;
    zlib_sink_open(sink, &buffer->sink);
    for (size_t at = 0, step = 1; at < size_bytes && written; at += step, step = step * 3 % 100003)
        written = sink->sink.write(&sink->sink, content + at,
                                   step < size_bytes - at ? step : size_bytes - at);
    written &= zlib_sink_close(sink);
    free(sink);
    return written;
}

static void test_unpacks_to_the_same(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65536, CONTENT_BYTES};
    unsigned char *content = content_new();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buffer_sink buffer;
        struct input input;
        buffer_sink_open(&buffer, 0);
        assert_true(packed(&buffer, content, sizes[i]));
        assert_null(input_gunzip(&input, buffer.bytes, buffer.size_bytes));
        assert_int_equal(input.size_bytes, sizes[i]);
        if (sizes[i] > 0)
            assert_memory_equal(input.bytes, content, sizes[i]);
        input_free(&input);
        buffer_sink_free(&buffer);
    }
    free(content);
}

static void test_failure_below_is_told(void **state)
{
    (void)state;
    unsigned char *content = content_new();
    struct buffer_sink buffer;
    buffer_sink_open(&buffer, 100);
    assert_false(packed(&buffer, content, CONTENT_BYTES));
    buffer_sink_free(&buffer);
    buffer_sink_open(&buffer, 5);
    assert_false(packed(&buffer, content, 1));
    buffer_sink_free(&buffer);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpacks_to_the_same),
        cmocka_unit_test(test_failure_below_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
