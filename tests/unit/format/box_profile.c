#include "format/box_profile.h"

#include "box_sample.h"
#include "buffer_sink.h"
#include "format/pprof.h"
#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { KEPT_MAX = 64 };

struct kept_sample {
    size_t depth;
    uint64_t locations[BOX_DEPTH_MAX];
    uint64_t values[PPROF_HEAP_VALUES];
    uint64_t label_key, label_text;
};

/* A profile taken apart, as far as the tests look. Arrays are in the order of the file. */
struct kept {
    size_t string_count, mapping_count, location_count, sample_count, type_count, comment_count;
    char strings[KEPT_MAX][80];
    uint64_t mappings[KEPT_MAX][11];
    uint64_t locations[KEPT_MAX][6];
    struct kept_sample samples[KEPT_MAX];
    uint64_t types[KEPT_MAX], comments[KEPT_MAX];
    uint64_t numbers[16];
};

/* Number fields of a message, by field number. */
static void keep_numbers(struct wire_in in, uint64_t *numbers, unsigned limit)
{
    struct wire_field field;
    enum wire_step step;
    while ((step = wire_next(&in, &field)) == WIRE_FIELD)
        if (field.type == WIRE_VARINT && field.number < limit)
            numbers[field.number] = field.value;
    assert_int_equal(step, WIRE_END);
}

static size_t keep_list(struct wire_in in, uint64_t *list, size_t limit)
{
    size_t count = 0;
    while (count < limit && wire_take_varint(&in, &list[count]))
        count++;
    assert_int_equal(in.left_bytes, 0);
    return count;
}

static void keep_sample(struct wire_in in, struct kept_sample *sample)
{
    struct wire_field field;
    uint64_t label[5] = {0};
    while (wire_next(&in, &field) == WIRE_FIELD) {
        if (field.number == PPROF_SAMPLE_LOCATION)
            sample->depth = keep_list(field.content, sample->locations, BOX_DEPTH_MAX);
        if (field.number == PPROF_SAMPLE_VALUE)
            assert_int_equal(keep_list(field.content, sample->values, PPROF_HEAP_VALUES),
                             PPROF_HEAP_VALUES);
        if (field.number == PPROF_SAMPLE_LABEL)
            keep_numbers(field.content, label, 5);
    }
    sample->label_key = label[PPROF_LABEL_KEY];
    sample->label_text = label[PPROF_LABEL_STR];
}

static void keep_field(struct kept *kept, const struct wire_field *field)
{
    uint64_t type[3] = {0};
    switch (field->number) {
    case PPROF_STRING_TABLE:
        snprintf(kept->strings[kept->string_count++ % KEPT_MAX], sizeof(kept->strings[0]), "%.*s",
                 (int)field->content.left_bytes, (const char *)field->content.at);
        break;
    case PPROF_MAPPING:
        keep_numbers(field->content, kept->mappings[kept->mapping_count++ % KEPT_MAX], 11);
        break;
    case PPROF_LOCATION:
        keep_numbers(field->content, kept->locations[kept->location_count++ % KEPT_MAX], 6);
        break;
    case PPROF_SAMPLE:
        keep_sample(field->content, &kept->samples[kept->sample_count++ % KEPT_MAX]);
        break;
    case PPROF_SAMPLE_TYPE:
        keep_numbers(field->content, type, 3);
        kept->types[kept->type_count++ % KEPT_MAX] = type[PPROF_VALUE_TYPE_TYPE];
        break;
    case PPROF_COMMENT:
        kept->comments[kept->comment_count++ % KEPT_MAX] = field->value;
        break;
    default:
        if (field->number < 16)
            kept->numbers[field->number] = field->value;
    }
}

static const struct box_profile_facts facts = {
    .time_ns = 3000000000ull, .rss_bytes = 8192, .threads = 3, .source = "signal"};

static struct kept *convert(const struct box_sample *sample)
{
    struct box_view view;
    struct buffer_sink buffer;
    struct kept *kept = calloc(1, sizeof(*kept));
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    buffer_sink_open(&buffer, 0);
    assert_true(box_profile_write(&view, &facts, &buffer.sink));
    struct wire_in in = {buffer.bytes, buffer.size_bytes};
    struct wire_field field;
    enum wire_step step;
    while ((step = wire_next(&in, &field)) == WIRE_FIELD)
        keep_field(kept, &field);
    assert_int_equal(step, WIRE_END);
    buffer_sink_free(&buffer);
    return kept;
}

