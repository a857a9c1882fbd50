/* Blocks of 16 bytes beside each other where most are larger, as a collector has them: against a model. */
#include "preload/tables/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    PAGES = 64,
    BYTES = PAGES * BLOCK_PAGE_SMALL,
    GRAINS = BYTES / BLOCK_ALIGN,
    ROUNDS = 300000,
    FAR_OBJECTS = 200000,
    OBJECT_BYTES = 64
};

static const uintptr_t base = 0x7100fffe0000;

/* By 16 bytes: the lot of the block that is live there; 0: none. */
static uint32_t model[GRAINS];

static int start(void **state)
{
    (void)state;
    block_init(BLOCK_GRANULE_BITS_MIXED);
    return arena_open(NULL, "block_mixed", 1, &(long){0}) ? 0 : -1;
}

/* Each page has objects of one size. */
static unsigned object_bytes(unsigned page)
{
    static const unsigned sizes[] = {16, 48, 64, 32, 16, 80, 144, 16};
    return sizes[page % (sizeof(sizes) / sizeof(sizes[0]))];
}

static uintptr_t random_place(unsigned *bytes)
{
    unsigned page = (unsigned)rand() % PAGES;
    *bytes = object_bytes(page);
    return page * (uintptr_t)BLOCK_PAGE_SMALL +
           (unsigned)rand() % (BLOCK_PAGE_SMALL / *bytes) * *bytes;
}

static void put_at(uintptr_t at, unsigned bytes)
{
    uint64_t asked = bytes == BLOCK_ALIGN ? (uint64_t)rand() % 17 : bytes - (uint64_t)rand() % 16;
    struct block block = {.site = 1 + (uint32_t)rand() % 9, .epoch = (uint32_t)rand() % 3}, stale;
    block.size_bytes = asked;
    block.lot = lot_intern(block.site, asked);
    assert_false(block_evict(base + at, asked, &stale)); /* a neighbour is not in the way */
    if (!block_put_lot(base + at, block.lot, block.epoch))
        assert_true(block_put(base + at, &block));
    model[at / BLOCK_ALIGN] = block.lot;
}

static void take_at(uintptr_t at)
{
    struct block block;
    uint32_t lot = rand() % 2 ? block_take_lot(base + at) : 0;
    if (lot == 0)
        lot = block_take(base + at, &block) ? block.lot : 0;
    assert_int_equal(lot, model[at / BLOCK_ALIGN]);
    model[at / BLOCK_ALIGN] = 0;
}

static void check_page(unsigned page)
{
    struct block_small found[BLOCK_PAGE_SMALL_MAX];
    uintptr_t start = page * (uintptr_t)BLOCK_PAGE_SMALL;
    unsigned count = block_page(base + start, true, found), next = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_true(i == 0 || found[i].at > found[i - 1].at);
        if (!found[i].live)
            continue;
        for (; next < found[i].at / BLOCK_ALIGN; next++)
            assert_int_equal(model[start / BLOCK_ALIGN + next], 0);
        assert_int_equal(model[start / BLOCK_ALIGN + next++], found[i].lot);
    }
    for (; next < BLOCK_PAGE_SMALL / BLOCK_ALIGN; next++)
        assert_int_equal(model[start / BLOCK_ALIGN + next], 0);
}

static void count(uintptr_t address, const struct block *block, void *context)
{
    assert_in_range(address, base, base + BYTES - 1);
    assert_int_equal(model[(address - base) / BLOCK_ALIGN], block->lot);
    ++*(unsigned *)context;
}

static void test_against_a_model(void **state)
{
    (void)state;
    unsigned live = 0, seen = 0, bytes;
    for (int i = 0; i < ROUNDS; i++) {
        uintptr_t at = random_place(&bytes);
        struct block block;
        assert_int_equal(block_find(base + at, &block), model[at / BLOCK_ALIGN] != 0);
        if (model[at / BLOCK_ALIGN])
            take_at(at);
        else
            put_at(at, bytes);
        if (i % 1000 == 0)
            check_page((unsigned)rand() % PAGES);
    }
    for (unsigned i = 0; i < GRAINS; i++)
        live += model[i] != 0;
    for (unsigned i = 0; i < PAGES; i++)
        check_page(i);
    block_each(count, &seen);
    assert_int_equal(seen, live);
    assert_int_equal(block_page_next(base + BYTES + (1 << 20)), UINTPTR_MAX);
}

/* A page is given to objects of another size: whatever lies under the new ones has gone unseen. */
static void test_stale(void **state)
{
    (void)state;
    uintptr_t at = base + 2 * (uintptr_t)BYTES;
    struct block sixteen = {.site = 1, .size_bytes = 10}, larger = {.site = 2, .size_bytes = 40},
                 stale;
    assert_true(block_put(at, &sixteen));
    assert_true(block_put(at + 16, &sixteen));
    assert_true(block_evict(at, larger.size_bytes, &stale));
    assert_true(block_evict(at, larger.size_bytes, &stale));
    assert_false(block_evict(at, larger.size_bytes, &stale));
    assert_true(block_put(at + 16, &larger));
    assert_true(block_evict(at + 16, sixteen.size_bytes, &stale));
    assert_int_equal(stale.site, 2);
    assert_true(block_put(at + 16, &sixteen));
    assert_true(block_take(at + 16, &stale));
    assert_int_equal(stale.site, 1);
}

/* Where nothing else lies, and on what has been an object of another size. */
static void test_odd_alone(void **state)
{
    (void)state;
    struct block sixteen = {.site = 1, .size_bytes = 10}, larger = {.site = 2, .size_bytes = 40};
    struct block_small found[BLOCK_PAGE_SMALL_MAX];
    uintptr_t page = base + ((uintptr_t)1 << 31);
    assert_true(block_put(page + 16, &sixteen));
    assert_int_equal(block_page_next(page - BLOCK_PAGE_SMALL), page);
    assert_int_equal(block_page(page, false, found), 1);
    assert_true(block_take(page + 16, &sixteen));
    assert_true(block_put(page + 16, &larger));
    assert_true(block_take(page + 16, &larger));
    assert_true(block_put(page + 16, &sixteen));
    unsigned count = block_page(page, false, found), live = 0;
    for (unsigned i = 0; i < count; i++) { /* the larger one's ghost may be there, too */
        assert_int_equal(found[i].at, 16);
        live += found[i].live;
    }
    assert_int_equal(live, 1);
}

/* A 16th of a heap of objects of 64 bytes. */
static void test_room(void **state)
{
    (void)state;
    uintptr_t at = base + ((uintptr_t)1 << 32);
    uint64_t before = block_own_bytes();
    for (int i = 0; i < FAR_OBJECTS; i++)
        assert_true(block_put(at + i * (uintptr_t)OBJECT_BYTES,
                              &(struct block){.site = 1, .size_bytes = 56}));
    assert_in_range(block_own_bytes() - before, FAR_OBJECTS * 4, FAR_OBJECTS * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_odd_alone),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
