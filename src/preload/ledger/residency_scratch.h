/*
 * residency_scratch.h - what a scan for resident pages has met so far, and how it takes what it meets.
 *
 * What it is: the memory of struct residency: buffers, regions, and for each kind of page how much of it counts.
 * Owns: nothing; residency.c maps it. Context: as residency_scan().
 * Not here: the ways to walk (residency_sweep.h, residency_smaps.h).
 */
#ifndef HEAPDIFF_PRELOAD_RESIDENCY_SCRATCH_H
#define HEAPDIFF_PRELOAD_RESIDENCY_SCRATCH_H

#include "residency.h"

#include "preload/ground/facts.h"
#include "preload/ground/page_runs.h"
#include "preload/ground/page_table.h"

#include <assert.h>

enum {
    RESIDENCY_TEXT_BYTES = 16 << 10, /* the kernel hands smaps over by pages */
    RESIDENCY_DEVICES_MAX = 8        /* one for each mount of hugetlbfs and size of huge pages */
};
static_assert(RESIDENCY_GUESS < 1 << PAGE_RUN_FLAG_BITS, "all flags fit into a run");

struct residency_scratch {
    uint64_t table_buffer[PAGE_TABLE_BUFFER_BYTES / sizeof(uint64_t)];
    char text[RESIDENCY_TEXT_BYTES];
    uint64_t page_bytes;
    enum ledger_source best;
    struct page_table table;
    struct page_runs runs;
    /* How what the walk meets is taken: so much of each kind, then no more. */
    uint64_t left[PAGE_KINDS]; /* bytes */
    bool guess[PAGE_KINDS];    /* only some of them will be */
    uint64_t seen[PAGE_KINDS]; /* bytes */
    uint64_t resident_most;    /* the walk may end when so many certain bytes have been seen */
    bool all_files;            /* where the walk is */
    uint64_t resident_bytes, guessed_bytes;
    /* The walk by mappings: what may still be read by entries, and what went wrong in it. */
    uint64_t span_left_bytes;
    bool unreadable;
    /* hugetlbfs, as of when `hugetlb_bytes` were in use. */
    uint64_t hugetlb_bytes;
    uint32_t devices[RESIDENCY_DEVICES_MAX];
    unsigned device_count;
    bool devices_lost; /* there are more of them */
    bool rehearsing;   /* one mapping will do */
    /* The list of mappings was read with the gate open, when memory was as `early` says. */
    bool early_read;
    struct facts_memory early;
};

/* A scan begins: nothing has been met. */
void residency_scratch_begin(struct residency_scratch *scratch);

/* All of each kind is taken, until somebody knows better. */
void residency_scratch_take_all(struct residency_scratch *scratch);

/* The next region. */
void residency_scratch_put(struct residency_scratch *scratch, uint64_t start, uint64_t end,
                           uint32_t flags);

/* A page_visit. */
bool residency_scratch_take(const struct page_stretch *stretch, void *context);

/* Whether the mapping is known to be one of hugetlbfs. */
bool residency_scratch_hugetlb(const struct residency_scratch *scratch, const struct vma *vma);

#endif
