#include "preload/tables/site.h"

#include "preload/tables/mapping.h"
#include "preload/tables/stack.h"

#include "child.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "plugin.h"

enum { THREADS = 8, STACKS = 1000, ROUNDS = 4, DEPTH = 10 };

static int before_all(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

/* Every test counts from zero. */
static int before_each(void **state)
{
    (void)state;
    site_reset();
    site_mark();
    return 0;
}

static struct capture capture_of(uint64_t leaf)
{
    struct capture capture = {.depth = 3, .pcs = {leaf, 0x1002, 0x1001}};
    return capture;
}

static uint32_t site_of(uint64_t leaf, enum box_kind kind)
{
    struct capture capture = capture_of(leaf);
    uint32_t site = site_intern(&capture, kind);
    assert_int_not_equal(site, BOX_NONE);
    return site;
}

static const struct box_site *site_at(uint32_t site)
{
    return arena_entry(BOX_SITES, site);
}

static uint32_t sites(void)
{
    return arena.tables[BOX_SITES].count;
}

static void test_a_site_is_stack_and_kind(void **state)
{
    (void)state;
    uint32_t had = sites();
    uint32_t malloced = site_of(0x2001, BOX_KIND_MALLOC), mapped = site_of(0x2001, BOX_KIND_MMAP);
    uint32_t other = site_of(0x2002, BOX_KIND_MALLOC);
    assert_int_equal(sites() - had, 3);
    assert_int_not_equal(malloced, mapped);
    assert_int_not_equal(malloced, other);
    assert_int_equal(site_at(malloced)->kind, BOX_KIND_MALLOC);
    assert_int_equal(site_at(mapped)->kind, BOX_KIND_MMAP);
    assert_int_equal(site_at(malloced)->node, site_at(mapped)->node);
    struct capture capture = capture_of(0x2001);
    assert_true(stack_equal(site_at(malloced)->node, &capture));
    assert_int_equal(site_of(0x2001, BOX_KIND_MALLOC), malloced);
    assert_int_equal(site_of(0x2001, BOX_KIND_MMAP), mapped);
    assert_int_equal(sites() - had, 3);
    assert_int_equal(arena.header->tables[BOX_SITES].count, sites());
}

static void test_counters(void **state)
{
    (void)state;
    uint32_t a = site_of(0x3001, BOX_KIND_MALLOC), b = site_of(0x3001, BOX_KIND_MMAP);
    site_count_alloc(a, 1, 100);
    site_count_alloc(a, 2, 1ull << 40);
    site_count_free(a, 1, 99);
    site_count_alloc(b, 0, 7); /* growth of an object that was counted */
    assert_int_equal(site_at(a)->alloc_objects, 3);
    assert_true(site_at(a)->alloc_bytes == (1ull << 40) + 100);
    assert_int_equal(site_at(a)->free_objects, 1);
    assert_int_equal(site_at(a)->free_bytes, 99);
    assert_int_equal(site_at(b)->alloc_objects, 0);
    assert_int_equal(site_at(b)->alloc_bytes, 7);
    assert_true(site_live_bytes() == (1ull << 40) + 1 + 7);
}

static void test_mark(void **state)
{
    (void)state;
    uint32_t a = site_of(0x4001, BOX_KIND_MALLOC), b = site_of(0x4002, BOX_KIND_MALLOC);
    site_count_alloc(a, 5, 500);
    site_count_free(a, 2, 150);
    site_count_alloc(b, 1, 64);
    site_count_free(b, 1, 64);
    site_mark();
    site_count_alloc(a, 10, 1000);
    assert_int_equal(site_at(a)->collected_objects, 3);
    assert_int_equal(site_at(a)->collected_bytes, 350);
    assert_int_equal(site_at(b)->collected_objects, 0);
    assert_int_equal(site_at(b)->collected_bytes, 0);
    site_mark();
    assert_int_equal(site_at(a)->collected_objects, 13);
    assert_int_equal(site_at(a)->collected_bytes, 1350);
}

static void test_reset(void **state)
{
    (void)state;
    uint32_t a = site_of(0x5001, BOX_KIND_MALLOC), count = sites();
    site_count_alloc(a, 1, 10);
    site_count_free(a, 1, 10);
    site_reset();
    assert_int_equal(site_at(a)->alloc_objects | site_at(a)->alloc_bytes, 0);
    assert_int_equal(site_at(a)->free_objects | site_at(a)->free_bytes, 0);
    assert_int_equal(site_of(0x5001, BOX_KIND_MALLOC), a);
    assert_int_equal(sites(), count);
    assert_int_equal(site_live_bytes(), 0);
}

static void test_cut_stacks_are_marked(void **state)
{
    (void)state;
    struct capture capture = capture_of(0x6001);
    capture.cut = true;
    assert_int_equal(site_at(site_intern(&capture, BOX_KIND_MALLOC))->flags, BOX_SITE_CUT);
    assert_int_equal(site_at(site_of(0x6002, BOX_KIND_MALLOC))->flags, 0);
}

/* Of a sampled run: a site for each class of sizes, of the same stack. */
static void test_sized_sites(void **state)
{
    (void)state;
    struct capture capture = capture_of(0x6003);
    capture.cut = true;
    uint32_t whole = site_intern(&capture, BOX_KIND_MALLOC), count = sites();
    uint32_t small = site_sized(whole, 16), large = site_sized(whole, UINT64_MAX);
    assert_int_equal(sites(), count + 2);
    assert_int_equal(site_sized(whole, 16), small);
    assert_int_equal(site_sized(whole, 23), small); /* less than half as much again */
    assert_int_equal(sites(), count + 2);
    const uint64_t sizes[] = {0, 2, 3, 4, 24, 32, 1 << 20, 1ull << 63};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint32_t sized = site_sized(whole, sizes[i]);
        assert_int_equal(sites(), count + 3 + i); /* a new one */
        assert_int_equal(site_sized(whole, sizes[i]), sized);
    }
    assert_int_equal(site_at(small)->node, site_at(whole)->node);
    assert_true(site_at(small)->flags & BOX_SITE_CUT);
    assert_int_not_equal(large, small);
    assert_int_equal(site_intern(&capture, BOX_KIND_MALLOC), whole);
}

