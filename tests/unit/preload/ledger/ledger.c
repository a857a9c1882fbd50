/* The whole ledger of processes that are made up: which pages are resident is given, and each byte must go somewhere. */
#include "preload/ledger/ledger.h"

#include "preload/ground/arena.h"
#include "preload/ledger/residency.h"
#include "preload/tables/block.h"
#include "preload/tables/usable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    PAGE = 4096,
    SITES = 40,
    ROUNDS = 60,
    REGIONS = 4000,
    MAPPINGS = 5,
    BLOCKS = 3000,
    READ_WRITE = VMA_READ | VMA_WRITE
};

/* --- Instead of residency.c: what the scene says. --- */

static struct {
    uint64_t base;
    struct vma vmas[MAPPINGS];
    struct residency_region regions[REGIONS];
    size_t region_count;
    uint64_t resident_bytes;
    unsigned scans, drifts; /* so many more times the kernel's sum is another one */
} scene;

bool residency_open(struct residency *residency, bool alone)
{
    (void)alone;
    *residency = (struct residency){.source = LEDGER_PAGEMAP_SCAN};
    residency->vmas.vmas = scene.vmas;
    residency->vmas.count = MAPPINGS;
    return true;
}

void residency_prepare(struct residency *residency)
{
    (void)residency;
}

enum residency_result residency_scan(struct residency *residency)
{
    residency->resident_bytes = scene.resident_bytes;
    scene.scans++;
    return RESIDENCY_DONE;
}

bool residency_enlarge(struct residency *residency)
{
    (void)residency;
    return false;
}

void residency_measure(struct residency *residency)
{
    uint64_t drift_bytes = scene.drifts > 0 ? PAGE : 0;
    scene.drifts -= scene.drifts > 0;
    residency->figures = (struct residency_figures){
        .known = true, .summed = true, .rss_bytes = scene.resident_bytes + drift_bytes};
}

bool residency_next(const struct residency *residency, struct residency_cursor *cursor,
                    struct residency_region *region)
{
    (void)residency;
    if (cursor->at == scene.region_count)
        return false;
    *region = scene.regions[cursor->at++];
    return true;
}

void residency_close(struct residency *residency)
{
    residency->scratch = NULL;
}

/* --- Scenes. --- */

/* A file, a heap, anonymous memory, a stack: 4 MiB each, at addresses where no scene has been. */
static void scene_begin(void)
{
    static const struct {
        const char *name;
        uint32_t flags;
    } mappings[MAPPINGS] = {{"/lib/a.so", VMA_READ | VMA_EXECUTE},
                            {"/lib/a.so", READ_WRITE},
                            {"[heap]", READ_WRITE},
                            {"", READ_WRITE},
                            {"[stack]", READ_WRITE}};
    uint64_t base = scene.base ? scene.base + (1ull << 30) : 0x300000000000;
    memset(&scene, 0, sizeof(scene));
    scene.base = base;
    for (unsigned i = 0; i < MAPPINGS; i++) {
        uint64_t start = base + ((uint64_t)i << 24);
        scene.vmas[i] = (struct vma){.start = start,
                                     .end = start + (4 << 20),
                                     .inode = i < 2 ? 7 : 0,
                                     .flags = mappings[i].flags,
                                     .name = mappings[i].name};
    }
}

static uint64_t mapping(unsigned number)
{
    return scene.vmas[number].start;
}

static void resident(uint64_t start, uint64_t pages, uint32_t flags)
{
    if (scene.region_count == REGIONS)
        return;
    scene.regions[scene.region_count++] =
        (struct residency_region){start, start + pages * PAGE, flags};
    scene.resident_bytes += pages * PAGE;
}

static void put(uint64_t address, uint32_t site, uint64_t bytes, bool live)
{
    struct block block = {.site = site, .size_bytes = bytes};
    while (block_evict(address, bytes, &block))
        ;
    block = (struct block){.site = site, .size_bytes = bytes};
    assert_true(block_put(address, &block));
    if (!live)
        assert_true(block_take(address, &block));
}

