/* What it costs to learn which pages are resident: ms of CPU time per GiB of 4 KiB pages to scan, to have the
   kernel add up, to prepare; and bytes of scratch memory. By each source, of dense memory, of every second
   page, of lone pages, and of many mappings: `residency [MIB]`. */
#include "preload/ledger/residency.h"

#include "area.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { BENCH_ROUNDS = 15, BENCH_PAGE = 4096, BENCH_MIB = 1024, BENCH_MAPPINGS = 16000 };

static const char *const names[LEDGER_SOURCES] = LEDGER_SOURCE_NAMES;

struct times {
    double open_ms, scan_ms, measure_ms; /* the best of all rounds */
};

static double least(double one, double other)
{
    return one < other ? one : other;
}

static void time_rounds(struct residency *residency, struct times *times)
{
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        residency_prepare(residency); /* with the gate open: the scan is what malloc waits for */
        uint64_t start = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        if (residency_scan(residency) != RESIDENCY_DONE)
            exit(1);
        uint64_t scanned = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        residency_measure(residency);
        times->scan_ms = least(times->scan_ms, (double)(scanned - start) / 1e6);
        times->measure_ms = least(
            times->measure_ms, (double)(measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) - scanned) / 1e6);
    }
}

static void show(const char *what, enum ledger_source best)
{
    struct residency residency;
    struct times times = {1e9, 1e9, 1e9};
    uint64_t start = measure_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (!residency_open_at(&residency, best))
        exit(1);
    times.open_ms = (double)(measure_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1e6;
    time_rounds(&residency, &times);
    double gib = (double)residency.resident_bytes / (1 << 30);
    double own_mib = (double)residency_own_bytes(&residency) / (1 << 20);
    printf("%-10s %-13s %8.2f %8.2f %8.2f %10.2f %10.3f %9llu %9zu\n", what,
           names[residency.source], times.open_ms / gib, times.scan_ms / gib,
           times.measure_ms / gib, times.scan_ms, own_mib / gib,
           (unsigned long long)residency.region_count, residency.vmas.count);
    residency_close(&residency);
}

static void show_all(const char *what)
{
    for (enum ledger_source best = LEDGER_PAGEMAP_SCAN; best < LEDGER_SOURCES; best++)
        show(what, best);
}

static void bench(const char *what, size_t size_bytes, size_t stride_bytes)
{
    char *memory = area(size_bytes, stride_bytes);
    show_all(what);
    munmap(memory, size_bytes);
}

static void bench_mappings(void)
{
    size_t size_bytes = (size_t)2 * BENCH_MAPPINGS * BENCH_PAGE;
    char *memory = area(size_bytes, BENCH_PAGE);
    for (size_t i = 0; i < BENCH_MAPPINGS; i++)
        mprotect(memory + 2 * i * BENCH_PAGE, BENCH_PAGE, PROT_READ);
    show_all("mappings");
    munmap(memory, size_bytes);
}

int main(int count, char **arguments)
{
    size_t size_bytes = (count > 1 ? strtoull(arguments[1], NULL, 10) : BENCH_MIB) << 20;
    printf("%-10s %-13s %8s %8s %8s %10s %10s %9s %9s\n", "memory", "source", "open/GiB",
           "scan/GiB", "sum/GiB", "scan ms", "MiB/GiB", "regions", "mappings");
    bench("dense", size_bytes, BENCH_PAGE);
    bench("every 2nd", 2 * size_bytes, (size_t)2 * BENCH_PAGE);
    bench("every 600th", 16 * size_bytes, (size_t)600 * BENCH_PAGE);
    bench_mappings();
    return 0;
}