static void types_are_the_fixed_list(void **state)
{
    static const char *const names[][2] = PPROF_HEAP_TYPES;
    struct kept *kept = convert(*state);
    assert_int_equal(kept->type_count, PPROF_HEAP_VALUES);
    for (size_t i = 0; i < PPROF_HEAP_VALUES; i++)
        assert_string_equal(kept->strings[kept->types[i]], names[i][0]);
    assert_string_equal(kept->strings[kept->numbers[PPROF_DEFAULT_SAMPLE_TYPE]], "inuse_space");
    assert_int_equal(kept->numbers[PPROF_PERIOD], 1);
    assert_int_equal(kept->numbers[PPROF_TIME_NANOS], 3000000000ull);
    assert_int_equal(kept->numbers[PPROF_DURATION_NANOS], 2000000000ull);
    free(kept);
}

static void program_is_the_first_mapping(void **state)
{
    struct kept *kept = convert(*state);
    assert_int_equal(kept->mapping_count, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(kept->mappings[i][PPROF_MAPPING_ID], i + 1);
    assert_string_equal(kept->strings[kept->mappings[0][PPROF_MAPPING_FILENAME]], "/opt/app");
    assert_string_equal(kept->strings[kept->mappings[0][PPROF_MAPPING_BUILD_ID]], "deadbe0f");
    assert_string_equal(kept->strings[kept->mappings[1][PPROF_MAPPING_FILENAME]],
                        "/usr/lib/libwork.so.1");
    assert_int_equal(kept->mappings[1][PPROF_MAPPING_OFFSET], 0x1000);
    assert_string_equal(kept->strings[kept->mappings[2][PPROF_MAPPING_FILENAME]], "[unknown]");
    free(kept);
}

static void locations_point_into_the_call(void **state)
{
    static const uint64_t expected[][2] = {
        {0x400100, 1}, {0x400200, 1}, {0x7f0000001500, 2}, {0x7f0000001601, 2}, {0xf, 3}};
    struct kept *kept = convert(*state);
    assert_int_equal(kept->location_count, 5);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(kept->locations[i][PPROF_LOCATION_ID], i + 1);
        assert_int_equal(kept->locations[i][PPROF_LOCATION_ADDRESS], expected[i][0]);
        assert_int_equal(kept->locations[i][PPROF_LOCATION_MAPPING], expected[i][1]);
    }
    free(kept);
}

static void samples_are_the_counted_sites(void **state)
{
    struct kept *kept = convert(*state);
    assert_int_equal(kept->sample_count, 2);
    const struct kept_sample *first = &kept->samples[0];
    static const uint64_t leaf_first[] = {3, 2, 1};
    assert_int_equal(first->depth, 3);
    assert_memory_equal(first->locations, leaf_first, sizeof(leaf_first));
    static const uint64_t values[] = {10, 1000, 0, 0, 10, 1000, 0, 0, 0, 6, 600};
    assert_memory_equal(first->values, values, sizeof(values));
    assert_string_equal(kept->strings[first->label_key], "mem_kind");
    assert_string_equal(kept->strings[first->label_text], "malloc");
    assert_string_equal(kept->strings[kept->samples[1].label_text], "mmap");
    free(kept);
}

/* Objects in parts of 1 / BOX_OBJECT_PARTS, but for mappings. */
static void sampled_objects_are_rounded(void **state)
{
    struct box_sample *sample = *state;
    struct box_site *site = box_sample_at(sample, BOX_SITES, 1);
    sample->header->flags |= BOX_FLAG_SAMPLED;
    sample->header->sample_period_bytes = 512 << 10;
    site->alloc_objects = 10 * BOX_OBJECT_PARTS + BOX_OBJECT_PARTS / 2;
    site->free_objects = 4 * BOX_OBJECT_PARTS + BOX_OBJECT_PARTS / 2 - 1;
    site->collected_objects = 3 * BOX_OBJECT_PARTS - 1;
    struct kept *kept = convert(sample);
    static const uint64_t values[] = {11, 1000, 3, 0, 11, 1000, 0, 0, 0, 6, 600},
                          mapped[] = {1, 4096};
    assert_memory_equal(kept->samples[0].values, values, sizeof(values));
    assert_memory_equal(kept->samples[1].values, mapped, sizeof(mapped));
    assert_int_equal(kept->numbers[PPROF_PERIOD], 512 << 10);
    free(kept);
}

