#include "residency.h"

#include "residency_scratch.h"
#include "residency_smaps.h"
#include "residency_sweep.h"

#include "preload/ground/proc.h"
#include "preload/ground/sys.h"

#include <sys/auxv.h>

enum {
    RUNS_FIRST_BYTES = 8 << 10, /* a small program has 300 regions */
    RUN_BYTES = 2,              /* of most regions: room for as many as there are pages */
    PAGE_BYTES_MIN = 4096,
    MAPPINGS_MANY = 1000 /* to read so many takes less than a millisecond */
};

/* Where sys_pages_present() could not. */
static void touch(void *memory, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes; at += PAGE_BYTES_MIN)
        *(volatile char *)((char *)memory + at) = 0;
}

/* Whether the sum is the kernel's, asked only when there were pages that may or may not count. */
static bool sum_agrees(struct residency *residency)
{
    if (residency->scratch->seen[PAGE_AWAY] == 0)
        return true;
    residency_measure(residency);
    return !residency->figures.summed ||
           residency->figures.rss_bytes == residency->scratch->resident_bytes;
}

/* The three sources, best first. */

static struct residency_status read_status(void)
{
    static const char *const keys[] = {"VmPTE", "VmSwap", "HugetlbPages"};
    uint64_t values[3] = {0};
    if (!proc_status(keys, values, 3))
        return (struct residency_status){0};
    return (struct residency_status){values[0], values[1], values[2]};
}

/* One pass is enough where all mappings of hugetlbfs are known, and no page is of an unsure kind. */
static bool scan_fast(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    const struct residency_status *status = &residency->status;
    if (scratch->table.source != LEDGER_PAGEMAP_SCAN ||
        status->hugetlb_bytes != scratch->hugetlb_bytes || scratch->devices_lost)
        return false;
    residency_scratch_begin(scratch);
    residency_scratch_take_all(scratch);
    if (status->swap_bytes > 0)
        scratch->left[PAGE_AWAY] = 0;
    size_t last = scratch->rehearsing ? 0 : residency->vmas.count - 1;
    return residency_sweep(residency, last) && page_runs_finish(&scratch->runs) &&
           sum_agrees(residency);
}

/* False: no page table, or it gave errors. */
static bool scan_pages(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    if (!page_table_open(&scratch->table, scratch->best, scratch->table_buffer))
        return false;
    bool done = scan_fast(residency) || scratch->rehearsing;
    if (!done && scratch->runs.used_bytes <= scratch->runs.room_bytes) {
        done = residency_smaps_walk(residency);
        if (done && !scratch->devices_lost)
            scratch->hugetlb_bytes = residency->status.hugetlb_bytes;
    }
    page_table_close(&scratch->table);
    residency->source = scratch->table.source;
    return done || scratch->runs.used_bytes > scratch->runs.room_bytes;
}

static enum residency_result finish(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    if (!page_runs_finish(&scratch->runs))
        return RESIDENCY_FULL;
    residency->resident_bytes = scratch->resident_bytes;
    residency->guessed_bytes = scratch->guessed_bytes;
    residency->region_count = scratch->runs.count;
    return RESIDENCY_DONE;
}

static enum residency_result unknown(struct residency *residency)
{
    residency_scratch_begin(residency->scratch);
    finish(residency);
    residency->source = LEDGER_NOT_MEASURED;
    return RESIDENCY_UNKNOWN;
}

/* With many mappings those that were read with the gate open will do, if memory is as large as then. */
static enum vma_result read_mappings(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    bool early = scratch->early_read;
    scratch->early_read = false;
    if (early) {
        struct facts_memory now = facts_memory();
        if (now.mapped_bytes == scratch->early.mapped_bytes &&
            now.private_bytes == scratch->early.private_bytes)
            return VMA_DONE;
    }
    return vma_list_read(&residency->vmas);
}

enum residency_result residency_scan(struct residency *residency)
{
    residency_scratch_begin(residency->scratch);
    switch (read_mappings(residency)) {
    case VMA_FULL:
        return RESIDENCY_FULL;
    case VMA_UNREADABLE:
        return unknown(residency);
    case VMA_DONE:
        break;
    }
    residency->status = read_status();
    if (scan_pages(residency))
        return finish(residency);
    residency->source = LEDGER_SMAPS;
    return residency_smaps_guess(residency) ? finish(residency) : unknown(residency);
}

/* Memory. */

static bool runs_make_room(struct page_runs *runs, size_t room_bytes)
{
    void *bytes = sys_pages_present(room_bytes);
    if (!bytes)
        return false;
    touch(bytes, room_bytes);
    if (runs->bytes)
        sys_pages_free(runs->bytes, runs->room_bytes);
    *runs = (struct page_runs){.bytes = bytes, .room_bytes = room_bytes};
    return true;
}

