#include "format/box_cut.h"

#include "box_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct box_sample sample;
static struct box_view view;
static void *room;

static int setup(void **state)
{
    (void)state;
    room = NULL;
    box_sample_open(&sample);
    box_sample_fill(&sample);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(room);
    box_sample_free(&sample);
    return 0;
}

static void add_delta(uint32_t lot, uint32_t allocs, uint32_t frees)
{
    struct box_delta delta = {.lot = lot, .allocs = allocs, .frees = frees};
    box_sample_add(&sample, BOX_DELTAS, &delta);
}

static uint32_t add_lot(uint32_t site, uint32_t size_bytes)
{
    struct box_lot lot = {.site = site, .size_bytes = size_bytes};
    return box_sample_add(&sample, BOX_LOTS, &lot);
}

/* At rest, the two ways lead to the same counts. */
static void read_is_the_same(void)
{
    struct box_view other;
    assert_null(box_view_open(&other, sample.bytes, sample.size_bytes));
    void *copy = malloc(box_cut_read_bytes(&other));
    assert_non_null(copy);
    assert_true(box_cut_read(&other, copy));
    for (uint32_t i = 0; i < view.tables[BOX_SITES].count; i++) {
        const struct box_site *read = box_view_entry(&other, BOX_SITES, i);
        const struct box_site *settled = box_view_entry(&view, BOX_SITES, i);
        assert_int_equal(!read, !settled);
        if (read)
            assert_memory_equal(read, settled, sizeof(*read));
    }
    free(copy);
}

static void settle(void)
{
    assert_null(box_view_open(&view, sample.bytes, sample.size_bytes));
    room = malloc(box_cut_bytes(&view));
    assert_non_null(room);
    box_cut_copy(&view, room);
    box_cut_settle(&view);
    read_is_the_same();
}

static const struct box_site *site(uint32_t index)
{
    return box_view_entry(&view, BOX_SITES, index);
}

static void deltas_are_added_to_their_sites(void **state)
{
    (void)state;
    uint32_t small = add_lot(1, 10), large = add_lot(1, 0xffffffff), other = add_lot(3, 7);
    add_delta(small, 3, 1);
    add_delta(large, 1, 0);
    add_delta(small, 0, 2); /* another thread's */
    add_delta(other, 5, 5);
    settle();
    assert_int_equal(site(1)->alloc_objects, 10 + 3 + 1);
    assert_int_equal(site(1)->alloc_bytes, 1000 + 3 * 10 + 0xffffffffull);
    assert_int_equal(site(1)->free_objects, 4 + 3);
    assert_int_equal(site(1)->free_bytes, 400 + 3 * 10);
    assert_int_equal(site(2)->alloc_objects, 1);
    assert_int_equal(site(3)->free_bytes, 35);
}

static void the_box_stays_as_it_is(void **state)
{
    (void)state;
    add_delta(add_lot(1, 10), 3, 1);
    settle();
    const struct box_site *source = box_sample_at(&sample, BOX_SITES, 1);
    assert_int_equal(source->alloc_objects, 10);
    ((struct box_site *)box_sample_at(&sample, BOX_SITES, 2))->alloc_objects = 77;
    sample.header->collections = 77;
    assert_int_equal(site(2)->alloc_objects, 1);
    assert_int_equal(view.header->collections, 0);
}

/* Beyond the first chunks: each table's are as far apart as they were made. */
static void many_sites_over_chunks(void **state)
{
    (void)state;
    enum { SITES = 500 };
    uint32_t first = (uint32_t)sample.header->tables[BOX_SITES].count;
    for (uint32_t i = 0; i < SITES; i++) {
        struct box_site made = {.node = 1, .alloc_objects = i, .alloc_bytes = 2ull * i};
        box_sample_add(&sample, BOX_SITES, &made);
        add_delta(add_lot(first + i, 5), i, 0);
    }
    settle();
    for (uint32_t i = 0; i < SITES; i++) {
        assert_int_equal(site(first + i)->alloc_objects, 2ull * i);
        assert_int_equal(site(first + i)->alloc_bytes, 7ull * i);
        assert_int_equal(site(first + i)->node, 1);
    }
    assert_null(site(first + SITES));
}

static void what_points_nowhere_is_left_out(void **state)
{
    (void)state;
    add_delta(99, 1, 1);
    add_delta(UINT32_MAX, 1, 1);
    add_delta(BOX_NONE, 1, 1);
    add_delta(add_lot(99, 8), 1, 1);
    add_delta(add_lot(BOX_NONE, 8), 1, 1);
    add_delta(add_lot(UINT32_MAX, 8), 1, 1);
    settle();
    assert_int_equal(site(0)->alloc_objects, 0);
    assert_int_equal(site(1)->alloc_objects, 10);
    assert_int_equal(site(2)->alloc_objects, 1);
    assert_int_equal(site(3)->alloc_objects, 0);
}

/* A part of a table that did not fit into the file. */
static void absent_chunks_stay_absent(void **state)
{
    (void)state;
    uint32_t lot = add_lot(1, 10);
    for (uint32_t i = 0; i < 20; i++)
        add_delta(lot, 1, 0); /* entries 1 to 20: 8, 16 and 32 a chunk */
    sample.header->tables[BOX_DELTAS].chunk_at[0] = 0;
    settle();
    assert_int_equal(site(1)->alloc_objects, 10 + 20 - 7);
    sample.header->tables[BOX_SITES].chunk_at[0] = 0;
    free(room);
    settle();
    assert_null(site(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deltas_are_added_to_their_sites), TEST(the_box_stays_as_it_is),
        TEST(many_sites_over_chunks),          TEST(what_points_nowhere_is_left_out),
        TEST(absent_chunks_stay_absent),
    };
    return cmocka_run_group_tests_name("format/box_cut", tests, NULL, NULL);
}