/* Each figure by itself is rounded, and yet they add up. */
static void rounded_objects_add_up(void **state)
{
    struct box_sample *sample = *state;
    struct box_site *site = box_sample_at(sample, BOX_SITES, 1);
    const struct box_history none = {0};
    struct box_history *history =
        box_sample_at(sample, BOX_HISTORY, box_sample_add(sample, BOX_HISTORY, &none));
    unsigned seed = 1;
    sample->header->flags |= BOX_FLAG_SAMPLED;
    sample->header->collections = 1;
    for (int i = 0; i < 1000; i++) {
        uint64_t freed_then = (uint64_t)rand_r(&seed) % (5 * BOX_OBJECT_PARTS);
        uint64_t then = (uint64_t)rand_r(&seed) % (5 * BOX_OBJECT_PARTS);
        uint64_t since = (uint64_t)rand_r(&seed) % (5 * BOX_OBJECT_PARTS);
        history->alloc_objects = freed_then + then;
        site->collected_objects = then;
        site->alloc_objects = freed_then + then + since;
        site->free_objects = freed_then + (uint64_t)rand_r(&seed) % (then + since + 1);
        struct kept *kept = convert(sample);
        const uint64_t *values = kept->samples[0].values;
        int64_t freed = (int64_t)(values[PPROF_COLLECTED_OBJECTS] + values[PPROF_SINCE_OBJECTS] -
                                  values[PPROF_INUSE_OBJECTS]);
        assert_in_range(freed, 0, values[PPROF_ALLOC_OBJECTS] - values[PPROF_INUSE_OBJECTS]);
        assert_in_range(values[PPROF_SINCE_OBJECTS], 0, values[PPROF_ALLOC_OBJECTS]);
        assert_in_range(values[PPROF_SINCE_OBJECTS] + 1, since / BOX_OBJECT_PARTS,
                        since / BOX_OBJECT_PARTS + 3);
        free(kept);
    }
}

static void live_is_never_negative(void **state)
{
    struct box_sample *sample = *state;
    struct box_site *site = box_sample_at(sample, BOX_SITES, 1);
    site->free_objects = 11;
    site->free_bytes = UINT64_MAX;
    site->alloc_bytes = UINT64_MAX - 1;
    struct kept *kept = convert(sample);
    assert_int_equal(kept->samples[0].values[PPROF_INUSE_OBJECTS], 0);
    assert_int_equal(kept->samples[0].values[PPROF_INUSE_SPACE], 0);
    assert_true(kept->samples[0].values[PPROF_ALLOC_SPACE] == INT64_MAX);
    free(kept);
}

static bool has_comment(const struct kept *kept, const char *text)
{
    for (size_t i = 0; i < kept->comment_count; i++)
        if (strcmp(kept->strings[kept->comments[i]], text) == 0)
            return true;
    return false;
}

static void facts_are_comments(void **state)
{
    struct box_sample *sample = *state;
    sample->header->rss_bytes = 1; /* the caller knows better */
    sample->header->rss_peak_bytes = 12345;
    sample->header->lost.blocks = UINT64_MAX;
    sample->header->flags = BOX_FLAG_SPILLED;
    struct kept *kept = convert(sample);
    assert_true(has_comment(kept, "heapdiff.program: app"));
    assert_true(has_comment(kept, "heapdiff.pid: 4242"));
    assert_true(has_comment(kept, "heapdiff.command_line: ./app --fast"));
    assert_true(has_comment(kept, "heapdiff.start_time_ns: 1000000000"));
    assert_true(has_comment(kept, "heapdiff.snapshot_time_ns: 3000000000"));
    assert_true(has_comment(kept, "heapdiff.source: signal"));
    assert_true(has_comment(kept, "heapdiff.rss_bytes: 8192"));
    assert_true(has_comment(kept, "heapdiff.rss_peak_bytes: 12345"));
    assert_true(has_comment(kept, "heapdiff.threads: 3"));
    assert_true(has_comment(kept, "heapdiff.lost_blocks: 18446744073709551615"));
    assert_true(has_comment(kept, "heapdiff.cut_stacks: 0"));
    assert_true(has_comment(kept, "heapdiff.black_box_incomplete: 1"));
    assert_false(has_comment(kept, "heapdiff.host: "));
    free(kept);
}