bool residency_enlarge(struct residency *residency)
{
    struct page_runs *runs = &residency->scratch->runs;
    size_t wanted = runs->used_bytes + runs->used_bytes / 4 + PAGE_BYTES_MIN;
    if (wanted > runs->room_bytes && !runs_make_room(runs, wanted))
        return false;
    return vma_list_make_room(&residency->vmas);
}

static bool read_early(struct residency *residency)
{
    residency->scratch->early = facts_memory();
    return residency->scratch->early.mapped_bytes > 0 &&
           vma_list_read(&residency->vmas) == VMA_DONE;
}

void residency_prepare(struct residency *residency)
{
    if (residency->vmas.count > MAPPINGS_MANY)
        residency->scratch->early_read =
            read_early(residency) ||
            (vma_list_make_room(&residency->vmas) && read_early(residency));
}

/* Everything that a scan may come to is run once, on little, so that no page of code is missing later on. */
static void rehearse(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    bool table = page_table_open(&scratch->table, scratch->best, scratch->table_buffer);
    residency_smaps_rehearse(residency, table);
    if (table)
        page_table_close(&scratch->table);
    scratch->rehearsing = true;
    scratch->early = facts_memory();
    scratch->early_read = residency->vmas.count > MAPPINGS_MANY;
    if (table)
        residency_scan(residency);
    scratch->rehearsing = false;
    residency_figures_rehearse(&residency->figures);
}

/* All of it: memory of hugetlbfs is known by a walk over all mappings. */
static bool rehearse_all(struct residency *residency)
{
    enum residency_result result;
    while ((result = residency_scan(residency)) == RESIDENCY_FULL)
        if (!residency_enlarge(residency))
            return false;
    return true;
}

static bool make_ready(struct residency *residency, bool alone)
{
    struct residency_scratch *scratch = residency->scratch;
    uint64_t pages = facts_rss_bytes() / scratch->page_bytes;
    size_t bytes = scratch->best < LEDGER_SMAPS ? pages * RUN_BYTES : 0;
    if (!runs_make_room(&scratch->runs, bytes + RUNS_FIRST_BYTES))
        return false;
    if (alone)
        return vma_list_begin(&residency->vmas);
    if (!vma_list_make_room(&residency->vmas)) /* no scan will find anything */
        return true;
    rehearse(residency);
    return read_status().hugetlb_bytes == 0 || rehearse_all(residency);
}

void residency_measure(struct residency *residency)
{
    residency_figures_read(&residency->figures);
}

static bool open_with(struct residency *residency, enum ledger_source best, bool alone)
{
    size_t bytes = sizeof(struct residency_scratch);
    *residency = (struct residency){.scratch = alone ? sys_pages(bytes) : sys_pages_present(bytes)};
    struct residency_scratch *scratch = residency->scratch;
    if (!scratch)
        return false;
    if (!alone)
        touch(scratch, bytes);
    scratch->best = best;
    scratch->page_bytes = getauxval(AT_PAGESZ);
    if (make_ready(residency, alone))
        return true;
    residency_close(residency);
    return false;
}

bool residency_open(struct residency *residency, bool alone)
{
    return open_with(residency, LEDGER_PAGEMAP_SCAN, alone);
}

bool residency_open_at(struct residency *residency, enum ledger_source best)
{
    return open_with(residency, best, false);
}

void residency_close(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    vma_list_free(&residency->vmas);
    if (scratch && scratch->runs.bytes)
        sys_pages_free(scratch->runs.bytes, scratch->runs.room_bytes);
    if (scratch)
        sys_pages_free(scratch, sizeof(*scratch));
    residency->scratch = NULL;
}

uint64_t residency_own_bytes(const struct residency *residency)
{
    if (!residency->scratch)
        return 0;
    return sizeof(struct residency_scratch) + residency->scratch->runs.room_bytes +
           residency->vmas.room * sizeof(struct vma) + residency->vmas.text_room_bytes;
}

bool residency_next(const struct residency *residency, struct residency_cursor *cursor,
                    struct residency_region *region)
{
    const struct residency_scratch *scratch = residency->scratch;
    struct page_runs_cursor at = {cursor->at, cursor->page};
    struct page_run run;
    if (!scratch || !page_runs_next(&scratch->runs, &at, &run))
        return false;
    *region = (struct residency_region){run.start * scratch->page_bytes,
                                        run.end * scratch->page_bytes, run.flags};
    *cursor = (struct residency_cursor){at.at, at.last};
    return true;
}
