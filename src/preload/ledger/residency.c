#include "residency.h"

#include "preload/ground/facts.h"
#include "preload/ground/page_runs.h"
#include "preload/ground/page_table.h"
#include "preload/ground/proc.h"
#include "preload/ground/smaps.h"
#include "preload/ground/sys.h"

#include <assert.h>
#include <sys/auxv.h>

enum {
    RESIDENCY_TEXT_BYTES = 16 << 10,      /* the kernel hands smaps over by pages */
    RESIDENCY_RUNS_FIRST_BYTES = 8 << 10, /* a small program has 300 regions */
    RESIDENCY_DEVICES_MAX = 8,  /* one for each mount of hugetlbfs and size of huge pages */
    RESIDENCY_PAGE_BYTES = 4096 /* the smallest page there is */
};
/* The largest mapping that is read by entries: takes about 50 ms. */
#define RESIDENCY_ENTRIES_SPAN_BYTES (64ull << 30)
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
    /* The walk by mappings: what went wrong in it. */
    bool unreadable;
    /* hugetlbfs, as of when `hugetlb_bytes` were in use. */
    uint64_t hugetlb_bytes;
    uint32_t devices[RESIDENCY_DEVICES_MAX];
    unsigned device_count;
    bool devices_lost; /* there are more of them */
};

static void touch(void *memory, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes; at += RESIDENCY_PAGE_BYTES)
        *(volatile char *)((char *)memory + at) = 0;
}

static struct smaps_buffer text_buffer(struct residency_scratch *scratch)
{
    return (struct smaps_buffer){scratch->text, sizeof(scratch->text)};
}

static void begin(struct residency_scratch *scratch)
{
    struct page_runs *runs = &scratch->runs;
    *runs = (struct page_runs){.bytes = runs->bytes, .room_bytes = runs->room_bytes};
    scratch->resident_bytes = scratch->guessed_bytes = 0;
}

/* All of each kind is taken, until somebody knows better. */
static void take_all(struct residency_scratch *scratch)
{
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        scratch->left[kind] = UINT64_MAX;
        scratch->guess[kind] = false;
        scratch->seen[kind] = 0;
    }
}

static void put(struct residency_scratch *scratch, uint64_t start, uint64_t end, uint32_t flags)
{
    if (start >= end)
        return;
    struct page_run run = {start / scratch->page_bytes, end / scratch->page_bytes, flags};
    page_runs_put(&scratch->runs, &run);
    scratch->resident_bytes += end - start;
    scratch->guessed_bytes += flags & RESIDENCY_GUESS ? end - start : 0;
}

static bool take(const struct page_stretch *stretch, void *context)
{
    struct residency_scratch *scratch = context;
    enum page_kind kind = stretch->kind;
    uint64_t bytes = stretch->end - stretch->start;
    uint64_t taken = bytes < scratch->left[kind] ? bytes : scratch->left[kind];
    uint32_t flags = (stretch->huge ? RESIDENCY_HUGE : 0) |
                     (stretch->file || scratch->all_files ? RESIDENCY_FILE : 0) |
                     (kind == PAGE_AWAY ? RESIDENCY_SWAPPED : 0) |
                     (scratch->guess[kind] ? RESIDENCY_GUESS : 0);
    scratch->seen[kind] += bytes;
    scratch->left[kind] -= taken;
    put(scratch, stretch->start, stretch->start + taken, flags);
    return scratch->seen[PAGE_RESIDENT] < scratch->resident_most;
}

/* --- The whole address space at once, where the kernel tells zero pages. --- */

static bool is_hugetlb(const struct residency_scratch *scratch, const struct vma *vma)
{
    for (unsigned i = 0; i < scratch->device_count; i++)
        if (scratch->devices[i] == vma->device)
            return true;
    return false;
}

/* What is known of all pages of a mapping. */
enum mapping_kind {
    MAPPING_PRIVATE, /* no page of a file's */
    MAPPING_SHARED,  /* no other */
    MAPPING_COPIES,  /* of a file: its pages, and private copies of some */
    MAPPING_HUGETLB
};

