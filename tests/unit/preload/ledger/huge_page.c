/* What huge pages have that nobody has used goes to those who hold them, to the byte. */
#include "preload/ledger/huge_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SITES = 600, PAGE = 4096 };

static struct huge_page page;
static struct ledger_site sites[SITES];
static struct line_table lines;
static uint32_t spare, other;

static int before_each(void **state)
{
    (void)state;
    memset(&page, 0, sizeof(page));
    memset(sites, 0, sizeof(sites));
    if (!line_open(&lines))
        return -1;
    spare = line_find(&lines, LINE_METADATA, "");
    other = line_find(&lines, LINE_OTHER, "other");
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    line_close(&lines);
    return 0;
}

static void enter(uint64_t address)
{
    huge_page_enter(&page, address, sites, SITES, &lines);
}

static uint64_t sum(void)
{
    uint64_t bytes = lines.lines[spare].bytes + lines.lines[other].bytes;
    for (unsigned i = 0; i < SITES; i++)
        bytes += sites[i].huge_bytes;
    return bytes;
}

/* 128 bytes that cost 2 MiB. */
static void test_one_holds_it(void **state)
{
    (void)state;
    enter(7ull * HUGE_PAGE_BYTES + PAGE);
    huge_page_live(&page, 5, 128);
    huge_page_spare(&page, spare, HUGE_PAGE_BYTES - PAGE, &lines);
    enter(7ull * HUGE_PAGE_BYTES + 100 * PAGE); /* still the same */
    assert_int_equal(sum(), 0);
    enter(8ull * HUGE_PAGE_BYTES);
    assert_int_equal(sites[5].huge_bytes, HUGE_PAGE_BYTES - PAGE);
    enter(9ull * HUGE_PAGE_BYTES); /* nothing is charged twice */
    assert_int_equal(sum(), HUGE_PAGE_BYTES - PAGE);
}

static void test_nobody_holds_it(void **state)
{
    (void)state;
    enter(HUGE_PAGE_BYTES);
    huge_page_spare(&page, spare, 10 * PAGE, &lines);
    enter(UINT64_MAX);
    assert_int_equal(lines.lines[spare].bytes, 10 * PAGE);
    assert_int_equal(sum(), 10 * PAGE);
}

static void test_two_kinds_of_spare(void **state)
{
    (void)state;
    enter(HUGE_PAGE_BYTES);
    huge_page_live(&page, 1, 64);
    huge_page_spare(&page, spare, 10 * PAGE, &lines);
    huge_page_spare(&page, other, 5 * PAGE, &lines);
    huge_page_spare(&page, spare, PAGE, &lines);
    enter(UINT64_MAX);
    assert_int_equal(sites[1].huge_bytes, 11 * PAGE);
    assert_int_equal(lines.lines[other].bytes, 5 * PAGE);
}

/* Numbers without an order: i * i modulo a prime number. */
static uint32_t holder(uint32_t i)
{
    return i * i % 599;
}

/* Half as many sites as there are slots: each pays for what it holds. */
static void test_each_pays_for_itself(void **state)
{
    (void)state;
    enum { HOLDERS = HUGE_PAGE_SLOTS / 2 };
    uint64_t weight = 0;
    enter(HUGE_PAGE_BYTES);
    for (uint32_t i = 1; i <= HOLDERS; i++) {
        weight += 1 + i % 3;
        for (int twice = 0; twice < 2; twice++)
            huge_page_live(&page, holder(i), 16 * (1 + i % 3));
    }
    huge_page_spare(&page, spare, 255 * PAGE, &lines);
    enter(UINT64_MAX);
    for (uint32_t i = 1; i <= HOLDERS; i++) {
        uint64_t due = 255 * PAGE * (1 + i % 3) / weight;
        assert_in_range(sites[holder(i)].huge_bytes, due, due + 1);
    }
    assert_int_equal(sum(), 255 * PAGE);
}

/* More than there are slots, and some that have come since the counters were read. */
static void test_too_many(void **state)
{
    (void)state;
    enter(HUGE_PAGE_BYTES);
    for (uint32_t site = 1; site <= 2 * SITES; site++)
        huge_page_live(&page, site, 16);
    huge_page_spare(&page, spare, 255 * PAGE, &lines);
    enter(UINT64_MAX);
    assert_int_equal(sum(), 255 * PAGE);
    assert_int_equal(lines.lines[spare].bytes, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_one_holds_it), TEST(test_nobody_holds_it),
                                       TEST(test_two_kinds_of_spare),
                                       TEST(test_each_pays_for_itself), TEST(test_too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
