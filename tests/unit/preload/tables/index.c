#include "preload/tables/index.h"

#include "fake_pages.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    ITEMS = 1000000,
    COLLIDING = 300,
    FIRST_SLOTS = 512, /* a new index has so many */
    READERS = 3,
    SHARED_ITEMS = 100000
};

/* The entries: item i has this key. */
static uint64_t keys[ITEMS + 1];
static uint32_t comparisons;

static bool key_equal(uint32_t item, const void *key)
{
    __atomic_fetch_add(&comparisons, 1, __ATOMIC_RELAXED);
    return keys[item] == *(const uint64_t *)key;
}

static uint32_t find(const struct index *index, uint64_t hash, uint64_t key)
{
    return index_find(index, hash, key_equal, &key);
}

static int before_each(void **state)
{
    (void)state;
    memset(keys, 0, sizeof(keys));
    fake_pages_left = -1;
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    const struct index index = {0};
    assert_int_equal(find(&index, 0, 1), 0);
    assert_int_equal(find(&index, UINT64_MAX, 1), 0);
    assert_int_equal(index.own_bytes, 0);
}

/* Different hashes, equal in the part that slots keep: only the keys tell them apart. */
static void test_colliding_hashes(void **state)
{
    (void)state;
    static const uint64_t tags[] = {0, 0xffffffff00000000, 0x8000000000000000};
    for (size_t round = 0; round < sizeof(tags) / sizeof(tags[0]); round++) {
        struct index index = {0};
        for (uint32_t i = 1; i <= COLLIDING; i++) {
            keys[i] = 1000 + i;
            assert_int_equal(find(&index, tags[round] | i, keys[i]), 0);
            assert_true(index_add(&index, tags[round] | i, i));
        }
        for (uint32_t i = 1; i <= COLLIDING; i++)
            assert_int_equal(find(&index, tags[round] | i, 1000 + i), i);
        assert_int_equal(find(&index, tags[round], 1), 0);
        assert_int_equal(index.count, COLLIDING);
    }
}

/* The same key under another hash is another key: nothing is compared but equal tags. */
static void test_hash_is_asked_first(void **state)
{
    (void)state;
    struct index index = {0};
    keys[1] = 7;
    assert_true(index_add(&index, 1ull << 32, 1));
    comparisons = 0;
    assert_int_equal(find(&index, 2ull << 32, 7), 0);
    assert_int_equal(comparisons, 0);
    assert_int_equal(find(&index, 1ull << 32, 7), 1);
    assert_int_equal(comparisons, 1);
}

/* A dead entry's key equals nothing; its successor is found behind it. */
static void test_dead_entries_are_passed_over(void **state)
{
    (void)state;
    struct index index = {0};
    keys[1] = keys[2] = 7;
    assert_true(index_add(&index, index_mix(7), 1));
    assert_int_equal(find(&index, index_mix(7), 7), 1);
    keys[1] = 0;
    assert_int_equal(find(&index, index_mix(7), 7), 0);
    assert_true(index_add(&index, index_mix(7), 2));
    assert_int_equal(find(&index, index_mix(7), 7), 2);
}

/* Neighbouring keys, as addresses and indexes are. */
static void test_a_million_items(void **state)
{
    (void)state;
    struct index index = {0};
    for (uint32_t i = 1; i <= ITEMS; i++) {
        keys[i] = 0x550000000000 + 16ull * i;
        assert_true(index_add(&index, index_mix(keys[i]), i));
    }
    comparisons = 0;
    for (uint32_t i = 1; i <= ITEMS; i++)
        assert_true(find(&index, index_mix(keys[i]), keys[i]) == i);
    assert_true(comparisons < ITEMS + ITEMS / 100); /* a comparison costs a walk of a stack */
    for (uint64_t key = 1; key < 100000; key++)
        assert_true(find(&index, index_mix(key), key) == 0);
    assert_int_equal(index.count, ITEMS);
    assert_in_range(index.own_bytes, 2 * 8 * ITEMS, 8 * 8 * ITEMS);
}

