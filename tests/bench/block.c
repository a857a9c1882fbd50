/* ns for block_put() + block_take(), by the number of live blocks: `block [LIVE]`. */
#include "preload/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BENCH_PAIRS = 4000000,
    BENCH_ROUNDS = 5,  /* the minimum counts: the machine is not ours alone */
    BENCH_STRIDE = 48, /* of small blocks: glibc's chunk for 32 bytes and more */
    BENCH_LARGE = 4096 /* size and stride of the large ones */
};

static const uintptr_t bench_base = 0x500000000000;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct load {
    uintptr_t base;
    uint64_t live;
    uint64_t stride_bytes;
    uint32_t size_bytes;
};

static uintptr_t load_address(const struct load *load, uint64_t at)
{
    return load->base + at * load->stride_bytes;
}

static void load_fill(const struct load *load)
{
    struct block block = {.site = 7, .size_bytes = load->size_bytes};
    for (uint64_t i = 0; i < load->live; i++)
        if (!block_put(load_address(load, i), &block))
            exit(1);
}

/* Takes one of the live blocks and puts it back, over and over; ns a pair. */
static double load_pairs(const struct load *load, bool scattered)
{
    uint64_t at = 0, sites = 0;
    uint64_t step = scattered ? 0x9e3779b97f4a7c15u % load->live | 1 : 1;
    uint64_t start_ns = now_ns();
    for (int i = 0; i < BENCH_PAIRS; i++) {
        struct block block;
        block_take(load_address(load, at), &block);
        sites += block.site;
        block_put(load_address(load, at), &block);
        at += step;
        at -= at >= load->live ? load->live : 0;
    }
    uint64_t spent_ns = now_ns() - start_ns;
    if (sites != 7ull * BENCH_PAIRS)
        exit(1);
    return (double)spent_ns / BENCH_PAIRS;
}

static double load_best(const struct load *load, bool scattered)
{
    double best = 1e9;
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        double ns = load_pairs(load, scattered);
        best = ns < best ? ns : best;
    }
    return best;
}

static void report(uint64_t live)
{
    struct load small = {bench_base, live, BENCH_STRIDE, 32};
    struct load large = {bench_base << 1 >> 2, live, BENCH_LARGE, BENCH_LARGE};
    load_fill(&small);
    load_fill(&large);
    printf("%10llu %10.1f %10.1f %10.1f %10.1f\n", (unsigned long long)live,
           load_best(&small, false), load_best(&small, true), load_best(&large, false),
           load_best(&large, true));
}

int main(int count, char **arguments)
{
    printf("ns a pair\n%10s %10s %10s %10s %10s\n", "live", "small", "scattered", "large",
           "scattered");
    if (count > 1) {
        report(strtoull(arguments[1], NULL, 0));
        return 0;
    }
    for (uint64_t live = 1000; live <= 10000000; live *= 10)
        report(live);
    printf("own bytes %llu\n", (unsigned long long)block_own_bytes());
    return 0;
}
