/* Pages shared out: each byte goes somewhere, and none goes twice. */
#include "preload/ledger/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PAGE = 4096, SITES = 8, ROUNDS = 20000 };

static struct share share;
static struct ledger_site sites[SITES];

static uint64_t sum_of(const struct ledger_site *site)
{
    return site->live_bytes + site->slack_bytes + site->pinned_bytes + site->idle_bytes;
}

static uint64_t sum(void)
{
    uint64_t bytes = 0;
    for (int i = 0; i < SITES; i++)
        bytes += sum_of(&sites[i]);
    return bytes;
}

static void put(uint64_t start, uint64_t bytes, uint64_t slack_bytes, uint32_t site, bool live)
{
    struct share_block block = {.start = start,
                                .end = start + bytes,
                                .usable_end = start + bytes + slack_bytes,
                                .site = site,
                                .live = live};
    share_put(&share, &block);
}

static void begin(void)
{
    memset(sites, 0, sizeof(sites));
    share_begin(&share, PAGE, 2 * (uint64_t)PAGE);
}

static void test_known(void **state)
{
    (void)state;
    begin();
    put(PAGE - 100, 200, 0, 1, true);    /* half of it is on the page */
    put(PAGE + 1000, 90, 10, 2, true);   /* as much, with slack */
    put(2 * PAGE - 50, 40, 20, 3, true); /* 10 of its slack are */
    put(3 * PAGE, 100, 0, 4, true);      /* elsewhere */
    put(PAGE + 2000, 1000, 0, 5, false); /* a ghost where others live */
    assert_true(share_out(&share, true, sites, SITES));
    uint64_t pinned_bytes = PAGE - 100 - 100 - 50;
    assert_int_equal(sites[1].live_bytes, 100);
    assert_int_equal(sites[2].live_bytes, 90);
    assert_int_equal(sites[2].slack_bytes, 10);
    assert_int_equal(sites[3].live_bytes, 40);
    assert_int_equal(sites[3].slack_bytes, 10);
    assert_in_range(sites[1].pinned_bytes, pinned_bytes * 2 / 5 - 1, pinned_bytes * 2 / 5 + 1);
    assert_in_range(sites[3].pinned_bytes, pinned_bytes / 5 - 1, pinned_bytes / 5 + 1);
    assert_int_equal(sum_of(&sites[4]) + sum_of(&sites[5]), 0);
    assert_int_equal(sum(), PAGE);
}

static void test_ghosts(void **state)
{
    (void)state;
    begin();
    put(PAGE, 3000, 0, 1, false);
    put(PAGE + 1000, 1000, 0, 2, false); /* earlier or later, at the same place */
    assert_false(share_out(&share, false, sites, SITES));
    assert_int_equal(sum(), 0);
    assert_true(share_out(&share, true, sites, SITES));
    assert_in_range(sites[1].idle_bytes, 3071, 3073);
    assert_int_equal(sum(), PAGE);
}

static void test_nothing(void **state)
{
    (void)state;
    begin();
    assert_false(share_out(&share, true, sites, SITES));
    put(PAGE + 16, 0, 0, 1, true); /* malloc(0) holds its page */
    assert_true(share_is_live(&share));
    assert_true(share_out(&share, true, sites, SITES));
    assert_int_equal(sites[1].pinned_bytes, PAGE);
    begin();
    put(PAGE + 16, 0, 0, 1, false);
    assert_true(share_out(&share, true, sites, SITES));
    assert_int_equal(sites[1].idle_bytes, PAGE);
    begin();
    put(PAGE, 100, 0, SITES + 7, true); /* a site that has come since */
    assert_true(share_out(&share, true, sites, SITES));
    assert_int_equal(sum_of(&sites[0]), PAGE);
}

/* Whatever is put in: blocks that overlap, too many, without bytes. */
static void test_always_the_page(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < ROUNDS; round++) {
        begin();
        int count = rand() % (round % 100 == 0 ? 2 * SHARE_PARTS_MAX : 40);
        for (int i = 0; i < count; i++) {
            uint64_t start = (uint64_t)(rand() % (3 * PAGE));
            put(start, (uint64_t)(rand() % 600), (uint64_t)(rand() % 40),
                (uint32_t)rand() % (SITES + 2), rand() % 3 != 0);
        }
        bool any = share.live_count + share.ghost_count > 0;
        assert_int_equal(share_out(&share, true, sites, SITES), any);
        assert_int_equal(sum(), any ? PAGE : 0);
    }
}

/* Neighbours of one site are one part, and nobody gets more or less for it. */
static void test_neighbours(void **state)
{
    (void)state;
    for (uint32_t bytes = 1; bytes < 300; bytes++) {
        struct ledger_site before[SITES];
        uint32_t put_bytes = 0, parts = 0;
        begin();
        for (uint64_t at = PAGE; at + bytes + 5 <= 2 * PAGE; at += bytes + 5)
            put(at, bytes, 5, 1 + at / 256 % 3, true);
        assert_true(share_out(&share, true, sites, SITES));
        memcpy(before, sites, sizeof(sites));
        begin();
        struct share_parts live = share_parts(share.live, 0);
        for (uint64_t at = PAGE; at + bytes + 5 <= 2 * PAGE; at += bytes + 5, parts++) {
            share_part_add(&live, 1 + at / 256 % 3, bytes, 5);
            put_bytes += bytes + 5;
        }
        share.live_count = (uint32_t)(live.next - share.live);
        share.covered_bytes = put_bytes;
        assert_true(share.live_count <= 17);
        assert_true(share.live_count < parts || bytes > 240);
        assert_true(share_out(&share, true, sites, SITES));
        assert_memory_equal(before, sites, sizeof(sites));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known), cmocka_unit_test(test_ghosts), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_always_the_page), cmocka_unit_test(test_neighbours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
