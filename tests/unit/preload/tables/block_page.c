/* The walks over blocks and ghosts, page by page, against a model. */
#include "preload/tables/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    GRANULE = 1 << UNIT_GRANULE_BITS,
    PAGES = 96,
    BYTES = PAGES * BLOCK_PAGE_SMALL,
    SLOTS = BYTES / BLOCK_LARGE_BYTES, /* of the large ones' model */
    ROUNDS = 20000
};

static const uintptr_t base = 0x7100fffe0000; /* not where a page of the shadow begins */

/* By granule and by KiB: what was last put there, and whether it lives. */
struct model {
    struct {
        uintptr_t address;
        uint32_t lot;
        uint64_t size_bytes;
        bool live;
    } small[BYTES / GRANULE], large[SLOTS];
};
static struct model model;

static int start(void **state)
{
    (void)state;
    block_init(UNIT_GRANULE_BITS);
    return arena_open(NULL, "block_page", 1, &(long){0}) ? 0 : -1;
}

static void put_random(void)
{
    bool large = rand() % 8 == 0;
    uint64_t size_bytes = (uint64_t)(large ? BLOCK_LARGE_BYTES + rand() % 9000 : rand() % 64);
    uintptr_t step = large ? BLOCK_LARGE_BYTES : GRANULE;
    uintptr_t at = (uintptr_t)(rand() % BYTES) & -step;
    if (GRANULE == 32 || large)
        at |= (uintptr_t)(rand() % 2 * BLOCK_ALIGN);
    struct block stale;
    while (block_evict(base + at, size_bytes, &stale))
        ;
    struct block block = {.site = 1 + (uint32_t)rand() % 9, .size_bytes = size_bytes};
    if (!large)
        block.lot = lot_intern(block.site, block.size_bytes += (uint64_t)rand() % 960);
    assert_true(block_put(base + at, &block));
    bool live = rand() % 3 == 0;
    if (!live)
        assert_true(block_take(base + at, &stale));
    model.small[at / GRANULE].live &= !large; /* a large one hides it */
    if (large) {
        model.large[at / 1024].address = base + at;
        model.large[at / 1024].size_bytes = size_bytes;
        model.large[at / 1024].live = live;
        return;
    }
    model.small[at / GRANULE].address = base + at;
    model.small[at / GRANULE].lot = block.lot;
    model.small[at / GRANULE].live = live;
    if (model.large[at / 1024].address == base + at)
        model.large[at / 1024].live = false;
}

static void check_page(unsigned page)
{
    struct block_small found[BLOCK_PAGE_SMALL_MAX];
    unsigned count = block_page(base + page * BLOCK_PAGE_SMALL, false, found), next = 0, lives = 0;
    unsigned cells = BLOCK_PAGE_SMALL / GRANULE, first = page * cells;
    for (unsigned i = 0; i < cells; i++)
        lives += model.small[first + i].live;
    for (unsigned i = 0; i < cells; i++) {
        uint64_t at = model.small[first + i].address - base - page * (uint64_t)BLOCK_PAGE_SMALL;
        bool live = model.small[first + i].live;
        bool near_end = i >= cells - BLOCK_LARGE_BYTES / GRANULE;
        if (!model.small[first + i].address || (!live && lives > 0 && !near_end))
            continue;
        assert_in_range(next, 0, count - 1);
        assert_int_equal(found[next].at, at);
        assert_int_equal(found[next].live, live);
        assert_int_equal(found[next++].lot, model.small[first + i].lot);
    }
    assert_int_equal(next, count);
}

static void check_large(void)
{
    uintptr_t from = base;
    struct block_seen seen;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!model.large[i].address)
            continue;
        assert_true(block_large_next(&from, &seen));
        assert_int_equal(seen.address, model.large[i].address);
        assert_int_equal(seen.live, model.large[i].live);
        assert_int_equal(seen.block.size_bytes, model.large[i].size_bytes);
    }
    assert_false(block_large_next(&from, &seen));
    assert_false(block_large_next(&from, &seen));
}

static void test_model(void **state)
{
    (void)state;
    srand(7);
    for (unsigned i = 0; i < ROUNDS; i++) {
        put_random();
        check_page((unsigned)rand() % PAGES);
        if (i % 500 == 0)
            check_large();
    }
    for (unsigned page = 0; page < PAGES; page++)
        check_page(page);
    check_large();
}

static void test_next(void **state)
{
    (void)state;
    struct block block = {.site = 1, .size_bytes = 16};
    const uintptr_t far = 0x600000000000;
    assert_true(block_put(far, &block));
    assert_int_equal(block_page_next(0), far);
    assert_int_equal(block_page_next(far + BLOCK_PAGE_SMALL), far + BLOCK_PAGE_SMALL);
    uintptr_t next = block_page_next(far + (1 << 20));
    assert_true(next > far + (1 << 20) && next <= base);
    assert_int_equal(block_page_next(base), base);
    assert_int_equal(block_page_next(base + ((uintptr_t)1 << 40)), UINTPTR_MAX);
    assert_int_equal(block_page_next(UINTPTR_MAX - 4095), UINTPTR_MAX);
    uintptr_t from = far;
    struct block_seen seen;
    assert_true(block_large_next(&from, &seen));
    assert_true(seen.address >= base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_next)};
    return cmocka_run_group_tests(tests, start, NULL);
}
