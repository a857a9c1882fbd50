#include "residency_sweep.h"

/* What is known of all pages of a mapping. */
enum mapping_kind {
    MAPPING_PRIVATE, /* no page of a file's */
    MAPPING_SHARED,  /* no other */
    MAPPING_COPIES,  /* of a file: its pages, and private copies of some */
    MAPPING_HUGETLB
};

static enum mapping_kind mapping_kind(const struct residency_scratch *scratch, struct vma *vma)
{
    if (scratch->device_count > 0 && residency_scratch_hugetlb(scratch, vma)) {
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
    return page_table_walk(&scratch->table, start, end, residency_scratch_take, scratch);
}

bool residency_sweep(struct residency *residency, size_t last)
{
    struct residency_scratch *scratch = residency->scratch;
    struct vma_list *vmas = &residency->vmas;
    enum mapping_kind kind = MAPPING_PRIVATE;
    uint64_t start = 0;
    bool sound = true;
    scratch->resident_most = UINT64_MAX;
    for (size_t i = 0; i <= last && sound; i++) {
        enum mapping_kind next = mapping_kind(scratch, &vmas->vmas[i]);
        if (next == kind)
            continue;
        sound = walk_kind(scratch, kind, start, vmas->vmas[i].start);
        start = vmas->vmas[i].start;
        kind = next;
    }
    sound = sound && walk_kind(scratch, kind, start, vmas->vmas[last].end);
    scratch->table.no_files = scratch->all_files = false;
    return sound;
}
