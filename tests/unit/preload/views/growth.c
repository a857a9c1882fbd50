#include "preload/views/growth.h"

#include "preload/ground/arena.h"
#include "preload/tables/delta.h"
#include "preload/ground/guard.h"
#include "preload/tables/mapping.h"
#include "preload/ground/options.h"
#include "preload/tables/site.h"
#include "preload/views/snapshot.h"

#include "profile_file.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "emulator.h"

enum { MEBIBYTE = 1 << 20, INTERVAL_MS = 200, PID = 4711 };

static uint32_t site;

static int before_all(void **state)
{
    (void)state;
    long error;
    struct capture capture = {.depth = 1, .pcs = {0x1001}};
    mapping_init("/opt/app", "/");
    if (!arena_open(NULL, "app", PID, &error) || !snapshot_init())
        return 1;
    guard_init(NULL, NULL);
    arena.header->pid = PID;
    strcpy(arena.header->name, "app");
    site = site_intern(&capture, BOX_KIND_MALLOC);
    return 0;
}

static int before_each(void **state)
{
    (void)state;
    scratch_make();
    scratch_path(arena.header->pattern, "%c.prof"); /* TMPDIR has no '%' */
    options_read(NULL);
    snapshot_fork();
    site_reset();
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Looks as soon as it will look again; the profiles there are then. */
static unsigned look(void)
{
    sleep_ms(12);
    growth_check();
    return scratch_count(".prof");
}

static void allocate(uint64_t bytes)
{
    site_count_alloc(site, 1, bytes);
}

static void assert_source(const char *name, const char *source)
{
    char path[SCRATCH_PATH_BYTES_MAX], fact[64];
    snprintf(fact, sizeof(fact), "heapdiff.source: %s", source);
    assert_true(profile_file_says(scratch_path(path, name), fact));
}

static void test_nothing_was_asked_for(void **state)
{
    (void)state;
    growth_restart();
    allocate(1ull << 40);
    sleep_ms(50);
    assert_int_equal(look(), 0);
}

static uint64_t uptime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Expects no more files than these, unless this machine was so slow that another was due. */
static void assert_none_due(unsigned files, uint64_t since_ms)
{
    unsigned found = look();
    if (uptime_ms() - since_ms < INTERVAL_MS)
        assert_int_equal(found, files);
}

static void test_interval(void **state)
{
    (void)state;
    uint64_t since_ms = uptime_ms();
    options.interval_ns = INTERVAL_MS * 1000000ull;
    growth_restart();
    assert_none_due(0, since_ms);
    sleep_ms(INTERVAL_MS);
    since_ms = uptime_ms();
    unsigned files = look();
    assert_true(files > 0);
    assert_source("1.prof", "interval");
    assert_none_due(files, since_ms); /* counts from there again */
    sleep_ms(INTERVAL_MS);
    since_ms = uptime_ms();
    growth_restart(); /* so it does after any other snapshot */
    assert_none_due(files, since_ms);
}

static void test_growth_of_live_bytes(void **state)
{
    (void)state;
    options.every_percent = 10;
    allocate(100 * MEBIBYTE);
    growth_restart();
    assert_int_equal(look(), 0);
    allocate(10 * MEBIBYTE - 1000);
    assert_int_equal(look(), 0);
    allocate(1000);
    assert_int_equal(look(), 1);
    assert_source("1.prof", "growth");
    allocate(10 * MEBIBYTE); /* of 110 */
    assert_int_equal(look(), 1);
    allocate(1 * MEBIBYTE);
    assert_int_equal(look(), 2);
}

/* One that was asked for by somebody else is a point to count from, too. */
static void test_any_snapshot_counts(void **state)
{
    (void)state;
    options.every_percent = 10;
    allocate(100 * MEBIBYTE);
    growth_restart();
    allocate(9 * MEBIBYTE);
    assert_int_equal(growth_snapshot("signal", NULL), 0);
    allocate(10 * MEBIBYTE); /* of 109 */
    assert_int_equal(look(), 1);
    allocate(1 * MEBIBYTE);
    assert_int_equal(look(), 2);
}

/* What is freed is not growth, and what comes back up to where it was is none either. */
static void test_shrinking(void **state)
{
    (void)state;
    options.every_percent = 10;
    allocate(100 * MEBIBYTE);
    growth_restart();
    site_count_free(site, 1, 50 * MEBIBYTE);
    assert_int_equal(look(), 0);
    allocate(59 * MEBIBYTE);
    assert_int_equal(look(), 0);
    allocate(1 * MEBIBYTE);
    assert_int_equal(look(), 1);
}

static void test_small_programs_are_left_alone(void **state)
{
    (void)state;
    options.every_percent = 10;
    growth_restart();
    allocate(4 * MEBIBYTE - 1);
    assert_int_equal(look(), 0); /* however many percent of nothing */
    allocate(1);
    assert_int_equal(look(), 1);
}

static void test_large_numbers(void **state)
{
    (void)state;
    options.every_percent = 1000000;
    allocate(1ull << 40);
    growth_restart();
    allocate(1ull << 53);
    assert_int_equal(look(), 0);
    allocate(1ull << 54);
    assert_int_equal(look(), 1); /* 10000 times as much: 2^40 of 10000 are below 2^54 */
}

/* Resident memory counts too: pages that malloc knows nothing of. */
static void test_growth_of_rss(void **state)
{
    (void)state;
    if (emulator_lacks("MAP_POPULATE"))
        skip();
    size_t bytes = 64 * MEBIBYTE;
    options.every_percent = 20;
    growth_restart();
    assert_int_equal(look(), 0);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(look(), 1);
    assert_source("1.prof", "growth");
    munmap(pages, bytes);
    assert_int_equal(look(), 1);
}

/* Looking costs a system call: not at every event. */
static void test_looks_are_rare(void **state)
{
    (void)state;
    options.interval_ns = 1;
    growth_restart();
    uint64_t start_ms = uptime_ms();
    do
        growth_check();
    while (uptime_ms() < start_ms + 100);
    assert_in_range(scratch_count(".prof"), 1, 1 + (uptime_ms() - start_ms) / 10);
}

/* What threads have counted and not yet added to the sites. */
static void test_deltas_grow_too(void **state)
{
    (void)state;
    struct delta delta;
    uint32_t lot = arena_append(BOX_LOTS, 1);
    *(struct box_lot *)arena_entry(BOX_LOTS, lot) = (struct box_lot){site, MEBIBYTE};
    arena_publish(BOX_LOTS);
    options.every_percent = 10;
    allocate(100 * MEBIBYTE);
    delta_init(&delta);
    growth_restart();
    for (int i = 0; i < 9; i++)
        delta_alloc(&delta, lot);
    assert_int_equal(look(), 0);
    for (int i = 0; i < 9; i++)
        delta_free(&delta, lot);
    for (int i = 0; i < 10; i++)
        delta_alloc(&delta, lot);
    assert_int_equal(look(), 1);
    delta_reset();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_was_asked_for),
        TEST(test_interval),
        TEST(test_growth_of_live_bytes),
        TEST(test_deltas_grow_too),
        TEST(test_any_snapshot_counts),
        TEST(test_shrinking),
        TEST(test_small_programs_are_left_alone),
        TEST(test_large_numbers),
        TEST(test_growth_of_rss),
        TEST(test_looks_are_rare),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
