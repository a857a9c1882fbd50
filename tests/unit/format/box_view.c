#include "format/box_view.h"

#include "box_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *reason_of(const struct box_sample *sample)
{
    struct box_view view;
    return box_view_open(&view, sample->bytes, sample->size_bytes);
}

static void entries_are_found(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    const struct box_site *site = box_view_entry(&view, BOX_SITES, 1);
    assert_non_null(site);
    assert_int_equal(site->alloc_bytes, 1000);
    const struct box_mapping *mapping = box_view_entry(&view, BOX_MAPPINGS, 2);
    assert_non_null(mapping);
    assert_string_equal(box_view_text(&view, mapping->path), "/opt/app");
    assert_null(box_view_entry(&view, BOX_SITES, 4));
    assert_null(box_view_entry(&view, BOX_SITES, UINT64_MAX));
    assert_string_equal(box_view_text(&view, UINT32_MAX), "");
}

static void many_entries_over_chunks(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    for (uint32_t i = 6; i < 1000; i++) {
        struct box_pc pc = {.address = i};
        assert_int_equal(box_sample_add(sample, BOX_PCS, &pc), i);
    }
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    for (uint32_t i = 6; i < 1000; i++) {
        const struct box_pc *pc = box_view_entry(&view, BOX_PCS, i);
        assert_true(pc && pc->address == i);
    }
}

static void absent_chunk_reads_as_null(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    struct box_pc pc = {.address = 1};
    for (int i = 0; i < 100; i++)
        box_sample_add(sample, BOX_PCS, &pc);
    sample->header->tables[BOX_PCS].chunk_at[0] = 0;
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    assert_null(box_view_entry(&view, BOX_PCS, 3));
    assert_non_null(box_view_entry(&view, BOX_PCS, 8));
}

static void counts_are_clamped_to_chunks(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    for (unsigned i = 0; i < BOX_TABLES; i++)
        sample->header->tables[i].count = UINT64_MAX;
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    assert_int_equal(view.tables[BOX_SITES].count, 1 << BOX_SAMPLE_SHIFT);
    memset(sample->header->tables[BOX_SITES].chunk_at, 0, sizeof(uint64_t[BOX_CHUNKS_MAX]));
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    assert_int_equal(view.tables[BOX_SITES].count, 0);
}

static void unterminated_text_is_empty(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    assert_null(box_view_open(&view, sample->bytes, sample->size_bytes));
    uint64_t last = view.tables[BOX_TEXT].count - 1;
    *(char *)box_sample_at(sample, BOX_TEXT, last) = 'x';
    assert_string_equal(box_view_text(&view, (uint32_t)last), "");
    assert_string_equal(box_view_text(&view, (uint32_t)last - 3), "");
}

static void wrong_files_are_refused(void **state)
{
    struct box_sample *sample = *state;
    struct box_view view;
    assert_string_equal(box_view_open(&view, sample->bytes, 0), "not a black box");
    assert_string_equal(box_view_open(&view, sample->bytes, 15), "not a black box");
    assert_string_equal(box_view_open(&view, sample->bytes, 16), "truncated black box");
    assert_string_equal(box_view_open(&view, sample->bytes, BOX_HEADER_BYTES),
                        "truncated black box");
    assert_string_equal(box_view_open(&view, sample->bytes, sample->size_bytes - 1),
                        "truncated black box");
    sample->header->magic[3] ^= 1;
    assert_string_equal(reason_of(sample), "not a black box");
}

static void damaged_headers_are_refused(void **state)
{
    struct box_sample *sample = *state;
    struct box_header *header = sample->header;
    header->version = BOX_VERSION + 1;
    assert_non_null(reason_of(sample));
    header->version = BOX_VERSION;
    header->header_bytes--;
    assert_non_null(reason_of(sample));
    header->header_bytes++;
    header->state = BOX_STATE_NEW;
    assert_non_null(reason_of(sample));
    header->state = 3;
    assert_non_null(reason_of(sample));
    header->state = BOX_STATE_DONE;
    assert_null(reason_of(sample));
    memset(header->host, 'x', sizeof(header->host));
    assert_non_null(reason_of(sample));
}

static void damaged_tables_are_refused(void **state)
{
    struct box_sample *sample = *state;
    struct box_table *table = &sample->header->tables[BOX_SITES];
    static const uint64_t places[] = {1,       BOX_HEADER_BYTES - 8, BOX_HEADER_BYTES + 4,
                                      1 << 30, UINT64_MAX - 7,       1ull << 63};
    uint64_t right = table->chunk_at[0];
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        table->chunk_at[0] = places[i];
        assert_non_null(reason_of(sample));
    }
    table->chunk_at[0] = right;
    table->chunk_at[BOX_CHUNKS_MAX - 1] = BOX_HEADER_BYTES;
    assert_non_null(reason_of(sample));
    table->chunk_at[BOX_CHUNKS_MAX - 1] = 0;
    assert_null(reason_of(sample));
    table->entry_bytes = 63;
    assert_non_null(reason_of(sample));
    table->entry_bytes = 64;
    table->shift = 64;
    assert_non_null(reason_of(sample));
    table->shift = 31;
    assert_non_null(reason_of(sample));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, box_sample_setup, box_sample_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_are_found),           TEST(many_entries_over_chunks),
        TEST(absent_chunk_reads_as_null),  TEST(counts_are_clamped_to_chunks),
        TEST(unterminated_text_is_empty),  TEST(wrong_files_are_refused),
        TEST(damaged_headers_are_refused), TEST(damaged_tables_are_refused),
    };
    return cmocka_run_group_tests_name("format/box_view", tests, NULL, NULL);
}
