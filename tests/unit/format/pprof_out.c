#include "format/pprof_out.h"

#include "buffer_sink.h"
#include "format/pprof.h"
#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* The content of the `nth` field `number` of a message; at == NULL when there is none. */
static struct wire_in nth_message(struct wire_in in, unsigned number, size_t nth)
{
    struct wire_field field;
    while (wire_next(&in, &field) == WIRE_FIELD)
        if (field.number == number && field.type == WIRE_BYTES && nth-- == 0)
            return field.content;
    return (struct wire_in){NULL, 0};
}

static uint64_t number_of(struct wire_in in, unsigned number)
{
    struct wire_field field;
    while (wire_next(&in, &field) == WIRE_FIELD)
        if (field.number == number && field.type == WIRE_VARINT)
            return field.value;
    return 0;
}

static struct wire_in written(const struct buffer_sink *buffer)
{
    return (struct wire_in){buffer->bytes, buffer->size_bytes};
}

static void assert_string(const struct buffer_sink *buffer, size_t index, const char *text)
{
    struct wire_in content = nth_message(written(buffer), PPROF_STRING_TABLE, index);
    assert_non_null(content.at);
    assert_int_equal(content.left_bytes, strlen(text));
    assert_memory_equal(content.at, text, strlen(text));
}

static void strings_get_indexes(void **state)
{
    (void)state;
    struct buffer_sink buffer;
    struct pprof_out out;
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    assert_int_equal(pprof_out_string(&out, ""), 0);
    assert_int_equal(pprof_out_string(&out, NULL), 0);
    assert_int_equal(pprof_out_string(&out, "one"), 1);
    struct pprof_text parts[] = {{"key", 3}, {": ", 2}, {"", 0}, {"value, cut", 5}};
    assert_int_equal(pprof_out_join(&out, parts, 4), 2);
    assert_true(pprof_out_close(&out));
    assert_string(&buffer, 0, "");
    assert_string(&buffer, 1, "one");
    assert_string(&buffer, 2, "key: value");
    buffer_sink_free(&buffer);
}

static void strings_are_utf8(void **state)
{
    (void)state;
    struct buffer_sink buffer;
    struct pprof_out out;
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    pprof_out_string(&out, "gr\xc3\xb6\xc3\x9f"
                           "e \xe2\x82\xac \xf0\x9f\x8c\xb3");
    pprof_out_string(&out, "\xff latin \xe9");               /* no sequence; one cut short */
    pprof_out_string(&out, "\xc0\xaf \xed\xa0\x80");         /* too long; a surrogate */
    pprof_out_string(&out, "\xf4\x90\x80\x80 \xe0\x80\x80"); /* past the end; too long */
    assert_true(pprof_out_close(&out));
    assert_string(&buffer, 1,
                  "gr\xc3\xb6\xc3\x9f"
                  "e \xe2\x82\xac \xf0\x9f\x8c\xb3");
    assert_string(&buffer, 2, "? latin ?");
    assert_string(&buffer, 3, "?? ???");
    assert_string(&buffer, 4, "???? ???");
    buffer_sink_free(&buffer);
}

static void long_strings_stream(void **state)
{
    (void)state;
    char text[3 * PPROF_OUT_BUFFER_BYTES + 1];
    struct buffer_sink buffer;
    struct pprof_out out;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    pprof_out_string(&out, text);
    assert_true(pprof_out_close(&out));
    assert_string(&buffer, 1, text);
    buffer_sink_free(&buffer);
}

