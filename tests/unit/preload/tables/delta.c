#include "preload/tables/delta.h"

#include "preload/ground/arena.h"
#include "preload/tables/lot.h"
#include "preload/tables/site.h"
#include "preload/ground/sys.h"

#include "recorder.h"

#include "format/box_cut.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SIZE = 100, SLOTS_MIN = 64, SLOTS_MAX = 16384 };

static uint32_t lots;

static const struct box_site *site_of(uint32_t lot)
{
    return arena_entry(BOX_SITES, lot_at(lot)->site);
}

static int before_each(void **state)
{
    static struct delta delta;
    delta_init(&delta);
    *state = &delta;
    lots = recorder_lots(3 * SLOTS_MAX, SIZE);
    return lots == BOX_NONE;
}

static void test_counts_come_to_sites_by_a_fold(void **state)
{
    struct delta *delta = *state;
    for (int i = 0; i < 5; i++)
        delta_alloc(delta, lots);
    delta_free(delta, lots);
    delta_alloc(delta, lots + 1);
    assert_int_equal(site_of(lots)->alloc_objects, 0);
    delta_fold(delta);
    delta_fold(delta); /* nothing is left for a second time */
    assert_int_equal(site_of(lots)->alloc_objects, 5);
    assert_int_equal(site_of(lots)->alloc_bytes, 5 * SIZE);
    assert_int_equal(site_of(lots)->free_objects, 1);
    assert_int_equal(site_of(lots)->free_bytes, SIZE);
    assert_int_equal(site_of(lots + 1)->alloc_objects, 1);
}

/* Blocks that another thread allocated. */
static void test_more_freed_than_allocated(void **state)
{
    struct delta *delta = *state;
    int64_t before = delta_live_bytes();
    for (int i = 0; i < 7; i++)
        delta_free(delta, lots);
    assert_int_equal(delta_live_bytes() - before, -7 * SIZE);
    delta_fold(delta);
    assert_int_equal(site_of(lots)->free_objects, 7);
    assert_int_equal(site_of(lots)->alloc_objects, 0);
    assert_int_equal(delta_live_bytes(), before);
}

static void test_one_lot_pushes_out_another(void **state)
{
    struct delta *delta = *state;
    delta_alloc(delta, lots);
    delta_alloc(delta, lots + SLOTS_MIN);
    assert_int_equal(site_of(lots)->alloc_objects, 1);
    assert_int_equal(site_of(lots + SLOTS_MIN)->alloc_objects, 0);
    delta_free(delta, lots);
    assert_int_equal(site_of(lots + SLOTS_MIN)->alloc_objects, 1);
    assert_int_equal(site_of(lots)->free_objects, 0);
    delta_fold(delta);
    assert_int_equal(site_of(lots)->free_objects, 1);
}

static void test_full_counters_spill(void **state)
{
    struct delta *delta = *state;
    delta_alloc(delta, lots);
    struct box_delta *slot = delta_slot(delta, lots);
    slot->allocs = slot->frees = INT32_MAX;
    delta_alloc(delta, lots);
    assert_int_equal(site_of(lots)->alloc_objects, 1ull << 31);
    assert_int_equal(site_of(lots)->alloc_bytes, (1ull << 31) * SIZE);
    assert_int_equal(site_of(lots)->free_objects, INT32_MAX);
    slot->frees = INT32_MAX;
    delta_free(delta, lots);
    assert_int_equal(site_of(lots)->free_objects, INT32_MAX + (1ull << 31));
}

static void expect_all(uint32_t count, uint64_t objects)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(site_of(lots + i)->alloc_objects, objects);
        assert_int_equal(site_of(lots + i)->alloc_bytes, objects * SIZE);
    }
}

/* Round by round through more lots than there are slots. */
static void test_grows_where_slots_are_pushed_out_early(void **state)
{
    struct delta *delta = *state;
    uint32_t mask = 0, grown = 0;
    for (int round = 0; round < 6; round++)
        for (uint32_t i = 0; i < 2 * SLOTS_MAX; i++) {
            delta_alloc(delta, lots + i);
            grown += delta->mask != mask;
            mask = delta->mask;
        }
    assert_int_equal(mask, SLOTS_MAX - 1);
    assert_int_equal(grown, 5);
    delta_fold(delta);
    expect_all(2 * SLOTS_MAX, 6);
}

