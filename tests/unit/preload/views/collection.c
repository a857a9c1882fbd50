#include "preload/views/collection.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/tables/site.h"

#include "child.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

enum { THREADS = 4, MARKS = 200, FORKS = 50 };

static int before_all(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    guard_init(NULL, NULL);
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

static void mark_now(void)
{
    collection_mark(&(struct collection_event){.source = "test"});
}

static uint32_t site_of(uint64_t leaf)
{
    struct capture capture = {.depth = 2, .pcs = {leaf, 0x1001}};
    return site_intern(&capture, BOX_KIND_MALLOC);
}

static const struct box_site *site_at(uint32_t site)
{
    return arena_entry(BOX_SITES, site);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void test_live_becomes_collected(void **state)
{
    (void)state;
    uint32_t kept = site_of(0x2001), gone = site_of(0x2002), later = site_of(0x2003);
    site_count_alloc(kept, 3, 300);
    site_count_free(kept, 1, 100);
    site_count_alloc(gone, 1, 50);
    site_count_free(gone, 1, 50);
    mark_now();
    site_count_free(kept, 1, 100);
    site_count_alloc(later, 1, 10);
    assert_int_equal(site_at(kept)->collected_objects, 2);
    assert_int_equal(site_at(kept)->collected_bytes, 200);
    assert_int_equal(site_at(gone)->collected_objects, 0);
    assert_int_equal(site_at(later)->collected_bytes, 0);
    mark_now(); /* only the last one counts */
    assert_int_equal(site_at(kept)->collected_objects, 1);
    assert_int_equal(site_at(kept)->collected_bytes, 100);
    assert_int_equal(site_at(later)->collected_bytes, 10);
}

static void test_epoch_and_time(void **state)
{
    (void)state;
    uint64_t before = arena.header->collections, start = now_ns();
    for (int i = 1; i <= 3; i++) {
        mark_now();
        assert_int_equal(arena.header->collections, before + i);
    }
    assert_in_range(arena.header->collection_time_ns, start, now_ns());
}

/* Inside as outside a hook: what the thread was in, it is in afterwards. */
static void test_guard_is_put_back(void **state)
{
    (void)state;
    static const enum guard_state states[] = {GUARD_OUTSIDE, GUARD_CALLING, GUARD_RECORDING};
    for (int i = 0; i < 3; i++) {
        guard_set(states[i]);
        mark_now();
        assert_int_equal(guard_state(), states[i]);
    }
    guard_set(GUARD_OUTSIDE);
}

static const struct box_history *history_of(uint32_t site)
{
    return arena_entry(BOX_HISTORY, site);
}

/* at last + since - freed = live, whatever is counted where. */
static void test_history(void **state)
{
    (void)state;
    uint32_t site = site_of(0x2101);
    uint64_t marks = arena.header->collections;
    for (uint64_t i = 1; i <= 20; i++) {
        site_count_alloc(site, 3, 30);
        site_count_free(site, 2, 20);
        mark_now();
        assert_int_equal(history_of(site)->alloc_objects, 3 * i);
        assert_int_equal(history_of(site)->alloc_bytes, 30 * i);
        assert_int_equal(history_of(site)->live_bytes[(marks + i) % BOX_HISTORY_MARKS], 10 * i);
    }
    site_count_alloc(site, 5, 50);
    site_count_free(site, 7, 70);
    const struct box_site *now = site_at(site);
    uint64_t since = now->alloc_bytes - history_of(site)->alloc_bytes;
    assert_int_equal(since, 50);
    assert_int_equal(now->collected_bytes + since - (now->alloc_bytes - now->free_bytes), 70);
}

/* The mark with most of all is kept, whatever single sites had at others. */
static void test_peak(void **state)
{
    (void)state;
    uint32_t high = site_of(0x2201), other = site_of(0x2202);
    site_count_alloc(high, 1, 1000000);
    mark_now();
    uint64_t peak = arena.header->peak_bytes;
    assert_in_range(peak, 1000000, 1100000);
    site_count_free(high, 1, 1000000);
    site_count_alloc(other, 1, 5000);
    mark_now();
    assert_int_equal(arena.header->peak_bytes, peak);
    assert_int_equal(history_of(high)->peak_bytes, 1000000);
    assert_int_equal(history_of(other)->peak_bytes, 0);
    site_count_free(other, 1, 5000);
}

/* As of now, and nothing is marked by it. */
static void test_live_bytes(void **state)
{
    (void)state;
    uint32_t site = site_of(0x2301);
    uint64_t start = collection_live_bytes(), marks = arena.header->collections;
    site_count_alloc(site, 3, 300);
    site_count_free(site, 1, 100);
    assert_int_equal(collection_live_bytes(), start + 200);
    guard_set(GUARD_CALLING);
    site_count_free(site, 2, 200);
    assert_int_equal(collection_live_bytes(), start);
    assert_int_equal(guard_state(), GUARD_CALLING);
    guard_set(GUARD_OUTSIDE);
    assert_int_equal(arena.header->collections, marks);
}

static void test_minor_marks_nothing(void **state)
{
    (void)state;
    uint64_t marks = arena.header->collections, count = arena.header->collection_count;
    collection_mark(&(struct collection_event){
        .source = "a runtime", .is_minor = true, .before_bytes = 9, .after_bytes = 7});
    assert_int_equal(arena.header->collections, marks);
    assert_int_equal(arena.header->collection_count, count + 1);
    const struct box_collection *entry =
        arena_entry(BOX_COLLECTIONS, 1 + (uint32_t)(count % BOX_COLLECTIONS_KEPT));
    assert_int_equal(entry->number, count + 1);
    assert_int_equal(entry->is_full, 0);
    assert_int_equal(entry->after_bytes, 7);
    assert_string_equal(entry->source, "a runtime");
}

static struct {
    uint32_t site;
    bool stop;
} shared;

static void *mark(void *unused)
{
    (void)unused;
    for (int i = 0; i < MARKS; i++)
        mark_now();
    return NULL;
}

static void *allocate(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
        site_count_alloc(shared.site, 1, 16);
        site_count_free(shared.site, 1, 16);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t markers[THREADS], allocator;
    uint64_t before = arena.header->collections;
    shared.site = site_of(0x3001);
    assert_int_equal(pthread_create(&allocator, NULL, allocate, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&markers[i], NULL, mark, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(markers[i], NULL);
    __atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
    pthread_join(allocator, NULL);
    assert_int_equal(arena.header->collections, before + THREADS * MARKS);
}

static void *mark_on(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED))
        mark_now();
    return NULL;
}

static bool mark_in_child(void)
{
    site_unlock_child(); /* as process.c does */
    collection_fork();
    mark_now();
    uint64_t before = arena.header->collections;
    mark_now();
    return child_expect(arena.header->collections == before + 1);
}

/* Forks while another thread marks, and so most likely holds the lock. */
static void test_fork_during_marks(void **state)
{
    (void)state;
    pthread_t marker;
    shared.stop = false;
    for (uint32_t i = 0; i < 1000; i++) /* so that a mark takes its time */
        site_count_alloc(site_of(0x4000 + i), 1, 1);
    assert_int_equal(pthread_create(&marker, NULL, mark_on, NULL), 0);
    bool good = true;
    for (int i = 0; i < FORKS && good; i++)
        good = child_run(mark_in_child);
    __atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
    pthread_join(marker, NULL);
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_becomes_collected),
        cmocka_unit_test(test_epoch_and_time),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_live_bytes),
        cmocka_unit_test(test_minor_marks_nothing),
        cmocka_unit_test(test_guard_is_put_back),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fork_during_marks),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