static void samples_stream(void **state)
{
    (void)state;
    enum { DEPTH = 2000 };
    uint32_t locations[DEPTH];
    static const int64_t values[] = {0, -1, INT64_MAX};
    static const struct pprof_label labels[] = {{.key = 1, .text = 2},
                                                {.key = 3, .number = 77, .unit = 4}};
    struct pprof_sample sample = {.locations = locations,
                                  .depth = DEPTH,
                                  .values = values,
                                  .value_count = 3,
                                  .labels = labels,
                                  .label_count = 2};
    struct buffer_sink buffer;
    struct pprof_out out;
    for (uint32_t i = 0; i < DEPTH; i++)
        locations[i] = UINT32_MAX - i;
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    pprof_out_sample(&out, &sample);
    pprof_out_comment(&out, 9); /* what follows is still in step */
    assert_true(pprof_out_close(&out));
    struct wire_in message = nth_message(written(&buffer), PPROF_SAMPLE, 0);
    struct wire_in packed = nth_message(message, PPROF_SAMPLE_LOCATION, 0);
    uint64_t value;
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_true(wire_take_varint(&packed, &value) && value == UINT32_MAX - i);
    assert_int_equal(packed.left_bytes, 0);
    packed = nth_message(message, PPROF_SAMPLE_VALUE, 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(wire_take_varint(&packed, &value) && (int64_t)value == values[i]);
    assert_int_equal(packed.left_bytes, 0);
    struct wire_in label = nth_message(message, PPROF_SAMPLE_LABEL, 0);
    assert_int_equal(number_of(label, PPROF_LABEL_STR), 2);
    label = nth_message(message, PPROF_SAMPLE_LABEL, 1);
    assert_int_equal(number_of(label, PPROF_LABEL_NUM), 77);
    assert_int_equal(number_of(label, PPROF_LABEL_NUM_UNIT), 4);
    assert_int_equal(number_of(written(&buffer), PPROF_COMMENT), 9);
    buffer_sink_free(&buffer);
}

static void packed_locations_are_taken_as_they_are(void **state)
{
    (void)state;
    static const int64_t values[] = {5};
    static const uint32_t locations[] = {300, 1};
    struct pprof_sample listed = {
        .locations = locations, .depth = 2, .values = values, .value_count = 1};
    struct pprof_sample packed = {.packed = (const unsigned char *)"\xac\x02\x01",
                                  .packed_bytes = 3,
                                  .values = values,
                                  .value_count = 1};
    struct buffer_sink buffers[2];
    const struct pprof_sample *samples[2] = {&listed, &packed};
    for (int i = 0; i < 2; i++) {
        struct pprof_out out;
        buffer_sink_open(&buffers[i], 0);
        pprof_out_open(&out, &buffers[i].sink);
        pprof_out_sample(&out, samples[i]);
        assert_true(pprof_out_close(&out));
    }
    assert_int_equal(buffers[0].size_bytes, buffers[1].size_bytes);
    assert_memory_equal(buffers[0].bytes, buffers[1].bytes, buffers[0].size_bytes);
    buffer_sink_free(&buffers[0]);
    buffer_sink_free(&buffers[1]);
}

static void locations_have_lines(void **state)
{
    (void)state;
    struct pprof_line lines[300];
    struct pprof_location location = {7, 2, 0xffffffffffffffff, lines, 300, true};
    struct buffer_sink buffer;
    struct pprof_out out;
    for (int i = 0; i < 300; i++)
        lines[i] = (struct pprof_line){(uint64_t)i + 1, i};
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    pprof_out_location(&out, &location);
    assert_true(pprof_out_close(&out));
    struct wire_in message = nth_message(written(&buffer), PPROF_LOCATION, 0);
    assert_int_equal(number_of(message, PPROF_LOCATION_ID), 7);
    assert_int_equal(number_of(message, PPROF_LOCATION_MAPPING), 2);
    assert_true(number_of(message, PPROF_LOCATION_ADDRESS) == UINT64_MAX);
    assert_int_equal(number_of(message, PPROF_LOCATION_IS_FOLDED), 1);
    struct wire_in line = nth_message(message, PPROF_LOCATION_LINE, 299);
    assert_int_equal(number_of(line, PPROF_LINE_FUNCTION), 300);
    assert_int_equal(number_of(line, PPROF_LINE_LINE), 299);
    buffer_sink_free(&buffer);
}

static void largest_mapping_fits(void **state)
{
    (void)state;
    const uint64_t most = UINT64_MAX;
    struct pprof_mapping mapping = {most, most, most, most, most, most, true, true, true, true};
    struct buffer_sink buffer;
    struct pprof_out out;
    buffer_sink_open(&buffer, 0);
    pprof_out_open(&out, &buffer.sink);
    pprof_out_mapping(&out, &mapping);
    assert_true(pprof_out_close(&out));
    struct wire_in message = nth_message(written(&buffer), PPROF_MAPPING, 0);
    for (unsigned field = PPROF_MAPPING_ID; field <= PPROF_MAPPING_BUILD_ID; field++)
        assert_true(number_of(message, field) == most);
    assert_int_equal(number_of(message, PPROF_MAPPING_HAS_INLINE_FRAMES), 1);
    buffer_sink_free(&buffer);
}

static void failed_sink_is_told(void **state)
{
    (void)state;
    struct buffer_sink buffer;
    struct pprof_out out;
    buffer_sink_open(&buffer, 1);
    pprof_out_open(&out, &buffer.sink);
    for (int i = 0; i < 1000; i++)
        pprof_out_string(&out, "text");
    assert_int_equal(buffer.calls, 1);
    assert_false(pprof_out_close(&out));
    buffer_sink_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_get_indexes),
        cmocka_unit_test(strings_are_utf8),
        cmocka_unit_test(long_strings_stream),
        cmocka_unit_test(samples_stream),
        cmocka_unit_test(packed_locations_are_taken_as_they_are),
        cmocka_unit_test(locations_have_lines),
        cmocka_unit_test(largest_mapping_fits),
        cmocka_unit_test(failed_sink_is_told),
    };
    return cmocka_run_group_tests_name("format/pprof_out", tests, NULL, NULL);
}