static uint64_t line_bytes(const struct ledger *ledger, enum ledger_category category,
                           const char *name)
{
    for (size_t i = 0; i < ledger->line_count; i++)
        if (ledger->lines[i].category == category && strcmp(ledger->lines[i].name, name) == 0)
            return ledger->lines[i].bytes;
    return 0;
}

static const struct ledger *settle(struct ledger_run **run)
{
    struct box_view view;
    *run = ledger_open(0);
    assert_non_null(*run);
    ledger_prepare(*run);
    assert_true(ledger_scan(*run));
    ledger_list(*run);
    ledger_measure(*run);
    arena_view(&view);
    const struct ledger *ledger = ledger_settle(*run, &view);
    assert_non_null(ledger);
    assert_int_equal(ledger->sum_bytes, scene.resident_bytes);
    assert_int_equal(ledger->rss_bytes, scene.resident_bytes);
    return ledger;
}

static unsigned scans_of(uint32_t threads, unsigned drifts)
{
    scene_begin();
    resident(mapping(2), 64, 0);
    scene.drifts = drifts;
    struct ledger_run *run = ledger_open(threads);
    assert_non_null(run);
    assert_true(ledger_scan(run));
    ledger_measure(run);
    ledger_close(run);
    return scene.scans;
}

/* Nobody else has changed memory: where a process has one thread, what has come is there for the next scan. */
static void test_scanned_again(void **state)
{
    (void)state;
    assert_int_equal(scans_of(1, 0), 1);
    assert_int_equal(scans_of(1, 1), 2);
    assert_int_equal(scans_of(1, 2), 2); /* but it may be others', whose pages these are too */
    assert_int_equal(scans_of(2, 1), 1);
    assert_int_equal(scans_of(0, 1), 1);
}

static void test_known(void **state)
{
    (void)state;
    struct ledger_run *run;
    scene_begin();
    resident(mapping(0), 16, RESIDENCY_FILE);
    resident(mapping(1), 3, RESIDENCY_FILE);
    resident(mapping(1) + 3 * PAGE, 2, 0);
    resident(mapping(2), 64, 0);
    resident(mapping(3) + PAGE, 5, 0);
    resident(mapping(4), 8, 0);
    for (int i = 0; i < 10; i++) {
        put(mapping(2) + (uint64_t)i * PAGE + 16, 1, 104, true);
        put(mapping(2) + (uint64_t)(10 + i) * PAGE + 16, 2, 104, false);
    }
    put(mapping(2) + 30 * PAGE, 3, 20 * PAGE - 16, true); /* one large block */
    const struct ledger *ledger = settle(&run);
    assert_int_equal(line_bytes(ledger, LEDGER_FILE, "[file: /lib/a.so text]"), 16 * PAGE);
    assert_int_equal(line_bytes(ledger, LEDGER_FILE, "[file: /lib/a.so data]"), 3 * PAGE);
    assert_int_equal(line_bytes(ledger, LEDGER_FILE, "[file: /lib/a.so private dirty]"), 2 * PAGE);
    assert_int_equal(line_bytes(ledger, LEDGER_STACK, "[stack: main thread]"), 8 * PAGE);
    assert_int_equal(line_bytes(ledger, LEDGER_OTHER, ""), 5 * PAGE);
    assert_int_equal(line_bytes(ledger, LEDGER_METADATA, ""), (64 - 40) * PAGE);
    assert_int_equal(ledger->sites[1].live_bytes, 10 * 104);
    assert_int_equal(ledger->sites[1].slack_bytes, 0);
    assert_int_equal(ledger->sites[1].pinned_bytes, 10 * (PAGE - 104));
    assert_int_equal(ledger->sites[2].idle_bytes, 10 * PAGE);
    assert_int_equal(ledger->sites[3].live_bytes, 20 * PAGE - 16);
    assert_int_equal(ledger->sites[3].slack_bytes + ledger->sites[3].pinned_bytes, 16);
    ledger_close(run);
}

