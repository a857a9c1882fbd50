/* Sorting, against counting. */
#include "preload/ground/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ITEMS_MAX = 300 };

struct item {
    uint64_t key;
    uint32_t twice; /* goes with it */
};

static void check(uint64_t seed, size_t count, uint64_t keys)
{
    struct item items[ITEMS_MAX];
    size_t wanted[ITEMS_MAX] = {0}, got[ITEMS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        items[i].key = (seed >> 33) % keys;
        items[i].twice = (uint32_t)items[i].key * 2;
        wanted[items[i].key]++;
    }
    order(items, count, sizeof(items[0]));
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || items[i - 1].key <= items[i].key);
        assert_int_equal(items[i].twice, items[i].key * 2);
        got[items[i].key]++;
    }
    assert_memory_equal(got, wanted, sizeof(wanted));
}

static void test_order(void **state)
{
    (void)state;
    for (size_t count = 0; count < ITEMS_MAX; count++)
        for (uint64_t keys = 1; keys <= ITEMS_MAX; keys *= 3)
            check(count * 7 + keys, count, keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
