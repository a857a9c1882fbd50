#include "preload/views/cut.h"

#include "preload/ground/arena.h"
#include "preload/views/collection.h"
#include "preload/views/gate.h"
#include "preload/ground/guard.h"
#include "preload/ground/sys.h"
#include "preload/tables/thread.h"

#include "recorder.h"
#include "sanitizer.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "emulator.h"

enum {
    THREADS = 8,
    HELD_MAX = 5, /* blocks that a thread has at most */
    LOTS = 3000,  /* more than a thread's slots: they are pushed out all the time */
    TWINS = 2,    /* lots that are counted in one event */
    SIZE = 100,
    CUTS = 100,
    MANY_SITES = 50000,
    CUT_NS_MAX = 5000000
};

static struct {
    uint32_t lots, twins, crossed;
    bool stop;
    uint32_t passed; /* blocks of `crossed` on their way to the thread that frees them */
} shared;

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Takes up to HELD_MAX blocks and frees them again, on and on. */
static void *work(void *argument)
{
    uint32_t seed = (uint32_t)(uintptr_t)argument, held[HELD_MAX];
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
        uint32_t count = 1 + next_random(&seed) % HELD_MAX;
        for (uint32_t i = 0; i < count; i++)
            recorder_alloc(held[i] = shared.lots + next_random(&seed) % LOTS);
        for (uint32_t i = 0; i < count; i++)
            recorder_free(held[i]);
        recorder_alloc_two(shared.twins, shared.twins + 1);
    }
    return NULL;
}

/* One allocates, another one frees. */
static void *hand_over(void *unused)
{
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED))
        if (__atomic_load_n(&shared.passed, __ATOMIC_ACQUIRE) < HELD_MAX &&
            recorder_alloc(shared.crossed))
            __atomic_fetch_add(&shared.passed, 1, __ATOMIC_RELEASE);
        else
            sched_yield();
    return unused;
}

static void *take_over(void *unused)
{
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED))
        if (__atomic_load_n(&shared.passed, __ATOMIC_ACQUIRE) > 0) {
            recorder_free(shared.crossed);
            __atomic_fetch_sub(&shared.passed, 1, __ATOMIC_RELEASE);
        } else {
            sched_yield();
        }
    return unused;
}

static uint64_t block_signals(void)
{
    uint64_t all = ~0ull, before;
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, sizeof(all));
    return before;
}

static const struct box_site *site_in(const struct cut *cut, uint32_t lot)
{
    return box_view_entry(&cut->view, BOX_SITES, lot_at(lot)->site);
}

static void expect_consistent(const struct cut *cut)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < LOTS; i++) {
        const struct box_site *site = site_in(cut, shared.lots + i);
        assert_int_equal(site->alloc_bytes, SIZE * site->alloc_objects);
        assert_int_equal(site->free_bytes, SIZE * site->free_objects);
        assert_true(site->alloc_objects >= site->free_objects);
        live += site->alloc_objects - site->free_objects;
    }
    assert_in_range(live, 0, THREADS * HELD_MAX);
    assert_int_equal(site_in(cut, shared.twins)->alloc_objects,
                     site_in(cut, shared.twins + 1)->alloc_objects);
    const struct box_site *crossed = site_in(cut, shared.crossed);
    assert_in_range(crossed->alloc_objects - crossed->free_objects, 0, HELD_MAX + 1);
}

static uint64_t cuts_lost(void)
{
    return __atomic_load_n(&arena.header->lost.cuts, __ATOMIC_RELAXED);
}

static void expect_growing(const struct cut *cut, uint64_t *before)
{
    uint64_t now = site_in(cut, shared.twins)->alloc_objects;
    assert_true(now >= *before);
    *before = now;
}

static void take_cuts(void)
{
    uint64_t before = 0, unclean = 0;
    for (int i = 0; i < CUTS; i++) {
        struct cut cut;
        uint64_t lost = cuts_lost();
        assert_true(cut_take(&cut, NULL));
        if (cuts_lost() == lost)
            expect_consistent(&cut);
        else
            unclean++;
        expect_growing(&cut, &before);
        cut_free(&cut);
    }
    assert_true(unclean < CUTS / 10);
}

static void test_every_cut_is_of_one_moment(void **state)
{
    (void)state;
    pthread_t threads[THREADS + 2];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)), 0);
    assert_int_equal(pthread_create(&threads[THREADS], NULL, hand_over, NULL), 0);
    assert_int_equal(pthread_create(&threads[THREADS + 1], NULL, take_over, NULL), 0);
    uint64_t signals = block_signals();
    take_cuts();
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals, 0, sizeof(signals));
    __atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    struct cut cut;
    assert_true(cut_take(&cut, NULL));
    expect_consistent(&cut);
    cut_free(&cut);
}

/* What has just been counted is in the cut; the sites themselves need not know. */
static void test_a_cut_has_all_that_was_counted(void **state)
{
    (void)state;
    struct cut cut;
    uint32_t lot = recorder_lots(1, SIZE);
    const struct box_site *site = arena_entry(BOX_SITES, lot_at(lot)->site);
    for (int i = 0; i < 3; i++)
        assert_true(recorder_alloc(lot));
    assert_true(recorder_free(lot));
    assert_true(cut_take(&cut, NULL));
    assert_int_equal(site_in(&cut, lot)->alloc_objects, 3);
    assert_int_equal(site_in(&cut, lot)->free_bytes, SIZE);
    assert_int_equal(site->alloc_objects, 0);
    recorder_alloc(lot); /* no longer */
    assert_int_equal(site_in(&cut, lot)->alloc_objects, 3);
    cut_free(&cut);
}

static void test_a_mark_has_all_that_was_counted(void **state)
{
    (void)state;
    uint32_t lot = recorder_lots(1, SIZE);
    const struct box_site *site = arena_entry(BOX_SITES, lot_at(lot)->site);
    for (int i = 0; i < 3; i++)
        assert_true(recorder_alloc(lot));
    assert_true(recorder_free(lot));
    collection_mark(&(struct collection_event){.source = "test"});
    assert_int_equal(site->collected_objects, 2);
    assert_int_equal(site->collected_bytes, 2 * SIZE);
}

static uint64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* All that a cut costs, which is more than what malloc waits for: the least of some. */
static void test_a_cut_is_short(void **state)
{
    (void)state;
    if (emulator_lacks("processor's speed"))
        skip();
    uint32_t lots = recorder_lots(MANY_SITES, SIZE);
    uint64_t least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < MANY_SITES; i++)
        recorder_alloc(lots + i);
    for (int i = 0; i < 20; i++) {
        struct cut cut;
        uint64_t spent_ns = processor_ns();
        assert_true(cut_take(&cut, NULL));
        spent_ns = processor_ns() - spent_ns;
        cut_free(&cut);
        least_ns = spent_ns < least_ns ? spent_ns : least_ns;
    }
    print_message("a cut of %d sites: %.2f ms\n", MANY_SITES, (double)least_ns / 1e6);
    if (!SANITIZER_THREAD && !SANITIZER_ADDRESS)
        assert_true(least_ns < CUT_NS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cut_has_all_that_was_counted),
        cmocka_unit_test(test_a_mark_has_all_that_was_counted),
        cmocka_unit_test(test_every_cut_is_of_one_moment),
        cmocka_unit_test(test_a_cut_is_short),
    };
    if (!recorder_start())
        return 1;
    shared.lots = recorder_lots(LOTS, SIZE);
    shared.twins = recorder_lots(TWINS, SIZE);
    shared.crossed = recorder_lots(1, SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
