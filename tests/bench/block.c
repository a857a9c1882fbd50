/* What a live block's record costs: ns to put and take it, by the number of live blocks and by how
   they are visited, and bytes, for blocks of glibc's malloc: `block [LIVE]`. */
#include "preload/tables/block.h"

#include "measure.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BENCH_SMALL = 64, /* bytes; glibc's chunk has BENCH_STRIDE */
    BENCH_STRIDE = 80,
    BENCH_LARGE = 4096,          /* and stride */
    BENCH_VISITS = 1 << 18,      /* of a batch */
    BENCH_HEAP_SMALL = 64 << 20, /* of blocks, to measure bytes a block */
    BENCH_HEAP_LARGE = 256 << 20
};

static const uintptr_t bench_base = 0x500000000000;

static struct lot_cache bench_lots;

static uint32_t find_lot(uint32_t site, uint64_t size_bytes)
{
    uint32_t lot = lot_kept(&bench_lots, site, size_bytes);
    if (lot)
        return lot;
    lot = lot_intern(site, size_bytes);
    lot_keep(&bench_lots, site, size_bytes, lot);
    return lot;
}

/* Blocks that are visited one after the other, or as scattered as can be. */
struct load {
    uintptr_t base;
    uint64_t live;
    uint64_t stride_bytes;
    uint64_t size_bytes;
    uint64_t at;
    uint64_t step;
};

static uintptr_t load_next(struct load *load)
{
    load->at += load->step;
    load->at -= load->at >= load->live ? load->live : 0;
    return load->base + load->at * load->stride_bytes;
}

static __attribute__((noinline)) void put_slowly(uintptr_t address, uint64_t size_bytes)
{
    struct block block;
    while (block_evict(address, size_bytes, &block))
        ;
    block = (struct block){.site = 7, .size_bytes = size_bytes};
    block.lot = find_lot(block.site, size_bytes);
    if (!block_put(address, &block))
        exit(1);
}

/* As a hook does. */
static inline void put(uintptr_t address, uint64_t size_bytes)
{
    uint32_t lot = find_lot(7, size_bytes);
    if (size_bytes >= BLOCK_LARGE_BYTES || !lot || !block_put_lot(address, lot, 0))
        put_slowly(address, size_bytes);
}

static inline uint32_t take(uintptr_t address)
{
    struct block block;
    uint32_t lot = block_take_lot(address);
    if (lot)
        return lot;
    return block_take(address, &block) ? block.lot : 0;
}

/* Takes a live block and puts it back. */
static void work_pairs(void *argument, long count)
{
    struct load *load = argument;
    uint64_t sum = 0;
    for (long i = 0; i < count; i++) {
        uintptr_t address = load_next(load);
        sum += take(address);
        put(address, load->size_bytes);
    }
    if (sum < (uint64_t)count)
        exit(1);
}

/* The same without the record: what the visiting costs. */
static void work_visits(void *argument, long count)
{
    struct load *load = argument;
    for (long i = 0; i < count; i++)
        __asm__ volatile("" ::"r"(load_next(load)));
}

static void work_fill(void *argument, long count)
{
    struct load *load = argument;
    for (long i = 0; i < count; i++)
        put(load_next(load), load->size_bytes);
}

static double load_ns(struct load *load, bool scattered)
{
    load->step = scattered ? 0x9e3779b97f4a7c15u % load->live | 1 : 1;
    return measure_least_ns(work_pairs, load, BENCH_VISITS) -
           measure_least_ns(work_visits, load, BENCH_VISITS);
}

/* CPU ns of the first put of each block: the pages of the shadow come to be. */
static double fill_ns(struct load *load)
{
    uint64_t start_ns = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    work_fill(load, (long)load->live);
    return (double)(measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / (double)load->live;
}

static void report_ns(uint64_t live)
{
    static uintptr_t apart; /* every row has addresses of its own */
    apart += (uintptr_t)1 << 37;
    struct load small = {bench_base + apart, live, BENCH_STRIDE, BENCH_SMALL, 0, 1};
    struct load large = {bench_base - apart, live, BENCH_LARGE, BENCH_LARGE, 0, 1};
    double small_fill = fill_ns(&small), large_fill = fill_ns(&large);
    printf("%10llu %8.1f %8.1f %8.1f %8.1f %8.1f %8.1f\n", (unsigned long long)live, small_fill,
           load_ns(&small, false), load_ns(&small, true), large_fill, load_ns(&large, false),
           load_ns(&large, true));
}

/* In a process of its own: the pool grows by shares of what there is. */
static void report_bytes(size_t size_bytes)
{
    size_t heap_bytes = size_bytes < BLOCK_LARGE_BYTES ? BENCH_HEAP_SMALL : BENCH_HEAP_LARGE;
    size_t count = heap_bytes / (size_bytes + BLOCK_ALIGN);
    fflush(stdout);
    if (fork() != 0) {
        wait(NULL);
        return;
    }
    heap_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        void *block = malloc(size_bytes);
        put((uintptr_t)block, size_bytes);
        heap_bytes += malloc_usable_size(block) + sizeof(size_t);
    }
    double bytes = (double)block_own_bytes();
    printf("%10zu %8.1f bytes a block %6.2f %% of the heap\n", size_bytes, bytes / (double)count,
           100 * bytes / (double)heap_bytes);
    exit(0);
}

int main(int count, char **arguments)
{
    static const size_t sizes[] = {16, 24, 32, 64, 256, 1000, 4096, 65536, 1 << 20};
    long error;
    if (!arena_open(NULL, "bench", 1, &error) || arena_append(BOX_SITES, 8) == 0)
        return 1;
    block_init(BLOCK_GRANULE_BITS_GLIBC);
    printf("shadow of malloc's blocks\n");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        report_bytes(sizes[i]);
    printf("ns a pair; the first: ns a put\n%10s %8s %8s %8s %8s %8s %8s\n", "live", "64 first",
           "in turn", "scatter", "4k first", "in turn", "scatter");
    if (count > 1)
        report_ns(strtoull(arguments[1], NULL, 0));
    else
        for (uint64_t live = 1000; live <= 10000000; live *= 10)
            report_ns(live);
    return 0;
}