/* Full is 7/8 full: a search still comes to an end. */
static void test_growth_that_fails(void **state)
{
    (void)state;
    struct index index = {0};
    uint32_t added = 0;
    fake_pages_left = 1;
    for (uint32_t i = 1; i <= FIRST_SLOTS; i++) {
        keys[i] = i;
        added += index_add(&index, index_mix(i), i);
    }
    assert_int_equal(added, FIRST_SLOTS / 8 * 7);
    for (uint32_t i = 1; i <= FIRST_SLOTS; i++)
        assert_int_equal(find(&index, index_mix(i), i), i <= added ? i : 0);
    fake_pages_left = -1; /* memory is back */
    for (uint32_t i = added + 1; i <= FIRST_SLOTS; i++)
        assert_true(index_add(&index, index_mix(i), i));
    for (uint32_t i = 1; i <= FIRST_SLOTS; i++)
        assert_int_equal(find(&index, index_mix(i), i), i);
}

/* Who still reads the old ones finds nothing there, and looks again. */
static void test_replaced_slots_are_empty(void **state)
{
    (void)state;
    enum { HALF = 8 * FIRST_SLOTS, PAGE_SLOTS = 4096 / sizeof(uint64_t) };
    struct index index = {0};
    for (uint32_t i = 1; i <= HALF; i++) {
        keys[i] = i;
        index_add(&index, index_mix(i), i);
    }
    const struct index_slots *old = index.slots;
    uint32_t bits = old->bits;
    assert_int_equal(1 << bits, 2 * HALF);
    keys[HALF + 1] = HALF + 1;
    index_add(&index, index_mix(HALF + 1), HALF + 1);
    assert_ptr_not_equal(index.slots, old);
    assert_int_equal(old->bits, bits);
    for (uint32_t i = PAGE_SLOTS; i < 2 * HALF; i++)
        assert_int_equal(old->slot[i], 0);
    for (uint32_t i = 1; i <= HALF + 1; i++)
        assert_int_equal(find(&index, index_mix(i), i), i);
    assert_true(index.own_bytes < 6 * HALF * sizeof(uint64_t));
}

static void test_no_memory_at_all(void **state)
{
    (void)state;
    struct index index = {0};
    fake_pages_left = 0;
    assert_false(index_add(&index, index_mix(1), 1));
    assert_int_equal(find(&index, index_mix(1), 1), 0);
    assert_int_equal(index.count, 0);
}

static struct {
    struct index index;
    uint32_t added; /* items 1..added must be found; published with release order */
} shared;

static void *look_on(void *missed)
{
    uint32_t added, seed = 1;
    do {
        added = __atomic_load_n(&shared.added, __ATOMIC_ACQUIRE);
        seed = seed * 1664525 + 1013904223;
        uint64_t key = added ? 1 + seed % added : 0;
        if (key != 0 && find(&shared.index, index_mix(key), key) != key)
            __atomic_fetch_add((uint32_t *)missed, 1, __ATOMIC_RELAXED);
    } while (added < SHARED_ITEMS);
    return NULL;
}

/* Readers take no lock; what was added stays found while the slots are replaced. */
static void test_readers_during_growth(void **state)
{
    (void)state;
    pthread_t readers[READERS];
    uint32_t missed = 0;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look_on, &missed), 0);
    for (uint32_t i = 1; i <= SHARED_ITEMS; i++) {
        keys[i] = i;
        index_add(&shared.index, index_mix(i), i);
        __atomic_store_n(&shared.added, i, __ATOMIC_RELEASE);
    }
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, before_each),
        cmocka_unit_test_setup(test_colliding_hashes, before_each),
        cmocka_unit_test_setup(test_hash_is_asked_first, before_each),
        cmocka_unit_test_setup(test_dead_entries_are_passed_over, before_each),
        cmocka_unit_test_setup(test_a_million_items, before_each),
        cmocka_unit_test_setup(test_growth_that_fails, before_each),
        cmocka_unit_test_setup(test_replaced_slots_are_empty, before_each),
        cmocka_unit_test_setup(test_no_memory_at_all, before_each),
        cmocka_unit_test_setup(test_readers_during_growth, before_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
