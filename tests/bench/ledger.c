/* What a ledger costs: ms of CPU time to prepare, to scan (the gate is closed), to have the kernel add up, and to label
   all; bytes of scratch memory. For memory without blocks, and for blocks in a heap: `ledger [MIB] [BLOCKS]`, or `ledger 0
   BLOCKS HEAP`: the heap of that number alone, from 0 on. */
#include "preload/ground/arena.h"
#include "preload/tables/block.h"
#include "preload/ledger/ledger.h"
#include "preload/ground/own.h"
#include "preload/tables/usable.h"

#include "area.h"
#include "measure.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BENCH_ROUNDS = 9,
    BENCH_PAGE = 4096,
    BENCH_MIB = 1024,
    BENCH_BLOCKS = 1000000,
    BENCH_SITES = 50000,
    BENCH_SIZES = 8, /* of small blocks, a lot for each site and size */
    BENCH_AREAS = 4096,
    /* The bars: for each GiB resident, and for each million live blocks. */
    BENCH_GIB_MS = 10,
    BENCH_MILLION_MS = 8
};

struct times {
    double open_ms, scan_ms, sum_ms, settle_ms; /* the best of all rounds */
    double resident_gib, scratch_mib;
};

/* A heap that is made up: blocks in the shadow, their pages touched. */
struct heap {
    size_t count;
    uint32_t sites;    /* as many; 1: all blocks are alike */
    size_t stride;     /* from block to block */
    uint64_t bytes;    /* of each; 0: several sizes */
    unsigned freed_of; /* of 16 in a row so many are ghosts */
};

static double least(double one, double other)
{
    return one < other ? one : other;
}

static double now_ms(void)
{
    return (double)measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1e6;
}

static double own_mib(void)
{
    static struct own_area areas[BENCH_AREAS];
    size_t count = own_copy(areas, BENCH_AREAS);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += areas[i].end - areas[i].start;
    return (double)bytes / (1 << 20);
}

static void scan(struct ledger_run *run, struct times *times)
{
    for (;;) {
        double start = now_ms();
        bool whole = ledger_scan(run);
        if (whole) {
            times->scan_ms = least(times->scan_ms, now_ms() - start);
            return;
        }
        if (!ledger_enlarge(run))
            exit(1);
    }
}

static void round_once(struct times *times)
{
    struct box_view view;
    double before_mib = own_mib(), start = now_ms();
    struct ledger_run *run = ledger_open(0);
    if (!run)
        exit(1);
    times->open_ms = least(times->open_ms, now_ms() - start);
    scan(run, times);
    start = now_ms();
    ledger_measure(run);
    times->sum_ms = least(times->sum_ms, now_ms() - start);
    arena_view(&view);
    start = now_ms();
    const struct ledger *ledger = ledger_settle(run, &view);
    times->settle_ms = least(times->settle_ms, now_ms() - start);
    if (!ledger)
        exit(1);
    times->resident_gib = (double)ledger->sum_bytes / (1 << 30);
    times->scratch_mib = own_mib() - before_mib;
    ledger_close(run);
}

/* `live`: of the million live blocks that there are. */
static void show(const char *what, double live)
{
    struct times times = {1e9, 1e9, 1e9, 1e9, 0, 0};
    for (int i = 0; i < BENCH_ROUNDS; i++)
        round_once(&times);
    double whole_ms = times.open_ms + times.scan_ms + times.settle_ms;
    double bar_ms = times.resident_gib * BENCH_GIB_MS + live * BENCH_MILLION_MS;
    printf("%-22s %6.2f %6.2f %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f %6.2f %8.2f\n", what,
           times.resident_gib, live, times.open_ms, times.scan_ms, times.settle_ms, whole_ms,
           bar_ms, times.sum_ms, times.scratch_mib, times.scratch_mib / times.resident_gib);
}

static void bench_pages(const char *what, size_t size_bytes, size_t stride_bytes)
{
    char *memory = area(size_bytes, stride_bytes);
    show(what, 0);
    munmap(memory, size_bytes);
}

/* Sites with a lot for each of some sizes. */
static void make_sites(void)
{
    for (unsigned i = 0; i < BENCH_SITES; i++) {
        uint32_t site = arena_append(BOX_SITES, 1);
        arena_publish(BOX_SITES);
        if (!site)
            exit(1);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static double fill(const struct heap *heap, uintptr_t at)
{
    uint32_t seed = 1;
    size_t live = 0;
    for (size_t i = 0; i < heap->count; i++, at += heap->stride) {
        uint32_t random = next_random(&seed);
        struct block block = {.site = 1 + random % heap->sites, .size_bytes = heap->bytes};
        if (heap->bytes == 0)
            block.size_bytes = heap->stride - 8 * (1 + random / heap->sites % BENCH_SIZES);
        if (!block_put(at, &block))
            exit(1);
        if (i % 16 < heap->freed_of)
            block_take(at, &block);
        else
            live++;
    }
    return (double)live / 1e6;
}

static void bench_heap(const char *what, const struct heap *heap)
{
    size_t size_bytes = heap->count * heap->stride + BENCH_PAGE;
    char *memory = area(size_bytes, BENCH_PAGE);
    uintptr_t start = (uintptr_t)memory + 16;
    show(what, fill(heap, start));
    /* Its ghosts are there for good: nobody gets these addresses again. */
    if (mmap(memory, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        exit(1);
}

static void bench_heaps(size_t blocks, const char *number)
{
    const struct {
        const char *what;
        struct heap heap;
    } cases[] = {
        {"72 bytes, 1 site", {blocks, 1, 80, 72, 0}},
        {"72 bytes, 50000 sites", {blocks, BENCH_SITES, 80, 72, 0}},
        {"mixed, 16 sites", {blocks, 16, 96, 0, 0}},
        {"mixed, 50000 sites", {blocks, BENCH_SITES, 96, 0, 0}},
        {"3 of 4 freed", {blocks * 4, BENCH_SITES, 80, 72, 12}},
        {"500 bytes", {blocks / 4, BENCH_SITES, 528, 500, 0}},
        {"2000 bytes", {blocks / 4, BENCH_SITES, 2048, 2000, 0}},
        {"all freed", {blocks, BENCH_SITES, 80, 72, 16}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!number || strtoull(number, NULL, 10) == i)
            bench_heap(cases[i].what, &cases[i].heap);
}

int main(int count, char **arguments)
{
    size_t size_bytes = (count > 1 ? strtoull(arguments[1], NULL, 10) : BENCH_MIB) << 20;
    size_t blocks = count > 2 ? strtoull(arguments[2], NULL, 10) : BENCH_BLOCKS;
    long error;
    block_init(BLOCK_GRANULE_BITS_GLIBC);
    usable_init(NULL, true);
    if (!arena_open(NULL, "ledger", 1, &error))
        return 1;
    strcpy(arena.header->allocator, "glibc");
    make_sites();
    printf("%-22s %6s %6s %8s %8s %8s %8s %8s %8s %6s %8s\n", "memory", "GiB", "live M", "open ms",
           "scan ms", "label ms", "all", "bar", "sum ms", "MiB", "MiB/GiB");
    if (size_bytes > 0) {
        bench_pages("nothing", BENCH_PAGE, BENCH_PAGE);
        bench_pages("dense", size_bytes, BENCH_PAGE);
        bench_pages("every 2nd page", 2 * size_bytes, (size_t)2 * BENCH_PAGE);
    }
    bench_heaps(blocks, count > 3 ? arguments[3] : NULL);
    return 0;
}
