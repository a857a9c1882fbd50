#include "residency_smaps.h"

#include "preload/ground/smaps.h"

enum { LITTLE_TEXT_BYTES = 1024 /* of the first mapping; the kernel looks at no more of them */ };

/* What is read by entries in all, an entry for each page whether there is one or not: takes about 50 ms. */
#define ENTRIES_SPAN_BYTES (64ull << 30)

static void learn_hugetlb(struct residency *residency, const struct smaps_entry *entry)
{
    struct residency_scratch *scratch = residency->scratch;
    const struct vma *found = vma_list_find(&residency->vmas, entry->start);
    if (!found || found->start != entry->start)
        return;
    struct vma *vma = &residency->vmas.vmas[found - residency->vmas.vmas];
    vma->flags |= VMA_HUGETLB;
    if (residency_scratch_hugetlb(scratch, vma))
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
    residency_scratch_put(scratch, entry->start, entry->start + file_bytes, RESIDENCY_FILE | guess);
    residency_scratch_put(scratch, entry->start + file_bytes, entry->start + rss_bytes, guess);
    return true;
}

/* 16 TiB of a sanitizer's shadow would take a minute, and so would many mappings that are large together. */
static bool too_sparse(const struct residency_scratch *scratch, const struct smaps_entry *entry)
{
    return scratch->table.source == LEDGER_PAGEMAP &&
           entry->end - entry->start > scratch->span_left_bytes;
}

static uint64_t walk_one_mapping(struct residency_scratch *scratch, const struct smaps_entry *entry)
{
    uint64_t before = scratch->resident_bytes, span_bytes = entry->end - entry->start;
    scratch->span_left_bytes -=
        span_bytes < scratch->span_left_bytes ? span_bytes : scratch->span_left_bytes;
    scratch->resident_most = entry->bytes[SMAPS_RSS];
    scratch->unreadable |= !page_table_walk(&scratch->table, entry->start, entry->end,
                                            residency_scratch_take, scratch);
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
    residency_scratch_take_all(scratch);
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

static bool walk(struct residency *residency, smaps_visit visit)
{
    struct residency_scratch *scratch = residency->scratch;
    struct smaps_buffer buffer = {scratch->text, sizeof(scratch->text)};
    residency_scratch_begin(scratch);
    scratch->unreadable = false;
    scratch->span_left_bytes = ENTRIES_SPAN_BYTES;
    return smaps_each("/proc/self/smaps", &buffer, visit, residency) == SMAPS_DONE &&
           !scratch->unreadable;
}

bool residency_smaps_walk(struct residency *residency)
{
    return walk(residency, walk_mapping);
}

bool residency_smaps_guess(struct residency *residency)
{
    return walk(residency, guess_mapping);
}

static bool guess_first(const struct smaps_entry *entry, void *context)
{
    guess_mapping(entry, context);
    return false;
}

static bool walk_first(const struct smaps_entry *entry, void *context)
{
    walk_mapping(entry, context);
    return guess_first(entry, context);
}

void residency_smaps_rehearse(struct residency *residency, bool table)
{
    struct residency_scratch *scratch = residency->scratch;
    struct smaps_buffer buffer = {scratch->text, LITTLE_TEXT_BYTES};
    residency_scratch_begin(scratch);
    scratch->span_left_bytes = ENTRIES_SPAN_BYTES;
    smaps_each("/proc/self/smaps", &buffer, table ? walk_first : guess_first, residency);
}
