/*
 * residency_figures.h - the kernel's own sums over all mappings.
 *
 * What it is: /proc/self/smaps_rollup; before Linux 4.14 the sum of smaps; without either, statm.
 * Owns: nothing. Context: anywhere; 2 KiB of stack.
 * Not here: the pages that are summed up (residency.h).
 */
#ifndef HEAPDIFF_PRELOAD_RESIDENCY_FIGURES_H
#define HEAPDIFF_PRELOAD_RESIDENCY_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

/* In bytes. */
struct residency_figures {
    bool known;  /* rss_bytes is; from statm alone the others are 0 */
    bool summed; /* the others, too */
    uint64_t rss_bytes;
    uint64_t pss_bytes;
    uint64_t private_clean_bytes, private_dirty_bytes; /* together: USS */
    uint64_t lazy_free_bytes;
    uint64_t huge_bytes; /* anonymous, shared memory's and files' huge pages */
    uint64_t hugetlb_bytes;
    uint64_t swap_bytes, swap_pss_bytes;
};

void residency_figures_read(struct residency_figures *figures);

/* Runs the code of it on one mapping, for little time. */
void residency_figures_rehearse(struct residency_figures *figures);

#endif
