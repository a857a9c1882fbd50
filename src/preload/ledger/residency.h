/*
 * residency.h - which pages of the process are resident, by the kernel's own count of RSS.
 *
 * What it is: a pass over the page tables (the PAGEMAP_SCAN ioctl, else /proc/self/pagemap and smaps, else smaps alone)
 *   that gives resident memory as regions in address order, and the kernel's own sum beside it.
 *   Zero pages, guard pages, pages of hugetlbfs and swapped-out pages are not resident; pages made free
 *   lazily (MADV_FREE) and those of a mapping that forbids all access are.
 * Owns: its scratch memory: 160 KiB, and 2 bytes for each resident page, 0.5 MiB per GiB; more only where most pages
 *   are far apart.
 * Context: open, enlarge and close where sys_pages() may be called; scan and measure with the gate closed: they allocate
 *   nothing and change no resident page. All signals blocked, or the same program's handlers count too.
 * Not here: whose pages they are (the ledger).
 *
 *     struct residency residency;
 *     residency_open(&residency, false);                may allocate; tries everything on little memory
 *     residency_prepare(&residency);                    after this nobody of ours maps anything
 *     while (gate_close(), residency_scan(&residency) == RESIDENCY_FULL) {
 *         gate_open();
 *         if (!residency_enlarge(&residency)) ...       memory is out: residency.source is not measured
 *         residency_prepare(&residency);
 *     }
 *     residency_measure(&residency);                    the kernel's sum; where the caller can afford it
 *     gate_open();
 *     for (struct residency_cursor at = {0}; residency_next(&residency, &at, &region);) ...
 *     residency_close(&residency);
 */
#ifndef HEAPDIFF_PRELOAD_RESIDENCY_H
#define HEAPDIFF_PRELOAD_RESIDENCY_H

#include "residency_figures.h"
#include "format/ledger.h"
#include "preload/ground/vma.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESIDENCY_HUGE = 1, /* mapped by a huge page */
    /* Pages of a file or of shared memory; else anonymous, private copies too. */
    RESIDENCY_FILE = 2,
    /* On its way to another place in memory (a migration entry): it is RSS. */
    RESIDENCY_SWAPPED = 4,
    RESIDENCY_GUESS = 8 /* so many pages of the mapping are resident; which ones is not known */
};

struct residency_region {
    uint64_t start, end; /* whole pages; two regions do not overlap, but may touch */
    uint32_t flags;      /* RESIDENCY_* */
};

/* Of a finished scan; zeroed: before the first region. */
struct residency_cursor {
    size_t at;     /* bytes of the scan consumed */
    uint64_t page; /* end of the region before */
};

enum residency_result {
    RESIDENCY_DONE,
    RESIDENCY_FULL,   /* scratch memory is too small: enlarge it and scan again */
    RESIDENCY_UNKNOWN /* /proc cannot be read: no regions, no mappings */
};

struct residency_scratch;

/* What the kernel says of the whole process; all 0 where it does not. */
struct residency_status {
    uint64_t page_table_bytes, swap_bytes, hugetlb_bytes;
};

struct residency {
    enum ledger_source source; /* of the last scan; what the next one tries first */
    uint64_t resident_bytes;   /* sum of all regions */
    uint64_t guessed_bytes;    /* of these in regions that are RESIDENCY_GUESS */
    uint64_t region_count;
    struct residency_status status; /* as of the scan */
    struct vma_list vmas;           /* as of the scan, flags and all */
    struct residency_figures figures;
    struct residency_scratch *scratch;
};

/* False: out of memory; what was taken has been given back. Where nothing can be read it is true, and a scan
   says so. `alone`: the process has no other thread, nobody waits for the gate, and nothing is tried beforehand: where
   the kernel's sum is another one then, scan again. */
bool residency_open(struct residency *residency, bool alone);

/* For tests and benchmarks: no better source than `best`. */
bool residency_open_at(struct residency *residency, enum ledger_source best);

/* With the gate open, right before a scan: reads what would take long, where there are many mappings. The scan then looks
   whether that still holds. It does without, too. */
void residency_prepare(struct residency *residency);

enum residency_result residency_scan(struct residency *residency);

/* After RESIDENCY_FULL, with the gate open. */
bool residency_enlarge(struct residency *residency);

/* Fills in `figures`: the kernel walks all pages again, three to six times as long as PAGEMAP_SCAN did. */
void residency_measure(struct residency *residency);

/* The next region of the last scan; false after the last one. Regions are runs of the page table: the
   ledger cuts them at its own bounds. */
bool residency_next(const struct residency *residency, struct residency_cursor *cursor,
                    struct residency_region *region);

/* Bytes of scratch memory. */
uint64_t residency_own_bytes(const struct residency *residency);

void residency_close(struct residency *residency);

#endif
