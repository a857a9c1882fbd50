#include "preload/tables/lot.h"

#include "plate_pages.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SITES = 64, THREADS = 4, ROUNDS = 20000 };

/* Its sites: entries 1 to SITES. */
static int set_up(void **state)
{
    long error;
    (void)state;
    if (!arena_open(NULL, "unit", 1, &error))
        return -1;
    return arena_append(BOX_SITES, SITES) == 1 ? 0 : -1;
}

static void assert_lot(uint32_t lot, uint32_t site, uint32_t size_bytes)
{
    assert_int_not_equal(lot, 0);
    assert_int_equal(lot_at(lot)->site, site);
    assert_int_equal(lot_at(lot)->size_bytes, size_bytes);
}

static void test_a_pair_has_one_lot(void **state)
{
    (void)state;
    for (uint32_t site = 1; site <= 20; site++)
        for (uint32_t size = 0; size < LOT_SMALL_BYTES; size++)
            assert_lot(lot_intern(site, size), site, size);
    uint32_t count = arena.tables[BOX_LOTS].count;
    for (uint32_t site = 1; site <= 20; site++)
        for (uint32_t size = 0; size < LOT_SMALL_BYTES; size++)
            assert_lot(lot_intern(site, size), site, size);
    assert_int_equal(arena.tables[BOX_LOTS].count, count);
    assert_int_equal(arena.header->tables[BOX_LOTS].count, count);
    assert_true(lot_own_bytes() >= 20 * 1024 * 8);
}

static void test_large_sizes_are_few(void **state)
{
    (void)state;
    uint32_t first = lot_intern(30, LOT_SMALL_BYTES);
    for (uint32_t i = 0; i < LOT_LARGE_MAX; i++)
        assert_lot(lot_intern(30, LOT_SMALL_BYTES + i), 30, LOT_SMALL_BYTES + i);
    assert_int_equal(lot_intern(30, LOT_SMALL_BYTES + LOT_LARGE_MAX), 0);
    assert_int_equal(lot_intern(30, UINT32_MAX), 0);
    assert_int_equal(lot_intern(30, LOT_SMALL_BYTES), first);
    assert_lot(lot_intern(30, LOT_SMALL_BYTES - 1), 30, LOT_SMALL_BYTES - 1);
    assert_lot(lot_intern(31, UINT32_MAX), 31, UINT32_MAX);
    assert_int_equal(lot_intern(31, 1ull << 32), 0);
    assert_int_equal(lot_intern(31, (1ull << 32) + 16), 0);
}

/* As the tracker does. */
static uint32_t lot_find(struct lot_cache *cache, uint32_t site, uint64_t size_bytes)
{
    uint32_t lot = lot_kept(cache, site, size_bytes);
    if (!lot && (lot = lot_intern(site, size_bytes)) != 0)
        lot_keep(cache, site, size_bytes, lot);
    return lot;
}

static void test_the_cache_says_the_same(void **state)
{
    (void)state;
    static struct lot_cache cache;
    srand(1);
    for (int i = 0; i < 200000; i++) {
        uint32_t site = 1 + (uint32_t)rand() % 20;
        uint64_t size = (uint64_t)rand() % 1100;
        assert_int_equal(lot_find(&cache, site, size), lot_intern(site, size));
    }
    assert_lot(lot_find(&cache, 32, 16), 32, 16);
    assert_int_equal(lot_find(&cache, 32, (1ull << 32) + 16), 0);
    assert_int_equal(lot_find(&cache, 0, 0), 0);
}

static void test_a_cached_lot_takes_no_look(void **state)
{
    (void)state;
    static struct lot_cache cache;
    uint32_t lot = lot_find(&cache, 33, 40);
    memset(arena_entry(BOX_LOTS, lot), 0, sizeof(struct box_lot)); /* cannot be found again */
    assert_int_equal(lot_find(&cache, 33, 40), lot);
    assert_int_equal(lot_kept(&cache, 33, 40), lot);
    assert_int_equal(lot_kept(&cache, 33, 41), 0);
    assert_int_not_equal(lot_intern(33, 40), lot);
}

static void test_full_table(void **state)
{
    (void)state;
    uint32_t count = arena.tables[BOX_LOTS].count, known = lot_intern(34, 1);
    static struct lot_cache cache;
    arena.tables[BOX_LOTS].count = LOT_MAX;
    uint32_t last = lot_find(&cache, 34, 2);
    assert_int_equal(last, LOT_MAX);
    assert_lot(last, 34, 2);
    assert_int_equal(lot_find(&cache, 34, 3), 0);
    assert_int_equal(lot_find(&cache, 34, 3), 0);
    assert_int_equal(lot_find(&cache, 34, 2), last);
    assert_int_equal(lot_find(&cache, 34, 1), known);
    arena.tables[BOX_LOTS].count = count + 1;
}

/* Neither the table nor its index may grow: what is refused leaves nothing behind. */
static void test_no_memory(void **state)
{
    (void)state;
    uint32_t size = 0;
    plate_pages_left = 0;
    while (lot_intern(40 + size / LOT_SMALL_BYTES, size % LOT_SMALL_BYTES) != 0)
        size++;
    uint32_t count = arena.tables[BOX_LOTS].count;
    for (int i = 0; i < 100; i++)
        assert_int_equal(lot_intern(40 + size / LOT_SMALL_BYTES, size % LOT_SMALL_BYTES), 0);
    assert_in_range(arena.tables[BOX_LOTS].count, count, count + 1);
    plate_pages_left = -1;
    assert_lot(lot_intern(40 + size / LOT_SMALL_BYTES, size % LOT_SMALL_BYTES),
               40 + size / LOT_SMALL_BYTES, size % LOT_SMALL_BYTES);
}

static void *worker(void *argument)
{
    struct lot_cache *cache = calloc(1, sizeof(*cache));
    size_t wrong = 0;
    (void)argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t site = 35 + i % 3, size = i / 4 % LOT_SMALL_BYTES;
        uint32_t lot = lot_find(cache, site, size);
        wrong += lot == 0 || lot_at(lot)->site != site || lot_at(lot)->size_bytes != size ||
                 lot_intern(site, size) != lot;
    }
    free(cache);
    return (void *)wrong;
}

static void test_threads_agree(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pair_has_one_lot),
        cmocka_unit_test(test_large_sizes_are_few),
        cmocka_unit_test(test_the_cache_says_the_same),
        cmocka_unit_test(test_a_cached_lot_takes_no_look),
        cmocka_unit_test(test_threads_agree),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_full_table),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
