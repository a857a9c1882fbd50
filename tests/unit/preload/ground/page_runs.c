#include "preload/ground/page_runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 10000, ROOM_BYTES = 1 << 18 };

static unsigned char room[ROOM_BYTES];
static struct page_run expected[MANY];

static struct page_runs begin(size_t room_bytes)
{
    return (struct page_runs){.bytes = room, .room_bytes = room_bytes};
}

static void put(struct page_runs *runs, uint64_t start, uint64_t end, uint32_t flags)
{
    struct page_run run = {start, end, flags};
    page_runs_put(runs, &run);
}

static void assert_next(const struct page_runs *runs, struct page_runs_cursor *cursor,
                        const struct page_run *wanted)
{
    struct page_run run;
    assert_true(page_runs_next(runs, cursor, &run));
    assert_int_equal(run.start, wanted->start);
    assert_int_equal(run.end, wanted->end);
    assert_int_equal(run.flags, wanted->flags);
}

static void test_none(void **state)
{
    (void)state;
    struct page_runs runs = begin(ROOM_BYTES);
    struct page_runs_cursor cursor = {0};
    struct page_run run;
    assert_true(page_runs_finish(&runs));
    assert_int_equal(runs.count + runs.used_bytes, 0);
    assert_false(page_runs_next(&runs, &cursor, &run));
}

static void test_joined(void **state)
{
    (void)state;
    struct page_runs runs = begin(ROOM_BYTES);
    struct page_runs_cursor cursor = {0};
    put(&runs, 0, 1, 15);
    put(&runs, 5, 7, 1);
    put(&runs, 7, 9, 1);
    put(&runs, 9, 10, 2);
    put(&runs, 12, 13, 2);
    assert_true(page_runs_finish(&runs));
    assert_int_equal(runs.count, 4);
    assert_next(&runs, &cursor, &(struct page_run){0, 1, 15});
    assert_next(&runs, &cursor, &(struct page_run){5, 9, 1});
    assert_next(&runs, &cursor, &(struct page_run){9, 10, 2});
    assert_next(&runs, &cursor, &(struct page_run){12, 13, 2});
    struct page_run run;
    assert_false(page_runs_next(&runs, &cursor, &run));
}

/* Gaps and lengths from one page to all that an address can name. */
static void test_any(void **state)
{
    (void)state;
    struct page_runs runs = begin(ROOM_BYTES);
    uint64_t at = 0, random = 1;
    for (int i = 0; i < MANY; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t gap = 1 + (random >> 33 >> (random >> 20 & 31));
        uint64_t pages = 1 + (random >> 36 >> (random >> 26 & 31));
        expected[i] = (struct page_run){at + gap, at + gap + pages, random >> 40 & 15};
        put(&runs, expected[i].start, expected[i].end, expected[i].flags);
        at = expected[i].end;
    }
    assert_true(page_runs_finish(&runs));
    assert_int_equal(runs.count, MANY);
    struct page_runs_cursor cursor = {0};
    for (int i = 0; i < MANY; i++)
        assert_next(&runs, &cursor, &expected[i]);
    assert_int_equal(cursor.at, runs.used_bytes);
}

static void test_last_page(void **state)
{
    (void)state;
    struct page_runs runs = begin(ROOM_BYTES);
    struct page_runs_cursor cursor = {0};
    const struct page_run all = {1, 1ull << 52, 3};
    put(&runs, all.start, all.end, all.flags);
    assert_true(page_runs_finish(&runs));
    assert_next(&runs, &cursor, &all);
}

/* Two bytes for one page in two; nothing behind the room; what would have been needed is told. */
static void test_room(void **state)
{
    (void)state;
    struct page_runs runs = begin(ROOM_BYTES);
    for (uint64_t i = 0; i < MANY; i++)
        put(&runs, 2 * i, 2 * i + 1, 0);
    assert_true(page_runs_finish(&runs));
    size_t needed = runs.used_bytes;
    assert_int_equal(needed, 2 * MANY);
    memset(room, 0xee, sizeof(room));
    runs = begin(needed - 1);
    for (uint64_t i = 0; i < MANY; i++)
        put(&runs, 2 * i, 2 * i + 1, 0);
    assert_false(page_runs_finish(&runs));
    assert_int_equal(runs.used_bytes, needed);
    assert_int_equal(room[needed - 1], 0xee);
    struct page_runs_cursor cursor = {0};
    struct page_run run;
    assert_false(page_runs_next(&runs, &cursor, &run));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),      cmocka_unit_test(test_joined), cmocka_unit_test(test_any),
        cmocka_unit_test(test_last_page), cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