static void test_unloaded_code_matches_no_more(void **state)
{
    (void)state;
    uint64_t address;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    uint32_t plain = site_of(0x7001, BOX_KIND_MALLOC), old = site_of(address, BOX_KIND_MALLOC);
    site_count_alloc(old, 1, 10);
    site_sweep();
    assert_int_equal(site_of(address, BOX_KIND_MALLOC), old);
    plugin_close(plugin);
    site_sweep();
    uint32_t fresh = site_of(address, BOX_KIND_MALLOC);
    assert_int_not_equal(fresh, old);
    assert_int_equal(site_at(fresh)->alloc_bytes, 0);
    assert_int_equal(site_at(old)->alloc_bytes, 10);
    assert_int_equal(site_of(0x7001, BOX_KIND_MALLOC), plain);
}

/* Stack i of the concurrent test: a binary path, so that most nodes are shared. */
static struct capture path_of(uint32_t i)
{
    struct capture capture = {.depth = DEPTH};
    for (uint32_t level = 0; level < DEPTH; level++)
        capture.pcs[level] = 0x8000 + 2 * level + (i >> level & 1);
    return capture;
}

static struct {
    pthread_barrier_t begin;
    uint32_t site[THREADS][STACKS];
} shared;

static void *intern_all(void *of_mine)
{
    uint32_t *mine = of_mine;
    pthread_barrier_wait(&shared.begin);
    for (uint32_t i = 0; i < ROUNDS * STACKS; i++) {
        struct capture capture = path_of(i % STACKS);
        uint32_t site = site_intern(&capture, BOX_KIND_MALLOC);
        site_count_alloc(site, 1, i % STACKS);
        mine[i % STACKS] = site;
    }
    return NULL;
}

/* Live bytes never go down while nothing is freed. */
static bool watch_bytes(void)
{
    bool rising = true;
    for (uint64_t before = 0, want = THREADS * ROUNDS * (STACKS - 1ull) * STACKS / 2;
         before < want;) {
        uint64_t now = site_live_bytes();
        rising &= now >= before && now <= want;
        before = rising ? now : want;
    }
    return rising;
}

static void test_threads_make_each_site_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint32_t had = sites(), had_nodes = arena.tables[BOX_NODES].count;
    pthread_barrier_init(&shared.begin, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_all, shared.site[i]), 0);
    assert_true(watch_bytes());
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sites() - had, STACKS);
    /* Level 9 is the root's: 2 nodes, then 4, ... and 1000 leaves of 1024. */
    assert_int_equal(arena.tables[BOX_NODES].count - had_nodes,
                     2 + 4 + 8 + 16 + 32 + 63 + 125 + 250 + 500 + 1000);
    for (uint32_t i = 0; i < STACKS; i++) {
        const struct box_site *site = site_at(shared.site[0][i]);
        assert_int_equal(site->alloc_objects, THREADS * ROUNDS);
        assert_int_equal(site->alloc_bytes, THREADS * ROUNDS * i);
        for (int thread = 1; thread < THREADS; thread++)
            assert_int_equal(shared.site[thread][i], shared.site[0][i]);
    }
}

static void *intern_one(void *site)
{
    struct capture capture = capture_of(0xa001);
    *(uint32_t *)site = site_intern(&capture, BOX_KIND_MMAP);
    return NULL;
}

/* All have looked for the site in vain when the first of them may make it. */
static void test_waiters_find_what_the_first_made(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint32_t site[THREADS], had = sites();
    site_lock();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_one, &site[i]), 0);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    site_unlock();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sites() - had, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(site[i], had);
}

/* Whoever held the lock at the fork is not in the child. */
static bool intern_in_child(void)
{
    struct capture capture = capture_of(0x9001);
    site_unlock_child();
    return child_expect(site_intern(&capture, BOX_KIND_MALLOC) != BOX_NONE);
}

static void *fork_away(void *good)
{
    *(bool *)good = child_run(intern_in_child);
    return NULL;
}

static void test_lock_across_fork(void **state)
{
    (void)state;
    pthread_t forker;
    bool good = false;
    site_lock();
    assert_int_equal(pthread_create(&forker, NULL, fork_away, &good), 0);
    pthread_join(forker, NULL);
    site_unlock();
    assert_true(good);
    site_of(0x9002, BOX_KIND_MALLOC); /* the parent's is free again */
}

#define TEST(function) cmocka_unit_test_setup(function, before_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_site_is_stack_and_kind),
        TEST(test_counters),
        TEST(test_mark),
        TEST(test_reset),
        TEST(test_cut_stacks_are_marked),
        TEST(test_sized_sites),
        TEST(test_unloaded_code_matches_no_more),
        TEST(test_threads_make_each_site_once),
        TEST(test_waiters_find_what_the_first_made),
        TEST(test_lock_across_fork),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