static void cycles_end_at_the_depth_limit(void **state)
{
    struct box_sample *sample = *state;
    struct box_node *node = box_sample_at(sample, BOX_NODES, 1);
    node->parent = 3;
    struct kept *kept = convert(sample);
    assert_int_equal(kept->samples[0].depth, BOX_DEPTH_MAX);
    free(kept);
}

static void what_is_absent_is_lost(void **state)
{
    struct box_sample *sample = *state;
    struct box_node *node = box_sample_at(sample, BOX_NODES, 2);
    node->pc = 1000; /* no such pc */
    struct box_site *site = box_sample_at(sample, BOX_SITES, 2);
    site->node = 1000; /* no such node */
    struct kept *kept = convert(sample);
    assert_int_equal(kept->location_count, 6);
    const uint64_t *lost = kept->locations[5];
    assert_int_equal(lost[PPROF_LOCATION_ID], 6);
    const uint64_t *mapping = kept->mappings[lost[PPROF_LOCATION_MAPPING] - 1];
    assert_string_equal(kept->strings[mapping[PPROF_MAPPING_FILENAME]], "[lost]");
    assert_int_equal(kept->samples[0].depth, 3);
    assert_int_equal(kept->samples[0].locations[1], 6);
    assert_int_equal(kept->samples[1].depth, 1);
    assert_int_equal(kept->samples[1].locations[0], 6);
    free(kept);
}

static void absent_chunks_keep_ids_in_order(void **state)
{
    struct box_sample *sample = *state;
    for (int i = 0; i < 10; i++)
        box_sample_add(sample, BOX_PCS, &(struct box_pc){.address = 0x400300, .mapping = 2});
    sample->header->tables[BOX_PCS].chunk_at[0] = 0;
    struct kept *kept = convert(sample);
    assert_int_equal(kept->location_count, 15);
    for (uint64_t i = 0; i < kept->location_count; i++)
        assert_int_equal(kept->locations[i][PPROF_LOCATION_ID], i + 1);
    for (uint64_t i = 0; i < kept->mapping_count; i++)
        assert_int_equal(kept->mappings[i][PPROF_MAPPING_ID], i + 1);
    free(kept);
}

static void hostile_mappings_are_survived(void **state)
{
    struct box_sample *sample = *state;
    struct box_mapping *mapping = box_sample_at(sample, BOX_MAPPINGS, 1);
    mapping->build_id_bytes = UINT32_MAX;
    mapping->path = UINT32_MAX;
    struct box_pc *pc = box_sample_at(sample, BOX_PCS, 1);
    pc->mapping = UINT32_MAX;
    struct box_site *site = box_sample_at(sample, BOX_SITES, 1);
    site->kind = UINT8_MAX;
    struct kept *kept = convert(sample);
    assert_int_equal(kept->mappings[1][PPROF_MAPPING_BUILD_ID], 0);
    assert_string_equal(kept->strings[kept->mappings[1][PPROF_MAPPING_FILENAME]], "[unknown]");
    assert_int_equal(kept->locations[0][PPROF_LOCATION_MAPPING], 3);
    free(kept);
}

static void failed_sink_is_told(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    struct buffer_sink buffer;
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    buffer_sink_open(&buffer, 1);
    assert_false(box_profile_write(&view, &facts, &buffer.sink));
    buffer_sink_free(&buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, box_sample_setup, box_sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(types_are_the_fixed_list),
        TEST(program_is_the_first_mapping),
        TEST(locations_point_into_the_call),
        TEST(samples_are_the_counted_sites),
        TEST(sampled_objects_are_rounded),
        TEST(rounded_objects_add_up),
        TEST(live_is_never_negative),
        TEST(facts_are_comments),
        TEST(cycles_end_at_the_depth_limit),
        TEST(what_is_absent_is_lost),
        TEST(absent_chunks_keep_ids_in_order),
        TEST(hostile_mappings_are_survived),
        TEST(failed_sink_is_told),
    };
    return cmocka_run_group_tests_name("format/box_profile", tests, NULL, NULL);
}
