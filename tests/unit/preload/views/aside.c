#include "preload/views/aside.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"

#include "fake_hooks.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { PAGE = 4096, SPANS = 512 };

/* Addresses that no one else uses: nothing is there. */
static char *const maps = (char *)0x720000000000;

static enum guard_state part(void)
{
    enum guard_state before = guard_part();
    aside_begin();
    return before;
}

static void unmap(char *at, size_t bytes)
{
    bool held = aside_hold();
    aside_unmap(at, bytes, held);
    if (held)
        aside_release();
}

static void rejoin(enum guard_state before)
{
    const struct unwind_start from = UNWIND_HERE();
    guard_rejoin(before);
    aside_end(&from);
}

static void assert_pieces(char *at, const char *pages)
{
    for (int i = 0; pages[i]; i++)
        assert_int_equal(range_find((uintptr_t)at + (uintptr_t)i * PAGE, NULL, NULL) != 0,
                         pages[i] == 'x');
}

static void test_recorded_afterwards(void **state)
{
    (void)state;
    enum guard_state before = part();
    assert_true(aside_map(maps, 8 * PAGE));
    assert_true(aside_map(maps + 10 * PAGE, PAGE));
    unmap(maps, PAGE);            /* the start, ... */
    unmap(maps + 7 * PAGE, PAGE); /* the end ... */
    unmap(maps + 3 * PAGE, PAGE); /* and the middle go */
    assert_true(aside_map(maps + 3 * PAGE, PAGE));
    unmap(maps + 10 * PAGE, PAGE);
    assert_pieces(maps, "...........");
    rejoin(before);
    assert_pieces(maps, ".xxxxxx....");
    assert_int_equal(guard_state(), before);
    assert_nothing_lost();
    hook_unmap(maps, 16 * PAGE);
}

/* What had been recorded before goes at once. */
static void test_older_ones(void **state)
{
    (void)state;
    uint32_t site = site_by(hook_map(maps, 4 * PAGE), BOX_KIND_MMAP);
    enum guard_state before = part();
    unmap(maps + PAGE, PAGE);
    assert_counts(site, &(struct counts){1, 4 * PAGE, 0, PAGE});
    assert_true(aside_map(maps + PAGE, PAGE));
    unmap(maps, 4 * PAGE);
    assert_counts(site, &(struct counts){1, 4 * PAGE, 1, 4 * PAGE});
    rejoin(before);
    assert_pieces(maps, "....");
    assert_nothing_lost();
}

/* One over another, by MAP_FIXED, counts as it does without a pause: both came, and what lay below has gone. */
static void test_one_over_another(void **state)
{
    (void)state;
    uint32_t site = site_by(hook_map(maps, 4 * PAGE), BOX_KIND_MMAP);
    enum guard_state before = part();
    assert_true(aside_map(maps + 10 * PAGE, 4 * PAGE));
    assert_true(aside_map(maps + 11 * PAGE, PAGE));
    assert_true(aside_map(maps + PAGE, PAGE));
    rejoin(before);
    assert_pieces(maps, "xxxx......xxxx");
    assert_counts(site, &(struct counts){1, 4 * PAGE, 0, PAGE});
    uint32_t noted = range_find((uintptr_t)maps + PAGE, NULL, NULL);
    assert_int_equal(range_find((uintptr_t)maps + 10 * PAGE, NULL, NULL), noted);
    assert_counts(noted, &(struct counts){3, 6 * PAGE, 0, PAGE});
    assert_nothing_lost();
    hook_unmap(maps, 16 * PAGE);
}

static void *hold_ranges(void *unused)
{
    range_lock();
    return unused;
}

/* Nobody is waited for: what cannot be recorded is counted. */
static void test_locked(void **state)
{
    (void)state;
    pthread_t other;
    uint32_t site = site_by(hook_map(maps, PAGE), BOX_KIND_MMAP);
    uint64_t missed = arena.header->lost.nested_events;
    enum guard_state before = part();
    assert_int_equal(pthread_create(&other, NULL, hold_ranges, NULL), 0);
    pthread_join(other, NULL);
    unmap(maps, PAGE);
    range_unlock();
    assert_counts(site, &(struct counts){1, PAGE, 0, 0});
    assert_int_equal(arena.header->lost.nested_events, missed + 1);
    for (int i = 0; i < SPANS; i++)
        assert_true(aside_map(maps + (i + 1) * 2 * PAGE, PAGE));
    assert_false(aside_map(maps, PAGE));
    rejoin(before);
    assert_pieces(maps + 2 * SPANS * PAGE, "x..");
    hook_unmap(maps, 2 * (SPANS + 1) * PAGE);
}

/* Not while others run, nor by another thread. */
static void *map_in_another(void *noted)
{
    *(bool *)noted = aside_map(maps, PAGE) || aside_hold();
    return NULL;
}

static void test_nobody_elses(void **state)
{
    (void)state;
    pthread_t other;
    bool noted = true;
    assert_false(aside_map(maps, PAGE));
    assert_false(aside_hold());
    enum guard_state before = part();
    assert_int_equal(pthread_create(&other, NULL, map_in_another, &noted), 0);
    pthread_join(other, NULL);
    assert_false(noted);
    rejoin(before);
    assert_pieces(maps, "..");
}

/* One whose destructors have run, or that got no memory, has no struct of its own. */
static void *unmap_without_own(void *unused)
{
    guard_own = NULL;
    enum guard_state before = part();
    unmap(maps, PAGE);
    rejoin(before);
    return unused;
}

static void test_no_struct(void **state)
{
    (void)state;
    pthread_t other;
    uint64_t missed = arena.header->lost.nested_events;
    assert_int_equal(pthread_create(&other, NULL, unmap_without_own, NULL), 0);
    pthread_join(other, NULL);
    assert_int_equal(arena.header->lost.nested_events, missed + 1);
}

#define TEST(function) cmocka_unit_test_setup(function, fake_hooks_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_recorded_afterwards), TEST(test_older_ones),   TEST(test_locked),
        TEST(test_one_over_another),    TEST(test_nobody_elses), TEST(test_no_struct),
    };
    return cmocka_run_group_tests(tests, fake_hooks_start, NULL);
}