/* 128 bytes that hold a huge page. */
static void test_huge(void **state)
{
    (void)state;
    struct ledger_run *run;
    scene_begin();
    resident(mapping(3), 512, RESIDENCY_HUGE);
    put(mapping(3) + 100 * PAGE + 16, 5, 120, true);
    const struct ledger *ledger = settle(&run);
    assert_int_equal(ledger->sites[5].live_bytes, 120);
    assert_int_equal(ledger->sites[5].pinned_bytes, PAGE - 120);
    assert_int_equal(ledger->sites[5].huge_bytes, 511 * PAGE);
    ledger_close(run);
}

/* Blocks and ghosts without order, over all of a mapping. */
static void fill(uint64_t start, uint64_t end)
{
    uint64_t at = start + 16;
    for (int i = 0; i < BLOCKS && at < end; i++) {
        uint64_t bytes = (uint64_t)(rand() % 200);
        if (rand() % 10 == 0)
            bytes = 1024 + (uint64_t)(rand() % 40000);
        if (bytes >= BLOCK_LARGE_BYTES)
            at = ((at + 1023) & -1024ull) + 16;
        if (at + bytes < end)
            put(at, 1 + (uint32_t)rand() % (SITES - 1), bytes, rand() % 3 != 0);
        at = (at + bytes + 63) & -32ull;
        at += 16 + (rand() % 20 == 0 ? (uint64_t)(rand() % 30) * PAGE : 0);
    }
}

/* Some of its pages, in runs of any flags. */
static void scatter(unsigned number, uint32_t flags)
{
    uint64_t end = scene.vmas[number].end;
    for (uint64_t at = mapping(number); at < end;) {
        uint64_t pages = 1 + (uint64_t)(rand() % (rand() % 8 == 0 ? 200 : 3));
        if (at + pages * PAGE > end)
            pages = (end - at) / PAGE;
        resident(at, pages, flags & (uint32_t)rand());
        at += (pages + (uint64_t)(rand() % 3)) * PAGE;
    }
}

/* Sites' live bytes are those on resident pages, whatever else there is. */
static void test_nothing_is_lost(void **state)
{
    (void)state;
    srand(5);
    for (int round = 0; round < ROUNDS; round++) {
        struct ledger_run *run;
        scene_begin();
        scatter(0, RESIDENCY_FILE);
        scatter(1, RESIDENCY_FILE);
        fill(mapping(2), scene.vmas[2].end);
        scatter(2, RESIDENCY_HUGE);
        fill(mapping(3), scene.vmas[3].end - (1 << 20));
        scatter(3, RESIDENCY_HUGE);
        scatter(4, 0);
        const struct ledger *ledger = settle(&run);
        uint64_t lines = 0, sites = 0;
        for (size_t i = 0; i < ledger->line_count; i++)
            lines += ledger->lines[i].bytes;
        for (uint64_t i = 0; i < ledger->site_count; i++)
            sites += ledger->sites[i].live_bytes + ledger->sites[i].slack_bytes +
                     ledger->sites[i].pinned_bytes + ledger->sites[i].huge_bytes +
                     ledger->sites[i].idle_bytes;
        assert_int_equal(lines + sites, scene.resident_bytes);
        assert_true(lines > 0 && sites > 0);
        ledger_close(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_huge),
                                       cmocka_unit_test(test_scanned_again),
                                       cmocka_unit_test(test_nothing_is_lost)};
    long error;
    block_init(BLOCK_GRANULE_BITS_GLIBC);
    usable_init(NULL, true);
    if (!arena_open(NULL, "ledger", 1, &error))
        return 1;
    strcpy(arena.header->allocator, "glibc");
    for (unsigned i = 0; i < SITES; i++) {
        arena_append(BOX_SITES, 1);
        arena_publish(BOX_SITES);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