static enum mapping_kind mapping_kind(const struct residency_scratch *scratch, struct vma *vma)
{
    if (scratch->device_count > 0 && is_hugetlb(scratch, vma)) {
        vma->flags |= VMA_HUGETLB;
        return MAPPING_HUGETLB;
    }
    if (vma->inode == 0)
        return MAPPING_PRIVATE;
    return vma->flags & VMA_SHARED ? MAPPING_SHARED : MAPPING_COPIES;
}

/* To ask what is a file's takes the kernel to the descriptor of each page: three times as long. */
static bool walk_kind(struct residency_scratch *scratch, enum mapping_kind kind, uint64_t start,
                      uint64_t end)
{
    if (kind == MAPPING_HUGETLB || start == end)
        return true;
    scratch->table.no_files = kind != MAPPING_COPIES;
    scratch->all_files = kind == MAPPING_SHARED;
    return page_table_walk(&scratch->table, start, end, take, scratch);
}

/* [0, end of the last mapping), by as few walks as there are neighbours of different kinds. What has been mapped since
   maps was read is not left out. False: the kernel gave an error. */
static bool walk_everything(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    struct vma_list *vmas = &residency->vmas;
    enum mapping_kind kind = MAPPING_PRIVATE;
    uint64_t start = 0;
    bool sound = true;
    scratch->resident_most = UINT64_MAX;
    for (size_t i = 0; i < vmas->count && sound; i++) {
        enum mapping_kind next = mapping_kind(scratch, &vmas->vmas[i]);
        if (next == kind)
            continue;
        sound = walk_kind(scratch, kind, start, vmas->vmas[i].start);
        start = vmas->vmas[i].start;
        kind = next;
    }
    sound = sound && walk_kind(scratch, kind, start, vmas->vmas[vmas->count - 1].end);
    scratch->table.no_files = scratch->all_files = false;
    return sound;
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

/* --- One mapping after the other, each with the kernel's sum. --- */

static void learn_hugetlb(struct residency *residency, const struct smaps_entry *entry)
{
    struct residency_scratch *scratch = residency->scratch;
    const struct vma *found = vma_list_find(&residency->vmas, entry->start);
    if (!found || found->start != entry->start)
        return;
    struct vma *vma = &residency->vmas.vmas[found - residency->vmas.vmas];
    vma->flags |= VMA_HUGETLB;
    if (is_hugetlb(scratch, vma))
        return;
    if (scratch->device_count < RESIDENCY_DEVICES_MAX)
        scratch->devices[scratch->device_count++] = vma->device;
    else
        scratch->devices_lost = true;
}

/* So many bytes of a mapping are resident: the certain ones, and of the others as many as are missing. */
static void take_missing(struct residency_scratch *scratch, uint64_t rss_bytes)
{
    uint64_t certain = scratch->seen[PAGE_RESIDENT];
    uint64_t missing = rss_bytes > certain ? rss_bytes - certain : 0;
    for (int kind = PAGE_PERHAPS; kind < PAGE_KINDS; kind++) {
        uint64_t seen = scratch->seen[kind];
        scratch->left[kind] = missing < seen ? missing : seen;
        scratch->guess[kind] = scratch->left[kind] > 0 && scratch->left[kind] < seen;
        missing -= scratch->left[kind];
        scratch->seen[kind] = 0;
    }
    scratch->left[PAGE_RESIDENT] = UINT64_MAX;
    scratch->seen[PAGE_RESIDENT] = 0;
}

/* Without a page table: as if the first pages were the resident ones, a file's before private ones. */
static bool guess_mapping(const struct smaps_entry *entry, void *context)
{
    struct residency *residency = context;
    struct residency_scratch *scratch = residency->scratch;
    uint64_t size_bytes = entry->end - entry->start, rss_bytes = entry->bytes[SMAPS_RSS];
    uint64_t anonymous_bytes = entry->bytes[SMAPS_ANONYMOUS];
    if (entry->hugetlb) {
        learn_hugetlb(residency, entry);
        return true;
    }
    if (rss_bytes > size_bytes) /* it has changed since */
        rss_bytes = size_bytes;
    uint64_t file_bytes = rss_bytes > anonymous_bytes ? rss_bytes - anonymous_bytes : 0;
    uint32_t guess = rss_bytes < size_bytes ? RESIDENCY_GUESS : 0;
    put(scratch, entry->start, entry->start + file_bytes, RESIDENCY_FILE | guess);
    put(scratch, entry->start + file_bytes, entry->start + rss_bytes, guess);
    return true;
}

/* An entry for every page, whether there is one or not: 16 TiB of a sanitizer's shadow would take a minute. */
static bool too_sparse(const struct residency_scratch *scratch, const struct smaps_entry *entry)
{
    return scratch->table.source == LEDGER_PAGEMAP &&
           entry->end - entry->start > RESIDENCY_ENTRIES_SPAN_BYTES;
}

static uint64_t walk_one_mapping(struct residency_scratch *scratch, const struct smaps_entry *entry)
{
    uint64_t before = scratch->resident_bytes;
    scratch->resident_most = entry->bytes[SMAPS_RSS];
    scratch->unreadable |=
        !page_table_walk(&scratch->table, entry->start, entry->end, take, scratch);
    return scratch->resident_bytes - before;
}

static bool walk_mapping(const struct smaps_entry *entry, void *context)
{
    struct residency *residency = context;
    struct residency_scratch *scratch = residency->scratch;
    struct page_runs runs = scratch->runs;
    uint64_t resident_bytes = scratch->resident_bytes, guessed_bytes = scratch->guessed_bytes;
    uint64_t rss_bytes = entry->bytes[SMAPS_RSS];
    if (entry->hugetlb)
        learn_hugetlb(residency, entry);
    if (entry->hugetlb || rss_bytes == 0)
        return true;
    if (too_sparse(scratch, entry))
        return guess_mapping(entry, context);
    take_all(scratch);
    if (walk_one_mapping(scratch, entry) == rss_bytes ||
        scratch->seen[PAGE_PERHAPS] + scratch->seen[PAGE_AWAY] == 0)
        return true;
    /* Once more, by what has been learnt. */
    scratch->runs = runs;
    scratch->resident_bytes = resident_bytes;
    scratch->guessed_bytes = guessed_bytes;
    take_missing(scratch, rss_bytes);
    walk_one_mapping(scratch, entry);
    return true;
}

static bool walk_by_smaps(struct residency *residency, smaps_visit visit)
{
    struct smaps_buffer buffer = text_buffer(residency->scratch);
    begin(residency->scratch);
    residency->scratch->unreadable = false;
    return smaps_each("/proc/self/smaps", &buffer, visit, residency) == SMAPS_DONE &&
           !residency->scratch->unreadable;
}

/* --- The three sources, best first. --- */

struct status {
    uint64_t swap_bytes, hugetlb_bytes;
};

static struct status read_status(void)
{
    static const char *const keys[] = {"VmSwap", "HugetlbPages"};
    uint64_t values[2] = {0};
    proc_status(keys, values, 2);
    return (struct status){values[0], values[1]};
}

/* One pass is enough where all mappings of hugetlbfs are known, and no page is of an unsure kind. */
static bool scan_fast(struct residency *residency, const struct status *status)
{
    struct residency_scratch *scratch = residency->scratch;
    if (scratch->table.source != LEDGER_PAGEMAP_SCAN ||
        status->hugetlb_bytes != scratch->hugetlb_bytes || scratch->devices_lost)
        return false;
    begin(scratch);
    take_all(scratch);
    if (status->swap_bytes > 0)
        scratch->left[PAGE_AWAY] = 0;
    return walk_everything(residency) && page_runs_finish(&scratch->runs) && sum_agrees(residency);
}

/* False: no page table, or it gave errors. */
static bool scan_pages(struct residency *residency, const struct status *status)
{
    struct residency_scratch *scratch = residency->scratch;
    if (!page_table_open(&scratch->table, scratch->best, scratch->table_buffer))
        return false;
    bool done = scan_fast(residency, status);
    if (!done && scratch->runs.used_bytes <= scratch->runs.room_bytes) {
        done = walk_by_smaps(residency, walk_mapping);
        if (done && !scratch->devices_lost)
            scratch->hugetlb_bytes = status->hugetlb_bytes;
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
    residency->counter_bytes = facts_rss_bytes();
    residency->resident_bytes = scratch->resident_bytes;
    residency->guessed_bytes = scratch->guessed_bytes;
    residency->region_count = scratch->runs.count;
    return RESIDENCY_DONE;
}

static enum residency_result unknown(struct residency *residency)
{
    begin(residency->scratch);
    finish(residency);
    residency->source = LEDGER_NOT_MEASURED;
    return RESIDENCY_UNKNOWN;
}

enum residency_result residency_scan(struct residency *residency)
{
    begin(residency->scratch);
    switch (vma_list_read(&residency->vmas)) {
    case VMA_FULL:
        return RESIDENCY_FULL;
    case VMA_UNREADABLE:
        return unknown(residency);
    case VMA_DONE:
        break;
    }
    struct status status = read_status();
    if (scan_pages(residency, &status))
        return finish(residency);
    residency->source = LEDGER_SMAPS;
    return walk_by_smaps(residency, guess_mapping) ? finish(residency) : unknown(residency);
}

/* --- Memory. --- */

static bool runs_make_room(struct page_runs *runs, size_t room_bytes)
{
    void *bytes = sys_pages(room_bytes);
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
    size_t wanted = runs->used_bytes + runs->used_bytes / 4 + RESIDENCY_PAGE_BYTES;
    if (wanted > runs->room_bytes && !runs_make_room(runs, wanted))
        return false;
    return vma_list_make_room(&residency->vmas);
}

static bool walk_one(const struct smaps_entry *entry, void *context)
{
    walk_mapping(entry, context);
    guess_mapping(entry, context);
    return false;
}

/* Everything that a scan may come to is run once, so that no page of code is missing later on. */
static bool rehearse(struct residency *residency)
{
    struct residency_scratch *scratch = residency->scratch;
    struct smaps_buffer buffer = text_buffer(scratch);
    if (page_table_open(&scratch->table, scratch->best, scratch->table_buffer)) {
        begin(scratch);
        smaps_each("/proc/self/smaps", &buffer, walk_one, residency);
        page_table_close(&scratch->table);
    }
    residency_figures_rehearse(&residency->figures);
    enum residency_result result;
    while ((result = residency_scan(residency)) == RESIDENCY_FULL)
        if (!residency_enlarge(residency))
            return false;
    /* As it is full now, so it may be fuller at the next scan. */
    return result == RESIDENCY_UNKNOWN || residency_enlarge(residency);
}

void residency_measure(struct residency *residency)
{
    residency_figures_read(&residency->figures);
}

bool residency_open_at(struct residency *residency, enum ledger_source best)
{
    *residency = (struct residency){.scratch = sys_pages(sizeof(struct residency_scratch))};
    struct residency_scratch *scratch = residency->scratch;
    if (!scratch)
        return false;
    touch(scratch, sizeof(*scratch));
    scratch->best = best;
    scratch->page_bytes = getauxval(AT_PAGESZ);
    vma_list_make_room(&residency->vmas); /* if it cannot be read, no scan will find anything */
    if (runs_make_room(&scratch->runs, RESIDENCY_RUNS_FIRST_BYTES) && rehearse(residency))
        return true;
    residency_close(residency);
    return false;
}

bool residency_open(struct residency *residency)
{
    return residency_open_at(residency, LEDGER_PAGEMAP_SCAN);
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
