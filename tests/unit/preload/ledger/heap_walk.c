/* Blocks as pages have them: the walk against what each page has by arithmetic. */
#include "preload/ledger/heap_walk.h"

#include "preload/tables/usable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PAGE = 4096, PAGES = 4000, BLOCKS = 30000, SITES = 64 };

static const uintptr_t base = 0x720000000000;

struct extent {
    uint64_t start, end;
    uint32_t site;
    bool live;
};
static struct extent blocks[BLOCKS];
static unsigned block_count;
static struct share share;
static struct ledger_site found[SITES], wanted[SITES];

static int start(void **state)
{
    (void)state;
    block_init(BLOCK_GRANULE_BITS_GLIBC);
    usable_init(NULL, false);
    return arena_open(NULL, "heap_walk", 1, &(long){0}) ? 0 : -1;
}

/* Blocks one after another with gaps, small and large, one in three freed again. */
static void fill(void)
{
    uintptr_t at = base;
    srand(11);
    for (; block_count < BLOCKS && at < base + (uint64_t)(PAGES - 300) * PAGE; block_count++) {
        uint64_t bytes = (uint64_t)(rand() % 100);
        if (rand() % 6 == 0)
            bytes = 1024 + (uint64_t)(rand() % 9000);
        if (rand() % 400 == 0)
            bytes = (uint64_t)(rand() % (1 << 20));
        at = (at + 31) & -(uintptr_t)32;
        if (bytes >= BLOCK_LARGE_BYTES)
            at = (at + 1023) & -(uintptr_t)1024;
        struct block block = {.site = 1 + (uint32_t)rand() % (SITES - 1), .size_bytes = bytes},
                     gone;
        assert_true(block_put(at, &block));
        bool live = rand() % 3 != 0;
        if (!live)
            assert_true(block_take(at, &gone));
        blocks[block_count] = (struct extent){at, at + bytes, block.site, live};
        at += bytes + 32 + (rand() % 50 == 0 ? (uint64_t)(rand() % 40000) : 0);
    }
}

/* 0: from an earlier page, 1: small, 2: large. Who comes first matters to what is rounded. */
static int turn_of(const struct extent *extent, uint64_t page)
{
    if (extent->start < page)
        return 0;
    return extent->end - extent->start < BLOCK_LARGE_BYTES ? 1 : 2;
}

static void put_extent(struct share *model, const struct extent *extent)
{
    struct share_block block = {.start = extent->start,
                                .end = extent->end,
                                .usable_end = extent->end,
                                .site = extent->site,
                                .live = extent->live};
    share_put(model, &block);
}

/* The page by all the blocks there are. */
static bool want(uint64_t page)
{
    static struct share model;
    share_begin(&model, page, page + PAGE);
    for (int turn = 0; turn < 3; turn++)
        for (unsigned i = 0; i < block_count; i++) {
            const struct extent *extent = &blocks[i];
            if (extent->start < page + PAGE && extent->end + 1 > page &&
                turn_of(extent, page) == turn)
                put_extent(&model, extent);
        }
    return share_out(&model, true, wanted, SITES);
}

