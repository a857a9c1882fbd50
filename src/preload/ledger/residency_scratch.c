#include "residency_scratch.h"

void residency_scratch_begin(struct residency_scratch *scratch)
{
    struct page_runs *runs = &scratch->runs;
    *runs = (struct page_runs){.bytes = runs->bytes, .room_bytes = runs->room_bytes};
    scratch->resident_bytes = scratch->guessed_bytes = 0;
}

void residency_scratch_take_all(struct residency_scratch *scratch)
{
    for (int kind = 0; kind < PAGE_KINDS; kind++) {
        scratch->left[kind] = UINT64_MAX;
        scratch->guess[kind] = false;
        scratch->seen[kind] = 0;
    }
}

void residency_scratch_put(struct residency_scratch *scratch, uint64_t start, uint64_t end,
                           uint32_t flags)
{
    if (start >= end)
        return;
    struct page_run run = {start / scratch->page_bytes, end / scratch->page_bytes, flags};
    page_runs_put(&scratch->runs, &run);
    scratch->resident_bytes += end - start;
    scratch->guessed_bytes += flags & RESIDENCY_GUESS ? end - start : 0;
}

bool residency_scratch_take(const struct page_stretch *stretch, void *context)
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
    residency_scratch_put(scratch, stretch->start, stretch->start + taken, flags);
    return scratch->seen[PAGE_RESIDENT] < scratch->resident_most;
}

bool residency_scratch_hugetlb(const struct residency_scratch *scratch, const struct vma *vma)
{
    for (unsigned i = 0; i < scratch->device_count; i++)
        if (scratch->devices[i] == vma->device)
            return true;
    return false;
}
