#include "cli/export/export.h"

#include "buffer_sink.h"
#include "small_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void same_type(const struct value_type *a, const struct value_type *b)
{
    assert_string_equal(a->type, b->type);
    assert_string_equal(a->unit, b->unit);
}

static void same_head(const struct profile *a, const struct profile *b)
{
    assert_int_equal(a->type_count, b->type_count);
    for (size_t i = 0; i < a->type_count; i++)
        same_type(&a->types[i], &b->types[i]);
    same_type(&a->period_type, &b->period_type);
    assert_int_equal(a->period, b->period);
    assert_int_equal(a->time_nanos, b->time_nanos);
    assert_int_equal(a->duration_nanos, b->duration_nanos);
    assert_int_equal(a->default_type, b->default_type);
    assert_string_equal(a->drop_frames, b->drop_frames);
    assert_string_equal(a->keep_frames, b->keep_frames);
    assert_int_equal(a->comment_count, b->comment_count);
    for (size_t i = 0; i < a->comment_count; i++)
        assert_string_equal(a->comments[i], b->comments[i]);
}

static void same_mappings(const struct profile *a, const struct profile *b)
{
    assert_int_equal(a->mapping_count, b->mapping_count);
    for (size_t i = 0; i < a->mapping_count; i++) {
        const struct mapping *one = &a->mappings[i], *two = &b->mappings[i];
        assert_int_equal(one->start, two->start);
        assert_int_equal(one->limit, two->limit);
        assert_int_equal(one->offset, two->offset);
        assert_string_equal(one->filename, two->filename);
        assert_string_equal(one->build_id, two->build_id);
        assert_int_equal(one->has_functions, two->has_functions);
        assert_int_equal(one->has_filenames, two->has_filenames);
        assert_int_equal(one->has_line_numbers, two->has_line_numbers);
        assert_int_equal(one->has_inline_frames, two->has_inline_frames);
    }
}

static void same_functions(const struct profile *a, const struct profile *b)
{
    assert_int_equal(a->function_count, b->function_count);
    for (size_t i = 0; i < a->function_count; i++) {
        assert_string_equal(a->functions[i].name, b->functions[i].name);
        assert_string_equal(a->functions[i].system_name, b->functions[i].system_name);
        assert_string_equal(a->functions[i].filename, b->functions[i].filename);
        assert_int_equal(a->functions[i].start_line, b->functions[i].start_line);
    }
}

static void same_locations(const struct profile *a, const struct profile *b)
{
    assert_int_equal(a->location_count, b->location_count);
    for (size_t i = 0; i < a->location_count; i++) {
        const struct location *one = &a->locations[i], *two = &b->locations[i];
        assert_int_equal(one->address, two->address);
        assert_int_equal(one->mapping, two->mapping);
        assert_int_equal(one->is_folded, two->is_folded);
        assert_int_equal(one->line_count, two->line_count);
        for (size_t k = 0; k < one->line_count; k++) {
            assert_int_equal(one->lines[k].function, two->lines[k].function);
            assert_int_equal(one->lines[k].line, two->lines[k].line);
        }
    }
}

static void same_labels(const struct sample *a, const struct sample *b)
{
    assert_int_equal(a->label_count, b->label_count);
    for (size_t i = 0; i < a->label_count; i++) {
        assert_string_equal(a->labels[i].key, b->labels[i].key);
        assert_int_equal(a->labels[i].text == NULL, b->labels[i].text == NULL);
        if (a->labels[i].text != NULL)
            assert_string_equal(a->labels[i].text, b->labels[i].text);
        assert_int_equal(a->labels[i].number, b->labels[i].number);
        assert_string_equal(a->labels[i].unit, b->labels[i].unit);
    }
}

static void same_samples(const struct profile *a, const struct profile *b)
{
    assert_int_equal(a->sample_count, b->sample_count);
    for (size_t i = 0; i < a->sample_count; i++) {
        const struct sample *one = &a->samples[i], *two = &b->samples[i];
        assert_int_equal(one->depth, two->depth);
        assert_memory_equal(one->locations, two->locations, one->depth * sizeof(one->locations[0]));
        assert_memory_equal(one->values, two->values, a->type_count * sizeof(one->values[0]));
        same_labels(one, two);
    }
}

static struct profile *decoded(const struct buffer_sink *buffer)
{
    const char *reason = NULL;
    struct profile *profile = profile_decode(buffer->bytes, buffer->size_bytes, &reason);
    assert_non_null(profile);
    return profile;
}

static void test_pprof_comes_back_the_same(void **state)
{
    (void)state;
    for (int diff = 0; diff <= 1; diff++) {
        struct profile *profile = small_profile(diff);
        struct buffer_sink buffer;
        buffer_sink_open(&buffer, 0);
        assert_true(export_pprof(profile, &buffer.sink));
        struct profile *back = decoded(&buffer);
        same_head(profile, back);
        same_mappings(profile, back);
        same_functions(profile, back);
        same_locations(profile, back);
        same_samples(profile, back);
        profile_free(back);
        profile_free(profile);
        buffer_sink_free(&buffer);
    }
}