static void add_inside(const struct heap_run *run, uint64_t page)
{
    found[run->inside->site].live_bytes += run->end - page;
    for (; page < run->end; page += PAGE)
        assert_true(want(page));
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Live bytes are exact; what is rounded depends on the order of the blocks on a page. */
static void check_sites(void)
{
    uint64_t of_found = 0, of_wanted = 0;
    for (unsigned i = 0; i < SITES; i++) {
        assert_int_equal(found[i].live_bytes, wanted[i].live_bytes);
        assert_true(apart(found[i].pinned_bytes, wanted[i].pinned_bytes) <= 3 * PAGES / 10);
        assert_true(apart(found[i].idle_bytes, wanted[i].idle_bytes) <= 3 * PAGES / 10);
        of_found += found[i].live_bytes + found[i].pinned_bytes + found[i].idle_bytes;
        of_wanted += wanted[i].live_bytes + wanted[i].pinned_bytes + wanted[i].idle_bytes;
    }
    assert_int_equal(of_found, of_wanted);
}

/* Walks over [start, end), and compares. */
static void compare(struct heap_walk *walk, uint64_t page, uint64_t end)
{
    while (page < end) {
        struct heap_run run = heap_next(walk, page, end, &share);
        assert_true(run.end > page && run.end <= end);
        if (run.kind == HEAP_INSIDE) {
            add_inside(&run, page);
        } else if (run.kind == HEAP_PAGE) {
            assert_int_equal(run.end, page + PAGE);
            share_out(&share, true, found, SITES);
            assert_true(want(page));
        } else {
            for (uint64_t at = page; at < run.end; at += PAGE)
                assert_false(want(at));
        }
        page = run.end;
    }
    check_sites();
}

static void test_all_pages(void **state)
{
    (void)state;
    struct heap_walk walk = heap_walk(PAGE);
    compare(&walk, base - 4 * PAGE, base + (uint64_t)PAGES * PAGE);
    uint64_t live_bytes = 0, want_bytes = 0;
    for (unsigned i = 0; i < block_count; i++)
        want_bytes += blocks[i].live ? blocks[i].end - blocks[i].start : 0;
    for (unsigned i = 0; i < SITES; i++)
        live_bytes += found[i].live_bytes;
    assert_int_equal(live_bytes, want_bytes);
}

/* Not all pages are resident. */
static void test_some_pages(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct heap_walk walk = heap_walk(PAGE);
        uint64_t page = base;
        while (page < base + (uint64_t)PAGES * PAGE) {
            uint64_t end = page + (uint64_t)(1 + rand() % 9) * PAGE;
            compare(&walk, page, end);
            page = end + (uint64_t)(1 + rand() % (round == 2 ? 200 : 3)) * PAGE;
        }
    }
}

/* A program that frees a large block and leaves a small one in its place, again and again. */
static void test_ghosts_are_many(void **state)
{
    (void)state;
    enum { GHOSTS = 40, BYTES = 100 << 10, GHOST = 1, LIVE = 2 };
    uintptr_t at = base + (1ull << 32), end = at + 2 * BYTES;
    struct block block = {.site = GHOST, .size_bytes = BYTES}, gone;
    struct heap_walk walk = heap_walk(PAGE);
    struct ledger_site sites[3] = {{0}};
    for (unsigned i = 0; i < GHOSTS; i++) {
        assert_true(block_put(at + i * BLOCK_LARGE_BYTES, &block));
        assert_true(block_take(at + i * BLOCK_LARGE_BYTES, &gone));
    }
    block.site = LIVE;
    assert_true(block_put(at + GHOSTS * BLOCK_LARGE_BYTES, &block));
    for (uint64_t page = at; page < end;) {
        struct heap_run run = heap_next(&walk, page, end, &share);
        if (run.kind == HEAP_INSIDE)
            sites[run.inside->site].live_bytes += run.end - page;
        else if (run.kind == HEAP_PAGE)
            share_out(&share, true, sites, 3);
        page = run.end;
    }
    assert_int_equal(sites[LIVE].live_bytes, BYTES);
    assert_int_equal(sites[GHOST].live_bytes, 0);
}

/* More than are carried along: those that reach far are among them. */
static void test_far_ghosts(void **state)
{
    (void)state;
    enum { GHOSTS = 60, NEAR = 1, FAR = 2, FAR_AT = 50 };
    uintptr_t at = base + (2ull << 32), end = at + 50 * PAGE;
    struct block gone;
    struct heap_walk walk = heap_walk(PAGE);
    struct ledger_site sites[3] = {{0}};
    for (unsigned i = 0; i < GHOSTS; i++) {
        struct block block = {.site = i == FAR_AT ? FAR : NEAR,
                              .size_bytes = i == FAR_AT ? 40 * PAGE : 20 * PAGE};
        assert_true(block_put(at + i * BLOCK_LARGE_BYTES, &block));
        assert_true(block_take(at + i * BLOCK_LARGE_BYTES, &gone));
    }
    for (uint64_t page = at; page < end;) {
        struct heap_run run = heap_next(&walk, page, end, &share);
        if (run.kind == HEAP_PAGE)
            share_out(&share, true, sites, 3);
        page = run.end;
    }
    /* From page 35 on nobody else has been there, before that up to 15 others. */
    assert_in_range(sites[FAR].idle_bytes, 16 * PAGE, 22 * PAGE);
    assert_int_equal(sites[NEAR].idle_bytes + sites[FAR].idle_bytes, 50 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pages), cmocka_unit_test(test_some_pages),
        cmocka_unit_test(test_ghosts_are_many), cmocka_unit_test(test_far_ghosts)};
    return start(NULL) ? 1 : (fill(), cmocka_run_group_tests(tests, NULL, NULL));
}
