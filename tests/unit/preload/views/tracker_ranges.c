#include "preload/views/tracker_range.h"

#include "preload/ground/arena.h"
#include "preload/views/gate.h"
#include "preload/ground/guard.h"
#include "preload/tables/delta.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"

#include "fake_hooks.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { PAGE = 4096 };

/* Addresses that no one else uses: nothing is there. */
static char *const heap = (char *)0x700000000000, *const maps = (char *)0x710000000000;

static void test_paused(void **state)
{
    (void)state;
    uint32_t site = site_by(hook_alloc(heap + 0x50000, 100), BOX_KIND_MALLOC);
    uint32_t map_site = site_by(hook_map(maps, 4 * PAGE), BOX_KIND_MMAP);
    uint32_t sites = arena.tables[BOX_SITES].count;
    guard_self()->paused = 1;
    hook_alloc(heap + 0x50040, 100);
    hook_map(maps + PAGE, PAGE); /* over a part of what was recorded */
    hook_free(heap + 0x50000);   /* what goes is counted */
    assert_int_equal(arena.tables[BOX_SITES].count, sites);
    assert_counts(site, &(struct counts){1, 100, 1, 100});
    assert_counts(map_site, &(struct counts){1, 4 * PAGE, 0, PAGE});
    hook_unmap(maps, 4 * PAGE);
    assert_counts(map_site, &(struct counts){1, 4 * PAGE, 1, 4 * PAGE});
    assert_nothing_lost();
}

static void test_maps(void **state)
{
    (void)state;
    char *at = maps + (1 << 20);
    uint32_t site = site_by(hook_map(at, 8 * PAGE), BOX_KIND_MMAP);
    hook_unmap(at + 2 * PAGE, PAGE);
    assert_counts(site, &(struct counts){1, 8 * PAGE, 0, PAGE});
    hook_unmap(at, 2 * PAGE);
    assert_counts(site, &(struct counts){1, 8 * PAGE, 0, 3 * PAGE});
    uint32_t over = site_by(hook_map(at + 3 * PAGE, PAGE), BOX_KIND_MMAP); /* MAP_FIXED */
    assert_counts(site, &(struct counts){1, 8 * PAGE, 0, 4 * PAGE});
    assert_counts(over, &(struct counts){1, PAGE, 0, 0});
    hook_unmap(at, 8 * PAGE);
    assert_counts(site, &(struct counts){1, 8 * PAGE, 1, 8 * PAGE});
    assert_counts(over, &(struct counts){1, PAGE, 1, PAGE});
    assert_nothing_lost();
}

static void test_remap(void **state)
{
    (void)state;
    char *at = maps + (2 << 20);
    uint32_t site = site_by(hook_map(at, 2 * PAGE), BOX_KIND_MMAP);
    struct tracker_move grow = {at, 2 * PAGE, at + (1 << 20), 5 * PAGE, false};
    struct tracker_move shrink = {at + (1 << 20), 5 * PAGE, at + (1 << 20), PAGE, false};
    struct tracker_move unknown = {at, PAGE, at + PAGE, PAGE, false};
    assert_true(hook_remap(&grow));
    assert_counts(site, &(struct counts){1, 5 * PAGE, 0, 0});
    assert_true(hook_remap(&shrink));
    assert_counts(site, &(struct counts){1, 5 * PAGE, 0, 4 * PAGE});
    assert_false(hook_remap(&unknown));
    hook_unmap(at + (1 << 20), PAGE);
    assert_counts(site, &(struct counts){1, 5 * PAGE, 1, 5 * PAGE});
}

static void test_pace_of_checks(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        hook_alloc(heap + 0x80000, 1);
    assert_int_equal(hook_served, 0); /* nobody asked for growth checks */
    guard_process.checking = true;
    int events = 0;
    while (!hook_served && ++events <= 256)
        hook_alloc(heap + 0x80000, 1);
    assert_int_equal(hook_served, GUARD_WANT_CHECK);
    assert_int_equal(events, 256);
    hook_served = 0;
    hook_alloc(heap + 0x80000, (1 << 20) - 1);
    assert_int_equal(hook_served, 0);
    hook_alloc(heap + 0x80000, 1 << 20); /* large ones are looked at at once */
    assert_int_equal(hook_served, GUARD_WANT_CHECK);
    hook_served = 0;
    hook_map(maps + (8 << 20), 1 << 20);
    assert_int_equal(hook_served, GUARD_WANT_CHECK);
}

static void test_what_a_child_inherits(void **state)
{
    (void)state;
    char *at = maps + (16 << 20);
    hook_alloc_some(heap + 0x90000, 3, 10);
    uint32_t site = site_newest();
    uint32_t map_site = site_by(hook_map(at, 4 * PAGE), BOX_KIND_MMAP);
    hook_free(heap + 0x90000);
    hook_unmap(at + PAGE, PAGE); /* two pieces are one object */
    int64_t live = site_live_bytes() + delta_live_bytes();
    tracker_inherit();
    assert_counts(site, &(struct counts){2, 11 + 12, 0, 0});
    assert_counts(map_site, &(struct counts){1, 3 * PAGE, 0, 0});
    assert_int_equal(site_live_bytes() + delta_live_bytes(), live);
    hook_unmap(at, 4 * PAGE);
    assert_counts(map_site, &(struct counts){1, 3 * PAGE, 1, 3 * PAGE});
}

static struct {
    char *at;
    bool began, mapped, go; /* atomic */
} shared;

static struct guard_thread *acquire(void)
{
    return &thread_acquire()->guard;
}

static void set(bool *flag)
{
    __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void wait_for(const bool *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* A munmap that takes the kernel long. */
static void *unmap_slowly(void *unused)
{
    struct guard_thread *own = guard_enter();
    if (!tracker_hold(own))
        abort();
    set(&shared.began);
    wait_for(&shared.go);
    tracker_unmap(shared.at, 4 * PAGE);
    tracker_release();
    guard_leave(own);
    return unused;
}

static void *map_meanwhile(void *unused)
{
    hook_map(shared.at + 16 * PAGE, PAGE);
    set(&shared.mapped);
    return unused;
}

/* Neither the system call nor those who wait for its end keep a snapshot from being of one moment. */
static void test_gate_and_slow_system_calls(void **state)
{
    (void)state;
    pthread_t slow, other;
    guard_process.acquire = acquire;
    guard_process.wait = gate_wait;
    shared.at = maps + (24 << 20);
    uint32_t site = site_by(hook_map(shared.at, 4 * PAGE), BOX_KIND_MMAP);
    assert_int_equal(pthread_create(&slow, NULL, unmap_slowly, NULL), 0);
    wait_for(&shared.began);
    assert_int_equal(pthread_create(&other, NULL, map_meanwhile, NULL), 0);
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* it waits for the lock */
    assert_true(gate_close());
    set(&shared.go);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    assert_counts(site, &(struct counts){1, 4 * PAGE, 0, 0});
    assert_false(shared.mapped);
    gate_open();
    pthread_join(slow, NULL);
    pthread_join(other, NULL);
    assert_counts(site, &(struct counts){1, 4 * PAGE, 1, 4 * PAGE});
    assert_nothing_lost();
}

#define TEST(function) cmocka_unit_test_setup(function, fake_hooks_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paused),
        TEST(test_maps),
        TEST(test_remap),
        TEST(test_pace_of_checks),
        TEST(test_what_a_child_inherits),
        TEST(test_gate_and_slow_system_calls),
    };
    return cmocka_run_group_tests(tests, fake_hooks_start, NULL);
}