static void test_stays_where_slots_earn_their_place(void **state)
{
    struct delta *delta = *state;
    for (int round = 0; round < 4; round++)
        for (uint32_t i = 0; i < 8 * SLOTS_MIN; i++)
            for (int j = 0; j < 50; j++)
                delta_alloc(delta, lots + i);
    assert_int_equal(delta->mask, SLOTS_MIN - 1);
    delta_fold(delta);
    expect_all(8 * SLOTS_MIN, 200);
}

static void churn(struct delta *delta)
{
    for (uint32_t i = 0; i < 3 * SLOTS_MAX; i++)
        delta_alloc(delta, lots + i);
}

/* What one has outgrown is what the next one begins with. */
static void test_outgrown_tables_are_used_again(void **state)
{
    struct delta *delta = *state, other;
    churn(delta);
    uint64_t made = arena.tables[BOX_DELTAS].count;
    delta_init(&other);
    delta_alloc(&other, lots);
    assert_int_equal(arena.tables[BOX_DELTAS].count, made);
    assert_ptr_not_equal(other.slots, delta->slots);
    assert_int_equal(other.slots[lots & other.mask].allocs, 1);
    delta_fold(delta);
    delta_fold(&other);
    assert_int_equal(site_of(lots)->alloc_objects, 2);
}

/* A thread that ends keeps a small table, with what is in it, and hands on a large one. */
static void test_trimmed_tables_are_used_again(void **state)
{
    struct delta *delta = *state, other;
    delta_free(delta, lots);
    delta_trim(delta);
    assert_int_equal(delta->slots[lots & delta->mask].frees, 1);
    assert_int_equal((uintptr_t)delta->slots % 64, 0); /* no cache line is a neighbour's, too */
    churn(delta);
    uint64_t made = arena.tables[BOX_DELTAS].count;
    const struct box_delta *large = delta->slots;
    delta_trim(delta);
    expect_all(3 * SLOTS_MAX, 1);
    delta_alloc(delta, lots + 1);
    assert_int_equal(delta->mask, SLOTS_MIN - 1);
    delta_init(&other);
    churn(&other);
    assert_ptr_equal(other.slots, large);
    assert_in_range(arena.tables[BOX_DELTAS].count, made, made + SLOTS_MIN);
    delta_fold(delta);
    delta_fold(&other);
}

/* Many threads with many lots each: tables stop growing, and no thread goes without one. */
static void test_all_tables_together_are_bounded(void **state)
{
    (void)state;
    enum { DELTAS = 100 };
    static struct delta deltas[DELTAS];
    for (int i = 0; i < DELTAS; i++) {
        delta_init(&deltas[i]);
        churn(&deltas[i]);
        assert_in_range(deltas[i].mask, SLOTS_MIN - 1, SLOTS_MAX - 1);
    }
    assert_true(deltas[DELTAS - 1].mask < SLOTS_MAX - 1);
    assert_true(arena.tables[BOX_DELTAS].count < 3 << 20); /* the rest of chunks included */
    for (int i = 0; i < DELTAS; i++)
        delta_fold(&deltas[i]);
    expect_all(3 * SLOTS_MAX, DELTAS);
}

/* Nothing waits in memory that is not in the box. */
static void test_without_memory_all_goes_to_sites(void **state)
{
    struct delta *delta = *state, others[600]; /* until the pool is empty too */
    uint32_t count = arena.tables[BOX_DELTAS].count;
    arena.tables[BOX_DELTAS].count = UINT32_MAX - 2;
    for (int i = 0; i < 600; i++) {
        delta_init(&others[i]);
        delta_alloc(&others[i], lots + 2);
    }
    for (int i = 0; i < 3; i++) {
        delta_alloc(delta, lots);
        delta_alloc(delta, lots);
        delta_free(delta, lots);
        delta_alloc(delta, lots + 1);
    }
    arena.tables[BOX_DELTAS].count = count;
    assert_int_equal(site_of(lots)->alloc_objects, 6);
    assert_int_equal(site_of(lots)->free_objects, 3);
    assert_int_equal(site_of(lots + 1)->alloc_bytes, 3 * SIZE);
}

