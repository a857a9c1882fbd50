#include "residency_figures.h"

#include "preload/ground/facts.h"
#include "preload/ground/smaps.h"

enum { FIGURES_LINE_BYTES = 2048 }; /* what is longer is a path, and not looked at */

static bool add(const struct smaps_entry *entry, void *context)
{
    struct residency_figures *figures = context;
    const uint64_t *bytes = entry->bytes;
    figures->rss_bytes += bytes[SMAPS_RSS];
    figures->pss_bytes += bytes[SMAPS_PSS];
    figures->private_clean_bytes += bytes[SMAPS_PRIVATE_CLEAN];
    figures->private_dirty_bytes += bytes[SMAPS_PRIVATE_DIRTY];
    figures->lazy_free_bytes += bytes[SMAPS_LAZY_FREE];
    figures->huge_bytes +=
        bytes[SMAPS_ANON_HUGE] + bytes[SMAPS_SHMEM_HUGE] + bytes[SMAPS_FILE_HUGE];
    figures->hugetlb_bytes += bytes[SMAPS_SHARED_HUGETLB] + bytes[SMAPS_PRIVATE_HUGETLB];
    figures->swap_bytes += bytes[SMAPS_SWAP];
    figures->swap_pss_bytes += bytes[SMAPS_SWAP_PSS];
    return true;
}

static bool add_first(const struct smaps_entry *entry, void *context)
{
    add(entry, context);
    return false;
}

static bool sum(const char *path, smaps_visit visit, struct residency_figures *figures)
{
    char line[FIGURES_LINE_BYTES];
    struct smaps_buffer buffer = {line, sizeof(line)};
    *figures = (struct residency_figures){0};
    figures->summed = smaps_each(path, &buffer, visit, figures) == SMAPS_DONE;
    figures->known = figures->summed;
    return figures->known;
}

void residency_figures_read(struct residency_figures *figures)
{
    if (sum("/proc/self/smaps_rollup", add, figures) || sum("/proc/self/smaps", add, figures))
        return;
    *figures = (struct residency_figures){.rss_bytes = facts_rss_bytes()};
    figures->known = figures->rss_bytes > 0;
}

void residency_figures_rehearse(struct residency_figures *figures)
{
    sum("/proc/self/smaps", add_first, figures);
    *figures = (struct residency_figures){0};
}