static void test_pprof_go_has_four_types(void **state)
{
    (void)state;
    static const char *const types[] = {"alloc_objects", "alloc_space", "inuse_objects",
                                        "inuse_space"};
    static const int64_t values[] = {0, 0, 2, 100};
    struct profile *profile = small_profile(false);
    struct buffer_sink buffer;
    profile->samples[1].values[0] = profile->samples[1].values[1] = 0;
    buffer_sink_open(&buffer, 0);
    assert_true(export_pprof_go_possible(profile));
    assert_true(export_pprof_go(profile, &buffer.sink));
    struct profile *back = decoded(&buffer);
    assert_int_equal(back->type_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(back->types[i].type, types[i]);
    assert_string_equal(back->types[1].unit, "bytes");
    assert_string_equal(back->types[2].unit, "count");
    assert_int_equal(back->sample_count, 1);
    assert_memory_equal(back->samples[0].values, values, sizeof(values));
    assert_int_equal(back->default_type, 3);
    profile->types[0].type = profile->types[1].type = "cpu";
    assert_false(export_pprof_go_possible(profile));
    profile_free(back);
    profile_free(profile);
    buffer_sink_free(&buffer);
}

/* Takes out line ends and the indentation after them. */
static void unindent(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (*from == '\n')
            from += 1 + strspn(from + 1, " ");
        else
            *to++ = *from++;
    }
    *to = '\0';
}

/* Exports with `write` and compares, but for the layout. */
static void expect_text(bool diff, void (*write)(FILE *, const struct profile *, int),
                        const char *expected)
{
    struct profile *profile = small_profile(diff);
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    write(out, profile, 1);
    assert_int_equal(fclose(out), 0);
    unindent(text);
    assert_string_equal(text, expected);
    free(text);
    profile_free(profile);
}

static void test_collapsed_lines(void **state)
{
    (void)state;
    expect_text(false, export_collapsed, "main;a:b 20main;outer;inner 100");
    expect_text(true, export_collapsed, "main;a:b 0 20main;outer;inner 150 100");
}

#define SPEEDSCOPE_HEAD                                                          \
    "{\"$schema\": \"https://www.speedscope.app/file-format-schema.json\","      \
    "\"exporter\": \"heapdiff " HEAPDIFF_VERSION "\",\"activeProfileIndex\": 0," \
    "\"shared\": {\"frames\": ["                                                 \
    "{\"name\": \"main\", \"file\": \"/src/main.c\", \"line\": 11},"             \
    "{\"name\": \"inner\", \"file\": \"/src/inner.h\", \"line\": 31},"           \
    "{\"name\": \"outer\", \"file\": \"/src/outer.cc\", \"line\": 21},"          \
    "{\"name\": \"a;b\"}]},\"profiles\": ["

static void test_speedscope_has_no_negative_weights(void **state)
{
    (void)state;
    expect_text(false, export_speedscope,
                SPEEDSCOPE_HEAD
                "{\"type\": \"sampled\",\"name\": \"inuse_space\",\"unit\": \"bytes\","
                "\"startValue\": 0,\"samples\": [[0, 2, 1], [0, 3]],"
                "\"weights\": [100, 20],\"endValue\": 120}]}");
    expect_text(true, export_speedscope,
                SPEEDSCOPE_HEAD
                "{\"type\": \"sampled\",\"name\": \"inuse_space grown\",\"unit\": \"bytes\","
                "\"startValue\": 0,\"samples\": [[0, 3]],\"weights\": [20],\"endValue\": 20},"
                "{\"type\": \"sampled\",\"name\": \"inuse_space shrunk\",\"unit\": \"bytes\","
                "\"startValue\": 0,\"samples\": [[0, 2, 1]],\"weights\": [50],\"endValue\": 50}]}");
}

static void test_a_full_disk_is_noticed(void **state)
{
    (void)state;
    struct profile *profile = small_profile(true);
    for (size_t limit = 1; limit < 400; limit += 13) {
        struct buffer_sink buffer;
        buffer_sink_open(&buffer, limit);
        assert_false(export_pprof(profile, &buffer.sink));
        buffer_sink_free(&buffer);
    }
    profile_free(profile);
}

static void test_an_empty_profile_exports(void **state)
{
    (void)state;
    struct profile *profile = small_profile(false);
    struct buffer_sink buffer;
    profile->sample_count = profile->location_count = profile->function_count = 0;
    buffer_sink_open(&buffer, 0);
    assert_true(export_pprof(profile, &buffer.sink));
    profile_free(decoded(&buffer));
    assert_true(export_pprof_go(profile, &buffer.sink));
    buffer_sink_free(&buffer);
    profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pprof_comes_back_the_same),
        cmocka_unit_test(test_pprof_go_has_four_types),
        cmocka_unit_test(test_collapsed_lines),
        cmocka_unit_test(test_speedscope_has_no_negative_weights),
        cmocka_unit_test(test_a_full_disk_is_noticed),
        cmocka_unit_test(test_an_empty_profile_exports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