static void test_marks_add_what_sites_do_not_know(void **state)
{
    struct delta *delta = *state;
    site_count_alloc(lot_at(lots)->site, 10, 10 * SIZE);
    for (int i = 0; i < 3; i++)
        delta_free(delta, lots);
    delta_alloc(delta, lots + 1);
    site_mark();
    delta_mark();
    assert_int_equal(site_of(lots)->collected_objects, 7);
    assert_int_equal(site_of(lots)->collected_bytes, 7 * SIZE);
    assert_int_equal(site_of(lots + 1)->collected_objects, 1);
    assert_int_equal(site_of(lots + 2)->collected_objects, 0);
}

static void test_a_reset_forgets(void **state)
{
    struct delta *delta = *state;
    churn(delta);
    delta_reset();
    site_reset();
    assert_int_equal(delta_live_bytes(), 0);
    delta_alloc(delta, lots); /* on the table it has */
    delta_fold(delta);
    assert_int_equal(site_of(lots)->alloc_objects, 1);
    assert_int_equal(site_of(lots + 1)->alloc_objects, 0);
}

/* Two lots that push each other out all the time, counted by a thread that nobody makes wait. */
static struct {
    uint32_t lot, other;
    uint64_t allocs; /* of `lot`, before it is counted; atomic */
    uint64_t frees;  /* after */
    bool stop;
} duel;

static void *fight(void *unused)
{
    static struct delta delta;
    (void)unused;
    delta_init(&delta);
    while (!__atomic_load_n(&duel.stop, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 3; i++) {
            __atomic_store_n(&duel.allocs, duel.allocs + 1, __ATOMIC_RELEASE);
            delta_alloc(&delta, duel.lot);
            delta_free(&delta, duel.lot);
            __atomic_store_n(&duel.frees, duel.frees + 1, __ATOMIC_RELEASE);
        }
        delta_alloc(&delta, duel.other);
    }
    return NULL;
}

static struct box_site read_duel(void)
{
    struct box_view view;
    arena_view(&view);
    void *room = malloc(box_cut_read_bytes(&view));
    while (!box_cut_read(&view, room)) {
        sched_yield(); /* it lost its processor in the middle of it */
        arena_view(&view);
    }
    struct box_site site =
        *(const struct box_site *)box_view_entry(&view, BOX_SITES, lot_at(duel.lot)->site);
    free(room);
    return site;
}

/* A reader in another process: all that was counted before it came, once, and nothing freed before. */
static void test_readers_need_no_gate(void **state)
{
    (void)state;
    pthread_t thread;
    struct box_site before;
    delta_fold(*state);
    duel.lot = lots;
    duel.other = lots + SLOTS_MAX;
    before = read_duel();
    assert_int_equal(pthread_create(&thread, NULL, fight, NULL), 0);
    uint64_t end_ns = sys_uptime_ns() + 1000000000u; /* beside other tests, a read may take long */
    for (int i = 0; i < 3000 && (i < 10 || sys_uptime_ns() < end_ns); i++) {
        uint64_t frees = __atomic_load_n(&duel.frees, __ATOMIC_ACQUIRE);
        struct box_site now = read_duel();
        uint64_t allocs = __atomic_load_n(&duel.allocs, __ATOMIC_ACQUIRE);
        assert_in_range(now.alloc_objects - before.alloc_objects, frees, allocs);
        assert_in_range(now.free_objects - before.free_objects, frees, allocs);
        assert_in_range(now.alloc_objects - now.free_objects -
                            (before.alloc_objects - before.free_objects),
                        0, allocs - frees);
    }
    __atomic_store_n(&duel.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_true(duel.frees > 1000);
}

#define TEST(name) cmocka_unit_test_setup(test_##name, before_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_come_to_sites_by_a_fold),
        TEST(more_freed_than_allocated),
        TEST(one_lot_pushes_out_another),
        TEST(full_counters_spill),
        TEST(grows_where_slots_are_pushed_out_early),
        TEST(trimmed_tables_are_used_again),
        TEST(stays_where_slots_earn_their_place),
        TEST(outgrown_tables_are_used_again),
        TEST(marks_add_what_sites_do_not_know),
        TEST(readers_need_no_gate),
        TEST(a_reset_forgets),
        TEST(all_tables_together_are_bounded),
        TEST(without_memory_all_goes_to_sites),
    };
    return recorder_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
